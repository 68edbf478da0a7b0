//! An outage of the store (rules M1, M2): what is known goes on for the grace, nobody new comes in, and then it ends.

use fedgate::kernel::values::OrgName;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fedgate::cli::node::{Extras, Node};
use fedgate::config::{Config, Machine, read};
use fedgate::kernel::journal::{Batch, Revocation};
use fedgate::store::{self, Store};
use http::{Request, StatusCode};
use http_body_util::Full;
use url::Url;

use super::failing::Failing;
use super::ground::log_in;
use super::provider::LightOp;
use super::revocation::{end_of_socket, socket};
use super::support::agent::UserAgent;
use super::support::clock::{Deadline, timed};
use super::support::configuration::{Configuration, Ports};
use super::support::ports;
use super::support::upstream::Upstream;
use super::support::wire::Wire;

/// How long memory counts as fresh after the last good reading (rule M1).
const LEASE: Duration = Duration::from_secs(1);
const GRACE: Duration = Duration::from_secs(2);
/// A reading each quarter of a second, and a busy machine.
const SLACK: Duration = Duration::from_millis(1500);

/// A gateway inside this process, on a store that can be switched off.
struct Inside {
    node: Node,
    store: Arc<Failing>,
    ports: Ports,
    folder: tempfile::TempDir,
    op: LightOp,
    _products: [Upstream; 2],
}

impl Inside {
    async fn start() -> Self {
        Self::start_beside(None).await
    }

    /// While another node commits something, as this one begins to read.
    async fn start_beside(meanwhile: Option<Batch>) -> Self {
        let (op, trello, loom) = (LightOp::start(), Upstream::start(), Upstream::start());
        let folder = tempfile::tempdir().expect("a temporary directory");
        let ports = Ports { https: ports::free(), http: ports::free(), ops: ports::free() };
        let text = Configuration::new()
            .trust(&op.ca_file())
            .product("trello", &trello.url(), "on_store_outage = { grace = \"2s\" }")
            .product("loom", &loom.url(), "on_store_outage = \"deny\"")
            .organization("acme", "acme.example.test", op.issuer(), "a secret")
            .render(ports, folder.path());
        let config = configured(&text, &folder);
        let inner = store::open("sqlite:fedgate.db", &config.state).expect("a store");
        let store = Failing::over(inner);
        if let Some(batch) = meanwhile {
            store.meanwhile(batch);
        }
        let extras = Extras { store: Some(Arc::clone(&store) as Arc<dyn Store>), ..Extras::default() };
        let node = Node::start(config, extras).await.expect("it starts");
        Self { node, store, ports, folder, op, _products: [trello, loom] }
    }

    fn url(&self, host: &str, path: &str) -> String {
        format!("https://{host}.example.test:{}{path}", self.ports.https)
    }

    fn agent(&self) -> UserAgent {
        UserAgent::new(&[&self.folder.path().join("state/ca.pem"), &self.op.ca_file()])
    }

    async fn ready(&self, query: &str) -> StatusCode {
        let url = Url::parse(&format!("http://127.0.0.1:{}/readyz{query}", self.ports.ops)).expect("a URL");
        let request = Request::get(url.as_str()).body(Full::<Bytes>::default()).expect("a request");
        Wire::plain().exchange(&url, request).await.expect("the ops listener answers").status()
    }

    async fn at(&self, agent: &UserAgent, host: &str) -> StatusCode {
        let page = agent.visit(&self.url(host, "/")).await;
        assert_eq!(page.trace.len(), 1, "no way round: {}", page.describe());
        page.status
    }
}

fn configured(text: &str, folder: &tempfile::TempDir) -> Config {
    let file = folder.path().join("fedgate.toml");
    let (config, report) = read(text, &file, &Machine);
    config.unwrap_or_else(|| panic!("{}", report.plain()))
}

#[tokio::test]
async fn m1_what_another_node_says_while_this_one_starts_is_not_missed() {
    let acme = OrgName::parse("acme").expect("a name");
    let changed = Batch { revocations: vec![Revocation::Organization(acme)], ..Batch::default() };
    let inside = Inside::start_beside(Some(changed)).await;
    let patience = Deadline::after(Duration::from_secs(5));
    while !inside.store.has_read_documents_since() {
        assert!(!patience.passed(), "what another node changed meanwhile is never read");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn m2_known_sessions_outlive_the_store_for_the_grace_and_nobody_new_comes_in() {
    let inside = Inside::start().await;
    let ann = inside.agent();
    assert_eq!(log_in(&ann, &inside.url("trello", "/"), "ann").await.status, 200);
    assert_eq!(ann.visit(&inside.url("loom", "/")).await.status, 200);
    let mut stream = socket(&ann, &inside.url("trello", "/live")).await;
    // Bob is asked for his address before the outage, and comes back from his provider in it.
    let bob = inside.agent();
    let asked = bob.visit(&inside.url("trello", "/")).await;

    inside.store.switch(true);
    let grace_is_over = Deadline::after(LEASE + GRACE);
    let (_, took) = timed(async {
        tokio::time::sleep(LEASE + Duration::from_millis(300)).await;
        assert_eq!(inside.at(&ann, "trello").await, 200, "known, and within the grace");
        assert_eq!(inside.at(&ann, "loom").await, 503, "this product has none");
        assert_eq!(
            (inside.ready("").await, inside.ready("?strict").await),
            (StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE)
        );
        let page = bob.submit(&asked, "email", &[("email", "bob@acme.example.test")]).await;
        assert_eq!(page.status, 503, "nobody new: {}", page.describe());
        assert!(page.url.as_str().starts_with(&inside.url("id", "/login/callback")), "{}", page.describe());
        assert!(!grace_is_over.passed(), "this machine was too slow to judge the grace");
        end_of_socket(&mut stream).await;
    })
    .await;
    println!("the stream ended {took:?} after the outage began; the lease is {LEASE:?}, the grace {GRACE:?}");
    assert!(took + Duration::from_millis(300) >= LEASE + GRACE && took <= LEASE + GRACE + SLACK, "{took:?}");
    assert_eq!(inside.at(&ann, "trello").await, 503, "the grace is over");
    assert_eq!(inside.ready("").await, 503);

    inside.store.switch(false);
    let back = Deadline::after(Duration::from_secs(5));
    while inside.ready("?strict").await != 200 {
        assert!(!back.passed(), "not ready again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(inside.at(&ann, "trello").await, 200, "the session outlived the outage");
    let events = inside.store.log(0, 1000).await.expect("it answers");
    let outage = events.iter().filter(|event| event.bytes.windows(12).any(|text| text == b"store.outage")).count();
    assert_eq!(outage, 1, "the outage is recorded");
    inside.node.drain(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn m23_keys_that_changed_and_cannot_be_read_let_nobody_in_until_they_are() {
    let inside = Inside::start().await;
    let ann = inside.agent();
    assert_eq!(log_in(&ann, &inside.url("trello", "/"), "ann").await.status, 200);
    assert_eq!(ann.visit(&inside.url("loom", "/")).await.status, 200);
    let bob = inside.agent();
    let asked = bob.visit(&inside.url("trello", "/")).await;
    inside.store.switch_keys(true);
    let batch = Batch { revocations: vec![Revocation::Keys], ..Batch::default() };
    inside.store.commit(batch).await.expect("the store takes it");
    // The rotation is known and the keys are not: what was cached goes on for the grace at most, and nothing new begins.
    let soon = Deadline::after(Duration::from_secs(5));
    while inside.at(&ann, "loom").await != 503 {
        assert!(!soon.passed(), "sessions go on under keys of before");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let page = bob.submit(&asked, "email", &[("email", "bob@acme.example.test")]).await;
    assert_eq!(page.status, 503, "nobody new: {}", page.describe());
    while inside.ready("?strict").await != 503 {
        assert!(!soon.passed(), "ready, with keys of before");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    inside.store.switch_keys(false);
    let back = Deadline::after(Duration::from_secs(15));
    while inside.ready("?strict").await != 200 {
        assert!(!back.passed(), "it is never tried again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(inside.at(&ann, "loom").await, 200);
    inside.node.drain(Duration::from_secs(1)).await;
}
