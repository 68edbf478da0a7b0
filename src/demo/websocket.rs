//! The server's side of RFC 6455 as far as a clock needs it: the handshake, text out, pings answered, closing both ways.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use hyper::header::{self, HeaderMap};
use hyper::{StatusCode, upgrade};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::http::{Response, text, with};

/// RFC 6455 §1.3: SHA-1 is the protocol's, and protects nothing.
const ACCEPT: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Largest frame read from a browser, in bytes. The pages send none of their own.
const LARGEST: usize = 4096;

/// The answer to an opening handshake: 101, or 426 to a request that is none (RFC 6455 §4.2.1).
pub(super) fn accept(headers: &HeaderMap) -> Response {
    let has = |name, token: &str| {
        let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
        lines.flat_map(|line| line.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
    };
    let is_websocket = has(header::CONNECTION, "upgrade") && has(header::UPGRADE, "websocket");
    let key = headers.get(header::SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok());
    let (true, true, Some(key)) = (is_websocket, has(header::SEC_WEBSOCKET_VERSION, "13"), key) else {
        let refusal = text(StatusCode::UPGRADE_REQUIRED, "this path speaks WebSocket, version 13\n");
        return with(with(refusal, header::UPGRADE, "websocket"), header::SEC_WEBSOCKET_VERSION, "13");
    };
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{ACCEPT}").as_bytes());
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let response = with(with(response, header::CONNECTION, "Upgrade"), header::UPGRADE, "websocket");
    with(response, header::SEC_WEBSOCKET_ACCEPT, &STANDARD.encode(digest))
}

/// An open socket.
pub(super) struct Socket {
    stream: TokioIo<upgrade::Upgraded>,
    unread: BytesMut,
}

/// What the browser sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Frame {
    /// Text, binary or a continuation; its content is of no interest here.
    Data,
    /// To be answered with the same bytes.
    Ping(Bytes),
    /// The answer to a ping.
    Pong,
    /// The browser is leaving.
    Close,
}

/// The browser broke the protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Broken;

impl Socket {
    pub(super) fn new(upgraded: upgrade::Upgraded) -> Self {
        Self { stream: TokioIo::new(upgraded), unread: BytesMut::new() }
    }

    pub(super) async fn send_text(&mut self, text: &str) -> std::io::Result<()> {
        self.send(1, text.as_bytes()).await
    }

    /// Says goodbye with a status code (RFC 6455 §7.4).
    pub(super) async fn close(&mut self, code: u16) -> std::io::Result<()> {
        self.send(8, &code.to_be_bytes()).await?;
        self.stream.shutdown().await
    }

    /// Reads until the browser leaves (true), or something came and was answered (false). May be dropped at any point
    /// without losing bytes.
    pub(super) async fn has_left(&mut self) -> std::io::Result<bool> {
        if self.stream.read_buf(&mut self.unread).await? == 0 {
            return Ok(true);
        }
        loop {
            match parse(&mut self.unread) {
                Ok(None) => return Ok(false),
                Ok(Some(Frame::Data | Frame::Pong)) => {}
                Ok(Some(Frame::Ping(bytes))) => self.send(10, &bytes).await?,
                Ok(Some(Frame::Close)) => {
                    self.close(1000).await?;
                    return Ok(true);
                }
                Err(Broken) => {
                    self.close(1002).await?;
                    return Ok(true);
                }
            }
        }
    }

    /// One unmasked frame (RFC 6455 §5.2).
    async fn send(&mut self, opcode: u8, payload: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(&frame(opcode, payload)).await?;
        self.stream.flush().await
    }
}

fn frame(opcode: u8, payload: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(payload.len() + 4);
    out.put_u8(0x80 | opcode);
    match u8::try_from(payload.len()) {
        Ok(length) if length < 126 => out.put_u8(length),
        _ => {
            out.put_u8(126);
            out.put_u16(u16::try_from(payload.len()).unwrap_or(u16::MAX));
        }
    }
    out.put_slice(payload.get(..usize::from(u16::MAX)).unwrap_or(payload));
    out.freeze()
}

/// Takes one masked frame from the front; None where more bytes are needed.
fn parse(unread: &mut BytesMut) -> Result<Option<Frame>, Broken> {
    let [first, second, rest @ ..] = &unread[..] else { return Ok(None) };
    let (opcode, masked) = (first & 0x0f, second & 0x80 != 0);
    let (length, extended) = match (second & 0x7f, rest) {
        (127, _) => return Err(Broken),
        (126, [high, low, ..]) => (usize::from(u16::from_be_bytes([*high, *low])), 2),
        (126, _) => return Ok(None),
        (short, _) => (usize::from(short), 0),
    };
    if !masked || first & 0x70 != 0 || length > LARGEST || (opcode >= 8 && (length > 125 || first & 0x80 == 0)) {
        return Err(Broken);
    }
    if rest.len() < extended + 4 + length {
        return Ok(None);
    }
    unread.advance(2 + extended);
    let mask = unread.split_to(4);
    let mut payload = unread.split_to(length);
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
    match opcode {
        0..=2 => Ok(Some(Frame::Data)),
        8 => Ok(Some(Frame::Close)),
        9 => Ok(Some(Frame::Ping(payload.freeze()))),
        10 => Ok(Some(Frame::Pong)),
        _ => Err(Broken),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn check(bytes: &[u8], expected: Result<Option<Frame>, Broken>) {
        assert_eq!(parse(&mut BytesMut::from(bytes)), expected, "{bytes:?}");
    }

    #[test]
    fn frames_of_a_browser_are_masked_whole_and_bounded() {
        check(&[], Ok(None));
        check(&[0x81, 0x80, 1, 2, 3], Ok(None));
        check(&[0x81, 0x81, 1, 2, 3, 4, 5], Ok(Some(Frame::Data)));
        check(&[0x89, 0x82, 1, 1, 1, 1, b'a' ^ 1, b'b' ^ 1], Ok(Some(Frame::Ping(Bytes::from_static(b"ab")))));
        check(&[0x88, 0x80, 0, 0, 0, 0], Ok(Some(Frame::Close)));
        check(&[0x81, 0x01, b'a'], Err(Broken));
        check(&[0xc1, 0x80, 0, 0, 0, 0], Err(Broken));
        check(&[0x81, 0xff], Err(Broken));
        check(&[0x81, 0xfe, 0xff, 0xff], Err(Broken));
        check(&[0x08, 0x80, 0, 0, 0, 0], Err(Broken));
        check(&[0x83, 0x80, 0, 0, 0, 0], Err(Broken));
    }

    #[test]
    fn the_handshake_answers_as_the_rfc_shows() {
        let mut headers = HeaderMap::new();
        headers.insert("connection", HeaderValue::from_static("keep-alive, Upgrade"));
        headers.insert("upgrade", HeaderValue::from_static("websocket"));
        headers.insert("sec-websocket-version", HeaderValue::from_static("13"));
        assert_eq!(accept(&headers).status(), StatusCode::UPGRADE_REQUIRED);
        headers.insert("sec-websocket-key", HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
        let accepted = accept(&headers).headers().get("sec-websocket-accept").cloned();
        assert_eq!(accepted, Some(HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut unread = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = parse(&mut unread) {}
        }
    }
}
