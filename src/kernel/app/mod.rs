//! Products' own apps as a pure matter (rule H16, row T14): what an app asks for, that it holds its key, and what becomes of its
//! refresh token; and the personal API tokens that people make for programs of their own.
//!
//! The gateway is an OAuth 2.0 authorization server for these apps and for nobody else: authorization code with PKCE S256 (RFC 7636),
//! redirects of RFC 8252, tokens that are bound to a key (RFC 9449) wherever another app could get them. Deliberately absent: clients
//! that register themselves, client secrets, scopes, the implicit and password grants, tokens that can be read without us.

mod ask;
mod dpop;
mod personal;
mod refresh;

pub use ask::{AppAsk, AskFault, BadAsk, judge_ask};
pub use dpop::{DpopFault, DpopHeld, DpopWanted, judge_dpop};
pub use personal::{
    LONGEST_PERSONAL_LIFE, PERSONAL, PERSONAL_LIFE, PERSONAL_TOKENS, PersonalToken, lets_tokens_be_made, permits,
    personal_ends,
};
pub use refresh::{LEEWAY, RefreshToken, Turn, grant_ends, lets_apps_in, may_refresh, turn};

use super::model::Thumbprint;
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// What an access token begins with: who finds one in a log or a repository knows what it is.
pub const ACCESS: &str = "fga_";
/// What a refresh token begins with.
pub const REFRESH: &str = "fgr_";

/// Whether a verifier is that of a challenge (RFC 7636 §4.6, S256): 43 to 128 unreserved characters.
pub fn verifies(verifier: &str, challenge: &[u8; 32]) -> bool {
    let is_unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    (43..=128).contains(&verifier.len())
        && verifier.bytes().all(is_unreserved)
        && digest(&SHA256, verifier.as_bytes()).as_ref() == challenge
}

/// 32 bytes in their one base64url spelling.
fn bytes32(text: &str) -> Option<[u8; 32]> {
    let bytes = if text.len() == 43 { URL_SAFE_NO_PAD.decode(text).ok()? } else { return None };
    bytes.try_into().ok()
}

impl Thumbprint {
    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Self> {
        bytes32(text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_is_long_enough_unreserved_and_the_very_one() {
        // RFC 7636, appendix B.
        let challenge = bytes32("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap();
        assert!(verifies("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", &challenge));
        for other in ["", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"]
        {
            assert!(!verifies(other, &challenge), "{other}");
        }
        for (odd, fine) in
            [("a".repeat(42), false), ("a".repeat(43), true), ("a".repeat(129), false), (" ".repeat(50), false)]
        {
            let mut challenge = [0; 32];
            challenge.copy_from_slice(digest(&SHA256, odd.as_bytes()).as_ref());
            assert_eq!(verifies(&odd, &challenge), fine, "{odd}");
        }
    }
}
