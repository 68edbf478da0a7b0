//! Names and addresses that change at the provider after an account was linked (rows L09, T23; §4 #31).

use std::time::Duration;

use fedgate::kernel::journal::{Batch, Change};
use fedgate::kernel::model::{
    IdentityKey, LinkedBy, LinkedIdentity, ProductAccount, ProductAccountState, SubjectSource,
};
use fedgate::kernel::values::{DirectoryName, EmailAddress, ProductAccountId, ProductName, Timestamp};
use serde_json::json;

use crate::doors::PASSWORD;
use crate::moves::Ground;
use crate::support::adapter::{Adapter, Manner};
use crate::support::clock::eventually;
use crate::world::sign_in;

const ANN: &str = "ann@free.example.test";
const NEW: &str = "ann.lee@free.example.test";
const OPTIONAL: &str = "migration = { phase = \"optional\" }";

impl Ground {
    /// Somebody whose record at the product moved to the issuer's account, `ann` there, and of whom the product knows whole.
    async fn moved_ann(&self) -> ProductAccount {
        let record = self.doors.imported(ANN, "u-1").await;
        self.log_in_as_ann(ANN).await;
        eventually("it has heard of all", Duration::from_secs(30), || !self.events("migration.completed").is_empty())
            .await;
        record
    }

    async fn log_in_as_ann(&self, typed: &str) {
        let page = self.by_provider(&self.browser(), typed, "issuer", "ann").await;
        assert!(self.is_at_product(&page), "{}", page.describe());
    }

    async fn says_of_ann(&self, what: serde_json::Value) {
        self.op.act("/people", json!({ "op-ann": what })).await;
    }

    async fn profile(&self, record: &ProductAccount) -> (String, Option<String>) {
        let account = self.store().account(record.account).await.unwrap().expect("the account");
        assert!(account.email_verified);
        (account.email.expect("an address").to_string(), account.name)
    }
}

#[tokio::test]
async fn l09_t23_what_the_issuer_says_anew_of_a_person_reaches_the_product_once() {
    let adapter = Adapter::start();
    adapter.person(ANN, PASSWORD, "u-1");
    let ground = Ground::open_at(OPTIONAL, Some(&adapter)).await;
    let record = ground.moved_ann().await;
    assert_eq!(ground.profile(&record).await, (ANN.to_owned(), Some("ann".to_owned())));
    let heard = adapter.calls().len();
    assert_eq!(adapter.calls().last().expect("set_profile").body["name"], json!("ann"), "the move told the name");
    ground.log_in_as_ann(ANN).await;
    let first = ground.events("account.updated").len();

    // The product is out of order: the person does not wait for it, and it hears of it when it is back.
    adapter.be(Manner::Status(503, ""));
    ground.says_of_ann(json!({ "email": NEW, "name": "Ann\u{202e} Lee" })).await;
    ground.log_in_as_ann(ANN).await;
    assert_eq!(ground.profile(&record).await, (NEW.to_owned(), Some("Ann Lee".to_owned())));
    let at_product = ground.doors.trello.last("/page");
    assert_eq!(at_product.head.first("x-fedgate-user"), Some("u-1"), "the same user");
    eventually("it was tried", Duration::from_secs(10), || adapter.calls().len() > heard).await;
    adapter.be(Manner::Honest);
    eventually("it has heard", Duration::from_secs(30), || !ground.events("profile.synced").is_empty()).await;
    let calls = adapter.calls();
    let told = calls.get(heard..).expect("calls");
    for call in told {
        assert_eq!(call.path, "/fedgate/set_profile", "t24: nothing else");
        assert_eq!(call.idempotency_key, format!("{}/profile/1", record.id), "the same at each try");
        assert_eq!(
            (&call.body["sub"], &call.body["email"], &call.body["name"]),
            (&json!("u-1"), &json!(NEW), &json!("Ann Lee"))
        );
    }
    let updates = ground.events("account.updated");
    assert_eq!(updates.len(), first + 1);
    assert_eq!(updates.last().unwrap()["after"], json!({ "email": NEW, "name": "Ann Lee" }));
    let (trello, old) = (ProductName::parse("trello").unwrap(), EmailAddress::parse(ANN).unwrap());
    let alias = ground.store().removed_alias(&trello, &old).await.unwrap().expect("the one before is given up");
    assert_eq!((alias.product_account, alias.verified_when_removed), (record.id, true));
    let live = ground.store().addresses_of(record.id).await.unwrap();
    assert_eq!(live.iter().map(|address| address.email.as_str()).collect::<Vec<_>>(), [NEW]);

    // Nothing new is nothing to tell; what changes again is told under a key of its own.
    let heard = calls.len();
    ground.log_in_as_ann(NEW).await;
    assert_eq!(ground.events("account.updated").len(), first + 1);
    ground.says_of_ann(json!({ "name": "Ann Lee-Doe" })).await;
    ground.log_in_as_ann(NEW).await;
    eventually("it has heard", Duration::from_secs(30), || ground.events("profile.synced").len() == 2).await;
    let calls = adapter.calls();
    assert_eq!(calls.len(), heard + 1);
    let last = calls.last().unwrap();
    assert_eq!(last.idempotency_key, format!("{}/profile/2", record.id));
    assert_eq!((&last.body["email"], &last.body["name"]), (&json!(NEW), &json!("Ann Lee-Doe")));
    assert_eq!(adapter.faults(), Vec::<String>::new());
    ground.doors.close().await;
}

#[tokio::test]
async fn l09_an_address_that_is_anothers_a_companys_or_unproved_is_not_followed_and_the_login_goes_on() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.person(ANN).await;
    ground.log_in_as_ann(ANN).await;
    ground.doors.person("mallory@free.example.test").await;
    for (email, verified) in
        [("mallory@free.example.test", true), ("ann@globex.example.test", true), ("ann.lee@free.example.test", false)]
    {
        ground.says_of_ann(json!({ "email": email, "email_verified": verified })).await;
        let ann = ground.browser();
        let mut page = ground.by_provider(&ann, ANN, "issuer", "ann").await;
        // Who has that address at the product may be she as well: she is asked about it, and logged in (row L10).
        if email.starts_with("mallory") {
            assert_eq!(page.url.path(), "/login/merge", "{}", page.describe());
            page = ann.submit(&page, "/login/merge", &[("act", "apart")]).await;
        }
        assert!(ground.is_at_product(&page), "{email}: {}", page.describe());
        assert_eq!(ground.profile(&record).await.0, ANN, "{email}");
        let logins = ground.events("login.succeeded");
        assert_eq!(logins.last().expect("a login")["after"], json!({ "address_ignored": email }), "flagged");
    }
    ground.doors.close().await;
}

#[tokio::test]
async fn l09_while_a_record_has_a_password_of_its_own_the_address_stays_and_the_name_is_followed() {
    let ground = Ground::open("").await;
    let record = ground.doors.person(ANN).await;
    let at_loom = ProductAccount {
        id: ProductAccountId::from_bytes([7; 16]),
        product: ProductName::parse("loom").unwrap(),
        sub: "l-1".to_owned(),
        state: ProductAccountState::Linked,
        ..record.clone()
    };
    let world = ground.doors.node.login.world();
    let directory = world.catalog.load().directory_names[&DirectoryName::Issuer];
    let link = LinkedIdentity {
        key: IdentityKey { directory, source: SubjectSource("sub".to_owned()), subject: "op-ann".to_owned() },
        account: record.account,
        by: LinkedBy::FirstLogin,
        linked_at: Timestamp::from_seconds(1),
        suspended: false,
    };
    let changes = vec![Change::CreateProductAccount(at_loom), Change::Link(link)];
    ground.store().commit(Batch { changes, ..Batch::default() }).await.expect("a record at loom");
    ground.says_of_ann(json!({ "email": NEW, "name": "Ann Lee" })).await;
    let ann = ground.browser();
    let page = ann.visit(&ground.doors.url("loom", "/page")).await;
    let page = ann.submit(&page, "email", &[("email", ANN)]).await;
    let page = ann.submit(&page, "/.fedgate/depart", &[("way", "issuer")]).await;
    sign_in(&ann, page, "ann").await;
    assert!(ground.doors.is_inside(&ann, "loom").await);
    assert_eq!(ground.profile(&record).await, (ANN.to_owned(), Some("Ann Lee".to_owned())));
    // By which she still logs in at the other product.
    assert!(ground.is_at_product(&ground.doors.log_in(&ground.browser(), ANN, PASSWORD).await));
    ground.doors.close().await;
}

#[tokio::test]
async fn c3_m7_what_a_third_party_says_anew_of_a_person_changes_nothing() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.person(ANN).await;
    ground.log_in_as_ann(ANN).await;
    let before = ground.profile(&record).await;
    ground.linked(&record, "op-mallory").await;
    let page = ground.by_provider(&ground.browser(), ANN, "other", "mallory").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    assert_eq!(ground.profile(&record).await, before);
    ground.doors.close().await;
}
