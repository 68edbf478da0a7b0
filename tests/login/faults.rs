//! The provider fails, or says no: nobody enters, and the page says what happened, with a reference that the audit log knows.

use serde_json::{Value, json};

use crate::support::agent::UserAgent;
use crate::support::page::Page;
use crate::world::{ACME, World, sign_in};

async fn login(world: &World, agent: &UserAgent, login: &str) -> Page {
    let form = world.to_provider(agent, &format!("{login}@{ACME}"), &world.url("trello", "/page")).await;
    sign_in(agent, form, login).await
}

#[tokio::test]
async fn keys_that_rotate_in_mid_flight_are_found() {
    for keep in [true, false] {
        let world = World::own("", |file, _| file).await;
        world.logged_in("bob").await;
        let ann = world.browser();
        let form = world.to_provider(&ann, &format!("ann@{ACME}"), &world.url("trello", "/page")).await;
        world.op.rotate_keys(keep).await;
        let page = sign_in(&ann, form, "ann").await;
        assert_eq!(page.url.as_str(), world.url("trello", "/page"), "keep {keep}: {}", page.describe());
    }
}

#[tokio::test]
async fn a_broken_token_endpoint_lets_nobody_in_and_says_so() {
    let world = World::own("", |file, _| file).await;
    for (fault, code) in [
        (json!({ "status": 500, "body": "{}" }), "provider-unavailable"),
        (json!({ "status": 200, "body": "not json" }), "provider-unavailable"),
        (json!({ "status": 200, "body": "{\"token_type\":\"Bearer\",\"id_token\":\"x.y.z\"}" }), "proof-shape"),
        (json!({ "bytes": 5_000_000 }), "provider-unavailable"),
        (json!({ "drop": true }), "provider-unavailable"),
        (json!({ "status": 400, "body": "{\"error\":\"invalid_client\"}" }), "provider-unavailable"),
    ] {
        world.op.fault("/token", fault.clone()).await;
        let ann = world.browser();
        let page = login(&world, &ann, "ann").await;
        assert!(page.status.is_client_error() || page.status.is_server_error(), "{fault}: {}", page.describe());
        world.assert_refused(&page, code).await;
        assert_eq!(world.who(&ann, "trello").await, None, "{fault}");
    }
    world.op.fault("/token", json!({ "delay_ms": 1_500 })).await;
    let page = login(&world, &world.browser(), "ann").await;
    assert_eq!(page.url.as_str(), world.url("trello", "/page"), "slow is not broken: {}", page.describe());
}

#[tokio::test]
async fn a_start_with_the_provider_down_serves_and_needs_its_cache_for_logins() {
    let mut world = World::own("", |file, _| file).await;
    let down = async |drop: Value| {
        for path in ["/.well-known/openid-configuration", "/jwks"] {
            world.op.fault(path, drop.clone()).await;
        }
    };
    // Never seen: served, and the login says that the provider does not answer.
    down(json!({ "drop": true })).await;
    let agent = world.browser();
    let page = world.to_provider(&agent, &format!("ann@{ACME}"), &world.url("trello", "/page")).await;
    world.assert_refused(&page, "provider-unavailable").await;
    // Seen once, then down at the next start: the cache on disk is enough.
    down(Value::Null).await;
    // A provider that just failed is left alone for a while; a new process knows nothing of that.
    world.gateway.restart();
    let page = login(&world, &world.browser(), "ann").await;
    assert_eq!(page.url.as_str(), world.url("trello", "/page"), "{}", page.describe());
    down(json!({ "drop": true })).await;
    world.gateway.restart();
    let page = login(&world, &world.browser(), "bob").await;
    assert_eq!(page.url.as_str(), world.url("trello", "/page"), "{}", page.describe());
}

#[tokio::test]
async fn a_no_of_the_provider_is_told_to_the_person() {
    let world = World::share().await;
    let ann = world.browser();
    let form = world.to_provider(&ann, &format!("ann@{ACME}"), &world.url("trello", "/page")).await;
    let page = ann.submit(&form, "login", &[("abort", "1")]).await;
    world.assert_refused(&page, "refused-at-provider").await;
    let again = ann.visit(&world.url("trello", "/page")).await;
    assert!(world.asks_email(&again));
}

#[tokio::test]
async fn a_person_who_may_not_enter_is_told_so() {
    let world = World::own("allow = { people = [\"ann@acme.example.test\"] }", |file, _| file).await;
    let bob = world.browser();
    let page = login(&world, &bob, "bob").await;
    world.assert_refused(&page, "not-allowed").await;
    assert_eq!(world.who(&bob, "trello").await, None);
    world.logged_in("ann").await;
}

#[tokio::test]
async fn m4_a_directory_that_is_gone_when_the_reply_comes_opens_nothing() {
    let world = World::own("", |file, _| file).await;
    for (client, auth) in [("fedgate-post", "post"), ("fedgate-public", "none")] {
        let ann = world.browser();
        let form = world.to_provider(&ann, &format!("ann@{ACME}"), &world.url("trello", "/page")).await;
        let secret = if auth == "none" { "" } else { ", client_secret_file = \"{dir}/acme.secret\"" };
        let file = world.file("").secret("{dir}/acme.secret", world.op.client_secret()).table(&format!(
            "[org.acme]\ndomains = [\"{ACME}\"]\n\
             sso = {{ oidc = \"{}\", client_id = \"{client}\", client_auth = \"{auth}\"{secret} }}",
            world.op.issuer()
        ));
        world.reload(&file);
        let hits = world.op.hits("POST /token").await;
        let page = sign_in(&ann, form, "ann").await;
        assert!(page.status.is_client_error(), "{}", page.describe());
        world.assert_refused(&page, "proof-directory").await;
        assert_eq!(world.op.hits("POST /token").await, hits, "the code was not sent");
        assert_eq!(world.who(&ann, "trello").await, None);
    }
}
