//! The admin API from outside: who may do what (rule M19), and what changes at run time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use fedgate::admin::route::ROUTES;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use url::Url;

use super::provider::LightOp;
use super::support::agent::UserAgent;
use super::support::clock::{eventually, timed};
use super::support::configuration::Configuration;
use super::support::gateway::Gateway;
use super::support::page::Page;
use super::support::upstream::Upstream;

#[path = "admin_api_access.rs"]
mod access;
#[path = "console.rs"]
mod console;

const ALL: &[&str] = &["orgs:read", "orgs:write", "people:read", "people:write", "audit:read", "explain:read"];
const PEOPLE: &[&str] = &["people:read", "people:write"];
const READS: &[&str] = &["orgs:read", "people:read", "audit:read", "explain:read"];

/// A gateway with two companies at one provider, and the one whose sign-on is only offered.
struct Scene {
    gateway: Gateway,
    op: LightOp,
    _trello: Upstream,
}

/// What came back.
struct Answer {
    status: StatusCode,
    body: Value,
    tag: Option<String>,
}

impl Scene {
    fn start() -> Self {
        Self::start_with(|file| file)
    }

    fn start_with(more: impl FnOnce(Configuration) -> Configuration) -> Self {
        let (op, trello) = (LightOp::start(), Upstream::start());
        // Admin of one organization and auditor of another.
        let two = |is_so: bool| if is_so { ", \"two@acme.example.test\"" } else { "" };
        let org = |name: &str, keys: &str| {
            format!(
                "[org.{name}]\ndomains = [\"{name}.example.test\"]\nadmins = [\"it@{name}.example.test\"{}]\n\
                 auditors = [\"aud@{name}.example.test\"{}]\n\
                 sso = {{ oidc = \"{}\", client_id = \"{name}\", client_secret_file = \"{{dir}}/secret\" }}\n{keys}",
                two(name == "acme"),
                two(name == "globex"),
                op.issuer()
            )
        };
        let file = Configuration::new()
            .trust(&op.ca_file())
            .product("trello", &trello.url(), "")
            .secret("{dir}/secret", "a secret")
            .table(
                "[admin]\noperators = [\"ops@acme.example.test\"]\nauditors = [\"soc@acme.example.test\"]\n\
                 support = [\"desk@acme.example.test\"]",
            )
            .table(
                "[[product.trello.enterprise]]\nname = \"bigco\"\nlabel = \"Big Company\"\n\
                 admins = [\"boss@globex.example.test\"]\n\
                 [[product.trello.enterprise]]\nname = \"smallco\"\nadmins = [\"lead@globex.example.test\"]",
            )
            .table(&org("acme", ""))
            .table(&org("globex", ""))
            .table(&org("initech", "[org.initech.policy]\nsso = \"offered\"\nthird_party = \"none\"\nbreak_glass = [\"it@initech.example.test\"]"));
        let gateway = Gateway::start(&more(file));
        Self { gateway, op, _trello: trello }
    }

    async fn log_in(&self, email: &str) -> (UserAgent, Page) {
        self.log_in_at(email, "trello").await
    }

    async fn log_in_at(&self, email: &str, product: &str) -> (UserAgent, Page) {
        let agent = self.gateway.agent(&[&self.op.ca_file()]);
        let page = agent.visit(&self.gateway.url(product, "/")).await;
        let mut page = agent.submit(&page, "email", &[("email", email)]).await;
        // Where sign-on is only offered, there is a choice.
        if page.forms().iter().any(|form| form.action.contains("/login/depart")) {
            page = agent.submit(&page, "/login/depart", &[]).await;
        }
        let refused = || self.gateway.command(&["audit", "search", "--outcome", "refused", "--json"]).1;
        assert_eq!(page.url.as_str(), self.gateway.url(product, "/"), "{}\n{}", page.describe(), refused());
        (agent, page)
    }

    /// Waits until this browser is let in at the product, or not any more; how long that took.
    async fn until(&self, agent: &UserAgent, let_in: bool) -> Duration {
        let url = self.gateway.url("trello", "/");
        let waiting = async {
            loop {
                let page = agent.visit(&url).await;
                if (page.status == 200 && page.url.as_str() == url) == let_in {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let (done, took) = timed(tokio::time::timeout(Duration::from_secs(10), waiting)).await;
        assert!(done.is_ok(), "let in: {let_in} was never so");
        took
    }

    /// A token of somebody who has just logged in.
    async fn token(&self, email: &str, org: Option<&str>, scopes: &[&str]) -> String {
        self.log_in(email).await;
        self.mint(email, org, scopes).unwrap_or_else(|why| panic!("{email}: {why}"))
    }

    fn mint(&self, email: &str, org: Option<&str>, scopes: &[&str]) -> Result<String, String> {
        let mut arguments = vec!["token", "create", "--json", "--owner", email];
        arguments.extend(scopes.iter().flat_map(|scope| ["--scope", *scope]));
        // A name with a slash is an enterprise's.
        let place = |org: &str| if org.contains('/') { "--enterprise" } else { "--org" };
        arguments.extend(org.into_iter().flat_map(|org| [place(org), org]));
        let (status, out, err) = self.gateway.command(&arguments);
        let answer: Value = serde_json::from_str(&out).unwrap_or_else(|why| panic!("{why}: {out}{err}"));
        if status.success() {
            Ok(answer["token"].as_str().expect("a token").to_owned())
        } else {
            Err(answer["error"].as_str().unwrap_or_default().to_owned())
        }
    }

    async fn call(
        &self,
        token: Option<&str>,
        method: &Method,
        path: &str,
        body: Option<Value>,
        tag: Option<&str>,
    ) -> Answer {
        let url = self.gateway.url("id", &format!("/api/v1{path}"));
        let mut request = Request::builder().method(method).uri(&url);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = request.body(Full::from(body)).expect("a request");
        let agent = self.gateway.agent(&[]);
        let answer = agent.wire().exchange(&Url::parse(&url).expect("a URL"), request).await.expect("an answer");
        assert!(answer.headers().get("set-cookie").is_none());
        Answer {
            status: answer.status(),
            tag: answer.headers().get("etag").and_then(|tag| tag.to_str().ok()).map(ToOwned::to_owned),
            body: serde_json::from_slice(answer.body()).unwrap_or(Value::Null),
        }
    }

    async fn read(&self, token: &str, path: &str) -> Answer {
        let answer = self.call(Some(token), &Method::GET, path, None, None).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer
    }

    /// A write on what was just read.
    async fn write(&self, token: &str, method: Method, path: &str, body: Value, of: &str) -> Answer {
        let tag = self.read(token, of).await.tag;
        self.call(Some(token), &method, path, Some(body), tag.as_deref()).await
    }
}

/// The account of an address, by the API.
async fn account(scene: &Scene, token: &str, org: &str, email: &str) -> String {
    let people = scene.read(token, &format!("/organizations/{org}/people?limit=200")).await.body;
    let found = people["items"].as_array().into_iter().flatten().find(|person| person["email"] == email);
    found.unwrap_or_else(|| panic!("{email} in {people}"))["account"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn m19_every_route_answers_each_kind_of_token_as_the_table_says() {
    let scene = Scene::start();
    scene.log_in("ann@acme.example.test").await;
    let operator = scene.token("ops@acme.example.test", None, ALL).await;
    let kinds: Vec<(&str, Option<String>)> = vec![
        ("nobody", None),
        ("wrong", Some(format!("{}x", &operator[..operator.len() - 1]))),
        ("operator", Some(operator.clone())),
        ("admin", Some(scene.token("it@acme.example.test", Some("acme"), ALL).await)),
        ("read-only", Some(scene.token("it@acme.example.test", Some("acme"), READS).await)),
        ("auditor", Some(scene.token("soc@acme.example.test", None, READS).await)),
        ("org-auditor", Some(scene.token("aud@acme.example.test", Some("acme"), READS).await)),
        ("support", Some(scene.token("desk@acme.example.test", None, &["explain:read"]).await)),
        ("foreign", Some(scene.token("it@globex.example.test", Some("globex"), ALL).await)),
        ("enterprise", Some(scene.token("boss@globex.example.test", Some("trello/bigco"), PEOPLE).await)),
        ("another", Some(scene.token("lead@globex.example.test", Some("trello/smallco"), PEOPLE).await)),
        ("elsewhere", Some(scene.mint("ops@acme.example.test", Some("globex"), ALL).expect("a token"))),
    ];
    let ann = account(&scene, &operator, "acme", "ann@acme.example.test").await;
    let fill = |path: &str| {
        path.replace("{org}", "acme")
            .replace("{version}", "1")
            .replace("{domain}", "acme.example.test")
            .replace("{directory}", "main")
            .replace("{policy}", "default")
            .replace("{account}", &ann)
            .replace("{session}", "01KB3Z8Q4W9T5N7M2XJ6R0V1CD")
            .replace("{product}", "trello")
            .replace("{enterprise}", "bigco")
            .replace("{ref}", "0000-0000")
    };
    let mut limited = false;
    let mut table = format!("{:<70}", "");
    for (kind, _) in &kinds {
        write!(table, " {kind:>11}").expect("text");
    }
    for route in ROUTES {
        write!(table, "\n{:<70}", format!("{} {}", route.method, route.path)).expect("text");
        for (kind, token) in &kinds {
            // No body and no If-Match: a write that is allowed is stopped by that, and by nothing before it.
            let answer = scene.call(token.as_deref(), &route.method, &fill(route.path), None, None).await;
            assert!(!answer.status.is_server_error(), "{} {}: {}", route.method, route.path, answer.body);
            if answer.status.is_client_error() {
                assert!(answer.body["ref"].is_string() && answer.body["code"].is_string(), "{}", answer.body);
            }
            // Whoever is wrong too often is not even asked any more.
            limited |= answer.status == StatusCode::TOO_MANY_REQUESTS;
            let is_limit = answer.status == StatusCode::TOO_MANY_REQUESTS && ["nobody", "wrong"].contains(kind);
            let status = if is_limit { StatusCode::UNAUTHORIZED } else { answer.status };
            write!(table, " {:>11}", status.as_u16()).expect("text");
        }
    }
    assert!(limited, "sixty wrong tokens in a row");
    insta::assert_snapshot!("routes", table);

    // A cookie says nothing: the operator's own browser is nobody here.
    let (browser, _) = scene.log_in("ops@acme.example.test").await;
    let page = browser.visit(&scene.gateway.url("id", "/api/v1/organizations")).await;
    assert!(page.status == 401 || page.status == 429, "{}", page.describe());
    // The secret is nowhere at rest (rule H12).
    let database = std::fs::read(scene.gateway.directory().join("state/fedgate.db")).expect("the database");
    let wal = std::fs::read(scene.gateway.directory().join("state/fedgate.db-wal")).unwrap_or_default();
    for bytes in [&database, &wal] {
        assert!(!bytes.windows(43).any(|window| window == &operator.as_bytes()[4..47]));
    }
}

#[tokio::test]
async fn h3_a_role_is_the_accounts_that_took_it_up() {
    let scene = Scene::start();
    let early = scene.mint("ops@acme.example.test", None, ALL);
    assert!(early.as_ref().is_err_and(|why| why.contains("logged in")), "{early:?}");
    scene.log_in("ann@acme.example.test").await;
    let none = scene.mint("ann@acme.example.test", None, &["orgs:read"]);
    assert!(none.as_ref().is_err_and(|why| why.contains("no role")), "{none:?}");
    scene.log_in("it@acme.example.test").await;
    let more = scene.mint("it@acme.example.test", None, &["orgs:read"]);
    assert!(more.as_ref().is_err_and(|why| why.contains("no role")), "an admin of one organization: {more:?}");
    scene.log_in("aud@acme.example.test").await;
    let more = scene.mint("aud@acme.example.test", Some("acme"), &["orgs:write"]);
    assert!(more.as_ref().is_err_and(|why| why.contains("no role")), "auditors change nothing: {more:?}");

    // The token dies with its owner, and a token that ended is nobody's.
    let operator = scene.token("ops@acme.example.test", None, ALL).await;
    let admin = scene.mint("it@acme.example.test", Some("acme"), ALL).expect("a token");
    let it = account(&scene, &operator, "acme", "it@acme.example.test").await;
    let path = format!("/organizations/acme/people/{it}");
    let off = scene.write(&operator, Method::POST, &format!("{path}/deactivate"), Value::Null, &path).await;
    assert_eq!((off.status, &off.body["status"]), (StatusCode::OK, &json!("deactivated")), "{}", off.body);
    let dead = scene.call(Some(&admin), &Method::GET, "/organizations", None, None).await;
    assert_eq!(dead.status, 401);
    let (_, listed, _) = scene.gateway.command(&["token", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    for token in listed["tokens"].as_array().expect("a list") {
        let (status, _, err) = scene.gateway.command(&["token", "revoke", token["id"].as_str().expect("an id")]);
        assert!(status.success(), "{err}");
    }
    let ended = scene.call(Some(&operator), &Method::GET, "/organizations", None, None).await;
    assert_eq!(ended.status, 401);
    let (_, events, _) = scene.gateway.command(&["audit", "search", "--json"]);
    for action in ["role.pinned", "api_token.created", "api_token.revoked", "account.deactivated"] {
        assert!(events.contains(action), "{action}");
    }
}

#[tokio::test]
async fn t33_mistake_11_deactivated_by_the_api_a_person_is_out_within_a_second_and_no_login_undoes_it() {
    let scene = Scene::start();
    let (ann, _) = scene.log_in("ann@acme.example.test").await;
    let admin = scene.token("it@acme.example.test", Some("acme"), ALL).await;
    let id = account(&scene, &admin, "acme", "ann@acme.example.test").await;
    let path = format!("/organizations/acme/people/{id}");
    let sessions = scene.read(&admin, &format!("{path}/sessions")).await.body;
    assert_eq!(sessions["items"].as_array().map(Vec::len), Some(1), "{sessions}");

    let stale = scene.call(Some(&admin), &Method::POST, &format!("{path}/deactivate"), None, Some("\"77\"")).await;
    assert_eq!((stale.status, &stale.body["code"]), (StatusCode::PRECONDITION_FAILED, &json!("stale")));
    let off = scene.write(&admin, Method::POST, &format!("{path}/deactivate"), Value::Null, &path).await;
    assert_eq!(off.status, 200, "{}", off.body);
    let took = scene.until(&ann, false).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    // The company's provider still says who she is: that wakes nobody (the mistake that undoes every leaving).
    let agent = scene.gateway.agent(&[&scene.op.ca_file()]);
    let page = agent.visit(&scene.gateway.url("trello", "/")).await;
    let page = agent.submit(&page, "email", &[("email", "ann@acme.example.test")]).await;
    assert!(page.text().contains("not active"), "{}", page.describe());
    assert_eq!(scene.read(&admin, &path).await.body["status"], "deactivated");
    // Again is no mistake, and changes nothing.
    let again = scene.call(Some(&admin), &Method::POST, &format!("{path}/deactivate"), None, Some("\"77\"")).await;
    assert_eq!(again.status, 200, "{}", again.body);
    let on = scene.write(&admin, Method::POST, &format!("{path}/reactivate"), Value::Null, &path).await;
    assert_eq!((on.status, &on.body["status"]), (StatusCode::OK, &json!("active")));
    let events = scene.read(&admin, "/organizations/acme/events?action=account.deactivated").await.body;
    let event = &events["items"][0]["event"];
    assert_eq!((&event["before"]["status"], &event["after"]["status"]), (&json!("active"), &json!("deactivated")));
    assert_eq!(event["actor"]["address"], "it@acme.example.test");
    // People of others are not there, whatever is asked of them.
    let foreign = account(&scene, &admin, "acme", "it@acme.example.test").await;
    let globex = scene.token("it@globex.example.test", Some("globex"), ALL).await;
    // A person's events are found by the person, and shown to the organization that they are of.
    let hers = scene.read(&admin, "/organizations/acme/events?person=Ann@ACME.example.test").await.body;
    let hers = hers["items"].as_array().expect("a list").iter().map(|item| &item["event"]).collect::<Vec<_>>();
    assert!(hers.iter().any(|event| event["action"] == "account.deactivated"), "{hers:?}");
    assert!(hers.iter().all(|event| event["subject"]["email"] == "ann@acme.example.test"), "{hers:?}");
    let theirs = scene.read(&globex, "/organizations/globex/events?person=ann@acme.example.test").await.body;
    assert_eq!(theirs["items"], json!([]));
    for (method, path) in [
        (Method::GET, format!("/organizations/globex/people/{foreign}")),
        (Method::GET, format!("/organizations/acme/people/{foreign}")),
        (Method::DELETE, format!("/organizations/globex/people/{foreign}/sessions")),
    ] {
        let answer = scene.call(Some(&globex), &method, &path, None, None).await;
        assert_eq!((answer.status, &answer.body["code"]), (StatusCode::NOT_FOUND, &json!("not-found")), "{path}");
    }
}

#[tokio::test]
async fn t33_deleted_by_the_api_a_person_is_out_and_only_the_company_takes_it_back_to_what_it_was() {
    let scene = Scene::start();
    let (ann, _) = scene.log_in("ann@acme.example.test").await;
    let admin = scene.token("it@acme.example.test", Some("acme"), ALL).await;
    let id = account(&scene, &admin, "acme", "ann@acme.example.test").await;
    let path = format!("/organizations/acme/people/{id}");
    let act = async |what: &str| scene.write(&admin, Method::POST, &format!("{path}/{what}"), Value::Null, &path).await;
    let stale = scene.call(Some(&admin), &Method::POST, &format!("{path}/delete"), None, Some("\"77\"")).await;
    assert_eq!((stale.status, &stale.body["code"]), (StatusCode::PRECONDITION_FAILED, &json!("stale")));
    let deleted = act("delete").await;
    assert_eq!((deleted.status, &deleted.body["status"]), (StatusCode::OK, &json!("pending_delete")));
    let took = scene.until(&ann, false).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    // Her company's provider still says who she is; what the company asked for is not hers to take back.
    let agent = scene.gateway.agent(&[&scene.op.ca_file()]);
    let page = agent.visit(&scene.gateway.url("trello", "/")).await;
    let page = agent.submit(&page, "email", &[("email", "ann@acme.example.test")]).await;
    assert!(page.text().contains("not active"), "{}", page.describe());
    assert!(page.forms().iter().all(|form| !form.action.contains("restore")), "{}", page.describe());
    let refused = act("reactivate").await;
    assert_eq!((refused.status, &refused.body["code"]), (StatusCode::CONFLICT, &json!("deleted")));
    let again = act("delete").await;
    assert_eq!((again.status, &again.body["version"]), (StatusCode::OK, &deleted.body["version"]), "no other day");
    let kept = act("cancel-deletion").await;
    assert_eq!((kept.status, &kept.body["status"]), (StatusCode::OK, &json!("active")));
    // Switched off before, switched off after.
    act("deactivate").await;
    act("delete").await;
    let kept = act("cancel-deletion").await;
    assert_eq!((kept.status, &kept.body["status"]), (StatusCode::OK, &json!("deactivated")));
    let found = scene.read(&admin, "/organizations/acme/events?action=account.deletion_scheduled").await.body;
    assert_eq!(found["items"].as_array().map(Vec::len), Some(2), "{found}");
    assert_eq!(found["items"][0]["event"]["actor"]["address"], "it@acme.example.test");
    // Nobody is deleted for good before the day.
    let (status, out, err) = scene.gateway.command(&["tombstone", "show", "ann@acme.example.test"]);
    assert!(status.success() && out.contains("keeps nobody out"), "{out}{err}");
    let (status, _, err) = scene.gateway.command(&["tombstone", "lift", "ann@acme.example.test"]);
    assert!(!status.success() && err.contains("keeps nobody out"), "{err}");
    // Another company's are not there.
    let globex = scene.token("it@globex.example.test", Some("globex"), ALL).await;
    let foreign = format!("/organizations/globex/people/{id}/delete");
    let answer = scene.call(Some(&globex), &Method::POST, &foreign, None, Some("\"1\"")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.body);
}

#[tokio::test]
async fn h3_an_admin_counts_for_lockout_once_enrolled_for_emergencies() {
    let scene = Scene::start();
    // The company's sign-on works.
    drop(scene.log_in("it@initech.example.test").await);
    let file = scene.gateway.directory().join("initech.json");
    let document = json!({ "policy": { "sso": "enforced", "break_glass": ["it@initech.example.test"] } });
    std::fs::write(&file, document.to_string()).expect("written");
    let put = || scene.gateway.command(&["org", "put", "initech", file.to_str().expect("UTF-8")]);
    let (status, _, err) = put();
    assert!(!status.success() && err.contains("E-LOCKOUT"), "a name in the policy has no effect: {err}");
    let db = rusqlite::Connection::open(scene.gateway.directory().join("state/fedgate.db")).expect("the database");
    let enrolled = "INSERT INTO factor (id, account, kind, label, secret, handle, counter, created_at, mac)
                    SELECT zeroblob(16), id, ?, 'safe', x'00', x'01', 0, 0, zeroblob(32) FROM account WHERE email = ?";
    assert_eq!(db.execute(enrolled, ["passkey", "it@initech.example.test"]).expect("a row"), 1);
    let (status, _, err) = put();
    assert!(!status.success() && err.contains("E-LOCKOUT"), "another passkey opens another door: {err}");
    db.execute("UPDATE factor SET kind = 'emergency'", []).expect("a row");
    let (_, out, err) = put();
    assert!(!err.contains("E-LOCKOUT"), "{out}{err}");
    // Switched off, too: theirs is the one way in besides the provider.
    let operator = scene.mint("it@initech.example.test", Some("initech"), ALL).expect("a token");
    let person = account(&scene, &operator, "initech", "it@initech.example.test").await;
    let path = format!("/organizations/initech/people/{person}");
    let off = scene.write(&operator, Method::POST, &format!("{path}/deactivate"), Value::Null, &path).await;
    assert_eq!(off.status, 200, "{}", off.body);
    let (_, events, _) = scene.gateway.command(&["audit", "search", "--json"]);
    assert_eq!(events.matches("\"organization.lockout\"").count(), 1, "{events}");
    db.execute("UPDATE account SET status = 'active' WHERE email = 'it@initech.example.test'", []).expect("a row");
    // Lost: it is taken away whoever is locked out by that, and that is an alarm.
    let (status, out, err) = scene.gateway.command(&["breakglass", "list"]);
    assert!(
        status.success() && out.contains("it@initech.example.test  changed by another hand  initech"),
        "{out}{err}"
    );
    let (status, out, err) = scene.gateway.command(&["breakglass", "remove", "it@initech.example.test"]);
    assert!(status.success() && out.contains("1  it@initech.example.test") && out.contains("E-LOCKOUT"), "{out}{err}");
    let (status, out, err) = scene.gateway.command(&["breakglass", "list"]);
    assert!(status.success() && out.contains("it@initech.example.test  not enrolled  initech"), "{out}{err}");
    let (status, _, err) = scene.gateway.command(&["breakglass", "remove", "it@initech.example.test"]);
    assert!(!status.success() && err.contains("nobody with the address"), "{err}");
    let (_, events, _) = scene.gateway.command(&["audit", "search", "--json"]);
    for (action, times) in [("factor.removed", 1), ("organization.lockout", 2)] {
        assert_eq!(events.matches(&format!("\"{action}\"")).count(), times, "{action}: {events}");
    }
}

#[tokio::test]
async fn a_policy_bites_at_once_and_can_be_taken_back_within_a_second() {
    let scene = Scene::start();
    // The company's sign-on is offered; somebody uses it, so it works (E-DRY-RUN asks that).
    let admin = scene.log_in("it@initech.example.test").await;
    drop(admin);
    let token = scene.mint("it@initech.example.test", Some("initech"), ALL).expect("a token");
    let policy = "/organizations/initech/policies/default";
    let read = scene.read(&token, policy).await;
    assert_eq!((read.tag.as_deref(), &read.body["in_force"]["sso"]), (Some("\"0\""), &json!("offered")));

    // Every admin depends on the provider that would be enforced.
    let enforce = |lockout: bool| json!({ "policy": { "sso": "enforced", "session": { "idle": "1h" } }, "accept_lockout_risk": lockout });
    let locked = scene.write(&token, Method::PUT, policy, enforce(false), policy).await;
    assert_eq!((locked.status, &locked.body["code"]), (StatusCode::CONFLICT, &json!("E-LOCKOUT")), "{}", locked.body);
    let looked = scene.write(&token, Method::PUT, &format!("{policy}?dry_run=true"), enforce(false), policy).await;
    assert_eq!(looked.status, 200, "{}", looked.body);
    assert_eq!((&looked.body["dry_run"], &looked.body["people"]), (&json!(true), &json!(1)));
    assert!(looked.body["refused"].as_str().is_some_and(|why| why.contains("E-LOCKOUT")), "{}", looked.body);
    assert_eq!(scene.read(&token, policy).await.tag.as_deref(), Some("\"0\""), "nothing was changed");

    // A write on an older version is lost by nobody.
    let blind = scene.call(Some(&token), &Method::PUT, policy, Some(enforce(true)), None).await;
    assert_eq!(blind.status, 428);
    let put = scene.write(&token, Method::PUT, policy, enforce(true), policy).await;
    assert_eq!((put.status, put.tag.as_deref()), (StatusCode::OK, Some("\"1\"")), "{}", put.body);
    let stale = scene.call(Some(&token), &Method::PUT, policy, Some(enforce(true)), Some("\"0\"")).await;
    assert_eq!((stale.status, &stale.body["version"]), (StatusCode::PRECONDITION_FAILED, &json!(1)));
    assert_eq!(scene.read(&token, policy).await.body["in_force"]["sso"], "enforced");

    // What it gives away again is refused with a list and a code.
    let (status, _, err) = scene.gateway.command(&["policy", "revert", "--org", "initech"]);
    assert!(!status.success() && err.contains("E-LOOSER") && err.contains("demands single sign-on less"), "{err}");
    assert!(err.contains("people: 1"), "{err}");
    let code = err.split("with the code ").nth(1).expect("a code").trim().to_owned();
    let revert = ["policy", "revert", "--org", "initech", "--loosen", &code];
    let (status, out, err) = scene.gateway.command(&revert);
    assert!(status.success() && out.contains("reverted to 0"), "{out}{err}");
    let mut back = String::new();
    eventually("the old policy holds again", Duration::from_secs(1), || {
        back = scene.gateway.command(&["policy", "history", "--org", "initech", "--json"]).1;
        back.contains("reverted to 0")
    })
    .await;
    assert_eq!(scene.read(&token, policy).await.body["in_force"]["sso"], "offered");
    // The file's own words hold whatever a document says.
    let loose = json!({ "policy": { "sso": "off", "third_party": "any", "session": { "idle": "9d" } } });
    let put = scene.write(&token, Method::PUT, policy, loose, policy).await;
    assert_eq!(put.status, 200, "{}", put.body);
    assert_eq!(scene.read(&token, policy).await.body["in_force"]["sso"], "offered");
    assert_eq!(put.body["loosens"], json!([]));
    // Break-glass is no matter for a token (rule M19).
    let glass = json!({ "policy": { "break_glass": ["it@initech.example.test"] } });
    let refused = scene.write(&token, Method::PUT, policy, glass, policy).await;
    assert_eq!((refused.status, &refused.body["code"]), (StatusCode::FORBIDDEN, &json!("E-STEP-UP")));
    // Nor is whose proof counts: neither by another directory beside the one, nor by naming one for some people.
    let other = json!({ "name": "zzz", "oidc": "https://login.evil.example", "client_id": "1", "client_secret": "x" });
    let refused = scene.write(&token, Method::POST, "/organizations/initech/directories", other, policy).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (StatusCode::FORBIDDEN, &json!("E-STEP-UP")),
        "{}",
        refused.body
    );
    let some = "/organizations/initech/policies/some";
    let people = json!({ "people": ["it@initech.example.test"] });
    let named = json!({ "policy": { "members": people, "sso": "offered", "session": { "idle": "1h" } } });
    let put = scene.write(&token, Method::PUT, some, named, policy).await;
    assert_eq!(put.status, 200, "{}", put.body);
    let read = scene.read(&token, some).await.body;
    assert_eq!((&read["name"], &read["in_force"]["idle"]), (&json!("some"), &json!(3600)), "{read}");
    let listed = scene.read(&token, "/organizations/initech/policies").await.body;
    let names: Vec<&Value> = listed["items"].as_array().into_iter().flatten().map(|one| &one["name"]).collect();
    assert_eq!(names, ["default", "some"]);
    let versions = scene.read(&token, "/organizations/initech/versions").await.body;
    assert_eq!(versions["items"].as_array().map(Vec::len), Some(4), "{versions}");
    let event = scene.read(&token, "/organizations/initech/events?action=policy.updated").await.body;
    assert!(
        event["items"].as_array().is_some_and(|all| all.iter().any(|one| one["event"]["before"] == json!({}))),
        "{event}"
    );
}

#[tokio::test]
async fn what_a_policy_demands_at_run_time_bites_on_live_sessions_within_a_second_and_is_taken_back_within_one() {
    let scene = Scene::start();
    let (bob, _) = scene.log_in("bob@acme.example.test").await;
    let token = scene.token("it@acme.example.test", Some("acme"), ALL).await;
    let policy = "/organizations/acme/policies/default";
    let demand = json!({ "policy": { "require_amr": ["never"], "on_change": "immediate" } });
    let put = scene.write(&token, Method::PUT, policy, demand, policy).await;
    assert_eq!((put.status, &put.body["loosens"]), (StatusCode::OK, &json!([])), "{}", put.body);
    let took = scene.until(&bob, false).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    // Somebody of another organization is not touched.
    scene.log_in("eve@globex.example.test").await;

    let revert = "/organizations/acme/revert";
    let refused = scene.write(&token, Method::POST, revert, json!({}), policy).await;
    assert_eq!((refused.status, &refused.body["code"]), (StatusCode::CONFLICT, &json!("E-LOOSER")), "{}", refused.body);
    let given = ["organization acme demands less in amr", "a change of organization acme meets sessions later"];
    assert_eq!(refused.body["loosens"], json!(given));
    let confirm = json!({ "confirm": refused.body["confirm"] });
    let back = scene.write(&token, Method::POST, revert, confirm, policy).await;
    assert_eq!((back.status, back.tag.as_deref()), (StatusCode::OK, Some("\"2\"")), "{}", back.body);
    let took = scene.until(&bob, true).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn a_saml_directory_is_shown_with_what_its_provider_is_given_and_added_only_with_good_metadata() {
    let scene = Scene::start();
    let operator = scene.token("ops@acme.example.test", None, ALL).await;
    let made = json!({ "name": "hooli", "label": "Hooli", "admins": ["gavin@hooli.com"] });
    let made = scene.call(Some(&operator), &Method::POST, "/organizations", Some(made), None).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let (hooli, directories) = ("/organizations/hooli", "/organizations/hooli/directories");
    let saml = "https://idp.hooli.example/metadata";
    for (wanted, said) in [
        (json!({ "name": "one" }), "`oidc` or `saml`"),
        (json!({ "name": "one", "saml": saml, "oidc": "https://hooli.okta.example", "client_id": "1" }), "not both"),
        // The provider's address is asked before anything is made of it, and what went wrong there stays with us (rule M16).
        (json!({ "name": "one", "saml": "https://127.0.0.1:9/metadata" }), "cannot be read at that address"),
        (json!({ "name": "one", "saml": "/etc/passwd" }), "https"),
    ] {
        let refused = scene.write(&operator, Method::POST, directories, wanted.clone(), hooli).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{wanted}: {}", refused.body);
        assert!(refused.body.to_string().contains(said), "{wanted}: {}", refused.body);
    }
    assert_eq!(scene.read(&operator, directories).await.body["items"], json!([]));
    // The operator at the machine may write down what is not up yet.
    let file = scene.gateway.directory().join("hooli.json");
    let document = json!({ "label": "Hooli", "directory": { "adfs": { "saml": saml, "preset": "adfs" } } });
    std::fs::write(&file, document.to_string()).expect("written");
    let (status, out, err) = scene.gateway.command(&["org", "put", "hooli", file.to_str().expect("UTF-8")]);
    assert!(status.success(), "{out}{err}");
    let shown = scene.read(&operator, &format!("{directories}/adfs")).await;
    let of = |what: &str| json!(scene.gateway.url("id", &format!("/saml/hooli/adfs/{what}")));
    assert_eq!((&shown.body["protocol"], &shown.body["saml"]), (&json!("saml"), &json!(saml)), "{}", shown.body);
    for (key, what) in [("entity_id", "metadata"), ("acs", "acs"), ("slo", "slo")] {
        assert_eq!(shown.body[key], of(what), "{}", shown.body);
    }
    for never in ["issuer", "client_id", "redirect_uri"] {
        assert!(shown.body.get(never).is_none(), "{never}: {}", shown.body);
    }
}

#[tokio::test]
async fn m16_the_metadata_of_a_directory_that_is_not_yet_is_looked_for_at_no_private_address() {
    let scene = Scene::start_with(Configuration::with_nothing_private);
    let operator = scene.token("ops@acme.example.test", None, ALL).await;
    let made = json!({ "name": "hooli", "label": "Hooli", "admins": ["gavin@hooli.com"] });
    scene.call(Some(&operator), &Method::POST, "/organizations", Some(made), None).await;
    // Somebody answers there, and the operator's file has this origin for others: a token's word is a stranger's all the same.
    let saml = format!("{}/.well-known/openid-configuration", scene.op.issuer());
    let wanted = json!({ "name": "one", "saml": saml });
    let (hooli, directories) = ("/organizations/hooli", "/organizations/hooli/directories");
    let refused = scene.write(&operator, Method::POST, directories, wanted, hooli).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
    assert!(refused.body.to_string().contains("cannot be read at that address"), "{}", refused.body);
}

#[tokio::test]
async fn an_organization_is_made_at_run_time_and_outlives_a_restart() {
    let mut scene = Scene::start();
    let operator = scene.token("ops@acme.example.test", None, ALL).await;
    let made = json!({ "name": "hooli", "label": "Hooli", "admins": ["gavin@hooli.com"] });
    let first = scene.call(Some(&operator), &Method::POST, "/organizations", Some(made.clone()), None).await;
    assert_eq!((first.status, first.tag.as_deref()), (StatusCode::CREATED, Some("\"1\"")), "{}", first.body);
    assert_eq!(first.body["people"], "unknown", "never 0");
    let twice = scene.call(Some(&operator), &Method::POST, "/organizations", Some(made), None).await;
    assert_eq!((twice.status, &twice.body["code"]), (StatusCode::CONFLICT, &json!("exists")));

    let hooli = "/organizations/hooli";
    let domains = format!("{hooli}/domains");
    for (domain, status, code) in [
        ("acme.example.test", 409, "E-DOMAIN-CONFLICT"),
        ("gmail.com", 422, "invalid"),
        ("com", 422, "invalid"),
        ("not a domain", 422, "invalid"),
    ] {
        let answer =
            scene.call(Some(&operator), &Method::POST, &domains, Some(json!({ "domain": domain })), None).await;
        assert_eq!((answer.status.as_u16(), &answer.body["code"]), (status, &json!(code)), "{domain}: {}", answer.body);
    }
    let asked = Some(json!({ "domain": "hooli.com" }));
    let added = scene.call(Some(&operator), &Method::POST, &domains, asked.clone(), None).await;
    assert_eq!((added.status, &added.body["counts"]), (StatusCode::CREATED, &json!(false)), "{}", added.body);
    assert_eq!(added.body["state"], "pending");
    let again = scene.call(Some(&operator), &Method::POST, &domains, asked, None).await;
    assert_eq!(again.body["instructions"], added.body["instructions"], "asked again, it says the same");
    assert!(added.body["instructions"]["value"].as_str().is_some_and(|value| value.len() > 64), "{}", added.body);
    let gone =
        scene.call(Some(&operator), &Method::DELETE, &format!("{domains}/hooli.com"), None, Some("\"77\"")).await;
    assert_eq!((gone.status, &gone.body["code"]), (StatusCode::PRECONDITION_FAILED, &json!("stale")));
    let directory =
        json!({ "name": "okta", "oidc": "https://hooli.okta.example", "client_id": "1", "client_secret": "hush hush" });
    let directories = format!("{hooli}/directories");
    let made = scene.write(&operator, Method::POST, &directories, directory.clone(), hooli).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert!(made.body["redirect_uri"].as_str().is_some_and(|uri| uri.ends_with("/login/callback/hooli/okta")));
    let twin = json!({ "name": "two", "oidc": "https://hooli.okta.example", "client_id": "1", "client_secret": "x" });
    let twice = scene.write(&operator, Method::POST, &directories, twin, hooli).await;
    assert_eq!(
        (twice.status, &twice.body["errors"][0]["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("E-CLIENT-TWICE"))
    );
    // Of another organization's client it is said that it is none for this one, and not whose it is.
    let foreign = json!({ "name": "two", "oidc": scene.op.issuer(), "client_id": "globex", "client_secret": "x" });
    let taken = scene.write(&operator, Method::POST, &directories, foreign, hooli).await;
    let first = &taken.body["errors"][0];
    assert_eq!(first["code"], "E-CLIENT-TWICE", "{}", taken.body);
    assert!(first["what"].as_str().is_some_and(|what| !what.contains("globex")), "{first}");
    for path in [format!("{hooli}/versions/2"), format!("{hooli}/events")] {
        let body = scene.read(&operator, &path).await.body.to_string();
        assert!(!body.contains("hush"), "{path}: {body}");
    }
    let unknown = scene
        .write(&operator, Method::PUT, &format!("{hooli}/policies/default"), json!({ "policy": { "ssso": 1 } }), hooli)
        .await;
    assert_eq!(unknown.body["errors"][0]["code"], "E-UNKNOWN-KEY", "{}", unknown.body);

    let local = Some(json!({ "email": "new@somewhere.example.test", "verified": true }));
    for (path, status) in
        [("/products/trello/accounts", 201), ("/products/trello/accounts", 409), ("/products/none/accounts", 404)]
    {
        let answer = scene.call(Some(&operator), &Method::POST, path, local.clone(), None).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.body);
    }

    // Everything of it is in the store: another process has it too.
    scene.gateway.restart();
    let again = scene.read(&operator, hooli).await;
    assert_eq!((again.tag.as_deref(), &again.body["label"]), (Some("\"2\""), &json!("Hooli")));
    assert_eq!(again.body["directories"], json!(["hooli/okta"]));

    // Taken away by a writer to the database, nobody enters by it (rule H12).
    let gone = scene.write(&operator, Method::DELETE, hooli, Value::Null, hooli).await;
    assert_eq!((gone.status, &gone.body["code"]), (StatusCode::CONFLICT, &json!("E-LOOSER")), "{}", gone.body);
    let confirmed = format!("{hooli}?confirm={}", gone.body["confirm"].as_str().expect("a code"));
    let gone = scene.write(&operator, Method::DELETE, &confirmed, Value::Null, hooli).await;
    assert_eq!(gone.status, 204, "{}", gone.body);
    let after = scene.call(Some(&operator), &Method::GET, hooli, None, None).await;
    assert_eq!(after.status, 404);
}

#[tokio::test]
async fn h12_what_a_writer_to_the_database_plants_has_no_power() {
    let mut scene = Scene::start();
    let operator = scene.token("ops@acme.example.test", None, ALL).await;
    let auditor = scene.token("aud@globex.example.test", Some("globex"), READS).await;
    scene.log_in("ann@globex.example.test").await;
    let ann = account(&scene, &operator, "globex", "ann@globex.example.test").await;
    let renamed = json!({ "label": "Globex Corp" });
    let put = scene.write(&operator, Method::PATCH, "/organizations/globex", renamed, "/organizations/globex").await;
    assert_eq!(put.status, 200, "{}", put.body);

    let plant = |sql: &str| {
        let db = rusqlite::Connection::open(scene.gateway.directory().join("state/fedgate.db")).expect("the database");
        db.busy_timeout(Duration::from_secs(5)).expect("a timeout");
        assert_eq!(db.execute(sql, []).unwrap_or_else(|why| panic!("{sql}: {why}")), 1, "{sql}");
    };
    // More scopes for a token: it is nobody's now.
    plant("UPDATE api_token SET scopes = '[\"orgs:read\",\"orgs:write\"]' WHERE scopes NOT LIKE '%orgs:write%'");
    assert_eq!(scene.call(Some(&auditor), &Method::GET, "/organizations", None, None).await.status, 401);
    // A role for somebody who was never invited, and the invitation of somebody who has not come yet.
    plant(
        "INSERT INTO role_pin SELECT 'admin', 'globex', 'it@globex.example.test', id, 0, zeroblob(32) FROM account
         WHERE email = 'ann@globex.example.test'",
    );
    let minted = scene.mint("ann@globex.example.test", Some("globex"), ALL);
    assert!(minted.as_ref().is_err_and(|why| why.contains("no role")), "{ann}: {minted:?}");
    // A directory of the writer's own in a document: the organization is shut.
    plant(
        "UPDATE organization_version SET document = '{\"policy\":{\"sso\":\"off\"}}' WHERE org = 'globex' AND version = 1",
    );
    scene.gateway.restart();
    assert!(scene.gateway.log().contains("MAC does not hold"), "{}", scene.gateway.log());
    let agent = scene.gateway.agent(&[&scene.op.ca_file()]);
    let page = agent.visit(&scene.gateway.url("trello", "/")).await;
    let page = agent.submit(&page, "email", &[("email", "ann@globex.example.test")]).await;
    assert_ne!(page.url.as_str(), scene.gateway.url("trello", "/"), "nobody enters: {}", page.describe());
    scene.log_in("bob@acme.example.test").await;
}

#[tokio::test]
async fn h12_an_older_document_does_not_come_back_when_the_newest_is_taken_out() {
    let mut scene = Scene::start();
    let operator = scene.token("ops@acme.example.test", None, ALL).await;
    for (org, label) in [("globex", "Globex 1"), ("globex", "Globex 2"), ("acme", "Acme 1")] {
        let (path, renamed) = (format!("/organizations/{org}"), json!({ "label": label }));
        let put = scene.write(&operator, Method::PATCH, &path, renamed, &path).await;
        assert_eq!(put.status, 200, "{}", put.body);
    }
    let db = rusqlite::Connection::open(scene.gateway.directory().join("state/fedgate.db")).expect("the database");
    db.busy_timeout(Duration::from_secs(5)).expect("a timeout");
    let gone = "DELETE FROM organization_version WHERE org = 'globex' AND version = 2";
    assert_eq!(db.execute(gone, []).expect("written"), 1);
    scene.gateway.restart();
    let agent = scene.gateway.agent(&[&scene.op.ca_file()]);
    let page = agent.visit(&scene.gateway.url("trello", "/")).await;
    let page = agent.submit(&page, "email", &[("email", "ann@globex.example.test")]).await;
    assert_ne!(page.url.as_str(), scene.gateway.url("trello", "/"), "nobody enters: {}", page.describe());
    let (_, events, _) = scene.gateway.command(&["audit", "search", "--json"]);
    assert!(events.lines().any(|line| line.contains("integrity.violated") && line.contains("globex")), "{events}");
    scene.log_in("bob@acme.example.test").await;
}

/// What a schema allows as the members of an object, references followed.
fn members(document: &Value, schema: &Value) -> BTreeMap<String, Value> {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).expect("a schema"),
        None => schema,
    };
    schema["properties"]
        .as_object()
        .map(|all| all.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
        .unwrap_or_default()
}

/// Whether every member of an answer is in its schema, at every depth that the schema describes.
fn described(document: &Value, schema: &Value, value: &Value, path: &str) {
    match value {
        Value::Object(object) => {
            let known = members(document, schema);
            if known.is_empty() {
                return; // Free form: events, and what an organization writes.
            }
            for (name, inner) in object {
                let inner_schema = known.get(name).unwrap_or_else(|| panic!("{path}: {name} is not in the document"));
                described(document, inner_schema, inner, path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| described(document, &schema["items"], item, path)),
        _ => {}
    }
}

#[tokio::test]
async fn m19_the_openapi_document_has_every_route_and_every_field() {
    let scene = Scene::start();
    let (browser, _) = scene.log_in("ann@acme.example.test").await;
    let session = browser.visit(&scene.gateway.url("trello", "/.fedgate/session")).await.json();
    let sub = session["sub"].as_str().expect("a user id");
    let operator = scene.token("ops@acme.example.test", None, ALL).await;
    let answer = scene.call(None, &Method::GET, "/openapi.json", None, None).await;
    assert_eq!((answer.status, &answer.body["openapi"]), (StatusCode::OK, &json!("3.1.0")));
    let document = answer.body;
    let ann = account(&scene, &operator, "acme", "ann@acme.example.test").await;
    let renamed = scene
        .write(&operator, Method::PATCH, "/organizations/acme", json!({ "label": "Acme & Co" }), "/organizations/acme")
        .await;
    assert_eq!((renamed.status, &renamed.body["label"]), (StatusCode::OK, &json!("Acme & Co")), "{}", renamed.body);
    let member = json!({ "sub": sub, "member": true });
    let members_of = "/products/trello/enterprises/bigco/members";
    let joined = scene.call(Some(&operator), &Method::PUT, members_of, Some(member), None).await;
    assert_eq!(joined.status, StatusCode::OK, "{}", joined.body);
    let mut listed = 0;
    for route in ROUTES {
        let operation = &document["paths"][route.path][route.method.as_str().to_ascii_lowercase()];
        assert_eq!(operation["x-scope"], route.scope.code(), "{} {}", route.method, route.path);
        assert_eq!(operation["requestBody"].is_object(), route.body.is_some(), "{} {}", route.method, route.path);
        listed += 1;
        if route.method != Method::GET || route.path.contains("{ref}") {
            continue;
        }
        let path =
            route.path.replace("{org}", "acme").replace("{version}", "1").replace("{domain}", "acme.example.test");
        let path = path.replace("{directory}", "main").replace("{policy}", "default").replace("{account}", &ann);
        let path = path.replace("{product}", "trello").replace("{enterprise}", "bigco");
        let path = path.replace("/access", &format!("/access?sub={sub}"));
        let answer = scene.read(&operator, &path).await;
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        assert!(!members(&document, schema).is_empty(), "{path} has no schema: {schema}");
        described(&document, schema, &answer.body, &path);
    }
    let documented: usize = document["paths"]
        .as_object()
        .expect("paths")
        .values()
        .filter_map(Value::as_object)
        .map(serde_json::Map::len)
        .sum();
    assert_eq!(documented, listed);
    let lists = scene.read(&operator, "/organizations?limit=2").await.body;
    let rest = format!("/organizations?limit=2&after={}", lists["next"].as_str().expect("a next part"));
    assert_eq!(scene.read(&operator, &rest).await.body["items"].as_array().map(Vec::len), Some(1));
}
