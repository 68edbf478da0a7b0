//! Judged sessions by their key, a bounded number of them.
//!
//! A shard is locked for the moment of one look-up; a session's key is a keyed hash already (rule H12), so its own bits choose the
//! shard and the place. A full shard forgets the eighth that was idle longest. What is forgotten is read from the store again; it is
//! not ended: what is open in it is in the registry.

use super::entry::Entry;
use crate::kernel::values::SessionKey;
use hashbrown::HashTable;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

const SHARDS: usize = 256;

/// The sessions of all cores.
pub(super) struct Cache {
    shards: Box<[RwLock<HashTable<Arc<Entry>>>]>,
    /// How many a shard holds.
    room: usize,
}

impl Cache {
    /// Room for about so many; at least one in each shard.
    pub(super) fn new(capacity: usize) -> Self {
        Self { shards: (0..SHARDS).map(|_| RwLock::default()).collect(), room: (capacity / SHARDS).max(1) }
    }

    /// The session of this key.
    pub(super) fn get(&self, key: &SessionKey) -> Option<Arc<Entry>> {
        self.read(key)?.find(bits(key), |entry| entry.key == *key).cloned()
    }

    /// Enters a session, in place of what its key had.
    pub(super) fn insert(&self, entry: Arc<Entry>) {
        let Some(mut shard) = self.write(&entry.key) else { return };
        let key = entry.key;
        if let Ok(known) = shard.find_entry(bits(&key), |known| known.key == key) {
            known.remove();
        } else if shard.len() >= self.room {
            forget_some(&mut shard);
        }
        shard.insert_unique(bits(&key), entry, |entry| bits(&entry.key));
    }

    /// Forgets one session.
    pub(super) fn invalidate(&self, key: &SessionKey) {
        let Some(mut shard) = self.write(key) else { return };
        if let Ok(known) = shard.find_entry(bits(key), |known| known.key == *key) {
            known.remove();
        }
    }

    /// Forgets all.
    pub(super) fn invalidate_all(&self) {
        for shard in &self.shards {
            shard.write().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    fn shard(&self, key: &SessionKey) -> Option<&RwLock<HashTable<Arc<Entry>>>> {
        // Another byte than those that choose the place in the shard.
        let [.., last] = key.0;
        self.shards.get(usize::from(last) % SHARDS)
    }

    /// A panic under the lock leaves a table that is whole.
    fn read(&self, key: &SessionKey) -> Option<RwLockReadGuard<'_, HashTable<Arc<Entry>>>> {
        Some(self.shard(key)?.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, key: &SessionKey) -> Option<RwLockWriteGuard<'_, HashTable<Arc<Entry>>>> {
        Some(self.shard(key)?.write().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Makes room: what has ended goes, and of the others the eighth that was idle longest. One that is in use by many comes back.
fn forget_some(shard: &mut HashTable<Arc<Entry>>) {
    shard.retain(|entry| !entry.live.ended.is_cancelled());
    let mut seen: Vec<_> = shard.iter().map(|entry| entry.seen()).collect();
    let (mut going, place) = (seen.len().div_ceil(8), seen.len() / 8);
    if seen.is_empty() {
        return;
    }
    let (_, last, _) = seen.select_nth_unstable(place);
    let last = *last;
    // Many may have been seen in one and the same moment.
    shard.retain(|entry| {
        let goes = going > 0 && entry.seen() <= last;
        going -= usize::from(goes);
        !goes
    });
}

fn bits(key: &SessionKey) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = key.0;
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::entry::tests::entry;
    use std::sync::atomic::Ordering;

    /// A key of shard 0.
    fn key(number: u64) -> SessionKey {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_ne_bytes());
        SessionKey(bytes)
    }

    fn insert(cache: &Cache, number: u64, seen: i64) -> Arc<Entry> {
        let entry = Arc::new(entry(key(number), [1, 1, 1], "a"));
        entry.live.last_seen.store(seen, Ordering::Relaxed);
        cache.insert(Arc::clone(&entry));
        entry
    }

    #[test]
    fn what_was_entered_is_found_until_it_is_forgotten() {
        let cache = Cache::new(1_000_000);
        let one = insert(&cache, 1, 0);
        insert(&cache, 2, 0);
        assert!(cache.get(&key(1)).is_some_and(|found| Arc::ptr_eq(&found, &one)));
        let again = insert(&cache, 1, 0);
        assert!(cache.get(&key(1)).is_some_and(|found| Arc::ptr_eq(&found, &again)));
        assert_eq!(cache.len(), 2);
        // The same place, another session.
        let mut other = key(1);
        other.0[20] ^= 1;
        assert!(cache.get(&other).is_none());
        cache.invalidate(&other);
        cache.invalidate(&key(1));
        assert!(cache.get(&key(1)).is_none() && cache.get(&key(2)).is_some());
        cache.invalidate_all();
        assert_eq!(cache.len(), 0);
    }

    #[test]
    fn a_full_shard_forgets_what_ended_and_what_was_idle_longest_and_never_grows() {
        let room = 80;
        let cache = Cache::new(room * SHARDS);
        let entries: Vec<_> = (0..80).map(|number| insert(&cache, number, i64::try_from(number).unwrap())).collect();
        entries[79].live.ended.cancel();
        insert(&cache, 80, 100);
        let kept = |number: u64| cache.get(&key(number)).is_some();
        assert!(!kept(79), "it has ended");
        assert!((0..10).all(|number| !kept(number)) && (10..79).all(kept) && kept(80));
        // All of one moment: still a few go, and only a few.
        for number in 1_000..2_000 {
            insert(&cache, number, 200);
            assert!(cache.len() <= room && kept(number));
        }
        assert!(cache.len() > room / 2);
    }
}
