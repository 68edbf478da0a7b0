//! The port's definition for moves to the one account and for addresses that were given up.

use super::fixtures::*;
use fedgate::kernel::journal::{Change, MigrationChange, ProfileChange};
use fedgate::kernel::migration::{MigrationEvent, Transition, to_linked, transition};
use fedgate::kernel::model::{
    Account, Migration, MigrationStep, ProductAccount, ProductAccountState, Quarantine, RemovedAlias, Trigger,
};
use fedgate::kernel::values::{EmailAddress, MigrationId, ProductAccountId, Timestamp};
use fedgate::store::{Conflict, NotCommitted, Store};
use std::sync::Arc;

type AnyStore = Arc<dyn Store>;

fn record(number: u8) -> ProductAccountId {
    ProductAccountId::from_bytes(bytes(number))
}

/// A time of its own: the clock of the fixtures goes on.
fn then() -> Timestamp {
    Timestamp::from_seconds(1_000)
}

fn change(change: MigrationChange) -> Change {
    Change::Migration(change)
}

/// A world in which records 1 to 3 are local.
async fn local(store: &AnyStore) {
    let mut batch = world();
    for change in &mut batch.changes {
        if let Change::CreateProductAccount(made) = change {
            *made = ProductAccount { state: ProductAccountState::Local, ..made.clone() };
        }
    }
    store.commit(batch).await.unwrap();
}

fn moved(number: u8, of: u8) -> Migration {
    Migration {
        id: MigrationId::from_bytes(bytes(number)),
        product: product(),
        product_account: record(of),
        trigger: Trigger::OrgSso,
        target: link(1, &format!("subject {number}"), of).key,
        step: MigrationStep::SetAuthMode,
        begun_at: then(),
        committed_at: Some(then()),
        due_at: then(),
        attempts: 0,
        fault: None,
    }
}

pub async fn an_identity_moves_one_record_and_merges_others_into_it(store: AnyStore) {
    local(&store).await;
    let begin = |made: Migration| changes([change(MigrationChange::Begin(made))]);
    let first = moved(1, 1);
    store.commit(begin(first.clone())).await.unwrap();
    let merge = |number, of| Migration { trigger: Trigger::Merge, target: first.target.clone(), ..moved(number, of) };
    for (number, of) in [(2, 2), (3, 3)] {
        store.commit(begin(merge(number, of))).await.unwrap();
        assert_eq!(store.migration_of(record(of)).await.unwrap(), Some(merge(number, of)));
    }
    let again = store.commit(begin(merge(4, 2))).await.map(|_| ());
    assert_eq!(again, Err(NotCommitted::Conflict(Conflict::Migration)), "a record has one journal");
}

pub async fn links_of_a_person_go_together_and_addresses_that_were_asserted_pass_on(store: AnyStore) {
    local(&store).await;
    let two = [link(1, "one", 1), link(2, "two", 1), link(1, "three", 2)];
    store.commit(changes(two.clone().map(Change::Link))).await.unwrap();
    let whose = store.identity(&two[0].key).await.unwrap().expect("a link").account;
    store.commit(changes([Change::UnlinkAll(whose)])).await.unwrap();
    assert_eq!(store.identities_of(whose).await.unwrap(), []);
    let found = [&two[0], &two[1], &two[2]].map(|link| link.key.clone());
    let mut left = Vec::new();
    for key in &found {
        left.push(store.identity(key).await.unwrap().is_some());
    }
    assert_eq!(left, [false, false, true], "nobody else's");
    let (ann, bob) = (email("ann@example.com"), email("bob@example.com"));
    let assert_for = |email: &EmailAddress, sub: &str| Change::AssertAddress {
        product: product(),
        email: email.clone(),
        sub: sub.to_owned(),
    };
    store.commit(changes([assert_for(&ann, "u-1"), assert_for(&bob, "u-2")])).await.unwrap();
    let inherit = MigrationChange::Inherit { product: product(), from: "u-1".to_owned(), to: "u-9".to_owned() };
    store.commit(changes([change(inherit)])).await.unwrap();
    assert_eq!(store.asserted_sub(&product(), &ann).await.unwrap().as_deref(), Some("u-9"));
    assert_eq!(store.asserted_sub(&product(), &bob).await.unwrap().as_deref(), Some("u-2"));
}

pub async fn a_record_is_moved_only_from_where_it_stands(store: AnyStore) {
    local(&store).await;
    let state = async || store.product_account_by_id(record(1)).await.unwrap().unwrap().state;
    let line = |line: Transition| change(MigrationChange::Move(record(1), line));
    let lost = Err(NotCommitted::Conflict(Conflict::State));
    let [begin, commit] = to_linked(ProductAccountState::Local).unwrap()[..] else { panic!("two lines") };
    assert_eq!(store.commit(changes([line(commit)])).await.map(|_| ()), lost);
    assert_eq!(state().await, ProductAccountState::Local, "nothing of a batch that lost");
    store.commit(changes([line(begin), line(commit)])).await.unwrap();
    assert_eq!(state().await, ProductAccountState::Linked);
    let cancel = transition(ProductAccountState::Migrating, MigrationEvent::Cancel).unwrap();
    for back in [begin, commit, cancel] {
        assert_eq!(store.commit(changes([line(back)])).await.map(|_| ()), lost, "t10 {back:?}");
    }
    let merge = transition(ProductAccountState::Linked, MigrationEvent::MergeInto(record(2))).unwrap();
    store.commit(changes([line(merge)])).await.unwrap();
    assert_eq!(state().await, ProductAccountState::Merged(record(2)));
    store.close().await;
}

pub async fn a_record_moves_once_and_an_identity_moves_one(store: AnyStore) {
    local(&store).await;
    let begin = |migration: Migration| changes([change(MigrationChange::Begin(migration))]);
    let lost = Err(NotCommitted::Conflict(Conflict::Migration));
    let first = moved(1, 1);
    store.commit(begin(first.clone())).await.unwrap();
    assert_eq!(store.migration_of(record(1)).await.unwrap(), Some(first.clone()));
    assert_eq!(store.migration_of(record(2)).await.unwrap(), None);
    assert_eq!(store.commit(begin(moved(2, 1))).await.map(|_| ()), lost, "another target");
    let same_identity = Migration { target: first.target.clone(), ..moved(2, 2) };
    assert_eq!(store.commit(begin(same_identity)).await.map(|_| ()), lost, "another record");
    store.commit(begin(moved(2, 2))).await.unwrap();
    store.close().await;
}

pub async fn a_move_goes_on_from_where_it_was_read(store: AnyStore) {
    local(&store).await;
    let later = then().plus(HOUR);
    let intent = Migration { step: MigrationStep::Intent, committed_at: None, due_at: later, ..moved(2, 2) };
    let batch = [MigrationChange::Begin(moved(1, 1)), MigrationChange::Begin(intent.clone())];
    store.commit(changes(batch.map(change))).await.unwrap();
    let advance = |read, step| {
        let fault = Some("it said no".to_owned());
        let id = MigrationId::from_bytes(bytes(1));
        changes([change(MigrationChange::Advance { id, read, step, attempts: 4, due_at: later, fault })])
    };
    let lost = Err(NotCommitted::Conflict(Conflict::Migration));
    let due = async |at| -> Vec<Migration> { store.migrations_due(at, 10).await.unwrap() };
    assert_eq!(due(then()).await, [moved(1, 1)]);
    let from = (MigrationStep::SetAuthMode, 0);
    store.commit(advance(from, MigrationStep::RevokeSessions)).await.unwrap();
    assert_eq!(store.commit(advance(from, MigrationStep::RevokeSessions)).await.map(|_| ()), lost, "read before");
    assert_eq!(due(then()).await, []);
    assert_eq!(due(later).await.len(), 2, "the intent's time is over too");
    assert_eq!(store.migrations_due(later, 1).await.unwrap().len(), 1);
    let stuck = store.migrations_stuck(&product(), 10).await.unwrap();
    assert_eq!(
        stuck.iter().map(|one| (one.step, one.attempts)).collect::<Vec<_>>(),
        [(MigrationStep::RevokeSessions, 4)]
    );
    let progress = store.migration_progress(&product()).await.unwrap();
    assert_eq!(progress.states, [(ProductAccountState::Local, 3)]);
    assert_eq!((progress.waiting, progress.oldest), (1, Some(then())));
    store.commit(advance((MigrationStep::RevokeSessions, 4), MigrationStep::Done)).await.unwrap();
    assert_eq!(store.migration_progress(&product()).await.unwrap().waiting, 0);
    let cancel = |id: MigrationId| changes([change(MigrationChange::Cancel(id))]);
    assert_eq!(store.commit(cancel(MigrationId::from_bytes(bytes(1)))).await.map(|_| ()), lost, "it was committed");
    store.commit(cancel(intent.id)).await.unwrap();
    assert_eq!(store.migration_of(record(2)).await.unwrap(), None);
    assert_eq!(due(later).await, []);
    store.close().await;
}

pub async fn b21_an_account_is_put_aside_whole_as_it_was_read_and_kept_for_its_time(store: AnyStore) {
    local(&store).await;
    let read = store.account(person(1)).await.unwrap().unwrap();
    let email = read.email.clone().unwrap();
    let kept = || Quarantine {
        account: person(1),
        email: email.clone(),
        product: product(),
        by: person(2),
        at: then(),
        until: then().plus(HOUR),
        kept: vec![1, 2, 3],
    };
    let aside = |epoch| changes([change(MigrationChange::SetAside { kept: kept(), epoch })]);
    let unproved = || changes([Change::UpdateAccount(Account { email_verified: false, ..read.clone() })]);
    let lost = Err(NotCommitted::Conflict(Conflict::Row));
    let proved = Account { email_verified: true, ..read.clone() };
    store.commit(changes([Change::UpdateAccount(proved)])).await.unwrap();
    assert_eq!(store.commit(aside(read.epoch)).await.map(|_| ()), lost, "its address was proved");
    store.commit(unproved()).await.unwrap();
    assert_eq!(store.commit(aside(read.epoch + 1)).await.map(|_| ()), lost, "another epoch than was read");
    assert_eq!(store.account(person(1)).await.unwrap().unwrap().email, Some(email.clone()));
    store.commit(aside(read.epoch)).await.unwrap();
    assert_eq!(store.account(person(1)).await.unwrap().unwrap().email, None);
    assert_eq!(store.identities_of(person(1)).await.unwrap(), []);
    assert_eq!(store.addresses_of(record(1)).await.unwrap(), []);
    assert_eq!(store.password(record(1)).await.unwrap(), None);
    assert!(store.product_account_by_id(record(1)).await.unwrap().is_some(), "what it has stays");
    assert_eq!(store.commit(aside(read.epoch)).await.map(|_| ()), lost, "once");
    assert_eq!(store.quarantine(person(1)).await.unwrap(), Some(kept()));
    assert_eq!(store.quarantine(person(2)).await.unwrap(), None);
    assert_eq!(store.quarantines(None, 10).await.unwrap(), [kept()]);
    assert_eq!(store.quarantines(Some(person(1)), 10).await.unwrap(), []);
    store.sweep(then()).await.unwrap();
    assert_eq!(store.quarantine(person(1)).await.unwrap(), Some(kept()));
    let back = || changes([change(MigrationChange::BringBack(person(1)))]);
    store.commit(back()).await.unwrap();
    assert_eq!(store.commit(back()).await.map(|_| ()), lost, "once");
    // Nobody can bring it back any more: what it was logged in with is gone.
    store.commit(unproved()).await.unwrap();
    store.commit(aside(read.epoch)).await.unwrap();
    store.sweep(then().plus(HOUR * 2)).await.unwrap();
    assert_eq!(store.quarantine(person(1)).await.unwrap(), None);
    store.close().await;
}

pub async fn h14_all_links_of_an_account_but_one_go(store: AnyStore) {
    store.commit(world()).await.unwrap();
    let [kept, other] = [(8, "kept"), (9, "other")].map(|(directory, subject)| link(directory, subject, 1));
    let of_another = link(8, "another", 2);
    let all = [&kept, &other, &of_another].map(|link| Change::Link(link.clone()));
    store.commit(changes(all)).await.unwrap();
    store.commit(changes([change(MigrationChange::Unlink(person(1), kept.key.clone()))])).await.unwrap();
    assert_eq!(store.identities_of(person(1)).await.unwrap(), [kept]);
    assert_eq!(store.identity(&of_another.key).await.unwrap(), Some(of_another));
    store.close().await;
}

pub async fn h19_an_address_is_freed_of_the_user_id_that_it_was_asserted_for(store: AnyStore) {
    store.commit(world()).await.unwrap();
    let heard = |sub: &str| Change::AssertAddress { product: product(), email: email("a@b.c"), sub: sub.to_owned() };
    let free =
        |sub: &str| change(MigrationChange::Free { product: product(), email: email("a@b.c"), sub: sub.to_owned() });
    store.commit(changes([heard("one")])).await.unwrap();
    let lost = Err(NotCommitted::Conflict(Conflict::Address));
    store.commit(changes([free("two")])).await.unwrap();
    assert_eq!(store.commit(changes([heard("two")])).await.map(|_| ()), lost);
    store.commit(changes([free("one"), heard("two")])).await.unwrap();
    assert_eq!(store.asserted_sub(&product(), &email("a@b.c")).await.unwrap().as_deref(), Some("two"));
    store.close().await;
}

pub async fn l09_of_a_profile_the_newest_version_is_told(store: AnyStore) {
    local(&store).await;
    let later = then().plus(HOUR);
    let profile = |change| changes([Change::Profile(change)]);
    let due = async |at| -> Vec<(u64, u32)> {
        let due = store.profiles_due(at, 10).await.unwrap();
        due.iter().map(|push| (push.version, push.attempts)).collect()
    };
    let try_it = |read, due_at| {
        let fault = Some("it said no".to_owned());
        profile(ProfileChange::Try { id: record(1), read, attempts: 1, due_at, fault })
    };
    let lost = Err(NotCommitted::Conflict(Conflict::Profile));
    assert_eq!(store.commit(try_it((1, 0), later)).await.map(|_| ()), lost, "nothing to tell");
    store.commit(profile(ProfileChange::Tell(record(1), then()))).await.unwrap();
    assert_eq!(due(then()).await, [(1, 0)]);
    store.commit(try_it((1, 0), later)).await.unwrap();
    assert_eq!(due(then()).await, []);
    assert_eq!(store.commit(try_it((1, 0), later)).await.map(|_| ()), lost, "somebody else tells it");
    // Newer meanwhile: it waits for the one under way.
    store.commit(profile(ProfileChange::Tell(record(1), then()))).await.unwrap();
    assert_eq!(due(then()).await, []);
    assert_eq!(store.commit(try_it((1, 1), later)).await.map(|_| ()), lost, "read before");
    assert_eq!(due(later).await, [(2, 1)]);
    store.commit(profile(ProfileChange::Told(record(1), 1, then()))).await.unwrap();
    assert_eq!(due(then()).await, [(2, 0)], "an older one that arrived says nothing of the newer");
    store.commit(profile(ProfileChange::Told(record(1), 2, then()))).await.unwrap();
    store.commit(profile(ProfileChange::Told(record(1), 1, then()))).await.unwrap();
    assert_eq!(due(later).await, []);
    store.commit(profile(ProfileChange::Tell(record(1), then()))).await.unwrap();
    store.commit(profile(ProfileChange::Tell(record(2), later))).await.unwrap();
    assert_eq!(due(later).await, [(3, 0), (1, 0)], "the longest waiting first");
    assert_eq!(store.profiles_due(later, 1).await.unwrap().len(), 1);
    store.close().await;
}

pub async fn t17_an_address_that_was_given_up_is_its_last_records(store: AnyStore) {
    local(&store).await;
    let alias = |of: u8, text: &str| RemovedAlias {
        product: product(),
        email: email(text),
        product_account: record(of),
        verified_when_removed: of == 1,
        removed_at: Timestamp::from_seconds(of.into()),
        mac: [of; 32],
    };
    let retire = |alias: RemovedAlias| changes([change(MigrationChange::Retire(alias))]);
    for one in [alias(1, "old@free.example"), alias(1, "a@free.example"), alias(2, "other@free.example")] {
        store.commit(retire(one)).await.unwrap();
    }
    let found = store.removed_alias(&product(), &email("old@free.example")).await.unwrap();
    assert_eq!(found, Some(alias(1, "old@free.example")));
    assert_eq!(store.removed_alias(&product(), &email("ann@acme.com")).await.unwrap(), None);
    let all = [alias(1, "a@free.example"), alias(1, "old@free.example")];
    assert_eq!(store.removed_aliases_of(record(1)).await.unwrap(), all);
    // It names nobody.
    assert_eq!(store.accounts_by_email(&email("old@free.example")).await.unwrap(), []);
    assert_eq!(store.product_account_by_address(&product(), &email("old@free.example")).await.unwrap(), None);
    store.commit(retire(alias(2, "old@free.example"))).await.unwrap();
    let found = store.removed_alias(&product(), &email("old@free.example")).await.unwrap();
    assert_eq!(found, Some(alias(2, "old@free.example")));
    store.close().await;
}

pub async fn records_with_a_password_are_read_page_by_page(store: AnyStore) {
    local(&store).await;
    let page = async |after: Option<u8>, limit| -> Vec<ProductAccountId> {
        let found = store.local_records(&product(), after.map(record), limit).await.unwrap();
        found.into_iter().map(|found| found.id).collect()
    };
    assert_eq!(page(None, 10).await, [record(1), record(2), record(3)]);
    assert_eq!(page(None, 2).await, [record(1), record(2)]);
    assert_eq!(page(Some(2), 2).await, [record(3)]);
    let [begin, commit] = to_linked(ProductAccountState::Local).unwrap()[..] else { panic!("two lines") };
    let line = |of: u8, line: Transition| change(MigrationChange::Move(record(of), line));
    store.commit(changes([line(1, begin), line(2, begin), line(2, commit)])).await.unwrap();
    assert_eq!(page(None, 10).await, [record(1), record(3)], "on its way is not there yet");
    store.close().await;
}
