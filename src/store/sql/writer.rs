//! The one writer of a process: takes work from a bounded channel and commits it in groups, one transaction for all that waited.
//! Nearly never does a batch lose a race: a group is first written as if none did, and where one does all of it is undone and written
//! again with a savepoint for each batch, so that the one is undone alone. Whoever sent it is answered after the commit; when
//! the commit fails, all of the group hear that the store is unavailable.

use super::super::{Committed, NotCommitted, Touch, Unavailable};
use super::change::{At, Halt, KEPT, Lost, Writing};
use super::{outbox, params};
use crate::kernel::journal::Batch;
use crate::kernel::model::RELINK_UNDOABLE;
use crate::kernel::values::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};

/// Work that may wait for the writer. Senders wait beyond it, so that a slow store slows logins down and eats no memory.
pub(in crate::store) const QUEUE: usize = 1024;

/// Batches in one transaction at most: bounds how long the first of them waits for the last.
const GROUP: usize = 256;

/// How often a group is tried again that another transaction undid, or whose connection was gone before it began.
const AGAIN: u32 = 3;

/// A session row outlives its end by this long: its last activity is written lossily, and a clock that jumps forward by a day
/// must not sign everybody out for good. Expiry itself is judged by the kernel, at each request.
pub(in crate::store) const SESSION_KEPT: Duration = KEPT;

/// What the writer is asked for, each with where its answer goes.
pub(in crate::store) enum Work {
    /// Commit a batch.
    Commit(Box<Batch>, oneshot::Sender<Result<Committed, NotCommitted>>),
    /// Write last activity.
    Touch(Vec<Touch>, oneshot::Sender<Result<(), Unavailable>>),
    /// Remove what has expired by this time.
    Sweep(Timestamp, oneshot::Sender<Result<u64, Unavailable>>),
    /// Remove these rows of a table of sessions, as far as they were over at a time that lies [`SESSION_KEPT`] before now.
    Remove(Ended, oneshot::Sender<Result<u64, Unavailable>>),
}

/// Sessions that were seen to be over.
#[derive(Clone)]
pub(in crate::store) struct Ended {
    /// Their table: one of [`SESSIONS`].
    pub table: &'static str,
    /// Their ids.
    pub ids: Vec<[u8; 16]>,
    /// Over at this time.
    pub by: Timestamp,
}

/// The tables of sessions, children first.
pub(in crate::store) const SESSIONS: [&str; 2] = ["product_session", "login_session"];

/// Over at `?1`. An `idle_millis` below zero is a count too large to ever pass.
pub(in crate::store) const OVER: &str = "abs_at < ?1 OR (idle_millis >= 0 AND last_seen + idle_millis < ?1)";

/// What a piece of work came to, until the group is durable.
enum Outcome {
    Batch(Result<Committed, NotCommitted>),
    Touched,
    Swept(u64),
}

/// The writer's connection, and what the databases do differently in a transaction's frame.
pub(in crate::store) trait Session: Writing {
    /// Waits for the next piece of work; `None` when all who could send some are gone.
    fn wait(&mut self, inbox: &mut mpsc::Receiver<Work>) -> Option<Work>;
    /// Begins a transaction that sees all that was committed, and beside which nobody else in the cluster writes until its end.
    fn begin(&mut self) -> Result<(), Lost>;
    /// Makes it durable; `nudges` when a revocation is in it.
    fn commit(&mut self, nudges: bool) -> Result<(), Lost>;
    /// Undoes whatever is open. What fails here fails again at the next beginning.
    fn rollback(&mut self);
    /// The store's clock.
    fn now(&self) -> Timestamp;
    /// Removes sessions that others found to be over; none where a sweep finds them itself.
    fn remove(&self, _: &Ended) -> Result<u64, Halt> {
        Ok(0)
    }
    /// Whether a sweep looks through the tables of sessions. Where there may be millions, it must not hold the writer up meanwhile.
    const FINDS_SESSIONS: bool = true;
}

/// The writer's own state.
pub(in crate::store) struct Writer<S> {
    /// Its connection; nobody else writes in this process.
    pub db: S,
    /// Told after each group that holds a revocation.
    pub nudge: Arc<Notify>,
    /// For so many groups more each batch has a savepoint from the start.
    pub wary: u32,
}

/// After a batch that lost, so many groups are written with savepoints at once: whoever sends replays makes no more work than that.
const WARY: u32 = 64;

/// Why a transaction did not come to its end.
enum Undone {
    /// All of the group is lost, or may do once more.
    Lost(Lost),
    /// One of its batches lost a race or was refused, and was not alone: each needs a savepoint.
    OneLost,
}

impl From<Lost> for Undone {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

impl<S: Session> Writer<S> {
    /// Works until the channel is closed and empty.
    pub(in crate::store) fn run(mut self, mut inbox: mpsc::Receiver<Work>) {
        while let Some(first) = self.db.wait(&mut inbox) {
            let mut group = vec![first];
            while let Some(next) = (group.len() < GROUP).then(|| inbox.try_recv().ok()).flatten() {
                group.push(next);
            }
            self.group(group);
        }
    }

    pub(in crate::store) fn group(&mut self, group: Vec<Work>) {
        match self.durable(&group) {
            Ok(outcomes) => {
                if nudges(&group) {
                    // Whoever waits now is woken; whoever is just reading finds a permit and reads once more.
                    self.nudge.notify_waiters();
                    self.nudge.notify_one();
                }
                group.into_iter().zip(outcomes).for_each(|(work, outcome)| work.tell(outcome));
            }
            Err(Lost { fault, .. }) => {
                tracing::error!(fault, "the store could not commit");
                group.into_iter().for_each(|work| work.fail(&fault));
            }
        }
    }

    /// Commits all of the group, in one transaction; tries again where nothing can have come of it.
    fn durable(&mut self, group: &[Work]) -> Result<Vec<Outcome>, Lost> {
        let mut tries = 0;
        loop {
            match self.transaction(group) {
                Ok(outcomes) => {
                    self.wary = self.wary.saturating_sub(1);
                    return Ok(outcomes);
                }
                Err(Undone::OneLost) => {
                    self.db.rollback();
                    if self.wary > 0 {
                        return Err(Lost::for_good("something lost a race that has none"));
                    }
                    self.wary = WARY;
                }
                Err(Undone::Lost(lost)) => {
                    self.db.rollback();
                    if !lost.again || tries == AGAIN {
                        return Err(lost);
                    }
                    tries += 1;
                    tracing::debug!(fault = lost.fault, "the store's transaction is tried again");
                }
            }
        }
    }

    fn transaction(&mut self, group: &[Work]) -> Result<Vec<Outcome>, Undone> {
        self.db.begin()?;
        let (high_water, mut log_size) = self.standing()?;
        let outcomes: Result<Vec<_>, _> = group.iter().map(|work| self.step(work, high_water, &mut log_size)).collect();
        let outcomes = outcomes?;
        self.db.settle().map_err(undone)?;
        self.db.commit(nudges(group))?;
        Ok(outcomes)
    }

    /// One piece of work inside the transaction.
    fn step(&self, work: &Work, high_water: Timestamp, log_size: &mut u64) -> Result<Outcome, Undone> {
        let now = self.db.now();
        Ok(match work {
            Work::Commit(batch, _) if self.wary == 0 => {
                let at = At { db: &self.db, now, high_water, log_size: *log_size };
                *log_size = at.apply(batch).map_err(undone)?;
                Outcome::Batch(Ok(Committed { log_size: *log_size, at: now }))
            }
            Work::Commit(batch, _) => {
                let applied = savepoint(&At { db: &self.db, now, high_water, log_size: *log_size }, batch)?;
                *log_size = applied.as_ref().copied().unwrap_or(*log_size);
                Outcome::Batch(applied.map(|log_size| Committed { log_size, at: now }))
            }
            Work::Touch(touches, _) => {
                touches.iter().try_for_each(|touch| write_touch(&self.db, *touch)).map_err(undone)?;
                Outcome::Touched
            }
            Work::Sweep(now, _) => Outcome::Swept(sweep(&self.db, (*now).max(high_water), *now).map_err(undone)?),
            Work::Remove(ended, _) => Outcome::Swept(self.db.remove(ended).map_err(undone)?),
        })
    }

    /// The latest time this store ever saw (rule M3), and the size of the log. Read anew in each transaction: another process may write
    /// the same store. The time is written at most once a second: it only guards spans of a day.
    fn standing(&self) -> Result<(Timestamp, u64), Lost> {
        let now = self.db.now();
        let sql = "SELECT high_water, (SELECT coalesce(max(position) + 1, 0) FROM event) FROM clock";
        let mut standing = None;
        let each = &mut |row: &super::Row<'_>| {
            standing = Some((Timestamp::from_millis(row.get::<i64>(0)?), row.get::<i64>(1)?.cast_unsigned()));
            Ok(())
        };
        self.db.query(sql, params![], each).map_err(lost)?;
        let gone = || Lost::for_good("the store has lost its only row of a table");
        let (stored, log_size) = standing.ok_or_else(gone)?;
        if now.since(stored) >= Duration::from_secs(1) {
            self.db.execute("UPDATE clock SET high_water = ?", params![now.millis()]).map_err(lost)?;
        }
        Ok((now.max(stored), log_size))
    }
}

fn nudges(group: &[Work]) -> bool {
    group.iter().any(|work| matches!(work, Work::Commit(batch, _) if !batch.revocations.is_empty()))
}

/// One batch: its new log size, or why it was undone alone.
fn savepoint(at: &At<'_>, batch: &Batch) -> Result<Result<u64, NotCommitted>, Lost> {
    let frame = |sql| at.db.demand(sql, params![], None).map_err(lost);
    frame("SAVEPOINT batch")?;
    // What was run before it stopped comes first.
    let applied = at.apply(batch);
    let applied = match at.db.settle().and(applied) {
        Ok(size) => Ok(size),
        Err(Halt::Conflict(conflict)) => Err(NotCommitted::Conflict(conflict)),
        Err(Halt::Refused(fault)) => Err(unavailable(&fault).into()),
        Err(Halt::Fault(lost)) => return Err(lost),
    };
    if applied.is_err() {
        at.db.execute("ROLLBACK TO SAVEPOINT batch", params![]).map_err(lost)?;
    }
    frame("RELEASE SAVEPOINT batch")?;
    Ok(applied)
}

/// What stops a batch that has no savepoint.
fn undone(halt: Halt) -> Undone {
    match halt {
        Halt::Fault(lost) => Undone::Lost(lost),
        Halt::Refused(_) | Halt::Conflict(_) => Undone::OneLost,
    }
}

/// Outside a batch nothing is refused alone: the group is lost with it.
fn lost(halt: Halt) -> Lost {
    match halt {
        Halt::Fault(lost) => lost,
        Halt::Refused(fault) => Lost::for_good(fault),
        Halt::Conflict(conflict) => Lost::for_good(format!("the store's own rows are in the way: {conflict:?}")),
    }
}

/// Newer times win; a session that has ended has no row and is passed over.
fn write_touch(db: &dyn Writing, touch: Touch) -> Result<(), Halt> {
    let (sql, id, at) = match touch {
        Touch::Login(id, at) => {
            ("UPDATE login_session SET last_seen = ?2 WHERE id = ?1 AND last_seen < ?2", id.to_bytes(), at)
        }
        Touch::Product(id, at) => {
            ("UPDATE product_session SET last_seen = ?2 WHERE id = ?1 AND last_seen < ?2", id.to_bytes(), at)
        }
    };
    db.demand(sql, params![id, at.millis()], None)
}

/// A change of provider of which nothing can be taken back any more.
const UNUSED_RELINKING: &str =
    "until < ?1 AND NOT EXISTS (SELECT 1 FROM relinked WHERE relinked.relinking = relinking.id)";

/// Marks go by the high-water clock, all else by the time given.
fn sweep<S: Session>(db: &S, high_water: Timestamp, now: Timestamp) -> Result<u64, Halt> {
    let past = now.minus(SESSION_KEPT).millis();
    let mut rows = 0;
    for table in SESSIONS.into_iter().filter(|_| S::FINDS_SESSIONS) {
        rows += db.execute(&db.delete(table, OVER), params![past])?;
    }
    for (table, when, time) in [
        ("api_token", "expires_at < ?1", past),
        ("mark", "keep_until < ?1", high_water.millis()),
        ("revocation", "at < ?1", now.minus(KEPT).millis()),
        ("mailbox_proof", "expires_at < ?1", now.millis()),
        ("attempt", "until < ?1", now.millis()),
        ("quarantine", "until < ?1", now.millis()),
        ("relinked", "at < ?1", now.minus(RELINK_UNDOABLE).millis()),
        ("relinking", UNUSED_RELINKING, now.minus(RELINK_UNDOABLE).millis()),
    ] {
        rows += db.execute(&db.delete(table, when), params![time])?;
    }
    for (table, when, kept) in outbox::SWEPT {
        rows += db.execute(&db.delete(table, when), params![now.minus(kept).millis()])?;
    }
    db.execute("UPDATE clock SET high_water = ?1 WHERE high_water < ?1", params![high_water.millis()])?;
    Ok(rows)
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

impl Work {
    fn fail(self, fault: &str) {
        match self {
            Self::Commit(_, reply) => answer(reply, Err(unavailable(fault).into())),
            Self::Touch(_, reply) => answer(reply, Err(unavailable(fault))),
            Self::Sweep(_, reply) | Self::Remove(_, reply) => answer(reply, Err(unavailable(fault))),
        }
    }

    fn tell(self, outcome: Outcome) {
        match (self, outcome) {
            (Self::Commit(_, reply), Outcome::Batch(result)) => answer(reply, result),
            (Self::Touch(_, reply), Outcome::Touched) => answer(reply, Ok(())),
            (Self::Sweep(_, reply) | Self::Remove(_, reply), Outcome::Swept(rows)) => answer(reply, Ok(rows)),
            (work, _) => work.fail("the store's writer answered something else"),
        }
    }
}
