//! Mail: what is written to people, queued with the fact that it tells of, and sent until it is too late.
//!
//! [`queue`] makes a [`Change`](crate::kernel::journal::Change) for the caller's own batch, so that a fact and its mail are durable
//! together. Codes and links are sealed in the row, and the row is what was queued or it is not sent (rule H12); bodies are
//! rendered when they are sent and are nowhere afterwards. [`Post`] sends: one node at a time by lease, again with growing
//! pauses for as long as the letter is good for anything, always with the same Message-ID.
//!
//! `letter` is what can be said, `templates` how it reads, `words` puts both together, `message` is the mail on the wire, `smtp` and
//! `files` bring it away, `post` is the course of things. Deliberately absent: attachments, images, lists, replies (nobody reads
//! them), and links to anywhere but the login host.
//!
//! # Adding a letter
//! A variant in `letter.rs`, its messages in `language/locales`, a template that names them and its line in `words.rs`, a row in the samples of `tests.rs`.

mod backoff;
mod files;
mod letter;
mod message;
mod post;
mod queue;
mod smtp;
mod tally;
mod words;

#[cfg(test)]
mod tests;

pub use files::Files;
pub use letter::{DomainTrouble, Factor, Letter, Proof, mask};
pub use message::Message;
pub use post::{Ports, Post, Setup};
pub use queue::{NotQueued, queue, queue_once};
pub use smtp::{NotAServer, Security, Smtp, SmtpOptions, is_this_machine};
pub use words::{BadTemplate, Words};

use async_trait::async_trait;
use std::path::PathBuf;

use crate::kernel::values::EmailAddress;

/// How mail goes out.
#[derive(Clone, Debug)]
pub struct MailOptions {
    /// The sender.
    pub from: EmailAddress,
    /// The way.
    pub way: Way,
}

/// The way that mail goes.
#[derive(Clone, Debug)]
pub enum Way {
    /// Files in this folder, for somebody to look at or to carry on.
    Files(PathBuf),
    /// A mail server.
    Smtp(SmtpOptions),
}

/// Brings one message away.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Returns when somebody else is responsible for it (RFC 5321 §4.2.5), or it is on the disk.
    ///
    /// # Errors
    /// [`Undelivered`] says whether trying again makes sense.
    async fn send(&self, message: &Message) -> Result<(), Undelivered>;
}

/// Why a message was not taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Undelivered {
    /// Nobody there, too busy, the wrong password: it may go better later.
    #[error("{0}")]
    Later(String),
    /// The server refused this message or this recipient for good.
    #[error("{0}")]
    Never(String),
}
