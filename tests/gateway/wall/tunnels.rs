//! Extended CONNECT (RFC 8441) frame by frame: the rules of an upgrade hold for it (M30), and nothing else is tunnelled.

use super::frames::{END_HEADERS, End, HEADERS, block};
use super::http2::{Field, Pair};
use super::*;

/// An honest opening with one field changed, added (a new name) or left out (an empty value).
fn opening<'a>(cookie: &'a str, name: &'a [u8], value: &'a [u8]) -> Vec<Field<'a>> {
    let mut fields: Vec<Field<'a>> = vec![
        (b":method", b"CONNECT"),
        (b":protocol", b"websocket"),
        (b":scheme", b"https"),
        (b":authority", b"trello.localhost"),
        (b":path", b"/a"),
        (b"origin", b"https://trello.localhost"),
        (b"sec-websocket-version", b"13"),
        (b"cookie", cookie.as_bytes()),
    ];
    let at = fields.iter().position(|field| field.0 == name).unwrap_or(fields.len());
    if at < fields.len() {
        fields.remove(at);
    }
    if !value.is_empty() {
        fields.insert(at, (name, value));
    }
    fields
}

/// Opens a stream that stays open, as a tunnel would.
fn open(pair: &mut Pair, fields: &[Field<'_>]) -> (End, Vec<Message>) {
    let stream = pair.frames.stream();
    pair.frames.frame(HEADERS, END_HEADERS, stream, &block(fields));
    let end = pair.frames.head_of(stream);
    pair.after(end)
}

#[test]
fn m30_a_tunnel_comes_from_the_host_itself_with_a_session() {
    let mut pair = Pair::new();
    let cookie = pair.wall.cookie.clone();
    for (name, value, status) in [
        (&b"origin"[..], &b""[..], 403),
        (b"origin", b"null", 403),
        (b"origin", b"https://loom.localhost", 403),
        (b"origin", b"http://trello.localhost", 403),
        (b"origin", b"https://trello.localhost:443", 403),
        (b"sec-fetch-site", b"same-site", 403),
        (b"sec-fetch-site", b"cross-site", 403),
        (b"cookie", b"", 401),
        (b"cookie", b"__host-fedgate=x", 401),
        (b":authority", b"evil.example", 421),
        (b":authority", b"id.localhost", 421),
        (b":authority", b"trello.localhost:8443", 421),
        (b":path", b"/a%2fb", 400),
        (b":path", b"//a", 400),
        (b":path", b"*", 400),
        (b":protocol", b"connect-udp", 501),
        (b":protocol", b"websocket, h2c", 501),
        (b":protocol", b"h2c", 501),
    ] {
        let fields = opening(&cookie, name, value);
        let (end, seen) = open(&mut pair, &fields);
        let shown = format!("{} {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        assert_eq!((end, seen.len()), (End::Status(status), 0), "{shown}: {seen:?}");
    }
}

#[test]
fn a_tunnel_is_never_opened_by_an_answer_that_grants_none() {
    let mut pair = Pair::new();
    let cookie = pair.wall.cookie.clone();
    // The product answers 200, which over HTTP/2 would open the tunnel.
    for path in [&b"/a"[..], b"/assets/a"] {
        let (end, seen) = open(&mut pair, &opening(&cookie, b":path", path));
        assert_eq!(end, End::Status(502), "{seen:?}");
    }
    let (end, seen) = open(&mut pair, &opening(&cookie, b":path", b"/.fedgate/login"));
    assert!(!matches!(end, End::Status(200..=299)) && seen.is_empty(), "{end:?} {seen:?}");
}

#[test]
fn a_tunnels_pseudo_fields_are_whole() {
    let mut pair = Pair::new();
    let cookie = pair.wall.cookie.clone();
    for (name, value) in [
        (&b":scheme"[..], &b""[..]),
        (b":path", b""),
        (b":authority", b""),
        (b":method", b"GET"),
        (b":method", b"POST"),
        (b":protocol", b""),
        (b"upgrade", b"websocket"),
        (b"connection", b"upgrade"),
    ] {
        let (end, seen) = open(&mut pair, &opening(&cookie, name, value));
        let refused = matches!(end, End::Reset(_) | End::GoAway(_) | End::Closed | End::Status(400));
        assert!(refused && seen.is_empty(), "{} {end:?} {seen:?}", String::from_utf8_lossy(name));
    }
}
