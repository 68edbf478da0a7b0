//! Why there is no certificate: for the log and for the audit log.

use crate::store::{NotCommitted, Unavailable};
use instant_acme::Error;

/// The most that is kept of an authority's own words.
const WORDS: usize = 400;

/// Why an order failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("the store: {0}")]
    Store(String),
    #[error("the authority: {0}")]
    Authority(String),
    #[error("the authority does not know the account any more; the next attempt registers a new one")]
    AccountGone,
    #[error("the authority offers no {0} challenge for this name")]
    NotOffered(&'static str),
    #[error("the authority did not find this gateway under the name: {0}")]
    NotConvinced(String),
    #[error("the authority's certificate is of no use: {0}")]
    Certificate(String),
    #[error("the order was not finished in time")]
    Slow,
    #[error("no key or request could be made: {0}")]
    Key(String),
}

impl Fault {
    /// The stable name of its class.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Store(_) => "store",
            Self::Authority(_) => "authority",
            Self::AccountGone => "account-gone",
            Self::NotOffered(_) => "challenge-not-offered",
            Self::NotConvinced(_) => "not-convinced",
            Self::Certificate(_) => "certificate",
            Self::Slow => "slow",
            Self::Key(_) => "key",
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match &error {
            Error::Api(problem) if kind(problem.r#type.as_deref()) == "accountDoesNotExist" => Self::AccountGone,
            _ => Self::Authority(words(&error.to_string())),
        }
    }
}

impl From<Unavailable> for Fault {
    fn from(fault: Unavailable) -> Self {
        Self::Store(fault.to_string())
    }
}

impl From<NotCommitted> for Fault {
    fn from(fault: NotCommitted) -> Self {
        Self::Store(fault.to_string())
    }
}

impl From<rcgen::Error> for Fault {
    fn from(fault: rcgen::Error) -> Self {
        Self::Key(fault.to_string())
    }
}

/// The last part of a problem's type (RFC 8555 §6.7).
fn kind(urn: Option<&str>) -> &str {
    urn.and_then(|urn| urn.strip_prefix("urn:ietf:params:acme:error:")).unwrap_or("")
}

/// An authority's words, short and on one line.
pub(super) fn words(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS).collect()
}
