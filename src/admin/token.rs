//! How a bearer token is written: `fga_`, 43 characters of base64url, and 6 of a checksum, so that scanners of source code can
//! tell one from a text that looks like one.

use crate::kernel::values::Token;
use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

const PREFIX: &str = "fga_";
const SECRET: usize = 43;
const CHECKSUM: usize = 6;

/// The text of a token, shown once.
pub fn write(token: &Token) -> Zeroizing<String> {
    let secret = token.expose();
    Zeroizing::new(format!("{PREFIX}{}{}", secret.as_str(), checksum(&secret)))
}

/// Reads a token's text; `None` for anything else.
pub fn read(text: &str) -> Option<Token> {
    let rest = text.strip_prefix(PREFIX).filter(|rest| rest.len() == SECRET + CHECKSUM && rest.is_ascii())?;
    let (secret, sum) = rest.split_at(SECRET);
    // Not a secret: a typing mistake is told from a token before anything is asked.
    if sum != checksum(secret) {
        return None;
    }
    Token::parse(secret.as_bytes())
}

fn checksum(secret: &str) -> String {
    let hash = digest::digest(&digest::SHA256, format!("fedgate token {secret}").as_bytes());
    URL_SAFE_NO_PAD.encode(hash.as_ref()).chars().take(CHECKSUM).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_nothing_else_does() {
        let token = Token::new([7; 32]);
        let text = write(&token);
        assert!(text.starts_with("fga_") && text.len() == 53);
        assert_eq!(read(&text), Some(token));
        let mut mistyped = text.to_string();
        mistyped.replace_range(10..11, if &text[10..11] == "A" { "B" } else { "A" });
        for wrong in ["", "fga_", &text[4..], &text[..52], &format!("{}x", *text), &mistyped, "fga_é"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
