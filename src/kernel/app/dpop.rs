//! That an app holds its key (RFC 9449 §4.3): a proof for one request, of just now.
//!
//! ES256 alone: what the key stores of phones and computers all do. Whether a proof came before is the asker's to know.

use crate::kernel::model::Thumbprint;
use crate::kernel::oidc::VerifyingKey;
use crate::kernel::oidc::json::strict;
use crate::kernel::request::path::NormalPath;
use crate::kernel::values::{Origin, Timestamp};
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::JsonWebKey as _;
use openidconnect::core::CoreJwsSigningAlgorithm;
use serde_json::{Map, Value};
use std::time::Duration;
use url::Url;

/// How far an app's clock may be from ours, either way.
const SKEW: Duration = Duration::from_secs(120);
/// Bytes of a proof: real ones have under 700.
const LIMIT: usize = 4096;
/// Characters of a `jti`.
const ID_LIMIT: usize = 256;

/// What a proof must be for.
#[derive(Clone, Copy, Debug)]
pub struct DpopWanted<'a> {
    /// The request's method.
    pub method: &'a str,
    /// The host that it came to.
    pub origin: &'a Origin,
    /// Its path, without the query.
    pub path: &'a str,
    /// The access token beside it, where there is one.
    pub token: Option<&'a str>,
    /// Read once.
    pub now: Timestamp,
}

/// A proof that holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DpopHeld {
    /// Whose key it is.
    pub key: Thumbprint,
    /// SHA-256 of the key and the `jti`: it comes once.
    pub id: [u8; 32],
    /// Until when the same proof would be in time.
    pub until: Timestamp,
}

/// Why a proof does not hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DpopFault {
    /// No JWS in compact form of that size, or JSON that says something twice.
    #[error("shape")]
    Shape,
    /// `typ` is not `dpop+jwt`, `alg` is not ES256, or the header wants to be obeyed.
    #[error("header")]
    Header,
    /// No public P-256 key.
    #[error("key")]
    Key,
    /// The signature does not hold.
    #[error("signature")]
    Signature,
    /// `htm` or `htu` are of another request.
    #[error("request")]
    Request,
    /// Not of now.
    #[error("time")]
    Time,
    /// No `jti`.
    #[error("id")]
    Id,
    /// `ath` is missing, or that of another token.
    #[error("token")]
    Token,
}

/// Judges the `DPoP` field of a request.
///
/// # Errors
/// [`DpopFault`]: what does not hold.
pub fn judge_dpop(proof: &str, wanted: &DpopWanted<'_>) -> Result<DpopHeld, DpopFault> {
    let (signed, signature) = proof.rsplit_once('.').filter(|_| proof.len() <= LIMIT).ok_or(DpopFault::Shape)?;
    let (header, claims) = signed.split_once('.').ok_or(DpopFault::Shape)?;
    let (header, claims) = (members(header)?, members(claims)?);
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| DpopFault::Shape)?;
    let text = |members: &Map<String, Value>, name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
    let is_ours =
        text(&header, "typ").as_deref() == Some("dpop+jwt") && text(&header, "alg").as_deref() == Some("ES256");
    if !is_ours || ["crit", "b64", "zip", "enc"].iter().any(|name| header.contains_key(*name)) {
        return Err(DpopFault::Header);
    }
    let (key, thumbprint) = key_of(header.get("jwk").ok_or(DpopFault::Key)?)?;
    let verified = key.verify_signature(&CoreJwsSigningAlgorithm::EcdsaP256Sha256, signed.as_bytes(), &signature);
    verified.map_err(|_| DpopFault::Signature)?;
    let url = text(&claims, "htu").ok_or(DpopFault::Request)?;
    if text(&claims, "htm").as_deref() != Some(wanted.method) || !is_address_of(&url, wanted) {
        return Err(DpopFault::Request);
    }
    let issued =
        claims.get("iat").and_then(Value::as_f64).filter(|at| (0.0..1e11).contains(at)).ok_or(DpopFault::Time)?;
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    let issued = Timestamp::from_seconds(issued as i64);
    // `iat` is cut to whole seconds.
    if issued > wanted.now.plus(SKEW) || issued.plus(SKEW + Duration::from_secs(1)) < wanted.now {
        return Err(DpopFault::Time);
    }
    let id = text(&claims, "jti").filter(|id| (1..=ID_LIMIT).contains(&id.len())).ok_or(DpopFault::Id)?;
    if let Some(token) = wanted.token {
        let own = URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes()));
        if text(&claims, "ath") != Some(own) {
            return Err(DpopFault::Token);
        }
    }
    let id = sha256(&[thumbprint.0.as_slice(), id.as_bytes()].concat());
    Ok(DpopHeld { key: thumbprint, id, until: issued.plus(SKEW + Duration::from_secs(1)) })
}

fn members(part: &str) -> Result<Map<String, Value>, DpopFault> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| DpopFault::Shape)?;
    match strict(&bytes, LIMIT) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(DpopFault::Shape),
    }
}

/// The key and its thumbprint, over the members that RFC 7638 §3.2 names. A private key that somebody sends is not made known further.
fn key_of(jwk: &Value) -> Result<(VerifyingKey, Thumbprint), DpopFault> {
    let text = |name| jwk.get(name).and_then(Value::as_str);
    let (Some("EC"), Some("P-256"), Some(x), Some(y), None) =
        (text("kty"), text("crv"), text("x"), text("y"), text("d"))
    else {
        return Err(DpopFault::Key);
    };
    // In their one spelling: 32 bytes each.
    if super::bytes32(x).is_none() || super::bytes32(y).is_none() {
        return Err(DpopFault::Key);
    }
    let plain = serde_json::json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
    let key = VerifyingKey::try_from(plain).map_err(|_| DpopFault::Key)?;
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    Ok((key, Thumbprint(sha256(canonical.as_bytes()))))
}

/// Whether a `htu` is the request's own address, whatever its spelling; query and fragment do not count (RFC 9449 §4.3, 9).
fn is_address_of(text: &str, wanted: &DpopWanted<'_>) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let is_here = url.scheme() == "https"
        && url.host_str() == Some(wanted.origin.host())
        && url.port_or_known_default() == Some(wanted.origin.port())
        && url.username().is_empty()
        && url.password().is_none();
    is_here && NormalPath::parse(url.path()).is_ok_and(|path| path.path() == wanted.path)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests;
