//! The dangerous classes before real servers: what nginx, Node and Python made of a request is what the gateway decided on.

use super::judges::{Meaning, Server};
use super::*;

/// A request that passes, and what it means.
struct Pass {
    raw: String,
    method: &'static str,
    target: &'static str,
    body: &'static str,
}

fn get(target: &str, fields: &str, seen: &'static str) -> Pass {
    Pass { raw: format!("GET {target} HTTP/1.1\r\nBASE{fields}\r\n"), method: "GET", target: seen, body: "" }
}

fn post(fields: &str, framed: &str, body: &'static str) -> Pass {
    Pass { raw: format!("POST /a HTTP/1.1\r\nBASE{fields}\r\n{framed}"), method: "POST", target: "/a", body }
}

fn passes() -> Vec<Pass> {
    let inner = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    let forged = "X_Fedgate_User: eve\r\nX.Fedgate.User: eve\r\nx!fedgate!user: eve\r\nFedgate_Assertion: eve\r\nX_Auth_Name: eve\r\n\
                  X_Forwarded_For: eve\r\nAuthorization: eve\r\nProxy: eve\r\nX-HTTP-Method-Override: DELETE\r\n";
    vec![
        get("/a", forged, "/a"),
        get("/a", "Connection: close, x-fedgate-user, fedgate-assertion\r\n", "/a"),
        get("/%61/b%20c", "", "/a/b%20c"),
        get("/a;b=c/d", "", "/a;b=c/d"),
        get("/a%252e%252e/b", "", "/a%252e%252e/b"),
        get("/%c3%a9?x=/../y", "", "/%C3%A9?x=/../y"),
        get("http://trello.localhost/a?b", "", "/a?b"),
        get("/a?", "", "/a?"),
        get("/a#/../b", "", "/a"),
        get("/a", "Content_Length: 40\r\nTransfer_Encoding: chunked\r\n", "/a"),
        get(
            "/a",
            "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA\r\nOrigin: https://trello.localhost\r\n",
            "/a",
        ),
        get("/a", "Expect: 100-continue\r\n", "/a"),
        get("/a", "Cookie: a=b\r\nCookie: __host-fedgate=eve\r\n", "/a"),
        Pass { raw: "GET /a HTTP/1.1\nBASE\n".into(), method: "GET", target: "/a", body: "" },
        Pass { raw: "PROPFIND /a HTTP/1.1\r\nBASE\r\n".into(), method: "PROPFIND", target: "/a", body: "" },
        post("Content-Length: 5\r\n", "hello", "hello"),
        post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello", "hello"),
        post("Content-Length: 010\r\n", "hello12345", "hello12345"),
        post("Content-Length: 0\r\n", "", ""),
        post("", "", ""),
        post("Content-Length: 100\r\nTransfer-Encoding: chunked\r\n", "2\r\nhi\r\n0\r\n\r\n", "hi"),
        post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "2\r\nhi\r\n0\r\n\r\n", "hi"),
        post("Transfer-Encoding: CHUNKED\r\n", "02;x=\"\\\"\"\r\nhi\r\n000;y\r\n\r\n", "hi"),
        post(
            "Transfer-Encoding: chunked\r\nTrailer: x-fedgate-user\r\n",
            "2\r\nhi\r\n0\r\nX-Fedgate-User: eve\r\n\r\n",
            "hi",
        ),
        post(&format!("Content-Length: {}\r\n", inner.len()), inner, "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"),
        post(
            "Transfer-Encoding: chunked\r\n",
            &format!("{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len()),
            "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
        ),
        Pass {
            raw: format!("GET /a HTTP/1.1\r\nBASEContent-Length: {}\r\n\r\n{inner}", inner.len()),
            method: "GET",
            target: "/a",
            body: "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
        },
    ]
}

/// Sends every row through a gateway before that server; `judge` reads the server's answer. After each row another request on
/// the same upstream connection must be answered with its own answer.
fn check(kind: &str, judge: impl Fn(&str, &Pass), target_of: impl Fn(&str) -> String) {
    let server = Server::start(kind);
    let wall = Wall::with(|_, site| site.upstreams = vec![Upstream::Unix(server.socket.clone())]);
    for pass in passes() {
        let mut client = wall.world.plain();
        client.stream.write_all(&wall.fill(pass.raw.as_bytes())).unwrap();
        let mut reply = client.reply();
        if reply.status == 100 {
            reply = client.reply();
        }
        assert_eq!(reply.status, 200, "{kind}: {:?} {reply:?}", pass.raw);
        judge(&reply.body, &pass);
        for _ in 0..2 {
            let mut other = wall.world.plain();
            other.stream.write_all(&wall.fill(b"GET /sentinel HTTP/1.1\r\nBASE\r\n")).unwrap();
            let reply = other.reply();
            assert_eq!((reply.status, &*target_of(&reply.body)), (200, "/sentinel"), "{kind}: after {:?}", pass.raw);
        }
    }
}

/// What scripts answer with.
fn judge_meaning(said: &str, pass: &Pass) {
    let read = Meaning::of(&serde_json::from_str(said).unwrap()).unwrap();
    assert_eq!((&*read.method, &*read.target), (pass.method, pass.target), "{:?}", pass.raw);
    assert_eq!(String::from_utf8_lossy(&read.body), pass.body, "{:?}", pass.raw);
    assert_eq!(read.trailers, 0, "{:?}", pass.raw);
    for (name, value) in [
        ("x-fedgate-user", "ann"),
        ("fedgate-assertion", "signed"),
        ("x-auth-name", "Ann"),
        ("x-forwarded-for", "127.0.0.1"),
        ("authorization", ""),
        ("proxy", ""),
    ] {
        assert_eq!(read.folded(name), value, "{name} after {:?}", pass.raw);
    }
    assert!(!said.contains("eve"), "{said}");
}

fn target_in_json(said: &str) -> String {
    serde_json::from_str::<serde_json::Value>(said).unwrap()["target"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn node_reads_what_we_decided_on() {
    check("node", judge_meaning, target_in_json);
}

#[test]
fn python_reads_what_we_decided_on() {
    check("python", judge_meaning, target_in_json);
}

#[test]
fn nginx_reads_what_we_decided_on() {
    let judge = |said: &str, pass: &Pass| {
        let lines: Vec<&str> = said.split('\n').collect();
        assert_eq!(lines[..2], [pass.method, pass.target], "{:?}", pass.raw);
        // Its own normal form takes nothing away: the same segments, decoded.
        let segments = pass.target.split('?').next().unwrap_or_default().matches('/').count();
        assert_eq!(lines[2].matches('/').count(), segments, "{:?} {said}", pass.raw);
        // What it says of a length beside chunks is its own count, which it may not have finished.
        let chunked = pass.raw.to_lowercase().contains("transfer-encoding: chunked");
        let framed = if chunked { lines[4] == "chunked" } else { lines[3].parse().unwrap_or(0) == pass.body.len() };
        assert!(framed && (chunked || lines[4].is_empty()), "{said} after {:?}", pass.raw);
        assert_eq!(lines[5..9], ["ann", "signed", "127.0.0.1", ""], "{:?}", pass.raw);
        assert!(!said.contains("eve"), "{said}");
    };
    check("nginx", judge, |said| said.split('\n').nth(1).unwrap_or_default().to_owned());
}
