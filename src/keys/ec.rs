//! ES256 keys: a scalar from the store, its public half as a JWK, compact JWS (RFC 7515, RFC 7518 §3.4).

use super::Raw;
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;

/// A P-256 key pair and its public names.
pub(super) struct EcKey {
    pair: EcdsaKeyPair,
    jwk: Jwk,
}

/// A public key as products and providers read it (RFC 7517), members in the order of RFC 7638 where those count.
#[derive(Clone, Serialize)]
pub(super) struct Jwk {
    crv: &'static str,
    kty: &'static str,
    x: String,
    y: String,
    #[serde(rename = "use")]
    purpose: &'static str,
    alg: &'static str,
    kid: String,
}

#[derive(Serialize)]
struct JwkSet {
    keys: Vec<Jwk>,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'a str,
    kid: &'a str,
}

impl EcKey {
    /// Whether the bytes are a scalar between 1 and the group's order.
    pub(super) fn is_scalar(raw: &Raw) -> bool {
        PrivateKey::from_private_key(&ECDH_P256, raw.as_ref()).is_ok()
    }

    pub(super) fn new(raw: &Raw) -> Option<Self> {
        let public = PrivateKey::from_private_key(&ECDH_P256, raw.as_ref()).ok()?.compute_public_key().ok()?;
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            raw.as_ref(),
            public.as_ref(),
        );
        // SEC 1 §2.3.3: 0x04, then both coordinates.
        let coordinates = public.as_ref().strip_prefix(&[4])?;
        let (x, y) = coordinates.split_at_checked(32)?;
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let kid = thumbprint(&x, &y);
        Some(Self { pair: pair.ok()?, jwk: Jwk { crv: "P-256", kty: "EC", x, y, purpose: "sig", alg: "ES256", kid } })
    }

    /// A compact JWS over the claims.
    pub(super) fn sign(&self, typ: &str, claims: &impl Serialize) -> Option<String> {
        self.sign_json(typ, &serde_json::to_vec(claims).ok()?)
    }

    /// The same over claims that are JSON already.
    pub(super) fn sign_json(&self, typ: &str, claims: &[u8]) -> Option<String> {
        let header = Header { alg: "ES256", typ, kid: &self.jwk.kid };
        let mut jws = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header).ok()?);
        jws.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut jws);
        let signature = self.pair.sign_digest(&digest(&SHA256, jws.as_bytes())).ok()?;
        jws.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut jws);
        Some(jws)
    }
}

/// A JWK set of these keys.
pub(super) fn jwk_set<'a>(keys: impl Iterator<Item = &'a EcKey>) -> Option<String> {
    serde_json::to_string(&JwkSet { keys: keys.map(|key| key.jwk.clone()).collect() }).ok()
}

/// RFC 7638 with SHA-256. The members are base64url and constants: nothing needs escaping.
fn thumbprint(x: &str, y: &str) -> String {
    let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    URL_SAFE_NO_PAD.encode(digest(&SHA256, members.as_bytes()))
}
