//! The account page in a real browser: a second browser of the same person is seen and ended.

use crate::world::World;

#[tokio::test]
async fn a_person_sees_their_other_browser_and_logs_it_out() {
    let world = World::share().await;
    let (cem, lost) = (world.browser.person("cem of accounts"), world.browser.person("cem’s lost laptop"));
    let trello = world.url("trello", "/page");
    for browser in [&cem, &lost] {
        world.log_in(browser, "cem", &trello).await;
    }
    lost.until("#live[data-state=open]").await;
    let view = cem.open(&world.url("id", "/account")).await;
    assert!(view.text.contains("Chromium on Linux") || view.text.contains("Chrome on Linux"), "{view:?}");
    assert!(view.text.contains("This browser"), "{view:?}");
    cem.assert_sound("account of a managed person").await;
    let view = cem.press("button[name=act][value^='end ']").await;
    assert!(view.url.starts_with(&world.url("id", "/account")), "{view:?}");
    cem.until("[role=status]").await;
    cem.assert_sound("account after a logout elsewhere").await;
    lost.until("#live[data-state^=closed]").await;
    let view = cem.open(&trello).await;
    assert!(view.url.starts_with(&trello), "this browser goes on: {view:?}");
    // The password is the company's affair.
    let view = cem.open(&world.url("id", "/account/password")).await;
    assert!(view.status == Some(403) && view.text.contains("Ask an admin"), "{view:?}");
    cem.assert_sound("ask an admin").await;
    for browser in [cem, lost] {
        browser.leave().await;
    }
}
