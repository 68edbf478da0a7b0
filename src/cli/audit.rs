//! `fedgate audit`: verify, export and search the audit log, beside a gateway that may be running.

use super::arguments::{Audit, Export, Search, Verify};
use super::node::audit_key::file as key_file;
use super::stored::{self, Wrong};
use super::wanted::Wanted;
use super::{Common, Screen, events, explain};
use crate::audit::{Format, Verdict, VerifyingKey, export, verify_folder, verify_store};
use crate::clock::Clock;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;

/// Runs what the arguments say.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn run(arguments: &Audit, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let done = match arguments {
        Audit::Verify(what) => verify(what, common, screen),
        Audit::Export(what) => write_out(what, common, screen),
        Audit::Search(what) => search(what, common, screen),
    };
    stored::finish(done, common, screen)
}

fn verify(what: &Verify, common: &Common, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
    let anchor = what.anchor.as_deref().map(stored::file).transpose()?;
    let anchor = anchor.as_deref();
    let now = Clock::system().now();
    let (verdict, key) = match (&what.export, &what.keys) {
        (Some(folder), Some(keys)) => {
            let key = first_key(keys)?;
            (verify_folder(folder, std::slice::from_ref(&key), anchor, now)?, key)
        }
        (folder, keys) => {
            let config = stored::configuration(common)?;
            let key = first_key(keys.as_deref().unwrap_or(&key_file(&config.state)))?;
            let keys = std::slice::from_ref(&key);
            let verdict = match folder {
                Some(folder) => verify_folder(folder, keys, anchor, now)?,
                None => {
                    let store = stored::store(&config)?;
                    let verdict = async { Ok(verify_store(store.as_ref(), keys, anchor, now).await?) };
                    stored::on_store(&store, verdict)?
                }
            };
            (verdict, key)
        }
    };
    // An anchor that fits no size of this log was not verified, whatever the rest says.
    let good = verdict.is_consistent() && (anchor.is_none() || verdict.anchored.is_some());
    show(&verdict, &key, good, common, screen)?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The key that trust begins with. Each later one must have been named by its predecessor (rule H13), so taking more of them
/// from a file would only let a stolen one sign what was before it.
fn first_key(path: &Path) -> Result<VerifyingKey, Wrong> {
    let text = stored::file(path)?;
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    let fault = |why: &dyn std::fmt::Display| Wrong(format!("{}: {why}", path.display()));
    VerifyingKey::parse(first.ok_or_else(|| fault(&"there is no key in it"))?).map_err(|why| fault(&why))
}

fn show(verdict: &Verdict, key: &VerifyingKey, good: bool, common: &Common, screen: &mut Screen<'_>) -> io::Result<()> {
    if !common.json {
        return writeln!(screen.out, "{verdict}\nfirst key: {key}");
    }
    let faults: Vec<String> = verdict.faults.iter().map(ToString::to_string).collect();
    let shown = serde_json::json!({
        "good": good,
        "events": verdict.size,
        "signed": verdict.signed,
        "signed_at": verdict.signed_at.map(|at| at.to_string()),
        "anchored": verdict.anchored,
        "unsigned_minutes": verdict.minutes,
        "faults": faults,
        "first_key": key.to_string(),
    });
    writeln!(screen.out, "{shown}")
}

fn write_out(what: &Export, common: &Common, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
    let format = match what.format.as_deref() {
        Some("ocsf") => Format::Ocsf,
        Some(_) => Format::Own,
        None => return write_folder(what, common, screen),
    };
    let wanted = Wanted::of(&what.which)?;
    let store = stored::store(&stored::configuration(common)?)?;
    let mut file = match &what.target {
        Some(path) => Some(OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(BufWriter::new)?),
        None => None,
    };
    let out: &mut dyn Write = file.as_mut().map_or(&mut *screen.out, |file| file);
    let written = wanted.each(&store, |logged, _| Ok(out.write_all(&format.line(logged)?)?));
    stored::on_store(&store, written)?;
    if let Some(file) = file {
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The whole log, to be verified elsewhere: a part of it proves nothing.
fn write_folder(what: &Export, common: &Common, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
    let which = &what.which;
    if [&which.person, &which.since, &which.until, &which.org, &which.product].iter().any(|part| part.is_some()) {
        return Err(Wrong("a folder holds the whole log; to write some of its events add --format".to_owned()));
    }
    let Some(folder) = &what.target else { return Err(Wrong("say which folder".to_owned())) };
    let store = stored::store(&stored::configuration(common)?)?;
    let events = stored::on_store(&store, async { Ok(export(store.as_ref(), folder).await?) })?;
    if common.json {
        writeln!(screen.out, "{}", serde_json::json!({ "events": events, "folder": folder }))?;
    } else {
        writeln!(screen.out, "{events} events are in {}", folder.display())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn search(what: &Search, common: &Common, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
    let reference =
        what.reference.as_deref().map(explain::reference).transpose()?.map(|reference| reference.to_string());
    let outcome = what.outcome.clone().map(serde_json::Value::String);
    let mut wanted = Wanted::of(&what.which)?;
    wanted.outcome = outcome;
    let store = stored::store(&stored::configuration(common)?)?;
    let found = stored::on_store(&store, wanted.find(&store, reference.as_deref()))?;
    for event in &found {
        if common.json {
            writeln!(screen.out, "{}", serde_json::to_string(event)?)?;
        } else {
            writeln!(screen.out, "{}", events::line(event))?;
        }
    }
    Ok(if found.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
