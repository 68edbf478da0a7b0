//! WebSocket (RFC 6455), both ends: what a test needs to hold a socket open and see how it is closed.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

use super::wire::{Stream, Wire};

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Frame {
    Text(String),
    /// The close code; none where the peer sent none.
    Close(Option<u16>),
    /// The connection ended without a close frame.
    Gone,
    Other(u8),
}

/// `Sec-WebSocket-Accept` for a key (§4.2.2).
pub fn accept(key: &str) -> String {
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    STANDARD.encode(digest)
}

/// An open socket. A client masks what it sends, a server does not.
pub struct WebSocket {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
    client: bool,
}

/// The answer to an opening handshake.
pub enum Opened {
    Socket(WebSocket),
    /// Refused: the status and the whole answer's head.
    Refused(u16, String),
}

impl WebSocket {
    /// Opens `url` (https or wss) as a page of `origin` would, with these further headers (`Cookie`, …).
    pub async fn open(
        wire: &Wire,
        url: &Url,
        origin: Option<&str>,
        headers: &[(&str, &str)],
    ) -> std::io::Result<Opened> {
        let mut stream = wire.stream(url).await?;
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let mut head = format!(
            "GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        for (name, value) in origin.map(|origin| ("Origin", origin)).iter().chain(headers) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).await?;
        let mut buffer = Vec::new();
        let end = loop {
            if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(Opened::Refused(0, String::from_utf8_lossy(&buffer).into_owned()));
            }
        };
        let unread = buffer.split_off(end);
        let head = String::from_utf8_lossy(&buffer).into_owned();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        Ok(if status == 101 {
            Opened::Socket(Self { stream, unread, client: true })
        } else {
            Opened::Refused(status, head)
        })
    }

    /// The server's end of a connection whose handshake is done.
    pub fn accepted(stream: Box<dyn Stream>, unread: Vec<u8>) -> Self {
        Self { stream, unread, client: false }
    }

    /// Sends a text of at most 65,535 bytes.
    pub async fn send(&mut self, text: &str) -> std::io::Result<()> {
        self.write(0x81, text.as_bytes()).await
    }

    pub async fn close(&mut self, code: u16) -> std::io::Result<()> {
        self.write(0x88, &code.to_be_bytes()).await
    }

    async fn write(&mut self, first: u8, payload: &[u8]) -> std::io::Result<()> {
        let mask = if self.client { 0x80 } else { 0 };
        let mut frame = vec![first];
        match u16::try_from(payload.len()).expect("a text of a test is short") {
            length @ 0..=125 => frame.push(mask | u8::try_from(length).expect("at most 125")),
            length => {
                frame.push(mask | 126);
                frame.extend(length.to_be_bytes());
            }
        }
        if self.client {
            // A mask of zeros is a mask: proxies that this one protects from are not in the test.
            frame.extend([0; 4]);
        }
        frame.extend(payload);
        self.stream.write_all(&frame).await
    }

    /// The next frame; an end of the connection, orderly or not, is [`Frame::Gone`].
    pub async fn next(&mut self) -> Frame {
        self.read().await.unwrap_or(Frame::Gone)
    }

    /// The next frame within `wait`, none after it.
    pub async fn next_within(&mut self, wait: Duration) -> Option<Frame> {
        tokio::time::timeout(wait, self.next()).await.ok()
    }

    async fn read(&mut self) -> std::io::Result<Frame> {
        let [first, second] = self.bytes(2).await?[..] else { return Ok(Frame::Gone) };
        let length = match second & 0x7f {
            126 => usize::from(u16::from_be_bytes(self.bytes(2).await?.try_into().expect("two bytes"))),
            127 => return Err(std::io::Error::other("a frame of more than 65,535 bytes")),
            short => usize::from(short),
        };
        let mask = if second & 0x80 == 0 { vec![0; 4] } else { self.bytes(4).await? };
        let mut payload = self.bytes(length).await?;
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        Ok(match first & 0x0f {
            1 => Frame::Text(String::from_utf8_lossy(&payload).into_owned()),
            8 => Frame::Close(payload.first_chunk().map(|code| u16::from_be_bytes(*code))),
            other => Frame::Other(other),
        })
    }

    async fn bytes(&mut self, count: usize) -> std::io::Result<Vec<u8>> {
        while self.unread.len() < count {
            if self.stream.read_buf(&mut self.unread).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.unread.drain(..count).collect())
    }
}
