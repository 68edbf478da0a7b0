//! `signals = { token_file = "…" }` of a directory: the transmitter of its provider's security events, how its stream is set up, and where
//! they are fetched if it does not push them (RFC 8936).

use super::Reader;
use super::values::text;
use crate::config::file::{At, Connection, Signals};
use crate::config::finding::Code;
use crate::kernel::model::{Polled, Transmitter};
use std::time::Duration;

/// How often a transmitter that answers at once is asked, where nothing is said.
const EVERY: Duration = Duration::from_secs(2);
/// The shortest and the longest time between two questions: what is over is to be over soon.
const BOUNDS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(300);
/// Characters of an audience.
const AUDIENCE: usize = 1_024;

impl Reader<'_> {
    /// The transmitter, if something is said of it.
    pub(super) fn transmitter(&mut self, written: &Connection) -> Option<Transmitter> {
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
        let audience = self.audience(signals);
        let url = self.https(&signals.poll);
        let every = self.every(signals);
        let Some((token, _)) = self.secret("token", &signals.token_file, &signals.token_env) else {
            self.missing(
                signals.span(),
                "signals",
                "token_file",
                "write token_file = \"…\", with the transmitter's bearer token",
            );
            return None;
        };
        Some(Transmitter { token, audience, polled: url.map(|url| Polled { url, every }) })
    }

    fn audience(&mut self, signals: &Signals) -> Option<String> {
        let written = signals.audience.as_ref()?;
        let fits = (1..=AUDIENCE).contains(&written.chars().count()) && !written.chars().any(char::is_control);
        if !fits {
            let write = "write the `aud` of the stream, as `fedgate signals status` prints it";
            self.say.error(Code::Value, written.span(), "no token has this audience", write);
        }
        Some(written.to_string())
    }

    fn every(&mut self, signals: &At<Signals>) -> Duration {
        let every = self.duration(&signals.every, EVERY);
        let span = signals.every.as_ref().map_or_else(|| signals.span(), |every| every.span());
        if signals.every.is_some() && signals.poll.is_none() {
            let write = "write poll = \"https://…\", the transmitter's polling endpoint, or remove `every`";
            self.say.error(Code::Value, span, "`every` without `poll`: nothing is fetched", write);
        } else if !BOUNDS.contains(&every) {
            let what = format!("{:?} is not between 1s and 5m", text(&signals.every).unwrap_or_default());
            self.say.error(Code::Value, span, what, "write every = \"2s\"");
        }
        every
    }
}
