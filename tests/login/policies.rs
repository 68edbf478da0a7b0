//! A policy that changes meets live sessions and their streams (behaviour §3.6, M29): what a person already has open.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use url::Url;

use crate::support::agent::UserAgent;
use crate::support::clock::{Deadline, eventually, unix_seconds};
use crate::support::configuration::Configuration;
use crate::world::{ACME, World};

/// The world's file, with this policy of its organization.
fn with(world: &World, policy: &str) -> Configuration {
    let file = world.file("").organization("acme", ACME, world.op.issuer(), world.op.client_secret());
    file.table(&format!("[org.acme.policy]\n{policy}"))
}

async fn began(policy: &str) -> World {
    World::own("", |file, _| file.table(&format!("[org.acme.policy]\n{policy}"))).await
}

/// An open event stream of the person, at trello.
async fn stream(world: &World, agent: &UserAgent) -> http::Response<hyper::body::Incoming> {
    let url = world.url("trello", "/events");
    let request = http::Request::get(&url).header("cookie", agent.cookie_header(&url).expect("a session"));
    let request = request.body(http_body_util::Full::default()).expect("a request");
    let answer = agent.wire().send(&Url::parse(&url).expect("a URL"), request).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    answer
}

#[tokio::test]
async fn on_change_immediate_a_cut_from_a_day_to_a_quarter_of_an_hour_ends_sessions_and_streams_within_a_second() {
    let day = "on_change = \"immediate\"\nsession = { idle = \"12h\", absolute = \"24h\" }";
    let quarter = "on_change = \"immediate\"\nsession = { idle = \"15m\", absolute = \"15m\" }";
    let world = began(day).await;
    // The provider logged her in twenty minutes ago; him just now.
    world.op.mode(json!({ "auth_time": unix_seconds() - 20 * 60 }), Value::Null).await;
    let ann = world.logged_in("ann").await;
    world.op.mode(Value::Null, Value::Null).await;
    let bob = world.logged_in("bob").await;
    let (hers, his) = (stream(&world, &ann).await, stream(&world, &bob).await);
    assert_eq!(world.trello.open_streams(), 2);
    world.reload(&with(&world, quarter));
    eventually("hers ends", Duration::from_secs(1), || world.trello.open_streams() == 1).await;
    assert_eq!(world.who(&ann, "trello").await, None, "over age");
    assert!(world.who(&bob, "trello").await.is_some(), "his is young");
    drop((hers, his));
}

#[tokio::test]
async fn a_second_change_does_not_restart_the_grace_of_the_first() {
    let policy = |amr: &str| format!("on_change = {{ grace = \"4s\" }}\nrequire_amr = [{amr}]");
    let world = began(&policy("")).await;
    let ann = world.logged_in("ann").await;
    world.reload(&with(&world, &policy("\"mfa\"")));
    let grace = Deadline::after(Duration::from_secs(4));
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(world.who(&ann, "trello").await.is_some(), "within the grace");
    world.reload(&with(&world, &policy("\"mfa\", \"hwk\"")));
    while !grace.passed() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(world.who(&ann, "trello").await, None, "four seconds after the first change, and not after the second");
}

#[tokio::test]
async fn on_change_next_login_leaves_them_to_the_limits_they_were_made_with() {
    let policy = |absolute: &str| {
        format!("on_change = \"next_login\"\nsession = {{ idle = \"{absolute}\", absolute = \"{absolute}\" }}")
    };
    let world = began(&policy("24h")).await;
    world.op.mode(json!({ "auth_time": unix_seconds() - 20 * 60 }), Value::Null).await;
    let ann = world.logged_in("ann").await;
    world.op.mode(Value::Null, Value::Null).await;
    world.reload(&with(&world, &policy("15m")));
    assert!(world.who(&ann, "trello").await.is_some(), "she goes on");
    // A new proof of that age makes no session any more.
    let page = ann.visit(&world.url("loom", "/page")).await;
    assert_ne!(page.url.as_str(), world.url("loom", "/page"), "{}", page.describe());
}

#[tokio::test]
async fn m29_networks_are_asked_of_each_request() {
    let world = began("networks = [\"127.0.0.0/8\", \"::1\"]").await;
    let ann = world.logged_in("ann").await;
    assert!(world.who(&ann, "trello").await.is_some());
    world.reload(&with(&world, "networks = [\"192.0.2.0/24\"]"));
    let page = ann.visit(&world.url("trello", "/page")).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.describe());
    assert!(page.text().contains("can’t log in from here"), "{}", page.describe());
    // Nothing of it ends the session: back in the office it goes on.
    world.reload(&with(&world, "networks = []"));
    assert!(world.who(&ann, "trello").await.is_some());
}

#[tokio::test]
async fn h15_a_second_step_is_asked_of_every_request_whatever_it_declares() {
    let world = began("sso = \"enforced\"").await;
    let ann = world.logged_in("ann").await;
    assert!(world.who(&ann, "trello").await.is_some());
    // Her company's own directory answers for her, so nothing more is asked of her.
    world.reload(&with(&world, "sso = \"offered\"\nsecond_step = \"required\"\non_change = \"immediate\""));
    assert!(world.who(&ann, "trello").await.is_some());
    // Where it is not used, nobody does: the page asks, and so does a fetch, by whatever name.
    let issuer =
        format!("[issuer]\noidc = \"{}\"\nclient_id = \"fedgate-public\"\nclient_auth = \"none\"", world.op.issuer());
    let off = with(&world, "sso = \"off\"\nsecond_step = \"required\"\non_change = \"immediate\"").table(&issuer);
    world.reload(&off);
    for mode in ["navigate", "cors", "no-cors"] {
        let url = world.url("trello", "/page");
        let request = http::Request::get(&url)
            .header("cookie", ann.cookie_header(&url).expect("a session"))
            .header("sec-fetch-mode", mode)
            .body(http_body_util::Full::default())
            .expect("a request");
        let answer = ann.wire().send(&Url::parse(&url).expect("a URL"), request).await.expect("an answer");
        assert!(
            [StatusCode::FOUND, StatusCode::SEE_OTHER, StatusCode::UNAUTHORIZED].contains(&answer.status()),
            "{mode}"
        );
    }
    assert_eq!(world.who(&ann, "trello").await, None);
}

#[tokio::test]
async fn two_directories_of_one_domain_each_have_their_own_people() {
    let world = World::of(|file, op, _| {
        file.secret("{dir}/acme.secret", op.client_secret()).table(&format!(
            "[org.acme]\ndomains = [\"{ACME}\"]\n\
             [org.acme.directory.main]\noidc = \"{issuer}\"\nclient_id = \"fedgate\"\n\
             client_secret_file = \"{{dir}}/acme.secret\"\n\
             [org.acme.directory.second]\noidc = \"{issuer}\"\nclient_id = \"fedgate-public\"\nclient_auth = \"none\"\n\
             members = {{ people = [\"ann@{ACME}\"] }}\n\
             [org.acme.policy]\nsso = \"enforced\"",
            issuer = op.issuer()
        ))
    })
    .await;
    for (login, callback) in [("ann", "/login/callback/acme/second"), ("bob", "/login/callback/acme")] {
        let agent = world.browser();
        let page = world.log_in(&agent, login, &world.url("trello", "/page")).await;
        assert_eq!(page.url.as_str(), world.url("trello", "/page"), "{}", page.describe());
        let came = page.journey();
        assert!(came.iter().any(|hop| hop.ends_with(callback)), "{login}: {came:?}");
    }
    // Somebody else signs in at the provider where ann was expected: that directory does not speak for him, and he is sent to his.
    let agent = world.browser();
    let page = world.to_provider(&agent, &format!("ann@{ACME}"), &world.url("trello", "/page")).await;
    let page = crate::world::sign_in(&agent, page, "bob").await;
    let came = page.journey();
    let second = world.events().into_iter().filter(|event| event["action"] == "login.succeeded");
    let second = second.filter(|event| event["directory"] == "acme/second");
    assert!(second.into_iter().all(|event| event["subject"]["email"] == format!("ann@{ACME}")), "{came:?}");
}
