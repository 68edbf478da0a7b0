//! Fixed moments for answers that must not tell who exists (rule H18): identify, password and reset answers leave at the first
//! multiple of a quarter of a second after the slowest honest path.

use crate::clock::Clock;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The width of a slot.
const WIDTH: Duration = Duration::from_millis(250);
/// How long a slow path is remembered, once or twice this.
const MEMORY: Duration = Duration::from_secs(10 * 60);
/// Nothing moves the slot further: what takes longer takes the slots that it takes.
const MOST: Duration = Duration::from_secs(2);

/// When answers leave.
#[derive(Debug)]
pub struct Slots {
    width: Duration,
    slowest: Mutex<Slowest>,
}

/// The longest honest work lately: whoever asks, every later answer leaves after it.
#[derive(Debug, Default)]
struct Slowest {
    since: Duration,
    now: Duration,
    before: Duration,
}

impl Slots {
    /// Slots of a width: a quarter of a second is usual, and nothing at all lets answers leave when they are ready, which tells who
    /// exists.
    pub fn of(width: Duration) -> Self {
        Self { width, slowest: Mutex::default() }
    }

    /// Remembers how long the work took that an honest person may cause: checking the costliest kind of password there is, without
    /// what it waited for. `at` is the time since boot.
    pub fn observe(&self, work: Duration, at: Duration) {
        let mut slowest = self.slowest.lock().unwrap_or_else(PoisonError::into_inner);
        if at.saturating_sub(slowest.since) >= MEMORY {
            *slowest = Slowest { since: at, now: Duration::ZERO, before: slowest.now };
        }
        slowest.now = slowest.now.max(work.min(MOST));
    }

    fn longest(&self) -> Duration {
        let slowest = self.slowest.lock().unwrap_or_else(PoisonError::into_inner);
        slowest.now.max(slowest.before)
    }

    /// How long after its arrival an answer leaves whose own path took so long.
    fn leaves_after(&self, own: Duration) -> Duration {
        if self.width.is_zero() {
            return own;
        }
        let slots = self.longest().max(own).as_nanos() / self.width.as_nanos() + 1;
        self.width.saturating_mul(u32::try_from(slots).unwrap_or(u32::MAX))
    }

    /// Waits for the slot of an answer to a request that arrived at `begun` (time since boot).
    pub async fn hold(&self, clock: &Clock, begun: Duration) {
        let own = clock.since_boot().saturating_sub(begun);
        tokio::time::sleep(self.leaves_after(own).saturating_sub(own)).await;
    }
}

impl Default for Slots {
    fn default() -> Self {
        Self::of(WIDTH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h18_answers_leave_at_the_first_slot_after_the_slowest_path() {
        let slots = Slots::default();
        let check = |own: u64, leaves: u64| {
            let after = slots.leaves_after(Duration::from_millis(own));
            assert_eq!(after, Duration::from_millis(leaves), "{own}");
        };
        check(0, 250);
        check(249, 250);
        check(250, 500);
        let minute = Duration::from_secs(60);
        slots.observe(Duration::from_millis(310), minute);
        slots.observe(Duration::from_millis(20), minute);
        check(0, 500);
        check(310, 500);
        check(499, 500);
        check(700, 750);
        // A slow path is remembered for a while, and not for ever.
        slots.observe(Duration::from_millis(20), minute + MEMORY);
        check(0, 500);
        slots.observe(Duration::from_millis(20), minute + 2 * MEMORY);
        check(0, 250);
        slots.observe(Duration::from_secs(3600), minute + 2 * MEMORY);
        check(0, 2250);
        let without = Slots::of(Duration::ZERO);
        assert_eq!(without.leaves_after(Duration::from_millis(7)), Duration::from_millis(7));
    }
}
