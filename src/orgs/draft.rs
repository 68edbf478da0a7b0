//! What is configured, before the store's part is known: ids of directories, since when domains are held and policies hold. The
//! operator's file gives one ([`DraftCatalog`]), and documents of organizations are laid over it.

use super::roles::Staff;
use crate::kernel::model::{
    ACCOUNT_SOURCE, ApiTokens, Catalog, Directory, DomainClaim, Limits, Members, MetadataAt, NamedPolicy, OnChange,
    Organization, PasswordRule, PeoplePolicy, Policy, Product, Protocol, Provisioner, SecondStep, Since, Sso,
    SubjectSource, ThirdPartyRule, Transmitter, demand,
};
use crate::kernel::values::{
    DirectoryId, DirectoryName, DomainName, EmailAddress, Network, OrgName, Origin, PolicyName, ThirdPartyName,
    Timestamp,
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
    /// All directories: the issuer, third parties, organizations', in the file's order; then those without a provider.
    pub directories: Vec<DraftDirectory>,
    /// What is demanded of people whom no organization manages.
    pub people: PeoplePolicy,
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
    /// Its policies for some of its people, in the file's order.
    pub policies: Vec<(Members, DraftPolicy)>,
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
            name: PolicyName::default(),
            limits: Limits::default(),
            native: None,
            token: None,
            third_party: ThirdPartyRule::None,
            require_amr: Vec::new(),
            second_step: SecondStep::Required,
            password: PasswordRule::default(),
            api_tokens: ApiTokens::Block,
            networks: Vec::new(),
            break_glass: Vec::new(),
            on_change: OnChange::IMMEDIATE,
        };
        let label = name.to_string();
        let (directories, policies) = (Vec::new(), Vec::new());
        Self { name, label, domains, directories, policy, policies, admins: Vec::new(), auditors: Vec::new() }
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
    /// That is an address, and nobody said that it is meant to be: no policy enforces it (§4 #22).
    pub by_address: bool,
    /// The claim that lists groups.
    pub groups_claim: Option<String>,
    /// Of its domains these people alone.
    pub members: Option<Vec<EmailAddress>>,
    /// How its provider provisions people here.
    pub scim: Option<Provisioner>,
    /// Where its provider's security events are fetched.
    pub transmitter: Option<Transmitter>,
}

impl DraftDirectory {
    /// The organization it belongs to; none for the issuer, third parties and those without a provider.
    pub fn org(&self) -> Option<&OrgName> {
        match &self.name {
            DirectoryName::Org(org, _) => Some(org),
            DirectoryName::Issuer | DirectoryName::ThirdParty(_) | DirectoryName::Local(_) | DirectoryName::Here => {
                None
            }
        }
    }

    /// A directory without a provider: the local accounts of a product, or the gateway's own credentials.
    pub fn local(name: DirectoryName, label: String) -> Self {
        let subject_source = SubjectSource(ACCOUNT_SOURCE.to_owned());
        Self {
            name,
            label,
            domains: Vec::new(),
            protocol: Protocol::Local,
            subject_source,
            by_address: false,
            groups_claim: None,
            members: None,
            scim: None,
            transmitter: None,
        }
    }
}

/// A policy without its epoch.
#[derive(Clone, Debug)]
pub struct DraftPolicy {
    /// `default`, or its name.
    pub name: PolicyName,
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
    /// How long native apps stay logged in.
    pub native: Option<Duration>,
    /// How long personal tokens live at most.
    pub token: Option<Duration>,
    /// Our own second step.
    pub second_step: SecondStep,
    /// What local passwords must be.
    pub password: PasswordRule,
    /// API tokens: a product's own, and those made here.
    pub api_tokens: ApiTokens,
    /// Where its people must come from.
    pub networks: Vec<Network>,
    /// Emergency access.
    pub break_glass: Vec<EmailAddress>,
    /// How it meets live sessions.
    pub on_change: OnChange,
}

/// The directories without a provider: one for each product with local passwords, and the gateway's own.
pub fn local_directories<'a>(passwords: impl Iterator<Item = &'a Product>) -> Vec<DraftDirectory> {
    let of =
        |product: &Product| DraftDirectory::local(DirectoryName::Local(product.name.clone()), product.label.clone());
    let here = DraftDirectory::local(DirectoryName::Here, "this login service".to_owned());
    passwords.map(of).chain([here]).collect()
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
    let source = directory.subject_source.0.as_str();
    match &directory.protocol {
        Protocol::Oidc(settings) => hash(&["oidc", &settings.issuer, &settings.client_id, source]),
        Protocol::Oauth2Userinfo(settings, addresses) => {
            hash(&["oauth2", &settings.issuer, &addresses.userinfo, &settings.client_id, source])
        }
        // Its entity id is held to what it first was, wherever its metadata is.
        Protocol::Saml(_) => hash(&["saml", source]),
        Protocol::Local => hash(&["local", source]),
    }
}

/// What a policy demands; another fingerprint raises its epoch and starts the grace of `on_change`. Session limits and networks
/// are not part of it: they bite at once.
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
    parts.push(match policy.second_step {
        SecondStep::Required => "step",
        // Neither asks anything of a session that is there.
        SecondStep::Optional | SecondStep::Off => "",
    });
    hash(&parts)
}

/// What it demands of live sessions, by name.
pub fn demands(policy: &DraftPolicy) -> Vec<String> {
    let mut found = Vec::new();
    if policy.sso == Sso::Enforced {
        found.push(demand::SSO.to_owned());
        found.extend(policy.directory.as_ref().map(demand::directory));
    }
    match &policy.third_party {
        ThirdPartyRule::Any => {}
        ThirdPartyRule::None => found.push(demand::THIRD_PARTY.to_owned()),
        ThirdPartyRule::Only(names) => {
            let names: Vec<&str> = names.iter().map(ThirdPartyName::as_str).collect();
            found.push(format!("{} {}", demand::THIRD_PARTY, names.join(" ")));
        }
    }
    found.extend(policy.require_amr.iter().map(|value| demand::amr(value)));
    if policy.second_step == SecondStep::Required {
        found.push(demand::SECOND_STEP.to_owned());
    }
    found
}

impl DraftCatalog {
    /// The addresses of providers that it names.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        let adapters = self.products.iter().filter_map(|product| product.adapter.as_ref());
        let providers = self.directories.iter().flat_map(|directory| match &directory.protocol {
            Protocol::Oidc(settings) => vec![settings.issuer.as_str()],
            Protocol::Oauth2Userinfo(_, addresses) => {
                vec![addresses.authorize.as_str(), addresses.token.as_str(), addresses.userinfo.as_str()]
            }
            Protocol::Saml(settings) => match &settings.metadata {
                MetadataAt::Url(url) => vec![url.as_str()],
                MetadataAt::File(_) => Vec::new(),
            },
            Protocol::Local => Vec::new(),
        });
        let transmitters = self.directories.iter().filter_map(|directory| directory.transmitter.as_ref());
        let polled = transmitters.filter_map(|transmitter| transmitter.polled.as_ref());
        providers.chain(adapters.map(|adapter| adapter.url.as_str())).chain(polled.map(|polled| polled.url.as_str()))
    }

    /// The catalog, with the store's part: `ids` gives each directory its id, `claimed` says since when an organization holds
    /// a domain, `policies` when an organization's policy last changed, its epoch and since when each demand holds. `version` counts reloads.
    pub fn into_catalog(
        self,
        ids: impl Fn(&DraftDirectory) -> DirectoryId,
        claimed: impl Fn(&DomainName, &OrgName) -> Timestamp,
        policies: impl Fn(&OrgName, &PolicyName) -> (Timestamp, u32, Since),
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
            people: self.people,
            profile_url: self.profile_url,
            reset_url: self.reset_url,
        }
    }
}

fn directory(id: DirectoryId, draft: DraftDirectory) -> (DirectoryId, Arc<Directory>) {
    let DraftDirectory {
        name,
        label,
        domains,
        protocol,
        subject_source,
        groups_claim,
        members,
        scim,
        transmitter,
        by_address: _,
    } = draft;
    (
        id,
        Arc::new(Directory {
            id,
            name,
            label,
            domains,
            protocol,
            subject_source,
            groups_claim,
            members,
            scim,
            transmitter,
        }),
    )
}

fn organization(
    org: DraftOrg,
    names: &HashMap<DirectoryName, DirectoryId>,
    policies: &impl Fn(&OrgName, &PolicyName) -> (Timestamp, u32, Since),
) -> Organization {
    let finish = |draft: DraftPolicy| policy(&org.name, draft, names, policies);
    let directories = org.directories.iter().filter_map(|name| names.get(name).copied()).collect();
    let named = |(members, draft)| NamedPolicy { members, policy: finish(draft) };
    let named = org.policies.into_iter().map(named).collect();
    Organization {
        policy: finish(org.policy),
        policies: named,
        name: org.name,
        label: org.label,
        directories,
        admins: org.admins,
        auditors: org.auditors,
    }
}

fn policy(
    org: &OrgName,
    draft: DraftPolicy,
    names: &HashMap<DirectoryName, DirectoryId>,
    policies: &impl Fn(&OrgName, &PolicyName) -> (Timestamp, u32, Since),
) -> Policy {
    let (changed_at, epoch, since) = policies(org, &draft.name);
    Policy {
        org: org.clone(),
        name: draft.name,
        sso: draft.sso,
        directory: draft.directory.and_then(|name| names.get(&name).copied()),
        limits: draft.limits,
        native: draft.native,
        token: draft.token,
        third_party: draft.third_party,
        require_amr: draft.require_amr,
        second_step: draft.second_step,
        password: draft.password,
        api_tokens: draft.api_tokens,
        networks: draft.networks,
        break_glass: draft.break_glass,
        on_change: draft.on_change,
        changed_at,
        since,
        epoch,
    }
}
