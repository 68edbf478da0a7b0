//! The end of HTTP/2 streams: also where the client grants no window, over which nothing can be sent but a reset; and what gRPC is told.
#![expect(clippy::disallowed_methods, reason = "these tests measure how long an end takes")]

use super::streams::{open_streams, until};
use super::support::*;
use super::tls::{ask_h2, connect, root, run};
use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{Method, Request, StatusCode};
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The initial window of a stream and of a connection; no more is ever granted.
async fn client(world: &World, stream: u32, connection: u32) -> SendRequest<Bytes> {
    let socket = connect(world, &root(world), HOST, "h2").await.unwrap();
    let mut builder = Builder::new();
    builder.initial_window_size(stream).initial_connection_window_size(connection);
    let (sender, connection) = builder.handshake(socket).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    sender
}

async fn send(
    sender: &SendRequest<Bytes>,
    method: Method,
    path: &str,
    cookie: &str,
) -> (ResponseFuture, SendStream<Bytes>) {
    let uri = format!("https://trello.localhost{path}");
    let request = Request::builder().method(method.clone()).uri(uri).header("cookie", cookie);
    let request = request.header("sec-fetch-site", "same-origin").header("te", "trailers").body(()).unwrap();
    sender.clone().ready().await.unwrap().send_request(request, method == Method::GET).unwrap()
}

async fn get(sender: &SendRequest<Bytes>, path: &str, cookie: &str) -> RecvStream {
    let answer = send(sender, Method::GET, path, cookie).await.0.await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer.into_body()
}

/// Takes so many bytes, and gives no window back.
async fn take(body: &mut RecvStream, count: usize) {
    let mut taken = 0;
    while taken < count {
        taken += body.data().await.unwrap().unwrap().len();
    }
    assert_eq!(taken, count);
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";

/// Bodies of several kinds and lengths that stay open, and one that is whole.
fn product(head: &str, stream: &mut TcpStream) {
    let piece = |length: usize| [format!("{length:x}\r\n").as_bytes(), &vec![b'x'; length], b"\r\n"].concat();
    let _ = match head.split(' ').nth(1).unwrap_or("") {
        "/events" => stream.write_all(&[CHUNKED.as_bytes(), b"\r\n", &piece(100_000)].concat()),
        "/small" => stream.write_all(&[b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", &[b'x'; 100][..]].concat()),
        "/grpc" => {
            let head = format!("{CHUNKED}Content-Type: application/grpc+proto\r\nTrailer: grpc-status\r\n\r\n");
            stream.write_all(&[head.as_bytes(), &piece(20)].concat())
        }
        "/silence" => Ok(()),
        _ => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    };
}

async fn reset(body: &mut RecvStream) -> Option<Reason> {
    body.data().await.unwrap().unwrap_err().reason()
}

#[test]
fn a_stream_without_a_window_is_reset_when_its_session_ends_and_others_stay() {
    let world = world(product, |_, _| {});
    let (_, other) = world.session(200);
    // The window of the stream, of the connection, what of the answer comes through, and the connections of the product.
    for (seed, path, window, taken) in
        [(1, "/events", 0, 0), (2, "/events", 100, 100), (3, "/small", 0, 0), (4, "/small", 99, 99)]
    {
        let (live, cookie) = world.session(seed);
        run(async {
            let mut sender = client(&world, window, 1 << 20).await;
            let mut body = get(&sender, path, &cookie).await;
            let mut beside = get(&sender, "/events", &other).await;
            take(&mut body, taken).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            let began = Instant::now();
            live.ended.cancel();
            let ended = tokio::time::timeout(Duration::from_millis(500), body.data()).await;
            match (path, taken) {
                // The whole answer was handed to the connection before the end; what is left of it is less than a piece.
                ("/small", 99) => assert!(ended.is_err()),
                _ => {
                    let error = ended.unwrap().unwrap().unwrap_err();
                    assert_eq!(error.reason(), Some(Reason::CANCEL), "{path} {window}");
                    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
                }
            }
            // What still comes through of the other's is its own window's worth.
            take(&mut beside, usize::try_from(window).unwrap()).await;
            let waited = tokio::time::timeout(Duration::from_millis(50), beside.data()).await;
            assert!(waited.is_err(), "another session's stream stays open: {waited:?}");
            let (status, _) = head_only(&mut sender, &other).await;
            assert_eq!(status, StatusCode::OK);
        });
        open_streams(&world, 0);
    }
}

/// The head of an answer, which needs no window.
async fn head_only(sender: &mut SendRequest<Bytes>, cookie: &str) -> (StatusCode, usize) {
    let answer = send(sender, Method::HEAD, "/", cookie).await.0.await.unwrap();
    (answer.status(), answer.headers().len())
}

#[test]
fn a_connection_without_a_window_has_its_streams_reset_when_their_session_ends() {
    let world = world(product, |_, _| {});
    let (live, cookie) = world.session(1);
    let (staying, other) = world.session(2);
    run(async {
        let mut sender = client(&world, 1 << 20, 65_535).await;
        // The first takes all of the connection's window, and the others have none.
        let mut first = get(&sender, "/events", &cookie).await;
        take(&mut first, 65_535).await;
        let (mut second, mut third) = (get(&sender, "/events", &cookie).await, get(&sender, "/events", &other).await);
        open_streams(&world, 3);
        let began = Instant::now();
        live.ended.cancel();
        assert_eq!((reset(&mut first).await, reset(&mut second).await), (Some(Reason::CANCEL), Some(Reason::CANCEL)));
        assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
        open_streams(&world, 1);
        assert!(tokio::time::timeout(Duration::from_millis(50), third.data()).await.is_err());
        assert_eq!(head_only(&mut sender, &other).await.0, StatusCode::OK);
        staying.ended.cancel();
        assert_eq!(reset(&mut third).await, Some(Reason::CANCEL));
    });
    open_streams(&world, 0);
    until(|| world.seen.ended.load(Ordering::SeqCst) >= 3);
}

#[test]
fn a_grpc_call_is_told_in_trailers_that_its_session_ended() {
    let world = world(product, |_, _| {});
    let (live, cookie) = world.session(1);
    let (stuck, stuck_cookie) = world.session(2);
    run(async {
        let sender = client(&world, 1 << 20, 1 << 20).await;
        let mut call = get(&sender, "/grpc", &cookie).await;
        take(&mut call, 20).await;
        let began = Instant::now();
        live.ended.cancel();
        assert!(call.data().await.is_none(), "no more data, and no reset");
        let trailers = call.trailers().await.unwrap().expect("trailers");
        assert_eq!((&trailers["grpc-status"], trailers.len()), (&"16".parse().unwrap(), 2));
        assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
        // A call that was not answered yet is refused as a new one would be.
        let (waiting, waiting_cookie) = world.session(3);
        let request = Request::post("https://trello.localhost/silence").header("cookie", &waiting_cookie);
        let request = request.header("sec-fetch-site", "same-origin").header("content-type", "application/grpc");
        let request = request.header("te", "trailers").body(()).unwrap();
        let (answer, _upload) = sender.clone().ready().await.unwrap().send_request(request, false).unwrap();
        while world.seen.heads.lock().unwrap().len() < 2 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        waiting.ended.cancel();
        let answer = answer.await.unwrap();
        assert_eq!((answer.status(), &answer.headers()["grpc-status"]), (StatusCode::OK, &"16".parse().unwrap()));
        // Where not even data can be sent, trailers would wait behind it for ever.
        let narrow = client(&world, 0, 1 << 20).await;
        let mut call = get(&narrow, "/grpc", &stuck_cookie).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        stuck.ended.cancel();
        assert_eq!(reset(&mut call).await, Some(Reason::CANCEL));
    });
    open_streams(&world, 0);
    until(|| world.seen.ended.load(Ordering::SeqCst) == 3);
}

#[test]
fn an_upload_under_way_ends_with_its_session() {
    let world = world(product, |_, _| {});
    let (live, cookie) = world.session(1);
    let (_, other) = world.session(2);
    run(async {
        let mut sender = client(&world, 1 << 20, 1 << 20).await;
        let (answer, mut upload) = send(&sender, Method::POST, "/silence", &cookie).await;
        upload.send_data(Bytes::from_static(&[7; 10_000]), false).unwrap();
        while world.seen.bytes.load(Ordering::SeqCst) < 10_000 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        live.ended.cancel();
        assert_eq!(answer.await.unwrap().status(), 401);
        let reason = std::future::poll_fn(|cx| upload.poll_reset(cx)).await.unwrap();
        assert_eq!(reason, Reason::NO_ERROR, "the rest of the body is not wanted (RFC 9113 §8.1)");
        let (status, _) = ask_h2(&mut sender, "https://trello.localhost/", &[("cookie", other.as_str())]).await;
        assert_eq!(status, StatusCode::OK);
    });
    until(|| world.seen.ended.load(Ordering::SeqCst) == 1);
}
