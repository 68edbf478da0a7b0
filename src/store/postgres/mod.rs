//! The store in PostgreSQL, for any number of gateways: one writer thread with its own connection ([`session`]), readers over a few
//! shared ones ([`links`]), one that listens for nudges, and a feed that misses nothing ([`settled`]).
//!
//! Nothing is prepared and nothing is set for longer than a transaction, so a pooler that hands out connections by transaction may
//! stand in between; nudges do not come through it then, and the feed is read every quarter of a second as always.

mod address;
mod copy;
mod links;
mod pipeline;
mod schema;
mod session;
mod settled;
mod tls;
mod words;

pub(super) use copy::copied;

use super::sql::change::Lost;
use super::sql::writer::{Ended, OVER, QUEUE, SESSION_KEPT, SESSIONS, Work, Writer};
use super::sql::{Damaged, FEED, Params, Read, Row, Tables, params, rows};
use super::{Committed, Feed, FeedRow, NotCommitted, OpenError, Touch, Unavailable};
use crate::clock::Clock;
use crate::kernel::journal::Batch;
use crate::kernel::values::Timestamp;
use address::Address;
use links::{Links, PATIENCE, SHORT};
use session::Line;
use settled::Settled;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_postgres::AsyncMessage;

/// Wakes the readers of the feed. Without payload: it only says "now".
const NOTIFY: &str = "NOTIFY fedgate_revocation";
const LISTEN: &str = "LISTEN fedgate_revocation";

/// Sessions that are looked at in one query, so that it is answered in time.
const PAGE: u32 = 20_000;

/// Sessions that are removed in one go: a login waits for no more.
const REMOVED: usize = 250;

/// How long the listener waits before it connects again.
const AGAIN: Duration = Duration::from_secs(1);

/// A PostgreSQL database as a store.
pub struct Postgres {
    queue: Mutex<Option<mpsc::Sender<Work>>>,
    links: Links,
    nudge: Arc<Notify>,
    settled: Mutex<Settled>,
    /// Becomes true when the writer has ended.
    stopped: watch::Receiver<bool>,
    /// Becomes true when the store is closed, which ends the thread that drives the readers' connections.
    closing: watch::Sender<bool>,
}

impl Postgres {
    /// Connects, brings the tables up to date and starts the writer. `state` is where a relative `sslrootcert` is looked for; `clock`
    /// measures spans, the time is the server's.
    ///
    /// # Errors
    /// [`OpenError`] when the address cannot be used, the server cannot be reached, or its tables are of a newer version.
    pub fn open(url: &str, state: &Path, clock: Clock) -> Result<Self, OpenError> {
        let address = Address::parse(url, state)?;
        let nudge = Arc::new(Notify::new());
        let (queue, inbox) = mpsc::channel(QUEUE);
        let (tell, stopped) = watch::channel(false);
        let (opened, opening) = std::sync::mpsc::channel();
        let (of_writer, nudges) = (address.clone(), Arc::clone(&nudge));
        std::thread::Builder::new().name("store".to_owned()).spawn(move || {
            let line = start(of_writer);
            match line {
                Ok((line, last)) => {
                    if opened.send(Ok(last)).is_ok() {
                        Writer { db: line, nudge: nudges, wary: 0 }.run(inbox);
                    }
                }
                Err(fault) => drop(opened.send(Err(fault))),
            }
            tell.send_replace(true);
        })?;
        let gone = |_| OpenError::Server("its writer ended".to_owned());
        let last = opening.recv().map_err(gone)??;
        let (closing, closed) = watch::channel(false);
        let runtime = runtime()?;
        let links = Links::new(address.clone(), clock, runtime.handle().clone());
        let listening = Arc::clone(&nudge);
        std::thread::Builder::new().name("store-links".to_owned()).spawn(move || {
            runtime.block_on(drive(address, listening, closed));
            // Whoever still resolves a name there is not waited for.
            runtime.shutdown_background();
        })?;
        let settled = Mutex::new(Settled::new(last));
        Ok(Self { queue: Mutex::new(Some(queue)), links, nudge, settled, stopped, closing })
    }

    /// Whether an address can be used.
    pub(super) fn address(url: &str, state: &Path) -> Result<(), OpenError> {
        Address::parse(url, state).map(|_| ())
    }

    /// What an operator should know of a server, asked now. Runs on a thread without a runtime.
    pub(super) fn findings(url: &str, state: &Path) -> Result<Vec<String>, OpenError> {
        schema::findings(&mut Line::new(runtime()?, Address::parse(url, state)?))
    }

    /// Hands work to the writer and waits for its answer, which comes after the commit.
    async fn ask<T>(&self, work: impl FnOnce(oneshot::Sender<T>) -> Work) -> Result<T, Unavailable> {
        let closed = || Unavailable("the store is closed".to_owned());
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(closed)?;
        let (reply, answer) = oneshot::channel();
        queue.send(work(reply)).await.map_err(|_| closed())?;
        drop(queue);
        answer.await.map_err(|_| Unavailable("the store's writer stopped".to_owned()))
    }

    /// Goes through a table of sessions beside the writer, in the order of their ids, and has those that are over by a time removed, few
    /// at a time: there may be millions, and logins do not wait for that.
    async fn remove_sessions(&self, table: &'static str, by: Timestamp) -> Result<u64, Unavailable> {
        let page = format!(
            "WITH page AS MATERIALIZED (SELECT id, abs_at, last_seen, idle_millis FROM {table} WHERE id > ?2 ORDER BY id LIMIT {PAGE})
             SELECT id, 1::bigint FROM page WHERE {OVER}
             UNION ALL (SELECT id, 0::bigint FROM page ORDER BY id DESC LIMIT 1)"
        );
        let (mut after, mut rows) = ([0; 16], 0);
        loop {
            let read = |row: &Row<'_>| Ok((row.get::<[u8; 16]>(0)?, row.get::<i64>(1)? == 1));
            let found = self.all(&page, params![by.millis(), after], read).await?;
            let Some((last, _)) = found.iter().find(|(_, is_over)| !is_over) else { return Ok(rows) };
            after = *last;
            let ids: Vec<_> = found.iter().filter(|(_, is_over)| *is_over).map(|(id, _)| *id).collect();
            for some in ids.chunks(REMOVED) {
                let ended = Ended { table, ids: some.to_vec(), by };
                rows += self.ask(|reply| Work::Remove(ended, reply)).await??;
            }
        }
    }

    fn settled(&self) -> std::sync::MutexGuard<'_, Settled> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A transaction number above all that were given so far.
    async fn drawn(&self) -> Result<u64, Unavailable> {
        let drawn = self.one("SELECT pg_current_xact_id()::text::bigint", params![], |row| row.get::<i64>(0)).await?;
        drawn.map(i64::cast_unsigned).ok_or_else(|| Unavailable("the server gave no transaction".to_owned()))
    }
}

fn runtime() -> Result<Runtime, OpenError> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// The writer's connection over tables that are up to date, and where the revocation log stands.
fn start(address: Address) -> Result<(Line, u64), OpenError> {
    let mut line = Line::new(runtime()?, address);
    for finding in schema::findings(&mut line)? {
        tracing::warn!("{finding}");
    }
    schema::migrate(&mut line)?;
    schema::whole(&mut line)?;
    let last = line.last_revocation().map_err(|Lost { fault, .. }| OpenError::Server(fault))?;
    Ok((line, last))
}

/// Drives the readers' connections, and listens, until the store is closed.
async fn drive(address: Address, nudge: Arc<Notify>, mut closed: watch::Receiver<bool>) {
    let listening = async {
        loop {
            if let Err(fault) = listen(&address, &nudge).await {
                tracing::debug!(%fault, "nudges from the store do not come: the feed is polled");
            }
            tokio::time::sleep(AGAIN).await;
        }
    };
    tokio::select! {
        () = listening => {}
        // Also when the store is gone without having been closed.
        _ = closed.wait_for(|closed| *closed) => {}
    }
}

/// Nudges at each notification, until the connection ends.
async fn listen(address: &Address, nudge: &Notify) -> Result<(), OpenError> {
    let (client, mut connection) = links::connect(address).await?;
    let mut listening = std::pin::pin!(client.batch_execute(LISTEN));
    let mut is_listening = false;
    loop {
        let message = std::future::poll_fn(|cx| connection.poll_message(cx));
        tokio::select! {
            heard = message => match heard {
                Some(Ok(AsyncMessage::Notification(_))) => {
                    nudge.notify_waiters();
                    nudge.notify_one();
                }
                Some(Ok(_)) => {}
                Some(Err(fault)) => return Err(OpenError::Server(words::said(&fault))),
                None => return Ok(()),
            },
            done = &mut listening, if !is_listening => {
                done.map_err(|fault| OpenError::Server(words::said(&fault)))?;
                is_listening = true;
            }
        }
    }
}

/// One line of a reading of the feed.
enum Told {
    Row(FeedRow),
    /// The oldest transaction that runs, and the time. A standby does not tell: what it has may be old.
    Beside(u64, Timestamp),
}

fn told(row: &Row<'_>) -> Read<Told> {
    if !row.is_null(2)? {
        let seq = row.get::<i64>(0)?.cast_unsigned();
        return Ok(Told::Row(FeedRow { seq, at: rows::time(row, 1)?, revocation: rows::revocation(row, 2)? }));
    }
    Ok(Told::Beside(row.get::<i64>(0)?.cast_unsigned(), rows::time(row, 1)?))
}

/// Rows and what is beside them, of one snapshot.
const READING: &str = "SELECT * FROM (
        SELECT seq, at, kind, subject, detail FROM revocation WHERE seq > ? ORDER BY seq LIMIT ?
    ) AS page
    UNION ALL SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
        (extract(epoch FROM clock_timestamp()) * 1000)::bigint, NULL, NULL, NULL WHERE NOT pg_is_in_recovery()";

impl Tables for Postgres {
    async fn all<T: Send>(
        &self,
        sql: &str,
        key: Params<'_>,
        mut decode: impl FnMut(&Row<'_>) -> Read<T> + Send,
    ) -> Result<Vec<T>, Unavailable> {
        let found = self.links.query(sql, key, PATIENCE).await?;
        let rows: Read<Vec<T>> = found.iter().map(|row| decode(&Row::Postgres(row))).collect();
        rows.map_err(|fault: Damaged| Unavailable(fault.to_string()))
    }

    async fn write(&self, batch: Batch) -> Result<Committed, NotCommitted> {
        self.ask(|reply| Work::Commit(Box::new(batch), reply)).await?
    }

    async fn write_touches(&self, touches: Vec<Touch>) -> Result<(), Unavailable> {
        if touches.is_empty() {
            return Ok(());
        }
        self.ask(|reply| Work::Touch(touches, reply)).await?
    }

    async fn remove_expired(&self, now: Timestamp) -> Result<u64, Unavailable> {
        let mut rows = 0;
        for table in SESSIONS {
            rows += self.remove_sessions(table, now.minus(SESSION_KEPT)).await?;
        }
        loop {
            let some = self.ask(|reply| Work::Sweep(now, reply)).await??;
            rows += some;
            // Fewer than one table's share: no table had more.
            if some < session::SWEPT {
                return Ok(rows);
            }
        }
    }

    async fn read_feed(&self, after: u64) -> Result<Feed, Unavailable> {
        let from = i64::try_from(after.min(self.settled().end())).unwrap_or(i64::MAX);
        let (mut rows, mut beside) = (Vec::new(), None);
        for row in self.links.query(READING, params![from, FEED], SHORT).await? {
            match told(&Row::Postgres(&row)).map_err(|fault| Unavailable(fault.to_string()))? {
                Told::Row(row) => rows.push(row),
                Told::Beside(oldest_running, now) => beside = Some((oldest_running, now)),
            }
        }
        let standby = || Unavailable("the server is a standby: what it has may be old".to_owned());
        let (oldest_running, now) = beside.ok_or_else(standby)?;
        // That the parts of a compound come in their own order is nowhere promised.
        rows.sort_unstable_by_key(|row: &FeedRow| row.seq);
        let positions: Vec<u64> = rows.iter().map(|row| row.seq).collect();
        let behind_a_gap = self.settled().saw(&positions, oldest_running);
        if let Some(position) = behind_a_gap {
            let bound = self.drawn().await?;
            self.settled().note(position, bound);
        }
        let full = rows.len() >= usize::try_from(FEED).unwrap_or(usize::MAX);
        let page = rows.last().filter(|_| full).map_or(u64::MAX, |row| row.seq);
        let cursor = page.min(self.settled().end());
        rows.retain(|row| row.seq > after);
        Ok(Feed { rows, cursor, now })
    }

    fn nudged(&self) -> Arc<Notify> {
        Arc::clone(&self.nudge)
    }

    /// Lets the writer finish what it has been given, then closes everything.
    async fn stop(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let mut stopped = self.stopped.clone();
        // An error means that the writer's end of it is gone, which is what is waited for.
        let _gone = stopped.wait_for(|stopped| *stopped).await.is_err();
        self.links.close().await;
        self.closing.send_replace(true);
    }
}
