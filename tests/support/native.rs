//! A product's own app: an OAuth client without a secret that holds a key, as a phone would (RFC 8252, RFC 9449).

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use url::Url;

use super::agent::{Intent, UserAgent};
use super::clock::unix_seconds;
use super::page::Page;

/// Counts proofs and verifiers, so that none comes twice by accident.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// One installed app.
pub struct NativeApp {
    pub client: String,
    pub redirect: String,
    key: EcdsaKeyPair,
    verifier: String,
    /// `https://LOGIN/oauth/PRODUCT`.
    issuer: String,
    /// The product's authorization endpoint.
    authorize: String,
    /// Its own way to the network: no browser, no cookies.
    network: UserAgent,
}

/// What an endpoint said.
#[derive(Debug)]
pub struct Said {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Said {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn text(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("no {name}: {self:?}")).to_owned()
    }

    /// Status and error code of a refusal.
    pub fn refusal(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["error"].as_str().unwrap_or_default().to_owned())
    }

    pub fn challenges(&self) -> String {
        let said = self.headers.get_all("www-authenticate").iter();
        said.map(|value| value.to_str().unwrap_or_default()).collect::<Vec<_>>().join(" | ")
    }
}

fn sha(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

impl NativeApp {
    /// `url` makes addresses of the gateway, `network` reaches it.
    pub fn install(
        network: UserAgent,
        url: impl Fn(&str, &str) -> String,
        product: &str,
        (client, redirect): (&str, &str),
    ) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self {
            client: client.to_owned(),
            redirect: redirect.to_owned(),
            key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"),
            verifier: format!("{number:0>43}"),
            issuer: url("id", &format!("/oauth/{product}")),
            authorize: url(product, "/.fedgate/oauth/authorize"),
            network,
        }
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Where the app sends its person's browser; later parameters take the place of earlier ones of their name, an empty one goes.
    pub fn login_url(&self, more: &[(&str, &str)]) -> String {
        let challenge = sha(&self.verifier);
        let usual = [
            ("response_type", "code"),
            ("client_id", &self.client),
            ("redirect_uri", &self.redirect),
            ("state", "the-state"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let mut url = Url::parse(&self.authorize).expect("a URL");
        let kept = usual.iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
        url.query_pairs_mut().extend_pairs(kept.chain(more.iter().filter(|(_, value)| !value.is_empty())));
        url.into()
    }

    /// The thumbprint of its key (RFC 7638).
    pub fn thumbprint(&self) -> String {
        let jwk = self.jwk();
        let part = |name: &str| jwk[name].as_str().unwrap_or_default().to_owned();
        sha(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, part("x"), part("y")))
    }

    fn jwk(&self) -> Value {
        let point = self.key.public_key().as_ref();
        let part = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&point[range]);
        json!({ "kty": "EC", "crv": "P-256", "x": part(1..33), "y": part(33..65) })
    }

    /// A proof for one request.
    #[expect(clippy::disallowed_methods, reason = "an app signs")]
    pub fn proof(&self, method: &str, url: &str, token: Option<&str>) -> String {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk() });
        let mut claims = json!({ "jti": format!("proof-{number}"), "htm": method, "htu": url, "iat": unix_seconds() });
        if let Some(token) = token {
            claims["ath"] = json!(sha(token));
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).expect("a signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Posts to an endpoint of the issuer; `proof` as it is sent.
    pub async fn post(&self, end: &str, form: &[(&str, &str)], proof: Option<&str>) -> Said {
        let url = format!("{}/{end}", self.issuer);
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut request = Request::post(&url).header("content-type", "application/x-www-form-urlencoded");
        if let Some(proof) = proof {
            request = request.header("dpop", proof);
        }
        let answer = self.network.raw(&url, request.body(Full::from(body)).expect("a request")).await;
        let (head, body) = answer.into_parts();
        Said { status: head.status, headers: head.headers, body }
    }

    /// The same with a proof of its key.
    pub async fn post_bound(&self, end: &str, form: &[(&str, &str)]) -> Said {
        let proof = self.proof("POST", &format!("{}/{end}", self.issuer), None);
        self.post(end, form, Some(&proof)).await
    }

    /// The form that redeems a code.
    pub fn redeeming<'a>(&'a self, code: &'a str) -> [(&'static str, &'a str); 5] {
        [
            ("grant_type", "authorization_code"),
            ("client_id", &self.client),
            ("code", code),
            ("redirect_uri", &self.redirect),
            ("code_verifier", &self.verifier),
        ]
    }

    /// Redeems a code with its key.
    pub async fn redeem(&self, code: &str) -> Said {
        self.post_bound("token", &self.redeeming(code)).await
    }

    /// Turns a refresh token with its key.
    pub async fn refresh(&self, token: &str) -> Said {
        let form = [("grant_type", "refresh_token"), ("client_id", self.client.as_str()), ("refresh_token", token)];
        self.post_bound("token", &form).await
    }

    /// A request with these fields and nothing else.
    pub async fn call(&self, method: &str, url: &str, fields: &[(&str, &str)]) -> Said {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let answer = self.network.raw(url, request.body(Full::default()).expect("a request")).await;
        let (head, body) = answer.into_parts();
        Said { status: head.status, headers: head.headers, body }
    }

    /// A request to the product with a token that is bound to its key.
    pub async fn get(&self, url: &str, token: &str) -> Said {
        let proof = self.proof("GET", url, Some(token));
        self.call("GET", url, &[("authorization", &format!("DPoP {token}")), ("dpop", &proof)]).await
    }

    pub fn network(&self) -> &UserAgent {
        &self.network
    }
}

/// Loads an address and stops where the answer leads to an app.
pub async fn step(agent: &UserAgent, url: &str) -> Page {
    let url = Url::parse(url).expect("a URL");
    agent.load(Intent { follow: false, ..Intent::navigation(None, url) }).await
}

/// Presses a button of the page about an app, and stops where the answer leads.
pub async fn press(agent: &UserAgent, page: &Page, act: &str) -> Page {
    let form = page.form("act");
    let mut fields: Vec<(String, String)> = form.fields.clone();
    fields.push(("act".to_owned(), act.to_owned()));
    let encoded = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let url = page.url.join(&form.action).expect("an address");
    let intent = Intent { follow: false, method: http::Method::POST, ..Intent::navigation(Some(&page.url), url) };
    agent.load(intent.with_body("application/x-www-form-urlencoded", encoded)).await
}

/// What an answer says to the app, by name, after checking that it goes to its redirect.
pub fn told(page: &Page, redirect: &str) -> std::collections::HashMap<String, String> {
    let to = page.header("location").unwrap_or_else(|| panic!("no Location: {}", page.describe()));
    let url = Url::parse(to).unwrap_or_else(|fault| panic!("{to}: {fault}"));
    assert_eq!(to.split('?').next(), Some(redirect), "{}", page.describe());
    url.query_pairs().into_owned().collect()
}
