//! The machine of one organization's proof of one domain (behaviour §3.0 Domain.state, rule C6).
//!
//! ```text
//! pending ─ seen twice ─► verified ─ claim ─► claimed ─ not found ─► at risk ─ 14 d ─► suspended ─ 30 d ─► unclaimed
//!    │ 7 d                   │ another holds it        ◄─── found ───┘   ◄─ found twice ─┘
//!    ▼                       ▼
//! expired                 disputed: until the operator settles it
//! ```
//! "Twice" is two observations an hour apart at least; every step to the right of a claim that takes something away needs two as
//! well. What could not be told moves nothing.

use super::sighting::{Found, ProofMethod};
use crate::kernel::values::{DomainName, OrgName, Timestamp};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// How far apart two observations are at least (rule C6d).
pub const APART: Duration = HOUR;
/// How long a domain may be proved after it was added.
pub const PENDING: Duration = Duration::from_secs(7 * 86_400);
/// From the first failed check to the suspension.
pub const UNTIL_SUSPENDED: Duration = Duration::from_secs(14 * 86_400);
/// From the first failed check to the loss: 30 days after the suspension.
pub const UNTIL_LOST: Duration = Duration::from_secs(44 * 86_400);

/// Where a proof stands.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum State {
    /// Added, not proved.
    Pending,
    /// Not proved in seven days. The token is dead.
    Expired,
    /// Proved, and not claimed.
    Verified,
    /// Held.
    Claimed,
    /// Held; the last check did not find the proof.
    AtRisk,
    /// Held for those who are there: nobody new, no authority (behaviour §3.0).
    Suspended,
    /// Proved, and held by another organization. The operator decides.
    Disputed,
    /// Given up or lost. The token is dead.
    Unclaimed,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Expired,
        Self::Verified,
        Self::Claimed,
        Self::AtRisk,
        Self::Suspended,
        Self::Disputed,
        Self::Unclaimed,
    ];

    /// The stable name, in stores and in the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Expired => "expired",
            Self::Verified => "verified",
            Self::Claimed => "claimed",
            Self::AtRisk => "at_risk",
            Self::Suspended => "suspended",
            Self::Disputed => "disputed",
            Self::Unclaimed => "unclaimed",
        }
    }

    /// Reads [`State::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// Whether the organization manages the domain's people.
    pub const fn holds(self) -> bool {
        matches!(self, Self::Claimed | Self::AtRisk | Self::Suspended)
    }

    /// Whether the token is dead and nothing is checked any more.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Expired | Self::Unclaimed)
    }
}

/// What happens when a domain is proved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClaimMode {
    /// It is claimed at once.
    Auto,
    /// An admin claims it later.
    None,
}

impl ClaimMode {
    /// The stable name, in stores and in the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::None => "none",
        }
    }

    /// Reads [`ClaimMode::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Auto, Self::None].into_iter().find(|mode| mode.code() == code)
    }
}

/// One organization's proof of one domain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DomainProof {
    /// Whose.
    pub org: OrgName,
    /// Of what; unique together. At most one organization holds a domain.
    pub domain: DomainName,
    /// 48 random bytes in base64, made for this row and for no other. Public, once it stands in the DNS.
    pub token: String,
    /// Where it stands.
    pub state: State,
    /// What happens when it is proved.
    pub claim: ClaimMode,
    /// Where the proof was found last.
    pub method: Option<ProofMethod>,
    /// When it was added.
    pub added_at: Timestamp,
    /// The first sighting, while it waits for its second.
    pub seen_at: Option<Timestamp>,
    /// When it was proved.
    pub verified_at: Option<Timestamp>,
    /// Since when the claim holds: authority never reaches back behind this (rule C6a).
    pub claimed_at: Option<Timestamp>,
    /// When the proof was found last.
    pub last_ok_at: Option<Timestamp>,
    /// The first of the checks that did not find it.
    pub failing_since: Option<Timestamp>,
    /// The first check that found a loss due, while it waits for its second.
    pub due_since: Option<Timestamp>,
    /// The last check.
    pub checked_at: Option<Timestamp>,
    /// When the next one is due.
    pub next_check_at: Timestamp,
    /// Raised with each write: of two nodes one writes.
    pub version: u32,
    /// The MAC of the row, over everything above (rule H12). Zeroes until whoever writes has made it.
    pub mac: [u8; 32],
}

/// One observation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Check {
    /// When.
    pub at: Timestamp,
    /// What was found.
    pub found: Found,
    /// Another organization holds this domain now.
    pub held_by_another: bool,
    /// Spreads the next check: organizations are not checked all at once.
    pub seed: u8,
}

/// What a check changed, for audit, mails and the other nodes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Happened {
    /// Proved.
    Verified,
    /// Held from now on.
    Claimed,
    /// Not found.
    AtRisk,
    /// Found again.
    Recovered,
    /// Not found for 14 days.
    Suspended,
    /// Lost, or given up.
    Unclaimed,
    /// Proved, while another holds it.
    Disputed,
    /// Not proved in time.
    Expired,
}

impl DomainProof {
    /// A domain that was just added.
    pub fn added((org, domain): (OrgName, DomainName), token: String, claim: ClaimMode, now: Timestamp) -> Self {
        Self {
            org,
            domain,
            token,
            state: State::Pending,
            claim,
            method: None,
            added_at: now,
            seen_at: None,
            verified_at: None,
            claimed_at: None,
            last_ok_at: None,
            failing_since: None,
            due_since: None,
            checked_at: None,
            next_check_at: now,
            version: 0,
            mac: [0; 32],
        }
    }

    /// When it has to be proved by.
    pub fn until(&self) -> Timestamp {
        self.added_at.plus(PENDING)
    }

    /// When it is suspended or lost, if the proof stays away.
    pub fn deadline(&self) -> Option<Timestamp> {
        let since = self.failing_since?;
        match self.state {
            State::AtRisk => Some(since.plus(UNTIL_SUSPENDED)),
            State::Suspended => Some(since.plus(UNTIL_LOST)),
            _ => None,
        }
    }

    fn enter(&mut self, state: State, at: Timestamp) {
        self.state = state;
        self.seen_at = None;
        self.due_since = None;
        match state {
            State::Verified | State::Disputed => self.verified_at = Some(at),
            State::Claimed => self.failing_since = None,
            State::AtRisk => self.failing_since = Some(at),
            State::Unclaimed | State::Expired => self.claimed_at = None,
            State::Pending | State::Suspended => {}
        }
    }

    fn take(&mut self, at: Timestamp) {
        self.enter(State::Claimed, at);
        self.claimed_at = Some(at);
    }
}

/// What a check makes of a proof. Total: every state and every finding.
pub fn judge(proof: &DomainProof, check: &Check) -> (DomainProof, Vec<Happened>) {
    let mut next = proof.clone();
    let mut happened = Vec::new();
    if proof.state.is_over() {
        return (next, happened);
    }
    next.checked_at = Some(check.at);
    match check.found {
        Found::Proof(method) => {
            next.method = Some(method);
            next.last_ok_at = Some(check.at);
            found(&mut next, check, &mut happened);
        }
        Found::Absent => absent(&mut next, check.at, &mut happened),
        Found::Unclear => {}
    }
    if next.state == State::Pending && check.at >= next.until() {
        next.enter(State::Expired, check.at);
        happened.push(Happened::Expired);
    }
    next.next_check_at = next_check(&next, check);
    (next, happened)
}

fn found(next: &mut DomainProof, check: &Check, happened: &mut Vec<Happened>) {
    next.due_since = None;
    match next.state {
        // A proof that comes after its time is none, also when nobody looked in time.
        State::Pending if check.at >= next.until() => {}
        State::Pending if twice(&mut next.seen_at, check.at) => {
            happened.push(Happened::Verified);
            if check.held_by_another {
                next.enter(State::Disputed, check.at);
                happened.push(Happened::Disputed);
            } else {
                next.enter(State::Verified, check.at);
                if next.claim == ClaimMode::Auto {
                    next.take(check.at);
                    happened.push(Happened::Claimed);
                }
            }
        }
        State::AtRisk => {
            next.enter(State::Claimed, check.at);
            happened.push(Happened::Recovered);
        }
        // In between the domain may have been anybody's: what was claimed before does not count any more.
        State::Suspended if twice(&mut next.seen_at, check.at) => {
            next.take(check.at);
            happened.push(Happened::Recovered);
        }
        State::Verified | State::Disputed => next.failing_since = None,
        State::Pending | State::Suspended | State::Claimed | State::Expired | State::Unclaimed => {}
    }
}

fn absent(next: &mut DomainProof, at: Timestamp, happened: &mut Vec<Happened>) {
    next.seen_at = None;
    match next.state {
        State::Claimed => {
            next.enter(State::AtRisk, at);
            happened.push(Happened::AtRisk);
        }
        State::AtRisk | State::Suspended => {
            let due = next.deadline().is_some_and(|deadline| at >= deadline);
            if due && twice(&mut next.due_since, at) {
                let (state, what) = match next.state {
                    State::AtRisk => (State::Suspended, Happened::Suspended),
                    _ => (State::Unclaimed, Happened::Unclaimed),
                };
                next.enter(state, at);
                happened.push(what);
            }
        }
        // Nothing is held yet, so nothing waits for weeks.
        State::Verified | State::Disputed if twice(&mut next.failing_since, at) => {
            next.enter(State::Unclaimed, at);
            happened.push(Happened::Unclaimed);
        }
        State::Pending | State::Verified | State::Disputed | State::Expired | State::Unclaimed => {}
    }
}

/// Whether this is the second observation of its kind, far enough from the first; the first is remembered.
fn twice(first: &mut Option<Timestamp>, at: Timestamp) -> bool {
    let since = *first.get_or_insert(at);
    at.since(since) >= APART
}

/// Daily; soon, where a second observation is waited for or the proof was not there yet. Up to a twelfth later by the seed.
fn next_check(next: &DomainProof, check: &Check) -> Timestamp {
    let waits = next.seen_at.or(next.due_since).is_some()
        || (matches!(next.state, State::Verified | State::Disputed) && next.failing_since.is_some());
    let pause = match next.state {
        _ if waits => APART,
        State::Pending => HOUR / 6,
        _ => DAY - DAY / 24,
    };
    let first = next.seen_at.or(next.due_since).filter(|first| waits && check.at.since(*first) < APART);
    let from = first.unwrap_or(check.at);
    from.plus(pause + pause / 12 / 255 * u32::from(check.seed))
}

/// Another organization has proved what this one holds: at risk from now on, with its whole clock (rule C6c). Nothing else.
pub fn challenged(holder: &DomainProof, at: Timestamp) -> (DomainProof, Vec<Happened>) {
    let mut next = holder.clone();
    if holder.state != State::Claimed {
        return (next, Vec::new());
    }
    next.enter(State::AtRisk, at);
    next.next_check_at = at.plus(APART);
    (next, vec![Happened::AtRisk])
}

/// The operator's decision for one side of a dispute, or an admin's claim of what is proved and free. None where it is neither.
pub fn settle(proof: &DomainProof, at: Timestamp) -> Option<DomainProof> {
    let mut next = proof.clone();
    if !matches!(proof.state, State::Verified | State::Disputed) {
        return None;
    }
    next.take(at);
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for state in State::ALL {
            assert_eq!(State::from_code(state.code()), Some(state));
        }
        assert_eq!((State::from_code(""), ClaimMode::from_code("auto")), (None, Some(ClaimMode::Auto)));
        assert_eq!(ClaimMode::from_code("none"), Some(ClaimMode::None));
    }
}
