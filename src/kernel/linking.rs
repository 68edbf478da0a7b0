//! The linking decision, B13 to B25: a proof or a session, and what there is → whom to use, link, or make. First match wins.
//!
//! It says what to do with an unopposed proof and cannot override an objection. An address routes; it names an account only under
//! B20, where the directory has authority over it and the account was in use under that authority (rule C6). A record that still has
//! a password of its own moves to the one account with the login (B14, B20), or once its owner has proved both sides (B22).
//! Whoever was asked for a proof of an old account may say instead that it is not theirs: one that never proved its address is put
//! aside (B21), one that gave its address up is left alone (B23), and the person begins anew. Of
//! several accounts one that has a password here can be proved (B18). Deliberately absent: merges.

use super::admit::{Candidate, Draft, Evidence, Facts, LinkFact, Need};
use super::migration::PROOF_LIFE;
use super::model::{
    Account, Directory, IdentityKey, LinkedBy, LinkedIdentity, Method, MigrationPhase, ProductAccount,
    ProductAccountState, Relinking, Signup, Sso, Trigger,
};
use super::refusal::Refusal;
use super::relink::window_for;
use super::standing::{Demand, Management, management};
use super::values::{DirectoryId, DirectoryName, EmailAddress, Timestamp};
use std::time::Duration;

/// How far before a domain's claim a login or a proof still counts as use under that claim (rule C6): 180 days.
const BEFORE_CLAIM: Duration = Duration::from_secs(180 * 24 * 3600);

/// Google's issuer: the one third party with authority, and only over its own mail domain (rule C6 b; never by `hd`).
const GOOGLE: &str = "https://accounts.google.com";
/// That domain.
const GMAIL: &str = "gmail.com";

/// What to do with an unopposed proof.
#[derive(Clone, Debug)]
pub(super) enum Linking {
    /// This account.
    Use(Account),
    /// This account, after linking the identity to it.
    Link(Account, IdentityKey),
    /// This account, after moving its record to the one account; the identity is linked first where it is not.
    Move(Account, Option<(IdentityKey, LinkedBy)>, Trigger),
    /// A new account.
    Create(Draft, IdentityKey),
    /// The same, after putting this account aside (B21).
    Replace(Account, Draft, IdentityKey),
    /// Almost: this first.
    Need(Need),
    /// Nobody.
    Refuse(Refusal),
}

impl Linking {
    /// For traces.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Use(_) => "session",
            Self::Link(..) => "link and session",
            Self::Move(..) => "move and session",
            Self::Create(..) => "create",
            Self::Replace(..) => "quarantine and create",
            Self::Need(need) => need.refusal().code(),
            Self::Refuse(refusal) => refusal.code(),
        }
    }
}

/// Decides. The row that matched stands beside the answer.
pub(super) fn link(facts: &Facts<'_>) -> (&'static str, Linking) {
    match facts.evidence {
        Evidence::Session { account, .. } if !facts.method().is_by_provider() => by_account(facts, Some(account)),
        Evidence::Session { account, identities, .. } => by_session(facts, account, identities),
        Evidence::Proof(_) if !facts.method().is_by_provider() => by_account(facts, facts.account()),
        Evidence::Proof(proof) => match facts.link() {
            Some(fact) => by_link(facts, fact),
            None => by_address(facts, &proof.claims().identity, proof.claims().name.as_ref()),
        },
    }
}

/// B11 and B12: a credential that is kept here names its account, and no link is asked for. Where the product's accounts must move, it
/// opens nothing but the way there.
fn by_account(facts: &Facts<'_>, account: Option<&Account>) -> (&'static str, Linking) {
    let Some(account) = account else { return ("B7", Linking::Refuse(Refusal::NoAccount)) };
    match facts.record().map(|record| record.state) {
        Some(ProductAccountState::Local | ProductAccountState::Migrating)
            if facts.method().is_local() && phase(facts) == MigrationPhase::Forced =>
        {
            ("B11", Linking::Need(Need::Move))
        }
        Some(ProductAccountState::Local | ProductAccountState::Migrating) => ("B12", Linking::Use(account.clone())),
        // What the gateway keeps for people at the login host opens what they have, as any login there does.
        Some(ProductAccountState::Linked) if !facts.method().is_local() => ("B12", Linking::Use(account.clone())),
        Some(ProductAccountState::Linked | ProductAccountState::Merged(_)) => {
            ("B6", Linking::Refuse(Refusal::PasswordDead))
        }
        Some(ProductAccountState::Closed) => ("B5", Linking::Refuse(Refusal::Inactive)),
        None => known(facts, account),
    }
}

/// HANDOVER 2: the session stands for the proof while the link that it was made by still opens the account.
fn by_session(facts: &Facts<'_>, account: &Account, identities: &[LinkedIdentity]) -> (&'static str, Linking) {
    let directory = facts.directory_id();
    let holds = |link: &LinkedIdentity| link.key.directory == directory && link.account == account.id;
    match identities.iter().find(|link| holds(link)) {
        None => ("HANDOVER 2", Linking::Refuse(Refusal::LoginRequired)),
        Some(link) if is_suspended(facts, link) => ("HANDOVER 2", Linking::Refuse(Refusal::Authority)),
        Some(_) => known(facts, account),
    }
}

fn by_link(facts: &Facts<'_>, fact: &LinkFact) -> (&'static str, Linking) {
    match facts.account() {
        _ if is_suspended(facts, &fact.link) => ("B13", Linking::Refuse(Refusal::Authority)),
        None => ("B16", Linking::Refuse(Refusal::BrokenLink)),
        Some(account) => known(facts, account),
    }
}

/// A link is suspended where the store says so, and where another organization manages the account now: links of its former
/// manager's directories open nothing, whether or not the store has caught up (rule C2).
fn is_suspended(facts: &Facts<'_>, link: &LinkedIdentity) -> bool {
    let managed = facts.managed();
    let owner = facts.catalog.directories.get(&link.key.directory).and_then(|directory| directory.org());
    let foreign = owner.is_some_and(|owner| !managed.is_empty() && managed.iter().all(|held| held.org.name != *owner));
    link.suspended || foreign
}

/// B13 and B14, by the state of the record at the product; without a record, whether one may be made.
fn known(facts: &Facts<'_>, account: &Account) -> (&'static str, Linking) {
    match facts.record().map(|record| record.state) {
        Some(ProductAccountState::Linked) => ("B13", Linking::Use(account.clone())),
        Some(ProductAccountState::Local | ProductAccountState::Migrating) => ("B14", by_local(facts, account)),
        Some(ProductAccountState::Merged(_)) => ("B15", Linking::Refuse(Refusal::Conflict)),
        Some(ProductAccountState::Closed) => ("B5", Linking::Refuse(Refusal::Inactive)),
        None if facts.product.is_none() || may_join(facts) => ("B13", Linking::Use(account.clone())),
        None => ("B25", Linking::Refuse(Refusal::NoAccount)),
    }
}

/// B14: the identity is the person's own already, and their record at the product still has a password. A fresh proof moves it.
fn by_local(facts: &Facts<'_>, account: &Account) -> Linking {
    let (Some(trigger), Some(record)) = (trigger(facts), facts.record()) else {
        return Linking::Refuse(Refusal::LocalProof);
    };
    if !is_fresh(facts) {
        return Linking::Refuse(Refusal::StaleProof);
    }
    // Whoever enrolled a second step is asked for it, at the product's door (rule H1).
    if facts.local.enrolled && !facts.has_stepped(account.id) && !is_owned(facts, account, record, true) {
        return Linking::Need(Need::LocalProof);
    }
    Linking::Move(account.clone(), None, trigger)
}

/// Why a record would move with this proof; `None`: it does not, the product's accounts stay where they are.
fn trigger(facts: &Facts<'_>) -> Option<Trigger> {
    let enforced = facts.governing().iter().any(
        |held| matches!(held.demand(facts.catalog), Demand::Enforced(directory) if directory == facts.directory_id()),
    );
    match facts.method() {
        // The password page is gone for these people (A2): their company's directory is the one way in, whatever the phase.
        Method::OrgSso if enforced => Some(Trigger::OrgSso),
        _ if phase(facts) == MigrationPhase::Off => None,
        Method::OrgSso => Some(Trigger::OrgSso),
        Method::Issuer | Method::ThirdParty => Some(Trigger::ThirdParty),
        Method::Password | Method::Passkey | Method::Reset | Method::Recovery | Method::Adapter | Method::Emergency => {
            None
        }
    }
}

fn phase(facts: &Facts<'_>) -> MigrationPhase {
    facts.product.map(|product| product.migration.phase_at(facts.now)).unwrap_or_default()
}

/// A session stands for no fresh proof, and a provider that answers from its own old session gives none (§3.3, rule M6).
fn is_fresh(facts: &Facts<'_>) -> bool {
    matches!(facts.evidence, Evidence::Proof(_)) && facts.now.since(facts.auth_time()) <= PROOF_LIFE
}

/// Whether the record's owner has just proved that it is theirs (B22), with the second step where they enrolled one.
fn is_owned(facts: &Facts<'_>, account: &Account, record: &ProductAccount, enrolled: bool) -> bool {
    let owner = facts.local.owner.filter(|owner| owner.is_of(account.id, account.epoch, record.id));
    owner.is_some_and(|owner| owner.stepped() || !enrolled || facts.has_stepped(account.id))
}

fn by_address(facts: &Facts<'_>, key: &IdentityKey, name: Option<&String>) -> (&'static str, Linking) {
    let Some(email) = facts.asserted().filter(|_| facts.asserted_is_proved()) else {
        return ("B17", Linking::Refuse(Refusal::EmailProof));
    };
    let mut candidates = facts.candidates();
    match (candidates.next(), candidates.next()) {
        (Some(_), Some(_)) => ("B18", by_several(facts, key)),
        (Some(only), None) => by_candidate(facts, key, only, (email, name)),
        (None, _) if may_create(facts, email) && !is_declined(facts, facts.given_up()) => {
            ("B23", Linking::Need(Need::GivenUp))
        }
        (None, _) if may_create(facts, email) => {
            ("B24", Linking::Create(Draft { email: email.clone(), name: name.cloned() }, key.clone()))
        }
        (None, _) => ("B25", Linking::Refuse(Refusal::NoAccount)),
    }
}

/// Whether the person was asked about the record of this account and said that it is not theirs, or there is none to ask about.
fn is_declined(facts: &Facts<'_>, old: Option<&Candidate>) -> bool {
    old.is_none_or(|old| old.product_account.as_ref().is_some_and(|record| facts.local.disowned == Some(record.id)))
}

/// B18: no word about an address tells several accounts apart. Whoever has a record with a password here can prove that one, and it
/// alone is asked about: nothing is said of the others.
fn by_several(facts: &Facts<'_>, key: &IdentityKey) -> Linking {
    let meant = facts.meant().and_then(|meant| Some((meant, meant.product_account.as_ref()?)));
    let (Some((meant, record)), Some(trigger)) = (meant, trigger(facts)) else {
        return Linking::Refuse(Refusal::SeveralAccounts);
    };
    // Another of them is somebody else of this directory already: that is not settled here (B19).
    if facts.candidates().any(|one| one.identities.iter().any(|link| link.key.directory == key.directory)) {
        return Linking::Refuse(Refusal::Conflict);
    }
    if !is_fresh(facts) {
        return Linking::Refuse(Refusal::StaleProof);
    }
    if is_owned(facts, &meant.account, record, meant.enrolled) {
        return Linking::Move(meant.account.clone(), Some((key.clone(), LinkedBy::Owner)), trigger);
    }
    Linking::Need(Need::LocalProof)
}

fn by_candidate(
    facts: &Facts<'_>,
    key: &IdentityKey,
    candidate: &Candidate,
    (email, name): (&EmailAddress, Option<&String>),
) -> (&'static str, Linking) {
    let taken_over = takes_over(facts, candidate, email);
    if taken_over.is_none() && candidate.identities.iter().any(|link| link.key.directory == key.directory) {
        return ("B19", Linking::Refuse(Refusal::Conflict));
    }
    let record = candidate.product_account.as_ref();
    let fits = taken_over.is_some() || fits(facts, candidate, email, None);
    if let Some(record) = record.filter(|record| is_local(record)) {
        return by_local_candidate(facts, key, (candidate, record), ((email, name), fits));
    }
    if !fits {
        return ("B22", Linking::Refuse(Refusal::LocalProof));
    }
    if facts.product.is_some() && record.is_none() && !may_join(facts) {
        return ("B25", Linking::Refuse(Refusal::NoAccount));
    }
    let row = if taken_over.is_some() { "RELINK" } else { "B20" };
    (row, Linking::Link(candidate.account.clone(), key.clone()))
}

/// Whether the address is enough to say that the account is the person's. `let_go`: the directory whose link is taken over.
fn fits(facts: &Facts<'_>, candidate: &Candidate, email: &EmailAddress, let_go: Option<DirectoryId>) -> bool {
    let is_alive = candidate.product_account.as_ref().is_none_or(|record| match record.state {
        ProductAccountState::Local | ProductAccountState::Migrating | ProductAccountState::Linked => true,
        ProductAccountState::Merged(_) | ProductAccountState::Closed => false,
    });
    let is_own = |link: &LinkedIdentity| let_go == Some(link.key.directory) || is_trusted(facts, link, email);
    candidate.account.email_verified
        && candidate.account.email.as_ref() == Some(email)
        && is_alive
        && facts.has_authority_over_asserted()
        && is_in_use(facts, &candidate.account, email)
        && candidate.further.iter().all(|address| is_held_alike(facts, address, email))
        && candidate.identities.iter().all(is_own)
}

/// The window by which this login takes the person's link over from another directory of the organization, and that link (behaviour,
/// Relink). As under B20, the address must be the account's own and the directory's to speak for.
pub(super) fn takes_over<'f>(
    facts: &'f Facts<'_>,
    candidate: &'f Candidate,
    email: &EmailAddress,
) -> Option<(&'f Relinking, &'f LinkedIdentity)> {
    let at = (facts.catalog, facts.directory_id(), facts.now);
    let account = &candidate.account;
    let found = window_for(&facts.windows, at, (account.id, account.status, &candidate.identities))?;
    fits(facts, candidate, email, Some(found.1.key.directory)).then_some(found)
}

fn is_local(record: &ProductAccount) -> bool {
    matches!(record.state, ProductAccountState::Local | ProductAccountState::Migrating)
}

/// B20 and B22 for a record that still has a password: with authority over its address it moves with the login, else its owner shows
/// first that it is theirs.
fn by_local_candidate(
    facts: &Facts<'_>,
    key: &IdentityKey,
    (candidate, record): (&Candidate, &ProductAccount),
    ((email, name), fits): ((&EmailAddress, Option<&String>), bool),
) -> (&'static str, Linking) {
    let account = &candidate.account;
    let Some(trigger) = trigger(facts) else { return ("B22", Linking::Refuse(Refusal::LocalProof)) };
    let row = if fits { "B20" } else { "B22" };
    // Under an address that the account never had, a company's people go nowhere by their own word (rule C3, row T20).
    if !candidate.is_named(email) && !is_unmanaged(facts, candidate, email) {
        return (row, Linking::Refuse(Refusal::Conflict));
    }
    if !is_fresh(facts) {
        return (row, Linking::Refuse(Refusal::StaleProof));
    }
    if is_owned(facts, account, record, candidate.enrolled) {
        return (row, Linking::Move(account.clone(), Some((key.clone(), LinkedBy::Owner)), trigger));
    }
    if fits && (!candidate.enrolled || facts.has_stepped(account.id)) {
        return (row, Linking::Move(account.clone(), Some((key.clone(), LinkedBy::Authority)), trigger));
    }
    if !may_be_set_aside(facts, (candidate, record), email) {
        return (row, Linking::Need(Need::LocalProof));
    }
    match is_declined(facts, Some(candidate)) {
        true => {
            let draft = Draft { email: email.clone(), name: name.cloned() };
            ("B21", Linking::Replace(account.clone(), draft, key.clone()))
        }
        false => ("B21", Linking::Need(Need::LocalProofOrNew)),
    }
}

/// Whether no organization manages any address of either side (row T22).
fn is_unmanaged(facts: &Facts<'_>, candidate: &Candidate, email: &EmailAddress) -> bool {
    let own = candidate.account.email.iter().chain(&candidate.further);
    own.chain([email]).all(|address| management(facts.catalog, address).is_none())
}

/// B21: nothing about the account was ever proved by anybody whose word counts, the directory has authority over its address, and the
/// person could begin anew. A record that is on its way belongs to whoever proved it.
fn may_be_set_aside(
    facts: &Facts<'_>,
    (candidate, record): (&Candidate, &ProductAccount),
    email: &EmailAddress,
) -> bool {
    !candidate.account.email_verified
        && candidate.account.email.as_ref() == Some(email)
        && candidate.further.is_empty()
        && record.state == ProductAccountState::Local
        && facts.has_authority_over_asserted()
        && !candidate.identities.iter().any(|link| is_trusted(facts, link, email))
        && may_create(facts, email)
}

/// Rule C6 (a): all proved addresses of the candidate are the same organization's, or nobody's: who has authority over one of
/// them has none over another's.
fn is_held_alike(facts: &Facts<'_>, address: &EmailAddress, email: &EmailAddress) -> bool {
    let holder = |address| management(facts.catalog, address).map(|held| &held.org.name);
    holder(address) == holder(email)
}

/// Rule C6 (a): used, or its address proved, after the domain's claim or at most 180 days before it. An address that nobody
/// claims has no claim to be older than.
fn is_in_use(facts: &Facts<'_>, account: &Account, email: &EmailAddress) -> bool {
    let Some(held) = management(facts.catalog, email) else { return true };
    let since = held.claim.claimed_at.minus(BEFORE_CLAIM);
    let recent = |time: Option<Timestamp>| time.is_some_and(|time| time >= since);
    recent(account.last_login_at) || recent(account.email_proved_at)
}

/// Whether an identity that the candidate already has could only be its owner's: a third party that merely claims to know the
/// address may have planted the account before its owner came (§4 #2).
fn is_trusted(facts: &Facts<'_>, link: &LinkedIdentity, email: &EmailAddress) -> bool {
    let Some(directory) = facts.catalog.directories.get(&link.key.directory) else { return false };
    match &directory.name {
        DirectoryName::Issuer => true,
        DirectoryName::ThirdParty(_) => is_google_for(directory, email),
        DirectoryName::Org(org, _) => management(facts.catalog, email).is_some_and(|held| held.org.name == *org),
        // Local credentials are no identities of anybody else.
        DirectoryName::Local(_) | DirectoryName::Here => false,
    }
}

fn is_google_for(directory: &Directory, email: &EmailAddress) -> bool {
    directory.protocol.settings().is_some_and(|settings| settings.issuer == GOOGLE) && email.domain().as_str() == GMAIL
}

impl Facts<'_> {
    /// Whether the proving directory has authority over the asserted address: an organization's own for its linked domains; the
    /// issuer with an explicit `true`; Google, with an explicit `true`, for addresses at its own mail domain.
    pub(in crate::kernel) fn has_authority_over_asserted(&self) -> bool {
        let (Some(email), Some(directory)) = (self.asserted(), self.directory()) else { return false };
        self.asserted_is_proved()
            && match self.method() {
                Method::OrgSso | Method::Issuer | Method::Reset => true,
                Method::ThirdParty => is_google_for(directory, email),
                Method::Password | Method::Passkey | Method::Recovery | Method::Adapter | Method::Emergency => false,
            }
    }
}

/// B24: whether this proof may make an account.
///
/// - An organization's own directory: for its linked, claimed, unsuspended domains while the policy uses single sign-on at all,
///   unless the product's `signup` is closed. Whether the organization may enter is `allow`'s to say.
/// - The issuer, with a proved address: as [`may_join`] says.
/// - A third party, with a proved address: where `signup` is open, or the operator's `allow.people` names the address. That an
///   organization manages the address is not enough: what a third party says about a company's address is not the company's word.
///
/// At the login host alone, only an organization's own directory: nobody else has a reason to have an account without a product.
fn may_create(facts: &Facts<'_>, email: &EmailAddress) -> bool {
    let signup = facts.product.map(|product| product.signup);
    // A suspended claim makes nobody new a member, by whatever way (§3.0).
    if management(facts.catalog, email).is_some_and(|held| held.claim.suspended) {
        return false;
    }
    match facts.method() {
        Method::OrgSso => {
            let live = |held: Management<'_>| held.policy().sso != Sso::Off;
            signup != Some(Signup::Closed) && facts.authority(email).is_some_and(live)
        }
        Method::Issuer => may_join(facts),
        Method::ThirdParty => signup == Some(Signup::Open) || (signup == Some(Signup::Org) && is_named(facts)),
        Method::Password | Method::Passkey | Method::Reset | Method::Recovery | Method::Adapter | Method::Emergency => {
            false
        }
    }
}

/// Whether a person may get a record at the product by logging in. `org` means people whom an organization manages (which ones
/// may enter is `allow`'s to say) and people whom the operator named one by one: naming somebody is inviting them.
fn may_join(facts: &Facts<'_>) -> bool {
    match facts.product.map(|product| product.signup) {
        None | Some(Signup::Closed) => false,
        Some(Signup::Open) => true,
        Some(Signup::Org) => !facts.managed().is_empty() || is_named(facts),
    }
}

fn is_named(facts: &Facts<'_>) -> bool {
    facts.product.is_some_and(|product| facts.entrant(|entrant| entrant.is_named(&product.allow)))
}
