//! Whose word counts for whom (C1, C2): an external identity belongs to one directory, and single sign-on means exactly one.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::agent::UserAgent;
use crate::support::clock::eventually;
use crate::support::configuration::Configuration;
use crate::support::op::{Hostile, Op};
use crate::world::{ACME, World, sign_in, two_directories};

const EVIL: &str = "evil.example.test";

/// An organization whose provider is the hostile one.
fn evil(file: Configuration, hostile: &Hostile, domains: &str) -> Configuration {
    file.secret("{dir}/evil.secret", "whatever").table(&format!(
        "[org.evil]\ndomains = {domains}\n\
         sso = {{ oidc = \"{}\", client_id = \"evil\", client_secret_file = \"{{dir}}/evil.secret\" }}",
        hostile.issuer()
    ))
}

fn acme(file: Configuration, op: &Op) -> Configuration {
    file.organization("acme", ACME, op.issuer(), op.client_secret())
}

async fn sub(world: &World, agent: &UserAgent) -> Value {
    world.who(agent, "trello").await.expect("logged in")["sub"].clone()
}

#[tokio::test]
async fn c1_two_organizations_at_one_issuer_never_meet() {
    let world = World::own("", |file, op| {
        file.table(&format!(
            "[org.globex]\ndomains = [\"globex.example.test\"]\n\
             sso = {{ oidc = \"{}\", client_id = \"fedgate-public\", client_auth = \"none\" }}",
            op.issuer()
        ))
    })
    .await;
    let ann = sub(&world, &world.logged_in("ann").await).await;
    // The same subject of the same issuer, by the other organization's connection, with Ann's own address …
    let agent = world.browser();
    let form = world.to_provider(&agent, "x@globex.example.test", &world.url("trello", "/page")).await;
    let page = sign_in(&agent, form, "ann").await;
    // … is a detour to the connection of the organization that holds the address, which alone speaks for it.
    let way: Vec<_> = page.trace.iter().map(|hop| hop.url.path()).filter(|path| path.starts_with("/login/")).collect();
    assert_eq!(way, ["/login/callback/globex", "/login/callback/acme"], "{}", page.describe());
    let events = world.events();
    let by_globex = |event: &Value| event["directory"] == "globex" && event["outcome"] == "success";
    let logins =
        events.iter().filter(|event| event["action"].as_str().is_some_and(|action| action.starts_with("login")));
    assert!(!logins.clone().any(by_globex), "{:?}", logins.collect::<Vec<_>>());
    // … and with an address of its own is somebody else.
    world.op.mode(json!({ "email": "ann@globex.example.test" }), Value::Null).await;
    let agent = world.browser();
    let form = world.to_provider(&agent, "x@globex.example.test", &world.url("trello", "/page")).await;
    let page = sign_in(&agent, form, "ann").await;
    assert_eq!(page.url.as_str(), world.url("trello", "/page"), "{}", page.describe());
    assert_ne!(sub(&world, &agent).await, ann);
}

#[tokio::test]
async fn c1_a_provider_that_asserts_anothers_subject_gets_its_own_person() {
    let hostile = std::cell::OnceCell::new();
    let world = World::of(|file, op, authority| {
        let hostile = hostile.get_or_init(|| Hostile::start(authority));
        evil(acme(file, op), hostile, &format!("[\"{EVIL}\"]"))
    })
    .await;
    let hostile = hostile.get().expect("started");
    let ann = sub(&world, &world.logged_in("ann").await).await;
    for (claims, code) in [
        (json!({ "sub": "op-ann", "email": format!("ann@{ACME}"), "email_verified": true }), None),
        (json!({ "sub": "op-ann", "email": "ann@nobodys.example.test", "email_verified": true }), Some("authority")),
        (json!({ "sub": "op-ann", "email": format!("mallory@{EVIL}"), "email_verified": true }), Some("")),
    ] {
        hostile.behave(json!({ "claims": claims, "userinfo": claims })).await;
        let mallory = world.browser();
        let page = world.to_provider(&mallory, &format!("m@{EVIL}"), &world.url("trello", "/page")).await;
        match code {
            Some("") => assert_ne!(sub(&world, &mallory).await, ann),
            Some(code) => world.assert_refused(&page, code).await,
            // Ann's organization enforces its own directory: Mallory stands before its form.
            None => assert_eq!(page.url.host_str(), Some("127.0.0.1"), "{}", page.describe()),
        }
        if code != Some("") {
            assert_eq!(world.who(&mallory, "trello").await, None, "{}", page.describe());
        }
    }
}

#[tokio::test]
async fn c2_a_former_employers_provider_opens_nothing() {
    let hostile = std::cell::OnceCell::new();
    const MOVED: &str = "moved.example.test";
    let world = World::of(|file, op, authority| {
        let hostile = hostile.get_or_init(|| Hostile::start(authority));
        evil(acme(file, op), hostile, &format!("[\"{EVIL}\", \"{MOVED}\"]"))
    })
    .await;
    let hostile = hostile.get().expect("started");
    hostile
        .behave(json!({ "claims": { "sub": "one", "email": format!("ann@{MOVED}"), "email_verified": true } }))
        .await;
    let ann = world.browser();
    let page = world.to_provider(&ann, &format!("ann@{MOVED}"), &world.url("trello", "/page")).await;
    assert_eq!(page.url.as_str(), world.url("trello", "/page"), "{}", page.describe());

    // The domain changes hands: acme holds it now and enforces its own directory.
    let file = world.file("").secret("{dir}/acme.secret", world.op.client_secret()).table(&format!(
        "[org.acme]\ndomains = [\"{ACME}\", \"{MOVED}\"]\n\
         sso = {{ oidc = \"{}\", client_id = \"fedgate\", client_secret_file = \"{{dir}}/acme.secret\" }}",
        world.op.issuer()
    ));
    world.reload(&evil(file, hostile, &format!("[\"{EVIL}\"]")));
    assert_eq!(world.who(&ann, "trello").await, None, "her session was the former employer's");

    // The former employer's provider still asserts her.
    let mallory = world.browser();
    let page = world.to_provider(&mallory, &format!("m@{EVIL}"), &world.url("trello", "/page")).await;
    assert!(page.url.as_str().starts_with(world.op.issuer()), "to acme's directory: {}", page.describe());
    assert_eq!(world.who(&mallory, "trello").await, None);
    let rerouted = |event: &Value| event["directory"] == "evil" && event["action"] == "login.rerouted";
    assert!(world.events().iter().any(rerouted), "{:?}", world.events());
}

#[tokio::test]
async fn c2_single_sign_on_means_the_directory_that_the_policy_names() {
    let grace = "on_change = { grace = \"2s\" }";
    let world = World::of(|file, op, _| two_directories(file, op, "main", grace)).await;
    let ann = world.logged_in("ann").await;
    // A login under way at the old directory when the policy changes: a good proof of the wrong directory.
    let late = world.browser();
    let form = world.to_provider(&late, &format!("ann@{ACME}"), &world.url("trello", "/page")).await;
    world.reload(&two_directories(world.file(""), &world.op, "second", grace));
    assert!(world.who(&ann, "trello").await.is_some(), "within the grace");
    let page = sign_in(&late, form, "ann").await;
    let callbacks: Vec<_> =
        page.trace.iter().map(|hop| hop.url.path()).filter(|path| path.starts_with("/login/callback")).collect();
    assert_eq!(callbacks, ["/login/callback/acme", "/login/callback/acme/second"], "{}", page.describe());
    assert_eq!(page.status, StatusCode::OK);

    let ended = async || world.who(&ann, "trello").await.is_none();
    for _ in 0..50 {
        if ended().await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(ended().await, "after the grace it has ended");
    assert!(world.who(&late, "trello").await.is_some(), "the new directory's goes on");
}

#[tokio::test]
async fn c2_a_live_stream_of_the_old_directory_ends_with_the_grace() {
    let grace = "on_change = { grace = \"1s\" }";
    let world = World::of(|file, op, _| two_directories(file, op, "main", grace)).await;
    let ann = world.logged_in("ann").await;
    let url = world.url("trello", "/events");
    let cookie = ann.cookie_header(&url).expect("a session");
    let parsed = url::Url::parse(&url).expect("a URL");
    let request = http::Request::get(&url).header("cookie", cookie).body(Default::default()).expect("a request");
    let stream = ann.wire().send(&parsed, request).await.expect("an answer");
    assert_eq!(stream.status(), StatusCode::OK);
    assert_eq!(world.trello.open_streams(), 1);
    world.reload(&two_directories(world.file(""), &world.op, "second", grace));
    eventually("the stream ends with the grace", Duration::from_secs(5), || world.trello.open_streams() == 0).await;
    drop(stream);
}
