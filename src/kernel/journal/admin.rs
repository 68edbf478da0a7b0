//! Who administers: roles that were pinned to accounts (rule H3) and tokens of the admin API (rule M19).

use crate::kernel::values::{
    AccountId, ApiTokenId, EmailAddress, EnterpriseName, NotAName, OrgName, ProductName, SessionKey, Timestamp,
};

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
    /// A product's own enterprise: reads its members and says which of them may enter that product (row T37). Has no power over an
    /// account, an organization or another product.
    Enterprise,
}

impl Role {
    /// All of them, strongest first.
    pub const ALL: [Self; 5] = [Self::Operator, Self::Admin, Self::Auditor, Self::Support, Self::Enterprise];

    /// The stable name, in stores and events.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Auditor => "auditor",
            Self::Support => "support",
            Self::Enterprise => "enterprise",
        }
    }

    /// Reads the stable name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.code() == code)
    }
}

/// How far a role or a token reaches.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Reach {
    /// The whole installation.
    Everywhere,
    /// One organization.
    Org(OrgName),
    /// One enterprise of one product.
    Enterprise(ProductName, EnterpriseName),
}

impl Reach {
    /// As it is stored: nothing, `acme`, or `trello/bigco`. No name has a slash, so that none reads as the other.
    pub fn code(&self) -> Option<String> {
        match self {
            Self::Everywhere => None,
            Self::Org(org) => Some(org.to_string()),
            Self::Enterprise(product, enterprise) => Some(format!("{product}/{enterprise}")),
        }
    }

    /// Reads what [`Self::code`] wrote.
    ///
    /// # Errors
    /// [`NotAName`].
    pub fn from_code(code: Option<&str>) -> Result<Self, NotAName> {
        Ok(match code.map(|text| (text, text.split_once('/'))) {
            None => Self::Everywhere,
            Some((org, None)) => Self::Org(OrgName::parse(org)?),
            Some((_, Some((product, enterprise)))) => {
                Self::Enterprise(ProductName::parse(product)?, EnterpriseName::parse(enterprise)?)
            }
        })
    }

    /// Whether all of the other lies within it.
    pub fn covers(&self, other: &Self) -> bool {
        *self == Self::Everywhere || self == other
    }

    /// The organization, where it is one.
    pub fn org(&self) -> Option<&OrgName> {
        match self {
            Self::Org(org) => Some(org),
            Self::Everywhere | Self::Enterprise(..) => None,
        }
    }
}

/// An invitation that was taken up: from now on the account has the role, whatever its address becomes, and nobody else gets it by
/// that address (rule H3). It counts while the invitation stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RolePin {
    /// The role; unique with `reach` and `email`.
    pub role: Role,
    /// Over what.
    pub reach: Reach,
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
    /// What it sees at most, of what its owner does.
    pub reach: Reach,
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
