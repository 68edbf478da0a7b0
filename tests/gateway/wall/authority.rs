//! One authority, known exactly (rule M8).

use super::*;

fn ask(wall: &Wall, target: &str, hosts: &[&str], status: u16) {
    let hosts: String = hosts.iter().map(|host| format!("Host: {host}\r\n")).collect();
    let raw = format!("GET {target} HTTP/1.1\r\n{hosts}X-Forwarded-Proto: https\r\nCookie: TOKEN\r\n\r\n");
    let sees = if status == 200 {
        Sees::Once(&["get /a http/1.1", "host: trello.localhost", "x-forwarded-host: trello.localhost"])
    } else {
        Sees::Nothing
    };
    wall.check(&[row(&raw, &raw, status, sees)]);
}

#[test]
fn m8_one_spelling_of_a_host_or_none() {
    let wall = Wall::new();
    for host in
        ["trello.localhost", "TRELLO.LocalHost", "trello.localhost:443", " trello.localhost ", "trello.localhost:0443"]
    {
        ask(&wall, "/a", &[host], 200);
    }
    for host in [
        "trello.localhost.",
        "trello.localhost.:443",
        "trello.localhost:80",
        "trello.localhost:8443",
        "trello.localhost:65535",
        "loom.localhost",
        "localhost",
        "trello",
        ".trello.localhost",
        "x.trello.localhost",
        "trello.localhost.evil.example",
        "127.0.0.1",
        "127.0.0.1:443",
        "[::1]",
        "[::1]:443",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "xn--trello-.localhost",
        "trello_localhost",
    ] {
        ask(&wall, "/a", &[host], 421);
    }
    for host in [
        "",
        "trello.localhost:",
        "trello.localhost:x",
        "trello.localhost:99999",
        "trello.localhost:-443",
        "trello.localhost:+443",
        "trello.localhost:443:443",
        "trello.localhost:4 43",
        "a@trello.localhost",
        "a:b@trello.localhost",
        "trello.localhost@evil.example",
        "trello.localhost/",
        "trello.localhost/evil",
        "trello.localhost?",
        "trello.localhost#",
        "trello%2elocalhost",
        "%74rello.localhost",
        "trello.localhost, trello.localhost",
        "trello.localhost evil.example",
        "http://trello.localhost",
        "[::1",
        "[trello.localhost]x",
        "*",
        "trello..localhost/",
        "tr\u{e9}llo.localhost",
        "trello\u{ff0e}localhost",
    ] {
        ask(&wall, "/a", &[host], if host == "[trello.localhost]x" { 421 } else { 400 });
    }
}

#[test]
fn m8_two_hosts_are_none() {
    let wall = Wall::new();
    ask(&wall, "/a", &[], 400);
    ask(&wall, "/a", &["trello.localhost", "trello.localhost"], 400);
    ask(&wall, "/a", &["trello.localhost", "evil.example"], 400);
    ask(&wall, "/a", &["evil.example", "trello.localhost"], 400);
    ask(&wall, "http://trello.localhost/a", &["trello.localhost"], 200);
    ask(&wall, "HTTPS://TRELLO.localhost/a", &["trello.localhost"], 200);
    ask(&wall, "http://trello.localhost/a", &[], 200);
    ask(&wall, "http://trello.localhost/a", &["evil.example"], 400);
    ask(&wall, "http://trello.localhost/a", &["trello.localhost", "trello.localhost"], 400);
    ask(&wall, "http://evil.example/a", &["trello.localhost"], 400);
    ask(&wall, "http://evil.example/a", &["evil.example"], 421);
    ask(&wall, "http://trello.localhost:443/a", &["trello.localhost"], 400);
    ask(&wall, "http://a@trello.localhost/a", &["trello.localhost"], 400);
    ask(&wall, "http://a@trello.localhost/a", &["a@trello.localhost"], 400);
    ask(&wall, "http://trello.localhost@evil.example/a", &["trello.localhost"], 400);
    ask(&wall, "http://trello.localhost./a", &["trello.localhost."], 421);
    ask(&wall, "ftp://trello.localhost/a", &["trello.localhost"], 400);
    ask(&wall, "file://trello.localhost/a", &["trello.localhost"], 400);
    ask(&wall, "ws://trello.localhost/a", &["trello.localhost"], 400);
    ask(&wall, "javascript:alert(1)", &["trello.localhost"], 400);
    ask(&wall, "http:///a", &["trello.localhost"], 400);
    ask(&wall, "http://", &["trello.localhost"], 400);
    ask(&wall, "http://trello.localhost\\@evil.example/a", &["trello.localhost"], 400);
}

#[test]
fn m8_fields_that_look_like_a_host_choose_nothing() {
    let wall = Wall::new();
    for name in
        ["X-Forwarded-Host", "X-Host", "X-Original-Host", "X-HTTP-Host-Override", "Forwarded", "X-Forwarded-Server"]
    {
        let value = if name == "Forwarded" { "host=evil.example" } else { "evil.example" };
        let raw = format!("GET /a HTTP/1.1\r\nBASE{name}: {value}\r\n\r\n");
        wall.check(&[row(
            name,
            raw,
            200,
            Sees::Once(&["get /a http/1.1", "host: trello.localhost", "x-forwarded-host: trello.localhost"]),
        )]);
    }
}
