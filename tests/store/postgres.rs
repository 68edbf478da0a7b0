//! What is special to the PostgreSQL store: its server, which others stop, freeze and write to, and nodes beside each other.

use super::fixtures::*;
use super::pooler::Pooler;
use super::server::{Server, name_of};
use fedgate::kernel::journal::{Batch, Change, Revocation};
use fedgate::store::{self, NotCommitted, OpenError, Store, Taken};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// Where this is set, the suite runs through a pooler.
const POOLER: &str = "FEDGATE_TEST_POOLER";

pub fn open(folder: &Path) -> Arc<dyn Store> {
    let url = Server::shared().database();
    let url = if std::env::var_os(POOLER).is_some() { Pooler::shared().address(&url) } else { url };
    at(&url).unwrap_or_else(|fault| panic!("the store of {} does not open: {fault}", folder.display()))
}

fn at(url: &str) -> Result<Arc<dyn Store>, OpenError> {
    store::open(url, Path::new("/nowhere"))
}

fn revoke() -> Batch {
    Batch { revocations: vec![Revocation::Keys], ..Batch::default() }
}

async fn positions(store: &Arc<dyn Store>, after: u64) -> (Vec<u64>, u64) {
    let feed = store.feed(after).await.unwrap();
    (feed.rows.iter().map(|row| row.seq).collect(), feed.cursor)
}

/// Somebody else's session with the server, in the middle of a transaction.
struct Stranger(Child);

impl Stranger {
    /// Begins, and waits until these statements are done.
    fn began(server: &Server, database: &str, sql: &str) -> Self {
        let mut client = server.client(database).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        writeln!(client.stdin.as_mut().unwrap(), "BEGIN; {sql};\n\\echo begun").unwrap();
        let mut line = String::new();
        while line.trim_end() != "begun" {
            line.clear();
            let mut one = [0];
            while std::io::Read::read(client.stdout.as_mut().unwrap(), &mut one).unwrap() == 1 && one != *b"\n" {
                line.push(char::from(one[0]));
            }
            assert!(client.try_wait().unwrap().is_none(), "the stranger's statements failed");
        }
        Self(client)
    }

    fn end(mut self, how: &str) {
        writeln!(self.0.stdin.take().unwrap(), "{how};").unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}

const LATE: &str = "INSERT INTO revocation (at, kind, subject, detail) VALUES (1, 'keys', '', '')";

#[test]
fn the_feed_loses_no_row_of_a_transaction_that_is_held_open() {
    let server = Server::shared();
    let url = server.database();
    let store = at(&url).unwrap();
    block_on(async {
        store.commit(revoke()).await.unwrap();
        assert_eq!(positions(&store, 0).await, (vec![1], 1));
        for (how, late) in [("COMMIT", true), ("ROLLBACK", false)] {
            let start = store.feed(u64::MAX).await.unwrap().cursor;
            // Position `start + 1` is given away, and long not to be seen.
            let stranger = Stranger::began(server, name_of(&url), LATE);
            for count in 1..=5 {
                store.commit(revoke()).await.unwrap();
                let (rows, cursor) = positions(&store, start).await;
                assert_eq!(rows, (start + 2..=start + 1 + count).collect::<Vec<_>>(), "what is there comes at once");
                assert_eq!(cursor, start, "and the cursor waits");
            }
            stranger.end(how);
            let (rows, _) = positions(&store, start).await;
            assert_eq!(rows.contains(&(start + 1)), late);
            // Others may be running: the gap is passed when all who ran when it was seen have ended.
            while positions(&store, start).await.1 < start + 6 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert_eq!(positions(&store, start + 6).await, (vec![], start + 6));
        }
    });
}

#[test]
fn a_long_transaction_elsewhere_does_not_hold_the_feed_up() {
    let server = Server::shared();
    let url = server.database();
    let store = at(&url).unwrap();
    let stranger = Stranger::began(server, "postgres", "SELECT pg_current_xact_id()");
    block_on(async {
        for count in 1..=3 {
            store.commit(revoke()).await.unwrap();
            assert_eq!(positions(&store, count - 1).await, (vec![count], count));
        }
        // A node that starts meanwhile knows where the log stands.
        assert_eq!(at(&url).unwrap().feed(u64::MAX).await.unwrap().cursor, 3);
    });
    stranger.end("ROLLBACK");
}

#[test]
fn another_nodes_revocation_nudges_and_is_there_without_a_nudge() {
    let server = Server::shared();
    let url = server.database();
    let (one, other) = (at(&url).unwrap(), at(&url).unwrap());
    let nudge = other.nudge();
    let nudged = async || tokio::time::timeout(Duration::from_secs(10), nudge.notified()).await.is_ok();
    let listeners = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    let listening = async || {
        while server.psql(name_of(&url), listeners) != "2" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    block_on(async {
        listening().await;
        one.commit(revoke()).await.unwrap();
        assert!(nudged().await);
        assert_eq!(positions(&other, 0).await, (vec![1], 1));
        // Nobody listens: the row is there all the same.
        server.psql(name_of(&url), &listeners.replace("count(*)", "pg_terminate_backend(pid)"));
        one.commit(revoke()).await.unwrap();
        assert_eq!(positions(&other, 1).await, (vec![2], 2));
        listening().await;
        one.commit(revoke()).await.unwrap();
        assert!(nudged().await, "the listener came back");
    });
}

#[test]
fn two_nodes_take_a_mark_once_and_write_one_log() {
    let url = Server::shared().database();
    let nodes: Vec<_> = (0..2).map(|_| at(&url).unwrap()).collect();
    let firsts: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = nodes
            .iter()
            .flat_map(|node| [node, node])
            .map(|node| {
                scope.spawn(move || {
                    block_on(async {
                        let mut firsts = 0;
                        for number in 0..40 {
                            firsts += usize::from(node.take_once(mark(number, now())).await.unwrap() == Taken::First);
                            let batch = Batch { events: vec![event(number.into())], ..revoke() };
                            node.commit(batch).await.unwrap();
                        }
                        firsts
                    })
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(firsts, 40, "each mark is taken once in the cluster");
    block_on(async {
        let log = nodes[0].log(0, 1000).await.unwrap();
        assert!(log.iter().map(|event| event.position).eq(0..160));
        for node in &nodes {
            // A group of which one batch lost is written again: what it had drawn before stays a gap.
            let (seen, mut cursor) = positions(node, 0).await;
            assert!(seen.is_sorted_by(|one, next| one < next), "in the order of commits: {seen:?}");
            assert_eq!(seen.len(), 160, "each one once");
            // The cursor passes a gap as soon as whoever could have filled it has ended.
            while cursor < seen[159] {
                tokio::time::sleep(Duration::from_millis(20)).await;
                cursor = positions(node, cursor).await.1;
            }
        }
    });
}

#[test]
fn a_store_that_stops_and_starts_again_is_unavailable_meanwhile_and_loses_nothing() {
    let mut server = Server::start();
    let url = server.database();
    // What is acknowledged is on disk, whatever the server thinks of it.
    server.psql("postgres", &format!("ALTER DATABASE {} SET synchronous_commit = off", name_of(&url)));
    server.psql("postgres", "ALTER SYSTEM SET wal_writer_delay = '10s'");
    server.psql("postgres", "SELECT pg_reload_conf()");
    let store = at(&url).unwrap();
    block_on(async {
        for (count, how) in [(1, "stop"), (2, "kill"), (3, "kill")] {
            let written = store.commit(Batch { events: vec![event(count)], ..revoke() }).await.unwrap();
            assert_eq!(written.log_size, count);
            server.tell(how);
            assert!(store.log_size().await.is_err());
            assert!(matches!(store.commit(revoke()).await, Err(NotCommitted::Unavailable(_))));
            assert!(store.take_once(mark(1, now())).await.is_err());
            server.tell("start");
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert_eq!(store.log_size().await.unwrap(), count, "{how}");
            assert_eq!(store.feed(0).await.unwrap().rows.len(), usize::try_from(count).unwrap());
        }
    });
}

#[test]
fn a_frozen_server_is_unavailable_within_seconds_and_comes_back() {
    let mut server = Server::start();
    let url = server.database();
    let store = at(&url).unwrap();
    block_on(async {
        store.commit(revoke()).await.unwrap();
        server.freeze(true);
        let patience = Duration::from_secs(9);
        let read = tokio::time::timeout(patience, store.feed(0));
        let write = tokio::time::timeout(patience, store.commit(revoke()));
        let (read, write) = tokio::join!(read, write);
        assert!(read.expect("an end").is_err());
        assert!(matches!(write.expect("an end"), Err(NotCommitted::Unavailable(_))));
        server.freeze(false);
        while store.commit(Batch { events: vec![event(1)], ..Batch::default() }).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(store.log_size().await.unwrap(), 1);
    });
}

#[test]
fn a_node_that_froze_in_a_transaction_is_cut_off_and_a_stranger_is_waited_for_only_so_long() {
    let server = Server::shared();
    let url = server.database();
    let store = at(&url).unwrap();
    let event = |number| Batch { events: vec![event(number)], ..Batch::default() };
    let lock = "LOCK TABLE writer IN EXCLUSIVE MODE";
    block_on(async {
        // As our own transactions begin: the server ends the session, and the next one writes.
        let limited = format!("SET LOCAL idle_in_transaction_session_timeout = '2s'; {lock}");
        let frozen = Stranger::began(server, name_of(&url), &limited);
        store.commit(event(1)).await.unwrap();
        drop(frozen);
        // Somebody who holds the lock for ever.
        let stranger = Stranger::began(server, name_of(&url), lock);
        assert!(matches!(store.commit(event(2)).await, Err(NotCommitted::Unavailable(_))));
        assert_eq!(store.log_size().await.unwrap(), 1, "reads go on");
        stranger.end("ROLLBACK");
        assert_eq!(store.commit(event(3)).await.unwrap().log_size, 2);
    });
}

#[test]
fn a_value_that_the_server_does_not_take_fails_its_own_batch_alone() {
    let store = at(&Server::shared().database()).unwrap();
    let setting = |name: &str| changes([Change::PutSetting { name: name.to_owned(), value: vec![1] }]);
    block_on(async {
        // Together, so that they are one group.
        let (good, bad, other) =
            tokio::join!(store.commit(setting("a")), store.commit(setting("b\0")), store.commit(setting("c")));
        assert!(good.is_ok() && other.is_ok());
        assert!(matches!(bad, Err(NotCommitted::Unavailable(_))));
        assert!(store.setting("a").await.unwrap().is_some() && store.setting("c").await.unwrap().is_some());
    });
}

#[test]
fn nodes_that_start_together_make_the_tables_once_and_a_newer_layout_says_who_can_use_it() {
    let server = Server::shared();
    let url = server.database();
    std::thread::scope(|scope| {
        let nodes: Vec<_> = (0..4).map(|_| scope.spawn(|| at(&url).map(|_| ()))).collect();
        assert!(nodes.into_iter().all(|node| node.join().unwrap().is_ok()));
    });
    // The next version only adds: a program of this one works beside it.
    server.psql(name_of(&url), "UPDATE layout SET version = 99");
    assert!(at(&url).is_ok());
    server.psql(name_of(&url), "UPDATE layout SET usable_from = 99");
    assert!(matches!(at(&url).map(|_| ()), Err(OpenError::Newer { found: 99, .. })));
}

#[test]
fn what_a_server_refuses_is_told_without_the_password() {
    let server = Server::shared();
    let port = server.port();
    for url in [
        format!("postgres://nobody:hunter2@127.0.0.1:{port}/postgres"),
        format!("postgres://fedgate:hunter2@127.0.0.1:{port}/missing"),
        format!("postgres://fedgate:hunter2@127.0.0.1:{port}/postgres?sslmode=verify-full"),
        "postgres://fedgate:hunter2@127.0.0.1:1/postgres".to_owned(),
    ] {
        let fault = at(&url).map(|_| ()).unwrap_err().to_string();
        assert!(fault.starts_with("the PostgreSQL store") && !fault.contains("hunter2"), "{fault}");
    }
}

#[test]
fn a_server_is_believed_by_its_certificate_and_its_name() {
    let make = || rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (own, other) = (make(), make());
    let server = Server::encrypted(&own.cert.pem(), &own.signing_key.serialize_pem());
    let folder = Folder::new();
    std::fs::write(folder.path().join("own.pem"), own.cert.pem()).unwrap();
    std::fs::write(folder.path().join("other.pem"), other.cert.pem()).unwrap();
    let name = name_of(&server.database()).to_owned();
    let open = |host: &str, rest: &str| {
        let url = format!("postgres://fedgate@{host}:{}/{name}?sslmode=verify-full{rest}", server.port());
        store::open(&url, folder.path())
    };
    let store = open("localhost", "&sslrootcert=own.pem").unwrap();
    assert_eq!(block_on(store.log_size()), Ok(0));
    let clear = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'fedgate' AND NOT ssl";
    assert_eq!(server.psql(&name, clear), "0");
    for (host, rest) in
        [("localhost", "&sslrootcert=other.pem"), ("localhost", ""), ("127.0.0.1", "&sslrootcert=own.pem")]
    {
        let fault = open(host, rest).map(|_| ()).unwrap_err().to_string();
        assert!(fault.contains("certificate"), "{host} {rest}: {fault}");
    }
}
