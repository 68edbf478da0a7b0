//! Our cookies among a product's: found by a scan of bytes, never parsed into a map.
//!
//! Ours is whatever begins with `__Host-fedgate`, `__Secure-fedgate` or `fedgate`, in any case: a product can set none of these
//! (rule H7), and receives none of them.

use crate::kernel::values::Token;

/// The session cookie's name.
pub const SESSION: &str = "__Host-fedgate";

const OURS: [&str; 3] = ["__host-fedgate", "__secure-fedgate", "fedgate"];

/// What the `Cookie` fields of a request say about its session.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum SessionCookie {
    /// There is none, or it is not a token.
    #[default]
    None,
    /// Exactly one.
    One(Token),
    /// Several: whoever could plant one more wants us to pick the wrong one. Counts as none, and is refused (rule C7).
    Several,
}

/// The parts of a `Cookie` field's value. Browsers write `; ` between them.
fn pairs(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    field.split(|byte| *byte == b';').map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty())
}

/// Whether the pair's name is one of ours, as a browser or a careless product could come to read it. None of the prefixes has a
/// `=`, so the name need not be cut out.
fn has_our_name(pair: &[u8]) -> bool {
    matches!(pair.first(), Some(b'_' | b'f' | b'F'))
        && OURS
            .iter()
            .any(|ours| pair.get(..ours.len()).is_some_and(|start| start.eq_ignore_ascii_case(ours.as_bytes())))
}

/// A name-less `=__Host-fedgate=x` counts as `__Host-fedgate=x`: some servers read it so.
fn without_leading_equals(pair: &[u8]) -> &[u8] {
    let start = pair.iter().position(|byte| !matches!(byte, b'=' | b' ' | b'\t')).unwrap_or(pair.len());
    pair.get(start..).unwrap_or_default()
}

fn is_ours(pair: &[u8]) -> bool {
    has_our_name(without_leading_equals(pair).trim_ascii_start())
}

/// Finds the session cookie in all `Cookie` fields; HTTP/2 clients may send several.
pub fn session<'a>(fields: impl Iterator<Item = &'a [u8]>) -> SessionCookie {
    let mut found = SessionCookie::None;
    let mut seen = false;
    for pair in fields.flat_map(pairs) {
        let Some(value) =
            pair.strip_prefix(SESSION.as_bytes()).and_then(|rest| rest.trim_ascii_start().strip_prefix(b"="))
        else {
            continue;
        };
        if seen {
            return SessionCookie::Several;
        }
        seen = true;
        found = Token::parse(value.trim_ascii()).map_or(SessionCookie::None, SessionCookie::One);
    }
    found
}

/// What remains of one `Cookie` field for the product.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Remaining {
    /// None of ours is in it.
    Unchanged,
    /// Nothing but ours was in it.
    Nothing,
    /// The others, in their order.
    Others(Vec<u8>),
}

/// Takes our cookies out of a `Cookie` field.
pub fn without_ours(field: &[u8]) -> Remaining {
    let mut others: Vec<&[u8]> = Vec::new();
    let mut ours = false;
    for pair in pairs(field) {
        if is_ours(pair) {
            ours = true;
        } else {
            others.push(pair);
        }
    }
    match (ours, others.is_empty()) {
        (false, _) => Remaining::Unchanged,
        (true, true) => Remaining::Nothing,
        (true, false) => Remaining::Others(others.join(&b"; "[..])),
    }
}

/// What a product's `Set-Cookie` becomes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SetCookie {
    /// As it is.
    Unchanged,
    /// It would touch a cookie of ours (rule H7).
    Removed,
    /// Without its `Domain`, so that it stays on this host (rule H6).
    HostOnly(Vec<u8>),
}

/// Judges a `Set-Cookie` field. `owned` is the domain that the product may set cookies for, if it owns one.
pub fn set_cookie(field: &[u8], owned: Option<&str>) -> SetCookie {
    if is_ours(field.trim_ascii()) {
        return SetCookie::Removed;
    }
    let foreign = |attribute: &[u8]| {
        let attribute = attribute.trim_ascii();
        let Some((b"domain", value)) = split_attribute(attribute).as_ref().map(|(name, value)| (&name[..], *value))
        else {
            return false;
        };
        let value = value.strip_prefix(b".").unwrap_or(value);
        !owned.is_some_and(|owned| value.eq_ignore_ascii_case(owned.as_bytes()))
    };
    let mut parts = field.split(|byte| *byte == b';');
    let pair = parts.next().unwrap_or_default();
    if !parts.clone().any(foreign) {
        return SetCookie::Unchanged;
    }
    let mut kept = pair.to_vec();
    for attribute in parts.filter(|attribute| !foreign(attribute)) {
        kept.push(b';');
        kept.extend_from_slice(attribute);
    }
    SetCookie::HostOnly(kept)
}

fn split_attribute(attribute: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut halves = attribute.splitn(2, |byte| *byte == b'=');
    let name = halves.next()?.trim_ascii().to_ascii_lowercase();
    Some((name, halves.next().unwrap_or_default().trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> (String, Token) {
        let token = Token::new([5; 32]);
        (token.expose().to_string(), token)
    }

    #[test]
    fn c7_one_session_cookie_or_none() {
        let (text, token) = token();
        let check = |fields: &[&str], expected: SessionCookie| {
            assert_eq!(session(fields.iter().map(|field| field.as_bytes())), expected, "{fields:?}");
        };
        let one = || SessionCookie::One(token.clone());
        check(&[], SessionCookie::None);
        check(&[&format!("a=b; __Host-fedgate={text}; c=d")], one());
        check(&["a=b", &format!("__Host-fedgate={text}")], one());
        check(&[&format!("__Host-fedgate-flow-1=x; __Host-fedgate={text}")], one());
        check(&[&format!("__Host-fedgate={text}; __Host-fedgate={text}")], SessionCookie::Several);
        check(&[&format!("__Host-fedgate={text}"), "__Host-fedgate=x"], SessionCookie::Several);
        check(&["__Host-fedgate=x"], SessionCookie::None);
        check(&[&format!("__host-fedgate={text}")], SessionCookie::None);
        check(&[&format!("x__Host-fedgate={text}")], SessionCookie::None);
        check(&[&format!("__Host-fedgate=\"{text}\"")], SessionCookie::None);
        check(&[&format!("a=__Host-fedgate={text}")], SessionCookie::None);
    }

    #[test]
    fn only_ours_are_taken_out() {
        for (field, remaining) in [
            ("a=b; c=d", Remaining::Unchanged),
            ("a=b; __Host-fedgate=x; c=d", Remaining::Others(b"a=b; c=d".to_vec())),
            ("__Host-fedgate=x", Remaining::Nothing),
            ("__Host-fedgate-flow-ab=x; __Host-fedgate-in-cd=y", Remaining::Nothing),
            ("=__Host-fedgate=x; a=b", Remaining::Others(b"a=b".to_vec())),
            ("__HOST-FEDGATE=x; a=b", Remaining::Others(b"a=b".to_vec())),
            ("afedgate=1", Remaining::Unchanged),
        ] {
            assert_eq!(without_ours(field.as_bytes()), remaining, "{field}");
        }
    }

    #[test]
    fn h7_products_cannot_touch_our_cookies() {
        for field in [
            "__Host-fedgate=x; Path=/",
            "=__Host-fedgate=x",
            " = __host-FEDGATE-flow-1=x",
            "__Secure-fedgate=1",
            "fedgate_x=1",
            "__Host-fedgate",
            "==fedgate=1",
        ] {
            assert_eq!(set_cookie(field.as_bytes(), None), SetCookie::Removed, "{field}");
        }
        assert_eq!(set_cookie(b"sid=__Host-fedgate; Secure", None), SetCookie::Unchanged);
    }

    #[test]
    fn h6_product_cookies_stay_on_their_host() {
        let only = |text: &str| SetCookie::HostOnly(text.as_bytes().to_vec());
        assert_eq!(set_cookie(b"a=b; Domain=example.com; Path=/", None), only("a=b; Path=/"));
        assert_eq!(set_cookie(b"a=b;domain = .Example.com;Secure", None), only("a=b;Secure"));
        assert_eq!(set_cookie(b"a=b; Domain=.Example.com", Some("example.com")), SetCookie::Unchanged);
        assert_eq!(set_cookie(b"a=b; Domain=other.com", Some("example.com")), only("a=b"));
        assert_eq!(set_cookie(b"a=b; Domain", None), only("a=b"));
        assert_eq!(set_cookie(b"domain=example.com", None), SetCookie::Unchanged);
    }

    proptest::proptest! {
        #[test]
        fn nothing_of_ours_remains(field in "([a-z=_; -]|__Host-fedgate){0,12}") {
            let rest = match without_ours(field.as_bytes()) {
                Remaining::Unchanged => field.into_bytes(),
                Remaining::Nothing => Vec::new(),
                Remaining::Others(rest) => rest,
            };
            proptest::prop_assert!(!pairs(&rest).any(is_ours));
            proptest::prop_assert_eq!(session(std::iter::once(&rest[..])), SessionCookie::None);
        }

        #[test]
        fn set_cookie_never_panics(field: Vec<u8>) {
            let _ = set_cookie(&field, Some("example.com"));
        }
    }
}
