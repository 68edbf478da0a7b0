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

impl MigrationPhase {
    /// The word for it, in files and rows.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Optional => "optional",
            Self::Forced => "forced",
        }
    }

    /// Reads [`Self::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Off, Self::Optional, Self::Forced].into_iter().find(|phase| phase.code() == code)
    }
}

impl MigrationPlan {
    /// One phase for good.
    pub fn of(phase: MigrationPhase) -> Self {
        Self { phase, deadline: None }
    }

    /// This plan and another one laid over it: now and after its deadline at no earlier phase than either. A plan has one step: of two
    /// deadlines that for the later phase is kept, and of two for one phase the earlier.
    #[must_use]
    pub fn joined(&self, other: &Self) -> Self {
        let phase = self.phase.max(other.phase);
        let both = [&self.deadline, &other.deadline].into_iter().flatten().filter(|deadline| deadline.then > phase);
        let deadline = both.min_by_key(|deadline| (std::cmp::Reverse(deadline.then), deadline.at)).cloned();
        Self { phase, deadline }
    }

    /// Whether another plan is nowhere behind this one from a time on.
    pub fn leads_to(&self, other: &Self, now: Timestamp) -> bool {
        let moments = [Some(now), self.deadline.as_ref().map(|it| it.at), other.deadline.as_ref().map(|it| it.at)];
        moments.into_iter().flatten().filter(|at| *at >= now).all(|at| other.phase_at(at) >= self.phase_at(at))
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
    fn t08_a_plan_over_another_is_behind_neither_and_to_lead_on_is_never_to_go_back() {
        use MigrationPhase::{Forced, Off, Optional};
        let at = |day: i64| Timestamp::from_seconds(day * 86_400);
        let due = |phase, day: i64, then| {
            let deadline = Deadline { at: at(day), then, remind: Vec::new() };
            MigrationPlan { phase, deadline: Some(deadline) }
        };
        let of = MigrationPlan::of;
        let plans = [
            of(Off),
            of(Optional),
            of(Forced),
            due(Off, 50, Optional),
            due(Off, 60, Forced),
            due(Optional, 40, Forced),
        ];
        for (first, second) in plans.iter().flat_map(|first| plans.iter().map(move |second| (first, second))) {
            let joined = first.joined(second);
            for day in [0, 90] {
                let least = first.phase_at(at(day)).max(second.phase_at(at(day)));
                assert_eq!(joined.phase_at(at(day)), least, "{first:?} {second:?} {day}");
            }
            let goes_back = (0..90).any(|day| second.phase_at(at(day)) < first.phase_at(at(day)));
            assert_eq!(first.leads_to(second, at(0)), !goes_back, "{first:?} {second:?}");
        }
        assert_eq!(due(Off, 50, Optional).joined(&due(Off, 40, Forced)), due(Off, 40, Forced));
        assert_eq!(of(Forced).joined(&due(Off, 40, Forced)), of(Forced));
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
