//! Personal API tokens: made on the account page, good for one product and for what they say, ended by whatever ends sessions.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use url::Url;

use crate::provider::LightOp;
use crate::support::agent::UserAgent;
use crate::support::clock::unix_seconds;
use crate::support::configuration::Configuration;
use crate::support::gateway::Gateway;
use crate::support::native::{NativeApp, Said};
use crate::support::page::Page;
use crate::support::upstream::Upstream;
use crate::support::websocket::{Frame, Opened, WebSocket};
use crate::world::{World, sign_in};

const ANN: &str = "ann@acme.example.test";
const TAKES: &str = "session = { token = \"30d\" }\n";
const ALLOWS: &str = "[org.acme.policy]\napi_tokens = \"allow\"\n";

struct Scene {
    gateway: Gateway,
    op: LightOp,
    trello: Upstream,
}

fn file(op: &LightOp, trello: &Upstream, product: &str, policy: &str) -> Configuration {
    Configuration::new()
        .trust(&op.ca_file())
        .product(
            "trello",
            &trello.url(),
            &format!(
                "also = [\"board.example.test:{{port}}\"]\npublic = [\"/open\"]\nkeep_authorization = true\n\
                 step_up = {{ paths = [\"/admin/*\"] }}\n{product}"
            ),
        )
        .secret("{dir}/secret", "a secret")
        .table(&format!(
            "[org.acme]\ndomains = [\"acme.example.test\"]\n\
             sso = {{ oidc = \"{}\", client_id = \"acme\", algorithms = [\"ES256\"], client_secret_file = \"{{dir}}/secret\" }}\n{policy}",
            op.issuer()
        ))
}

impl Scene {
    fn start() -> Self {
        Self::with(TAKES, ALLOWS)
    }

    fn with(product: &str, policy: &str) -> Self {
        let (op, trello) = (LightOp::start(), Upstream::start());
        let gateway = Gateway::start(&file(&op, &trello, product, policy));
        Self { gateway, op, trello }
    }

    fn url(&self, host: &str, path: &str) -> String {
        self.gateway.url(host, path)
    }

    /// Ann's browser, logged in just now.
    async fn ann(&self) -> UserAgent {
        let browser = self.gateway.agent(&[&self.op.ca_file()]);
        let page = browser.visit(&self.url("trello", "/cards")).await;
        let page = browser.submit(&page, "email", &[("email", ANN)]).await;
        assert_eq!(page.status, StatusCode::OK, "{}\n{}", page.describe(), self.gateway.log());
        browser
    }

    async fn act(&self, browser: &UserAgent, act: &str) -> Page {
        let page = browser.visit(&self.url("id", "/account/tokens")).await;
        assert_eq!(page.status, StatusCode::OK, "{}\n{}", page.describe(), self.gateway.log());
        browser.submit(&page, "csrf", &[("act", act), ("label", "Build server"), ("days", "20")]).await
    }

    async fn make(&self, browser: &UserAgent, scope: &str) -> String {
        let page = self.act(browser, &format!("{scope} trello")).await;
        let html = page.html();
        let made = html.split_once("<code>").and_then(|(_, rest)| rest.split_once("</code>"));
        made.unwrap_or_else(|| panic!("{}\n{}", page.describe(), self.gateway.log())).0.to_owned()
    }

    /// A program's request: no browser, no cookies.
    async fn call(&self, (method, url): (&str, &str), fields: &[(&str, &str)]) -> Said {
        let program =
            NativeApp::install(self.gateway.agent(&[]), |host, path| self.url(host, path), "trello", ("", ""));
        program.call(method, url, fields).await
    }

    async fn asks(&self, method: &str, path: &str, token: &str) -> Said {
        self.call((method, &self.url("trello", path)), &[("authorization", &format!("Bearer {token}"))]).await
    }

    async fn is_out(&self, token: &str) {
        let wait = async {
            while self.asks("GET", "/cards", token).await.status == StatusCode::OK {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(1), wait).await.expect("out within a second");
    }

    async fn socket(&self, token: &str) -> Opened {
        let url = Url::parse(&self.url("trello", "/live")).expect("a URL");
        let fields = [("Authorization", format!("Bearer {token}"))];
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let network = self.gateway.agent(&[]);
        WebSocket::open(network.wire(), &url, None, &fields).await.expect("an answer")
    }

    async fn streams(&self, token: &str) -> WebSocket {
        match self.socket(token).await {
            Opened::Socket(socket) => socket,
            Opened::Refused(status, head) => panic!("{status} {head}"),
        }
    }

    /// Puts another file in force, confirming what it gives away.
    fn reload(&self, product: &str, policy: &str) {
        self.gateway.reload(&file(&self.op, &self.trello, product, policy));
    }

    fn events(&self, action: &str) -> Vec<Value> {
        self.gateway.events_of(action)
    }
}

async fn closes(mut socket: WebSocket) {
    let frame = tokio::time::timeout(Duration::from_secs(1), socket.next()).await.expect("within a second");
    assert!(matches!(frame, Frame::Close(_) | Frame::Gone), "{frame:?}");
}

#[tokio::test]
async fn a_token_is_shown_once_and_the_product_is_told_whose_it_is() {
    let scene = Scene::start();
    let browser = scene.ann().await;
    let token = scene.make(&browser, "full").await;
    assert!(token.starts_with("fg_pat_f_") && token.len() == 58, "{token}");
    let page = browser.visit(&scene.url("id", "/account/tokens")).await;
    assert!(page.text().contains("Build server") && !page.html().contains(&token[9..40]), "{}", page.describe());

    for (method, path) in [("GET", "/cards?x=1"), ("POST", "/cards"), ("DELETE", "/cards")] {
        let answer = scene.asks(method, path, &token).await;
        assert_eq!(answer.status, StatusCode::OK, "{method}: {answer:?}\n{}", scene.gateway.log());
        let seen = scene.trello.last("/cards");
        assert_eq!(seen.head.first("x-fedgate-email"), Some(ANN));
        assert!(seen.head.first("fedgate-assertion").is_some());
        assert_eq!(seen.head.first("authorization"), None, "the product never gets what opens it");
    }
    let board = scene.url("board", "/cards");
    let bearer = format!("Bearer {token}");
    assert_eq!(scene.call(("GET", &board), &[("authorization", &bearer)]).await.status, StatusCode::OK);
    // Where no credential is asked for, none goes on.
    assert_eq!(scene.asks("GET", "/open", &token).await.status, StatusCode::OK);
    let seen = scene.trello.last("/open");
    assert_eq!((seen.head.first("x-fedgate-user"), seen.head.first("authorization")), (None, None));
    // Its person is not there: no proof of just now, however young the login.
    assert_eq!(scene.asks("GET", "/admin/users", &token).await.status, StatusCode::UNAUTHORIZED);

    let made = scene.events("token.made");
    assert_eq!(made.len(), 1);
    assert_eq!((made[0]["product"].as_str(), made[0]["after"]["scope"].as_str()), (Some("trello"), Some("full")));
    let state = std::fs::read(scene.gateway.directory().join("state/fedgate.db")).expect("the database");
    let secret = &token.as_bytes()[9..52];
    assert!(!state.windows(secret.len()).any(|window| window == secret), "nothing that opens anything is at rest");
}

#[tokio::test]
async fn a_token_that_reads_changes_nothing_and_opens_no_stream() {
    let scene = Scene::start();
    let token = scene.make(&scene.ann().await, "read").await;
    for method in ["GET", "HEAD", "OPTIONS"] {
        let answer = scene.asks(method, "/cards", &token).await;
        assert_eq!(answer.status, StatusCode::OK, "{method}: {answer:?}");
    }
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let answer = scene.asks(method, "/cards", &token).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method}: {answer:?}");
        assert!(answer.challenges().contains("insufficient_scope"), "{answer:?}");
    }
    // A field that a framework takes for the method is no reading either.
    let (url, bearer) = (scene.url("trello", "/cards"), format!("Bearer {token}"));
    for field in ["x-http-method-override", "X-HTTP-Method", "x-method-override"] {
        let answer = scene.call(("GET", &url), &[("authorization", &bearer), (field, "DELETE")]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{field}: {answer:?}");
    }
    match scene.socket(&token).await {
        Opened::Refused(status, _) => assert_eq!(status, 403),
        Opened::Socket(_) => panic!("a stream in both directions is no reading"),
    }
    // The other letter, with its own checksum, is another token.
    let other = format!("fg_pat_f_{}", &token[9..52]);
    let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, other.as_bytes());
    let check = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, &sum.as_ref()[..4]);
    let answer = scene.asks("GET", "/cards", &format!("{other}{check}")).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
}

#[tokio::test]
async fn a_token_is_one_credential_and_good_nowhere_else() {
    let scene = Scene::start();
    let browser = scene.ann().await;
    let token = scene.make(&browser, "full").await;
    let (url, bearer) = (scene.url("trello", "/cards"), format!("Bearer {token}"));
    let cookie = browser.cookie_header(&url).expect("a session");
    let both = scene.call(("GET", &url), &[("authorization", &bearer), ("cookie", &cookie)]).await;
    assert_eq!((both.status, both.json()["code"].as_str()), (StatusCode::UNAUTHORIZED, Some("credential")), "{both:?}");
    for (what, fields) in [
        ("by another scheme", vec![("authorization", format!("Basic {token}"))]),
        ("twice", vec![("authorization", bearer.clone()), ("authorization", bearer.clone())]),
        ("cut", vec![("authorization", bearer[..bearer.len() - 1].to_owned())]),
        ("as an app's", vec![("authorization", format!("Bearer fga_{}", &token[9..52]))]),
        ("as a cookie", vec![("cookie", format!("__Host-fedgate={}", &token[9..52]))]),
    ] {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = scene.call(("GET", &url), &fields).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}: {answer:?}");
    }
    let account = scene.call(("GET", &scene.url("id", "/account")), &[("authorization", &bearer)]).await;
    assert!(!String::from_utf8_lossy(&account.body).contains(ANN), "the login host makes nothing of it");
}

#[tokio::test]
async fn h14_whatever_ends_a_persons_sessions_ends_their_tokens_within_a_second() {
    let scene = Scene::start();
    let browser = scene.ann().await;
    let (token, other) = (scene.make(&browser, "full").await, scene.make(&browser, "full").await);
    let socket = scene.streams(&token).await;
    // One on the page, and the other goes on.
    let page = browser.visit(&scene.url("id", "/account/tokens")).await;
    let newest = page.form("csrf").buttons.iter().filter(|(_, value)| value.starts_with("end ")).nth(1).cloned();
    let older = newest.expect("two tokens").1;
    browser.submit(&page, "csrf", &[("act", &older)]).await;
    closes(socket).await;
    scene.is_out(&token).await;
    assert_eq!(scene.asks("GET", "/cards", &other).await.status, StatusCode::OK);
    // Its id once more is nobody's.
    let page = browser.visit(&scene.url("id", "/account/tokens")).await;
    let gone = browser.submit(&page, "csrf", &[("act", &older)]).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND, "{}", gone.describe());
    // A logout of the browser is none of a program.
    let page = browser.visit(&scene.url("id", "/logout")).await;
    browser.submit(&page, "csrf", &[]).await;
    assert_eq!(scene.asks("GET", "/cards", &other).await.status, StatusCode::OK);
    // All of them.
    let browser = scene.ann().await;
    scene.act(&browser, "all").await;
    scene.is_out(&other).await;
    assert_eq!(browser.visit(&scene.url("trello", "/.fedgate/session")).await.status, StatusCode::OK);
    // By the operator, with her sessions.
    let token = scene.make(&browser, "full").await;
    let socket = scene.streams(&token).await;
    let (status, out, err) = scene.gateway.command(&["sessions", "revoke", "--person", ANN]);
    assert!(status.success(), "{out}{err}");
    closes(socket).await;
    scene.is_out(&token).await;
}

#[tokio::test]
async fn a_policy_forbids_tokens_at_once_and_a_product_takes_none_unless_it_says_so() {
    let scene = Scene::start();
    let browser = scene.ann().await;
    let token = scene.make(&browser, "full").await;
    assert_eq!(scene.asks("GET", "/cards", &token).await.status, StatusCode::OK);
    let socket = scene.streams(&token).await;
    scene.reload(TAKES, "[org.acme.policy]\napi_tokens = \"block\"\n");
    closes(socket).await;
    scene.is_out(&token).await;
    let page = scene.act(&browser, "full trello").await;
    assert!(!page.html().contains("<code>"), "{}", page.describe());
    assert_eq!(browser.visit(&scene.url("trello", "/cards")).await.status, StatusCode::OK, "the browser goes on");
    // Allowed again, it goes on: it was forbidden, not revoked.
    scene.reload(TAKES, ALLOWS);
    assert_eq!(scene.asks("GET", "/cards", &token).await.status, StatusCode::OK, "{}", scene.gateway.log());
    scene.reload("", ALLOWS);
    scene.is_out(&token).await;
    assert!(!scene.act(&browser, "full trello").await.html().contains("<code>"));
}

#[tokio::test]
async fn another_sites_form_makes_no_token_and_neither_does_a_name_or_a_time_that_is_none() {
    let scene = Scene::start();
    let browser = scene.ann().await;
    let page = browser.visit(&scene.url("id", "/account/tokens")).await;
    let forged = browser.submit(&page, "csrf", &[("act", "full trello"), ("label", "x"), ("csrf", "AAAA")]).await;
    assert!(!forged.html().contains("<code>"), "{}", forged.describe());
    for (label, days) in [("", "20"), ("a\u{202e}b", "20"), ("x", "0"), ("x", "soon"), ("x", "-1")] {
        let fields = [("act", "full trello"), ("label", label), ("days", days)];
        let answer = browser.submit(&page, "csrf", &fields).await;
        assert!(!answer.html().contains("<code>"), "{label:?} {days:?}: {}", answer.describe());
    }
    assert!(scene.events("token.made").is_empty());
}

#[tokio::test]
async fn an_older_login_is_asked_again_and_comes_back_to_the_page() {
    let world =
        World::own("session = { token = \"30d\" }", |file, _| file.table("[org.acme.policy]\napi_tokens = \"allow\""))
            .await;
    world.op.mode(json!({ "auth_time": unix_seconds() - 11 * 60 }), Value::Null).await;
    let ann = world.logged_in("ann").await;
    world.op.mode(Value::Null, Value::Null).await;
    let page = ann.visit(&world.url("id", "/account/tokens")).await;
    assert!(page.text().contains("To make a token, log in once more."), "{}", page.describe());
    let wish = [("act", "full trello"), ("label", "x"), ("days", "20")];
    let asked = ann.submit(&page, "csrf", &wish).await;
    assert!(!asked.html().contains("<code>"), "{}", asked.describe());
    let made = || world.events().into_iter().filter(|event| event["action"] == "token.made").count();
    assert_eq!(made(), 0, "whoever finds a session open makes nothing");
    let page = ann.visit(&world.url("id", "/account/tokens")).await;
    let page = ann.submit(&page, "csrf", &[("act", "confirm")]).await;
    let page = sign_in(&ann, page, "ann").await;
    assert!(page.url.path() == "/account/tokens", "{}", page.describe());
    let page = ann.submit(&page, "csrf", &wish).await;
    assert!(page.html().contains("<code>fg_pat_f_"), "{}", page.describe());
    assert_eq!(made(), 1);
}
