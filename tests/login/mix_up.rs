//! A malicious provider that sends people on to an honest one (C5), and replies at a path that is not their directory's.

use serde_json::json;

use crate::support::agent::UserAgent;
use crate::support::configuration::Configuration;
use crate::support::op::Hostile;
use crate::support::page::Page;
use crate::world::{ACME, World, gave_session, location, sign_in, step};

const EVIL: &str = "evil.example.test";

async fn world() -> (World, Hostile) {
    let hostile = std::cell::OnceCell::new();
    let world = World::of(|file: Configuration, op, authority| {
        let hostile = hostile.get_or_init(|| Hostile::start(authority));
        file.organization("acme", ACME, op.issuer(), op.client_secret()).secret("{dir}/evil.secret", "x").table(
            &format!(
                "[org.evil]\ndomains = [\"{EVIL}\"]\n\
             sso = {{ oidc = \"{}\", client_id = \"evil\", client_secret_file = \"{{dir}}/evil.secret\" }}",
                hostile.issuer()
            ),
        )
    })
    .await;
    let hostile = hostile.into_inner().expect("started");
    (world, hostile)
}

/// The parameter of the request that `page` went out with.
fn sent(page: &Page, path: &str, name: &str) -> String {
    let hop = page.trace.iter().find(|hop| hop.url.path() == path).unwrap_or_else(|| panic!("{}", page.describe()));
    hop.url.query_pairs().find(|(known, _)| known == name).expect("sent").1.into_owned()
}

#[tokio::test]
async fn c5_a_hostile_provider_never_gets_an_honest_ones_code() {
    let (world, hostile) = world().await;
    // The attacker's own login at the honest provider: its challenge and nonce.
    let attacker = world.browser();
    let own = world.to_provider(&attacker, &format!("bob@{ACME}"), &world.url("trello", "/page")).await;
    let (challenge, nonce) = (sent(&own, "/auth", "code_challenge"), sent(&own, "/auth", "nonce"));
    let authorize = format!("{}/auth", world.op.issuer());
    // To the honest directory's own redirect URI, and to the hostile one's where the provider is careless.
    for back in ["/login/callback/acme", "/login/callback/evil"] {
        let mix_up = json!({ "authorize": authorize, "client_id": "fedgate", "code_challenge": challenge, "nonce": nonce,
            "redirect_uri": world.url("id", back) });
        hostile.behave(json!({ "mix_up": mix_up })).await;
        hostile.seen().await;
        let victim = world.browser();
        let form = world.to_provider(&victim, &format!("v@{EVIL}"), &world.url("trello", "/page")).await;
        assert!(form.url.as_str().starts_with(world.op.issuer()), "{}", form.describe());
        let page = sign_in(&victim, form, "ann").await;
        let seen = hostile.seen().await;
        assert!(!seen.iter().any(|one| one["path"] == "/token"), "{back}: it was sent a code: {seen:?}");
        assert_eq!(world.who(&victim, "trello").await, None, "{back}: {}", page.describe());
        assert!(page.status.is_client_error(), "{back}: {}", page.describe());
        // The code that the attacker wants is worth nothing in his own login either: the page does not show it.
        assert!(!page.html().contains("code="), "{}", page.describe());
    }
    world.refusal("proof-directory").await;
    world.refusal("proof-iss-parameter").await;
}

#[tokio::test]
async fn c5_another_issuer_in_the_reply_is_refused_advertised_or_not() {
    let (world, hostile) = world().await;
    let answer = |iss: serde_json::Value| json!({ "parameters": { "iss": iss }, "claims": { "email": format!("m@{EVIL}"), "email_verified": true } });
    for (iss, code) in [
        (json!(world.op.issuer()), Some("proof-iss-parameter")),
        (json!(format!("{}/", hostile.issuer())), Some("proof-iss-parameter")),
        (json!([hostile.issuer(), world.op.issuer()]), Some("proof-parameters")),
        (json!(hostile.issuer()), None),
        (json!(null), None),
    ] {
        hostile.behave(answer(iss.clone())).await;
        hostile.seen().await;
        let agent = world.browser();
        let page = world.to_provider(&agent, &format!("m@{EVIL}"), &world.url("trello", "/page")).await;
        match code {
            Some(code) => {
                world.assert_refused(&page, code).await;
                assert!(!hostile.seen().await.iter().any(|one| one["path"] == "/token"), "{iss}");
            }
            None => assert_eq!(page.url.as_str(), world.url("trello", "/page"), "{iss}: {}", page.describe()),
        }
    }
}

#[tokio::test]
async fn c5_a_reply_at_another_directorys_path_is_refused() {
    let (world, hostile) = world().await;
    hostile.behave(json!({ "claims": { "email": format!("m@{EVIL}"), "email_verified": true } })).await;
    for elsewhere in
        ["/login/callback/acme", "/login/callback", "/login/callback/acme/second", "/login/callback/nobody"]
    {
        let agent = world.browser();
        let reply = held_back(&world, &hostile, &agent).await;
        let moved = reply.replacen("/login/callback/evil", elsewhere, 1);
        hostile.seen().await;
        let page = step(&agent, &moved).await;
        assert!(page.status.is_client_error() && !gave_session(&page), "{elsewhere}: {}", page.describe());
        assert!(!hostile.seen().await.iter().any(|one| one["path"] == "/token"), "{elsewhere}");
    }
}

/// Goes to the provider, and gives the address that leads back without following it.
async fn held_back(world: &World, hostile: &Hostile, agent: &UserAgent) -> String {
    hostile.fault("/authorize", json!({ "status": 200, "type": "text/html", "body": "<p>wait", "times": 1 })).await;
    let page = world.to_provider(agent, &format!("m@{EVIL}"), &world.url("trello", "/page")).await;
    assert_eq!(page.text(), "wait", "{}", page.describe());
    location(&step(agent, page.url.as_str()).await)
}
