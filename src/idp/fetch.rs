//! A provider's two documents, fetched and parsed together.

use super::ProviderUnavailable;
use crate::kernel::oidc::{KeySet, Metadata, PlainHttp};
use crate::kernel::values::Timestamp;
use crate::outbound::{Answer, Ask, Kind, Outbound};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

/// What is remembered of a provider: addresses and parsed keys, and the bytes they were read from.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) metadata: Metadata,
    pub(super) keys: KeySet,
    pub(super) fetched_at: Timestamp,
    pub(super) documents: Documents,
}

/// The two documents, as they came.
#[derive(Clone, Debug)]
pub(super) struct Documents {
    pub(super) metadata: Bytes,
    pub(super) keys: Bytes,
}

/// Why documents are not used.
#[derive(Debug)]
pub(super) enum NotUsed {
    /// The provider is down, or what it says is not usable.
    Unavailable(ProviderUnavailable),
    /// It is the sample issuer of `fedgate demo`: what is remembered of it is forgotten (rule M17).
    Demo,
}

impl From<NotUsed> for ProviderUnavailable {
    fn from(fault: NotUsed) -> Self {
        match fault {
            NotUsed::Unavailable(fault) => fault,
            NotUsed::Demo => Self("it is the sample issuer of fedgate demo, which must not guard real products".into()),
        }
    }
}

fn unavailable(fault: impl std::fmt::Display) -> NotUsed {
    NotUsed::Unavailable(ProviderUnavailable(fault.to_string()))
}

impl Provider {
    /// Reads both documents of the provider that is configured as `issuer`.
    pub(super) fn read(
        issuer: &str,
        documents: Documents,
        fetched_at: Timestamp,
        allow_demo: bool,
    ) -> Result<Self, NotUsed> {
        let metadata = read_metadata(issuer, &documents.metadata, allow_demo)?;
        let keys = KeySet::parse(&documents.keys).map_err(unavailable)?;
        Ok(Self { metadata, keys, fetched_at, documents })
    }

    /// Asks for discovery, then for the keys.
    pub(super) async fn fetch(
        outbound: &Outbound,
        issuer: &str,
        now: Timestamp,
        allow_demo: bool,
    ) -> Result<Self, NotUsed> {
        let named = Url::parse(issuer).map_err(unavailable)?;
        let discovery = discovery_address(issuer)?;
        let metadata = get(outbound, &named, &discovery).await?.body;
        let jwks = read_metadata(issuer, &metadata, allow_demo)?.jwks;
        let keys = get(outbound, &named, &jwks).await?.body;
        Self::read(issuer, Documents { metadata, keys }, now, allow_demo)
    }
}

/// OpenID Connect Discovery 1.0 §4: below the issuer, whatever path that has.
pub(super) fn discovery_address(issuer: &str) -> Result<Url, NotUsed> {
    Url::parse(&format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))).map_err(unavailable)
}

/// An issuer on this machine may use http, and then all its addresses here may.
fn read_metadata(issuer: &str, bytes: &[u8], allow_demo: bool) -> Result<Metadata, NotUsed> {
    let plain = if issuer.starts_with("http:") { PlainHttp::Loopback } else { PlainHttp::Refused };
    let metadata = Metadata::parse(bytes, issuer, plain).map_err(unavailable)?;
    if metadata.demo && !allow_demo { Err(NotUsed::Demo) } else { Ok(metadata) }
}

/// A document of a provider whose issuer the operator named.
pub(super) async fn get(outbound: &Outbound, named: &Url, url: &Url) -> Result<Answer, NotUsed> {
    let ask = Ask {
        kind: Kind::Operator { named: named.clone() },
        url,
        method: Method::GET,
        headers: HeaderMap::new(),
        body: Bytes::new(),
        accept: "application/json",
    };
    let answer = outbound.fetch(ask).await.map_err(|fault| unavailable(format!("{url}: {fault}")))?;
    if answer.status == StatusCode::OK {
        Ok(answer)
    } else {
        Err(unavailable(format!("{url} answered {}", answer.status)))
    }
}
