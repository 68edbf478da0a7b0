//! Certificates ordered and renewed over the years: a clock of the test's own, a real authority, two nodes on one store.

use super::authority::{Authority, Leaf};
use super::issued::{run, shake, shown};
use super::pebble::{Pebble, Setup};
use super::ports;
use super::support::*;
use fedgate::acme::{Acme, AcmeOptions, Challenge, Ports, Wanted};
use fedgate::clock::{Clock, TimeSource};
use fedgate::gateway::options::Tls;
use fedgate::keys::Kek;
use fedgate::outbound::{Outbound, OutboundOptions};
use fedgate::seeing::Seeing;
use fedgate::store::{Sqlite, Store};
use fedgate::web::issued::Issued;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Six orders and more, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);
const YEAR: i64 = 365 * 86_400;

/// A clock that only the test moves: seconds since 1970, and since boot.
#[derive(Default)]
struct Moved {
    wall: AtomicI64,
    boot: AtomicI64,
}

impl TimeSource for Moved {
    fn wall_millis(&self) -> i64 {
        self.wall.load(Ordering::SeqCst) * 1000
    }

    fn since_boot(&self) -> Duration {
        Duration::from_secs(self.boot.load(Ordering::SeqCst).unsigned_abs())
    }
}

impl Moved {
    fn starting_at(wall: i64) -> Arc<Self> {
        Arc::new(Self { wall: AtomicI64::new(wall), boot: AtomicI64::new(1) })
    }

    /// The wall first: pauses are counted since boot.
    fn on(&self, wall: i64, boot: i64) {
        self.wall.fetch_add(wall, Ordering::SeqCst);
        self.boot.fetch_add(boot, Ordering::SeqCst);
    }
}

/// One process's part of ordering.
struct Node {
    acme: Arc<Acme>,
    seeing: Arc<Seeing>,
    outbound: Outbound,
    options: AcmeOptions,
    stop: CancellationToken,
}

impl Node {
    fn start(
        store: &Arc<dyn Store>,
        clock: &Arc<Moved>,
        issued: &Arc<Issued>,
        (directory, ca_file): (&str, Option<&Path>),
        hosts: &[&str],
    ) -> Self {
        let extra_roots_pem = ca_file.map(|file| std::fs::read(file).unwrap());
        let outbound = Outbound::new(OutboundOptions { extra_roots_pem, ..OutboundOptions::default() }).unwrap();
        let options = AcmeOptions {
            directory: directory.parse().unwrap(),
            ca_file: None,
            contact: Vec::new(),
            challenges: vec![Challenge::TlsAlpn, Challenge::Http],
            external: None,
        };
        let seeing = Seeing::new();
        let ports = Ports {
            store: Arc::clone(store),
            kek: Kek::new([7; 32]),
            clock: Clock::from_source(Arc::<Moved>::clone(clock)),
            issued: Arc::clone(issued),
            seeing: Arc::clone(&seeing),
        };
        let wanted = Wanted { options: options.clone(), outbound: outbound.clone(), hosts: owned(hosts) };
        let (acme, stop) = (Arc::new(Acme::new(ports, wanted)), CancellationToken::new());
        tokio::spawn(Arc::clone(&acme).keep_valid(stop.clone()));
        Self { acme, seeing, outbound, options, stop }
    }

    fn want(&self, hosts: &[&str]) {
        let (options, outbound) = (self.options.clone(), self.outbound.clone());
        self.acme.want(Wanted { options, outbound, hosts: owned(hosts) });
    }

    fn orders(&self, outcome: &str) -> usize {
        let line = format!("fedgate_certificate_orders_total{{outcome=\"{outcome}\"}} ");
        let text = self.seeing.text();
        text.lines().find_map(|found| found.strip_prefix(&line)).map_or(0, |count| count.parse().unwrap())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn owned(hosts: &[&str]) -> Vec<String> {
    hosts.iter().map(|host| (*host).to_owned()).collect()
}

fn store(folder: &Path, clock: &Arc<Moved>) -> Arc<dyn Store> {
    let clock = Clock::from_source(Arc::<Moved>::clone(clock));
    Arc::new(Sqlite::open(&folder.join("fedgate.db"), clock).unwrap())
}

async fn until(what: &str, mut ready: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !ready().await {
            sleep(Duration::from_millis(30)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// Why orders failed, in their order.
async fn reasons(store: &Arc<dyn Store>) -> Vec<String> {
    let events = store.log(0, 1000).await.unwrap();
    let events = events.iter().map(|event| serde_json::from_slice::<serde_json::Value>(&event.bytes).unwrap());
    let failed = events.filter(|event| event["action"] == "certificate.failed");
    failed.map(|event| event["reason"].as_str().unwrap().to_owned()).collect()
}

/// An authority that looks for TLS-ALPN-01 at `https` and for HTTP-01 at the world's port.
fn pebble(world: &World, authority: &Leaf, ports: [u16; 3], https: u16) -> Pebble {
    let http = world.running.addresses().http.unwrap().port();
    Pebble::start(&Setup { tls: (&authority.cert, &authority.key), ports, http, https, customers: &[] })
}

fn real_now() -> i64 {
    Clock::system().now().seconds()
}

#[test]
fn a_renewal_is_ordered_once_for_all_nodes_and_drops_no_connection_and_a_failed_one_leaves_the_old() {
    let world = world(ok, |options, _| options.listen.tls = Tls::Acme);
    let (authority, ports) = (Authority::new(), [ports::free(), ports::free(), ports::free()]);
    let leaf = authority.issue(&["localhost"]);
    let https = world.running.addresses().https.unwrap().port();
    let first_authority = pebble(&world, &leaf, ports, https);
    let clock = Moved::starting_at(real_now());
    let store = store(&world.state, &clock);
    let (directory, ca_file) = (first_authority.directory(), authority.ca_file());
    let at = (directory.as_str(), Some(ca_file.as_path()));
    run(async {
        // One node orders, and the other one is asked.
        let asked = Node::start(&store, &clock, &world.issued, at, &[]);
        let elsewhere = Arc::<Issued>::default();
        let orders = Node::start(&store, &clock, &elsewhere, at, &[HOST]);
        until("issued", async || orders.orders("issued") == 1).await;
        asked.want(&[HOST]);
        until("served", async || shown(&world, HOST, &["http/1.1"]).await.is_some()).await;
        let first = shown(&world, HOST, &["http/1.1"]).await.unwrap();
        let mut kept = shake(&world, HOST, &["http/1.1"]).await.unwrap();

        // Two thirds of five years later both nodes see that it is due, and one of them orders.
        clock.on(4 * YEAR, 60);
        until("renewed", async || shown(&world, HOST, &["http/1.1"]).await != Some(first.clone())).await;
        let second = shown(&world, HOST, &["http/1.1"]).await.unwrap();
        until("elsewhere too", async || elsewhere.certificates()[HOST].chain[0] == second).await;
        assert_eq!(first_authority.orders(), 2, "{}", first_authority.log());
        kept.write_all(format!("GET /assets/x HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let mut reply = String::new();
        kept.read_to_string(&mut reply).await.unwrap();
        assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");

        // Later the authority is gone, then it is there without a memory: the old certificate stays until it knows us again.
        drop(first_authority);
        drop(orders);
        clock.on(YEAR - 86_400, 60);
        until("failed", async || asked.orders("failed") == 1).await;
        let forgetful = pebble(&world, &leaf, ports, https);
        clock.on(3_600, 7 * 3_600);
        until("failed again", async || asked.orders("failed") == 2).await;
        assert_eq!(reasons(&store).await, ["authority", "account-gone"]);
        assert_eq!(shown(&world, HOST, &["http/1.1"]).await, Some(second.clone()), "the old one stays");
        assert_eq!((forgetful.orders(), asked.orders("failed")), (0, 2), "refused, and not asked again and again");
        clock.on(3_600, 7 * 3_600);
        until("renewed again", async || shown(&world, HOST, &["http/1.1"]).await != Some(second.clone())).await;
    });
}

#[test]
fn when_one_challenge_fails_the_other_is_tried_after_a_pause() {
    let world = world(ok, |options, _| options.listen.tls = Tls::Acme);
    let (authority, ports) = (Authority::new(), [ports::free(), ports::free(), ports::free()]);
    let leaf = authority.issue(&["localhost"]);
    // Nobody answers where it looks for TLS-ALPN-01.
    let pebble = pebble(&world, &leaf, ports, ports::free());
    let clock = Moved::starting_at(real_now());
    let store = store(&world.state, &clock);
    run(async {
        let directory = pebble.directory();
        let node = Node::start(&store, &clock, &world.issued, (&directory, Some(&authority.ca_file())), &[HOST]);
        until("failed", async || node.orders("failed") == 1).await;
        assert_eq!(reasons(&store).await, ["not-convinced"]);
        clock.on(180, 60);
        sleep(Duration::from_millis(1_200)).await;
        assert_eq!(pebble.orders(), 1, "not before the pause is over");
        clock.on(0, 120);
        until("issued", async || shown(&world, HOST, &["http/1.1"]).await.is_some()).await;
        assert_eq!((pebble.orders(), node.orders("failed")), (2, 1), "{}", pebble.log());
        assert!(world.issued.http_answer(HOST, "").is_none());
    });
}

#[test]
fn no_name_is_tried_more_than_five_times_in_an_hour_whatever_restarts() {
    let folder = tempfile::tempdir().unwrap();
    // The first second of an hour.
    let clock = Moved::starting_at(500_000 * 3_600);
    let store = store(folder.path(), &clock);
    run(async {
        // Nobody listens there.
        let start = || Node::start(&store, &clock, &Arc::default(), ("https://127.0.0.1:9/dir", None), &[HOST]);
        let mut failures = 0;
        for tried in 1..=8 {
            // A new process knows nothing of the pauses of the one before.
            let node = start();
            if tried <= 5 {
                until("tried", async || node.orders("failed") == 1).await;
            } else {
                sleep(Duration::from_millis(900)).await;
            }
            failures += node.orders("failed");
            clock.on(121, 7 * 3_600);
        }
        assert_eq!(failures, 5);
        let node = start();
        clock.on(3_600, 7 * 3_600);
        until("tried in the next hour", async || node.orders("failed") == 1).await;
        assert_eq!(reasons(&store).await, ["authority"; 6]);
    });
}
