//! B2: a policy that enforces single sign-on is met by the very directory that it names, and by nothing else (rule C2). The one
//! exception is an emergency login of somebody whom the policy itself names for it (rule H3).
//!
//! Where two organizations enforce, neither is a place to send the person to: B2a answers.
use super::{Facts, Objection, Rule};
use crate::kernel::model::Method;
use crate::kernel::refusal::Refusal;
use crate::kernel::standing::Demand;

pub(super) const RULE: Rule = Rule { name: "B2 reroute", objection };

fn objection(facts: &Facts<'_>) -> Option<Objection> {
    let governing = facts.governing();
    let mut enforcing = governing
        .iter()
        .filter(|held| !(facts.method() == Method::Emergency && held.breaks_glass(&facts.addresses())))
        .map(|held| held.demand(facts.catalog))
        .filter(|demand| matches!(demand, Demand::Enforced(_) | Demand::Unusable));
    match (enforcing.next(), enforcing.next()) {
        (Some(Demand::Enforced(named)), None) => (named != facts.directory_id()).then_some(Objection::Reroute(named)),
        (Some(Demand::Unusable), None) => Some(Objection::Refuse(Refusal::ProviderUnavailable)),
        (None | Some(_), _) => None,
    }
}
