//! Signing out (HANDOVER 6, M11): of one product with one click to come back, or everywhere in this browser within a second.

use std::time::Duration;

use http::{Method, Request, StatusCode};
use url::Url;

use crate::support::agent::{Intent, UserAgent};
use crate::support::clock::eventually;
use crate::support::page::Page;
use crate::support::websocket::{Frame, Opened, WebSocket};
use crate::world::{SESSION, World, gave_session};

pub async fn socket(world: &World, agent: &UserAgent, host: &str) -> WebSocket {
    let (url, origin) = (world.url(host, "/live"), world.url(host, ""));
    let cookie = agent.cookie_header(&url).expect("a session");
    let url = Url::parse(&url).expect("a URL");
    match WebSocket::open(agent.wire(), &url, Some(&origin), &[("Cookie", &cookie)]).await.expect("an answer") {
        Opened::Socket(socket) => socket,
        Opened::Refused(status, head) => panic!("{status} {head}"),
    }
}

async fn leave_product(world: &World, agent: &UserAgent, host: &str) -> Page {
    let page = agent.visit(&world.url(host, "/.fedgate/logout")).await;
    assert!(world.who(agent, host).await.is_some(), "a GET ends nothing: {}", page.describe());
    agent.submit(&page, "/.fedgate/logout", &[]).await
}

#[tokio::test]
async fn handover_a_product_that_was_left_asks_before_it_is_entered_again() {
    let world = World::share().await;
    let ann = world.logged_in("ann").await;
    ann.visit(&world.url("loom", "/page")).await;
    let stolen =
        ann.cookies("trello.example.test").into_iter().find(|cookie| cookie.name == SESSION).expect("a session");
    let page = leave_product(&world, &ann, "trello").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.describe());
    assert_eq!(world.who(&ann, "trello").await, None);
    ann.plant(stolen);
    assert_eq!(world.who(&ann, "trello").await, None, "ended here, not only forgotten there");
    assert!(world.who(&ann, "loom").await.is_some(), "the other product goes on");

    // Back: one click, not silently; and not by a page that somebody else made.
    let page = ann.visit(&world.url("trello", "/page")).await;
    let form = page.form("/login/continue");
    assert!(!gave_session(&page), "{}", page.describe());
    let from = Url::parse(&world.url("loom", "/page")).expect("a URL");
    let forged = Intent {
        method: Method::POST,
        ..Intent::navigation(Some(&from), Url::parse(&world.url("id", "/login/continue")).expect("a URL"))
    };
    let pairs = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&form.fields).finish();
    let refused = ann.load(forged.with_body("application/x-www-form-urlencoded", pairs)).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.describe());
    let bad: Vec<(&str, &str)> = vec![("csrf", "AAAA")];
    let again = ann.submit(&page, "/login/continue", &bad).await;
    assert!(!gave_session(&again), "{}", again.describe());
    let inside = ann.submit(&page, "/login/continue", &[]).await;
    assert_eq!(inside.url.as_str(), world.url("trello", "/page"), "{}", inside.describe());
    // Once asked, it is silent again.
    ann.forget(|cookie| cookie.name == SESSION && cookie.domain.starts_with("trello"));
    assert_eq!(ann.visit(&world.url("trello", "/page")).await.url.as_str(), world.url("trello", "/page"));
}

#[tokio::test]
async fn handover_logout_everywhere_ends_what_is_open_within_a_second() {
    let world = World::own("", |file, _| file).await;
    let (ann, elsewhere, bob) =
        (world.logged_in("ann").await, world.logged_in("ann").await, world.logged_in("bob").await);
    for agent in [&ann, &elsewhere, &bob] {
        agent.visit(&world.url("loom", "/page")).await;
    }
    let mut other = socket(&world, &elsewhere, "loom").await;
    let mut bobs = socket(&world, &bob, "loom").await;
    let mut mine = socket(&world, &ann, "loom").await;
    let url = world.url("loom", "/events");
    let request = Request::get(&url).header("cookie", ann.cookie_header(&url).expect("a session"));
    let request = request.body(http_body_util::Full::default()).expect("a request");
    let events = ann.wire().send(&Url::parse(&url).expect("a URL"), request).await.expect("an answer");
    assert_eq!(events.status(), StatusCode::OK);
    assert_eq!(world.loom.open_streams(), 4);

    let page = ann.visit(&world.url("trello", "/.fedgate/logout")).await;
    ann.submit(&page, "/.fedgate/logout", &[("scope", "everywhere")]).await;
    eventually("hers close", Duration::from_secs(1), || world.loom.open_streams() == 2).await;
    let closed = mine.next_within(Duration::from_secs(1)).await;
    assert!(matches!(closed, Some(Frame::Close(_) | Frame::Gone)), "{closed:?}");
    for host in ["trello", "loom"] {
        assert_eq!(world.who(&ann, host).await, None, "{host}");
        assert!(world.who(&elsewhere, host).await.is_some(), "her other browser goes on: {host}");
        assert!(world.who(&bob, host).await.is_some(), "{host}");
    }
    for socket in [&mut other, &mut bobs] {
        socket.send("still here").await.expect("open");
        assert_eq!(socket.next_within(Duration::from_secs(2)).await, Some(Frame::Text("still here".to_owned())));
    }
    drop(events);
}

#[tokio::test]
async fn handover_logout_everywhere_reaches_every_session_of_this_browser() {
    let world = World::own("", |file, _| file).await;
    let ann = world.logged_in("ann").await;
    ann.visit(&world.url("loom", "/page")).await;
    // The login host forgot her (its cookie went), and she logged in anew: two login sessions of one browser.
    ann.forget(|cookie| cookie.name == SESSION && cookie.domain.starts_with("id"));
    ann.forget(|cookie| cookie.name == SESSION && cookie.domain.starts_with("trello"));
    world.op.act("/end-sessions", serde_json::json!({ "sub": "op-ann" })).await;
    world.log_in(&ann, "ann", &world.url("trello", "/page")).await;
    assert!(world.who(&ann, "loom").await.is_some(), "a child of the older login");
    let page = ann.visit(&world.url("id", "/logout")).await;
    ann.submit(&page, "/logout", &[]).await;
    assert_eq!(world.who(&ann, "loom").await, None);
    assert_eq!(world.who(&ann, "trello").await, None);
}

#[tokio::test]
async fn handover_the_provider_is_told_and_returns_to_a_fixed_path() {
    let world = World::own("", |file, _| file).await;
    for everywhere in [true, false] {
        let ann = world.logged_in("ann").await;
        let page = if everywhere {
            let page = ann.visit(&world.url("trello", "/.fedgate/logout")).await;
            ann.submit(&page, "/.fedgate/logout", &[("scope", "everywhere")]).await
        } else {
            let page = ann.visit(&world.url("id", "/logout")).await;
            ann.submit(&page, "/logout", &[]).await
        };
        let asked =
            page.trace.iter().find(|hop| hop.url.as_str().starts_with(world.op.issuer())).expect("the provider");
        let sent =
            |name: &str| asked.url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
        assert!(sent("id_token_hint").is_some_and(|hint| hint.split('.').count() == 3), "{}", asked.url);
        assert_eq!(sent("post_logout_redirect_uri"), Some(world.url("id", "/logout/done")));
        assert!(sent("state").is_some());
        let page = if page.url.path() == "/logout/done" {
            page
        } else {
            ann.submit(&page, "logout", &[("logout", "yes")]).await
        };
        assert_eq!(page.url.path(), "/logout/done", "{}", page.describe());
        assert!(page.url.query().is_none_or(|query| !query.contains("id_token")), "{}", page.url);
        assert!(!ann.cookies("id.example.test").iter().any(|cookie| cookie.name == SESSION));
    }
}

#[tokio::test]
async fn m11_nobody_else_logs_a_person_out() {
    let world = World::share().await;
    let ann = world.logged_in("ann").await;
    ann.visit(&world.url("loom", "/page")).await;
    let acts = [world.url("trello", "/.fedgate/logout"), world.url("id", "/logout")];
    for from in [world.url("loom", "/page"), "https://elsewhere.test/".to_owned()] {
        let from = Url::parse(&from).expect("a URL");
        for act in &acts {
            let post =
                Intent { method: Method::POST, ..Intent::navigation(Some(&from), Url::parse(act).expect("a URL")) };
            let page = ann.load(post.with_body("application/x-www-form-urlencoded", "scope=everywhere")).await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.describe());
            let fetch = Intent::fetch(
                &from,
                crate::support::agent::Mode::NoCors,
                Method::POST,
                Url::parse(act).expect("a URL"),
            );
            assert_eq!(ann.load(fetch).await.status, StatusCode::FORBIDDEN);
            ann.load(Intent::navigation(Some(&from), Url::parse(act).expect("a URL"))).await;
        }
        ann.load(Intent::navigation(
            Some(&from),
            Url::parse(&world.url("id", "/logout/complete?t=AAAA")).expect("a URL"),
        ))
        .await;
    }
    // Our own form without its token, or with another browser's.
    let page = ann.visit(&world.url("id", "/logout")).await;
    let other = world.logged_in("bob").await;
    let others = other.visit(&world.url("id", "/logout")).await.form("/logout");
    let token = &others.fields.iter().find(|(name, _)| name == "csrf").expect("a token").1;
    for csrf in ["", "AAAA", token] {
        ann.submit(&page, "/logout", &[("csrf", csrf)]).await;
    }
    assert!(world.who(&ann, "trello").await.is_some() && world.who(&ann, "loom").await.is_some());
}
