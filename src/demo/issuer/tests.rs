//! Logins by hand over HTTP against a provider that really listens, and every way in which it must say no.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;
use url::Url;
use url::form_urlencoded::Serializer;

use super::*;
use crate::demo::jose::{Compact, encode};
use crate::demo::people::EVERYBODY;
use crate::demo::tests::{Reply, send};

const ISSUER: &str = "https://auth.example.test";
const CALLBACK: &str = "https://id.example.test/login/callback?x=1";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const NOW: i64 = 1_795_312_327;

/// A provider, its time, and a browser's cookie jar.
struct Scene {
    at: SocketAddr,
    now: Arc<AtomicI64>,
    cookie: String,
    _stop: tokio_util::sync::DropGuard,
}

impl Scene {
    async fn new() -> Self {
        let (now, stop) = (Arc::new(AtomicI64::new(NOW)), CancellationToken::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (at, time) = (listener.local_addr().expect("bound"), now.clone());
        let client = |id: &str, alg| Client {
            id: id.to_owned(),
            secret: format!("secret of {id}").into(),
            redirect_uris: vec![CALLBACK.to_owned()],
            post_logout_redirect_uris: vec!["https://id.example.test/logout/done".to_owned()],
            alg,
        };
        let clients = vec![client("gateway", Alg::Rs256), client("other", Alg::Es256)];
        let colour = Colour::new(12, 102, 228);
        let options =
            Options { url: ISSUER.to_owned(), name: "Atlassian".to_owned(), colour, people: EVERYBODY, clients };
        serve(listener, options, Arc::new(move || time.load(Ordering::Relaxed)), stop.clone()).expect("served");
        Self { at, now, cookie: String::new(), _stop: stop.drop_guard() }
    }

    async fn get(&mut self, path: &str) -> Reply {
        let reply = send(self.at, "GET", path, &[("cookie", &self.cookie)], "").await;
        self.keep(reply)
    }

    async fn post(&mut self, path: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Reply {
        let mut all = vec![("cookie", self.cookie.as_str()), ("content-type", "application/x-www-form-urlencoded")];
        all.extend(headers);
        let reply = send(self.at, "POST", path, &all, &form(fields)).await;
        self.keep(reply)
    }

    fn keep(&mut self, reply: Reply) -> Reply {
        if let Some(set) = reply.header("set-cookie") {
            self.cookie = set.split(';').next().unwrap_or_default().to_owned();
        }
        reply
    }

    /// Types the password of Bob for that request.
    async fn log_in(&mut self, request: &str) -> Reply {
        let fields = [("request", request), ("email", "bob@gmail.example"), ("password", "demo-bob")];
        self.post("/login", &[("sec-fetch-site", "same-origin")], &fields).await
    }

    /// A code from a whole login.
    async fn code(&mut self) -> String {
        let reply = self.log_in(&request(&[])).await;
        reply.reply_field("code").expect("a code")
    }

    async fn redeem(&mut self, change: &[(&str, &str)]) -> Reply {
        let fields = changed(
            &[
                ("grant_type", "authorization_code"),
                ("redirect_uri", CALLBACK),
                ("code_verifier", VERIFIER),
                ("client_id", "gateway"),
                ("client_secret", "secret of gateway"),
            ],
            change,
        );
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.post("/token", &[], &fields).await
    }
}

fn changed(fields: &[(&str, &str)], change: &[(&str, &str)]) -> Vec<(String, String)> {
    let kept = fields.iter().filter(|(name, _)| !change.iter().any(|(other, _)| other == name));
    let all = kept.chain(change.iter().filter(|(_, value)| !value.is_empty()));
    all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn form(fields: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// A good authorization request with changes; an empty value leaves a parameter out.
fn request(change: &[(&str, &str)]) -> String {
    let challenge = encode(digest(&SHA256, VERIFIER.as_bytes()));
    let good = [
        ("client_id", "gateway"),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "openid email profile"),
        ("state", "s-1"),
        ("nonce", "n-1"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    Serializer::new(String::new()).extend_pairs(changed(&good, change)).finish()
}

impl Reply {
    /// A parameter of the redirect back to the client.
    fn reply_field(&self, name: &str) -> Option<String> {
        let target = Url::parse(self.header("location")?).ok()?;
        assert!(target.as_str().starts_with(CALLBACK), "{target}");
        target.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

#[tokio::test]
async fn a_login_gives_a_code_then_tokens_then_userinfo() {
    let mut scene = Scene::new().await;
    let page = scene.get(&format!("/authorize?{}", request(&[("login_hint", "bob@gmail.example")]))).await;
    assert!(page.status == 200 && page.body.contains("demo-bob") && page.body.contains("value=\"bob@gmail.example\""));
    let reply = scene.log_in(&request(&[])).await;
    assert_eq!((reply.status, reply.reply_field("state").as_deref()), (303, Some("s-1")));
    assert_eq!(reply.reply_field("iss").as_deref(), Some(ISSUER), "RFC 9207");
    let code = reply.reply_field("code").expect("a code");
    let tokens = scene.redeem(&[("code", &code)]).await;
    assert_eq!((tokens.status, tokens.header("cache-control")), (200, Some("no-store")));
    let tokens: Value = serde_json::from_str(&tokens.body).expect("JSON");
    let token = Compact::parse(tokens["id_token"].as_str().expect("a token")).expect("compact");
    let claims = token.claims().expect("claims");
    let expected = [
        ("iss", ISSUER),
        ("aud", "gateway"),
        ("nonce", "n-1"),
        ("sub", EVERYBODY[0].sub),
        ("email", "bob@gmail.example"),
    ];
    for (name, value) in expected {
        assert_eq!(claims[name], value, "{name}");
    }
    assert_eq!((claims["auth_time"].as_i64(), claims["email_verified"].as_bool()), (Some(NOW), Some(true)));
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().expect("a token"));
    let userinfo = send(scene.at, "GET", "/userinfo", &[("authorization", &bearer)], "").await;
    assert!(userinfo.status == 200 && userinfo.body.contains(EVERYBODY[0].sub));
    assert_eq!(send(scene.at, "GET", "/userinfo", &[("authorization", "Bearer x")], "").await.status, 401);
    let again = scene.get(&format!("/authorize?{}", request(&[("prompt", "none")]))).await;
    assert!(again.reply_field("code").is_some(), "the session is enough for a silent login");
}

#[tokio::test]
async fn a_code_works_once_for_its_client_its_uri_its_verifier_and_a_minute() {
    for (change, client_error) in [
        (("code_verifier", "x".repeat(43)), "invalid_grant"),
        (("code_verifier", String::new()), "invalid_request"),
        (("redirect_uri", "https://id.example.test/login/callback".to_owned()), "invalid_grant"),
        (("client_secret", "wrong".to_owned()), "invalid_client"),
        (("client_secret", String::new()), "invalid_client"),
        (("client_id", "other".to_owned()), "invalid_client"),
        (("grant_type", "password".to_owned()), "unsupported_grant_type"),
    ] {
        let mut scene = Scene::new().await;
        let code = scene.code().await;
        let refused = scene.redeem(&[("code", &code), (change.0, &change.1)]).await;
        assert!(refused.status >= 400 && refused.body.contains(client_error), "{change:?}: {}", refused.body);
    }
    let mut scene = Scene::new().await;
    let code = scene.code().await;
    let other = [("code", code.as_str()), ("client_id", "other"), ("client_secret", "secret of other")];
    assert!(scene.redeem(&other).await.body.contains("invalid_grant"), "a code of another client");
    scene.now.store(NOW + 59, Ordering::Relaxed);
    let tokens = scene.redeem(&[("code", &code)]).await;
    let bearer: Value = serde_json::from_str(&tokens.body).expect("JSON");
    assert!(scene.redeem(&[("code", &code)]).await.body.contains("invalid_grant"), "a code comes twice");
    let bearer = format!("Bearer {}", bearer["access_token"].as_str().expect("a token"));
    let userinfo = send(scene.at, "GET", "/userinfo", &[("authorization", &bearer)], "").await;
    assert_eq!(userinfo.status, 401, "the reuse of a code revokes its token");
    scene.now.store(NOW, Ordering::Relaxed);
    let code = scene.code().await;
    scene.now.store(NOW + 60, Ordering::Relaxed);
    assert!(scene.redeem(&[("code", &code)]).await.body.contains("invalid_grant"), "a code is too old");
}

#[tokio::test]
async fn basic_authentication_decodes_both_halves() {
    use base64::Engine as _;
    let mut scene = Scene::new().await;
    let code = scene.code().await;
    let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode("gateway:secret+of%20gateway"));
    let fields = [
        ("grant_type", "authorization_code"),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
        ("code", &code),
    ];
    let both = [&fields[..], &[("client_secret", "secret of gateway")]].concat();
    assert_eq!(scene.post("/token", &[("authorization", &basic)], &both).await.status, 400, "two methods at once");
    assert_eq!(scene.post("/token", &[("authorization", &basic)], &fields).await.status, 200);
}

#[tokio::test]
async fn requests_that_cannot_be_granted_are_answered_where_the_rfc_says() {
    let mut scene = Scene::new().await;
    for change in [
        [("redirect_uri", "https://id.example.test/login/callback?x=2")],
        [("redirect_uri", "https://evil.example.test/")],
        [("redirect_uri", "")],
        [("client_id", "nobody")],
    ] {
        let reply = scene.get(&format!("/authorize?{}", request(&change))).await;
        assert_eq!((reply.status, reply.header("location")), (400, None), "{change:?}");
    }
    let twice = scene.get(&format!("/authorize?{}&state=s-2", request(&[]))).await;
    assert_eq!(twice.status, 400, "a parameter comes twice");
    for (change, error) in [
        (("prompt", "none"), "login_required"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("response_type", "code id_token"), "unsupported_response_type"),
        (("scope", "email"), "invalid_scope"),
        (("prompt", "none login"), "invalid_request"),
        (("max_age", "-1"), "invalid_request"),
        (("request", "x"), "request_not_supported"),
        (("response_mode", "fragment"), "invalid_request"),
    ] {
        let reply = scene.get(&format!("/authorize?{}", request(&[change]))).await;
        assert_eq!(reply.reply_field("error").as_deref(), Some(error), "{change:?}");
        assert_eq!(reply.reply_field("iss").as_deref(), Some(ISSUER));
        assert_eq!(reply.reply_field("state").as_deref(), Some("s-1"));
    }
}

#[tokio::test]
async fn a_session_is_not_enough_for_a_fresh_login_or_another_person() {
    let mut scene = Scene::new().await;
    scene.code().await;
    scene.now.store(NOW + 30, Ordering::Relaxed);
    for (change, silent) in [
        (("prompt", "login"), false),
        (("prompt", "select_account"), false),
        (("max_age", "29"), false),
        (("login_hint", "ann@acme.example"), false),
        (("max_age", "30"), true),
        (("login_hint", "BOB@gmail.example"), true),
    ] {
        let reply = scene.get(&format!("/authorize?{}", request(&[change]))).await;
        assert_eq!(reply.status == 303, silent, "{change:?}");
    }
}

#[tokio::test]
async fn the_login_form_is_taken_only_from_its_own_site_and_with_the_right_password() {
    let mut scene = Scene::new().await;
    let request = request(&[]);
    let bob = [("request", request.as_str()), ("email", "bob@gmail.example"), ("password", "demo-bob")];
    for headers in [[("sec-fetch-site", "same-site")], [("origin", "https://evil.example.test")], [("x-nothing", "")]] {
        assert_eq!(scene.post("/login", &headers, &bob).await.status, 403, "{headers:?}");
    }
    let wrong = [("request", request.as_str()), ("email", "bob@gmail.example"), ("password", "demo-ann")];
    let reply = scene.post("/login", &[("origin", ISSUER)], &wrong).await;
    assert!(reply.status == 200 && reply.body.contains("role=\"alert\"") && scene.cookie.is_empty());
    let cancel = [("request", request.as_str()), ("cancel", "1")];
    let reply = scene.post("/login", &[("origin", ISSUER)], &cancel).await;
    assert_eq!(reply.reply_field("error").as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn a_logout_needs_a_hint_of_this_session_or_a_click() {
    let mut scene = Scene::new().await;
    let code = scene.code().await;
    let tokens: Value = serde_json::from_str(&scene.redeem(&[("code", &code)]).await.body).expect("JSON");
    let hint = tokens["id_token"].as_str().expect("a token").to_owned();
    let done = "https://id.example.test/logout/done";
    let query = form(&[("client_id", "gateway"), ("post_logout_redirect_uri", done), ("state", "s")]);
    let asked = scene.get(&format!("/end_session?{query}")).await;
    assert!(asked.status == 200 && asked.body.contains("/end_session/confirm"), "a click is needed");
    let silent = scene.get(&format!("/authorize?{}", request(&[("prompt", "none")]))).await;
    assert!(silent.reply_field("code").is_some(), "still logged in");
    let older = hint;
    let code = scene.code().await;
    let tokens: Value = serde_json::from_str(&scene.redeem(&[("code", &code)]).await.body).expect("JSON");
    let hint = tokens["id_token"].as_str().expect("a token").to_owned();
    let old_hint = form(&[("id_token_hint", &older), ("post_logout_redirect_uri", done)]);
    let asked = scene.get(&format!("/end_session?{old_hint}")).await;
    assert!(
        asked.status == 200 && asked.body.contains("/end_session/confirm"),
        "a hint of an earlier session needs a click"
    );
    let elsewhere = form(&[("id_token_hint", &hint), ("post_logout_redirect_uri", "https://evil.example.test/")]);
    let mut second = Scene {
        cookie: scene.cookie.clone(),
        now: scene.now.clone(),
        at: scene.at,
        _stop: CancellationToken::new().drop_guard(),
    };
    let with_hint = form(&[("id_token_hint", &hint), ("post_logout_redirect_uri", done), ("state", "s")]);
    let left = scene.get(&format!("/end_session?{with_hint}")).await;
    assert_eq!(left.header("location"), Some("https://id.example.test/logout/done?state=s"));
    let silent = second.get(&format!("/authorize?{}", request(&[("prompt", "none")]))).await;
    assert_eq!(silent.reply_field("error").as_deref(), Some("login_required"), "the session is gone at the provider");
    assert_eq!(second.get(&format!("/end_session?{elsewhere}")).await.header("location"), None);
}

#[tokio::test]
async fn the_discovery_document_says_that_it_is_a_demonstration() {
    let mut scene = Scene::new().await;
    let document: Value =
        serde_json::from_str(&scene.get("/.well-known/openid-configuration").await.body).expect("JSON");
    assert_eq!((document["issuer"].as_str(), document["fedgate_demo"].as_bool()), (Some(ISSUER), Some(true)));
    let keys: Value = serde_json::from_str(&scene.get("/jwks").await.body).expect("JSON");
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(2));
}
