//! Arguments of the commands that need running parts. Each becomes a line in [`super::Command`] when its file has a `run`.

mod accounts;
mod audit;

pub use accounts::{Quarantines, Tombstones};
pub use audit::{Audit, Export, Search, Verify, Which};

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

/// `fedgate breakglass`: the emergency door.
#[derive(Clone, Debug, Subcommand)]
pub enum Breakglass {
    /// Print a link by which the person with this address enrols a passkey for the emergency door: once, within a quarter of an hour.
    /// A policy must name the address in `break_glass`.
    #[command(
        after_help = "Example:\n  fedgate breakglass enrol root@acme.com\n\nHand the link over by a way that nobody else reads."
    )]
    Enrol {
        /// Whose.
        #[arg(value_name = "EMAIL")]
        email: String,
    },
    /// List who is enrolled, and who is named by a policy without being so.
    #[command(after_help = "Example:\n  fedgate breakglass list")]
    List,
    /// Take away the emergency passkey of the person with this address, as when it was lost; what was entered by it ends.
    #[command(
        after_help = "Example:\n  fedgate breakglass remove root@acme.com\n\nStatus 1: nobody with this address is enrolled."
    )]
    Remove {
        /// Whose.
        #[arg(value_name = "EMAIL")]
        email: String,
    },
}

/// `fedgate keys`: our own keys.
#[derive(Clone, Debug, Subcommand)]
pub enum Keys {
    /// Make our next keys at a directory. By SAML they are announced in our metadata for a week before they sign, and what is encrypted
    /// to the old ones opens for a week longer: a provider that reads our metadata in that time loses no login. By OIDC with
    /// `private_key_jwt` the next key is announced in our set, and signs when this is said the next time.
    ///
    /// With --kind the gateway's own keys instead: `assertion` (products verify by it), `cookie` (logins under way), `csrf` (forms), and
    /// `token` (sessions; with --compromised alone). What the keys before made is believed until the next time, or with --compromised dead
    /// on every gateway within a second.
    #[command(after_help = "Example:\n  fedgate keys rotate acme\n  fedgate keys rotate acme/okta --compromised\n  \
                            fedgate keys rotate --kind cookie --compromised\n  fedgate keys rotate --kek")]
    Rotate {
        /// Which directory.
        #[arg(value_name = "DIRECTORY", required_unless_present_any = ["kind", "kek"], conflicts_with_all = ["kind", "kek"])]
        directory: Option<String>,
        /// Which of the gateway's own keys.
        #[arg(long, value_name = "KIND", value_parser = ["assertion", "cookie", "csrf", "token"])]
        kind: Option<String>,
        /// Somebody else has the old keys: they are refused at once. Nobody logs in by a directory until its provider has read our
        /// metadata.
        #[arg(long)]
        compromised: bool,
        /// Seal everything in the store under the key that `next_key_file` names. Afterwards that becomes `key_file`, and the one before is
        /// destroyed.
        #[arg(long, conflicts_with_all = ["kind", "compromised"])]
        kek: bool,
    },
}

/// `fedgate migrate`: the way from products' own passwords to the one account.
#[derive(Clone, Debug, Subcommand)]
pub enum Migrate {
    /// How many accounts of each product still have a password of its own, organization by organization, how many have moved, what keeps
    /// whom from it, and which moves the product has not heard of.
    #[command(
        after_help = "Example:\n  fedgate migrate status --product trello\n\nStatus 1: a product could not be told of a move."
    )]
    Status {
        /// Of this product only.
        #[arg(long, value_name = "P")]
        product: Option<String>,
        /// Name the people of this organization who still log in by a password.
        #[arg(long, value_name = "ORG")]
        org: Option<String>,
    },
    /// Moves a product's phase on, at once or at the end of a day, on every node within a second. The file stays the floor; nothing that
    /// has moved ever moves back.
    #[command(
        after_help = "Example:\n  fedgate migrate phase trello forced --deadline 2026-12-31 --dry-run\n\nStatus 1: it would be a step back."
    )]
    Phase {
        /// The product.
        product: String,
        /// `off`, `optional` or `forced`.
        #[arg(value_parser = ["off", "optional", "forced"])]
        phase: String,
        /// The phase begins at the end of this day, UTC, and not at once.
        #[arg(long, value_name = "DAY")]
        deadline: Option<String>,
        /// Take back what was set at run time: never below the file, and nobody who moved moves back.
        #[arg(long)]
        force: bool,
        /// Say whom it would hit and change nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Tells everybody who still has a password of the product's deadline, where a reminder is due. A gateway does this by itself, ten
    /// minutes after the hour of it; stopped in the middle, either goes on where the other was, and nobody is told twice.
    #[command(
        after_help = "Example:\n  fedgate migrate run --product trello --dry-run\n\nThe phase itself needs no run: it changes at the deadline, for everybody at once."
    )]
    Run {
        /// Of this product only.
        #[arg(long, value_name = "P")]
        product: Option<String>,
        /// Say how many would be told and queue nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

/// `fedgate sessions`: who is logged in.
#[derive(Clone, Debug, Subcommand)]
pub enum Sessions {
    /// List login sessions that have not reached their end.
    #[command(after_help = "Example:\n  fedgate sessions list --person ann@acme.com")]
    List(Whose),
    /// End sessions, everywhere within a second: open streams too.
    #[command(after_help = "Example:\n  fedgate sessions revoke --org acme\n\nStatus 1: nobody had one.")]
    Revoke(Whose),
}

/// Whose sessions.
#[derive(Args, Clone, Debug, Default)]
pub struct Whose {
    /// A person, by address.
    #[arg(long, value_name = "EMAIL")]
    pub person: Option<String>,
    /// Everybody whom an organization manages or whom its directories proved.
    #[arg(long, value_name = "ORG", conflicts_with = "person")]
    pub org: Option<String>,
}

/// `fedgate explain`: why somebody was refused, or what a login would come to.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Example:\n  fedgate explain ann@acme.com --product trello\n  fedgate explain --ref 7K3M-9QX2\n\nStatus 1: nobody \
                        gets in by this address, or the log has no such reference."
)]
pub struct Explain {
    /// The address that the person types.
    #[arg(value_name = "EMAIL", required_unless_present = "reference", conflicts_with = "reference")]
    pub email: Option<String>,
    /// Where the person wants to go; not needed where there is one product.
    #[arg(long, value_name = "P", requires = "email")]
    pub product: Option<String>,
    /// The time of the login, like 2026-11-30T14:02:00Z; default now.
    #[arg(long, value_name = "TIME", requires = "email")]
    pub at: Option<String>,
    /// The reference of the refusal page.
    #[arg(long = "ref", value_name = "REF")]
    pub reference: Option<String>,
}

/// `fedgate saml`: responses of SAML providers.
#[derive(Clone, Debug, Subcommand)]
pub enum Saml {
    /// Check a response as a login would, and print each check with what was expected and what came; nothing is used up by it.
    #[command(
        after_help = "Example:\n  fedgate saml check response.xml --org acme --at 2026-11-30T14:02:00Z\n\nStatus 0: a login with it \
                            would go on; 1: it is refused. Which request it answers only the browser of that login knows."
    )]
    Check(SamlCheck),
}

/// `fedgate signals`: the stream of a directory's provider.
#[derive(Clone, Debug, Subcommand)]
pub enum Signals {
    /// Ask the provider for a stream of the events that are followed here, to this directory's door, unless it is there; then prove the way.
    #[command(
        after_help = "Example:\n  fedgate signals setup acme\n\nNeeds signals = { token_file = \"…\" } in the directory. Status 1: the \
                            stream is there, and no event arrived."
    )]
    Setup(StreamSetup),
    /// Say which streams there are and whether they are enabled.
    Status(StreamOf),
    /// Have the provider send an event that proves the way, and wait until the running gateway wrote down that it came.
    Verify(StreamProof),
    /// End the streams that lead to this directory's door.
    Remove(StreamOf),
}

/// Whose stream.
#[derive(Args, Clone, Debug)]
pub struct StreamOf {
    /// `ORG`, or `ORG/NAME` for another directory than `main`; `issuer` for the issuer's.
    #[arg(value_name = "DIRECTORY")]
    pub directory: String,
}

/// Whose stream is to prove its way.
#[derive(Args, Clone, Debug)]
pub struct StreamProof {
    /// Whose.
    #[command(flatten)]
    pub of: StreamOf,
    /// Seconds that the event may be on its way.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub wait: u64,
}

/// Whose stream, and how it delivers.
#[derive(Args, Clone, Debug)]
pub struct StreamSetup {
    /// Whose.
    #[command(flatten)]
    pub proof: StreamProof,
    /// Have events wait at the provider, to be fetched (RFC 8936), where it cannot reach this gateway.
    #[arg(long)]
    pub poll: bool,
}

/// Which response, and whose.
#[derive(Args, Clone, Debug)]
pub struct SamlCheck {
    /// A file with the response as it came: XML, base64, or the posted form; `-` for standard input.
    #[arg(value_name = "RESPONSE.xml")]
    pub response: PathBuf,
    /// The organization whose provider sent it.
    #[arg(long, value_name = "O")]
    pub org: String,
    /// Which of its directories, where several have `saml`.
    #[arg(long, value_name = "NAME")]
    pub directory: Option<String>,
    /// When it came, like 2026-11-30T14:02:00Z; default now.
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
}

/// `fedgate policy`: what policies do to people.
#[derive(Clone, Debug, Subcommand)]
pub enum Policies {
    /// Say what another configuration file would do to people, before it does: who moves to single sign-on, who has no identity at
    /// the provider, who would be locked out. Changes nothing.
    #[command(
        after_help = "Example:\n  fedgate policy plan new.toml --people export.csv\n\nStatus 1: somebody would be locked out, \
                            or is in conflict."
    )]
    Plan {
        /// The other configuration.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// An export of the provider's people, CSV with a column `email`: who is in it has an identity there, who is not has none.
        #[arg(long, value_name = "CSV")]
        people: Option<PathBuf>,
        /// Of this product only.
        #[arg(long, value_name = "P")]
        product: Option<String>,
    },
    /// Say what the configuration in shadow (`shadow = "next.toml"`) would have decided about the logins that there were.
    #[command(
        after_help = "Example:\n  fedgate policy shadow --since 2026-11-22\n\nStatus 1: it would have decided something differently."
    )]
    Shadow {
        /// From this time on, UTC: a date or the beginning of an RFC 3339 time.
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
    },
    /// Every version of an organization, newest first.
    #[command(after_help = "Example:\n  fedgate policy history --org acme")]
    History {
        /// Whose.
        #[arg(long, value_name = "ORG")]
        org: String,
    },
    /// Bring an earlier version back: on live sessions within a second. Directories stay as they are.
    #[command(
        after_help = "Example:\n  fedgate policy revert --org acme\n  fedgate policy revert --org acme --to 3 --loosen \
                            7K3M-9QX2"
    )]
    Revert {
        /// Whose.
        #[arg(long, value_name = "ORG")]
        org: String,
        /// Which; 0 is the operator's file alone. Default: the one before the newest.
        #[arg(long, value_name = "N")]
        to: Option<u32>,
        /// Confirms what that gives away: the code that the refusal printed.
        #[arg(long, value_name = "CODE")]
        loosen: Option<String>,
        /// Even if nobody could administer the organization any more.
        #[arg(long)]
        accept_lockout_risk: bool,
    },
}

/// `fedgate token`: tokens of the admin API.
#[derive(Clone, Debug, Subcommand)]
pub enum Tokens {
    /// Make one for somebody who has a role; it is shown once.
    #[command(
        after_help = "Example:\n  fedgate token create --owner it@acme.com --org acme --scope orgs:read --scope orgs:write \
                            --expires 30d\n\nScopes: orgs:read orgs:write people:read people:write audit:read explain:read"
    )]
    Create {
        /// Whose, by address: whoever has a role in [admin], of an organization or of an enterprise, and has logged in.
        #[arg(long, value_name = "EMAIL")]
        owner: String,
        /// What it may do; more than once.
        #[arg(long = "scope", value_name = "SCOPE", required = true)]
        scopes: Vec<String>,
        /// The one organization that it sees.
        #[arg(long, value_name = "ORG")]
        org: Option<String>,
        /// The one enterprise of a product that it sees.
        #[arg(long, value_name = "PRODUCT/ENTERPRISE", conflicts_with = "org")]
        enterprise: Option<String>,
        /// How long it lives, at most 90d.
        #[arg(long, value_name = "TIME", default_value = "30d")]
        expires: String,
        /// What for.
        #[arg(long, value_name = "TEXT", default_value = "")]
        label: String,
        /// A network that it may be used from; more than once. Default: any.
        #[arg(long = "network", value_name = "RANGE")]
        networks: Vec<String>,
    },
    /// List those in force.
    #[command(after_help = "Example:\n  fedgate token list")]
    List,
    /// End one at once.
    #[command(after_help = "Example:\n  fedgate token revoke 01KB3Z8Q4W9T5N7M2XJ6R0V1CD")]
    Revoke {
        /// Its id, as `list` shows it.
        id: String,
    },
}

/// `fedgate domain`: domains that organizations ask for and prove.
#[derive(Clone, Debug, Subcommand)]
pub enum DomainActs {
    /// List them with their state; `disputed` is proved by one organization and held by another.
    #[command(after_help = "Example:\n  fedgate domain list")]
    List,
    /// Settle a dispute: this organization holds the domain from now on, and nobody else does.
    #[command(after_help = "Example:\n  fedgate domain settle acme.com --org acme")]
    Settle {
        /// Which.
        domain: String,
        /// Whose it is.
        #[arg(long, value_name = "ORG")]
        org: String,
        /// Confirms what another organization loses: the code that the refusal printed.
        #[arg(long, value_name = "CODE")]
        loosen: Option<String>,
    },
    /// Remove a row that was written to the database by another hand: nobody enters by its domain until then.
    #[command(after_help = "Example:\n  fedgate domain drop acme.com --org acme")]
    Drop {
        /// Which.
        domain: String,
        /// Whose the row says it is.
        #[arg(long, value_name = "ORG")]
        org: String,
    },
}

/// `fedgate org`: an organization's document at run time, whole.
#[derive(Clone, Debug, Subcommand)]
pub enum Orgs {
    /// Print it as JSON.
    #[command(after_help = "Example:\n  fedgate org show acme > acme.json")]
    Show {
        /// Whose.
        org: String,
    },
    /// Put it whole, in the words of [org.NAME]: the way to replace a directory.
    #[command(after_help = "Example:\n  fedgate org put acme acme.json --secret okta=/run/secrets/okta")]
    Put {
        /// Whose.
        org: String,
        /// The document, JSON.
        file: PathBuf,
        /// A directory's secret from a file, as DIRECTORY=FILE; more than once. Others stay as they are.
        #[arg(long = "secret", value_name = "DIRECTORY=FILE")]
        secrets: Vec<String>,
        /// Confirms what that gives away: the code that the refusal printed.
        #[arg(long, value_name = "CODE")]
        loosen: Option<String>,
        /// Even if nobody could administer the organization any more.
        #[arg(long)]
        accept_lockout_risk: bool,
    },
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
        check("audit", Audit::augment_subcommands, &["audit", "verify", "--anchor", "checkpoint.txt"]);
        check("audit", Audit::augment_subcommands, &["audit", "export", "folder"]);
        check("audit", Audit::augment_subcommands, &["audit", "export", "--format", "ocsf", "--org", "acme"]);
        check("sessions", Sessions::augment_subcommands, &["sessions", "revoke", "--person", "ann@acme.com"]);
        check("token", Tokens::augment_subcommands, &["token", "create", "--owner", "a@b.c", "--scope", "orgs:read"]);
        check("policy", Policies::augment_subcommands, &["policy", "revert", "--org", "acme", "--to", "3"]);
        check("domain", DomainActs::augment_subcommands, &["domain", "settle", "acme.com", "--org", "acme"]);
        check("policy", Policies::augment_subcommands, &["policy", "shadow", "--since", "2026-11-22"]);
        check("breakglass", Breakglass::augment_subcommands, &["breakglass", "enrol", "root@acme.com"]);
        check("breakglass", Breakglass::augment_subcommands, &["breakglass", "list"]);
        check("breakglass", Breakglass::augment_subcommands, &["breakglass", "remove", "root@acme.com"]);
        check("keys", Keys::augment_subcommands, &["keys", "rotate", "acme/okta", "--compromised"]);
        check("keys", Keys::augment_subcommands, &["keys", "rotate", "--kind", "cookie", "--compromised"]);
        check("keys", Keys::augment_subcommands, &["keys", "rotate", "--kek"]);
        check("signals", Signals::augment_subcommands, &["signals", "setup", "acme/okta", "--poll"]);
        check("signals", Signals::augment_subcommands, &["signals", "verify", "acme"]);
        check("org", Orgs::augment_subcommands, &["org", "put", "acme", "acme.json", "--secret", "okta=file"]);
        check("quarantine", Quarantines::augment_subcommands, &["quarantine", "undo", "01KB3Z8Q4W9T5N7M2XJ6R0V1CD"]);
        check("quarantine", Quarantines::augment_subcommands, &["quarantine", "free", "a@b.c", "--product", "trello"]);
        check("tombstone", Tombstones::augment_subcommands, &["tombstone", "show", "a@b.c"]);
        check("tombstone", Tombstones::augment_subcommands, &["tombstone", "lift", "a@b.c"]);
        check("explain", Explain::augment_args, &["explain", "--ref", "7K3M-9QX2"]);
        check("explain", Explain::augment_args, &["explain", "ann@acme.com", "--product", "trello"]);
        check("policy", Policies::augment_subcommands, &["policy", "plan", "new.toml", "--people", "export.csv"]);
    }
}
