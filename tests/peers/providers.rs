//! The providers: a login at the certified one through its own form, faults on demand, and a hostile one that does what it is told.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use url::Url;

use crate::support::agent::UserAgent;
use crate::support::answer::Answer;
use crate::support::authority::Authority;
use crate::support::clock::{timed, unix_seconds};
use crate::support::op::{Hostile, Op};
use crate::support::page::Page;
use crate::support::upstream::Upstream;
use crate::support::wire::Wire;

const VERIFIER: &str = "a-verifier-of-the-test-that-is-long-enough-for-RFC-7636";

/// A relying party in a few lines: enough to see that providers work before there is a gateway.
struct Party {
    authority: Authority,
    callback: Upstream,
    agent: UserAgent,
}

impl Party {
    fn new() -> Self {
        let authority = Authority::new();
        let agent = UserAgent::new(&[&authority.ca_file()]);
        let callback = Upstream::start();
        callback.answer("/cb", Answer::new(200, &[("content-type", "text/plain")], "back"));
        Self { authority, callback, agent }
    }

    fn redirect_uri(&self) -> String {
        format!("{}/cb", self.callback.url())
    }

    fn authorize(&self, endpoint: &str, more: &[(&str, &str)]) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
        let mut url = Url::parse(endpoint).expect("a URL");
        let client = more.iter().find(|(name, _)| *name == "client_id").map_or("fedgate", |(_, id)| id);
        let more = more.iter().filter(|(name, _)| *name != "client_id");
        url.query_pairs_mut()
            .extend_pairs([("response_type", "code"), ("client_id", client), ("redirect_uri", &self.redirect_uri())])
            .extend_pairs([("scope", "openid email profile"), ("state", "s1"), ("nonce", "n1")])
            .extend_pairs([("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")])
            .extend_pairs(more);
        url.into()
    }

    async fn log_in(&self, op: &Op, more: &[(&str, &str)]) -> Page {
        op.allow_redirects(&[&self.redirect_uri()], &[]).await;
        let form = self.agent.visit(&self.authorize(&format!("{}/auth", op.issuer()), more)).await;
        self.agent.submit(&form, "login", &[("login", "ann"), ("password", "ann-pw")]).await
    }

    /// The claims of the ID token for the code of this page; signatures are the gateway's business.
    async fn redeem(&self, op: &Op, page: &Page) -> (u16, Value) {
        let escape = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let basic = STANDARD.encode(format!("fedgate:{}", escape(op.client_secret())));
        let body = self.code_grant(page, &[]);
        self.token(&format!("{}/token", op.issuer()), &basic, body).await
    }

    /// The form of a token request for the code of this page.
    fn code_grant(&self, page: &Page, more: &[(&str, &str)]) -> String {
        let code = page.url.query_pairs().find(|(name, _)| name == "code").map(|(_, code)| code.into_owned());
        url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("grant_type", "authorization_code"), ("redirect_uri", &self.redirect_uri())])
            .extend_pairs([("code", code.expect("a code").as_str()), ("code_verifier", VERIFIER)])
            .extend_pairs(more)
            .finish()
    }

    async fn token(&self, endpoint: &str, basic: &str, body: String) -> (u16, Value) {
        let mut request = Request::post(endpoint).header("content-type", "application/x-www-form-urlencoded");
        if !basic.is_empty() {
            request = request.header("authorization", format!("Basic {basic}"));
        }
        let request = request.body(Full::<Bytes>::from(body)).expect("a request");
        let answer = self.agent.raw(endpoint, request).await;
        let json: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let payload = json["id_token"].as_str().and_then(|token| URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok());
        let claims = payload.and_then(|payload| serde_json::from_slice(&payload).ok());
        (answer.status().as_u16(), claims.unwrap_or(json))
    }
}

#[tokio::test]
async fn a_person_logs_in_at_the_certified_provider() {
    let party = Party::new();
    let op = Op::start(&party.authority);
    let page = party.log_in(&op, &[]).await;
    assert_eq!(page.text(), "back", "{}", page.describe());
    let parameters: Vec<_> =
        page.url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    assert!(parameters.contains(&("iss".to_owned(), op.issuer().to_owned())), "{parameters:?}");
    let (status, claims) = party.redeem(&op, &page).await;
    assert_eq!(status, 200, "{claims}");
    assert_eq!(claims["email"], "ann@acme.example.test");
    assert_eq!(claims["nonce"], "n1");
    assert_eq!(op.hits("POST /token").await, 1);
    let again = party.agent.visit(&party.authorize(&format!("{}/auth", op.issuer()), &[])).await;
    assert_eq!(again.text(), "back", "the provider's own session needs no second form");
}

#[tokio::test]
async fn a_wrong_password_stays_at_the_provider() {
    let party = Party::new();
    let op = Op::start(&party.authority);
    op.allow_redirects(&[&party.redirect_uri()], &[]).await;
    let form = party.agent.visit(&party.authorize(&format!("{}/auth", op.issuer()), &[])).await;
    let page = party.agent.submit(&form, "login", &[("login", "ann"), ("password", "wrong")]).await;
    assert_eq!(page.status, 401);
    let page = party.agent.submit(&page, "login", &[("abort", "1")]).await;
    assert!(page.url.query().is_some_and(|query| query.contains("error=access_denied")), "{}", page.describe());
}

#[tokio::test]
async fn form_post_arrives_as_a_cross_site_post() {
    let party = Party::new();
    let op = Op::start(&party.authority);
    party.log_in(&op, &[("response_mode", "form_post")]).await;
    let seen = party.callback.last("/cb");
    assert_eq!(seen.head.method, "POST");
    assert!(String::from_utf8_lossy(&seen.body).contains("code="));
    assert_eq!(seen.head.first("sec-fetch-site"), Some("cross-site"));
}

/// The provider fetches the client's keys where it was told, in the test's little world.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test's own key")]
async fn a_client_may_prove_itself_by_a_key_of_its_own() {
    let party = Party::new();
    let op = Op::start(&party.authority);
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).expect("a key");
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).expect("a key");
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let point = key.public_key().as_ref();
    let jwk =
        json!({ "kty": "EC", "crv": "P-256", "kid": "k1", "x": encode(&point[1..33]), "y": encode(&point[33..]) });
    let keys = json!({ "keys": [jwk] }).to_string();
    party.callback.answer("/keys", Answer::new(200, &[("content-type", "application/json")], keys));
    let keys_at = format!("{}/keys", party.callback.url());
    let client =
        json!({ "client_id": "fedgate-key", "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": keys_at });
    op.act("/clients", client).await;
    let page = party.log_in(&op, &[("client_id", "fedgate-key")]).await;
    let now = unix_seconds();
    let claims = json!({ "iss": "fedgate-key", "sub": "fedgate-key", "aud": op.issuer(), "jti": "1", "iat": now, "exp": now + 60 });
    let header = json!({ "alg": "ES256", "kid": "k1" });
    let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).expect("signed");
    let assertion = format!("{signed}.{}", encode(signature.as_ref()));
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let body = party.code_grant(
        &page,
        &[("client_id", "fedgate-key"), ("client_assertion_type", kind), ("client_assertion", &assertion)],
    );
    let (status, claims) = party.token(&format!("{}/token", op.issuer()), "", body).await;
    assert_eq!((status, &claims["aud"]), (200, &json!("fedgate-key")), "{claims}");
}

#[tokio::test]
async fn claims_are_altered_on_demand_and_signed_again() {
    let party = Party::new();
    let op = Op::start(&party.authority);
    op.mode(json!({ "auth_time": 1000, "email_verified": "true", "name": null }), json!({ "sub": "someone else" }))
        .await;
    let page = party.log_in(&op, &[("max_age", "3600")]).await;
    let (_, claims) = party.redeem(&op, &page).await;
    assert_eq!(
        (&claims["auth_time"], &claims["email_verified"], &claims["name"]),
        (&json!(1000), &json!("true"), &Value::Null)
    );
}

#[tokio::test]
async fn keys_rotate_with_and_without_the_old_ones() {
    let party = Party::new();
    let op = Op::start(&party.authority);
    let kids = async || {
        let url = format!("{}/jwks", op.issuer());
        let answer = party.agent.visit(&url).await.json();
        let keys = answer["keys"].as_array().cloned().unwrap_or_default();
        keys.iter().filter_map(|key| key["kid"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let first = kids().await;
    op.rotate_keys(true).await;
    let both = kids().await;
    assert!(first.iter().all(|kid| both.contains(kid)) && both.len() == 2 * first.len(), "{both:?}");
    op.rotate_keys(false).await;
    assert!(!kids().await.iter().any(|kid| both.contains(kid)));
}

#[tokio::test]
async fn faults_come_when_asked_for_and_go_when_used_up() {
    let party = Party::new();
    let op = Op::start(&party.authority);
    let jwks = format!("{}/jwks", op.issuer());
    op.fault("/jwks", json!({ "status": 503, "times": 2 })).await;
    for expected in [503, 503, 200] {
        assert_eq!(party.agent.visit(&jwks).await.status, expected);
    }
    op.fault("/jwks", json!({ "delay_ms": 300, "times": 1 })).await;
    let (page, took) = timed(party.agent.visit(&jwks)).await;
    assert!(page.status == 200 && took >= Duration::from_millis(300), "{took:?}");
    op.fault("/jwks", json!({ "drop": true })).await;
    let url = Url::parse(&jwks).expect("a URL");
    let request = Request::get(jwks.as_str()).body(Full::<Bytes>::default()).expect("a request");
    assert!(party.agent.wire().exchange(&url, request).await.is_err());
    op.fault("/jwks", Value::Null).await;
    assert_eq!(party.agent.visit(&jwks).await.status, 200);
}

#[tokio::test]
async fn the_hostile_provider_makes_every_kind_of_token() {
    let party = Party::new();
    let hostile = Hostile::start(&party.authority);
    assert!(hostile.tokens().len() > 40, "{:?}", hostile.tokens());
    for kind in hostile.tokens() {
        hostile.behave(json!({ "token": kind })).await;
        let endpoint = format!("{}/token", hostile.issuer());
        let (status, _) =
            party.token(&endpoint, "", "grant_type=authorization_code&code=x&client_id=fedgate".to_owned()).await;
        assert_eq!(status, 200, "{kind}");
    }
    for kind in hostile.discoveries() {
        hostile.behave(json!({ "discovery": kind })).await;
        let page = party.agent.visit(&format!("{}/.well-known/openid-configuration", hostile.issuer())).await;
        assert_eq!(page.status, 200, "{kind}");
    }
}

/// The shape of the mix-up attack (rule C5), without a gateway: the code that comes back is the honest provider's.
#[tokio::test]
async fn the_hostile_provider_mixes_up() {
    let party = Party::new();
    let (op, hostile) = (Op::start(&party.authority), Hostile::start(&party.authority));
    op.allow_redirects(&[&party.redirect_uri()], &[]).await;
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, b"the attacker's verifier"));
    let authorize = format!("{}/auth", op.issuer());
    hostile.behave(json!({ "mix_up": { "authorize": authorize, "client_id": "fedgate", "code_challenge": challenge, "nonce": "attacker's" } })).await;
    let form = party.agent.visit(&party.authorize(&format!("{}/authorize", hostile.issuer()), &[])).await;
    let page = party.agent.submit(&form, "login", &[("login", "ann"), ("password", "ann-pw")]).await;
    let state = page.url.query_pairs().find(|(name, _)| name == "state").map(|(_, state)| state.into_owned());
    assert_eq!(state.as_deref(), Some("s1"), "the victim's state: {}", page.describe());
    assert_eq!(hostile.seen().await.len(), 1);
}

/// A peer whose starter is gone is gone itself: its standard input has ended.
#[tokio::test]
async fn a_peer_does_not_outlive_its_starter() {
    let authority = Authority::new();
    let op = Op::start(&authority);
    let url = Url::parse(op.issuer()).expect("a URL");
    let wire = Wire::trusting(&[&authority.ca_file()]);
    assert!(wire.stream(&url).await.is_ok());
    drop(op);
    assert!(wire.stream(&url).await.is_err());
}
