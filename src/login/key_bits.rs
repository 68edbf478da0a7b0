//! How the session cache finds a key: by its own bits.

use std::hash::{BuildHasherDefault, Hasher};

/// A session's key is a keyed hash already (rule H12): nobody can choose its bits, so they need no hashing again.
pub(super) type KeyBits = BuildHasherDefault<FirstBytes>;

/// The first eight bytes of a key.
#[derive(Default)]
pub(super) struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_ne_bytes(*first);
        }
    }

    // The length of a key, the same for all.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
