//! What a second verifier is shown, and that every field in which it differs is named.

use super::world::*;
use super::*;

/// What somebody else reads in the answer of the test's provider.
fn read() -> Opinion {
    let some = |text: &str| Some(text.to_owned());
    let assertion = AssertionRead {
        id: "_a1".into(),
        issuer: IDP.into(),
        name_id: some("ann"),
        name_space: [some(crate::kernel::saml::PERSISTENT), None, None],
        confirmations: vec![[
            some("urn:oasis:names:tc:SAML:2.0:cm:bearer"),
            some(ACS),
            some("_request1"),
            some("2026-11-22T12:05:00Z"),
        ]],
        valid: [some("2026-11-22T11:59:00Z"), some("2026-11-22T12:10:00Z")],
        audiences: vec![vec![SP.into()]],
        authenticated: vec![[some("2026-11-22T11:30:00Z"), some("2026-11-22T12:20:00Z"), some("_s1"), some("urn:mfa")]],
        attributes: vec![("mail".into(), vec!["ann@acme.example".into()])],
    };
    Opinion { message: None, assertion: Some(assertion), ciphertext: None }
}

fn message() -> Option<MessageRead> {
    Some(MessageRead {
        in_response_to: Some("_request1".into()),
        destination: Some(ACS.into()),
        issuer: Some(IDP.into()),
    })
}

#[track_caller]
fn differs(change: impl FnOnce(&mut AssertionRead), expected: &str) {
    let mut opinion = read();
    opinion.assertion.as_mut().map(change);
    let received = open(&seal(ANSWER, &ON_ASSERTION)).unwrap();
    assert_eq!(received.differences(&opinion), [expected]);
}

#[test]
fn h11_every_field_that_is_read_otherwise_is_named() {
    let received = open(&seal(ANSWER, &ON_ASSERTION)).unwrap();
    assert_eq!(received.differences(&read()), [""; 0]);
    let none = || None;
    differs(|a| a.id.push('x'), "id");
    differs(|a| a.issuer.push('x'), "issuer");
    differs(|a| a.name_id = Some("eve".into()), "subject");
    differs(|a| a.name_id = none(), "subject");
    differs(|a| a.name_space[0] = none(), "name-space");
    differs(|a| a.name_space[0] = Some(crate::kernel::saml::TRANSIENT.into()), "name-space");
    differs(|a| a.name_space[1] = Some(IDP.into()), "name-space");
    differs(|a| a.name_space[2] = Some(SP.into()), "name-space");
    differs(|a| a.authenticated[0][2] = Some("_s2".into()), "session-index");
    differs(|a| a.authenticated[0][2] = none(), "session-index");
    differs(|a| a.authenticated[0][3] = Some("urn:password".into()), "context");
    differs(|a| a.authenticated[0][3] = none(), "context");
    differs(|a| a.confirmations[0][0] = none(), "confirmation");
    differs(|a| a.confirmations[0][1] = Some("https://other.example".into()), "recipient");
    differs(|a| a.confirmations[0][2] = none(), "in-response-to");
    differs(|a| a.confirmations[0][3] = Some("2026-11-22T12:05:01Z".into()), "validity");
    differs(|a| a.valid[0] = none(), "validity");
    differs(|a| a.valid[1] = Some("2026-11-23T12:10:00Z".into()), "validity");
    differs(|a| a.valid[1] = Some("never".into()), "validity");
    differs(|a| a.authenticated[0][0] = Some("2026-11-22T11:30:01Z".into()), "validity");
    differs(|a| a.authenticated[0][1] = none(), "validity");
    differs(|a| a.audiences[0].push("https://other.example".into()), "audience");
    differs(|a| a.audiences.push(vec![SP.into()]), "audience");
    differs(|a| a.attributes[0].1[0].push('x'), "attributes");
    differs(|a| a.attributes.clear(), "attributes");
    let mut opinion = read();
    opinion.assertion.iter_mut().for_each(|read| read.authenticated.clear());
    assert_eq!(received.differences(&opinion), ["validity", "session-index", "context"]);
    // An absent Format and the one that says nothing are the same.
    let silent = ANSWER.replace(" Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent\"", "");
    let received = open(&seal(&silent, &ON_ASSERTION)).unwrap();
    for format in [None, Some(crate::kernel::saml::UNSPECIFIED.to_owned())] {
        opinion = read();
        opinion.assertion.iter_mut().for_each(|read| read.name_space[0].clone_from(&format));
        assert_eq!(received.differences(&opinion), [""; 0]);
    }
}

#[test]
fn h11_the_message_counts_where_it_is_what_was_signed() {
    for (sealing, message_shown) in [(&ON_ASSERTION, false), (&ON_RESPONSE, true), (&ON_BOTH, true)] {
        let document = seal(ANSWER, sealing);
        let received = open(&document).unwrap();
        let shown = &received.exhibit().document;
        assert_eq!(*shown == document, message_shown, "{shown}");
        // What is shown verifies by itself: nothing of it was needed from around it.
        let tree = crate::kernel::saml::xml::Tree::parse(shown.as_bytes(), Limits::MESSAGE).unwrap();
        let signed = tree.elements().find(|node| node.has_children() && node.attribute("ID").is_some()).unwrap();
        let signature = crate::kernel::saml::signature::Enveloped::of(signed).unwrap().unwrap();
        assert!(signature.verify(&KEYS).is_ok());
        for (said, same) in [(None, !message_shown), (message(), message_shown)] {
            let differences = received.differences(&Opinion { message: said, ..read() });
            assert_eq!(differences.is_empty(), same, "{message_shown} {differences:?}");
        }
        let other = message().map(|said| MessageRead { destination: None, ..said });
        assert_eq!(received.differences(&Opinion { message: other, ..read() }), ["message"]);
        let nothing = Opinion { assertion: None, message: message_shown.then(message).flatten(), ..read() };
        assert_eq!(received.differences(&nothing), ["assertion"]);
    }
}
