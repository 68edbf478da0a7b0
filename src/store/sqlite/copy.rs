//! A file that is copied, or that a copy becomes: one connection, which nobody else's can be beside.

use super::super::OpenError;
use super::super::copy::{Cell, Column, CopyFault, End, Plan, Rows, Side};
use super::super::sql::value::Kind;
use super::schema;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, params_from_iter};
use std::path::Path;

/// The file, locked.
pub(in crate::store) struct Alone {
    db: Connection,
    side: Side,
}

/// Opens a file for a copy; the target is made where there is none.
pub(in crate::store) fn copied(path: &Path, side: Side) -> Result<Alone, CopyFault> {
    if side == Side::From && !path.exists() {
        let why = std::io::Error::new(std::io::ErrorKind::NotFound, format!("there is no {}", path.display()));
        return Err(CopyFault::Open(side, why.into()));
    }
    drop(schema::open_writer(path).map_err(|why| opening(side, why))?);
    let db = schema::open_alone(path).map_err(|why| opening(side, why))?;
    Ok(Alone { db, side })
}

fn opening(side: Side, why: OpenError) -> CopyFault {
    match why {
        OpenError::Database(why) if is_busy(&why) => CopyFault::InUse(side),
        why => CopyFault::Open(side, why),
    }
}

fn is_busy(why: &rusqlite::Error) -> bool {
    matches!(why.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

impl Alone {
    fn fault(&self, what: &str, why: &rusqlite::Error) -> CopyFault {
        if is_busy(why) {
            CopyFault::InUse(self.side)
        } else {
            CopyFault::Failed(self.side, what.to_owned(), why.to_string())
        }
    }
}

impl End for Alone {
    fn columns(&mut self) -> Result<Vec<Column>, CopyFault> {
        let sql = "SELECT s.name, c.name, c.type FROM sqlite_schema AS s, pragma_table_info(s.name) AS c
                   WHERE s.type = 'table' AND s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
        let read = || {
            let mut statement = self.db.prepare(sql)?;
            let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?)))?;
            found.collect::<rusqlite::Result<Vec<(String, String, String)>>>()
        };
        let found = read().map_err(|why| self.fault("its tables", &why))?;
        let column = |(table, name, kind): (String, String, String)| {
            let kind = match kind.as_str() {
                "INTEGER" => Kind::Int,
                "TEXT" => Kind::Text,
                "BLOB" => Kind::Bytes,
                _ => return Err(CopyFault::Layout(format!("{name} of {table} with {kind}"))),
            };
            Ok(Column { table, name, kind })
        };
        found.into_iter().map(column).collect()
    }

    fn run(&mut self, sql: &str) -> Result<(), CopyFault> {
        self.db.execute_batch(sql).map_err(|why| self.fault("a statement", &why))
    }

    fn number(&mut self, sql: &str) -> Result<i64, CopyFault> {
        self.db.query_row(sql, [], |row| row.get(0)).map_err(|why| self.fault("a count", &why))
    }

    fn read(&mut self, plan: &Plan, rows: Rows<'_>) -> Result<(), CopyFault> {
        let fault = |why: &rusqlite::Error| self.fault(plan.table.name, why);
        let mut statement = self.db.prepare(&plan.select()).map_err(|why| fault(&why))?;
        let mut found = statement.query([]).map_err(|why| fault(&why))?;
        let mut some = Vec::with_capacity(plan.table.at_once());
        while let Some(row) = found.next().map_err(|why| fault(&why))? {
            let cells: rusqlite::Result<Vec<Cell>> =
                (0..plan.columns.len()).map(|at| row.get_ref(at).and_then(|value| cell(at, value))).collect();
            some.push(cells.map_err(|why| fault(&why))?);
            if some.len() == plan.table.at_once() {
                rows(&some)?;
                some.clear();
            }
        }
        if some.is_empty() { Ok(()) } else { rows(&some) }
    }

    fn write(&mut self, plan: &Plan, rows: &[Vec<Cell>]) -> Result<(), CopyFault> {
        let places = vec!["?"; plan.columns.len()].join(", ");
        let sql = format!("INSERT INTO \"{}\" ({}) VALUES ({places})", plan.table.name, plan.names());
        let fault = |why: &rusqlite::Error| self.fault(plan.table.name, why);
        let mut statement = self.db.prepare_cached(&sql).map_err(|why| fault(&why))?;
        for row in rows {
            let values = row.iter().map(|cell| match cell {
                Cell::Null => ValueRef::Null,
                Cell::Int(number) => ValueRef::Integer(*number),
                Cell::Text(text) => ValueRef::Text(text.as_bytes()),
                Cell::Bytes(bytes) => ValueRef::Blob(bytes),
            });
            statement
                .execute(params_from_iter(values.map(rusqlite::types::ToSqlOutput::Borrowed)))
                .map_err(|why| fault(&why))?;
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), CopyFault> {
        self.run("BEGIN IMMEDIATE")
    }

    /// The lock that [`schema::open_alone`] took is held as long as the connection is there.
    fn alone(&mut self) -> Result<(), CopyFault> {
        Ok(())
    }

    fn last_revocation(&mut self) -> Result<i64, CopyFault> {
        let found =
            self.db.query_row("SELECT seq FROM sqlite_sequence WHERE name = 'revocation'", [], |row| row.get(0));
        found.optional().map(|last| last.unwrap_or(0)).map_err(|why| self.fault("its revocations", &why))
    }

    fn go_on_behind(&mut self, last: i64) -> Result<(), CopyFault> {
        self.run(&format!(
            "DELETE FROM sqlite_sequence WHERE name = 'revocation';
             INSERT INTO sqlite_sequence (name, seq) VALUES ('revocation', {last})"
        ))
    }
}

fn cell(at: usize, value: ValueRef<'_>) -> rusqlite::Result<Cell> {
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Int(number),
        ValueRef::Text(text) => Cell::Text(String::from_utf8(text.to_vec()).map_err(|why| {
            rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, Box::new(why))
        })?),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
        ValueRef::Real(_) => {
            return Err(rusqlite::Error::InvalidColumnType(at, "a fraction".to_owned(), rusqlite::types::Type::Real));
        }
    })
}
