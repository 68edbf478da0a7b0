//! The compact form of what we seal into cookies and codes: fixed-width numbers and length-prefixed bytes, read back strictly.
//!
//! It is only ever read after unsealing, so a byte string that does not parse is our own older form, never an attacker's; it is
//! refused all the same.

use crate::kernel::values::Timestamp;

/// Appends fields.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// At most 65,535 bytes; longer text is cut, which the reader of a sealed value then refuses.
    pub(super) fn text(mut self, text: &str) -> Self {
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    pub(super) fn byte(self, byte: u8) -> Self {
        self.raw(&[byte])
    }

    pub(super) fn number(self, number: u32) -> Self {
        self.raw(&number.to_be_bytes())
    }

    pub(super) fn time(self, time: Timestamp) -> Self {
        self.raw(&time.millis().to_be_bytes())
    }

    pub(super) fn done(self) -> Vec<u8> {
        self.0
    }
}

/// Takes fields off the front; every method is `None` when the bytes do not hold one.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn raw<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = usize::from(u16::from_be_bytes(self.raw()?));
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(head).ok()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.raw::<1>().map(|[byte]| byte)
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        self.raw().map(u32::from_be_bytes)
    }

    pub(super) fn time(&mut self) -> Option<Timestamp> {
        self.raw().map(|bytes| Timestamp::from_millis(i64::from_be_bytes(bytes)))
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Whether everything was read.
    pub(super) fn ended(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_was_written_and_nothing_else() {
        let bytes = Writer::default().text("é").byte(7).number(9).time(Timestamp::from_millis(-5)).raw(&[1, 2]).done();
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.text(), Some("é"));
        assert_eq!((reader.byte(), reader.number()), (Some(7), Some(9)));
        assert_eq!(reader.time(), Some(Timestamp::from_millis(-5)));
        assert_eq!(reader.ended(), None);
        assert_eq!(reader.raw(), Some([1, 2]));
        assert_eq!(reader.ended(), Some(()));
        assert_eq!(Reader::new(&[0, 9, b'x']).text(), None);
        assert_eq!(Reader::new(&[0, 1, 0xff]).text(), None);
    }
}
