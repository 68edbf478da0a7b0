//! Where a person stands: who manages them, what that manager's policy demands, how long sessions last, which products are open.
//!
//! Shared by all three decisions, so that a login and a live session are never judged by two readings of one policy. Nothing here
//! looks at how a person was proved; that is for the objections and for the live rules.

use super::event::PolicyStamp;
use super::model::{
    Account, AccountStatus, Allow, Catalog, Directory, DomainClaim, Limits, Method, Organization, Policy,
    ProductAccount, ProductAccountState, Sso,
};
use super::values::{DirectoryId, DirectoryName, EmailAddress, OrgName};
use std::time::Duration;

/// What a policy says about the way in for people of one domain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Demand {
    /// No directory is named.
    Off,
    /// This directory first; other ways work.
    Offered(DirectoryId),
    /// This directory and no other way (rule C2).
    Enforced(DirectoryId),
    /// Single sign-on is enforced and no configured directory can satisfy it: nobody enters (A3: never another way).
    Unusable,
}

/// One organization's hold on one address.
#[derive(Clone, Copy, Debug)]
pub struct Management<'a> {
    /// Who manages the address.
    pub org: &'a Organization,
    /// By which claim.
    pub claim: &'a DomainClaim,
}

impl<'a> Management<'a> {
    /// The policy that the address is under.
    pub fn policy(&self) -> &'a Policy {
        &self.org.policy
    }

    /// What the policy says about the way in. The directory that the domain is linked to stands before the policy's own, so that
    /// an organization with a directory per domain has the right one for each. A suspended claim still enforces (§3.0).
    pub fn demand(&self, catalog: &Catalog) -> Demand {
        let named = self.claim.directory.or(self.org.policy.directory);
        let usable = named.filter(|id| catalog.directories.get(id).is_some_and(|d| d.org() == Some(&self.org.name)));
        match (self.org.policy.sso, usable) {
            (Sso::Off, _) | (Sso::Offered, None) => Demand::Off,
            (Sso::Offered, Some(directory)) => Demand::Offered(directory),
            (Sso::Enforced, Some(directory)) => Demand::Enforced(directory),
            (Sso::Enforced, None) => Demand::Unusable,
        }
    }

    /// For audit events.
    pub fn stamp(&self) -> PolicyStamp {
        PolicyStamp { id: self.org.name.as_str().to_owned(), epoch: self.org.policy.epoch }
    }
}

/// Who manages an address: exact match of its domain (rule T32).
pub fn management<'a>(catalog: &'a Catalog, email: &EmailAddress) -> Option<Management<'a>> {
    let claim = catalog.domains.get(email.domain())?;
    let org = catalog.orgs.get(&claim.org)?;
    Some(Management { org, claim })
}

/// Everybody who manages one of the addresses, each organization once, in the order of the addresses (rule C3).
pub fn managements<'a>(catalog: &'a Catalog, addresses: &[&EmailAddress]) -> Vec<Management<'a>> {
    let mut found: Vec<Management<'a>> = Vec::new();
    for held in addresses.iter().filter_map(|address| management(catalog, address)) {
        if found.iter().all(|other| other.org.name != held.org.name) {
            found.push(held);
        }
    }
    found
}

/// The addresses of an account that count: its live one if it was proved, and further ones that its records at products hold.
/// An address that was never proved makes nobody managed (§4 #18).
pub fn proved_addresses<'a>(account: &'a Account, further: &'a [EmailAddress]) -> Vec<&'a EmailAddress> {
    account.email.iter().filter(|_| account.email_verified).chain(further).collect()
}

/// Whether an organization's directory may speak for an address: the domain is claimed by that organization, linked to that
/// directory, and the claim is not suspended (rule B3). Exact names; an address with a directory of another organization never.
pub fn speaks_for<'a>(catalog: &'a Catalog, directory: &Directory, email: &EmailAddress) -> Option<Management<'a>> {
    let held = management(catalog, email)?;
    let same_org = directory.org() == Some(&held.org.name);
    let linked_here = directory.domains.contains(email.domain()) || held.claim.directory == Some(directory.id);
    (same_org && linked_here && !held.claim.suspended).then_some(held)
}

/// The method that a directory stands for. Which kind of login it was is never anybody's word (rule H21).
pub fn method_of(directory: &Directory) -> Method {
    match directory.name {
        DirectoryName::Issuer => Method::Issuer,
        DirectoryName::ThirdParty(_) => Method::ThirdParty,
        DirectoryName::Org(..) => Method::OrgSso,
    }
}

/// Whether a person and their record at a product may act (B5, B8).
pub fn is_active(account: &Account, record: Option<&ProductAccount>) -> bool {
    account.status == AccountStatus::Active
        && record.is_none_or(|record| !record.off && record.state != ProductAccountState::Closed)
}

/// Limits of a session with nothing left open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bounds {
    /// Without a request of the person for this long, it ends.
    pub idle: Duration,
    /// It ends this long after the provider's `auth_time`, whatever happens.
    pub absolute: Duration,
}

impl Bounds {
    /// What a side that sets no limit is given: 24 hours idle, 7 days in all (behaviour, Decisions).
    pub const DEFAULT: Self =
        Self { idle: Duration::from_secs(24 * 3600), absolute: Duration::from_secs(7 * 24 * 3600) };

    /// One side's limits, the defaults where it sets none.
    pub fn of(limits: &Limits) -> Self {
        Self {
            idle: limits.idle.unwrap_or(Self::DEFAULT.idle),
            absolute: limits.absolute.unwrap_or(Self::DEFAULT.absolute),
        }
    }

    /// The stricter of both, limit by limit.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        Self { idle: self.idle.min(other.idle), absolute: self.absolute.min(other.absolute) }
    }

    /// What holds for a login session: the strictest of its managers' policies, or the defaults (HANDOVER 5).
    pub fn of_login(managed: &[Management<'_>]) -> Self {
        let sides = managed.iter().map(|held| Self::of(&held.org.policy.limits));
        sides.reduce(Self::stricter).unwrap_or(Self::DEFAULT)
    }

    /// What holds for a session at a product: the stricter of the product's and the login session's.
    pub fn of_product(product: &Limits, managed: &[Management<'_>]) -> Self {
        Self::of(product).stricter(Self::of_login(managed))
    }
}

/// Who a person is when a product's `allow` is asked.
#[derive(Clone, Copy, Debug)]
pub struct Entrant<'a> {
    /// Who manages them.
    pub managed: &'a [Management<'a>],
    /// Their proved addresses.
    pub addresses: &'a [&'a EmailAddress],
    /// Groups as asserted in this proof or session.
    pub groups: &'a [String],
    /// The organization whose directory asserted them; none for the issuer and third parties.
    pub asserted_by: Option<&'a OrgName>,
}

impl Entrant<'_> {
    /// Whether they may enter: any line of `allow` is enough. Groups count only as asserted by a directory of the organization
    /// that manages the person; anybody else's directory could name any group.
    pub fn may_enter(&self, allow: &Allow) -> bool {
        let managed_by = |org: &OrgName| self.managed.iter().any(|held| held.org.name == *org);
        let in_group =
            || self.asserted_by.is_some_and(managed_by) && self.groups.iter().any(|group| allow.groups.contains(group));
        allow.everyone || allow.orgs.iter().any(managed_by) || in_group() || self.is_named(allow)
    }

    /// Whether `allow.people` names one of their proved addresses.
    pub fn is_named(&self, allow: &Allow) -> bool {
        self.addresses.iter().any(|address| allow.people.contains(address))
    }
}
