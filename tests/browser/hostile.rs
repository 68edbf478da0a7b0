//! The product itself is hostile (rules H6, H7, H8): what its answers, scripts and service worker do to a person's session here and
//! at its siblings, in Chromium.

use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::browser::Person;
use crate::support::intent::{Intent, Mode};
use crate::world::World;
use http::Method;
use url::Url;

/// The person is still logged in at both products, without a prompt.
async fn assert_inside(world: &World, person: &Person<'_>, after: &str) {
    for host in ["trello", "loom"] {
        let view = person.open(&world.url(host, "/calm")).await;
        let inside = view.url.starts_with(&world.url(host, "/calm")) && view.status == Some(200);
        assert!(inside, "after {after}: {view:?}");
    }
}

/// A person who is logged in at both products, with a page of `trello` before them.
async fn at_trello<'a>(world: &'a World, name: &'a str, login: &str) -> Person<'a> {
    let calm = Answer::new(200, &[("content-type", "text/html")], "<title>calm</title><h1>A calm page</h1>");
    world.trello.answer("/calm", calm.clone());
    world.loom.answer("/calm", calm);
    let person = world.browser.person(name);
    world.log_in(&person, login, &world.url("trello", "/calm")).await;
    assert_inside(world, &person, "the login").await;
    person.open(&world.url("trello", "/calm")).await;
    person
}

#[tokio::test]
async fn h6_a_script_neither_sees_nor_makes_a_cookie_of_ours() {
    let world = World::share().await;
    let ann = at_trello(&world, "ann of cookies", "ann").await;
    let seen = ann.run("() => document.cookie", Value::Null).await;
    assert!(!seen.as_str().unwrap_or("?").contains("fedgate"), "a script sees ours: {seen}");
    let tossed = [
        "__Host-fedgate=evil; Path=/; Secure",
        "__Host-fedgate=evil; Path=/; Secure; Domain=example.test",
        "__Host-fedgate=evil; Path=/calm; Secure",
        "__host-fedgate=evil; Path=/; Secure; Domain=example.test",
        "=__Host-fedgate=evil; Path=/; Secure; Domain=example.test",
        "__Host-fedgate; Path=/; Secure; Domain=example.test",
        "__Host-fedgate =evil; Path=/; Secure; Domain=example.test",
        "__Host-fedgate%20=evil; Path=/; Secure; Domain=example.test",
        "__Host-fedgate-who=evil; Path=/; Secure",
        "__Host-fedgate-browser=evil; Path=/; Secure; Domain=example.test",
        "__Secure-fedgate=evil; Path=/; Secure; Domain=example.test",
        "fedgate=evil; Path=/; Domain=example.test",
        "fedgate=evil; Path=/; Domain=id.example.test",
    ];
    for line in tossed {
        ann.open(&world.url("trello", "/calm")).await;
        ann.run("(line) => { document.cookie = line; }", json!(line)).await;
        assert_inside(&world, &ann, line).await;
        let head = world.loom.last("/calm").head;
        assert_eq!(head.first("x-fedgate-email"), Some("ann@acme.example.test"), "{line}");
        let sent = head.first("cookie").unwrap_or_default();
        assert!(!sent.to_lowercase().contains("fedgate"), "{line} reaches the sibling: {sent}");
        let view = ann.open(&world.url("id", "/")).await;
        assert!(view.status == Some(200) && view.text.contains("ann@acme.example.test"), "after {line}: {view:?}");
    }
    ann.leave().await;
}

#[tokio::test]
async fn h7_what_a_product_answers_touches_nothing_of_ours() {
    let world = World::share().await;
    let bob = at_trello(&world, "bob of answers", "bob").await;
    let said = [
        ("clear-site-data", "\"*\""),
        ("clear-site-data", "\"cookies\", \"storage\""),
        ("nel", "{\"report_to\":\"all\",\"max_age\":86400,\"success_fraction\":1}"),
        ("report-to", "{\"group\":\"all\",\"max_age\":86400,\"endpoints\":[{\"url\":\"https://loot.example\"}]}"),
        ("reporting-endpoints", "all=\"https://loot.example\""),
        ("alt-svc", "h2=\":1\"; ma=86400"),
        ("strict-transport-security", "max-age=0"),
        ("service-worker-allowed", "/"),
        ("fedgate-assertion", "forged"),
        ("set-cookie", "__Host-fedgate=evil; Path=/; Secure; HttpOnly"),
        ("set-cookie", "=__Host-fedgate=evil; Path=/; Secure"),
        ("set-cookie", "__HOST-FEDGATE-who=evil; Path=/; Secure"),
        ("set-cookie", "__Host-fedgate=; Path=/; Secure; Max-Age=0"),
        ("set-cookie", "wide=trello; Path=/; Secure; Domain=example.test"),
        ("content-type", "text/html"),
    ];
    world.trello.answer("/evil", Answer::new(200, &said, "<title>evil</title>evil"));
    bob.open(&world.url("trello", "/evil")).await;
    let names = "() => fetch('/evil').then((answer) => [...answer.headers.keys()])";
    let names = bob.run(names, Value::Null).await;
    let names: Vec<&str> = names.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    for (name, _) in said.iter().filter(|(name, _)| !["set-cookie", "content-type", "clear-site-data"].contains(name)) {
        let is_ours = *name == "strict-transport-security";
        assert_eq!(names.contains(name), is_ours, "{name}: {names:?}");
    }
    assert_inside(&world, &bob, "every answer").await;
    let sent = world.loom.last("/calm").head.first("cookie").map(str::to_owned).unwrap_or_default();
    assert!(!sent.contains("wide"), "a cookie for the whole domain: {sent}");
    // Led to the logout, a person sees a button.
    for (name, value) in [("refresh", "0;url=/.fedgate/logout"), ("location", "/.fedgate/logout")] {
        let status = if name == "location" { 302 } else { 200 };
        world.trello.answer("/away", Answer::new(status, &[(name, value), ("content-type", "text/html")], "away"));
        bob.open(&world.url("trello", "/away")).await;
        bob.until_at(&world.url("trello", "/.fedgate/logout")).await;
        assert_inside(&world, &bob, name).await;
    }
    bob.leave().await;
}

#[tokio::test]
async fn h6_forms_that_a_neighbour_sends_from_the_top_act_nowhere() {
    let world = World::share().await;
    let ann = at_trello(&world, "ann of forms", "ann").await;
    let submit = "([action, target]) => { const form = Object.assign(document.createElement('form'), { method: 'post', action, \
                  target }); form.innerHTML = '<input name=scope value=everywhere><input name=email value=eve@acme.example.test>'; \
                  document.body.append(form); form.submit(); }";
    for (host, path) in [
        ("loom", "/.fedgate/logout"),
        ("loom", "/act"),
        ("id", "/logout"),
        ("id", "/login/identify"),
        ("id", "/login/continue"),
    ] {
        for target in ["_top", "_self"] {
            ann.open(&world.url("trello", "/calm")).await;
            ann.run(submit, json!([world.url(host, path), target])).await;
            let view = ann.until_at(&world.url(host, path)).await;
            assert!(view.text.contains("cross-site") || view.text.contains("another site"), "{host}{path}: {view:?}");
            assert_inside(&world, &ann, path).await;
        }
    }
    let acted = world.loom.seen().into_iter().any(|seen| seen.head.target == "/act");
    assert!(!acted, "it reached the sibling");
    ann.leave().await;
}

/// Keeps every address under `/.fedgate/` that it sees, asks for it once more by itself, and says that the person is logged out.
const WORKER: &str = "
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
const keep = async (url, what) => (await caches.open('loot')).put('/loot/' + encodeURIComponent(url), new Response(what));
self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  if (!url.pathname.startsWith('/.fedgate/') || event.request.mode !== 'navigate') return;
  if (url.pathname === '/.fedgate/logout') {
    const page = new Response('<h1>You are logged out</h1>', { headers: { 'content-type': 'text/html' } });
    return event.respondWith(page);
  }
  event.respondWith((async () => {
    const own = await fetch(event.request.url, { credentials: 'include', redirect: 'manual' });
    await keep(event.request.url, own.type + ' ' + own.status);
    return fetch(event.request);
  })());
});";

#[tokio::test]
async fn h7_a_service_worker_that_records_and_fakes_gains_no_session_and_stops_no_logout() {
    let world = World::share().await;
    let bob = at_trello(&world, "bob of workers", "bob").await;
    world.trello.answer("/worker.js", Answer::new(200, &[("content-type", "text/javascript")], WORKER));
    let register = "([script, scope]) => navigator.serviceWorker.register(script, { scope }) \
                    .then(() => navigator.serviceWorker.ready).then(() => 'registered', (error) => 'refused ' + error.name)";
    for script in ["/.fedgate/worker.js", "/.fedgate/session"] {
        let outcome = bob.run(register, json!([script, "/.fedgate/"])).await;
        assert!(outcome.as_str().is_some_and(|outcome| outcome.starts_with("refused")), "{script}: {outcome}");
    }
    assert_eq!(bob.run(register, json!(["/worker.js", "/"])).await, "registered");
    bob.open(&world.url("trello", "/calm")).await;

    // It fakes the logout of its host; the login host, which serves no product's script, ends everything.
    let view = bob.open(&world.url("trello", "/.fedgate/logout")).await;
    assert!(view.text.contains("You are logged out"), "the worker is at work: {view:?}");
    let at_login = bob.tab("logout");
    at_login.open(&world.url("id", "/logout")).await;
    at_login.press("[name=scope][value=everywhere]").await;
    let view = at_login.until("h1").await;
    if view.url.starts_with(world.op.issuer()) {
        at_login.press("[name=logout]").await;
    }
    at_login.until_at(&world.url("id", "/logout")).await;
    let status = "() => fetch('/inside', { cache: 'no-store' }).then((answer) => answer.status)";
    bob.open(&world.url("trello", "/worker.js")).await; // any document of the host
    let before = world.trello.seen().len();
    let view = bob.open(&world.url("loom", "/calm")).await;
    assert!(view.url.starts_with(&world.url("id", "/login")), "{view:?}");
    assert_eq!(world.trello.seen().iter().skip(before).filter(|seen| seen.head.target == "/inside").count(), 0);

    // He logs in again with the worker in between: it saw the code, and spent nothing of it.
    let view = world.log_in(&bob, "bob", &world.url("trello", "/calm")).await;
    assert!(view.url.starts_with(&world.url("trello", "/calm")), "{view:?}");
    assert_eq!(bob.run(status, Value::Null).await, 200);
    let loot = "() => caches.open('loot').then((loot) => loot.keys()) \
                .then((keys) => keys.map((key) => decodeURIComponent(new URL(key.url).pathname.slice(6))))";
    let loot = bob.run(loot, Value::Null).await;
    let loot: Vec<&str> = loot.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    let codes: Vec<&&str> = loot.iter().filter(|url| url.contains("/.fedgate/finish?code=")).collect();
    assert!(!codes.is_empty(), "the worker saw no code: {loot:?}");
    for code in codes {
        let thief = world.gateway.agent(&[&world.authority.ca_file()]);
        let page = thief.visit(code).await;
        assert!(page.url.as_str().starts_with(&world.url("id", "/login")), "{}", page.describe());
        let url = Url::parse(&world.url("trello", "/inside")).expect("a URL");
        let inside = thief.load(Intent::fetch(&url, Mode::SameOrigin, Method::GET, url.clone())).await;
        assert_eq!(inside.status, 401, "{}", inside.describe());
    }
    bob.leave().await;
}

/// In the browser's cache: what Chromium keeps of a tab in memory is off under remote control, and no answer can clear it.
#[tokio::test]
async fn h8_back_after_the_logout_shows_nothing_of_the_person_who_left() {
    let world = World::share().await;
    let ann = at_trello(&world, "ann of back", "ann").await;
    let fields = [("content-type", "text/html"), ("cache-control", "max-age=600")];
    world.trello.answer("/diary", Answer::new(200, &fields, "<title>diary</title><h1>Dear diary</h1>"));
    let view = ann.open(&world.url("trello", "/diary")).await;
    assert!(view.text.contains("Dear diary"), "{view:?}");
    let before = world.trello.seen().len();
    ann.open(&world.url("trello", "/calm")).await;
    assert!(ann.back().await.text.contains("Dear diary"), "Back shows it while she is there");
    let fetched = world.trello.seen().iter().skip(before).filter(|seen| seen.head.target == "/diary").count();
    assert_eq!(fetched, 0, "from the browser's cache");
    ann.open(&world.url("trello", "/.fedgate/logout")).await;
    ann.press("[name=scope][value=product]").await;
    for _ in 0..3 {
        let view = ann.back().await;
        assert!(!view.text.contains("Dear diary"), "Back shows her page: {view:?}");
        if view.url.starts_with(&world.url("id", "/")) {
            break;
        }
    }
    ann.leave().await;
}
