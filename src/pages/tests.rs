//! What must hold for every page: escaping, the policy and the headers. How each page reads is recorded in `tests/pages.rs`.

use super::{
    App, Brand, Ceremony, Choice, ConfirmLogout, Email, Fault, Form, Go, Home, Hop, Href, Html, Link, Local, Loop,
    Name, Page, Pages, Passkey, Person, Picker, ProductLink, Reader, Reenter, Reference, Refusal, SCRIPT, SCRIPT_PATH,
    SignedOut, Submit, There, Towards, Utc, Way,
};
use crate::language::{Languages, Text};
use std::sync::Arc;

fn fault() -> Page {
    Page::Fault(Fault { reference: Reference { code: "A".to_owned(), at: Utc(0) } })
}

fn spoken() -> Arc<Languages> {
    Arc::new(Languages::shipped(&[]).expect("our catalogues are well formed"))
}

fn pages() -> Pages {
    Pages::new("id.example.com", spoken()).expect("the templates compile")
}

/// Everything that stands between `<` and `>`, and the style sheet.
fn tags(body: &str) -> String {
    let tags = body.split('<').map(|part| part.split('>').next().unwrap_or("")).map(|tag| format!("<{tag}>\n"));
    tags.collect::<String>() + body.split("<style>").nth(1).and_then(|rest| rest.split("</style>").next()).unwrap_or("")
}

const HOSTILE: &str = "\"'><script>alert(1)</script>\u{202e}";

#[test]
fn every_field_of_every_page_is_escaped() {
    let pages = Pages::new(HOSTILE, spoken()).expect("the templates compile");
    for page in hostile() {
        // The one script of ours that stands in a page.
        let body =
            pages.render(&page, &Reader::english()).body.replace("<script>document.forms[0].submit()</script>", "");
        assert!(!body.contains("<script") && !body.contains('\u{202e}'), "{body}");
        assert!(body.matches("&lt;script&gt;").count() >= 2, "the hostile text is not on the page: {body}");
        let outside: String = tags(&body).split('"').step_by(2).collect();
        assert!(!outside.contains("alert"), "a hostile text stands outside its attribute: {body}");
    }
}

#[test]
fn the_one_script_is_ours_and_runs_on_pages_of_ceremonies_alone() {
    let href = || Href::parse("/x").expect("a path");
    let form = || Form { action: href(), csrf: "token".to_owned(), to: "to".to_owned() };
    let page = Page::Local(Box::new(Local::Passkey(Passkey {
        brand: Brand { name: Name::configured(HOSTILE), colour: None },
        form: form(),
        ceremony: Ceremony::Enrol { email: HOSTILE.to_owned() },
        options: HOSTILE.to_owned(),
        other: href(),
        failed: false,
    })));
    let html = pages().render(&page, &Reader::english());
    assert_eq!(html.body.matches("<script").count(), 1, "{}", html.body);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, SCRIPT.as_bytes());
    let digest = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, digest);
    // `/` is escaped in attributes; the browser reads it back.
    let body = html.body.replace("&#x2f;", "/");
    let tag = format!("<script src=\"{SCRIPT_PATH}\" integrity=\"sha256-{digest}\" defer></script>");
    assert!(body.contains(&tag), "{tag} in {body}");
    assert!(!html.body.contains('\u{202e}'), "{}", html.body);
    assert!(csp(&html).ends_with("; script-src 'self'"), "{}", csp(&html));
    assert!(!pages().csp().contains("script-src"), "other pages run none: {}", pages().csp());
}

fn csp(html: &Html) -> &str {
    html.headers.get("content-security-policy").and_then(|policy| policy.to_str().ok()).expect("a policy")
}

fn hostile() -> Vec<Page> {
    let text = || HOSTILE.to_owned();
    let href = || Href::parse("/x").expect("a path");
    let brand = || Brand { name: Name::configured(HOSTILE), colour: None };
    let token = || HOSTILE.replace('\u{202e}', "");
    let form = || Form { action: href(), csrf: token(), to: token() };
    let person = || Person { name: text(), email: text() };
    let reference = || Reference { code: text(), at: Utc(0) };
    let name = || Name::organization(HOSTILE);
    let ways = vec![
        Way { name: name(), go: Go::Post(token()), primary: true },
        Way { name: name(), go: Go::Link(href()), primary: false },
    ];
    vec![
        Page::Email(Email {
            brand: Some(brand()),
            form: form(),
            prefill: text(),
            invalid: true,
            passkey: Some(href()),
        }),
        Page::Email(Email { brand: None, form: form(), prefill: text(), invalid: false, passkey: None }),
        Page::Choice(Choice { brand: Some(brand()), form: form(), email: text(), change: href(), ways }),
        Page::Choice(Choice { brand: Some(brand()), form: form(), email: text(), change: href(), ways: Vec::new() }),
        Page::Hop(Hop { brand: Some(brand()), towards: Towards::Provider(name()), href: href() }),
        Page::Submit(Submit {
            brand: Some(brand()),
            towards: Towards::Provider(name()),
            action: url::Url::parse("https://idp.example/a;script-src%20*,b?x=%22%3E").expect("a URL"),
            field: "SAMLRequest",
            message: token(),
            relay_state: Some(token()),
        }),
        Page::SignedOut(SignedOut {
            brand: Some(brand()),
            again: href(),
            everywhere: Some(form()),
            there: Some((name(), There::Unknown)),
        }),
        Page::ConfirmLogout(ConfirmLogout { brand: Some(brand()), person: person(), form: form(), stay: href() }),
        Page::Reenter(Reenter { brand: brand(), person: person(), form: form(), other: href() }),
        Page::App(App {
            brand: brand(),
            app: Name::configured(HOSTILE),
            person: person(),
            form: form(),
            goes_to: url::Url::parse("com.example.board:/login").expect("a URL"),
        }),
        Page::Refusal(Refusal {
            status: 403,
            brand: Some(brand()),
            title: Text::of("app-rule").with("title", HOSTILE).with("product", HOSTILE),
            what: Text::of("refused-proof-what").with("provider", HOSTILE),
            can_do: Text::of("refused-proof-do"),
            ask: Text::of("ask-it"),
            reference: reference(),
            actions: vec![Link { label: Text::of("on-to").with("product", HOSTILE), href: href() }],
        }),
        Page::Loop(Loop { brand: Some(brand()), reference: reference(), again: href() }),
        Page::Fault(Fault { reference: reference() }),
        Page::Home(Home {
            person: person(),
            products: vec![ProductLink { brand: brand(), href: href() }],
            emergency: Some(href()),
            console: Some(href()),
            account: href(),
            logout: form(),
        }),
    ]
}

#[test]
fn the_policy_names_the_style_sheet_by_its_digest() {
    use base64::Engine as _;
    let html = pages().render(&fault(), &Reader::english());
    let style =
        html.body.split("<style>").nth(1).and_then(|rest| rest.split("</style>").next()).expect("a style sheet");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, style.as_bytes());
    let digest = base64::engine::general_purpose::STANDARD.encode(digest);
    assert!(csp(&html).contains(&format!("style-src 'sha256-{digest}'")), "{}", csp(&html));
    for part in [
        "default-src 'none'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "object-src 'none'",
        "img-src data:",
    ] {
        assert!(csp(&html).split("; ").any(|given| given == part), "{part} in {}", csp(&html));
    }
}

#[test]
fn h16_the_form_about_an_app_may_be_answered_there_and_nowhere_else() {
    let policy = |goes_to: &str| {
        let mut page = hostile().into_iter().find(|page| matches!(page, Page::App(_))).expect("one");
        if let Page::App(page) = &mut page {
            page.goes_to = url::Url::parse(goes_to).expect("a URL");
        }
        let html = pages().render(&page, &Reader::english());
        csp(&html).split("; ").find(|given| given.starts_with("form-action")).map(ToOwned::to_owned)
    };
    assert_eq!(policy("com.example.board:/login?x=1"), Some("form-action 'self' com.example.board:".to_owned()));
    assert_eq!(policy("http://127.0.0.1:51004/cb"), Some("form-action 'self' http://127.0.0.1:51004".to_owned()));
    assert_eq!(policy("http://[::1]:51004/cb"), Some("form-action 'self' http://[::1]:51004".to_owned()));
    assert_eq!(policy("https://a;script-src.example/cb"), Some("form-action 'self'".to_owned()));
}

#[test]
fn m12_a_form_that_posts_itself_may_be_sent_on_to_another_host_and_runs_its_one_script() {
    let page = hostile().into_iter().find(|page| matches!(page, Page::Submit(_))).expect("one");
    let path = || Href::parse("/login").expect("a path");
    let picker = Some(Picker { action: path(), back: path() });
    let html = pages().render(&page, &Reader { picker, ..Reader::english() });
    assert_eq!(html.body.matches("<form").count(), 1, "the form that posts itself is the only one: {}", html.body);
    let directives: Vec<&str> = csp(&html).split("; ").collect();
    assert!(directives.contains(&"form-action https:"), "{}", csp(&html));
    let script = html.body.split("<script>").nth(1).and_then(|rest| rest.split("</script>").next()).expect("a script");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, script.as_bytes());
    let digest = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, digest);
    let scripts: Vec<_> = directives.iter().filter(|given| given.starts_with("script-src")).collect();
    assert_eq!(scripts, [&format!("script-src 'sha256-{digest}'")], "{}", csp(&html));
    assert!(!csp(&html).contains("'self'"), "{}", csp(&html));
}

#[test]
fn every_page_carries_the_login_hosts_headers() {
    let headers = pages().render(&fault(), &Reader::english()).headers;
    let mut listed: Vec<String> =
        headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().expect("ASCII"))).collect();
    listed.sort();
    insta::assert_snapshot!("headers", digestless(&listed.join("\n")));
}

/// The style sheet's digest changes with every change of looks and has its own test.
fn digestless(headers: &str) -> String {
    let (before, rest) = headers.split_once("'sha256-").expect("a digest");
    format!("{before}'sha256-…{}", &rest[rest.find('\'').expect("a closing quote")..])
}

#[test]
fn a_form_does_not_show_its_token_in_debug_output() {
    let form =
        Form { action: Href::parse("/login").expect("a path"), csrf: "token-1".to_owned(), to: "handle-1".to_owned() };
    let shown = format!("{form:?}");
    assert!(!shown.contains("token-1") && !shown.contains("handle-1"), "{shown}");
}

#[test]
fn pages_can_be_shared_between_cores() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&pages());
}
