//! Rows of people's own credentials: whoever writes to the store without the keys makes none that holds.

use super::*;
use crate::kernel::local::{Seed, StoredPassword};
use crate::kernel::model::{Factor, FactorKind, MailboxProof, MailboxPurpose, PasswordCredential};
use crate::kernel::values::{FactorId, MailboxProofId, ProductAccountId};

fn password() -> PasswordCredential {
    let mut password = PasswordCredential {
        product_account: ProductAccountId::from_bytes([1; 16]),
        stored: StoredPassword::decoy([2; 16], [3; 32]),
        generation: 4,
        set_at: NOW,
        mac: [0; 32],
    };
    password.mac = keys().mac_password(&password);
    password
}

fn factor() -> Factor {
    let mut factor = Factor {
        id: FactorId::from_bytes([1; 16]),
        account: AccountId::from_bytes([2; 16]),
        kind: FactorKind::Totp,
        label: "phone".to_owned(),
        secret: vec![3],
        handle: None,
        counter: 4,
        created_at: NOW,
        last_used_at: None,
        mac: [0; 32],
    };
    factor.mac = keys().mac_factor(&factor);
    factor
}

fn mailbox() -> MailboxProof {
    let mut proof = MailboxProof {
        id: MailboxProofId::from_bytes([1; 16]),
        purpose: MailboxPurpose::Reset,
        product: ProductName::parse("board").unwrap(),
        product_account: None,
        email: EmailAddress::parse("ann@acme.com").unwrap(),
        code: [2; 32],
        link: [3; 32],
        browser: [4; 16],
        account_epoch: 5,
        created_at: NOW,
        expires_at: NOW,
        tries_left: 5,
        mac: [0; 32],
    };
    proof.mac = keys().mac_mailbox(&proof);
    proof
}

#[test]
fn h12_a_changed_password_row_does_not_hold() {
    assert!(keys().holds_password(&password()));
    assert!(rotated(Kind::Credential).holds_password(&password()));
    let check = |change: &dyn Fn(&mut PasswordCredential)| {
        let mut row = password();
        change(&mut row);
        assert!(!keys().holds_password(&row), "{row:?}");
    };
    check(&|row| row.product_account = ProductAccountId::from_bytes([9; 16]));
    check(&|row| row.stored = StoredPassword::decoy([2; 16], [4; 32]));
    check(&|row| row.generation += 1);
    check(&|row| row.set_at = Timestamp::from_seconds(1));
    check(&|row| row.mac[0] ^= 1);
}

#[test]
fn h12_a_changed_factor_row_does_not_hold() {
    assert!(keys().holds_factor(&Factor { counter: 9, last_used_at: Some(NOW), ..factor() }));
    let check = |change: &dyn Fn(&mut Factor)| {
        let mut row = factor();
        change(&mut row);
        assert!(!keys().holds_factor(&row), "{row:?}");
    };
    check(&|row| row.id = FactorId::from_bytes([9; 16]));
    check(&|row| row.account = AccountId::from_bytes([9; 16]));
    check(&|row| row.kind = FactorKind::Passkey);
    check(&|row| row.secret = vec![4]);
    check(&|row| row.handle = Some(Vec::new()));
    check(&|row| row.created_at = Timestamp::from_seconds(1));
}

#[test]
fn h12_a_changed_mailbox_row_does_not_hold() {
    assert!(keys().holds_mailbox(&MailboxProof { tries_left: 1, ..mailbox() }));
    let check = |change: &dyn Fn(&mut MailboxProof)| {
        let mut row = mailbox();
        change(&mut row);
        assert!(!keys().holds_mailbox(&row), "{row:?}");
    };
    check(&|row| row.id = MailboxProofId::from_bytes([9; 16]));
    check(&|row| row.purpose = MailboxPurpose::Address);
    check(&|row| row.product = ProductName::parse("loom").unwrap());
    check(&|row| row.product_account = Some(ProductAccountId::from_bytes([9; 16])));
    check(&|row| row.email = EmailAddress::parse("bob@acme.com").unwrap());
    check(&|row| row.code = [9; 32]);
    check(&|row| row.link = [9; 32]);
    check(&|row| row.browser = [9; 16]);
    check(&|row| row.account_epoch += 1);
    check(&|row| row.expires_at = NOW.plus(Duration::from_secs(1)));
}

#[test]
fn h12_a_seed_opens_in_its_own_row_alone() {
    let (account, id) = (AccountId::from_bytes([1; 16]), FactorId::from_bytes([2; 16]));
    let sealed = keys().seal_seed(account, id, &Seed::new([7; 20])).unwrap();
    assert!(!sealed.windows(20).any(|bytes| bytes == [7; 20]));
    assert_eq!(keys().open_seed(account, id, &sealed).unwrap().bytes(), [7; 20]);
    assert!(rotated(Kind::Factor).open_seed(account, id, &sealed).is_some());
    assert!(keys().open_seed(AccountId::from_bytes([9; 16]), id, &sealed).is_none());
    assert!(keys().open_seed(account, FactorId::from_bytes([9; 16]), &sealed).is_none());
    assert!(keys().open_seed(account, id, &sealed[1..]).is_none());
}

#[test]
fn h12_keyed_hashes_are_of_one_kind_and_of_all_parts() {
    let keys = keys();
    let hash = keys.lookup(Lookup::MailCode, &[b"id", b"12345678"]);
    assert!(keys.lookup_holds(Lookup::MailCode, &[b"id", b"12345678"], &hash));
    assert!(!keys.lookup_holds(Lookup::Recovery, &[b"id", b"12345678"], &hash));
    assert!(!keys.lookup_holds(Lookup::MailCode, &[b"id1", b"2345678"], &hash));
    let rotated = rotated(Kind::Credential);
    assert_ne!(rotated.lookup(Lookup::MailCode, &[b"id", b"12345678"]), hash);
    assert!(rotated.lookups(Lookup::MailCode, &[b"id", b"12345678"]).contains(&hash));
}
