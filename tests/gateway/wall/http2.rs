//! The same classes over HTTP/2, frame by frame (RFC 9113 §8).

use super::frames::{CONTINUATION, DATA, END_HEADERS, END_STREAM, End, Frames, HEADERS, block};
use super::*;

pub type Field<'a> = (&'a [u8], &'a [u8]);

const PSEUDO: [Field<'static>; 4] =
    [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"trello.localhost"), (b":path", b"/a")];

pub struct Pair {
    pub wall: Wall,
    pub frames: Frames,
}

impl Pair {
    pub fn new() -> Self {
        let wall = Wall::with(|options, _| options.listen.trusted_proxies.clear());
        let frames = Frames::open(&wall.world, HOST);
        Self { wall, frames }
    }

    /// Sends fields after honest pseudo-header fields, with a session.
    fn get(&mut self, fields: &[Field<'_>]) -> (End, Vec<Message>) {
        let cookie = self.wall.cookie.clone();
        let mut all = PSEUDO.to_vec();
        all.push((b"cookie", cookie.as_bytes()));
        all.extend_from_slice(fields);
        self.send(&all, None)
    }

    /// Sends exactly these fields, and gives back the requests that became of it; then, on the same connection if it lives, else on a new one, an honest request.
    fn send(&mut self, fields: &[Field<'_>], body: Option<&[u8]>) -> (End, Vec<Message>) {
        let end = self.frames.ask(fields, body);
        self.after(end)
    }

    /// An honest request, on the same connection if it lives, else on a new one.
    pub fn after(&mut self, end: End) -> (End, Vec<Message>) {
        if matches!(end, End::GoAway(_) | End::Closed) {
            self.frames = Frames::open(&self.wall.world, HOST);
        }
        let cookie = self.wall.cookie.clone();
        let honest = [PSEUDO[0], PSEUDO[1], PSEUDO[2], (b":path", b"/sentinel"), (b"cookie", cookie.as_bytes())];
        assert_eq!(self.frames.ask(&honest, None), End::Status(200));
        let mut seen = self.wall.recorder.take();
        judge_seen(&seen).unwrap_or_else(|why| panic!("{why}: {seen:?}"));
        // What broke off may be noticed late, even among the next row's; it is no request.
        seen.retain(|message| message.whole);
        assert_eq!(seen.pop().map(|last| last.target().to_owned()).as_deref(), Some("/sentinel"));
        (end, seen)
    }

    /// A row that no product may see, and that no session is asked for: an error of the stream, of the connection, or 400.
    fn refused(&mut self, name: &str, fields: &[Field<'_>], body: Option<&[u8]>) {
        let (end, seen) = self.send(fields, body);
        assert!(matches!(end, End::Reset(_) | End::GoAway(_) | End::Closed | End::Status(400)), "{name}: {end:?}");
        assert!(seen.is_empty(), "{name}: {seen:?}");
    }
}

/// The honest fields with one replaced.
fn with<'a>(cookie: &'a str, name: &'static [u8], value: &'a [u8]) -> Vec<Field<'a>> {
    let mut fields: Vec<Field<'a>> = PSEUDO.to_vec();
    for field in &mut fields {
        if field.0 == name {
            field.1 = value;
        }
    }
    fields.push((b"cookie", cookie.as_bytes()));
    fields
}

#[test]
fn h7_forged_fields_go_over_http2_too() {
    let mut pair = Pair::new();
    for name in [
        &b"x-fedgate-user"[..],
        b"x_fedgate_user",
        b"x.fedgate.user",
        b"fedgate-assertion",
        b"x-auth-name",
        b"x_auth_name",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"forwarded",
        b"x-real-ip",
        b"x-original-url",
        b"x-rewrite-url",
        b"x-http-method-override",
        b"authorization",
        b"proxy-authorization",
        b"trailer",
        b"x-request-id",
    ] {
        let (end, seen) = pair.get(&[(name, b"eve"), (name, b"eve2")]);
        assert_eq!((end, seen.len()), (End::Status(200), 1), "{}", String::from_utf8_lossy(name));
    }
    // A stranger is believed in nothing: its address is the connection's.
    let (_, seen) = pair.get(&[(b"x-forwarded-for", b"192.0.2.1"), (b"x-forwarded-proto", b"http")]);
    assert_eq!(seen[0].count("x-forwarded-for: 127.0.0.1"), 1, "{seen:?}");
    assert_eq!(seen[0].count("x-forwarded-proto: https"), 1, "{seen:?}");
}

#[test]
fn fields_that_http2_forbids_are_errors() {
    let mut pair = Pair::new();
    let cookie = pair.wall.cookie.clone();
    for (name, value) in [
        (&b"X-Fedgate-User"[..], &b"eve"[..]),
        (b"Accept", b"*/*"),
        (b"connection", b"close, x-fedgate-user"),
        (b"keep-alive", b"x"),
        (b"proxy-connection", b"x"),
        (b"transfer-encoding", b"chunked"),
        (b"upgrade", b"websocket"),
        (b"te", b"gzip"),
        (b"x-own", b"a\r\nx-fedgate-user: eve"),
        (b"x-own", b"a\nb"),
        (b"x-own", b"a\rb"),
        (b"x-own", b"a\0b"),
        (b"x-own\r\nx-fedgate-user", b"eve"),
        (b"x-own: eve", b"x"),
        (b"x own", b"x"),
        (b"x-\0", b"x"),
        (b"x-\xff", b"x"),
        (b"", b"x"),
        (b":x-own", b"x"),
        (b":status", b"200"),
        (b":authority", b"evil.example"),
        (b":method", b"POST"),
        (b":path", b"/smuggled"),
    ] {
        let mut fields = PSEUDO.to_vec();
        fields.push((b"cookie", cookie.as_bytes()));
        fields.push((name, value));
        pair.refused(&format!("{} {value:?}", String::from_utf8_lossy(name)), &fields, None);
    }
}

#[test]
fn pseudo_fields_are_each_once_and_first() {
    let mut pair = Pair::new();
    let cookie = pair.wall.cookie.clone();
    for (place, (name, value)) in PSEUDO.iter().enumerate() {
        let mut missing = PSEUDO.to_vec();
        missing.remove(place);
        missing.push((b"cookie", cookie.as_bytes()));
        pair.refused(&format!("without {name:?}"), &missing, None);
        let mut twice = PSEUDO.to_vec();
        twice.push((name, value));
        twice.push((b"cookie", cookie.as_bytes()));
        pair.refused(&format!("twice {name:?}"), &twice, None);
        let mut late = PSEUDO.to_vec();
        let moved = late.remove(place);
        late.push((b"cookie", cookie.as_bytes()));
        late.push(moved);
        pair.refused(&format!("late {name:?}"), &late, None);
    }
    for (name, value) in [
        (&b":path"[..], &b""[..]),
        (b":path", b"a"),
        (b":path", b"*"),
        (b":path", b"/a b"),
        (b":path", b"/a HTTP/1.1\r\nX-Own: eve\r\n\r\n"),
        (b":path", b"/a%2fb"),
        (b":path", b"//evil.example"),
        (b":path", b"/a/../b"),
        (b":path", b"/..;/b"),
        (b":path", b"http://trello.localhost/a"),
        (b":method", b""),
        (b":method", b"G T"),
        (b":method", b"GET /smuggled HTTP/1.1\r\n\r\n"),
        (b":method", b"CONNECT"),
        (b":method", b"TRACE"),
        (b":scheme", b"ftp"),
        (b":scheme", b"https://evil.example/"),
        (b":scheme", b""),
        (b":authority", b"a@trello.localhost"),
        (b":authority", b"trello.localhost:"),
        (b":authority", b"trello.localhost/"),
        (b":authority", b"trello.localhost\\"),
        (b":authority", b""),
    ] {
        pair.refused(
            &format!("{} {:?}", String::from_utf8_lossy(name), String::from_utf8_lossy(value)),
            &with(&cookie, name, value),
            None,
        );
    }
}

#[test]
fn m8_the_authority_is_one_and_this_connections() {
    let mut pair = Pair::new();
    let cookie = pair.wall.cookie.clone();
    for (authority, status) in [
        (&b"TRELLO.localhost"[..], 200),
        (b"trello.localhost:443", 200),
        (b"trello.localhost:8443", 421),
        (b"trello.localhost.", 421),
        (b"id.localhost", 421),
        (b"old.localhost", 421),
        (b"evil.example", 421),
        (b"127.0.0.1", 421),
        (b"[::1]", 421),
    ] {
        let (end, seen) = pair.send(&with(&cookie, b":authority", authority), None);
        assert_eq!(end, End::Status(status), "{}", String::from_utf8_lossy(authority));
        assert_eq!(seen.len(), usize::from(status == 200));
    }
    for (host, status) in [
        (&b"trello.localhost"[..], 200),
        (b"evil.example", 400),
        (b"trello.localhost:443", 400),
        (b"id.localhost", 400),
    ] {
        let (end, seen) = pair.get(&[(b"host", host)]);
        assert_eq!(
            (end, seen.len()),
            (End::Status(status), usize::from(status == 200)),
            "{}",
            String::from_utf8_lossy(host)
        );
    }
    let (end, seen) = pair.get(&[(b"host", b"trello.localhost"), (b"host", b"trello.localhost")]);
    assert_eq!((end, seen.len()), (End::Status(400), 0));
    // Without `:authority` the field counts (RFC 9113 §8.3.1).
    let fields = [PSEUDO[0], PSEUDO[1], PSEUDO[3], (b"host", b"trello.localhost"), (b"cookie", cookie.as_bytes())];
    assert_eq!(pair.send(&fields, None).0, End::Status(200));
}

#[test]
fn a_length_that_is_not_the_bodys_is_an_error() {
    let mut pair = Pair::new();
    let cookie = pair.wall.cookie.clone();
    let inner = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    for (name, lengths, body) in [
        ("too long", &[&b"0"[..]][..], &inner[..]),
        ("shorter than said", &[b"100"], inner),
        ("longer than said", &[b"3"], inner),
        ("two lengths", &[b"35", b"0"], inner),
        ("two lengths, the other first", &[b"0", b"35"], inner),
        ("signed", &[b"+35"], inner),
        ("hex", &[b"0x23"], inner),
        ("list", &[b"35, 0"], inner),
        ("empty", &[b""], inner),
        ("too big", &[b"99999999999999999999"], inner),
    ] {
        let mut fields = with(&cookie, b":method", b"POST");
        fields.push((b"sec-fetch-site", b"same-origin"));
        fields.extend(lengths.iter().map(|length| (&b"content-length"[..], *length)));
        pair.refused(name, &fields, Some(body));
    }
    // Where the body comes after the answer to a head that announced none, the product saw a whole request without a body.
    let mut fields = with(&cookie, b":method", b"POST");
    fields.extend([(&b"sec-fetch-site"[..], &b"same-origin"[..]), (b"content-length", b"0")]);
    let stream = pair.frames.stream();
    pair.frames.frame(HEADERS, END_HEADERS, stream, &block(&fields));
    let head = pair.frames.head_of(stream);
    pair.frames.frame(DATA, END_STREAM, stream, inner);
    let (_, seen) = pair.after(head);
    assert_eq!((head, seen.len(), &seen[0].body[..]), (End::Status(200), 1, &b""[..]), "{seen:?}");
    // A length on a request that ends with its head.
    for length in [&b"35"[..], b"1"] {
        let mut fields = with(&cookie, b":method", b"POST");
        fields.push((b"sec-fetch-site", b"same-origin"));
        fields.push((b"content-length", length));
        pair.refused("a length without a body", &fields, None);
    }
    let mut fields = with(&cookie, b":method", b"POST");
    fields.push((b"sec-fetch-site", b"same-origin"));
    let (end, seen) = pair.send(&fields, Some(inner));
    assert_eq!((end, seen.len()), (End::Status(200), 1));
    assert_eq!(seen[0].body, inner, "a body is a body: {seen:?}");
    fields.push((b"content-length", b"35"));
    let (end, seen) = pair.send(&fields, Some(inner));
    assert_eq!((end, seen.len(), &seen[0].body[..]), (End::Status(200), 1, &inner[..]));
}

#[test]
fn h7_trailers_over_http2_end_here() {
    let mut pair = Pair::new();
    let cookie = pair.wall.cookie.clone();
    let mut fields = with(&cookie, b":method", b"POST");
    fields.push((b"sec-fetch-site", b"same-origin"));
    fields.push((b"te", b"trailers"));
    for (name, value) in [
        (&b"x-fedgate-user"[..], &b"eve"[..]),
        (b"x_fedgate_user", b"eve"),
        (b"fedgate-assertion", b"eve"),
        (b"authorization", b"eve"),
        (b"cookie", b"eve"),
        (b"host", b"eve"),
        (b"content-length", b"100"),
        (b"x-own", b"eve"),
    ] {
        let stream = pair.frames.stream();
        pair.frames.frame(HEADERS, END_HEADERS, stream, &block(&fields));
        pair.frames.frame(DATA, 0, stream, b"hi");
        pair.frames.frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&[(name, value)]));
        let end = pair.frames.end_of(stream);
        let (_, seen) = pair.after(end);
        assert_eq!(
            (end, seen.len(), &seen[0].body[..]),
            (End::Status(200), 1, &b"hi"[..]),
            "{}",
            String::from_utf8_lossy(name)
        );
        assert!(!String::from_utf8_lossy(&seen[0].raw).contains("eve"));
    }
    for (name, value) in [
        (&b":path"[..], &b"/smuggled"[..]),
        (b":status", b"200"),
        (b"transfer-encoding", b"chunked"),
        (b"X-Upper", b"x"),
    ] {
        let stream = pair.frames.stream();
        pair.frames.frame(HEADERS, END_HEADERS, stream, &block(&fields));
        pair.frames.frame(DATA, 0, stream, b"hi");
        pair.frames.frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&[(name, value)]));
        let end = pair.frames.end_of(stream);
        let (_, seen) = pair.after(end);
        // Pseudo-header fields there are dropped with all the others; `judge_seen` has looked at what the product got.
        let pseudo = name.starts_with(b":");
        assert!(pseudo || !matches!(end, End::Status(200)), "{}: {end:?}", String::from_utf8_lossy(name));
        assert!(pseudo || seen.is_empty(), "{seen:?}");
    }
}

#[test]
fn h7_trailers_of_answers_are_cleaned() {
    let check = |said: &'static str, passes: bool| {
        let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n{said}\r\n\r\n");
        let at = super::replies::product(Box::leak(answer.into_bytes().into_boxed_slice()));
        let wall = Wall::with(|_, site| {
            site.upstreams = vec![Upstream::Http { host: at.ip().to_string(), port: at.port() }];
        });
        let mut frames = Frames::open(&wall.world, HOST);
        let mut fields = with(&wall.cookie, b":path", b"/poison");
        fields.push((b"te", b"trailers"));
        assert_eq!(frames.ask(&fields, None), End::Status(200), "{said}");
        // A change of the table's size may stand before the fields.
        let came = frames.trailers.is_some_and(|block| block.iter().any(|byte| byte & 0xe0 != 0x20));
        assert_eq!(came, passes, "{said}");
    };
    check("X-Own: y", true);
    check("Grpc-Status: 0", true);
    for said in [
        "Set-Cookie: a=b",
        "Fedgate-Assertion: eve",
        "X-Fedgate-User: eve",
        "Strict-Transport-Security: max-age=0",
        "Clear-Site-Data: \"*\"",
        "NEL: {}",
        "Alt-Svc: clear",
        "Connection: close",
        "Content-Length: 5",
    ] {
        check(said, false);
    }
}

#[test]
fn c7_cookies_may_be_split_over_fields_and_blocks() {
    let mut pair = Pair::new();
    let cookie = pair.wall.cookie.clone();
    let (end, seen) = pair.get(&[
        (b"cookie", b"a=b"),
        (b"cookie", b"c=d; __Host-fedgate-flow-x=1"),
        (b"cookie", b"=__host-fedgate=2"),
    ]);
    assert_eq!((end, seen[0].count("cookie: a=b; c=d")), (End::Status(200), 1), "{seen:?}");
    let (end, seen) = pair.get(&[(b"cookie", cookie.as_bytes())]);
    assert_eq!((end, seen.len()), (End::Status(403), 0), "two sessions are none");
    // The token cut in two by a field's end is no token.
    let (first, rest) = cookie.split_at(30);
    let mut fields = PSEUDO.to_vec();
    fields.extend([(&b"cookie"[..], first.as_bytes()), (b"cookie", rest.as_bytes())]);
    let (end, seen) = pair.send(&fields, None);
    assert_eq!((end, seen.len()), (End::Status(401), 0));
    // The same by a frame's end is the transport's affair.
    let mut fields = PSEUDO.to_vec();
    fields.push((b"cookie", cookie.as_bytes()));
    let whole = block(&fields);
    let (first, rest) = whole.split_at(whole.len() / 2);
    let stream = pair.frames.stream();
    pair.frames.frame(HEADERS, END_STREAM, stream, first);
    pair.frames.frame(CONTINUATION, END_HEADERS, stream, rest);
    let end = pair.frames.end_of(stream);
    let (_, seen) = pair.after(end);
    assert_eq!((end, seen.len()), (End::Status(200), 1));
}

#[test]
fn h6_and_c7_hold_over_http2() {
    let mut pair = Pair::new();
    let cookie = pair.wall.cookie.clone();
    for (fields, status) in [
        (with(&cookie, b":method", b"POST"), 403),
        (with("a=b", b":method", b"GET"), 401),
        (with("__host-fedgate=x", b":method", b"GET"), 401),
    ] {
        let (end, seen) = pair.send(&fields, None);
        assert_eq!((end, seen.len()), (End::Status(status), 0), "{fields:?}");
    }
    let mut fields = with("a=b", b":path", b"/a");
    fields.push((b"authorization", b"Bearer eve"));
    let (end, seen) = pair.send(&fields, None);
    assert_eq!((end, seen.len()), (End::Status(401), 0));
}
