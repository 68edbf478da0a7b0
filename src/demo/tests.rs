//! The products as a gateway, a stranger and a browser meet them, over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::jose::{Alg, elliptic_jwk, encode, signing_random};
use super::people::{ACME, EVERYBODY, INITECH};
use super::*;
use crate::clock::TimeSource;
use crate::pages::Colour;

const NOW: i64 = 1_795_312_327;

/// A time that moves only when it is told to, in Unix seconds.
pub(super) struct Stopped(pub(super) AtomicI64);

impl TimeSource for Stopped {
    fn wall_millis(&self) -> i64 {
        self.0.load(Ordering::Relaxed) * 1000
    }

    fn since_boot(&self) -> Duration {
        Duration::ZERO
    }
}

/// An answer, read to the end of the connection.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next_back()
    }
}

/// One request on a connection of its own. Headers with an empty value are left out.
pub(super) async fn send(at: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut stream = open(at, method, path, &[&[("connection", "close")], headers].concat(), body).await;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("an answer");
    let text = String::from_utf8(bytes).expect("UTF-8");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Reply { status, head: head.to_owned(), body: body.to_owned() }
}

async fn open(at: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
    let mut text =
        format!("{method} {path} HTTP/1.1\r\nhost: product.example.test\r\ncontent-length: {}\r\n", body.len());
    headers
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .for_each(|(name, value)| text += &format!("{name}: {value}\r\n"));
    let mut stream = TcpStream::connect(at).await.expect("connected");
    stream.write_all(format!("{text}\r\n{body}").as_bytes()).await.expect("sent");
    stream
}

/// A gateway's signing key.
struct Gateway(EcdsaKeyPair);

impl Gateway {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"))
    }

    fn keys(&self) -> Vec<u8> {
        let jwk = elliptic_jwk("k1", self.0.public_key().as_ref());
        json!({ "keys": [{ "kty": "OKP", "kid": "k0" }, jwk] }).to_string().into_bytes()
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let input = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let signature = self.0.sign(&signing_random(), input.as_bytes()).expect("signed");
        format!("{input}.{}", encode(signature))
    }
}

fn header() -> Value {
    json!({ "typ": "fedgate+jwt", "alg": "ES256", "kid": "k1" })
}

fn claims() -> Value {
    json!({
        "iss": "https://id.example.test", "aud": ["board", "https://board.example.test"], "sub": "u-7", "email": "ann@acme.example",
        "name": "Ann <b>Archer</b>", "sid": "s-1", "iat": NOW, "exp": NOW + 300,
    })
}

async fn started(gateway: &Gateway) -> Running {
    started_with(gateway, None).await
}

async fn started_with(gateway: &Gateway, tls: Option<Arc<rustls::ServerConfig>>) -> Running {
    let keys = gateway.keys();
    let product = |audience: &str| product::Options {
        audience: audience.to_owned(),
        title: "Board".to_owned(),
        colour: Colour::new(12, 102, 228),
        sibling_title: "Video".to_owned(),
        sibling_url: "https://video.example.test/".to_owned(),
    };
    let provider = |url: &str, people, tls| issuer::Options {
        url: url.to_owned(),
        port: 0,
        tls,
        name: "Sample".to_owned(),
        colour: Colour::new(12, 102, 228),
        people,
        clients: vec![issuer::Client {
            id: "gateway".to_owned(),
            secret: "x".to_owned().into(),
            redirect_uris: vec![],
            post_logout_redirect_uris: vec![],
            alg: Alg::Es256,
        }],
    };
    let options = Options {
        clock: Clock::from_source(Arc::new(Stopped(AtomicI64::new(NOW)))),
        keys: Arc::new(move || Box::pin(std::future::ready(Ok(keys.clone())))),
        assertion_issuer: "https://id.example.test".to_owned(),
        board: product("board"),
        video: product("video"),
        issuer: provider("https://auth.example.test", EVERYBODY, tls),
        company: provider("https://acme.example.test", ACME, None),
        saml: saml::Options {
            url: "https://initech.example.test".to_owned(),
            port: 0,
            tls: None,
            name: "Initech".to_owned(),
            colour: Colour::new(12, 102, 228),
            people: INITECH,
            party: saml::Party {
                entity_id: "https://id.example.test/saml/initech/metadata".to_owned(),
                acs: "https://id.example.test/saml/initech/acs".to_owned(),
                slo: "https://id.example.test/saml/initech/slo".to_owned(),
            },
        },
    };
    start(options).await.expect("started")
}

#[tokio::test]
async fn a_product_lets_in_only_whom_the_gateway_vouches_for() {
    let (gateway, stranger) = (Gateway::new(), Gateway::new());
    let running = started(&gateway).await;
    let good = gateway.sign(&header(), &claims());
    let claimed = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        gateway.sign(&header(), &claims)
    };
    let headed = |name: &str, value: &str| {
        let mut header = header();
        header[name] = json!(value);
        gateway.sign(&header, &claims())
    };
    let unsigned = good.rsplit_once('.').map(|(signed, _)| format!("{signed}.")).unwrap_or_default();
    for (token, status, text) in [
        (good.clone(), 200, "ann@acme.example"),
        (String::new(), 401, "no Fedgate-Assertion"),
        ("nonsense".to_owned(), 401, "not a fedgate+jwt"),
        (unsigned, 401, "not signed by a key"),
        (stranger.sign(&header(), &claims()), 401, "not signed by a key"),
        (headed("typ", "JWT"), 401, "not a fedgate+jwt"),
        (headed("alg", "none"), 401, "not a fedgate+jwt"),
        (headed("alg", "HS256"), 401, "not a fedgate+jwt"),
        (headed("kid", "k9"), 401, "not signed by a key"),
        (headed("crit", "x"), 401, "not a fedgate+jwt"),
        (claimed("iss", json!("https://evil.example.test")), 401, "not meant for this product"),
        (claimed("aud", json!("video")), 401, "not meant for this product"),
        (claimed("aud", json!("board")), 200, "ann@acme.example"),
        (claimed("exp", json!(NOW - 59)), 200, "ann@acme.example"),
        (claimed("exp", json!(NOW - 60)), 401, "has expired"),
        (claimed("iat", json!(NOW + 61)), 401, "has expired"),
        (claimed("exp", json!("soon")), 401, "not a fedgate+jwt"),
    ] {
        let reply = send(running.board, "GET", "/", &[("fedgate-assertion", &token)], "").await;
        assert_eq!(reply.status, status, "{token}: {}", reply.body);
        assert!(reply.body.contains(text), "{text} in {}", reply.body);
    }
    let twice = [("fedgate-assertion", good.as_str()), ("fedgate-assertion", good.as_str())];
    assert_eq!(send(running.board, "GET", "/", &twice, "").await.status, 401);
    assert_eq!(send(running.video, "GET", "/", &[("fedgate-assertion", &good)], "").await.status, 401);
}

#[tokio::test]
async fn what_a_person_adds_is_on_the_page_and_escaped() {
    let gateway = Gateway::new();
    let running = started(&gateway).await;
    let proof = gateway.sign(&header(), &claims());
    let headers = [("fedgate-assertion", proof.as_str())];
    let reply = send(running.board, "POST", "/items", &headers, "place=1&text=%3Cscript%3Ehi").await;
    assert_eq!((reply.status, reply.header("location")), (303, Some("/")));
    let page = send(running.board, "GET", "/", &headers, "").await.body;
    assert!(page.contains("&lt;script&gt;hi") && !page.contains("<script>hi") && !page.contains("<b>Archer"), "{page}");
    for body in ["place=9&text=x", "place=x&text=x", "text=x", "place=1&text=+"] {
        assert_eq!(send(running.board, "POST", "/items", &headers, body).await.status, 400, "{body}");
    }
    assert_eq!(send(running.board, "POST", "/items", &[], "place=1&text=x").await.status, 401);
}

#[tokio::test]
async fn the_echo_shows_what_arrived() {
    let running = started(&Gateway::new()).await;
    let reply = send(running.video, "GET", "/echo?a=b", &[("x-fedgate-user", "u-7")], "").await;
    let echoed: Value = serde_json::from_str(&reply.body).expect("JSON");
    assert_eq!((echoed["method"].as_str(), echoed["path"].as_str()), (Some("GET"), Some("/echo?a=b")));
    assert!(reply.body.contains(r#"["x-fedgate-user","u-7"]"#));
}

/// Reads until the text is there.
async fn read_until(stream: &mut TcpStream, text: &[u8]) {
    let mut seen = Vec::new();
    while !seen.windows(text.len()).any(|window| window == text) {
        let read = stream.read_buf(&mut seen).await.expect("read");
        assert!(read > 0, "{} ended before {}", String::from_utf8_lossy(&seen), String::from_utf8_lossy(text));
    }
}

#[tokio::test]
async fn clock_and_feed_run_until_the_product_ends() {
    let gateway = Gateway::new();
    let running = started(&gateway).await;
    let proof = gateway.sign(&header(), &claims());
    let upgrade = [
        ("fedgate-assertion", proof.as_str()),
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let mut clock = open(running.board, "GET", "/live", &upgrade, "").await;
    read_until(&mut clock, b"01:52:07 UTC").await;
    let mut feed = open(running.board, "GET", "/events", &upgrade[..1], "").await;
    read_until(&mut feed, b": open").await;
    send(running.board, "POST", "/items", &upgrade[..1], "place=0&text=hello").await;
    read_until(&mut feed, "added “hello” to To do".as_bytes()).await;
    assert_eq!(send(running.board, "GET", "/live", &upgrade[1..], "").await.status, 401);
    assert_eq!(send(running.board, "GET", "/live", &upgrade[..1], "").await.status, 426);
    running.stop();
    read_until(&mut clock, &[0x88, 2, 0x03, 0xe9]).await;
}

#[tokio::test]
async fn a_provider_with_a_certificate_speaks_tls() {
    let made = rcgen::generate_simple_self_signed(vec!["auth.example.test".to_owned()]).expect("a certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let server = rustls::ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let server = server.expect("versions").with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key);
    let running = started_with(&Gateway::new(), Some(Arc::new(server.expect("a certificate of that key")))).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    let client = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut client = client.expect("versions").with_root_certificates(roots).with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = "auth.example.test".try_into().expect("a name");
    let stream = TcpStream::connect(running.issuer).await.expect("connected");
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(client)).connect(name, stream).await.expect("TLS");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.expect("sent");
    let mut bytes = Vec::new();
    // The server ends the connection without close_notify; what counts came before.
    let _ = stream.read_to_end(&mut bytes).await;
    assert!(bytes.starts_with(b"HTTP/1.1 200 OK"), "{}", String::from_utf8_lossy(&bytes));
}
