//! The program: arguments → command.

use mimalloc::MiMalloc;
use std::process::ExitCode;

/// glibc's allocator searches and merges for each block over a kilobyte, of which a request over HTTP/2 has several. Here and not in
/// the library: tests and fuzz targets keep the one that their tools watch. What C libraries allocate is glibc's as before.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    fedgate::cli::main()
}
