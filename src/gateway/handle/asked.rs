//! What a request says that it is: a page or a script's, from which origin, a preflight, an upgrade. Browsers say it; whoever lies
//! changes how a refusal looks, never whether there is one.

use crate::gateway::table::Target;
use crate::gateway::upload::RequestBody;
use crate::kernel::request::intent::{self, Declared};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request};
use http_body::Body as _;

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// What a request asked for, kept for the case that its session ends before its answer.
#[derive(Clone, Copy, Default)]
pub(super) struct Asked {
    pub(super) safe: bool,
    pub(super) page: bool,
}

impl Asked {
    pub(super) fn of(request: &Request<RequestBody>) -> Self {
        let headers = request.headers();
        // Browsers say it in one field; the other is read only without it.
        let page = match headers.get(SEC_FETCH_MODE) {
            Some(mode) => mode == "navigate",
            None => {
                let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
                Declared { accept, ..Declared::default() }.is_navigation()
            }
        };
        Self { safe: intent::is_safe(request.method().as_str()), page }
    }
}

pub(in crate::gateway) fn declared(headers: &HeaderMap) -> Declared<'_> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    // Of a field that must not be repeated, two values are one that nothing matches.
    let once = |name: HeaderName| {
        let several = headers.get_all(&name).iter().nth(1).is_some();
        if several { Some("null") } else { text(name) }
    };
    Declared {
        mode: text(SEC_FETCH_MODE),
        site: once(HeaderName::from_static("sec-fetch-site")),
        accept: text(header::ACCEPT),
        origin: once(header::ORIGIN),
        accept_language: text(header::ACCEPT_LANGUAGE),
        picked: picked(headers),
    }
}

/// The language that the person picked on this host; read for refusals alone.
fn picked(headers: &HeaderMap) -> Option<&str> {
    let texts = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(';')).find_map(|pair| pair.trim().strip_prefix("__Host-fedgate-language="))
}

/// Methods by which a server sends back what it was sent, our fields to it included (RFC 9110 §9.3.8).
pub(super) fn echoes(method: &Method) -> bool {
    ["TRACE", "TRACK"].iter().any(|echo| method.as_str().eq_ignore_ascii_case(echo))
}

pub(in crate::gateway) fn asks_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(header::UPGRADE)
}

/// The request's origin, if the product lists it for CORS.
pub(super) fn listed_origin(headers: &HeaderMap, target: &Target) -> Option<HeaderValue> {
    if target.site.origins.is_empty() {
        return None;
    }
    let origin = headers.get(header::ORIGIN)?;
    target.site.origins.iter().any(|listed| listed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

pub(super) fn is_listed_preflight(request: &Request<RequestBody>, target: &Target) -> bool {
    // Browsers send none with a body; what strangers say ends here (rule C7).
    *request.method() == Method::OPTIONS
        && request.body().is_end_stream()
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        && listed_origin(request.headers(), target).is_some()
}
