//! What a provider gave us to ask it again about a login: a refresh token (RFC 6749 §1.5), kept beside the login session for as long as that lives.

use crate::kernel::values::{DirectoryId, LoginSessionId, Timestamp};

/// A provider's grant, by which it is asked whether a login still stands. It goes with its login session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProviderGrant {
    /// The login session that stands or falls with the answer.
    pub session: LoginSessionId,
    /// Whose provider is asked.
    pub directory: DirectoryId,
    /// The refresh token and whom it is about, sealed for this session and turn (rule H12).
    pub sealed: Vec<u8>,
    /// How many answers there were: whoever acts on another one than they read has lost.
    pub turn: u32,
    /// The provider is asked from this time on.
    pub due: Timestamp,
    /// When the provider last said that the login stands.
    pub good_at: Timestamp,
    /// Who asks at the moment; none: nobody.
    pub lease: Option<GrantLease>,
}

/// One process asks, and no other does until the lease is over: a refresh token that turns is used once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GrantLease {
    /// The process, by a name that it made at its start.
    pub by: [u8; 16],
    /// Until when it is alone.
    pub until: Timestamp,
}
