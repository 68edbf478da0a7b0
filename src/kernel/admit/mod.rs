//! Phase B: a proof came back, or a login session stands for one. Who gets in: one pure, total function over facts.
//!
//! Rules only ever object. A person is let in when the linking decision names an account and no rule objects, so a new rule can
//! lock people out but never let anyone in. All rules are asked every time, so the trace is the whole answer to "why was this
//! refused?"; the lowest rule is the one that is shown. B1 for proofs is the judge's: without a [`Proof`](super::proof::Proof)
//! there is nothing to decide.
//!
//! # Adding a rule
//! One file here with a `RULE`, one line in [`RULES`], in the order of the rules' numbers.

mod admitted;
mod allow;
mod authority;
mod facts;
mod inactive;
mod network;
mod new_password;
mod no_account;
mod one_address;
mod password_dead;
mod reroute;
mod second_step;
mod stale;
mod standing_evidence;
mod third_party;
mod two_organizations;
mod weak_proof;

pub use admitted::{Admitted, Draft, Entry, Person, Proved, Record, Terms};
pub use facts::{Candidate, ComesFrom, Evidence, Facts, LinkFact, LocalFacts, PasswordState};
pub(in crate::kernel) use third_party::{allows as third_party_allows, third_party as third_party_of};

use super::linking;
use super::model::Catalog;
use super::refusal::Refusal;
use super::values::DirectoryId;

/// What is to be done, and every rule's answer.
#[derive(Clone, Debug)]
pub struct Decision {
    /// What is to be done.
    pub outcome: Outcome,
    /// One line per rule, in the order asked: `B2 reroute: pass`. Stable names; no secrets, nothing to replay (rule M20).
    pub trace: Vec<String>,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// B13, HANDOVER 2: the person is known.
    Session(Admitted),
    /// B20: link the identity to the account, then as `Session`.
    Link(Admitted),
    /// B24: make an account with this identity, then as `Session`.
    Create(Admitted),
    /// B2: the policy names this directory; go there.
    Reroute(DirectoryId),
    /// Almost: the person must do this first, and is then decided about again.
    Need(Need),
    /// Turned away. For a session, [`Refusal::LoginRequired`], [`Refusal::StaleProof`] and [`Refusal::WeakProof`] say that a
    /// fresh proof may help.
    Refuse(Refusal),
}

impl Outcome {
    /// In a word, for people who compare two decisions: `enter`, `directory acme`, or the code of the refusal.
    pub fn word(&self, catalog: &Catalog) -> String {
        match self {
            Self::Session(_) | Self::Link(_) | Self::Create(_) => "enter".to_owned(),
            Self::Reroute(to) => match catalog.directories.get(to) {
                Some(directory) => format!("directory {}", directory.name),
                None => "another directory".to_owned(),
            },
            Self::Need(need) => need.refusal().code().to_owned(),
            Self::Refuse(refusal) => refusal.code().to_owned(),
        }
    }
}

/// What a person who is otherwise let in must do first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Need {
    /// B9: take our own second step, or enrol one.
    SecondStep,
    /// B10: set a new password.
    NewPassword,
    /// B11: move the record to the one account; nothing else is opened before.
    Move,
    /// B22: show that the record at the product is theirs.
    LocalProof,
    /// B21: the same, or say that it is not: then it is put aside, and the person begins anew.
    LocalProofOrNew,
    /// B23: the address was given up by an account: log in to that one, or begin anew.
    GivenUp,
}

impl Need {
    /// What it is where it cannot be done.
    pub const fn refusal(self) -> Refusal {
        match self {
            Self::SecondStep => Refusal::SecondStep,
            Self::NewPassword => Refusal::NewPassword,
            Self::Move => Refusal::MoveFirst,
            Self::LocalProof | Self::LocalProofOrNew => Refusal::LocalProof,
            Self::GivenUp => Refusal::GivenUp,
        }
    }
}

/// What a rule says when it objects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Objection {
    Reroute(DirectoryId),
    Need(Need),
    Refuse(Refusal),
}

/// A rule that can object, and nothing else.
struct Rule {
    /// Its row and name in traces.
    name: &'static str,
    objection: fn(&Facts<'_>) -> Option<Objection>,
}

/// All of them; the lowest row first, because the first objection is the one that is shown.
const RULES: [Rule; 15] = [
    standing_evidence::RULE,
    reroute::RULE,
    two_organizations::RULE,
    authority::RULE,
    third_party::RULE,
    inactive::RULE,
    password_dead::RULE,
    no_account::RULE,
    network::RULE,
    weak_proof::RULE,
    stale::RULE,
    second_step::RULE,
    new_password::RULE,
    one_address::RULE,
    allow::RULE,
];

/// Decides. Every rule is asked, then the linking decision; an objection stands above whatever linking says.
pub fn decide(facts: &Facts<'_>) -> Decision {
    let mut trace = Vec::with_capacity(RULES.len() + 1);
    let mut shown = None;
    for rule in &RULES {
        let objection = (rule.objection)(facts);
        trace.push(format!("{}: {}", rule.name, explain(objection)));
        shown = shown.or(objection);
    }
    let (row, linking) = linking::link(facts);
    trace.push(format!("{row}: {}", linking.word()));
    let outcome = match shown {
        Some(Objection::Reroute(directory)) => Outcome::Reroute(directory),
        Some(Objection::Need(need)) => Outcome::Need(need),
        Some(Objection::Refuse(refusal)) => Outcome::Refuse(refusal),
        None => admitted::outcome(facts, linking),
    };
    Decision { outcome, trace }
}

fn explain(objection: Option<Objection>) -> String {
    match objection {
        None => "pass".to_owned(),
        Some(Objection::Reroute(directory)) => format!("go to directory {directory}"),
        Some(Objection::Need(need)) => need.refusal().code().to_owned(),
        Some(Objection::Refuse(refusal)) => refusal.code().to_owned(),
    }
}

#[cfg(test)]
mod doors;
#[cfg(test)]
mod enumerated;
#[cfg(test)]
mod stories;
#[cfg(test)]
pub(in crate::kernel) mod world;
