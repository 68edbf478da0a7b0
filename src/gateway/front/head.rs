//! The head of a request that we read ourselves: GET or HEAD by HTTP/1.1, with nothing in it that speaks of a body, an upgrade or
//! the connection's end.
//!
//! Deliberately absent: refusals, and any reading of lengths. Whatever is not exactly that is hyper's, bytes and all, with the
//! answer that hyper has for it; so no request means more here than there.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};
use std::mem::MaybeUninit;

/// The most fields of such a request. hyper takes more, of bytes too.
const FIELDS: usize = 64;
/// The most bytes.
pub const LARGEST: usize = 16 * 1024;

/// What was received.
#[derive(Debug)]
pub enum Read {
    /// A head of so many bytes.
    Whole(Box<Head>, usize),
    /// The beginning of one, perhaps.
    Partial,
    /// Something else.
    Other,
}

/// A request without a body.
#[derive(Debug)]
pub struct Head {
    /// GET or HEAD.
    pub method: Method,
    /// In origin form.
    pub uri: Uri,
    /// As they came.
    pub headers: HeaderMap,
}

/// Reads what stands at the beginning of `received`. `headers` is an empty map, for the room that it has.
pub fn read(received: &Bytes, headers: HeaderMap) -> Read {
    if !matches!(received.first(), Some(b'G' | b'H')) {
        return Read::Other;
    }
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS];
    let mut request = httparse::Request::new(&mut []);
    let parser = httparse::ParserConfig::default();
    match parser.parse_request_with_uninit_headers(&mut request, received, &mut fields) {
        Ok(httparse::Status::Complete(length)) if length <= LARGEST => {
            whole(received, &request, headers).map_or(Read::Other, |head| Read::Whole(Box::new(head), length))
        }
        Ok(httparse::Status::Partial) if received.len() < LARGEST => Read::Partial,
        _ => Read::Other,
    }
}

fn whole(received: &Bytes, request: &httparse::Request<'_, '_>, mut headers: HeaderMap) -> Option<Head> {
    let method = match request.method? {
        "GET" => Method::GET,
        "HEAD" => Method::HEAD,
        _ => return None,
    };
    if request.version != Some(1) {
        return None;
    }
    // Absolute and asterisk forms are hyper's.
    let target = request.path.filter(|target| target.starts_with('/'))?;
    let uri = Uri::from_maybe_shared(received.slice_ref(target.as_bytes())).ok()?;
    headers.reserve(request.headers.len());
    for field in request.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        if !is_plain(&name, field.value) {
            return None;
        }
        let value = HeaderValue::from_maybe_shared(received.slice_ref(field.value)).ok()?;
        headers.try_append(name, value).ok()?;
    }
    Some(Head { method, uri, headers })
}

/// Whether a field leaves a request without a body what it is.
fn is_plain(name: &HeaderName, value: &[u8]) -> bool {
    match *name {
        header::CONTENT_LENGTH
        | header::TRANSFER_ENCODING
        | header::EXPECT
        | header::UPGRADE
        // Trailers of the answer would be for this client.
        | header::TE
        | header::TRAILER => false,
        header::CONNECTION => value.eq_ignore_ascii_case(b"keep-alive"),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Method, target, fields and length; `None` for a part of a head.
    #[track_caller]
    fn check(text: &str, expected: Result<Option<(&str, &str, usize, usize)>, ()>) {
        let text = text.replace('\n', "\r\n");
        let received = Bytes::copy_from_slice(text.as_bytes());
        let found = match read(&received, HeaderMap::new()) {
            Read::Whole(head, length) => {
                Ok(Some((head.method.to_string(), head.uri.to_string(), head.headers.len(), length)))
            }
            Read::Partial => Ok(None),
            Read::Other => Err(()),
        };
        let found = found.as_ref().map(|one| one.as_ref().map(|(a, b, c, d)| (a.as_str(), b.as_str(), *c, *d)));
        assert_eq!(found.ok(), expected.ok(), "{text:?}");
    }

    #[test]
    fn a_get_or_a_head_without_a_body_is_read() {
        check("GET / HTTP/1.1\nHost: a\n\n", Ok(Some(("GET", "/", 1, 27))));
        check("HEAD /a?b=c HTTP/1.1\nHost: a\nHost: b\n\nGET", Ok(Some(("HEAD", "/a?b=c", 2, 42))));
        check("GET / HTTP/1.1\nConnection: Keep-Alive\n\n", Ok(Some(("GET", "/", 1, 42))));
        let text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        for end in 1..text.len() {
            let part = Bytes::copy_from_slice(&text.as_bytes()[..end]);
            assert!(matches!(read(&part, HeaderMap::new()), Read::Partial), "{end}");
        }
    }

    #[test]
    fn whatever_else_there_is_in_a_head_is_not_ours() {
        for text in [
            "POST / HTTP/1.1\nHost: a\n\n",
            "get / HTTP/1.1\nHost: a\n\n",
            "GETS / HTTP/1.1\nHost: a\n\n",
            "GET / HTTP/1.0\nHost: a\n\n",
            "GET / HTTP/2.0\nHost: a\n\n",
            "GET http://a/ HTTP/1.1\nHost: a\n\n",
            "GET * HTTP/1.1\nHost: a\n\n",
            "GET  / HTTP/1.1\nHost: a\n\n",
            "GET / HTTP/1.1\nHost : a\n\n",
            "GET / HTTP/1.1\nHost: a\n b\n\n",
            "GET / HTTP/1.1\n Host: a\n\n",
            "GET / HTTP/1.1\nHost: a\u{0}\n\n",
            "GET / HTTP/1.1\nHost\n\n",
            "\nGET / HTTP/1.1\nHost: a\n\n",
        ] {
            check(text, Err(()));
        }
        for field in [
            "Content-Length: 0",
            "Content-Length: 5",
            "content-length:",
            "Transfer-Encoding: chunked",
            "Transfer-Encoding: identity",
            "Expect: 100-continue",
            "Upgrade: websocket",
            "Upgrade: h2c",
            "TE: trailers",
            "Trailer: a",
            "Connection: close",
            "Connection: keep-alive, upgrade",
            "Connection: keep-alive\nConnection: cookie",
            "Connection:",
        ] {
            check(&format!("GET / HTTP/1.1\nHost: a\n{field}\n\n"), Err(()));
        }
    }

    #[test]
    fn a_head_has_a_largest_size() {
        let fields = |count: usize| format!("GET / HTTP/1.1\n{}\n", "a: b\n".repeat(count));
        check(&fields(FIELDS), Ok(Some(("GET", "/", FIELDS, 18 + 6 * FIELDS))));
        check(&fields(FIELDS + 1), Err(()));
        let around = "GET / HTTP/1.1\na: \n\n".len() + 3;
        check(&format!("GET / HTTP/1.1\na: {}\n\n", "b".repeat(LARGEST - around)), Ok(Some(("GET", "/", 1, LARGEST))));
        check(&format!("GET / HTTP/1.1\na: {}\n\n", "b".repeat(LARGEST - around + 1)), Err(()));
        check(&format!("GET / HTTP/1.1\na: {}", "b".repeat(LARGEST - around)), Ok(None));
        check(&format!("GET / HTTP/1.1\na: {}", "b".repeat(LARGEST)), Err(()));
    }
}
