//! Against servers on loopback that misbehave, and resolvers that lie.

mod pool;

use super::*;
use async_trait::async_trait;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

fn client(change: impl FnOnce(&mut OutboundOptions)) -> Outbound {
    let mut options = OutboundOptions { deadline: Some(Duration::from_millis(700)), ..OutboundOptions::default() };
    change(&mut options);
    Outbound::new(options).unwrap()
}

async fn fetch(client: &Outbound, kind: Kind, url: &Url) -> Result<Answer, OutboundFault> {
    let (headers, body) = (HeaderMap::new(), Bytes::new());
    client.fetch(Ask { kind, url, method: Method::GET, headers, body, accept: "application/json" }).await
}

fn operator(url: &Url) -> Kind {
    Kind::Operator { named: url.clone() }
}

/// A server that writes `head` to everybody, then `chunk` for as long as anybody reads.
async fn server(head: &'static str, chunk: &'static [u8]) -> (Url, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let task = tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            tokio::spawn(async move { speak(&mut tcp, head, chunk).await });
        }
    });
    (url, task)
}

async fn speak(tcp: &mut TcpStream, head: &str, chunk: &[u8]) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") && tcp.read_buf(&mut request).await? > 0 {}
    tcp.write_all(head.as_bytes()).await?;
    while !chunk.is_empty() {
        tcp.write_all(chunk).await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

const ENDLESS: &[u8] = &[b'x'; 65_536];

#[tokio::test]
async fn m16_what_only_an_organization_names_is_no_word_of_the_operators() {
    let (url, task) = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", b"").await;
    let client = client(|_| ());
    assert!(fetch(&client, operator(&url), &url).await.is_ok(), "nothing is said of what the file names");
    client.operator_names([url.as_str()]);
    assert!(fetch(&client, operator(&url), &url).await.is_ok());
    client.operator_names(["https://elsewhere.example"]);
    assert!(fetch(&client, operator(&url), &url).await.is_err(), "a private address, by a document");
    task.abort();
}

#[tokio::test]
async fn an_answer_is_whole_small_in_time_and_no_redirect() {
    async fn check(head: &'static str, chunk: &'static [u8], expected: &str) {
        let (url, task) = server(head, chunk).await;
        let shown = match fetch(&client(|_| ()), operator(&url), &url).await {
            Ok(answer) => format!("{} {}", answer.status.as_u16(), String::from_utf8_lossy(&answer.body)),
            Err(OutboundFault::Protocol(_)) => "protocol".to_owned(),
            Err(fault) => format!("{fault:?}"),
        };
        task.abort();
        assert_eq!(shown, expected, "{head:?}");
    }
    check("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", b"", "200 ok").await;
    check("HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n", b"", "404 ").await;
    check("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n", b"", "Redirect").await;
    check("HTTP/1.1 200 OK\r\n\r\n", ENDLESS, "TooLarge").await;
    check("HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n", ENDLESS, "TooLarge").await;
    check("HTTP/1.1 200 OK\r\nx: ", ENDLESS, "protocol").await; // a head without end
    check("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok", b"", "protocol").await; // cut off
    check("SSH-2.0\r\n\r\n", b"", "protocol").await;
}

#[tokio::test]
async fn a_slow_server_meets_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    // The kernel accepts; nobody ever answers.
    assert_eq!(fetch(&client(|_| ()), operator(&url), &url).await.unwrap_err(), OutboundFault::Deadline);
}

#[tokio::test]
async fn m16_only_the_origin_that_the_operator_names_may_be_private() {
    let (url, task) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b"").await;
    let other = Url::parse("https://127.0.0.1:1/").unwrap();
    let check = async |kind: Kind, allow: &str, expected: Option<OutboundFault>| {
        let client = client(|options| options.allow = Range::parse(allow).into_iter().collect());
        assert_eq!(fetch(&client, kind, &url).await.err(), expected, "{allow}");
    };
    check(operator(&url), "", None).await;
    check(operator(&other), "", Some(OutboundFault::Address)).await; // http, and another port than the file names
    check(Kind::Document, "", Some(OutboundFault::Address)).await;
    task.abort();
    for text in [
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://localhost/",
        "https://op.localhost./",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest",
        "https://[::ffff:10.0.0.1]/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://0/",
    ] {
        let url = Url::parse(text).unwrap();
        assert_eq!(fetch(&client(|_| ()), Kind::Document, &url).await.unwrap_err(), OutboundFault::NotPublic, "{text}");
        assert_eq!(
            fetch(&client(|_| ()), operator(&other), &url).await.unwrap_err(),
            OutboundFault::NotPublic,
            "{text}"
        );
    }
    for text in ["http://op.example/", "file:///etc/passwd", "https://user@op.example/", "ftp://op.example/"] {
        let url = Url::parse(text).unwrap();
        assert_eq!(fetch(&client(|_| ()), Kind::Document, &url).await.unwrap_err(), OutboundFault::Address, "{text}");
    }
    let allowed = client(|options| options.allow = vec![Range::parse("127.0.0.0/8").unwrap()]);
    let refused = fetch(&allowed, Kind::Document, &other).await.unwrap_err();
    assert!(matches!(refused, OutboundFault::Connect(_)), "{refused:?}");
}

#[tokio::test]
async fn m16_our_own_listeners_are_not_public_by_whatever_address() {
    let (url, task) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b"").await;
    let list = url.socket_addrs(|| None).unwrap();
    let tls = tls::client(None, None).unwrap();
    let open = async |addresses: &exchange::Addresses| Line::open(&tls, addresses, &url, Duration::ZERO).await.err();
    // As if the filter had let the address pass: both ends of the connection are this machine.
    let addresses = exchange::Addresses { list: list.clone(), may_be_ourselves: false };
    assert_eq!(open(&addresses).await, Some(OutboundFault::NotPublic));
    let addresses = exchange::Addresses { list, may_be_ourselves: true };
    assert_eq!(open(&addresses).await, None);
    task.abort();
}

/// Answers each question with the next list, the last one for ever.
struct Script {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

#[async_trait]
impl Resolve for Script {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let count = self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(self.answers[count.min(self.answers.len() - 1)].clone())
    }
}

#[tokio::test]
async fn m16_every_address_of_a_name_is_judged_and_the_judged_one_is_used() {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let url = Url::parse("https://op.example/").unwrap();
    let check = async |answers: Vec<Vec<IpAddr>>| {
        let script = Arc::new(Script { answers, asked: AtomicUsize::new(0) });
        let resolver: Arc<dyn Resolve> = Arc::clone(&script) as _;
        let fault =
            fetch(&client(|options| options.resolver = Some(resolver)), Kind::Document, &url).await.unwrap_err();
        (fault, script.asked.load(Ordering::SeqCst))
    };
    // One private address among public ones.
    assert_eq!(check(vec![vec![address("8.8.8.8"), address("10.0.0.1")]]).await, (OutboundFault::NotPublic, 1));
    assert_eq!(check(vec![vec![]]).await, (OutboundFault::Name, 1));
    // Rebinding: public when it is judged, loopback when it is asked again. It is not asked again.
    let (fault, asked) = check(vec![vec![address("240.0.0.1")], vec![address("127.0.0.1")]]).await;
    assert_eq!((fault, asked), (OutboundFault::NotPublic, 1));
    let (fault, asked) = check(vec![vec![address("192.0.1.1")], vec![address("127.0.0.1")]]).await;
    assert!(matches!(fault, OutboundFault::Connect(_) | OutboundFault::Deadline | OutboundFault::Tls(_)), "{fault:?}");
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn the_certificate_must_be_of_a_known_authority_and_of_that_name() {
    let signed = rcgen::generate_simple_self_signed(vec!["op.example".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            if let Ok(mut tls) = acceptor.accept(tcp).await {
                let mut request = [0; 1024];
                let read = tls.read(&mut request).await;
                assert!(read.is_ok());
                // The client may have left: then it says so itself.
                let _ = tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
                let _ = tls.shutdown().await;
            }
        }
    });
    let pem = signed.cert.pem().into_bytes();
    let overrides: HashMap<_, _> =
        [("op.example", address), ("evil.example", address)].map(|(n, a)| (n.to_owned(), a)).into();
    let check = async |url: &str, roots: Option<Vec<u8>>| {
        let client = client(|options| {
            options.extra_roots_pem = roots;
            options.overrides = overrides.clone();
        });
        fetch(&client, Kind::Document, &Url::parse(url).unwrap()).await
    };
    let answer = check("https://op.example/", Some(pem.clone())).await.unwrap();
    assert_eq!(answer.body.as_ref(), b"ok");
    assert_eq!(answer.certificate.unwrap(), signed.cert.der().to_vec());
    assert!(matches!(check("https://op.example/", None).await, Err(OutboundFault::Tls(_))));
    assert!(matches!(check("https://evil.example/", Some(pem)).await, Err(OutboundFault::Tls(_))));
    task.abort();
    assert!(
        Outbound::new(OutboundOptions { extra_roots_pem: Some(b"no pem".to_vec()), ..OutboundOptions::default() })
            .is_err()
    );
}
