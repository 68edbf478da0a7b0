//! What the move of a record to the one account leaves behind: addresses that were given up, and how far a move has come.

use super::{IdentityKey, ProductAccountState};
use crate::kernel::values::{EmailAddress, MigrationId, ProductAccountId, ProductName, Timestamp};

/// An address that a record gave up when it was reduced to one (rows T15 to T18). It stays, so that its owner can be told where the
/// account went; it identifies nobody and logs nobody in (§4 #16). A live address of the same spelling shadows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RemovedAlias {
    /// The product; unique with `email`.
    pub product: ProductName,
    /// The address.
    pub email: EmailAddress,
    /// The record that had it.
    pub product_account: ProductAccountId,
    /// Whether it had been proved. What was not may have been anybody's: nothing is ever sent there (§4 #15).
    pub verified_when_removed: bool,
    /// When it was given up.
    pub removed_at: Timestamp,
    /// MAC over all of it: who can write to the store sends no news about an account to himself (rule H12).
    pub mac: [u8; 32],
}

/// Why a record is moved (behaviour §3.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trigger {
    /// The person chose it in the product.
    Banner,
    /// The person was asked to after a login.
    Prompt,
    /// A login by a third party or the issuer whose word is enough.
    ThirdParty,
    /// A login by the organization's own directory.
    OrgSso,
    /// The product's deadline has passed.
    Deadline,
    /// The record is given up in favour of the person's other one (rows L10, L11).
    Merge,
    /// Nothing moves: the record was put aside (B21), and its product hears of that.
    Quarantine,
}

impl Trigger {
    /// All of them.
    const ALL: [Self; 7] =
        [Self::Banner, Self::Prompt, Self::ThirdParty, Self::OrgSso, Self::Deadline, Self::Merge, Self::Quarantine];

    /// The stable name in rows and events.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Banner => "banner",
            Self::Prompt => "prompt",
            Self::ThirdParty => "third_party",
            Self::OrgSso => "org_sso",
            Self::Deadline => "deadline",
            Self::Merge => "merge",
            Self::Quarantine => "quarantine",
        }
    }

    /// Reads [`Self::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trigger| trigger.code() == code)
    }
}

/// How far a move has come. After `Intent` it only goes forward.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum MigrationStep {
    /// Both sides are proved, nothing is committed: may be taken back.
    Intent,
    /// Committed. The product is to be told that the password is dead.
    SetAuthMode,
    /// The product is to end its own sessions and tokens.
    RevokeSessions,
    /// A merge: the product is to be told whose record this one is now.
    Merge,
    /// A move: the product is to be told name and address.
    SetProfile,
    /// Nothing is left to do.
    Done,
}

impl MigrationStep {
    /// All of them, in order.
    pub const ALL: [Self; 6] =
        [Self::Intent, Self::SetAuthMode, Self::RevokeSessions, Self::Merge, Self::SetProfile, Self::Done];

    /// The stable name in rows, idempotency keys and events.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::SetAuthMode => "set_auth_mode",
            Self::RevokeSessions => "revoke_sessions",
            Self::Merge => "merge",
            Self::SetProfile => "set_profile",
            Self::Done => "done",
        }
    }

    /// Reads [`Self::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.code() == code)
    }

    /// The one after it in a journal that was begun for this reason; none after the last. A move tells of the profile, a merge of
    /// the survivor.
    pub fn next(self, why: Trigger) -> Option<Self> {
        let foreign = if why == Trigger::Merge { Self::SetProfile } else { Self::Merge };
        Self::ALL.into_iter().find(|step| *step > self && *step != foreign)
    }
}

/// The journal of one record's move or merge (behaviour §3.3). A record has one at most, and an identity moves one record of a product;
/// it may merge others into that one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Migration {
    /// Minted once; the head of the product's idempotency keys.
    pub id: MigrationId,
    /// The product.
    pub product: ProductName,
    /// The record; unique.
    pub product_account: ProductAccountId,
    /// Why.
    pub trigger: Trigger,
    /// The identity that it moves to, or that the survivor was opened by; unique with `product` among moves.
    pub target: IdentityKey,
    /// How far it has come.
    pub step: MigrationStep,
    /// When both sides were proved.
    pub begun_at: Timestamp,
    /// When it was committed.
    pub committed_at: Option<Timestamp>,
    /// `Intent`: taken back then. Later: the step is not tried before. Moved on by each attempt, and so the lease of whoever tries.
    pub due_at: Timestamp,
    /// Attempts at the step. With `step` it is what a change must have read.
    pub attempts: u32,
    /// What went wrong last, for operators.
    pub fault: Option<String>,
}

/// How many records of a product stand where.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MigrationProgress {
    /// By state.
    pub states: Vec<(ProductAccountState, u64)>,
    /// Committed moves that the product does not know of whole.
    pub waiting: u64,
    /// When the oldest of those was committed.
    pub oldest: Option<Timestamp>,
}
