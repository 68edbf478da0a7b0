//! One core: a current-thread runtime with its own listeners, routing table and upstream pool. Nothing here is locked across cores.

use super::connection::{self, Line, Listener};
use super::front::Spares;
use super::guard::arrival;
use super::guard::turns::Turns;
use super::guard::{Guard, Reason};
use super::ids::RequestIds;
use super::options::Options;
use super::pace::LOOK;
use super::spool::Spool;
use super::table::Table;
use super::tls::TlsState;
use super::upstream::{Pool, Registry};
use super::websocket::Scratch;
use crate::clock::Clock;
use crate::seeing::Seeing;
use crate::web::issued::Issued;
use crate::web::{Routes, Sessions};
use arc_swap::{ArcSwap, ArcSwapOption};
use std::io;
use std::net::TcpListener as StdListener;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::{interval, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What all cores share; written only by reloads.
pub(super) struct Shared {
    pub(super) sessions: Arc<dyn Sessions>,
    pub(super) routes: Arc<dyn Routes>,
    pub(super) clock: Clock,
    pub(super) seeing: Arc<Seeing>,
    pub(super) tls: ArcSwapOption<TlsState>,
    /// What an authority issued, and the answers that it asks for.
    pub(super) issued: Arc<Issued>,
    pub(super) guard: Guard,
    /// How upstreams stand.
    pub(super) upstreams: Registry,
    /// Every connection and WebSocket, so that a drain knows when it is done.
    pub(super) open: TaskTracker,
    /// Requests of expired sessions, kept until their people come back (rule H9).
    pub(super) spool: Arc<Spool>,
}

/// What a core has for itself.
pub(super) struct Core {
    pub(super) shared: Arc<Shared>,
    pub(super) table: ArcSwap<Table>,
    pub(super) pool: Pool,
    /// TLS handshakes, step by step.
    pub(super) handshakes: Turns,
    /// Our own pages and reads of sessions.
    pub(super) errands: Turns,
    /// No new work.
    pub(super) drain: CancellationToken,
    /// No work at all.
    pub(super) kill: CancellationToken,
    /// The connections, to find the idle ones.
    lines: Mutex<Vec<Weak<Line>>>,
    pub(super) ids: RequestIds,
    /// Room that requests leave for others.
    pub(super) fronts: Spares,
    /// What this core's WebSockets read into.
    pub(super) relayed: Scratch,
}

impl Core {
    pub(super) fn new(shared: Arc<Shared>, options: &Options, [drain, kill]: [&CancellationToken; 2]) -> Self {
        let pool = Pool::default();
        Self {
            table: ArcSwap::from_pointee(Table::new(options, &shared, &pool)),
            shared,
            pool,
            handshakes: Turns::default(),
            errands: Turns::default(),
            drain: drain.child_token(),
            kill: kill.child_token(),
            lines: Mutex::default(),
            ids: RequestIds::new(),
            fronts: Spares::default(),
            relayed: Scratch::default(),
        }
    }

    /// New options as this core uses them.
    pub(super) fn compile(&self, options: &Options) -> Table {
        Table::new(options, &self.shared, &self.pool)
    }

    /// Looks after a connection until it is dropped.
    pub(super) fn watch(&self, line: &Arc<Line>) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(line));
    }

    /// Lets idle connections go, and cuts those that are still there at the next look: an HTTP/2 client may leave its goodbye
    /// unanswered, or take no answer.
    fn retire_idle(&self) {
        let idle = self.table.load().patience.idle;
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|line| {
            line.upgrade().is_some_and(|line| {
                if line.pace.is_idle(idle) {
                    let token = if line.retire.is_cancelled() { &line.close } else { &line.retire };
                    token.cancel();
                }
                true
            })
        });
    }

    /// Serves until drained and every connection of this core is done, or killed.
    pub(super) async fn run(self: Arc<Self>, listeners: Vec<(StdListener, Listener)>) {
        for (listener, kind) in listeners {
            match TcpListener::from_std(listener) {
                Ok(listener) => drop(tokio::spawn(Arc::clone(&self).listen(listener, kind))),
                Err(error) => tracing::error!(%error, "a listener cannot be used"),
            }
        }
        let core = Arc::clone(&self);
        tokio::spawn(async move { tokio::join!(core.handshakes.keep(), core.errands.keep()) });
        let mut sweep = interval(LOOK);
        loop {
            tokio::select! {
                _ = sweep.tick() => {
                    self.pool.sweep();
                    self.retire_idle();
                }
                () = self.kill.cancelled() => break,
            }
        }
    }

    async fn listen(self: Arc<Self>, listener: TcpListener, kind: Listener) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.drain.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let Some(seat) = self.shared.guard.caps.seat() else {
                        self.shared.guard.turn_away(Reason::Connections, self.shared.clock.since_boot());
                        arrival::close(&stream);
                        continue;
                    };
                    let serving = connection::serve(Arc::clone(&self), stream, (peer.ip(), seat), kind);
                    self.shared.open.spawn(serving);
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    // Out of descriptors: trying again at once would only burn the core.
                    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
                        sleep(Duration::from_millis(50)).await;
                    }
                }
            }
        }
    }
}
