//! Authentication policies of organizations.

use crate::kernel::values::{DirectoryId, EmailAddress, Network, OrgName, PolicyName, ThirdPartyName, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// What an organization demands of its people, or of some of them.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Whose.
    pub org: OrgName,
    /// `default`, or the name of a policy for some of its people.
    pub name: PolicyName,
    /// Whether single sign-on is asked for.
    pub sso: Sso,
    /// The one directory that satisfies `sso` (rule C2). None in a policy for some people that names none: the domain's.
    pub directory: Option<DirectoryId>,
    /// Session limits for its people; the product's may be stricter.
    pub limits: Limits,
    /// How long a native app of theirs stays logged in, whatever happens; none: as `limits`.
    pub native: Option<Duration>,
    /// How long a personal token of theirs lives at most; none: as its product says.
    pub token: Option<Duration>,
    /// Which third parties its people may use.
    pub third_party: ThirdPartyRule,
    /// Values that the directory's proof must carry in `amr`.
    pub require_amr: Vec<String>,
    /// Our own second step, for people whom its directory does not prove.
    pub second_step: SecondStep,
    /// What local passwords of its people must be.
    pub password: PasswordRule,
    /// Whether API tokens of its people pass: a product's own (rule C7), and those that they make here.
    pub api_tokens: ApiTokens,
    /// Where its people must come from, at each request (rule M29); empty: from anywhere.
    pub networks: Vec<Network>,
    /// Whom `/login/emergency` lets in although single sign-on is enforced, once they enrolled for it (rule H3).
    pub break_glass: Vec<EmailAddress>,
    /// How a stricter policy meets live sessions.
    pub on_change: OnChange,
    /// When what it demands last changed.
    pub changed_at: Timestamp,
    /// Since when each thing that it demands of live sessions has been demanded without a break, by its name
    /// ([`demand`]): the grace of `on_change` counts from there, so that a second change does not restart that of the first. What is
    /// not in it: since `changed_at`.
    pub since: Since,
    /// Raised with each change; stands in audit events.
    pub epoch: u32,
}

/// Since when each demand has held, by its name.
pub type Since = BTreeMap<String, Timestamp>;

/// Names of what a policy can demand of live sessions.
pub mod demand {
    /// Single sign-on.
    pub const SSO: &str = "sso";
    /// Our own second step.
    pub const SECOND_STEP: &str = "second_step";
    /// No third parties but those listed; the list follows, so that another list is another demand.
    pub const THIRD_PARTY: &str = "third_party";

    /// This directory and no other.
    pub fn directory(name: &crate::kernel::values::DirectoryName) -> String {
        format!("directory {name}")
    }

    /// This value in `amr`.
    pub fn amr(value: &str) -> String {
        format!("amr {value}")
    }
}

impl Policy {
    /// Since when a demand has held.
    pub fn since(&self, demand: &str) -> Timestamp {
        self.since.get(demand).copied().unwrap_or(self.changed_at)
    }
}

/// Single sign-on: off → offered → enforced.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Sso {
    /// Not used.
    Off,
    /// The organization's button first; other ways still work.
    Offered,
    /// Only the policy's directory opens an account.
    Enforced,
}

/// Limits of a session. `None` means that this side sets no limit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Limits {
    /// Without a request of the person for this long, it ends.
    pub idle: Option<Duration>,
    /// It ends this long after the proof, whatever happens.
    pub absolute: Option<Duration>,
}

/// Which third parties may be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ThirdPartyRule {
    /// None of them.
    None,
    /// Any configured one.
    Any,
    /// These.
    Only(Vec<ThirdPartyName>),
}

/// How a stricter policy meets live sessions that would not satisfy it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnChange {
    /// They end. Shortened limits bite at once, whatever the grace.
    After {
        /// This long after the change. Default 15 min; `immediate` is nothing.
        grace: Duration,
        /// Ends are spread evenly over this span after the grace. Default none.
        spread: Duration,
    },
    /// They go on to their own end, on the limits that they were made with.
    NextLogin,
}

impl OnChange {
    /// They end at once.
    pub const IMMEDIATE: Self = Self::After { grace: Duration::ZERO, spread: Duration::ZERO };

    /// The stricter of both: nobody goes on for longer than either allows.
    #[must_use]
    pub fn sooner(self, other: Self) -> Self {
        match (self, other) {
            (Self::After { grace, spread }, Self::After { grace: other, spread: over }) => {
                Self::After { grace: grace.min(other), spread: spread.min(over) }
            }
            (Self::NextLogin, one) | (one, Self::NextLogin) => one,
        }
    }
}

impl Default for OnChange {
    /// A grace of 15 minutes.
    fn default() -> Self {
        Self::After { grace: Duration::from_secs(15 * 60), spread: Duration::ZERO }
    }
}

/// Our own second step: a code of an app, a passkey, a recovery code. Ordered by what is asked.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum SecondStep {
    /// Not asked for at a login. An enrolled one still is at a reset, a link and the like (rule H1).
    Off,
    /// Asked of who enrolled one.
    #[default]
    Optional,
    /// Asked of everybody.
    Required,
}

/// What a local password must be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PasswordRule {
    /// The least score of zxcvbn, 0 to 4. Default 3.
    pub min_score: u8,
    /// How long after it was set a new one is asked for. Default never.
    pub expire: Option<Duration>,
}

impl PasswordRule {
    /// The stricter of both, limit by limit.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        let expire = self.expire.into_iter().chain(other.expire).min();
        Self { min_score: self.min_score.max(other.min_score), expire }
    }
}

impl Default for PasswordRule {
    fn default() -> Self {
        Self { min_score: 3, expire: None }
    }
}

/// Whether API tokens pass for people of a policy.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ApiTokens {
    /// They do not.
    #[default]
    Block,
    /// A product's own, on the paths that the product declares; those made here, where the product takes them.
    Allow,
}

/// What is demanded of people whom no organization manages: `[people]`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PeoplePolicy {
    /// What local passwords must be.
    pub password: PasswordRule,
    /// Our own second step.
    pub second_step: SecondStep,
}

/// A policy for some people of an organization.
#[derive(Clone, Debug)]
pub struct NamedPolicy {
    /// For whom.
    pub members: Members,
    /// What it demands.
    pub policy: Policy,
}

/// For whom a policy is: any of these.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Members {
    /// People with one of these addresses, proved.
    pub people: Vec<EmailAddress>,
    /// People in one of these groups, as a directory of the organization asserts them. Who has not been asserted yet may be in
    /// any: such a policy may only be stricter than the default one (rule H4).
    pub groups: Vec<String>,
}
