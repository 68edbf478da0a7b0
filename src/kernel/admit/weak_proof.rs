//! B9: what the directory and every governing policy require in `amr` must stand in this proof. A policy's demand holds for
//! whatever way its people come, or another provider would be the way around it. Our own second step is what `mfa` asks for; an
//! emergency login has its own, and is for the day on which nobody can say `mfa`.
use super::{Facts, Objection, Rule};
use crate::kernel::model::Method;
use crate::kernel::refusal::Refusal;

pub(super) const RULE: Rule = Rule { name: "B9 weak-proof", objection };

/// Several factors (RFC 8176).
const SEVERAL: &str = "mfa";

fn objection(facts: &Facts<'_>) -> Option<Objection> {
    let stepped = match facts.method() {
        Method::Emergency => return None,
        Method::OrgSso | Method::Issuer | Method::ThirdParty => false,
        Method::Password | Method::Reset | Method::Recovery | Method::Adapter => facts.stepped_at().is_some(),
        Method::Passkey => true,
    };
    let settings = facts.directory().and_then(|directory| directory.protocol.settings());
    let of_directory = settings.map(|settings| &settings.require_amr);
    let governing = facts.governing();
    let of_policies = governing.iter().map(|held| &held.policy().require_amr);
    let said = |value: &String| facts.amr().contains(value) || (stepped && value == SEVERAL);
    let strong = of_directory.into_iter().chain(of_policies).flatten().all(said);
    (!strong).then_some(Objection::Refuse(Refusal::WeakProof))
}
