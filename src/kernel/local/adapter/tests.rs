use super::*;
use crate::kernel::model::Method;
use crate::kernel::values::{AccountId, DirectoryId, ProductAccountId};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn key() -> AdapterKey {
    AdapterKey::parse("a key of thirty-two bytes, and more").unwrap()
}

fn claimant() -> Claimant {
    Claimant {
        directory: DirectoryId::from_bytes([1; 16]),
        account: AccountId::from_bytes([2; 16]),
        record: ProductAccountId::from_bytes([3; 16]),
        email: EmailAddress::parse("ann@acme.com").unwrap(),
        email_verified: true,
        epoch: 6,
    }
}

fn call(password: &str) -> AdapterCall {
    let typed = Typed::new(password.to_owned()).unwrap();
    verify_password(&key(), [9; 16], (&ProductName::parse("board").unwrap(), &claimant().email), &typed, NOW)
}

/// The answer as a library for webhooks would sign it.
fn tag(key: &str, id: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    format!("v1,{}", STANDARD.encode(hmac::sign(&key, format!("{id}.1800000001.{body}").as_bytes())))
}

#[test]
fn a_call_is_json_that_says_what_was_typed_and_is_signed() {
    let hard = "p\"w\\ \u{7}\n ä 🐟 \u{2028}";
    let call = call(hard);
    let said: Value = serde_json::from_slice(&call.body).unwrap();
    let expected = serde_json::json!({
        "call": "verify_password", "product": "board", "email": "ann@acme.com", "password": hard,
    });
    assert_eq!(said, expected);
    let text = format!("{}.{}.{}", call.id, call.timestamp, std::str::from_utf8(&call.body).unwrap());
    let known = hmac::Key::new(hmac::HMAC_SHA256, b"a key of thirty-two bytes, and more");
    let tag = STANDARD.decode(call.signature.strip_prefix("v1,").unwrap()).unwrap();
    assert!(hmac::verify(&known, text.as_bytes(), &tag).is_ok());
    assert_eq!((call.timestamp.as_str(), call.id.len()), ("1800000000", 22));
}

#[test]
fn the_longest_password_fits_the_buffer_that_is_wiped() {
    let call = call(&"\u{1}".repeat(512));
    assert!(
        call.body.len() <= 8 * 1024 && call.body.capacity() == 8 * 1024,
        "it never grew, so nothing was left behind"
    );
}

#[test]
fn h21_an_answer_proves_its_claimant_or_nobody() {
    let id = call("x").id;
    let check = |status: u16, signature: &str, body: &str, expected: Result<bool, Odd>| {
        let answer = AdapterAnswer { status, timestamp: "1800000001", signature, body: body.as_bytes() };
        let judged = by_adapter((&claimant(), "u-1"), &key(), &id, answer, NOW);
        assert_eq!(judged.map(|steps| steps.is_some()), expected, "{status} {body}");
    };
    let sign = |body: &str| tag("a key of thirty-two bytes, and more", &id, body);
    let right = format!(r#"{{"id":"{id}","right":true,"sub":"u-1"}}"#);
    check(200, &sign(&right), &right, Ok(true));
    check(200, &format!("v1,AAAA {}", sign(&right)), &right, Ok(true));
    let wrong = format!(r#"{{"id":"{id}","right":false}}"#);
    check(200, &sign(&wrong), &wrong, Ok(false));
    for status in [201, 204, 301, 401, 404, 500] {
        check(status, &sign(&right), &right, Err(Odd::Status(status)));
    }
    for signature in ["", "v1,", "v2,AAAA", &tag("another key of thirty-two bytes, too", &id, &right), &sign(&wrong)] {
        check(200, signature, &right, Err(Odd::Signature));
    }
    let bodies = [
        (String::new(), Odd::Shape),
        ("{}".to_owned(), Odd::Shape),
        ("true".to_owned(), Odd::Shape),
        (format!(r#"{{"id":"{id}"}}"#), Odd::Shape),
        (format!(r#"{{"id":"{id}","right":true}}"#), Odd::Shape),
        (format!(r#"{{"id":"{id}","right":"true","sub":"u-1"}}"#), Odd::Shape),
        (format!(r#"{{"id":"{id}","right":1,"sub":"u-1"}}"#), Odd::Shape),
        (format!(r#"{{"id":"{id}","right":true,"sub":7}}"#), Odd::Shape),
        (format!(r#"{{"id":"{id}","right":false,"sub":"u-1"}}"#), Odd::Shape),
        (format!(r#"{{"id":"{id}","right":true,"sub":"u-1","x":1}}"#), Odd::Shape),
        (format!(r#"{{"id":"{id}","right":false,"right":true,"sub":"u-1"}}"#), Odd::Shape),
        (format!(r#"{{"id":"{id}","right":true,"sub":"u-1"}} {{}}"#), Odd::Shape),
        (format!(r#"{{"id":"{id}","right":true,"sub":"{}"}}"#, "u".repeat(ANSWER_LIMIT)), Odd::Shape),
        (r#"{"id":"older","right":true,"sub":"u-1"}"#.to_owned(), Odd::AnotherCall),
        (format!(r#"{{"id":"{id}","right":true,"sub":"u-2"}}"#), Odd::AnotherUser),
        (format!(r#"{{"id":"{id}","right":true,"sub":""}}"#), Odd::AnotherUser),
    ];
    for (body, odd) in bodies {
        check(200, &sign(&body), &body, Err(odd));
    }
    // A call of ours that is sent back: rightly signed, and no answer.
    let own = call("x");
    let back = AdapterAnswer { status: 200, timestamp: &own.timestamp, signature: &own.signature, body: &own.body };
    assert_eq!(by_adapter((&claimant(), "u-1"), &key(), &own.id, back, NOW), Err(Odd::Shape));
    // A stranger has no user id that could be said.
    let nobody = format!(r#"{{"id":"{id}","right":true,"sub":""}}"#);
    let signature = sign(&nobody);
    let answer = AdapterAnswer { status: 200, timestamp: "1800000001", signature: &signature, body: nobody.as_bytes() };
    assert_eq!(by_adapter((&claimant(), ""), &key(), &id, answer, NOW), Err(Odd::AnotherUser));
}

#[test]
fn what_is_proved_says_how() {
    let id = call("x").id;
    let body = format!(r#"{{"id":"{id}","right":true,"sub":"u-1"}}"#);
    let signature = tag("a key of thirty-two bytes, and more", &id, &body);
    let answer = AdapterAnswer { status: 200, timestamp: "1800000001", signature: &signature, body: body.as_bytes() };
    let steps = by_adapter((&claimant(), "u-1"), &key(), &id, answer, NOW).unwrap().unwrap();
    assert_eq!((steps.method(), steps.password(), steps.second()), (Method::Adapter, None, None));
    assert_eq!(steps.proof().claims().amr, ["pwd"]);
    assert_eq!(steps.proof().claims().identity.subject, claimant().account.to_string());
}
