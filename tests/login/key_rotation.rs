//! M23: the gateway's own keys are replaced while people are logged in. Without a reason nobody notices; where somebody else has them, what
//! they made is dead within a second and everything begins anew.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::support::agent::UserAgent;
use crate::support::page::Page;
use crate::world::{World, sign_in};

const ANN: &str = "ann@acme.example.test";

struct Scene(World);

impl Scene {
    async fn start() -> Self {
        Self(World::own("", |file, _| file).await)
    }

    fn url(&self, host: &str, path: &str) -> String {
        self.0.url(host, path)
    }

    fn rotate(&self, arguments: &[&str]) -> String {
        let (status, out, err) = self.0.gateway.command(&[&["keys", "rotate", "--kind"], arguments].concat());
        assert!(status.success(), "{arguments:?}: {out}{err}");
        out
    }

    async fn is_inside(&self, browser: &UserAgent) -> bool {
        self.0.who(browser, "trello").await.is_some()
    }

    /// A browser whose person is at the provider's form.
    async fn under_way(&self) -> (UserAgent, Page) {
        let browser = self.0.browser();
        let page = self.0.to_provider(&browser, ANN, &self.url("trello", "/page")).await;
        (browser, page)
    }

    fn kids(jwks: &Page) -> Vec<String> {
        let jwks = jwks.json();
        let keys = jwks["keys"].as_array().expect("keys").iter();
        keys.map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
    }

    fn rotated(&self) -> Vec<Value> {
        let ours = |event: &Value| event["action"] == "keys.rotated" && event["actor"].is_object();
        self.0.events().into_iter().filter(ours).collect()
    }
}

/// Every process has heard of it by then.
async fn a_second() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn m23_keys_are_replaced_without_a_lost_login_or_session() {
    let scene = Scene::start().await;
    let ann = scene.0.logged_in("ann").await;
    let (bob, form) = scene.under_way().await;
    for kind in ["cookie", "csrf", "assertion"] {
        assert!(scene.rotate(&[kind]).contains(&format!("{kind}#")), "{kind}");
    }
    a_second().await;
    assert!(scene.is_inside(&ann).await);
    sign_in(&bob, form, "ann").await;
    assert!(scene.is_inside(&bob).await, "what was under way goes on");
    let (status, out, err) = scene.0.gateway.command(&["keys", "rotate", "--kind", "token"]);
    assert!(!status.success() && format!("{out}{err}").contains("write --compromised"), "{out}{err}");
    assert_eq!(scene.rotated().len(), 3);
}

#[tokio::test]
async fn m23_what_a_stolen_key_made_is_dead_within_a_second_and_people_begin_anew() {
    let scene = Scene::start().await;
    let ann = scene.0.logged_in("ann").await;
    // Logins under way.
    let (bob, form) = scene.under_way().await;
    scene.rotate(&["cookie", "--compromised"]);
    a_second().await;
    let page = sign_in(&bob, form, "ann").await;
    assert!(!scene.is_inside(&bob).await, "{}", page.describe());
    scene.0.log_in(&bob, "ann", &scene.url("trello", "/page")).await;
    assert!(scene.is_inside(&bob).await);
    assert!(scene.is_inside(&ann).await, "a session is none of what it sealed");
    // Forms.
    let cara = scene.0.browser();
    let form = cara.visit(&scene.url("trello", "/page")).await;
    scene.rotate(&["csrf", "--compromised"]);
    a_second().await;
    let page = cara.submit(&form, "email", &[("email", ANN)]).await;
    assert!(scene.0.asks_email(&page), "asked anew: {}", page.describe());
    scene.0.logged_in("ann").await;
    // What products verify by.
    let jwks = scene.url("id", "/.well-known/jwks.json");
    let before = Scene::kids(&ann.visit(&jwks).await);
    scene.rotate(&["assertion", "--compromised"]);
    a_second().await;
    let after = Scene::kids(&ann.visit(&jwks).await);
    assert!(after.len() == 2 && after.iter().all(|kid| !before.contains(kid)), "{before:?} {after:?}");
    ann.visit(&scene.url("trello", "/page")).await;
    let assertion = scene.0.trello.last("/page").head.first("fedgate-assertion").expect("an assertion").to_owned();
    let header = assertion.split('.').next().expect("a header");
    let header = URL_SAFE_NO_PAD.decode(header).expect("base64url");
    let header: Value = serde_json::from_slice(&header).expect("JSON");
    assert!(after.iter().any(|kid| header["kid"] == kid.as_str()), "{header}");
    // Sessions.
    let told = scene.rotate(&["token", "--compromised"]);
    assert!(told.contains("Everybody logs in again, but for apps"), "{told}");
    a_second().await;
    assert!(!scene.is_inside(&ann).await && !scene.is_inside(&bob).await);
    scene.0.log_in(&ann, "ann", &scene.url("trello", "/page")).await;
    assert!(scene.is_inside(&ann).await);
    let events = scene.rotated();
    assert!(events.iter().all(|event| event["reason"] == "compromised"), "{events:?}");
    assert_eq!(events[0]["before"]["refused"], serde_json::json!(["cookie#1"]));
}
