//! Kinds of keys. Their text forms are stable: they stand in the store.

use crate::kernel::values::DirectoryId;
use std::fmt;

/// What a key is for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// ES256: signs assertions for products.
    Assertion,
    /// Ed25519: signs checkpoints of the audit log.
    Audit,
    /// HMAC-SHA-256: turns a cookie's token into the key that finds its session.
    Token,
    /// HMAC-SHA-256: MACs of session rows.
    Row,
    /// AES-256-GCM-SIV: seals what browsers carry for us.
    Cookie,
    /// HMAC-SHA-256: CSRF tokens of forms.
    Csrf,
    /// HMAC-SHA-256: MACs of people's own credentials, look-up keys of recovery codes, reset codes and links, buckets of attempts.
    Credential,
    /// AES-256-GCM-SIV: seals the seeds of second steps.
    Factor,
    /// ES256: `private_key_jwt` at one directory's provider, and at no other (rule H20).
    Client(DirectoryId),
}

impl Kind {
    /// The kinds that every gateway needs.
    pub const EVERYWHERE: [Self; 8] = [
        Self::Assertion,
        Self::Audit,
        Self::Token,
        Self::Row,
        Self::Cookie,
        Self::Csrf,
        Self::Credential,
        Self::Factor,
    ];

    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Self> {
        let known = Self::EVERYWHERE.into_iter().find(|kind| kind.to_string() == text);
        known.or_else(|| DirectoryId::parse(text.strip_prefix("client.")?).ok().map(Self::Client))
    }

    /// Whether its keys can be replaced while people are logged in: nothing that stays for good rests on them. `compromised`: or while
    /// everybody has to log in again.
    pub const fn is_replaceable(self, compromised: bool) -> bool {
        match self {
            Self::Assertion | Self::Cookie | Self::Csrf | Self::Client(_) => true,
            // Sessions are found by the newest key alone.
            Self::Token => compromised,
            // Organizations, passwords and second steps rest on these; the log's own change once a day.
            Self::Audit | Self::Row | Self::Credential | Self::Factor => false,
        }
    }

    /// How many generations a new gateway makes.
    pub(super) const fn generations(self) -> usize {
        match self {
            Self::Assertion => 2,
            Self::Audit | Self::Token | Self::Row | Self::Cookie | Self::Csrf => 1,
            Self::Credential | Self::Factor | Self::Client(_) => 1,
        }
    }

    pub(super) const fn is_ec(self) -> bool {
        match self {
            Self::Assertion | Self::Client(_) => true,
            Self::Audit | Self::Token | Self::Row | Self::Cookie | Self::Csrf | Self::Credential | Self::Factor => {
                false
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Assertion => f.write_str("assertion"),
            Self::Audit => f.write_str("audit"),
            Self::Token => f.write_str("token"),
            Self::Row => f.write_str("row"),
            Self::Cookie => f.write_str("cookie"),
            Self::Csrf => f.write_str("csrf"),
            Self::Credential => f.write_str("credential"),
            Self::Factor => f.write_str("factor"),
            Self::Client(directory) => write!(f, "client.{directory}"),
        }
    }
}
