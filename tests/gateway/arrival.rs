//! How connections begin: the PROXY protocol, whose a connection is, and how many there may be (rule M29).
#![expect(clippy::disallowed_methods, reason = "these tests measure how long clients are waited for")]

use super::support::*;
use super::tls::{connect, over, root, run};
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A gateway that wants PROXY protocol headers from 127.0.0.1 and from whom it names.
fn proxied(change: impl FnOnce(&mut fedgate::gateway::options::Options)) -> World {
    world(ok, |options, _| {
        options.listen.proxy_protocol = true;
        options.listen.trusted_proxies = vec![network("127.0.0.1", 32), network("10.0.0.0", 8)];
        change(options);
    })
}

/// A header of version 2: PROXY, TCP over IPv4, from this address.
pub fn header(from: [u8; 4]) -> Vec<u8> {
    let [a, b, c, d] = from;
    [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c"[..], &[a, b, c, d, 10, 0, 0, 1, 0x30, 0x39, 0x01, 0xbb]].concat()
}

fn open(world: &World, first: &[u8]) -> Client {
    let mut client = Client::open(world.running.addresses().plain.unwrap());
    client.stream.write_all(first).unwrap();
    client
}

/// What the product was told about the client of a request behind these first bytes.
fn told(world: &World, first: &[u8], fields: &[&str]) -> String {
    let (_, cookie) = world.session(1);
    let mut client = open(world, first);
    let cookie = format!("Cookie: {cookie}");
    client.send(&head("GET /", &[&[cookie.as_str()], fields].concat()));
    let reply = client.reply();
    if reply.status != 200 {
        return format!("{}", reply.status);
    }
    let seen = world.seen.last().to_lowercase();
    let value = |name: &str| {
        let line = seen.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
        line.unwrap_or_default().trim().to_owned()
    };
    assert!(value("forwarded:").contains(&value("x-forwarded-for:")), "{seen}");
    value("x-forwarded-for:")
}

#[test]
fn m29_the_proxy_protocol_names_the_client() {
    let world = proxied(|_| {});
    assert_eq!(told(&world, &header([198, 51, 100, 7]), &[]), "198.51.100.7");
    // What the client itself says about others is nothing; behind a trusted proxy that it came from it is read.
    assert_eq!(told(&world, &header([198, 51, 100, 7]), &["X-Forwarded-For: 203.0.113.9"]), "198.51.100.7");
    assert_eq!(told(&world, &header([10, 1, 1, 1]), &["X-Forwarded-For: 203.0.113.9"]), "203.0.113.9");
    // A connection of the proxy's own (LOCAL).
    assert_eq!(told(&world, b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00", &[]), "127.0.0.1");
}

#[test]
fn m29_tls_follows_the_header() {
    let world = proxied(|_| {});
    let (_, cookie) = world.session(1);
    let reply = run(async {
        let https = world.running.addresses().https.unwrap();
        let mut stream = tokio::net::TcpStream::connect(https).await.unwrap();
        stream.write_all(&header([198, 51, 100, 7])).await.unwrap();
        let mut stream = over(stream, &root(&world), HOST, "http/1.1").await.unwrap();
        let text = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n");
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        // Without the header there is no handshake either.
        assert!(connect(&world, &root(&world), HOST, "http/1.1").await.is_err());
        reply
    });
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    assert!(world.seen.last().to_lowercase().contains("x-forwarded-for: 198.51.100.7"), "{}", world.seen.last());
}

#[test]
fn m29_without_a_header_of_version_2_nobody_is_served() {
    let world = proxied(|_| {});
    for first in [
        &b""[..],
        b"PROXY TCP4 198.51.100.7 10.0.0.1 1 443\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x00\x00\x00",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
    ] {
        let mut client = open(&world, first);
        // The connection may be gone before this is sent.
        let _ = client.stream.write_all(head("GET /.fedgate/healthz", &[]).as_bytes());
        assert!(client.rest().is_empty(), "{first:?}");
    }
    assert!(turned(&world, "proxy") >= 4);
    assert_eq!(world.seen.connections.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[test]
fn m29_a_header_of_somebody_else_is_not_believed() {
    let world = world(ok, |options, _| {
        options.listen.proxy_protocol = true;
        options.listen.trusted_proxies = vec![network("10.0.0.0", 8)];
    });
    let mut client = open(&world, &header([198, 51, 100, 7]));
    // The connection may be gone before this is sent.
    let _ = client.stream.write_all(head("GET /.fedgate/healthz", &[]).as_bytes());
    assert!(client.rest().is_empty());
}

#[test]
fn a_header_that_does_not_come_holds_nothing_for_long() {
    let world = proxied(|_| {});
    let began = Instant::now();
    let mut client = open(&world, b"\r\n\r\n\0");
    assert!(client.rest().is_empty());
    assert!((4..9).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

/// How often something was turned away by a limit.
pub fn turned(world: &World, reason: &str) -> u64 {
    let text = world.seeing.text();
    let line = format!("fedgate_turned_away_total{{reason=\"{reason}\"}} ");
    text.lines().find_map(|found| found.strip_prefix(&line)?.parse().ok()).unwrap_or_else(|| panic!("{line} in {text}"))
}

/// Whether a connection is served.
fn is_served(client: &mut Client) -> bool {
    // A connection that was refused may be gone before this is sent.
    let _ = client.stream.write_all(head("GET /.fedgate/healthz", &[]).as_bytes());
    client.reply().status == 200
}

#[test]
fn one_client_cannot_take_all_connections() {
    let world = proxied(|options| {
        options.listen.crowd.connections = 20;
        options.listen.crowd.per_client = 3;
    });
    let mut ours: Vec<Client> = (0..3).map(|_| open(&world, &header([198, 51, 100, 7]))).collect();
    assert!(ours.iter_mut().all(is_served));
    assert!(!is_served(&mut open(&world, &header([198, 51, 100, 7]))));
    assert!(is_served(&mut open(&world, &header([198, 51, 100, 8]))));
    assert_eq!(turned(&world, "client"), 1);
    ours.pop();
    let again = (0..50).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        is_served(&mut open(&world, &header([198, 51, 100, 7])))
    });
    assert!(again, "a closed connection gives its seat back");
}

#[test]
fn connections_over_the_cap_are_closed_and_those_within_are_served() {
    let world = world(ok, |options, _| options.listen.crowd.connections = 16);
    let (_, cookie) = world.session(1);
    let cookie = format!("Cookie: {cookie}");
    let mut within: Vec<Client> = (0..16).map(|_| world.plain()).collect();
    for client in &mut within {
        client.send(&head("GET /", &[&cookie]));
        assert_eq!(client.reply().status, 200);
    }
    for _ in 0..50 {
        assert!(!is_served(&mut world.plain()));
    }
    assert!(turned(&world, "connections") >= 50);
    for client in &mut within {
        client.send(&head("GET /", &[&cookie]));
        assert_eq!(client.reply().status, 200, "who is in stays in");
    }
    drop(within);
    let again = (0..50).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        is_served(&mut world.plain())
    });
    assert!(again);
}

/// The connection is hyper's no more, and still one.
#[test]
fn websockets_keep_their_seats() {
    let respond = |_: &str, stream: &mut std::net::TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
    };
    let world = world(respond, |options, _| options.listen.crowd.connections = 16);
    let (_, cookie) = world.session(1);
    let fields = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let (cookie, origin) = (format!("Cookie: {cookie}"), format!("Origin: https://{HOST}"));
    let sockets: Vec<Client> = (0..16)
        .map(|_| {
            let mut client = world.plain();
            client.send(&head("GET /", &[&fields[..], &[&cookie, &origin]].concat()));
            assert!(client.head().starts_with("HTTP/1.1 101"));
            client
        })
        .collect();
    std::thread::sleep(Duration::from_millis(100));
    assert!(!is_served(&mut world.plain()));
    drop(sockets);
    let again = (0..50).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        is_served(&mut world.plain())
    });
    assert!(again);
}

#[test]
fn half_open_handshakes_leave_room_for_others() {
    let world = world(ok, |options, _| {
        options.listen.crowd.connections = 40;
        options.listen.patience.handshake = Duration::from_secs(2);
    });
    let https: SocketAddr = world.running.addresses().https.unwrap();
    let half: Vec<Client> = (0..39)
        .map(|_| {
            let mut client = Client::open(https);
            // Enough of a hello to wait for the rest.
            let _ = client.stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
            client
        })
        .collect();
    let mut refused = 0;
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(20));
        refused = turned(&world, "handshakes");
        if refused >= 29 {
            break;
        }
    }
    assert_eq!(refused, 29, "ten of forty seats are for handshakes");
    assert!(is_served(&mut world.plain()));
    let began = Instant::now();
    for mut client in half {
        assert!(client.rest().len() < 16, "an alert at most");
    }
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[test]
fn waits_for_clients_are_configured_and_a_reload_applies_them() {
    let world = world(ok, |options, _| options.listen.patience.header = Duration::from_secs(600));
    let mut options = world.options.clone();
    options.listen.patience.header = Duration::from_secs(1);
    options.listen.patience.idle = Duration::from_secs(1);
    world.running.reload(options).unwrap();
    let began = Instant::now();
    let (mut slow, mut idle) = (world.plain(), world.plain());
    slow.send("GET / HTT");
    assert!(is_served(&mut idle));
    idle.stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    assert!(slow.rest().is_empty());
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    assert!(idle.rest().is_empty());
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
}
