//! The port's definition for accounts that end for good.

use super::fixtures::*;
use fedgate::kernel::journal::{Change, DeletionChange};
use fedgate::kernel::model::{AccountStatus, Deletion};
use fedgate::kernel::values::{OrgName, Timestamp};
use fedgate::store::{Conflict, NotCommitted, Store};
use std::sync::Arc;

type AnyStore = Arc<dyn Store>;

fn change(change: DeletionChange) -> fedgate::kernel::journal::Batch {
    changes([Change::Deletion(change)])
}

fn deletion(was: AccountStatus, at: Timestamp) -> Deletion {
    Deletion { account: person(1), was, org: Some(OrgName::parse("acme").unwrap()), at }
}

async fn found(store: &AnyStore) -> (AccountStatus, u32) {
    let account = store.account(person(1)).await.unwrap().expect("a row");
    (account.status, account.epoch)
}

pub async fn a_deletion_is_taken_back_to_what_was_before(store: AnyStore) {
    store.commit(world()).await.unwrap();
    let lost = Err(NotCommitted::Conflict(Conflict::Row));
    let later = Timestamp::from_seconds(9_000_000_000);
    let switched_off = AccountStatus::Deactivated;
    let wrong = change(DeletionChange::Schedule(deletion(switched_off, later)));
    assert_eq!(store.commit(wrong).await.map(|_| ()), lost, "it is not switched off");
    store.commit(changes([Change::SetAccountStatus(person(1), switched_off)])).await.unwrap();
    let (_, epoch) = found(&store).await;
    let wanted = deletion(switched_off, later);
    store.commit(change(DeletionChange::Schedule(wanted.clone()))).await.unwrap();
    assert_eq!(found(&store).await, (AccountStatus::PendingDelete(later), epoch + 1));
    assert_eq!(store.deletion_of(person(1)).await.unwrap(), Some(wanted.clone()));
    let again = change(DeletionChange::Schedule(deletion(AccountStatus::Active, later)));
    assert_eq!(store.commit(again).await.map(|_| ()), lost, "once");
    let early = change(DeletionChange::Bury(person(1), Vec::new()));
    assert_eq!(store.commit(early).await.map(|_| ()), lost, "the day has not come");
    assert_eq!(store.deletions_due(later, 10).await.unwrap(), [wanted]);
    assert_eq!(store.deletions_due(Timestamp::from_millis(later.millis() - 1), 10).await.unwrap(), []);
    store.commit(change(DeletionChange::Cancel(person(1)))).await.unwrap();
    assert_eq!(found(&store).await, (switched_off, epoch + 2), "and no more");
    assert_eq!(store.deletion_of(person(1)).await.unwrap(), None);
    assert_eq!(store.commit(change(DeletionChange::Cancel(person(1)))).await.map(|_| ()), lost);
}

pub async fn a_tombstone_matches_for_good_and_says_nothing(store: AnyStore) {
    store.commit(world()).await.unwrap();
    let was = found(&store).await.0;
    store.commit(changes([Change::Link(link(1, "one", 1))])).await.unwrap();
    store.commit(change(DeletionChange::Schedule(deletion(was, Timestamp::from_seconds(1))))).await.unwrap();
    assert_eq!(store.buried(&[[7; 32], [8; 32]]).await.unwrap(), None);
    let lost = Err(NotCommitted::Conflict(Conflict::Row));
    let lift = || change(DeletionChange::Lift(person(1)));
    assert_eq!(store.commit(lift()).await.map(|_| ()), lost, "there is none");
    store.commit(change(DeletionChange::Bury(person(1), vec![[7; 32], [9; 32]]))).await.unwrap();
    assert_eq!(store.buried(&[[8; 32], [7; 32]]).await.unwrap(), Some(person(1)));
    assert_eq!(store.buried(&[[8; 32]]).await.unwrap(), None);
    assert_eq!(store.buried(&[]).await.unwrap(), None);
    let row = store.account(person(1)).await.unwrap().expect("the row stays");
    assert_eq!((row.status, row.email, row.email_verified, row.name), (AccountStatus::Deleted, None, false, None));
    assert_eq!(store.identities_of(person(1)).await.unwrap(), []);
    assert_eq!(store.commit(change(DeletionChange::Cancel(person(1)))).await.map(|_| ()), lost, "no way back");
    store.commit(lift()).await.unwrap();
    assert_eq!(store.buried(&[[7; 32], [9; 32]]).await.unwrap(), None, "all of them");
    assert_eq!(found(&store).await.0, AccountStatus::Deleted, "and nobody is alive again");
}
