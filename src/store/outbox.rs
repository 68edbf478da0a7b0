//! What is read of the mail that waits. It is written by [`MailChange`](crate::kernel::journal::mail::MailChange) in a batch.

use super::Unavailable;
use crate::kernel::journal::mail::{DeadLetter, OutboxCount, OutboxRow};
use crate::kernel::values::{EmailAddress, Language, Timestamp};
use async_trait::async_trait;

/// The outbox.
#[async_trait]
pub trait Outbox {
    /// Letters that may be tried at `now`, the longest waiting first, at most `limit`.
    async fn mail_due(&self, now: Timestamp, limit: usize) -> Result<Vec<OutboxRow>, Unavailable>;

    /// The language of whoever has this address; none where it is nobody's, or they never said.
    async fn mail_language(&self, recipient: &EmailAddress) -> Result<Option<Language>, Unavailable>;

    /// Letters that were not sent, the newest first, at most `limit`. They are forgotten after 30 days.
    async fn mail_dead(&self, limit: usize) -> Result<Vec<DeadLetter>, Unavailable>;

    /// How much there is.
    async fn mail_count(&self) -> Result<OutboxCount, Unavailable>;
}
