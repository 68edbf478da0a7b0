//! One normal form of a path: what was matched is what is forwarded, anything with two readings is refused.
//!
//! Matching is on whole segments of the normal form. Deliberately absent: resolving dot segments (browsers never send them, so
//! they are refused in every encoding).

use std::borrow::Cow;
use std::fmt::Write as _;

/// A request target's path and query in normal form.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NormalPath<'a> {
    path: Cow<'a, str>,
    query: Option<&'a str>,
}

/// The target has no single meaning: bad escapes, dot segments, `//`, `\`, control or raw non-ASCII bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the request's path has no single meaning")]
pub struct Malformed;

impl<'a> NormalPath<'a> {
    /// Reads an origin-form target (RFC 9112 §3.2.1).
    ///
    /// # Errors
    /// [`Malformed`] for anything that two servers could read differently.
    pub fn parse(target: &'a str) -> Result<Self, Malformed> {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        if !path.starts_with('/') || query.is_some_and(|query| !query.bytes().all(is_query_byte)) {
            return Err(Malformed);
        }
        let path = if path.bytes().all(is_plain) { Cow::Borrowed(path) } else { Cow::Owned(decoded(path)?) };
        if has_strange_segment(&path) { Err(Malformed) } else { Ok(Self { path, query }) }
    }

    /// The path; starts with `/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The query as it came, without `?`.
    pub fn query(&self) -> Option<&'a str> {
        self.query
    }

    /// Whether normalising changed nothing, so that the target can be forwarded as it came.
    pub fn unchanged(&self) -> bool {
        matches!(self.path, Cow::Borrowed(_))
    }

    /// Path and query as they are forwarded.
    pub fn target(&self) -> String {
        match self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone().into_owned(),
        }
    }

    /// Whether this is exactly that path.
    pub fn is(&self, path: &str) -> bool {
        self.path == path
    }

    /// Whether this lies below `prefix`, which ends with `/`. A path with `;` parameters lies below nothing, because servers
    /// differ in which segments they cut them from.
    pub fn is_below(&self, prefix: &str) -> bool {
        prefix.ends_with('/') && self.path.starts_with(prefix) && !self.has_parameters()
    }

    /// Whether it has only `[A-Za-z0-9._~/-]`, the condition for being public at all (rule M10).
    pub fn is_plain(&self) -> bool {
        self.path.bytes().all(is_plain)
    }

    fn has_parameters(&self) -> bool {
        self.path.contains(';') || self.path.contains("%3B")
    }
}

/// RFC 3986 unreserved characters, and the slash.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/')
}

/// What may stand unescaped in a path besides: `pchar` of RFC 3986, and what browsers and common clients send raw.
const fn is_allowed(byte: u8) -> bool {
    is_plain(byte)
        || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@')
        || matches!(byte, b'|' | b'^' | b'{' | b'}' | b'[' | b']')
}

const fn is_query_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'#'
}

fn has_strange_segment(path: &str) -> bool {
    // Only a segment that is empty or begins with a dot can be strange: most paths have none.
    if !path.as_bytes().windows(2).any(|pair| matches!(pair, b"//" | b"/.")) {
        return false;
    }
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let name = segment.split([';']).next().unwrap_or(segment);
        let name = name.split("%3B").next().unwrap_or(name);
        let last = segments.peek().is_none();
        if matches!(name, "." | "..") || (segment.is_empty() && !last) {
            return true;
        }
    }
    false
}

/// Unreserved characters decoded, every other escape in upper case.
fn decoded(path: &str) -> Result<String, Malformed> {
    let mut text = String::with_capacity(path.len());
    let mut meant = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => {
                let high = bytes.next().and_then(hex).ok_or(Malformed)?;
                let low = bytes.next().and_then(hex).ok_or(Malformed)?;
                let byte = high << 4 | low;
                if matches!(byte, b'/' | b'\\') || byte.is_ascii_control() {
                    return Err(Malformed);
                }
                if is_plain(byte) {
                    text.push(char::from(byte));
                } else {
                    // Writing to a String cannot fail.
                    let _ = write!(text, "%{byte:02X}");
                }
                byte
            }
            _ if is_allowed(byte) => {
                text.push(char::from(byte));
                byte
            }
            _ => return Err(Malformed),
        };
        meant.push(byte);
    }
    // An overlong or broken sequence means one thing to one server and another to the next.
    if std::str::from_utf8(&meant).is_ok() { Ok(text) } else { Err(Malformed) }
}

const fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, normal: Option<&str>) {
        let read = NormalPath::parse(raw).map(|path| path.target());
        assert_eq!(read.ok().as_deref(), normal, "{raw:?}");
    }

    #[test]
    fn one_spelling_per_path() {
        check("/", Some("/"));
        check("/a/b.c?x=%2f..", Some("/a/b.c?x=%2f.."));
        check("/%73cim/v2", Some("/scim/v2"));
        check("/a%20b/%c3%a9", Some("/a%20b/%C3%A9"));
        check("/a;b=1/c", Some("/a;b=1/c"));
        check("/a%3bb", Some("/a%3Bb"));
        check("/a/", Some("/a/"));
        check("/100%25", Some("/100%25"));
        check("/@me/$x", Some("/@me/$x"));
        check("/a?", Some("/a?"));
    }

    #[test]
    fn two_readings_are_refused() {
        for raw in [
            "",
            "*",
            "a",
            "//",
            "/a//b",
            "/.",
            "/..",
            "/a/../b",
            "/a/./b",
            "/%2e%2e/b",
            "/.%2E/b",
            "/..;/b",
            "/..%3b/b",
            "/.;x",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/a%0d%0ab",
            "/a%7f",
            "/a%",
            "/a%2",
            "/a%zz",
            "/é",
            "/a b",
            "/a\tb",
            "/%c0%af",
            "/%ff",
            "/a#b",
            "/a?é",
            "/a?b\nc",
            "/a?b#c",
            "/<a>",
            "http://x/",
        ] {
            check(raw, None);
        }
    }

    #[test]
    fn rules_match_whole_segments() {
        let below = |path: &str, prefix: &str| NormalPath::parse(path).unwrap().is_below(prefix);
        assert!(below("/assets/a/b", "/assets/") && below("/%61ssets/x", "/assets/"));
        for path in ["/assets", "/assetsx/a", "/ASSETS/a", "/x/assets/a", "/assets/a;b", "/assets/a%3bb"] {
            assert!(!below(path, "/assets/"), "{path}");
        }
        assert!(NormalPath::parse("/%6Cogin").unwrap().is("/login"));
        assert!(!NormalPath::parse("/login/").unwrap().is("/login"));
    }

    #[test]
    fn m10_public_needs_plain_characters() {
        for (path, plain) in
            [("/assets/a-b_c~d.css", true), ("/assets/a%25b", false), ("/assets/a;b", false), ("/a:b", false)]
        {
            assert_eq!(NormalPath::parse(path).unwrap().is_plain(), plain, "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_normal_form_is_its_own_normal_form(raw in "(/[a-z.%0-9;A-F?éè-]{0,6}){1,5}") {
            if let Ok(path) = NormalPath::parse(&raw) {
                let once = path.target();
                let again = NormalPath::parse(&once).unwrap();
                proptest::prop_assert_eq!(again.target(), once.clone());
                proptest::prop_assert!(!path.path().contains("//") && !path.path().contains("/../") && once.is_ascii());
            }
        }

        #[test]
        fn never_panics(raw in "\\PC*") {
            let _ = NormalPath::parse(&raw);
        }
    }
}
