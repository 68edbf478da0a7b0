//! The file with the documents over it. Pure.
//!
//! Whatever a document says, what the file says holds: its domains, its directories, its admins, and each key of its policy at
//! least as strict. An organization whose document cannot be read any more keeps its domains, and nobody enters by them: less
//! would open them to every other way in.

use super::document::{Document, Mistake, Read, Secrets, Written};
use super::draft::{DraftCatalog, DraftDirectory, DraftOrg, DraftPolicy};
use super::{Reads, strict};
use crate::kernel::model::{Members, Sso};
use crate::kernel::values::{DomainName, OrgName};

/// Whether an organization holds a domain that it asks for: proved, or at risk, or suspended.
pub type Holds<'a> = &'a dyn Fn(&OrgName, &DomainName) -> bool;

/// The configured world, and what was wrong with documents.
#[derive(Clone, Debug)]
pub struct Overlaid {
    /// The file and the documents together.
    pub draft: DraftCatalog,
    /// Documents that could not be read.
    pub broken: Vec<(OrgName, Vec<Mistake>)>,
}

/// Lays documents over the file, in the order given.
pub fn overlay(
    (floor, reads): (&DraftCatalog, &dyn Reads),
    documents: &[(OrgName, Document)],
    secrets: Secrets<'_>,
    holds: Holds<'_>,
) -> Overlaid {
    let written: Vec<Written<'_>> = documents.iter().map(|(org, document)| Written { org, document }).collect();
    let mut overlaid = Overlaid { draft: floor.clone(), broken: Vec::new() };
    for (written, read) in written.iter().zip(reads.read(floor, &written, secrets)) {
        match read {
            Ok(read) => lay(&mut overlaid.draft, floor, read, holds),
            Err(mistakes) => {
                shut(&mut overlaid.draft, written, holds);
                overlaid.broken.push((written.org.clone(), mistakes));
            }
        }
    }
    overlaid
}

fn lay(draft: &mut DraftCatalog, floor: &DraftCatalog, read: Read, holds: Holds<'_>) {
    let Read { mut org, directories } = read;
    let below = floor.orgs.iter().find(|below| below.name == org.name);
    let counts = |domain: &DomainName| of_floor(below, domain) || holds(&org.name, domain);
    let mut own: Vec<DraftDirectory> = directories;
    for directory in &mut own {
        directory.domains.retain(|domain| counts(domain));
    }
    let mut domains = std::mem::take(&mut org.domains);
    domains.retain(|(domain, _)| {
        counts(domain) && !draft.orgs.iter().any(|other| other.name != org.name && other.has(domain))
    });
    if let Some(below) = below {
        // What serves a domain of the file is the file's to say, where it says something.
        for (domain, directory) in &below.domains {
            match domains.iter_mut().find(|(known, _)| known == domain) {
                Some(found) => found.1 = directory.clone().or(found.1.take()),
                None => domains.push((domain.clone(), directory.clone())),
            }
        }
        strict::over_floor(&below.policy, &mut org.policy);
        org.policies = named(below, std::mem::take(&mut org.policies));
        org.admins = union(&below.admins, org.admins);
        org.auditors = union(&below.auditors, org.auditors);
        org.directories = union(&below.directories, org.directories);
    }
    org.domains = domains;
    for directory in own {
        match draft.directories.iter_mut().find(|known| known.name == directory.name) {
            // The file's: it may serve more of the organization's domains, and nothing else of it changes.
            Some(known) => known.domains = union(&known.domains, directory.domains),
            None => draft.directories.push(directory),
        }
    }
    draft.orgs.retain(|known| known.name != org.name);
    draft.orgs.push(org);
}

/// Policies for some people: the file's stand first, and each of the document's is at least as strict as the file's of that name,
/// or as its default one.
fn named(below: &DraftOrg, written: Vec<(Members, DraftPolicy)>) -> Vec<(Members, DraftPolicy)> {
    let mut all = below.policies.clone();
    for (members, mut policy) in written {
        match all.iter_mut().find(|(_, known)| known.name == policy.name) {
            Some((_, known)) => {
                strict::over_floor(known, &mut policy);
                *known = policy;
            }
            None => {
                let default = DraftPolicy { directory: None, ..below.policy.clone() };
                strict::over_floor(&default, &mut policy);
                if below.policy.sso == Sso::Enforced {
                    // What the file enforces is satisfied by the file's directory, for these people too (rule C2).
                    policy.directory = below.policy.directory.clone();
                }
                all.push((members, policy));
            }
        }
    }
    all
}

/// Nobody enters by the domains that an organization holds.
fn shut(draft: &mut DraftCatalog, written: &Written<'_>, holds: Holds<'_>) {
    let name = written.org.clone();
    let asked = written.document.texts(&["domains"]);
    let asked = asked.iter().filter_map(|domain| DomainName::parse(domain).ok());
    let domains: Vec<_> = asked.filter(|domain| holds(&name, domain)).map(|domain| (domain, None)).collect();
    if let Some(known) = draft.orgs.iter_mut().find(|known| known.name == name) {
        known.policy = DraftPolicy { sso: Sso::Enforced, directory: None, ..known.policy.clone() };
        known.policies.clear();
        known.domains.iter_mut().for_each(|(_, directory)| *directory = None);
        // Those that it proved at run time, too: a domain that nobody manages is open to every other way in.
        let proved: Vec<_> = domains.into_iter().filter(|(domain, _)| !known.has(domain)).collect();
        known.domains.extend(proved);
        return;
    }
    draft.orgs.push(DraftOrg::shut(name, domains));
}

fn of_floor(below: Option<&DraftOrg>, domain: &DomainName) -> bool {
    below.is_some_and(|below| below.has(domain))
}

/// The first list, and what of the second is not in it.
fn union<T: PartialEq + Clone>(first: &[T], second: Vec<T>) -> Vec<T> {
    let more = second.into_iter().filter(|one| !first.contains(one));
    first.iter().cloned().chain(more).collect()
}
