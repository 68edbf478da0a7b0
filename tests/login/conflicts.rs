//! Old accounts in the way of somebody who proved the address: put aside where they never proved it (B21), left alone where they gave it
//! up (B23), and never replaced where they are switched off (H2).

use std::time::Duration;

use fedgate::kernel::event::Actor;
use fedgate::kernel::journal::{Batch, Change};
use fedgate::kernel::model::{Account, AccountStatus, ProductAccount, ProductAccountState};
use fedgate::kernel::values::{EmailAddress, ProductName};
use http::Method;
use serde_json::{Value, json};

use crate::doors::{PASSWORD, digits};
use crate::moves::Ground;
use crate::support::adapter::{Adapter, Manner};
use crate::support::agent::UserAgent;
use crate::support::clock::eventually;
use crate::support::intent::Intent;
use crate::support::page::Page;

const ANN: &str = "ann@free.example.test";
const OPEN: &str = "migration = { phase = \"optional\" }\nsignup = \"open\"\ni_know_everyone_may_enter = true";
const ANEW: &str = "/.fedgate/prove/anew";
const MAIL: &str = "/.fedgate/prove/mail";

fn support() -> Actor {
    Actor { kind: "operator".to_owned(), id: Some("uid 0".to_owned()), address: None }
}

fn offers(page: &Page, action: &str) -> bool {
    page.forms().iter().any(|form| form.action == action)
}

impl Ground {
    async fn account(&self, record: &ProductAccount) -> Account {
        self.store().account(record.account).await.unwrap().expect("the account")
    }

    async fn owners(&self, email: &str) -> Vec<Account> {
        self.store().accounts_by_email(&EmailAddress::parse(email).unwrap()).await.unwrap()
    }

    /// Ann proves the address at the issuer, says that the old account is not hers, and presses the last button.
    async fn begins_anew(&self, agent: &UserAgent) -> Page {
        let asked = self.by_provider(agent, ANN, "issuer", "ann").await;
        let page = agent.submit(&asked, ANEW, &[]).await;
        agent.submit(&page, "/login/link", &[]).await
    }

    async fn set(&self, change: Change) {
        self.store().commit(Batch { changes: vec![change], ..Batch::default() }).await.expect("written");
    }
}

#[tokio::test]
async fn b21_a_squatter_is_put_aside_after_the_offer_of_proof_and_gets_nothing_of_the_newcomer() {
    let ground = Ground::open(OPEN).await;
    let record = ground.doors.unverified(ANN).await;
    // A login of a third party that the squatter planted (§4 #2), and a session that he keeps.
    ground.linked(&record, "op-mallory").await;
    let squatter = ground.browser();
    ground.doors.log_in(&squatter, ANN, PASSWORD).await;
    assert!(ground.inside(&squatter).await);
    let ann = ground.browser();
    let asked = ground.by_provider(&ann, ANN, "issuer", "ann").await;
    assert!(
        asked.html().contains("type=\"password\"") && offers(&asked, ANEW),
        "m25: asked first: {}",
        asked.describe()
    );
    let page = ann.submit(&asked, ANEW, &[]).await;
    for said in ["no longer logs anybody in", "30 days", ANN, "Example"] {
        assert!(page.text().contains(said), "{said}: {}", page.describe());
    }
    assert_eq!(ground.account(&record).await.status, AccountStatus::Active, "nothing happens by looking");
    assert!(ground.inside(&squatter).await);
    // Nor in another browser (H1).
    let elsewhere = squatter.visit(page.url.as_str()).await;
    assert!(!offers(&elsewhere, "/login/link"), "{}", elsewhere.describe());
    let page = ann.submit(&page, "/login/link", &[]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    let sub = ground.doors.trello.last("/page").head.first("x-fedgate-user").map(ToOwned::to_owned).expect("a user");
    assert_ne!(sub, record.sub, "h19: what the old account has stays its own");
    // Everything that opened the old account is dead.
    assert!(!ground.inside(&squatter).await);
    ground.doors.person("bob@free.example.test").await;
    let form = ground.doors.identify(&squatter, "bob@free.example.test").await;
    let again = squatter.submit(&form, "password", &[("email", ANN), ("password", PASSWORD)]).await;
    assert!(!ground.is_at_product(&again), "{}", again.describe());
    let old = ground.account(&record).await;
    assert_eq!((old.status, old.email), (AccountStatus::Quarantined, None));
    assert_eq!(ground.store().password(record.id).await.unwrap(), None);
    assert_eq!(ground.store().addresses_of(record.id).await.unwrap(), []);
    assert_eq!(ground.store().identities_of(record.account).await.unwrap(), []);
    let now = ground.store().product_account_by_id(record.id).await.unwrap().expect("the record");
    assert_eq!((now.sub, now.state), (record.sub.clone(), ProductAccountState::Local), "its content is not touched");
    // The planted login leads nowhere.
    let page = ground.by_provider(&ground.browser(), "mallory@free.example.test", "other", "mallory").await;
    assert_ne!(
        ground.doors.trello.last("/page").head.first("x-fedgate-user"),
        Some(record.sub.as_str()),
        "{}",
        page.describe()
    );
    let told = ground.events("account.quarantined");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["subject"]["account"], json!(record.account.to_string()));
    assert_eq!((&told[0]["before"]["status"], &told[0]["after"]["status"]), (&json!("active"), &json!("quarantined")));
    let letter = ground.doors.letter(&format!("To: {ANN}"), 1).await;
    assert!(letter.contains("30 days"), "{letter}");
    // The newcomer logs in as anybody does.
    let page = ground.by_provider(&ground.browser(), ANN, "issuer", "ann").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.doors.close().await;
}

#[tokio::test]
async fn b18_of_several_accounts_with_an_address_the_one_here_is_proved_and_the_other_stays() {
    let ground = Ground::open(OPEN).await;
    let record = ground.doors.person(ANN).await;
    let other = ground.doors.elsewhere(ANN).await;
    assert_ne!(record.account, other.account, "two accounts");
    let ann = ground.browser();
    // The issuer's word about the address does not tell which of them is meant.
    let asked = ground.by_provider(&ann, ANN, "issuer", "ann").await;
    assert!(asked.html().contains("type=\"password\""), "{}", asked.describe());
    assert!(!asked.text().contains("Loom") && !offers(&asked, ANEW), "nothing of the other: {}", asked.describe());
    let wrong = ann.submit(&asked, "password", &[("password", "not-the-password")]).await;
    assert!(wrong.text().contains("That didn’t work"), "{}", wrong.describe());
    let review = ann.submit(&wrong, "password", &[("password", PASSWORD)]).await;
    let page = ann.submit(&review, "/login/link", &[]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, ANN).await;
    let now = ground.store().product_account_by_id(other.id).await.unwrap().expect("the other record");
    assert_eq!((now.state, now.account), (ProductAccountState::Local, other.account));
    assert_eq!(ground.store().identities_of(other.account).await.unwrap(), []);
    ground.doors.close().await;
}

#[tokio::test]
async fn b21_m25_whoever_gives_the_old_password_keeps_the_old_account() {
    let ground = Ground::open(OPEN).await;
    let record = ground.doors.unverified(ANN).await;
    let ann = ground.browser();
    let asked = ground.by_provider(&ann, ANN, "issuer", "ann").await;
    let review = ann.submit(&asked, "password", &[("password", PASSWORD)]).await;
    let page = ann.submit(&review, "/login/link", &[]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, ANN).await;
    assert_eq!(ground.events("account.quarantined"), Vec::<Value>::new());
    ground.doors.close().await;
}

#[tokio::test]
async fn b22_h1_h14_the_mailbox_of_the_record_proves_it_once_in_the_browser_that_asked() {
    let ground = Ground::open(OPEN).await;
    let record = ground.doors.unverified(ANN).await;
    // A login that a squatter planted (§4 #2): whoever proves the mailbox gets rid of it.
    ground.linked(&record, "op-mallory").await;
    let ann = ground.browser();
    let asked = ground.by_provider(&ann, ANN, "issuer", "ann").await;
    let page = ann.submit(&asked, MAIL, &[]).await;
    let letter = ground.doors.letter(&format!("To: {ANN}"), 1).await;
    assert!(letter.contains("Example") && letter.contains("connect") && !letter.contains("token"), "h1: {letter}");
    let wrong = ann.submit(&page, "code", &[("code", "00000000")]).await;
    assert!(offers(&wrong, "/.fedgate/reset/code"), "{}", wrong.describe());
    let code = digits(&letter);
    let proved = ann.submit(&wrong, "code", &[("code", &code)]).await;
    assert!(proved.text().contains("You showed a moment ago"), "{}", proved.describe());
    assert_eq!(ground.state(&record).await, ProductAccountState::Local, "nothing is connected yet");
    let used = ann.submit(&wrong, "code", &[("code", &code)]).await;
    assert!(!offers(&used, "/.fedgate/prove"), "once: {}", used.describe());
    let review = ann.submit(&proved, "/.fedgate/prove", &[]).await;
    for said in ["a work address can put the account under your company’s control", ANN, "can’t be undone"] {
        assert!(review.text().contains(said), "t36: {said}: {}", review.describe());
    }
    let page = ann.submit(&review, "/login/link", &[]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, ANN).await;
    let links = ground.store().identities_of(record.account).await.unwrap();
    assert_eq!(links.iter().map(|link| link.key.subject.as_str()).collect::<Vec<_>>(), ["op-ann"], "h14");
    assert_eq!(ground.events("account.quarantined"), Vec::<Value>::new());
    let who = ann.visit(&ground.doors.url("trello", "/.fedgate/session")).await.json();
    assert_eq!((&who["linked"], &who["managed"]), (&json!(true), &json!(false)), "t34");
    ground.doors.close().await;
}

#[tokio::test]
async fn b22_h1_the_enrolled_second_step_is_asked_after_the_mailbox_as_after_the_password() {
    let ground = Ground::open(OPEN).await;
    let record = ground.doors.person(ANN).await;
    let seed = ground.enrolled(&record).await;
    let ann = ground.browser();
    let asked = ground.by_provider(&ann, ANN, "other", "ann").await;
    let page = ann.submit(&asked, MAIL, &[]).await;
    let code = digits(&ground.doors.letter(&format!("To: {ANN}"), 1).await);
    let page = ann.submit(&page, "code", &[("code", &code)]).await;
    assert!(!page.html().contains("type=\"password\""), "{}", page.describe());
    for wrong in ["", "000000"] {
        let refused = ann.submit(&page, "/.fedgate/prove", &[("code", wrong)]).await;
        assert!(refused.text().contains("That code isn’t right"), "{wrong}: {}", refused.describe());
        assert_eq!(ground.state(&record).await, ProductAccountState::Local);
    }
    let code = seed.code(ground.doors.node.login.world().clock.now().seconds() / 30);
    let review = ann.submit(&page, "/.fedgate/prove", &[("code", &code)]).await;
    let page = ann.submit(&review, "/login/link", &[]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, ANN).await;
    ground.doors.close().await;
}

#[tokio::test]
async fn m13_nobody_floods_a_mailbox_with_codes_for_an_account() {
    let ground = Ground::open(OPEN).await;
    ground.doors.person(ANN).await;
    let ann = ground.browser();
    let asked = ground.by_provider(&ann, ANN, "other", "ann").await;
    for _ in 0..3 {
        let page = ann.submit(&asked, MAIL, &[]).await;
        assert!(offers(&page, "/.fedgate/reset/code"), "{}", page.describe());
    }
    let page = ann.submit(&asked, MAIL, &[]).await;
    assert!(!offers(&page, "/.fedgate/reset/code"), "{}", page.describe());
    ground.doors.letter(&format!("To: {ANN}"), 1).await;
    assert!(ground.doors.letters(&format!("To: {ANN}")) <= 3);
    ground.doors.close().await;
}

#[tokio::test]
async fn b21_nobody_who_proved_anything_gives_way_nor_to_somebody_without_authority() {
    let ground = Ground::open(OPEN).await;
    let record = ground.doors.unverified(ANN).await;
    // A third party has no authority over the address.
    let mallory = ground.browser();
    let asked = ground.by_provider(&mallory, ANN, "other", "ann").await;
    assert!(!offers(&asked, ANEW), "{}", asked.describe());
    // The same form, sent where it was not offered.
    let fields = asked.form("/.fedgate/prove").fields;
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let forged = mallory
        .load(Intent {
            method: Method::POST,
            body: Some(("application/x-www-form-urlencoded".to_owned(), body.into())),
            ..Intent::navigation(Some(&asked.url), asked.url.join(ANEW).expect("a URL"))
        })
        .await;
    assert!(!offers(&forged, "/login/link") && !forged.url.path().starts_with("/login/link"), "{}", forged.describe());
    // The address is proved between the page and its button: the button does nothing any more.
    let ann = ground.browser();
    let asked = ground.by_provider(&ann, ANN, "issuer", "ann").await;
    let page = ann.submit(&asked, ANEW, &[]).await;
    let proved = Account { email_verified: true, ..ground.account(&record).await };
    ground.set(Change::UpdateAccount(proved)).await;
    ann.submit(&page, "/login/link", &[]).await;
    assert_eq!(ground.account(&record).await.status, AccountStatus::Active);
    assert_eq!(ground.events("account.quarantined"), Vec::<Value>::new());
    assert_eq!(ground.owners(ANN).await.len(), 1);
    ground.doors.close().await;
}

#[tokio::test]
async fn b21_support_brings_an_account_back_for_thirty_days_while_nobody_else_has_the_address() {
    let ground = Ground::open(OPEN).await;
    let record = ground.doors.unverified(ANN).await;
    let page = ground.begins_anew(&ground.browser()).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    let (login, now) = (&ground.doors.node.login, ground.doors.node.login.world().clock.now());
    let listed = login.quarantined().await.unwrap();
    assert_eq!(listed.iter().map(|one| (one.account, one.email.as_str())).collect::<Vec<_>>(), [(record.account, ANN)]);
    let refused = login.bring_back(record.account, &support(), now).await.expect_err("the newcomer has the address");
    assert!(refused.contains("has another owner now"), "{refused}");
    assert_eq!(ground.account(&record).await.status, AccountStatus::Quarantined);
    let newcomer = ground.owners(ANN).await.pop().expect("the newcomer");
    let elsewhere = EmailAddress::parse("ann.new@free.example.test").unwrap();
    ground.set(Change::UpdateAccount(Account { email: Some(elsewhere), ..newcomer })).await;
    let late = login.bring_back(record.account, &support(), now.plus(Duration::from_secs(31 * 86_400))).await;
    assert!(late.expect_err("too late").contains("30 days"));
    let epoch = ground.account(&record).await.epoch;
    let back = login.bring_back(record.account, &support(), now).await.expect("brought back");
    assert_eq!((back.email.as_ref().map(EmailAddress::as_str), back.email_verified), (Some(ANN), false));
    let account = ground.account(&record).await;
    assert_eq!((account.status, account.email_verified), (AccountStatus::Active, false));
    assert!(account.epoch > epoch, "what was alive before stays dead");
    let told = ground.events("account.restored");
    assert_eq!((&told[0]["actor"]["kind"], &told[0]["before"]["status"]), (&json!("operator"), &json!("quarantined")));
    assert_eq!(told[0]["after"]["address"], json!(ANN));
    // The old password opens it again; H19: the product has heard of the address for the newcomer, so not before that is freed.
    let trello = ProductName::parse("trello").unwrap();
    let address = EmailAddress::parse(ANN).unwrap();
    login.free_address(&trello, &address, &support(), now).await.expect("nobody there has it any more");
    let page = ground.doors.log_in(&ground.browser(), ANN, PASSWORD).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    assert_eq!(ground.doors.trello.last("/page").head.first("x-fedgate-user"), Some(record.sub.as_str()));
    assert!(login.bring_back(record.account, &support(), now).await.is_err(), "once");
    ground.doors.close().await;
}

#[tokio::test]
async fn h2_whoever_is_switched_off_is_never_replaced_by_a_new_account() {
    let ground = Ground::open(OPEN).await;
    let record = ground.doors.unverified(ANN).await;
    let now = ground.doors.node.login.world().clock.now();
    for status in [AccountStatus::Deactivated, AccountStatus::PendingDelete(now), AccountStatus::Deleted] {
        // The page was shown while the account was still active.
        ground.set(Change::SetAccountStatus(record.account, AccountStatus::Active)).await;
        let ann = ground.browser();
        let asked = ground.by_provider(&ann, ANN, "issuer", "ann").await;
        let page = ann.submit(&asked, ANEW, &[]).await;
        assert!(offers(&page, "/login/link"), "{}", page.describe());
        ground.set(Change::SetAccountStatus(record.account, status)).await;
        let refused = ann.submit(&page, "/login/link", &[]).await;
        assert!(refused.text().contains("not active"), "{status:?}: {}", refused.describe());
        let page = ground.by_provider(&ground.browser(), ANN, "issuer", "ann").await;
        assert!(page.text().contains("not active") && !offers(&page, ANEW), "{status:?}: {}", page.describe());
        assert_eq!(ground.owners(ANN).await.len(), 1, "{status:?}");
        assert!(!ground.inside(&ann).await);
    }
    assert_eq!(ground.events("account.quarantined"), Vec::<Value>::new());
    ground.doors.close().await;
}

#[tokio::test]
async fn b21_h19_a_product_hears_that_an_account_was_put_aside_and_lets_go_of_the_address() {
    let adapter = Adapter::start();
    adapter.person(ANN, PASSWORD, "u-1");
    let ground = Ground::open_at(OPEN, Some(&adapter)).await;
    let record = ground.doors.imported_unverified(ANN, "u-1").await;
    // The product has heard of the address with the old user id.
    let (product, email) = (record.product.clone(), EmailAddress::parse(ANN).unwrap());
    ground.set(Change::AssertAddress { product: product.clone(), email: email.clone(), sub: "u-1".to_owned() }).await;
    adapter.be(Manner::Status(503, ""));
    let ann = ground.browser();
    let page = ground.begins_anew(&ann).await;
    assert!(page.text().contains("already has another login"), "not yet: {}", page.describe());
    assert_eq!(ground.account(&record).await.status, AccountStatus::Quarantined);
    adapter.be(Manner::Honest);
    eventually("it has heard of all", Duration::from_secs(30), || {
        !ground.events("account.quarantine_synced").is_empty()
    })
    .await;
    let calls = adapter.calls();
    let mut told: Vec<&str> = calls.iter().map(|call| call.path.trim_start_matches("/fedgate/")).collect();
    told.dedup();
    assert_eq!(told, ["revoke_sessions", "set_profile"], "t24: nothing else, in order");
    let profile = calls.last().expect("a call");
    assert_eq!((&profile.body["sub"], &profile.body["email"]), (&json!("u-1"), &Value::Null));
    assert_eq!(ground.store().asserted_sub(&product, &email).await.unwrap(), None);
    assert!(ground.inside(&ann).await, "the newcomer is let in then");
    assert_eq!(adapter.faults(), Vec::<String>::new());
    ground.doors.close().await;
}

#[tokio::test]
async fn b23_an_address_that_an_account_gave_up_is_asked_about_before_anybody_begins_anew_with_it() {
    let ground = Ground::open(OPEN).await;
    let record = ground.doors.person("kept@free.example.test").await;
    let now = ground.doors.node.login.world().clock.now();
    ground.doors.moved(&record, &[(ANN, true)], now).await;
    let ann = ground.browser();
    let asked = ground.by_provider(&ann, ANN, "issuer", "ann").await;
    assert!(asked.url.as_str().starts_with(&ground.doors.url("id", "/login/link?")), "{}", asked.describe());
    for said in ["had this address once", "log in to it", ANN] {
        assert!(asked.text().contains(said), "{said}: {}", asked.describe());
    }
    assert!(!asked.html().contains("kept@") && !asked.html().contains("k•••"), "nothing of the other account");
    assert_eq!(ground.owners(ANN).await, [], "nothing happens by looking");
    assert!(!ground.inside(&ann).await);
    // Whoever has the old account logs in to it as ever.
    let back = ann.click(&asked, &ground.doors.url("trello", "/")).await;
    assert!(offers(&back, "/.fedgate/identify"), "{}", back.describe());
    let page = ann.submit(&asked, "/login/link", &[]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    assert_ne!(ground.doors.trello.last("/page").head.first("x-fedgate-user"), Some(record.sub.as_str()));
    let old = ground.account(&record).await;
    assert_eq!(
        (old.status, old.email.as_ref().map(EmailAddress::as_str)),
        (AccountStatus::Active, Some("kept@free.example.test"))
    );
    assert_eq!(ground.events("account.quarantined"), Vec::<Value>::new());
    ground.doors.close().await;
}

#[tokio::test]
async fn h2_b23_an_address_of_somebody_who_is_switched_off_makes_no_new_account() {
    let ground = Ground::open(OPEN).await;
    let record = ground.doors.person("kept@free.example.test").await;
    let now = ground.doors.node.login.world().clock.now();
    ground.doors.moved(&record, &[(ANN, true)], now).await;
    ground.set(Change::SetAccountStatus(record.account, AccountStatus::Deleted)).await;
    let page = ground.by_provider(&ground.browser(), ANN, "issuer", "ann").await;
    assert!(page.text().contains("not active"), "{}", page.describe());
    assert_eq!(ground.owners(ANN).await, []);
    ground.doors.close().await;
}
