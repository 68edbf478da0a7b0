//! What keeps strangers from using everything up: seats for connections, turns for costly work, queues for work that may wait.
//!
//! | file | bounds |
//! |---|---|
//! | `caps` | connections, and handshakes under way; per client too |
//! | `arrival` | the first bytes of a connection: the PROXY protocol |
//! | `turns` | costly steps per turn of a core's loop, so that live sessions are served between them |
//! | `queue` | our own pages, large responses and cold session reads at once, and how many wait for how long |
//! | `load` | requests under way per product and client |
//! | `calm` | HTTP/2 frames that ask for nothing |
//!
//! Whatever is over a limit is refused at once and counted. Deliberately absent: limits of single messages (`connection.rs`,
//! `pace.rs`, `body.rs`) and of what is recorded (the audit samples, rule M15).

pub(super) mod arrival;
pub(super) mod calm;
pub(super) mod caps;
pub(super) mod load;
pub(super) mod queue;
pub(super) mod turns;

use self::caps::Caps;
use self::load::Loads;
use self::queue::Queue;
use super::answer::{self, Answer};
use super::bounds::Crowd;
use crate::seeing::Seeing;
use http::{HeaderValue, StatusCode, header};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How many large responses of identity providers are in memory at once: 32 MiB of bodies.
pub(super) const LARGE_REPLIES: usize = 64;

/// What all cores share.
pub(super) struct Guard {
    pub(super) caps: Arc<Caps>,
    pub(super) loads: Loads,
    /// Our own pages.
    pub(super) pages: Queue,
    /// Sessions that are not in memory.
    pub(super) cold: Queue,
    /// Responses of identity providers that are larger than a form.
    pub(super) replies: Queue,
    pub(super) turned: Turned,
    said: AtomicU64,
}

/// Why something was turned away.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reason {
    /// All connections are taken.
    Connections,
    /// This client's connections are taken.
    Client,
    /// Too many handshakes are under way.
    Handshakes,
    /// No PROXY protocol header, or not from a trusted proxy.
    Proxy,
    /// HTTP/2 frames that ask for nothing.
    Flood,
    /// A product's requests under way.
    Product,
    /// A client's requests under way.
    ClientRequests,
    /// Our pages have too many in front of them.
    Pages,
    /// Session reads have too many in front of them.
    Sessions,
    /// Large responses of identity providers are too many.
    Replies,
}

/// Counts by reason.
pub(super) struct Turned([Counter; 10]);

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

impl Turned {
    fn new(seeing: &Seeing) -> Self {
        let family = Family::<ReasonLabel, Counter>::default();
        let words = [
            "connections",
            "client",
            "handshakes",
            "proxy",
            "flood",
            "product",
            "client_requests",
            "pages",
            "sessions",
            "replies",
        ];
        let counters = words.map(|reason| family.get_or_create(&ReasonLabel { reason }).clone());
        seeing.register("turned_away", "Connections and requests over a limit, by the limit", family);
        Self(counters)
    }

    /// The counter of a reason, for who counts by itself.
    pub(super) fn counter(&self, reason: Reason) -> Counter {
        self.0.get(reason as usize).cloned().unwrap_or_default()
    }

    fn count(&self, reason: Reason) {
        if let Some(counter) = self.0.get(reason as usize) {
            counter.inc();
        }
    }
}

impl Guard {
    pub(super) fn new(crowd: Crowd, seeing: &Seeing) -> Self {
        Self {
            caps: Arc::new(Caps::new(crowd)),
            loads: Loads::default(),
            pages: Queue::new(256, 1024, Duration::from_secs(2)),
            cold: Queue::new(64, 1024, Duration::from_secs(1)),
            replies: Queue::new(LARGE_REPLIES, 256, Duration::from_secs(2)),
            turned: Turned::new(seeing),
            said: AtomicU64::new(0),
        }
    }

    /// Counts, and says so in the log at most every ten seconds: a flood must not become a flood of lines (rule M15). `now` is
    /// the time since boot.
    pub(super) fn turn_away(&self, reason: Reason, now: Duration) {
        self.turned.count(reason);
        if self.may_say(now) {
            tracing::warn!(?reason, "over a limit: turned away; see the metric fedgate_turned_away");
        }
    }

    /// Whether a line may be logged: once in ten seconds.
    pub(super) fn may_say(&self, now: Duration) -> bool {
        let span = now.as_secs() / 10 + 1;
        self.said.swap(span, Ordering::Relaxed) != span
    }
}

/// Too much at once: try again. 429 where the client itself is the reason, else 503.
pub(super) fn busy(reason: Reason, request_id: &str) -> Answer {
    let (status, text) = match reason {
        Reason::Client => (StatusCode::TOO_MANY_REQUESTS, "too many connections at once from your address"),
        Reason::Connections => (StatusCode::SERVICE_UNAVAILABLE, "too many connections at once"),
        Reason::ClientRequests => (StatusCode::TOO_MANY_REQUESTS, "too many requests at once from your address"),
        Reason::Product => (StatusCode::SERVICE_UNAVAILABLE, "too many requests at once for this product"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "too many people are logging in at once, please try again in a moment"),
    };
    let mut answer = answer::plain(status, text, request_id);
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    answer
}
