//! Mail that waits to be sent: what of it is stored, and what a commit may do with it.
//!
//! A letter is queued in the batch of the fact that it tells of, so that both are durable or neither is. Stored are the kind, the
//! recipient and what is not secret; codes and links are sealed (rule H12), and no body is ever at rest. How a letter reads and
//! how it is sent is the room `mail`'s.

use crate::kernel::values::{AccountId, EmailAddress, Language, MailId, Timestamp};
use std::time::Duration;

/// A letter that waits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OutboxRow {
    /// Also its Message-ID: sent twice, it is recognized.
    pub id: MailId,
    /// The stable name of what it says.
    pub kind: String,
    /// Whom it goes to: an address that is stored, never one that was typed.
    pub to: EmailAddress,
    /// What it says, as JSON, without secrets.
    pub parameters: String,
    /// Codes and links, sealed. It also authenticates the rest of the row: a letter that somebody wrote into the database, or
    /// turned to another recipient, does not open and is not sent.
    pub sealed: Vec<u8>,
    /// When the fact was.
    pub created_at: Timestamp,
    /// Not sent after this: a code has died, the news is old.
    pub until: Timestamp,
    /// Not sent before this; moved on by each attempt.
    pub due_at: Timestamp,
    /// Attempts begun. With the id it is the lease: who raises it may send.
    pub attempts: u32,
}

/// At most so many letters under a key within a span; over it letters are dropped and counted (rule M13).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MailLimit {
    /// What is counted: a recipient, an account, with or without the kind.
    pub key: String,
    /// The span that is looked back over. At most [`MailLimit::LONGEST`].
    pub span: Duration,
    /// Letters in it.
    pub most: u32,
}

impl MailLimit {
    /// What was sent is remembered so long.
    pub const LONGEST: Duration = Duration::from_secs(8 * 86_400);
}

/// What a commit may do with letters.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MailChange {
    /// Queues letters of one occasion. What a limit holds back is counted and not queued, and the batch goes on.
    Queue {
        /// Each with the limits of its recipient.
        letters: Vec<(OutboxRow, Vec<MailLimit>)>,
        /// Limits of the occasion, such as an account's: all letters or none, counted once.
        limits: Vec<MailLimit>,
    },
    /// The language that a person last logged in with: letters to their addresses are written in it.
    Speaks {
        /// Who.
        account: AccountId,
        /// What they speak.
        language: Language,
    },
    /// Begins an attempt: for `until` nobody else tries. Conflict when somebody else began one since the row was read.
    Lease {
        /// The letter.
        id: MailId,
        /// Attempts as read.
        attempts: u32,
        /// When others may try again.
        until: Timestamp,
    },
    /// An attempt failed: the next one is not before `due_at`.
    Retry {
        /// The letter.
        id: MailId,
        /// Attempts, this one included.
        attempts: u32,
        /// When.
        due_at: Timestamp,
        /// What went wrong, for operators.
        fault: String,
    },
    /// It was sent: nothing of it stays.
    Sent {
        /// The letter.
        id: MailId,
    },
    /// It will never be sent: what it said goes, that it was there stays for a while.
    Bury {
        /// The letter.
        id: MailId,
        /// When.
        at: Timestamp,
        /// Why.
        fault: String,
    },
}

/// A letter that was not sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeadLetter {
    /// Its id.
    pub id: MailId,
    /// What it would have said.
    pub kind: String,
    /// To whom.
    pub to: EmailAddress,
    /// Since when it is dead.
    pub dead_at: Timestamp,
    /// Why.
    pub fault: String,
}

/// How much mail there is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OutboxCount {
    /// Waits to be sent.
    pub waiting: u64,
    /// When the oldest waiting letter was queued.
    pub oldest: Option<Timestamp>,
    /// Was not sent, and never will be.
    pub dead: u64,
    /// Letters that a limit held back, ever.
    pub dropped: u64,
}
