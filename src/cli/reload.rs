//! `fedgate reload`: has the running gateway apply its configuration file anew.

use super::arguments::Reload;
use super::node::control::{ask, socket};
use super::{Common, Screen, WRONG};
use std::io;
use std::process::ExitCode;

/// Asks over the control socket of the state folder that the file names.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn run(arguments: &Reload, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let Some((_, config)) = common.configuration(screen)? else { return Ok(ExitCode::from(WRONG)) };
    let line = match &arguments.loosen {
        Some(code) => format!("reload {code}"),
        None => "reload".to_owned(),
    };
    let answer = ask(&socket(&config.state), &line);
    let (ok, said) = match answer {
        Ok(answer) => match answer.split_once(' ') {
            Some(("ok", said)) => (true, said.trim_end().to_owned()),
            Some((_, why)) => (false, why.trim_end().to_owned()),
            None => (false, "the gateway closed the connection without an answer".to_owned()),
        },
        Err(why) => (false, format!("no gateway answers at {}: {why}", socket(&config.state).display())),
    };
    if common.json {
        writeln!(screen.out, "{}", serde_json::json!({ "ok": ok, "said": said }))?;
    } else if ok {
        writeln!(screen.out, "{said}")?;
    } else {
        writeln!(screen.err, "{said}")?;
    }
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
