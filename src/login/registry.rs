//! Which sessions are known in this process, so that ending one reaches its requests and streams.
//!
//! They are here and not in the session cache alone: a cache evicts, and a stream whose session was evicted could not be ended. An
//! entry stays until its session's latest possible end. Look-ups by session, login session and account are by hash; ending an
//! organization or a product walks over all, which happens on the back-room thread. The tables hold nothing but pointers: all that
//! is known of a session is in its entry, once.

use super::entry::Entry;
use crate::kernel::live::Whence;
use crate::kernel::model::Catalog;
use crate::kernel::values::{AccountId, LoginSessionId, ProductSessionId, Timestamp};
use hashbrown::HashTable;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Every session is in all three, once. A login has a child for each product, a person a few logins: these share a hash.
#[derive(Default)]
struct Tables {
    by_id: HashTable<Arc<Entry>>,
    by_login: HashTable<Arc<Entry>>,
    by_account: HashTable<Arc<Entry>>,
}

/// The sessions of this process.
#[derive(Default)]
pub(super) struct Registry(Mutex<Tables>);

impl Registry {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        // A panic while the lock was held leaves tables that are still whole: every method completes its inserts or removals
        // without a point that can panic in between.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts down until when a session's answer holds. Under the lock, because several cores may judge it at once, and what was judged
    /// under an older catalog never stands in the place of a newer judgement.
    pub(super) fn holds(&self, entry: &Entry, catalog: &Catalog, until: Timestamp, whence: Whence) {
        let _tables = self.tables();
        if !entry.is_of_later(catalog) {
            entry.holds(catalog, until, whence);
        }
    }

    /// Enters a session: the one that is known, if `is_same` holds for it. Another one is ended, and takes its place what `make`
    /// makes of the activity that all children of its login session share here.
    pub(super) fn enter(
        &self,
        (id, login, login_seen): (ProductSessionId, LoginSessionId, Timestamp),
        is_same: impl FnOnce(&Entry) -> bool,
        make: impl FnOnce(Arc<AtomicI64>) -> Entry,
    ) -> Arc<Entry> {
        let mut tables = self.tables();
        if let Some(known) = tables.get(id).filter(|known| is_same(known)) {
            known.login_seen.fetch_max(login_seen.millis(), Ordering::Relaxed);
            return Arc::clone(known);
        }
        // Managed by somebody else by now: what is open was opened under other rules.
        tables.end(id);
        let shared = tables.children(login).next().map(|sibling| Arc::clone(&sibling.login_seen));
        let shared = shared.unwrap_or_else(|| Arc::new(AtomicI64::new(login_seen.millis())));
        shared.fetch_max(login_seen.millis(), Ordering::Relaxed);
        let entry = Arc::new(make(shared));
        tables.insert(&entry);
        entry
    }

    /// A session that is known here.
    pub(super) fn get(&self, id: ProductSessionId) -> Option<Arc<Entry>> {
        self.tables().get(id).cloned()
    }

    /// The last activity in a login session's children here.
    pub(super) fn login_seen(&self, id: LoginSessionId) -> Option<Timestamp> {
        let tables = self.tables();
        let child = tables.children(id).next()?;
        Some(Timestamp::from_millis(child.login_seen.load(Ordering::Relaxed)))
    }

    /// Those for which `which` holds.
    pub(super) fn all_where(&self, which: impl Fn(&Entry) -> bool) -> Vec<Arc<Entry>> {
        self.tables().by_id.iter().filter(|entry| which(entry)).cloned().collect()
    }

    /// Ends one session here. Whether it was known.
    pub(super) fn end(&self, id: ProductSessionId) -> bool {
        self.tables().end(id)
    }

    /// Ends the children of a login session here. How many there were.
    pub(super) fn end_login(&self, id: LoginSessionId) -> usize {
        let mut tables = self.tables();
        let ids: Vec<_> = tables.children(id).map(|entry| entry.live.sid).collect();
        tables.end_all(&ids)
    }

    /// Ends all sessions of a person here. How many there were.
    pub(super) fn end_account(&self, id: AccountId) -> usize {
        let mut tables = self.tables();
        let of_person = tables.by_account.iter_hash(bits(id.to_bytes())).filter(|entry| entry.live.account == id);
        let ids: Vec<_> = of_person.map(|entry| entry.live.sid).collect();
        tables.end_all(&ids)
    }

    /// Ends every session for which `which` holds. How many there were.
    pub(super) fn end_where(&self, which: impl Fn(&Entry) -> bool) -> usize {
        let mut tables = self.tables();
        let ids: Vec<_> = tables.by_id.iter().filter(|entry| which(entry)).map(|entry| entry.live.sid).collect();
        tables.end_all(&ids)
    }

    /// Forgets sessions whose latest end has passed, ending what is still open in them.
    pub(super) fn expire(&self, now: Timestamp) -> usize {
        self.end_where(|entry| entry.abs_at <= now)
    }

    /// How many sessions are known here.
    pub(super) fn len(&self) -> usize {
        self.tables().by_id.len()
    }
}

impl Tables {
    fn get(&self, id: ProductSessionId) -> Option<&Arc<Entry>> {
        self.by_id.find(bits(id.to_bytes()), |entry| entry.live.sid == id)
    }

    fn children(&self, login: LoginSessionId) -> impl Iterator<Item = &Arc<Entry>> {
        self.by_login.iter_hash(bits(login.to_bytes())).filter(move |entry| entry.live.login == login)
    }

    fn insert(&mut self, entry: &Arc<Entry>) {
        self.by_id.insert_unique(by_id(entry), Arc::clone(entry), by_id);
        self.by_login.insert_unique(by_login(entry), Arc::clone(entry), by_login);
        self.by_account.insert_unique(by_account(entry), Arc::clone(entry), by_account);
    }

    /// Whether it was known.
    fn end(&mut self, id: ProductSessionId) -> bool {
        let Ok(found) = self.by_id.find_entry(bits(id.to_bytes()), |entry| entry.live.sid == id) else { return false };
        let (entry, _) = found.remove();
        for (table, hash) in [(&mut self.by_login, by_login(&entry)), (&mut self.by_account, by_account(&entry))] {
            if let Ok(found) = table.find_entry(hash, |one| Arc::ptr_eq(one, &entry)) {
                found.remove();
            }
        }
        entry.live.ended.cancel();
        true
    }

    fn end_all(&mut self, ids: &[ProductSessionId]) -> usize {
        ids.iter().filter(|id| self.end(**id)).count()
    }
}

fn by_id(entry: &Arc<Entry>) -> u64 {
    bits(entry.live.sid.to_bytes())
}

fn by_login(entry: &Arc<Entry>) -> u64 {
    bits(entry.live.login.to_bytes())
}

fn by_account(entry: &Arc<Entry>) -> u64 {
    bits(entry.live.account.to_bytes())
}

/// We mint ids ourselves, and their last bytes are random: they need no hashing.
fn bits(id: [u8; 16]) -> u64 {
    let [.., a, b, c, d, e, f, g, h] = id;
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::values::SessionKey;
    use crate::login::entry::tests::entry;

    fn session(id: u8) -> ProductSessionId {
        ProductSessionId::from_bytes([id; 16])
    }

    fn login(id: u8) -> LoginSessionId {
        LoginSessionId::from_bytes([id; 16])
    }

    fn enter(registry: &Registry, ids: [u8; 3], product: &str, seen: i64, is_same: bool) -> Arc<Entry> {
        let whose = (session(ids[0]), login(ids[1]), Timestamp::from_seconds(seen));
        let make = |login_seen| {
            let mut made = entry(SessionKey([ids[0]; 32]), ids, product);
            made.login_seen = login_seen;
            made
        };
        registry.enter(whose, |_| is_same, make)
    }

    /// Sessions 1 and 2 of one login, 3 of another login of the same person, 4 of somebody else.
    fn four() -> (Registry, [Arc<Entry>; 4]) {
        let registry = Registry::default();
        let entries = [([1, 1, 1], "a"), ([2, 1, 1], "b"), ([3, 2, 1], "a"), ([4, 3, 2], "a")]
            .map(|(ids, product)| enter(&registry, ids, product, 1, true));
        (registry, entries)
    }

    fn check(end: impl Fn(&Registry), expected: [bool; 4]) {
        let (registry, entries) = four();
        end(&registry);
        assert_eq!(entries.each_ref().map(|entry| entry.live.ended.is_cancelled()), expected);
        assert_eq!(registry.len(), expected.iter().filter(|ended| !**ended).count());
        // In none of the tables anything is left of what has ended.
        let tables = registry.tables();
        assert_eq!((tables.by_login.len(), tables.by_account.len()), (tables.by_id.len(), tables.by_id.len()));
        drop(tables);
        for (entry, ended) in entries.iter().zip(expected) {
            assert_eq!(Arc::strong_count(entry), if ended { 1 } else { 4 });
        }
    }

    #[test]
    fn each_end_reaches_its_own_sessions_and_no_other() {
        check(|r| assert!(r.end(session(1))), [true, false, false, false]);
        check(|r| assert_eq!(r.end_login(login(1)), 2), [true, true, false, false]);
        check(|r| assert_eq!(r.end_account(AccountId::from_bytes([1; 16])), 3), [true, true, true, false]);
        check(|r| assert_eq!(r.end_where(|entry| entry.live.product.as_str() == "a"), 3), [true, false, true, true]);
        check(|r| assert_eq!(r.expire(Timestamp::from_seconds(99)), 0), [false; 4]);
        check(|r| assert_eq!(r.expire(Timestamp::from_seconds(100)), 4), [true; 4]);
        check(|r| assert!(!r.end(session(9)) && r.end_login(login(9)) == 0), [false; 4]);
    }

    #[test]
    fn a_session_that_is_met_again_is_the_same_or_has_ended() {
        let (registry, entries) = four();
        let again = enter(&registry, [1, 1, 1], "a", 1, true);
        assert!(Arc::ptr_eq(&again, &entries[0]));
        let other = enter(&registry, [1, 1, 1], "a", 1, false);
        assert!(entries[0].live.ended.is_cancelled() && !other.live.ended.is_cancelled());
        assert!(registry.get(session(1)).is_some_and(|known| Arc::ptr_eq(&known, &other)));
        assert_eq!(registry.len(), 4);
        assert!(registry.end(session(1)) && other.live.ended.is_cancelled());
        assert!(!registry.end(session(1)) && registry.get(session(1)).is_none());
    }

    #[test]
    fn activity_is_shared_by_the_children_of_a_login_and_only_grows() {
        let (registry, entries) = four();
        enter(&registry, [2, 1, 1], "b", 7, true);
        enter(&registry, [1, 1, 1], "a", 5, true);
        assert_eq!(registry.login_seen(login(1)), Some(Timestamp::from_seconds(7)));
        entries[0].login_seen.store(9_000, Ordering::Relaxed);
        assert_eq!(registry.login_seen(login(1)), Some(Timestamp::from_seconds(9)));
        assert_eq!(entries[1].login_seen.load(Ordering::Relaxed), 9_000);
        assert_eq!(registry.login_seen(login(2)), Some(Timestamp::from_seconds(1)));
        assert_eq!(registry.login_seen(login(9)), None);
    }
}
