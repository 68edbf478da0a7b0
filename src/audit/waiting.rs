//! How sinks fare: how much waits for each, how often one failed, and how long one that failed is left alone.

use crate::entropy;
use crate::seeing::Seeing;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge};
use std::fmt::Display;
use std::time::Duration;

/// Between looks at the log. A sink is no part of a login, so a second is soon enough.
const EVERY: Duration = Duration::from_secs(1);

/// The longest that a sink that fails is left alone, without jitter.
const LONGEST: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct SinkLabel {
    sink: String,
}

/// The metrics of all sinks. The label is the address, which holds no secret.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    events: Family<SinkLabel, Gauge>,
    failures: Family<SinkLabel, Counter>,
}

impl Waiting {
    /// Registered, at zero.
    pub fn new(seeing: &Seeing) -> Self {
        let new = Self::default();
        seeing.register("audit_sink_waiting", "Audit events that a sink has not taken", new.events.clone());
        seeing.register("audit_sink_failures", "Failed attempts to hand events to a sink", new.failures.clone());
        new
    }

    /// Those of one sink.
    pub(super) fn of(&self, sink: &str) -> Watch {
        let label = SinkLabel { sink: sink.to_owned() };
        let (events, failures) =
            (self.events.get_or_create(&label).clone(), self.failures.get_or_create(&label).clone());
        Watch { sink: sink.to_owned(), events, failures, row: 0, told: None }
    }
}

/// One sink, watched.
pub(super) struct Watch {
    sink: String,
    events: Gauge,
    failures: Counter,
    /// Failures since the last success.
    row: u32,
    /// The fault that the log knows of: it is said once, however often it is met.
    told: Option<String>,
}

impl Watch {
    /// So many events wait.
    pub(super) fn waits(&self, count: u64) {
        self.events.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// How an attempt ended.
    pub(super) fn note<E: Display>(&mut self, ended: Result<(), E>) {
        let Err(fault) = ended else {
            if self.told.take().is_some() {
                tracing::info!(sink = self.sink, "the sink of the audit log takes events again");
            }
            self.row = 0;
            return;
        };
        self.failures.inc();
        self.row = self.row.saturating_add(1);
        let fault = fault.to_string();
        if self.told.as_ref() != Some(&fault) {
            tracing::error!(sink = self.sink, %fault, "the audit log waits for its sink");
            self.told = Some(fault);
        }
    }

    /// How long to wait before the next attempt.
    pub(super) fn pause(&self) -> Duration {
        let [random] = entropy::random();
        pause(self.row, random)
    }
}

/// A second, twice as long after each failure in a row, up to a minute; then a quarter more or less, so that gateways that met the
/// same fault do not come back together.
fn pause(row: u32, random: u8) -> Duration {
    if row == 0 {
        return EVERY;
    }
    let plain = EVERY.saturating_mul(1 << row.min(6)).min(LONGEST);
    plain * 3 / 4 + plain * u32::from(random) / 510
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_that_fails_is_asked_ever_more_rarely_and_never_given_up() {
        let seconds = |row, random| pause(row, random).as_secs_f64();
        assert_eq!(pause(0, 255), EVERY);
        for (row, plain) in [(1, 2.0), (2, 4.0), (5, 32.0), (6, 60.0), (u32::MAX, 60.0)] {
            assert!((seconds(row, 0) - plain * 0.75).abs() < 0.01, "{row}");
            assert!((seconds(row, 255) - plain * 1.25).abs() < 0.01, "{row}");
        }
    }

    #[test]
    fn failures_are_counted_each_and_told_once() {
        let waiting = Waiting::default();
        let mut watch = waiting.of("a");
        for _ in 0..3 {
            watch.note(Err("down"));
            assert_eq!(watch.told.as_deref(), Some("down"));
        }
        assert_eq!((watch.failures.get(), watch.row), (3, 3));
        watch.note(Ok::<(), &str>(()));
        assert_eq!((watch.failures.get(), watch.row, watch.told), (3, 0, None));
        assert_eq!(waiting.of("b").failures.get(), 0, "another sink's");
    }
}
