//! The session cookie: exactly one, exactly so, or none; and none of ours reaches the product (rules C7, H7).

use super::*;

fn with(cookies: &[&str]) -> Vec<u8> {
    let fields: String = cookies.iter().map(|cookie| format!("Cookie: {cookie}\r\n")).collect();
    format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-Proto: https\r\n{fields}\r\n").into_bytes()
}

#[test]
fn c7_a_look_alike_is_no_session() {
    let wall = Wall::new();
    let token = wall.cookie.split_once('=').unwrap().1.to_owned();
    let spelled: Vec<String> = [
        "__host-fedgate=T",
        "__HOST-FEDGATE=T",
        "__Host-Fedgate=T",
        "__Host_fedgate=T",
        "__Host-fedgate2=T",
        "x__Host-fedgate=T",
        "=__Host-fedgate=T",
        "==__Host-fedgate=T",
        "\"__Host-fedgate\"=T",
        "$__Host-fedgate=T",
        "__Host-fedgate",
        "__Host-fedgate=",
        "__Host-fedgate==T",
        "__Host-fedgate=\"T\"",
        "__Host-fedgate='T'",
        "__Host-fedgate=TT",
        "__Host-fedgate=T,",
        "__Host-fedgate=T%00",
        "__Host-fedgate=%T",
        "__Host-fedgate:T",
        "a=__Host-fedgate=T",
        "a=b, __Host-fedgate=T",
        "fedgate=T",
        "__Secure-fedgate=T",
        "__Host-fedgate=T\u{a0}",
    ]
    .iter()
    .map(|cookie| cookie.replace('T', &token))
    .collect();
    for cookie in &spelled {
        wall.check(&[row(cookie, with(&[cookie]), 401, Sees::Nothing)]);
    }
    let broken = format!("__Host-fedgate={}", token.replacen('Q', "R", 1));
    let shorter = format!("__Host-fedgate={}", &token[1..]);
    for cookie in [broken, shorter, format!("__Host-fedgate={}", token.to_lowercase())] {
        wall.check(&[row(&cookie, with(&[&cookie]), 401, Sees::Nothing)]);
    }
}

#[test]
fn c7_an_ended_session_is_none_wherever_it_was_cached() {
    let wall = Wall::new();
    let (live, _) = wall.world.session(9);
    live.ended.cancel();
    wall.world.sessions.live.lock().unwrap().clear();
    *wall.world.sessions.answer.lock().unwrap() = Some(fedgate::web::Admission::Admitted(live));
    assert_eq!(wall.world.ask("GET /a", &[&format!("Cookie: {}", wall.cookie)]).status, 401);
    assert_eq!(wall.recorder.bytes(), 0);
}

#[test]
fn c7_two_are_refused_whichever_is_good() {
    let wall = Wall::new();
    for cookies in [
        &["TOKEN; TOKEN"][..],
        &["TOKEN", "TOKEN"],
        &["TOKEN; __Host-fedgate=x"],
        &["__Host-fedgate=x; TOKEN"],
        &["__Host-fedgate=; TOKEN"],
        &["TOKEN;__Host-fedgate ="],
        &["a=b", "TOKEN", "__Host-fedgate=y"],
    ] {
        wall.check(&[row(&format!("{cookies:?}"), with(cookies), 403, Sees::Nothing)]);
    }
}

#[test]
fn h7_the_product_gets_its_own_cookies_and_none_of_ours() {
    let wall = Wall::new();
    for (cookies, seen) in [
        (&["TOKEN"][..], None),
        (&["a=b; TOKEN"], Some("cookie: a=b")),
        (&["TOKEN;a=b"], Some("cookie: a=b")),
        (&["  ;; TOKEN ; ; a=b;"], Some("cookie: a=b")),
        (&["a=b", "TOKEN", "c=d"], Some("cookie: a=b; c=d")),
        (&["a=b", "a=c; TOKEN"], Some("cookie: a=b; a=c")),
        (
            &["TOKEN; __Host-fedgate-flow-x=1; __HOST-FEDGATE2=1; =__host-fedgate=2; fedgate_x=3; a=b"],
            Some("cookie: a=b"),
        ),
        (&["a=\"b; TOKEN; c\""], Some("cookie: a=\"b; c\"")),
        (&["TOKEN; a=1,2; __Secure-fedgate=x"], Some("cookie: a=1,2")),
        (&["TOKEN; = __Host-fedgate=z; a"], Some("cookie: a")),
        (&["TOKEN; =fedgate=z"], None),
    ] {
        let outcome = wall.send(&with(cookies), false);
        assert_eq!(outcome.status, 200, "{cookies:?} {outcome:?}");
        judge_seen(&outcome.seen).unwrap_or_else(|why| panic!("{cookies:?}: {why} {outcome:?}"));
        let line = outcome.seen[0].head.lines().find(|line| line.starts_with("cookie:")).map(str::to_owned);
        assert_eq!(line.as_deref(), seen, "{cookies:?}");
    }
    let eight = [
        &b"GET /a HTTP/1.1\r\nHost: trello.localhost\r\nX-Forwarded-Proto: https\r\nCookie: TOKEN; a=\xff\xe9\r\n\r\n"
            [..],
    ]
    .concat();
    let outcome = wall.send(&eight, false);
    assert_eq!(outcome.status, 200, "{outcome:?}");
    assert!(find(&outcome.seen[0].raw, b"a=\xff\xe9").is_some() && judge_seen(&outcome.seen).is_ok(), "{outcome:?}");
}

#[test]
fn h6_a_cookie_bomb_is_refused_and_costs_nobody_else() {
    let wall = Wall::new();
    let bomb = format!("{}; TOKEN", vec!["x=".to_owned() + &"y".repeat(4_000); 60].join("; "));
    let outcome = wall.send(&with(&[&bomb]), false);
    assert_eq!(outcome.status, 431, "{}", outcome.status);
    assert!(outcome.seen.is_empty());
    let many: Vec<String> = (0..90).map(|place| format!("X-{place}: {place}\r\n")).collect();
    let outcome = wall.send(format!("GET /a HTTP/1.1\r\nBASE{}\r\n", many.concat().repeat(3)).as_bytes(), false);
    assert_eq!(outcome.status, 431, "{}", outcome.status);
    assert!(outcome.seen.is_empty());
    wall.check(&[row("the next", "GET /a HTTP/1.1\r\nBASE\r\n", 200, Sees::Once(&["get /a http/1.1"]))]);
}
