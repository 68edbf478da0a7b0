//! Rows of the behaviour table and mistakes that are often made, each as its own scene (T and L: rows; `mistake_NN`: the list of
//! what a naive gateway gets wrong). Rows that another file tells at length stand there under their rule's name; `tests/rows.toml`
//! says which scene holds which row.

use std::time::Duration;

use fedgate::kernel::journal::{Batch, Change};
use fedgate::kernel::model::AccountStatus;
use http::StatusCode;
use serde_json::json;
use url::Url;

use crate::doors::{Doors, PASSWORD};
use crate::passwords::face;
use crate::support::configuration::Configuration;
use crate::support::intent::Intent;
use crate::support::op::Op;
use crate::support::page::Page;
use crate::third_parties::{self, OPEN};
use crate::world::{ACME, SESSION, World, sign_in};

/// The world's file with the organization, its policy and the issuer that anybody may use.
fn with_issuer(file: Configuration, op: &Op, policy: &str) -> Configuration {
    let file = file.organization("acme", ACME, op.issuer(), op.client_secret());
    file.table(&format!("[org.acme.policy]\n{policy}")).table(&issuer(op))
}

fn issuer(op: &Op) -> String {
    format!(
        "[issuer]\nname = \"Example\"\noidc = \"{}\"\nclient_id = \"fedgate-public\"\nclient_auth = \"none\"",
        op.issuer()
    )
}

fn asks_password(page: &Page) -> bool {
    page.forms().iter().any(|form| form.fields.iter().any(|(name, _)| name == "password"))
}

fn leads_to_company(doors: &Doors, page: &Page) -> bool {
    page.url.as_str().starts_with(&doors.url("id", "/login/to?"))
}

#[tokio::test]
async fn t01_one_login_opens_the_next_product_without_a_prompt_and_with_a_session_of_its_own() {
    let world = World::share().await;
    let ann = world.logged_in("ann").await;
    let page = ann.visit(&world.url("loom", "/page")).await;
    assert_eq!(page.url.as_str(), world.url("loom", "/page"), "{}", page.describe());
    assert!(page.trace.iter().all(|hop| !hop.url.as_str().starts_with(world.op.issuer())), "{}", page.describe());
    let value = |host: &str| {
        let mut found = ann.cookies(host).into_iter().filter(|cookie| cookie.name == SESSION);
        found.next().unwrap_or_else(|| panic!("a session at {host}")).value
    };
    let values = ["trello.example.test", "loom.example.test", "id.example.test"].map(value);
    assert!(values[0] != values[1] && values[1] != values[2] && values[0] != values[2], "three sessions of their own");
}

#[tokio::test]
async fn t02_who_is_logged_in_is_told_to_that_person_alone() {
    let world = World::share().await;
    let ann = world.logged_in("ann").await;
    let who = world.who(&ann, "trello").await.expect("logged in");
    assert_eq!((&who["email"], &who["managed"]), (&json!(format!("ann@{ACME}")), &json!(true)), "{who}");
    let stranger = world.browser().visit(&world.url("trello", "/.fedgate/session")).await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
    assert!(!stranger.html().contains("ann@"), "{}", stranger.describe());
}

#[tokio::test]
async fn t05_the_login_leaves_with_state_nonce_and_pkce_and_its_reply_counts_once_in_its_browser() {
    let world = World::share().await;
    let agent = world.browser();
    let form = world.to_provider(&agent, &format!("ann@{ACME}"), &world.url("trello", "/page")).await;
    let left = form.trace.iter().find(|hop| hop.url.path().ends_with("/auth")).expect("it left for the provider");
    let asked: std::collections::HashMap<_, _> = left.url.query_pairs().into_owned().collect();
    assert_eq!(asked["code_challenge_method"], "S256");
    assert!(
        asked["state"].len() >= 22 && asked["nonce"].len() >= 22 && asked["code_challenge"].len() == 43,
        "{asked:?}"
    );
    assert_eq!(asked["login_hint"], format!("ann@{ACME}"));
    let inside = sign_in(&agent, form, "ann").await;
    assert_eq!(inside.url.as_str(), world.url("trello", "/page"), "{}", inside.describe());
    let reply = inside.trace.iter().find(|hop| hop.url.path().starts_with("/login/callback")).expect("a reply");
    let sessions = || world.database().query_row("SELECT count(*) FROM login_session", [], |row| row.get::<_, i64>(0));
    let before = sessions().expect("a count");
    for browser in [&agent, &world.browser()] {
        let again = browser.visit(reply.url.as_str()).await;
        assert_ne!(again.url.as_str(), world.url("trello", "/page"), "{}", again.describe());
        assert!(!crate::world::gave_session(&again), "{}", again.describe());
    }
    assert_eq!(sessions().expect("a count"), before, "a reply makes one session");
}

#[tokio::test]
async fn l04_a_third_party_that_the_policy_blocks_opens_nothing() {
    let third = |file: Configuration, op: &Op, allowed: &str| {
        let file = file.organization("acme", ACME, op.issuer(), op.client_secret());
        file.table(&format!("[org.acme.policy]\nsso = \"offered\"\nthird_party = {allowed}")).table(&format!(
            "[third_party.other]\nlabel = \"Other\"\noidc = \"{}\"\nclient_id = \"fedgate-public\"\nclient_auth = \"none\"",
            op.issuer()
        ))
    };
    let world = third_parties::world(|file, op, _| third(file, op, "\"any\"")).await;
    let ann = world.browser();
    let page = world.to_provider(&ann, &format!("ann@{ACME}"), &world.url("trello", "/page")).await;
    assert!(page.text().contains("Continue with Other"), "{}", page.describe());
    // The ways shown are the deployment's, whoever asks (rule H18 e); what a policy blocks is refused when the reply comes.
    let form = ann.submit(&page, "/login/depart", &[("way", "other")]).await;
    world.reload(&third(world.file(OPEN), &world.op, "\"none\""));
    let page = sign_in(&ann, form, "ann").await;
    assert_eq!(world.who(&ann, "trello").await, None, "{}", page.describe());
    world.assert_refused(&page, "third-party").await;
}

#[tokio::test]
async fn t06_a_reset_where_the_company_enforces_sso_goes_to_the_company_and_sends_nothing() {
    let doors = Doors::open("", "").await;
    doors.person("bob@acme.example.test").await;
    let bob = doors.agent();
    let page = doors.identify(&bob, "ann@gmail.example.test").await;
    let page = bob.submit(&page, "/.fedgate/reset", &[("email", "bob@acme.example.test")]).await;
    assert!(!asks_password(&page), "{}", page.describe());
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(doors.letters("bob@acme.example.test"), 0, "no token in a mailbox opens what SSO guards");
    // The same form sends a code where a password may be used.
    doors.person("ann@gmail.example.test").await;
    let ann = doors.agent();
    let page = doors.identify(&ann, "ann@gmail.example.test").await;
    ann.submit(&page, "/.fedgate/reset", &[]).await;
    doors.letter("ann@gmail.example.test", 1).await;
    doors.close().await;
}

#[tokio::test]
async fn t31_sso_enforced_between_the_address_and_the_reply_lets_no_other_way_in() {
    let world = third_parties::world(|file, op, _| file.table(&issuer(op))).await;
    let ann = world.browser();
    let form = world.to_provider(&ann, &format!("ann@{ACME}"), &world.url("trello", "/page")).await;
    let form = match form.forms().iter().any(|form| form.action.contains("/login/depart")) {
        true => ann.submit(&form, "/login/depart", &[]).await,
        false => form,
    };
    world.reload(&with_issuer(world.file(OPEN), &world.op, "sso = \"enforced\""));
    let page = sign_in(&ann, form, "ann").await;
    // She was led on to her company, which knows her at the same provider; nothing was made of the issuer's word.
    let replies = page.trace.iter().map(|hop| hop.url.path()).filter(|path| path.starts_with("/login/callback"));
    assert_eq!(replies.collect::<Vec<_>>(), ["/login/callback", "/login/callback/acme"], "{}", page.describe());
    let of_the_issuer = world.events().into_iter().filter(|event| event["directory"] == "issuer");
    let said: Vec<_> = of_the_issuer.map(|event| (event["action"].clone(), event["outcome"].clone())).collect();
    let expected = [("directory.created", "success"), ("login.rerouted", "refused")];
    assert_eq!(said, expected.map(|(action, outcome)| (json!(action), json!(outcome))));
}

#[tokio::test]
async fn t32_mistake_05_a_domain_covers_itself_and_no_other_name() {
    let doors = Doors::open("", "").await;
    for outside in [
        "bob@sub.acme.example.test",
        "bob@evilacme.example.test",
        "bob@acme.example.test.evil.example",
        "bob@cme.example.test",
    ] {
        doors.person(outside).await;
        let page = doors.identify(&doors.agent(), outside).await;
        assert!(asks_password(&page), "{outside}: {}", page.describe());
    }
    for inside in ["bob@acme.example.test", "BOB@ACME.Example.TEST", "bob@acme.example.test."] {
        let page = doors.identify(&doors.agent(), inside).await;
        assert!(!asks_password(&page), "{inside}: {}", page.describe());
    }
    doors.close().await;
}

#[tokio::test]
async fn l12_mistake_10_an_account_that_is_off_looks_like_any_other_until_its_owner_is_proved() {
    let doors = Doors::open("", "").await;
    let record = doors.person("ann@gmail.example.test").await;
    doors.person("eva@gmail.example.test").await;
    let batch = Batch {
        changes: vec![Change::SetAccountStatus(record.account, AccountStatus::Deactivated)],
        ..Batch::default()
    };
    doors.node.login.world().store.commit(batch).await.expect("committed");
    let mut faces = Vec::new();
    for typed in ["ann@gmail.example.test", "eva@gmail.example.test", "who@gmail.example.test"] {
        let agent = doors.agent();
        let page = doors.identify(&agent, typed).await;
        let wrong = agent.submit(&page, "password", &[("password", "not-the-password")]).await;
        faces.push([face(&page, typed), face(&wrong, typed)]);
    }
    assert!(faces.iter().all(|of_one| *of_one == faces[0]), "{faces:#?}");
    let ann = doors.agent();
    let page = doors.log_in(&ann, "ann@gmail.example.test", PASSWORD).await;
    assert!(page.text().contains("not active"), "{}", page.describe());
    assert!(!doors.is_inside(&ann, "trello").await);
    doors.close().await;
}

#[tokio::test]
async fn mistake_06_no_spelling_of_a_domain_goes_round_its_policy() {
    let doors = Doors::open("", "[org.kelvin]\ndomains = [\"kelvin.example.test\", \"xn--fa-hia.example.test\"]\n\
         sso = { oidc = \"https://127.0.0.1:9\", client_id = \"k\", client_auth = \"none\" }\n[org.kelvin.policy]\nsso = \"enforced\"").await;
    for spelled in [
        "bob@\u{212a}elvin.example.test",
        "bob@KELVIN.example.test",
        "bob@ｋｅｌｖｉｎ.example.test",
        "bob@kelvin\u{3002}example.test",
        "bob@faß.example.test",
        "bob@FAß.example.test",
        "bob@XN--FA-HIA.example.test",
    ] {
        let page = doors.identify(&doors.agent(), spelled).await;
        assert!(!asks_password(&page), "{spelled}: {}", page.describe());
    }
    doors.person("bob@fass.example.test").await;
    // What IDNA 2003 made of it is another name, which this company does not hold.
    let page = doors.identify(&doors.agent(), "bob@fass.example.test").await;
    assert!(asks_password(&page), "{}", page.describe());
    doors.close().await;
}

#[tokio::test]
async fn mistake_07_tags_and_dots_make_other_people() {
    let doors = Doors::open("", "").await;
    doors.person("ann.b@gmail.example.test").await;
    for other in ["ann.b+x@gmail.example.test", "annb@gmail.example.test"] {
        let agent = doors.agent();
        let page = doors.log_in(&agent, other, PASSWORD).await;
        assert!(page.text().contains("That didn’t work"), "{other}: {}", page.describe());
        assert!(!doors.is_inside(&agent, "trello").await, "{other}");
    }
    assert_eq!(
        doors.log_in(&doors.agent(), "Ann.B@gmail.example.test", PASSWORD).await.status,
        200,
        "case is not another person"
    );
    doors.close().await;
}

#[tokio::test]
async fn mistake_09_a_provider_that_is_down_is_no_way_back_to_a_password() {
    let doors = Doors::open("", "").await;
    doors.person("bob@acme.example.test").await;
    let bob = doors.agent();
    let page = doors.identify(&bob, "bob@acme.example.test").await;
    assert!(leads_to_company(&doors, &page), "{}", page.describe());
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{}", page.describe());
    assert!(!asks_password(&page), "{}", page.describe());
    let again = doors.identify(&bob, "ann@gmail.example.test").await;
    let again = bob.submit(&again, "password", &[("email", "bob@acme.example.test"), ("password", PASSWORD)]).await;
    assert!(leads_to_company(&doors, &again) && !doors.is_inside(&bob, "trello").await, "{}", again.describe());
    doors.close().await;
}

#[tokio::test]
async fn mistake_26_identity_fields_of_a_client_never_reach_a_product() {
    let world = World::share().await;
    let ann = world.logged_in("ann").await;
    let url = Url::parse(&world.url("trello", "/forged")).expect("a URL");
    let mut intent = Intent::navigation(None, url);
    for (name, value) in
        [("X-Fedgate-User", "root"), ("X-Fedgate-Email", "root@acme.example.test"), ("X_Fedgate_User", "root")]
    {
        intent = intent.with_header(name, value);
    }
    ann.load(intent).await;
    let head = world.trello.last("/forged").head;
    assert_eq!(head.all("x-fedgate-user").len(), 1);
    assert_ne!(head.first("x-fedgate-user"), Some("root"));
    assert_eq!(head.first("x-fedgate-email"), Some(format!("ann@{ACME}").as_str()));
    assert!(head.all("x_fedgate_user").is_empty());
}
