//! Everything that is configured, in one immutable value.

use super::{Directory, NamedPolicy, PeoplePolicy, Policy, Product};
use crate::kernel::values::{
    DirectoryId, DirectoryName, DomainName, EmailAddress, OrgName, Origin, ProductName, Timestamp,
};
use std::{collections::HashMap, sync::Arc};

/// The configured world as decisions see it. Replaced as a whole by a reload; every look-up is by hash, so nothing on the path
/// of a request grows with the number of products or organizations.
#[derive(Clone, Debug)]
pub struct Catalog {
    /// Counts reloads; stands in logs and metrics.
    pub version: u64,
    /// The login host.
    pub login: Origin,
    /// Products by name.
    pub products: HashMap<ProductName, Arc<Product>>,
    /// Organizations by name.
    pub orgs: HashMap<OrgName, Arc<Organization>>,
    /// Which organization claims a domain; exact names only.
    pub domains: HashMap<DomainName, DomainClaim>,
    /// Directories by our id.
    pub directories: HashMap<DirectoryId, Arc<Directory>>,
    /// Directories by name, for paths.
    pub directory_names: HashMap<DirectoryName, DirectoryId>,
    /// The issuer's directory.
    pub issuer: Option<DirectoryId>,
    /// Third parties, in the file's order.
    pub third_parties: Vec<DirectoryId>,
    /// What is demanded of people whom no organization manages.
    pub people: PeoplePolicy,
    /// Where people manage their account at the issuer.
    pub profile_url: Option<String>,
    /// Where people reset their password at the issuer.
    pub reset_url: Option<String>,
}

/// A customer organization.
#[derive(Clone, Debug)]
pub struct Organization {
    /// The operator's name of it.
    pub name: OrgName,
    /// What people read.
    pub label: String,
    /// Its directories; the first is the default one.
    pub directories: Vec<DirectoryId>,
    /// The default policy.
    pub policy: Policy,
    /// Policies for some of its people; the first whose members a person is among stands before the default one.
    pub policies: Vec<NamedPolicy>,
    /// Addresses of its administrators: invitations, until the first login pins an account (rule H3).
    pub admins: Vec<EmailAddress>,
    /// Addresses of its auditors.
    pub auditors: Vec<EmailAddress>,
}

/// An organization's hold on a domain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DomainClaim {
    /// Who.
    pub org: OrgName,
    /// The directory that people of this domain use.
    pub directory: Option<DirectoryId>,
    /// Since when: authority never reaches back further than rule C6 allows.
    pub claimed_at: Timestamp,
    /// A suspended domain gives no authority to link or create (rule B3, behaviour §3.0).
    pub suspended: bool,
}

impl Catalog {
    /// The organization that claims the domain.
    pub fn org_of(&self, domain: &DomainName) -> Option<&Arc<Organization>> {
        self.orgs.get(&self.domains.get(domain)?.org)
    }

    /// Whether nobody holds the domain while somebody holds one above it: a domain never covers its sub-domains (W-SUBDOMAIN).
    pub fn is_uncovered(&self, domain: &DomainName) -> bool {
        let above = |at: usize| domain.as_str().get(at + 1..).and_then(|rest| DomainName::parse(rest).ok());
        let dots = domain.as_str().match_indices('.').filter_map(|(at, _)| above(at));
        !self.domains.contains_key(domain) && dots.into_iter().any(|parent| self.domains.contains_key(&parent))
    }
}
