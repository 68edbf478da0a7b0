//! A new password by mail (rule H1): the code where it was asked for, the link where it was asked for, and everybody else nothing.

use crate::doors::{Doors, PASSWORD, digits, token};
use crate::support::agent::UserAgent;
use crate::support::page::Page;

const ANN: &str = "ann@gmail.example.test";
const NEW: &str = "orchid-tumble-44-granite";

/// Asks for a new password at the door, and stops where the code is asked for.
async fn ask(doors: &Doors, agent: &UserAgent) -> Page {
    let page = agent.visit(&doors.url("trello", "/forgot")).await;
    agent.submit(&page, "email", &[("email", ANN)]).await
}

#[tokio::test]
async fn h1_the_code_of_the_mail_sets_a_new_password_and_ends_what_was() {
    let doors = Doors::open("", "").await;
    doors.person(ANN).await;
    let elsewhere = doors.agent();
    assert_eq!(doors.log_in(&elsewhere, ANN, PASSWORD).await.status, 200);
    let ann = doors.agent();
    let page = ask(&doors, &ann).await;
    let code = digits(&doors.letter(ANN, 1).await);
    let wrong = ann.submit(&page, "code", &[("code", "00000000")]).await;
    assert!(wrong.text().contains("That code isn’t right"), "{}", wrong.describe());
    let page = ann.submit(&wrong, "code", &[("code", &code)]).await;
    let weak = ann.submit(&page, "password", &[("password", "password1")]).await;
    assert!(weak.text().contains("easy to guess"), "{}", weak.describe());
    let done = ann.submit(&weak, "password", &[("password", NEW)]).await;
    assert!(done.text().contains("Your password is changed"), "{}", done.describe());
    // What was proved is used up: the same page again changes nothing.
    let again = ann.submit(&weak, "password", &[("password", "another-good-one-77")]).await;
    assert!(!again.text().contains("Your password is changed"), "{}", again.describe());
    assert!(!doors.is_inside(&elsewhere, "trello").await, "older sessions have ended");
    let old = doors.log_in(&doors.agent(), ANN, PASSWORD).await;
    assert!(old.text().contains("That didn’t work"), "{}", old.describe());
    assert_eq!(doors.log_in(&ann, ANN, NEW).await.url.as_str(), doors.url("trello", "/page"));
    assert!(doors.letter(ANN, 2).await.contains("password"), "and its owner is told");
    doors.close().await;
}

#[tokio::test]
async fn h1_a_code_has_five_tries_and_belongs_to_its_browser() {
    let doors = Doors::open("", "").await;
    doors.person(ANN).await;
    let ann = doors.agent();
    let mut page = ask(&doors, &ann).await;
    let code = digits(&doors.letter(ANN, 1).await);
    // The form of one browser in another: its token is not that browser's.
    let thief = doors.agent();
    let stolen = thief.submit(&page, "code", &[("code", &code)]).await;
    assert!(!stolen.text().contains("Choose a new password"), "{}", stolen.describe());
    for _ in 0..5 {
        page = ann.submit(&page, "code", &[("code", "00000000")]).await;
    }
    let late = ann.submit(&page, "code", &[("code", &code)]).await;
    assert!(late.text().contains("expired"), "{}", late.describe());
    doors.close().await;
}

#[tokio::test]
async fn h1_opening_a_mailed_link_changes_nothing_and_acts_only_where_it_was_asked_for() {
    let doors = Doors::open("", "").await;
    doors.person(ANN).await;
    let ann = doors.agent();
    ask(&doors, &ann).await;
    let link = doors.url("id", &format!("/login/reset?token={}", token(&doors.letter(ANN, 1).await)));
    // A mail scanner opens it, twice.
    for _ in 0..2 {
        let scanner = doors.agent();
        let seen = scanner.visit(&link).await;
        assert!(seen.text().contains("Open this where you began"), "{}", seen.describe());
        assert!(seen.forms().iter().all(|form| !form.action.contains("/reset/link")), "nothing to press but not-me");
    }
    let page = ann.visit(&link).await;
    let page = ann.submit(&page, "/reset/link", &[]).await;
    let done = ann.submit(&page, "password", &[("password", NEW)]).await;
    assert!(done.text().contains("Your password is changed"), "{}", done.describe());
    let again = ann.visit(&link).await;
    assert!(!again.text().contains("Go on"), "used: {}", again.describe());
    doors.close().await;
}

#[tokio::test]
async fn h1_whoever_says_this_was_not_me_ends_the_request() {
    let doors = Doors::open("", "").await;
    doors.person(ANN).await;
    let thief = doors.agent();
    let page = ask(&doors, &thief).await;
    let letter = doors.letter(ANN, 1).await;
    let ann = doors.agent();
    let seen = ann.visit(&doors.url("id", &format!("/login/reset?token={}", token(&letter)))).await;
    let ended = ann.submit(&seen, "not-me", &[]).await;
    assert!(ended.text().contains("nothing was changed"), "{}", ended.describe());
    let late = thief.submit(&page, "code", &[("code", &digits(&letter))]).await;
    assert!(late.text().contains("expired"), "{}", late.describe());
    doors.close().await;
}
