//! A gateway with a product of raw bytes behind it.

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use fedgate::clock::Clock;
use fedgate::gateway::bounds::{Crowd, InFlight, Patience};
use fedgate::gateway::options::{BodySpool, Doors, Listen, Network, Options, PathRule, Reach, Site, Tls, Upstream};
use fedgate::gateway::{Gateway, Ports, Readiness, Running};
use fedgate::kernel::model::{Allow, Claim, Limits, Outage, Product, Signup};
use fedgate::kernel::refusal::Refusal;
use fedgate::kernel::values::{
    AccountId, LoginSessionId, Origin, ProductAccountId, ProductName, ProductSessionId, SessionKey, Timestamp, Token,
};
use fedgate::seeing::Seeing;
use fedgate::web::issued::Issued;
use fedgate::web::{
    Admission, Ask, End, Identity, LiveSession, Offer, PageRequest, Replays, Routes, Sessions, Turned, Unsent,
};
use http::{HeaderName, Response, StatusCode};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What the product saw.
#[derive(Default)]
pub struct Seen {
    /// Bytes that reached it, on all connections.
    pub bytes: AtomicUsize,
    /// Connections.
    pub connections: AtomicUsize,
    /// Connections that are over.
    pub ended: AtomicUsize,
    /// Heads of requests.
    pub heads: Mutex<Vec<String>>,
}

impl Seen {
    pub fn last(&self) -> String {
        self.heads.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

/// Sessions in memory; `admit` answers what `cached` does not.
#[derive(Default)]
pub struct Memory {
    /// What is said about requests of expired sessions.
    pub replays: crate::replay::Said,
    pub live: Mutex<HashMap<[u8; 32], Arc<LiveSession>>>,
    pub answer: Mutex<Option<Admission>>,
    /// Whether the store is out, so that what is remembered may be over.
    pub out: std::sync::atomic::AtomicBool,
    /// How long `admit` takes.
    pub slow: Mutex<Duration>,
}

#[async_trait]
impl Sessions for Memory {
    fn key(&self, token: &Token) -> Option<SessionKey> {
        Some(SessionKey(*token.bytes()))
    }

    fn cached(&self, ask: &Ask<'_>) -> Option<Admission> {
        let key = ask.key.map_or(*ask.token.bytes(), |key| key.0);
        let live = self.live.lock().unwrap().get(&key).cloned()?;
        (live.product == *ask.product && !live.ended.is_cancelled()).then_some(Admission::Admitted(live))
    }

    async fn admit(&self, _: &Ask<'_>) -> Admission {
        let slow = *self.slow.lock().unwrap();
        if !slow.is_zero() {
            tokio::time::sleep(slow).await;
        }
        self.answer.lock().unwrap().clone().unwrap_or(Admission::Nobody)
    }

    fn is_current(&self) -> bool {
        !self.out.load(std::sync::atomic::Ordering::SeqCst)
    }

    fn replays(&self) -> Option<&dyn Replays> {
        Some(&self.replays)
    }
}

/// Pages that say what they were asked.
#[derive(Default)]
pub struct Pages {
    pub asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Routes for Pages {
    async fn answer(&self, request: PageRequest) -> Response<Bytes> {
        let line = format!("page {} {:?} {}", request.head.uri, request.door, request.body.len());
        self.asked.lock().unwrap().push(line.clone());
        Response::new(Bytes::from(line))
    }

    fn refuse(&self, turned: Turned) -> Response<Bytes> {
        let status = match turned.refusal {
            Refusal::LoginRequired | Refusal::StepUp => StatusCode::UNAUTHORIZED,
            Refusal::Malformed => StatusCode::BAD_REQUEST,
            Refusal::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::FORBIDDEN,
        };
        let body = format!("{} {}", turned.refusal.code(), turned.login_url.unwrap_or_default());
        let body = turned.kept.map_or_else(|| body.clone(), |kept| format!("{body} {kept:?}"));
        Response::builder().status(status).body(Bytes::from(body)).unwrap()
    }

    fn offer(&self, offer: Offer) -> Response<Bytes> {
        let text = match offer.request {
            Ok(Unsent { handle, csrf, method, path, size, failed, .. }) => {
                format!("offer {method} {path} {size} failed={failed} to={handle}&csrf={csrf}")
            }
            Err(lost) => format!("lost {lost:?}"),
        };
        Response::new(Bytes::from(text))
    }
}

struct Always;

impl Readiness for Always {
    fn is_ready(&self, strict: bool) -> bool {
        !strict
    }
}

/// Everything of one test.
pub struct World {
    pub running: Running,
    /// When people of new sessions last proved themselves.
    pub proved_at: std::sync::Mutex<Timestamp>,
    pub seen: Arc<Seen>,
    pub sessions: Arc<Memory>,
    pub pages: Arc<Pages>,
    pub seeing: Arc<Seeing>,
    pub issued: Arc<Issued>,
    pub options: Options,
    pub state: PathBuf,
}

pub const HOST: &str = "trello.localhost";

pub fn network(text: &str, prefix: u8) -> Network {
    Network { address: text.parse().unwrap(), prefix }
}

/// The product's site; tests change what they are about.
pub fn site(upstream: SocketAddr) -> Site {
    let host = Origin::parse(HOST).unwrap();
    let product = Product {
        name: ProductName::parse("trello").unwrap(),
        label: "Trello".into(),
        hosts: vec![host.clone()],
        allow: Allow::default(),
        signup: Signup::Closed,
        passwords: fedgate::kernel::model::Passwords::None,
        adapter: None,
        password_api: Vec::new(),
        migration: fedgate::kernel::model::MigrationPlan::default(),
        limits: Limits::default(),
        native: None,
        token: None,
        apps: Vec::new(),
        enterprises: Vec::new(),
        colour: None,
        identity_fields: vec![("X-Auth-Name".into(), Claim::Name)],
        step_up: None,
        on_store_outage: Outage::Deny,
    };
    Site {
        product: Arc::new(product),
        host,
        also: vec![],
        redirects: vec![Origin::parse("old.localhost").unwrap()],
        upstreams: vec![Upstream::Http { host: upstream.ip().to_string(), port: upstream.port() }],
        reach: Reach::default(),
        upstream_host: None,
        public: vec![PathRule::Below("/assets/".into()), PathRule::Below("/".into())],
        optional: vec![PathRule::Below("/share/".into())],
        doors: Doors { login: vec!["/login".into()], ..Doors::default() },
        origins: vec!["https://app.example.com".into()],
        accept_from: vec![],
        api: Vec::new(),
        keep_authorization: false,
        connection_auth: false,
        forward_auth: false,
        cookie_domain: None,
        in_flight: InFlight::default(),
        spool: BodySpool::default(),
        orgs: vec![],
    }
}

pub fn any() -> Option<SocketAddr> {
    Some(SocketAddr::from(([127, 0, 0, 1], 0)))
}

/// A gateway on loopback in front of a product that answers `respond`.
pub fn world(respond: fn(&str, &mut TcpStream), change: impl FnOnce(&mut Options, &mut Site)) -> World {
    let pages = Arc::new(Pages::default());
    let mut world = build(Clock::system(), respond, Arc::<Pages>::clone(&pages), change);
    world.pages = pages;
    world
}

/// The same with pages of the test's own.
pub fn world_with(
    respond: fn(&str, &mut TcpStream),
    routes: Arc<dyn Routes>,
    change: impl FnOnce(&mut Options, &mut Site),
) -> World {
    build(Clock::system(), respond, routes, change)
}

/// The same by another clock.
pub fn world_at(
    clock: Clock,
    respond: fn(&str, &mut TcpStream),
    change: impl FnOnce(&mut Options, &mut Site),
) -> World {
    let pages = Arc::new(Pages::default());
    let mut world = build(clock, respond, Arc::<Pages>::clone(&pages), change);
    world.pages = pages;
    world
}

fn build(
    clock: Clock,
    respond: fn(&str, &mut TcpStream),
    routes: Arc<dyn Routes>,
    change: impl FnOnce(&mut Options, &mut Site),
) -> World {
    let seen = Arc::new(Seen::default());
    let upstream = product(Arc::clone(&seen), respond);
    let state = std::env::temp_dir().join(format!("fedgate-{}-{}", std::process::id(), upstream.port()));
    let mut site = site(upstream);
    let mut options = Options {
        listen: Listen {
            https: any(),
            http: any(),
            plain: any(),
            ops: any(),
            tls: Tls::Internal,
            trusted_proxies: vec![network("127.0.0.0", 8)],
            proxy_protocol: false,
            crowd: Crowd::default(),
            patience: Patience::default(),
            state: state.clone(),
            access_log: false,
        },
        login: Origin::parse("id.localhost").unwrap(),
        sites: HashMap::new(),
        version: 1,
    };
    change(&mut options, &mut site);
    options.sites.insert(site.product.name.clone(), Arc::new(site));
    let (sessions, pages, seeing) = (Arc::new(Memory::default()), Arc::new(Pages::default()), Seeing::new());
    let issued = Arc::<Issued>::default();
    let ports = Ports {
        sessions: Arc::<Memory>::clone(&sessions),
        routes,
        readiness: Arc::new(Always),
        clock,
        seeing: Arc::clone(&seeing),
        issued: Arc::clone(&issued),
    };
    let running = Gateway::start(options.clone(), ports, 2).unwrap();
    let proved_at = std::sync::Mutex::new(LiveSession::NEVER);
    World { running, proved_at, seen, sessions, pages, seeing, issued, options, state }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.state);
    }
}

impl World {
    /// The process ends, and another one starts on the same state.
    pub fn restart(&mut self, clock: Clock) {
        let ports = Ports {
            sessions: Arc::<Memory>::clone(&self.sessions),
            routes: Arc::<Pages>::clone(&self.pages),
            readiness: Arc::new(Always),
            clock,
            seeing: Arc::clone(&self.seeing),
            issued: Arc::clone(&self.issued),
        };
        self.running = Gateway::start(self.options.clone(), ports, 2).unwrap();
    }

    /// A session, and its cookie.
    pub fn session(&self, seed: u8) -> (Arc<LiveSession>, String) {
        let now = Timestamp::from_millis(1);
        let said = ["signed", "ann", "", "", "", "", ""].map(str::to_owned);
        let mapped = vec![(HeaderName::from_static("x-auth-name"), "Ann".to_owned())];
        let live = Arc::new(LiveSession {
            sid: ProductSessionId::mint(now, [seed; 10]),
            login: LoginSessionId::mint(now, [seed; 10]),
            account: AccountId::mint(now, [seed; 10]),
            product_account: ProductAccountId::mint(now, [seed; 10]),
            product: ProductName::parse("trello").unwrap(),
            org: None,
            proved_at: *self.proved_at.lock().unwrap(),
            identity: ArcSwap::from_pointee(Identity::new(&said, mapped, now).unwrap()),
            ended: End::default(),
            last_seen: AtomicI64::new(0),
        });
        let token = Token::new([seed; 32]);
        self.sessions.live.lock().unwrap().insert(*token.bytes(), Arc::clone(&live));
        (live, format!("__Host-fedgate={}", token.expose().as_str()))
    }

    /// A connection to the plain listener, as from a trusted proxy.
    pub fn plain(&self) -> Client {
        Client::open(self.running.addresses().plain.unwrap())
    }

    /// One request on a connection of its own; `fields` are whole lines. Adds `Host` and `X-Forwarded-Proto`.
    pub fn ask(&self, line: &str, fields: &[&str]) -> Reply {
        let mut client = self.plain();
        client.send(&head(line, fields));
        client.reply()
    }
}

/// A request's head with the fields that every honest one has.
pub fn head(line: &str, fields: &[&str]) -> String {
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    format!("{line} HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-Proto: https\r\n{fields}\r\n")
}

/// A raw HTTP/1.1 client.
pub struct Client {
    pub stream: TcpStream,
    buffer: Vec<u8>,
}

/// A reply as text.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    /// Values of a field.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }

    pub fn one(&self, name: &str) -> &str {
        self.all(name).first().copied().unwrap_or("")
    }
}

impl Client {
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    pub fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// Reads once; 0 at the end.
    fn more(&mut self) -> usize {
        let mut chunk = [0; 65_536];
        let read = self.stream.read(&mut chunk).unwrap_or(0);
        self.buffer.extend_from_slice(&chunk[..read]);
        read
    }

    /// Reads a head.
    pub fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
                self.buffer.drain(..end + 4);
                return head;
            }
            if self.more() == 0 {
                return String::from_utf8_lossy(&self.buffer).into_owned();
            }
        }
    }

    /// Reads a line.
    pub fn head_line(&mut self) -> String {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
                self.buffer.drain(..end + 2);
                return line;
            }
            assert!(self.more() > 0, "a line was to come");
        }
    }

    /// Reads exactly so many bytes, or what comes until the end.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count && self.more() > 0 {}
        let count = count.min(self.buffer.len());
        self.buffer.drain(..count).collect()
    }

    /// How many bytes were read and not asked for; they are forgotten.
    pub fn buffered(&mut self) -> usize {
        std::mem::take(&mut self.buffer).len()
    }

    /// Reads to the end of the connection.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.more() > 0 {}
        std::mem::take(&mut self.buffer)
    }

    /// Reads a reply with `Content-Length`, or without a body.
    pub fn reply(&mut self) -> Reply {
        let head = self.head();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let mut reply = Reply { status, head, body: String::new() };
        let length = reply.one("content-length").parse().unwrap_or(0);
        reply.body = String::from_utf8_lossy(&self.bytes(length)).into_owned();
        reply
    }
}

/// A product: reads heads, remembers them, lets `respond` write the answer, goes on.
pub fn product(seen: Arc<Seen>, respond: fn(&str, &mut TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(mut stream), seen) = (stream, Arc::clone(&seen)) else { continue };
            seen.connections.fetch_add(1, Ordering::SeqCst);
            thread::spawn(move || {
                let mut buffer = Vec::new();
                let mut chunk = [0; 4096];
                loop {
                    while let Some(end) = buffer.windows(4).position(|four: &[u8]| four == b"\r\n\r\n") {
                        let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
                        buffer.drain(..end + 4);
                        seen.heads.lock().unwrap().push(head.clone());
                        // What is left of a body is no request: an answer to it would be taken for that of the next one.
                        if head.lines().next().is_some_and(|line| line.contains(" HTTP/")) {
                            respond(&head, &mut stream);
                        }
                    }
                    match stream.read(&mut chunk) {
                        Ok(0) | Err(_) => {
                            seen.ended.fetch_add(1, Ordering::SeqCst);
                            return;
                        }
                        Ok(read) => {
                            seen.bytes.fetch_add(read, Ordering::SeqCst);
                            buffer.extend_from_slice(&chunk[..read]);
                        }
                    }
                }
            });
        }
    });
    address
}

/// A plain answer.
pub fn ok(_: &str, stream: &mut TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
}
