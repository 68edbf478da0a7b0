//! The port's definition for people's own credentials.

use super::fixtures::*;
use fedgate::kernel::journal::{Change, CredentialChange};
use fedgate::kernel::local::StoredPassword;
use fedgate::kernel::model::{
    Address, Factor, FactorKind, MailboxProof, MailboxPurpose, PasswordCredential, ProductAccountState,
};
use fedgate::kernel::values::{FactorId, MailboxProofId, ProductAccountId, Timestamp};
use fedgate::store::{Conflict, LocalShare, NotCommitted, Store};
use std::sync::Arc;
use std::time::Duration;

type AnyStore = Arc<dyn Store>;

const LOST: NotCommitted = NotCommitted::Conflict(Conflict::Credential);

fn record(number: u8) -> ProductAccountId {
    ProductAccountId::from_bytes(bytes(number))
}

fn password(generation: u32) -> PasswordCredential {
    let salt = [u8::try_from(generation).unwrap(); 16];
    PasswordCredential {
        product_account: record(1),
        stored: StoredPassword::decoy(salt, [2; 32]),
        generation,
        set_at: Timestamp::from_seconds(8),
        mac: [5; 32],
    }
}

fn factor(number: u8) -> Factor {
    Factor {
        id: FactorId::from_bytes(bytes(number)),
        account: person(1),
        kind: FactorKind::Passkey,
        label: "key".to_owned(),
        secret: vec![0, number],
        handle: Some(vec![number]),
        counter: 7,
        created_at: Timestamp::from_seconds(number.into()),
        last_used_at: None,
        mac: [6; 32],
    }
}

fn proof(number: u8, expires_at: Timestamp) -> MailboxProof {
    MailboxProof {
        id: MailboxProofId::from_bytes(bytes(number)),
        purpose: MailboxPurpose::Reset,
        product: product(),
        product_account: Some(record(1)),
        email: email("ann@acme.com"),
        code: [1; 32],
        link: [number; 32],
        browser: bytes(3),
        account_epoch: 1,
        created_at: now(),
        expires_at,
        tries_left: 2,
        mac: [7; 32],
    }
}

fn address(number: u8, text: &str) -> Address {
    Address {
        product_account: record(number),
        email: email(text),
        verified: true,
        verified_at: None,
        primary: false,
        added_at: Timestamp::from_seconds(9),
        last_login_at: Some(Timestamp::from_seconds(10)),
    }
}

async fn commit(store: &AnyStore, change: CredentialChange) -> Result<(), NotCommitted> {
    store.commit(changes([Change::Credential(change)])).await.map(|_| ())
}

pub async fn a_password_moves_one_generation_at_a_time(store: AnyStore) {
    store.commit(world()).await.unwrap();
    assert_eq!(store.password(record(1)).await.unwrap(), None);
    let set = |generation| commit(&store, CredentialChange::SetPassword(password(generation)));
    assert_eq!(set(2).await, Err(LOST), "there is none to follow");
    set(1).await.unwrap();
    assert_eq!(set(1).await, Err(LOST), "a second first one");
    assert_eq!(set(3).await, Err(LOST));
    set(2).await.unwrap();
    assert_eq!(set(2).await, Err(LOST), "the slower of two");
    assert_eq!(store.password(record(1)).await.unwrap(), Some(password(2)));
    commit(&store, CredentialChange::DropPassword(record(1))).await.unwrap();
    assert_eq!(store.password(record(1)).await.unwrap(), None);
}

pub async fn a_second_step_is_used_once(store: AnyStore) {
    let at = now();
    store.commit(world()).await.unwrap();
    commit(&store, CredentialChange::AddFactor(factor(1))).await.unwrap();
    commit(&store, CredentialChange::AddFactor(factor(2))).await.unwrap();
    let taken = Factor { handle: Some(vec![1]), ..factor(3) };
    assert_eq!(commit(&store, CredentialChange::AddFactor(taken)).await, Err(LOST), "somebody's credential");
    assert_eq!(store.factors_of(person(1)).await.unwrap(), vec![factor(1), factor(2)]);
    assert_eq!(store.factor_by_handle(&[2]).await.unwrap(), Some(factor(2)));
    assert_eq!(store.factors_of_kind(FactorKind::Passkey, 10).await.unwrap(), vec![factor(1), factor(2)]);
    assert_eq!(store.factors_of_kind(FactorKind::Passkey, 1).await.unwrap(), vec![factor(1)], "no more than asked for");
    assert_eq!(store.factors_of_kind(FactorKind::Emergency, 10).await.unwrap(), vec![]);
    let used = |counter| CredentialChange::UseFactor { id: factor(1).id, counter, at };
    assert_eq!(commit(&store, used(7)).await, Err(LOST), "the stored counter");
    commit(&store, used(8)).await.unwrap();
    assert_eq!(commit(&store, used(8)).await, Err(LOST), "a replay");
    assert_eq!(store.factors_of(person(1)).await.unwrap()[0].counter, 8);
    // A passkey without a counter says 0 each time (WebAuthn §7.2 step 22); one that began to count goes on, and an app's never stands.
    commit(&store, CredentialChange::AddFactor(Factor { counter: 0, ..factor(4) })).await.unwrap();
    let shows = |number, counter| CredentialChange::UseFactor { id: factor(number).id, counter, at };
    commit(&store, shows(4, 0)).await.unwrap();
    commit(&store, shows(4, 0)).await.unwrap();
    assert_eq!(store.factor_by_handle(&[4]).await.unwrap().unwrap().last_used_at, Some(at));
    commit(&store, shows(4, 3)).await.unwrap();
    assert_eq!(commit(&store, shows(4, 0)).await, Err(LOST), "it counts by now");
    let app = Factor { kind: FactorKind::Totp, handle: None, counter: 0, ..factor(5) };
    commit(&store, CredentialChange::AddFactor(app)).await.unwrap();
    assert_eq!(commit(&store, shows(5, 0)).await, Err(LOST));
    assert_eq!(commit(&store, shows(6, 0)).await, Err(LOST), "one that was taken away");
    // The emergency door's are passkeys too.
    let emergency = Factor { kind: FactorKind::Emergency, counter: 0, ..factor(6) };
    commit(&store, CredentialChange::AddFactor(emergency)).await.unwrap();
    commit(&store, shows(6, 0)).await.unwrap();
    for number in [4, 5, 6] {
        commit(&store, CredentialChange::DropFactor(person(1), factor(number).id)).await.unwrap();
    }
    let name = |owner| CredentialChange::NameFactor(person(owner), factor(2).id, "the blue key".to_owned());
    assert_eq!(commit(&store, name(2)).await, Err(LOST), "another person's");
    commit(&store, name(1)).await.unwrap();
    let named = fedgate::kernel::model::Factor { label: "the blue key".to_owned(), ..factor(2) };
    let drop = |owner| CredentialChange::DropFactor(person(owner), factor(1).id);
    assert_eq!(commit(&store, drop(2)).await, Err(LOST), "another person's");
    commit(&store, drop(1)).await.unwrap();
    assert_eq!(store.factors_of(person(1)).await.unwrap(), vec![named]);
}

pub async fn a_recovery_code_is_used_once(store: AnyStore) {
    store.commit(world()).await.unwrap();
    let put = |codes: &[u8]| {
        let codes = codes.iter().map(|code| [*code; 32]).collect();
        CredentialChange::PutRecoveryCodes(person(1), codes)
    };
    commit(&store, put(&[1, 2])).await.unwrap();
    commit(&store, CredentialChange::UseRecoveryCode(person(1), [1; 32])).await.unwrap();
    assert_eq!(commit(&store, CredentialChange::UseRecoveryCode(person(1), [1; 32])).await, Err(LOST));
    assert_eq!(commit(&store, CredentialChange::UseRecoveryCode(person(2), [2; 32])).await, Err(LOST));
    assert_eq!(store.recovery_codes_left(person(1)).await.unwrap(), 1);
    assert!(store.has_recovery_code(person(1), &[2; 32]).await.unwrap());
    assert!(!store.has_recovery_code(person(1), &[1; 32]).await.unwrap());
    commit(&store, put(&[3, 4, 5])).await.unwrap();
    assert_eq!(store.recovery_codes_left(person(1)).await.unwrap(), 3);
    assert_eq!(commit(&store, CredentialChange::UseRecoveryCode(person(1), [2; 32])).await, Err(LOST), "replaced");
}

pub async fn a_mailbox_proof_has_so_many_tries_and_one_end(store: AnyStore) {
    store.commit(world()).await.unwrap();
    let later = now().plus(HOUR);
    let begun = proof(1, later);
    commit(&store, CredentialChange::BeginMailboxProof(begun.clone())).await.unwrap();
    let same_link = MailboxProof { link: [1; 32], ..proof(9, later) };
    assert_eq!(commit(&store, CredentialChange::BeginMailboxProof(same_link)).await, Err(LOST));
    assert_eq!(store.mailbox_proof(begun.id).await.unwrap(), Some(begun.clone()));
    assert_eq!(store.mailbox_proof_by_link(&[1; 32]).await.unwrap(), Some(begun.clone()));
    for left in [1, 0] {
        commit(&store, CredentialChange::TryMailboxProof(begun.id)).await.unwrap();
        assert_eq!(store.mailbox_proof(begun.id).await.unwrap().unwrap().tries_left, left);
    }
    assert_eq!(commit(&store, CredentialChange::TryMailboxProof(begun.id)).await, Err(LOST), "no tries left");
    commit(&store, CredentialChange::EndMailboxProof(begun.id)).await.unwrap();
    assert_eq!(commit(&store, CredentialChange::EndMailboxProof(begun.id)).await, Err(LOST), "used");
    let over = proof(2, now().minus(Duration::from_secs(1)));
    commit(&store, CredentialChange::BeginMailboxProof(over.clone())).await.unwrap();
    assert_eq!(commit(&store, CredentialChange::TryMailboxProof(over.id)).await, Err(LOST), "too late");
    let (third, strangers) = (proof(3, later), MailboxProof { product_account: None, ..proof(4, later) });
    commit(&store, CredentialChange::BeginMailboxProof(third.clone())).await.unwrap();
    commit(&store, CredentialChange::BeginMailboxProof(strangers.clone())).await.unwrap();
    assert!(store.sweep(now()).await.unwrap() >= 1);
    assert_eq!(store.mailbox_proof(over.id).await.unwrap(), None, "swept");
    commit(&store, CredentialChange::EndMailboxProofsOf(record(1))).await.unwrap();
    assert_eq!(store.mailbox_proof(third.id).await.unwrap(), None);
    assert_eq!(store.mailbox_proof(strangers.id).await.unwrap(), Some(strangers));
}

pub async fn c3_an_address_is_one_records_at_a_product_and_finds_its_person(store: AnyStore) {
    store.commit(world()).await.unwrap();
    let put = |address| commit(&store, CredentialChange::PutAddress(address));
    put(address(1, "ann@gmail.com")).await.unwrap();
    put(Address { primary: true, verified: false, ..address(1, "ann@old.com") }).await.unwrap();
    assert_eq!(
        store.proved_addresses_of(person(1)).await.unwrap(),
        [email("ann@gmail.com")],
        "the other is not proved"
    );
    let taken = Err(NotCommitted::Conflict(Conflict::Address));
    assert_eq!(put(address(2, "ann@gmail.com")).await, taken, "another record's");
    assert_eq!(put(address(8, "new@gmail.com")).await, taken, "no such record");
    put(Address { verified: true, primary: true, ..address(1, "ann@old.com") }).await.unwrap();
    let addresses = store.addresses_of(record(1)).await.unwrap();
    assert_eq!(addresses, vec![Address { primary: true, ..address(1, "ann@old.com") }, address(1, "ann@gmail.com")]);
    let both = [email("ann@gmail.com"), email("ann@old.com")];
    assert_eq!(store.proved_addresses_of(person(1)).await.unwrap(), both);
    assert_eq!(store.proved_addresses_of(person(2)).await.unwrap(), []);
    let all = store.addresses(None, 100).await.unwrap();
    assert!(all.is_sorted() && both.iter().all(|one| all.contains(one)), "{all:?}");
    let (first, rest) = all.split_first().unwrap();
    assert_eq!(store.addresses(Some(first), 100).await.unwrap(), rest);
    assert_eq!(store.addresses(None, 1).await.unwrap(), std::slice::from_ref(first));
    let found = store.product_account_by_address(&product(), &email("ann@old.com")).await.unwrap();
    assert_eq!(found.map(|record| record.id), Some(record(1)));
    let people = store.accounts_by_email(&email("ann@gmail.com")).await.unwrap();
    assert_eq!(people.iter().map(|person| person.id).collect::<Vec<_>>(), vec![person(1)]);
    commit(&store, CredentialChange::DropAddress(record(1), email("ann@gmail.com"))).await.unwrap();
    assert_eq!(store.accounts_by_email(&email("ann@gmail.com")).await.unwrap(), vec![]);
    put(address(2, "ann@gmail.com")).await.unwrap();
}

pub async fn m14_attempts_are_counted_until_their_time(store: AnyStore) {
    let count = |bucket: u8, until| commit(&store, CredentialChange::CountAttempt { bucket: [bucket; 32], until });
    let later = now().plus(HOUR);
    for expected in 1..=3 {
        count(1, later).await.unwrap();
        assert_eq!(store.attempts(&[1; 32], now()).await.unwrap(), expected);
    }
    // A bucket keeps the end that it began with.
    count(1, later.plus(HOUR)).await.unwrap();
    assert_eq!(store.attempts(&[1; 32], later).await.unwrap(), 0);
    assert_eq!(store.attempts(&[2; 32], now()).await.unwrap(), 0);
    // One whose time is over begins again.
    count(3, now().minus(HOUR)).await.unwrap();
    count(3, later).await.unwrap();
    assert_eq!(store.attempts(&[3; 32], now()).await.unwrap(), 1);
}

pub async fn h18_the_local_share_counts_records_by_state(store: AnyStore) {
    store.commit(world()).await.unwrap();
    assert_eq!(store.local_share(&product()).await.unwrap(), LocalShare { local: 0, all: 3 });
    store.commit(changes([Change::CreateAccount(account(4))])).await.unwrap();
    let mut local = product_account(4, 4);
    local.state = ProductAccountState::Local;
    store.commit(changes([Change::CreateProductAccount(local)])).await.unwrap();
    assert_eq!(store.local_share(&product()).await.unwrap(), LocalShare { local: 1, all: 4 });
}
