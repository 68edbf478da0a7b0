//! The mail on the wire (RFC 5322, RFC 2046 multipart/alternative).

use super::words::Rendered;
use crate::kernel::journal::mail::OutboxRow;
use crate::kernel::values::{EmailAddress, MailId, Timestamp};
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use std::error::Error;
use std::time::{Duration, SystemTime};

/// One mail, whole.
pub struct Message {
    /// Its id.
    pub id: MailId,
    /// When it is sent.
    pub date: Timestamp,
    /// Envelope and content.
    pub mail: lettre::Message,
}

/// RFC 3834 §5: no vacation notice answers this.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// A part of a mail that is not one: an address that the mail library does not take.
#[derive(Debug, thiserror::Error)]
#[error("no mail can be made of it: {0}")]
pub(super) struct NotAMessage(String);

/// Puts a letter into its envelope. The Message-ID is the row's, so that a second copy is known as one; `host` is the login host.
pub(super) fn message(
    row: &OutboxRow,
    rendered: &Rendered,
    (from, host): (&EmailAddress, &str),
    now: Timestamp,
) -> Result<Message, NotAMessage> {
    let wrong = |why: &dyn std::fmt::Display| NotAMessage(why.to_string());
    let mailbox = |address: &EmailAddress| {
        address.as_str().parse().map(|address| Mailbox::new(None, address)).map_err(|why| wrong(&why))
    };
    let mail = lettre::Message::builder()
        .message_id(Some(format!("<{}@{host}>", row.id)))
        .date(system_time(now))
        .from(mailbox(from)?)
        .to(mailbox(&row.to)?)
        .subject(rendered.subject.as_str())
        .header(AutoSubmitted)
        .multipart(MultiPart::alternative_plain_html(rendered.text.to_string(), rendered.html.to_string()))
        .map_err(|why| wrong(&why))?;
    Ok(Message { id: row.id, date: now, mail })
}

fn system_time(now: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(now.seconds()).unwrap_or(0))
}
