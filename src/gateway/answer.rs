//! The few answers that the data path gives by itself: where no product is known, or nobody can be asked.
//!
//! Everything with words for people goes through `Routes`.

use super::body::Outgoing;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

/// A response of ours, on its way out.
pub(super) type Answer = Response<Outgoing>;

/// A line of text, with the request's id as reference.
pub(super) fn plain(status: StatusCode, text: &str, request_id: &str) -> Answer {
    let body = format!("{status}: {text}\nref: {request_id}\n");
    let mut answer = Response::new(Outgoing::from(Bytes::from(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// Sends the browser elsewhere; never cached, because the next answer may be another.
pub(super) fn redirect(status: StatusCode, location: &str, request_id: &str) -> Answer {
    let Ok(location) = HeaderValue::from_str(location) else {
        return plain(StatusCode::BAD_REQUEST, "the address has no single meaning", request_id);
    };
    let mut answer = Response::new(Outgoing::empty());
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::LOCATION, location);
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The store is out: try again.
pub(super) fn unavailable(request_id: &str) -> Answer {
    let mut answer =
        plain(StatusCode::SERVICE_UNAVAILABLE, "we cannot check your session now, please try again", request_id);
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    answer
}

/// Marks [`session_ended`].
#[derive(Clone, Debug)]
pub(super) struct SessionEnded;

/// Stands for the answer to a request whose session ended while its product had not answered: the same as without a session, put
/// into words where those are (`handle.rs`).
pub(super) fn session_ended() -> Answer {
    let mut answer = Response::new(Outgoing::empty());
    *answer.status_mut() = StatusCode::UNAUTHORIZED;
    answer.extensions_mut().insert(SessionEnded);
    answer
}

/// For a machine that asks whether we live.
pub(super) fn healthy() -> Answer {
    let mut answer = Response::new(Outgoing::from(Bytes::from_static(b"ok\n")));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// What an authority wants to read (RFC 8555 §8.3).
pub(super) fn key_authorization(text: &str) -> Answer {
    let mut answer = Response::new(Outgoing::from(Bytes::copy_from_slice(text.as_bytes())));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    answer.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// One of our pages.
pub(super) fn page(response: Response<Bytes>) -> Answer {
    let mut answer = response.map(Outgoing::from);
    answer.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}
