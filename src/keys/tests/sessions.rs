//! MACs of session rows: each fixed field alone.

use super::*;
use crate::kernel::app::RefreshToken;
use crate::kernel::model::{Grant, LoginSession, Method, Personal, ProductSession, Scope, Thumbprint, TokenLabel};
use crate::kernel::values::{AppName, LoginSessionId, ProductAccountId, SessionKey};

fn login() -> LoginSession {
    LoginSession {
        id: LoginSessionId::from_bytes([1; 16]),
        key: SessionKey([2; 32]),
        account: AccountId::from_bytes([3; 16]),
        directory: directory(4),
        method: Method::OrgSso,
        amr: vec!["pwd".to_owned(), "mfa".to_owned()],
        groups: vec!["video".to_owned()],
        auth_time: NOW,
        browser: [5; 16],
        provider_session: Some("sid".to_owned()),
        logout_hint: None,
        name_key: None,
        created_at: NOW,
        last_seen: NOW,
        idle_millis: 1_000,
        abs_at: NOW.plus(Duration::from_secs(60)),
        account_epoch: 1,
        ask_before: Vec::new(),
        confined_to: None,
        stepped_at: None,
        device: None,
        grant: None,
        personal: None,
        mac: [0; 32],
    }
}

fn product() -> ProductSession {
    ProductSession {
        id: ProductSessionId::from_bytes([1; 16]),
        key: SessionKey([2; 32]),
        parent: LoginSessionId::from_bytes([3; 16]),
        product: ProductName::parse("trello").unwrap(),
        host: Origin::parse("trello.example.com").unwrap(),
        account: AccountId::from_bytes([4; 16]),
        product_account: ProductAccountId::from_bytes([5; 16]),
        created_at: NOW,
        last_seen: NOW,
        idle_millis: 1_000,
        abs_at: NOW.plus(Duration::from_secs(60)),
        account_epoch: 1,
        mac: [0; 32],
    }
}

#[test]
fn h12_a_login_sessions_mac_covers_what_is_fixed() {
    let keys = keys();
    let mut made = login();
    made.mac = keys.mac_login(&made);
    assert!(keys.holds_login(&made) && rotated(Kind::Row).holds_login(&made));
    let check = |holds: bool, change: &dyn Fn(&mut LoginSession)| {
        let mut changed = made.clone();
        change(&mut changed);
        assert_ne!(changed, made);
        assert_eq!(keys.holds_login(&changed), holds, "{changed:?}");
    };
    check(false, &|s| s.id = LoginSessionId::from_bytes([9; 16]));
    check(false, &|s| s.key = SessionKey([9; 32]));
    check(false, &|s| s.account = AccountId::from_bytes([9; 16]));
    check(false, &|s| s.directory = directory(9));
    check(false, &|s| s.method = Method::Issuer);
    check(false, &|s| s.amr = vec!["pwdmfa".to_owned()]);
    check(false, &|s| s.amr = vec!["pwd".to_owned(), "mfa".to_owned(), "hwk".to_owned()]);
    check(false, &|s| s.groups = Vec::new());
    check(false, &|s| {
        // A member moved from one list to its neighbour.
        s.amr = vec!["pwd".to_owned()];
        s.groups = vec!["mfa".to_owned(), "video".to_owned()];
    });
    check(false, &|s| s.auth_time = NOW.plus(Duration::from_millis(1)));
    check(false, &|s| s.browser = [9; 16]);
    check(false, &|s| s.provider_session = None);
    check(false, &|s| s.created_at = NOW.plus(Duration::from_millis(1)));
    check(false, &|s| s.idle_millis += 1);
    check(false, &|s| s.abs_at = NOW.plus(Duration::from_secs(61)));
    check(false, &|s| s.account_epoch += 1);
    check(false, &|s| s.mac[31] ^= 1);
    check(true, &|s| s.last_seen = NOW.plus(Duration::from_secs(5)));
    check(true, &|s| s.ask_before = vec![ProductName::parse("loom").unwrap()]);
}

fn of_app() -> LoginSession {
    let app = AppName::parse("phone").unwrap();
    let grant = Grant { app, bound_to: Some(Thumbprint([4; 32])), turn: 3, turned_at: NOW };
    LoginSession { grant: Some(Box::new(grant)), ..login() }
}

#[test]
fn h12_an_apps_sessions_mac_covers_that_it_is_one_and_how_often_it_turned() {
    let keys = keys();
    let mut made = of_app();
    made.mac = keys.mac_login(&made);
    assert!(keys.holds_login(&made) && rotated(Kind::Row).holds_login(&made));
    assert!(!keys.holds_login(&LoginSession { grant: None, ..made.clone() }), "no browser's session");
    let check = |change: &dyn Fn(&mut Grant)| {
        let mut changed = made.clone();
        change(changed.grant.as_mut().unwrap());
        assert_ne!(changed, made);
        assert!(!keys.holds_login(&changed), "{changed:?}");
    };
    check(&|grant| grant.app = AppName::parse("desk").unwrap());
    check(&|grant| grant.bound_to = None);
    check(&|grant| grant.bound_to = Some(Thumbprint([5; 32])));
    check(&|grant| grant.turn = 2);
    check(&|grant| grant.turned_at = NOW.plus(Duration::from_millis(1)));
    // And a browser's session is made no app's.
    let mut browsers = login();
    browsers.mac = keys.mac_login(&browsers);
    assert!(keys.holds_login(&browsers));
    assert!(!keys.holds_login(&LoginSession { grant: made.grant.clone(), ..browsers }));
}

#[test]
fn h12_a_personal_tokens_mac_covers_what_it_may_do() {
    let keys = keys();
    let personal = |scope| Personal { label: TokenLabel::parse("build").unwrap(), scope };
    let mut made = LoginSession { personal: Some(Box::new(personal(Scope::Read))), ..login() };
    made.mac = keys.mac_login(&made);
    assert!(keys.holds_login(&made));
    let label = TokenLabel::parse("deploy").unwrap();
    for other in [None, Some(personal(Scope::Full)), Some(Personal { label, ..personal(Scope::Read) })] {
        let other = LoginSession { personal: other.map(Box::new), ..made.clone() };
        assert!(!keys.holds_login(&other), "{other:?}");
    }
}

#[test]
fn a_personal_token_is_found_by_what_it_may_do_and_never_as_anything_else() {
    let (keys, token) = (keys(), Token::new([7; 32]));
    let read = keys.personal_key(&token, Scope::Read);
    for other in [keys.personal_key(&token, Scope::Full), keys.session_key(&token), keys.access_key(&token, None)] {
        assert_ne!(read, other);
    }
    assert_eq!(rotated(Kind::Token).earlier_personal_keys(&token, Scope::Read), [read]);
}

#[test]
fn h16_a_refresh_token_is_its_sessions_its_turns_and_its_keys() {
    let keys = keys();
    let session = of_app();
    let token = keys.refresh_token(&session, 3);
    assert_eq!((token.grant, token.turn), (session.id, 3));
    assert!(keys.made_refresh(&session, &token) && rotated(Kind::Row).made_refresh(&session, &token));
    assert_eq!(keys.refresh_token(&session, 3), token, "asked for again, it is the same");
    assert!(!keys.made_refresh(&session, &RefreshToken { turn: 4, ..token }));
    assert!(!keys.made_refresh(&session, &RefreshToken { mac: [0; 32], ..token }));
    let other = |change: &dyn Fn(&mut LoginSession)| {
        let mut changed = session.clone();
        change(&mut changed);
        keys.made_refresh(&changed, &token)
    };
    assert!(!other(&|session| session.id = LoginSessionId::from_bytes([9; 16])));
    assert!(!other(&|session| session.key = SessionKey([9; 32])), "a row that was written anew");
    assert!(!other(&|session| session.grant.as_mut().unwrap().bound_to = None));
}

#[test]
fn h16_an_access_token_finds_its_session_with_its_key_alone_and_never_as_a_cookie() {
    let keys = keys();
    let token = Token::new([7; 32]);
    let (one, other) = (Thumbprint([1; 32]), Thumbprint([2; 32]));
    let found = [
        keys.access_key(&token, Some(one)),
        keys.access_key(&token, Some(other)),
        keys.access_key(&token, None),
        keys.session_key(&token),
    ];
    for (place, key) in found.iter().enumerate() {
        assert!(!found[place + 1..].contains(key), "{place}");
    }
    assert_eq!(keys.access_key(&token, Some(one)), found[0]);
}

#[test]
fn h12_a_product_sessions_mac_covers_what_is_fixed() {
    let keys = keys();
    let mut made = product();
    made.mac = keys.mac_product(&made);
    assert!(keys.holds_product(&made) && rotated(Kind::Row).holds_product(&made));
    let check = |holds: bool, change: &dyn Fn(&mut ProductSession)| {
        let mut changed = made.clone();
        change(&mut changed);
        assert_ne!(changed, made);
        assert_eq!(keys.holds_product(&changed), holds, "{changed:?}");
    };
    check(false, &|s| s.id = ProductSessionId::from_bytes([9; 16]));
    check(false, &|s| s.key = SessionKey([9; 32]));
    check(false, &|s| s.parent = LoginSessionId::from_bytes([9; 16]));
    check(false, &|s| s.product = ProductName::parse("loom").unwrap());
    check(false, &|s| s.host = Origin::parse("trello.example.com:8443").unwrap());
    check(false, &|s| s.account = AccountId::from_bytes([9; 16]));
    check(false, &|s| s.product_account = ProductAccountId::from_bytes([9; 16]));
    check(false, &|s| s.created_at = NOW.plus(Duration::from_millis(1)));
    check(false, &|s| s.idle_millis += 1);
    check(false, &|s| s.abs_at = NOW.plus(Duration::from_secs(61)));
    check(false, &|s| s.account_epoch += 1);
    check(false, &|s| s.mac = [0; 32]);
    check(true, &|s| s.last_seen = NOW.plus(Duration::from_secs(5)));
}
