//! The doors that docs/middleware.md gives to products, each asked with assertions of a real gateway and with everything that only
//! looks like one. Go's and Java's are not here: `tests/run` installs neither language.

use std::sync::Arc;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use url::Url;

use crate::support::answer::Answer;
use crate::support::clock::unix_seconds;
use crate::support::peer::Peer;
use crate::support::upstream::Upstream;
use crate::support::wire::Wire;
use crate::world::World;

/// Longer than an assertion lives and clocks may differ together, in seconds.
const TOO_LATE: i64 = 361;
/// More than clocks may differ, in seconds.
const TOO_EARLY: i64 = -70;

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn read(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

/// What a person's request brought to a product: the real thing.
async fn captured(world: &World, host: &str) -> String {
    let agent = world.browser();
    world.log_in(&agent, "ann", &world.url(host, "/page")).await;
    let product = if host == "trello" { &world.trello } else { &world.loom };
    product.last("/page").head.first("fedgate-assertion").expect("an assertion").to_owned()
}

/// Everything that an attacker makes of a captured assertion and the public keys, each with its name.
fn forged(real: &str, jwks: &Value) -> Vec<(&'static str, String)> {
    let parts: Vec<&str> = real.split('.').collect();
    let [head, body, signature] = parts[..] else { panic!("no JWS: {real}") };
    let header = |name: &str, value: Value| {
        let mut header = read(head);
        header[name] = value;
        part(&header)
    };
    let mut eve = read(body);
    eve["sub"] = "eve".into();
    let (eve_claims, eve) = (eve.clone(), part(&eve));
    let key =
        jwks["keys"].as_array().expect("keys").iter().find(|key| key["kid"] == read(head)["kid"]).expect("its key");
    let public =
        ["x", "y"].map(|half| URL_SAFE_NO_PAD.decode(key[half].as_str().expect("a number")).expect("base64url"));
    let by_secret = |secret: &[u8]| {
        let signed = format!("{}.{eve}", header("alg", "HS256".into()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
    };
    let own = Signer::new(&ECDSA_P256_SHA256_FIXED_SIGNING);
    let (stolen_name, mut brought) = (read(head), read(head));
    brought["kid"] = own.kid.as_str().into();
    brought["jwk"] = own.jwk("P-256");
    vec![
        ("other claims under the signature", format!("{head}.{eve}.{signature}")),
        ("alg none", format!("{}.{eve}.", header("alg", "none".into()))),
        ("alg none with the signature", format!("{}.{eve}.{signature}", header("alg", "none".into()))),
        ("HS256 by the public key's text", by_secret(key.to_string().as_bytes())),
        ("HS256 by the public key's point", by_secret(&[&[4], public[0].as_slice(), &public[1]].concat())),
        ("a key of one's own under the gateway's id", own.sign(&stolen_name, &eve_claims)),
        ("a key of one's own, brought along", own.sign(&brought, &eve_claims)),
        ("a signature of zeros", format!("{head}.{eve}.{}", URL_SAFE_NO_PAD.encode([0; 64]))),
        ("another kind of token", format!("{}.{body}.{signature}", header("typ", "JWT".into()))),
        ("a header to obey", format!("{}.{body}.{signature}", header("crit", json!(["x"])))),
        ("two parts", format!("{head}.{body}")),
        ("nothing", String::new()),
        ("no token", "eve".to_owned()),
    ]
}

/// Status and text of an answer to these fields.
async fn ask(product: &Peer, fields: &[(&str, &str)]) -> (u16, String) {
    let url = Url::parse(&format!("http://127.0.0.1:{}/", product.facts()["port"])).expect("a URL");
    let mut request = Request::get(url.as_str());
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let answer = Wire::plain().exchange(&url, request.body(Full::<Bytes>::default()).expect("a request")).await;
    let answer = answer.expect("an answer");
    (answer.status().as_u16(), String::from_utf8_lossy(answer.body()).into_owned())
}

struct Scene {
    world: Arc<World>,
    script: &'static str,
}

impl Scene {
    /// A product behind this door; `change` is laid over its options.
    fn product(&self, change: Value) -> Peer {
        let issuer = self.world.url("id", "");
        let mut options = json!({ "issuer": issuer.trim_end_matches('/'), "product": "trello", "trust": [self.world.gateway.ca_file()] });
        for (name, value) in change.as_object().expect("options") {
            options[name] = value.clone();
        }
        Peer::start(self.script, &options)
    }
}

async fn check(script: &'static str) {
    let scene = Scene { world: World::share().await, script };
    let (real, others) = (captured(&scene.world, "trello").await, captured(&scene.world, "loom").await);
    let sub = read(real.split('.').nth(1).expect("claims"))["sub"].as_str().expect("a text").to_owned();
    let keys_at = scene.world.url("id", "/.well-known/jwks.json");
    let jwks = scene.world.browser().visit(&keys_at).await.json();
    let field = "fedgate-assertion";
    let product = scene.product(json!({}));
    assert_eq!(ask(&product, &[(field, &real)]).await, (200, sub.clone()), "{}", product.complaints());
    for (what, token) in forged(&real, &jwks) {
        assert_eq!(ask(&product, &[(field, &token)]).await.0, 401, "{what}: {}", product.complaints());
    }
    assert_eq!(ask(&product, &[(field, &others)]).await.0, 401, "another product's");
    assert_eq!(ask(&product, &[(field, &real), (field, &real)]).await.0, 401, "two");
    let plain =
        [("x-fedgate-user", sub.as_str()), ("x-forwarded-user", &sub), ("authorization", &format!("Bearer {real}"))];
    assert_eq!(ask(&product, &plain).await.0, 401, "fields that prove nothing");
    assert_eq!(ask(&product, &[(field, &real)]).await, (200, sub), "and it goes on");
    for ahead in [TOO_LATE, TOO_EARLY] {
        let product = scene.product(json!({ "ahead": ahead }));
        assert_eq!(ask(&product, &[(field, &real)]).await.0, 401, "{ahead} s away");
    }
    let product = scene.product(json!({ "issuer": "https://id.other.test", "keys": keys_at }));
    assert_eq!(ask(&product, &[(field, &real)]).await.0, 401, "another gateway's");
    for (what, keys_at) in
        [("no keys", scene.world.url("id", "/none")), ("no gateway", "https://id.other.test:1/".to_owned())]
    {
        let product = scene.product(json!({ "keys": keys_at }));
        assert_eq!(ask(&product, &[(field, &real)]).await.0, 503, "{what}: {}", product.complaints());
    }
    well_signed(&scene, &real).await;
}

/// What a signature does not stop: tokens by a key that the door believes, which say something else than an assertion does.
async fn well_signed(scene: &Scene, real: &str) {
    let (small, large) = (Signer::new(&ECDSA_P256_SHA256_FIXED_SIGNING), Signer::new(&ECDSA_P384_SHA384_FIXED_SIGNING));
    let keys = Upstream::start();
    let set = json!({ "keys": [small.jwk("P-256"), large.jwk("P-384")] });
    keys.answer("/keys", Answer::new(200, &[("content-type", "application/json")], set.to_string()));
    let product = scene.product(json!({ "keys": format!("{}/keys", keys.url()) }));
    let claims = read(real.split('.').nth(1).expect("claims"));
    let token = |signer: &Signer, change: Value, said: Value| {
        let mut header = json!({ "alg": "ES256", "typ": "fedgate+jwt", "kid": signer.kid });
        let mut claims = claims.clone();
        for (whole, part) in [(&mut header, change), (&mut claims, said)] {
            whole.as_object_mut().expect("an object").extend(part.as_object().expect("an object").clone());
            whole.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
        }
        signer.sign(&header, &claims)
    };
    let now = unix_seconds();
    let right = token(&small, json!({}), json!({}));
    assert_eq!(ask(&product, &[("fedgate-assertion", &right)]).await.0, 200, "{}", product.complaints());
    for (what, token) in [
        ("another kind", token(&small, json!({ "typ": "JWT" }), json!({}))),
        ("no kind", token(&small, json!({ "typ": null }), json!({}))),
        ("another name for the algorithm", token(&small, json!({ "alg": "ES384" }), json!({}))),
        ("another algorithm", token(&large, json!({ "alg": "ES384" }), json!({}))),
        ("a header to obey", token(&small, json!({ "crit": ["x"], "x": 1 }), json!({}))),
        ("ended", token(&small, json!({}), json!({ "exp": now - 61 }))),
        (
            "old, though it says that it lives long",
            token(&small, json!({}), json!({ "iat": now - 400, "exp": now + 400 })),
        ),
        ("of the future", token(&small, json!({}), json!({ "iat": now + 90 }))),
        ("no end", token(&small, json!({}), json!({ "exp": null }))),
        ("no beginning", token(&small, json!({}), json!({ "iat": null }))),
        ("an end in words", token(&small, json!({}), json!({ "exp": "tomorrow" }))),
        ("no audience", token(&small, json!({}), json!({ "aud": null }))),
        ("an audience that only begins so", token(&small, json!({}), json!({ "aud": "trello2" }))),
        ("no issuer", token(&small, json!({}), json!({ "iss": null }))),
        ("nobody", token(&small, json!({}), json!({ "sub": null }))),
        ("nobody's name", token(&small, json!({}), json!({ "sub": "" }))),
        ("a number for a person", token(&small, json!({}), json!({ "sub": 17 }))),
        ("no session", token(&small, json!({}), json!({ "sid": null }))),
    ] {
        assert_eq!(ask(&product, &[("fedgate-assertion", &token)]).await.0, 401, "{what}: {}", product.complaints());
    }
}

/// A key whose set a door is told to fetch.
struct Signer {
    kid: String,
    key: EcdsaKeyPair,
}

impl Signer {
    fn new(algorithm: &'static EcdsaSigningAlgorithm) -> Self {
        Self { kid: format!("{algorithm:?}"), key: EcdsaKeyPair::generate(algorithm).expect("a key") }
    }

    fn jwk(&self, curve: &str) -> Value {
        let point = &self.key.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        json!({ "kty": "EC", "crv": curve, "kid": self.kid, "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) })
    }

    #[expect(clippy::disallowed_methods, reason = "an attacker signs")]
    fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", part(header), part(claims));
        let made = self.key.sign(&SystemRandom::new(), signed.as_bytes()).expect("a signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(made))
    }
}

#[tokio::test]
async fn m21_the_door_in_node_lets_in_what_the_gateway_wrote_for_this_product_now() {
    check("peers/middleware/product.mjs").await;
}

#[tokio::test]
async fn m21_the_door_in_python_lets_in_what_the_gateway_wrote_for_this_product_now() {
    check("peers/middleware/product.py").await;
}
