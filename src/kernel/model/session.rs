//! Sessions: the login session on the login host and its children at products (HANDOVER).

use super::{Grant, Personal};
use crate::kernel::values::{
    AccountId, Device, DirectoryId, LoginSessionId, Origin, ProductAccountId, ProductName, ProductSessionId,
    SessionKey, Timestamp,
};

/// How a person was proved. Who adds one adds it here and meets every rule by exhaustive match (rule H21).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Method {
    /// The organization's own directory.
    OrgSso,
    /// The account that people have everywhere.
    Issuer,
    /// A third party such as Google.
    ThirdParty,
    /// A product's local password, kept here.
    Password,
    /// A passkey kept here, its person verified by the authenticator.
    Passkey,
    /// A mailbox proof that set a new local password.
    Reset,
    /// A recovery code.
    Recovery,
    /// A product's local password, checked by the product.
    Adapter,
    /// Break-glass: `/login/emergency`.
    Emergency,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::OrgSso,
        Self::Issuer,
        Self::ThirdParty,
        Self::Password,
        Self::Passkey,
        Self::Reset,
        Self::Recovery,
        Self::Adapter,
        Self::Emergency,
    ];

    /// The stable name in events, metrics and rows.
    pub const fn code(self) -> &'static str {
        match self {
            Self::OrgSso => "org_sso",
            Self::Issuer => "issuer",
            Self::ThirdParty => "third_party",
            Self::Password => "password",
            Self::Passkey => "passkey",
            Self::Reset => "reset",
            Self::Recovery => "recovery",
            Self::Adapter => "adapter",
            Self::Emergency => "emergency",
        }
    }

    /// Reads [`Self::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.code() == code)
    }

    /// LOCAL of rule H21: proofs of credentials that are kept here or at the product. They name an account directly.
    pub const fn is_local(self) -> bool {
        match self {
            Self::Password | Self::Passkey | Self::Reset | Self::Recovery | Self::Adapter => true,
            Self::OrgSso | Self::Issuer | Self::ThirdParty | Self::Emergency => false,
        }
    }

    /// Whether the proof came from a provider: it names an identity, and a link names the account.
    pub const fn is_by_provider(self) -> bool {
        match self {
            Self::OrgSso | Self::Issuer | Self::ThirdParty => true,
            Self::Password | Self::Passkey | Self::Reset | Self::Recovery | Self::Adapter | Self::Emergency => false,
        }
    }
}

/// A person's session on the login host. Products get children of it; when it ends they end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LoginSession {
    /// Minted at login; never reused.
    pub id: LoginSessionId,
    /// What the cookie's token hashes to.
    pub key: SessionKey,
    /// Who.
    pub account: AccountId,
    /// The directory that proved the person.
    pub directory: DirectoryId,
    /// How.
    pub method: Method,
    /// Authentication methods that the provider stated.
    pub amr: Vec<String>,
    /// Groups that the provider stated.
    pub groups: Vec<String>,
    /// When the provider says the person authenticated.
    pub auth_time: Timestamp,
    /// Digest of the login host's browser cookie: "sign out everywhere" ends all login sessions of this person in this browser,
    /// also those that racing tabs made beside each other. Covered by the MAC.
    pub browser: [u8; 16],
    /// The provider's own session (`sid`), for logout by the provider.
    pub provider_session: Option<String>,
    /// What tells the provider whom to log out, sealed: the id_token, or the NameID and SessionIndex of SAML.
    pub logout_hint: Option<Vec<u8>>,
    /// Keyed digest of the SAML NameID, by which the provider's own logout finds the session inside its directory.
    pub name_key: Option<[u8; 32]>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Last activity in it or in any child; written lossily.
    pub last_seen: Timestamp,
    /// Ends without activity for this long after `last_seen`, in milliseconds.
    pub idle_millis: u64,
    /// Ends at this time whatever happens.
    pub abs_at: Timestamp,
    /// The account's epoch at login; another epoch ends it.
    pub account_epoch: u32,
    /// Products that ask before they are re-entered, because the person logged out of them (HANDOVER 6).
    pub ask_before: Vec<ProductName>,
    /// The one product that it is good for: a password typed at a product's door makes no login session for the browser. Its
    /// cookie is never set; it stands for no other login.
    pub confined_to: Option<ProductName>,
    /// When the person took our own second step in it; none if they did not.
    pub stepped_at: Option<Timestamp>,
    /// What its browser called itself, for its owner to recognize; none for a session of an earlier build. Decides nothing, and the MAC
    /// does not cover it.
    pub device: Option<Device>,
    /// The session is an app's (rule H16); none: a browser's.
    pub grant: Option<Box<Grant>>,
    /// The session is a personal token's; none: a browser's or an app's.
    pub personal: Option<Box<Personal>>,
    /// MAC over account, directory, auth_time, limits, confinement, grant, personal token and epoch under a key outside the store (rule H12).
    pub mac: [u8; 32],
}

/// A person's session at one product host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProductSession {
    /// The `sid` of assertions.
    pub id: ProductSessionId,
    /// What the cookie's token hashes to.
    pub key: SessionKey,
    /// The login session it lives by.
    pub parent: LoginSessionId,
    /// Where.
    pub product: ProductName,
    /// On which of the product's hosts; its cookie is good nowhere else.
    pub host: Origin,
    /// Who.
    pub account: AccountId,
    /// The record at the product.
    pub product_account: ProductAccountId,
    /// When it was made.
    pub created_at: Timestamp,
    /// Last request of the person in it; written lossily.
    pub last_seen: Timestamp,
    /// Ends without activity for this long after `last_seen`, in milliseconds.
    pub idle_millis: u64,
    /// Never after the parent's.
    pub abs_at: Timestamp,
    /// As the parent's.
    pub account_epoch: u32,
    /// MAC over parent, product, host, account, limits and epoch (rule H12).
    pub mac: [u8; 32],
}
