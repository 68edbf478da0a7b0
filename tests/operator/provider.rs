//! A light OpenID Provider for load: it logs in at once whoever `login_hint` names, and keeps nothing (a code is what it stands for).
//!
//! The certified provider proves that logins are right; this one proves what happens when there are many.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::support::authority::Authority;
use super::support::clock::unix_seconds;

/// A running provider on a thread of its own. Dropping it ends it.
pub struct LightOp {
    issuer: String,
    authority: Authority,
    stop: CancellationToken,
    ahead: Arc<AtomicI64>,
    state: Arc<State>,
}

struct State {
    issuer: String,
    key: EcdsaKeyPair,
    /// Seconds that its clock is ahead of this machine's.
    ahead: Arc<AtomicI64>,
    /// What else it publishes, by path.
    published: Mutex<HashMap<String, Value>>,
}

impl LightOp {
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port of the loopback");
        listener.set_nonblocking(true).expect("a socket");
        let authority = Authority::new();
        let tls = tls(&authority);
        let issuer = format!("https://{}", listener.local_addr().expect("bound"));
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let ahead = Arc::new(AtomicI64::new(0));
        let state =
            Arc::new(State { issuer: issuer.clone(), key, ahead: Arc::clone(&ahead), published: Mutex::default() });
        let stop = CancellationToken::new();
        let token = stop.clone();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(token.run_until_cancelled(serve(listener, tls, shared)));
        });
        Self { issuer, authority, stop, ahead, state }
    }

    /// Moves its clock with that of a gateway whose clock a scene moves.
    pub fn move_on(&self, seconds: i64) {
        self.ahead.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// A token of its own, whatever these say.
    pub fn signed(&self, header: &Value, claims: &Value) -> String {
        self.state.signed(header, claims)
    }

    /// Publishes a document of its own at a path.
    pub fn publish(&self, path: &str, document: Value) {
        self.state.published.lock().expect("no panic while it is held").insert(path.to_owned(), document);
    }

    /// For another server of this machine that the same authority vouches for.
    pub fn acceptor(&self) -> TlsAcceptor {
        tls(&self.authority)
    }

    /// Who vouches for its certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.authority.ca_file()
    }
}

fn tls(authority: &Authority) -> TlsAcceptor {
    let leaf = authority.issue(&["127.0.0.1"]);
    let chain = CertificateDer::pem_file_iter(&leaf.cert).expect("readable").map(|one| one.expect("a certificate"));
    let key = PrivateKeyDer::from_pem_file(&leaf.key).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("aws-lc speaks TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(chain.collect(), key)
        .expect("a certificate with its key");
    TlsAcceptor::from(Arc::new(config))
}

impl Drop for LightOp {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn serve(listener: std::net::TcpListener, tls: TlsAcceptor, state: Arc<State>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("within a runtime");
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (state, tls) = (Arc::clone(&state), tls.clone());
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else { return };
            let service = service_fn(|request| answer(Arc::clone(&state), request));
            // A gateway that is killed leaves its connections.
            let _ended =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let query = fields(request.uri().query().unwrap_or_default().as_bytes());
    let issuer = &state.issuer;
    Ok(match path.as_str() {
        "/.well-known/openid-configuration" => json_answer(&json!({
            "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/jwks"),
            "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"], "scopes_supported": ["openid", "email", "profile"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
        })),
        "/jwks" => json_answer(&state.jwks()),
        "/authorize" => authorize(&query),
        "/token" => {
            let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let code = fields(&body).get("code").and_then(|code| URL_SAFE_NO_PAD.decode(code).ok());
            match code.and_then(|code| serde_json::from_slice::<Value>(&code).ok()) {
                Some(code) => json_answer(&state.tokens(&code)),
                None => status(StatusCode::BAD_REQUEST),
            }
        }
        other => match state.published.lock().expect("no panic while it is held").get(other) {
            Some(document) => json_answer(document),
            None => status(StatusCode::NOT_FOUND),
        },
    })
}

fn authorize(query: &HashMap<String, String>) -> Response<Full<Bytes>> {
    let said = |name: &str| query.get(name).cloned().unwrap_or_default();
    let code = json!({ "email": said("login_hint"), "nonce": said("nonce"), "client": said("client_id") });
    let code = URL_SAFE_NO_PAD.encode(code.to_string());
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("code", &code)
        .append_pair("state", &said("state"))
        .finish();
    let mut answer = status(StatusCode::SEE_OTHER);
    let back = format!("{}?{query}", said("redirect_uri")).parse().expect("an address is a header value");
    answer.headers_mut().insert("location", back);
    answer
}

impl State {
    fn jwks(&self) -> Value {
        let point = self.key.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        json!({ "keys": [{ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "k", "x": x, "y": y }] })
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own key")]
    fn signed(&self, header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).expect("signed");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn tokens(&self, code: &Value) -> Value {
        let now = unix_seconds() + self.ahead.load(Ordering::SeqCst);
        let email = code["email"].as_str().unwrap_or_default();
        let claims = json!({
            "iss": self.issuer, "aud": code["client"], "sub": format!("subject of {email}"), "nonce": code["nonce"],
            "email": email, "email_verified": true, "name": "Load", "iat": now, "auth_time": now, "exp": now + 300,
        });
        let header = json!({ "alg": "ES256", "kid": "k", "typ": "JWT" });
        let token = self.signed(&header, &claims);
        json!({ "access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": token })
    }
}

fn fields(bytes: &[u8]) -> HashMap<String, String> {
    url::form_urlencoded::parse(bytes).into_owned().collect()
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

fn json_answer(value: &Value) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(value.to_string()));
    answer.headers_mut().insert("content-type", "application/json".parse().expect("a header value"));
    answer
}
