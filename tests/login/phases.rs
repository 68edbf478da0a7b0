//! A product's phase that is moved on at run time (row T08).

use std::time::Duration;

use serde_json::{Value, json};

use crate::crashes::{open, person};
use crate::doors::PASSWORD;
use crate::support::adapter::{ADAPTER_KEY, Adapter};
use crate::support::agent::UserAgent;
use crate::support::authority::Authority;
use crate::support::clock::Deadline;
use crate::support::configuration::Configuration;
use crate::support::gateway::Gateway;
use crate::support::op::Op;
use crate::support::page::Page;
use crate::support::upstream::Upstream;
use crate::world::World;

/// A login by the product's password, as far as it comes.
async fn log_in(world: &World, email: &str) -> (UserAgent, Page) {
    let agent = world.browser();
    let page = agent.visit(&world.url("trello", "/page")).await;
    let page = agent.submit(&page, "email", &[("email", email)]).await;
    let page = agent.submit(&page, "password", &[("password", PASSWORD)]).await;
    (agent, page)
}

/// Whether whoever is logged in is told that the move is asked for.
async fn must(world: &World, agent: &UserAgent) -> bool {
    world.who(agent, "trello").await.expect("a session")["update"]["required"] == true
}

fn phase(world: &World, rest: &[&str]) -> (bool, String, String) {
    let arguments: Vec<&str> = ["migrate", "phase", "trello"].into_iter().chain(rest.iter().copied()).collect();
    let (status, out, err) = world.gateway.command(&arguments);
    (status.success(), out, err)
}

#[tokio::test]
async fn t08_a_phase_moves_on_at_run_time_and_back_by_force_alone_and_never_below_the_file() {
    let authority = Authority::new();
    let adapter = Adapter::start();
    let op = Op::start_with(&authority, json!({ "people": {} }));
    let (trello, loom) = (Upstream::start(), Upstream::start());
    let keys = format!(
        "passwords = \"product\"\nmigration = {{ phase = \"optional\" }}\n\
         adapter = {{ url = \"{}\", key_file = \"{{dir}}/adapter.key\", timeout = \"1s\" }}",
        adapter.url()
    );
    let issuer = format!(
        "[issuer]\nname = \"Example\"\noidc = \"{}\"\nclient_id = \"fedgate-public\"\nclient_auth = \"none\"",
        op.issuer()
    );
    let file = Configuration::new()
        .trust(&authority.ca_file())
        .product("trello", &trello.url(), &keys)
        .secret("{dir}/adapter.key", ADAPTER_KEY)
        .table(&issuer);
    let gateway = Gateway::start(&file);
    let mut world = World { gateway, op, trello, loom, authority };
    let (batch, record, email) = person(1);
    let store = open(&world);
    store.commit(batch).await.expect("a person");
    store.close().await;
    adapter.person(&email, PASSWORD, &record.sub);
    let (ann, page) = log_in(&world, &email).await;
    assert_eq!(page.url.as_str(), world.url("trello", "/page"), "{}", page.describe());
    assert!(!must(&world, &ann).await);

    let (ok, out, err) = phase(&world, &["forced", "--dry-run"]);
    assert!(ok && out.contains("would be forced") && out.contains("1 with a proved address"), "{out}{err}");
    assert!(!must(&world, &ann).await, "a dry run changes nothing");
    let (ok, out, err) = phase(&world, &["forced", "--deadline", "2999-12-31"]);
    assert!(ok && out.contains("forced from 3000-01-01"), "{out}{err}");
    let (ok, _, err) = phase(&world, &["forced", "--deadline", "3999-12-31"]);
    assert!(!ok && err.contains("a step back"), "a deadline is not put off: {err}");
    assert!(!must(&world, &ann).await);

    let (ok, out, err) = phase(&world, &["forced"]);
    assert!(ok, "{out}{err}");
    let wait = Deadline::after(Duration::from_secs(30));
    while !must(&world, &ann).await {
        assert!(!wait.passed(), "the running gateway did not hear of it");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for back in ["optional", "off"] {
        let (ok, _, err) = phase(&world, &[back]);
        assert!(!ok && err.contains("a step back"), "{back}: {err}");
    }
    world.gateway.kill();
    world.gateway.launch();
    world.gateway.wait_ready();
    let (_, page) = log_in(&world, &email).await;
    assert!(page.text().contains("Continue with Example"), "kept over a restart: {}", page.describe());
    let (_, out, _) = world.gateway.command(&["migrate", "status", "--json"]);
    let said: Value = serde_json::from_str(out.lines().next().expect("a line")).expect("JSON");
    assert_eq!(said["phase"], "forced", "{out}");

    let (ok, out, err) = phase(&world, &["off", "--force"]);
    assert!(ok && out.contains("trello is optional"), "never below the file: {out}{err}");
    let events = world.events();
    let set: Vec<&Value> = events.iter().filter(|event| event["action"] == "migration.phase_set").collect();
    let versions: Vec<&Value> = set.iter().map(|event| &event["after"]["version"]).collect();
    assert_eq!(versions, [&json!(1), &json!(2), &json!(3)], "each once, none for what was refused");
    // Somebody who writes into the database moves nobody (H12).
    let db = world.database();
    db.execute("UPDATE setting SET value = CAST(replace(CAST(value AS TEXT), 'off', 'forced') AS BLOB) WHERE name = 'migration.phases'", [])
        .expect("written");
    let (status, _, err) = world.gateway.command(&["migrate", "status"]);
    assert!(!status.success() && err.contains("not written by this gateway"), "{err}");
}
