//! One moment of a store's file, while a gateway writes to it.

use super::super::OpenError;
use super::schema;
use crate::kernel::journal::KeyRow;
use crate::kernel::values::Timestamp;
use rusqlite::{Connection, OpenFlags};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// What a snapshot holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Snapshot {
    /// Events of the audit log.
    pub events: u64,
    /// The version of its tables.
    pub version: u32,
}

/// Writes the store as it is now into a new file of mode 0600. Writers wait for nothing.
///
/// # Errors
/// [`OpenError`]: there is a file of that name already, or the disk fails; the new file is then of no use.
pub fn snapshot(store: &Path, into: &Path) -> Result<Snapshot, OpenError> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(into)?;
    let db = schema::open_reader(store)?;
    // Into a file that is there and empty.
    db.execute("VACUUM INTO ?", [into.to_string_lossy().as_ref()])?;
    drop(db);
    let made = schema::open_reader(into)?;
    let events: i64 = made.query_row("SELECT count(*) FROM event", [], |row| row.get(0))?;
    let version: i64 = made.pragma_query_value(None, "user_version", |row| row.get(0))?;
    std::fs::File::open(into)?.sync_all()?;
    Ok(Snapshot { events: events.cast_unsigned(), version: u32::try_from(version).unwrap_or(u32::MAX) })
}

/// The sealed keys that a store's file holds, which is left as it is.
///
/// # Errors
/// [`OpenError`]: it is no store, or the disk fails.
pub fn keys_of(store: &Path) -> Result<Vec<KeyRow>, OpenError> {
    let db = schema::open_reader(store)?;
    let mut rows = db.prepare("SELECT kind, generation, sealed, created_at FROM key")?;
    let read = rows.query_map([], |row| {
        let created_at = Timestamp::from_millis(row.get(3)?);
        Ok(KeyRow { kind: row.get(0)?, generation: row.get(1)?, sealed: row.get(2)?, created_at })
    })?;
    Ok(read.collect::<Result<_, _>>()?)
}

/// Takes what is beside a store's file into it, so that the file alone is the store. Nobody else may have it open.
///
/// # Errors
/// [`OpenError`]: somebody has it open, or the disk fails.
pub fn settle(store: &Path) -> Result<(), OpenError> {
    let db = Connection::open_with_flags(store, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    let mode: String = db.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
    if mode != "delete" {
        return Err(std::io::Error::other("its log could not be taken into it").into());
    }
    drop(db);
    std::fs::File::open(store)?.sync_all()?;
    Ok(())
}
