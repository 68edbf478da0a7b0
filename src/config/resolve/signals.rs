//! `signals = { poll = "…" }` of a directory: security events that are fetched (RFC 8936).

use super::Reader;
use super::values::text;
use crate::config::file::Connection;
use crate::config::finding::Code;
use crate::kernel::model::Polled;
use std::time::Duration;

/// How often a transmitter that answers at once is asked, where nothing is said.
const EVERY: Duration = Duration::from_secs(2);
/// The shortest and the longest time between two questions: what is over is to be over soon.
const BOUNDS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(300);

impl Reader<'_> {
    /// The transmitter that is asked, if there is one.
    pub(super) fn polled(&mut self, written: &Connection) -> Option<Polled> {
        let signals = written.signals.as_ref()?;
        if self.at_run_time {
            let write = "remove it: the operator writes it into the file, with the token's file";
            self.say.not_yet(signals.span(), "signals of an organization's own document", write);
            return None;
        }
        if written.oidc.is_none() {
            let write =
                "remove it, or write oidc = \"https://…\": events are verified by the keys of an OpenID Provider";
            self.say.error(Code::Value, signals.span(), "`signals` of a directory without `oidc`", write);
            return None;
        }
        if signals.poll.is_none() {
            let write = "write poll = \"https://…\", the transmitter's polling endpoint";
            self.missing(signals.span(), "signals", "poll", write);
        }
        let url = self.https(&signals.poll);
        let Some((token, _)) = self.secret("token", &signals.token_file, &signals.token_env) else {
            self.missing(
                signals.span(),
                "signals",
                "token_file",
                "write token_file = \"…\", with the transmitter's bearer token",
            );
            return None;
        };
        let every = self.duration(&signals.every, EVERY);
        if !BOUNDS.contains(&every) {
            let what = format!("{:?} is not between 1s and 5m", text(&signals.every).unwrap_or_default());
            let span = signals.every.as_ref().map_or_else(|| signals.span(), |every| every.span());
            self.say.error(Code::Value, span, what, "write every = \"2s\"");
        }
        Some(Polled { url: url?, token, every })
    }
}
