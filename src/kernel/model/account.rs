//! People, their records at products, and the external identities that may act for them.

use crate::kernel::values::{
    AccountId, DirectoryId, EmailAddress, EnterpriseName, OrgName, ProductAccountId, ProductName, Timestamp,
};
use std::time::Duration;

/// One person. Found by id or by a linked identity; an address is never its key (rules C1, §4 #3).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Account {
    /// Minted once.
    pub id: AccountId,
    /// Whether the person may act.
    pub status: AccountStatus,
    /// The live address, if one is known.
    pub email: Option<EmailAddress>,
    /// Whether that address was proved (by a directory with authority, or an explicit `email_verified: true`).
    pub email_verified: bool,
    /// When the address was last proved: an assertion by a provider with authority, or a mailbox proof (rule C6).
    pub email_proved_at: Option<Timestamp>,
    /// The name to show, at most 64 characters.
    pub name: Option<String>,
    /// Raised whenever everything older must die: deactivation, link, merge, reset (behaviour §3.6).
    pub epoch: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// The last login, for rule C6's "recent use".
    pub last_login_at: Option<Timestamp>,
}

/// Whether a person may act. Anything but `Active` ends every session within a second.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AccountStatus {
    /// May act.
    Active,
    /// Switched off by the organization, reversible.
    Deactivated,
    /// To be deleted at this time; as deactivated until then.
    PendingDelete(Timestamp),
    /// Put aside (B21): somebody who proved the address that it never proved began anew. It has no address, no password and no link.
    Quarantined,
    /// Gone for good. The row stays as a tombstone, so that a provider's assertion cannot bring the person back (rule H2).
    Deleted,
}

/// A deletion that waits for its day (behaviour §3.0). The account is [`AccountStatus::PendingDelete`] as long.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Deletion {
    /// Whose.
    pub account: AccountId,
    /// What the account was before: taking it back restores that, and no more.
    pub was: AccountStatus,
    /// The organization whose admin asked; none: the person. Who asked may take it back.
    pub org: Option<OrgName>,
    /// When it is gone for good.
    pub at: Timestamp,
}

impl Deletion {
    /// How long it may be taken back: 14 days.
    pub const GRACE: Duration = Duration::from_secs(14 * 86_400);
}

/// A person's user record at one product. Its `sub` is what the product knows the person by and never changes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProductAccount {
    /// Minted once.
    pub id: ProductAccountId,
    /// The product.
    pub product: ProductName,
    /// The person; unique with `product`.
    pub account: AccountId,
    /// The product's own user id; `fg_` and a ULID for people without an import (rule H19). Unique with `product`.
    pub sub: String,
    /// Where it stands in the migration.
    pub state: ProductAccountState,
    /// Switched off at this product only.
    pub off: bool,
    /// The product's enterprise that it belongs to. It says whether this product is open to it, and nothing else (row T37).
    pub enterprise: Option<EnterpriseName>,
    /// The enterprise that switched it off; none: the product itself, which stands above its enterprises.
    pub off_by: Option<EnterpriseName>,
    /// When that enterprise last asked its person to move to the one account.
    pub asked_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Where a product account stands (behaviour §3.0). Accounts made by a first login are born linked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProductAccountState {
    /// Still logs in with the product's password.
    Local,
    /// On the way, nothing committed yet.
    Migrating,
    /// Belongs to the one account; its product password is dead.
    Linked,
    /// Given up in favour of another product account.
    Merged(ProductAccountId),
    /// The person was deleted for good.
    Closed,
}

/// The attribute or claim that names the subject: for OIDC the claim's name (`sub`), for SAML the attribute or the NameID with
/// its format and qualifiers. Part of the key: a change opens a new name space (rule C1).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SubjectSource(pub String);

/// What an external identity is found by (rule C1): our own id of the directory, the source, the subject, and nothing else.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct IdentityKey {
    /// The connection that vouches.
    pub directory: DirectoryId,
    /// Where the subject was read from.
    pub source: SubjectSource,
    /// The subject, byte for byte.
    pub subject: String,
}

/// An external identity that may act for an account. Its key is unique; so is (account, directory).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LinkedIdentity {
    /// Who vouches for whom.
    pub key: IdentityKey,
    /// The person.
    pub account: AccountId,
    /// How the link came to be.
    pub by: LinkedBy,
    /// When.
    pub linked_at: Timestamp,
    /// Suspended links open nothing (rule C2: the account's manager changed).
    pub suspended: bool,
}

/// How a link came to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LinkedBy {
    /// The account was made by this identity's first login.
    FirstLogin,
    /// The directory had authority over the account's proved address (rule B20).
    Authority,
    /// The product knew the person by it before (T09).
    Import,
    /// The owner of the record proved both sides (rule B22).
    Owner,
    /// It took over from a link in another directory of the same organization (behaviour, Relink).
    Relink,
}
