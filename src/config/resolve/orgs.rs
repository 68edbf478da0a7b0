//! Organizations: domains, directories, policy.

use super::connections::Whose;
use super::values::{each, label_of, text};
use super::{DEFAULT_LIMITS, Reader};
use crate::config::draft::{DraftDirectory, DraftOrg, DraftPolicy};
use crate::config::file::{At, File, OnChange as WrittenOnChange, Org, Policy, Session, Span};
use crate::config::finding::Code;
use crate::kernel::model::{Limits, OnChange, Sso, ThirdPartyRule};
use crate::kernel::values::{DirectoryName, DomainName, EmailAddress, OrgName, ThirdPartyName};
use std::time::Duration;

/// Domains whose mailboxes anybody gets: an organization that held one would speak for strangers (rule C6e).
const PUBLIC_MAIL: [&str; 40] = [
    "126.com",
    "163.com",
    "aol.com",
    "att.net",
    "bluewin.ch",
    "comcast.net",
    "fastmail.com",
    "free.fr",
    "freenet.de",
    "gmail.com",
    "gmx.at",
    "gmx.ch",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hey.com",
    "hotmail.com",
    "hotmail.fr",
    "icloud.com",
    "laposte.net",
    "libero.it",
    "live.com",
    "mac.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "orange.fr",
    "outlook.com",
    "pm.me",
    "posteo.de",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "t-online.de",
    "web.de",
    "yahoo.com",
    "yandex.ru",
    "zoho.com",
];

impl Reader<'_> {
    /// All of them; their directories are added to `directories`.
    pub(super) fn orgs(&mut self, file: &File, directories: &mut Vec<DraftDirectory>) -> Vec<DraftOrg> {
        let mut orgs = Vec::new();
        for (name, org) in &file.org.0 {
            let Some(org_name) = self.name(name, OrgName::parse) else { continue };
            if let Some((third, _)) = file.third_party.0.iter().find(|(third, _)| third.as_str() == name.as_str()) {
                let what = format!("[org.{0}] and [third_party.{0}] would share /login/callback/{0}", third.as_str());
                self.say.error(Code::NameTwice, name.span(), what, "give one of them another name");
            }
            orgs.push(self.org(org_name, org, directories));
        }
        orgs
    }

    fn org(&mut self, name: OrgName, org: &At<Org>, directories: &mut Vec<DraftDirectory>) -> DraftOrg {
        let label = self.label(&org.label, || label_of(name.as_str()));
        let domains = self.domains(&name, org);
        let mut mine = self.directories(&name, &label, &domains, org);
        self.add_below(&mut mine, &domains, org.span());
        if let Some(policies) = &org.policies {
            self.say.not_yet(policies.span(), "org.NAME.policies", "write one [org.NAME.policy] for all of its people");
        }
        let policy = self.policy(&name, org, &mine);
        if domains.is_empty() && !mine.is_empty() && !self.misshapen {
            let what = format!("[org.{name}] has a directory and no domains: nobody is sent to it");
            let write = "write domains = [\"acme.com\"], the part after the @ of its people's addresses";
            self.say.warning(Code::WNoEffect, org.span(), what, write);
        }
        let domains = domains.into_iter().map(|domain| {
            let mut serving = mine.iter().filter(|directory| directory.domains.contains(&domain));
            // Where several serve a domain, it is the one that the policy names (rule C2), whatever their order in the file.
            let named = serving.clone().find(|directory| Some(&directory.name) == policy.directory.as_ref());
            let directory = named.or_else(|| serving.next()).map(|directory| directory.name.clone());
            (domain, directory)
        });
        let domains: Vec<_> = domains.collect();
        self.two_directories(&name, &policy, &domains, org.span());
        let mut names: Vec<DirectoryName> = mine.iter().map(|directory| directory.name.clone()).collect();
        names.sort_by_key(|name| Some(name) != policy.directory.as_ref());
        directories.extend(mine);
        let admins = self.emails(&org.admins);
        let auditors = self.emails(&org.auditors);
        self.mentioned.extend(admins.iter().chain(&auditors).cloned());
        let addresses = |list: Vec<(EmailAddress, Span)>| list.into_iter().map(|(address, _)| address).collect();
        DraftOrg {
            name,
            label,
            domains,
            directories: names,
            policy,
            admins: addresses(admins),
            auditors: addresses(auditors),
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
        if PUBLIC_MAIL.contains(&domain.as_str()) {
            let what = format!("anybody gets an address at {domain}, so no organization speaks for it");
            self.say.error(
                Code::Domain,
                span,
                what,
                "write the company's own domains; single people go to product.NAME.allow.people",
            );
            return None;
        }
        if psl::domain(domain.as_str().as_bytes()).is_none() {
            let what = format!("{domain} is a public suffix: strangers register names below it");
            self.say.error(Code::Domain, span, what, format!("write the company's own name in it: \"acme.{domain}\""));
            return None;
        }
        Some(domain)
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

    fn policy(&mut self, org: &OrgName, written: &Org, directories: &[DraftDirectory]) -> DraftPolicy {
        let absent = Policy::default();
        let (policy, span) = match &written.policy {
            Some(policy) => (&**policy, policy.span()),
            None => (&absent, 0..0),
        };
        self.policy_later(policy);
        let directory = self.policy_directory(org, policy, directories);
        let has_one = written.sso.is_some() || !written.directory.0.is_empty() || !self.below.is_empty();
        let sso = match text(&policy.sso) {
            Some("off") => Sso::Off,
            Some("offered") => Sso::Offered,
            Some(_) => Sso::Enforced,
            None if has_one => Sso::Enforced,
            None => Sso::Off,
        };
        if sso != Sso::Off && !has_one {
            let what = format!("[org.{org}.policy] asks for single sign-on, and the organization has no directory");
            self.say.error(
                Code::Policy,
                span,
                what,
                format!("write sso = {{ oidc = \"…\", … }} in [org.{org}], or sso = \"off\" here"),
            );
        }
        let unwritten = WrittenOnChange::default();
        let on_change = policy.on_change.as_ref().unwrap_or(&unwritten);
        DraftPolicy {
            sso,
            directory,
            limits: self.limits(policy.session.as_ref()),
            third_party: self.third_parties(policy),
            require_amr: each(&policy.require_amr).map(|value| value.to_string()).collect(),
            on_change: OnChange {
                grace: self.duration(&on_change.grace, Duration::from_secs(15 * 60)),
                spread: self.duration(&on_change.spread, Duration::ZERO),
            },
        }
    }

    fn policy_later(&mut self, policy: &Policy) {
        self.second_step(&policy.second_step);
        if let Some(tokens) = policy.api_tokens.as_ref().filter(|word| word.as_str() != "block") {
            self.say.not_yet(tokens.span(), "api_tokens", "write api_tokens = \"block\"");
        }
        self.empty(&policy.networks, "networks", "write networks = []");
        self.empty(&policy.break_glass, "break_glass", "write break_glass = []");
    }

    fn policy_directory(
        &mut self,
        org: &OrgName,
        policy: &Policy,
        directories: &[DraftDirectory],
    ) -> Option<DirectoryName> {
        let named = |wanted: &str| {
            directories.iter().find(|d| matches!(&d.name, DirectoryName::Org(_, name) if name == wanted))
        };
        let found = match &policy.directory {
            Some(written) => {
                let found = named(written);
                if found.is_none() && !self.misshapen {
                    let what = format!("[org.{org}] has no directory {:?}", written.as_str());
                    self.say.error(
                        Code::Unknown,
                        written.span(),
                        what,
                        format!("write the NAME of an [org.{org}.directory.NAME]"),
                    );
                }
                found
            }
            None => named("main").or(directories.first()),
        };
        found.map(|directory| directory.name.clone())
    }

    fn third_parties(&mut self, policy: &Policy) -> ThirdPartyRule {
        let Some(written) = &policy.third_party else { return ThirdPartyRule::None };
        match written.0.as_slice() {
            [] => return ThirdPartyRule::None,
            [one] if one.as_str() == "none" => return ThirdPartyRule::None,
            [one] if one.as_str() == "any" => return ThirdPartyRule::Any,
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
        ThirdPartyRule::Only(names)
    }

    /// Session limits of a policy or a product.
    pub(super) fn limits(&mut self, written: Option<&Session>) -> Limits {
        let Some(written) = written else { return DEFAULT_LIMITS };
        if let Some(native) = &written.native {
            self.say.not_yet(native.span(), "session.native", "remove it: native apps have no sessions of their own");
        }
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
