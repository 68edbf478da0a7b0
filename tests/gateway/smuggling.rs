//! Requests with two readings: whatever hyper makes of them, the product sees one request or none.

use super::support::*;
use std::sync::atomic::Ordering;

/// Sends raw bytes and asserts that the product saw no request for `/smuggled`, and nothing at all unless `may_pass`.
fn check(name: &str, raw: &str, may_pass: bool) {
    let world = world(ok, |_, _| {});
    let (_, cookie) = world.session(1);
    let mut client = world.plain();
    let base =
        format!("Host: {HOST}\r\nX-Forwarded-Proto: https\r\nCookie: {cookie}\r\nSec-Fetch-Site: same-origin\r\n");
    client.send(&raw.replace("BASE", &base));
    let _ = client.stream.shutdown(std::net::Shutdown::Write);
    let replies = String::from_utf8_lossy(&client.rest()).into_owned();
    let heads = world.seen.heads.lock().unwrap().join("\n---\n");
    assert!(!heads.contains("/smuggled"), "{name}: {heads}");
    assert!(!replies.starts_with("HTTP/1.1 5"), "{name}: {replies}");
    if !may_pass {
        assert_eq!(world.seen.bytes.load(Ordering::SeqCst), 0, "{name}: {heads}");
        assert!(replies.is_empty() || replies.starts_with("HTTP/1.1 4"), "{name}: {replies}");
    }
}

#[test]
fn two_lengths_are_refused() {
    let inner = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    for (name, fields) in [
        ("two lengths", "Content-Length: 0\r\nContent-Length: 40\r\n"),
        ("list of lengths", "Content-Length: 0, 40\r\n"),
        ("signed", "Content-Length: +0\r\n"),
        ("hex", "Content-Length: 0x0\r\n"),
        ("space before colon", "Content-Length : 0\r\n"),
        ("chunked not last", "Transfer-Encoding: chunked, gzip\r\n"),
        ("unknown coding", "Transfer-Encoding: xchunked\r\n"),
        ("obs-fold", "X: y\r\n Content-Length: 40\r\n"),
        ("nul", "X: a\0b\r\n"),
        ("bare cr", "X: a\rContent-Length: 40\r\n"),
    ] {
        check(name, &format!("POST /a HTTP/1.1\r\nBASE{fields}\r\n{inner}"), false);
    }
}

#[test]
fn length_and_chunks_together_have_one_meaning() {
    let raw = "POST /a HTTP/1.1\r\nBASEContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    // RFC 9112 §6.3: the chunks count; what follows is a request of its own, to a host that is not ours.
    check("cl.te", raw, true);
    check("te 1.0", &raw.replace("/a HTTP/1.1", "/a HTTP/1.0"), false);
}

#[test]
fn chunks_are_framed_again() {
    for (name, chunk) in [
        ("extension", "5;x=\"GET /smuggled\"\r\nhello\r\n0\r\n\r\n"),
        ("bad size", "+5\r\nhello\r\n0\r\n\r\n"),
        ("underscore", "5_\r\nhello\r\n0\r\n\r\n"),
        ("bare lf", "5\nhello\n0\n\nGET /smuggled HTTP/1.1\r\n\r\n"),
        ("trailer", "5\r\nhello\r\n0\r\nX-Fedgate-User: eve\r\nGET: /smuggled\r\n\r\n"),
    ] {
        check(
            name,
            &format!("POST /a HTTP/1.1\r\nBASETransfer-Encoding: chunked\r\nTrailer: X-Fedgate-User\r\n\r\n{chunk}"),
            true,
        );
    }
}

#[test]
fn h7_trailers_end_here() {
    let world = world(ok, |_, _| {});
    let (_, cookie) = world.session(1);
    let mut client = world.plain();
    let fields = [
        &format!("Cookie: {cookie}"),
        "Sec-Fetch-Site: same-origin",
        "Transfer-Encoding: chunked",
        "Trailer: X-Fedgate-User, X-Own",
    ];
    client.send(&head("POST /a", &fields));
    client.send("5\r\nhello\r\n0\r\nX-Fedgate-User: eve\r\nX-Own: y\r\n\r\n");
    assert_eq!(client.reply().status, 200);
    let seen = world.seen.heads.lock().unwrap().join("\n").to_lowercase();
    assert!(!seen.contains("eve") && !seen.contains("trailer"), "{seen}");
}
