//! Phase C of personal tokens: limits of their own, and everything else as every session's.

use super::*;
use crate::kernel::app::lets_apps_in;
use crate::kernel::model::{ApiTokens, Personal, Scope, TokenLabel};

/// The session is that of a token of the product, which takes them for thirty days. Its person proved themselves an hour before.
fn of_token(case: &mut Case) {
    case.product.token = Some(DAY * 30);
    let label = TokenLabel::parse("build").unwrap();
    case.login.personal = Some(Box::new(Personal { label, scope: Scope::Full }));
    case.login.confined_to = Some(case.product.name.clone());
    (case.login.auth_time, case.login.created_at) = (NOW.minus(MINUTE * 60), NOW);
    (case.login.abs_at, case.login.idle_millis) = (NOW.plus(DAY * 400), (DAY * 400).as_millis() as u64);
    (case.session.abs_at, case.session.idle_millis) = (NOW.plus(DAY * 400), (DAY * 400).as_millis() as u64);
    case.catalog.products.insert(case.product.name.clone(), Arc::new(case.product.clone()));
}

fn allowed() -> Case {
    Case::of(C, "ann@c.com").with(of_token).policy("c", |policy| policy.api_tokens = ApiTokens::Allow)
}

#[test]
fn a_tokens_limits_are_its_own_and_count_from_its_making() {
    let case = allowed();
    let last = |case: &Case, at: Timestamp| (word(case.at(at.minus(Duration::from_millis(1)))), word(case.at(at)));
    let gone = ("continue".to_owned(), "absolute".to_owned());
    assert_eq!(last(&case, NOW.plus(DAY * 30)), gone, "the product's, not that of browsers");
    let stricter = case.clone().policy("c", |policy| policy.token = Some(DAY * 20));
    assert_eq!(last(&stricter, NOW.plus(DAY * 20)), gone, "the policy's");
    assert_eq!(stricter.login_alone(), Live::Continue { until: NOW.plus(DAY * 20) });
    let looser = case.clone().policy("c", |policy| policy.token = Some(DAY * 90));
    assert_eq!(last(&looser, NOW.plus(DAY * 30)), gone, "a policy widens nothing");
    // A token has no next login: what is stricter meets it at once.
    let late = stricter.policy("c", |policy| policy.on_change = OnChange::NextLogin);
    assert_eq!(last(&late, NOW.plus(DAY * 20)), gone);
}

#[test]
fn whatever_ends_a_session_ends_a_token() {
    for (change, why) in [
        ((|case| case.account.epoch += 1) as fn(&mut Case), "epoch"),
        (|case| case.account.status = AccountStatus::Deactivated, "end inactive"),
        (|case| case.record.as_mut().unwrap().off = true, "end inactive"),
        (|case| case.record.as_mut().unwrap().state = ProductAccountState::Local, "end inactive"),
        (|case| case.catalog.directories.clear(), "policy"),
        (|case| case.product.allow = Allow::default(), "end not-allowed"),
        (|case| case.product.token = None, "absolute"),
    ] {
        assert_eq!(allowed().with(change).word(), why);
    }
    let homeless = allowed().with(|case| drop(case.catalog.products.remove(&case.product.name.clone())));
    assert_eq!(word(homeless.login_alone()), "absolute");
}

#[test]
fn an_organization_forbids_tokens_at_once_and_browsers_go_on() {
    let blocks = |policy: &mut Policy| {
        (policy.api_tokens, policy.on_change) = (ApiTokens::Block, OnChange::NextLogin);
    };
    let case = allowed().policy("c", blocks);
    assert_eq!((case.word(), word(case.login_alone())), ("end credential".to_owned(), "end credential".to_owned()));
    assert_eq!(Case::of(C, "ann@c.com").policy("c", blocks).word(), "continue");
    // Allowed again, it goes on.
    assert_eq!(case.policy("c", |policy| policy.api_tokens = ApiTokens::Allow).word(), "continue");
}

#[test]
fn a_token_lets_nothing_in_and_its_person_is_not_there() {
    let case = allowed();
    assert!(!lets_apps_in(&case.login));
    assert_eq!(step_up::proved_at(&case.login), None);
    assert!(step_up::proved_at(&LoginSession { personal: None, ..case.login }).is_some());
}
