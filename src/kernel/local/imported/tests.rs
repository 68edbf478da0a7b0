//! Hashes made by other libraries: what is right stays right under the wrap, and what is dear or damaged is refused.

use super::super::{StoredPassword, Typed};
use super::*;

const BCRYPT: &str = "$2b$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2";
const PBKDF2: &str = "$pbkdf2-sha256$i=1000,l=32$c2FsdHNhbHQ$qQDPSZa3Ormyy9oK1Pu0ZLLwP2Svzmx3yu8OvDdq/J0";
const SCRYPT: &str = "$scrypt$ln=10,r=8,p=1$c2FsdHNhbHQ$ZGeSwropSvEgLQU1pjltINKrRvmEBSnohdqYXUe5EZ8";
const ARGON2I: &str = "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA";

fn right(hash: &str, password: &str) {
    let stored = StoredPassword::wrap(hash, [7; 16]).unwrap_or_else(|why| panic!("{hash}: {why}"));
    let typed = |text: &str| Typed::new(text.to_owned()).unwrap();
    assert!(stored.is(&typed(password)), "{hash}");
    assert!(!stored.is(&typed(&format!("{password}!"))), "{hash}");
    assert!(stored.is_wrapped());
    // What rests is not the hash that came.
    let digest = hash.rsplit('$').next().unwrap().trim_end_matches('=');
    assert!(!stored.to_text().contains(digest), "{hash}");
    assert_eq!(StoredPassword::parse(&stored.to_text()), Some(stored), "{hash}");
}

#[test]
fn h18_hashes_of_other_libraries_are_wrapped_and_still_right() {
    right(BCRYPT, "correct horse");
    right(&BCRYPT.replacen("2b", "2y", 1), "correct horse");
    right(PBKDF2, "correct horse");
    right("$pbkdf2-sha256$1000$c2FsdHNhbHQ$qQDPSZa3Ormyy9oK1Pu0ZLLwP2Svzmx3yu8OvDdq/J0", "correct horse");
    right("pbkdf2_sha256$1000$saltsalt$qQDPSZa3Ormyy9oK1Pu0ZLLwP2Svzmx3yu8OvDdq/J0=", "correct horse");
    right("$pbkdf2$1000$c2FsdHNhbHQ$wQoBU7GXMNo2CJC.raijrf6key4", "correct horse");
    right(
        "$pbkdf2-sha512$1000$c2FsdHNhbHQ$+sUSD8jw4f8ns7m9b7kj8PeJLe8lJXO8Am09BLgO79kST9D/Ija5aKINGF5Xg7hkKXw1+fNhBzzJP3eIXcWXww==",
        "correct horse",
    );
    right(SCRYPT, "correct horse");
    right(ARGON2I, "password");
}

#[test]
fn h18_what_costs_too_much_is_refused_and_so_is_what_is_damaged() {
    let refused = |hash: &str, why: NotImportable| {
        assert_eq!(StoredPassword::wrap(hash, [7; 16]).unwrap_err(), why, "{hash}");
    };
    for (hash, from, to) in [
        (BCRYPT, "$05$", "$15$"),
        (PBKDF2, "i=1000", "i=2000001"),
        (SCRYPT, "ln=10", "ln=19"),
        (SCRYPT, "ln=10", "ln=63"),
        (SCRYPT, "p=1", "p=17"),
        (SCRYPT, "r=8", "r=4294967295"),
        (ARGON2I, "m=65536", "m=262145"),
        (ARGON2I, "t=2", "t=4000000000"),
        (ARGON2I, "p=1", "p=17"),
    ] {
        refused(&hash.replacen(from, to, 1), NotImportable::TooCostly);
    }
    for (hash, from, to) in [
        (BCRYPT, "$05$", "$03$"),
        (BCRYPT, "Oy2", ""),
        (PBKDF2, "i=1000", "i=0"),
        (PBKDF2, "i=1000", "i=-1"),
        (PBKDF2, "qQDPSZa3Ormyy9oK1Pu0ZLLwP2Svzmx3yu8OvDdq/J0", "qQDP"),
        (SCRYPT, "r=8", "r=0"),
        (SCRYPT, "ZGeSwropSvEgLQU1pjltINKrRvmEBSnohdqYXUe5EZ8", "!!"),
        (ARGON2I, "m=65536", "m=7"),
        (ARGON2I, "m=65536", "memory=1"),
        (ARGON2I, "p=1", "p=1,keyid=x"),
        (ARGON2I, "p=1", "p=0"),
        (ARGON2I, "c29tZXNhbHQ", "c29t"),
    ] {
        refused(&hash.replacen(from, to, 1), NotImportable::Damaged);
    }
    for hash in
        ["", "password", "5f4dcc3b5aa765d61d8327deb882cf99", "{SSHA}abc", "$1$salt$hash", "$2x$05$abc", "$6$a$b"]
    {
        refused(hash, NotImportable::Unknown);
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "(\\$|2b|argon2id|scrypt|pbkdf2-sha256|v=19|m=|t=|,|[0-9]{1,12}|[a-zA-Z0-9./+=]{0,60}|é){0,12}") {
        // Reading alone: what it costs to compute is bounded by the caps above.
        drop(read(&text));
    }
}
