//! Connections that are kept open: a login soon follows the last one to its provider, and a TLS handshake costs more than the rest
//! of a token request.
//!
//! A connection was judged by rule M16 when it was opened. It is used again only for the same origin on the same word, and only for
//! [`LIFE`] after its name was resolved: then the name is resolved, and all its addresses are judged, anew. A client's set-up never
//! changes, so what it judged once it would judge the same way again. Deliberately absent: HTTP/2, and waiting for a connection
//! that is in use.

use super::exchange::Line;
use super::{OutboundFault, Trust};
use crate::clock::Clock;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

/// How long after its name was resolved a connection is used.
pub(super) const LIFE: Duration = Duration::from_secs(60);
/// How long a connection may lie idle. Less where the server says so.
pub(super) const IDLE: Duration = Duration::from_secs(30);
/// Idle connections of one origin, and of all.
pub(super) const OF_ONE: usize = 4;
pub(super) const OF_ALL: usize = 256;
/// How often those that lay idle too long are closed.
const SWEEP: Duration = Duration::from_secs(5);

/// Whom a connection leads to, and on whose word that address was allowed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Place {
    secure: bool,
    host: String,
    port: u16,
    trust: Trust,
}

/// The connections that nobody uses now, the one that came last at the end.
pub(super) struct Pool {
    clock: Clock,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    kept: VecDeque<Kept>,
    /// Runs while something is kept.
    sweeper: Option<AbortOnDropHandle<()>>,
}

struct Kept {
    place: Place,
    line: Line,
    /// Since boot.
    until: Duration,
}

impl Place {
    pub(super) fn of(url: &Url, trust: Trust) -> Result<Self, OutboundFault> {
        let host = url.host_str().ok_or(OutboundFault::Address)?.to_owned();
        let port = url.port_or_known_default().ok_or(OutboundFault::Address)?;
        Ok(Self { secure: url.scheme() == "https", host, port, trust })
    }
}

impl Pool {
    pub(super) fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self { clock, idle: Mutex::default() })
    }

    /// The time by which connections age.
    pub(super) fn now(&self) -> Duration {
        self.clock.since_boot()
    }

    /// A connection to that place that may be used now.
    pub(super) fn take(&self, place: &Place) -> Option<Line> {
        let now = self.now();
        let mut idle = self.idle();
        idle.kept.retain(|one| one.until > now && !one.line.is_closed());
        let at = idle.kept.iter().rposition(|one| one.place == *place && one.line.is_ready())?;
        idle.kept.remove(at).map(|one| one.line)
    }

    /// Keeps a connection whose answer has come whole. The oldest makes room.
    pub(super) fn keep(self: &Arc<Self>, place: Place, line: Line) {
        let now = self.now();
        let until = (now + line.patience.min(IDLE)).min(line.resolved_at + LIFE);
        if until <= now || line.is_closed() {
            return;
        }
        let mut idle = self.idle();
        let of_one = idle.kept.iter().filter(|one| one.place == place).count();
        if of_one >= OF_ONE
            && let Some(oldest) = idle.kept.iter().position(|one| one.place == place)
        {
            idle.kept.remove(oldest);
        } else if idle.kept.len() >= OF_ALL {
            idle.kept.pop_front();
        }
        idle.kept.push_back(Kept { place, line, until });
        if idle.sweeper.as_ref().is_none_or(AbortOnDropHandle::is_finished) {
            idle.sweeper = Some(AbortOnDropHandle::new(tokio::spawn(sweep(Arc::downgrade(self)))));
        }
    }

    /// Closes what lay idle too long. Whether something is left.
    pub(super) fn close_old(&self) -> bool {
        let now = self.now();
        let mut idle = self.idle();
        idle.kept.retain(|one| one.until > now && !one.line.is_closed());
        if idle.kept.is_empty() {
            idle.sweeper = None;
        }
        !idle.kept.is_empty()
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        // Every change is whole when it could panic.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.idle().kept.len()
    }
}

async fn sweep(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        if !pool.upgrade().is_some_and(|pool| pool.close_old()) {
            return;
        }
    }
}
