//! A second step that a person enrolled: asked for at the login and at a reset, once for each code, and recovery codes in its place.

use fedgate::kernel::local::Seed;

use crate::doors::{Doors, PASSWORD, digits};
use crate::support::agent::UserAgent;
use crate::support::page::Page;
use crate::support::totp;

const ANN: &str = "ann@gmail.example.test";

/// Enrols an app; the seed and the recovery codes.
async fn enrol(doors: &Doors, agent: &UserAgent) -> (Seed, Vec<String>) {
    let page = agent.visit(&doors.url("trello", "/.fedgate/security")).await;
    let wrong = agent.submit(&page, "current", &[("current", "wrong"), ("act", "add")]).await;
    assert!(wrong.text().contains("That didn’t work"), "{}", wrong.describe());
    let page = agent.submit(&wrong, "current", &[("current", PASSWORD), ("act", "add")]).await;
    let seed = totp::seed(&page);
    let failed = agent.submit(&page, "code", &[("code", "000000")]).await;
    assert!(failed.text().contains("That code isn’t right"), "{}", failed.describe());
    let shown = agent.submit(&failed, "code", &[("code", &totp::first(&seed))]).await;
    let text = shown.text();
    let codes = text.split_whitespace().filter(|word| word.len() == 11 && word.chars().nth(5) == Some('-'));
    let codes: Vec<String> = codes.map(ToOwned::to_owned).collect();
    assert_eq!(codes.len(), 10, "{}", shown.describe());
    (seed, codes)
}

#[tokio::test]
async fn an_enrolled_second_step_is_asked_for_and_each_code_is_good_once() {
    let doors = Doors::open("", "").await;
    doors.person(ANN).await;
    let ann = doors.agent();
    doors.log_in(&ann, ANN, PASSWORD).await;
    let (seed, recovery) = enrol(&doors, &ann).await;

    let again = doors.agent();
    let asked = doors.log_in(&again, ANN, PASSWORD).await;
    assert!(asked.text().contains("One more step"), "{}", asked.describe());
    assert!(!doors.is_inside(&again, "trello").await, "a password alone opens nothing now");
    let wrong = again.submit(&asked, "code", &[("code", "000000")]).await;
    assert!(wrong.text().contains("That code isn’t right"), "{}", wrong.describe());
    let code = totp::second(&seed);
    let inside = again.submit(&wrong, "code", &[("code", &code)]).await;
    assert_eq!(inside.url.as_str(), doors.url("trello", "/page"), "{}", inside.describe());

    let thief = doors.agent();
    let asked = doors.log_in(&thief, ANN, PASSWORD).await;
    let replayed = thief.submit(&asked, "code", &[("code", &code)]).await;
    assert!(replayed.text().contains("That code isn’t right"), "a code is used once: {}", replayed.describe());
    let inside = thief.submit(&replayed, "code", &[("code", &recovery[0].to_lowercase())]).await;
    assert_eq!(inside.url.as_str(), doors.url("trello", "/page"), "{}", inside.describe());
    let other = doors.agent();
    let asked = doors.log_in(&other, ANN, PASSWORD).await;
    let used = other.submit(&asked, "code", &[("code", &recovery[0])]).await;
    assert!(used.text().contains("That code isn’t right"), "a recovery code is used once: {}", used.describe());
    doors.close().await;
}

#[tokio::test]
async fn enter_on_the_security_page_changes_nothing() {
    let doors = Doors::open("", "").await;
    doors.person(ANN).await;
    let ann = doors.agent();
    doors.log_in(&ann, ANN, PASSWORD).await;
    let (seed, _) = enrol(&doors, &ann).await;
    let page = ann.visit(&doors.url("trello", "/.fedgate/security")).await;
    // What a browser presses for Enter: the form's first button (HTML, implicit submission).
    let first = page.form("current").buttons.remove(0);
    assert_eq!(first, ("act".to_owned(), String::new()));
    let fields = [("current", PASSWORD), ("code", &totp::second(&seed)), ("act", "")];
    let page = ann.submit(&page, "current", &fields).await;
    assert!(
        page.text().contains("Authenticator app") && !page.text().contains("That didn’t work"),
        "{}",
        page.describe()
    );
    let again = doors.agent();
    let asked = doors.log_in(&again, ANN, PASSWORD).await;
    assert!(asked.text().contains("One more step"), "{}", asked.describe());
    doors.close().await;
}

#[tokio::test]
async fn h1_a_mailbox_alone_does_not_reset_the_password_of_who_enrolled_a_second_step() {
    let doors = Doors::open("", "").await;
    doors.person(ANN).await;
    let ann = doors.agent();
    doors.log_in(&ann, ANN, PASSWORD).await;
    let (_, recovery) = enrol(&doors, &ann).await;
    let thief = doors.agent();
    let page = thief.visit(&doors.url("trello", "/forgot")).await;
    let page = thief.submit(&page, "email", &[("email", ANN)]).await;
    let letter = doors.letter("Subject: Choose a new password", 1).await;
    let asked = thief.submit(&page, "code", &[("code", &digits(&letter))]).await;
    assert!(asked.text().contains("One more step"), "{}", asked.describe());
    let wrong = thief.submit(&asked, "code", &[("code", "000000")]).await;
    assert!(wrong.text().contains("That code isn’t right"), "{}", wrong.describe());
    let right = thief.submit(&wrong, "code", &[("code", &recovery[3])]).await;
    assert!(right.text().contains("Choose a new password"), "{}", right.describe());
    doors.close().await;
}

#[tokio::test]
async fn h1_a_required_second_step_is_first_enrolled_with_password_and_mailbox() {
    let doors = Doors::open("", "[people]\nsecond_step = \"required\"").await;
    doors.person(ANN).await;
    let ann = doors.agent();
    let asked = doors.log_in(&ann, ANN, PASSWORD).await;
    assert!(asked.text().contains("Check your mail"), "{}", asked.describe());
    assert!(!doors.is_inside(&ann, "trello").await);
    let code = digits(&doors.letter(ANN, 1).await);
    let page = ann.submit(&asked, "code", &[("code", &code)]).await;
    let seed = totp::seed(&page);
    let shown = ann.submit(&page, "code", &[("code", &totp::first(&seed))]).await;
    assert!(shown.text().contains("Write these down"), "{}", shown.describe());
    assert!(!doors.is_inside(&ann, "trello").await, "the next login asks for both");
    let asked = doors.log_in(&ann, ANN, PASSWORD).await;
    let inside = ann.submit(&asked, "code", &[("code", &totp::second(&seed))]).await;
    assert_eq!(inside.url.as_str(), doors.url("trello", "/page"), "{}", inside.describe());
    doors.close().await;
}

#[tokio::test]
async fn h1_a_password_is_not_replaced_before_its_second_step() {
    let doors = Doors::open("", "").await;
    doors.person(ANN).await;
    let ann = doors.agent();
    doors.log_in(&ann, ANN, PASSWORD).await;
    enrol(&doors, &ann).await;
    let thief = doors.agent();
    let mut bent = doors.log_in(&thief, ANN, PASSWORD).await;
    assert!(bent.text().contains("One more step"), "{}", bent.describe());
    // What the page of the code carries, sent to where new passwords are set.
    let html = bent.html().replace("&#x2f;step\"", "&#x2f;reset&#x2f;password\"");
    assert!(html.contains("reset&#x2f;password"), "{html}");
    bent.body = html.replace("name=\"code\"", "name=\"password\"").into();
    let turned = thief.submit(&bent, "password", &[("password", "quartz-meadow-51-ferry")]).await;
    assert!(turned.text().contains("One more step"), "{}", turned.describe());
    let owner = doors.agent();
    let asked = doors.log_in(&owner, ANN, PASSWORD).await;
    assert!(asked.text().contains("One more step"), "the password is the old one: {}", asked.describe());
    doors.close().await;
}

#[tokio::test]
async fn h1_a_mailbox_alone_enrols_no_second_step_where_one_is_required() {
    let doors = Doors::open("", "[people]\nsecond_step = \"required\"").await;
    doors.person(ANN).await;
    let agent = doors.agent();
    let page = agent.visit(&doors.url("trello", "/forgot")).await;
    let page = agent.submit(&page, "email", &[("email", ANN)]).await;
    let code = digits(&doors.letter(ANN, 1).await);
    let proved = agent.submit(&page, "code", &[("code", &code)]).await;
    assert!(proved.text().contains("Choose a new password"), "{}", proved.describe());
    let done = agent.submit(&proved, "password", &[("password", "quartz-meadow-51-ferry")]).await;
    assert!(!doors.is_inside(&agent, "trello").await, "{}", done.describe());
    let asked = doors.log_in(&agent, ANN, "quartz-meadow-51-ferry").await;
    assert!(asked.text().contains("Check your mail"), "{}", asked.describe());
    doors.close().await;
}

/// The id of the one second step on the security page.
fn only_factor(page: &Page) -> String {
    let fields = page.form("current").fields;
    let ids: Vec<_> = fields.iter().filter_map(|(name, _)| name.strip_prefix("label ")).map(str::to_owned).collect();
    assert_eq!(ids.len(), 1, "{}", page.describe());
    ids.into_iter().next().expect("one")
}

#[tokio::test]
async fn a_second_step_is_named_by_its_owner_with_the_password_alone_of_just_now() {
    let doors = Doors::open("", "").await;
    doors.person(ANN).await;
    let ann = doors.agent();
    doors.log_in(&ann, ANN, PASSWORD).await;
    let (seed, recovery) = enrol(&doors, &ann).await;
    let page = ann.visit(&doors.url("trello", "/.fedgate/security")).await;
    let id = only_factor(&page);
    let (act, label) = (format!("name {id}"), format!("label {id}"));
    let right = totp::second(&seed);
    for (password, code) in [("wrong", right.as_str()), (PASSWORD, "000000"), (PASSWORD, "")] {
        let fields = [("act", act.as_str()), ("current", password), ("code", code), (&label, "Stolen")];
        let page = ann.submit(&page, "current", &fields).await;
        assert!(!page.text().contains("Stolen"), "{}", page.describe());
    }
    let fields =
        [("act", act.as_str()), ("current", PASSWORD), ("code", &recovery[0]), (&label, " The blue\u{202e} phone ")];
    let page = ann.submit(&page, "current", &fields).await;
    assert!(
        page.text().contains("The blue phone") && !page.text().contains("Authenticator app"),
        "{}",
        page.describe()
    );
    // It is the same one still, and may be taken away where nothing requires one.
    let act = format!("remove {id}");
    let fields = [("act", act.as_str()), ("current", PASSWORD), ("code", &recovery[1])];
    let page = ann.submit(&page, "current", &fields).await;
    assert!(!page.text().contains("The blue phone"), "{}", page.describe());
    doors.close().await;
}

#[tokio::test]
async fn h1_the_last_second_step_stays_where_a_policy_requires_one() {
    let doors = Doors::open("", "[people]\nsecond_step = \"required\"").await;
    doors.person(ANN).await;
    let ann = doors.agent();
    let asked = doors.log_in(&ann, ANN, PASSWORD).await;
    let code = digits(&doors.letter(ANN, 1).await);
    let page = ann.submit(&asked, "code", &[("code", &code)]).await;
    let seed = totp::seed(&page);
    ann.submit(&page, "code", &[("code", &totp::first(&seed))]).await;
    let asked = doors.log_in(&ann, ANN, PASSWORD).await;
    ann.submit(&asked, "code", &[("code", &totp::second(&seed))]).await;
    assert!(doors.is_inside(&ann, "trello").await);
    let page = ann.visit(&doors.url("trello", "/.fedgate/security")).await;
    let id = only_factor(&page);
    let buttons = page.form("current").buttons;
    assert!(buttons.iter().all(|(_, value)| !value.starts_with("remove ")), "{buttons:?}");
    // Past the page, with all that is asked for: the session's own second step is of just now.
    let act = format!("remove {id}");
    let kept = ann.submit(&page, "current", &[("act", &act), ("current", PASSWORD)]).await;
    assert_eq!(only_factor(&kept), id, "{}", kept.describe());
    let who = ann.visit(&doors.url("trello", "/.fedgate/session")).await.json();
    let step = &who["second_step"];
    assert!(step["enrolled"] == true && step["required"] == true && step["taken_at"].is_string(), "{who}");
    doors.close().await;
}
