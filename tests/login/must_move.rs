//! Where everybody must move: nobody who may is left without a way on, and nobody who may not finds one.

use fedgate::kernel::model::ProductAccountState;
use serde_json::{Value, json};

use crate::doors::PASSWORD;
use crate::moves::Ground;
use crate::world::sign_in;

const ANN: &str = "ann@free.example.test";
const FORCED: &str = "migration = { phase = \"forced\" }";
/// Logins ask nobody for a second step; links do (rule H1).
const LOGINS_ASK_NONE: &str = "[people]\nsecond_step = \"off\"";

#[tokio::test]
async fn h1_b11_who_enrolled_a_second_step_takes_it_on_the_way_also_where_logins_ask_for_none() {
    let ground = Ground::open_with(FORCED, LOGINS_ASK_NONE, None).await;
    let record = ground.doors.unverified(ANN).await;
    let seed = ground.enrolled(&record).await;
    let ann = ground.browser();
    let asked = ground.doors.log_in(&ann, ANN, PASSWORD).await;
    assert!(asked.text().contains("One more step"), "{}", asked.describe());
    let code = seed.code(ground.doors.node.login.world().clock.now().seconds() / 30);
    let page = ann.submit(&asked, "code", &[("code", &code)]).await;
    assert!(page.text().contains("Continue with Example"), "{}", page.describe());
    let page = ann.submit(&page, "/.fedgate/move", &[]).await;
    let page = sign_in(&ann, page, "ann").await;
    assert!(!page.html().contains("type=\"password\""), "both were given a moment ago: {}", page.describe());
    let review = ann.submit(&page, "/.fedgate/prove", &[]).await;
    let page = ann.submit(&review, "/login/link", &[]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, ANN).await;
    ground.doors.close().await;
}

#[tokio::test]
async fn h1_a_second_step_that_was_enrolled_on_the_way_is_asked_for_and_leads_nowhere_in_a_circle() {
    let ground = Ground::open_with(FORCED, LOGINS_ASK_NONE, None).await;
    let record = ground.doors.unverified(ANN).await;
    let ann = ground.browser();
    let page = ground.doors.log_in(&ann, ANN, PASSWORD).await;
    let page = ann.submit(&page, "/.fedgate/move", &[]).await;
    // In another browser, while this one is at the provider.
    let seed = ground.enrolled(&record).await;
    let asked = sign_in(&ann, page, "ann").await;
    assert!(asked.text().contains("One thing is missing"), "the password alone is not enough: {}", asked.describe());
    assert_eq!(ground.state(&record).await, ProductAccountState::Local);
    let without = ann.submit(&asked, "code", &[("code", "")]).await;
    assert!(without.text().contains("That code isn’t right"), "{}", without.describe());
    let code = seed.code(ground.doors.node.login.world().clock.now().seconds() / 30);
    let review = ann.submit(&without, "code", &[("code", &code)]).await;
    let page = ann.submit(&review, "/login/link", &[]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, ANN).await;
    ground.doors.close().await;
}

#[tokio::test]
async fn t13_after_the_deadline_the_issuers_word_for_a_proved_address_commits_and_nothing_less_does() {
    let ground = Ground::open_with(FORCED, LOGINS_ASK_NONE, None).await;
    let record = ground.doors.person(ANN).await;
    // Somebody at the issuer with her address, which the issuer does not vouch for; and somebody with another one.
    for (login, word) in [("liar", Value::Null), ("liar", json!("true")), ("mallory", Value::Null)] {
        let claims = if word.is_null() { Value::Null } else { json!({ "email_verified": word }) };
        ground.op.mode(claims.clone(), claims).await;
        ground.by_provider(&ground.browser(), ANN, "issuer", login).await;
        assert_eq!(ground.state(&record).await, ProductAccountState::Local, "{login} {word}");
        assert_eq!(ground.store().identities_of(record.account).await.unwrap(), [], "{login} {word}");
    }
    ground.op.mode(Value::Null, Value::Null).await;
    // Her first login there is all that is asked of her: no password, and no page of ours between.
    let ann = ground.browser();
    let page = ground.by_provider(&ann, ANN, "issuer", "ann").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, ANN).await;
    ground.doors.close().await;
}
