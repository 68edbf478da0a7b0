//! The forms in which single events leave the gateway.

use super::jsonl::line;
use super::ocsf::{Unmappable, ocsf};
use super::people::{People, PseudonymKey};
use super::sink::SinkOptions;
use crate::kernel::event::AuditEvent;
use crate::store::LoggedEvent;
use chrono::DateTime;
use serde_json::{Value, json};

/// How an event is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// As it stands in the log, with its position: `{"position":5,"event":{…}}`.
    Own,
    /// As an object of the Open Cybersecurity Schema Framework, version [`OCSF_VERSION`](super::OCSF_VERSION).
    Ocsf,
}

impl Format {
    /// One line with its end.
    ///
    /// # Errors
    /// [`Unmappable`] for an event that does not read.
    pub fn line(self, logged: &LoggedEvent) -> Result<Vec<u8>, Unmappable> {
        match self {
            Self::Own => Ok(line(logged.position, &logged.bytes)),
            Self::Ocsf => {
                let event: AuditEvent = serde_json::from_slice(&logged.bytes)?;
                let mut text = serde_json::to_vec(&ocsf(logged.position, &event)?)?;
                text.push(b'\n');
                Ok(text)
            }
        }
    }
}

/// How one sink is to see events.
pub(super) struct View {
    people: People,
    pub(super) format: Format,
    key: PseudonymKey,
}

/// An event as a sink is to see it.
pub(super) struct Seen {
    pub(super) event: AuditEvent,
    /// In the sink's form, with its position.
    pub(super) value: Value,
    /// When it was, since 1970.
    pub(super) millis: i64,
}

impl View {
    /// With people in the clear unless the options say otherwise.
    pub(super) fn clear(options: &SinkOptions, key: PseudonymKey) -> Self {
        Self { people: options.people.unwrap_or(People::Clear), format: options.format, key }
    }

    /// # Errors
    /// [`Unmappable`] for an event that does not read.
    pub(super) fn event(&self, logged: &LoggedEvent) -> Result<Seen, Unmappable> {
        let read: AuditEvent = serde_json::from_slice(&logged.bytes)?;
        let millis = DateTime::parse_from_rfc3339(&read.time)?.timestamp_millis();
        let event = match self.people {
            People::Clear => read,
            People::Pseudonym => self.key.hide(read),
        };
        let value = match self.format {
            Format::Own => json!({ "position": logged.position, "event": event }),
            Format::Ocsf => ocsf(logged.position, &event)?,
        };
        Ok(Seen { event, value, millis })
    }
}
