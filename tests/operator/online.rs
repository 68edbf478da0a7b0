//! `check --online`: what an operator learns of each provider before people do.

use serde_json::Value;

use crate::support::authority::Authority;
use crate::support::configuration::Configuration;
use crate::support::gateway::Gateway;
use crate::support::op::Op;
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
