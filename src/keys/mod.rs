//! Keys: what signs, seals and authenticates, kept in the store sealed under one key that is not in the store (rule H12).
//!
//! One kind of key per purpose, never two purposes with one key (rule M21). Rows are sealed with their kind and generation, so an
//! old row put back or moved to another kind does not open (rule M23). Deliberately absent: the store (rows come and go as values),
//! clocks and randomness for new keys (arguments). A new kind is a variant of [`Kind`]; a new thing to seal is a [`Purpose`];
//! secrets of other rooms in rows of their own are in `item`.

mod admin;
mod assertion;
mod audit;
mod canonical;
mod credential;
mod ec;
mod item;
mod kek;
mod kind;
mod mac;
mod relink;
mod rotate;
mod sealing;

pub use assertion::{AssertionClaims, MAX_LIFETIME};
pub use audit::AuditSigner;
pub use credential::Lookup;
pub use kek::{Kek, KekFault};
pub use kind::Kind;
pub use rotate::Rotation;
pub use sealing::Purpose;

use crate::kernel::journal::KeyRow;
use crate::kernel::values::{DirectoryId, Timestamp};
use arc_swap::ArcSwap;
use ec::EcKey;
use mac::MacKey;
use sealing::SealingKey;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use zeroize::Zeroizing;

/// Why keys cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyFault {
    /// A row was not sealed under this key-encryption key, or is not the row that it says it is.
    #[error("key {kind} generation {generation} does not open: another key-encryption key, or a changed row")]
    Sealed {
        /// The row's kind.
        kind: String,
        /// The row's generation.
        generation: u32,
    },
    /// A row opens and holds no key of its kind.
    #[error("key {kind} generation {generation} is not a key of that kind")]
    Malformed {
        /// The row's kind.
        kind: String,
        /// The row's generation.
        generation: u32,
    },
    /// There is no key of this kind.
    #[error("there is no key {0}")]
    Missing(String),
    /// The library could not sign or seal. Nothing was made.
    #[error("signing or sealing failed")]
    Crypto,
}

/// All keys of this gateway. A clone shares them; [`Keys::reopen`] changes them for every clone.
#[derive(Clone)]
pub struct Keys {
    ring: Arc<ArcSwap<Ring>>,
    behind: Arc<AtomicBool>,
}

/// The opened keys, each list oldest generation first and never empty.
struct Ring {
    assertion: Generations<EcKey>,
    audit: Generations<AuditSigner>,
    token: Generations<MacKey>,
    row: Generations<MacKey>,
    cookie: Generations<SealingKey>,
    csrf: Generations<MacKey>,
    credential: Generations<MacKey>,
    factor: Generations<SealingKey>,
    clients: HashMap<DirectoryId, Generations<EcKey>>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(…)")
    }
}

/// A row before it is sealed.
const KEY_BYTES: usize = 32;
/// What a row holds.
type Raw = Zeroizing<[u8; KEY_BYTES]>;

impl Keys {
    /// The kinds that every gateway has, and a client key for each directory that uses `private_key_jwt` (rule H20).
    pub fn wanted(clients: impl IntoIterator<Item = DirectoryId>) -> Vec<Kind> {
        Kind::EVERYWHERE.into_iter().chain(clients.into_iter().map(Kind::Client)).collect()
    }

    /// Makes the rows that are missing: for assertions two generations, so that the next key is published before it signs; one
    /// of every other kind. `random` gives fresh bytes at each call.
    ///
    /// # Errors
    /// [`KeyFault::Crypto`] when sealing fails.
    pub fn missing(
        kek: &Kek,
        rows: &[KeyRow],
        wanted: &[Kind],
        now: Timestamp,
        random: &mut dyn FnMut() -> [u8; 32],
    ) -> Result<Vec<KeyRow>, KeyFault> {
        kek.settle(rows);
        let mut made = Vec::new();
        for kind in wanted {
            let name = kind.to_string();
            let have = rows.iter().filter(|row| row.kind == name).count();
            let newest = rows.iter().filter(|row| row.kind == name).map(|row| row.generation).max().unwrap_or(0);
            let lacking = kind.generations().saturating_sub(have);
            for generation in (newest.saturating_add(1)..).take(lacking) {
                made.push(Self::next(kek, *kind, generation, now, random)?);
            }
        }
        Ok(made)
    }

    /// Makes one row: for rotation, with the generation after the newest.
    ///
    /// # Errors
    /// [`KeyFault::Crypto`] when sealing fails.
    pub fn next(
        kek: &Kek,
        kind: Kind,
        generation: u32,
        now: Timestamp,
        random: &mut dyn FnMut() -> [u8; 32],
    ) -> Result<KeyRow, KeyFault> {
        Self::next_above(kek, (kind, generation, 0), now, random)
    }

    /// The same, with the oldest generation that is believed beside it.
    fn next_above(
        kek: &Kek,
        (kind, generation, floor): (Kind, u32, u32),
        now: Timestamp,
        random: &mut dyn FnMut() -> [u8; 32],
    ) -> Result<KeyRow, KeyFault> {
        let mut raw: Raw = Zeroizing::new(random());
        // About one in 2^32 draws is not a P-256 scalar.
        while kind.is_ec() && !EcKey::is_scalar(&raw) {
            raw = Zeroizing::new(random());
        }
        let kind = kind.to_string();
        let sealed = kek.seal_row(&kind, generation, &rotate::content(&raw, floor)).ok_or(KeyFault::Crypto)?;
        Ok(KeyRow { kind, generation, sealed, created_at: now })
    }

    /// Opens the rows, which are all there are: by them it is known which of two key-encryption keys seals. Kinds that this release does not
    /// know are left alone.
    ///
    /// # Errors
    /// The first row that does not open, or the first kind that is missing.
    pub fn open(kek: &Kek, rows: &[KeyRow]) -> Result<Self, KeyFault> {
        Ok(Self { ring: Arc::new(ArcSwap::from_pointee(Ring::open(kek, rows)?)), behind: Arc::default() })
    }

    /// Replaces the keys of this value and all its clones, whole or not at all.
    ///
    /// # Errors
    /// As [`Keys::open`]; the old keys then stay.
    pub fn reopen(&self, kek: &Kek, rows: &[KeyRow]) -> Result<(), KeyFault> {
        self.ring.store(Arc::new(Ring::open(kek, rows)?));
        self.behind.store(false, Ordering::Release);
        Ok(())
    }

    /// The stored keys changed, and have to be opened again.
    pub fn mark_behind(&self) {
        self.behind.store(true, Ordering::Release);
    }

    /// Whether these keys are known to be of before a change: nobody is let in by them until [`Keys::reopen`] succeeds.
    pub fn is_behind(&self) -> bool {
        self.behind.load(Ordering::Acquire)
    }

    /// The signer of checkpoints with its generation, the newest.
    pub fn audit_signer(&self) -> (u32, AuditSigner) {
        self.ring.load().audit.newest.clone()
    }

    /// The signer before it, which signs the newest key's first checkpoint (rule H13: the successor is signed by its predecessor).
    pub fn earlier_audit_signers(&self) -> Vec<AuditSigner> {
        let ring = self.ring.load();
        ring.audit.iter().rev().skip(1).map(|(_, signer)| signer.clone()).collect()
    }
}

impl Ring {
    fn open(kek: &Kek, rows: &[KeyRow]) -> Result<Self, KeyFault> {
        kek.settle(rows);
        let of = |kind: Kind| opened(kek, rows, kind);
        let mut clients = HashMap::new();
        for kind in rows.iter().filter_map(|row| Kind::parse(&row.kind)) {
            if let Kind::Client(directory) = kind {
                clients.insert(directory, Generations::of(kind, of(kind)?, EcKey::new)?);
            }
        }
        Ok(Self {
            assertion: Generations::of(Kind::Assertion, of(Kind::Assertion)?, EcKey::new)?,
            audit: Generations::of(Kind::Audit, of(Kind::Audit)?, AuditSigner::new)?,
            token: Generations::of(Kind::Token, of(Kind::Token)?, MacKey::new)?,
            row: Generations::of(Kind::Row, of(Kind::Row)?, MacKey::new)?,
            cookie: Generations::of(Kind::Cookie, of(Kind::Cookie)?, SealingKey::new)?,
            csrf: Generations::of(Kind::Csrf, of(Kind::Csrf)?, MacKey::new)?,
            credential: Generations::of(Kind::Credential, of(Kind::Credential)?, MacKey::new)?,
            factor: Generations::of(Kind::Factor, of(Kind::Factor)?, SealingKey::new)?,
            clients,
        })
    }
}

/// The rows of one kind, opened, oldest first.
fn opened(kek: &Kek, rows: &[KeyRow], kind: Kind) -> Result<Vec<(u32, Raw)>, KeyFault> {
    let name = kind.to_string();
    let (mut found, mut floor) = (Vec::new(), 0);
    for row in rows.iter().filter(|row| row.kind == name) {
        let fault = || KeyFault::Sealed { kind: name.clone(), generation: row.generation };
        let plain = kek.open_row(&name, row.generation, &row.sealed).ok_or_else(fault)?;
        let malformed = || KeyFault::Malformed { kind: name.clone(), generation: row.generation };
        let (raw, above) = rotate::read(&plain).ok_or_else(malformed)?;
        floor = floor.max(above);
        found.push((row.generation, raw));
    }
    // A row below was taken away, and somebody has put it back.
    found.retain(|(generation, _)| *generation >= floor);
    found.sort_by_key(|(generation, _)| *generation);
    Ok(found)
}

/// Keys of one kind, oldest generation first, at least one.
struct Generations<K> {
    older: Vec<(u32, K)>,
    newest: (u32, K),
}

impl<K> Generations<K> {
    fn of(kind: Kind, raw: Vec<(u32, Raw)>, make: fn(&Raw) -> Option<K>) -> Result<Self, KeyFault> {
        let mut keys = Vec::with_capacity(raw.len());
        for (generation, raw) in raw {
            let fault = || KeyFault::Malformed { kind: kind.to_string(), generation };
            keys.push((generation, make(&raw).ok_or_else(fault)?));
        }
        let newest = keys.pop().ok_or_else(|| KeyFault::Missing(kind.to_string()))?;
        Ok(Self { older: keys, newest })
    }

    /// The newest key: it seals and authenticates.
    fn newest(&self) -> &K {
        &self.newest.1
    }

    /// The key that signs for readers with a copy of the public keys: the newest but one, which they have had time to fetch.
    fn published(&self) -> &K {
        self.older.last().map_or(&self.newest.1, |(_, key)| key)
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = &(u32, K)> {
        self.older.iter().chain(std::iter::once(&self.newest))
    }
}

#[cfg(test)]
mod tests;
