//! `fedgate explain`: what stands behind the reference of a refusal page; of an address, `explained` has it.

use super::arguments::Explain;
use super::stored::{self, Wrong};
use super::{Common, Screen, events, explained};
use crate::kernel::values::Reference;
use std::io;
use std::process::ExitCode;

/// Prints each event that carries the reference, with the rules that were asked; or what a login would come to.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn run(arguments: &Explain, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let done = explain(arguments, common, screen);
    stored::finish(done, common, screen)
}

fn explain(arguments: &Explain, common: &Common, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
    let reference = match (&arguments.email, &arguments.reference) {
        (Some(email), _) => return explained::run(arguments, email, common, screen),
        (None, Some(text)) => reference(text)?,
        (None, None) => return Err(Wrong("say whom, by address, or which refusal, by --ref".to_owned())),
    };
    let store = stored::store(&stored::configuration(common)?)?;
    let found = stored::on_store(&store, async { Ok(store.events_by_reference(&reference.to_string()).await?) })?;
    if common.json {
        writeln!(screen.out, "{}", serde_json::json!({ "ref": reference.to_string(), "events": found }))?;
    } else {
        for event in &found {
            write!(screen.out, "{}", events::story(event))?;
        }
    }
    if found.is_empty() {
        if !common.json {
            writeln!(screen.err, "{NOT_FOUND}")?;
        }
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Refusals of strangers are sampled (rule M15), and faults are in the log of the program alone.
const NOT_FOUND: &str = "the audit log has no event with this reference: it may be a fault, or one of many like it; the \
                         gateway's log line has it";

/// A reference as people type it.
pub(super) fn reference(text: &str) -> Result<Reference, Wrong> {
    Reference::parse(text).ok_or_else(|| Wrong("a reference has eight characters, like 7K3M-9QX2".to_owned()))
}
