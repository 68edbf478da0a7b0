//! What a product is told about its own account, and how its answer is judged: signed as the calls about passwords are.

use super::{ANSWER_LIMIT, AdapterAnswer, AdapterCall, Odd, is_signed, sealed};
use crate::kernel::model::AdapterKey;
use crate::kernel::oidc::json::strict;
use crate::kernel::values::{ProductName, Timestamp};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// One of the calls that change something at the product, for the user with this id (`sub`) there. There are no others (row T24).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AdapterAct {
    /// The product's own password is dead: it takes none for this user, by no door of its own (row T30).
    SetAuthMode,
    /// Sessions and tokens that the product gave out itself end (rule H14).
    RevokeSessions,
    /// The address and the name that the account has now (row T23).
    SetProfile {
        /// The live address.
        email: Option<String>,
        /// The name.
        name: Option<String>,
    },
    /// This user is the one with that id from now on (rows L10, L11). What becomes of content is the product's affair.
    Merge {
        /// The survivor's user id.
        into: String,
    },
    /// The person was deleted for good: this user logs in no more. What becomes of content is the product's affair.
    Close,
}

impl AdapterAct {
    /// The call's name, the last part of its path.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SetAuthMode => "set_auth_mode",
            Self::RevokeSessions => "revoke_sessions",
            Self::SetProfile { .. } => "set_profile",
            Self::Merge { .. } => "merge",
            Self::Close => "close",
        }
    }

    /// The signed call. `id` is the same at each try: the product does once what it is told twice.
    pub fn call(
        &self,
        key: &AdapterKey,
        id: &str,
        (product, sub): (&ProductName, &str),
        now: Timestamp,
    ) -> AdapterCall {
        let (call, product) = (self.name(), product.as_str());
        let body = match self {
            Self::SetAuthMode => json!({ "call": call, "product": product, "sub": sub, "mode": "federated" }),
            Self::RevokeSessions | Self::Close => json!({ "call": call, "product": product, "sub": sub }),
            Self::SetProfile { email, name } => {
                json!({ "call": call, "product": product, "sub": sub, "email": email, "name": name })
            }
            Self::Merge { into } => json!({ "call": call, "product": product, "sub": sub, "into": into }),
        };
        let body = Zeroizing::new(body.to_string().into_bytes());
        sealed(key, id.to_owned(), body, now)
    }
}

/// Whether the product says, signed, that it is as it was told: `{"id": "…", "done": true}`. A user that is gone (404, 410), or as
/// wanted already (409), is done as well if it says so.
///
/// # Errors
/// [`Odd`]: it says nothing, and is told again.
pub fn done(key: &AdapterKey, id: &str, answer: AdapterAnswer<'_>) -> Result<(), Odd> {
    if !matches!(answer.status, 200 | 404 | 409 | 410) {
        return Err(Odd::Status(answer.status));
    }
    if !is_signed(key, id, answer) {
        return Err(Odd::Signature);
    }
    let Ok(Value::Object(said)) = strict(answer.body, ANSWER_LIMIT) else { return Err(Odd::Shape) };
    match (said.get("id").and_then(Value::as_str), said.get("done").and_then(Value::as_bool)) {
        (Some(said), Some(true)) if said == id => Ok(()),
        (Some(said), _) if said != id => Err(Odd::AnotherCall),
        _ => Err(Odd::Shape),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{signed, signing};
    use super::*;
    use aws_lc_rs::hmac;
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn key() -> AdapterKey {
        AdapterKey::parse(&"k".repeat(32)).unwrap()
    }

    fn check(status: u16, body: &str, by: &AdapterKey, expected: Result<(), Odd>) {
        let tag = hmac::sign(&signing(by), &signed("01M/set_auth_mode", "7", body.as_bytes()));
        let signature = format!("v1,{}", STANDARD.encode(tag));
        let answer = AdapterAnswer { status, timestamp: "7", signature: &signature, body: body.as_bytes() };
        assert_eq!(done(&key(), "01M/set_auth_mode", answer), expected, "{status} {body}");
    }

    #[test]
    fn only_a_signed_word_about_this_call_says_that_it_is_done() {
        let yes = r#"{"id":"01M/set_auth_mode","done":true}"#;
        for status in [200, 404, 409, 410] {
            check(status, yes, &key(), Ok(()));
        }
        check(500, yes, &key(), Err(Odd::Status(500)));
        check(302, yes, &key(), Err(Odd::Status(302)));
        check(200, yes, &AdapterKey::parse(&"x".repeat(32)).unwrap(), Err(Odd::Signature));
        check(200, r#"{"id":"01M/set_auth_mode","done":false}"#, &key(), Err(Odd::Shape));
        check(200, r#"{"id":"01M/set_profile","done":true}"#, &key(), Err(Odd::AnotherCall));
        check(200, "{}", &key(), Err(Odd::Shape));
    }

    #[test]
    fn a_call_names_the_user_and_what_is_wanted_and_carries_its_signature() {
        let product = ProductName::parse("trello").unwrap();
        let act = AdapterAct::SetProfile { email: Some("ann@acme.com".to_owned()), name: None };
        let call = act.call(&key(), "01M/set_profile", (&product, "u-1"), NOW);
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        let expected =
            json!({ "call": "set_profile", "product": "trello", "sub": "u-1", "email": "ann@acme.com", "name": null });
        assert_eq!(body, expected);
        let answer =
            AdapterAnswer { status: 200, timestamp: &call.timestamp, signature: &call.signature, body: &call.body };
        assert!(is_signed(&key(), "01M/set_profile", answer));
        assert_eq!(done(&key(), "01M/set_profile", answer), Err(Odd::Shape), "our own call sent back");
    }
}
