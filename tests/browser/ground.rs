//! The browser's own ground: that the tools see what they claim to see, without a gateway.

use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::authority::Authority;
use crate::support::browser::Browser;
use crate::support::op::Op;
use crate::support::upstream::Upstream;

fn html(upstream: &Upstream, path: &str, body: &str) -> String {
    let page = format!(
        "<!doctype html><html lang=en><meta name=viewport content=\"width=device-width\"><title>t</title><main><h1>t</h1>{body}</main></html>"
    );
    let headers = [
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'"),
    ];
    upstream.answer(path, Answer::new(200, &headers, page));
    format!("http://a.localhost:{}{path}", upstream.address().port())
}

#[tokio::test]
async fn the_audit_finds_planted_faults_and_passes_a_sound_page() {
    let (upstream, browser) = (Upstream::start(), Browser::start(&[]));
    let ann = browser.person("ann");
    let check = async |path: &str, body: &str, expected: &str| {
        ann.open(&html(&upstream, path, body)).await;
        let findings = ann.findings("page").await;
        let found = findings.first().is_some_and(|first| !expected.is_empty() && first.contains(expected));
        assert!(found || (expected.is_empty() && findings.is_empty()), "{body}: {findings:?}");
    };
    check("/sound", "<p>Hello</p>", "").await;
    check("/image", "<img src=\"data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=\">", "image-alt").await;
    check("/pale", "<p style=\"color:#ccc;background:#fff\">Hello</p>", "color-contrast").await;
    check("/field", "<form><input name=email></form>", "label").await;
    check("/wide", "<div style=\"width:400px;height:1px\"></div>", "scrolls sideways").await;
}

#[tokio::test]
async fn a_person_logs_in_at_the_provider_over_tls() {
    let authority = Authority::new();
    let op = Op::start(&authority);
    let callback = Upstream::start();
    callback.answer("/cb", Answer::new(200, &[("content-type", "text/html")], "<title>back</title>"));
    let redirect = format!("{}/cb", callback.url());
    op.allow_redirects(&[&redirect], &[]).await;
    let browser = Browser::start(&[&authority.ca_file()]);
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"; // RFC 7636, appendix B
    let ask = format!(
        "{}/auth?response_type=code&client_id=fedgate&scope=openid&state=s&redirect_uri={redirect}&code_challenge={challenge}&code_challenge_method=S256",
        op.issuer()
    );
    let ann = browser.person("ann");
    ann.open(&ask).await;
    ann.fill(&[("[name=login]", "ann"), ("[name=password]", "ann-pw")]).await;
    let view = ann.press("#signin").await;
    assert!(view.url.starts_with(&redirect), "{view:?}");
    assert!(!ann.cookies("127.0.0.1").await.is_empty());
    let bob = browser.person("bob").open(&ask).await;
    assert!(bob.title.contains("Sign in"), "another person has another jar: {bob:?}");
}

#[tokio::test]
async fn the_page_shows_the_end_of_its_socket() {
    let (upstream, browser) = (Upstream::start(), Browser::start(&[]));
    let ann = browser.person("ann");
    ann.open(&format!("http://a.localhost:{}/page", upstream.address().port())).await;
    ann.until("#live[data-state=open]").await;
    assert_eq!(upstream.open_streams(), 1);
    ann.run("() => { socket.close(4001); }", Value::Null).await;
    ann.until("#live[data-state='closed 4001']").await;
}

/// Without a gateway in between everything arrives: the attack is one.
#[tokio::test]
async fn the_attack_reaches_an_unprotected_sibling_with_its_cookies() {
    let (a, b, browser) = (Upstream::start(), Upstream::start(), Browser::start(&[]));
    let ann = browser.person("ann");
    let target = format!("http://b.site.localhost:{}/live", b.address().port());
    ann.open(&target).await;
    ann.run("() => { document.cookie = 'session=1; SameSite=Strict'; }", Value::Null).await;
    ann.open(&format!("http://a.site.localhost:{}/page", a.address().port())).await;
    b.take();
    let attempts = ann.attack(&[&target]).await;
    let of = |kind: &str| attempts.iter().find(|(name, ..)| name == kind).map(|(.., outcome)| outcome.as_str());
    assert_eq!(of("fetch no-cors POST"), Some("opaque"), "{attempts:?}");
    assert_eq!(of("fetch cors DELETE"), Some("blocked"));
    assert_eq!(of("form post"), Some("frame loaded"));
    assert_eq!(of("websocket"), Some("open"));
    let seen = b.seen();
    let posts =
        seen.iter().filter(|one| one.head.method == "POST" && one.head.first("cookie") == Some("session=1")).count();
    assert!(posts >= 3, "fetch, form and beacon: {posts}");
    assert_eq!(json!(seen.iter().filter(|one| one.head.first("upgrade").is_some()).count()), json!(1));
}
