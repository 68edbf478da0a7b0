//! A product that keeps every request it is sent as bytes, and answers each with the path that it read.
//!
//! It reads strictly by RFC 9112: whatever has two readings is kept as unreadable, which no row allows.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request as it arrived.
#[derive(Clone)]
pub struct Message {
    /// All its bytes.
    pub raw: Vec<u8>,
    /// Its head, in lower case, without the last empty line.
    pub head: String,
    /// Its body, without framing.
    pub body: Vec<u8>,
    /// Whether it came to its end.
    pub whole: bool,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[whole: {}] {:?}", self.whole, String::from_utf8_lossy(&self.raw))
    }
}

impl Message {
    /// The request target.
    pub fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    /// How many times this line is in the head.
    pub fn count(&self, line: &str) -> usize {
        self.head.lines().skip(1).filter(|seen| *seen == line).count()
    }
}

/// The product.
#[derive(Clone)]
pub struct Recorder {
    pub address: SocketAddr,
    messages: Arc<Mutex<Vec<Message>>>,
    /// All bytes that ever came.
    bytes: Arc<AtomicUsize>,
}

impl Recorder {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let recorder =
            Self { address: listener.local_addr().unwrap(), messages: Arc::default(), bytes: Arc::default() };
        let serving = recorder.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let recorder = serving.clone();
                thread::spawn(move || recorder.serve(stream));
            }
        });
        recorder
    }

    /// What came since the last call.
    pub fn take(&self) -> Vec<Message> {
        std::mem::take(&mut self.messages.lock().unwrap())
    }

    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::SeqCst)
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut buffer = Vec::new();
        let mut chunk = [0; 16_384];
        loop {
            match Reading::of(&buffer) {
                Reading::Whole(message) => {
                    buffer.drain(..message.raw.len());
                    let body = if message.head.starts_with("head ") { "" } else { "ok" };
                    let answer =
                        format!("HTTP/1.1 200 OK\r\nX-Path: {}\r\nContent-Length: 2\r\n\r\n{body}", message.target());
                    self.keep(message);
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                    continue;
                }
                Reading::Unreadable => {
                    let head = format!("UNREADABLE {}", String::from_utf8_lossy(&buffer));
                    return self.keep(Message { raw: buffer, head, body: Vec::new(), whole: false });
                }
                Reading::Part => {}
            }
            match stream.read(&mut chunk) {
                Ok(0) | Err(_) if buffer.is_empty() => return,
                Ok(0) | Err(_) => {
                    let head = String::from_utf8_lossy(&buffer).to_lowercase();
                    return self.keep(Message { raw: buffer, head, body: Vec::new(), whole: false });
                }
                Ok(read) => {
                    self.bytes.fetch_add(read, Ordering::SeqCst);
                    buffer.extend_from_slice(&chunk[..read]);
                }
            }
        }
    }

    fn keep(&self, message: Message) {
        self.messages.lock().unwrap().push(message);
    }
}

/// What the bytes so far are.
enum Reading {
    Part,
    Whole(Message),
    Unreadable,
}

impl Reading {
    fn of(bytes: &[u8]) -> Self {
        let Some(end) = find(bytes, b"\r\n\r\n") else { return Self::Part };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let values = |name: &str| -> Vec<String> {
            let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
            fields.filter(|(field, _)| *field == name).map(|(_, value)| value.trim().to_owned()).collect()
        };
        let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
        let rest = &bytes[end + 4..];
        let (body, framed) = match (&lengths[..], &codings[..]) {
            ([], []) => (Vec::new(), 0),
            ([length], []) if !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()) => {
                let Ok(length) = length.parse::<usize>() else { return Self::Unreadable };
                match rest.get(..length) {
                    Some(body) => (body.to_vec(), length),
                    None => return Self::Part,
                }
            }
            ([], [coding]) if coding == "chunked" => match chunks(rest) {
                Ok(Some(read)) => read,
                Ok(None) => return Self::Part,
                Err(()) => return Self::Unreadable,
            },
            _ => return Self::Unreadable,
        };
        Self::Whole(Message { raw: bytes[..end + 4 + framed].to_vec(), head, body, whole: true })
    }
}

/// The content of a chunked body and the length of its framing, once it is whole. No extension and no trailer is allowed:
/// the gateway makes none.
fn chunks(mut bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, ()> {
    let all = bytes.len();
    let mut body = Vec::new();
    loop {
        let Some(end) = find(bytes, b"\r\n") else { return Ok(None) };
        let size = std::str::from_utf8(&bytes[..end]).map_err(|_| ())?;
        if size.is_empty() || !size.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(());
        }
        let size = usize::from_str_radix(size, 16).map_err(|_| ())?;
        let Some(chunk) = bytes.get(end + 2..end + 2 + size + 2) else { return Ok(None) };
        if !chunk.ends_with(b"\r\n") {
            return Err(());
        }
        body.extend_from_slice(&chunk[..size]);
        bytes = &bytes[end + 2 + size + 2..];
        if size == 0 {
            return Ok(Some((body, all - bytes.len())));
        }
    }
}

pub fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
