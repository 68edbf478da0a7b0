//! How much strangers may have: connections, time, requests under way; and whether a proxy says whose connections they are.

use super::Reader;
use super::values::text;
use crate::config::file::{At, Listen, ProductLimits, Text};
use crate::config::finding::Code;
use crate::gateway::bounds::{Crowd, InFlight, Patience};
use std::ops::RangeInclusive;
use std::time::Duration;

/// More connections than one process can hold are a slip of the finger.
const CONNECTIONS: RangeInclusive<usize> = 16..=1_000_000;
const REQUESTS: RangeInclusive<usize> = 1..=1_000_000;
/// A shorter wait cuts honest clients off, a longer one is none.
const WAITS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);

impl Reader<'_> {
    /// `max_connections`, `max_connections_per_client`.
    pub(super) fn crowd(&mut self, written: &Listen) -> Crowd {
        let all = self.count(&written.max_connections, CONNECTIONS, Crowd::default().connections);
        let usual = Crowd::of(all);
        let per_client = self.count(&written.max_connections_per_client, 1..=all, usual.per_client);
        Crowd { connections: all, per_client }
    }

    /// `timeouts`.
    pub(super) fn patience(&mut self, written: &Listen) -> Patience {
        let usual = Patience::default();
        let Some(timeouts) = &written.timeouts else { return usual };
        Patience {
            header: self.wait(&timeouts.header, usual.header),
            idle: self.wait(&timeouts.idle, usual.idle),
            handshake: self.wait(&timeouts.handshake, usual.handshake),
        }
    }

    /// `limits` of a product.
    pub(super) fn in_flight(&mut self, written: Option<&At<ProductLimits>>) -> InFlight {
        let Some(written) = written else { return InFlight::default() };
        let all = self.count(&written.in_flight, REQUESTS, InFlight::default().all);
        let per_client = self.count(&written.per_client, 1..=all, InFlight::of(all).per_client);
        InFlight { all, per_client }
    }

    /// `proxy_protocol`: it says who a client is, so that only a trusted proxy may send it.
    pub(super) fn proxy_protocol(&mut self, written: &Listen, nobody_trusted: bool) -> bool {
        let required = text(&written.proxy_protocol) == Some("required");
        if let (Some(key), true, true) = (&written.proxy_protocol, required, nobody_trusted) {
            let what = "`proxy_protocol` without `trusted_proxies`: every connection would be refused";
            let write = "write trusted_proxies = [\"10.0.0.0/8\"] with the addresses of the proxies that send it";
            self.say.error(Code::Proxy, key.span(), what, write);
        }
        required
    }

    fn count(&mut self, written: &Option<At<i64>>, range: RangeInclusive<usize>, default: usize) -> usize {
        let Some(written) = written else { return default };
        let count = usize::try_from(**written).ok().filter(|count| range.contains(count));
        count.unwrap_or_else(|| {
            let what = format!("{} is no usable limit here", **written);
            let write = format!("write a whole number from {} to {}", range.start(), range.end());
            self.say.error(Code::Limit, written.span(), what, write);
            default
        })
    }

    fn wait(&mut self, written: &Text, default: Duration) -> Duration {
        let wait = self.duration(written, default);
        if let (Some(key), false) = (written, WAITS.contains(&wait)) {
            let what = format!("{:?} is no usable time to wait for a client", key.as_str());
            self.say.error(Code::Limit, key.span(), what, "write a duration from \"1s\" to \"10m\"");
            return default;
        }
        wait
    }
}
