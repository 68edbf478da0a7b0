//! Methods: what a product would read as another, and what would echo a request with our fields in it.

use super::*;

#[test]
fn methods_pass_as_they_are_or_not_at_all() {
    let wall = Wall::new();
    for method in
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "REPORT", "QUERY", "get", "M-SEARCH"]
    {
        let line = format!("{} /a http/1.1", method.to_lowercase());
        wall.check(&[row(method, format!("{method} /a HTTP/1.1\r\nBASE\r\n"), 200, Sees::Once(&[&line]))]);
    }
    for line in [
        "CONNECT /a",
        "CONNECT trello.localhost:443",
        "CONNECT http://trello.localhost/a",
        "TRACE /a",
        "TRACK /a",
        "trace /a",
        "Track /a",
        "G(T /a",
        "GET,POST /a",
        "G\u{e9}T /a",
        "\"GET\" /a",
        "GE\x0bT /a",
    ] {
        wall.check(&[row(line, format!("{line} HTTP/1.1\r\nBASE\r\n"), 400, Sees::Nothing)]);
    }
}

#[test]
fn h6_an_unsafe_method_is_the_hosts_own_in_every_spelling() {
    let wall = Wall::new();
    for method in
        ["POST", "PUT", "PATCH", "DELETE", "post", "get", "Get", "head", "PROPFIND", "GETX", "OPTIONSX", "options"]
    {
        for fields in [
            "",
            "Origin: null\r\n",
            "Origin: https://evil.example\r\n",
            "Origin: https://trello.localhost.evil.example\r\n",
            "Origin: http://trello.localhost\r\n",
            "Origin: HTTPS://TRELLO.LOCALHOST\r\n",
            "Origin: https://trello.localhost:443\r\n",
            "Origin: https://trello.localhost/\r\n",
            "Origin: https://trello.localhost\r\nOrigin: https://evil.example\r\n",
            "Sec-Fetch-Site: cross-site\r\n",
            "Sec-Fetch-Site: same-site\r\nOrigin: https://trello.localhost\r\n",
            "Sec-Fetch-Site: none\r\n",
            "Sec-Fetch-Site: SAME-ORIGIN\r\n",
            "Sec-Fetch-Site: same-origin, same-origin\r\n",
            "Sec_Fetch_Site: same-origin\r\n",
            "X-HTTP-Method-Override: GET\r\n",
        ] {
            let raw = format!(
                "{method} /a HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-Proto: https\r\nCookie: TOKEN\r\n{fields}\r\n"
            );
            wall.check(&[row(&raw, &raw, 403, Sees::Nothing)]);
        }
    }
}

#[test]
fn h6_two_sites_are_none() {
    let wall = Wall::new();
    for fields in [
        "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Site: same-origin\r\n",
    ] {
        let raw =
            format!("POST /a HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-Proto: https\r\nCookie: TOKEN\r\n{fields}\r\n");
        wall.check(&[row(&raw, &raw, 403, Sees::Nothing)]);
    }
}

#[test]
fn c7_a_preflight_carries_nothing_of_anybody() {
    let wall = Wall::new();
    let asks = "Origin: https://app.example.com\r\nAccess-Control-Request-Method: PUT\r\n";
    let head = format!("Host: {HOST}\r\nX-Forwarded-Proto: https\r\n{asks}");
    let raw = format!("OPTIONS /share/a HTTP/1.1\r\n{head}Cookie: TOKEN\r\nAuthorization: eve\r\n\r\n");
    let outcome = wall.send(raw.as_bytes(), false);
    assert_eq!(outcome.status, 200, "{outcome:?}");
    assert!(!outcome.seen[0].head.contains("fedgate"), "no identity: {outcome:?}");
    judge_seen(&outcome.seen).unwrap();
    for (name, raw) in [
        ("with a body", format!("OPTIONS /a HTTP/1.1\r\n{head}Content-Length: 5\r\n\r\nhello")),
        (
            "with chunks",
            format!("OPTIONS /a HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        ),
        ("of another method", format!("GET /a HTTP/1.1\r\n{head}\r\n")),
        ("in lower case", format!("options /a HTTP/1.1\r\n{head}\r\n")),
    ] {
        wall.check(&[row(name, raw, 401, Sees::Nothing)]);
    }
}
