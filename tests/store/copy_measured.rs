//! How long a copy of 100,000 people with their sessions takes each way, and the most memory that it holds. Measured, and judged only
//! by its memory, which must not grow with the store.
//!
//! `cargo test --release --test store copy_measured:: -- --ignored --nocapture --test-threads 1`

use super::fixtures::*;
use super::server::Server;
use fedgate::clock::Clock;
use fedgate::kernel::journal::{Batch, Change, KeyRow};
use fedgate::kernel::values::{AccountId, LoginSessionId, ProductAccountId, ProductSessionId, SessionKey};
use fedgate::store::{self, Store, copy::copy};
use std::path::Path;
use std::sync::Arc;

const PEOPLE: u64 = 100_000;
/// What a copy may hold beside what the process held before, in MiB.
const HELD: u64 = 64;

fn id(kind: u8, number: u64) -> [u8; 16] {
    let mut id = [kind; 16];
    id[8..].copy_from_slice(&number.to_be_bytes());
    id
}

fn key(kind: u8, number: u64) -> SessionKey {
    let mut key = [kind; 32];
    key[24..].copy_from_slice(&number.to_be_bytes());
    SessionKey(key)
}

/// A person with a record at a product, logged in there, and the event that says so.
fn one(batch: &mut Batch, number: u64) {
    let mut person = account(1);
    person.id = AccountId::from_bytes(id(1, number));
    person.email = Some(email(&format!("p{number}@acme.com")));
    let mut record = product_account(1, 1);
    (record.id, record.account, record.sub) =
        (ProductAccountId::from_bytes(id(2, number)), person.id, format!("fg_{number}"));
    let mut login = login_session(1, 1);
    (login.id, login.key, login.account) = (LoginSessionId::from_bytes(id(3, number)), key(3, number), person.id);
    let mut session = product_session(1, 1, 1);
    (session.id, session.key, session.parent) = (ProductSessionId::from_bytes(id(4, number)), key(4, number), login.id);
    (session.account, session.product_account) = (person.id, record.id);
    batch.changes.extend([
        Change::CreateAccount(person),
        Change::CreateProductAccount(record),
        Change::CreateLoginSession(login),
        Change::CreateProductSession(session),
    ]);
    batch.events.push(event(number));
}

async fn fill(store: &Arc<dyn Store>) {
    let sealed = KeyRow { kind: "audit".to_owned(), generation: 1, sealed: vec![1], created_at: now() };
    store.commit(changes([Change::PutKey(sealed)])).await.unwrap();
    for first in (0..PEOPLE).step_by(500) {
        let mut batch = Batch::default();
        (first..first + 500).for_each(|number| one(&mut batch, number));
        store.commit(batch).await.unwrap();
    }
}

/// A line of what the kernel says of this process, in kiB.
fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let found = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    found.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

fn measured(what: &str, from: &str, to: &str) {
    // The peak is counted from here.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory("VmRSS:");
    let clock = Clock::system();
    let begun = clock.since_boot();
    let rows: u64 =
        copy(from, to, Path::new("/nowhere"), &mut |_, _| Ok(())).unwrap().iter().map(|table| table.rows).sum();
    let took = clock.since_boot().saturating_sub(begun);
    let held = memory("VmHWM:").saturating_sub(before) / 1024;
    println!("{what}: {rows} rows in {:.1} s, {held} MiB more at the peak", took.as_secs_f64());
    assert!(held < HELD, "{what} holds {held} MiB");
}

#[test]
#[ignore = "a measurement of minutes"]
fn a_hundred_thousand_people_each_way() {
    let folder = Folder::new();
    let file = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    let (first, second) = (Server::shared().database(), Server::shared().database());
    block_on(async {
        let store = store::open(&file("one"), Path::new("/nowhere")).unwrap();
        fill(&store).await;
        store.close().await;
    });
    measured("file to server", &file("one"), &first);
    measured("server to server", &first, &second);
    measured("server to file", &second, &file("two"));
    measured("file to file", &file("two"), &file("three"));
}
