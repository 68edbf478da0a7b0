//! An authorization request, read and judged (OpenID Connect Core §3.1.2.1, RFC 7636 §4.3).

use super::{Client, Issuer};
use crate::demo::http::Fields;

/// A request that may be answered at its redirect URI.
#[derive(Debug)]
pub(super) struct AuthorizationRequest<'a> {
    pub(super) client: &'a Client,
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) challenge: String,
    pub(super) scope: String,
    pub(super) silent: bool,
    pub(super) afresh: bool,
    pub(super) max_age: Option<i64>,
    pub(super) login_hint: Option<String>,
}

/// Why a request cannot be granted.
#[derive(Debug)]
pub(super) enum Refused {
    /// Client or redirect URI are not known: nothing may be sent there (RFC 6749 §4.1.2.1).
    Here(&'static str),
    /// The client is told, at its redirect URI.
    There {
        /// Compared with the registered ones.
        redirect_uri: String,
        /// Echoed.
        state: Option<String>,
        /// An error code of RFC 6749 §4.1.2.1 or OpenID Connect Core §3.1.2.6.
        error: &'static str,
        /// For the client's developer.
        description: &'static str,
    },
}

impl<'a> AuthorizationRequest<'a> {
    pub(super) fn read(issuer: &'a Issuer, fields: &Fields) -> Result<Self, Refused> {
        if fields.repeat() {
            return Err(Refused::Here("The request names a parameter twice."));
        }
        let client = fields.one("client_id").and_then(|id| issuer.client(id));
        let client = client.ok_or(Refused::Here("The request comes from a client that is not registered here."))?;
        let redirect_uri =
            fields.one("redirect_uri").filter(|uri| client.redirect_uris.iter().any(|known| known == uri));
        let redirect_uri = redirect_uri.ok_or(Refused::Here("The redirect URI is not registered for this client."))?;
        let state = fields.one("state").map(str::to_owned);
        Self::read_known(client, redirect_uri, fields).map_err(|(error, description)| Refused::There {
            redirect_uri: redirect_uri.to_owned(),
            state,
            error,
            description,
        })
    }

    fn read_known(
        client: &'a Client,
        redirect_uri: &str,
        fields: &Fields,
    ) -> Result<Self, (&'static str, &'static str)> {
        if fields.one("request").is_some() {
            return Err(("request_not_supported", "request objects are not read here"));
        }
        if fields.one("request_uri").is_some() {
            return Err(("request_uri_not_supported", "request objects are not read here"));
        }
        if fields.one("response_type") != Some("code") {
            return Err(("unsupported_response_type", "only the code flow is offered"));
        }
        if fields.one("response_mode").is_some_and(|mode| mode != "query") {
            return Err(("invalid_request", "only response_mode=query is offered"));
        }
        let scope = fields.one("scope").unwrap_or_default();
        if !scope.split(' ').any(|word| word == "openid") {
            return Err(("invalid_scope", "the scope must hold openid"));
        }
        let challenge = fields.one("code_challenge").filter(|text| is_challenge(text));
        let (Some(challenge), Some("S256")) = (challenge, fields.one("code_challenge_method")) else {
            return Err(("invalid_request", "PKCE with S256 is required"));
        };
        let (silent, afresh) = prompts(fields.one("prompt").unwrap_or_default())?;
        let max_age = fields.one("max_age").map(|age| age.parse().ok().filter(|age| *age >= 0));
        let own = |name| fields.one(name).map(str::to_owned);
        Ok(Self {
            client,
            redirect_uri: redirect_uri.to_owned(),
            state: own("state"),
            nonce: own("nonce"),
            challenge: challenge.to_owned(),
            scope: scope.to_owned(),
            silent,
            afresh,
            max_age: max_age.map(|age| age.ok_or(("invalid_request", "max_age is a number of seconds"))).transpose()?,
            login_hint: own("login_hint"),
        })
    }
}

/// Base64url of a SHA-256 digest.
fn is_challenge(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Whether nothing may be shown, and whether the person must log in afresh. Nobody is asked for consent here.
fn prompts(given: &str) -> Result<(bool, bool), (&'static str, &'static str)> {
    let words: Vec<&str> = given.split(' ').filter(|word| !word.is_empty()).collect();
    if !words.iter().all(|word| matches!(*word, "none" | "login" | "consent" | "select_account")) {
        return Err(("invalid_request", "an unknown prompt"));
    }
    let silent = words.contains(&"none");
    if silent && words.len() > 1 {
        return Err(("invalid_request", "prompt=none stands alone"));
    }
    Ok((silent, words.contains(&"login") || words.contains(&"select_account")))
}
