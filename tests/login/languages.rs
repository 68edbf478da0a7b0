//! Languages of pages: the request's own, whoever asks, and picked without losing the login under way.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use crate::doors::{Doors, PASSWORD};
use crate::passwords::face;
use crate::world::{ACME, World};

/// The login host's first page for a request with these fields.
async fn first(doors: &Doors, path: &str, fields: &[(&str, &str)]) -> String {
    let mut request =
        Request::get(doors.url("id", path)).header("accept", "text/html").header("sec-fetch-mode", "navigate");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::new())).expect("a request");
    let answer = doors.agent().raw(&doors.url("id", path), request).await;
    String::from_utf8(answer.body().to_vec()).expect("UTF-8")
}

#[tokio::test]
async fn a_page_is_in_the_language_that_its_request_asks_for() {
    let doors = Doors::open("", "").await;
    let check = async |path: &str, fields: &[(&str, &str)], tag: &str| {
        let html = first(&doors, path, fields).await;
        assert!(html.contains(&format!("<html lang=\"{tag}\">")), "{path} {fields:?}: {html}");
    };
    check("/login", &[], "en").await;
    check("/login", &[("accept-language", "de-AT,de;q=0.9,en;q=0.5")], "de").await;
    check("/login", &[("accept-language", "fr, en;q=0.5, de;q=0.1")], "en").await;
    check("/login?ui_locales=fr+de", &[("accept-language", "en")], "de").await;
    check("/login?ui_locales=de", &[("cookie", "__Host-fedgate-language=en")], "en").await;
    check("/login", &[("accept-language", "en"), ("cookie", "__Host-fedgate-language=de")], "de").await;
    check("/login", &[("cookie", "__Host-fedgate-language=\"><script>")], "en").await;
    // Pages that are no login's say it too.
    check("/login/callback", &[("accept-language", "de")], "de").await;
    doors.close().await;
}

#[tokio::test]
async fn a_picked_language_shows_the_same_page_and_the_login_goes_on() {
    let doors = Doors::open("", "").await;
    doors.person("ann@gmail.example.test").await;
    let ann = doors.agent();
    let page = doors.identify(&ann, "ann@gmail.example.test").await;
    assert!(page.html().contains("lang=\"en\""), "{}", page.describe());
    let picked = ann.submit(&page, "/.fedgate/language", &[("language", "de")]).await;
    assert!(picked.html().contains("<html lang=\"de\">"), "{}", picked.html());
    assert!(picked.html().contains("Bei Trello anmelden"), "{}", picked.html());
    let password = ann.submit(&picked, "email", &[("email", "ann@gmail.example.test")]).await;
    let inside = ann.submit(&password, "password", &[("password", PASSWORD)]).await;
    assert_eq!(inside.url.as_str(), doors.url("trello", "/page"), "{}", inside.describe());
    let cookies = doors.trello.last("/page").head.first("cookie").unwrap_or_default().to_owned();
    assert!(!cookies.contains("fedgate"), "the product learns no language from our cookie: {cookies}");
    doors.close().await;
}

#[tokio::test]
async fn a_language_that_a_product_asks_for_goes_along_to_the_login_host_and_the_provider() {
    let world = World::own("", |file, _| file).await;
    let ann = world.browser();
    let page = ann.visit(&world.url("trello", "/.fedgate/login?return_to=%2Fpage&ui_locales=de+fr")).await;
    assert!(page.url.as_str().contains("ui_locales=de+fr"), "{}", page.describe());
    assert!(page.html().contains("<html lang=\"de\">"), "{}", page.html());
    // The answer to a form names no language: the host remembers it until the browser is closed.
    let wrong = ann.submit(&page, "email", &[("email", "nobody")]).await;
    assert!(wrong.html().contains("<html lang=\"de\">"), "{}", wrong.html());
    let kept = ann.cookies("id.example.test").into_iter().find(|cookie| cookie.name == "__Host-fedgate-language");
    assert_eq!(kept.map(|cookie| cookie.value).as_deref(), Some("de"));
    let at_provider = ann.submit(&page, "email", &[("email", &format!("ann@{ACME}"))]).await;
    let asked = at_provider.trace.iter().find(|hop| hop.url.path().ends_with("/auth")).expect("the provider");
    let languages: Vec<_> = asked.url.query_pairs().filter(|(name, _)| name == "ui_locales").collect();
    assert_eq!(languages, [("ui_locales".into(), "de".into())], "{}", asked.url);
    // Who said nothing here is asked by the provider as their browser says.
    let bob = world.browser();
    let at_provider = world.to_provider(&bob, &format!("bob@{ACME}"), &world.url("trello", "/page")).await;
    let asked = at_provider.trace.iter().find(|hop| hop.url.path().ends_with("/auth")).expect("the provider");
    assert!(!asked.url.as_str().contains("ui_locales"), "{}", asked.url);
    // What was picked is not overruled.
    let page = bob.visit(&world.url("id", "/login")).await;
    bob.submit(&page, "/login/language", &[("language", "en")]).await;
    let page = bob.visit(&world.url("trello", "/.fedgate/login?return_to=%2Fpage&ui_locales=de")).await;
    assert!(page.html().contains("<html lang=\"en\">"), "{}", page.html());
}

#[tokio::test]
async fn the_picker_leads_to_pages_of_ours_alone_and_keeps_languages_that_there_are_alone() {
    let doors = Doors::open("", "").await;
    let ann = doors.agent();
    let page = ann.visit(&doors.url("id", "/login")).await;
    for back in
        ["https://evil.example/", "//evil.example/", "/login/callback?code=x", "/login\\evil", "/account/delete"]
    {
        let led = ann.submit(&page, "/login/language", &[("language", "de"), ("back", back)]).await;
        assert_eq!(led.url.as_str(), doors.url("id", "/"), "{back}: {}", led.describe());
    }
    let other = doors.agent();
    let page = other.visit(&doors.url("id", "/login")).await;
    other.submit(&page, "/login/language", &[("language", "tlh")]).await;
    assert!(other.cookies("id.example.test").iter().all(|cookie| cookie.name != "__Host-fedgate-language"));
    doors.close().await;
}

#[tokio::test]
async fn h18_a_language_tells_nothing_of_who_exists() {
    let doors = Doors::open("", "").await;
    doors.person("ann@gmail.example.test").await;
    let mut faces = Vec::new();
    for typed in ["ann@gmail.example.test", "who@gmail.example.test"] {
        let agent = doors.agent();
        let page = doors.identify(&agent, typed).await;
        agent.submit(&page, "/.fedgate/language", &[("language", "de")]).await;
        let page = doors.identify(&agent, typed).await;
        let wrong = agent.submit(&page, "password", &[("password", "not-the-password")]).await;
        assert!(wrong.html().contains("Das hat nicht geklappt"), "{}", wrong.html());
        faces.push((face(&page, typed), face(&wrong, typed)));
    }
    assert_eq!(faces[0], faces[1]);
    doors.close().await;
}

/// What a letter says, its head apart.
fn body(letter: &str) -> &str {
    letter.split_once("\r\n\r\n").or(letter.split_once("\n\n")).expect("a body").1
}

/// A login by a program that says nothing of languages.
async fn silent(doors: &Doors, email: &str) {
    let agent = doors.agent();
    let page = doors.identify(&agent, email).await;
    let form = page.forms().into_iter().find(|form| form.action.ends_with("/password")).expect("a form");
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in &form.fields {
        let value = if name == "password" { PASSWORD } else { value };
        body.append_pair(name, value);
    }
    let to = page.url.join(&form.action).expect("a URL");
    let request = Request::post(to.as_str())
        .header("content-type", "application/x-www-form-urlencoded")
        .header("origin", to.origin().ascii_serialization())
        .header("sec-fetch-site", "same-origin")
        .header("cookie", agent.cookie_header(to.as_str()).expect("the flow's"));
    let request = request.body(Full::from(Bytes::from(body.finish()))).expect("a request");
    let answer = agent.raw(to.as_str(), request).await;
    let cookies: Vec<_> =
        answer.headers().get_all("set-cookie").iter().map(|line| line.to_str().unwrap_or("")).collect();
    assert!(cookies.iter().any(|line| line.starts_with("__Host-fedgate=")), "{} {cookies:?}", answer.status());
}

#[tokio::test]
async fn a_letter_is_in_the_language_that_its_reader_last_logged_in_with() {
    let doors = Doors::open("", "").await;
    for person in ["ann", "bob", "cara"] {
        doors.person(&format!("{person}@gmail.example.test")).await;
    }
    // Ann logs in in German, Bob in what his browser speaks, Cara not at all.
    let log_in = async |person: &str, picked: &str| {
        let (agent, email) = (doors.agent(), format!("{person}@gmail.example.test"));
        let mut page = doors.identify(&agent, &email).await;
        if !picked.is_empty() {
            agent.submit(&page, "/.fedgate/language", &[("language", picked)]).await;
            page = doors.identify(&agent, &email).await;
        }
        let inside = agent.submit(&page, "password", &[("password", PASSWORD)]).await;
        assert_eq!(inside.url.as_str(), doors.url("trello", "/page"), "{}", inside.describe());
    };
    log_in("ann", "de").await;
    log_in("bob", "").await;
    // Who asks for a letter does not choose how it reads: somebody asks in German for each of them.
    let stranger = doors.agent();
    let page = doors.identify(&stranger, "who@gmail.example.test").await;
    stranger.submit(&page, "/.fedgate/language", &[("language", "de")]).await;
    for (person, german) in [("ann", true), ("bob", false), ("cara", false)] {
        let email = format!("{person}@gmail.example.test");
        let page = stranger.visit(&doors.url("trello", "/forgot")).await;
        stranger.submit(&page, "email", &[("email", &email)]).await;
        let letter = doors.letter(&format!("To: {email}"), 1).await;
        assert_eq!(body(&letter).contains("Passwort"), german, "{person}: {letter}");
        assert_eq!(body(&letter).contains("password"), !german, "{person}: {letter}");
    }
    // One without a wish of any kind changes nothing; a later wish does.
    silent(&doors, "ann@gmail.example.test").await;
    log_in("bob", "de").await;
    let page = stranger.visit(&doors.url("trello", "/forgot")).await;
    for person in ["ann", "bob"] {
        let email = format!("{person}@gmail.example.test");
        stranger.submit(&page, "email", &[("email", &email)]).await;
        let letter = doors.letter(&format!("To: {email}"), 2).await;
        assert!(body(&letter).contains("Passwort"), "{person}: {letter}");
    }
    log_in("ann", "en").await;
    stranger.submit(&page, "email", &[("email", "ann@gmail.example.test")]).await;
    let letter = doors.letter("To: ann@gmail.example.test", 3).await;
    assert!(body(&letter).contains("password"), "{letter}");
    doors.close().await;
}
