//! Several upstreams, upstreams that fail, time limits and sizes.
#![expect(clippy::disallowed_methods, reason = "these tests measure how long something takes")]

use super::ports;
use super::support::*;
use fedgate::gateway::options::{Health, Site, Sizes, Timeouts, Upstream};
use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

fn address(at: SocketAddr) -> Upstream {
    Upstream::Http { host: at.ip().to_string(), port: at.port() }
}

/// A port of the loopback where nobody listens, and which no other test is given meanwhile.
fn nobody() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], ports::free()))
}

/// Another product's socket: what it saw, and its place in a list of upstreams.
fn second(respond: fn(&str, &mut TcpStream)) -> (Arc<Seen>, Upstream) {
    let seen = Arc::new(Seen::default());
    (Arc::clone(&seen), address(product(seen, respond)))
}

fn cookie(world: &World) -> String {
    format!("Cookie: {}", world.session(1).1)
}

fn wait(what: &str, mut until: impl FnMut() -> bool) {
    let began = Instant::now();
    while !until() {
        assert!(began.elapsed() < Duration::from_secs(10), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Reads the head and closes.
fn close(_: &str, stream: &mut TcpStream) {
    let _ = stream.shutdown(Shutdown::Both);
}

/// `/slow` stays unanswered.
fn slow(head: &str, stream: &mut TcpStream) {
    if !head.starts_with("GET /slow") {
        ok(head, stream);
    }
}

#[test]
fn requests_go_where_the_fewest_are_under_way() {
    let (other, upstream) = second(slow);
    let world = world(slow, |_, site| site.upstreams.push(upstream));
    let cookie = cookie(&world);
    let heads = |seen: &Seen| seen.heads.lock().unwrap().len();
    // Two cores take turns of their own, but what is under way is counted by both.
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut client = world.plain();
        client.send(&head("GET /slow", &[&cookie]));
        held.push(client);
        let sum = held.len();
        wait("the held requests arrive", || heads(&world.seen) + heads(&other) == sum);
    }
    let (mine, theirs) = (heads(&world.seen), heads(&other));
    assert!(mine.abs_diff(theirs) == 1, "{mine} {theirs}");
    for _ in 0..8 {
        assert_eq!(world.ask("GET /", &[&cookie]).status, 200);
    }
    let (now_mine, now_theirs) = (heads(&world.seen), heads(&other));
    let (busy, free) =
        if mine > theirs { (now_mine - mine, now_theirs - theirs) } else { (now_theirs - theirs, now_mine - mine) };
    assert_eq!((busy, free), (0, 8));
}

#[test]
fn what_was_not_sent_goes_to_another_upstream_and_a_dead_one_is_left_out() {
    let dead = nobody();
    let world = world(ok, |_, site| site.upstreams.insert(0, address(dead)));
    let cookie = cookie(&world);
    for _ in 0..12 {
        assert_eq!(world.ask("GET /", &[&cookie]).status, 200);
        let mut client = world.plain();
        client.send(&(head("POST /", &[&cookie, "Sec-Fetch-Site: same-origin", "Content-Length: 3"]) + "abc"));
        assert_eq!(client.reply().status, 200, "nothing of it was sent");
    }
    let text = world.seeing.text();
    let gauge = format!("fedgate_upstream_in{{product=\"trello\",upstream=\"http://{dead}\"}} 0");
    let faults = format!("fedgate_upstream_faults_total{{product=\"trello\",upstream=\"http://{dead}\"}} 3");
    assert!(text.contains(&gauge) && text.contains(&faults), "{text}");
}

#[test]
fn a_single_upstream_that_fails_is_counted_and_never_out() {
    let dead = nobody();
    let world = world(ok, |_, site| site.upstreams = vec![address(dead)]);
    let cookie = cookie(&world);
    for _ in 0..4 {
        assert_eq!(world.ask("GET /", &[&cookie]).status, 502);
    }
    let text = world.seeing.text();
    let labels = format!("{{product=\"trello\",upstream=\"http://{dead}\"}}");
    for line in [format!("fedgate_upstream_in{labels} 1"), format!("fedgate_upstream_faults_total{labels} 4")] {
        assert!(text.contains(&line), "{line} in {text}");
    }
}

#[test]
fn when_all_are_out_each_is_still_tried() {
    let (dead, late) = (nobody(), nobody());
    let world = world(ok, |_, site| site.upstreams = vec![address(dead), address(late)]);
    let cookie = cookie(&world);
    for _ in 0..4 {
        assert_eq!(world.ask("GET /", &[&cookie]).status, 502);
    }
    assert!(world.seeing.text().matches("} 0\n").count() >= 2, "both are out");
    let listener = TcpListener::bind(late).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.read(&mut [0; 4096]);
            ok("", &mut stream);
        }
    });
    assert_eq!(world.ask("GET /", &[&cookie]).status, 200);
}

#[test]
fn only_what_is_idempotent_and_has_no_body_is_sent_twice() {
    let same = "Sec-Fetch-Site: same-origin";
    let rows: [(&str, &[&str], u16); 8] = [
        ("GET /", &[], 200),
        ("HEAD /", &[], 200),
        ("OPTIONS /", &[], 200),
        ("DELETE /", &[], 200),
        ("PUT /", &["Content-Length: 0"], 200),
        ("POST /", &["Content-Length: 0"], 502),
        ("PATCH /", &["Content-Length: 0"], 502),
        ("PUT /", &["Content-Length: 3"], 502),
    ];
    for (line, fields, status) in rows {
        let (good, upstream) = second(ok);
        // The one that closes is asked first: one request is under way at the other.
        let world = world(close, |_, site| site.upstreams.push(upstream));
        let cookie = cookie(&world);
        let fields = [&[cookie.as_str(), same], fields].concat();
        let closed = || world.seen.heads.lock().unwrap().len();
        let mut tries = 0;
        let reply = loop {
            tries += 1;
            let before = closed();
            let mut client = world.plain();
            client.send(&(head(line, &fields) + if fields.contains(&"Content-Length: 3") { "abc" } else { "" }));
            // The head alone: what answers HEAD announces a body that does not come.
            let reply = client.head();
            if closed() > before {
                break reply;
            }
            assert!(tries < 20, "{line}: the upstream that closes was never asked");
        };
        assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{line} {fields:?} {reply}");
        assert_eq!(closed(), 1, "{line}: at most one other upstream");
        assert!(good.heads.lock().unwrap().len() <= tries, "{line}");
    }
}

/// Answers the first request of each connection, and closes under the second.
fn once(head: &str, stream: &mut TcpStream) {
    static SEEN: LazyLock<Mutex<HashSet<SocketAddr>>> = LazyLock::new(Mutex::default);
    match SEEN.lock().unwrap().insert(stream.peer_addr().unwrap()) {
        true => ok(head, stream),
        false => close(head, stream),
    }
}

#[test]
fn a_single_upstream_that_closes_an_idle_connection_under_a_get_is_asked_again() {
    for (method, status, heads) in [("GET", 200, 3), ("POST", 502, 2)] {
        let world = world(once, |_, _| {});
        let cookie = cookie(&world);
        let mut client = world.plain();
        let fields = [cookie.as_str(), "Sec-Fetch-Site: same-origin", "Content-Length: 0"];
        client.send(&head(&format!("{method} /"), &fields));
        assert_eq!(client.reply().status, 200);
        thread::sleep(Duration::from_millis(1_100));
        client.send(&head(&format!("{method} /"), &fields));
        assert_eq!(client.reply().status, status, "{method}");
        assert_eq!(world.seen.heads.lock().unwrap().len(), heads, "{method}");
    }
}

static WELL: AtomicBool = AtomicBool::new(true);

fn checked(head: &str, stream: &mut TcpStream) {
    if head.starts_with("GET /healthz ") && !WELL.load(Ordering::SeqCst) {
        let _ = stream.write_all(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
    } else {
        ok(head, stream);
    }
}

fn health() -> Health {
    Health {
        path: "/healthz".into(),
        every: Duration::from_millis(30),
        timeout: Duration::from_secs(5),
        fails: 2,
        passes: 2,
        status: 200,
    }
}

#[test]
fn an_upstream_whose_checks_fail_gets_no_requests_until_they_pass() {
    let (other, upstream) = second(ok);
    let world = world(checked, |_, site: &mut Site| {
        site.upstreams.push(upstream);
        site.reach.health = Some(health());
    });
    let cookie = cookie(&world);
    let served = |seen: &Seen| seen.heads.lock().unwrap().iter().filter(|head| head.starts_with("GET / ")).count();
    let out =
        || world.seeing.text().lines().any(|line| line.starts_with("fedgate_upstream_in{") && line.ends_with(" 0"));
    WELL.store(false, Ordering::SeqCst);
    wait("it is out", out);
    let before = served(&world.seen);
    for _ in 0..6 {
        assert_eq!(world.ask("GET /", &[&cookie]).status, 200);
    }
    assert_eq!((served(&world.seen), served(&other)), (before, 6));
    WELL.store(true, Ordering::SeqCst);
    wait("it is in again", || !out());
    for _ in 0..6 {
        assert_eq!(world.ask("GET /", &[&cookie]).status, 200);
    }
    assert!(served(&world.seen) > before);
    let probe = world.seen.heads.lock().unwrap().iter().find(|head| head.starts_with("GET /healthz")).cloned().unwrap();
    let probe = probe.to_lowercase();
    assert!(probe.contains("host: trello.localhost") && !probe.contains("fedgate-assertion"), "{probe}");
    assert!(!probe.contains("x-fedgate") && !probe.contains("cookie"), "{probe}");
}

#[test]
fn a_reload_without_checks_takes_back_what_they_said() {
    fn sick(head: &str, stream: &mut TcpStream) {
        if head.starts_with("GET /healthz ") {
            let _ = stream.write_all(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
        } else {
            ok(head, stream);
        }
    }
    let world = world(sick, |_, site| site.reach.health = Some(health()));
    let out =
        || world.seeing.text().lines().any(|line| line.starts_with("fedgate_upstream_in{") && line.ends_with(" 0"));
    wait("it is out", out);
    assert_eq!(world.ask("GET /", &[&cookie(&world)]).status, 200, "a single upstream is always tried");
    let mut options = world.options.clone();
    let (name, site) = options.sites.iter().next().map(|(name, site)| (name.clone(), Site::clone(site))).unwrap();
    let mut site = site;
    site.reach.health = None;
    options.sites.insert(name, Arc::new(site));
    world.running.reload(options).unwrap();
    wait("it is in again", || !out());
}

/// `/silent` never answers; `/stall` stops in the middle of its length; `/trickle` sends for ever.
fn slowly(head: &str, stream: &mut TcpStream) {
    let path = head.split(' ').nth(1).unwrap_or("");
    match path {
        "/silent" | "/upload" => {}
        "/stall" => drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")),
        "/trickle" => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            while stream.write_all(b"1\r\nx\r\n").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        }
        _ => ok(head, stream),
    }
}

fn quick() -> Timeouts {
    let short = Duration::from_millis(200);
    Timeouts { upstream: short, upload: short, idle: short, ..Timeouts::default() }
}

#[test]
fn each_time_limit_of_a_product_ends_what_it_limits() {
    let world = world(slowly, |_, site| site.reach.timeouts = quick());
    let cookie = cookie(&world);
    let began = Instant::now();
    assert_eq!(world.ask("GET /silent", &[&cookie]).status, 504);
    let mut client = world.plain();
    client.send(&head("GET /stall", &[&cookie]));
    assert!(client.head().contains(" 200 "));
    assert_eq!(client.rest(), b"hello", "cut, not completed");
    let mut client = world.plain();
    client.send(&(head("POST /upload", &[&cookie, "Sec-Fetch-Site: same-origin", "Content-Length: 9"]) + "abc"));
    assert_eq!(client.reply().status, 400, "the body stopped");
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[test]
fn the_whole_of_a_request_ends_in_time_even_a_stream() {
    let whole = |world: &mut Site| world.reach.timeouts.whole = Some(Duration::from_millis(400));
    let world = world(slowly, |_, site| whole(site));
    let cookie = cookie(&world);
    let began = Instant::now();
    assert_eq!(world.ask("GET /silent", &[&cookie]).status, 504);
    let mut client = world.plain();
    client.send(&head("GET /trickle", &[&cookie]));
    assert!(client.head().contains(" 200 "));
    let rest = client.rest();
    assert!(!rest.is_empty() && !rest.ends_with(b"0\r\n\r\n"), "cut, not completed");
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    assert_eq!(world.ask("GET /", &[&cookie]).status, 200);
}

#[test]
fn a_body_larger_than_the_product_allows_is_413() {
    let world = world(slowly, |_, site| site.reach.sizes = Sizes { body: Some(10), response: None });
    let cookie = cookie(&world);
    let fields = [cookie.as_str(), "Sec-Fetch-Site: same-origin"];
    let reply = world.ask("POST /", &[&fields[..], &["Content-Length: 11"]].concat());
    assert_eq!(reply.status, 413);
    assert_eq!(world.seen.bytes.load(Ordering::SeqCst), 0, "announced: nothing went upstream");
    let chunked = [&fields[..], &["Transfer-Encoding: chunked"]].concat();
    let mut client = world.plain();
    client.send(&(head("POST /upload", &chunked) + "6\r\nabcdef\r\n6\r\nabcdef\r\n0\r\n\r\n"));
    assert_eq!(client.reply().status, 413, "passed on the way");
    let mut client = world.plain();
    client.send(&(head("POST /", &[&fields[..], &["Content-Length: 10"]].concat()) + "0123456789"));
    assert_eq!(client.reply().status, 200, "exactly the limit");
}

#[test]
fn an_answer_larger_than_the_product_allows_is_502_or_cut() {
    let world = world(slowly, |_, site| site.reach.sizes = Sizes { body: None, response: Some(8) });
    let cookie = cookie(&world);
    assert_eq!(world.ask("GET /", &[&cookie]).status, 200);
    assert_eq!(world.ask("GET /stall", &[&cookie]).status, 502, "announced");
    let mut client = world.plain();
    client.send(&head("GET /trickle", &[&cookie]));
    assert!(client.head().contains(" 200 "));
    let rest = String::from_utf8(client.rest()).unwrap();
    assert_eq!(rest.matches('x').count(), 8, "{rest:?}");
    assert!(!rest.ends_with("0\r\n\r\n"), "{rest:?}");
}

/// What no server should send.
fn odd(head: &str, stream: &mut TcpStream) {
    let path = head.split(' ').nth(1).unwrap_or("");
    let text: &[u8] = match path {
        "/garbage" => b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 not HTTP at all\r\n\r\n",
        "/half-head" => b"HTTP/1.1 200 OK\r\nContent-Le",
        "/short" => b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        "/chunk" => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "/both" => b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "/early" => b"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno",
        "/two" => b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        "/until-close" => b"HTTP/1.1 200 OK\r\n\r\nhello",
        _ => return ok(head, stream),
    };
    let _ = stream.write_all(text);
    if !matches!(path, "/early" | "/two") {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

#[test]
fn an_upstream_that_does_not_speak_http_is_502_and_one_that_stops_is_cut() {
    let world = world(odd, |_, _| {});
    let cookie = cookie(&world);
    for path in ["/garbage", "/half-head", "/both"] {
        assert_eq!(world.ask(&format!("GET {path}"), &[&cookie]).status, 502, "{path}");
    }
    for (path, whole) in [("/short", false), ("/chunk", false), ("/until-close", true)] {
        let mut client = world.plain();
        client.send(&head(&format!("GET {path}"), &[&cookie, "Connection: close"]));
        let head = client.head();
        // What breaks at once may take the head with it.
        assert!(head.contains(" 200 ") || (path == "/chunk" && head.is_empty()), "{path} {head}");
        let rest = client.rest();
        let complete = rest.ends_with(b"0\r\n\r\n");
        assert_eq!(complete, whole, "{path} {rest:?}");
    }
}

#[test]
fn m9_an_early_answer_is_passed_on_and_its_connection_is_not_used_again() {
    let world = world(odd, |_, _| {});
    let cookie = cookie(&world);
    for _ in 0..3 {
        let mut client = world.plain();
        client.send(&(head("POST /early", &[&cookie, "Sec-Fetch-Site: same-origin", "Content-Length: 99"]) + "abc"));
        assert_eq!(client.reply().status, 413);
        drop(client);
        let reply = world.ask("GET /", &[&cookie]);
        assert_eq!((reply.status, reply.body.as_str()), (200, "hello"));
    }
    for _ in 0..3 {
        let reply = world.ask("GET /two", &[&cookie]);
        assert_eq!((reply.status, reply.body.as_str()), (200, "hello"));
        let reply = world.ask("GET /", &[&cookie]);
        assert_eq!((reply.status, reply.body.as_str()), (200, "hello"), "what was not asked for is nobody's answer");
    }
}
