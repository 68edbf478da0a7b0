//! Audit events as people read them on a terminal. What strangers had a hand in is escaped (rule M26).

use crate::kernel::event::AuditEvent;
use crate::seeing::logs::escaped;
use std::fmt::Write as _;

/// One line: time, what, whose, where.
pub(super) fn line(event: &AuditEvent) -> String {
    let mut line = format!("{}  {:<8} {}", event.time, outcome(event), action(event));
    for (_, value) in
        details(event).into_iter().filter(|(name, _)| ["reason", "person", "product", "ref"].contains(name))
    {
        line.push_str("  ");
        line.push_str(&value);
    }
    line
}

/// The event with its trace, over several lines.
pub(super) fn story(event: &AuditEvent) -> String {
    let mut text = format!("{}  {} {}\n", event.time, action(event), outcome(event));
    for (name, value) in details(event) {
        // Writing to text does not fail.
        let _written = writeln!(text, "  {name:<10} {value}");
    }
    if !event.trace.is_empty() {
        text.push_str("  rules asked:\n");
    }
    for step in &event.trace {
        let _written = writeln!(text, "    {}", clean(step));
    }
    text
}

fn details(event: &AuditEvent) -> Vec<(&'static str, String)> {
    let client = event.client.as_ref();
    let actor = event.actor.as_ref().map(|actor| match &actor.id {
        Some(id) => format!("{} {id}", actor.kind),
        None => actor.kind.clone(),
    });
    let known = [
        ("reason", event.reason.clone()),
        ("ref", event.reference.clone()),
        ("person", event.subject.email.clone()),
        ("account", event.subject.account.clone()),
        ("by", actor),
        ("org", event.org.clone()),
        ("product", event.product.clone()),
        ("directory", event.directory.clone()),
        ("method", event.method.clone()),
        ("policy", event.policy.as_ref().map(|policy| format!("{} #{}", policy.id, policy.epoch))),
        ("address", client.map(|client| client.ip.clone())),
        ("browser", client.and_then(|client| client.ua.clone())),
        ("session", event.txn.clone()),
        ("request", event.correlation.clone()),
    ];
    known.into_iter().filter_map(|(name, value)| Some((name, clean(&value?)))).collect()
}

/// The stable name of an action, as it stands in the log.
fn action(event: &AuditEvent) -> String {
    named(serde_json::to_value(event.action))
}

fn outcome(event: &AuditEvent) -> String {
    named(serde_json::to_value(event.outcome))
}

fn named(value: serde_json::Result<serde_json::Value>) -> String {
    value.ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Text that cannot end its line or turn it around.
pub(super) fn clean(text: &str) -> String {
    escaped(text.trim_end_matches('\n')).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::event::{Action, Client, Outcome};
    use crate::kernel::values::{EventId, Timestamp};

    #[test]
    fn m26_a_story_shows_the_trace_and_nothing_that_ends_a_line() {
        let now = Timestamp::from_seconds(1);
        let mut event = AuditEvent::new(EventId::mint(now, [0; 10]), now, Action::LoginDenied, Outcome::Refused);
        event.reason = Some("authority".to_owned());
        event.client = Some(Client { ip: "192.0.2.1".to_owned(), ua: Some("a\nb\u{202e}c\u{1b}[2J".to_owned()) });
        event.trace = vec!["B2: holds".to_owned(), "B3: objects\nB4: forged".to_owned()];
        let story = story(&event);
        assert!(
            story.starts_with("1970-01-01T00:00:01.000Z  login.denied refused\n  reason     authority\n"),
            "{story}"
        );
        assert!(story.contains("    B2: holds\n    B3: objects\\u000aB4"), "{story}");
        assert_eq!(story.lines().count(), 7, "{story}");
        assert!(!story.contains('\u{1b}') && !story.contains('\u{202e}'));
        assert_eq!(line(&event), "1970-01-01T00:00:01.000Z  refused  login.denied  authority");
    }
}
