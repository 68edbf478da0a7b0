//! How a product's local accounts come to the one account, and when that changes by itself (rows T08, T13).

use crate::kernel::values::Timestamp;
use std::time::Duration;

/// How far a product's local accounts are moved to the one account.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum MigrationPhase {
    /// Not at all.
    #[default]
    Off,
    /// Offered.
    Optional,
    /// Asked at each login.
    Forced,
}

/// The phase of a product, and when another one begins.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MigrationPlan {
    /// Until the deadline, or for good.
    pub phase: MigrationPhase,
    /// When another phase begins.
    pub deadline: Option<Deadline>,
}

/// The moment at which a plan's phase changes. Nothing is written for it: whoever decides asks for the phase of that moment, so that it
/// holds for everybody at once, on every node, also after a crash.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Deadline {
    /// The first moment after the day that the file names, UTC.
    pub at: Timestamp,
    /// The phase from then on.
    pub then: MigrationPhase,
    /// How long before it people are reminded (N8).
    pub remind: Vec<Duration>,
}

/// What people are told of a deadline (N8), once.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Reminder {
    /// The deadline.
    pub deadline: Timestamp,
    /// How long before it this is due; zero: when it has passed.
    pub before: Duration,
}

impl Deadline {
    /// Nobody is told any more of a deadline that passed so long ago: 7 days.
    const NEWS: Duration = Duration::from_secs(7 * 86_400);

    /// The reminder that is due at `now`: the latest one, so that whoever could not be told in time is told once and not thrice.
    pub fn reminder_at(&self, now: Timestamp) -> Option<Reminder> {
        if now >= self.at.plus(Self::NEWS) {
            return None;
        }
        let all = self.remind.iter().copied().chain([Duration::ZERO]);
        let before = all.filter(|before| now >= self.at.minus(*before)).min()?;
        Some(Reminder { deadline: self.at, before })
    }
}

impl MigrationPlan {
    /// One phase for good.
    pub fn of(phase: MigrationPhase) -> Self {
        Self { phase, deadline: None }
    }

    /// The phase that holds at a time. A deadline never leads back to an earlier one (row T08).
    pub fn phase_at(&self, now: Timestamp) -> MigrationPhase {
        match &self.deadline {
            Some(deadline) if now >= deadline.at => self.phase.max(deadline.then),
            Some(_) | None => self.phase,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn plan(phase: MigrationPhase, then: MigrationPhase) -> MigrationPlan {
        let remind = [30, 7, 1].map(|days| DAY.saturating_mul(days)).to_vec();
        let deadline = Deadline { at: Timestamp::from_seconds(100 * 86_400), then, remind };
        MigrationPlan { phase, deadline: Some(deadline) }
    }

    #[test]
    fn t13_a_deadline_changes_the_phase_at_its_moment_and_never_back() {
        use MigrationPhase::{Forced, Off, Optional};
        let at = Timestamp::from_seconds(100 * 86_400);
        let before = Timestamp::from_millis(at.millis() - 1);
        for (phase, then, after) in [(Optional, Forced, Forced), (Off, Optional, Optional), (Forced, Optional, Forced)]
        {
            let plan = plan(phase, then);
            assert_eq!((plan.phase_at(before), plan.phase_at(at)), (phase, after));
        }
        assert_eq!(MigrationPlan::of(Optional).phase_at(at.plus(DAY)), Optional);
    }

    #[test]
    fn t13_the_latest_reminder_alone_is_due() {
        let plan = plan(MigrationPhase::Optional, MigrationPhase::Forced);
        let deadline = plan.deadline.unwrap();
        let check = |day: i64, second: i64, before: Option<u64>| {
            let now = Timestamp::from_seconds(day * 86_400 + second);
            let due = deadline.reminder_at(now).map(|reminder| reminder.before.as_secs() / 86_400);
            assert_eq!(due, before, "day {day}, {second} s");
        };
        check(70, -1, None);
        check(70, 0, Some(30));
        check(93, -1, Some(30));
        check(93, 0, Some(7));
        check(99, 5, Some(1));
        check(100, 0, Some(0));
        check(107, -1, Some(0));
        check(107, 0, None);
    }
}
