//! The agent's journeys: redirects, refreshes and forms, with the headers that Chromium would send.

use http::Method;
use url::Url;

use crate::support::agent::UserAgent;
use crate::support::answer::Answer;
use crate::support::intent::{Intent, Mode};
use crate::support::upstream::Upstream;

/// A product under several names of two sites; `.localhost` names count as trustworthy without TLS.
struct World {
    upstream: Upstream,
    agent: UserAgent,
}

impl World {
    fn new() -> Self {
        Self { upstream: Upstream::start(), agent: UserAgent::new(&[]) }
    }

    fn url(&self, host: &str, path: &str) -> String {
        format!("http://{host}.localhost:{}{path}", self.upstream.address().port())
    }

    fn redirect(&self, path: &str, status: u16, to: &str) {
        self.upstream.answer(path, Answer::new(status, &[("location", to)], ""));
    }

    fn html(&self, path: &str, headers: &[(&str, &str)], body: &str) {
        let headers = [&[("content-type", "text/html")], headers].concat();
        self.upstream.answer(path, Answer::new(200, &headers, body));
    }

    /// Values of these headers in the last request for the path, `-` where absent.
    fn sent(&self, path: &str, names: &[&str]) -> Vec<String> {
        let head = self.upstream.last(path).head;
        names.iter().map(|name| head.first(name).unwrap_or("-").to_owned()).collect()
    }
}

const METADATA: [&str; 5] = ["sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "sec-fetch-user", "origin"];

#[tokio::test]
async fn an_address_typed_is_nobodys_request_whatever_it_is_redirected_to() {
    let world = World::new();
    world.redirect("/start", 302, &world.url("b.other", "/end"));
    let page = world.agent.visit(&world.url("a.site", "/start")).await;
    assert_eq!(page.journey(), ["GET 302 a.site.localhost/start", "GET 200 b.other.localhost/end"]);
    assert_eq!(world.sent("/end", &METADATA), ["none", "navigate", "document", "?1", "-"]);
}

#[tokio::test]
async fn a_link_tells_how_its_page_stands_to_the_target() {
    let world = World::new();
    let page = world.agent.visit(&world.url("a.site", "/")).await;
    for (host, expected) in [("a.site", "same-origin"), ("b.site", "same-site"), ("c.other", "cross-site")] {
        world.agent.click(&page, &world.url(host, "/x")).await;
        assert_eq!(world.sent("/x", &METADATA), [expected, "navigate", "document", "?1", "-"]);
    }
    world.redirect("/away", 302, &world.url("a.site", "/back"));
    world.agent.click(&page, &world.url("c.other", "/away")).await;
    assert_eq!(world.sent("/back", &METADATA[..1]), ["cross-site"], "the way through another site is remembered");
}

#[tokio::test]
async fn a_form_posts_its_fields_and_its_origin() {
    let world = World::new();
    let form = r#"<form method=post action="/do?x=1&amp;y=2"><input type=hidden name=csrf value="a&quot;b"><input name=email>
        <input type=checkbox name=no value=1><button name=go value=yes>Go</button></form>"#;
    world.html("/form", &[], form);
    let page = world.agent.visit(&world.url("a.site", "/form")).await;
    world.agent.submit(&page, "email", &[("email", "ä@b")]).await;
    assert_eq!(
        world.sent("/do?x=1&y=2", &METADATA),
        ["same-origin", "navigate", "document", "?1", &world.url("a.site", "")]
    );
    assert_eq!(world.upstream.last("/do").body, b"csrf=a%22b&email=%C3%A4%40b&go=yes");
}

#[tokio::test]
async fn a_page_without_referrer_posts_a_null_origin_even_at_home() {
    let world = World::new();
    world.html(
        "/form",
        &[("referrer-policy", "no-referrer")],
        "<form method=post action=/do><button>Go</button></form>",
    );
    let page = world.agent.visit(&world.url("a.site", "/form")).await;
    world.agent.submit(&page, "/do", &[]).await;
    assert_eq!(world.sent("/do", &["sec-fetch-site", "origin", "referer"]), ["same-origin", "null", "-"]);
}

#[tokio::test]
async fn refreshes_and_self_posting_forms_are_followed_without_a_click() {
    let world = World::new();
    world.html("/hop", &[], "<meta http-equiv=Refresh content=\"0; url=/auto?a&amp;b\"><a href=/auto>go on</a>");
    world.html("/auto", &[], "<body onload=\"document.forms[0].submit()\"><form method=post action=/acs><input type=hidden name=R value=1></form>");
    let page = world.agent.visit(&world.url("a.site", "/hop")).await;
    assert_eq!(
        page.journey(),
        ["GET 200 a.site.localhost/hop", "GET 200 a.site.localhost/auto", "POST 200 a.site.localhost/acs"]
    );
    assert_eq!(world.upstream.last("/auto").head.target, "/auto?a&b");
    assert_eq!(world.sent("/acs", &METADATA[..4]), ["same-origin", "navigate", "document", "-"]);
}

#[tokio::test]
async fn redirects_of_a_post_change_the_method_as_the_standard_says() {
    let world = World::new();
    world.html("/form", &[], "<form method=post action=/do><input name=a value=b></form>");
    let page = world.agent.visit(&world.url("a.site", "/form")).await;
    for (status, method, body) in [(302, "GET", ""), (303, "GET", ""), (307, "POST", "a=b"), (308, "POST", "a=b")] {
        world.redirect("/do", status, "/done");
        world.agent.submit(&page, "/do", &[]).await;
        let seen = world.upstream.last("/done");
        assert_eq!((seen.head.method.as_str(), seen.body.as_slice()), (method, body.as_bytes()), "{status}");
    }
}

#[tokio::test]
async fn a_siblings_fetch_carries_cookies_that_another_sites_does_not() {
    let world = World::new();
    let cookies = [
        ("set-cookie", "lax=1; SameSite=Lax"),
        ("set-cookie", "strict=1; SameSite=Strict"),
        ("set-cookie", "none=1; SameSite=None; Secure"),
    ];
    world.html("/set", &cookies, "");
    let page = world.agent.visit(&world.url("a.site", "/set")).await;
    assert_eq!(page.trace[0].set_names(), ["lax", "strict", "none"]);
    let target = Url::parse(&world.url("a.site", "/x")).expect("a URL");
    for (host, site, cookie) in
        [("b.site", "same-site", "lax=1; strict=1; none=1"), ("c.other", "cross-site", "none=1")]
    {
        let from = Url::parse(&world.url(host, "/")).expect("a URL");
        world.agent.load(Intent::fetch(&from, Mode::NoCors, Method::POST, target.clone())).await;
        let origin = from.origin().ascii_serialization();
        assert_eq!(world.sent("/x", &METADATA), [site, "no-cors", "empty", "-", &origin]);
        assert_eq!(world.sent("/x", &["cookie"]), [cookie]);
    }
}

#[tokio::test]
async fn time_passes_for_cookies_when_the_test_says_so() {
    let world = World::new();
    world.html("/set", &[("set-cookie", "n=v; Max-Age=600")], "");
    world.agent.visit(&world.url("a.site", "/set")).await;
    world.agent.advance(599);
    world.agent.visit(&world.url("a.site", "/x")).await;
    assert_eq!(world.sent("/x", &["cookie"]), ["n=v"]);
    world.agent.advance(2);
    world.agent.visit(&world.url("a.site", "/x")).await;
    assert_eq!(world.sent("/x", &["cookie"]), ["-"]);
}

#[tokio::test]
#[should_panic(expected = "too many redirects")]
async fn a_loop_is_a_failure() {
    let world = World::new();
    world.redirect("/loop", 302, "/loop");
    world.agent.visit(&world.url("a.site", "/loop")).await;
}

#[test]
fn a_page_reads_as_a_person_reads_it() {
    let html = "<!doctype html><style>p{}</style><!-- <form action=/no> --><h1>Hi &amp; welcome</h1><script>document.write('<p>no')</script><p>to&nbsp;us";
    assert_eq!(crate::support::html::text(html), "Hi & welcome to us");
    assert!(crate::support::html::forms(html).is_empty());
    let stray = "<form id=op.logoutForm action=/end method=post><input type=hidden name=x value=1></form><button form=op.logoutForm name=logout value=yes>";
    let form = &crate::support::html::forms(stray)[0];
    assert_eq!(form.buttons, [("logout".to_owned(), "yes".to_owned())]);
}
