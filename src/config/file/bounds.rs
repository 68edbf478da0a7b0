//! How much strangers may have: tables inside `[listen]` and `[product.NAME]`.

use super::{At, Text};
use schemars::JsonSchema;
use serde::Deserialize;

/// `[listen] timeouts`: how long clients are waited for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientTimeouts {
    /// For the whole head of a request. Default `10s`.
    pub header: Text,
    /// For the next request on a connection. Default `75s`.
    pub idle: Text,
    /// For a TLS handshake. Default `10s`.
    pub handshake: Text,
}

/// `[product.NAME] limits`: how large bodies may be, and how many requests may be under way.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProductLimits {
    /// A request's body; a larger one is answered 413. `off` (default) or a size: `25MiB`.
    pub body: Text,
    /// A response's body; a larger one is answered 502 or cut. `off` (default) or a size.
    pub response: Text,
    /// Requests at once from everybody, over it 503. Default 10000.
    pub in_flight: Option<At<i64>>,
    /// Requests at once from one client address, over it 429. Default a quarter of `in_flight`.
    pub per_client: Option<At<i64>>,
}
