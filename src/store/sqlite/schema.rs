//! The file: its mode, its pragmas and its migrations. A new version is a file beside `schema.sql` and a line in [`MIGRATIONS`];
//! a released one never changes.

use super::super::OpenError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

/// In order; the file's `user_version` counts how many it has.
const MIGRATIONS: &[&str] = &[
    include_str!("schema.sql"),
    // Policies for some people, confined sessions.
    include_str!("schema_policies.sql"),
    include_str!("credentials.sql"),
    include_str!("outbox.sql"),
    include_str!("domains.sql"),
    include_str!("organizations.sql"),
    include_str!("row_macs.sql"),
    include_str!("provider_logout.sql"),
    include_str!("migration.sql"),
    include_str!("profile.sql"),
    include_str!("devices.sql"),
    include_str!("merge.sql"),
    include_str!("deletions.sql"),
    include_str!("quarantine.sql"),
    include_str!("mail_language.sql"),
    include_str!("scim.sql"),
    include_str!("relink.sql"),
    include_str!("apps.sql"),
    include_str!("enterprise.sql"),
    include_str!("personal.sql"),
    include_str!("event_about.sql"),
    include_str!("provider_grant.sql"),
];

/// How long a connection waits for another process's lock before the store counts as unavailable. A browser waits with it, so
/// it is short; a back-up's lock is shorter.
const BUSY: Duration = Duration::from_secs(2);

/// Statements kept prepared per connection: more than there are different ones.
const PREPARED: usize = 256;

/// Opens the file for writing, creates it with mode 0600 and brings it up to date.
pub(super) fn open_writer(path: &Path) -> Result<Connection, OpenError> {
    private(path)?;
    let mut db = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE))?;
    tune(&db)?;
    db.pragma_update(None, "journal_mode", "wal")?;
    // In WAL mode FULL syncs the log at every commit: what was acknowledged survives a power cut.
    db.pragma_update(None, "synchronous", "full")?;
    // What is deleted is written over: a key that was destroyed must not be left in a free page (rule H13).
    db.pragma_update(None, "secure_delete", true)?;
    migrate(&mut db)?;
    Ok(db)
}

/// Opens a connection that can only read.
pub(super) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let db = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_ONLY))?;
    tune(&db)?;
    Ok(db)
}

/// Opens a connection that nobody else's can be beside, for as long as it is there.
pub(super) fn open_alone(path: &Path) -> Result<Connection, OpenError> {
    let db = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE))?;
    // Before the first access: only then does the lock keep out those who have the file open and do nothing.
    db.pragma_update(None, "locking_mode", "exclusive")?;
    tune(&db)?;
    db.pragma_update(None, "synchronous", "full")?;
    db.pragma_update(None, "secure_delete", true)?;
    db.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?;
    Ok(db)
}

/// The path is a path, never a `file:` address with parameters of its own; each connection is used under one lock.
fn flags(access: OpenFlags) -> OpenFlags {
    access | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn tune(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(BUSY)?;
    db.set_prepared_statement_cache_capacity(PREPARED);
    // Otherwise SQLite plans a query anew whenever a limit of a range in it is bound: at nearly every use of a prepared one.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "trusted_schema", false)
}

/// SQLite gives its log and index files the mode of the database file, so this one decides for all three.
fn private(path: &Path) -> Result<(), OpenError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let file =
        std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

fn migrate(db: &mut Connection) -> Result<(), OpenError> {
    // The write lock first, so that two processes that start together migrate once.
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    if done > MIGRATIONS.len() {
        return Err(OpenError::Newer { found, known: MIGRATIONS.len() });
    }
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX))?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::StatementStatus;

    #[test]
    fn a_store_with_rows_of_each_earlier_layout_is_opened() {
        for known in 1..MIGRATIONS.len() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("db");
            let db = Connection::open(&path).unwrap();
            for migration in &MIGRATIONS[..known] {
                db.execute_batch(migration).unwrap();
            }
            db.pragma_update(None, "user_version", i64::try_from(known).unwrap()).unwrap();
            // One row in every table, whatever its columns are: what a column is added to has rows.
            db.pragma_update(None, "foreign_keys", false).unwrap();
            db.pragma_update(None, "ignore_check_constraints", true).unwrap();
            let tables: Vec<String> = db
                .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
                .unwrap()
                .query_map([], |row| row.get(0))
                .unwrap()
                .map(Result::unwrap)
                .collect();
            for table in &tables {
                let kinds: Vec<String> = db
                    .prepare("SELECT type FROM pragma_table_info(?)")
                    .unwrap()
                    .query_map([table], |row| row.get(0))
                    .unwrap()
                    .map(Result::unwrap)
                    .collect();
                let values: Vec<&str> = kinds
                    .iter()
                    .map(|kind| match kind.as_str() {
                        "BLOB" => "x'7b7d'",
                        "TEXT" => "'{}'",
                        _ => "1",
                    })
                    .collect();
                db.execute(&format!("INSERT OR IGNORE INTO {table} VALUES ({})", values.join(",")), []).unwrap();
            }
            assert!(tables.len() > 10, "{known}");
            drop(db);
            let db = open_writer(&path).unwrap_or_else(|why| panic!("layout {known}: {why}"));
            let length = |table| {
                db.query_row(&format!("SELECT length(mac) FROM {table}"), [], |row| row.get::<_, i64>(0)).unwrap()
            };
            assert!([length("policy"), length("domain")].iter().all(|length| *length > 0), "{known}");
        }
    }

    #[test]
    fn events_of_before_the_index_by_person_are_found_by_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let db = Connection::open(&path).unwrap();
        let known = MIGRATIONS.iter().position(|migration| migration.contains("CREATE TABLE event_about")).unwrap();
        for migration in &MIGRATIONS[..known] {
            db.execute_batch(migration).unwrap();
        }
        db.pragma_update(None, "user_version", i64::try_from(known).unwrap()).unwrap();
        let ann = "01KB3Z8Q4W9T5N7M2XJ6R0V1CD";
        let by = format!(r#"{{"actor":{{"kind":"person","id":"{ann}/7","address":"ann@acme.com"}},"subject":{{}}}}"#);
        let whom = r#"{"actor":{"kind":"operator","id":"uid 0"},"subject":{"email":"bob@acme.com","account":"b"}}"#;
        for (position, bytes) in [(0, r#"{"subject":{}}"#), (1, by.as_str()), (2, whom)] {
            let row = (position, bytes.as_bytes());
            db.execute("INSERT INTO event (position, leaf, bytes) VALUES (?, x'00', ?)", row).unwrap();
        }
        drop(db);
        let db = open_writer(&path).unwrap();
        let mut rows = db.prepare("SELECT about, position FROM event_about ORDER BY position, about").unwrap();
        let found = rows.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))).unwrap();
        let expected =
            [(format!("a:{ann}"), 1), ("e:ann@acme.com".into(), 1), ("a:b".into(), 2), ("e:bob@acme.com".into(), 2)];
        assert_eq!(found.map(Result::unwrap).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_prepared_query_is_planned_once_whatever_is_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        open_writer(&path).unwrap();
        let db = open_reader(&path).unwrap();
        let mut statement = db.prepare("SELECT seq FROM revocation WHERE seq > ? ORDER BY seq LIMIT ?").unwrap();
        for after in [0, 7, 4_711, i64::MAX] {
            assert!(!statement.exists((after, 10)).unwrap());
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
