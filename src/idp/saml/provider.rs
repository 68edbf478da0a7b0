//! A provider's metadata: fetched behind the requests, held to the entity id that it first had, kept for the day on which it cannot
//! be fetched.

use super::desk::unseal;
use super::ends::KeyNews;
use super::{Desk, Fault, SamlUnproved};
use crate::entropy::random;
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::journal::{Batch, Change};
use crate::kernel::model::{Directory, ExpiredKeys, MetadataAt, SamlSettings};
use crate::kernel::oidc::PlainHttp;
use crate::kernel::saml::{self, Fingerprint, ProviderMetadata, SamlFault};
use crate::kernel::values::{DirectoryId, EventId, Timestamp};
use crate::keys::Kek;
use crate::outbound::{Ask, Kind, Outbound};
use crate::store::NotCommitted;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use url::Url;

/// Metadata younger than this is used as it is; older is fetched again behind a request.
pub(super) const FRESH: Duration = Duration::from_secs(3_600);
/// A file is read again after this.
pub(super) const FRESH_FILE: Duration = Duration::from_secs(10);
/// Metadata that says of itself no end is used this long (behaviour §0).
const USABLE: Duration = Duration::from_secs(14 * 86_400);
/// What is kept is at most this much older than what was fetched last.
const KEPT_ANEW: Duration = Duration::from_secs(86_400);
/// Bytes of a document.
const LIMIT: u64 = 1024 * 1024;
/// What metadata of a demonstration carries.
const DEMO: &str = "urn:fedgate:demo";
/// Settings of metadata, each with the directory's id behind it.
pub(super) const NAME: &str = "saml.metadata.";

/// What is written to the admins of a directory's organization about its provider's keys: goes into the fact's batch.
pub type KeyLetters = Arc<dyn Fn(&Directory, KeyNews, Timestamp) -> Result<Vec<Change>, String> + Send + Sync>;

/// A provider, as its metadata says.
pub(in crate::idp) struct Provider {
    pub(in crate::idp) metadata: ProviderMetadata,
    pub(super) fetched_at: Timestamp,
    document: String,
}

/// What is kept of it, sealed.
#[derive(Deserialize, Serialize)]
pub(super) struct Kept {
    /// Where it was read: what another place said is the word of nobody who counts now (rule M4).
    pub(super) at: String,
    entity_id: String,
    fetched_at: i64,
    document: String,
}

impl Kept {
    pub(super) fn open(kek: &Kek, name: &str, sealed: Vec<u8>) -> Result<Self, Fault> {
        let plain = unseal(kek, name, sealed)?;
        serde_json::from_slice(&plain).map_err(|_| Fault(format!("{name} does not read")))
    }
}

/// What a provider's metadata must fit.
#[derive(Clone, Copy)]
pub(in crate::idp) struct HeldTo<'a> {
    pub(in crate::idp) settings: &'a SamlSettings,
    /// The entity id that the directory first had; none before the first time.
    pub(in crate::idp) entity: Option<&'a str>,
    /// This is a demonstration.
    pub(in crate::idp) allow_demo: bool,
}

/// Anybody is anybody at a demonstration's provider: only a demonstration believes it, wherever its metadata was found (rule M17).
pub(super) fn refuse_demo(document: &str, allow_demo: bool) -> Result<(), Fault> {
    let is_refused = !allow_demo && document.contains(DEMO);
    if is_refused { Err(Fault("this is the provider of a demonstration".into())) } else { Ok(()) }
}

impl Provider {
    /// Until when it is used while no newer one is to be had.
    pub(super) fn usable_until(&self) -> Timestamp {
        let by_age = self.fetched_at.plus(USABLE);
        self.metadata.valid_until.map_or(by_age, |until| until)
    }

    pub(in crate::idp) fn read(
        held_to: HeldTo<'_>,
        document: String,
        fetched_at: Timestamp,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let HeldTo { settings, entity, allow_demo } = held_to;
        refuse_demo(&document, allow_demo)?;
        let signer = settings.signer.as_ref();
        let metadata =
            ProviderMetadata::read(document.as_bytes(), entity, signer, PlainHttp::Loopback, now).map_err(Fault::of)?;
        let ended: Vec<Timestamp> =
            metadata.keys.known().filter_map(|(_, end)| end).filter(|end| *end <= now).collect();
        if settings.expired_keys == ExpiredKeys::Refuse && ended.len() == metadata.keys.known().count() {
            return Err(Fault("the certificates of all its keys have ended, and expired_keys is \"refuse\"".into()));
        }
        Ok(Self { metadata, fetched_at, document })
    }

    /// Whether the certificate of this key has ended.
    pub(super) fn has_ended(&self, key: Fingerprint, now: Timestamp) -> bool {
        self.metadata.keys.known().any(|(known, end)| known == key && end.is_some_and(|end| end <= now))
    }

    fn fingerprints(&self) -> HashSet<Fingerprint> {
        self.metadata.keys.known().map(|(fingerprint, _)| fingerprint).collect()
    }
}

impl Desk {
    /// Metadata from where the configuration says, held to what was known before.
    pub(super) async fn fetch(&self, directory: &Directory, settings: &SamlSettings) -> Result<Provider, Fault> {
        let now = self.clock.now();
        let document = match &settings.metadata {
            MetadataAt::Url(url) => ask(&self.outbound, url, Word::Operator).await?,
            MetadataAt::File(path) => from_file(path).await?,
        };
        let before = self.kept(directory.id).await?;
        let pinned = before.as_ref().map(|kept| kept.entity_id.as_str());
        let provider = Provider::read(self.held_to(settings, pinned), document, now, now)?;
        let is_old = |kept: &Kept| now.since(Timestamp::from_millis(kept.fetched_at)) > KEPT_ANEW;
        let is_news = |kept: &Kept| kept.document != provider.document || kept.at != settings.metadata.to_string();
        if before.as_ref().is_none_or(|before| is_news(before) || is_old(before)) {
            self.keep(directory, settings, before.as_ref(), &provider).await?;
        }
        Ok(provider)
    }

    /// Metadata for a question: what a gateway keeps, or else what is there now. Nothing is kept of it.
    pub(super) async fn looked_up(&self, directory: DirectoryId, settings: &SamlSettings) -> Result<Provider, Fault> {
        let now = self.clock.now();
        let document = match &settings.metadata {
            MetadataAt::File(path) => from_file(path).await?,
            MetadataAt::Url(url) => match self.remembered(directory, settings).await {
                Some(kept) => return Ok(kept),
                None => ask(&self.outbound, url, Word::Operator).await?,
            },
        };
        Provider::read(self.held_to(settings, None), document, now, now)
    }

    fn held_to<'a>(&self, settings: &'a SamlSettings, entity: Option<&'a str>) -> HeldTo<'a> {
        HeldTo { settings, entity, allow_demo: self.allow_demo.load(Ordering::Acquire) }
    }

    /// What was kept, if it still reads and may be used.
    pub(super) async fn remembered(&self, directory: DirectoryId, settings: &SamlSettings) -> Option<Provider> {
        let kept = match self.kept(directory).await {
            Ok(kept) => kept?,
            Err(fault) => {
                tracing::error!(%directory, %fault, "kept metadata cannot be used");
                return None;
            }
        };
        if kept.at != settings.metadata.to_string() {
            return None;
        }
        let now = self.clock.now();
        let fetched_at = Timestamp::from_millis(kept.fetched_at);
        let read = Provider::read(self.held_to(settings, Some(&kept.entity_id)), kept.document, fetched_at, now);
        let provider =
            read.inspect_err(|fault| tracing::warn!(%directory, %fault, "kept metadata is not used")).ok()?;
        (provider.usable_until() > now).then_some(provider)
    }

    async fn kept(&self, directory: DirectoryId) -> Result<Option<Kept>, Fault> {
        let name = format!("{NAME}{directory}");
        let Some(sealed) = self.store.setting(&name).await.map_err(Fault::of)? else { return Ok(None) };
        Kept::open(&self.kek, &name, sealed).map(Some)
    }

    /// Keeps it, and writes down which keys are new: whoever can add one can log anybody in (rule M5).
    async fn keep(
        &self,
        directory: &Directory,
        settings: &SamlSettings,
        before: Option<&Kept>,
        provider: &Provider,
    ) -> Result<(), Fault> {
        let now = self.clock.now();
        let name = format!("{NAME}{}", directory.id);
        let kept = Kept {
            at: settings.metadata.to_string(),
            entity_id: provider.metadata.entity_id.clone(),
            fetched_at: provider.fetched_at.millis(),
            document: provider.document.clone(),
        };
        let value = self.seal(&name, &serde_json::to_vec(&kept).map_err(Fault::of)?)?;
        let mut batch = Batch { changes: vec![Change::PutSetting { name, value }], ..Batch::default() };
        let older = before.and_then(|kept| {
            let at = Timestamp::from_millis(kept.fetched_at);
            // Whatever its end, and whoever signed it: it says which keys are not new.
            let unsigned = SamlSettings { signer: None, ..settings.clone() };
            Provider::read(self.held_to(&unsigned, Some(&kept.entity_id)), kept.document.clone(), at, at).ok()
        });
        let known = older.map(|older| older.fingerprints()).unwrap_or_default();
        let news: Vec<String> = provider.fingerprints().difference(&known).map(ToString::to_string).collect();
        if !news.is_empty() {
            let mut event = AuditEvent::new(EventId::mint(now, random()), now, Action::ProviderKeys, Outcome::Success);
            event.directory = Some(directory.name.to_string());
            event.org = directory.org().map(ToString::to_string);
            event.before = Some(serde_json::json!({ "entity_id": before.map(|kept| &kept.entity_id) }));
            event.after = Some(serde_json::json!({ "entity_id": kept.entity_id, "new_keys": news }));
            batch.events.push(event);
            // The first keys are those of whoever set it up.
            if before.is_some()
                && let Some(letters) = self.letters.get()
            {
                batch.changes.extend(letters(directory, KeyNews::New, now).map_err(Fault)?);
            }
        }
        self.store.commit(batch).await.map_err(|fault| Fault(fault.to_string()))?;
        if let Err(fault) = self.tell_ends(directory, provider).await {
            tracing::warn!(directory = %directory.name, %fault, "the end of a key could not be told");
        }
        Ok(())
    }
}

impl Desk {
    /// Whether these keys may have signed, whose certificates may have ended. Each use of an ended one is in the log; the first of a
    /// day is an event.
    pub(super) async fn may_sign(
        &self,
        directory: &Directory,
        provider: &Provider,
        mut signers: impl Iterator<Item = Fingerprint> + Send,
        now: Timestamp,
    ) -> Result<Result<(), SamlFault>, SamlUnproved> {
        let Some(ended) = signers.find(|key| provider.has_ended(*key, now)) else { return Ok(Ok(())) };
        if directory.protocol.saml().is_none_or(|settings| settings.expired_keys == ExpiredKeys::Refuse) {
            return Ok(Err(SamlFault::EndedKey));
        }
        tracing::warn!(directory = %directory.name, "a message was signed by a key whose certificate has ended");
        let day = now.seconds().div_euclid(86_400);
        let mut event = AuditEvent::new(EventId::mint(now, random()), now, Action::ProviderKeys, Outcome::Success);
        event.directory = Some(directory.name.to_string());
        event.org = directory.org().map(ToString::to_string);
        event.reason = Some("certificate-ended".to_owned());
        event.after = Some(serde_json::json!({ "used": ended.to_string() }));
        let mark = saml::daily(directory.id, &format!("{ended} {day}"), now);
        match self.store.commit(Batch { marks: vec![mark], events: vec![event], ..Batch::default() }).await {
            Ok(_) | Err(NotCommitted::Conflict(_)) => Ok(Ok(())),
            Err(NotCommitted::Unavailable(fault)) => Err(Fault::of(fault).into()),
        }
    }
}

/// Whose word an address is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::idp) enum Word {
    /// A configuration's: what the operator's own file names may be private, which the client knows.
    Operator,
    /// Somebody's who has no directory yet: public, https, port 443 (rule M16).
    Anybody,
}

/// Fetches metadata.
pub(in crate::idp) async fn ask(outbound: &Outbound, address: &str, word: Word) -> Result<String, Fault> {
    let url = Url::parse(address).map_err(Fault::of)?;
    let ask = Ask {
        kind: match word {
            Word::Operator => Kind::Operator { named: url.clone() },
            Word::Anybody => Kind::Document,
        },
        url: &url,
        method: Method::GET,
        headers: HeaderMap::new(),
        body: Bytes::new(),
        accept: "application/samlmetadata+xml, application/xml, text/xml",
    };
    let answer = outbound.fetch(ask).await.map_err(|fault| Fault(format!("{url}: {fault}")))?;
    if answer.status != StatusCode::OK {
        return Err(Fault(format!("{url} answered {}", answer.status)));
    }
    String::from_utf8(answer.body.to_vec()).map_err(|_| Fault(format!("{url} is not UTF-8")))
}

/// Reads metadata that the operator keeps in a file.
pub(in crate::idp) async fn from_file(path: &Path) -> Result<String, Fault> {
    let at = |fault: std::io::Error| Fault(format!("{}: {fault}", path.display()));
    let length = tokio::fs::metadata(path).await.map_err(at)?.len();
    if length > LIMIT {
        return Err(Fault(format!("{} is larger than 1 MiB", path.display())));
    }
    tokio::fs::read_to_string(path).await.map_err(at)
}
