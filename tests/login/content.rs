//! What people have at a product, which keeps it under its own user ids: it is theirs after every kind of move, and nothing but the
//! account is spoken of (rows T24 to T29).

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use fedgate::kernel::journal::{Batch, Change};
use fedgate::kernel::model::ProductAccountState;
use serde_json::{Value, json};
use url::Url;

use crate::doors::PASSWORD;
use crate::moves::Ground;
use crate::support::adapter::Adapter;
use crate::support::agent::UserAgent;
use crate::support::clock::eventually;
use crate::support::intent::Intent;
use crate::world::sign_in;

const ANN: &str = "ann@free.example.test";
const BOB: &str = "mallory@free.example.test";
const CARA: &str = "cara@globex.example.test";

/// The acts of moves. A password is asked for before one; nothing else of a product is ever called.
const ACTS: [&str; 4] = ["verify_password", "set_auth_mode", "revoke_sessions", "set_profile"];

/// A board of one's own, one that is shared, a workspace with a role in it, a paid plan, the settings of a company.
fn content(user: &str, role: &str, plan: &str) -> Value {
    json!({
        "user": user,
        "boards": [format!("plans of {user}")],
        "shared": [{ "board": "roadmap", "with": ["u-ann", "u-bob", "u-cara"] }],
        "workspaces": [{ "name": "Globex", "role": role, "may": ["read", "write"] }],
        "subscription": { "plan": plan, "renews": "2027-03-01", "paid_by": user },
        "enterprise": { "name": "Globex", "seat": role != "guest", "settings": { "public_boards": false } },
    })
}

async fn mine(ground: &Ground, agent: &UserAgent) -> Value {
    agent.visit(&ground.doors.url("trello", "/mine")).await.json()
}

/// A new board of the person's, by the product's own form.
async fn add_board(ground: &Ground, agent: &UserAgent, name: &str) -> Value {
    let page = Url::parse(&ground.doors.url("trello", "/page")).expect("a URL");
    let url = Url::parse(&ground.doors.url("trello", "/mine")).expect("a URL");
    let body = Some(("text/plain".to_owned(), Bytes::from(name.to_owned())));
    let intent = Intent { method: http::Method::POST, body, ..Intent::navigation(Some(&page), url) };
    agent.load(intent).await.json()
}

#[tokio::test]
async fn t24_t25_t26_t27_t28_t29_what_people_have_at_a_product_is_theirs_after_every_kind_of_move() {
    let adapter = Adapter::start();
    let people = [(ANN, "u-ann", "owner", "gold"), (BOB, "u-bob", "member", "free"), (CARA, "u-cara", "guest", "gold")];
    for (email, user, ..) in people {
        adapter.person(email, PASSWORD, user);
    }
    let ground = Ground::open_at("migration = { phase = \"optional\" }", Some(&adapter)).await;
    let mut records = Vec::new();
    for (email, user, role, plan) in people {
        ground.doors.trello.holds(user, content(user, role, plan));
        records.push(ground.doors.imported(email, user).await);
    }
    // With the product's passwords. (A company's people have none any more: their page is the company's.)
    for (email, user, role, plan) in people.into_iter().filter(|(email, ..)| *email != CARA) {
        let agent = ground.browser();
        ground.doors.log_in(&agent, email, PASSWORD).await;
        assert_eq!(mine(&ground, &agent).await, content(user, role, plan));
        let grown = add_board(&ground, &agent, &format!("a new one of {user}")).await;
        assert_eq!(grown["boards"].as_array().map(Vec::len), Some(2), "{grown}");
    }
    let before = ground.doors.trello.content();
    // In use under the company's claim (C6).
    let mut cara = ground.store().account(records[2].account).await.unwrap().expect("the account");
    cara.last_login_at = Some(ground.doors.node.login.world().clock.now());
    ground.store().commit(Batch { changes: vec![Change::UpdateAccount(cara)], ..Batch::default() }).await.unwrap();
    ground.doors.trello.take();

    // By the issuer's word; by a proof of both sides; because the company enforces it.
    let (ann, bob, cara) = (ground.browser(), ground.browser(), ground.browser());
    let page = ground.by_provider(&ann, ANN, "issuer", "ann").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    let page = ground.by_provider(&bob, BOB, "other", "mallory").await;
    let review = bob.submit(&page, "password", &[("password", PASSWORD)]).await;
    let page = bob.submit(&review, "/login/link", &[]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    let page = ground.doors.identify(&cara, CARA).await;
    let page = sign_in(&cara, page, "cara").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());

    for (agent, (_, user, ..)) in [&ann, &bob, &cara].into_iter().zip(people) {
        assert_eq!(mine(&ground, agent).await, before[user], "all of it, by the same user id");
    }
    for record in &records {
        assert_eq!(ground.state(record).await, ProductAccountState::Linked);
    }
    eventually("the product has heard of all", Duration::from_secs(30), || {
        ground.events("migration.completed").len() == people.len()
    })
    .await;
    // Nothing of it was touched, and what reached the product besides people's own requests are the four calls.
    assert_eq!(ground.doors.trello.content(), before);
    let asked: BTreeSet<_> = ground
        .doors
        .trello
        .seen()
        .into_iter()
        .map(|seen| (seen.head.method.clone(), seen.head.target.clone()))
        .collect();
    let by_people = [("GET", "/mine"), ("GET", "/page")].map(|(method, path)| (method.to_owned(), path.to_owned()));
    assert_eq!(asked, BTreeSet::from(by_people));
    let acts: BTreeSet<_> = adapter.calls().into_iter().map(|call| call.path).collect();
    assert_eq!(acts, ACTS.map(|act| format!("/fedgate/{act}")).into_iter().collect());
    // It goes on being theirs to change.
    let grown = add_board(&ground, &ann, "after the move").await;
    assert_eq!(grown["boards"].as_array().and_then(|boards| boards.last().cloned()), Some(json!("after the move")));
    assert_eq!(adapter.faults(), Vec::<String>::new());
    ground.doors.close().await;
}

#[tokio::test]
async fn t07_the_issuers_new_password_logs_in_and_the_old_one_does_not() {
    let ground = Ground::open("migration = { phase = \"optional\" }").await;
    ground.doors.person(ANN).await;
    let page = ground.by_provider(&ground.browser(), ANN, "issuer", "ann").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.op.act("/people", json!({ "op-ann": { "password": "quartz-meadow-51-ferry" } })).await;
    let ann = ground.browser();
    let page = ground.doors.identify(&ann, ANN).await;
    let form = ann.submit(&page, "/.fedgate/depart", &[("way", "issuer")]).await;
    let old = ann.submit(&form, "login", &[("login", "ann"), ("password", "ann-pw")]).await;
    assert!(!ground.is_at_product(&old), "{}", old.describe());
    assert!(!ground.inside(&ann).await);
    let page = ann.submit(&old, "login", &[("login", "ann"), ("password", "quartz-meadow-51-ferry")]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    // Nor does any password at the product's own door.
    for password in [PASSWORD, "ann-pw", "quartz-meadow-51-ferry"] {
        let thief = ground.browser();
        let page = ground.doors.identify(&thief, ANN).await;
        assert!(page.forms().iter().all(|form| form.action != "/.fedgate/password"), "{password}: {}", page.describe());
    }
    ground.doors.close().await;
}
