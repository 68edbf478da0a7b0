//! How people appear outside the store: as they are, or under a pseudonym (rule H13: sinks get the pseudonym by default, else
//! erasing a person is a fiction).

use crate::kernel::event::AuditEvent;
use aws_lc_rs::hmac;
use serde_json::Value;
use std::fmt;
use std::net::IpAddr;

/// How people appear in a sink.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum People {
    /// As they are in the store.
    Clear,
    /// Addresses and names as keyed hashes, network addresses cut to /24 or /48, no user agent.
    Pseudonym,
}

/// The key that pseudonyms are made with: who has it can tell whether an address is behind one.
#[derive(Clone)]
pub struct PseudonymKey(hmac::Key);

impl PseudonymKey {
    /// From 32 bytes that are kept outside the sinks.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The same for the same text: 80 bits, so that a person's lines can be told to belong together.
    pub fn pseudonym(&self, text: &str) -> String {
        let tag = hmac::sign(&self.0, text.as_bytes());
        let hex: String = tag.as_ref().iter().take(10).map(|byte| format!("{byte:02x}")).collect();
        format!("p_{hex}")
    }

    /// The event with its people hidden.
    pub fn hide(&self, mut event: AuditEvent) -> AuditEvent {
        let hide = |text: &mut String| *text = self.pseudonym(text);
        event.subject.email.as_mut().map(hide);
        if let Some(actor) = &mut event.actor {
            actor.address.as_mut().map(hide);
            if actor.id.as_ref().is_some_and(|id| id.contains('@')) {
                actor.id.as_mut().map(hide);
            }
        }
        if let Some(client) = &mut event.client {
            client.ip = cut(&client.ip);
            client.ua = None;
        }
        for line in &mut event.trace {
            *line = self.words(line);
        }
        for record in [&mut event.before, &mut event.after].into_iter().flatten() {
            self.record(record, false);
        }
        event
    }

    /// Addresses among words.
    fn words(&self, line: &str) -> String {
        let words = line.split(' ').map(|word| if word.contains('@') { self.pseudonym(word) } else { word.to_owned() });
        words.collect::<Vec<_>>().join(" ")
    }

    /// Every text under a member that names a person, and every address wherever it stands.
    fn record(&self, value: &mut Value, personal: bool) {
        match value {
            Value::String(text) if personal => *text = self.pseudonym(text),
            Value::String(text) => *text = self.words(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.record(item, personal)),
            Value::Object(members) => members.iter_mut().for_each(|(name, member)| {
                let named = matches!(name.as_str(), "email" | "name" | "address" | "ip" | "ua");
                self.record(member, personal || named);
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PseudonymKey(…)")
    }
}

fn cut(ip: &str) -> String {
    match ip.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V4(v4)) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0")
        }
        Ok(IpAddr::V6(v6)) => {
            let [a, b, c, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}::")
        }
        Err(_) => String::new(),
    }
}
