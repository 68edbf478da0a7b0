//! Which sessions have something open in this process, so that ending one reaches its requests and streams.
//!
//! Tokens live here and not in the session cache: a cache evicts, and a stream whose token was evicted could not be ended. An
//! entry stays until its session's latest possible end. Look-ups by session, login session and account are by hash; ending an
//! organization or a product walks over all, which happens on the back-room thread.

use crate::kernel::values::{AccountId, LoginSessionId, OrgName, ProductName, ProductSessionId, Timestamp};
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
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

#[derive(Default)]
struct Tables {
    open: HashMap<ProductSessionId, Open>,
    by_login: HashMap<LoginSessionId, HashSet<ProductSessionId>>,
    by_account: HashMap<AccountId, HashSet<LoginSessionId>>,
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

    /// The token of a session: the one it has, or a new one.
    pub fn enter(&self, id: ProductSessionId, open: Open) -> CancellationToken {
        let mut tables = self.tables();
        if let Some(known) = tables.open.get(&id) {
            return known.ended.clone();
        }
        tables.by_login.entry(open.login).or_default().insert(id);
        tables.by_account.entry(open.account).or_default().insert(open.login);
        let token = open.ended.clone();
        tables.open.insert(id, open);
        token
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
        if let Some(children) = self.by_login.get_mut(&open.login) {
            children.remove(&id);
            if children.is_empty() {
                self.by_login.remove(&open.login);
                if let Some(logins) = self.by_account.get_mut(&open.account) {
                    logins.remove(&open.login);
                    if logins.is_empty() {
                        self.by_account.remove(&open.account);
                    }
                }
            }
        }
        Some(open)
    }

    fn end_login(&mut self, id: LoginSessionId) -> Vec<ProductSessionId> {
        let children: Vec<_> = self.by_login.get(&id).into_iter().flatten().copied().collect();
        for child in &children {
            if let Some(open) = self.take(*child) {
                open.ended.cancel();
            }
        }
        children
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

    /// Sessions 1 and 2 of one login, 3 of another login of the same person, 4 of somebody else.
    fn four() -> (Registry, [CancellationToken; 4]) {
        let registry = Registry::default();
        let tokens = [(1, 1, 1, "a"), (2, 1, 1, "b"), (3, 2, 1, "a"), (4, 3, 2, "a")]
            .map(|(id, login, account, product)| registry.enter(session(id), open(login, account, product)));
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
        let again = registry.enter(session(1), open(1, 1, "a"));
        registry.end(session(1));
        assert!(again.is_cancelled() && tokens[0].is_cancelled());
        assert!(!registry.end(session(1)));
    }
}
