//! N9: the certificates of a provider's keys end. Its organization's admins are told 30, 7 and 1 days before, and once after, each once
//! for all nodes together; whether such a key is used then is the configuration's affair (`expired_keys`).

use super::provider::Provider;
use super::{Desk, Fault, SamlProviders};
use crate::entropy::random;
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::journal::Batch;
use crate::kernel::model::Directory;
use crate::kernel::saml;
use crate::kernel::values::{EventId, Timestamp};
use crate::store::NotCommitted;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const DAY: Duration = Duration::from_secs(86_400);
/// How long before the end, the latest first.
const BEFORE: [(&str, Duration); 4] =
    [("0", Duration::ZERO), ("1", DAY), ("7", DAY.saturating_mul(7)), ("30", DAY.saturating_mul(30))];
/// A letter is not written again within this, however often the same metadata is read.
const REMEMBERED: Duration = DAY.saturating_mul(400);
/// How often kept metadata is looked at where nobody logs in.
const EVERY: Duration = Duration::from_secs(3_600);

/// What admins are told about a provider's keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyNews {
    /// Its metadata has a new one (rule M5).
    New,
    /// The certificate of one ends then, or has ended (N9).
    Ends {
        /// When.
        at: Timestamp,
        /// It has ended.
        ended: bool,
    },
}

/// The latest point that was reached on the way to this end; `None`: it is further off than the first.
fn reached(end: Timestamp, now: Timestamp) -> Option<&'static str> {
    BEFORE.iter().find(|(_, before)| now >= end.minus(*before)).map(|(name, _)| *name)
}

impl Desk {
    /// Tells whoever was not told yet. What cannot be written down now is tried again within the hour.
    pub(super) async fn tell_ends(&self, directory: &Directory, provider: &Provider) -> Result<(), Fault> {
        let Some(letters) = self.letters.get() else { return Ok(()) };
        let now = self.clock.now();
        for (fingerprint, end) in provider.metadata.keys.known() {
            let Some((end, point)) = end.and_then(|end| Some((end, reached(end, now)?))) else { continue };
            let news = KeyNews::Ends { at: end, ended: end <= now };
            let changes = letters(directory, news, now).map_err(Fault)?;
            if changes.is_empty() {
                continue; // Nobody is there to be told yet.
            }
            let mut event = AuditEvent::new(EventId::mint(now, random()), now, Action::ProviderKeys, Outcome::Success);
            event.directory = Some(directory.name.to_string());
            event.org = directory.org().map(ToString::to_string);
            event.reason = Some("end-told".to_owned());
            event.after = Some(serde_json::json!({ "key": fingerprint.to_string(), "told_days_before": point }));
            let what = format!("ends {fingerprint} {} {point}", end.millis());
            let mark = saml::remembered(directory.id, &what, now.plus(REMEMBERED));
            match self.store.commit(Batch { marks: vec![mark], changes, events: vec![event], ..Batch::default() }).await
            {
                // Told before, by this node or another.
                Ok(_) | Err(NotCommitted::Conflict(_)) => {}
                Err(NotCommitted::Unavailable(fault)) => return Err(Fault::of(fault)),
            }
        }
        Ok(())
    }
}

impl SamlProviders {
    /// Looks every hour at what is kept of each provider, so that a key's end is told also where nobody logs in. Asks no provider.
    pub async fn keep_watching(self, directories: impl Fn() -> Vec<Arc<Directory>>, stopped: CancellationToken) {
        loop {
            for directory in directories() {
                let Some(settings) = directory.protocol.saml() else { continue };
                if let Some(provider) = self.0.remembered(directory.id, settings).await
                    && let Err(fault) = self.0.tell_ends(&directory, &provider).await
                {
                    tracing::warn!(directory = %directory.name, %fault, "the end of a key could not be told");
                }
            }
            if stopped.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n9_an_end_is_told_at_four_points_and_each_is_the_latest_that_was_reached() {
        let end = Timestamp::from_seconds(100 * 86_400);
        let check = |days_before: i64, seconds: i64, expected: Option<&str>| {
            let now = Timestamp::from_seconds((100 - days_before) * 86_400 + seconds);
            assert_eq!(reached(end, now), expected, "{days_before} days before, {seconds} s");
        };
        check(31, 0, None);
        check(30, -1, None);
        check(30, 0, Some("30"));
        check(7, -1, Some("30"));
        check(7, 0, Some("7"));
        check(1, 0, Some("1"));
        check(0, -1, Some("1"));
        check(0, 0, Some("0"));
        check(-40, 0, Some("0"));
    }
}
