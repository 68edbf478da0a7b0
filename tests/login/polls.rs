//! Security events that are fetched (RFC 8936): whoever's transmitter does not push them is ended all the same, once, and hears what became
//! of each event.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::provider::LightOp;
use crate::support::agent::UserAgent;
use crate::support::clock::{Deadline, eventually, unix_seconds};
use crate::support::configuration::Configuration;
use crate::support::gateway::Gateway;
use crate::support::upstream::Upstream;

const REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
const TOKEN: &str = "a token of the transmitter";
const ANN: &str = "ann@acme.example.test";
const BOB: &str = "bob@acme.example.test";

/// What a transmitter holds, and what it was told.
#[derive(Default)]
struct Held {
    queue: BTreeMap<String, String>,
    acknowledged: Vec<String>,
    refused: BTreeMap<String, Value>,
    questions: usize,
    strangers: usize,
    /// What it answers instead of events.
    instead: Option<(StatusCode, String)>,
}

/// A transmitter on a thread of its own, which holds a question until it has something to say.
struct Transmitter {
    address: String,
    held: Arc<Mutex<Held>>,
    news: Arc<Notify>,
    stop: CancellationToken,
}

impl Drop for Transmitter {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Transmitter {
    fn start(tls: TlsAcceptor) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port of the loopback");
        listener.set_nonblocking(true).expect("a socket");
        let address = format!("https://{}/poll", listener.local_addr().expect("bound"));
        let (held, news, stop) = (Arc::<Mutex<Held>>::default(), Arc::new(Notify::new()), CancellationToken::new());
        let (state, told, token) = (Arc::clone(&held), Arc::clone(&news), stop.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(token.run_until_cancelled(serve(listener, tls, state, told)));
        });
        Self { address, held, news, stop }
    }

    fn send(&self, name: &str, token: &str) {
        self.held(|held| held.queue.insert(name.to_owned(), token.to_owned()));
        self.news.notify_waiters();
    }

    fn instead(&self, answer: Option<(StatusCode, &str)>) {
        self.held(|held| held.instead = answer.map(|(status, body)| (status, body.to_owned())));
        self.news.notify_waiters();
    }

    fn held<T>(&self, look: impl FnOnce(&mut Held) -> T) -> T {
        look(&mut self.held.lock().expect("no panic while it is held"))
    }
}

async fn serve(listener: std::net::TcpListener, tls: TlsAcceptor, held: Arc<Mutex<Held>>, news: Arc<Notify>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("within a runtime");
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (held, news, tls) = (Arc::clone(&held), Arc::clone(&news), tls.clone());
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else { return };
            let service = service_fn(|request| answer(Arc::clone(&held), Arc::clone(&news), request));
            // A gateway that stops leaves its connections.
            let _ended =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    held: Arc<Mutex<Held>>,
    news: Arc<Notify>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let said = |status: StatusCode, body: String| {
        Ok(Response::builder().status(status).body(Full::from(body)).expect("an answer"))
    };
    let is_known = request.headers().get("authorization").is_some_and(|value| value == &format!("Bearer {TOKEN}"));
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let asked: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    {
        let mut held = held.lock().expect("no panic while it is held");
        held.questions += 1;
        if !is_known || asked["returnImmediately"] != false || !asked["maxEvents"].is_u64() {
            held.strangers += 1;
            return said(StatusCode::UNAUTHORIZED, String::new());
        }
        for name in asked["ack"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            held.queue.remove(name);
            held.acknowledged.push(name.to_owned());
        }
        for (name, why) in asked["setErrs"].as_object().into_iter().flatten() {
            held.queue.remove(name);
            held.refused.insert(name.clone(), why.clone());
        }
    }
    // Held until there is something, for ten seconds at most.
    for _ in 0..100 {
        {
            let held = held.lock().expect("no panic while it is held");
            if let Some((status, body)) = held.instead.clone() {
                return said(status, body);
            }
            if !held.queue.is_empty() {
                return said(StatusCode::OK, json!({ "sets": held.queue, "moreAvailable": false }).to_string());
            }
        }
        let _woken = tokio::time::timeout(Duration::from_millis(100), news.notified()).await;
    }
    said(StatusCode::OK, json!({ "sets": {} }).to_string())
}

struct Scene {
    gateway: Gateway,
    op: LightOp,
    transmitter: Transmitter,
    _trello: Upstream,
}

impl Scene {
    fn start() -> Self {
        let (op, trello) = (LightOp::start(), Upstream::start());
        let transmitter = Transmitter::start(op.acceptor());
        let file = Configuration::new()
            .trust(&op.ca_file())
            .product("trello", &trello.url(), "")
            .secret("{dir}/secret", "a secret")
            .secret("{dir}/ssf", TOKEN)
            .table(&format!(
                "[org.acme]\ndomains = [\"acme.example.test\"]\n\
                 sso = {{ oidc = \"{}\", client_id = \"acme\", algorithms = [\"ES256\"], client_secret_file = \"{{dir}}/secret\", \
                 signals = {{ poll = \"{}\", token_file = \"{{dir}}/ssf\", every = \"1s\" }} }}",
                op.issuer(),
                transmitter.address
            ));
        Self { gateway: Gateway::start(&file), op, transmitter, _trello: trello }
    }

    async fn logged_in(&self, email: &str) -> UserAgent {
        let agent = self.gateway.agent(&[&self.op.ca_file()]);
        let page = agent.visit(&self.gateway.url("trello", "/page")).await;
        agent.submit(&page, "email", &[("email", email)]).await;
        assert!(self.is_inside(&agent).await, "{email}");
        agent
    }

    async fn is_inside(&self, agent: &UserAgent) -> bool {
        let url = self.gateway.url("trello", "/page");
        let page = agent.visit(&url).await;
        page.status == StatusCode::OK && page.url.as_str() == url
    }

    /// A session-revoked about somebody.
    fn revoked(&self, email: &str, id: &str) -> Value {
        let subject = json!({ "format": "iss_sub", "iss": self.op.issuer(), "sub": format!("subject of {email}") });
        json!({ "iss": self.op.issuer(), "aud": self.gateway.url("id", "/signals/acme"), "jti": id, "iat": unix_seconds(),
            "sub_id": subject, "events": { REVOKED: {} } })
    }

    fn signed(&self, claims: &Value) -> String {
        self.op.signed(&json!({ "alg": "ES256", "kid": "k", "typ": "secevent+jwt" }), claims)
    }

    fn receipts(&self) -> Vec<Value> {
        let (_, out, err) = self.gateway.command(&["audit", "search", "--json"]);
        let read = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|why| panic!("{why}: {out}{err}"));
        let events = out.lines().map(read).map(|one| if one["event"].is_object() { one["event"].clone() } else { one });
        events.filter(|event| event["action"] == "signal.received").collect()
    }
}

/// A second, and what a machine that runs all the tests at once may take longer.
const SECOND: Duration = Duration::from_millis(2_500);
/// Long enough for whatever has no second of its own.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn h5_an_event_that_is_fetched_ends_within_a_second_and_is_acknowledged_once_it_did() {
    let scene = Scene::start();
    let (ann, bob) = (scene.logged_in(ANN).await, scene.logged_in(BOB).await);
    let asked = || scene.transmitter.held(|held| held.questions) > 0;
    eventually("it is asked", PATIENCE, asked).await;
    let second = Deadline::after(SECOND);
    scene.transmitter.send("one", &scene.signed(&scene.revoked(ANN, "one")));
    eventually("acknowledged", PATIENCE, || scene.transmitter.held(|held| held.acknowledged == ["one"])).await;
    // Asked once the word is out: a request that is under way when its session ends is cut off.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!scene.is_inside(&ann).await && !second.passed(), "she is in");
    assert!(scene.is_inside(&bob).await);
    let receipt = scene.receipts().pop().expect("a receipt");
    assert_eq!(
        (&receipt["reason"], &receipt["org"], &receipt["client"]),
        (&json!("everything"), &json!("acme"), &Value::Null)
    );

    // The transmitter did not hear it: the same event again ends nobody who has come back, and is acknowledged again.
    let ann = scene.logged_in(ANN).await;
    scene.transmitter.send("one", &scene.signed(&scene.revoked(ANN, "one")));
    eventually("again", PATIENCE, || scene.transmitter.held(|held| held.acknowledged.len() == 2)).await;
    assert!(scene.is_inside(&ann).await);

    // What does not hold is told as such, and what stands beside it counts.
    let mut foreign = scene.revoked(BOB, "two");
    foreign["aud"] = json!("https://elsewhere.example/signals");
    scene.transmitter.send("two", &scene.signed(&foreign));
    let other = LightOp::start();
    let forged =
        other.signed(&json!({ "alg": "ES256", "kid": "k", "typ": "secevent+jwt" }), &scene.revoked(BOB, "three"));
    scene.transmitter.send("three", &forged);
    scene.transmitter.send("four", "no token");
    eventually("refused", PATIENCE, || scene.transmitter.held(|held| held.refused.len() == 3)).await;
    let refused = scene.transmitter.held(|held| held.refused.clone());
    let err = |name: &str| refused[name]["err"].as_str().unwrap_or_default().to_owned();
    assert_eq!([err("two"), err("three"), err("four")], ["invalid_audience", "invalid_key", "invalid_request"]);
    assert!(scene.is_inside(&bob).await, "none of them ended anything");
    assert_eq!(scene.transmitter.held(|held| held.strangers), 0, "every question has the token");
}

#[tokio::test]
async fn h5_a_transmitter_that_fails_ends_nothing_and_is_heard_again_when_it_is_back() {
    let scene = Scene::start();
    let ann = scene.logged_in(ANN).await;
    let event = scene.signed(&scene.revoked(ANN, "one"));
    let sets = json!({ "sets": [event] }).to_string();
    for (status, body) in [
        (StatusCode::INTERNAL_SERVER_ERROR, ""),
        (StatusCode::OK, "no JSON"),
        (StatusCode::OK, &sets[..]),
        (StatusCode::FOUND, ""),
    ] {
        let asked = scene.transmitter.held(|held| held.questions);
        scene.transmitter.instead(Some((status, body)));
        eventually("asked again", Duration::from_secs(20), || scene.transmitter.held(|held| held.questions) > asked)
            .await;
    }
    let warned = scene.gateway.log().matches("security events cannot be fetched").count();
    assert_eq!(warned, 1, "told once, not for each question");
    assert!(scene.is_inside(&ann).await);
    scene.transmitter.send("one", &event);
    scene.transmitter.instead(None);
    eventually("acknowledged", Duration::from_secs(20), || scene.transmitter.held(|held| held.acknowledged == ["one"]))
        .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!scene.is_inside(&ann).await);
    assert!(scene.gateway.log().contains("answers again"));
}
