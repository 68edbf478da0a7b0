//! Streams: bodies both ways, event streams and WebSockets, and their end when the session ends.
#![expect(clippy::disallowed_methods, reason = "these tests measure how long an end takes")]

use super::support::*;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// An event stream that says one thing and stays; a short answer that stops in the middle; or no answer at all; or a WebSocket that says one frame and stays.
fn lasting(head: &str, stream: &mut TcpStream) {
    let text: &[u8] = match head.split(' ').nth(1).unwrap_or("") {
        "/events" => b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n",
        "/part" => b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly part of it",
        "/socket" => b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x82\x03abc",
        "/half" => b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x82\x7dabc",
        "/foreign" => b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
        "/mute" => b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "/other" => b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        _ => b"",
    };
    let _ = stream.write_all(text);
}

const UPGRADE: [&str; 4] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

fn upgrade(world: &World, path: &str, fields: &[&str]) -> Client {
    let mut client = world.plain();
    client.send(&head(&format!("GET {path}"), &[&UPGRADE[..], fields].concat()));
    client
}

/// Waits until it holds.
pub fn until(holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(5), "it did not come to that");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until the gauge of open streams says so.
pub fn open_streams(world: &World, count: i64) {
    until(|| world.seeing.open_streams.get() == count);
}

#[test]
fn an_event_stream_ends_with_its_session() {
    let world = world(lasting, |_, _| {});
    let (live, cookie) = world.session(1);
    let mut clients: Vec<Client> = (0..8).map(|_| world.plain()).collect();
    for client in &mut clients {
        client.send(&head("GET /events", &[&format!("Cookie: {cookie}")]));
        assert!(client.head().contains(" 200 "));
        assert!(String::from_utf8_lossy(&client.bytes(14)).contains("data: 1"));
    }
    open_streams(&world, 8);
    let began = Instant::now();
    live.ended.cancel();
    for client in &mut clients {
        let rest = client.rest();
        assert!(!rest.ends_with(b"0\r\n\r\n"), "a cut stream must not look complete: {rest:?}");
    }
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    open_streams(&world, 0);
}

#[test]
fn an_answer_under_way_ends_with_its_session_however_short_it_is() {
    // The product is waited for longer than this test may take: nothing else ends it.
    let world = world(lasting, |_, site| site.reach.timeouts.idle = Duration::from_secs(600));
    let (live, cookie) = world.session(1);
    let mut client = world.plain();
    client.send(&head("GET /part", &[&format!("Cookie: {cookie}")]));
    assert!(client.head().contains(" 200 "));
    assert_eq!(client.bytes(15), b"only part of it");
    let began = Instant::now();
    live.ended.cancel();
    assert_eq!(client.rest(), b"");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    until(|| world.seen.ended.load(Ordering::SeqCst) == 1);
}

#[test]
fn an_unanswered_request_is_answered_as_without_a_session_when_its_session_ends() {
    let world = world(lasting, |_, _| {});
    let page = ["Sec-Fetch-Mode: navigate"];
    let script = ["Sec-Fetch-Mode: cors", "Accept: text/html"];
    let length = ["Sec-Fetch-Site: same-origin", "Content-Length: 1000"];
    let form = ["Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Content-Length: 1000"];
    for (seed, line, fields, status, location) in [
        (1, "GET /silence?a=b", &page[..], 302, "/.fedgate/login?return_to=/silence%3Fa%3Db"),
        (2, "GET /silence", &["Accept: text/html"][..], 302, "/.fedgate/login?return_to=/silence"),
        (3, "GET /silence", &script[..], 401, ""),
        (4, "GET /silence", &[][..], 401, ""),
        (5, "POST /silence", &length[..], 401, ""),
        (6, "POST /silence", &form[..], 303, "/.fedgate/login?return_to=/"),
    ] {
        let (live, cookie) = world.session(seed);
        let mut client = world.plain();
        client.send(&head(line, &[&[&*format!("Cookie: {cookie}")], fields].concat()));
        client.send("part of a body");
        until(|| world.seen.heads.lock().unwrap().len() == usize::from(seed));
        let began = Instant::now();
        live.ended.cancel();
        let reply = client.reply();
        assert!(began.elapsed() < Duration::from_secs(1));
        assert_eq!(
            (reply.status, reply.one("location"), reply.one("connection")),
            (status, location, "close"),
            "{line} {fields:?}"
        );
        client.rest();
        until(|| world.seen.ended.load(Ordering::SeqCst) == usize::from(seed));
    }
}

#[test]
fn a_client_that_reads_nothing_is_cut() {
    fn flood(_: &str, stream: &mut TcpStream) {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        while stream.write_all(&[7; 65_536]).is_ok() {}
    }
    let world = world(flood, |_, _| {});
    let (live, cookie) = world.session(1);
    let mut client = world.plain();
    client.send(&head("GET /flood", &[&format!("Cookie: {cookie}")]));
    open_streams(&world, 1);
    thread::sleep(Duration::from_millis(300));
    live.ended.cancel();
    open_streams(&world, 0);
}

#[test]
fn m30_a_websocket_comes_from_its_own_host_with_a_session() {
    let world = world(lasting, |_, _| {});
    let (_, cookie) = world.session(1);
    let cookie = format!("Cookie: {cookie}");
    for (fields, status) in [
        (&[&cookie[..]][..], 403),
        (&[&cookie, "Origin: null"], 403),
        (&[&cookie, "Origin: https://loom.localhost"], 403),
        (&[&cookie, "Origin: https://trello.localhost:8443"], 403),
        (&[&cookie, "Origin: http://trello.localhost"], 403),
        (&[&cookie, "Origin: https://trello.localhost", "Sec-Fetch-Site: same-site"], 403),
        (&["Origin: https://trello.localhost"], 401),
        (&["Origin: https://trello.localhost", "Authorization: Bearer x"], 401),
    ] {
        assert_eq!(upgrade(&world, "/socket", fields).reply().status, status, "{fields:?}");
    }
    assert_eq!(world.seen.bytes.load(Ordering::SeqCst), 0);
    assert_eq!(upgrade(&world, "/share/socket", &["Origin: https://trello.localhost"]).reply().status, 401);
    assert_eq!(upgrade(&world, "/socket", &[&cookie, "Origin: https://trello.localhost"]).reply().status, 101);
}

#[test]
fn a_websocket_is_closed_with_1008_when_its_session_ends() {
    let world = world(lasting, |_, _| {});
    let (live, cookie) = world.session(1);
    let mut client = upgrade(&world, "/socket", &[&format!("Cookie: {cookie}"), "Origin: https://trello.localhost"]);
    assert!(client.head().starts_with("HTTP/1.1 101"));
    assert_eq!(client.bytes(5), b"\x82\x03abc");
    open_streams(&world, 1);
    client.stream.write_all(b"\x81\x80\0\0\0\0").unwrap();
    live.ended.cancel();
    assert_eq!(client.rest(), [0x88, 0x02, 0x03, 0xf0]);
    open_streams(&world, 0);
}

#[test]
fn a_websocket_ends_at_its_product_when_its_browser_is_gone() {
    let world = world(lasting, |_, _| {});
    let (_, cookie) = world.session(1);
    let mut client = upgrade(&world, "/socket", &[&format!("Cookie: {cookie}"), "Origin: https://trello.localhost"]);
    client.head();
    assert_eq!(client.bytes(5).len(), 5);
    let began = Instant::now();
    drop(client);
    until(|| world.seen.ended.load(Ordering::SeqCst) == 1);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    open_streams(&world, 0);
}

#[test]
fn a_websocket_that_no_product_granted_is_none() {
    let world = world(lasting, |_, _| {});
    let (_, cookie) = world.session(1);
    let fields = [&*format!("Cookie: {cookie}"), "Origin: https://trello.localhost"];
    for path in ["/foreign", "/mute", "/other"] {
        assert_eq!(upgrade(&world, path, &fields).reply().status, 502, "{path}");
    }
    let granted = upgrade(&world, "/socket", &fields).reply();
    assert_eq!((granted.status, granted.one("sec-websocket-accept")), (101, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
}

#[test]
fn a_websocket_in_mid_frame_is_cut_at_once() {
    let world = world(lasting, |_, _| {});
    let (live, cookie) = world.session(1);
    let mut client = upgrade(&world, "/half", &[&format!("Cookie: {cookie}"), "Origin: https://trello.localhost"]);
    client.head();
    assert_eq!(client.bytes(5), b"\x82\x7dabc");
    let began = Instant::now();
    live.ended.cancel();
    assert_eq!(client.rest(), b"");
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
}

#[test]
fn bodies_stream_both_ways() {
    fn echo(head: &str, stream: &mut TcpStream) {
        let length = head
            .to_lowercase()
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ").map(str::to_owned))
            .unwrap_or_default();
        let mut left: usize = length.parse().unwrap_or(0);
        let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {left}\r\n\r\n").as_bytes());
        let mut chunk = [0; 65_536];
        while left > 0 {
            let Ok(read) = stream.read(&mut chunk) else { return };
            let _ = stream.write_all(&chunk[..read]);
            left -= read;
        }
    }
    let world = world(echo, |_, _| {});
    let (_, cookie) = world.session(1);
    let mut client = world.plain();
    let size = 8 * 1024 * 1024;
    // The head goes alone, so that the product's reader does not take the body for itself.
    client.send(&head(
        "POST /a",
        &[&format!("Cookie: {cookie}"), "Sec-Fetch-Site: same-origin", &format!("Content-Length: {size}")],
    ));
    thread::sleep(Duration::from_millis(100));
    let mut writer = client.stream.try_clone().unwrap();
    let sending = thread::spawn(move || {
        for _ in 0..size / 65_536 {
            writer.write_all(&[9; 65_536]).unwrap();
        }
    });
    assert!(client.head().contains(" 200 "));
    let body = client.bytes(size);
    sending.join().unwrap();
    assert!(body.len() == size && body.iter().all(|byte| *byte == 9));
}

#[test]
fn a_connection_with_an_early_reply_is_not_used_again() {
    let world = world(ok, |_, _| {});
    let (_, cookie) = world.session(1);
    let cookie = format!("Cookie: {cookie}");
    for _ in 0..3 {
        let mut client = world.plain();
        client.send(&head("POST /a", &[&cookie, "Sec-Fetch-Site: same-origin", "Content-Length: 1000"]));
        assert_eq!(client.reply().status, 200);
        drop(client);
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(world.seen.connections.load(Ordering::SeqCst), 3);
}

#[test]
fn a_connection_whose_request_ended_after_its_reply_is_not_used_again() {
    let world = world(ok, |_, _| {});
    let (_, cookie) = world.session(1);
    let cookie = format!("Cookie: {cookie}");
    let mut client = world.plain();
    client.send(&head("POST /a", &[&cookie, "Sec-Fetch-Site: same-origin", "Content-Length: 1000"]));
    assert_eq!(client.reply().status, 200, "before the body was sent");
    thread::sleep(Duration::from_millis(50));
    // Now the request is whole, and the connection to the product looks ready.
    client.send(&"x".repeat(1000));
    thread::sleep(Duration::from_millis(100));
    // By a method that takes connections of the same pool.
    client.send(&head("HEAD /b", &[&cookie]));
    assert_eq!(client.reply().status, 200);
    assert_eq!(world.seen.connections.load(Ordering::SeqCst), 2);
}
