//! What ten million sessions cost in PostgreSQL: room, look-ups, and their end, beside a store of ten thousand in the same run. Measured,
//! not judged.
//!
//! `cargo test --release --test store ten_million:: -- --ignored --nocapture`; `FEDGATE_SESSIONS` makes it fewer.

use super::fixtures::*;
use super::server::{Server, name_of};
use fedgate::clock::Clock;
use fedgate::kernel::journal::Change;
use fedgate::kernel::values::{LoginSessionId, SessionKey};
use fedgate::store::{self, Store};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A stop-watch.
struct Watch(Clock, Duration);

impl Watch {
    fn start() -> Self {
        let clock = Clock::system();
        let began = clock.since_boot();
        Self(clock, began)
    }

    fn read(&self) -> Duration {
        self.0.since_boot().saturating_sub(self.1)
    }
}

const FEW: u64 = 10_000;
/// Product sessions below one login session.
const CHILDREN: u64 = 5;
/// One session in so many is over for longer than it is kept.
const OVER: u64 = 10;
const LOOKERS: u64 = 8;
const LOOKS: u64 = 2_500;

/// People, login sessions and product sessions as the gateway would have written them, without asking for each whether it may.
fn load(server: &Server, url: &str, sessions: u64) -> Duration {
    let now = now().millis();
    let logins = sessions / CHILDREN;
    let people = logins / 10;
    let began = Watch::start();
    let id = |kind: u8, number: &str| format!("decode('{kind:02x}' || lpad(to_hex({number}), 30, '0'), 'hex')");
    let hash = |number: &str| format!("sha256(int8send({number}))");
    let ends = format!("CASE WHEN n % {OVER} = 0 THEN {now} - 3 * 86400000 ELSE {now} + 7 * 86400000 END");
    let sql = [
        "SET session_replication_role = replica; SET synchronous_commit = off".to_owned(),
        format!(
            "INSERT INTO account SELECT {}, 'active', NULL, 'p' || n || '@acme.example', 1, NULL, 'P', 1, {now}, {now} FROM generate_series(0::bigint, {people}) n",
            id(1, "n")
        ),
        format!(
            "INSERT INTO product_account SELECT {}, 'board', {}, 'fg_' || n, 'linked', NULL, 0, {now} FROM generate_series(0::bigint, {people}) n",
            id(2, "n"),
            id(1, "n")
        ),
        format!(
            "INSERT INTO login_session (id, key, account, directory, method, amr, groups, auth_time, browser, created_at, last_seen, idle_millis, abs_at, account_epoch, ask_before, mac)
             SELECT {}, {}, {}, {}, 'org_sso', '[\"mfa\"]', '[]', {now}, {}, {now}, {now}, 86400000, {now} + 7 * 86400000, 1, '[]', {} FROM generate_series(0::bigint, {logins}) n",
            id(3, "n"),
            hash("n"),
            id(1, "n / 10"),
            id(9, "1"),
            id(8, "n"),
            hash("n + 1")
        ),
        format!(
            "INSERT INTO product_session SELECT {}, {}, {}, 'board', 'board.example.com', {}, {}, {now}, {now}, 86400000, {ends}, 1, {} FROM generate_series(0::bigint, {sessions} - 1) n",
            id(4, "n"),
            hash("n"),
            id(3, &format!("n / {CHILDREN}")),
            id(1, &format!("n / {CHILDREN} / 10")),
            id(2, &format!("n / {CHILDREN} / 10")),
            hash("n + 1")
        ),
    ];
    server.psql(name_of(url), &sql.join(";\n"));
    server.psql(name_of(url), "VACUUM ANALYZE");
    began.read()
}

fn key(number: u64) -> SessionKey {
    let mut key = [0; 32];
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &number.to_be_bytes());
    key.copy_from_slice(hash.as_ref());
    SessionKey(key)
}

/// Spreads look-ups over all sessions, the same each run.
fn scattered(number: u64, sessions: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % sessions
}

fn percentile(sorted: &[Duration], of: usize) -> Duration {
    sorted[(sorted.len() * of / 100).min(sorted.len() - 1)]
}

/// Looks sessions up until each looker has done its share, or until told.
async fn look(store: &Arc<dyn Store>, sessions: u64, until: Option<Arc<AtomicBool>>) -> Vec<Duration> {
    let mut lookers = tokio::task::JoinSet::new();
    for looker in 0..LOOKERS {
        let (store, until) = (Arc::clone(store), until.clone());
        lookers.spawn(async move {
            let mut took = Vec::new();
            for number in 0.. {
                let over = until.as_ref().map_or(number >= LOOKS, |until| until.load(Ordering::Relaxed));
                if over {
                    break;
                }
                let wanted = scattered(looker * 1_000_003 + number, sessions);
                let began = Watch::start();
                let found = store.product_session(&key(wanted)).await.unwrap();
                took.push(began.read());
                assert!(found.is_some() || wanted.is_multiple_of(OVER), "session {wanted}");
            }
            took
        });
    }
    let mut took = lookers.join_all().await.concat();
    took.sort();
    took
}

fn told(what: &str, took: &[Duration]) {
    let (half, most, worst) = (percentile(took, 50), percentile(took, 99), took.last().unwrap());
    println!("{what}: {} look-ups, p50 {half:?}, p99 {most:?}, worst {worst:?}", took.len());
}

#[test]
#[ignore = "a measurement"]
fn what_ten_million_sessions_cost() {
    let many = std::env::var("FEDGATE_SESSIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000_000);
    let server = Server::start();
    let open = |sessions: u64| {
        let url = server.database();
        let store = store::open(&url, Path::new("/nowhere")).unwrap();
        let took = load(&server, &url, sessions);
        (url, store, took)
    };
    let (_, few, _) = open(FEW);
    let (url, store, took) = open(many);
    println!("{many} product sessions and {} login sessions loaded in {took:?}", many / CHILDREN);
    for table in ["product_session", "login_session"] {
        let size = |what: &str| server.psql(name_of(&url), &format!("SELECT {what}('{table}')"));
        let total: u64 = size("pg_total_relation_size").trim().parse().unwrap();
        let rows = if table == "product_session" { many } else { many / CHILDREN };
        println!("{table}: {} MiB with its indexes, {} bytes a session", total >> 20, total / rows);
    }
    block_on(async {
        let base = look(&few, FEW, None).await;
        told(&format!("of {FEW}"), &base);
        let large = look(&store, many, None).await;
        told(&format!("of {many}"), &large);
        let ratio = percentile(&large, 99).as_secs_f64() / percentile(&base, 99).as_secs_f64();
        println!("p99 of {many} to p99 of {FEW}: {ratio:.2}");

        // The end of what is over, while people are looked up and log in.
        let done = Arc::new(AtomicBool::new(false));
        let (sweeping, stop) = (Arc::clone(&store), Arc::clone(&done));
        let sweep = tokio::spawn(async move {
            let began = Watch::start();
            let rows = sweeping.sweep(now()).await.unwrap();
            stop.store(true, Ordering::Relaxed);
            (rows, began.read())
        });
        let (logging, stop) = (Arc::clone(&store), Arc::clone(&done));
        let logins = tokio::spawn(async move {
            let mut took = Vec::new();
            for number in 0_u64.. {
                let mut session = login_session(1, 1);
                let mut id = [7; 16];
                id[8..].copy_from_slice(&number.to_be_bytes());
                session.id = LoginSessionId::from_bytes(id);
                session.key = key(u64::MAX - number);
                session.account = fedgate::kernel::values::AccountId::from_bytes({
                    let mut id = [0; 16];
                    id[0] = 1;
                    id
                });
                let began = Watch::start();
                logging.commit(changes([Change::CreateLoginSession(session)])).await.unwrap();
                took.push(began.read());
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
            took.sort();
            took
        });
        let meanwhile = look(&store, many, Some(done)).await;
        let (rows, took) = sweep.await.unwrap();
        println!(
            "{rows} sessions that are over removed in {took:?}, {:.0} a second",
            f64::from(u32::try_from(rows).unwrap_or(u32::MAX)) / took.as_secs_f64()
        );
        told("meanwhile", &meanwhile);
        let logins = logins.await.unwrap();
        println!(
            "meanwhile: {} logins, p50 {:?}, p99 {:?}, worst {:?}",
            logins.len(),
            percentile(&logins, 50),
            percentile(&logins, 99),
            logins.last().unwrap()
        );
        let began = Watch::start();
        let nothing = store.sweep(now()).await.unwrap();
        println!("the next sweep finds {nothing} in {:?}", began.read());
        assert_eq!(rows, many / OVER, "each that is over, and no other");
    });
}
