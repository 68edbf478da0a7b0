//! Requests without a body go to a product on connections that the gateway speaks on itself: with the same fields as all others,
//! and with nobody's answer but their own.

use super::support::*;
use fedgate::gateway::options::Upstream;
use socket2::{Domain, Socket, Type};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

fn cookie(world: &World) -> String {
    format!("Cookie: {}", world.session(1).1)
}

fn bare(_: &str, stream: &mut TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

/// The fields that the product saw last, without the request's own number, and the path.
fn seen(world: &World) -> (String, BTreeSet<String>) {
    let head = world.seen.last();
    let mut lines = head.lines();
    let path = lines.next().unwrap().split_once(' ').unwrap().1.to_owned();
    let fields: Vec<_> = lines.filter(|line| !line.starts_with("x-request-id: ")).map(str::to_owned).collect();
    let count = fields.len();
    let fields: BTreeSet<_> = fields.into_iter().collect();
    assert_eq!(fields.len(), count, "no field comes twice: {head}");
    (path, fields)
}

#[test]
fn h7_a_get_and_a_head_reach_the_product_with_the_same_fields() {
    let world = world(bare, |_, _| {});
    let cookie = cookie(&world);
    let with = |more: &str| format!("{cookie}; {more}");
    for (path, fields) in [
        ("/", vec![cookie.as_str()]),
        ("/a/%42?x=%2f&y", vec![&with("a=b"), "Accept: */*", "Accept-Language: en"]),
        ("/", vec![&cookie, "Cookie: a=b", "Cookie: c=d"]),
        ("/", vec![&with("a=b"), "Connection: cookie, x-forwarded-for, host, accept", "Accept: */*"]),
        (
            "/",
            vec![
                &cookie,
                "X_Fedgate_User: eve",
                "fedgate-assertion: eve",
                "X-Auth.Name: Eve",
                "Forwarded: for=192.0.2.9",
            ],
        ),
        ("/", vec![&cookie, "X-Forwarded-For: 192.0.2.9", "X-Forwarded-Host: eve", "X-Request-Id: eve"]),
        (
            "/",
            vec![
                &cookie,
                "Authorization: Basic eve",
                "Proxy-Authorization: Basic eve",
                "TE: trailers",
                "Keep-Alive: 5",
            ],
        ),
        ("/", vec![&cookie, "Content_Length: 9", "Expect: 100-continue", "HTTP2-Settings: x", "X-Empty:"]),
        ("/share/a", vec!["Accept: */*", "Authorization: Basic eve", "Cookie: a=b"]),
    ] {
        let ask = |method: &str| {
            let reply = world.ask(&format!("{method} {path}"), &fields);
            assert_eq!(reply.status, 200, "{method} {path} {fields:?} {reply:?}");
            seen(&world)
        };
        assert_eq!(ask("GET"), ask("HEAD"), "{path} {fields:?}");
        assert!(world.seen.heads.lock().unwrap().len() % 2 == 0);
    }
}

/// Answers that come in pieces, and answers that end in ways of their own.
pub fn odd(head: &str, stream: &mut TcpStream) {
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 9\r\n\r\n";
    let path = head.split(' ').nth(1).unwrap_or("");
    let mut say = |text: &str| drop(stream.write_all(text.as_bytes()));
    match path {
        "/bytes" => CHUNKED.split_inclusive(|_: char| true).for_each(|byte| {
            say(byte);
            thread::sleep(Duration::from_millis(1));
        }),
        "/bare" => say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        "/chunked" => say(CHUNKED),
        "/early" => {
            say("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
            thread::sleep(Duration::from_millis(20));
            say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        }
        "/large" => say(&format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n{}", "x".repeat(LARGE))),
        "/none" => say("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n"),
        "/same" => say("HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n"),
        "/later" => {
            say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
            thread::sleep(Duration::from_millis(50));
            say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
        }
        "/behind" => say(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        ),
        "/close" => say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"),
        "/old" => say("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello"),
        "/end" => {
            say("HTTP/1.1 200 OK\r\n\r\nhello");
            let _ = stream.shutdown(Shutdown::Both);
        }
        "/switch" => say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        "/lengths" => say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
        "/codings" => say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
        "/fields" => say(&format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101))),
        "/hint" => {
            say("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
            let _ = stream.shutdown(Shutdown::Both);
        }
        "/flood" => while stream.write_all(&b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1000)).is_ok() {},
        "/head" => say(&format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(500_000))),
        _ => ok(head, stream),
    }
}

const LARGE: usize = 3_000_000;

#[test]
fn an_answer_is_the_same_in_whatever_pieces_it_comes() {
    let world = world(odd, |_, _| {});
    let cookie = cookie(&world);
    let mut client = world.plain();
    for path in ["/bytes", "/chunked"] {
        client.send(&head(&format!("GET {path}"), &[&cookie, "TE: trailers"]));
        assert!(client.head().starts_with("HTTP/1.1 200 "), "{path}");
        let (mut body, mut line) = (String::new(), client.head_line());
        while line != "0" {
            let size = usize::from_str_radix(&line, 16).unwrap();
            body += &String::from_utf8(client.bytes(size)).unwrap();
            assert_eq!(client.head_line(), "");
            line = client.head_line();
        }
        assert_eq!((body.as_str(), client.head_line().as_str()), ("hello world", "x-sum: 9"), "{path}");
        assert_eq!(client.head_line(), "");
    }
    for (path, status, body) in [("/early", 200, "hello"), ("/none", 204, ""), ("/", 200, "hello")] {
        client.send(&head(&format!("GET {path}"), &[&cookie]));
        let reply = client.reply();
        assert_eq!((reply.status, reply.body.as_str()), (status, body), "{path}");
    }
    client.send(&head("GET /large", &[&cookie]));
    assert_eq!(client.reply().body.len(), LARGE);
    client.send(&head("GET /same", &[&cookie]));
    assert!(client.head().starts_with("HTTP/1.1 304 "));
    client.send(&head("GET /", &[&cookie]));
    assert_eq!(client.reply().body, "hello");
    assert_eq!(world.seen.connections.load(Ordering::SeqCst), 1, "all on one connection");
}

#[test]
fn a_connection_is_used_again_only_after_an_end_that_was_plain() {
    for path in ["/later", "/behind", "/close", "/old", "/end"] {
        let world = world(odd, |_, _| {});
        let cookie = cookie(&world);
        for turn in 1..4 {
            assert_eq!(world.ask(&format!("GET {path}"), &[&cookie]).status, 200, "{path}");
            thread::sleep(Duration::from_millis(150));
            let reply = world.ask("GET /", &[&cookie]);
            assert_eq!(
                (reply.status, reply.body.as_str()),
                (200, "hello"),
                "{path}: what nobody asked for is nobody's"
            );
            assert!(world.seen.connections.load(Ordering::SeqCst) > turn, "{path}");
        }
    }
}

#[test]
fn what_is_no_answer_is_502_and_not_asked_again() {
    let world = world(odd, |_, _| {});
    let cookie = cookie(&world);
    let paths = ["/switch", "/lengths", "/codings", "/fields", "/head", "/hint", "/flood"];
    for (asked, path) in paths.into_iter().enumerate() {
        let reply = world.ask(&format!("GET {path}"), &[&cookie]);
        assert_eq!(reply.status, 502, "{path}");
        assert!(!reply.body.contains("hello"), "{path} {reply:?}");
        assert_eq!(world.seen.heads.lock().unwrap().len(), asked + 1, "{path}");
    }
}

/// Answers that are malformed in their second piece, and of which no more comes.
fn halting(head: &str, stream: &mut TcpStream) {
    let fields = "a: b\r\n".repeat(60);
    let (first, second) = match head.split(' ').nth(1).unwrap_or("") {
        "/status" => ("IC".to_owned(), "Y 2"),
        "/name" => ("HTTP/1.1 200 OK\r\n".to_owned(), "a : b"),
        "/far" => (format!("HTTP/1.1 200 OK\r\n{fields}"), "a : b\r\n"),
        "/empty" => ("\r".to_owned(), "\n"),
        _ => return ok(head, stream),
    };
    let _ = stream.write_all(first.as_bytes());
    thread::sleep(Duration::from_millis(100));
    let _ = stream.write_all(second.as_bytes());
}

#[test]
fn what_is_no_answer_is_not_waited_for_when_it_comes_in_pieces() {
    let world = world(halting, |_, _| {});
    let cookie = cookie(&world);
    for path in ["/status", "/name", "/far", "/empty"] {
        assert_eq!(world.ask(&format!("GET {path}"), &[&cookie]).status, 502, "{path}");
    }
}

/// How often `/leave` was asked for.
static LEFT: AtomicUsize = AtomicUsize::new(0);

/// Leaves the first time, with a connection that was just used.
fn leaves(head: &str, stream: &mut TcpStream) {
    if head.starts_with("GET /leave ") && LEFT.fetch_add(1, Ordering::SeqCst) == 0 {
        let _ = stream.shutdown(Shutdown::Both);
    } else {
        ok(head, stream);
    }
}

#[test]
fn a_get_that_was_not_answered_at_all_is_sent_once_more_whenever_its_connection_was_used_last() {
    let world = world(leaves, |_, _| {});
    let cookie = cookie(&world);
    let mut client = world.plain();
    for path in ["/", "/leave"] {
        client.send(&head(&format!("GET {path}"), &[&cookie]));
        let reply = client.reply();
        assert_eq!((reply.status, reply.body.as_str()), (200, "hello"), "{path}");
    }
    assert_eq!(LEFT.load(Ordering::SeqCst), 2);
}

/// A listener whose queue is full, so that who connects waits, and the connections that fill it.
fn crowded() -> (TcpListener, SocketAddr, Vec<TcpStream>) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().unwrap();
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok();
    let filling = std::iter::from_fn(connect).collect();
    (listener, address, filling)
}

#[test]
fn nothing_is_sent_for_a_session_that_ended_while_a_connection_was_opened() {
    let (listener, address, filling) = crowded();
    let world = world(ok, |_, site| {
        site.upstreams = vec![Upstream::Http { host: address.ip().to_string(), port: address.port() }];
    });
    let (live, cookie) = world.session(1);
    let mut client = world.plain();
    client.send(&head("GET /", &[&format!("Cookie: {cookie}")]));
    thread::sleep(Duration::from_millis(300));
    live.ended.cancel();
    // Now there is room: the next attempt of the gateway's kernel gets through.
    for _ in &filling {
        drop(listener.accept().unwrap());
    }
    let (mut opened, _) = listener.accept().unwrap();
    let mut received = Vec::new();
    let _ = opened.read_to_end(&mut received);
    assert_eq!(String::from_utf8_lossy(&received), "", "the product received something");
    assert_eq!(client.reply().status, 401);
}
