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
use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
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
    refreshing: Mutex<Refreshing>,
}

/// Refresh tokens of a provider that turns each at its use: one that is shown a second time ends everything that came of the same login.
#[derive(Default)]
pub struct Refreshing {
    /// Whether it gives any.
    pub on: bool,
    /// Answers all refreshes by this instead.
    pub instead: Option<StatusCode>,
    /// Whom it knows no more, by address.
    pub gone: HashSet<String>,
    /// Whom its answers are about instead of the person.
    pub swapped: Option<String>,
    /// Whether it keeps whoever asks waiting.
    pub waits: bool,
    /// Refreshes that came.
    pub asked: usize,
    /// Refreshes that it granted.
    pub granted: usize,
    /// Tokens that were shown twice.
    pub reused: usize,
    /// Token → login and person; a token that was used stays, to be known again.
    tokens: HashMap<String, (u64, Value, bool)>,
    logins: u64,
}

impl Refreshing {
    fn give(&mut self, login: u64, person: &Value) -> String {
        let token = format!("refresh {} of {login}", self.tokens.len());
        self.tokens.insert(token.clone(), (login, person.clone(), false));
        token
    }

    /// The person and the next token, or the error.
    fn turn(&mut self, shown: &str) -> Result<(Value, String), &'static str> {
        let (login, person, used) = self.tokens.get(shown).cloned().ok_or("invalid_grant")?;
        if used {
            self.reused += 1;
            self.tokens.retain(|_, (of, _, _)| *of != login);
            return Err("invalid_grant");
        }
        if self.gone.contains(person["email"].as_str().unwrap_or_default()) {
            return Err("invalid_grant");
        }
        self.tokens.entry(shown.to_owned()).and_modify(|(_, _, used)| *used = true);
        self.granted += 1;
        Ok((person.clone(), self.give(login, &person)))
    }
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
        let state = Arc::new(State {
            issuer: issuer.clone(),
            key,
            ahead: Arc::clone(&ahead),
            published: Mutex::default(),
            refreshing: Mutex::default(),
        });
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

    /// Its refresh tokens.
    pub fn refreshing<T>(&self, look: impl FnOnce(&mut Refreshing) -> T) -> T {
        look(&mut self.state.refreshing.lock().expect("no panic while it is held"))
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
            let fields = fields(&body);
            if fields.get("grant_type").is_some_and(|grant| grant == "refresh_token") {
                return Ok(state.refresh(fields.get("refresh_token").map(String::as_str).unwrap_or_default()).await);
            }
            let code = fields.get("code").and_then(|code| URL_SAFE_NO_PAD.decode(code).ok());
            match code.and_then(|code| serde_json::from_slice::<Value>(&code).ok()) {
                Some(code) => json_answer(&state.first_tokens(&code)),
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

    fn first_tokens(&self, code: &Value) -> Value {
        let mut tokens = self.tokens(code);
        let mut refreshing = self.refreshing.lock().expect("no panic while it is held");
        if refreshing.on {
            refreshing.logins += 1;
            let login = refreshing.logins;
            tokens["refresh_token"] = refreshing.give(login, code).into();
        }
        tokens
    }

    async fn refresh(&self, shown: &str) -> Response<Full<Bytes>> {
        let held = || self.refreshing.lock().expect("no panic while it is held");
        held().asked += 1;
        while held().waits {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if let Some(instead) = held().instead {
            return status(instead);
        }
        let turned = held().turn(shown);
        match turned {
            Ok((mut person, next)) => {
                if let Some(other) = held().swapped.clone() {
                    person["email"] = other.into();
                }
                let mut tokens = self.tokens(&person);
                tokens["refresh_token"] = next.into();
                json_answer(&tokens)
            }
            Err(error) => {
                let mut answer = json_answer(&json!({ "error": error }));
                *answer.status_mut() = StatusCode::BAD_REQUEST;
                answer
            }
        }
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
