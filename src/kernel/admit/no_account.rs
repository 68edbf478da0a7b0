//! B7: a credential that is kept here and names no account, or no record at the product whose credential it is: the words are those
//! of a wrong password. An emergency login is nobody's whom no policy names for it (rule H3).
use super::{Facts, Objection, Rule};
use crate::kernel::model::Method;
use crate::kernel::refusal::Refusal;
use crate::kernel::values::DirectoryName;

pub(super) const RULE: Rule = Rule { name: "B7 no-account", objection };

fn objection(facts: &Facts<'_>) -> Option<Objection> {
    let nobody = match facts.method() {
        Method::OrgSso | Method::Issuer | Method::ThirdParty => false,
        Method::Password | Method::Passkey | Method::Reset | Method::Recovery | Method::Adapter => {
            let at_product = facts.directory().is_some_and(|one| matches!(one.name, DirectoryName::Local(_)));
            facts.account().is_none() || (at_product && facts.record().is_none())
        }
        Method::Emergency => {
            let proved = facts.addresses();
            facts.account().is_none() || !facts.governing().iter().any(|held| held.breaks_glass(&proved))
        }
    };
    nobody.then_some(Objection::Refuse(Refusal::NoAccount))
}
