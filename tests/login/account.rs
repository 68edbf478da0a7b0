//! A person's own account page: whose it is, where it is changed and by whom, where it is logged in, and ending that. All of it without
//! scripts: the browser of these scenes has none.

use std::time::Duration;

use fedgate::kernel::journal::{Batch, Change};
use fedgate::kernel::model::{ProductAccount, ProductAccountState};
use fedgate::kernel::values::{ProductAccountId, ProductName};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use url::Url;

use crate::doors::{Doors, PASSWORD};
use crate::moves::Ground;
use crate::support::agent::{Intent, UserAgent};
use crate::support::clock::eventually;
use crate::support::intent::Mode;
use crate::support::page::Page;
use crate::third_parties;
use crate::world::{ACME, World, location, sign_in, step};

const ANN: &str = "ann@free.example.test";

/// The values of the buttons that end one session each.
fn endings(page: &Page) -> Vec<String> {
    let buttons = page.form("/sessions").buttons;
    let acts = buttons.into_iter().filter(|(name, value)| name == "act" && value.starts_with("end "));
    acts.map(|(_, value)| value).collect()
}

/// Whether the page leads to this address, as a browser reads it.
fn leads_to(page: &Page, to: &str) -> bool {
    page.html().replace("&#x2f;", "/").contains(&format!("href=\"{to}\""))
}

async fn account(world: &World, agent: &UserAgent) -> Page {
    let page = agent.visit(&world.url("id", "/account")).await;
    assert!(page.status == StatusCode::OK && page.text().contains("Your account"), "{}", page.describe());
    page
}

fn ended_by(events: &[Value]) -> Vec<&Value> {
    events.iter().filter(|event| event["action"] == "session.ended" && event["reason"] == "revoked-by-person").collect()
}

#[tokio::test]
async fn a_person_ends_one_of_their_sessions_and_what_is_open_in_it_closes() {
    let world = World::own("", |file, _| file).await;
    let (ann, lost) = (world.logged_in("ann").await, world.logged_in("ann").await);
    lost.visit(&world.url("loom", "/page")).await;
    let mut socket = crate::logout::socket(&world, &lost, "loom").await;
    let page = account(&world, &ann).await;
    assert!(page.text().contains("This browser") && page.text().contains("Loom, Trello"), "{}", page.describe());
    let acts = endings(&page);
    assert_eq!(acts.len(), 1, "this one has no such button: {}", page.describe());
    let page = ann.submit(&page, "/account/sessions", &[("act", &acts[0])]).await;
    assert!(page.url.path() == "/account" && page.text().contains("has to log in again"), "{}", page.describe());
    assert!(endings(&page).is_empty(), "{}", page.describe());
    let closed = socket.next_within(Duration::from_secs(5)).await;
    assert!(
        matches!(closed, Some(crate::support::websocket::Frame::Close(_) | crate::support::websocket::Frame::Gone)),
        "{closed:?}"
    );
    for host in ["trello", "loom"] {
        assert_eq!(world.who(&lost, host).await, None, "{host}");
    }
    assert!(world.who(&ann, "trello").await.is_some(), "hers goes on");
    let events = world.events();
    let told = ended_by(&events);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(acts[0], format!("end {}", told[0]["txn"].as_str().expect("which one")));
    let outbox = world.gateway.directory().join("state/outbox");
    let letters = || {
        let files = std::fs::read_dir(&outbox).into_iter().flatten().flatten();
        files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect::<String>()
    };
    eventually("she is told by mail", Duration::from_secs(20), || letters().contains("You were logged out")).await;
    assert!(letters().contains(&format!("To: ann@{ACME}")), "{}", letters());
}

#[tokio::test]
async fn all_others_end_at_once_and_nobody_elses() {
    let world = World::own("", |file, _| file).await;
    let (ann, bob) = (world.logged_in("ann").await, world.logged_in("bob").await);
    let others = [world.logged_in("ann").await, world.logged_in("ann").await];
    let page = account(&world, &ann).await;
    assert_eq!(endings(&page).len(), 2, "{}", page.describe());
    let page = ann.submit(&page, "/account/sessions", &[("act", "others")]).await;
    assert!(endings(&page).is_empty(), "{}", page.describe());
    for other in &others {
        assert_eq!(world.who(other, "trello").await, None);
    }
    for agent in [&ann, &bob] {
        assert!(world.who(agent, "trello").await.is_some());
    }
    assert_eq!(ended_by(&world.events()).len(), 2);
}

#[tokio::test]
async fn h6_a_session_of_somebody_else_or_a_forged_form_ends_nothing() {
    let world = World::own("", |file, _| file).await;
    let (ann, lost, bob) = (world.logged_in("ann").await, world.logged_in("ann").await, world.logged_in("bob").await);
    let bobs = bob_session(&world);
    let page = account(&world, &ann).await;
    let own = endings(&page).remove(0);
    let refused = ann.submit(&page, "/account/sessions", &[("act", &format!("end {bobs}"))]).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND, "{}", refused.describe());
    let never = ann.submit(&page, "/account/sessions", &[("act", "end 01JD0000000000000000000000")]).await;
    assert_eq!((never.status, never.text()), (refused.status, refused.text()), "as one that there never was");
    // Enter in the form presses its first button; another person's token, or none, is not this browser's.
    for fields in [vec![], vec![("act", own.as_str()), ("csrf", "AAAA")], vec![("act", own.as_str()), ("csrf", "")]] {
        let again = ann.submit(&page, "/account/sessions", &fields).await;
        assert!(!again.text().contains("has to log in again"), "{}", again.describe());
    }
    // A sibling's page, with everything that the form has.
    let from = Url::parse(&world.url("loom", "/page")).expect("a URL");
    let to = Url::parse(&world.url("id", "/account/sessions")).expect("a URL");
    let mut fields = page.form("/account/sessions").fields;
    fields.push(("act".to_owned(), own.clone()));
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
    let forged = Intent { method: Method::POST, ..Intent::navigation(Some(&from), to) };
    let forged = ann.load(forged.with_body("application/x-www-form-urlencoded", body)).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN, "{}", forged.describe());
    // Without the cookie that goes with pages of the login host alone, the session's own is not enough.
    assert_eq!(ann.forget(|cookie| cookie.name == "__Host-fedgate-acts"), 1);
    let again = ann.submit(&page, "/account/sessions", &[("act", &own)]).await;
    assert!(!again.text().contains("has to log in again"), "{}", again.describe());
    for agent in [&ann, &lost, &bob] {
        assert!(world.who(agent, "trello").await.is_some(), "nothing ended");
    }
    assert!(ended_by(&world.events()).is_empty());
    // And the page itself is shown to navigations of the person alone.
    let read = Intent::fetch(&from, Mode::Cors, Method::GET, Url::parse(&world.url("id", "/account")).expect("a URL"));
    assert_eq!(ann.load(read).await.status, StatusCode::FORBIDDEN);
    let stranger = world.browser().visit(&world.url("id", "/account")).await;
    assert!(world.asks_email(&stranger), "{}", stranger.describe());
    let cookie = |page: &Page| {
        let lines = page.trace.iter().flat_map(|hop| &hop.set_cookies).map(|(line, _)| line.clone());
        lines.filter(|line| line.starts_with("__Host-fedgate-acts=")).collect::<Vec<_>>()
    };
    assert!(cookie(&again).iter().all(|line| line.contains("SameSite=Strict")) && !cookie(&again).is_empty());
}

/// The id of Bob's login session, as a thief of the database would know it.
fn bob_session(world: &World) -> String {
    let created = world
        .events()
        .into_iter()
        .rev()
        .find(|event| event["action"] == "login.succeeded" && event["subject"]["email"] == format!("bob@{ACME}"));
    created.expect("he logged in")["txn"].as_str().expect("its session").to_owned()
}

#[tokio::test]
async fn l06_t02_who_is_managed_is_told_by_whom_and_asks_an_admin() {
    let world = World::share().await;
    let ann = world.logged_in("ann").await;
    let page = account(&world, &ann).await;
    assert!(page.text().contains("manages this account"), "{}", page.describe());
    for path in ["/account/password", "/account/profile"] {
        assert!(!leads_to(&page, path), "{path}: {}", page.describe());
        let refused = ann.visit(&world.url("id", path)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}: {}", refused.describe());
        assert!(refused.text().contains("Ask an admin"), "{path}: {}", refused.describe());
        assert!(world.asks_email(&world.browser().visit(&world.url("id", path)).await), "{path}: a stranger");
    }
    let who = world.who(&ann, "trello").await.expect("logged in");
    assert_eq!((&who["kind"], &who["managed"]), (&json!("organization"), &json!(true)), "{who}");
    for url in ["profile_url", "password_url", "reset_url", "security_url", "update"] {
        assert_eq!(who[url], Value::Null, "{url}: {who}");
    }
    assert_eq!(who["account_url"], world.url("id", "/account"), "{who}");
}

#[tokio::test]
async fn t03_t06_t07_the_issuers_people_are_sent_to_the_configured_pages_and_nowhere_else() {
    let world = third_parties::world(|file, op, _| {
        file.table(&format!(
            "[issuer]\nname = \"Example\"\noidc = \"{}\"\nclient_id = \"fedgate-public\"\nclient_auth = \"none\"\n\
             profile_url = \"https://issuer.example.test/profile\"\nreset_url = \"https://issuer.example.test/reset\"",
            op.issuer()
        ))
    })
    .await;
    let eve = world.browser();
    let page = world.to_provider(&eve, "somebody@nowhere.example.test", &world.url("trello", "/page")).await;
    let page = match page.forms().into_iter().find(|form| form.action.contains("/login/depart")) {
        Some(_) => eve.submit(&page, "/login/depart", &[("way", "issuer")]).await,
        None => page,
    };
    sign_in(&eve, page, "eve").await;
    let page = account(&world, &eve).await;
    assert!(page.text().contains("This is an account at Example."), "{}", page.describe());
    for (path, to) in [("/account/profile", "profile"), ("/account/password", "reset")] {
        assert!(leads_to(&page, path), "{path}: {}", page.describe());
        for query in ["", "?next=//evil.example", "?url=https%3A%2F%2Fevil.example&return_to=//evil.example"] {
            let hop = step(&eve, &world.url("id", &format!("{path}{query}"))).await;
            assert_eq!(location(&hop), format!("https://issuer.example.test/{to}"), "{path}{query}");
        }
    }
    let who = world.who(&eve, "trello").await.expect("logged in");
    let urls = ["profile_url", "password_url", "reset_url"].map(|name| who[name].as_str().unwrap_or("").to_owned());
    let [profile, password, reset] = urls;
    assert_eq!(profile, "https://issuer.example.test/profile");
    assert_eq!((password.as_str(), &password), ("https://issuer.example.test/reset", &reset));
    assert_eq!((&who["kind"], &who["provider"]), (&json!("issuer"), &json!("Example")), "{who}");
}

#[tokio::test]
async fn t02_a_products_own_password_has_its_page_at_the_product_and_none_at_the_login_host() {
    let ground = Ground::open("migration = { phase = \"optional\" }").await;
    let doors = &ground.doors;
    doors.person(ANN).await;
    doors.person("mallory@free.example.test").await;
    let (ann, other, mallory) = (ground.browser(), ground.browser(), ground.browser());
    for agent in [&ann, &other] {
        doors.log_in(agent, ANN, PASSWORD).await;
    }
    doors.log_in(&mallory, "mallory@free.example.test", PASSWORD).await;
    let page = ann.visit(&doors.url("trello", "/.fedgate/account")).await;
    assert!(page.text().contains("good at Trello and nowhere else"), "{}", page.describe());
    assert!(page.text().contains("You can move your login to an account at Example."), "{}", page.describe());
    assert!(leads_to(&page, &doors.url("trello", "/.fedgate/security/password")), "{}", page.describe());
    // Another person's session, then hers.
    let theirs = endings(&mallory.visit(&doors.url("trello", "/.fedgate/account")).await);
    assert!(theirs.is_empty(), "one session, and it is this one");
    let acts = endings(&page);
    assert_eq!(acts.len(), 1, "{}", page.describe());
    let his = mallory.visit(&doors.url("trello", "/.fedgate/account")).await;
    let stolen = mallory.submit(&his, "/.fedgate/account/sessions", &[("act", &acts[0])]).await;
    assert_eq!(stolen.status, StatusCode::NOT_FOUND, "{}", stolen.describe());
    assert!(doors.is_inside(&other, "trello").await, "nothing ended");
    let forged = ann.submit(&page, "/.fedgate/account/sessions", &[("act", &acts[0]), ("csrf", "AAAA")]).await;
    assert!(doors.is_inside(&other, "trello").await, "{}", forged.describe());
    ann.submit(&page, "/.fedgate/account/sessions", &[("act", &acts[0])]).await;
    assert!(!doors.is_inside(&other, "trello").await);
    assert!(doors.is_inside(&ann, "trello").await && doors.is_inside(&mallory, "trello").await);
    doors.letter(&format!("To: {ANN}"), 1).await;
    // The login host knows nobody by a product's password.
    let page = ann.visit(&doors.url("id", "/account")).await;
    assert!(!page.text().contains("Your account"), "{}", page.describe());
    // Who comes by a provider has one page, and it is there.
    let moved = ground.browser();
    ground.by_provider(&moved, "mallory@free.example.test", "issuer", "mallory").await;
    let page = moved.visit(&doors.url("trello", "/.fedgate/account")).await;
    assert_eq!(page.url.as_str(), doors.url("id", "/account"), "{}", page.describe());
    assert!(page.text().contains("This is an account at Example."), "{}", page.describe());
    let stranger = ground.browser().visit(&doors.url("trello", "/.fedgate/account")).await;
    assert!(stranger.url.as_str().starts_with(&doors.url("trello", "/.fedgate/sign-in")), "{}", stranger.describe());
    ground.doors.close().await;
}

#[tokio::test]
async fn l06_a_managed_persons_password_at_a_product_is_their_admins_affair() {
    let soft = "[org.soft]\nlabel = \"Soft\"\ndomains = [\"soft.example.test\"]\nadmins = [\"it@soft.example.test\"]\n\
                [org.soft.policy]\nsso = \"off\"";
    let doors = Doors::open("", soft).await;
    doors.person("sue@soft.example.test").await;
    doors.person(ANN).await;
    let sue = doors.agent();
    doors.log_in(&sue, "sue@soft.example.test", PASSWORD).await;
    assert!(doors.is_inside(&sue, "trello").await);
    for (path, links) in [("/.fedgate/account", true), ("/.fedgate/security", false)] {
        let page = sue.visit(&doors.url("trello", path)).await;
        for link in ["/.fedgate/security/password".to_owned(), doors.url("trello", "/.fedgate/security/password")] {
            assert!(!leads_to(&page, &link), "{path}: {}", page.describe());
        }
        assert!(page.text().contains("manages this account"), "{path}: {}", page.describe());
        assert!(!links || page.text().contains("“Soft” manages this account"), "{path}: {}", page.describe());
    }
    let refused = sue.visit(&doors.url("trello", "/.fedgate/security/password")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.describe());
    assert!(refused.text().contains("Ask an admin (i•••@s•••)"), "{}", refused.describe());
    // Past the page, with a form of somebody who may.
    let ann = doors.agent();
    doors.log_in(&ann, ANN, PASSWORD).await;
    let form = ann.visit(&doors.url("trello", "/.fedgate/security/password")).await;
    assert_eq!(form.status, StatusCode::OK, "{}", form.describe());
    let token = sue.visit(&doors.url("trello", "/.fedgate/security")).await.form("/.fedgate/security").fields;
    let fields: Vec<(&str, &str)> = token
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| ["csrf", "to"].contains(name))
        .chain([("current", PASSWORD), ("password", "another-harbour-93-violin")])
        .collect();
    let refused = sue.submit(&form, "/.fedgate/security/password", &fields).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.describe());
    let again = doors.agent();
    doors.log_in(&again, "sue@soft.example.test", PASSWORD).await;
    assert!(doors.is_inside(&again, "trello").await, "it is the old one still");
    doors.close().await;
}

#[tokio::test]
async fn t02_what_a_product_is_told_of_a_session_is_for_that_person_and_keeps_nobody_logged_in() {
    let ground =
        Ground::open("migration = { phase = \"optional\" }\nsession = { idle = \"6s\", absolute = \"1h\" }").await;
    let doors = &ground.doors;
    doors.person(ANN).await;
    let ann = ground.browser();
    doors.log_in(&ann, ANN, PASSWORD).await;
    let url = doors.url("trello", "/.fedgate/session");
    let page = ann.visit(&url).await;
    let who = page.json();
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!((&who["kind"], &who["linked"], &who["provider"]), (&json!("local"), &json!(false), &json!("Trello")));
    let update = json!({ "required": false, "provider": "Example", "asked_by": null, "url": doors.url("trello", "/.fedgate/move") });
    assert_eq!(who["update"], update, "{who}");
    assert_eq!(who["account_url"], doors.url("trello", "/.fedgate/account"));
    assert_eq!(who["password_url"], doors.url("trello", "/.fedgate/security/password"));
    assert_eq!(who["reset_url"], doors.url("trello", "/.fedgate/reset"));
    assert_eq!(who["second_step"], json!({ "enrolled": false, "required": false, "taken_at": null }), "{who}");
    assert!(who["expires_at"].as_str() < who["ends_at"].as_str(), "{who}");
    // Another origin's script is not let read it, whoever is logged in.
    let from = Url::parse("https://evil.example.com/").expect("a URL");
    let to = Url::parse(&url).expect("a URL");
    for mode in [Mode::Cors, Mode::NoCors] {
        let read = ann.load(Intent::fetch(&from, mode, Method::GET, to.clone())).await;
        let grants = read.headers.keys().filter(|name| name.as_str().starts_with("access-control-"));
        assert_eq!(grants.count(), 0, "{mode:?}: {}", read.describe());
    }
    let nobody = ground.browser().visit(&url).await;
    assert_eq!((nobody.status, nobody.header("cache-control")), (StatusCode::UNAUTHORIZED, Some("no-store")));
    assert_eq!(nobody.json()["login_url"], doors.url("trello", "/.fedgate/login"));
    // A product that asks all the time keeps nobody logged in: it ends when the person has done nothing for its idle limit.
    let mut asked = 0;
    while ann.visit(&url).await.status == StatusCode::OK {
        asked += 1;
        assert!(asked < 200, "it never ends");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert!(asked > 1, "it was there for a while");
    ground.doors.close().await;
}

#[tokio::test]
async fn h6_the_page_on_a_products_host_knows_and_ends_nothing_of_other_products() {
    let ground = Ground::open("").await;
    let record = ground.doors.person(ANN).await;
    ground.linked(&record, "op-mallory").await;
    let at_loom = ProductAccount {
        id: ProductAccountId::from_bytes([7; 16]),
        product: ProductName::parse("loom").unwrap(),
        sub: "l-1".to_owned(),
        state: ProductAccountState::Linked,
        ..record.clone()
    };
    let batch = Batch { changes: vec![Change::CreateProductAccount(at_loom)], ..Batch::default() };
    ground.store().commit(batch).await.expect("a record at loom");
    // By a provider at another product: a login of the same account that is good everywhere.
    let elsewhere = ground.browser();
    let page = elsewhere.visit(&ground.doors.url("loom", "/page")).await;
    let page = elsewhere.submit(&page, "email", &[("email", ANN)]).await;
    let page = elsewhere.submit(&page, "/.fedgate/depart", &[("way", "other")]).await;
    sign_in(&elsewhere, page, "mallory").await;
    assert!(ground.doors.is_inside(&elsewhere, "loom").await);
    // By the product's password, twice.
    let (ann, other) = (ground.browser(), ground.browser());
    for agent in [&ann, &other] {
        ground.doors.log_in(agent, ANN, PASSWORD).await;
    }
    let page = ann.visit(&ground.doors.url("trello", "/.fedgate/account")).await;
    assert!(!page.text().contains("Loom"), "{}", page.describe());
    assert_eq!(endings(&page).len(), 1, "{}", page.describe());
    let page = ann.submit(&page, "/.fedgate/account/sessions", &[("act", "others")]).await;
    assert!(endings(&page).is_empty(), "{}", page.describe());
    assert!(!ground.inside(&other).await);
    assert!(ground.doors.is_inside(&elsewhere, "loom").await, "another product's goes on");
    ground.doors.close().await;
}
