//! A proof of just now, from a product's page to the step and back (M6), and before a person's own credentials change.

use http::Method;
use url::Url;

use crate::doors::{Doors, PASSWORD};
use crate::passkeys::{ANN, enrol, options, post, scene, with_passkey};
use crate::support::agent::UserAgent;
use crate::support::intent::{Intent, Mode};
use crate::support::page::Page;
use crate::world::SESSION;

const STEP_UP: &str = "step_up = { paths = [\"/admin/*\"], within = \"10m\" }";

async fn script(doors: &Doors, agent: &UserAgent, path: &str) -> Page {
    let parse = |text: &str| Url::parse(text).expect("a URL");
    let page = parse(&doors.url("trello", "/page"));
    agent.load(Intent::fetch(&page, Mode::Cors, Method::GET, parse(&doors.url("trello", path)))).await
}

#[tokio::test]
async fn m6_a_session_without_a_step_takes_it_and_comes_back_to_the_same_page_under_a_new_id() {
    let doors = Doors::open(STEP_UP, "").await;
    doors.person(ANN).await;
    let ann = doors.agent();
    doors.log_in(&ann, ANN, PASSWORD).await;
    assert!(doors.is_inside(&ann, "trello").await);
    let (_, mut authenticator) = enrol(&doors, &ann, b"ann's passkey").await;
    // Enrolled in this session, and never used in it.
    let told = script(&doors, &ann, "/admin/users").await;
    assert_eq!(told.status, 401, "{}", told.describe());
    let problem = told.json();
    assert_eq!(problem["code"], "step-up-needed");
    assert_eq!(problem["login_url"], doors.url("trello", "/.fedgate/step-up"));

    let thiefs = doors.agent();
    let host = "trello.example.test";
    for cookie in ann.cookies(host).into_iter().filter(|cookie| cookie.name == SESSION) {
        thiefs.plant(cookie);
    }
    assert!(doors.is_inside(&thiefs, "trello").await, "a stolen cookie opens what asks for nothing");
    let wanted = doors.url("trello", "/admin/users?x=1");
    let asked = ann.visit(&wanted).await;
    assert!(asked.text().contains("One more step"), "{}", asked.describe());
    let page = ann.submit(&asked, "/.fedgate/step/passkey", &[]).await;
    let back = post(&ann, &page, &authenticator.get(&scene(&doors, &page))).await;
    assert_eq!(back.url.as_str(), wanted, "{}", back.describe());
    assert_eq!(script(&doors, &ann, "/admin/users").await.status, 200);
    assert!(!doors.is_inside(&thiefs, "trello").await, "the id was renewed, and the old one is dead");
    doors.close().await;
}

#[tokio::test]
async fn steps_that_are_asked_for_and_left_do_not_fill_the_browser_with_cookies() {
    let doors = Doors::open(STEP_UP, "").await;
    let (ann, _) = with_passkey(&doors, ANN, b"ann's passkey").await;
    for number in 0..65 {
        let asked = ann.visit(&doors.url("trello", &format!("/admin/users?x={number}"))).await;
        assert!(asked.text().contains("One more step"), "{}", asked.describe());
    }
    let flows =
        ann.cookies("trello.example.test").into_iter().filter(|cookie| cookie.name.starts_with("__Host-fedgate-flow-"));
    assert_eq!(flows.count(), 61, "the one under way and as many as logins may have besides");
    doors.close().await;
}

#[tokio::test]
async fn a_login_by_passkey_is_a_step_of_just_now() {
    let doors = Doors::open(STEP_UP, "").await;
    let (_, mut authenticator) = with_passkey(&doors, ANN, b"ann's passkey").await;
    let ann = doors.agent();
    let page = crate::passkeys::first(&doors, &ann).await;
    post(&ann, &page, &authenticator.get(&scene(&doors, &page))).await;
    assert_eq!(script(&doors, &ann, "/admin/users").await.status, 200);
    // It also stands for the code on the page of one's own credentials: a second passkey with the password alone (H1).
    let page = ann.visit(&doors.url("trello", "/.fedgate/security")).await;
    assert!(!page.html().contains("name=\"code\""), "{}", page.describe());
    let wrong = ann.submit(&page, "current", &[("current", "wrong"), ("act", "passkey")]).await;
    assert!(wrong.text().contains("That didn’t work"), "{}", wrong.describe());
    let asked = ann.submit(&wrong, "current", &[("current", PASSWORD), ("act", "passkey")]).await;
    assert_eq!(options(&asked)["excludeCredentials"].as_array().map(Vec::len), Some(1), "{}", asked.describe());
    doors.close().await;
}

#[tokio::test]
async fn h1_a_session_by_password_alone_asks_for_the_step_before_credentials_change() {
    let doors = Doors::open(STEP_UP, "").await;
    let (ann, mut authenticator) = with_passkey(&doors, ANN, b"ann's passkey").await;
    let page = ann.visit(&doors.url("trello", "/.fedgate/security")).await;
    let without = ann.submit(&page, "current", &[("current", PASSWORD), ("act", "passkey")]).await;
    assert!(without.text().contains("That didn’t work"), "{}", without.describe());
    let asked = ann.click(&page, "/.fedgate/step-up?for=security").await;
    let ceremony = ann.submit(&asked, "/.fedgate/step/passkey", &[]).await;
    let back = post(&ann, &ceremony, &authenticator.get(&scene(&doors, &ceremony))).await;
    assert_eq!(back.url.as_str(), doors.url("trello", "/.fedgate/security"), "{}", back.describe());
    let remove =
        back.form("current").buttons.into_iter().find(|(_, value)| value.starts_with("remove")).expect("one").1;
    let removed = ann.submit(&back, "current", &[("current", PASSWORD), ("act", &remove)]).await;
    assert!(!removed.text().contains("Ann’s phone"), "{}", removed.describe());
    let letter = doors.letter(ANN, 2).await;
    assert!(letter.contains("passkey was removed") || letter.contains("passkey was taken"), "{letter}");
    doors.close().await;
}

#[tokio::test]
async fn h1_a_password_alone_cannot_enrol_the_step_that_a_path_asks_for() {
    let doors = Doors::open(STEP_UP, "").await;
    doors.person(ANN).await;
    let ann = doors.agent();
    doors.log_in(&ann, ANN, PASSWORD).await;
    let asked = ann.visit(&doors.url("trello", "/admin/users")).await;
    assert!(asked.text().contains("Check your mail"), "the mailbox as well: {}", asked.describe());
    doors.close().await;
}

#[tokio::test]
async fn h14_a_step_up_under_way_dies_with_its_session() {
    let doors = Doors::open(STEP_UP, "").await;
    let (ann, mut authenticator) = with_passkey(&doors, ANN, b"ann's passkey").await;
    let asked = ann.visit(&doors.url("trello", "/admin/users")).await;
    let page = ann.submit(&asked, "/.fedgate/step/passkey", &[]).await;
    let leave = ann.visit(&doors.url("trello", "/.fedgate/logout")).await;
    ann.submit(&leave, "/.fedgate/logout", &[]).await;
    assert!(!doors.is_inside(&ann, "trello").await);
    let after = post(&ann, &page, &authenticator.get(&scene(&doors, &page))).await;
    assert!(!doors.is_inside(&ann, "trello").await, "no session comes back by it: {}", after.describe());
    doors.close().await;
}
