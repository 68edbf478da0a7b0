//! Accounts that end for good (rows T33, L08; rule H2): 14 days to take it back, and after them nobody, by no door.

use std::time::Duration;

use fedgate::kernel::event::Actor;
use fedgate::kernel::journal::{Batch, Change, DeletionChange};
use fedgate::kernel::model::{AccountStatus, Deletion, ProductAccount, ProductAccountState};
use fedgate::kernel::values::{AccountId, EmailAddress, ProductAccountId, ProductName};
use serde_json::json;

use crate::doors::PASSWORD;
use crate::moves::Ground;
use crate::support::adapter::Adapter;
use crate::support::agent::UserAgent;
use crate::support::clock::eventually;
use crate::support::page::Page;
use crate::world::sign_in;

const ANN: &str = "ann@free.example.test";
const OPEN: &str = "signup = \"open\"\ni_know_everyone_may_enter = true\nmigration = { phase = \"optional\" }";

impl Ground {
    /// Ann, whose first login by the issuer makes her account.
    async fn ann(&self) -> (UserAgent, AccountId) {
        let agent = self.browser();
        let page = self.by_provider(&agent, ANN, "issuer", "ann").await;
        assert!(self.is_at_product(&page), "{}", page.describe());
        (agent, self.people(ANN).await.pop().expect("an account"))
    }

    async fn people(&self, email: &str) -> Vec<AccountId> {
        let email = EmailAddress::parse(email).unwrap();
        self.store().accounts_by_email(&email).await.unwrap().into_iter().map(|account| account.id).collect()
    }

    async fn delete(&self, agent: &UserAgent) -> Page {
        let page = agent.visit(&self.doors.url("id", "/account/delete")).await;
        assert!(page.text().contains("Delete your account?"), "{}", page.describe());
        agent.submit(&page, "/account/delete", &[]).await
    }

    async fn status(&self, account: AccountId) -> AccountStatus {
        self.store().account(account).await.unwrap().expect("a row").status
    }

    /// The day has come, and whoever looks after deletions looks.
    async fn end_now(&self, account: AccountId) {
        let db = self.doors.database();
        db.execute("UPDATE deletion SET at = 1", []).expect("written");
        db.execute("UPDATE account SET delete_at = 1 WHERE delete_at IS NOT NULL", []).expect("written");
        let world = self.doors.node.login.world();
        let deletion = self.store().deletions_due(world.clock.now(), 10).await.unwrap().pop().expect("one is due");
        assert_eq!(deletion.account, account);
        world.bury(&deletion).await.expect("ended");
    }

    fn accounts(&self) -> i64 {
        self.doors.database().query_row("SELECT count(*) FROM account", [], |row| row.get(0)).expect("a count")
    }
}

#[tokio::test]
async fn t33_l05_whoever_deletes_their_account_is_out_at_once_and_takes_it_back_at_the_next_login() {
    let ground = Ground::open(OPEN).await;
    let (agent, ann) = ground.ann().await;
    let elsewhere = ground.browser();
    ground.by_provider(&elsewhere, ANN, "issuer", "ann").await;
    let before = ground.status(ann).await;
    agent.visit(&ground.doors.url("id", "/account/delete")).await;
    assert_eq!(ground.status(ann).await, before, "nothing by GET");
    let page = ground.delete(&agent).await;
    assert!(page.text().contains("will be deleted"), "{}", page.describe());
    assert!(matches!(ground.status(ann).await, AccountStatus::PendingDelete(_)));
    for browser in [&agent, &elsewhere] {
        assert!(!ground.inside(browser).await);
    }
    let letter = ground.doors.letter(&format!("To: {ANN}"), 1).await;
    assert!(letter.to_lowercase().contains("delete"), "n7: {letter}");
    // The provider's word does not bring the account back: it shows the way.
    let again = ground.browser();
    let offer = ground.by_provider(&again, ANN, "issuer", "ann").await;
    assert!(offer.text().contains("going to be deleted"), "{}", offer.describe());
    assert!(!ground.inside(&again).await);
    // Somebody else's browser with the same form changes nothing.
    let thief = ground.browser();
    let home = thief.visit(&ground.doors.url("id", "/login")).await;
    let csrf =
        home.forms().into_iter().flat_map(|form| form.fields).find(|(name, _)| name == "csrf").expect("its own").1;
    thief.submit(&offer, "/login/restore", &[("csrf", &csrf)]).await;
    assert!(matches!(ground.status(ann).await, AccountStatus::PendingDelete(_)), "another browser's");
    let page = again.submit(&offer, "/login/restore", &[]).await;
    assert!(page.text().contains("Your account stays"), "{}", page.describe());
    assert_eq!(ground.status(ann).await, AccountStatus::Active);
    let page = ground.by_provider(&ground.browser(), ANN, "issuer", "ann").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    let actions =
        ["account.deletion_scheduled", "account.deletion_cancelled"].map(|action| ground.events(action).len());
    assert_eq!(actions, [1, 1]);
    ground.doors.close().await;
}

#[tokio::test]
async fn h2_after_the_day_neither_the_identity_nor_the_address_makes_the_person_anew() {
    let adapter = Adapter::start();
    let ground = Ground::open_at(OPEN, Some(&adapter)).await;
    let (agent, ann) = ground.ann().await;
    let trello = ProductName::parse("trello").unwrap();
    let record = ground.store().product_account(&trello, ann).await.unwrap().expect("a record");
    ground.delete(&agent).await;
    ground.end_now(ann).await;
    assert_eq!(ground.status(ann).await, AccountStatus::Deleted);
    assert_eq!(ground.state(&record).await, ProductAccountState::Closed);
    let row = ground.store().account(ann).await.unwrap().expect("the row stays");
    assert_eq!((row.email, row.name), (None, None), "nothing says whose it was");
    assert_eq!(ground.store().identities_of(ann).await.unwrap(), []);
    let count = ground.accounts();
    // The identity with another address, the address with another identity, and both.
    let by = async |way: &str, login: &str| {
        let agent = ground.browser();
        let page = ground.by_provider(&agent, ANN, way, login).await;
        assert!(page.status.is_client_error(), "{way} {login}: {}", page.describe());
        assert!(!ground.inside(&agent).await);
    };
    by("issuer", "ann").await;
    by("other", "ann").await;
    ground.op.act("/people", json!({ "op-ann": { "email": "new@free.example.test" } })).await;
    by("issuer", "ann").await;
    assert_eq!(ground.accounts(), count, "nobody was made");
    // Somebody else is made as ever.
    let page = ground.by_provider(&ground.browser(), ANN, "issuer", "mallory").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    let closed = || adapter.calls().iter().any(|call| call.path == "/fedgate/close" && call.body["sub"] == record.sub);
    eventually("the product knows", Duration::from_secs(30), closed).await;
    assert_eq!(adapter.faults(), Vec::<String>::new());
    assert_eq!(ground.events("account.deleted").len(), 1);
    ground.doors.close().await;
}

#[tokio::test]
async fn h2_whoever_the_operator_lets_come_anew_is_somebody_new() {
    let ground = Ground::open(OPEN).await;
    let (agent, ann) = ground.ann().await;
    let address = EmailAddress::parse(ANN).unwrap();
    let login = &ground.doors.node.login;
    let lift = async || {
        let by = Actor { kind: "operator".to_owned(), id: Some("uid 0".to_owned()), address: None };
        login.lift_tombstone(&address, &by, login.world().clock.now()).await
    };
    assert!(login.tombstone(&address).await.unwrap().is_none() && lift().await.is_err(), "she lives");
    ground.delete(&agent).await;
    assert!(lift().await.is_err(), "she may still take it back herself");
    ground.end_now(ann).await;
    let found = login.tombstone(&address).await.unwrap().expect("her tombstone");
    assert_eq!((found.account, found.known_to.len()), (ann, 1), "the product knows her address");
    assert!(!ground.is_at_product(&ground.by_provider(&ground.browser(), ANN, "issuer", "ann").await));
    lift().await.expect("lifted");
    assert_eq!(ground.events("account.tombstones_lifted").len(), 1);
    assert!(lift().await.is_err(), "once");
    // The product would know her by her address as who she was (rule H19): it lets go of it first.
    let page = ground.by_provider(&ground.browser(), ANN, "issuer", "ann").await;
    assert!(!ground.is_at_product(&page), "{}", page.describe());
    let by = Actor { kind: "operator".to_owned(), id: None, address: None };
    login.free_address(&found.known_to[0], &address, &by, login.world().clock.now()).await.expect("freed");
    let again = ground.browser();
    let page = ground.by_provider(&again, ANN, "issuer", "ann").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    assert_eq!(ground.status(ann).await, AccountStatus::Deleted);
    assert!(ground.people(ANN).await.iter().all(|account| *account != ann), "and nobody of before");
    ground.doors.close().await;
}

#[tokio::test]
async fn h2_an_address_that_a_deleted_account_never_proved_keeps_nobody_out() {
    let ground = Ground::open(OPEN).await;
    let squatter = ground.doors.unverified(ANN).await.account;
    let now = ground.doors.node.login.world().clock.now();
    let deletion = Deletion { account: squatter, was: AccountStatus::Active, org: None, at: now };
    let scheduled = Change::Deletion(DeletionChange::Schedule(deletion));
    ground.store().commit(Batch { changes: vec![scheduled], ..Batch::default() }).await.expect("scheduled");
    ground.end_now(squatter).await;
    assert_eq!(ground.status(squatter).await, AccountStatus::Deleted);
    let page = ground.by_provider(&ground.browser(), ANN, "issuer", "ann").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.doors.close().await;
}

#[tokio::test]
async fn l06_who_is_managed_asks_an_admin_and_a_password_alone_deletes_nothing() {
    let ground = Ground::open(OPEN).await;
    let cara = ground.browser();
    let page = ground.doors.identify(&cara, "cara@globex.example.test").await;
    let page = sign_in(&cara, page, "cara").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    let page = cara.visit(&ground.doors.url("id", "/account/delete")).await;
    assert!(page.text().contains("Ask an admin"), "{}", page.describe());
    assert!(page.forms().iter().all(|form| form.action != "/account/delete"), "{}", page.describe());
    // A password of the product's is no login here.
    ground.doors.person(ANN).await;
    let ann = ground.browser();
    ground.doors.log_in(&ann, ANN, PASSWORD).await;
    let page = ann.visit(&ground.doors.url("id", "/account/delete")).await;
    assert!(page.forms().iter().all(|form| form.action != "/account/delete"), "{}", page.describe());
    assert!(ground.events("account.deletion_scheduled").is_empty());
    ground.doors.close().await;
}

#[tokio::test]
async fn t33_whoever_has_a_password_of_one_product_alone_deletes_the_account_there_and_takes_it_back() {
    let ground = Ground::open(OPEN).await;
    let record = ground.doors.person(ANN).await;
    let ann = ground.browser();
    let page = ground.doors.log_in(&ann, ANN, PASSWORD).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    let here = ground.doors.url("trello", "/.fedgate/account");
    let account = ann.visit(&here).await;
    assert!(account.text().contains("Delete the account"), "{}", account.describe());
    let delete = format!("{here}/delete");
    // What another place's form says counts for nothing.
    let page = ann.visit(&delete).await;
    assert!(page.text().contains("Delete your account?"), "{}", page.describe());
    let forged = ann.submit(&page, "/.fedgate/account/delete", &[("csrf", "x")]).await;
    assert!(forged.text().contains("Delete your account?"), "{}", forged.describe());
    // A login of an hour ago is no proof of who sits there.
    let world = ground.doors.node.login.world();
    let aged = async |by: Duration| {
        let mut session = ground.store().login_sessions_of(record.account).await.unwrap().pop().expect("a session");
        session.auth_time = world.clock.now().minus(by);
        let mac = world.keys.mac_login(&session);
        let sql = "UPDATE login_session SET auth_time = ?, mac = ?";
        ground.doors.database().execute(sql, (session.auth_time.millis(), mac)).expect("written");
    };
    aged(Duration::from_secs(660)).await;
    let stale = ann.submit(&page, "/.fedgate/account/delete", &[]).await;
    assert!(stale.text().contains("Log in again first"), "{}", stale.describe());
    assert!(ground.events("account.deletion_scheduled").is_empty());
    aged(Duration::ZERO).await;

    let page = ann.visit(&delete).await;
    let gone = ann.submit(&page, "/.fedgate/account/delete", &[]).await;
    assert_eq!(gone.status, 200, "{}", gone.describe());
    assert!(matches!(ground.status(record.account).await, AccountStatus::PendingDelete(_)), "{}", gone.describe());
    assert!(!ground.inside(&ann).await, "every session ends");
    let told = ground.events("account.deletion_scheduled");
    assert_eq!((told.len(), &told[0]["product"]), (1, &json!("trello")));
    ground.doors.letter(&format!("To: {ANN}"), 1).await;

    // A wrong password is told nothing; the right one is asked whether the account stays.
    let thief = ground.browser();
    let page = ground.doors.log_in(&thief, ANN, "wrong-wrong-wrong-1").await;
    assert!(!page.text().contains("going to be deleted"), "{}", page.describe());
    let back = ground.browser();
    let asked = ground.doors.log_in(&back, ANN, PASSWORD).await;
    assert!(asked.text().contains("going to be deleted") && !ground.inside(&back).await, "{}", asked.describe());
    // In another browser the form is worth nothing.
    let page = thief.visit(&ground.doors.url("trello", "/.fedgate/account/restore")).await;
    assert!(!page.text().contains("Keep my account"), "{}", page.describe());
    let kept = back.submit(&asked, "/.fedgate/account/restore", &[]).await;
    assert!(kept.status == 200 && !ground.inside(&back).await, "{}", kept.describe());
    assert_eq!(ground.status(record.account).await, AccountStatus::Active);
    assert_eq!(ground.events("account.deletion_cancelled").len(), 1);
    let again = back.submit(&asked, "/.fedgate/account/restore", &[]).await;
    assert!(!again.text().contains("Keep my account"), "{}", again.describe());
    let page = ground.doors.log_in(&ground.browser(), ANN, PASSWORD).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());

    // After the day the password opens nothing, and the address makes nobody anew.
    let page = ground.doors.log_in(&ann, ANN, PASSWORD).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    let page = ann.visit(&delete).await;
    ann.submit(&page, "/.fedgate/account/delete", &[]).await;
    ground.end_now(record.account).await;
    let late = ground.browser();
    let page = ground.doors.log_in(&late, ANN, PASSWORD).await;
    assert!(!ground.is_at_product(&page) && !page.text().contains("Keep my account"), "{}", page.describe());
    ground.doors.close().await;
}

#[tokio::test]
async fn h6_a_products_host_deletes_no_account_that_is_more_than_its_password() {
    let ground = Ground::open(OPEN).await;
    let record = ground.doors.person(ANN).await;
    let ann = ground.browser();
    let page = ground.doors.log_in(&ann, ANN, PASSWORD).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    let form = ann.visit(&ground.doors.url("trello", "/.fedgate/account/delete")).await;
    assert!(form.text().contains("Delete your account?"), "{}", form.describe());
    // A second product knows the same account by now.
    let at_loom = ProductAccount {
        id: ProductAccountId::from_bytes([9; 16]),
        product: ProductName::parse("loom").unwrap(),
        sub: "l-1".to_owned(),
        ..record.clone()
    };
    let batch = Batch { changes: vec![Change::CreateProductAccount(at_loom)], ..Batch::default() };
    ground.store().commit(batch).await.expect("written");
    let page = ann.submit(&form, "/.fedgate/account/delete", &[]).await;
    assert!(!page.text().contains("Until"), "{}", page.describe());
    assert_eq!(ground.status(record.account).await, AccountStatus::Active);
    assert!(ground.events("account.deletion_scheduled").is_empty());
    ground.doors.close().await;
}

#[tokio::test]
async fn h1_the_way_back_asks_for_the_second_step_that_was_enrolled() {
    let ground = Ground::open(OPEN).await;
    let record = ground.doors.person(ANN).await;
    let ann = ground.browser();
    ground.doors.log_in(&ann, ANN, PASSWORD).await;
    let page = ann.visit(&ground.doors.url("trello", "/.fedgate/account/delete")).await;
    ann.submit(&page, "/.fedgate/account/delete", &[]).await;
    let seed = ground.enrolled(&record).await;
    let back = ground.browser();
    let page = ground.doors.log_in(&back, ANN, PASSWORD).await;
    assert!(!page.text().contains("Keep my account"), "a password alone: {}", page.describe());
    let code = seed.code(ground.doors.node.login.world().clock.now().seconds() / 30);
    let asked = back.submit(&page, "code", &[("code", &code)]).await;
    assert!(asked.text().contains("Keep my account"), "{}", asked.describe());
    back.submit(&asked, "/.fedgate/account/restore", &[]).await;
    assert_eq!(ground.status(record.account).await, AccountStatus::Active);
    ground.doors.close().await;
}
