//! `fedgate store copy` as an operator runs it: a person who logged in on a file goes on, without another login, on a server and back.

use super::ground::log_in;
use super::provider::LightOp;
use super::server::Server;
use super::support::agent::UserAgent;
use super::support::clock::eventually;
use super::support::configuration::Configuration;
use super::support::gateway::Gateway;
use super::support::upstream::Upstream;
use std::time::Duration;

fn configuration(op: &LightOp, product: &Upstream, store: &str) -> Configuration {
    Configuration::new()
        .top("key_file = \"{dir}/kek\"")
        .trust(&op.ca_file())
        .product("trello", &product.url(), "")
        .organization("acme", "acme.example.test", op.issuer(), "a secret")
        .secret("{dir}/server", store)
}

async fn goes_on(gateway: &Gateway, ann: &UserAgent) {
    let page = ann.visit(&gateway.url("trello", "/")).await;
    assert_eq!((page.status.as_u16(), page.trace.len()), (200, 1), "{}\n{}", page.describe(), gateway.log());
    let (status, out, err) = gateway.command(&["audit", "verify"]);
    assert!(status.success() && out.contains(": consistent"), "{out}{err}");
}

#[tokio::test]
async fn a_session_goes_on_where_its_store_went() {
    let (op, product) = (LightOp::start(), Upstream::start());
    let url = Server::shared().database();
    let on_file = configuration(&op, &product, &url);
    let on_server = on_file.clone().table("[store]\nurl_file = \"{dir}/server\"");
    let mut gateway = Gateway::start(&on_file);
    let ann = gateway.agent(&[&op.ca_file()]);
    assert_eq!(log_in(&ann, &gateway.url("trello", "/"), "ann").await.status, 200);
    let server = format!("@{}", gateway.directory().join("server").display());
    let there = ["store", "copy", "sqlite:fedgate.db", server.as_str()];

    let (status, _, err) = gateway.command(&there);
    assert!(status.code() == Some(2) && err.contains("another fedgate uses"), "{err}");
    gateway.stop();
    let (status, out, err) = gateway.command(&there);
    assert!(status.success() && out.contains("login_session") && out.contains("compared row by row"), "{out}{err}");
    assert!(!out.contains("postgres://") && !err.contains("postgres://"), "no address is said: {out}{err}");
    let (status, _, err) = gateway.command(&there);
    assert!(status.code() == Some(2) && err.contains("TO is not empty"), "{err}");

    gateway.configure(&on_server);
    gateway.restart();
    goes_on(&gateway, &ann).await;
    gateway.stop();
    let (status, out, err) = gateway.command(&["store", "copy", &server, "sqlite:again.db", "--json"]);
    assert!(status.success(), "{out}{err}");
    let said: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|why| panic!("{why}: {out}"));
    let rows = |table: &str| {
        said["tables"]
            .as_array()
            .and_then(|all| all.iter().find(|one| one["table"] == table))
            .map(|one| one["rows"].clone())
    };
    assert_eq!(rows("login_session"), Some(1.into()), "{said}");
    gateway.configure(&on_file.clone().table("[store]\nurl = \"sqlite:again.db\""));
    gateway.restart();
    goes_on(&gateway, &ann).await;
}

#[tokio::test]
async fn a_gateway_does_not_start_on_what_a_copy_left_that_was_cut_off() {
    let (op, product) = (LightOp::start(), Upstream::start());
    let mut gateway = Gateway::start(&configuration(&op, &product, ""));
    gateway.stop();
    let store = gateway.directory().join("state/fedgate.db");
    let mark = "INSERT INTO setting (name, value) VALUES ('store-copy', x'')";
    let db = rusqlite::Connection::open(store).expect("the store's file");
    db.execute(mark, []).expect("the table of settings");
    drop(db);
    gateway.launch();
    let says_why = || gateway.log().contains("run `fedgate store copy` again");
    eventually("it does not start, and says why", Duration::from_secs(20), says_why).await;
    assert!(gateway.ops("/healthz").is_none(), "{}", gateway.log());
}
