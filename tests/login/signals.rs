//! What a provider says without a browser: security events (RFC 8935), logout tokens, Okta's Universal Logout. What is over there is over
//! here within a second, with a receipt, inside the directory that said it and nowhere else (rule H5).

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use url::Url;

use crate::provider::LightOp;
use crate::support::agent::UserAgent;
use crate::support::clock::{eventually, unix_seconds};
use crate::support::configuration::Configuration;
use crate::support::gateway::Gateway;
use crate::support::upstream::Upstream;
use crate::support::websocket::{Frame, Opened, WebSocket};

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type";

/// Two companies at one provider, each with its own client there.
struct Scene {
    gateway: Gateway,
    op: LightOp,
    trello: Upstream,
}

impl Scene {
    fn start() -> Self {
        let (op, trello) = (LightOp::start(), Upstream::start());
        let org = |name: &str| {
            format!(
                "[org.{name}]\ndomains = [\"{name}.example.test\"]\n\
                 sso = {{ oidc = \"{}\", client_id = \"{name}\", algorithms = [\"ES256\"], client_secret_file = \"{{dir}}/secret\" }}",
                op.issuer()
            )
        };
        let file = Configuration::new()
            .trust(&op.ca_file())
            .product("trello", &trello.url(), "")
            .secret("{dir}/secret", "a secret")
            .table(&org("acme"))
            .table(&org("globex"));
        Self { gateway: Gateway::start(&file), op, trello }
    }

    async fn logged_in(&self, email: &str) -> UserAgent {
        let agent = self.gateway.agent(&[&self.op.ca_file()]);
        let page = agent.visit(&self.gateway.url("trello", "/page")).await;
        let page = agent.submit(&page, "email", &[("email", email)]).await;
        assert_eq!(page.status, StatusCode::OK, "{}\n{}", page.describe(), self.gateway.log());
        assert!(self.is_inside(&agent).await, "{}", page.describe());
        agent
    }

    async fn send(&self, agent: &UserAgent, path: &str) -> http::Response<hyper::body::Incoming> {
        let url = self.gateway.url("trello", path);
        let request = Request::get(&url).header("cookie", agent.cookie_header(&url).unwrap_or_default());
        let request = request.body(Full::default()).expect("a request");
        agent.wire().send(&Url::parse(&url).expect("a URL"), request).await.expect("an answer")
    }

    async fn is_inside(&self, agent: &UserAgent) -> bool {
        self.send(agent, "/page").await.status() == StatusCode::OK
    }

    /// Whether this browser's session is over within a second: every node reads the word of it, and none is asked to wait for it.
    async fn is_out(&self, agent: &UserAgent) -> bool {
        let wait = async {
            while self.is_inside(agent).await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(1), wait).await.is_ok()
    }

    async fn socket(&self, agent: &UserAgent) -> WebSocket {
        let (url, origin) = (self.gateway.url("trello", "/live"), self.gateway.url("trello", ""));
        let cookie = agent.cookie_header(&url).expect("a session");
        let url = Url::parse(&url).expect("a URL");
        match WebSocket::open(agent.wire(), &url, Some(&origin), &[("Cookie", &cookie)]).await.expect("an answer") {
            Opened::Socket(socket) => socket,
            Opened::Refused(status, head) => panic!("{status} {head}"),
        }
    }

    /// Posts to a door of the login host, as a provider does: without a browser's fields.
    async fn post(&self, path: &str, fields: &[(&str, &str)], body: &str) -> (StatusCode, String) {
        let url = self.gateway.url("id", path);
        let mut request = Request::post(&url);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(Bytes::from(body.to_owned()))).expect("a request");
        let answer = self.gateway.agent(&[]).raw(&url, request).await;
        (answer.status(), String::from_utf8_lossy(answer.body()).into_owned())
    }

    /// The claims of a security event for a company's door.
    fn event(&self, org: &str, uri: &str, subject: Value, id: &str) -> Value {
        json!({ "iss": self.op.issuer(), "aud": self.gateway.url("id", &format!("/signals/{org}")), "jti": id,
            "iat": unix_seconds(), "sub_id": subject, "events": { uri: { "change_type": "update" } } })
    }

    async fn push(&self, org: &str, token: &str) -> (StatusCode, String) {
        self.post(&format!("/signals/{org}"), &[("content-type", "application/secevent+jwt")], token).await
    }

    fn signed(&self, typ: &str, claims: &Value) -> String {
        self.op.signed(&json!({ "alg": "ES256", "kid": "k", "typ": typ }), claims)
    }

    fn sub(&self, email: &str) -> Value {
        json!({ "format": "iss_sub", "iss": self.op.issuer(), "sub": format!("subject of {email}") })
    }

    fn events(&self, action: &str) -> Vec<Value> {
        let (_, out, err) = self.gateway.command(&["audit", "search", "--json"]);
        let read = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|why| panic!("{why}: {out}{err}"));
        let events = out.lines().map(read).map(|one| if one["event"].is_object() { one["event"].clone() } else { one });
        events.filter(|event| event["action"] == action).collect()
    }

    fn last(&self) -> Value {
        self.events("signal.received").pop().expect("a receipt")
    }
}

const ANN: &str = "ann@acme.example.test";
const BOB: &str = "bob@acme.example.test";

#[tokio::test]
async fn h5_each_event_ends_requests_streams_and_sockets_within_a_second_with_a_receipt() {
    let scene = Scene::start();
    let bob = scene.logged_in(BOB).await;
    let his = scene.send(&bob, "/events").await;
    let by_email = json!({ "format": "email", "email": ANN });
    for (number, (uri, subject)) in [
        (format!("{CAEP}/session-revoked"), scene.sub(ANN)),
        (format!("{CAEP}/credential-change"), scene.sub(ANN)),
        (format!("{RISC}/account-disabled"), by_email),
        (format!("{RISC}/account-purged"), json!({ "format": "complex", "user": scene.sub(ANN) })),
    ]
    .into_iter()
    .enumerate()
    {
        let ann = scene.logged_in(ANN).await;
        let hers = scene.send(&ann, "/events").await;
        let mut socket = scene.socket(&ann).await;
        assert_eq!(scene.trello.open_streams(), 3, "{uri}");
        let token = scene.signed("secevent+jwt", &scene.event("acme", &uri, subject, &format!("e{number}")));
        assert_eq!(scene.push("acme", &token).await, (StatusCode::ACCEPTED, String::new()), "{uri}");
        eventually("hers close", Duration::from_secs(1), || scene.trello.open_streams() == 1).await;
        let closed = socket.next_within(Duration::from_secs(1)).await;
        assert!(matches!(closed, Some(Frame::Close(_) | Frame::Gone)), "{uri}: {closed:?}");
        assert!(scene.is_out(&ann).await, "{uri}");
        assert!(scene.is_inside(&bob).await, "{uri}");
        let receipt = scene.last();
        assert_eq!((&receipt["reason"], &receipt["after"]["event"]), (&json!("everything"), &json!(uri)), "{receipt}");
        assert!(receipt["after"]["latency_ms"].as_u64().is_some_and(|taken| taken < 1_000), "{receipt}");
        assert_eq!((&receipt["org"], &receipt["after"]["ended"]), (&json!("acme"), &json!(1)), "{receipt}");
        let ended = scene.events("session.ended").pop().expect("an event");
        assert_eq!((&ended["reason"], &ended["ref"]), (&json!("provider-signal"), &receipt["ref"]), "{ended}");
        drop(hers);
    }
    drop(his);
}

#[tokio::test]
async fn h5_a_signal_ends_nobody_of_another_directory_and_no_stranger() {
    let scene = Scene::start();
    let (ann, gil) = (scene.logged_in(ANN).await, scene.logged_in("gil@globex.example.test").await);
    let revoked = format!("{CAEP}/session-revoked");
    let email = |email: &str| json!({ "format": "email", "email": email });
    // The same provider says it in the other company's name: whoever is meant is nobody there.
    for (number, subject) in
        [scene.sub(ANN), email(ANN), json!({ "format": "opaque", "id": format!("subject of {ANN}") })]
            .into_iter()
            .enumerate()
    {
        let claims = scene.event("globex", &revoked, subject, &format!("g{number}"));
        let said = scene.push("globex", &scene.signed("secevent+jwt", &claims)).await;
        assert_eq!(said, (StatusCode::ACCEPTED, String::new()), "the same answer as for anybody");
        assert_eq!(scene.last()["reason"], "nobody", "{}", scene.last());
    }
    // At another directory's door it is not for that directory.
    let claims = scene.event("globex", &revoked, scene.sub(ANN), "g9");
    let (status, body) = scene.push("acme", &scene.signed("secevent+jwt", &claims)).await;
    assert_eq!((status, body.contains("invalid_audience")), (StatusCode::BAD_REQUEST, true), "{body}");
    // A transmitter with this issuer's name and keys of its own.
    let other = LightOp::start();
    let claims = scene.event("acme", &revoked, scene.sub(ANN), "x");
    let token = other.signed(&json!({ "alg": "ES256", "kid": "k", "typ": "secevent+jwt" }), &claims);
    let (status, body) = scene.push("acme", &token).await;
    assert_eq!((status, body.contains("invalid_key")), (StatusCode::BAD_REQUEST, true), "{body}");
    assert_eq!(scene.last()["reason"], "signal-signature");
    // Another type of body, another method, a directory that is none.
    let good = scene.signed("secevent+jwt", &claims);
    let (status, _) = scene.post("/signals/acme", &[("content-type", "application/json")], &good).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(scene.push("nobody", &good).await.0, StatusCode::NOT_FOUND);
    // What moves an address is for the admins to see, and what nothing follows from is written down.
    for (uri, reason) in [
        (format!("{RISC}/identifier-changed"), "identifier-changed"),
        (format!("{RISC}/account-enabled"), "not-followed"),
        ("https://schemas.openid.net/secevent/ssf/event-type/verification".to_owned(), "not-followed"),
    ] {
        let claims = scene.event("acme", &uri, scene.sub(ANN), &uri);
        assert_eq!(scene.push("acme", &scene.signed("secevent+jwt", &claims)).await.0, StatusCode::ACCEPTED, "{uri}");
        assert_eq!(scene.last()["reason"], reason, "{uri}");
    }
    assert!(scene.is_inside(&ann).await && scene.is_inside(&gil).await, "nothing of all that ended anything");
    // The truth ends hers.
    assert_eq!(scene.push("acme", &good).await.0, StatusCode::ACCEPTED);
    assert!(scene.is_out(&ann).await);
    assert!(scene.is_inside(&gil).await);
}

#[tokio::test]
async fn h5_a_signal_counts_once() {
    let scene = Scene::start();
    let ann = scene.logged_in(ANN).await;
    let claims = scene.event("acme", &format!("{CAEP}/session-revoked"), scene.sub(ANN), "once");
    let token = scene.signed("secevent+jwt", &claims);
    assert_eq!(scene.push("acme", &token).await.0, StatusCode::ACCEPTED);
    assert!(scene.is_out(&ann).await);
    let ann = scene.logged_in(ANN).await;
    assert_eq!(scene.push("acme", &token).await.0, StatusCode::ACCEPTED, "delivered is delivered");
    assert_eq!(scene.last()["reason"], "signal-replayed");
    assert!(scene.is_inside(&ann).await, "and ends nothing twice");
}

#[tokio::test]
async fn h5_a_logout_token_ends_what_its_directory_made() {
    let scene = Scene::start();
    let ann = scene.logged_in(ANN).await;
    let claims = |aud: &str| {
        json!({ "iss": scene.op.issuer(), "aud": aud, "jti": aud, "iat": unix_seconds(), "exp": unix_seconds() + 120,
            "sub": format!("subject of {ANN}"), "events": { "http://schemas.openid.net/event/backchannel-logout": {} } })
    };
    let send = async |org: &str, aud: &str| {
        let body = format!("logout_token={}", scene.signed("logout+jwt", &claims(aud)));
        let fields = [("content-type", "application/x-www-form-urlencoded")];
        scene.post(&format!("/oidc/{org}/backchannel-logout"), &fields, &body).await.0
    };
    assert_eq!(send("acme", "globex").await, StatusCode::BAD_REQUEST, "another client's");
    assert_eq!(send("globex", "globex").await, StatusCode::OK, "nobody of theirs");
    assert!(scene.is_inside(&ann).await);
    assert_eq!(send("acme", "acme").await, StatusCode::OK);
    assert!(scene.is_out(&ann).await);
    assert_eq!(send("acme", "acme").await, StatusCode::BAD_REQUEST, "a second time");
}

#[tokio::test]
async fn h5_universal_logout_ends_a_person_of_the_directory_and_answers_alike_for_strangers() {
    let scene = Scene::start();
    let ann = scene.logged_in(ANN).await;
    let send = async |org: &str, id: &str, subject: Value| {
        let path = format!("/global-token-revocation/{org}");
        let claims = json!({ "iss": scene.op.issuer(), "aud": scene.gateway.url("id", &path), "jti": id, "sub": "app",
            "iat": unix_seconds(), "exp": unix_seconds() + 120 });
        let bearer = format!("Bearer {}", scene.signed("global-token-revocation+jwt", &claims));
        let fields = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        scene.post(&path, &fields, &json!({ "sub_id": subject }).to_string()).await
    };
    let email = |email: &str| json!({ "format": "email", "email": email });
    let done = (StatusCode::NO_CONTENT, String::new());
    assert_eq!(send("globex", "1", email(ANN)).await, done, "an address of another company");
    assert_eq!(send("acme", "2", email("stranger@acme.example.test")).await, done);
    assert_eq!(
        send("acme", "3", json!({ "format": "phone_number", "phone_number": "+1" })).await.0,
        StatusCode::BAD_REQUEST
    );
    assert!(scene.is_inside(&ann).await);
    let without = scene.post("/global-token-revocation/acme", &[], &json!({ "sub_id": email(ANN) }).to_string()).await;
    assert_eq!(without.0, StatusCode::UNAUTHORIZED);
    assert!(scene.is_inside(&ann).await);
    assert_eq!(send("acme", "4", email(ANN)).await, done);
    assert!(scene.is_out(&ann).await);
    let ann = scene.logged_in(ANN).await;
    assert_eq!(send("acme", "4", scene.sub(ANN)).await.0, StatusCode::UNAUTHORIZED, "a token counts once");
    assert!(scene.is_inside(&ann).await);
    assert_eq!(send("acme", "5", scene.sub(ANN)).await, done);
    assert!(scene.is_out(&ann).await);
}

#[tokio::test]
async fn h5_a_signal_that_cannot_be_written_down_is_asked_for_again() {
    let scene = Scene::start();
    let ann = scene.logged_in(ANN).await;
    let claims = scene.event("acme", &format!("{CAEP}/session-revoked"), scene.sub(ANN), "later");
    let token = scene.signed("secevent+jwt", &claims);
    let db = rusqlite::Connection::open(scene.gateway.directory().join("state/fedgate.db")).expect("the database");
    db.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
    assert_eq!(scene.push("acme", &token).await.0, StatusCode::SERVICE_UNAVAILABLE);
    db.execute_batch("ROLLBACK").expect("it holds the lock");
    assert_eq!(scene.push("acme", &token).await.0, StatusCode::ACCEPTED, "the token was not used up");
    assert_eq!(scene.last()["reason"], "everything");
    assert!(scene.is_out(&ann).await);
}
