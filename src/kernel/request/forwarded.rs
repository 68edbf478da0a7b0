//! What proxies say about a request's client in `Forwarded` (RFC 7239) and `X-Forwarded-For`: text in, addresses out.
//!
//! Deliberately absent: whom to believe (the data path knows its trusted proxies).

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

/// What one proxy said about the hop before it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Hop {
    /// Who connected to it; `None` when that is not told, hidden, or no address.
    pub client: Option<IpAddr>,
    /// Whether the client spoke TLS to it; `None` when that is not told.
    pub tls: Option<bool>,
}

/// The hops of one `Forwarded` field, first to last (RFC 7239 §4); `None` when it cannot be read as a whole.
pub fn forwarded(field: &str) -> Option<Vec<Hop>> {
    split(field, ',')?.into_iter().map(hop).collect()
}

fn hop(element: &str) -> Option<Hop> {
    let mut hop = Hop::default();
    let (mut named, mut told) = (false, false);
    for pair in split(element, ';')? {
        let (name, value) = pair.split_once('=')?;
        let value = unquoted(value)?;
        if name.eq_ignore_ascii_case("for") {
            // Each parameter at most once.
            if std::mem::replace(&mut named, true) {
                return None;
            }
            hop.client = node(&value);
        } else if name.eq_ignore_ascii_case("proto") {
            if std::mem::replace(&mut told, true) {
                return None;
            }
            hop.tls = Some(value.eq_ignore_ascii_case("https"));
        }
    }
    Some(hop)
}

/// An address, perhaps with a port: `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]`, `[2001:db8::1]:80`, and without brackets as
/// `X-Forwarded-For` writes it.
pub fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches([' ', '\t']);
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))?;
    Some(address.to_canonical())
}

/// Cuts at a separator that stands outside quotes; `None` when a quote is not closed. The parts are trimmed.
fn split(text: &str, at: char) -> Option<Vec<&str>> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (place, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if letter == at && !quoted => {
                parts.push(text.get(start..place)?);
                start = place + letter.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text.get(start..)?);
    (!quoted).then(|| parts.into_iter().map(|part| part.trim_matches([' ', '\t'])).collect())
}

/// A token, or a quoted string without its quotes (RFC 9110 §5.6.4).
fn unquoted(value: &str) -> Option<Cow<'_, str>> {
    let Some(rest) = value.strip_prefix('"') else {
        return (!value.is_empty() && !value.contains(['"', '\\', ' ', '\t'])).then_some(Cow::Borrowed(value));
    };
    let inner = rest.strip_suffix('"')?;
    if !inner.contains(['\\', '"']) {
        return Some(Cow::Borrowed(inner));
    }
    let (mut text, mut escaped) = (String::new(), false);
    for letter in inner.chars() {
        match letter {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return None,
            _ => {
                text.push(letter);
                escaped = false;
            }
        }
    }
    (!escaped).then_some(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(field: &str, hops: Option<&[(&str, Option<bool>)]>) {
        let read = forwarded(field).map(|hops| {
            let text = |hop: Hop| (hop.client.map_or_else(|| "-".to_owned(), |client| client.to_string()), hop.tls);
            hops.into_iter().map(text).collect::<Vec<_>>()
        });
        let hops = hops.map(|hops| hops.iter().map(|(text, tls)| ((*text).to_owned(), *tls)).collect());
        assert_eq!(read, hops, "{field}");
    }

    #[test]
    fn m29_forwarded_is_read_as_rfc_7239_writes_it() {
        check("for=192.0.2.60;proto=http;by=203.0.113.43", Some(&[("192.0.2.60", Some(false))]));
        check("For=\"[2001:db8:cafe::17]:4711\"; Proto=HTTPS", Some(&[("2001:db8:cafe::17", Some(true))]));
        check("for=192.0.2.43, for=198.51.100.17", Some(&[("192.0.2.43", None), ("198.51.100.17", None)]));
        check("for=\"192.0.2.43:47011\"", Some(&[("192.0.2.43", None)]));
        check("for=unknown, for=_gazonk, host=a", Some(&[("-", None), ("-", None), ("-", None)]));
        check("for=\"a, for=10.0.0.1\"", Some(&[("-", None)]));
        check("for=\"1\\92.0.2.1\"", Some(&[("192.0.2.1", None)]));
        check("for=::ffff:192.0.2.1", Some(&[("192.0.2.1", None)]));
        for field in
            ["", "for", "for=\"192.0.2.1", "for=192.0.2.1;for=192.0.2.2", "for=1.2.3.4,", "for=a b", "for=\"a\"b"]
        {
            check(field, None);
        }
    }

    #[test]
    fn a_node_is_an_address_and_perhaps_a_port() {
        for (text, read) in [
            ("192.0.2.1", Some("192.0.2.1")),
            (" 192.0.2.1:80\t", Some("192.0.2.1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("[2001:db8::1]:80", Some("2001:db8::1")),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.1:99999", None),
            ("localhost", None),
            ("", None),
            ("[192.0.2.1", None),
        ] {
            assert_eq!(node(text).map(|address| address.to_string()).as_deref(), read, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_every_comma_outside_quotes_is_a_hop(field in "[ -~]{0,80}") {
            if let Some(hops) = forwarded(&field) {
                prop_assert!(hops.len() <= field.matches(',').count() + 1);
            }
        }

        #[test]
        fn an_address_that_is_written_is_read(address in any::<[u8; 16]>(), port in any::<u16>()) {
            let address = IpAddr::from(address);
            let text = format!("for=\"[{address}]:{port}\";proto=https");
            let hop = Hop { client: Some(address.to_canonical()), tls: Some(true) };
            prop_assert_eq!(forwarded(&text), Some(vec![hop]));
        }
    }
}
