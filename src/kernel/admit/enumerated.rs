//! Every combination of what phase B can meet, against what must hold for all of them.

use super::world::*;
use super::{Candidate, LinkFact, Outcome, Person, RULES};
use crate::kernel::model::*;
use crate::kernel::proof::Vouched;
use crate::kernel::values::{AccountId, EmailAddress};

const ADDRESSES: [Option<&str>; 8] = [
    None,
    Some("ann@a.com"),
    Some("ann@b.com"),
    Some("ann@c.com"),
    Some("ann@d.com"),
    Some("ann@gmail.com"),
    Some("ann@free.example"),
    Some("ann@sub.a.com"),
];
const POLICIES: [Sso; 3] = [Sso::Off, Sso::Offered, Sso::Enforced];
const VOUCHED: [Vouched; 3] = [Vouched::Yes, Vouched::No, Vouched::Silent];

/// Directory × what it vouches × asserted address × organization a's policy.
fn proofs() -> impl Iterator<Item = Case> {
    DIRECTORIES.into_iter().flat_map(|directory| {
        VOUCHED.into_iter().flat_map(move |vouched| {
            ADDRESSES.into_iter().flat_map(move |address| {
                POLICIES.into_iter().map(move |sso| {
                    Case::stranger(directory, address)
                        .policy("a", |policy| policy.sso = sso)
                        .with(|case| case.claims.email_verified = vouched)
                })
            })
        })
    })
}

/// Accounts in every standing that matters, none with an address of its own yet.
fn standings() -> Vec<Account> {
    let base = account(9, "ann@a.com");
    let old = NOW.minus(DAY * 500);
    vec![
        base.clone(),
        Account { email_verified: false, ..base.clone() },
        Account { last_login_at: Some(old), email_proved_at: Some(old), ..base.clone() },
        Account { status: AccountStatus::Deactivated, ..base.clone() },
        Account { status: AccountStatus::PendingDelete(NOW), ..base.clone() },
        Account { status: AccountStatus::Deleted, ..base },
    ]
}

fn records(of: &Account) -> Vec<Option<ProductAccount>> {
    let known = record(of, ProductAccountState::Linked);
    vec![
        None,
        Some(known.clone()),
        Some(ProductAccount { off: true, ..known.clone() }),
        Some(ProductAccount { state: ProductAccountState::Local, ..known }),
    ]
}

/// A link of the very identity, or of the same subject in another directory, to an account with each address.
fn linked() -> impl Iterator<Item = Case> {
    proofs().filter(|case| case.claims.email_verified == Vouched::Yes).flat_map(|case| {
        let own = case.claims.identity.clone();
        ADDRESSES.into_iter().flat_map(move |address| {
            let (case, own) = (case.clone(), own.clone());
            standings().into_iter().flat_map(move |standing| {
                let known = Account { email: address.map(email), ..standing };
                let (case, own) = (case.clone(), own.clone());
                records(&known).into_iter().map(move |product_account| {
                    let link = LinkedIdentity { key: own.clone(), ..link(&known, A, "s") };
                    let fact = LinkFact { link, account: Some(known.clone()) };
                    Case { linked: Some(fact), product_account, ..case.clone() }
                })
            })
        })
    })
}

/// Candidates by the asserted address: none, one in each standing and linked to each directory, or two.
fn unlinked() -> impl Iterator<Item = Case> {
    proofs().flat_map(|case| {
        let address = case.claims.email.clone();
        let one = standings().into_iter().flat_map(|standing| {
            let address = address.clone();
            DIRECTORIES.map(move |identity| {
                let of = Account { email: address.clone(), ..standing.clone() };
                Candidate {
                    identities: vec![link(&of, identity, "other")],
                    product_account: None,
                    account: of,
                    further: Vec::new(),
                    enrolled: false,
                }
            })
        });
        let mut sets: Vec<Vec<Candidate>> = one.map(|candidate| vec![candidate]).collect();
        let pair = [sets[0].clone(), sets[7].clone()].concat();
        sets.extend([Vec::new(), pair]);
        sets.into_iter().map(move |candidates| Case { candidates, ..case.clone() })
    })
}

fn let_in(outcome: &Outcome) -> Option<(&'static str, Option<&Account>)> {
    let (kind, admitted) = match outcome {
        Outcome::Session(admitted) => ("session", admitted),
        Outcome::Link(admitted) => ("link", admitted),
        Outcome::Create(admitted) => ("create", admitted),
        Outcome::Reroute(_) | Outcome::Need(_) | Outcome::Refuse(_) => return None,
    };
    match &admitted.terms().person {
        Person::Known(account) => Some((kind, Some(account))),
        Person::New(_) => Some((kind, None)),
    }
}

/// The directory that an address's organization enforces, read here once more and in another way.
fn enforced(case: &Case, address: Option<&EmailAddress>) -> Option<u8> {
    let letter = address?.domain().as_str().strip_suffix(".com").filter(|name| ["a", "b", "c", "d"].contains(name))?;
    let holds = case.catalog.orgs[&org(letter)].policy.sso == Sso::Enforced;
    holds.then(|| ["", "a", "b", "c", "d"].iter().position(|name| *name == letter).unwrap().try_into().unwrap())
}

/// What holds for every decision: all rules asked, the first objection shown, nothing over an objection.
fn always(case: &Case) -> Outcome {
    let decision = case.decide();
    assert_eq!(decision.trace.len(), RULES.len() + 1);
    let objection = decision.trace[..RULES.len()].iter().find(|line| !line.ends_with(": pass"));
    let shown = match &decision.outcome {
        Outcome::Reroute(directory) => format!("go to directory {directory}"),
        Outcome::Need(need) => need.refusal().code().to_owned(),
        Outcome::Refuse(refusal) => refusal.code().to_owned(),
        Outcome::Session(_) | Outcome::Link(_) | Outcome::Create(_) => String::new(),
    };
    match objection {
        Some(line) => assert!(!shown.is_empty() && line.ends_with(&format!(": {shown}")), "{:#?}", decision.trace),
        None => assert!(!matches!(decision.outcome, Outcome::Reroute(_)), "{:#?}", decision.trace),
    }
    if let Some((_, account)) = let_in(&decision.outcome) {
        let address = account.map_or(case.claims.email.as_ref(), |account| account.email.as_ref());
        let named = enforced(case, address);
        let proving = case.claims.identity.directory.to_bytes()[0];
        assert!(named.is_none_or(|named| named == proving), "C2: {:#?}", decision.trace);
        assert!(account.is_none_or(|account| account.status == AccountStatus::Active));
    }
    decision.outcome
}

#[test]
fn a_linked_identity_uses_its_own_account_or_none() {
    let mut sessions = 0;
    for case in linked() {
        let outcome = always(&case);
        let fact = case.linked.as_ref().unwrap();
        if let Some((kind, account)) = let_in(&outcome) {
            assert_eq!((kind, account.map(|account| account.id)), ("session", Some(fact.link.account)));
            assert!(case.product_account.as_ref().is_none_or(|record| !record.off));
            let state = case.product_account.as_ref().map(|record| record.state);
            let (Outcome::Session(admitted) | Outcome::Link(admitted) | Outcome::Create(admitted)) = &outcome else {
                panic!("let in without an admission")
            };
            match state {
                None | Some(ProductAccountState::Linked) => assert_eq!(admitted.terms().moves, None),
                // A record that still has a password leaves it behind in the same commit (B14).
                Some(ProductAccountState::Local | ProductAccountState::Migrating) => {
                    assert!(admitted.terms().moves.is_some());
                }
                Some(other) => panic!("let in to a record that is {other:?}"),
            }
            sessions += 1;
        }
    }
    assert!(sessions > 500, "{sessions}");
}

#[test]
fn c1_a_link_of_another_directory_is_as_good_as_none() {
    for case in linked() {
        let without = Case { linked: None, product_account: None, ..case.clone() };
        let other = DIRECTORIES.into_iter().find(|byte| id(*byte) != case.claims.identity.directory).unwrap();
        let mut foreign = case;
        foreign.linked.as_mut().unwrap().link.key.directory = id(other);
        assert_eq!(word(&always(&foreign)), without.word());
    }
}

#[test]
fn h2_an_unlinked_identity_meets_every_candidate_first() {
    let mut links = 0;
    for case in unlinked() {
        let outcome = always(&case);
        let Some((kind, account)) = let_in(&outcome) else { continue };
        let Some(address) = case.claims.email.as_ref() else { panic!("let in without an address") };
        assert!(case.candidates.iter().all(|candidate| candidate.account.status == AccountStatus::Active));
        let proving = case.claims.identity.directory.to_bytes()[0];
        let of_org = [A, B, C, D].contains(&proving);
        let own_domain = ["a.com", "b.com", "c.com", "d.com"].get(usize::from(proving) - 1);
        assert!(!of_org || own_domain == Some(&address.domain().as_str()), "B3");
        assert!(of_org || case.claims.email_verified == Vouched::Yes, "B17");
        assert_eq!(kind == "create", case.candidates.is_empty(), "never beside a candidate");
        if kind == "link" {
            let [only] = case.candidates.as_slice() else { panic!("B18") };
            assert_eq!(account.map(|account| account.id), Some(AccountId::from_bytes([9; 16])));
            assert!(only.account.email_verified, "B21");
            let dormant = only.account.last_login_at < Some(NOW.minus(DAY * 380));
            let claimed = case.catalog.domains.contains_key(address.domain());
            assert!(!(claimed && dormant), "C6");
            assert_ne!(only.identities[0].key.directory, case.claims.identity.directory, "B19");
            assert!(proving != SLACK && (proving != GOOGLE || address.domain().as_str() == "gmail.com"), "C6 b");
            links += 1;
        }
    }
    assert!(links > 20, "{links}");
}
