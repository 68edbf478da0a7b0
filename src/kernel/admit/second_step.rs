//! B9: our own second step, where a policy requires it, where a person who enrolled one logs in by a credential that is kept here,
//! and for acts that a mailbox or a provider alone must not do to somebody who enrolled one: a reset, a link (rule H1).
//!
//! The directory that the policy names answers for its own people (`require_amr` asks it); no other provider does.
use super::{Evidence, Facts, Need, Objection, Rule};
use crate::kernel::linking::{self, Linking};
use crate::kernel::model::{AccountStatus, Method, SecondStep};
use crate::kernel::standing::{self, Demand, Management};

pub(super) const RULE: Rule = Rule { name: "B9 second-step", objection };

fn objection(facts: &Facts<'_>) -> Option<Objection> {
    let taken = facts.stepped_at().is_some();
    (is_asked(facts) && !taken).then_some(Objection::Need(Need::SecondStep))
}

fn is_asked(facts: &Facts<'_>) -> bool {
    let governing = facts.governing();
    let policy = standing::second_step(facts.catalog, &governing);
    let enrolled = facts.local.enrolled;
    match facts.method() {
        // Of the directory that its organization's policy names.
        Method::OrgSso if is_by_policy(facts) => links_enrolled(facts) || is_demanded(facts),
        // Who is let in by nothing yet is not asked: what comes first may show who they are.
        Method::OrgSso | Method::Issuer | Method::ThirdParty => {
            (policy == SecondStep::Required && facts.stepper().is_some()) || links_enrolled(facts) || is_demanded(facts)
        }
        Method::Password | Method::Adapter | Method::Recovery => match policy {
            SecondStep::Required => true,
            SecondStep::Optional => enrolled,
            SecondStep::Off => false,
        },
        Method::Reset => policy == SecondStep::Required || enrolled,
        // The authenticator has verified its person: two factors in one.
        Method::Passkey => false,
        Method::Emergency => true,
    }
}

/// Whether the enrolled second step of the account that is entered is asked for by what its person is about to do.
fn is_demanded(facts: &Facts<'_>) -> bool {
    facts.local.demands_step && facts.local.enrolled && facts.stepper().is_some()
}

fn is_by_policy(facts: &Facts<'_>) -> bool {
    let governing = facts.governing();
    let names_it = |held: &Management<'_>| match held.demand(facts.catalog) {
        Demand::Enforced(named) | Demand::Offered(named) => named == facts.directory_id(),
        Demand::Off | Demand::Unusable => false,
    };
    !governing.is_empty() && governing.iter().all(names_it)
}

/// Whether this proof would be linked to somebody who enrolled a second step: whoever has the mailbox alone must not do that.
fn links_enrolled(facts: &Facts<'_>) -> bool {
    let Evidence::Proof(_) = facts.evidence else { return false };
    match linking::link(facts).1 {
        Linking::Link(account, _) => {
            account.status == AccountStatus::Active
                && facts.candidates().any(|candidate| candidate.account.id == account.id && candidate.enrolled)
        }
        // Asks for the second step itself, at the product's door (B14, B22).
        Linking::Move(..) | Linking::Need(_) => false,
        Linking::Use(_) | Linking::Create(..) | Linking::Replace(..) | Linking::Refuse(_) => false,
    }
}
