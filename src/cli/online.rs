//! `fedgate check --online`: asks every provider now, and says what would keep people out.

use super::Screen;
use super::node::{Extras, NotStarted, outbound};
use super::run::on_runtime;
use crate::clock::Clock;
use crate::config::{Config, DraftDirectory};
use crate::idp::{ClientAssertions, OnlineReport, ProviderOptions, Providers};
use crate::kernel::model::Directory;
use crate::kernel::values::{DirectoryId, Timestamp};
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Beyond this a provider's clock makes its tokens refused (interface: 60 s of skew everywhere).
const SKEW_SECONDS: u64 = 60;
/// A certificate that ends sooner than this is worth a word.
const SOON: Duration = Duration::from_secs(14 * 86_400);

/// One directory, asked.
pub(super) struct Asked {
    name: String,
    redirect_uri: String,
    report: OnlineReport,
    now: Timestamp,
}

/// Nothing is redeemed here, so nothing is signed.
struct NoAssertions;

impl ClientAssertions for NoAssertions {
    fn assertion(&self, _: DirectoryId, _: &str, _: &str, _: Timestamp) -> String {
        String::new()
    }
}

/// Asks all of them, one after the other.
///
/// # Errors
/// [`NotStarted`] when the HTTP client cannot be set up.
pub(super) fn ask(config: &Config) -> Result<Vec<Asked>, NotStarted> {
    on_runtime(async {
        let clock = Clock::system();
        let providers = Providers::new(ProviderOptions {
            outbound: outbound(config, &Extras::default())?,
            // `online` remembers nothing: the folder is named and never written to.
            cache_dir: config.state.join("providers"),
            clock: clock.clone(),
            assertions: Arc::new(NoAssertions),
            allow_demo: false,
            background: tokio::runtime::Handle::current(),
        });
        let mut asked = Vec::new();
        for draft in config.catalog.directories.iter().filter(|draft| draft.name.is_provider()) {
            let report = providers.online(&directory(draft)).await;
            let redirect_uri = format!("{}{}", config.login.url(), draft.name.callback_path());
            asked.push(Asked { name: draft.name.to_string(), redirect_uri, report, now: clock.now() });
        }
        Ok(asked)
    })
}

fn directory(draft: &DraftDirectory) -> Directory {
    Directory {
        id: DirectoryId::from_bytes([0; 16]),
        name: draft.name.clone(),
        label: draft.label.clone(),
        domains: draft.domains.clone(),
        protocol: draft.protocol.clone(),
        subject_source: draft.subject_source.clone(),
        groups_claim: draft.groups_claim.clone(),
        members: draft.members.clone(),
        scim: draft.scim.clone(),
        transmitter: draft.transmitter.clone(),
    }
}

impl Asked {
    /// Whether people can log in there.
    pub(super) fn is_good(&self) -> bool {
        self.report.usable.is_ok() && self.report.mismatches.is_empty() && !self.is_off_the_clock()
    }

    fn is_off_the_clock(&self) -> bool {
        self.report.clock_offset.is_some_and(|seconds| seconds.unsigned_abs() > SKEW_SECONDS)
    }

    fn is_ending(&self) -> bool {
        self.report.certificate_ends.is_some_and(|end| end < self.now.plus(SOON))
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "directory": self.name,
            "redirect_uri": self.redirect_uri,
            "asked": self.report.asked,
            "usable": self.report.usable.is_ok(),
            "fault": self.report.usable.as_ref().err().map(ToString::to_string),
            "mismatches": self.report.mismatches,
            "keys": self.report.keys,
            "clock_offset_seconds": self.report.clock_offset,
            "certificate_ends": self.report.certificate_ends.map(|end| end.to_string()),
            "good": self.is_good(),
        })
    }

    pub(super) fn show(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        let out = &mut screen.out;
        let mark = if self.is_good() { "ok " } else { "BAD" };
        writeln!(out, "  {mark} {:<20} {}", self.name, self.report.asked)?;
        writeln!(out, "      redirect URI to register  {}", self.redirect_uri)?;
        if let Err(fault) = &self.report.usable {
            writeln!(out, "      {fault}")?;
        }
        for mismatch in &self.report.mismatches {
            writeln!(out, "      {mismatch}")?;
        }
        if let Some(keys) = self.report.keys {
            writeln!(out, "      usable signing keys       {keys}")?;
        }
        if let Some(offset) = self.report.clock_offset {
            let word =
                if self.is_off_the_clock() { "  more than 60 s: its tokens are refused; set the clock" } else { "" };
            writeln!(out, "      clock, theirs minus ours  {offset} s{word}")?;
        }
        if let Some(end) = self.report.certificate_ends {
            let word = if self.is_ending() { "  soon: have it renewed" } else { "" };
            writeln!(out, "      its certificate ends      {end}{word}")?;
        }
        Ok(())
    }
}
