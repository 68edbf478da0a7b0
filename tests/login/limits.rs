//! Session limits and what renews a session silently (HANDOVER 5, M6).

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::clock::unix_seconds;
use crate::support::page::Page;
use crate::world::World;

/// The departures for the provider on the way of a page.
fn departures(page: &Page) -> Vec<String> {
    let asked = page.trace.iter().filter(|hop| hop.url.path() == "/auth");
    asked.map(|hop| hop.url.query().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn handover_activity_in_one_product_keeps_the_other_silent() {
    let world = World::own("session = { idle = \"4s\", absolute = \"1h\" }", |file, _| {
        file.table("[org.acme.policy]\nsession = { idle = \"4s\", absolute = \"1h\" }")
    })
    .await;
    let ann = world.logged_in("ann").await;
    ann.visit(&world.url("loom", "/page")).await;
    let before = world.who(&ann, "trello").await.expect("a session")["sid"].clone();
    for _ in 0..6 {
        sleep(Duration::from_secs(1)).await;
        assert_eq!(ann.visit(&world.url("loom", "/page")).await.url.path(), "/page");
    }
    assert_eq!(world.who(&ann, "trello").await, None, "it was idle itself");
    let page = ann.visit(&world.url("trello", "/page")).await;
    assert_eq!(page.url.as_str(), world.url("trello", "/page"), "renewed: {}", page.describe());
    assert!(departures(&page).is_empty(), "{}", page.describe());
    assert_ne!(world.who(&ann, "trello").await.expect("a session")["sid"], before);

    // Idle in both: the login session is idle too, and nothing is renewed silently.
    sleep(Duration::from_millis(4_500)).await;
    let page = ann.visit(&world.url("trello", "/page")).await;
    assert!(world.asks_email(&page), "{}", page.describe());
}

#[tokio::test]
async fn handover_an_old_session_of_the_provider_is_asked_once_and_then_refused() {
    let world =
        World::own("", |file, _| file.table("[org.acme.policy]\nsession = { idle = \"1h\", absolute = \"2h\" }")).await;
    let ann = world.browser();
    world.op.mode(json!({ "auth_time": unix_seconds() - 3 * 3_600 }), Value::Null).await;
    let form = world.to_provider(&ann, "ann@acme.example.test", &world.url("trello", "/page")).await;
    let page = crate::world::sign_in(&ann, form, "ann").await;
    // The one fresh round trip asks the person again; the provider then still answers from its old session.
    let asked: Vec<_> = departures(&page);
    assert!(asked.len() == 1 && asked[0].contains("max_age=") && asked[0].contains("prompt=login"), "{asked:?}");
    let page = crate::world::sign_in(&ann, page, "ann").await;
    assert!(departures(&page).is_empty(), "no third round trip: {}", page.describe());
    world.assert_refused(&page, "proof-auth-time").await;
    assert_eq!(world.who(&ann, "trello").await, None);

    // A provider that asks the person indeed lets them in.
    world.op.mode(Value::Null, Value::Null).await;
    let page = world.log_in(&ann, "ann", &world.url("trello", "/page")).await;
    assert_eq!(page.url.as_str(), world.url("trello", "/page"), "{}", page.describe());
}

#[tokio::test]
async fn handover_the_absolute_limit_asks_for_a_new_proof() {
    let world = World::own("session = { idle = \"1h\", absolute = \"4s\" }", |file, _| file).await;
    let ann = world.logged_in("ann").await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!(world.who(&ann, "trello").await, None);
    let page = ann.visit(&world.url("trello", "/page")).await;
    // Not silently, neither by our login session nor by the provider's.
    let asked = departures(&page);
    assert!(
        asked.iter().any(|query| query.contains("max_age=") && query.contains("prompt=login")),
        "{}",
        page.describe()
    );
    let page = crate::world::sign_in(&ann, page, "ann").await;
    assert_eq!(page.url.as_str(), world.url("trello", "/page"), "{}", page.describe());
    assert!(world.who(&ann, "trello").await.is_some());
}
