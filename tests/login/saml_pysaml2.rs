//! A company's SAML provider by a second hand, PyPI `pysaml2`: logins, and single logout in both directions (rule H5). Its XML, its
//! signatures (`xmlsec1`) and its reading of our queries have nothing in common with those of `samlify`.

use http::StatusCode;
use serde_json::{Value, json};

use crate::saml::Company;
use crate::support::agent::UserAgent;
use crate::support::authority::Authority;
use crate::support::page::Page;
use crate::support::saml::Idp;
use crate::world::ACME;

async fn company(mode: Value) -> Company {
    let authority = Authority::new();
    let idp = Idp::start_pysaml2(&authority);
    idp.mode(mode).await;
    Company::with(authority, idp, |idp| idp.entity_id().to_owned(), "").await
}

/// Logs in; pysaml2's page posts its form by itself.
async fn enter(company: &Company, agent: &UserAgent, login: &str) -> Page {
    let form = company.leave(agent).await;
    company.sign_in(agent, form, login).await
}

async fn inside(company: &Company, login: &str) -> UserAgent {
    let agent = company.browser();
    let page = enter(company, &agent, login).await;
    assert!(company.who(&agent).await.is_some(), "{login}: {}", page.describe());
    agent
}

/// What the provider read of that kind since it was asked last.
async fn read(company: &Company, kind: &str) -> Value {
    let seen = company.idp.seen().await;
    seen.into_iter().rfind(|one| one[kind].is_object()).unwrap_or_else(|| panic!("the provider read no {kind}"))
}

#[tokio::test]
async fn a_person_of_a_provider_on_pysaml2_is_let_in_however_it_signs() {
    let company = company(json!({})).await;
    let mut subjects = Vec::new();
    let (plain, gcm) = (json!(false), json!("aes128-gcm"));
    for (sign, encrypt) in [("both", &plain), ("assertion", &plain), ("assertion", &gcm), ("both", &gcm)] {
        company.idp.mode(json!({ "sign": sign, "encrypt": encrypt })).await;
        let ann = company.browser();
        let page = enter(&company, &ann, "ann").await;
        let denied = company.events("login.denied");
        assert_eq!(
            page.url.as_str(),
            company.url("trello", "/page"),
            "{sign} {encrypt}: {} {denied:?}",
            page.describe()
        );
        let who = company.who(&ann).await.expect("in");
        assert_eq!(
            (&who["email"], &who["name"], &who["managed"]),
            (&json!(format!("ann@{ACME}")), &json!("Ann Acme"), &json!(true)),
            "{who}"
        );
        subjects.push(who["sub"].clone());
    }
    // What it encrypts by as it is installed: a cipher that anybody can change the text of.
    company.idp.mode(json!({ "sign": "assertion", "encrypt": "3des" })).await;
    let ann = company.browser();
    let page = enter(&company, &ann, "ann").await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.describe());
    assert_eq!(company.who(&ann).await, None);
    let denied = company.events("login.denied").pop().expect("an event").to_string();
    assert!(denied.contains("saml-encryption-algorithm"), "{denied}");
    company.idp.mode(json!({ "encrypt": false })).await;
    let bob = inside(&company, "bob").await;
    let who = company.who(&bob).await.expect("in");
    assert_eq!(who["name"], json!("Bob \"Zoë\" <Acme> & 李"));
    assert!(subjects.iter().all(|sub| *sub == subjects[0] && *sub != who["sub"]), "{subjects:?} {who}");
}

#[tokio::test]
async fn h5_a_logout_at_a_provider_on_pysaml2_ends_its_session_and_no_other() {
    let company = company(json!({})).await;
    for binding in ["redirect", "post"] {
        company.idp.mode(json!({ "logout": binding })).await;
        let (ann, elsewhere, bob) =
            (inside(&company, "ann").await, inside(&company, "ann").await, inside(&company, "bob").await);
        let page = ann.visit(&format!("{}/logout?binding={binding}", company.idp.base())).await;
        assert_eq!(page.text(), "Done Everything is over.", "{binding}: {}", page.describe());
        assert_eq!(company.who(&ann).await, None, "{binding}");
        assert!(company.who(&elsewhere).await.is_some(), "{binding}: another session of hers goes on");
        assert!(company.who(&bob).await.is_some(), "{binding}");
        // It verified our answer, which leads nowhere but back to it.
        let answer = read(&company, "logout_response").await;
        let success = "urn:oasis:names:tc:SAML:2.0:status:Success";
        assert_eq!(answer["logout_response"]["status"], success, "{binding}: {answer}");
        assert_eq!(answer["relay_state"], "https://evil.example/", "{binding}: goes back as it came");
        assert!(page.trace.iter().all(|hop| hop.url.host_str() != Some("evil.example")), "{}", page.describe());
    }
}

#[tokio::test]
async fn our_logout_is_read_and_answered_by_a_provider_on_pysaml2() {
    for binding in ["redirect", "post"] {
        let company = company(json!({ "logout": binding })).await;
        let ann = inside(&company, "ann").await;
        let index = company.idp.session_index("ann").await;
        let page = ann.visit(&company.url("id", "/logout")).await;
        let page = ann.submit(&page, "/logout", &[]).await;
        assert_eq!(page.url.path(), "/saml/acme/slo", "{binding}: {}", page.describe());
        let told = "says that you’re logged out there too";
        assert!(page.text().contains(told), "{binding}: {}", page.text());
        assert_eq!(company.who(&ann).await, None, "{binding}");
        let request = read(&company, "logout_request").await;
        assert_eq!(request["logout_request"]["name_id"], "p-ann-7", "{request}");
        assert_eq!(request["logout_request"]["indexes"], json!([index]), "{request}");
        assert_eq!(request["logout_request"]["issuer"], company.url("id", "/saml/acme/metadata"), "{request}");
        // Its own session ended too: whoever comes again is asked for a password.
        let page = ann.visit(&company.url("trello", "/page")).await;
        let page = ann.submit(&page, "email", &[("email", &format!("ann@{ACME}"))]).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.describe());
        assert!(page.html().contains("type=\"password\""), "{binding}: {}", page.describe());
    }
}
