//! An organization at run time, from its first line to the day on which it takes everything back, as people meet it: made by the
//! admin API, its domains proved by real name servers, its policy enforced over local passwords and reverted.
//!
//! Two observations of a domain are an hour apart (rule C6d), so the gateway runs as a child of this program, with a clock that the
//! scene moves; everything else of it is the program's.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fedgate::cli::node::control::Control;
use fedgate::cli::node::{Extras, Node, init_log};
use fedgate::clock::{Clock, TimeSource};
use fedgate::config::{Machine, read};
use fedgate::store::{Sqlite, Store};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use url::Url;

use crate::doors::PASSWORD;
use crate::provider::LightOp;
use crate::support::agent::UserAgent;
use crate::support::clock::eventually;
use crate::support::configuration::Configuration;
use crate::support::gateway::Gateway;
use crate::support::names::Names;
use crate::support::page::Page;
use crate::support::upstream::Upstream;

/// Names the child's configuration file; beside it stands the file that moves its clock.
const CHILD: &str = "FEDGATE_SCENE";
const CLOCK: &str = "ahead";
const HOUR: i64 = 3_600;
const SECOND: Duration = Duration::from_secs(1);

/// This machine's clock and so many seconds as the file says.
struct Moved(PathBuf);

impl Moved {
    fn ahead(&self) -> i64 {
        std::fs::read_to_string(&self.0).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }
}

impl TimeSource for Moved {
    #[expect(clippy::disallowed_methods, reason = "a test's own clock")]
    fn wall_millis(&self) -> i64 {
        let now = clock_gettime(ClockId::Realtime);
        (now.tv_sec + self.ahead()) * 1_000 + now.tv_nsec / 1_000_000
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own clock")]
    fn since_boot(&self) -> Duration {
        let now = clock_gettime(ClockId::Boottime);
        Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
    }
}

#[test]
#[ignore = "the gateway of the scene below, run by it"]
fn a_gateway_whose_clock_is_moved() {
    let file = PathBuf::from(std::env::var(CHILD).expect("run by the scene"));
    let folder = file.parent().expect("in a folder");
    let (config, report) = read(&std::fs::read_to_string(&file).expect("readable"), &file, &Machine);
    let config = config.unwrap_or_else(|| panic!("{}", report.plain()));
    init_log(&config);
    std::fs::create_dir_all(&config.state).expect("a writable directory");
    let clock = Clock::from_source(Arc::new(Moved(folder.join(CLOCK))));
    let store = Sqlite::open(&config.state.join("fedgate.db"), clock.clone()).expect("a store");
    let extras = Extras { clock: Some(clock), store: Some(Arc::new(store) as Arc<dyn Store>), ..Extras::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let node = Node::start(config.clone(), extras).await.expect("it starts");
        Control { node, config, file: Some(file) }.serve(false).await.expect("it serves");
    });
}

/// A product that keeps passwords, an operator's company in the file, and a company that comes at run time.
struct Scene {
    gateway: Gateway,
    op: LightOp,
    names: Names,
    trello: Upstream,
    ahead: i64,
    token: String,
}

impl Scene {
    async fn start() -> Self {
        let (op, trello, names) = (LightOp::start(), Upstream::start(), Names::start(&[]));
        let company = format!(
            "[org.acme]\ndomains = [\"acme.example.test\"]\n\
             sso = {{ oidc = \"{}\", client_id = \"acme\", client_secret_file = \"{{dir}}/secret\" }}\n\
             [org.acme.policy]\nsso = \"enforced\"",
            op.issuer()
        );
        let keys = "passwords = \"here\"\n\
             doors = { login = [\"/in\"], reset = [\"/forgot\"] }";
        let file = Configuration::new()
            .trust(&op.ca_file())
            .product("trello", &trello.url(), keys)
            .secret("{dir}/secret", "a secret")
            .table("[admin]\noperators = [\"ops@acme.example.test\"]")
            .table(&company)
            .table(&format!("[dns]\nservers = [\"{}\", \"{}\"]", names.own(), names.resolver()));
        let mut gateway = Gateway::prepare(&file);
        let mut child = Command::new(std::env::current_exe().expect("this test is a program"));
        child.args(["--exact", "run_time::a_gateway_whose_clock_is_moved", "--ignored", "--nocapture"]);
        child.env(CHILD, gateway.config_file());
        gateway.launch_as(child);
        gateway.wait_ready();
        let mut scene = Self { gateway, op, names, trello, ahead: 0, token: String::new() };
        let ops = scene.agent();
        let page = scene.identify(&ops, "ops@acme.example.test").await;
        assert!(scene.is_inside(&ops).await, "{}", page.describe());
        let made = scene.command(&[
            "token",
            "create",
            "--json",
            "--owner",
            "ops@acme.example.test",
            "--scope",
            "orgs:read",
            "--scope",
            "orgs:write",
            "--scope",
            "people:write",
        ]);
        let made: Value = serde_json::from_str(&made).expect("JSON");
        scene.token = made["token"].as_str().expect("a token").to_owned();
        scene
    }

    /// An hour later, for the gateway and for the provider.
    fn an_hour_later(&mut self) {
        self.ahead += HOUR + 1;
        let (file, whole) = (self.gateway.directory().join(CLOCK), self.gateway.directory().join("ahead.new"));
        std::fs::write(&whole, self.ahead.to_string()).expect("a writable directory");
        std::fs::rename(whole, file).expect("a writable directory");
        self.op.move_on(HOUR + 1);
    }

    fn command(&self, arguments: &[&str]) -> String {
        let (status, out, err) = self.gateway.command(arguments);
        assert!(status.success(), "{arguments:?}: {out}{err}\n{}", self.gateway.log());
        out
    }

    fn agent(&self) -> UserAgent {
        self.gateway.agent(&[&self.op.ca_file()])
    }

    async fn identify(&self, agent: &UserAgent, email: &str) -> Page {
        let page = agent.visit(&self.gateway.url("trello", "/page")).await;
        agent.submit(&page, "email", &[("email", email)]).await
    }

    /// Whether the browser is let in at the product.
    async fn is_inside(&self, agent: &UserAgent) -> bool {
        let url = self.gateway.url("trello", "/page");
        let page = agent.visit(&url).await;
        page.status == StatusCode::OK && page.url.as_str() == url
    }

    /// Calls the admin API, a write on the version of what `of` names.
    async fn api(&self, method: Method, path: &str, body: Option<Value>, of: Option<&str>) -> Value {
        let tag = match of {
            Some(of) => self.ask(Method::GET, of, None, None).await.1,
            None => None,
        };
        let (body, _) = self.ask(method, path, body, tag).await;
        body
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        tag: Option<String>,
    ) -> (Value, Option<String>) {
        let url = self.gateway.url("id", &format!("/api/v1{path}"));
        let mut request = Request::builder().method(&method).uri(&url);
        request = request.header("authorization", format!("Bearer {}", self.token));
        request = request.header("content-type", "application/json");
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = request.body(Full::from(body)).expect("a request");
        let agent = self.agent();
        let answer = agent.wire().exchange(&Url::parse(&url).expect("a URL"), request).await.expect("an answer");
        let said: Value = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
        assert!(answer.status().is_success(), "{method} {path}: {} {said}\n{}", answer.status(), self.gateway.log());
        let tag = answer.headers().get("etag").and_then(|tag| tag.to_str().ok()).map(ToOwned::to_owned);
        (said, tag)
    }

    /// Adds a domain and shows its record to the world.
    async fn add(&mut self, domain: &str, shown: &mut Vec<String>) {
        let added = self.api(Method::POST, DOMAINS, Some(json!({ "domain": domain })), None).await;
        let value = added["instructions"]["value"].as_str().expect("a value");
        let name = domain.strip_suffix(".example.test").expect("in the zone");
        shown.push(format!("{name} 0 IN TXT \"{value}\""));
        let records: Vec<&str> = shown.iter().map(String::as_str).collect();
        self.names.set(&records);
    }

    async fn verify(&self, domain: &str) -> Value {
        self.api(Method::POST, &format!("{DOMAINS}/{domain}/verify"), None, None).await
    }

    /// Letters that were written to an address.
    fn letters(&self, to: &str) -> usize {
        let files = std::fs::read_dir(self.gateway.directory().join("state/outbox"));
        let texts = files.into_iter().flatten().filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok());
        texts.filter(|text| text.contains(to)).count()
    }

    async fn policy(&self, policy: Value) -> Value {
        let path = format!("{HOOLI}/policies/default");
        self.api(Method::PUT, &path, Some(json!({ "policy": policy })), Some(HOOLI)).await
    }
}

const HOOLI: &str = "/organizations/hooli";
const DOMAINS: &str = "/organizations/hooli/domains";

/// Whether a page asks for the password, at the product's own door.
fn asks_password(page: &Page) -> bool {
    page.forms().iter().any(|form| form.fields.iter().any(|(name, _)| name == "password"))
}

/// Whether the journey led to the company's provider, and to no password page.
fn at_company(page: &Page) -> bool {
    !asks_password(page) && page.journey().iter().any(|hop| hop.contains("127.0.0.1/authorize"))
}

#[tokio::test]
async fn t35_a_domain_proved_at_run_time_takes_the_password_page_away_and_a_revert_gives_it_back_within_a_second() {
    let mut scene = Scene::start().await;
    let (ann, tom) = ("ann@hooli.example.test", "tom@hooli-two.example.test");
    let hash = "$2b$05$abcdefghijklmnopqrstuuusFrNF7KJFsgMs/u3icgjXQPsxLjnlW";
    for email in [ann, tom] {
        let person = json!({ "email": email, "verified": true, "hash": hash });
        scene.api(Method::POST, "/products/trello/accounts", Some(person), None).await;
    }
    let hers = scene.agent();
    let page = scene.identify(&hers, ann).await;
    let page = hers.submit(&page, "password", &[("password", PASSWORD)]).await;
    assert_eq!(page.url.as_str(), scene.gateway.url("trello", "/page"), "{}", page.describe());

    let made = json!({ "name": "hooli", "admins": ["it@elsewhere.example.test"] });
    scene.api(Method::POST, "/organizations", Some(made), None).await;
    let directory = json!({
        "name": "main", "oidc": scene.op.issuer(), "client_id": "hooli", "client_secret": "a secret",
    });
    scene.api(Method::POST, &format!("{HOOLI}/directories"), Some(directory), Some(HOOLI)).await;
    scene.policy(json!({ "sso": "offered", "on_change": "immediate" })).await;
    let mut shown = Vec::new();
    scene.add("hooli.example.test", &mut shown).await;
    assert_eq!(scene.verify("hooli.example.test").await["state"], "pending", "one observation proves nothing");
    scene.an_hour_later();
    assert_eq!(scene.verify("hooli.example.test").await["state"], "claimed");

    // Offered: both ways. Somebody logs in by the directory, so that it may be enforced (E-DRY-RUN).
    let first = scene.agent();
    // A stranger gets the page of somebody with a password or of somebody without, by a keyed hash of the address (rule H18).
    let mut page = scene.identify(&first, "gavin@hooli.example.test").await;
    for number in 0..50 {
        if asks_password(&page) {
            break;
        }
        page = scene.identify(&first, &format!("gavin-{number}@hooli.example.test")).await;
    }
    let way = page.form("way").buttons.remove(0).1;
    let page = first.submit(&page, "way", &[("way", &way)]).await;
    assert_eq!(page.url.as_str(), scene.gateway.url("trello", "/page"), "{}", page.describe());
    assert!(scene.is_inside(&hers).await);
    // Forms that other browsers have open when it happens.
    let (late, lost) = (scene.agent(), scene.agent());
    let late_page = scene.identify(&late, ann).await;
    let lost_page = lost.visit(&scene.gateway.url("trello", "/forgot")).await;
    let enforced = scene.policy(json!({ "sso": "enforced", "on_change": "immediate" })).await;
    let since = Instant::now();
    assert_eq!(enforced["loosens"], json!([]), "{enforced}");

    // The very next request: the company's provider and no password page; a right password opens nothing.
    let page = scene.identify(&scene.agent(), ann).await;
    assert!(at_company(&page), "{}", page.describe());
    let page = late.submit(&late_page, "password", &[("password", PASSWORD)]).await;
    assert!(at_company(&page) && !scene.is_inside(&late).await, "{}", page.describe());
    while scene.is_inside(&hers).await {
        assert!(since.elapsed() < SECOND, "the session of her password goes on");
    }
    // Nor is a password set anew: for nobody of the domain, and nothing is sent.
    for email in [ann, "nobody@hooli.example.test"] {
        let page = lost.submit(&lost_page, "email", &[("email", email)]).await;
        assert!(page.text().contains("Your password is kept elsewhere"), "{}", page.describe());
    }

    // Another domain of the organization, proved while single sign-on is enforced: gone at the next request.
    scene.add("hooli-two.example.test", &mut shown).await;
    scene.verify("hooli-two.example.test").await;
    scene.an_hour_later();
    assert!(asks_password(&scene.identify(&scene.agent(), tom).await), "not proved yet");
    assert_eq!(scene.verify("hooli-two.example.test").await["state"], "claimed");
    let page = scene.identify(&scene.agent(), tom).await;
    assert!(at_company(&page), "at the next request: {}", page.describe());

    // Taken back, with the code that confirms what that gives away.
    let (status, _, err) = scene.gateway.command(&["policy", "revert", "--org", "hooli"]);
    assert!(!status.success() && err.contains("E-LOOSER"), "{err}");
    let code = err.split("with the code ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a code");
    scene.command(&["policy", "revert", "--org", "hooli", "--loosen", code]);
    let since = Instant::now();
    let again = scene.agent();
    let mut page = scene.identify(&again, ann).await;
    while !asks_password(&page) {
        assert!(since.elapsed() < SECOND, "{}", page.describe());
        page = scene.identify(&again, ann).await;
    }
    assert!(since.elapsed() < SECOND, "{:?}", since.elapsed());
    let page = again.submit(&page, "password", &[("password", PASSWORD)]).await;
    assert_eq!(page.url.as_str(), scene.gateway.url("trello", "/page"), "{}", page.describe());
    eventually("it is one session", SECOND, || scene.trello.last("/page").head.first("x-fedgate-email") == Some(ann))
        .await;
    assert_eq!(scene.letters(ann), 0, "no reset was sent");
}
