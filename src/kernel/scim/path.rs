//! Where an operation of a PATCH points (RFC 7644 §3.5.2): an attribute, one part of it, or the values that meet a condition.

use super::Complaint;
use super::filter::{Attribute, ENTERPRISE, Filter, Reader};
use std::fmt;

/// `emails[type eq "work"].value` in its pieces.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Of the enterprise extension.
    pub extension: bool,
    /// The attribute; empty: the extension as a whole.
    pub name: String,
    /// Which of its values.
    pub which: Option<Filter>,
    /// Which part of them.
    pub sub: Option<String>,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// A [`Complaint`] of kind `invalidPath`; `invalidFilter` for its condition.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        if text.trim().eq_ignore_ascii_case(ENTERPRISE) {
            return Ok(Self { extension: true, name: String::new(), which: None, sub: None });
        }
        let wrong = |_| Complaint::of("invalidPath", "a path cannot be read");
        let mut reader = Reader::new(text).map_err(wrong)?;
        let Attribute { extension, name, mut sub } = reader.attribute().map_err(wrong)?;
        let mut which = None;
        if sub.is_none() && reader.sign('[') {
            which = Some(reader.either(0)?);
            if !reader.sign(']') {
                return Err(Complaint::of("invalidPath", "`]` is missing in a path"));
            }
            if reader.sign('.') {
                sub = Some(reader.name().map_err(wrong)?);
            }
        }
        if !reader.rest.trim().is_empty() {
            return Err(Complaint::of("invalidPath", "something stands after the end of a path"));
        }
        Ok(Self { extension, name, which, sub })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.extension, self.name.is_empty()) {
            (true, true) => return f.write_str(ENTERPRISE),
            (true, false) => write!(f, "{ENTERPRISE}:{}", self.name)?,
            (false, _) => f.write_str(&self.name)?,
        }
        if let Some(which) = &self.which {
            write!(f, "[{which}]")?;
        }
        self.sub.as_ref().map_or(Ok(()), |sub| write!(f, ".{sub}"))
    }
}
