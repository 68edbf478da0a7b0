//! What is remembered of providers, and when it is fetched again.
//!
//! Fresh for 5 min; served for 24 h while it is fetched behind the request; then fetched before the answer. One fetch at a time
//! per issuer, a failed one is not repeated for 10 s, and an unknown key fetches at most once per issuer per 30 s.

use super::disk::Disk;
use super::fetch::{NotUsed, Provider};
use super::{ProviderOptions, ProviderUnavailable};
use crate::clock::Clock;
use crate::kernel::values::Timestamp;
use crate::outbound::Outbound;
use arc_swap::ArcSwapOption;
use moka::sync::Cache;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;

/// Documents younger than this are used as they are.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// Documents older than this are not used at all (behaviour §0: discovery and keys 24 h).
const USABLE: Duration = Duration::from_secs(24 * 3600);
/// A provider that just failed is left alone this long: everybody who waits would wait for nothing.
const AFTER_FAILURE: Duration = Duration::from_secs(10);
/// How often a token with an unknown key may cause a fetch.
const FORCED_EVERY: Duration = Duration::from_secs(30);
/// Issuers that are remembered at once.
const ISSUERS: u64 = 10_000;

/// How a provider fares.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Health {
    /// When its documents were last fetched; from disk, when they once were.
    pub last_ok: Option<Timestamp>,
    /// The last failed fetch and why.
    pub last_error: Option<(Timestamp, String)>,
    /// How old what is served is.
    pub age: Option<Duration>,
}

/// All that is remembered.
#[derive(Clone)]
pub(super) struct Memory {
    slots: Cache<String, Arc<Slot>>,
    source: Arc<Source>,
}

struct Source {
    outbound: Outbound,
    clock: Clock,
    disk: Disk,
    allow_demo: bool,
    background: Handle,
}

/// One issuer's place.
#[derive(Default)]
struct Slot {
    current: ArcSwapOption<Provider>,
    /// Held while fetching: one fetch at a time.
    flight: tokio::sync::Mutex<Flight>,
    /// A refresh behind a request is under way.
    refreshing: AtomicBool,
    last_error: Mutex<Option<(Timestamp, String)>>,
}

/// Times since boot.
#[derive(Default)]
struct Flight {
    disk_read: bool,
    failed_at: Option<Duration>,
    forced_at: Option<Duration>,
}

impl Memory {
    pub(super) fn new(options: &ProviderOptions) -> Self {
        let source = Source {
            outbound: options.outbound.clone(),
            clock: options.clock.clone(),
            disk: Disk::new(options.cache_dir.clone()),
            allow_demo: options.allow_demo,
            background: options.background.clone(),
        };
        Self { slots: Cache::new(ISSUERS), source: Arc::new(source) }
    }

    /// The provider's documents, by the rules above.
    pub(super) async fn provider(&self, issuer: &str) -> Result<Arc<Provider>, ProviderUnavailable> {
        let slot = self.slot(issuer);
        if let Some(current) = self.usable(&slot) {
            self.refresh_if_old(issuer, &slot, &current);
            return Ok(current);
        }
        let mut flight = slot.flight.lock().await;
        // Whoever held the lock may have fetched it.
        if let Some(current) = self.usable(&slot) {
            return Ok(current);
        }
        if !std::mem::replace(&mut flight.disk_read, true)
            && let Some(kept) = self.source.disk.read(issuer, self.source.allow_demo).await
        {
            slot.current.store(Some(Arc::new(kept)));
            if let Some(current) = self.usable(&slot) {
                self.refresh_if_old(issuer, &slot, &current);
                return Ok(current);
            }
        }
        self.source.fetch(issuer, &slot, &mut flight).await
    }

    /// Fetches again because a token names a key that `seen` does not have. `None` when that may not be done yet, or failed.
    pub(super) async fn refetch(&self, issuer: &str, seen: &Arc<Provider>) -> Option<Arc<Provider>> {
        let slot = self.slot(issuer);
        let mut flight = slot.flight.lock().await;
        if let Some(current) = self.usable(&slot).filter(|current| !Arc::ptr_eq(current, seen)) {
            return Some(current);
        }
        let now = self.source.clock.since_boot();
        if flight.forced_at.is_some_and(|at| now.saturating_sub(at) < FORCED_EVERY) {
            return None;
        }
        flight.forced_at = Some(now);
        self.source.fetch(issuer, &slot, &mut flight).await.ok()
    }

    /// What is in memory, fresh or not. Asks nobody.
    pub(super) fn remembered(&self, issuer: &str) -> Option<Arc<Provider>> {
        self.usable(&*self.slots.get(issuer)?)
    }

    pub(super) fn health(&self, issuer: &str) -> Health {
        let Some(slot) = self.slots.get(issuer) else { return Health::default() };
        let current = slot.current.load_full();
        let last_ok = current.map(|current| current.fetched_at);
        let last_error = slot.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Health { last_ok, last_error, age: last_ok.map(|at| self.source.clock.now().since(at)) }
    }

    pub(super) fn allows_demo(&self) -> bool {
        self.source.allow_demo
    }

    fn slot(&self, issuer: &str) -> Arc<Slot> {
        self.slots.get_with_by_ref(issuer, Arc::default)
    }

    fn usable(&self, slot: &Slot) -> Option<Arc<Provider>> {
        slot.current.load_full().filter(|current| self.source.age(current) <= USABLE)
    }

    fn refresh_if_old(&self, issuer: &str, slot: &Arc<Slot>, current: &Provider) {
        if self.source.age(current) <= FRESH || slot.refreshing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (source, slot, issuer) = (Arc::clone(&self.source), Arc::clone(slot), issuer.to_owned());
        self.source.background.spawn(async move {
            let mut flight = slot.flight.lock().await;
            if !source.rests(&flight)
                && let Err(fault) = source.fetch(&issuer, &slot, &mut flight).await
            {
                tracing::warn!(issuer, %fault, "a provider could not be refreshed; what is remembered serves");
            }
            drop(flight);
            slot.refreshing.store(false, Ordering::Release);
        });
    }
}

impl Source {
    /// A clock that went backwards makes documents from "later" old, not young.
    fn age(&self, provider: &Provider) -> Duration {
        let now = self.clock.now();
        now.since(provider.fetched_at).max(provider.fetched_at.since(now))
    }

    /// Whether the last fetch failed just now.
    fn rests(&self, flight: &Flight) -> bool {
        let now = self.clock.since_boot();
        flight.failed_at.is_some_and(|at| now.saturating_sub(at) < AFTER_FAILURE)
    }

    async fn fetch(
        &self,
        issuer: &str,
        slot: &Slot,
        flight: &mut Flight,
    ) -> Result<Arc<Provider>, ProviderUnavailable> {
        if self.rests(flight) {
            return Err(ProviderUnavailable("it did not answer a moment ago".into()));
        }
        match Provider::fetch(&self.outbound, issuer, self.clock.now(), self.allow_demo).await {
            Ok(provider) => {
                let provider = Arc::new(provider);
                slot.current.store(Some(Arc::clone(&provider)));
                flight.failed_at = None;
                if let Err(fault) = self.disk.write(issuer, &provider).await {
                    tracing::warn!(issuer, %fault, "a provider's documents could not be kept on disk");
                }
                Ok(provider)
            }
            Err(fault) => {
                if matches!(fault, NotUsed::Demo) {
                    slot.current.store(None);
                    self.disk.forget(issuer).await;
                }
                let fault = ProviderUnavailable::from(fault);
                flight.failed_at = Some(self.clock.since_boot());
                let mut last_error = slot.last_error.lock().unwrap_or_else(PoisonError::into_inner);
                *last_error = Some((self.clock.now(), fault.0.clone()));
                Err(fault)
            }
        }
    }
}
