//! M29: people of a policy with networks come from there and from nowhere else; who comes from nowhere that is known does not.
use super::{Facts, Objection, Rule};
use crate::kernel::refusal::Refusal;
use crate::kernel::standing::may_come_from;

pub(super) const RULE: Rule = Rule { name: "M29 network", objection };

fn objection(facts: &Facts<'_>) -> Option<Objection> {
    let inside = may_come_from(&facts.governing(), facts.client);
    (!inside).then_some(Objection::Refuse(Refusal::Network))
}
