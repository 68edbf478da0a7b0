//! Codes of authenticator apps in scenes that cross the end of a step at any line. The gateway takes a step early and a step late (RFC 6238 §5.2),
//! and each step once: a scene that enrols by [`first`] and logs in by [`second`] is right wherever a step ends.

use fedgate::kernel::local::Seed;
use zeroize::Zeroizing;

use super::clock::unix_seconds;
use super::page::Page;

/// The seed that an enrolment page shows.
pub fn seed(page: &Page) -> Seed {
    let text = page.text();
    let key = text.split("Key: ").nth(1).expect("a key").chars().filter(char::is_ascii_alphanumeric).take(32);
    let digit = |c: char| u64::try_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(c).expect("base32")).expect("small");
    let key: Vec<u64> = key.map(digit).collect();
    let five = |eight: &[u64]| eight.iter().fold(0, |bits, five| bits << 5 | five).to_be_bytes()[3..].to_vec();
    Seed::from_bytes(&key.chunks(8).flat_map(five).collect::<Vec<u8>>()).expect("twenty bytes")
}

fn present() -> i64 {
    unix_seconds() / 30
}

/// The code of the present step, for an enrolment: it is good for a whole step more.
pub fn first(app: &Seed) -> Zeroizing<String> {
    app.code(present())
}

/// The code of the step after, for the one login or change after an enrolment: later than [`first`]'s, even if a step began in between.
pub fn second(app: &Seed) -> Zeroizing<String> {
    app.code(present() + 1)
}
