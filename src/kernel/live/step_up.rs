//! Paths of a product that ask for a proof of just now (rule M6): asked of every request, beside [`live`](super::live()).
//!
//! What counts is when the person last proved themselves in a way that a thief of a session or of a password alone cannot: our own
//! second step, a passkey as the only step, or a login at a provider that asked its person anew (its `auth_time`). A session that was
//! renewed silently inherits the old time, so no silent hop counts (HANDOVER 5). Nothing that a client declares is an argument (H15).

use crate::kernel::model::{LoginSession, Method, StepUp};
use crate::kernel::request::path::NormalPath;
use crate::kernel::values::Timestamp;
use std::time::Duration;

/// How far a provider's clock may be ahead, as everywhere.
const SKEW: Duration = Duration::from_secs(60);

/// When the person of a login session last proved themselves so; none for a password without a second step, nor for a personal token,
/// whose person is not there.
pub fn proved_at(login: &LoginSession) -> Option<Timestamp> {
    if login.personal.is_some() {
        return None;
    }
    let by_login = match login.method {
        Method::OrgSso | Method::Issuer | Method::ThirdParty | Method::Passkey => Some(login.auth_time),
        Method::Password | Method::Reset | Method::Recovery | Method::Adapter | Method::Emergency => None,
    };
    login.stepped_at.max(by_login)
}

/// Whether such a proof is young enough. One from the future is none.
pub fn is_fresh(proved_at: Option<Timestamp>, within: Duration, now: Timestamp) -> bool {
    proved_at.is_some_and(|at| at <= now.plus(SKEW) && now.since(at) <= within)
}

impl StepUp {
    /// Whether a path asks for it. Products read paths in more ways than one: what some server could take for such a path is one
    /// (letters' case, escapes, parameters, empty segments, a slash at the end).
    pub fn asks(&self, path: &NormalPath<'_>) -> bool {
        let asked = segments(path.path());
        self.paths.iter().any(|rule| match rule.strip_suffix("/*") {
            Some(folder) => asked.starts_with(&segments(folder)),
            None => asked == segments(rule),
        })
    }
}

/// Whether two paths are one to some server that reads them loosely, as [`StepUp::asks`] does.
pub fn is_alike(one: &str, other: &str) -> bool {
    segments(one) == segments(other)
}

/// Folded: decoded, lower case, without parameters, empty or dot segments.
fn segments(path: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for segment in decoded(path).split(['/', '\\']) {
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => {
                found.pop();
            }
            // Upper case first: some servers fold like that, and ſ and ı are letters of ASCII then.
            name => found.push(name.to_uppercase().to_lowercase()),
        }
    }
    found
}

/// Escapes decoded until none is left: some servers do so twice.
fn decoded(path: &str) -> String {
    let mut text = path.to_owned();
    for _ in 0..3 {
        let once = percent(&text);
        if once == text {
            break;
        }
        text = once;
    }
    text
}

fn percent(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = if *first == b'%' { after.split_at_checked(2) } else { None };
        let read = escaped.and_then(|(digits, after)| {
            let digits = std::str::from_utf8(digits).ok()?;
            Some((u8::from_str_radix(digits, 16).ok()?, after))
        });
        let (byte, after) = read.unwrap_or((*first, after));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(paths: &[&str]) -> StepUp {
        StepUp { paths: paths.iter().map(|path| (*path).to_owned()).collect(), within: Duration::from_secs(600) }
    }

    #[test]
    fn a_path_asks_for_it_in_every_spelling_that_some_server_reads_so() {
        let (folder, page, all) = (rule(&["/admin/*"]), rule(&["/billing"]), rule(&["/*"]));
        let asks = |rule: &StepUp, text: &str| NormalPath::parse(text).map(|path| rule.asks(&path));
        for text in [
            "/admin",
            "/admin/",
            "/admin/users?x=1",
            "/Admin/users",
            "/ADMIN",
            "/admin;x=1/users",
            "/admin/users;v=2",
            "/%61dmin/x",
            "/x/..;/admin/users",
            "/admin%3Bx/y",
            "/a%64min/x",
            "/%2561dmin/x",
        ] {
            // What has no single meaning is refused before anybody asks.
            assert!(asks(&folder, text).is_err() || asks(&folder, text) == Ok(true), "{text}");
        }
        for text in ["/", "/administrator", "/x/admin", "/boards?next=/admin/", "/admin.html"] {
            assert_eq!(asks(&folder, text), Ok(false), "{text}");
        }
        for (text, expected) in
            [("/b%C4%B1lling", true), ("/billing", true), ("/Billing/", true), ("/billing/x", false), ("/bill", false)]
        {
            assert_eq!(asks(&page, text), Ok(expected), "{text}");
        }
        assert_eq!(asks(&all, "/"), Ok(true));
        assert_eq!(asks(&rule(&[]), "/"), Ok(false));
    }

    #[test]
    fn m6_only_a_young_proof_of_more_than_a_password_counts() {
        let now = Timestamp::from_seconds(10_000);
        let ago = |seconds: u64| now.minus(Duration::from_secs(seconds));
        let within = Duration::from_secs(600);
        for (at, fresh) in [
            (None, false),
            (Some(now), true),
            (Some(ago(600)), true),
            (Some(ago(601)), false),
            (Some(now.plus(Duration::from_secs(60))), true),
            (Some(now.plus(Duration::from_secs(61))), false),
        ] {
            assert_eq!(is_fresh(at, within, now), fresh, "{at:?}");
        }
        let session = |method, stepped_at| LoginSession {
            method,
            stepped_at,
            auth_time: ago(100),
            ..crate::kernel::live::tests::session()
        };
        for method in Method::ALL {
            let alone = proved_at(&session(method, None));
            let counts = method.is_by_provider() || method == Method::Passkey;
            assert_eq!(alone, counts.then(|| ago(100)), "{method:?}");
            assert_eq!(proved_at(&session(method, Some(ago(5)))), Some(ago(5)), "{method:?}");
            let older = proved_at(&session(method, Some(ago(500))));
            assert_eq!(older, Some(if counts { ago(100) } else { ago(500) }), "{method:?}");
        }
    }
}
