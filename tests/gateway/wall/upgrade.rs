//! Upgrades: only a WebSocket that was asked for, from the host itself (rule M30), and no way to tunnel past the checks.

use super::*;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::thread;

const SOCKET: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const OWN: &str = "Origin: https://trello.localhost\r\n";

#[test]
fn m30_foreign_origins_open_nothing() {
    let wall = Wall::new();
    let head = format!("Host: {HOST}\r\nX-Forwarded-Proto: https\r\nCookie: TOKEN\r\n");
    for origin in [
        "",
        "Origin: null\r\n",
        "Origin:\r\n",
        "Origin: https://evil.example\r\n",
        "Origin: https://id.localhost\r\n",
        "Origin: https://loom.localhost\r\n",
        "Origin: https://app.example.com\r\n",
        "Origin: http://trello.localhost\r\n",
        "Origin: wss://trello.localhost\r\n",
        "Origin: https://trello.localhost:443\r\n",
        "Origin: https://trello.localhost.\r\n",
        "Origin: https://TRELLO.localhost\r\n",
        "Origin: https://trello.localhost, https://evil.example\r\n",
        "Origin: https://trello.localhost\r\nOrigin: https://trello.localhost\r\n",
        "Origin: https://trello.localhost\r\nSec-Fetch-Site: same-site\r\n",
        "Origin: https://trello.localhost\r\nSec-Fetch-Site: cross-site\r\n",
        "Sec-WebSocket-Origin: https://trello.localhost\r\n",
    ] {
        let raw = format!("GET /a HTTP/1.1\r\n{head}{SOCKET}{origin}\r\n");
        wall.check(&[row(origin, raw, 403, Sees::Nothing)]);
    }
}

#[test]
fn m30_optional_paths_open_no_socket_to_strangers() {
    let wall = Wall::new();
    let head = format!("GET /share/a HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-Proto: https\r\n");
    for (name, cookie) in [("nobody", ""), ("of a session that is not known", "Cookie: __Host-fedgate=unknown\r\n")] {
        wall.check(&[
            row(name, format!("{head}{cookie}{SOCKET}{OWN}\r\n"), 401, Sees::Nothing),
            row(name, format!("{head}{cookie}\r\n"), 200, Sees::Once(&["get /share/a"])),
        ]);
    }
}

#[test]
fn other_protocols_are_not_asked_for() {
    let wall = Wall::new();
    for upgrade in [
        "h2c",
        "h2c, websocket",
        "websocket, h2c",
        "HTTP/2.0",
        "TLS/1.3",
        "websocket\r\nUpgrade: h2c",
        "web socket",
        "connect-udp",
    ] {
        for connection in ["Upgrade", "upgrade, HTTP2-Settings", "close, Upgrade"] {
            let raw = format!(
                "GET /a HTTP/1.1\r\nBASE{OWN}Connection: {connection}\r\nUpgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"
            );
            let outcome = wall.send(raw.as_bytes(), false);
            assert_eq!(outcome.status, 200, "{raw} {outcome:?}");
            let head = &outcome.seen[0].head;
            for gone in ["upgrade", "connection:", "http2-settings", "h2c"] {
                assert!(!head.contains(gone), "{gone} in {head}");
            }
        }
    }
    // Without `Connection: upgrade`, or by another method, it is an ordinary request.
    for raw in [
        format!("GET /a HTTP/1.1\r\nBASE{OWN}Upgrade: websocket\r\n\r\n"),
        format!("POST /a HTTP/1.1\r\nBASE{OWN}{SOCKET}\r\n"),
        format!("GET /assets/a HTTP/1.1\r\nBASE{OWN}{SOCKET}\r\n"),
    ] {
        let outcome = wall.send(raw.as_bytes(), false);
        assert_eq!(outcome.status, 200, "{raw} {outcome:?}");
        assert!(!outcome.seen[0].head.contains("\nupgrade:"), "{outcome:?}");
    }
}

#[test]
fn what_follows_a_refused_upgrade_is_read_by_us() {
    // The product answers the upgrade with 200: the bytes behind it are requests, and go through every check.
    let wall = Wall::new();
    let inner = format!("GET /smuggled HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-Proto: https\r\nX-Own: eve\r\n\r\n");
    let raw = format!("GET /a HTTP/1.1\r\nBASE{OWN}{SOCKET}\r\n{inner}");
    let mut client = wall.world.plain();
    client.stream.write_all(&wall.fill(raw.as_bytes())).unwrap();
    assert_eq!(client.reply().status, 200);
    assert_eq!(client.reply().status, 401, "no session");
    let seen = wall.recorder.take();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(!seen[0].head.contains("smuggled"));
}

/// A product that says one thing to whoever asks, and gives back what came.
fn blunt(answer: Vec<u8>) -> (std::net::SocketAddr, thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = thread::spawn(move || {
        let (mut stream, _): (TcpStream, _) = listener.accept().unwrap();
        let mut all = Vec::new();
        let mut chunk = [0; 4096];
        while find(&all, b"\r\n\r\n").is_none() {
            match stream.read(&mut chunk) {
                Ok(0) | Err(_) => return all,
                Ok(read) => all.extend_from_slice(&chunk[..read]),
            }
        }
        let _ = stream.write_all(&answer); // The gateway may have turned away already.
        while let Ok(read @ 1..) = stream.read(&mut chunk) {
            all.extend_from_slice(&chunk[..read]);
        }
        all
    });
    (address, served)
}

#[test]
fn a_101_counts_only_where_a_websocket_was_asked_for() {
    // The one answer to the key of `SOCKET` (RFC 6455 §1.3).
    const ACCEPT: &str = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    let upgraded = format!("Connection: upgrade\r\nUpgrade: websocket\r\n{ACCEPT}");
    for (name, asked, fields, status) in [
        ("unasked", "", upgraded.clone(), 502),
        ("h2c", SOCKET, upgraded.replace("websocket\r\n", "h2c\r\n"), 502),
        ("nothing named", SOCKET, ACCEPT.to_owned(), 502),
        ("two named", SOCKET, format!("{upgraded}Upgrade: h2c\r\n"), 502),
        ("another key's", SOCKET, upgraded.replace("s3p", "t3p"), 502),
        ("no key's", SOCKET, upgraded.replace(ACCEPT, ""), 502),
        (
            "granted",
            SOCKET,
            format!("{upgraded}Set-Cookie: __Host-fedgate=eve\r\nAlt-Svc: eve\r\nFedgate-X: eve\r\n"),
            101,
        ),
    ] {
        let answer = format!("HTTP/1.1 101 Switching Protocols\r\n{fields}\r\n");
        let fields = if asked.is_empty() { String::new() } else { format!("{OWN}{asked}") };
        let (at, served) = blunt(answer.into_bytes());
        let wall =
            Wall::with(|_, site| site.upstreams = vec![Upstream::Http { host: at.ip().to_string(), port: at.port() }]);
        let mut client = wall.world.plain();
        client.stream.write_all(&wall.fill(format!("GET /a HTTP/1.1\r\nBASE{fields}\r\n").as_bytes())).unwrap();
        let reply = client.reply();
        assert_eq!(reply.status, status, "{name}: {reply:?}");
        assert!(!reply.head.contains("eve"), "rule H7 holds for it too: {reply:?}");
        if status == 502 {
            let _ = client.stream.write_all(b"RAW BYTES"); // The connection may be gone, which is as good.
        }
        drop(client);
        let got = String::from_utf8_lossy(&served.join().unwrap()).into_owned();
        assert!(!got.contains("RAW BYTES"), "{name}: {got}");
    }
}
