//! The session check of the data path: from a cookie to an admitted session, without the store while the lease is fresh.
//!
//! What is kept of a session is its answer (`entry`), not its rows. The kernel judges rows, read from the store, when a session is
//! met first, when the configuration changes, and when the time comes at which the answer could change; in between a request costs
//! one keyed hash and one look-up. What is read from the store is entered here *before* it is used, and read once more if a
//! revocation was applied meanwhile, so that none falls between reading and entering. A session that was made here is entered the
//! same way, out of the rows that it was made of. Streams are watched by `watch`.

mod expired;
mod proofs;

use super::cache::Cache;
use super::entry::{Entry, Rows};
use super::identity::{Who, identity, renewed};
use super::lease::Lease;
use super::registry::Registry;
use super::tokens::Tokens;
use super::world::World;
use crate::audit::Sampled;
use crate::entropy::random;
use crate::kernel::app::{DpopWanted, PersonalToken, judge_dpop};
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::journal::Batch;
use crate::kernel::live::{Live as Standing, step_up};
use crate::kernel::model::{Catalog, LoginSession, Outage, ProductSession};
use crate::kernel::refusal::Refusal;
use crate::kernel::values::{EventId, ProductName, SessionKey, Timestamp, Token};
use crate::store::{Touch, Unavailable};
use crate::web::{Admission, AppAsk, AppKey, Ask, End, Identity, LiveSession, Replays, Sessions, TokenAsk};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use proofs::Proofs;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Sessions kept in memory; more are read from the store again. A tenth above a million, since shards fill unevenly.
const CACHED: usize = 1_100_000;
/// An assertion is minted at most this often for a session and product. It lives for 300 s, so that a product always has 90 s to
/// read it: a minute's difference between the clocks, and half a minute on the way.
const MINT_EVERY: Duration = Duration::from_secs(210);
/// Activity is noted in memory at most this often.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// Activity is written at most this often, or every tenth of the idle limit if that is longer, and at least each hour where that is over a day.
const WRITE_EVERY: Duration = Duration::from_secs(60);
/// What lives for longer than a day without being used is shown with the hour of its last use.
const LONG: (Duration, Duration) = (Duration::from_secs(24 * 3600), Duration::from_secs(3600));
/// A store that says nothing for so long is out: whoever is known need not wait for more.
const SILENCE: Duration = Duration::from_secs(2);

fn write_every(idle: Duration) -> Duration {
    let (day, hour) = LONG;
    if idle > day { hour } else { WRITE_EVERY.max(idle / 10) }
}

/// Live sessions of this process.
pub struct Live {
    pub(super) world: Arc<World>,
    pub(super) lease: Lease,
    pub(super) registry: Registry,
    cache: Cache,
    tokens: Tokens,
    proofs: Proofs,
    /// Counts applied revocations; a reading during which it moved is not trusted.
    pub(super) applied: AtomicU64,
    pub(super) touches: Mutex<Vec<Touch>>,
}

impl Live {
    /// Nothing is live yet.
    pub fn new(world: Arc<World>) -> Self {
        Self {
            world,
            lease: Lease::default(),
            registry: Registry::default(),
            cache: Cache::new(CACHED),
            tokens: Tokens::default(),
            proofs: Proofs::default(),
            applied: AtomicU64::new(0),
            touches: Mutex::new(Vec::new()),
        }
    }

    /// Sessions known here.
    pub fn open_sessions(&self) -> usize {
        self.registry.len()
    }

    /// Sessions in the cache.
    pub(super) fn cached_sessions(&self) -> usize {
        self.cache.len()
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
        if let Some(seen) = self.registry.login_seen(session.id) {
            session.last_seen = session.last_seen.max(seen);
        }
        session
    }

    /// Rows with the activity that this process saw in them.
    pub(super) fn with_activity_of(&self, mut rows: Rows) -> Rows {
        if let Some(known) = self.registry.get(rows.session.id) {
            rows.session.last_seen = rows.session.last_seen.max(known.seen());
        }
        Rows { login: self.with_activity(rows.login), ..rows }
    }

    /// Has everything judged and read again; what is open stays open while it lives. Counted first: what is being read now was read
    /// before, and is read again.
    pub(super) fn distrust(&self) {
        self.applied.fetch_add(1, Ordering::Release);
        self.cache.invalidate_all();
    }

    /// The rows of a session of this product and host, their MACs checked.
    async fn read(&self, ask: &Ask<'_>, key: &SessionKey) -> Result<Option<Rows>, Unavailable> {
        let Some(session) = self.world.store.product_session(key).await? else { return Ok(None) };
        if session.product != *ask.product || session.host != *ask.host {
            return Ok(None);
        }
        self.rows_of(session).await
    }

    /// What belongs to a session, all MACs checked.
    pub(super) async fn rows_of(&self, session: ProductSession) -> Result<Option<Rows>, Unavailable> {
        let store = &self.world.store;
        if !self.world.keys.holds_product(&session) {
            self.violated(&session.product, "product session").await?;
            return Ok(None);
        }
        let Some(login) = store.login_session_by_id(session.parent).await? else { return Ok(None) };
        if !self.world.keys.holds_login(&login) {
            self.violated(&session.product, "login session").await?;
            return Ok(None);
        }
        let Some(account) = store.account(session.account).await? else { return Ok(None) };
        let Some(record) = store.product_account_by_id(session.product_account).await? else { return Ok(None) };
        let further = store.proved_addresses_of(account.id).await?;
        Ok(Some(Rows { session, login, account, record, further }))
    }

    /// A row whose MAC does not hold opens nothing, and is an event of the highest severity (rule H12). Its cookie may come with
    /// every request, so it is told like a stranger's refusal: the first few whole, then counted (rule M15).
    async fn violated(&self, product: &ProductName, what: &str) -> Result<(), Unavailable> {
        let now = self.world.clock.now();
        tracing::error!(what, %product, "a stored row's MAC does not hold: the database was written to");
        self.world.tally.integrity_violated();
        let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        if matches!(self.world.sampler.take("integrity", nowhere, now), Sampled::Counted) {
            return Ok(());
        }
        let id = EventId::mint(now, random());
        let mut event = AuditEvent::new(id, now, Action::IntegrityViolated, Outcome::Refused);
        event.reason = Some(what.to_owned());
        event.product = Some(product.to_string());
        match self.world.store.commit(Batch { events: vec![event], ..Batch::default() }).await {
            Ok(_) => Ok(()),
            Err(fault) => Err(Unavailable(fault.to_string())),
        }
    }

    /// Reads a session, enters it, so that every later revocation finds it, and judges it.
    async fn load(&self, ask: &Ask<'_>) -> Result<Admission, Unavailable> {
        if self.is_behind() {
            return Err(Unavailable("what holds of organizations, or the keys, could not be read".into()));
        }
        let key = ask.key.unwrap_or_else(|| self.world.keys.session_key(ask.token));
        self.world.tally.session_read();
        for _ in 0..3 {
            let before = self.applied();
            let Some(rows) = self.read(ask, &key).await? else {
                self.cache.invalidate(&key);
                return Ok(Admission::Nobody);
            };
            if let Some(admission) = self.take_in(rows, ask, before) {
                return Ok(admission);
            }
        }
        Err(Unavailable("revocations arrive faster than a session can be read".into()))
    }

    /// Judges rows that were read when `before` revocations had been applied, and enters them. `None` when another was applied
    /// meanwhile: then they must be read again.
    fn take_in(&self, rows: Rows, ask: &Ask<'_>, before: u64) -> Option<Admission> {
        let rows = self.with_activity_of(rows);
        let catalog = self.world.catalog.load();
        let Some((standing, whence)) = rows.stand(&catalog, ask.now) else { return Some(Admission::Nobody) };
        let until = match standing {
            Standing::Continue { until } => {
                self.world.foreshadow_session(&rows, ask.now);
                until
            }
            Standing::End(refusal) => return Some(Admission::Refused(refusal)),
            Standing::Login(_) => return Some(Admission::Nobody),
        };
        let Some(entry) = self.enter(&rows, &catalog, ask) else { return Some(Admission::Nobody) };
        // It is entered: a revocation from here on finds it. One from before is in the rows that are read again, and nobody is
        // shown what was judged without it.
        if self.applied.load(Ordering::Acquire) != before {
            return None;
        }
        self.registry.holds(&entry, &catalog, until, whence);
        self.cache.insert(Arc::clone(&entry));
        // After it: what empties the cache counts first, so that nothing that was read before it stays.
        if self.applied.load(Ordering::Acquire) == before {
            return Some(self.answer(&entry, ask));
        }
        self.cache.invalidate(&rows.session.key);
        None
    }

    /// How many revocations were applied: to be asked before rows are read that [`Self::remember`] is given.
    pub(super) fn applied(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    /// A session that was committed just now: its person's next request is a moment away, and what it would read is at hand. The
    /// rows were read after `before` was asked for; where anything was revoked since, that request reads them again.
    pub(super) fn remember(&self, rows: Rows, ask: &Ask<'_>, before: u64) {
        if self.is_behind() {
            return;
        }
        if self.take_in(rows, ask, before).is_none() {
            tracing::debug!("a new session was not kept in memory: something was revoked while it was made");
        }
    }

    /// Whether something that every judgement rests on is known to be of before a change.
    fn is_behind(&self) -> bool {
        self.world.orgs.is_behind() || self.world.keys.is_behind()
    }

    /// Enters a session: the one entry that there is of it, so that whatever is open in it is found there.
    fn enter(&self, rows: &Rows, catalog: &Catalog, ask: &Ask<'_>) -> Option<Arc<Entry>> {
        let who = Who::new(catalog, rows)?;
        let identity = self.identity(rows, &who, catalog, ask)?;
        let (session, login) = (&rows.session, &rows.login);
        let again = Arc::clone(&identity);
        let entry = self.registry.enter(
            (session.id, login.id, login.last_seen),
            |known| known.is_same(rows, who.org.as_ref()),
            |login_seen| {
                let live = LiveSession {
                    sid: session.id,
                    login: login.id,
                    account: rows.account.id,
                    product_account: rows.record.id,
                    product: who.product.name.clone(),
                    org: who.org.clone(),
                    proved_at: step_up::proved_at(login).unwrap_or(LiveSession::NEVER),
                    identity: ArcSwap::new(identity),
                    ended: End::default(),
                    last_seen: AtomicI64::new(session.last_seen.millis()),
                };
                Entry::new(Arc::new(live), login_seen, rows, ask.host)
            },
        );
        entry.live.identity.store(again);
        Some(entry)
    }

    /// What its product is told: as it was while that is young and nothing was distrusted, or made anew.
    fn identity(&self, rows: &Rows, who: &Who<'_>, catalog: &Catalog, ask: &Ask<'_>) -> Option<Arc<Identity>> {
        let known = self.cache.get(&rows.session.key);
        let young = known.filter(|known| {
            known.is_same(rows, who.org.as_ref())
                && known.is_of(catalog)
                && ask.now.since(known.minted_at()) < MINT_EVERY
        });
        if let Some(known) = young {
            return Some(known.live.identity.load_full());
        }
        match identity(&self.world.keys, &catalog.login, who, ask.now) {
            Ok(identity) => Some(Arc::new(identity)),
            Err(fault) => {
                tracing::error!(%fault, "an assertion could not be signed");
                None
            }
        }
    }

    /// The answer of an entry that holds.
    fn answer(&self, entry: &Entry, ask: &Ask<'_>) -> Admission {
        if entry.live.ended.is_cancelled() {
            return Admission::Nobody;
        }
        if !entry.admits(ask.client) {
            return Admission::Refused(Refusal::Network);
        }
        if ask.active {
            self.note(entry, ask.now);
        }
        Admission::Admitted(Arc::clone(&entry.live))
    }

    /// Mints the assertion anew when it is old. Says whether it may be sent.
    fn renew(&self, entry: &Entry, now: Timestamp) -> bool {
        let identity = entry.live.identity.load();
        if now.since(identity.minted_at) < MINT_EVERY {
            return true;
        }
        // Two cores may do so at once; both assertions are true.
        match renewed(&self.world.keys, &identity, now) {
            Ok(identity) => {
                entry.live.identity.store(Arc::new(identity));
                true
            }
            Err(fault) => {
                tracing::error!(%fault, "an assertion could not be signed");
                false
            }
        }
    }

    /// Notes activity: in memory once a second, for the store once a minute or tenth of the idle limit.
    fn note(&self, entry: &Entry, now: Timestamp) {
        let seen = entry.seen();
        if now.since(seen) < NOTE_EVERY {
            return;
        }
        entry.live.last_seen.fetch_max(now.millis(), Ordering::Relaxed);
        entry.login_seen.fetch_max(now.millis(), Ordering::Relaxed);
        let every = write_every(Duration::from_millis(entry.idle_millis));
        let written = entry.written.load(Ordering::Relaxed);
        if now.since(Timestamp::from_millis(written)) < every {
            return;
        }
        if entry.written.compare_exchange(written, now.millis(), Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let mut touches = self.touches.lock().unwrap_or_else(PoisonError::into_inner);
            touches.push(Touch::Product(entry.live.sid, now));
            touches.push(Touch::Login(entry.live.login, now));
        }
    }

    /// While the store is out: sessions that are cached and not known to be ended stay for the product's grace (rule M2).
    fn in_grace(&self, ask: &Ask<'_>) -> Admission {
        let catalog = self.world.catalog.load();
        let outage = catalog.products.get(ask.product).map(|product| product.on_store_outage);
        let lapsed = self.lapsed_for();
        let covered = matches!((outage, lapsed), (Some(Outage::Grace(grace)), Some(lapsed)) if lapsed <= grace);
        let key = ask.key.unwrap_or_else(|| self.world.keys.session_key(ask.token));
        let entry = if covered { self.cache.get(&key) } else { None };
        let entry = entry.filter(|entry| entry.is_at(ask) && entry.still_holds(&catalog, ask.now));
        // One that would have to be judged again cannot be: its rows are in the store.
        entry
            .filter(|entry| self.renew(entry, ask.now))
            .map_or(Admission::Unavailable, |entry| self.answer(&entry, ask))
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
        if !entry.is_at(ask) {
            return Some(Admission::Nobody);
        }
        // An ended one is read again: it is gone, or it had only outlived an outage and gets a new token.
        let holds = !entry.live.ended.is_cancelled() && entry.still_holds(&self.world.catalog.load(), ask.now);
        (holds && self.renew(&entry, ask.now)).then(|| self.answer(&entry, ask))
    }

    async fn admit(&self, ask: &Ask<'_>) -> Admission {
        match tokio::time::timeout(SILENCE, self.load(ask)).await {
            Ok(Ok(admission)) => admission,
            Ok(Err(fault)) => {
                tracing::debug!(%fault, "a session could not be read");
                self.in_grace(ask)
            }
            Err(_) => self.in_grace(ask),
        }
    }

    fn app_key(&self, ask: &AppAsk<'_>) -> Option<AppKey> {
        let wanted =
            DpopWanted { method: ask.method, origin: ask.host, path: ask.path, token: Some(ask.shown), now: ask.now };
        let held = ask.proof.map(|proof| judge_dpop(proof, &wanted)).transpose();
        let held = held.inspect_err(|fault| tracing::debug!(%fault, "an app's proof does not hold")).ok()?;
        let session = self.world.keys.access_key(ask.token, held.map(|held| held.key));
        Some(AppKey { session, proof: held.map(|held| held.id) })
    }

    fn personal_keys(&self, shown: &PersonalToken) -> Vec<SessionKey> {
        let keys = &self.world.keys;
        let mut found = vec![keys.personal_key(&shown.token, shown.scope)];
        found.extend(keys.earlier_personal_keys(&shown.token, shown.scope));
        found
    }

    fn is_first(&self, key: &AppKey) -> bool {
        key.proof.is_none_or(|proof| self.proofs.is_first(proof))
    }

    async fn admit_token(&self, ask: &TokenAsk<'_>) -> Admission {
        self.tokens.admit(&self.world, ask).await
    }

    fn is_current(&self) -> bool {
        self.is_fresh()
    }

    fn replays(&self) -> Option<&dyn Replays> {
        Some(self)
    }
}
