//! Several addresses become one (row T16, behaviour §3.5): a deterministic pick that drops nothing a company manages (rule C3), or the
//! person's own choice (rows T12, T19), which the people of a company do not have (row T20).

use crate::kernel::model::Address;
use crate::kernel::values::{EmailAddress, OrgName, ProductAccountId, Timestamp};
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
    /// A choice, though an organization manages the person, or the address that was chosen: its admins change that (row T20).
    Managed,
}

/// The address that the person wants to keep.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Choice {
    /// Which.
    pub email: EmailAddress,
    /// It is proved for this choice, and since when; none: it must be one of the record's own that was proved before.
    pub proved_at: Option<Timestamp>,
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
    let managers = managers_of(verified(), &manager);
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
    let kept = verified().filter(may_stay).min_by_key(rank).ok_or(NoPick::NoneVerified)?.clone();
    Ok(keep(addresses, kept))
}

/// Keeps what the person chose. `record` is whose addresses they are, `proven` and `manager` are as for [`reduce`].
///
/// # Errors
/// [`NoPick`]: nothing is committed.
pub fn choose(
    (record, addresses): (ProductAccountId, &[Address]),
    choice: &Choice,
    proven: Option<&EmailAddress>,
    manager: impl Fn(&EmailAddress) -> Option<OrgName>,
) -> Result<Reduction, NoPick> {
    let proves = |address: &&Address| address.verified || Some(&address.email) == proven;
    let is_managed = !managers_of(addresses.iter().filter(proves), &manager).is_empty();
    if is_managed || manager(&choice.email).is_some() {
        return Err(NoPick::Managed);
    }
    let own = addresses.iter().find(|address| address.email == choice.email).cloned();
    let kept = match (own, choice.proved_at) {
        (Some(own), Some(at)) => Address { verified_at: Some(at), ..own },
        (Some(own), None) if proves(&&own) => own,
        (None, Some(at)) => Address {
            product_account: record,
            email: choice.email.clone(),
            verified: true,
            verified_at: Some(at),
            primary: true,
            added_at: at,
            last_login_at: None,
        },
        (Some(_) | None, None) => return Err(NoPick::NoneVerified),
    };
    Ok(keep(addresses, kept))
}

fn managers_of<'a>(
    addresses: impl Iterator<Item = &'a Address>,
    manager: impl Fn(&EmailAddress) -> Option<OrgName>,
) -> Vec<OrgName> {
    let mut managers: Vec<OrgName> = addresses.filter_map(|address| manager(&address.email)).collect();
    managers.sort();
    managers.dedup();
    managers
}

fn keep(addresses: &[Address], mut kept: Address) -> Reduction {
    let mut removed: Vec<Address> = addresses.iter().filter(|address| address.email != kept.email).cloned().collect();
    removed.sort_by(|one, other| one.email.cmp(&other.email));
    (kept.primary, kept.verified) = (true, true);
    Reduction { kept, removed }
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

    fn chosen(
        addresses: &[Address],
        email: &str,
        proved_at: Option<i64>,
        proven: Option<&str>,
    ) -> Result<Reduction, NoPick> {
        let choice =
            Choice { email: EmailAddress::parse(email).unwrap(), proved_at: proved_at.map(Timestamp::from_seconds) };
        let proven = proven.map(|text| EmailAddress::parse(text).unwrap());
        choose((ProductAccountId::from_bytes([1; 16]), addresses), &choice, proven.as_ref(), company)
    }

    #[test]
    fn t12_t16_a_choice_is_one_of_the_proved_ones_or_one_that_is_proved_for_it() {
        let (a, b) = (address("a@free.example"), address("b@free.example"));
        let doubtful = Address { verified: false, ..address("c@free.example") };
        let all = [a, b, doubtful];
        let kept = |email, at, proven| chosen(&all, email, at, proven).map(|done| (done.kept, done.removed.len()));
        let (own, removed) = kept("b@free.example", None, None).unwrap();
        assert_eq!(
            (own.email.as_str(), own.verified_at, own.primary, removed),
            ("b@free.example", Some(Timestamp::from_seconds(10)), true, 2)
        );
        assert_eq!(kept("c@free.example", None, None), Err(NoPick::NoneVerified), "never proved");
        assert_eq!(kept("c@free.example", None, Some("c@free.example")).unwrap().0.email.as_str(), "c@free.example");
        let (now, removed) = kept("c@free.example", Some(99), None).unwrap();
        assert_eq!((now.verified, now.verified_at, removed), (true, Some(Timestamp::from_seconds(99)), 2));
        assert_eq!(kept("new@free.example", None, None), Err(NoPick::NoneVerified), "nobody's");
        let (new, removed) = kept("new@free.example", Some(99), None).unwrap();
        assert_eq!((new.email.as_str(), new.verified, new.primary, removed), ("new@free.example", true, true, 3));
    }

    #[test]
    fn t20_c3_who_is_managed_chooses_nothing_and_nobody_chooses_a_companys_address() {
        let (free, work) = (address("a@free.example"), address("a@acme.example"));
        let both = [free.clone(), work.clone()];
        for email in ["a@free.example", "a@acme.example", "new@free.example"] {
            assert_eq!(chosen(&both, email, Some(99), None), Err(NoPick::Managed), "{email}");
        }
        assert_eq!(chosen(std::slice::from_ref(&free), "new@acme.example", Some(99), None), Err(NoPick::Managed));
        // What was never proved manages nobody, unless the provider proves it now.
        let unproved = [free, Address { verified: false, ..work }];
        assert!(chosen(&unproved, "new@free.example", Some(99), None).is_ok());
        assert_eq!(chosen(&unproved, "new@free.example", Some(99), Some("a@acme.example")), Err(NoPick::Managed));
    }
}
