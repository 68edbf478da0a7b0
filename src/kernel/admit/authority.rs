//! B3: an organization's directory brings in only people of its own domains, exact names, claim not suspended (§4 #4, #5). Who is
//! linked in this directory already is known by that link; the address is not consulted.
use super::{Evidence, Facts, Objection, Rule};
use crate::kernel::model::Method;
use crate::kernel::refusal::Refusal;

pub(super) const RULE: Rule = Rule { name: "B3 authority", objection };

fn objection(facts: &Facts<'_>) -> Option<Objection> {
    let Evidence::Proof(_) = facts.evidence else { return None };
    let asks = match facts.method() {
        Method::OrgSso => facts.link().is_none(),
        Method::Issuer
        | Method::ThirdParty
        | Method::Password
        | Method::Passkey
        | Method::Reset
        | Method::Recovery
        | Method::Adapter
        | Method::Emergency => false,
    };
    let speaks = facts.asserted().is_some_and(|email| facts.authority(email).is_some());
    (asks && !speaks).then_some(Objection::Refuse(Refusal::Authority))
}
