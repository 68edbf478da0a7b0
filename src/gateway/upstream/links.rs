//! HTTP/2 connections of one core to one upstream: requests share them. Another is opened when those that are there have as many
//! streams as the upstream allows.
//!
//! Windows are sized so that a connection's window is all its streams' windows: a client that does not read its answer must not
//! stop the answers of others on the same connection.

use super::connect;
use super::pool::Lane;
use crate::gateway::upload::Upload;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::Instant;

/// The most requests at once on one connection, whatever the upstream allows.
const STREAMS: usize = 100;

/// The most connections of one core to one upstream; beyond, requests wait in them.
const LINKS: usize = 16;

/// What an upstream may send ahead of one client, and of all that share the connection. A client that stops reading holds this
/// much memory until it is given up.
const STREAM_WINDOW: u32 = 128 * 1024;
const CONNECTION_WINDOW: u32 = 13 * 1024 * 1024;

/// How long a connection without requests is kept.
const IDLE: Duration = Duration::from_secs(60);

/// After how long a silent connection is asked whether it lives, and how long it may take to say so. Not oftener: servers of
/// gRPC close the connections of clients that ping more than once in five minutes.
const PING: Duration = Duration::from_secs(310);
const PONG: Duration = Duration::from_secs(20);

/// The connections.
#[derive(Default)]
pub(super) struct Links {
    open: Mutex<Vec<Link>>,
    /// Held while a connection is opened, so that many requests at once open one.
    opening: tokio::sync::Mutex<()>,
    /// Failed attempts to open one so far.
    failures: AtomicU64,
}

struct Link {
    sender: SendRequest<Upload>,
    room: Arc<Room>,
    used: Instant,
}

/// How much of a connection is in use.
struct Room {
    load: AtomicUsize,
    most: AtomicUsize,
    /// A request has ended.
    left: Notify,
}

/// A request's place on a connection, until its answer has ended.
pub(in crate::gateway) struct Ride {
    pub(in crate::gateway) sender: SendRequest<Upload>,
    room: Arc<Room>,
}

impl Drop for Ride {
    fn drop(&mut self) {
        self.room.load.fetch_sub(1, Ordering::Relaxed);
        self.room.left.notify_one();
    }
}

/// What a lane has for a request.
pub(in crate::gateway) enum Found {
    /// A place on a shared connection.
    Shared(Ride),
    /// ALPN chose HTTP/1.1: a connection for this request.
    Alone(super::pool::Connection),
}

impl Lane {
    /// A place on a shared connection, opened if there is none.
    pub(in crate::gateway) async fn board(&self, limit: Duration) -> io::Result<Found> {
        if let Some(ride) = self.links.board() {
            return Ok(Found::Shared(ride));
        }
        let failures = self.links.failures.load(Ordering::Relaxed);
        let _opening = self.links.opening.lock().await;
        if let Some(ride) = self.links.board() {
            return Ok(Found::Shared(ride));
        }
        // Whoever waits for an attempt shares its outcome: a hundred attempts one after the other would take minutes.
        if self.links.failures.load(Ordering::Relaxed) != failures {
            return Err(io::Error::other("another request has just tried in vain"));
        }
        let opened = connect::shared(self, limit).await;
        if opened.is_err() {
            self.links.failures.fetch_add(1, Ordering::Relaxed);
        }
        opened
    }
}

impl Lane {
    /// An answer did not come on that connection: the next requests go to another.
    pub(in crate::gateway) fn distrust(&self, ride: &Ride) {
        self.links.distrust(ride);
    }
}

impl Links {
    #[expect(clippy::disallowed_methods, reason = "how long a connection lies idle is nobody's judgement")]
    fn board(&self) -> Option<Ride> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|link| !link.sender.is_closed());
        let full = open.len() >= LINKS;
        let has_room = |link: &&mut Link| full || link.room.load() < link.room.most.load(Ordering::Relaxed);
        let link = open.iter_mut().filter(has_room).min_by_key(|link| link.room.load())?;
        link.used = Instant::now();
        Some(link.ride())
    }

    /// Gives no more requests to that connection: an answer on it did not come, and it may be dead without having said so.
    pub(super) fn distrust(&self, ride: &Ride) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|link| !Arc::ptr_eq(&link.room, &ride.room));
    }

    /// Closes what nobody has used for a while; what is under way on it ends first.
    pub(super) fn sweep(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|link| {
            let idle = link.room.load() == 0 && link.used.elapsed() >= IDLE;
            !link.sender.is_closed() && !idle
        });
    }

    /// Speaks HTTP/2 on a new connection, which others may share from now on.
    #[expect(clippy::disallowed_methods, reason = "how long a connection lies idle is nobody's judgement")]
    pub(super) async fn speak<S>(&self, stream: S) -> io::Result<Ride>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(64 * 1024)
            // One, until the upstream has said how many: what it did not allow it would refuse.
            .initial_max_send_streams(1)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        let room = Arc::new(Room { load: AtomicUsize::new(0), most: AtomicUsize::new(STREAMS), left: Notify::new() });
        let link = Link { sender, room: Arc::clone(&room), used: Instant::now() };
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            loop {
                // The outcome reaches whoever waits for an answer on this connection; there is nobody else to tell.
                tokio::select! {
                    _ = connection.as_mut() => return,
                    () = room.left.notified() => {}
                }
                // Said by the upstream when it likes, and known at the latest with its first answer.
                room.most.store(connection.current_max_send_streams().clamp(1, STREAMS), Ordering::Relaxed);
            }
        });
        let ride = link.ride();
        self.open.lock().unwrap_or_else(PoisonError::into_inner).push(link);
        Ok(ride)
    }
}

impl Link {
    fn ride(&self) -> Ride {
        self.room.load.fetch_add(1, Ordering::Relaxed);
        Ride { sender: self.sender.clone(), room: Arc::clone(&self.room) }
    }
}

impl Room {
    fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }
}
