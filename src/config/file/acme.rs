//! `[acme]`: the authority that certificates are ordered from, for `tls = "acme"`.

use super::{At, Text, Texts};
use schemars::JsonSchema;
use serde::Deserialize;

/// `[acme]`. With `tls = "acme"` the authority's terms of service are agreed to.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Acme {
    /// The authority's directory. Default `https://acme-v02.api.letsencrypt.org/directory`.
    pub directory: Text,
    /// PEM file with more roots, for an authority whose own TLS is private.
    pub ca_file: Text,
    /// Where the authority may reach the operator: `mailto:` addresses. Default none.
    pub contact: Texts,
    /// `tls-alpn-01` (port 443), `http-01` (port 80), or `any`: one, and when it fails the other. Default `any`.
    #[schemars(extend("enum" = ["any", "tls-alpn-01", "http-01"]))]
    pub challenge: Text,
    /// The account at an authority that knows its customers: `{ kid, hmac_file }`.
    pub eab: Option<At<ExternalAccount>>,
}

/// External account binding.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExternalAccount {
    /// The key's id.
    pub kid: Text,
    /// File with the HMAC key, base64url.
    pub hmac_file: Text,
    /// Variable with the HMAC key, base64url.
    pub hmac_env: Text,
}
