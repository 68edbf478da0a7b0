//! The audit log as a tree of hashes: signed checkpoints, verification, export, sinks, and the sampling of strangers' refusals.
//!
//! Events get into the log with the change that they record, by `store::Store::commit`, never through here. What is here reads
//! the log, states its size and root every minute ([`Log`]), checks such statements ([`verify`]) and hands events on ([`Sink`]).
//! Deliberately absent: keys, which are made and kept elsewhere and come as a [`Signer`]. A new sink is a file beside `jsonl.rs`
//! and a line in [`open`]; what a new action is for
//! collectors of security events stands in `ocsf_classes.rs`.

mod export;
mod format;
mod https;
mod jsonl;
mod log;
mod note;
mod ocsf;
mod ocsf_classes;
mod otlp;
mod people;
mod rfc5424;
mod sampler;
mod sink;
mod syslog;
mod tree;
mod verify;
mod waiting;

pub use export::{ExportError, export};
pub use format::Format;
pub use https::Way;
pub use jsonl::Jsonl;
pub use log::{CheckpointError, Log, Pen, Pens, run};
pub use note::{Checkpoint, NotACheckpoint, NotAKey, Sign, Signer, VerifyingKey};
pub use ocsf::{OCSF_VERSION, Unmappable, ocsf};
pub use people::{People, PseudonymKey};
pub use sampler::{Counted, Sampled, Sampler};
pub use sink::{Line, Sink, SinkOptions, deliver};
pub use tree::CompactRange;
pub use verify::{Fault, Verdict, verify_folder, verify_store};
pub use waiting::Waiting;

/// Why a sink cannot be opened. Start-up stops.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Not an address of a sink that this version has.
    #[error(
        "`{0}` is no sink of this version; write `jsonl:` and a path, like `jsonl:/var/log/fedgate/audit.jsonl`, or https://…, otlp://…, syslog+tls://…"
    )]
    Address(String),
    /// The file cannot be made or read.
    #[error("the sink's file `{0}` cannot be opened: {1}")]
    File(String, std::io::Error),
    /// The receiver cannot be addressed so.
    #[error("the sink `{0}` cannot be used: {1}")]
    Receiver(String, String),
}

/// Opens a sink that is configured. Pseudonyms are made with `key`; what is not a file is reached by `way`.
///
/// # Errors
/// [`OpenError`].
pub fn open(options: SinkOptions, key: &PseudonymKey, way: &Way) -> Result<Box<dyn Sink>, OpenError> {
    match options.url.strip_prefix("jsonl:") {
        Some(path) if !path.is_empty() => match Jsonl::open(path.as_ref(), &options, key.clone()) {
            Ok(sink) => Ok(Box::new(sink)),
            Err(fault) => Err(OpenError::File(path.to_owned(), fault)),
        },
        _ if https::is_meant(&options.url) => match https::Https::new(&options, key.clone(), way.clone()) {
            Ok(sink) => Ok(Box::new(sink)),
            Err(why) => Err(OpenError::Receiver(options.url, why)),
        },
        _ => match syslog::Syslog::new(&options, key.clone(), way.clone()) {
            Some(sink) => Ok(Box::new(sink)),
            None => Err(OpenError::Address(options.url)),
        },
    }
}
