//! The program: arguments → command.

use std::process::ExitCode;

fn main() -> ExitCode {
    fedgate::cli::main()
}
