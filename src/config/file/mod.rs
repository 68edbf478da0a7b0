//! What may be written: one struct per section, each value with its place.
//!
//! The doc comments are the descriptions of `fedgate schema`, and the schema is what the shape check compares a file with: a
//! key is known exactly when it stands here. Deliberately absent: meaning, defaults and cross-checks, which are in `resolve`.
//! Keys of later versions are here too, so that they get their own sentence and not "unknown key". To add a key: a field
//! here, its meaning in `resolve`, a line in `config/fedgate.example.toml`.

mod acme;
mod bounds;
mod day;
mod directory;
mod later;
mod org;
mod product;
mod server;
mod spanned;
mod upstream;

pub use acme::{Acme, ExternalAccount};
pub use bounds::{ClientTimeouts, ProductLimits};
pub use day::Day;
pub use directory::{ClaimNames, Connection, Oauth2, Scim, Signals};
pub use later::Anything;
pub use org::{Members, OnChange, Org, PasswordRules, Policy, Session};
pub use product::{Adapter, Allow, ApiRefusal, App, Doors, Enterprise, Migration, Outage, PasswordApi, Product};
pub use server::{Admin, Audit, CertPair, Dns, Languages, Listen, Log, Mail, Outbound, People, Saml, Sink, Store};
pub use spanned::{At, Named, OneOrMany, Span, WordOr};
pub use upstream::{Health, Timeouts, UpstreamTls};

use schemars::JsonSchema;
use serde::Deserialize;

/// A text and its place.
pub type Text = Option<At<String>>;

/// A list of texts and its place.
pub type Texts = Option<At<Vec<At<String>>>>;

/// fedgate.toml: the whole configuration of the gateway.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// The login host, a public origin: `id.example.com` or `id.example.com:8443`. Required.
    pub login: Text,
    /// Folder of the embedded database, keys, certificates and logs. Default `/var/lib/fedgate`.
    pub state: Text,
    /// File with the key that seals keys in the store. Default `kek` in the state folder.
    pub key_file: Text,
    /// Environment variable with that key, instead of `key_file`.
    pub key_env: Text,
    /// File with the key that is to follow it: what either sealed opens, and `fedgate keys rotate --kek` seals everything anew. Default none.
    pub next_key_file: Text,
    /// Environment variable with that key, instead of `next_key_file`.
    pub next_key_env: Text,
    /// Another configuration file, in shadow: what it would decide about each login is recorded beside what is decided, and changes
    /// nothing. `fedgate policy shadow` reports.
    pub shadow: Text,
    /// Where to listen, and TLS.
    pub listen: Option<At<Listen>>,
    /// Whom certificates are ordered from.
    pub acme: Option<At<Acme>>,
    /// What is durable, and where.
    pub store: Option<Store>,
    /// Logs.
    pub log: Option<Log>,
    /// Who operates the gateway.
    pub admin: Option<Admin>,
    /// The account that people have everywhere.
    pub issuer: Option<At<Connection>>,
    /// More ways to log in, where a policy allows them: `[third_party.NAME]`.
    pub third_party: Named<Connection>,
    /// Products behind the gateway: `[product.NAME]`.
    pub product: Named<Product>,
    /// Organizations: `[org.NAME]`.
    pub org: Named<Org>,
    /// People whom no organization manages.
    pub people: Option<People>,
    /// What people read.
    pub languages: Option<At<Languages>>,
    /// Outgoing mail.
    pub mail: Option<At<Mail>>,
    /// Name servers.
    pub dns: Option<Dns>,
    /// Responses of SAML providers.
    pub saml: Option<Saml>,
    /// Requests that the gateway makes to providers.
    pub outbound: Option<Outbound>,
    /// Where audit events go besides the store.
    pub audit: Option<Audit>,
}
