//! What a login would come to: phase A and phase B of a login, asked of proofs that are only supposed.
//!
//! For explanations and plans. It is the engine of the login itself ([`identify`], [`decide`]), never a second one; but what comes
//! out are words: no admission leaves this file, so nobody is let in by a supposition. A supposed provider vouches for the typed
//! address and says what the policies ask it to; a supposed person knows their password and has not taken a second step.
//! Deliberately absent: loading what the store knows, and the sentences that people read.

mod plan;

pub use plan::{Certainty, Identity, Listed, Outlook, outlook};

use super::admit::{Candidate, ComesFrom, Evidence, Facts, LinkFact, LocalFacts, Need, Outcome, decide};
use super::identify::{Asked, Identified, Known, Lot, identify};
use super::model::{
    ACCOUNT_SOURCE, Catalog, Directory, IdentityKey, LinkedIdentity, Method, Passwords, Product, ProductAccountState,
    SubjectSource,
};
use super::proof::{Claims, Proof, Vouched};
use super::refusal::Refusal;
use super::standing::{Demand, Management, management};
use super::values::{DirectoryId, DirectoryName, EmailAddress, Timestamp};
use std::net::IpAddr;

/// A question about a typed address.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The time of the supposed login.
    pub now: Timestamp,
    /// The configuration that is asked.
    pub catalog: &'a Catalog,
    /// Where the person wants to go.
    pub product: &'a Product,
    /// The address, as typed.
    pub typed: &'a str,
    /// Everybody whom the store knows by that address, with their records at the product.
    pub people: &'a [Candidate],
    /// The user id that the product knows the address by (rule H19).
    pub taken: Option<&'a str>,
    /// Where the person would come from; none where that is not asked, and networks then turn nobody away (rule M29).
    pub client: Option<IpAddr>,
}

/// What a login would come to.
#[derive(Clone, Debug)]
pub struct Foresight {
    /// The page that the address is answered with.
    pub identified: Identified,
    /// What the policy of the address says about the way in; none where no organization holds its domain.
    pub demand: Option<Demand>,
    /// Every way that could be tried.
    pub ways: Vec<Foreseen>,
}

/// One way that could be tried.
#[derive(Clone, Debug)]
pub struct Foreseen {
    /// Where the proof would come from.
    pub directory: DirectoryId,
    /// How.
    pub method: Method,
    /// Whether the person is known to have it: a link, or a local account.
    pub has_it: bool,
    /// What would come of it.
    pub verdict: Verdict,
    /// Every rule's answer, as in the audit log.
    pub trace: Vec<String>,
}

/// What would come of a proof.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The person is in.
    Enters,
    /// The identity is linked to the account, and the person is in.
    Links,
    /// An account is made, and the person is in.
    Creates,
    /// The person is sent to this directory.
    GoesTo(DirectoryId),
    /// The person must do this first, and is in then.
    Needs(Need),
    /// Turned away.
    Refused(Refusal),
}

impl Verdict {
    /// Whether the person gets in by it, be it after a step more.
    pub const fn is_in(self) -> bool {
        match self {
            Self::Enters | Self::Links | Self::Creates | Self::Needs(_) => true,
            Self::GoesTo(_) | Self::Refused(_) => false,
        }
    }
}

/// Asks phase A, and phase B of every way that could be tried.
pub fn foresee(question: &Question<'_>) -> Foresight {
    let known = known(question.people);
    let asked = Asked {
        catalog: question.catalog,
        product: Some(question.product),
        now: question.now,
        typed: question.typed,
        known,
        lot: Lot { draw: 0, local: 0, others: 0 },
    };
    let identified = identify(&asked);
    let Ok(address) = EmailAddress::parse(question.typed) else {
        return Foresight { identified, demand: None, ways: Vec::new() };
    };
    let held = management(question.catalog, &address);
    let mut ways: Vec<Foreseen> = providers(question, held.as_ref())
        .into_iter()
        .map(|directory| by_provider(question, &address, directory))
        .collect();
    ways.extend(question.people.iter().filter_map(|person| by_password(question, person)));
    Foresight { identified, demand: held.map(|held| held.demand(question.catalog)), ways }
}

/// What phase A is told of these people.
fn known(people: &[Candidate]) -> Known {
    let record = people.iter().find_map(|person| person.product_account.as_ref());
    match (record, people.first()) {
        (Some(record), _) => Known::Record(record.state),
        (None, Some(_)) => Known::Account,
        (None, None) => Known::Nobody,
    }
}

/// The providers that could be tried: the organization's, the deployment's, and those that an account is linked in; each once.
fn providers<'a>(question: &Question<'a>, held: Option<&Management<'a>>) -> Vec<&'a Directory> {
    let own = held.into_iter().flat_map(|held| &held.org.directories);
    let linked = question.people.iter().flat_map(|person| &person.identities).map(|link| &link.key.directory);
    let all = own.chain(&question.catalog.issuer).chain(&question.catalog.third_parties).chain(linked);
    let mut found: Vec<&Directory> = Vec::new();
    for directory in all.filter_map(|id| question.catalog.directories.get(id)) {
        if directory.name.is_provider() && found.iter().all(|known| known.id != directory.id) {
            found.push(directory);
        }
    }
    found
}

fn by_provider(question: &Question<'_>, address: &EmailAddress, directory: &Directory) -> Foreseen {
    let own = |person: &&Candidate| own_link(person, directory).is_some();
    let person = question.people.iter().find(own);
    let link = person.and_then(|person| own_link(person, directory));
    let key = link.map_or_else(|| stranger(directory), |link| link.key.clone());
    let method = match directory.name {
        DirectoryName::Issuer => Method::Issuer,
        DirectoryName::ThirdParty(_) => Method::ThirdParty,
        // The last two are no providers, and are never asked here.
        DirectoryName::Org(..) | DirectoryName::Local(_) | DirectoryName::Here => Method::OrgSso,
    };
    let proof = Proof::new(Claims { amr: demanded(question, directory), ..claims(question, key, method, address) });
    let linked = link.map(|link| LinkFact { link: link.clone(), account: person.map(|person| person.account.clone()) });
    let facts = Facts { linked, candidates: question.people.to_vec(), ..facts(question, &proof, person) };
    told(&facts, directory.id, method, link.is_some())
}

/// The password of a local account, typed at the product's door.
fn by_password(question: &Question<'_>, person: &Candidate) -> Option<Foreseen> {
    let state = person.product_account.as_ref()?.state;
    let method = match (question.product.passwords, state) {
        (Passwords::None, _) | (_, ProductAccountState::Linked | ProductAccountState::Merged(_)) => return None,
        (_, ProductAccountState::Closed) => return None,
        (Passwords::Here, ProductAccountState::Local | ProductAccountState::Migrating) => Method::Password,
        (Passwords::Product, ProductAccountState::Local | ProductAccountState::Migrating) => Method::Adapter,
    };
    let directory = *question.catalog.directory_names.get(&DirectoryName::Local(question.product.name.clone()))?;
    let source = SubjectSource(ACCOUNT_SOURCE.to_owned());
    let key = IdentityKey { directory, source, subject: person.account.id.to_string() };
    let address = EmailAddress::parse(question.typed).ok()?;
    let proof = Proof::new(Claims { email: None, ..claims(question, key, method, &address) });
    let mut facts = facts(question, &proof, Some(person));
    facts.local.account = Some(person.account.clone());
    Some(told(&facts, directory, method, true))
}

fn own_link<'a>(person: &'a Candidate, directory: &Directory) -> Option<&'a LinkedIdentity> {
    person.identities.iter().find(|link| link.key.directory == directory.id && link.account == person.account.id)
}

/// An identity that nobody has: no provider's subject is empty.
fn stranger(directory: &Directory) -> IdentityKey {
    IdentityKey { directory: directory.id, source: directory.subject_source.clone(), subject: String::new() }
}

/// What the directory and the policies of everybody concerned ask to stand in `amr`.
fn demanded(question: &Question<'_>, directory: &Directory) -> Vec<String> {
    let addresses = question.people.iter().flat_map(|person| person.account.email.iter().chain(&person.further));
    let typed = EmailAddress::parse(question.typed).ok();
    let policies = addresses.chain(&typed).filter_map(|address| management(question.catalog, address));
    let settings = directory.protocol.settings();
    let mut values: Vec<String> = settings.map(|settings| settings.require_amr.clone()).unwrap_or_default();
    values.extend(policies.flat_map(|held| held.policy().require_amr.clone()));
    values
}

fn claims(question: &Question<'_>, identity: IdentityKey, method: Method, address: &EmailAddress) -> Claims {
    Claims {
        identity,
        method,
        email: Some(address.clone()),
        email_verified: Vouched::Yes,
        hosted_domain: None,
        name: None,
        groups: Vec::new(),
        amr: Vec::new(),
        acr: None,
        auth_time: question.now,
        provider_session: None,
        id_token: None,
        refreshable: None,
        name_id: None,
        session_until: None,
    }
}

fn facts<'a>(question: &Question<'a>, proof: &'a Proof, person: Option<&Candidate>) -> Facts<'a> {
    let enrolled = person.is_some_and(|person| person.enrolled);
    let record = person.and_then(|person| person.product_account.clone());
    // As the login loads it: what is the person's own is no conflict.
    let own = record.as_ref().or(match question.people {
        [only] => only.product_account.as_ref(),
        _ => None,
    });
    let taken = question.taken.filter(|sub| own.is_none_or(|own| own.sub != *sub));
    Facts {
        now: question.now,
        catalog: question.catalog,
        product: Some(question.product),
        client: question.client.map_or(ComesFrom::NoRequest, ComesFrom::Address),
        evidence: Evidence::Proof(proof),
        local: LocalFacts { enrolled, ..LocalFacts::default() },
        linked: None,
        candidates: Vec::new(),
        given_up: None,
        product_account: record,
        address_taken: taken.map(ToOwned::to_owned),
        further: person.map(|person| person.further.clone()).unwrap_or_default(),
        // Whose stones there are, nobody but a proof is asked.
        windows: Vec::new(),
        buried: false,
    }
}

fn told(facts: &Facts<'_>, directory: DirectoryId, method: Method, has_it: bool) -> Foreseen {
    let decision = decide(facts);
    let verdict = match decision.outcome {
        Outcome::Session(_) => Verdict::Enters,
        Outcome::Link(_) => Verdict::Links,
        Outcome::Create(_) => Verdict::Creates,
        Outcome::Reroute(to) => Verdict::GoesTo(to),
        Outcome::Need(need) => Verdict::Needs(need),
        Outcome::Refuse(refusal) => Verdict::Refused(refusal),
    };
    Foreseen { directory, method, has_it, verdict, trace: decision.trace }
}

#[cfg(test)]
mod tests;
