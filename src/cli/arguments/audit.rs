//! Arguments of `fedgate audit`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `fedgate audit`: the audit log.
#[derive(Clone, Debug, Subcommand)]
pub enum Audit {
    /// Prove that no event was edited, removed or reordered.
    #[command(
        after_help = "Example:\n  fedgate audit verify --anchor checkpoint.txt\n  fedgate audit verify --export \
                            /backup/audit --keys audit.pub\n\nStatus 0: consistent; 1: not, or the anchor does not fit."
    )]
    Verify(Verify),
    /// Write the whole log to a new folder: events, checkpoints and tiles, which `verify --export` reads; or, with --format, single events.
    #[command(
        after_help = "Example:\n  fedgate audit export /backup/audit\n  fedgate audit export --format ocsf --since \
                      2026-11-22 --org acme >events.jsonl"
    )]
    Export(Export),
    /// Find events; with --json as they stand in the log.
    #[command(after_help = "Example:\n  fedgate audit search --person ann@acme.com --since 2026-11-22 --outcome \
                            refused\n\nStatus 1: nothing was found.")]
    Search(Search),
}

/// What to verify, and by what.
#[derive(Args, Clone, Debug, Default)]
pub struct Verify {
    /// A checkpoint from somewhere that the keepers of the store do not control.
    #[arg(long, value_name = "FILE")]
    pub anchor: Option<PathBuf>,
    /// The log's public key from somewhere else; of several lines the first counts. Default: audit.pub in the state folder.
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// What `audit export` wrote, instead of the store.
    #[arg(long, value_name = "FOLDER")]
    pub export: Option<PathBuf>,
}

/// What to write, and how. It holds people in clear.
#[derive(Args, Clone, Debug, Default)]
pub struct Export {
    /// The folder, or with --format the file; files that exist are not written over. Default with --format: standard output.
    #[arg(required_unless_present = "format")]
    pub target: Option<PathBuf>,
    /// One event a line: as they stand in the log, or as OCSF 1.6.0.
    #[arg(long, value_name = "FORMAT", value_parser = ["jsonl", "ocsf"])]
    pub format: Option<String>,
    #[command(flatten)]
    pub which: Which,
}

/// Which events; all that is said must hold.
#[derive(Args, Clone, Debug, Default)]
pub struct Which {
    /// Whose: an address.
    #[arg(long, value_name = "EMAIL")]
    pub person: Option<String>,
    /// From this time on, UTC: a date or the beginning of an RFC 3339 time.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Before this time, UTC, written like --since.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Of this organization.
    #[arg(long, value_name = "ORG")]
    pub org: Option<String>,
    /// At this product.
    #[arg(long, value_name = "PRODUCT")]
    pub product: Option<String>,
}

/// Which events; all that is said must hold.
#[derive(Args, Clone, Debug, Default)]
pub struct Search {
    /// The reference of a refusal page.
    #[arg(long = "ref", value_name = "REF")]
    pub reference: Option<String>,
    #[command(flatten)]
    pub which: Which,
    /// How it ended.
    #[arg(long, value_name = "OUTCOME", value_parser = ["success", "refused", "failure"])]
    pub outcome: Option<String>,
}
