//! How often a token may ask, and how often somebody may be wrong. Per process, bounded, forgotten after a while.

use crate::kernel::values::Timestamp;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A token may ask this often at once …
const BURST: f64 = 60.0;
/// … and this often a second for ever.
const A_SECOND: f64 = 20.0;
/// An address may bring a wrong token this often at once …
const WRONG_BURST: f64 = 20.0;
/// … and this often a second for ever.
const WRONG_A_SECOND: f64 = 0.2;
/// At most this many askers are remembered; the longest silent are forgotten first.
const REMEMBERED: u64 = 10_000;

type Buckets<K> = moka::sync::Cache<K, Arc<Mutex<(f64, Timestamp)>>>;

/// Who asked how often.
pub(super) struct Rates {
    tokens: Buckets<[u8; 16]>,
    strangers: Buckets<IpAddr>,
}

impl Default for Rates {
    fn default() -> Self {
        Self { tokens: buckets(), strangers: buckets() }
    }
}

fn buckets<K: Hash + Eq + Send + Sync + 'static>() -> Buckets<K> {
    moka::sync::Cache::builder().max_capacity(REMEMBERED).time_to_idle(Duration::from_secs(600)).build()
}

impl Rates {
    /// Whether a token may ask now; counts it.
    pub(super) fn token_may(&self, token: [u8; 16], now: Timestamp) -> bool {
        take(&self.tokens, token, (BURST, A_SECOND), now)
    }

    /// Whether an address may be wrong once more; counts it.
    pub(super) fn may_be_wrong(&self, client: IpAddr, now: Timestamp) -> bool {
        take(&self.strangers, network(client), (WRONG_BURST, WRONG_A_SECOND), now)
    }
}

/// An IPv6 customer has a whole /64.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn take<K: Hash + Eq + Send + Sync + 'static>(
    buckets: &Buckets<K>,
    key: K,
    (burst, a_second): (f64, f64),
    now: Timestamp,
) -> bool {
    let bucket = buckets.get_with(key, || Arc::new(Mutex::new((burst, now))));
    let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
    let left = (bucket.0 + now.since(bucket.1).as_secs_f64() * a_second).min(burst);
    let may = left >= 1.0;
    *bucket = (if may { left - 1.0 } else { left }, now);
    may
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let (rates, start) = (Rates::default(), Timestamp::from_seconds(1000));
        let asked = (0..100).filter(|_| rates.token_may([1; 16], start)).count();
        assert_eq!(asked, 60);
        assert!(rates.token_may([2; 16], start), "each token has its own");
        assert!(!rates.token_may([1; 16], start));
        assert!(rates.token_may([1; 16], start.plus(Duration::from_secs(1))));
        let later = start.plus(Duration::from_secs(3600));
        assert_eq!(
            (0..100).filter(|_| rates.token_may([1; 16], later)).count(),
            60,
            "no more than a burst is saved up"
        );
    }

    #[test]
    fn neighbours_in_one_64_are_one_stranger() {
        let (rates, now) = (Rates::default(), Timestamp::from_seconds(1000));
        let wrong = |address: &str| rates.may_be_wrong(address.parse().unwrap(), now);
        assert_eq!((0..30).filter(|n| wrong(&format!("2001:db8::{n:x}"))).count(), 20);
        assert!(wrong("2001:db8:0:1::1") && wrong("192.0.2.1"));
        assert_eq!((0..30).filter(|_| wrong("::ffff:192.0.2.2")).count(), 20);
        assert!(!wrong("192.0.2.2"), "a mapped address is the same one");
    }
}
