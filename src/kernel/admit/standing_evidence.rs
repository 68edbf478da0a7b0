//! The evidence itself must stand under the configuration of now: its directory is still there and is what it says it is
//! (rules M4, H21), and a session is one that phase C would let go on (HANDOVER 2). A product's local credential is good at that
//! product alone, and the session that it makes stands for no other login.
use super::{Evidence, Facts, Objection, Rule};
use crate::kernel::live::{LoginFacts, LoginLive, Why, login_live};
use crate::kernel::refusal::{ProofFault, Refusal};
use crate::kernel::standing;
use crate::kernel::values::DirectoryName;

pub(super) const RULE: Rule = Rule { name: "B1 evidence", objection };

fn objection(facts: &Facts<'_>) -> Option<Objection> {
    let kind_holds = facts
        .directory()
        .is_some_and(|directory| standing::vouches(directory, facts.method()) && is_here(facts, &directory.name));
    match facts.evidence {
        Evidence::Proof(_) if kind_holds => None,
        Evidence::Proof(_) => Some(Objection::Refuse(Refusal::Proof(ProofFault::Directory))),
        Evidence::Session { session, .. } if session.confined_to.is_some() => {
            Some(Objection::Refuse(Refusal::LoginRequired))
        }
        Evidence::Session { session, account, .. } => {
            let asked =
                LoginFacts { now: facts.now, catalog: facts.catalog, login: session, account, further: &facts.further };
            match login_live(&asked) {
                // A policy that names another directory is B2's to answer, which knows where to go; the second step is B9's.
                LoginLive::Continue { .. } | LoginLive::Login(Why::Policy | Why::SecondStep) if kind_holds => None,
                LoginLive::Continue { .. } | LoginLive::Login(_) => Some(Objection::Refuse(Refusal::LoginRequired)),
                LoginLive::End(refusal) => Some(Objection::Refuse(refusal)),
            }
        }
    }
}

fn is_here(facts: &Facts<'_>, directory: &DirectoryName) -> bool {
    match directory {
        DirectoryName::Local(product) => facts.product.is_some_and(|wanted| wanted.name == *product),
        DirectoryName::Issuer | DirectoryName::ThirdParty(_) | DirectoryName::Org(..) | DirectoryName::Here => true,
    }
}
