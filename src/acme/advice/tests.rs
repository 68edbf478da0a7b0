//! An authority with wishes, over TLS of its own.

use super::*;
use crate::acme::{AcmeOptions, Challenge};
use crate::outbound::{Outbound, OutboundOptions};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

#[test]
fn a_wish_is_a_moment_in_a_window() {
    let check = |start: &str, end: &str, seed: u8, expected: Option<&str>| {
        let body = format!(
            r#"{{"suggestedWindow":{{"start":"{start}","end":"{end}"}},"explanationURL":"https://a.example"}}"#
        );
        let found = wish(body.as_bytes(), seed).map(|at| at.to_string());
        assert_eq!(found.as_deref(), expected, "{body}");
    };
    let (start, end) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00+00:00");
    check(start, end, 0, Some("2026-01-01T00:00:00.000Z"));
    check(start, end, 51, Some("2026-01-01T04:48:00.000Z"));
    check(end, start, 0, None);
    check(start, start, 0, None);
    check("soon", end, 0, None);
    assert_eq!(wish(b"{}", 0), None);
    assert_eq!(wish(b"<html>", 0), None);
}

#[test]
fn advice_is_about_one_certificate_and_grows_old() {
    let (advice, at, hours) =
        (Advice::default(), Timestamp::from_seconds, |hours: u64| Duration::from_secs(hours * 3_600));
    assert!(advice.is_old("a.example", 1, hours(0)) && !advice.is_due("a.example", 1, at(100)));
    advice.note(("a.example", 1), Ok(Some(at(100))), hours(1));
    assert!(!advice.is_due("a.example", 1, at(99)) && advice.is_due("a.example", 1, at(100)));
    assert!(!advice.is_old("a.example", 1, hours(6)) && advice.is_old("a.example", 1, hours(7)));
    assert!(advice.is_old("a.example", 2, hours(1)) && !advice.is_due("a.example", 2, at(100)), "the next certificate");
    advice.note(("a.example", 2), Err("no answer".to_owned()), hours(7));
    assert!(!advice.is_old("a.example", 2, hours(7)) && advice.is_old("a.example", 2, hours(8)));
    advice.keep(&[]);
    assert!(advice.is_old("a.example", 2, hours(7)));
}

fn authority() -> (Issuer<'static, KeyPair>, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    (Issuer::new(params, key), pem)
}

/// Answers each request, one after the other: the directory, then what it has to say about that certificate.
async fn serve(issuer: &Issuer<'static, KeyPair>, leaf: &[u8], wishes: bool) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = config.with_no_client_auth().with_single_cert(vec![own.der().clone()], key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let base = format!("https://localhost:{}", address.port());
    let known = format!("GET /wishes/{} ", id(leaf).unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = acceptor.accept(stream).await.unwrap();
            let mut head = vec![0; 2048];
            let read = stream.read(&mut head).await.unwrap();
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            let more = if wishes { format!(r#","renewalInfo":"{base}/wishes""#) } else { String::new() };
            let body = if head.starts_with("GET /dir ") {
                format!(r#"{{"newNonce":"{base}/n","newAccount":"{base}/a","newOrder":"{base}/o"{more}}}"#)
            } else if head.starts_with(&known) {
                r#"{"suggestedWindow":{"start":"2026-01-01T00:00:00Z","end":"2026-01-02T00:00:00Z"}}"#.to_owned()
            } else {
                String::new()
            };
            let status = if body.is_empty() { "404 Not Found" } else { "200 OK" };
            let length = body.len();
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn rfc9773_an_authority_is_asked_by_the_certificates_own_name() {
    let (issuer, root) = authority();
    let leaf = |name: &str| {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.use_authority_key_identifier_extension = true;
        params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap().der().to_vec()
    };
    let (known, unknown) = (leaf("a.example"), leaf("b.example"));
    let check = async |wishes: bool, about: &[u8], expected: Result<Option<i64>, &str>| {
        let address = serve(&issuer, &known, wishes).await;
        let roots = Some(root.clone().into_bytes());
        let outbound = Outbound::new(OutboundOptions { extra_roots_pem: roots, ..OutboundOptions::default() }).unwrap();
        let directory = format!("https://localhost:{}/dir", address.port()).parse().unwrap();
        let (ca_file, contact, challenges) = (None, Vec::new(), vec![Challenge::Http]);
        let options = AcmeOptions { directory, ca_file, contact, challenges, external: None };
        let found = ask(&Wanted { options, outbound, hosts: Vec::new() }, about, 0).await;
        let found = found.map(|at| at.map(Timestamp::seconds));
        assert_eq!(found.as_ref().map_err(String::as_str), expected.as_ref().map_err(|why| *why), "{wishes}");
    };
    check(true, &known, Ok(Some(1_767_225_600))).await;
    check(true, &unknown, Err("it answers 404 Not Found")).await;
    check(false, &known, Ok(None)).await;
    check(true, b"no certificate", Ok(None)).await;
}
