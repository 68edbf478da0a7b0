//! Passwords that a product keeps itself: its adapter is asked at the same door, and whatever it does, nobody is let in by anything but
//! its signed yes, and nothing tells who exists.

use std::time::Duration;

use crate::doors::{Doors, PASSWORD};
use crate::passwords::face;
use crate::support::adapter::{Adapter, Manner};
use crate::world::SESSION;

const ANN: &str = "ann@gmail.example.test";
const WHO: &str = "who@gmail.example.test";
/// The adapter's time in these scenes: a wrong password is refused in the slot after it.
const TIME: &str = "1s";

/// `trello` keeps its passwords; `ann` is known to both.
async fn open(tables: &str) -> (Doors, Adapter) {
    let adapter = Adapter::start();
    let doors = Doors::open_at_product(&adapter, &format!(", timeout = \"{TIME}\""), tables).await;
    adapter.person(ANN, PASSWORD, "u-1");
    doors.imported(ANN, "u-1").await;
    (doors, adapter)
}

async fn is_refused(doors: &Doors, email: &str, why: &str) {
    let agent = doors.agent();
    let page = doors.log_in(&agent, email, PASSWORD).await;
    assert!(page.text().contains("That didn’t work"), "{why}: {}", page.describe());
    assert!(!doors.is_inside(&agent, "trello").await, "{why}");
}

#[tokio::test]
async fn a_password_that_the_product_keeps_is_typed_at_its_door_and_opens_that_product_alone() {
    let (doors, adapter) = open("").await;
    let (ann, clock) = (doors.agent(), doors.node.login.world().clock.clone());
    let asked = doors.identify(&ann, ANN).await;
    let begun = clock.since_boot();
    let inside = ann.submit(&asked, "password", &[("password", PASSWORD)]).await;
    assert_eq!(inside.url.as_str(), doors.url("trello", "/page"), "{}", inside.describe());
    assert!(clock.since_boot() - begun < Duration::from_millis(900), "a right password is let on at once");
    assert_eq!(doors.trello.last("/page").head.first("x-fedgate-user"), Some("u-1"));
    assert!(ann.cookies("id.example.test").iter().all(|cookie| cookie.name != SESSION), "no session at the login host");
    assert!(!doors.is_inside(&ann, "loom").await, "a confined session");
    let calls = adapter.calls();
    assert_eq!((calls.len(), calls[0].email.as_str(), calls[0].password.as_str()), (1, ANN, PASSWORD));
    assert!(adapter.faults().is_empty(), "{:?}", adapter.faults());
    // What was typed rests nowhere.
    let store = &doors.node.login.world().store;
    let events = store.log(0, 1000).await.unwrap();
    assert!(events.iter().any(|event| String::from_utf8_lossy(&event.bytes).contains("\"adapter\"")), "how it was");
    assert!(events.iter().all(|event| !String::from_utf8_lossy(&event.bytes).contains(PASSWORD)));
    doors.holds_nowhere(PASSWORD);
    doors.close().await;
}

#[tokio::test]
async fn an_adapter_behind_a_socket_is_asked_as_any_other() {
    let adapter = Adapter::at_socket();
    let doors = Doors::open_at_product(&adapter, &format!(", timeout = \"{TIME}\""), "").await;
    adapter.person(ANN, PASSWORD, "u-1");
    doors.imported(ANN, "u-1").await;
    let (ann, thief) = (doors.agent(), doors.agent());
    let inside = doors.log_in(&ann, ANN, PASSWORD).await;
    assert_eq!(inside.url.as_str(), doors.url("trello", "/page"), "{}", inside.describe());
    let refused = doors.log_in(&thief, ANN, "another password").await;
    assert!(refused.text().contains("That didn’t work"), "{}", refused.describe());
    let calls = adapter.calls();
    assert_eq!((calls.len(), calls[0].path.as_str()), (2, "/verify_password"));
    assert!(adapter.faults().is_empty(), "{:?}", adapter.faults());
    drop(adapter);
    let away = doors.agent();
    doors.log_in(&away, ANN, PASSWORD).await;
    assert!(!doors.is_inside(&away, "trello").await, "nobody is at the socket");
    doors.close().await;
}

#[tokio::test]
async fn whatever_an_adapter_does_its_signed_yes_alone_lets_somebody_in() {
    let (doors, adapter) = open("").await;
    let record = doors.imported("other@gmail.example.test", "u-2").await;
    assert_eq!(record.sub, "u-2");
    let manners = [
        Manner::Late(1_500, 1_500),
        Manner::Silent,
        Manner::Broken,
        Manner::Yes("u-2"),
        Manner::Yes(""),
        Manner::Unsigned,
        Manner::Forged,
        Manner::AnotherCall,
        Manner::Status(201, ""),
        Manner::Status(307, "location: /fedgate/verify_password\r\n"),
        Manner::Status(500, ""),
        Manner::Huge,
        Manner::Echo,
        Manner::Body("{}"),
        Manner::Body(r#"{"right":true,"sub":"u-1"}"#),
    ];
    for (number, manner) in manners.into_iter().enumerate() {
        let why = format!("{manner:?}");
        adapter.be(manner);
        // Each of them one try, so that no limit refuses what the adapter should have.
        let email = format!("ann-{number}@gmail.example.test");
        adapter.person(&email, PASSWORD, &why);
        doors.imported(&email, &why).await;
        let before = adapter.calls().len();
        is_refused(&doors, &email, &why).await;
        assert_eq!(adapter.calls().len(), before + 1, "asked once, no redirect followed: {why}");
    }
    adapter.be(Manner::Honest);
    adapter.person("other@gmail.example.test", PASSWORD, "u-2");
    let other = doors.agent();
    let page = doors.log_in(&other, "other@gmail.example.test", PASSWORD).await;
    assert_eq!(page.url.as_str(), doors.url("trello", "/page"), "{}", page.describe());
    doors.close().await;
}

#[tokio::test]
async fn h18_the_adapters_time_and_words_tell_nothing_of_who_exists() {
    let (doors, adapter) = open("").await;
    let (slot, clock) = (Duration::from_millis(1_250), doors.node.login.world().clock.clone());
    for manner in [Manner::Honest, Manner::Late(700, 0), Manner::Late(0, 700), Manner::Status(500, ""), Manner::Silent]
    {
        let why = format!("{manner:?}");
        adapter.be(manner);
        let mut faces = Vec::new();
        for typed in [ANN, WHO] {
            let agent = doors.agent();
            let page = doors.identify(&agent, typed).await;
            let before = adapter.calls().len();
            let begun = clock.since_boot();
            let wrong = agent.submit(&page, "password", &[("password", "not-the-password")]).await;
            let took = clock.since_boot() - begun;
            assert!(took >= slot && took < 2 * slot, "{why} {typed}: {took:?}");
            assert_eq!(adapter.calls().len(), before + 1, "strangers are asked about too");
            faces.push((face(&page, typed), face(&wrong, typed)));
        }
        assert_eq!(faces[0], faces[1], "{why}");
    }
    // The product knows somebody whom the gateway does not: a right password of theirs is a wrong one.
    adapter.be(Manner::Honest);
    adapter.person(WHO, PASSWORD, "u-9");
    is_refused(&doors, WHO, "not imported").await;
    doors.close().await;
}

#[tokio::test]
async fn a_product_that_is_down_is_said_to_everybody_alike() {
    let (doors, adapter) = open("").await;
    drop(adapter);
    let mut faces = Vec::new();
    for typed in [ANN, WHO] {
        let page = doors.log_in(&doors.agent(), typed, PASSWORD).await;
        assert_eq!(page.status, 503, "{}", page.describe());
        assert!(page.text().contains("isn’t answering"), "{}", page.describe());
        faces.push(face(&page, typed));
    }
    assert_eq!(faces[0], faces[1]);
    doors.close().await;
}

#[tokio::test]
async fn h3_a_company_that_enforces_sso_is_never_passed_by_with_a_product_password() {
    let (doors, adapter) = open("").await;
    adapter.person("bob@acme.example.test", PASSWORD, "u-3");
    doors.imported("bob@acme.example.test", "u-3").await;
    let bob = doors.agent();
    let page = doors.identify(&bob, "bob@acme.example.test").await;
    assert!(page.url.as_str().starts_with(&doors.url("id", "/login/to?")), "{}", page.describe());
    // Posted past the page.
    let page = doors.identify(&bob, ANN).await;
    let page = bob.submit(&page, "password", &[("email", "bob@acme.example.test"), ("password", PASSWORD)]).await;
    assert!(page.url.as_str().starts_with(&doors.url("id", "/login/to?")), "{}", page.describe());
    assert!(adapter.calls().is_empty(), "no product is asked about somebody's company password");
    doors.close().await;
}

#[tokio::test]
async fn t30_once_an_account_is_linked_or_switched_off_its_product_password_opens_nothing() {
    let (doors, adapter) = open("").await;
    let set = |change: &str| doors.database().execute(&format!("UPDATE product_account SET {change}"), []).unwrap();
    assert_eq!(set("off = 1"), 1);
    let ann = doors.agent();
    let page = doors.log_in(&ann, ANN, PASSWORD).await;
    assert_eq!(page.status, 403, "{}", page.describe());
    set("off = 0, state = 'linked'");
    let before = adapter.calls().len();
    let page = ann.visit(&doors.url("trello", "/page")).await;
    let page = ann.submit(&page, "email", &[("email", ANN)]).await;
    assert!(
        page.forms().iter().all(|form| form.fields.iter().all(|(name, _)| name != "password")),
        "{}",
        page.describe()
    );
    assert!(!doors.is_inside(&ann, "trello").await);
    assert_eq!(adapter.calls().len(), before);
    doors.close().await;
}

#[tokio::test]
async fn m14_guesses_at_a_product_password_are_counted_and_its_owner_is_let_in() {
    let (doors, adapter) = open("").await;
    let owner = doors.agent();
    assert_eq!(doors.log_in(&owner, ANN, PASSWORD).await.status, 200);
    assert_eq!(owner.forget(|cookie| cookie.name == SESSION), 1);
    let thief = doors.agent();
    let mut page = doors.identify(&thief, ANN).await;
    for guess in 0..9 {
        page = thief.submit(&page, "password", &[("password", &format!("guess {guess}"))]).await;
    }
    let before = adapter.calls().len();
    let page = thief.submit(&page, "password", &[("password", PASSWORD)]).await;
    assert_eq!((page.status.as_u16(), adapter.calls().len()), (429, before), "{}", page.describe());
    let page = doors.log_in(&owner, ANN, PASSWORD).await;
    assert_eq!(page.url.as_str(), doors.url("trello", "/page"), "{}", page.describe());
    doors.close().await;
}

#[tokio::test]
async fn t06_a_new_password_is_the_products_affair_and_the_page_is_one_for_all() {
    let adapter = Adapter::start();
    let reset = ", reset_url = \"https://trello.example.test/new-password\"";
    let doors = Doors::open_at_product(&adapter, reset, "").await;
    adapter.person(ANN, PASSWORD, "u-1");
    doors.imported(ANN, "u-1").await;
    let ann = doors.agent();
    let at_door = ann.visit(&doors.url("trello", "/forgot")).await;
    assert!(at_door.text().contains("keeps your password"), "{}", at_door.describe());
    let link = at_door.html().replace("&#x2f;", "/");
    assert!(link.contains("href=\"https://trello.example.test/new-password\""), "{link}");
    for typed in [ANN, WHO] {
        let page = doors.identify(&doors.agent(), ANN).await;
        let asked = ann.submit(&page, "/.fedgate/reset", &[("email", typed)]).await;
        assert_eq!(face(&asked, typed), face(&at_door, typed));
    }
    // Nor is one set here by whoever knows the paths.
    doors.log_in(&ann, ANN, PASSWORD).await;
    let page = ann.visit(&doors.url("trello", "/.fedgate/security/password")).await;
    assert!(page.text().contains("keeps your password"), "{}", page.describe());
    assert_eq!(doors.letters(ANN), 0);
    doors.close().await;
}

#[tokio::test]
async fn h1_a_required_second_step_is_asked_after_a_product_password_too() {
    let (doors, _adapter) = open("[people]\nsecond_step = \"required\"").await;
    let ann = doors.agent();
    let page = doors.log_in(&ann, ANN, PASSWORD).await;
    assert!(!doors.is_inside(&ann, "trello").await, "{}", page.describe());
    let letter = doors.letter(ANN, 1).await;
    let code = crate::doors::digits(&letter);
    let page = ann.submit(&page, "code", &[("code", &code)]).await;
    assert!(page.text().contains("Key: "), "the mailbox, then an app: {}", page.describe());
    doors.close().await;
}
