//! How much of everything strangers may have: connections, time, requests under way. Made by the configuration; what is not
//! written has the value here.
//!
//! Deliberately absent: limits that nobody should have to set (sizes of heads, frames and queues stand beside what they limit).

use std::time::Duration;

/// Client connections, all listeners of the process together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Crowd {
    /// Open at once, each WebSocket over HTTP/2 counted as one; fewer when the process may not have so many descriptors (clients have
    /// at most two of three, the rest is for connections to upstreams).
    pub connections: usize,
    /// Of them from one client: an IPv4 address or an IPv6 /64. Trusted proxies are not limited, what they name is.
    pub per_client: usize,
}

impl Crowd {
    /// As many as asked for; one client may have a quarter, so that nobody alone can keep others out.
    pub fn of(connections: usize) -> Self {
        Self { connections, per_client: (connections / 4).max(1) }
    }
}

impl Default for Crowd {
    fn default() -> Self {
        Self::of(20_000)
    }
}

/// How long clients are waited for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Patience {
    /// For the head of a request, from its first byte; the first one from the opening of the connection. 10 s.
    pub header: Duration,
    /// For the next request on a connection. 75 s: browsers and proxies keep theirs for about as long.
    pub idle: Duration,
    /// For the end of a TLS handshake. 10 s.
    pub handshake: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { header: seconds(10), idle: seconds(75), handshake: seconds(10) }
    }
}

/// Requests under way at one product. WebSockets are bounded as connections instead.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InFlight {
    /// From everybody; over it 503.
    pub all: usize,
    /// From one client, its requests to other products counted too; over it 429.
    pub per_client: usize,
}

impl InFlight {
    /// As many as asked for; one client may have a quarter.
    pub fn of(all: usize) -> Self {
        Self { all, per_client: (all / 4).max(1) }
    }
}

impl Default for InFlight {
    fn default() -> Self {
        Self::of(10_000)
    }
}
