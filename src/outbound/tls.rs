//! TLS towards providers: TLS 1.2 and 1.3 by aws-lc-rs, never by a process-wide default.

use super::OutboundSetupFault;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// Whom we believe about other servers' names: the system's authorities (Mozilla's where there are none) and the operator's
/// extra ones.
#[derive(Clone, Debug)]
pub struct Roots {
    /// DER, each usable.
    pub certificates: Vec<CertificateDer<'static>>,
    /// Mozilla's beside them, because the system has none.
    pub mozillas: bool,
}

impl Roots {
    /// Reads the system's, and `extra_pem`.
    ///
    /// # Errors
    /// [`OutboundSetupFault::Roots`] where `extra_pem` holds no certificate, or one that cannot be used.
    pub fn read(extra_pem: Option<&[u8]>) -> Result<Self, OutboundSetupFault> {
        let native = rustls_native_certs::load_native_certs();
        for fault in &native.errors {
            tracing::warn!(%fault, "a certificate authority of the system could not be read");
        }
        let found = native.certs.len();
        let usable = |certificate: &CertificateDer<'static>| RootCertStore::empty().add(certificate.clone()).is_ok();
        let mut certificates: Vec<CertificateDer<'static>> = native.certs.into_iter().filter(usable).collect();
        if certificates.len() < found {
            tracing::warn!(broken = found - certificates.len(), "certificate authorities of the system were left out");
        }
        let mozillas = certificates.is_empty();
        if let Some(pem) = extra_pem {
            let before = certificates.len();
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|_| OutboundSetupFault::Roots)?;
                if !usable(&certificate) {
                    return Err(OutboundSetupFault::Roots);
                }
                certificates.push(certificate);
            }
            if certificates.len() == before {
                return Err(OutboundSetupFault::Roots);
            }
        }
        Ok(Self { certificates, mozillas })
    }

    fn store(&self) -> Result<RootCertStore, OutboundSetupFault> {
        let mut roots = RootCertStore::empty();
        if self.mozillas {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        for certificate in &self.certificates {
            roots.add(certificate.clone()).map_err(|_| OutboundSetupFault::Roots)?;
        }
        Ok(roots)
    }
}

/// A certificate that we show, with its key.
#[derive(Clone, Debug)]
pub struct Identity(Arc<SingleCertAndKey>);

impl Identity {
    /// From PEM: the chain, leaf first, and the leaf's key.
    ///
    /// # Errors
    /// [`OutboundSetupFault::Identity`] where one of them does not read or they do not belong together.
    pub fn read(chain: &[u8], key: &[u8]) -> Result<Self, OutboundSetupFault> {
        let broken = |why: &dyn std::fmt::Display| OutboundSetupFault::Identity(why.to_string());
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(|why| broken(&why))?;
        if chain.is_empty() {
            return Err(broken(&"no certificate in PEM"));
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|why| broken(&why))?;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let certified = CertifiedKey::from_der(chain, key, &provider).map_err(|why| broken(&why))?;
        Ok(Self(Arc::new(certified.into())))
    }
}

/// The client's TLS.
pub(super) fn client(
    extra_roots_pem: Option<&[u8]>,
    identity: Option<&Identity>,
) -> Result<Arc<ClientConfig>, OutboundSetupFault> {
    let roots = Roots::read(extra_roots_pem)?.store()?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_root_certificates(roots);
    let mut config = match identity {
        Some(Identity(certified)) => builder.with_client_cert_resolver(Arc::clone(certified) as _),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
