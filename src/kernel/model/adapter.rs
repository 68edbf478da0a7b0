//! A product's account adapter: the small HTTP interface by which a product that keeps its own passwords is asked about them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// Where a product's adapter is, and what signs its calls and answers.
#[derive(Clone, Debug)]
pub struct Adapter {
    /// Calls are `POST`s below it: `URL/verify_password`. https, or http on this machine, or `unix:/path`: then to `/verify_password`
    /// over that socket.
    pub url: String,
    /// Signs every call, and every answer.
    pub key: AdapterKey,
    /// How long an answer is waited for. Every refusal of a password takes exactly so long, whatever the adapter does (rule H18).
    pub timeout: Duration,
    /// Where people of the product get a new password; none: they are told to ask the product.
    pub reset_url: Option<String>,
}

impl Adapter {
    /// The usual patience: a costly hash on a busy machine and its way there.
    pub const TIMEOUT: Duration = Duration::from_secs(2);
}

/// The key that gateway and adapter share, for HMAC-SHA-256.
#[derive(Clone)]
pub struct AdapterKey(Zeroizing<Vec<u8>>);

/// Too short to be a key, or not base64 after `whsec_`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an adapter's key has at least 32 bytes: a random text of 32 characters or more, or `whsec_` and base64")]
pub struct NotAnAdapterKey;

impl AdapterKey {
    /// Reads `whsec_` and base64, as the libraries of Standard Webhooks write keys, or any other text of at least 32 bytes, which is
    /// then the key itself.
    ///
    /// # Errors
    /// [`NotAnAdapterKey`].
    pub fn parse(text: &str) -> Result<Self, NotAnAdapterKey> {
        let bytes = match text.strip_prefix("whsec_") {
            Some(encoded) => STANDARD.decode(encoded).map_err(|_| NotAnAdapterKey)?,
            None => text.as_bytes().to_vec(),
        };
        let key = Zeroizing::new(bytes);
        // RFC 2104 §3: a key shorter than the hash weakens it.
        if key.len() < 32 { Err(NotAnAdapterKey) } else { Ok(Self(key)) }
    }

    /// The key's bytes, for the one place that signs.
    pub(in crate::kernel) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for AdapterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdapterKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_long_enough_or_none() {
        let check = |text: &str, bytes: Option<usize>| {
            assert_eq!(AdapterKey::parse(text).ok().map(|key| key.bytes().len()), bytes, "{text}");
        };
        check("", None);
        check(&"k".repeat(31), None);
        check(&"k".repeat(32), Some(32));
        check(&format!("whsec_{}", STANDARD.encode([7; 24])), None);
        check(&format!("whsec_{}", STANDARD.encode([7; 32])), Some(32));
        check(&format!("whsec_{}", "*".repeat(44)), None);
        let key = AdapterKey::parse(&"k".repeat(32)).unwrap();
        assert_eq!(format!("{key:?}"), "AdapterKey(…)");
    }
}
