//! Logins that their provider is asked about again by a refresh token: once, whoever asks, and what it says counts.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use url::Url;

use crate::provider::LightOp;
use crate::support::agent::UserAgent;
use crate::support::clock::eventually;
use crate::support::configuration::Configuration;
use crate::support::gateway::Gateway;
use crate::support::upstream::Upstream;
use crate::support::websocket::{Frame, Opened, WebSocket};

const ANN: &str = "ann@acme.example.test";
const BOB: &str = "bob@acme.example.test";
/// What is asked each second has been asked by then, on a machine that runs all tests at once.
const PATIENCE: Duration = Duration::from_secs(20);

struct Scene {
    gateway: Gateway,
    op: LightOp,
    trello: Upstream,
}

impl Scene {
    fn start(every: &str, further: &str) -> Self {
        let (op, trello) = (LightOp::start(), Upstream::start());
        op.refreshing(|held| held.on = true);
        let file = Self::file(&op, &trello, every, further);
        Self { gateway: Gateway::start(&file), op, trello }
    }

    fn file(op: &LightOp, trello: &Upstream, every: &str, further: &str) -> Configuration {
        Configuration::new()
            .trust(&op.ca_file())
            .product("trello", &trello.url(), "")
            .secret("{dir}/secret", "a secret")
            .table(&format!(
                "[org.acme]\ndomains = [\"acme.example.test\"]\n\
                 sso = {{ oidc = \"{}\", client_id = \"acme\", algorithms = [\"ES256\"], client_secret_file = \"{{dir}}/secret\"{every} }}",
                op.issuer()
            ))
            .table(further)
    }

    async fn logged_in(&self, email: &str) -> UserAgent {
        let agent = self.gateway.agent(&[&self.op.ca_file()]);
        let page = agent.visit(&self.gateway.url("trello", "/page")).await;
        let page = agent.submit(&page, "email", &[("email", email)]).await;
        assert!(self.is_inside(&agent).await, "{email}: {}", page.describe());
        agent
    }

    async fn send(&self, agent: &UserAgent, path: &str) -> StatusCode {
        let url = self.gateway.url("trello", path);
        let request = Request::get(&url).header("cookie", agent.cookie_header(&url).unwrap_or_default());
        let request = request.body(Full::default()).expect("a request");
        agent.wire().send(&Url::parse(&url).expect("a URL"), request).await.expect("an answer").status()
    }

    async fn is_inside(&self, agent: &UserAgent) -> bool {
        self.send(agent, "/page").await == StatusCode::OK
    }

    fn ended(&self) -> Vec<Value> {
        let (_, out, err) = self.gateway.command(&["audit", "search", "--json"]);
        let read = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|why| panic!("{why}: {out}{err}"));
        let events = out.lines().map(read).map(|one| if one["event"].is_object() { one["event"].clone() } else { one });
        events.filter(|event| event["action"] == "session.ended").collect()
    }

    async fn socket(&self, agent: &UserAgent) -> WebSocket {
        let (url, origin) = (self.gateway.url("trello", "/live"), self.gateway.url("trello", ""));
        let cookie = agent.cookie_header(&url).expect("a session");
        let url = Url::parse(&url).expect("a URL");
        match WebSocket::open(agent.wire(), &url, Some(&origin), &[("Cookie", &cookie)]).await.expect("an answer") {
            Opened::Socket(socket) => socket,
            Opened::Refused(status, head) => panic!("{status} {head}"),
        }
    }
}

#[tokio::test]
async fn refresh_fifty_tabs_with_twenty_requests_ask_once_and_meet_no_error() {
    let scene = Scene::start(", revalidate = \"2s\"", "");
    let ann = Arc::new(scene.logged_in(ANN).await);
    // The provider takes its time: all the tabs come meanwhile, and none waits for it.
    scene.op.refreshing(|held| held.waits = true);
    let asked = scene.op.refreshing(|held| held.asked);
    eventually("it is asked", PATIENCE, || scene.op.refreshing(|held| held.asked) > asked).await;
    let scene = Arc::new(scene);
    let mut tabs = JoinSet::new();
    for _ in 0..50 {
        let (scene, ann) = (Arc::clone(&scene), Arc::clone(&ann));
        tabs.spawn(async move {
            for _ in 0..20 {
                assert_eq!(scene.send(&ann, "/page").await, StatusCode::OK);
            }
        });
    }
    while let Some(tab) = tabs.join_next().await {
        tab.expect("no error in any tab");
    }
    // Nor by itself: it looks for what is due each second.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(scene.op.refreshing(|held| held.asked), asked + 1, "a thousand requests, one refresh");
    scene.op.refreshing(|held| held.waits = false);
    eventually("it is asked again", PATIENCE, || scene.op.refreshing(|held| held.granted) >= 2).await;
    assert_eq!(scene.op.refreshing(|held| held.reused), 0);
    assert!(scene.is_inside(&ann).await);
    assert!(scene.ended().is_empty());
    assert!(!scene.gateway.log().contains("refresh 0 of"), "no token stands in the log");
}

#[tokio::test]
async fn refresh_whom_the_provider_knows_no_more_is_out_with_every_stream() {
    let scene = Scene::start(", revalidate = \"1s\"", "");
    let (ann, bob) = (scene.logged_in(ANN).await, scene.logged_in(BOB).await);
    let mut hers = scene.socket(&ann).await;
    scene.op.refreshing(|held| held.gone.insert(ANN.to_owned()));
    let over = hers.next_within(PATIENCE).await;
    assert!(matches!(over, Some(Frame::Close(_) | Frame::Gone)), "{over:?}");
    assert!(!scene.is_inside(&ann).await && scene.is_inside(&bob).await);
    let ended = scene.ended();
    assert_eq!(ended.len(), 1);
    assert_eq!(
        (&ended[0]["reason"], &ended[0]["after"]["answer"]),
        (&json!("provider-refresh"), &json!("invalid_grant"))
    );
    assert_eq!(&ended[0]["org"], "acme");
}

#[tokio::test]
async fn refresh_an_answer_about_somebody_else_ends_the_login() {
    let scene = Scene::start(", revalidate = \"1s\"", "");
    let ann = scene.logged_in(ANN).await;
    scene.op.refreshing(|held| held.swapped = Some(BOB.to_owned()));
    eventually("it is over", PATIENCE, || !scene.ended().is_empty()).await;
    assert!(!scene.is_inside(&ann).await);
    assert_eq!(scene.ended()[0]["after"]["answer"], "proof-subject");
}

#[tokio::test]
async fn refresh_a_provider_that_is_down_ends_nobody_and_is_asked_again() {
    let scene = Scene::start(", revalidate = \"1s\"", "");
    let ann = scene.logged_in(ANN).await;
    scene.op.refreshing(|held| held.instead = Some(StatusCode::SERVICE_UNAVAILABLE));
    let asked = || scene.gateway.log().matches("does not say whether a login stands").count() >= 2;
    eventually("it is asked in vain", PATIENCE, asked).await;
    assert!(scene.is_inside(&ann).await);
    // A refusal that is about us says nothing of the person either.
    scene.op.refreshing(|held| held.instead = Some(StatusCode::UNAUTHORIZED));
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(scene.is_inside(&ann).await);
    let granted = scene.op.refreshing(|held| {
        held.instead = None;
        held.granted
    });
    eventually("it answers again", PATIENCE, || scene.op.refreshing(|held| held.granted) > granted).await;
    assert!(scene.is_inside(&ann).await && scene.ended().is_empty());
}

#[tokio::test]
async fn refresh_h12_a_token_that_another_hand_moved_ends_the_login_and_is_never_shown() {
    let scene = Scene::start(", revalidate = \"3s\"", "");
    let (ann, bob) = (scene.logged_in(ANN).await, scene.logged_in(BOB).await);
    // Bob's token in ann's row: her login would live as long as his.
    let database = scene.gateway.database();
    let moved = database.execute(
        "UPDATE provider_grant SET sealed = (SELECT sealed FROM provider_grant WHERE login_session != s.id)
         FROM (SELECT min(id) AS id FROM login_session) s WHERE login_session = s.id",
        [],
    );
    assert_eq!(moved.expect("written"), 1);
    eventually("one is over", PATIENCE, || !scene.ended().is_empty()).await;
    assert_eq!(scene.ended()[0]["reason"], "provider-grant-lost");
    let inside = [scene.is_inside(&ann).await, scene.is_inside(&bob).await];
    assert_eq!(inside.iter().filter(|inside| **inside).count(), 1, "{inside:?}");
    assert_eq!(scene.op.refreshing(|held| held.reused), 0);
}

#[tokio::test]
async fn refresh_nothing_is_asked_for_or_kept_where_the_directory_does_not_ask() {
    let scene = Scene::start("", "");
    let ann = scene.logged_in(ANN).await;
    let kept = |scene: &Scene| {
        let database = scene.gateway.database();
        database.query_row("SELECT count(*) FROM provider_grant", [], |row| row.get::<_, u32>(0)).expect("counted")
    };
    assert_eq!(kept(&scene), 0);
    // Said later: logins of then on are asked about. Taken back: what is kept goes, and nobody with it.
    scene.gateway.reload(&Scene::file(&scene.op, &scene.trello, ", revalidate = \"1s\"", ""));
    let bob = scene.logged_in(BOB).await;
    eventually("it is asked", PATIENCE, || scene.op.refreshing(|held| held.granted) >= 1).await;
    assert_eq!(kept(&scene), 1);
    scene.gateway.reload(&Scene::file(&scene.op, &scene.trello, "", ""));
    eventually("it is forgotten", PATIENCE, || kept(&scene) == 0).await;
    assert!(scene.is_inside(&ann).await && scene.is_inside(&bob).await);
}

#[tokio::test]
async fn refresh_a_logout_forgets_the_token() {
    let scene = Scene::start(", revalidate = \"1h\"", "");
    let ann = scene.logged_in(ANN).await;
    let page = ann.visit(&scene.gateway.url("id", "/logout")).await;
    ann.submit(&page, "/logout", &[]).await;
    let database = scene.gateway.database();
    let kept =
        || database.query_row("SELECT count(*) FROM provider_grant", [], |row| row.get::<_, u32>(0)).expect("counted");
    eventually("it is forgotten", PATIENCE, || kept() == 0).await;
    assert!(!scene.is_inside(&ann).await);
}
