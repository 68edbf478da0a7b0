//! The port's definition of the outbox.

use super::fixtures::*;
use fedgate::kernel::journal::mail::{MailChange, MailLimit, OutboxCount, OutboxRow};
use fedgate::kernel::journal::{Batch, Change, CredentialChange, DeletionChange};
use fedgate::kernel::model::{Address, Deletion};
use fedgate::kernel::values::{EmailAddress, Language, MailId, Timestamp};
use fedgate::store::{Conflict, NotCommitted, Store};
use std::sync::Arc;
use std::time::Duration;

type AnyStore = Arc<dyn Store>;

const DAY: Duration = Duration::from_secs(86_400);

fn letter(number: u8) -> OutboxRow {
    OutboxRow {
        id: MailId::from_bytes(bytes(number)),
        kind: "reset".to_owned(),
        to: email("ann@acme.com"),
        parameters: "{\"product\":\"board\"}".to_owned(),
        sealed: vec![0, 255, number],
        created_at: Timestamp::from_seconds(i64::from(number)),
        until: Timestamp::from_seconds(5_000_000_000),
        due_at: Timestamp::from_seconds(100 - i64::from(number)),
        attempts: 0,
    }
}

fn limit(key: &str, span: Duration, most: u32) -> MailLimit {
    MailLimit { key: key.to_owned(), span, most }
}

fn mail(change: MailChange) -> Batch {
    changes([Change::Mail(change)])
}

fn queue(number: u8, own: Vec<MailLimit>) -> Batch {
    mail(MailChange::Queue { letters: vec![(letter(number), own)], limits: Vec::new() })
}

async fn due(store: &AnyStore, at: Timestamp) -> Vec<u8> {
    store.mail_due(at, 10).await.unwrap().iter().map(|row| row.id.to_bytes()[15]).collect()
}

pub async fn a_letter_waits_until_it_was_sent(store: AnyStore) {
    for number in [1, 2, 3] {
        store.commit(queue(number, Vec::new())).await.unwrap();
    }
    assert_eq!(store.mail_due(now(), 10).await.unwrap()[0], letter(3), "reads back as written, the longest due first");
    assert_eq!(due(&store, now()).await, [3, 2, 1]);
    assert_eq!(due(&store, Timestamp::from_seconds(98)).await, [3, 2], "the third is not due yet");
    assert_eq!(store.mail_due(now(), 1).await.unwrap().len(), 1);
    store.commit(mail(MailChange::Sent { id: letter(2).id })).await.unwrap();
    assert_eq!(due(&store, now()).await, [3, 1]);
    let count = OutboxCount { waiting: 2, oldest: Some(Timestamp::from_seconds(1)), dead: 0, dropped: 0 };
    assert_eq!(store.mail_count().await.unwrap(), count);
    let again = store.commit(queue(1, Vec::new())).await;
    assert_eq!(again, Err(NotCommitted::Conflict(Conflict::Row)), "an id is one letter");
}

pub async fn of_two_nodes_one_sends(store: AnyStore) {
    store.commit(queue(1, Vec::new())).await.unwrap();
    let lease = |attempts| mail(MailChange::Lease { id: letter(1).id, attempts, until: now().plus(HOUR) });
    let lost = Err(NotCommitted::Conflict(Conflict::Row));
    store.commit(lease(0)).await.unwrap();
    assert_eq!(store.commit(lease(0)).await, lost, "the other node read the same row");
    assert_eq!(due(&store, now()).await, [0; 0]);
    assert_eq!(due(&store, now().plus(HOUR + DAY)).await, [1], "a node that died leaves its letter to the others");
    let retry = |attempts| {
        let fault = "busy".to_owned();
        mail(MailChange::Retry { id: letter(1).id, attempts, due_at: now(), fault })
    };
    store.commit(lease(1)).await.unwrap();
    assert_eq!(store.commit(retry(1)).await, lost, "the first node comes back when the second has its turn");
    store.commit(retry(2)).await.unwrap();
    assert_eq!(store.mail_due(now(), 1).await.unwrap()[0].attempts, 2);
}

pub async fn h12_a_dead_letter_says_nothing_any_more(store: AnyStore) {
    store.commit(queue(1, Vec::new())).await.unwrap();
    let at = now();
    store.commit(mail(MailChange::Bury { id: letter(1).id, at, fault: "no such mailbox".to_owned() })).await.unwrap();
    assert_eq!(due(&store, now().plus(DAY)).await, [0; 0]);
    let dead = store.mail_dead(10).await.unwrap();
    assert_eq!((dead.len(), dead[0].dead_at, dead[0].fault.as_str()), (1, at, "no such mailbox"));
    assert_eq!((dead[0].kind.as_str(), dead[0].to.as_str()), ("reset", "ann@acme.com"));
    let lease = MailChange::Lease { id: letter(1).id, attempts: 0, until: now() };
    assert_eq!(store.commit(mail(lease)).await, Err(NotCommitted::Conflict(Conflict::Row)), "nobody sends it");
    assert_eq!(store.mail_count().await.unwrap(), OutboxCount { dead: 1, ..OutboxCount::default() });
    assert_eq!(store.sweep(now().plus(29 * DAY)).await.unwrap(), 0);
    assert_eq!(store.sweep(now().plus(31 * DAY)).await.unwrap(), 1);
    assert_eq!(store.mail_dead(10).await.unwrap(), []);
}

pub async fn m13_a_limit_holds_letters_back_and_not_their_batch(store: AnyStore) {
    let own = || vec![limit("to ann@acme.com", HOUR, 2), limit("to ann@acme.com", DAY, 3)];
    for number in 1..=4 {
        let mut batch = queue(number, own());
        batch.events = vec![event(number.into())];
        store.commit(batch).await.unwrap();
    }
    assert_eq!(store.log_size().await.unwrap(), 4, "the facts are recorded");
    assert_eq!(due(&store, now()).await, [2, 1]);
    // What was sent counts like what waits.
    store.commit(mail(MailChange::Sent { id: letter(1).id })).await.unwrap();
    store.commit(queue(5, own())).await.unwrap();
    assert_eq!(due(&store, now()).await, [2]);
    store.commit(queue(6, vec![limit("to bob@acme.com", HOUR, 2)])).await.unwrap();
    assert_eq!(due(&store, now()).await, [6, 2], "another recipient");
    assert_eq!(store.mail_count().await.unwrap().dropped, 3);
}

pub async fn m13_an_occasion_counts_once_for_all_its_letters(store: AnyStore) {
    let occasion = |numbers: [u8; 2]| {
        let letters = numbers.map(|number| (letter(number), vec![limit(&format!("to {number}"), DAY, 1)])).to_vec();
        let limits = vec![limit("account 1", DAY, 1), limit("account 1", 7 * DAY, 3)];
        mail(MailChange::Queue { letters, limits })
    };
    store.commit(occasion([1, 2])).await.unwrap();
    assert_eq!(due(&store, now()).await, [2, 1], "both letters of the first");
    store.commit(occasion([3, 4])).await.unwrap();
    assert_eq!((due(&store, now()).await.len(), store.mail_count().await.unwrap().dropped), (2, 2));
    assert_eq!(store.sweep(now().plus(9 * DAY)).await.unwrap(), 3, "what limits remember goes");
    store.commit(occasion([3, 4])).await.unwrap();
    assert_eq!(due(&store, now()).await.len(), 4);
}

pub async fn of_racing_letters_no_more_are_queued_than_may_be(store: AnyStore) {
    let threads: Vec<_> = (1..=8)
        .map(|number| {
            let store = Arc::clone(&store);
            std::thread::spawn(move || block_on(store.commit(queue(number, vec![limit("to ann", HOUR, 3)]))).unwrap())
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!((due(&store, now()).await.len(), store.mail_count().await.unwrap().dropped), (3, 5));
}

pub async fn a_letter_is_in_the_language_of_whoever_has_its_address(store: AnyStore) {
    store.commit(world()).await.unwrap();
    let account = store.account(person(1)).await.unwrap().expect("a row");
    let own = account.email.clone().expect("an address");
    let speaks = |tag: &str| {
        let language = Language::parse(tag).unwrap();
        mail(MailChange::Speaks { account: person(1), language })
    };
    let said = async |address: &EmailAddress| {
        store.mail_language(address).await.unwrap().map(|language| language.as_str().to_owned())
    };
    assert_eq!(said(&own).await, None, "they never said");
    for tag in ["de", "de", "pt-BR"] {
        store.commit(speaks(tag)).await.unwrap();
        assert_eq!(said(&own).await.as_deref(), Some(tag));
    }
    assert_eq!(said(&email("nobody@acme.com")).await, None);
    // An address that the product knows them by, once it was proved.
    let second = |verified: bool| {
        let address = Address {
            product_account: product_account(1, 1).id,
            email: email("second@acme.com"),
            verified,
            verified_at: None,
            primary: false,
            added_at: now(),
            last_login_at: None,
        };
        changes([Change::Credential(CredentialChange::PutAddress(address))])
    };
    for verified in [false, true] {
        store.commit(second(verified)).await.unwrap();
        assert_eq!(said(&email("second@acme.com")).await.is_some(), verified);
    }
    // Nothing of somebody who is gone.
    let gone = Deletion { account: person(1), was: account.status, org: None, at: Timestamp::from_seconds(1) };
    store.commit(changes([Change::Deletion(DeletionChange::Schedule(gone))])).await.unwrap();
    store.commit(changes([Change::Deletion(DeletionChange::Bury(person(1), Vec::new()))])).await.unwrap();
    assert_eq!(said(&email("second@acme.com")).await, None);
}
