//! Phase A: what the login page does with a typed address. Total, and blind to who exists.
//!
//! It reads the configuration and nothing else: no account, link or record is ever asked, so the answer for a stranger's address
//! is the answer for a colleague's (A-rules, H18). Break-glass addresses get what every address of their domain gets (rule H3).
//! What this never does: name a password or another way beside an enforced directory.

use super::model::Catalog;
use super::standing::{Demand, management};
use super::values::{DirectoryId, EmailAddress};

/// What the page shows next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Identified {
    /// A1: not an address; the same form again.
    Invalid,
    /// A2: this directory and no other way.
    OrgSso(DirectoryId),
    /// A3: single sign-on is enforced and no directory can serve it. Never another way.
    SsoUnavailable,
    /// A5, A8, A9, A10: the ways that this deployment has, the same for known and unknown addresses.
    Ways {
        /// The organization's own directory, offered before the others.
        first: Option<DirectoryId>,
        /// The issuer, then third parties in the file's order.
        others: Vec<DirectoryId>,
    },
    /// A10: there is neither an issuer nor a third party, and no organization claims the domain.
    UseWorkAddress,
}

/// Decides what the page shows for a typed address. First match wins.
pub fn identify(catalog: &Catalog, typed: &str) -> Identified {
    let Ok(address) = EmailAddress::parse(typed) else { return Identified::Invalid };
    let first = match management(catalog, &address).map(|held| held.demand(catalog)) {
        Some(Demand::Enforced(directory)) => return Identified::OrgSso(directory),
        Some(Demand::Unusable) => return Identified::SsoUnavailable,
        Some(Demand::Offered(directory)) => Some(directory),
        Some(Demand::Off) | None => None,
    };
    let others: Vec<DirectoryId> = catalog.issuer.iter().chain(&catalog.third_parties).copied().collect();
    if first.is_none() && others.is_empty() { Identified::UseWorkAddress } else { Identified::Ways { first, others } }
}

#[cfg(test)]
mod tests {
    use super::super::admit::world::{A, C, GOOGLE, ISSUER, SLACK, catalog, claim, id, set_policy};
    use super::super::model::{Sso, ThirdPartyRule};
    use super::*;

    fn ways(first: Option<u8>) -> Identified {
        Identified::Ways { first: first.map(id), others: vec![id(ISSUER), id(GOOGLE), id(SLACK)] }
    }

    #[test]
    fn a_rules_by_domain() {
        for (typed, expected) in [
            ("", Identified::Invalid),
            ("ann", Identified::Invalid),
            ("ann@a.com", Identified::OrgSso(id(A))),
            (" Ann@A.COM ", Identified::OrgSso(id(A))),
            ("ann@c.com", ways(Some(C))),
            ("ann@d.com", ways(None)),
            ("ann@free.example", ways(None)),
            // Exact names: neither a sub-domain nor a name that ends alike.
            ("ann@sub.a.com", ways(None)),
            ("ann@evila.com", ways(None)),
        ] {
            assert_eq!(identify(&catalog(), typed), expected, "{typed}");
        }
    }

    #[test]
    fn an_enforced_directory_has_no_other_way_beside_it() {
        let mut catalog = catalog();
        claim(&mut catalog, "a.com").suspended = true;
        assert_eq!(identify(&catalog, "ann@a.com"), Identified::OrgSso(id(A)));
        catalog.directories.remove(&id(A));
        assert_eq!(identify(&catalog, "ann@a.com"), Identified::SsoUnavailable);
        // A directory of another organization can not stand in.
        claim(&mut catalog, "a.com").directory = Some(id(C));
        assert_eq!(identify(&catalog, "ann@a.com"), Identified::SsoUnavailable);
        set_policy(&mut catalog, "a", |policy| policy.sso = Sso::Offered);
        assert_eq!(identify(&catalog, "ann@a.com"), ways(None));
    }

    #[test]
    fn h18_ways_are_the_deployments_not_the_members() {
        let mut catalog = catalog();
        set_policy(&mut catalog, "d", |policy| policy.third_party = ThirdPartyRule::None);
        assert_eq!(identify(&catalog, "ann@d.com"), identify(&catalog, "ann@free.example"));
    }

    #[test]
    fn without_other_ways_a_work_address_is_asked_for() {
        let mut catalog = catalog();
        (catalog.issuer, catalog.third_parties) = (None, Vec::new());
        assert_eq!(identify(&catalog, "ann@free.example"), Identified::UseWorkAddress);
        assert_eq!(identify(&catalog, "ann@c.com"), Identified::Ways { first: Some(id(C)), others: Vec::new() });
    }

    proptest::proptest! {
        #[test]
        fn h18_the_answer_depends_on_the_domain_alone(one in "[a-z]{1,8}", other in "[a-z]{1,8}", domain in "(a|b|c|d|free)\\.com") {
            let catalog = catalog();
            proptest::prop_assert_eq!(
                identify(&catalog, &format!("{one}@{domain}")),
                identify(&catalog, &format!("{other}@{domain}"))
            );
        }
    }
}
