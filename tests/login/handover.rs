//! The handover from the login host to a product: a code is worth something once, soon, in the browser, at the host and for the
//! login session that it was made for.

use http::{Method, StatusCode};
use url::Url;

use crate::support::agent::{Intent, Mode, UserAgent};
use crate::support::cookies::Cookie;
use crate::world::{SESSION, World, gave_session, location, step, two_directories};

fn flow_cookie(agent: &UserAgent, world: &World, host: &str) -> Cookie {
    let name = Url::parse(&world.url(host, "/")).expect("a URL").host_str().expect("a host").to_owned();
    let flows = agent.cookies(&name).into_iter().filter(|cookie| cookie.name.starts_with("__Host-fedgate-flow-"));
    flows.max_by_key(|cookie| cookie.expires).expect("a flow cookie")
}

fn leave(agent: &UserAgent, host: &str) {
    let name = format!("{host}.example.test");
    let ours = [SESSION, "__Host-fedgate-last"];
    agent.forget(|cookie| cookie.domain == name && ours.contains(&cookie.name.as_str()));
}

/// Opens an address with a code where it must not work: no session comes of it.
async fn assert_worthless(world: &World, agent: &UserAgent, url: &str) {
    let page = step(agent, url).await;
    assert!(!gave_session(&page), "{}", page.describe());
    assert!(page.status == StatusCode::SEE_OTHER || page.status.is_client_error(), "{}", page.describe());
    let host = page.url.host_str().expect("a host").trim_end_matches(".example.test").to_owned();
    assert_eq!(world.who(agent, &host).await, None);
}

#[tokio::test]
async fn handover_a_code_of_one_browser_is_worthless_in_another() {
    let world = World::share().await;
    let (ann, bob) = (world.logged_in("ann").await, world.browser());
    leave(&ann, "trello");
    let code = world.code(&ann, "trello").await;
    // The other browser has a flow of its own under way.
    step(&bob, &world.url("trello", "/.fedgate/login?return_to=%2F")).await;
    assert_worthless(&world, &bob, &code).await;
    let page = step(&ann, &code).await;
    assert_eq!(location(&page), world.url("trello", "/back?x=1"), "and is not spent by that: {}", page.describe());
    assert!(gave_session(&page));
}

#[tokio::test]
async fn handover_an_attackers_code_logs_no_victim_in() {
    let world = World::share().await;
    let (mallory, victim) = (world.logged_in("bob").await, world.browser());
    leave(&mallory, "trello");
    let code = world.code(&mallory, "trello").await;
    let page = victim.visit(&code).await;
    assert!(world.asks_email(&page), "the victim is asked who they are: {}", page.describe());
    assert_eq!(world.who(&victim, "trello").await, None);
    // A victim who is logged in stays who they are.
    let ann = world.logged_in("ann").await;
    let before = world.who(&ann, "trello").await.expect("logged in");
    ann.visit(&code).await;
    assert_eq!(world.who(&ann, "trello").await.expect("logged in")["sub"], before["sub"]);
}

#[tokio::test]
async fn handover_a_code_works_only_at_its_own_host() {
    let world = World::share().await;
    let ann = world.logged_in("ann").await;
    leave(&ann, "trello");
    for elsewhere in ["loom", "board"] {
        let code = world.code(&ann, "trello").await;
        // Even where the flow cookie comes along, as a product with a hole would let an attacker arrange.
        let mut flow = flow_cookie(&ann, &world, "trello");
        flow.domain = format!("{elsewhere}.example.test");
        ann.plant(flow);
        let moved = code.replacen("trello.example.test", &format!("{elsewhere}.example.test"), 1);
        assert_worthless(&world, &ann, &moved).await;
    }
}

#[tokio::test]
async fn handover_a_used_code_leads_back_to_the_product_and_makes_nothing() {
    let world = World::share().await;
    let ann = world.logged_in("ann").await;
    leave(&ann, "trello");
    let code = world.code(&ann, "trello").await;
    let flow = flow_cookie(&ann, &world, "trello");
    step(&ann, &code).await;
    let first = world.who(&ann, "trello").await.expect("a session");

    // The back button: the code again, with and without its flow cookie.
    for replant in [false, true] {
        if replant {
            ann.plant(flow.clone());
        }
        let page = ann.visit(&code).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.describe());
        assert!(page.url.as_str().starts_with(&world.url("trello", "/")), "{}", page.describe());
        assert!(!gave_session(&page), "{}", page.describe());
    }
    assert_eq!(world.who(&ann, "trello").await.expect("still")["sid"], first["sid"]);

    // Both halves in the hands of somebody without the session: the code is spent.
    leave(&ann, "trello");
    ann.plant(flow);
    assert_worthless(&world, &ann, &code).await;
}

#[tokio::test]
async fn handover_the_parent_ended_before_the_code_came() {
    let world = World::own("", |file, _| file).await;
    // Her login in another browser lives on all the while; it is not the one that the code was made for.
    let elsewhere = world.logged_in("ann").await;
    let ann = world.logged_in("ann").await;
    let code = world.code(&ann, "loom").await;
    // As another node would: this one hears nothing of it but by reading the store.
    let youngest = "DELETE FROM login_session WHERE created_at = (SELECT max(created_at) FROM login_session)";
    assert_eq!(world.database().execute(youngest, []).expect("deleted"), 1);
    assert_worthless(&world, &ann, &code).await;

    let ann = world.logged_in("ann").await;
    let code = world.code(&ann, "loom").await;
    let page = ann.visit(&world.url("id", "/logout")).await;
    ann.submit(&page, "/logout", &[]).await;
    assert_worthless(&world, &ann, &code).await;
    assert!(world.who(&elsewhere, "trello").await.is_some());
}

#[tokio::test]
async fn handover_the_policy_is_tightened_before_the_code_came() {
    let world = World::of(|file, op, _| two_directories(file, op, "main", "")).await;
    let ann = world.logged_in("ann").await;
    let code = world.code(&ann, "loom").await;
    world.reload(&two_directories(world.file(""), &world.op, "second", ""));
    assert_worthless(&world, &ann, &code).await;
    let page = ann.visit(&world.url("loom", "/page")).await;
    let callback = page.trace.iter().find(|hop| hop.url.path().starts_with("/login/callback"));
    assert_eq!(callback.map(|hop| hop.url.path()), Some("/login/callback/acme/second"), "{}", page.describe());
    assert_eq!(page.url.as_str(), world.url("loom", "/page"));
}

#[tokio::test]
async fn handover_a_prefetch_spends_nothing() {
    let world = World::share().await;
    let ann = world.logged_in("ann").await;
    leave(&ann, "trello");
    let ahead = async |url: &str| {
        let intent = Intent { follow: false, ..Intent::navigation(None, Url::parse(url).expect("a URL")) };
        ann.load(intent.with_header("sec-purpose", "prefetch;prerender")).await
    };
    let code = world.code(&ann, "trello").await;
    let login = world.url("trello", "/.fedgate/login?return_to=%2F");
    let logout = world.url("trello", "/.fedgate/logout");
    for url in [&code, &login, &logout] {
        let page = ahead(url).await;
        assert_eq!((page.status, page.trace[0].set_cookies.len()), (StatusCode::NO_CONTENT, 0), "{}", page.describe());
    }
    assert!(gave_session(&step(&ann, &code).await), "the code was not spent");
}

#[tokio::test]
async fn handover_a_script_of_a_sibling_cannot_run_it() {
    let world = World::share().await;
    let ann = world.logged_in("ann").await;
    let from = Url::parse(&world.url("trello", "/page")).expect("a URL");
    let login = world.url("loom", "/.fedgate/login?return_to=%2Fpage");
    for mode in [Mode::NoCors, Mode::Cors] {
        let page = ann.load(Intent::fetch(&from, mode, Method::GET, Url::parse(&login).expect("a URL"))).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.describe());
        // One step at a time it goes no further either.
        let to = location(&step(&ann, &login).await);
        let page = ann.load(Intent::fetch(&from, mode, Method::GET, Url::parse(&to).expect("a URL"))).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.describe());
        let code = location(&step(&ann, &to).await);
        let page = ann.load(Intent::fetch(&from, mode, Method::GET, Url::parse(&code).expect("a URL"))).await;
        assert!(page.status == StatusCode::FORBIDDEN && !gave_session(&page), "{}", page.describe());
        assert_eq!(world.who(&ann, "loom").await, None);
    }
    // In a frame neither.
    let framed =
        Intent { destination: "iframe", ..Intent::navigation(Some(&from), Url::parse(&login).expect("a URL")) };
    assert_eq!(ann.load(framed).await.status, StatusCode::FORBIDDEN);
    // What loom's own service worker passes on is the person's: no script makes a request of this mode. For the login host it is not.
    let passed_on = |url: &str| Intent {
        destination: "empty",
        follow: false,
        ..Intent::navigation(Some(&from), Url::parse(url).expect("a URL"))
    };
    let to = location(&ann.load(passed_on(&login)).await);
    assert_eq!(ann.load(passed_on(&to)).await.status, StatusCode::FORBIDDEN);
    let code = location(&step(&ann, &to).await);
    assert!(gave_session(&ann.load(passed_on(&code)).await));
}

#[tokio::test]
async fn handover_no_service_worker_stands_where_codes_pass() {
    let world = World::share().await;
    let ann = world.logged_in("ann").await;
    for path in ["/.fedgate/sw.js", "/.fedgate/login", "/.fedgate/finish"] {
        let url = Url::parse(&world.url("trello", path)).expect("a URL");
        let fetch =
            Intent { destination: "serviceworker", ..Intent::fetch(&url, Mode::SameOrigin, Method::GET, url.clone()) };
        let page = ann.load(fetch.with_header("service-worker", "script")).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{}", page.describe());
    }
}

#[tokio::test]
async fn handover_it_leads_nowhere_but_into_its_own_host() {
    let world = World::own("doors = { login = [\"/signin\"], logout = [\"/signout\"] }", |file, _| file).await;
    let ann = world.logged_in("ann").await;
    let bad = [
        "https://evil.example.test/",
        "//evil.example.test/",
        "/\\evil.example.test/",
        "/.fedgate/logout",
        "/.FEDGATE/logout",
        "/%2efedgate/logout",
        "/x/../.fedgate/logout",
        "/signout",
        "/signin",
        "javascript:alert(1)",
        "/a\r\nb",
    ];
    for inside in [true, false] {
        for to in bad {
            let query: String = url::form_urlencoded::byte_serialize(to.as_bytes()).collect();
            let page = step(&ann, &world.url("trello", &format!("/.fedgate/login?return_to={query}"))).await;
            let mut ends = location(&page);
            if !inside {
                ends = location(&step(&ann, &location(&step(&ann, &ends).await)).await);
            }
            assert_eq!(ends, world.url("trello", "/"), "{to}");
            if !inside {
                leave(&ann, "trello");
            }
        }
        leave(&ann, "trello");
    }
}

/// The first page after a login needs nothing that was not at hand when its session was made.
#[tokio::test]
async fn a_session_that_was_just_made_is_not_read_from_the_store() {
    let world = World::own("", |file, _| file).await;
    let reads = || {
        let (_, metrics) = world.gateway.ops("/metrics").expect("metrics");
        let line = metrics.lines().find_map(|line| line.strip_prefix("fedgate_session_reads_total "));
        line.and_then(|count| count.parse::<u32>().ok()).expect("a count")
    };
    let ann = world.logged_in("ann").await;
    assert_eq!(reads(), 0, "the page that the login ended at was forwarded without a look");
    // Where a person is told who they are, it is looked.
    assert!(world.who(&ann, "trello").await.is_some());
    assert_eq!(reads(), 1);
}
