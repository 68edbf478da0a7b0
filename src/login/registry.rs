//! Which sessions have something open in this process, so that ending one reaches its requests and streams.
//!
//! Tokens live here and not in the session cache: a cache evicts, and a stream whose token was evicted could not be ended. An
//! entry stays until its session's latest possible end. Look-ups by session, login session and account are by hash; ending an
//! organization or a product walks over all, which happens on the back-room thread.

use crate::kernel::values::{AccountId, LoginSessionId, OrgName, ProductName, ProductSessionId, Timestamp};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// What must be known to end a session.
#[derive(Clone, Debug)]
pub struct Open {
    /// Its parent.
    pub login: LoginSessionId,
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub product: ProductName,
    /// Who manages the person.
    pub org: Option<OrgName>,
    /// Its latest possible end.
    pub abs_at: Timestamp,
    /// Ends everything that is open in it.
    pub ended: CancellationToken,
}

/// The lists are short: a login has a child for each product, a person a few logins.
#[derive(Default)]
struct Tables {
    open: HashMap<ProductSessionId, Open>,
    by_login: HashMap<LoginSessionId, Family>,
    by_account: HashMap<AccountId, Vec<LoginSessionId>>,
}

/// The sessions of one login.
struct Family {
    children: Vec<ProductSessionId>,
    /// Milliseconds of the last activity in any of them.
    seen: Arc<AtomicI64>,
}

/// A session's place in the registry.
#[derive(Clone, Debug)]
pub struct Entered {
    /// Ends with the session.
    pub ended: CancellationToken,
    /// Milliseconds of the last activity in its login session, shared by all children of that here.
    pub login_seen: Arc<AtomicI64>,
}

/// The sessions of this process.
#[derive(Default)]
pub struct Registry(Mutex<Tables>);

impl Registry {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        // A panic while the lock was held leaves tables that are still whole: every method completes its inserts or removals
        // without a point that can panic in between.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a session whose login session was last active then: the token is the one it has, or that of `open`.
    pub fn enter(&self, id: ProductSessionId, open: Open, login_seen: Timestamp) -> Entered {
        let mut tables = self.tables();
        let family = tables.by_login.entry(open.login).or_insert_with(|| Family {
            children: Vec::with_capacity(1),
            seen: Arc::new(AtomicI64::new(login_seen.millis())),
        });
        family.seen.fetch_max(login_seen.millis(), Ordering::Relaxed);
        let login_seen = Arc::clone(&family.seen);
        add(&mut family.children, id);
        add(tables.by_account.entry(open.account).or_insert_with(|| Vec::with_capacity(1)), open.login);
        let ended = tables.open.entry(id).or_insert(open).ended.clone();
        Entered { ended, login_seen }
    }

    /// The last activity in a login session's children here.
    pub fn login_seen(&self, id: LoginSessionId) -> Option<Timestamp> {
        let tables = self.tables();
        tables.by_login.get(&id).map(|family| Timestamp::from_millis(family.seen.load(Ordering::Relaxed)))
    }

    /// Ends one session here. Whether it was known.
    pub fn end(&self, id: ProductSessionId) -> bool {
        self.tables().take(id).is_some_and(|open| {
            open.ended.cancel();
            true
        })
    }

    /// Ends the children of a login session here.
    pub fn end_login(&self, id: LoginSessionId) -> Vec<ProductSessionId> {
        self.tables().end_login(id)
    }

    /// Ends all sessions of a person here.
    pub fn end_account(&self, id: AccountId) -> Vec<ProductSessionId> {
        let mut tables = self.tables();
        let logins = tables.by_account.remove(&id).unwrap_or_default();
        logins.into_iter().flat_map(|login| tables.end_login(login)).collect()
    }

    /// Ends every session for which `which` holds.
    pub fn end_where(&self, which: impl Fn(&Open) -> bool) -> Vec<ProductSessionId> {
        let mut tables = self.tables();
        let ids: Vec<_> = tables.open.iter().filter(|(_, open)| which(open)).map(|(id, _)| *id).collect();
        for id in &ids {
            if let Some(open) = tables.take(*id) {
                open.ended.cancel();
            }
        }
        ids
    }

    /// Forgets sessions whose latest end has passed, ending what is still open in them.
    pub fn expire(&self, now: Timestamp) -> usize {
        self.end_where(|open| open.abs_at <= now).len()
    }

    /// How many sessions are known here.
    pub fn len(&self) -> usize {
        self.tables().open.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Tables {
    fn take(&mut self, id: ProductSessionId) -> Option<Open> {
        let open = self.open.remove(&id)?;
        if let Some(family) = self.by_login.get_mut(&open.login) {
            family.children.retain(|child| *child != id);
            if family.children.is_empty() {
                self.by_login.remove(&open.login);
                if let Some(logins) = self.by_account.get_mut(&open.account) {
                    logins.retain(|login| *login != open.login);
                    if logins.is_empty() {
                        self.by_account.remove(&open.account);
                    }
                }
            }
        }
        Some(open)
    }

    fn end_login(&mut self, id: LoginSessionId) -> Vec<ProductSessionId> {
        let children = self.by_login.get(&id).map(|family| family.children.clone()).unwrap_or_default();
        for child in &children {
            if let Some(open) = self.take(*child) {
                open.ended.cancel();
            }
        }
        children
    }
}

fn add<T: PartialEq>(list: &mut Vec<T>, one: T) {
    if !list.contains(&one) {
        list.push(one);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(login: u8, account: u8, product: &str) -> Open {
        Open {
            login: LoginSessionId::from_bytes([login; 16]),
            account: AccountId::from_bytes([account; 16]),
            product: ProductName::parse(product).unwrap(),
            org: None,
            abs_at: Timestamp::from_seconds(100),
            ended: CancellationToken::new(),
        }
    }

    fn session(id: u8) -> ProductSessionId {
        ProductSessionId::from_bytes([id; 16])
    }

    fn enter(registry: &Registry, id: u8, open: Open) -> CancellationToken {
        registry.enter(session(id), open, Timestamp::from_seconds(1)).ended
    }

    /// Sessions 1 and 2 of one login, 3 of another login of the same person, 4 of somebody else.
    fn four() -> (Registry, [CancellationToken; 4]) {
        let registry = Registry::default();
        let tokens = [(1, 1, 1, "a"), (2, 1, 1, "b"), (3, 2, 1, "a"), (4, 3, 2, "a")]
            .map(|(id, login, account, product)| enter(&registry, id, open(login, account, product)));
        (registry, tokens)
    }

    fn check(end: impl Fn(&Registry), expected: [bool; 4]) {
        let (registry, tokens) = four();
        end(&registry);
        assert_eq!(tokens.map(|token| token.is_cancelled()), expected);
        assert_eq!(registry.len(), expected.iter().filter(|ended| !**ended).count());
    }

    #[test]
    fn each_end_reaches_its_own_sessions_and_no_other() {
        check(|r| assert!(r.end(session(1))), [true, false, false, false]);
        check(|r| assert_eq!(r.end_login(LoginSessionId::from_bytes([1; 16])).len(), 2), [true, true, false, false]);
        check(|r| assert_eq!(r.end_account(AccountId::from_bytes([1; 16])).len(), 3), [true, true, true, false]);
        check(|r| assert_eq!(r.end_where(|open| open.product.as_str() == "a").len(), 3), [true, false, true, true]);
        check(|r| assert_eq!(r.expire(Timestamp::from_seconds(99)), 0), [false; 4]);
        check(|r| assert_eq!(r.expire(Timestamp::from_seconds(100)), 4), [true; 4]);
    }

    #[test]
    fn a_session_keeps_its_token_when_it_is_met_again() {
        let (registry, tokens) = four();
        let again = enter(&registry, 1, open(1, 1, "a"));
        registry.end(session(1));
        assert!(again.is_cancelled() && tokens[0].is_cancelled());
        assert!(!registry.end(session(1)));
    }

    #[test]
    fn activity_is_shared_by_the_children_of_a_login_and_only_grows() {
        let (registry, _) = four();
        let entered = registry.enter(session(2), open(1, 1, "b"), Timestamp::from_seconds(7));
        registry.enter(session(1), open(1, 1, "a"), Timestamp::from_seconds(5));
        assert_eq!(registry.login_seen(LoginSessionId::from_bytes([1; 16])), Some(Timestamp::from_seconds(7)));
        entered.login_seen.store(9_000, Ordering::Relaxed);
        assert_eq!(registry.login_seen(LoginSessionId::from_bytes([1; 16])), Some(Timestamp::from_seconds(9)));
        assert_eq!(registry.login_seen(LoginSessionId::from_bytes([9; 16])), None);
    }
}
