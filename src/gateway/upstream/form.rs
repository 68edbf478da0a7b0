//! A request in the form that its connection's protocol wants: made as HTTP/1.1, changed for HTTP/2, and back when another
//! upstream is asked instead.

use crate::gateway::table::Target;
use crate::gateway::upload::Upload;
use http::uri::{Authority, Parts, Scheme};
use http::{HeaderMap, HeaderValue, Request, Uri, Version, header};
use http_body::Body as _;
use std::sync::Arc;

/// Whether it is gRPC, by its content type: `application/grpc`, with a kind of message (`+proto`) or parameters.
pub(in crate::gateway) fn is_grpc(headers: &HeaderMap) -> bool {
    is_kind(headers, b"application/grpc")
}

/// Whether it is gRPC-Web, which has its trailers in the body.
pub(in crate::gateway) fn is_grpc_web(headers: &HeaderMap) -> bool {
    is_kind(headers, b"application/grpc-web")
}

fn is_kind(headers: &HeaderMap, kind: &[u8]) -> bool {
    let said = headers.get(header::CONTENT_TYPE).and_then(|said| said.as_bytes().strip_prefix(kind));
    said.is_some_and(|rest| rest.first().is_none_or(|next| matches!(next, b'+' | b';' | b' ')))
}

/// For HTTP/2: the host goes into `:authority` (RFC 9113 §8.3.1), the framing of HTTP/1.1 goes, and trailers may pass (rule H7
/// holds for them, by `target`'s names). `TE: trailers` is set for gRPC, which refuses calls without it.
pub(in crate::gateway) fn for_http2(
    request: &mut Request<Upload>,
    scheme: Scheme,
    target: Option<&Arc<Target>>,
) -> Result<(), http::Error> {
    let headers = request.headers_mut();
    headers.remove(header::TRANSFER_ENCODING);
    if is_grpc(headers) {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    if let Some(host) = headers.remove(header::HOST) {
        let mut parts = Parts::default();
        parts.scheme = Some(scheme);
        parts.authority = Some(Authority::try_from(host.as_bytes())?);
        parts.path_and_query = request.uri().path_and_query().cloned();
        *request.uri_mut() = Uri::from_parts(parts)?;
    }
    *request.version_mut() = Version::HTTP_2;
    if let Some(target) = target {
        request.body_mut().let_trailers_pass(target);
    }
    Ok(())
}

/// For HTTP/1.1: takes back what [`for_http2`] did.
pub(in crate::gateway) fn for_http1(request: &mut Request<Upload>) -> Result<(), http::Error> {
    if request.version() != Version::HTTP_2 {
        return Ok(());
    }
    *request.version_mut() = Version::HTTP_11;
    request.headers_mut().remove(header::TE);
    if let Some(authority) = request.uri().authority() {
        let host = HeaderValue::from_str(authority.as_str())?;
        request.headers_mut().insert(header::HOST, host);
        let mut parts = Parts::default();
        parts.path_and_query = request.uri().path_and_query().cloned();
        *request.uri_mut() = Uri::from_parts(parts)?;
    }
    let body = request.body_mut();
    body.stop_trailers();
    if !body.is_end_stream() && body.size_hint().exact().is_none() {
        request.headers_mut().insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_http2_and_back_is_the_same_request() {
        let mut request = Request::new(Upload::none());
        *request.uri_mut() = "/a?b".parse().unwrap();
        request.headers_mut().insert(header::HOST, HeaderValue::from_static("a.example:8443"));
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc+proto"));
        let (uri, headers) = (request.uri().clone(), request.headers().clone());
        for_http2(&mut request, Scheme::HTTP, None).unwrap();
        assert_eq!(request.uri(), "http://a.example:8443/a?b");
        assert_eq!(request.headers().get(header::TE).unwrap(), "trailers");
        assert!(!request.headers().contains_key(header::HOST));
        for_http1(&mut request).unwrap();
        assert_eq!((request.uri(), request.headers()), (&uri, &headers));
    }
}
