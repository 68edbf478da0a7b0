//! B2a: addresses of one person in two organizations that both enforce: nobody enters until it is settled who manages (rule C3).
use super::{Facts, Objection, Rule};
use crate::kernel::model::Sso;
use crate::kernel::refusal::Refusal;

pub(super) const RULE: Rule = Rule { name: "B2a two-organizations", objection };

fn objection(facts: &Facts<'_>) -> Option<Objection> {
    let enforcing = facts.governing().iter().filter(|held| held.policy().sso == Sso::Enforced).count();
    (enforcing > 1).then_some(Objection::Refuse(Refusal::TwoOrganizations))
}
