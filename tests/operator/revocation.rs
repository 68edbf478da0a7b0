//! `fedgate sessions revoke`, beside the running gateway: what is open ends within a second (storage: revocation).

use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt as _, Full};
use serde_json::Value;
use url::Url;

use super::ground::Ground;
use super::support::agent::UserAgent;
use super::support::clock::timed;
use super::support::websocket::{Frame, Opened, WebSocket};

/// What the README promises.
const PROMISED: Duration = Duration::from_secs(1);

/// A WebSocket of this person's page.
pub async fn socket(agent: &UserAgent, page: &str) -> WebSocket {
    let cookie = agent.cookie_header(page).expect("a session");
    let url = Url::parse(page).expect("a URL");
    let origin = url.origin().ascii_serialization();
    match WebSocket::open(agent.wire(), &url, Some(&origin), &[("Cookie", &cookie)]).await {
        Ok(Opened::Socket(socket)) => socket,
        Ok(Opened::Refused(status, head)) => panic!("{status}: {head}"),
        Err(why) => panic!("{why}"),
    }
}

/// An event stream of this person's page.
pub async fn events_at(agent: &UserAgent, url: &str) -> hyper::body::Incoming {
    let cookie = agent.cookie_header(url).expect("a session");
    let request = Request::get(url)
        .header("cookie", cookie)
        .header("sec-fetch-site", "same-origin")
        .header("sec-fetch-mode", "cors")
        .header("sec-fetch-dest", "empty")
        .body(Full::default())
        .expect("a request");
    let answer = agent.wire().send(&Url::parse(url).expect("a URL"), request).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    answer.into_body()
}

pub async fn end_of_socket(socket: &mut WebSocket) {
    while !matches!(socket.next().await, Frame::Gone) {}
}

pub async fn end_of_events(body: &mut hyper::body::Incoming) {
    while let Some(Ok(_)) = body.frame().await {}
}

#[tokio::test]
async fn revoked_from_the_command_line_streams_end_within_a_second() {
    let ground = Ground::start();
    let (ann, _) = ground.log_in("ann", "trello").await;
    assert_eq!(ann.visit(&ground.gateway.url("loom", "/")).await.status, 200, "no second prompt");
    let (bob, _) = ground.log_in("bob", "trello").await;
    let live = ground.gateway.url("trello", "/live");
    let (mut socket_of_ann, mut events_of_ann) =
        (socket(&ann, &live).await, events_at(&ann, &ground.gateway.url("loom", "/events")).await);
    let mut socket_of_bob = socket(&bob, &live).await;

    let (status, listed, _) = ground.gateway.command(&["sessions", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    assert!(status.success() && listed["sessions"].as_array().is_some_and(|all| all.len() == 2), "{listed}");

    let revoke = ["sessions", "revoke", "--person", "ann@acme.example.test"];
    let (status, said, err) = ground.gateway.command(&revoke);
    assert!(status.success() && said.contains("1 login sessions ended"), "{said}{err}");
    // From here the change is durable: the command has returned.
    let ends = async { tokio::join!(end_of_socket(&mut socket_of_ann), end_of_events(&mut events_of_ann)) };
    let (ended, took) = timed(tokio::time::timeout(Duration::from_secs(10), ends)).await;
    println!("revoked streams ended {took:?} after the command had returned");
    assert!(ended.is_ok() && took < PROMISED, "{took:?}");

    let page = ann.visit(&ground.gateway.url("trello", "/")).await;
    assert!(page.url.as_str().starts_with(&ground.gateway.url("id", "/")), "{}", page.describe());
    assert_eq!(bob.visit(&ground.gateway.url("trello", "/")).await.status, 200);
    assert_eq!(socket_of_bob.next_within(Duration::from_millis(300)).await, None, "another person's stream stays");

    let (_, found, _) = ground.gateway.command(&["audit", "search", "--person", "ann@acme.example.test", "--json"]);
    let ended = found.lines().find(|line| line.contains("revoked-by-operator")).unwrap_or_else(|| panic!("{found}"));
    let ended: Value = serde_json::from_str(ended).expect("JSON");
    assert_eq!((&ended["action"], &ended["actor"]["kind"]), (&"session.ended".into(), &"operator".into()));
    assert_eq!(ground.gateway.command(&revoke).0.code(), Some(1), "nobody is left");
}

#[tokio::test]
async fn an_organizations_people_are_logged_out_together() {
    let ground = Ground::start();
    let mut people = Vec::new();
    for name in ["ann", "bob"] {
        people.push(ground.log_in(name, "trello").await.0);
    }
    let (status, said, err) = ground.gateway.command(&["sessions", "revoke", "--org", "acme", "--json"]);
    let said: Value = serde_json::from_str(&said).unwrap_or_else(|why| panic!("{why}: {err}"));
    assert!(status.success() && said["ended"] == 2, "{said}");
    tokio::time::sleep(PROMISED).await;
    for agent in &people {
        let page = agent.visit(&ground.gateway.url("trello", "/")).await;
        assert!(page.url.as_str().starts_with(&ground.gateway.url("id", "/")), "{}", page.describe());
    }
}
