//! Logins at a company's SAML provider (npm `samlify`), from the product and back.

use std::path::Path;

use http::{Method, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use url::Url;

use crate::support::agent::UserAgent;
use crate::support::authority::Authority;
use crate::support::configuration::Configuration;
use crate::support::gateway::Gateway;
use crate::support::intent::{Intent, Mode};
use crate::support::page::Page;
use crate::support::saml::Idp;
use crate::support::upstream::Upstream;
use crate::world::ACME;

/// The domain of another company at the same provider.
const GLOBEX: &str = "globex.example.test";

pub struct Company {
    pub gateway: Gateway,
    pub idp: Idp,
    pub trello: Upstream,
    pub authority: Authority,
}

/// Two companies and where the metadata of their providers is.
fn file(authority: &Authority, trello: &Upstream, [acme, globex]: [&str; 2], keys: &str) -> Configuration {
    Configuration::new()
        .trust(&authority.ca_file())
        .product("trello", &trello.url(), "")
        .table(&format!(
            "[org.acme]\nadmins = [\"it@{ACME}\"]\ndomains = [\"{ACME}\"]\nsso = {{ saml = \"{acme}\"{keys} }}"
        ))
        .table(&format!(
            "[org.globex]\nadmins = [\"it@{GLOBEX}\"]\ndomains = [\"{GLOBEX}\"]\nsso = {{ saml = \"{globex}\" }}"
        ))
}

impl Company {
    pub async fn open(keys: &str) -> Self {
        let authority = Authority::new();
        let idp = Idp::start(&authority);
        Self::with(authority, idp, |idp| idp.entity_id().to_owned(), keys).await
    }

    /// A company whose provider's metadata is there.
    pub async fn with(authority: Authority, idp: Idp, place: impl Fn(&Idp) -> String, keys: &str) -> Self {
        let trello = Upstream::start();
        let file = file(&authority, &trello, [&place(&idp), idp.entity_id()], keys);
        let gateway = Gateway::start(&file);
        let company = Self { gateway, idp, trello, authority };
        company.introduce("acme").await;
        company
    }

    /// The file that it began with, where the metadata of its provider is at this place.
    pub fn file(&self, place: &str) -> Configuration {
        file(&self.authority, &self.trello, [place, self.idp.entity_id()], "")
    }

    /// What a person sees who types an address of the company.
    pub async fn depart(&self) -> Page {
        let agent = self.browser();
        let page = agent.visit(&self.url("trello", "/page")).await;
        agent.submit(&page, "email", &[("email", &format!("ann@{ACME}"))]).await
    }

    /// Gives the provider our metadata of an organization, as its admin would.
    pub async fn introduce(&self, org: &str) {
        let page = self.browser().visit(&self.url("id", &format!("/saml/{org}/metadata"))).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.describe());
        self.idp.register(&page.html()).await;
    }

    pub fn url(&self, host: &str, path: &str) -> String {
        self.gateway.url(host, path)
    }

    pub fn browser(&self) -> UserAgent {
        self.gateway.agent(&[&self.authority.ca_file()])
    }

    /// From the product to the provider's form.
    pub async fn leave(&self, agent: &UserAgent) -> Page {
        self.leave_as(agent, &format!("ann@{ACME}")).await
    }

    pub async fn leave_as(&self, agent: &UserAgent, email: &str) -> Page {
        let page = agent.visit(&self.url("trello", "/page")).await;
        let page = agent.submit(&page, "email", &[("email", email)]).await;
        assert!(page.url.as_str().starts_with(self.idp.base()), "{}", page.describe());
        page
    }

    /// The provider's form, and the page that it posts from.
    pub async fn sign_in(&self, agent: &UserAgent, form: Page, login: &str) -> Page {
        agent.submit(&form, "/login", &[("login", login), ("password", &format!("{login}-pw"))]).await
    }

    pub async fn log_in(&self, agent: &UserAgent, login: &str) -> Page {
        let form = self.leave(agent).await;
        let back = self.sign_in(agent, form, login).await;
        agent.submit(&back, "/saml/acme/acs", &[]).await
    }

    /// Posts these fields where an organization's responses arrive, as a form of the provider's page.
    pub async fn post(&self, agent: &UserAgent, from: &Page, org: &str, [relay_state, response]: [&str; 2]) -> Page {
        let url = Url::parse(&self.url("id", &format!("/saml/{org}/acs"))).expect("a URL");
        let fields = [("SAMLResponse", response), ("RelayState", relay_state)];
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let intent = Intent { method: Method::POST, ..Intent::navigation(Some(&from.url), url) };
        agent.load(intent.with_body("application/x-www-form-urlencoded", body)).await
    }

    pub async fn who(&self, agent: &UserAgent) -> Option<Value> {
        let page = agent.visit(&self.url("trello", "/.fedgate/session")).await;
        (page.status == StatusCode::OK).then(|| page.json())
    }

    pub fn events(&self, action: &str) -> Vec<Value> {
        let (_, out, err) = self.gateway.command(&["audit", "search", "--json"]);
        let events = out
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|why| panic!("{why}: {out}{err}")));
        events.filter(|event| event["event"]["action"] == action || event["action"] == action).collect()
    }
}

#[tokio::test]
async fn a_person_of_a_company_with_saml_is_let_in_and_stays_the_same_person() {
    let company = Company::open("").await;
    for (sign, encrypt) in [("both", false), ("assertion", false), ("both", true), ("assertion", true)] {
        // Where the message is signed, it is signed as it is sent.
        let order = if sign == "both" { "encrypt-then-sign" } else { "sign-then-encrypt" };
        company.idp.mode(json!({ "sign": sign, "encrypt": encrypt, "order": order })).await;
        company.introduce("acme").await;
        let ann = company.browser();
        let page = company.log_in(&ann, "ann").await;
        assert_eq!(
            page.url.as_str(),
            company.url("trello", "/page"),
            "{sign} {encrypt}: {} {:?}",
            page.describe(),
            company.events("login.denied")
        );
        let who = company.who(&ann).await.expect("in");
        assert_eq!(
            (&who["email"], &who["name"], &who["managed"]),
            (&json!(format!("ann@{ACME}")), &json!("Ann Acme"), &json!(true)),
            "{who}"
        );
        let sub = company.trello.last("/page").head.first("x-fedgate-user").map(ToOwned::to_owned);
        assert_eq!(Some(who["sub"].as_str().expect("a sub").to_owned()), sub);
    }
    // Another person, whose name needs every escape.
    let bob = company.browser();
    company.log_in(&bob, "bob").await;
    let who = company.who(&bob).await.expect("in");
    assert_eq!(who["name"], json!("Bob \"Zoë\" <Acme> & 李"));
    // Their ids outlive another address: who somebody is does not hang on it.
    company.idp.mode(json!({ "email": format!("ann.new@{ACME}") })).await;
    let again = company.browser();
    company.log_in(&again, "ann").await;
    assert_ne!(company.who(&again).await.expect("in")["sub"], who["sub"]);
}

#[tokio::test]
async fn a_provider_that_takes_requests_by_a_form_alone_is_asked_by_one() {
    let authority = Authority::new();
    let idp = Idp::start(&authority);
    idp.mode(json!({ "bindings": ["post"] })).await;
    let company = Company::with(authority, idp, |idp| idp.entity_id().to_owned(), "").await;
    let ann = company.browser();
    let form = company.leave(&ann).await;
    let asked = form.trace.last().expect("a request");
    assert_eq!((&asked.method, asked.url.path()), (&Method::POST, "/sso"), "{}", form.describe());
    let back = company.sign_in(&ann, form, "ann").await;
    let page = ann.submit(&back, "/saml/acme/acs", &[]).await;
    assert_eq!(page.url.as_str(), company.url("trello", "/page"), "{}", page.describe());
    assert!(company.who(&ann).await.is_some());
}

#[tokio::test]
async fn c1_what_a_response_says_wrong_opens_nothing_and_is_named() {
    let company = Company::open("").await;
    for (lie, code) in [
        (json!({ "audience": "https://other.example/saml" }), "saml-audience"),
        (json!({ "destination": "https://other.example/acs" }), "saml-destination"),
        (json!({ "recipient": "https://other.example/acs" }), "saml-recipient"),
        (json!({ "in_response_to": "_another" }), "saml-in-response-to"),
        (json!({ "now": -7200 }), "saml-"),
        (json!({ "now": 7200 }), "saml-"),
        (json!({ "email": "ann@other.example.test" }), "authority"),
    ] {
        company.idp.mode(lie.clone()).await;
        let agent = company.browser();
        let page = company.log_in(&agent, "ann").await;
        assert!(page.status.is_client_error(), "{lie}: {}", page.describe());
        assert_eq!(company.who(&agent).await, None, "{lie}");
        let refused = company.events("login.denied").pop().expect("an event");
        let reason = refused.to_string();
        assert!(reason.contains(code), "{lie} wants {code}: {reason}");
        let undo: Value = lie.as_object().expect("an object").keys().map(|key| (key.clone(), Value::Null)).collect();
        company.idp.mode(undo).await;
    }
    let agent = company.browser();
    company.log_in(&agent, "ann").await;
    assert!(company.who(&agent).await.is_some(), "the truth is let in");
}

/// Whoever reads an explanation can neither use the response again nor see who it was (rule M20).
fn holds_nothing_to_use_again(explanation: &str, response: &str) {
    let document = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, response).expect("base64");
    let document = String::from_utf8(document).expect("text");
    let marks = ["SignatureValue>", "DigestValue>", "NameID Format=", " ID=\"", "AttributeValue"];
    for mark in marks {
        let value = document.split(mark).nth(1).unwrap_or_else(|| panic!("no {mark} in {document}"));
        let value: String = value.chars().take_while(|c| !['<', '"'].contains(c)).take(40).collect();
        assert!(value.len() < 4 || !explanation.contains(&value), "{mark}: {value} is in {explanation}");
    }
    assert!(!explanation.contains("ann@") && !explanation.contains(&response[..40]), "{explanation}");
}

#[tokio::test]
async fn m20_saml_check_and_the_reference_of_a_refusal_say_the_same() {
    let company = Company::open("").await;
    company.idp.mode(json!({ "audience": "https://other.example/saml" })).await;
    let ann = company.browser();
    let form = company.leave(&ann).await;
    let back = company.sign_in(&ann, form, "ann").await;
    let [_, response] = fields(&back);
    ann.submit(&back, "/saml/acme/acs", &[]).await;
    let denied = company.events("login.denied").pop().expect("an event");
    let trace = denied["trace"].as_array().expect("a trace").iter().map(|line| line.as_str().expect("text"));
    let trace: Vec<&str> = trace.collect();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("response");
    let written = |text: &str| std::fs::write(&file, text).expect("a file");
    let check = |more: &[&str]| {
        let response = file.display().to_string();
        company.gateway.command(&[&["saml", "check", &response, "--org", "acme"], more].concat())
    };
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("SAMLResponse", response.as_str()), ("RelayState", "x")])
        .finish();
    for pasted in [&response, &form] {
        written(pasted);
        let (status, out, err) = check(&[]);
        assert_eq!(status.code(), Some(1), "{out}{err}");
        let lines: Vec<&str> = out.lines().skip(1).map(str::trim).collect();
        assert!(lines[0].starts_with("saml-audience: ") && lines[1].starts_with("remedy: "), "{out}");
        let audience = "FAILS audience: expected https://id.example.test";
        assert!(
            lines.iter().any(|line| line.starts_with(audience) && line.ends_with("got https://other.example/saml"))
        );
        // Only what the login knew differs: when its request left, and the clock.
        let told: Vec<&str> = lines.iter().copied().filter(|line| !trace.contains(line)).collect();
        assert!(told.iter().all(|line| line.contains("-22T") || line.contains("20")), "{told:?} beside {trace:?}");
        assert!(lines.iter().filter(|line| line.starts_with("holds ")).count() > 18, "{out}");
        assert!(
            lines.iter().any(|line| line.starts_with("certificate that came ") && line.ends_with(", known")),
            "{out}"
        );
        assert!(lines.iter().any(|line| line.starts_with("key known ")), "{out}");
        holds_nothing_to_use_again(&out, &response);
    }
    let reference = denied["ref"].as_str().expect("a reference");
    let (_, story, _) = company.gateway.command(&["explain", "--ref", reference]);
    assert!(trace.iter().all(|line| story.contains(line)), "{story}");
    assert!(trace.iter().any(|line| line.starts_with("FAILS audience: ")), "{trace:?}");
    holds_nothing_to_use_again(&story, &response);
    // At another time it is over; from a stranger it is nothing; and what is no response at all says so.
    let (status, out, _) = check(&["--json", "--at", "2036-01-01T00:00:00Z"]);
    let failed: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((status.code(), &failed["good"]), (Some(1), &json!(false)));
    let codes: Vec<&Value> = failed["checks"].as_array().expect("checks").iter().map(|check| &check["code"]).collect();
    assert!(codes.contains(&&json!("saml-expired")) && codes.contains(&&json!("saml-audience")), "{out}");
    let (status, out, _) = {
        let response = file.display().to_string();
        company.gateway.command(&["saml", "check", &response, "--org", "globex", "--json"])
    };
    assert_eq!(status.code(), Some(1), "{out}");
    written("<html>Log in</html>");
    let (status, out, _) = check(&[]);
    assert!(status.code() == Some(1) && out.contains("saml-root: "), "{out}");
    let (status, _, err) = check(&["--directory", "other"]);
    assert!(status.code() == Some(2) && err.contains("no such directory"), "{err}");
    // A good one would be taken: nothing was used up by asking.
    company.idp.mode(json!({ "audience": null })).await;
    let ann = company.browser();
    let form = company.leave(&ann).await;
    let back = company.sign_in(&ann, form, "ann").await;
    written(&fields(&back)[1]);
    for _ in 0..2 {
        let (status, out, err) = check(&[]);
        assert_eq!(status.code(), Some(0), "{out}{err}");
    }
    ann.submit(&back, "/saml/acme/acs", &[]).await;
    assert!(company.who(&ann).await.is_some(), "and it was");
}

/// The gateway's processes for second opinions.
fn second_opinions(company: &Company) -> Vec<Pid> {
    let of = |folder: std::fs::DirEntry| {
        let pid: i32 = folder.file_name().to_str()?.parse().ok()?;
        let status = std::fs::read_to_string(folder.path().join("status")).ok()?;
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().to_owned();
        let called = std::fs::read(folder.path().join("cmdline")).ok()?;
        let is_one = parent == company.gateway.pid().to_string() && called.ends_with(b"second-opinion\0");
        is_one.then(|| Pid::from_raw(pid)).flatten()
    };
    std::fs::read_dir("/proc").expect("/proc").filter_map(|folder| of(folder.ok()?)).collect()
}

/// How much data a process has for itself.
fn data_kib(pid: Pid) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:")?.strip_suffix("kB")).expect("its data");
    line.trim().parse().expect("a number")
}

#[tokio::test]
async fn h11_a_second_opinion_that_hangs_or_dies_costs_a_login_at_most() {
    let company = Company::open("").await;
    let logs_in = async || {
        let ann = company.browser();
        company.log_in(&ann, "ann").await;
        company.who(&ann).await.is_some()
    };
    assert!(logs_in().await, "{:?}", company.events("login.denied"));
    assert!(company.gateway.log().contains("a second opinion by samael, in a sandboxed process"));
    let all = second_opinions(&company);
    assert!(!all.is_empty(), "somebody else was asked");
    // Whatever allocator the program has.
    all.iter().for_each(|pid| assert!(data_kib(*pid) < 64 * 1024, "it takes no more than its sandbox allows"));
    all.iter().for_each(|pid| kill_process(*pid, Signal::STOP).expect("it runs"));
    assert!(!logs_in().await, "nobody is let in without the answer that is due");
    assert!(company.events("login.denied").pop().expect("an event").to_string().contains("saml-no-second-opinion"));
    // Each of them costs one at most, and then all are new.
    let mut tries = 0;
    while !logs_in().await {
        tries += 1;
        assert!(tries < all.len(), "{:?}", company.events("login.denied"));
    }
    second_opinions(&company).iter().for_each(|pid| kill_process(*pid, Signal::KILL).expect("it runs"));
    assert!(logs_in().await, "one that ended while nobody asked costs nothing");
}

#[tokio::test]
async fn h11_second_opinions_are_switched_off_by_a_word_and_the_log_says_so() {
    let authority = Authority::new();
    let idp = Idp::start(&authority);
    let trello = Upstream::start();
    let off = "[saml]\nsecond_opinion = \"off\"";
    let gateway = Gateway::start(&file(&authority, &trello, [idp.entity_id(); 2], "").table(off));
    let company = Company { gateway, idp, trello, authority };
    company.introduce("acme").await;
    let ann = company.browser();
    company.log_in(&ann, "ann").await;
    assert!(company.who(&ann).await.is_some());
    assert_eq!(second_opinions(&company), []);
    assert!(company.gateway.log().contains("get no second opinion: [saml] second_opinion is"));
}

/// The process tries by itself what it must not be able to do (files, sockets, processes, its parent), and says `Ready` only where
/// all of that fails; so this is a test of every rule of the sandbox.
#[test]
fn h11_the_process_of_the_second_opinion_can_do_nothing_else() {
    let mut command = crate::support::gateway::program();
    let output = command.arg("second-opinion").stdin(std::process::Stdio::null()).output().expect("it starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "\0\0\0\u{7}\"Ready\"");
    assert!(output.status.success());
}

/// The state and the response that a page of the provider would post.
fn fields(page: &Page) -> [String; 2] {
    let forms = page.forms();
    let of = |name: &str| {
        let mut found = forms.iter().flat_map(|form| &form.fields).filter(|(known, _)| known == name);
        found.next().unwrap_or_else(|| panic!("no {name}: {}", page.describe())).1.clone()
    };
    [of("RelayState"), of("SAMLResponse")]
}

#[tokio::test]
async fn c1_two_companies_at_one_provider_never_meet() {
    let company = Company::open("").await;
    let (ann, bob) = (company.browser(), company.browser());
    let form = company.leave(&ann).await;
    let back = company.sign_in(&ann, form, "ann").await;
    let [relay_state, response] = fields(&back);
    // Her company's answer at the other one's address is a mix-up, and spent (rule C5).
    let page = company.post(&ann, &back, "globex", [&relay_state, &response]).await;
    assert!(page.status.is_client_error(), "{}", page.describe());
    assert_eq!(company.who(&ann).await, None);
    assert!(company.events("login.denied").pop().expect("an event").to_string().contains("proof-directory"));
    // An answer of hers inside a login of the other company: same provider, same keys, another audience.
    let ann = company.browser();
    let form = company.leave(&ann).await;
    let [_, hers] = fields(&company.sign_in(&ann, form, "ann").await);
    company.introduce("globex").await;
    let form = company.leave_as(&bob, &format!("bob@{GLOBEX}")).await;
    let his = form.url.query_pairs().find(|(name, _)| name == "RelayState").expect("a state").1.into_owned();
    let page = company.post(&bob, &form, "globex", [&his, &hers]).await;
    assert!(page.status.is_client_error(), "{}", page.describe());
    assert_eq!(company.who(&bob).await, None);
    assert!(company.events("login.denied").pop().expect("an event").to_string().contains("\"saml-"));
}

#[tokio::test]
async fn h10_a_response_counts_once_and_in_its_own_browser() {
    let company = Company::open("").await;
    let ann = company.browser();
    let form = company.leave(&ann).await;
    let back = company.sign_in(&ann, form, "ann").await;
    // Somebody who stole the page posts it elsewhere: nothing is read, and the assertion is still good.
    let thief = company.browser();
    let stolen = thief.submit(&back, "/saml/acme/acs", &[]).await;
    assert!(!crate::world::gave_session(&stolen), "{}", stolen.describe());
    let page = ann.submit(&back, "/saml/acme/acs", &[]).await;
    assert_eq!(page.url.as_str(), company.url("trello", "/page"), "{}", page.describe());
    // A second time it makes nothing.
    let again = ann.submit(&back, "/saml/acme/acs", &[]).await;
    assert!(!crate::world::gave_session(&again), "{}", again.describe());
}

#[tokio::test]
async fn an_assertion_is_good_for_one_login_whichever_it_answers() {
    let company = Company::open("").await;
    company.idp.mode(json!({ "assertion_id": "_the-same-twice" })).await;
    let first = company.browser();
    company.log_in(&first, "ann").await;
    assert!(company.who(&first).await.is_some());
    let second = company.browser();
    let page = company.log_in(&second, "ann").await;
    assert!(page.status.is_client_error(), "{}", page.describe());
    assert_eq!(company.who(&second).await, None);
    assert!(company.events("login.denied").pop().expect("an event").to_string().contains("saml-replayed"));
}

#[tokio::test]
async fn mistake_28_a_response_that_nobody_asked_for_begins_a_login_of_our_own() {
    let company = Company::open("").await;
    let ann = company.browser();
    company.log_in(&ann, "ann").await;
    // The portal's tile, in a browser that is logged in at the provider and not here.
    ann.forget(|cookie| cookie.name.starts_with("__Host-fedgate"));
    assert_eq!(company.who(&ann).await, None);
    let tile = ann.visit(&format!("{}/portal", company.idp.base())).await;
    let answer = ann.submit(&tile, "/saml/acme/acs", &[]).await;
    assert!(
        answer.url.as_str().starts_with(&format!("{}/sso?SAMLRequest=", company.idp.base())),
        "{}",
        answer.describe()
    );
    let page = ann.submit(&answer, "/saml/acme/acs", &[]).await;
    assert_eq!(page.url.as_str(), company.url("id", "/"), "{}", page.describe());
    let page = ann.visit(&company.url("trello", "/page")).await;
    assert_eq!(page.url.as_str(), company.url("trello", "/page"), "{}", page.describe());
}

#[tokio::test]
async fn m5_new_keys_are_written_down_and_another_entity_is_another_directory() {
    let company = Company::open("").await;
    let ann = company.browser();
    company.log_in(&ann, "ann").await;
    let keys = company.events("provider.keys");
    assert_eq!(keys.len(), 1, "the first keys: {keys:?}");
    // A provider at the same place that calls itself otherwise.
    let other = Idp::start(&company.authority);
    let places = [other.entity_id(), company.idp.entity_id()];
    let file = file(&company.authority, &company.trello, places, "");
    company.gateway.configure(&file);
    let (status, out, err) = company.gateway.command(&["reload"]);
    assert!(status.success(), "{out}{err}");
    let page = company.depart().await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{}", page.describe());
}

#[tokio::test]
async fn m4_a_provider_that_was_taken_out_is_not_remembered_after_a_restart() {
    let mut company = Company::open("").await;
    let ann = company.browser();
    company.log_in(&ann, "ann").await;
    assert!(company.who(&ann).await.is_some());
    // The other place is down: what the old one said is nobody's word any more.
    let places = ["https://127.0.0.1:9/metadata", company.idp.entity_id()];
    let file = file(&company.authority, &company.trello, places, "");
    company.gateway.configure(&file);
    company.gateway.restart();
    let page = company.depart().await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{}", page.describe());
}

#[tokio::test]
async fn m5_a_directory_that_is_put_back_begins_from_its_metadata_and_has_its_people() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a temporary directory"));
    let metadata = folder.path().join("idp.xml");
    let written = |idp: &Idp| std::fs::write(&metadata, idp.metadata()).expect("a file");
    let place = metadata.display().to_string();
    let idp = Idp::start(&authority);
    written(&idp);
    let mut company = Company::with(authority, idp, |_| place.clone(), "").await;
    let ann = company.browser();
    company.log_in(&ann, "ann").await;
    let sub = company.who(&ann).await.expect("in")["sub"].clone();
    // While its file is away it is remembered, over a start too.
    std::fs::remove_file(&metadata).expect("a file");
    company.gateway.restart();
    company.leave(&company.browser()).await;

    let with = company.file(&place);
    let globex = format!(
        "[org.globex]\nadmins = [\"it@{GLOBEX}\"]\ndomains = [\"{GLOBEX}\"]\nsso = {{ saml = \"{}\" }}",
        company.idp.entity_id()
    );
    let without = Configuration::new().trust(&company.authority.ca_file()).product("trello", &company.trello.url(), "");
    let without = without.table(&globex);
    company.gateway.reload(&without);
    company.gateway.reload(&with);
    let page = company.depart().await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{}", page.describe());
    company.gateway.restart();
    let page = company.depart().await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{}", page.describe());
    // Another provider is not let in as the one that its people know (rule C1).
    written(&Idp::start(&company.authority));
    company.gateway.restart();
    let page = company.depart().await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{}", page.describe());
    written(&company.idp);
    company.gateway.restart();
    let again = company.browser();
    company.log_in(&again, "ann").await;
    assert_eq!(company.who(&again).await.expect("in")["sub"], sub);
}

#[tokio::test]
async fn mistake_21_a_certificate_that_has_ended_is_used_unless_it_is_to_be_refused() {
    let authority = Authority::new();
    let idp = Idp::start_until(&authority, 2021);
    let company = Company::with(authority, idp, |idp| idp.entity_id().to_owned(), "").await;
    let ann = company.browser();
    company.log_in(&ann, "ann").await;
    assert!(company.who(&ann).await.is_some(), "the dates bind nobody");
    assert!(company.gateway.log().contains("whose certificate has ended"));
    // Each use is in the log, the first of a day in the audit too.
    company.log_in(&company.browser(), "bob").await;
    let used = company.events("provider.keys");
    let used: Vec<_> = used.iter().filter(|event| event.to_string().contains("certificate-ended")).collect();
    assert!((1..=2).contains(&used.len()), "one a day: {used:?}");

    // Refused: the one key of the provider, and an ended one beside another that lives.
    let refuse = ", expired_keys = \"refuse\"";
    let authority = Authority::new();
    let idp = Idp::start_until(&authority, 2021);
    let company = Company::with(authority, idp, |idp| idp.entity_id().to_owned(), refuse).await;
    assert_eq!(company.depart().await.status, StatusCode::SERVICE_UNAVAILABLE);
    let authority = Authority::new();
    let (idp, other) = (Idp::start_until(&authority, 2021), Idp::start(&authority));
    let folder = tempfile::tempdir().expect("a temporary directory");
    let company = Company::with(authority, idp, |idp| beside(folder.path(), idp, &other), refuse).await;
    let ann = company.browser();
    let page = company.log_in(&ann, "ann").await;
    assert!(page.status.is_client_error(), "{}", page.describe());
    assert_eq!(company.who(&ann).await, None);
    assert!(company.events("login.denied").pop().expect("an event").to_string().contains("saml-ended-key"));
}

/// A file with the provider's metadata, the other one's key beside its own, and a byte order mark as Entra writes it.
fn beside(folder: &Path, idp: &Idp, other: &Idp) -> String {
    let key = |idp: &Idp| {
        let metadata = idp.metadata();
        let (start, end) = ("<KeyDescriptor use=\"signing\">", "</KeyDescriptor>");
        let at = metadata.find(start).unwrap_or_else(|| panic!("a key in {metadata}"));
        let length = metadata[at..].find(end).expect("its end") + end.len();
        metadata[at..at + length].to_owned()
    };
    let both = format!("{}{}", key(idp), key(other));
    let path = folder.join("idp.xml");
    std::fs::write(&path, format!("\u{feff}{}", idp.metadata().replacen(&key(idp), &both, 1))).expect("a file");
    path.display().to_string()
}

#[tokio::test]
async fn a_provider_that_forgets_our_state_is_asked_a_few_times_and_no_script_begins_a_login() {
    let company = Company::open("").await;
    let ann = company.browser();
    let form = company.leave(&ann).await;
    let back = company.sign_in(&ann, form, "ann").await;
    let [_, response] = fields(&back);
    for round in 0..4 {
        let page = company.post(&ann, &back, "acme", ["", &response]).await;
        assert_eq!(page.url.as_str().starts_with(company.idp.base()), round < 3, "{round}: {}", page.describe());
    }
    // A tile whose response is larger than what is read of strangers: a page that says what to do.
    let page = company.post(&company.browser(), &back, "acme", ["", &"A".repeat(80 * 1024)]).await;
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", page.describe());
    assert!(page.text().contains("Open the product’s own address"), "{}", page.describe());
    let url = Url::parse(&company.url("id", "/saml/acme/acs")).expect("a URL");
    let from = Url::parse(&company.url("trello", "/page")).expect("a URL");
    let intent = Intent::fetch(&from, Mode::NoCors, Method::POST, url);
    let page = ann.load(intent.with_body("application/x-www-form-urlencoded", "SAMLResponse=x")).await;
    assert!(page.trace.iter().all(|hop| hop.set_cookies.is_empty()), "{}", page.describe());
}
