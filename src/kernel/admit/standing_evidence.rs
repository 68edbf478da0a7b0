//! The evidence itself must stand under the configuration of now: its directory is still there and is what it says it is
//! (rules M4, H21), and a session is one that phase C would let go on (HANDOVER 2).
use super::{Evidence, Facts, Objection, Rule};
use crate::kernel::live::{LoginFacts, LoginLive, Why, login_live};
use crate::kernel::refusal::{ProofFault, Refusal};
use crate::kernel::standing;

pub(super) const RULE: Rule = Rule { name: "B1 evidence", objection };

fn objection(facts: &Facts<'_>) -> Option<Objection> {
    let kind_holds = facts.directory().is_some_and(|directory| standing::method_of(directory) == facts.method());
    match facts.evidence {
        Evidence::Proof(_) if kind_holds => None,
        Evidence::Proof(_) => Some(Objection::Refuse(Refusal::Proof(ProofFault::Directory))),
        Evidence::Session { session, account, .. } => {
            let asked =
                LoginFacts { now: facts.now, catalog: facts.catalog, login: session, account, further: facts.further };
            match login_live(&asked) {
                // A policy that names another directory is B2's to answer, which knows where to go.
                LoginLive::Continue { .. } | LoginLive::Login(Why::Policy) if kind_holds => None,
                LoginLive::Continue { .. } | LoginLive::Login(_) => Some(Objection::Refuse(Refusal::LoginRequired)),
                LoginLive::End(refusal) => Some(Objection::Refuse(refusal)),
            }
        }
    }
}
