//! Attacks and everyday logins, one row each: what the objections say. The linking decision has a file of its own below.

use super::world::*;
use super::{Outcome, Person, Record, Terms};
use crate::kernel::model::*;
use crate::kernel::proof::Vouched;
use crate::kernel::values::{DomainName, Network, PolicyName, ProductAccountId, ThirdPartyName, Timestamp};
use std::sync::Arc;
use std::time::Duration;

mod linking;
mod local;
mod mistakes;
mod moving;
mod relinking;

#[track_caller]
fn check(case: &Case, expected: &str) {
    assert_eq!(case.word(), expected, "{:#?}", case.decide().trace);
}

#[track_caller]
fn admitted(case: &Case) -> Terms {
    match case.decide().outcome {
        Outcome::Session(admitted) | Outcome::Link(admitted) | Outcome::Create(admitted) => admitted.terms().clone(),
        other => panic!("not admitted: {}", word(&other)),
    }
}

#[test]
fn a_linked_identity_opens_its_account() {
    let ann = account(9, "ann@a.com");
    let case = Case::linked(A, Some("ann@a.com"), &ann);
    check(&case, "session");
    let terms = admitted(&case);
    assert!(matches!(terms.person, Person::Known(known) if known.id == ann.id));
    assert_eq!((terms.managed_by, terms.link), (Some(org("a")), None));
    assert!(terms.proves_address && terms.ignored_address.is_none());
}

#[test]
fn a_foreign_address_of_a_linked_person_is_ignored_and_flagged() {
    let ann = account(9, "ann@a.com");
    let case = Case::linked(A, Some("ann@b.com"), &ann);
    check(&case, "session");
    assert_eq!(admitted(&case).ignored_address, Some(email("ann@b.com")));
    assert!(!admitted(&case).proves_address);
}

#[test]
fn c1_an_identity_is_found_in_its_own_directory_only() {
    let ann = account(9, "ann@free.example");
    for (proving, linked) in DIRECTORIES.into_iter().flat_map(|one| DIRECTORIES.map(|other| (one, other))) {
        // Same issuer, same source, same subject; only our own id of the directory differs.
        let mut case = Case::linked(proving, None, &ann);
        case.linked.as_mut().unwrap().link.key.directory = id(linked);
        let expected = if proving == linked { "session" } else { "no way in" };
        let word = case.word();
        assert_eq!(if word == "session" { "session" } else { "no way in" }, expected, "{proving} {linked}: {word}");
    }
    for change in [
        |case: &mut Case| case.linked.as_mut().unwrap().link.key.source = SubjectSource("email".to_owned()),
        |case: &mut Case| case.linked.as_mut().unwrap().link.key.subject = "S".to_owned(),
    ] {
        check(&Case::linked(ISSUER, Some("x@free.example"), &ann).with(change).with(closed), "no-account");
    }
}

fn closed(case: &mut Case) {
    case.product.as_mut().unwrap().signup = Signup::Closed;
}

#[test]
fn c2_session_only_from_the_policys_directory() {
    let ann = account(9, "ann@a.com");
    for directory in DIRECTORIES {
        let expected = if directory == A { "session" } else { "go to 1" };
        check(&Case::linked(directory, Some("ann@a.com"), &ann), expected);
        check(
            &Case::session(directory, &ann),
            if directory == A || expected == "session" { expected } else { session_answer(directory) },
        );
    }
}

/// A session of another organization's directory has ended; one of the issuer or a third party is sent on.
fn session_answer(directory: u8) -> &'static str {
    if [B, C, D].contains(&directory) { "login-required" } else { "go to 1" }
}

#[test]
fn c2_former_employers_identity_provider() {
    // Ann's account came from b; her address is a's now. b's directory still vouches for ann@b.com.
    let ann = account(9, "ann@a.com");
    check(&Case::linked(B, Some("ann@b.com"), &ann), "go to 1");
    // Also where a only offers single sign-on, and whether or not the store suspended the link.
    for sso in [Sso::Off, Sso::Offered] {
        let case = Case::linked(B, Some("ann@b.com"), &ann).policy("a", |policy| policy.sso = sso);
        check(&case, "authority");
        check(&Case::session(B, &ann).policy("a", |policy| policy.sso = sso), "login-required");
        check(&Case::linked(A, Some("ann@a.com"), &ann).policy("a", |policy| policy.sso = sso), "session");
    }
    let suspended = |case: &mut Case| case.linked.as_mut().unwrap().link.suspended = true;
    check(&Case::linked(ISSUER, None, &account(9, "ann@free.example")).with(suspended), "authority");
}

#[test]
fn c2_the_policy_of_an_unproved_address_holds_too() {
    check(&Case::stranger(ISSUER, Some("new@a.com")), "go to 1");
    check(&Case::stranger(SLACK, Some("new@a.com")).with(|case| case.claims.email_verified = Vouched::No), "go to 1");
    let unproved = Account { email_verified: false, ..account(9, "ann@a.com") };
    check(&Case::linked(ISSUER, None, &unproved), "go to 1");
    let without = Account { email: None, email_verified: false, ..account(9, "ann@a.com") };
    check(&Case::linked(ISSUER, Some("ann@a.com"), &without), "go to 1");
}

#[test]
fn c3_any_managed_address_makes_the_account_managed() {
    let rows: [(&str, Option<&str>, u8, &str); 10] = [
        ("ann@free.example", None, ISSUER, "session"),
        ("ann@free.example", None, GOOGLE, "session"),
        ("ann@free.example", Some("ann@a.com"), ISSUER, "go to 1"),
        ("ann@free.example", Some("ann@a.com"), GOOGLE, "go to 1"),
        ("ann@free.example", Some("ann@a.com"), A, "session"),
        ("ann@a.com", Some("ann@free.example"), ISSUER, "go to 1"),
        ("ann@a.com", Some("ann@b.com"), A, "two-organizations"),
        ("ann@a.com", Some("ann@b.com"), B, "two-organizations"),
        ("ann@a.com", Some("ann@b.com"), ISSUER, "two-organizations"),
        ("ann@a.com", Some("ann@c.com"), A, "session"),
    ];
    for (live, further, directory, expected) in rows {
        let ann = account(9, live);
        let add = |case: &mut Case| case.further = further.map(email).into_iter().collect();
        check(&Case::linked(directory, None, &ann).with(add), expected);
    }
    // Two organizations that do not both enforce are no conflict.
    let both = Case::linked(A, None, &account(9, "ann@a.com")).with(|case| case.further = vec![email("ann@b.com")]);
    check(&both.policy("b", |policy| policy.sso = Sso::Offered), "session");
}

#[test]
fn b3_a_directory_speaks_for_its_own_domains_exactly() {
    for address in [None, Some("x@b.com"), Some("x@free.example"), Some("x@sub.c.com"), Some("x@evilc.com")] {
        let word = Case::stranger(C, address).word();
        assert_eq!(word, if address == Some("x@b.com") { "go to 2" } else { "authority" }, "{address:?}");
    }
    check(&Case::stranger(C, Some("x@c.com")), "create");
    check(
        &Case::stranger(C, Some("x@c.com")).with(|case| claim(&mut case.catalog, "c.com").suspended = true),
        "authority",
    );
    // A directory that lists another organization's domain still does not speak for it.
    let greedy = Case::stranger(C, Some("x@d.com")).with(|case| {
        let directory = Arc::make_mut(case.catalog.directories.get_mut(&id(C)).unwrap());
        directory.domains.push(DomainName::parse("d.com").unwrap());
    });
    check(&greedy, "authority");
}

#[test]
fn b4_third_parties_as_the_policy_says() {
    let ann = account(9, "ann@c.com");
    let only = |name: &str| ThirdPartyRule::Only(vec![ThirdPartyName::parse(name).unwrap()]);
    for (rule, expected) in [
        (ThirdPartyRule::Any, "session"),
        (ThirdPartyRule::None, "third-party"),
        (only("google"), "session"),
        (only("slack"), "third-party"),
    ] {
        let set = |policy: &mut Policy| policy.third_party = rule.clone();
        check(&Case::linked(GOOGLE, Some("ann@c.com"), &ann).policy("c", set), expected);
        check(&Case::session(GOOGLE, &ann).policy("c", set), expected);
        check(&Case::linked(ISSUER, Some("ann@c.com"), &ann).policy("c", set), "session");
    }
}

#[test]
fn m7_a_personal_third_party_identity_opens_no_managed_account() {
    let ann = account(9, "ann@c.com");
    for address in [None, Some("ann@gmail.com"), Some("ann@d.com")] {
        check(&Case::linked(GOOGLE, address, &ann), "third-party");
    }
    let early = Case::session(GOOGLE, &ann).with(|case| claim(&mut case.catalog, "c.com").claimed_at = NOW);
    check(&early, "third-party");
}

#[test]
fn h2_inactive_candidates_and_tombstones_stay_out() {
    let statuses = [AccountStatus::Deactivated, AccountStatus::PendingDelete(NOW), AccountStatus::Deleted];
    for (status, directory) in statuses.into_iter().flat_map(|status| [C, ISSUER, GOOGLE].map(|d| (status, d))) {
        let bob = Account { status, ..account(9, "bob@c.com") };
        check(&Case::candidate(directory, &bob, SLACK), "inactive");
        let unproved = Account { email_verified: false, ..bob.clone() };
        check(&Case::candidate(directory, &unproved, SLACK), "inactive");
        check(&Case::linked(directory, Some("bob@c.com"), &bob), "inactive");
        // One of several is enough.
        let beside = Case::candidate(directory, &account(8, "bob@c.com"), SLACK).with(|case| {
            case.candidates.extend(Case::candidate(directory, &bob, ISSUER).candidates);
        });
        check(&beside, "inactive");
    }
    let off = |case: &mut Case| case.candidates[0].product_account.as_mut().unwrap().off = true;
    check(&Case::candidate(C, &account(9, "bob@c.com"), ISSUER).with(off), "inactive");
    let off = |case: &mut Case| case.product_account.as_mut().unwrap().off = true;
    check(&Case::linked(C, None, &account(9, "bob@c.com")).with(off), "inactive");
    check(&Case::session(C, &account(9, "bob@c.com")).with(off), "inactive");
}

#[test]
fn what_the_directory_and_the_policy_require_must_be_in_amr() {
    let ann = account(9, "ann@c.com");
    let mfa = |case: &mut Case| case.claims.amr = vec!["pwd".to_owned(), "mfa".to_owned()];
    let require = |policy: &mut Policy| policy.require_amr = vec!["mfa".to_owned()];
    for directory in [C, ISSUER] {
        check(&Case::linked(directory, None, &ann).policy("c", require), "weak-proof");
        check(&Case::linked(directory, None, &ann).policy("c", require).with(mfa), "session");
    }
    let at_directory = |case: &mut Case| {
        let directory = Arc::make_mut(case.catalog.directories.get_mut(&id(C)).unwrap());
        if let Protocol::Oidc(settings) = &mut directory.protocol {
            settings.require_amr = vec!["mfa".to_owned()];
        }
    };
    check(&Case::linked(C, None, &ann).with(at_directory), "weak-proof");
    check(&Case::linked(C, None, &ann).with(at_directory).with(mfa), "session");
}

#[test]
fn m6_an_old_proof_is_not_fresh() {
    let ann = account(9, "ann@c.com");
    let aged = |age: Duration| move |case: &mut Case| case.claims.auth_time = NOW.minus(age);
    check(&Case::linked(C, None, &ann).with(aged(DAY * 7)), "stale-proof");
    check(&Case::linked(C, None, &ann).with(aged(DAY * 7 - Duration::from_millis(1))), "session");
    let hour = Limits { idle: None, absolute: Some(Duration::from_secs(3600)) };
    let tight = |case: &mut Case| case.product.as_mut().unwrap().limits = hour;
    check(&Case::session(C, &ann).with(tight), "stale-proof");
    check(&Case::session(C, &ann), "session");
}

#[test]
fn allow_is_any_of_its_lines_and_nobody_when_empty() {
    let ann = account(9, "ann@c.com");
    let allowing = |allow: Allow| move |case: &mut Case| case.product.as_mut().unwrap().allow = allow;
    let groups = |case: &mut Case| case.claims.groups = vec!["video".to_owned()];
    let video = Allow { groups: vec!["video".to_owned()], ..Allow::default() };
    check(&Case::linked(C, None, &ann).with(allowing(Allow::default())), "not-allowed");
    let orgs = |name| Allow { orgs: vec![org(name)], ..Allow::default() };
    check(&Case::linked(C, None, &ann).with(allowing(orgs("c"))), "session");
    check(&Case::linked(C, None, &ann).with(allowing(orgs("a"))), "not-allowed");
    check(&Case::linked(C, None, &ann).with(allowing(video.clone())).with(groups), "session");
    check(&Case::linked(C, None, &ann).with(allowing(video.clone())), "not-allowed");
    // Groups count only from a directory of the organization that manages the person.
    check(&Case::linked(ISSUER, None, &ann).with(allowing(video.clone())).with(groups), "not-allowed");
    check(&Case::linked(C, None, &account(9, "x@free.example")).with(allowing(video)).with(groups), "not-allowed");
    let people = Allow { people: vec![email("ann@c.com")], ..Allow::default() };
    check(&Case::linked(C, None, &ann).with(allowing(people.clone())), "session");
    let unproved = Account { email_verified: false, ..ann };
    check(&Case::linked(C, None, &unproved).with(allowing(people)), "not-allowed");
}

#[test]
fn m4_the_directory_must_stand_in_the_configuration_of_now() {
    let ann = account(9, "ann@free.example");
    let removed = |case: &mut Case| {
        case.catalog.directories.remove(&id(ISSUER));
    };
    check(&Case::linked(ISSUER, None, &ann).with(removed), "proof-directory");
    check(&Case::session(ISSUER, &ann).with(removed), "login-required");
    check(&Case::linked(ISSUER, None, &ann).with(|case| case.claims.method = Method::OrgSso), "proof-directory");
}

#[test]
fn handover_a_session_is_asked_again_for_each_product() {
    let ann = account(9, "ann@c.com");
    check(&Case::session(C, &ann), "session");
    let terms = admitted(&Case::session(C, &ann));
    assert!(terms.session.is_some() && terms.link.is_none() && !terms.proves_address);
    let change = |change: fn(&mut (LoginSession, Account, Vec<LinkedIdentity>))| {
        Case::session(C, &ann).with(|case| change(case.session.as_mut().unwrap()))
    };
    check(&change(|(session, ..)| session.abs_at = NOW), "login-required");
    check(&change(|(session, ..)| session.idle_millis = 0), "login-required");
    check(&change(|(_, account, _)| account.epoch += 1), "login-required");
    check(
        &change(|(_, account, _)| account.id = crate::kernel::values::AccountId::from_bytes([8; 16])),
        "login-required",
    );
    check(&change(|(_, account, _)| account.status = AccountStatus::Deactivated), "inactive");
    check(&change(|(.., identities)| identities.clear()), "login-required");
    check(&change(|(.., identities)| identities[0].suspended = true), "authority");
    // Policy tightened between the login and the handover: no grace for a new product session.
    let tightened = |policy: &mut Policy| {
        policy.sso = Sso::Enforced;
        policy.changed_at = NOW;
    };
    check(&Case::session(ISSUER, &ann).policy("c", tightened), "go to 3");
}

#[test]
fn limits_are_the_stricter_of_product_and_policy() {
    let hours = |n: u64| Some(Duration::from_secs(n * 3600));
    let case = Case::linked(C, None, &account(9, "ann@c.com"))
        .policy("c", |policy| policy.limits = Limits { idle: hours(8), absolute: hours(48) })
        .with(|case| case.product.as_mut().unwrap().limits = Limits { idle: hours(12), absolute: hours(24) });
    let terms = admitted(&case);
    assert_eq!((Some(terms.bounds.idle), Some(terms.bounds.absolute)), (hours(8), hours(48)));
    let entry = terms.entry.unwrap();
    assert_eq!((Some(entry.bounds.idle), Some(entry.bounds.absolute)), (hours(8), hours(24)));
    let bare = admitted(&Case::linked(ISSUER, None, &account(9, "ann@free.example")));
    assert_eq!((Some(bare.bounds.idle), Some(bare.bounds.absolute)), (hours(24), hours(7 * 24)));
}

/// The whole table at a glance: who comes by which directory (columns), with which address (rows), and what becomes of it.
#[test]
fn the_decision_table() {
    use std::fmt::Write as _;
    const ADDRESSES: [&str; 6] = ["x@a.com", "x@c.com", "x@d.com", "x@gmail.com", "x@free.example", "x@sub.a.com"];
    type Make = fn(u8, &str) -> Case;
    let kinds: [(&str, Make); 4] = [
        ("nobody knows the person", |directory, address| Case::stranger(directory, Some(address))),
        ("the identity is linked to the account of that address", |directory, address| {
            Case::linked(directory, Some(address), &account(9, address))
        }),
        ("an account of that address is linked at the issuer", |directory, address| {
            Case::candidate(directory, &account(9, address), ISSUER)
        }),
        ("a login session of the account of that address", |directory, address| {
            Case::session(directory, &account(9, address))
        }),
    ];
    let mut table = String::new();
    for (title, make) in kinds {
        writeln!(
            table,
            "\n{title}\n{:16}{}",
            "",
            ["a", "c", "issuer", "google", "slack"].map(|name| format!("{name:20}")).concat()
        )
        .unwrap();
        for address in ADDRESSES {
            let words =
                [A, C, ISSUER, GOOGLE, SLACK].map(|directory| format!("{:20}", make(directory, address).word()));
            writeln!(table, "{address:16}{}", words.concat().trim_end()).unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_directory_for_some_people_speaks_for_them_alone() {
    let some = |case: &mut Case| {
        let directory = case.catalog.directories.get_mut(&id(A)).unwrap();
        Arc::make_mut(directory).members = Some(vec![email("ann@a.com")]);
    };
    let plain = |address| Case::stranger(A, Some(address));
    assert_eq!(plain("ann@a.com").with(some).word(), plain("ann@a.com").word(), "one of them");
    check(&plain("bob@a.com").with(some), "authority");
    // Hers is another one than everybody's: everybody's does not speak for her, and she is sent to hers.
    let hers = |case: &mut Case| {
        let mut second = case.catalog.directories[&id(A)].as_ref().clone();
        second.id = id(77);
        second.members = Some(vec![email("ann@a.com")]);
        case.catalog.directories.insert(id(77), Arc::new(second));
        Arc::make_mut(case.catalog.orgs.get_mut(&org("a")).unwrap()).directories.push(id(77));
    };
    assert!(matches!(plain("ann@a.com").with(hers).decide().outcome, Outcome::Reroute(to) if to == id(77)));
    assert_eq!(plain("bob@a.com").with(hers).word(), plain("bob@a.com").word());
}
