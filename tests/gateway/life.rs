//! Reload, drain, and what operators ask.

use super::support::*;
use fedgate::gateway::Fault;
use fedgate::web::Admission;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

#[test]
fn reload_is_whole_or_nothing_and_drops_no_request() {
    let world = world(ok, |_, _| {});
    let (_, cookie) = world.session(1);
    let cookie = format!("Cookie: {cookie}");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut asked = 0;
            let mut client = world.plain();
            while !stop.load(Ordering::Relaxed) {
                client.send(&head("GET /", &[&cookie]));
                assert_eq!(client.reply().status, 200);
                asked += 1;
            }
            asked
        });
        for turn in 0..20 {
            let mut options = world.options.clone();
            options.version = turn;
            world.running.reload(options).unwrap();
            thread::sleep(Duration::from_millis(5));
        }
        stop.store(true, Ordering::Relaxed);
        assert!(asking.join().unwrap() > 0);
    });
    let mut moved = world.options.clone();
    moved.listen.https = None;
    moved.sites.clear();
    assert!(matches!(world.running.reload(moved), Err(Fault::NeedsRestart)));
    assert_eq!(world.ask("GET /", &[&cookie]).status, 200);
    let mut fewer = world.options.clone();
    fewer.sites.clear();
    world.running.reload(fewer).unwrap();
    assert_eq!(world.ask("GET /", &[&cookie]).status, 421);
}

#[test]
fn a_drain_lets_requests_end_and_takes_no_new_ones() {
    let world = world(
        |_, stream| {
            thread::sleep(Duration::from_millis(300));
            ok("", stream);
        },
        |_, _| {},
    );
    let (_, cookie) = world.session(1);
    let mut client = world.plain();
    client.send(&head("GET /", &[&format!("Cookie: {cookie}")]));
    thread::sleep(Duration::from_millis(100));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(world.running.drain(Duration::from_secs(5)));
    let reply = client.reply();
    assert_eq!((reply.status, reply.body.as_str()), (200, "hello"));
    assert_eq!(reply.one("connection"), "close");
}

#[test]
fn a_store_outage_is_503_and_a_refusal_is_a_refusal() {
    let world = world(ok, |_, _| {});
    let unknown = format!("Cookie: __Host-fedgate={}", "A".repeat(43));
    *world.sessions.answer.lock().unwrap() = Some(Admission::Unavailable);
    let reply = world.ask("GET /", &[&unknown]);
    assert_eq!((reply.status, reply.one("retry-after")), (503, "2"));
    *world.sessions.answer.lock().unwrap() = Some(Admission::Refused(fedgate::kernel::refusal::Refusal::Inactive));
    let reply = world.ask("GET /", &[&unknown]);
    assert_eq!((reply.status, reply.body.starts_with("inactive")), (403, true));
    assert_eq!(world.seen.bytes.load(Ordering::SeqCst), 0);
}

#[test]
fn operators_see_health_readiness_and_metrics() {
    let world = Arc::new(world(ok, |_, _| {}));
    let (_, cookie) = world.session(1);
    assert_eq!(world.ask("GET /", &[&format!("Cookie: {cookie}")]).status, 200);
    let mut stranger = world.plain();
    stranger.send("GET / HTTP/1.1\r\nHost: a-label-of-a-strangers-choice.example\r\n\r\n");
    assert_eq!(stranger.reply().status, 421);
    for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/readyz?strict", 503), ("/x", 404)] {
        let mut client = Client::open(world.running.addresses().ops.unwrap());
        client.send(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!(client.reply().status, status, "{path}");
    }
    let mut client = Client::open(world.running.addresses().ops.unwrap());
    client.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    let text = client.reply().body;
    assert!(text.contains("fedgate_requests_total{product=\"trello\",class=\"2xx\"} 1"), "{text}");
    assert!(text.contains("product=\"unknown\",class=\"4xx\"} 1") && !text.contains("strangers-choice"), "{text}");
}

#[test]
fn a_head_has_ten_seconds_and_an_idle_connection_has_longer() {
    let world = world(ok, |_, _| {});
    let (_, cookie) = world.session(1);
    let cookie = format!("Cookie: {cookie}");
    let (mut slow, mut idle) = (world.plain(), world.plain());
    for client in [&mut slow, &mut idle] {
        client.send(&head("GET /", &[&cookie]));
        assert_eq!(client.reply().status, 200);
    }
    // A byte every two seconds: what a slow client gains by it is nothing.
    for _ in 0..6 {
        // Once the connection is cut the bytes go nowhere; that is what is asked below.
        let _ = std::io::Write::write_all(&mut slow.stream, b"G");
        thread::sleep(Duration::from_secs(2));
    }
    assert!(slow.rest().is_empty());
    idle.send(&head("GET /", &[&cookie]));
    assert_eq!(idle.reply().status, 200);
}
