//! The provider's own login page.

use hyper::StatusCode;
use hyper::header::{HeaderMap, SET_COOKIE};
use minijinja::{Value, context};
use subtle::ConstantTimeEq as _;

use super::authorize::{denial, grant, refuse};
use super::request::{AuthorizationRequest, Refused};
use super::state::Session;
use super::{COOKIE, Issuer};
use crate::demo::http::{Fields, Response, is_same_origin, text, with};
use crate::demo::jose::random_handle;
use crate::demo::people::Person;

/// Shows the page. The request travels along in the form and is judged again when it comes back.
pub(super) fn page(
    issuer: &Issuer,
    request: &AuthorizationRequest<'_>,
    fields: &Fields,
    tried: Option<&str>,
) -> Response {
    let hint = request.login_hint.as_deref().unwrap_or_default();
    let known = issuer.options.people.iter().find(|person| person.email.eq_ignore_ascii_case(hint));
    let person = |person: &Person| context! { name => person.name, email => person.email, password => person.password, shows => person.shows };
    let people: Vec<Value> = issuer.options.people.iter().map(person).collect();
    let values = context! {
        issuer => issuer.frame(),
        request => fields.encode_without(&[]),
        email => tried.unwrap_or(hint),
        failed => tried.is_some(),
        known => known.map(person),
        people,
    };
    issuer.shell.page(StatusCode::OK, "login.html", values)
}

/// The form came back: fields `request`, `email`, `password`, or `cancel`.
pub(super) fn answer(issuer: &Issuer, headers: &HeaderMap, form: &Fields) -> Response {
    if !is_same_origin(headers, &issuer.options.url) {
        return text(StatusCode::FORBIDDEN, "this form was not sent from this site\n");
    }
    let fields = Fields::parse(form.one("request").unwrap_or_default().as_bytes());
    let request = match AuthorizationRequest::read(issuer, &fields) {
        Ok(request) => request,
        Err(refused) => return refuse(issuer, refused),
    };
    if form.one("cancel").is_some() {
        return refuse(issuer, denial(request, "access_denied", "the person turned back"));
    }
    let (email, password) = (form.one("email").unwrap_or_default(), form.one("password").unwrap_or_default());
    let person = issuer.options.people.iter().find(|person| person.email.eq_ignore_ascii_case(email.trim()));
    match person.filter(|person| bool::from(person.password.as_bytes().ct_eq(password.as_bytes()))) {
        Some(person) => begin(issuer, headers, request, person),
        None => page(issuer, &request, &fields, Some(email)),
    }
}

/// A new session, whatever the browser had before.
fn begin(issuer: &Issuer, headers: &HeaderMap, request: AuthorizationRequest<'_>, person: &'static Person) -> Response {
    let (Ok(handle), Ok(sid)) = (random_handle(), random_handle()) else {
        return refuse(issuer, Refused::Here("This machine gives no random numbers."));
    };
    if let Some((old, _)) = issuer.session(headers) {
        issuer.state().sessions.remove(&old);
    }
    let session = Session { person, auth_time: issuer.now(), sid };
    issuer.state().sessions.insert(handle.clone(), session.clone());
    let response = grant(issuer, request, session);
    with(response, SET_COOKIE, &format!("{COOKIE}={handle}; Path=/; Secure; HttpOnly; SameSite=Lax"))
}
