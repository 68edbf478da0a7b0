//! The agent without a screen against the real browser: the same journey must send the same headers.

use serde_json::Value;

use crate::support::agent::UserAgent;
use crate::support::answer::Answer;
use crate::support::browser::Browser;
use crate::support::intent::{Intent, Mode};
use crate::support::upstream::Upstream;
use http::Method;
use url::Url;

/// Headers by which a gateway tells requests apart.
const TELLING: [&str; 7] =
    ["sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "sec-fetch-user", "origin", "referer", "cookie"];

struct Both {
    upstream: Upstream,
    agent: UserAgent,
    browser: Browser,
}

impl Both {
    fn new() -> Self {
        let upstream = Upstream::start();
        let cookies = [
            "lax=1; SameSite=Lax",
            "strict=1; SameSite=Strict",
            "none=1; SameSite=None; Secure",
            "unsaid=1",
            "__Host-h=1; Secure; Path=/",
        ];
        let mut headers = vec![("content-type", "text/html")];
        headers.extend(cookies.map(|cookie| ("set-cookie", cookie)));
        upstream.answer("/set", Answer::new(200, &headers, "<title>set</title>"));
        Self { upstream, agent: UserAgent::new(&[]), browser: Browser::start(&[]) }
    }

    fn url(&self, host: &str, path: &str) -> String {
        format!("http://{host}.localhost:{}{path}", self.upstream.address().port())
    }

    fn html(&self, path: &str, headers: &[(&str, &str)], body: &str) {
        self.upstream.answer(path, Answer::new(200, &[&[("content-type", "text/html")], headers].concat(), body));
    }

    /// The last request for this path as `name: value` lines, and forgets all.
    fn sent(&self, path: &str) -> Vec<String> {
        let head = self.upstream.last(path).head;
        self.upstream.take();
        let line = |name: &&str| head.first(name).map(|value| format!("{name}: {value}"));
        std::iter::once(head.method.clone()).chain(TELLING.iter().filter_map(line)).collect()
    }

    /// A page with a form that posts to `action`, submitted by both; what each sent to `end`.
    async fn by_form(&self, headers: &[(&str, &str)], from: &str, action: &str, end: &str) -> [Vec<String>; 2] {
        self.html(
            "/form",
            headers,
            &format!("<form method=post action=\"{action}\"><button name=b value=1>Go</button></form>"),
        );
        let page = self.agent.visit(&self.url(from, "/form")).await;
        self.agent.submit(&page, "b", &[]).await;
        let ours = self.sent(end);
        let ann = self.browser.person("ann");
        ann.open(&self.url(from, "/form")).await;
        ann.press("button").await;
        [ours, self.sent(end)]
    }
}

#[tokio::test]
async fn the_agent_sends_what_chromium_sends() {
    let both = Both::new();
    let ann = both.browser.person("ann");
    both.agent.visit(&both.url("a.site", "/set")).await;
    ann.open(&both.url("a.site", "/set")).await;
    let mut differences = Vec::new();
    let mut same = |what: &str, [ours, theirs]: [Vec<String>; 2]| {
        if ours != theirs {
            differences.push(format!("{what}:\n  ours     {ours:?}\n  Chromium {theirs:?}"));
        }
    };

    both.agent.visit(&both.url("a.site", "/typed")).await;
    let ours = both.sent("/typed");
    ann.open(&both.url("a.site", "/typed")).await;
    same("an address typed", [ours, both.sent("/typed")]);

    for (from, headers) in [
        ("a.site", &[][..]),
        ("b.site", &[]),
        ("c.other", &[]),
        ("a.site", &[("referrer-policy", "no-referrer")]),
        ("c.other", &[("referrer-policy", "no-referrer")]),
    ] {
        let target = both.url("a.site", "/done");
        same(&format!("a form on {from} {headers:?}"), both.by_form(headers, from, &target, "/done").await);
        for status in ["302", "307"] {
            both.upstream.answer("/move", Answer::new(status.parse().expect("a status"), &[("location", &target)], ""));
            let answer = both.by_form(headers, from, &both.url("c.other", "/move"), "/done").await;
            same(&format!("a form on {from} {headers:?}, sent on with {status}"), answer);
        }
    }

    for (from, mode, name) in
        [("a.site", Mode::Cors, "cors"), ("b.site", Mode::NoCors, "no-cors"), ("c.other", Mode::NoCors, "no-cors")]
    {
        let (page, target) = (both.url(from, "/page"), both.url("a.site", "/fetched"));
        let parse = |text: &str| Url::parse(text).expect("a URL");
        both.agent.load(Intent::fetch(&parse(&page), mode, Method::POST, parse(&target))).await;
        let ours = both.sent("/fetched");
        ann.open(&page).await;
        let script = format!(
            "(url) => fetch(url, {{ method: 'POST', mode: '{name}', credentials: 'include' }}).then(() => 1, () => 0)"
        );
        ann.run(&script, Value::from(target)).await;
        // Chromium's fresh contexts block third-party cookies; other browsers do not, and the agent is the worst of them.
        let comparable = |lines: Vec<String>| {
            lines.into_iter().filter(|line| from != "c.other" || !line.starts_with("cookie")).collect()
        };
        same(&format!("a {name} fetch from {from}"), [ours, both.sent("/fetched")].map(comparable));
    }

    let (hop, end) = (both.url("c.other", "/hop"), both.url("a.site", "/landed"));
    both.html("/hop", &[], &format!("<meta http-equiv=refresh content=\"0;url={end}\">"));
    both.agent.visit(&hop).await;
    let ours = both.sent("/landed");
    ann.open(&hop).await;
    ann.until_at(&end).await;
    same("a refresh from another site", [ours, both.sent("/landed")]);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
