//! Unambiguous bytes: every part with its length before it, so that no two lists of parts give the same bytes.

/// Parts under a name; different names never give the same bytes.
pub(super) struct Canonical(Vec<u8>);

impl Canonical {
    pub(super) fn new(name: &str) -> Self {
        Self(Vec::with_capacity(256)).bytes(name.as_bytes())
    }

    pub(super) fn bytes(mut self, part: &[u8]) -> Self {
        self.0.extend(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.0.extend(part);
        self
    }

    pub(super) fn text(self, part: &str) -> Self {
        self.bytes(part.as_bytes())
    }

    pub(super) fn number(self, part: u64) -> Self {
        self.bytes(&part.to_be_bytes())
    }

    pub(super) fn signed(self, part: i64) -> Self {
        self.bytes(&part.to_be_bytes())
    }

    /// A list counts its members first: two neighbouring lists cannot trade members.
    pub(super) fn list(self, parts: &[String]) -> Self {
        let counted = self.number(u64::try_from(parts.len()).unwrap_or(u64::MAX));
        parts.iter().fold(counted, |bytes, part| bytes.text(part))
    }

    pub(super) fn optional(self, part: Option<&str>) -> Self {
        match part {
            None => self.number(0),
            Some(part) => self.number(1).text(part),
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}
