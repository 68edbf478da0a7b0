//! Connections: how one is made, and the few that readers share. Queries of several readers go over one connection at the same
//! time, each without waiting for the answers of those before it.

use super::address::{Address, CONNECT};
use super::words::{is_gone, numbered, said, typed, unavailable, values};
use crate::clock::Clock;
use crate::store::sql::Params;
use crate::store::{OpenError, Unavailable};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio_postgres::{Client, Connection, Row, Socket};

/// Connections that readers share.
const LINKS: usize = 4;

/// How long a reader waits for the server. After it the connection is given up: the server hangs, or the network is cut.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How long the reader of the feed waits: less than those who poll it do, so that it is the connection that is given up, and the next
/// reading goes over another one.
pub(super) const SHORT: Duration = Duration::from_millis(1500);

/// While the last attempt to connect failed no longer ago than this, nobody tries again: a login must not wait for a server of which
/// it is known that it is gone.
const PAUSE: Duration = Duration::from_millis(250);

/// Opens a connection; whoever calls drives the second part.
pub(super) async fn connect(
    address: &Address,
) -> Result<(Client, Connection<Socket, super::tls::Stream<Socket>>), OpenError> {
    let connecting = tokio::time::timeout(CONNECT, address.config.connect(address.tls.clone())).await;
    let connected = connecting.map_err(|_| OpenError::Server("it does not answer".to_owned()))?;
    connected.map_err(|fault| OpenError::Server(said(&fault)))
}

/// The connections of the readers.
pub(super) struct Links {
    slots: Vec<Mutex<Slot>>,
    next: AtomicUsize,
    is_closed: AtomicBool,
    address: Address,
    clock: Clock,
    /// Where connections are driven.
    runtime: Handle,
}

#[derive(Default)]
struct Slot {
    client: Option<Arc<Client>>,
    /// When connecting last failed, since boot.
    failed_at: Option<Duration>,
}

impl Links {
    pub(super) fn new(address: Address, clock: Clock, runtime: Handle) -> Self {
        let slots = (0..LINKS).map(|_| Mutex::default()).collect();
        let (next, is_closed) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { slots, next, is_closed, address, clock, runtime }
    }

    /// Runs a query that only reads; once more over another connection where this one was gone.
    pub(super) async fn query(&self, sql: &str, key: Params<'_>, patience: Duration) -> Result<Vec<Row>, Unavailable> {
        let (sql, values) = (numbered(sql), values(key));
        let values = typed(&values);
        let mut tries = 0;
        loop {
            let slot = self.next.fetch_add(1, Ordering::Relaxed) % LINKS;
            let client = self.client(slot).await?;
            match tokio::time::timeout(patience, client.query_typed(&sql, &values)).await {
                Ok(Ok(rows)) => return Ok(rows),
                Ok(Err(fault)) if is_gone(&fault) && tries < LINKS => {
                    self.give_up(slot, &client).await;
                    tries += 1;
                }
                Ok(Err(fault)) => return Err(unavailable(&fault)),
                Err(_) => {
                    self.give_up(slot, &client).await;
                    return Err(Unavailable("the server does not answer".to_owned()));
                }
            }
        }
    }

    async fn client(&self, slot: usize) -> Result<Arc<Client>, Unavailable> {
        let closed = || Unavailable("the store is closed".to_owned());
        let mut slot = self.slots.get(slot).ok_or_else(closed)?.lock().await;
        if self.is_closed.load(Ordering::Acquire) {
            return Err(closed());
        }
        if let Some(client) = slot.client.as_ref().filter(|client| !client.is_closed()) {
            return Ok(Arc::clone(client));
        }
        if slot.failed_at.is_some_and(|failed| self.clock.since_boot().saturating_sub(failed) < PAUSE) {
            return Err(Unavailable("the server could not be reached just now".to_owned()));
        }
        match self.connect().await {
            Ok(client) => {
                slot.failed_at = None;
                Ok(Arc::clone(slot.client.insert(Arc::new(client))))
            }
            Err(fault) => {
                slot.failed_at = Some(self.clock.since_boot());
                Err(Unavailable(fault.to_string()))
            }
        }
    }

    async fn connect(&self) -> Result<Client, OpenError> {
        let address = self.address.clone();
        let connecting = self.runtime.spawn(async move {
            let (client, connection) = connect(&address).await?;
            tokio::spawn(async move {
                if let Err(fault) = connection.await {
                    tracing::debug!(fault = said(&fault), "a connection to the store ended");
                }
            });
            Ok(client)
        });
        connecting.await.map_err(|_| OpenError::Server("the store is closed".to_owned()))?
    }

    /// Takes a connection out of its slot, unless somebody put another one there.
    async fn give_up(&self, slot: usize, client: &Arc<Client>) {
        let Some(slot) = self.slots.get(slot) else { return };
        let mut slot = slot.lock().await;
        if slot.client.as_ref().is_some_and(|held| Arc::ptr_eq(held, client)) {
            slot.client = None;
        }
    }

    /// Lets nobody in any more.
    pub(super) async fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        for slot in &self.slots {
            slot.lock().await.client = None;
        }
    }
}
