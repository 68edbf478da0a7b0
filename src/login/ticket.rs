//! What a login under way is made of, sealed into browsers: nothing is written to the store before a reply came back.
//!
//! - [`Target`]: which product and which browser of it a login is for (a hidden form field, opaque to people).
//! - [`Pending`]: one departure for a provider, in a cookie of the login host (rule H10: at most 400 bytes, ten minutes).
//! - [`Flow`]: the product host's half of the handover, in a cookie of the product host (HANDOVER 1).
//! - [`Code`]: the one-time code between the two (HANDOVER 3).

use super::codec::{Reader, Writer};
use crate::kernel::oidc::Seed;
use crate::kernel::values::{AccountId, DirectoryId, LoginSessionId, Origin, ProductAccountId, ProductName, Timestamp};
use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::time::Duration;

/// How long a departure may take: ten minutes (behaviour §3.0).
pub(super) const PENDING_LIFE: Duration = Duration::from_secs(600);
/// How old a provider's own login may be after we asked for a fresh one (behaviour §3.3: ten minutes).
pub const FRESH_PROOF: Duration = Duration::from_secs(600);
/// How long a person may look at our forms.
pub(super) const TARGET_LIFE: Duration = Duration::from_secs(1800);
/// How long a handover code lives (HANDOVER 3).
pub(super) const CODE_LIFE: Duration = Duration::from_secs(60);
/// How long a product host remembers that it sent somebody to log in.
pub(super) const FLOW_LIFE: Duration = Duration::from_secs(3600);
/// Logins under way that one browser may have on one host; the oldest is expired (rule H10).
pub(super) const AT_MOST: usize = 8;

/// SHA-256.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

/// The first eight hex digits of a digest: enough to tell a browser's few cookies apart.
pub(super) fn tag(digest: &[u8; 32]) -> String {
    digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// Where a login leads: a product, the host of it, and the browser that began there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// The product.
    pub product: ProductName,
    /// One of its hosts.
    pub host: Origin,
    /// SHA-256 of the secret in the product host's flow cookie.
    pub challenge: [u8; 32],
    /// How often this way was restarted; two is a loop.
    pub again: u8,
}

impl Target {
    /// The path of the login host that leads there.
    pub(super) fn path(&self) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("product", self.product.as_str())
            .append_pair("host", &self.host.to_string())
            .append_pair("c", &URL_SAFE_NO_PAD.encode(self.challenge))
            .append_pair("again", &self.again.to_string())
            .finish();
        format!("/login/to?{query}")
    }

    pub(super) fn write(&self, writer: Writer) -> Writer {
        writer.text(self.product.as_str()).text(&self.host.to_string()).raw(&self.challenge).byte(self.again)
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            product: ProductName::parse(reader.text()?).ok()?,
            host: Origin::parse(reader.text()?).ok()?,
            challenge: reader.raw()?,
            again: reader.byte()?,
        })
    }
}

pub(super) fn write_target(writer: Writer, target: Option<&Target>) -> Writer {
    match target {
        None => writer.byte(0),
        Some(target) => target.write(writer.byte(1)),
    }
}

pub(super) fn read_target(reader: &mut Reader<'_>) -> Option<Option<Target>> {
    match reader.byte()? {
        0 => Some(None),
        1 => Target::read(reader).map(Some),
        _ => None,
    }
}

/// A [`Target`] (or none: the person came to the login host itself) with the time it was made, for a form's hidden field.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Aim {
    pub target: Option<Target>,
    pub made_at: Timestamp,
}

impl Aim {
    pub(super) fn encode(&self) -> Vec<u8> {
        write_target(Writer::default().time(self.made_at), self.target.as_ref()).done()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let made_at = reader.time()?;
        let target = read_target(&mut reader)?;
        reader.ended()?;
        Some(Self { target, made_at })
    }
}

/// A departure for a provider.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Pending {
    /// Where the person was sent; the reply must come to this directory's own path (rule C5).
    pub directory: DirectoryId,
    /// What nonce and PKCE verifier are derived from.
    pub seed: [u8; 32],
    /// When.
    pub left_at: Timestamp,
    /// How old the provider's own login may be, in seconds; `u32::MAX` when any age will do (rule M6).
    pub max_age: u32,
    /// What made the connection then, for SAML (rule M4); zeros for others.
    pub binding: [u8; 16],
    /// What it is for, where it is for more than a login.
    pub errand: Errand,
    /// Where the login leads.
    pub target: Option<Target>,
}

/// What a login is for besides the login: it asks for the second step that is enrolled, whatever the policy says (rule H1).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Errand {
    /// Nothing else.
    #[default]
    None,
    /// Two accounts are to be merged.
    Merge,
    /// The person's own second steps are to be changed: the login ends at their page.
    Steps,
    /// An API token is to be made: the login ends at their page.
    Tokens,
    /// The console is to be entered: the login ends there.
    Console,
    /// This record is to move: its owner left its product's door for the provider, whose address may be one that it never had (T22).
    Move(ProductAccountId),
}

/// The binding of a directory that has none.
const NONE: [u8; 16] = [0; 16];

impl Errand {
    pub(super) fn write(self, writer: Writer) -> Writer {
        match self {
            Self::None => writer.byte(0),
            Self::Merge => writer.byte(1),
            Self::Steps => writer.byte(2),
            Self::Tokens => writer.byte(4),
            Self::Console => writer.byte(5),
            Self::Move(record) => writer.byte(3).raw(&record.to_bytes()),
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        match reader.byte()? {
            0 => Some(Self::None),
            1 => Some(Self::Merge),
            2 => Some(Self::Steps),
            4 => Some(Self::Tokens),
            5 => Some(Self::Console),
            3 => Some(Self::Move(ProductAccountId::from_bytes(reader.raw()?))),
            _ => None,
        }
    }

    /// The page on the login host at which the login ends, whatever it led to.
    pub(super) fn ends_at(self) -> Option<&'static str> {
        match self {
            Self::Steps => Some(super::stepping::OWN_STEPS),
            Self::Tokens => Some(super::account::OWN_TOKENS),
            Self::Console => Some(super::CONSOLE),
            Self::None | Self::Merge | Self::Move(_) => None,
        }
    }

    /// Whether an enrolled second step is asked for by the login itself. Where a record moves, its owner's is asked for beside it.
    pub(super) fn demands_step(self) -> bool {
        matches!(self, Self::Merge | Self::Steps | Self::Tokens | Self::Console)
    }
}

impl Pending {
    /// What state, nonce and verifier come from.
    pub(super) fn seed(&self) -> Seed {
        Seed::new(self.seed)
    }

    /// How fresh the provider's login must be, where that was asked for.
    pub(super) fn fresh(&self) -> Option<Duration> {
        (self.max_age != u32::MAX).then(|| Duration::from_secs(u64::from(self.max_age)))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let writer = Writer::default().raw(&self.directory.to_bytes()).raw(&self.seed);
        let writer = writer.time(self.left_at).number(self.max_age);
        // Only SAML directories have a binding, and only the issuer, which is none, has a record: a cookie holds one of the two.
        let writer = match self.binding {
            NONE => writer.byte(0),
            binding => writer.byte(1).raw(&binding),
        };
        write_target(self.errand.write(writer), self.target.as_ref()).done()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let directory = DirectoryId::from_bytes(reader.raw()?);
        let (seed, left_at, max_age) = (reader.raw()?, reader.time()?, reader.number()?);
        let binding = match reader.byte()? {
            0 => NONE,
            1 => reader.raw()?,
            _ => return None,
        };
        let errand = Errand::read(&mut reader)?;
        let target = read_target(&mut reader)?;
        reader.ended()?;
        Some(Self { directory, seed, left_at, max_age, binding, errand, target })
    }
}

/// The product host's half of a handover.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Flow {
    /// The secret whose digest travelled to the login host.
    pub secret: [u8; 32],
    /// Path and query to go back to, on this host only.
    pub return_to: String,
    /// When.
    pub made_at: Timestamp,
}

impl Flow {
    pub(super) fn encode(&self) -> Vec<u8> {
        Writer::default().raw(&self.secret).time(self.made_at).text(&self.return_to).done()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let (secret, made_at) = (reader.raw()?, reader.time()?);
        let return_to = reader.text()?.to_owned();
        reader.ended()?;
        Some(Self { secret, return_to, made_at })
    }

    /// What the login host gets to see of it.
    pub(super) fn challenge(&self) -> [u8; 32] {
        sha256(&self.secret)
    }
}

/// The one-time code from the login host to a product host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Code {
    pub jti: [u8; 16],
    pub target: Target,
    pub session: LoginSessionId,
    pub account: AccountId,
    pub product_account: ProductAccountId,
    pub epoch: u32,
    pub made_at: Timestamp,
    /// Idle limit of the product session in seconds, as decided for this product.
    pub idle_seconds: u32,
    /// Latest end of the product session, as decided for this product.
    pub abs_at: Timestamp,
}

impl Code {
    pub(super) fn encode(&self) -> Vec<u8> {
        let writer = Writer::default().raw(&self.jti).raw(&self.session.to_bytes()).raw(&self.account.to_bytes());
        let writer = writer.raw(&self.product_account.to_bytes()).number(self.epoch).time(self.made_at);
        self.target.write(writer.number(self.idle_seconds).time(self.abs_at)).done()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let jti = reader.raw()?;
        let session = LoginSessionId::from_bytes(reader.raw()?);
        let account = AccountId::from_bytes(reader.raw()?);
        let product_account = ProductAccountId::from_bytes(reader.raw()?);
        let (epoch, made_at) = (reader.number()?, reader.time()?);
        let (idle_seconds, abs_at) = (reader.number()?, reader.time()?);
        let target = Target::read(&mut reader)?;
        reader.ended()?;
        Some(Self { jti, target, session, account, product_account, epoch, made_at, idle_seconds, abs_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target {
            product: ProductName::parse(&"p".repeat(40)).unwrap(),
            host: Origin::parse("a-rather-long-name-of-a-product.example.com:8443").unwrap(),
            challenge: [3; 32],
            again: 1,
        }
    }

    #[test]
    fn a_departure_fits_its_cookie_and_reads_back() {
        let id = DirectoryId::from_bytes([9; 16]);
        let at = Timestamp::from_millis(1_000);
        let moves = Errand::Move(ProductAccountId::from_bytes([5; 16]));
        for (binding, errand) in [([2; 16], Errand::Steps), (NONE, moves)] {
            let seed = [1; 32];
            let target = Some(target());
            let pending = Pending { directory: id, seed, left_at: at, max_age: 300, errand, binding, target };
            let bytes = pending.encode();
            // Sealing adds 29 bytes (generation, nonce, tag) and base64 a third; the cookie may have 400 (rule H10).
            assert!((bytes.len() + 29).div_ceil(3) * 4 <= 330, "{errand:?}: {}", bytes.len());
            assert_eq!(Pending::decode(&bytes), Some(pending));
            assert_eq!(Pending::decode(&bytes[..bytes.len() - 1]), None);
        }
    }

    #[test]
    fn every_ticket_reads_back_whole_or_not_at_all() {
        let at = Timestamp::from_millis(5);
        let flow = Flow { secret: [4; 32], return_to: "/b/1?x=y".into(), made_at: at };
        assert_eq!(Flow::decode(&flow.encode()), Some(flow.clone()));
        assert_eq!(Flow::decode(&[flow.encode(), vec![0]].concat()), None);
        let aim = Aim { target: None, made_at: at };
        assert_eq!(Aim::decode(&aim.encode()), Some(aim));
        let code = Code {
            jti: [1; 16],
            target: target(),
            session: LoginSessionId::from_bytes([2; 16]),
            account: AccountId::from_bytes([3; 16]),
            product_account: ProductAccountId::from_bytes([4; 16]),
            epoch: 7,
            made_at: at,
            idle_seconds: 60,
            abs_at: at,
        };
        assert_eq!(Code::decode(&code.encode()), Some(code));
    }
}
