//! Clients that send what costs us more than them: each flood is cut or bounded, in time, in memory and in what reaches a product,
//! and others are served after it and meanwhile.
//!
//! The table of HTTP/2 floods measures the memory of its process, so it runs in a process of its own.
#![expect(clippy::disallowed_methods, reason = "these tests measure how long a flood is borne")]

use super::support::*;
use super::tls::{connect, root, run, run_within};
use rustix::process::{Resource, getrlimit};
use std::io::Write as _;
use std::net::TcpStream as StdStream;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, split};
use tokio::time::timeout;

/// What becomes of a flood.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    /// The connection is closed before everything was sent.
    Closed,
    /// Everything is taken, within the limits of the row.
    Borne,
}

/// One kind of flood.
struct Flood {
    name: &'static str,
    /// Sent once, after the preface and SETTINGS.
    first: Vec<u8>,
    /// Sent so often, with the stream's number.
    again: fn(u32, &str) -> Vec<u8>,
    count: u32,
    end: End,
    /// Requests that may reach the product.
    reach: usize,
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[a, b, c, kind, flags][..], &stream.to_be_bytes(), payload].concat()
}

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn text(bytes: &[u8]) -> Vec<u8> {
    assert!(bytes.len() < 127);
    [&[u8::try_from(bytes.len()).unwrap()][..], bytes].concat()
}

/// A request's header block, nothing of it indexed (RFC 7541 §6.2.2).
fn block(method: u8, cookie: &str) -> Vec<u8> {
    [&[method, 0x87, 0x84, 0x01][..], &text(HOST.as_bytes()), &[0x0f, 0x11], &text(cookie.as_bytes())].concat()
}

const GET: u8 = 0x82;
const POST: u8 = 0x83;

fn get(stream: u32, cookie: &str) -> Vec<u8> {
    frame(1, END_STREAM | END_HEADERS, stream, &block(GET, cookie))
}

fn upload(stream: u32, cookie: &str) -> Vec<u8> {
    // Same origin, so that it goes to the product: the field's name is literal.
    let origin = [&[0x00][..], &text(b"origin"), &text(format!("https://{HOST}").as_bytes())].concat();
    frame(1, END_HEADERS, stream, &[block(POST, cookie), origin].concat())
}

fn floods() -> Vec<Flood> {
    use End::{Borne, Closed};
    let row = |name, again, count, end, reach| Flood { name, first: Vec::new(), again, count, end, reach };
    let after = |first: Vec<u8>, flood: Flood| Flood { first, ..flood };
    vec![
        row(
            "rapid reset (CVE-2023-44487)",
            |stream, cookie| [get(stream, cookie), frame(3, 0, stream, &[0, 0, 0, 8])].concat(),
            20_000,
            Closed,
            1_000,
        ),
        row(
            "MadeYouReset by a window of nothing (CVE-2025-8671)",
            |stream, cookie| [get(stream, cookie), frame(8, 0, stream, &[0; 4])].concat(),
            20_000,
            Closed,
            1_000,
        ),
        row(
            "MadeYouReset by a window of too much",
            |stream, cookie| [get(stream, cookie), frame(8, 0, stream, &[0x7f, 0xff, 0xff, 0xff])].concat(),
            20_000,
            Closed,
            1_000,
        ),
        row(
            "MadeYouReset by a body after the end",
            |stream, cookie| [get(stream, cookie), frame(0, END_STREAM, stream, b"more")].concat(),
            20_000,
            Closed,
            1_000,
        ),
        after(
            frame(1, 0, 1, &block(GET, "a=b")),
            row("CONTINUATION without end", |_, _| frame(9, 0, 1, b"\x00\x01a\x01b"), 100_000, Closed, 0),
        ),
        after(
            frame(1, 0, 1, &block(GET, "a=b")),
            row("empty CONTINUATION", |_, _| frame(9, 0, 1, b""), 100_000, Closed, 0),
        ),
        row("empty DATA", |_, _| frame(0, 0, 1, b""), 100_000, Closed, 1),
        row("SETTINGS", |_, _| frame(4, 0, 0, b""), 100_000, Closed, 0),
        row("SETTINGS with values", |_, _| frame(4, 0, 0, &[0, 4, 0, 1, 0, 0]), 100_000, Closed, 0),
        row("PING", |_, _| frame(6, 0, 0, b"12345678"), 100_000, Closed, 0),
        row("PRIORITY", |stream, _| frame(2, 0, stream, &[0, 0, 0, 0, 9]), 100_000, Closed, 0),
        row("unknown kinds", |_, _| frame(0x42, 0, 0, b"what"), 100_000, Closed, 0),
        row("WINDOW_UPDATE of the connection", |_, _| frame(8, 0, 0, &[0, 0, 0, 1]), 100_000, Closed, 0),
        row("WINDOW_UPDATE of nothing", |_, _| frame(8, 0, 0, &[0; 4]), 1_000, Closed, 0),
        row("WINDOW_UPDATE of too much", |_, _| frame(8, 0, 0, &[0x7f, 0xff, 0xff, 0xff]), 1_000, Closed, 0),
        row("frames larger than agreed", |_, _| frame(0, 0, 1, &[0; 40_000]), 1_000, Closed, 0),
        row("header lists of 200 KiB", large, 200, Closed, 0),
        after(
            bomb_fuse(),
            row(
                "an HPACK bomb",
                |stream, _| frame(1, END_STREAM | END_HEADERS, stream, &[0xbe; 16_000]),
                200,
                Closed,
                0,
            ),
        ),
        row("streams that are never used", upload, 2_000, Closed, 300),
        after(
            // A window of nothing for each stream.
            frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]),
            row("answers that nobody takes", get, 240, Borne, 240),
        ),
    ]
}

/// A request with 13 fields of 16 KB, in CONTINUATIONs.
fn large(stream: u32, cookie: &str) -> Vec<u8> {
    // 16,000 in seven bits and a rest: 127 + 15,873 (RFC 7541 §5.1).
    let field = [&b"\x00\x01a\x7f\x81\x7c"[..], &[b'x'; 16_000]].concat();
    let mut frames = frame(1, END_STREAM, stream, &block(GET, cookie));
    for turn in 0..13 {
        frames.extend(frame(9, if turn == 12 { END_HEADERS } else { 0 }, stream, &field));
    }
    frames
}

/// A field of 4,000 bytes in the dynamic table, which is then named by one byte each.
fn bomb_fuse() -> Vec<u8> {
    // 4,000 = 127 + 3,873.
    let field = [&b"\x40\x01a\x7f\xa1\x1e"[..], &[b'x'; 4_000]].concat();
    frame(1, END_STREAM | END_HEADERS, 1, &[block(GET, "a=b"), field].concat())
}

/// Not made anew for each answer: what the product holds is not what is measured.
static BODY: [u8; 1 << 20] = [b'x'; 1 << 20];

fn large_answer(_: &str, stream: &mut StdStream) {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n";
    // The gateway gives up reading when its client does.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&BODY));
}

/// Sends a flood while reading all answers; whether the connection was closed before its end, and the time until then.
async fn send(world: &World, flood: &Flood, cookie: &str) -> (End, Duration) {
    let stream = connect(world, &root(world), HOST, "h2").await.unwrap();
    let (mut from, mut to) = split(stream);
    let began = Instant::now();
    let reading = async {
        let (mut chunk, mut tail) = (vec![0; 65_536], Vec::new());
        while let Ok(count @ 1..) = from.read(&mut chunk).await {
            tail.extend_from_slice(&chunk[..count]);
            tail.drain(..tail.len().saturating_sub(256));
        }
        tail
    };
    let writing = async {
        let mut bytes = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(4, 0, 0, b""), &flood.first].concat();
        for number in 0..flood.count {
            bytes.extend((flood.again)(2 * number + 3, cookie));
            if bytes.len() > 32_768 {
                if to.write_all(&bytes).await.is_err() {
                    break;
                }
                bytes.clear();
            }
        }
        // Gone already, or not: the reader sees.
        drop(to.write_all(&bytes).await);
        drop(to.flush().await);
        // How long the end of the connection may take to be seen.
        tokio::time::sleep(Duration::from_millis(2000)).await;
    };
    let end = tokio::select! {
        biased;
        tail = reading => {
            println!("{}", last_word(&tail));
            End::Closed
        }
        () = writing => End::Borne,
    };
    (end, began.elapsed())
}

/// What the connection was closed with, where it was said.
fn last_word(tail: &[u8]) -> String {
    let goaway = tail.windows(9).rposition(|head| head[3..] == [7, 0, 0, 0, 0, 0]);
    let code = goaway.and_then(|place| tail.get(place + 13..place + 17));
    code.map_or_else(String::new, |code| format!("  GOAWAY {}", code[3]))
}

/// Resident memory of this process, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}

/// User and system time of this process, in ticks of 10 ms.
fn processor() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after = stat.rsplit(") ").next().unwrap();
    after.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

#[test]
#[ignore = "run by h2_floods_are_bounded, in a process of its own"]
fn the_table_of_floods() {
    let world = world(
        |head, stream| if head.contains("GET / ") { large_answer(head, stream) } else { ok(head, stream) },
        |_, _| {},
    );
    let (_, cookie) = world.session(1);
    let mut failures = Vec::new();
    println!("{:<54} {:>7} {:>9} {:>7} {:>9} {:>6}", "flood", "end", "time", "CPU", "memory", "reach");
    for flood in floods() {
        let (memory, ticks, heads) = (resident(), processor(), world.seen.heads.lock().unwrap().len());
        let (end, took) = run(async {
            let sent = timeout(Duration::from_secs(60), send(&world, &flood, &cookie));
            sent.await.unwrap_or((End::Borne, Duration::from_secs(60)))
        });
        let reached = world.seen.heads.lock().unwrap().len() - heads;
        let grown = resident().saturating_sub(memory);
        println!(
            "{:<54} {:>7} {:>7} ms {:>4} ms {:>5} KiB {:>6}",
            flood.name,
            format!("{end:?}"),
            took.as_millis(),
            (processor() - ticks) * 10,
            grown,
            reached
        );
        // A stranger's megabytes are none of ours: what is left is less than one connection's windows and buffers.
        if end != flood.end || reached > flood.reach || grown > 48 * 1024 || took > Duration::from_secs(30) {
            failures.push(flood.name);
        }
        let served = world.ask("GET /x", &[&format!("Cookie: {cookie}")]).status;
        assert_eq!(served, 200, "after {}", flood.name);
    }
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn h2_floods_are_bounded() {
    let table = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "floods::the_table_of_floods", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&table.stdout);
    println!("{said}");
    assert!(table.status.success() && said.contains("1 passed"), "{said}\n{}", String::from_utf8_lossy(&table.stderr));
}

/// Taken back one by one, each after the product may have been asked: h2 alone bears that.
#[test]
fn requests_that_are_taken_back_cost_the_product_a_few_hundred() {
    let world = world(ok, |_, _| {});
    let (_, cookie) = world.session(1);
    run(async {
        let stream = connect(&world, &root(&world), HOST, "h2").await.unwrap();
        let (mut from, mut to) = split(stream);
        let reading = async {
            let mut chunk = vec![0; 65_536];
            while let Ok(1..) = from.read(&mut chunk).await {}
        };
        let writing = async {
            let preface = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(4, 0, 0, b"")].concat();
            to.write_all(&preface).await.unwrap();
            for number in 0..2_000 {
                let stream = 2 * number + 1;
                for bytes in [get(stream, &cookie), frame(3, 0, stream, &[0, 0, 0, 8])] {
                    if to.write_all(&bytes).await.is_err() || to.flush().await.is_err() {
                        return;
                    }
                    tokio::time::sleep(Duration::from_micros(300)).await;
                }
            }
            panic!("everything was taken");
        };
        timeout(Duration::from_secs(30), async {
            tokio::select! {
                () = reading => {}
                () = writing => {}
            }
        })
        .await
        .unwrap();
    });
    assert_eq!(super::arrival::turned(&world, "flood"), 1);
    assert!(world.seen.heads.lock().unwrap().len() <= 500);
}

/// An idle connection is told to go; who does not answer that is cut.
#[test]
fn a_client_that_ignores_its_goodbye_is_cut() {
    let world = world(ok, |options, _| options.listen.patience.idle = Duration::from_secs(1));
    let (_, cookie) = world.session(1);
    let began = Instant::now();
    run_within(Duration::from_secs(45), async {
        let stream = connect(&world, &root(&world), HOST, "h2").await.unwrap();
        let (mut from, mut to) = split(stream);
        // Answers that it never makes room for, and no answer to a PING.
        let nothing = frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
        let bytes = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &nothing, &get(1, &cookie)].concat();
        to.write_all(&bytes).await.unwrap();
        let mut rest = Vec::new();
        // How it ends is nobody's affair.
        drop(timeout(Duration::from_secs(40), from.read_to_end(&mut rest)).await.unwrap());
    });
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[test]
fn heads_without_measure_are_refused() {
    let world = world(ok, |_, _| {});
    let fields = |count: usize| (0..count).map(|place| format!("X-{place}: y\r\n")).collect::<String>();
    let ask = |text: String| {
        let mut client = world.plain();
        // The answer may come before everything is sent.
        let _ = client.stream.write_all(text.as_bytes());
        client.reply().status
    };
    let with = |more: &str| format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-Proto: https\r\n{more}\r\n");
    assert_eq!(ask(with(&fields(90))), 401);
    assert_eq!(ask(with(&fields(101))), 431);
    assert_eq!(ask(with(&format!("X: {}\r\n", "y".repeat(200_000)))), 431);
    assert_eq!(ask(format!("GET /{} HTTP/1.1\r\nHost: {HOST}\r\n\r\n", "y".repeat(70_000))), 414);
    assert_eq!(ask(format!("GET /{}", "y".repeat(200_000))), 431);
    assert_eq!(world.seen.bytes.load(Ordering::SeqCst), 0);
}

#[test]
fn noise_at_the_tls_listener_is_closed_and_others_are_served() {
    let world = world(ok, |_, _| {});
    let https = world.running.addresses().https.unwrap();
    let rows: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        &[0; 4096],
        &[0xff; 4096],
        // A hello that is none, and one of a length that no record may have.
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        b"\x16\x03\x01\xff\xff\x01\x00\xff\xfb\x03\x03",
        // Application data first.
        b"\x17\x03\x03\x00\x02hi",
    ];
    for noise in rows {
        let mut client = Client::open(https);
        client.stream.write_all(noise).unwrap();
        let began = Instant::now();
        assert!(client.rest().len() < 16, "an alert at most: {noise:?}");
        assert!(began.elapsed() < Duration::from_secs(5), "{noise:?}");
    }
    // Counted right after the socket was closed.
    let counted = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        world.seeing.failed_handshakes.get() >= 6
    });
    assert!(counted);
    run(async { assert!(connect(&world, &root(&world), HOST, "h2").await.is_ok()) });
}

#[test]
fn thousands_of_slow_heads_are_cut_and_others_are_served_meanwhile() {
    let room = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let count = if room > 8_000 { 2_000 } else { 200 };
    let world = world(ok, |options, _| options.listen.patience.header = Duration::from_secs(3));
    let (_, cookie) = world.session(1);
    let cookie = format!("Cookie: {cookie}");
    let mut slow: Vec<Client> = (0..count)
        .map(|_| {
            let mut client = world.plain();
            client.send("GET / HTTP/1.1\r\nX-Slow: ");
            client
        })
        .collect();
    let mut client = world.plain();
    for _ in 0..20 {
        let began = Instant::now();
        client.send(&head("GET /", &[&cookie]));
        assert_eq!(client.reply().status, 200);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
    for client in &mut slow {
        // A byte now and then buys nothing; the connection may be cut already.
        let _ = client.stream.write_all(b"y");
    }
    let began = Instant::now();
    assert!(slow.iter_mut().all(|client| client.rest().is_empty()));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(world.seen.heads.lock().unwrap().len(), 20);
}
