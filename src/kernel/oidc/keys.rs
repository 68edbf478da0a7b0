//! A provider's signing keys, verified by aws-lc-rs.
//!
//! [`VerifyingKey`] is the key that openidconnect's verifier is given, so that the `rsa` crate is never asked. Deliberately
//! absent: symmetric keys (a client secret that signs tokens is a secret that two sides hold), keys from token headers, private
//! keys. A new kind of key is one variant of `Material` and one line in [`VerifyingKey::parse`] and in `verify_signature`.

use super::json::strict;
use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::core::{CoreJsonWebKeyType, CoreJsonWebKeyUse, CoreJwsSigningAlgorithm as Alg};
use openidconnect::{JsonWebKey, JsonWebKeyAlgorithm, JsonWebKeyId, SignatureVerificationError as Fault};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// Bytes of a key set: real ones have under 20 KiB.
const SET_LIMIT: usize = 256 * 1024;
/// Keys in a set: real ones have under 20.
const KEYS_LIMIT: usize = 100;

/// The keys of one provider that can verify something.
#[derive(Clone, Debug)]
pub struct KeySet {
    keys: Vec<VerifyingKey>,
}

/// No JSON object with `keys`, too large, or without a single key that we could use.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a key set with a usable signing key")]
pub struct NotKeys;

impl KeySet {
    /// Reads a JWK set (RFC 7517 §5): keys of unknown kinds, for encryption, or too weak are skipped.
    ///
    /// # Errors
    /// [`NotKeys`] when nothing usable is left.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotKeys> {
        let document = strict(bytes, SET_LIMIT).map_err(|_| NotKeys)?;
        let listed = document.get("keys").and_then(Value::as_array).ok_or(NotKeys)?;
        if listed.len() > KEYS_LIMIT {
            return Err(NotKeys);
        }
        let keys: Vec<_> = listed.iter().filter_map(|jwk| VerifyingKey::parse(jwk).ok()).collect();
        if keys.is_empty() { Err(NotKeys) } else { Ok(Self { keys }) }
    }

    /// Cheap copies of the keys, for a verifier.
    pub(super) fn keys(&self) -> Vec<VerifyingKey> {
        self.keys.clone()
    }

    /// How many keys can be used.
    pub fn count(&self) -> usize {
        self.keys.len()
    }
}

/// A public key of a provider.
#[derive(Clone, Deserialize, Serialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct VerifyingKey(Arc<Parsed>);

struct Parsed {
    id: Option<JsonWebKeyId>,
    kind: CoreJsonWebKeyType,
    algorithm: Option<Alg>,
    material: Material,
    jwk: Value,
}

enum Material {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    P256(ParsedPublicKey),
    P384(ParsedPublicKey),
    Ed25519(ParsedPublicKey),
    /// A symmetric key: verifies nothing.
    Nothing,
}

/// A key that we do not use.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a public key that verifies signatures here")]
pub struct NotAKey;

impl VerifyingKey {
    /// Reads a JWK: RSA of 2048 to 8192 bits with an odd exponent of at least 3, P-256, P-384 or Ed25519, for signatures.
    fn parse(jwk: &Value) -> Result<Self, NotAKey> {
        let text = |name| jwk.get(name).and_then(Value::as_str);
        let for_signatures = jwk.get("use").is_none_or(|usage| usage == "sig")
            && jwk
                .get("key_ops")
                .is_none_or(|ops| ops.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify")));
        if !for_signatures {
            return Err(NotAKey);
        }
        let algorithm = match jwk.get("alg") {
            None => None,
            Some(named) => Some(serde_json::from_value::<Alg>(named.clone()).map_err(|_| NotAKey)?),
        };
        let (kind, material) = match (text("kty"), text("crv")) {
            (Some("RSA"), _) => (CoreJsonWebKeyType::RSA, Material::Rsa(rsa(&part(jwk, "n")?, &part(jwk, "e")?)?)),
            (Some("EC"), Some("P-256")) => {
                (CoreJsonWebKeyType::EllipticCurve, Material::P256(point(jwk, &ECDSA_P256_SHA256_FIXED, 32)?))
            }
            (Some("EC"), Some("P-384")) => {
                (CoreJsonWebKeyType::EllipticCurve, Material::P384(point(jwk, &ECDSA_P384_SHA384_FIXED, 48)?))
            }
            (Some("OKP"), Some("Ed25519")) => {
                (CoreJsonWebKeyType::OctetKeyPair, Material::Ed25519(public(&ED25519, &part(jwk, "x")?)?))
            }
            _ => return Err(NotAKey),
        };
        let id = text("kid").map(|kid| JsonWebKeyId::new(kid.to_owned()));
        Ok(Self(Arc::new(Parsed { id, kind, algorithm, material, jwk: jwk.clone() })))
    }
}

/// A base64url member, at most 1024 bytes (RSA of 8192 bits).
fn part(jwk: &Value, name: &str) -> Result<Vec<u8>, NotAKey> {
    let text = jwk.get(name).and_then(Value::as_str).filter(|text| text.len() <= 1400).ok_or(NotAKey)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| NotAKey)
}

fn rsa(n: &[u8], e: &[u8]) -> Result<RsaPublicKeyComponents<Vec<u8>>, NotAKey> {
    // Some providers write leading zeros, against RFC 7518 §6.3.1.1; the number is the same.
    let strip = |bytes: &[u8]| bytes.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
    let (n, e) = (strip(n), strip(e));
    let bits = n.len() * 8 - n.first().map_or(0, |first| usize::try_from(first.leading_zeros()).unwrap_or(0));
    let odd = e.last().is_some_and(|last| last % 2 == 1) && e != [1];
    // Exponents over 33 bits only make verification slow; aws-lc refuses them as well.
    if !(2048..=8192).contains(&bits) || !odd || e.len() > 5 {
        return Err(NotAKey);
    }
    Ok(RsaPublicKeyComponents { n, e })
}

fn point(
    jwk: &Value,
    algorithm: &'static dyn VerificationAlgorithm,
    length: usize,
) -> Result<ParsedPublicKey, NotAKey> {
    let (x, y) = (part(jwk, "x")?, part(jwk, "y")?);
    if x.len() != length || y.len() != length {
        return Err(NotAKey);
    }
    // SEC 1 §2.3.3, uncompressed; aws-lc checks that the point is on the curve.
    public(algorithm, &[&[4], x.as_slice(), &y].concat())
}

fn public(algorithm: &'static dyn VerificationAlgorithm, bytes: &[u8]) -> Result<ParsedPublicKey, NotAKey> {
    ParsedPublicKey::new(algorithm, bytes).map_err(|_| NotAKey)
}

/// The RSA parameters of an algorithm.
fn rsa_parameters(algorithm: &Alg) -> Option<&'static RsaParameters> {
    match algorithm {
        Alg::RsaSsaPkcs1V15Sha256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Alg::RsaSsaPkcs1V15Sha384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Alg::RsaSsaPkcs1V15Sha512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        Alg::RsaSsaPssSha256 => Some(&RSA_PSS_2048_8192_SHA256),
        Alg::RsaSsaPssSha384 => Some(&RSA_PSS_2048_8192_SHA384),
        Alg::RsaSsaPssSha512 => Some(&RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

impl JsonWebKey for VerifyingKey {
    type KeyUse = CoreJsonWebKeyUse;
    type SigningAlgorithm = Alg;

    fn key_id(&self) -> Option<&JsonWebKeyId> {
        self.0.id.as_ref()
    }

    fn key_type(&self) -> &CoreJsonWebKeyType {
        &self.0.kind
    }

    /// Keys for anything but signatures are not in a set.
    fn key_use(&self) -> Option<&CoreJsonWebKeyUse> {
        None
    }

    fn signing_alg(&self) -> JsonWebKeyAlgorithm<&Alg> {
        self.0.algorithm.as_ref().map_or(JsonWebKeyAlgorithm::Unspecified, JsonWebKeyAlgorithm::Algorithm)
    }

    fn new_symmetric(_: Vec<u8>) -> Self {
        let kind = CoreJsonWebKeyType::Symmetric;
        Self(Arc::new(Parsed { id: None, kind, algorithm: None, material: Material::Nothing, jwk: Value::Null }))
    }

    fn verify_signature(&self, algorithm: &Alg, message: &[u8], signature: &[u8]) -> Result<(), Fault> {
        let verified = match (&self.0.material, algorithm) {
            (Material::Rsa(key), _) => {
                let parameters = rsa_parameters(algorithm).ok_or_else(|| Fault::InvalidKey("not an RSA one".into()))?;
                key.verify(parameters, message, signature)
            }
            (Material::P256(key), Alg::EcdsaP256Sha256)
            | (Material::P384(key), Alg::EcdsaP384Sha384)
            | (Material::Ed25519(key), Alg::EdDsa) => key.verify_sig(message, signature),
            _ => return Err(Fault::InvalidKey("the key is of another kind".into())),
        };
        verified.map_err(|_| Fault::CryptoError("the signature does not hold".into()))
    }

    /// For `at_hash` and `c_hash`: the hash of the algorithm, SHA-512 for Ed25519 (RFC 8032 §5.1).
    fn hash_bytes(&self, bytes: &[u8], algorithm: &Alg) -> Result<Vec<u8>, String> {
        let hash = match algorithm {
            Alg::RsaSsaPkcs1V15Sha256 | Alg::RsaSsaPssSha256 | Alg::EcdsaP256Sha256 => &SHA256,
            Alg::RsaSsaPkcs1V15Sha384 | Alg::RsaSsaPssSha384 | Alg::EcdsaP384Sha384 => &SHA384,
            Alg::RsaSsaPkcs1V15Sha512 | Alg::RsaSsaPssSha512 | Alg::EdDsa => &SHA512,
            _ => return Err("no hash goes with that algorithm".into()),
        };
        Ok(digest::digest(hash, bytes).as_ref().to_vec())
    }
}

impl TryFrom<Value> for VerifyingKey {
    type Error = NotAKey;

    fn try_from(jwk: Value) -> Result<Self, NotAKey> {
        Self::parse(&jwk)
    }
}

impl From<VerifyingKey> for Value {
    fn from(key: VerifyingKey) -> Self {
        key.0.jwk.clone()
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({:?}, {:?})", self.0.kind, self.0.id)
    }
}
