//! What is configured gets its row in the store: an id for each directory, the time since when each domain is held and each policy
//! holds, and the keys. Every change of it is an event, and all of them are one batch.

use super::Reads;
use super::document::{Document, Mistake};
use super::draft::{DraftCatalog, DraftDirectory, DraftOrg, fingerprint};
use super::overlay::overlay;
use super::phases::{self, Phases};
use super::restored;
use super::rows::{self, Violated, Which};
use crate::entropy::random;
use crate::kernel::domain::{DomainProof, State};
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::journal::{
    Batch, Change, DomainRow, KeyRow, OrganizationHead, OrganizationVersion, PolicyRow, Revocation,
};
use crate::kernel::model::{Catalog, DirectoryRow, Protocol, Since};
use crate::kernel::values::{DirectoryId, DomainName, EventId, OrgName, Secret, Timestamp};
use crate::keys::{Kek, KeyFault, Keys};
use crate::store::{NotCommitted, Store, Unavailable};
use std::collections::HashMap;

/// Why the configured world and the store cannot be joined.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The store does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// What is new could not be recorded.
    #[error("the configuration cannot be recorded: {0}")]
    NotCommitted(#[from] NotCommitted),
    /// The stored keys do not open, or new ones cannot be made.
    #[error("the stored keys cannot be used: {0}")]
    Keys(#[from] KeyFault),
    /// The file states a domain that another organization has proved (rule C6e).
    #[error(
        "E-DOMAIN-CONFLICT: [org.{file}] states {domain}, and organization {holder} has proved it; take it out of the file, or have \
         the holder give it up"
    )]
    DomainConflict {
        /// Which.
        domain: DomainName,
        /// Whose it is by the file.
        file: OrgName,
        /// Who proved it.
        holder: OrgName,
    },
    /// A bug or a broken invariant.
    #[error("{0}")]
    Broken(String),
}

/// What the store has of organizations.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Directories that ever were.
    pub directories: Vec<DirectoryRow>,
    /// Domains of the file.
    pub domains: Vec<DomainRow>,
    /// Policies.
    pub policies: Vec<PolicyRow>,
    /// Keys.
    pub keys: Vec<KeyRow>,
    /// The newest version of each document.
    pub versions: Vec<OrganizationVersion>,
    /// Which of them is the newest; none: another time than now is asked about.
    pub heads: Option<Vec<OrganizationHead>>,
    /// Proofs of domains, as they were read.
    pub proofs: Vec<DomainProof>,
    /// Phases of products that were set at run time, as they were read.
    pub phases: Option<Vec<u8>>,
    /// The word about a restore, as it was read.
    pub restored: Option<Vec<u8>>,
}

/// What proofs come to.
#[derive(Debug, Default)]
struct Judged {
    /// Those that hold a domain now.
    held: Vec<DomainProof>,
    /// Domains of rows that another hand wrote (rule H12).
    untrusted: Vec<DomainName>,
}

/// Whether this node says what holds, or follows what another one said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// A start, a reload or a change: what differs is recorded.
    Lead,
    /// Somebody else recorded it. Only a directory or a key without a row gets one: two nodes with different files must not
    /// overrule each other for ever.
    Follow,
}

/// A configured world with its rows.
pub struct Enrolled {
    /// Everything configured: the file and the documents.
    pub draft: DraftCatalog,
    /// Documents that could not be read; their organizations are shut.
    pub broken: Vec<(OrgName, Vec<Mistake>)>,
    /// What is to be recorded; empty: nothing.
    pub batch: Batch,
    /// All key rows, new ones too.
    pub keys: Vec<KeyRow>,
    ids: HashMap<Key, DirectoryId>,
    claimed: HashMap<DomainName, Timestamp>,
    suspended: Vec<DomainName>,
    /// Domains that nobody holds for certain: nobody enters by them.
    shut: Vec<DomainName>,
    policies: HashMap<Which, (Timestamp, u32, Since)>,
    /// Nobody enters at all (rule H17).
    pub shut_whole: bool,
    now: Timestamp,
}

impl Stored {
    /// Reads it.
    ///
    /// # Errors
    /// [`Unavailable`]: the store does not answer.
    pub async fn load(store: &dyn Store) -> Result<Self, Unavailable> {
        Ok(Self {
            directories: store.directories().await?,
            domains: store.domains().await?,
            policies: store.policies().await?,
            keys: store.keys().await?,
            versions: store.newest_versions().await?,
            heads: Some(store.organization_heads().await?),
            proofs: store.domain_proofs().await?,
            phases: store.setting(phases::SETTING).await?,
            restored: store.setting(restored::SETTING).await?,
        })
    }

    /// The documents in force. One whose row was written by somebody else than us, or whose newest version is gone, is as one that
    /// cannot be read: its organization is shut, and it is told (rule H12).
    ///
    /// # Errors
    /// [`KeyFault`]: the keys do not open.
    pub fn documents(&self, kek: &Kek) -> Result<Vec<(OrgName, Document)>, KeyFault> {
        if self.versions.is_empty() && self.heads.as_ref().is_none_or(Vec::is_empty) {
            return Ok(Vec::new()); // At the first start there are no keys yet.
        }
        let keys = Keys::open(kek, &self.keys)?;
        let mut found = Vec::new();
        // All of its versions are gone.
        for head in self.heads.iter().flatten() {
            if !self.versions.iter().any(|version| version.org == head.org) {
                found.push((head.org.clone(), unreadable()));
            }
        }
        for version in &self.versions {
            let ours = keys.holds_version(version) && self.is_newest(&keys, version);
            if !ours {
                tracing::error!(org = %version.org, "a stored document's MAC does not hold or it is not the newest: the database was written to");
            }
            let text = version.document.as_deref();
            match (ours, text) {
                (true, None) => {}
                (true, Some(text)) => {
                    found.push((version.org.clone(), Document::parse(text).unwrap_or_else(unreadable)))
                }
                (false, _) => found.push((version.org.clone(), unreadable())),
            }
        }
        Ok(found)
    }

    fn is_newest(&self, keys: &Keys, version: &OrganizationVersion) -> bool {
        let Some(heads) = &self.heads else { return true };
        let head = heads.iter().find(|head| head.org == version.org);
        head.is_some_and(|head| head.version == version.version && keys.holds_head(head))
    }

    /// What was written by another hand than ours: documents, domains of the file, states of policies (rule H12).
    ///
    /// # Errors
    /// [`KeyFault`]: the keys do not open.
    pub fn violated(&self, kek: &Kek) -> Result<Vec<Violated>, KeyFault> {
        let documents = self.documents(kek)?;
        let documents = documents.into_iter().filter(|(_, document)| *document == unreadable());
        let mut found: Vec<Violated> =
            documents.map(|(org, _)| Violated { org, what: "organization", name: None }).collect();
        if !self.domains.is_empty() || !self.policies.is_empty() {
            found.extend(rows::violated(&Keys::open(kek, &self.keys)?, &self.domains, &self.policies));
        }
        Ok(found)
    }

    /// The documents as they are read: each with the domains that its organization has proved. An organization of the file that has
    /// proved some has one too.
    ///
    /// # Errors
    /// [`KeyFault`]: the keys do not open.
    fn written(
        &self,
        kek: &Kek,
        floor: &DraftCatalog,
        held: &[DomainProof],
    ) -> Result<Vec<(OrgName, Document)>, KeyFault> {
        let mut documents = self.documents(kek)?;
        for proof in held {
            let known = documents.iter().any(|(org, _)| *org == proof.org);
            if !known && floor.orgs.iter().any(|org| org.name == proof.org) {
                documents.push((proof.org.clone(), Document::default()));
            }
        }
        for (org, document) in &mut documents {
            let own = held.iter().filter(|proof| proof.org == *org).map(|proof| proof.domain.to_string());
            document.put(&["domains"], own.collect::<Vec<_>>().into());
        }
        Ok(documents)
    }

    /// Which proofs hold a domain. A row that we did not write holds none, whatever it says; nor is its domain free, since a row of
    /// ours may have stood there.
    ///
    /// # Errors
    /// [`KeyFault`]: the keys do not open.
    fn judged(&self, kek: &Kek) -> Result<Judged, KeyFault> {
        let mut judged = Judged::default();
        if self.proofs.is_empty() {
            return Ok(judged); // At the first start there are no keys yet.
        }
        let keys = Keys::open(kek, &self.keys)?;
        for proof in &self.proofs {
            if !keys.holds_domain(proof) {
                tracing::error!(org = %proof.org, domain = %proof.domain, "a stored domain's MAC does not hold: nobody enters by it");
                judged.untrusted.push(proof.domain.clone());
            } else if proof.state.holds() {
                judged.held.push(proof.clone());
            }
        }
        Ok(judged)
    }

    /// The secret that a document names, opened.
    pub fn secret(&self, kek: &Kek, name: &str) -> Option<Secret> {
        let (kind, generation) = name.rsplit_once('#')?;
        let generation: u32 = generation.parse().ok()?;
        let row = self.keys.iter().find(|row| row.kind == kind && row.generation == generation)?;
        let bytes = kek.open_item(row).ok()?;
        String::from_utf8(bytes.to_vec()).ok().map(Secret::new)
    }
}

/// A document that no reader takes.
fn unreadable() -> Document {
    let mut document = Document::default();
    document.put(&["unreadable"], serde_json::Value::Bool(true));
    document
}

/// Joins the file, the documents and the rows. Nothing is written: what is new is in the batch.
///
/// # Errors
/// [`Fault`]: the keys, or a broken invariant.
pub fn join(
    stored: &Stored,
    kek: &Kek,
    (floor, reads): (&DraftCatalog, &dyn Reads),
    mode: Mode,
    now: Timestamp,
) -> Result<Enrolled, Fault> {
    let Judged { held, untrusted } = stored.judged(kek)?;
    if let Some(fault) = conflict(&held, floor) {
        return Err(fault);
    }
    let documents = stored.written(kek, floor, &held)?;
    let secrets = |name: &str| stored.secret(kek, name);
    let holds =
        |org: &OrgName, domain: &DomainName| held.iter().any(|proof| proof.org == *org && proof.domain == *domain);
    let laid = overlay((floor, reads), &documents, &secrets, &holds);
    let mut draft = laid.draft;
    let mut batch = Batch::default();
    let ids = directories(&draft, &stored.directories, now, &mut batch);
    let keys = keys(kek, &draft, &ids, stored.keys.clone(), now, &mut batch)?;
    let macs = Keys::open(kek, &keys)?;
    let set = Phases::open(stored.phases.as_deref(), &macs).map_err(|fault| Fault::Broken(fault.to_string()))?;
    set.over(&mut draft.products);
    let shut_whole = restored::is_shut(stored.restored.as_deref(), &macs);
    let mut news = Batch::default();
    // What is proved has rows of its own; these are the file's.
    let mut claimed = rows::domains(&floor.orgs, &stored.domains, (&macs, now), &mut news);
    for proof in &held {
        claimed.entry(proof.domain.clone()).or_insert(proof.claimed_at.unwrap_or(now));
    }
    let policies = rows::policies(&draft.orgs, &stored.policies, (&macs, now), &mut news);
    if mode == Mode::Lead {
        batch.changes.append(&mut news.changes);
        batch.revocations.append(&mut news.revocations);
        batch.events.append(&mut news.events);
    }
    let unnamed = draft.directories.iter().find(|directory| !ids.contains_key(&fingerprint_of(directory)));
    if let Some(directory) = unnamed {
        return Err(Fault::Broken(format!("the directory {} has no row", directory.name)));
    }
    let of_file = |domain: &DomainName| floor.orgs.iter().any(|org| org.has(domain));
    let suspended = held.iter().filter(|proof| proof.state == State::Suspended && !of_file(&proof.domain));
    let suspended = suspended.map(|proof| proof.domain.clone()).collect();
    let shut = untrusted.into_iter().filter(|domain| !draft.orgs.iter().any(|org| org.has(domain))).collect();
    Ok(Enrolled { draft, broken: laid.broken, batch, keys, ids, claimed, suspended, shut, policies, shut_whole, now })
}

/// A domain that the file states for one organization and another has proved: neither wins silently (rule C6e).
fn conflict(held: &[DomainProof], floor: &DraftCatalog) -> Option<Fault> {
    held.iter().find_map(|proof| {
        let stated = floor.orgs.iter().find(|org| org.name != proof.org && org.has(&proof.domain))?;
        Some(Fault::DomainConflict {
            domain: proof.domain.clone(),
            file: stated.name.clone(),
            holder: proof.org.clone(),
        })
    })
}

impl Enrolled {
    /// The catalog. `version` counts them.
    pub fn catalog(self, version: u64) -> Catalog {
        let Self { mut draft, ids, claimed, suspended, shut, policies, now, .. } = self;
        if !shut.is_empty() {
            let domains = shut.into_iter().map(|domain| (domain, None)).collect();
            draft.orgs.push(DraftOrg::shut(OrgName::unreadable(), domains));
        }
        let mut catalog = draft.into_catalog(
            // Every directory has its row: that was asked in `join`.
            |directory| ids.get(&fingerprint_of(directory)).copied().unwrap_or(DirectoryId::from_bytes([0; 16])),
            |domain, _| claimed.get(domain).copied().unwrap_or(now),
            |org, name| policies.get(&(org.clone(), name.clone())).cloned().unwrap_or((now, 0, Since::new())),
            version,
        );
        for domain in &suspended {
            if let Some(claim) = catalog.domains.get_mut(domain) {
                claim.suspended = true;
            }
        }
        catalog
    }
}

type Key = (String, [u8; 32]);

fn fingerprint_of(directory: &DraftDirectory) -> Key {
    (directory.name.to_string(), fingerprint(directory))
}

pub(super) fn event(now: Timestamp, action: Action) -> AuditEvent {
    AuditEvent::new(EventId::mint(now, random()), now, action, Outcome::Success)
}

fn directories(
    draft: &DraftCatalog,
    rows: &[DirectoryRow],
    now: Timestamp,
    batch: &mut Batch,
) -> HashMap<Key, DirectoryId> {
    let mut known: HashMap<Key, DirectoryId> =
        rows.iter().map(|row| ((row.name.clone(), row.fingerprint), row.id)).collect();
    for directory in &draft.directories {
        let key = fingerprint_of(directory);
        if known.contains_key(&key) {
            continue;
        }
        let id = DirectoryId::mint(now, random());
        let row = DirectoryRow { id, name: key.0.clone(), fingerprint: key.1, created_at: now };
        batch.changes.push(Change::RegisterDirectory(row));
        let mut created = event(now, Action::DirectoryCreated);
        created.directory = Some(key.0.clone());
        created.after = match &directory.protocol {
            Protocol::Oidc(settings) | Protocol::Oauth2Userinfo(settings, _) => {
                Some(serde_json::json!({ "issuer": settings.issuer, "client_id": settings.client_id }))
            }
            Protocol::Saml(settings) => Some(serde_json::json!({ "saml": settings.metadata.to_string() })),
            Protocol::Local => None,
        };
        batch.events.push(created);
        known.insert(key, id);
    }
    known
}

/// The stored keys and those that are missing: at the first start all, later a new directory's.
fn keys(
    kek: &Kek,
    draft: &DraftCatalog,
    directories: &HashMap<Key, DirectoryId>,
    mut rows: Vec<KeyRow>,
    now: Timestamp,
    batch: &mut Batch,
) -> Result<Vec<KeyRow>, KeyFault> {
    let signs = draft
        .directories
        .iter()
        .filter(|directory| directory.protocol.settings().is_some_and(|settings| settings.client_auth.is_by_key()));
    let clients = signs.filter_map(|directory| directories.get(&fingerprint_of(directory)).copied());
    let wanted = Keys::wanted(clients);
    let made = Keys::missing(kek, &rows, &wanted, now, &mut || random())?;
    if !made.is_empty() {
        let mut rotated = event(now, Action::KeysRotated);
        let names: Vec<String> = made.iter().map(|row| format!("{}#{}", row.kind, row.generation)).collect();
        rotated.after = Some(serde_json::json!({ "made": names }));
        batch.events.push(rotated);
        batch.revocations.push(Revocation::Keys);
    }
    batch.changes.extend(made.iter().cloned().map(Change::PutKey));
    rows.extend(made);
    Ok(rows)
}
