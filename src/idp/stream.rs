//! Setting a stream of security events up at its transmitter (OpenID Shared Signals Framework 1.0), by the operator's command. Nothing here
//! hears an event: that is the directory's door's, whatever a transmitter granted.

use crate::kernel::model::Transmitter;
use crate::kernel::oidc::signal_stream::{
    Delivery, Stream, StreamFault, TransmitterMetadata, request, status, stream, streams, transmitter, verification,
    well_known,
};
use crate::outbound::{Answer, Ask, Kind, Outbound, OutboundFault};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use url::Url;

/// Bytes of what a transmitter says of a refusal that are shown.
const SAID: usize = 300;

/// Why a transmitter could not be asked, or what it refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unmanaged {
    /// Its issuer is no address.
    #[error("the transmitter's issuer {0:?} is no address")]
    Issuer(String),
    /// The token is none that a header can carry.
    #[error("the token of `signals` is no bearer token")]
    Token,
    /// There is no answer.
    #[error("{0} cannot be asked: {1}")]
    Unanswered(Url, OutboundFault),
    /// An answer that grants nothing, and the beginning of what it says.
    #[error("{0} answered {1}{2}")]
    Refused(Url, StatusCode, String),
    /// An answer that is not used.
    #[error("{0}: {1}")]
    Fault(Url, StreamFault),
    /// It has no endpoint for that.
    #[error("the transmitter has no {0}")]
    Without(&'static str),
}

/// A transmitter, known by its own configuration.
#[derive(Debug)]
pub struct StreamManagement {
    outbound: Outbound,
    /// Whose streams these are.
    issuer: String,
    named: Url,
    bearer: HeaderValue,
    metadata: TransmitterMetadata,
}

impl StreamManagement {
    /// Reads the configuration of a directory's own issuer: its events are taken and nobody else's.
    ///
    /// # Errors
    /// [`Unmanaged`].
    pub async fn open(outbound: Outbound, known: &Transmitter, issuer: &str) -> Result<Self, Unmanaged> {
        let issuer = issuer.to_owned();
        let at = well_known(&issuer).ok_or_else(|| Unmanaged::Issuer(issuer.clone()))?;
        let bearer = HeaderValue::from_str(&format!("Bearer {}", known.token.expose().trim()));
        let mut bearer = bearer.map_err(|_| Unmanaged::Token)?;
        bearer.set_sensitive(true);
        // The configuration is public: the token is not shown for it.
        let ask = Ask {
            kind: Kind::Operator { named: at.clone() },
            url: &at,
            method: Method::GET,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            accept: "application/json",
        };
        let answer = outbound.fetch(ask).await.map_err(|why| Unmanaged::Unanswered(at.clone(), why))?;
        let answer = granted(&at, answer)?;
        let metadata = transmitter(&answer.body, &issuer).map_err(|why| Unmanaged::Fault(at.clone(), why))?;
        Ok(Self { outbound, issuer, named: at, bearer, metadata })
    }

    /// Whether it says that it delivers this way; one that says nothing is asked.
    pub fn delivers(&self, delivery: Delivery) -> bool {
        self.metadata.deliveries.is_empty() || self.metadata.deliveries.contains(&delivery)
    }

    /// Whether it can be asked to prove the way.
    pub fn verifies(&self) -> bool {
        self.metadata.verification.is_some()
    }

    /// The streams that this token has there.
    ///
    /// # Errors
    /// [`Unmanaged`].
    pub async fn streams(&self) -> Result<Vec<Stream>, Unmanaged> {
        let at = &self.metadata.configuration;
        let answer = self.ask(at, Method::GET, Bytes::new()).await?;
        // Of a receiver with a single stream that it does not have yet (§8.1.1.2).
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(Vec::new());
        }
        streams(&granted(at, answer)?.body, &self.issuer).map_err(|why| Unmanaged::Fault(at.clone(), why))
    }

    /// Makes a stream.
    ///
    /// # Errors
    /// [`Unmanaged`].
    pub async fn create(&self, delivery: Delivery, door: &str, description: &str) -> Result<Stream, Unmanaged> {
        let at = &self.metadata.configuration;
        let answer = self.ask(at, Method::POST, request(delivery, door, description).into()).await?;
        stream(&granted(at, answer)?.body, &self.issuer).map_err(|why| Unmanaged::Fault(at.clone(), why))
    }

    /// Ends a stream.
    ///
    /// # Errors
    /// [`Unmanaged`].
    pub async fn remove(&self, stream: &Stream) -> Result<(), Unmanaged> {
        let at = of(&self.metadata.configuration, stream);
        let answer = self.ask(&at, Method::DELETE, Bytes::new()).await?;
        granted(&at, answer).map(drop)
    }

    /// A stream's state, and why it is so. `None` where the transmitter has no endpoint for it.
    ///
    /// # Errors
    /// [`Unmanaged`].
    pub async fn status(&self, stream: &Stream) -> Result<Option<(String, Option<String>)>, Unmanaged> {
        let Some(at) = &self.metadata.status else { return Ok(None) };
        let at = of(at, stream);
        let answer = granted(&at, self.ask(&at, Method::GET, Bytes::new()).await?)?;
        status(&answer.body).map(Some).map_err(|why| Unmanaged::Fault(at, why))
    }

    /// Asks for an event that carries `state`.
    ///
    /// # Errors
    /// [`Unmanaged`].
    pub async fn verify(&self, stream: &Stream, state: &str) -> Result<(), Unmanaged> {
        let at = self.metadata.verification.as_ref().ok_or(Unmanaged::Without("verification_endpoint"))?;
        granted(at, self.ask(at, Method::POST, verification(&stream.id, state).into()).await?).map(drop)
    }

    async fn ask(&self, url: &Url, method: Method, body: Bytes) -> Result<Answer, Unmanaged> {
        let mut headers = HeaderMap::from_iter([(AUTHORIZATION, self.bearer.clone())]);
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let kind = Kind::Operator { named: self.named.clone() };
        let ask = Ask { kind, url, method, headers, body, accept: "application/json" };
        self.outbound.fetch(ask).await.map_err(|why| Unmanaged::Unanswered(url.clone(), why))
    }
}

/// An endpoint, asked about one stream.
fn of(endpoint: &Url, stream: &Stream) -> Url {
    let mut url = endpoint.clone();
    url.query_pairs_mut().append_pair("stream_id", &stream.id);
    url
}

fn granted(url: &Url, answer: Answer) -> Result<Answer, Unmanaged> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    let said = String::from_utf8_lossy(answer.body.get(..SAID).unwrap_or(&answer.body)).trim().to_owned();
    let said = if said.is_empty() { said } else { format!(": {said}") };
    Err(Unmanaged::Refused(url.clone(), answer.status, said))
}
