//! `[org.NAME]`, its directories and its policy.

use super::{At, Connection, Named, OneOrMany, Text, Texts, WordOr};
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
    /// Policies for some of its people: `[org.NAME.policies.NAME]`, each with `members`. The first that a person is among, in the
    /// file's order, stands before the default policy; what is not written in it is as there.
    pub policies: Named<Policy>,
    /// Addresses of its administrators.
    pub admins: Texts,
    /// Addresses of its auditors.
    pub auditors: Texts,
}

/// `[org.NAME.policy]`: what an organization demands of its people; `[org.NAME.policies.NAME]`: of some of them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// For whom: only, and always, in `[org.NAME.policies.NAME]`.
    pub members: Option<At<Members>>,
    /// Whether single sign-on is asked for. Default: `enforced` where the organization has a directory.
    #[schemars(extend("enum" = ["off", "offered", "enforced"]))]
    pub sso: Text,
    /// The directory that satisfies `sso`. Default: `main`, or the first one.
    pub directory: Text,
    /// How a stricter policy meets live sessions: `immediate`, `{ grace = "15m", spread = "0m" }` (default), or `next_login`.
    /// Shortened limits bite at once, except with `next_login`.
    pub on_change: Option<At<WordOr<OnChange>>>,
    /// Session limits of its people.
    pub session: Option<Session>,
    /// Our own second step, for people without single sign-on: `off`, `optional` (default) or `required`. With single sign-on,
    /// `require_amr` asks the directory for one.
    #[schemars(extend("enum" = ["off", "optional", "required"]))]
    pub second_step: Text,
    /// Values that the directory's proof must carry in `amr`, such as `mfa`.
    pub require_amr: Texts,
    /// Third parties that its people may use: `none` (default), `any`, or a list of names.
    pub third_party: Option<OneOrMany<At<String>>>,
    /// Whether a product's own API tokens of its people pass: `block` (default) or `allow`, on paths that the product declares.
    #[schemars(extend("enum" = ["block", "allow"]))]
    pub api_tokens: Text,
    /// Networks that its people must come from, at each request: `["10.0.0.0/8"]`. Default: any.
    pub networks: Texts,
    /// Addresses of people whom `/login/emergency` lets in although single sign-on is enforced, once they enrolled for it.
    pub break_glass: Texts,
    /// What local passwords of its people must be. Default: as `[people]`.
    pub password: Option<PasswordRules>,
}

/// For whom a policy is: any of these.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Members {
    /// Addresses.
    pub people: Texts,
    /// Groups, as the organization's directory asserts them. Who has not come by it yet may be in any, so the policy holds for them
    /// too, and may only be stricter than the default one.
    pub groups: Texts,
}

/// What local passwords must be.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PasswordRules {
    /// The least strength, 0 to 4 as zxcvbn scores it. Default 3.
    pub min_score: Option<At<u8>>,
    /// How long after it was set a new one is asked for: `never` (default), or a duration.
    pub expire: Text,
    /// `[people]` only, for everybody: a file of breached passwords that nobody may choose, a SHA-1 digest a line, sorted.
    pub breached_file: Text,
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
    /// How long the products' own apps stay logged in after their person authenticated, used or not. Default: as above.
    pub native: Text,
    /// How long personal API tokens may live, at most 365 days. A product that says nothing takes none; a policy that says nothing leaves it
    /// to the product.
    pub token: Text,
}
