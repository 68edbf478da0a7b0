//! What the browser's scenes share: a gateway with two products, the certified provider, Chromium.
//!
//! Scenes that run at the same time share one world (each with people of its own); the last one takes it down.

use std::sync::{Arc, Mutex, Weak};

use crate::support::authority::Authority;
use crate::support::browser::{Browser, Person, View};
use crate::support::configuration::Configuration;
use crate::support::gateway::Gateway;
use crate::support::op::Op;
use crate::support::upstream::Upstream;

pub struct World {
    pub browser: Browser,
    pub gateway: Gateway,
    pub op: Op,
    pub trello: Upstream,
    pub loom: Upstream,
    pub authority: Authority,
}

static SHARED: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
static WORLD: Mutex<Weak<World>> = Mutex::new(Weak::new());

impl World {
    /// The world that another scene is in just now, else a new one.
    pub async fn share() -> Arc<Self> {
        let _one_at_a_time = SHARED.lock().await;
        let there = WORLD.lock().expect("not poisoned").upgrade();
        if let Some(world) = there {
            return world;
        }
        let world = Arc::new(Self::build().await);
        *WORLD.lock().expect("not poisoned") = Arc::downgrade(&world);
        world
    }

    /// A world of a scene's own.
    pub async fn build() -> Self {
        let authority = Authority::new();
        let op = Op::start(&authority);
        let (trello, loom) = (Upstream::start(), Upstream::start());
        let configuration = Configuration::new()
            .trust(&authority.ca_file())
            .product("trello", &trello.url(), "")
            .product("loom", &loom.url(), "")
            .organization("acme", "acme.example.test", op.issuer(), op.client_secret());
        let gateway = Gateway::start(&configuration);
        op.allow_redirects(&[&gateway.url("id", "/login/callback/acme")], &[&gateway.url("id", "/logout/done")]).await;
        let browser = Browser::start(&[&gateway.ca_file(), &authority.ca_file()]);
        Self { browser, gateway, op, trello, loom, authority }
    }

    pub fn url(&self, host: &str, path: &str) -> String {
        self.gateway.url(host, path)
    }

    /// Opens a product's page and logs in on the way as this person of the provider (`ann`, `bob`).
    pub async fn log_in(&self, person: &Person<'_>, login: &str, url: &str) -> View {
        let view = person.open(url).await;
        assert!(view.url.starts_with(&self.url("id", "/login")), "a stranger is asked for an address: {view:?}");
        person.assert_sound("email").await;
        person.fill(&[("[name=email]", &format!("{login}@acme.example.test"))]).await;
        person.press("form:has([name=email]) [type=submit]").await;
        person.until("[name=password]").await;
        person.fill(&[("[name=login]", login), ("[name=password]", &format!("{login}-pw"))]).await;
        person.press("#signin").await;
        person.until_at(url).await
    }
}
