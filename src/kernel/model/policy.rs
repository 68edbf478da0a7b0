//! Authentication policies of organizations.

use crate::kernel::values::{DirectoryId, OrgName, ThirdPartyName, Timestamp};
use std::time::Duration;

/// What an organization demands of its people. The default policy of an organization; member sets come later.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Whose.
    pub org: OrgName,
    /// Whether single sign-on is asked for.
    pub sso: Sso,
    /// The one directory that satisfies `sso` (rule C2).
    pub directory: Option<DirectoryId>,
    /// Session limits for its people; the product's may be stricter.
    pub limits: Limits,
    /// Which third parties its people may use.
    pub third_party: ThirdPartyRule,
    /// Values that the directory's proof must carry in `amr`.
    pub require_amr: Vec<String>,
    /// How a stricter policy meets live sessions.
    pub on_change: OnChange,
    /// When `sso`, `directory` or `third_party` last changed; the grace of `on_change` counts from here.
    pub changed_at: Timestamp,
    /// Raised with each change; stands in audit events.
    pub epoch: u32,
}

/// Single sign-on: off → offered → enforced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
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

/// How a stricter policy meets live sessions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OnChange {
    /// Sessions that no longer satisfy the policy end this long after the change. Default 15 min.
    pub grace: Duration,
    /// Ends are spread evenly over this span after the grace. Default none.
    pub spread: Duration,
}
