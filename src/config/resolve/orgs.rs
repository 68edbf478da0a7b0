//! Organizations: domains, directories, policy.

use super::connections::Whose;
use super::policies::Policies;
use super::values::{bare, each, label_of};
use super::{DEFAULT_LIMITS, Reader};
use crate::config::draft::{DraftDirectory, DraftOrg, DraftPolicy};
use crate::config::file::{At, File, Org, Policy, Session, Span};
use crate::config::finding::Code;
use crate::kernel::domain::{NotClaimable, claimable};
use crate::kernel::model::{Limits, PeoplePolicy, Sso, ThirdPartyRule};
use crate::kernel::values::{DirectoryName, DomainName, EmailAddress, OrgName, ThirdPartyName};
use std::time::Duration;

impl Reader<'_> {
    /// All of them; their directories are added to `directories`.
    pub(super) fn orgs(
        &mut self,
        file: &File,
        people: &PeoplePolicy,
        directories: &mut Vec<DraftDirectory>,
    ) -> Vec<DraftOrg> {
        let mut orgs = Vec::new();
        for (name, org) in &file.org.0 {
            let Some(org_name) = self.name(name, OrgName::parse) else { continue };
            if let Some((third, _)) = file.third_party.0.iter().find(|(third, _)| third.as_str() == name.as_str()) {
                let what = format!("[org.{0}] and [third_party.{0}] would share /login/callback/{0}", third.as_str());
                self.say.error(Code::NameTwice, name.span(), what, "give one of them another name");
            }
            orgs.push(self.org(org_name, org, people, directories));
        }
        orgs
    }

    fn org(
        &mut self,
        name: OrgName,
        org: &At<Org>,
        people: &PeoplePolicy,
        directories: &mut Vec<DraftDirectory>,
    ) -> DraftOrg {
        let label = self.label(&org.label, || label_of(name.as_str()));
        let domains = self.domains(&name, org);
        let mut mine = self.directories(&name, &label, &domains, org);
        self.add_below(&mut mine, &domains, org.span());
        let of = Policies { org: &name, written: org, directories: &mine };
        let policy = self.default_policy(&of, people);
        let policies = self.named_policies(&of, &policy);
        let all = [&policy].into_iter().chain(policies.iter().map(|(_, policy)| policy));
        let enforcing: Vec<_> =
            all.filter(|policy| policy.sso == Sso::Enforced).map(|policy| &policy.directory).collect();
        // One that names no directory enforces whichever serves the person.
        let is_enforced =
            |name: &DirectoryName| enforcing.iter().any(|named| named.as_ref().is_none_or(|one| one == name));
        self.stable_subjects(&mine, &is_enforced, &org.span());
        if domains.is_empty() && !mine.is_empty() && !self.misshapen {
            let what = format!("[org.{name}] has a directory and no domains: nobody is sent to it");
            let write = "write domains = [\"acme.com\"], the part after the @ of its people's addresses";
            self.say.warning(Code::WNoEffect, org.span(), what, write);
        }
        let domains = domains.into_iter().map(|domain| {
            // One for some people is nobody else's.
            let whole = mine.iter().filter(|directory| directory.members.is_none());
            let mut serving = whole.filter(|directory| directory.domains.contains(&domain));
            // Where several serve a domain, it is the one that the policy names (rule C2), whatever their order in the file.
            let named = serving.clone().find(|directory| Some(&directory.name) == policy.directory.as_ref());
            let directory = named.or_else(|| serving.next()).map(|directory| directory.name.clone());
            (domain, directory)
        });
        let domains: Vec<_> = domains.collect();
        self.two_directories(&name, &policy, &domains, org.span());
        self.in_two_directories(&mine, org.span());
        let mut names: Vec<DirectoryName> = mine.iter().map(|directory| directory.name.clone()).collect();
        names.sort_by_key(|name| Some(name) != policy.directory.as_ref());
        directories.extend(mine);
        let admins = self.emails(&org.admins);
        let auditors = self.emails(&org.auditors);
        self.mentioned.extend(admins.iter().chain(&auditors).cloned());
        DraftOrg {
            name,
            label,
            domains,
            directories: names,
            policy,
            policies,
            admins: bare(admins),
            auditors: bare(auditors),
        }
    }

    fn domains(&mut self, name: &OrgName, org: &Org) -> Vec<DomainName> {
        let mut domains = Vec::new();
        for written in each(&org.domains) {
            let Some(domain) = self.domain(written) else { continue };
            if let Some((_, other)) = self.claimed.iter().find(|(known, _)| *known == domain) {
                let what = if other == name {
                    format!("{domain} stands here twice")
                } else {
                    format!("{domain} is held by [org.{other}] already")
                };
                self.say.error(
                    Code::DomainTwice,
                    written.span(),
                    what,
                    "leave it in one place: a domain has one holder",
                );
                continue;
            }
            self.claimed.push((domain.clone(), name.clone()));
            domains.push(domain);
        }
        domains
    }

    fn domain(&mut self, written: &At<String>) -> Option<DomainName> {
        let text = written.as_str();
        let span = written.span();
        let Ok(domain) = DomainName::parse(text) else {
            let write = match text.strip_prefix("*.").or(text.strip_prefix('.')) {
                Some(rest) => {
                    format!("write each domain out: \"{rest}\", \"eu.{rest}\"; a sub-domain is another domain")
                }
                None => match text.rsplit_once('@') {
                    Some((_, domain)) => format!("write \"{domain}\""),
                    None => "write the part after the @ of its people's addresses: \"acme.com\"".into(),
                },
            };
            self.say.error(Code::Domain, span, format!("{text:?} is not a domain"), write);
            return None;
        };
        self.claimable(&domain, span).then_some(domain)
    }

    /// Nobody holds what belongs to many, whoever says so (rule C6e).
    fn claimable(&mut self, domain: &DomainName, span: Span) -> bool {
        let (what, write) = match claimable(domain) {
            Ok(()) => return true,
            Err(NotClaimable::PublicMail) => (
                format!("anybody gets an address at {domain}, so no organization speaks for it"),
                "write the company's own domains; single people go to product.NAME.allow.people".to_owned(),
            ),
            Err(NotClaimable::PublicSuffix) => (
                format!("{domain} is a public suffix: strangers register names below it"),
                format!("write the company's own name in it: \"acme.{domain}\""),
            ),
        };
        self.say.error(Code::Domain, span, what, write);
        false
    }

    fn directories(
        &mut self,
        org: &OrgName,
        label: &str,
        domains: &[DomainName],
        written: &Org,
    ) -> Vec<DraftDirectory> {
        if let (Some(sso), Some(_)) = (&written.sso, written.directory.0.first()) {
            let what = format!("[org.{org}] has `sso` and `directory.*`");
            let write = format!("`sso` is short for [org.{org}.directory.main]: move it there, or remove the other");
            self.say.error(Code::SsoAndDirectory, sso.span(), what, write);
        }
        let mut found = Vec::new();
        if let (Some(sso), None) = (&written.sso, written.directory.0.first()) {
            let place = format!("[org.{org}] sso");
            if let Ok(name) = DirectoryName::of_org(org.clone(), "main") {
                let whose = Whose { name, place: &place, label: label.to_owned(), domains: domains.to_vec() };
                found.extend(self.connection(whose, sso));
            }
        }
        for (name, connection) in &written.directory.0 {
            let Some(full) = self.name(name, |text| DirectoryName::of_org(org.clone(), text)) else { continue };
            let place = format!("[org.{org}.directory.{}]", name.as_str());
            let whose = Whose { name: full, place: &place, label: label.to_owned(), domains: domains.to_vec() };
            found.extend(self.connection(whose, connection));
        }
        found
    }

    /// What the file gives the organization stands before what its document adds. A directory that serves all of its domains
    /// there serves those that are added.
    fn add_below(&mut self, mine: &mut Vec<DraftDirectory>, domains: &[DomainName], span: Span) {
        for directory in mine.iter().filter(|own| self.below.iter().any(|below| below.name == own.name)) {
            let what = format!("the operator's file has the directory {} already", directory.name);
            self.say.error(Code::NameTwice, span.clone(), what, "give the new one another name");
        }
        let mut below = self.below.clone();
        for directory in &mut below {
            if self.below_domains.iter().all(|(domain, _)| directory.domains.contains(domain)) {
                directory.domains = domains.to_vec();
            }
        }
        mine.splice(0..0, below);
    }

    /// Third parties that a policy allows, where it says so.
    pub(super) fn third_parties(&mut self, policy: &Policy) -> Option<ThirdPartyRule> {
        let written = policy.third_party.as_ref()?;
        match written.0.as_slice() {
            [] => return Some(ThirdPartyRule::None),
            [one] if one.as_str() == "none" => return Some(ThirdPartyRule::None),
            [one] if one.as_str() == "any" => return Some(ThirdPartyRule::Any),
            _ => {}
        }
        let mut names = Vec::new();
        for written in &written.0 {
            match ThirdPartyName::parse(written) {
                Ok(name) if self.third_party_names.contains(&name) => names.push(name),
                _ => {
                    let what = format!("there is no [third_party.{}]", written.as_str());
                    let write = "write \"none\", \"any\", or a list of the NAMEs of [third_party.NAME]";
                    self.say.error(Code::Unknown, written.span(), what, write);
                }
            }
        }
        Some(ThirdPartyRule::Only(names))
    }

    /// Session limits of a policy or a product.
    pub(super) fn limits(&mut self, written: Option<&Session>) -> Limits {
        let Some(written) = written else { return DEFAULT_LIMITS };
        let default = |limit: Option<Duration>| limit.unwrap_or(Duration::MAX);
        let idle = self.duration(&written.idle, default(DEFAULT_LIMITS.idle));
        let absolute = self.duration(&written.absolute, default(DEFAULT_LIMITS.absolute));
        for (key, limit, written) in [("idle", idle, &written.idle), ("absolute", absolute, &written.absolute)] {
            if let (true, Some(written)) = (limit.is_zero(), written) {
                let what = format!("`{key}` of nothing ends a session before it begins");
                self.say.error(Code::Duration, written.span(), what, "write a duration: \"15m\", \"8h\", \"7d\"");
            }
        }
        Limits { idle: Some(idle), absolute: Some(absolute) }
    }

    /// A person uses one directory.
    fn in_two_directories(&mut self, directories: &[DraftDirectory], span: Span) {
        let mut seen: Vec<&EmailAddress> = Vec::new();
        for member in directories.iter().filter_map(|directory| directory.members.as_ref()).flatten() {
            if seen.contains(&member) {
                let what = format!("{member} is among the members of two directories");
                self.say.error(Code::Policy, span.clone(), what, "name everybody in one of them");
            }
            seen.push(member);
        }
    }

    /// Enforced single sign-on is satisfied by one directory (rule C2): people whom another one serves could not enter.
    fn two_directories(
        &mut self,
        org: &OrgName,
        policy: &DraftPolicy,
        domains: &[(DomainName, Option<DirectoryName>)],
        span: Span,
    ) {
        let stranded =
            domains.iter().filter(|(_, serving)| *serving != policy.directory).map(|(domain, _)| domain.to_string());
        let stranded: Vec<String> = stranded.collect();
        if let (Sso::Enforced, Some(directory), false) = (policy.sso, &policy.directory, stranded.is_empty()) {
            let what = format!("[org.{org}] enforces {directory}, which does not serve {}", stranded.join(", "));
            let write = "list these domains at that directory, or give their people an organization of their own";
            self.say.warning(Code::WTwoDirectories, span, what, write);
        }
    }
}
