//! People whom no organization manages: the issuer, third parties, and each way of proving ourselves to a provider.

use http::StatusCode;
use serde_json::json;

use crate::support::agent::UserAgent;
use crate::support::authority::Authority;
use crate::support::configuration::Configuration;
use crate::support::op::{Hostile, Op};
use crate::support::page::Page;
use crate::world::{World, sign_in};

const SECRET: &str = "client_id = \"fedgate\"\nclient_secret_file = \"{dir}/op.secret\"";
pub const OPEN: &str = "signup = \"open\"\ni_know_everyone_may_enter = true";

/// Two open products, and what `more` says about providers.
pub async fn world(more: impl Fn(Configuration, &Op, &Authority) -> Configuration) -> World {
    let authority = Authority::new();
    let op = Op::start_with(&authority, json!({ "trust": [authority.ca_file()] }));
    let (trello, loom) = (crate::support::upstream::Upstream::start(), crate::support::upstream::Upstream::start());
    let file = Configuration::new()
        .trust(&authority.ca_file())
        .product("trello", &trello.url(), OPEN)
        .product("loom", &loom.url(), OPEN)
        .secret("{dir}/op.secret", op.client_secret());
    let gateway = crate::support::gateway::Gateway::start(&more(file, &op, &authority));
    let world = World { gateway, op, trello, loom, authority };
    let uris = ["/login/callback", "/login/callback/other", "/login/callback/acme"].map(|path| world.url("id", path));
    world.op.allow_redirects(&[&uris[0], &uris[1], &uris[2]], &[]).await;
    world
}

/// Types an address, takes the way whose button says so where there is a choice, and signs in there.
async fn login(world: &World, agent: &UserAgent, way: &str, login: &str) -> Page {
    let page = world.to_provider(agent, "somebody@nowhere.example.test", &world.url("trello", "/page")).await;
    let page = match page.forms().into_iter().find(|form| form.action.contains("/login/depart")) {
        Some(_) => agent.submit(&page, "/login/depart", &[("way", way)]).await,
        None => page,
    };
    sign_in(agent, page, login).await
}

fn issuer(file: Configuration, op: &Op, more: &str) -> Configuration {
    file.table(&format!("[issuer]\nname = \"Example\"\noidc = \"{}\"\n{more}", op.issuer()))
}

#[tokio::test]
async fn the_issuer_logs_people_in_by_each_way_of_client_authentication() {
    for more in [
        "client_id = \"fedgate\"\nclient_secret_file = \"{dir}/op.secret\"",
        "client_id = \"fedgate-post\"\nclient_auth = \"post\"\nclient_secret_file = \"{dir}/op.secret\"",
        "client_id = \"fedgate-public\"\nclient_auth = \"none\"",
        "client_id = \"fedgate-es256\"\nclient_secret_file = \"{dir}/op.secret\"\nalgorithms = [\"ES256\"]",
        "client_id = \"fedgate\"\nclient_secret_file = \"{dir}/op.secret\"\nresponse_mode = \"form_post\"",
    ] {
        let world = world(|file, op, _| issuer(file, op, more)).await;
        let eve = world.browser();
        let page = login(&world, &eve, "issuer", "eve").await;
        assert_eq!(page.url.as_str(), world.url("trello", "/page"), "{more}: {}", page.describe());
        let who = world.who(&eve, "trello").await.expect("logged in");
        assert_eq!((&who["managed"], &who["email"]), (&json!(false), &json!("eve@evil.example.test")), "{more}");
    }
}

#[tokio::test]
async fn an_address_that_the_issuer_has_not_verified_opens_nothing() {
    let world = world(|file, op, _| issuer(file, op, SECRET)).await;
    for person in ["cem", "dot"] {
        let agent = world.browser();
        let page = login(&world, &agent, "issuer", person).await;
        world.assert_refused(&page, "email-not-verified").await;
        assert_eq!(world.who(&agent, "trello").await, None);
    }
}

#[tokio::test]
async fn the_gateway_proves_itself_by_a_key_of_its_own() {
    let world = world(|file, op, _| {
        issuer(file, op, "client_id = \"fedgate-key\"\nclient_auth = \"private_key_jwt\"\nresponse_mode = \"query\"")
    })
    .await;
    world.op.act("/trust", json!({ "files": [world.gateway.ca_file()] })).await;
    let keys = world.url("id", "/oidc/jwks.json");
    let client =
        json!({ "client_id": "fedgate-key", "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": keys });
    world.op.act("/clients", client).await;
    world.op.allow_redirects(&[&world.url("id", "/login/callback")], &[]).await;
    let eve = world.browser();
    let page = login(&world, &eve, "issuer", "eve").await;
    assert_eq!(page.url.as_str(), world.url("trello", "/page"), "{}", page.describe());
}

#[tokio::test]
async fn a_third_party_is_a_choice_beside_the_issuer_and_another_name_space() {
    let world = world(|file, op, _| {
        issuer(file, op, SECRET).table(&format!(
            "[third_party.other]\nlabel = \"Other\"\noidc = \"{}\"\nclient_id = \"fedgate-public\"\nclient_auth = \"none\"",
            op.issuer()
        ))
    })
    .await;
    let eve = world.browser();
    let page = login(&world, &eve, "issuer", "eve").await;
    assert_eq!(page.url.as_str(), world.url("trello", "/page"), "{}", page.describe());
    let sub = world.who(&eve, "trello").await.expect("in")["sub"].clone();
    // The same person of the same provider by the other connection is nobody that we know (C1), and takes over nothing.
    let other = world.browser();
    let page = login(&world, &other, "other", "eve").await;
    let who = world.who(&other, "trello").await;
    assert!(who.as_ref().is_none_or(|who| who["sub"] != sub), "{who:?} {}", page.describe());
}

/// A provider without discovery and id_tokens, as Atlassian is: its own names, `read:me`, `/me`.
#[tokio::test]
async fn a_provider_without_discovery_is_asked_who_it_is() {
    let cell = std::cell::OnceCell::new();
    let world = world(|file, _, authority| {
        let hostile = cell.get_or_init(|| Hostile::start(authority));
        file.secret("{dir}/at.secret", "x").table(&format!(
            "[issuer]\nname = \"Atlas\"\nclient_id = \"at\"\nclient_secret_file = \"{{dir}}/at.secret\"\nclient_auth = \"post\"\n\
             oauth2 = {{ authorize = \"{0}/authorize\", token = \"{0}/token\", userinfo = \"{0}/userinfo\", scope = \"read:me\", \
             audience = \"api.example\", claims = {{ sub = \"account_id\", email = \"email\", name = \"nickname\" }} }}",
            hostile.issuer()
        ))
    })
    .await;
    let provider = cell.get().expect("started");
    for (me, code) in [
        (
            json!({ "account_id": "at-1", "email": "kim@somewhere.example.test", "email_verified": true, "nickname": "Kim" }),
            None,
        ),
        (
            json!({ "account_id": "at-2", "email": "lee@somewhere.example.test", "nickname": "Lee" }),
            Some("email-not-verified"),
        ),
        (json!({ "email": "kim@somewhere.example.test", "email_verified": true }), Some("proof-subject")),
        (
            json!({ "sub": "at-1", "email": "kim@somewhere.example.test", "email_verified": true }),
            Some("proof-subject"),
        ),
    ] {
        provider.behave(json!({ "userinfo": me })).await;
        provider.seen().await;
        let kim = world.browser();
        let page = kim.visit(&world.url("trello", "/page")).await;
        let page = kim.submit(&page, "email", &[("email", "kim@somewhere.example.test")]).await;
        let page = match page.forms().into_iter().find(|form| form.action.contains("/login/depart")) {
            Some(_) => kim.submit(&page, "/login/depart", &[]).await,
            None => page,
        };
        let seen = provider.seen().await;
        let asked = seen.iter().find(|one| one["path"] == "/authorize").expect("asked");
        let query = asked["query"].as_str().expect("a query");
        assert!(query.contains("audience=api.example") && query.contains("code_challenge="), "{query}");
        match code {
            None => {
                let who = world.who(&kim, "trello").await.unwrap_or_else(|| panic!("{}", page.describe()));
                assert_eq!((&who["email"], &who["name"]), (&json!("kim@somewhere.example.test"), &json!("Kim")));
            }
            Some(code) => {
                world.assert_refused(&page, code).await;
                assert_eq!(world.who(&kim, "trello").await, None);
                assert_ne!(page.status, StatusCode::OK);
            }
        }
    }
}

/// Whoever was in an account before its organization's directory was linked to it is out with the link (H14).
#[tokio::test]
async fn h14_a_link_ends_every_older_session() {
    let world = world(|file, op, _| issuer(file, op, SECRET)).await;
    let before = world.browser();
    let page = login(&world, &before, "issuer", "ann").await;
    assert_eq!(page.url.as_str(), world.url("trello", "/page"), "{}", page.describe());
    let sub = world.who(&before, "trello").await.expect("in")["sub"].clone();

    let file = issuer(world.file(OPEN).secret("{dir}/op.secret", world.op.client_secret()), &world.op, SECRET);
    world.reload(&file.table(&format!(
        "[org.other]\ndomains = [\"acme.example.test\"]\n[org.other.policy]\nsso = \"offered\"\n\
         [org.other.directory.main]\noidc = \"{}\"\nclient_id = \"fedgate-public\"\nclient_auth = \"none\"",
        world.op.issuer()
    )));
    assert!(world.who(&before, "trello").await.is_some(), "an offer ends nothing");
    let ann = world.browser();
    let page = world.to_provider(&ann, "ann@acme.example.test", &world.url("trello", "/page")).await;
    let page = match page.forms().into_iter().find(|form| form.action.contains("/login/depart")) {
        Some(_) => ann.submit(&page, "/login/depart", &[("way", "other")]).await,
        None => page,
    };
    let page = sign_in(&ann, page, "ann").await;
    assert_eq!(page.url.as_str(), world.url("trello", "/page"), "{}", page.describe());
    assert_eq!(world.who(&ann, "trello").await.expect("in")["sub"], sub, "the same account, linked");
    assert_eq!(world.who(&before, "trello").await, None, "and older sessions are over");
}
