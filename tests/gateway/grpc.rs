//! gRPC from end to end: a client of HTTP/2, the gateway, a product of HTTP/2; and what HTTP/2 to upstreams means.

use super::h2_product::Product;
use super::support::*;
use bytes::Bytes;
use fedgate::gateway::options::{Timeouts, Upstream};
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use http::{HeaderMap, HeaderValue, Method, Request};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { timeout(Duration::from_secs(20), work).await.expect("it ends in time") })
}

/// A connection of HTTP/2 to the gateway.
async fn connect(world: &World) -> SendRequest<Bytes> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(world.state.join("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(world.running.addresses().https.unwrap()).await.unwrap();
    let name = ServerName::try_from(HOST).unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    sender
}

type Fields<'a> = &'a [(&'a str, &'a str)];

/// Begins a call: the answer to come, and the stream to send on.
async fn begin(
    sender: &SendRequest<Bytes>,
    path: &str,
    fields: Fields<'_>,
    end: bool,
) -> (ResponseFuture, SendStream<Bytes>) {
    let mut request = Request::builder().method(Method::POST).uri(format!("https://{HOST}{path}"));
    for (name, value) in [("content-type", "application/grpc"), ("te", "trailers")].iter().chain(fields) {
        request = request.header(*name, *value);
    }
    let mut sender = sender.clone().ready().await.unwrap();
    sender.send_request(request.body(()).unwrap(), end).unwrap()
}

/// Head, body and trailers of an answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: HeaderMap,
    body: Vec<u8>,
    trailers: HeaderMap,
}

async fn finish(answer: ResponseFuture) -> Result<Answer, h2::Error> {
    let (head, mut body) = answer.await?.into_parts();
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        bytes.extend_from_slice(&data);
    }
    let trailers = body.trailers().await?.unwrap_or_default();
    Ok(Answer { status: head.status.as_u16(), head: head.headers, body: bytes, trailers })
}

/// One call with a body and trailers.
async fn call(
    sender: &SendRequest<Bytes>,
    path: &str,
    fields: Fields<'_>,
    trailers: Fields<'_>,
) -> Result<Answer, h2::Error> {
    let (answer, mut stream) = begin(sender, path, fields, false).await;
    let mut last = HeaderMap::new();
    for (name, value) in trailers {
        last.insert(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    // The gateway may have answered already.
    let _ = stream.send_data(Bytes::from_static(b"\0\0\0\0\x02hi"), last.is_empty());
    if !last.is_empty() {
        let _ = stream.send_trailers(last);
    }
    finish(answer).await
}

fn grpc_world(product: &Product) -> (World, String) {
    let upstream = product.h2c();
    let world = world(ok, |_, site| {
        site.upstreams = vec![upstream];
        site.accept_from = vec![];
    });
    let cookie = world.session(1).1;
    (world, cookie)
}

/// What an honest page's call carries.
fn fields(cookie: &str) -> [(&str, &str); 2] {
    [("cookie", cookie), ("sec-fetch-site", "same-origin")]
}

#[test]
fn a_call_and_its_trailers_pass_both_ways() {
    let product = Product::start(100, None);
    let (world, cookie) = grpc_world(&product);
    let answer = run(async {
        let sender = connect(&world).await;
        call(&sender, "/echo", &fields(&cookie), &[("x-checksum", "7")]).await.unwrap()
    });
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"\0\0\0\0\x02hi"[..]));
    assert_eq!(answer.trailers["grpc-status"], "0");
    assert!(!answer.trailers.contains_key("x-fedgate-user"), "rule H7 holds for a product's trailers");
    let seen = product.seen.last();
    assert_eq!(seen.uri, "http://trello.localhost/echo");
    assert_eq!(
        (&seen.headers["te"], &seen.headers["x-fedgate-user"]),
        (&HeaderValue::from_static("trailers"), &HeaderValue::from_static("ann"))
    );
    assert!(!seen.headers.contains_key("host") && !seen.headers.contains_key("transfer-encoding"), "{seen:?}");
    assert_eq!(seen.trailers["x-checksum"], "7");
}

#[test]
fn h7_trailers_are_judged_like_fields() {
    let product = Product::start(100, None);
    let (world, cookie) = grpc_world(&product);
    let forged = [
        ("x-fedgate-user", "eve"),
        ("x_fedgate_user", "eve"),
        ("x.auth.name", "eve"),
        ("fedgate-assertion", "eve"),
        ("x-forwarded-for", "192.0.2.1"),
        ("forwarded", "for=192.0.2.1"),
        ("x-real-ip", "192.0.2.1"),
        ("authorization", "Bearer eve"),
        ("cookie", "a=b"),
        ("host", "evil.example"),
        ("content-length", "3"),
        ("x-kept", "yes"),
    ];
    run(async {
        let sender = connect(&world).await;
        call(&sender, "/echo", &fields(&cookie), &forged).await.unwrap();
        call(&sender, "/echo", &fields(&cookie), &forged[..3]).await.unwrap();
    });
    let calls = product.seen.calls.lock().unwrap().clone();
    let names = |at: usize| calls[at].trailers.keys().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(0), ["x-kept"]);
    assert_eq!(names(1), [""; 0]);
    assert!(calls.iter().all(|call| call.body == b"\0\0\0\0\x02hi"), "{calls:?}");
}

#[test]
fn h7_trailers_end_here_for_an_http1_upstream() {
    let world = world(ok, |_, _| {});
    let cookie = world.session(1).1;
    let mut client = world.plain();
    let fields =
        [&format!("Cookie: {cookie}"), "Sec-Fetch-Site: same-origin", "Transfer-Encoding: chunked", "Trailer: X-T"];
    client.send(&(head("POST /", &fields) + "1\r\nx\r\n0\r\nX-T: 1\r\nX-Fedgate-User: eve\r\n\r\n"));
    assert_eq!(client.reply().status, 200);
    // The product counts everything that follows a head as the next head's beginning.
    client.send(&head("GET /next", &[&format!("Cookie: {cookie}")]));
    client.reply();
    let all = world.seen.heads.lock().unwrap().join("\n").to_lowercase();
    assert!(!all.contains("x-t:") && !all.contains("eve"), "{all}");
}

#[test]
fn a_trailers_only_answer_passes() {
    let product = Product::start(100, None);
    let (world, cookie) = grpc_world(&product);
    let answer = run(async {
        let sender = connect(&world).await;
        call(&sender, "/only", &fields(&cookie), &[]).await.unwrap()
    });
    assert_eq!((answer.status, &answer.head["grpc-status"]), (200, &HeaderValue::from_static("5")));
    assert!(answer.body.is_empty() && answer.trailers.is_empty());
}

#[test]
fn both_sides_may_stream_at_once() {
    let product = Product::start(100, None);
    let (world, cookie) = grpc_world(&product);
    run(async {
        let sender = connect(&world).await;
        let (answer, mut stream) = begin(&sender, "/bidi", &fields(&cookie), false).await;
        stream.send_data(Bytes::from_static(b"one"), false).unwrap();
        let mut body = answer.await.unwrap().into_body();
        for part in ["one", "two", "three"] {
            if part != "one" {
                stream.send_data(Bytes::copy_from_slice(part.as_bytes()), false).unwrap();
            }
            assert_eq!(body.data().await.unwrap().unwrap(), part);
        }
        stream.send_data(Bytes::new(), true).unwrap();
        assert!(body.data().await.is_none());
        assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "0");
    });
}

#[test]
fn a_refusal_of_ours_is_a_status_of_grpc() {
    let product = Product::start(100, None);
    let (world, cookie) = grpc_world(&product);
    let late = Timeouts { upstream: Duration::from_millis(200), ..Timeouts::default() };
    let mut options = world.options.clone();
    for site in options.sites.values_mut() {
        let changed = Arc::make_mut(site);
        changed.reach.timeouts = late;
        changed.reach.sizes.body = Some(1_000);
    }
    world.running.reload(options.clone()).unwrap();
    let check = |answer: Answer, code: &str| {
        assert_eq!((answer.status, answer.head["grpc-status"].to_str().unwrap()), (200, code), "{answer:?}");
        assert_eq!(answer.head["content-type"], "application/grpc");
        assert!(answer.body.is_empty() && !answer.head.contains_key("location"), "{answer:?}");
    };
    run(async {
        let sender = connect(&world).await;
        check(call(&sender, "/echo", &[], &[]).await.unwrap(), "16");
        check(
            call(&sender, "/echo", &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")], &[])
                .await
                .unwrap(),
            "16",
        );
        check(
            call(&sender, "/echo", &[("cookie", &cookie), ("sec-fetch-site", "cross-site")], &[]).await.unwrap(),
            "7",
        );
        check(call(&sender, "/silent", &fields(&cookie), &[]).await.unwrap(), "4");
        let large = [fields(&cookie)[0], fields(&cookie)[1], ("content-length", "1001")];
        check(finish(begin(&sender, "/echo", &large, false).await.0).await.unwrap(), "8");
    });
    assert_eq!(product.seen.count(), 1, "only the late one reached the product");
    for site in options.sites.values_mut() {
        Arc::make_mut(site).upstreams = vec![Upstream::H2c { host: "127.0.0.1".into(), port: 1 }];
    }
    world.running.reload(options).unwrap();
    run(async {
        let sender = connect(&world).await;
        check(call(&sender, "/echo", &fields(&cookie), &[]).await.unwrap(), "14");
    });
}

#[test]
fn calls_share_connections_and_another_is_opened_when_the_streams_are_used_up() {
    for (allowed, calls, least) in [(100, 20, 1), (4, 20, 2)] {
        let product = Product::start(allowed, None);
        let (world, cookie) = grpc_world(&product);
        run(async {
            let sender = connect(&world).await;
            // The product says how many it allows with its first answer; on a busy machine that is noticed some calls later.
            call(&sender, "/echo", &fields(&cookie), &[]).await.unwrap();
            for _ in 0..20 {
                let mut held = Vec::new();
                for _ in 0..calls {
                    let (answer, mut stream) = begin(&sender, "/hold", &fields(&cookie), false).await;
                    stream.send_data(Bytes::new(), true).unwrap();
                    held.push(tokio::spawn(finish(answer)));
                }
                for one in held {
                    assert_eq!(one.await.unwrap().unwrap().trailers["grpc-status"], "0");
                }
                if product.seen.connections.load(Ordering::SeqCst) >= least {
                    break;
                }
            }
        });
        let connections = product.seen.connections.load(Ordering::SeqCst);
        let most = product.seen.most.load(Ordering::SeqCst);
        assert!(connections >= least && connections < calls, "{allowed}: {connections} connections");
        assert!(most <= usize::try_from(allowed).unwrap(), "{allowed}: {most} streams");
    }
}

async fn status(sender: &SendRequest<Bytes>, method: Method, path: &str, cookie: &str) -> u16 {
    let request = Request::builder().method(method).uri(format!("https://{HOST}{path}"));
    let request = request.header("cookie", cookie).header("sec-fetch-site", "same-origin");
    let mut sender = sender.clone().ready().await.unwrap();
    let (answer, _) = sender.send_request(request.body(()).unwrap(), true).unwrap();
    finish(answer).await.unwrap().status
}

#[test]
fn only_what_the_upstream_did_not_begin_or_is_idempotent_is_sent_again() {
    for (method, path, expected, sent) in [
        (Method::GET, "/refuse/once", 200, 2),
        (Method::POST, "/refuse/once", 200, 2),
        (Method::GET, "/refuse/begun", 200, 2),
        (Method::POST, "/refuse/begun", 502, 1),
        (Method::GET, "/refuse/always", 502, 2),
    ] {
        let product = Product::start(100, None);
        let (world, cookie) = grpc_world(&product);
        let found = run(async {
            let sender = connect(&world).await;
            status(&sender, method.clone(), path, &cookie).await
        });
        assert_eq!((found, product.seen.count()), (expected, sent), "{method} {path}");
    }
}

#[test]
fn a_connection_that_goes_away_costs_no_request() {
    let product = Product::start(100, None);
    let (world, cookie) = grpc_world(&product);
    run(async {
        let sender = connect(&world).await;
        for path in ["/a", "/goaway", "/b", "/c"] {
            let answer = call(&sender, path, &fields(&cookie), &[]).await.unwrap();
            assert_eq!(answer.trailers["grpc-status"], "0", "{path}");
        }
    });
    assert_eq!(product.seen.connections.load(Ordering::SeqCst), 2);
}

#[test]
fn a_client_that_leaves_ends_the_call_at_the_product_and_so_does_the_session() {
    let product = Product::start(100, None);
    let (world, cookie) = grpc_world(&product);
    let live = world.sessions.live.lock().unwrap().values().next().cloned().unwrap();
    let open = |count| {
        let seen = Arc::clone(&product.seen);
        async move {
            while seen.open.load(Ordering::SeqCst) != count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    run(async {
        let sender = connect(&world).await;
        let (answer, mut stream) = begin(&sender, "/bidi", &fields(&cookie), false).await;
        stream.send_data(Bytes::from_static(b"one"), false).unwrap();
        let body = answer.await.unwrap().into_body();
        open(1).await;
        stream.send_reset(Reason::CANCEL);
        drop(body);
        open(0).await;
        let (answer, mut stream) = begin(&sender, "/bidi", &fields(&cookie), false).await;
        stream.send_data(Bytes::from_static(b"one"), false).unwrap();
        let mut body = answer.await.unwrap().into_body();
        body.data().await.unwrap().unwrap();
        let (unanswered, _stream) = begin(&sender, "/silent", &fields(&cookie), true).await;
        open(2).await;
        live.ended.cancel();
        assert!(body.data().await.is_none());
        assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "16");
        let answer = finish(unanswered).await.unwrap();
        assert_eq!((answer.status, &answer.head["grpc-status"]), (200, &HeaderValue::from_static("16")));
        // A product that is not asked any more may sleep on; the one that reads hears of it.
        open(1).await;
    });
}

#[test]
fn a_client_of_http1_reaches_a_product_of_http2_and_its_bodies_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("product.sock");
    let (tcp, unix) = (Product::start(100, None), Product::start_at(&path));
    for (product, upstream) in [(&tcp, tcp.h2c()), (&unix, Upstream::UnixH2c(path))] {
        let world = world(ok, |_, site| site.upstreams = vec![upstream]);
        let cookie = format!("Cookie: {}", world.session(1).1);
        let same = "Sec-Fetch-Site: same-origin";
        // More than every window on the way.
        let large = "0123456789abcdef".repeat(256 * 1024);
        for (framing, chunked) in
            [(format!("Content-Length: {}", large.len()), false), ("Transfer-Encoding: chunked".into(), true)]
        {
            let mut client = world.plain();
            let mut writer = client.stream.try_clone().unwrap();
            let start = head("POST /echo?x", &[&cookie, same, &framing]);
            let body = if chunked { format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len()) } else { large.clone() };
            let sending = std::thread::spawn(move || writer.write_all((start + &body).as_bytes()));
            assert!(client.head().contains(" 200 "), "{framing}");
            let mut received = String::new();
            while received.len() < large.len() {
                let size = client.head_line();
                let size = usize::from_str_radix(&size, 16).unwrap();
                received += &String::from_utf8(client.bytes(size)).unwrap();
                assert_eq!(client.head_line(), "");
            }
            sending.join().unwrap().unwrap();
            assert!(received == large, "{framing}: what was sent came back");
            let seen = product.seen.last();
            assert_eq!((seen.uri.as_str(), seen.body.len()), ("http://trello.localhost/echo?x", large.len()));
            assert_eq!(seen.headers.contains_key("content-length"), !chunked);
            for name in ["transfer-encoding", "connection", "host", "te"] {
                assert!(!seen.headers.contains_key(name), "{name}: {:?}", seen.headers);
            }
        }
        let mut client = world.plain();
        client.send(&head("HEAD /only", &[&cookie]));
        assert!(client.head().contains(" 200 "));
        client.send(&head("GET /only", &[&cookie]));
        assert!(client.head().contains(" 200 "), "the answer to HEAD had no body");
    }
}

#[test]
fn a_websocket_to_a_product_of_http2_is_502_and_puts_nothing_out() {
    let product = Product::start(100, None);
    let upstreams = vec![product.h2c(), product.h2c()];
    let world = world(ok, |_, site| site.upstreams = upstreams);
    let cookie = format!("Cookie: {}", world.session(1).1);
    let origin = format!("Origin: https://{HOST}");
    let fields =
        [cookie.as_str(), origin.as_str(), "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
    for _ in 0..4 {
        assert_eq!(world.ask("GET /socket", &fields).status, 502);
    }
    let text = world.seeing.text();

    assert!(
        text.lines().filter(|line| line.starts_with("fedgate_upstream_in{")).all(|line| line.ends_with(" 1")),
        "{text}"
    );
    assert_eq!(world.ask("GET /only", &[&cookie]).status, 200);
}
