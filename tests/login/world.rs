//! What the scenes share: a gateway with two products, the certified provider, and the steps of a login one by one.
//!
//! Scenes that change nothing for others share one world, each with browsers of its own; the last one takes it down. A scene
//! that reloads, ends sessions of everybody or breaks the provider builds its own.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use url::Url;

use crate::support::agent::{Intent, UserAgent};
use crate::support::authority::Authority;
use crate::support::clock::eventually;
use crate::support::configuration::Configuration;
use crate::support::gateway::Gateway;
use crate::support::op::Op;
use crate::support::page::Page;
use crate::support::upstream::Upstream;

/// Our session cookie, on every host.
pub const SESSION: &str = "__Host-fedgate";

pub struct World {
    pub gateway: Gateway,
    pub op: Op,
    pub trello: Upstream,
    pub loom: Upstream,
    pub authority: Authority,
}

static SHARED: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
static WORLD: Mutex<Weak<World>> = Mutex::new(Weak::new());

/// Redirect URIs of every directory that a scene has.
const CALLBACKS: [&str; 8] = [
    "/login/callback",
    "/login/callback/acme",
    "/login/callback/acme/second",
    "/login/callback/globex",
    "/login/callback/evil",
    "/login/callback/post",
    "/login/callback/key",
    "/login/callback/other",
];

impl World {
    /// The world that another scene is in just now, else a new one: `trello` (also at `board`), `loom`, the organization `acme`.
    pub async fn share() -> Arc<Self> {
        let _one_at_a_time = SHARED.lock().await;
        let there = WORLD.lock().expect("not poisoned").upgrade();
        if let Some(world) = there {
            return world;
        }
        let world = Arc::new(Self::own("", |file, _| file).await);
        *WORLD.lock().expect("not poisoned") = Arc::downgrade(&world);
        world
    }

    /// A world of the scene's own; `product` are further keys of both products, `change` adds to the file.
    pub async fn own(product: &str, change: impl FnOnce(Configuration, &Op) -> Configuration) -> Self {
        let mut world = Self::prepare(product, change).await;
        world.gateway.launch();
        world.gateway.wait_ready();
        world
    }

    /// The same, not started.
    pub async fn prepare(product: &str, change: impl FnOnce(Configuration, &Op) -> Configuration) -> Self {
        let authority = Authority::new();
        let op = Op::start(&authority);
        let (trello, loom) = (Upstream::start(), Upstream::start());
        let file = change(
            file(&authority, [&trello, &loom], product).organization("acme", ACME, op.issuer(), op.client_secret()),
            &op,
        );
        let gateway = Gateway::prepare(&file);
        let world = Self { gateway, op, trello, loom, authority };
        world.register().await;
        world
    }

    /// A world whose file is `make`'s alone, for scenes without the organization `acme` at the certified provider.
    pub async fn of(make: impl FnOnce(Configuration, &Op, &Authority) -> Configuration) -> Self {
        let authority = Authority::new();
        let op = Op::start(&authority);
        let (trello, loom) = (Upstream::start(), Upstream::start());
        let gateway = Gateway::start(&make(file(&authority, [&trello, &loom], ""), &op, &authority));
        let world = Self { gateway, op, trello, loom, authority };
        world.register().await;
        world
    }

    /// A world whose file is `change`'s but for the two products, not started; `product` are further keys of both.
    pub async fn prepare_of(product: &str, change: impl FnOnce(Configuration, &Op) -> Configuration) -> Self {
        let authority = Authority::new();
        let op = Op::start(&authority);
        let (trello, loom) = (Upstream::start(), Upstream::start());
        let gateway = Gateway::prepare(&change(file(&authority, [&trello, &loom], product), &op));
        let world = Self { gateway, op, trello, loom, authority };
        world.register().await;
        world
    }

    async fn register(&self) {
        let uris = CALLBACKS.map(|path| self.url("id", path));
        let uris: Vec<&str> = uris.iter().map(String::as_str).collect();
        self.op.allow_redirects(&uris, &[&self.url("id", "/logout/done")]).await;
    }

    pub fn url(&self, host: &str, path: &str) -> String {
        self.gateway.url(host, path)
    }

    /// A person's fresh browser.
    pub fn browser(&self) -> UserAgent {
        self.gateway.agent(&[&self.authority.ca_file()])
    }

    /// A fresh browser in which this person of the provider is logged in at `trello`.
    pub async fn logged_in(&self, login: &str) -> UserAgent {
        let agent = self.browser();
        let page = self.log_in(&agent, login, &self.url("trello", "/page")).await;
        assert_eq!(page.url.as_str(), self.url("trello", "/page"), "{}", page.describe());
        agent
    }

    /// Opens a product's page and logs in on the way: e-mail, the provider's form where it asks, and back.
    pub async fn log_in(&self, agent: &UserAgent, login: &str, url: &str) -> Page {
        let page = self.to_provider(agent, &format!("{login}@{ACME}"), url).await;
        sign_in(agent, page, login).await
    }

    /// Opens a product's page as a stranger, types the address, and stops where the provider shows something.
    pub async fn to_provider(&self, agent: &UserAgent, email: &str, url: &str) -> Page {
        let page = agent.visit(url).await;
        assert!(self.asks_email(&page), "a stranger is asked for an address: {}", page.describe());
        agent.submit(&page, "email", &[("email", email)]).await
    }

    /// Whether the page is the login host's first one.
    pub fn asks_email(&self, page: &Page) -> bool {
        page.url.as_str().starts_with(&self.url("id", "/"))
            && page.status == StatusCode::OK
            && page.forms().iter().any(|form| form.fields.iter().any(|(name, _)| name == "email"))
    }

    /// The address with the one-time code for a product, made for the login session and a new flow cookie of this browser.
    pub async fn code(&self, agent: &UserAgent, host: &str) -> String {
        let began = step(agent, &self.url(host, "/.fedgate/login?return_to=%2Fback%3Fx%3D1")).await;
        let to = location(&began);
        assert!(to.starts_with(&self.url("id", "/login/to?")), "{}", began.describe());
        let decided = step(agent, &to).await;
        let code = location(&decided);
        assert!(code.starts_with(&self.url(host, "/.fedgate/finish?code=")), "{}", decided.describe());
        code
    }

    /// Who is logged in at a product's host, by its own account: none is 401.
    pub async fn who(&self, agent: &UserAgent, host: &str) -> Option<Value> {
        let page = agent.visit(&self.url(host, "/.fedgate/session")).await;
        match page.status {
            StatusCode::OK => Some(page.json()),
            StatusCode::UNAUTHORIZED => None,
            _ => panic!("{}", page.describe()),
        }
    }

    /// All audit events, oldest first, read from the database file.
    pub fn events(&self) -> Vec<Value> {
        self.gateway.events()
    }

    /// The database, as another node or a thief of the file would open it.
    pub fn database(&self) -> rusqlite::Connection {
        let db = self.gateway.database();
        db.pragma_update(None, "foreign_keys", true).expect("a setting");
        db
    }

    /// Puts another file in force, confirming what it gives away.
    pub fn reload(&self, file: &Configuration) {
        self.gateway.reload(file);
    }

    /// The file that the world began with.
    pub fn file(&self, product: &str) -> Configuration {
        file(&self.authority, [&self.trello, &self.loom], product)
    }

    /// Waits for a refusal of this code, and gives its event.
    pub async fn refusal(&self, code: &str) -> Value {
        let mut found = None;
        eventually(&format!("an event with reason {code}"), Duration::from_secs(5), || {
            found = self.events().into_iter().rev().find(|event| event["reason"] == code);
            found.is_some()
        })
        .await;
        found.expect("found")
    }

    /// The page is a refusal of this code whose `ref` is in the audit log, with a way to try again.
    pub async fn assert_refused(&self, page: &Page, code: &str) {
        let event = self.refusal(code).await;
        let reference = event["ref"].as_str().unwrap_or_else(|| panic!("no ref in {event}"));
        assert!(page.status.is_client_error() || page.status.is_server_error(), "{}", page.describe());
        assert!(page.text().contains(reference), "{reference} is not shown: {}", page.describe());
        assert!(page.html().contains("href="), "a way on: {}", page.describe());
    }
}

/// The domain of the organization `acme`.
pub const ACME: &str = "acme.example.test";

fn file(authority: &Authority, [trello, loom]: [&Upstream; 2], product: &str) -> Configuration {
    Configuration::new()
        .trust(&authority.ca_file())
        .product("trello", &trello.url(), &format!("also = [\"board.example.test:{{port}}\"]\n{product}"))
        .product("loom", &loom.url(), product)
}

/// The organization `acme` with two directories at one provider; its policy enforces the one that is named.
pub fn two_directories(file: Configuration, op: &Op, enforced: &str, policy: &str) -> Configuration {
    file.secret("{dir}/acme.secret", op.client_secret()).table(&format!(
        "[org.acme]\ndomains = [\"{ACME}\"]\n\
         [org.acme.directory.main]\noidc = \"{issuer}\"\nclient_id = \"fedgate\"\nclient_secret_file = \"{{dir}}/acme.secret\"\n\
         [org.acme.directory.second]\noidc = \"{issuer}\"\nclient_id = \"fedgate-public\"\nclient_auth = \"none\"\n\
         [org.acme.policy]\nsso = \"enforced\"\ndirectory = \"{enforced}\"\n{policy}",
        issuer = op.issuer()
    ))
}

/// Signs in at the provider's form, where there is one.
pub async fn sign_in(agent: &UserAgent, page: Page, login: &str) -> Page {
    if page.forms().iter().all(|form| form.fields.iter().all(|(name, _)| name != "login")) {
        return page;
    }
    agent.submit(&page, "login", &[("login", login), ("password", &format!("{login}-pw"))]).await
}

/// One navigation without following where it leads.
pub async fn step(agent: &UserAgent, url: &str) -> Page {
    let url = Url::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
    agent.load(Intent { follow: false, ..Intent::navigation(None, url) }).await
}

/// Where an answer leads, as a whole address.
pub fn location(page: &Page) -> String {
    let to = page.header("location").unwrap_or_else(|| panic!("no Location: {}", page.describe()));
    page.url.join(to).unwrap_or_else(|error| panic!("{to}: {error}")).into()
}

/// Whether the answer gave a session.
pub fn gave_session(page: &Page) -> bool {
    let lines = page.trace.iter().flat_map(|hop| &hop.set_cookies);
    lines
        .filter(|(line, kept)| *kept && line.starts_with("__Host-fedgate="))
        .any(|(line, _)| !line.contains("Max-Age=0"))
}
