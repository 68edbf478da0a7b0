//! What is remembered between leaving for a provider and its reply.
//!
//! It travels in a sealed cookie of at most 400 bytes (rule H10), so what can be derived is derived: state, nonce and verifier
//! from one seed, and issuer, client and redirect URI from the directory, of which only a digest is kept (rule M4: the reply is
//! judged only while the directory still is what it was at departure).

use super::metadata::Metadata;
use crate::kernel::model::Directory;
use crate::kernel::refusal::ProofFault;
use crate::kernel::values::{DirectoryId, Origin, Secret, Timestamp};
use aws_lc_rs::{digest, hmac};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::time::Duration;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// 32 random bytes from which a departure's one-time values come. Who has it can redeem the code: it is kept sealed.
#[derive(Clone)]
pub struct Seed(Zeroizing<[u8; 32]>);

impl Seed {
    /// Wraps fresh random bytes.
    pub fn new(random: [u8; 32]) -> Self {
        Self(Zeroizing::new(random))
    }

    /// The `state` parameter: 22 characters, 128 bits.
    pub fn state(&self) -> String {
        let tag = self.derive(b"state");
        URL_SAFE_NO_PAD.encode(tag.as_ref().get(..16).unwrap_or_default())
    }

    /// The `nonce` parameter: 43 characters.
    pub fn nonce(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.derive(b"nonce"))
    }

    /// The PKCE code verifier: 43 characters (RFC 7636 §4.1).
    pub fn verifier(&self) -> Secret {
        Secret::new(URL_SAFE_NO_PAD.encode(self.derive(b"verifier")))
    }

    /// The `ID` of a SAML request: an NCName with 160 bits (SAML Core §1.3.4).
    pub fn request_id(&self) -> String {
        let tag = self.derive(b"saml request");
        let hex = tag.as_ref().iter().take(20).map(|byte| format!("{byte:02x}"));
        hex.fold("_".to_owned(), |id, digits| id + &digits)
    }

    fn derive(&self, label: &[u8]) -> hmac::Tag {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.as_ref());
        hmac::sign(&key, &[b"fedgate oidc ", label].concat())
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

/// What was true at departure: about 140 bytes of JSON. `Serialize` exists for the sealed cookie alone.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Expected {
    #[serde(rename = "d", serialize_with = "write_directory", deserialize_with = "read_directory")]
    directory: DirectoryId,
    #[serde(rename = "s", serialize_with = "write_seed", deserialize_with = "read_seed")]
    seed: Seed,
    #[serde(rename = "t")]
    left_at_millis: i64,
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    max_age_seconds: Option<u32>,
    #[serde(rename = "b", serialize_with = "write_bytes", deserialize_with = "read_bytes")]
    binding: [u8; 16],
}

impl Expected {
    /// Remembers a departure to `directory` at `left_at`. `max_age` is what the departure asks for (rule M6).
    pub fn from_seed(
        directory: &Directory,
        redirect_uri: &str,
        seed: Seed,
        left_at: Timestamp,
        max_age: Option<Duration>,
    ) -> Self {
        Self {
            directory: directory.id,
            seed,
            left_at_millis: left_at.millis(),
            max_age_seconds: max_age.map(|age| u32::try_from(age.as_secs()).unwrap_or(u32::MAX)),
            binding: binding(directory, redirect_uri),
        }
    }

    /// The directory that was left for.
    pub fn directory(&self) -> DirectoryId {
        self.directory
    }

    /// When.
    pub fn left_at(&self) -> Timestamp {
        Timestamp::from_millis(self.left_at_millis)
    }

    /// How old the provider's own authentication may have been at departure, if that was asked for.
    pub fn max_age(&self) -> Option<Duration> {
        self.max_age_seconds.map(|seconds| Duration::from_secs(u64::from(seconds)))
    }

    /// Where the one-time values come from.
    pub fn seed(&self) -> &Seed {
        &self.seed
    }

    /// Whether the directory is still the one that was left for, at the same provider, as the same client (rules C5, M4).
    ///
    /// # Errors
    /// [`ProofFault::Directory`].
    pub fn holds(&self, directory: &Directory, redirect_uri: &str) -> Result<(), ProofFault> {
        let same = self.directory == directory.id
            && bool::from(self.binding.as_slice().ct_eq(&binding(directory, redirect_uri)));
        if same { Ok(()) } else { Err(ProofFault::Directory) }
    }
}

/// The redirect URI of a directory: each has its own (rule C5).
pub fn redirect_uri(login: &Origin, directory: &Directory) -> String {
    format!("{}{}", login.url(), directory.name.callback_path())
}

/// The `iss` parameter of a reply: right where it is sent, and there where the provider promises it (RFC 9207 §2.4, rule C5).
///
/// # Errors
/// [`ProofFault::IssuerParameter`].
pub fn check_issuer(sent: Option<&str>, metadata: &Metadata) -> Result<(), ProofFault> {
    match sent {
        Some(issuer) if issuer == metadata.issuer => Ok(()),
        None if !metadata.sends_issuer => Ok(()),
        _ => Err(ProofFault::IssuerParameter),
    }
}

/// The first half of SHA-256 over what makes the connection: each text with its length before it.
fn binding(directory: &Directory, redirect_uri: &str) -> [u8; 16] {
    let (issuer, client_id) = match directory.protocol.settings() {
        Some(settings) => (settings.issuer.as_str(), settings.client_id.as_str()),
        None => ("", ""),
    };
    let mut context = digest::Context::new(&digest::SHA256);
    for text in [issuer, client_id, redirect_uri] {
        context.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(text.as_bytes());
    }
    let hash = context.finish();
    std::array::from_fn(|place| hash.as_ref().get(place).copied().unwrap_or(0))
}

fn write_directory<S: Serializer>(id: &DirectoryId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

fn read_directory<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DirectoryId, D::Error> {
    DirectoryId::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn write_seed<S: Serializer>(seed: &Seed, serializer: S) -> Result<S::Ok, S::Error> {
    write_bytes(&seed.0, serializer)
}

fn read_seed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Seed, D::Error> {
    read_bytes(deserializer).map(Seed::new)
}

fn write_bytes<const N: usize, S: Serializer>(bytes: &[u8; N], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&URL_SAFE_NO_PAD.encode(bytes))
}

fn read_bytes<'de, const N: usize, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; N], D::Error> {
    let bytes = URL_SAFE_NO_PAD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)?;
    bytes.try_into().map_err(|_| D::Error::custom("bytes of another length"))
}
