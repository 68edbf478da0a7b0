//! When to order: pure.

use crate::kernel::values::Timestamp;
use std::time::Duration;

/// An authority allows five failed authorizations of a name in an hour (Let's Encrypt); more are not tried, across restarts.
pub(super) const TRIES_IN_AN_HOUR: u8 = 5;

/// Within this span a name is tried once in the whole cluster. An order takes less.
pub(super) const TURN: Duration = Duration::from_secs(120);

/// When a certificate is renewed: when a third of its life is left, and up to a 24th earlier by `seed`, so that certificates that
/// were ordered together are not renewed together. Every node computes the same.
pub(super) fn renewal_at(issued_at: Timestamp, ends_at: Timestamp, seed: u8) -> Timestamp {
    let life = ends_at.since(issued_at);
    ends_at.minus(life / 3 + life / 24 / 255 * u32::from(seed))
}

/// How long to wait after so many failures in a row; up to an eighth longer by `seed`.
pub(super) fn pause(failures: u32, seed: u8) -> Duration {
    let minutes = match failures {
        0 => 0,
        1 => 2,
        2 => 10,
        3 => 60,
        _ => 360,
    };
    let pause = Duration::from_secs(minutes * 60);
    pause + pause / 8 / 255 * u32::from(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_with_a_third_of_its_life_left() {
        let day = |days: u64| Timestamp::from_seconds(0).plus(Duration::from_secs(days * 86_400));
        assert_eq!(renewal_at(day(0), day(90), 0), day(60));
        let earliest = renewal_at(day(0), day(90), 255);
        assert!(earliest < day(57) && earliest > day(56), "{earliest:?}");
        // Six days, as short-lived ones have.
        assert_eq!(renewal_at(day(0), day(6), 0), day(4));
        // One that had ended before it was issued is due at once.
        assert!(renewal_at(day(9), day(3), 0) <= day(3));
    }

    #[test]
    fn pauses_grow_to_six_hours_and_are_never_the_same_for_all() {
        let minutes = |failures| pause(failures, 0).as_secs() / 60;
        assert_eq!([0, 1, 2, 3, 4, 1000].map(minutes), [0, 2, 10, 60, 360, 360]);
        assert!(pause(1, 255) > pause(1, 0) && pause(1, 255) <= Duration::from_secs(135));
    }
}
