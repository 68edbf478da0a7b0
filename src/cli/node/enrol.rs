//! What the configuration names gets its row in the store: an id for each directory, the time since when each domain is held and
//! each policy holds, and the keys. Every change of it is an event.

use super::NotStarted;
use crate::config::{DraftCatalog, DraftDirectory, DraftPolicy, fingerprint, policy_fingerprint};
use crate::entropy::random;
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::journal::{Batch, Change, DomainRow, KeyRow, PolicyRow, Revocation};
use crate::kernel::model::{Catalog, DirectoryRow};
use crate::kernel::values::{DirectoryId, DomainName, EventId, OrgName, PolicyName, Timestamp};
use crate::keys::{Kek, Keys};
use crate::store::{Store, Unavailable};
use std::collections::HashMap;
use std::iter;

/// A configuration with its rows.
pub(super) struct Enrolled {
    pub catalog: Catalog,
    pub keys: Keys,
}

/// Brings the store in line with the configuration, in one batch, and joins both to a catalog.
pub(super) async fn enrol(
    store: &dyn Store,
    kek: &Kek,
    draft: DraftCatalog,
    now: Timestamp,
    version: u64,
) -> Result<Enrolled, NotStarted> {
    let mut batch = Batch::default();
    let joined = Joined::load(store, &draft, now, &mut batch).await?;
    let stored = store.keys().await.map_err(|why| NotStarted(why.to_string()))?;
    let rows = keys(kek, &draft, &joined.directories, stored, now, &mut batch)?;
    let is_news = !batch.changes.is_empty();
    if is_news {
        store.commit(batch).await.map_err(|why| NotStarted::new("the configuration cannot be recorded", &why))?;
    }
    let keys = Keys::open(kek, &rows).map_err(|why| NotStarted::new("the stored keys cannot be opened", &why))?;
    Ok(Enrolled { catalog: joined.catalog(draft, version)?, keys })
}

/// The catalog that a gateway with this configuration would have now. Nothing is recorded: what has no row yet gets an id that is
/// forgotten again.
pub(in crate::cli) async fn foresee(
    store: &dyn Store,
    draft: DraftCatalog,
    now: Timestamp,
) -> Result<Catalog, NotStarted> {
    let joined = Joined::load(store, &draft, now, &mut Batch::default()).await?;
    joined.catalog(draft, 0)
}

/// What the store says of what is configured.
struct Joined {
    directories: HashMap<Key, DirectoryId>,
    domains: HashMap<DomainName, Timestamp>,
    policies: HashMap<Which, (Timestamp, u32)>,
    now: Timestamp,
}

impl Joined {
    /// Reads it; what is new goes into the batch.
    async fn load(
        store: &dyn Store,
        draft: &DraftCatalog,
        now: Timestamp,
        batch: &mut Batch,
    ) -> Result<Self, NotStarted> {
        let unavailable = |why: Unavailable| NotStarted(why.to_string());
        Ok(Self {
            directories: directories(draft, &store.directories().await.map_err(unavailable)?, now, batch),
            domains: domains(draft, store.domains().await.map_err(unavailable)?, now, batch),
            policies: policies(draft, store.policies().await.map_err(unavailable)?, now, batch),
            now,
        })
    }

    fn catalog(&self, draft: DraftCatalog, version: u64) -> Result<Catalog, NotStarted> {
        let id_of = |directory: &DraftDirectory| self.directories.get(&fingerprint_of(directory)).copied();
        let unnamed = draft.directories.iter().find(|directory| id_of(directory).is_none());
        if let Some(directory) = unnamed {
            return Err(NotStarted(format!("the directory {} has no row", directory.name)));
        }
        Ok(draft.into_catalog(
            // Every directory has its row: that was asked above.
            |directory| id_of(directory).unwrap_or(DirectoryId::from_bytes([0; 16])),
            |domain, _| self.domains.get(domain).copied().unwrap_or(self.now),
            |org, name| self.policies.get(&(org.clone(), name.clone())).copied().unwrap_or((self.now, 0)),
            version,
        ))
    }
}

type Key = (String, [u8; 32]);

fn fingerprint_of(directory: &DraftDirectory) -> Key {
    (directory.name.to_string(), fingerprint(directory))
}

fn event(now: Timestamp, action: Action) -> AuditEvent {
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
        created.after = directory
            .protocol
            .settings()
            .map(|settings| serde_json::json!({ "issuer": settings.issuer, "client_id": settings.client_id }));
        batch.events.push(created);
        known.insert(key, id);
    }
    known
}

fn domains(
    draft: &DraftCatalog,
    rows: Vec<DomainRow>,
    now: Timestamp,
    batch: &mut Batch,
) -> HashMap<DomainName, Timestamp> {
    let stored: HashMap<DomainName, DomainRow> = rows.into_iter().map(|row| (row.domain.clone(), row)).collect();
    let mut held = HashMap::new();
    for (org, domain) in draft.orgs.iter().flat_map(|org| org.domains.iter().map(move |(domain, _)| (org, domain))) {
        match stored.get(domain) {
            Some(row) if row.org == org.name => held.insert(domain.clone(), row.claimed_at),
            // New here, or another organization's until now: authority begins now and never reaches back (rule C6).
            other => {
                if other.is_some() {
                    batch.changes.push(Change::DropDomain(domain.clone()));
                }
                let row = DomainRow { domain: domain.clone(), org: org.name.clone(), claimed_at: now };
                batch.changes.push(Change::PutDomain(row));
                batch.events.push(domain_event(now, Action::DomainClaimed, domain, &org.name));
                batch.revocations.push(Revocation::Organization(org.name.clone()));
                held.insert(domain.clone(), now)
            }
        };
    }
    for row in stored.values().filter(|row| !held.contains_key(&row.domain)) {
        batch.changes.push(Change::DropDomain(row.domain.clone()));
        batch.events.push(domain_event(now, Action::DomainUnclaimed, &row.domain, &row.org));
        batch.revocations.push(Revocation::Organization(row.org.clone()));
    }
    held
}

fn domain_event(now: Timestamp, action: Action, domain: &DomainName, org: &OrgName) -> AuditEvent {
    let mut event = event(now, action);
    event.org = Some(org.to_string());
    event.after = Some(serde_json::json!({ "domain": domain.as_str() }));
    event
}

/// Which policy: of whom, and its name.
type Which = (OrgName, PolicyName);

fn policies(
    draft: &DraftCatalog,
    rows: Vec<PolicyRow>,
    now: Timestamp,
    batch: &mut Batch,
) -> HashMap<Which, (Timestamp, u32)> {
    let stored: HashMap<Which, PolicyRow> =
        rows.into_iter().map(|row| ((row.org.clone(), row.name.clone()), row)).collect();
    let mut in_force = HashMap::new();
    for org in &draft.orgs {
        for policy in iter::once(&org.policy).chain(org.policies.iter().map(|(_, policy)| policy)) {
            let which = (org.name.clone(), policy.name.clone());
            let held = holds(&which, policy, stored.get(&which), now, batch);
            in_force.insert(which, held);
        }
    }
    in_force
}

/// Since when a policy holds, and its epoch; a change of it is put down.
fn holds(
    (org, name): &Which,
    policy: &DraftPolicy,
    before: Option<&PolicyRow>,
    now: Timestamp,
    batch: &mut Batch,
) -> (Timestamp, u32) {
    let fingerprint = policy_fingerprint(policy);
    if let Some(row) = before.filter(|row| row.fingerprint == fingerprint) {
        return (row.changed_at, row.epoch);
    }
    let epoch = before.map_or(1, |row| row.epoch.saturating_add(1));
    let row = PolicyRow { org: org.clone(), name: name.clone(), fingerprint, epoch, changed_at: now };
    batch.changes.push(Change::PutPolicy(row));
    let mut updated = event(now, Action::PolicyUpdated);
    updated.org = Some(org.to_string());
    updated.after = Some(serde_json::json!({
        "policy": name.as_str(), "epoch": epoch, "sso": format!("{:?}", policy.sso).to_lowercase(),
    }));
    batch.events.push(updated);
    batch.revocations.push(Revocation::Organization(org.clone()));
    (now, epoch)
}

/// The stored keys and those that are missing: at the first start all, later a new directory's.
fn keys(
    kek: &Kek,
    draft: &DraftCatalog,
    directories: &HashMap<Key, DirectoryId>,
    mut rows: Vec<KeyRow>,
    now: Timestamp,
    batch: &mut Batch,
) -> Result<Vec<KeyRow>, NotStarted> {
    let signs = draft
        .directories
        .iter()
        .filter(|directory| directory.protocol.settings().is_some_and(|settings| settings.client_auth.is_by_key()));
    let clients = signs.filter_map(|directory| directories.get(&fingerprint_of(directory)).copied());
    let wanted = Keys::wanted(clients);
    let made = Keys::missing(kek, &rows, &wanted, now, &mut || random())
        .map_err(|why| NotStarted::new("keys cannot be made", &why))?;
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
