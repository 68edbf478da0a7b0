//! A change of one organization: looked at whole before anything is written, then written whole.
//!
//! The version, the rows that follow from it, the word to every node and the event with before and after are one commit. What the
//! change gives away is refused until its code is repeated (E-LOOSER); what would lock an organization out, and enforcing a
//! directory that has let nobody in lately, are refused too (E-LOCKOUT, E-DRY-RUN).

use super::document::{Document, Mistake, secret_kind};
use super::draft::{DraftCatalog, DraftOrg};
use super::enrol::{Enrolled, Fault, Mode, Stored, join};
use super::loosen::{Loosening, confirmation, loosened};
use super::{Orgs, lockout};
use crate::entropy::random;
use crate::kernel::event::{Action, Actor, AuditEvent, Client, Outcome};
use crate::kernel::journal::{Batch, Change, OrganizationChange, OrganizationVersion, Revocation};
use crate::kernel::values::{EventId, OrgName, Secret, Timestamp};
use crate::keys::{Kek, KeyFault, Keys};
use crate::store::{NotCommitted, Store, Unavailable};
use serde_json::{Map, Value};

/// People are counted up to this many, organization by organization.
const COUNTED: usize = 100_000;

/// Who changes something, for the version and the event.
#[derive(Clone, Debug)]
pub struct Author {
    /// For the event.
    pub actor: Actor,
    /// For the version, for people.
    pub by: String,
    /// Where it came from.
    pub client: Option<Client>,
    /// The request.
    pub correlation: Option<String>,
}

/// A change of one organization that somebody proposes.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// Whose.
    pub org: OrgName,
    /// The version that it was decided on; 0: there is none yet. None: whatever holds now.
    pub on: Option<u32>,
    /// What shall hold; none: the organization is removed.
    pub document: Option<Document>,
    /// What was done, for people.
    pub what: String,
    /// The event's action.
    pub action: Action,
    /// Secrets of directories that are new: the directory's name and the secret.
    pub secrets: Vec<(String, Secret)>,
    /// What else belongs to the same commit.
    pub with: Batch,
    /// The code that confirms what is given away.
    pub confirmed: Option<String>,
    /// Whether it may lock the organization out.
    pub accept_lockout: bool,
}

/// How many people a change is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum People {
    /// At least this many, who have logged in here.
    Known(usize),
    /// Nobody of them has logged in here yet.
    Unknown,
}

/// What a change would do.
#[derive(Debug)]
pub struct Outlook {
    /// The version that it would be.
    pub version: OrganizationVersion,
    /// What it gives away.
    pub loosens: Vec<Loosening>,
    /// The code that confirms that.
    pub code: String,
    /// How many people the organization has.
    pub people: People,
    /// The organization as it is; none: there is none yet.
    pub before: Option<DraftOrg>,
    /// The organization as it would be; none: removed.
    pub after: Option<DraftOrg>,
    batch: Batch,
}

/// Why a change is not made.
#[derive(Debug)]
pub enum Refused {
    /// It was decided on an older version; this one holds.
    Stale(u32),
    /// What is wrong with it.
    Mistakes(Vec<Mistake>),
    /// It gives something away that was not confirmed.
    Looser(Box<Outlook>),
    /// Nobody could administer the organization any more.
    Lockout(String),
    /// Single sign-on is to be enforced by a directory that has let nobody in lately.
    DryRun(String),
    /// It cannot be said now.
    Fault(Fault),
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Unavailable> for Refused {
    fn from(fault: Unavailable) -> Self {
        Self::Fault(fault.into())
    }
}

impl From<KeyFault> for Refused {
    fn from(fault: KeyFault) -> Self {
        Self::Fault(fault.into())
    }
}

impl From<NotCommitted> for Refused {
    fn from(fault: NotCommitted) -> Self {
        Self::Fault(fault.into())
    }
}

impl Orgs {
    /// Looks at a change without making it.
    ///
    /// # Errors
    /// [`Refused`], but for what only stands in the way of making it: that is in the outlook.
    pub async fn look(
        &self,
        (store, kek): (&dyn Store, &Kek),
        proposal: &Proposal,
        author: &Author,
        now: Timestamp,
    ) -> Result<Outlook, Refused> {
        let stored = Stored::load(store).await?;
        let floor = self.floor();
        let before = join(&stored, kek, (&floor, self.reads()), Mode::Lead, now)?;
        let (next, version, batch) = next(&stored, kek, proposal, author, now)?;
        let after = join(&next, kek, (&floor, self.reads()), Mode::Lead, now)?;
        if let Some((_, mistakes)) = after.broken.iter().find(|(org, _)| *org == proposal.org) {
            return Err(Refused::Mistakes(mistakes.clone()));
        }
        let loosens = loosened(&before.draft, &after.draft);
        let people = people(store, [&before, &after].map(|side| find(&side.draft, &proposal.org))).await?;
        let org = find(&after.draft, &proposal.org).cloned();
        let batch = whole(batch, (&stored, &after), proposal, (&version, author));
        let code = confirmation(&loosens);
        let before = find(&before.draft, &proposal.org).cloned();
        Ok(Outlook { version, loosens, code, people, before, after: org, batch })
    }

    /// What stands in the way of a change besides what it gives away.
    ///
    /// # Errors
    /// [`Unavailable`]: the store does not answer.
    pub async fn stands_in_the_way(
        &self,
        store: &dyn Store,
        outlook: &Outlook,
        proposal: &Proposal,
        now: Timestamp,
    ) -> Result<Option<Refused>, Unavailable> {
        let Some(after) = &outlook.after else { return Ok(None) };
        let floor = self.floor();
        let below = find(&floor, &proposal.org);
        lockout::check(store, [below, outlook.before.as_ref()], after, (proposal.accept_lockout, now)).await
    }

    /// Makes a change.
    ///
    /// # Errors
    /// [`Refused`]; nothing was changed then.
    pub async fn change(
        &self,
        (store, kek): (&dyn Store, &Kek),
        proposal: &Proposal,
        author: &Author,
        now: Timestamp,
    ) -> Result<OrganizationVersion, Refused> {
        let outlook = self.look((store, kek), proposal, author, now).await?;
        self.carry_out(store, outlook, proposal, now).await
    }

    /// Makes a change that was looked at.
    ///
    /// # Errors
    /// [`Refused`]; nothing was changed then.
    pub async fn carry_out(
        &self,
        store: &dyn Store,
        outlook: Outlook,
        proposal: &Proposal,
        now: Timestamp,
    ) -> Result<OrganizationVersion, Refused> {
        if !outlook.loosens.is_empty() && proposal.confirmed.as_deref() != Some(outlook.code.as_str()) {
            return Err(Refused::Looser(Box::new(outlook)));
        }
        if let Some(refused) = self.stands_in_the_way(store, &outlook, proposal, now).await? {
            return Err(refused);
        }
        match store.commit(outlook.batch).await {
            Ok(_) => Ok(outlook.version),
            Err(NotCommitted::Conflict(_)) => {
                let newest = Stored::load(store).await?;
                Err(Refused::Stale(newest.version_of(&proposal.org)))
            }
            Err(why) => Err(why.into()),
        }
    }
}

/// The store as it would be, the version, and what is written beside it: the change is read last, so that what it takes from
/// another organization is its own mistake.
fn next(
    stored: &Stored,
    kek: &Kek,
    proposal: &Proposal,
    author: &Author,
    now: Timestamp,
) -> Result<(Stored, OrganizationVersion, Batch), Refused> {
    let newest = stored.version_of(&proposal.org);
    if proposal.on.is_some_and(|on| on != newest) {
        return Err(Refused::Stale(newest));
    }
    if proposal.document.as_ref().is_some_and(|document| document.has(&["domains"])) {
        return Err(Refused::Mistakes(vec![Mistake {
            code: "E-UNKNOWN-KEY",
            what: "`domains` is the file's: at run time a domain is proved".to_owned(),
            write: "add it by POST /organizations/NAME/domains".to_owned(),
        }]));
    }
    let mut next = stored.clone();
    let mut batch = proposal.with.clone();
    let mut document = proposal.document.clone();
    for (directory, secret) in &proposal.secrets {
        let kind = secret_kind(&proposal.org, directory);
        let generation = stored.keys.iter().filter(|row| row.kind == kind).map(|row| row.generation).max();
        let generation = generation.unwrap_or(0).saturating_add(1);
        let row = kek.seal_item(&kind, generation, secret.expose().as_bytes(), now)?;
        next.keys.push(row.clone());
        batch.changes.push(Change::PutKey(row));
        if let Some(document) = &mut document {
            let place = ["directory", directory, "client_secret"];
            document.put(&place, serde_json::json!({ "generation": generation }));
        }
    }
    let text = document.as_ref().map(Document::text);
    let mut version = OrganizationVersion {
        org: proposal.org.clone(),
        version: newest.saturating_add(1),
        at: now,
        by: author.by.clone(),
        what: proposal.what.clone(),
        document: text,
        mac: [0; 32],
    };
    let keys = Keys::open(kek, &stored.keys)?;
    version.mac = keys.mac_version(&version);
    let head = keys.head_of(&version);
    next.versions.retain(|known| known.org != proposal.org);
    next.versions.push(version.clone());
    let heads = next.heads.get_or_insert_default();
    heads.retain(|known| known.org != proposal.org);
    heads.push(head.clone());
    batch.changes.push(Change::Organization(OrganizationChange::PutHead(head)));
    Ok((next, version, batch))
}

/// Everything of one change.
fn whole(
    mut batch: Batch,
    (stored, after): (&Stored, &Enrolled),
    proposal: &Proposal,
    (version, author): (&OrganizationVersion, &Author),
) -> Batch {
    batch.changes.push(Change::Organization(OrganizationChange::PutVersion(version.clone())));
    batch.changes.extend(after.batch.changes.iter().cloned());
    batch.revocations.extend(after.batch.revocations.iter().cloned());
    batch.events.extend(after.batch.events.iter().cloned());
    let word = Revocation::Organization(proposal.org.clone());
    if !batch.revocations.contains(&word) {
        batch.revocations.push(word);
    }
    let parsed = |text: Option<&String>| text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
    let was = stored.versions.iter().find(|known| known.org == proposal.org);
    let (before, now) =
        difference(&parsed(was.and_then(|was| was.document.as_ref())), &parsed(version.document.as_ref()));
    let id = EventId::mint(version.at, random());
    let mut event = AuditEvent::new(id, version.at, proposal.action, Outcome::Success);
    event.actor = Some(author.actor.clone());
    event.client.clone_from(&author.client);
    event.correlation.clone_from(&author.correlation);
    event.org = Some(proposal.org.to_string());
    event.reason = Some(proposal.what.clone());
    event.txn = Some(format!("{}#{}", proposal.org, version.version));
    event.before = Some(before);
    event.after = Some(now);
    batch.events.push(event);
    batch
}

/// What differs, on both sides: an event shows the change and not the whole document.
fn difference(before: &Value, after: &Value) -> (Value, Value) {
    let (Value::Object(was), Value::Object(is)) = (before, after) else { return (before.clone(), after.clone()) };
    let (mut left, mut right) = (Map::new(), Map::new());
    for key in was.keys().chain(is.keys().filter(|key| !was.contains_key(*key))) {
        match (was.get(key), is.get(key)) {
            (Some(one), Some(other)) if one == other => {}
            (Some(one), Some(other)) => {
                let (one, other) = difference(one, other);
                left.insert(key.clone(), one);
                right.insert(key.clone(), other);
            }
            (one, other) => {
                left.extend(one.map(|one| (key.clone(), one.clone())));
                right.extend(other.map(|other| (key.clone(), other.clone())));
            }
        }
    }
    (Value::Object(left), Value::Object(right))
}

fn find<'a>(draft: &'a DraftCatalog, org: &OrgName) -> Option<&'a DraftOrg> {
    draft.orgs.iter().find(|known| known.name == *org)
}

/// How many people organizations have here, by every domain that they have on either side of a change.
///
/// # Errors
/// [`Unavailable`]: the store does not answer.
pub async fn people<'a>(
    store: &dyn Store,
    sides: impl IntoIterator<Item = Option<&'a DraftOrg>>,
) -> Result<People, Unavailable> {
    let mut domains: Vec<_> =
        sides.into_iter().flatten().flat_map(|org| org.domains.iter()).map(|(domain, _)| domain).collect();
    domains.sort();
    domains.dedup();
    let mut count = 0;
    for domain in domains {
        count += store.count_accounts_of_domain(domain, COUNTED).await?;
    }
    Ok(if count == 0 { People::Unknown } else { People::Known(count) })
}

impl Stored {
    /// The number of an organization's newest version; 0: it never had one.
    pub fn version_of(&self, org: &OrgName) -> u32 {
        self.versions.iter().find(|known| known.org == *org).map_or(0, |known| known.version)
    }
}

impl From<Refused> for String {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Stale(version) => format!("somebody else changed it meanwhile: version {version} holds"),
            Refused::Mistakes(mistakes) => {
                let lines: Vec<String> =
                    mistakes.iter().map(|one| format!("{}: {}\n  = {}", one.code, one.what, one.write)).collect();
                lines.join("\n")
            }
            Refused::Looser(outlook) => outlook.told(),
            Refused::Lockout(why) => format!("E-LOCKOUT: {why}"),
            Refused::DryRun(why) => format!("E-DRY-RUN: {why}"),
            Refused::Fault(fault) => fault.to_string(),
        }
    }
}

impl Outlook {
    /// What is given away and by what it is confirmed.
    pub fn told(&self) -> String {
        let list: Vec<String> = self.loosens.iter().map(|one| format!("  - {one}")).collect();
        format!(
            "E-LOOSER: this gives away:\n{}\npeople: {}\nIf that is meant, repeat it with the code {}",
            list.join("\n"),
            self.people,
            self.code
        )
    }
}

impl std::fmt::Display for People {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Known(count) => write!(f, "{count}"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_shows_what_differs_on_both_sides() {
        let check = |before: Value, after: Value, expected: (Value, Value)| {
            assert_eq!(difference(&before, &after), expected);
        };
        check(json!({ "a": 1, "b": 2 }), json!({ "a": 1, "b": 3 }), (json!({ "b": 2 }), json!({ "b": 3 })));
        check(json!({ "a": 1 }), json!({ "a": 1, "c": [] }), (json!({}), json!({ "c": [] })));
        let nested = |sso: &str| json!({ "policy": { "sso": sso, "idle": 1 } });
        let shown = |sso: &str| json!({ "policy": { "sso": sso } });
        check(nested("off"), nested("enforced"), (shown("off"), shown("enforced")));
        check(Value::Null, json!({ "a": 1 }), (Value::Null, json!({ "a": 1 })));
    }
}
