//! Messages that xmlsec1, signxml and others made (`tests/peers/saml/make.py`): every good shape verifies and says the same.

use super::*;

const RSA: &[u8] = include_bytes!("../../../../tests/peers/saml/vectors/rsa.crt.der");
const P256: &[u8] = include_bytes!("../../../../tests/peers/saml/vectors/p256.crt.der");
const P384: &[u8] = include_bytes!("../../../../tests/peers/saml/vectors/p384.crt.der");
const OURS: &[u8] = include_bytes!("../../../../tests/peers/saml/vectors/sp.key.der");

macro_rules! vectors {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_bytes!(concat!("../../../../tests/peers/saml/vectors/", $name, ".xml")).as_slice())),*]
    };
}

fn open(document: &[u8], cbc: bool) -> Result<Received, SamlFault> {
    let keys = SigningKeys::from_certificates([P384, RSA, P256]).unwrap();
    let decryption = DecryptionKeys::from_pkcs8([OURS]).unwrap();
    Received::open(document, &Trust { keys: &keys, decryption: Some(&decryption), cbc })
}

#[track_caller]
fn says_who(name: &str, received: &Received) {
    let assertion = received.assertion.value();
    assert_eq!(assertion.name_id.as_ref().unwrap().value, "ann&<>A", "{name}");
    let values: Vec<_> = assertion.attributes.iter().flat_map(|attribute| &attribute.values).collect();
    assert_eq!(values, ["Ann@Acme.example", "Ann “Ä” & 李 \r \u{1f600}", "staff", "ops"], "{name}");
    let judgement = judge(&directory(), &connection(), &expected(), received, at(30));
    let judged = judgement.outcome.unwrap_or_else(|fault| panic!("{name}: {} {:?}", fault.code(), judgement.checks));
    let claims = judged.proof.claims();
    assert_eq!((claims.identity.subject.as_str(), claims.groups.len()), ("ann&<>A", 2), "{name}");
    assert_eq!(claims.email.as_ref().unwrap().as_str(), "ann@acme.example", "{name}");
}

#[test]
fn every_signing_placement_algorithm_and_prefix_verifies() {
    for (name, document) in vectors![
        "xmlsec1-rsa-sha256-usual-assertion",
        "xmlsec1-rsa-sha256-usual-response",
        "xmlsec1-rsa-sha256-usual-both",
        "xmlsec1-rsa-sha384-bare-assertion",
        "xmlsec1-rsa-sha384-bare-response",
        "xmlsec1-rsa-sha384-bare-both",
        "xmlsec1-rsa-sha512-two-assertion",
        "xmlsec1-rsa-sha512-two-response",
        "xmlsec1-rsa-sha512-two-both",
        "xmlsec1-p256-sha256-odd-assertion",
        "xmlsec1-p256-sha256-odd-response",
        "xmlsec1-p256-sha256-odd-both",
        "xmlsec1-p384-sha384-usual-assertion",
        "xmlsec1-p384-sha384-usual-response",
        "xmlsec1-p384-sha384-usual-both",
        "signxml-rsa-assertion",
        "signxml-rsa-response",
        "signxml-p256-assertion",
        "signxml-p256-response",
    ] {
        let received = open(document, false).unwrap_or_else(|fault| panic!("{name}: {}", fault.code()));
        assert_eq!(received.signed_message().is_some(), !name.ends_with("-assertion"), "{name}");
        assert!(!received.was_encrypted());
        says_who(name, &received);
        let brought = brought_certificates(document).unwrap();
        assert!(!brought.is_empty() && brought.iter().all(|came| *came == received.signed_assertion()), "{name}");
        // One key that is not the provider's, of each kind.
        let stranger = SigningKeys::from_certificates([if name.contains("rsa") { P256 } else { RSA }]).unwrap();
        let refused = Received::open(document, &Trust { keys: &stranger, decryption: None, cbc: false });
        assert_eq!(refused.unwrap_err(), SamlFault::UnknownKey, "{name}");
    }
}

#[test]
fn encrypted_assertions_open_and_verify() {
    for (name, document) in vectors![
        "encrypted-aes128-gcm-mgf1p",
        "encrypted-aes256-gcm-mgf1p-sha1",
        "encrypted-aes256-gcm-oaep-sha256",
        "encrypted-inherited-response",
        "encrypted-xmlsec1",
    ] {
        let received = open(document, false).unwrap_or_else(|fault| panic!("{name}: {}", fault.code()));
        assert!(received.was_encrypted());
        says_who(name, &received);
    }
}

#[test]
fn cbc_is_taken_inside_a_signed_response_and_by_a_switch() {
    for (name, document) in vectors!["encrypted-aes128-cbc-response", "encrypted-aes256-cbc-response"] {
        assert_eq!(open(document, false).unwrap_err(), SamlFault::Cbc, "{name}");
        says_who(name, &open(document, true).unwrap());
    }
}

#[test]
fn old_and_unproved_forms_are_refused() {
    for ((name, document), fault) in vectors![
        "refused-cbc-unsigned-response",
        "refused-rsa15",
        "refused-encrypted-unsigned",
        "refused-sha1-signature",
        "refused-sha1-digest",
    ]
    .into_iter()
    .zip([
        SamlFault::Cbc,
        SamlFault::EncryptionAlgorithm,
        SamlFault::Unsigned,
        SamlFault::SignatureAlgorithm,
        SamlFault::DigestAlgorithm,
    ]) {
        assert_eq!(open(document, true).unwrap_err(), fault, "{name}");
    }
}

const SAMLIFY: &[u8] = include_bytes!("../../../../tests/peers/saml/vectors/samlify.crt.der");

fn open_samlify(document: &[u8]) -> Result<Received, SamlFault> {
    let keys = SigningKeys::from_certificates([SAMLIFY]).unwrap();
    let decryption = DecryptionKeys::from_pkcs8([OURS]).unwrap();
    Received::open(document, &Trust { keys: &keys, decryption: Some(&decryption), cbc: false })
}

/// What npm's samlify makes (`tests/peers/saml/make-samlify.mjs`).
#[test]
fn samlify_is_understood() {
    for (name, document) in vectors![
        "samlify-assertion",
        "samlify-response",
        "samlify-both",
        "samlify-encrypted",
        "samlify-encrypted-then-signed"
    ] {
        let received = open_samlify(document).unwrap_or_else(|fault| panic!("{name}: {}", fault.code()));
        let judgement = judge(&directory(), &connection(), &expected(), &received, at(30));
        let judged =
            judgement.outcome.unwrap_or_else(|fault| panic!("{name}: {} {:?}", fault.code(), judgement.checks));
        assert_eq!(judged.proof.claims().identity.subject, "ann&<>A", "{name}");
    }
}

/// A message that is signed and changed afterwards is refused, although it was its own sender who changed it: samlify signs
/// around the plain assertion and encrypts it then.
#[test]
fn a_signature_holds_over_the_message_as_it_came() {
    let [(_, document)] = vectors!["samlify-refused-signed-then-encrypted"];
    assert_eq!(open_samlify(document).unwrap_err(), SamlFault::Digest);
}

const PYSAML2: &[u8] = include_bytes!("../../../../tests/peers/saml/vectors/pysaml2.crt.der");

/// What pysaml2 makes (`tests/peers/saml/make-pysaml2.py`), with the times of the day it ran. It encrypts with 3DES unless its
/// metadata says otherwise, and that is refused.
#[test]
fn pysaml2_is_understood() {
    let keys = SigningKeys::from_certificates([PYSAML2]).unwrap();
    let decryption = DecryptionKeys::from_pkcs8([OURS]).unwrap();
    let trust = Trust { keys: &keys, decryption: Some(&decryption), cbc: true };
    for (name, document) in vectors!["pysaml2-assertion", "pysaml2-both"] {
        let received = Received::open(document, &trust).unwrap_or_else(|fault| panic!("{name}: {}", fault.code()));
        let issued = received.shell.issued;
        let expected = Expected { left_at: issued, ..expected() };
        let judgement = judge(&directory(), &connection(), &expected, &received, issued);
        let judged =
            judgement.outcome.unwrap_or_else(|fault| panic!("{name}: {} {:?}", fault.code(), judgement.checks));
        let claims = judged.proof.claims();
        assert_eq!((claims.identity.subject.as_str(), claims.name.as_deref()), ("ann&<>A", Some("Ann Ä")), "{name}");
        assert_eq!(claims.email.as_ref().unwrap().as_str(), "ann@acme.example", "{name}");
    }
    let [(_, document)] = vectors!["pysaml2-encrypted"];
    assert_eq!(Received::open(document, &trust).unwrap_err(), SamlFault::EncryptionAlgorithm);
}
