//! Requests without a body are read and answered by the gateway itself, all others by hyper: whatever bytes a client sends, the
//! product sees the same and the client receives the same by both ways.

use super::direct::odd;
use super::support::*;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

/// What the product saw and the client received, without what is another each time, and in an order of its own.
#[derive(Debug, Eq, PartialEq)]
struct Outcome {
    seen: Vec<String>,
    received: Vec<(String, Vec<String>, String)>,
}

/// Lines of a head in order, without those that are another each time.
fn lines(head: &str) -> (String, Vec<String>) {
    let mut lines = head.lines().map(str::to_owned);
    let first = lines.next().unwrap_or_default();
    let mut fields: Vec<_> =
        lines.filter(|line| !line.starts_with("x-request-id: ") && !line.starts_with("date: ")).collect();
    fields.sort();
    (first, fields)
}

/// A body in chunks; `None` when it is not whole.
fn dechunked(rest: &mut Vec<u8>) -> Option<String> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if rest.len() < end + size + 4 {
            return None;
        }
        let chunk: Vec<u8> = rest.drain(..end + size + 4).skip(end + 2).take(size).collect();
        if size == 0 {
            return Some(String::from_utf8(body).unwrap());
        }
        body.extend(chunk);
    }
}

/// Replies, one after the other; the last may be cut.
fn replies(mut rest: Vec<u8>) -> Vec<(String, Vec<String>, String)> {
    let mut found = Vec::new();
    while let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") {
        let head = String::from_utf8(rest.drain(..end + 4).collect()).unwrap();
        let (status, fields) = lines(head.trim_end());
        let length = fields.iter().find_map(|field| field.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        let body = match fields.iter().any(|field| field == "transfer-encoding: chunked") {
            true => dechunked(&mut rest).unwrap_or_else(|| "cut".to_owned()),
            false => String::from_utf8(rest.drain(..rest.len().min(length)).collect()).unwrap(),
        };
        // Its reference is the request's number.
        let body = body.split("\nref: ").next().unwrap_or_default().to_owned();
        let fields =
            fields.into_iter().filter(|field| !body.contains(": ") || !field.starts_with("content-length")).collect();
        found.push((status, fields, body));
    }
    assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
    found
}

/// Sends `text` in pieces of at most so many bytes behind a first request: hyper's, or our own.
fn run(world: &World, cookie: &str, by_hyper: bool, (text, piece): (&str, usize)) -> Outcome {
    let mut client = world.plain();
    let first = if by_hyper { "TE: trailers" } else { "Accept: */*" };
    client.send(&head("GET /bare", &[cookie, first]));
    assert_eq!(client.reply().status, 200);
    world.seen.heads.lock().unwrap().clear();
    for part in text.as_bytes().chunks(piece) {
        // It may have been refused already.
        if client.stream.write_all(part).is_err() {
            break;
        }
        if piece < 100 {
            thread::sleep(Duration::from_micros(300));
        }
    }
    let _ = client.stream.write_all(head("GET /bare", &[cookie, "Connection: close"]).as_bytes());
    let received = replies(client.rest());
    let heads = std::mem::take(&mut *world.seen.heads.lock().unwrap());
    // A body that the product left unread looks like a head to it.
    let seen = heads.iter().filter(|head| head.contains(" HTTP/1.1")).map(|head| {
        let (line, fields) = lines(head);
        format!("{line} {fields:?}")
    });
    Outcome { seen: seen.collect(), received }
}

#[test]
fn the_same_bytes_mean_the_same_by_both_ways() {
    let world = world(odd, |_, _| {});
    let cookie = format!("Cookie: {}", world.session(1).1);
    let get = |path: &str, fields: &[&str]| head(&format!("GET {path}"), &[&[cookie.as_str()], fields].concat());
    let plain = get("/", &[]);
    let large = |size: usize| get("/bare", &[&format!("X-Large: {}", "x".repeat(size))]);
    let many = |count: usize| get("/bare", &vec!["X-Many: x"; count]);
    let whole = 16 * 1024 - large(0).len();
    let mut rows = vec![
        (plain.clone(), 2),
        (plain.repeat(3), 4),
        (head("HEAD /bare", &[&cookie]), 2),
        (head("GET /", &[]), 2),
        (head("GET /", &["Sec-Fetch-Mode: navigate"]), 2),
        (head("GET /.fedgate/healthz", &[]), 2),
        (head("HEAD /.fedgate/login", &[]), 2),
        (get("/assets/a%2fb", &[]), 2),
        (get("/a/../b", &[]), 2),
        (get("/caf\u{e9}", &[]), 2),
        (get("/chunked", &[]), 2),
        (get("/none", &[]) + &get("/same", &[]), 3),
        (get("/large", &[]) + &plain, 3),
        (get("/lengths", &[]) + &plain, 3),
        (get("/", &["Content-Length: 0"]), 2),
        (
            plain.clone()
                + &head("POST /bare", &[&cookie, "Sec-Fetch-Site: same-origin", "Content-Length: 0"])
                + &plain,
            4,
        ),
        (get("/", &["Content-Length: 5", "Transfer-Encoding: chunked"]) + "0\r\n\r\n" + &plain, 1),
        (get("/", &["Transfer-Encoding: gzip"]), 1),
        (get("/", &["Host: eve.example"]), 2),
        (get("/", &["Folded: a\r\n b"]), 1),
        (get("/", &["Spaced : a"]), 1),
        (get("/", &["Null: a\0b"]), 1),
        (get("/", &["Tab: a\tb", "Empty:", "High: \u{e4}"]), 2),
        (get("/", &["No field"]), 1),
        (plain.replace("\r\n", "\n"), 2),
        (format!("\r\n\r\n{plain}"), 2),
        (plain.replace("GET / ", "GET http://trello.localhost/ "), 2),
        (plain.replace("GET / ", "GET * "), 2),
        (plain.replace("GET / ", "GET  / "), 1),
        (plain.replace("GET", "get"), 2),
        (plain.replace("GET", "GE\u{0}T"), 1),
        (plain.replace("HTTP/1.1", "HTTP/1.0"), 1),
        (plain.replace("HTTP/1.1", "HTTP/2.0"), 1),
        (get("/", &["Connection: close"]) + &plain, 1),
        (get("/", &["Connection: keep-alive, x-auth-name", "X-Auth-Name: Eve"]), 2),
        (get("/", &["Expect: 100-continue"]), 2),
        (get("/", &["Upgrade: h2c", "Connection: upgrade, http2-settings", "HTTP2-Settings: x"]), 2),
        (get("/", &["Trailer: x"]), 2),
        (large(whole - 1), 2),
        (large(whole), 2),
        (large(whole + 1), 2),
    ];
    let fields = many(0).matches("\r\n").count() - 2;
    rows.extend([63, 64, 65, 100].map(|count| (many(count - fields), 2)));
    rows.push((many(101 - fields), 1));
    for (text, replied) in &rows {
        for piece in [1, 1000, usize::MAX] {
            if piece == 1 && text.len() > 1000 {
                continue;
            }
            let [ours, hypers] = [false, true].map(|by_hyper| run(&world, &cookie, by_hyper, (text, piece)));
            let shown = text.chars().take(300).collect::<String>();
            assert_eq!(ours, hypers, "in pieces of {piece}: {shown:?}");
            assert_eq!(ours.received.len(), *replied, "{shown:?} {ours:?}");
        }
    }
}

#[test]
fn a_product_hears_at_once_that_its_client_left() {
    fn never(head: &str, stream: &mut std::net::TcpStream) {
        match head.starts_with("GET /begun ") {
            true => drop(stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")),
            false if head.starts_with("GET /never ") => {}
            false => ok(head, stream),
        }
    }
    let world = world(never, |_, _| {});
    let cookie = format!("Cookie: {}", world.session(1).1);
    for path in ["/never", "/begun"] {
        let before = world.seen.ended.load(Ordering::SeqCst);
        let mut client = world.plain();
        client.send(&head(&format!("GET {path}"), &[&cookie]));
        while !world.seen.last().starts_with(&format!("GET {path} ")) {
            thread::sleep(Duration::from_millis(5));
        }
        if path == "/begun" {
            assert!(client.head().starts_with("HTTP/1.1 200 "));
        }
        // With a reset: what only closes its side is served on for a while.
        socket2::SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
        assert!(
            (0..1000).any(|_| {
                thread::sleep(Duration::from_millis(10));
                world.seen.ended.load(Ordering::SeqCst) > before
            }),
            "{path}"
        );
    }
}

#[test]
fn an_answer_that_breaks_off_is_never_ended() {
    fn breaks(head: &str, stream: &mut std::net::TcpStream) {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let (text, cut): (&[u8], _) = match path {
            "/chunked" => (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", true),
            "/malformed" => (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nx\r\n", true),
            "/length" => (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", true),
            _ => (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false),
        };
        let _ = stream.write_all(text);
        if cut {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
    let world = world(breaks, |_, _| {});
    let cookie = format!("Cookie: {}", world.session(1).1);
    for path in ["/chunked", "/malformed", "/length"] {
        let mut client = world.plain();
        client.send(&head(&format!("GET {path}"), &[&cookie]));
        assert!(client.head().starts_with("HTTP/1.1 200 "), "{path}");
        let rest = String::from_utf8(client.rest()).unwrap();
        assert!(rest == "hello" || rest == "5\r\nhello\r\n", "{path}: {rest:?}");
    }
}

#[test]
fn a_head_that_was_begun_ahead_has_as_long_as_any_other() {
    fn slow(head: &str, stream: &mut std::net::TcpStream) {
        if head.starts_with("GET /slow ") {
            thread::sleep(Duration::from_millis(500));
        }
        ok(head, stream);
    }
    let world = world(slow, |options, _| options.listen.patience.header = Duration::from_secs(1));
    let cookie = format!("Cookie: {}", world.session(1).1);
    // The second is hyper's.
    for ahead in ["GET / HTT", "POST / HTTP/1.1\r\nHo"] {
        let asked = world.seen.heads.lock().unwrap().len();
        let mut client = world.plain();
        client.send(&head("GET /slow", &[&cookie]));
        while world.seen.heads.lock().unwrap().len() == asked {
            thread::sleep(Duration::from_millis(5));
        }
        client.send(ahead);
        assert_eq!(client.reply().body, "hello", "{ahead:?}");
        // Less than the 75 seconds of an idle connection.
        client.stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
        let end = client.stream.read(&mut [0]);
        assert!(
            matches!(end, Ok(0)) || end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset),
            "{ahead:?}"
        );
    }
}

#[test]
fn what_a_client_sends_ahead_waits_in_its_socket() {
    const MOST: usize = 20_000_000;
    fn slow(head: &str, stream: &mut std::net::TcpStream) {
        if head.starts_with("GET /slow ") {
            thread::sleep(Duration::from_millis(700));
        }
        ok(head, stream);
    }
    let world = world(slow, |_, _| {});
    let cookie = format!("Cookie: {}", world.session(1).1);
    let mut client = world.plain();
    client.send(&head("GET /slow", &[&cookie]));
    client.stream.set_nonblocking(true).unwrap();
    let next = head("GET /", &[&cookie]);
    let mut ahead = 0;
    for _ in 0..80 {
        while let (Ok(written), true) = (client.stream.write(next.as_bytes()), ahead < MOST) {
            ahead += written;
        }
        thread::sleep(Duration::from_millis(5));
    }
    // Both sockets' buffers, which the kernel lets grow to 10 MB.
    assert!(ahead < MOST, "{ahead} bytes were taken before the first was answered");
    client.stream.set_nonblocking(false).unwrap();
    assert_eq!(client.reply().status, 200);
    // As many answers as whole requests were sent, in their order.
    for _ in 0..(ahead / next.len()).min(50) {
        assert_eq!(client.reply().body, "hello");
    }
}
