//! Each check of the judge alone: a row changes one thing in a response that proves a login, and the provider signs that.

use super::world::*;
use super::*;
use crate::kernel::model::Method;
use crate::kernel::proof::Vouched;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::KeyPair as _;

/// A login that is proved, until a row changes it.
struct Case {
    answer: String,
    sealing: Sealing,
    directory: Directory,
    connection: Connection,
    expected: Expected,
    now: i64,
}

impl Case {
    #[track_caller]
    fn put(&mut self, from: &str, to: &str) {
        self.answer = put(&self.answer, from, to);
    }
}

fn run(change: impl FnOnce(&mut Case)) -> Judgement {
    let mut case = Case {
        answer: ANSWER.into(),
        sealing: ON_BOTH,
        directory: directory(),
        connection: connection(),
        expected: expected(),
        now: 30,
    };
    change(&mut case);
    let document = seal(&case.answer, &case.sealing);
    let received = open(&document).unwrap();
    let judgement = judge(&case.directory, &case.connection, &case.expected, &received, at(case.now));
    // What hangs on the login under way, `saml check` cannot know: which request it was, when it left, whether it asked for more.
    let report = examined(&document, &case.directory, &case.connection, at(case.now));
    let fault = judgement.outcome.as_ref().err().copied();
    let of_login = [SamlFault::InResponseTo, SamlFault::ConfirmationRequest, SamlFault::Directory].into_iter().chain([
        SamlFault::ResponseIssued,
        SamlFault::Issued,
        SamlFault::AuthnInstant,
    ]);
    let differs_by = |one| fault == Some(one) || report.fault == Some(one);
    assert!(report.fault == fault || of_login.into_iter().any(differs_by), "{fault:?} {report:?}");
    judgement
}

#[track_caller]
fn check(change: impl FnOnce(&mut Case), expected: &str) {
    let judgement = run(change);
    let failed: Vec<_> = judgement.checks.iter().filter(|check| !check.holds).collect();
    let code = judgement.outcome.as_ref().map_or_else(|fault| fault.code(), |_| "proved");
    assert_eq!(code, expected, "{failed:?}");
    assert_eq!(judgement.outcome.is_ok(), failed.is_empty());
}

#[track_caller]
fn with(from: &str, to: &str, expected: &str) {
    check(|c| c.put(from, to), expected);
}

#[test]
fn a_whole_response_proves_who() {
    let judged = run(|_| ()).outcome.unwrap();
    let claims = judged.proof.claims();
    let source = r#"["nameid","urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",null,null]"#;
    assert_eq!((claims.identity.source.0.as_str(), claims.identity.subject.as_str()), (source, "ann"));
    assert_eq!(claims.identity.directory, directory().id);
    assert_eq!((claims.method, claims.email_verified), (Method::OrgSso, Vouched::Silent));
    assert_eq!(claims.email.as_ref().unwrap().as_str(), "ann@acme.example");
    assert_eq!(claims.auth_time, at(-1800));
    assert_eq!((claims.acr.as_deref(), claims.provider_session.as_deref()), (Some("urn:mfa"), Some("_s1")));
    assert_eq!(judged.session_until, Some(at(1200)));
    assert_eq!(judged.name_id.unwrap().value, "ann");
}

#[test]
fn every_field_of_the_message_is_asked() {
    with("ID=\"_r1\" Version=\"2.0\"", "ID=\"_r1\" Version=\"1.1\"", "saml-version");
    with("ID=\"_a1\" Version=\"2.0\"", "ID=\"_a1\" Version=\"2.1\"", "saml-version");
    with("status:Success", "status:Responder", "saml-status");
    with("status:Success", "status:success", "saml-status");
    with(
        "Destination=\"https://id.example/saml/acme/acs\"",
        "Destination=\"https://id.example/saml/other/acs\"",
        "saml-destination",
    );
    with(" Destination=\"https://id.example/saml/acme/acs\"", "", "saml-destination");
    with("<saml:Issuer>https://idp.example/metadata</saml:Issuer>@_r1@", "@_r1@", "saml-response-issuer");
    with(
        ">https://idp.example/metadata</saml:Issuer>@_r1@",
        ">https://evil.example</saml:Issuer>@_r1@",
        "saml-response-issuer",
    );
    with(">https://idp.example/metadata</saml:Issuer>@_a1@", ">https://evil.example</saml:Issuer>@_a1@", "saml-issuer");
    with("InResponseTo=\"_request1\"><saml:Issuer>", "InResponseTo=\"_request2\"><saml:Issuer>", "saml-in-response-to");
    with(" InResponseTo=\"_request1\"><saml:Issuer>", "><saml:Issuer>", "saml-unsolicited");
    with("InResponseTo=\"_request1\"/>", "InResponseTo=\"_request2\"/>", "saml-confirmation-request");
    with(" InResponseTo=\"_request1\"/>", "/>", "saml-confirmation-request");
    with("cm:bearer", "cm:holder-of-key", "saml-confirmation");
    with("cm:bearer", "cm:sender-vouches", "saml-confirmation");
    with(" Recipient=\"https://id.example/saml/acme/acs\"", "", "saml-recipient");
    with(
        "Recipient=\"https://id.example/saml/acme/acs\"",
        "Recipient=\"https://id.example/saml/acme/acs/\"",
        "saml-recipient",
    );
    with(" NotOnOrAfter=\"2026-11-22T12:05:00Z\"", "", "saml-confirmation-time");
    with(
        "<saml:SubjectConfirmationData ",
        "<saml:SubjectConfirmationData NotBefore=\"2026-11-22T11:00:00Z\" ",
        "saml-confirmation-time",
    );
    with(" NotOnOrAfter=\"2026-11-22T12:10:00Z\"", "", "saml-expired");
    with(
        "</saml:AudienceRestriction>",
        "</saml:AudienceRestriction><saml:DelegationRestriction/>",
        "saml-unknown-condition",
    );
    with("</saml:AudienceRestriction>", "</saml:AudienceRestriction><saml:OneTimeUse/>", "proved");
    with(
        ">https://id.example/saml/acme/metadata</saml:Audience>",
        ">https://id.example/saml/other/metadata</saml:Audience>",
        "saml-audience",
    );
    with("<saml:Audience>", "<saml:Audience>https://other.example</saml:Audience><saml:Audience>", "proved");
    // Several restrictions hold all, and an empty one holds nobody.
    with(
        "<saml:AudienceRestriction>",
        "<saml:AudienceRestriction><saml:Audience>x</saml:Audience></saml:AudienceRestriction><saml:AudienceRestriction>",
        "saml-audience",
    );
    with("<saml:AudienceRestriction>", "<saml:AudienceRestriction/><saml:AudienceRestriction>", "saml-audience");
    check(
        |c| {
            let restriction = ["<saml:AudienceRestriction>", "</saml:AudienceRestriction>"];
            let from = c.answer.find(restriction[0]).unwrap();
            let to = c.answer.find(restriction[1]).unwrap() + restriction[1].len();
            c.answer.replace_range(from..to, "");
        },
        "saml-audience",
    );
    check(
        |c| {
            let from = c.answer.find("<saml:Conditions").unwrap();
            let to = c.answer.find("<saml:AuthnStatement").unwrap();
            c.answer.replace_range(from..to, "");
        },
        "saml-conditions",
    );
    check(
        |c| {
            let from = c.answer.find("<saml:AuthnStatement").unwrap();
            let to = c.answer.find("<saml:AttributeStatement").unwrap();
            c.answer.replace_range(from..to, "");
        },
        "saml-authn-statement",
    );
    with(
        "<saml:AuthnStatement ",
        "<saml:AuthnStatement AuthnInstant=\"2026-11-22T11:30:00Z\"/><saml:AuthnStatement ",
        "saml-authn-statement",
    );
    check(|c| c.connection.contexts = vec!["urn:mfa".into()], "proved");
    check(|c| c.connection.contexts = vec!["urn:hwk".into()], "saml-authn-context");
}

#[test]
fn an_unsigned_shell_is_held_against_its_sender() {
    let shell = |from: &'static str, to: &'static str| {
        move |c: &mut Case| {
            c.sealing = ON_ASSERTION;
            c.put(from, to);
        }
    };
    check(shell("status:Success", "status:Responder"), "saml-status");
    check(
        shell("InResponseTo=\"_request1\"><saml:Issuer>", "InResponseTo=\"_x\"><saml:Issuer>"),
        "saml-in-response-to",
    );
    check(shell(" Destination=\"https://id.example/saml/acme/acs\"", ""), "saml-destination");
    check(
        shell(">https://idp.example/metadata</saml:Issuer>@_r1@", ">https://evil.example</saml:Issuer>"),
        "saml-response-issuer",
    );
    check(shell("<saml:Issuer>https://idp.example/metadata</saml:Issuer>@_r1@", ""), "proved");
}

#[test]
fn boundaries_are_exact_to_the_second() {
    let times = |now: i64| {
        move |c: &mut Case| {
            c.now = now;
            // Only the one end that the row is about.
            c.expected.left_at = at(-7_200);
        }
    };
    // The confirmation ends at 300, conditions at 600, the session at 1200; 60 s of skew, but for the session.
    check(times(359), "proved");
    check(times(360), "saml-confirmation-time");
    let later = |now: i64| {
        move |c: &mut Case| {
            c.put("2026-11-22T12:05:00Z", "2026-11-22T13:00:00Z");
            c.now = now;
        }
    };
    check(later(659), "proved");
    check(later(660), "saml-expired");
    let latest = |now: i64| {
        move |c: &mut Case| {
            c.put("2026-11-22T12:05:00Z", "2026-11-22T13:00:00Z");
            c.put("2026-11-22T12:10:00Z", "2026-11-22T13:00:00Z");
            c.now = now;
        }
    };
    check(latest(1_199), "proved");
    check(latest(1_200), "saml-session-expired");
    // It is valid from -60, and was issued at 0.
    let early = |now: i64| {
        move |c: &mut Case| {
            c.put("NotBefore=\"2026-11-22T11:59:00Z\"", "NotBefore=\"2026-11-22T12:01:00Z\"");
            c.now = now;
        }
    };
    check(early(0), "proved");
    check(early(-1), "saml-not-before");
    check(|c| c.now = -60, "proved");
    check(|c| c.now = -61, "saml-response-issued");
    let issued = |instant: &'static str| {
        move |c: &mut Case| {
            c.put(
                "Version=\"2.0\" IssueInstant=\"2026-11-22T12:00:00Z\">",
                &format!("Version=\"2.0\" IssueInstant=\"{instant}\">"),
            )
        }
    };
    // The request left at -5.
    check(issued("2026-11-22T11:58:55Z"), "proved");
    check(issued("2026-11-22T11:58:54Z"), "saml-issued");
    check(issued("2026-11-22T12:01:30Z"), "proved");
    check(issued("2026-11-22T12:01:31Z"), "saml-issued");
}

/// Rule M6: who was asked to ask the person again must have done so.
/// Every attribute of the answer: where ` NAME="VALUE"` stands, its name and its value.
fn attributes() -> Vec<(std::ops::Range<usize>, &'static str, &'static str)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(equals) = ANSWER[from..].find("=\"").map(|at| from + at) {
        let start = ANSWER[..equals].rfind(' ').unwrap();
        let end = equals + 2 + ANSWER[equals + 2..].find('"').unwrap();
        found.push((start..end + 1, &ANSWER[start + 1..equals], &ANSWER[equals + 2..end]));
        from = end + 1;
    }
    found
}

/// An answer in which the provider itself wrote something else in that place.
fn written_otherwise(place: &std::ops::Range<usize>, with: &str) -> String {
    let changed = format!("{}{with}{}", &ANSWER[..place.start], &ANSWER[place.end..]);
    opened_and_judged(&seal(&changed, &ON_BOTH))
}

#[test]
fn each_attribute_that_is_removed_or_changed_alone_refuses_the_login() {
    // Namespaces and ids are what the signature hangs on; the rest has no meaning for a login, or says no more by its absence.
    let tried: Vec<_> =
        attributes().into_iter().filter(|(_, name, _)| *name != "ID" && !name.starts_with("xmlns")).collect();
    assert_eq!(tried.len(), 18, "{tried:?}");
    for (place, name, value) in tried {
        let removed = written_otherwise(&place, "");
        let may_be_absent = matches!(name, "SessionIndex" | "SessionNotOnOrAfter" | "NotBefore");
        assert_eq!(removed.starts_with("proved"), may_be_absent, "{name}={value} removed: {removed}");
        let changed = written_otherwise(&place, &format!(" {name}=\"{value}x\""));
        let is_free = matches!(name, "SessionIndex" | "Name");
        assert_eq!(changed.starts_with("proved"), is_free, "{name}={value}x: {changed}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(200))]

    /// The windows as the specification says them, worked out a second time: 60 s of skew both ways, and none for a session's end. The
    /// request left five seconds before 12:00:00, and it is 12:00:30.
    #[test]
    fn a_time_that_is_shifted_alone_counts_inside_its_window(which in 0_usize..7, seconds in -4_000_i64..4_000) {
        let times: Vec<_> = attributes().into_iter().filter(|(.., value)| value.starts_with("2026-")).collect();
        proptest::prop_assert_eq!(times.len(), 7);
        let (place, name, _) = &times[which];
        let holds = match (which, *name) {
            (0 | 1, "IssueInstant") => (-65..=90).contains(&seconds),
            (2 | 4, "NotOnOrAfter") => seconds > -30,
            (3, "NotBefore") | (5, "AuthnInstant") => seconds <= 90,
            (6, "SessionNotOnOrAfter") => seconds > 30,
            other => panic!("{other:?} stands elsewhere now"),
        };
        let verdict = written_otherwise(place, &format!(" {name}=\"{}\"", at(seconds)));
        proptest::prop_assert_eq!(verdict.starts_with("proved"), holds, "{}={}: {}", name, at(seconds), verdict);
    }
}

#[test]
fn m6_an_authentication_that_is_too_old_is_no_fresh_one() {
    let aged = |age: u64| move |c: &mut Case| c.expected.max_age = Some(Duration::from_secs(age));
    // Half an hour before it was issued; the request left five seconds before, and the skew is a minute.
    check(aged(1_735), "proved");
    check(aged(1_734), "saml-authn-instant");
    check(aged(0), "saml-authn-instant");
    with("AuthnInstant=\"2026-11-22T11:30:00Z\"", "AuthnInstant=\"2026-11-22T12:01:30Z\"", "proved");
    with("AuthnInstant=\"2026-11-22T11:30:00Z\"", "AuthnInstant=\"2026-11-22T12:01:31Z\"", "saml-authn-instant");
}

/// Rules C1 and H20: equal entity ids, subjects and addresses at another directory are other people.
#[test]
fn c1_a_proof_of_one_directory_is_none_of_another() {
    let theirs = |c: &mut Case| c.directory.id = DirectoryId::from_bytes([2; 16]);
    check(theirs, "saml-directory");
    let judged = run(|c| {
        theirs(c);
        c.expected.directory = c.directory.id;
    });
    let other = judged.outcome.unwrap().proof.claims().identity.clone();
    let ours = run(|_| ()).outcome.unwrap().proof.claims().identity.clone();
    assert_eq!((&other.source, &other.subject), (&ours.source, &ours.subject));
    assert_ne!(other, ours);
    let received = open(&seal(ANSWER, &ON_ASSERTION)).unwrap();
    let mark = |id: u8| received.one_use(DirectoryId::from_bytes([id; 16]), at(0));
    assert_ne!(mark(1), mark(2));
    assert_eq!(mark(1), open(&seal(ANSWER, &ON_BOTH)).unwrap().one_use(directory().id, at(0)));
    // Rule M4: what the connection was at departure it still is.
    for change in [
        |c: &mut Connection| c.provider.push('x'),
        |c: &mut Connection| c.entity_id.push('x'),
        |c: &mut Connection| c.acs.push('x'),
    ] {
        check(|c| change(&mut c.connection), "saml-directory");
    }
    check(|c| c.directory.name = DirectoryName::Issuer, "saml-directory");
    // An empty id would be answered by an empty one.
    check(
        |c| {
            c.expected.request_id = String::new();
            c.answer = c.answer.replace("_request1", "");
        },
        "saml-directory",
    );
}

#[test]
fn a_burnt_id_is_kept_as_long_as_it_could_pass() {
    let until = |end: &str| {
        let answer = put(ANSWER, "2026-11-22T12:10:00Z", end);
        open(&seal(&answer, &ON_ASSERTION)).unwrap().one_use(directory().id, at(0)).until
    };
    assert_eq!(until("2026-11-22T12:10:00Z"), at(3_600));
    assert_eq!(until("2026-11-22T20:00:00Z"), at(8 * 3_600 + 60));
    assert_eq!(until("9026-11-22T20:00:00Z"), at(24 * 3_600));
}

#[test]
fn subjects_are_stable_or_refused() {
    let format = |to: &'static str| move |c: &mut Case| c.put("2.0:nameid-format:persistent", to);
    check(format("2.0:nameid-format:transient"), "saml-subject-format");
    check(format("1.1:nameid-format:emailAddress"), "saml-subject-format");
    let any = |c: &mut Case| c.connection.mapping.subject = SubjectChoice::NameId(None);
    check(
        |c| {
            any(c);
            format("2.0:nameid-format:transient")(c);
        },
        "saml-subject-format",
    );
    let judgement = run(|c| {
        any(c);
        format("1.1:nameid-format:emailAddress")(c);
    });
    assert!(judgement.outcome.is_ok());
    assert_eq!(judgement.warnings, [Warning::SubjectIsEmail]);
    let by_value = run(|c| c.put(">ann<", ">ann@acme.example<"));
    assert_eq!(by_value.warnings, [Warning::SubjectIsEmail]);
    assert!(run(|_| ()).warnings.is_empty());
    let attribute =
        |name: &'static str| move |c: &mut Case| c.connection.mapping.subject = SubjectChoice::Attribute(name.into());
    check(attribute("mail"), "proved");
    check(attribute("oid"), "saml-subject");
    check(
        |c| {
            attribute("mail")(c);
            c.put("<saml:AttributeValue>", "<saml:AttributeValue>eve</saml:AttributeValue><saml:AttributeValue>");
        },
        "saml-subject",
    );
    let long = "x".repeat(256);
    check(|c| c.put(">ann<", &format!(">{long}<")), "saml-subject");
    // A provider that begins to say what was understood keeps its people; another qualifier is another name space.
    let source = |attributes: &str| {
        let put = format!("<saml:NameID {attributes} ");
        run(|c| c.put("<saml:NameID ", &put)).outcome.unwrap().proof.claims().identity.source.clone()
    };
    let plain = source("");
    assert_eq!(source("NameQualifier=\"https://idp.example/metadata\""), plain);
    assert_eq!(source("SPNameQualifier=\"https://id.example/saml/acme/metadata\""), plain);
    assert_ne!(source("NameQualifier=\"https://other.example\""), plain);
    assert_ne!(source("SPNameQualifier=\"https://other.example\""), plain);
}

/// Rule M20: who reads the list of checks can neither replay the message nor see who it was.
#[test]
fn m20_the_list_of_checks_holds_nothing_to_replay() {
    let document = seal(ANSWER, &ON_BOTH);
    let judgement = run(|_| ());
    let shown = format!("{:?} {:?}", judgement.checks, judgement.warnings);
    for secret in ["ann", "_a1", "_r1", "_s1", "SignatureValue", &document[..60]] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    let values = document.split("<ds:SignatureValue>").skip(1).map(|rest| rest.split('<').next().unwrap());
    assert!(values.clone().count() == 2 && values.into_iter().all(|value| !shown.contains(value)));
    assert!(judgement.checks.len() > 18);
    let refused = run(|c| c.now = 360);
    let failed: Vec<_> = refused.checks.iter().filter(|check| !check.holds).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!((failed[0].name, failed[0].got.as_str()), ("confirmation until", "2026-11-22T12:05:00.000Z"));
}

#[test]
fn presets_read_what_their_providers_send() {
    let rows = [
        (Preset::Okta, "email", "firstName", "groups"),
        (
            Preset::Entra,
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname",
            "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups",
        ),
        (Preset::Google, "email", "firstName", "groups"),
        (
            Preset::Adfs,
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname",
            "http://schemas.xmlsoap.org/claims/Group",
        ),
        (Preset::Ping, "mail", "givenName", "memberOf"),
        (
            Preset::Shibboleth,
            "urn:oid:0.9.2342.19200300.100.1.3",
            "urn:oid:2.5.4.42",
            "urn:oid:1.3.6.1.4.1.5923.1.5.1.1",
        ),
        (Preset::SimpleSamlPhp, "mail", "givenName", "groups"),
        (Preset::Keycloak, "urn:oid:0.9.2342.19200300.100.1.3", "urn:oid:2.5.4.42", "Role"),
    ];
    assert_eq!(rows.len(), Preset::ALL.len());
    for (preset, email, given_name, groups) in rows {
        assert_eq!(Preset::named(preset.name()), Some(preset));
        let attribute = |name: &str, values: &[&str]| {
            let values: String =
                values.iter().map(|value| format!("<saml:AttributeValue>{value}</saml:AttributeValue>")).collect();
            format!("<saml:Attribute Name=\"{name}\">{values}</saml:Attribute>")
        };
        let sent = [
            attribute(email, &["no address", "Ann@Acme.example"]),
            attribute(given_name, &["Ann"]),
            attribute(groups, &["a", "b"]),
        ]
        .concat();
        let judgement = run(|c| {
            c.connection.mapping = preset.mapping();
            c.connection.mapping.subject = SubjectChoice::NameId(None);
            let from = c.answer.find("<saml:Attribute ").unwrap();
            let to = c.answer.find("</saml:AttributeStatement>").unwrap();
            c.answer.replace_range(from..to, &sent);
        });
        let judged = judgement.outcome.unwrap();
        let claims = judged.proof.claims();
        assert_eq!(claims.email.as_ref().unwrap().as_str(), "ann@acme.example", "{preset:?}");
        assert_eq!((claims.name.as_deref(), claims.groups.join(" ").as_str()), (Some("Ann"), "a b"), "{preset:?}");
    }
    assert_eq!(Preset::named("other"), None);
    // A friendly name is read where no name fits.
    with_friendly("Name=\"urn:oid:1.2.3\" FriendlyName=\"mail\"", true);
    with_friendly("Name=\"urn:oid:1.2.3\" FriendlyName=\"other\"", false);
}

#[track_caller]
fn with_friendly(attribute: &str, read: bool) {
    let judged = run(|c| c.put("Name=\"mail\"", attribute)).outcome.unwrap();
    assert_eq!(judged.proof.claims().email.is_some(), read, "{attribute}");
}

#[test]
fn a_certificate_that_ended_is_named_whether_its_key_signed_the_assertion_or_the_message() {
    // The assertion by one key, the message around it by another.
    let inner = seal(&ANSWER.replace("@_r1@", "@later@"), &ON_ASSERTION).replace("@later@", "@_r1@");
    let document = seal(&inner, &Sealing { key: &MALLORY, ..ON_RESPONSE });
    let infos = [&PROVIDER, &MALLORY].map(|key| key.public_key().as_der().unwrap().as_ref().to_vec());
    let keys = SigningKeys::from_public_keys(infos.iter().map(Vec::as_slice)).unwrap();
    let [assertion, message] = infos.each_ref().map(|info| Fingerprint::of(info));
    let trust = Trust { keys: &keys, decryption: None, cbc: false };
    let report = examine(&directory(), &connection(), &trust, document.as_bytes(), at(30));
    let signers = (report.signed_by, report.message_signed_by);
    assert_eq!((report.fault, signers), (None, (Some(assertion), Some(message))));
    for (ends, refused, named, fault) in [
        ([at(31), at(31)], true, vec![], None),
        ([at(30), at(31)], false, vec![assertion], None),
        ([at(30), at(31)], true, vec![assertion], Some(SamlFault::EndedKey)),
        ([at(31), at(30)], false, vec![message], None),
        ([at(31), at(30)], true, vec![message], Some(SamlFault::EndedKey)),
        ([at(29), at(29)], true, vec![assertion, message], Some(SamlFault::EndedKey)),
    ] {
        let mut report = examine(&directory(), &connection(), &trust, document.as_bytes(), at(30));
        report.known = vec![(assertion, Some(ends[0])), (message, Some(ends[1]))];
        let report = report.note_ended(&keys, refused, at(30));
        assert_eq!((&report.ended, report.fault), (&named, fault), "{refused}");
        let warned = report.lines().iter().filter(|line| line.starts_with("warning: the certificate of key ")).count();
        assert_eq!(warned, named.len());
    }
}
