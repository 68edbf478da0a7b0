//! Documents that an attacker makes from a good one: each is refused, each with its own code, and none names another person.

use super::world::*;
use super::*;

#[track_caller]
fn check(document: &str, expected: &str) {
    assert_eq!(verdict(document), expected, "{document}");
}

/// Changed after it was signed.
#[track_caller]
fn tampered(sealing: &Sealing, from: &str, to: &str, expected: &str) {
    check(&put(&seal(ANSWER, sealing), from, to), expected);
}

/// Signed by the provider's own key, with a signature that is not in the profile.
#[track_caller]
fn odd_signature(change: impl FnOnce(&mut Sealing), expected: &str) {
    let mut sealing = ON_ASSERTION;
    change(&mut sealing);
    check(&seal(ANSWER, &sealing), expected);
}

/// The part of a text from one mark through another.
fn cut<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let start = text.find(from).unwrap();
    let end = start + text[start..].find(to).unwrap() + to.len();
    &text[start..end]
}

/// A signed document in the parts that wrapping attacks shuffle.
struct Parts {
    whole: String,
    assertion: String,
    signature: String,
    /// The assertion without its signature.
    bare: String,
    /// A forged one.
    evil: String,
}

fn parts(sealing: &Sealing) -> Parts {
    let whole = seal(ANSWER, sealing);
    let assertion = cut(&whole, "<saml:Assertion", "</saml:Assertion>").to_owned();
    let signature = cut(&whole, "<ds:Signature ", "</ds:Signature>").to_owned();
    let bare = assertion.replace(&signature, "");
    let evil = put(&put(&bare, ">ann<", ">eve<"), "\"_a1\"", "\"_e1\"");
    Parts { whole, assertion, signature, bare, evil }
}

#[test]
fn good_ones_pass() {
    for sealing in [ON_ASSERTION, ON_RESPONSE, ON_BOTH] {
        check(&seal(ANSWER, &sealing), "proved ann");
    }
    // Beside the message, where nothing is signed, anything may stand that is not read.
    tampered(&ON_ASSERTION, "<samlp:Status>", "<samlp:Extensions><x/></samlp:Extensions><samlp:Status>", "proved ann");
}

#[test]
fn saml_wrapping_in_all_positions() {
    let on_assertion = parts(&ON_ASSERTION);
    let Parts { whole, assertion, signature, bare, evil } = &on_assertion;
    let in_evil = |inside: &str| put(evil, "<saml:Subject>", &format!("{inside}<saml:Subject>"));
    let object = |inside: &str| format!("<ds:Object>{inside}</ds:Object></ds:Signature>");
    let with_object = |inside: &str| put(signature, "</ds:Signature>", &object(inside));
    let replaced = |with: &str| put(whole, assertion, with);
    for (name, document, code) in [
        ("3: forged before signed", replaced(&format!("{evil}{assertion}")), "saml-assertions"),
        ("forged after signed", replaced(&format!("{assertion}{evil}")), "saml-assertions"),
        ("4: signed inside forged", replaced(&in_evil(assertion)), "saml-assertions"),
        (
            "5: signature in forged, original beside",
            replaced(&format!("{}{bare}", in_evil(signature))),
            "saml-assertions",
        ),
        ("6: original in the forged one's signature", replaced(&in_evil(&with_object(bare))), "saml-assertions"),
        (
            "7: forged in Extensions",
            {
                let extended = format!("<samlp:Extensions>{evil}</samlp:Extensions><samlp:Status>");
                put(whole, "<samlp:Status>", &extended)
            },
            "saml-assertions",
        ),
        (
            "signed in Extensions",
            {
                let extended = format!("<samlp:Extensions>{assertion}</samlp:Extensions><samlp:Status>");
                put(&replaced(evil), "<samlp:Status>", &extended)
            },
            "saml-assertions",
        ),
        ("8: original in an Object", replaced(&in_evil(&with_object(assertion))), "saml-assertions"),
        ("signed in Advice", replaced(&in_evil(&format!("<saml:Advice>{assertion}</saml:Advice>"))), "saml-assertions"),
        (
            "signed in StatusDetail",
            {
                let detail = format!("<samlp:StatusDetail>{assertion}</samlp:StatusDetail></samlp:Status>");
                put(&replaced(evil), "</samlp:Status>", &detail)
            },
            "saml-assertions",
        ),
        (
            "forged under another namespace",
            {
                let other = evil
                    .replace("saml:Assertion", "x:Assertion")
                    .replace("<x:Assertion", "<x:Assertion xmlns:x=\"urn:x\"");
                replaced(&format!("{other}{assertion}"))
            },
            "saml-assertions",
        ),
        (
            "forged in another case",
            {
                let other = evil.replace("saml:Assertion", "saml:assertion");
                replaced(&format!("{other}{assertion}"))
            },
            "saml-assertions",
        ),
        (
            "assertion as the document",
            assertion.replacen(
                "<saml:Assertion",
                "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"",
                1,
            ),
            "saml-root",
        ),
        ("forged alone, signature moved in", replaced(&in_evil(signature)), "saml-reference-target"),
        ("forged with the signed id", replaced(&put(&in_evil(signature), "\"_e1\"", "\"_a1\"")), "saml-digest"),
        (
            "signature moved to the response",
            { put(&put(whole, signature, ""), "<samlp:Status>", &format!("{signature}<samlp:Status>")) },
            "saml-reference-target",
        ),
        (
            "signature at the end",
            replaced(&put(bare, "</saml:Assertion>", &format!("{signature}</saml:Assertion>"))),
            "saml-signature-place",
        ),
        (
            "signature before the issuer",
            replaced(&put(bare, "<saml:Issuer>", &format!("{signature}<saml:Issuer>"))),
            "saml-signature-place",
        ),
        (
            "signature in the subject",
            replaced(&put(bare, "<saml:Subject>", &format!("<saml:Subject>{signature}"))),
            "saml-signature-place",
        ),
        (
            "signature twice",
            replaced(&put(assertion, signature, &format!("{signature}{signature}"))),
            "saml-signature-place",
        ),
        ("the same id twice", put(whole, "ID=\"_r1\"", "ID=\"_a1\""), "saml-repeated-id"),
        (
            "the same id in another spelling",
            put(whole, "<samlp:Status>", "<samlp:Status Id=\"_a1\">"),
            "saml-repeated-id",
        ),
        ("the same id as xml:id", put(whole, "<samlp:Status>", "<samlp:Status xml:id=\"_a1\">"), "saml-repeated-id"),
        ("id of odd characters", put(whole, "ID=\"_r1\"", "ID=\"#xpointer(/)\""), "saml-id"),
        ("no signature", replaced(bare), "saml-unsigned"),
        ("nothing", replaced(""), "saml-assertions"),
    ] {
        assert_eq!(verdict(&document), code, "{name}: {document}");
    }
    // 1 and 2: the message is signed, and an evil one is put around it.
    let Parts { whole, signature, .. } = &parts(&ON_RESPONSE);
    let unsigned = put(whole, signature, "");
    let evil = put(&put(&unsigned, ">ann<", ">eve<"), "ID=\"_r1\"", "ID=\"_e1\"");
    let evil = put(&evil, "ID=\"_a1\"", "ID=\"_e2\"");
    for inside in [put(signature, "</ds:Signature>", &object(&unsigned)), format!("{unsigned}{signature}")] {
        check(&put(&evil, "<samlp:Status>", &format!("{inside}<samlp:Status>")), "saml-assertions");
    }
}

#[test]
fn saml_the_signature_is_in_the_one_profile() {
    let replace = |from, to| move |s: &mut Sealing| s.info = Some((from, to));
    const ENVELOPED: &str =
        "<ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"></ds:Transform>";
    const EXCLUSIVE: &str = "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></ds:Transform>";
    const RSA: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
    const SHA256_URI: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
    for (from, to, code) in [
        ("URI=\"#_a1\"", "URI=\"\"", "saml-reference-target"),
        ("URI=\"#_a1\"", "URI=\"#_r1\"", "saml-reference-target"),
        ("URI=\"#_a1\"", "URI=\"_a1\"", "saml-reference-target"),
        (" URI=\"#_a1\"", "", "saml-reference-target"),
        ("URI=\"#_a1\"", "URI=\"http://127.0.0.1/x\"", "saml-reference-target"),
        ("URI=\"#_a1\"", "URI=\"file:///etc/passwd\"", "saml-reference-target"),
        ("URI=\"#_a1\"", "URI=\"#xpointer(id('_a1'))\"", "saml-reference-target"),
        ("URI=\"#_a1\"", "Type=\"urn:x\" URI=\"#_a1\"", "saml-reference-target"),
        ("</ds:Reference>", "</ds:Reference><ds:Reference URI=\"\"></ds:Reference>", "saml-signature-shape"),
        (EXCLUSIVE, "", "saml-transform-algorithm"),
        (ENVELOPED, "", "saml-transform-algorithm"),
        (ENVELOPED, EXCLUSIVE, "saml-transform-algorithm"),
        ("xml-exc-c14n#\"></ds:Transform>", "xml-exc-c14n#WithComments\"></ds:Transform>", "saml-transform-algorithm"),
        (
            "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
            "http://www.w3.org/TR/1999/REC-xslt-19991116",
            "saml-transform-algorithm",
        ),
        (
            "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
            "http://www.w3.org/TR/1999/REC-xpath-19991116",
            "saml-transform-algorithm",
        ),
        (
            "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
            "http://www.w3.org/2000/09/xmldsig#base64",
            "saml-transform-algorithm",
        ),
        ("enveloped-signature\">", "enveloped-signature\"><x></x>", "saml-transform-algorithm"),
        (
            EXCLUSIVE,
            "<ds:Transform Algorithm=\"http://www.w3.org/TR/2001/REC-xml-c14n-20010315\"></ds:Transform>",
            "saml-transform-algorithm",
        ),
        (
            "Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></ds:C",
            "Algorithm=\"http://www.w3.org/TR/2001/REC-xml-c14n-20010315\"></ds:C",
            "saml-canonicalization",
        ),
        (RSA, "http://www.w3.org/2000/09/xmldsig#rsa-sha1", "saml-signature-algorithm"),
        (RSA, "http://www.w3.org/2001/04/xmldsig-more#rsa-md5", "saml-signature-algorithm"),
        (RSA, "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", "saml-signature-algorithm"),
        (RSA, "http://www.w3.org/2000/09/xmldsig#dsa-sha1", "saml-signature-algorithm"),
        (RSA, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", "saml-unknown-key"),
        (RSA, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", "saml-signature"),
        ("rsa-sha256\">", "rsa-sha256\"><ds:HMACOutputLength>0</ds:HMACOutputLength>", "saml-signature-shape"),
        (SHA256_URI, "http://www.w3.org/2000/09/xmldsig#sha1", "saml-digest-algorithm"),
        (SHA256_URI, "http://www.w3.org/2001/04/xmlenc#sha512", "saml-digest"),
        ("<ds:DigestValue>", "<ds:DigestValue>AAAA", "saml-digest"),
        ("<ds:DigestValue>", "<ds:DigestValue><x></x>", "saml-text"),
        ("<ds:Reference ", "text<ds:Reference ", "saml-shape"),
    ] {
        odd_signature(replace(from, to), code);
    }
    odd_signature(|s| s.object = "<ds:Object></ds:Object>", "saml-signature-shape");
    odd_signature(|s| s.object = "<ds:KeyInfo></ds:KeyInfo>", "proved ann");
    odd_signature(|s| s.object = "<ds:KeyInfo></ds:KeyInfo><ds:KeyInfo></ds:KeyInfo>", "saml-signature-shape");
    tampered(&ON_ASSERTION, "<ds:Signature ", "<saml:Advice/><ds:Signature ", "saml-signature-place");
    tampered(&ON_ASSERTION, "<ds:SignatureValue>", "<ds:SignatureValue>AAAA", "saml-signature");
}

#[test]
fn saml_keys_come_from_the_directory_alone() {
    odd_signature(|s| s.key = &MALLORY, "saml-signature");
    let with_certificate =
        "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>AAAA</ds:X509Certificate></ds:X509Data></ds:KeyInfo>";
    odd_signature(
        |s| {
            s.key = &MALLORY;
            s.key_info = with_certificate;
        },
        "saml-unknown-key",
    );
    odd_signature(
        |s| {
            s.key = &MALLORY;
            s.key_info = "<ds:KeyInfo><ds:KeyValue><ds:RSAKeyValue><ds:Modulus>AQAB</ds:Modulus></ds:RSAKeyValue></ds:KeyValue></ds:KeyInfo>";
        },
        "saml-signature",
    );
    // The provider's key with a foreign certificate beside it: the key counts.
    odd_signature(|s| s.key_info = with_certificate, "proved ann");
    // A good signature does not make up for a broken one.
    let both = seal(ANSWER, &ON_BOTH);
    check(&put(&both, "<samlp:StatusCode ", "<samlp:StatusCode x=\"\" "), "saml-digest");
    let Parts { whole, .. } = parts(&Sealing { key: &MALLORY, ..ON_RESPONSE });
    check(&whole, "saml-signature");
}

#[test]
fn saml_text_has_one_reading() {
    // Each would be another person to some reader.
    for (from, to, code) in [
        (">ann<", ">eve<", "saml-digest"),
        (">ann<", ">ann<!---->.evil<", "saml-comment"),
        (">ann<", ">ann<?x?>.evil<", "saml-instruction"),
        (">ann<", ">an<![CDATA[n]]><", "proved ann"),
        (">ann<", ">&#97;nn<", "proved ann"),
        (">ann<", ">ann&#0;<", "saml-not-xml"),
        (">ann<", ">ann\0<", "saml-encoding"),
        (">ann<", ">&evil;<", "saml-not-xml"),
        (">ann<", "><x>ann</x><", "saml-digest"),
        ("<samlp:Response ", "<!DOCTYPE x [<!ENTITY evil \"eve\">]><samlp:Response ", "saml-doctype"),
        ("<samlp:Response ", "<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><samlp:Response ", "saml-doctype"),
        ("<samlp:Response ", "<!ATTLIST x><samlp:Response ", "saml-doctype"),
        ("</samlp:Response>", "</samlp:Response><samlp:Response/>", "saml-not-xml"),
        ("</samlp:Response>", "</samlp:Response>x", "saml-not-xml"),
        ("</samlp:Response>", "", "saml-not-xml"),
        ("<samlp:Response ", "\u{feff}<samlp:Response ", "saml-not-xml"),
        ("<saml:Subject>", "<saml:Subject a=\"1\" a=\"2\">", "saml-not-xml"),
        ("<saml:Subject>", "<saml:Subject x:a=\"1\" y:a=\"2\" xmlns:x=\"urn:x\" xmlns:y=\"urn:x\">", "saml-not-xml"),
        ("<saml:Subject>", "<nobody:Subject>", "saml-not-xml"),
        ("<saml:Assertion ", "<saml:Assertion xmlns:saml=\"urn:evil\" ", "saml-assertions"),
        ("<saml:Subject>", "<saml:Subject xmlns:saml=\"urn:evil\">", "saml-digest"),
        ("<saml:Assertion ", "<saml:Assertion xmlns:xml=\"urn:evil\" ", "saml-not-xml"),
        ("<saml:Assertion ", "<saml:Assertion xmlns:xmlns=\"urn:evil\" ", "saml-not-xml"),
        ("<saml:Assertion ", "<saml:Assertion xmlns:unused=\"urn:evil\" ", "proved ann"),
        (
            "xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\"",
            "xmlns:samlp=\"urn:oasis:names:tc:SAML:1.0:protocol\"",
            "saml-root",
        ),
    ] {
        tampered(&ON_ASSERTION, from, to, code);
    }
    // Signed so by the provider itself, which some person can make it do with a name of their choice.
    for (from, to, code) in [
        (">ann<", "><x>ann</x>.evil<", "saml-text"),
        (">ann<", ">ann<x/>.evil<", "saml-text"),
        (">ann<", "><", "saml-subject"),
        (">ann<", "> ann<", "saml-subject"),
        (">ann<", ">ann&#10;<", "saml-subject"),
        (
            "<saml:NameID ",
            "<saml:NameID xsi:nil=\"true\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" ",
            "saml-shape",
        ),
        (
            "<saml:Conditions ",
            "<saml:Conditions xsi:type=\"x\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" ",
            "saml-shape",
        ),
        ("</saml:NameID>", "</saml:NameID><saml:NameID>eve</saml:NameID>", "saml-shape"),
        ("</saml:NameID>", "</saml:NameID><saml:EncryptedID/>", "saml-shape"),
        (
            "<saml:Conditions ",
            "<saml:Subject><saml:NameID>eve</saml:NameID></saml:Subject><saml:Conditions ",
            "saml-shape",
        ),
        ("<saml:Conditions ", "text<saml:Conditions ", "saml-shape"),
        ("<saml:Conditions ", "<saml:Statement/><saml:Conditions ", "saml-shape"),
        ("<samlp:Status>", "<samlp:Other/><samlp:Status>", "saml-shape"),
        ("2026-11-22T12:05:00Z", "2026-11-22T12:05:00+01:00", "saml-time"),
    ] {
        check(&seal(&put(ANSWER, from, to), &ON_ASSERTION), code);
    }
}

/// A change of any one byte of a signed message refuses it, or leaves every word of it as it was.
#[test]
fn no_changed_byte_says_anything_else() {
    let said = |received: &Received| format!("{:?}", received.assertion.value());
    for sealing in [ON_ASSERTION, ON_RESPONSE] {
        let whole = seal(ANSWER, &sealing).into_bytes();
        let before = said(&open(std::str::from_utf8(&whole).unwrap()).unwrap());
        let trust = Trust { keys: &KEYS, decryption: None, cbc: false };
        let mut passed = 0;
        for place in 0..whole.len() {
            for byte in [whole[place] ^ 1, b'<', b' '] {
                let mut changed = whole.clone();
                changed[place] = byte;
                if let Ok(received) = Received::open(&changed, &trust) {
                    assert_eq!(said(&received), before, "{}", String::from_utf8_lossy(&changed));
                    passed += 1;
                }
            }
        }
        // Spaces for spaces and bytes of the unsigned shell.
        assert!(passed > 10 && passed < whole.len(), "{passed}");
    }
}

/// A flood that passes the gate costs no more than its bytes: the parser's tree is what the gate counted.
#[test]
fn floods_are_refused_before_anything_grows() {
    let whole = seal(ANSWER, &ON_ASSERTION);
    let flood = |unit: &str, count: usize| {
        put(
            &whole,
            "<samlp:Status>",
            &format!("<samlp:Extensions>{}</samlp:Extensions><samlp:Status>", unit.repeat(count)),
        )
    };
    for (unit, count, code) in [
        ("<x/>", 10_000, "saml-elements"),
        ("<ds:Signature/>", 2, "saml-signatures"),
        ("<Reference/>", 2, "saml-references"),
        ("<Transform/>", 2_000, "saml-transforms"),
        ("<x a='' b='' c='' d='' e='' f=''/>", 2_000, "saml-attributes"),
        ("<x>", 100, "saml-depth"),
        ("<x xmlns:a='u:1' xmlns:b='u:2' xmlns:c='u:3' xmlns:d='u:4'>", 50, "saml-namespaces"),
        ("0123456789abcdef", 20_000, "saml-too-large"),
        ("&amp;", 40_000, "proved ann"),
    ] {
        check(&flood(unit, count), code);
    }
    let wide = format!("<x{}/>", (0..100).map(|at| format!(" a{at}=''")).collect::<String>());
    check(&flood(&wide, 1), "saml-attributes");
    let listed = "xml-exc-c14n#\"><ec:InclusiveNamespaces xmlns:ec=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"a b c d e f g h i j k l m n o p q\"></ec:InclusiveNamespaces></ds:T";
    odd_signature(|s| s.info = Some(("xml-exc-c14n#\"></ds:T", listed)), "saml-transform-algorithm");
}
