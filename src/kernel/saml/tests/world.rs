//! A provider of the test's own: a response that proves a login, signed where a row wants it and changed before or after.

use super::*;
use crate::kernel::saml::c14n::canonicalize;
use crate::kernel::saml::xml::{Tree, attribute};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::sync::LazyLock;

pub(super) static PROVIDER: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).unwrap());
pub(super) static MALLORY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).unwrap());

/// What a provider answers; `@_r1@` and `@_a1@` are where signatures go.
pub(super) const ANSWER: &str = concat!(
    r#"<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" "#,
    r#"ID="_r1" Version="2.0" IssueInstant="2026-11-22T12:00:00Z" Destination="https://id.example/saml/acme/acs" "#,
    r#"InResponseTo="_request1"><saml:Issuer>https://idp.example/metadata</saml:Issuer>@_r1@<samlp:Status><samlp:StatusCode "#,
    r#"Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>"#,
    r#"<saml:Assertion ID="_a1" Version="2.0" IssueInstant="2026-11-22T12:00:00Z">"#,
    r#"<saml:Issuer>https://idp.example/metadata</saml:Issuer>@_a1@<saml:Subject>"#,
    r#"<saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">ann</saml:NameID>"#,
    r#"<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData "#,
    r#"Recipient="https://id.example/saml/acme/acs" NotOnOrAfter="2026-11-22T12:05:00Z" InResponseTo="_request1"/>"#,
    r#"</saml:SubjectConfirmation></saml:Subject>"#,
    r#"<saml:Conditions NotBefore="2026-11-22T11:59:00Z" NotOnOrAfter="2026-11-22T12:10:00Z"><saml:AudienceRestriction>"#,
    r#"<saml:Audience>https://id.example/saml/acme/metadata</saml:Audience></saml:AudienceRestriction></saml:Conditions>"#,
    r#"<saml:AuthnStatement AuthnInstant="2026-11-22T11:30:00Z" SessionIndex="_s1" "#,
    r#"SessionNotOnOrAfter="2026-11-22T12:20:00Z"><saml:AuthnContext><saml:AuthnContextClassRef>urn:mfa"#,
    r#"</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>"#,
    r#"<saml:Attribute Name="mail"><saml:AttributeValue>ann@acme.example</saml:AttributeValue></saml:Attribute>"#,
    r#"</saml:AttributeStatement></saml:Assertion></samlp:Response>"#,
);

/// A signature and what a row makes of it. The text of SignedInfo is what is signed, canonical or not.
#[derive(Clone)]
pub(super) struct Sealing {
    pub(super) on: &'static [&'static str],
    pub(super) key: &'static LazyLock<KeyPair>,
    pub(super) key_info: &'static str,
    /// Replaces one part of SignedInfo.
    pub(super) info: Option<(&'static str, &'static str)>,
    /// Stands after KeyInfo.
    pub(super) object: &'static str,
}

pub(super) const ON_ASSERTION: Sealing = Sealing { on: &["_a1"], key: &PROVIDER, key_info: "", info: None, object: "" };
pub(super) const ON_RESPONSE: Sealing = Sealing { on: &["_r1"], ..ON_ASSERTION };
pub(super) const ON_BOTH: Sealing = Sealing { on: &["_a1", "_r1"], ..ON_ASSERTION };

#[expect(clippy::disallowed_methods, reason = "a signature of the test's own provider")]
pub(super) fn rsa_sha256(key: &KeyPair, message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut bytes).unwrap();
    bytes
}

/// One replacement that must happen, so that no row is about nothing.
#[track_caller]
pub(super) fn put(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in {text}");
    text.replacen(from, to, 1)
}

/// Fills the signatures in, the inner one first; marks of others vanish.
pub(super) fn seal(text: &str, sealing: &Sealing) -> String {
    let marks = ["@_a1@", "@_r1@"];
    let mut text = text.to_owned();
    for id in sealing.on {
        let bare = marks.iter().fold(text.clone(), |text, mark| text.replace(mark, ""));
        let tree = Tree::parse(bare.as_bytes(), Limits::MESSAGE).unwrap();
        let node = tree.elements().find(|node| attribute(*node, "ID") == Some(id)).unwrap();
        let mut canonical = Vec::new();
        canonicalize(node, None, &[], &mut canonical);
        text = put(&text, &format!("@{id}@"), &signature(id, &canonical, sealing));
    }
    marks.iter().fold(text, |text, mark| text.replace(mark, ""))
}

fn signature(id: &str, canonical: &[u8], sealing: &Sealing) -> String {
    let info = format!(
        concat!(
            r#"<ds:SignedInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:CanonicalizationMethod "#,
            r#"Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:CanonicalizationMethod><ds:SignatureMethod "#,
            r#"Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"></ds:SignatureMethod><ds:Reference URI="\#{}">"#,
            r#"<ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"></ds:Transform>"#,
            r#"<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:Transform></ds:Transforms><ds:DigestMethod "#,
            r#"Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod><ds:DigestValue>{}</ds:DigestValue>"#,
            r#"</ds:Reference></ds:SignedInfo>"#,
        ),
        id,
        STANDARD.encode(digest(&SHA256, canonical))
    )
    .replace("\\#", "#");
    let info = sealing.info.map_or_else(|| info.clone(), |(from, to)| put(&info, from, to));
    let value = STANDARD.encode(rsa_sha256(sealing.key, info.as_bytes()));
    format!(
        "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">{info}<ds:SignatureValue>{value}</ds:SignatureValue>{}{}</ds:Signature>",
        sealing.key_info, sealing.object
    )
}

pub(super) fn keys_of(key: &KeyPair) -> SigningKeys {
    SigningKeys::from_public_keys([key.public_key().as_der().unwrap().as_ref()]).unwrap()
}

pub(super) static KEYS: LazyLock<SigningKeys> = LazyLock::new(|| keys_of(&PROVIDER));

pub(super) fn open(document: &str) -> Result<Received, SamlFault> {
    Received::open(document.as_bytes(), &Trust { keys: &KEYS, decryption: None, cbc: false })
}

/// What `fedgate saml check` says about a document names the same cause, tells it, and holds nothing to use again (rule M20).
#[track_caller]
pub(super) fn examined(document: &str, directory: &Directory, connection: &Connection, now: Timestamp) -> Report {
    let trust = Trust { keys: &KEYS, decryption: None, cbc: false };
    let report = examine(directory, connection, &trust, document.as_bytes(), now);
    let lines = report.lines().join("\n");
    let failed: Vec<_> = report.checks.iter().filter(|check| !check.holds).collect();
    assert_eq!(report.fault, failed.first().map(|check| check.fault), "{lines}");
    if let Some(fault) = report.fault {
        assert!(
            lines.starts_with(&format!("{}: {}\nremedy: {}", fault.code(), fault.cause(), fault.remedy())),
            "{lines}"
        );
    }
    let values = ["<ds:SignatureValue>", "<ds:DigestValue>"].into_iter().flat_map(|mark| document.split(mark).skip(1));
    let values = values.filter_map(|rest| rest.split('<').next()).filter(|value| value.len() > 8);
    for secret in values.chain(["_a1", "_e1", "_r1", "_s1", ">ann<", ">eve<", "ann@acme"]) {
        assert!(!lines.contains(secret), "{secret} in {lines}");
    }
    report
}

/// Opens and judges: the fault's code, or `proved` and who. `fedgate saml check` must say the same.
#[track_caller]
pub(super) fn verdict(document: &str) -> String {
    let verdict = opened_and_judged(document);
    let report = examined(document, &directory(), &connection(), at(30));
    let known = report.fault.map_or("proved", SamlFault::code);
    assert_eq!(verdict.split(' ').next(), Some(known), "{:?}", report.lines());
    verdict
}

pub(super) fn opened_and_judged(document: &str) -> String {
    let received = match open(document) {
        Ok(received) => received,
        Err(fault) => return fault.code().to_owned(),
    };
    match judge(&directory(), &connection(), &expected(), &received, at(30)).outcome {
        Ok(judged) => format!("proved {}", judged.proof.claims().identity.subject),
        Err(fault) => fault.code().to_owned(),
    }
}
