//! WebSockets over HTTP/2 (RFC 8441): each is an HTTP/1.1 upgrade at the product, and is admitted by the same rules.
#![expect(clippy::disallowed_methods, reason = "these tests measure how long an end takes")]

use super::arrival::turned;
use super::streams::{open_streams, until};
use super::support::*;
use super::tls::{ask_h2, connect, open_h2, root, run};
use base64::Engine as _;
use bytes::Bytes;
use h2::client::SendRequest;
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Method, Request, StatusCode};
use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// `Sec-WebSocket-Accept` for the key in a request's head.
fn accept(head: &str) -> String {
    let head = head.to_lowercase().lines().zip(head.lines()).find_map(|(lower, line)| {
        lower.starts_with("sec-websocket-key:").then(|| line.split_once(':').unwrap().1.trim().to_owned())
    });
    let text = format!("{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11", head.unwrap_or_default());
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(digest)
}

/// A WebSocket that says one frame and stays, and then echoes nothing; half a frame; a flood; and answers that are none.
fn product(head: &str, stream: &mut TcpStream) {
    let granted = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {}\r\n\
         Sec-WebSocket-Protocol: chat\r\n\r\n",
        accept(head)
    );
    let _ = match head.split(' ').nth(1).unwrap_or("") {
        "/socket" => stream.write_all(&[granted.as_bytes(), b"\x82\x03abc"].concat()),
        "/half" => stream.write_all(&[granted.as_bytes(), b"\x82\x7dabc"].concat()),
        "/flood" => stream.write_all(&[granted.as_bytes(), b"\x82\x7e\xff\xff", &[7; 65_535]].concat()),
        "/ends" => stream
            .write_all(&[granted.as_bytes(), b"\x88\x00"].concat())
            .and_then(|()| stream.shutdown(std::net::Shutdown::Write)),
        "/foreign" => stream.write_all(granted.replace("Accept: ", "Accept: A").as_bytes()),
        "/plain" => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
        "/no" => stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello"),
        _ => Ok(()),
    };
}

/// One opened tunnel, or the status that refused it.
struct Tunnel {
    status: StatusCode,
    fields: HeaderMap,
    body: RecvStream,
    to: SendStream<Bytes>,
}

const ORIGIN: (&str, &str) = ("origin", "https://trello.localhost");

async fn tunnel(sender: &SendRequest<Bytes>, protocol: &'static str, path: &str, fields: &[(&str, &str)]) -> Tunnel {
    let mut ready = sender.clone().ready().await.unwrap();
    // The server's settings come with its first frame.
    while !ready.is_extended_connect_protocol_enabled() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let uri = format!("https://trello.localhost{path}");
    let mut request = Request::builder().method(Method::CONNECT).uri(uri).extension(Protocol::from_static(protocol));
    for (name, value) in [("sec-websocket-version", "13")].iter().chain(fields) {
        request = request.header(*name, *value);
    }
    let (answer, to) = ready.send_request(request.body(()).unwrap(), false).unwrap();
    let (head, body) = answer.await.unwrap().into_parts();
    Tunnel { status: head.status, fields: head.headers, body, to }
}

/// The bytes of a tunnel until there are so many, and then until its end.
async fn bytes(body: &mut RecvStream, count: usize) -> Result<Vec<u8>, h2::Error> {
    let mut all = Vec::new();
    while all.len() < count {
        let Some(data) = body.data().await else { break };
        let data = data?;
        let _ = body.flow_control().release_capacity(data.len());
        all.extend_from_slice(&data);
    }
    Ok(all)
}

#[test]
fn a_websocket_over_http2_is_an_upgrade_at_the_product() {
    let world = world(product, |_, _| {});
    let (_, cookie) = world.session(1);
    run(async {
        let sender = open_h2(&world).await;
        let fields = [
            ("cookie", &*format!("a=b; {cookie}")),
            ORIGIN,
            ("sec-websocket-protocol", "chat, talk"),
            ("sec-websocket-key", "chosen by the client"),
            ("x-fedgate-user", "eve"),
        ];
        let mut tunnel = tunnel(&sender, "websocket", "/socket", &fields).await;
        assert_eq!(
            (tunnel.status, &tunnel.fields["sec-websocket-protocol"]),
            (StatusCode::OK, &"chat".parse().unwrap())
        );
        for absent in ["connection", "upgrade", "sec-websocket-accept"] {
            assert!(!tunnel.fields.contains_key(absent), "{absent} in {:?}", tunnel.fields);
        }
        assert_eq!(bytes(&mut tunnel.body, 5).await.unwrap(), b"\x82\x03abc");
        open_streams(&world, 1);
        let before = world.seen.bytes.load(std::sync::atomic::Ordering::SeqCst);
        tunnel.to.send_data(Bytes::from_static(b"\x81\x80\0\0\0\0"), false).unwrap();
        while world.seen.bytes.load(std::sync::atomic::Ordering::SeqCst) < before + 6 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // The client closes its side, and so does the product: the stream ends whole.
        tunnel.to.send_data(Bytes::new(), true).unwrap();
        assert_eq!(bytes(&mut tunnel.body, 1).await.unwrap(), b"");
        tokio::time::sleep(Duration::from_millis(100)).await;
    });
    open_streams(&world, 0);
    let head = world.seen.last().to_lowercase();
    assert!(head.starts_with("get /socket http/1.1"), "{head}");
    for line in
        ["connection: upgrade", "upgrade: websocket", "host: trello.localhost", "cookie: a=b", "x-fedgate-user: ann"]
    {
        assert_eq!(head.lines().filter(|seen| *seen == line).count(), 1, "{line} in {head}");
    }
    let keys: Vec<_> = head.lines().filter_map(|line| line.strip_prefix("sec-websocket-key: ")).collect();
    assert!(keys.len() == 1 && keys[0].len() == 24, "{head}");
    assert!(!head.contains("eve") && !head.contains("__host") && !head.contains("protocol: websocket"), "{head}");
}

#[test]
fn m30_a_websocket_over_http2_comes_from_its_own_host_with_a_session() {
    let world = world(product, |_, _| {});
    let (_, cookie) = world.session(1);
    let cookie = ("cookie", cookie.as_str());
    run(async {
        let sender = open_h2(&world).await;
        for (fields, status) in [
            (&[cookie][..], 403),
            (&[cookie, ("origin", "null")], 403),
            (&[cookie, ("origin", "https://loom.localhost")], 403),
            (&[cookie, ORIGIN, ORIGIN], 403),
            (&[cookie, ORIGIN, ("sec-fetch-site", "same-site")], 403),
            (&[cookie, cookie, ORIGIN], 403),
            (&[ORIGIN], 401),
            (&[ORIGIN, ("authorization", "Bearer x")], 401),
        ] {
            let refused = tunnel(&sender, "websocket", "/socket", fields).await;
            assert_eq!(refused.status, status, "{fields:?}");
        }
        assert_eq!(world.seen.bytes.load(std::sync::atomic::Ordering::SeqCst), 0);
        let on_a_page = tunnel(&sender, "websocket", "/.fedgate/session", &[cookie, ORIGIN]).await;
        assert_eq!(on_a_page.status, 502, "a page that succeeds is no WebSocket");
        assert_eq!(tunnel(&sender, "websocket", "/share/socket", &[ORIGIN]).await.status, 401);
        assert_eq!(tunnel(&sender, "websocket", "/socket", &[cookie, ORIGIN]).await.status, 200);
        for protocol in ["connect-udp", "websocket2", "h2c"] {
            assert_eq!(tunnel(&sender, protocol, "/socket", &[cookie, ORIGIN]).await.status, 501, "{protocol}");
        }
        let plain = Request::builder().method(Method::CONNECT).uri("trello.localhost:443").body(()).unwrap();
        let (answer, _) = sender.clone().ready().await.unwrap().send_request(plain, false).unwrap();
        assert!(answer.await.unwrap().status().is_client_error(), "no proxy to other places");
    });
}

#[test]
fn a_tunnel_that_no_product_granted_is_none() {
    let world = world(product, |_, _| {});
    let (_, cookie) = world.session(1);
    run(async {
        let sender = open_h2(&world).await;
        for (path, status) in [("/foreign", 502), ("/plain", 502), ("/no", 404)] {
            let refused = tunnel(&sender, "websocket", path, &[("cookie", &cookie), ORIGIN]).await;
            assert_eq!(refused.status, status, "{path}");
        }
    });
}

#[test]
fn each_websocket_over_http2_counts_as_a_connection_of_its_client() {
    let world = world(product, |options, _| {
        options.listen.trusted_proxies.clear();
        options.listen.crowd.per_client = 3;
    });
    let (_, cookie) = world.session(1);
    run(async {
        let sender = open_h2(&world).await;
        let ask = async || tunnel(&sender, "websocket", "/socket", &[("cookie", &cookie), ORIGIN]).await;
        let (mut one, other, refused) = (ask().await, ask().await, ask().await);
        assert_eq!([one.status, other.status], [StatusCode::OK; 2]);
        assert_eq!(
            (refused.status, &refused.fields["retry-after"]),
            (StatusCode::TOO_MANY_REQUESTS, &"2".parse().unwrap())
        );
        assert_eq!(turned(&world, "client"), 1);
        assert_eq!(world.seen.heads.lock().unwrap().len(), 2, "the product was not asked");
        // What was refused by the product keeps no place, and what has ended gives its place back.
        one.to.send_data(Bytes::new(), true).unwrap();
        assert_eq!(bytes(&mut one.body, 100).await.unwrap(), b"\x82\x03abc");
        for path in ["/no", "/no", "/no", "/socket"] {
            let began = Instant::now();
            let wanted = if path == "/no" { StatusCode::NOT_FOUND } else { StatusCode::OK };
            while tunnel(&sender, "websocket", path, &[("cookie", &cookie), ORIGIN]).await.status != wanted {
                assert!(began.elapsed() < Duration::from_secs(10), "{path}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    });
}

#[test]
fn a_tunnel_ends_with_its_product() {
    let world = world(product, |_, _| {});
    let (_, cookie) = world.session(1);
    run(async {
        let sender = open_h2(&world).await;
        let mut tunnel = tunnel(&sender, "websocket", "/ends", &[("cookie", &cookie), ORIGIN]).await;
        assert_eq!(bytes(&mut tunnel.body, 100).await.unwrap(), b"\x88\x00", "and then the orderly end of the stream");
    });
    open_streams(&world, 0);
}

#[test]
fn a_tunnel_is_closed_with_1008_when_its_session_ends_and_others_stay() {
    let world = world(product, |_, _| {});
    let (live, cookie) = world.session(1);
    let (_, other) = world.session(2);
    run(async {
        let mut sender = open_h2(&world).await;
        let mut tunnels = Vec::new();
        for (path, cookie) in [("/socket", &cookie), ("/half", &cookie), ("/socket", &other)] {
            let mut tunnel = tunnel(&sender, "websocket", path, &[("cookie", cookie), ORIGIN]).await;
            assert_eq!(bytes(&mut tunnel.body, 5).await.unwrap().len(), 5);
            tunnels.push(tunnel);
        }
        let began = Instant::now();
        live.ended.cancel();
        let whole = bytes(&mut tunnels[0].body, 100).await.unwrap();
        assert_eq!(whole, [0x88, 0x02, 0x03, 0xf0], "and then the end");
        let cut = bytes(&mut tunnels[1].body, 100).await;
        assert_eq!(cut.unwrap_err().reason(), Some(Reason::CANCEL), "within a frame there is no place to say it");
        assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
        assert_eq!(world.seeing.open_streams.get(), 1);
        let waited = tokio::time::timeout(Duration::from_millis(100), tunnels[2].body.data()).await;
        assert!(waited.is_err(), "another session's tunnel stays open: {waited:?}");
        let (status, _) = ask_h2(&mut sender, "https://trello.localhost/plain", &[("cookie", other.as_str())]).await;
        assert_eq!(status, StatusCode::OK);
    });
}

#[test]
fn a_tunnel_whose_client_grants_no_window_is_reset_when_its_session_ends() {
    let world = world(product, |_, _| {});
    let (live, cookie) = world.session(1);
    run(async {
        let stream = connect(&world, &root(&world), HOST, "h2").await.unwrap();
        let (sender, connection) = h2::client::Builder::new().initial_window_size(10).handshake(stream).await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        let mut tunnel = tunnel(&sender, "websocket", "/flood", &[("cookie", &cookie), ORIGIN]).await;
        assert_eq!(tunnel.body.data().await.unwrap().unwrap().len(), 10);
        let began = Instant::now();
        live.ended.cancel();
        let end = tunnel.body.data().await.unwrap().unwrap_err();
        assert_eq!(end.reason(), Some(Reason::CANCEL));
        assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    });
    open_streams(&world, 0);
    until(|| world.seen.ended.load(std::sync::atomic::Ordering::SeqCst) == 1);
}
