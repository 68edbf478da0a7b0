//! More than can be done at once: what waits, what is refused, and that live sessions go on meanwhile.
#![expect(clippy::disallowed_methods, reason = "these tests measure how long requests wait")]

use super::arrival::{header, turned};
use super::support::*;
use async_trait::async_trait;
use bytes::Bytes;
use fedgate::web::{Offer, PageRequest, Routes, Turned};
use http::Response;
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Until these are open, products answer no `/slow`.
static GATES: [AtomicBool; 2] = [AtomicBool::new(false), AtomicBool::new(false)];

fn gated(gate: &AtomicBool, head: &str, stream: &mut std::net::TcpStream) {
    while head.starts_with("GET /slow") && !gate.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(5));
    }
    ok(head, stream);
}

/// A request on a connection of a client at this address.
fn ask_from(world: &World, from: [u8; 4], line: &str, cookie: &str) -> Client {
    let mut client = Client::open(world.running.addresses().plain.unwrap());
    client.stream.write_all(&header(from)).unwrap();
    client.send(&head(line, &[&format!("Cookie: {cookie}")]));
    client
}

fn proxied(respond: fn(&str, &mut std::net::TcpStream), in_flight: (usize, usize)) -> World {
    world(respond, |options, site| {
        options.listen.proxy_protocol = true;
        (site.in_flight.all, site.in_flight.per_client) = in_flight;
    })
}

#[test]
fn a_product_has_so_many_requests_at_once() {
    let world = proxied(|head, stream| gated(&GATES[0], head, stream), (4, 4));
    let (_, cookie) = world.session(1);
    let under_way: Vec<Client> =
        (0..4).map(|last| ask_from(&world, [198, 51, 100, last], "GET /slow", &cookie)).collect();
    while world.seen.heads.lock().unwrap().len() < 4 {
        thread::sleep(Duration::from_millis(5));
    }
    let reply = ask_from(&world, [198, 51, 100, 9], "GET /", &cookie).reply();
    assert_eq!((reply.status, reply.one("retry-after")), (503, "2"));
    assert_eq!(turned(&world, "product"), 1);
    GATES[0].store(true, Ordering::Relaxed);
    for mut client in under_way {
        assert_eq!(client.reply().status, 200);
    }
    assert_eq!(ask_from(&world, [198, 51, 100, 9], "GET /", &cookie).reply().status, 200);
}

#[test]
fn a_client_has_so_many_requests_at_once_and_others_are_served() {
    let world = proxied(|head, stream| gated(&GATES[1], head, stream), (100, 2));
    let (_, cookie) = world.session(1);
    let under_way: Vec<Client> = (0..2).map(|_| ask_from(&world, [198, 51, 100, 7], "GET /slow", &cookie)).collect();
    while world.seen.heads.lock().unwrap().len() < 2 {
        thread::sleep(Duration::from_millis(5));
    }
    let reply = ask_from(&world, [198, 51, 100, 7], "GET /", &cookie).reply();
    assert_eq!((reply.status, reply.one("retry-after")), (429, "2"));
    assert_eq!(ask_from(&world, [198, 51, 100, 8], "GET /", &cookie).reply().status, 200);
    GATES[1].store(true, Ordering::Relaxed);
    for mut client in under_way {
        assert_eq!(client.reply().status, 200);
    }
    assert_eq!(ask_from(&world, [198, 51, 100, 7], "GET /", &cookie).reply().status, 200);
}

/// Pages that cost a core much, as a login with its signatures does.
#[derive(Default)]
struct Costly {
    answered: AtomicUsize,
}

#[async_trait]
impl Routes for Costly {
    async fn answer(&self, _: PageRequest) -> Response<Bytes> {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(5) {
            std::hint::spin_loop();
        }
        self.answered.fetch_add(1, Ordering::Relaxed);
        Response::new(Bytes::from_static(b"page"))
    }

    fn refuse(&self, _: Turned) -> Response<Bytes> {
        Response::new(Bytes::new())
    }

    fn offer(&self, _: Offer) -> Response<Bytes> {
        Response::new(Bytes::new())
    }
}

/// Tells the flooders to stop, also when the test fails meanwhile.
struct Stopping<'a>(&'a AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn live_sessions_are_served_while_logins_wait() {
    let pages = std::sync::Arc::new(Costly::default());
    let world = world_with(ok, std::sync::Arc::<Costly>::clone(&pages), |_, _| {});
    let (_, cookie) = world.session(1);
    let stop = AtomicBool::new(false);
    let refused = AtomicUsize::new(0);
    let served = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let stopping = Stopping(&stop);
        for flooder in 0..150_u8 {
            let (world, stop, refused, served) = (&world, &stop, &refused, &served);
            scope.spawn(move || {
                let mut client = world.plain();
                while !stop.load(Ordering::Relaxed) {
                    // Each from another address: one alone is refused by its own limit.
                    let from = format!("X-Forwarded-For: 198.51.100.{flooder}");
                    let began = Instant::now();
                    client.send(&head("GET /.fedgate/login", &[&from]));
                    match client.reply().status {
                        200 => served.lock().unwrap().push(began.elapsed()),
                        503 => drop(refused.fetch_add(1, Ordering::Relaxed)),
                        other => panic!("{other}"),
                    }
                }
            });
        }
        thread::sleep(Duration::from_millis(300));
        let mut client = world.plain();
        let mut took: Vec<Duration> = (0..40)
            .map(|_| {
                let began = Instant::now();
                client.send(&head("GET /", &[&format!("Cookie: {cookie}")]));
                assert_eq!(client.reply().status, 200);
                began.elapsed()
            })
            .collect();
        drop(stopping);
        took.sort();
        let mut page = served.lock().unwrap().clone();
        page.sort();
        let page = page[page.len() / 2];
        // In one queue with them a request would take as long as a page, whatever else the machine does.
        println!("live requests: p50 {:?}, worst {:?}; pages {:?}, p50 {page:?}", took[20], took[39], pages.answered);
        assert!(took[20] * 2 < page, "p50 {:?} against a page's {page:?}", took[20]);
    });
    assert!(pages.answered.load(Ordering::Relaxed) > 0, "logins are served too");
}

#[test]
fn live_sessions_are_served_while_unknown_ones_wait() {
    let world = world(ok, |_, _| {});
    let (_, cookie) = world.session(1);
    // A store that is slow: 64 sessions are read at once, each for this long, and others wait for a second.
    *world.sessions.slow.lock().unwrap() = Duration::from_secs(4);
    let unknown = format!("Cookie: __Host-fedgate={}", "A".repeat(43));
    let mut strangers: Vec<Client> = (0..300)
        .map(|_| {
            let mut client = world.plain();
            client.send(&head("GET /", &[&unknown]));
            client
        })
        .collect();
    let mut client = world.plain();
    let mut took: Vec<Duration> = (0..40)
        .map(|_| {
            let began = Instant::now();
            client.send(&head("GET /", &[&format!("Cookie: {cookie}")]));
            assert_eq!(client.reply().status, 200);
            began.elapsed()
        })
        .collect();
    took.sort();
    // Behind strangers a request would wait for a second, and then for four.
    println!("live requests: p50 {:?}, worst {:?}", took[20], took[39]);
    assert!(took[20] < Duration::from_millis(500), "p50 {:?}", took[20]);
    let (mut refused, mut read) = (0, 0);
    for stranger in &mut strangers {
        let reply = stranger.reply();
        match reply.status {
            503 => refused += usize::from(reply.one("retry-after") == "2"),
            401 => read += 1,
            other => panic!("{other}"),
        }
    }
    // Those at once, and perhaps a few that came when they were done.
    assert!(read >= 64 && refused >= 300 - 2 * 64, "{read} read, {refused} refused");
    assert_eq!(turned(&world, "sessions"), refused as u64);
}

#[test]
fn a_client_that_floods_the_login_is_told_to_wait() {
    let world = world_with(ok, std::sync::Arc::new(Waiting), |_, _| {});
    let mut clients: Vec<Client> = (0..80)
        .map(|_| {
            let mut client = world.plain();
            client.send(&head("GET /.fedgate/login", &["X-Forwarded-For: 198.51.100.7"]));
            client
        })
        .collect();
    let refused = clients.iter_mut().map(|client| client.reply().status).filter(|status| *status == 429).count();
    assert_eq!(refused, 80 - 64);
    let mut other = world.plain();
    other.send(&head("GET /.fedgate/login", &["X-Forwarded-For: 198.51.100.8"]));
    assert_eq!(other.reply().status, 200);
}

/// Pages that wait for a provider.
struct Waiting;

#[async_trait]
impl Routes for Waiting {
    async fn answer(&self, _: PageRequest) -> Response<Bytes> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Response::new(Bytes::from_static(b"page"))
    }

    fn refuse(&self, _: Turned) -> Response<Bytes> {
        Response::new(Bytes::new())
    }

    fn offer(&self, _: Offer) -> Response<Bytes> {
        Response::new(Bytes::new())
    }
}

/// So much of a response of `length` bytes, from this client.
fn respond_from(world: &World, client: &str, length: usize, sent: usize) -> Client {
    let fields =
        format!("X-Forwarded-Proto: https\r\nX-Forwarded-For: {client}\r\nCookie: __Host-fedgate-in-0=made-up");
    let mut stream = world.plain();
    stream
        .send(&format!("POST /saml/x HTTP/1.1\r\nHost: id.localhost\r\n{fields}\r\nContent-Length: {length}\r\n\r\n"));
    // A refusal may come before all of it was sent.
    let _ = stream.stream.write_all(&vec![b'x'; sent]);
    stream
}

#[test]
fn h10_large_responses_of_strangers_are_held_in_bounded_number() {
    let world = world(ok, |_, _| {});
    let begin = |crowd: usize| (0..64).map(move |number| format!("198.51.{crowd}.{}", number / 4));
    let status = |client: &str| respond_from(&world, client, 100_000, 100_000).reply().status;
    assert_eq!(status("203.0.113.1"), 200);
    // Each is waited for ten seconds: on a busy machine the first may be over before the last has come.
    let mut held = Vec::new();
    let is_full = (0..10).any(|crowd| {
        held.extend(begin(crowd).map(|client| respond_from(&world, &client, 100_000, 70_000)));
        let reply = respond_from(&world, "203.0.113.1", 100_000, 100_000).reply();
        (reply.status, reply.one("retry-after")) == (503, "2")
    });
    assert!(is_full && turned(&world, "replies") > 0, "one more waits, and is told to come again");
    assert_eq!(respond_from(&world, "203.0.113.1", 60_000, 60_000).reply().status, 200, "those of usual size go on");
    for mut client in held {
        let _ = client.stream.write_all(&[b'x'; 30_000]);
        assert!(matches!(client.reply().status, 200 | 408 | 503), "who came before is served");
    }
    assert_eq!(status("203.0.113.1"), 200, "there is room again");
}

/// Pages that are not answered before the gate is open.
#[derive(Default)]
struct Gated {
    open: CancellationToken,
    asked: AtomicUsize,
}

#[async_trait]
impl Routes for Gated {
    async fn answer(&self, _: PageRequest) -> Response<Bytes> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.open.cancelled().await;
        Response::new(Bytes::new())
    }

    fn refuse(&self, _: Turned) -> Response<Bytes> {
        Response::new(Bytes::new())
    }

    fn offer(&self, _: Offer) -> Response<Bytes> {
        Response::new(Bytes::new())
    }
}

#[test]
fn h10_one_client_has_its_share_of_large_responses_until_they_are_answered() {
    let pages = std::sync::Arc::new(Gated::default());
    let world = world_with(ok, std::sync::Arc::<Gated>::clone(&pages), |_, _| {});
    let until_asked = |count: usize| {
        while pages.asked.load(Ordering::SeqCst) < count {
            thread::sleep(Duration::from_millis(5));
        }
    };
    let whole = |client: &str| respond_from(&world, client, 100_000, 100_000);
    let mut answered: Vec<Client> = (0..4).map(|_| whole("198.51.100.7")).collect();
    until_asked(4);
    let reply = whole("198.51.100.7").reply();
    assert_eq!((reply.status, reply.one("retry-after")), (503, "2"), "all four were read, and none is answered");
    assert_eq!(turned(&world, "replies"), 1);
    answered.push(whole("198.51.100.8"));
    until_asked(5);
    answered.push(respond_from(&world, "198.51.100.7", 60_000, 60_000));
    until_asked(6);
    pages.open.cancel();
    answered.push(whole("198.51.100.7"));
    for mut client in answered {
        assert_eq!(client.reply().status, 200);
    }
}
