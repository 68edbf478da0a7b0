//! Row T14 and rule H16: products' own apps log in through the browser, go on by refresh tokens that turn, and end with everything else.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use url::Url;

use crate::doors::PASSWORD;
use crate::moves::Ground;
use crate::provider::LightOp;
use crate::support::agent::{Intent, UserAgent};
use crate::support::configuration::Configuration;
use crate::support::gateway::Gateway;
use crate::support::native::{NativeApp, press, step, told};
use crate::support::page::Page;
use crate::support::peer::Peer;
use crate::support::upstream::Upstream;
use crate::support::websocket::{Frame, Opened, WebSocket};
use crate::world::sign_in;

const PHONE: &str = "com.example.board:/login";
const CLAIMED: &str = "https://app.example.net/login";
const ANN: &str = "ann@acme.example.test";

struct Scene {
    gateway: Gateway,
    op: LightOp,
    trello: Upstream,
}

fn file(op: &LightOp, trello: &Upstream, apps: &str, org: &str) -> Configuration {
    Configuration::new()
        .trust(&op.ca_file())
        .product(
            "trello",
            &trello.url(),
            &format!("also = [\"board.example.test:{{port}}\"]\npublic = [\"/open\"]\nstep_up = {{ paths = [\"/admin/*\"] }}\nkeep_authorization = true\n{apps}"),
        )
        .secret("{dir}/secret", "a secret")
        .table(&format!(
            "[org.acme]\ndomains = [\"acme.example.test\"]\n\
             sso = {{ oidc = \"{}\", client_id = \"acme\", algorithms = [\"ES256\"], client_secret_file = \"{{dir}}/secret\" }}\n{org}",
            op.issuer()
        ))
}

const APPS: &str = "session = { native = \"90d\" }\napp = [{ id = \"tablet\", redirect = [\"com.example.board:/login\"] }, { id = \"phone\", label = \"Board for phones\", redirect = [\"com.example.board:/login\", \"http://127.0.0.1/cb\"] }, \
                    { id = \"web-claimed\", redirect = [\"https://app.example.net/login\"] }]";

impl Scene {
    fn start() -> Self {
        Self::with("")
    }

    fn with(org: &str) -> Self {
        let (op, trello) = (LightOp::start(), Upstream::start());
        let gateway = Gateway::start(&file(&op, &trello, APPS, org));
        Self { gateway, op, trello }
    }

    fn url(&self, host: &str, path: &str) -> String {
        self.gateway.url(host, path)
    }

    fn app(&self, client: &str, redirect: &str) -> NativeApp {
        NativeApp::install(self.gateway.agent(&[]), |host, path| self.url(host, path), "trello", (client, redirect))
    }

    fn browser(&self) -> UserAgent {
        self.gateway.agent(&[&self.op.ca_file()])
    }

    /// Follows the app's way into a fresh browser's login, and stops at the page that asks.
    async fn asked(&self, browser: &UserAgent, app: &NativeApp) -> Page {
        let page = browser.visit(&app.login_url(&[])).await;
        let page = browser.submit(&page, "email", &[("email", ANN)]).await;
        assert_eq!(page.status, StatusCode::OK, "{}\n{}", page.describe(), self.gateway.log());
        assert!(page.text().contains("Log in to Board for phones?"), "{}", page.describe());
        page
    }

    /// An app that its person has let in, and what it was given.
    async fn let_in(&self) -> (NativeApp, UserAgent, Value) {
        let (app, browser) = (self.app("phone", PHONE), self.browser());
        let page = self.asked(&browser, &app).await;
        let answer = press(&browser, &page, "allow").await;
        let said = told(&answer, PHONE);
        let tokens = app.redeem(&said["code"]).await;
        assert_eq!(tokens.status, StatusCode::OK, "{tokens:?}\n{}", self.gateway.log());
        (app, browser, tokens.json())
    }

    fn events(&self, action: &str) -> Vec<Value> {
        self.gateway.events_of(action)
    }

    async fn is_out(&self, app: &NativeApp, access: &str) {
        let wait = async {
            while app.get(&self.url("trello", "/cards"), access).await.status == StatusCode::OK {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(1), wait).await.expect("out within a second");
    }
}

fn text<'a>(tokens: &'a Value, name: &str) -> &'a str {
    tokens[name].as_str().unwrap_or_else(|| panic!("no {name}: {tokens}"))
}

#[tokio::test]
async fn t14_an_app_logs_in_through_the_browser_and_the_product_is_told_who_it_is() {
    let scene = Scene::with("[org.acme.policy]\nsession = { native = \"30d\" }");
    let (app, browser) = (scene.app("phone", PHONE), scene.browser());
    let metadata =
        app.call("GET", &scene.url("id", "/.well-known/oauth-authorization-server/oauth/trello"), &[]).await.json();
    assert_eq!(metadata["issuer"], app.issuer());
    assert_eq!(metadata["authorization_endpoint"], scene.url("trello", "/.fedgate/oauth/authorize"));
    assert_eq!(metadata["token_endpoint"], scene.url("id", "/oauth/trello/token"));
    assert_eq!(metadata["code_challenge_methods_supported"], serde_json::json!(["S256"]));

    let page = scene.asked(&browser, &app).await;
    for part in ["The app will use Trello with this account", ANN] {
        assert!(page.text().contains(part), "{part}: {}", page.describe());
    }
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("form-action 'self' com.example.board:;"), "{policy}");
    let answer = press(&browser, &page, "allow").await;
    let said = told(&answer, PHONE);
    assert_eq!((said["state"].as_str(), said["iss"].as_str()), ("the-state", app.issuer()), "RFC 9207");
    let tokens = app.redeem(&said["code"]).await;
    assert_eq!(tokens.headers["cache-control"], "no-store");
    let tokens = tokens.json();
    assert_eq!((tokens["token_type"].as_str(), tokens["expires_in"].as_u64()), (Some("DPoP"), Some(3600)), "{tokens}");

    let access = text(&tokens, "access_token");
    let answer = app.get(&scene.url("trello", "/cards?x=1"), access).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let seen = scene.trello.last("/cards");
    assert_eq!(seen.head.first("x-fedgate-email"), Some(ANN));
    assert!(seen.head.first("fedgate-assertion").is_some());
    for gone in ["authorization", "dpop"] {
        assert_eq!(seen.head.first(gone), None, "the product never gets what opens it: {gone}");
    }
    // On each of the product's hosts, and the login host makes nothing of it.
    assert_eq!(app.get(&scene.url("board", "/cards"), access).await.status, StatusCode::OK);
    let account = app.get(&scene.url("id", "/account"), access).await;
    assert_ne!(account.status, StatusCode::OK, "{account:?}");

    let refreshed = app.refresh(text(&tokens, "refresh_token")).await.json();
    let next = text(&refreshed, "access_token");
    assert_ne!(next, access);
    for token in [access, next] {
        assert_eq!(app.get(&scene.url("trello", "/cards"), token).await.status, StatusCode::OK, "both live their time");
    }
    let authorized = scene.events("app.authorized");
    assert_eq!(authorized.len(), 1);
    let event = &authorized[0];
    assert_eq!((event["product"].as_str(), event["after"]["app"].as_str()), (Some("trello"), Some("phone")), "{event}");
    assert_eq!(event["subject"]["email"], ANN);
    let day =
        |event: &Value, name: &str| event["after"][name].as_str().unwrap_or_default().get(..10).map(str::to_owned);
    let browsers = scene.events("session.created");
    assert_ne!(day(event, "abs_at"), day(&browsers[0], "abs_at"), "apps have limits of their own: {event}");
    assert_eq!(scene.events("app.refreshed")[0]["txn"], event["txn"], "one login ties them together");
    // Nothing that opens anything is at rest.
    let state = std::fs::read(scene.gateway.directory().join("state/fedgate.db")).expect("the database");
    for token in [access, next, text(&tokens, "refresh_token"), said["code"].as_str()] {
        let secret = token.trim_start_matches("fga_").trim_start_matches("fgr_");
        assert!(!state.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
}

#[tokio::test]
async fn h16_a_token_opens_nothing_without_its_key_nor_as_a_cookie_nor_beside_one() {
    let scene = Scene::start();
    let (app, browser, tokens) = scene.let_in().await;
    let access = text(&tokens, "access_token");
    let url = scene.url("trello", "/cards");
    let (dpop, bearer) = (format!("DPoP {access}"), format!("Bearer {access}"));
    let thief = scene.app("phone", PHONE);
    let fine = app.proof("GET", &url, Some(access));
    assert_eq!(app.call("GET", &url, &[("authorization", &dpop), ("dpop", &fine)]).await.status, StatusCode::OK);
    let refused = [
        (
            "a stolen token by another key",
            vec![("authorization", dpop.clone()), ("dpop", thief.proof("GET", &url, Some(access)))],
        ),
        ("as a bearer token", vec![("authorization", bearer.clone())]),
        ("without a proof", vec![("authorization", dpop.clone())]),
        ("a proof that came before", vec![("authorization", dpop.clone()), ("dpop", fine.clone())]),
        (
            "a proof for another request",
            vec![("authorization", dpop.clone()), ("dpop", app.proof("POST", &url, Some(access)))],
        ),
        (
            "a proof for another token",
            vec![("authorization", dpop.clone()), ("dpop", app.proof("GET", &url, Some("fga_x")))],
        ),
        ("a token in a cookie", vec![("cookie", format!("__Host-fedgate={}", access.trim_start_matches("fga_")))]),
    ];
    for (what, fields) in &refused {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = app.call("GET", &url, &fields).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}: {answer:?}");
    }
    let challenges = app.call("GET", &url, &[("authorization", &bearer)]).await.challenges();
    assert!(challenges.contains("DPoP error=\"invalid_token\""), "{challenges}");
    let cookie = browser.cookie_header(&url).expect("a session");
    let both = app
        .call(
            "GET",
            &url,
            &[("authorization", &dpop), ("dpop", &app.proof("GET", &url, Some(access))), ("cookie", &cookie)],
        )
        .await;
    assert_eq!((both.status, both.json()["code"].as_str()), (StatusCode::UNAUTHORIZED, Some("credential")), "{both:?}");
    // And a browser's session is no bearer token.
    let session = cookie.split("__Host-fedgate=").nth(1).and_then(|rest| rest.split(';').next()).expect("a value");
    let answer = app.call("GET", &url, &[("authorization", &format!("Bearer fga_{session}"))]).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{answer:?}");
    // Open paths get no identity by it, and never the token.
    let open = scene.url("trello", "/open");
    let answer = app.get(&open, access).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let seen = scene.trello.last("/open");
    assert_eq!((seen.head.first("x-fedgate-user"), seen.head.first("authorization")), (None, None));
    // Paths that ask for a proof of just now have it of the login.
    let admin = app.get(&scene.url("trello", "/admin/users"), access).await;
    assert_eq!(admin.status, StatusCode::OK, "her login is of just now: {admin:?}");
}

#[tokio::test]
async fn h16_a_code_is_used_once_with_its_verifier_redirect_and_key_and_a_second_use_ends_what_came_of_it() {
    let scene = Scene::start();
    let (app, browser) = (scene.app("phone", PHONE), scene.browser());
    let page = scene.asked(&browser, &app).await;
    let said = told(&press(&browser, &page, "allow").await, PHONE);
    let code = said["code"].as_str();
    let other = scene.app("phone", PHONE);
    let with = |name: &str, value: &'static str| {
        app.redeeming(code).map(|(key, old)| (key, if key == name { value } else { old }))
    };
    let long = "x".repeat(43);
    for (what, form, refusal) in [
        (
            "another verifier",
            app.redeeming(code).map(|(key, old)| (key, if key == "code_verifier" { long.as_str() } else { old })),
            "invalid_grant",
        ),
        ("another redirect", with("redirect_uri", "http://127.0.0.1/cb"), "invalid_grant"),
        ("another app", with("client_id", "web-claimed"), "invalid_grant"),
        ("another app that claims the same scheme", with("client_id", "tablet"), "invalid_grant"),
        ("no app", with("client_id", "nobody"), "invalid_client"),
        ("another code", with("code", "AAAA"), "invalid_grant"),
        ("another grant", with("grant_type", "password"), "unsupported_grant_type"),
    ] {
        assert_eq!(app.post_bound("token", &form).await.refusal().1, refusal, "{what}");
    }
    assert_eq!(app.post("token", &app.redeeming(code), None).await.refusal(), (400, "invalid_dpop_proof".to_owned()));
    let proof = app.proof("POST", &format!("{}/token", app.issuer()), None);
    let tokens = app.post("token", &app.redeeming(code), Some(&proof)).await;
    assert_eq!(tokens.status, StatusCode::OK, "what was refused has spent nothing: {tokens:?}");
    let tokens = tokens.json();
    let access = text(&tokens, "access_token");
    assert_eq!(app.get(&scene.url("trello", "/cards"), access).await.status, StatusCode::OK);
    // The proof, once more, with another request.
    let form =
        [("grant_type", "refresh_token"), ("client_id", "phone"), ("refresh_token", text(&tokens, "refresh_token"))];
    assert_eq!(app.post("token", &form, Some(&proof)).await.refusal().1, "invalid_dpop_proof");
    assert_eq!(other.post_bound("token", &form).await.refusal().1, "invalid_dpop_proof", "another key");
    // The code, once more.
    assert_eq!(app.redeem(code).await.refusal(), (400, "invalid_grant".to_owned()));
    scene.is_out(&app, access).await;
    assert_eq!(app.refresh(text(&tokens, "refresh_token")).await.refusal().1, "invalid_grant");
    assert_eq!(scene.events("app.reused")[0]["reason"], "code-reused");
}

#[tokio::test]
async fn h16_a_refresh_token_turns_and_one_that_was_used_before_ends_the_login() {
    let scene = Scene::start();
    let (app, _, tokens) = scene.let_in().await;
    let first = text(&tokens, "refresh_token").to_owned();
    let second = app.refresh(&first).await.text("refresh_token");
    // The answer was lost, and the app asks again: the same token, and no theft.
    let again = app.refresh(&first).await;
    assert_eq!(again.text("refresh_token"), second);
    let third = app.refresh(&second).await;
    let access = third.text("access_token");
    assert_ne!(third.text("refresh_token"), second);
    let socket = open_socket(&scene, &app, &access).await;
    // Two turns ago: somebody has it who should not.
    assert_eq!(app.refresh(&first).await.refusal(), (400, "invalid_grant".to_owned()));
    scene.is_out(&app, &access).await;
    closes(socket).await;
    assert_eq!(app.refresh(&third.text("refresh_token")).await.refusal().1, "invalid_grant");
    assert_eq!(scene.events("app.reused")[0]["reason"], "refresh-reused");
    // What was never a token ends nothing, even if it names a login.
    let (app, _, tokens) = scene.let_in().await;
    let fine = text(&tokens, "refresh_token");
    let forged = format!("{}AAAA", &fine[..fine.len() - 4]);
    assert_eq!(app.refresh(&forged).await.refusal().1, "invalid_grant");
    assert_eq!(app.refresh(fine).await.status, StatusCode::OK);
}

#[tokio::test]
async fn h16_fifty_uses_of_one_refresh_token_at_once_make_one_turn() {
    let scene = Scene::start();
    let (app, _, tokens) = scene.let_in().await;
    let (app, first) = (std::sync::Arc::new(app), text(&tokens, "refresh_token").to_owned());
    let mut uses = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (app, first) = (std::sync::Arc::clone(&app), first.clone());
        uses.spawn(async move { app.refresh(&first).await.text("refresh_token") });
    }
    let next = uses.join_all().await;
    assert!(next.windows(2).all(|two| two[0] == two[1]), "each has the same next one");
    assert_eq!(app.refresh(&next[0]).await.status, StatusCode::OK);
}

async fn open_socket(scene: &Scene, app: &NativeApp, access: &str) -> WebSocket {
    let url = scene.url("trello", "/live");
    let proof = app.proof("GET", &url, Some(access));
    let fields = [("Authorization", format!("DPoP {access}")), ("DPoP", proof)];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let parsed = Url::parse(&url).expect("a URL");
    match WebSocket::open(app.network().wire(), &parsed, None, &fields).await.expect("an answer") {
        Opened::Socket(socket) => socket,
        Opened::Refused(status, head) => panic!("{status} {head}"),
    }
}

async fn closes(mut socket: WebSocket) {
    let frame = tokio::time::timeout(Duration::from_secs(1), socket.next()).await.expect("within a second");
    assert!(matches!(frame, Frame::Close(_) | Frame::Gone), "{frame:?}");
}

#[tokio::test]
async fn h14_whatever_ends_a_persons_sessions_ends_their_apps_within_a_second() {
    let scene = Scene::start();
    // By the operator.
    let (app, browser, tokens) = scene.let_in().await;
    let access = text(&tokens, "access_token");
    let socket = open_socket(&scene, &app, access).await;
    // A logout of the browser is none of the phone.
    let page = browser.visit(&scene.url("id", "/logout")).await;
    browser.submit(&page, "csrf", &[]).await;
    assert_eq!(browser.visit(&scene.url("trello", "/.fedgate/session")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(app.get(&scene.url("trello", "/cards"), access).await.status, StatusCode::OK);
    let (status, out, err) = scene.gateway.command(&["sessions", "revoke", "--person", ANN]);
    assert!(status.success(), "{out}{err}");
    closes(socket).await;
    scene.is_out(&app, access).await;
    assert_eq!(app.refresh(text(&tokens, "refresh_token")).await.refusal().1, "invalid_grant");

    // By the app itself.
    let (app, _, tokens) = scene.let_in().await;
    let access = text(&tokens, "access_token");
    let socket = open_socket(&scene, &app, access).await;
    let given_back = [("client_id", "phone"), ("token", text(&tokens, "refresh_token"))];
    assert_eq!(app.post_bound("revoke", &[("client_id", "web-claimed"), given_back[1]]).await.status, StatusCode::OK);
    assert_eq!(
        app.get(&scene.url("trello", "/cards"), access).await.status,
        StatusCode::OK,
        "another app's word is nothing"
    );
    assert_eq!(app.post_bound("revoke", &given_back).await.status, StatusCode::OK);
    closes(socket).await;
    scene.is_out(&app, access).await;
    assert_eq!(app.post_bound("revoke", &given_back).await.status, StatusCode::OK, "twice is no error (RFC 7009)");

    // One access token, and nothing else; another app's word is nothing here either.
    let (app, _, tokens) = scene.let_in().await;
    let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    assert_eq!(app.post_bound("revoke", &[("client_id", "tablet"), ("token", access)]).await.status, StatusCode::OK);
    assert_eq!(app.get(&scene.url("trello", "/cards"), access).await.status, StatusCode::OK);
    assert_eq!(app.post_bound("revoke", &[("client_id", "phone"), ("token", access)]).await.status, StatusCode::OK);
    scene.is_out(&app, access).await;
    let tokens = app.refresh(refresh).await.json();

    // The operator takes the app away.
    let access = text(&tokens, "access_token");
    assert_eq!(app.get(&scene.url("trello", "/cards"), access).await.status, StatusCode::OK);
    scene.gateway.configure(&file(&scene.op, &scene.trello, "", ""));
    let (status, out, err) = scene.gateway.command(&["reload"]);
    assert!(status.success(), "{out}{err}");
    scene.is_out(&app, access).await;
    assert_eq!(
        app.refresh(text(&tokens, "refresh_token")).await.status,
        StatusCode::NOT_FOUND,
        "there is no server any more"
    );
}

#[tokio::test]
async fn h16_a_policy_of_now_is_asked_at_each_refresh_and_each_request() {
    let scene = Scene::start();
    let (app, browser, tokens) = scene.let_in().await;
    let access = text(&tokens, "access_token");
    // From elsewhere nobody of the company comes in any more; the app may be back there tomorrow.
    let elsewhere = "[org.acme.policy]\nnetworks = [\"192.0.2.0/24\"]";
    scene.gateway.reload(&file(&scene.op, &scene.trello, APPS, elsewhere));
    let refused = app.get(&scene.url("trello", "/cards"), access).await;
    assert_eq!(
        (refused.status, refused.json()["code"].as_str()),
        (StatusCode::FORBIDDEN, Some("network")),
        "{refused:?}"
    );
    assert_eq!(app.refresh(text(&tokens, "refresh_token")).await.refusal(), (403, "access_denied".to_owned()));
    // What a login of now would lack, a browser in the grace of the change lives with, and lets no app in.
    let lacking = "[org.acme.policy]\nrequire_amr = [\"hwk\"]";
    scene.gateway.reload(&file(&scene.op, &scene.trello, APPS, lacking));
    let asked = step(&browser, &app.login_url(&[])).await;
    let said = told(&press(&browser, &asked, "allow").await, PHONE);
    assert_eq!(app.redeem(&said["code"]).await.refusal(), (400, "invalid_grant".to_owned()));
    assert_eq!(
        app.get(&scene.url("trello", "/cards"), access).await.status,
        StatusCode::OK,
        "the app is in its grace too"
    );
    // Apps are to log in once a second, and this one did so longer ago.
    let short = "[org.acme.policy]\nsession = { native = \"1s\" }";
    scene.gateway.reload(&file(&scene.op, &scene.trello, APPS, short));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(app.get(&scene.url("trello", "/cards"), access).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(app.refresh(text(&tokens, "refresh_token")).await.refusal().1, "invalid_grant");
}

#[tokio::test]
async fn h16_only_a_click_answers_where_another_app_could_listen_and_an_answer_goes_nowhere_else() {
    let scene = Scene::start();
    let (app, _, _) = scene.let_in().await;
    let browser = scene.browser();
    scene.asked(&browser, &app).await;
    // Another app with the same client_id gets no answer without a click.
    let quiet = step(&browser, &app.login_url(&[("prompt", "none")])).await;
    assert_eq!(told(&quiet, PHONE)["error"], "interaction_required");
    let asked = step(&browser, &app.login_url(&[])).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.describe());
    let denied = told(&press(&browser, &asked, "deny").await, PHONE);
    assert_eq!((denied["error"].as_str(), denied["state"].as_str()), ("access_denied", "the-state"));
    // On any port of the loopback, by the same click.
    let desk = scene.app("phone", "http://127.0.0.1:51004/cb");
    let asked = step(&browser, &desk.login_url(&[("dpop_jkt", &desk.thumbprint())])).await;
    let said = told(&press(&browser, &asked, "allow").await, "http://127.0.0.1:51004/cb");
    assert_eq!(app.redeem(&said["code"]).await.refusal().1, "invalid_grant", "another's verifier");
    assert_eq!(desk.redeem(&said["code"]).await.status, StatusCode::OK);
    // A code that was asked for with a key is that key's.
    let asked = step(&browser, &desk.login_url(&[("dpop_jkt", &app.thumbprint())])).await;
    let said = told(&press(&browser, &asked, "allow").await, "http://127.0.0.1:51004/cb");
    assert_eq!(desk.redeem(&said["code"]).await.refusal().1, "invalid_dpop_proof");
    // The button is good in the session that was asked.
    let asked = step(&browser, &app.login_url(&[])).await;
    let other = scene.browser();
    scene.asked(&other, &app).await;
    let pressed = press(&other, &asked, "allow").await;
    assert_eq!((pressed.status, pressed.header("location")), (StatusCode::BAD_REQUEST, None), "{}", pressed.describe());
    // Who claimed an address gets the answer at once, and may go without a key.
    let claimed = scene.app("web-claimed", CLAIMED);
    let said = told(&step(&browser, &claimed.login_url(&[])).await, CLAIMED);
    let tokens = claimed.post("token", &claimed.redeeming(&said["code"]), None).await.json();
    assert_eq!((tokens["token_type"].as_str(), tokens["expires_in"].as_u64()), (Some("Bearer"), Some(600)), "{tokens}");
    let bearer = format!("Bearer {}", text(&tokens, "access_token"));
    let answer = claimed.call("GET", &scene.url("trello", "/cards"), &[("authorization", &bearer)]).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let stranger = scene.browser();
    let quiet = step(&stranger, &claimed.login_url(&[("prompt", "none")])).await;
    assert_eq!(told(&quiet, CLAIMED)["error"], "login_required");

    for (name, value) in [
        ("redirect_uri", "https://evil.example/login"),
        ("client_id", "nobody"),
        ("redirect_uri", "com.example.board:/other"),
    ] {
        let page = step(&browser, &app.login_url(&[(name, value)])).await;
        assert_eq!((page.status, page.header("location")), (StatusCode::BAD_REQUEST, None), "{name} {value}");
        assert!(page.text().contains("This app isn’t known here"), "{}", page.describe());
    }
    for (name, value, error) in [
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("scope", "openid", "invalid_scope"),
    ] {
        let said = told(&step(&browser, &app.login_url(&[(name, value)])).await, PHONE);
        assert_eq!((said["error"].as_str(), said["iss"].as_str()), (error, app.issuer()), "{name}");
    }
    // A script of the product's can neither ask nor press (rule H7), and a frame shows nothing.
    let url = Url::parse(&app.login_url(&[])).expect("a URL");
    let from = Url::parse(&scene.url("trello", "/page")).expect("a URL");
    let script =
        browser.load(Intent::fetch(&from, crate::support::agent::Mode::SameOrigin, http::Method::GET, url)).await;
    assert!(script.status.is_client_error(), "{}", script.describe());
    let form = asked.form("act");
    let fields = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain([("act", "allow")]);
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let url = Url::parse(&scene.url("trello", &form.action)).expect("a URL");
    let press = Intent::fetch(&from, crate::support::agent::Mode::SameOrigin, http::Method::POST, url);
    let pressed = browser.load(press.with_body("application/x-www-form-urlencoded", body)).await;
    assert!(pressed.status.is_client_error(), "{}", pressed.describe());
}

#[tokio::test]
async fn t14_after_the_link_an_app_logs_in_anew_by_the_same_way() {
    const FREE: &str = "ann@free.example.test";
    let keys = format!("migration = {{ phase = \"optional\" }}\n{APPS}");
    let ground = Ground::open(&keys).await;
    let record = ground.doors.person(FREE).await;
    let app =
        NativeApp::install(ground.doors.agent(), |host, path| ground.doors.url(host, path), "trello", ("phone", PHONE));
    // By the product's own password, at its own door, on the way that the app began.
    let phone = ground.browser();
    let page = phone.visit(&app.login_url(&[])).await;
    let page = phone.submit(&page, "email", &[("email", FREE)]).await;
    let page = phone.submit(&page, "password", &[("password", PASSWORD)]).await;
    assert!(page.text().contains("Log in to Board for phones?"), "{}", page.describe());
    let said = told(&press(&phone, &page, "allow").await, PHONE);
    let before = app.redeem(&said["code"]).await.json();
    let url = ground.doors.url("trello", "/cards");
    let sub = |ground: &Ground| ground.doors.trello.last("/cards").head.first("x-fedgate-user").map(str::to_owned);
    assert_eq!(app.get(&url, text(&before, "access_token")).await.status, StatusCode::OK, "{before}");
    let known_as = sub(&ground);
    assert!(known_as.is_some());

    // Her account becomes one of the issuer's, from her desk.
    let page = ground.by_provider(&ground.browser(), FREE, "issuer", "ann").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, FREE).await;
    assert_eq!(app.get(&url, text(&before, "access_token")).await.status, StatusCode::UNAUTHORIZED, "rule H14");
    assert_eq!(app.refresh(text(&before, "refresh_token")).await.refusal(), (400, "invalid_grant".to_owned()));

    // The app does what it did the first time, and finds the same boards.
    let page = phone.visit(&app.login_url(&[])).await;
    let page = phone.submit(&page, "email", &[("email", FREE)]).await;
    let page = phone.submit(&page, "/.fedgate/depart", &[("way", "issuer")]).await;
    let page = sign_in(&phone, page, "ann").await;
    let said = told(&press(&phone, &page, "allow").await, PHONE);
    let after = app.redeem(&said["code"]).await.json();
    assert_eq!(app.get(&url, text(&after, "access_token")).await.status, StatusCode::OK, "{after}");
    assert_eq!(sub(&ground), known_as, "no board is lost");
    ground.doors.close().await;
}

#[tokio::test]
async fn h16_a_person_sees_their_apps_and_ends_them() {
    let scene = Scene::start();
    let (app, browser, tokens) = scene.let_in().await;
    let access = text(&tokens, "access_token");
    let socket = open_socket(&scene, &app, access).await;
    let page = browser.visit(&scene.url("id", "/account")).await;
    for part in ["The app Board for phones", "Trello"] {
        assert!(page.text().contains(part), "{part}: {}", page.describe());
    }
    let buttons = page.form("act").buttons;
    let (_, end) = buttons.iter().find(|(_, value)| value.starts_with("end ")).expect("a button");
    let ended = browser.submit(&page, "act", &[("act", end)]).await;
    assert!(!ended.text().contains("The app"), "{}", ended.describe());
    closes(socket).await;
    scene.is_out(&app, access).await;
    assert_eq!(app.refresh(text(&tokens, "refresh_token")).await.refusal().1, "invalid_grant");
    let here = browser.visit(&scene.url("trello", "/.fedgate/session")).await;
    assert_eq!(here.status, StatusCode::OK, "this browser goes on: {}", here.describe());
}

#[tokio::test]
async fn t14_an_app_on_a_certified_library_logs_in_goes_on_and_is_put_out() {
    let scene = Scene::start();
    let ca = scene.gateway.ca_file();
    let library = Peer::start(
        "peers/native/app.mjs",
        &json!({ "issuer": scene.url("id", "/oauth/trello"), "client": "phone", "redirect": PHONE, "trust": [ca] }),
    );
    let browser = scene.browser();
    let begun = library.act("/begin", json!({})).await;
    let page = browser.visit(text(&begun, "url")).await;
    let page = browser.submit(&page, "email", &[("email", ANN)]).await;
    let answer = press(&browser, &page, "allow").await;
    let back = answer.header("location").expect("an answer").to_owned();
    let tokens = library.act("/arrived", json!({ "url": back })).await;
    assert_eq!((tokens["type"].as_str(), tokens["expires_in"].as_u64()), (Some("dpop"), Some(3600)), "{tokens}");
    let cards = json!({ "url": scene.url("trello", "/cards?of=ann") });
    let got = library.act("/get", cards.clone()).await;
    assert_eq!(got["status"], 200, "{got}");
    assert_eq!(scene.trello.last("/cards").head.first("x-fedgate-email"), Some(ANN));
    assert_eq!(library.act("/refresh", json!({})).await["changed"], true);
    assert_eq!(library.act("/get", cards.clone()).await["status"], 200);
    library.act("/revoke", json!({})).await;
    let refused = library.act("/get", cards).await;
    assert_eq!(refused["status"], 401, "{refused}");
    assert!(refused.to_string().contains("invalid_token"), "it reads what is wrong: {refused}");
}
