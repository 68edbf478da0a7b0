//! A row between two stores, and the digest of a table: the same bytes for the same rows, whatever store they are read from.

use aws_lc_rs::digest::{Context, SHA256};

/// One value of a row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::store) enum Cell {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// Count and SHA-256 of the rows of a table, in the order of its key.
pub(super) struct Digest {
    rows: u64,
    hash: Context,
}

impl Digest {
    pub fn new() -> Self {
        Self { rows: 0, hash: Context::new(&SHA256) }
    }

    /// One more row: each value with its kind and its length, so that no two rows have the same bytes.
    pub fn row(&mut self, row: &[Cell]) {
        self.rows += 1;
        for cell in row {
            let number;
            let (tag, bytes): (u8, &[u8]) = match cell {
                Cell::Null => (0, &[]),
                Cell::Int(value) => {
                    number = value.to_be_bytes();
                    (1, &number)
                }
                Cell::Text(text) => (2, text.as_bytes()),
                Cell::Bytes(bytes) => (3, bytes),
            };
            self.hash.update(&[tag]);
            self.hash.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            self.hash.update(bytes);
        }
    }

    /// How many rows there were, and their digest in hexadecimal.
    pub fn end(self) -> (u64, String) {
        let digest = self.hash.finish();
        (self.rows, digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_differ_have_digests_that_differ() {
        let text = |text: &str| Cell::Text(text.to_owned());
        let tables: [&[&[Cell]]; 9] = [
            &[],
            &[&[]],
            &[&[Cell::Null]],
            &[&[text("")]],
            &[&[Cell::Bytes(Vec::new())]],
            &[&[Cell::Int(0)]],
            &[&[text("ab"), text("c")]],
            &[&[text("a"), text("bc")]],
            &[&[text("a")], &[text("bc")]],
        ];
        let digests = tables.map(|rows| {
            let mut digest = Digest::new();
            rows.iter().for_each(|row| digest.row(row));
            digest.end()
        });
        for (at, one) in digests.iter().enumerate() {
            assert!(digests[at + 1..].iter().all(|other| one != other), "{at}");
        }
    }
}
