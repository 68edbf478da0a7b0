//! A stream of security events, set up at its transmitter by `fedgate signals` (OpenID SSF 1.0): what is asked for, what is taken of what was
//! granted, and the proof of the way, which is what the running gateway wrote down.

use std::convert::Infallible;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::provider::LightOp;
use crate::support::clock::{eventually, unix_seconds};
use crate::support::configuration::Configuration;
use crate::support::gateway::{Gateway, program};
use crate::support::upstream::Upstream;

const TOKEN: &str = "a token of the transmitter";
const PUSH: &str = "urn:ietf:rfc:8935";
const POLL: &str = "urn:ietf:rfc:8936";
const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";
const PATIENCE: Duration = Duration::from_secs(20);

/// What a transmitter has, was asked, and says of its own accord.
#[derive(Default)]
struct Held {
    streams: Vec<Value>,
    /// Members that every stream it makes gets beside what was asked for.
    grants: Value,
    verifications: Vec<Value>,
    /// Requests without the token.
    strangers: usize,
    status: Option<&'static str>,
}

/// The endpoints of a stream's management, on a thread of its own.
struct Transmitter {
    address: String,
    held: Arc<Mutex<Held>>,
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
        let address = format!("https://{}", listener.local_addr().expect("bound"));
        let (held, stop) = (Arc::<Mutex<Held>>::default(), CancellationToken::new());
        let (state, token) = (Arc::clone(&held), stop.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(token.run_until_cancelled(serve(listener, tls, state)));
        });
        Self { address, held, stop }
    }

    fn held<T>(&self, look: impl FnOnce(&mut Held) -> T) -> T {
        look(&mut self.held.lock().expect("no panic while it is held"))
    }
}

async fn serve(listener: std::net::TcpListener, tls: TlsAcceptor, held: Arc<Mutex<Held>>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("within a runtime");
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (held, tls) = (Arc::clone(&held), tls.clone());
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else { return };
            let service = service_fn(|request| answer(Arc::clone(&held), request));
            // A command that ends leaves its connections.
            let _ended =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(held: Arc<Mutex<Held>>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let said = |status: StatusCode, body: &Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        Ok(Response::builder().status(status).body(Full::from(body)).expect("an answer"))
    };
    let is_known = request.headers().get("authorization").is_some_and(|value| value == &format!("Bearer {TOKEN}"));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let query = request.uri().query().unwrap_or_default().to_owned();
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let asked: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let mut held = held.lock().expect("no panic while it is held");
    if !is_known {
        held.strangers += 1;
        return said(StatusCode::UNAUTHORIZED, &json!({ "err": "invalid_token" }));
    }
    match (method, path.as_str()) {
        (Method::GET, "/streams") => said(StatusCode::OK, &json!(held.streams)),
        (Method::POST, "/streams") => {
            let mut made = asked.as_object().cloned().unwrap_or_default();
            made.insert("stream_id".to_owned(), format!("stream {}", held.streams.len()).into());
            made.insert("events_delivered".to_owned(), made["events_requested"].clone());
            made.extend(held.grants.as_object().cloned().unwrap_or_default());
            held.streams.push(made.into());
            said(StatusCode::CREATED, held.streams.last().expect("one was made"))
        }
        (Method::DELETE, "/streams") => {
            let is_it = |stream: &Value| {
                let id = stream["stream_id"].as_str().unwrap_or_default();
                query == url::form_urlencoded::Serializer::new(String::new()).append_pair("stream_id", id).finish()
            };
            held.streams.retain(|stream| !is_it(stream));
            said(StatusCode::NO_CONTENT, &Value::Null)
        }
        (Method::GET, "/status") => {
            said(StatusCode::OK, &json!({ "status": held.status.unwrap_or("enabled"), "reason": "as a test says" }))
        }
        (Method::POST, "/verify") => {
            held.verifications.push(asked);
            said(StatusCode::NO_CONTENT, &Value::Null)
        }
        _ => said(StatusCode::NOT_FOUND, &Value::Null),
    }
}

struct Scene {
    gateway: Gateway,
    op: LightOp,
    transmitter: Transmitter,
    trello: Upstream,
}

impl Scene {
    /// `signals`: what the directory says beside the token.
    fn start(signals: impl Fn(&Transmitter) -> String) -> Self {
        let (op, trello) = (LightOp::start(), Upstream::start());
        let transmitter = Transmitter::start(op.acceptor());
        let at = &transmitter.address;
        op.publish(
            "/.well-known/ssf-configuration",
            json!({
                "issuer": op.issuer(), "jwks_uri": format!("{}/jwks", op.issuer()),
                "configuration_endpoint": format!("{at}/streams"), "status_endpoint": format!("{at}/status"),
                "verification_endpoint": format!("{at}/verify"), "delivery_methods_supported": [PUSH, POLL],
            }),
        );
        let file = Self::file(&op, &trello, &signals(&transmitter));
        let scene = Self { gateway: Gateway::start(&file), op, transmitter, trello };
        scene.transmitter.held(|held| held.grants = json!({ "iss": scene.op.issuer(), "aud": scene.door() }));
        scene
    }

    fn file(op: &LightOp, trello: &Upstream, signals: &str) -> Configuration {
        Configuration::new()
            .trust(&op.ca_file())
            .product("trello", &trello.url(), "")
            .secret("{dir}/secret", "a secret")
            .secret("{dir}/ssf", TOKEN)
            .table(&format!(
                "[org.acme]\ndomains = [\"acme.example.test\"]\n\
                 sso = {{ oidc = \"{}\", client_id = \"acme\", algorithms = [\"ES256\"], client_secret_file = \"{{dir}}/secret\", \
                 signals = {{ token_file = \"{{dir}}/ssf\"{signals} }} }}",
                op.issuer()
            ))
    }

    fn door(&self) -> String {
        self.gateway.url("id", "/signals/acme")
    }

    fn command(&self, arguments: &[&str]) -> (ExitStatus, Value) {
        let (status, out, err) = self.gateway.command(&[arguments, &["--json"]].concat());
        (status, serde_json::from_str(&out).unwrap_or_else(|why| panic!("{why}: {out}{err}")))
    }

    /// The command runs beside the scene, which answers for the transmitter.
    fn begin(&self, arguments: &[&'static str]) -> tokio::task::JoinHandle<(ExitStatus, Value)> {
        let (arguments, file) = (arguments.to_vec(), self.gateway.config_file());
        tokio::task::spawn_blocking(move || {
            let ended = program().args(arguments).arg("--json").arg("--config").arg(file).output();
            let ended = ended.expect("the program starts");
            let read = serde_json::from_slice(&ended.stdout).unwrap_or_else(|why| panic!("{why}: {ended:?}"));
            (ended.status, read)
        })
    }

    /// The event that the transmitter was asked for last, sent to the door.
    async fn prove(&self, audience: &str, id: &str) -> StatusCode {
        let asked = || self.transmitter.held(|held| !held.verifications.is_empty());
        eventually("an event is asked for", PATIENCE, asked).await;
        let asked = self.transmitter.held(|held| held.verifications.pop().expect("there is one"));
        let claims = json!({
            "iss": self.op.issuer(), "aud": audience, "jti": id, "iat": unix_seconds(),
            "sub_id": { "format": "opaque", "id": asked["stream_id"] },
            "events": { VERIFICATION: { "state": asked["state"] } },
        });
        let token = self.op.signed(&json!({ "alg": "ES256", "kid": "k", "typ": "secevent+jwt" }), &claims);
        let request = Request::post(self.door()).header("content-type", "application/secevent+jwt");
        let request = request.body(Full::from(Bytes::from(token))).expect("a request");
        self.gateway.agent(&[]).raw(&self.door(), request).await.status()
    }
}

#[tokio::test]
async fn h5_a_stream_is_asked_for_once_and_its_way_is_proved_by_what_was_written_down() {
    let scene = Scene::start(|_| String::new());
    let running = scene.begin(&["signals", "setup", "acme"]);
    assert_eq!(scene.prove(&scene.door(), "one").await, StatusCode::ACCEPTED);
    let (status, told) = running.await.expect("it ends");
    assert!(status.success() && told["arrived"] == true && told["made"] == true, "{told}");
    let made = scene.transmitter.held(|held| held.streams.clone());
    assert_eq!(made[0]["delivery"], json!({ "method": PUSH, "endpoint_url": scene.door() }));
    let requested = made[0]["events_requested"].as_array().expect("a list");
    assert!(
        requested
            .iter()
            .any(|event| event.as_str().is_some_and(|event| event.ends_with("caep/event-type/session-revoked")))
    );
    assert_eq!(scene.transmitter.held(|held| held.strangers), 0);

    // A second time it is found, and not asked for again.
    let running = scene.begin(&["signals", "setup", "acme"]);
    assert_eq!(scene.prove(&scene.door(), "two").await, StatusCode::ACCEPTED);
    let (status, told) = running.await.expect("it ends");
    assert!(status.success() && told["made"] == false, "{told}");
    assert_eq!(scene.transmitter.held(|held| held.streams.len()), 1);

    // Whether it is enabled is the transmitter's word.
    assert!(scene.command(&["signals", "status", "acme"]).0.success());
    scene.transmitter.held(|held| held.status = Some("paused"));
    let (status, told) = scene.command(&["signals", "status", "acme/main"]);
    assert_eq!((status.code(), &told["status"]["status"]), (Some(1), &json!("paused")));

    // Another directory's stream at the same transmitter stays.
    let other = json!({ "stream_id": "other", "delivery": { "method": PUSH, "endpoint_url": "https://elsewhere.example/signals/acme" } });
    scene.transmitter.held(|held| held.streams.push(other));
    let (status, told) = scene.command(&["signals", "remove", "acme"]);
    assert!(status.success() && told["ended"] == json!(["stream 0"]), "{told}");
    let left = scene.transmitter.held(|held| held.streams.clone());
    assert_eq!((left.len(), &left[0]["stream_id"]), (1, &json!("other")));
    assert_eq!(scene.command(&["signals", "remove", "acme"]).0.code(), Some(2), "there is none any more");
}

#[tokio::test]
async fn h5_an_event_with_another_nonce_proves_nothing() {
    let scene = Scene::start(|_| String::new());
    let running = scene.begin(&["signals", "setup", "acme", "--wait", "2"]);
    let asked = || scene.transmitter.held(|held| !held.verifications.is_empty());
    eventually("an event is asked for", PATIENCE, asked).await;
    scene.transmitter.held(|held| held.verifications[0]["state"] = json!("another"));
    assert_eq!(scene.prove(&scene.door(), "one").await, StatusCode::ACCEPTED);
    let (status, told) = running.await.expect("it ends");
    assert_eq!((status.code(), &told["arrived"]), (Some(1), &json!(false)), "{told}");
}

#[tokio::test]
async fn h5_what_a_transmitter_grants_is_taken_as_the_operators_file_says() {
    let scene = Scene::start(|_| String::new());
    // An audience of the transmitter's own: said, and its events are refused until the operator writes it down.
    scene.transmitter.held(|held| held.grants["aud"] = json!("urn:receiver:7"));
    let (status, told) = scene.command(&["signals", "setup", "acme"]);
    assert_eq!(status.code(), Some(1));
    let missing = told["missing"][0].as_str().unwrap_or_default();
    assert!(missing.contains("audience = \"urn:receiver:7\"") && told["arrived"].is_null(), "{told}");
    let running = scene.begin(&["signals", "verify", "acme", "--wait", "1"]);
    assert_eq!(scene.prove("urn:receiver:7", "one").await, StatusCode::BAD_REQUEST);
    assert_eq!(running.await.expect("it ends").0.code(), Some(1));
    scene.gateway.reload(&Scene::file(&scene.op, &scene.trello, ", audience = \"urn:receiver:7\""));
    let running = scene.begin(&["signals", "verify", "acme", "--wait", "2"]);
    assert_eq!(scene.prove(&scene.door(), "two").await, StatusCode::BAD_REQUEST, "no other is taken then");
    let (status, told) = running.await.expect("it ends");
    assert_eq!(status.code(), Some(1), "{told}");
    let running = scene.begin(&["signals", "verify", "acme"]);
    assert_eq!(scene.prove("urn:receiver:7", "three").await, StatusCode::ACCEPTED);
    let (status, told) = running.await.expect("it ends");
    assert!(status.success() && told["arrived"] == true, "{told}");
}

#[tokio::test]
async fn h5_a_stream_of_another_issuer_or_elsewhere_is_none_of_ours() {
    let scene = Scene::start(|_| String::new());
    for (grant, why) in [
        (json!({ "iss": "https://elsewhere.example" }), "another issuer"),
        (json!({ "delivery": { "method": PUSH, "endpoint_url": "https://elsewhere.example/" } }), "another delivery"),
    ] {
        scene.transmitter.held(|held| {
            held.streams.clear();
            held.grants = grant;
        });
        let (status, told) = scene.command(&["signals", "setup", "acme"]);
        assert_eq!(status.code(), Some(2));
        assert!(told["error"].as_str().is_some_and(|error| error.contains(why)), "{told}");
        assert_eq!(scene.transmitter.held(|held| held.verifications.len()), 0);
    }
    // A configuration that is somebody else's is not believed, and the token is shown to nobody for it.
    scene.transmitter.held(|held| held.strangers = 0);
    scene.op.publish("/.well-known/ssf-configuration", json!({ "issuer": "https://elsewhere.example", "configuration_endpoint": format!("{}/streams", scene.transmitter.address) }));
    scene.transmitter.held(|held| held.streams.clear());
    let (status, told) = scene.command(&["signals", "setup", "acme"]);
    assert!(
        status.code() == Some(2) && told["error"].as_str().is_some_and(|error| error.contains("another issuer")),
        "{told}"
    );
    assert_eq!(scene.transmitter.held(|held| held.streams.len()), 0);
}

#[tokio::test]
async fn h5_a_stream_that_is_fetched_says_where() {
    let scene = Scene::start(|_| String::new());
    let fetched = format!("{}/events/7", scene.transmitter.address);
    let delivery = json!({ "method": POLL, "endpoint_url": fetched });
    scene.transmitter.held(|held| held.grants["delivery"] = delivery);
    let (status, told) = scene.command(&["signals", "setup", "acme", "--poll"]);
    assert_eq!(status.code(), Some(1));
    assert_eq!(
        told["missing"],
        json!([format!("its events wait at {fetched:?}: write poll = {fetched:?} into `signals`")])
    );
    scene.gateway.reload(&Scene::file(&scene.op, &scene.trello, &format!(", poll = {fetched:?}, every = \"5s\"")));
    let (status, told) = scene.command(&["signals", "status", "acme"]);
    assert!(status.success() && told["missing"] == json!([]), "{told}");
}
