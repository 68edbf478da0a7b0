//! The authorization endpoint: a live session is enough, else the login page.

use hyper::StatusCode;
use hyper::header::HeaderMap;
use minijinja::context;
use url::Url;

use super::request::{AuthorizationRequest, Refused};
use super::state::{CODE_SECONDS, Code, Session};
use super::{Issuer, login};
use crate::demo::http::{Fields, Response, see_other};
use crate::demo::jose::random_handle;

pub(super) fn answer(issuer: &Issuer, headers: &HeaderMap, fields: &Fields) -> Response {
    let request = match AuthorizationRequest::read(issuer, fields) {
        Ok(request) => request,
        Err(refused) => return refuse(issuer, refused),
    };
    let session =
        issuer.session(headers).map(|(_, session)| session).filter(|session| suffices(issuer, &request, session));
    match session {
        Some(session) => grant(issuer, request, session),
        None if request.silent => {
            refuse(issuer, denial(request, "login_required", "nobody is logged in, or not recently enough"))
        }
        None => login::page(issuer, &request, fields, None),
    }
}

/// OpenID Connect Core §3.1.2.1: `prompt=login` and `max_age` ask for a fresh login; a hint for someone else is no reason to send
/// the wrong person.
fn suffices(issuer: &Issuer, request: &AuthorizationRequest<'_>, session: &Session) -> bool {
    let age = issuer.now().saturating_sub(session.auth_time);
    let hinted = request.login_hint.as_deref().is_none_or(|hint| hint.eq_ignore_ascii_case(session.person.email));
    !request.afresh && request.max_age.is_none_or(|most| age <= most) && hinted
}

/// Back to the client with a code.
pub(super) fn grant(issuer: &Issuer, request: AuthorizationRequest<'_>, session: Session) -> Response {
    let Ok(handle) = random_handle() else { return refuse(issuer, denial(request, "server_error", "no randomness")) };
    let AuthorizationRequest { client, redirect_uri, state, nonce, challenge, scope, .. } = request;
    let expires = issuer.now().saturating_add(CODE_SECONDS);
    let code = Code {
        client: client.id.clone(),
        redirect_uri: redirect_uri.clone(),
        nonce,
        challenge,
        scope,
        session,
        expires,
        spent: false,
        token: None,
    };
    issuer.state().codes.insert(handle.clone(), code);
    reply(issuer, &redirect_uri, &[("code", Some(&handle)), ("state", state.as_deref())])
}

/// The refusal of a request that was read.
pub(super) fn denial(request: AuthorizationRequest<'_>, error: &'static str, description: &'static str) -> Refused {
    Refused::There { redirect_uri: request.redirect_uri, state: request.state, error, description }
}

pub(super) fn refuse(issuer: &Issuer, refused: Refused) -> Response {
    match refused {
        Refused::Here(message) => {
            issuer.message(StatusCode::BAD_REQUEST, "This login can’t go on", message, context! {})
        }
        Refused::There { redirect_uri, state, error, description } => {
            let fields =
                [("error", Some(error)), ("error_description", Some(description)), ("state", state.as_deref())];
            reply(issuer, &redirect_uri, &fields)
        }
    }
}

/// Every reply names its issuer (RFC 9207 §2).
fn reply(issuer: &Issuer, redirect_uri: &str, fields: &[(&str, Option<&str>)]) -> Response {
    let Ok(mut target) = Url::parse(redirect_uri) else {
        return refuse(issuer, Refused::Here("The registered redirect URI is not a URL."));
    };
    let present = fields.iter().filter_map(|(name, value)| Some((*name, (*value)?)));
    target.query_pairs_mut().extend_pairs(present).append_pair("iss", &issuer.options.url);
    see_other(target.as_str())
}
