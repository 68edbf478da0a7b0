//! What a second verifier, made by others, reads in a message that has already verified here, and whether it reads the same.
//!
//! It is shown one signed element and the certificates that signed it, and answers in plain data. Nothing in an opinion lets anybody
//! in: [`Received::differences`] can only object.

use super::assertion::{Assertion, parse_time};
use super::keys::{Fingerprint, SigningKeys};
use super::subject::UNSPECIFIED;
use super::verify::Received;
use super::xml::{Node, XENC};
use crate::kernel::values::Timestamp;
use serde::{Deserialize, Serialize};

/// What the second verifier is shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Exhibit {
    /// The signed element with its signature, as it came, in the namespaces that it came in.
    pub document: String,
    /// Of the keys that signed.
    pub signers: Vec<Fingerprint>,
    /// Where the assertion came encrypted and only the message around it is signed: the ciphertext, which stands for what was in it.
    pub(super) ciphertext: Option<String>,
}

/// What it read, text for text.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Opinion {
    /// Of the Response, where that is what was signed.
    pub message: Option<MessageRead>,
    /// Of the assertion.
    pub assertion: Option<AssertionRead>,
    /// The CipherValue of the EncryptedData without white space, where the assertion is encrypted.
    pub ciphertext: Option<String>,
}

/// A Response's own fields.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MessageRead {
    /// `InResponseTo`.
    pub in_response_to: Option<String>,
    /// `Destination`.
    pub destination: Option<String>,
    /// Issuer.
    pub issuer: Option<String>,
}

/// An assertion's fields: subject, audience, recipient, InResponseTo, validity, and everything that a person is known by.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AssertionRead {
    /// `ID`.
    pub id: String,
    /// Issuer.
    pub issuer: String,
    /// NameID.
    pub name_id: Option<String>,
    /// Its Format, NameQualifier and SPNameQualifier, which make the name space of a subject (rule C1).
    pub name_space: [Option<String>; 3],
    /// Of each SubjectConfirmation: Method, Recipient, InResponseTo, NotOnOrAfter.
    pub confirmations: Vec<[Option<String>; 4]>,
    /// Conditions' NotBefore and NotOnOrAfter.
    pub valid: [Option<String>; 2],
    /// Audiences of each AudienceRestriction.
    pub audiences: Vec<Vec<String>>,
    /// Of each AuthnStatement: AuthnInstant, SessionNotOnOrAfter, SessionIndex and the text of AuthnContextClassRef.
    pub authenticated: Vec<[Option<String>; 4]>,
    /// Attributes: Name and the texts of the values.
    pub attributes: Vec<(String, Vec<String>)>,
}

impl Exhibit {
    /// The certificates of the keys that signed, DER; `None` where one of them came without.
    pub fn certificates<'a>(&self, keys: &'a SigningKeys) -> Option<Vec<&'a [u8]>> {
        self.signers.iter().map(|signer| keys.certificate(*signer)).collect()
    }
}

/// The CipherValue of an EncryptedAssertion's data.
pub(super) fn ciphertext(encrypted: Node<'_>) -> Option<String> {
    let data = encrypted.children().find(|child| super::xml::is(*child, XENC, "EncryptedData"))?;
    let value = data.children().find(|child| super::xml::is(*child, XENC, "CipherData"))?.first_element_child()?;
    Some(super::xml::text(value).ok()?.split_ascii_whitespace().collect())
}

impl Received {
    /// What a second verifier is shown.
    pub fn exhibit(&self) -> &Exhibit {
        &self.exhibit
    }

    /// The names of the fields in which an opinion differs from what was verified here; none where both say the same.
    pub fn differences(&self, opinion: &Opinion) -> Vec<&'static str> {
        let mut found = Vec::new();
        match (&self.exhibit.ciphertext, &opinion.assertion) {
            (None, Some(read)) => compare(self.assertion.value(), read, &mut found),
            (Some(ours), None) if opinion.ciphertext.as_ref() == Some(ours) => {}
            (Some(_), None) => found.push("ciphertext"),
            (None, None) | (Some(_), Some(_)) => found.push("assertion"),
        }
        let is_message = self.message_by.is_some() && self.exhibit.is_message();
        match &opinion.message {
            Some(read) => {
                let shell = &self.shell;
                let ours = (&shell.in_response_to, &shell.destination, &shell.issuer);
                if !is_message || ours != (&read.in_response_to, &read.destination, &read.issuer) {
                    found.push("message");
                }
            }
            None if is_message => found.push("message"),
            None => {}
        }
        found
    }
}

impl Exhibit {
    /// Whether it is the whole message. An assertion is shown inside an element that only declares namespaces.
    fn is_message(&self) -> bool {
        !self.document.starts_with("<in-place")
    }
}

fn compare(ours: &Assertion, read: &AssertionRead, found: &mut Vec<&'static str>) {
    let mut must = |name, same: bool| {
        if !same {
            found.push(name);
        }
    };
    must("id", ours.id == read.id);
    must("issuer", ours.issuer == read.issuer);
    must("subject", ours.name_id.as_ref().map(|name_id| &name_id.value) == read.name_id.as_ref());
    let name_space = ours.name_id.as_ref().map(|name_id| {
        // An absent Format says what is written here (SAML Core §2.2.2).
        let format = Some(name_id.format.as_str()).filter(|format| *format != UNSPECIFIED);
        [format, name_id.name_qualifier.as_deref(), name_id.sp_name_qualifier.as_deref()]
    });
    let [format, provider, party] = read.name_space.each_ref().map(Option::as_deref);
    let read_there = [format.filter(|format| *format != UNSPECIFIED), provider, party];
    must("name-space", name_space.unwrap_or_default() == read_there);
    let methods = ours.confirmations.iter().map(|one| Some(&one.method));
    must("confirmation", methods.eq(read.confirmations.iter().map(|[method, ..]| method.as_ref())));
    let recipients = ours.confirmations.iter().map(|one| one.recipient.as_ref());
    must("recipient", recipients.eq(read.confirmations.iter().map(|[_, recipient, ..]| recipient.as_ref())));
    let requests = ours.confirmations.iter().map(|one| one.in_response_to.as_ref());
    must("in-response-to", requests.eq(read.confirmations.iter().map(|[_, _, request, _]| request.as_ref())));
    let conditions = ours.conditions.as_ref();
    let [from, until] = &read.valid;
    let valid = same_time(conditions.and_then(|one| one.not_before), from.as_deref())
        && same_time(conditions.and_then(|one| one.not_on_or_after), until.as_deref())
        && ours.confirmations.len() == read.confirmations.len()
        && ours
            .confirmations
            .iter()
            .zip(&read.confirmations)
            .all(|(one, [.., until])| same_time(one.not_on_or_after, until.as_deref()))
        && ours.authentications.len() == read.authenticated.len()
        && ours.authentications.iter().zip(&read.authenticated).all(|(one, [at, until, ..])| {
            same_time(Some(one.instant), at.as_deref()) && same_time(one.session_not_on_or_after, until.as_deref())
        });
    must("validity", valid);
    let sessions = ours.authentications.iter().map(|one| one.session_index.as_ref());
    must("session-index", sessions.eq(read.authenticated.iter().map(|[_, _, index, _]| index.as_ref())));
    let classes = ours.authentications.iter().map(|one| one.class.as_ref());
    must("context", classes.eq(read.authenticated.iter().map(|[_, _, _, class]| class.as_ref())));
    let audiences = conditions.map(|one| one.audiences.as_slice()).unwrap_or_default();
    must("audience", audiences == read.audiences);
    let attributes = ours.attributes.iter().map(|one| (&one.name, &one.values));
    must("attributes", attributes.eq(read.attributes.iter().map(|(name, values)| (name, values))));
}

fn same_time(ours: Option<Timestamp>, read: Option<&str>) -> bool {
    ours == read.and_then(parse_time) && ours.is_some() == read.is_some()
}
