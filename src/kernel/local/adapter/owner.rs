//! Whose API token this is, asked of the product that gave it out (rule C7).

use super::{AdapterAnswer, AdapterCall, Odd, quote, said, sealed};
use crate::kernel::model::AdapterKey;
use crate::kernel::values::{ProductName, Timestamp};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use zeroize::Zeroizing;

/// Asks whose the credential is that came as `Authorization`. `nonce` is fresh and random.
pub fn token_owner(
    key: &AdapterKey,
    nonce: [u8; 16],
    product: &ProductName,
    authorization: &str,
    now: Timestamp,
) -> AdapterCall {
    // One buffer that is large enough from the start, so that no copy of the token is left behind.
    let mut body = Zeroizing::new(Vec::with_capacity(2 * authorization.len() + 256));
    body.extend_from_slice(b"{\"call\":\"token_owner\",\"product\":");
    quote(&mut body, product.as_str());
    body.extend_from_slice(b",\"authorization\":");
    quote(&mut body, authorization);
    body.push(b'}');
    sealed(key, URL_SAFE_NO_PAD.encode(nonce), body, now)
}

/// The user id that a signed answer to the call with this id names: `{"id": "…", "owner": "u-1"}`; `Ok(None)` where it says that nobody
/// owns it (`null`).
///
/// # Errors
/// [`Odd`]: it says nothing, and the token passes nowhere.
pub fn owner(key: &AdapterKey, id: &str, answer: AdapterAnswer<'_>) -> Result<Option<String>, Odd> {
    let said = said(key, id, answer)?;
    match (said.get("owner"), said.len()) {
        (Some(Value::Null), 2) => Ok(None),
        (Some(Value::String(sub)), 2) if !sub.is_empty() => Ok(Some(sub.clone())),
        _ => Err(Odd::Shape),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{is_signed, signed, signing};
    use super::*;
    use aws_lc_rs::hmac;
    use base64::engine::general_purpose::STANDARD;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn key(letter: &str) -> AdapterKey {
        AdapterKey::parse(&letter.repeat(32)).unwrap()
    }

    #[test]
    fn c7_only_a_signed_answer_to_this_call_names_an_owner() {
        let check = |status: u16, body: &str, by: &str, expected: Result<Option<&str>, Odd>| {
            let tag = hmac::sign(&signing(&key(by)), &signed("call-1", "7", body.as_bytes()));
            let signature = format!("v1,{}", STANDARD.encode(tag));
            let answer = AdapterAnswer { status, timestamp: "7", signature: &signature, body: body.as_bytes() };
            let found = owner(&key("k"), "call-1", answer);
            assert_eq!(found, expected.map(|sub| sub.map(str::to_owned)), "{status} {body}");
        };
        let ann = r#"{"id":"call-1","owner":"u-1"}"#;
        check(200, ann, "k", Ok(Some("u-1")));
        check(200, r#"{"id":"call-1","owner":null}"#, "k", Ok(None));
        check(200, ann, "x", Err(Odd::Signature));
        check(404, ann, "k", Err(Odd::Status(404)));
        check(200, r#"{"id":"call-2","owner":"u-1"}"#, "k", Err(Odd::AnotherCall));
        check(200, r#"{"id":"call-1","owner":""}"#, "k", Err(Odd::Shape));
        check(200, r#"{"id":"call-1","owner":1}"#, "k", Err(Odd::Shape));
        check(200, r#"{"id":"call-1"}"#, "k", Err(Odd::Shape));
        check(200, r#"{"id":"call-1","owner":"u-1","right":true}"#, "k", Err(Odd::Shape));
    }

    #[test]
    fn c7_the_call_carries_the_credential_as_it_came_and_its_signature() {
        let product = ProductName::parse("trello").unwrap();
        let call = token_owner(&key("k"), [7; 16], &product, r#"OAuth a="1", b="\""#, NOW);
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        let expected =
            serde_json::json!({ "call": "token_owner", "product": "trello", "authorization": r#"OAuth a="1", b="\""# });
        assert_eq!(body, expected);
        let sent =
            AdapterAnswer { status: 200, timestamp: &call.timestamp, signature: &call.signature, body: &call.body };
        assert!(is_signed(&key("k"), &call.id, sent));
        assert_eq!(owner(&key("k"), &call.id, sent), Err(Odd::Shape), "our own call sent back");
    }
}
