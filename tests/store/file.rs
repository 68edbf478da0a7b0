//! What is special to the SQLite store.

use super::fixtures::*;
use fedgate::clock::{Clock, TimeSource};
use fedgate::kernel::journal::{Batch, Change, Revocation};
use fedgate::kernel::values::Timestamp;
use fedgate::store::{self, NotCommitted, OpenError, Sqlite, Store, Taken};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

pub fn open(folder: &Path) -> Arc<dyn Store> {
    store::open("sqlite:fedgate.db", folder).unwrap()
}

#[test]
fn only_its_owner_can_read_the_file_and_its_log() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("fedgate.db"), "").unwrap();
    std::fs::set_permissions(folder.path().join("fedgate.db"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let store = open(folder.path());
    block_on(store.commit(world())).unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
        files += 1;
    }
    assert!(files >= 2, "the file and its log");
}

#[test]
fn what_was_committed_is_there_after_a_restart() {
    let folder = Folder::new();
    let store = open(folder.path());
    let mut batch = world();
    batch.events.push(event(1));
    batch.revocations.push(Revocation::Keys);
    batch.marks.push(mark(1, now()));
    block_on(async {
        store.commit(batch).await.unwrap();
        store.close().await;
        let store = open(folder.path());
        assert_eq!(store.account(person(1)).await.unwrap(), Some(account(1)));
        assert_eq!(store.take_once(mark(1, now())).await, Ok(Taken::Again));
        assert_eq!((store.log_size().await.unwrap(), store.feed(0).await.unwrap().cursor), (1, 1));
        let next = store.commit(Batch { events: vec![event(2)], ..Batch::default() }).await.unwrap();
        assert_eq!(next.log_size, 2);
    });
}

#[test]
fn addresses_that_name_no_store_say_what_to_write() {
    let folder = Folder::new();
    let fault = |url| store::open(url, folder.path()).map(|_| ()).unwrap_err();
    for url in ["", "sqlite", "sqlite:", "mysql://db", "fedgate.db"] {
        assert!(matches!(fault(url), OpenError::Address), "{url}");
    }
    std::fs::write(folder.path().join("text"), "this is no database, and long enough to be looked at").unwrap();
    assert!(matches!(fault("sqlite:text"), OpenError::Database(_)));
    assert!(matches!(fault("sqlite:text/below"), OpenError::File(_)));
}

#[test]
fn a_file_of_a_newer_version_is_left_alone() {
    let folder = Folder::new();
    let db = rusqlite::Connection::open(folder.path().join("fedgate.db")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    let fault = store::open("sqlite:fedgate.db", folder.path()).map(|_| ()).unwrap_err();
    assert!(matches!(fault, OpenError::Newer { found: 99, .. }), "{fault}");
}

#[test]
fn a_locked_or_damaged_file_is_unavailable_and_recovers() {
    let folder = Folder::new();
    let store = open(folder.path());
    let other = rusqlite::Connection::open(folder.path().join("fedgate.db")).unwrap();
    let commit = |n| block_on(store.commit(Batch { events: vec![event(n)], ..Batch::default() }));
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(matches!(commit(1), Err(NotCommitted::Unavailable(_))));
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(commit(2).unwrap().log_size, 1);
    other.execute_batch("ALTER TABLE event RENAME TO elsewhere").unwrap();
    assert!(matches!(commit(3), Err(NotCommitted::Unavailable(_))));
    assert!(block_on(store.log_size()).is_err());
    other.execute_batch("ALTER TABLE elsewhere RENAME TO event").unwrap();
    assert_eq!(commit(4).unwrap().log_size, 2);
    other.execute_batch("UPDATE event SET bytes = x'00', reference = 'x'").unwrap();
    assert!(block_on(store.events_by_reference("x")).is_err(), "a damaged row is a fault, not an answer");
}

struct Hands(AtomicI64);

impl TimeSource for Hands {
    fn wall_millis(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    fn since_boot(&self) -> Duration {
        Duration::ZERO
    }
}

#[test]
fn no_replay_when_the_clock_jumps_a_day_and_back() {
    let folder = Folder::new();
    let noon = Timestamp::from_seconds(1_800_000_000);
    let minutes = Duration::from_secs(600);
    let hands = Arc::new(Hands(AtomicI64::new(noon.millis())));
    let set = |time: Timestamp| hands.0.store(time.millis(), Ordering::Relaxed);
    let store = Sqlite::open(&folder.path().join("fedgate.db"), Clock::from_source(hands.clone())).unwrap();
    block_on(async {
        assert_eq!(store.take_once(mark(1, noon.plus(minutes))).await, Ok(Taken::First));
        // A day ahead, swept there, and back.
        set(noon.plus(24 * HOUR));
        store.sweep(noon.plus(24 * HOUR)).await.unwrap();
        set(noon);
        assert_eq!(store.take_once(mark(1, noon.plus(minutes))).await, Ok(Taken::Again));
        // Two days back: what is marked there is past its time by the clock that the store saw before.
        let back = noon.minus(48 * HOUR);
        set(back);
        assert_eq!(store.take_once(mark(2, back.plus(minutes))).await, Ok(Taken::First));
        store.sweep(back).await.unwrap();
        assert_eq!(store.take_once(mark(2, back.plus(minutes))).await, Ok(Taken::Again));
    });
}

const CHILD: &str = "FEDGATE_TEST_STORE";

/// Not a test of its own: the process that [`what_was_acknowledged_survives_kill_9`] kills.
#[test]
#[ignore = "started by another test"]
fn child_that_is_killed() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let store = open(Path::new(&folder));
    let start = block_on(store.log_size()).unwrap();
    let writers: Vec<_> = (0..4_u64)
        .map(|writer| {
            let store = Arc::clone(&store);
            std::thread::spawn(move || {
                for step in 0.. {
                    let number = start * 1000 + writer * 1_000_000_000 + step;
                    let setting = Change::PutSetting { name: format!("n{number}"), value: vec![1] };
                    let mut batch = changes([setting]);
                    batch.events.push(event(number));
                    batch.revocations.push(Revocation::Keys);
                    let size = block_on(store.commit(batch)).unwrap().log_size;
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "acknowledged {number} {}", size - 1).unwrap();
                    out.flush().unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let folder = Folder::new();
    for round in 1..=3 {
        let acknowledged = run_and_kill(folder.path(), round * 60);
        let store = open(folder.path());
        block_on(async {
            let size = store.log_size().await.unwrap();
            for (number, position) in acknowledged {
                assert!(store.setting(&format!("n{number}")).await.unwrap().is_some(), "{number} of round {round}");
                let logged = store.log(position, 1).await.unwrap();
                let written = String::from_utf8(logged[0].bytes.clone()).unwrap();
                assert!(written.contains(&event(number).reference.unwrap()), "{number} at {position}");
            }
            // State, revocations and events are durable together: as many of one as of the other.
            assert_eq!(store.feed(u64::MAX).await.unwrap().cursor, size);
            store.close().await;
        });
    }
}

/// What the child acknowledged before it was killed, as number and position.
fn run_and_kill(folder: &Path, lines: usize) -> Vec<(u64, u64)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "file::child_that_is_killed", "--ignored", "--nocapture"])
        .env(CHILD, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = Vec::new();
    let mut killed = false;
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap) {
        // The harness writes "test … " in front of the first one.
        if let Some((_, rest)) = line.split_once("acknowledged ") {
            let (number, position) = rest.split_once(' ').unwrap();
            acknowledged.push((number.parse().unwrap(), position.parse().unwrap()));
        }
        if acknowledged.len() >= lines && !killed {
            child.kill().unwrap();
            killed = true;
        }
    }
    child.wait().unwrap();
    assert!(killed, "the child ended by itself after {} lines", acknowledged.len());
    acknowledged
}
