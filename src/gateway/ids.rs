//! The ids of requests: unique among all cores and starts, no secrets. Written ahead, a block at a time, so that a request costs a
//! reference to its part of the block, and its headers may share it.

use crate::entropy;
use bytes::Bytes;
use http::HeaderValue;
use std::sync::{Mutex, PoisonError};

/// Hexadecimal digits: sixteen of the core and start, ten of the request.
const LENGTH: usize = 26;

/// How many are written at once. A block lives as long as the longest of its requests.
const BLOCK: usize = 16;

/// The ids of one core. Only its own thread takes them, so the lock never waits.
pub(super) struct RequestIds {
    prefix: [u8; 16],
    ahead: Mutex<Ahead>,
}

#[derive(Default)]
struct Ahead {
    count: u64,
    block: Bytes,
}

impl RequestIds {
    pub(super) fn new() -> Self {
        Self { prefix: hex(entropy::random()), ahead: Mutex::default() }
    }

    /// The next one.
    pub(super) fn next(&self) -> HeaderValue {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        if ahead.block.len() < LENGTH {
            ahead.block = self.block(ahead.count);
            ahead.count = ahead.count.wrapping_add(1);
        }
        let id = ahead.block.split_to(LENGTH);
        HeaderValue::from_maybe_shared(id).unwrap_or(HeaderValue::from_static("-"))
    }

    /// The ids of the `place`th block.
    fn block(&self, place: u64) -> Bytes {
        let mut text = Vec::with_capacity(LENGTH * BLOCK);
        for number in (0..).take(BLOCK) {
            let count: [u8; 16] = hex(place.wrapping_mul(BLOCK as u64).wrapping_add(number).to_be_bytes());
            text.extend_from_slice(&self.prefix);
            text.extend_from_slice(count.last_chunk::<10>().unwrap_or(&[b'0'; 10]));
        }
        Bytes::from(text)
    }
}

/// Sixteen hexadecimal digits.
fn hex(bytes: [u8; 8]) -> [u8; 16] {
    let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' + (half - 10) };
    let mut text = [b'0'; 16];
    for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_of_a_core_count_on_and_never_repeat() {
        let ids = RequestIds::new();
        let all: Vec<String> = (0..5 * BLOCK).map(|_| ids.next().to_str().unwrap().to_owned()).collect();
        assert!(all.iter().all(|id| id.len() == LENGTH && id.starts_with(&all[0][..16])));
        let numbers: Vec<u64> = all.iter().map(|id| u64::from_str_radix(&id[16..], 16).unwrap()).collect();
        assert!(numbers.iter().copied().eq(0..5 * BLOCK as u64), "{numbers:?}");
        let other = RequestIds::new().next();
        assert!(!all.iter().collect::<HashSet<_>>().contains(&other.to_str().unwrap().to_owned()));
    }
}
