//! That the store is not what it was: it was restored from a backup, or rolled back underneath us (rule H17). Nobody logs in before the
//! operator has read what happened since and says so.
//!
//! One row, under a MAC: whoever writes into the database opens nothing by it (rule H12), and a row that cannot be read is as one that
//! says that the store is shut.

use crate::kernel::values::Timestamp;
use crate::keys::{Keys, Lookup};
use serde::{Deserialize, Serialize};

/// The name of the row.
pub const SETTING: &str = "restored";

/// The row: text, and the MAC over it.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Row {
    text: String,
    mac: [u8; 32],
}

/// What is known of the store's past.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Restored {
    /// The time that it went back to, in milliseconds since 1970; none where nobody knows.
    pub of: Option<i64>,
    /// When that was done, or seen.
    pub at: i64,
    /// How much the operator has to read.
    pub findings: u64,
    /// What the operator repeats to open.
    pub code: String,
    /// It was opened.
    pub open: bool,
}

/// The row was written by somebody else, or cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the stored word about a restore was not written by this gateway: nobody logs in")]
pub struct NotOurs;

impl Restored {
    /// Reads the row; none: the store was never restored.
    ///
    /// # Errors
    /// [`NotOurs`].
    pub fn read(row: Option<&[u8]>, keys: &Keys) -> Result<Option<Self>, NotOurs> {
        let Some(bytes) = row else { return Ok(None) };
        let row: Row = serde_json::from_slice(bytes).map_err(|_| NotOurs)?;
        if !keys.lookups(Lookup::Restored, &[row.text.as_bytes()]).contains(&row.mac) {
            return Err(NotOurs);
        }
        serde_json::from_str(&row.text).map(Some).map_err(|_| NotOurs)
    }

    /// The row for it.
    ///
    /// # Errors
    /// Never in practice: it is plain data.
    pub fn sealed(&self, keys: &Keys) -> Result<Vec<u8>, serde_json::Error> {
        let text = serde_json::to_string(self)?;
        let mac = keys.lookup(Lookup::Restored, &[text.as_bytes()]);
        serde_json::to_vec(&Row { text, mac })
    }

    /// When that was done, or seen.
    pub fn at(&self) -> Timestamp {
        Timestamp::from_millis(self.at)
    }
}

/// Whether nobody may log in: the store was restored and not opened, or nobody can tell.
pub(super) fn is_shut(row: Option<&[u8]>, keys: &Keys) -> bool {
    match Restored::read(row, keys) {
        Ok(found) => found.is_some_and(|found| !found.open),
        Err(why) => {
            tracing::error!("{why}");
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Kek;

    #[test]
    fn h17_what_is_not_our_word_that_it_is_open_keeps_the_store_shut() {
        let kek = Kek::new([1; 32]);
        let mut byte = 0;
        let mut random = || {
            byte += 1;
            [byte; 32]
        };
        let rows = Keys::missing(&kek, &[], &Keys::wanted([]), Timestamp::from_seconds(1), &mut random).unwrap();
        let keys = Keys::open(&kek, &rows).unwrap();
        let shut = Restored { of: Some(1), at: 2, findings: 3, code: "7K3M-9QX2".to_owned(), open: false };
        let opened = Restored { open: true, ..shut.clone() };
        assert!(!is_shut(None, &keys));
        assert!(is_shut(Some(&shut.sealed(&keys).unwrap()), &keys));
        let row = opened.sealed(&keys).unwrap();
        assert!(!is_shut(Some(&row), &keys));
        assert_eq!(Restored::read(Some(&row), &keys), Ok(Some(opened)));
        let forged = String::from_utf8(shut.sealed(&keys).unwrap()).unwrap().replace("false", "true");
        for row in [forged.as_bytes(), b"", b"{}"] {
            assert!(is_shut(Some(row), &keys));
        }
    }
}
