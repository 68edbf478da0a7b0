//! Phase A over its whole input space, and the rows one by one.

use super::*;
use crate::kernel::admit::world::{A, C, GOOGLE, ISSUER, NOW, SLACK, catalog, claim, email, id, product, set_policy};
use crate::kernel::model::{Members, MigrationPlan, NamedPolicy, Sso, ThirdPartyRule};
use crate::kernel::values::{PolicyName, ProductAccountId};
use std::sync::Arc;

const NOBODY: Lot = Lot { draw: 7, local: 0, others: 0 };

fn others() -> Vec<DirectoryId> {
    vec![id(ISSUER), id(GOOGLE), id(SLACK)]
}

fn ways(first: Option<u8>) -> Show {
    Show::Ways(Ways { first: first.map(id), others: others() })
}

fn password(first: Option<u8>) -> Show {
    Show::Password(Ways { first: first.map(id), others: others() })
}

fn show(catalog: &Catalog, typed: &str) -> Show {
    identify(&Asked::of_nobody(catalog, None, typed, NOW)).show
}

/// A product with local passwords.
fn here(migration: MigrationPhase) -> Product {
    Product { passwords: Passwords::Here, migration: MigrationPlan::of(migration), ..product() }
}

#[test]
fn a_rules_by_domain() {
    for (typed, expected) in [
        ("", Show::Invalid),
        ("ann", Show::Invalid),
        ("ann@a.com", Show::OrgSso(id(A))),
        (" Ann@A.COM ", Show::OrgSso(id(A))),
        ("ann@c.com", ways(Some(C))),
        ("ann@d.com", ways(None)),
        ("ann@free.example", ways(None)),
        // Exact names: neither a sub-domain nor a name that ends alike (§4 #5).
        ("ann@sub.a.com", ways(None)),
        ("ann@evila.com", ways(None)),
    ] {
        assert_eq!(show(&catalog(), typed), expected, "{typed}");
    }
}

#[test]
fn a3_an_enforced_directory_has_no_other_way_beside_it() {
    let mut catalog = catalog();
    claim(&mut catalog, "a.com").suspended = true;
    assert_eq!(show(&catalog, "ann@a.com"), Show::OrgSso(id(A)));
    catalog.directories.remove(&id(A));
    assert_eq!(show(&catalog, "ann@a.com"), Show::SsoUnavailable);
    // A directory of another organization can not stand in.
    claim(&mut catalog, "a.com").directory = Some(id(C));
    assert_eq!(show(&catalog, "ann@a.com"), Show::SsoUnavailable);
    set_policy(&mut catalog, "a", |policy| policy.sso = Sso::Offered);
    assert_eq!(show(&catalog, "ann@a.com"), ways(None));
}

#[test]
fn a4_to_a10_by_what_is_known() {
    use ProductAccountState::{Closed, Linked, Local, Merged, Migrating};
    let merged = Merged(ProductAccountId::from_bytes([1; 16]));
    let local_lot = Lot { draw: 7, local: 1, others: 0 };
    let rows = [
        (Known::Removed, MigrationPhase::Off, local_lot, "A4", true),
        (Known::Removed, MigrationPhase::Off, NOBODY, "A4", false),
        (Known::Record(Linked), MigrationPhase::Off, local_lot, "A5", false),
        (Known::Record(merged), MigrationPhase::Off, local_lot, "A5", false),
        (Known::Record(Closed), MigrationPhase::Off, local_lot, "A5", true),
        (Known::Record(Migrating), MigrationPhase::Optional, NOBODY, "A6", true),
        (Known::Record(Local), MigrationPhase::Forced, NOBODY, "A7", true),
        (Known::Record(Local), MigrationPhase::Off, NOBODY, "A8", true),
        (Known::Account, MigrationPhase::Off, local_lot, "A9", false),
        (Known::Nobody, MigrationPhase::Off, local_lot, "A10", true),
        (Known::Nobody, MigrationPhase::Off, NOBODY, "A10", false),
        (Known::Nobody, MigrationPhase::Forced, local_lot, "A10", false),
    ];
    let catalog = catalog();
    for (known, phase, lot, row, asks) in rows {
        let product = here(phase);
        let asked = Asked { catalog: &catalog, product: Some(&product), now: NOW, typed: "x@c.com", known, lot };
        let found = identify(&asked);
        let expected = if asks { password(Some(C)) } else { ways(Some(C)) };
        assert_eq!((found.row, found.show), (row, expected), "{known:?} {phase:?}");
    }
}

#[test]
fn h18_strangers_are_asked_in_the_products_proportion() {
    let (catalog, product) = (catalog(), here(MigrationPhase::Off));
    let asks = |draw| {
        let lot = Lot { draw, local: 3, others: 1 };
        let asked =
            Asked { catalog: &catalog, product: Some(&product), now: NOW, typed: "x@d.com", known: Known::Nobody, lot };
        matches!(identify(&asked).show, Show::Password(_))
    };
    assert_eq!((0..1000).filter(|draw| asks(*draw)).count(), 750);
}

#[test]
fn h18_ways_are_the_deployments_not_the_members() {
    let mut catalog = catalog();
    set_policy(&mut catalog, "d", |policy| policy.third_party = ThirdPartyRule::None);
    assert_eq!(show(&catalog, "ann@d.com"), show(&catalog, "ann@free.example"));
}

#[test]
fn without_other_ways_a_work_address_is_asked_for() {
    let mut catalog = catalog();
    (catalog.issuer, catalog.third_parties) = (None, Vec::new());
    assert_eq!(show(&catalog, "ann@free.example"), Show::UseWorkAddress);
    let company = Ways { first: Some(id(C)), others: Vec::new() };
    assert_eq!(show(&catalog, "ann@c.com"), Show::Ways(company));
}

#[test]
fn a_policy_for_some_people_is_met_by_their_addresses_and_one_for_groups_by_everybody() {
    let mut catalog = catalog();
    let of = |members: Members| {
        let mut policy = catalog.orgs[&crate::kernel::admit::world::org("c")].policy.clone();
        (policy.name, policy.sso) = (PolicyName::parse("pilot").unwrap(), Sso::Enforced);
        NamedPolicy { members, policy }
    };
    let people = of(Members { people: vec![email("ann@c.com")], groups: Vec::new() });
    let groups = of(Members { people: Vec::new(), groups: vec!["pilot".to_owned()] });
    let set = |catalog: &mut Catalog, policies| {
        Arc::make_mut(catalog.orgs.get_mut(&crate::kernel::admit::world::org("c")).unwrap()).policies = policies;
    };
    set(&mut catalog, vec![people]);
    assert_eq!(show(&catalog, "ann@c.com"), Show::OrgSso(id(C)));
    assert_eq!(show(&catalog, "bob@c.com"), ways(Some(C)));
    // Nobody's groups are known before a directory said them.
    set(&mut catalog, vec![groups]);
    assert_eq!(show(&catalog, "bob@c.com"), Show::OrgSso(id(C)));
}

/// Every product, every knowledge, every policy, every lot: the invariants of behaviour §3.1.
#[test]
fn a_rules_over_the_whole_input_space() {
    use ProductAccountState::{Closed, Linked, Local, Merged, Migrating};
    let merged = Merged(ProductAccountId::from_bytes([1; 16]));
    let mut known = vec![Known::Nobody, Known::Removed, Known::Account];
    known.extend([Local, Migrating, Linked, merged, Closed].map(Known::Record));
    let phases = [MigrationPhase::Off, MigrationPhase::Optional, MigrationPhase::Forced];
    let passwords = [Passwords::None, Passwords::Here, Passwords::Product];
    let mut asked_for = [0; 2];
    for sso in [Sso::Off, Sso::Offered, Sso::Enforced] {
        let mut catalog = catalog();
        set_policy(&mut catalog, "c", |policy| {
            policy.sso = sso;
            policy.break_glass = vec![email("root@c.com")];
        });
        for (passwords, migration) in passwords.into_iter().flat_map(|one| phases.map(|phase| (one, phase))) {
            let product = Product { passwords, migration: MigrationPlan::of(migration), ..product() };
            for typed in ["ann@c.com", "root@c.com", "x@free.example", "x@sub.c.com"] {
                for (known, draw) in known.iter().flat_map(|one| [0, 1].map(|draw| (*one, draw))) {
                    let lot = Lot { draw, local: 1, others: 1 };
                    let asked = Asked { catalog: &catalog, product: Some(&product), now: NOW, typed, known, lot };
                    let show = identify(&asked).show;
                    let password = matches!(show, Show::Password(_));
                    asked_for[usize::from(password)] += 1;
                    let managed = typed.ends_with("@c.com");
                    if managed && sso == Sso::Enforced {
                        assert_eq!(show, Show::OrgSso(id(C)), "SSO never yields another way, break-glass too");
                    }
                    assert!(!(password && passwords == Passwords::None), "no password where there are none");
                    assert!(
                        !(password && matches!(known, Known::Record(Linked | Merged(_)))),
                        "linked never yields a password"
                    );
                    if matches!(known, Known::Removed | Known::Record(Closed)) {
                        let stranger = Asked { known: Known::Nobody, ..asked };
                        assert_eq!(show, identify(&stranger).show, "as a stranger's");
                    }
                }
            }
        }
    }
    assert!(asked_for[0] > 300 && asked_for[1] > 100, "{asked_for:?}");
}

proptest::proptest! {
    #[test]
    fn h18_the_answer_depends_on_the_domain_alone(one in "[a-z]{1,8}", other in "[a-z]{1,8}", domain in "(a|b|c|d|free)\\.com") {
        let catalog = catalog();
        proptest::prop_assert_eq!(
            show(&catalog, &format!("{one}@{domain}")),
            show(&catalog, &format!("{other}@{domain}"))
        );
    }
}
