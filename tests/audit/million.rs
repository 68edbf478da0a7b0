//! What a million events cost: room, a search by person, a proof of the whole log. Measured, not judged.
//!
//! `cargo test --release --test audit million:: -- --ignored --nocapture`; `FEDGATE_EVENTS` makes it fewer.

use super::fixtures::Folder;
use super::*;
use fedgate::audit::verify_store;
use fedgate::kernel::event::{AboutPerson, AuditEvent};

/// People whose events they are.
const PEOPLE: u64 = 10_000;
/// Written at once.
const BATCH: u64 = 500;

/// A stop-watch.
fn timed<T>(what: impl FnOnce() -> T) -> (T, Duration) {
    let clock = Clock::system();
    let began = clock.since_boot();
    let made = what();
    (made, clock.since_boot().saturating_sub(began))
}

/// An event as a login leaves one.
fn login(number: u64) -> AuditEvent {
    let mut event = event(number);
    let person = number % PEOPLE;
    event.subject.email = Some(format!("person-{person}@acme.example"));
    event.subject.account = Some(format!("01KB3Z8Q4W9T5N7M2XJ6R{person:05}"));
    event
}

#[test]
#[ignore = "a measurement"]
fn what_a_million_events_cost() {
    let count = std::env::var("FEDGATE_EVENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let folder = Folder::new();
    let store = open(folder.path());
    let signed = block_on(log(&store, 1));
    let ((), wrote) = timed(|| {
        block_on(async {
            for from in (0..count).step_by(500) {
                let events = (from..(from + BATCH).min(count)).map(login).collect();
                store.commit(Batch { events, ..Batch::default() }).await.unwrap();
            }
            signed.checkpoint().await.unwrap();
        });
    });
    let person = AboutPerson::at("person-7@acme.example");
    let (found, looked) = timed(|| block_on(store.events_about(&person, u64::MAX, 500)).unwrap());
    let theirs = (0..count).filter(|number| number % PEOPLE == 7).count();
    assert_eq!(found.len(), theirs.min(500));
    let bytes = std::fs::metadata(folder.path().join("fedgate.db")).unwrap().len();
    let keys = [signer(1).key().clone()];
    let (verdict, proved) = timed(|| block_on(verify_store(store.as_ref(), &keys, None, fixtures::now())).unwrap());
    assert_eq!(verdict.faults, []);
    println!(
        "{count} events: {} written a second, {} bytes each on disk; {} of one person found in {looked:.1?}; {} verified a second",
        count * 1000 / u64::try_from(wrote.as_millis()).unwrap().max(1),
        bytes / count,
        found.len(),
        count * 1000 / u64::try_from(proved.as_millis()).unwrap().max(1),
    );
}
