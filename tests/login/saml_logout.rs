//! SAML single logout with npm `samlify`: the provider ends sessions here, and is told of ours (rule H5).

use std::collections::BTreeMap;
use std::time::Duration;

use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use url::Url;

use crate::saml::Company;
use crate::support::agent::UserAgent;
use crate::support::authority::Authority;
use crate::support::clock::eventually;
use crate::support::intent::Intent;
use crate::support::page::Page;
use crate::support::saml::Idp;

/// Everything of a company, whose provider's metadata says `mode` from the start.
async fn company(mode: Value) -> Company {
    let authority = Authority::new();
    let idp = Idp::start(&authority);
    idp.mode(mode).await;
    Company::with(authority, idp, |idp| idp.entity_id().to_owned(), "").await
}

/// Posts a form of the provider's page.
async fn post(agent: &UserAgent, from: &str, action: &str, fields: &[(&str, &str)]) -> Page {
    let (from, url) = (Url::parse(from).expect("a URL"), Url::parse(action).expect("a URL"));
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let intent = Intent { method: Method::POST, ..Intent::navigation(Some(&from), url) };
    agent.load(intent.with_body("application/x-www-form-urlencoded", body)).await
}

async fn inside(company: &Company, login: &str) -> UserAgent {
    let agent = company.browser();
    company.log_in(&agent, login).await;
    assert!(company.who(&agent).await.is_some(), "{login}");
    agent
}

fn refused(company: &Company) -> String {
    let events = company.events("logout.provider");
    let event = events.last().expect("an event").to_string();
    assert!(event.contains("\"refused\""), "{event}");
    event
}

#[tokio::test]
async fn h5_a_providers_logout_ends_its_session_with_every_stream_and_no_other() {
    let company = company(json!({})).await;
    let (ann, elsewhere, bob) =
        (inside(&company, "ann").await, inside(&company, "ann").await, inside(&company, "bob").await);
    let mut streams = Vec::new();
    for agent in [&ann, &elsewhere, &bob] {
        let url = company.url("trello", "/events");
        let request = Request::get(&url).header("cookie", agent.cookie_header(&url).expect("a session"));
        let request = request.body(http_body_util::Full::default()).expect("a request");
        let events = agent.wire().send(&Url::parse(&url).expect("a URL"), request).await.expect("an answer");
        assert_eq!(events.status(), StatusCode::OK);
        streams.push(events);
    }
    assert_eq!(company.trello.open_streams(), 3);

    // She leaves at the provider: her session of this browser, and the provider reads our signed answer.
    let page = ann.visit(&format!("{}/logout", company.idp.base())).await;
    assert_eq!(page.text(), "Done Everything is over.", "{}", page.describe());
    eventually("hers closes", Duration::from_secs(1), || company.trello.open_streams() == 2).await;
    assert_eq!(company.who(&ann).await, None);
    assert!(company.who(&elsewhere).await.is_some(), "another session of hers goes on");
    assert!(company.who(&bob).await.is_some());
    let answer =
        company.idp.seen().await.into_iter().find(|one| one["logout_response"].is_object()).expect("an answer");
    assert!(answer["content"].as_str().expect("XML").contains("status:Success"), "{answer}");
    assert_eq!(answer["relay_state"], "https://evil.example/", "goes back as it came, and leads nowhere");
    assert!(page.trace.iter().all(|hop| hop.url.host_str() != Some("evil.example")), "{}", page.describe());
    let ended = company.events("session.ended").pop().expect("an event").to_string();
    for part in ["provider-logout", "acme", "\"ref\""] {
        assert!(ended.contains(part), "{part}: {ended}");
    }

    // Without an index all of hers end, by a form too, which brings none of our cookies.
    let wanted = json!({ "login": "ann", "binding": "post" });
    let made = company.idp.logout_request(wanted).await;
    let fields = [("SAMLRequest", made["message"].as_str().expect("a message"))];
    let admin = company.browser();
    let page = post(&admin, company.idp.base(), made["action"].as_str().expect("an address"), &fields).await;
    assert_eq!(page.text(), "Done Everything is over.", "{}", page.describe());
    assert_eq!(company.who(&elsewhere).await, None);
    assert!(company.who(&bob).await.is_some());
    drop(streams);
}

#[tokio::test]
async fn h5_a_logout_that_does_not_hold_ends_nothing_and_is_named() {
    let company = company(json!({})).await;
    let ann = inside(&company, "ann").await;
    let stranger = company.browser();
    let from = company.idp.base().to_owned();
    let slo = company.url("id", "/saml/acme/slo");
    let of = |made: &Value| made["url"].as_str().expect("a URL").to_owned();

    for (wanted, code) in [
        (json!({ "login": "ann", "now": -7200 }), "saml-issued"),
        (json!({ "login": "ann", "now": 7200 }), "saml-issued"),
        (json!({ "login": "ann", "to": "https://other.example/slo" }), "saml-destination"),
    ] {
        let url = of(&company.idp.logout_request(wanted.clone()).await);
        // Sent to us, whatever it says of itself.
        let query = Url::parse(&url).expect("a URL").query().expect("a query").to_owned();
        let page = stranger.visit(&format!("{slo}?{query}")).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{wanted}: {}", page.describe());
        assert!(refused(&company).contains(code), "{wanted} wants {code}: {}", refused(&company));
        assert!(company.who(&ann).await.is_some(), "{wanted}");
    }

    // Without its signature, in both bindings; with one of its parameters twice; one letter later.
    company.idp.mode(json!({ "unsigned_logout": true })).await;
    let url = of(&company.idp.logout_request(json!({ "login": "ann" })).await);
    stranger.visit(&url).await;
    assert!(refused(&company).contains("saml-unsigned"), "{}", refused(&company));
    let made = company.idp.logout_request(json!({ "login": "ann", "binding": "post" })).await;
    post(&stranger, &from, &slo, &[("SAMLRequest", made["message"].as_str().expect("a message"))]).await;
    assert!(refused(&company).contains("saml-unsigned"), "{}", refused(&company));
    company.idp.mode(json!({ "unsigned_logout": null })).await;
    let url = of(&company.idp.logout_request(json!({ "login": "ann" })).await);
    stranger.visit(&format!("{url}&RelayState=x")).await;
    assert!(refused(&company).contains("saml-signature"), "{}", refused(&company));
    stranger.visit(&format!("{url}&SigAlg=x")).await;
    // A query whose message comes twice is no message: it shows a button at most.
    stranger.visit(&format!("{url}&SAMLRequest=x")).await;

    // Another provider's, with its own key, in this one's name.
    let other = Idp::start(&company.authority);
    let metadata = stranger.visit(&company.url("id", "/saml/acme/metadata")).await.html();
    other.register(&metadata).await;
    let foreign = of(&other.logout_request(json!({ "login": "ann" })).await);
    stranger.visit(&foreign).await;
    assert!(refused(&company).contains("saml-"), "{}", refused(&company));
    assert!(company.who(&ann).await.is_some(), "nothing of all that ended anything");

    // Somebody else's name ends nobody, and the same message counts once.
    let nobody = of(&company.idp.logout_request(json!({ "login": "ann", "name_id": "p-nobody" })).await);
    stranger.visit(&nobody).await;
    assert!(company.who(&ann).await.is_some(), "a name that nobody has");
    let index = "_s-another".to_owned();
    let another = of(&company.idp.logout_request(json!({ "login": "ann", "session_index": index })).await);
    stranger.visit(&another).await;
    assert!(company.who(&ann).await.is_some(), "another session of hers");
    stranger.visit(&another).await;
    assert!(refused(&company).contains("saml-replayed"), "{}", refused(&company));

    // The truth ends it.
    stranger.visit(&url).await;
    assert_eq!(company.who(&ann).await, None);
}

#[tokio::test]
async fn c1_a_logout_of_one_company_ends_nobody_of_another_at_the_same_provider() {
    let company = company(json!({})).await;
    let ann = inside(&company, "ann").await;
    // The other company's directory is of the same provider, with the same names of people.
    company.introduce("globex").await;
    let made = company.idp.logout_request(json!({ "login": "ann" })).await;
    let page = ann.visit(made["url"].as_str().expect("a URL")).await;
    assert_eq!(page.text(), "Done Everything is over.", "{}", page.describe());
    assert!(company.who(&ann).await.is_some(), "what globex's directory ends is globex's");
    // Its message at our company's address is none for it.
    let made = company.idp.logout_request(json!({ "login": "ann" })).await;
    let query = Url::parse(made["url"].as_str().expect("a URL")).expect("a URL").query().expect("a query").to_owned();
    let page = ann.visit(&format!("{}?{query}", company.url("id", "/saml/acme/slo"))).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.describe());
    assert!(refused(&company).contains("saml-destination"), "{}", refused(&company));
    assert!(company.who(&ann).await.is_some());
}

/// Sends these logouts, four at a time, and answers how many came to each status.
async fn flood(company: &Company, urls: &[Url]) -> BTreeMap<StatusCode, usize> {
    let send = async |urls: &[Url]| {
        let agent = company.browser();
        let mut came = Vec::with_capacity(urls.len());
        for url in urls {
            let request = Request::get(url.as_str()).body(http_body_util::Full::default()).expect("a request");
            came.push(agent.wire().send(url, request).await.expect("an answer").status());
        }
        came
    };
    let mut parts = urls.chunks(urls.len().div_ceil(4));
    let mut part = || parts.next().unwrap_or_default();
    let [one, two, three, four] = [part(), part(), part(), part()];
    let (one, two, three, four) = tokio::join!(send(one), send(two), send(three), send(four));
    let mut counts = BTreeMap::new();
    for status in [one, two, three, four].concat() {
        *counts.entry(status).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn h5_a_provider_that_floods_logouts_is_stopped_and_others_are_not() {
    let company = company(json!({})).await;
    let ann = inside(&company, "ann").await;
    let mut urls = Vec::new();
    for _ in 0..640 {
        let made = company.idp.logout_request(json!({ "login": "ann", "name_id": "p-nobody" })).await;
        urls.push(Url::parse(made["url"].as_str().expect("a URL")).expect("a URL"));
    }
    // A minute may end on the way, and the next one has its own share.
    let mut stopped = 0;
    for _ in 0..3 {
        let counts = flood(&company, &urls).await;
        stopped = counts.get(&StatusCode::SERVICE_UNAVAILABLE).copied().unwrap_or(0);
        if stopped > 0 {
            break;
        }
    }
    assert!((1..=40).contains(&stopped), "{stopped}");
    assert!(company.who(&ann).await.is_some());
    let events = company.events("logout.provider");
    let told = events.iter().filter(|event| event.to_string().contains("saml-logout-rate")).count();
    assert!((1..=stopped).contains(&told), "{told} of {stopped}");
    // The same provider's directory of another company has a share of its own, and people go on logging in.
    company.introduce("globex").await;
    let made = company.idp.logout_request(json!({ "login": "ann" })).await;
    let page = company.browser().visit(made["url"].as_str().expect("a URL")).await;
    assert_eq!(page.text(), "Done Everything is over.", "{}", page.describe());
}

async fn leave(company: &Company, agent: &UserAgent) -> Page {
    let page = agent.visit(&company.url("id", "/logout")).await;
    agent.submit(&page, "/logout", &[]).await
}

#[tokio::test]
async fn our_logout_tells_the_provider_by_either_binding_and_says_what_came_of_it() {
    for (mode, binding, told) in [
        (json!({}), "redirect", "says that you’re logged out there too"),
        (json!({ "logout": ["post"] }), "post", "says that you’re logged out there too"),
        (json!({ "logout_status": "partial" }), "redirect", "other applications may still have you logged in"),
    ] {
        let company = company(mode.clone()).await;
        let ann = inside(&company, "ann").await;
        let index = company.idp.session_index("ann").await;
        let page = leave(&company, &ann).await;
        assert_eq!(page.url.path(), "/saml/acme/slo", "{mode}: {}", page.describe());
        assert!(page.text().contains(told), "{mode}: {}", page.text());
        assert_eq!(company.who(&ann).await, None, "{mode}");
        // What it read was signed, of ours, and of this session.
        let seen = company.idp.seen().await;
        let request =
            seen.iter().find(|one| one["logout_request"].is_object()).unwrap_or_else(|| panic!("{mode}: {seen:?}"));
        assert_eq!(request["binding"], binding, "{request}");
        assert_eq!(request["logout_request"]["nameID"], "p-ann-7", "{request}");
        assert_eq!(request["logout_request"]["sessionIndex"], json!(index), "{request}");
        assert_eq!(request["logout_request"]["issuer"], company.url("id", "/saml/acme/metadata"), "{request}");
    }
}

#[tokio::test]
async fn a_provider_that_cannot_be_told_or_does_not_answer_keeps_nobody_in_here() {
    // No address for logouts: it is said, and everything here has ended.
    let silent = company(json!({ "logout": "none" })).await;
    let ann = inside(&silent, "ann").await;
    let page = leave(&silent, &ann).await;
    assert_eq!(page.url.path(), "/logout", "{}", page.describe());
    assert!(page.text().contains("You may still be logged in at"), "{}", page.text());
    assert_eq!(silent.who(&ann).await, None);

    // An answer to a request that we never made is nobody's word.
    let company = company(json!({})).await;
    let ann = inside(&company, "ann").await;
    for relay_state in ["", "https://evil.example/", "AAAA"] {
        let url = company.idp.logout_response("_never", relay_state).await;
        let page = ann.visit(&url).await;
        assert!(page.text().contains("nobody there said otherwise"), "{}", page.text());
        assert_eq!(page.url.path(), "/saml/acme/slo", "{}", page.describe());
        assert!(company.who(&ann).await.is_some(), "an answer ends nothing");
    }
    assert!(refused(&company).contains("saml-in-response-to"), "{}", refused(&company));
    // The provider is gone: everything here ends all the same.
    let page = ann.visit(&company.url("id", "/logout")).await;
    drop(company.idp);
    let form = page.form("/logout");
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&form.fields).finish();
    let url = page.url.clone();
    let request = Request::post(url.as_str())
        .header("origin", url.origin().ascii_serialization())
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("cookie", ann.cookie_header(url.as_str()).expect("a session"))
        .body(http_body_util::Full::from(body))
        .expect("a request");
    let answer = ann.raw(url.as_str(), request).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let page = ann.visit(&company.gateway.url("trello", "/.fedgate/session")).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{}", page.describe());
}
