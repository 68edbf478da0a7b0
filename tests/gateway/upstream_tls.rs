//! TLS to upstreams: the chosen authority, the name, our certificate, and ALPN.

use super::h2_product::Product;
use super::support::*;
use fedgate::gateway::options::{TlsParts, Upstream, UpstreamTls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread;

/// An authority and what it signs.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    /// Chain and key.
    fn sign(&self, name: &str) -> (Vec<u8>, Vec<u8>) {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        (leaf.pem().into_bytes(), key.serialize_pem().into_bytes())
    }

    /// A server's side, which demands a certificate of this authority if told so.
    fn server(&self, name: &str, demands: bool, alpn: &[&str]) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let (chain, key) = self.sign(name);
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&self.pem()).unwrap()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let builder = if demands { builder.with_client_cert_verifier(verifier) } else { builder.with_no_client_auth() };
        let chain = vec![CertificateDer::from_pem_slice(&chain).unwrap()];
        let mut config = builder.with_single_cert(chain, PrivateKeyDer::from_pem_slice(&key).unwrap()).unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }
}

/// A product of HTTP/1.1 over TLS, and the names that were asked for.
fn serve(config: ServerConfig) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (config, names) = (Arc::new(config), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&names);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut tls = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut both = rustls::Stream::new(&mut tls, &mut stream);
            let mut chunk = [0; 4096];
            // A client that leaves in the handshake is what some rows are about.
            if both.read(&mut chunk).is_ok_and(|read| read > 0) {
                let _ = both.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
                seen.lock().unwrap().push(tls.server_name().unwrap_or("-").to_owned());
            }
        }
    });
    (address, names)
}

fn https(at: SocketAddr) -> Upstream {
    Upstream::Https { host: at.ip().to_string(), port: at.port() }
}

/// The status of a request to an upstream under this TLS.
fn status(upstream: Upstream, parts: &TlsParts) -> u16 {
    let tls = Arc::new(UpstreamTls::new(parts).unwrap());
    let world = world(ok, |_, site| {
        site.upstreams = vec![upstream];
        site.reach.tls = Some(tls);
    });
    let cookie = format!("Cookie: {}", world.session(1).1);
    world.ask("GET /", &[&cookie]).status
}

#[test]
fn m22_authority_name_and_our_certificate_are_all_checked() {
    let (good, other) = (Authority::new(), Authority::new());
    let (ca, name) = (Some(good.pem()), Some("trello.internal".to_owned()));
    let ours = Some(good.sign("fedgate.internal"));
    let parts = TlsParts { ca, name, client: None, http2: false };
    let rows = [
        ("all is well", "trello.internal", false, parts.clone(), 200),
        ("the name is the address", "127.0.0.1", false, TlsParts { name: None, ..parts.clone() }, 200),
        ("another name", "loom.internal", false, parts.clone(), 502),
        ("no name of the address", "trello.internal", false, TlsParts { name: None, ..parts.clone() }, 502),
        ("another authority", "trello.internal", false, TlsParts { ca: Some(other.pem()), ..parts.clone() }, 502),
        ("the system's authorities", "trello.internal", false, TlsParts { ca: None, ..parts.clone() }, 502),
        (
            "our certificate is demanded",
            "trello.internal",
            true,
            TlsParts { client: ours.clone(), ..parts.clone() },
            200,
        ),
        ("and missing", "trello.internal", true, parts.clone(), 502),
        ("and another's", "trello.internal", true, TlsParts { client: Some(other.sign("x")), ..parts }, 502),
    ];
    for (what, certificate, demands, parts, expected) in rows {
        let (address, names) = serve(good.server(certificate, demands, &["http/1.1"]));
        assert_eq!(status(https(address), &parts), expected, "{what}");
        let seen = names.lock().unwrap().len();
        assert_eq!(seen, usize::from(expected == 200), "{what}: no request reached a product that was not known");
    }
}

#[test]
fn alpn_chooses_http2_when_it_is_offered_and_taken() {
    let authority = Authority::new();
    let parts = |http2| TlsParts { ca: Some(authority.pem()), http2, ..TlsParts::default() };
    let product = Product::start(100, Some(authority.server("127.0.0.1", false, &["h2", "http/1.1"])));
    assert_eq!(status(https(product.address), &parts(true)), 200);
    assert_eq!(product.seen.last().uri, "https://trello.localhost/");
    let (address, names) = serve(authority.server("127.0.0.1", false, &["http/1.1"]));
    assert_eq!(status(https(address), &parts(true)), 200, "a server without HTTP/2 is spoken to in HTTP/1.1");
    assert_eq!(names.lock().unwrap().len(), 1);
    let product = Product::start(100, Some(authority.server("127.0.0.1", false, &["h2"])));
    assert_eq!(status(https(product.address), &parts(false)), 502, "one that wants HTTP/2 alone was not offered it");
    assert_eq!(product.seen.calls.lock().unwrap().len(), 0);
    assert!(product.seen.connections.load(Ordering::SeqCst) > 0);
}

#[test]
fn a_reload_with_other_files_uses_no_old_connection() {
    let (good, other) = (Authority::new(), Authority::new());
    let product = Product::start(100, Some(good.server("127.0.0.1", false, &["h2"])));
    let tls = |ca: &Authority| {
        Some(Arc::new(UpstreamTls::new(&TlsParts { ca: Some(ca.pem()), http2: true, ..TlsParts::default() }).unwrap()))
    };
    let upstream = https(product.address);
    let world = world(ok, |_, site| {
        site.upstreams = vec![upstream];
        site.reach.tls = tls(&good);
    });
    let cookie = format!("Cookie: {}", world.session(1).1);
    assert_eq!(world.ask("GET /", &[&cookie]).status, 200);
    let mut options = world.options.clone();
    for site in options.sites.values_mut() {
        Arc::make_mut(site).reach.tls = tls(&other);
    }
    world.running.reload(options).unwrap();
    for _ in 0..4 {
        assert_eq!(world.ask("GET /", &[&cookie]).status, 502);
    }
}
