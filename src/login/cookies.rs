//! Our cookies: their names, how they are read from a request, and how they are set.
//!
//! All are `__Host-` cookies: Secure, without Domain, with Path=/, so that no sibling can set them (rule H6). A name that comes
//! twice is read as absent: of two values one may be somebody else's.

use crate::kernel::values::Language;
use http::{HeaderMap, header::COOKIE};
use std::time::Duration;

/// The session: of the person on the login host, of one product on a product host.
pub const SESSION: &str = "__Host-fedgate";
/// Tells browsers apart before anybody is logged in: forms and login sessions are bound to it.
pub(super) const BROWSER: &str = "__Host-fedgate-browser";
/// A departure for a provider; a tag of its `state` follows (rule H10).
pub(super) const PENDING: &str = crate::web::PENDING_COOKIE;
/// The product host's half of a handover; a tag of its challenge follows (HANDOVER 1).
pub(super) const FLOW: &str = "__Host-fedgate-flow-";
/// A keyed digest of the last person on a product host (rule H8).
pub(super) const WHO: &str = "__Host-fedgate-who";
/// A kept request of the data path; a tag of its handle follows (rule H9).
pub(super) const SENT: &str = "__Host-fedgate-sent-";
/// Where the last login of a product host led, to notice one that keeps coming back.
pub(super) const LAST: &str = "__Host-fedgate-last";

/// Beside the session on the login host, once its account page was opened: without it nothing of an account is changed there (rule H6).
pub(super) const ACTS: &str = "__Host-fedgate-acts";
/// A provider's proof that waits on the login host for the owner's of a record (B22).
pub(super) const STANDING: &str = "__Host-fedgate-standing";
/// A second step that was taken on the login host, for the proof that stands there.
pub(super) const STEPPED: &str = "__Host-fedgate-stepped";
/// A review that waits on the login host for the mailbox of another address (row T19).
pub(super) const ADDRESS: &str = "__Host-fedgate-address";
/// An offer to merge two accounts, while the other one is proved at the product's door (row L10).
pub(super) const MERGE: &str = "__Host-fedgate-merge";
/// What the owner of a record proved a moment ago at this product's door (B11).
pub(super) const OWNER: &str = "__Host-fedgate-owner";

/// The language that a person picked on this host: a tag, and nothing that tells who they are.
pub const LANGUAGE: &str = "__Host-fedgate-language";

/// The cookies of a request.
#[derive(Clone, Debug, Default)]
pub struct Cookies(Vec<(String, String)>);

impl Cookies {
    /// Reads every `Cookie` field (HTTP/2 may split it).
    pub fn of(fields: &HeaderMap) -> Self {
        let texts = fields.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
        Self(pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect())
    }

    /// The value, if the name comes exactly once.
    pub fn one(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(known, _)| known == name);
        let first = found.next()?;
        found.next().is_none().then_some(first.1.as_str())
    }

    /// Name and value of all cookies whose name begins so.
    pub(super) fn beginning<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let fits = self.0.iter().filter(move |(name, _)| name.starts_with(prefix));
        fits.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Names of cookies that are not ours.
    pub(super) fn foreign(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str()).filter(|name| !name.to_ascii_lowercase().contains("fedgate"))
    }
}

/// Whether a cookie travels with a cross-site POST.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum CrossSite {
    /// Only with navigations by GET.
    Lax,
    /// Never, and with no navigation from elsewhere either: for acts on one's own account (rule H6).
    Strict,
    /// Always; for departures alone whose reply is a POST (rule H10).
    None,
}

/// A `Set-Cookie` value. Without `life` it goes with the browser.
pub(super) fn set(name: &str, value: &str, life: Option<Duration>, cross: CrossSite) -> String {
    let same_site = match cross {
        CrossSite::Lax => "Lax",
        CrossSite::Strict => "Strict",
        CrossSite::None => "None",
    };
    let age = life.map(|life| format!("; Max-Age={}", life.as_secs())).unwrap_or_default();
    format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite={same_site}{age}")
}

/// Keeps a picked language on this host for a year.
pub fn language(language: &Language) -> String {
    set(LANGUAGE, language.as_str(), Some(Duration::from_secs(365 * 86_400)), CrossSite::Lax)
}

/// Keeps the language that an application asked for until the browser is closed: forms name none.
pub fn language_for_now(language: &Language) -> String {
    set(LANGUAGE, language.as_str(), None, CrossSite::Lax)
}

/// A `Set-Cookie` value that removes the cookie.
pub(super) fn expire(name: &str) -> String {
    format!("{name}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn cookies(texts: &[&'static str]) -> Cookies {
        let mut fields = HeaderMap::new();
        for text in texts {
            fields.append(COOKIE, HeaderValue::from_static(text));
        }
        Cookies::of(&fields)
    }

    #[test]
    fn a_cookie_counts_only_when_it_comes_once() {
        assert_eq!(cookies(&["a=1; __Host-fedgate=x"]).one(SESSION), Some("x"));
        assert_eq!(cookies(&["a=1", "__Host-fedgate=x"]).one(SESSION), Some("x"));
        assert_eq!(cookies(&["__Host-fedgate=x; __Host-fedgate=y"]).one(SESSION), None);
        assert_eq!(cookies(&["__Host-fedgate=x", "__Host-fedgate=x"]).one(SESSION), None);
        assert_eq!(cookies(&["__host-fedgate=x; =__Host-fedgate=y"]).one(SESSION), None);
    }

    #[test]
    fn every_cookie_of_ours_is_bound_to_its_host() {
        let text = set(SESSION, "x", Some(Duration::from_secs(60)), CrossSite::Lax);
        assert_eq!(text, "__Host-fedgate=x; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=60");
        assert!(set(SESSION, "x", None, CrossSite::None).ends_with("SameSite=None"));
        assert!(expire(SESSION).contains("Max-Age=0"));
    }
}
