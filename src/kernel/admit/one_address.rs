//! H19: an address that a product has seen with one user id is never asserted there with another, or a product that goes by
//! address would hand the old person's things to the new one.
use super::{Facts, Objection, Rule};
use crate::kernel::refusal::Refusal;

pub(super) const RULE: Rule = Rule { name: "B19 one-address", objection };

fn objection(facts: &Facts<'_>) -> Option<Objection> {
    facts.product?;
    let remembered = facts.address_taken.as_ref()?;
    let same = facts.record().is_some_and(|record| record.sub == *remembered);
    (!same).then_some(Objection::Refuse(Refusal::Conflict))
}
