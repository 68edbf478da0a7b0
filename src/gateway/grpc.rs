//! Our own answers to calls of gRPC. A client of gRPC reads `grpc-status` alone, so a refusal goes as a trailers-only answer: HTTP
//! 200, the status in the head, no body (gRPC over HTTP/2, "Responses").
//!
//! Deliberately absent: answers of products, which pass as they are.

use super::answer::Answer;
use super::body::Outgoing;
use super::upstream::form::{is_grpc, is_grpc_web};
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode};

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// The content type of a call; `None` for everything else. Calls are always POST, so other requests cost one comparison. Under
/// `/.fedgate` there is none: to a proxy that asks there whether a call may pass, 200 is a yes.
pub(super) fn call<B>(request: &Request<B>) -> Option<HeaderValue> {
    let is_call = *request.method() == Method::POST
        && (is_grpc(request.headers()) || is_grpc_web(request.headers()))
        && !request.uri().path().starts_with("/.fedgate");
    is_call.then(|| request.headers().get(header::CONTENT_TYPE).cloned()).flatten()
}

/// Says a refusal of ours as gRPC does, under the call's content type.
pub(super) fn translate(answer: &mut Answer, kind: HeaderValue) {
    if answer.status().is_success() || !matches!(answer.body(), Outgoing::Ours(_)) {
        return;
    }
    let (status, message) = meaning(answer.status());
    *answer.status_mut() = StatusCode::OK;
    *answer.body_mut() = Outgoing::empty();
    let headers = answer.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::LOCATION);
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(STATUS, HeaderValue::from_static(status));
    headers.insert(MESSAGE, HeaderValue::from_static(message));
    if headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
        let exposed = HeaderValue::from_static("grpc-status, grpc-message");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}

/// Code and message, the message in plain ASCII without `%`, which needs no encoding.
fn meaning(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FOUND | StatusCode::SEE_OTHER => ("16", "login required"),
        StatusCode::FORBIDDEN => ("7", "refused"),
        StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT => ("4", "no answer in time"),
        StatusCode::PAYLOAD_TOO_LARGE => ("8", "the call is larger than the product allows"),
        StatusCode::BAD_REQUEST => ("3", "the request has no single meaning"),
        StatusCode::NOT_FOUND => ("12", "there is no such method"),
        _ => ("14", "not available now, try again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::answer::plain;

    #[test]
    fn a_refusal_is_a_trailers_only_answer() {
        for (status, code) in [(401, "16"), (303, "16"), (403, "7"), (502, "14"), (503, "14"), (504, "4"), (413, "8")] {
            let mut answer = plain(StatusCode::from_u16(status).unwrap(), "x", "ref");
            translate(&mut answer, HeaderValue::from_static("application/grpc+proto"));
            assert_eq!((answer.status(), &answer.headers()[STATUS]), (StatusCode::OK, &HeaderValue::from_static(code)));
            assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/grpc+proto");
            assert!(matches!(answer.body(), Outgoing::Ours(None)));
        }
    }

    #[test]
    fn only_a_post_with_its_content_type_is_a_call() {
        for (method, kind, yes) in [
            (Method::POST, "application/grpc", true),
            (Method::POST, "application/grpc-web+proto", true),
            (Method::GET, "application/grpc", false),
            (Method::POST, "application/json", false),
        ] {
            let request = Request::builder().method(method).header("content-type", kind).body(()).unwrap();
            assert_eq!(call(&request).is_some(), yes, "{kind}");
        }
    }
}
