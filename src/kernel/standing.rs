//! Where a person stands: who manages them, which policy of that manager they are under, what it demands, how long sessions last,
//! which products are open.
//!
//! Shared by all three decisions, so that a login and a live session are never judged by two readings of one policy. Nothing here
//! looks at how a person was proved; that is for the objections and for the live rules.

use super::event::PolicyStamp;
use super::model::{
    Account, AccountStatus, Allow, Catalog, Directory, DomainClaim, Limits, Method, NamedPolicy, OnChange,
    Organization, PasswordRule, Policy, Product, ProductAccount, ProductAccountState, SecondStep, Sso,
};
use super::values::{DirectoryId, DirectoryName, EmailAddress, OrgName};
use std::net::IpAddr;
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

/// What is known of somebody's groups.
#[derive(Clone, Copy, Debug)]
pub enum Groups<'a> {
    /// Nothing: no directory of an organization vouches for this person now.
    Unknown,
    /// What a directory of this organization asserted.
    AssertedBy(&'a OrgName, &'a [String]),
}

impl<'a> Groups<'a> {
    /// Groups count only as an organization's directory asserts them: anybody else could name any.
    pub fn of(asserted_by: Option<&'a OrgName>, groups: &'a [String]) -> Self {
        asserted_by.map_or(Self::Unknown, |org| Self::AssertedBy(org, groups))
    }
}

/// One organization's hold on a person.
#[derive(Clone, Copy, Debug)]
pub struct Management<'a> {
    /// Who manages.
    pub org: &'a Organization,
    /// By which claim.
    pub claim: &'a DomainClaim,
    /// The policy that the person is under.
    policy: &'a Policy,
    /// The directory that names the person among its members.
    named: Option<DirectoryId>,
}

impl<'a> Management<'a> {
    /// The policy that the person is under.
    pub fn policy(&self) -> &'a Policy {
        self.policy
    }

    /// What the policy says about the way in. Under the default policy the directory that the domain is linked to stands before
    /// the policy's own, so that an organization with a directory per domain has the right one for each; a policy for some people
    /// that names a directory means that one. A directory that names the person among its members stands before the domain's. A
    /// suspended claim still enforces (§3.0).
    pub fn demand(&self, catalog: &Catalog) -> Demand {
        let (own, linked, default) = (self.policy.directory, self.claim.directory, self.org.policy.directory);
        let for_all = self.named.or(linked);
        let named = if self.policy.name.is_default() { for_all.or(own) } else { own.or(for_all).or(default) };
        let usable = named.filter(|id| catalog.directories.get(id).is_some_and(|d| d.org() == Some(&self.org.name)));
        match (self.policy.sso, usable) {
            (Sso::Off, _) | (Sso::Offered, None) => Demand::Off,
            (Sso::Offered, Some(directory)) => Demand::Offered(directory),
            (Sso::Enforced, Some(directory)) => Demand::Enforced(directory),
            (Sso::Enforced, None) => Demand::Unusable,
        }
    }

    /// Whether the policy lets one of these proved addresses in by `/login/emergency` (rule H3).
    pub fn breaks_glass(&self, proved: &[&EmailAddress]) -> bool {
        proved.iter().any(|address| self.policy.break_glass.contains(address))
    }

    /// For audit events: `acme`, or `acme/pilot` for a policy for some of its people.
    pub fn stamp(&self) -> PolicyStamp {
        let org = &self.org.name;
        let name = &self.policy.name;
        let id = if name.is_default() { org.to_string() } else { format!("{org}/{name}") };
        PolicyStamp { id, epoch: self.policy.epoch }
    }
}

/// Which policy of an organization somebody with these addresses is under: the first whose members they are among, else the
/// default one. Who is known by no directory of it may be in any group: the policies for groups, which are never looser than the
/// default one (rule H4), then hold as if they were, or coming by another way would be the way around them.
pub fn policy_of<'a>(org: &'a Organization, addresses: &[&EmailAddress], groups: Groups<'_>) -> &'a Policy {
    let is_member = |named: &&NamedPolicy| {
        let members = &named.members;
        let in_group = match groups {
            Groups::AssertedBy(by, groups) if *by == org.name => groups.iter().any(|g| members.groups.contains(g)),
            Groups::AssertedBy(..) | Groups::Unknown => !members.groups.is_empty(),
        };
        in_group || addresses.iter().any(|address| members.people.contains(address))
    };
    org.policies.iter().find(is_member).map_or(&org.policy, |named| &named.policy)
}

/// Who manages an address: exact match of its domain (rule T32), of whose groups nothing is known.
pub fn management<'a>(catalog: &'a Catalog, email: &EmailAddress) -> Option<Management<'a>> {
    managements(catalog, &[email], Groups::Unknown).into_iter().next()
}

/// Everybody who manages one of a person's addresses, each organization once, in the order of the addresses (rule C3).
pub fn managements<'a>(catalog: &'a Catalog, addresses: &[&EmailAddress], groups: Groups<'_>) -> Vec<Management<'a>> {
    let mut found: Vec<Management<'a>> = Vec::new();
    for address in addresses {
        let Some(claim) = catalog.domains.get(address.domain()) else { continue };
        let Some(org) = catalog.orgs.get(&claim.org) else { continue };
        if found.iter().all(|other| other.org.name != org.name) {
            let named = named_by(catalog, org, addresses);
            found.push(Management { org, claim, policy: policy_of(org, addresses, groups), named });
        }
    }
    found
}

/// The addresses of an account that count: its live one if it was proved, and further ones that its records at products hold.
/// An address that was never proved makes nobody managed (§4 #18).
pub fn proved_addresses<'a>(account: &'a Account, further: &'a [EmailAddress]) -> Vec<&'a EmailAddress> {
    account.email.iter().filter(|_| account.email_verified).chain(further).collect()
}

/// The organization that manages an account, by its proved addresses; the first of several. Which policy of it holds is asked
/// where a login or a session is at hand.
pub fn manager_of<'a>(catalog: &'a Catalog, proved: &[&EmailAddress]) -> Option<&'a OrgName> {
    managements(catalog, proved, Groups::Unknown).first().map(|held| &held.org.name)
}

/// Whether an organization's directory may speak for an address: the domain is claimed by that organization, linked to that
/// directory, and the claim is not suspended (rule B3). Exact names; an address with a directory of another organization never.
pub fn speaks_for<'a>(catalog: &'a Catalog, directory: &Directory, email: &EmailAddress) -> Option<Management<'a>> {
    let held = management(catalog, email)?;
    let same_org = directory.org() == Some(&held.org.name);
    let linked_here = directory.domains.contains(email.domain()) || held.claim.directory == Some(directory.id);
    // Two in one domain: each speaks for its own people and for nobody else's.
    let is_theirs = held.named.map_or(directory.members.is_none(), |named| named == directory.id);
    (same_org && linked_here && is_theirs && !held.claim.suspended).then_some(held)
}

/// The directory of an organization that names one of these addresses among its members.
fn named_by(catalog: &Catalog, org: &Organization, addresses: &[&EmailAddress]) -> Option<DirectoryId> {
    let names = |id: &&DirectoryId| {
        let members = catalog.directories.get(*id).and_then(|directory| directory.members.as_ref());
        members.is_some_and(|members| addresses.iter().any(|address| members.contains(address)))
    };
    org.directories.iter().find(names).copied()
}

/// Whether a directory can have proved somebody by this method. Which kind of login it was is never anybody's word (rule H21).
pub fn vouches(directory: &Directory, method: Method) -> bool {
    match (&directory.name, method) {
        (DirectoryName::Issuer, Method::Issuer)
        | (DirectoryName::ThirdParty(_), Method::ThirdParty)
        | (DirectoryName::Org(..), Method::OrgSso)
        | (
            DirectoryName::Local(_),
            Method::Password | Method::Passkey | Method::Reset | Method::Recovery | Method::Adapter,
        )
        | (DirectoryName::Here, Method::Passkey | Method::Recovery | Method::Emergency) => true,
        (
            DirectoryName::Issuer
            | DirectoryName::ThirdParty(_)
            | DirectoryName::Org(..)
            | DirectoryName::Local(_)
            | DirectoryName::Here,
            Method::OrgSso
            | Method::Issuer
            | Method::ThirdParty
            | Method::Password
            | Method::Passkey
            | Method::Reset
            | Method::Recovery
            | Method::Adapter
            | Method::Emergency,
        ) => false,
    }
}

/// Whether people of these managers may come from an address: each that names networks must hold it (rule M29). Who comes from
/// nowhere that is known does not.
pub fn may_come_from(governing: &[Management<'_>], client: Option<IpAddr>) -> bool {
    governing.iter().map(|held| &held.policy.networks).all(|networks| {
        networks.is_empty() || client.is_some_and(|client| networks.iter().any(|network| network.holds(client)))
    })
}

/// What our own second step is to these people: the strictest of their managers' words, or what `[people]` says.
pub fn second_step(catalog: &Catalog, governing: &[Management<'_>]) -> SecondStep {
    governing.iter().map(|held| held.policy.second_step).max().unwrap_or(catalog.people.second_step)
}

/// What these people's local passwords must be: the strictest of their managers' rules, or what `[people]` says.
pub fn password_rule(catalog: &Catalog, governing: &[Management<'_>]) -> PasswordRule {
    let rules = governing.iter().map(|held| held.policy.password);
    rules.reduce(PasswordRule::stricter).unwrap_or(catalog.people.password)
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

    /// What has ended when it begins.
    pub const NOTHING: Self = Self { idle: Duration::ZERO, absolute: Duration::ZERO };

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
        let sides = managed.iter().map(|held| Self::of(&held.policy.limits));
        sides.reduce(Self::stricter).unwrap_or(Self::DEFAULT)
    }

    /// What holds now for a live session besides what it was made with: as [`Self::of_login`], but a policy that leaves live
    /// sessions to their own end (`on_change = "next_login"`) sets nothing.
    pub fn of_live(managed: &[Management<'_>]) -> Self {
        let sides = managed.iter().map(|held| match held.policy.on_change {
            OnChange::After { .. } => Self::of(&held.policy.limits),
            OnChange::NextLogin => Self { idle: Duration::MAX, absolute: Duration::MAX },
        });
        sides.reduce(Self::stricter).unwrap_or(Self::DEFAULT)
    }

    /// One side's limits for an app: where it sets `native`, that is the absolute limit and there is no idle one.
    fn of_app_side(limits: &Limits, native: Option<Duration>) -> Self {
        native.map_or_else(|| Self::of(limits), |absolute| Self { idle: absolute, absolute })
    }

    /// What holds for an app's session when it is made: the strictest of its product's and its managers' limits (rule H16).
    pub fn of_app(product: &Product, managed: &[Management<'_>]) -> Self {
        let sides = managed.iter().map(|held| Self::of_app_side(&held.policy.limits, held.policy.native));
        sides.fold(Self::of_app_side(&product.limits, product.native), Self::stricter)
    }

    /// What holds now for an app's live session besides what it was made with; see [`Self::of_live`].
    pub fn of_live_app(product: &Product, managed: &[Management<'_>]) -> Self {
        let sides = managed.iter().filter(|held| !matches!(held.policy.on_change, OnChange::NextLogin));
        let sides = sides.map(|held| Self::of_app_side(&held.policy.limits, held.policy.native));
        sides.fold(Self::of_app_side(&product.limits, product.native), Self::stricter)
    }

    /// What holds for a personal token: the strictest of its product's and its managers' limits, whatever `on_change` says, since a token
    /// has no next login. A product that takes none leaves it nothing.
    pub fn of_token(product: &Product, managed: &[Management<'_>]) -> Self {
        let Some(longest) = product.token else { return Self::NOTHING };
        let sides = managed.iter().filter_map(|held| held.policy.token);
        let absolute = sides.fold(longest, Duration::min);
        Self { idle: absolute, absolute }
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
