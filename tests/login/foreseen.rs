//! `explain EMAIL` and `policy plan`: what is said before is what happens then.

use serde_json::Value;

use crate::support::configuration::Configuration;
use crate::world::{ACME, World, sign_in};

fn file(world: &World, policy: &str) -> Configuration {
    let file = world.file("").organization("acme", ACME, world.op.issuer(), world.op.client_secret());
    file.table(&format!("[org.acme.policy]\n{policy}"))
}

/// What `explain` says of an address at trello: whether somebody gets in, the last line, and all of it.
fn explain(world: &World, email: &str) -> (bool, String, Value) {
    let (status, said, err) = world.gateway.command(&["explain", email, "--product", "trello"]);
    let aloud = said.lines().last().unwrap_or_else(|| panic!("{said}{err}")).to_owned();
    let (_, json, _) = world.gateway.command(&["explain", email, "--product", "trello", "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap_or_else(|why| panic!("{why}: {json}"));
    assert_eq!(json["aloud"], aloud.as_str());
    (status.success(), aloud, json)
}

#[tokio::test]
async fn explain_says_rule_by_rule_what_a_login_comes_to() {
    let world = World::own("", |file, _| file.table("[org.acme.policy]\nsso = \"enforced\"")).await;
    let ann = format!("ann@{ACME}");
    let (enters, aloud, _) = explain(&world, &ann);
    assert!(enters);
    assert_eq!(
        aloud,
        format!(
            "{ann} logs in through Acme and gets into Trello, if Acme knows this address: nobody has come from there with it yet."
        )
    );
    world.logged_in("ann").await;
    let (enters, aloud, json) = explain(&world, &ann);
    assert!(enters);
    assert_eq!(aloud, format!("{ann} logs in through Acme and gets into Trello."));
    assert_eq!((json["organization"].as_str(), json["page"]["row"].as_str()), (Some("acme"), Some("A2")));
    assert_eq!(json["people"][0]["links"][0], "acme");
    // The trace is that of the login itself, word for word.
    let login = world.events().into_iter().find(|event| event["action"] == "login.succeeded").expect("a login");
    let rules = |trace: &Value| -> Vec<String> {
        let lines = trace.as_array().expect("a trace").iter().filter_map(Value::as_str);
        lines.filter_map(|line| line.split(':').next()).map(str::to_owned).collect()
    };
    let foreseen = &json["ways"][0]["trace"];
    let objections = |trace: &Value| rules(trace).into_iter().take(15).collect::<Vec<_>>();
    assert_eq!(objections(foreseen), objections(&login["trace"]));

    let (enters, aloud, json) = explain(&world, &format!("ann@eu.{ACME}"));
    assert!(!enters);
    assert!(aloud.contains("has no way into Trello"), "{aloud}");
    assert_eq!((json["organization"].as_str(), json["page"]["row"].as_str()), (None, Some("A10")));
    let (status, _, err) = world.gateway.command(&["explain", &ann]);
    assert_eq!(status.code(), Some(2));
    assert!(err.contains("--product trello"), "{err}");
}

#[tokio::test]
async fn plan_predicts_what_enforcing_does_and_changes_nothing() {
    let world = World::own("", |file, _| file.table("[org.acme.policy]\nsso = \"offered\"")).await;
    let browser = world.browser();
    let form = world.to_provider(&browser, &format!("ann@{ACME}"), &world.url("trello", "/page")).await;
    let form = browser.submit(&form, "depart", &[("way", "acme")]).await;
    sign_in(&browser, form, "ann").await;
    let events = world.events().len();
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("a path").to_owned()
    };
    let new = file(&world, "sso = \"enforced\"");
    let text = new.render(world.gateway.ports(), world.gateway.directory());
    let (new_file, export) =
        (path("new.toml", &text), path("people.csv", &format!("email\nann@{ACME}\nbob@{ACME}\nx@eu.{ACME}\n")));
    let asked = ["policy", "plan", &new_file, "--people", &export, "--product", "trello", "--json"];
    let (status, said, err) = world.gateway.command(&asked);
    let plan: Value = serde_json::from_str(&said).unwrap_or_else(|why| panic!("{why}: {said}{err}"));
    assert!(status.success(), "{said}");
    let of = |email: &str| {
        let people = plan["people"].as_array().expect("people");
        let found = people.iter().find(|person| person["email"] == format!("{email}@{ACME}"));
        found.unwrap_or_else(|| panic!("{email}: {plan}")).clone()
    };
    assert_eq!((of("ann")["identity"].as_str(), of("ann")["after"].as_str()), (Some("linked"), Some("in")));
    assert_eq!((of("bob")["identity"].as_str(), of("bob")["moves_to"].as_str()), (Some("listed"), Some("acme")));
    assert_eq!(plan["uncovered"][0]["domain"], format!("eu.{ACME}"));
    // Without an export nobody says whether the provider has her, and with one that lacks her she is told of.
    let (_, text, _) = world.gateway.command(&["policy", "plan", &new_file, "--product", "trello"]);
    assert!(text.contains("1 linked, 0 in the export, 0 missing, 0 unknown"), "{text}");
    assert_eq!(world.events().len(), events, "nothing is recorded");

    world.reload(&new);
    let page = world.log_in(&world.browser(), "bob", &world.url("trello", "/page")).await;
    assert_eq!(page.url.as_str(), world.url("trello", "/page"), "as foreseen: {}", page.describe());
}
