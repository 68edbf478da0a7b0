//! `fedgate saml check`: what is wrong with a SAML response, check by check; nothing is let in, burnt or written.

use super::acquainted;
use super::arguments::{Saml, SamlCheck};
use super::events::clean;
use super::node::{Extras, outbound, state};
use super::stored::{self, Wrong};
use super::{Common, Screen, explained};
use crate::clock::Clock;
use crate::idp::saml::SamlProviders;
use crate::kernel::model::{Catalog, Directory};
use crate::kernel::saml::Report;
use crate::kernel::values::Timestamp;
use serde_json::{Value, json};
use std::io::{self, Read as _};
use std::process::ExitCode;
use std::sync::Arc;

/// Bytes that are read of a pasted response: the largest that is judged has 256 KiB, and its base64 in a form half as much again.
const LIMIT: u64 = 1 << 20;

/// Runs what the arguments say.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn run(arguments: &Saml, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let Saml::Check(what) = arguments;
    stored::finish(check(what, common, screen), common, screen)
}

fn check(what: &SamlCheck, common: &Common, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
    let response = read(what)?;
    let config = stored::configuration(common)?;
    let now = Clock::system().now();
    let at = what.at.as_deref().map(explained::time).transpose()?.unwrap_or(now);
    let kek = state::kek(&config.key)?;
    let client = outbound(&config, &Extras::default())?;
    // Addresses that organizations wrote are strangers' here too (rule M16).
    client.operator_names(config.catalog.addresses());
    let store = stored::store(&config)?;
    let (directory, report) = stored::on_store(&store, async {
        let catalog = acquainted::catalog(&*store, &config.key, &config, None, now).await?;
        let directory = directory(&catalog, what)?;
        let background = tokio::runtime::Handle::current();
        let providers = SamlProviders::new(Arc::clone(&store), kek, client, Clock::system(), background);
        let report = providers.examine(&directory, &catalog.login, &response, at).await?;
        Ok((directory, report))
    })?;
    if common.json {
        writeln!(screen.out, "{}", as_json(&directory, &report, at))?;
    } else {
        let verdict = if report.fault.is_none() { "would be taken" } else { "is REFUSED" };
        writeln!(screen.out, "{}, at {at}: the response {verdict}", directory.name)?;
        for line in report.lines() {
            writeln!(screen.out, "  {}", clean(&line))?;
        }
    }
    Ok(if report.fault.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read(what: &SamlCheck) -> Result<Vec<u8>, Wrong> {
    let mut bytes = Vec::new();
    let done = if what.response.as_os_str() == "-" {
        io::stdin().lock().take(LIMIT).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(&what.response).and_then(|file| file.take(LIMIT).read_to_end(&mut bytes))
    };
    done.map(|_| bytes).map_err(|why| Wrong(format!("{} cannot be read: {why}", what.response.display())))
}

/// The organization's SAML directory; of several the one that is named.
fn directory(catalog: &Catalog, what: &SamlCheck) -> Result<Arc<Directory>, Wrong> {
    let name = |directory: &Directory| directory.name.to_string();
    let mut found: Vec<&Arc<Directory>> = catalog.directories.values().collect();
    found.retain(|one| one.protocol.saml().is_some() && one.org().is_some_and(|org| org.as_str() == what.org));
    found.sort_by_key(|one| name(one));
    if let Some(wanted) = &what.directory {
        let is_it = |one: &&Arc<Directory>| {
            let name = name(one);
            name == *wanted || name.rsplit_once('/').is_some_and(|(_, last)| last == wanted)
        };
        found.retain(is_it);
    }
    match found.as_slice() {
        [only] => Ok(Arc::clone(only)),
        [] => Err(Wrong(format!("the organization {:?} has no such directory with `saml`", clean(&what.org)))),
        several => {
            let names: Vec<String> = several.iter().map(|one| name(one)).collect();
            Err(Wrong(format!("say which directory: --directory {}", names.join(", --directory "))))
        }
    }
}

fn as_json(directory: &Directory, report: &Report, at: Timestamp) -> Value {
    let checks = report.checks.iter().map(|check| {
        json!({
            "name": check.name, "holds": check.holds, "expected": check.expected, "got": check.got,
            "code": (!check.holds).then(|| check.fault.code()),
        })
    });
    let known = report.known.iter().map(
        |(key, end)| json!({ "fingerprint": key.to_string(), "certificate_ends": end.map(|end| end.to_string()) }),
    );
    json!({
        "good": report.fault.is_none(), "directory": directory.name.to_string(), "at": at.to_string(),
        "code": report.fault.map(|fault| fault.code()), "cause": report.fault.map(|fault| fault.cause()),
        "remedy": report.fault.map(|fault| fault.remedy()),
        "checks": checks.collect::<Vec<_>>(),
        "signed_by": report.signed_by.map(|key| key.to_string()),
        "message_signed_by": report.message_signed_by.map(|key| key.to_string()),
        "ended_keys_that_signed": report.ended.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "certificates_that_came": report.came.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "keys_known": known.collect::<Vec<_>>(),
    })
}
