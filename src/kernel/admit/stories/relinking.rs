//! A change of provider: when a login by a new directory takes over a link of an old one, and everything that keeps it from that.

use super::*;
use crate::kernel::model::{LONGEST_WINDOW, Relinking};
use crate::kernel::relink::Window;
use crate::kernel::values::{AccountId, RelinkId};

/// The connection that organization c had before; the configuration knows nothing of it any more.
const GONE: u8 = 77;

fn window(from: u8, to: u8) -> Window {
    let relinking = Relinking {
        id: RelinkId::from_bytes([1; 16]),
        org: org("c"),
        from: id(from),
        to: id(to),
        only: None,
        opened_at: NOW.minus(DAY),
        until: NOW.plus(DAY),
        by: "operator".to_owned(),
        mac: [0; 32],
    };
    Window { relinking, used: Vec::new() }
}

/// A login by c's directory with the address of Ann, who is linked at the one before; a window for it is open.
fn case() -> Case {
    let ann = account(9, "ann@c.com");
    Case::candidate(C, &ann, GONE).with(|case| case.windows = vec![window(GONE, C)])
}

fn relinks(case: &Case) -> Option<(RelinkId, String)> {
    let terms = admitted(case);
    terms.relinks.map(|(by, old)| (by, old.key.subject))
}

#[test]
fn relink_a_window_lets_the_new_directory_take_the_link_over() {
    check(&case(), "link");
    assert_eq!(relinks(&case()), Some((RelinkId::from_bytes([1; 16]), "other".to_owned())));
    assert!(case().decide().trace.iter().any(|line| line == "RELINK: link and session"), "{:?}", case().decide().trace);
    // Without it nobody's word is enough: the link before might be anybody's.
    check(&case().with(|case| case.windows.clear()), "local-proof-needed");
    // Where both are configured, B20 adds a link; a window moves it.
    let both = || Case::candidate(C, &account(9, "ann@c.com"), C + 50);
    assert_eq!(both().word(), "local-proof-needed");
}

#[test]
fn relink_a_window_is_good_for_its_time_its_directories_and_its_organization() {
    type Change = fn(&mut Relinking);
    let rows: [(&str, Change); 9] = [
        ("ended", |it| it.until = NOW),
        ("not begun", |it| it.opened_at = NOW.plus(DAY)),
        ("longer than a window may be", |it| {
            (it.opened_at, it.until) = (NOW.minus(LONGEST_WINDOW), NOW.plus(DAY));
        }),
        ("from another directory", |it| it.from = id(D)),
        ("to another directory", |it| it.to = id(D)),
        ("another organization's", |it| it.org = org("d")),
        ("somebody else's", |it| it.only = Some(AccountId::from_bytes([8; 16]))),
        ("from a third party", |it| it.from = id(SLACK)),
        ("from the issuer", |it| it.from = id(ISSUER)),
    ];
    for (name, change) in rows {
        let closed = case().with(|case| change(&mut case.windows[0].relinking));
        assert_eq!(closed.word(), "local-proof-needed", "{name}");
    }
    let foreign =
        Case::candidate(C, &account(9, "ann@c.com"), SLACK).with(|case| case.windows = vec![window(SLACK, C)]);
    check(&foreign, "local-proof-needed");
    let others = Case::candidate(C, &account(9, "ann@c.com"), D).with(|case| case.windows = vec![window(D, C)]);
    check(&others, "local-proof-needed");
    let hers = case().with(|case| case.windows[0].relinking.only = Some(AccountId::from_bytes([9; 16])));
    check(&hers, "link");
}

#[test]
fn relink_an_account_is_taken_over_once_and_only_where_the_old_link_stands_alone() {
    let used = |case: &mut Case| case.windows[0].used = vec![AccountId::from_bytes([9; 16])];
    check(&case().with(used), "local-proof-needed");
    let suspended = |case: &mut Case| case.candidates[0].identities[0].suspended = true;
    check(&case().with(suspended), "local-proof-needed");
    // Known at the new directory as somebody else already: B19 stands.
    let ann = account(9, "ann@c.com");
    let arrived = |case: &mut Case| case.candidates[0].identities.push(link(&ann, C, "arrived"));
    check(&case().with(arrived), "conflict");
    // A login that a third party planted beside it.
    let planted = |case: &mut Case| case.candidates[0].identities.push(link(&ann, SLACK, "planted"));
    check(&case().with(planted), "local-proof-needed");
    let issuer = |case: &mut Case| case.candidates[0].identities.push(link(&ann, ISSUER, "hers"));
    check(&case().with(issuer), "link");
    let off = |case: &mut Case| case.candidates[0].account.status = AccountStatus::Deactivated;
    assert_ne!(case().with(off).word(), "link");
}

#[test]
fn relink_the_address_must_be_live_proved_and_the_directorys_to_speak_for() {
    let unproved = |case: &mut Case| case.candidates[0].account.email_verified = false;
    check(&case().with(unproved), "local-proof-needed");
    let further = |case: &mut Case| {
        case.candidates[0].account.email = Some(email("ann@free.example"));
        case.candidates[0].further = vec![email("ann@c.com")];
    };
    assert_ne!(case().with(further).word(), "link");
    // Dormant since before the claim (rule C6).
    let dormant = |case: &mut Case| {
        let long_ago = Some(NOW.minus(DAY * 381));
        (case.candidates[0].account.last_login_at, case.candidates[0].account.email_proved_at) = (long_ago, long_ago);
    };
    check(&case().with(dormant), "local-proof-needed");
    let suspended = |case: &mut Case| claim(&mut case.catalog, "c.com").suspended = true;
    assert_ne!(case().with(suspended).word(), "link");
    let two = |case: &mut Case| {
        let bob = Case::candidate(C, &account(8, "ann@c.com"), GONE).candidates;
        case.candidates.extend(bob);
    };
    check(&case().with(two), "several-accounts");
}

#[test]
fn relink_one_named_person_whom_the_provider_made_anew() {
    let ann = account(9, "ann@c.com");
    let anew = || Case::candidate(C, &ann, C);
    check(&anew(), "conflict");
    check(&anew().with(|case| case.windows = vec![window(C, C)]), "conflict");
    let named = |case: &mut Case| {
        case.windows = vec![window(C, C)];
        case.windows[0].relinking.only = Some(AccountId::from_bytes([9; 16]));
    };
    check(&anew().with(named), "link");
    let used = |case: &mut Case| case.windows[0].used = vec![AccountId::from_bytes([9; 16])];
    check(&anew().with(named).with(used), "conflict");
}
