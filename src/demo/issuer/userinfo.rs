//! The userinfo endpoint (OpenID Connect Core §5.3).

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap, WWW_AUTHENTICATE};
use serde_json::{Value, json};

use super::Issuer;
use crate::demo::http::{Response, json as answer_json, text, with};
use crate::demo::people::Person;

pub(super) fn answer(issuer: &Issuer, headers: &HeaderMap) -> Response {
    let token =
        headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.split_once(' '));
    let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
    let person = token.and_then(|token| {
        let state = issuer.state();
        state.tokens.find(token).filter(|token| issuer.now() < token.expires).map(|token| token.person)
    });
    match person {
        Some(person) => answer_json(StatusCode::OK, &claims(person)),
        None => with(text(StatusCode::UNAUTHORIZED, "no token\n"), WWW_AUTHENTICATE, "Bearer error=\"invalid_token\""),
    }
}

/// What the provider says about a person, here and in the ID token.
pub(super) fn claims(person: &Person) -> Value {
    let mut claims = json!({
        "sub": person.sub, "name": person.name, "email": person.email, "email_verified": person.email_verified,
    });
    if let (false, Value::Object(claims)) = (person.groups.is_empty(), &mut claims) {
        claims.insert("groups".to_owned(), json!(person.groups));
    }
    claims
}
