//! The writer's connection to the file.

use super::super::sql::change::{Halt, Lost, Writing};
use super::super::sql::writer::{Session, Work};
use super::super::sql::{Params, Read, Row};
use crate::clock::Clock;
use crate::kernel::values::Timestamp;
use crate::store::Conflict;
use rusqlite::{Connection, ErrorCode, params_from_iter};
use tokio::sync::mpsc;

/// The one connection that writes, and the store's clock, which is this machine's.
pub(super) struct File {
    pub db: Connection,
    pub clock: Clock,
}

impl From<rusqlite::Error> for Halt {
    fn from(fault: rusqlite::Error) -> Self {
        match fault.sqlite_error_code() {
            // What an `ON CONFLICT` did not catch: a row that refers to one that is not there.
            Some(ErrorCode::ConstraintViolation) => Self::Conflict(Conflict::Row),
            _ => Self::Fault(Lost::for_good(fault)),
        }
    }
}

impl Writing for File {
    fn execute(&self, sql: &str, row: Params<'_>) -> Result<u64, Halt> {
        let mut statement = self.db.prepare_cached(sql)?;
        let changed = statement.execute(params_from_iter(row.iter().map(|value| value.value())))?;
        Ok(u64::try_from(changed).unwrap_or(u64::MAX))
    }

    fn query(&self, sql: &str, key: Params<'_>, each: &mut dyn FnMut(&Row<'_>) -> Read<()>) -> Result<(), Halt> {
        let mut statement = self.db.prepare_cached(sql)?;
        let mut found = statement.query(params_from_iter(key.iter().map(|value| value.value())))?;
        while let Some(row) = found.next()? {
            each(&Row::Sqlite(row)).map_err(|fault| Halt::Fault(Lost::for_good(fault)))?;
        }
        Ok(())
    }

    fn delete(&self, table: &str, when: &str) -> String {
        format!("DELETE FROM {table} WHERE {when}")
    }
}

impl File {
    /// One statement of a transaction's frame, compiled once.
    fn frame(&self, sql: &str) -> Result<(), Lost> {
        let done = self.db.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        done.map(|_| ()).map_err(Lost::for_good)
    }
}

impl Session for File {
    fn wait(&mut self, inbox: &mut mpsc::Receiver<Work>) -> Option<Work> {
        inbox.blocking_recv()
    }

    fn begin(&mut self) -> Result<(), Lost> {
        if !self.db.is_autocommit() {
            // A group before could not be rolled back: nothing may ride on its transaction.
            self.frame("ROLLBACK")?;
        }
        self.frame("BEGIN IMMEDIATE")
    }

    fn commit(&mut self, _: bool) -> Result<(), Lost> {
        self.frame("COMMIT")
    }

    fn rollback(&mut self) {
        if !self.db.is_autocommit()
            && let Err(Lost { fault, .. }) = self.frame("ROLLBACK")
        {
            tracing::error!(fault, "the store could not roll back");
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;
    use crate::kernel::journal::Batch;
    use crate::kernel::journal::Change;
    use crate::store::sql::writer::Writer;
    use std::sync::Arc;
    use tokio::sync::{Notify, oneshot};

    fn batch(name: &str, length: usize) -> Batch {
        let value = vec![7; length];
        Batch { changes: vec![Change::PutSetting { name: name.to_owned(), value }], ..Batch::default() }
    }

    /// What each of a group's batches is told.
    fn commit(writer: &mut Writer<File>, group: impl IntoIterator<Item = Batch>) -> Vec<bool> {
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
        let mut writer = Writer { db: File { db, clock: Clock::system() }, nudge: Arc::new(Notify::new()), wary: 0 };
        assert_eq!(commit(&mut writer, [batch("a", 9), batch("b", 1 << 20), batch("c", 9)]), [false, false, false]);
        let left: i64 = writer.db.db.query_row("SELECT count(*) FROM setting", [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0);
        assert_eq!(commit(&mut writer, [batch("a", 9), batch("c", 9)]), [true, true]);
        std::fs::remove_dir_all(&path).unwrap();
    }
}
