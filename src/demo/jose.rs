//! Signing for the sample provider and the compact form that both sides read (RFC 7515, 7517, 7518).

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, KeyPair as _, RsaKeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A key could not be made or used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the cryptographic library refused to make or use a key")]
pub struct NoKey;

/// Which key signs ID tokens for a client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Alg {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

/// The sample provider's two keys, made at start and never kept.
pub(super) struct Keys {
    elliptic: EcdsaKeyPair,
    rsa: RsaKeyPair,
}

impl Keys {
    pub(super) fn make() -> Result<Self, NoKey> {
        let elliptic = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| NoKey)?;
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| NoKey)?;
        Ok(Self { elliptic, rsa })
    }

    /// The public halves (RFC 7517 §5).
    pub(super) fn public(&self) -> Value {
        let (modulus, exponent) = rsa_halves(self.rsa.public_key().as_ref());
        json!({ "keys": [
            elliptic_jwk(kid(Alg::Es256), self.elliptic.public_key().as_ref()),
            { "kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid(Alg::Rs256),
              "n": encode(modulus),
              "e": encode(exponent) },
        ]})
    }

    /// The compact serialization of signed claims.
    pub(super) fn sign(&self, alg: Alg, claims: &Value) -> Result<String, NoKey> {
        let header = json!({ "alg": alg_name(alg), "kid": kid(alg), "typ": "JWT" });
        let input = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let random = SystemRandom::new();
        let signature = match alg {
            Alg::Es256 => encode(self.elliptic.sign(&random, input.as_bytes()).map_err(|_| NoKey)?),
            Alg::Rs256 => {
                let mut signature = vec![0; self.rsa.public_modulus_len()];
                let signed = self.rsa.sign(&signature::RSA_PKCS1_SHA256, &random, input.as_bytes(), &mut signature);
                signed.map_err(|_| NoKey)?;
                encode(signature)
            }
        };
        Ok(format!("{input}.{signature}"))
    }

    /// The claims of a token that one of these keys signed, whatever its age; None for anything else.
    pub(super) fn own_claims(&self, token: &str) -> Option<Value> {
        let token = Compact::parse(token)?;
        let valid = match token.header.get("alg")?.as_str()? {
            "ES256" => token.is_signed_by(&signature::ECDSA_P256_SHA256_FIXED, self.elliptic.public_key().as_ref()),
            "RS256" => token.is_signed_by(&signature::RSA_PKCS1_2048_8192_SHA256, self.rsa.public_key().as_ref()),
            _ => false,
        };
        if valid { token.claims() } else { None }
    }
}

/// A compact JWS, split and not yet believed.
pub(super) struct Compact<'a> {
    pub(super) header: Value,
    signed: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
}

impl<'a> Compact<'a> {
    /// None where it is longer than 16 KiB or not three parts with a JSON header.
    pub(super) fn parse(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        if token.len() > 16 * 1024 || payload.contains('.') {
            return None;
        }
        Some(Self { header: json_part(header)?, signed, payload, signature: decode(signature)? })
    }

    pub(super) fn is_signed_by(&self, how: &'static dyn signature::VerificationAlgorithm, key: &[u8]) -> bool {
        UnparsedPublicKey::new(how, key).verify(self.signed.as_bytes(), &self.signature).is_ok()
    }

    /// The payload. Call it only after [`Compact::is_signed_by`].
    pub(super) fn claims(&self) -> Option<Value> {
        json_part(self.payload)
    }
}

/// Modulus and exponent of a 2048-bit key with the exponent 65537, the only kind that is made here: its RSAPublicKey
/// (RFC 8017 §A.1.1) always has the same 270 bytes of shape.
fn rsa_halves(der: &[u8]) -> (&[u8], &[u8]) {
    (der.get(9..265).unwrap_or_default(), der.get(267..270).unwrap_or_default())
}

/// The JWK of an uncompressed P-256 point.
pub(super) fn elliptic_jwk(kid: &str, point: &[u8]) -> Value {
    let (x, y) = (point.get(1..33).unwrap_or_default(), point.get(33..65).unwrap_or_default());
    json!({ "kty": "EC", "use": "sig", "alg": "ES256", "kid": kid, "crv": "P-256", "x": encode(x), "y": encode(y) })
}

/// The uncompressed point of a P-256 signing key in a key set; None for keys of other kinds, which are skipped.
pub(super) fn elliptic_point(jwk: &Value) -> Option<Vec<u8>> {
    if jwk.get("kty")? != "EC" || jwk.get("crv")? != "P-256" {
        return None;
    }
    let (x, y) = (decode(jwk.get("x")?.as_str()?)?, decode(jwk.get("y")?.as_str()?)?);
    (x.len() == 32 && y.len() == 32).then(|| [&[4][..], &x, &y].concat())
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// 32 random bytes as text: codes, tokens, session ids.
pub(super) fn random_handle() -> Result<String, NoKey> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NoKey)?;
    Ok(encode(bytes))
}

fn json_part(part: &str) -> Option<Value> {
    serde_json::from_slice(&decode(part)?).ok()
}

fn alg_name(alg: Alg) -> &'static str {
    match alg {
        Alg::Es256 => "ES256",
        Alg::Rs256 => "RS256",
    }
}

fn kid(alg: Alg) -> &'static str {
    match alg {
        Alg::Es256 => "sample-es256",
        Alg::Rs256 => "sample-rs256",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_ours_is_known_and_an_altered_one_is_not() {
        let keys = Keys::make().expect("keys");
        for alg in [Alg::Es256, Alg::Rs256] {
            let token = keys.sign(alg, &json!({ "sub": "ann" })).expect("signed");
            assert_eq!(keys.own_claims(&token).expect("known")["sub"], "ann");
            let (head, tail) = token.rsplit_once('.').expect("three parts");
            let (header, _) = head.split_once('.').expect("three parts");
            let forged = format!("{header}.{}.{tail}", encode(r#"{"sub":"bob"}"#));
            assert_eq!(keys.own_claims(&forged), None, "{alg:?}");
        }
    }

    #[test]
    fn a_public_key_survives_its_jwk() {
        let keys = Keys::make().expect("keys");
        let set = keys.public();
        assert_eq!(elliptic_point(&set["keys"][0]).as_deref(), Some(keys.elliptic.public_key().as_ref()));
        assert_eq!(elliptic_point(&set["keys"][1]), None);
        let (modulus, exponent) = rsa_halves(keys.rsa.public_key().as_ref());
        let input = b"anything";
        let mut signature = vec![0; 256];
        keys.rsa.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), input, &mut signature).expect("signed");
        let parts = signature::RsaPublicKeyComponents { n: modulus, e: exponent };
        assert_eq!(parts.verify(&signature::RSA_PKCS1_2048_8192_SHA256, input, &signature), Ok(()));
    }
}
