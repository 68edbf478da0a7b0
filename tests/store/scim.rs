//! The port's definition for what directories provision.

use super::fixtures::*;
use fedgate::kernel::journal::{Batch, Change, ProvisionedGroup, ScimChange};
use fedgate::kernel::model::DirectoryRow;
use fedgate::kernel::scim::place::Provisioned;
use fedgate::kernel::values::{AccountId, DirectoryId, Timestamp};
use fedgate::store::{Conflict, NotCommitted, Store, UserKey};
use std::sync::Arc;

type AnyStore = Arc<dyn Store>;

fn directory(number: u8) -> DirectoryId {
    DirectoryId::from_bytes(bytes(number))
}

fn user(directory_number: u8, number: u8) -> Provisioned {
    Provisioned {
        directory: directory(directory_number),
        account: person(number),
        user_name: format!("user{number}@acme.com"),
        external_id: Some(format!("Ext{number}")),
        attributes: r#"{"userName":"User"}"#.to_owned(),
        active: true,
        off_epoch: None,
        version: 1,
        created_at: Timestamp::from_seconds(10),
        changed_at: Timestamp::from_seconds(11),
        deleted_at: None,
    }
}

fn group(directory_number: u8, number: u8) -> ProvisionedGroup {
    ProvisionedGroup {
        id: person(100 + number),
        directory: directory(directory_number),
        name: format!("group{number}"),
        external_id: None,
        version: 1,
        created_at: Timestamp::from_seconds(10),
        changed_at: Timestamp::from_seconds(11),
    }
}

fn change(change: ScimChange) -> Batch {
    changes([Change::Scim(change)])
}

async fn lost(store: &AnyStore, what: ScimChange) -> bool {
    store.commit(change(what)).await.map(|_| ()) == Err(NotCommitted::Conflict(Conflict::Row))
}

/// Three people, and two directories of whom the first has the first two.
async fn begin(store: &AnyStore) {
    store.commit(world()).await.unwrap();
    for number in 1..=2 {
        let row = DirectoryRow {
            id: directory(number),
            name: format!("acme/{number}"),
            fingerprint: [number; 32],
            created_at: Timestamp::from_seconds(1),
        };
        store.commit(changes([Change::RegisterDirectory(row)])).await.unwrap();
        store.commit(change(ScimChange::Add(user(1, number)))).await.unwrap();
    }
}

pub async fn users_of_a_directory_are_found_by_its_names_and_by_nobody_elses(store: AnyStore) {
    begin(&store).await;
    let keys = [UserKey::Account(person(2)), UserKey::UserName("user2@acme.com"), UserKey::ExternalId("Ext2")];
    for key in keys {
        assert_eq!(store.provisioned(directory(1), key).await.unwrap(), Some(user(1, 2)), "{key:?}");
        assert_eq!(store.provisioned(directory(2), key).await.unwrap(), None, "{key:?}: another directory's");
    }
    assert_eq!(store.provisioned(directory(1), UserKey::ExternalId("ext2")).await.unwrap(), None, "letter by letter");
    assert_eq!(store.count_provisioned(directory(1)).await.unwrap(), 2);
    assert_eq!(store.provisioned_users(directory(1), 0, 10).await.unwrap(), [user(1, 1), user(1, 2)]);
    assert_eq!(store.provisioned_users(directory(1), 1, 10).await.unwrap(), [user(1, 2)]);
    assert_eq!(store.provisioned_users(directory(1), 0, 1).await.unwrap(), [user(1, 1)]);
    assert_eq!(
        (store.count_provisioned(directory(2)).await.unwrap(), store.provisioned_of(person(3)).await.unwrap()),
        (0, vec![])
    );
    store.commit(change(ScimChange::Add(user(2, 1)))).await.unwrap();
    assert_eq!(store.provisioned_of(person(1)).await.unwrap(), [user(1, 1), user(2, 1)]);
}

pub async fn a_user_is_changed_only_as_it_was_read(store: AnyStore) {
    begin(&store).await;
    assert!(lost(&store, ScimChange::Add(user(1, 1))).await, "there already");
    assert!(lost(&store, ScimChange::Add(Provisioned { user_name: "user1@acme.com".into(), ..user(1, 3) })).await);
    assert!(lost(&store, ScimChange::Add(Provisioned { external_id: Some("Ext1".into()), ..user(1, 3) })).await);
    let next = Provisioned { version: 2, active: false, off_epoch: Some(4), attributes: "{}".into(), ..user(1, 1) };
    let taken = [
        Provisioned { user_name: "user2@acme.com".into(), ..next.clone() },
        Provisioned { external_id: Some("Ext2".into()), ..next.clone() },
        Provisioned { version: 3, ..next.clone() },
        Provisioned { version: 1, ..next.clone() },
    ];
    for wrong in taken {
        assert!(lost(&store, ScimChange::Put(wrong.clone())).await, "{wrong:?}");
    }
    store.commit(change(ScimChange::Put(next.clone()))).await.unwrap();
    assert!(lost(&store, ScimChange::Put(next.clone())).await, "once");
    assert_eq!(store.provisioned_of(person(1)).await.unwrap(), std::slice::from_ref(&next));
    store.commit(change(ScimChange::Hold(person(1)))).await.unwrap();
    assert_eq!(
        store.provisioned_of(person(1)).await.unwrap(),
        [Provisioned { off_epoch: None, version: 3, ..next.clone() }]
    );

    let gone = Provisioned { version: 4, deleted_at: Some(Timestamp::from_seconds(20)), off_epoch: None, ..next };
    store.commit(change(ScimChange::Put(gone.clone()))).await.unwrap();
    assert_eq!(store.provisioned(directory(1), UserKey::Account(person(1))).await.unwrap(), None);
    assert_eq!(store.count_provisioned(directory(1)).await.unwrap(), 1);
    assert_eq!(store.provisioned_of(person(1)).await.unwrap(), std::slice::from_ref(&gone), "who it was is remembered");
    assert!(lost(&store, ScimChange::Put(Provisioned { version: 5, deleted_at: None, ..gone })).await, "no way back");
    assert!(lost(&store, ScimChange::Add(user(1, 1))).await, "nor a new row of the same account");
    let next_ann = Provisioned { account: person(3), ..user(1, 1) };
    store.commit(change(ScimChange::Add(next_ann))).await.unwrap();

    store.commit(changes([Change::Link(link(1, "a", 2)), Change::Link(link(2, "b", 2))])).await.unwrap();
    store.commit(change(ScimChange::Unlink(person(2), directory(1)))).await.unwrap();
    assert_eq!(store.identities_of(person(2)).await.unwrap(), [link(2, "b", 2)], "another directory's stays");
}

pub async fn h4_a_group_has_users_of_its_own_directory_alone(store: AnyStore) {
    begin(&store).await;
    for one in [group(1, 1), group(1, 2), group(2, 3)] {
        store.commit(change(ScimChange::AddGroup(one))).await.unwrap();
    }
    assert!(lost(&store, ScimChange::AddGroup(ProvisionedGroup { id: person(9), ..group(1, 1) })).await, "one name");
    let [first, second, foreign]: [AccountId; 3] = [group(1, 1).id, group(1, 2).id, group(2, 3).id];
    store.commit(change(ScimChange::Join(first, person(1)))).await.unwrap();
    store.commit(change(ScimChange::Join(first, person(1)))).await.unwrap();
    store.commit(change(ScimChange::Join(first, person(2)))).await.unwrap();
    store.commit(change(ScimChange::Join(second, person(1)))).await.unwrap();
    assert!(lost(&store, ScimChange::Join(first, person(3))).await, "no user of the directory");
    assert!(lost(&store, ScimChange::Join(foreign, person(1))).await, "a user of another directory");
    assert_eq!(store.provisioned_members(first, 10).await.unwrap(), [person(1), person(2)]);
    assert_eq!(store.provisioned_members(first, 1).await.unwrap(), [person(1)]);
    assert_eq!(store.provisioned_groups_of(directory(1), person(1)).await.unwrap(), [group(1, 1), group(1, 2)]);
    assert_eq!(store.provisioned_groups_of(directory(2), person(1)).await.unwrap(), []);
    assert_eq!(store.provisioned_group(directory(2), first).await.unwrap(), None, "another directory's");
    assert_eq!(store.count_provisioned_groups(directory(1)).await.unwrap(), 2);
    assert_eq!(store.provisioned_groups(directory(1), 1, 5).await.unwrap(), [group(1, 2)]);

    let renamed = ProvisionedGroup { version: 2, name: "video".into(), external_id: Some("g".into()), ..group(1, 1) };
    assert!(lost(&store, ScimChange::PutGroup(ProvisionedGroup { name: "group2".into(), ..renamed.clone() })).await);
    store.commit(change(ScimChange::PutGroup(renamed.clone()))).await.unwrap();
    assert!(lost(&store, ScimChange::PutGroup(renamed.clone())).await, "as it was read");
    assert_eq!(store.provisioned_group(directory(1), first).await.unwrap(), Some(renamed));
    store.commit(change(ScimChange::Leave(first, person(2)))).await.unwrap();
    store.commit(change(ScimChange::LeaveGroups(person(1), directory(1)))).await.unwrap();
    assert_eq!(store.provisioned_members(first, 10).await.unwrap(), []);
    store.commit(change(ScimChange::Join(second, person(2)))).await.unwrap();
    store.commit(change(ScimChange::DropGroup(second))).await.unwrap();
    assert_eq!(store.provisioned_groups_of(directory(1), person(2)).await.unwrap(), []);
    assert!(lost(&store, ScimChange::DropGroup(second)).await, "it is gone");
}
