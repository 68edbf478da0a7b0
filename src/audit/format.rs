//! The forms in which single events leave the gateway.

use super::jsonl::line;
use super::ocsf::{Unmappable, ocsf};
use crate::kernel::event::AuditEvent;
use crate::store::LoggedEvent;

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
