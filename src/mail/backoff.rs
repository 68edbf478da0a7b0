//! When to try again: pure.

use crate::kernel::values::Timestamp;
use std::time::Duration;

/// The longest pause. A server that was away for a day is asked again within the half hour.
const LONGEST: Duration = Duration::from_secs(1_800);

/// Too little time for another attempt.
const LAST_CALL: Duration = Duration::from_secs(5);

/// When the next attempt is, after so many; none when it would be too late. Pauses are 5 s, 15 s, 45 s… up to half an hour, and
/// up to a quarter longer by `seed`, so that a server that comes back is not met by everything at once. As the end comes nearer
/// they shrink to half of what is left, so that a code is tried for as long as it lives.
pub(super) fn next(attempts: u32, now: Timestamp, until: Timestamp, seed: u8) -> Option<Timestamp> {
    let left = until.since(now);
    if left < LAST_CALL {
        return None;
    }
    let steps = attempts.saturating_sub(1).min(8);
    let pause = Duration::from_secs(5).saturating_mul(3_u32.saturating_pow(steps)).min(LONGEST);
    let pause = pause + pause / 4 / 255 * u32::from(seed);
    Some(now.plus(pause.min(left / 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(attempts: u32, left: u64, seed: u8) -> Option<u64> {
        let now = Timestamp::from_seconds(1_000);
        next(attempts, now, now.plus(Duration::from_secs(left)), seed).map(|at| at.since(now).as_secs())
    }

    #[test]
    fn pauses_grow_to_half_an_hour_and_are_never_the_same_for_all() {
        let day = 86_400;
        assert_eq!(
            [1, 2, 3, 4, 5, 6, 9, 1_000].map(|attempts| pause(attempts, day, 0).unwrap()),
            [5, 15, 45, 135, 405, 1_215, 1_800, 1_800]
        );
        assert!(pause(4, day, 255).unwrap() > pause(4, day, 0).unwrap() && pause(4, day, 255).unwrap() <= 169);
    }

    #[test]
    fn a_code_is_tried_for_as_long_as_it_lives_and_no_longer() {
        assert_eq!(pause(9, 900, 0), Some(450));
        assert_eq!(pause(9, 10, 0), Some(5));
        assert_eq!(pause(9, 4, 0), None);
        assert_eq!(pause(1, 0, 0), None);
    }
}
