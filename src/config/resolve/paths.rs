//! Paths of a product that are not simply "log in first": public, optional, doors.

use super::Reader;
use super::values::each;
use crate::config::file::{At, Doors as WrittenDoors, Texts};
use crate::config::finding::Code;
use crate::gateway::options::{Doors, PathRule};

/// Which rule a path is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum For {
    /// `public`: never covers `/` (rule M10).
    Public,
    /// `optional`.
    Optional,
    /// `step_up`.
    StepUp,
    /// `api`.
    Api,
    /// A door: one path, no `*`.
    Door,
}

/// Why a path is no rule; `None` when it is one.
fn wrong(path: &str, purpose: For) -> Option<&'static str> {
    let body = if purpose == For::Door { path } else { path.strip_suffix("/*").unwrap_or(path) };
    if !path.starts_with('/') {
        return Some("a path begins with /");
    }
    if purpose == For::Door && path.ends_with('*') {
        return Some("a door is one path, without *");
    }
    if purpose == For::Public && (path == "/" || path == "/*") {
        return Some("`public` never covers /, which would open the product to strangers");
    }
    let known = |b: u8| b.is_ascii_alphanumeric() || b"._~/-".contains(&b);
    if !body.bytes().all(known) {
        return Some("only letters, digits and . _ ~ / - may stand in it, and one * at the end after a /");
    }
    if body.split('/').any(|segment| matches!(segment, "." | "..")) || body.contains("//") {
        return Some("a path has no . or .. and no empty segments");
    }
    if path == "/.fedgate" || path.starts_with("/.fedgate/") {
        return Some("/.fedgate/ is the gateway's own");
    }
    None
}

fn rule(path: &str) -> PathRule {
    match path.strip_suffix('*') {
        Some(prefix) => PathRule::Below(prefix.to_owned()),
        None => PathRule::Exact(path.to_owned()),
    }
}

impl Reader<'_> {
    /// `public`, `optional` or `api`.
    pub(super) fn path_rules(&mut self, written: &Texts, purpose: For) -> Vec<PathRule> {
        each(written).filter(|path| self.path(path, purpose)).map(|path| rule(path)).collect()
    }

    /// Path rules as they are written: `step_up`.
    pub(super) fn path_texts(&mut self, written: &Texts, purpose: For) -> Vec<String> {
        each(written).filter(|path| self.path(path, purpose)).map(|path| path.to_string()).collect()
    }

    /// The doors; a path may be only one of them.
    pub(super) fn doors(&mut self, written: Option<&WrittenDoors>) -> Doors {
        let Some(doors) = written else { return Doors::default() };
        let mut seen: Vec<String> = Vec::new();
        let mut open = |reader: &mut Self, texts: &Texts| -> Vec<String> {
            let mut paths = Vec::new();
            for path in each(texts) {
                if !reader.path(path, For::Door) {
                    continue;
                }
                if seen.contains(path) {
                    let what = format!("{:?} is two doors", path.as_str());
                    reader.say.error(Code::Path, path.span(), what, "leave it in one of the lists");
                } else {
                    seen.push(path.to_string());
                    paths.push(path.to_string());
                }
            }
            paths
        };
        Doors {
            login: open(self, &doors.login),
            logout: open(self, &doors.logout),
            reset: open(self, &doors.reset),
            signup: open(self, &doors.signup),
        }
    }

    pub(super) fn path(&mut self, path: &At<String>, purpose: For) -> bool {
        let Some(why) = wrong(path, purpose) else { return true };
        let write = match purpose {
            For::Public if path.as_str() == "/" || path.as_str() == "/*" => {
                "write optional = [\"/\"] for a front page, or name the folders: \"/assets/*\"".to_owned()
            }
            _ if !path.starts_with('/') => format!("write \"/{}\"", path.as_str()),
            For::Door => "write \"/login\"".to_owned(),
            For::StepUp => "write \"/billing\" or \"/admin/*\"".to_owned(),
            For::Api => "write \"/api/*\"".to_owned(),
            For::Public | For::Optional => "write \"/healthz\" or \"/assets/*\"".to_owned(),
        };
        self.say.error(Code::Path, path.span(), format!("{:?} is not a path rule: {why}", path.as_str()), write);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_rule_has_one_reading() {
        for good in ["/healthz", "/assets/*", "/a/b.js", "/a/b/"] {
            assert_eq!(wrong(good, For::Public), None, "{good}");
        }
        for bad in
            ["", "a", "/", "/*", "/a*", "/a/*/b", "/a//b", "/a/../b", "/%61", "/a?b", "/a;b", "/.fedgate/x", "/é"]
        {
            assert!(wrong(bad, For::Public).is_some(), "{bad}");
        }
        assert_eq!(wrong("/", For::Optional), None);
        assert_eq!(wrong("/*", For::Optional), None);
        assert!(wrong("/login/*", For::Door).is_some());
        assert_eq!(rule("/assets/*"), PathRule::Below("/assets/".into()));
        assert_eq!(rule("/healthz"), PathRule::Exact("/healthz".into()));
    }
}
