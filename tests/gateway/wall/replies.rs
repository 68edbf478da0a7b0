//! Answers with two readings: what one person's request called forth never becomes the answer to another's.

use super::*;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener};
use std::thread;

/// A product that answers the first request of each connection with these bytes, and later ones with their path.
pub fn product(first: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut buffer = Vec::new();
                let mut chunk = [0; 4096];
                let mut count = 0;
                while let Ok(read @ 1..) = stream.read(&mut chunk) {
                    buffer.extend_from_slice(&chunk[..read]);
                    while let Some(end) = find(&buffer, b"\r\n\r\n") {
                        let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
                        buffer.drain(..end + 4);
                        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                        count += 1;
                        let own = format!("HTTP/1.1 200 OK\r\nX-Path: {path}\r\nContent-Length: 0\r\n\r\n");
                        let answer = if count == 1 && path == "/poison" { first } else { own.as_bytes() };
                        if stream.write_all(answer).is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    address
}

#[test]
fn an_answer_too_many_is_nobodys() {
    let more = "HTTP/1.1 200 OK\r\nX-Path: /stolen\r\nContent-Length: 0\r\n\r\n";
    for (name, method, first) in [
        ("two answers", "GET", format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n{more}")),
        ("longer than said", "GET", format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi{more}")),
        ("a body to HEAD", "HEAD", format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{more}", more.len())),
        ("a body with 204", "GET", format!("HTTP/1.1 204 No Content\r\nContent-Length: {}\r\n\r\n{more}", more.len())),
        (
            "a body with 304",
            "GET",
            format!("HTTP/1.1 304 Not Modified\r\nContent-Length: {}\r\n\r\n{more}", more.len()),
        ),
        (
            "after the last chunk",
            "GET",
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{more}"),
        ),
        (
            "after a trailer",
            "GET",
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n{more}"),
        ),
    ] {
        let at = product(Box::leak(first.into_bytes().into_boxed_slice()));
        let wall =
            Wall::with(|_, site| site.upstreams = vec![Upstream::Http { host: at.ip().to_string(), port: at.port() }]);
        for round in 0..5 {
            let mut client = wall.world.plain();
            client.stream.write_all(&wall.fill(format!("{method} /poison HTTP/1.1\r\nBASE\r\n").as_bytes())).unwrap();
            let head = client.head();
            assert!(!head.contains("/stolen"), "{name}: {head}");
            // Another person, at once.
            let mut other = wall.world.plain();
            other.stream.write_all(&wall.fill(b"GET /other HTTP/1.1\r\nBASE\r\n")).unwrap();
            let reply = other.reply();
            assert_eq!((reply.status, reply.one("x-path")), (200, "/other"), "{name}, round {round}: {reply:?}");
        }
    }
}

#[test]
fn answers_that_cannot_be_read_are_502() {
    for (name, answer) in [
        ("no http", &b"garbage\r\n\r\n"[..]),
        ("obs-fold", b"HTTP/1.1 200 OK\r\nX: a\r\n Set-Cookie: __Host-fedgate=x\r\nContent-Length: 0\r\n\r\n"),
        ("space before the colon", b"HTTP/1.1 200 OK\r\nSet-Cookie : __Host-fedgate=x\r\nContent-Length: 0\r\n\r\n"),
        ("two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello"),
        ("signed length", b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello"),
        ("nul", b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n"),
        ("bare cr", b"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: x=y\r\nContent-Length: 0\r\n\r\n"),
    ] {
        let at = product(answer);
        let wall =
            Wall::with(|_, site| site.upstreams = vec![Upstream::Http { host: at.ip().to_string(), port: at.port() }]);
        let mut client = wall.world.plain();
        client.stream.write_all(&wall.fill(b"GET /poison HTTP/1.1\r\nBASE\r\n")).unwrap();
        let reply = client.reply();
        assert_eq!(reply.status, 502, "{name}: {reply:?}");
        assert!(reply.all("set-cookie").is_empty(), "{name}: {reply:?}");
    }
}

#[test]
fn hop_by_hop_fields_of_answers_end_here() {
    let at = product(
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive, x-hop\r\nKeep-Alive: timeout=eve\r\nProxy-Authenticate: Basic eve\r\n\
          Proxy-Connection: eve\r\nUpgrade: eve\r\nTE: eve\r\nTrailer: eve\r\nX-Hop: eve\r\nX-Own: y\r\nContent-Length: 0\r\n\r\n",
    );
    let wall =
        Wall::with(|_, site| site.upstreams = vec![Upstream::Http { host: at.ip().to_string(), port: at.port() }]);
    let mut client = wall.world.plain();
    client.stream.write_all(&wall.fill(b"GET /poison HTTP/1.1\r\nBASE\r\n")).unwrap();
    let reply = client.reply();
    assert_eq!((reply.status, reply.one("x-own")), (200, "y"));
    assert!(!reply.head.contains("eve") && !reply.head.contains("x-hop"), "{reply:?}");
}

#[test]
fn h7_our_cookies_in_no_spelling_come_from_a_product() {
    for name in [
        "__Host-fedgate",
        "__HOST-FEDGATE",
        "__host-fedgate-flow-x",
        "=__Host-fedgate",
        " = __Host-fedgate",
        "==__Host-fedgate",
        "\t__Host-fedgate",
        "__Secure-fedgate",
        "fedgate",
        "Fedgate_x",
        "__Host-fedgateX",
    ] {
        let answer = format!(
            "HTTP/1.1 200 OK\r\nSet-Cookie: {name}=eve; Path=/\r\nset-cookie: own=1\r\nContent-Length: 0\r\n\r\n"
        );
        let at = product(Box::leak(answer.into_bytes().into_boxed_slice()));
        let wall =
            Wall::with(|_, site| site.upstreams = vec![Upstream::Http { host: at.ip().to_string(), port: at.port() }]);
        let mut client = wall.world.plain();
        client.stream.write_all(&wall.fill(b"GET /poison HTTP/1.1\r\nBASE\r\n")).unwrap();
        assert_eq!(client.reply().all("set-cookie"), ["own=1"], "{name}");
    }
}

#[test]
fn h7_trailers_of_answers_obey_the_same_rules() {
    let at = product(
        b"HTTP/1.1 200 OK\r\nTrailer: Set-Cookie, X-Own\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nSet-Cookie: a=eve\r\n\
          Fedgate-Assertion: eve\r\nX-Fedgate-User: eve\r\nStrict-Transport-Security: eve\r\nClear-Site-Data: \"eve\"\r\n\
          NEL: eve\r\nAlt-Svc: eve\r\nX-Own: y\r\n\r\n",
    );
    let wall =
        Wall::with(|_, site| site.upstreams = vec![Upstream::Http { host: at.ip().to_string(), port: at.port() }]);
    let mut client = wall.world.plain();
    client
        .stream
        .write_all(&wall.fill(b"GET /poison HTTP/1.1\r\nBASETE: trailers\r\nConnection: close\r\n\r\n"))
        .unwrap();
    let all = String::from_utf8_lossy(&client.rest()).into_owned();
    assert!(all.starts_with("HTTP/1.1 200") && !all.contains("eve"), "{all}");
}
