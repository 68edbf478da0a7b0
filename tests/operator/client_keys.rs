//! `private_key_jwt` with the certified provider, which reads our key where `check` says (rule H20).

use serde_json::json;

use super::support::authority::Authority;
use super::support::configuration::Configuration;
use super::support::gateway::Gateway;
use super::support::op::Op;
use super::support::upstream::Upstream;

#[tokio::test]
async fn h20_the_provider_reads_our_key_where_check_says() {
    let authority = Authority::new();
    let (op, trello) = (Op::start(&authority), Upstream::start());
    let keyed = format!(
        "[org.acme]\ndomains = [\"acme.example.test\"]\n[org.acme.sso]\noidc = \"{}\"\nclient_id = \"fedgate-key\"\n\
         client_auth = \"private_key_jwt\"",
        op.issuer()
    );
    let globex = "[org.globex]\ndomains = [\"globex.example.test\"]\n[org.globex.sso]\noidc = \"https://op.globex.example\"\n\
                  client_id = \"c\"\nclient_auth = \"none\"";
    let configuration = Configuration::new()
        .trust(&authority.ca_file())
        .product("trello", &trello.url(), "")
        .table(&keyed)
        .table(globex);
    let gateway = Gateway::start(&configuration);
    let keys_at = gateway.url("id", "/oidc/acme/jwks.json");
    let (status, said, _) = gateway.command(&["check"]);
    assert!(status.success() && said.contains(&format!("acme                     {keys_at}")), "{said}");
    assert!(!said.contains("/oidc/globex"), "{said}");

    let agent = gateway.agent(&[&authority.ca_file()]);
    let keys = agent.visit(&keys_at).await.json();
    assert!(keys["keys"][0]["kty"] == "EC" && keys["keys"][0].get("d").is_none(), "{keys}");
    for other in ["/oidc/globex/jwks.json", "/oidc/jwks.json", "/oidc/nobody/jwks.json", "/oidc/acme/main/x/jwks.json"]
    {
        assert_eq!(agent.visit(&gateway.url("id", other)).await.status, 404, "{other}");
    }

    op.act("/trust", json!({ "files": [gateway.ca_file()] })).await;
    let client =
        json!({ "client_id": "fedgate-key", "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": keys_at });
    op.act("/clients", client).await;
    op.allow_redirects(&[&gateway.url("id", "/login/callback/acme")], &[]).await;
    let page = agent.visit(&gateway.url("trello", "/")).await;
    let page = agent.submit(&page, "email", &[("email", "ann@acme.example.test")]).await;
    let page = agent.submit(&page, "password", &[("login", "ann"), ("password", "ann-pw")]).await;
    assert!(page.status == 200 && page.url.as_str() == gateway.url("trello", "/"), "{}", page.describe());
    assert!(trello.last("/").head.first("fedgate-assertion").is_some());
}
