//! Fixed moments for answers that must not tell who exists (rule H18): identify, password and reset answers leave at the first
//! multiple of a quarter of a second after the slowest honest path.

use crate::clock::Clock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The width of a slot.
const WIDTH: Duration = Duration::from_millis(250);

/// When answers leave.
#[derive(Debug)]
pub struct Slots {
    /// The longest honest path so far, in milliseconds. It only grows: a path that is slower than all before it moves the slot of
    /// every later answer, whoever asks.
    slowest: AtomicU64,
    width: Duration,
}

impl Slots {
    /// Slots of a quarter of a second.
    pub fn new() -> Self {
        Self { slowest: AtomicU64::new(0), width: WIDTH }
    }

    /// Remembers how long a path took that an honest person may take: a login with the costliest kind of password there is.
    pub fn observe(&self, path: Duration) {
        self.slowest.fetch_max(u64::try_from(path.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How long after its arrival an answer leaves whose own path took so long.
    fn leaves_after(&self, own: Duration) -> Duration {
        let slowest = Duration::from_millis(self.slowest.load(Ordering::Relaxed)).max(own);
        let width = self.width.as_millis().max(1);
        let slots = u32::try_from(slowest.as_millis() / width + 1).unwrap_or(u32::MAX);
        self.width.saturating_mul(slots)
    }

    /// Waits for the slot of an answer to a request that arrived at `begun` (time since boot).
    pub async fn hold(&self, clock: &Clock, begun: Duration) {
        let own = clock.since_boot().saturating_sub(begun);
        tokio::time::sleep(self.leaves_after(own).saturating_sub(own)).await;
    }
}

impl Default for Slots {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h18_answers_leave_at_the_first_slot_after_the_slowest_path() {
        let slots = Slots::new();
        let check = |own: u64, leaves: u64| {
            let after = slots.leaves_after(Duration::from_millis(own));
            assert_eq!(after, Duration::from_millis(leaves), "{own}");
        };
        check(0, 250);
        check(249, 250);
        check(250, 500);
        slots.observe(Duration::from_millis(310));
        slots.observe(Duration::from_millis(20));
        check(0, 500);
        check(310, 500);
        check(499, 500);
        check(700, 750);
    }
}
