//! Which cipher suites are preferred. Of TLS 1.3's the one with AES-128 and SHA-256, which browsers on processors with AES prefer too
//! and all that speak it have (RFC 8446 §9.1): processors compute both themselves, whereas SHA-384 alone is a fifth of what a handshake
//! costs. Who offers no such suite, or asks for ChaCha20 before all else because its processor has no AES, is served as it asks.

use rustls::CipherSuite;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::ClientHello;

/// aws-lc-rs with the preferred suite first.
pub(super) fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    // Stable: the others keep their order.
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    provider
}

/// Whether a client's own order counts.
pub(super) fn is_the_clients_choice(hello: &ClientHello<'_>) -> bool {
    let known = [
        CipherSuite::TLS13_AES_128_GCM_SHA256,
        CipherSuite::TLS13_AES_256_GCM_SHA384,
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
    ];
    let first = hello.cipher_suites().iter().find(|suite| known.contains(suite));
    first == Some(&CipherSuite::TLS13_CHACHA20_POLY1305_SHA256)
}
