//! B4: third parties only where every governing policy allows this one; and for managed people only with an address of the
//! organization, so that a personal identity linked before the claim opens nothing (rule M7).
use super::{Evidence, Facts, Objection, Rule};
use crate::kernel::model::{Method, ThirdPartyRule};
use crate::kernel::refusal::Refusal;
use crate::kernel::standing::{Management, management};
use crate::kernel::values::{DirectoryName, ThirdPartyName};

pub(super) const RULE: Rule = Rule { name: "B4 third-party", objection };

fn objection(facts: &Facts<'_>) -> Option<Objection> {
    match facts.method() {
        Method::ThirdParty => {}
        Method::OrgSso
        | Method::Issuer
        | Method::Password
        | Method::Passkey
        | Method::Reset
        | Method::Recovery
        | Method::Adapter
        | Method::Emergency => return None,
    }
    let name = facts.directory().and_then(|directory| third_party(&directory.name));
    let fits = facts.governing().iter().all(|held| allows(&held.policy().third_party, name) && is_theirs(facts, held));
    (!fits).then_some(Objection::Refuse(Refusal::ThirdParty))
}

/// Which third party a directory is.
pub(in crate::kernel) fn third_party(directory: &DirectoryName) -> Option<&ThirdPartyName> {
    match directory {
        DirectoryName::ThirdParty(name) => Some(name),
        DirectoryName::Issuer | DirectoryName::Org(..) | DirectoryName::Local(_) | DirectoryName::Here => None,
    }
}

/// Whether a policy lets its people use a third party.
pub(in crate::kernel) fn allows(rule: &ThirdPartyRule, name: Option<&ThirdPartyName>) -> bool {
    match rule {
        ThirdPartyRule::None => false,
        ThirdPartyRule::Any => name.is_some(),
        ThirdPartyRule::Only(names) => name.is_some_and(|name| names.contains(name)),
    }
}

/// Whether the identity is one of the organization's. A session asserts no address: one from before the claim was never asked
/// this, so it does not count.
fn is_theirs(facts: &Facts<'_>, held: &Management<'_>) -> bool {
    match facts.evidence {
        Evidence::Session { session, .. } => session.created_at >= held.claim.claimed_at,
        Evidence::Proof(_) => facts
            .asserted()
            .and_then(|email| management(facts.catalog, email))
            .is_some_and(|asserted| asserted.org.name == held.org.name),
    }
}
