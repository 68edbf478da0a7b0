//! One normal form of a path: what was matched is what is forwarded, else 400 (rule M10).

use super::*;
use fedgate::gateway::options::PathRule;

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nBASE\r\n")
}

#[test]
fn targets_with_two_readings_are_refused() {
    let wall = Wall::new();
    let targets = [
        "/a%2fb",
        "/a%2Fb",
        "/%2f",
        "/a%5cb",
        "/a%5Cb",
        "/a\\b",
        "/\\evil.example",
        "//evil.example/",
        "//",
        "/a//b",
        "///",
        "/.",
        "/..",
        "/./a",
        "/../a",
        "/a/.",
        "/a/..",
        "/a/./b",
        "/a/../b",
        "/%2e",
        "/%2e%2e",
        "/%2E%2e/b",
        "/.%2e/b",
        "/%2e./b",
        "/..;/b",
        "/.;/b",
        "/..;x=y/b",
        "/..%3b/b",
        "/a/..;",
        "/%2e%2e;/b",
        "/a%00",
        "/a%00.css",
        "/a%0ab",
        "/a%0d%0aX-Own:%20eve",
        "/a%09b",
        "/a%7f",
        "/a%1fb",
        "/a%",
        "/a%2",
        "/a%zz",
        "/a%u002e",
        "/%c0%ae/",
        "/%c0%ae%c0%ae/b",
        "/%c0%af",
        "/%e0%80%af",
        "/%f0%80%80%af",
        "/%ff",
        "/%c3",
        "/%ed%a0%80",
        "a",
        "*",
        "",
        "http:/a",
        "http:a",
        "trello.localhost",
        "trello.localhost:443",
        "?a",
        "http://trello.localhost?b",
        "/a<b",
        "/a>b",
        "/a\"b",
        "/a`b",
    ];
    let raws: Vec<String> = targets.iter().map(|target| get(target)).collect();
    let rows: Vec<Row<'_>> = raws.iter().map(|raw| row(raw, raw, 400, Sees::Nothing)).collect();
    wall.check(&rows);
    let raw: [&[u8]; 6] = [b"/\xc3\xa9", b"/a\x7f", b"/a\0b", b"/\xff", b"/a?\xc3\xa9", b"/a?\0"];
    let raws: Vec<(String, Vec<u8>)> = raw
        .iter()
        .map(|target| (format!("{target:?}"), [b"GET ", *target, b" HTTP/1.1\r\nBASE\r\n"].concat()))
        .collect();
    let rows: Vec<Row<'_>> = raws.iter().map(|(name, raw)| row(name, raw, 400, Sees::Nothing)).collect();
    wall.check(&rows);
}

#[test]
fn what_has_one_reading_is_forwarded_in_it() {
    let wall = Wall::new();
    for (target, seen) in [
        ("/", "/"),
        ("/a/", "/a/"),
        ("/%61%2d%2E%5f%7e", "/a-._~"),
        ("/a%20b", "/a%20b"),
        ("/%c3%a9", "/%C3%A9"),
        ("/a%252e%252e/b", "/a%252e%252e/b"),
        ("/%252e%252e/b", "/%252e%252e/b"),
        ("/%25%32%65", "/%252e"),
        ("/a;b=c/d", "/a;b=c/d"),
        ("/a%3bb", "/a%3Bb"),
        ("/a%3fb", "/a%3Fb"),
        ("/a%23b", "/a%23b"),
        ("/a?b=/../c", "/a?b=/../c"),
        ("/a?b%00%0d%0a", "/a?b%00%0d%0a"),
        ("/a??b", "/a??b"),
        ("/a?", "/a?"),
        ("/?/.fedgate/login", "/?/.fedgate/login"),
        ("/...", "/..."),
        ("/.well-known/x", "/.well-known/x"),
        ("/.fedgat", "/.fedgat"),
        ("/.fedgatex/login", "/.fedgatex/login"),
        ("/a@b:c!$&'()*+,=", "/a@b:c!$&'()*+,="),
        ("http://trello.localhost/a?b", "/a?b"),
        ("https://trello.localhost:443/a", "/a"),
        ("/a|b^c{d}[e]", "/a|b^c{d}[e]"),
    ] {
        let line = format!("get {} http/1.1", seen.to_lowercase());
        let mut raw = get(target);
        if target.contains(":443") {
            raw = raw.replace("BASE", "Host: trello.localhost:443\r\nX-Forwarded-Proto: https\r\nCookie: TOKEN\r\n");
        }
        wall.check(&[row(target, raw, 200, Sees::Once(&[&line]))]);
    }
}

#[test]
fn a_fragment_is_no_part_of_a_target() {
    let wall = Wall::new();
    // The HTTP library cuts it before anything is matched; the product never sees what was not judged.
    for (target, seen) in
        [("/a#b", "/a"), ("/a#/../b", "/a"), ("/a?b#c", "/a?b"), ("/#", "/"), ("/%23#", "/%23"), ("/a#\\..\\b", "/a")]
    {
        let line = format!("get {seen} http/1.1");
        wall.check(&[row(target, get(target), 200, Sees::Once(&[&line]))]);
    }
    assert_eq!(stranger(&wall, "GET /board#/assets/a"), (302, false));
}

/// The answer to a stranger, and whether the product saw it.
fn stranger(wall: &Wall, line: &str) -> (u16, bool) {
    let raw = format!("{line} HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-Proto: https\r\nAccept: text/html\r\n\r\n");
    let outcome = wall.send(raw.as_bytes(), false);
    (outcome.status, !outcome.seen.is_empty())
}

#[test]
fn m10_a_public_rule_opens_what_it_names_in_one_spelling() {
    let wall = Wall::with(|_, site| {
        site.public = vec![
            PathRule::Below("/assets/".into()),
            PathRule::Below("/".into()),
            PathRule::Exact("/".into()),
            PathRule::Exact("/healthz".into()),
        ];
        site.optional = vec![PathRule::Below("/share/".into()), PathRule::Exact("/open".into())];
    });
    for line in [
        "GET /assets/a.css",
        "HEAD /assets/a.css",
        "GET /assets/a/b",
        "GET /%61ssets/a.css",
        "GET /assets/",
        "GET /healthz",
        "GET /assets/...",
        "GET /share/a",
        "GET /open",
        "POST /share/a",
        "GET /assets/a?x=/../board",
        "GET http://trello.localhost/assets/a",
    ] {
        assert_eq!(stranger(&wall, line), (200, true), "{line}");
    }
    for line in [
        "GET /",
        "GET /assets",
        "GET /ASSETS/a",
        "GET /Assets/a",
        "GET /assets;x/a",
        "GET /assets/a;b",
        "GET /assets/a%3bb",
        "GET /assets/;/board",
        "GET /assets/a%2541",
        "GET /assets/%252e%252e/board",
        "GET /assets/a%20b",
        "GET /assets/a:b",
        "GET /assets/a@b",
        "GET /assets/%c3%a9",
        "GET /assets/a,b",
        "GET /assets/a|b",
        "GET /assetsx/a",
        "GET /x/assets/a",
        "GET /healthz/",
        "GET /healthz;x",
        "GET /healthz.json",
        "GET /healthz/a",
        "GET /HEALTHZ",
        "GET /share",
        "GET /sharex/a",
        "GET /SHARE/a",
        "GET /share/a;b",
        "GET /share/a%3bb",
        "GET /open/",
        "GET /open.json",
        "GET /open;x",
        "GET /board",
        "GET /board/assets/a",
        "GET /board?/assets/a",
    ] {
        assert_eq!(stranger(&wall, line), (302, false), "{line}");
    }
    for line in
        ["POST /assets/a", "PUT /assets/a", "DELETE /assets/a", "PATCH /assets/a", "get /assets/a", "Get /assets/a"]
    {
        assert_eq!(stranger(&wall, line), (303, false), "{line}");
    }
    for line in [
        "GET /assets/..;/board",
        "GET /assets/../board",
        "GET /assets/%2e%2e/board",
        "GET /assets/%2e%2e%2fboard",
        "GET /assets//board",
        "GET /assets/\\board",
        "GET //assets/a",
        "GET /share/../board",
        "GET /assets/%00",
    ] {
        assert_eq!(stranger(&wall, line), (400, false), "{line}");
    }
}

#[test]
fn m11_our_own_paths_and_doors_never_reach_the_product() {
    let wall = Wall::new();
    for target in [
        "/.fedgate/login",
        "/.fedgate/",
        "/.fedgate",
        "/%2efedgate/login",
        "/.%66edgate/x",
        "/.fedgate/x;y",
        "/.fedgate/%25",
        "/login",
        "/%6cogin",
        "/login?x",
        "/.fedgate?x",
    ] {
        let outcome = wall.send(get(target).as_bytes(), false);
        assert!(outcome.seen.is_empty() && outcome.status == 200, "{target}: {outcome:?}");
        assert!(outcome.reply.body.starts_with("page "), "{target}: {outcome:?}");
    }
}

#[test]
fn the_way_back_is_this_hosts_and_one_parameter() {
    let wall = Wall::new();
    for (target, location) in [
        ("/a?b=c&d", "/.fedgate/login?return_to=/a%3Fb%3Dc%26d"),
        ("/a%20b", "/.fedgate/login?return_to=/a%2520b"),
        ("/@evil.example", "/.fedgate/login?return_to=/%40evil.example"),
        ("/a?x=%0d%0aSet-Cookie:y", "/.fedgate/login?return_to=/a%3Fx%3D%250d%250aSet-Cookie%3Ay"),
        ("http://trello.localhost/a", "/.fedgate/login?return_to=/a"),
    ] {
        let raw = format!(
            "GET {target} HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-Proto: https\r\nSec-Fetch-Mode: navigate\r\n\r\n"
        );
        let outcome = wall.send(raw.as_bytes(), false);
        assert_eq!((outcome.status, outcome.reply.one("location")), (302, location), "{target}");
        assert!(outcome.seen.is_empty());
    }
}
