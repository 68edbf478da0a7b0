//! What `[product.NAME]` says about the way to its upstreams.

use super::{At, Text};
use schemars::JsonSchema;
use serde::Deserialize;

/// TLS to `https` upstreams.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamTls {
    /// PEM file of the only authorities to trust. Default: the system's.
    pub ca: Text,
    /// The name that the certificate must carry. Default: the upstream's host.
    pub name: Text,
    /// PEM file with the certificate that we show, leaf first. With one, nobody else reaches the product.
    pub cert: Text,
    /// PEM file with its key.
    pub key: Text,
    /// Offer HTTP/2 by ALPN. Default false.
    pub http2: Option<bool>,
}

/// How long what may take.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// To open a connection. Default `5s`.
    pub connect: Text,
    /// From the end of the request to the head of the answer. Default `60s`.
    pub upstream: Text,
    /// Nothing moves in a body. Default `30s` for uploads, `300s` for answers whose length is known.
    pub idle: Text,
    /// From the head of the request to the end of the answer, streams included; or `off` (default).
    pub whole: Text,
}

/// How upstreams are asked for their health.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Health {
    /// The path to GET, without any identity. Required.
    pub path: Text,
    /// How often. Default `10s`.
    pub every: Text,
    /// How long an answer may take. Default `2s`.
    pub timeout: Text,
    /// So many failures in a row put an upstream out. Default 3.
    pub fails: Option<At<u32>>,
    /// So many successes in a row bring it back. Default 1.
    pub passes: Option<At<u32>>,
    /// The status of a success. Default 200.
    pub status: Option<At<u16>>,
}
