//! The port's definition for links that move between two directories of one organization, and for a store that was restored.

use super::fixtures::*;
use fedgate::kernel::journal::{AccessChange, Batch, Change, RelinkChange, RestoreChange};
use fedgate::kernel::model::{
    DirectoryRow, LinkedBy, LinkedIdentity, ProductAccount, ProductAccountState, Relinked, Relinking,
};
use fedgate::kernel::values::{DirectoryId, EnterpriseName, OrgName, RelinkId, Timestamp};
use fedgate::store::{Conflict, NotCommitted, Store};
use std::sync::Arc;
use std::time::Duration;

type AnyStore = Arc<dyn Store>;

/// Far ahead, so that no sweep of the store's own clock takes anything.
fn then() -> Timestamp {
    Timestamp::from_seconds(4_000_000_000)
}

const DAY: Duration = Duration::from_secs(86_400);

fn directory(number: u8) -> DirectoryId {
    DirectoryId::from_bytes(bytes(number))
}

fn id(number: u8) -> RelinkId {
    RelinkId::from_bytes(bytes(number))
}

fn window(number: u8, until: Timestamp) -> Relinking {
    Relinking {
        id: id(number),
        org: OrgName::parse("acme").unwrap(),
        from: directory(1),
        to: directory(2),
        only: None,
        opened_at: then(),
        until,
        by: "operator uid 1".to_owned(),
        mac: [3; 32],
    }
}

fn row(by: u8, account: u8, at: Timestamp) -> Relinked {
    let old = link(1, &format!("old-{account}"), account);
    Relinked {
        relinking: id(by),
        account: person(account),
        old_by: old.by,
        old_at: old.linked_at,
        old: old.key,
        new: link(2, &format!("new-{account}"), account).key,
        at,
        undone: false,
        mac: [4; 32],
    }
}

fn made(row: &Relinked) -> LinkedIdentity {
    LinkedIdentity {
        key: row.new.clone(),
        account: row.account,
        by: LinkedBy::Relink,
        linked_at: row.at,
        suspended: false,
    }
}

fn change(change: RelinkChange) -> Batch {
    changes([Change::Relink(change)])
}

fn lost(conflict: Conflict) -> Result<(), NotCommitted> {
    Err(NotCommitted::Conflict(conflict))
}

async fn begun(store: &AnyStore, until: Timestamp) {
    store.commit(world()).await.unwrap();
    let directories = [1, 2].map(|number| {
        let name = format!("acme/{number}");
        Change::RegisterDirectory(DirectoryRow {
            id: directory(number),
            name,
            fingerprint: [number; 32],
            created_at: then(),
        })
    });
    store.commit(changes(directories)).await.unwrap();
    store.commit(changes([1, 2].map(|number| Change::Link(link(1, &format!("old-{number}"), number))))).await.unwrap();
    store.commit(change(RelinkChange::Open(window(7, until)))).await.unwrap();
}

pub async fn a_window_is_found_until_it_ends(store: AnyStore) {
    let until = then().plus(DAY);
    begun(&store, until).await;
    let open = window(7, until);
    assert_eq!(store.relinking(id(7)).await.unwrap(), Some(open.clone()));
    assert_eq!(store.relinking(id(8)).await.unwrap(), None);
    let found = |at: Timestamp| store.relink_windows(directory(2), at);
    assert_eq!(found(then()).await.unwrap(), std::slice::from_ref(&open));
    assert_eq!(found(until).await.unwrap(), [], "it has ended");
    assert_eq!(store.relink_windows(directory(1), then()).await.unwrap(), [], "the other way round");
    assert_eq!(store.commit(change(RelinkChange::Open(open.clone()))).await.map(|_| ()), lost(Conflict::Row));
    let later = Relinking { id: id(8), only: Some(person(1)), ..open.clone() };
    store.commit(change(RelinkChange::Open(later.clone()))).await.unwrap();
    assert_eq!(store.relinkings(10).await.unwrap(), [later.clone(), open.clone()], "the newest first");
    assert_eq!(store.relinkings(1).await.unwrap(), std::slice::from_ref(&later));
    let closed = Relinking { until: then(), mac: [5; 32], ..open.clone() };
    store.commit(change(RelinkChange::Close(closed.clone()))).await.unwrap();
    assert_eq!(store.relinking(id(7)).await.unwrap(), Some(closed.clone()));
    assert_eq!(found(then()).await.unwrap(), [later]);
    let longer = Relinking { until: until.plus(DAY), ..closed };
    assert_eq!(
        store.commit(change(RelinkChange::Close(longer))).await.map(|_| ()),
        lost(Conflict::Row),
        "never longer"
    );
}

pub async fn a_link_moves_once_and_is_taken_back_once(store: AnyStore) {
    begun(&store, then().plus(DAY)).await;
    let (ann, bob) = (row(7, 1, then()), row(7, 2, then()));
    let move_link =
        |row: &Relinked| changes([Change::Relink(RelinkChange::Move(row.clone())), Change::Link(made(row))]);
    let foreign = Relinked { account: person(2), ..ann.clone() };
    assert_eq!(store.commit(change(RelinkChange::Move(foreign))).await.map(|_| ()), lost(Conflict::Identity));
    store.commit(move_link(&ann)).await.unwrap();
    assert_eq!(store.identity(&ann.old).await.unwrap(), None);
    assert_eq!(store.identity(&ann.new).await.unwrap(), Some(made(&ann)));
    assert_eq!(store.relinked(id(7), person(1)).await.unwrap(), Some(ann.clone()));
    assert_eq!(store.relinked(id(7), person(2)).await.unwrap(), None);
    assert_eq!(store.commit(move_link(&ann)).await.map(|_| ()), lost(Conflict::Identity), "it is gone");
    store.commit(move_link(&bob)).await.unwrap();
    assert_eq!(store.relinked_by(id(7), None, 10).await.unwrap(), [ann.clone(), bob.clone()]);
    assert_eq!(store.relinked_by(id(7), Some(person(1)), 10).await.unwrap(), std::slice::from_ref(&bob));
    assert_eq!(store.relinked_by(id(7), None, 1).await.unwrap(), std::slice::from_ref(&ann));
    let at = |number| store.identities_at(directory(number), None, 10);
    assert_eq!(at(1).await.unwrap(), []);
    assert_eq!(at(2).await.unwrap(), [made(&ann), made(&bob)]);
    assert_eq!(store.identities_at(directory(2), Some(person(1)), 10).await.unwrap(), [made(&bob)]);

    let old = link(1, "old-1", 1);
    let back = || changes([Change::Relink(RelinkChange::Undo(id(7), person(1))), Change::Link(old.clone())]);
    store.commit(back()).await.unwrap();
    assert_eq!(store.identity(&ann.new).await.unwrap(), None);
    assert_eq!(store.identity(&ann.old).await.unwrap(), Some(old.clone()));
    assert_eq!(store.relinked(id(7), person(1)).await.unwrap(), Some(Relinked { undone: true, ..ann.clone() }));
    assert_eq!(store.commit(back()).await.map(|_| ()), lost(Conflict::Row), "once");
    assert_eq!(store.commit(move_link(&ann)).await.map(|_| ()), lost(Conflict::Row), "and not again by this change");
    assert_eq!(store.identity(&ann.old).await.unwrap(), Some(old), "nothing of it was written");
    // Whose new link is another by now keeps it.
    store.commit(changes([Change::UnlinkAll(person(2))])).await.unwrap();
    let late = changes([Change::Relink(RelinkChange::Undo(id(7), person(2)))]);
    assert_eq!(store.commit(late).await.map(|_| ()), lost(Conflict::Identity));
    assert_eq!(store.relinked(id(7), person(2)).await.unwrap(), Some(bob));
}

pub async fn what_cannot_be_taken_back_any_more_is_swept(store: AnyStore) {
    let moved_at = then().plus(DAY);
    begun(&store, moved_at).await;
    let ann = row(7, 1, moved_at);
    store.commit(changes([Change::Relink(RelinkChange::Move(ann.clone())), Change::Link(made(&ann))])).await.unwrap();
    let last = moved_at.plus(DAY * 30);
    store.sweep(last).await.unwrap();
    assert_eq!(store.relinked(id(7), person(1)).await.unwrap(), Some(ann.clone()));
    store.sweep(last.plus(Duration::from_millis(1))).await.unwrap();
    assert_eq!(store.relinked(id(7), person(1)).await.unwrap(), None);
    assert_eq!(store.relinking(id(7)).await.unwrap(), None);
    assert_eq!(store.identity(&ann.new).await.unwrap(), Some(made(&ann)), "the link stays");
}

pub async fn t37_a_product_is_closed_to_a_user_once(store: AnyStore) {
    store.commit(world()).await.unwrap();
    let record = product_account(1, 1);
    let set = |off| changes([Change::Access(AccessChange::Switch { record: record.id, off, by: None })]);
    assert_eq!(store.commit(set(false)).await.map(|_| ()), lost(Conflict::State), "it is open");
    store.commit(set(true)).await.unwrap();
    let closed = fedgate::kernel::model::ProductAccount { off: true, ..record.clone() };
    assert_eq!(store.product_account_by_id(record.id).await.unwrap(), Some(closed));
    assert_eq!(store.commit(set(true)).await.map(|_| ()), lost(Conflict::State), "once");
    store.commit(set(false)).await.unwrap();
    assert_eq!(store.product_account_by_id(record.id).await.unwrap(), Some(record.clone()));
    let other = store.product_account_by_id(product_account(2, 2).id).await.unwrap();
    assert_eq!(other, Some(product_account(2, 2)), "nobody else's");
}

pub async fn t37_an_enterprise_switches_its_members_alone_and_opens_what_it_closed(store: AnyStore) {
    store.commit(world()).await.unwrap();
    let (record, other) = (product_account(1, 1), product_account(2, 2));
    let named = |name: &str| EnterpriseName::parse(name).unwrap();
    let access = |change: AccessChange| changes([Change::Access(change)]);
    let switch = |off, by: Option<&str>| access(AccessChange::Switch { record: record.id, off, by: by.map(named) });
    let belong = |from: Option<&str>, to: Option<&str>| {
        access(AccessChange::Belong { record: record.id, from: from.map(named), to: to.map(named) })
    };
    let read = async || store.product_account_by_id(record.id).await.unwrap().expect("the record");
    let members = async |name: &str| {
        let found = store.enterprise_members((&record.product, &named(name)), None, 10).await.unwrap();
        found.into_iter().map(|found| found.id).collect::<Vec<_>>()
    };
    assert_eq!(store.commit(switch(true, Some("bigco"))).await.map(|_| ()), lost(Conflict::State), "no member");
    assert_eq!(store.commit(belong(Some("other"), Some("bigco"))).await.map(|_| ()), lost(Conflict::State));
    store.commit(belong(None, Some("bigco"))).await.unwrap();
    assert_eq!(store.commit(belong(Some("bigco"), Some("bigco"))).await.map(|_| ()), lost(Conflict::State), "it is so");
    assert_eq!((members("bigco").await, members("other").await), (vec![record.id], vec![]));
    let after = store.enterprise_members((&record.product, &named("bigco")), Some(record.id), 10).await.unwrap();
    assert_eq!(after, [], "page by page");

    assert_eq!(store.commit(switch(true, Some("other"))).await.map(|_| ()), lost(Conflict::State), "another's member");
    store.commit(switch(true, Some("bigco"))).await.unwrap();
    assert_eq!((read().await.off, read().await.off_by), (true, Some(named("bigco"))));
    store.commit(switch(false, Some("bigco"))).await.unwrap();
    assert_eq!((read().await.off, read().await.off_by), (false, None));
    // What the product closed, or closes as well, no enterprise opens.
    store.commit(switch(true, Some("bigco"))).await.unwrap();
    store.commit(switch(true, None)).await.unwrap();
    assert_eq!((read().await.off, read().await.off_by), (true, None));
    assert_eq!(store.commit(switch(false, Some("bigco"))).await.map(|_| ()), lost(Conflict::State));
    store.commit(switch(false, None)).await.unwrap();

    // Nobody is asked to move twice in the time, and nobody by a stranger.
    let start = now();
    let at = |hours: u32| start.plus(HOUR * hours);
    let ask = |by: &str, when: Timestamp| {
        access(AccessChange::AskToMove { record: record.id, by: named(by), at: when, since: when.minus(HOUR * 2) })
    };
    assert_eq!(store.commit(ask("bigco", at(0))).await.map(|_| ()), lost(Conflict::State), "it has moved");
    store.commit(belong(Some("bigco"), None)).await.unwrap();
    assert_eq!(members("bigco").await, []);
    let untouched = store.product_account_by_id(other.id).await.unwrap();
    assert_eq!(untouched, Some(other), "nobody else's");
    let local =
        ProductAccount { state: ProductAccountState::Local, enterprise: Some(named("bigco")), ..product_account(5, 5) };
    store
        .commit(changes([Change::CreateAccount(account(5)), Change::CreateProductAccount(local.clone())]))
        .await
        .unwrap();
    let ask = |by: &str, when: Timestamp| {
        let (by, since) = (named(by), when.minus(HOUR * 2));
        access(AccessChange::AskToMove { record: local.id, by, at: when, since })
    };
    assert_eq!(store.commit(ask("other", at(0))).await.map(|_| ()), lost(Conflict::State));
    store.commit(ask("bigco", at(0))).await.unwrap();
    assert_eq!(store.commit(ask("bigco", at(1))).await.map(|_| ()), lost(Conflict::State));
    store.commit(ask("bigco", at(2))).await.unwrap();
    let asked = store.product_account_by_id(local.id).await.unwrap().expect("the record");
    assert_eq!(asked, ProductAccount { asked_at: Some(at(2)), ..local }, "all of it is read back");
}

pub async fn h17_of_a_restored_store_nothing_that_stood_is_left(store: AnyStore) {
    begun(&store, then().plus(DAY)).await;
    assert_eq!(store.login_sessions(None, 10).await.unwrap().len(), 2);
    let ann = row(7, 1, then());
    store.commit(changes([Change::Relink(RelinkChange::Move(ann.clone())), Change::Link(made(&ann))])).await.unwrap();
    let before = store.account(person(1)).await.unwrap().expect("a row");
    store.commit(changes([Change::Restore(RestoreChange::Cleanse)])).await.unwrap();
    assert_eq!(store.login_sessions(None, 10).await.unwrap(), []);
    assert_eq!(store.product_sessions_of(person(1)).await.unwrap(), []);
    assert_eq!(store.relinkings(10).await.unwrap(), []);
    let after = store.account(person(1)).await.unwrap().expect("a row");
    assert_eq!(after.epoch, before.epoch + RestoreChange::EPOCHS);
    assert_eq!(store.identity(&ann.new).await.unwrap(), Some(made(&ann)), "people and their links stay");
}
