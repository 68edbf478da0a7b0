//! How an upstream stands: requests in flight, failures in a row, and whether it is out. One per product and address in the
//! whole process, read and written without locks; a reload keeps it.
//!
//! An upstream is out after [`TOLERATED`] failures in a row on connections (refused, reset, closed before the head of an
//! answer), for 10 s at first and up to 60 s; then one request is let through, and what becomes of it decides. It is also out
//! while its health checks fail. Statuses count for health checks alone: a product that answers 503 may mean it.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Failures in a row that put an upstream out.
const TOLERATED: u32 = 3;

/// How long it is out the first time, and at most. Doubled by each trial that fails.
const OUT: Duration = Duration::from_secs(10);
const OUT_MOST: Duration = Duration::from_secs(60);

/// How an upstream stands.
#[derive(Default)]
pub(in crate::gateway) struct Standing {
    in_flight: AtomicUsize,
    failures: AtomicU32,
    /// Milliseconds since boot; 0 when it is in.
    out_until: AtomicU64,
    /// Its health checks fail.
    sick: AtomicBool,
    /// 1 while it is in.
    state: Gauge,
    faults: Counter,
}

/// Whether an upstream may be chosen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Access {
    In,
    /// Its time is over: the first request to [`Standing::claim`] it is the trial.
    Trial,
    Out,
}

impl Standing {
    pub(super) fn new(state: Gauge, faults: Counter) -> Self {
        state.set(1);
        Self { state, faults, ..Self::default() }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn enter(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn access(&self, now: Duration) -> Access {
        if self.sick.load(Ordering::Relaxed) {
            return Access::Out;
        }
        match self.out_until.load(Ordering::Relaxed) {
            0 => Access::In,
            until if millis(now) < until => Access::Out,
            _ => Access::Trial,
        }
    }

    /// Whether the caller may make the trial; everybody else sees it out until that has had its time.
    pub(super) fn claim(&self, now: Duration) -> bool {
        let until = self.out_until.load(Ordering::Relaxed);
        let next = millis(now + self.spell());
        until != 0
            && millis(now) >= until
            && self.out_until.compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// A connection failed, of the only upstream: that is counted, and it is tried all the same.
    pub(in crate::gateway) fn faulted(&self) {
        self.faults.inc();
    }

    /// A connection failed before the head of an answer. `trial` when the caller had claimed it.
    pub(in crate::gateway) fn failed(&self, now: Duration, trial: bool) {
        self.faults.inc();
        let was_out = self.out_until.load(Ordering::Relaxed) != 0;
        // What was under way when it went out says nothing new.
        if was_out && !trial {
            return;
        }
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures >= TOLERATED {
            self.out_until.store(millis(now + self.spell()).max(1), Ordering::Relaxed);
            self.show();
        }
    }

    /// It answered.
    pub(in crate::gateway) fn worked(&self) {
        // Nearly always there is nothing to write: the line stays in every core's cache.
        if self.failures.load(Ordering::Relaxed) == 0 && self.out_until.load(Ordering::Relaxed) == 0 {
            return;
        }
        self.failures.store(0, Ordering::Relaxed);
        self.out_until.store(0, Ordering::Relaxed);
        self.show();
    }

    /// What its health checks say. They do not undo what its connections say: both must be well.
    pub(super) fn checked(&self, healthy: bool) {
        self.sick.store(!healthy, Ordering::Relaxed);
        self.show();
    }

    fn spell(&self) -> Duration {
        let doubled = self.failures.load(Ordering::Relaxed).saturating_sub(TOLERATED).min(8);
        (OUT * (1 << doubled)).min(OUT_MOST)
    }

    fn show(&self) {
        let out = self.sick.load(Ordering::Relaxed) || self.out_until.load(Ordering::Relaxed) != 0;
        self.state.set(i64::from(!out));
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn three_failures_in_a_row_put_it_out_and_one_trial_decides() {
        let standing = Standing::default();
        for failures in 1..=2 {
            standing.failed(at(100), false);
            assert_eq!(standing.access(at(100)), Access::In, "{failures}");
        }
        standing.worked();
        for _ in 0..3 {
            standing.failed(at(100), false);
        }
        assert_eq!(standing.access(at(109)), Access::Out);
        assert!(!standing.claim(at(109)), "too early");
        assert_eq!(standing.access(at(110)), Access::Trial);
        assert!(standing.claim(at(110)));
        assert!(!standing.claim(at(110)), "one trial");
        assert_eq!(standing.access(at(110)), Access::Out);
        standing.worked();
        assert_eq!(standing.access(at(110)), Access::In);
    }

    #[test]
    fn each_failed_trial_doubles_the_time_up_to_a_minute() {
        let standing = Standing::default();
        for _ in 0..3 {
            standing.failed(at(100), false);
        }
        let mut now = 100;
        for spell in [10, 20, 40, 60, 60] {
            standing.failed(at(now), false);
            assert_eq!(standing.access(at(now + spell - 1)), Access::Out, "{spell}");
            assert_eq!(standing.access(at(now + spell)), Access::Trial, "{spell}");
            now += spell;
            assert!(standing.claim(at(now)));
            standing.failed(at(now), true);
        }
    }

    #[test]
    fn health_checks_alone_bring_back_what_they_put_out() {
        let standing = Standing::default();
        standing.checked(false);
        standing.worked();
        assert_eq!(standing.access(at(1_000_000)), Access::Out);
        standing.checked(true);
        assert_eq!(standing.access(at(1)), Access::In);
    }
}
