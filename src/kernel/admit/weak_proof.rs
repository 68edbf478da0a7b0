//! B9: what the directory and every governing policy require in `amr` must stand in this proof. A policy's demand holds for
//! whatever way its people come, or another provider would be the way around it.
use super::{Facts, Objection, Rule};
use crate::kernel::refusal::Refusal;

pub(super) const RULE: Rule = Rule { name: "B9 weak-proof", objection };

fn objection(facts: &Facts<'_>) -> Option<Objection> {
    let of_directory = facts.directory().map(|directory| &directory.protocol.settings().require_amr);
    let governing = facts.governing();
    let of_policies = governing.iter().map(|held| &held.policy().require_amr);
    let strong = of_directory.into_iter().chain(of_policies).flatten().all(|value| facts.amr().contains(value));
    (!strong).then_some(Objection::Refuse(Refusal::WeakProof))
}
