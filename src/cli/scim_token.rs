//! `fedgate scim-token`: a token for a directory's provisioning client. It is known here only once it stands in the directory's
//! `token_file`.

use super::Screen;
use crate::clock::Clock;
use crate::entropy::random;
use crate::kernel::scim::token::{LONGEST, ScimToken};
use crate::kernel::values::Token;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

/// `fedgate scim-token`.
#[derive(Debug, clap::Args)]
pub struct ScimTokens {
    /// Days that it holds.
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=365))]
    pub days: u32,
}

/// Prints a new token.
pub fn run(arguments: &ScimTokens, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let life = Duration::from_secs(u64::from(arguments.days) * 86_400).min(LONGEST);
    let until = Clock::system().now().plus(life);
    let token = ScimToken { secret: Token::new(random()), until };
    writeln!(screen.out, "{}", token.write().as_str())?;
    if screen.terminal {
        writeln!(
            screen.err,
            "It holds until {until}. Put it into the file of scim = {{ token_file = \"…\" }} (mode 0600), reload, \
             and give it to the provider as its bearer token."
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
