//! What is looked for, and what several answers say together.

use crate::kernel::values::{DomainName, Timestamp};
use subtle::ConstantTimeEq as _;

/// Where a proof stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProofMethod {
    /// A TXT record at the domain.
    Dns,
    /// A file on the domain's own web server.
    Https,
}

impl ProofMethod {
    /// The stable name, in stores and in the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Https => "https",
        }
    }

    /// Reads [`ProofMethod::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Dns, Self::Https].into_iter().find(|method| method.code() == code)
    }
}

/// What one name server said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sighting {
    /// The record is there.
    Present,
    /// The name has no such record, or does not exist.
    Absent,
    /// SERVFAIL, no answer, nonsense. Never counts as absent (behaviour §3.4).
    Unclear,
}

/// What one check found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Found {
    /// The proof.
    Proof(ProofMethod),
    /// Certainly no proof.
    Absent,
    /// It could not be told.
    Unclear,
}

/// What name servers say together: two at least that answer, and all of them alike (rule C6d). One that differs is a change on
/// its way, or a liar.
pub fn agree(sightings: &[Sighting]) -> Found {
    let present = sightings.iter().filter(|sighting| **sighting == Sighting::Present).count();
    let absent = sightings.iter().filter(|sighting| **sighting == Sighting::Absent).count();
    match (present, absent) {
        (2.., 0) => Found::Proof(ProofMethod::Dns),
        (0, 2..) => Found::Absent,
        _ => Found::Unclear,
    }
}

/// What an admin has to put where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Instructions {
    /// The name of the TXT record: the domain itself.
    pub record_name: String,
    /// Its value, or the file's whole content.
    pub value: String,
    /// Where the file would be instead.
    pub file: String,
    /// The proof has to be there before this.
    pub until: Timestamp,
}

/// What an admin is told. `prefix` is the configured name of the record, which names the file too.
pub fn instructions(prefix: &str, domain: &DomainName, token: &str, until: Timestamp) -> Instructions {
    Instructions {
        record_name: domain.to_string(),
        value: value(prefix, token),
        file: format!("https://{domain}/{prefix}.html"),
        until,
    }
}

/// Whether one of the TXT records is the proof; each is its strings joined (RFC 7208 §3.3 has the same rule).
pub fn record_holds(records: &[Vec<u8>], prefix: &str, token: &str) -> bool {
    let value = value(prefix, token);
    // All are compared, and each in constant time: nobody learns a token by asking which of his records takes longer.
    records.iter().fold(false, |found, record| found | bool::from(record.as_slice().ct_eq(value.as_bytes())))
}

/// Whether a file is the proof: nothing else may be in it, so that no page on which strangers write is one.
pub fn file_holds(body: &[u8], prefix: &str, token: &str) -> bool {
    body.trim_ascii().ct_eq(value(prefix, token).as_bytes()).into()
}

fn value(prefix: &str, token: &str) -> String {
    format!("{prefix}={token}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use Sighting::{Absent, Present, Unclear};

    #[test]
    fn c6_two_servers_that_answer_alike_are_an_observation() {
        let check = |sightings: &[Sighting], found| assert_eq!(agree(sightings), found, "{sightings:?}");
        check(&[Present, Present], Found::Proof(ProofMethod::Dns));
        check(&[Present, Present, Unclear], Found::Proof(ProofMethod::Dns));
        check(&[Absent, Absent], Found::Absent);
        check(&[Absent, Absent, Unclear], Found::Absent);
        for unclear in [
            &[][..],
            &[Present],
            &[Absent],
            &[Present, Absent],
            &[Present, Present, Absent],
            &[Absent, Absent, Present],
            &[Present, Unclear],
            &[Absent, Unclear],
            &[Unclear, Unclear, Unclear],
        ] {
            check(unclear, Found::Unclear);
        }
    }

    #[test]
    fn the_value_is_the_whole_record() {
        let holds = |record: &str| record_holds(&[b"v=spf1 -all".to_vec(), record.as_bytes().to_vec()], "proof", "abc");
        assert!(holds("proof=abc"));
        for other in ["proof=abcd", "proof=ab", " proof=abc", "proof=abc ", "PROOF=abc", "abc", "", "x proof=abc"] {
            assert!(!holds(other), "{other:?}");
        }
        assert!(!record_holds(&[], "proof", "abc"));
    }

    #[test]
    fn the_value_is_the_whole_file() {
        assert!(file_holds(b"proof=abc", "proof", "abc") && file_holds(b"\n proof=abc\r\n", "proof", "abc"));
        for other in ["<p>proof=abc</p>", "comments:\nproof=abc", "proof=abc\nproof=abd", ""] {
            assert!(!file_holds(other.as_bytes(), "proof", "abc"), "{other:?}");
        }
    }
}
