//! What people prove to us themselves: their passwords at products, their second steps, proofs of a mailbox that are under way,
//! and the addresses of product accounts.

use crate::kernel::local::StoredPassword;
use crate::kernel::values::{
    AccountId, EmailAddress, FactorId, MailboxProofId, ProductAccountId, ProductName, Timestamp,
};

/// The password of one product account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PasswordCredential {
    /// Whose; unique.
    pub product_account: ProductAccountId,
    /// At rest.
    pub stored: StoredPassword,
    /// Counts up with each change, from 1.
    pub generation: u32,
    /// When the person or an import set it; a new wrap of the same password keeps it.
    pub set_at: Timestamp,
    /// MAC over all of it: who can write to the store still cannot plant a password (rule H12).
    pub mac: [u8; 32],
}

/// What kind of second step.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum FactorKind {
    /// One-time codes by time.
    Totp,
    /// A WebAuthn credential.
    Passkey,
    /// A WebAuthn credential for the emergency door alone (rule H3): a second step nowhere, and no passkey of any other door is one.
    Emergency,
}

impl FactorKind {
    /// The stable name in rows, events and `amr` context.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Passkey => "passkey",
            Self::Emergency => "emergency",
        }
    }

    /// Whether it is a second step of a login.
    pub const fn is_second_step(self) -> bool {
        match self {
            Self::Totp | Self::Passkey => true,
            Self::Emergency => false,
        }
    }

    /// Reads [`Self::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Totp, Self::Passkey, Self::Emergency].into_iter().find(|kind| kind.code() == code)
    }
}

/// A second step that a person enrolled. It was proved once before it got a row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Factor {
    /// Minted once.
    pub id: FactorId,
    /// Whose.
    pub account: AccountId,
    /// Which kind.
    pub kind: FactorKind,
    /// What its owner calls it, at most 64 characters.
    pub label: String,
    /// TOTP: the sealed seed. Passkey: the public key.
    pub secret: Vec<u8>,
    /// Passkey: the credential's id; unique.
    pub handle: Option<Vec<u8>>,
    /// TOTP: the last step that was used. Passkey: the authenticator's signature counter. Only rises.
    pub counter: i64,
    /// When it was enrolled.
    pub created_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
    /// MAC over all but `label`, `counter` and `last_used_at` (rule H12).
    pub mac: [u8; 32],
}

/// What a mailbox is proved for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum MailboxPurpose {
    /// A new password.
    Reset,
    /// An address that a record shall have when it moves (rows T16, T19).
    Address,
    /// That a record is theirs, beside a provider's proof (B22).
    Owner,
    /// The first second step, where a policy requires one and none is enrolled (rule H1).
    Enrol,
}

impl MailboxPurpose {
    /// The stable name in rows and events.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Address => "address",
            Self::Owner => "owner",
            Self::Enrol => "enrol",
        }
    }

    /// Reads [`Self::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Reset, Self::Address, Self::Owner, Self::Enrol].into_iter().find(|purpose| purpose.code() == code)
    }
}

/// A proof of a mailbox that is under way (rule H1): one mail with a code for the page that waits and a link, good once, in the
/// browser that began it. A stranger's address gets a row as well, with no account, so that nothing tells it apart (rule H18).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MailboxProof {
    /// Minted once.
    pub id: MailboxProofId,
    /// What for.
    pub purpose: MailboxPurpose,
    /// At whose door it began.
    pub product: ProductName,
    /// Whose record there; none for a stranger's address.
    pub product_account: Option<ProductAccountId>,
    /// The address that was typed. Mail goes to the stored one.
    pub email: EmailAddress,
    /// Keyed hash of the eight digits.
    pub code: [u8; 32],
    /// Keyed hash of the link's token; unique.
    pub link: [u8; 32],
    /// Digest of the cookie of the browser that began it.
    pub browser: [u8; 16],
    /// The account's epoch at its beginning: a change in between ends it (§4 #17). 0 without an account.
    pub account_epoch: u32,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// Codes that may still be tried.
    pub tries_left: u32,
    /// MAC over all but `tries_left` (rule H12).
    pub mac: [u8; 32],
}

/// An address of a product account. Until an account has one address it may have several (rule C3).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Address {
    /// Whose; unique with `email`.
    pub product_account: ProductAccountId,
    /// The address. One product has it once.
    pub email: EmailAddress,
    /// Whether it was ever proved.
    pub verified: bool,
    /// When, if that is known.
    pub verified_at: Option<Timestamp>,
    /// The one that the product writes to.
    pub primary: bool,
    /// When the account got it.
    pub added_at: Timestamp,
    /// When somebody last logged in with it.
    pub last_login_at: Option<Timestamp>,
}
