//! TLS to upstreams: TLS 1.2 and 1.3 by aws-lc-rs, a chosen authority, a chosen name, a certificate of ours, no early data.

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::sync::Arc;

/// What a configuration says about it; PEM as bytes.
#[derive(Clone, Default)]
pub struct TlsParts {
    /// The only authorities that are trusted; the system's (Mozilla's where there are none) when absent.
    pub ca: Option<Vec<u8>>,
    /// The name that the certificate must carry and that SNI says; the upstream's host when absent.
    pub name: Option<String>,
    /// Chain and key that we show.
    pub client: Option<(Vec<u8>, Vec<u8>)>,
    /// Offer HTTP/2 by ALPN.
    pub http2: bool,
}

/// TLS to the upstreams of one product, ready to use. Connections made under one of these are never used under another.
pub struct UpstreamTls {
    /// What requests use; offers h2 if so configured.
    requests: Arc<ClientConfig>,
    /// What WebSockets use: HTTP/1.1 alone.
    upgrades: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
    http2: bool,
    shows_certificate: bool,
}

/// Why TLS to upstreams cannot be set up.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UpstreamTlsFault {
    /// Not certificates of authorities in PEM.
    #[error("`ca` is not a PEM file of CA certificates")]
    Roots,
    /// Not a name or an address.
    #[error("`name` is not a host name or an address")]
    Name,
    /// Not a chain in PEM.
    #[error("`cert` holds no certificates in PEM")]
    Chain,
    /// Not a key in PEM.
    #[error("`key` holds no private key in PEM")]
    Key,
    /// The key is not the certificate's, or the provider refuses.
    #[error("`cert` and `key` cannot be used: {0}")]
    Client(String),
}

impl UpstreamTls {
    /// Sets it up.
    ///
    /// # Errors
    /// [`UpstreamTlsFault`].
    pub fn new(parts: &TlsParts) -> Result<Self, UpstreamTlsFault> {
        let name = parts.name.clone().map(ServerName::try_from).transpose().map_err(|_| UpstreamTlsFault::Name)?;
        let mut upgrades = client(parts)?;
        upgrades.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut requests = upgrades.clone();
        if parts.http2 {
            requests.alpn_protocols.insert(0, b"h2".to_vec());
        }
        Ok(Self {
            requests: Arc::new(requests),
            upgrades: Arc::new(upgrades),
            name,
            http2: parts.http2,
            shows_certificate: parts.client.is_some(),
        })
    }

    /// Whether upstreams can know us by our certificate (rule M22).
    pub fn shows_certificate(&self) -> bool {
        self.shows_certificate
    }

    /// Whether HTTP/2 is offered.
    pub(in crate::gateway) fn offers_http2(&self) -> bool {
        self.http2
    }

    pub(super) fn config(&self, upgrades: bool) -> &Arc<ClientConfig> {
        if upgrades { &self.upgrades } else { &self.requests }
    }

    /// The name to check, where `host` is the upstream's.
    pub(super) fn name(&self, host: &str) -> Option<ServerName<'static>> {
        self.name.clone().or_else(|| ServerName::try_from(host.to_owned()).ok())
    }
}

impl fmt::Debug for UpstreamTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamTls").field("name", &self.name).field("http2", &self.http2).finish_non_exhaustive()
    }
}

fn client(parts: &TlsParts) -> Result<ClientConfig, UpstreamTlsFault> {
    let broken = |why: rustls::Error| UpstreamTlsFault::Client(why.to_string());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = Arc::new(roots(parts.ca.as_deref())?);
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(broken)?
        .with_webpki_verifier(verifier.build().map_err(|_| UpstreamTlsFault::Roots)?);
    let Some((chain, key)) = &parts.client else { return Ok(builder.with_no_client_auth()) };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(UpstreamTlsFault::Chain)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| UpstreamTlsFault::Key)?;
    builder.with_client_auth_cert(chain, key).map_err(broken)
}

fn roots(chosen: Option<&[u8]>) -> Result<RootCertStore, UpstreamTlsFault> {
    let mut roots = RootCertStore::empty();
    match chosen {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|_| UpstreamTlsFault::Roots)?;
                roots.add(certificate).map_err(|_| UpstreamTlsFault::Roots)?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            }
        }
    }
    if roots.is_empty() { Err(UpstreamTlsFault::Roots) } else { Ok(roots) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_read_or_refused() {
        let made = rcgen::generate_simple_self_signed(["a.internal".into()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["b.internal".into()]).unwrap();
        let (cert, key) = (made.cert.pem().into_bytes(), made.signing_key.serialize_pem().into_bytes());
        let other = other.signing_key.serialize_pem().into_bytes();
        let check = |parts: TlsParts, fault: Option<UpstreamTlsFault>| {
            let found = UpstreamTls::new(&parts).err();
            match &fault {
                Some(UpstreamTlsFault::Client(_)) => assert!(matches!(found, Some(UpstreamTlsFault::Client(_)))),
                _ => assert_eq!(found, fault),
            }
        };
        let good =
            TlsParts { ca: Some(cert.clone()), client: Some((cert.clone(), key.clone())), ..TlsParts::default() };
        check(good.clone(), None);
        check(TlsParts { ca: Some(b"x".to_vec()), ..good.clone() }, Some(UpstreamTlsFault::Roots));
        check(TlsParts { name: Some("a b".into()), ..good.clone() }, Some(UpstreamTlsFault::Name));
        check(TlsParts { client: Some((b"x".to_vec(), key)), ..good.clone() }, Some(UpstreamTlsFault::Chain));
        check(TlsParts { client: Some((cert.clone(), cert.clone())), ..good.clone() }, Some(UpstreamTlsFault::Key));
        check(TlsParts { client: Some((cert, other)), ..good }, Some(UpstreamTlsFault::Client(String::new())));
    }

    #[test]
    fn http2_is_offered_to_requests_alone_and_only_when_asked() {
        for (http2, offered) in
            [(false, vec![b"http/1.1".to_vec()]), (true, vec![b"h2".to_vec(), b"http/1.1".to_vec()])]
        {
            let tls = UpstreamTls::new(&TlsParts { http2, ..TlsParts::default() }).unwrap();
            assert_eq!(tls.config(false).alpn_protocols, offered);
            assert_eq!(tls.config(true).alpn_protocols, [b"http/1.1"]);
            assert!(!tls.config(false).enable_early_data);
        }
    }
}
