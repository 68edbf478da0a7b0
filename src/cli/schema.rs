//! `fedgate schema`.

use super::Screen;
use std::io;
use std::process::ExitCode;

/// Prints the schema.
pub fn run(screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    writeln!(screen.out, "{:#}", crate::config::schema())?;
    Ok(ExitCode::SUCCESS)
}
