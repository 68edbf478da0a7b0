//! The command line: one file per command, each with its arguments and a function that returns the exit status.
//!
//! Exit status: 0 done and nothing wrong, 1 a finding or a refusal, 2 wrong usage or configuration. Every command has `--json`
//! and an example in `--help`. To add a command: a file with its arguments and `run`, and a line in [`Command`]; a command
//! stands there only when it works.

mod acquainted;
pub mod arguments;
mod audit;
mod authority;
mod backup;
mod check;
mod demo;
mod events;
mod explain;
mod explained;
mod import;
mod migrate;
pub mod node;
mod online;
mod operate;
mod policy;
mod progress;
mod relink;
mod reload;
mod restore;
mod run;
mod saml;
mod schema;
mod scim_token;
mod sessions;
mod shadow;
mod signals;
mod store_copy;
mod stored;
mod upstreams;
mod wanted;

use crate::config::{Config, Machine, find, read};
use clap::{Args, Parser, Subcommand};
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Wrong usage or configuration.
pub const WRONG: u8 = 2;

/// An OIDC federation gateway: a reverse proxy that takes over the login of the products behind it.
#[derive(Debug, Parser)]
#[command(name = "fedgate", version, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What all commands have.
    #[command(flatten)]
    pub common: Common,
}

/// What all commands have.
#[derive(Args, Clone, Debug, Default)]
pub struct Common {
    /// The configuration; else ./fedgate.toml, else /etc/fedgate/fedgate.toml.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Write JSON for programs.
    #[arg(long, global = true)]
    pub json: bool,
}

/// The commands that work.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve.
    Run(arguments::Run),
    /// Show it: two sample products, a sample issuer and a company, with TLS, from nothing but this program.
    Demo(arguments::Demo),
    /// Have the running gateway apply its configuration file anew, without dropping a request.
    Reload(arguments::Reload),
    /// Say everything that is wrong with a configuration, and each redirect URI to register.
    Check(check::Arguments),
    /// Say why somebody was refused, or what a login would come to.
    Explain(arguments::Explain),
    /// Say what is wrong with a SAML response.
    #[command(subcommand, after_help = "Example:\n  fedgate saml check response.xml --org acme")]
    Saml(arguments::Saml),
    /// Set a stream of security events up at a directory's provider, and prove that it arrives.
    #[command(subcommand, after_help = "Example:\n  fedgate signals setup acme")]
    Signals(arguments::Signals),
    /// Say what another configuration would do to people; see what organizations changed at run time, and take it back.
    #[command(subcommand, after_help = "Example:\n  fedgate policy plan new.toml --people export.csv")]
    Policy(arguments::Policies),
    /// Bring a product's people with their addresses and password hashes; stopped in the middle, go on.
    Import(import::Arguments),
    /// See who is logged in, and end that.
    #[command(subcommand, after_help = "Example:\n  fedgate sessions revoke --person ann@acme.com")]
    Sessions(arguments::Sessions),
    /// See how far products' own accounts have moved to the one account.
    #[command(subcommand, after_help = "Example:\n  fedgate migrate status")]
    Migrate(arguments::Migrate),
    /// Make, list and end tokens of the admin API; asks the running gateway.
    #[command(
        subcommand,
        after_help = "Example:\n  fedgate token create --owner it@acme.com --org acme --scope orgs:read"
    )]
    Token(arguments::Tokens),
    /// Prepare for the day on which an organization's own provider keeps everybody out; asks the running gateway.
    #[command(subcommand, after_help = "Example:\n  fedgate breakglass enrol root@acme.com")]
    Breakglass(arguments::Breakglass),
    /// List accounts that were put aside for whoever proved their address, and bring them back; asks the running gateway.
    #[command(subcommand, after_help = "Example:\n  fedgate quarantine list")]
    Quarantine(arguments::Quarantines),
    /// Write the store into one file, beside a running gateway.
    Backup(backup::Arguments),
    /// Make a backup the store again, without anybody who was put out since; then open it.
    Restore(restore::Arguments),
    /// Bring the store to another place, from a file to a PostgreSQL server or back.
    #[command(subcommand, after_help = "Example:\n  fedgate store copy sqlite:fedgate.db @/run/secrets/store")]
    Store(store_copy::Stores),
    /// Follow an organization to another provider: its people's links move, and can be taken back for 30 days.
    Relink(relink::Arguments),
    /// Say which deleted account keeps an address out, and let its person come anew; asks the running gateway.
    #[command(subcommand, after_help = "Example:\n  fedgate tombstone show ann@acme.com")]
    Tombstone(arguments::Tombstones),
    /// Roll our own keys over; asks the running gateway.
    #[command(subcommand, after_help = "Example:\n  fedgate keys rotate acme")]
    Keys(arguments::Keys),
    /// Print or put an organization's document; asks the running gateway.
    #[command(subcommand, after_help = "Example:\n  fedgate org show acme")]
    Org(arguments::Orgs),
    /// List the domains that organizations prove, and settle disputes; asks the running gateway.
    #[command(subcommand, after_help = "Example:\n  fedgate domain settle acme.com --org acme")]
    Domain(arguments::DomainActs),
    /// The second opinion's own process: only a gateway starts it.
    #[cfg(feature = "samael")]
    #[command(hide = true, name = crate::idp::saml::opinion::ARGUMENT, after_help = "Example:\n  fedgate second-opinion")]
    SecondOpinion,
    /// Verify, export and search the audit log.
    #[command(subcommand, after_help = "Example:\n  fedgate audit verify")]
    Audit(arguments::Audit),
    /// Print the JSON Schema of the configuration, for editors.
    #[command(after_help = "Example:\n  fedgate schema > fedgate.schema.json")]
    Schema,
    /// Print a new token for a directory's provisioning client (SCIM).
    #[command(after_help = "Example:\n  fedgate scim-token > /run/secrets/acme-scim")]
    ScimToken(scim_token::ScimTokens),
}

impl Common {
    /// The configuration's path and text.
    ///
    /// # Errors
    /// A sentence that says what to write.
    pub fn text(&self) -> Result<(PathBuf, String), String> {
        let path = find(self.config.as_deref(), Path::exists).ok_or(
            "error[E-FILE]: there is no ./fedgate.toml and no /etc/fedgate/fedgate.toml\n = write one (config/fedgate.example.toml \
             is a start), or name it: --config FILE",
        )?;
        let text = read_text(&path).map_err(|why| {
            format!("error[E-FILE]: {} cannot be read: {why}\n = name the configuration: --config FILE", path.display())
        })?;
        Ok((path, text))
    }
}

impl Common {
    /// The configuration with its file, every mistake and warning told; `None` when it cannot be used.
    ///
    /// # Errors
    /// Only when the screen cannot be written to.
    pub fn configuration(&self, screen: &mut Screen<'_>) -> io::Result<Option<(PathBuf, Config)>> {
        let (file, text) = match self.text() {
            Ok(found) => found,
            Err(why) => {
                writeln!(screen.err, "{why}")?;
                return Ok(None);
            }
        };
        let (config, report) = read(&text, &file, &Machine);
        let report = report.without_advice();
        write!(screen.err, "{}", report.plain())?;
        Ok(config.filter(|_| !report.has_errors()).map(|config| (file, config)))
    }
}

fn read_text(path: &Path) -> Result<String, String> {
    use crate::config::{Machine, Surroundings as _};
    String::from_utf8(Machine.file(path)?).map_err(|_| "it is not UTF-8 text".to_owned())
}

/// Runs what the arguments say.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // clap writes help to stdout with status 0 and mistakes to stderr with status 2.
        Err(usage) => usage.exit(),
    };
    let terminal = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut screen = Screen { out: &mut io::stdout(), err: &mut io::stderr(), terminal };
    let done = match &cli.command {
        Command::Run(arguments) => run::run(arguments, &cli.common, &mut screen),
        Command::Demo(arguments) => demo::run(arguments, &mut screen),
        Command::Reload(arguments) => reload::run(arguments, &cli.common, &mut screen),
        Command::Check(arguments) => check::run(arguments, &cli.common, &mut screen),
        Command::Explain(arguments) => explain::run(arguments, &cli.common, &mut screen),
        Command::Saml(arguments) => saml::run(arguments, &cli.common, &mut screen),
        Command::Signals(arguments) => signals::run(arguments, &cli.common, &mut screen),
        Command::Policy(arguments) => policy::run(arguments, &cli.common, &mut screen),
        Command::Import(arguments) => import::run(arguments, &cli.common, &mut screen),
        Command::Sessions(arguments) => sessions::run(arguments, &cli.common, &mut screen),
        Command::Migrate(arguments) => migrate::run(arguments, &cli.common, &mut screen),
        Command::Token(arguments) => operate::tokens(arguments, &cli.common, &mut screen),
        Command::Domain(arguments) => operate::domains(arguments, &cli.common, &mut screen),
        Command::Org(arguments) => operate::orgs(arguments, &cli.common, &mut screen),
        Command::Breakglass(arguments) => operate::breakglass(arguments, &cli.common, &mut screen),
        Command::Quarantine(arguments) => operate::quarantines(arguments, &cli.common, &mut screen),
        Command::Backup(arguments) => backup::run(arguments, &cli.common, &mut screen),
        Command::Restore(arguments) => restore::run(arguments, &cli.common, &mut screen),
        Command::Store(arguments) => store_copy::run(arguments, &cli.common, &mut screen),
        Command::Relink(arguments) => relink::run(arguments, &cli.common, &mut screen),
        Command::Tombstone(arguments) => operate::tombstones(arguments, &cli.common, &mut screen),
        Command::Keys(arguments) => operate::keys(arguments, &cli.common, &mut screen),
        Command::Audit(arguments) => audit::run(arguments, &cli.common, &mut screen),
        Command::Schema => schema::run(&mut screen),
        Command::ScimToken(arguments) => scim_token::run(arguments, &mut screen),
        #[cfg(feature = "samael")]
        Command::SecondOpinion => return crate::idp::saml::opinion::serve(),
    };
    done.unwrap_or_else(|broken| match broken.kind() {
        // The reader of a pipe went away, which is its right.
        io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        _ => ExitCode::from(WRONG),
    })
}

/// Where a command writes.
pub struct Screen<'a> {
    /// Results.
    pub out: &'a mut dyn Write,
    /// What went wrong.
    pub err: &'a mut dyn Write,
    /// Whether a person looks at the results.
    pub terminal: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_are_consistent_and_each_command_has_an_example() {
        let mut cli = Cli::command();
        cli.build();
        cli.clone().debug_assert();
        for command in cli.get_subcommands().filter(|command| command.get_name() != "help") {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example:\n  fedgate "), "{}", command.get_name());
        }
    }
}
