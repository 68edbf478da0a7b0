//! B10: a local password that is older than the policy lets one be, or weaker than it asks, opens the page that sets a new one and
//! nothing else.
use super::{Facts, Need, Objection, Rule};
use crate::kernel::model::Method;
use crate::kernel::standing;

pub(super) const RULE: Rule = Rule { name: "B10 new-password", objection };

fn objection(facts: &Facts<'_>) -> Option<Objection> {
    let typed = match facts.method() {
        Method::Password => facts.local.password?,
        // What the product keeps is the product's to judge; a reset has just set one; the others are no passwords.
        Method::OrgSso
        | Method::Issuer
        | Method::ThirdParty
        | Method::Passkey
        | Method::Reset
        | Method::Recovery
        | Method::Adapter
        | Method::Emergency => return None,
    };
    let rule = standing::password_rule(facts.catalog, &facts.governing());
    let expired = rule.expire.is_some_and(|after| facts.now >= typed.set_at.plus(after));
    (expired || typed.score < rule.min_score).then_some(Objection::Need(Need::NewPassword))
}
