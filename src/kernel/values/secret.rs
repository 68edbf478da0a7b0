//! Values that open something. None has `Display` or `Serialize`; `Debug` shows nothing.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::fmt;
use zeroize::Zeroizing;

/// 256 random bits that a browser holds: the whole of a session cookie's value.
#[derive(Clone, Eq, PartialEq)]
pub struct Token(Zeroizing<[u8; 32]>);

impl Token {
    /// Wraps fresh random bytes.
    pub fn new(random: [u8; 32]) -> Self {
        Self(Zeroizing::new(random))
    }

    /// Reads a cookie's value: exactly 43 characters of unpadded base64url.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        let length = if text.len() == 43 { URL_SAFE_NO_PAD.decode_slice(text, bytes.as_mut()).ok()? } else { 0 };
        (length == 32).then_some(Self(bytes))
    }

    /// The text for the cookie.
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(self.0.as_ref()))
    }

    /// The raw bytes, for the keyed hash that finds the session.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What a session is found by: HMAC-SHA-256 of its [`Token`] under a key that is not in the store, so that who can write to
/// the store still cannot mint a session (rule H12).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SessionKey(pub [u8; 32]);

/// A secret text: a client secret, a PKCE verifier, a token of a provider.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps the text.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for the one place that must send it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_one_spelling() {
        let token = Token::new([7; 32]);
        let text = token.expose();
        assert_eq!(Token::parse(text.as_bytes()), Some(token));
        // 43 characters carry 258 bits: the two spare ones must be zero, or one session would have four cookies.
        let other = format!("{}d", &text[..42]);
        assert_ne!(other, *text);
        assert_eq!(Token::parse(other.as_bytes()), None);
        assert_eq!(Token::parse(format!("{}=", &text[..42]).as_bytes()), None);
        assert_eq!(Token::parse(b""), None);
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?} {:?}", Token::new([1; 32]), Secret::new("pw".into())), "Token(…) Secret(…)");
    }
}
