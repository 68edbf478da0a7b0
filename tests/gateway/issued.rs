//! Certificates that an authority issues while the gateway runs, and its questions (RFC 8555 §8.3, RFC 8737).

use super::support::*;
use fedgate::gateway::options::Tls;
use fedgate::web::issued::{Answer, Pair};
use rcgen::KeyPair;
use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::{default_provider, sign::any_supported_type};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, SignatureScheme};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const TOKEN: &str = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";

pub fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Takes every certificate: the authority compares an answer by itself, and these tests do too.
#[derive(Debug)]
struct Any;

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// A handshake that offers these protocols, and takes any certificate.
pub async fn shake(world: &World, name: &str, offered: &[&str]) -> std::io::Result<TlsStream<TcpStream>> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Any))
        .with_no_client_auth();
    config.alpn_protocols = offered.iter().map(|one| one.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(world.running.addresses().https.unwrap()).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name.to_owned()).unwrap(), stream).await
}

/// The leaf that was shown; none for a refused handshake.
pub async fn shown(world: &World, name: &str, offered: &[&str]) -> Option<CertificateDer<'static>> {
    let stream = shake(world, name, offered).await.ok()?;
    stream.get_ref().1.peer_certificates().map(|chain| chain[0].clone())
}

fn self_signed(host: &str) -> (CertificateDer<'static>, PrivatePkcs8KeyDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec![host.to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der()))
}

fn answer(host: &str) -> (CertificateDer<'static>, Answer) {
    let (certificate, key) = self_signed(host);
    let key = any_supported_type(&PrivateKeyDer::Pkcs8(key)).unwrap();
    let served = Arc::new(CertifiedKey::new(vec![certificate.clone()], key));
    (certificate, Answer::Tls { host: host.to_owned(), certificate: served })
}

#[test]
fn rfc8737_an_answer_is_shown_to_an_authority_alone_and_then_the_connection_ends() {
    let world = world(ok, |options, _| options.listen.tls = Tls::Acme);
    run(async {
        let check = async |name: &str, offered: &[&str], expected: Option<&CertificateDer<'static>>| {
            assert_eq!(shown(&world, name, offered).await.as_ref(), expected, "{name} {offered:?}");
        };
        check(HOST, &["h2", "http/1.1"], None).await;
        check(HOST, &["acme-tls/1"], None).await;
        let (ordinary, key) = self_signed(HOST);
        let pair = Pair { chain: vec![ordinary.clone()], key };
        world.issued.put_certificates(HashMap::from([(HOST.to_owned(), Arc::new(pair))]));
        let (certificate, answer) = answer(HOST);
        world.issued.put_answers(vec![answer]);
        while shown(&world, HOST, &["h2"]).await.is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        check(HOST, &["h2", "http/1.1"], Some(&ordinary)).await;
        check(HOST, &[], Some(&ordinary)).await;
        check(HOST, &["acme-tls/1"], Some(&certificate)).await;
        check(HOST, &["acme-tls/1", "http/1.1"], None).await;
        check(HOST, &["h2", "acme-tls/1"], None).await;
        // Never under another name's certificate or answer.
        check("id.localhost", &["acme-tls/1"], None).await;
        check("id.localhost", &["h2", "http/1.1"], None).await;
        check("evil.example", &["http/1.1"], None).await;

        let mut stream = shake(&world, HOST, &["acme-tls/1"]).await.unwrap();
        // The other side may have closed already.
        let _sent = stream.write_all(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes()).await;
        let mut said = Vec::new();
        let _ended = stream.read_to_end(&mut said).await;
        assert!(said.is_empty(), "{}", String::from_utf8_lossy(&said));
        world.issued.put_answers(Vec::new());
        check(HOST, &["acme-tls/1"], None).await;
    });
}

#[test]
fn rfc8737_certificates_of_other_kinds_never_speak_to_an_authority() {
    let world = world(ok, |_, _| {});
    world.issued.put_answers(vec![answer(HOST).1]);
    run(async {
        assert!(shown(&world, HOST, &["acme-tls/1"]).await.is_none());
        assert!(shown(&world, HOST, &["http/1.1"]).await.is_some());
    });
}

#[test]
fn rfc8555_a_token_is_answered_on_port_80_of_its_own_host_alone() {
    let world = world(ok, |_, _| {});
    let text = format!("{TOKEN}.thumb");
    world.issued.put_answers(vec![Answer::Http { host: HOST.into(), token: TOKEN.into(), text: text.clone() }]);
    let ask = |listener: Option<std::net::SocketAddr>, host: &str, path: &str| {
        let mut client = Client::open(listener.unwrap());
        client.send(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Proto: https\r\n\r\n"));
        client.reply()
    };
    let addresses = world.running.addresses();
    let path = format!("/.well-known/acme-challenge/{TOKEN}");
    let answered = ask(addresses.http, HOST, &path);
    assert_eq!((answered.status, &answered.body, answered.one("location")), (200, &text, ""));
    assert_eq!(ask(addresses.http, &format!("{HOST}:80"), &path).body, text, "whatever the port");
    for (listener, host, path, status) in [
        (addresses.http, HOST, format!("{path}x"), 308),
        (addresses.http, HOST, format!("{path}/"), 308),
        (addresses.http, HOST, "/.well-known/acme-challenge/".to_owned(), 308),
        (addresses.http, "id.localhost", path.clone(), 308),
        (addresses.http, "evil.example", path.clone(), 421),
        (addresses.plain, HOST, path.clone(), 401),
    ] {
        let reply = ask(listener, host, &path);
        assert_eq!(reply.status, status, "{host} {path}");
        assert!(!reply.body.contains(&text), "{host} {path}");
    }
}
