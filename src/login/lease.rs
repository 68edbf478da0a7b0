//! The freshness lease: how long answers from memory may be trusted (storage: revocation in under a second; rule M1).
//!
//! It counts from the *start* of the last good reading of the revocation log, by the clock that goes on while a machine is
//! suspended, so neither a slow reading nor a paused process can prolong old answers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long after the start of a good reading answers from memory count as fresh: the one second that we promise.
pub const FRESH: Duration = Duration::from_secs(1);

/// When the last good reading began, in milliseconds since boot; 0 before the first.
#[derive(Debug, Default)]
pub struct Lease(AtomicU64);

impl Lease {
    /// Renews the lease by a reading that began then.
    pub fn renew(&self, began: Duration) {
        self.0.fetch_max(millis(began).max(1), Ordering::Release);
    }

    /// Whether answers from memory are fresh now.
    pub fn is_fresh(&self, since_boot: Duration) -> bool {
        let began = self.0.load(Ordering::Acquire);
        began != 0 && millis(since_boot) <= began.saturating_add(millis(FRESH))
    }

    /// How long ago the lease lapsed; zero while it is fresh, `None` before the first reading.
    pub fn lapsed_for(&self, since_boot: Duration) -> Option<Duration> {
        let began = self.0.load(Ordering::Acquire);
        let end = began.saturating_add(millis(FRESH));
        (began != 0).then(|| Duration::from_millis(millis(since_boot).saturating_sub(end)))
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn m1_counts_from_the_start_of_the_reading_and_never_goes_back() {
        let lease = Lease::default();
        assert!(!lease.is_fresh(at(1)), "nothing was read yet");
        assert_eq!(lease.lapsed_for(at(1)), None);
        lease.renew(at(5_000));
        assert!(lease.is_fresh(at(6_000)));
        assert!(!lease.is_fresh(at(6_001)));
        lease.renew(at(4_000));
        assert!(lease.is_fresh(at(6_000)), "an older reading that comes late changes nothing");
        assert_eq!(lease.lapsed_for(at(7_500)), Some(at(1_500)));
    }
}
