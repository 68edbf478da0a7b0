//! Two processes over one store are one gateway: a person does not notice which of them answers, and what one ends is over at the
//! other within a second (storage: revocation in under a second on every node).

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use serde_json::{Value, json};

use super::cluster::{Cluster, Nudges};
use super::ground::log_in;
use super::revocation::{end_of_events, end_of_socket, events_at, socket};
use super::server::Server;
use super::support::clock::{Deadline, timed};

/// What the README promises.
const PROMISED: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_login_begun_at_one_is_finished_at_the_other_and_known_at_both() {
    let cluster = Cluster::start(Server::shared(), Nudges::Come);
    let ann = cluster.agent();
    // Each hop of the way is taken at another node than the one before it: the address asked for, the answer of the provider, the
    // handover to the product.
    cluster.spreader.alternate(true);
    let page = log_in(&ann, &cluster.url("trello", "/"), "ann").await;
    assert_eq!(page.status, 200, "{}\n{}", page.describe(), cluster.log());
    cluster.spreader.alternate(false);
    for node in [0, 1] {
        cluster.to(node);
        let page = ann.visit(&cluster.url("trello", "/")).await;
        assert_eq!((page.status.as_u16(), page.trace.len()), (200, 1), "node {node}: {}", page.describe());
    }
}

async fn ended_at_the_other(nudges: Nudges) {
    let cluster = Cluster::start(Server::shared(), nudges);
    let page = cluster.url("trello", "/");
    for ends in [0, 1] {
        let ann = cluster.agent();
        cluster.to(ends);
        assert_eq!(log_in(&ann, &page, "ann").await.status, 200);
        cluster.to(1 - ends);
        let mut socket = socket(&ann, &cluster.url("trello", "/live")).await;
        let mut events = events_at(&ann, &cluster.url("trello", "/events")).await;
        cluster.to(ends);
        let asked = ann.visit(&cluster.url("id", "/logout")).await;
        let said = ann.submit(&asked, "/logout", &[]).await;
        assert_eq!(said.status, 200, "{}", said.describe());
        let both = async { tokio::join!(end_of_socket(&mut socket), end_of_events(&mut events)) };
        let (ended, took) = timed(tokio::time::timeout(Duration::from_secs(10), both)).await;
        println!("{nudges:?}: streams at the other node ended {took:?} after the logout was answered");
        assert!(ended.is_ok() && took < PROMISED, "{took:?}\n{}", cluster.log());
        cluster.to(1 - ends);
        let page = ann.visit(&page).await;
        assert!(page.url.as_str().starts_with(&cluster.url("id", "/")), "{}", page.describe());
    }
    assert_eq!(cluster.lost_nudges() > 0, nudges == Nudges::AreLost, "{}", cluster.lost_nudges());
}

#[tokio::test]
async fn a_logout_at_one_closes_streams_at_the_other_within_a_second() {
    ended_at_the_other(Nudges::Come).await;
}

#[tokio::test]
async fn a_logout_at_one_closes_streams_at_the_other_within_a_second_when_no_nudge_comes() {
    ended_at_the_other(Nudges::AreLost).await;
}

#[tokio::test]
async fn a_rolling_restart_loses_no_session_and_no_login_under_way() {
    let mut cluster = Cluster::start(Server::shared(), Nudges::Come);
    let page = cluster.url("trello", "/");
    let ann = cluster.agent();
    assert_eq!(log_in(&ann, &page, "ann").await.status, 200);
    for down in [0, 1] {
        // Bob has typed nothing yet: his login began at the node that goes.
        let bob = cluster.agent();
        cluster.to(down);
        let asked = bob.visit(&page).await;
        cluster.to(1 - down);
        assert!(cluster.nodes[down].stop().success(), "{}", cluster.log());
        let name = format!("bob{down}@acme.example.test");
        let arrived = bob.submit(&asked, "email", &[("email", &name)]).await;
        assert_eq!(arrived.status, 200, "{}\n{}", arrived.describe(), cluster.log());
        assert_eq!(ann.visit(&page).await.trace.len(), 1, "no second prompt while node {down} is away");
        cluster.nodes[down].launch();
        cluster.nodes[down].wait_ready();
        cluster.to(down);
        for person in [&ann, &bob] {
            assert_eq!(person.visit(&page).await.trace.len(), 1, "known at the node that came back");
        }
    }
}

#[tokio::test]
async fn m23_what_a_stolen_key_made_is_dead_at_the_other_node_within_a_second() {
    let cluster = Cluster::start(Server::shared(), Nudges::AreLost);
    let page = cluster.url("trello", "/");
    let ann = cluster.agent();
    cluster.to(1);
    assert_eq!(log_in(&ann, &page, "ann").await.status, 200);
    let mut socket = socket(&ann, &cluster.url("trello", "/live")).await;
    let bob = cluster.agent();
    let form = bob.visit(&page).await;
    for kind in ["cookie", "csrf", "token"] {
        let (status, out, err) = cluster.nodes[0].command(&["keys", "rotate", "--kind", kind, "--compromised"]);
        assert!(status.success(), "{kind}: {out}{err}");
    }
    let (_, took) = timed(tokio::time::timeout(Duration::from_secs(10), end_of_socket(&mut socket))).await;
    assert!(took < PROMISED, "{took:?}\n{}", cluster.log());
    tokio::time::sleep(PROMISED.saturating_sub(took)).await;
    let asked = ann.visit(&page).await;
    assert!(asked.url.as_str().starts_with(&cluster.url("id", "/")), "her session is gone: {}", asked.describe());
    let again = bob.submit(&form, "email", &[("email", "bob@acme.example.test")]).await;
    assert!(again.url.as_str().starts_with(&cluster.url("id", "/")), "a form of before: {}", again.describe());
    for node in [0, 1] {
        cluster.to(node);
        assert_eq!(log_in(&cluster.agent(), &page, "ann").await.status, 200, "at node {node}:\n{}", cluster.log());
    }
}

/// One call of the admin API, at whichever node is named.
async fn api(cluster: &Cluster, (token, tag): (&str, Option<&str>), call: (Method, &str, Value)) -> Response<Bytes> {
    let (method, path, body) = call;
    let url = cluster.url("id", &format!("/api/v1{path}"));
    let request = Request::builder().method(method).uri(&url).header("authorization", format!("Bearer {token}"));
    let request = tag.into_iter().fold(request, |request, tag| request.header("if-match", tag));
    let request = request.header("content-type", "application/json");
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    cluster.agent().raw(&url, request.body(Full::from(body)).expect("a request")).await
}

#[tokio::test]
async fn a_policy_that_is_set_at_one_holds_at_the_other_within_a_second() {
    let cluster = Cluster::start_with(Server::shared(), Nudges::AreLost, |configuration, _| {
        configuration.table("[admin]\noperators = [\"ops@acme.example.test\"]")
    });
    let page = cluster.url("trello", "/");
    let (ann, ops) = (cluster.agent(), cluster.agent());
    assert_eq!(log_in(&ops, &page, "ops").await.status, 200);
    cluster.to(1);
    assert_eq!(log_in(&ann, &page, "ann").await.status, 200);
    assert_eq!(ann.visit(&page).await.trace.len(), 1);
    let arguments = [
        "token",
        "create",
        "--json",
        "--owner",
        "ops@acme.example.test",
        "--scope",
        "orgs:read",
        "--scope",
        "orgs:write",
    ];
    let (_, token, err) = cluster.nodes[0].command(&arguments);
    let token: Value = serde_json::from_str(&token).unwrap_or_else(|why| panic!("{why}: {token}{err}"));
    let token = token["token"].as_str().expect("a token");
    cluster.to(0);
    let policy = "/organizations/acme/policies/default";
    let read = api(&cluster, (token, None), (Method::GET, policy, Value::Null)).await;
    let tag = read.headers().get("etag").and_then(|tag| tag.to_str().ok()).expect("a version");
    let elsewhere = json!({ "policy": { "networks": ["192.0.2.0/24"] }, "accept_lockout_risk": true });
    let put = api(&cluster, (token, Some(tag)), (Method::PUT, policy, elsewhere)).await;
    assert_eq!(put.status(), 200, "{}", String::from_utf8_lossy(put.body()));
    cluster.to(1);
    let out = async {
        while ann.visit(&page).await.status == 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let (out, took) = timed(tokio::time::timeout(Duration::from_secs(10), out)).await;
    println!("a policy of the other node held {took:?} after it was acknowledged");
    assert!(out.is_ok() && took < PROMISED, "{took:?}\n{}", cluster.log());
}

#[tokio::test]
async fn h13_the_node_that_did_not_change_the_key_signs_with_the_new_one() {
    let mut cluster = Cluster::start(Server::shared(), Nudges::Come);
    let ask = |sql: &str| Server::shared().psql(cluster.database(), sql);
    let generations = "SELECT string_agg(generation::text, ',') FROM key WHERE kind = 'audit'";
    assert_eq!(ask(generations), "1");
    ask("UPDATE key SET created_at = created_at - 90000000 WHERE kind = 'audit'");
    // A node looks at the age of the key when it starts.
    let notes = "SELECT count(*) FROM checkpoint";
    cluster.nodes[0].restart();
    let patience = Deadline::after(Duration::from_secs(10));
    let ask = |cluster: &Cluster, sql: &str| Server::shared().psql(cluster.database(), sql);
    while ask(&cluster, generations) != "2" {
        assert!(!patience.passed(), "{}", cluster.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    cluster.to(1);
    let ann = cluster.agent();
    assert_eq!(log_in(&ann, &cluster.url("trello", "/"), "ann").await.status, 200);
    // The last thing that a node does is a statement of the log: of node 1, which changed no key.
    let before: u64 = ask(&cluster, notes).parse().expect("a number");
    assert!(cluster.nodes[1].stop().success());
    assert!(ask(&cluster, notes).parse::<u64>().expect("a number") > before, "{}", cluster.log());
    assert!(cluster.nodes[0].stop().success());
    let said = verified(&cluster, 0);
    assert!(said.contains("consistent"), "{said}");
}

/// What `audit verify` says there.
fn verified(cluster: &Cluster, node: usize) -> String {
    let (status, said, err) = cluster.nodes[node].command(&["audit", "verify"]);
    assert!(status.success(), "node {node}: {said}{err}");
    said
}

#[tokio::test]
async fn one_audit_log_of_both_verifies_and_each_file_of_a_sink_has_all_of_it() {
    let cluster = Cluster::start_with(Server::shared(), Nudges::Come, |configuration, _| {
        configuration.table("[[audit.sink]]\nurl = \"jsonl:{dir}/audit.jsonl\"")
    });
    for (at, name) in [(0, "ann"), (1, "bob"), (0, "eve")] {
        cluster.to(at);
        let agent = cluster.agent();
        assert_eq!(log_in(&agent, &cluster.url("trello", "/"), name).await.status, 200);
    }
    let size = || {
        let size = Server::shared().psql(cluster.database(), "SELECT count(*) FROM event");
        size.parse::<usize>().expect("a number")
    };
    let positions = |node: usize| {
        let text = std::fs::read_to_string(cluster.nodes[node].directory().join("audit.jsonl")).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        lines
            .filter_map(|line| line["position"].as_u64())
            .map(|position| usize::try_from(position).expect("small"))
            .collect::<Vec<_>>()
    };
    let patience = Deadline::after(Duration::from_secs(10));
    let whole = |node: usize| positions(node) == (0..size()).collect::<Vec<_>>();
    while !(whole(0) && whole(1)) {
        assert!(!patience.passed(), "of {}: {:?} and {:?}", size(), positions(0), positions(1));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for node in [0, 1] {
        verified(&cluster, node);
    }
}
