//! Single logout (SAML Profiles §4.4): messages of providers verified, messages of ours written. Whose sessions end is decided
//! elsewhere.

use super::leave::{Outgoing, Way, preferred};
use super::{Names, SamlProviders, SamlUnproved};
use crate::entropy::random;
use crate::idp::ProviderUnavailable;
use crate::kernel::model::Directory;
use crate::kernel::saml::{self, Head, Limits, LogoutMessage, LogoutRequest, NameId, SamlFault, Signed};
use crate::kernel::values::{Origin, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// How long a request of ours is good for.
const GOOD_FOR: Duration = Duration::from_secs(5 * 60);
/// Bytes of each text of a NameID that is kept; those of real providers have under 256.
const NAME_ID: usize = 512;
/// Bytes of a RelayState that goes back to whoever sent it (SAML Bindings §3.4.3).
const RELAY_STATE: usize = 80;

/// A logout message as it arrived.
#[derive(Clone, Debug)]
pub enum Arrived {
    /// The query as the request line had it.
    Redirect(String),
    /// The fields of a form.
    Post {
        /// `SAMLRequest`, else `SAMLResponse`.
        is_request: bool,
        /// Its value.
        message: String,
        /// `RelayState`, empty where there is none.
        relay_state: String,
    },
}

/// A logout message that the directory's provider signed, for us and of now.
#[derive(Clone, Debug)]
pub struct Heard {
    /// What it says.
    pub message: LogoutMessage,
    /// What goes back with an answer; nothing where it is longer than the binding allows.
    pub relay_state: Option<String>,
}

/// Whom a provider is told to log out.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LogoutHint {
    value: String,
    format: String,
    name_qualifier: Option<String>,
    sp_name_qualifier: Option<String>,
    session_index: Option<String>,
}

impl LogoutHint {
    /// What a session remembers of an assertion. `None` for one whose texts are longer than any real provider's.
    pub fn of(name_id: &NameId, session_index: Option<&str>) -> Option<Self> {
        let NameId { value, format, name_qualifier, sp_name_qualifier } = name_id.clone();
        let hint =
            Self { value, format, name_qualifier, sp_name_qualifier, session_index: session_index.map(str::to_owned) };
        let texts =
            [Some(&hint.value), Some(&hint.format), hint.name_qualifier.as_ref(), hint.sp_name_qualifier.as_ref()];
        let is_short = texts.into_iter().flatten().all(|text| text.len() <= NAME_ID);
        is_short.then_some(hint)
    }

    fn name_id(&self) -> NameId {
        let Self { value, format, name_qualifier, sp_name_qualifier, session_index: _ } = self.clone();
        NameId { value, format, name_qualifier, sp_name_qualifier }
    }
}

impl SamlProviders {
    /// Verifies a logout message. `asked` answers which request of ours a RelayState belongs to, of a LogoutResponse.
    ///
    /// # Errors
    /// [`SamlUnproved`], its trace empty: what such a message says is nobody's word.
    pub async fn hear_logout(
        &self,
        directory: &Directory,
        login: &Origin,
        arrived: Arrived,
        asked: impl Fn(&str) -> Option<String> + Send + Sync,
        now: Timestamp,
    ) -> Result<Heard, SamlUnproved> {
        let settings = directory.protocol.saml().ok_or_else(crate::idp::no_provider)?;
        let fault = |fault: SamlFault| SamlUnproved::Fault(fault, Vec::new());
        let arrived = Arc::new(arrived);
        let mut provider = self.0.provider(directory, settings).await?;
        let mut verified = self.verify_logout(directory, &arrived, &provider).await?;
        // A query brings no certificate: a key that is new looks like a signature that does not hold.
        if matches!(verified, Err(SamlFault::UnknownKey | SamlFault::Signature))
            && let Some(newer) = self.0.refetch(directory, settings, &provider).await
        {
            provider = newer;
            verified = self.verify_logout(directory, &arrived, &provider).await?;
        }
        let (signed, relay_state) = verified.map_err(fault)?;
        self.0.may_sign(directory, &provider, [signed.by()].into_iter(), now).await?.map_err(fault)?;
        let names = Names::of(login, directory);
        let slo = names.slo.clone();
        let asked = relay_state.as_deref().and_then(asked);
        let connection = names.connection(settings, &provider);
        signed.value().check(&connection, &slo, asked.as_deref(), now).map_err(fault)?;
        if let LogoutMessage::Request(request) = signed.value()
            && !self.0.slot(directory.id).logouts.may_end(&request.shell.id, self.0.clock.since_boot())
        {
            return Err(fault(SamlFault::LogoutRate));
        }
        let relay_state = relay_state.filter(|text| (1..=RELAY_STATE).contains(&text.len()));
        Ok(Heard { message: signed.value().clone(), relay_state })
    }

    async fn verify_logout(
        &self,
        directory: &Directory,
        arrived: &Arc<Arrived>,
        provider: &Arc<super::Provider>,
    ) -> Result<Result<(Signed<LogoutMessage>, Option<String>), SamlFault>, ProviderUnavailable> {
        let (arrived, provider) = (Arc::clone(arrived), Arc::clone(provider));
        let open = move || match arrived.as_ref() {
            Arrived::Redirect(query) => LogoutMessage::with_relay_state(query, &provider.metadata.keys),
            Arrived::Post { is_request, message, relay_state } => {
                let document = saml::decode_post(message.as_bytes(), Limits::MESSAGE)?;
                let signed = LogoutMessage::from_post(&document, *is_request, &provider.metadata.keys)?;
                Ok((signed, Some(relay_state.clone())))
            }
        };
        let Some(turn) = self.0.slot(directory.id).logouts.turn().await else { return Ok(Err(SamlFault::LogoutRate)) };
        let opened = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            open()
        });
        Ok(opened.await.map_err(super::Fault::of)?)
    }

    /// A signed LogoutRequest for a session that has ended here; `None` where the provider has no address for one.
    ///
    /// # Errors
    /// [`ProviderUnavailable`].
    pub async fn request_logout(
        &self,
        directory: &Directory,
        login: &Origin,
        hint: &LogoutHint,
        sent: (&str, &str),
        now: Timestamp,
    ) -> Result<Option<Way>, ProviderUnavailable> {
        let settings = directory.protocol.saml().ok_or_else(crate::idp::no_provider)?;
        let provider = self.0.provider(directory, settings).await?;
        let Some(endpoint) = preferred(&provider.metadata.single_logout) else { return Ok(None) };
        let own = self.0.own(directory, login).await?;
        let names = Names::of(login, directory);
        let (id, relay_state) = sent;
        let head = Head { id, issued: now, destination: endpoint.location.as_str(), issuer: &names.entity_id };
        let until = now.plus(GOOD_FOR);
        let request = saml::logout_request(&head, until, &hint.name_id(), hint.session_index.as_deref());
        let outgoing = Outgoing { is_request: true, relay_state: Some(relay_state) };
        Ok(Some(outgoing.sign(endpoint.binding, &endpoint.location, request, &own)?))
    }

    /// The signed LogoutResponse to a provider's request; `None` where the provider has no address for one. `ended`: the sessions
    /// are over here.
    ///
    /// # Errors
    /// [`ProviderUnavailable`].
    pub async fn answer_logout(
        &self,
        directory: &Directory,
        login: &Origin,
        request: &LogoutRequest,
        said: (Option<&str>, bool),
        now: Timestamp,
    ) -> Result<Option<Way>, ProviderUnavailable> {
        let settings = directory.protocol.saml().ok_or_else(crate::idp::no_provider)?;
        let provider = self.0.provider(directory, settings).await?;
        let Some(endpoint) = preferred(&provider.metadata.single_logout) else { return Ok(None) };
        let own = self.0.own(directory, login).await?;
        let names = Names::of(login, directory);
        let address = endpoint.response_location.as_ref().unwrap_or(&endpoint.location);
        let id = random::<20>().iter().fold("_".to_owned(), |id, byte| format!("{id}{byte:02x}"));
        let head = Head { id: &id, issued: now, destination: address.as_str(), issuer: &names.entity_id };
        let (relay_state, ended) = said;
        let response = saml::logout_response(&head, &request.shell.id, ended);
        let outgoing = Outgoing { is_request: false, relay_state };
        Ok(Some(outgoing.sign(endpoint.binding, address, response, &own)?))
    }
}
