//! A company's SAML provider in a real browser: there by a form that posts itself, back by the provider's, from a portal's tile, and
//! out again (H10: cookies that travel with a POST from another site).

use serde_json::json;

use crate::support::authority::Authority;
use crate::support::browser::Browser;
use crate::support::configuration::Configuration;
use crate::support::gateway::Gateway;
use crate::support::saml::Idp;
use crate::support::upstream::Upstream;

#[tokio::test]
async fn h10_a_company_with_saml_logs_in_comes_by_its_portals_tile_and_leaves() {
    let authority = Authority::new();
    let (idp, trello) = (Idp::start(&authority), Upstream::start());
    // By a form alone: the page that posts itself must do so under its own policy, also where the provider sends the form on (M12).
    idp.mode(json!({ "bindings": ["post"], "moved": true })).await;
    let configuration = Configuration::new()
        .trust(&authority.ca_file())
        .product("trello", &trello.url(), "")
        .table(&format!("[org.acme]\ndomains = [\"acme.example.test\"]\nsso = {{ saml = \"{}\" }}", idp.entity_id()));
    let gateway = Gateway::start(&configuration);
    let browser = Browser::start(&[&gateway.ca_file(), &authority.ca_file()]);
    let metadata = gateway.agent(&[]).visit(&gateway.url("id", "/saml/acme/metadata")).await;
    idp.register(&metadata.html()).await;

    let ann = browser.person("ann of saml");
    let page = gateway.url("trello", "/page");
    ann.open(&page).await;
    ann.fill(&[("[name=email]", "ann@acme.example.test")]).await;
    ann.press("form:has([name=email]) [type=submit]").await;
    ann.until("[name=password]").await;
    ann.fill(&[("[name=login]", "ann"), ("[name=password]", "ann-pw")]).await;
    ann.press("button").await;
    ann.until("[name=SAMLResponse] ~ button").await;
    ann.press("button").await;
    ann.until_at(&page).await;

    // Out, and the provider is told on the way.
    ann.open(&gateway.url("id", "/logout")).await;
    ann.press("form[action$=\"logout\"] button").await;
    ann.until_at(&gateway.url("id", "/saml/acme/slo")).await;
    ann.assert_sound("signed out over there").await;
    let view = ann.open(&page).await;
    assert!(view.url.starts_with(&gateway.url("id", "/login")), "{view:?}");

    // The company's portal: its response is not read, and a login of ours begins and ends by itself.
    ann.open(&format!("{}/portal", idp.base())).await;
    ann.until("[name=password]").await;
    ann.fill(&[("[name=login]", "ann"), ("[name=password]", "ann-pw")]).await;
    ann.press("button").await;
    ann.until("[name=SAMLResponse] ~ button").await;
    ann.press("button").await;
    ann.until_at(&format!("{}/sso", idp.base())).await;
    ann.press("button").await;
    ann.until_at(&gateway.url("id", "/")).await;
    let view = ann.open(&page).await;
    assert!(view.url.starts_with(&page), "{view:?}");
    ann.leave().await;
}
