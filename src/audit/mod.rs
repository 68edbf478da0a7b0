//! The audit log as a tree of hashes: signed checkpoints, verification, export, sinks, and the sampling of strangers' refusals.
//!
//! Events get into the log with the change that they record, by `store::Store::commit`, never through here. What is here reads
//! the log, states its size and root every minute ([`Log`]), checks such statements ([`verify`]) and hands events on ([`Sink`]).
//! Deliberately absent: keys, which are made and kept elsewhere and come as a [`Signer`]. A new sink is a file beside `jsonl.rs`
//! and a line in [`open`]; what a new action is for
//! collectors of security events stands in `ocsf_classes.rs`.

mod export;
mod format;
mod jsonl;
mod log;
mod note;
mod ocsf;
mod ocsf_classes;
mod people;
mod sampler;
mod sink;
mod tree;
mod verify;

pub use export::{ExportError, export};
pub use format::Format;
pub use jsonl::Jsonl;
pub use log::{CheckpointError, Log, Pen, Pens, run};
pub use note::{Checkpoint, NotACheckpoint, NotAKey, Sign, Signer, VerifyingKey};
pub use ocsf::{OCSF_VERSION, Unmappable, ocsf};
pub use people::{People, PseudonymKey};
pub use sampler::{Counted, Sampled, Sampler};
pub use sink::{Line, Sink, SinkOptions, deliver};
pub use tree::CompactRange;
pub use verify::{Fault, Verdict, verify_folder, verify_store};

/// Why a sink cannot be opened. Start-up stops.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Not an address of a sink that this version has.
    #[error("`{0}` is no sink of this version; write `jsonl:` and a path, like `jsonl:/var/log/fedgate/audit.jsonl`")]
    Address(String),
    /// The file cannot be made or read.
    #[error("the sink's file `{0}` cannot be opened: {1}")]
    File(String, std::io::Error),
}

/// Opens the sinks that are configured. Pseudonyms are made with `key`.
///
/// # Errors
/// [`OpenError`] for the first that cannot be opened.
pub fn open(list: Vec<SinkOptions>, key: &PseudonymKey) -> Result<Vec<Box<dyn Sink>>, OpenError> {
    list.into_iter()
        .map(|options| match options.url.strip_prefix("jsonl:") {
            Some(path) if !path.is_empty() => match Jsonl::open(path.as_ref(), &options, key.clone()) {
                Ok(sink) => Ok(Box::new(sink) as Box<dyn Sink>),
                Err(fault) => Err(OpenError::File(path.to_owned(), fault)),
            },
            _ => Err(OpenError::Address(options.url)),
        })
        .collect()
}
