//! A database that is copied, or that a copy becomes: one connection and one transaction that holds the lock of whoever writes.

use super::super::OpenError;
use super::super::copy::{Cell, Column, CopyFault, End, Plan, Rows, Side};
use super::super::sql::value::Kind;
use super::address::Address;
use super::links::connect;
use super::session::Line;
use super::words::said;
use super::{runtime, schema};
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row, SimpleQueryMessage};

/// Begins, waits for whoever is writing, and sees one moment from there on: in this isolation the moment is the first query's, which
/// comes after the lock.
const FRAME: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE;
    SET LOCAL lock_timeout = '5s';
    SET LOCAL statement_timeout = 0;
    SET LOCAL idle_in_transaction_session_timeout = 0;
    SET LOCAL synchronous_commit = on;
    LOCK TABLE writer IN EXCLUSIVE MODE";

/// Who else of ours is connected. Names of programs are told to every role.
const OTHERS: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'fedgate' AND pid <> pg_backend_pid()";

/// A gateway that was stopped a moment ago still has connections that are ending.
const LAST_ONES: Duration = Duration::from_secs(3);
const AGAIN: Duration = Duration::from_millis(100);

/// The database. Its connection is never made anew: what a transaction held would be gone.
pub(in crate::store) struct Alone {
    runtime: Runtime,
    client: Client,
    side: Side,
}

/// Opens a database for a copy and brings its tables up to date.
pub(in crate::store) fn copied(url: &str, state: &Path, side: Side) -> Result<Alone, CopyFault> {
    let opened = || {
        let address = Address::parse(url, state)?;
        let mut line = Line::new(runtime()?, address.clone());
        schema::findings(&mut line)?;
        schema::migrate(&mut line)?;
        drop(line);
        let runtime = runtime()?;
        let (client, connection) = runtime.block_on(connect(&address))?;
        runtime.spawn(async move {
            if let Err(fault) = connection.await {
                tracing::debug!(fault = said(&fault), "the copy's connection to a store ended");
            }
        });
        Ok::<_, OpenError>((runtime, client))
    };
    let (runtime, client) = opened().map_err(|why| CopyFault::Open(side, why))?;
    Ok(Alone { runtime, client, side })
}

impl Alone {
    fn ask<T>(&self, what: &str, asked: impl Future<Output = Result<T, Error>>) -> Result<T, CopyFault> {
        let answered = self.runtime.block_on(asked);
        answered.map_err(|why| CopyFault::Failed(self.side, what.to_owned(), said(&why)))
    }
}

impl End for Alone {
    fn columns(&mut self) -> Result<Vec<Column>, CopyFault> {
        let sql = "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL)
                   FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
                   WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0
                       AND NOT a.attisdropped";
        let found = self.ask("its tables", self.client.query_typed(sql, &[]))?;
        let column = |row: &Row| {
            let text = |at: usize| row.try_get::<_, String>(at);
            let (table, name, kind) = (text(0)?, text(1)?, text(2)?);
            let kind = match kind.as_str() {
                "text" => Kind::Text,
                "bytea" => Kind::Bytes,
                // The server's own numbers of transactions too: they stay where they are.
                _ => Kind::Int,
            };
            Ok(Column { table, name, kind })
        };
        let columns: Result<Vec<Column>, Error> = found.iter().map(column).collect();
        columns.map_err(|why| CopyFault::Failed(self.side, "its tables".to_owned(), said(&why)))
    }

    fn run(&mut self, sql: &str) -> Result<(), CopyFault> {
        self.ask("a statement", self.client.batch_execute(sql))
    }

    fn number(&mut self, sql: &str) -> Result<i64, CopyFault> {
        let found = self.ask("a count", self.client.simple_query(sql))?;
        let number = found.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
            _ => None,
        });
        number.ok_or_else(|| CopyFault::Failed(self.side, "a count".to_owned(), "no number".to_owned()))
    }

    fn read(&mut self, plan: &Plan, rows: Rows<'_>) -> Result<(), CopyFault> {
        let name = plan.table.name;
        self.ask(name, self.client.batch_execute(&format!("DECLARE copied NO SCROLL CURSOR FOR {}", plan.select())))?;
        let fetch = format!("FETCH FORWARD {} FROM copied", plan.table.at_once());
        loop {
            let found = self.ask(name, self.client.query_typed(&fetch, &[]))?;
            if found.is_empty() {
                break;
            }
            let some: Result<Vec<Vec<Cell>>, Error> = found.iter().map(|row| cells(plan, row)).collect();
            drop(found);
            rows(&some.map_err(|why| CopyFault::Failed(self.side, name.to_owned(), said(&why)))?)?;
        }
        self.ask(name, self.client.batch_execute("CLOSE copied"))
    }

    fn write(&mut self, plan: &Plan, rows: &[Vec<Cell>]) -> Result<(), CopyFault> {
        let arrays: Vec<Array<'_>> =
            (0..plan.columns.len()).zip(&plan.columns).map(|(at, (_, kind))| array(rows, at, *kind)).collect();
        let parameters: Vec<(&(dyn ToSql + Sync), Type)> = arrays.iter().map(Array::typed).collect();
        let places: Vec<String> = (1..=arrays.len()).map(|at| format!("${at}")).collect();
        let sql = format!(
            "INSERT INTO \"{}\" ({}) SELECT * FROM unnest({})",
            plan.table.name,
            plan.names(),
            places.join(", ")
        );
        let written = self.ask(plan.table.name, self.client.execute_typed(&sql, &parameters))?;
        if usize::try_from(written).is_ok_and(|written| written == rows.len()) {
            return Ok(());
        }
        Err(CopyFault::Differs(plan.table.name))
    }

    fn begin(&mut self) -> Result<(), CopyFault> {
        let begun = self.runtime.block_on(self.client.batch_execute(FRAME));
        begun.map_err(|why| match why.code() {
            Some(&tokio_postgres::error::SqlState::LOCK_NOT_AVAILABLE) => CopyFault::InUse(self.side),
            _ => CopyFault::Failed(self.side, "its beginning".to_owned(), said(&why)),
        })
    }

    fn alone(&mut self) -> Result<(), CopyFault> {
        let mut waited = Duration::ZERO;
        // What the server says of its sessions is kept for a transaction unless it is asked anew.
        while {
            self.run("SELECT pg_stat_clear_snapshot()")?;
            self.number(OTHERS)?
        } > 0
        {
            if waited >= LAST_ONES {
                return Err(CopyFault::InUse(self.side));
            }
            std::thread::sleep(AGAIN);
            waited += AGAIN;
        }
        Ok(())
    }

    fn last_revocation(&mut self) -> Result<i64, CopyFault> {
        self.number(
            "SELECT greatest(CASE WHEN is_called THEN last_value ELSE 0 END, (SELECT max(seq) FROM revocation)) FROM revocation_seq_seq",
        )
    }

    fn go_on_behind(&mut self, last: i64) -> Result<(), CopyFault> {
        // Of no revocation the next one is the first.
        self.run(&format!("SELECT setval('revocation_seq_seq', {}, {})", last.max(1), last > 0))
    }
}

fn cells(plan: &Plan, row: &Row) -> Result<Vec<Cell>, Error> {
    let columns = plan.columns.iter().enumerate();
    let cell = |(at, (_, kind)): (usize, &(String, Kind))| {
        Ok(match kind {
            Kind::Int => row.try_get::<_, Option<i64>>(at)?.map(Cell::Int),
            Kind::Text => row.try_get::<_, Option<String>>(at)?.map(Cell::Text),
            Kind::Bytes => row.try_get::<_, Option<Vec<u8>>>(at)?.map(Cell::Bytes),
        }
        .unwrap_or(Cell::Null))
    };
    columns.map(cell).collect()
}

/// A column of some rows, in one parameter.
enum Array<'a> {
    Int(Vec<Option<i64>>),
    Text(Vec<Option<&'a str>>),
    Bytes(Vec<Option<&'a [u8]>>),
}

/// A value of another kind than its column's becomes none, which the digest of what is read back tells.
fn array(rows: &[Vec<Cell>], at: usize, kind: Kind) -> Array<'_> {
    let column = rows.iter().map(|row| row.get(at));
    match kind {
        Kind::Int => Array::Int(
            column.map(|cell| if let Some(Cell::Int(number)) = cell { Some(*number) } else { None }).collect(),
        ),
        Kind::Text => Array::Text(
            column.map(|cell| if let Some(Cell::Text(text)) = cell { Some(text.as_str()) } else { None }).collect(),
        ),
        Kind::Bytes => Array::Bytes(
            column
                .map(|cell| if let Some(Cell::Bytes(bytes)) = cell { Some(bytes.as_slice()) } else { None })
                .collect(),
        ),
    }
}

impl Array<'_> {
    fn typed(&self) -> (&(dyn ToSql + Sync), Type) {
        match self {
            Self::Int(column) => (column, Type::INT8_ARRAY),
            Self::Text(column) => (column, Type::TEXT_ARRAY),
            Self::Bytes(column) => (column, Type::BYTEA_ARRAY),
        }
    }
}
