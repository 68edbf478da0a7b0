//! What other rooms keep sealed in key rows: secrets that are no keys of ours, such as certificates from an authority.

use super::{Kek, KeyFault, Kind};
use crate::kernel::journal::KeyRow;
use crate::kernel::values::Timestamp;
use zeroize::Zeroizing;

impl Kek {
    /// Seals a row of a kind that is none of [`Kind`].
    ///
    /// # Errors
    /// [`KeyFault::Malformed`] for a kind of our own keys, [`KeyFault::Crypto`] when sealing fails.
    pub fn seal_item(&self, kind: &str, generation: u32, plaintext: &[u8], now: Timestamp) -> Result<KeyRow, KeyFault> {
        if Kind::parse(kind).is_some() {
            return Err(KeyFault::Malformed { kind: kind.to_owned(), generation });
        }
        let sealed = self.seal_row(kind, generation, plaintext).ok_or(KeyFault::Crypto)?;
        Ok(KeyRow { kind: kind.to_owned(), generation, sealed, created_at: now })
    }

    /// Opens what [`Kek::seal_item`] made, if it is that very row (rule M23).
    ///
    /// # Errors
    /// [`KeyFault::Malformed`] for a kind of our own keys, [`KeyFault::Sealed`] when it does not open.
    pub fn open_item(&self, row: &KeyRow) -> Result<Zeroizing<Vec<u8>>, KeyFault> {
        let (kind, generation) = (row.kind.clone(), row.generation);
        if Kind::parse(&kind).is_some() {
            return Err(KeyFault::Malformed { kind, generation });
        }
        self.open_row(&row.kind, row.generation, &row.sealed).ok_or(KeyFault::Sealed { kind, generation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m23_an_item_opens_as_the_row_that_it_is_and_as_no_other() {
        let (kek, other) = (Kek::new([1; 32]), Kek::new([2; 32]));
        let row = kek.seal_item("acme.certificate.a.example", 3, b"secret", Timestamp::from_seconds(1)).unwrap();
        assert_eq!(kek.open_item(&row).unwrap().as_slice(), b"secret");
        assert!(!row.sealed.windows(6).any(|six| six == b"secret"), "sealed");
        assert!(other.open_item(&row).is_err(), "another key-encryption key");
        let moved = KeyRow { kind: "acme.certificate.b.example".to_owned(), ..row.clone() };
        assert!(kek.open_item(&moved).is_err(), "another kind");
        assert!(kek.open_item(&KeyRow { generation: 2, ..row }).is_err(), "another generation");
        let ours = kek.seal_item("assertion", 1, b"secret", Timestamp::from_seconds(1));
        assert!(matches!(ours, Err(KeyFault::Malformed { .. })), "a kind of our own keys");
    }
}
