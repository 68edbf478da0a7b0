//! The emergency door (rule H3): for whom the policy names, by a passkey that the operator let them enrol, never unheard.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use fedgate::admin::Command;
use serde_json::Value;

use crate::doors::Doors;
use crate::passwords::face;
use crate::support::agent::UserAgent;
use crate::support::authenticator::{Authenticator, Scene};
use crate::support::html::{tags, unescape};
use crate::support::page::Page;
use crate::world::{ACME, SESSION, World};

const ROOT: &str = "root@acme.example.test";
const IT: &str = "it@acme.example.test";
const ID: &str = "id.example.test";
/// `root` is named; `it` administers; `ops` operates.
const NAMED: &str = "break_glass = [\"root@acme.example.test\"]\n[admin]\noperators = [\"ops@acme.example.test\"]";

/// A company whose provider is away; `root` and `it` have accounts whose addresses are proved.
async fn open(policy: &str) -> Doors {
    let doors = Doors::open("", policy).await;
    for email in [ROOT, IT] {
        doors.make(email, None).await;
    }
    doors
}

/// The operator's link for an address.
async fn link(doors: &Doors, email: &str) -> Result<String, String> {
    let command = Command::BreakglassEnrol { email: email.to_owned() };
    let answer = doors.node.admin.operate(command, 0).await?;
    Ok(answer["link"].as_str().expect("a link").to_owned())
}

fn options(page: &Page) -> Value {
    let html = page.html();
    let tag = tags(&html).into_iter().find(|tag| tag.attribute("id") == Some("passkey"));
    let tag = tag.unwrap_or_else(|| panic!("no ceremony: {}", page.describe()));
    serde_json::from_str(&unescape(tag.attribute("data-options").expect("options"))).expect("JSON")
}

fn bytes(value: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(value.as_str().expect("text")).expect("base64url")
}

fn origin(doors: &Doors) -> String {
    doors.url("id", "").trim_end_matches('/').to_owned()
}

/// Enrols by a link, in a browser of its own.
async fn enrol(doors: &Doors, link: &str, handle: &[u8]) -> (Page, Authenticator) {
    let agent = doors.agent();
    let page = agent.visit(link).await;
    enrol_on(&agent, &page, &origin(doors), handle).await
}

async fn enrol_on(agent: &UserAgent, page: &Page, origin: &str, handle: &[u8]) -> (Page, Authenticator) {
    let asked = options(page);
    assert_eq!(asked["authenticatorSelection"]["residentKey"], "required");
    // An authenticator keeps one credential for each user handle: a product's passkey has another.
    assert!(bytes(&asked["user"]["id"]).starts_with(b"emergency"), "{asked}");
    let authenticator = Authenticator::new(handle, &bytes(&asked["user"]["id"]));
    let scene = Scene::of_enrolment(&bytes(&asked["challenge"]), origin, ID);
    let done =
        agent.submit(page, "credential", &[("credential", &authenticator.create(&scene)), ("label", "safe")]).await;
    (done, authenticator)
}

async fn door(doors: &Doors, agent: &UserAgent) -> Page {
    agent.visit(&doors.url("id", "/login/emergency")).await
}

async fn knock(doors: &Doors, agent: &UserAgent, authenticator: &mut Authenticator) -> Page {
    let page = door(doors, agent).await;
    let scene = Scene::of_login(&bytes(&options(&page)["challenge"]), &origin(doors), ID);
    agent.submit(&page, "credential", &[("credential", &authenticator.get(&scene))]).await
}

fn is_in(agent: &UserAgent) -> bool {
    agent.cookies(ID).iter().any(|cookie| cookie.name == SESSION)
}

async fn events(doors: &Doors, action: &str) -> Vec<Value> {
    let rows = doors.node.login.world().store.log(0, 10_000).await.expect("the store");
    let events = rows.iter().map(|row| serde_json::from_slice::<Value>(&row.bytes).expect("JSON"));
    events.filter(|event| event["action"] == action).collect()
}

#[tokio::test]
async fn h3_an_enrolled_person_comes_in_while_the_provider_is_away_and_everybody_hears_of_it() {
    let doors = open(NAMED).await;
    let (enrolled, mut key) = enrol(&doors, &link(&doors, ROOT).await.expect("a link"), b"root-key").await;
    assert!(enrolled.text().contains("Your emergency passkey is enrolled"), "{}", enrolled.describe());
    let root = doors.agent();
    let inside = knock(&doors, &root, &mut key).await;
    assert_eq!(inside.url.as_str(), doors.url("id", "/"), "{}", inside.describe());
    assert!(is_in(&root));
    let alarms = events(&doors, "login.breakglass").await;
    assert_eq!((alarms.len(), alarms[0]["org"].as_str()), (1, Some("acme")));
    assert_eq!(events(&doors, "breakglass.prepared").await.len(), 1);
    let letter = doors.letter("ops@acme.example.test", 1).await;
    assert!(letter.to_lowercase().contains("emergency"), "{letter}");
    // The next page: phase C lets the session stand.
    assert!(!root.visit(&doors.url("id", "/")).await.html().contains("name=\"email\""));
    doors.close().await;
}

#[tokio::test]
async fn h3_a_named_address_has_no_effect_before_it_is_enrolled_and_nobody_else_gets_a_link() {
    let doors = open(NAMED).await;
    for other in [IT, "nobody@acme.example.test", "ann@gmail.example.test"] {
        let why = link(&doors, other).await.expect_err("no link");
        assert!(why.contains("break_glass"), "{why}");
    }
    // A key of nobody's, and one of the same person's that was never enrolled.
    let page = door(&doors, &doors.agent()).await;
    let user = bytes(&options(&page)["challenge"]);
    let agent = doors.agent();
    let refused = knock(&doors, &agent, &mut Authenticator::new(b"unknown", &user[..16])).await;
    assert!(refused.text().contains("That didn’t work") && !is_in(&agent), "{}", refused.describe());
    // Phase A is the same for the named address as for any other of its domain.
    let mut faces = Vec::new();
    for typed in [ROOT, IT, "nobody@acme.example.test"] {
        let page = doors.identify(&doors.agent(), typed).await;
        assert!(page.url.as_str().starts_with(&doors.url("id", "/login/to?")), "{}", page.describe());
        faces.push(face(&page, typed).replace(page.url.as_str(), "URL").len());
    }
    assert!(faces.iter().all(|length| length.abs_diff(faces[0]) < 80), "{faces:?}");
    doors.close().await;
}

#[tokio::test]
async fn h3_the_operators_link_is_good_once_and_a_look_at_it_changes_nothing() {
    let doors = open(NAMED).await;
    let link = link(&doors, ROOT).await.expect("a link");
    for _ in 0..3 {
        doors.agent().visit(&link).await;
    }
    let (first, _) = enrol(&doors, &link, b"first").await;
    assert!(first.text().contains("is enrolled"), "{}", first.describe());
    let (second, mut thief) = enrol(&doors, &link, b"second").await;
    assert!(second.text().contains("This link has expired"), "{}", second.describe());
    let agent = doors.agent();
    knock(&doors, &agent, &mut thief).await;
    assert!(!is_in(&agent));
    let changed = format!("{}A", link.trim_end_matches('A'));
    assert!(doors.agent().visit(&changed[..changed.len() - 2]).await.text().contains("This link has expired"));
    doors.close().await;
}

#[tokio::test]
async fn h3_deactivation_and_the_policy_win_over_an_enrolment() {
    let doors = open(NAMED).await;
    let (_, mut key) = enrol(&doors, &link(&doors, ROOT).await.expect("a link"), b"root-key").await;
    let set = |change: &str| {
        let sql = format!("UPDATE account SET {change} WHERE email = ?");
        assert_eq!(doors.database().execute(&sql, [ROOT]).unwrap(), 1);
    };
    set("status = 'deactivated'");
    let agent = doors.agent();
    knock(&doors, &agent, &mut key).await;
    assert!(!is_in(&agent), "a hostile last admin can be ended");
    assert!(link(&doors, ROOT).await.is_err(), "nor enrols anew");
    // Proved nowhere: not on the account, and not by a product's record.
    let unprove = "UPDATE address SET verified = 0 WHERE email = ?";
    assert_eq!(doors.database().execute(unprove, [ROOT]).unwrap(), 1);
    set("status = 'active', email_verified = 0");
    knock(&doors, &agent, &mut key).await;
    assert!(!is_in(&agent), "an address that is not proved names nobody");
    set("email_verified = 1, email = 'former@acme.example.test'");
    knock(&doors, &agent, &mut key).await;
    assert!(!is_in(&agent), "the policy names the address that the account has now");
    assert_eq!(events(&doors, "login.breakglass").await.len(), 0);
    doors.close().await;
}

#[tokio::test]
async fn h21_no_other_passkey_opens_the_emergency_door_and_its_own_opens_no_other() {
    let doors = open(NAMED).await;
    let (_, mut key) = enrol(&doors, &link(&doors, ROOT).await.expect("a link"), b"root-key").await;
    // As if it had been enrolled at a product's door: the row's MAC is another's then, and nobody is let in either way.
    let kind = |kind: &str| doors.database().execute("UPDATE factor SET kind = ?", [kind]).unwrap();
    kind("passkey");
    let agent = doors.agent();
    knock(&doors, &agent, &mut key).await;
    assert!(!is_in(&agent));
    kind("emergency");
    // It is a second step nowhere: nothing asks for it, and a replayed answer is none.
    let page = door(&doors, &agent).await;
    let scene = Scene::of_login(&bytes(&options(&page)["challenge"]), &origin(&doors), ID);
    let answer = key.get(&scene);
    agent.submit(&page, "credential", &[("credential", &answer)]).await;
    assert!(is_in(&agent));
    let thief = doors.agent();
    let page = door(&doors, &thief).await;
    thief.submit(&page, "credential", &[("credential", &answer)]).await;
    assert!(!is_in(&thief), "another browser's challenge");
    doors.close().await;
}

#[tokio::test]
async fn h3_enrolling_anew_takes_the_lost_passkey_and_its_sessions_away() {
    let doors = open(NAMED).await;
    let (_, mut lost) = enrol(&doors, &link(&doors, ROOT).await.expect("a link"), b"lost").await;
    let thief = doors.agent();
    knock(&doors, &thief, &mut lost).await;
    assert!(is_in(&thief));
    let (page, mut new) = enrol(&doors, &link(&doors, ROOT).await.expect("a link"), b"new").await;
    assert!(page.text().contains("is enrolled"), "{}", page.describe());
    assert!(thief.visit(&doors.url("id", "/")).await.html().contains("name=\"email\""), "what it opened has ended");
    let (again, root) = (doors.agent(), doors.agent());
    knock(&doors, &again, &mut lost).await;
    assert!(!is_in(&again), "the lost one opens nothing");
    knock(&doors, &root, &mut new).await;
    assert!(is_in(&root));
    assert_eq!(events(&doors, "factor.removed").await.len(), 1);
    doors.close().await;
}

#[tokio::test]
async fn h3_the_operator_sees_who_is_enrolled_and_takes_it_away() {
    let doors = open(NAMED).await;
    let operate = async |command| doors.node.admin.operate(command, 7).await;
    let listed = async || operate(Command::BreakglassList).await.expect("a list")["enrolled"].clone();
    let before = listed().await;
    assert_eq!((before[0]["email"].as_str(), before[0]["state"].as_str()), (Some(ROOT), Some("not enrolled")));
    let (_, mut key) = enrol(&doors, &link(&doors, ROOT).await.expect("a link"), b"root-key").await;
    let enrolled = listed().await;
    assert_eq!(enrolled.as_array().map(Vec::len), Some(1), "{enrolled}");
    let passkey = &enrolled[0];
    assert_eq!([&passkey["state"], &passkey["label"], &passkey["last_used"]], ["enrolled", "safe", "never"]);
    let root = doors.agent();
    knock(&doors, &root, &mut key).await;
    assert!(is_in(&root));
    let remove = || Command::BreakglassRemove { email: ROOT.to_owned() };
    assert_eq!(operate(remove()).await.expect("removed")["removed"], 1);
    assert!(root.visit(&doors.url("id", "/")).await.html().contains("name=\"email\""), "what it opened has ended");
    let again = doors.agent();
    knock(&doors, &again, &mut key).await;
    assert!(!is_in(&again));
    assert!(operate(remove()).await.is_err(), "there is none any more");
    let gone = events(&doors, "factor.removed").await;
    assert_eq!((gone.len(), gone[0]["actor"]["id"].as_str()), (1, Some("uid 7")));
    doors.close().await;
}

#[tokio::test]
async fn h3_the_door_is_one_page_with_strict_limits() {
    let doors = open(NAMED).await;
    let agent = doors.agent();
    let mut nobody = Authenticator::new(b"unknown", &[7; 16]);
    let (_, mut key) = enrol(&doors, &link(&doors, ROOT).await.expect("a link"), b"root-key").await;
    // Who gets in is no noise, however often.
    for _ in 0..12 {
        let root = doors.agent();
        assert_eq!(knock(&doors, &root, &mut key).await.status, 200);
        assert!(is_in(&root));
    }
    for _ in 0..10 {
        assert_eq!(knock(&doors, &agent, &mut nobody).await.status, 200);
    }
    assert_eq!(knock(&doors, &agent, &mut nobody).await.status, 429);
    // Nothing is judged then: a good answer is not told from a bad one.
    let root = doors.agent();
    assert_eq!(knock(&doors, &root, &mut key).await.status, 429);
    assert!(!is_in(&root));
    doors.close().await;
}

#[tokio::test]
async fn h3_a_session_by_single_sign_on_enrols_whom_the_policy_names_and_nobody_else() {
    let policy = format!("[org.acme.policy]\nsso = \"enforced\"\nbreak_glass = [\"ann@{ACME}\"]");
    let world = World::own("", |file, _| file.table(&policy)).await;
    let (home, own) = (world.url("id", "/"), world.url("id", "/login/emergency/enrol"));
    let origin = home.trim_end_matches('/');
    let bob = world.logged_in("bob").await;
    assert!(!bob.visit(&home).await.text().contains("Enrol for emergencies"));
    for nobody in [&bob, &world.browser()] {
        let refused = nobody.visit(&own).await;
        assert_eq!(refused.status, 403, "{}", refused.describe());
        assert!(!refused.html().contains("data-options"), "{}", refused.describe());
    }
    let ann = world.logged_in("ann").await;
    let page = ann.visit(&home).await;
    assert!(page.text().contains("Enrol for emergencies"), "{}", page.describe());
    let (done, mut key) = enrol_on(&ann, &ann.visit(&own).await, origin, b"ann-key").await;
    assert!(done.text().contains("Your emergency passkey is enrolled"), "{}", done.describe());
    // It opens the door in another browser.
    let elsewhere = world.browser();
    let page = elsewhere.visit(&world.url("id", "/login/emergency")).await;
    let scene = Scene::of_login(&bytes(&options(&page)["challenge"]), origin, ID);
    elsewhere.submit(&page, "credential", &[("credential", &key.get(&scene))]).await;
    assert!(is_in(&elsewhere));
    // A session by the door is none by single sign-on: it enrols nothing.
    assert_eq!(elsewhere.visit(&own).await.status, 403);
    // What a session began ends with it.
    let page = ann.visit(&own).await;
    let (status, _, err) = world.gateway.command(&["sessions", "revoke", "--person", &format!("ann@{ACME}")]);
    assert!(status.success(), "{err}");
    let (late, _) = enrol_on(&ann, &page, origin, b"late-key").await;
    assert!(late.text().contains("This link has expired"), "{}", late.describe());
    assert_eq!(world.events().iter().filter(|event| event["action"] == "factor.enrolled").count(), 1);
}
