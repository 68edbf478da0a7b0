//! What a new configuration gives away that the one in force holds: it is refused until it is confirmed (E-LOOSER).

use super::draft::{DraftCatalog, DraftOrg, DraftPolicy};
use super::strict;
use crate::kernel::values::{DomainName, OrgName, PolicyName, ProductName, Reference};
use aws_lc_rs::digest;
use std::fmt;

/// One thing that a new configuration gives away.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Loosening {
    /// The organization is gone.
    OrgRemoved(OrgName),
    /// The organization no longer holds the domain.
    DomainRemoved(OrgName, DomainName),
    /// A policy of it demands less.
    Policy(OrgName, PolicyName, What),
    /// A policy for some of its people is gone, or is for fewer of them, and they fall under a looser one.
    PolicyRemoved(OrgName, PolicyName),
    /// Everybody may enter the product.
    EveryoneAllowed(ProductName),
}

/// What a policy demands less of.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum What {
    /// Single sign-on is demanded less.
    SsoWeakened,
    /// Another directory satisfies single sign-on.
    DirectoryChanged,
    /// More third parties are allowed.
    ThirdPartiesWidened,
    /// Fewer values of `amr` are demanded.
    AmrDropped,
    /// Sessions last longer.
    SessionsLonger,
    /// Our own second step is demanded less.
    StepWeakened,
    /// More people may enter by emergency.
    EmergencyWidened,
    /// Products' own API tokens pass.
    TokensAllowed,
    /// People may come from more networks.
    NetworksWidened,
    /// Local passwords may be weaker or older.
    PasswordsWeaker,
    /// Sessions go on for longer after a change.
    ChangesLater,
}

impl What {
    /// Of whom, in words.
    fn told(self, whose: &str) -> String {
        match self {
            Self::SsoWeakened => format!("{whose} demands single sign-on less"),
            Self::DirectoryChanged => format!("another directory satisfies single sign-on of {whose}"),
            Self::ThirdPartiesWidened => format!("{whose} allows more third parties"),
            Self::AmrDropped => format!("{whose} demands less in amr"),
            Self::SessionsLonger => format!("sessions of {whose} last longer"),
            Self::StepWeakened => format!("{whose} demands a second step less"),
            Self::EmergencyWidened => format!("{whose} lets more people in by emergency"),
            Self::TokensAllowed => format!("{whose} lets products' own API tokens pass"),
            Self::NetworksWidened => format!("{whose} lets people in from more networks"),
            Self::PasswordsWeaker => format!("{whose} allows weaker or older passwords"),
            Self::ChangesLater => format!("a change of {whose} meets sessions later"),
        }
    }
}

impl fmt::Display for Loosening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OrgRemoved(org) => write!(f, "organization {org} is removed"),
            Self::DomainRemoved(org, domain) => write!(f, "organization {org} no longer holds {domain}"),
            Self::Policy(org, name, what) if name.is_default() => {
                write!(f, "{}", what.told(&format!("organization {org}")))
            }
            Self::Policy(org, name, what) => {
                write!(f, "{}", what.told(&format!("policy {name} of organization {org}")))
            }
            Self::PolicyRemoved(org, name) => {
                write!(f, "policy {name} of organization {org} is no longer for people whom it was for")
            }
            Self::EveryoneAllowed(product) => write!(f, "everybody may enter product {product}"),
        }
    }
}

impl Loosening {
    /// Whose people it is about; none: everybody's.
    pub fn org(&self) -> Option<&OrgName> {
        match self {
            Self::OrgRemoved(org)
            | Self::DomainRemoved(org, _)
            | Self::Policy(org, ..)
            | Self::PolicyRemoved(org, _) => Some(org),
            Self::EveryoneAllowed(_) => None,
        }
    }
}

/// Everything that `new` gives away, sorted.
pub fn loosened(old: &DraftCatalog, new: &DraftCatalog) -> Vec<Loosening> {
    let mut found = Vec::new();
    for before in &old.orgs {
        match new.orgs.iter().find(|after| after.name == before.name) {
            Some(after) => org(before, after, &mut found),
            None => found.push(Loosening::OrgRemoved(before.name.clone())),
        }
    }
    for after in &new.products {
        let before = old.products.iter().find(|before| before.name == after.name);
        if after.allow.everyone && before.is_some_and(|before| !before.allow.everyone) {
            found.push(Loosening::EveryoneAllowed(after.name.clone()));
        }
    }
    found.sort();
    found
}

fn org(before: &DraftOrg, after: &DraftOrg, found: &mut Vec<Loosening>) {
    let name = || before.name.clone();
    for (domain, _) in &before.domains {
        if !after.domains.iter().any(|(held, _)| held == domain) {
            found.push(Loosening::DomainRemoved(name(), domain.clone()));
        }
    }
    policy(before, &before.policy, &after.policy, found);
    for (members, was) in &before.policies {
        match after.policies.iter().find(|(_, is)| is.name == was.name) {
            Some((now, is)) => {
                policy(before, was, is, found);
                let fewer = !members.people.iter().all(|one| now.people.contains(one))
                    || !members.groups.iter().all(|one| now.groups.contains(one));
                let more = !now.people.iter().all(|one| members.people.contains(one))
                    || !now.groups.iter().all(|one| members.groups.contains(one));
                if more {
                    // Whoever comes under it leaves the default one.
                    policy(before, &before.policy, is, found);
                }
                if fewer && strict::looser(was, &after.policy).next().is_some() {
                    found.push(Loosening::PolicyRemoved(name(), was.name.clone()));
                }
            }
            None if strict::looser(was, &after.policy).next().is_some() => {
                found.push(Loosening::PolicyRemoved(name(), was.name.clone()));
            }
            None => {}
        }
    }
    // A new policy takes people out of the one that they were under: who they are is not known here, so it is held against the
    // default one.
    for (_, is) in after.policies.iter().filter(|(_, is)| !before.policies.iter().any(|(_, was)| was.name == is.name)) {
        policy(before, &before.policy, is, found);
    }
}

fn policy(org: &DraftOrg, was: &DraftPolicy, is: &DraftPolicy, found: &mut Vec<Loosening>) {
    // A policy for some people that names no directory is satisfied by their domain's.
    let names_none = is.directory.is_none() && !is.name.is_default();
    for key in strict::looser(was, is).filter(|key| key.name != "directory" || !names_none) {
        let loosening = Loosening::Policy(org.name.clone(), is.name.clone(), key.what);
        if !found.contains(&loosening) {
            found.push(loosening);
        }
    }
}

/// What must be repeated to confirm: the same list has the same code, another list another one.
pub fn confirmation(list: &[Loosening]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for loosening in list {
        context.update(loosening.to_string().as_bytes());
        context.update(b"\n");
    }
    let hash = context.finish();
    let mut short = [0; 5];
    short.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
    Reference::new(short).to_string()
}
