//! The text of a personal API token, and which requests one may make.
//!
//! `fg_pat_r_` or `fg_pat_f_`, 256 random bits, and the first four bytes of the SHA-256 of all that: scanners find it in a repository by
//! its beginning, and are sure by its end. The letter says what it may do and goes into what the token is looked up by, so that the same
//! bits under the other letter open nothing.

use crate::kernel::model::{LoginSession, Method, Scope};
use crate::kernel::standing::Bounds;
use crate::kernel::values::{Timestamp, Token};
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::time::Duration;
use zeroize::Zeroizing;

/// What every personal token begins with.
pub const PERSONAL: &str = "fg_pat_";
/// How long a token lives of which nothing else is said.
pub const PERSONAL_LIFE: Duration = Duration::from_secs(90 * 86_400);
/// How long one may live at most, whoever allows more.
pub const LONGEST_PERSONAL_LIFE: Duration = Duration::from_secs(365 * 86_400);
/// Tokens that one person may have.
pub const PERSONAL_TOKENS: usize = 50;

/// Characters of the checksum.
const CHECK: usize = 6;

/// A personal token as it is shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PersonalToken {
    /// What it may do.
    pub scope: Scope,
    /// The secret.
    pub token: Token,
}

impl PersonalToken {
    /// Reads one. `None` for every text that is none, before anything is looked up.
    pub fn parse(text: &str) -> Option<Self> {
        let (said, check) = text.split_at_checked(text.len().checked_sub(CHECK)?)?;
        let found = Scope::ALL.into_iter().find_map(|scope| Some((scope, said.strip_prefix(start(scope))?)));
        let (scope, bits) = found?;
        let token = Token::parse(bits.as_bytes()).filter(|_| check == checksum(said))?;
        Some(Self { scope, token })
    }

    /// The text for its person.
    pub fn expose(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(64));
        text.push_str(start(self.scope));
        text.push_str(&self.token.expose());
        let check = checksum(&text);
        text.push_str(&check);
        text
    }
}

const fn start(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "fg_pat_r_",
        Scope::Full => "fg_pat_f_",
    }
}

fn checksum(said: &str) -> String {
    let sum = digest(&SHA256, said.as_bytes());
    URL_SAFE_NO_PAD.encode(sum.as_ref().iter().copied().take(4).collect::<Vec<u8>>())
}

/// Whether a token may make a request. What opens a stream in both directions, or says in a field that it is of another method, is `more` than
/// reading, whatever its method.
pub fn permits(scope: Scope, method: &str, more: bool) -> bool {
    match scope {
        Scope::Full => true,
        Scope::Read => !more && matches!(method, "GET" | "HEAD" | "OPTIONS"),
    }
}

/// Whether a session's person may make a token in it: not by an app, not by another token, and not by the emergency door, which leaves
/// nothing behind (rule H3).
pub fn lets_tokens_be_made(session: &LoginSession) -> bool {
    session.grant.is_none() && session.personal.is_none() && session.method != Method::Emergency
}

/// When a new token ends: after what was asked for, and not after what product and policies allow.
pub fn personal_ends(now: Timestamp, asked: Duration, bounds: Bounds) -> Timestamp {
    now.plus(asked.min(bounds.absolute).min(LONGEST_PERSONAL_LIFE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::admit::world::{C, HERE, account, login_session};
    use crate::kernel::model::{Personal, TokenLabel};

    fn token(scope: Scope) -> PersonalToken {
        PersonalToken { scope, token: Token::new([7; 32]) }
    }

    #[test]
    fn a_token_reads_back_and_has_one_spelling() {
        for scope in Scope::ALL {
            let text = token(scope).expose();
            assert!(text.starts_with(PERSONAL) && text.len() == 58, "{}", *text);
            assert_eq!(PersonalToken::parse(&text), Some(token(scope)));
            // One character elsewhere, wherever, is no token.
            for at in 0..text.len() {
                let mut other = text.as_bytes().to_vec();
                other[at] = if other[at] == b'A' { b'B' } else { b'A' };
                let other = String::from_utf8(other).unwrap();
                assert_eq!(PersonalToken::parse(&other), None, "{other}");
            }
            let cut = &text[..text.len() - 1];
            let long = format!("{}A", *text);
            for other in ["", "fg_pat_", "fg_pat_r_", "ééé", "fg_pat_r_ééé", cut, &long, &text[7..]] {
                assert_eq!(PersonalToken::parse(other), None, "{other}");
            }
        }
        let (read, full) = (token(Scope::Read).expose(), token(Scope::Full).expose());
        // The letter is under the checksum.
        assert_eq!(PersonalToken::parse(&read.replace("_r_", "_f_")), None);
        assert_ne!(read[read.len() - CHECK..], full[full.len() - CHECK..]);
        assert!(!format!("{:?}", token(Scope::Read)).contains('7'));
    }

    #[test]
    fn what_reads_changes_nothing() {
        for method in ["GET", "HEAD", "OPTIONS"] {
            assert!(permits(Scope::Read, method, false), "{method}");
            assert!(!permits(Scope::Read, method, true), "{method} that upgrades");
        }
        for method in ["POST", "PUT", "PATCH", "DELETE", "CONNECT", "TRACE", "get", "PROPFIND", "LOCK"] {
            assert!(!permits(Scope::Read, method, false), "{method}");
            assert!(permits(Scope::Full, method, true), "{method}");
        }
    }

    #[test]
    fn nothing_but_a_browsers_session_lets_a_token_be_made() {
        let account = account(9, "ann@c.com");
        let session = login_session(&account, C);
        assert!(lets_tokens_be_made(&session));
        let personal = Personal { label: TokenLabel::parse("x").unwrap(), scope: Scope::Full };
        assert!(!lets_tokens_be_made(&LoginSession { personal: Some(Box::new(personal)), ..session.clone() }));
        let emergency = LoginSession { method: Method::Emergency, ..session };
        assert!(!lets_tokens_be_made(&emergency));
        assert_eq!(login_session(&account, HERE).method, Method::Emergency);
    }

    #[test]
    fn a_token_ends_by_the_strictest_of_all() {
        let now = Timestamp::from_seconds(1_000);
        let day = Duration::from_secs(86_400);
        let ends = |asked, allowed| personal_ends(now, day * asked, Bounds { idle: day, absolute: day * allowed });
        assert_eq!(ends(90, 365), now.plus(day * 90));
        assert_eq!(ends(90, 30), now.plus(day * 30));
        assert_eq!(ends(4_000, 4_000), now.plus(day * 365));
    }
}
