//! What a product may speak: bodies of every kind and length, trailers, ranges, expectations, and answers that come early or half.

use super::streams::until;
use super::support::*;
use super::tls::{connect, root, run, run_within};
use bytes::Bytes;
use fedgate::gateway::options::Upstream;
use http::{Method, Request};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

const MIB: usize = 1024 * 1024;

/// Answers that are whole heads and bodies, by path.
fn product(head: &str, stream: &mut TcpStream) {
    let text: &[u8] = match head.split(' ').nth(1).unwrap_or("") {
        "/chunked" if head.starts_with("HEAD") => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "/chunked" => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        "/long" if head.starts_with("HEAD") => b"HTTP/1.1 200 OK\r\nContent-Length: 123456789\r\n\r\n",
        "/trailers" => {
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, Set-Cookie\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\nSet-Cookie: a=b\r\nFedgate-Assertion: x\r\n\r\n"
        }
        "/range" if head.to_lowercase().contains("range: bytes=0-4") => {
            b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-4/10\r\nAccept-Ranges: bytes\r\nContent-Length: 5\r\n\r\n01234"
        }
        "/range" if head.to_lowercase().contains("range: bytes=0-1,3-4") => {
            b"HTTP/1.1 206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=B\r\nContent-Length: 12\r\n\r\n--B\r\n01--B--"
        }
        "/range" => b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */10\r\nContent-Length: 0\r\n\r\n",
        "/nothing" => b"HTTP/1.1 204 No Content\r\n\r\n",
        "/same" => b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 10\r\n\r\n",
        "/hints" => b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nSet-Cookie: __Host-fedgate=x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "/late" => {
            thread::sleep(Duration::from_millis(300));
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"
        }
        "/early" => b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig",
        "/never" => b"",
        _ => b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    };
    let _ = stream.write_all(text);
}

/// Sends a request on a connection that must serve another one afterwards, and gives what came in between.
fn exchange(world: &World, cookie: &str, line: &str, fields: &[&str], body: &str) -> String {
    let mut client = world.plain();
    let asks = head(line, &[&[&*format!("Cookie: {cookie}")], fields].concat());
    let last = head("GET /last", &[&format!("Cookie: {cookie}"), "Connection: close"]);
    // At once: this product answers a head without waiting for its body, and the connection of an early answer ends.
    client.send(&format!("{asks}{body}{last}"));
    let all = String::from_utf8(client.rest()).unwrap();
    let last = all.rfind("HTTP/1.1 200 OK").unwrap_or_else(|| panic!("{line}: {all}"));
    assert!(all.ends_with("hello"), "{line}: {all}");
    all[..last].to_lowercase()
}

#[test]
fn answers_pass_as_they_are() {
    let world = world(product, |_, _| {});
    let (_, cookie) = world.session(1);
    for (line, fields, status, said, body) in [
        ("HEAD /long", &[][..], 200, &["content-length: 123456789"][..], ""),
        ("HEAD /chunked", &[], 200, &[], ""),
        ("GET /nothing", &[], 204, &[], ""),
        ("GET /same", &["If-None-Match: \"a\""], 304, &["etag: \"a\""], ""),
        ("GET /range", &["Range: bytes=0-4"], 206, &["content-range: bytes 0-4/10", "accept-ranges: bytes"], "01234"),
        (
            "GET /range",
            &["Range: bytes=0-1,3-4"],
            206,
            &["content-type: multipart/byteranges; boundary=b"],
            "--b\r\n01--b--",
        ),
        ("GET /range", &["Range: bytes=20-"], 416, &["content-range: bytes */10"], ""),
        ("GET /hints", &[], 200, &[], "ok"),
    ] {
        let answer = exchange(&world, &cookie, line, fields, "");
        let (head, rest) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{line}: {answer}");
        for field in said {
            assert!(head.lines().any(|line| line == *field), "{line}: {field} in {answer}");
        }
        assert_eq!(rest, body, "{line}");
        assert!(!answer.contains("preload") && !answer.contains("103") && !answer.contains("set-cookie"), "{answer}");
    }
}

#[test]
fn chunks_and_trailers_go_both_ways() {
    let world = world(product, |_, _| {});
    let (_, cookie) = world.session(1);
    let chunked = ["Sec-Fetch-Site: same-origin", "Transfer-Encoding: chunked"];
    let answer = exchange(&world, &cookie, "POST /chunked", &chunked, "4\r\nup 1\r\n4\r\nup 2\r\n0\r\nX-Up: 1\r\n\r\n");
    assert!(answer.contains("transfer-encoding: chunked") && answer.ends_with("\r\n0\r\n\r\n"), "{answer}");
    assert!(answer.contains("abc") && answer.contains("de"), "{answer}");
    let seen = world.seen.heads.lock().unwrap().join("|");
    assert!(seen.to_lowercase().contains("transfer-encoding: chunked") && !seen.contains("X-Up"), "{seen}");
    let with = exchange(&world, &cookie, "GET /trailers", &["TE: trailers", "Connection: TE"], "");
    assert!(
        with.ends_with("3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n"),
        "the product's trailer, and nothing that only heads may say: {with}"
    );
    let without = exchange(&world, &cookie, "GET /trailers", &[], "");
    assert!(without.ends_with("3\r\nabc\r\n0\r\n\r\n"), "{without}");
}

#[test]
fn a_client_of_http_1_0_gets_a_body_without_chunks_and_the_end_of_the_connection() {
    let world = world(product, |_, _| {});
    let (_, cookie) = world.session(1);
    for (path, body) in [("/chunked", "abcde"), ("/trailers", "abc"), ("/other", "hello"), ("/hints", "ok")] {
        let mut client = world.plain();
        let request = head(&format!("GET {path}"), &[&format!("Cookie: {cookie}"), "TE: trailers"]);
        client.send(&request.replace("HTTP/1.1", "HTTP/1.0"));
        let head = client.head().to_lowercase();
        assert!(head.contains(" 200 ") && !head.contains("chunked"), "{path}: {head}");
        assert_eq!(String::from_utf8(client.rest()).unwrap(), body, "{path}");
    }
}

#[test]
fn trailers_reach_http2() {
    let world = world(product, |_, _| {});
    let (_, cookie) = world.session(1);
    run(async {
        let stream = connect(&world, &root(&world), HOST, "h2").await.unwrap();
        let (sender, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        let request =
            Request::get("https://trello.localhost/trailers").header("cookie", &cookie).header("te", "trailers");
        let mut ready = sender.ready().await.unwrap();
        let answer = ready.send_request(request.body(()).unwrap(), true).unwrap().0.await.unwrap();
        let mut body = answer.into_body();
        assert_eq!(body.data().await.unwrap().unwrap(), "abc");
        assert!(body.data().await.is_none());
        let trailers = body.trailers().await.unwrap().unwrap();
        assert_eq!((trailers.len(), &trailers["x-sum"]), (1, &"7".parse().unwrap()));
    });
}

#[test]
fn a_body_is_asked_for_only_when_somebody_wants_it() {
    let world = world(product, |_, _| {});
    let (_, cookie) = world.session(1);
    let cookie = format!("Cookie: {cookie}");
    let expects = ["Sec-Fetch-Site: same-origin", "Expect: 100-continue", "Content-Length: 5"];
    // Nobody: no byte reaches the product, and the body is never asked for.
    let mut client = world.plain();
    client.send(&head("POST /a", &expects));
    assert!(client.head().starts_with("HTTP/1.1 401 "));
    assert_eq!(world.seen.bytes.load(Ordering::SeqCst), 0);
    let mut client = world.plain();
    client.send(&head("POST /a", &[&[&*cookie], &expects[..]].concat()));
    assert_eq!(client.head(), "HTTP/1.1 100 Continue");
    client.send("12345");
    let reply = client.reply();
    assert_eq!((reply.status, reply.body.as_str()), (200, "hello"));
    assert!(!world.seen.last().to_lowercase().contains("expect"), "it was answered already");
}

#[test]
fn an_early_answer_reaches_a_client_that_is_still_sending() {
    let world = world(product, |_, _| {});
    let (_, cookie) = world.session(1);
    let mut client = world.plain();
    let length = format!("Content-Length: {}", 64 * MIB);
    client.send(&head("POST /early", &[&format!("Cookie: {cookie}"), "Sec-Fetch-Site: same-origin", &length]));
    let mut writer = client.stream.try_clone().unwrap();
    let sending = thread::spawn(move || while writer.write_all(&[9; 65_536]).is_ok() {});
    let reply = client.reply();
    assert_eq!((reply.status, reply.body.as_str()), (413, "big"));
    client.rest();
    let _ = client.stream.shutdown(Shutdown::Both);
    sending.join().unwrap();
}

#[test]
fn a_client_that_has_closed_its_side_is_answered() {
    let world = world(product, |_, _| {});
    let (_, cookie) = world.session(1);
    let cookie = format!("Cookie: {cookie}");
    for (line, fields, body) in [
        ("GET /late", &[&*cookie][..], ""),
        ("POST /late", &[&cookie, "Sec-Fetch-Site: same-origin", "Content-Length: 5"], "12345"),
    ] {
        let mut client = world.plain();
        client.send(&format!("{}{body}", head(line, fields)));
        client.stream.shutdown(Shutdown::Write).unwrap();
        let reply = client.reply();
        assert_eq!((reply.status, reply.body.as_str()), (200, "late"), "{line}");
        assert!(client.rest().is_empty());
    }
}

#[test]
fn a_client_that_ends_within_its_body_is_gone() {
    let world = world(product, |_, _| {});
    let (_, cookie) = world.session(1);
    let mut client = world.plain();
    client.send(&head(
        "POST /never",
        &[&format!("Cookie: {cookie}"), "Sec-Fetch-Site: same-origin", "Content-Length: 1000"],
    ));
    client.send("a part");
    until(|| world.seen.connections.load(Ordering::SeqCst) == 1);
    client.stream.shutdown(Shutdown::Write).unwrap();
    // Within one look at it (five seconds): the product must not hold a request that nobody will finish.
    assert!(client.rest().is_empty() || world.seen.ended.load(Ordering::SeqCst) <= 1);
    until(|| world.seen.ended.load(Ordering::SeqCst) == 1);
}

/// A product that takes and gives so many bytes as the path says, without keeping them.
fn giver() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || give(stream));
        }
    });
    address
}

fn give(mut stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut piece = vec![7; 65_536];
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line == "\r\n" {
                break;
            }
            lines.push(line.to_lowercase());
        }
        let length = lines.iter().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
        let mut left = length.unwrap_or(0);
        while left > 0 {
            let count = reader.read(&mut piece[..left.min(65_536)])?;
            assert!(count > 0 && piece[..count].iter().all(|byte| *byte == 7));
            left -= count;
        }
        let size: usize = lines[0].split(['/', ' ']).nth(2).and_then(|size| size.parse().ok()).unwrap_or(0);
        stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").as_bytes())?;
        piece.fill(7);
        for start in (0..size).step_by(65_536) {
            stream.write_all(&piece[..65_536.min(size - start)])?;
        }
    }
}

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn over_http1(world: &World, cookie: &str, size: usize) {
    let mut client = world.plain();
    let cookie = format!("Cookie: {cookie}");
    client.send(&head("POST /0", &[&cookie, "Sec-Fetch-Site: same-origin", &format!("Content-Length: {size}")]));
    for _ in 0..size / 65_536 {
        client.stream.write_all(&[7; 65_536]).unwrap();
    }
    assert_eq!(client.reply().status, 200);
    client.send(&head(&format!("GET /{size}"), &[&cookie]));
    assert!(client.head().contains(" 200 "));
    let (mut left, mut piece) = (size - client.buffered(), vec![0; 65_536]);
    while left > 0 {
        let count = client.stream.read(&mut piece[..left.min(65_536)]).unwrap();
        assert!(count > 0 && piece[..count].iter().all(|byte| *byte == 7));
        left -= count;
    }
}

async fn over_http2(world: &World, cookie: &str, size: usize) {
    let stream = connect(world, &root(world), HOST, "h2").await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    let ask = |method: Method, path: String| {
        let request = Request::builder().method(method).uri(format!("https://trello.localhost{path}"));
        request.header("cookie", cookie).header("sec-fetch-site", "same-origin")
    };
    let request = ask(Method::POST, "/0".into()).header("content-length", size).body(()).unwrap();
    let (answer, mut upload) = sender.clone().ready().await.unwrap().send_request(request, false).unwrap();
    let piece = Bytes::from_static(&[7; 65_536]);
    let mut left = size;
    while left > 0 {
        upload.reserve_capacity(left.min(piece.len()));
        let granted = std::future::poll_fn(|cx| upload.poll_capacity(cx)).await.unwrap().unwrap();
        let count = granted.min(left).min(piece.len());
        left -= count;
        upload.send_data(piece.slice(..count), left == 0).unwrap();
    }
    assert_eq!(answer.await.unwrap().status(), 200);
    let request = ask(Method::GET, format!("/{size}")).body(()).unwrap();
    let (answer, _) = sender.clone().ready().await.unwrap().send_request(request, true).unwrap();
    let (mut body, mut left) = (answer.await.unwrap().into_body(), size);
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        assert!(data.iter().all(|byte| *byte == 7));
        left -= data.len();
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    assert_eq!(left, 0);
}

/// 64 MiB of each kind, or as many as `FEDGATE_BODY_MIB` says; in a process of its own, whose memory no other test takes.
#[test]
fn large_bodies_pass_with_flat_memory() {
    const ALONE: &str = "FEDGATE_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "speaking::large_bodies_pass_with_flat_memory", "--nocapture"]).env(ALONE, "1");
        let output = again.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        print!("{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let size = std::env::var("FEDGATE_BODY_MIB").map_or(64, |size| size.parse().unwrap()) * MIB;
    let giver = giver();
    let world = world(product, |_, site| {
        site.upstreams = vec![Upstream::Http { host: giver.ip().to_string(), port: giver.port() }];
    });
    let (_, cookie) = world.session(1);
    let pass = |size| {
        over_http1(&world, &cookie, size);
        run_within(Duration::from_secs(600), over_http2(&world, &cookie, size));
    };
    pass(2 * MIB);
    let before = resident();
    let peak = std::sync::atomic::AtomicUsize::new(0);
    let done = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                peak.fetch_max(resident(), Ordering::SeqCst);
                thread::sleep(Duration::from_millis(5));
            }
        });
        pass(size);
        done.store(true, Ordering::SeqCst);
    });
    let grown = peak.load(Ordering::SeqCst).saturating_sub(before);
    println!("{} MiB each way over HTTP/1.1 and HTTP/2: memory grew by {} KiB", size / MIB, grown / 1024);
    assert!(grown < 8 * MIB, "memory grew by {grown} bytes");
}
