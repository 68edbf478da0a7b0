//! Certificates that are ordered at run time (ACME): a name without one is refused, never served under another's.

use super::{Chosen, Pair};
use crate::web::issued::Issued;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::sync::Arc;

/// The protocol by which an authority asks who we are (RFC 8737 §4). Nothing is spoken under it.
pub(in crate::gateway) const ACME_TLS: &[u8] = b"acme-tls/1";

/// The certificates that are there.
pub(super) fn certificates(issued: &Issued) -> Vec<Pair> {
    let issued = issued.certificates();
    let pair = |pair: &Arc<crate::web::issued::Pair>| Pair {
        chain: pair.chain.clone(),
        key: PrivateKeyDer::Pkcs8(pair.key.clone_key()),
    };
    issued.values().map(pair).collect()
}

/// Chooses by name, and tells an authority's question from a client.
#[derive(Debug)]
pub(super) struct Ordered {
    pub(super) chosen: Arc<Chosen>,
    pub(super) issued: Arc<Issued>,
}

impl ResolvesServerCert for Ordered {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let offered = |hello: &ClientHello<'_>| hello.alpn().into_iter().flatten().take(2).collect::<Vec<_>>().len();
        let asks = hello.alpn().is_some_and(|mut all| all.any(|one| one == ACME_TLS));
        if !asks {
            return self.chosen.resolve(hello);
        }
        // RFC 8737 §3: the authority offers this protocol alone; whoever offers more is no authority.
        if offered(&hello) == 1 { self.issued.tls_answer(hello.server_name()?) } else { None }
    }
}
