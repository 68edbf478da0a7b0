//! How a product's upstreams are reached: TLS, patience, sizes, health.

use super::UpstreamTls;
use std::sync::Arc;
use std::time::Duration;

/// How upstreams are reached; the same for all upstreams of a product.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// For `https` upstreams; there whenever one of them is.
    pub tls: Option<Arc<UpstreamTls>>,
    /// How long what may take.
    pub timeouts: Timeouts,
    /// How large what may be.
    pub sizes: Sizes,
    /// Whether and how upstreams are asked for their health.
    pub health: Option<Health>,
    /// The product says that it checks `Fedgate-Assertion` itself (rule M22); `check --online` tries it.
    pub verifies_assertion: bool,
}

/// How long what may take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timeouts {
    /// To open a connection, TLS included. Default 5 s.
    pub connect: Duration,
    /// From the end of the request's body to the head of the answer. Default 60 s.
    pub upstream: Duration,
    /// Nothing moves in the body of a request. Default 30 s: a stalled client holds an upstream's connection.
    pub upload: Duration,
    /// Nothing moves in a response whose length is known. Default 300 s. A response without an announced end may be a stream of
    /// events, which has no limit here.
    pub idle: Duration,
    /// From the head of the request to the end of the answer, streams included; WebSockets are not. Default none.
    pub whole: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            upstream: Duration::from_secs(60),
            upload: Duration::from_secs(30),
            idle: Duration::from_secs(300),
            whole: None,
        }
    }
}

/// How large what may be, in bytes; `None` is any size.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sizes {
    /// A request's body: a larger one is answered 413.
    pub body: Option<u64>,
    /// A response's body: an announced larger one is answered 502, and any is cut when it passes this.
    pub response: Option<u64>,
}

/// How upstreams are asked for their health.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Health {
    /// The path to GET, without any identity.
    pub path: String,
    /// How often. Default 10 s.
    pub every: Duration,
    /// How long an answer may take, connecting included. Default 2 s.
    pub timeout: Duration,
    /// So many failures in a row put an upstream out. Default 3.
    pub fails: u32,
    /// So many successes in a row bring it back. Default 1.
    pub passes: u32,
    /// The status of a success. Default 200.
    pub status: u16,
}
