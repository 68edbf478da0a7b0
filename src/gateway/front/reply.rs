//! The head of an answer as HTTP/1.1 writes it, and how its body is framed (RFC 9112 §6): by what the body says of itself, never by
//! what its fields say.

use http::header::{self, HeaderMap};
use http::{StatusCode, response::Parts};
use http_body::SizeHint;

/// How a body is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Framing {
    /// Not at all.
    Nothing,
    /// So many bytes are still to come.
    Length(u64),
    Chunked,
}

/// What there is to know of an answer besides its head.
pub(super) struct About<'a> {
    /// Whether the request was HEAD.
    pub(super) is_head: bool,
    /// Whether the body is over before it began.
    pub(super) is_empty: bool,
    pub(super) hint: SizeHint,
    /// Whether the connection ends with this answer.
    pub(super) closes: bool,
    /// The date, as fields have it.
    pub(super) date: &'a [u8],
}

/// Writes the head. Says how the body goes, and whether the connection ends with it.
pub(super) fn write(out: &mut Vec<u8>, head: &Parts, about: &About<'_>) -> (Framing, bool) {
    let bodiless = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let known = if about.is_empty { Some(0) } else { about.hint.exact() };
    status(out, head.status);
    let (mut dated, mut closing) = (false, false);
    for (name, value) in &head.headers {
        match *name {
            // Said below.
            header::CONTENT_LENGTH | header::TRANSFER_ENCODING => continue,
            header::TRAILER if bodiless || about.is_head => continue,
            header::DATE => dated = true,
            header::CONNECTION => closing |= says_close(value.as_bytes()),
            _ => {}
        }
        line(out, name.as_str().as_bytes(), value.as_bytes());
    }
    if about.closes && !closing {
        line(out, b"connection", b"close");
    }
    let framing = match known {
        _ if bodiless => Framing::Nothing,
        // The length that GET would have, where somebody knows it.
        Some(0) if about.is_head => {
            if let Some(length) = announced(&head.headers) {
                line(out, b"content-length", length);
            }
            Framing::Nothing
        }
        Some(length) => {
            out.extend_from_slice(b"content-length: ");
            digits(out, length);
            out.extend_from_slice(b"\r\n");
            if about.is_head { Framing::Nothing } else { Framing::Length(length) }
        }
        None if about.is_head => Framing::Nothing,
        None => {
            line(out, b"transfer-encoding", b"chunked");
            Framing::Chunked
        }
    };
    if !dated {
        line(out, b"date", about.date);
    }
    out.extend_from_slice(b"\r\n");
    (framing, about.closes || closing)
}

fn status(out: &mut Vec<u8>, status: StatusCode) {
    if status == StatusCode::OK {
        return out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.extend_from_slice(b" ");
    // As hyper says it of codes that nobody has named.
    out.extend_from_slice(status.canonical_reason().unwrap_or("<none>").as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// The one length that the fields announce.
fn announced(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get(header::CONTENT_LENGTH).map(|value| value.as_bytes())
}

fn says_close(value: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
}

/// A number in decimal.
pub(super) fn digits(out: &mut Vec<u8>, number: u64) {
    number_in(out, number, 10);
}

/// A chunk's size, in hexadecimal.
pub(super) fn size(out: &mut Vec<u8>, size: usize) {
    number_in(out, u64::try_from(size).unwrap_or(u64::MAX), 16);
    out.extend_from_slice(b"\r\n");
}

fn number_in(out: &mut Vec<u8>, mut number: u64, base: u32) {
    let from = out.len();
    loop {
        let digit = u32::try_from(number % u64::from(base)).ok().and_then(|digit| char::from_digit(digit, base));
        out.extend(digit.and_then(|digit| u8::try_from(digit).ok()));
        number /= u64::from(base);
        if number == 0 {
            break;
        }
    }
    if let Some(written) = out.get_mut(from..) {
        written.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Response;

    #[track_caller]
    fn check(status: u16, fields: &[(&str, &str)], about: About<'_>, text: &str, expected: (Framing, bool)) {
        let mut response = Response::builder().status(status);
        for (name, value) in fields {
            response = response.header(*name, *value);
        }
        let (head, ()) = response.body(()).unwrap().into_parts();
        let mut out = Vec::new();
        let found = write(&mut out, &head, &about);
        assert_eq!(String::from_utf8(out).unwrap(), text.replace('\n', "\r\n"));
        assert_eq!(found, expected);
    }

    fn about(length: Option<u64>) -> About<'static> {
        let hint = length.map_or_else(SizeHint::default, SizeHint::with_exact);
        About { is_head: false, is_empty: length == Some(0), hint, closes: false, date: b"now" }
    }

    #[test]
    fn a_body_is_framed_by_what_it_is() {
        use Framing::{Chunked, Length, Nothing};
        let lied = [("content-length", "7"), ("transfer-encoding", "gzip"), ("a", "b")];
        check(
            200,
            &lied,
            about(Some(5)),
            "HTTP/1.1 200 OK\na: b\ncontent-length: 5\ndate: now\n\n",
            (Length(5), false),
        );
        let chunked = "HTTP/1.1 200 OK\na: b\ntransfer-encoding: chunked\ndate: now\n\n";
        check(200, &lied, about(None), chunked, (Chunked, false));
        let nothing = "HTTP/1.1 404 Not Found\na: b\ncontent-length: 0\ndate: now\n\n";
        check(404, &lied, about(Some(0)), nothing, (Length(0), false));
        for status in [204, 304] {
            for length in [None, Some(0), Some(5)] {
                let reason = StatusCode::from_u16(status).unwrap().canonical_reason().unwrap();
                let text = format!("HTTP/1.1 {status} {reason}\na: b\ndate: now\n\n");
                check(status, &lied, about(length), &text, (Nothing, false));
            }
        }
        let head = |length| About { is_head: true, ..about(length) };
        let of_get = "HTTP/1.1 200 OK\na: b\ncontent-length: 7\ndate: now\n\n";
        check(200, &lied, head(Some(0)), of_get, (Nothing, false));
        check(200, &[], head(Some(9)), "HTTP/1.1 200 OK\ncontent-length: 9\ndate: now\n\n", (Nothing, false));
        check(200, &[], head(None), "HTTP/1.1 200 OK\ndate: now\n\n", (Nothing, false));
    }

    #[test]
    fn an_end_is_said_once_and_a_date_that_is_there_is_kept() {
        let nothing = Framing::Length(0);
        let dated = [("date", "then")];
        check(200, &dated, about(Some(0)), "HTTP/1.1 200 OK\ndate: then\ncontent-length: 0\n\n", (nothing, false));
        let closing = || About { closes: true, ..about(Some(0)) };
        let text = "HTTP/1.1 299 <none>\nconnection: close\ncontent-length: 0\ndate: now\n\n";
        check(299, &[], closing(), text, (nothing, true));
        for said in ["close", "x, Close"] {
            let text = format!("HTTP/1.1 200 OK\nconnection: {said}\ncontent-length: 0\ndate: now\n\n");
            check(200, &[("connection", said)], closing(), &text, (nothing, true));
            check(200, &[("connection", said)], about(Some(0)), &text, (nothing, true));
        }
    }

    #[test]
    fn numbers_are_written_whole() {
        for number in [0, 9, 10, 255, 65_536, u64::MAX] {
            let (mut decimal, mut hexadecimal) = (Vec::new(), Vec::new());
            digits(&mut decimal, number);
            number_in(&mut hexadecimal, number, 16);
            assert_eq!(String::from_utf8(decimal).unwrap(), number.to_string());
            assert_eq!(String::from_utf8(hexadecimal).unwrap(), format!("{number:x}"));
        }
    }
}
