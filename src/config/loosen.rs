//! What a new file gives away that the running one holds: `reload` refuses it until it is confirmed (E-LOOSER).

use super::Config;
use super::draft::{DraftOrg, DraftPolicy};
use crate::kernel::model::{Limits, Sso, ThirdPartyRule};
use crate::kernel::values::{DomainName, OrgName, ProductName, Reference};
use aws_lc_rs::digest;
use std::fmt;

/// One thing that a new file gives away.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Loosening {
    /// The organization is gone.
    OrgRemoved(OrgName),
    /// The organization no longer holds the domain.
    DomainRemoved(OrgName, DomainName),
    /// Single sign-on is demanded less.
    SsoWeakened(OrgName),
    /// Another directory satisfies single sign-on.
    DirectoryChanged(OrgName),
    /// More third parties are allowed.
    ThirdPartiesWidened(OrgName),
    /// Fewer values of `amr` are demanded.
    AmrDropped(OrgName),
    /// Sessions last longer.
    SessionsLonger(OrgName),
    /// Everybody may enter the product.
    EveryoneAllowed(ProductName),
}

impl fmt::Display for Loosening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OrgRemoved(org) => write!(f, "organization {org} is removed"),
            Self::DomainRemoved(org, domain) => write!(f, "organization {org} no longer holds {domain}"),
            Self::SsoWeakened(org) => write!(f, "organization {org} demands single sign-on less"),
            Self::DirectoryChanged(org) => {
                write!(f, "another directory satisfies single sign-on of organization {org}")
            }
            Self::ThirdPartiesWidened(org) => write!(f, "organization {org} allows more third parties"),
            Self::AmrDropped(org) => write!(f, "organization {org} demands less in amr"),
            Self::SessionsLonger(org) => write!(f, "sessions of organization {org} last longer"),
            Self::EveryoneAllowed(product) => write!(f, "everybody may enter product {product}"),
        }
    }
}

/// Everything that `new` gives away, sorted.
pub fn loosened(old: &Config, new: &Config) -> Vec<Loosening> {
    let mut found = Vec::new();
    for before in &old.catalog.orgs {
        match new.catalog.orgs.iter().find(|after| after.name == before.name) {
            Some(after) => org(before, after, &mut found),
            None => found.push(Loosening::OrgRemoved(before.name.clone())),
        }
    }
    for after in &new.catalog.products {
        let before = old.catalog.products.iter().find(|before| before.name == after.name);
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
    let (was, is) = (&before.policy, &after.policy);
    if strength(is.sso) < strength(was.sso) {
        found.push(Loosening::SsoWeakened(name()));
    } else if was.sso == Sso::Enforced && was.directory != is.directory {
        found.push(Loosening::DirectoryChanged(name()));
    }
    if wider(was, is) {
        found.push(Loosening::ThirdPartiesWidened(name()));
    }
    if was.require_amr.iter().any(|value| !is.require_amr.contains(value)) {
        found.push(Loosening::AmrDropped(name()));
    }
    if longer(was.limits, is.limits) {
        found.push(Loosening::SessionsLonger(name()));
    }
}

fn strength(sso: Sso) -> u8 {
    match sso {
        Sso::Off => 0,
        Sso::Offered => 1,
        Sso::Enforced => 2,
    }
}

fn wider(was: &DraftPolicy, is: &DraftPolicy) -> bool {
    match (&was.third_party, &is.third_party) {
        (_, ThirdPartyRule::None) | (ThirdPartyRule::Any, _) => false,
        (_, ThirdPartyRule::Any) => true,
        (ThirdPartyRule::None, ThirdPartyRule::Only(now)) => !now.is_empty(),
        (ThirdPartyRule::Only(then), ThirdPartyRule::Only(now)) => now.iter().any(|name| !then.contains(name)),
    }
}

fn longer(was: Limits, is: Limits) -> bool {
    let grew = |was: Option<_>, is: Option<_>| was.is_some_and(|was| is.is_none_or(|is| is > was));
    grew(was.idle, is.idle) || grew(was.absolute, is.absolute)
}

/// What `reload --loosen CODE` must repeat: the same list has the same code, another list another one.
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
