//! Policies: an organization's default one, those for some of its people, and what holds for people whom nobody manages.

use super::values::{each, text};
use super::{DEFAULT_LIMITS, Reader};
use crate::config::draft::{DraftDirectory, DraftPolicy};
use crate::config::file::{
    At, File, Members as WrittenMembers, OnChange as WrittenOnChange, Org, PasswordRules, Policy,
};
use crate::config::file::{Session, Text, WordOr};
use crate::config::finding::Code;
use crate::kernel::model::{ApiTokens, Members, OnChange, PasswordRule, PeoplePolicy, SecondStep, Sso, ThirdPartyRule};
use crate::kernel::values::{DirectoryName, EmailAddress, OrgName, PolicyName};
use crate::orgs::strict::looser;
use std::path::PathBuf;
use std::time::Duration;

/// Whose policies are read.
pub(super) struct Policies<'a> {
    pub org: &'a OrgName,
    pub written: &'a Org,
    pub directories: &'a [DraftDirectory],
}

impl Reader<'_> {
    /// `[people]`.
    pub(super) fn people(&mut self, file: &File) -> PeoplePolicy {
        let Some(people) = &file.people else { return PeoplePolicy::default() };
        let password = self.password_rule(people.password.as_ref(), PasswordRule::default());
        PeoplePolicy { password, second_step: second_step(&people.second_step).unwrap_or_default() }
    }

    /// `[org.NAME.policy]`, or what holds without it.
    pub(super) fn default_policy(&mut self, of: &Policies<'_>, people: &PeoplePolicy) -> DraftPolicy {
        let has_one = of.written.sso.is_some() || !of.written.directory.0.is_empty();
        let base = self.below_policy.clone().unwrap_or_else(|| DraftPolicy {
            name: PolicyName::default(),
            // At run time nothing is enforced that is not written: an operator has another way in, an organization may not.
            sso: if has_one && !self.at_run_time { Sso::Enforced } else { Sso::Off },
            directory: first_directory(of.directories),
            limits: DEFAULT_LIMITS,
            native: None,
            token: None,
            third_party: ThirdPartyRule::None,
            require_amr: Vec::new(),
            second_step: SecondStep::default(),
            password: people.password,
            api_tokens: ApiTokens::default(),
            networks: Vec::new(),
            break_glass: Vec::new(),
            on_change: OnChange::default(),
        });
        let Some(policy) = &of.written.policy else { return base };
        if let Some(members) = &policy.members {
            let what =
                format!("[org.{}.policy] is the default policy: it is for everybody whom no other one names", of.org);
            let write = format!("write `members` in [org.{}.policies.NAME]", of.org);
            self.say.error(Code::TwoDefaults, members.span(), what, write);
        }
        self.policy(of, base, policy)
    }

    /// `[org.NAME.policies.NAME]`, in the file's order: what is not written in one is as in the default policy.
    pub(super) fn named_policies(&mut self, of: &Policies<'_>, default: &DraftPolicy) -> Vec<(Members, DraftPolicy)> {
        let mut found = Vec::new();
        for (name, written) in &of.written.policies.0 {
            let Some(policy_name) = self.name(name, PolicyName::parse) else { continue };
            if policy_name.is_default() {
                let what =
                    format!("[org.{0}.policy] is the default policy of [org.{0}], and has no second one", of.org);
                self.say.error(Code::TwoDefaults, name.span(), what, "give this one another name, and `members`");
                continue;
            }
            let base = DraftPolicy { name: policy_name, directory: None, ..default.clone() };
            let policy = self.policy(of, base, written);
            let Some(members) = self.members(of, written) else { continue };
            self.only_stricter(of, default, &policy, (&members, written));
            found.push((members, policy));
        }
        found
    }

    /// A policy: `base`, and what is written over it.
    fn policy(&mut self, of: &Policies<'_>, base: DraftPolicy, written: &At<Policy>) -> DraftPolicy {
        let sso = match text(&written.sso) {
            Some("off") => Sso::Off,
            Some("offered") => Sso::Offered,
            Some(_) => Sso::Enforced,
            None => base.sso,
        };
        self.has_a_directory(of, sso, written);
        let (limits, native, token) = match &written.session {
            Some(session) => {
                (self.limits(Some(session)), self.native(session, base.native), self.token(session, base.token))
            }
            None => (base.limits, base.native, base.token),
        };
        DraftPolicy {
            sso,
            directory: self.policy_directory(of, &written.directory).or(base.directory),
            limits,
            native,
            token,
            third_party: self.third_parties(written).unwrap_or(base.third_party),
            require_amr: match &written.require_amr {
                Some(values) => values.iter().map(|value| value.to_string()).collect(),
                None => base.require_amr,
            },
            second_step: second_step(&written.second_step).unwrap_or(base.second_step),
            password: self.password_rule_of_org(written.password.as_ref(), base.password),
            api_tokens: Self::api_tokens(&written.api_tokens, base.api_tokens),
            networks: if written.networks.is_some() { self.networks(&written.networks) } else { base.networks },
            break_glass: if written.break_glass.is_some() { self.break_glass(of, written) } else { base.break_glass },
            on_change: written.on_change.as_ref().map_or(base.on_change, |word| self.on_change(word)),
            name: base.name,
        }
    }

    fn api_tokens(written: &Text, base: ApiTokens) -> ApiTokens {
        match written {
            Some(word) if word.as_str() == "allow" => ApiTokens::Allow,
            // The schema has refused every other word but `block`.
            Some(_) => ApiTokens::Block,
            None => base,
        }
    }

    fn has_a_directory(&mut self, of: &Policies<'_>, sso: Sso, written: &At<Policy>) {
        let has_one = of.written.sso.is_some() || !of.written.directory.0.is_empty() || !self.below.is_empty();
        if sso != Sso::Off && !has_one {
            let what =
                format!("a policy of [org.{}] asks for single sign-on, and the organization has no directory", of.org);
            let write = format!("write sso = {{ oidc = \"…\", … }} in [org.{}], or sso = \"off\" here", of.org);
            self.say.error(Code::Policy, written.span(), what, write);
        }
    }

    fn on_change(&mut self, written: &At<WordOr<WrittenOnChange>>) -> OnChange {
        match &**written {
            WordOr::Word(word) if word == "immediate" => OnChange::IMMEDIATE,
            WordOr::Word(word) if word == "next_login" => OnChange::NextLogin,
            WordOr::Table(table) => OnChange::After {
                grace: self.duration(&table.grace, Duration::from_secs(15 * 60)),
                spread: self.duration(&table.spread, Duration::ZERO),
            },
            WordOr::Word(_) | WordOr::List(_) => {
                let what = "on_change is a word or a table";
                let write = "write \"immediate\", \"next_login\", or { grace = \"15m\", spread = \"0m\" }";
                self.say.error(Code::Value, written.span(), what, write);
                OnChange::IMMEDIATE
            }
        }
    }

    /// Who is let in by emergency is somebody whom the organization manages: nobody else is under its policy.
    fn break_glass(&mut self, of: &Policies<'_>, written: &Policy) -> Vec<EmailAddress> {
        let listed = self.emails(&written.break_glass);
        let mut found = Vec::new();
        for (address, span) in listed {
            let own = self.claimed.iter().any(|(domain, org)| domain == address.domain() && org == of.org);
            if own {
                found.push(address);
            } else {
                let what = format!("{address} is in no domain of [org.{}]: its policy is not asked about it", of.org);
                self.say.error(Code::Policy, span, what, "write an address in one of its `domains`");
            }
        }
        found
    }

    fn members(&mut self, of: &Policies<'_>, written: &At<Policy>) -> Option<Members> {
        let listed = written.members.as_ref();
        let people = listed.map(|members: &At<WrittenMembers>| self.emails(&members.people)).unwrap_or_default();
        let groups: Vec<String> =
            listed.map(|m| each(&m.groups).map(|group| group.to_string()).collect()).unwrap_or_default();
        if people.is_empty() && groups.is_empty() {
            if !self.misshapen {
                let what =
                    format!("this policy of [org.{}] is for nobody: the default one holds for everybody else", of.org);
                let write = "write members = { people = [\"ann@acme.com\"] } or members = { groups = [\"pilot\"] }";
                self.say.error(Code::TwoDefaults, written.span(), what, write);
            }
            return None;
        }
        self.mentioned.extend(people.iter().cloned());
        Some(Members { people: people.into_iter().map(|(address, _)| address).collect(), groups })
    }

    /// Who puts people into groups must not be able to put them out of a rule (rule H4).
    fn only_stricter(
        &mut self,
        of: &Policies<'_>,
        default: &DraftPolicy,
        policy: &DraftPolicy,
        (members, written): (&Members, &At<Policy>),
    ) {
        // Which directory satisfies it is not stricter or looser.
        let key = looser(default, policy).map(|key| key.name).find(|key| *key != "directory");
        let Some(key) = key.filter(|_| !members.groups.is_empty()) else { return };
        let what = format!(
            "`{key}` here is looser than in [org.{}.policy], and its members come from groups: whoever names groups could lift the rule",
            of.org
        );
        let write = "write it as strict as there, or name its members by `people`";
        self.say.error(Code::LooseGroup, written.span(), what, write);
    }

    fn password_rule_of_org(&mut self, written: Option<&PasswordRules>, base: PasswordRule) -> PasswordRule {
        if let Some(file) = written.and_then(|written| written.breached_file.as_ref()) {
            let write = "write it in [people] password: one list is for everybody";
            self.say.not_yet(file.span(), "breached_file of an organization", write);
        }
        self.password_rule(written, base)
    }

    /// The list of breached passwords, opened when the gateway starts.
    pub(super) fn breached(&self, file: &File) -> Option<PathBuf> {
        let written = file.people.as_ref()?.password.as_ref()?.breached_file.as_ref()?;
        Some(self.path_of(written))
    }

    fn password_rule(&mut self, written: Option<&PasswordRules>, base: PasswordRule) -> PasswordRule {
        let Some(written) = written else { return base };
        let min_score = match &written.min_score {
            Some(score) if **score > 4 => {
                let what = format!("{} is no score: they go from 0 to 4", **score);
                self.say.error(Code::Limit, score.span(), what, "write min_score = 3");
                base.min_score
            }
            Some(score) => **score,
            None => base.min_score,
        };
        let expire = match text(&written.expire) {
            Some("never") => None,
            Some(_) => Some(self.positive("expire", &written.expire)),
            None => base.expire,
        };
        PasswordRule { min_score, expire }
    }

    pub(super) fn native(&mut self, written: &Session, base: Option<Duration>) -> Option<Duration> {
        written.native.is_some().then(|| self.positive("native", &written.native)).or(base)
    }

    pub(super) fn token(&mut self, written: &Session, base: Option<Duration>) -> Option<Duration> {
        written.token.is_some().then(|| self.positive("token", &written.token)).or(base)
    }

    /// A duration that is something.
    fn positive(&mut self, key: &str, written: &Text) -> Duration {
        let span = self.duration(written, Duration::MAX);
        if let (true, Some(written)) = (span.is_zero(), written) {
            let what = format!("`{key}` of nothing ends before it begins");
            self.say.error(Code::Duration, written.span(), what, "write a duration: \"8h\", \"30d\"");
        }
        span
    }

    fn policy_directory(&mut self, of: &Policies<'_>, written: &Text) -> Option<DirectoryName> {
        let written = written.as_ref()?;
        let found = named(of.directories, written);
        if found.is_none() && !self.misshapen {
            let what = format!("[org.{}] has no directory {:?}", of.org, written.as_str());
            let write = format!("write the NAME of an [org.{}.directory.NAME]", of.org);
            self.say.error(Code::Unknown, written.span(), what, write);
        }
        found
    }
}

/// The directory that stands where a policy names none: `main`, or the first one.
fn first_directory(directories: &[DraftDirectory]) -> Option<DirectoryName> {
    let of_all = || directories.iter().find(|directory| directory.members.is_none()).or(directories.first());
    named(directories, "main").or_else(|| of_all().map(|directory| directory.name.clone()))
}

fn named(directories: &[DraftDirectory], wanted: &str) -> Option<DirectoryName> {
    let is = |directory: &&DraftDirectory| matches!(&directory.name, DirectoryName::Org(_, name) if name == wanted);
    directories.iter().find(is).map(|directory| directory.name.clone())
}

fn second_step(written: &Text) -> Option<SecondStep> {
    match text(written)? {
        "off" => Some(SecondStep::Off),
        "required" => Some(SecondStep::Required),
        _ => Some(SecondStep::Optional),
    }
}
