//! What is written for providers, and what is read of them besides logins: requests, logouts, queries, metadata.

use super::world::{MALLORY, PROVIDER, keys_of, put, rsa_sha256};
use super::*;
use crate::kernel::oidc::PlainHttp;
use crate::kernel::saml::xml::{self, Tree, attribute};

const SLO: &str = "https://id.example/saml/acme/slo";
const RSA: &[u8] = include_bytes!("../../../../tests/peers/saml/vectors/rsa.crt.der");
const P256: &[u8] = include_bytes!("../../../../tests/peers/saml/vectors/p256.crt.der");
const P384: &[u8] = include_bytes!("../../../../tests/peers/saml/vectors/p384.crt.der");
const BY_RSA: &str = include_str!("../../../../tests/peers/saml/vectors/redirect-rsa.query");
const BY_ECDSA: &str = include_str!("../../../../tests/peers/saml/vectors/redirect-p256.query");
const METADATA: &str = include_str!("../../../../tests/peers/saml/vectors/metadata.xml");

fn head(id: &'static str) -> Head<'static> {
    Head { id, issued: at(0), destination: "https://idp.example/sso?a=1&b=\"<'", issuer: SP }
}

/// A query that a key of the test signed.
fn query(document: &str, is_request: bool, relay_state: Option<&str>) -> String {
    let to_sign = query_to_sign(document, is_request, relay_state, SignatureAlgorithm::RsaSha256);
    let signature = rsa_sha256(&PROVIDER, to_sign.as_bytes());
    signed_query(to_sign, &signature)
}

#[test]
fn an_authn_request_says_what_it_must_and_escapes_the_rest() {
    let text = authn_request(&head("_q1"), ACS, true, Some(PERSISTENT));
    let tree = Tree::parse(text.as_bytes(), Limits::MESSAGE).unwrap();
    let root = tree.root();
    assert!(xml::is(root, xml::SAMLP, "AuthnRequest"));
    let said = |name| attribute(root, name).unwrap();
    assert_eq!((said("ID"), said("Version"), said("IssueInstant")), ("_q1", "2.0", "2026-11-22T12:00:00.000Z"));
    assert_eq!((said("Destination"), said("ForceAuthn")), (head("").destination, "true"));
    assert_eq!(said("AssertionConsumerServiceURL"), ACS);
    assert_eq!(said("ProtocolBinding"), "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST");
    let parts = xml::elements(root).unwrap();
    assert!(xml::is(parts[0], xml::SAML, "Issuer") && xml::text(parts[0]) == Ok(SP));
    assert_eq!(attribute(parts[1], "Format"), Some(PERSISTENT));
    let plain = authn_request(&head("_q1"), ACS, false, None);
    assert!(!plain.contains("ForceAuthn") && !plain.contains("Format="));
}

proptest::proptest! {
    #[test]
    fn whatever_is_written_reads_as_it_was_given(text in "[^\u{0}-\u{8}\u{b}\u{c}\u{e}-\u{1f}\u{7f}-\u{9f}\u{fffe}\u{ffff}]{0,40}") {
        let name_id = NameId { value: text.clone(), format: text.clone(), name_qualifier: Some(text.clone()), sp_name_qualifier: None };
        let document = logout_request(&head("_q1"), at(60), &name_id, Some(&text));
        let tree = Tree::parse(document.as_bytes(), Limits::MESSAGE).unwrap();
        let parts = xml::elements(tree.root()).unwrap();
        let said = |name| attribute(parts[1], name);
        proptest::prop_assert_eq!(xml::text(parts[1]).unwrap(), &text);
        proptest::prop_assert_eq!((said("Format"), said("NameQualifier")), (Some(text.as_str()), Some(text.as_str())));
        proptest::prop_assert_eq!(xml::text(parts[2]).unwrap(), &text);
    }
}

#[test]
fn a_query_is_verified_as_it_was_written() {
    let keys = SigningKeys::from_certificates([RSA, P256]).unwrap();
    for signed in [BY_RSA, BY_ECDSA] {
        let opened = open_redirect(signed, &keys).unwrap();
        assert_eq!(opened.value().relay_state.as_deref(), Some("a/b c"));
        let LogoutMessage::Request(request) = LogoutMessage::from_redirect(signed, &keys).unwrap().value().clone()
        else {
            panic!("a request")
        };
        assert_eq!(
            (request.name_id.value.as_str(), request.sessions.as_slice()),
            ("ann", ["_s1".to_owned()].as_slice())
        );
    }
    let fault = |query: &str| open_redirect(query, &keys).map(|_| ()).unwrap_err();
    assert_eq!(open_redirect(BY_RSA, &keys_of(&MALLORY)).map(|_| ()), Err(SamlFault::Signature));
    // Another spelling of the same values is not what was signed.
    assert_eq!(fault(&put(BY_RSA, "%2f", "%2F")), SamlFault::Signature);
    assert_eq!(fault(&put(BY_RSA, "RelayState=a", "RelayState=b")), SamlFault::Signature);
    for (name, code) in [
        ("SAMLRequest=x", SamlFault::RedirectParameters),
        ("SAMLResponse=x", SamlFault::RedirectParameters),
        ("RelayState=x", SamlFault::RedirectParameters),
        ("SigAlg=x", SamlFault::RedirectParameters),
        ("Signature=x", SamlFault::RedirectParameters),
        ("SAML%52equest=x", SamlFault::RedirectParameters),
        ("SAMLEncoding=x", SamlFault::RedirectParameters),
    ] {
        assert_eq!(fault(&format!("{BY_RSA}&{name}")), code, "{name}");
    }
    // Signed as it is read, and written so that another reader would not find it.
    assert_eq!(fault(&put(BY_RSA, "RelayState=", "Relay%53tate=")), SamlFault::RedirectParameters);
    assert!(open_redirect(&format!("{BY_RSA}&other=x"), &keys).is_ok());
    let without = |name: &str| BY_RSA.split('&').filter(|pair| !pair.starts_with(name)).collect::<Vec<_>>().join("&");
    assert_eq!(fault(&without("Signature")), SamlFault::Unsigned);
    assert_eq!(fault(&without("SigAlg")), SamlFault::Unsigned);
    assert_eq!(fault(&without("SAMLRequest")), SamlFault::RedirectParameters);
    assert_eq!(fault(&without("RelayState")), SamlFault::Signature);
    assert_eq!(fault(&put(BY_RSA, "rsa-sha256", "rsa-sha1")), SamlFault::SignatureAlgorithm);
    assert_eq!(fault(&put(BY_RSA, "rsa-sha256", "rsa-sha512")), SamlFault::Signature);
    assert_eq!(fault(&"&".repeat(65 * 1024)), SamlFault::TooLarge);
}

#[test]
fn ours_verifies_with_our_key() {
    let document = logout_response(&head("_q1"), "_l1", true);
    let keys = keys_of(&PROVIDER);
    for relay_state in [None, Some("a &=+%/ü")] {
        let signed = query(&document, false, relay_state);
        let opened = open_redirect(&signed, &keys).unwrap();
        assert_eq!(opened.value().document, document.as_bytes());
        assert_eq!((opened.value().relay_state.as_deref(), opened.value().is_request), (relay_state, false));
    }
}

#[test]
fn a_logout_is_of_this_provider_for_us_and_now() {
    let request = "<samlp:LogoutRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_l1\" Version=\"2.0\" IssueInstant=\"2026-11-22T12:00:00Z\" NotOnOrAfter=\"2026-11-22T12:02:00Z\" Destination=\"https://id.example/saml/acme/slo\"><saml:Issuer>https://idp.example/metadata</saml:Issuer><saml:NameID>ann</saml:NameID></samlp:LogoutRequest>";
    let response = "<samlp:LogoutResponse xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_l2\" InResponseTo=\"_q1\" Version=\"2.0\" IssueInstant=\"2026-11-22T12:00:00Z\" Destination=\"https://id.example/saml/acme/slo\"><saml:Issuer>https://idp.example/metadata</saml:Issuer><samlp:Status><samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/></samlp:Status></samlp:LogoutResponse>";
    let keys = keys_of(&PROVIDER);
    let check = |document: &str, from: &str, to: &str, now: i64, expected: Result<(), SamlFault>| {
        let signed = query(&put(document, from, to), document == request, None);
        let outcome = LogoutMessage::from_redirect(&signed, &keys)
            .and_then(|message| message.value().check(&connection(), SLO, Some("_q1"), at(now)));
        assert_eq!(outcome, expected, "{from} {to}");
    };
    check(request, "ann", "ann", 0, Ok(()));
    check(request, "ann", "ann", 179, Ok(()));
    check(request, "ann", "ann", 180, Err(SamlFault::Expired));
    check(request, "ann", "ann", -60, Ok(()));
    check(request, "ann", "ann", -61, Err(SamlFault::Issued));
    check(request, " NotOnOrAfter=\"2026-11-22T12:02:00Z\"", "", 299, Ok(()));
    check(request, " NotOnOrAfter=\"2026-11-22T12:02:00Z\"", "", 300, Err(SamlFault::Issued));
    check(request, "\"2.0\"", "\"1.1\"", 0, Err(SamlFault::Version));
    check(request, "idp.example", "evil.example", 0, Err(SamlFault::Issuer));
    check(request, "acme/slo", "other/slo", 0, Err(SamlFault::Destination));
    check(request, "<saml:NameID>ann</saml:NameID>", "", 0, Err(SamlFault::Subject));
    check(request, "LogoutRequest", "LogoutRequest", 0, Ok(()));
    check(response, "_q1", "_q1", 0, Ok(()));
    check(response, "_q1", "_q2", 0, Err(SamlFault::InResponseTo));
    check(response, "Success", "Responder", 0, Err(SamlFault::Status));
    // A response in the place of a request.
    let swapped = query(response, true, None);
    assert_eq!(LogoutMessage::from_redirect(&swapped, &keys).map(|_| ()), Err(SamlFault::Root));
    // By POST it must carry its own signature.
    assert_eq!(LogoutMessage::from_post(request.as_bytes(), true, &keys).map(|_| ()), Err(SamlFault::Unsigned));
    let signed = super::world::seal(
        &put(&put(request, "</saml:Issuer>", "</saml:Issuer>@_a1@"), "\"_l1\"", "\"_a1\""),
        &super::world::ON_ASSERTION,
    );
    let message = LogoutMessage::from_post(signed.as_bytes(), true, &keys).unwrap();
    assert_eq!(message.value().check(&connection(), SLO, None, at(0)), Ok(()));
    let changed = put(&signed, ">ann<", ">eve<");
    assert_eq!(LogoutMessage::from_post(changed.as_bytes(), true, &keys).map(|_| ()), Err(SamlFault::Digest));
    let mark = message.value().one_use(directory().id);
    assert_eq!(mark.until, at(360));
    assert_ne!(mark.digest, message.value().one_use(DirectoryId::from_bytes([2; 16])).digest);
}

#[test]
fn a_request_id_comes_from_the_seed_and_is_a_name() {
    let id = |byte: u8| crate::kernel::oidc::Seed::new([byte; 32]).request_id();
    assert_eq!((id(1).len(), id(1) == id(1), id(1) == id(2)), (41, true, false));
    let document = format!("<a ID=\"{}\"/>", id(1));
    assert!(Tree::parse(document.as_bytes(), Limits::MESSAGE).is_ok());
}

fn read(document: &str, signer: Option<&SigningKeys>) -> Result<ProviderMetadata, ProviderMetadataFault> {
    ProviderMetadata::read(document.as_bytes(), Some(IDP), signer, PlainHttp::Refused, at(0))
}

#[test]
fn metadata_of_a_provider_names_keys_and_addresses() {
    let signer = SigningKeys::from_certificates([P256]).unwrap();
    let found = read(METADATA, Some(&signer)).unwrap();
    assert_eq!(found.signed_by, Some(Fingerprint::of(P256)));
    let known: Vec<_> = found.keys.known().map(|(fingerprint, _)| fingerprint).collect();
    assert_eq!(known, [Fingerprint::of(RSA), Fingerprint::of(P384)]);
    assert!(found.keys.known().all(|(_, end)| end.is_some_and(|end| end > at(0))));
    let [sso] = found.single_sign_on.as_slice() else { panic!("one that can be used") };
    assert_eq!((sso.binding, sso.location.as_str()), (Binding::Redirect, "https://idp.example/sso?tenant=1"));
    assert_eq!(found.single_logout[0].response_location.as_ref().unwrap().as_str(), "https://idp.example/slo/done");
    assert!(found.wants_signed_requests);
    assert_eq!(found.valid_until, Some(at(8 * 86_400 + 43_200)));
    assert_eq!(read(METADATA, None).unwrap().signed_by, None);
}

#[test]
fn m5_metadata_of_others_is_refused_with_the_reason() {
    use ProviderMetadataFault as Fault;
    let unsigned = |from: &str, to: &str| read(&put(METADATA, from, to), None).map(|_| ()).unwrap_err();
    assert_eq!(unsigned(IDP, "https://evil.example"), Fault::Entity);
    assert_eq!(unsigned("IDPSSODescriptor WantAuthn", "SPSSODescriptor WantAuthn"), Fault::Document(SamlFault::NotXml));
    assert_eq!(unsigned("SAML:2.0:protocol\">", "SAML:3.0:protocol\">"), Fault::NotAProvider);
    assert_eq!(unsigned("2026-12-01", "2026-11-01"), Fault::Expired);
    assert_eq!(unsigned("https://idp.example/sso", "http://idp.example/sso"), Fault::SingleSignOn);
    let other = METADATA.replace("EntityDescriptor", "EntitiesDescriptor");
    assert_eq!(read(&other, None).map(|_| ()), Err(Fault::Aggregate));
    let keyless = METADATA
        .replace("\"signing\"", "\"encryption\"")
        .replace("<md:KeyDescriptor>", "<md:KeyDescriptor use=\"encryption\">");
    assert_eq!(read(&keyless, None).map(|_| ()), Err(Fault::Keys(NotSigningKeys)));
    // With a signer nothing is read that it did not sign.
    let signer = SigningKeys::from_certificates([P256]).unwrap();
    let by_signer = |document: &str| read(document, Some(&signer)).map(|_| ()).unwrap_err();
    assert_eq!(by_signer(&put(METADATA, "idp.example/slo", "evil.example/slo")), Fault::Document(SamlFault::Digest));
    let from = METADATA.find("<ds:Signature ").unwrap();
    let to = METADATA.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
    let stripped = format!("{}{}", &METADATA[..from], &METADATA[to..]);
    assert_eq!(by_signer(&stripped), Fault::Document(SamlFault::Unsigned));
    let stranger = SigningKeys::from_certificates([RSA]).unwrap();
    assert_eq!(read(METADATA, Some(&stranger)).map(|_| ()), Err(Fault::Document(SamlFault::UnknownKey)));
}

#[test]
fn our_metadata_reads_as_a_party_of_this_directory() {
    let party = PartyMetadata {
        id: None,
        entity_id: SP,
        acs: ACS,
        slo: Some(SLO),
        signing: &[RSA, P256],
        encryption: &[RSA],
        format: Some(PERSISTENT),
    };
    let text = party_metadata(&party);
    let tree = Tree::parse(text.as_bytes(), Limits::METADATA).unwrap();
    assert_eq!(attribute(tree.root(), "entityID"), Some(SP));
    let named = |name: &'static str| tree.elements().filter(move |node| node.tag_name().name() == name);
    let uses: Vec<_> = named("KeyDescriptor").map(|key| attribute(key, "use").unwrap()).collect();
    assert_eq!(uses, ["signing", "signing", "encryption"]);
    assert_eq!(xml::base64(named("X509Certificate").next().unwrap(), 9_999).unwrap(), RSA);
    assert_eq!(
        named("AssertionConsumerService").map(|acs| attribute(acs, "Location").unwrap()).collect::<Vec<_>>(),
        [ACS]
    );
    let role = named("SPSSODescriptor").next().unwrap();
    assert_eq!(
        (attribute(role, "AuthnRequestsSigned"), attribute(role, "WantAssertionsSigned")),
        (Some("true"), Some("true"))
    );
    // The schema has an order.
    let order: Vec<_> = xml::elements(role).unwrap().iter().map(|part| part.tag_name().name()).collect();
    let wanted = [
        "KeyDescriptor",
        "KeyDescriptor",
        "KeyDescriptor",
        "SingleLogoutService",
        "SingleLogoutService",
        "NameIDFormat",
        "AssertionConsumerService",
    ];
    assert_eq!(order, wanted);
}
