//! Fifty tabs of one browser that all want in at once (HANDOVER, H10).

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::task::JoinSet;

use crate::support::agent::UserAgent;
use crate::support::clock::eventually;
use crate::support::page::Page;
use crate::support::websocket::{Opened, WebSocket};
use crate::world::{ACME, SESSION, World, sign_in};

const TABS: usize = 50;

/// Runs `one` for each number at once.
async fn race<F, T>(one: impl Fn(usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let mut set = JoinSet::new();
    for i in 0..TABS {
        set.spawn(one(i));
    }
    set.join_all().await
}

async fn type_address(ann: &UserAgent, page: &Page) -> Page {
    ann.submit(page, "email", &[("email", &format!("ann@{ACME}"))]).await
}

fn restarts(page: &Page) -> usize {
    page.trace.iter().filter(|hop| hop.url.path() == "/.fedgate/login").count().saturating_sub(1)
}

#[tokio::test]
async fn handover_fifty_tabs_enter_a_product_at_once() {
    let world = World::own("", |file, _| file).await;
    let ann = Arc::new(world.logged_in("ann").await);
    let pages = race(|i| {
        let (ann, url) = (Arc::clone(&ann), world.url("loom", &format!("/page?tab={i}")));
        async move { ann.visit(&url).await }
    })
    .await;
    for page in &pages {
        assert_eq!(page.status, StatusCode::OK, "{}", page.describe());
        assert!(page.url.as_str().starts_with(&world.url("loom", "/")), "{}", page.describe());
    }
    let again: usize = pages.iter().map(restarts).sum();
    assert!(again < TABS, "{again} restarts");
    everything_ends(&world, &ann).await;
}

#[tokio::test]
async fn handover_fifty_tabs_log_in_at_once() {
    let world = World::own("", |file, _| file).await;
    let ann = Arc::new(world.browser());
    let emails = race(|i| {
        let (ann, url) = (Arc::clone(&ann), world.url("trello", &format!("/page?tab={i}")));
        async move { ann.visit(&url).await }
    })
    .await;
    assert!(emails.iter().all(|page| world.asks_email(page)));
    let emails = Arc::new(emails);
    // Somebody who is logged in at the provider already; then every tab types its address and comes back at once. Eight
    // departures are kept (H10).
    let form = world.to_provider(&ann, &format!("ann@{ACME}"), &world.url("trello", "/page")).await;
    sign_in(&ann, form, "ann").await;
    ann.forget(|cookie| cookie.name == SESSION);
    let emails = Arc::new(emails);
    let pages = race(|i| {
        let (ann, emails) = (Arc::clone(&ann), Arc::clone(&emails));
        async move {
            let page = type_address(&ann, &emails[i]).await;
            // A form from before the browser's cookie was settled asks once more, and still knows where it leads.
            if page.url.path() == "/login/identify" { type_address(&ann, &page).await } else { page }
        }
    })
    .await;
    let inside = pages.iter().filter(|page| page.url.as_str().starts_with(&world.url("trello", "/"))).count();
    assert!(inside >= 1, "{}", pages[0].describe());
    for page in &pages {
        assert_eq!(page.status, StatusCode::OK, "no tab ends in an error: {}", page.describe());
        assert!(!page.text().contains("keeps starting over"), "{}", page.describe());
    }
    // A tab that was too late shows the login host's page; reloading the product in it is enough.
    let pages = race(|i| {
        let (ann, url) = (Arc::clone(&ann), world.url("trello", &format!("/page?tab={i}")));
        async move { ann.visit(&url).await }
    })
    .await;
    for (i, page) in pages.iter().enumerate() {
        assert!(page.url.as_str().starts_with(&world.url("trello", "/")), "tab {i}: {}", page.describe());
    }
    everything_ends(&world, &ann).await;
}

/// Logout everywhere closes what any of the tabs has open, also in sessions that other tabs have replaced.
async fn everything_ends(world: &World, ann: &UserAgent) {
    let mut open = Vec::new();
    for host in ["trello", "loom"] {
        ann.visit(&world.url(host, "/page")).await;
        let (url, origin) = (world.url(host, "/live"), world.url(host, ""));
        let cookie = ann.cookie_header(&url).expect("a session");
        let url = url::Url::parse(&url).expect("a URL");
        match WebSocket::open(ann.wire(), &url, Some(&origin), &[("Cookie", &cookie)]).await.expect("an answer") {
            Opened::Socket(socket) => open.push(socket),
            Opened::Refused(status, head) => panic!("{status} {head}"),
        }
    }
    let page = ann.visit(&world.url("id", "/logout")).await;
    ann.submit(&page, "/logout", &[]).await;
    let sessions = || -> i64 {
        world.database().query_row("SELECT count(*) FROM product_session", [], |row| row.get(0)).expect("counted")
    };
    assert_eq!(sessions(), 0, "children die with their parents");
    eventually("both sockets close", Duration::from_secs(2), || {
        world.trello.open_streams() + world.loom.open_streams() == 0
    })
    .await;
    drop(open);
    for host in ["trello", "loom"] {
        assert_eq!(world.who(ann, host).await, None, "{host}");
    }
}
