//! Each check of the judge of signals alone: a row changes one thing in a token that would be heard.

use super::super::tests::{KEYS, directory, signed};
use super::*;
use crate::kernel::values::EmailAddress;
use serde_json::json;

const NOW: i64 = 1_000_000;
const DOOR: &str = "https://id.example/signals/acme";
const REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";

struct Case {
    kind: SignalKind,
    header: Value,
    claims: Value,
    token: fn(String) -> String,
    now: i64,
}

fn case(kind: SignalKind) -> Case {
    let (typ, claims) = match kind {
        SignalKind::Event => (
            "secevent+jwt",
            json!({ "iss": "https://op.example", "aud": DOOR, "jti": "1", "iat": NOW,
                "sub_id": { "format": "iss_sub", "iss": "https://op.example", "sub": "ann" },
                "events": { REVOKED: { "event_timestamp": NOW } } }),
        ),
        SignalKind::Logout => (
            "logout+jwt",
            json!({ "iss": "https://op.example", "aud": "us", "jti": "1", "iat": NOW, "exp": NOW + 120, "sub": "ann",
                "events": { LOGOUT: {} } }),
        ),
        SignalKind::Revocation => (
            "global-token-revocation+jwt",
            json!({ "iss": "https://op.example", "aud": DOOR, "jti": "1", "iat": NOW, "exp": NOW + 120, "sub": "app" }),
        ),
    };
    Case { kind, header: json!({ "alg": "ES256", "kid": "p256", "typ": typ }), claims, token: |token| token, now: NOW }
}

fn run(kind: SignalKind, change: impl FnOnce(&mut Case)) -> Result<Signal, SignalFault> {
    let mut case = case(kind);
    change(&mut case);
    let token = (case.token)(signed(&case.header, &case.claims.to_string()));
    let directory = directory();
    let settings = directory.protocol.settings().unwrap();
    let door = SignalDoor { kind: case.kind, address: DOOR };
    judge_signal(settings, &KEYS, door, &token, Timestamp::from_seconds(case.now))
}

#[track_caller]
fn check(kind: SignalKind, change: impl FnOnce(&mut Case), expected: &str) {
    let judged = run(kind, change);
    assert_eq!(judged.as_ref().map_or_else(|fault| fault.code(), |_| "heard"), expected);
}

use SignalKind::{Event, Logout, Revocation};

#[test]
fn h5_each_kind_says_what_it_says() {
    let heard = run(Event, |_| ()).unwrap();
    assert_eq!((heard.what, heard.event.as_str(), heard.id.as_str()), (What::Ended, REVOKED, "1"));
    assert_eq!(heard.subject, Some(Subject { who: Named::Subject("ann".into()), session: None }));
    let heard = run(Logout, |c| c.claims["sid"] = json!("s")).unwrap();
    assert_eq!(heard.subject, Some(Subject { who: Named::Subject("ann".into()), session: Some("s".into()) }));
    assert_eq!(run(Revocation, |_| ()).unwrap().subject, None);
}

#[test]
fn h5_no_kind_passes_at_anothers_door_and_no_id_token_at_any() {
    for (kind, other) in [
        (Event, Logout),
        (Event, Revocation),
        (Logout, Event),
        (Logout, Revocation),
        (Revocation, Event),
        (Revocation, Logout),
    ] {
        check(other, |c| c.kind = kind, "signal-type");
    }
    for kind in [Event, Revocation] {
        for typ in [json!("JWT"), json!("logout+jwt"), json!("at+jwt"), Value::Null, json!(7)] {
            check(kind, |c| c.header["typ"] = typ.clone(), "signal-type");
        }
    }
    check(Event, |c| c.header["typ"] = json!("application/SECEVENT+jwt"), "heard");
    // An id_token at the door of logout tokens has their type and audience, and a nonce instead of the event.
    check(Logout, |c| c.header["typ"] = json!("JWT"), "heard");
    check(
        Logout,
        |c| {
            c.claims.as_object_mut().unwrap().remove("events");
        },
        "signal-events",
    );
    check(Logout, |c| c.claims["nonce"] = json!("n"), "signal-events");
    check(Revocation, |c| c.claims["events"] = json!({}), "signal-events");
}

#[test]
fn jose_header_algorithm_and_key_are_the_directorys() {
    for kind in [Event, Logout, Revocation] {
        check(kind, |c| c.header["alg"] = json!("none"), "signal-algorithm");
        check(kind, |c| c.header["alg"] = json!("HS256"), "signal-algorithm");
        check(kind, |c| c.header["kid"] = json!("stranger"), "signal-unknown-key");
        check(kind, |c| c.header["kid"] = json!(7), "signal-header");
        check(kind, |c| c.header["crit"] = json!(["exp"]), "signal-header");
        // Another of the provider's keys than the one that signed.
        check(kind, |c| c.header["kid"] = json!("p384"), "signal-signature");
        check(kind, |c| c.token = |token| token.replacen('.', ".e30", 1), "signal-shape");
        check(kind, |c| c.token = |token| token[..token.len() - 8].to_owned() + "AAAAAAAA", "signal-signature");
        check(kind, |c| c.token = |token| token.rsplit_once('.').unwrap().0.to_owned() + ".", "signal-signature");
        check(kind, |c| c.token = |token| token + ".x", "signal-shape");
        check(kind, |c| c.token = |_| String::new(), "signal-shape");
    }
}

#[test]
fn h5_issuer_and_audience_are_exact() {
    for kind in [Event, Logout, Revocation] {
        check(kind, |c| c.claims["iss"] = json!("https://op.example/"), "signal-issuer");
        check(kind, |c| c.claims["iss"] = json!(["https://op.example"]), "signal-issuer");
        let own = case(kind).claims["aud"].clone();
        check(kind, |c| c.claims["aud"] = json!([own]), "heard");
        for other in
            [json!("https://id.example/signals/globex"), json!([]), Value::Null, json!([own, "https://other.example"])]
        {
            check(kind, |c| c.claims["aud"] = other.clone(), "signal-audience");
        }
    }
    check(Event, |c| c.claims["aud"] = json!("us"), "signal-audience");
    check(Logout, |c| c.claims["aud"] = json!(DOOR), "signal-audience");
}

#[test]
fn m3_times_lie_in_their_kinds_bounds() {
    for (kind, age) in [(Event, 86_400), (Logout, 3_600), (Revocation, 3_600)] {
        let late = |c: &mut Case| {
            if kind != Event {
                c.claims["exp"] = json!(NOW + 90_000);
            }
        };
        check(
            kind,
            |c| {
                late(c);
                c.now = NOW + age + 60;
            },
            "heard",
        );
        check(
            kind,
            |c| {
                late(c);
                c.now = NOW + age + 61;
            },
            "signal-time",
        );
        check(kind, |c| c.now = NOW - 60, "heard");
        check(kind, |c| c.now = NOW - 61, "signal-time");
        check(kind, |c| c.claims["nbf"] = json!(NOW + 61), "signal-time");
        for wrong in [Value::Null, json!("1000000"), json!(-1)] {
            check(kind, |c| c.claims["iat"] = wrong.clone(), "signal-time");
        }
        check(kind, |c| c.claims["jti"] = json!(""), "signal-jti");
        check(
            kind,
            |c| {
                c.claims.as_object_mut().unwrap().remove("jti");
            },
            "signal-jti",
        );
    }
    check(Event, |c| c.claims["exp"] = json!(NOW + 60), "signal-time");
    check(Event, |c| c.claims["exp"] = Value::Null, "signal-time");
    for kind in [Logout, Revocation] {
        check(kind, |c| c.now = NOW + 179, "heard");
        check(kind, |c| c.now = NOW + 180, "signal-time");
        check(
            kind,
            |c| {
                c.claims.as_object_mut().unwrap().remove("exp");
            },
            "signal-time",
        );
    }
}

#[test]
fn ssf_one_event_and_one_subject() {
    check(Event, |c| c.claims["events"]["https://x.example/other"] = json!({}), "signal-events");
    check(Event, |c| c.claims["events"] = json!({}), "signal-events");
    check(Event, |c| c.claims["events"] = json!({ REVOKED: [] }), "signal-events");
    check(Event, |c| c.claims["sub"] = json!("ann"), "signal-subject");
    check(Event, |c| c.claims["events"][REVOKED]["subject"] = json!({}), "signal-subject");
    check(Event, |c| c.claims["sub_id"] = json!("ann"), "signal-subject");
    check(Logout, |c| c.claims["sub"] = json!(7), "signal-subject");
    check(Logout, |c| c.claims["sid"] = json!(7), "signal-subject");
}

#[test]
fn h5_subjects_by_format() {
    let subject = |id: Value| run(Event, |c| c.claims["sub_id"] = id).unwrap().subject;
    let by = |name: &str, session: Option<&str>| {
        Some(Subject { who: Named::Subject(name.into()), session: session.map(Into::into) })
    };
    let ann = json!({ "format": "iss_sub", "iss": "https://op.example", "sub": "ann" });
    assert_eq!(subject(json!({ "format": "opaque", "id": "ann" })), by("ann", None));
    assert_eq!(subject(json!({ "format": "complex", "user": ann })), by("ann", None));
    let session = |id: Value| json!({ "format": "complex", "user": ann, "session": id });
    assert_eq!(subject(session(json!({ "format": "opaque", "id": "s" }))), by("ann", Some("s")));
    assert_eq!(subject(session(json!({ "format": "opaque" }))), None, "what names one session never ends all");
    let email = Subject { who: Named::Email(EmailAddress::parse("ann@acme.com").unwrap()), session: None };
    assert_eq!(subject(json!({ "format": "email", "email": "Ann@Acme.com" })), Some(email));
    for nobody in [
        json!({ "format": "iss_sub", "iss": "https://other.example", "sub": "ann" }),
        json!({ "format": "iss_sub", "sub": "ann" }),
        json!({ "format": "email", "email": "ann" }),
        json!({ "format": "account", "uri": "acct:ann@acme.com" }),
        json!({ "format": "aliases", "identifiers": [ann] }),
        json!({ "sub": "ann" }),
    ] {
        assert_eq!(subject(nobody.clone()), None, "{nobody}");
    }
    let ask = |text: &str| asked(text.as_bytes(), "https://op.example").map_err(SignalFault::code);
    let body = json!({ "sub_id": ann }).to_string();
    assert_eq!(ask(&body), Ok(Named::Subject("ann".into())));
    assert_eq!(ask(r#"{"sub_id":{"format":"email","email":"a@b.c","email":"d@b.c"}}"#), Err("signal-shape"));
    assert_eq!(ask("{}"), Err("signal-subject"));
    assert_eq!(ask(&format!("{body}{}", " ".repeat(4096))), Err("signal-shape"));
}

#[test]
fn h5_events_mean_what_they_mean_and_no_more() {
    let means = |event: &str, payload: Value| {
        let event = format!("https://schemas.openid.net/secevent/{event}");
        run(Event, |c| c.claims["events"] = json!({ event: payload })).unwrap().what
    };
    for ends in
        ["caep/event-type/session-revoked", "risc/event-type/account-disabled", "risc/event-type/account-purged"]
    {
        assert_eq!(means(ends, json!({})), What::Ended, "{ends}");
    }
    for (change, expected) in
        [("create", What::Unknown), ("update", What::Ended), ("revoke", What::Ended), ("delete", What::Ended)]
    {
        assert_eq!(means("caep/event-type/credential-change", json!({ "change_type": change })), expected, "{change}");
    }
    assert_eq!(means("risc/event-type/identifier-changed", json!({ "new-value": "x@y.z" })), What::IdentifierChanged);
    assert_eq!(means("ssf/event-type/verification", json!({})), What::Verification);
    for unknown in ["risc/event-type/account-enabled", "caep/event-type/session-established", "x"] {
        assert_eq!(means(unknown, json!({})), What::Unknown, "{unknown}");
    }
}
