//! `[org.NAME]`, its directories and its policy.

use super::{Anything, At, Connection, Named, OneOrMany, Text, Texts};
use schemars::JsonSchema;
use serde::Deserialize;

/// `[org.NAME]`: a customer organization.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Org {
    /// What people read. Default: the name with a capital letter.
    pub label: Text,
    /// Mail domains of its people, each written out; stated by the operator, so taken as verified.
    pub domains: Texts,
    /// Short for `[org.NAME.directory.main]`.
    pub sso: Option<At<Connection>>,
    /// Its directories: `[org.NAME.directory.NAME]`.
    pub directory: Named<Connection>,
    /// Its default policy.
    pub policy: Option<At<Policy>>,
    /// Further policies for some of its people; come in a later version.
    pub policies: Option<Anything>,
    /// Addresses of its administrators.
    pub admins: Texts,
    /// Addresses of its auditors.
    pub auditors: Texts,
}

/// `[org.NAME.policy]`: what an organization demands of its people.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Whether single sign-on is asked for. Default: `enforced` where the organization has a directory.
    #[schemars(extend("enum" = ["off", "offered", "enforced"]))]
    pub sso: Text,
    /// The directory that satisfies `sso`. Default: `main`, or the first one.
    pub directory: Text,
    /// How a stricter policy meets live sessions.
    pub on_change: Option<OnChange>,
    /// Session limits of its people.
    pub session: Option<Session>,
    /// `off` or `optional`; `required` comes in a later version.
    #[schemars(extend("enum" = ["off", "optional", "required"]))]
    pub second_step: Text,
    /// Values that the directory's proof must carry in `amr`, such as `mfa`.
    pub require_amr: Texts,
    /// Third parties that its people may use: `none` (default), `any`, or a list of names.
    pub third_party: Option<OneOrMany<At<String>>>,
    /// `block`; others come in a later version.
    pub api_tokens: Text,
    /// Networks that its people must come from; comes in a later version.
    pub networks: Texts,
    /// Emergency accounts; come in a later version.
    pub break_glass: Texts,
}

/// How a stricter policy meets live sessions.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OnChange {
    /// Sessions that no longer satisfy the policy end this long after the change. Default `15m`.
    pub grace: Text,
    /// Ends are spread over this span after the grace. Default `0m`.
    pub spread: Text,
}

/// Session limits, as durations: `8h`, `7d`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Session {
    /// Without a request for this long, a session ends. Default `24h`.
    pub idle: Text,
    /// It ends this long after the login, whatever happens. Default `7d`.
    pub absolute: Text,
    /// For native apps; comes in a later version.
    pub native: Text,
}
