//! The one clock of a process, made in `main` and passed on. Everything else gets times as arguments; clippy forbids the rest.

use crate::kernel::values::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Where time comes from. The released program knows one source; tests of the library may bring their own.
pub trait TimeSource: Send + Sync {
    /// Milliseconds since 1970, UTC.
    fn wall_millis(&self) -> i64;
    /// Time since boot, suspend included (CLOCK_BOOTTIME): a paused process must not believe that no time passed (rule M1).
    fn since_boot(&self) -> Duration;
}

/// The clock: this machine's, corrected to the store's (rule M3: one time for all judgements).
#[derive(Clone)]
pub struct Clock {
    source: Arc<dyn TimeSource>,
    /// Store's clock minus ours, in milliseconds.
    offset: Arc<AtomicI64>,
}

struct System;

impl TimeSource for System {
    fn wall_millis(&self) -> i64 {
        #[expect(clippy::disallowed_methods, reason = "this is the one clock")]
        let now = clock_gettime(ClockId::Realtime);
        now.tv_sec.saturating_mul(1000).saturating_add(now.tv_nsec / 1_000_000)
    }

    fn since_boot(&self) -> Duration {
        #[expect(clippy::disallowed_methods, reason = "this is the one clock")]
        let now = clock_gettime(ClockId::Boottime);
        Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
    }
}

impl Clock {
    /// This machine's clock.
    pub fn system() -> Self {
        Self::from_source(Arc::new(System))
    }

    /// A clock over another source.
    pub fn from_source(source: Arc<dyn TimeSource>) -> Self {
        Self { source, offset: Arc::new(AtomicI64::new(0)) }
    }

    /// Now, by the store's clock.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.source.wall_millis().saturating_add(self.offset.load(Ordering::Relaxed)))
    }

    /// Time since boot, for leases and grace periods.
    pub fn since_boot(&self) -> Duration {
        self.source.since_boot()
    }

    /// Adopts the store's clock, as read with the revocation feed. Returns store minus node in milliseconds.
    pub fn adopt(&self, store: Timestamp) -> i64 {
        let offset = store.millis().saturating_sub(self.source.wall_millis());
        self.offset.store(offset, Ordering::Relaxed);
        offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;
    impl TimeSource for Fixed {
        fn wall_millis(&self) -> i64 {
            1_000
        }
        fn since_boot(&self) -> Duration {
            Duration::from_secs(5)
        }
    }

    #[test]
    fn judges_by_the_stores_clock() {
        let clock = Clock::from_source(Arc::new(Fixed));
        assert_eq!(clock.now(), Timestamp::from_millis(1_000));
        assert_eq!(clock.adopt(Timestamp::from_millis(31_000)), 30_000);
        assert_eq!(clock.clone().now(), Timestamp::from_millis(31_000));
    }
}
