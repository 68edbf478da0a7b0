//! Which address stays when an account moves: picked among those that are proved, named anew and proved by its mailbox, or an admin's
//! to change. What a thief of the password, a mail scanner or a second tab gets of it.

use fedgate::kernel::journal::{AccessChange, Batch, Change};
use fedgate::kernel::model::{ProductAccount, ProductAccountState};
use fedgate::kernel::values::EnterpriseName;
use serde_json::json;

use crate::doors::{PASSWORD, digits, token};
use crate::moves::Ground;
use crate::passwords::face;
use crate::support::agent::UserAgent;
use crate::support::page::Page;
use crate::world::sign_in;

const ANN: &str = "ann@free.example.test";
const NEW: &str = "ann.new@elsewhere.example.test";
const SECOND: &str = "second@free.example.test";
const OPTIONAL: &str = "migration = { phase = \"optional\" }";

/// Both sides are proved: the third party's login, and the password at the product's door.
async fn review(ground: &Ground, agent: &UserAgent) -> Page {
    let asked = ground.by_provider(agent, ANN, "other", "ann").await;
    agent.submit(&asked, "password", &[("password", PASSWORD)]).await
}

/// From the review to the page that asks which address.
async fn which(agent: &UserAgent, review: &Page) -> Page {
    let url = review.url.as_str().replacen("/login/link?", "/login/link/address?", 1);
    assert!(review.text().contains("Use another address"), "{}", review.describe());
    agent.click(review, &url).await
}

async fn is_local(ground: &Ground, record: &ProductAccount) {
    assert_ne!(ground.state(record).await, ProductAccountState::Linked);
    assert!(ground.events("migration.committed").is_empty());
}

/// Something of the account changes.
async fn change(ground: &Ground, record: &ProductAccount) {
    let mut account = ground.store().account(record.account).await.unwrap().expect("the account");
    account.epoch += 1;
    let mut batch = Batch::default();
    batch.end_everything_of(account.id);
    ground.store().commit(batch).await.expect("written");
    let now = ground.store().account(record.account).await.unwrap().expect("the account");
    assert_eq!(now.epoch, account.epoch);
}

#[tokio::test]
async fn t12_the_review_keeps_another_proved_address_of_the_account_where_its_person_picks_it() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.person(ANN).await;
    ground.another(&record, SECOND, true).await;
    let ann = ground.browser();
    let first = review(&ground, &ann).await;
    assert!(first.text().contains(&format!("Your address will be {ANN}")), "{}", first.describe());
    let page = which(&ann, &first).await;
    assert!(page.text().contains(&format!("Keep {SECOND}")), "{}", page.describe());
    // One that is proved needs no mail, and shows the review with it.
    let second = ann.submit(&page, "email", &[("email", SECOND)]).await;
    assert!(second.text().contains(&format!("Your address will be {SECOND}")), "{}", second.describe());
    assert_eq!(ground.doors.letters("To: "), 0);
    is_local(&ground, &record).await;
    // The facts change: it is shown again, with the choice.
    ground.another(&record, "third@free.example.test", false).await;
    let stale = ann.submit(&second, "/login/link", &[]).await;
    assert_eq!(stale.status, 409, "{}", stale.describe());
    assert!(stale.text().contains(&format!("Your address will be {SECOND}")), "{}", stale.describe());
    let page = ann.submit(&stale, "/login/link", &[]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, SECOND).await;
    // The tab of before, with the other address, does nothing any more.
    let late = ann.submit(&first, "/login/link", &[]).await;
    assert_ne!(late.status, 200, "{}", late.describe());
    ground.assert_moved(&record, SECOND).await;
    assert_eq!(ground.events("migration.committed").len(), 1);
    ground.doors.close().await;
}

#[tokio::test]
async fn t19_who_has_the_password_and_no_mailbox_takes_an_address_that_its_own_mailbox_proves() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.person(ANN).await;
    let ann = ground.browser();
    let page = which(&ann, &review(&ground, &ann).await).await;
    let wrong = ann.submit(&page, "email", &[("email", "ann at home")]).await;
    assert!(wrong.text().contains("doesn’t look like an email address"), "{}", wrong.describe());
    let waits = ann.submit(&wrong, "email", &[("email", NEW)]).await;
    // N5: the address of before is told, and not which one comes.
    let letter = ground.doors.letter(&format!("To: {ANN}"), 1).await;
    assert!(letter.contains("a=E2=80=A2") || letter.contains("a•••@e•••"), "{letter}");
    assert!(!letter.contains(NEW), "m13: {letter}");
    let code = digits(&ground.doors.letter(&format!("To: {NEW}"), 1).await);
    let no = ann.submit(&waits, "code", &[("code", "00000000")]).await;
    assert!(no.text().contains("That code isn’t right"), "{}", no.describe());
    // The same form in another browser is worth nothing.
    let thief = ground.browser();
    let stolen = thief.submit(&no, "code", &[("code", &code)]).await;
    assert!(!stolen.text().contains("Your address will be"), "{}", stolen.describe());
    let review = ann.submit(&no, "code", &[("code", &code)]).await;
    assert!(review.text().contains(&format!("Your address will be {NEW}")), "{}", review.describe());
    // Nothing has changed before the button: neither the record nor who may log in with what.
    is_local(&ground, &record).await;
    let addresses = ground.store().addresses_of(record.id).await.unwrap();
    assert_eq!(addresses.iter().map(|address| address.email.as_str()).collect::<Vec<_>>(), [ANN]);
    // The code is used up.
    let again = ann.submit(&no, "code", &[("code", &code)]).await;
    assert!(!again.text().contains("Your address will be"), "{}", again.describe());
    let page = ann.submit(&review, "/login/link", &[]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, NEW).await;
    let removed = ground.store().removed_aliases_of(record.id).await.unwrap();
    assert_eq!(
        removed.iter().map(|alias| (alias.email.as_str(), alias.verified_when_removed)).collect::<Vec<_>>(),
        [(ANN, true)]
    );
    let said = |action: &str| ground.events(action).len();
    assert_eq!((said("email.change_requested"), said("email.change_confirmed")), (1, 1));
    assert!(ground.doors.letter(&format!("To: {NEW}"), 2).await.contains("Other"), "n1");
    ground.doors.close().await;
}

#[tokio::test]
async fn t19_h1_a_second_step_that_was_enrolled_comes_before_the_choice() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.person(ANN).await;
    let seed = ground.enrolled(&record).await;
    let ann = ground.browser();
    let asked = ground.by_provider(&ann, ANN, "other", "ann").await;
    let stopped = ann.submit(&asked, "password", &[("password", PASSWORD)]).await;
    assert!(!stopped.text().contains("Use another address"), "{}", stopped.describe());
    let code = seed.code(ground.doors.node.login.world().clock.now().seconds() / 30);
    let review = ann.submit(&stopped, "code", &[("password", PASSWORD), ("code", &code)]).await;
    assert!(which(&ann, &review).await.text().contains("Which address"), "{}", review.describe());
    ground.doors.close().await;
}

#[tokio::test]
async fn t19_h1_the_mailed_link_acts_by_its_button_in_the_browser_that_began() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.person(ANN).await;
    let ann = ground.browser();
    let page = which(&ann, &review(&ground, &ann).await).await;
    ann.submit(&page, "email", &[("email", NEW)]).await;
    let link = token(&ground.doors.letter(&format!("To: {NEW}"), 1).await);
    let url = ground.doors.url("id", &format!("/login/reset?token={link}"));
    // A mail scanner opens it.
    let seen = ground.browser().visit(&url).await;
    assert!(seen.text().contains("Open this where you began"), "{}", seen.describe());
    assert!(seen.forms().iter().all(|form| !form.action.ends_with("/opened")), "{}", seen.describe());
    // It is no link for a new password.
    let seen = ann.visit(&ground.doors.url("trello", &format!("/.fedgate/reset/link?token={link}"))).await;
    assert!(seen.text().contains("expired"), "{}", seen.describe());
    is_local(&ground, &record).await;
    let opened = ann.visit(&url).await;
    let review = ann.submit(&opened, "/opened", &[]).await;
    assert!(review.text().contains(&format!("Your address will be {NEW}")), "{}", review.describe());
    let page = ann.submit(&review, "/login/link", &[]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, NEW).await;
    ground.doors.close().await;
}

#[tokio::test]
async fn h1_whoever_reads_the_mailbox_and_never_asked_ends_the_request() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.person(ANN).await;
    let thief = ground.browser();
    let page = which(&thief, &review(&ground, &thief).await).await;
    let waits = thief.submit(&page, "email", &[("email", NEW)]).await;
    let letter = ground.doors.letter(&format!("To: {NEW}"), 1).await;
    let reader = ground.browser();
    let opened = reader.visit(&ground.doors.url("id", &format!("/login/reset?token={}", token(&letter)))).await;
    let ended = reader.submit(&opened, "/not-me", &[]).await;
    assert!(ended.text().contains("The request is ended"), "{}", ended.describe());
    let late = thief.submit(&waits, "code", &[("code", &digits(&letter))]).await;
    assert!(!late.text().contains("Your address will be"), "{}", late.describe());
    assert_eq!(ground.events("email.change_cancelled").len(), 1);
    is_local(&ground, &record).await;
    ground.doors.close().await;
}

#[tokio::test]
async fn h1_a_code_for_an_address_has_five_tries() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.person(ANN).await;
    let ann = ground.browser();
    let page = which(&ann, &review(&ground, &ann).await).await;
    let mut page = ann.submit(&page, "email", &[("email", NEW)]).await;
    let code = digits(&ground.doors.letter(&format!("To: {NEW}"), 1).await);
    for _ in 0..5 {
        page = ann.submit(&page, "code", &[("code", "00000000")]).await;
        assert!(page.text().contains("That code isn’t right"), "{}", page.describe());
    }
    let late = ann.submit(&page, "code", &[("code", &code)]).await;
    assert!(!late.text().contains("Your address will be"), "{}", late.describe());
    is_local(&ground, &record).await;
    ground.doors.close().await;
}

#[tokio::test]
async fn t22_without_a_password_both_mailboxes_are_proved_before_another_address_is_kept() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.make(ANN, None).await;
    let ann = ground.browser();
    let asked = ground.by_provider(&ann, ANN, "other", "ann").await;
    let waits = ann.submit(&asked, "/prove/mail", &[]).await;
    let code = digits(&ground.doors.letter(&format!("To: {ANN}"), 1).await);
    let known = ann.submit(&waits, "code", &[("code", &code)]).await;
    let review = ann.submit(&known, "/.fedgate/prove", &[]).await;
    let page = which(&ann, &review).await;
    let waits = ann.submit(&page, "email", &[("email", NEW)]).await;
    // The code of the one mailbox proves nothing of the other.
    let no = ann.submit(&waits, "code", &[("code", &code)]).await;
    assert!(no.text().contains("That code isn’t right"), "{}", no.describe());
    let code = digits(&ground.doors.letter(&format!("To: {NEW}"), 1).await);
    let review = ann.submit(&no, "code", &[("code", &code)]).await;
    let page = ann.submit(&review, "/login/link", &[]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, NEW).await;
    ground.doors.close().await;
}

#[tokio::test]
async fn t16_where_no_address_is_proved_the_person_chooses_one_and_proves_it() {
    let ground = Ground::open(OPTIONAL).await;
    // The third party's login was linked before, and its address is another one.
    let record = ground.doors.unverified(ANN).await;
    ground.linked(&record, "op-mallory").await;
    let ann = ground.browser();
    let asked = ground.by_provider(&ann, ANN, "other", "mallory").await;
    assert!(asked.url.as_str().starts_with(&ground.doors.url("trello", "/.fedgate/prove?")), "{}", asked.describe());
    let page = ann.submit(&asked, "password", &[("password", PASSWORD)]).await;
    assert!(page.text().contains("Which address do you want to keep"), "{}", page.describe());
    assert!(page.text().contains(&format!("Send a code to {ANN}")), "{}", page.describe());
    is_local(&ground, &record).await;
    let waits = ann.submit(&page, "email", &[("email", ANN)]).await;
    let code = digits(&ground.doors.letter(&format!("To: {ANN}"), 1).await);
    let review = ann.submit(&waits, "code", &[("code", &code)]).await;
    assert!(review.text().contains(&format!("Your address will be {ANN}")), "{}", review.describe());
    let page = ann.submit(&review, "/login/link", &[]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, ANN).await;
    ground.doors.close().await;
}

#[tokio::test]
async fn t19_h18_an_address_that_is_anothers_or_a_companys_gets_the_same_page_and_no_mail() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.person(ANN).await;
    ground.doors.unverified("bob@free.example.test").await;
    let ann = ground.browser();
    let review = review(&ground, &ann).await;
    let mut faces = Vec::new();
    for typed in [NEW, "bob@free.example.test"] {
        let page = which(&ann, &review).await;
        faces.push(waiting_face(&ann.submit(&page, "email", &[("email", typed)]).await, typed));
    }
    let page = which(&ann, &review).await;
    faces.push(waiting_face(
        &ann.submit(&page, "email", &[("email", "dan@globex.example.test")]).await,
        "dan@globex.example.test",
    ));
    assert!(faces.iter().all(|face| *face == faces[0]), "{faces:#?}");
    let page = which(&ann, &review).await;
    let fourth = ann.submit(&page, "email", &[("email", "more@free.example.test")]).await;
    assert_eq!(fourth.status, 429, "{}", fourth.describe());
    ground.doors.letter(&format!("To: {NEW}"), 1).await;
    for typed in ["bob@free.example.test", "dan@globex.example.test"] {
        assert_eq!(ground.doors.letters(&format!("To: {typed}")), 0, "{typed}");
    }
    let refused: Vec<_> =
        ground.events("email.change_requested").into_iter().filter(|event| event["reason"] == "not-free").collect();
    assert_eq!(refused.len(), 2);
    is_local(&ground, &record).await;
    ground.doors.close().await;
}

/// The page without what is sealed into its links.
fn waiting_face(page: &Page, typed: &str) -> String {
    let face = face(page, typed);
    let (before, rest) = face.split_once("address?t=").expect("the way back");
    format!("{before}{}", rest.split_once('"').expect("the end of a link").1)
}

#[tokio::test]
async fn t12_an_address_that_somebody_else_took_meanwhile_is_not_kept() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.person(ANN).await;
    let ann = ground.browser();
    let page = which(&ann, &review(&ground, &ann).await).await;
    let waits = ann.submit(&page, "email", &[("email", NEW)]).await;
    let code = digits(&ground.doors.letter(&format!("To: {NEW}"), 1).await);
    let review = ann.submit(&waits, "code", &[("code", &code)]).await;
    ground.doors.unverified(NEW).await;
    let refused = ann.submit(&review, "/login/link", &[]).await;
    assert!(refused.text().contains("already has another login"), "{}", refused.describe());
    is_local(&ground, &record).await;
    ground.doors.close().await;
}

#[tokio::test]
async fn t20_who_is_managed_is_told_to_ask_the_admin_and_changes_nothing() {
    let initech = "[org.initech]\ndomains = [\"initech.example.test\"]\nadmins = [\"it@initech.example.test\"]\n\
                   sso = { oidc = \"https://sso.invalid\", client_id = \"x\", client_secret_file = \"{dir}/op.secret\" }\n\
                   [org.initech.policy]\nsso = \"off\"\nthird_party = [\"other\"]\n";
    let ground = Ground::open_with(OPTIONAL, initech, None).await;
    let record = ground.doors.person(ANN).await;
    let ann = ground.browser();
    let review = review(&ground, &ann).await;
    let asks = which(&ann, &review).await;
    // She is a company's from now on.
    ground.another(&record, "ann@initech.example.test", true).await;
    for page in [ann.click(&review, asks.url.as_str()).await, ann.submit(&asks, "email", &[("email", NEW)]).await] {
        assert!(
            !page.html().contains("name=\"email\"") && !page.text().contains("Check your mail"),
            "{}",
            page.describe()
        );
        assert!(page.status == 403 && page.text().contains("Ask an admin"), "{}", page.describe());
    }
    let refused = ground.events("email.change_requested");
    assert_eq!(refused.len(), 2);
    assert!(
        refused.iter().all(|event| (&event["reason"], &event["outcome"]) == (&json!("managed"), &json!("refused")))
    );
    assert_eq!(ground.doors.letters(&format!("To: {NEW}")), 0);
    let again = ann.click(&review, review.url.as_str()).await;
    assert!(!again.text().contains("Use another address"), "no control: {}", again.describe());
    is_local(&ground, &record).await;
    ground.doors.close().await;
}

#[tokio::test]
async fn t20_t37_a_member_of_an_enterprise_is_told_which_manager_to_ask() {
    let more = "[org.initech]\ndomains = [\"initech.example.test\"]\nadmins = [\"it@initech.example.test\"]\n\
                sso = { oidc = \"https://sso.invalid\", client_id = \"x\", client_secret_file = \"{dir}/op.secret\" }\n\
                [org.initech.policy]\nsso = \"off\"\nthird_party = [\"other\"]\n\
                [[product.trello.enterprise]]\nname = \"bigco\"\nlabel = \"Big Company\"\nadmins = [\"boss@bigco.example.test\"]\n";
    let ground = Ground::open_with(OPTIONAL, more, None).await;
    let record = ground.doors.person(ANN).await;
    let ann = ground.browser();
    let review = review(&ground, &ann).await;
    let asks = which(&ann, &review).await;
    // The product says whose member she is: what she had open offers nothing any more.
    let to = Some(EnterpriseName::parse("bigco").unwrap());
    let change = AccessChange::Belong { record: record.id, from: None, to };
    ground.store().commit(Batch { changes: vec![Change::Access(change)], ..Batch::default() }).await.expect("written");
    let page = ann.submit(&asks, "email", &[("email", NEW)]).await;
    let says = page.text();
    assert!(page.status == 403 && says.contains("Your enterprise Big Company manages"), "{}", page.describe());
    assert!(says.contains("b•••@b•••") && !says.contains("boss@"), "m13: {}", page.describe());
    assert!(!says.contains("organization"), "{}", page.describe());
    let again = ann.click(&review, review.url.as_str()).await;
    assert!(!again.text().contains("Use another address"), "no control: {}", again.describe());
    // An organization manages her as well: both are named.
    ground.another(&record, "ann@initech.example.test", true).await;
    let page = ann.click(&review, asks.url.as_str()).await;
    assert!(page.status == 403, "{}", page.describe());
    assert!(
        page.text().contains("Your organization “Initech” manages")
            && page.text().contains("your enterprise Big Company"),
        "{}",
        page.describe()
    );
    let refused = ground.events("email.change_requested");
    let reasons: Vec<_> = refused.iter().map(|event| event["reason"].as_str().expect("a reason")).collect();
    assert_eq!(reasons.len(), 2);
    assert!(reasons.contains(&"managed-by-enterprise") && reasons.contains(&"managed-by-both"), "{reasons:?}");
    assert_eq!(ground.doors.letters(&format!("To: {NEW}")), 0);
    is_local(&ground, &record).await;
    ground.doors.close().await;
}

#[tokio::test]
async fn mistake_17_a_change_of_address_that_waits_dies_with_any_change_of_the_account() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.person(ANN).await;
    let thief = ground.browser();
    let asked = ground.by_provider(&thief, ANN, "other", "ann").await;
    let first = thief.submit(&asked, "password", &[("password", PASSWORD)]).await;
    let page = which(&thief, &first).await;
    let waits = thief.submit(&page, "email", &[("email", NEW)]).await;
    let code = digits(&ground.doors.letter(&format!("To: {NEW}"), 1).await);
    let changed = thief.submit(&waits, "code", &[("code", &code)]).await;
    assert!(changed.text().contains(&format!("Your address will be {NEW}")), "{}", changed.describe());
    let chosen = changed
        .url
        .as_str()
        .split_once('.')
        .map(|_| changed.url.query().unwrap().rsplit_once('.').unwrap().1.to_owned());
    // Something of the account changes: what was proved before is over.
    change(&ground, &record).await;
    let dead = thief.submit(&changed, "/login/link", &[]).await;
    assert!(!ground.is_at_product(&dead), "{}", dead.describe());
    // Both sides are proved anew in the same browser; the choice of before is not carried over.
    let second = thief.visit(asked.url.as_str()).await;
    let second = thief.submit(&second, "password", &[("password", PASSWORD)]).await;
    assert!(second.text().contains(&format!("Your address will be {ANN}")), "{}", second.describe());
    let carried = thief.click(&second, &format!("{}.{}", second.url, chosen.expect("a choice"))).await;
    assert!(!carried.text().contains("Your address will be"), "{}", carried.describe());
    is_local(&ground, &record).await;
    ground.doors.close().await;
}

#[tokio::test]
async fn mistake_17_l05_a_new_password_ends_a_change_of_address_that_a_thief_began() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.person(ANN).await;
    let thief = ground.browser();
    let page = which(&thief, &review(&ground, &thief).await).await;
    let waits = thief.submit(&page, "email", &[("email", NEW)]).await;
    let code = digits(&ground.doors.letter(&format!("To: {NEW}"), 1).await);
    // Her owner is told, and chooses a new password, although the record is on its way.
    ground.doors.letter(&format!("To: {ANN}"), 1).await;
    let ann = ground.browser();
    let page = ann.visit(&ground.doors.url("trello", "/forgot")).await;
    let page = ann.submit(&page, "email", &[("email", ANN)]).await;
    let reset = digits(&ground.doors.letter(&format!("To: {ANN}"), 2).await);
    let page = ann.submit(&page, "code", &[("code", &reset)]).await;
    let done = ann.submit(&page, "password", &[("password", "orchid-tumble-44-granite")]).await;
    assert!(done.text().contains("Your password is changed"), "{}", done.describe());
    let late = thief.submit(&waits, "code", &[("code", &code)]).await;
    assert!(!late.text().contains("Your address will be"), "{}", late.describe());
    is_local(&ground, &record).await;
    ground.doors.close().await;
}

/// Ann goes from her product to the issuer, where she is known by an address that her record never had.
async fn to_issuer_as(ground: &Ground, agent: &UserAgent, login: &str) -> Page {
    let page = ground.doors.log_in(agent, ANN, PASSWORD).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    let page = agent.visit(&ground.doors.url("trello", "/.fedgate/move")).await;
    let page = agent.submit(&page, "/.fedgate/move", &[]).await;
    sign_in(agent, page, login).await
}

#[tokio::test]
async fn t22_an_issuer_account_with_another_address_is_connected_after_a_proof_on_both_sides() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.person(ANN).await;
    let ann = ground.browser();
    let asked = to_issuer_as(&ground, &ann, "mallory").await;
    // A session is no proof of the record: both sides are named, and its password is asked for.
    assert!(asked.url.as_str().starts_with(&ground.doors.url("trello", "/.fedgate/prove?")), "{}", asked.describe());
    for said in [ANN, "mallory@free.example.test", "Example"] {
        assert!(asked.text().contains(said), "h1: {said}: {}", asked.describe());
    }
    let wrong = ann.submit(&asked, "password", &[("password", "not-the-password")]).await;
    assert!(wrong.text().contains("That didn’t work"), "{}", wrong.describe());
    is_local(&ground, &record).await;
    // Another browser has nothing of it.
    let elsewhere = ground.browser().visit(asked.url.as_str()).await;
    assert!(!elsewhere.text().contains(ANN), "{}", elsewhere.describe());
    let review = ann.submit(&wrong, "password", &[("password", PASSWORD)]).await;
    assert!(review.text().contains(&format!("Your address will be {ANN}")), "{}", review.describe());
    // The issuer's word for its own address is a mailbox proved: it may be chosen.
    let page = which(&ann, &review).await;
    assert!(page.text().contains("Keep mallory@free.example.test"), "{}", page.describe());
    let review = ann.submit(&page, "email", &[("email", "mallory@free.example.test")]).await;
    assert!(review.text().contains("Your address will be mallory@free.example.test"), "{}", review.describe());
    assert_eq!(ground.store().identities_of(record.account).await.unwrap(), [], "nothing is connected by looking");
    let page = ann.submit(&review, "/login/link", &[]).await;
    assert!(page.url.as_str().starts_with(&ground.doors.url("trello", "/")), "{}", page.describe());
    assert!(ground.inside(&ann).await);
    ground.assert_moved(&record, "mallory@free.example.test").await;
    let links = ground.store().identities_of(record.account).await.unwrap();
    assert_eq!(links.iter().map(|link| link.key.subject.as_str()).collect::<Vec<_>>(), ["op-mallory"]);
    // The way by which she comes from now on.
    let page = ground.by_provider(&ground.browser(), "mallory@free.example.test", "issuer", "mallory").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.doors.close().await;
}

#[tokio::test]
async fn t22_another_address_that_the_issuer_does_not_vouch_for_or_that_is_somebodys_moves_nothing() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.person(ANN).await;
    let claims = json!({ "email": "other@free.example.test", "email_verified": false });
    ground.op.mode(claims.clone(), claims).await;
    let page = to_issuer_as(&ground, &ground.browser(), "mallory").await;
    assert!(page.status.is_client_error(), "unverified never: {}", page.describe());
    is_local(&ground, &record).await;
    ground.op.mode(serde_json::Value::Null, serde_json::Value::Null).await;
    // Somebody else of the product has the issuer's address.
    let mallory = ground.doors.person("mallory@free.example.test").await;
    let page = to_issuer_as(&ground, &ground.browser(), "mallory").await;
    assert_ne!(ground.state(&record).await, ProductAccountState::Linked, "{}", page.describe());
    assert_eq!(ground.store().identities_of(record.account).await.unwrap(), []);
    assert_eq!(ground.state(&mallory).await, ProductAccountState::Linked, "it is hers, and the issuer vouches for it");
    ground.doors.close().await;
}

#[tokio::test]
async fn t22_where_everybody_must_move_what_was_typed_is_enough_and_nobody_new_is_made() {
    let ground = Ground::open("migration = { phase = \"forced\" }").await;
    let record = ground.doors.person(ANN).await;
    let ann = ground.browser();
    let page = ground.doors.log_in(&ann, ANN, PASSWORD).await;
    let page = ann.submit(&page, "/.fedgate/move", &[]).await;
    let page = sign_in(&ann, page, "mallory").await;
    assert!(page.url.as_str().starts_with(&ground.doors.url("trello", "/.fedgate/prove?")), "{}", page.describe());
    assert!(!page.html().contains("type=\"password\""), "it was given a moment ago: {}", page.describe());
    let review = ann.submit(&page, "/.fedgate/prove", &[]).await;
    let page = ann.submit(&review, "/login/link", &[]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, ANN).await;
    assert!(ground.events("jit.created").is_empty());
    ground.doors.close().await;
}
