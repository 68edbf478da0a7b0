//! TLS and HTTP/2.

use super::support::*;
use bytes::Bytes;
use fedgate::gateway::options::{CertFiles, Tls};
use http::{Request, StatusCode};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub fn run<T>(work: impl Future<Output = T>) -> T {
    run_within(Duration::from_secs(20), work)
}

/// What waits for something that never comes fails, and does not hang.
pub fn run_within<T>(limit: Duration, work: impl Future<Output = T>) -> T {
    let limited = async { tokio::time::timeout(limit, work).await.expect("it should have happened by now") };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(limited)
}

pub async fn connect(world: &World, root: &Path, name: &str, protocol: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(world.running.addresses().https.unwrap()).await?;
    over(stream, root, name, protocol).await
}

/// TLS on a connection that is there.
pub async fn over(stream: TcpStream, root: &Path, name: &str, protocol: &str) -> std::io::Result<TlsStream<TcpStream>> {
    by(rustls::crypto::aws_lc_rs::default_provider(), stream, root, name, protocol).await
}

async fn by(
    provider: CryptoProvider,
    stream: TcpStream,
    root: &Path,
    name: &str,
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name.to_owned()).unwrap(), stream).await
}

pub fn root(world: &World) -> std::path::PathBuf {
    world.state.join("ca.pem")
}

#[test]
fn a_request_over_tls_reaches_the_product() {
    let world = world(ok, |_, _| {});
    let (_, cookie) = world.session(1);
    let reply = run(async {
        let mut stream = connect(&world, &root(&world), HOST, "http/1.1").await.unwrap();
        let text = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n");
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        reply
    });
    assert!(reply.starts_with("HTTP/1.1 200") && reply.ends_with("hello"), "{reply}");
    assert!(reply.contains("strict-transport-security: max-age=31536000"), "{reply}");
}

#[test]
fn aes_of_128_bits_is_preferred_and_a_client_without_it_or_without_aes_is_served_as_it_asks() {
    use rustls::CipherSuite::{self, *};
    let world = world(ok, |_, _| {});
    let check = |offered: &[CipherSuite], expected: CipherSuite| {
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        let place = |suite: CipherSuite| offered.iter().position(|one| *one == suite);
        provider.cipher_suites.retain(|suite| place(suite.suite()).is_some());
        provider.cipher_suites.sort_by_key(|suite| place(suite.suite()));
        let (suite, tickets) = run(async {
            let stream = TcpStream::connect(world.running.addresses().https.unwrap()).await.unwrap();
            let mut stream = by(provider, stream, &root(&world), HOST, "http/1.1").await.unwrap();
            let text = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
            stream.write_all(text.as_bytes()).await.unwrap();
            stream.read_to_end(&mut Vec::new()).await.unwrap();
            let session = stream.get_ref().1;
            (session.negotiated_cipher_suite().unwrap().suite(), session.tls13_tickets_received())
        });
        let is_tls13 = expected.as_str().unwrap_or_default().starts_with("TLS13");
        assert_eq!((suite, tickets), (expected, u32::from(is_tls13)), "{offered:?}");
    };
    let (aes_128, aes_256, chacha) =
        (TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256);
    check(&[aes_256, chacha, aes_128], aes_128);
    check(&[aes_256, chacha], aes_256);
    check(&[chacha, aes_128, aes_256], chacha);
    check(&[TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, aes_256, aes_128], aes_128);
    check(&[TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256], TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256);
}

/// Sends one request on an HTTP/2 connection.
pub async fn ask_h2(
    sender: &mut h2::client::SendRequest<Bytes>,
    uri: &str,
    fields: &[(&str, &str)],
) -> (StatusCode, Result<Bytes, h2::Error>) {
    let mut request = Request::get(uri);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let mut ready = sender.clone().ready().await.unwrap();
    let (response, _) = ready.send_request(request.body(()).unwrap(), true).unwrap();
    let response = match response.await {
        Ok(response) => response,
        Err(error) => return (StatusCode::IM_A_TEAPOT, Err(error)),
    };
    let status = response.status();
    let mut body = response.into_body();
    let mut all = Vec::new();
    while let Some(data) = body.data().await {
        match data {
            Ok(data) => {
                let _ = body.flow_control().release_capacity(data.len());
                all.extend_from_slice(&data);
            }
            Err(error) => return (status, Err(error)),
        }
    }
    (status, Ok(all.into()))
}

pub async fn open_h2(world: &World) -> h2::client::SendRequest<Bytes> {
    let stream = connect(world, &root(world), HOST, "h2").await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    sender
}

#[test]
fn m8_another_hosts_requests_are_not_served_on_this_connection() {
    let world = world(ok, |_, _| {});
    let (_, cookie) = world.session(1);
    run(async {
        let mut sender = open_h2(&world).await;
        let (half, other) = cookie.split_at(0);
        assert!(half.is_empty());
        let fields = [("cookie", "a=b"), ("cookie", other), ("cookie", "c=d")];
        let (status, body) = ask_h2(&mut sender, "https://trello.localhost/", &fields).await;
        assert_eq!((status, &body.unwrap()[..]), (StatusCode::OK, &b"hello"[..]));
        for uri in [
            "https://id.localhost/",
            "https://old.localhost/",
            "https://trello.localhost:8443/",
            "https://evil.example/",
        ] {
            assert_eq!(ask_h2(&mut sender, uri, &fields).await.0, StatusCode::MISDIRECTED_REQUEST, "{uri}");
        }
        let (status, _) = ask_h2(&mut sender, "https://trello.localhost/a%2fb", &fields).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    });
    let head = world.seen.last().to_lowercase();
    assert!(head.contains("host: trello.localhost\n") || head.contains("host: trello.localhost\r\n"), "{head}");
    assert!(head.lines().any(|line| line == "cookie: a=b; c=d"), "{head}");
}

#[test]
fn an_h2_stream_is_reset_with_cancel_and_the_connection_lives_on() {
    fn lasting(head: &str, stream: &mut std::net::TcpStream) {
        use std::io::Write as _;
        if head.starts_with("GET /events") {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
        } else if !head.starts_with("GET /silence") {
            ok("", stream);
        }
    }
    let world = world(lasting, |_, _| {});
    let (live, cookie) = world.session(1);
    let (_, other) = world.session(2);
    run(async {
        let mut sender = open_h2(&world).await;
        let fields = [("cookie", cookie.as_str())];
        let (mut one, mut two) = (sender.clone(), sender.clone());
        let end = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            live.ended.cancel();
        };
        let (events, silence, ()) = tokio::join!(
            ask_h2(&mut one, "https://trello.localhost/events", &fields),
            ask_h2(&mut two, "https://trello.localhost/silence", &fields),
            end
        );
        assert_eq!(events.0, StatusCode::OK);
        assert_eq!(events.1.unwrap_err().reason(), Some(h2::Reason::CANCEL));
        assert_eq!((silence.0, silence.1.is_ok()), (StatusCode::UNAUTHORIZED, true), "its head was not sent yet");
        let (status, _) = ask_h2(&mut sender, "https://trello.localhost/", &[("cookie", other.as_str())]).await;
        assert_eq!(status, StatusCode::OK);
    });
}

#[test]
fn m17_the_internal_root_signs_for_the_configured_names_only() {
    let world = world(ok, |_, _| {});
    let mode = |file: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(world.state.join(file)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode("ca.key"), 0o600);
    let shown = std::process::Command::new("openssl")
        .args(["x509", "-noout", "-text", "-in"])
        .arg(root(&world))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(text.contains("Name Constraints: critical") || text.contains("Name Constraints:"), "{text}");
    assert!(text.contains("DNS:localhost") && text.contains("pathlen:0"), "{text}");
    run(async {
        assert!(connect(&world, &root(&world), HOST, "h2").await.is_ok());
        assert!(connect(&world, &root(&world), "other.localhost", "h2").await.is_err());
    });
    let key = std::fs::read(world.state.join("ca.key")).unwrap();
    world.running.reload(world.options.clone()).unwrap();
    assert_eq!(std::fs::read(world.state.join("ca.key")).unwrap(), key, "the root stays while it fits");
}

#[test]
fn certificate_files_are_loaded_again_when_they_change() {
    let folder = std::env::temp_dir().join(format!("fedgate-files-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let write = || {
        let pair = rcgen::generate_simple_self_signed(vec![HOST.to_owned()]).unwrap();
        std::fs::write(folder.join("key.pem"), pair.signing_key.serialize_pem()).unwrap();
        std::fs::write(folder.join("cert.pem"), pair.cert.pem()).unwrap();
    };
    write();
    let world = world(ok, |options, _| {
        options.listen.tls = Tls::Files(vec![CertFiles { cert: folder.join("cert.pem"), key: folder.join("key.pem") }]);
    });
    run(async {
        assert!(connect(&world, &folder.join("cert.pem"), HOST, "h2").await.is_ok());
        tokio::time::sleep(Duration::from_millis(200)).await;
        write();
        let mut fresh = false;
        for _ in 0..50 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            fresh = connect(&world, &folder.join("cert.pem"), HOST, "h2").await.is_ok();
            if fresh {
                break;
            }
        }
        assert!(fresh, "the new certificate is in use");
        std::fs::write(folder.join("cert.pem"), "nonsense").unwrap();
        tokio::time::sleep(Duration::from_millis(900)).await;
        assert_eq!(world.seeing.failed_certificate_loads.get(), 1);
    });
    let _ = std::fs::remove_dir_all(&folder);
}
