//! What a product's adapter is asked about a password, and what its answer proves.
//!
//! Calls and answers are signed as Standard Webhooks are: `webhook-id`, `webhook-timestamp` and `webhook-signature` (`v1,` and the
//! base64 of HMAC-SHA-256 over `id.timestamp.body`), so that products check and sign with a library that they may have already. The
//! id of a call is random, goes as `Idempotency-Key` too, and stands in the signed answer: an answer to another call, an older one, a
//! stranger's on the port of a product that is down, or our own call sent back prove nothing.

mod act;
mod owner;

pub use act::{AdapterAct, done};
pub use owner::{owner, token_owner};

use super::judge::{Claimant, Steps};
use super::password::Typed;
use crate::kernel::model::AdapterKey;
use crate::kernel::oidc::json::strict;
use crate::kernel::values::{EmailAddress, ProductName, Timestamp};
use aws_lc_rs::hmac;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

/// The most that an answer's body may have: it says yes or no and one name.
pub const ANSWER_LIMIT: usize = 4 * 1024;

/// A signed call, ready to be sent.
pub struct AdapterCall {
    /// `webhook-id` and `Idempotency-Key`.
    pub id: String,
    /// `webhook-timestamp`: seconds since 1970.
    pub timestamp: String,
    /// `webhook-signature`.
    pub signature: String,
    /// JSON. Holds a password: wiped when it is dropped.
    pub body: Zeroizing<Vec<u8>>,
}

/// An answer as it came.
#[derive(Clone, Copy, Debug)]
pub struct AdapterAnswer<'a> {
    /// HTTP status.
    pub status: u16,
    /// `webhook-timestamp`.
    pub timestamp: &'a str,
    /// `webhook-signature`.
    pub signature: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// Why an answer says nothing. For the operator's log, never for a page.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Odd {
    /// Another status than 200.
    #[error("its status is {0}, not 200")]
    Status(u16),
    /// No signature by the adapter's key.
    #[error("it is not signed with the adapter's key")]
    Signature,
    /// Not the JSON that is agreed on, or more than it.
    #[error("it is not {{\"id\", \"right\", \"sub\"}} in JSON of at most 4 KiB")]
    Shape,
    /// It answers another call.
    #[error("it answers another call")]
    AnotherCall,
    /// The password is right for another user than the one with that address here.
    #[error("it says the password of another user id than the one that this address has here")]
    AnotherUser,
}

/// Asks whether this is the password of the user with this address. `nonce` is fresh and random.
pub fn verify_password(
    key: &AdapterKey,
    nonce: [u8; 16],
    (product, email): (&ProductName, &EmailAddress),
    typed: &Typed,
    now: Timestamp,
) -> AdapterCall {
    // Written by hand into one buffer that is large enough from the start, so that no copy of the password is left behind.
    let mut body = Zeroizing::new(Vec::with_capacity(8 * 1024));
    body.extend_from_slice(b"{\"call\":\"verify_password\",\"product\":");
    quote(&mut body, product.as_str());
    body.extend_from_slice(b",\"email\":");
    quote(&mut body, email.as_str());
    body.extend_from_slice(b",\"password\":");
    quote(&mut body, typed.expose());
    body.push(b'}');
    sealed(key, URL_SAFE_NO_PAD.encode(nonce), body, now)
}

/// A call with its signature.
fn sealed(key: &AdapterKey, id: String, body: Zeroizing<Vec<u8>>, now: Timestamp) -> AdapterCall {
    let timestamp = now.seconds().to_string();
    let tag = hmac::sign(&signing(key), &signed(&id, &timestamp, &body));
    AdapterCall { signature: format!("v1,{}", STANDARD.encode(tag)), id, timestamp, body }
}

/// What a signed answer to the call with this id says.
fn said(key: &AdapterKey, id: &str, answer: AdapterAnswer<'_>) -> Result<Map<String, Value>, Odd> {
    if answer.status != 200 {
        return Err(Odd::Status(answer.status));
    }
    if !is_signed(key, id, answer) {
        return Err(Odd::Signature);
    }
    let Ok(Value::Object(said)) = strict(answer.body, ANSWER_LIMIT) else { return Err(Odd::Shape) };
    match said.get("id") {
        Some(Value::String(this)) if this == id => Ok(said),
        Some(_) => Err(Odd::AnotherCall),
        None => Err(Odd::Shape),
    }
}

/// A JSON string (RFC 8259 §7).
fn quote(to: &mut Vec<u8>, text: &str) {
    to.push(b'"');
    for c in text.chars() {
        match c {
            '"' | '\\' => to.extend_from_slice(&[b'\\', u8::try_from(c).unwrap_or(b'?')]),
            c if c < ' ' => to.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes()),
            c => to.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    to.push(b'"');
}

fn signing(key: &AdapterKey) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key.bytes())
}

fn signed(id: &str, timestamp: &str, body: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat())
}

/// Judges an answer to the call with this id. `sub` is the product's own user id of the claimant: only it can be proved by it. `Ok(None)`
/// says that the password is wrong. A stranger's claimant has a `sub` that no user has, so that a yes to it proves nobody.
///
/// # Errors
/// [`Odd`]: it says nothing, and nobody is let in by it.
pub fn by_adapter(
    (claimant, sub): (&Claimant, &str),
    key: &AdapterKey,
    id: &str,
    answer: AdapterAnswer<'_>,
    now: Timestamp,
) -> Result<Option<Steps>, Odd> {
    let said = said(key, id, answer)?;
    match (said.get("right").and_then(Value::as_bool), said.get("sub").and_then(Value::as_str), said.len()) {
        (Some(false), None, 2) => Ok(None),
        (Some(true), Some(whose), 3) if whose == sub && !sub.is_empty() => Ok(Some(Steps::by_product(claimant, now))),
        (Some(true), Some(_), 3) => Err(Odd::AnotherUser),
        _ => Err(Odd::Shape),
    }
}

/// Whether one of the answer's signatures is by this key. The header may hold several, parted by spaces, while a key is changed.
fn is_signed(key: &AdapterKey, id: &str, answer: AdapterAnswer<'_>) -> bool {
    let (key, text) = (signing(key), signed(id, answer.timestamp, answer.body));
    let tags = answer.signature.split(' ').take(4).filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok());
    tags.fold(false, |held, tag| held | hmac::verify(&key, &text, &tag).is_ok())
}

#[cfg(test)]
mod tests;
