//! Which host, which path, whose answer.

use super::support::*;
use fedgate::gateway::options::PathRule;
use fedgate::kernel::model::{ApiRefusal, PasswordApi};
use std::sync::Arc;
use std::sync::atomic::Ordering;

const PAGE: &str = "Accept: text/html";

#[test]
fn m8_unknown_hosts_and_ports_are_421_never_a_default() {
    let world = world(ok, |_, _| {});
    for (host, status) in [
        ("trello.localhost", 302),
        ("TRELLO.localhost", 302),
        ("trello.localhost:443", 302),
        ("trello.localhost:8443", 421),
        ("trello.localhost.", 421),
        ("loom.localhost", 421),
        ("127.0.0.1", 421),
        ("[::1]", 421),
        ("trello.localhost:", 400),
        ("a@trello.localhost", 400),
        ("", 400),
    ] {
        let mut client = world.plain();
        client.send(&format!("GET / HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Proto: https\r\n{PAGE}\r\n\r\n"));
        assert_eq!(client.reply().status, status, "{host:?}");
    }
}

#[test]
fn absolute_form_and_host_must_agree() {
    let world = world(ok, |_, _| {});
    let (_, cookie) = world.session(1);
    let cookie = format!("Cookie: {cookie}");
    assert_eq!(world.ask("GET http://trello.localhost/x", &[&cookie]).status, 200);
    assert!(world.seen.last().starts_with("GET /x HTTP/1.1"));
    assert_eq!(world.ask("GET http://loom.localhost/x", &[&cookie]).status, 400);
    assert_eq!(world.ask("GET /x", &[&cookie, "Host: trello.localhost"]).status, 400);
    assert_eq!(world.ask("OPTIONS *", &[&cookie]).status, 400);
    assert_eq!(world.ask("CONNECT trello.localhost", &[&cookie]).status, 400);
}

#[test]
fn what_was_matched_is_what_is_forwarded() {
    let world = world(ok, |_, _| {});
    let (_, cookie) = world.session(1);
    let cookie = format!("Cookie: {cookie}");
    assert_eq!(world.ask("GET /%62oard/%c3%a9?q=%62", &[&cookie]).status, 200);
    assert!(world.seen.last().starts_with("GET /board/%C3%A9?q=%62 HTTP/1.1"), "{}", world.seen.last());
    let before = world.seen.bytes.load(Ordering::SeqCst);
    for path in
        ["/a/../b", "//b", "/a%2fb", "/a\\b", "/a%5Cb", "/%2e/b", "/a%00", "/..;/b", "/a%0d%0ab", "/%c0%ae/", "/a%"]
    {
        assert_eq!(world.ask(&format!("GET {path}"), &[&cookie]).status, 400, "{path}");
    }
    assert_eq!(world.seen.bytes.load(Ordering::SeqCst), before);
}

#[test]
fn m10_public_paths_never_know_who_asks() {
    let world = world(ok, |_, site| site.public.push(PathRule::Exact("/healthz".into())));
    let (_, cookie) = world.session(1);
    let reply = world.ask(
        "GET /assets/app.js",
        &[&format!("Cookie: {cookie}; a=b"), "Authorization: Basic x", "X-Fedgate-User: eve"],
    );
    assert_eq!(reply.status, 200);
    let head = world.seen.last().to_lowercase();
    assert!(!head.contains("fedgate") && !head.contains("authorization") && head.contains("cookie: a=b"), "{head}");
    assert_eq!(world.ask("GET /healthz", &[]).status, 200);
    let before = world.seen.bytes.load(Ordering::SeqCst);
    for (line, status) in [
        ("POST /assets/app.js", 303),
        ("DELETE /assets/app.js", 303),
        ("GET /assets", 302),
        ("GET /assets/a;b=c", 302),
        ("GET /assets/%2541", 302),
        ("GET /ASSETS/x", 302),
        ("GET /assets/a:b", 302),
        ("GET /assets/..;/board", 400),
        ("GET /assets/%2e%2e/board", 400),
        ("GET /healthz/", 302),
        ("GET /healthz.json", 302),
        ("GET /board", 302),
    ] {
        assert_eq!(world.ask(line, &[PAGE, "Content-Length: 0"]).status, status, "{line}");
    }
    assert_eq!(world.seen.bytes.load(Ordering::SeqCst), before);
}

#[test]
fn c7_optional_paths_get_no_foreign_credential() {
    let world = world(ok, |_, _| {});
    assert_eq!(world.ask("GET /share/1", &["Authorization: Bearer x", "Cookie: __Host-fedgate=bad; a=b"]).status, 200);
    let head = world.seen.last().to_lowercase();
    assert!(!head.contains("authorization") && !head.contains("fedgate") && head.contains("cookie: a=b"), "{head}");
    let (_, cookie) = world.session(1);
    assert_eq!(world.ask("GET /share/1", &[&format!("Cookie: {cookie}")]).status, 200);
    assert!(world.seen.last().to_lowercase().contains("x-fedgate-user: ann"));
}

#[test]
fn c7_authorization_beside_a_session_only_where_declared() {
    let world = world(ok, |_, site| site.keep_authorization = true);
    let (_, cookie) = world.session(1);
    assert_eq!(world.ask("GET /x", &[&format!("Cookie: {cookie}"), "Authorization: Basic own"]).status, 200);
    assert!(world.seen.last().to_lowercase().contains("authorization: basic own"));
    let before = world.seen.bytes.load(Ordering::SeqCst);
    assert_eq!(world.ask("GET /x", &["Authorization: Basic own"]).status, 401);
    assert_eq!(world.seen.bytes.load(Ordering::SeqCst), before);
}

#[test]
fn c7_beside_a_session_every_other_credential_is_removed() {
    let world = world(ok, |_, _| {});
    let (_, cookie) = world.session(1);
    for credential in ["Basic b3RoZXI6cHc=", "Bearer x", "Digest username=\"other\"", "Negotiate x"] {
        let fields = [&*format!("Cookie: {cookie}"), &*format!("Authorization: {credential}")];
        assert_eq!(world.ask("GET /x", &fields).status, 200, "{credential}");
        assert!(!world.seen.last().to_lowercase().contains("authorization"), "{credential}: {}", world.seen.last());
    }
}

#[test]
fn our_own_pages_are_answered_by_us() {
    let world = world(ok, |_, _| {});
    for (line, body) in [
        ("GET /.fedgate/login?return_to=/x", "page /.fedgate/login?return_to=/x None 0"),
        ("GET /.fedgate/unknown", "page /.fedgate/unknown None 0"),
        ("GET /login", "page /login Some(Login) 0"),
        ("GET /%6cogin", "page /login Some(Login) 0"),
    ] {
        assert_eq!(world.ask(line, &[PAGE]).body, body, "{line}");
    }
    assert_eq!(world.ask("GET /.fedgate/sw.js", &["Service-Worker: script"]).status, 404);
    let mut client = world.plain();
    client.send("GET /login HTTP/1.1\r\nHost: id.localhost\r\nX-Forwarded-Proto: https\r\n\r\n");
    assert_eq!(client.reply().body, "page /login None 0");
    assert_eq!(world.pages.asked.lock().unwrap().len(), 5, "the service worker's script was not asked for");
    let mut client = world.plain();
    client.send("GET /.fedgate/healthz HTTP/1.1\r\nHost: anything\r\n\r\n");
    assert_eq!(client.reply().status, 200);
    let mut client = world.plain();
    client.send("GET /x?y=1 HTTP/1.1\r\nHost: old.localhost\r\nX-Forwarded-Proto: https\r\n\r\n");
    let reply = client.reply();
    assert_eq!((reply.status, reply.one("location")), (308, "https://trello.localhost/x?y=1"));
    assert_eq!(world.seen.bytes.load(Ordering::SeqCst), 0);
}

#[test]
fn our_pages_take_a_form_and_no_more() {
    let world = world(ok, |_, _| {});
    for (length, status) in [(64 * 1024, 200), (64 * 1024 + 1, 413)] {
        let mut client = world.plain();
        client.send(&head("POST /.fedgate/logout", &[&format!("Content-Length: {length}")]));
        client.send(&"x".repeat(length));
        assert_eq!(client.reply().status, status, "{length}");
    }
}

#[test]
fn h10_only_a_browser_with_a_login_under_way_brings_a_large_response() {
    let world = world(ok, |_, _| {});
    for (cookie, length, status) in [
        ("Cookie: x=1", 100 * 1024, 413),
        ("Cookie: __Host-fedgate-in-ab=1", 100 * 1024, 200),
        ("Cookie: __Host-fedgate-in-ab=1", 512 * 1024 + 1, 413),
    ] {
        let mut client = world.plain();
        let to = "POST /saml/acme/acs HTTP/1.1\r\nHost: id.localhost\r\nX-Forwarded-Proto: https";
        client.send(&format!("{to}\r\n{cookie}\r\nContent-Length: {length}\r\n\r\n"));
        client.send(&"x".repeat(length));
        assert_eq!(client.reply().status, status, "{cookie} {length}");
    }
}

#[test]
fn h6_unsafe_requests_with_our_cookie_are_same_origin() {
    let world = world(ok, |_, site| site.accept_from.push("https://app.example.com".into()));
    let (_, cookie) = world.session(1);
    let cookie = format!("Cookie: {cookie}");
    let check = |line: &str, fields: &[&str], status| {
        let fields = [&[&cookie, "Content-Length: 0"][..], fields].concat();
        assert_eq!(world.ask(line, &fields).status, status, "{line} {fields:?}");
    };
    check("POST /x", &["Sec-Fetch-Site: same-origin"], 200);
    check("POST /x", &["Origin: https://trello.localhost"], 200);
    check("POST /x", &["Sec-Fetch-Site: same-site", "Origin: https://app.example.com"], 200);
    check("GET /x", &["Sec-Fetch-Site: cross-site"], 200);
    let before = world.seen.bytes.load(Ordering::SeqCst);
    for verb in ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"] {
        check(&format!("{verb} /x"), &["Sec-Fetch-Site: same-site", "Origin: https://loom.localhost"], 403);
    }
    check("POST /x", &[], 403);
    check("POST /x", &["Origin: null"], 403);
    check("POST /x", &["Origin: https://trello.localhost", "Origin: https://trello.localhost"], 403);
    check("POST /.fedgate/logout", &["Sec-Fetch-Site: same-site"], 403);
    check("POST /login", &["Sec-Fetch-Site: cross-site"], 403);
    assert_eq!(world.seen.bytes.load(Ordering::SeqCst), before);
}

#[test]
fn cors_preflights_go_to_the_product_and_our_401_can_be_read() {
    let world = world(ok, |_, _| {});
    let (known, method) = ("Origin: https://app.example.com", "Access-Control-Request-Method: PUT");
    assert_eq!(world.ask("OPTIONS /x", &[known, method]).status, 200);
    let before = world.seen.bytes.load(Ordering::SeqCst);
    assert_eq!(world.ask("OPTIONS /x", &["Origin: https://evil.example", method]).status, 401);
    assert_eq!(world.ask("OPTIONS /x", &[known]).status, 401);
    let reply = world.ask("GET /x", &[known]);
    assert_eq!((reply.status, reply.one("access-control-allow-origin")), (401, "https://app.example.com"));
    assert_eq!(reply.one("access-control-allow-credentials"), "true");
    assert_eq!(world.ask("GET /x", &["Origin: https://evil.example"]).one("access-control-allow-origin"), "");
    assert_eq!(world.seen.bytes.load(Ordering::SeqCst), before);
}

#[test]
fn m29_the_plain_listener_believes_trusted_proxies_only() {
    let trusting = world(ok, |_, _| {});
    let mut client = trusting.plain();
    client.send("GET /a HTTP/1.1\r\nHost: trello.localhost\r\nX-Forwarded-Proto: http\r\n\r\n");
    let reply = client.reply();
    assert_eq!((reply.status, reply.one("location")), (308, "https://trello.localhost/a"));
    let distrusting = world(ok, |options, _| options.listen.trusted_proxies.clear());
    let (_, cookie) = distrusting.session(1);
    assert_eq!(distrusting.ask("GET /a", &[&format!("Cookie: {cookie}")]).status, 403);
}

#[test]
fn plain_http_is_redirected_for_known_hosts_only() {
    let world = world(ok, |_, _| {});
    let at = world.running.addresses().http.unwrap();
    for (host, target, status, location) in [
        ("trello.localhost", "/a?b", 308, "https://trello.localhost/a?b"),
        ("trello.localhost:80", "/", 308, "https://trello.localhost/"),
        ("id.localhost", "/", 308, "https://id.localhost/"),
        ("evil.example", "/", 421, ""),
        ("trello.localhost", "//evil.example", 400, ""),
    ] {
        let mut client = Client::open(at);
        client.send(&format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        let reply = client.reply();
        assert_eq!((reply.status, reply.one("location")), (status, location), "{host} {target}");
        assert_eq!(reply.one("strict-transport-security"), "", "not over plain HTTP (RFC 6797 §7.2)");
    }
}

#[test]
fn b6_what_a_product_could_take_for_an_apps_login_is_open_to_nobody() {
    let world = world(ok, |_, site| {
        site.optional = vec![PathRule::Below("/".into())];
        Arc::make_mut(&mut site.product).password_api = vec![PasswordApi {
            path: "/1/auth".to_owned(),
            email: "/user".to_owned(),
            password: "/password".to_owned(),
            refuse: ApiRefusal::default(),
        }];
    });
    assert_eq!(world.ask("POST /1/other", &["Content-Length: 0"]).status, 200);
    let before = world.seen.bytes.load(Ordering::SeqCst);
    for path in ["/1/Auth", "/1/auth/", "/1/auth;x=1", "/1;x/auth", "/1/AUTH?x", "/1/a%75th", "/1/%2561uth"] {
        for method in ["POST", "PUT", "GET"] {
            let status = world.ask(&format!("{method} {path}"), &["Content-Length: 0"]).status;
            // The path itself, and what has no single meaning, are answered otherwise.
            assert!(matches!(status, 400 | 401 | 404), "{method} {path}: {status}");
        }
    }
    assert_eq!(world.seen.bytes.load(Ordering::SeqCst), before, "the product saw nothing of it");
}
