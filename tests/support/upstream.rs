//! A product behind the gateway: it records every byte it is sent and answers as told.
//!
//! Paths of its own: `/page` (HTML with a WebSocket), `/live` (WebSocket echo), `/events` (an event each 100 ms), `/early` (413
//! before the body is read), `/bytes/N` (N bytes), `/slow/MS` (answers late), `/mine` (what [`Upstream::holds`] gave the person of
//! `X-Fedgate-User`; `POST` adds a board to it). Everything else is answered as [`Upstream::answer`]
//! said, or with JSON of the request.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::answer::{Answer, page};
use super::http1::{Head, Piece, Reader};
use super::websocket::{Frame, WebSocket, accept};

/// A request as the product received it; the body's part grows while it arrives.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which connection it came on, counted from 1.
    pub connection: usize,
    pub head: Head,
    /// The first MiB of the body.
    pub body: Vec<u8>,
    /// Bytes of the body so far.
    pub length: u64,
    /// Lower-case hex, once the body is complete.
    pub sha256: Option<String>,
    pub trailers: Vec<(String, String)>,
}

#[derive(Default)]
struct State {
    seen: Mutex<Vec<Arc<Mutex<Seen>>>>,
    answers: Mutex<HashMap<String, Answer>>,
    /// What people have here, by the product's own user ids.
    content: Mutex<BTreeMap<String, Value>>,
    connections: AtomicUsize,
    streams: AtomicUsize,
    bytes: AtomicU64,
    verbatim: Option<Vec<u8>>,
    transcripts: Mutex<Vec<Vec<u8>>>,
}

/// A running product on a thread of its own, so that tests may block. Dropping it closes every connection.
pub struct Upstream {
    address: SocketAddr,
    state: Arc<State>,
    stop: CancellationToken,
}

impl Upstream {
    pub fn start() -> Self {
        Self::serve(State::default())
    }

    /// A product that parses nothing: it keeps what each connection sends and, after the first bytes, writes `reply` and closes.
    pub fn verbatim(reply: impl Into<Vec<u8>>) -> Self {
        Self::serve(State { verbatim: Some(reply.into()), ..State::default() })
    }

    fn serve(state: State) -> Self {
        let (state, stop) = (Arc::new(state), CancellationToken::new());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port of the loopback");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("bound");
        let (shared, token) = (Arc::clone(&state), stop.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(token.run_until_cancelled(accept_all(listener, shared)));
        });
        Self { address, state, stop }
    }

    /// For `upstream = "…"`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to say to this path (without its query) from now on.
    pub fn answer(&self, path: &str, answer: Answer) {
        lock(&self.state.answers).insert(path.to_owned(), answer);
    }

    /// What a person has here.
    pub fn holds(&self, user: &str, content: Value) {
        lock(&self.state.content).insert(user.to_owned(), content);
    }

    /// What everybody has here.
    pub fn content(&self) -> BTreeMap<String, Value> {
        lock(&self.state.content).clone()
    }

    /// Every request so far, oldest first.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.state.seen).iter().map(|seen| lock(seen).clone()).collect()
    }

    /// The same, and forgets them.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut *lock(&self.state.seen)).iter().map(|seen| lock(seen).clone()).collect()
    }

    /// The last request whose path begins so.
    pub fn last(&self, path: &str) -> Seen {
        let seen = self.seen();
        let paths: Vec<_> = seen.iter().map(|one| one.head.target.clone()).collect();
        seen.into_iter()
            .rev()
            .find(|one| one.head.target.starts_with(path))
            .unwrap_or_else(|| panic!("no {path} in {paths:?}"))
    }

    /// All bytes that any connection has sent: "zero bytes upstream" is about these.
    pub fn bytes(&self) -> u64 {
        self.state.bytes.load(Ordering::SeqCst)
    }

    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// WebSockets and event streams that are open now.
    pub fn open_streams(&self) -> usize {
        self.state.streams.load(Ordering::SeqCst)
    }

    /// What each connection of a [`Upstream::verbatim`] product has sent.
    pub fn transcripts(&self) -> Vec<String> {
        lock(&self.state.transcripts).iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("not poisoned")
}

async fn accept_all(listener: std::net::TcpListener, state: Arc<State>) {
    let listener = TcpListener::from_std(listener).expect("a listener of this runtime");
    while let Ok((stream, _)) = listener.accept().await {
        let connection = state.connections.fetch_add(1, Ordering::SeqCst) + 1;
        let state = Arc::clone(&state);
        // A connection that breaks is the client's affair; what had arrived is recorded.
        tokio::spawn(async move {
            if let Some(reply) = state.verbatim.clone() {
                return record(stream, &state, &reply).await;
            }
            serve(stream, connection, &state).await
        });
    }
}

async fn record(mut stream: TcpStream, state: &State, reply: &[u8]) -> std::io::Result<()> {
    let index = {
        let mut transcripts = lock(&state.transcripts);
        transcripts.push(Vec::new());
        transcripts.len() - 1
    };
    let mut replied = false;
    let mut buffer = vec![0; 65_536];
    loop {
        let wait = if replied { Duration::from_millis(500) } else { Duration::from_secs(60) };
        let Ok(count) = tokio::time::timeout(wait, stream.read(&mut buffer)).await else { return Ok(()) };
        let count = count?;
        if count == 0 {
            return Ok(());
        }
        state.bytes.fetch_add(count as u64, Ordering::SeqCst);
        lock(&state.transcripts)[index].extend(&buffer[..count]);
        if !replied {
            stream.write_all(reply).await?;
            replied = true;
        }
    }
}

async fn serve(stream: TcpStream, connection: usize, state: &State) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = Reader::new(stream);
    while let Some(head) = reader.head().await? {
        state.bytes.fetch_add(std::mem::take(&mut reader.received), Ordering::SeqCst);
        let path = head.target.split('?').next().unwrap_or_default().to_owned();
        let seen = Seen { connection, head, body: Vec::new(), length: 0, sha256: None, trailers: Vec::new() };
        let seen = Arc::new(Mutex::new(seen));
        lock(&state.seen).push(Arc::clone(&seen));
        if path == "/early" {
            let (mut stream, _) = reader.into_parts();
            return stream.write_all(&Answer::new(413, &[("connection", "close")], "too large\n").written()).await;
        }
        body(&mut reader, &seen, state).await?;
        let upgrade = lock(&seen).head.first("upgrade").map(str::to_owned);
        if path == "/live" && upgrade.is_some() {
            return live(reader, &seen, state).await;
        }
        if path == "/events" {
            return events(reader, state).await;
        }
        let answer = lock(&state.answers).get(&path).cloned();
        let answer = match answer {
            Some(answer) => answer,
            None => own_answer(&path, &seen, state).await,
        };
        let mut bytes = answer.written();
        if lock(&seen).head.method == "HEAD" {
            let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
            bytes.truncate(end);
        }
        let closes = answer.headers.iter().any(|(name, value)| name == "connection" && value == "close");
        let mut reader_stream = reader.into_parts();
        reader_stream.0.write_all(&bytes).await?;
        if closes {
            return Ok(());
        }
        reader = Reader::resume(reader_stream.0, reader_stream.1);
    }
    Ok(())
}

async fn body(reader: &mut Reader<TcpStream>, seen: &Mutex<Seen>, state: &State) -> std::io::Result<()> {
    let mut digest = Context::new(&SHA256);
    loop {
        let piece = reader.piece().await?;
        state.bytes.fetch_add(std::mem::take(&mut reader.received), Ordering::SeqCst);
        let mut seen = lock(seen);
        match piece {
            Piece::Bytes(bytes) => {
                digest.update(&bytes);
                seen.length += bytes.len() as u64;
                let room = (1 << 20) - seen.body.len();
                seen.body.extend(&bytes[..bytes.len().min(room)]);
            }
            Piece::End(trailers) => {
                seen.trailers = trailers;
                seen.sha256 = Some(digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect());
                return Ok(());
            }
        }
    }
}

/// What the person has whom the gateway names; 404 for whoever has nothing.
fn mine(seen: &Seen, state: &State) -> Answer {
    let user = seen.head.first("x-fedgate-user").unwrap_or_default();
    let mut all = lock(&state.content);
    let Some(content) = all.get_mut(user) else { return Answer::new(404, &[], "nobody here") };
    if seen.head.method == "POST" {
        let board = String::from_utf8_lossy(&seen.body).into_owned();
        content["boards"].as_array_mut().expect("boards").push(json!(board));
    }
    Answer::new(200, &[("content-type", "application/json")], content.to_string())
}

async fn own_answer(path: &str, seen: &Mutex<Seen>, state: &State) -> Answer {
    if path == "/mine" {
        return mine(&lock(seen), state);
    }
    let number = |prefix: &str| path.strip_prefix(prefix).and_then(|rest| rest.parse::<u64>().ok());
    if let Some(count) = number("/bytes/") {
        let body = vec![b'x'; usize::try_from(count).expect("a test's size")];
        return Answer::new(200, &[("content-type", "application/octet-stream")], body);
    }
    if let Some(wait) = number("/slow/") {
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
    let echo = echo(&lock(seen));
    if path == "/page" {
        return Answer::new(200, &[("content-type", "text/html; charset=utf-8")], page(&echo));
    }
    Answer::new(200, &[("content-type", "application/json")], echo)
}

fn echo(seen: &Seen) -> String {
    let Seen { head, length, sha256, trailers, connection, .. } = seen;
    json!({
        "method": head.method, "target": head.target, "headers": head.headers, "length": length, "sha256": sha256,
        "trailers": trailers, "connection": connection,
    })
    .to_string()
}

/// Counts an open stream for as long as it lives.
struct Open<'a>(&'a State);

impl<'a> Open<'a> {
    fn new(state: &'a State) -> Self {
        state.streams.fetch_add(1, Ordering::SeqCst);
        Self(state)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn live(reader: Reader<TcpStream>, seen: &Mutex<Seen>, state: &State) -> std::io::Result<()> {
    let _open = Open::new(state);
    let key = lock(seen).head.first("sec-websocket-key").unwrap_or_default().to_owned();
    let (mut stream, unread) = reader.into_parts();
    let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept";
    stream.write_all(format!("{head}: {}\r\n\r\n", accept(&key)).as_bytes()).await?;
    let mut socket = WebSocket::accepted(Box::new(stream), unread);
    loop {
        match socket.next().await {
            Frame::Text(text) => socket.send(&text).await?,
            Frame::Close(code) => return socket.close(code.unwrap_or(1000)).await,
            Frame::Gone => return Ok(()),
            Frame::Other(_) => {}
        }
    }
}

async fn events(reader: Reader<TcpStream>, state: &State) -> std::io::Result<()> {
    let _open = Open::new(state);
    let (mut stream, _) = reader.into_parts();
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-store\r\ntransfer-encoding: chunked\r\n\r\n").await?;
    for count in 0_u64.. {
        let event = format!("data: {count}\n\n");
        stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
