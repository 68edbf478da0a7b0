//! A backup becomes the store again (H17, T10): whoever was put out, moved, or put under a stricter rule since gets nothing by it, nobody
//! logs in before the operator says so, and the audit log goes on as if nothing had been lost.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::support::agent::UserAgent;
use crate::support::clock::Deadline;
use crate::support::page::Page;
use crate::world::{ACME, World, sign_in};

const PASSWORD: &str = "wharf-cobalt-82-lantern";
/// Its bcrypt hash.
const HASH: &str = "$2b$05$abcdefghijklmnopqrstuuusFrNF7KJFsgMs/u3icgjXQPsxLjnlW";
const EVE: &str = "eve@free.example.test";
const FRANK: &str = "frank@acme.example.test";
const GINA: &str = "gina@free.example.test";
const PRODUCT: &str = "passwords = \"here\"\nmigration = { phase = \"optional\" }\n\
                       doors = { login = [\"/in\"], reset = [\"/forgot\"] }";

/// A product that keeps passwords, an issuer, and a company that offers its login beside them.
struct Scene {
    world: World,
}

impl Scene {
    async fn start() -> Self {
        let world = World::prepare_of(PRODUCT, |file, op| {
            file.secret("{dir}/acme.secret", op.client_secret()).table(&format!(
                "[issuer]\nname = \"Example\"\noidc = \"{issuer}\"\nclient_id = \"fedgate-public\"\nclient_auth = \"none\"\n\
                 [admin]\noperators = [\"ann@{ACME}\"]\n\
                 [org.acme]\ndomains = [\"{ACME}\"]\n\
                 sso = {{ oidc = \"{issuer}\", client_id = \"fedgate\", client_secret_file = \"{{dir}}/acme.secret\" }}\n\
                 [org.acme.policy]\nsso = \"offered\"",
                issuer = op.issuer()
            ))
        });
        let mut scene = Self { world: world.await };
        scene.world.gateway.launch();
        scene.world.gateway.wait_ready();
        let row = |(id, email): (&str, &str)| {
            json!({ "id": id, "email": email, "email_verified": true, "password_hash": HASH }).to_string()
        };
        let people: Vec<String> = [("u-eve", EVE), ("u-frank", FRANK), ("u-gina", GINA)].map(row).into();
        let file = scene.path("people.jsonl");
        std::fs::write(&file, people.join("\n")).expect("a file");
        scene.command(&["import", &file, "--product", "trello"], 0);
        scene
    }

    fn path(&self, name: &str) -> String {
        self.world.gateway.directory().join(name).to_str().expect("text").to_owned()
    }

    /// Runs a command that must end like this, and gives what it printed.
    fn command(&self, arguments: &[&str], status: i32) -> String {
        let (ended, out, err) = self.world.gateway.command(arguments);
        assert_eq!(ended.code(), Some(status), "{arguments:?}: {out}{err}");
        format!("{out}{err}")
    }

    async fn identify(&self, browser: &UserAgent, email: &str) -> Page {
        let page = browser.visit(&self.world.url("trello", "/page")).await;
        browser.submit(&page, "email", &[("email", email)]).await
    }

    /// Tries the password at the product's door in a fresh browser.
    async fn by_password(&self, email: &str) -> (UserAgent, bool) {
        let browser = self.world.browser();
        let page = self.identify(&browser, email).await;
        if page.html().contains("type=\"password\"") {
            browser.submit(&page, "password", &[("email", email), ("password", PASSWORD)]).await;
        }
        let inside = self.inside(&browser).await;
        (browser, inside)
    }

    /// Logs in at the company, or at the issuer, in a fresh browser.
    async fn by_provider(&self, email: &str, way: &str, login: &str) -> (UserAgent, bool) {
        let browser = self.world.browser();
        let page = self.identify(&browser, email).await;
        if page.html().contains(&format!("value=\"{way}\"")) {
            let page = browser.submit(&page, "/.fedgate/depart", &[("way", way)]).await;
            sign_in(&browser, page, login).await;
        } else {
            sign_in(&browser, page, login).await;
        }
        let inside = self.inside(&browser).await;
        (browser, inside)
    }

    async fn inside(&self, browser: &UserAgent) -> bool {
        let url = self.world.url("trello", "/page");
        let page = browser.visit(&url).await;
        page.status == StatusCode::OK && page.url.as_str() == url
    }

    /// Calls the admin API; a write on the version that a read of `of` says.
    async fn call(&self, token: &str, method: &str, path: &str, of: Option<&str>) -> (u16, Value, Option<String>) {
        let tag = match of {
            Some(of) => Box::pin(self.call(token, "GET", of, None)).await.2,
            None => None,
        };
        let url = self.world.url("id", &format!("/api/v1{path}"));
        let mut request =
            Request::builder().method(method).uri(&url).header("authorization", format!("Bearer {token}"));
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        let answer = self.world.browser().raw(&url, request.body(Full::new(Bytes::new())).expect("a request")).await;
        let said = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
        let tag = answer.headers().get("etag").and_then(|tag| tag.to_str().ok()).map(ToOwned::to_owned);
        (answer.status().as_u16(), said, tag)
    }

    fn events(&self, action: &str) -> Vec<Value> {
        self.world.events().into_iter().filter(|event| event["action"] == action).collect()
    }

    /// Starts the gateway on a store that may be shut.
    fn launch(&mut self) {
        self.world.gateway.launch();
        let patience = Deadline::after(Duration::from_secs(20));
        while self.world.gateway.ops("/healthz").is_none_or(|(status, _)| status != 200) {
            assert!(!patience.passed(), "never up:\n{}", self.world.gateway.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn is_ready(&self) -> bool {
        self.world.gateway.ops("/readyz").is_some_and(|(status, _)| status == 200)
    }

    async fn until_ready(&self) {
        let patience = Deadline::after(Duration::from_secs(10));
        while !self.is_ready() {
            assert!(!patience.passed(), "never ready:\n{}", self.world.gateway.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// What a program printed between this and the end of the line.
fn after<'a>(text: &'a str, what: &str) -> &'a str {
    let rest = text.split(what).nth(1).unwrap_or_else(|| panic!("no {what:?} in {text}"));
    rest.split_whitespace().next().expect("a word")
}

#[tokio::test]
async fn h17_t10_after_a_restore_nobody_gets_in_by_what_was_taken_back_since() {
    let mut scene = Scene::start().await;
    let (ann, inside) = scene.by_provider(&format!("ann@{ACME}"), "acme", "ann").await;
    assert!(inside);
    let (_, inside) = scene.by_provider(&format!("bob@{ACME}"), "acme", "bob").await;
    assert!(inside);
    for person in [EVE, FRANK, GINA] {
        assert!(scene.by_password(person).await.1, "{person}");
    }
    let backup = scene.path("backup");
    let said = scene.command(&["backup", &backup], 0);
    assert!(said.contains("events"), "{said}");
    assert!(scene.command(&["backup", &backup], 2).contains("cannot be made"), "nothing is written over");

    // Bob is switched off, Eve moves to the issuer, the company enforces its login, Ann ends her session.
    let scopes = ["--scope", "people:read", "--scope", "people:write"];
    let owner = format!("ann@{ACME}");
    let minted = scene.command(&[&["token", "create", "--json", "--owner", &owner][..], &scopes].concat(), 0);
    let minted: Value = serde_json::from_str(&minted).expect("JSON");
    let token = minted["token"].as_str().expect("a token").to_owned();
    let (status, people, _) = scene.call(&token, "GET", "/organizations/acme/people", None).await;
    assert_eq!(status, 200, "{people}");
    let listed = people.as_object().and_then(|page| page.values().find_map(Value::as_array)).expect("people");
    let bob = listed.iter().find(|one| one["email"] == format!("bob@{ACME}")).expect("bob");
    let path = format!("/organizations/acme/people/{}", bob["account"].as_str().expect("an id"));
    let (status, off, _) = scene.call(&token, "POST", &format!("{path}/deactivate"), Some(&path)).await;
    assert_eq!(status, 200, "{off}");
    let claims = json!({ "email": EVE, "email_verified": true, "sub": "op-eve" });
    scene.world.op.mode(claims.clone(), claims).await;
    assert!(scene.by_provider(EVE, "issuer", "ann").await.1);
    scene.world.op.mode(Value::Null, Value::Null).await;
    assert_eq!(scene.events("migration.committed").len(), 1);
    let document = scene.path("acme.json");
    std::fs::write(&document, json!({ "policy": { "sso": "enforced" } }).to_string()).expect("a file");
    scene.command(&["org", "put", "acme", &document, "--accept-lockout-risk"], 0);
    for person in [EVE, FRANK] {
        assert!(!scene.by_password(person).await.1, "{person}");
    }

    // The old store is brought back.
    assert!(scene.command(&["restore", &backup, "--replace"], 2).contains("another fedgate uses"));
    scene.world.gateway.stop();
    assert!(scene.command(&["restore", &backup], 2).contains("--replace"), "nothing is replaced unasked");
    let said = scene.command(&["restore", &backup, "--replace"], 1);
    for line in ["account.deactivated", "migration.committed", "organization.updated", "nobody logs in"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let code = after(&said, "--open ").to_owned();
    scene.launch();
    // Shut: not even who was never touched, by whichever way; and the session of before is dead.
    assert!(!scene.is_ready());
    assert!(!scene.inside(&ann).await);
    assert!(!scene.by_provider(&format!("ann@{ACME}"), "acme", "ann").await.1);
    assert!(!scene.by_password(GINA).await.1);
    assert_eq!(scene.call(&token, "GET", "/organizations/acme/people", None).await.0, 401, "no token survives");
    assert!(scene.command(&["restore", "--status"], 1).contains(&code));
    scene.command(&["restore", "--open", "AAAA-AAAA"], 2);
    assert!(!scene.is_ready());
    let said = scene.command(&["restore", "--open", &code], 0);
    assert!(said.contains("people log in again"), "{said}");
    scene.until_ready().await;

    // Open: whoever was put out since stays out.
    assert!(!scene.inside(&ann).await, "her session was of before");
    assert!(!scene.by_provider(&format!("bob@{ACME}"), "acme", "bob").await.1, "switched off");
    assert!(!scene.by_password(EVE).await.1, "t10: the password of a record that moved is not brought back");
    assert!(!scene.by_password(FRANK).await.1, "enforced");
    assert!(scene.by_password(GINA).await.1, "untouched");
    assert!(scene.by_provider(&format!("ann@{ACME}"), "acme", "ann").await.1);
    let sql = "SELECT count(*) FROM password JOIN product_account ON id = product_account WHERE sub = ?";
    let left = |sub: &str| scene.world.database().query_row(sql, [sub], |row| row.get::<_, i64>(0)).expect("a count");
    assert_eq!((left("u-eve"), left("u-gina")), (0, 1), "nor is it there for a later mistake");
    // Eve comes as she moved.
    let claims = json!({ "email": EVE, "email_verified": true, "sub": "op-eve" });
    scene.world.op.mode(claims.clone(), claims).await;
    assert!(scene.by_provider(EVE, "issuer", "ann").await.1);
    // The audit log was not shortened, and verifies as a whole.
    assert_eq!((scene.events("store.restored").len(), scene.events("store.opened").len()), (1, 1));
    assert_eq!(scene.events("account.deactivated").len(), 1);
    let said = scene.command(&["audit", "verify"], 0);
    assert!(said.contains("consistent"), "{said}");
    assert!(scene.command(&["restore", "--status"], 0).contains("open"));
}

#[tokio::test]
async fn h17_a_store_that_went_back_in_time_without_a_word_is_shut() {
    let mut scene = Scene::start().await;
    let (gina, inside) = scene.by_password(GINA).await;
    assert!(inside);
    scene.world.gateway.stop();
    let store = scene.path("state/fedgate.db");
    let endings = ["", "-wal", "-shm"];
    let copy = |from: &str, to: &str| {
        for ending in endings {
            let file = format!("{from}{ending}");
            if std::path::Path::new(&file).exists() {
                std::fs::copy(&file, format!("{to}{ending}")).expect("a copy, as a snapshot of a disk is one");
            }
        }
    };
    let older = scene.path("older.db");
    copy(&store, &older);
    scene.launch();
    scene.until_ready().await;
    assert!(scene.inside(&gina).await, "a restart alone is no rollback");
    scene.by_password(FRANK).await;
    scene.world.gateway.stop();
    for ending in endings {
        let file = format!("{store}{ending}");
        if std::path::Path::new(&file).exists() {
            std::fs::remove_file(&file).expect("ours");
        }
    }
    copy(&older, &store);
    scene.launch();
    assert!(
        !scene.is_ready(),
        "{:?} {}",
        std::fs::read_to_string(scene.path("state/seen.json")),
        scene.world.gateway.log()
    );
    assert!(!scene.inside(&gina).await, "no session survives");
    assert!(!scene.by_password(FRANK).await.1);
    assert_eq!(scene.events("store.rolled_back").len(), 1);
    assert!(scene.world.gateway.log().contains("went back in time"), "{}", scene.world.gateway.log());
    let said = scene.command(&["restore", "--status"], 1);
    scene.command(&["restore", "--open", after(&said, "--open ")], 0);
    scene.until_ready().await;
    assert!(scene.by_password(FRANK).await.1);
    // It is told once.
    scene.world.gateway.stop();
    scene.launch();
    scene.until_ready().await;
    assert_eq!(scene.events("store.rolled_back").len(), 1);
}
