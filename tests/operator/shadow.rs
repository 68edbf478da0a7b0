//! Shadow mode: what another configuration would have decided is recorded, and decides nothing.

use std::time::Duration;

use serde_json::Value;

use super::ground::{configuration, log_in};
use super::provider::LightOp;
use super::support::clock::eventually;
use super::support::gateway::Gateway;
use super::support::upstream::Upstream;

#[tokio::test]
async fn a_configuration_in_shadow_is_asked_beside_and_changes_nothing() {
    let (op, trello, loom) = (LightOp::start(), Upstream::start(), Upstream::start());
    let file = configuration(&op, &trello, &loom);
    let strict =
        "[org.acme.policies.strict]\nmembers = { people = [\"ann@acme.example.test\"] }\nrequire_amr = [\"mfa\"]";
    let mut gateway = Gateway::prepare(&file.clone().top("shadow = \"next.toml\""));
    let next = file
        .organization("hooli", "shadow.example.test", "https://127.0.0.1:8", "a secret")
        .table(strict)
        .render(gateway.ports(), gateway.directory());
    std::fs::write(gateway.directory().join("next.toml"), next).expect("a writable directory");
    gateway.launch();
    gateway.wait_ready();
    assert!(!gateway.log().contains("in shadow"), "it can be read: {}", gateway.log());
    let trello = gateway.url("trello", "/");
    let report = |gateway: &Gateway| {
        let (status, out, err) = gateway.command(&["policy", "shadow", "--json"]);
        let report: Value = serde_json::from_str(&out).unwrap_or_else(|why| panic!("{why}: {out}{err}"));
        (status.code(), report)
    };
    let bob = gateway.agent(&[&op.ca_file()]);
    assert_eq!(log_in(&bob, &trello, "bob").await.url.as_str(), trello);
    eventually("his login is recorded", Duration::from_secs(5), || report(&gateway).1["logins"].as_u64() > Some(0))
        .await;
    assert_eq!((report(&gateway).0, report(&gateway).1["differ"].clone()), (Some(0), 0.into()), "both let him in");

    let ann = gateway.agent(&[&op.ca_file()]);
    let page = log_in(&ann, &trello, "ann").await;
    assert_eq!(page.url.as_str(), trello, "she is let in as before: {}", page.describe());
    eventually("hers is recorded", Duration::from_secs(5), || report(&gateway).1["differ"].as_u64() > Some(0)).await;
    let (status, found) = report(&gateway);
    let kind = &found["kinds"][0];
    assert_eq!((status, &kind["decided"], &kind["would"]), (Some(1), &"enter".into(), &"weak-proof".into()), "{found}");
    assert_eq!(kind["people"], serde_json::json!(["ann@acme.example.test"]), "and nobody else: {found}");
    let (_, events, _) = gateway.command(&["audit", "search", "--json", "--person", "ann@acme.example.test"]);
    assert!(events.contains("policy.shadowed") && events.contains("B6"), "with the trace: {events}");

    // Her session, which goes on: it would not, once the grace of the change is over. Told once, however often it is met.
    let kinds = |found: &Value, phase: &str| -> Vec<Value> {
        found["kinds"].as_array().into_iter().flatten().filter(|kind| kind["phase"] == phase).cloned().collect()
    };
    ann.visit(&trello).await;
    eventually("her session is recorded", Duration::from_secs(5), || !kinds(&report(&gateway).1, "session").is_empty())
        .await;
    let session = kinds(&report(&gateway).1, "session").remove(0);
    assert_eq!(
        [&session["decided"], &session["would"], &session["logins"]],
        [&"continue".into(), &"policy".into(), &Value::from(1)]
    );
    assert_eq!(session["people"], serde_json::json!(["ann@acme.example.test"]));
    // A session from before the change would have its grace first: it is asked what comes after that.
    let (status, _, err) = gateway.command(&["reload"]);
    assert!(status.success(), "{err}");
    ann.visit(&trello).await;
    eventually("her session is recorded anew", Duration::from_secs(10), || {
        report(&gateway).1["kinds"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|kind| kind["phase"] == "session" && kind["logins"] == 2)
    })
    .await;
    // A typed address of a domain that only the other configuration knows.
    let stranger = gateway.agent(&[&op.ca_file()]);
    let page = stranger.visit(&trello).await;
    stranger.submit(&page, "email", &[("email", "sam@shadow.example.test")]).await;
    eventually("the page is recorded", Duration::from_secs(5), || !kinds(&report(&gateway).1, "identify").is_empty())
        .await;
    let page = kinds(&report(&gateway).1, "identify").remove(0);
    assert_eq!(
        (&page["would"], &page["people"]),
        (&"directory hooli".into(), &serde_json::json!(["sam@shadow.example.test"]))
    );

    // One that cannot be read stops nothing.
    std::fs::write(gateway.directory().join("next.toml"), "logn = 1").expect("a writable directory");
    gateway.restart();
    assert!(gateway.log().contains("the configuration in shadow is wrong"), "{}", gateway.log());
    let before = report(&gateway).1["logins"].clone();
    let eve = gateway.agent(&[&op.ca_file()]);
    assert_eq!(log_in(&eve, &trello, "eve").await.url.as_str(), trello);
    assert_eq!(report(&gateway).1["logins"], before);
}
