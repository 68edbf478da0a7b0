//! Everything at once for a while: HTTP/1.1, HTTP/2, uploads, WebSockets, event streams, logins, rubbish, a product that fails,
//! and reloads with new certificates all the while. No error that is not the upstream's, and the memory stays flat.
//!
//! `./tests/soak` runs it for 20 minutes; without `MINUTES` it lasts some seconds, as one test among others.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use url::Url;

use crate::support::agent::UserAgent;
use crate::support::clock::Deadline;
use crate::support::websocket::{Frame, Opened, WebSocket};
use crate::support::wire::Wire;
use crate::world::World;

/// How long, without `MINUTES`.
const SHORT: Duration = Duration::from_secs(12);

/// How long anything may take before it counts as lost, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);

/// What happened, by kind of traffic.
struct Ledger {
    deadline: Deadline,
    done: [AtomicU64; KINDS.len()],
    failed: Mutex<Vec<String>>,
}

const KINDS: [&str; 8] = ["h1", "h2", "upload", "websocket", "events", "login", "rubbish", "shaky"];

impl Ledger {
    /// Repeats a piece of traffic until the time is over, and keeps what went wrong.
    async fn keep<F: Future<Output = std::io::Result<()>>>(&self, kind: usize, pause: Duration, act: impl Fn() -> F) {
        while !self.deadline.passed() {
            match timeout(PATIENCE, act()).await {
                Ok(Ok(())) => drop(self.done[kind].fetch_add(1, Ordering::Relaxed)),
                Ok(Err(error)) => self.failed.lock().unwrap().push(format!("{}: {error}", KINDS[kind])),
                Err(_) => self.failed.lock().unwrap().push(format!("{}: no answer", KINDS[kind])),
            }
            sleep(pause).await;
        }
    }
}

fn wrong(what: impl Into<String>) -> std::io::Error {
    std::io::Error::other(what.into())
}

/// A person with a session at a product, and the way to it.
struct Person {
    wire: Wire,
    origin: String,
    cookie: String,
}

impl Person {
    fn of(world: &World, agent: &UserAgent, product: &str) -> Arc<Self> {
        let origin = world.url(product, "");
        let cookie = agent.cookie_header(&world.url(product, "/")).expect("a session");
        Arc::new(Self { wire: agent.wire().clone(), origin, cookie })
    }

    fn url(&self, path: &str) -> Url {
        Url::parse(&format!("{}{path}", self.origin)).expect("a URL")
    }

    fn request(&self, method: &str, path: &str, body: Bytes) -> Request<Full<Bytes>> {
        let request = Request::builder().method(method).uri(self.url(path).as_str()).header("cookie", &self.cookie);
        request.header("sec-fetch-site", "same-origin").body(Full::new(body)).expect("a request")
    }

    /// Some requests on one connection, each answered with its own path and length.
    async fn converse(&self, wire: &Wire, count: usize, size: usize) -> std::io::Result<()> {
        let mut connection = wire.connect(&self.url("/")).await?;
        for place in 0..count {
            let path = format!("/soak/{place}");
            let method = if size > 0 { "POST" } else { "GET" };
            let answer = connection.send(self.request(method, &path, vec![b'x'; size].into())).await?;
            let status = answer.status();
            let body = answer.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
            let read: serde_json::Value =
                serde_json::from_slice(&body).map_err(|_| wrong(format!("{status} {body:?}")))?;
            if read["target"] != path || read["length"] != size {
                return Err(wrong(format!("{path} was answered with {read}")));
            }
        }
        Ok(())
    }

    async fn socket(&self) -> std::io::Result<()> {
        let url = self.url("/live");
        let opened = WebSocket::open(&self.wire, &url, Some(&self.origin), &[("Cookie", &self.cookie)]).await?;
        let Opened::Socket(mut socket) = opened else { return Err(wrong("the socket was refused")) };
        for place in 0..20 {
            let text = format!("{place} {}", "x".repeat(place * 50));
            socket.send(&text).await?;
            if socket.next().await != Frame::Text(text) {
                return Err(wrong("another echo"));
            }
        }
        socket.close(1000).await?;
        Ok(())
    }

    async fn events(&self) -> std::io::Result<()> {
        let answer = self.wire.send(&self.url("/events"), self.request("GET", "/events", Bytes::new())).await?;
        let mut body = answer.into_body();
        for _ in 0..5 {
            body.frame().await.ok_or_else(|| wrong("the events ended"))?.map_err(std::io::Error::other)?;
        }
        Ok(())
    }

    /// The product that fails: any answer of the gateway's is right but silence.
    async fn shaky(&self) -> std::io::Result<()> {
        let answer = self.wire.send(&self.url("/"), self.request("GET", "/", Bytes::new())).await?;
        let status = answer.status().as_u16();
        // Where the upstream breaks off in the middle, so do we.
        let whole = answer.into_body().collect().await.is_ok();
        if matches!(status, 200 | 502 | 503 | 504) && (whole || status == 200) {
            return Ok(());
        }
        Err(wrong(format!("status {status}")))
    }
}

/// A product that closes at once, speaks rubbish, breaks off, or answers, in turn.
async fn shaky() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for turn in 0_usize.. {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            tokio::spawn(async move {
                let mut buffer = [0; 8192];
                // A connection that breaks is what this product is for.
                while let Ok(1..) = stream.read(&mut buffer).await {
                    let said: &[u8] = match turn % 5 {
                        0 => return,
                        1 => b"rubbish\r\n\r\n",
                        2 => b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort",
                        3 => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi and more",
                        _ => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
                    };
                    if stream.write_all(said).await.is_err() || turn % 5 == 2 {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// What is no handshake, and a handshake that stops.
async fn rubbish(port: u16) -> std::io::Result<()> {
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01\xff\xff", b"\0"] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(bytes).await?;
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Resident memory in KiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok()).expect("the process lives")
}

/// The mean of a quarter of the samples.
fn quarter(samples: &[u64], which: usize) -> u64 {
    let of = samples.chunks(samples.len().div_ceil(4).max(1)).nth(which).unwrap_or(samples);
    of.iter().sum::<u64>() / of.len() as u64
}

#[tokio::test]
async fn soak_no_error_but_the_upstreams_and_flat_memory() {
    let minutes = std::env::var("MINUTES").ok().and_then(|minutes| minutes.parse::<f64>().ok());
    let time = minutes.map_or(SHORT, |minutes| Duration::from_secs_f64(minutes * 60.0));
    let failing = shaky().await;
    let world = World::own("", |file, _| file.product("shaky", &format!("http://{failing}"), "")).await;
    let ann = world.logged_in("ann").await;
    ann.visit(&world.url("shaky", "/.fedgate/login?return_to=%2F")).await;
    let person = Person::of(&world, &ann, "trello");
    let at_shaky = Person::of(&world, &ann, "shaky");
    let (h1, h2) = (person.wire.clone(), person.wire.clone().with_h2());
    let ledger = Ledger { deadline: Deadline::after(time), done: Default::default(), failed: Mutex::default() };
    let (port, short) = (world.gateway.ports().https, Duration::from_millis(5));
    let samples = Mutex::new(Vec::new());
    let step = Duration::from_millis(250).max(time / 400);
    tokio::join!(
        ledger.keep(0, short, || person.converse(&h1, 30, 0)),
        ledger.keep(1, short, || person.converse(&h2, 30, 0)),
        ledger.keep(2, short, || person.converse(&h1, 3, 300_000)),
        ledger.keep(2, short, || person.converse(&h2, 3, 300_000)),
        ledger.keep(3, short, || person.socket()),
        ledger.keep(4, short, || person.events()),
        ledger.keep(5, Duration::from_secs(4), || async {
            drop(world.logged_in("bob").await);
            Ok(())
        }),
        ledger.keep(6, Duration::from_millis(100), || rubbish(port)),
        ledger.keep(7, Duration::from_millis(20), || at_shaky.shaky()),
        async {
            // Each reload makes the certificates anew.
            while !ledger.deadline.passed() {
                sleep(Duration::from_secs(3)).await;
                world.gateway.hang_up();
            }
        },
        async {
            while !ledger.deadline.passed() {
                samples.lock().unwrap().push(resident(world.gateway.pid()));
                // What the products remember is the tests' memory.
                drop((world.trello.take(), world.loom.take()));
                sleep(step).await;
            }
        },
    );
    let done: Vec<String> = KINDS
        .iter()
        .zip(&ledger.done)
        .map(|(kind, count)| format!("{kind} {}", count.load(Ordering::Relaxed)))
        .collect();
    let failed = ledger.failed.into_inner().unwrap();
    let samples = samples.into_inner().unwrap();
    let (early, late) = (quarter(&samples, 1), quarter(&samples, 3));
    println!("{time:?}: {}; {} errors; resident {early} KiB, then {late} KiB", done.join(", "), failed.len());
    assert!(failed.is_empty(), "{} errors, first {:?}", failed.len(), &failed[..failed.len().min(5)]);
    assert!(ledger.done.iter().all(|count| count.load(Ordering::Relaxed) > 0), "{done:?}");
    assert!(late <= early + early / 10 + 8 * 1024, "the memory grows: {early} KiB, then {late} KiB of {samples:?}");
    // And the gateway still does what it did.
    assert!(world.gateway.ops("/readyz").is_some_and(|(status, _)| status == 200), "{}", world.gateway.log());
    assert!(!world.gateway.log().contains("panicked"), "{}", world.gateway.log());
}
