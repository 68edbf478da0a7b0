//! Passkeys at the login host, for one product's door: enrolled, as the second step, as the only one; and every answer that must not
//! open anything, by an authenticator in software.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use fedgate::kernel::journal::{Batch, Change, CredentialChange};
use fedgate::kernel::model::{Factor, FactorKind, ProductAccount};
use fedgate::kernel::values::{FactorId, Timestamp};
use serde_json::{Value, json};

use crate::doors::{Doors, PASSWORD, digits};
use crate::support::agent::UserAgent;
use crate::support::authenticator::{Authenticator, FLAGS, Scene};
use crate::support::html::{tags, unescape};
use crate::support::page::Page;
use crate::world::{location, step};

pub const ANN: &str = "ann@gmail.example.test";
const BOB: &str = "bob@gmail.example.test";
const ID: &str = "id.example.test";

/// What a page asks of the browser.
pub fn options(page: &Page) -> Value {
    let html = page.html();
    let tag = tags(&html).into_iter().find(|tag| tag.attribute("id") == Some("passkey"));
    let tag = tag.unwrap_or_else(|| panic!("no ceremony: {}", page.describe()));
    serde_json::from_str(&unescape(tag.attribute("data-options").expect("options"))).expect("JSON")
}

fn bytes(value: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(value.as_str().expect("text")).expect("base64url")
}

/// An honest login in answer to a page.
pub fn scene(doors: &Doors, page: &Page) -> Scene {
    Scene::of_login(&bytes(&options(page)["challenge"]), doors.url("id", "").trim_end_matches('/'), ID)
}

pub async fn post(agent: &UserAgent, page: &Page, credential: &str) -> Page {
    agent.submit(page, "credential", &[("credential", credential)]).await
}

/// Enrols a passkey on the security page of whoever is logged in; what came of it, and the authenticator.
pub async fn enrol(doors: &Doors, agent: &UserAgent, handle: &[u8]) -> (Page, Authenticator) {
    let page = agent.visit(&doors.url("trello", "/.fedgate/security")).await;
    let page = agent.submit(&page, "current", &[("current", PASSWORD), ("act", "passkey")]).await;
    enrol_on(doors, agent, &page, handle).await
}

pub async fn enrol_on(doors: &Doors, agent: &UserAgent, page: &Page, handle: &[u8]) -> (Page, Authenticator) {
    let asked = options(page);
    assert_eq!(asked["rp"]["id"], ID, "the login host is the relying party, by its name alone (H6)");
    assert_eq!((&asked["attestation"], &asked["excludeCredentials"]), (&json!("none"), &json!([])));
    assert_eq!(asked["authenticatorSelection"]["userVerification"], "required");
    let authenticator = Authenticator::new(handle, &bytes(&asked["user"]["id"]));
    let scene = Scene::of_enrolment(&bytes(&asked["challenge"]), doors.url("id", "").trim_end_matches('/'), ID);
    let fields = [("credential", authenticator.create(&scene)), ("label", "Ann’s phone".to_owned())];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    (agent.submit(page, "credential", &fields).await, authenticator)
}

/// Logged in by password, with a passkey.
pub async fn with_passkey(doors: &Doors, email: &str, handle: &[u8]) -> (UserAgent, Authenticator) {
    doors.person(email).await;
    let agent = doors.agent();
    doors.log_in(&agent, email, PASSWORD).await;
    let (page, authenticator) = enrol(doors, &agent, handle).await;
    assert!(page.text().contains("recovery codes"), "{}", page.describe());
    (agent, authenticator)
}

/// A stranger's browser at the page that asks for a passkey, by the link at the door.
pub async fn first(doors: &Doors, agent: &UserAgent) -> Page {
    let door = agent.visit(&doors.url("trello", "/page")).await;
    let html = door.html();
    let link = tags(&html).into_iter().find_map(|tag| {
        let href = tag.attribute("href").filter(|href| href.contains("/login/passkey"))?;
        Some(unescape(href))
    });
    agent.click(&door, &link.unwrap_or_else(|| panic!("no passkey link: {}", door.describe()))).await
}

/// The same, asked as the second step after the right password.
async fn second(doors: &Doors, agent: &UserAgent, email: &str) -> Page {
    let asked = doors.log_in(agent, email, PASSWORD).await;
    agent.submit(&asked, "/.fedgate/step/passkey", &[]).await
}

fn is_inside(doors: &Doors, page: &Page) -> bool {
    page.url.as_str() == doors.url("trello", "/page")
}

async fn events(doors: &Doors, action: &str) -> Vec<Value> {
    let rows = doors.node.login.world().store.log(0, 10_000).await.expect("the store");
    let events = rows.iter().map(|row| serde_json::from_slice::<Value>(&row.bytes).expect("JSON"));
    events.filter(|event| event["action"] == action).collect()
}

#[tokio::test]
async fn a_passkey_is_enrolled_asked_for_after_the_password_and_opens_alone() {
    let doors = Doors::open("", "").await;
    let (ann, mut authenticator) = with_passkey(&doors, ANN, b"ann's passkey").await;
    let enrolled = events(&doors, "factor.enrolled").await;
    assert_eq!(enrolled.iter().map(|event| &event["method"]).collect::<Vec<_>>(), [&json!("passkey")]);
    assert!(doors.letter(ANN, 1).await.contains("a passkey was added"));
    let listed = ann.visit(&doors.url("trello", "/.fedgate/security")).await;
    assert!(listed.text().contains("Ann’s phone"), "{}", listed.describe());

    let again = doors.agent();
    let page = second(&doors, &again, ANN).await;
    let asked = options(&page);
    assert!(page.url.as_str().starts_with(&doors.url("id", "/login/passkey")), "{}", page.describe());
    assert_eq!(bytes(&asked["allowCredentials"][0]["id"]), b"ann's passkey");
    assert_eq!((&asked["rpId"], &asked["userVerification"]), (&json!(ID), &json!("required")));
    assert!(!doors.is_inside(&again, "trello").await, "a password alone opens nothing now");
    let inside = post(&again, &page, &authenticator.get(&scene(&doors, &page))).await;
    assert!(is_inside(&doors, &inside), "{}", inside.describe());
    assert!(
        inside
            .trace
            .iter()
            .all(|hop| !hop.url.query().unwrap_or_default().contains("proof=") || hop.status.is_redirection()),
        "what opens travels in redirects alone"
    );

    let alone = doors.agent();
    let page = first(&doors, &alone).await;
    assert_eq!(options(&page)["allowCredentials"], json!([]), "nobody is named (H18)");
    let inside = post(&alone, &page, &authenticator.get(&scene(&doors, &page))).await;
    assert!(is_inside(&doors, &inside), "{}", inside.describe());
    assert!(!doors.is_inside(&alone, "loom").await, "good at its own product alone");
    let logins = events(&doors, "login.succeeded").await;
    assert_eq!(logins.last().expect("one")["method"], "passkey");
    doors.close().await;
}

/// One answer that opens nothing: asked again, not inside, and recorded with its reason.
async fn refused(doors: &Doors, agent: &UserAgent, page: &Page, answer: &str, why: &str) -> Page {
    let after = post(agent, page, answer).await;
    assert!(after.text().contains("That passkey didn’t work here"), "{why}: {}", after.describe());
    assert!(!doors.is_inside(agent, "trello").await, "{why}");
    let denied = events(doors, "login.denied").await;
    let found = denied.iter().any(|event| event["reason"] == "wrong-passkey" && event["trace"] == json!([why]));
    // The first ones of a stranger are written whole (rule M15).
    assert!(found || denied.len() >= 5, "{why} is not recorded: {denied:?}");
    after
}

#[tokio::test]
async fn an_answer_that_is_wrong_in_one_field_opens_nothing() {
    let doors = Doors::open("", "").await;
    let (_, mut authenticator) = with_passkey(&doors, ANN, b"ann's passkey").await;
    type Change = fn(&mut Scene);
    let changes: [(&str, Change); 6] = [
        ("passkey-origin", |scene| scene.origin = "https://trello.example.test".to_owned()),
        ("passkey-origin", |scene| scene.more = json!({ "crossOrigin": true })),
        ("passkey-rp-id", |scene| scene.rp_id = "example.test".to_owned()),
        ("passkey-challenge", |scene| scene.challenge = vec![1; 32]),
        ("passkey-ceremony", |scene| scene.kind = "webauthn.create"),
        ("passkey-user-verification", |scene| scene.flags = FLAGS & !4),
    ];
    for (why, change) in changes {
        for as_second in [false, true] {
            let thief = doors.agent();
            let page = if as_second { second(&doors, &thief, ANN).await } else { first(&doors, &thief).await };
            let mut scene = scene(&doors, &page);
            change(&mut scene);
            refused(&doors, &thief, &page, &authenticator.get(&scene), why).await;
        }
    }
    let thief = doors.agent();
    let page = first(&doors, &thief).await;
    let mut forged = Authenticator::new(b"ann's passkey", &authenticator.user);
    forged.counter = 100;
    let page = refused(&doors, &thief, &page, &forged.get(&scene(&doors, &page)), "passkey-signature").await;
    let mut unknown = Authenticator::new(b"nobody's passkey", &authenticator.user);
    let page = refused(&doors, &thief, &page, &unknown.get(&scene(&doors, &page)), "passkey-credential").await;
    let mut named = authenticator.get(&scene(&doors, &page));
    named = named.replace(&URL_SAFE_NO_PAD.encode(&authenticator.user), &URL_SAFE_NO_PAD.encode([9; 16]));
    let page = refused(&doors, &thief, &page, &named, "passkey-user-handle").await;
    let page = refused(&doors, &thief, &page, "{}", "passkey-shape").await;
    // The same page, answered honestly: the refusals were about the answers.
    let inside = post(&thief, &page, &authenticator.get(&scene(&doors, &page))).await;
    assert!(is_inside(&doors, &inside), "{}", inside.describe());
    doors.close().await;
}

#[tokio::test]
async fn a_challenge_is_good_once_and_in_its_own_browser() {
    let doors = Doors::open("", "").await;
    let (_, mut authenticator) = with_passkey(&doors, ANN, b"ann's passkey").await;
    let ann = doors.agent();
    let page = first(&doors, &ann).await;
    let scene = scene(&doors, &page);
    let answer = authenticator.get(&scene);
    let foreign = doors.agent();
    let theirs = first(&doors, &foreign).await;
    let theirs = refused(&doors, &foreign, &theirs, &answer, "passkey-challenge").await;
    // The whole form in another browser: not that one's.
    let form = page.form("credential");
    let sealed = form.fields.iter().find(|(name, _)| name == "to").expect("sealed");
    let fields = [("credential", answer.as_str()), ("to", sealed.1.as_str())];
    let moved = foreign.submit(&theirs, "credential", &fields).await;
    assert!(!is_inside(&doors, &moved), "{}", moved.describe());
    assert!(!doors.is_inside(&foreign, "trello").await);

    assert!(is_inside(&doors, &post(&ann, &page, &answer).await));
    // Once more, with a counter that would do.
    let again = post(&ann, &page, &authenticator.get(&scene)).await;
    assert!(again.text().contains("That passkey didn’t work here"), "{}", again.describe());
    doors.close().await;
}

#[tokio::test]
async fn h1_the_first_second_step_that_a_policy_asks_for_may_be_a_passkey() {
    let doors = Doors::open("", "[people]\nsecond_step = \"required\"").await;
    doors.person(ANN).await;
    let ann = doors.agent();
    let asked = doors.log_in(&ann, ANN, PASSWORD).await;
    assert!(asked.text().contains("Check your mail"), "{}", asked.describe());
    let code = digits(&doors.letter(ANN, 1).await);
    let page = ann.submit(&asked, "code", &[("code", &code)]).await;
    let ceremony = ann.submit(&page, "act", &[("act", "passkey")]).await;
    let (done, mut authenticator) = enrol_on(&doors, &ann, &ceremony, b"ann's first").await;
    assert!(done.text().contains("recovery codes"), "{}", done.describe());
    assert!(!doors.is_inside(&ann, "trello").await, "the next login asks for both");
    // The page is good for the first one: it adds no second step beside it.
    let again = ann.submit(&page, "act", &[("act", "passkey")]).await;
    assert!(!again.html().contains("data-options"), "{}", again.describe());
    let asked = doors.log_in(&ann, ANN, PASSWORD).await;
    let page = ann.submit(&asked, "/.fedgate/step/passkey", &[]).await;
    let inside = post(&ann, &page, &authenticator.get(&scene(&doors, &page))).await;
    assert_eq!(inside.url.as_str(), doors.url("trello", "/page"), "{}", inside.describe());
    doors.close().await;
}

#[tokio::test]
async fn a_counter_that_fell_is_refused_and_recorded() {
    let doors = Doors::open("", "").await;
    let (_, mut authenticator) = with_passkey(&doors, ANN, b"ann's passkey").await;
    let ann = doors.agent();
    let page = first(&doors, &ann).await;
    authenticator.counter = 40;
    assert!(is_inside(&doors, &post(&ann, &page, &authenticator.get(&scene(&doors, &page))).await));
    // The copy that somebody made of it before.
    authenticator.counter = 30;
    let thief = doors.agent();
    let page = first(&doors, &thief).await;
    refused(&doors, &thief, &page, &authenticator.get(&scene(&doors, &page)), "passkey-counter").await;
    let denied = events(&doors, "login.denied").await;
    let event = denied.iter().find(|event| event["trace"] == json!(["passkey-counter"])).expect("recorded");
    assert!(event["subject"]["account"].is_string(), "{event}");
    doors.close().await;
}

#[tokio::test]
async fn another_persons_passkey_is_no_second_step() {
    let doors = Doors::open("", "").await;
    with_passkey(&doors, ANN, b"ann's passkey").await;
    let (_, mut bobs) = with_passkey(&doors, BOB, b"bob's passkey").await;
    let thief = doors.agent();
    let page = second(&doors, &thief, ANN).await;
    refused(&doors, &thief, &page, &bobs.get(&scene(&doors, &page)), "passkey-credential").await;
    doors.close().await;
}

#[tokio::test]
async fn a_removed_passkey_opens_nothing() {
    let doors = Doors::open("", "").await;
    let (ann, mut authenticator) = with_passkey(&doors, ANN, b"ann's passkey").await;
    let page = ann.visit(&doors.url("trello", "/.fedgate/security")).await;
    let remove =
        page.form("current").buttons.into_iter().find(|(_, value)| value.starts_with("remove")).expect("one").1;
    // The passkey is enrolled: it, or a code that came with it, is asked for (H1).
    let without = ann.submit(&page, "current", &[("current", PASSWORD), ("act", &remove)]).await;
    assert!(without.text().contains("That didn’t work"), "{}", without.describe());
    let store = &doors.node.login.world().store;
    let person = doors.node.login.world().store.accounts_by_email(&ANN.parse_email()).await.unwrap().remove(0);
    let factor = store.factors_of(person.id).await.unwrap().remove(0);
    let drop = Change::Credential(CredentialChange::DropFactor(person.id, factor.id));
    store.commit(Batch { changes: vec![drop], ..Batch::default() }).await.expect("dropped");
    let thief = doors.agent();
    let page = first(&doors, &thief).await;
    refused(&doors, &thief, &page, &authenticator.get(&scene(&doors, &page)), "passkey-credential").await;
    doors.close().await;
}

#[tokio::test]
async fn what_comes_back_from_the_login_host_is_good_once_where_it_began() {
    let doors = Doors::open("", "").await;
    let (_, mut authenticator) = with_passkey(&doors, ANN, b"ann's passkey").await;
    let ann = doors.agent();
    let page = first(&doors, &ann).await;
    let inside = post(&ann, &page, &authenticator.get(&scene(&doors, &page))).await;
    let back = inside.trace.iter().find(|hop| hop.url.path() == "/.fedgate/passkey").expect("the way back").url.clone();
    // Login CSRF: an attacker's own proof in somebody else's browser, and the other way round a thief's.
    let other = doors.agent();
    let page = other.visit(back.as_str()).await;
    assert!(!doors.is_inside(&other, "trello").await, "{}", page.describe());
    // A second time, by the browser that began.
    let page = step(&ann, back.as_str()).await;
    let text = page.text();
    assert!(text.contains("expired") || location(&page).contains("/.fedgate/login"), "{}", page.describe());
    doors.close().await;
}

#[tokio::test]
async fn a_leaked_address_of_an_enrolment_adds_nothing_after_its_owner_looked() {
    let doors = Doors::open("", "").await;
    doors.person(ANN).await;
    let ann = doors.agent();
    doors.log_in(&ann, ANN, PASSWORD).await;
    let page = ann.visit(&doors.url("trello", "/.fedgate/security")).await;
    let page = ann.submit(&page, "current", &[("current", PASSWORD), ("act", "passkey")]).await;
    options(&page);
    let thief = doors.agent();
    let found = thief.visit(page.url.as_str()).await;
    assert!(!found.html().contains("data-options"), "{}", found.describe());
    doors.close().await;
}

/// A row as an enrolment would have made it, for somebody who cannot log in to make it.
async fn plant(doors: &Doors, whose: &ProductAccount, of: &Authenticator) {
    let world = doors.node.login.world();
    let mut factor = Factor {
        id: FactorId::from_bytes([7; 16]),
        account: whose.account,
        kind: FactorKind::Passkey,
        label: "Passkey".to_owned(),
        secret: of.cose(),
        handle: Some(of.handle.clone()),
        counter: 1,
        created_at: Timestamp::from_seconds(1_700_000_000),
        last_used_at: None,
        mac: [0; 32],
    };
    factor.mac = world.keys.mac_factor(&factor);
    let changes = vec![Change::Credential(CredentialChange::AddFactor(factor))];
    world.store.commit(Batch { changes, ..Batch::default() }).await.expect("planted");
}

#[tokio::test]
async fn h21_a_managed_persons_passkey_is_no_way_round_their_organization() {
    let doors = Doors::open("", "").await;
    let email = "ann@acme.example.test";
    let record = doors.make(email, None).await;
    let mut authenticator = Authenticator::new(b"from before", &record.account.to_bytes());
    plant(&doors, &record, &authenticator).await;
    let ann = doors.agent();
    let page = first(&doors, &ann).await;
    let after = post(&ann, &page, &authenticator.get(&scene(&doors, &page))).await;
    assert!(!doors.is_inside(&ann, "trello").await, "{}", after.describe());
    let rerouted = events(&doors, "login.rerouted").await;
    assert_eq!(rerouted.last().expect("sent to their organization")["method"], "passkey", "{}", after.describe());
    assert!(events(&doors, "login.succeeded").await.is_empty());
    doors.close().await;
}

trait ParseEmail {
    fn parse_email(&self) -> fedgate::kernel::values::EmailAddress;
}

impl ParseEmail for str {
    fn parse_email(&self) -> fedgate::kernel::values::EmailAddress {
        fedgate::kernel::values::EmailAddress::parse(self).unwrap()
    }
}
