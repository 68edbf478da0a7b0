//! The key-encryption key: the one secret that is not in the store, and its successor while everything is sealed anew (rule M23).

use super::canonical::Canonical;
use super::sealing::{Aead, derive};
use super::{KEY_BYTES, KeyFault, Raw};
use crate::kernel::journal::KeyRow;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use zeroize::Zeroizing;

/// Seals and opens key rows; every kind under a subkey of its own. Clones share which of two keys seals.
#[derive(Clone)]
pub struct Kek {
    now: Raw,
    next: Option<Next>,
}

/// The key that is to follow. It opens from the start on, so that every process reads what another one sealed with it, and seals from the
/// moment on that rows under it are in the store.
#[derive(Clone)]
struct Next {
    raw: Raw,
    counts: Arc<AtomicBool>,
}

/// Why there is no key-encryption key.
#[derive(Debug, thiserror::Error)]
pub enum KekFault {
    /// The file cannot be read or written.
    #[error("the key file cannot be used: {0}")]
    File(#[from] io::Error),
    /// It holds something else.
    #[error(
        "the key file must hold 32 random bytes, as they are, in hexadecimal or in base64 (openssl rand -base64 32)"
    )]
    Shape,
}

/// More than any accepted spelling of 32 bytes.
const MAX_FILE: u64 = 128;

impl std::fmt::Debug for Kek {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kek(…)")
    }
}

impl Kek {
    /// Wraps 32 uniformly random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self { now: Zeroizing::new(bytes), next: None }
    }

    /// With the key that is to follow; `None` when that is the same one.
    pub fn followed_by(self, next: Self) -> Option<Self> {
        let next = Next { raw: next.now, counts: Arc::default() };
        (*self.now != *next.raw).then_some(Self { next: Some(next), ..self })
    }

    /// Whether a key is to follow.
    pub const fn is_followed(&self) -> bool {
        self.next.is_some()
    }

    /// Seals with the successor as soon as it has sealed one of these rows, which are those of the store. Whatever reads all rows of a store
    /// says so before it seals anything; [`super::Keys`] does by itself.
    pub fn settle(&self, rows: &[KeyRow]) {
        let Some(next) = self.next.as_ref().filter(|next| !next.counts.load(Ordering::Acquire)) else { return };
        if rows.iter().any(|row| open(&next.raw, (&row.kind, row.generation), &row.sealed).is_some()) {
            next.counts.store(true, Ordering::Release);
        }
    }

    /// The row under the successor, which seals from now on; `Ok(None)` when it is under it already.
    ///
    /// # Errors
    /// [`KeyFault::Sealed`] when neither key opens it, [`KeyFault::Crypto`] without a successor.
    pub fn sealed_anew(&self, row: &KeyRow) -> Result<Option<KeyRow>, KeyFault> {
        let next = self.next.as_ref().ok_or(KeyFault::Crypto)?;
        next.counts.store(true, Ordering::Release);
        let place = (row.kind.as_str(), row.generation);
        if open(&next.raw, place, &row.sealed).is_some() {
            return Ok(None);
        }
        let fault = KeyFault::Sealed { kind: row.kind.clone(), generation: row.generation };
        let plain = open(&self.now, place, &row.sealed).ok_or(fault)?;
        let sealed = seal(&next.raw, place, &plain).ok_or(KeyFault::Crypto)?;
        Ok(Some(KeyRow { sealed, ..row.clone() }))
    }

    /// Reads `key_file`: 32 raw bytes, 64 hexadecimal digits or padded base64, white space around text allowed.
    ///
    /// # Errors
    /// [`KekFault`] when it cannot be read or is none of these.
    pub fn load(path: &Path) -> Result<Self, KekFault> {
        let mut bytes = Zeroizing::new(Vec::new());
        File::open(path)?.take(MAX_FILE).read_to_end(&mut bytes)?;
        Self::parse(&bytes).ok_or(KekFault::Shape)
    }

    /// Writes a new key as 32 raw bytes, readable by its owner alone, and durable when this returns.
    ///
    /// # Errors
    /// [`KekFault::File`], also when the file exists: a key is never written over.
    pub fn create(path: &Path, random: [u8; 32]) -> Result<Self, KekFault> {
        let key = Self::new(random);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(key.now.as_ref())?;
        file.sync_all()?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        Ok(key)
    }

    /// Reads a key given as text: 64 hexadecimal digits or padded base64.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::parse(text.as_bytes())
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        if let Ok(raw) = <[u8; KEY_BYTES]>::try_from(bytes) {
            return Some(Self::new(raw));
        }
        let text = bytes.trim_ascii();
        let decoded = Zeroizing::new(match text.len() {
            64 => from_hex(text)?,
            _ => STANDARD.decode(text).ok()?,
        });
        <[u8; KEY_BYTES]>::try_from(decoded.as_slice()).ok().map(Self::new)
    }

    pub(super) fn seal_row(&self, kind: &str, generation: u32, raw: &[u8]) -> Option<Vec<u8>> {
        let next = self.next.as_ref().filter(|next| next.counts.load(Ordering::Acquire));
        seal(next.map_or(&self.now, |next| &next.raw), (kind, generation), raw)
    }

    pub(super) fn open_row(&self, kind: &str, generation: u32, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let next = || self.next.as_ref().and_then(|next| open(&next.raw, (kind, generation), sealed));
        open(&self.now, (kind, generation), sealed).or_else(next)
    }
}

fn seal(key: &Raw, (kind, generation): (&str, u32), plain: &[u8]) -> Option<Vec<u8>> {
    row_key(key, kind)?.seal(&row_aad(kind, generation), plain)
}

fn open(key: &Raw, (kind, generation): (&str, u32), sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    row_key(key, kind)?.open(&row_aad(kind, generation), sealed)
}

fn row_key(key: &Raw, kind: &str) -> Option<Aead> {
    Aead::new(&derive(key.as_ref(), &format!("row {kind}"))?)
}

fn row_aad(kind: &str, generation: u32) -> Vec<u8> {
    Canonical::new("fedgate key row 1").text(kind).number(generation.into()).finish()
}

fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.chunks_exact(2);
    pairs
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::values::Timestamp;

    fn row(kek: &Kek, generation: u32) -> KeyRow {
        kek.seal_item("acme.account", generation, b"secret", Timestamp::from_seconds(1)).unwrap()
    }

    #[test]
    fn m23_a_successor_opens_from_the_start_and_seals_once_a_row_is_under_it() {
        let (old, new) = (Kek::new([1; 32]), Kek::new([2; 32]));
        let both = old.clone().followed_by(new.clone()).unwrap();
        let another = both.clone();
        let first = row(&both, 1);
        assert!(old.open_item(&first).is_ok() && new.open_item(&first).is_err(), "the old one seals");
        let anew = both.sealed_anew(&first).unwrap().unwrap();
        assert!(old.open_item(&anew).is_err() && new.open_item(&anew).is_ok() && both.open_item(&anew).is_ok());
        assert_eq!(both.sealed_anew(&anew).unwrap(), None);
        assert!(new.open_item(&row(&another, 2)).is_ok(), "clones are of one mind");
        // Another process, which is told by the rows.
        let elsewhere = old.clone().followed_by(new.clone()).unwrap();
        elsewhere.settle(std::slice::from_ref(&first));
        assert!(old.open_item(&row(&elsewhere, 2)).is_ok(), "nothing is under the new one yet");
        elsewhere.settle(&[first.clone(), anew]);
        assert!(new.open_item(&row(&elsewhere, 3)).is_ok());
        // The old one is gone: what it sealed opens no more.
        assert!(new.open_item(&first).is_err());
    }

    #[test]
    fn m23_a_row_of_neither_key_is_said_and_a_key_does_not_follow_itself() {
        let (old, new, other) = (Kek::new([1; 32]), Kek::new([2; 32]), Kek::new([3; 32]));
        assert!(old.clone().followed_by(Kek::new([1; 32])).is_none());
        assert_eq!(old.sealed_anew(&row(&old, 1)), Err(KeyFault::Crypto), "nothing follows");
        let both = old.followed_by(new).unwrap();
        assert!(matches!(both.sealed_anew(&row(&other, 1)), Err(KeyFault::Sealed { generation: 1, .. })));
        let moved = KeyRow { generation: 2, ..row(&both, 1) };
        assert!(matches!(both.sealed_anew(&moved), Err(KeyFault::Sealed { generation: 2, .. })), "another row's bytes");
    }
}
