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
