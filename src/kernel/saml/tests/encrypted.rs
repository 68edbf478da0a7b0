//! Encrypted assertions that somebody made or changed: who can encrypt for us is everybody.

use super::world::*;
use super::*;
use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeySize, OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PrivateDecryptingKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::sync::LazyLock;

const OURS: &[u8] = include_bytes!("../../../../tests/peers/saml/vectors/sp.key.der");
const RSA: &[u8] = include_bytes!("../../../../tests/peers/saml/vectors/rsa.crt.der");
const GCM: &str = include_str!("../../../../tests/peers/saml/vectors/encrypted-aes128-gcm-mgf1p.xml");
const BESIDE: &str = include_str!("../../../../tests/peers/saml/vectors/encrypted-aes256-gcm-mgf1p-sha1.xml");
const SHA256: &str = include_str!("../../../../tests/peers/saml/vectors/encrypted-aes256-gcm-oaep-sha256.xml");
const SIGNED_AROUND: &str = include_str!("../../../../tests/peers/saml/vectors/encrypted-aes128-cbc-response.xml");

static DECRYPTION: LazyLock<DecryptionKeys> = LazyLock::new(|| DecryptionKeys::from_pkcs8([OURS]).unwrap());

fn open_with(document: &str, keys: &SigningKeys, decryption: Option<&DecryptionKeys>) -> String {
    let trust = Trust { keys, decryption, cbc: true };
    match Received::open(document.as_bytes(), &trust) {
        Ok(received) => format!("opened {}", received.name_id().unwrap().value),
        Err(fault) => fault.code().to_owned(),
    }
}

/// A change of a vector.
#[track_caller]
fn changed(vector: &str, from: &str, to: &str, expected: &str) {
    let keys = SigningKeys::from_certificates([RSA]).unwrap();
    assert_eq!(open_with(&put(vector, from, to), &keys, Some(&DECRYPTION)), expected, "{from} {to}");
}

/// The nth CipherValue: the key's comes first in `GCM`, the content's second.
fn value(vector: &str, place: usize) -> &str {
    vector.split("<xenc:CipherValue>").nth(place + 1).unwrap().split("</xenc:CipherValue>").next().unwrap()
}

#[test]
fn saml_what_does_not_open_looks_alike() {
    changed(GCM, "_r1", "_r2", "opened ann&<>A");
    for place in [0, 1] {
        let whole = value(GCM, place);
        let bytes = STANDARD.decode(whole.replace('\n', "")).unwrap();
        let flipped = |at: usize| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            STANDARD.encode(bytes)
        };
        for other in [
            flipped(0),
            flipped(bytes.len() / 2),
            flipped(bytes.len() - 1),
            STANDARD.encode(&bytes[..bytes.len() - 1]),
            STANDARD.encode(&bytes[1..]),
            STANDARD.encode(&bytes[..8]),
            String::new(),
            STANDARD.encode([bytes.as_slice(), &[0]].concat()),
        ] {
            changed(GCM, whole, &other, "saml-decryption");
        }
        changed(GCM, whole, "A", "saml-encryption-shape");
    }
    // The hash of OAEP is another than the one that was used; the key's length is another than the algorithm's.
    let sha1 = ["xmlenc#sha256", "xmlenc11#mgf1sha256"];
    let other = put(SHA256, sha1[0], "xmldsig#sha1").replace("2001/04/xmldsig#sha1", "2000/09/xmldsig#sha1");
    changed(&other, sha1[1], "xmlenc11#mgf1sha1", "saml-decryption");
    changed(GCM, "aes128-gcm", "aes256-gcm", "saml-decryption");
    let keys = SigningKeys::from_certificates([RSA]).unwrap();
    assert_eq!(open_with(GCM, &keys, None), "saml-decryption");
    // During a roll-over the older key opens as well.
    let fresh = PROVIDER_PKCS8.as_slice();
    let both = DecryptionKeys::from_pkcs8([fresh, OURS]).unwrap();
    assert_eq!(open_with(GCM, &keys, Some(&both)), "opened ann&<>A");
    assert_eq!(open_with(GCM, &keys, Some(&DecryptionKeys::from_pkcs8([fresh]).unwrap())), "saml-decryption");
    assert!(DecryptionKeys::from_pkcs8([fresh, OURS, fresh]).is_err() && DecryptionKeys::from_pkcs8([]).is_err());
}

static PROVIDER_PKCS8: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
    AsDer::<Pkcs8V1Der<'_>>::as_der(&key).unwrap().as_ref().to_vec()
});

#[test]
fn saml_encrypted_parts_are_laid_out_in_one_way() {
    for (vector, from, to, code) in [
        (GCM, "xmlenc11#aes128-gcm", "xmlenc#tripledes-cbc", "saml-encryption-algorithm"),
        (GCM, "xmlenc#rsa-oaep-mgf1p", "xmlenc#rsa-1_5", "saml-encryption-algorithm"),
        (SHA256, "xmlenc11#mgf1sha256", "xmlenc11#mgf1sha512", "saml-encryption-algorithm"),
        (SHA256, "xmlenc#sha256", "xmlenc#sha512", "saml-encryption-algorithm"),
        (SHA256, "xmlenc11#rsa-oaep\"", "xmlenc#rsa-oaep-mgf1p\"", "saml-encryption-algorithm"),
        (
            GCM,
            "<xenc:CipherValue>",
            "<xenc:CipherReference URI=\"file:///etc/passwd\"/><xenc:CipherValue>",
            "saml-encryption-shape",
        ),
        (GCM, "<xenc:EncryptedKey ", "<xenc:EncryptedKey/><xenc:EncryptedKey ", "saml-encryption-shape"),
        (BESIDE, "URI=\"#_ek\"", "URI=\"http://127.0.0.1/key\"", "saml-encryption-shape"),
        (BESIDE, "URI=\"#_ek\"", "URI=\"#_r1\"", "saml-encryption-shape"),
        (BESIDE, "Id=\"_ek\"", "Id=\"_other\"", "saml-encryption-shape"),
        (
            GCM,
            "<saml:EncryptedAssertion ",
            "<e:EncryptedAssertion xmlns:e=\"urn:e\"/><saml:EncryptedAssertion ",
            "saml-assertions",
        ),
        // Around it the message is signed.
        (SIGNED_AROUND, "xenc:CipherValue>", "xenc:CipherValue>\n", "saml-digest"),
    ] {
        changed(vector, from, to, code);
    }
}

/// Encrypts for us, as anybody can.
fn encrypted(plain: &str) -> String {
    let key = [7; 16];
    let public = PrivateDecryptingKey::from_pkcs8(OURS).unwrap().public_key();
    let public = OaepPublicEncryptingKey::new(public).unwrap();
    let mut wrapped = vec![0; public.ciphertext_size()];
    let wrapped = STANDARD.encode(public.encrypt(&OAEP_SHA1_MGF1SHA1, &key, &mut wrapped, None).unwrap());
    let mut bytes = plain.as_bytes().to_vec();
    let sealing = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).unwrap());
    sealing.seal_in_place_append_tag(Nonce::assume_unique_for_key([1; 12]), Aad::empty(), &mut bytes).unwrap();
    let content = STANDARD.encode([&[1; 12], bytes.as_slice()].concat());
    format!(
        concat!(
            r#"<saml:EncryptedAssertion><xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#">"#,
            r#"<xenc:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes128-gcm"/>"#,
            r#"<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><xenc:EncryptedKey><xenc:EncryptionMethod "#,
            r#"Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"/><xenc:CipherData><xenc:CipherValue>{}</xenc:CipherValue>"#,
            r#"</xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>{}</xenc:CipherValue>"#,
            r#"</xenc:CipherData></xenc:EncryptedData></saml:EncryptedAssertion>"#,
        ),
        wrapped, content
    )
}

#[test]
fn saml_a_plaintext_passes_the_same_gate_and_the_same_verifier() {
    let whole = seal(ANSWER, &ON_ASSERTION);
    let start = whole.find("<saml:Assertion").unwrap();
    let end = whole.find("</samlp:Response>").unwrap();
    let assertion = &whole[start..end];
    let unsigned = {
        let from = assertion.find("<ds:Signature ").unwrap();
        let to = assertion.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
        format!("{}{}", &assertion[..from], &assertion[to..])
    };
    let evil = put(&put(&unsigned, ">ann<", ">eve<"), "_a1", "_e1");
    let check = |plain: &str, expected: &str| {
        let document = format!("{}{}{}", &whole[..start], encrypted(plain), &whole[end..]);
        assert_eq!(open_with(&document, &KEYS, Some(&DECRYPTION)), expected, "{plain}");
    };
    check(assertion, "opened ann");
    check(&format!("<?xml version=\"1.0\"?>{assertion}"), "opened ann");
    check(&unsigned, "saml-unsigned");
    check(&put(assertion, ">ann<", ">eve<"), "saml-digest");
    check(&format!("{assertion}{evil}"), "saml-not-xml");
    check(&format!("{assertion}</in-place>{evil}<in-place>"), "saml-not-xml");
    check(&format!("</in-place><in-place>{evil}"), "saml-not-xml");
    check(
        &put(&evil, "<saml:Subject>", &format!("<saml:Advice>{assertion}</saml:Advice><saml:Subject>")),
        "saml-assertions",
    );
    check(
        &put(
            &evil,
            "<saml:Subject>",
            &format!(
                "{}<saml:Subject>",
                &assertion[assertion.find("<ds:Signature ").unwrap()..assertion.find("<saml:Subject>").unwrap()]
            ),
        ),
        "saml-reference-target",
    );
    check(&format!("<!DOCTYPE x>{assertion}"), "saml-doctype");
    check(&put(assertion, ">ann<", ">ann<!---->.evil<"), "saml-comment");
    check(&encrypted(assertion), "saml-assertions");
    check(&whole, "saml-assertions");
    check("", "saml-not-xml");
    check("text", "saml-not-xml");
    check("\u{0}", "saml-encoding");
    // Signed around the encrypted one, by the provider: what came is what was signed.
    let around = format!(
        "{}{}{}",
        &ANSWER[..ANSWER.find("<saml:Assertion").unwrap()],
        encrypted(&unsigned),
        "</samlp:Response>"
    );
    let sealed = seal(&around, &ON_RESPONSE);
    assert_eq!(open_with(&sealed, &KEYS, Some(&DECRYPTION)), "opened ann");
    let swapped = put(&sealed, &encrypted_value(&sealed), &encrypted_value(&encrypted(&evil)));
    assert_eq!(open_with(&swapped, &KEYS, Some(&DECRYPTION)), "saml-digest");
}

fn encrypted_value(document: &str) -> String {
    value(document, 1).to_owned()
}
