//! An organization at run time, from its first line to the day on which it takes everything back, as people meet it: made by the
//! admin API, its domains proved by real name servers, its policy enforced over local passwords and reverted.
//!
//! Two observations of a domain are an hour apart (rule C6d), so the gateway runs as a child of this program, with a clock that the
//! scene moves; everything else of it is the program's.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fedgate::cli::node::control::{Control, hangups};
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
use crate::support::clock::{Deadline, eventually};
use crate::support::configuration::Configuration;
use crate::support::gateway::Gateway;
use crate::support::names::Names;
use crate::support::page::Page;
use crate::support::upstream::Upstream;

#[path = "run_time_verbs.rs"]
mod verbs;

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
        let hangup = hangups().expect("hang-ups");
        Control { node, config, file: Some(file), hangup }.serve(false).await.expect("it serves");
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
            .table("[[product.trello.enterprise]]\nname = \"bigco\"")
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
            "--scope",
            "people:read",
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
            Some(of) => Box::pin(self.tag(of)).await,
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
        let (status, said, tag) = self.send(method.clone(), path, body, tag).await;
        assert!(status.is_success(), "{method} {path}: {status} {said}\n{}", self.gateway.log());
        (said, tag)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        tag: Option<String>,
    ) -> (StatusCode, Value, Option<String>) {
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
        let tag = answer.headers().get("etag").and_then(|tag| tag.to_str().ok()).map(ToOwned::to_owned);
        (answer.status(), said, tag)
    }

    /// The organization, with its directory.
    async fn hooli(&self) {
        let made = json!({ "name": "hooli", "admins": ["it@hooli-two.example.test"] });
        self.api(Method::POST, "/organizations", Some(made), None).await;
        let directory =
            json!({ "name": "main", "oidc": self.op.issuer(), "client_id": "hooli", "client_secret": "a secret" });
        self.api(Method::POST, &format!("{HOOLI}/directories"), Some(directory), Some(HOOLI)).await;
    }

    /// Adds a domain and shows its record to the world.
    async fn add(&mut self, domain: &str, shown: &mut Vec<String>) {
        self.publish(DOMAINS, &json!({ "domain": domain }), shown).await;
    }

    async fn publish(&mut self, domains: &str, wanted: &Value, shown: &mut Vec<String>) {
        let added = self.api(Method::POST, domains, Some(wanted.clone()), None).await;
        let domain = wanted["domain"].as_str().expect("a domain");
        let value = added["instructions"]["value"].as_str().expect("a value");
        let name = domain.strip_suffix(".example.test").expect("in the zone");
        shown.push(format!("{name} 0 IN TXT \"{value}\""));
        let records: Vec<&str> = shown.iter().map(String::as_str).collect();
        self.names.set(&records);
    }

    async fn verify(&self, domain: &str) -> Value {
        self.api(Method::POST, &format!("{DOMAINS}/{domain}/verify"), None, None).await
    }

    fn database(&self) -> rusqlite::Connection {
        self.gateway.database()
    }

    fn events(&self, action: &str) -> Vec<Value> {
        self.gateway.events_of(action)
    }

    /// A write that has to be confirmed: refused with its code, and then done.
    async fn confirmed(&self, method: Method, path: &str, of: &str) -> Value {
        let tag = self.tag(of).await;
        let (status, refused, _) = self.send(method.clone(), path, None, tag.clone()).await;
        assert_eq!((status, &refused["code"]), (StatusCode::CONFLICT, &json!("E-LOOSER")), "{refused}");
        let code = refused["confirm"].as_str().expect("a code");
        self.ask(method, &format!("{path}?confirm={code}"), None, tag).await.0
    }

    /// What `If-Match` says of a thing; a domain's version stands in its list.
    async fn tag(&self, of: &str) -> Option<String> {
        match of.split_once("/domains/") {
            None => self.ask(Method::GET, of, None, None).await.1,
            Some((org, domain)) => {
                let listed = self.api(Method::GET, &format!("{org}/domains"), None, None).await;
                let found = listed["items"].as_array().into_iter().flatten().find(|one| one["domain"] == domain);
                found.map(|one| format!("\"{}\"", one["version"]))
            }
        }
    }

    /// Letters that were written to an address.
    fn letters(&self, to: &str) -> usize {
        let files = std::fs::read_dir(self.gateway.directory().join("state/outbox"));
        let texts = files.into_iter().flatten().filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok());
        texts.filter(|text| text.contains(to)).count()
    }

    /// Somebody whom nobody knows chooses the company's way where a password is offered too. A stranger gets the page of somebody with a
    /// password or of somebody without, by a keyed hash of the address (rule H18): one of the former is looked for.
    async fn somebody_by_the_directory(&self) -> Page {
        let first = self.agent();
        let mut page = self.identify(&first, "gavin@hooli.example.test").await;
        for number in 0..50 {
            if asks_password(&page) {
                break;
            }
            page = self.identify(&first, &format!("gavin-{number}@hooli.example.test")).await;
        }
        let way = page.form("way").buttons.remove(0).1;
        first.submit(&page, "way", &[("way", &way)]).await
    }

    async fn policy(&self, policy: Value) -> Value {
        let path = format!("{HOOLI}/policies/default");
        self.api(Method::PUT, &path, Some(json!({ "policy": policy })), Some(HOOLI)).await
    }
}

/// The bcrypt hash of everybody's password.
const HASH: &str = "$2b$05$abcdefghijklmnopqrstuuusFrNF7KJFsgMs/u3icgjXQPsxLjnlW";
const HOOLI: &str = "/organizations/hooli";
const DOMAINS: &str = "/organizations/hooli/domains";

/// Whether a page asks for the password, at the product's own door.
fn asks_password(page: &Page) -> bool {
    page.forms().iter().any(|form| form.fields.iter().any(|(name, _)| name == "password"))
}

/// Whether the journey led to the company's provider, and to no password page but that behind it: an account that nobody used of
/// late is proved by its owner too (B22, rule C6).
fn at_company(page: &Page) -> bool {
    (!asks_password(page) || page.url.path() == "/.fedgate/prove")
        && page.journey().iter().any(|hop| hop.contains("127.0.0.1/authorize"))
}

#[tokio::test]
async fn t35_a_domain_proved_at_run_time_takes_the_password_page_away_and_a_revert_gives_it_back_within_a_second() {
    let mut scene = Scene::start().await;
    let (ann, lea, tom) = ("ann@hooli.example.test", "lea@hooli.example.test", "tom@hooli-two.example.test");
    for email in [ann, lea, tom] {
        let person = json!({ "email": email, "verified": true, "hash": HASH });
        scene.api(Method::POST, "/products/trello/accounts", Some(person), None).await;
    }
    let hers = scene.agent();
    let page = scene.identify(&hers, ann).await;
    let page = hers.submit(&page, "password", &[("password", PASSWORD)]).await;
    assert_eq!(page.url.as_str(), scene.gateway.url("trello", "/page"), "{}", page.describe());

    scene.hooli().await;
    scene.policy(json!({ "sso": "offered", "on_change": "immediate" })).await;
    let mut shown = Vec::new();
    scene.add("hooli.example.test", &mut shown).await;
    assert_eq!(scene.verify("hooli.example.test").await["state"], "pending", "one observation proves nothing");
    scene.an_hour_later();
    assert_eq!(scene.verify("hooli.example.test").await["state"], "claimed");

    // Offered: both ways. Somebody logs in by the directory, so that it may be enforced (E-DRY-RUN).
    let page = scene.somebody_by_the_directory().await;
    assert_eq!(page.url.as_str(), scene.gateway.url("trello", "/page"), "{}", page.describe());
    assert!(scene.is_inside(&hers).await);
    // Forms that other browsers have open when it happens.
    let (late, lost) = (scene.agent(), scene.agent());
    let late_page = scene.identify(&late, lea).await;
    let lost_page = lost.visit(&scene.gateway.url("trello", "/forgot")).await;
    let enforced = scene.policy(json!({ "sso": "enforced", "on_change": "immediate" })).await;
    let second = Deadline::after(SECOND);
    assert_eq!(enforced["loosens"], json!([]), "{enforced}");

    // The very next request: the company's provider and no password page; a right password opens nothing.
    let page = scene.identify(&scene.agent(), ann).await;
    assert!(at_company(&page), "{}", page.describe());
    // The company first; and as nobody used that account of late, its owner shows that it is theirs after that (B22, rule C6).
    let page = late.submit(&late_page, "password", &[("password", PASSWORD)]).await;
    assert!(at_company(&page) && !scene.is_inside(&late).await, "{}", page.describe());
    while scene.is_inside(&hers).await {
        assert!(!second.passed(), "the session of her password goes on");
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

    // The one admin who did not depend on the provider has an address of that domain: nobody changed a policy, and it is an alarm.
    assert_eq!(scene.events("organization.lockout").pop().expect("an alarm")["org"], "hooli");
    // So is switching off the last one; and done (rule H3).
    let boss = "boss@acme.example.test";
    let other = json!({ "admins": [boss] });
    scene.api(Method::PATCH, HOOLI, Some(other), Some(HOOLI)).await;
    scene.identify(&scene.agent(), boss).await;
    let people = scene.api(Method::GET, "/organizations/acme/people", None, None).await;
    let found = people["items"].as_array().into_iter().flatten().find(|one| one["email"] == boss).expect("a person");
    let path = format!("/organizations/acme/people/{}", found["account"].as_str().expect("an id"));
    scene.api(Method::POST, &format!("{path}/deactivate"), None, Some(&path)).await;
    let alarms = scene.events("organization.lockout");
    assert_eq!(alarms.len(), 2, "{alarms:?}");
    assert!(alarms[1]["reason"].as_str().is_some_and(|why| why.contains("switched off")), "{}", alarms[1]);
    eventually("N6", Duration::from_secs(10), || scene.letters(boss) == 1).await;

    // Taken back, with the code that confirms what that gives away.
    let (status, _, err) = scene.gateway.command(&["policy", "revert", "--org", "hooli", "--to", "3"]);
    assert!(!status.success() && err.contains("E-LOOSER"), "{err}");
    let code = err.split("with the code ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a code");
    scene.command(&["policy", "revert", "--org", "hooli", "--to", "3", "--loosen", code]);
    let second = Deadline::after(SECOND);
    let again = scene.agent();
    let mut page = scene.identify(&again, lea).await;
    while at_company(&page) {
        assert!(!second.passed(), "{}", page.describe());
        page = scene.identify(&again, lea).await;
    }
    assert!(asks_password(&page) && !second.passed(), "{}", page.describe());
    let page = again.submit(&page, "password", &[("password", PASSWORD)]).await;
    assert_eq!(page.url.as_str(), scene.gateway.url("trello", "/page"), "{}", page.describe());
    eventually("it is one session", SECOND, || scene.trello.last("/page").head.first("x-fedgate-email") == Some(lea))
        .await;
    // Ann went the company's way meanwhile, and that is not taken back (T10).
    assert!(!asks_password(&scene.identify(&scene.agent(), ann).await));
    assert_eq!(scene.letters(ann), 1, "of her move (N2), and no reset was sent");
}

#[tokio::test]
async fn h12_a_domain_that_another_hand_wrote_opens_nothing_and_shuts_its_people_out() {
    let mut scene = Scene::start().await;
    let people = ["ann@hooli.example.test", "tom@planted.example.test", "eve@free.example.test"];
    for email in people {
        let person = json!({ "email": email, "verified": true, "hash": HASH });
        scene.api(Method::POST, "/products/trello/accounts", Some(person), None).await;
    }
    scene.hooli().await;
    let mut shown = Vec::new();
    scene.add("hooli.example.test", &mut shown).await;
    scene.verify("hooli.example.test").await;
    scene.an_hour_later();
    assert_eq!(scene.verify("hooli.example.test").await["state"], "claimed");

    let database =
        rusqlite::Connection::open(scene.gateway.directory().join("state/fedgate.db")).expect("the database");
    database.busy_timeout(Duration::from_secs(5)).expect("a timeout");
    // One domain that nobody proved, given to the organization with a provider of the writer's; and one that was held, given up.
    let planted = "INSERT INTO domain_proof SELECT org, 'planted.example.test', 'x', state, claim, method, added_at, seen_at,
         verified_at, claimed_at, last_ok_at, failing_since, due_since, checked_at, next_check_at, version, mac, holds, is_over
         FROM domain_proof";
    let edited =
        "UPDATE domain_proof SET state = 'unclaimed', holds = 0, is_over = 1 WHERE domain = 'hooli.example.test'";
    for sql in [planted, edited] {
        assert_eq!(database.execute(sql, []).expect("written"), 1, "{sql}");
    }
    // Whatever has it read again: here another change of the organization.
    scene.policy(json!({ "sso": "offered", "third_party": "none" })).await;
    for email in &people[..2] {
        let page = scene.identify(&scene.agent(), email).await;
        assert!(!asks_password(&page) && !at_company(&page), "{email}: {}", page.describe());
    }
    assert!(asks_password(&scene.identify(&scene.agent(), people[2]).await), "nobody else is touched");
    let listed = scene.api(Method::GET, DOMAINS, None, None).await;
    assert_eq!(listed["items"], json!([]), "neither is shown as the organization's");
    let alarms = || scene.events("integrity.violated").len();
    assert_eq!(alarms(), 2, "each is told once");
    scene.api(Method::GET, DOMAINS, None, None).await;
    assert_eq!(alarms(), 2);
    // The operator looks into it, and takes the row out.
    scene.command(&["domain", "drop", "planted.example.test", "--org", "hooli"]);
    assert!(asks_password(&scene.identify(&scene.agent(), people[1]).await), "nobody's, as before");
}

#[tokio::test]
async fn c6_the_operator_settles_a_dispute_and_everybody_is_told() {
    let mut scene = Scene::start().await;
    scene.hooli().await;
    let person = json!({ "email": "ann@hooli.example.test", "verified": true, "hash": HASH });
    scene.api(Method::POST, "/products/trello/accounts", Some(person), None).await;
    // An admin's claim: proved, and held only when somebody says so.
    let mut shown = Vec::new();
    let wanted = json!({ "domain": "hooli.example.test", "claim": "none" });
    scene.publish(DOMAINS, &wanted, &mut shown).await;
    scene.verify("hooli.example.test").await;
    scene.an_hour_later();
    assert_eq!(scene.verify("hooli.example.test").await["state"], "verified");
    let held = format!("{DOMAINS}/hooli.example.test");
    let stale = scene.send(Method::POST, &format!("{held}/claim"), None, Some("\"1\"".to_owned())).await;
    assert_eq!((stale.0, &stale.1["code"]), (StatusCode::CONFLICT, &json!("conflict")), "{}", stale.1);
    let claimed = scene.api(Method::POST, &format!("{held}/claim"), None, Some(&held)).await;
    assert_eq!(claimed["state"], "claimed");
    for action in ["domain.verified", "domain.claimed"] {
        let event = scene.events(action).pop().expect("an event");
        assert_eq!(event["actor"]["kind"], "api_token", "by whoever asked: {event}");
    }

    // Another organization proves the same domain. Nothing passes by that.
    let made = json!({ "name": "raviga", "admins": ["it@raviga.example.test"] });
    scene.api(Method::POST, "/organizations", Some(made), None).await;
    let theirs = "/organizations/raviga/domains";
    scene.publish(theirs, &json!({ "domain": "hooli.example.test" }), &mut shown).await;
    let path = format!("{theirs}/hooli.example.test");
    scene.api(Method::POST, &format!("{path}/verify"), None, None).await;
    scene.an_hour_later();
    let disputed = scene.api(Method::POST, &format!("{path}/verify"), None, None).await;
    assert_eq!((&disputed["state"], &disputed["counts"]), (&json!("disputed"), &json!(false)));
    let listed = scene.command(&["domain", "list"]);
    assert!(listed.contains("hooli.example.test  raviga  disputed"), "{listed}");

    // First for the holder, by the command; the other proves it again, and then it is decided the other way.
    scene.command(&["domain", "settle", "hooli.example.test", "--org", "hooli"]);
    assert!(scene.command(&["domain", "list"]).contains("hooli.example.test  raviga  unclaimed"));
    let nothing = scene.gateway.command(&["domain", "settle", "hooli.example.test", "--org", "hooli"]);
    assert!(!nothing.0.success() && nothing.2.contains("cannot be done"), "{}", nothing.2);
    scene.publish(theirs, &json!({ "domain": "hooli.example.test" }), &mut shown).await;
    scene.api(Method::POST, &format!("{path}/verify"), None, None).await;
    scene.an_hour_later();
    scene.api(Method::POST, &format!("{path}/verify"), None, None).await;
    let settled = scene.confirmed(Method::POST, &format!("{path}/settle"), &path).await;
    assert_eq!((&settled["state"], &settled["counts"]), (&json!("claimed"), &json!(true)), "{settled}");
    let lost = scene.events("domain.unclaimed").pop().expect("an event");
    assert_eq!((&lost["org"], &lost["reason"]), (&json!("hooli"), &json!("settled by the operator")), "{lost}");
    assert_eq!(lost["actor"]["kind"], "api_token", "{lost}");
    for to in ["it@hooli-two.example.test", "it@raviga.example.test", "ops@acme.example.test", "ann@hooli.example.test"]
    {
        eventually(&format!("{to} is told"), Duration::from_secs(10), || scene.letters(to) > 0).await;
    }
}

#[tokio::test]
async fn an_organization_goes_with_all_that_it_holds_or_stays_whole() {
    let mut scene = Scene::start().await;
    scene.hooli().await;
    let person = json!({ "email": "ann@hooli.example.test", "verified": true, "hash": HASH });
    scene.api(Method::POST, "/products/trello/accounts", Some(person), None).await;
    let mut shown = Vec::new();
    scene.add("hooli.example.test", &mut shown).await;
    scene.verify("hooli.example.test").await;
    scene.an_hour_later();
    assert_eq!(scene.verify("hooli.example.test").await["state"], "claimed");
    let (database, rows) = (scene.database(), "SELECT count(*) FROM domain_proof");
    let rows = || database.query_row(rows, [], |row| row.get::<_, u32>(0)).expect("readable");
    let trap = "CREATE TRIGGER trap BEFORE DELETE ON domain_proof BEGIN SELECT RAISE(ABORT, 'not now'); END";
    database.execute_batch(trap).expect("written");
    let tag = scene.tag(HOOLI).await;
    let (_, refused, _) = scene.send(Method::DELETE, HOOLI, None, tag.clone()).await;
    let code = refused["confirm"].as_str().unwrap_or_else(|| panic!("{refused}"));
    let path = format!("{HOOLI}?confirm={code}");
    let (status, said, _) = scene.send(Method::DELETE, &path, None, tag).await;
    assert!(!status.is_success(), "{said}");
    assert_eq!(
        (scene.api(Method::GET, HOOLI, None, None).await["domains"].clone(), rows()),
        (json!(["hooli.example.test"]), 1)
    );
    database.execute_batch("DROP TRIGGER trap").expect("written");
    scene.api(Method::DELETE, &path, None, Some(HOOLI)).await;
    assert_eq!(rows(), 0);
    eventually("its people are told", Duration::from_secs(10), || scene.letters("ann@hooli.example.test") > 0).await;
}
