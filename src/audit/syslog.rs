//! A receiver of syslog over TLS (RFC 5425), written `syslog+tls://host:6514`.
//!
//! Syslog has no answers. What counts as one is the end of the connection: each batch has a connection of its own, and the receiver
//! ends it once it has read everything ([`LastWord`]). Until then the batch comes again, the same to the byte.

use super::format::View;
use super::https::Way;
use super::ocsf::{Unmappable, severity};
use super::people::PseudonymKey;
use super::rfc5424::{Message, Severity};
use super::sink::{Line, Sink, SinkOptions};
use crate::outbound::LastWord;
use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};
use std::io;
use url::Url;

/// The port of syslog over TLS (RFC 5425 §4.1).
const PORT: u16 = 6514;

/// The address to connect to behind `syslog+tls://…`, written as one of https: a host and a port, nothing else.
pub(super) fn address(written: &str) -> Option<Url> {
    let rest = written.strip_prefix("syslog+tls://")?;
    // A scheme without a usual port keeps the port that was written, also 443.
    let port = Url::parse(written).ok()?.port().unwrap_or(PORT);
    let mut url = Url::parse(&format!("https://{rest}")).ok()?;
    url.set_port(Some(port)).ok()?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    (is_bare && url.password().is_none()).then_some(url)
}

/// A receiver of syslog.
pub(super) struct Syslog {
    address: Url,
    name: String,
    view: View,
    end: LastWord,
    way: Way,
}

impl Syslog {
    /// Nothing is sent yet. `None` where the address is none of syslog.
    pub(super) fn new(options: &SinkOptions, key: PseudonymKey, way: Way) -> Option<Self> {
        let address = address(&options.url)?;
        Some(Self { address, name: options.url.clone(), view: View::clear(options, key), end: options.end, way })
    }

    fn frames(&self, lines: &[Line]) -> Result<Vec<u8>, Unmappable> {
        let mut frames = Vec::new();
        for line in lines {
            self.frame(line, &mut frames)?;
        }
        Ok(frames)
    }

    fn frame(&self, line: &Line, frames: &mut Vec<u8>) -> Result<(), Unmappable> {
        let host = self.way.host.as_str();
        match line {
            Line::Event(logged) => {
                let seen = self.view.event(logged)?;
                let Value::String(action) = serde_json::to_value(seen.event.action)? else {
                    return Err(Unmappable::Action);
                };
                let (severity, position) = (Severity::of(severity(&seen.event)), Some(logged.position));
                let (time, text) = (written(seen.millis), seen.value.to_string());
                Message { severity, time: &time, host, id: &action, position, text: &text }.frame(frames)?;
            }
            Line::Checkpoint(row) => {
                let (severity, position) = (Severity::Informational, None);
                let (time, text) = (written(row.at.millis()), json!({ "checkpoint": row.note }).to_string());
                Message { severity, time: &time, host, id: "checkpoint", position, text: &text }.frame(frames)?;
            }
        }
        Ok(())
    }
}

/// `2026-11-24T02:00:00.123Z`; `-`, which the RFC has for an unknown time, outside of what a calendar holds.
fn written(millis: i64) -> String {
    let time = DateTime::from_timestamp_millis(millis);
    time.map_or_else(|| "-".to_owned(), |time| time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

#[async_trait]
impl Sink for Syslog {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_remote(&self) -> bool {
        true
    }

    async fn write(&mut self, lines: &[Line]) -> io::Result<()> {
        let frames = self.frames(lines).map_err(io::Error::other)?;
        self.way.outbound.deliver(&self.address, &frames, self.end).await.map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for (address_written, dialled) in [
            ("syslog+tls://siem.example.com", Some("https://siem.example.com:6514/")),
            ("syslog+tls://siem.example.com:443", Some("https://siem.example.com/")),
            ("syslog+tls://[2001:db8::1]:1514/", Some("https://[2001:db8::1]:1514/")),
            ("syslog+tls://siem.example.com:6514/path", None),
            ("syslog+tls://user:secret@siem.example.com", None),
            ("syslog+tls://siem.example.com?x=1", None),
            ("syslog+tls://", None),
            ("syslog://siem.example.com", None),
        ] {
            assert_eq!(address(address_written).as_ref().map(Url::as_str), dialled, "{address_written}");
        }
    }

    #[test]
    fn a_time_is_utc_to_the_millisecond() {
        assert_eq!(written(1_700_000_000_007), "2023-11-14T22:13:20.007Z");
        assert_eq!(written(i64::MAX), "-");
    }
}
