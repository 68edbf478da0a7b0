//! What stands behind a refused response, and what `fedgate saml check` prints: every check with what was expected and what came,
//! the cause and the remedy, and the keys that came beside those that are known.
//!
//! Nothing in it can be used again (rule M20): no ids of assertions, no names of people, no signatures, no part of the document.

use super::keys::Fingerprint;
use super::verify::{Received, Trust, brought_certificates};
use super::{Check, Connection, Expected, Judgement, SamlFault, SigningKeys, judge};
use crate::kernel::model::Directory;
use crate::kernel::values::Timestamp;
use std::time::Duration;

/// A login under way lives this long: how far back a request may have left that nobody remembers.
const LATEST_DEPARTURE: Duration = Duration::from_secs(600);

/// Checks of one response, in order, and what they came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// Before the judge one per stage, up to the one that failed; then the judge's own.
    pub checks: Vec<Check>,
    /// Fingerprints of the certificates in the message. They are shown, and trusted for nothing.
    pub came: Vec<Fingerprint>,
    /// The provider's keys, each with the end of its certificate.
    pub known: Vec<(Fingerprint, Option<Timestamp>)>,
    /// The key that vouched for the assertion.
    pub signed_by: Option<Fingerprint>,
    /// The key that signed the message around it, where one did.
    pub message_signed_by: Option<Fingerprint>,
    /// Keys that signed and whose certificates have ended.
    pub ended: Vec<Fingerprint>,
    /// Why it is refused.
    pub fault: Option<SamlFault>,
}

/// What a message passes before the judge reads it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Stage {
    Gate,
    Place,
    Signature,
    Decryption,
    Contents,
    Judge,
}

impl Stage {
    const BEFORE_THE_JUDGE: [(Self, &'static str, &'static str); 5] = [
        (Self::Gate, "limits and XML", "UTF-8 XML within the limits, without DTD, comments and instructions"),
        (Self::Place, "one assertion", "one Response with one assertion, each id once"),
        (Self::Signature, "signature", "in its place, by an allowed algorithm, by a key of the directory"),
        (Self::Decryption, "decryption", "AES-GCM and RSA-OAEP for our key, where the assertion is encrypted"),
        (Self::Contents, "contents", "elements, texts and times with one reading"),
    ];

    const fn of(fault: SamlFault) -> Self {
        use SamlFault as F;
        match fault {
            F::Encoding
            | F::TooLarge
            | F::Doctype
            | F::Comment
            | F::Instruction
            | F::Depth
            | F::Attributes
            | F::Elements
            | F::Namespaces
            | F::Names
            | F::Signatures
            | F::References
            | F::Transforms
            | F::NotXml => Self::Gate,
            F::Root | F::Id | F::RepeatedId | F::Assertions => Self::Place,
            F::Unsigned
            | F::SignaturePlace
            | F::SignatureShape
            | F::Canonicalization
            | F::SignatureAlgorithm
            | F::ReferenceTarget
            | F::TransformAlgorithm
            | F::DigestAlgorithm
            | F::UnknownKey
            | F::Signature
            | F::Digest
            | F::RedirectParameters => Self::Signature,
            F::EncryptionShape | F::EncryptionAlgorithm | F::Cbc | F::Decryption => Self::Decryption,
            F::Shape | F::Text | F::Time => Self::Contents,
            _ => Self::Judge,
        }
    }
}

impl Report {
    /// Of a response that was not judged: it was not verified, or refused for something else than what it says.
    pub fn unjudged(fault: SamlFault, came: Vec<Fingerprint>, keys: &SigningKeys) -> Self {
        let stage = Stage::of(fault);
        let reached = Stage::BEFORE_THE_JUDGE.iter().filter(|(one, ..)| *one <= stage);
        let mut checks: Vec<Check> = reached
            .map(|(one, name, expected)| {
                let holds = *one != stage;
                let got = if holds { "as expected" } else { fault.cause() };
                Check { name, fault, expected: (*expected).to_owned(), got: got.to_owned(), holds }
            })
            .collect();
        if stage == Stage::Judge {
            let (expected, got) = (fault.remedy().to_owned(), fault.cause().to_owned());
            checks.push(Check { name: "before it is judged", fault, expected, got, holds: false });
        }
        let known = keys.known().collect();
        Self { checks, came, known, signed_by: None, message_signed_by: None, ended: Vec::new(), fault: Some(fault) }
    }

    /// Of a response that was verified and judged.
    pub fn judged(judgement: &Judgement, received: &Received, keys: &SigningKeys) -> Self {
        let fault = judgement.outcome.as_ref().err().copied();
        let passed = Stage::BEFORE_THE_JUDGE.iter().filter(|(one, ..)| *one != Stage::Decryption || received.encrypted);
        let passed = passed.map(|(_, name, expected)| Check {
            name,
            fault: SamlFault::Shape,
            expected: (*expected).to_owned(),
            got: "as expected".to_owned(),
            holds: true,
        });
        let checks = passed.chain(judgement.checks.iter().cloned()).collect();
        Self {
            checks,
            came: received.brought.clone(),
            known: keys.known().collect(),
            signed_by: Some(received.signed_assertion()),
            message_signed_by: received.signed_message(),
            ended: Vec::new(),
            fault,
        }
    }

    /// Notes which keys that signed, the assertion or the message around it, have certificates that have ended by `now`. Where the
    /// directory refuses such keys (`expired_keys`), one of them refuses a response that would be taken otherwise.
    pub fn note_ended(self, keys: &SigningKeys, refused: bool, now: Timestamp) -> Self {
        let has_ended =
            |key: &Fingerprint| self.known.iter().any(|(known, end)| known == key && end.is_some_and(|end| end <= now));
        let mut ended: Vec<_> =
            [self.signed_by, self.message_signed_by].into_iter().flatten().filter(has_ended).collect();
        ended.dedup();
        if refused && self.fault.is_none() && !ended.is_empty() {
            return Self { ended, ..Self::unjudged(SamlFault::EndedKey, self.came, keys) };
        }
        Self { ended, ..self }
    }

    /// The same lines for an audit event and a terminal: the cause and the remedy, each check, then the keys.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::with_capacity(self.checks.len() + 8);
        if let Some(fault) = self.fault {
            lines.push(format!("{}: {}", fault.code(), fault.cause()));
            lines.push(format!("remedy: {}", fault.remedy()));
        }
        for check in &self.checks {
            let (mark, Check { name, expected, got, .. }) = (if check.holds { "holds" } else { "FAILS" }, check);
            lines.push(format!("{mark} {name}: expected {expected}, got {got}"));
        }
        if let Some(key) = self.signed_by {
            lines.push(format!("signed by key {key}"));
        }
        if let Some(key) = self.message_signed_by {
            lines.push(format!("message signed by key {key}"));
        }
        lines.extend(
            self.ended.iter().map(|key| format!("warning: the certificate of key {key}, which signed, has ended")),
        );
        lines.extend(self.came.iter().map(|key| {
            let known = self.known.iter().any(|(known, _)| known == key);
            format!("certificate that came {key}{}", if known { ", known" } else { ", UNKNOWN" })
        }));
        lines.extend(self.known.iter().map(|(key, end)| match end {
            Some(end) => format!("key known {key}, certificate ends {end}"),
            None => format!("key known {key}"),
        }));
        lines
    }
}

/// Verifies and judges a response outside of a login: nothing is taken, burnt or let in.
///
/// Without the login under way the request's id is the one that the response says, and the request left at most ten minutes
/// before `now`: only the browser of that login knows better.
pub fn examine(
    directory: &Directory,
    connection: &Connection,
    trust: &Trust<'_>,
    document: &[u8],
    now: Timestamp,
) -> Report {
    let received = match Received::open(document, trust) {
        Ok(received) => received,
        Err(fault) => {
            let came = brought_certificates(document).unwrap_or_default();
            return Report::unjudged(fault, came, trust.keys);
        }
    };
    let expected = Expected {
        directory: directory.id,
        // An empty id would fail as a directory that changed; a missing one is its own fault.
        request_id: received.shell.in_response_to.clone().filter(|id| !id.is_empty()).unwrap_or("any".to_owned()),
        left_at: now.minus(LATEST_DEPARTURE),
        max_age: None,
        binding: connection.binding(),
    };
    Report::judged(&judge(directory, connection, &expected, &received, now), &received, trust.keys)
}
