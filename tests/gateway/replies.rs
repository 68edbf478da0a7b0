//! What a product may say to a browser (rules H6, H7, H8).

use super::support::*;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::Ordering;

/// Answers with the fields that the request asks for: each `X-Say` field's value is a line of the reply.
fn say(head: &str, stream: &mut TcpStream) {
    let lines: String = head
        .lines()
        .filter(|line| line.to_lowercase().starts_with("x-say: "))
        .filter_map(|line| line.get(7..))
        .map(|line| format!("{line}\r\n"))
        .collect();
    let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 2\r\n\r\nhi").as_bytes());
}

fn replies(path: &str, said: &[&str]) -> Reply {
    let world = world(say, |_, _| {});
    let (_, cookie) = world.session(1);
    let mut fields: Vec<String> = said.iter().map(|line| format!("X-Say: {line}")).collect();
    fields.push(format!("Cookie: {cookie}"));
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    world.ask(&format!("GET {path}"), &fields)
}

#[test]
fn h7_products_cannot_speak_for_us_or_the_site() {
    let reply = replies(
        "/x",
        &[
            "Set-Cookie: __Host-fedgate=evil; Path=/; Secure",
            "Set-Cookie: =__host-FEDGATE-flow-1=evil",
            "Set-Cookie: own=1; Path=/",
            "Clear-Site-Data: \"cookies\", \"cache\"",
            "NEL: {}",
            "Report-To: {}",
            "Reporting-Endpoints: a=b",
            "Alt-Svc: h3=\":1\"",
            "Strict-Transport-Security: max-age=0",
            "Service-Worker-Allowed: /",
            "Secure-Session-Registration: x",
            "Fedgate-Assertion: x",
            "X-Fedgate-User: x",
            "Public-Key-Pins: x",
            "Connection: x-hop",
            "X-Hop: 1",
            "X-Own: kept",
        ],
    );
    assert_eq!(reply.all("set-cookie"), ["own=1; Path=/"]);
    assert_eq!(reply.all("clear-site-data"), ["\"cache\""]);
    assert_eq!(reply.all("strict-transport-security"), ["max-age=31536000"]);
    assert_eq!(reply.all("x-own"), ["kept"]);
    for name in [
        "nel",
        "report-to",
        "reporting-endpoints",
        "alt-svc",
        "service-worker-allowed",
        "secure-session-registration",
        "fedgate-assertion",
        "x-fedgate-user",
        "public-key-pins",
        "x-hop",
    ] {
        assert!(reply.all(name).is_empty(), "{name}");
    }
}

#[test]
fn h6_a_product_sets_cookies_for_its_own_host() {
    let reply = replies("/x", &["Set-Cookie: a=1; Domain=localhost; Path=/", "Set-Cookie: b=2"]);
    assert_eq!(reply.all("set-cookie"), ["a=1; Path=/", "b=2"]);
}

#[test]
fn h8_answers_to_a_session_stay_out_of_shared_caches() {
    let cases: [(&[&str], &str); 4] = [
        (&[], "private"),
        (&["Cache-Control: public, max-age=60"], "max-age=60, private"),
        (&["Cache-Control: no-store"], "no-store"),
        (&["Cache-Control: max-age=1", "Cache-Control: s-maxage=9"], "max-age=1, private"),
    ];
    for (said, sent) in cases {
        assert_eq!(replies("/x", said).all("cache-control"), [sent], "{said:?}");
    }
    let reply =
        replies("/x", &["Surrogate-Control: max-age=9", "CDN-Cache-Control: max-age=9", "WWW-Authenticate: NTLM"]);
    for name in ["surrogate-control", "cdn-cache-control", "www-authenticate"] {
        assert!(reply.all(name).is_empty(), "{name}");
    }
    assert_eq!(
        replies("/assets/x", &["Cache-Control: public, max-age=60"]).all("cache-control"),
        ["public, max-age=60"]
    );
}

#[test]
fn h7_interim_answers_are_swallowed() {
    fn early(_: &str, stream: &mut TcpStream) {
        let _ = stream.write_all(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nSet-Cookie: __Host-fedgate=x\r\n\r\n");
        ok("", stream);
    }
    let world = world(early, |_, _| {});
    let (_, cookie) = world.session(1);
    let reply = world.ask("GET /", &[&format!("Cookie: {cookie}")]);
    assert_eq!((reply.status, reply.body.as_str()), (200, "hello"));
    assert!(reply.all("set-cookie").is_empty() && reply.all("link").is_empty());
}

#[test]
fn a_101_that_nobody_asked_for_is_no_answer() {
    fn switch(_: &str, stream: &mut TcpStream) {
        let _ = stream
            .write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nraw");
    }
    let world = world(switch, |_, _| {});
    let (_, cookie) = world.session(1);
    assert_eq!(world.ask("GET /", &[&format!("Cookie: {cookie}")]).status, 502);
    let upgrade = [
        "Upgrade: h2c",
        "Connection: Upgrade, HTTP2-Settings",
        "HTTP2-Settings: x",
        "Origin: https://trello.localhost",
    ];
    let cookie = format!("Cookie: {cookie}");
    assert_eq!(world.ask("GET /", &[&upgrade[..], &[&cookie]].concat()).status, 502);
    assert!(!world.seen.last().to_lowercase().contains("h2c"));
}

#[test]
fn a_product_that_is_down_is_502_with_a_reference() {
    let world = world(ok, |_, site| {
        site.upstreams = vec![fedgate::gateway::options::Upstream::Http { host: "127.0.0.1".into(), port: 1 }];
    });
    let (_, cookie) = world.session(1);
    let reply = world.ask("GET /", &[&format!("Cookie: {cookie}")]);
    assert_eq!(reply.status, 502);
    assert!(reply.body.contains(reply.one("x-request-id")) && !reply.one("x-request-id").is_empty());
    assert_eq!(world.seeing.upstream_failures.get(), 1);
    assert_eq!(world.seen.bytes.load(Ordering::SeqCst), 0);
}
