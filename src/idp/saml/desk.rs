//! What is kept of each directory while the process runs: its provider as it was read last, our keys there, and the turns of its
//! slow work. When metadata is fetched is decided here; what it must be, in `provider`.

use super::Fault;
use super::opinion::{OF_ONE_DIRECTORY, Opinions};
use super::own::Own;
use super::provider::{FRESH, FRESH_FILE, KeyLetters, Provider};
use super::turns::LogoutTurns;
use crate::clock::Clock;
use crate::idp::ProviderUnavailable;
use crate::kernel::journal::KeyRow;
use crate::kernel::model::{Directory, MetadataAt, SamlSettings};
use crate::kernel::saml::{self, Fingerprint, Received, SamlFault, SigningKeys, Trust};
use crate::kernel::values::{DirectoryId, Origin, Timestamp};
use crate::keys::Kek;
use crate::outbound::Outbound;
use crate::store::Store;
use moka::sync::Cache;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// A provider that just failed is left alone this long.
const AFTER_FAILURE: Duration = Duration::from_secs(10);
/// How often a response with an unknown key may cause a fetch.
const FORCED_EVERY: Duration = Duration::from_secs(30);
/// Our keys are read again after this: another node may have rolled them, and their times pass.
const OWN_READ: Duration = Duration::from_secs(60);
/// Directories that are remembered at once.
pub(super) const DIRECTORIES: u64 = 10_000;
/// Responses of one directory that are verified at once: one tenant's flood leaves the others their turn.
const AT_ONCE: usize = 4;

/// What all directories share.
pub(super) struct Desk {
    pub(super) store: Arc<dyn Store>,
    pub(super) kek: Kek,
    pub(super) outbound: Outbound,
    pub(super) clock: Clock,
    pub(super) background: Handle,
    pub(super) slots: Cache<DirectoryId, Arc<Slot>>,
    pub(super) opinions: Arc<Opinions>,
    /// Counts when our keys must be read again.
    pub(super) keys_changed: AtomicU64,
    pub(super) letters: OnceLock<KeyLetters>,
    pub(super) allow_demo: AtomicBool,
}

/// What verification came to; a refusal with the certificates that came.
pub(super) type Verified = Result<Received, (SamlFault, Vec<Fingerprint>)>;

/// One directory's place.
pub(super) struct Slot {
    pub(super) current: Mutex<Option<Current>>,
    pub(super) own: tokio::sync::Mutex<Option<OwnRead>>,
    pub(super) flight: tokio::sync::Mutex<Flight>,
    pub(super) refreshing: AtomicBool,
    pub(super) verifying: Arc<Semaphore>,
    /// Second opinions.
    pub(super) consulting: Arc<Semaphore>,
    pub(super) logouts: LogoutTurns,
}

/// Our keys, as they were read.
pub(super) struct OwnRead {
    pub(super) own: Arc<Own>,
    /// Since boot.
    pub(super) at: Duration,
    pub(super) changed: u64,
}

#[derive(Clone)]
pub(super) struct Current {
    pub(super) provider: Arc<Provider>,
    /// Where it was read, and who had to have signed it: with others it is asked for at once.
    pub(super) at: MetadataAt,
    pub(super) signer: Option<SigningKeys>,
}

/// Times since boot.
#[derive(Default)]
pub(super) struct Flight {
    pub(super) store_read: bool,
    pub(super) failed_at: Option<Duration>,
    pub(super) forced_at: Option<Duration>,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            current: Mutex::default(),
            own: tokio::sync::Mutex::default(),
            flight: tokio::sync::Mutex::default(),
            refreshing: AtomicBool::new(false),
            verifying: Arc::new(Semaphore::new(AT_ONCE)),
            consulting: Arc::new(Semaphore::new(OF_ONE_DIRECTORY)),
            logouts: LogoutTurns::default(),
        }
    }
}

impl Desk {
    pub(super) fn slot(&self, directory: DirectoryId) -> Arc<Slot> {
        self.slots.get_with(directory, Arc::default)
    }

    pub(super) async fn own(&self, directory: &Directory, login: &Origin) -> Result<Arc<Own>, Fault> {
        let slot = self.slot(directory.id);
        let (changed, at) = (self.keys_changed.load(Ordering::Acquire), self.clock.since_boot());
        let mut kept = slot.own.lock().await;
        let is_new = |read: &&OwnRead| read.changed == changed && at.saturating_sub(read.at) < OWN_READ;
        if let Some(read) = kept.as_ref().filter(is_new) {
            return Ok(Arc::clone(&read.own));
        }
        let now = self.clock.now();
        let own = Arc::new(Own::of(self.store.as_ref(), &self.kek, directory.id, &login.url(), now).await?);
        *kept = Some(OwnRead { own: Arc::clone(&own), at, changed });
        Ok(own)
    }

    /// The provider's metadata, by the rules of `provider`: fresh, or served while it is fetched behind the request, else fetched.
    pub(super) async fn provider(
        self: &Arc<Self>,
        directory: &Directory,
        settings: &SamlSettings,
    ) -> Result<Arc<Provider>, Fault> {
        let slot = self.slot(directory.id);
        if let Some(current) = self.usable(&slot, settings) {
            self.refresh_if_old(directory, settings, &slot, &current);
            return Ok(current);
        }
        let mut flight = slot.flight.lock().await;
        if let Some(current) = self.usable(&slot, settings) {
            return Ok(current);
        }
        if !std::mem::replace(&mut flight.store_read, true)
            && let Some(kept) = self.remembered(directory.id, settings).await
        {
            let kept = self.put(&slot, settings, kept);
            self.refresh_if_old(directory, settings, &slot, &kept);
            return Ok(kept);
        }
        self.fly(directory, settings, &slot, &mut flight).await
    }

    /// Fetches because a response is signed by a key that `seen` does not have. `None` when that may not be done yet, or failed.
    pub(super) async fn refetch(
        &self,
        directory: &Directory,
        settings: &SamlSettings,
        seen: &Arc<Provider>,
    ) -> Option<Arc<Provider>> {
        let slot = self.slot(directory.id);
        let mut flight = slot.flight.lock().await;
        if let Some(current) = self.usable(&slot, settings).filter(|current| !Arc::ptr_eq(current, seen)) {
            return Some(current);
        }
        let now = self.clock.since_boot();
        if flight.failed_at.is_some_and(|at| now.saturating_sub(at) < AFTER_FAILURE) {
            return None; // Nobody would be asked: the turn is kept for a moment later.
        }
        if flight.forced_at.is_some_and(|at| now.saturating_sub(at) < FORCED_EVERY) {
            return None;
        }
        flight.forced_at = Some(now);
        self.fly(directory, settings, &slot, &mut flight).await.ok()
    }

    pub(super) async fn fly(
        &self,
        directory: &Directory,
        settings: &SamlSettings,
        slot: &Slot,
        flight: &mut Flight,
    ) -> Result<Arc<Provider>, Fault> {
        let now = self.clock.since_boot();
        if flight.failed_at.is_some_and(|at| now.saturating_sub(at) < AFTER_FAILURE) {
            return Err(Fault("its metadata could not be read a moment ago".into()));
        }
        match self.fetch(directory, settings).await {
            Ok(provider) => {
                flight.failed_at = None;
                Ok(self.put(slot, settings, provider))
            }
            Err(fault) => {
                tracing::warn!(directory = %directory.name, %fault, "a SAML provider's metadata could not be read");
                flight.failed_at = Some(self.clock.since_boot());
                Err(fault)
            }
        }
    }

    pub(super) fn put(&self, slot: &Slot, settings: &SamlSettings, provider: Provider) -> Arc<Provider> {
        let provider = Arc::new(provider);
        let (at, signer) = (settings.metadata.clone(), settings.signer.clone());
        let current = Current { provider: Arc::clone(&provider), at, signer };
        *slot.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(current);
        provider
    }

    pub(super) fn usable(&self, slot: &Slot, settings: &SamlSettings) -> Option<Arc<Provider>> {
        let current = slot.current.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let same = current.at == settings.metadata && current.signer == settings.signer;
        let holds = same && current.provider.usable_until() > self.clock.now();
        holds.then_some(current.provider)
    }

    pub(super) fn refresh_if_old(
        self: &Arc<Self>,
        directory: &Directory,
        settings: &SamlSettings,
        slot: &Arc<Slot>,
        current: &Provider,
    ) {
        let fresh = match settings.metadata {
            MetadataAt::Url(_) => FRESH,
            MetadataAt::File(_) => FRESH_FILE,
        };
        let young = self.clock.now().since(current.fetched_at) < fresh;
        if young || slot.refreshing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (desk, slot, directory, settings) =
            (Arc::clone(self), Arc::clone(slot), directory.clone(), settings.clone());
        self.background.spawn(async move {
            let mut flight = slot.flight.lock().await;
            // What goes wrong is in the log, and what is served stays.
            let _ = desk.fly(&directory, &settings, &slot, &mut flight).await;
            drop(flight);
            slot.refreshing.store(false, Ordering::Release);
        });
    }

    /// Verifies a response off the request loops.
    pub(super) async fn verify(
        &self,
        directory: &Directory,
        document: &Arc<Vec<u8>>,
        provider: &Arc<Provider>,
        own: &Arc<Own>,
    ) -> Result<Verified, ProviderUnavailable> {
        let (document, provider, own) = (Arc::clone(document), Arc::clone(provider), Arc::clone(own));
        let verify = move || {
            let trust = Trust { keys: &provider.metadata.keys, decryption: Some(&own.decryption), cbc: false };
            // What came is read once more for the explanation: here, where slow work has its place.
            Received::open(&document, &trust)
                .map_err(|fault| (fault, saml::brought_certificates(&document).unwrap_or_default()))
        };
        self.in_turn(directory, verify).await
    }

    /// Works off the request loops, few at once for each directory.
    pub(super) async fn in_turn<T: Send + 'static>(
        &self,
        directory: &Directory,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ProviderUnavailable> {
        let turn = Arc::clone(&self.slot(directory.id).verifying).acquire_owned().await.map_err(Fault::of)?;
        let worked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        Ok(worked.await.map_err(Fault::of)?)
    }

    pub(super) fn seal(&self, name: &str, plain: &[u8]) -> Result<Vec<u8>, Fault> {
        Ok(self.kek.seal_item(name, 1, plain, self.clock.now()).map_err(Fault::of)?.sealed)
    }
}

/// What [`Desk::seal`] sealed.
pub(super) fn unseal(kek: &Kek, name: &str, sealed: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, Fault> {
    kek.open_item(&row(name, sealed)).map_err(Fault::of)
}

/// What [`Desk::seal`] sealed, as the row that it was sealed as.
pub(super) fn row(name: &str, sealed: Vec<u8>) -> KeyRow {
    KeyRow { kind: name.to_owned(), generation: 1, sealed, created_at: Timestamp::from_millis(0) }
}
