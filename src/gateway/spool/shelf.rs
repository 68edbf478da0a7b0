//! What is kept now, and who may keep more: one per session, three per account, a share of the disk per node (rule H9).
//!
//! It knows names and sizes only. Files come and go beside it: room is taken before the first byte is written.

use super::seal::Id;
use crate::kernel::values::{AccountId, ProductSessionId, Timestamp};
use aws_lc_rs::digest::{SHA256, digest};
use std::collections::HashMap;
use std::time::Duration;

/// How long a request is kept (rule H9).
pub(in crate::gateway) const LIFE: Duration = Duration::from_secs(15 * 60);

/// How many an account may have.
const PER_ACCOUNT: usize = 3;

/// How many a node may have, however small: each is an entry in memory and a file.
const PER_NODE: usize = 10_000;

/// A file's name: what is on disk says when, and groups what belongs to one person, but not to whom.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Name {
    pub(super) id: Id,
    pub(super) session: [u8; 8],
    pub(super) account: [u8; 8],
    /// Whether a form sent it, not a script.
    pub(super) form: bool,
    pub(super) at: Timestamp,
}

impl Name {
    pub(super) fn new(id: Id, whose: (ProductSessionId, AccountId), form: bool, at: Timestamp) -> Self {
        let (session, account) = (short(b"session", &whose.0.to_bytes()), short(b"account", &whose.1.to_bytes()));
        Self { id, session, account, form, at }
    }

    /// When it must be gone.
    pub(super) fn until(&self) -> Timestamp {
        self.at.plus(LIFE)
    }

    pub(super) fn file(&self) -> String {
        let by = if self.form { "form" } else { "script" };
        format!("{}-{}-{}-{by}-{}", hex(&self.id), hex(&self.session), hex(&self.account), self.at.millis())
    }

    /// Reads [`Self::file`].
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, '-');
        let (id, session, account) = (parts.next()?, parts.next()?, parts.next()?);
        let form = parts.next()? == "form";
        let at = Timestamp::from_millis(parts.next()?.parse().ok()?);
        let name = Self { id: unhex(id)?, session: unhex(session)?, account: unhex(account)?, form, at };
        (name.file() == text).then_some(name)
    }
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads [`hex`].
pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != N * 2 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(place * 2..place * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// An id that has 80 random bits, so that its digest says nothing.
fn short(what: &[u8], id: &[u8; 16]) -> [u8; 8] {
    let whole = digest(&SHA256, &[b"fedgate spool ", what, b" ".as_slice(), id].concat());
    let mut short = [0; 8];
    for (to, from) in short.iter_mut().zip(whole.as_ref()) {
        *to = *from;
    }
    short
}

/// There is no room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Full;

/// A kept request, or one that is being written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Held {
    pub(super) name: Name,
    /// What it has, or may have in the end.
    bytes: u64,
    /// It was written to its end.
    pub(super) whole: bool,
}

/// What is kept, by name and bytes.
#[derive(Default)]
pub(super) struct Shelf {
    kept: HashMap<Id, Held>,
    bytes: u64,
}

impl Shelf {
    /// Takes room for at most so many bytes, of `share` for everybody. A session has one: the newest, because a person who sends
    /// a form twice looks at the second answer; but what a script sends in the background never pushes a form out. Gives what
    /// must go for it.
    pub(super) fn take(&mut self, name: Name, bytes: u64, share: u64) -> Result<Option<Held>, Full> {
        let before = self.kept.values().find(|other| other.name.session == name.session).copied();
        let outranked = before.is_some_and(|other| other.name.form && !name.form);
        let others = |other: &&Held| other.name.account == name.account && other.name.session != name.session;
        let of_account = self.kept.values().filter(others).count();
        let freed = before.map_or(0, |other| other.bytes);
        let fits = self.bytes.saturating_sub(freed).saturating_add(bytes) <= share && self.kept.len() < PER_NODE;
        if outranked || of_account >= PER_ACCOUNT || !fits || self.kept.contains_key(&name.id) {
            return Err(Full);
        }
        let gone = before.and_then(|other| self.remove(&other.name.id));
        self.put(Held { name, bytes, whole: false });
        Ok(gone)
    }

    /// What was found on disk at start; nobody is asked.
    pub(super) fn found(&mut self, name: Name, bytes: u64) {
        self.put(Held { name, bytes, whole: true });
    }

    fn put(&mut self, held: Held) {
        self.bytes = self.bytes.saturating_add(held.bytes);
        if let Some(before) = self.kept.insert(held.name.id, held) {
            self.bytes = self.bytes.saturating_sub(before.bytes);
        }
    }

    pub(super) fn holds(&self, id: &Id) -> bool {
        self.kept.contains_key(id)
    }

    /// Bytes that are kept or being written.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// It is written, and has this size. Full when a newer one of its session has pushed it out meanwhile.
    pub(super) fn settle(&mut self, id: &Id, bytes: u64) -> Result<(), Full> {
        let held = self.kept.get_mut(id).ok_or(Full)?;
        self.bytes = self.bytes.saturating_sub(held.bytes).saturating_add(bytes);
        (held.bytes, held.whole) = (bytes, true);
        Ok(())
    }

    /// Gives the room back.
    pub(super) fn remove(&mut self, id: &Id) -> Option<Held> {
        let held = self.kept.remove(id)?;
        self.bytes = self.bytes.saturating_sub(held.bytes);
        Some(held)
    }

    /// Those that must go.
    pub(super) fn overdue(&self, now: Timestamp) -> Vec<Name> {
        self.kept.values().map(|held| held.name).filter(|name| now >= name.until()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn name(id: u8, session: u8, account: u8) -> Name {
        let whose = (ProductSessionId::from_bytes([session; 16]), AccountId::from_bytes([account; 16]));
        Name::new([id; 16], whose, true, NOW)
    }

    #[test]
    fn h9_quotas_of_account_and_node() {
        let mut shelf = Shelf::default();
        let mut check = |id, session, account, bytes, fits| {
            assert_eq!(shelf.take(name(id, session, account), bytes, 100).is_ok(), fits, "{id}");
        };
        check(1, 1, 1, 10, true);
        check(3, 2, 1, 10, true);
        check(4, 3, 1, 10, true);
        check(5, 4, 1, 10, false); // a fourth of this account
        check(6, 5, 2, 71, false); // more than the node's share
        check(7, 5, 2, 70, true);
        check(8, 6, 3, 1, false);
        assert_eq!((shelf.settle(&[7; 16], 5), shelf.settle(&[99; 16], 5)), (Ok(()), Err(Full)));
        assert_eq!(shelf.take(name(8, 6, 3), 65, 100), Ok(None), "what was not needed is free again");
        assert!(shelf.remove(&[1; 16]).is_some() && shelf.remove(&[1; 16]).is_none());
        assert_eq!(shelf.take(name(2, 1, 1), 10, 100), Ok(None));
        assert_eq!(shelf.take(name(2, 9, 9), 0, 100), Err(Full), "an id names one");
    }

    #[test]
    fn h9_a_session_keeps_its_newest_and_no_script_pushes_a_form_out() {
        let script = |id| Name { form: false, ..name(id, 1, 1) };
        let mut shelf = Shelf::default();
        let gone = |name, whole| Ok(Some(Held { name, bytes: 60, whole }));
        assert_eq!(shelf.take(script(1), 60, 100), Ok(None));
        assert_eq!(shelf.take(script(2), 60, 100), gone(script(1), false), "its own room is free for it");
        assert_eq!(shelf.settle(&[2; 16], 60), Ok(()));
        assert_eq!(shelf.take(name(3, 1, 1), 60, 100), gone(script(2), true));
        assert_eq!(shelf.take(script(4), 1, 100), Err(Full));
        assert_eq!(shelf.take(name(5, 1, 1), 101, 100), Err(Full));
        assert!(shelf.holds(&[3; 16]), "what does not fit pushes nothing out");
        assert_eq!(shelf.take(name(6, 1, 1), 60, 100), gone(name(3, 1, 1), false));
        assert_eq!(shelf.bytes(), 60);
    }

    #[test]
    fn h9_fifteen_minutes_and_no_longer() {
        let mut shelf = Shelf::default();
        shelf.found(name(1, 1, 1), 10);
        assert!(shelf.overdue(NOW.plus(LIFE).minus(Duration::from_millis(1))).is_empty());
        assert_eq!(shelf.overdue(NOW.plus(LIFE)), [name(1, 1, 1)]);
    }

    #[test]
    fn a_file_name_reads_back_and_nothing_else_does() {
        let one = name(1, 2, 3);
        assert_eq!(Name::parse(&one.file()), Some(one));
        let file = one.file();
        for text in ["", "node", "a-b-c-form-1", &file[1..], &file.to_uppercase(), &format!("{file}-1")] {
            assert_eq!(Name::parse(text), None, "{text}");
        }
        assert_ne!(name(1, 2, 2).session, name(1, 2, 2).account, "one digest is not the other's");
    }
}
