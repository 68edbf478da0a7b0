//! Arguments of the commands that need running parts. Each becomes a line in [`super::Command`] when its file has a `run`.

use clap::{Args, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// `fedgate run`: serve until told to stop.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "Example:\n  fedgate run --config /etc/fedgate/fedgate.toml --watch")]
pub struct Run {
    /// Apply the configuration whenever its file changes, whole or not at all.
    #[arg(long)]
    pub watch: bool,
}

/// `fedgate demo`: two sample products, a sample provider, TLS from an own CA; needs nothing but the binary.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  fedgate demo --listen 127.0.0.1:8443")]
pub struct Demo {
    /// Where to listen. Other than loopback, everybody who reaches it can log in as anybody.
    #[arg(long, default_value = "127.0.0.1:8443", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// The domain that its hosts are in.
    #[arg(long, default_value = "localhost", value_name = "NAME")]
    pub domain: String,
}

/// `fedgate reload`: apply the configuration file of the running gateway anew.
#[derive(Args, Clone, Debug, Default)]
#[command(after_help = "Example:\n  fedgate reload\n  fedgate reload --loosen 7K3M-9QX2")]
pub struct Reload {
    /// Confirms what the new file gives away: the code that the refusal printed.
    #[arg(long, value_name = "CODE")]
    pub loosen: Option<String>,
}

/// `fedgate audit`: the audit log.
#[derive(Clone, Debug, Subcommand)]
pub enum Audit {
    /// Prove that no line was edited, removed or reordered.
    #[command(after_help = "Example:\n  fedgate audit verify --anchor checkpoint.txt")]
    Verify {
        /// An older checkpoint, kept elsewhere.
        #[arg(long, value_name = "FILE")]
        anchor: Option<PathBuf>,
    },
    /// Write all events as JSON lines.
    #[command(after_help = "Example:\n  fedgate audit export > audit.jsonl")]
    Export,
    /// Find events.
    #[command(after_help = "Example:\n  fedgate audit search --ref 7K3M-9QX2")]
    Search {
        /// The reference of a refusal page.
        #[arg(long = "ref", value_name = "REF")]
        reference: String,
    },
}

/// `fedgate sessions`: who is logged in.
#[derive(Clone, Debug, Subcommand)]
pub enum Sessions {
    /// List live sessions.
    #[command(after_help = "Example:\n  fedgate sessions list --person ann@acme.com")]
    List(Whose),
    /// End sessions, everywhere within a second.
    #[command(after_help = "Example:\n  fedgate sessions revoke --org acme")]
    Revoke(Whose),
}

/// Whose sessions.
#[derive(Args, Clone, Debug, Default)]
pub struct Whose {
    /// A person, by address.
    #[arg(long, value_name = "EMAIL")]
    pub person: Option<String>,
    /// Everybody of an organization.
    #[arg(long, value_name = "ORG")]
    pub org: Option<String>,
}

/// `fedgate explain`: why somebody was refused.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  fedgate explain --ref 7K3M-9QX2")]
pub struct Explain {
    /// The reference of the refusal page.
    #[arg(long = "ref", value_name = "REF")]
    pub reference: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Command;

    fn check(name: &'static str, arguments: impl Fn(Command) -> Command, good: &[&str]) {
        let command = arguments(Command::new(name));
        command.clone().debug_assert();
        assert!(command.try_get_matches_from(good).is_ok(), "{good:?}");
    }

    #[test]
    fn each_example_of_the_interface_is_read() {
        check("run", Run::augment_args, &["run", "--watch"]);
        check("demo", Demo::augment_args, &["demo", "--listen", "127.0.0.1:0", "--domain", "localhost"]);
        check("reload", Reload::augment_args, &["reload", "--loosen", "7K3M-9QX2"]);
        check("audit", Audit::augment_subcommands, &["audit", "search", "--ref", "7K3M-9QX2"]);
        check("audit", Audit::augment_subcommands, &["audit", "verify"]);
        check("sessions", Sessions::augment_subcommands, &["sessions", "revoke", "--person", "ann@acme.com"]);
        check("explain", Explain::augment_args, &["explain", "--ref", "7K3M-9QX2"]);
    }
}
