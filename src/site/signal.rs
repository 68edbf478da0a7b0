//! Where a directory's provider says, without a browser, that somebody's sessions are over: security events pushed to
//! `/signals/{directory}` (RFC 8935), logout tokens at `/oidc/{directory}/backchannel-logout` (OpenID Connect Back-Channel Logout 1.0
//! §2.5), and Okta's Universal Logout at `/global-token-revocation/{directory}`. No cookie counts there; the token is who asks.

use super::forms::Fields;
use super::login_host::directory_of;
use super::{Site, render};
use crate::kernel::model::{Directory, Protocol};
use crate::kernel::oidc::{SignalDoor, SignalFault, SignalKind};
use crate::login::{Acted, ArrivedSignal, Visitor};
use crate::web::PageRequest;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Response, StatusCode};
use serde_json::json;
use std::sync::Arc;

/// Which door a path is, and of which directory.
pub(super) fn door(path: &str) -> Option<(SignalKind, &str)> {
    let below = |prefix| path.strip_prefix(prefix).filter(|rest: &&str| rest.is_empty() || rest.starts_with('/'));
    if let Some(rest) = below("/signals") {
        return Some((SignalKind::Event, rest));
    }
    if let Some(rest) = below("/global-token-revocation") {
        return Some((SignalKind::Revocation, rest));
    }
    let rest = below("/oidc")?.strip_suffix("/backchannel-logout")?;
    Some((SignalKind::Logout, rest))
}

impl Site {
    /// One of these doors. A directory whose provider has no keys for tokens has none.
    pub(super) async fn on_signal(
        &self,
        request: &PageRequest,
        visitor: &Visitor,
        (kind, rest): (SignalKind, &str),
    ) -> Response<Bytes> {
        let Some(directory) = self.signalling_directory(rest) else { return self.not_found(request) };
        if request.head.method != Method::POST {
            return render::empty(StatusCode::METHOD_NOT_ALLOWED);
        }
        let Some(token) = token(request, kind) else { return answer(kind, Acted::Refused(SignalFault::Shape)) };
        let address = format!("{}{}", self.login.world().catalog.load().login.url(), kind.path(&directory.name));
        let arrived =
            ArrivedSignal { door: SignalDoor { kind, address: &address }, token: &token, body: &request.body };
        answer(kind, self.login.on_signal(visitor, &directory, arrived).await)
    }

    fn signalling_directory(&self, rest: &str) -> Option<Arc<Directory>> {
        let catalog = self.login.world().catalog.load();
        let names = directory_of(rest)?;
        let id = names.iter().find_map(|name| catalog.directory_names.get(name))?;
        let directory = catalog.directories.get(id)?;
        matches!(directory.protocol, Protocol::Oidc(_)).then(|| Arc::clone(directory))
    }
}

/// The token, where its door expects it and nowhere else.
fn token(request: &PageRequest, kind: SignalKind) -> Option<String> {
    match kind {
        SignalKind::Event => {
            let named = request.head.headers.get(CONTENT_TYPE)?.to_str().ok()?.split(';').next()?.trim();
            let is_event = named.eq_ignore_ascii_case("application/secevent+jwt");
            std::str::from_utf8(&request.body).ok().filter(|_| is_event).map(str::to_owned)
        }
        SignalKind::Logout => Some(Fields::of_form(request).text("logout_token").to_owned()),
        SignalKind::Revocation => {
            let mut sent = request.head.headers.get_all(AUTHORIZATION).iter();
            let (Some(one), None) = (sent.next(), sent.next()) else { return None };
            let (scheme, token) = one.to_str().ok()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.to_owned())
        }
    }
}

/// What the sender is told, in its own protocol's words: never who is known here.
fn answer(kind: SignalKind, acted: Acted) -> Response<Bytes> {
    let fault = match acted {
        Acted::Done => {
            return render::empty(match kind {
                SignalKind::Event => StatusCode::ACCEPTED,
                SignalKind::Logout => StatusCode::OK,
                SignalKind::Revocation => StatusCode::NO_CONTENT,
            });
        }
        // Delivered twice is delivered: the transmitter may not have heard our answer (RFC 8935 §2.2).
        Acted::Refused(SignalFault::Replayed) if kind == SignalKind::Event => {
            return render::empty(StatusCode::ACCEPTED);
        }
        Acted::Refused(SignalFault::Rate) => return later(StatusCode::TOO_MANY_REQUESTS, "60"),
        Acted::Later => return later(StatusCode::SERVICE_UNAVAILABLE, "5"),
        Acted::Refused(fault) => fault,
    };
    match kind {
        SignalKind::Event => {
            let body = json!({ "err": fault.err(), "description": fault.code() });
            with_json(StatusCode::BAD_REQUEST, &body)
        }
        SignalKind::Logout => {
            let body = json!({ "error": "invalid_request", "error_description": fault.code() });
            with_json(StatusCode::BAD_REQUEST, &body)
        }
        SignalKind::Revocation if fault == SignalFault::Subject => render::empty(StatusCode::BAD_REQUEST),
        SignalKind::Revocation => {
            let mut response = render::empty(StatusCode::UNAUTHORIZED);
            let said = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, said);
            response
        }
    }
}

fn later(status: StatusCode, seconds: &'static str) -> Response<Bytes> {
    let mut response = render::empty(status);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(seconds));
    response
}

pub(super) fn with_json(status: StatusCode, body: &serde_json::Value) -> Response<Bytes> {
    let mut response = render::json(body.to_string());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_its_own_path_and_no_other() {
        let shown = |path: &'static str| door(path).map(|(kind, rest)| (kind, rest.to_owned()));
        assert_eq!(shown("/signals/acme"), Some((SignalKind::Event, "/acme".to_owned())));
        assert_eq!(
            shown("/global-token-revocation/acme/okta"),
            Some((SignalKind::Revocation, "/acme/okta".to_owned()))
        );
        assert_eq!(shown("/oidc/acme/backchannel-logout"), Some((SignalKind::Logout, "/acme".to_owned())));
        assert_eq!(shown("/oidc/backchannel-logout"), Some((SignalKind::Logout, String::new())));
        for other in
            ["/signalsx", "/oidc/acme/jwks.json", "/oidcx/backchannel-logout", "/global-token-revocationx/a", "/"]
        {
            assert_eq!(shown(other), None, "{other}");
        }
    }
}
