//! What commands over stored state begin with: the configuration and its store, beside a gateway that may be running.
//!
//! Such a command takes no lock on the state folder: the store settles who writes, and the gateway hears of a revocation by its
//! log, like one of another node.

use super::node::NotStarted;
use super::run::on_runtime;
use super::{Common, Screen, WRONG};
use crate::config::{Config, Machine, read};
use crate::store::{self, Store};
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// Why a command ends early: a sentence, and wrong usage or configuration.
#[derive(Debug)]
pub(super) struct Wrong(pub String);

impl<E: std::error::Error> From<E> for Wrong {
    fn from(why: E) -> Self {
        Self(why.to_string())
    }
}

/// The configuration; its secrets are read, as `run` would.
pub(super) fn configuration(common: &Common) -> Result<Config, Wrong> {
    let (path, text) = common.text().map_err(Wrong)?;
    let (config, report) = read(&text, &path, &Machine);
    config.filter(|_| !report.has_errors()).ok_or_else(|| Wrong(report.plain()))
}

/// Opens the store that a gateway has made; this never makes one.
pub(super) fn store(config: &Config) -> Result<Arc<dyn Store>, Wrong> {
    let file = config.store.expose().strip_prefix("sqlite:").map(|file| config.state.join(file));
    match file {
        Some(file) if !file.exists() => {
            Err(Wrong(format!("there is no store at {} yet: `fedgate run` makes it", file.display())))
        }
        _ => Ok(store::open(config.store.expose(), &config.state)?),
    }
}

/// Runs a command on the store and closes it.
pub(super) fn on_store<T>(store: &Arc<dyn Store>, work: impl Future<Output = Result<T, Wrong>>) -> Result<T, Wrong> {
    let all = async {
        let done = work.await;
        store.close().await;
        done.map_err(|Wrong(why)| NotStarted(why))
    };
    Ok(on_runtime(all)?)
}

/// The end of a command: its status, or its mistake told.
pub(super) fn finish(done: Result<ExitCode, Wrong>, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    match done {
        Ok(status) => Ok(status),
        Err(Wrong(why)) if common.json => {
            writeln!(screen.out, "{}", serde_json::json!({ "error": why.trim_end() }))?;
            Ok(ExitCode::from(WRONG))
        }
        Err(Wrong(why)) => {
            let prefix = if why.starts_with("error") { "" } else { "error: " };
            writeln!(screen.err, "{prefix}{}", why.trim_end())?;
            Ok(ExitCode::from(WRONG))
        }
    }
}

/// Reads a text file that an operator named, at most 1 MiB.
pub(super) fn file(path: &Path) -> Result<String, Wrong> {
    use std::io::Read as _;
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(1 << 20).read_to_string(&mut text));
    read.map_err(|why| Wrong(format!("{} cannot be read: {why}", path.display())))?;
    Ok(text)
}
