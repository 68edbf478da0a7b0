//! Certificates from an authority (ACME): a real one, which looks for its answers at the gateway's own ports.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::support::authority::{Authority, Leaf};
use super::support::clock::Deadline;
use super::support::configuration::Configuration;
use super::support::gateway::Gateway;
use super::support::pebble::{Pebble, Setup};
use super::support::ports;
use super::support::upstream::Upstream;

/// Three host names, one after the other, on a busy machine.
const ISSUED: Duration = Duration::from_secs(40);

/// A gateway, not yet started, and the authority that it will order from.
struct Ordering {
    gateway: Gateway,
    pebble: Pebble,
    authority: Authority,
    root: PathBuf,
    upstream: Upstream,
}

impl Ordering {
    fn prepare(customers: &[(&str, &str)]) -> Self {
        let (authority, upstream) = (Authority::new(), Upstream::start());
        let Leaf { cert, key } = authority.issue(&["localhost"]);
        let gateway = Gateway::prepare(&Configuration::new());
        let pebble = Pebble::start(&Setup {
            tls: (&cert, &key),
            ports: [ports::free(), ports::free(), ports::free()],
            http: gateway.ports().http,
            https: gateway.ports().https,
            customers,
        });
        let root = pebble.root(&authority.ca_file());
        Self { gateway, pebble, authority, root, upstream }
    }

    /// `[acme]` with further keys.
    fn configuration(&self, products: &[&str], keys: &str) -> Configuration {
        let ca_file = self.authority.ca_file();
        let acme = format!(
            "[acme]\ndirectory = \"{}\"\nca_file = {:?}\n{keys}",
            self.pebble.directory(),
            ca_file.display().to_string()
        );
        let start = Configuration::new()
            .listen("tls = \"acme\"")
            .listen("http = \"127.0.0.1:{http}\"")
            .table(&acme)
            .organization("acme", "acme.example.test", "https://127.0.0.1:9", "a secret");
        products.iter().fold(start, |all, name| all.product(name, &self.upstream.url(), "public = [\"/open\"]"))
    }

    fn launch(&mut self, configuration: &Configuration) {
        self.gateway.configure(configuration);
        self.gateway.launch();
        self.gateway.wait_ready();
    }

    /// Handshakes by a client that trusts this authority alone.
    async fn connect(&self, host: &str) -> std::io::Result<TlsStream<TcpStream>> {
        connect(self.gateway.ports().https, &format!("{host}.example.test"), &self.root).await
    }

    /// Waits until this host has a certificate that verifies.
    async fn issued(&self, host: &str) -> CertificateDer<'static> {
        let deadline = Deadline::after(ISSUED);
        loop {
            match self.connect(host).await {
                Ok(stream) => return leaf(&stream),
                Err(why) => assert!(!deadline.passed(), "{host}: {why}\n{}\n{}", self.gateway.log(), self.pebble.log()),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn metric(&self, line: &str) -> String {
        let (_, text) = self.gateway.ops("/metrics").expect("metrics");
        let found = text.lines().find_map(|found| found.strip_prefix(line)).unwrap_or("");
        found.trim().to_owned()
    }
}

async fn connect(port: u16, name: &str, root: &Path) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root).expect("PEM")).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

fn leaf(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().expect("certificates")[0].clone()
}

/// Every byte of the store's files.
fn store_bytes(gateway: &Gateway) -> Vec<u8> {
    let state = gateway.directory().join("state");
    ["fedgate.db", "fedgate.db-wal"]
        .iter()
        .flat_map(|file| std::fs::read(state.join(file)).unwrap_or_default())
        .collect()
}

#[tokio::test]
async fn tls_alpn_01_gives_each_name_its_own_certificate_a_restart_orders_nothing_and_a_reload_what_is_new() {
    let mut ordering = Ordering::prepare(&[]);
    let challenge = "challenge = \"tls-alpn-01\"\ncontact = [\"mailto:ops@example.net\"]";
    ordering.launch(&ordering.configuration(&["trello"], challenge));
    let (id, trello) = (ordering.issued("id").await, ordering.issued("trello").await);
    assert_ne!(id, trello, "one certificate for each name (rule M8)");
    assert_eq!(ordering.pebble.orders(), 2, "{}", ordering.pebble.log());
    let end: i64 =
        ordering.metric("fedgate_certificate_expiry_timestamp_seconds{host=\"trello.example.test\"}").parse().unwrap();
    assert!(end > super::support::clock::unix_seconds(), "{end}");
    assert_eq!(ordering.metric("fedgate_certificate_orders_total{outcome=\"issued\"}"), "2");
    let refused = ordering.connect("loom").await.expect_err("there is none for this name");
    assert!(refused.to_string().contains("alert"), "{refused}");
    let (_, audit, _) = ordering.gateway.command(&["audit", "search", "--json"]);
    assert_eq!(audit.matches("certificate.issued").count(), 2, "{audit}");

    // What stands in the store is sealed: neither the chain nor the account can be read there.
    let bytes = store_bytes(&ordering.gateway);
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("acme.account") && holds("acme.certificate.trello.example.test"), "it is there");
    assert!(!holds("key_pkcs8") && !holds("BEGIN CERTIFICATE") && !holds(&ordering.pebble.directory()), "it is sealed");

    ordering.gateway.restart();
    assert_eq!(
        (leaf(&ordering.connect("id").await.unwrap()), leaf(&ordering.connect("trello").await.unwrap())),
        (id.clone(), trello)
    );

    let kept = ordering.connect("id").await.unwrap();
    ordering.gateway.configure(&ordering.configuration(&["trello", "loom"], challenge));
    ordering.gateway.hang_up();
    ordering.issued("loom").await;
    assert_eq!(ordering.pebble.orders(), 3, "only the new name was ordered, after a restart too");
    assert_eq!(leaf(&kept), id, "and the connection from before is the same");
    assert_eq!(leaf(&ordering.connect("id").await.unwrap()), id);
}

#[tokio::test]
async fn http_01_is_answered_at_port_80_for_a_customer_that_the_authority_knows() {
    let key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    let mut ordering = Ordering::prepare(&[("kid-1", key)]);
    let hmac = ordering.gateway.directory().join("hmac");
    std::fs::write(&hmac, key).unwrap();
    let keys =
        format!("challenge = \"http-01\"\neab = {{ kid = \"kid-1\", hmac_file = {:?} }}", hmac.display().to_string());
    ordering.launch(&ordering.configuration(&[], &keys).product("trello", &ordering.upstream.url(), ""));
    let (status, shown, _) = ordering.gateway.command(&["check", "--online"]);
    assert!(shown.contains(&format!("ok  {}", ordering.pebble.directory())), "{shown}");
    assert!(shown.contains("trello.example.test has no address here"), "{shown}");
    assert_eq!(status.code(), Some(1), "because of the provider, which is not there: {shown}");
    ordering.issued("id").await;
    ordering.issued("trello").await;
    let said = ordering.pebble.log();
    assert!(said.contains("/.well-known/acme-challenge/"), "asked over HTTP: {said}");
    let Ordering { gateway, pebble, .. } = ordering;
    let directory = pebble.directory();
    drop(pebble);
    let (_, shown, _) = gateway.command(&["check", "--online"]);
    assert!(shown.contains(&format!("BAD {directory}")) && shown.contains("no connection"), "{shown}");
}
