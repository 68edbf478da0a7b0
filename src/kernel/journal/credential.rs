//! Changes of people's own credentials.

use crate::kernel::model::{Address, Factor, MailboxProof, PasswordCredential};
use crate::kernel::values::{AccountId, EmailAddress, FactorId, MailboxProofId, ProductAccountId, Timestamp};

/// One change of a credential. What another batch was faster with is `Conflict::Credential`.
#[derive(Clone, Debug)]
pub enum CredentialChange {
    /// A password: generation 1 where there is none, else the one after the stored one.
    SetPassword(PasswordCredential),
    /// Takes a password away, if there is one.
    DropPassword(ProductAccountId),
    /// A new second step.
    AddFactor(Factor),
    /// Takes a person's second step away.
    DropFactor(AccountId, FactorId),
    /// Gives a person's second step another name, legible and at most 64 characters.
    NameFactor(AccountId, FactorId, String),
    /// A second step was used: its counter rises, or this is a replay.
    UseFactor {
        /// Which.
        id: FactorId,
        /// Its new counter, above the stored one; or 0 for a passkey whose counter has always been 0.
        counter: i64,
        /// When.
        at: Timestamp,
    },
    /// New recovery codes in place of all older ones, as keyed hashes.
    PutRecoveryCodes(AccountId, Vec<[u8; 32]>),
    /// Uses a recovery code up.
    UseRecoveryCode(AccountId, [u8; 32]),
    /// A proof of a mailbox begins.
    BeginMailboxProof(MailboxProof),
    /// Takes one try of a proof that is not over.
    TryMailboxProof(MailboxProofId),
    /// Ends a proof: its one use, or "this was not me".
    EndMailboxProof(MailboxProofId),
    /// Ends whatever proofs of a record are under way (§4 #17).
    EndMailboxProofsOf(ProductAccountId),
    /// A new address of a product account, or new facts about one.
    PutAddress(Address),
    /// Takes an address away.
    DropAddress(ProductAccountId, EmailAddress),
    /// Counts an attempt in a bucket, which empties at `until`.
    CountAttempt {
        /// Keyed hash of what is counted.
        bucket: [u8; 32],
        /// When a bucket that begins now ends.
        until: Timestamp,
    },
}
