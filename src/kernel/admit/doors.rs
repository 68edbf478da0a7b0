//! Every door × every state of an account × every policy: printed, and held against what no door may do. The doors are the methods
//! by which anybody can be proved, and a session that is there; whatever a person tries goes through one of them.
//!
//! `cargo test --lib doors -- --nocapture` prints the table.

use super::Outcome;
use super::world::*;
use crate::kernel::live::{Live, LoginFacts, login_live};
use crate::kernel::model::*;
use crate::kernel::proof::Vouched;
use crate::kernel::values::{EmailAddress, PolicyName};
use proptest::prelude::*;
use std::fmt::Write as _;
use std::sync::Arc;

/// A way to try to come in: how it is called, what proves, and the method.
type Door = (&'static str, u8, Method);

/// A password, a reset and the like at the product's door; the product's own check; the login host's; providers.
const DOORS: [Door; 13] = [
    ("password", LOCAL, Method::Password),
    ("adapter", LOCAL, Method::Adapter),
    ("reset", LOCAL, Method::Reset),
    ("passkey", LOCAL, Method::Passkey),
    ("recovery", LOCAL, Method::Recovery),
    ("passkey-here", HERE, Method::Passkey),
    ("recovery-here", HERE, Method::Recovery),
    ("emergency", HERE, Method::Emergency),
    ("own-sso", A, Method::OrgSso),
    ("other-sso", B, Method::OrgSso),
    ("issuer", ISSUER, Method::Issuer),
    ("google", GOOGLE, Method::ThirdParty),
    ("slack", SLACK, Method::ThirdParty),
];

/// A state of an account: how it is called, its record, and what else is changed.
type State = (&'static str, Option<ProductAccountState>, fn(&mut Case));

const STATES: [State; 10] = [
    ("local", Some(ProductAccountState::Local), |_| ()),
    ("migrating", Some(ProductAccountState::Migrating), |_| ()),
    ("linked", Some(ProductAccountState::Linked), |_| ()),
    ("closed", Some(ProductAccountState::Closed), |_| ()),
    ("no record", None, |_| ()),
    ("deactivated", Some(ProductAccountState::Local), |case| {
        status(case, AccountStatus::Deactivated);
    }),
    ("deleted", Some(ProductAccountState::Linked), |case| status(case, AccountStatus::Deleted)),
    ("off here", Some(ProductAccountState::Linked), |case| case.product_account.as_mut().unwrap().off = true),
    ("unproved", Some(ProductAccountState::Local), |case| whose(case, |account| account.email_verified = false)),
    ("2nd address", Some(ProductAccountState::Local), |case| {
        whose(case, |account| account.email = Some(email("ann@free.example")));
        case.further = vec![email("ann@a.com")];
    }),
];

fn status(case: &mut Case, status: AccountStatus) {
    whose(case, |account| account.status = status);
}

/// Changes the account, wherever the case names it.
fn whose(case: &mut Case, change: impl Fn(&mut Account)) {
    case.local.account.as_mut().into_iter().for_each(&change);
    case.linked.as_mut().and_then(|fact| fact.account.as_mut()).into_iter().for_each(&change);
    case.session.as_mut().map(|(_, account, _)| account).into_iter().for_each(&change);
}

/// Organization a's policy.
type Rule = (&'static str, fn(&mut Catalog));

const POLICIES: [Rule; 7] = [
    ("off", |catalog| set_policy(catalog, "a", |policy| policy.sso = Sso::Off)),
    ("offered", |catalog| set_policy(catalog, "a", |policy| policy.sso = Sso::Offered)),
    ("enforced", |_| ()),
    ("enforced, claim suspended", |catalog| claim(catalog, "a.com").suspended = true),
    ("enforced, directory gone", |catalog| {
        catalog.directories.remove(&id(A));
    }),
    ("enforced for a group", |catalog| {
        pilot(catalog, Members { people: Vec::new(), groups: vec!["pilot".to_owned()] })
    }),
    ("enforced for ann", |catalog| pilot(catalog, Members { people: vec![email("ann@a.com")], groups: Vec::new() })),
];

/// The default policy offers; the pilot's enforces.
fn pilot(catalog: &mut Catalog, members: Members) {
    let org = Arc::make_mut(catalog.orgs.get_mut(&org("a")).unwrap());
    let policy = Policy { name: PolicyName::parse("pilot").unwrap(), ..org.policy.clone() };
    org.policies = vec![NamedPolicy { members, policy }];
    org.policy.sso = Sso::Offered;
}

/// Ann, linked wherever she could be, trying a door; her second step is taken, so that nothing waits for it.
fn attempt((_, at, method): Door, (_, record_state, change): State, rule: &Rule) -> Case {
    let ann = account(9, "ann@a.com");
    let case = match method {
        Method::OrgSso | Method::Issuer | Method::ThirdParty => {
            let mut case = Case::linked(at, Some("ann@a.com"), &ann);
            case.claims.email_verified = Vouched::Yes;
            case
        }
        _ => Case::local(method, at, &ann, ProductAccountState::Local),
    };
    let mut case = case.stepped(&ann);
    case.product_account = record_state.map(|state| record(&ann, state));
    case.product.as_mut().unwrap().passwords = Passwords::Here;
    change(&mut case);
    (rule.1)(&mut case.catalog);
    case
}

fn is_in(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Session(_) | Outcome::Link(_) | Outcome::Create(_) => true,
        Outcome::Reroute(_) | Outcome::Need(_) | Outcome::Refuse(_) => false,
    }
}

#[test]
fn the_table_of_doors_states_and_policies_has_no_way_round_sso() {
    let mut table = String::new();
    let mut entered = 0;
    for rule in &POLICIES {
        writeln!(table, "\n{}", rule.0).unwrap();
        write!(table, "{:14}", "").unwrap();
        STATES.iter().for_each(|(state, ..)| write!(table, "{state:22}").unwrap());
        writeln!(table).unwrap();
        for door in DOORS {
            write!(table, "{:14}", door.0).unwrap();
            for state in STATES {
                let case = attempt(door, state, rule);
                let decision = case.decide();
                let inside = is_in(&decision.outcome);
                entered += usize::from(inside);
                let enforced = rule.0.starts_with("enforced");
                assert!(!inside || !enforced || door.0 == "own-sso", "{} {} {}", rule.0, door.0, state.0);
                assert!(!inside || state.1 != Some(ProductAccountState::Closed));
                assert!(
                    !inside || !["deactivated", "deleted", "off here"].contains(&state.0),
                    "switched off stays out"
                );
                assert!(!inside || door.0 != "other-sso", "another organization's directory");
                let local = door.2.is_local();
                assert!(!(inside && local && state.1 == Some(ProductAccountState::Linked)), "a dead password");
                write!(table, "{:22}", word(&decision.outcome)).unwrap();
            }
            writeln!(table).unwrap();
        }
    }
    println!("{table}");
    assert!(entered > 50, "{entered}");
    let table: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    insta::assert_snapshot!(table);
}

/// A session of each door, met by each policy in phase C and as the proof of phase B (HANDOVER 2).
#[test]
fn no_live_session_is_a_way_round_sso() {
    let mut lived = 0;
    for (rule, door) in POLICIES.iter().flat_map(|rule| DOORS.map(|door| (rule, door))) {
        let ann = account(9, "ann@a.com");
        let mut case = Case::session(door.1, &ann);
        (rule.1)(&mut case.catalog);
        let (session, ..) = case.session.as_mut().unwrap();
        (session.method, session.stepped_at) = (door.2, Some(NOW));
        session.confined_to = (door.1 == LOCAL).then(|| product().name);
        let enforced = rule.0.starts_with("enforced");
        let (session, account, _) = case.session.as_ref().unwrap();
        let facts = LoginFacts { now: NOW, catalog: &case.catalog, login: session, account, further: &[] };
        let lives = matches!(login_live(&facts), Live::Continue { .. });
        assert!(!lives || !enforced || door.0 == "own-sso", "{} {}", rule.0, door.0);
        let outcome = case.decide().outcome;
        assert!(!is_in(&outcome) || lives, "{} {}", rule.0, door.0);
        assert!(!is_in(&outcome) || door.1 != LOCAL, "a confined session stands for no login");
        lived += usize::from(lives);
    }
    assert!(lived > 15, "{lived}");
}

/// The addresses that a person may have: of a, b, c, d, free; proved or not.
fn addresses() -> impl Strategy<Value = (Option<&'static str>, bool, Vec<&'static str>)> {
    let one = prop::sample::select(vec!["x@a.com", "x@b.com", "x@c.com", "x@d.com", "x@free.example", "x@gmail.com"]);
    (prop::option::of(one.clone()), any::<bool>(), prop::collection::vec(one, 0..3))
}

/// The directories that the policies of these addresses enforce, read once more and in another way.
fn required(case: &Case, proved: &[EmailAddress], unproved: Option<&EmailAddress>) -> Vec<u8> {
    let judged: Vec<&EmailAddress> =
        if proved.is_empty() { unproved.into_iter().collect() } else { proved.iter().collect() };
    let letters = [("a.com", "a", A), ("b.com", "b", B), ("c.com", "c", C), ("d.com", "d", D)];
    let held = letters.into_iter().filter(|(domain, ..)| judged.iter().any(|one| one.domain().as_str() == *domain));
    held.filter(|(_, letter, _)| case.catalog.orgs[&org(letter)].policy.sso == Sso::Enforced)
        .map(|(.., at)| at)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100_000, ..ProptestConfig::default() })]

    /// C2, C3: no session where another directory is required, by whatever door, in whatever state, under whatever policies.
    #[test]
    fn c2_c3_no_session_where_another_directory_is_required(
        door in prop::sample::select(DOORS.to_vec()),
        record_state in prop::sample::select(STATES.to_vec()),
        sso in prop::array::uniform4(prop::sample::select(vec![Sso::Off, Sso::Offered, Sso::Enforced])),
        (live, email_verified, further) in addresses(),
        asserted in prop::option::of(prop::sample::select(vec!["x@a.com", "x@b.com", "x@c.com", "x@free.example"])),
        by_session in any::<bool>(),
        step in any::<bool>(),
    ) {
        let person = Account { email: live.map(email), email_verified, ..account(9, "x@a.com") };
        let (_, at, method) = door;
        let mut case = if by_session {
            Case::session(at, &person).with(|case| {
                let session = &mut case.session.as_mut().unwrap().0;
                (session.method, session.stepped_at) = (method, Some(NOW));
            })
        } else if method.is_by_provider() {
            Case::linked(at, asserted, &person)
        } else {
            Case::local(method, at, &person, ProductAccountState::Local)
        };
        if step { case = case.stepped(&person); }
        for (letter, sso) in ["a", "b", "c", "d"].into_iter().zip(sso) {
            set_policy(&mut case.catalog, letter, |policy| policy.sso = sso);
        }
        case.further = further.iter().map(|text| email(text)).collect();
        case.product_account = record_state.1.map(|state| record(&person, state));
        let outcome = case.decide().outcome;
        if is_in(&outcome) {
            let mut proved: Vec<EmailAddress> = case.further.clone();
            proved.extend(person.email.clone().filter(|_| email_verified));
            let claimed = person.email.as_ref().or(case.claims.email.as_ref());
            for named in required(&case, &proved, claimed) {
                prop_assert_eq!(named, at, "{:#?}", case.decide().trace);
            }
        }
    }
}

/// What the property asks is asked of sessions that exist.
#[test]
fn what_is_required_is_read_from_the_policies() {
    let open = Case::linked(A, Some("x@a.com"), &account(9, "x@a.com"));
    assert!(is_in(&open.decide().outcome));
    assert_eq!(required(&open, &[email("x@a.com")], None), [A]);
}
