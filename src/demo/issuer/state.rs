//! What a provider remembers: sessions, codes, access tokens. Each table is bounded; the oldest entry makes room.

use std::collections::{HashMap, VecDeque};

use crate::demo::people::Person;

/// Entries of each table. A demonstration has few visitors; a flood must not take the machine's memory.
const MOST: usize = 1_000;

/// A code may be redeemed this many seconds after it was issued (RFC 6749 §4.1.2 recommends at most ten minutes).
pub(super) const CODE_SECONDS: i64 = 60;
/// An access token opens userinfo for this many seconds.
pub(super) const TOKEN_SECONDS: i64 = 600;

#[derive(Default)]
pub(super) struct State {
    pub(super) sessions: Table<Session>,
    pub(super) codes: Table<Code>,
    pub(super) tokens: Table<Token>,
}

/// A browser in which someone logged in.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) person: &'static Person,
    /// When the password was typed, Unix seconds.
    pub(super) auth_time: i64,
    /// `sid` of ID tokens.
    pub(super) sid: String,
}

/// An authorization code and what it is bound to.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) client: String,
    pub(super) redirect_uri: String,
    pub(super) nonce: Option<String>,
    pub(super) challenge: String,
    pub(super) scope: String,
    pub(super) session: Session,
    pub(super) expires: i64,
    /// Set by the first attempt to redeem it, good or bad.
    pub(super) spent: bool,
    /// The access token that it gave, to be revoked when the code comes again (RFC 6749 §4.1.2).
    pub(super) token: Option<String>,
}

/// An access token for userinfo.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) person: &'static Person,
    pub(super) expires: i64,
}

/// A bounded map from random handles.
pub(in crate::demo) struct Table<T> {
    entries: HashMap<String, T>,
    order: VecDeque<String>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new() }
    }
}

impl<T> Table<T> {
    pub(in crate::demo) fn insert(&mut self, handle: String, value: T) {
        while self.order.len() >= MOST {
            if let Some(oldest) = self.order.pop_front() {
                self.entries.remove(&oldest);
            }
        }
        self.order.push_back(handle.clone());
        self.entries.insert(handle, value);
    }

    pub(in crate::demo) fn find(&self, handle: &str) -> Option<&T> {
        self.entries.get(handle)
    }

    pub(super) fn find_mut(&mut self, handle: &str) -> Option<&mut T> {
        self.entries.get_mut(handle)
    }

    pub(in crate::demo) fn remove(&mut self, handle: &str) {
        self.entries.remove(handle);
        self.order.retain(|kept| kept != handle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_forgets_its_oldest_entry() {
        let mut table = Table::default();
        for number in 0..=MOST {
            table.insert(number.to_string(), number);
        }
        assert_eq!((table.find("0"), table.find("1"), table.entries.len()), (None, Some(&1), MOST));
        table.remove("1");
        assert_eq!((table.find("1"), table.order.len()), (None, MOST - 1));
    }
}
