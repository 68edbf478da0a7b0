//! Commands over stored state, run as an operator would: beside the running gateway, on the same files.

use std::time::Duration;

use serde_json::Value;

use super::ground::Ground;
use super::support::clock::eventually;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test]
async fn the_log_is_verified_exported_searched_and_explained_beside_a_running_gateway() {
    let ground = Ground::start();
    ground.log_in("ann", "trello").await;
    let gateway = &ground.gateway;
    let (status, out, err) = gateway.command(&["audit", "verify"]);
    assert!(status.success() && out.contains(": consistent"), "{out}{err}");
    let public = std::fs::read_to_string(gateway.directory().join("state/audit.pub")).expect("written at the start");
    assert!(out.contains(&format!("first key: {}", public.trim())), "{out}");
    assert!(gateway.log().contains(public.trim()), "the first start says it once");

    let (status, out, _) = gateway.command(&["audit", "search", "--person", "ann@acme.example.test", "--json"]);
    let actions: Vec<_> = out.lines().map(|line| json(line)["action"].clone()).collect();
    assert!(status.success() && actions.contains(&"login.succeeded".into()), "{out}");
    assert!(actions.contains(&"session.created".into()), "{out}");
    let (status, out, _) = gateway.command(&["audit", "search", "--since", "2999-01-01"]);
    assert_eq!((status.code(), out.as_str()), (Some(1), ""));
    assert_eq!(gateway.command(&["audit", "search", "--since", "soon"]).0.code(), Some(2));

    let folder = gateway.directory().join("export");
    let folder = folder.to_str().expect("text");
    let (status, out, err) = gateway.command(&["audit", "export", folder]);
    assert!(status.success(), "{out}{err}");
    let (status, out, err) = gateway.command(&["audit", "verify", "--export", folder, "--json"]);
    assert!(status.success() && json(&out)["good"] == true, "{out}{err}");
    assert_eq!(gateway.command(&["audit", "export", &format!("{folder}2"), "--org", "acme"]).0.code(), Some(2));

    let only = ["--person", "ann@acme.example.test", "--since", "2026-01-01", "--until", "2999-01-01"];
    let (status, out, err) = gateway.command(&[&["audit", "export", "--format", "ocsf"], &only[..]].concat());
    let codes: Vec<_> = out.lines().map(|line| json(line)["metadata"]["event_code"].clone()).collect();
    assert!(status.success() && codes == actions, "{out}{err}");
    let (_, none, _) = gateway.command(&["audit", "export", "--format", "jsonl", "--until", "2026-01-01"]);
    assert_eq!(none, "");
    let (_, none, _) = gateway.command(&["audit", "export", "--format", "jsonl", "--product", "nowhere"]);
    assert_eq!(none, "");
    let (_, none, _) = gateway.command(&["audit", "export", "--format", "jsonl", "--org", "nobody"]);
    assert_eq!(none, "");
    let file = gateway.directory().join("events.jsonl");
    let into = ["audit", "export", "--format", "jsonl", file.to_str().expect("text")];
    let (status, out, err) = gateway.command(&into);
    assert!(status.success() && out.is_empty(), "{out}{err}");
    let text = std::fs::read_to_string(&file).expect("written");
    assert!(text.lines().enumerate().all(|(at, line)| json(line)["position"] == at), "{text}");
    assert!(text.lines().count() >= actions.len());
    assert_eq!(gateway.command(&into).0.code(), Some(2), "a file that exists is not written over");
}

#[tokio::test]
async fn a_reference_leads_to_its_rules() {
    let ground = Ground::start();
    let agent = ground.gateway.agent(&[]);
    let page = agent.visit(&ground.gateway.url("trello", "/")).await;
    let page = agent.submit(&page, "email", &[("email", "eve@globex.example.test")]).await;
    let text = page.text();
    let reference = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').find(|word| is_reference(word));
    let reference = reference.unwrap_or_else(|| panic!("no reference: {}", page.describe()));
    let (status, out, err) = ground.gateway.command(&["explain", "--ref", &reference.to_lowercase()]);
    assert!(status.success() && out.contains(" refused\n") && out.contains("reason"), "{out}{err}");
    let (status, out, _) = ground.gateway.command(&["explain", "--ref", reference, "--json"]);
    let shown = json(&out);
    assert!(status.success() && shown["ref"] == reference && shown["events"][0]["outcome"] == "refused", "{out}");
    let (status, _, err) = ground.gateway.command(&["explain", "--ref", "0000-0000"]);
    assert!(status.code() == Some(1) && err.contains("no event"), "{err}");
    assert_eq!(ground.gateway.command(&["explain", "--ref", "hello"]).0.code(), Some(2));
}

fn is_reference(word: &str) -> bool {
    word.len() == 9 && word.as_bytes()[4] == b'-' && !word.chars().any(|c| c.is_ascii_lowercase())
}

#[tokio::test]
async fn h13_a_key_that_is_a_day_old_at_the_start_is_replaced_and_the_log_verifies_from_the_first() {
    let mut ground = Ground::start();
    ground.log_in("ann", "trello").await;
    ground.gateway.stop();
    let path = ground.gateway.directory().join("state/fedgate.db");
    let sql = |sql: &str| rusqlite::Connection::open(&path).expect("the store").execute(sql, []).expect("done");
    assert_eq!(sql("UPDATE key SET created_at = created_at - 90000000 WHERE kind = 'audit'"), 1);
    let file = ground.gateway.directory().join("state/audit.pub");
    let lines = || std::fs::read_to_string(&file).expect("written at the start").lines().count();
    assert_eq!(lines(), 1);
    ground.gateway.restart();
    eventually("the second key is published", Duration::from_secs(5), || lines() == 2).await;
    ground.log_in("bob", "trello").await;
    ground.gateway.stop();
    let (status, out, err) = ground.gateway.command(&["audit", "verify", "--json"]);
    let verdict = json(&out);
    assert!(status.success() && verdict["signed"] == verdict["events"], "{out}{err}");
    assert_eq!(sql("DELETE FROM key WHERE kind = 'audit' AND generation = 1"), 0, "it is destroyed");
}

#[tokio::test]
async fn an_edited_event_is_status_1() {
    let mut ground = Ground::start();
    ground.log_in("ann", "trello").await;
    ground.gateway.stop();
    let store = rusqlite::Connection::open(ground.gateway.directory().join("state/fedgate.db")).expect("the store");
    let edit = "UPDATE event SET bytes = CAST(replace(CAST(bytes AS TEXT), 'login.succeeded', 'login.denied') AS BLOB)";
    assert!(store.execute(edit, []).expect("edited") > 0);
    drop(store);
    let (status, out, _) = ground.gateway.command(&["audit", "verify"]);
    assert!(status.code() == Some(1) && out.contains("was edited") && out.contains("NOT consistent"), "{out}");
}

#[tokio::test]
async fn without_a_store_or_an_aim_commands_are_status_2() {
    let ground = Ground::start();
    let (status, _, err) = ground.gateway.command(&["sessions", "revoke"]);
    assert!(status.code() == Some(2) && err.contains("--person"), "{err}");
    let (status, _, err) = ground.gateway.command(&["sessions", "revoke", "--org", "nobody"]);
    assert!(status.code() == Some(2) && err.contains("no organization"), "{err}");
    let unused = super::support::gateway::Gateway::prepare(&super::support::configuration::Configuration::new());
    for command in [["audit", "verify"].as_slice(), &["sessions", "list"], &["explain", "--ref", "7K3M-9QX2"]] {
        let (status, _, err) = unused.command(command);
        assert!(status.code() == Some(2) && !err.is_empty(), "{command:?}: {err}");
    }
    assert!(!unused.directory().join("state/fedgate.db").exists(), "a command makes no store");
}
