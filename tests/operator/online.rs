//! `check --online`: what an operator learns of each provider, and of products that claim to check, before people do.

use serde_json::Value;

use crate::support::answer::Answer;
use crate::support::authority::Authority;
use crate::support::configuration::Configuration;
use crate::support::gateway::Gateway;
use crate::support::op::Op;
use crate::support::saml::Idp;
use crate::support::upstream::Upstream;

fn gateway(authority: &Authority, op: &Op) -> (Gateway, Upstream) {
    let product = Upstream::start();
    let file = Configuration::new().trust(&authority.ca_file()).product("trello", &product.url(), "").organization(
        "acme",
        "acme.example.test",
        op.issuer(),
        op.client_secret(),
    );
    (Gateway::prepare(&file), product)
}

#[tokio::test]
async fn a_provider_that_answers_is_shown_with_what_to_register() {
    let authority = Authority::new();
    let op = Op::start(&authority);
    let (gateway, _product) = gateway(&authority, &op);
    let (status, out, err) = gateway.command(&["check", "--online"]);
    println!("{out}");
    assert!(status.success(), "{out}{err}");
    let uri = gateway.url("id", "/login/callback/acme");
    for said in [op.issuer(), uri.as_str(), "usable signing keys", "clock, theirs minus ours", "its certificate ends"] {
        assert!(out.contains(said), "{said}: {out}");
    }
    let (status, out, _) = gateway.command(&["check", "--online", "--json"]);
    let shown: Value = serde_json::from_str(&out).expect("JSON");
    assert!(status.success() && shown["good"] == true && shown["providers"][0]["redirect_uri"] == uri, "{shown}");
    assert!(shown["providers"][0]["keys"].as_u64().is_some_and(|keys| keys > 0), "{shown}");
}

#[tokio::test]
async fn a_provider_that_is_down_is_a_finding() {
    let authority = Authority::new();
    let op = Op::start(&authority);
    let (gateway, _product) = gateway(&authority, &op);
    op.fault("/.well-known/openid-configuration", serde_json::json!({ "status": 500 })).await;
    let (status, out, err) = gateway.command(&["check", "--online"]);
    assert_eq!(status.code(), Some(1), "{out}{err}");
    assert!(out.contains("BAD"), "{out}");
}

/// A product that looks whether there is an assertion, and not at it.
fn credulous() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        for mut stream in listener.incoming().flatten() {
            let mut chunk = [0; 4096];
            let read = stream.read(&mut chunk).unwrap_or(0);
            let head = String::from_utf8_lossy(&chunk[..read]).to_lowercase();
            let status = if head.contains("fedgate-assertion:") { "200 OK" } else { "401 No" };
            // A client that has left learns nothing.
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    url
}

#[tokio::test]
async fn m22_a_product_that_claims_to_check_the_assertion_is_tried() {
    let authority = Authority::new();
    let op = Op::start(&authority);
    let careful = Upstream::start();
    careful.answer("/", Answer::new(401, &[], "who are you?"));
    let open = Upstream::start();
    let rows = [
        (careful.url(), "", None),
        (open.url(), "no assertion", Some("a wrong assertion")),
        (credulous(), "a wrong assertion", None),
        ("http://127.0.0.1:1".to_owned(), "could not be tried", None),
    ];
    for (url, said, also) in rows {
        let claims = "verifies_assertion = true";
        let file = Configuration::new().trust(&authority.ca_file()).product("trello", &url, claims).organization(
            "acme",
            "acme.example.test",
            op.issuer(),
            op.client_secret(),
        );
        let gateway = Gateway::prepare(&file);
        let (status, out, err) = gateway.command(&["check", "--online"]);
        assert_eq!(status.success(), said.is_empty(), "{url} {out}{err}");
        assert!(out.contains(said) && also.is_none_or(|also| out.contains(also)), "{url} {out}");
        let (_, out, _) = gateway.command(&["check", "--online", "--json"]);
        let shown: Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!(shown["products"][0]["good"], said.is_empty(), "{shown}");
    }
    assert!(open.seen().iter().all(|seen| seen.head.target == "/"));
}

#[tokio::test]
async fn h11_whether_saml_logins_get_a_second_opinion_is_said() {
    let authority = Authority::new();
    let idp = Idp::start(&authority);
    let product = Upstream::start();
    let file = |more: &str, metadata: &str| {
        let org = format!("[org.acme]\ndomains = [\"acme.example.test\"]\nsso = {{ saml = \"{metadata}\" }}\n{more}");
        Configuration::new().trust(&authority.ca_file()).product("trello", &product.url(), "").table(&org)
    };
    let built = cfg!(feature = "samael");
    let runs = if built { "runs" } else { "not-built" };
    for (more, standing, said) in [
        ("", runs, if built { "by samael, in a sandboxed process" } else { "built without it" }),
        ("[saml]\nsecond_opinion = \"off\"", "off", "second_opinion is \"off\""),
    ] {
        let gateway = Gateway::prepare(&file(more, idp.entity_id()));
        let (status, out, err) = gateway.command(&["check", "--online"]);
        assert!(status.success() && out.contains("second opinion") && out.contains(said), "{standing}: {out}{err}");
        let (status, out, _) = gateway.command(&["check", "--online", "--json"]);
        let shown: Value = serde_json::from_str(&out).expect("JSON");
        assert!(status.success() && shown["second_opinion"]["standing"] == standing, "{shown}");
    }
    // Who has no such provider is not told.
    let op = Op::start(&authority);
    let (gateway, _product) = crate::online::gateway(&authority, &op);
    let (_, out, _) = gateway.command(&["check", "--online"]);
    assert!(!out.contains("second opinion"), "{out}");

    // The provider of a demonstration is none, wherever its metadata is found (rule M17).
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("idp.xml");
    let demo =
        idp.metadata().replacen(" xmlns", " xmlns:demo=\"urn:fedgate:demo\" demo:fedgate_demo=\"true\" xmlns", 1);
    std::fs::write(&path, demo).expect("a file");
    let gateway = Gateway::start(&file("", path.to_str().expect("UTF-8")));
    let (status, out, err) = gateway.command(&["check", "--online"]);
    assert_eq!(status.code(), Some(1), "{out}{err}");
    assert!(out.contains("this is the provider of a demonstration"), "{out}{err}");
    let response = folder.path().join("response");
    std::fs::write(&response, "<x/>").expect("a file");
    let (status, out, err) = gateway.command(&["saml", "check", response.to_str().expect("UTF-8"), "--org", "acme"]);
    assert!(!status.success() && err.contains("this is the provider of a demonstration"), "{out}{err}");
}
