//! The store in one SQLite file: write-ahead log, synced at every commit, one writer thread ([`writer`]), reads inline.
//!
//! Reads run where they are asked, on prepared statements (about 5 µs; a hop to another thread would cost more), over a few
//! read-only connections. The tables are in `schema.sql`, what a batch does to them in [`sql`](super::sql).

mod copy;
mod schema;
mod snapshot;
mod writer;

pub(super) use copy::copied;
pub use snapshot::{Snapshot, keys_of, settle, snapshot};

use super::copy::MARK;
use super::sql::writer::{QUEUE, Work, Writer};
use super::sql::{FEED, Params, Read, Row, Tables, params, rows};
use super::{Committed, Feed, FeedRow, NotCommitted, OpenError, Touch, Unavailable};
use crate::clock::Clock;
use crate::kernel::journal::Batch;
use crate::kernel::values::Timestamp;
use rusqlite::{Connection, params_from_iter};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use writer::File;

/// A SQLite file as a store.
pub struct Sqlite {
    queue: Mutex<Option<mpsc::Sender<Work>>>,
    readers: Vec<Mutex<Option<Connection>>>,
    nudge: Arc<Notify>,
    clock: Clock,
    /// Becomes true when the writer has closed its connection.
    stopped: watch::Receiver<bool>,
}

impl Sqlite {
    /// Opens or creates the file, brings its tables up to date and starts the writer. `clock` becomes the store's clock.
    ///
    /// # Errors
    /// [`OpenError`] when the file cannot be opened or written, or was made by a newer version.
    pub fn open(path: &Path, clock: Clock) -> Result<Self, OpenError> {
        let db = schema::open_writer(path)?;
        if db.prepare("SELECT 1 FROM setting WHERE name = ?")?.exists([MARK])? {
            return Err(OpenError::Unfinished);
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from).clamp(1, 16);
        let readers: Result<Vec<_>, _> =
            (0..cores).map(|_| schema::open_reader(path).map(|db| Mutex::new(Some(db)))).collect();
        let readers = readers?;
        let nudge = Arc::new(Notify::new());
        let (queue, inbox) = mpsc::channel(QUEUE);
        let (tell, stopped) = watch::channel(false);
        let writer = Writer { db: File { db, clock: clock.clone() }, nudge: Arc::clone(&nudge), wary: 0 };
        std::thread::Builder::new().name("store".to_owned()).spawn(move || {
            writer.run(inbox);
            tell.send_replace(true);
        })?;
        Ok(Self { queue: Mutex::new(Some(queue)), readers, nudge, clock, stopped })
    }

    /// Hands work to the writer and waits for its answer, which comes after the commit.
    async fn ask<T>(&self, work: impl FnOnce(oneshot::Sender<T>) -> Work) -> Result<T, Unavailable> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let closed = || Unavailable("the store is closed".to_owned());
        let queue = queue.ok_or_else(closed)?;
        let (reply, answer) = oneshot::channel();
        queue.send(work(reply)).await.map_err(|_| closed())?;
        drop(queue);
        answer.await.map_err(|_| Unavailable("the store's writer stopped".to_owned()))
    }

    /// Runs a read on this thread's connection. Threads are spread over the connections, so that cores do not wait for each
    /// other as long as there are not more of them than connections.
    fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Unavailable> {
        let mut hash = DefaultHasher::new();
        std::thread::current().id().hash(&mut hash);
        let count = u64::try_from(self.readers.len()).unwrap_or(1).max(1);
        let start = usize::try_from(hash.finish() % count).unwrap_or(0);
        let own = self.readers.iter().cycle().skip(start).take(self.readers.len());
        let free = own.clone().find_map(|reader| reader.try_lock().ok());
        let Some(db) = free.or_else(|| {
            let first = own.clone().next()?;
            Some(first.lock().unwrap_or_else(PoisonError::into_inner))
        }) else {
            return Err(Unavailable("the store has no connection".to_owned()));
        };
        let db = db.as_ref().ok_or_else(|| Unavailable("the store is closed".to_owned()))?;
        query(db).map_err(|fault| Unavailable(fault.to_string()))
    }
}

impl Tables for Sqlite {
    async fn all<T: Send>(
        &self,
        sql: &str,
        key: Params<'_>,
        mut decode: impl FnMut(&Row<'_>) -> Read<T> + Send,
    ) -> Result<Vec<T>, Unavailable> {
        let read = self.read(|db| {
            let mut statement = db.prepare_cached(sql)?;
            let mut found = statement.query(params_from_iter(key.iter().map(|value| value.value())))?;
            let mut rows = Vec::new();
            while let Some(row) = found.next()? {
                rows.push(decode(&Row::Sqlite(row)));
            }
            Ok(rows)
        })?;
        let rows: Read<Vec<T>> = read.into_iter().collect();
        rows.map_err(|fault| Unavailable(fault.to_string()))
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
        self.ask(|reply| Work::Sweep(now, reply)).await?
    }

    /// Lets the writer finish what it has been given, then closes everything.
    async fn stop(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let mut stopped = self.stopped.clone();
        // An error means that the writer's end of it is gone, which is what is waited for.
        let _gone = stopped.wait_for(|stopped| *stopped).await.is_err();
        for reader in &self.readers {
            drop(reader.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }

    fn nudged(&self) -> Arc<Notify> {
        Arc::clone(&self.nudge)
    }

    async fn read_feed(&self, after: u64) -> Result<Feed, Unavailable> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        // One statement is one snapshot. The counter, not the newest row: it stays when a sweep has emptied the table.
        let sql =
            "SELECT * FROM (SELECT seq, at, kind, subject, detail FROM revocation WHERE seq > ? ORDER BY seq LIMIT ?)
                   UNION ALL SELECT seq, NULL, NULL, NULL, NULL FROM sqlite_sequence WHERE name = 'revocation'";
        let mut last = 0;
        let found = self
            .all(sql, params![after, FEED], |row| {
                let seq = row.get::<i64>(0)?.cast_unsigned();
                if row.is_null(1)? {
                    last = seq;
                    return Ok(None);
                }
                Ok(Some(FeedRow { seq, at: rows::time(row, 1)?, revocation: rows::revocation(row, 2)? }))
            })
            .await?;
        let mut rows: Vec<FeedRow> = found.into_iter().flatten().collect();
        // That the parts of a compound come in their own order is nowhere promised.
        rows.sort_unstable_by_key(|row| row.seq);
        let full = rows.len() >= usize::try_from(FEED).unwrap_or(usize::MAX);
        let cursor = rows.last().filter(|_| full).map_or(last, |row| row.seq);
        Ok(Feed { rows, cursor, now: self.clock.now() })
    }
}
