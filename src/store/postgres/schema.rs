//! The tables' versions. A new version is a file beside `schema.sql` and a line in [`MIGRATIONS`]; a released one never changes.
//!
//! While a cluster is updated, programs of two versions run over one store: the newer one brings the tables up to date when it
//! starts, and the older one goes on. So a version only adds, and what it takes away was last used two versions before; a version
//! that older programs cannot work with says so by what it is usable from, and they refuse to start.

use super::super::OpenError;
use super::super::copy::MARK;
use super::session::Line;
use tokio_postgres::SimpleQueryMessage;

/// In order: the statements, and the version of the program (counted in these lines) that can work with the tables after them.
const MIGRATIONS: &[(&str, usize)] = &[(include_str!("schema.sql"), 1)];

/// Any number that nobody else uses for an advisory lock of this database: "fedgate", as bytes.
const LOCK: u64 = 0x0066_6564_6761_7465;

/// Brings the tables up to date. Of several processes that start together one does it, and the others wait for it.
pub(super) fn migrate(line: &mut Line) -> Result<(), OpenError> {
    let begin = format!(
        "BEGIN; SET LOCAL lock_timeout = '60s'; SET LOCAL idle_in_transaction_session_timeout = '30s';
         SELECT pg_advisory_xact_lock({LOCK});
         CREATE TABLE IF NOT EXISTS layout (version BIGINT NOT NULL, usable_from BIGINT NOT NULL);
         SELECT 'layout', version, usable_from FROM layout"
    );
    let found = line.with(async |client| client.simple_query(&begin).await).map_err(fault)?;
    let (version, usable_from) = found.iter().find_map(layout).unwrap_or((0, 0));
    let known = MIGRATIONS.len();
    if usable_from > known {
        return Err(OpenError::Newer { found: i64::try_from(version).unwrap_or(i64::MAX), known });
    }
    let mut work = String::new();
    for (statements, _) in MIGRATIONS.iter().skip(version) {
        work.push_str(statements);
    }
    if version < known {
        let usable_from = MIGRATIONS.last().map_or(known, |(_, from)| *from);
        work.push_str(&format!("DELETE FROM layout; INSERT INTO layout VALUES ({known}, {usable_from});"));
    }
    work.push_str("COMMIT");
    line.with(async |client| client.batch_execute(&work).await).map_err(fault)
}

/// Refuses what a copy that was cut off left.
pub(super) fn whole(line: &mut Line) -> Result<(), OpenError> {
    let sql = format!("SELECT 1 FROM setting WHERE name = '{MARK}'");
    let found = line.with(async |client| client.simple_query(&sql).await).map_err(fault)?;
    if found.iter().any(|message| matches!(message, SimpleQueryMessage::Row(_))) {
        return Err(OpenError::Unfinished);
    }
    Ok(())
}

fn layout(message: &SimpleQueryMessage) -> Option<(usize, usize)> {
    let SimpleQueryMessage::Row(row) = message else { return None };
    let number = |column| row.get(column)?.parse().ok();
    (row.get(0) == Some("layout")).then(|| Some((number(1)?, number(2)?)))?
}

/// What a server says for itself that an operator should know; an error where it cannot be trusted with a store.
pub(super) fn findings(line: &mut Line) -> Result<Vec<String>, OpenError> {
    let sql =
        "SELECT current_setting('server_version_num'), current_setting('fsync'), current_setting('full_page_writes'),
               current_setting('synchronous_standby_names'), current_setting('synchronous_commit')";
    let found = line.with(async |client| client.simple_query(sql).await).map_err(fault)?;
    let row = found.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let says = |column| row.and_then(|row| row.get(column)).unwrap_or("");
    if says(0).parse().unwrap_or(0) < OLDEST {
        return Err(OpenError::Server("it is older than PostgreSQL 14".to_owned()));
    }
    if says(1) != "on" || says(2) != "on" {
        let what = "fsync or full_page_writes is off: a power cut would lose the store";
        return Err(OpenError::Server(what.to_owned()));
    }
    let mut findings = Vec::new();
    if says(3).is_empty() || says(4) == "local" {
        let what = "the store's server waits for no synchronous standby: a failover can lose what was acknowledged, and ended sessions \
                    come back (synchronous_standby_names, synchronous_commit)";
        findings.push(what.to_owned());
    }
    if line.is_open() {
        findings.push("sslmode=disable: the store's password and rows cross the network in the clear".to_owned());
    }
    Ok(findings)
}

/// The oldest server that knows all that is asked.
const OLDEST: u32 = 140_000;

fn fault(lost: crate::store::sql::change::Lost) -> OpenError {
    OpenError::Server(lost.fault)
}
