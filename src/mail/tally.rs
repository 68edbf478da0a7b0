//! Metrics: how much mail waits, how old the oldest is, what was sent and what never will be.

use crate::kernel::journal::mail::OutboxCount;
use crate::kernel::values::Timestamp;
use crate::seeing::Seeing;
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};

/// The metrics of mail.
#[derive(Default)]
pub(super) struct Tally {
    waiting: Gauge,
    oldest: Gauge,
    dead: Gauge,
    dropped: Gauge,
    pub(super) sent: Counter,
    pub(super) failed: Counter,
}

impl Tally {
    pub(super) fn new(seeing: &Seeing) -> Self {
        let tally = Self::default();
        seeing.register("mail_waiting", "Mail that waits to be sent", tally.waiting.clone());
        seeing.register("mail_oldest_seconds", "Age of the oldest mail that waits", tally.oldest.clone());
        seeing.register("mail_dead", "Mail of 30 days that was not sent and never will be", tally.dead.clone());
        seeing.register("mail_dropped", "Mail that a limit held back, ever", tally.dropped.clone());
        seeing.register("mail_sent", "Mail that this process sent", tally.sent.clone());
        seeing.register("mail_failures", "Attempts to send mail that failed", tally.failed.clone());
        tally
    }

    pub(super) fn count(&self, count: OutboxCount, now: Timestamp) {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.waiting.set(number(count.waiting));
        self.oldest.set(count.oldest.map_or(0, |oldest| number(now.since(oldest).as_secs())));
        self.dead.set(number(count.dead));
        self.dropped.set(number(count.dropped));
    }
}
