//! Personal API tokens: what a person lets a program of their own do at one product.

use crate::kernel::values::legible;
use std::fmt;

/// Longest name of a token, in characters.
const LONGEST: usize = 64;

/// What a token may do.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Scope {
    /// Requests that change nothing: GET, HEAD, OPTIONS.
    Read,
    /// Whatever its person may.
    Full,
}

impl Scope {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Read, Self::Full];

    /// The stable name in forms, rows and events.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Full => "full",
        }
    }

    /// Reads [`Self::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.code() == code)
    }
}

/// What its person calls a token: 1 to 64 characters, nothing in it that deceives (rule M26).
#[derive(Clone, Eq, PartialEq)]
pub struct TokenLabel(String);

/// The text cannot be a token's name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a token's name has 1 to 64 characters that can be read")]
pub struct NotATokenLabel;

impl TokenLabel {
    /// Reads what was typed; spaces around it do not count.
    ///
    /// # Errors
    /// [`NotATokenLabel`] for nothing, for more than 64 characters, and for characters that show something else than they are.
    pub fn parse(text: &str) -> Result<Self, NotATokenLabel> {
        let text = text.trim();
        let fits = !text.is_empty() && text.chars().count() <= LONGEST && legible(text) == text;
        if fits { Ok(Self(text.to_owned())) } else { Err(NotATokenLabel) }
    }

    /// What stands where a token is judged that nobody has named yet.
    pub fn unnamed() -> Self {
        Self("-".to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TokenLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TokenLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenLabel({:?})", self.0)
    }
}

/// What makes a login session that of a personal token: no cookie stands for it, its token alone does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Personal {
    /// What its person calls it.
    pub label: TokenLabel,
    /// What it may do.
    pub scope: Scope,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_what_can_be_read() {
        assert_eq!(TokenLabel::parse("  build server ").unwrap().as_str(), "build server");
        assert!(TokenLabel::parse(&"é".repeat(64)).is_ok());
        for odd in ["", "   ", &"é".repeat(65), "a\u{202e}b", "a\nb", "a\u{1b}[0m", "a\u{200b}b"] {
            assert_eq!(TokenLabel::parse(odd), Err(NotATokenLabel), "{odd:?}");
        }
    }
}
