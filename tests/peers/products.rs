//! The recording product: what it says is what was on the wire.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

use crate::support::adapter::Adapter;
use crate::support::answer::Answer;
use crate::support::clock::eventually;
use crate::support::upstream::Upstream;
use crate::support::websocket::{Frame, Opened, WebSocket};
use crate::support::wire::Wire;

fn url(upstream: &Upstream, path: &str) -> Url {
    Url::parse(&format!("{}{path}", upstream.url())).expect("a URL")
}

async fn raw(upstream: &Upstream, bytes: &str) -> String {
    let mut stream = Wire::plain().stream(&url(upstream, "/")).await.expect("it listens");
    stream.write_all(bytes.as_bytes()).await.expect("written");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("read");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn it_keeps_headers_in_their_order_and_spelling() {
    let upstream = Upstream::start();
    upstream.answer("/x", Answer::new(204, &[("connection", "close")], ""));
    let sent = "POST /x?y HTTP/1.1\r\nhOsT: a\r\nX_Fedgate_User: evil\r\nx-b: 1\r\nx-b: 2\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: t\r\n\r\n";
    assert!(raw(&upstream, sent).await.starts_with("HTTP/1.1 204 "));
    let seen = upstream.last("/x");
    let names: Vec<_> = seen.head.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["hOsT", "X_Fedgate_User", "x-b", "x-b", "Transfer-Encoding"]);
    assert_eq!(seen.trailers, [("X-T".to_owned(), "t".to_owned())]);
    assert_eq!((seen.body.as_slice(), seen.length), (b"abc".as_slice(), 3));
    assert_eq!(seen.sha256.as_deref(), Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    assert_eq!(upstream.bytes(), sent.len() as u64);
}

#[tokio::test]
async fn it_answers_as_told_trailers_included() {
    let upstream = Upstream::start();
    let mut answer = Answer::new(200, &[("set-cookie", "a=1"), ("set-cookie", "b=2"), ("connection", "close")], "hi");
    answer.trailers = vec![("X-Fedgate-User".to_owned(), "evil".to_owned())];
    upstream.answer("/t", answer);
    let got = raw(&upstream, "GET /t HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(got.contains("set-cookie: a=1\r\nset-cookie: b=2\r\n"), "{got}");
    assert!(got.ends_with("\r\n\r\n2\r\nhi\r\n0\r\nX-Fedgate-User: evil\r\n\r\n"), "{got}");
}

#[tokio::test]
async fn two_requests_of_one_connection_are_told_apart_from_two_connections() {
    let upstream = Upstream::start();
    let mut connection = Wire::plain().connect(&url(&upstream, "/")).await.expect("it listens");
    for path in ["/1", "/2"] {
        let request = Request::get(url(&upstream, path).as_str()).body(Full::<Bytes>::default()).expect("a request");
        let answer = connection.send(request).await.expect("an answer");
        http_body_util::BodyExt::collect(answer.into_body()).await.expect("a body");
    }
    let request = Request::get(url(&upstream, "/3").as_str()).body(Full::<Bytes>::default()).expect("a request");
    Wire::plain().exchange(&url(&upstream, "/3"), request).await.expect("an answer");
    let connections: Vec<_> = upstream.seen().iter().map(|seen| seen.connection).collect();
    assert_eq!(connections, [1, 1, 2]);
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn a_socket_echoes_and_its_end_is_seen() {
    let upstream = Upstream::start();
    let opened = WebSocket::open(&Wire::plain(), &url(&upstream, "/live"), Some("http://a.test"), &[]).await;
    let Ok(Opened::Socket(mut socket)) = opened else { panic!("refused") };
    assert_eq!(upstream.open_streams(), 1);
    let long = "ä".repeat(300);
    socket.send(&long).await.expect("sent");
    assert_eq!(socket.next().await, Frame::Text(long));
    socket.close(4000).await.expect("sent");
    assert_eq!(socket.next().await, Frame::Close(Some(4000)));
    assert_eq!(socket.next().await, Frame::Gone);
    eventually("the stream is counted down", Duration::from_secs(2), || upstream.open_streams() == 0).await;
}

#[tokio::test]
async fn events_flow_until_the_reader_leaves() {
    let upstream = Upstream::start();
    let mut stream = Wire::plain().stream(&url(&upstream, "/events")).await.expect("it listens");
    stream.write_all(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("written");
    let mut got = String::new();
    while !got.contains("data: 1\n\n") {
        let mut buffer = [0; 512];
        let count = stream.read(&mut buffer).await.expect("read");
        got.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    assert_eq!(upstream.open_streams(), 1);
    drop(stream);
    eventually("the stream is counted down", Duration::from_secs(2), || upstream.open_streams() == 0).await;
}

#[tokio::test]
async fn an_early_answer_leaves_the_body_unread() {
    let upstream = Upstream::start();
    let got = raw(&upstream, "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n").await;
    assert!(got.starts_with("HTTP/1.1 413 "), "{got}");
    assert_eq!(upstream.last("/early").length, 0);
}

#[tokio::test]
async fn the_adapter_says_which_calls_were_not_signed() {
    let adapter = Adapter::start();
    adapter.person("ann@a.test", "right", "u-1");
    let url = Url::parse(&format!("{}/verify_password", adapter.url())).expect("a URL");
    let body = r#"{"call":"verify_password","product":"x","email":"ann@a.test","password":"right"}"#;
    let request = Request::post(url.as_str())
        .header("content-length", body.len())
        .header("webhook-id", "m")
        .header("idempotency-key", "m")
        .header("webhook-timestamp", "1")
        .header("webhook-signature", "v1,AAAA")
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .expect("a request");
    let answer = Wire::plain().exchange(&url, request).await.expect("an answer");
    assert_eq!(adapter.faults().len(), 1, "{:?}", adapter.faults());
    assert_eq!((adapter.calls().len(), adapter.calls()[0].email.as_str()), (1, "ann@a.test"));
    assert!(String::from_utf8_lossy(answer.body()).contains("\"sub\":\"u-1\""));
}

#[tokio::test]
async fn the_verbatim_product_keeps_what_it_cannot_read() {
    let upstream = Upstream::verbatim("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
    let sent = "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert!(raw(&upstream, sent).await.ends_with("hi"));
    assert_eq!(upstream.transcripts(), [sent]);
}
