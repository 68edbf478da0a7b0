//! Certificates that are ordered while the process runs, and the answers by which an authority recognizes us.
//!
//! Who orders writes here, the data path reads without locks. Deliberately absent: how certificates come about, and the store.

use arc_swap::ArcSwap;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use tokio::sync::Notify;

/// What one process serves: certificates by host name, and answers to challenges under way.
#[derive(Default)]
pub struct Issued {
    pairs: ArcSwap<HashMap<String, Arc<Pair>>>,
    answers: ArcSwap<Vec<Answer>>,
    changed: Notify,
}

/// A chain, leaf first, and the leaf's key. They belong together and the leaf covers its host name.
#[derive(Eq, PartialEq)]
pub struct Pair {
    /// DER certificates, leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// PKCS #8.
    pub key: PrivatePkcs8KeyDer<'static>,
}

/// An answer to an authority's challenge for one host name.
#[derive(Clone)]
pub enum Answer {
    /// HTTP-01 (RFC 8555 §8.3): this text, at this token's path.
    Http {
        /// The host name, an A-label in lower case.
        host: String,
        /// The last segment of the path.
        token: String,
        /// The key authorization.
        text: String,
    },
    /// TLS-ALPN-01 (RFC 8737): this certificate, in handshakes for `acme-tls/1` alone.
    Tls {
        /// The host name, an A-label in lower case.
        host: String,
        /// Self-signed, with the digest of the key authorization.
        certificate: Arc<CertifiedKey>,
    },
}

impl Issued {
    /// Replaces all certificates.
    pub fn put_certificates(&self, pairs: HashMap<String, Arc<Pair>>) {
        self.pairs.store(Arc::new(pairs));
        self.changed.notify_one();
    }

    /// Replaces all answers.
    pub fn put_answers(&self, answers: Vec<Answer>) {
        self.answers.store(Arc::new(answers));
    }

    /// All certificates by host name.
    pub fn certificates(&self) -> Arc<HashMap<String, Arc<Pair>>> {
        self.pairs.load_full()
    }

    /// Waits until certificates were put; at once when that happened since the last wait. For one waiter.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The text for an HTTP-01 challenge at this host, if that token is awaited there.
    pub fn http_answer(&self, host: &str, asked: &str) -> Option<String> {
        self.answers.load().iter().find_map(|answer| match answer {
            Answer::Http { host: own, token, text } if own == host && token == asked => Some(text.clone()),
            Answer::Http { .. } | Answer::Tls { .. } => None,
        })
    }

    /// The certificate for a TLS-ALPN-01 challenge for this host, if one is under way.
    pub fn tls_answer(&self, asked: &str) -> Option<Arc<CertifiedKey>> {
        self.answers.load().iter().find_map(|answer| match answer {
            Answer::Tls { host, certificate } if host == asked => Some(Arc::clone(certificate)),
            Answer::Http { .. } | Answer::Tls { .. } => None,
        })
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Issued(…)")
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pair(…)")
    }
}
