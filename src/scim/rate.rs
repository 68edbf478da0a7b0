//! How often a directory may ask, and how often somebody may be wrong. Per process, bounded, forgotten after a while.

use crate::kernel::values::{DirectoryId, Timestamp};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A directory may ask this often at once: a first synchronization runs some requests side by side …
const BURST: f64 = 1000.0;
/// … and this often a second for ever. Entra sends about 25.
const A_SECOND: f64 = 50.0;
/// An address may bring a wrong token this often at once …
const WRONG_BURST: f64 = 20.0;
/// … and this often a second for ever.
const WRONG_A_SECOND: f64 = 0.2;
/// At most this many askers are remembered; the longest silent are forgotten first.
const REMEMBERED: u64 = 10_000;

type Buckets<K> = moka::sync::Cache<K, Arc<Mutex<(f64, Timestamp)>>>;

/// Who asked how often.
pub(super) struct Rates {
    directories: Buckets<DirectoryId>,
    strangers: Buckets<IpAddr>,
}

impl Default for Rates {
    fn default() -> Self {
        Self { directories: buckets(), strangers: buckets() }
    }
}

fn buckets<K: Hash + Eq + Send + Sync + 'static>() -> Buckets<K> {
    moka::sync::Cache::builder().max_capacity(REMEMBERED).time_to_idle(Duration::from_secs(600)).build()
}

impl Rates {
    /// Whether a directory may ask now; counts it.
    pub(super) fn may_ask(&self, directory: DirectoryId, now: Timestamp) -> bool {
        take(&self.directories, directory, (BURST, A_SECOND), now)
    }

    /// Whether an address may be wrong once more; counts it. An IPv6 customer has a whole /64.
    pub(super) fn may_be_wrong(&self, client: IpAddr, now: Timestamp) -> bool {
        let network = match client.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
            v4 @ IpAddr::V4(_) => v4,
        };
        take(&self.strangers, network, (WRONG_BURST, WRONG_A_SECOND), now)
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
    fn each_directory_has_a_bucket_of_its_own() {
        let (rates, start) = (Rates::default(), Timestamp::from_seconds(1000));
        let [one, other] = [1, 2].map(|byte| DirectoryId::from_bytes([byte; 16]));
        assert_eq!((0..2000).filter(|_| rates.may_ask(one, start)).count(), 1000);
        assert!(rates.may_ask(other, start) && !rates.may_ask(one, start));
        assert!(rates.may_ask(one, start.plus(Duration::from_secs(1))));
        let stranger = IpAddr::from([192, 0, 2, 1]);
        assert_eq!((0..500).filter(|_| rates.may_be_wrong(stranger, start)).count(), 20);
    }
}
