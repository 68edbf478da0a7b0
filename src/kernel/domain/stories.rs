//! The machine by its stories, and what holds for every story.

use super::*;
use crate::kernel::values::{DomainName, OrgName, Timestamp};
use proptest::prelude::*;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const SEEN: Found = Found::Proof(ProofMethod::Dns);

fn start() -> Timestamp {
    Timestamp::from_seconds(1_795_000_000)
}

fn added(claim: ClaimMode) -> DomainProof {
    let of = (OrgName::parse("acme").unwrap(), DomainName::parse("acme.com").unwrap());
    DomainProof::added(of, "t".repeat(64), claim, start())
}

/// Checks at hours after the start, and what happened at each.
fn story(proof: &mut DomainProof, held_by_another: bool, checks: &[(u64, Found)]) -> Vec<Vec<Happened>> {
    let run = |(hours, found): &(u64, Found)| {
        let at = start().plus(HOUR * u32::try_from(*hours).unwrap());
        let (next, happened) = judge(proof, &Check { at, found: *found, held_by_another, seed: 7 });
        *proof = next;
        happened
    };
    checks.iter().map(run).collect()
}

fn claimed() -> DomainProof {
    let mut proof = added(ClaimMode::Auto);
    story(&mut proof, false, &[(0, SEEN), (1, SEEN)]);
    assert_eq!(proof.state, State::Claimed);
    proof
}

#[test]
fn c6_a_domain_is_proved_by_two_observations_an_hour_apart() {
    let mut proof = added(ClaimMode::Auto);
    let happened = story(&mut proof, false, &[(1, SEEN), (1, SEEN)]);
    assert_eq!((happened, proof.state), (vec![vec![], vec![]], State::Pending), "at once is once");
    let happened = story(&mut proof, false, &[(2, SEEN)]);
    assert_eq!(happened, [[Happened::Verified, Happened::Claimed]]);
    assert_eq!(
        (proof.state, proof.claimed_at),
        (State::Claimed, Some(start().plus(2 * HOUR))),
        "from now, not from then"
    );
}

#[test]
fn c6_an_hour_of_somebody_elses_dns_proves_nothing() {
    let mut proof = added(ClaimMode::Auto);
    story(&mut proof, false, &[(1, SEEN), (2, Found::Absent), (3, SEEN)]);
    assert_eq!(proof.state, State::Pending, "not found in between: it begins again");
    story(&mut proof, false, &[(3, Found::Unclear), (4, SEEN)]);
    assert_eq!(proof.state, State::Claimed, "what could not be told changes nothing");
}

#[test]
fn a_domain_that_is_not_proved_in_seven_days_expires_with_its_token() {
    let mut proof = added(ClaimMode::Auto);
    let happened = story(&mut proof, false, &[(167, SEEN), (168, SEEN), (200, SEEN), (201, SEEN)]);
    assert_eq!((happened, proof.state), (vec![vec![], vec![Happened::Expired], vec![], vec![]], State::Expired));
}

#[test]
fn an_admin_may_claim_later() {
    let mut proof = added(ClaimMode::None);
    let happened = story(&mut proof, false, &[(0, SEEN), (1, SEEN), (24, SEEN)]);
    assert_eq!((happened[1].as_slice(), proof.state), ([Happened::Verified].as_slice(), State::Verified));
    let at = start().plus(30 * HOUR);
    let proof = settle(&proof, at).unwrap();
    assert_eq!((proof.state, proof.claimed_at), (State::Claimed, Some(at)));
    assert_eq!(settle(&proof, at), None, "once");
    assert_eq!(settle(&added(ClaimMode::None), at), None, "what is not proved is not claimed");
}

#[test]
fn c6_a_loss_takes_44_days_and_two_observations_at_each_step() {
    let mut proof = claimed();
    let day = |days: u64| days * 24;
    let missing = |hours| (hours, Found::Absent);
    let happened = story(
        &mut proof,
        false,
        &[
            missing(day(1)),
            missing(day(14)),
            missing(day(15)),
            missing(day(15)),
            missing(day(15) + 1),
            missing(day(44)),
            missing(day(45)),
            missing(day(45) + 1),
        ],
    );
    let nothing = Vec::new;
    assert_eq!(
        happened,
        [
            vec![Happened::AtRisk],
            nothing(),
            nothing(),
            nothing(),
            vec![Happened::Suspended],
            nothing(),
            nothing(),
            vec![Happened::Unclaimed],
        ]
    );
    assert_eq!((proof.state, proof.claimed_at), (State::Unclaimed, None));
    assert_eq!(story(&mut proof, false, &[(day(46), SEEN), (day(47), SEEN)]), [vec![], vec![]], "its token is dead");
}

#[test]
fn servfail_never_counts_as_failing() {
    let mut proof = claimed();
    let weeks: Vec<_> = (1..100).map(|day| (day * 24, Found::Unclear)).collect();
    assert!(story(&mut proof, false, &weeks).iter().all(Vec::is_empty));
    assert_eq!(proof.state, State::Claimed);
}

#[test]
fn a_token_that_is_back_ends_the_risk_and_keeps_the_claims_age() {
    let mut proof = claimed();
    let since = proof.claimed_at;
    let happened = story(&mut proof, false, &[(24, Found::Absent), (48, SEEN)]);
    assert_eq!(happened, [[Happened::AtRisk], [Happened::Recovered]]);
    assert_eq!((proof.state, proof.claimed_at, proof.deadline()), (State::Claimed, since, None));
}

#[test]
fn c6_a_suspended_domain_comes_back_by_two_observations_with_a_new_claim() {
    let mut proof = claimed();
    let day = |days: u64| days * 24;
    story(&mut proof, false, &[(day(1), Found::Absent), (day(15), Found::Absent), (day(16), Found::Absent)]);
    assert_eq!(proof.state, State::Suspended);
    let happened = story(&mut proof, false, &[(day(20), SEEN), (day(20) + 1, SEEN)]);
    assert_eq!(happened, [vec![], vec![Happened::Recovered]]);
    assert_eq!(proof.claimed_at, Some(start().plus(HOUR * (20 * 24 + 1))), "authority does not reach back");
}

#[test]
fn c6_a_dispute_transfers_nothing_by_itself() {
    let mut other = added(ClaimMode::Auto);
    let happened = story(&mut other, true, &[(10, SEEN), (11, SEEN)]);
    assert_eq!(happened[1], [Happened::Verified, Happened::Disputed]);
    assert_eq!((other.state, other.claimed_at), (State::Disputed, None));
    // The holder, whose record is gone, has its whole clock.
    let (mut holder, happened) = challenged(&claimed(), start().plus(11 * HOUR));
    assert_eq!((holder.state, happened), (State::AtRisk, vec![Happened::AtRisk]));
    assert_eq!(holder.deadline(), Some(start().plus(11 * HOUR + 14 * DAY)));
    let happened = story(&mut holder, false, &[(12, Found::Absent), (24 * 13, Found::Absent)]);
    assert_eq!((happened, holder.state), (vec![vec![], vec![]], State::AtRisk));
    // The other side waits for the operator, also when the holder has lost it.
    let weeks: Vec<_> = (1..60).map(|day| (day * 24, SEEN)).collect();
    assert!(story(&mut other, false, &weeks).iter().all(Vec::is_empty));
    assert_eq!(other.state, State::Disputed);
    assert_eq!(settle(&other, start().plus(90 * DAY)).map(|proof| proof.state), Some(State::Claimed));
}

#[test]
fn a_holder_that_shows_its_proof_is_not_at_risk_any_more() {
    let (mut holder, _) = challenged(&claimed(), start().plus(11 * HOUR));
    assert_eq!(story(&mut holder, false, &[(12, SEEN)]), [[Happened::Recovered]]);
}

#[test]
fn second_observations_come_soon_and_daily_ones_are_spread() {
    let next = |proof: &DomainProof, found, seed| {
        let check = Check { at: start().plus(HOUR), found, held_by_another: false, seed };
        judge(proof, &check).0.next_check_at.since(check.at)
    };
    let pending = added(ClaimMode::Auto);
    assert!(next(&pending, Found::Absent, 0) <= Duration::from_secs(600), "somebody waits");
    assert!((HOUR..2 * HOUR).contains(&next(&pending, SEEN, 255)));
    let (early, late) = (next(&claimed(), SEEN, 0), next(&claimed(), SEEN, 255));
    assert!(early < late && early >= 22 * HOUR && late <= 25 * HOUR, "{early:?} {late:?}");
}

fn any_found() -> impl Strategy<Value = Found> {
    prop_oneof![Just(SEEN), Just(Found::Proof(ProofMethod::Https)), Just(Found::Absent), Just(Found::Unclear)]
}

proptest! {
    /// Over any course of checks: what is won and what is lost took two observations an hour apart and, for a loss, its weeks.
    #[test]
    fn c6_nothing_is_won_or_lost_by_one_observation(checks in prop::collection::vec((1_u64..400_000, any_found(), any::<bool>()), 1..60)) {
        let mut proof = added(ClaimMode::Auto);
        let mut at = start();
        let (mut seen, mut missing): (Vec<Timestamp>, Vec<Timestamp>) = (Vec::new(), Vec::new());
        for (seconds, found, held_by_another) in checks {
            at = at.plus(Duration::from_secs(seconds));
            match found {
                Found::Proof(_) => { seen.push(at); missing.clear() }
                Found::Absent => { missing.push(at); seen.clear() }
                Found::Unclear => {}
            }
            let apart = |list: &[Timestamp], span| list.first().is_some_and(|first| at.since(*first) >= span);
            let (next, happened) = judge(&proof, &Check { at, found, held_by_another, seed: 0 });
            for what in happened {
                match what {
                    Happened::Verified | Happened::Claimed => prop_assert!(apart(&seen, APART)),
                    Happened::Suspended | Happened::Unclaimed => {
                        prop_assert!(apart(&missing, APART));
                        prop_assert!(proof.deadline().is_none_or(|deadline| at >= deadline.plus(APART)));
                    }
                    _ => {}
                }
            }
            prop_assert!(!(next.state.holds() && !proof.state.holds() && held_by_another), "a holder loses nothing to another");
            prop_assert_eq!(next.state.holds(), next.claimed_at.is_some());
            prop_assert!(next.state.is_over() || next.next_check_at > at);
            proof = next;
        }
    }
}
