//! When the authority would like a certificate to be renewed (ARI, RFC 9773): earlier than planned, when it must revoke it.
//!
//! Deliberately absent: renewing later because an authority says so, and the order's `replaces`.

use super::Wanted;
use super::client::Client;
use crate::kernel::certificate::issuer_and_serial;
use crate::kernel::values::Timestamp;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::DateTime;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// An authority is asked this often about each certificate, as often as authorities ask for.
const AGAIN: Duration = Duration::from_secs(6 * 3_600);

/// After a fault it is asked again sooner.
const AFTER_A_FAULT: Duration = Duration::from_secs(3_600);

/// What was advised, by host name.
#[derive(Default)]
pub(super) struct Advice(Mutex<HashMap<String, Advised>>);

struct Advised {
    /// About which certificate.
    generation: u32,
    /// Time since boot at which to ask again.
    again: Duration,
    /// When to renew it, where the authority has a wish.
    renew_at: Option<Timestamp>,
}

/// What a directory may name besides the addresses of orders.
#[derive(Deserialize)]
struct Directory {
    #[serde(rename = "renewalInfo")]
    renewal_info: Option<String>,
}

#[derive(Deserialize)]
struct RenewalInfo {
    #[serde(rename = "suggestedWindow")]
    window: Window,
}

#[derive(Deserialize)]
struct Window {
    start: String,
    end: String,
}

impl Advice {
    /// Whether it is time to ask about this certificate.
    pub(super) fn is_old(&self, host: &str, generation: u32, since_boot: Duration) -> bool {
        let advised = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        advised.get(host).is_none_or(|advised| advised.generation != generation || advised.again <= since_boot)
    }

    /// Whether the authority wants this certificate renewed by now.
    pub(super) fn is_due(&self, host: &str, generation: u32, now: Timestamp) -> bool {
        let advised = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = advised.get(host).filter(|advised| advised.generation == generation);
        own.and_then(|advised| advised.renew_at).is_some_and(|at| at <= now)
    }

    /// Remembers what was said, or that nothing could be learned.
    pub(super) fn note(
        &self,
        (host, generation): (&str, u32),
        said: Result<Option<Timestamp>, String>,
        since_boot: Duration,
    ) {
        let wait = if said.is_ok() { AGAIN } else { AFTER_A_FAULT };
        let renew_at = said.unwrap_or_else(|why| {
            tracing::debug!(host, %why, "the authority does not say when to renew");
            None
        });
        let advised = Advised { generation, again: since_boot + wait, renew_at };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned(), advised);
    }

    /// Forgets names that are not wanted any more.
    pub(super) fn keep(&self, hosts: &[String]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|host, _| hosts.contains(host));
    }
}

/// Asks about one certificate. Nothing where the authority has no wishes, or the certificate no name that it would know.
///
/// # Errors
/// What went wrong, for the log.
pub(super) async fn ask(wanted: &Wanted, leaf: &[u8], seed: u8) -> Result<Option<Timestamp>, String> {
    let Some(id) = id(leaf) else { return Ok(None) };
    let client = Client { outbound: wanted.outbound.clone(), directory: wanted.options.directory.clone() };
    let directory = client.read(wanted.options.directory.as_str()).await?;
    let directory: Directory = serde_json::from_slice(&directory).map_err(|why| why.to_string())?;
    let Some(base) = directory.renewal_info else { return Ok(None) };
    let said = client.read(&format!("{}/{id}", base.trim_end_matches('/'))).await?;
    wish(&said, seed).map(Some).ok_or_else(|| "its answer has no window of time".to_owned())
}

/// RFC 9773 §4.1.
fn id(leaf: &[u8]) -> Option<String> {
    let (issuer, serial) = issuer_and_serial(leaf)?;
    Some(format!("{}.{}", URL_SAFE_NO_PAD.encode(issuer), URL_SAFE_NO_PAD.encode(serial)))
}

/// A moment in the window: by `seed`, so that every node takes the same one. `None` for what is no window (RFC 9773 §4.2).
fn wish(body: &[u8], seed: u8) -> Option<Timestamp> {
    let window = serde_json::from_slice::<RenewalInfo>(body).ok()?.window;
    let read = |text: &str| {
        let time = DateTime::parse_from_rfc3339(text).ok()?;
        Some(Timestamp::from_millis(time.timestamp_millis()))
    };
    let (start, end) = (read(&window.start)?, read(&window.end)?);
    (start < end).then(|| start.plus(end.since(start) * u32::from(seed) / 255))
}

#[cfg(test)]
mod tests;
