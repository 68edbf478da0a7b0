//! Logins under way live in the browser alone (H10): one small cookie each, at most eight, and nothing without one.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::json;
use url::Url;

use crate::support::agent::{Intent, UserAgent};
use crate::support::cookies::SameSite;
use crate::world::{ACME, World, gave_session, location, sign_in, step};

fn pending(agent: &UserAgent) -> Vec<crate::support::cookies::Cookie> {
    let ours = |name: &str| name.starts_with("__Host-fedgate-in-");
    agent.cookies("id.example.test").into_iter().filter(|cookie| ours(&cookie.name)).collect()
}

#[tokio::test]
async fn h10_one_browser_has_eight_small_logins_under_way() {
    let world = World::share().await;
    let ann = world.browser();
    let mut forms = Vec::new();
    for count in 1..=20_usize {
        let page = world.to_provider(&ann, &format!("ann@{ACME}"), &world.url("trello", "/page")).await;
        forms.push(page);
        let under_way = pending(&ann);
        assert_eq!(under_way.len(), count.min(8));
        for cookie in under_way {
            assert!(cookie.name.len() + cookie.value.len() <= 400, "{} bytes", cookie.value.len());
            assert!(cookie.http_only && cookie.secure && cookie.host_only && cookie.same_site == SameSite::Lax);
        }
        // The product's half is bounded by what a browser must send, so that fifty tabs arrive.
        let flows = ann.cookies("trello.example.test");
        let flows = flows.iter().filter(|cookie| cookie.name.contains("-flow-"));
        let bytes: usize = flows.map(|cookie| cookie.name.len() + cookie.value.len()).sum();
        assert!(bytes > 0 && bytes <= 17 * 1024, "{bytes} bytes of flow cookies");
    }
    // The youngest are kept: the last one ends in the product, the first one in a fresh login.
    let last = sign_in(&ann, forms.pop().expect("twenty"), "ann").await;
    assert_eq!(last.url.as_str(), world.url("trello", "/page"), "{}", last.describe());
    ann.forget(|cookie| cookie.name == crate::world::SESSION);
    let first = sign_in(&ann, forms.swap_remove(0), "ann").await;
    assert!(world.asks_email(&first), "{}", first.describe());
    // A long way back fills the room sooner: the oldest go, and the request stays well inside a header's limit.
    let bob = world.browser();
    for count in 0..20 {
        bob.visit(&world.url("trello", &format!("/page?{count}={}", "x".repeat(1800)))).await;
        let sent = bob.cookie_header(&world.url("trello", "/page")).unwrap_or_default();
        assert!(sent.len() <= 20 * 1024, "{} bytes of cookies", sent.len());
    }
}

#[tokio::test]
async fn h10_a_reply_by_post_finds_its_cookie_and_no_other_is_lax_less() {
    let world = World::of(|file, op, _| {
        file.secret("{dir}/post.secret", op.client_secret()).table(&format!(
            "[org.post]\ndomains = [\"{ACME}\"]\n[org.post.directory.main]\noidc = \"{}\"\nclient_id = \"fedgate\"\n\
             client_secret_file = \"{{dir}}/post.secret\"\nresponse_mode = \"form_post\"",
            op.issuer()
        ))
    })
    .await;
    let ann = world.browser();
    let form = world.to_provider(&ann, &format!("ann@{ACME}"), &world.url("trello", "/page")).await;
    let kept = pending(&ann);
    assert!(kept.len() == 1 && kept[0].same_site == SameSite::None, "{kept:?}");
    let page = sign_in(&ann, form, "ann").await;
    assert_eq!(page.url.as_str(), world.url("trello", "/page"), "{}", page.describe());
    let reply = page.trace.iter().find(|hop| hop.url.path() == "/login/callback/post").expect("a reply");
    assert_eq!((&reply.method, reply.fetch_site), (&Method::POST, "cross-site"));
    assert!(
        reply.cookie.as_deref().is_some_and(|cookie| !cookie.contains("__Host-fedgate-browser")),
        "{:?}",
        reply.cookie
    );
    for hop in &page.trace {
        for (line, kept) in &hop.set_cookies {
            let under_way = line.starts_with("__Host-fedgate-in-");
            assert!(
                *kept && (under_way || !hop.url.path().starts_with("/login") || line.contains("SameSite=Lax")),
                "{line}"
            );
        }
    }
    assert!(pending(&ann).is_empty(), "and it is gone");
}

#[tokio::test]
async fn h10_without_its_cookie_nothing_is_parsed_or_stored() {
    let world = World::own("", |file, _| file).await;
    let rows = || -> (i64, i64) {
        let db = world.database();
        let count = |table: &str| {
            db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).expect("counted")
        };
        (count("event"), count("mark"))
    };
    // A reply that would be good, in another browser and in one that lost its cookie.
    let ann = world.browser();
    let reply = held_back(&world, &ann).await;
    let hits = world.op.hits("POST /token").await;
    let stranger = world.browser();
    // One with a login of its own under way.
    world.to_provider(&stranger, &format!("bob@{ACME}"), &world.url("trello", "/page")).await;
    let before = rows();
    for agent in [world.browser(), stranger] {
        let page = agent.visit(&reply).await;
        assert!(world.asks_email(&page), "a fresh login: {}", page.describe());
        assert!(!gave_session(&page));
    }
    let state = |text: &str| format!("code=x&state={text}");
    for parameters in
        [state("AAAAAAAAAAAAAAAAAAAAAA"), state(""), "error=access_denied".to_owned(), "x=%ff%fe".to_owned()]
    {
        let callback = world.url("id", "/login/callback/acme");
        let page = world.browser().visit(&format!("{callback}?{parameters}")).await;
        assert!(world.asks_email(&page), "{}", page.describe());
        let from = Url::parse("https://idp.elsewhere.test/").expect("a URL");
        let post =
            Intent { method: Method::POST, ..Intent::navigation(Some(&from), Url::parse(&callback).expect("a URL")) };
        let page = world.browser().load(post.with_body("application/x-www-form-urlencoded", parameters)).await;
        assert!(world.asks_email(&page), "{}", page.describe());
    }
    assert_eq!(rows(), before, "events and marks");
    assert_eq!(world.op.hits("POST /token").await, hits, "the provider was not asked");
    // And nothing was burnt: in its own browser the reply still works.
    let page = ann.visit(&reply).await;
    assert_eq!(page.url.as_str(), world.url("trello", "/page"), "{}", page.describe());
    // Once: the second time it leads to the product, which knows who is logged in.
    let page = step(&ann, &reply).await;
    assert!(!gave_session(&page), "{}", page.describe());
}

#[tokio::test]
async fn h10_a_reply_works_once_even_with_its_cookie() {
    let world = World::own("", |file, _| file).await;
    let ann = world.browser();
    let reply = held_back(&world, &ann).await;
    let kept = pending(&ann);
    ann.visit(&reply).await;
    let hits = world.op.hits("POST /token").await;
    for cookie in kept {
        ann.plant(cookie);
    }
    ann.forget(|cookie| cookie.name == crate::world::SESSION);
    let page = step(&ann, &reply).await;
    assert!(!gave_session(&page), "{}", page.describe());
    assert_eq!(location(&page), world.url("trello", "/"), "to the product: {}", page.describe());
    assert_eq!(world.op.hits("POST /token").await, hits, "the code was not sent a second time");
}

#[tokio::test]
async fn h10_unbound_replies_do_not_fill_the_memory() {
    let world = World::own("", |file, _| file).await;
    let resident = || -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", world.gateway.pid())).expect("a process");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line").to_owned();
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("KiB")
    };
    let body = format!("state=AAAAAAAAAAAAAAAAAAAAAA&x={}", "y".repeat(60 * 1024));
    let url = Url::parse(&world.url("id", "/login/callback/acme")).expect("a URL");
    let round = async |count: usize| {
        let agent = world.browser();
        let mut connection = agent.wire().connect(&url).await.expect("a connection");
        for _ in 0..count {
            let request = Request::post(url.as_str()).header("content-type", "application/x-www-form-urlencoded");
            let request =
                request.header("accept", "text/html").body(Full::<Bytes>::from(body.clone())).expect("a request");
            let answer = connection.send(request).await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::OK);
            http_body_util::BodyExt::collect(answer.into_body()).await.expect("a page");
        }
    };
    round(200).await;
    let before = resident();
    round(1_800).await;
    let grown = resident().saturating_sub(before);
    assert!(grown < 24 * 1024, "{grown} KiB more after 1,800 replies of 60 KiB");
}

/// Signs in at the provider, and gives the address that leads back without following it.
async fn held_back(world: &World, agent: &UserAgent) -> String {
    // A session at the provider first, in the same browser, so that its answer comes without a form.
    world.log_in(agent, "ann", &world.url("loom", "/page")).await;
    agent.forget(|cookie| cookie.domain.ends_with(".example.test"));
    world.op.fault("/auth", json!({ "status": 200, "type": "text/html", "body": "<p>wait", "times": 1 })).await;
    let page = world.to_provider(agent, &format!("ann@{ACME}"), &world.url("trello", "/page")).await;
    assert_eq!(page.text(), "wait", "{}", page.describe());
    location(&step(agent, page.url.as_str()).await)
}
