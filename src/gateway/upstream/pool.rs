//! Connections to upstreams, a pool per core: nothing is locked across cores.
//!
//! An HTTP/1.1 connection goes back only by the body that ended on it (see `body.rs`) and is taken only when it says that it is
//! ready. HTTP/2 connections are shared by requests; see `links.rs`.

use super::direct::{self, Direct};
use super::hush::Hush;
use super::links::Links;
use super::tls::UpstreamTls;
use crate::gateway::guard::caps::Descriptor;
use crate::gateway::options::Upstream;
use crate::gateway::upload::Upload;
use http::uri::Scheme;
use hyper::client::conn::http1::SendRequest;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// How long a connection may lie idle. Servers commonly close after 60 s or more; a shorter time here avoids the race.
const IDLE: Duration = Duration::from_secs(20);

/// How many idle connections are kept per upstream and core.
const KEPT: usize = 512;

/// All upstreams of one core. Locked by reloads and sweeps alone.
#[derive(Default)]
pub(in crate::gateway) struct Pool {
    lanes: Mutex<Vec<Arc<Lane>>>,
}

/// The connections to one upstream. Only this core's thread uses them, so the locks never wait.
pub(in crate::gateway) struct Lane {
    pub(in crate::gateway) upstream: Upstream,
    pub(super) tls: Option<Arc<UpstreamTls>>,
    idle: Mutex<Vec<Idle>>,
    /// Those that we speak on ourselves.
    #[expect(clippy::vec_box, reason = "they come and go in boxes: a request's future stays small")]
    direct: Mutex<Vec<Box<Direct>>>,
    /// Whether requests share connections: HTTP/2. Under ALPN that is what the upstream chose, until the next reload.
    multiplexes: AtomicBool,
    pub(super) links: Links,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

/// An HTTP/1.1 connection, and the timer for its answers: pushing a timer's end out is cheap, making one is not.
pub(in crate::gateway) struct Connection {
    pub(in crate::gateway) sender: SendRequest<Upload>,
    pub(in crate::gateway) patience: Pin<Box<Sleep>>,
    pub(in crate::gateway) hush: Hush,
    /// Counts it; `None` of what is not counted.
    pub(in crate::gateway) descriptor: Option<Descriptor>,
}

impl Connection {
    pub(super) fn new(sender: SendRequest<Upload>, hush: Hush) -> Self {
        Self { sender, patience: Box::pin(sleep(IDLE)), hush, descriptor: None }
    }
}

impl Pool {
    /// The lane to an upstream; a reload that changed nothing of it finds its connections again. TLS is read anew by each
    /// reload, and what was opened under other files is not used any more.
    pub(in crate::gateway) fn lane(&self, upstream: &Upstream, tls: Option<&Arc<UpstreamTls>>) -> Arc<Lane> {
        let tls = tls.filter(|_| matches!(upstream, Upstream::Https { .. }));
        let same =
            |lane: &Lane| lane.upstream == *upstream && lane.tls.as_ref().map(Arc::as_ptr) == tls.map(Arc::as_ptr);
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.iter().find(|lane| same(lane)) {
            return Arc::clone(lane);
        }
        let lane = Arc::new(Lane::new(upstream.clone(), tls.cloned()));
        lanes.push(Arc::clone(&lane));
        lane
    }

    /// Closes what has been idle too long, and forgets upstreams that no product has any more.
    pub(in crate::gateway) fn sweep(&self) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.retain(|lane| {
            let mut idle = lane.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.retain(|one| !one.connection.sender.is_closed() && one.since.elapsed() < IDLE);
            let mut direct = lane.direct.lock().unwrap_or_else(PoisonError::into_inner);
            direct.retain(|one| one.is_silent() && one.since.is_some_and(|since| since.elapsed() < IDLE));
            lane.links.sweep();
            Arc::strong_count(lane) > 1
        });
    }
}

impl Lane {
    fn new(upstream: Upstream, tls: Option<Arc<UpstreamTls>>) -> Self {
        let multiplexes = match &upstream {
            Upstream::H2c { .. } | Upstream::UnixH2c(_) => true,
            Upstream::Https { .. } => tls.as_ref().is_some_and(|tls| tls.offers_http2()),
            Upstream::Http { .. } | Upstream::Unix(_) => false,
        };
        let (idle, direct, links) = (Mutex::default(), Mutex::default(), Links::default());
        Self { upstream, tls, idle, direct, multiplexes: AtomicBool::new(multiplexes), links }
    }

    /// The same upstream, with connections that no other lane knows: one request at a time on each.
    pub(super) fn alone(&self) -> Arc<Self> {
        let lane = Self::new(self.upstream.clone(), self.tls.clone());
        lane.multiplexes.store(false, Ordering::Relaxed);
        Arc::new(lane)
    }

    /// Whether requests to it share connections.
    pub(in crate::gateway) fn multiplexes(&self) -> bool {
        self.multiplexes.load(Ordering::Relaxed)
    }

    /// Whether a WebSocket can be opened to it: by HTTP/1.1.
    pub(in crate::gateway) fn may_upgrade(&self) -> bool {
        !matches!(self.upstream, Upstream::H2c { .. } | Upstream::UnixH2c(_))
    }

    /// What HTTP/2 says in `:scheme`.
    pub(in crate::gateway) fn scheme(&self) -> Scheme {
        if self.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP }
    }

    /// What ALPN chose.
    pub(super) fn learn(&self, multiplexes: bool) {
        self.multiplexes.store(multiplexes, Ordering::Relaxed);
    }

    /// The connection that was used last and is ready, and since when it was idle.
    pub(in crate::gateway) fn take(&self) -> Option<(Connection, Instant)> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut place = idle.len();
        while place > 0 {
            place -= 1;
            let one = idle.get(place)?;
            if one.connection.sender.is_closed() {
                idle.remove(place);
            } else if one.connection.sender.is_ready() {
                let one = idle.remove(place);
                return Some((one.connection, one.since));
            }
        }
        None
    }

    #[expect(clippy::disallowed_methods, reason = "how long a connection lies idle is nobody's judgement")]
    pub(in crate::gateway) fn give_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !connection.sender.is_closed() && idle.len() < KEPT {
            idle.push(Idle { connection, since: Instant::now() });
        }
    }

    /// Whether requests without a body go to it by [`Direct`] connections.
    pub(in crate::gateway) fn is_direct(&self) -> bool {
        direct::suits(&self.upstream)
    }

    /// Of those, the one that was used last and on which nothing came since.
    pub(in crate::gateway) fn take_direct(&self) -> Option<Box<Direct>> {
        let mut idle = self.direct.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| idle.pop()).find(|one| one.is_silent())
    }

    pub(super) fn give_back_direct(&self, direct: Box<Direct>) {
        let mut idle = self.direct.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(direct);
        }
    }

    /// Opens one of them.
    pub(in crate::gateway) async fn open_direct(
        &self,
        limit: Duration,
        descriptor: Descriptor,
    ) -> std::io::Result<Box<Direct>> {
        direct::open(self, limit, descriptor).await.map(Box::new)
    }

    /// Opens an HTTP/1.1 connection. `upgrades` for a request that may become a WebSocket; such a connection is never pooled.
    pub(in crate::gateway) async fn connect(&self, limit: Duration, upgrades: bool) -> std::io::Result<Connection> {
        super::connect::alone(self, limit, upgrades).await
    }
}
