//! A login never loses work (rule H9): a whole node, real sessions that expire, a real login in between, one click.

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http::{Method, StatusCode};
use std::time::Duration;
use url::Url;

use crate::support::agent::{Intent, Mode, UserAgent};
use crate::support::clock::{eventually, unix_seconds};
use crate::support::page::Page;
use crate::world::{SESSION, World, location, sign_in, step};

/// Which sessions are made to look long unused.
#[derive(Clone, Copy)]
enum Idle {
    /// The product's: the login session renews it silently.
    Product,
    /// The login session's too: the person logs in anew.
    Both,
}

async fn world() -> World {
    World::own("body_spool = \"25MiB\"\nsession = { idle = \"1h\", absolute = \"1d\" }", |file, _| {
        file.table("[org.acme.policy]\nsession = { idle = \"1h\", absolute = \"1d\" }")
    })
    .await
}

/// Two hours pass without a request. What a process has in memory knows better, so another one starts.
fn pass_two_hours(world: &mut World, which: Idle) {
    let seen = (unix_seconds() - 7_200) * 1_000;
    let db = world.database();
    let changed = db.execute("UPDATE product_session SET last_seen = ?", [seen]).expect("a row");
    assert!(changed > 0);
    if let Idle::Both = which {
        db.execute("UPDATE login_session SET last_seen = ?", [seen]).expect("a row");
    }
    drop(db);
    world.gateway.restart();
}

fn bytes(length: usize) -> Bytes {
    (0..length).map(|place| u8::try_from(place * 31 % 251).expect("below 251")).collect()
}

fn sha(bytes: &[u8]) -> Option<String> {
    Some(digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Sends a form of the product's own page.
fn form(world: &World, path: &str, kind: &str, body: Bytes) -> Intent {
    let from = Url::parse(&world.url("trello", "/page")).expect("a URL");
    let to = from.join(path).expect("a URL");
    Intent { method: Method::POST, ..Intent::navigation(Some(&from), to) }.with_body(kind, body)
}

fn is_offer(page: &Page) -> bool {
    page.url.path() == "/.fedgate/replay" && page.text().contains("Send what you were sending?")
}

fn kept_cookies(agent: &UserAgent) -> usize {
    let cookies = agent.cookies("trello.example.test");
    cookies.iter().filter(|cookie| cookie.name.starts_with("__Host-fedgate-sent-")).count()
}

fn files(world: &World) -> usize {
    let spool = world.gateway.directory().join("state/spool");
    let entries = std::fs::read_dir(spool).map_or(0, |entries| entries.count());
    entries.saturating_sub(1)
}

/// What was kept is gone: its room at once, its file a moment after the answer.
async fn none_is_left(world: &World) {
    eventually("no file is left", Duration::from_secs(5), || files(world) == 0).await;
}

#[tokio::test]
async fn h9_a_json_of_1_mib_survives_an_expired_session() {
    let mut world = world().await;
    let ann = world.logged_in("ann").await;
    pass_two_hours(&mut world, Idle::Both);
    let body = bytes(1 << 20);
    let from = Url::parse(&world.url("trello", "/page")).expect("a URL");
    let to = from.join("/api/cards?board=7").expect("a URL");
    let script = Intent::fetch(&from, Mode::Cors, Method::POST, to).with_body("application/json", body.clone());
    let said = ann.load(script).await;
    assert_eq!(said.status, StatusCode::UNAUTHORIZED, "{}", said.describe());
    let problem = said.json();
    assert_eq!((&problem["spooled"], &problem["code"]), (&true.into(), &"login-required".into()), "{problem}");
    let login_url = Url::parse(problem["login_url"].as_str().expect("text")).expect("a URL");

    // The product's script sends the person there; the login asks, and comes back to the page.
    let page = ann.load(Intent::navigation(Some(&from), login_url)).await;
    assert!(world.asks_email(&page), "{}", page.describe());
    let page = ann.submit(&page, "email", &[("email", "ann@acme.example.test")]).await;
    let page = sign_in(&ann, page, "ann").await;
    assert!(is_offer(&page), "{}", page.describe());
    assert!(page.text().contains("POST /api/cards"), "{}", page.describe());
    assert!(page.text().contains("1.0 MB"), "{}", page.describe());
    assert!(world.trello.seen().iter().all(|seen| !seen.head.target.starts_with("/api")), "nothing without the click");

    let answer = ann.submit(&page, "to", &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.describe());
    let seen = world.trello.last("/api/cards?board=7");
    assert_eq!(seen.sha256, sha(&body));
    assert_eq!(answer.json()["sha256"].as_str().map(str::to_owned), sha(&body), "the product's answer is the click's");
    assert_eq!(seen.head.first("content-type"), Some("application/json"));
    assert_eq!(seen.head.first("origin"), Some(world.url("trello", "").trim_end_matches('/')));
    assert_eq!(seen.head.first("x-fedgate-email"), Some("ann@acme.example.test"));
    assert!(seen.head.first("cookie").is_none_or(|cookie| !cookie.contains("fedgate")), "none of our cookies");
    assert_eq!(kept_cookies(&ann), 0, "and the browser has nothing left of it");

    // Back and once more: it is sent once.
    let again = ann.submit(&page, "to", &[]).await;
    assert!(again.text().contains("was not sent now"), "{}", again.describe());
    assert_eq!(world.trello.seen().iter().filter(|seen| seen.head.target.starts_with("/api")).count(), 1);
}

#[tokio::test]
async fn h9_a_multipart_of_25_mib_survives_an_expired_session() {
    let mut world = world().await;
    let ann = world.logged_in("ann").await;
    pass_two_hours(&mut world, Idle::Product);
    let body = bytes(25 << 20);
    let kind = "multipart/form-data; boundary=x";
    // The login session is still good: it renews the product's silently, and the page comes at once.
    let page = ann.load(form(&world, "/upload", kind, body.clone())).await;
    assert!(is_offer(&page), "{}", page.describe());
    assert!(page.text().contains("26.2 MB"), "{}", page.describe());
    assert_eq!(files(&world), 1);
    // A restart meanwhile loses nothing.
    world.gateway.restart();
    let answer = ann.submit(&page, "to", &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.describe());
    let seen = world.trello.last("/upload");
    assert_eq!((seen.length, seen.sha256), (25 << 20, sha(&body)));
    assert_eq!(seen.head.first("content-type"), Some(kind));
    assert_eq!(seen.head.first("content-length"), Some("26214400"));

    // One byte more, and the person is told.
    pass_two_hours(&mut world, Idle::Product);
    let page = ann.load(form(&world, "/upload", kind, bytes((25 << 20) + 1))).await;
    assert!(page.text().contains("larger than the 26.2 MB"), "{}", page.describe());
    assert_eq!(kept_cookies(&ann), 0);
}

#[tokio::test]
async fn h9_a_login_that_begins_elsewhere_finds_what_waits() {
    let mut world = world().await;
    let ann = world.logged_in("ann").await;
    pass_two_hours(&mut world, Idle::Both);
    ann.load(Intent { follow: false, ..form(&world, "/boards", "text/plain", bytes(100)) }).await;
    // The person closes the tab and comes to the product again.
    let page = world.log_in(&ann, "ann", &world.url("trello", "/")).await;
    assert!(is_offer(&page), "{}", page.describe());
    let answer = ann.submit(&page, "to", &[]).await;
    assert_eq!(answer.json()["sha256"].as_str().map(str::to_owned), sha(&bytes(100)));
    // And afterwards the way to the product is free.
    assert_eq!(ann.visit(&world.url("trello", "/")).await.url.path(), "/");
}

#[tokio::test]
async fn h9_another_account_that_logs_in_deletes_it() {
    let mut world = world().await;
    let agent = world.logged_in("ann").await;
    pass_two_hours(&mut world, Idle::Both);
    let page = agent.load(form(&world, "/boards", "text/plain", bytes(100))).await;
    assert!(world.asks_email(&page), "{}", page.describe());
    assert_eq!((kept_cookies(&agent), files(&world)), (1, 1));
    agent.forget(|cookie| cookie.domain.starts_with("127.") || cookie.domain.starts_with("localhost"));
    let page = agent.submit(&page, "email", &[("email", "bob@acme.example.test")]).await;
    let page = sign_in(&agent, page, "bob").await;
    assert_eq!(world.who(&agent, "trello").await.expect("a session")["email"], "bob@acme.example.test");
    assert!(page.text().contains("logged in with another account"), "{}", page.describe());
    assert_eq!(kept_cookies(&agent), 0);
    none_is_left(&world).await;
    assert!(world.trello.seen().iter().all(|seen| seen.head.target != "/boards"));
}

#[tokio::test]
async fn h9_a_session_that_was_ended_keeps_nothing() {
    let mut world = world().await;
    let ann = world.logged_in("ann").await;
    let stolen =
        ann.cookies("trello.example.test").into_iter().find(|cookie| cookie.name == SESSION).expect("a session");
    let page = ann.visit(&world.url("id", "/logout")).await;
    ann.submit(&page, "scope", &[("scope", "everywhere")]).await;
    ann.forget(|cookie| cookie.name == SESSION && cookie.domain == "trello.example.test");
    ann.plant(stolen);
    let from = form(&world, "/boards", "text/plain", bytes(100));
    let answer = ann.load(Intent { follow: false, ..from.clone() }).await;
    assert_eq!(location(&answer), world.url("trello", "/.fedgate/login?return_to=/"), "{}", answer.describe());

    // One that expired more than a day ago vouches for nothing either, and one whose account was switched off.
    for sql in [
        "UPDATE product_session SET last_seen = last_seen - 25 * 3600000 - 3600000",
        "UPDATE account SET status = 'deactivated'",
    ] {
        let bob = world.logged_in("bob").await;
        pass_two_hours(&mut world, Idle::Product);
        world.database().execute(sql, []).expect("a row");
        let answer = bob.load(Intent { follow: false, ..from.clone() }).await;
        assert!(location(&answer).ends_with("?return_to=/"), "{}", answer.describe());
    }
    none_is_left(&world).await;
}

#[tokio::test]
async fn h9_an_account_or_a_policy_that_changed_meanwhile_keeps_it_from_being_sent() {
    let mut world = world().await;
    let ann = world.logged_in("ann").await;
    pass_two_hours(&mut world, Idle::Product);
    let page = ann.load(form(&world, "/boards", "text/plain", bytes(100))).await;
    assert!(is_offer(&page), "{}", page.describe());
    // The product's list of people changes between the page and the click.
    let session = "body_spool = \"25MiB\"\nsession = { idle = \"1h\", absolute = \"1d\" }";
    let file = world
        .file(&format!("{session}\nallow = {{ people = [\"bob@acme.example.test\"] }}"))
        .organization("acme", crate::world::ACME, world.op.issuer(), world.op.client_secret())
        .table("[org.acme.policy]\nsession = { idle = \"1h\", absolute = \"1d\" }");
    world.reload(&file);
    let answer = ann.submit(&page, "to", &[]).await;
    assert!(answer.status.is_client_error(), "{}", answer.describe());

    // A link, a merge or a changed password raises the epoch.
    let bob = world.logged_in("bob").await;
    pass_two_hours(&mut world, Idle::Both);
    let page = bob.load(form(&world, "/boards", "text/plain", bytes(100))).await;
    world.database().execute("UPDATE account SET epoch = epoch + 1", []).expect("a row");
    let page = bob.submit(&page, "email", &[("email", "bob@acme.example.test")]).await;
    let page = sign_in(&bob, page, "bob").await;
    assert!(page.text().contains("has changed"), "{}", page.describe());
    assert!(world.trello.seen().iter().all(|seen| seen.head.target != "/boards"));
}

#[tokio::test]
async fn h9_forms_of_other_sites_and_two_tabs() {
    let mut world = world().await;
    let ann = world.logged_in("ann").await;
    pass_two_hours(&mut world, Idle::Product);
    let to = form(&world, "/boards", "text/plain", bytes(100));
    for from in [world.url("loom", "/page"), "https://evil.example/".to_owned()] {
        let from = Url::parse(&from).expect("a URL");
        ann.load(Intent { initiator: Some(from), follow: false, ..to.clone() }).await;
        assert_eq!(kept_cookies(&ann), 0);
        none_is_left(&world).await;
    }
    // Two tabs of one session: the newer one is kept, and the older one says that it is not.
    let tabs: Vec<Page> = [
        ann.load(Intent { follow: false, ..to.clone() }).await,
        ann.load(Intent { follow: false, ..form(&world, "/second", "text/plain", bytes(7)) }).await,
    ]
    .into();
    let first = ann.visit(&location(&tabs[0])).await;
    assert!(first.text().contains("It is not here any more"), "{}", first.describe());
    let second = ann.visit(&location(&tabs[1])).await;
    assert!(is_offer(&second) && second.text().contains("/second"), "{}", second.describe());
    let answer = ann.submit(&second, "to", &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.describe());
    assert_eq!(world.trello.last("/second").sha256, sha(&bytes(7)));
    assert!(world.trello.seen().iter().all(|seen| seen.head.target != "/boards"));
    // The page leads nowhere else: no other page of ours is a way back.
    let began = step(&ann, &world.url("trello", "/.fedgate/login?return_to=%2F.fedgate%2Flogout")).await;
    assert_eq!(location(&began), world.url("trello", "/"));
}
