//! `/.fedgate/auth`: a proxy that forwards by itself asks, and is told what the data path would have done.

use super::support::*;
use super::tls::{connect, root, run};
use std::sync::atomic::Ordering;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const NAVIGATION: [&str; 2] = ["Sec-Fetch-Mode: navigate", "Accept: text/html"];

fn asked_world() -> World {
    world(ok, |_, site| {
        site.forward_auth = true;
        site.keep_authorization = true;
    })
}

/// One question about a request, by the fields that every proxy sends.
fn question(world: &World, method: &str, uri: &str, fields: &[&str]) -> Reply {
    asked(world, "", method, uri, fields)
}

fn asked(world: &World, query: &str, method: &str, uri: &str, fields: &[&str]) -> Reply {
    let (method, uri) = (format!("X-Forwarded-Method: {method}"), format!("X-Forwarded-Uri: {uri}"));
    world.ask(&format!("GET /.fedgate/auth{query}"), &[&[method.as_str(), uri.as_str()], fields].concat())
}

#[test]
fn a_session_is_vouched_for_with_every_identity_field() {
    let world = asked_world();
    let (_, cookie) = world.session(1);
    let cookie = format!("Cookie: theme=dark; {cookie}; lang=en");
    let reply = question(&world, "GET", "/boards?x=1", &[&cookie, "Authorization: Bearer own"]);
    assert_eq!((reply.status, reply.one("cache-control")), (200, "no-store"));
    for (name, value) in [
        ("fedgate-assertion", "signed"),
        ("x-fedgate-user", "ann"),
        ("x-auth-name", "Ann"),
        ("cookie", "theme=dark; lang=en"),
        ("authorization", "Bearer own"),
    ] {
        assert_eq!(reply.all(name), [value], "{name}");
    }
    // Empty, so that copying overwrites what a client sent.
    for name in ["x-fedgate-email", "x-fedgate-name", "x-fedgate-account", "x-fedgate-org", "x-fedgate-groups"] {
        assert_eq!(reply.all(name), [""], "{name}");
    }
    assert_eq!(world.seen.bytes.load(Ordering::SeqCst), 0, "a question never reaches the product");
}

#[test]
fn m10_public_and_optional_paths_are_open_and_carry_no_identity_of_strangers() {
    let world = asked_world();
    let (_, cookie) = world.session(1);
    let cookie = format!("Cookie: {cookie}");
    let check = |method: &str, uri: &str, cookie: &str, status: u16, user: &str| {
        let reply =
            question(&world, method, uri, &[cookie, "Sec-Fetch-Site: same-origin", "Authorization: Basic eA=="]);
        assert_eq!((reply.status, reply.one("x-fedgate-user")), (status, user), "{method} {uri} {cookie}");
        if user.is_empty() && status == 200 {
            assert_eq!((reply.all("authorization"), reply.all("fedgate-assertion")), (vec![""], vec![""]), "{uri}");
        }
    };
    check("GET", "/assets/a.css", "A: b", 200, "");
    check("GET", "/assets/a.css", &cookie, 200, "");
    check("HEAD", "/assets/a.css", "A: b", 200, "");
    check("POST", "/assets/a.css", "A: b", 401, "");
    check("GET", "/assets/a;b.css", "A: b", 401, "");
    check("GET", "/share/1", "A: b", 200, "");
    check("GET", "/share/1", &cookie, 200, "ann");
    check("GET", "/assetsx", "A: b", 401, "");
}

#[test]
fn a_stranger_is_led_to_the_login_and_a_script_is_told() {
    let world = asked_world();
    let login = "https://trello.localhost/.fedgate/login?return_to=/boards%3Fx%3D1%26y";
    let check = |query: &str, fields: &[&str], status: u16, to: &str| {
        let reply = asked(&world, query, "GET", "/boards?x=1&y", fields);
        assert_eq!((reply.status, reply.one("location")), (status, to), "{query} {fields:?}");
        reply
    };
    check("", &NAVIGATION, 302, login);
    let script = check("", &["Accept: application/json"], 401, "");
    assert!(script.body.ends_with(" https://trello.localhost/.fedgate/login"), "{}", script.body);
    // nginx knows 200, 401 and 403; afterwards it asks for what the browser is to see.
    check("?as=status", &NAVIGATION, 401, login);
    check("?as=status", &["Accept: application/json"], 401, "");
    check("?as=answer", &NAVIGATION, 302, login);
    check("?as=answer", &["Accept: application/json"], 401, "");
    check("?as=anything", &NAVIGATION, 403, "");
    let (_, cookie) = world.session(1);
    let cookie = format!("Cookie: {cookie}");
    check("?as=status", &[&cookie], 200, "");
    let told = check("?as=answer", &[&cookie], 307, "https://trello.localhost/boards?x=1&y");
    assert!(told.all("fedgate-assertion").is_empty() && told.all("cookie").is_empty(), "{}", told.head);
}

#[test]
fn h6_m30_the_method_and_the_upgrade_that_are_described_decide() {
    let world = asked_world();
    let (_, cookie) = world.session(1);
    let cookie = format!("Cookie: {cookie}");
    let check = |method: &str, fields: &[&str], status: u16| {
        let reply = question(&world, method, "/x", &[&[cookie.as_str()], fields].concat());
        assert_eq!(reply.status, status, "{method} {fields:?}");
    };
    check("GET", &[], 200);
    check("POST", &[], 403);
    check("POST", &["Sec-Fetch-Site: same-site"], 403);
    check("DELETE", &["Origin: https://loom.localhost"], 403);
    check("POST", &["Sec-Fetch-Site: same-origin"], 200);
    check("POST", &["Origin: https://trello.localhost"], 200);
    for mark in ["Upgrade: websocket", "Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 13", "Sec-Fetch-Mode: websocket"]
    {
        check("GET", &[mark], 403);
        check("GET", &[mark, "Origin: https://loom.localhost"], 403);
        check("GET", &[mark, "Origin: https://trello.localhost"], 200);
    }
    check("CONNECT", &["Sec-Fetch-Site: same-origin"], 400);
    let two = format!("{cookie}; {}", cookie.trim_start_matches("Cookie: "));
    assert_eq!(question(&world, "GET", "/x", &[&two]).status, 403, "rule C7: two credentials are none");
}

#[test]
fn only_a_path_in_its_normal_form_is_vouched_for() {
    let world = asked_world();
    let (_, cookie) = world.session(1);
    let cookie = format!("Cookie: {cookie}");
    for (uri, status) in [
        ("/", 200),
        ("/a%20b/%C3%A9?q=%2f..", 200),
        ("/a%20b/%c3%a9", 400),
        ("/%61dmin", 400),
        ("/a%2fb", 400),
        ("/assets/..;/admin", 400),
        ("//admin", 400),
        ("/assets/../admin", 400),
        ("/assets/%2e%2e/admin", 400),
        ("/a\\b", 400),
        ("/a#b", 400),
        ("a", 400),
        ("", 400),
        ("https://trello.localhost/", 400),
        // Ours are answered by us, not by the product.
        ("/.fedgate/session", 403),
        ("/.fedgate/auth", 403),
        ("/.fedgate/auth/x", 403),
        ("/.fedgate", 403),
        ("/login", 403),
    ] {
        assert_eq!(question(&world, "GET", uri, &[&cookie]).status, status, "{uri}");
        let mapped = if status == 200 { 200 } else { 403 };
        assert_eq!(asked(&world, "?as=status", "GET", uri, &[&cookie]).status, mapped, "{uri}");
    }
}

#[test]
fn h7_what_only_we_may_say_is_refused_in_every_spelling() {
    let world = asked_world();
    let (_, cookie) = world.session(1);
    let cookie = format!("Cookie: {cookie}");
    for name in [
        "X-Fedgate-User",
        "x_fedgate_user",
        "X.Fedgate.User",
        "X!Fedgate-User",
        "Fedgate-Assertion",
        "fedgate_anything",
        "X-Auth-Name",
        "x_auth.name",
    ] {
        assert_eq!(question(&world, "GET", "/x", &[&cookie, &format!("{name}: root")]).status, 403, "{name}");
    }
    for name in ["X-Real-IP", "X-Forwarded-For", "X-Request-Id", "X-Authors"] {
        assert_eq!(question(&world, "GET", "/x", &[&cookie, &format!("{name}: 192.0.2.1")]).status, 200, "{name}");
    }
}

#[test]
fn a_question_describes_exactly_one_request() {
    let world = asked_world();
    let (_, cookie) = world.session(1);
    let cookie = format!("Cookie: {cookie}");
    let check = |line: &str, fields: &[&str], status: u16| {
        let reply = world.ask(line, &[&[cookie.as_str()], fields].concat());
        assert_eq!(reply.status, status, "{line} {fields:?}");
        assert_eq!(!reply.one("fedgate-assertion").is_empty(), status == 200, "{line} {fields:?}");
    };
    let (get, x) = ("X-Forwarded-Method: GET", "X-Forwarded-Uri: /x");
    check("GET /.fedgate/auth", &[get, x], 200);
    check("GET /.fedgate/auth", &[], 403);
    check("GET /.fedgate/auth", &[get], 403);
    check("GET /.fedgate/auth", &[x], 403);
    check("GET /.fedgate/auth", &[get, x, x], 403);
    check("GET /.fedgate/auth", &[get, get, x], 403);
    check("GET /.fedgate/auth", &["X-Forwarded-Method: G ET", x], 403);
    check("GET /%2efedgate/auth", &[get, x], 403);
    check("GET /.fedgate/auth?x=1", &[get, x], 403);
    // Envoy: the same once more in the question's own line. A browser that asks through a proxy gets nothing.
    check("GET /.fedgate/auth/x", &[get, x], 200);
    check("GET /.fedgate/auth/x?y", &[get, "X-Forwarded-Uri: /x?y"], 200);
    check("GET /.fedgate/auth/y", &[get, x], 403);
    check("POST /.fedgate/auth/x", &[get, x], 403);
    check("GET /.fedgate/auth/x", &[get, "X-Forwarded-Uri: /.fedgate/auth/x"], 403);
    check("GET /.fedgate/auth/x", &[], 403);
    assert!(world.ask("GET /.fedgate/authx", &[&cookie, get, x]).body.starts_with("page "));
}

/// To a proxy every 2xx is a yes, and clients of gRPC are refused with one.
#[test]
fn a_call_of_grpc_is_refused_as_everything_else() {
    let check = |asked: bool, line: &str, fields: &[&str]| {
        let world = world(ok, |_, site| site.forward_auth = asked);
        let forwarded = ["Content-Type: application/grpc", "X-Forwarded-Method: POST", "X-Forwarded-Uri: /a.B/C"];
        let reply = world.ask(line, &[&forwarded, fields].concat());
        let is_page = !asked && reply.body.starts_with("page ");
        assert!(reply.status >= 300 || is_page, "{asked} {line} {fields:?}: {}", reply.head);
        assert!(reply.all("grpc-status").is_empty(), "{asked} {line} {fields:?}: {}", reply.head);
    };
    for line in
        ["POST /.fedgate/auth/a.B/C", "GET /.fedgate/auth", "POST /.fedgate/auth", "POST /%2efedgate/auth/a.B/C"]
    {
        for asked in [true, false] {
            if asked || !line.contains('%') {
                check(asked, line, &[]);
            }
        }
        check(true, line, &["Sec-Fetch-Mode: navigate"]);
        check(true, line, &["Cookie: __Host-fedgate=a; __Host-fedgate=b"]);
    }
}

#[test]
fn the_origin_is_the_one_that_is_asked_about() {
    let world = asked_world();
    let (_, cookie) = world.session(1);
    let check = |host: &str, forwarded: &[&str], status: u16| {
        let forwarded: String = forwarded.iter().map(|host| format!("X-Forwarded-Host: {host}\r\n")).collect();
        let mut client = world.plain();
        client.send(&format!(
            "GET /.fedgate/auth HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Proto: https\r\nCookie: {cookie}\r\n\
             X-Forwarded-Method: GET\r\nX-Forwarded-Uri: /x\r\n{forwarded}\r\n"
        ));
        assert_eq!(client.reply().status, status, "{host} {forwarded:?}");
    };
    check(HOST, &[], 200);
    check(HOST, &[HOST], 200);
    check(HOST, &["id.localhost"], 400);
    check(HOST, &["elsewhere.example"], 400);
    check(HOST, &[HOST, HOST], 400);
    // Traefik asks under the gateway's own address.
    check("gateway:8080", &[HOST], 200);
    check("gateway:8080", &[], 421);
    check("gateway:8080", &["elsewhere.example"], 421);
    check("gateway:8080", &[HOST, HOST], 421);
}

#[test]
fn only_trusted_proxies_ask_and_only_about_products_that_say_so() {
    let check = |asked: bool, trusted: &str, is_answered: bool| {
        let world = world(ok, |options, site| {
            site.forward_auth = asked;
            options.listen.trusted_proxies = vec![network(trusted, 8)];
        });
        let (_, cookie) = world.session(1);
        // Over TLS, where strangers are answered, too.
        let reply = run(async {
            let mut stream = connect(&world, &root(&world), HOST, "http/1.1").await.unwrap();
            let text = format!(
                "GET /.fedgate/auth HTTP/1.1\r\nHost: {HOST}\r\nCookie: {cookie}\r\nX-Forwarded-Method: GET\r\n\
                 X-Forwarded-Uri: /x\r\nConnection: close\r\n\r\n"
            );
            stream.write_all(text.as_bytes()).await.unwrap();
            let mut reply = String::new();
            stream.read_to_string(&mut reply).await.unwrap();
            reply
        });
        let answered = (reply.contains("x-fedgate-user: ann"), reply.ends_with("page /.fedgate/auth None 0"));
        assert_eq!(answered, (is_answered, !is_answered), "{asked} {trusted}: {reply}");
    };
    check(true, "127.0.0.0", true);
    check(false, "127.0.0.0", false);
    check(true, "10.0.0.0", false);
}

#[test]
fn an_ended_session_and_an_outage_are_no_session() {
    let world = asked_world();
    let (live, cookie) = world.session(1);
    let cookie = format!("Cookie: {cookie}");
    assert_eq!(question(&world, "GET", "/x", &[&cookie]).status, 200);
    live.ended.cancel();
    assert_eq!(question(&world, "GET", "/x", &[&cookie]).status, 401);
    *world.sessions.answer.lock().unwrap() = Some(fedgate::web::Admission::Unavailable);
    assert_eq!(question(&world, "GET", "/x", &[&cookie]).status, 503);
    assert_eq!(asked(&world, "?as=status", "GET", "/x", &[&cookie]).status, 403);
}
