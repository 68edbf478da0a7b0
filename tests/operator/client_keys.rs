//! `private_key_jwt` with the certified provider, which reads our key where `check` says (rule H20).

use serde_json::json;

use super::support::authority::Authority;
use super::support::configuration::Configuration;
use super::support::gateway::Gateway;
use super::support::op::Op;
use super::support::upstream::Upstream;

#[tokio::test]
async fn h20_m23_the_provider_reads_our_key_where_check_says_and_the_next_one_in_time() {
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
    let registered = async || {
        let client =
            json!({ "client_id": "fedgate-key", "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": keys_at });
        op.act("/clients", client).await;
        op.allow_redirects(&[&gateway.url("id", "/login/callback/acme")], &[]).await;
    };
    registered().await;
    let page = agent.visit(&gateway.url("trello", "/")).await;
    let page = agent.submit(&page, "email", &[("email", "ann@acme.example.test")]).await;
    let page = agent.submit(&page, "password", &[("login", "ann"), ("password", "ann-pw")]).await;
    assert!(page.status == 200 && page.url.as_str() == gateway.url("trello", "/"), "{}", page.describe());
    assert!(trello.last("/").head.first("fedgate-assertion").is_some());

    // The next key is announced, then it signs; no login is lost, for the set that the provider has holds both.
    let rotate = |arguments: &[&str]| {
        let (status, out, err) = gateway.command(&[&["keys", "rotate", "acme"], arguments].concat());
        assert!(status.success() && out.contains(&keys_at), "{out}{err}");
    };
    let kids = async || {
        let set = agent.visit(&keys_at).await.json();
        let kids =
            set["keys"].as_array().expect("keys").iter().map(|key| key["kid"].as_str().expect("a kid").to_owned());
        kids.collect::<Vec<_>>()
    };
    let logs_in = async || {
        let agent = gateway.agent(&[&authority.ca_file()]);
        let page = agent.visit(&gateway.url("trello", "/")).await;
        let page = agent.submit(&page, "email", &[("email", "ann@acme.example.test")]).await;
        let page = agent.submit(&page, "password", &[("login", "ann"), ("password", "ann-pw")]).await;
        page.status == 200 && page.url.as_str() == gateway.url("trello", "/")
    };
    let first = kids().await;
    rotate(&[]);
    let both = kids().await;
    assert!(both.len() == 2 && both.contains(&first[0]), "{both:?}");
    registered().await;
    assert!(logs_in().await, "signed by the first");
    rotate(&[]);
    let next = kids().await;
    assert!(next.len() == 2 && !next.contains(&first[0]) && both.iter().any(|kid| next.contains(kid)), "{next:?}");
    assert!(logs_in().await, "signed by the second, which the provider has");
    // Somebody else has them: none of them signs, nor stands in the set.
    rotate(&["--compromised"]);
    let anew = kids().await;
    assert!(anew.len() == 1 && !next.contains(&anew[0]), "{anew:?}");
    assert!(!logs_in().await, "the provider does not know it yet");
    registered().await;
    assert!(logs_in().await);
    let (status, out, err) = gateway.command(&["keys", "rotate", "globex"]);
    assert!(!status.success() && format!("{out}{err}").contains("we have no keys"), "{out}{err}");
}
