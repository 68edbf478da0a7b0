//! TLS: which certificate for which name, loaded as a whole, replaced as a whole.
//!
//! TLS 1.2 and 1.3 by aws-lc-rs, no early data (rule M9), tickets under keys of this process that rotate. Deliberately absent:
//! choosing a certificate by anything but the name, and a process-default provider. `internal` makes certificates, `ordered` serves
//! those that an authority issued, `suites` says which cipher suites are preferred.

mod internal;
mod ordered;
mod suites;

pub(super) use ordered::ACME_TLS;

use super::options::{CertFiles, Options, Tls};
use crate::kernel::values::Timestamp;
use crate::web::issued::Issued;
use ordered::Ordered;
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{
    Acceptor, ClientHello, NoServerSessionStorage, ParsedCertificate, ProducesTickets, ResolvesServerCert,
};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

/// Why certificates cannot be used. The old ones stay in use.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// A file cannot be read or is no PEM.
    #[error("{path}: {cause}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// rustls refuses the chain or the key.
    #[error("{0}")]
    Rustls(#[from] rustls::Error),
    /// The internal CA cannot be made or kept.
    #[error("the internal CA: {0}")]
    Internal(String),
    /// There is no certificate at all.
    #[error("no certificate is configured")]
    Nothing,
}

/// Certificates in use.
pub(super) struct TlsState {
    /// In the order of suites that is ours, and in that of the client.
    ours: Arc<ServerConfig>,
    theirs: Arc<ServerConfig>,
    chosen: Arc<Chosen>,
}

/// Certificates by name.
#[derive(Debug)]
struct Chosen {
    by_host: HashMap<String, usize>,
    certificates: Vec<Certificate>,
    /// Whether a name without a certificate gets the first one.
    strangers: bool,
}

#[derive(Debug)]
struct Certificate {
    key: Arc<CertifiedKey>,
    /// The configured host names that it covers.
    covers: Arc<HashSet<String>>,
}

/// Keys that outlive reloads: resumption goes on.
#[derive(Clone)]
pub(super) struct Tickets(Arc<dyn ProducesTickets>);

impl Tickets {
    pub(super) fn new() -> Result<Self, TlsFault> {
        Ok(Self(aws_lc_rs::Ticketer::new()?))
    }
}

/// A TLS server of this machine under the internal CA of a state folder, for what stands beside a gateway in a demonstration.
///
/// # Errors
/// [`TlsFault`] when the CA cannot be made or kept.
pub fn internal_server(state: &Path, host: &str, now: Timestamp) -> Result<ServerConfig, TlsFault> {
    let mut pairs = internal::certificates(state, &[host.to_owned()], now)?;
    let pair = pairs.pop().ok_or(TlsFault::Nothing)?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
        .with_no_client_auth()
        .with_single_cert(pair.chain, pair.key)?;
    Ok(config)
}

impl TlsState {
    /// Loads or makes every certificate. `None` when there is no TLS listener.
    pub(super) fn load(
        options: &Options,
        issued: &Arc<Issued>,
        tickets: &Tickets,
        now: Timestamp,
    ) -> Result<Option<Self>, TlsFault> {
        let hosts = options.host_names();
        let (pairs, issued) = match &options.listen.tls {
            Tls::Off => return Ok(None),
            Tls::Files(files) => (files.iter().map(read).collect::<Result<_, _>>()?, None),
            Tls::Internal => (internal::certificates(&options.listen.state, &hosts, now)?, None),
            Tls::Acme => (ordered::certificates(issued), Some(issued)),
        };
        Self::from_pairs(pairs, &hosts, issued, tickets).map(Some)
    }

    fn from_pairs(
        pairs: Vec<Pair>,
        hosts: &[String],
        issued: Option<&Arc<Issued>>,
        tickets: &Tickets,
    ) -> Result<Self, TlsFault> {
        let provider = Arc::new(suites::provider());
        let certificates =
            pairs.into_iter().map(|pair| certify(pair, hosts, &provider)).collect::<Result<Vec<_>, _>>()?;
        if certificates.is_empty() && issued.is_none() {
            return Err(TlsFault::Nothing);
        }
        let mut by_host = HashMap::new();
        for (place, certificate) in certificates.iter().enumerate() {
            for host in certificate.covers.iter() {
                by_host.entry(host.clone()).or_insert(place);
            }
        }
        let chosen = Arc::new(Chosen { by_host, certificates, strangers: issued.is_none() });
        let resolver: Arc<dyn ResolvesServerCert> = match issued {
            None => Arc::<Chosen>::clone(&chosen),
            Some(issued) => Arc::new(Ordered { chosen: Arc::clone(&chosen), issued: Arc::clone(issued) }),
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.alpn_protocols.extend(issued.map(|_| ACME_TLS.to_vec()));
        config.ticketer = Arc::clone(&tickets.0);
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.max_early_data_size = 0;
        // Each resumption brings the next one.
        config.send_tls13_tickets = 1;
        let theirs = Arc::new(config.clone());
        config.ignore_client_order = true;
        Ok(Self { ours: Arc::new(config), theirs, chosen })
    }

    /// Shakes hands with a client.
    ///
    /// # Errors
    /// When the client leaves, or there is nothing that both speak. It has been told then.
    pub(super) async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let config = if suites::is_the_clients_choice(&start.client_hello()) { &self.theirs } else { &self.ours };
        start.into_stream(Arc::clone(config)).await
    }

    /// The configured host names that the certificate chosen for this name covers.
    pub(super) fn covered(&self, name: Option<&str>) -> Arc<HashSet<String>> {
        self.chosen.choose(name).map_or_else(Arc::default, |certificate| Arc::clone(&certificate.covers))
    }
}

impl Chosen {
    /// The first covers the name; the first of all for strangers, whose requests then get 421 (rule M8).
    fn choose(&self, name: Option<&str>) -> Option<&Certificate> {
        let place = name.and_then(|name| self.by_host.get(name)).copied();
        self.certificates.get(place.or(self.strangers.then_some(0))?)
    }
}

impl ResolvesServerCert for Chosen {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name()).map(|certificate| Arc::clone(&certificate.key))
    }
}

/// A chain and its key, not yet checked.
pub(super) struct Pair {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

fn certify(pair: Pair, hosts: &[String], provider: &CryptoProvider) -> Result<Certificate, TlsFault> {
    let key = CertifiedKey::from_der(pair.chain, pair.key, provider)?;
    let leaf = key.end_entity_cert()?;
    let parsed = ParsedCertificate::try_from(leaf)?;
    let covers = |host: &&String| {
        ServerName::try_from(host.as_str()).is_ok_and(|name| verify_server_name(&parsed, &name).is_ok())
    };
    let covers = hosts.iter().filter(covers).cloned().collect();
    Ok(Certificate { key: Arc::new(key), covers: Arc::new(covers) })
}

fn read(files: &CertFiles) -> Result<Pair, TlsFault> {
    let fault =
        |path: &Path, cause: &dyn std::fmt::Display| TlsFault::File { path: path.to_owned(), cause: cause.to_string() };
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| fault(&files.cert, &error))?;
    if chain.is_empty() {
        return Err(fault(&files.cert, &"there is no certificate in it"));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| fault(&files.key, &error))?;
    Ok(Pair { chain, key })
}

/// The files to watch.
pub(super) fn files(options: &Options) -> Vec<PathBuf> {
    match &options.listen.tls {
        Tls::Files(files) => files.iter().flat_map(|pair| [pair.cert.clone(), pair.key.clone()]).collect(),
        Tls::Off | Tls::Internal | Tls::Acme => Vec::new(),
    }
}
