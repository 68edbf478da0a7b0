//! Who administers: roles that were pinned to accounts (rule H3) and tokens of the admin API (rule M19).

use crate::kernel::values::{AccountId, ApiTokenId, EmailAddress, OrgName, SessionKey, Timestamp};

/// A change of who may administer.
#[derive(Clone, Debug)]
pub enum AdminChange {
    /// An invitation was taken up. Conflict when it was before: an invitation is taken up once.
    PinRole(RolePin),
    /// A new token. Conflict when its id or key is taken.
    CreateToken(ApiToken),
    /// A token ends; one that ended before is no conflict.
    EndToken(ApiTokenId),
    /// A token was used: newer times win, ended tokens are skipped.
    TokenUsed(ApiTokenId, Timestamp),
}

/// What somebody may do (behaviour, Roles).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Role {
    /// Everything.
    Operator,
    /// Everything of one organization.
    Admin,
    /// Reads everything, of one organization or of all, and changes nothing.
    Auditor,
    /// Sees the one line of an explanation, and nothing else.
    Support,
}

impl Role {
    /// All of them, strongest first.
    pub const ALL: [Self; 4] = [Self::Operator, Self::Admin, Self::Auditor, Self::Support];

    /// The stable name, in stores and events.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Auditor => "auditor",
            Self::Support => "support",
        }
    }

    /// Reads the stable name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.code() == code)
    }
}

/// An invitation that was taken up: from now on the account has the role, whatever its address becomes, and nobody else gets it by
/// that address (rule H3). It counts while the invitation stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RolePin {
    /// The role; unique with `org` and `email`.
    pub role: Role,
    /// The organization; none for roles over the whole installation.
    pub org: Option<OrgName>,
    /// The address that was invited.
    pub email: EmailAddress,
    /// Who took it up.
    pub account: AccountId,
    /// When.
    pub at: Timestamp,
    /// Over all of the above (rule H12).
    pub mac: [u8; 32],
}

/// A bearer token of the admin API. It is its owner's: what it may do is never more than the owner's role allows, and it dies with
/// the owner (rule M19).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ApiToken {
    /// Minted once; shown in lists and events.
    pub id: ApiTokenId,
    /// The keyed hash of its secret; unique (rule H12).
    pub key: SessionKey,
    /// Whose.
    pub owner: AccountId,
    /// What for, for people.
    pub label: String,
    /// What it may do, as `orgs:read`.
    pub scopes: Vec<String>,
    /// The one organization that it sees; none: all that its owner does.
    pub org: Option<OrgName>,
    /// Networks that it may be used from, as written; empty: any.
    pub networks: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; at most 90 days after it was made.
    pub expires_at: Timestamp,
    /// The last use, up to a minute late.
    pub last_used: Option<Timestamp>,
    /// Over all of the above but the last use (rule H12).
    pub mac: [u8; 32],
}
