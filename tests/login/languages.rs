//! Languages of pages: the request's own, whoever asks, and picked without losing the login under way.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use crate::doors::{Doors, PASSWORD};
use crate::passwords::face;

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
