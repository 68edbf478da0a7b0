//! The token endpoint (RFC 6749 §4.1.3, RFC 7636 §4.6, OpenID Connect Core §3.1.3).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap, WWW_AUTHENTICATE};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;

use super::state::{Code, TOKEN_SECONDS, Token};
use super::{Client, Issuer, userinfo};
use crate::demo::http::{Fields, Response, with};
use crate::demo::jose::{encode, random_handle};

/// An ID token is good for this many seconds: long enough for a slow reply, too short to be kept.
const ID_TOKEN_SECONDS: i64 = 300;

/// An error code of RFC 6749 §5.2.
#[derive(Clone, Copy, Debug)]
enum Refused {
    Client,
    Request,
    Grant,
    GrantType,
    Server,
}

pub(super) fn answer(issuer: &Issuer, headers: &HeaderMap, fields: &Fields) -> Response {
    match authenticate(issuer, headers, fields).and_then(|client| redeem(issuer, client, fields)) {
        Ok(tokens) => crate::demo::http::json(StatusCode::OK, &tokens),
        Err(refused) => {
            let (status, error) = match refused {
                Refused::Client => (StatusCode::UNAUTHORIZED, "invalid_client"),
                Refused::Request => (StatusCode::BAD_REQUEST, "invalid_request"),
                Refused::Grant => (StatusCode::BAD_REQUEST, "invalid_grant"),
                Refused::GrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
                Refused::Server => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
            };
            let response = crate::demo::http::json(status, &json!({ "error": error }));
            if status == StatusCode::UNAUTHORIZED {
                with(response, WWW_AUTHENTICATE, "Basic realm=\"token\"")
            } else {
                response
            }
        }
    }
}

/// By exactly one of `client_secret_basic` and `client_secret_post` (RFC 6749 §2.3).
fn authenticate<'a>(issuer: &'a Issuer, headers: &HeaderMap, fields: &Fields) -> Result<&'a Client, Refused> {
    if fields.repeat() {
        return Err(Refused::Request);
    }
    let (id, secret) = match (headers.get(AUTHORIZATION), fields.one("client_secret")) {
        (Some(_), Some(_)) => return Err(Refused::Request),
        (Some(value), None) => basic(value.to_str().unwrap_or_default()).ok_or(Refused::Client)?,
        (None, secret) => {
            (fields.one("client_id").unwrap_or_default().to_owned(), secret.unwrap_or_default().to_owned())
        }
    };
    let client = issuer.client(&id).ok_or(Refused::Client)?;
    let right = client.secret.expose_secret().as_bytes().ct_eq(secret.as_bytes());
    if bool::from(right) { Ok(client) } else { Err(Refused::Client) }
}

/// Both halves are form-encoded first (RFC 6749 §2.3.1).
fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, encoded) = value.split_once(' ')?;
    let pair = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?)
        .ok()
        .filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let (id, secret) = pair.split_once(':')?;
    let decoded = |text: &str| {
        let escaped = text.replace('&', "%26").replace('=', "%3D");
        url::form_urlencoded::parse(escaped.as_bytes()).next().map(|(key, _)| key.into_owned()).unwrap_or_default()
    };
    Some((decoded(id), decoded(secret)))
}

fn redeem(issuer: &Issuer, client: &Client, fields: &Fields) -> Result<Value, Refused> {
    if fields.one("grant_type") != Some("authorization_code") {
        return Err(Refused::GrantType);
    }
    let (Some(handle), Some(redirect_uri), Some(verifier)) =
        (fields.one("code"), fields.one("redirect_uri"), fields.one("code_verifier"))
    else {
        return Err(Refused::Request);
    };
    let code = spend(issuer, client, handle)?;
    let proved = (43..=128).contains(&verifier.len()) && encode(digest(&SHA256, verifier.as_bytes())) == code.challenge;
    if !proved || code.redirect_uri != redirect_uri || issuer.now() >= code.expires {
        return Err(Refused::Grant);
    }
    let access = random_handle().map_err(|_| Refused::Server)?;
    let id_token =
        issuer.keys.sign(client.alg, &claims(issuer, client, &code, &access)).map_err(|_| Refused::Server)?;
    let mut state = issuer.state();
    if let Some(code) = state.codes.find_mut(handle) {
        code.token = Some(access.clone());
    }
    let expires = issuer.now().saturating_add(TOKEN_SECONDS);
    state.tokens.insert(access.clone(), Token { person: code.session.person, expires });
    Ok(json!({
        "access_token": access, "token_type": "Bearer", "expires_in": TOKEN_SECONDS, "id_token": id_token, "scope": code.scope,
    }))
}

/// Takes the code for its own client, once. A second attempt revokes what the first one gave.
fn spend(issuer: &Issuer, client: &Client, handle: &str) -> Result<Code, Refused> {
    let mut state = issuer.state();
    let code = state.codes.find_mut(handle).filter(|code| code.client == client.id).ok_or(Refused::Grant)?;
    if !code.spent {
        code.spent = true;
        return Ok(code.clone());
    }
    if let Some(token) = code.token.take() {
        state.tokens.remove(&token);
    }
    Err(Refused::Grant)
}

fn claims(issuer: &Issuer, client: &Client, code: &Code, access: &str) -> Value {
    let now = issuer.now();
    let hash = digest(&SHA256, access.as_bytes());
    let mut claims = userinfo::claims(code.session.person);
    let more = json!({
        "iss": issuer.options.url, "aud": client.id, "iat": now, "exp": now.saturating_add(ID_TOKEN_SECONDS),
        "auth_time": code.session.auth_time, "amr": ["pwd"], "sid": code.session.sid,
        // The left half of the digest (OpenID Connect Core §3.1.3.6).
        "at_hash": encode(hash.as_ref().get(..16).unwrap_or_default()),
    });
    if let (Value::Object(claims), Value::Object(more)) = (&mut claims, more) {
        claims.extend(more);
        claims.extend(code.nonce.clone().map(|nonce| ("nonce".to_owned(), Value::String(nonce))));
    }
    claims
}
