//! Each check of a ceremony alone, against an authenticator in software.

use super::*;
use crate::kernel::values::Timestamp;
use serde_json::json;

#[path = "../../../../tests/support/authenticator.rs"]
mod authenticator;
use authenticator::{Authenticator, FLAGS, Scene};

const CHALLENGE: [u8; 32] = [7; 32];
const URL: &str = "https://id.example.com:8443";
const NAME: &str = "id.example.com";

fn login() -> Origin {
    Origin::parse("id.example.com:8443").unwrap()
}

fn ann() -> AccountId {
    AccountId::from_bytes([1; 16])
}

fn authenticator() -> Authenticator {
    Authenticator::new(b"credential of ann", &ann().to_bytes())
}

fn factor(of: &Authenticator) -> Factor {
    Factor {
        id: FactorId::from_bytes([2; 16]),
        account: ann(),
        kind: FactorKind::Passkey,
        label: "key".to_owned(),
        secret: of.cose(),
        handle: Some(of.handle.clone()),
        counter: 1,
        created_at: Timestamp::from_seconds(1),
        last_used_at: None,
        mac: [0; 32],
    }
}

/// The presence of somebody's authenticator, judged like every other.
pub(in crate::kernel::local) fn presence_of(account: AccountId) -> Presence {
    let mut authenticator = Authenticator::new(b"credential", &account.to_bytes());
    let row = Factor { account, ..factor(&authenticator) };
    judged(&authenticator.get(&Scene::of_login(&CHALLENGE, URL, NAME)), &row).unwrap()
}

fn judged(answer: &str, factor: &Factor) -> Result<Presence, PasskeyFault> {
    let login = login();
    Assertion::parse(answer)?.judge(factor, Ceremony { challenge: &CHALLENGE, login: &login })
}

/// One change of an honest login, and what it is turned away with.
fn check(change: impl Fn(&mut Scene), expected: Option<PasskeyFault>) {
    let mut authenticator = authenticator();
    let factor = factor(&authenticator);
    let mut scene = Scene::of_login(&CHALLENGE, URL, NAME);
    change(&mut scene);
    let answer = authenticator.get(&scene);
    assert_eq!(judged(&answer, &factor).err(), expected, "{answer}");
}

#[test]
fn each_check_of_a_login_alone() {
    check(|_| (), None);
    check(|scene| scene.more = json!({}), None);
    check(|scene| scene.kind = "webauthn.create", Some(PasskeyFault::Ceremony));
    check(|scene| scene.challenge = vec![8; 32], Some(PasskeyFault::Challenge));
    check(|scene| scene.challenge.truncate(31), Some(PasskeyFault::Challenge));
    for origin in ["https://id.example.com", "http://id.example.com:8443", "https://board.example.com:8443", "null", ""]
    {
        check(|scene| scene.origin = origin.to_owned(), Some(PasskeyFault::Origin));
    }
    check(|scene| scene.more = json!({ "crossOrigin": true }), Some(PasskeyFault::Origin));
    check(|scene| scene.more = json!({ "topOrigin": "https://evil.example" }), Some(PasskeyFault::Origin));
    // Rule H6: the login host's own name, neither the domain above it nor a product beside it.
    for name in ["example.com", "board.example.com", "id.example.com:8443", "ID.EXAMPLE.COM"] {
        check(|scene| scene.rp_id = name.to_owned(), Some(PasskeyFault::RelyingParty));
    }
    check(|scene| scene.flags = FLAGS & !1, Some(PasskeyFault::Presence));
    check(|scene| scene.flags = FLAGS & !4, Some(PasskeyFault::Verification));
    check(|scene| scene.flags = FLAGS | 1 << 4, Some(PasskeyFault::Backup));
    check(|scene| scene.flags = FLAGS | 1 << 4 | 1 << 3, None);
}

#[test]
fn a_login_proves_the_person_of_its_own_credential_alone() {
    let scene = Scene::of_login(&CHALLENGE, URL, NAME);
    let mut theirs = authenticator();
    let row = factor(&theirs);
    let presence = judged(&theirs.get(&scene), &row).unwrap();
    assert_eq!((presence.account(), presence.factor(), presence.counter()), (ann(), row.id, 2));
    // The same id under another key.
    let mut forged = authenticator();
    assert_eq!(judged(&forged.get(&scene), &row), Err(PasskeyFault::Signature));
    let mut other = Authenticator::new(b"credential of bob", &ann().to_bytes());
    assert_eq!(judged(&other.get(&scene), &row), Err(PasskeyFault::Credential));
    theirs.user = vec![9; 16];
    assert_eq!(judged(&theirs.get(&scene), &row), Err(PasskeyFault::UserHandle));
    let totp = Factor { kind: FactorKind::Totp, ..row };
    assert_eq!(judged(&authenticator().get(&scene), &totp), Err(PasskeyFault::Credential));
}

#[test]
fn what_was_signed_cannot_be_changed() {
    let mut authenticator = authenticator();
    let row = factor(&authenticator);
    let answer = authenticator.get(&Scene::of_login(&CHALLENGE, URL, NAME));
    let fields: Value = serde_json::from_str(&answer).unwrap();
    // The counter, raised by whoever carries the answer.
    let mut data = URL_SAFE_NO_PAD.decode(fields["authenticatorData"].as_str().unwrap()).unwrap();
    data[36] = 99;
    let mut changed = fields.clone();
    changed["authenticatorData"] = URL_SAFE_NO_PAD.encode(&data).into();
    assert_eq!(judged(&changed.to_string(), &row), Err(PasskeyFault::Signature));
    for name in ["id", "clientDataJSON", "authenticatorData", "signature"] {
        let mut changed = fields.clone();
        changed.as_object_mut().unwrap().remove(name);
        assert_eq!(judged(&changed.to_string(), &row), Err(PasskeyFault::Shape), "{name}");
        changed[name] = "not base64!".into();
        assert_eq!(judged(&changed.to_string(), &row), Err(PasskeyFault::Shape), "{name}");
    }
    let twice = answer.replacen('{', "{\"signature\":\"\",", 1);
    assert_eq!(judged(&twice, &row), Err(PasskeyFault::Shape), "a member that comes twice");
    assert_eq!(judged(&" ".repeat(ANSWER_LIMIT + 1), &row), Err(PasskeyFault::Shape));
}

#[test]
fn a_counter_only_rises() {
    let check = |stored: i64, shown: u32, holds: bool| {
        let mut authenticator = authenticator();
        let row = Factor { counter: stored, ..factor(&authenticator) };
        authenticator.counter = shown.saturating_sub(1);
        let judged = judged(&authenticator.get(&Scene::of_login(&CHALLENGE, URL, NAME)), &row);
        assert_eq!(
            judged.map(|presence| presence.counter()),
            if holds { Ok(shown.into()) } else { Err(PasskeyFault::Counter) }
        );
    };
    check(6, 7, true);
    check(7, 7, false);
    check(8, 7, false);
    check(8, 0, false);
    // An authenticator without one.
    check(0, 0, true);
    check(0, 5, true);
}

#[test]
fn each_check_of_an_enrolment_alone() {
    let check = |change: &dyn Fn(&mut Scene), expected: Option<PasskeyFault>| {
        let authenticator = authenticator();
        let mut scene = Scene::of_enrolment(&CHALLENGE, URL, NAME);
        change(&mut scene);
        let login = login();
        let made = register(&authenticator.create(&scene), Ceremony { challenge: &CHALLENGE, login: &login });
        match expected {
            Some(fault) => assert_eq!(made, Err(fault)),
            None => assert_eq!(
                made,
                Ok(NewPasskey { handle: authenticator.handle.clone(), key: authenticator.cose(), counter: 1 })
            ),
        }
    };
    check(&|_| (), None);
    check(&|scene| scene.kind = "webauthn.get", Some(PasskeyFault::Ceremony));
    check(&|scene| scene.challenge = vec![8; 32], Some(PasskeyFault::Challenge));
    check(&|scene| scene.origin = "https://board.example.com".to_owned(), Some(PasskeyFault::Origin));
    check(&|scene| scene.rp_id = "example.com".to_owned(), Some(PasskeyFault::RelyingParty));
    check(&|scene| scene.flags = FLAGS & !1, Some(PasskeyFault::Presence));
    check(&|scene| scene.flags = FLAGS & !4, Some(PasskeyFault::Verification));
}

#[test]
fn a_key_has_its_one_form() {
    let cose = authenticator().cose();
    assert!(CredentialKey::parse(&cose).is_some());
    for place in 0..cose.len() {
        let mut changed = cose.clone();
        changed[place] ^= 1;
        // Another form, or a point that is not on the curve: half of all x have a y, and no other y fits this x.
        assert!(CredentialKey::parse(&changed).is_none(), "{place}");
    }
    assert!(CredentialKey::parse(&[cose.as_slice(), &[0]].concat()).is_none(), "something after it");
    assert!(CredentialKey::parse(&cose[..cose.len() - 1]).is_none());
    let rsa = |length: usize, first: u8| {
        let n = [vec![first], vec![0xff; length - 1]].concat();
        let size = u16::try_from(length).unwrap().to_be_bytes();
        let head = [0xa4, 0x01, 0x03, 0x03, 0x39, 0x01, 0x00, 0x20, 0x59];
        CredentialKey::parse(&[&head, size.as_slice(), &n, &[0x21, 0x43, 0x01, 0x00, 0x01]].concat()).is_some()
    };
    assert!(rsa(256, 0xff) && rsa(512, 0xff));
    assert!(!rsa(128, 0xff) && !rsa(256, 0) && !rsa(1024, 0xff));
}

#[test]
fn h21_a_passkey_opens_its_own_kind_of_door_and_no_other() {
    let login = login();
    let check = |kind: FactorKind, opens: [bool; 2]| {
        let mut authenticator = authenticator();
        let factor = Factor { kind, ..factor(&authenticator) };
        authenticator.user = user_handle(kind, factor.account);
        let ceremony = Ceremony { challenge: &CHALLENGE, login: &login };
        let answer = authenticator.get(&Scene::of_login(&CHALLENGE, URL, NAME));
        let assertion = Assertion::parse(&answer).unwrap();
        let [product, emergency] = [
            assertion.judge(&factor, ceremony).map(|_| ()),
            assertion.judge_emergency(&factor, Ceremony { challenge: &CHALLENGE, login: &login }).map(|_| ()),
        ];
        let expected = opens.map(|opens| if opens { Ok(()) } else { Err(PasskeyFault::Credential) });
        assert_eq!([product, emergency], expected, "{kind:?}");
    };
    check(FactorKind::Passkey, [true, false]);
    check(FactorKind::Emergency, [false, true]);
    check(FactorKind::Totp, [false, false]);
}

/// One authenticator keeps both: a handle of its own for each kind (WebAuthn §5.4.3), at most 64 bytes.
#[test]
fn h3_a_passkey_for_emergencies_has_a_user_handle_of_its_own() {
    let login = login();
    let mut authenticator = authenticator();
    let account = factor(&authenticator).account;
    let handles = [FactorKind::Passkey, FactorKind::Emergency].map(|kind| user_handle(kind, account));
    assert_ne!(handles[0], handles[1]);
    assert!(handles.iter().all(|handle| handle.len() <= 64));
    let mut judged = |kind: FactorKind, handle: &[u8]| {
        let row = Factor { kind, ..factor(&authenticator) };
        authenticator.user = handle.to_vec();
        let answer = authenticator.get(&Scene::of_login(&CHALLENGE, URL, NAME));
        let assertion = Assertion::parse(&answer).unwrap();
        let ceremony = Ceremony { challenge: &CHALLENGE, login: &login };
        match kind {
            FactorKind::Emergency => assertion.judge_emergency(&row, ceremony).map(|_| ()),
            FactorKind::Passkey | FactorKind::Totp => assertion.judge(&row, ceremony).map(|_| ()),
        }
    };
    for (kind, own, others) in [(FactorKind::Passkey, 0, 1), (FactorKind::Emergency, 1, 0)] {
        assert_eq!(judged(kind, &handles[own]), Ok(()));
        assert_eq!(judged(kind, &handles[others]), Err(PasskeyFault::UserHandle), "{kind:?}");
    }
}

/// Somebody's credential of the emergency door, judged like every other.
pub(in crate::kernel::local) fn emergency_of(account: AccountId) -> EmergencyPresence {
    let mut authenticator = Authenticator::new(b"credential", &user_handle(FactorKind::Emergency, account));
    let row = Factor { account, kind: FactorKind::Emergency, ..factor(&authenticator) };
    let answer = authenticator.get(&Scene::of_login(&CHALLENGE, URL, NAME));
    let assertion = Assertion::parse(&answer).unwrap();
    assertion.judge_emergency(&row, Ceremony { challenge: &CHALLENGE, login: &login() }).unwrap()
}
