//! `fedgate check --online`, where certificates are ordered: whether the authority answers, and whether names lead anywhere.

use super::Screen;
use super::node::{Extras, NotStarted, wanted};
use super::run::on_runtime;
use crate::acme::reachable;
use crate::config::Config;
use crate::outbound::{Resolve as _, SystemResolver};
use serde_json::{Value, json};
use std::io;

/// The authority, asked.
pub(super) struct Authority {
    directory: String,
    fault: Option<String>,
    /// Host names without an address here. The authority asks other name servers: that is worth a word, and no fault.
    nowhere: Vec<String>,
}

/// Asks; nothing without `tls = "acme"`.
///
/// # Errors
/// [`NotStarted`] when the HTTP client cannot be set up.
pub(super) fn ask(config: &Config) -> Result<Option<Authority>, NotStarted> {
    let Some(wanted) = wanted(config, &Extras::default())? else { return Ok(None) };
    on_runtime(async {
        let mut nowhere = Vec::new();
        for host in &wanted.hosts {
            let leads = SystemResolver.resolve(host).await.is_ok_and(|found| !found.is_empty());
            nowhere.extend((!leads).then(|| host.clone()));
        }
        let fault = reachable(&wanted).await.err();
        Ok(Some(Authority { directory: wanted.options.directory.to_string(), fault, nowhere }))
    })
}

impl Authority {
    /// Whether certificates can be ordered there.
    pub(super) fn is_good(&self) -> bool {
        self.fault.is_none()
    }

    pub(super) fn json(&self) -> Value {
        json!({ "directory": self.directory, "fault": self.fault, "names_without_address": self.nowhere, "good": self.is_good() })
    }

    pub(super) fn show(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        let out = &mut screen.out;
        let mark = if self.is_good() { "ok " } else { "BAD" };
        writeln!(out, "\nThe authority of certificates, asked now:\n  {mark} {}", self.directory)?;
        if let Some(fault) = &self.fault {
            writeln!(out, "      {fault}")?;
        }
        for host in &self.nowhere {
            writeln!(out, "      {host} has no address here: the authority must find this gateway under it")?;
        }
        Ok(())
    }
}
