//! Metrics: when each certificate ends, and how orders went.

use crate::kernel::values::Timestamp;
use crate::seeing::Seeing;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge};

/// Host names are the configuration's, so strangers cannot make labels (rule M26).
#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct Host {
    host: String,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct Outcome {
    outcome: String,
}

/// The metrics of certificates.
pub(super) struct Tally {
    ends: Family<Host, Gauge>,
    orders: Family<Outcome, Counter>,
}

impl Tally {
    pub(super) fn new(seeing: &Seeing) -> Self {
        let tally = Self { ends: Family::default(), orders: Family::default() };
        seeing.register(
            "certificate_expiry_timestamp_seconds",
            "When the certificate of a host name ends, seconds since 1970; 0: there is none",
            tally.ends.clone(),
        );
        seeing.register("certificate_orders", "Orders for certificates by outcome", tally.orders.clone());
        tally
    }

    /// These host names, and when the certificate of each ends.
    pub(super) fn ends<'a>(&self, all: impl Iterator<Item = (&'a String, Option<Timestamp>)>) {
        self.ends.clear();
        for (host, end) in all {
            let labels = Host { host: host.clone() };
            self.ends.get_or_create(&labels).set(end.map_or(0, Timestamp::seconds));
        }
    }

    pub(super) fn order(&self, outcome: &str) {
        self.orders.get_or_create(&Outcome { outcome: outcome.to_owned() }).inc();
    }
}
