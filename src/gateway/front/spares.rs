//! Room that one request leaves for the next, of whatever connection of the core: maps of fields, and text to write into. Also the
//! date as fields have it, written once a second.

use crate::kernel::values::Timestamp;
use http::HeaderMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

/// How many of each are kept: as many requests as are commonly at work in one core at once.
const KEPT: usize = 64;

/// What is larger is not kept: room for fields, and bytes of text.
const FIELDS: usize = 64;
const TEXT: usize = 32 * 1024;

/// Room for the head of an answer and a small body, in bytes.
const USUAL: usize = 2 * 1024;

/// Of one core.
#[derive(Default)]
pub(in crate::gateway) struct Spares(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    maps: Vec<HeaderMap>,
    texts: Vec<Vec<u8>>,
    /// The second that was written last, and how.
    date: Option<(i64, Box<[u8; DATE]>)>,
}

/// How long a date is: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
const DATE: usize = 29;

impl Spares {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An empty map.
    pub(super) fn map(&self) -> HeaderMap {
        self.kept().maps.pop().unwrap_or_default()
    }

    pub(super) fn keep_map(&self, mut map: HeaderMap) {
        map.clear();
        let mut kept = self.kept();
        if kept.maps.len() < KEPT && map.capacity() <= FIELDS {
            kept.maps.push(map);
        }
    }

    /// Empty text.
    pub(super) fn text(&self) -> Vec<u8> {
        self.kept().texts.pop().unwrap_or_else(|| Vec::with_capacity(USUAL))
    }

    pub(super) fn keep_text(&self, mut text: Vec<u8>) {
        text.clear();
        let mut kept = self.kept();
        if kept.texts.len() < KEPT && text.capacity() <= TEXT {
            kept.texts.push(text);
        }
    }

    /// The date as fields have it.
    pub(super) fn date(&self, now: Timestamp) -> [u8; DATE] {
        let mut kept = self.kept();
        match &kept.date {
            Some((second, written)) if *second == now.seconds() => **written,
            _ => {
                let since = Duration::from_secs(u64::try_from(now.seconds()).unwrap_or(0));
                let written = httpdate::fmt_http_date(UNIX_EPOCH + since);
                let mut date = [b' '; DATE];
                date.iter_mut().zip(written.bytes()).for_each(|(place, byte)| *place = byte);
                kept.date = Some((now.seconds(), Box::new(date)));
                date
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_that_of_its_second() {
        let spares = Spares::default();
        for (second, text) in [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (784_111_778, "Sun, 06 Nov 1994 08:49:38 GMT"),
        ] {
            assert_eq!(spares.date(Timestamp::from_seconds(second)), text.as_bytes());
        }
    }

    #[test]
    fn what_is_used_again_is_empty_and_not_large() {
        let spares = Spares::default();
        let mut map = spares.map();
        map.insert("a", http::HeaderValue::from_static("b"));
        spares.keep_map(map);
        assert!(spares.map().is_empty(), "no field of one request is another's");
        spares.keep_text(b"text".to_vec());
        assert!(spares.text().is_empty());
        spares.keep_text(Vec::with_capacity(TEXT + 1));
        assert!(spares.text().capacity() <= TEXT);
        spares.keep_map(HeaderMap::with_capacity(FIELDS * 4));
        assert!(spares.map().capacity() <= FIELDS);
        (0..KEPT * 2).for_each(|_| spares.keep_text(Vec::new()));
        assert_eq!(spares.kept().texts.len(), KEPT);
    }
}
