//! The login's metrics: logins by outcome, departures, sessions, revocation lag.

use crate::seeing::Seeing;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// Counters of logins and sessions in this process.
#[derive(Clone, Debug)]
pub struct Tally {
    logins: Family<Outcome, Counter>,
    departures: Family<Directory, Counter>,
    product_sessions: Family<Product, Counter>,
    revocation_lag: Histogram,
    adapter_failures: Family<Product, Counter>,
    open_sessions: Gauge,
    integrity_violations: Counter,
    store_failures: Counter,
    session_reads: Counter,
    cached_sessions: Gauge,
    provider_up: Family<Directory, Gauge>,
    provider_age: Family<Directory, Gauge<f64, AtomicU64>>,
    revalidations: Family<Outcome, Counter>,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct Outcome {
    outcome: String,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct Directory {
    directory: String,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct Product {
    product: String,
}

impl Tally {
    /// All at zero, shown under `/metrics`.
    pub fn new(seeing: &Seeing) -> Self {
        let tally = Self {
            logins: Family::default(),
            departures: Family::default(),
            product_sessions: Family::default(),
            revocation_lag: Histogram::new([0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0]),
            adapter_failures: Family::default(),
            open_sessions: Gauge::default(),
            integrity_violations: Counter::default(),
            store_failures: Counter::default(),
            session_reads: Counter::default(),
            cached_sessions: Gauge::default(),
            provider_up: Family::default(),
            provider_age: Family::default(),
            revalidations: Family::default(),
        };
        seeing.register("logins", "Logins by method or refusal code", tally.logins.clone());
        seeing.register("departures", "Departures for providers", tally.departures.clone());
        seeing.register("product_sessions", "Sessions begun at products", tally.product_sessions.clone());
        seeing.register(
            "adapter_failures",
            "Passwords that a product's adapter gave no usable answer about",
            tally.adapter_failures.clone(),
        );
        seeing.register("revocation_lag_seconds", "From commit to effect on this node", tally.revocation_lag.clone());
        seeing.register("open_sessions", "Sessions known to this node", tally.open_sessions.clone());
        seeing.register(
            "integrity_violations",
            "Stored rows whose MAC did not hold",
            tally.integrity_violations.clone(),
        );
        seeing.register("store_failures", "Failed readings of the revocation log", tally.store_failures.clone());
        seeing.register("session_reads", "Sessions that the cache did not know", tally.session_reads.clone());
        seeing.register("cached_sessions", "Sessions in the cache", tally.cached_sessions.clone());
        seeing.register("provider_up", "1, or 0 when the last fetch from it failed", tally.provider_up.clone());
        seeing.register("provider_age_seconds", "Age of its documents here; -1: none yet", tally.provider_age.clone());
        seeing.register(
            "revalidations",
            "Logins that their provider was asked about again, by what it said: stands, over, unknown",
            tally.revalidations.clone(),
        );
        tally
    }

    /// A provider was asked whether a login stands: `stands`, `over` or `unknown`.
    pub fn revalidated(&self, outcome: &str) {
        self.revalidations.get_or_create(&Outcome { outcome: outcome.to_owned() }).inc();
    }

    /// A session was read from the store.
    pub fn session_read(&self) {
        self.session_reads.inc();
    }

    /// How many sessions are cached.
    pub fn cached_sessions(&self, count: usize) {
        self.cached_sessions.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// How a directory's provider fares; `age` in seconds, -1 when nothing was fetched yet.
    pub fn provider(&self, directory: &str, up: bool, age: f64) {
        let label = Directory { directory: directory.to_owned() };
        self.provider_up.get_or_create(&label).set(i64::from(up));
        self.provider_age.get_or_create(&label).set(age);
    }

    /// Somebody was let in, by this method.
    pub fn login_succeeded(&self, method: &str) {
        self.logins.get_or_create(&Outcome { outcome: method.to_owned() }).inc();
    }

    /// Somebody was turned away; codes are a closed set.
    pub fn login_refused(&self, code: &str) {
        self.logins.get_or_create(&Outcome { outcome: code.to_owned() }).inc();
    }

    /// Somebody was sent to a provider.
    pub fn departed(&self, directory: &str) {
        self.departures.get_or_create(&Directory { directory: directory.to_owned() }).inc();
    }

    /// A session at a product began.
    pub fn product_session_created(&self, product: &str) {
        self.product_sessions.get_or_create(&Product { product: product.to_owned() }).inc();
    }

    /// A product's adapter could not be reached, or its answer said nothing.
    pub fn adapter_failed(&self, product: &str) {
        self.adapter_failures.get_or_create(&Product { product: product.to_owned() }).inc();
    }

    /// A revocation took effect here this long after its commit.
    pub fn revocation_applied(&self, lag: Duration) {
        self.revocation_lag.observe(lag.as_secs_f64());
    }

    /// How many sessions are known here.
    pub fn open_sessions(&self, count: usize) {
        self.open_sessions.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A stored row's MAC did not hold.
    pub fn integrity_violated(&self) {
        self.integrity_violations.inc();
    }

    /// The revocation log could not be read.
    pub fn store_out(&self) {
        self.store_failures.inc();
    }
}
