//! What a browser meant by a request: to go somewhere or to fetch something, and whether its own page caused it (rules H6, M30).
//!
//! Headers that a client declares may change how a refusal looks, never whether there is one.

/// The fields that say so, as they came; `None` also for a value that is not ASCII.
#[derive(Clone, Copy, Debug, Default)]
pub struct Declared<'a> {
    /// `Sec-Fetch-Mode`.
    pub mode: Option<&'a str>,
    /// `Sec-Fetch-Site`.
    pub site: Option<&'a str>,
    /// `Accept`.
    pub accept: Option<&'a str>,
    /// `Origin`.
    pub origin: Option<&'a str>,
    /// `Accept-Language`.
    pub accept_language: Option<&'a str>,
    /// The picked language, out of our cookie.
    pub picked: Option<&'a str>,
}

/// Methods that change nothing (RFC 9110 §9.2.1).
pub fn is_safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE")
}

impl Declared<'_> {
    /// Whether a page is wanted: `Sec-Fetch-Mode`, or `Accept` where the browser sends none.
    pub fn is_navigation(&self) -> bool {
        match self.mode {
            Some(mode) => mode == "navigate",
            None => self.accept.is_some_and(|accept| accept.split([',', ';']).any(|kind| kind.trim() == "text/html")),
        }
    }

    /// Whether this host's own page caused an unsafe request, or one from the origins that the product accepts (rule H6).
    /// `own` is the host's origin as browsers write it.
    pub fn is_same_origin(&self, own: &str, accepted: &[String]) -> bool {
        if self.origin.is_some_and(|origin| accepted.iter().any(|one| one == origin)) {
            return true;
        }
        match (self.site, self.origin) {
            (Some(site), _) => site == "same-origin",
            (None, Some(origin)) => origin == own,
            (None, None) => false,
        }
    }

    /// Whether an upgrade that carries our cookie comes from exactly this host (rule M30). Browsers always send `Origin` with it.
    pub fn may_upgrade(&self, own: &str) -> bool {
        self.origin == Some(own) && self.site.is_none_or(|site| site == "same-origin")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "https://trello.example.com";

    #[test]
    fn navigation_or_script() {
        let check = |mode, accept, navigation| {
            assert_eq!(
                Declared { mode, accept, ..Declared::default() }.is_navigation(),
                navigation,
                "{mode:?} {accept:?}"
            );
        };
        check(Some("navigate"), None, true);
        check(Some("cors"), Some("text/html"), false);
        check(Some("no-cors"), None, false);
        check(None, Some("text/html,application/xhtml+xml;q=0.9"), true);
        check(None, Some("application/json"), false);
        check(None, Some("*/*"), false);
        check(None, None, false);
    }

    #[test]
    fn h6_unsafe_requests_are_same_origin() {
        let accepted = ["https://app.example.com".to_owned()];
        let check = |site, origin, own| {
            let declared = Declared { site, origin, ..Declared::default() };
            assert_eq!(declared.is_same_origin(OWN, &accepted), own, "{site:?} {origin:?}");
        };
        check(Some("same-origin"), Some(OWN), true);
        check(Some("same-origin"), None, true);
        check(Some("same-site"), Some("https://loom.example.com"), false);
        check(Some("same-site"), Some(OWN), false);
        check(Some("cross-site"), None, false);
        check(Some("none"), None, false);
        check(None, Some(OWN), true);
        check(None, Some("https://trello.example.com:8443"), false);
        check(None, Some("null"), false);
        check(None, None, false);
        check(Some("same-site"), Some("https://app.example.com"), true);
    }

    #[test]
    fn m30_upgrades_come_from_the_host_itself() {
        let check = |site, origin, may| {
            assert_eq!(Declared { site, origin, ..Declared::default() }.may_upgrade(OWN), may, "{site:?} {origin:?}");
        };
        check(None, Some(OWN), true);
        check(Some("same-origin"), Some(OWN), true);
        check(Some("same-site"), Some(OWN), false);
        check(None, Some("null"), false);
        check(None, None, false);
        check(None, Some("https://loom.example.com"), false);
        check(Some("same-origin"), None, false);
    }
}
