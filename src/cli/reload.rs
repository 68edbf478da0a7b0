//! `fedgate reload`: has the running gateway apply its configuration file anew.

use super::arguments::Reload;
use super::node::control::socket;
use super::{Common, Screen, WRONG};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

/// Asks over the control socket of the state folder that the file names.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn run(arguments: &Reload, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let Some((_, config)) = common.configuration(screen)? else { return Ok(ExitCode::from(WRONG)) };
    let answer = ask(&socket(&config.state), arguments.loosen.as_deref());
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

fn ask(path: &std::path::Path, code: Option<&str>) -> io::Result<String> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    match code {
        Some(code) => writeln!(stream, "reload {code}")?,
        None => writeln!(stream, "reload")?,
    }
    let mut answer = String::new();
    let mut reader = BufReader::new(stream.take(64 * 1024));
    while reader.read_line(&mut answer)? > 0 {}
    Ok(answer)
}
