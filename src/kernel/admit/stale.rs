//! HANDOVER 5, M6: a proof that is older than the absolute limit makes a session that has ended already. A new one is asked with
//! `max_age`; a provider that answers from its old session does not count as fresh.
use super::{Facts, Objection, Rule, admitted};
use crate::kernel::refusal::Refusal;

pub(super) const RULE: Rule = Rule { name: "B9 stale-proof", objection };

fn objection(facts: &Facts<'_>) -> Option<Objection> {
    let bounds = admitted::strictest(facts);
    let ended = facts.now >= facts.auth_time().plus(bounds.absolute);
    ended.then_some(Objection::Refuse(Refusal::StaleProof))
}
