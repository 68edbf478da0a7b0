//! Organizations as the console shows them: domains with what proves them, directories, policies, people.

use super::super::Admin;
use super::super::policies::{in_force, in_order};
use super::super::scope::Scope;
use super::super::shapes::{Directory, Domain, InForce};
use super::{Nothing, may_at};
use crate::kernel::values::OrgName;
use crate::login::Steward;
use crate::orgs::DraftOrg;

/// People of a domain are counted up to here; there may be more.
const COUNTED: usize = 10_000;

/// One organization, whole.
#[derive(Debug)]
pub struct Company {
    /// Its name.
    pub name: OrgName,
    /// What people call it.
    pub label: String,
    /// Those stated by the operator and those that are proved or to be proved, in order.
    pub domains: Vec<Domain>,
    /// Its directories, with what its provider is given.
    pub directories: Vec<Directory>,
    /// Its policies: the default one, then the others in order.
    pub policies: Vec<(String, InForce)>,
    /// Who administers and who audits: addresses as they were invited.
    pub admins: Vec<String>,
    /// Its auditors.
    pub auditors: Vec<String>,
    /// People with a proved address in its domains, and whether there are more.
    pub people: (usize, bool),
}

impl Admin {
    /// Organizations that the reader sees, by name: their names and what people call them.
    pub fn companies(&self, steward: &Steward) -> Vec<(OrgName, String)> {
        let effective = self.world.orgs.effective();
        let seen = effective.orgs.iter().filter(|org| may_at(&steward.roles, Scope::OrgsRead, &org.name));
        let mut all: Vec<_> = seen.map(|org| (org.name.clone(), org.label.clone())).collect();
        all.sort();
        all
    }

    /// One of them.
    pub async fn company(&self, steward: &Steward, name: &str) -> Result<Company, Nothing> {
        let name = OrgName::parse(name).map_err(|_| Nothing::NotHere)?;
        let effective = self.world.orgs.effective();
        let seen = may_at(&steward.roles, Scope::OrgsRead, &name);
        let org = effective.orgs.iter().find(|org| org.name == name).filter(|_| seen).ok_or(Nothing::NotHere)?;
        let own = effective.directories.iter().filter(|directory| directory.org() == Some(&name));
        Ok(Company {
            label: org.label.clone(),
            domains: self.domains_shown(&name).await?,
            directories: own.filter_map(|directory| self.shown_directory(directory)).collect(),
            policies: in_order(org).map(|policy| (policy.name.as_str().to_owned(), in_force(policy))).collect(),
            admins: org.admins.iter().map(ToString::to_string).collect(),
            auditors: org.auditors.iter().map(ToString::to_string).collect(),
            people: self.counted(org).await?,
            name,
        })
    }

    async fn counted(&self, org: &DraftOrg) -> Result<(usize, bool), Nothing> {
        let mut people = 0;
        for (domain, _) in &org.domains {
            people += self.world.store.count_accounts_of_domain(domain, COUNTED).await?;
        }
        Ok((people.min(COUNTED), people >= COUNTED))
    }
}
