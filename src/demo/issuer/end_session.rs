//! RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0).

use hyper::StatusCode;
use hyper::header::{HeaderMap, SET_COOKIE};
use minijinja::context;
use url::Url;

use super::{COOKIE, Issuer};
use crate::demo::http::{Fields, Response, is_same_origin, see_other, text, with};

/// A hint of ours for the session of this browser logs out at once; anything else needs a click (§2, §6: a foreign page must not
/// be able to log people out).
pub(super) fn answer(issuer: &Issuer, headers: &HeaderMap, fields: &Fields) -> Response {
    if fields.repeat() {
        return issuer.message(
            StatusCode::BAD_REQUEST,
            "This logout can’t go on",
            "A parameter came twice.",
            context! {},
        );
    }
    let session = issuer.session(headers).map(|(_, session)| session);
    let hint = hint(issuer, fields);
    match session {
        None => leave(issuer, headers, fields),
        Some(session) if hint.is_some_and(|(_, sid)| sid == session.sid) => leave(issuer, headers, fields),
        Some(session) => {
            let message = format!("You’re logged in as {} ({}).", session.person.name, session.person.email);
            let more = context! { logout => true, request => fields.encode_without(&[]) };
            issuer.message(StatusCode::OK, "Log out here too?", &message, more)
        }
    }
}

/// The button was pressed: field `request` holds the original parameters.
pub(super) fn confirmed(issuer: &Issuer, headers: &HeaderMap, form: &Fields) -> Response {
    if !is_same_origin(headers, &issuer.options.url) {
        return text(StatusCode::FORBIDDEN, "this form was not sent from this site\n");
    }
    leave(issuer, headers, &Fields::parse(form.one("request").unwrap_or_default().as_bytes()))
}

fn leave(issuer: &Issuer, headers: &HeaderMap, fields: &Fields) -> Response {
    if let Some((handle, _)) = issuer.session(headers) {
        issuer.state().sessions.remove(&handle);
    }
    let response = match target(issuer, fields) {
        Some(target) => see_other(&target),
        None => issuer.message(StatusCode::OK, "You’re logged out here", "You can close this page.", context! {}),
    };
    with(response, SET_COOKIE, &format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"))
}

/// Where to go: exactly a registered URI of the client that the hint or `client_id` names (both must agree), with `state`.
fn target(issuer: &Issuer, fields: &Fields) -> Option<String> {
    let hinted = hint(issuer, fields).map(|(client, _)| client);
    let named = fields.one("client_id").map(str::to_owned);
    let id = match (hinted, named) {
        (Some(hinted), Some(named)) if hinted != named => return None,
        (hinted, named) => hinted.or(named)?,
    };
    let wanted = fields.one("post_logout_redirect_uri")?;
    let known = &issuer.client(&id)?.post_logout_redirect_uris;
    let mut target = Url::parse(known.iter().find(|known| *known == wanted)?).ok()?;
    if let Some(state) = fields.one("state") {
        target.query_pairs_mut().append_pair("state", state);
    }
    Some(target.into())
}

/// Client and `sid` of an ID token that this provider signed; its age does not matter (§4).
fn hint(issuer: &Issuer, fields: &Fields) -> Option<(String, String)> {
    let claims = issuer.keys.own_claims(fields.one("id_token_hint")?)?;
    let claim = |name: &str| Some(claims.get(name)?.as_str()?.to_owned());
    (claim("iss")? == issuer.options.url).then_some((claim("aud")?, claim("sid")?))
}
