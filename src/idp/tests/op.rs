//! The provider: correct until a test changes something.

use super::*;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// A provider, and what it was asked.
pub(super) struct Op {
    pub(super) issuer: String,
    pub(super) key: EcdsaKeyPair,
    pub(super) kid: String,
    /// Whether the key set carries the key that signs.
    pub(super) publishes: bool,
    pub(super) up: bool,
    pub(super) delay: Duration,
    /// Laid over the discovery document.
    pub(super) discovery: Value,
    /// Laid over the claims.
    pub(super) claims: Value,
    pub(super) userinfo: Value,
    pub(super) token_status: StatusCode,
    /// How often each path was asked.
    pub(super) asked: HashMap<String, usize>,
    /// The last request to the token endpoint: its Authorization field and form.
    pub(super) redeemed: (Option<String>, HashMap<String, String>),
}

pub(super) fn key() -> EcdsaKeyPair {
    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()
}

fn overlay(mut base: Value, over: &Value) -> Value {
    for (name, value) in over.as_object().into_iter().flatten() {
        base[name] = value.clone();
    }
    base
}

impl Op {
    fn answer(&mut self, path: &str) -> (StatusCode, Value) {
        *self.asked.entry(path.to_owned()).or_default() += 1;
        match path {
            "/.well-known/openid-configuration" => (StatusCode::OK, self.discovery()),
            "/jwks" => {
                let kid = if self.publishes { self.kid.as_str() } else { "other" };
                let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
                let jwk = json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": B64.encode(x), "y": B64.encode(y)});
                (StatusCode::OK, json!({"keys": [jwk]}))
            }
            "/token" if self.token_status == StatusCode::OK => {
                (StatusCode::OK, json!({"access_token": "at", "token_type": "Bearer", "id_token": self.id_token()}))
            }
            "/token" => (self.token_status, json!({"error": "invalid_grant", "error_description": "<script>"})),
            "/me" => (StatusCode::OK, self.userinfo.clone()),
            _ => (StatusCode::NOT_FOUND, Value::Null),
        }
    }

    fn discovery(&self) -> Value {
        let url = |path: &str| format!("{}{path}", self.issuer);
        let base = json!({
            "issuer": self.issuer, "authorization_endpoint": url("/auth"), "token_endpoint": url("/token"),
            "jwks_uri": url("/jwks"), "userinfo_endpoint": url("/me"), "end_session_endpoint": url("/end"),
        });
        overlay(base, &self.discovery)
    }

    #[expect(clippy::disallowed_methods, reason = "a signature of the test's own provider")]
    fn id_token(&self) -> String {
        let claims = json!({
            "iss": self.issuer, "aud": "us", "sub": "ann", "nonce": Seed::new([7; 32]).nonce(), "iat": START,
            "exp": START + 300, "email": "ann@acme.com", "email_verified": true,
        });
        let header = json!({"alg": "ES256", "kid": self.kid}).to_string();
        let input = format!("{}.{}", B64.encode(header), B64.encode(overlay(claims, &self.claims).to_string()));
        let signature = self.key.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
        format!("{input}.{}", B64.encode(signature))
    }
}

async fn serve(op: Arc<Mutex<Op>>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, &'static str> {
    if !op.lock().unwrap().up {
        return Err("down: connections that are open end too");
    }
    let path = request.uri().path().to_owned();
    let authorization = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let delay = op.lock().unwrap().delay;
    tokio::time::sleep(delay).await;
    let mut op = op.lock().unwrap();
    if path == "/token" {
        op.redeemed = (authorization, url::form_urlencoded::parse(&body).into_owned().collect());
    }
    let (status, value) = op.answer(&path);
    Ok(Response::builder().status(status).body(Full::new(Bytes::from(value.to_string()))).unwrap())
}

pub(super) async fn start() -> Arc<Mutex<Op>> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let op = Arc::new(Mutex::new(Op {
        issuer: format!("http://{}", listener.local_addr().unwrap()),
        key: key(),
        kid: "1".into(),
        publishes: true,
        up: true,
        delay: Duration::ZERO,
        discovery: Value::Null,
        claims: Value::Null,
        userinfo: Value::Null,
        token_status: StatusCode::OK,
        asked: HashMap::new(),
        redeemed: (None, HashMap::new()),
    }));
    let shared = Arc::clone(&op);
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            if !shared.lock().unwrap().up {
                continue; // closed at once
            }
            let op = Arc::clone(&shared);
            let service = hyper::service::service_fn(move |request| serve(Arc::clone(&op), request));
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tcp), service));
        }
    });
    op
}
