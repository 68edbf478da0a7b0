//! The neighbour on the same site is hostile (rule H6): what its page can do to a person who is logged in everywhere.

use crate::support::answer::Answer;
use crate::support::http1::Head;
use crate::world::World;

#[tokio::test]
async fn h6_a_page_on_one_product_fires_every_verb_at_its_siblings() {
    let world = World::share().await;
    let ann = world.browser.person("ann of attacks");
    world.log_in(&ann, "ann", &world.url("loom", "/page")).await;
    ann.until("#live[data-state=open]").await; // her own socket, before the attack's
    ann.open(&world.url("trello", "/page")).await;
    ann.until("#live[data-state=open]").await;
    let before = world.loom.seen().len();

    let at_loom =
        ["/h6", "/live", "/.fedgate/logout", "/.fedgate/login?return_to=/h6", "/.fedgate/session", "/.fedgate/auth"]
            .map(|path| world.url("loom", path));
    let at_login = ["/logout", "/login/identify", "/account", "/"].map(|path| world.url("id", path));
    let targets: Vec<&str> = at_loom.iter().chain(&at_login).map(String::as_str).collect();
    let attempts = ann.attack(&targets).await;
    assert!(attempts.len() > 100, "{}", attempts.len());

    let read: Vec<_> = attempts.iter().filter(|(.., outcome)| outcome.starts_with("read")).collect();
    assert!(read.is_empty(), "the page could read an answer: {read:?}");
    let opened: Vec<_> =
        attempts.iter().filter(|(kind, _, outcome)| kind == "websocket" && outcome == "open").collect();
    assert!(opened.is_empty(), "a socket opened: {opened:?}");
    let seen = world.loom.seen();
    // Other scenes share the world; what loom's own pages send is theirs.
    let own = world.url("loom", "");
    let acts = |head: &Head| {
        let acting = !matches!(head.method.as_str(), "GET" | "HEAD") || head.first("upgrade").is_some();
        acting && head.first("origin") != Some(own.as_str())
    };
    let fired =
        seen[before..].iter().map(|one| &one.head).filter(|head| ["/h6", "/live"].contains(&head.target.as_str()));
    let acted: Vec<_> =
        fired.filter(|head| acts(head)).map(|head| (&head.method, &head.target, head.first("origin"))).collect();
    assert!(acted.is_empty(), "it reached the sibling: {acted:?}");

    for host in ["trello", "loom"] {
        let view = ann.open(&world.url(host, "/page")).await;
        assert!(view.url.starts_with(&world.url(host, "/page")), "the attack logged her out: {view:?}");
    }
    ann.leave().await;
}

#[tokio::test]
async fn h6_a_cookie_bomb_from_a_product_does_not_lock_the_login_host() {
    let world = World::share().await;
    let bob = world.browser.person("bob of attacks");
    world.log_in(&bob, "bob", &world.url("trello", "/page")).await;
    let lines: Vec<String> =
        (0..40).map(|i| format!("bomb{i}={}; Domain=example.test; Path=/; Secure", "x".repeat(2000))).collect();
    let mut headers = vec![("content-type", "text/html")];
    headers.extend(lines.iter().map(|line| ("set-cookie", line.as_str())));
    world.trello.answer("/bomb", Answer::new(200, &headers, "<title>boom</title>"));
    bob.open(&world.url("trello", "/bomb")).await;
    let view = bob.open(&world.url("loom", "/page")).await;
    assert!(view.url.starts_with(&world.url("loom", "/page")) && view.status == Some(200), "{view:?}");
    assert_eq!(world.loom.last("/page").head.first("cookie").filter(|cookie| cookie.contains("bomb")), None);
    bob.leave().await;
}
