//! The session check of the data path: from a cookie to an admitted session, without the store while the lease is fresh.
//!
//! A cached answer is judged again by the kernel as soon as the configuration changes or the time comes at which the answer could
//! change; in between a request costs one keyed hash and one look-up. What is read from the store is entered here *before* it is
//! used, and read once more if a revocation was applied meanwhile, so that none falls between reading and entering.

use super::identity::{Who, fields};
use super::key_bits::KeyBits;
use super::lease::Lease;
use super::registry::{Open, Registry};
use super::world::World;
use crate::audit::Sampled;
use crate::entropy::random;
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::journal::Batch;
use crate::kernel::live::{Live as Standing, LiveFacts, live};
use crate::kernel::model::{Account, Catalog, LoginSession, Outage, Product, ProductAccount, ProductSession};
use crate::kernel::values::{EventId, LoginSessionId, ProductSessionId, SessionKey, Timestamp, Token};
use crate::store::{Touch, Unavailable};
use crate::web::{Admission, Ask, Identity, LiveSession, Sessions};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Sessions kept in memory; more are read from the store again.
const CACHED: u64 = 1_000_000;
/// An assertion is minted at most this often for a session and product.
const MINT_EVERY: Duration = Duration::from_secs(60);
/// Activity is noted in memory at most this often.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// Activity is written at most this often, or every tenth of the idle limit if that is longer.
const WRITE_EVERY: Duration = Duration::from_secs(60);

/// Live sessions of this process.
pub struct Live {
    pub(super) world: Arc<World>,
    pub(super) lease: Lease,
    pub(super) registry: Registry,
    cache: moka::sync::Cache<SessionKey, Arc<Entry>, KeyBits>,
    parents: moka::sync::Cache<LoginSessionId, Arc<AtomicI64>>,
    /// Counts applied revocations; a reading during which it moved is not trusted.
    pub(super) applied: AtomicU64,
    pub(super) touches: Mutex<Vec<Touch>>,
    /// What [`Self::end_fallen`] goes through. Not the cache: that one evicts, and is emptied when it is distrusted.
    watched: Mutex<HashMap<ProductSessionId, Arc<Entry>>>,
}

/// A session as read from the store, and what was made of it.
struct Entry {
    session: ProductSession,
    login: LoginSession,
    account: Account,
    record: ProductAccount,
    live: Arc<LiveSession>,
    /// Activity in the login session, shared by all its children here.
    parent_seen: Arc<AtomicI64>,
    /// The catalog that it was judged under, and until when that holds.
    version: AtomicU64,
    until: AtomicI64,
    /// The same for what is open in it, which is judged without a request.
    watched: AtomicU64,
    watched_until: AtomicI64,
    written: AtomicI64,
}

impl Live {
    /// Nothing is live yet.
    pub fn new(world: Arc<World>) -> Self {
        Self {
            world,
            lease: Lease::default(),
            registry: Registry::default(),
            cache: moka::sync::Cache::builder().max_capacity(CACHED).build_with_hasher(KeyBits::default()),
            parents: moka::sync::Cache::builder().max_capacity(CACHED).build(),
            applied: AtomicU64::new(0),
            touches: Mutex::new(Vec::new()),
            watched: Mutex::default(),
        }
    }

    /// Sessions known here.
    pub fn open_sessions(&self) -> usize {
        self.registry.len()
    }

    /// Sessions in the cache, more or less.
    pub(super) fn cached_sessions(&self) -> u64 {
        self.cache.entry_count()
    }

    /// Whether answers from memory are fresh.
    pub fn is_fresh(&self) -> bool {
        self.lease.is_fresh(self.world.clock.since_boot())
    }

    /// How long ago the lease lapsed.
    pub fn lapsed_for(&self) -> Option<Duration> {
        self.lease.lapsed_for(self.world.clock.since_boot())
    }

    /// The login session with the activity that this process saw in its children (its row is written lossily).
    pub(super) fn with_activity(&self, mut session: LoginSession) -> LoginSession {
        if let Some(seen) = self.parents.get(&session.id) {
            session.last_seen = session.last_seen.max(Timestamp::from_millis(seen.load(Ordering::Relaxed)));
        }
        session
    }

    /// Has everything judged and read again; what is open stays open while it lives.
    pub(super) fn distrust(&self) {
        self.cache.invalidate_all();
    }

    async fn read(&self, ask: &Ask<'_>, key: &SessionKey) -> Result<Option<Rows>, Unavailable> {
        let store = &self.world.store;
        let Some(session) = store.product_session(key).await? else { return Ok(None) };
        let is_here = session.product == *ask.product && session.host == *ask.host;
        if !is_here || !self.world.keys.holds_product(&session) {
            if is_here {
                self.violated(ask, "product session").await?;
            }
            return Ok(None);
        }
        let Some(login) = store.login_session_by_id(session.parent).await? else { return Ok(None) };
        if !self.world.keys.holds_login(&login) {
            self.violated(ask, "login session").await?;
            return Ok(None);
        }
        let Some(account) = store.account(session.account).await? else { return Ok(None) };
        let Some(record) = store.product_account_by_id(session.product_account).await? else { return Ok(None) };
        Ok(Some(Rows { session, login, account, record }))
    }

    /// A row whose MAC does not hold opens nothing, and is an event of the highest severity (rule H12). Its cookie may come with
    /// every request, so it is told like a stranger's refusal: the first few whole, then counted (rule M15).
    async fn violated(&self, ask: &Ask<'_>, what: &str) -> Result<(), Unavailable> {
        tracing::error!(what, product = %ask.product, "a stored row's MAC does not hold: the database was written to");
        self.world.tally.integrity_violated();
        let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        if matches!(self.world.sampler.take("integrity", nowhere, ask.now), Sampled::Counted) {
            return Ok(());
        }
        let id = EventId::mint(ask.now, random());
        let mut event = AuditEvent::new(id, ask.now, Action::IntegrityViolated, Outcome::Refused);
        event.reason = Some(what.to_owned());
        event.product = Some(ask.product.to_string());
        match self.world.store.commit(Batch { events: vec![event], ..Batch::default() }).await {
            Ok(_) => Ok(()),
            Err(fault) => Err(Unavailable(fault.to_string())),
        }
    }

    /// Reads a session and enters it, so that every later revocation finds it.
    async fn load(&self, ask: &Ask<'_>) -> Result<Option<Arc<Entry>>, Unavailable> {
        let key = self.world.keys.session_key(ask.token);
        self.world.tally.session_read();
        for _ in 0..3 {
            let before = self.applied.load(Ordering::Acquire);
            let Some(rows) = self.read(ask, &key).await? else {
                self.cache.invalidate(&key);
                return Ok(None);
            };
            let Some(entry) = self.enter(rows, ask) else { return Ok(None) };
            if self.applied.load(Ordering::Acquire) == before {
                self.cache.insert(key, Arc::clone(&entry));
                let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
                watched.insert(entry.session.id, Arc::clone(&entry));
                return Ok(Some(entry));
            }
        }
        Err(Unavailable("revocations arrive faster than a session can be read".into()))
    }

    fn enter(&self, rows: Rows, ask: &Ask<'_>) -> Option<Arc<Entry>> {
        let catalog = self.world.catalog.load();
        let who = Who::new(&catalog, &rows.session, &rows.login, &rows.account, &rows.record)?;
        let fields = match fields(&self.world.keys, &catalog.login, &who, ask.now) {
            Ok(fields) => fields,
            Err(fault) => {
                tracing::error!(%fault, "an assertion could not be signed");
                return None;
            }
        };
        let org = who.org.clone();
        let (session, login) = (&rows.session, &rows.login);
        let ended = self.registry.enter(
            session.id,
            Open {
                login: login.id,
                account: rows.account.id,
                product: session.product.clone(),
                org: org.clone(),
                abs_at: session.abs_at,
                ended: CancellationToken::new(),
            },
        );
        let live = LiveSession {
            sid: session.id,
            login: login.id,
            account: rows.account.id,
            product_account: rows.record.id,
            product: session.product.clone(),
            org,
            email: rows.account.email.clone(),
            identity: ArcSwap::from_pointee(Identity { fields, minted_at: ask.now }),
            ended,
            last_seen: AtomicI64::new(session.last_seen.millis()),
        };
        let seen = login.last_seen.millis();
        let parent_seen = self.parents.get_with(login.id, || Arc::new(AtomicI64::new(seen)));
        parent_seen.fetch_max(seen, Ordering::Relaxed);
        let Rows { session, login, account, record } = rows;
        let written = AtomicI64::new(session.last_seen.millis());
        Some(Arc::new(Entry {
            session,
            login,
            account,
            record,
            live: Arc::new(live),
            parent_seen,
            version: AtomicU64::new(u64::MAX),
            until: AtomicI64::new(0),
            watched: AtomicU64::new(u64::MAX),
            watched_until: AtomicI64::new(0),
            written,
        }))
    }

    /// The answer for an entry, judged again where needed.
    fn judge(&self, entry: &Entry, ask: &Ask<'_>) -> Admission {
        if entry.live.ended.is_cancelled() || entry.session.host != *ask.host || entry.session.product != *ask.product {
            return Admission::Nobody;
        }
        let catalog = self.world.catalog.load();
        let holds = entry.version.load(Ordering::Acquire) == catalog.version
            && ask.now.millis() < entry.until.load(Ordering::Acquire);
        if !holds {
            match entry.stand(&catalog, ask.now) {
                Some(Standing::Continue { until, .. }) => {
                    entry.until.store(until.millis(), Ordering::Release);
                    entry.version.store(catalog.version, Ordering::Release);
                    self.renew(entry, &catalog, ask.now, true);
                }
                Some(Standing::End(refusal)) => return Admission::Refused(refusal),
                Some(Standing::Login(_)) | None => return Admission::Nobody,
            }
        }
        if ask.active {
            self.note(entry, ask.now);
        }
        self.renew(entry, &catalog, ask.now, false);
        Admission::Admitted(Arc::clone(&entry.live))
    }

    /// Mints the assertion anew when it is old, or when the configuration that it was made under is.
    fn renew(&self, entry: &Entry, catalog: &Catalog, now: Timestamp, always: bool) {
        if !always && now.since(entry.live.identity.load().minted_at) < MINT_EVERY {
            return;
        }
        if let Some(who) = Who::new(catalog, &entry.session, &entry.login, &entry.account, &entry.record) {
            match fields(&self.world.keys, &catalog.login, &who, now) {
                Ok(fields) => entry.live.identity.store(Arc::new(Identity { fields, minted_at: now })),
                // The product refuses the old one when it expires.
                Err(fault) => tracing::error!(%fault, "an assertion could not be signed"),
            }
        }
    }

    /// Notes activity: in memory once a second, for the store once a minute or tenth of the idle limit.
    fn note(&self, entry: &Entry, now: Timestamp) {
        let seen = Timestamp::from_millis(entry.live.last_seen.load(Ordering::Relaxed));
        if now.since(seen) < NOTE_EVERY {
            return;
        }
        entry.live.last_seen.fetch_max(now.millis(), Ordering::Relaxed);
        entry.parent_seen.fetch_max(now.millis(), Ordering::Relaxed);
        let every = WRITE_EVERY.max(Duration::from_millis(entry.session.idle_millis / 10));
        let written = entry.written.load(Ordering::Relaxed);
        if now.since(Timestamp::from_millis(written)) < every {
            return;
        }
        if entry.written.compare_exchange(written, now.millis(), Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let mut touches = self.touches.lock().unwrap_or_else(PoisonError::into_inner);
            touches.push(Touch::Product(entry.session.id, now));
            touches.push(Touch::Login(entry.login.id, now));
        }
    }

    /// While the store is out: sessions that are cached and not known to be ended stay for the product's grace (rule M2).
    fn in_grace(&self, ask: &Ask<'_>) -> Admission {
        let catalog = self.world.catalog.load();
        let outage = catalog.products.get(ask.product).map(|product| product.on_store_outage);
        let lapsed = self.lapsed_for();
        let covered = matches!((outage, lapsed), (Some(Outage::Grace(grace)), Some(lapsed)) if lapsed <= grace);
        let entry = if covered { self.cache.get(&self.world.keys.session_key(ask.token)) } else { None };
        entry.map_or(Admission::Unavailable, |entry| self.judge(&entry, ask))
    }

    /// Ends what is open in sessions that no longer stand under the configuration and at the time of now: the grace of a policy,
    /// an idle or a shortened limit. Streams make no requests at which that would be noticed (rule H15).
    pub(super) fn end_fallen(&self, now: Timestamp) -> usize {
        let catalog = self.world.catalog.load();
        let mut ended = 0;
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).retain(|id, entry| {
            let holds = entry.watched.load(Ordering::Relaxed) == catalog.version
                && now.millis() < entry.watched_until.load(Ordering::Relaxed);
            if holds || entry.live.ended.is_cancelled() {
                return !entry.live.ended.is_cancelled();
            }
            let Some(Standing::Continue { until, .. }) = entry.stand(&catalog, now) else {
                ended += usize::from(self.registry.end(*id));
                return false;
            };
            entry.watched_until.store(until.millis(), Ordering::Relaxed);
            entry.watched.store(catalog.version, Ordering::Relaxed);
            true
        });
        ended
    }

    /// Ends what is open at products whose grace is over (rule M2: streams close when the grace ends).
    pub(super) fn end_outlived(&self, lapsed: Duration) -> usize {
        let catalog = self.world.catalog.load();
        let over = |product: &Arc<Product>| match product.on_store_outage {
            Outage::Grace(grace) => lapsed > grace,
            Outage::Deny => true,
        };
        // Only they: other products may be within their own grace, and live by what is cached.
        self.registry.end_where(|open| catalog.products.get(&open.product).is_none_or(over)).len()
    }
}

struct Rows {
    session: ProductSession,
    login: LoginSession,
    account: Account,
    record: ProductAccount,
}

impl Entry {
    fn stand(&self, catalog: &Catalog, now: Timestamp) -> Option<Standing> {
        let product = catalog.products.get(&self.session.product)?;
        let mut session = self.session.clone();
        session.last_seen = Timestamp::from_millis(self.live.last_seen.load(Ordering::Relaxed));
        let mut login = self.login.clone();
        login.last_seen = Timestamp::from_millis(self.parent_seen.load(Ordering::Relaxed));
        Some(live(&LiveFacts {
            now,
            catalog,
            product,
            login: &login,
            session: &session,
            account: &self.account,
            product_account: Some(&self.record),
            further: &[],
        }))
    }
}

#[async_trait]
impl Sessions for Live {
    fn key(&self, token: &Token) -> Option<SessionKey> {
        Some(self.world.keys.session_key(token))
    }

    fn cached(&self, ask: &Ask<'_>) -> Option<Admission> {
        if !self.is_fresh() {
            return None;
        }
        let key = ask.key.unwrap_or_else(|| self.world.keys.session_key(ask.token));
        let entry = self.cache.get(&key)?;
        // An ended one is read again: it is gone, or it had only outlived an outage and gets a new token.
        (!entry.live.ended.is_cancelled()).then(|| self.judge(&entry, ask))
    }

    async fn admit(&self, ask: &Ask<'_>) -> Admission {
        match self.load(ask).await {
            Ok(Some(entry)) => self.judge(&entry, ask),
            Ok(None) => Admission::Nobody,
            Err(fault) => {
                tracing::debug!(%fault, "a session could not be read");
                self.in_grace(ask)
            }
        }
    }
}
