//! The writer's connection. One transaction holds a group of batches; the first thing that it does is to lock the table `writer`,
//! so that in the whole cluster one transaction writes at a time, as in a file: what a batch reads before it writes stays true
//! until the end, log positions and positions of revocations follow each other in the order of the commits, and no transaction of
//! ours meets another one of ours. A node that freezes in the middle is cut off by the server after [`FRAME`]'s limits.

use super::address::{Address, CONNECT};
use super::links::connect;
use super::pipeline::{Asked, together};
use super::words::{halt, lost, numbered, said, typed, values};
use crate::kernel::values::Timestamp;
use crate::store::Conflict;
use crate::store::sql::change::{Halt, Lost, Writing};
use crate::store::sql::writer::{Ended, OVER, Session, Work};
use crate::store::sql::{Params, Read, Row, params};
use std::cell::{Cell, RefCell};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_postgres::{Client, Error, SimpleQueryMessage};

/// Begins a transaction, in one round trip. Its limits are its own, so that a pooler in between hands them to nobody else; what is
/// acknowledged is on disk whatever the server's default is.
const FRAME: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SET LOCAL lock_timeout = '3s';
    SET LOCAL statement_timeout = '5s';
    SET LOCAL idle_in_transaction_session_timeout = '2s';
    SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off';
    LOCK TABLE writer IN EXCLUSIVE MODE;
    SELECT 'now', (extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// How long a statement may take until the connection is given up: longer than the server's own limit.
const PATIENCE: Duration = Duration::from_secs(6);

/// Rows that one sweep takes of a table at most, so that logins do not wait for it.
pub(super) const SWEPT: u64 = 5_000;

/// The connection, and the runtime that drives it on the writer's thread.
pub(super) struct Line {
    runtime: Runtime,
    address: Address,
    client: Option<Client>,
    /// The server's clock at the beginning of the transaction.
    now: Timestamp,
    /// Whether a statement failed since the last savepoint was returned to: the server would turn a commit into its opposite.
    is_broken: Cell<bool>,
    /// Whether an answer did not come in time: nothing more is asked over this connection.
    is_silent: Cell<bool>,
    /// What is still to be sent, in this order.
    asked: RefCell<Vec<Asked>>,
}

/// The end of a savepoint. Before the end of the transaction it says nothing.
const RELEASE: &str = "RELEASE SAVEPOINT batch";

impl Line {
    pub(super) fn new(runtime: Runtime, address: Address) -> Self {
        let (is_broken, is_silent) = (Cell::new(false), Cell::new(false));
        Self {
            runtime,
            address,
            client: None,
            now: Timestamp::from_millis(0),
            is_broken,
            is_silent,
            asked: RefCell::default(),
        }
    }

    fn client(&self) -> Result<&Client, Lost> {
        self.client.as_ref().ok_or_else(|| Lost::for_good("the server is not connected"))
    }

    /// Waits for an answer, not for ever.
    fn answer<T>(&self, asked: impl Future<Output = Result<T, Error>>) -> Result<Result<T, Error>, Lost> {
        let answered = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, asked).await });
        if !matches!(answered, Ok(Ok(_))) {
            self.is_broken.set(true);
        }
        answered.map_err(|_| {
            self.is_silent.set(true);
            Lost::for_good("the server does not answer")
        })
    }

    fn connected(&mut self) -> Result<(), Lost> {
        if self.client.as_ref().is_some_and(|client| !client.is_closed()) {
            return Ok(());
        }
        let address = &self.address;
        let connected = self.runtime.block_on(async { tokio::time::timeout(CONNECT, connect(address)).await });
        let (client, connection) =
            connected.map_err(|_| Lost::for_good("the server does not answer"))?.map_err(Lost::for_good)?;
        self.runtime.spawn(async move {
            if let Err(fault) = connection.await {
                tracing::debug!(fault = said(&fault), "the writer's connection to the store ended");
            }
        });
        self.client = Some(client);
        self.is_silent.set(false);
        Ok(())
    }

    /// Where the log of revocations stands while nobody writes.
    pub(super) fn last_revocation(&mut self) -> Result<u64, Lost> {
        self.begin()?;
        let mut last = 0;
        let sql = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM revocation_seq_seq";
        let read = self.query(sql, &[], &mut |row| {
            last = row.get::<i64>(0)?.cast_unsigned();
            Ok(())
        });
        self.rollback();
        match read {
            Ok(()) => Ok(last),
            Err(Halt::Fault(lost)) => Err(lost),
            Err(other) => Err(Lost::for_good(format!("{other:?}"))),
        }
    }

    /// Whether what is sent crosses a network in the clear.
    pub(super) fn is_open(&self) -> bool {
        self.address.is_open
    }

    /// Runs work on the writer's connection, before there is a writer.
    pub(super) fn with<T>(&mut self, work: impl AsyncFnOnce(&Client) -> Result<T, Error>) -> Result<T, Lost> {
        self.connected()?;
        self.answer(work(self.client()?))?.map_err(|fault| lost(&fault))
    }
}

impl Writing for Line {
    fn demand(&self, sql: &str, row: Params<'_>, otherwise: Option<Conflict>) -> Result<(), Halt> {
        self.asked.borrow_mut().push(Asked::new(sql, row, otherwise));
        Ok(())
    }

    fn find(&self, sql: &str, key: Params<'_>, otherwise: Conflict) -> Result<(), Halt> {
        self.demand(sql, key, Some(otherwise))
    }

    fn settle(&self) -> Result<(), Halt> {
        let asked = self.asked.take();
        if asked.is_empty() {
            return Ok(());
        }
        let client = self.client().map_err(Halt::Fault)?;
        let answers = self.answer(async { Ok(together(client, &asked).await) }).map_err(Halt::Fault)?;
        let answers = answers.map_err(|fault| halt(&fault))?;
        if answers.iter().any(Result::is_err) {
            self.is_broken.set(true);
        }
        asked.iter().zip(answers).try_for_each(|(one, answer)| one.judge(answer))
    }

    fn execute(&self, sql: &str, row: Params<'_>) -> Result<u64, Halt> {
        self.settle()?;
        let client = self.client().map_err(Halt::Fault)?;
        let (words, row) = (numbered(sql), values(row));
        let changed = self.answer(client.execute_typed(&words, &typed(&row))).map_err(Halt::Fault)?;
        if changed.is_ok() && sql.starts_with("ROLLBACK TO SAVEPOINT") {
            self.is_broken.set(false);
        }
        changed.map_err(|fault| halt(&fault))
    }

    fn query(&self, sql: &str, key: Params<'_>, each: &mut dyn FnMut(&Row<'_>) -> Read<()>) -> Result<(), Halt> {
        self.settle()?;
        let client = self.client().map_err(Halt::Fault)?;
        let (words, key) = (numbered(sql), values(key));
        let found = self.answer(client.query_typed(&words, &typed(&key))).map_err(Halt::Fault)?;
        let found = found.map_err(|fault| halt(&fault))?;
        let all: Read<()> = found.iter().try_for_each(|row| each(&Row::Postgres(row)));
        all.map_err(|fault| Halt::Fault(Lost::for_good(fault)))
    }

    fn delete(&self, table: &str, when: &str) -> String {
        format!("DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE {when} LIMIT {SWEPT}))")
    }
}

impl Session for Line {
    const FINDS_SESSIONS: bool = false;

    fn remove(&self, ended: &Ended) -> Result<u64, Halt> {
        let Ended { table, ids, by } = ended;
        let hex = |id: &[u8; 16]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let listed = ids.iter().map(hex).collect::<Vec<_>>().join(",");
        // Asked again: what was seen may have been used since.
        let sql = format!(
            "DELETE FROM {table} WHERE id = ANY (ARRAY(SELECT decode(one, 'hex') FROM unnest(string_to_array(?2, ',')) AS one)) AND ({OVER})"
        );
        self.execute(&sql, params![by.millis(), listed])
    }

    fn wait(&mut self, inbox: &mut mpsc::Receiver<Work>) -> Option<Work> {
        self.runtime.block_on(inbox.recv())
    }

    fn begin(&mut self) -> Result<(), Lost> {
        self.connected()?;
        self.is_broken.set(false);
        self.asked.take();
        let begun = self.answer(self.client()?.simple_query(FRAME))?.map_err(|fault| lost(&fault))?;
        let now = begun.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) if row.get(0) == Some("now") => row.get(1)?.parse().ok(),
            _ => None,
        });
        self.now = Timestamp::from_millis(now.ok_or_else(|| Lost::for_good("the server tells no time"))?);
        Ok(())
    }

    fn commit(&mut self, nudges: bool) -> Result<(), Lost> {
        self.asked.borrow_mut().pop_if(|last| last.is(RELEASE));
        self.settle().map_err(|halt| match halt {
            Halt::Fault(lost) => lost,
            other => Lost::for_good(format!("what was left of the group: {other:?}")),
        })?;
        if self.is_broken.get() {
            return Err(Lost::for_good("a statement failed"));
        }
        // Never of a login: it takes a lock through the commit (measured: it halves what can be committed).
        if nudges {
            self.answer(self.client()?.batch_execute(super::NOTIFY))?.map_err(|fault| lost(&fault))?;
        }
        let ended = self.answer(self.client()?.batch_execute("COMMIT"))?;
        // An error that the server sends says that it undid all; without an answer nobody knows.
        ended.map_err(|fault| match fault.as_db_error() {
            Some(_) => lost(&fault),
            None => Lost::for_good(format!("it is not known whether it was committed: {}", said(&fault))),
        })
    }

    fn rollback(&mut self) {
        self.asked.take();
        let is_undone = !self.is_silent.get()
            && self.client().is_ok_and(|client| matches!(self.answer(client.batch_execute("ROLLBACK")), Ok(Ok(()))));
        // A connection that cannot even do that is given up, and the server undoes what it has of it.
        if !is_undone {
            self.client = None;
        }
    }

    fn now(&self) -> Timestamp {
        self.now
    }
}
