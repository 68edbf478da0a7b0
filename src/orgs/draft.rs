//! What is configured, before the store's part is known: ids of directories, since when domains are held and policies hold. The
//! operator's file gives one ([`DraftCatalog`]), and documents of organizations are laid over it.

use super::roles::Staff;
use crate::kernel::model::{
    Catalog, Directory, DomainClaim, Limits, OnChange, Organization, Policy, Product, Protocol, Sso, SubjectSource,
    ThirdPartyRule,
};
use crate::kernel::values::{
    DirectoryId, DirectoryName, DomainName, EmailAddress, OrgName, Origin, ThirdPartyName, Timestamp,
};
use aws_lc_rs::digest;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The configured world without what only the store knows.
#[derive(Clone, Debug)]
pub struct DraftCatalog {
    /// The login host.
    pub login: Origin,
    /// Products; the gateway's sites hold the same values.
    pub products: Vec<Arc<Product>>,
    /// Organizations, in the file's order.
    pub orgs: Vec<DraftOrg>,
    /// Who administers the whole installation.
    pub staff: Staff,
    /// All directories: the issuer, third parties, organizations', in the file's order.
    pub directories: Vec<DraftDirectory>,
    /// Where people manage their account at the issuer.
    pub profile_url: Option<String>,
    /// Where people reset their password at the issuer.
    pub reset_url: Option<String>,
}

/// An organization.
#[derive(Clone, Debug)]
pub struct DraftOrg {
    /// Its name.
    pub name: OrgName,
    /// What people read.
    pub label: String,
    /// Its domains and the directory that serves each.
    pub domains: Vec<(DomainName, Option<DirectoryName>)>,
    /// Its directories; the default one first.
    pub directories: Vec<DirectoryName>,
    /// Its default policy.
    pub policy: DraftPolicy,
    /// Its administrators.
    pub admins: Vec<EmailAddress>,
    /// Its auditors.
    pub auditors: Vec<EmailAddress>,
}

impl DraftOrg {
    /// Whether it has the domain.
    pub fn has(&self, domain: &DomainName) -> bool {
        self.domains.iter().any(|(held, _)| held == domain)
    }

    /// One that keeps its domains and lets nobody in: what it said of itself cannot be read.
    pub fn shut(name: OrgName, domains: Vec<(DomainName, Option<DirectoryName>)>) -> Self {
        let policy = DraftPolicy {
            sso: Sso::Enforced,
            directory: None,
            limits: Limits::default(),
            third_party: ThirdPartyRule::None,
            require_amr: Vec::new(),
            on_change: OnChange { grace: Duration::ZERO, spread: Duration::ZERO },
        };
        let label = name.to_string();
        Self { name, label, domains, directories: Vec::new(), policy, admins: Vec::new(), auditors: Vec::new() }
    }
}

/// A directory without its id.
#[derive(Clone, Debug)]
pub struct DraftDirectory {
    /// What the configuration calls it.
    pub name: DirectoryName,
    /// What people read.
    pub label: String,
    /// Domains that it may speak for.
    pub domains: Vec<DomainName>,
    /// How to talk to it.
    pub protocol: Protocol,
    /// Where its subjects are read from.
    pub subject_source: SubjectSource,
    /// The claim that lists groups.
    pub groups_claim: Option<String>,
}

impl DraftDirectory {
    /// The organization it belongs to; none for the issuer and third parties.
    pub fn org(&self) -> Option<&OrgName> {
        match &self.name {
            DirectoryName::Org(org, _) => Some(org),
            DirectoryName::Issuer | DirectoryName::ThirdParty(_) => None,
        }
    }
}

/// A policy without its epoch.
#[derive(Clone, Debug)]
pub struct DraftPolicy {
    /// Whether single sign-on is asked for.
    pub sso: Sso,
    /// The one directory that satisfies it.
    pub directory: Option<DirectoryName>,
    /// Session limits.
    pub limits: Limits,
    /// Third parties.
    pub third_party: ThirdPartyRule,
    /// Values that `amr` must carry.
    pub require_amr: Vec<String>,
    /// How it meets live sessions.
    pub on_change: OnChange,
}

/// SHA-256 over parts, each with its length before it, so that no two lists of parts are the same bytes.
fn hash(parts: &[&str]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut out = [0; 32];
    out.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    out
}

/// What makes a directory this connection: issuer, client id and subject source. Another fingerprint is another directory,
/// with a new id, and inherits no link (rule C1). For `oauth2` the user-info address stands beside the issuer: it is what says
/// who somebody is.
pub fn fingerprint(directory: &DraftDirectory) -> [u8; 32] {
    let settings = directory.protocol.settings();
    let source = directory.subject_source.0.as_str();
    match &directory.protocol {
        Protocol::Oidc(_) => hash(&["oidc", &settings.issuer, &settings.client_id, source]),
        Protocol::Oauth2Userinfo(_, addresses) => {
            hash(&["oauth2", &settings.issuer, &addresses.userinfo, &settings.client_id, source])
        }
    }
}

/// What a policy demands; another fingerprint raises its epoch and starts the grace of `on_change`. Session limits are not
/// part of it: they bite at once.
pub fn policy_fingerprint(policy: &DraftPolicy) -> [u8; 32] {
    let sso = match policy.sso {
        Sso::Off => "off",
        Sso::Offered => "offered",
        Sso::Enforced => "enforced",
    };
    let directory = policy.directory.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut parts = vec![sso, &directory];
    match &policy.third_party {
        ThirdPartyRule::None => parts.push("none"),
        ThirdPartyRule::Any => parts.push("any"),
        ThirdPartyRule::Only(names) => {
            parts.push("only");
            parts.extend(names.iter().map(ThirdPartyName::as_str));
        }
    }
    parts.push("amr");
    parts.extend(policy.require_amr.iter().map(String::as_str));
    hash(&parts)
}

impl DraftCatalog {
    /// The catalog, with the store's part: `ids` gives each directory its id, `claimed` says since when an organization holds
    /// a domain, `policies` when an organization's policy last changed and its epoch. `version` counts reloads.
    pub fn into_catalog(
        self,
        ids: impl Fn(&DraftDirectory) -> DirectoryId,
        claimed: impl Fn(&DomainName, &OrgName) -> Timestamp,
        policies: impl Fn(&OrgName) -> (Timestamp, u32),
        version: u64,
    ) -> Catalog {
        let names: HashMap<DirectoryName, DirectoryId> =
            self.directories.iter().map(|directory| (directory.name.clone(), ids(directory))).collect();
        let id_of = |name: &DirectoryName| names.get(name).copied();
        let domains = self.orgs.iter().flat_map(|org| {
            org.domains.iter().map(|(domain, directory)| {
                let claim = DomainClaim {
                    org: org.name.clone(),
                    directory: directory.as_ref().and_then(id_of),
                    claimed_at: claimed(domain, &org.name),
                    suspended: false,
                };
                (domain.clone(), claim)
            })
        });
        let domains = domains.collect();
        let third_parties =
            self.directories.iter().filter(|directory| matches!(directory.name, DirectoryName::ThirdParty(_)));
        let third_parties = third_parties.filter_map(|directory| id_of(&directory.name)).collect();
        let orgs = self.orgs.into_iter().map(|org| (org.name.clone(), Arc::new(organization(org, &names, &policies))));
        Catalog {
            version,
            login: self.login,
            products: self.products.into_iter().map(|product| (product.name.clone(), product)).collect(),
            orgs: orgs.collect(),
            domains,
            directories: self
                .directories
                .into_iter()
                .filter_map(|draft| Some(directory(*names.get(&draft.name)?, draft)))
                .collect(),
            issuer: names.get(&DirectoryName::Issuer).copied(),
            directory_names: names,
            third_parties,
            profile_url: self.profile_url,
            reset_url: self.reset_url,
        }
    }
}

fn directory(id: DirectoryId, draft: DraftDirectory) -> (DirectoryId, Arc<Directory>) {
    let DraftDirectory { name, label, domains, protocol, subject_source, groups_claim } = draft;
    (id, Arc::new(Directory { id, name, label, domains, protocol, subject_source, groups_claim }))
}

fn organization(
    org: DraftOrg,
    names: &HashMap<DirectoryName, DirectoryId>,
    policies: &impl Fn(&OrgName) -> (Timestamp, u32),
) -> Organization {
    let (changed_at, epoch) = policies(&org.name);
    let DraftPolicy { sso, directory, limits, third_party, require_amr, on_change } = org.policy;
    let policy = Policy {
        org: org.name.clone(),
        sso,
        directory: directory.and_then(|name| names.get(&name).copied()),
        limits,
        third_party,
        require_amr,
        on_change,
        changed_at,
        epoch,
    };
    let directories = org.directories.iter().filter_map(|name| names.get(name).copied()).collect();
    Organization { name: org.name, label: org.label, directories, policy }
}
