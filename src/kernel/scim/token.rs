//! How a provisioning client's token is written: `fgs_`, 43 characters of base64url, 8 hexadecimal digits of the second until which it
//! holds, and 6 characters of a checksum, so that scanners of source code know one (rule H4).

use crate::kernel::values::{Timestamp, Token};
use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::time::Duration;
use zeroize::Zeroizing;

const PREFIX: &str = "fgs_";
const SECRET: usize = 43;
const UNTIL: usize = 8;
const CHECKSUM: usize = 6;

/// A token holds a year at most (rule H4). One that says more holds never.
pub const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// A token of one directory. At most two are live, so that it is changed without a gap.
#[derive(Clone, Debug)]
pub struct ScimToken {
    /// What the client holds.
    pub secret: Token,
    /// Until when.
    pub until: Timestamp,
}

impl ScimToken {
    /// The text, for the file and for the client.
    pub fn write(&self) -> Zeroizing<String> {
        let secret = self.secret.expose();
        let until = u32::try_from(self.until.millis() / 1000).unwrap_or(0);
        let body = Zeroizing::new(format!("{}{until:08x}", secret.as_str()));
        Zeroizing::new(format!("{PREFIX}{}{}", body.as_str(), checksum(&body)))
    }

    /// Reads a token's text; `None` for anything else.
    pub fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        if rest.len() != SECRET + UNTIL + CHECKSUM || !rest.is_ascii() {
            return None;
        }
        let (body, sum) = rest.split_at(SECRET + UNTIL);
        // Not a secret: a typing mistake is told from a token before anything is compared.
        if sum != checksum(body) {
            return None;
        }
        let (secret, until) = body.split_at(SECRET);
        let until = Timestamp::from_seconds(u32::from_str_radix(until, 16).ok()?.into());
        Some(Self { secret: Token::parse(secret.as_bytes())?, until })
    }

    /// Whether it holds at this time.
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.until > now && self.until <= now.plus(LONGEST)
    }
}

fn checksum(body: &str) -> String {
    let hash = digest::digest(&digest::SHA256, format!("fedgate scim token {body}").as_bytes());
    URL_SAFE_NO_PAD.encode(hash.as_ref()).chars().take(CHECKSUM).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_holds_a_year_at_most_and_nothing_else_is_one() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let token = ScimToken { secret: Token::new([7; 32]), until: now.plus(LONGEST) };
        let text = token.write();
        let read = ScimToken::read(&text).unwrap();
        assert_eq!((&read.secret, read.until), (&token.secret, token.until));
        assert!(read.holds_at(now) && !read.holds_at(token.until));
        assert!(!read.holds_at(Timestamp::from_seconds(1_799_999_999)), "of more than a year");
        let mut mistyped = text.to_string();
        mistyped.replace_range(50..51, if &text[50..51] == "a" { "b" } else { "a" });
        for wrong in ["", "fgs_", &text[4..], &text[..60], &format!("{}x", *text), &mistyped, "fgs_é"] {
            assert!(ScimToken::read(wrong).is_none(), "{wrong}");
        }
    }
}
