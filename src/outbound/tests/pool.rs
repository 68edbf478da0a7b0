//! Connections that are kept open, against servers that count and that leave.

use super::*;
use crate::clock::TimeSource;
use crate::outbound::pool::{IDLE, LIFE, OF_ALL, OF_ONE};
use std::sync::atomic::AtomicU64;

/// A clock that goes by hand.
#[derive(Default)]
struct Hand(AtomicU64);

impl Hand {
    fn pass(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl TimeSource for Hand {
    fn wall_millis(&self) -> i64 {
        0
    }
    fn since_boot(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

fn by_hand() -> (Arc<Hand>, Outbound) {
    let hand = Arc::new(Hand::default());
    let clock = Clock::from_source(Arc::clone(&hand) as _);
    (hand, client(|options| options.clock = Some(clock)))
}

/// What a server saw.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: AtomicUsize,
}

impl Seen {
    fn is(&self) -> (usize, usize) {
        (self.connections.load(Ordering::SeqCst), self.requests.load(Ordering::SeqCst))
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// A server that answers so many requests of each connection, and reads one more before it closes without a word.
async fn counting(answer: &'static str, of_each: usize) -> (Url, Arc<Seen>, AbortOnDropHandle<()>) {
    counting_then(answer, of_each, "").await
}

/// The same, with these last words.
async fn counting_then(
    answer: &'static str,
    of_each: usize,
    last: &'static str,
) -> (Url, Arc<Seen>, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let seen = Arc::new(Seen::default());
    let counted = Arc::clone(&seen);
    let task = tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            counted.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(tcp, (answer, last), of_each, Arc::clone(&counted)));
        }
    });
    (url, seen, AbortOnDropHandle::new(task))
}

async fn serve<S>(mut stream: S, (answer, last): (&'static str, &'static str), of_each: usize, seen: Arc<Seen>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    for number in 0..=of_each {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            if !matches!(stream.read_buf(&mut request).await, Ok(1..)) {
                return;
            }
        }
        seen.requests.fetch_add(1, Ordering::SeqCst);
        let answer = if number < of_each { answer } else { last };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn ask(client: &Outbound, method: Method, url: &Url) -> Result<StatusCode, OutboundFault> {
    let (headers, body) = (HeaderMap::new(), Bytes::new());
    let ask = Ask { kind: operator(url), url, method, headers, body, accept: "application/json" };
    Ok(client.fetch(ask).await?.status)
}

/// Waits until a condition holds that another task brings about.
async fn until(holds: impl Fn() -> bool) {
    timeout(Duration::from_secs(10), async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_connection_serves_until_it_lay_idle_or_its_name_was_resolved_too_long_ago() {
    let (url, seen, _task) = counting(OK, 100).await;
    let (hand, client) = by_hand();
    let check = async |pass: Duration, expected: (usize, usize)| {
        hand.pass(pass);
        assert_eq!(ask(&client, Method::POST, &url).await, Ok(StatusCode::OK));
        assert_eq!(seen.is(), expected, "after {pass:?}");
    };
    check(Duration::ZERO, (1, 1)).await;
    check(IDLE - Duration::from_secs(1), (1, 2)).await;
    check(IDLE, (2, 3)).await;
    // Never idle, and yet the name is due.
    for requests in [4, 5, 6] {
        check(LIFE / 4, (2, requests)).await;
    }
    check(LIFE / 4, (3, 7)).await;
    hand.pass(IDLE);
    assert_eq!(client.0.pool.len(), 1);
    assert!(!client.0.pool.close_old() && client.0.pool.len() == 0, "what lies idle is closed though nobody asks");
}

#[tokio::test]
async fn another_origin_or_the_word_of_another_gets_a_connection_of_its_own() {
    let (url, _, _task) = counting(OK, 100).await;
    let (_, client) = by_hand();
    ask(&client, Method::GET, &url).await.unwrap();
    let pool = &client.0.pool;
    let check = |text: &str, trust: Trust| pool.take(&Place::of(&Url::parse(text).unwrap(), trust).unwrap()).is_some();
    let port = url.port().unwrap();
    assert!(!check(url.as_str(), Trust::Stranger), "it was allowed on the operator's word alone");
    assert!(!check(&format!("https://127.0.0.1:{port}/"), Trust::Operator));
    assert!(!check(&format!("http://127.0.0.1:{}/", port ^ 1), Trust::Operator));
    assert!(!check(&format!("http://localhost:{port}/"), Trust::Operator));
    assert!(check(&format!("http://127.0.0.1:{port}/elsewhere"), Trust::Operator));
}

#[tokio::test]
async fn what_a_server_closes_is_not_used_and_its_patience_is_believed() {
    async fn check(answer: &'static str, of_each: usize, expected: (usize, usize)) {
        let (url, seen, _task) = counting(answer, of_each).await;
        let (hand, client) = by_hand();
        ask(&client, Method::POST, &url).await.unwrap();
        if of_each == 0 || answer.contains("close") {
            until(|| client.0.pool.close_old() == (client.0.pool.len() > 0) && client.0.pool.len() == 0).await;
        }
        hand.pass(Duration::from_secs(4));
        assert_eq!(ask(&client, Method::POST, &url).await, Ok(StatusCode::OK), "{answer}");
        assert_eq!(seen.is(), expected, "{answer}");
    }
    check(OK, 100, (1, 2)).await;
    check("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nkeep-alive: max=9, timeout=6\r\n\r\n", 100, (1, 2)).await;
    check("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nkeep-alive: timeout=5\r\n\r\n", 100, (2, 2)).await;
    check("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", 100, (2, 2)).await;
    check("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", 100, (2, 2)).await;
    // Bytes that nobody asked for would be the answer to the next request.
    check("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n", 100, (2, 2))
        .await;
}

#[tokio::test]
async fn a_request_that_may_have_been_read_is_not_sent_again_unless_it_is_a_get() {
    async fn check(method: Method, expected: Option<StatusCode>, seen_after: (usize, usize)) {
        let (url, seen, _task) = counting(OK, 1).await;
        let (_, client) = by_hand();
        ask(&client, method.clone(), &url).await.unwrap();
        // The server reads it, and closes.
        assert_eq!(ask(&client, method.clone(), &url).await.ok(), expected, "{method}");
        assert_eq!(seen.is(), seen_after, "{method}");
    }
    check(Method::POST, None, (1, 2)).await;
    check(Method::GET, Some(StatusCode::OK), (2, 3)).await;
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_not_asked_for_twice() {
    let (url, seen, _task) = counting_then(OK, 1, "HTTP/9 what\r\n\r\n").await;
    let (_, client) = by_hand();
    ask(&client, Method::GET, &url).await.unwrap();
    assert!(matches!(ask(&client, Method::GET, &url).await, Err(OutboundFault::Protocol(_))));
    assert_eq!(seen.is(), (1, 2));
}

#[tokio::test]
async fn few_are_kept_of_one_origin_and_of_all() {
    let (url, _, _task) = counting(OK, 100).await;
    let tls = tls::client(None, None).unwrap();
    let addresses = exchange::Addresses { list: url.socket_addrs(|| None).unwrap(), may_be_ourselves: true };
    let (_, client) = by_hand();
    let pool = &client.0.pool;
    let place = |port: u16| {
        let url = Url::parse(&format!("http://127.0.0.1:{port}/")).unwrap();
        Place::of(&url, Trust::Operator).unwrap()
    };
    let keep = async |port: u16| {
        let line = Line::open(&tls, &addresses, &url, Duration::ZERO).await.unwrap();
        until(|| line.is_ready()).await;
        pool.keep(place(port), line);
    };
    for _ in 0..OF_ONE + 2 {
        keep(1).await;
    }
    assert_eq!(pool.len(), OF_ONE);
    for port in 2..u16::try_from(OF_ALL).unwrap() + 2 {
        keep(port).await;
    }
    assert_eq!(pool.len(), OF_ALL);
    assert!(pool.take(&place(1)).is_none(), "the oldest made room");
    assert!(pool.take(&place(2)).is_some() && pool.take(&place(2)).is_none());
}

#[tokio::test]
async fn m16_a_name_is_resolved_and_judged_again_before_a_connection_outlives_its_minute() {
    let signed = rcgen::generate_simple_self_signed(vec!["op.example".to_owned()]).unwrap();
    let seen = Arc::new(Seen::default());
    let (port, _task) = tls_server(&signed, Arc::clone(&seen)).await;
    let url = Url::parse(&format!("https://op.example:{port}/")).unwrap();
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    // First where the operator allows it, then where nobody may be sent.
    let answers = vec![vec![address("127.0.0.1")], vec![address("10.0.0.1")]];
    let script = Arc::new(Script { answers, asked: AtomicUsize::new(0) });
    let (hand, resolver) = (Arc::new(Hand::default()), Arc::clone(&script));
    let clock = Clock::from_source(Arc::clone(&hand) as _);
    let client = client(|options| {
        options.extra_roots_pem = Some(signed.cert.pem().into_bytes());
        options.allow = vec![Range::parse("127.0.0.0/8").unwrap()];
        options.resolver = Some(resolver as _);
        options.clock = Some(clock);
    });
    for (pass, resolved) in [(0, 1), (29, 1), (29, 1)] {
        hand.pass(Duration::from_secs(pass));
        let answer = fetch(&client, Kind::Document, &url).await.unwrap();
        assert_eq!(answer.certificate.unwrap(), signed.cert.der().to_vec(), "also over a connection that was kept");
        assert_eq!(script.asked.load(Ordering::SeqCst), resolved);
    }
    assert_eq!(seen.is(), (1, 3));
    hand.pass(Duration::from_secs(2));
    assert_eq!(fetch(&client, Kind::Document, &url).await.unwrap_err(), OutboundFault::NotPublic);
    assert_eq!((script.asked.load(Ordering::SeqCst), seen.is()), (2, (1, 3)));
}

async fn tls_server(signed: &rcgen::CertifiedKey<rcgen::KeyPair>, seen: Arc<Seen>) -> (u16, AbortOnDropHandle<()>) {
    let key = rustls::pki_types::PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let tls = acceptor.accept(tcp).await.unwrap();
            seen.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(tls, (OK, ""), 100, Arc::clone(&seen)));
        }
    });
    (port, AbortOnDropHandle::new(task))
}
