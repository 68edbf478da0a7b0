//! Who may enter this product. The last objection: the person has learned nothing about the product's list before being proved.
use super::{Facts, Objection, Rule};
use crate::kernel::refusal::Refusal;

pub(super) const RULE: Rule = Rule { name: "allow", objection };

fn objection(facts: &Facts<'_>) -> Option<Objection> {
    let product = facts.product?;
    let enters = facts.entrant(|entrant| entrant.may_enter(&product.allow));
    (!enters).then_some(Objection::Refuse(Refusal::NotAllowed))
}
