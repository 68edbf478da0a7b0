//! Sections about the gateway itself: `[listen]`, `[store]`, `[log]`, `[admin]`, `[people]`, `[mail]`, `[dns]`, `[outbound]`,
//! `[[audit.sink]]`.

use super::{At, ClientTimeouts, PasswordRules, Text, Texts, WordOr};
use schemars::JsonSchema;
use serde::Deserialize;

/// `[listen]`: listening addresses and TLS. A change needs a restart.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// Address for TLS, or `off`. Default `0.0.0.0:443`.
    pub https: Text,
    /// Address that redirects to https, or `off`. Default `0.0.0.0:80`.
    pub http: Text,
    /// Address for plain HTTP behind someone else's TLS, or `off`; needs `trusted_proxies`. Default `off`.
    pub plain: Text,
    /// Address of `/metrics`, `/healthz` and `/readyz`, or `off`. Default `127.0.0.1:9180`.
    pub ops: Text,
    /// `"acme"` (ordered from the authority of `[acme]`; the default), `"internal"` (own CA, its root in state/ca.pem),
    /// `{ cert, key }`, or a list of such pairs chosen by name.
    pub tls: Option<At<WordOr<CertPair>>>,
    /// Address ranges whose `X-Forwarded-*` and `Forwarded` are believed. Default none.
    pub trusted_proxies: Texts,
    /// `required`: each connection to https, http and plain begins with a header of the PROXY protocol, version 2, by one of
    /// `trusted_proxies`. Default `off`.
    #[schemars(extend("enum" = ["off", "required"]))]
    pub proxy_protocol: Text,
    /// Client connections at once, over it they are closed. Default 20000, or what `ulimit -n` leaves room for.
    pub max_connections: Option<At<i64>>,
    /// Of them from one client: an IPv4 address or an IPv6 /64. Default a quarter of `max_connections`.
    pub max_connections_per_client: Option<At<i64>>,
    /// How long clients are waited for.
    pub timeouts: Option<At<ClientTimeouts>>,
}

/// A certificate chain and its key, both PEM files; watched for changes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CertPair {
    /// The chain, leaf first.
    pub cert: Text,
    /// The leaf's private key.
    pub key: Text,
}

/// `[store]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// `sqlite:FILE`, relative to the state folder (default `sqlite:fedgate.db`), or `postgres://USER@HOST/DATABASE`: for several
    /// gateways. Towards other machines the server's certificate is verified (`?sslmode=verify-full`); `&sslrootcert=FILE` names who may
    /// sign it.
    pub url: Text,
    /// File with the address of a server database and its password.
    pub url_file: Text,
    /// Variable with the address of a server database and its password.
    pub url_env: Text,
}

/// `[saml]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Saml {
    /// Which logins by SAML a second verifier, made by others and kept in a sandbox, must read the same: `all` (default), `sample` (one
    /// of sixteen, by chance) or `off`.
    #[schemars(extend("enum" = ["all", "sample", "off"]))]
    pub second_opinion: Text,
}

/// `[log]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `text` or `json`. Default: text on a terminal, else json.
    #[schemars(extend("enum" = ["text", "json"]))]
    pub format: Text,
    /// `stdout` writes a line per request with its sid and ref. Default `off`.
    #[schemars(extend("enum" = ["off", "stdout"]))]
    pub access: Text,
}

/// `[admin]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Addresses of people who may change everything. Each is an invitation: whoever logs in with it first has the role for good.
    pub operators: Texts,
    /// Addresses of people who read audit, explanations and sessions, and change nothing.
    pub auditors: Texts,
    /// Addresses of people who read the one line of an explanation, and nothing else.
    pub support: Texts,
}

/// `[people]`: people whom no organization manages.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct People {
    /// What local passwords must be.
    pub password: Option<PasswordRules>,
    /// Our own second step: `off`, `optional` (default) or `required`.
    #[schemars(extend("enum" = ["off", "optional", "required"]))]
    pub second_step: Text,
}

/// `[mail]`. Without it, mails are written to `outbox` in the state folder.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Mail {
    /// The sender's address. Required with `smtp`; else `login@` and the login host.
    pub from: Text,
    /// The mail server: `smtps://user@host` (TLS, port 465), `smtp+starttls://user@host` (STARTTLS, required and verified, port
    /// 587), or `smtp://127.0.0.1:25` on this machine. Default none: mails are written as files.
    pub smtp: Text,
    /// File with the user's password.
    pub password_file: Text,
    /// Variable with the user's password.
    pub password_env: Text,
}

/// `[languages]`: what people read on pages and in mails. A person's own choice goes first, then what the application and the browser
/// ask for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Languages {
    /// What is spoken where nothing that there is was asked for, and in mails to who never logged in: the tag of a language, such as `de`. Default `en`.
    pub default: Text,
    /// Catalogues of your own (docs/languages.md), each named by its language, `["languages/fr.ftl"]`, or a folder of them,
    /// `["languages/"]`. Their messages go before ours; what they lack is said in ours, or in English.
    pub catalogues: Texts,
}

/// `[dns]`: how domains that organizations add at run time are proved.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Dns {
    /// Resolvers, each asked by itself: `["system"]`, or addresses such as `9.9.9.9`. The domains' own servers are asked as well; two
    /// answers that agree are needed. Default the system's.
    pub servers: Texts,
    /// The name in the TXT record `NAME=TOKEN`, and of the file `https://DOMAIN/NAME.html`. Default
    /// `atlassian-domain-verification`.
    pub record: Text,
}

/// `[outbound]`: requests that the gateway makes to providers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Outbound {
    /// PEM file with more roots, for providers with a private authority.
    pub ca_file: Text,
    /// Private address ranges that discovery and keys may be fetched from. Default none.
    pub allow: Texts,
}

/// `[audit]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Where audit events go besides the store: `[[audit.sink]]`.
    pub sink: Vec<At<Sink>>,
}

/// `[[audit.sink]]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sink {
    /// `jsonl:/path`; `https://…`: Splunk's event collector (`…/services/collector/event`) or a signed webhook; `otlp://host:4318`: a
    /// collector of OpenTelemetry, over HTTPS; `syslog+tls://host:6514`: syslog (RFC 5424) over TLS.
    pub url: Text,
    /// File with Splunk's token, or with the key of a webhook's signatures (24 bytes or more, `whsec_…` or any text).
    pub token_file: Text,
    /// Variable with it.
    pub token_env: Text,
    /// PEM file with more roots for this receiver alone. Default: those of `[outbound]`.
    pub ca_file: Text,
    /// PEM file with the certificate that we show to the receiver, leaf first.
    pub cert: Text,
    /// PEM file with its key.
    pub key: Text,
    /// At `syslog+tls:`, whether the end of the connection counts as the receiver's word that it has everything where it comes without
    /// TLS's `close_notify`, as rsyslog with GnuTLS ends it. Default false.
    pub unsigned_close: Option<At<bool>>,
    /// `fedgate` (default), or `ocsf`. `fedgate restore --log` reads files in our own form.
    #[schemars(extend("enum" = ["fedgate", "ocsf"]))]
    pub format: Text,
    /// Whether people stand in it by `clear` address or `pseudonym`. Default for jsonl `pseudonym`, for all others `clear`.
    #[schemars(extend("enum" = ["clear", "pseudonym"]))]
    pub people: Text,
}
