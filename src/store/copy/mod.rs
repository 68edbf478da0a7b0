//! One store becomes another: every row of every table, in one transaction of the target, which is read back before it is committed.
//!
//! What is sealed, hashed or signed travels as it is: the same key-encryption key opens it, and sessions go on. Nobody else may use
//! either store meanwhile. A target is marked before the first row comes and the mark goes with the last one, so that a copy that was
//! cut off leaves an empty store that no gateway starts on ([`OpenError::Unfinished`]) and that the next copy takes.

mod row;
mod tables;

pub use tables::{Column, LEFT_OUT, TABLES, Table};

pub(super) use row::Cell;
pub(super) use tables::Plan;

use super::{OpenError, postgres, sqlite};
use row::Digest;
use std::path::Path;
use tables::NEVER_EMPTY;

/// The setting that marks a target that is not whole.
pub(super) const MARK: &str = "store-copy";

/// Which of the two.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// The one that is read.
    From,
    /// The one that is written.
    To,
}

impl std::fmt::Display for Side {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::From => "FROM",
            Self::To => "TO",
        })
    }
}

/// Why nothing was copied: the target is empty, or as it was.
#[derive(Debug, thiserror::Error)]
pub enum CopyFault {
    /// One of the two cannot be opened.
    #[error("{0}: {1}")]
    Open(Side, OpenError),
    /// Somebody else has it open.
    #[error("{0} is in use: stop every gateway and every command on it first")]
    InUse(Side),
    /// There are rows in the target.
    #[error("TO is not empty: there are rows in {0}. A store is only copied into a new one")]
    NotEmpty(&'static str),
    /// No gateway ever ran on the source.
    #[error("FROM holds no keys: it is no store that a gateway has used")]
    Nothing,
    /// The source was to become a copy itself.
    #[error("FROM is what a copy that was cut off left: copy from the store that it was made of")]
    Unfinished,
    /// The stores do not have the tables that this program copies.
    #[error("the stores differ: there is {0}")]
    Layout(String),
    /// What was read back is not what was written.
    #[error("the rows of {0} are not what they were in FROM: nothing was kept")]
    Differs(&'static str),
    /// The disk or the server failed, or does not take a value.
    #[error("{0}, {1}: {2}")]
    Failed(Side, String, String),
    /// Whoever hears of the progress does not listen any more.
    #[error("the progress cannot be told: {0}")]
    Told(#[from] std::io::Error),
}

/// A table that was copied.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Copied {
    /// Its name.
    pub table: &'static str,
    /// Its rows.
    pub rows: u64,
    /// SHA-256 of them, the same for every store that holds them.
    pub digest: String,
}

/// Hears how many rows of how many are done; each is counted when it was written and when it was read back.
pub type Told<'a> = &'a mut dyn FnMut(u64, u64) -> std::io::Result<()>;

/// Takes rows, at most [`Table`]'s share at once.
pub(super) type Rows<'a> = &'a mut dyn FnMut(&[Vec<Cell>]) -> Result<(), CopyFault>;

/// One of the two stores, held alone, in a transaction.
pub(super) trait End {
    /// Every column of every table that is not the database's own.
    fn columns(&mut self) -> Result<Vec<Column>, CopyFault>;
    /// Runs statements without values.
    fn run(&mut self, sql: &str) -> Result<(), CopyFault>;
    /// The number that a query finds.
    fn number(&mut self, sql: &str) -> Result<i64, CopyFault>;
    /// Reads a table in the order of its key.
    fn read(&mut self, plan: &Plan, rows: Rows<'_>) -> Result<(), CopyFault>;
    /// Adds rows to a table.
    fn write(&mut self, plan: &Plan, rows: &[Vec<Cell>]) -> Result<(), CopyFault>;
    /// Begins a transaction that nobody writes beside.
    fn begin(&mut self) -> Result<(), CopyFault>;
    /// That nobody else has the store open.
    fn alone(&mut self) -> Result<(), CopyFault>;
    /// The last position that the log of revocations gave away, whether or not its row is still there.
    fn last_revocation(&mut self) -> Result<i64, CopyFault>;
    /// Goes on behind a position.
    fn go_on_behind(&mut self, last: i64) -> Result<(), CopyFault>;
}

fn open(url: &str, state: &Path, side: Side) -> Result<Box<dyn End>, CopyFault> {
    match url.split_once(':') {
        Some(("sqlite", file)) if !file.is_empty() => Ok(Box::new(sqlite::copied(&state.join(file), side)?)),
        Some(("postgres" | "postgresql", _)) => Ok(Box::new(postgres::copied(url, state, side)?)),
        _ => Err(CopyFault::Open(side, OpenError::Address)),
    }
}

/// Copies a store into an empty one; addresses as [`super::open`] takes them. Blocks, on a thread without a runtime.
///
/// # Errors
/// [`CopyFault`] says what to do; the target is then empty, or as it was.
pub fn copy(from: &str, to: &str, state: &Path, told: Told<'_>) -> Result<Vec<Copied>, CopyFault> {
    let mut from = open(from, state, Side::From)?;
    from.begin()?;
    from.alone()?;
    let marked = format!("SELECT count(*) FROM setting WHERE name = '{MARK}'");
    if from.number(&marked)? > 0 {
        return Err(CopyFault::Unfinished);
    }
    if from.number("SELECT count(*) FROM \"key\"")? == 0 {
        return Err(CopyFault::Nothing);
    }
    let mut to = open(to, state, Side::To)?;
    let plan = tables::plan(&from.columns()?, &to.columns()?)?;
    mark(to.as_mut(), &plan)?;
    to.begin()?;
    // Between the mark and this somebody could have come.
    empty(to.as_mut(), &plan)?;
    let copied = transfer(from.as_mut(), to.as_mut(), &plan, told)?;
    from.alone()?;
    to.alone()?;
    to.run("COMMIT")?;
    from.run("ROLLBACK")?;
    Ok(copied)
}

/// Refuses a target with rows; a mark of a copy that was cut off is none.
fn empty(to: &mut dyn End, plan: &[Plan]) -> Result<(), CopyFault> {
    for Plan { table, .. } in plan.iter().filter(|plan| !NEVER_EMPTY.contains(&plan.table.name)) {
        let but = if table.name == "setting" { format!("WHERE name <> '{MARK}'") } else { String::new() };
        let sql = format!("SELECT count(*) FROM (SELECT 1 FROM \"{}\" {but} LIMIT 1) AS found", table.name);
        if to.number(&sql)? > 0 {
            return Err(CopyFault::NotEmpty(table.name));
        }
    }
    Ok(())
}

/// Marks the target, durably, before anything is written to it.
fn mark(to: &mut dyn End, plan: &[Plan]) -> Result<(), CopyFault> {
    to.begin()?;
    to.alone()?;
    empty(to, plan)?;
    to.run("DELETE FROM setting")?;
    // In the order of the columns' names.
    let row = vec![Cell::Text(MARK.to_owned()), Cell::Bytes(Vec::new())];
    for plan in plan.iter().filter(|plan| plan.table.name == "setting") {
        to.write(plan, std::slice::from_ref(&row))?;
    }
    to.run("COMMIT")
}

fn transfer(from: &mut dyn End, to: &mut dyn End, plan: &[Plan], told: Told<'_>) -> Result<Vec<Copied>, CopyFault> {
    let mut of = 0;
    for plan in plan {
        let rows = from.number(&format!("SELECT count(*) FROM \"{}\"", plan.table.name))?;
        of += 2 * rows.cast_unsigned();
    }
    // With the mark, and what an empty store begins with.
    for name in NEVER_EMPTY.iter().chain(&["setting"]) {
        to.run(&format!("DELETE FROM \"{name}\""))?;
    }
    let (mut copied, mut done) = (Vec::new(), 0);
    for plan in plan {
        let mut digest = Digest::new();
        from.read(plan, &mut |rows| {
            rows.iter().for_each(|row| digest.row(row));
            to.write(plan, rows)?;
            done += count(rows);
            Ok(told(done, of)?)
        })?;
        let (rows, digest) = digest.end();
        copied.push(Copied { table: plan.table.name, rows, digest });
    }
    let last = from.last_revocation()?;
    to.go_on_behind(last)?;
    for (plan, copied) in plan.iter().zip(&copied) {
        let mut digest = Digest::new();
        to.read(plan, &mut |rows| {
            rows.iter().for_each(|row| digest.row(row));
            done += count(rows);
            Ok(told(done, of)?)
        })?;
        if digest.end() != (copied.rows, copied.digest.clone()) {
            return Err(CopyFault::Differs(copied.table));
        }
    }
    Ok(copied)
}

fn count(rows: &[Vec<Cell>]) -> u64 {
    u64::try_from(rows.len()).unwrap_or(u64::MAX)
}
