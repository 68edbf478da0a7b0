//! How a product knows who is there: it verifies `Fedgate-Assertion` itself, so that reaching it around the gateway is of no use.

use std::collections::HashMap;

use aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED;
use hyper::header::HeaderMap;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::jose::{self, Compact};
use super::{Clock, FetchKeys};

/// Clock skew allowed, in seconds: the same 60 as everywhere.
const SKEW: i64 = 60;
/// An unknown key id asks for the key set again at most this often, in seconds.
const REFETCH: i64 = 5;

/// Who is there, as the gateway says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Claims {
    /// The product's own user id.
    pub sub: String,
    /// The address.
    #[serde(default)]
    pub email: String,
    /// The name; may be empty.
    #[serde(default)]
    pub name: String,
    /// The organization that manages the person.
    #[serde(default)]
    pub org: Option<String>,
    /// The product session.
    #[serde(default)]
    pub sid: String,
}

/// Why a request was not let in; the text is the body of the 401.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unproved {
    /// No assertion, or several.
    #[error("no Fedgate-Assertion came with this request: open this product through the gateway")]
    Absent,
    /// Not a token of the right type and algorithm.
    #[error("the Fedgate-Assertion is not a fedgate+jwt signed with ES256")]
    Malformed,
    /// Not signed by the gateway.
    #[error("the Fedgate-Assertion is not signed by a key of the gateway")]
    BadSignature,
    /// Made for another product or by another gateway.
    #[error("the Fedgate-Assertion is not meant for this product")]
    WrongParty,
    /// Too old, or not yet valid.
    #[error("the Fedgate-Assertion has expired")]
    Expired,
}

/// Checks assertions for all sample products.
pub(super) struct Door {
    issuer: String,
    fetch: FetchKeys,
    clock: Clock,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    points: HashMap<String, Vec<u8>>,
    fetched_at: Option<i64>,
}

impl Door {
    pub(super) fn new(issuer: String, fetch: FetchKeys, clock: Clock) -> Self {
        Self { issuer, fetch, clock, known: Mutex::default() }
    }

    /// The time that assertions are judged by.
    pub(super) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// Who is there: exactly one assertion, `typ`, algorithm, signature, `iss`, `aud`, `iat` and `exp` all right.
    pub(super) async fn admit(&self, headers: &HeaderMap, audience: &str) -> Result<Claims, Unproved> {
        let mut values = headers.get_all("fedgate-assertion").iter();
        let (Some(value), None) = (values.next(), values.next()) else { return Err(Unproved::Absent) };
        let token = Compact::parse(value.to_str().map_err(|_| Unproved::Malformed)?).ok_or(Unproved::Malformed)?;
        let is = |name: &str, expected: &str| token.header.get(name).is_some_and(|given| given == expected);
        if !is("typ", "fedgate+jwt") || !is("alg", "ES256") || token.header.get("crit").is_some() {
            return Err(Unproved::Malformed);
        }
        let kid = token.header.get("kid").and_then(Value::as_str).ok_or(Unproved::Malformed)?;
        let point = self.point(kid).await.ok_or(Unproved::BadSignature)?;
        if !token.is_signed_by(&ECDSA_P256_SHA256_FIXED, &point) {
            return Err(Unproved::BadSignature);
        }
        self.judge(token.claims().ok_or(Unproved::Malformed)?, audience)
    }

    fn judge(&self, claims: Value, audience: &str) -> Result<Claims, Unproved> {
        let for_us = match claims.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(several)) => several.iter().any(|one| one == audience),
            _ => false,
        };
        if !for_us || claims.get("iss").is_none_or(|issuer| issuer != self.issuer.as_str()) {
            return Err(Unproved::WrongParty);
        }
        let (now, time) = ((self.clock)(), |name: &str| claims.get(name).and_then(Value::as_i64));
        let (Some(issued), Some(expires)) = (time("iat"), time("exp")) else { return Err(Unproved::Malformed) };
        if now >= expires.saturating_add(SKEW) || issued > now.saturating_add(SKEW) {
            return Err(Unproved::Expired);
        }
        serde_json::from_value(claims).map_err(|_| Unproved::Malformed)
    }

    /// The key of that id. The lock is held while fetching, so that many requests at a start ask once.
    async fn point(&self, kid: &str) -> Option<Vec<u8>> {
        let mut known = self.known.lock().await;
        if let Some(point) = known.points.get(kid) {
            return Some(point.clone());
        }
        let now = (self.clock)();
        if known.fetched_at.is_some_and(|at| now < at.saturating_add(REFETCH)) {
            return None;
        }
        known.fetched_at = Some(now);
        match (self.fetch)().await {
            Ok(set) => known.points = points(&set),
            Err(error) => tracing::warn!(error, "a sample product could not fetch the gateway's keys"),
        }
        known.points.get(kid).cloned()
    }
}

/// The usable keys of a key set by their ids; others are skipped.
fn points(set: &[u8]) -> HashMap<String, Vec<u8>> {
    let set: Value = serde_json::from_slice(set).unwrap_or_default();
    let keys = set.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    keys.iter().filter_map(|key| Some((key.get("kid")?.as_str()?.to_owned(), jose::elliptic_point(key)?))).collect()
}
