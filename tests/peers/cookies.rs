//! Which cookies are kept and which are sent (RFC 6265bis, as Chromium does it).

use url::Url;

use crate::support::cookies::{Context, Jar};
use crate::support::site::Relation;

const NOW: i64 = 1_800_000_000;
const HOME: Context = Context { same_site: true, top_level: true, safe_method: true, now: NOW };

/// Sets `line` from `from`, then says what `to` is sent.
fn sent(from: &str, line: &str, to: &str, context: Context) -> String {
    let mut jar = Jar::default();
    let url = |text: &str| Url::parse(text).expect("a URL");
    jar.set(&url(from), line, HOME);
    jar.header(&url(to), context).unwrap_or_default()
}

#[test]
fn a_cookie_goes_to_its_host_and_path() {
    let check = |line: &str, to: &str, expected: &str| {
        assert_eq!(sent("https://loom.example.test:1/a/b", line, to, HOME), expected, "{line} to {to}");
    };
    check("n=v", "https://loom.example.test:2/a/c", "n=v"); // ports do not count
    check("n=v", "https://loom.example.test/", ""); // the default path is /a
    check("n=v; Path=/", "https://loom.example.test/", "n=v");
    check("n=v; Path=/", "https://sub.loom.example.test/", ""); // host only
    check("n=v; Path=/; Domain=example.test", "https://id.example.test/", "n=v");
    check("n=v; Path=/; Domain=.example.test", "https://id.example.test/", "n=v");
    check("n=v; Path=/; Domain=test", "https://loom.example.test/", ""); // a public suffix
    check("n=v; Path=/; Domain=id.example.test", "https://id.example.test/", ""); // not the sender's
    check("n=v; Path=/x", "https://loom.example.test/xy", "");
    check("n=v; Path=/x", "https://loom.example.test/x/y", "n=v");
    check("n=v; Path=/; Secure", "http://loom.example.test/", "");
}

#[test]
fn prefixes_bind_a_cookie_to_its_host() {
    let check = |line: &str, expected: &str| {
        assert_eq!(sent("https://loom.example.test/", line, "https://loom.example.test/", HOME), expected, "{line}");
    };
    check("__Host-a=v; Secure; Path=/", "__Host-a=v");
    check("__Host-a=v; Secure", "");
    check("__Host-a=v; Path=/", "");
    check("__Host-a=v; Secure; Path=/x", "");
    check("__Host-a=v; Secure; Path=/; Domain=loom.example.test", "");
    check("__HOST-a=v; Path=/", "");
    check("__Secure-a=v; Path=/", "");
    check("__Secure-a=v; Secure; Path=/; Domain=example.test", "__Secure-a=v");
    check("=__Host-a=v; Secure; Path=/", ""); // nameless, reads like a prefixed one
    check("n=v; SameSite=None", ""); // needs Secure
    check(&format!("n={}", "v".repeat(4096)), "");
}

#[test]
fn prefixed_and_secure_cookies_are_refused_over_plain_http() {
    let check = |line: &str| {
        assert_eq!(sent("http://loom.example.test/", line, "https://loom.example.test/", HOME), "", "{line}")
    };
    check("n=v; Secure");
    check("__Host-a=v; Secure; Path=/");
}

#[test]
fn same_site_decides_what_another_site_may_have_sent() {
    let check = |attributes: &str, top_level: bool, safe_method: bool, later: i64, expected: bool| {
        let context = Context { same_site: false, top_level, safe_method, now: NOW + later };
        let got =
            sent("https://a.test.example/", &format!("n=v; Secure{attributes}"), "https://a.test.example/", context);
        assert_eq!(!got.is_empty(), expected, "{attributes} {context:?}");
    };
    check("; SameSite=Lax", true, true, 0, true);
    check("; SameSite=Lax", true, false, 0, false);
    check("; SameSite=Lax", false, true, 0, false);
    check("; SameSite=Strict", true, true, 0, false);
    check("; SameSite=None", false, false, 0, true);
    check("", true, false, 119, true); // unsaid is Lax, but lenient for two minutes
    check("", true, false, 121, false);
    check("", false, true, 0, false);
}

#[test]
fn a_cookie_ends_when_it_says() {
    let check = |line: &str, later: i64, expected: bool| {
        let context = Context { now: NOW + later, ..HOME };
        assert_eq!(
            !sent("https://a.example/", line, "https://a.example/", context).is_empty(),
            expected,
            "{line} after {later}"
        );
    };
    check("n=v; Max-Age=60", 59, true);
    check("n=v; Max-Age=60", 60, false);
    check("n=v; Max-Age=0", 0, false);
    check("n=v; Max-Age=-1", 0, false);
    check("n=v; Expires=Thu, 01 Jan 1970 00:00:00 GMT", 0, false);
    check("n=v; Expires=Fri, 15-Jan-2027 08:00:01 GMT", 0, true); // one second after NOW
    check("n=v; Expires=Fri, 15 Jan 2027 08:00:00 GMT", 0, false);
    check("n=v; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60", 59, true); // Max-Age wins
    check("n=v", 86_400 * 365, true);
}

#[test]
fn an_expired_line_deletes_what_is_there() {
    let url = Url::parse("https://a.example/").expect("a URL");
    let mut jar = Jar::default();
    assert!(jar.set(&url, "__Host-n=v; Secure; Path=/; HttpOnly", HOME));
    assert!(jar.set(&url, "__Host-n=; Secure; Path=/; Max-Age=0", HOME));
    assert_eq!(jar.header(&url, HOME), None);
}

#[test]
fn plain_http_cannot_overlay_a_secure_cookie() {
    let (safe, plain) =
        (Url::parse("https://a.example/").expect("a URL"), Url::parse("http://a.example/").expect("a URL"));
    let mut jar = Jar::default();
    jar.set(&safe, "n=good; Secure; Path=/", HOME);
    assert!(!jar.set(&plain, "n=bad; Path=/", HOME));
    assert_eq!(jar.header(&safe, HOME).as_deref(), Some("n=good"));
}

#[test]
fn siblings_are_one_site_and_ports_do_not_count() {
    let check = |a: &str, b: &str, expected: &str| {
        let (a, b) = (Url::parse(a).expect("a URL"), Url::parse(b).expect("a URL"));
        assert_eq!(Relation::between(&a, &b).as_str(), expected, "{a} and {b}");
    };
    check("https://id.example.test:1/a", "https://id.example.test:1/b", "same-origin");
    check("https://id.example.test:1/", "https://loom.example.test:2/", "same-site");
    check("https://id.example.test:1/", "https://id.example.test:2/", "same-site");
    check("http://id.example.test/", "https://id.example.test/", "cross-site");
    check("https://id.example.test/", "https://id.other.test/", "cross-site");
    check("https://a.github.io/", "https://b.github.io/", "cross-site");
    check("https://127.0.0.1:1/", "https://127.0.0.1:2/", "same-site");
}
