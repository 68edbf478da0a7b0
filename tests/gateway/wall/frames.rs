//! HTTP/2 by hand (RFC 9113): our own frames, and fields as HPACK literals (RFC 7541 §6.2.2), so that nothing is corrected on
//! the way.

use super::super::support::*;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// How a stream ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// An answer with this status, to its end.
    Status(u16),
    /// This stream alone was reset.
    Reset(u32),
    /// The connection was ended.
    GoAway(u32),
    /// The connection is gone.
    Closed,
}

pub struct Frames {
    stream: StreamOwned<ClientConnection, TcpStream>,
    next: u32,
    /// The last trailer block, as it came.
    pub trailers: Option<Vec<u8>>,
}

/// Fields as literals that are never indexed nor compressed.
pub fn block(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    fn string(text: &[u8], into: &mut Vec<u8>) {
        let mut length = text.len();
        if length < 127 {
            into.push(length as u8);
        } else {
            into.push(127);
            length -= 127;
            while length >= 128 {
                into.push((length % 128) as u8 | 128);
                length /= 128;
            }
            into.push(length as u8);
        }
        into.extend_from_slice(text);
    }
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        string(name, &mut block);
        string(value, &mut block);
    }
    block
}

/// One frame (RFC 9113 §4.1).
fn bytes(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

impl Frames {
    /// Opens a TLS connection to that name and greets.
    pub fn open(world: &World, name: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(world.state.join("ca.pem")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let socket = TcpStream::connect(world.running.addresses().https.unwrap()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut stream = StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), socket);
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let mut frames = Self { stream, next: 1, trailers: None };
        // No dynamic table, so that statuses can be read without one.
        assert!(frames.frame(SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0]));
        frames
    }

    /// Writes one frame; false when the connection is gone.
    pub fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.write(&bytes(kind, flags, stream, payload))
    }

    fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).and_then(|()| self.stream.flush()).is_ok()
    }

    /// A new stream's number.
    pub fn stream(&mut self) -> u32 {
        let stream = self.next;
        self.next += 2;
        stream
    }

    fn read(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).ok()?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).ok()?;
        Some((head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff, payload))
    }

    /// Reads until that stream has ended.
    pub fn end_of(&mut self, stream: u32) -> End {
        self.read_until(stream, false)
    }

    /// Reads until that stream has its answer's head.
    pub fn head_of(&mut self, stream: u32) -> End {
        self.read_until(stream, true)
    }

    fn read_until(&mut self, stream: u32, head: bool) -> End {
        let mut status = None;
        while let Some((kind, flags, of, payload)) = self.read() {
            let code = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
            match kind {
                SETTINGS if flags & 1 == 0 => drop(self.frame(SETTINGS, 1, 0, &[])),
                PING if flags & 1 == 0 => drop(self.frame(PING, 1, 0, &payload)),
                GOAWAY if code(4) != 0 || stream > code(0) & 0x7fff_ffff => return End::GoAway(code(4)),
                RST_STREAM if of == stream => return status.map_or(End::Reset(code(0)), End::Status),
                HEADERS if of == stream && status.is_none() => {
                    status = Some(read_status(&payload));
                    if head || flags & END_STREAM != 0 {
                        return End::Status(status.unwrap_or(0));
                    }
                }
                DATA | HEADERS if of == stream && flags & END_STREAM != 0 => {
                    self.trailers = (kind == HEADERS).then_some(payload);
                    return End::Status(status.unwrap_or(0));
                }
                _ => {}
            }
        }
        End::Closed
    }

    /// One request with these fields, and a body in one frame. Both frames go in one write: of a request whose head says that
    /// nothing follows, the product may else have answered before the body is there.
    pub fn ask(&mut self, fields: &[(&[u8], &[u8])], body: Option<&[u8]>) -> End {
        let stream = self.stream();
        let flags = END_HEADERS | if body.is_none() { END_STREAM } else { 0 };
        let mut frames = bytes(HEADERS, flags, stream, &block(fields));
        if let Some(body) = body {
            frames.extend(bytes(DATA, END_STREAM, stream, body));
        }
        self.write(&frames);
        self.end_of(stream)
    }
}

/// The status is the first field: one of the static table's, or its name and three digits.
fn read_status(block: &[u8]) -> u16 {
    // A change of the table's size may come first.
    let block = if block[0] & 0xe0 == 0x20 { &block[1..] } else { block };
    match block[0] {
        0x88 => return 200,
        0x89 => return 204,
        0x8a => return 206,
        0x8b => return 304,
        0x8c => return 400,
        0x8d => return 404,
        0x8e => return 500,
        _ => {}
    }
    let value = &block[2..2 + usize::from(block[1] & 0x7f)];
    if block[1] & 0x80 == 0 {
        return String::from_utf8_lossy(value).parse().unwrap();
    }
    // RFC 7541 appendix B: 0, 1 and 2 have five bits, the other digits six.
    let bits: Vec<u8> = value.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let mut at = 0;
    let mut status = 0;
    for _ in 0..3 {
        let take = |count: usize| bits[at..at + count].iter().fold(0_u16, |code, bit| code << 1 | u16::from(*bit));
        let (digit, length) = if take(5) < 3 { (take(5), 5) } else { (take(6) - 0b01_1001 + 3, 6) };
        status = status * 10 + digit;
        at += length;
    }
    status
}
