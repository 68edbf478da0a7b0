//! `[product.NAME]`.

use super::bounds::ProductLimits;
use super::upstream::{Health, Timeouts, UpstreamTls};
use super::{At, Day, Named, OneOrMany, Session, Text, Texts, WordOr};
use schemars::JsonSchema;
use serde::Deserialize;

/// `[product.NAME]`: a product behind the gateway.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Product {
    /// What people read. Default: the name with a capital letter.
    pub label: Text,
    /// `#rrggbb` for its login pages.
    pub colour: Text,
    /// Public origins: the first is canonical, the others answer 308. Required.
    pub host: Option<OneOrMany<At<String>>>,
    /// Equal origins with cookies of their own.
    pub also: Texts,
    /// Where it is: `http://host:port`, `https://host`, `h2c://host:port`, `unix:/path` or `unix+h2c:/path`; of a list, each
    /// request goes to the one with the fewest under way. Required.
    pub upstream: Option<OneOrMany<At<String>>>,
    /// Host sent to the upstream. Default: the public one.
    pub upstream_host: Text,
    /// TLS to `https` upstreams.
    pub upstream_tls: Option<At<UpstreamTls>>,
    /// How long what may take.
    pub timeouts: Option<At<Timeouts>>,
    /// How large bodies may be, and how many requests may be under way.
    pub limits: Option<At<ProductLimits>>,
    /// Ask upstreams for their health; without it only their connections count.
    pub health: Option<At<Health>>,
    /// The upstream checks Fedgate-Assertion itself, so a network that others reach is no hole.
    pub verifies_assertion: Option<bool>,
    /// Who may enter: any of these. Default: managed people of the file's organizations.
    pub allow: Option<At<Allow>>,
    /// Who may get an account by logging in. Default `org`.
    #[schemars(extend("enum" = ["org", "open", "closed"]))]
    pub signup: Text,
    /// Says that `signup = "open"` without `allow` is meant: whoever proves any address enters.
    pub i_know_everyone_may_enter: Option<bool>,
    /// Session limits; a person's policy may be stricter.
    pub session: Option<Session>,
    /// Paths open to strangers, never any identity: `/healthz`, `/assets/*`.
    pub public: Texts,
    /// Paths open to strangers, identity added when there is a session.
    pub optional: Texts,
    /// Paths that ask for a proof of just now: a second step, a passkey, or a fresh login at the provider.
    pub step_up: Option<At<StepUp>>,
    /// The product's own login, logout, reset and sign-up pages, answered by the gateway.
    pub doors: Option<Doors>,
    /// `none` (default), or people have accounts of the product's own, with passwords that the gateway keeps (`here`) or the product
    /// itself, asked by its `adapter` (`product`). They are typed at the product's own host, and without `allow` its accounts decide
    /// who enters.
    #[schemars(extend("enum" = ["none", "here", "product"]))]
    pub passwords: Text,
    /// The product's account adapter, for `passwords = "product"`.
    pub adapter: Option<At<Adapter>>,
    /// The way from the product's own passwords to the one account, for `passwords = "here"` and `"product"`.
    pub migration: Option<At<Migration>>,
    /// The product's own JSON logins for apps: passed on unchanged for people who may log in by a password.
    pub password_api: Option<At<Vec<At<PasswordApi>>>>,
    /// The product's own apps that people install and log in with through the browser: `[[product.NAME.app]]`.
    pub app: Option<At<Vec<At<App>>>>,
    /// Companies that bought the product for their people, as the product knows them: `[[product.NAME.enterprise]]`. Who belongs to which
    /// is said by the import and the admin API.
    pub enterprise: Option<At<Vec<At<Enterprise>>>>,
    /// Identity fields besides the assertion: `"X-Forwarded-User" = "sub"`.
    pub headers: Named<String>,
    /// Says that mapping an address or a name is meant, though neither is an identity.
    pub i_know_email_is_not_identity: Option<bool>,
    /// CORS: origins whose preflights go to the product.
    pub origins: Texts,
    /// Other origins whose unsafe requests are accepted.
    pub accept_from: Texts,
    /// Where the product's own API tokens pass: of people whose policy says `api_tokens = "allow"`, once the adapter named the owner.
    pub api: Option<At<Api>>,
    /// Keep `Authorization` beside a session. Default false.
    pub keep_authorization: Option<bool>,
    /// The product logs connections in (NTLM, Negotiate): each session gets its own. Upstreams by HTTP/1.1 only. Default false.
    pub connection_auth: Option<At<bool>>,
    /// A proxy of your own forwards this product's requests and asks at `/.fedgate/auth` first; needs `trusted_proxies`. Default
    /// false.
    pub forward_auth: Option<At<bool>>,
    /// The domain that the product may set cookies for, or `off` (default).
    pub cookie_domain: Text,
    /// What is kept of a request that comes with a session that has just expired, until its person has logged in: `off`, or a
    /// size up to `25MiB`. Default `1MiB`.
    pub body_spool: Text,
    /// The product's release: what one release's page sent is never sent to another.
    pub version: Text,
    /// `{ grace = "2m" }` (default), or `"deny"`.
    pub on_store_outage: Option<At<WordOr<Outage>>>,
}

/// The product's account adapter: asked whether a password is right.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Adapter {
    /// Calls go below it: `URL/verify_password`. https, or http on this machine, or `unix:/path` of a socket. Required.
    pub url: Text,
    /// File with the key that signs calls and answers, at least 32 characters. Required, or `key_env`.
    pub key_file: Text,
    /// Environment variable with that key.
    pub key_env: Text,
    /// How long an answer is waited for, `1s` to `4s`; a wrong password is refused after exactly this time. Default `2s`.
    pub timeout: Text,
    /// https address of the product's own page for a new password, open to strangers.
    pub reset_url: Text,
}

/// Where requests with the product's own API tokens pass.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// Paths: exact, or below a prefix with `/*`. Required.
    pub paths: Texts,
    /// Who says whose token it is: `adapter`, which is asked `token_owner`. Required.
    #[schemars(extend("enum" = ["adapter"]))]
    pub owner: Text,
}

/// The way from the product's own passwords to the one account.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Migration {
    /// `off` (default): nobody moves but by a company that enforces single sign-on. `optional`: who logs in by the issuer or a third
    /// party moves, and people may ask to. `forced`: a password leads to the move and nowhere else.
    #[schemars(extend("enum" = ["off", "optional", "forced"]))]
    pub phase: Text,
    /// The last day of this phase, without quotes: `2026-12-31` means the end of that day, UTC.
    pub deadline: Option<At<Day>>,
    /// The phase after the deadline: `forced` (default) or `optional`; a later one than before.
    #[schemars(extend("enum" = ["optional", "forced"]))]
    pub then: Text,
    /// How long before the deadline people who still have a password are told of it by mail. Default `["30d", "7d", "1d"]`. Where a
    /// password ends, they are told once more when it has.
    pub remind: Texts,
}

/// An app of the product's own: an OAuth 2.0 client without a secret.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct App {
    /// Its `client_id`: a name. Required.
    pub id: Text,
    /// What people call it. Default: the id with a capital letter.
    pub label: Text,
    /// Where its answers go: `https://app.example.com/login` on a host that the app has claimed and that this gateway does not serve,
    /// `com.example.board:/login`, or `http://127.0.0.1/login` and `http://[::1]/login` on any port. Where another app could listen, the
    /// app must bind its tokens to a key (DPoP). Required.
    pub redirect: Texts,
}

/// A product's own enterprise: its admins say which of its members may enter this product, and nothing else of them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Enterprise {
    /// Its name. Required.
    pub name: Text,
    /// What people call it. Default: the name with a capital letter.
    pub label: Text,
    /// Addresses of its administrators: the first login with each takes the role up.
    pub admins: Texts,
    /// Whether accounts of its members may be merged into others of the same people. Default true.
    pub merging: Option<bool>,
}

/// A JSON login of the product's own, for its apps.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PasswordApi {
    /// The path that apps post to. Required.
    pub path: Text,
    /// Where the address stands in the body, as a JSON Pointer: `/user`. Required.
    pub email: Text,
    /// Where the password stands. Default `/password`.
    pub password: Text,
    /// How a refusal looks to the app.
    pub refuse: Option<At<ApiRefusal>>,
}

/// A refusal in the shape that an app knows.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ApiRefusal {
    /// 400 to 499. Default 401.
    pub status: Option<At<u16>>,
    /// JSON, with `{text}` inside a string where the sentence goes. Default `{"message":"{text}"}`.
    pub body: Text,
}

/// Who may enter: any of these.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Allow {
    /// People whom these organizations manage.
    pub orgs: Texts,
    /// People in these groups of their organization's directory.
    pub groups: Texts,
    /// These people, by proved address.
    pub people: Texts,
}

/// Paths that ask for a proof of just now.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StepUp {
    /// Each one path, or everything below one: `/billing`, `/admin/*`. Required.
    pub paths: Texts,
    /// How old the proof may be, from `1m` to `1d`. Default `10m`.
    pub within: Text,
}

/// The product's own doors.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Doors {
    /// Login pages.
    pub login: Texts,
    /// Logout.
    pub logout: Texts,
    /// Password reset.
    pub reset: Texts,
    /// Sign-up.
    pub signup: Texts,
}

/// What happens while the store is out.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Outage {
    /// Cached sessions stay for this long.
    pub grace: Text,
}
