//! Where a request ends: two readings are one refusal, and whatever passes is framed again by us.

use super::*;

const INNER: &str = "GET /smuggled HTTP/1.1\r\nHost: trello.localhost\r\nX-Own: eve\r\n\r\n";

#[test]
fn lengths_with_two_readings_are_refused() {
    let wall = Wall::new();
    let values = [
        "+5",
        "-5",
        "0x5",
        "5_0",
        "5 0",
        "5,5",
        "5, 6",
        "5;",
        "5.0",
        "1e1",
        "\"5\"",
        "",
        "five",
        "18446744073709551616",
        "99999999999999999999999",
        "\u{ff15}",
        "0 5",
        "5\x0b",
    ];
    let mut raws: Vec<String> = values.iter().map(|value| format!("Content-Length: {value}\r\n")).collect();
    raws.extend(
        [
            "Content-Length: 0\r\nContent-Length: 5\r\n",
            "Content-Length: 5\r\nContent-Length: 0\r\n",
            "Content-Length: 5\r\ncontent-length: 6\r\n",
            "Content-Length : 5\r\n",
            "Content-Length\t: 5\r\n",
            "X: y\r\n Content-Length: 5\r\n",
            "Content-Length:\r\n 5\r\n",
            "X: a\rContent-Length: 5\r\n",
            "X: a\0\r\nContent-Length: 5\r\n",
            "\0Content-Length: 5\r\n",
            "\x0bContent-Length: 5\r\n",
        ]
        .map(str::to_owned),
    );
    let raws: Vec<String> =
        raws.iter().map(|fields| format!("POST /a HTTP/1.1\r\nBASE{fields}\r\nhello{INNER}")).collect();
    let rows: Vec<Row<'_>> = raws.iter().map(|raw| row(raw, raw, 400, Sees::Nothing)).collect();
    wall.check(&rows);
}

#[test]
fn codings_with_two_readings_are_refused() {
    let wall = Wall::new();
    let raws: Vec<String> = [
        "xchunked",
        "chunked, identity",
        "chunked, gzip",
        "chunked;q=1",
        "chunked; foo=bar",
        "\"chunked\"",
        "'chunked'",
        "chunke",
        "chunkedd",
        "identity",
        "gzip",
        "",
        "\x0bchunked",
        "chunked\x0b",
        "chun\0ked",
        "chunk\u{e9}d",
        "chunked,",
        "[chunked]",
        "chunked\r\nTransfer-Encoding: identity",
        "chunked\r\nTransfer-Encoding: x",
        "identity\r\n chunked",
    ]
    .iter()
    .map(|value| {
        format!("POST /a HTTP/1.1\r\nBASEContent-Length: 5\r\nTransfer-Encoding: {value}\r\n\r\n0\r\n\r\n{INNER}")
    })
    .collect();
    let rows: Vec<Row<'_>> = raws.iter().map(|raw| row(raw, raw, 400, Sees::Nothing)).collect();
    wall.check(&rows);
}

#[test]
fn what_may_pass_is_framed_by_us() {
    let wall = Wall::new();
    let post = |fields: &str, body: &str| format!("POST /a HTTP/1.1\r\nBASE{fields}\r\n{body}");
    wall.check(&[
        row("length", post("Content-Length: 5\r\n", "hello"), 200, Sees::Body(b"hello")),
        row("length with spaces", post("Content-Length: \t 5 \r\n", "hello"), 200, Sees::Body(b"hello")),
        row("equal twice", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), 200, Sees::Body(b"hello")),
        row("leading zero", post("Content-Length: 05\r\n", "hello"), 200, Sees::Body(b"hello")),
        row("no body", post("", ""), 200, Sees::Body(b"")),
        row("zero", post("Content-Length: 0\r\n", ""), 200, Sees::Body(b"")),
        row("chunked", post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"), 200, Sees::Body(b"hello")),
        row("upper case", post("Transfer-Encoding: CHUNKED\r\n", "5\r\nhello\r\n0\r\n\r\n"), 200, Sees::Body(b"hello")),
        row(
            "many zeros",
            post("Transfer-Encoding: chunked\r\n", "0005\r\nhello\r\n00\r\n\r\n"),
            200,
            Sees::Body(b"hello"),
        ),
        row(
            "extension",
            post("Transfer-Encoding: chunked\r\n", "5;a=\"GET /smuggled HTTP/1.1\"\r\nhello\r\n0;eve\r\n\r\n"),
            200,
            Sees::Body(b"hello"),
        ),
        // RFC 9112 §6.3: the chunks count, and the length is gone.
        row(
            "cl.te",
            post("Content-Length: 100\r\nTransfer-Encoding: chunked\r\n", "2\r\nhi\r\n0\r\n\r\n"),
            200,
            Sees::Body(b"hi"),
        ),
        row(
            "te.cl",
            post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "2\r\nhi\r\n0\r\n\r\n"),
            200,
            Sees::Body(b"hi"),
        ),
        // The product learns no coding: it must not think that it has to undo what it was not told of.
        row("get with a body", "GET /a HTTP/1.1\r\nBASEContent-Length: 5\r\n\r\nhello", 200, Sees::Body(b"hello")),
        row("bare lf", "GET /a HTTP/1.1\nBASE\n", 200, Sees::Once(&["get /a http/1.1"])),
        row("empty lines first", "\r\n\r\nGET /a HTTP/1.1\r\nBASE\r\n", 200, Sees::Once(&["get /a http/1.1"])),
        row("length as a look-alike", post("Content_Length: 40\r\n", ""), 200, Sees::Body(b"")),
        row("coding as a look-alike", post("Transfer_Encoding: chunked\r\n", ""), 200, Sees::Body(b"")),
    ]);
}

#[test]
fn bad_chunks_never_become_a_request() {
    let wall = Wall::new();
    let raws: Vec<String> = [
        "+5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5_\r\nhello\r\n0\r\n\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        "g\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "5\nhello\n0\n\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\0\r\nhello\r\n0\r\n\r\n",
        "4\r\nhello\r\n0\r\n\r\n",
    ]
    .iter()
    .map(|chunks| format!("POST /a HTTP/1.1\r\nBASETransfer-Encoding: chunked\r\n\r\n{chunks}{INNER}"))
    .collect();
    // The head was whole, so the product may have seen a beginning; the client is told that it broke off.
    for raw in &raws {
        let outcome = wall.send(raw.as_bytes(), false);
        assert!(matches!(outcome.status, 0 | 400) && !outcome.lives, "{raw:?}: {outcome:?}");
        assert!(outcome.seen.iter().all(|message| !message.whole), "{raw:?}: {outcome:?}");
        judge_seen(&outcome.seen).unwrap_or_else(|why| panic!("{raw:?}: {why} {outcome:?}"));
    }
}

#[test]
fn unfinished_requests_stay_unfinished() {
    let wall = Wall::new();
    for raw in [
        "POST /a HTTP/1.1\r\nBASEContent-Length: 50\r\n\r\nhello",
        "POST /a HTTP/1.1\r\nBASETransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "POST /a HTTP/1.1\r\nBASETransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "POST /a HTTP/1.1\r\nBASETransfer-Encoding: chunked\r\n\r\nff\r\nhello",
        "GET /a HTTP/1.1\r\nBASE",
        "GET /a HTTP/1.1\r\nBASEX-Own",
    ] {
        let outcome = wall.send(raw.as_bytes(), true);
        assert!(matches!(outcome.status, 0 | 400), "{raw:?}: {outcome:?}");
        assert!(outcome.seen.iter().all(|message| !message.whole), "{raw:?}: {outcome:?}");
    }
}

#[test]
fn a_refused_requests_body_is_nobodys_request() {
    let wall = Wall::new();
    let head = format!("Host: {HOST}\r\nX-Forwarded-Proto: https\r\n");
    let honest = "GET /b HTTP/1.1\r\nBASE\r\n";
    for (name, first, status) in [
        ("no session", format!("POST /a HTTP/1.1\r\n{head}Content-Length: {}\r\n\r\n{INNER}", INNER.len()), 401),
        (
            "cross-site",
            format!("POST /a HTTP/1.1\r\n{head}Cookie: TOKEN\r\nContent-Length: {}\r\n\r\n{INNER}", INNER.len()),
            403,
        ),
        ("bad path", format!("POST /a//b HTTP/1.1\r\nBASEContent-Length: {}\r\n\r\n{INNER}", INNER.len()), 400),
        (
            "foreign host",
            format!("POST /a HTTP/1.1\r\nHost: evil.example\r\nContent-Length: {}\r\n\r\n{INNER}", INNER.len()),
            421,
        ),
        ("our page", format!("POST /login HTTP/1.1\r\n{head}Content-Length: {}\r\n\r\n{INNER}", INNER.len()), 200),
        (
            "public with a body",
            format!("GET /assets/a HTTP/1.1\r\n{head}Content-Length: {}\r\n\r\n{INNER}", INNER.len()),
            200,
        ),
    ] {
        let mut client = wall.world.plain();
        client.stream.write_all(&wall.fill(format!("{first}{honest}").as_bytes())).unwrap();
        assert_eq!(client.reply().status, status, "{name}");
        // The next answer is the next request's, or there is none.
        let next = client.reply();
        assert!(next.status == 0 || (next.status == 200 && next.one("x-path") == "/b"), "{name}: {next:?}");
        for message in wall.recorder.take() {
            assert!(matches!(message.target(), "/assets/a" | "/b"), "{name}: {message:?}");
        }
    }
}

#[test]
fn versions_that_do_not_exist_are_refused() {
    let wall = Wall::new();
    let raws: Vec<String> = [
        "GET /a HTTP/1.2",
        "GET /a HTTP/2.0",
        "GET /a HTTP/0.9",
        "GET /a HTTP/1.1.1",
        "GET /a http/1.1",
        "GET /a HTTP/11",
        "GET /a HTTP/1.1 x",
        "GET /a  HTTP/1.1",
        "GET  /a HTTP/1.1",
        "GET\t/a\tHTTP/1.1",
        "GET /a",
        " GET /a HTTP/1.1",
        "GET /a\x0bHTTP/1.1",
        "\0GET /a HTTP/1.1",
        "PRI * HTTP/2.0",
    ]
    .iter()
    .map(|line| format!("{line}\r\nBASE\r\n"))
    .collect();
    let rows: Vec<Row<'_>> = raws.iter().map(|raw| row(raw, raw, 400, Sees::Nothing)).collect();
    wall.check(&rows);
    let coded = "POST /a HTTP/1.0\r\nBASETransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    wall.check(&[row("a coding in 1.0", coded, 400, Sees::Nothing)]);
}
