//! The way of a request with and without a session.

use super::support::*;
use fedgate::web::Admission;
use std::sync::atomic::Ordering;

#[test]
fn a_session_reaches_the_product_with_its_identity_and_nothing_forged() {
    let world = world(ok, |_, _| {});
    let (_, cookie) = world.session(1);
    let reply = world.ask(
        "GET /board?x=%2f",
        &[
            &format!("Cookie: a=b; {cookie}; c=d"),
            "X_Fedgate_User: eve",
            "X-Forwarded-For: 192.0.2.9",
            "X-Auth.Name: Eve",
            "Authorization: Basic eve",
            "Connection: close, X-Fedgate-User",
            "Accept: */*",
        ],
    );
    assert_eq!((reply.status, reply.body.as_str()), (200, "hello"));
    let head = world.seen.last().to_lowercase();
    assert!(head.starts_with("get /board?x=%2f http/1.1"), "{head}");
    for line in [
        "host: trello.localhost",
        "cookie: a=b; c=d",
        "x-fedgate-user: ann",
        "fedgate-assertion: signed",
        "x-auth-name: ann",
        "x-forwarded-for: 192.0.2.9",
        "x-forwarded-proto: https",
        "x-forwarded-host: trello.localhost",
    ] {
        assert_eq!(head.lines().filter(|seen| *seen == line).count(), 1, "{line} in {head}");
    }
    for absent in ["eve", "__host", "authorization", "connection"] {
        assert!(!head.contains(absent), "{absent} in {head}");
    }
}

#[test]
fn c7_nobody_sends_no_byte_upstream() {
    let world = world(ok, |_, _| {});
    let (_, cookie) = world.session(1);
    let twice = format!("Cookie: {cookie}; {cookie}");
    let page = "Accept: text/html";
    for (line, fields, status) in [
        ("GET /board", &[page][..], 302),
        ("POST /board", &[page, "Content-Length: 0"], 303),
        ("GET /board", &["Accept: */*"], 401),
        ("GET /board", &["Sec-Fetch-Mode: cors", page], 401),
        ("GET /board", &[page, "Authorization: Bearer x"], 401),
        ("GET /board", &["Authorization: Basic YTpi"], 401),
        ("GET /board", &["Cookie: __Host-fedgate=x", page], 302),
        ("GET /board", &[&twice, page], 403),
        ("GET /board/%2e%2e/x", &[page], 400),
        ("GET /", &[page], 302),
    ] {
        let reply = world.ask(line, fields);
        assert_eq!(reply.status, status, "{line} {fields:?} {reply:?}");
        assert!(reply.one("cache-control").contains("no-store"), "{reply:?}");
    }
    assert_eq!(world.seen.bytes.load(Ordering::SeqCst), 0);
    let reply = world.ask("GET /a/b?x=1", &[page]);
    assert_eq!(reply.one("location"), "/.fedgate/login?return_to=/a/b%3Fx%3D1");
}

#[test]
fn c7_an_ended_session_that_was_still_in_a_cache_is_none() {
    let world = world(ok, |_, _| {});
    let (live, cookie) = world.session(1);
    live.ended.cancel();
    *world.sessions.answer.lock().unwrap() = Some(Admission::Admitted(live));
    let cookie = format!("Cookie: {cookie}");
    for (line, field, status) in [("GET /board", "Accept: text/html", 302), ("GET /board", "Accept: */*", 401)] {
        let reply = world.ask(line, &[&cookie, field]);
        assert_eq!(reply.status, status, "{line} {field} {reply:?}");
    }
    assert_eq!(world.seen.bytes.load(Ordering::SeqCst), 0, "{}", world.seen.last());
    // Where nobody is asked who they are, nobody is named.
    assert_eq!(world.ask("GET /share/a", &[&cookie]).status, 200);
    let head = world.seen.last().to_lowercase();
    assert!(!head.contains("ann") && !head.contains("fedgate-assertion"), "{head}");
}

#[test]
fn one_upstream_connection_serves_many_requests() {
    let world = world(ok, |_, _| {});
    let (_, cookie) = world.session(1);
    let mut client = world.plain();
    for _ in 0..20 {
        client.send(&head("GET /", &[&format!("Cookie: {cookie}")]));
        assert_eq!(client.reply().body, "hello");
    }
    assert!(world.seen.connections.load(Ordering::SeqCst) <= 2);
}
