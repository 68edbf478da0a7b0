//! What a new configuration gives away that the one in force holds: it is refused until it is confirmed (E-LOOSER).

use super::draft::{DraftCatalog, DraftOrg};
use super::strict;
use crate::kernel::values::{DomainName, OrgName, ProductName, Reference};
use aws_lc_rs::digest;
use std::fmt;

/// One thing that a new configuration gives away.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Loosening {
    /// The organization is gone.
    OrgRemoved(OrgName),
    /// The organization no longer holds the domain.
    DomainRemoved(OrgName, DomainName),
    /// Its policy demands less.
    Policy(OrgName, What),
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
}

impl fmt::Display for Loosening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OrgRemoved(org) => write!(f, "organization {org} is removed"),
            Self::DomainRemoved(org, domain) => write!(f, "organization {org} no longer holds {domain}"),
            Self::Policy(org, what) => match what {
                What::SsoWeakened => write!(f, "organization {org} demands single sign-on less"),
                What::DirectoryChanged => {
                    write!(f, "another directory satisfies single sign-on of organization {org}")
                }
                What::ThirdPartiesWidened => write!(f, "organization {org} allows more third parties"),
                What::AmrDropped => write!(f, "organization {org} demands less in amr"),
                What::SessionsLonger => write!(f, "sessions of organization {org} last longer"),
            },
            Self::EveryoneAllowed(product) => write!(f, "everybody may enter product {product}"),
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
    found.extend(strict::looser(&before.policy, &after.policy).into_iter().map(|what| Loosening::Policy(name(), what)));
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
