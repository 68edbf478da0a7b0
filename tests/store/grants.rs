//! The port's definition for providers' grants: one process asks, its answer counts for the turn that it read, and they go with their sessions.

use super::fixtures::*;
use fedgate::kernel::journal::{Batch, Change, GrantChange};
use fedgate::kernel::model::{GrantLease, ProviderGrant};
use fedgate::kernel::values::{DirectoryId, Timestamp};
use fedgate::store::{Conflict, NotCommitted, Store};
use std::sync::Arc;
use std::time::Duration;

type AnyStore = Arc<dyn Store>;

const MINUTE: Duration = Duration::from_secs(60);

/// Far ahead, so that no sweep of the store's own clock takes anything.
fn then() -> Timestamp {
    Timestamp::from_seconds(4_000_000_000)
}

fn grant(number: u8, due: Timestamp) -> ProviderGrant {
    ProviderGrant {
        session: login(number),
        directory: DirectoryId::from_bytes(bytes(1)),
        sealed: vec![number; 40],
        turn: 0,
        due,
        good_at: then(),
        lease: None,
    }
}

fn lease(by: u8, until: Timestamp) -> GrantLease {
    GrantLease { by: bytes(by), until }
}

fn take(number: u8, turn: u32, by: u8, at: Timestamp) -> Batch {
    changes([Change::Grant(GrantChange::Lease {
        session: login(number),
        turn,
        lease: lease(by, at.plus(MINUTE)),
        now: at,
    })])
}

fn settle(next: &ProviderGrant, by: u8) -> Batch {
    changes([Change::Grant(GrantChange::Settle { grant: next.clone(), by: bytes(by) })])
}

async fn with_sessions(store: &AnyStore) {
    let mut batch = vec![Change::CreateAccount(account(1))];
    for number in 1..=3 {
        batch.push(Change::CreateLoginSession(login_session(number, 1)));
        batch.push(Change::Grant(GrantChange::Keep(grant(number, then().plus(MINUTE * u32::from(number))))));
    }
    store.commit(changes(batch)).await.unwrap();
}

fn lost(outcome: &Result<fedgate::store::Committed, NotCommitted>) -> bool {
    matches!(outcome, Err(NotCommitted::Conflict(Conflict::Row)))
}

pub async fn a_grant_is_due_from_its_time_and_goes_with_its_session(store: AnyStore) {
    with_sessions(&store).await;
    assert_eq!(store.provider_grant(login(1)).await.unwrap(), Some(grant(1, then().plus(MINUTE))));
    assert_eq!(store.due_grants(then(), 9).await.unwrap(), []);
    let found = store.due_grants(then().plus(MINUTE * 2), 9).await.unwrap();
    assert_eq!(found, [grant(1, then().plus(MINUTE)), grant(2, then().plus(MINUTE * 2))], "the longest due first");
    assert_eq!(store.due_grants(then().plus(MINUTE * 9), 1).await.unwrap().len(), 1);
    assert!(
        lost(&store.commit(changes([Change::Grant(GrantChange::Keep(grant(1, then())))])).await),
        "a session has one"
    );
    let mut batch = Batch::default();
    batch.end_login_session(login(1));
    store.commit(batch).await.unwrap();
    assert_eq!(store.provider_grant(login(1)).await.unwrap(), None);
    let mut batch = Batch::default();
    batch.end_everything_of(person(1));
    store.commit(batch).await.unwrap();
    assert_eq!(store.due_grants(then().plus(MINUTE * 9), 9).await.unwrap(), []);
}

pub async fn of_two_processes_one_asks_and_its_answer_alone_counts(store: AnyStore) {
    with_sessions(&store).await;
    let at = then().plus(MINUTE);
    store.commit(take(1, 0, 7, at)).await.unwrap();
    assert!(lost(&store.commit(take(1, 0, 8, at)).await));
    assert!(lost(&store.commit(take(1, 0, 7, at)).await), "nor does the same one ask twice at once");
    assert_eq!(store.due_grants(at, 9).await.unwrap(), [], "nobody else is shown it");
    let kept = store.provider_grant(login(1)).await.unwrap().unwrap();
    assert_eq!(kept.lease, Some(lease(7, at.plus(MINUTE))));
    let next = ProviderGrant { sealed: vec![9; 40], turn: 1, due: at.plus(MINUTE * 5), good_at: at, ..grant(1, at) };
    assert!(lost(&store.commit(settle(&next, 8)).await), "another process has no answer");
    let skipped = ProviderGrant { turn: 2, ..next.clone() };
    assert!(lost(&store.commit(settle(&skipped, 7)).await), "a turn follows the one that was read");
    store.commit(settle(&next, 7)).await.unwrap();
    assert_eq!(store.provider_grant(login(1)).await.unwrap(), Some(next.clone()));
    assert!(lost(&store.commit(settle(&ProviderGrant { turn: 2, ..next.clone() }, 7)).await), "its turn is over");
    assert!(lost(&store.commit(take(1, 0, 8, at)).await), "what was read before is not asked about");
    assert_eq!(store.due_grants(at.plus(MINUTE * 5), 9).await.unwrap().len(), 3);
}

pub async fn a_lease_that_is_over_binds_nobody_and_its_process_changes_nothing(store: AnyStore) {
    with_sessions(&store).await;
    let at = then().plus(MINUTE);
    store.commit(take(1, 0, 7, at)).await.unwrap();
    let later = at.plus(MINUTE);
    assert_eq!(store.due_grants(later, 1).await.unwrap()[0].session, login(1));
    store.commit(take(1, 0, 8, later)).await.unwrap();
    let next = ProviderGrant { turn: 1, ..grant(1, later.plus(MINUTE)) };
    let end = |by| {
        changes([
            Change::Grant(GrantChange::Drop { session: login(1), by: bytes(by) }),
            Change::EndLoginSession(login(1)),
        ])
    };
    let again = |by, due| changes([Change::Grant(GrantChange::Later { session: login(1), by: bytes(by), due })]);
    assert!(lost(&store.commit(settle(&next, 7)).await));
    assert!(lost(&store.commit(end(7)).await) && lost(&store.commit(again(7, later)).await));
    assert!(store.login_session_by_id(login(1)).await.unwrap().is_some(), "whoever lost the turn ends nothing");
    store.commit(again(8, later.plus(MINUTE))).await.unwrap();
    let kept = store.provider_grant(login(1)).await.unwrap().unwrap();
    assert_eq!((kept.turn, kept.due, kept.lease), (0, later.plus(MINUTE), None), "nothing was learned");
    store.commit(take(1, 0, 7, later.plus(MINUTE))).await.unwrap();
    store.commit(end(7)).await.unwrap();
    assert!(store.login_session_by_id(login(1)).await.unwrap().is_none());
}
