//! A change of provider (C1, behaviour "Relink"): a company's connection becomes another one, everybody has a new subject, and people
//! come back to their own accounts in a window or by a map, once, told of, and undoable.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::agent::UserAgent;
use crate::support::clock::eventually;
use crate::support::configuration::Configuration;
use crate::support::op::Hostile;
use crate::support::page::Page;
use crate::world::{ACME, World};

/// The company's new provider, which says of everybody what the scene wants.
struct Scene {
    world: World,
    next: Hostile,
}

const RELINK: [&str; 7] = ["relink", "--org", "acme", "--from", "main", "--to", "main"];

impl Scene {
    /// Ann was there; since then the connection is another one.
    async fn changed() -> (Self, Value) {
        let world = World::own("", |file, _| file).await;
        let next = Hostile::start(&world.authority);
        let before = world.logged_in("ann").await;
        let ann = world.who(&before, "trello").await.expect("logged in")["sub"].clone();
        world.reload(&company(world.file(""), &next));
        (Self { world, next }, ann)
    }

    /// Of whom the new provider speaks from now on.
    async fn says(&self, subject: &str, address: &str) {
        let claims = json!({ "sub": subject, "email": address, "email_verified": true });
        self.next.behave(json!({ "claims": claims, "userinfo": claims })).await;
    }

    /// Whom a login by the new provider with this subject and address opens, and the last page.
    async fn comes(&self, subject: &str, address: &str) -> (Option<Value>, Page) {
        self.says(subject, address).await;
        let browser = self.world.browser();
        let page = self.world.to_provider(&browser, &format!("x@{ACME}"), &self.world.url("trello", "/page")).await;
        (self.world.who(&browser, "trello").await.map(|who| who["sub"].clone()), page)
    }

    fn told(&self, action: &str) -> Vec<Value> {
        self.world.events().into_iter().filter(|event| event["action"] == action).collect()
    }

    fn epoch(&self, address: &str) -> i64 {
        let sql = "SELECT epoch FROM account WHERE email = ?";
        self.world.database().query_row(sql, [address], |row| row.get(0)).expect("an account")
    }

    /// Runs a command that must end like this, and gives what it printed.
    fn command(&self, arguments: &[&str], status: i32) -> String {
        let (ended, out, err) = self.world.gateway.command(arguments);
        assert_eq!(ended.code(), Some(status), "{arguments:?}: {out}{err}");
        format!("{out}{err}")
    }

    /// Opens a window, and gives its id.
    fn open(&self, more: &[&str]) -> String {
        let asked: Vec<&str> = RELINK.iter().chain(more).copied().collect();
        let said = self.command(&asked, 1);
        let code = said.split("--loosen ").nth(1).and_then(|rest| rest.split_whitespace().next());
        let code = code.unwrap_or_else(|| panic!("{said}"));
        let confirmed: Vec<&str> = asked.iter().copied().chain(["--loosen", code]).collect();
        let said = self.command(&confirmed, 0);
        said.split_whitespace().next().expect("an id").to_owned()
    }

    /// Waits until so many letters about it are written, and sees that no more are.
    async fn written(&self, letters: usize) {
        let folder = self.world.gateway.directory().join("state/outbox");
        let count = || {
            let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            let files = files.filter(|file| file.path().extension().is_some_and(|end| end == "eml"));
            let texts = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
            texts.filter(|text| text.contains("new login page")).count()
        };
        eventually("the letters", Duration::from_secs(10), || count() >= letters).await;
        assert_eq!(count(), letters);
    }
}

fn company(file: Configuration, provider: &Hostile) -> Configuration {
    file.secret("{dir}/next.secret", "whatever").table(&format!(
        "[org.acme]\ndomains = [\"{ACME}\"]\n\
         sso = {{ oidc = \"{}\", client_id = \"next\", client_secret_file = \"{{dir}}/next.secret\" }}",
        provider.issuer()
    ))
}

/// Waits until this browser is logged out.
async fn eventually_out(scene: &Scene, browser: &UserAgent) {
    for _ in 0..40 {
        if scene.world.who(browser, "trello").await.is_none() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the session is alive after two seconds");
}

fn address(of: &str) -> String {
    format!("{of}@{ACME}")
}

#[tokio::test]
async fn relink_a_window_brings_a_person_back_once_and_it_can_be_taken_back() {
    let (scene, ann) = Scene::changed().await;
    let (who, page) = scene.comes("00u-ann", &address("ann")).await;
    assert_eq!(who, None, "without a window a new subject is nobody: {}", page.describe());
    // Nothing is opened by asking, nor by another window's code.
    let dry: Vec<&str> = RELINK.iter().copied().chain(["--dry-run"]).collect();
    let said = scene.command(&dry, 0);
    assert!(said.contains("1 people") && said.contains("gets the account"), "{said}");
    let wrong: Vec<&str> = RELINK.iter().copied().chain(["--loosen", "AAAA-AAAA"]).collect();
    scene.command(&wrong, 1);
    assert_eq!(scene.told("relink.opened"), Vec::<Value>::new());
    assert_eq!(scene.comes("00u-ann", &address("ann")).await.0, None);

    let id = scene.open(&[]);
    assert_eq!(scene.told("relink.opened").len(), 1);
    // Whoever has another address gets an account of their own, and nobody else's.
    let (bob, page) = scene.comes("00u-bob", &address("bob")).await;
    assert!(bob.is_some_and(|bob| bob != ann), "{}", page.describe());
    let (who, page) = scene.comes("00u-ann", &address("ann")).await;
    assert_eq!(who.as_ref(), Some(&ann), "{}", page.describe());
    let told = scene.told("identity.relinked");
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["txn"], &told[0]["org"], &told[0]["reason"]), (&json!(id), &json!("acme"), &json!("window")));
    assert_eq!((&told[0]["before"]["subject"], &told[0]["after"]["subject"]), (&json!("op-ann"), &json!("00u-ann")));
    scene.written(1).await;
    // She is known now; a second subject with her address is not her (B19).
    assert_eq!(scene.comes("00u-ann", &address("ann")).await.0.as_ref(), Some(&ann));
    let (who, page) = scene.comes("00u-mallory", &address("ann")).await;
    assert_eq!(who, None, "{}", page.describe());
    scene.world.assert_refused(&page, "conflict").await;
    scene.written(1).await;

    // Taken back: the new subject opens nothing, its sessions are dead, and the window does not move it again.
    let inside = scene.world.browser();
    scene.world.to_provider(&inside, &address("x"), &scene.world.url("trello", "/page")).await;
    assert_eq!(scene.world.who(&inside, "trello").await, None, "whoever the provider said last");
    scene.says("00u-ann", &address("ann")).await;
    let page = scene.world.to_provider(&inside, &address("x"), &scene.world.url("trello", "/page")).await;
    assert!(scene.world.who(&inside, "trello").await.is_some(), "{}", page.describe());
    let said = scene.command(&["relink", "--list"], 0);
    assert!(said.contains(&id) && said.contains("1 moved"), "{said}");
    scene.command(&["relink", "--undo", &id], 0);
    assert_eq!(scene.told("identity.relink_undone").len(), 1);
    eventually_out(&scene, &inside).await;
    let (who, page) = scene.comes("00u-ann", &address("ann")).await;
    assert_eq!(who, None, "{}", page.describe());
    scene.world.assert_refused(&page, "local-proof-needed").await;
    scene.command(&["relink", "--undo", &id], 1);
}

#[tokio::test]
async fn relink_a_window_that_was_ended_moves_nobody_and_sessions_of_before_are_dead() {
    let (scene, ann) = Scene::changed().await;
    let id = scene.open(&["--for", "2d"]);
    scene.command(&["relink", "--close", &id], 0);
    scene.command(&["relink", "--close", &id], 1 + 1);
    assert_eq!(scene.comes("00u-ann", &address("ann")).await.0, None);
    // A row that another hand made opens nothing (rule H12).
    let until = "UPDATE relinking SET until = until + 86400000";
    scene.world.database().execute(until, []).expect("a thief writes");
    assert_eq!(scene.comes("00u-ann", &address("ann")).await.0, None);
    assert!(!scene.told("integrity.violated").is_empty());
    let said = scene.command(&[&RELINK[..], &["--for", "31d", "--loosen", "x"]].concat(), 1);
    let code = said.split("--loosen ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a code");
    let said = scene.command(&[&RELINK[..], &["--for", "31d", "--loosen", code]].concat(), 2);
    assert!(said.contains("30 days"), "{said}");

    scene.open(&[]);
    let (who, _) = scene.comes("00u-ann", &address("ann")).await;
    assert_eq!(who.as_ref(), Some(&ann));
    // The provider made her anew: the same directory, another subject, for her alone.
    let (who, page) = scene.comes("00u-anew", &address("ann")).await;
    assert_eq!(who, None, "{}", page.describe());
    scene.open(&["--only", &address("ann")]);
    let (who, page) = scene.comes("00u-anew", &address("ann")).await;
    assert_eq!(who.as_ref(), Some(&ann), "{}", page.describe());
    let (who, page) = scene.comes("00u-ann", &address("ann")).await;
    assert_eq!(who, None, "the one before is nobody: {}", page.describe());
}

#[tokio::test]
async fn relink_a_map_moves_everybody_in_it_and_says_who_stays() {
    let (scene, ann) = Scene::changed().await;
    let map = scene.world.gateway.directory().join("people.csv");
    let text = format!("email,new\n{},00u-ann\n{},00u-nobody\n", address("ann"), address("nobody"));
    std::fs::write(&map, text).expect("a map");
    let map = map.to_str().expect("a path");
    let asked = [&RELINK[..], &["--map", map]].concat();
    let said = scene.command(&[&asked[..], &["--dry-run"]].concat(), 1);
    assert!(said.contains("line 2: would be moved") && said.contains("line 3: stays: nobody"), "{said}");
    assert_eq!(scene.told("relink.opened"), Vec::<Value>::new());
    assert_eq!(scene.comes("00u-ann", &address("ann")).await.0, None);
    let before = scene.epoch(&address("ann"));
    let said = scene.command(&asked, 1);
    assert!(said.contains("1 moved, 0 there already, 1 not"), "{said}");
    assert_eq!(scene.epoch(&address("ann")), before + 1, "h14: what is older is dead");
    // She comes in by the subject of the map, whatever address her provider says.
    let (who, page) = scene.comes("00u-ann", &address("ann.lee")).await;
    assert_eq!(who.as_ref(), Some(&ann), "{}", page.describe());
    scene.written(1).await;
    let told = scene.told("identity.relinked");
    assert_eq!((told.len(), &told[0]["reason"], &told[0]["actor"]["kind"]), (1, &json!("map"), &json!("operator")));
    // Again, by the account.
    let account = told[0]["subject"]["account"].as_str().expect("an account");
    std::fs::write(map, format!("account,new\n{account},00u-ann\n")).expect("a map");
    let again = scene.command(&asked, 0);
    assert!(again.contains("0 moved, 1 there already, 0 not"), "{again}");
    let id = said.split("--undo ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("an id");
    scene.command(&["relink", "--undo", id, "--only", &address("ann")], 0);
    let (who, page) = scene.comes("00u-ann", &address("ann.lee")).await;
    assert_ne!(who.as_ref(), Some(&ann), "{}", page.describe());
}
