//! From the statements that the databases share to PostgreSQL's, and from its errors to ours.

use super::super::sql::change::{Halt, Lost};
use super::super::sql::value::{Kind, Params, Value};
use crate::store::{Conflict, Unavailable};
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};

/// `?3` and `?`, the next one after the last plain one, as PostgreSQL writes them. No statement of ours has a question mark in quotes.
pub(super) fn numbered(sql: &str) -> String {
    let mut words = String::with_capacity(sql.len() + 16);
    let mut pieces = sql.split('?');
    words.push_str(pieces.next().unwrap_or(""));
    let mut last = 0_u32;
    for piece in pieces {
        words.push('$');
        if !piece.starts_with(|first: char| first.is_ascii_digit()) {
            last += 1;
            words.push_str(&last.to_string());
        }
        words.push_str(piece);
    }
    words
}

/// The values of a statement.
pub(super) fn values<'a>(row: Params<'a>) -> Vec<Value<'a>> {
    row.iter().map(|value| value.value()).collect()
}

/// Each with its type, so that nothing needs to be prepared, nor kept by a pooler in between.
pub(super) fn typed<'a>(values: &'a [Value<'a>]) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    let typed = |value: &'a Value<'a>| {
        let kind = match value.kind() {
            Kind::Int => Type::INT8,
            Kind::Text => Type::TEXT,
            Kind::Bytes => Type::BYTEA,
        };
        (value as &(dyn ToSql + Sync), kind)
    };
    values.iter().map(typed).collect()
}

/// An error with what the server said. It never holds the address that was connected to.
pub(super) fn said(fault: &Error) -> String {
    if let Some(said) = fault.as_db_error() {
        return format!("{} ({})", said.message(), said.code().code());
    }
    let mut text = fault.to_string();
    let mut cause = std::error::Error::source(fault);
    while let Some(why) = cause {
        text = format!("{text}: {why}");
        cause = why.source();
    }
    text
}

pub(super) fn unavailable(fault: &Error) -> Unavailable {
    Unavailable(said(fault))
}

/// What an error inside a transaction means for the batch that met it.
pub(super) fn halt(fault: &Error) -> Halt {
    match fault.code().map(SqlState::code) {
        // What an `ON CONFLICT` did not catch: a row that refers to one that is not there, an index that it did not name.
        Some(code) if code.starts_with("23") => Halt::Conflict(Conflict::Row),
        // A value that no column takes, as text with a zero byte: nobody else's batch is at fault.
        Some(code) if code.starts_with("22") => Halt::Refused(said(fault)),
        _ => Halt::Fault(lost(fault)),
    }
}

/// What an error before the end of a transaction means for all of it: the server undoes what it has of it.
pub(super) fn lost(fault: &Error) -> Lost {
    let undone = [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED];
    let again = fault.is_closed() || fault.code().is_some_and(|code| undone.contains(code) || is_restart(code));
    Lost { fault: said(fault), again }
}

/// The server goes down or ended this connection: another one may find it up again.
fn is_restart(code: &SqlState) -> bool {
    [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN].contains(code)
}

/// Whether a query that only reads may be asked again on another connection.
pub(super) fn is_gone(fault: &Error) -> bool {
    fault.is_closed() || fault.code().is_some_and(is_restart) || fault.as_db_error().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered() {
        assert_eq!(numbered("SELECT a FROM b"), "SELECT a FROM b");
        assert_eq!(numbered("VALUES (?, ?, ?)"), "VALUES ($1, $2, $3)");
        assert_eq!(numbered("SET a = ?2 WHERE b = ?12 AND c < ?2"), "SET a = $2 WHERE b = $12 AND c < $2");
    }
}
