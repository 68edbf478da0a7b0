//! Two accounts of one person at one product (rows L10, L11): merged with a proof of both, kept apart, left for later, or never; and what
//! nobody merges.

use fedgate::kernel::journal::{AccessChange, Batch, Change};
use std::time::Duration;

use fedgate::kernel::model::{MigrationStep, ProductAccount, ProductAccountState};
use fedgate::kernel::values::{EmailAddress, EnterpriseName, ProductName};
use serde_json::json;

use crate::doors::PASSWORD;
use crate::moves::Ground;
use crate::support::adapter::{Adapter, Manner};
use crate::support::agent::UserAgent;
use crate::support::clock::eventually;
use crate::support::page::Page;
use crate::world::sign_in;

const ANN: &str = "ann@free.example.test";
const MALLORY: &str = "mallory@free.example.test";
const OPEN: &str = "signup = \"open\"\ni_know_everyone_may_enter = true\nmigration = { phase = \"optional\" }";

/// Somebody of the issuer's who has an account at the product already, and whose address there is that of an account with a password.
struct Two {
    ground: Ground,
    adapter: Adapter,
    survivor: ProductAccount,
    loser: ProductAccount,
}

impl Two {
    async fn open(keys: &str) -> Self {
        let adapter = Adapter::start();
        adapter.person(ANN, PASSWORD, "u-ann");
        let ground = Ground::open_at(keys, Some(&adapter)).await;
        let page = ground.by_provider(&ground.browser(), MALLORY, "issuer", "mallory").await;
        assert!(ground.is_at_product(&page), "{}", page.describe());
        let person = EmailAddress::parse(MALLORY).unwrap();
        let person = ground.store().accounts_by_email(&person).await.unwrap().pop().expect("an account").id;
        let trello = ProductName::parse("trello").unwrap();
        let survivor = ground.store().product_account(&trello, person).await.unwrap().expect("a record");
        let loser = ground.doors.imported(ANN, "u-ann").await;
        ground.op.act("/people", json!({ "op-mallory": { "email": ANN } })).await;
        Self { ground, adapter, survivor, loser }
    }

    /// From the product to the page after the provider's.
    async fn log_in(&self, agent: &UserAgent) -> Page {
        self.ground.by_provider(agent, ANN, "issuer", "mallory").await
    }

    /// To the review, with the other account's password.
    async fn review(&self, agent: &UserAgent) -> Page {
        let page = self.log_in(agent).await;
        assert!(page.text().contains("You have two"), "{}", page.describe());
        let page = agent.submit(&page, "/login/merge", &[("act", "merge")]).await;
        let page = agent.submit(&page, "/.fedgate/prove", &[("password", PASSWORD)]).await;
        assert!(page.text().contains("Merge the two accounts?"), "{}", page.describe());
        page
    }

    /// Who the product takes a browser for.
    fn sub(&self) -> String {
        self.ground.doors.trello.last("/page").head.first("x-fedgate-user").expect("somebody").to_owned()
    }

    /// Nothing was merged, and the other account's password opens it.
    async fn assert_apart(&self) {
        assert_eq!(self.ground.state(&self.loser).await, ProductAccountState::Local);
        assert!(self.ground.events("merge.committed").is_empty());
        let agent = self.ground.browser();
        let page = self.ground.doors.log_in(&agent, ANN, PASSWORD).await;
        assert!(self.ground.is_at_product(&page), "{}", page.describe());
        assert_eq!(self.sub(), "u-ann");
    }
}

#[tokio::test]
async fn l10_l11_two_proved_accounts_become_one_and_nothing_of_the_other_opens_anything() {
    let two = Two::open(OPEN).await;
    let (ground, adapter) = (&two.ground, &two.adapter);
    ground.linked(&two.loser, "op-liar").await;
    // Whoever was in either account before (H14, §4 #2).
    let (theirs, own) = (ground.browser(), ground.browser());
    assert_eq!(ground.doors.log_in(&theirs, ANN, PASSWORD).await.status, 200);
    let page = two.log_in(&own).await;
    ground.doors.trello.last("/page");
    let page = own.submit(&page, "/login/merge", &[("act", "later")]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    // Said "later": the word is taken back as an operator would, to be asked at once.
    ground.doors.database().execute("DELETE FROM setting WHERE name LIKE 'merge.apart.%'", []).expect("asked again");

    // A thief's page of before, with the form for the password.
    let thief = ground.browser();
    let form = ground.doors.identify(&thief, ANN).await;
    let agent = ground.browser();
    let review = two.review(&agent).await;
    for said in [ANN, MALLORY, "This can’t be undone"] {
        assert!(review.text().contains(said), "{said}: {}", review.describe());
    }
    assert_eq!(ground.state(&two.loser).await, ProductAccountState::Local, "nothing happens before the button");
    let page = agent.submit(&review, "/login/merge/review", &[]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    assert_eq!(two.sub(), two.survivor.sub, "the account that the provider opens");

    assert_eq!(ground.state(&two.loser).await, ProductAccountState::Merged(two.survivor.id));
    assert_eq!(ground.state(&two.survivor).await, ProductAccountState::Linked);
    for (who, agent) in [("theirs", &theirs), ("own", &own)] {
        assert!(!ground.inside(agent).await, "{who}: what was before is dead");
    }
    let gone = ground.store().account(two.loser.account).await.unwrap().expect("the account");
    assert_eq!((gone.email, gone.email_verified), (None, false));
    assert_eq!(ground.store().identities_of(two.loser.account).await.unwrap(), []);
    assert_eq!(ground.store().addresses_of(two.loser.id).await.unwrap(), []);
    // By no way into the other one any more: not by its password, not by its third party.
    let page = thief.submit(&form, "password", &[("password", PASSWORD)]).await;
    assert!(!ground.is_at_product(&page) && !ground.inside(&thief).await, "{}", page.describe());
    let page = ground.by_provider(&ground.browser(), ANN, "other", "liar").await;
    assert_ne!(two.sub(), "u-ann", "{}", page.describe());
    // The next login is asked nothing, and brings the address along.
    let again = ground.browser();
    let page = two.log_in(&again).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    assert_eq!(two.sub(), two.survivor.sub);
    let person = ground.store().account(two.survivor.account).await.unwrap().expect("the account");
    assert_eq!(person.email.as_ref().map(EmailAddress::as_str), Some(ANN));

    eventually("the product knows", Duration::from_secs(30), || !ground.events("merge.completed").is_empty()).await;
    let id = ground.store().migration_of(two.loser.id).await.unwrap().expect("a journal").id;
    let calls = adapter.calls();
    let told: Vec<_> = calls.iter().filter(|call| call.body["sub"] == "u-ann" && call.body["mode"] != "none").collect();
    let told: Vec<_> = told.iter().map(|call| (call.path.as_str(), call.idempotency_key.clone())).collect();
    let expected = ["set_auth_mode", "revoke_sessions", "merge"];
    let expected = expected.map(|step| (format!("/fedgate/{step}"), format!("{id}/{step}")));
    assert_eq!(told, expected.each_ref().map(|(path, key)| (path.as_str(), key.clone())));
    assert_eq!(calls.iter().find(|call| call.path.ends_with("/merge")).unwrap().body["into"], json!(two.survivor.sub));
    let committed = ground.events("merge.committed");
    assert_eq!((committed.len(), &committed[0]["after"]["into"]), (1, &json!(two.survivor.id.to_string())));
    let letter = ground.doors.letter(&format!("To: {ANN}"), 1).await;
    assert!(letter.contains("accounts are one now"), "{letter}");
    assert_eq!(adapter.faults(), Vec::<String>::new());
    two.ground.doors.close().await;
}

#[tokio::test]
async fn l10_apart_is_asked_once_and_later_again_and_nobody_is_merged() {
    let two = Two::open(OPEN).await;
    let agent = two.ground.browser();
    let page = two.log_in(&agent).await;
    let page = agent.submit(&page, "/login/merge", &[("act", "apart")]).await;
    assert!(two.ground.is_at_product(&page), "{}", page.describe());
    assert_eq!(two.sub(), two.survivor.sub);
    let page = two.log_in(&two.ground.browser()).await;
    assert!(two.ground.is_at_product(&page), "not asked twice: {}", page.describe());
    assert_eq!(two.ground.events("merge.declined")[0]["reason"], "apart");
    two.assert_apart().await;
    two.ground.doors.close().await;
}

#[tokio::test]
async fn l10_where_everybody_must_move_it_is_not_left_for_later() {
    let two =
        Two::open("signup = \"open\"\ni_know_everyone_may_enter = true\nmigration = { phase = \"forced\" }").await;
    let agent = two.ground.browser();
    let page = two.log_in(&agent).await;
    assert!(page.text().contains("Keep them separate") && !page.text().contains("Decide later"), "{}", page.describe());
    let page = agent.submit(&page, "/login/merge", &[("act", "later")]).await;
    assert!(page.text().contains("You have two"), "{}", page.describe());
    assert!(two.ground.events("merge.declined").is_empty());
    two.ground.doors.close().await;
}

#[tokio::test]
async fn l10_h1_mistake_14_nothing_is_merged_by_a_wrong_password_another_browser_or_a_link() {
    let two = Two::open(OPEN).await;
    let (ground, agent) = (&two.ground, two.ground.browser());
    let offer = two.log_in(&agent).await;
    let page = agent.submit(&offer, "/login/merge", &[("act", "merge")]).await;
    let page = agent.submit(&page, "/.fedgate/prove", &[("password", "not the password")]).await;
    assert!(page.text().contains("That didn’t work"), "{}", page.describe());
    let review = agent.submit(&page, "/.fedgate/prove", &[("password", PASSWORD)]).await;
    assert!(review.text().contains("Merge the two accounts?"), "{}", review.describe());
    // The addresses of the pages, in a browser that did not begin.
    let victim = ground.browser();
    for url in [offer.url.as_str(), review.url.as_str()] {
        let seen = victim.visit(url).await;
        assert!(seen.forms().iter().all(|form| !form.action.contains("/merge")), "{}", seen.describe());
    }
    // And in one that is logged in as somebody else.
    let other = ground.browser();
    let page = ground.doors.identify(&other, "cara@globex.example.test").await;
    let page = sign_in(&other, page, "cara").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    for url in [offer.url.as_str(), review.url.as_str()] {
        let seen = other.visit(url).await;
        assert!(seen.forms().iter().all(|form| !form.action.contains("/merge")), "{}", seen.describe());
    }
    two.assert_apart().await;
    two.ground.doors.close().await;
}

#[tokio::test]
async fn h1_an_enrolled_second_step_of_the_other_account_is_asked_for() {
    let two = Two::open(OPEN).await;
    let (ground, agent) = (&two.ground, two.ground.browser());
    let seed = ground.enrolled(&two.loser).await;
    let page = two.log_in(&agent).await;
    let page = agent.submit(&page, "/login/merge", &[("act", "merge")]).await;
    let page = agent.submit(&page, "/.fedgate/prove", &[("password", PASSWORD)]).await;
    assert!(page.text().contains("That didn’t work"), "{}", page.describe());
    let code = seed.code(ground.doors.node.login.world().clock.now().seconds() / 30);
    let review = agent.submit(&page, "/.fedgate/prove", &[("password", PASSWORD), ("code", &code)]).await;
    let page = agent.submit(&review, "/login/merge/review", &[]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    assert_eq!(ground.state(&two.loser).await, ProductAccountState::Merged(two.survivor.id));
    assert_eq!(ground.store().factors_of(two.loser.account).await.unwrap().len(), 0, "its second steps are gone");
    two.ground.doors.close().await;
}

#[tokio::test]
async fn h1_an_enrolled_second_step_of_the_account_that_stays_is_asked_for_on_the_login_host() {
    let two = Two::open(OPEN).await;
    let (ground, agent) = (&two.ground, two.ground.browser());
    let seed = ground.enrolled(&two.survivor).await;
    let code = || seed.code(ground.doors.node.login.world().clock.now().seconds() / 30);
    // Logins ask for none of it; the merge does, after the provider asked the person again.
    let page = two.log_in(&agent).await;
    let page = agent.submit(&page, "/login/merge", &[("act", "merge")]).await;
    let page = sign_in(&agent, page, "mallory").await;
    assert!(page.text().contains("One more step"), "{}", page.describe());
    let wrong = agent.submit(&page, "code", &[("code", "000000")]).await;
    assert!(wrong.text().contains("That code isn’t right"), "{}", wrong.describe());
    let page = agent.submit(&wrong, "code", &[("code", &code())]).await;
    assert!(page.text().contains("You have two"), "{}", page.describe());
    let page = agent.submit(&page, "/login/merge", &[("act", "merge")]).await;
    let review = agent.submit(&page, "/.fedgate/prove", &[("password", PASSWORD)]).await;
    let page = agent.submit(&review, "/login/merge/review", &[]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    assert_eq!(ground.state(&two.loser).await, ProductAccountState::Merged(two.survivor.id));
    assert_eq!(ground.store().factors_of(two.survivor.account).await.unwrap().len(), 1, "the survivor's stays");
    two.ground.doors.close().await;
}

#[tokio::test]
async fn l11_a_product_that_is_down_hears_of_a_merge_later_and_its_password_is_dead_at_once() {
    let two = Two::open(OPEN).await;
    let (agent, thief) = (two.ground.browser(), two.ground.browser());
    let form = two.ground.doors.identify(&thief, ANN).await;
    let review = two.review(&agent).await;
    two.adapter.be(Manner::Status(503, ""));
    let page = agent.submit(&review, "/login/merge/review", &[]).await;
    assert!(two.ground.is_at_product(&page), "{}", page.describe());
    let stuck = || async { two.ground.store().migration_of(two.loser.id).await.unwrap().unwrap() };
    assert_eq!(stuck().await.step, MigrationStep::SetAuthMode);
    two.adapter.be(Manner::Honest);
    let page = thief.submit(&form, "password", &[("password", PASSWORD)]).await;
    assert!(!two.ground.is_at_product(&page) && !two.ground.inside(&thief).await, "{}", page.describe());
    let done = || !two.ground.events("merge.completed").is_empty();
    eventually("it has heard", Duration::from_secs(60), done).await;
    assert_eq!(stuck().await.step, MigrationStep::Done);
    two.ground.doors.close().await;
}

#[tokio::test]
async fn l10_a_product_that_cannot_be_told_keeps_both_and_says_so() {
    let ground =
        Ground::open("signup = \"open\"\ni_know_everyone_may_enter = true\nmigration = { phase = \"optional\" }").await;
    let page = ground.by_provider(&ground.browser(), MALLORY, "issuer", "mallory").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    let loser = ground.doors.person(ANN).await;
    ground.op.act("/people", json!({ "op-mallory": { "email": ANN } })).await;
    let agent = ground.browser();
    let page = ground.by_provider(&agent, ANN, "issuer", "mallory").await;
    assert!(page.text().contains("can’t be merged"), "{}", page.describe());
    let forced = agent.submit(&page, "/login/merge", &[("act", "merge")]).await;
    assert!(forced.text().contains("can’t be merged"), "{}", forced.describe());
    let page = agent.submit(&page, "/login/merge", &[("act", "apart")]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    assert_eq!(ground.state(&loser).await, ProductAccountState::Local);
    ground.doors.close().await;
}

#[tokio::test]
async fn l10_t37_an_enterprise_that_lets_no_account_go_keeps_its_members_apart() {
    let keys = "migration = { phase = \"optional\" }\nsignup = \"open\"\ni_know_everyone_may_enter = true\n\
                enterprise = [{ name = \"bigco\", merging = false }]";
    let two = Two::open(keys).await;
    let belong = async |to: &str| {
        let name = |name: &str| EnterpriseName::parse(name).unwrap();
        let change = AccessChange::Belong { record: two.loser.id, from: None, to: Some(name(to)) };
        let batch = Batch { changes: vec![Change::Access(change)], ..Batch::default() };
        two.ground.store().commit(batch).await.expect("written");
    };
    // Whoever was on the way when the other account became a member gets no further.
    let late = two.ground.browser();
    let review = two.review(&late).await;
    belong("bigco").await;
    let page = late.submit(&review, "/login/merge", &[("act", "merge")]).await;
    assert!(!two.ground.is_at_product(&page), "{}", page.describe());
    let agent = two.ground.browser();
    let page = two.log_in(&agent).await;
    assert!(
        page.text().contains("can’t be merged") && page.text().contains("a company that uses"),
        "{}",
        page.describe()
    );
    let forced = agent.submit(&page, "/login/merge", &[("act", "merge")]).await;
    assert!(forced.text().contains("can’t be merged"), "{}", forced.describe());
    let page = agent.submit(&page, "/login/merge", &[("act", "apart")]).await;
    assert!(two.ground.is_at_product(&page), "{}", page.describe());
    two.assert_apart().await;
    two.ground.doors.close().await;
}
