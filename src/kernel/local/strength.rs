//! How good a new password is: its length, zxcvbn's score, and a list of breached passwords that the operator brings.

use super::password::Typed;
use crate::kernel::values::EmailAddress;
use aws_lc_rs::digest;

/// The shortest new password in characters. There is no other rule of composition.
const SHORTEST: usize = 8;
/// zxcvbn reads no further: its cost grows faster than the text.
const READ: usize = 100;

/// Why a new password is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Weakness {
    /// Fewer than eight characters.
    Short,
    /// Too easy to guess.
    Guessable,
    /// It stands in the operator's list of breached passwords.
    Breached,
}

/// SHA-1 digests of breached passwords that share a prefix; sorted or not. SHA-1 is the public lists' format, no protection.
pub trait BreachedRange {
    /// Whether this digest stands in the list.
    fn contains(&self, digest: &[u8; 20]) -> bool;
}

/// Judges a new password. `min_score` is 0 to 4; `about` are words that stand near the person: address, name, product.
pub fn weakness(
    typed: &Typed,
    min_score: u8,
    email: &EmailAddress,
    about: &[&str],
    breached: Option<&dyn BreachedRange>,
) -> Option<Weakness> {
    let text = typed.expose();
    if text.chars().count() < SHORTEST {
        return Some(Weakness::Short);
    }
    let sha1 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    let known = <[u8; 20]>::try_from(sha1.as_ref()).ok().zip(breached).is_some_and(|(sha1, list)| list.contains(&sha1));
    if known {
        return Some(Weakness::Breached);
    }
    (score(typed, email, about) < min_score).then_some(Weakness::Guessable)
}

/// zxcvbn's score, 0 to 4.
pub(super) fn score(typed: &Typed, email: &EmailAddress, about: &[&str]) -> u8 {
    let read: String = typed.expose().chars().take(READ).collect();
    let mut near: Vec<&str> = email.as_str().split(['@', '.', '+', '-', '_']).collect();
    near.push(email.as_str());
    near.extend(about);
    u8::from(zxcvbn::zxcvbn(&read, &near).score())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct List(Vec<[u8; 20]>);
    impl BreachedRange for List {
        fn contains(&self, digest: &[u8; 20]) -> bool {
            self.0.contains(digest)
        }
    }

    fn check(password: &str, min_score: u8, expected: Option<Weakness>) {
        let email = EmailAddress::parse("ann.lee@acme.com").unwrap();
        let typed = Typed::new(password.to_owned()).unwrap();
        // SHA-1 of "battery staple horse".
        let sha1 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, b"battery staple horse");
        let list = List(vec![sha1.as_ref().try_into().unwrap()]);
        assert_eq!(weakness(&typed, min_score, &email, &["Board"], Some(&list)), expected, "{password}");
    }

    #[test]
    fn weak_passwords_are_named() {
        check("kd8Fq2z", 0, Some(Weakness::Short));
        check("äöüäöüä", 0, Some(Weakness::Short));
        check("password1", 3, Some(Weakness::Guessable));
        check("password1", 0, None);
        check("ann.lee@acme.com", 3, Some(Weakness::Guessable));
        check("battery staple horse", 3, Some(Weakness::Breached));
        check("battery staple horse", 0, Some(Weakness::Breached));
        check("wharf-cobalt-82-lantern", 4, None);
        check(&"a".repeat(512), 4, Some(Weakness::Guessable));
    }
}
