//! Gateways over a store on a server: revocations of others, and a server that stops or freezes (rules M1, M2).

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use super::ground::log_in;
use super::provider::LightOp;
use super::revocation::{end_of_socket, socket};
use super::server::{Server, name_of};
use super::support::agent::UserAgent;
use super::support::clock::{Deadline, timed};
use super::support::configuration::Configuration;
use super::support::gateway::Gateway;
use super::support::upstream::Upstream;

/// What the README promises.
const PROMISED: Duration = Duration::from_secs(1);
/// The lease, the grace of the scenes, and a busy machine.
const OVER: Duration = Duration::from_secs(1 + 6 + 5);

struct Ground {
    gateway: Gateway,
    op: LightOp,
    _product: Upstream,
}

impl Ground {
    fn over(url: &str) -> Self {
        let (op, trello) = (LightOp::start(), Upstream::start());
        let configuration = Configuration::new()
            .top("key_file = \"{dir}/kek\"")
            .trust(&op.ca_file())
            .product("trello", &trello.url(), "on_store_outage = { grace = \"6s\" }")
            .organization("acme", "acme.example.test", op.issuer(), "a secret")
            .secret("{dir}/store", url)
            .table("[store]\nurl_file = \"{dir}/store\"");
        Self { gateway: Gateway::start(&configuration), op, _product: trello }
    }

    fn agent(&self) -> UserAgent {
        self.gateway.agent(&[&self.op.ca_file()])
    }

    async fn status(&self, agent: &UserAgent) -> u16 {
        agent.visit(&self.gateway.url("trello", "/")).await.status.as_u16()
    }

    /// Until answers come from a feed that is read, and no grace is needed.
    async fn until_fresh(&self, wait: Duration) {
        let patience = Deadline::after(wait);
        while self.gateway.ops("/readyz?strict").is_none_or(|(status, _)| status != 200) {
            assert!(!patience.passed(), "never fresh:\n{}", self.gateway.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn until(&self, agent: &UserAgent, status: u16, wait: Duration) {
        let patience = Deadline::after(wait);
        while self.status(agent).await != status {
            assert!(!patience.passed(), "never {status}:\n{}", self.gateway.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn a_revocation_of_another_process_ends_streams_within_a_second_while_a_transaction_is_held_open() {
    let server = Server::shared();
    let url = server.database();
    let ground = Ground::over(&url);
    let ann = ground.agent();
    assert_eq!(log_in(&ann, &ground.gateway.url("trello", "/"), "ann").await.status, 200);
    let mut stream = socket(&ann, &ground.gateway.url("trello", "/live")).await;
    // Somebody has drawn the next position and does not end.
    let mut stranger = server.client(name_of(&url)).stdin(Stdio::piped()).spawn().expect("psql");
    let late = "BEGIN; INSERT INTO revocation (at, kind, subject, detail) VALUES (1, 'keys', '', '');";
    writeln!(stranger.stdin.as_mut().expect("a pipe"), "{late}").expect("it reads");
    let waits =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'";
    while server.psql(name_of(&url), waits) != "1" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (status, said, err) = ground.gateway.command(&["sessions", "revoke", "--person", "ann@acme.example.test"]);
    assert!(status.success(), "{said}{err}");
    let (ended, took) = timed(tokio::time::timeout(Duration::from_secs(10), end_of_socket(&mut stream))).await;
    assert!(ended.is_ok() && took < PROMISED, "{took:?}");
    let page = ann.visit(&ground.gateway.url("trello", "/")).await;
    assert!(page.url.as_str().starts_with(&ground.gateway.url("id", "/")), "{}", page.describe());
    // The gap keeps the row coming at each reading: it takes effect once.
    let applied = || {
        let metrics = ground.gateway.ops("/metrics").expect("the ops listener answers").1;
        metrics.lines().find(|line| line.contains("revocation_lag_seconds_count")).expect("the metric").to_owned()
    };
    let before = applied();
    tokio::time::sleep(PROMISED).await;
    assert_eq!(applied(), before);
    drop(stranger.stdin.take());
    assert!(stranger.wait().expect("it ends").success());
}

#[tokio::test]
async fn m2_a_server_that_stops_or_freezes_is_outlived_for_the_grace() {
    let mut server = Server::start();
    let ground = Ground::over(&server.database());
    let (ann, bob) = (ground.agent(), ground.agent());
    assert_eq!(log_in(&ann, &ground.gateway.url("trello", "/"), "ann").await.status, 200);
    for is_frozen in [false, true] {
        let out = |server: &mut Server, out: bool| match (is_frozen, out) {
            (true, out) => server.freeze(out),
            (false, true) => assert_eq!(server.tell("stop"), 0),
            (false, false) => assert_ne!(server.tell("start"), 0),
        };
        out(&mut server, true);
        for _ in 0..2 {
            assert_eq!(ground.status(&ann).await, 200, "known, and within the grace ({is_frozen})");
            tokio::time::sleep(Duration::from_millis(1200)).await;
        }
        ground.until(&ann, 503, OVER).await;
        let page = bob.visit(&ground.gateway.url("trello", "/")).await;
        let page = match page.status.as_u16() {
            200 => bob.submit(&page, "email", &[("email", "bob@acme.example.test")]).await,
            _ => page,
        };
        assert_eq!(page.status, 503, "nobody new: {}", page.describe());
        out(&mut server, false);
        ground.until(&ann, 200, Duration::from_secs(10)).await;
        // After a gap all that is remembered is read anew, once the feed is: only then is she known for the next one.
        ground.until_fresh(Duration::from_secs(10)).await;
        assert_eq!(ground.status(&ann).await, 200);
    }
    assert_eq!(log_in(&bob, &ground.gateway.url("trello", "/"), "bob").await.status, 200);
}

#[tokio::test]
async fn check_online_says_what_the_store_says_and_never_its_password() {
    let server = Server::shared();
    let port = server.port();
    let name = server.database();
    let url = format!("postgres://fedgate:hunter2@127.0.0.1:{port}/{}", name_of(&name));
    let ground = Ground::over(&url);
    let (_, said, err) = ground.gateway.command(&["check", "--online"]);
    assert!(said.contains("no synchronous standby") && !format!("{said}{err}").contains("hunter2"), "{said}{err}");
    std::fs::write(ground.gateway.directory().join("store"), url.replace(name_of(&name), "missing")).expect("a file");
    let (status, said, err) = ground.gateway.command(&["check", "--online"]);
    let all = format!("{said}{err}{}", ground.gateway.log());
    assert!(!status.success() && all.contains("\"missing\" does not exist") && !all.contains("hunter2"), "{all}");
}
