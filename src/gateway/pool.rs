//! Connections to upstreams, a pool per core: nothing is locked across cores.
//!
//! A connection goes back only by the body that ended on it (see `body.rs`) and is taken only when it says that it is ready.

use super::body::Upload;
use super::options::Upstream;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, Sleep, sleep, timeout};

/// How long a connection may lie idle. Servers commonly close after 60 s or more; a shorter time here avoids the race.
const IDLE: Duration = Duration::from_secs(20);

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How many idle connections are kept per upstream and core.
const KEPT: usize = 512;

/// All upstreams of one core.
#[derive(Default)]
pub(super) struct Pool {
    lanes: Mutex<HashMap<Upstream, Arc<Lane>>>,
}

/// The idle connections of one upstream. Only this core's thread uses it, so the lock never waits.
#[derive(Default)]
pub(super) struct Lane {
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

/// A connection to an upstream, and the timer for its answers: pushing a timer's end out is cheap, making one is not.
pub(super) struct Connection {
    pub(super) sender: SendRequest<Upload>,
    patience: Pin<Box<Sleep>>,
}

impl Connection {
    fn new(sender: SendRequest<Upload>) -> Self {
        Self { sender, patience: Box::pin(sleep(IDLE)) }
    }

    /// From now on an answer may take this long.
    #[expect(clippy::disallowed_methods, reason = "a timer of the runtime ends by the runtime's clock")]
    pub(super) fn allow(&mut self, limit: Duration) {
        self.patience.as_mut().reset(Instant::now() + limit);
    }

    /// Ready when that time is over.
    pub(super) fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.patience.as_mut().poll(cx)
    }
}

impl Pool {
    pub(super) fn lane(&self, upstream: &Upstream) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        match lanes.get(upstream) {
            Some(lane) => Arc::clone(lane),
            None => Arc::clone(lanes.entry(upstream.clone()).or_default()),
        }
    }

    /// Closes what has been idle too long, and forgets upstreams without connections.
    pub(super) fn sweep(&self) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.retain(|_, lane| {
            let mut idle = lane.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.retain(|one| !one.connection.sender.is_closed() && one.since.elapsed() < IDLE);
            !idle.is_empty() || Arc::strong_count(lane) > 1
        });
    }
}

impl Lane {
    /// The connection that was used last and is ready.
    pub(super) fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut place = idle.len();
        while place > 0 {
            place -= 1;
            let one = idle.get(place)?;
            if one.connection.sender.is_closed() {
                idle.remove(place);
            } else if one.connection.sender.is_ready() {
                return Some(idle.remove(place).connection);
            }
        }
        None
    }

    #[expect(clippy::disallowed_methods, reason = "how long a connection lies idle is nobody's judgement")]
    pub(super) fn give_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !connection.sender.is_closed() && idle.len() < KEPT {
            idle.push(Idle { connection, since: Instant::now() });
        }
    }
}

/// Opens a connection. `upgrades` for a request that may become a WebSocket; such a connection is never pooled.
pub(super) async fn connect(upstream: &Upstream, upgrades: bool) -> io::Result<Connection> {
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "connecting to the upstream took too long");
    match upstream {
        Upstream::Http { host, port } => {
            let stream = timeout(CONNECT, TcpStream::connect((host.as_str(), *port))).await.map_err(late)??;
            stream.set_nodelay(true)?;
            speak(stream, upgrades).await
        }
        Upstream::Unix(path) => {
            speak(timeout(CONNECT, UnixStream::connect(path)).await.map_err(late)??, upgrades).await
        }
    }
}

async fn speak<S>(stream: S, upgrades: bool) -> io::Result<Connection>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = Builder::new().handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // The outcome reaches whoever waits for the answer on this connection; there is nobody else to tell.
    if upgrades {
        tokio::spawn(async move { drop(connection.with_upgrades().await) });
    } else {
        tokio::spawn(async move { drop(connection.await) });
    }
    Ok(Connection::new(sender))
}
