//! The second person in one browser (H8), the one who writes to the database (H12), and the shortest configuration.

use http::StatusCode;

use crate::support::answer::Answer;
use crate::support::authority::Authority;
use crate::support::configuration::Configuration;
use crate::support::gateway::Gateway;
use crate::support::op::Op;
use crate::support::upstream::Upstream;
use crate::world::{SESSION, World, sign_in};

#[tokio::test]
async fn h8_a_second_person_in_the_same_browser_finds_nothing_of_the_first() {
    let world = World::own("", |file, _| file).await;
    world
        .trello
        .answer("/own", Answer::new(200, &[("set-cookie", "own=ann; Path=/"), ("content-type", "text/html")], "x"));
    let agent = world.logged_in("ann").await;
    agent.visit(&world.url("trello", "/own")).await;
    assert!(agent.cookies("trello.example.test").iter().any(|cookie| cookie.name == "own"), "the product's own cookie");
    // Ann goes; the provider forgets her too.
    let page = agent.visit(&world.url("id", "/logout")).await;
    agent.submit(&page, "scope", &[("scope", "everywhere")]).await;
    agent.forget(|cookie| cookie.domain != "trello.example.test");

    let page = world.log_in(&agent, "bob", &world.url("trello", "/page")).await;
    assert_eq!(page.url.as_str(), world.url("trello", "/page"), "{}", page.describe());
    let cleared = page.trace.iter().any(|hop| hop.cleared);
    assert!(cleared, "cache and storage of the first person: {}", page.describe());
    assert!(
        !agent.cookies("trello.example.test").iter().any(|cookie| cookie.name == "own"),
        "the first person's cookie"
    );
    let seen = world.trello.last("/page");
    assert_eq!(seen.head.first("x-fedgate-email"), Some("bob@acme.example.test"));

    // The same person again: nothing is cleared.
    agent.forget(|cookie| cookie.name == SESSION && cookie.domain == "trello.example.test");
    let page = agent.visit(&world.url("trello", "/page")).await;
    assert_eq!(page.url.as_str(), world.url("trello", "/page"), "{}", page.describe());
    assert!(page.trace.iter().all(|hop| !hop.cleared), "{}", page.describe());
}

#[tokio::test]
async fn h8_cookies_of_the_products_own_domain_go_with_the_first_person() {
    let (authority, product) = (Authority::new(), Upstream::start());
    let op = Op::start(&authority);
    let file = Configuration::new()
        .trust(&authority.ca_file())
        .product("trello", &product.url(), "cookie_domain = \"trello.example.test\"")
        .organization("acme", "acme.example.test", op.issuer(), op.client_secret());
    let gateway = Gateway::start(&file);
    op.allow_redirects(&[&gateway.url("id", "/login/callback/acme")], &[]).await;
    let cookies = [
        ("set-cookie", "wide=ann; Path=/; Domain=trello.example.test"),
        ("set-cookie", "narrow=ann; Path=/"),
        ("content-type", "text/html"),
    ];
    product.answer("/own", Answer::new(200, &cookies, "x"));
    let agent = gateway.agent(&[&authority.ca_file()]);
    let log_in = async |name: &str| {
        let page = agent.visit(&gateway.url("trello", "/page")).await;
        let page = agent.submit(&page, "email", &[("email", &format!("{name}@acme.example.test"))]).await;
        let page = sign_in(&agent, page, name).await;
        assert_eq!(page.url.as_str(), gateway.url("trello", "/page"), "{}", page.describe());
    };
    log_in("ann").await;
    agent.visit(&gateway.url("trello", "/own")).await;
    agent.visit(&gateway.url("trello", "/page")).await;
    let sent = product.last("/page").head.first("cookie").map(str::to_owned).unwrap_or_default();
    assert!(sent.contains("wide=ann") && sent.contains("narrow=ann"), "{sent}");
    // Ann's sessions are gone; Bob comes.
    agent.forget(|cookie| cookie.name == SESSION || cookie.domain.starts_with("127."));
    log_in("bob").await;
    assert_eq!(
        product.last("/page").head.first("cookie"),
        None,
        "nothing of hers reaches the product with his identity"
    );
}

#[tokio::test]
async fn h12_a_session_row_written_by_hand_opens_nothing_and_is_an_event() {
    let world = World::own("", |file, _| file).await;
    let (ann, bob) = (world.logged_in("ann").await, world.logged_in("bob").await);
    // Who can write to the database turns Bob's session into one of Ann's.
    let db = world.database();
    let changed = db
        .execute(
            "UPDATE product_session SET account = (SELECT account FROM product_session ORDER BY created_at LIMIT 1), \
             product_account = (SELECT product_account FROM product_session ORDER BY created_at LIMIT 1) \
             WHERE id = (SELECT id FROM product_session ORDER BY created_at DESC LIMIT 1)",
            [],
        )
        .expect("a row is written by hand");
    assert_eq!(changed, 1);
    drop(db);
    // What is in memory was read before; a process that reads the row sees that it was not written by us.
    let mut world = world;
    world.gateway.restart();
    let page = bob.visit(&world.url("trello", "/.fedgate/session")).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{}", page.describe());
    let event = world.refusal("product session").await;
    assert_eq!(event["action"], "integrity.violated");
    assert!(world.who(&ann, "trello").await.is_some(), "an honest row still opens");
}

#[tokio::test]
async fn the_seven_lines_log_a_person_in() {
    let authority = Authority::new();
    let op = Op::start(&authority);
    let product = Upstream::start();
    // Seven lines, `[listen]` on the loopback and `[outbound]`, as `Configuration` writes them; a fresh folder.
    let file = Configuration::new().trust(&authority.ca_file()).product("trello", &product.url(), "").organization(
        "acme",
        "acme.example.test",
        op.issuer(),
        op.client_secret(),
    );
    let gateway = Gateway::start(&file);
    op.allow_redirects(&[&gateway.url("id", "/login/callback/acme")], &[]).await;
    let agent = gateway.agent(&[&authority.ca_file()]);
    let page = agent.visit(&gateway.url("trello", "/page")).await;
    let page = agent.submit(&page, "email", &[("email", "ann@acme.example.test")]).await;
    let page = sign_in(&agent, page, "ann").await;
    assert_eq!(page.url.as_str(), gateway.url("trello", "/page"), "{}", page.describe());
    let seen = product.last("/page");
    assert_eq!(seen.head.first("x-fedgate-email"), Some("ann@acme.example.test"));
    assert_eq!(seen.head.first("x-fedgate-org"), Some("acme"));
    assert!(seen.head.first("x-fedgate-user").is_some_and(|sub| sub.starts_with("fg_")), "a minted id (rule H19)");
    println!("{}", std::fs::read_to_string(gateway.config_file()).expect("the file"));
}
