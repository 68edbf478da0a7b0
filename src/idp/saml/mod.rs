//! SAML providers: their metadata, our keys and our metadata at each, requests that leave and responses that come back.
//!
//! Nothing here decides anything about people: bytes go to the judges of `kernel::saml`, off the request loops and few at a time for
//! each directory. Deliberately absent: artifacts, ECP, and whatever a response says before its login under way was taken.

mod consult;
mod examine;
mod leave;
mod logout;
pub mod opinion;
mod own;
mod provider;

use super::ProviderUnavailable;
use crate::clock::Clock;
use crate::entropy::random;
use crate::kernel::model::{Directory, MetadataAt, SamlSettings};
use crate::kernel::oidc::PlainHttp;
use crate::kernel::proof::Proof;
use crate::kernel::saml::{
    self, Connection, Expected, Fingerprint, Limits, PartyMetadata, ProviderMetadata, Received, Report, SamlFault,
    SubjectChoice, Trust,
};
use crate::kernel::values::{DirectoryId, Origin, Timestamp};
use crate::keys::Kek;
use crate::outbound::Outbound;
use crate::store::{Store, Taken};
pub use leave::{Posting, SamlLeaving, Way};
pub use logout::{Arrived, Heard, LogoutHint};
use moka::sync::Cache;
use opinion::{OF_ONE_DIRECTORY, Opinions};
use own::Own;
pub use own::Rolled;
pub use provider::KeyLetters;
use provider::{FRESH, FRESH_FILE};
pub(super) use provider::{Provider, ask, from_file};
use std::fmt::Display;
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
const DIRECTORIES: u64 = 10_000;
/// Responses of one directory that are verified at once: one tenant's flood leaves the others their turn.
const AT_ONCE: usize = 4;

/// Why a provider cannot be used. For logs and operators.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub(in crate::idp) struct Fault(String);

impl Fault {
    fn of(fault: impl Display) -> Self {
        Self(fault.to_string())
    }
}

impl From<Fault> for ProviderUnavailable {
    fn from(fault: Fault) -> Self {
        Self(fault.0)
    }
}

/// Why a response proved nobody.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SamlUnproved {
    /// It does not hold; each check with what was expected and there, without anything that could be used again.
    #[error("{}", .0.code())]
    Fault(SamlFault, Vec<String>),
    /// Provider or store could not be asked.
    #[error(transparent)]
    Unavailable(#[from] ProviderUnavailable),
}

impl From<Fault> for SamlUnproved {
    fn from(fault: Fault) -> Self {
        Self::Unavailable(fault.into())
    }
}

/// What was asked of a provider, from the sealed cookie of the login under way.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The request's `ID`.
    pub request_id: String,
    /// When it left.
    pub left_at: Timestamp,
    /// Whether the provider was to ask the person anew (rule M6).
    pub force: bool,
    /// What made the connection then (rule M4).
    pub binding: [u8; 16],
}

/// All SAML providers. Cheap to clone.
#[derive(Clone)]
pub struct SamlProviders(Arc<Desk>);

struct Desk {
    store: Arc<dyn Store>,
    kek: Kek,
    outbound: Outbound,
    clock: Clock,
    background: Handle,
    slots: Cache<DirectoryId, Arc<Slot>>,
    opinions: Arc<Opinions>,
    /// Counts when our keys must be read again.
    keys_changed: AtomicU64,
    letters: OnceLock<KeyLetters>,
    allow_demo: AtomicBool,
}

/// What verification came to; a refusal with the certificates that came.
type Verified = Result<Received, (SamlFault, Vec<Fingerprint>)>;

/// One directory's place.
struct Slot {
    current: Mutex<Option<Current>>,
    own: tokio::sync::Mutex<Option<OwnRead>>,
    flight: tokio::sync::Mutex<Flight>,
    refreshing: AtomicBool,
    verifying: Arc<Semaphore>,
    /// Second opinions.
    consulting: Arc<Semaphore>,
}

/// Our keys, as they were read.
struct OwnRead {
    own: Arc<Own>,
    /// Since boot.
    at: Duration,
    changed: u64,
}

#[derive(Clone)]
struct Current {
    provider: Arc<Provider>,
    /// Where it was read: another place is asked at once.
    at: MetadataAt,
}

/// Times since boot.
#[derive(Default)]
struct Flight {
    store_read: bool,
    failed_at: Option<Duration>,
    forced_at: Option<Duration>,
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
        }
    }
}

impl SamlProviders {
    /// Sets up; asks nobody.
    pub fn new(store: Arc<dyn Store>, kek: Kek, outbound: Outbound, clock: Clock, background: Handle) -> Self {
        let (slots, keys_changed) = (Cache::new(DIRECTORIES), AtomicU64::default());
        let opinions = Arc::new(Opinions::new(clock.clone()));
        let (letters, allow_demo) = (OnceLock::new(), AtomicBool::new(false));
        Self(Arc::new(Desk {
            store,
            kek,
            outbound,
            clock,
            background,
            slots,
            opinions,
            keys_changed,
            letters,
            allow_demo,
        }))
    }

    /// What is written to admins when a provider's metadata has a new key (rule M5). Said once, when the process is put together;
    /// without it nobody is written to.
    pub fn write_by(&self, letters: KeyLetters) {
        let _ = self.0.letters.set(letters);
    }

    /// Reads a provider's metadata without keeping anything: whether a directory could be made of it.
    ///
    /// # Errors
    /// A sentence that says why not. That an address could not be read is one sentence, whatever the reason (rule M16).
    pub async fn look_at(&self, address: &str) -> Result<(), String> {
        let document = ask(&self.0.outbound, address).await;
        let document = document.map_err(|_| "the metadata cannot be read at that address".to_owned())?;
        let (now, plain) = (self.0.clock.now(), PlainHttp::Loopback);
        let read = ProviderMetadata::read(document.as_bytes(), None, None, plain, now);
        read.map(|_| ()).map_err(|fault| fault.to_string())
    }

    /// This is a demonstration, and believes the provider of one (rule M17).
    pub fn believe_demo(&self) {
        self.0.allow_demo.store(true, Ordering::Release);
    }

    /// Keys changed somewhere: ours are read again before they are used.
    pub fn forget_keys(&self) {
        self.0.keys_changed.fetch_add(1, Ordering::AcqRel);
    }

    /// Makes our next keys at a directory: announced first, then used, the old ones kept a while; or all at once where they were
    /// `compromised` (rule M23).
    ///
    /// # Errors
    /// [`ProviderUnavailable`] says why not.
    pub async fn roll(
        &self,
        directory: &Directory,
        login: &Origin,
        compromised: bool,
    ) -> Result<Rolled, ProviderUnavailable> {
        directory.protocol.saml().ok_or_else(super::no_provider)?;
        let (desk, called) = (&self.0, login.url());
        let ground = (desk.store.as_ref(), &desk.kek);
        let rolled = Own::roll(ground, directory.id, &called, compromised, desk.clock.now()).await?;
        self.forget_keys();
        Ok(rolled)
    }

    /// Our metadata at a directory (SAML Metadata §2.4.4): what its provider is given; signed, if that is asked for, by the key that
    /// signs our requests.
    ///
    /// # Errors
    /// [`ProviderUnavailable`] when the directory is none of SAML, or its keys can be neither read nor made.
    pub async fn metadata(
        &self,
        directory: &Directory,
        login: &Origin,
        signed: bool,
    ) -> Result<String, ProviderUnavailable> {
        let settings = directory.protocol.saml().ok_or_else(super::no_provider)?;
        let own = self.0.own(directory, login).await?;
        let names = Names::of(login, directory);
        let id = signed.then(|| random::<20>().iter().fold("_".to_owned(), |id, byte| format!("{id}{byte:02x}")));
        let signing: Vec<&[u8]> = own.signing_certificates.iter().map(Vec::as_slice).collect();
        let encryption: Vec<&[u8]> = own.decryption_certificates.iter().map(Vec::as_slice).collect();
        let document = saml::party_metadata(&PartyMetadata {
            id: id.as_deref(),
            entity_id: &names.entity_id,
            acs: &names.acs,
            slo: Some(&names.slo),
            signing: &signing,
            encryption: &encryption,
            format: format(settings),
        });
        if signed { Ok(leave::enveloped(document, &own)?) } else { Ok(document) }
    }

    /// Verifies and judges a response, after its login was taken (once, cluster-wide). Its assertion is burnt at the first
    /// verification, whatever the judge says then.
    ///
    /// # Errors
    /// [`SamlUnproved`].
    pub async fn prove(
        &self,
        directory: &Arc<Directory>,
        login: &Origin,
        asked: Asked,
        response: &str,
        now: Timestamp,
    ) -> Result<Proof, SamlUnproved> {
        let settings = directory.protocol.saml().ok_or_else(super::no_provider)?;
        let mut provider = self.0.provider(directory, settings).await?;
        let own = self.0.own(directory, login).await?;
        let unread = |fault| unjudged(fault, &[], &provider);
        let document = Arc::new(saml::decode_post(response.as_bytes(), Limits::MESSAGE).map_err(unread)?);
        let mut verified = self.0.verify(directory, &document, &provider, &own).await?;
        // Where no certificate came along, a key that is new looks like a signature that does not hold.
        if matches!(verified, Err((SamlFault::UnknownKey | SamlFault::Signature, _)))
            && let Some(newer) = self.0.refetch(directory, settings, &provider).await
        {
            provider = newer;
            verified = self.0.verify(directory, &document, &provider, &own).await?;
        }
        let received = verified.map_err(|(fault, came)| unjudged(fault, &came, &provider))?;
        let refuse = |fault| unjudged(fault, received.brought(), &provider);
        let signers = [Some(received.signed_assertion()), received.signed_message()];
        self.0.may_sign(directory, &provider, signers.into_iter().flatten(), now).await?.map_err(refuse)?;
        let mark = received.one_use(directory.id, now);
        match self.0.store.take_once(mark).await.map_err(Fault::of).map_err(ProviderUnavailable::from)? {
            Taken::First => {}
            Taken::Again => return Err(refuse(SamlFault::Replayed)),
        }
        let connection = Names::of(login, directory).connection(settings, &provider);
        // Asked to authenticate anew, the provider did so after we asked.
        let max_age = asked.force.then_some(Duration::ZERO);
        let Asked { request_id, left_at, binding, .. } = asked;
        let expected = Expected { directory: directory.id, request_id, left_at, max_age, binding };
        let judgement = saml::judge(directory, &connection, &expected, &received, now);
        for warning in &judgement.warnings {
            tracing::warn!(directory = %directory.name, warning = warning.code(), "a SAML login is worth a look");
        }
        match judgement.outcome {
            Ok(judged) => {
                // Last, so that as little as can be reaches code of others: what is shown would log somebody in.
                self.0.consult(directory, &provider, &received).await.map_err(refuse)?;
                Ok(judged.proof)
            }
            Err(why) => {
                let report = Report::judged(&judgement, &received, &provider.metadata.keys);
                Err(SamlUnproved::Fault(why, report.lines()))
            }
        }
    }
}

/// Why a response was not judged, with the keys that came and those that are known.
fn unjudged(fault: SamlFault, came: &[Fingerprint], provider: &Provider) -> SamlUnproved {
    SamlUnproved::Fault(fault, Report::unjudged(fault, came.to_vec(), &provider.metadata.keys).lines())
}

/// The NameID format that a directory depends on.
fn format(settings: &SamlSettings) -> Option<&str> {
    match &settings.mapping.subject {
        SubjectChoice::NameId(format) => format.as_deref(),
        SubjectChoice::Attribute(_) => None,
    }
}

/// Our addresses at one directory.
struct Names {
    /// Our entity id is the address of our metadata (rule H20).
    entity_id: String,
    acs: String,
    slo: String,
}

impl Names {
    fn of(login: &Origin, directory: &Directory) -> Self {
        let url = |what: &str| format!("{}{}", login.url(), directory.name.saml_path(what));
        Self { entity_id: url("metadata"), acs: url("acs"), slo: url("slo") }
    }

    fn connection(self, settings: &SamlSettings, provider: &Provider) -> Connection {
        Connection {
            provider: provider.metadata.entity_id.clone(),
            entity_id: self.entity_id,
            acs: self.acs,
            mapping: settings.mapping.clone(),
            contexts: settings.contexts.clone(),
        }
    }
}

impl Desk {
    fn slot(&self, directory: DirectoryId) -> Arc<Slot> {
        self.slots.get_with(directory, Arc::default)
    }

    async fn own(&self, directory: &Directory, login: &Origin) -> Result<Arc<Own>, Fault> {
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
    async fn provider(
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
    async fn refetch(
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

    async fn fly(
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

    fn put(&self, slot: &Slot, settings: &SamlSettings, provider: Provider) -> Arc<Provider> {
        let provider = Arc::new(provider);
        let current = Current { provider: Arc::clone(&provider), at: settings.metadata.clone() };
        *slot.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(current);
        provider
    }

    fn usable(&self, slot: &Slot, settings: &SamlSettings) -> Option<Arc<Provider>> {
        let current = slot.current.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let holds = current.at == settings.metadata && current.provider.usable_until() > self.clock.now();
        holds.then_some(current.provider)
    }

    fn refresh_if_old(
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
    async fn verify(
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
    async fn in_turn<T: Send + 'static>(
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

    fn seal(&self, name: &str, plain: &[u8]) -> Result<Vec<u8>, Fault> {
        Ok(self.kek.seal_item(name, 1, plain, self.clock.now()).map_err(Fault::of)?.sealed)
    }

    fn unseal(&self, name: &str, sealed: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let row = crate::kernel::journal::KeyRow {
            kind: name.to_owned(),
            generation: 1,
            sealed,
            created_at: Timestamp::from_millis(0),
        };
        self.kek.open_item(&row).map_err(Fault::of)
    }
}
