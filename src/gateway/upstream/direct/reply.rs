//! The head of a response: its status, its fields, and how its body is framed (RFC 9112 §6.3).
//!
//! Deliberately absent: `101` and HEAD (both go by hyper), and any reading of a response that is not exactly HTTP/1.0 or 1.1.

use super::chunks::Chunks;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use std::mem::MaybeUninit;

/// The most fields that a response may have, and the most bytes before its body: as many as hyper allows.
pub(super) const FIELDS: usize = 100;
pub(super) const LARGEST: usize = 400 * 1024;

/// What is no response.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("the response's head is malformed")]
    Head,
    #[error("the response's head is too large")]
    TooLarge,
    #[error("the response's length has no single meaning")]
    Length,
    #[error("the response's chunks are malformed")]
    Chunks,
    #[error("the upstream switched protocols unasked")]
    Switched,
}

/// How long a body is.
#[derive(Debug)]
pub(super) enum Framing {
    /// So many bytes more; none, and it is over.
    Length(u64),
    Chunked(Box<Chunks>),
    UntilClosed,
}

/// A head, besides its fields.
#[derive(Debug)]
pub(in crate::gateway) struct Head {
    pub(super) status: StatusCode,
    pub(super) framing: Framing,
    /// Whether the connection can serve another request after the body.
    pub(super) keeps: bool,
    /// What was received behind the head.
    pub(super) rest: Bytes,
}

impl Head {
    pub(in crate::gateway) fn status(&self) -> StatusCode {
        self.status
    }
}

/// Reads the head of the answer to a GET from what was received; `None` when more must come. Interim responses are passed over
/// (RFC 9110 §15.2). `headers` is emptied and filled only by a whole final head.
pub(super) fn read(inbox: &mut BytesMut, headers: &mut HeaderMap) -> Result<Option<Head>, Malformed> {
    let mut received = inbox.split().freeze();
    loop {
        // The parser would pass over any number of empty lines, each time that it is asked.
        if received.first().is_some_and(|first| *first != b'H') {
            return Err(Malformed::Head);
        }
        let mut fields = [const { MaybeUninit::uninit() }; FIELDS];
        let mut response = httparse::Response::new(&mut []);
        let parser = httparse::ParserConfig::default();
        let parsed = parser.parse_response_with_uninit_headers(&mut response, &received, &mut fields);
        let length = match parsed {
            Ok(httparse::Status::Complete(length)) if length <= LARGEST => length,
            Ok(httparse::Status::Complete(_)) => return Err(Malformed::TooLarge),
            Ok(httparse::Status::Partial) if received.len() >= LARGEST => return Err(Malformed::TooLarge),
            Ok(httparse::Status::Partial) => {
                // The inbox holds the same block, which is given back without a copy only to the one who alone has it.
                *inbox = BytesMut::new();
                *inbox = received.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&*shared));
                return Ok(None);
            }
            Err(_) => return Err(Malformed::Head),
        };
        let status = response.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Malformed::Head)?;
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Malformed::Switched);
        }
        if status.is_informational() {
            received = received.slice(length..);
            continue;
        }
        let is_http11 = response.version == Some(1);
        let of_connection = fill(headers, &received, response.headers)?;
        let framing = framing(status, is_http11, headers)?;
        let keeps = is_http11 && of_connection && !matches!(framing, Framing::UntilClosed);
        return Ok(Some(Head { status, framing, keeps, rest: received.slice(length..) }));
    }
}

/// Puts the fields into the map; whether no `Connection` field speaks against another request.
fn fill(headers: &mut HeaderMap, received: &Bytes, fields: &[httparse::Header<'_>]) -> Result<bool, Malformed> {
    headers.clear();
    headers.reserve(fields.len());
    let mut stays = true;
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Malformed::Head)?;
        let value = HeaderValue::from_maybe_shared(received.slice_ref(field.value)).map_err(|_| Malformed::Head)?;
        if name == CONNECTION {
            let closes = |value: &str| value.split(',').any(|option| option.trim().eq_ignore_ascii_case("close"));
            stays &= value.to_str().is_ok_and(|value| !closes(value));
        }
        headers.try_append(name, value).map_err(|_| Malformed::TooLarge)?;
    }
    Ok(stays)
}

fn framing(status: StatusCode, is_http11: bool, headers: &HeaderMap) -> Result<Framing, Malformed> {
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Ok(Framing::Length(0));
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        // Two lengths, of which another reader may take the other one (RFC 9112 §6.3).
        if headers.contains_key(CONTENT_LENGTH) {
            return Err(Malformed::Length);
        }
        return match coding(headers) {
            _ if !is_http11 => Err(Malformed::Length),
            Some(true) => Ok(Framing::Chunked(Box::new(Chunks::new()))),
            Some(false) => Ok(Framing::UntilClosed),
            None => Err(Malformed::Length),
        };
    }
    let mut length = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        for one in value.as_bytes().split(|byte| *byte == b',') {
            let said = digits(one.trim_ascii())?;
            if length.replace(said).is_some_and(|before| before != said) {
                return Err(Malformed::Length);
            }
        }
    }
    Ok(length.map_or(Framing::UntilClosed, Framing::Length))
}

/// Whether the last transfer coding is `chunked`; `None` when it is another time among them, or they cannot be read.
fn coding(headers: &HeaderMap) -> Option<bool> {
    let mut last_is_chunked = false;
    for value in headers.get_all(TRANSFER_ENCODING) {
        for one in value.to_str().ok()?.split(',') {
            if last_is_chunked {
                return None;
            }
            last_is_chunked = one.trim().eq_ignore_ascii_case("chunked");
        }
    }
    Some(last_is_chunked)
}

/// A length: digits and nothing else, of 64 bits at most.
fn digits(text: &[u8]) -> Result<u64, Malformed> {
    let number = text.iter().try_fold(0_u64, |number, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    });
    number.filter(|_| !text.is_empty()).ok_or(Malformed::Length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, framing, whether the connection stays, and what is behind the head.
    fn read_text(text: &str) -> Result<Option<(u16, String, bool, String)>, Malformed> {
        let mut headers = HeaderMap::new();
        let head = read(&mut BytesMut::from(text), &mut headers)?;
        Ok(head.map(|head| {
            let framing = match head.framing {
                Framing::Length(length) => length.to_string(),
                Framing::Chunked(_) => "chunked".to_owned(),
                Framing::UntilClosed => "closed".to_owned(),
            };
            (head.status.as_u16(), framing, head.keeps, String::from_utf8(head.rest.to_vec()).unwrap())
        }))
    }

    #[track_caller]
    fn check(text: &str, expected: Result<Option<(u16, &str, bool, &str)>, Malformed>) {
        let text = text.replace('\n', "\r\n");
        let found = read_text(&text);
        let found = found.as_ref().map(|found| found.as_ref().map(|(a, b, c, d)| (*a, b.as_str(), *c, d.as_str())));
        assert_eq!(found, expected.as_ref().map(|expected| *expected), "{text:?}");
    }

    #[test]
    fn a_body_is_as_long_as_rfc_9112_6_3_says() {
        check("HTTP/1.1 200 OK\ncontent-length: 5\n\nhello", Ok(Some((200, "5", true, "hello"))));
        check("HTTP/1.1 200 OK\ncontent-length: 5\n\nhelloHTTP", Ok(Some((200, "5", true, "helloHTTP"))));
        check("HTTP/1.1 200 \ncontent-length: 5, 5\nContent-Length: 5\n\n", Ok(Some((200, "5", true, ""))));
        check("HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n", Ok(Some((200, "chunked", true, ""))));
        check("HTTP/1.1 200 OK\nTransfer-Encoding: gzip, Chunked\n\n", Ok(Some((200, "chunked", true, ""))));
        check("HTTP/1.1 200 OK\ntransfer-encoding: gzip\n\n", Ok(Some((200, "closed", false, ""))));
        check("HTTP/1.1 200 OK\n\n", Ok(Some((200, "closed", false, ""))));
        check("HTTP/1.1 204 No\ncontent-length: 5\n\n", Ok(Some((204, "0", true, ""))));
        check("HTTP/1.1 304 Same\ncontent-length: 5\n\n", Ok(Some((304, "0", true, ""))));
        check("HTTP/1.1 103 Early\nlink: x\n\nHTTP/1.1 200 OK\ncontent-length: 0\n\n", Ok(Some((200, "0", true, ""))));
    }

    #[test]
    fn a_connection_that_may_close_is_not_used_again() {
        for (fields, stays) in [
            ("Connection: close\n", false),
            ("connection: keep-alive\nconnection: Close\n", false),
            ("connection: x, close\n", false),
            ("connection: \u{e4}\n", false),
            ("connection: keep-alive\n", true),
        ] {
            check(&format!("HTTP/1.1 200 OK\n{fields}content-length: 0\n\n"), Ok(Some((200, "0", stays, ""))));
        }
        check("HTTP/1.0 200 OK\nconnection: keep-alive\ncontent-length: 0\n\n", Ok(Some((200, "0", false, ""))));
    }

    #[test]
    fn what_has_two_lengths_or_none_is_an_error() {
        for field in [
            "content-length: 5\ncontent-length: 6",
            "content-length: 5, 6",
            "content-length: +5",
            "content-length: -1",
            "content-length: 5 5",
            "content-length: ",
            "content-length: 5,",
            "content-length: 0x5",
            "content-length: 99999999999999999999",
            "transfer-encoding: chunked\ncontent-length: 5",
            "content-length: 5\ntransfer-encoding: chunked",
            "transfer-encoding: chunked, chunked",
            "transfer-encoding: chunked, gzip",
            "transfer-encoding: chunked\ntransfer-encoding: gzip",
        ] {
            check(&format!("HTTP/1.1 200 OK\n{field}\n\n"), Err(Malformed::Length));
        }
        check("HTTP/1.0 200 OK\ntransfer-encoding: chunked\n\n", Err(Malformed::Length));
    }

    #[test]
    fn what_is_no_response_is_an_error_and_what_is_not_whole_waits() {
        for text in [
            "HTTP/2.0 200 OK\n\n",
            "HTTP/0.9 200 OK\n\n",
            "ICY 200 OK\n\n",
            "GET / HTTP/1.1\n\n",
            "HTTP/1.1 20 OK\n\n",
            "HTTP/1.1 099 OK\n\n",
            "HTTP/1.1 200 OK\n folded: x\n\n",
            "HTTP/1.1 200 OK\na : b\n\n",
            "HTTP/1.1 200 OK\na: b\n c\n\n",
            "HTTP/1.1 200 OK\na\u{0}: b\n\n",
            "\n",
            "\nHTTP/1.1 200 OK\n\n",
            "HTTP/1.1 103 Early\n\n\nHTTP/1.1 200 OK\n\n",
        ] {
            check(text, Err(Malformed::Head));
        }
        check("HTTP/1.1 101 Switching Protocols\nupgrade: websocket\n\n", Err(Malformed::Switched));
        check(&format!("HTTP/1.1 200 OK\n{}\n", "a: b\n".repeat(FIELDS + 1)), Err(Malformed::Head));
        check(&format!("HTTP/1.1 200 OK\na: {}", "b".repeat(LARGEST)), Err(Malformed::TooLarge));
        let text = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        for end in 0..text.len() {
            let (mut inbox, mut headers) = (BytesMut::from(&text[..end]), HeaderMap::new());
            let place = inbox.as_ptr();
            assert!(matches!(read(&mut inbox, &mut headers), Ok(None)), "{end}");
            assert_eq!(&*inbox, &text.as_bytes()[..end], "nothing is lost");
            assert!(end == 0 || inbox.as_ptr() == place, "and nothing is copied");
        }
    }
}
