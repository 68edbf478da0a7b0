//! What a provider says outside logins, verified with its keys: as many tokens at once and in a minute as one directory may send
//! (rule H5), and its keys read again for one that is new, by the same rules as at a login.

use super::saml::turns::LogoutTurns;
use super::{ProviderUnavailable, Providers};
use crate::kernel::model::{Directory, Polled, Protocol, Transmitter};
use crate::kernel::oidc::{
    Fetched, Settled, Signal, SignalDoor, SignalFault, SignalKind, fetched, judge_signal, question,
};
use crate::kernel::values::{DirectoryId, Timestamp};
use crate::outbound::{Ask, Kind};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use moka::sync::Cache;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Directories whose turns are remembered; a directory that was forgotten begins its minute anew.
const DIRECTORIES: u64 = 10_000;

/// How long a transmitter may be silent: one that holds a question for longer cannot be told from one that is gone.
const SILENCE: Duration = Duration::from_secs(60);

/// Turns of each directory, apart from those of its logins.
pub(super) struct SignalTurns(Cache<DirectoryId, Arc<LogoutTurns>>);

impl Default for SignalTurns {
    fn default() -> Self {
        Self(Cache::new(DIRECTORIES))
    }
}

/// Why a token was not heard.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unheard {
    /// It does not hold.
    #[error(transparent)]
    Fault(#[from] SignalFault),
    /// The provider's keys are not to be had: nothing is known of the token.
    #[error(transparent)]
    Unavailable(#[from] ProviderUnavailable),
}

/// Whom a token at this door must be made for: of security events, what the transmitter writes, where the operator says so.
fn audience<'a>(directory: &'a Directory, door: SignalDoor<'a>) -> &'a str {
    let own = directory.transmitter.as_ref().and_then(|transmitter| transmitter.audience.as_deref());
    own.filter(|_| door.kind == SignalKind::Event).unwrap_or(door.address)
}

impl Providers {
    /// Asks a directory's transmitter for events, and tells what became of those of before. It may be silent for as long as it has nothing
    /// to say, up to [`SILENCE`].
    ///
    /// # Errors
    /// [`ProviderUnavailable`]; nothing of what was told is known to have arrived.
    pub async fn poll(
        &self,
        transmitter: &Transmitter,
        polled: &Polled,
        settled: &Settled,
    ) -> Result<Fetched, ProviderUnavailable> {
        let fault = |why: String| ProviderUnavailable(why);
        let url = Url::parse(&polled.url).map_err(|why| fault(why.to_string()))?;
        let bearer = HeaderValue::from_str(&format!("Bearer {}", transmitter.token.expose().trim()));
        let mut bearer = bearer.map_err(|_| fault("the token of `signals` is no token".to_owned()))?;
        bearer.set_sensitive(true);
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, bearer),
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        ]);
        let ask = Ask {
            kind: Kind::Operator { named: url.clone() },
            url: &url,
            method: Method::POST,
            headers,
            body: question(settled).into(),
            accept: "application/json",
        };
        let answer = self.0.outbound.fetch_within(SILENCE, ask).await.map_err(|why| fault(why.to_string()))?;
        match answer.status {
            StatusCode::OK => fetched(&answer.body).ok_or_else(|| fault("that is no answer of RFC 8936".to_owned())),
            StatusCode::NO_CONTENT | StatusCode::ACCEPTED => Ok(Fetched::default()),
            other => Err(fault(format!("the transmitter answered {other}"))),
        }
    }

    /// Verifies what a directory's provider sent to one of its doors.
    ///
    /// # Errors
    /// [`Unheard`]; the token is not used up by any.
    pub async fn hear(
        &self,
        directory: &Directory,
        door: SignalDoor<'_>,
        token: &str,
        now: Timestamp,
    ) -> Result<Signal, Unheard> {
        let Protocol::Oidc(settings) = &directory.protocol else { return Err(super::no_provider().into()) };
        let door = SignalDoor { address: audience(directory, door), ..door };
        let turns = self.0.signals.0.get_with(directory.id, Arc::default);
        let turn = turns.turn().await.ok_or(SignalFault::Rate)?;
        let provider = self.provider(&settings.issuer).await?;
        let mut judged = judge_signal(settings, &provider.keys, door, token, now);
        if matches!(judged, Err(SignalFault::UnknownKey))
            && let Some(newer) = self.0.memory.refetch(&settings.issuer, &provider).await
        {
            judged = judge_signal(settings, &newer.keys, door, token, now);
        }
        drop(turn);
        let signal = judged?;
        if turns.may_end(&signal.id, self.0.clock.since_boot()) { Ok(signal) } else { Err(SignalFault::Rate.into()) }
    }
}
