//! The signer of audit checkpoints.

use super::Raw;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use std::sync::Arc;

/// An Ed25519 key that signs checkpoints. Its note name is the caller's: it names the log, not the key.
#[derive(Clone)]
pub struct AuditSigner(Arc<Ed25519KeyPair>);

impl std::fmt::Debug for AuditSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuditSigner(…)")
    }
}

impl AuditSigner {
    pub(super) fn new(raw: &Raw) -> Option<Self> {
        Ed25519KeyPair::from_seed_unchecked(raw.as_ref()).ok().map(|pair| Self(Arc::new(pair)))
    }

    /// The public key (RFC 8032).
    pub fn public_key(&self) -> [u8; 32] {
        let mut public = [0; 32];
        public.copy_from_slice(self.0.public_key().as_ref());
        public
    }

    /// Signs; none when the library fails.
    pub fn sign(&self, message: &[u8]) -> Option<[u8; 64]> {
        self.0.try_sign(message).ok()?.as_ref().try_into().ok()
    }
}
