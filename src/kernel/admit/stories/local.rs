//! Credentials that are kept here or at the product: rows B6 to B12, and what a second step changes (rules H1, H3, H21).

use super::*;
use crate::kernel::admit::PasswordState;
use crate::kernel::proof::{SecondStepProof, Stepper};
use crate::kernel::values::ProductName;

/// A local account at the product: its password, typed at the product's door.
fn password(address: &str) -> Case {
    Case::local(Method::Password, LOCAL, &account(9, address), ProductAccountState::Local)
}

fn emergency(of: &Account) -> Case {
    let case = Case::local(Method::Emergency, HERE, of, ProductAccountState::Linked);
    case.policy("a", |policy| policy.break_glass = vec![email("root@a.com")])
}

#[test]
fn b12_a_local_password_opens_its_own_product_and_no_login_for_the_browser() {
    let case = password("ann@free.example");
    check(&case, "session");
    let terms = admitted(&case);
    assert_eq!((terms.confined_to, terms.link), (Some(product().name), None));
    assert!(!terms.proves_address, "who knows a password has not shown that the mailbox is theirs");
    let elsewhere = |case: &mut Case| case.product.as_mut().unwrap().name = ProductName::parse("loom").unwrap();
    check(&case.clone().with(elsewhere), "proof-directory");
    check(&case.with(|case| case.product = None), "proof-directory");
    // A session of it stands for no other login.
    let confined = Case::session(ISSUER, &account(9, "ann@free.example"))
        .with(|case| case.session.as_mut().unwrap().0.confined_to = Some(product().name));
    check(&confined, "login-required");
}

#[test]
fn b2_no_local_credential_meets_a_policy_that_names_a_directory() {
    for method in Method::ALL.into_iter().filter(|method| method.is_local()) {
        let ann = account(9, "ann@a.com");
        check(&Case::local(method, LOCAL, &ann, ProductAccountState::Local).stepped(&ann), "go to 1");
        // By an address that is not the typed one, and by one that was never proved (rule C3).
        let bob = account(9, "ann@free.example");
        let also = |case: &mut Case| case.further = vec![email("ann@a.com")];
        check(&Case::local(method, LOCAL, &bob, ProductAccountState::Local).with(also).stepped(&bob), "go to 1");
        let unproved = Account { email_verified: false, ..ann };
        check(&Case::local(method, LOCAL, &unproved, ProductAccountState::Local).stepped(&unproved), "go to 1");
        let offered = Case::local(method, LOCAL, &account(9, "ann@c.com"), ProductAccountState::Local);
        check(&offered.stepped(&account(9, "ann@c.com")), "session");
    }
}

#[test]
fn b6_after_the_move_every_local_credential_is_dead() {
    let ann = account(9, "ann@free.example");
    let merged = ProductAccountState::Merged(ProductAccountId::from_bytes([1; 16]));
    for method in Method::ALL.into_iter().filter(|method| method.is_local()) {
        check(&Case::local(method, LOCAL, &ann, ProductAccountState::Linked).stepped(&ann), "password-dead");
        check(&Case::local(method, LOCAL, &ann, merged).stepped(&ann), "password-dead");
        check(&Case::local(method, LOCAL, &ann, ProductAccountState::Migrating).stepped(&ann), "session");
    }
    check(&Case::local(Method::Passkey, HERE, &ann, ProductAccountState::Linked), "password-dead");
}

#[test]
fn b7_a_credential_of_nobody_is_a_wrong_password() {
    let case = password("ann@free.example");
    check(&case.clone().with(|case| case.local.account = None), "no-account");
    check(&case.clone().with(|case| case.product_account = None), "no-account");
    // The id in the proof decides, whoever else was loaded.
    let other = |case: &mut Case| case.local.account = Some(account(8, "ann@free.example"));
    check(&case.clone().with(other), "no-account");
    check(&case.with(|case| case.claims.identity.source = SubjectSource("sub".to_owned())), "no-account");
}

#[test]
fn h21_a_directory_proves_only_by_its_own_methods() {
    let ann = account(9, "ann@free.example");
    for (at, method) in [LOCAL, HERE, ISSUER, GOOGLE, A].into_iter().flat_map(|at| Method::ALL.map(|m| (at, m))) {
        let case = Case::local(method, at, &ann, ProductAccountState::Local).stepped(&ann);
        let kind_holds = match at {
            LOCAL => method.is_local(),
            HERE => matches!(method, Method::Passkey | Method::Recovery | Method::Emergency),
            ISSUER => method == Method::Issuer,
            GOOGLE => method == Method::ThirdParty,
            _ => method == Method::OrgSso,
        };
        assert_eq!(case.word() != "proof-directory", kind_holds, "{at} {method:?}");
    }
}

#[test]
fn b9_a_second_step_is_asked_as_the_policy_says() {
    let ann = account(9, "ann@free.example");
    let set = |step| move |case: &mut Case| case.catalog.people.second_step = step;
    let enrolled = |case: &mut Case| case.local.enrolled = true;
    let rows = [
        (Method::Password, SecondStep::Off, false, "session"),
        (Method::Password, SecondStep::Off, true, "session"),
        (Method::Password, SecondStep::Optional, false, "session"),
        (Method::Password, SecondStep::Optional, true, "second-step-needed"),
        (Method::Password, SecondStep::Required, false, "second-step-needed"),
        (Method::Adapter, SecondStep::Required, true, "second-step-needed"),
        (Method::Recovery, SecondStep::Optional, true, "second-step-needed"),
        // Whoever has the mailbox alone does not set a password (rule H1), whatever the policy.
        (Method::Reset, SecondStep::Off, true, "second-step-needed"),
        (Method::Reset, SecondStep::Off, false, "session"),
        // The authenticator has verified its person.
        (Method::Passkey, SecondStep::Required, true, "session"),
    ];
    for (method, step, has, expected) in rows {
        let case = Case::local(method, LOCAL, &ann, ProductAccountState::Local).with(set(step));
        let case = if has { case.with(enrolled) } else { case };
        check(&case, expected);
        check(&case.clone().stepped(&ann), "session");
        // Somebody else's step is none.
        check(&case.stepped(&account(8, "bob@free.example")), expected);
    }
    let terms = admitted(&password("ann@free.example").with(enrolled).stepped(&ann));
    assert_eq!(terms.proved.stepped_at, Some(NOW));
}

#[test]
fn b9_only_the_policys_directory_answers_for_the_second_step() {
    let ann = account(9, "ann@c.com");
    let required = |policy: &mut Policy| policy.second_step = SecondStep::Required;
    check(&Case::linked(C, None, &ann).policy("c", required), "session");
    for directory in [ISSUER, GOOGLE] {
        let case = Case::linked(directory, Some("ann@c.com"), &ann).policy("c", required);
        check(&case, "second-step-needed");
        check(&case.stepped(&ann), "session");
    }
    // Where it names none, its directories are providers like others.
    let off = |policy: &mut Policy| policy.sso = Sso::Off;
    check(&Case::linked(C, None, &ann).policy("c", required).policy("c", off), "second-step-needed");
    // A session remembers its step.
    let session = Case::session(ISSUER, &ann).policy("c", required);
    check(&session, "second-step-needed");
    check(&session.with(|case| case.session.as_mut().unwrap().0.stepped_at = Some(NOW)), "session");
}

#[test]
fn h1_a_link_to_somebody_with_a_second_step_asks_for_it() {
    let ann = account(9, "ann@c.com");
    let case = Case::candidate(C, &ann, ISSUER);
    check(&case, "link");
    check(&case.with(|case| case.candidates[0].enrolled = true), "second-step-needed");
}

#[test]
fn b9_who_comes_by_a_provider_takes_the_step_of_the_account_that_is_entered_and_no_other() {
    let (ann, bob) = (account(9, "ann@free.example"), account(8, "bob@free.example"));
    let required = |case: &mut Case| case.catalog.people.second_step = SecondStep::Required;
    let open = |case: &mut Case| case.product.as_mut().unwrap().signup = Signup::Open;
    // An account that an address names is the one that the login links, and its step counts before the link.
    let named = Case::candidate(ISSUER, &ann, C).with(|case| case.candidates[0].identities.clear()).with(required);
    check(&named, "second-step-needed");
    check(&named.clone().stepped(&bob), "second-step-needed");
    check(&named.clone().stepped(&ann), "link");
    assert_eq!(admitted(&named.stepped(&ann)).proved.stepped_at, Some(NOW));
    // Who is new takes it as whoever has this identity, before there is an account.
    let newcomer = Case::stranger(ISSUER, Some("new@free.example")).with(required).with(open);
    check(&newcomer, "second-step-needed");
    let step = |key: &IdentityKey| SecondStepProof::new(Stepper::Newcomer(key.clone()), NOW);
    let own = newcomer.claims.identity.clone();
    let other = IdentityKey { subject: "somebody else".to_owned(), ..own.clone() };
    check(&newcomer.clone().with(|case| case.local.step = Some(step(&own))), "create");
    check(&newcomer.clone().with(|case| case.local.step = Some(step(&other))), "second-step-needed");
    check(&newcomer.stepped(&ann), "second-step-needed");
    // A newcomer's step is none once the identity has an account.
    let linked = Case::linked(ISSUER, None, &ann).with(required);
    check(&linked.clone().with(|case| case.local.step = Some(step(&own))), "second-step-needed");
    check(&linked.stepped(&ann), "session");
    // Whom nothing lets in is not asked: what is missing first is said.
    let closed = |case: &mut Case| case.product.as_mut().unwrap().signup = Signup::Closed;
    check(&Case::stranger(ISSUER, Some("new@free.example")).with(required).with(closed), "no-account");
}

#[test]
fn b10_a_password_that_is_too_old_or_too_weak_is_replaced_first() {
    let rule = |expire: Option<Duration>, min_score| {
        move |case: &mut Case| case.catalog.people.password = PasswordRule { min_score, expire }
    };
    let typed = |age: Duration, score| {
        move |case: &mut Case| case.local.password = Some(PasswordState { set_at: NOW.minus(age), score })
    };
    for (expire, age, min_score, score, expected) in [
        (None, DAY * 4000, 3, 3, "session"),
        (None, DAY, 3, 2, "new-password-needed"),
        (Some(DAY * 90), DAY * 90 - Duration::from_millis(1), 0, 0, "session"),
        (Some(DAY * 90), DAY * 90, 0, 4, "new-password-needed"),
    ] {
        let case = password("ann@free.example").with(rule(expire, min_score)).with(typed(age, score));
        check(&case, expected);
    }
    // Of managed people it is the policy's word.
    let strict = |policy: &mut Policy| policy.password.min_score = 4;
    check(&password("ann@c.com").with(typed(DAY, 3)).policy("c", strict), "new-password-needed");
    check(&password("ann@free.example").with(typed(DAY, 3)).policy("c", strict), "session");
}

#[test]
fn h3_an_emergency_login_is_for_whom_the_policy_names_with_a_second_step() {
    let root = account(9, "root@a.com");
    check(&emergency(&root), "second-step-needed");
    check(&emergency(&root).stepped(&root), "session");
    assert_eq!(admitted(&emergency(&root).stepped(&root)).confined_to, None);
    // Anybody else, and the same person once the policy no longer says so.
    let ann = account(9, "ann@a.com");
    check(&emergency(&ann).stepped(&ann), "go to 1");
    check(&emergency(&root).stepped(&root).policy("a", |policy| policy.break_glass.clear()), "go to 1");
    let free = account(9, "root@free.example");
    check(&emergency(&free).stepped(&free), "no-account");
    // An address that was never proved names nobody.
    let unproved = Account { email_verified: false, ..root.clone() };
    check(&emergency(&unproved).stepped(&unproved), "go to 1");
    // It opens nothing that is switched off, and works while the directory is gone: that is what it is for.
    let off = Account { status: AccountStatus::Deactivated, ..root.clone() };
    check(&emergency(&off).stepped(&off), "inactive");
    let gone = emergency(&root).stepped(&root).with(|case| {
        case.catalog.directories.remove(&id(A));
    });
    check(&gone, "session");
    // A local password of the same person stays closed (§4 #25).
    let typed = Case::local(Method::Password, LOCAL, &root, ProductAccountState::Local).stepped(&root);
    check(&typed.policy("a", |policy| policy.break_glass = vec![email("root@a.com")]), "go to 1");
}

#[test]
fn m29_people_of_a_policy_with_networks_come_from_there() {
    let ann = account(9, "ann@c.com");
    let office = |policy: &mut Policy| {
        policy.networks = vec![Network { address: "192.0.2.0".parse().unwrap(), prefix: 24 }];
    };
    for (from, expected) in [(Some("192.0.2.9"), "session"), (Some("198.51.100.1"), "network"), (None, "network")] {
        let client = from.map(|text| text.parse().unwrap());
        let here = |case: &mut Case| case.client = client;
        check(&Case::linked(C, None, &ann).policy("c", office).with(here), expected);
        check(&Case::session(C, &ann).policy("c", office).with(here), expected);
        check(&Case::linked(ISSUER, None, &account(9, "x@free.example")).policy("c", office).with(here), "session");
    }
}

#[test]
fn h4_a_policy_for_groups_holds_for_whoever_may_be_in_one() {
    let named = |members: Members| {
        move |case: &mut Case| {
            let org = Arc::make_mut(case.catalog.orgs.get_mut(&org("c")).unwrap());
            let mut policy = org.policy.clone();
            (policy.name, policy.sso) = (PolicyName::parse("pilot").unwrap(), Sso::Enforced);
            org.policies = vec![NamedPolicy { members, policy }];
        }
    };
    let group = || Members { people: Vec::new(), groups: vec!["pilot".to_owned()] };
    let ann = account(9, "ann@c.com");
    check(&Case::linked(ISSUER, None, &ann).with(named(group())), "go to 3");
    check(&Case::linked(C, None, &ann).with(named(group())), "session");
    let stamp = |case: Case| admitted(&case).policy.map(|policy| policy.id);
    let in_group = |case: &mut Case| case.claims.groups = vec!["pilot".to_owned()];
    assert_eq!(stamp(Case::linked(C, None, &ann).with(named(group()))), Some("c".to_owned()));
    assert_eq!(stamp(Case::linked(C, None, &ann).with(named(group())).with(in_group)), Some("c/pilot".to_owned()));
    let people = Members { people: vec![email("ann@c.com")], groups: Vec::new() };
    check(&Case::linked(ISSUER, None, &ann).with(named(people.clone())), "go to 3");
    check(&Case::linked(ISSUER, None, &account(9, "bob@c.com")).with(named(people)), "session");
}
