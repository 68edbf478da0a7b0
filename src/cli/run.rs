//! `fedgate run`: serve until told to stop.

use super::arguments::Run;
use super::node::control::{Control, hangups};
use super::node::{Extras, Node, NotStarted, init_log};
use super::{Common, Screen, WRONG};
use std::io;
use std::process::ExitCode;

/// Serves.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn run(arguments: &Run, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let Some((file, config)) = common.configuration(screen)? else { return Ok(ExitCode::from(WRONG)) };
    init_log(&config);
    let served = on_runtime(async {
        let hangup = hangups()?;
        let node = Node::start(config.clone(), Extras::default()).await?;
        let at = node.running.addresses();
        tracing::info!(https = ?at.https, http = ?at.http, plain = ?at.plain, ops = ?at.ops, login = %config.login, "serving");
        Control { node, config, file: Some(file), hangup }.serve(arguments.watch).await
    });
    match served {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(why) => {
            writeln!(screen.err, "error: {why}")?;
            Ok(ExitCode::from(WRONG))
        }
    }
}

/// The runtime of everything that is neither data path nor back room: signals, control, refreshes behind requests.
pub(super) fn on_runtime<T>(work: impl Future<Output = Result<T, NotStarted>>) -> Result<T, NotStarted> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|why| NotStarted::new("no runtime", &why))?.block_on(work)
}
