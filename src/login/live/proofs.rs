//! Proofs that apps held their keys, seen here lately: each comes once (RFC 9449 §11.1).
//!
//! A process remembers its own, and only those of good tokens, so that strangers push nobody's out. What was caught on the way to one
//! process is worth a second look at another within two minutes, and only together with the token that it names and the request that it
//! is for; the token endpoint, where more can be won, asks the store.

use moka::sync::Cache;
use std::time::Duration;

/// Proofs remembered; of more, the oldest are forgotten first.
const REMEMBERED: u64 = 200_000;
/// Longer than any proof is in time: twice the difference that clocks may have, and a second.
const KEPT: Duration = Duration::from_secs(245);

pub(super) struct Proofs(Cache<[u8; 32], ()>);

impl Default for Proofs {
    fn default() -> Self {
        Self(
            Cache::builder()
                .max_capacity(REMEMBERED)
                .time_to_live(KEPT)
                .eviction_policy(moka::policy::EvictionPolicy::lru())
                .build(),
        )
    }
}

impl Proofs {
    /// Whether this is the first time that a proof is seen.
    pub(super) fn is_first(&self, id: [u8; 32]) -> bool {
        self.0.entry(id).or_insert(()).is_fresh()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_new_once() {
        let proofs = Proofs::default();
        assert!(proofs.is_first([1; 32]) && proofs.is_first([2; 32]));
        assert!(!proofs.is_first([1; 32]) && !proofs.is_first([2; 32]));
    }
}
