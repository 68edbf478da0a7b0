//! SAML providers: their metadata, our keys and our metadata at each, requests that leave and responses that come back.
//!
//! Nothing here decides anything about people: bytes go to the judges of `kernel::saml`, off the request loops and few at a time for
//! each directory. Deliberately absent: artifacts, ECP, and whatever a response says before its login under way was taken.

mod consult;
mod desk;
mod ends;
mod examine;
mod leave;
mod logout;
pub mod opinion;
mod own;
mod provider;
mod retired;
pub(super) mod turns;

use super::ProviderUnavailable;
use crate::clock::Clock;
use crate::entropy::random;
use crate::kernel::model::{Directory, SamlSettings};
use crate::kernel::oidc::PlainHttp;
use crate::kernel::proof::Proof;
use crate::kernel::saml::{
    self, Connection, Expected, Fingerprint, Limits, PartyMetadata, ProviderMetadata, Report, SamlFault, SubjectChoice,
};
use crate::kernel::values::{Origin, Timestamp};
use crate::keys::Kek;
use crate::outbound::Outbound;
use crate::store::{Store, Taken};
use desk::{DIRECTORIES, Desk};
pub use ends::KeyNews;
pub use leave::{Posting, SamlLeaving, Way};
pub use logout::{Arrived, Heard, LogoutHint};
use moka::sync::Cache;
use opinion::Opinions;
use own::Own;
pub use own::Rolled;
pub use provider::KeyLetters;
use provider::refuse_demo;
pub(super) use provider::{HeldTo, Provider, Word, ask, from_file};
pub use retired::{SealedAnew, retire_all};
use std::fmt::Display;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::Handle;

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

    /// What is written to admins about a provider's keys (rule M5, N9). Said once, when the process is put together;
    /// without it nobody is written to.
    pub fn write_by(&self, letters: KeyLetters) {
        let _ = self.0.letters.set(letters);
    }

    /// Reads a provider's metadata without keeping anything: whether a directory could be made of it.
    ///
    /// # Errors
    /// A sentence that says why not. That an address could not be read is one sentence, whatever the reason (rule M16).
    pub async fn look_at(&self, address: &str) -> Result<(), String> {
        let document = ask(&self.0.outbound, address, Word::Anybody).await;
        let document = document.map_err(|_| "the metadata cannot be read at that address".to_owned())?;
        refuse_demo(&document, self.0.allow_demo.load(Ordering::Acquire)).map_err(|fault| fault.to_string())?;
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
