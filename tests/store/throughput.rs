//! How many logins a store records in a second, at one node and at two beside each other: what a login with its first product session
//! commits, from many browsers at once. Measured, not judged.
//!
//! `cargo test --release --test store throughput:: -- --ignored --nocapture --test-threads 1`

use super::fixtures::*;
use super::server::Server;
use fedgate::kernel::journal::{Batch, Change, MarkKind, ReplayMark};
use fedgate::kernel::values::{AccountId, LoginSessionId, ProductSessionId, SessionKey};
use fedgate::store::{self, Store};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Browsers at once.
const AT_ONCE: usize = 64;
const PEOPLE: u64 = 1_000;
const SPAN: Duration = Duration::from_secs(5);

fn id(kind: u8, number: u64) -> [u8; 16] {
    let mut id = [kind; 16];
    id[8..].copy_from_slice(&number.to_be_bytes());
    id
}

fn key(kind: u8, number: u64) -> [u8; 32] {
    let mut key = [kind; 32];
    key[24..].copy_from_slice(&number.to_be_bytes());
    key
}

fn mark_of(kind: u8, number: u64) -> ReplayMark {
    ReplayMark { kind: MarkKind::State, digest: key(kind, number), until: now().plus(HOUR) }
}

async fn people(store: &Arc<dyn Store>) {
    for first in (0..PEOPLE).step_by(100) {
        let mut batch = Batch::default();
        for number in first..first + 100 {
            let mut person = account(1);
            (person.id, person.email) = (AccountId::from_bytes(id(1, number)), None);
            let mut record = product_account(1, 1);
            record.id = fedgate::kernel::values::ProductAccountId::from_bytes(id(2, number));
            (record.account, record.sub) = (person.id, format!("fg_{number}"));
            batch.changes.extend([Change::CreateAccount(person), Change::CreateProductAccount(record)]);
        }
        store.commit(batch).await.unwrap();
    }
}

/// The answer's state is taken, then the login session is made, then the handover's code is taken with the product session.
async fn log_in(store: &Arc<dyn Store>, number: u64) {
    let person = AccountId::from_bytes(id(1, number % PEOPLE));
    store.take_once(mark_of(1, number)).await.unwrap();
    let mut login = login_session(1, 1);
    (login.id, login.key, login.account) =
        (LoginSessionId::from_bytes(id(3, number)), SessionKey(key(3, number)), person);
    let batch =
        Batch { changes: vec![Change::CreateLoginSession(login)], events: vec![event(2 * number)], ..Batch::default() };
    store.commit(batch).await.unwrap();
    let mut session = product_session(1, 1, 1);
    (session.id, session.key) = (ProductSessionId::from_bytes(id(4, number)), SessionKey(key(4, number)));
    (session.parent, session.account) = (LoginSessionId::from_bytes(id(3, number)), person);
    session.product_account = fedgate::kernel::values::ProductAccountId::from_bytes(id(2, number % PEOPLE));
    let asserted = Change::AssertAddress {
        product: product(),
        email: email(&format!("person-{}@acme.example", number % PEOPLE)),
        sub: format!("fg_{}", number % PEOPLE),
    };
    let batch = Batch {
        marks: vec![mark_of(2, number)],
        changes: vec![asserted, Change::CreateProductSession(session)],
        events: vec![event(2 * number + 1)],
        ..Batch::default()
    };
    store.commit(batch).await.unwrap();
}

fn measure(stores: &[Arc<dyn Store>]) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        people(&stores[0]).await;
        let (next, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let browsers: Vec<_> = (0..AT_ONCE)
            .map(|place| {
                let (store, next) = (Arc::clone(&stores[place % stores.len()]), Arc::clone(&next));
                let is_over = Arc::clone(&is_over);
                tokio::spawn(async move {
                    while !is_over.load(Ordering::Relaxed) {
                        log_in(&store, next.fetch_add(1, Ordering::Relaxed)).await;
                    }
                })
            })
            .collect();
        tokio::time::sleep(SPAN).await;
        let done = next.load(Ordering::Relaxed);
        is_over.store(true, Ordering::Relaxed);
        for browser in browsers {
            browser.await.unwrap();
        }
        println!("{} node(s): {done} logins in {SPAN:?}: {} a second", stores.len(), done / SPAN.as_secs());
        for store in stores {
            store.close().await;
        }
    });
}

#[test]
#[ignore = "a measurement"]
fn logins_a_second_at_one_node_and_at_two() {
    for nodes in [1, 2] {
        let url = Server::shared().database();
        let open = |_| store::open(&url, Path::new("/nowhere")).unwrap();
        measure(&(0..nodes).map(open).collect::<Vec<_>>());
    }
}
