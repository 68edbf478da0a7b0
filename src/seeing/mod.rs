//! What operators see: metrics, logs and request ids.
//!
//! Others register their own metrics with [`Seeing::register`]. Deliberately absent: audit events (they are facts with a
//! commit of their own) and anything secret; queries never reach logs (rule HANDOVER 7).

pub mod logs;

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram};
use prometheus_client::registry::{Metric, Registry};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The metrics of one process.
pub struct Seeing {
    registry: Mutex<Registry>,
    requests: Family<RequestLabels, Counter>,
    latency: Family<ProductLabel, Histogram, fn() -> Histogram>,
    /// WebSockets and response bodies without an announced end, now open.
    pub open_streams: Gauge,
    /// Client connections, now open.
    pub connections: Gauge,
    /// Requests that no upstream answered.
    pub upstream_failures: Counter,
    /// TLS handshakes that failed or took too long.
    pub failed_handshakes: Counter,
    /// Failed attempts to load certificates again.
    pub failed_certificate_loads: Counter,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct RequestLabels {
    product: String,
    class: String,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct ProductLabel {
    product: String,
}

/// The counters of one product, looked up once per reload: nothing is hashed per request.
#[derive(Clone, Debug)]
pub struct Meters {
    classes: [Counter; 5],
    latency: Histogram,
}

impl Seeing {
    /// All metrics at zero.
    pub fn new() -> Arc<Self> {
        let latency =
            || Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0]);
        let seeing = Self {
            registry: Mutex::new(Registry::with_prefix("fedgate")),
            requests: Family::default(),
            latency: Family::new_with_constructor(latency),
            open_streams: Gauge::default(),
            connections: Gauge::default(),
            upstream_failures: Counter::default(),
            failed_handshakes: Counter::default(),
            failed_certificate_loads: Counter::default(),
        };
        seeing.register("requests", "Requests by product and status class", seeing.requests.clone());
        seeing.register("request_seconds", "Time to the head of the answer", seeing.latency.clone());
        seeing.register("open_streams", "WebSockets and event streams now open", seeing.open_streams.clone());
        seeing.register("connections", "Client connections now open", seeing.connections.clone());
        seeing.register("upstream_failures", "Requests that no upstream answered", seeing.upstream_failures.clone());
        seeing.register("failed_handshakes", "TLS handshakes that failed", seeing.failed_handshakes.clone());
        seeing.register(
            "failed_certificate_loads",
            "Failed loads of certificates",
            seeing.failed_certificate_loads.clone(),
        );
        Arc::new(seeing)
    }

    /// Adds a metric. The name gets the prefix `fedgate_`.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner).register(name, help, metric);
    }

    /// The meters of a product. Everything that is no product's (unknown hosts, the login host) shares one label each, so that
    /// strangers cannot make labels (rule M26).
    pub fn meters(&self, product: &str) -> Meters {
        let of = |class: &str| {
            let labels = RequestLabels { product: product.to_owned(), class: class.to_owned() };
            self.requests.get_or_create(&labels).clone()
        };
        Meters {
            classes: [of("1xx"), of("2xx"), of("3xx"), of("4xx"), of("5xx")],
            latency: self.latency.get_or_create(&ProductLabel { product: product.to_owned() }).clone(),
        }
    }

    /// Everything in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        match encode(&mut text, &registry) {
            Ok(()) => text,
            Err(error) => format!("# encoding failed: {error}\n# EOF\n"),
        }
    }
}

impl Meters {
    /// Counts an answer.
    pub fn count(&self, status: u16, took: Duration) {
        if let Some(class) = self.classes.get(usize::from(status / 100).saturating_sub(1)) {
            class.inc();
        }
        self.latency.observe(took.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_product_and_class() {
        let seeing = Seeing::new();
        seeing.meters("trello").count(204, Duration::from_millis(3));
        seeing.meters("trello").count(204, Duration::from_millis(3));
        seeing.meters("unknown").count(421, Duration::ZERO);
        let text = seeing.text();
        for line in [
            "fedgate_requests_total{product=\"trello\",class=\"2xx\"} 2",
            "fedgate_requests_total{product=\"unknown\",class=\"4xx\"} 1",
            "fedgate_request_seconds_count{product=\"trello\"} 2",
            "fedgate_open_streams 0",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
