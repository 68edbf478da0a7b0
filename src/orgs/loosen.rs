//! What a new configuration gives away that the one in force holds: it is refused until it is confirmed (E-LOOSER).

use super::draft::{DraftCatalog, DraftOrg, DraftPolicy};
use super::strict;
use crate::kernel::model::{ExpiredKeys, Sso, StepUp};
use crate::kernel::values::{DirectoryName, DomainName, EmailAddress, OrgName, PolicyName, ProductName, Reference};
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
    /// The metadata of its SAML provider need not be signed any more, or by somebody else.
    SignerChanged(OrgName, DirectoryName),
    /// Keys of its SAML provider whose certificates have ended are taken.
    EndedKeysTaken(OrgName, DirectoryName),
    /// Everybody may enter the product.
    EveryoneAllowed(ProductName),
    /// A path of the product no longer asks for a proof of just now, or an older one will do.
    StepUpWeakened(ProductName),
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
            Self::SignerChanged(_, directory) => {
                write!(f, "the metadata of {directory} need not be signed by whom it was to be signed by")
            }
            Self::EndedKeysTaken(_, directory) => {
                write!(f, "keys of {directory} whose certificates have ended are taken")
            }
            Self::EveryoneAllowed(product) => write!(f, "everybody may enter product {product}"),
            Self::StepUpWeakened(product) => write!(f, "paths of product {product} ask less for a proof of just now"),
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
            | Self::PolicyRemoved(org, _)
            | Self::SignerChanged(org, _)
            | Self::EndedKeysTaken(org, _) => Some(org),
            Self::EveryoneAllowed(_) | Self::StepUpWeakened(_) => None,
        }
    }
}

/// Everything that `new` gives away, sorted.
pub fn loosened(old: &DraftCatalog, new: &DraftCatalog) -> Vec<Loosening> {
    let mut found = Vec::new();
    for before in &old.orgs {
        match new.orgs.iter().find(|after| after.name == before.name) {
            Some(after) => {
                org(before, after, &mut found);
                members((old, before), (new, after), &mut found);
                keys((old, before), new, &mut found);
            }
            None => found.push(Loosening::OrgRemoved(before.name.clone())),
        }
    }
    for after in &new.products {
        let before = old.products.iter().find(|before| before.name == after.name);
        if after.allow.everyone && before.is_some_and(|before| !before.allow.everyone) {
            found.push(Loosening::EveryoneAllowed(after.name.clone()));
        }
        if before.is_some_and(|before| asks_less(before.step_up.as_ref(), after.step_up.as_ref())) {
            found.push(Loosening::StepUpWeakened(after.name.clone()));
        }
    }
    found.sort();
    found
}

/// By the rules as they are written: one that covers another is not worked out.
fn asks_less(before: Option<&StepUp>, after: Option<&StepUp>) -> bool {
    match (before, after) {
        (None, _) => false,
        (Some(before), None) => !before.paths.is_empty(),
        (Some(before), Some(after)) => {
            after.within > before.within || !before.paths.iter().all(|path| after.paths.contains(path))
        }
    }
}

/// Other people than before meet single sign-on by a directory: whose word opens their accounts has changed.
fn members(
    (old, before): (&DraftCatalog, &DraftOrg),
    (new, after): (&DraftCatalog, &DraftOrg),
    found: &mut Vec<Loosening>,
) {
    let named = |draft: &DraftCatalog| -> Vec<(String, Vec<EmailAddress>)> {
        let own = draft.directories.iter().filter(|directory| directory.org() == Some(&before.name));
        let mut named: Vec<_> = own
            .filter_map(|directory| {
                let mut members = directory.members.clone()?;
                members.sort();
                Some((directory.name.to_string(), members))
            })
            .collect();
        named.sort();
        named
    };
    let enforced = before.policy.sso == Sso::Enforced && after.policy.sso == Sso::Enforced;
    let what = Loosening::Policy(before.name.clone(), before.policy.name.clone(), What::DirectoryChanged);
    if enforced && named(old) != named(new) && !found.contains(&what) {
        found.push(what);
    }
}

/// Which keys a directory's SAML provider may sign with, and who vouches for them.
fn keys((old, org): (&DraftCatalog, &DraftOrg), new: &DraftCatalog, found: &mut Vec<Loosening>) {
    for was in old.directories.iter().filter(|directory| directory.org() == Some(&org.name)) {
        let is = new.directories.iter().find(|directory| directory.name == was.name);
        let Some((before, after)) = was.protocol.saml().zip(is.and_then(|is| is.protocol.saml())) else { continue };
        if before.signer.is_some() && before.signer != after.signer {
            found.push(Loosening::SignerChanged(org.name.clone(), was.name.clone()));
        }
        if before.expired_keys == ExpiredKeys::Refuse && after.expired_keys == ExpiredKeys::Warn {
            found.push(Loosening::EndedKeysTaken(org.name.clone(), was.name.clone()));
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn m6_fewer_paths_or_an_older_proof_is_looser() {
        let rule = |paths: &[&str], minutes: u64| {
            let paths = paths.iter().map(|path| (*path).to_owned()).collect();
            StepUp { paths, within: Duration::from_secs(60 * minutes) }
        };
        let before = rule(&["/admin/*", "/billing"], 10);
        for (after, looser) in [
            (None, true),
            (Some(before.clone()), false),
            (Some(rule(&["/admin/*"], 10)), true),
            (Some(rule(&["/billing", "/admin/*", "/x"], 5)), false),
            (Some(rule(&["/admin/*", "/billing"], 11)), true),
        ] {
            assert_eq!(asks_less(Some(&before), after.as_ref()), looser, "{after:?}");
            assert!(!asks_less(None, after.as_ref()), "there was none");
        }
    }
}
