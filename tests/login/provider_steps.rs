//! Our own second step of people who log in by a provider (B9): asked for after the provider's proof, enrolled with the mailbox by who is
//! known, and at once by who is new.

use fedgate::kernel::local::Seed;
use fedgate::kernel::model::ProductAccountState;
use serde_json::json;

use crate::doors::{PASSWORD, digits};
use crate::moves::Ground;
use crate::passkeys::{enrol_on, post, scene};
use crate::support::agent::UserAgent;
use crate::support::html::tags;
use crate::support::page::Page;
use crate::support::totp;

const ANN: &str = "ann@free.example.test";
const MALLORY: &str = "mallory@free.example.test";
const REQUIRED: &str = "[people]\nsecond_step = \"required\"";
const OPEN: &str = "migration = { phase = \"optional\" }\nsignup = \"open\"\ni_know_everyone_may_enter = true";

/// The recovery codes of a page, and where it goes on.
fn written_down(page: &Page) -> (Vec<String>, String) {
    let text = page.text();
    let codes = text.split_whitespace().filter(|word| word.len() == 11 && word.chars().nth(5) == Some('-'));
    let codes: Vec<String> = codes.map(ToOwned::to_owned).collect();
    assert_eq!(codes.len(), 10, "{}", page.describe());
    let html = page.html();
    let mut links = tags(&html).into_iter().filter(|tag| tag.attribute("class") == Some("button primary"));
    let next = links.find_map(|tag| tag.attribute("href").map(ToOwned::to_owned)).expect("a way on");
    (codes, next)
}

/// Somebody new with an app of their own.
struct Newcomer {
    app: Seed,
    /// The code that enrolled it: good for nothing more.
    used: String,
    recovery: Vec<String>,
}

/// Somebody new, by the issuer.
async fn newcomer(ground: &Ground, agent: &UserAgent, login: &str, email: &str) -> Newcomer {
    let page = ground.by_provider(agent, email, "issuer", login).await;
    assert!(page.text().contains("Add an authenticator app"), "{}", page.describe());
    assert!(!page.html().contains("Add a passkey instead"), "there is no account yet that it could be bound to");
    let app = totp::seed(&page);
    let failed = agent.submit(&page, "code", &[("code", "000000")]).await;
    assert!(failed.text().contains("That code isn’t right"), "{}", failed.describe());
    let used = totp::first(&app).to_string();
    let shown = agent.submit(&failed, "code", &[("code", &used)]).await;
    let (recovery, next) = written_down(&shown);
    let page = agent.click(&shown, &next).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    Newcomer { app, used, recovery }
}

#[tokio::test]
async fn b9_who_is_new_enrols_at_once_and_takes_the_step_at_every_login() {
    let ground = Ground::open_with(OPEN, REQUIRED, None).await;
    let ann = ground.browser();
    let page = ground.by_provider(&ann, ANN, "issuer", "ann").await;
    assert!(page.text().contains("Add an authenticator app"), "{}", page.describe());
    assert!(ground.events("jit.created").is_empty(), "nobody is made before the step");
    let Newcomer { app, used, recovery } = newcomer(&ground, &ann, "ann", ANN).await;
    let who = ann.visit(&ground.doors.url("trello", "/.fedgate/session")).await.json();
    assert_eq!((&who["second_step"]["enrolled"], &who["second_step"]["required"]), (&json!(true), &json!(true)));
    assert!(who["second_step"]["taken_at"].is_string(), "{who}");
    assert_eq!((ground.events("jit.created").len(), ground.events("factor.enrolled").len()), (1, 1));
    // The other browser is asked, and the provider's word alone opens nothing.
    let again = ground.browser();
    let asked = ground.by_provider(&again, ANN, "issuer", "ann").await;
    assert!(asked.text().contains("One more step"), "{}", asked.describe());
    assert!(!ground.inside(&again).await);
    let home = again.visit(&ground.doors.url("id", "/")).await;
    assert!(!home.text().contains("Log out"), "the login host is not open either: {}", home.describe());
    let old = again.submit(&asked, "code", &[("code", &used)]).await;
    assert!(old.text().contains("That code isn’t right"), "it was used: {}", old.describe());
    let page = again.submit(&old, "code", &[("code", &totp::second(&app))]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    // A recovery code in its place, once.
    for (code, works) in [(&recovery[2], true), (&recovery[2], false)] {
        let lost = ground.browser();
        let asked = ground.by_provider(&lost, ANN, "issuer", "ann").await;
        let page = lost.submit(&asked, "code", &[("code", code)]).await;
        assert_eq!(ground.is_at_product(&page), works, "{}", page.describe());
    }
    ground.doors.close().await;
}

#[tokio::test]
async fn b9_h1_who_is_known_shows_the_mailbox_before_the_first_second_step() {
    let ground = Ground::open_with(OPEN, REQUIRED, None).await;
    let record = ground.doors.person(ANN).await;
    let ann = ground.browser();
    let page = ground.by_provider(&ann, ANN, "issuer", "ann").await;
    assert!(page.text().contains("We’ve sent eight digits"), "{}", page.describe());
    assert_eq!(ground.state(&record).await, ProductAccountState::Local, "nothing moved yet");
    let code = digits(&ground.doors.letter(ANN, 1).await);
    let wrong = ann.submit(&page, "code", &[("code", "12345678")]).await;
    assert!(wrong.text().contains("That code isn’t right"), "{}", wrong.describe());
    let page = ann.submit(&wrong, "code", &[("code", &code)]).await;
    let app = totp::seed(&page);
    let shown = ann.submit(&page, "code", &[("code", &totp::first(&app))]).await;
    let (_, next) = written_down(&shown);
    assert!(!ground.inside(&ann).await);
    // Somebody has a copy of what stands in the browser by now; it makes one login, and ann is faster.
    let thief = ground.browser();
    ann.cookies("id.example.test").into_iter().for_each(|cookie| thief.plant(cookie));
    let page = ann.click(&shown, &next).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, ANN).await;
    let late = thief.visit(&ground.doors.url("id", "/login/step/on")).await;
    assert!(late.text().contains("This page is over"), "{}", late.describe());
    assert!(!ground.inside(&thief).await);
    assert!(!ann.cookies("id.example.test").iter().any(|cookie| cookie.name.contains("standing")));
    let again = ann.click(&shown, &next).await;
    assert!(!again.text().contains("Write these down"), "{}", again.describe());
    ground.doors.letter("authenticator app", 1).await;
    ground.doors.close().await;
}

#[tokio::test]
async fn h1_the_digits_of_a_mail_are_tried_five_times() {
    let ground = Ground::open_with(OPEN, REQUIRED, None).await;
    ground.doors.person(ANN).await;
    let thief = ground.browser();
    let mut page = ground.by_provider(&thief, ANN, "issuer", "ann").await;
    let code = digits(&ground.doors.letter(ANN, 1).await);
    for _ in 0..5 {
        page = thief.submit(&page, "code", &[("code", "00000000")]).await;
        assert!(page.text().contains("That code isn’t right"), "{}", page.describe());
    }
    let late = thief.submit(&page, "code", &[("code", &code)]).await;
    assert!(late.text().contains("This page is over"), "{}", late.describe());
    ground.doors.close().await;
}

#[tokio::test]
async fn b9_a_page_of_a_second_step_is_good_in_its_browser_for_its_person_as_they_were() {
    let ground = Ground::open_with(OPEN, REQUIRED, None).await;
    let Newcomer { app, .. } = newcomer(&ground, &ground.browser(), "ann", ANN).await;
    let (victim, thief) = (ground.browser(), ground.browser());
    let asked = ground.by_provider(&victim, ANN, "issuer", "ann").await;
    assert!(asked.text().contains("One more step"), "{}", asked.describe());
    // Another browser, at its own page of another person.
    newcomer(&ground, &ground.browser(), "mallory", MALLORY).await;
    let theirs = ground.by_provider(&thief, MALLORY, "issuer", "mallory").await;
    assert!(theirs.text().contains("One more step"), "{}", theirs.describe());
    let bent = thief.submit(&asked, "code", &[("code", &totp::second(&app))]).await;
    assert!(bent.text().contains("This page is over"), "{}", bent.describe());
    let wrong = thief.submit(&theirs, "code", &[("code", &totp::second(&app))]).await;
    assert!(wrong.text().contains("That code isn’t right"), "somebody else's app: {}", wrong.describe());
    // The account's epoch rose meanwhile (H14): the page is worth nothing.
    let email = fedgate::kernel::values::EmailAddress::parse(ANN).expect("an address");
    let account = ground.store().accounts_by_email(&email).await.expect("the store").remove(0);
    let raise = fedgate::kernel::journal::Change::RaiseEpoch(account.id);
    let batch = fedgate::kernel::journal::Batch { changes: vec![raise], ..Default::default() };
    ground.store().commit(batch).await.expect("raised");
    let stale = victim.submit(&asked, "code", &[("code", &totp::second(&app))]).await;
    assert!(stale.text().contains("This page is over"), "{}", stale.describe());
    assert!(!ground.inside(&victim).await && !ground.inside(&thief).await);
    ground.doors.close().await;
}

#[tokio::test]
async fn b9_the_pages_of_several_tabs_are_good_for_their_one_person() {
    let ground = Ground::open_with(OPEN, REQUIRED, None).await;
    let Newcomer { app, recovery, .. } = newcomer(&ground, &ground.browser(), "ann", ANN).await;
    let ann = ground.browser();
    let first = ground.by_provider(&ann, ANN, "issuer", "ann").await;
    let second = ann.visit(&ground.doors.url("trello", "/page")).await;
    let second = ann.submit(&second, "email", &[("email", ANN)]).await;
    let second = ann.submit(&second, "/.fedgate/depart", &[("way", "issuer")]).await;
    assert!(second.text().contains("One more step"), "{}", second.describe());
    let page = ann.submit(&first, "code", &[("code", &totp::second(&app))]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    let late = ann.submit(&second, "code", &[("code", &recovery[0])]).await;
    assert!(late.text().contains("This page is over"), "{}", late.describe());
    ground.doors.close().await;
}

#[tokio::test]
async fn b9_m14_codes_are_tried_ten_times_in_a_quarter_of_an_hour() {
    let ground = Ground::open_with(OPEN, REQUIRED, None).await;
    let Newcomer { app, .. } = newcomer(&ground, &ground.browser(), "ann", ANN).await;
    let thief = ground.browser();
    let mut page = ground.by_provider(&thief, ANN, "issuer", "ann").await;
    for _ in 0..10 {
        page = thief.submit(&page, "code", &[("code", "000000")]).await;
        assert!(page.text().contains("That code isn’t right"), "{}", page.describe());
    }
    let turned = thief.submit(&page, "code", &[("code", &totp::second(&app))]).await;
    assert!(turned.text().contains("Too many tries"), "{}", turned.describe());
    ground.doors.close().await;
}

#[tokio::test]
async fn b9_a_passkey_is_enrolled_and_taken_on_the_login_host() {
    let ground = Ground::open_with(OPEN, REQUIRED, None).await;
    ground.doors.person(ANN).await;
    let ann = ground.browser();
    let page = ground.by_provider(&ann, ANN, "issuer", "ann").await;
    let code = digits(&ground.doors.letter(ANN, 1).await);
    let page = ann.submit(&page, "code", &[("code", &code)]).await;
    let ceremony = ann.submit(&page, "act", &[("act", "passkey")]).await;
    let (shown, mut authenticator) = enrol_on(&ground.doors, &ann, &ceremony, b"ann's first").await;
    let (_, next) = written_down(&shown);
    let page = ann.click(&shown, &next).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    let again = ground.browser();
    let asked = ground.by_provider(&again, ANN, "issuer", "ann").await;
    let ceremony = again.submit(&asked, "/login/step/passkey", &[]).await;
    // The answer to another page's challenge.
    let other = authenticator.get(&scene(&ground.doors, &again.submit(&asked, "/login/step/passkey", &[]).await));
    let refused = post(&again, &ceremony, &other).await;
    assert!(refused.text().contains("That passkey didn’t work here"), "{}", refused.describe());
    let answer = authenticator.get(&scene(&ground.doors, &refused));
    let page = post(&again, &refused, &answer).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.doors.close().await;
}

#[tokio::test]
async fn b9_b22_a_link_waits_for_the_second_step_that_a_policy_requires() {
    let ground = Ground::open_with(OPEN, REQUIRED, None).await;
    let record = ground.doors.person(ANN).await;
    let ann = ground.browser();
    // No authority over the address: both sides are proved, and then the step.
    let page = ground.by_provider(&ann, ANN, "other", "ann").await;
    let asked = ann.submit(&page, "password", &[("password", PASSWORD)]).await;
    assert!(asked.text().contains("We’ve sent eight digits"), "{}", asked.describe());
    let code = digits(&ground.doors.letter(ANN, 1).await);
    let page = ann.submit(&asked, "code", &[("code", &code)]).await;
    let shown = ann.submit(&page, "code", &[("code", &totp::first(&totp::seed(&page)))]).await;
    let (_, next) = written_down(&shown);
    assert_eq!(ground.state(&record).await, ProductAccountState::Migrating, "its button was not pressed yet");
    let review = ann.click(&shown, &next).await;
    let page = ann.submit(&review, "/login/link", &[]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, ANN).await;
    ground.doors.close().await;
}

#[tokio::test]
async fn t13_b9_everybody_must_move_and_take_a_second_step_and_there_is_a_way_on() {
    let ground = Ground::open_with("migration = { phase = \"forced\" }", REQUIRED, None).await;
    let record = ground.doors.unverified(ANN).await;
    let app = ground.enrolled(&record).await;
    let ann = ground.browser();
    let asked = ground.doors.log_in(&ann, ANN, PASSWORD).await;
    let page = ann.submit(&asked, "code", &[("code", &totp::second(&app))]).await;
    let page = ann.submit(&page, "/.fedgate/move", &[]).await;
    let page = crate::world::sign_in(&ann, page, "ann").await;
    let review = ann.submit(&page, "/.fedgate/prove", &[]).await;
    let page = ann.submit(&review, "/login/link", &[]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, ANN).await;
    ground.doors.close().await;
}

/// The page of one's own second steps, after the login that it asks for.
async fn steps_page(ground: &Ground, agent: &UserAgent, login: &str, app: Option<&str>) -> Page {
    let page = agent.visit(&ground.doors.url("id", "/account/steps")).await;
    let page = agent.submit(&page, "act", &[("act", "confirm")]).await;
    let page = crate::world::sign_in(agent, page, login).await;
    match app {
        Some(code) => agent.submit(&page, "code", &[("code", code)]).await,
        None => page,
    }
}

#[tokio::test]
async fn h1_m6_own_second_steps_are_changed_by_a_login_of_just_now_with_the_step_that_is_there() {
    let ground = Ground::open_with(OPEN, "", None).await;
    let ann = ground.browser();
    let page = ground.by_provider(&ann, ANN, "issuer", "ann").await;
    assert!(ground.is_at_product(&page), "nobody requires one: {}", page.describe());
    let account = ann.visit(&ground.doors.url("id", "/account")).await;
    assert!(account.text().contains("Passkeys and second step"), "{}", account.describe());
    // Of just now, and nothing is there yet: an app, then a passkey.
    let page = ann.visit(&ground.doors.url("id", "/account/steps")).await;
    let page = ann.submit(&page, "act", &[("act", "add")]).await;
    let app = totp::seed(&page);
    let wrong = ann.submit(&page, "code", &[("code", "000000")]).await;
    assert!(wrong.text().contains("That code isn’t right"), "{}", wrong.describe());
    let shown = ann.submit(&wrong, "code", &[("code", &totp::first(&app))]).await;
    let (old, next) = written_down(&shown);
    let page = ann.click(&shown, &next).await;
    assert!(page.text().contains("Authenticator app") && page.text().contains("left: 10"), "{}", page.describe());
    // Whoever finds the session open changes nothing: the step is asked for.
    for act in ["add", "passkey", "codes"] {
        assert!(page.forms().iter().all(|form| form.buttons.iter().all(|(_, value)| value != act)), "{act}");
        let mut bent = page.clone();
        bent.body = page.html().replace("value=\"confirm\"", &format!("value=\"{act}\"")).into();
        let turned = ann.submit(&bent, "act", &[("act", act)]).await;
        assert!(!turned.url.as_str().contains("/account/steps"), "{act}: {}", turned.describe());
    }
    let page = steps_page(&ground, &ann, "ann", Some(&totp::second(&app))).await;
    assert!(page.url.as_str().ends_with("/account/steps"), "{}", page.describe());
    let ceremony = ann.submit(&page, "act", &[("act", "passkey")]).await;
    let page = add_passkey(&ground, &ann, &ceremony).await;
    assert!(page.text().contains("Ann’s phone"), "{}", page.describe());
    // New codes end the old ones; the app goes, the passkey stays.
    let shown = ann.submit(&page, "act", &[("act", "codes")]).await;
    let (new, next) = written_down(&shown);
    assert!(old.iter().all(|code| !new.contains(code)));
    let page = ann.click(&shown, &next).await;
    let id =
        page.html().split("value=\"remove ").nth(1).and_then(|rest| rest.split('"').next()).expect("an id").to_owned();
    let page = ann.submit(&page, "act", &[("act", &format!("remove {id}"))]).await;
    assert!(!page.text().contains("Authenticator app") && page.text().contains("Ann’s phone"), "{}", page.describe());
    let told = ["factor.enrolled", "factor.removed"].map(|action| ground.events(action).len());
    assert_eq!(told, [3, 1]);
    ground.doors.close().await;
}

/// A passkey beside the app that is there.
async fn add_passkey(ground: &Ground, agent: &UserAgent, ceremony: &Page) -> Page {
    let (page, _) = enrol_on(&ground.doors, agent, ceremony, b"ann's second").await;
    page
}

#[tokio::test]
async fn h6_own_second_steps_are_changed_from_their_own_page_alone_and_the_last_stays_where_it_must() {
    let ground = Ground::open_with(OPEN, REQUIRED, None).await;
    let ann = ground.browser();
    newcomer(&ground, &ann, "ann", ANN).await;
    let page = ann.visit(&ground.doors.url("id", "/account/steps")).await;
    assert!(page.text().contains("add another before you take this one away"), "{}", page.describe());
    let email = fedgate::kernel::values::EmailAddress::parse(ANN).expect("an address");
    let account = ground.store().accounts_by_email(&email).await.expect("the store").remove(0);
    let factor = ground.store().factors_of(account.id).await.expect("the store").remove(0);
    let remove = format!("remove {}", factor.id);
    let page = ann.submit(&page, "act", &[("act", &remove)]).await;
    assert!(page.text().contains("add another"), "{}", page.describe());
    assert_eq!(ground.store().factors_of(account.id).await.expect("the store").len(), 1);
    // Without the cookie that comes with the page, which no neighbour can bring along, a form changes nothing.
    assert_eq!(ann.forget(|cookie| cookie.name.contains("acts")), 1);
    ann.submit(&page, "act", &[("act", "codes")]).await;
    assert_eq!(ground.events("factor.enrolled").len(), 1, "no new codes");
    // Nobody is logged in: there is no such page.
    let stranger = ground.browser();
    let page = stranger.visit(&ground.doors.url("id", "/account/steps")).await;
    assert!(!page.text().contains("second step"), "{}", page.describe());
    ground.doors.close().await;
}
