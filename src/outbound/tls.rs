//! TLS towards providers: TLS 1.2 and 1.3 by aws-lc-rs, never by a process-wide default.

use super::OutboundSetupFault;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// The client's TLS, with the system's authorities (Mozilla's where there are none) and the operator's extra ones.
pub(super) fn client(extra_roots_pem: Option<&[u8]>) -> Result<Arc<ClientConfig>, OutboundSetupFault> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for fault in &native.errors {
        tracing::warn!(%fault, "a certificate authority of the system could not be read");
    }
    let (_, broken) = roots.add_parsable_certificates(native.certs);
    if broken > 0 {
        tracing::warn!(broken, "certificate authorities of the system were left out");
    }
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    if let Some(pem) = extra_roots_pem {
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| OutboundSetupFault::Roots)?;
            roots.add(certificate).map_err(|_| OutboundSetupFault::Roots)?;
        }
        if roots.len() == before {
            return Err(OutboundSetupFault::Roots);
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
