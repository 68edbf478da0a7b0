//! What parent and process say to each other: frames of a length in four bytes, the first one highest, and JSON.

use crate::kernel::saml::Opinion;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Bytes of a frame: a message of 256 KiB, escaped, with its certificates.
pub(super) const LONGEST: usize = 2 * 1024 * 1024;

/// What a process says first, from inside its sandbox.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) enum Hello {
    /// The sandbox holds, and the engine knows good from bad.
    Ready,
    /// What the process could do and must not, or why it could not be forbidden.
    NoSandbox(String),
    /// The engine does not work here.
    Broken(String),
}

/// One signed element and the certificates, DER, of the keys that signed it.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    pub(super) document: String,
    pub(super) certificates: Vec<Vec<u8>>,
}

/// What the engine says.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) enum Answer {
    Read(Box<Opinion>),
    Refused(String),
}

/// A whole frame. `None` for what does not fit in one.
pub(super) fn encode(value: &impl Serialize) -> Option<Vec<u8>> {
    let body = serde_json::to_vec(value).ok().filter(|body| body.len() <= LONGEST)?;
    let mut frame = u32::try_from(body.len()).ok()?.to_be_bytes().to_vec();
    frame.extend(body);
    Some(frame)
}

/// The length of a frame's body, from its head. `None` for one that is too long.
pub(super) fn length(head: [u8; 4]) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(head)).ok().filter(|length| *length <= LONGEST)
}

/// What a body says. `None` for what has no meaning.
pub(super) fn decode<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}
