//! Several addresses become one (row T16, behaviour §3.5): a deterministic pick that drops nothing a company manages (rule C3).

use crate::kernel::model::Address;
use crate::kernel::values::{EmailAddress, OrgName};
use std::cmp::Reverse;

/// The one that stays, and those that go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reduction {
    /// Verified from now on, and the primary one.
    pub kept: Address,
    /// The others, in the order of their spelling.
    pub removed: Vec<Address>,
}

/// Why there is no pick.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoPick {
    /// None is proved: the person must choose one and prove it.
    NoneVerified,
    /// Proved addresses lie in domains of two organizations (rule C3): one of them would be dropped without its word.
    TwoOrganizations,
}

/// Picks. `proven` is the address that the provider has just proved; `manager` says who manages an address.
///
/// # Errors
/// [`NoPick`]: nothing is committed.
pub fn reduce(
    addresses: &[Address],
    proven: Option<&EmailAddress>,
    manager: impl Fn(&EmailAddress) -> Option<OrgName>,
) -> Result<Reduction, NoPick> {
    let is_proven = |address: &Address| Some(&address.email) == proven;
    let verified = || addresses.iter().filter(|address| address.verified || is_proven(address));
    let mut managers: Vec<OrgName> = verified().filter_map(|address| manager(&address.email)).collect();
    managers.sort();
    managers.dedup();
    if managers.len() > 1 {
        return Err(NoPick::TwoOrganizations);
    }
    // A managed one is dropped for another of the same organization, and for nothing else.
    let may_stay = |address: &&Address| managers.is_empty() || manager(&address.email).is_some();
    let rank = |address: &&Address| {
        (
            Reverse(is_proven(address)),
            Reverse(address.primary),
            Reverse(address.last_login_at),
            Reverse(address.verified_at),
            address.added_at,
            address.email.clone(),
        )
    };
    let mut kept = verified().filter(may_stay).min_by_key(rank).ok_or(NoPick::NoneVerified)?.clone();
    let mut removed: Vec<Address> = addresses.iter().filter(|address| address.email != kept.email).cloned().collect();
    removed.sort_by(|one, other| one.email.cmp(&other.email));
    (kept.primary, kept.verified) = (true, true);
    Ok(Reduction { kept, removed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::values::{ProductAccountId, Timestamp};

    fn address(email: &str) -> Address {
        Address {
            product_account: ProductAccountId::from_bytes([1; 16]),
            email: EmailAddress::parse(email).unwrap(),
            verified: true,
            verified_at: Some(Timestamp::from_seconds(10)),
            primary: false,
            added_at: Timestamp::from_seconds(5),
            last_login_at: None,
        }
    }

    fn company(email: &EmailAddress) -> Option<OrgName> {
        let org = email.domain().as_str().strip_suffix(".example")?;
        (org != "free").then(|| OrgName::parse(org).unwrap())
    }

    fn check(addresses: &[Address], proven: Option<&str>, kept: Result<&str, NoPick>) {
        let proven = proven.map(|text| EmailAddress::parse(text).unwrap());
        // Whatever the order in which the rows are read.
        for turn in 0..addresses.len() {
            let mut turned = addresses.to_vec();
            turned.rotate_left(turn);
            let reduced = reduce(&turned, proven.as_ref(), company);
            let picked = reduced.as_ref().map(|reduction| reduction.kept.email.as_str()).map_err(|why| *why);
            assert_eq!(picked, kept, "{turned:?}");
            if let Ok(Reduction { kept, removed }) = reduced {
                assert!(kept.verified && kept.primary);
                assert_eq!(removed.len() + 1, addresses.len(), "every other one goes");
            }
        }
    }

    #[test]
    fn t16_the_pick_is_the_first_that_exists() {
        let at = |seconds| Some(Timestamp::from_seconds(seconds));
        let (a, b) = (address("a@free.example"), address("b@free.example"));
        let unproved = Address { verified: false, primary: true, ..address("0@free.example") };
        check(&[a.clone(), b.clone()], Some("b@free.example"), Ok("b@free.example"));
        check(&[a.clone(), Address { primary: true, ..b.clone() }], Some("c@free.example"), Ok("b@free.example"));
        check(&[a.clone(), Address { last_login_at: at(9), ..b.clone() }], None, Ok("b@free.example"));
        check(&[a.clone(), Address { verified_at: at(11), ..b.clone() }], None, Ok("b@free.example"));
        check(&[a.clone(), Address { added_at: Timestamp::from_seconds(4), ..b.clone() }], None, Ok("b@free.example"));
        check(&[b.clone(), a.clone(), unproved.clone()], None, Ok("a@free.example"));
        check(std::slice::from_ref(&unproved), None, Err(NoPick::NoneVerified));
        check(&[unproved, a], Some("0@free.example"), Ok("0@free.example"));
        check(&[], None, Err(NoPick::NoneVerified));
    }

    #[test]
    fn c3_the_pick_drops_no_managed_address() {
        let (free, work) = (address("a@free.example"), address("a@acme.example"));
        let primary = Address { primary: true, ..free.clone() };
        check(&[primary, work.clone()], Some("a@free.example"), Ok("a@acme.example"));
        check(&[free.clone(), work.clone(), address("b@acme.example")], Some("b@acme.example"), Ok("b@acme.example"));
        check(&[free.clone(), work.clone(), address("a@globex.example")], None, Err(NoPick::TwoOrganizations));
        // What was never proved manages nobody (§4 #18).
        let unproved = Address { verified: false, ..address("a@globex.example") };
        check(&[free, work, unproved], None, Ok("a@acme.example"));
    }
}
