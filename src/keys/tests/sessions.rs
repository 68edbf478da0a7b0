//! MACs of session rows: each fixed field alone.

use super::*;
use crate::kernel::model::{LoginSession, Method, ProductSession};
use crate::kernel::values::{LoginSessionId, ProductAccountId, SessionKey};

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
