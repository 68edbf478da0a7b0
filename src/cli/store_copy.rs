//! `fedgate store copy`: another place for the store, while no gateway runs.
//!
//! What can go wrong is judged in [`crate::store::copy`]; here is where the addresses come from and what is said.

use super::node::state;
use super::progress::Progress;
use super::stored::{self, Wrong};
use super::{Common, Screen};
use crate::store::copy::{Copied, copy};
use serde_json::json;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// `fedgate store`.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Stores {
    /// Copy a store, whole, into a new one; compare both; then name the new one in the configuration.
    #[command(
        after_help = "Example:\n  fedgate store copy sqlite:fedgate.db @/run/secrets/store\n  fedgate store copy @/run/secrets/store \
                      sqlite:fedgate.db\n\nNo gateway may run on either meanwhile. docs/postgresql.md has the rest."
    )]
    Copy {
        /// The store that there is: `sqlite:FILE`, relative to the state folder, `postgres://…`, or `@FILE` with such an address in it,
        /// for those with a password.
        #[arg(value_name = "FROM")]
        from: String,
        /// A new file, or a database that nobody uses yet.
        #[arg(value_name = "TO")]
        to: String,
    },
}

/// Copies.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn run(arguments: &Stores, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let Stores::Copy { from, to } = arguments;
    let done = copied((from, to), common, screen);
    stored::finish(done, common, screen)
}

fn copied((from, to): (&str, &str), common: &Common, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
    let config = stored::configuration(common)?;
    // Held to the end: no gateway of this folder starts meanwhile.
    let _lock = state::open(&config.state)?;
    let (from, to) = (address(from)?, address(to)?);
    let mut progress: Option<Progress> = None;
    let done = copy(&from, &to, &config.state, &mut |done, of| {
        // Each row is told twice: when it was written, and when it was read back.
        progress.get_or_insert_with(|| Progress::new("rows, written and read back", of, 0)).tell(done, screen)
    });
    if let Some(progress) = progress {
        progress.end(screen)?;
    }
    tell(&done?, common, screen)?;
    Ok(ExitCode::SUCCESS)
}

/// An address as it was written, or as it stands in a file: arguments of a process are read by everybody on its machine.
fn address(written: &str) -> Result<String, Wrong> {
    match written.strip_prefix('@') {
        Some(file) => Ok(stored::file(Path::new(file))?.trim().to_owned()),
        None => Ok(written.to_owned()),
    }
}

fn tell(done: &[Copied], common: &Common, screen: &mut Screen<'_>) -> io::Result<()> {
    let rows: u64 = done.iter().map(|table| table.rows).sum();
    if common.json {
        let table = |table: &Copied| json!({ "table": table.table, "rows": table.rows, "sha256": table.digest });
        let tables: Vec<_> = done.iter().map(table).collect();
        return writeln!(screen.out, "{}", json!({ "rows": rows, "tables": tables }));
    }
    for table in done.iter().filter(|table| table.rows > 0) {
        writeln!(screen.out, "{:>10}  {:<22} sha256 {}", table.rows, table.table, table.digest)?;
    }
    writeln!(screen.out, "{rows} rows are in both stores, compared row by row.")?;
    writeln!(
        screen.out,
        "Now name the new one in the configuration, [store], and start the gateway; then take the old one away."
    )
}
