//! The form of a kept request on disk: AES-256-GCM in records of 64 KiB under a key that is used for this one file.
//!
//! Each record's nonce is its number and whether it is the last one, and each is bound to the file's id: a record that was
//! changed, moved, left out or taken from another file does not open, and neither does a file that was cut.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// Plain bytes in every record but the first, which holds the head, and the last.
pub(super) const RECORD: usize = 64 * 1024;

/// What sealing adds to a record.
pub(super) const TAG: usize = 16;

/// A file's id: random, no secret.
pub(super) type Id = [u8; 16];

/// Seals or opens the records of one file, in their order.
pub(super) struct Records {
    key: LessSafeKey,
    id: Id,
    next: u64,
}

/// A record that was not sealed under this key, for this file, at this place.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a kept request does not open")]
pub(super) struct Foreign;

impl Records {
    pub(super) fn new(key: &[u8; 32], id: Id) -> Result<Self, Foreign> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| Foreign)?;
        Ok(Self { key: LessSafeKey::new(key), id, next: 0 })
    }

    /// Seals a record in place.
    pub(super) fn seal(&mut self, record: &mut Vec<u8>, is_last: bool) -> Result<(), Foreign> {
        let nonce = self.nonce(is_last);
        self.key.seal_in_place_append_tag(nonce, Aad::from(self.id), record).map_err(|_| Foreign)
    }

    /// Opens a record in place.
    pub(super) fn open(&mut self, record: &mut Vec<u8>, is_last: bool) -> Result<(), Foreign> {
        let nonce = self.nonce(is_last);
        let length = self.key.open_in_place(nonce, Aad::from(self.id), record).map_err(|_| Foreign)?.len();
        record.truncate(length);
        Ok(())
    }

    fn nonce(&mut self, is_last: bool) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        for (to, from) in nonce.iter_mut().zip(self.next.to_be_bytes()) {
            *to = from;
        }
        if let Some(last) = nonce.last_mut() {
            *last = u8::from(is_last);
        }
        self.next += 1;
        Nonce::assume_unique_for_key(nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];
    const ID: Id = [1; 16];

    fn sealed() -> Vec<Vec<u8>> {
        let mut records = Records::new(&KEY, ID).unwrap();
        let seal = |(text, is_last): (&str, bool)| {
            let mut record = text.as_bytes().to_vec();
            records.seal(&mut record, is_last).unwrap();
            record
        };
        [("head", false), ("first", false), ("second", false), ("third", true)].map(seal).to_vec()
    }

    fn opened(key: &[u8; 32], id: Id, file: &[Vec<u8>]) -> Result<Vec<u8>, Foreign> {
        let mut records = Records::new(key, id).unwrap();
        let mut plain = Vec::new();
        for (place, record) in file.iter().enumerate() {
            let mut record = record.clone();
            records.open(&mut record, place + 1 == file.len())?;
            plain.extend(record);
        }
        Ok(plain)
    }

    #[test]
    fn h9_a_file_opens_whole_in_order_and_under_its_own_key_only() {
        let file = sealed();
        assert_eq!(opened(&KEY, ID, &file), Ok(b"headfirstsecondthird".to_vec()));
        assert!(!file.concat().windows(5).any(|five| five == b"first"), "the disk has no word of it");
        let check = |change: fn(&mut Vec<Vec<u8>>)| {
            let mut file = file.clone();
            change(&mut file);
            assert_eq!(opened(&KEY, ID, &file), Err(Foreign));
        };
        check(|file| drop(file.pop()));
        check(|file| drop(file.remove(1)));
        check(|file| file.swap(1, 2));
        check(|file| file[1] = file[2].clone());
        check(|file| file[2][0] ^= 1);
        check(|file| file[3].truncate(10));
        check(|file| file.push(file[3].clone()));
        assert_eq!(opened(&[8; 32], ID, &file), Err(Foreign), "the key of another handle");
        assert_eq!(opened(&KEY, [2; 16], &file), Err(Foreign), "under another file's id");
    }
}
