//! The one writer: a thread that takes work from a bounded channel and commits it in groups, one transaction and one sync to
//! disk for all that waited. Each batch has a savepoint, so that one that lost a race is undone alone. Whoever sent it is
//! answered after the commit; when the commit fails, all of the group hear that the store is unavailable.

use super::super::{Committed, NotCommitted, Touch, Unavailable};
use super::change::{At, Halt, KEPT};
use super::outbox;
use crate::clock::Clock;
use crate::kernel::journal::Batch;
use crate::kernel::values::Timestamp;
use rusqlite::{Connection, params};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};

/// Batches in one transaction at most: bounds how long the first of them waits for the last.
const GROUP: usize = 256;

/// A session row outlives its end by this long: its last activity is written lossily, and a clock that jumps forward by a day
/// must not sign everybody out for good. Expiry itself is judged by the kernel, at each request.
const SESSION_KEPT: Duration = KEPT;

/// What the writer is asked for, each with where its answer goes.
pub(super) enum Work {
    /// Commit a batch.
    Commit(Box<Batch>, oneshot::Sender<Result<Committed, NotCommitted>>),
    /// Write last activity.
    Touch(Vec<Touch>, oneshot::Sender<Result<(), Unavailable>>),
    /// Remove what has expired by this time.
    Sweep(Timestamp, oneshot::Sender<Result<u64, Unavailable>>),
}

/// What a piece of work came to, until the group is durable.
enum Outcome {
    Committed(Committed, oneshot::Sender<Result<Committed, NotCommitted>>),
    Conflict(NotCommitted, oneshot::Sender<Result<Committed, NotCommitted>>),
    Touched(oneshot::Sender<Result<(), Unavailable>>),
    Swept(u64, oneshot::Sender<Result<u64, Unavailable>>),
}

/// The writer's own state.
pub(super) struct Writer {
    /// Its connection; nobody else writes in this process.
    pub db: Connection,
    /// The store's clock.
    pub clock: Clock,
    /// Told after each group that holds a revocation.
    pub nudge: Arc<Notify>,
}

/// A group that cannot be committed, and why.
struct Lost(String);

impl From<rusqlite::Error> for Lost {
    fn from(fault: rusqlite::Error) -> Self {
        Self(fault.to_string())
    }
}

impl Writer {
    /// Works until the channel is closed and empty.
    pub(super) fn run(mut self, mut inbox: mpsc::Receiver<Work>) {
        while let Some(first) = inbox.blocking_recv() {
            let mut group = vec![first];
            while let Some(next) = (group.len() < GROUP).then(|| inbox.try_recv().ok()).flatten() {
                group.push(next);
            }
            self.group(group);
        }
    }

    fn group(&mut self, group: Vec<Work>) {
        let nudges = group.iter().any(|work| matches!(work, Work::Commit(batch, _) if !batch.revocations.is_empty()));
        let mut waiting = group.into_iter();
        let mut done = Vec::new();
        match self.transaction(&mut waiting, &mut done) {
            Ok(()) => {
                if nudges {
                    // Whoever waits now is woken; whoever is just reading finds a permit and reads once more.
                    self.nudge.notify_waiters();
                    self.nudge.notify_one();
                }
                done.into_iter().for_each(Outcome::tell);
            }
            Err(Lost(fault)) => {
                tracing::error!(fault, "the store could not commit");
                if !self.db.is_autocommit()
                    && let Err(again) = self.frame("ROLLBACK")
                {
                    tracing::error!(%again, "and could not roll back");
                }
                done.into_iter().for_each(|outcome| outcome.fail(&fault));
                waiting.for_each(|work| work.fail(&fault));
            }
        }
    }

    /// Moves all of `waiting` to `done` and commits.
    fn transaction(&self, waiting: &mut impl Iterator<Item = Work>, done: &mut Vec<Outcome>) -> Result<(), Lost> {
        if !self.db.is_autocommit() {
            // A group before could not be rolled back: nothing may ride on its transaction.
            self.frame("ROLLBACK")?;
        }
        self.frame("BEGIN IMMEDIATE")?;
        let high_water = self.high_water()?;
        // Read anew in each transaction: another process may write the same file.
        let mut log_size = log_size(&self.db)?;
        for work in waiting {
            done.push(self.step(work, high_water, &mut log_size)?);
        }
        Ok(self.frame("COMMIT")?)
    }

    /// One statement of a transaction's frame, compiled once.
    fn frame(&self, sql: &str) -> rusqlite::Result<()> {
        self.db.prepare_cached(sql)?.execute([]).map(|_| ())
    }

    /// One piece of work inside the transaction. When the file fails, its sender is told here and the rest by the caller.
    fn step(&self, work: Work, high_water: Timestamp, log_size: &mut u64) -> Result<Outcome, Lost> {
        match work {
            Work::Commit(batch, reply) => {
                let now = self.clock.now();
                match savepoint(&At { db: &self.db, now, high_water, log_size: *log_size }, &batch) {
                    Ok(Ok(size)) => {
                        *log_size = size;
                        Ok(Outcome::Committed(Committed { log_size: size, at: now }, reply))
                    }
                    Ok(Err(conflict)) => Ok(Outcome::Conflict(conflict, reply)),
                    Err(lost) => {
                        fail_commit(reply, &lost.0);
                        Err(lost)
                    }
                }
            }
            Work::Touch(touches, reply) => match touches.iter().try_for_each(|touch| write_touch(&self.db, *touch)) {
                Ok(()) => Ok(Outcome::Touched(reply)),
                Err(fault) => Err(lost(reply, fault)),
            },
            Work::Sweep(now, reply) => match sweep(&self.db, now.max(high_water), now) {
                Ok(rows) => Ok(Outcome::Swept(rows, reply)),
                Err(fault) => Err(lost(reply, fault)),
            },
        }
    }

    /// The latest time this store ever saw (rule M3). Written at most once a second: it only guards spans of a day.
    fn high_water(&self) -> Result<Timestamp, Lost> {
        let now = self.clock.now();
        let mut statement = self.db.prepare_cached("SELECT high_water FROM clock")?;
        let stored = Timestamp::from_millis(statement.query_row([], |row| row.get(0))?);
        if now.since(stored) >= Duration::from_secs(1) {
            self.db.prepare_cached("UPDATE clock SET high_water = ?")?.execute([now.millis()])?;
        }
        Ok(now.max(stored))
    }
}

/// One batch: its new log size, or the conflict that undid it alone.
fn savepoint(at: &At<'_>, batch: &Batch) -> Result<Result<u64, NotCommitted>, Lost> {
    at.db.prepare_cached("SAVEPOINT batch")?.execute([])?;
    let applied = match at.apply(batch) {
        Ok(size) => Ok(size),
        Err(Halt::Conflict(conflict)) => {
            at.db.prepare_cached("ROLLBACK TO batch")?.execute([])?;
            Err(NotCommitted::Conflict(conflict))
        }
        Err(Halt::Fault(fault)) => return Err(Lost(fault)),
    };
    at.db.prepare_cached("RELEASE batch")?.execute([])?;
    Ok(applied)
}

/// The number of leaves in the audit log.
pub(super) fn log_size(db: &Connection) -> rusqlite::Result<u64> {
    let mut statement = db.prepare_cached("SELECT coalesce(max(position) + 1, 0) FROM event")?;
    statement.query_row([], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}

/// Newer times win; a session that has ended has no row and is passed over.
fn write_touch(db: &Connection, touch: Touch) -> rusqlite::Result<()> {
    let (sql, id, at) = match touch {
        Touch::Login(id, at) => {
            ("UPDATE login_session SET last_seen = ?2 WHERE id = ?1 AND last_seen < ?2", id.to_bytes(), at)
        }
        Touch::Product(id, at) => {
            ("UPDATE product_session SET last_seen = ?2 WHERE id = ?1 AND last_seen < ?2", id.to_bytes(), at)
        }
    };
    db.prepare_cached(sql)?.execute(params![id, at.millis()]).map(|_| ())
}

/// Marks go by the high-water clock, all else by the time given; `idle_millis` below zero is a count too large to ever pass.
fn sweep(db: &Connection, high_water: Timestamp, now: Timestamp) -> rusqlite::Result<u64> {
    let past = now.minus(SESSION_KEPT).millis();
    let mut rows = 0;
    for (sql, time) in [
        ("DELETE FROM product_session WHERE abs_at < ?1 OR (idle_millis >= 0 AND last_seen + idle_millis < ?1)", past),
        ("DELETE FROM login_session WHERE abs_at < ?1 OR (idle_millis >= 0 AND last_seen + idle_millis < ?1)", past),
        ("DELETE FROM api_token WHERE expires_at < ?1", past),
        ("DELETE FROM mark WHERE keep_until < ?1", high_water.millis()),
        ("DELETE FROM revocation WHERE at < ?1", now.minus(KEPT).millis()),
        ("DELETE FROM mailbox_proof WHERE expires_at < ?1", now.millis()),
        ("DELETE FROM attempt WHERE until < ?1", now.millis()),
        ("DELETE FROM quarantine WHERE until < ?1", now.millis()),
    ] {
        rows += db.prepare_cached(sql)?.execute([time])?;
    }
    for (sql, kept) in outbox::SWEPT {
        rows += db.prepare_cached(sql)?.execute([now.minus(kept).millis()])?;
    }
    db.prepare_cached("UPDATE clock SET high_water = max(high_water, ?)")?.execute([high_water.millis()])?;
    Ok(u64::try_from(rows).unwrap_or(u64::MAX))
}

fn unavailable(fault: &str) -> Unavailable {
    Unavailable(fault.to_owned())
}

/// Sends an answer. Nobody listens any more when the caller's request was dropped; what was committed stays committed.
fn answer<T>(reply: oneshot::Sender<T>, value: T) {
    if reply.send(value).is_err() {
        tracing::debug!("nobody waits for the store's answer");
    }
}

/// Tells the sender, and gives the group up.
fn lost<T>(reply: oneshot::Sender<Result<T, Unavailable>>, fault: rusqlite::Error) -> Lost {
    let lost = Lost::from(fault);
    answer(reply, Err(unavailable(&lost.0)));
    lost
}

fn fail_commit(reply: oneshot::Sender<Result<Committed, NotCommitted>>, fault: &str) {
    answer(reply, Err(unavailable(fault).into()));
}

impl Work {
    fn fail(self, fault: &str) {
        match self {
            Self::Commit(_, reply) => fail_commit(reply, fault),
            Self::Touch(_, reply) => answer(reply, Err(unavailable(fault))),
            Self::Sweep(_, reply) => answer(reply, Err(unavailable(fault))),
        }
    }
}

impl Outcome {
    fn tell(self) {
        match self {
            Self::Committed(committed, reply) => answer(reply, Ok(committed)),
            Self::Conflict(conflict, reply) => answer(reply, Err(conflict)),
            Self::Touched(reply) => answer(reply, Ok(())),
            Self::Swept(rows, reply) => answer(reply, Ok(rows)),
        }
    }

    fn fail(self, fault: &str) {
        match self {
            Self::Committed(_, reply) | Self::Conflict(_, reply) => fail_commit(reply, fault),
            Self::Touched(reply) => answer(reply, Err(unavailable(fault))),
            Self::Swept(_, reply) => answer(reply, Err(unavailable(fault))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;
    use crate::kernel::journal::Change;

    fn batch(name: &str, length: usize) -> Batch {
        let value = vec![7; length];
        Batch { changes: vec![Change::PutSetting { name: name.to_owned(), value }], ..Batch::default() }
    }

    /// What each of a group's batches is told.
    fn commit(writer: &mut Writer, group: impl IntoIterator<Item = Batch>) -> Vec<bool> {
        let (work, mut answers): (Vec<_>, Vec<_>) = group
            .into_iter()
            .map(|batch| {
                let (reply, answer) = oneshot::channel();
                (Work::Commit(Box::new(batch), reply), answer)
            })
            .unzip();
        writer.group(work);
        answers.iter_mut().map(|answer| answer.try_recv().unwrap().is_ok()).collect()
    }

    #[test]
    fn a_full_disk_refuses_the_whole_group_and_the_next_one_goes_on() {
        let path = std::env::temp_dir().join(format!("fedgate-full-disk-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let db = schema::open_writer(&path.join("fedgate.db")).unwrap();
        let pages: i64 = db.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        db.pragma_update(None, "max_page_count", pages + 4).unwrap();
        let mut writer = Writer { db, clock: Clock::system(), nudge: Arc::new(Notify::new()) };
        assert_eq!(commit(&mut writer, [batch("a", 9), batch("b", 1 << 20), batch("c", 9)]), [false, false, false]);
        let left: i64 = writer.db.query_row("SELECT count(*) FROM setting", [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0);
        assert_eq!(commit(&mut writer, [batch("a", 9), batch("c", 9)]), [true, true]);
        std::fs::remove_dir_all(&path).unwrap();
    }
}
