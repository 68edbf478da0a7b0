//! M29: people of a policy with networks come from there and from nowhere else; who comes from nowhere that is known does not.
use super::{ComesFrom, Facts, Objection, Rule};
use crate::kernel::refusal::Refusal;
use crate::kernel::standing::may_come_from;

pub(super) const RULE: Rule = Rule { name: "M29 network", objection };

fn objection(facts: &Facts<'_>) -> Option<Objection> {
    let inside = match facts.client {
        ComesFrom::Address(client) => may_come_from(&facts.governing(), Some(client)),
        ComesFrom::Unknown => may_come_from(&facts.governing(), None),
        ComesFrom::NoRequest => true,
    };
    (!inside).then_some(Objection::Refuse(Refusal::Network))
}
