//! A provider's signing keys: parsed once, taken from its certificates or bare keys, and never from a message.
//!
//! Certificates are carriers of keys here. Nobody vouches for them, and their dates are for warnings: what makes a key good is
//! that the directory's metadata or its administrator named it.

use super::SamlFault;
use crate::kernel::certificate::{self, KeyKind};
use crate::kernel::values::Timestamp;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_FIXED, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, VerificationAlgorithm,
};
use std::fmt;
use std::sync::Arc;

/// Keys of one directory; a roll-over needs two.
const KEYS_LIMIT: usize = 8;

/// SHA-256 over a certificate's DER, or over the SubjectPublicKeyInfo of a bare key: what people compare.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of these bytes.
    pub fn of(der: &[u8]) -> Self {
        let hash = digest(&SHA256, der);
        Self(std::array::from_fn(|place| hash.as_ref().get(place).copied().unwrap_or(0)))
    }
}

/// Pairs of capital hexadecimal digits with colons, as every tool prints them.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02X}", if place == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How a signature is made (RFC 9231 §2.3; XML Signature 1.1 §6.4). SHA-1, DSA, HMAC and everything else are absent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RsaSha256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RsaSha384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RsaSha512,
    /// ECDSA on P-256 with SHA-256.
    EcdsaSha256,
    /// ECDSA on P-384 with SHA-384.
    EcdsaSha384,
}

impl SignatureAlgorithm {
    const ALL: [Self; 5] = [Self::RsaSha256, Self::RsaSha384, Self::RsaSha512, Self::EcdsaSha256, Self::EcdsaSha384];

    /// Its name in documents and in `SigAlg`.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::RsaSha256 => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            Self::RsaSha384 => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
            Self::RsaSha512 => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
            Self::EcdsaSha256 => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
            Self::EcdsaSha384 => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
        }
    }

    /// By its name, byte for byte.
    pub fn named(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.uri() == uri)
    }
}

/// How the two numbers of an ECDSA signature are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EcdsaForm {
    /// One after the other, each as long as the curve's field (XML Signature 1.1 §6.4.3).
    Fixed,
    /// As ASN.1, which some providers write into a redirect's `Signature`.
    Der,
}

/// The keys of one directory that may sign.
#[derive(Clone)]
pub struct SigningKeys {
    keys: Vec<SigningKey>,
}

/// The same keys of the same certificates, in the same order.
impl PartialEq for SigningKeys {
    fn eq(&self, other: &Self) -> bool {
        self.known().eq(other.known())
    }
}

impl Eq for SigningKeys {}

/// Not a single usable key, or too many: the directory is refused at set-up.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "no certificate with an RSA key of 2048 to 8192 bits or an ECDSA key on P-256 or P-384, or more than 8 of them"
)]
pub struct NotSigningKeys;

impl SigningKeys {
    /// Keys of DER certificates; those of other kinds or too weak are skipped.
    ///
    /// # Errors
    /// [`NotSigningKeys`] when none is left.
    pub fn from_certificates<'a>(certificates: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, NotSigningKeys> {
        let parsed = certificates.into_iter().filter_map(|der| {
            let info = certificate::public_key(der)?;
            let key = SigningKey::parse(info, Fingerprint::of(der), certificate::not_after(der))?;
            Some(SigningKey { certificate: Some(der.into()), ..key })
        });
        Self::of(parsed.collect())
    }

    /// Bare keys as DER SubjectPublicKeyInfo, as `ds:KeyValue` in metadata or an administrator gives them.
    ///
    /// # Errors
    /// [`NotSigningKeys`] when none is usable.
    pub fn from_public_keys<'a>(infos: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, NotSigningKeys> {
        Self::of(infos.into_iter().filter_map(|info| SigningKey::parse(info, Fingerprint::of(info), None)).collect())
    }

    fn of(keys: Vec<SigningKey>) -> Result<Self, NotSigningKeys> {
        if keys.is_empty() || keys.len() > KEYS_LIMIT { Err(NotSigningKeys) } else { Ok(Self { keys }) }
    }

    /// Fingerprint and end of each key's certificate.
    pub fn known(&self) -> impl Iterator<Item = (Fingerprint, Option<Timestamp>)> {
        self.keys.iter().map(|key| (key.fingerprint, key.not_after))
    }

    /// The certificate that a key came in, DER.
    pub fn certificate(&self, of: Fingerprint) -> Option<&[u8]> {
        self.keys.iter().find(|key| key.fingerprint == of)?.certificate.as_deref()
    }

    /// Which of the keys made this signature.
    ///
    /// # Errors
    /// [`SamlFault::UnknownKey`] when no key is of the algorithm's kind, [`SamlFault::Signature`] when none verifies.
    pub fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        form: EcdsaForm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<Fingerprint, SamlFault> {
        let mut fitting = self.keys.iter().filter_map(|key| Some((key, key.parsed(algorithm, form)?))).peekable();
        if fitting.peek().is_none() {
            return Err(SamlFault::UnknownKey);
        }
        fitting
            .find(|(_, parsed)| parsed.verify_sig(message, signature).is_ok())
            .map(|(key, _)| key.fingerprint)
            .ok_or(SamlFault::Signature)
    }
}

/// Fingerprints, which are public.
impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| key.fingerprint)).finish()
    }
}

#[derive(Clone)]
struct SigningKey {
    fingerprint: Fingerprint,
    not_after: Option<Timestamp>,
    material: Material,
    /// DER; none of a bare key.
    certificate: Option<Arc<[u8]>>,
}

/// A parsed key for each way in which it may be used.
#[derive(Clone)]
enum Material {
    Rsa { sha256: ParsedPublicKey, sha384: ParsedPublicKey, sha512: ParsedPublicKey },
    P256 { fixed: ParsedPublicKey, der: ParsedPublicKey },
    P384 { fixed: ParsedPublicKey, der: ParsedPublicKey },
}

impl SigningKey {
    fn parse(info: &[u8], fingerprint: Fingerprint, not_after: Option<Timestamp>) -> Option<Self> {
        let parse = |algorithm: &'static dyn VerificationAlgorithm| ParsedPublicKey::new(algorithm, info).ok();
        let material = match certificate::key_kind(info)? {
            KeyKind::Rsa(2048..=8192) => Material::Rsa {
                sha256: parse(&RSA_PKCS1_2048_8192_SHA256)?,
                sha384: parse(&RSA_PKCS1_2048_8192_SHA384)?,
                sha512: parse(&RSA_PKCS1_2048_8192_SHA512)?,
            },
            KeyKind::Rsa(_) => return None,
            KeyKind::P256 => {
                Material::P256 { fixed: parse(&ECDSA_P256_SHA256_FIXED)?, der: parse(&ECDSA_P256_SHA256_ASN1)? }
            }
            KeyKind::P384 => {
                Material::P384 { fixed: parse(&ECDSA_P384_SHA384_FIXED)?, der: parse(&ECDSA_P384_SHA384_ASN1)? }
            }
        };
        Some(Self { fingerprint, not_after, material, certificate: None })
    }

    fn parsed(&self, algorithm: SignatureAlgorithm, form: EcdsaForm) -> Option<&ParsedPublicKey> {
        let by_form = |fixed, der| match form {
            EcdsaForm::Fixed => fixed,
            EcdsaForm::Der => der,
        };
        match (&self.material, algorithm) {
            (Material::Rsa { sha256, .. }, SignatureAlgorithm::RsaSha256) => Some(sha256),
            (Material::Rsa { sha384, .. }, SignatureAlgorithm::RsaSha384) => Some(sha384),
            (Material::Rsa { sha512, .. }, SignatureAlgorithm::RsaSha512) => Some(sha512),
            (Material::P256 { fixed, der }, SignatureAlgorithm::EcdsaSha256)
            | (Material::P384 { fixed, der }, SignatureAlgorithm::EcdsaSha384) => Some(by_form(fixed, der)),
            _ => None,
        }
    }
}
