//! A person's way through two products: one login, no second prompt, one way out for all.

use crate::world::World;

/// Both forms of the button: a form of its own, or one of several with a value.
const EVERYWHERE: &str = "form:has(input[name=scope][value=everywhere]) button, button[name=scope][value=everywhere]";

#[tokio::test]
async fn one_login_opens_both_products_and_one_logout_closes_both() {
    let world = World::share().await;
    let ann = world.browser.person("ann of journeys");
    let (trello, loom) = (world.url("trello", "/page"), world.url("loom", "/page"));
    world.log_in(&ann, "ann", &trello).await;
    ann.until("#live[data-state=open]").await;
    ann.assert_sound("trello").await;

    let second = ann.tab("loom");
    let view = second.open(&loom).await;
    assert!(view.url.starts_with(&loom), "no prompt at the second product: {view:?}");
    second.until("#live[data-state=open]").await;
    assert!(world.loom.last("/page").head.first("fedgate-assertion").is_some());

    let third = ann.tab("logout");
    third.open(&world.url("id", "/logout")).await;
    third.assert_sound("logout").await;
    third.press(EVERYWHERE).await;
    let view = third.until("h1").await;
    if view.url.starts_with(world.op.issuer()) {
        third.press("[name=logout]").await; // the provider asks whether its own session shall end, too
    }
    third.until_at(&world.url("id", "/logout")).await;
    third.assert_sound("signed out").await;
    ann.until("#live[data-state^=closed]").await;
    second.until("#live[data-state^=closed]").await;

    for (tab, url) in [(ann, &trello), (second, &loom)] {
        let view = tab.open(url).await;
        assert!(view.url.starts_with(&world.url("id", "/login")), "a product is closed after logout: {view:?}");
    }
    ann.leave().await;
}

#[tokio::test]
async fn the_back_button_after_a_login_ends_in_the_product_or_a_fresh_login() {
    let world = World::share().await;
    let bob = world.browser.person("bob of journeys");
    let trello = world.url("trello", "/page");
    world.log_in(&bob, "bob", &trello).await;
    for _ in 0..3 {
        let view = bob.back().await;
        if view.url == "about:blank" {
            break; // the beginning of the history
        }
        let fine = view.url.starts_with(&world.url("trello", "/"))
            || view.url.starts_with(&world.url("id", "/"))
            || view.url.starts_with(world.op.issuer());
        assert!(fine && view.status.is_none_or(|status| status < 500), "{view:?}");
    }
    let view = bob.tab("fresh").open(&trello).await;
    assert!(view.url.starts_with(&trello), "the session is still there: {view:?}");
    bob.leave().await;
}
