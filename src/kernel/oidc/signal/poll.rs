//! The messages by which security events are fetched (RFC 8936): what is asked and acknowledged, and what comes.

use super::super::json::strict;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Events that are asked for at once.
pub const AT_ONCE: usize = 100;
/// Bytes of an answer.
const LIMIT: usize = 1024 * 1024;
/// Characters of the name by which an event is acknowledged.
const NAME_LIMIT: usize = 256;

/// What became of events that were fetched before; told with the next question (RFC 8936 §2.4).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Settled {
    /// Done, and durable.
    pub done: Vec<String>,
    /// Refused: the error of RFC 8935 §2.4 and our code.
    pub refused: BTreeMap<String, (&'static str, &'static str)>,
}

impl Settled {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.done.is_empty() && self.refused.is_empty()
    }
}

/// The body of a question that may wait for its answer.
pub fn question(settled: &Settled) -> Vec<u8> {
    let refused: serde_json::Map<String, Value> = settled
        .refused
        .iter()
        .map(|(name, (err, why))| (name.clone(), json!({ "err": err, "description": why })))
        .collect();
    json!({ "maxEvents": AT_ONCE, "returnImmediately": false, "ack": settled.done, "setErrs": refused })
        .to_string()
        .into_bytes()
}

/// What came.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Fetched {
    /// Events by the names under which they are acknowledged; at most [`AT_ONCE`].
    pub events: Vec<(String, String)>,
    /// There are more.
    pub more: bool,
}

/// Reads an answer. `None` where it is not what RFC 8936 §2.3 says: no member of it is used then.
pub fn fetched(body: &[u8]) -> Option<Fetched> {
    let Value::Object(members) = strict(body, LIMIT).ok()? else { return None };
    let more = match members.get("moreAvailable") {
        None => false,
        Some(more) => more.as_bool()?,
    };
    let sets = members.get("sets")?.as_object()?;
    if sets.len() > AT_ONCE {
        return None;
    }
    let event = |(name, token): (&String, &Value)| {
        let named = (1..=NAME_LIMIT).contains(&name.chars().count()) && !name.chars().any(char::is_control);
        Some((name.clone(), token.as_str().filter(|_| named)?.to_owned()))
    };
    let events = sets.iter().map(event).collect::<Option<Vec<_>>>()?;
    Some(Fetched { events, more })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_says_what_became_of_what_came_before() {
        let refused = BTreeMap::from([("b".to_owned(), ("invalid_issuer", "signal-issuer"))]);
        let settled = Settled { done: vec!["a".to_owned()], refused };
        let said: Value = serde_json::from_slice(&question(&settled)).unwrap();
        assert_eq!(
            said,
            json!({
                "maxEvents": 100, "returnImmediately": false, "ack": ["a"],
                "setErrs": { "b": { "err": "invalid_issuer", "description": "signal-issuer" } },
            })
        );
        assert!(Settled::default().is_empty() && !settled.is_empty());
    }

    #[test]
    fn an_answer_is_what_the_standard_says_or_nothing() {
        let events = |body: Value| fetched(body.to_string().as_bytes()).map(|found| (found.events.len(), found.more));
        assert_eq!(events(json!({ "sets": {} })), Some((0, false)));
        assert_eq!(events(json!({ "sets": { "a": "x.y.z" }, "moreAvailable": true, "other": 1 })), Some((1, true)));
        let many =
            |count: usize| (0..count).map(|number| (number.to_string(), json!("x"))).collect::<serde_json::Map<_, _>>();
        assert_eq!(events(json!({ "sets": many(100) })), Some((100, false)));
        for wrong in [
            json!({}),
            json!([]),
            json!({ "sets": [] }),
            json!({ "sets": { "a": 1 } }),
            json!({ "sets": { "": "x" } }),
            json!({ "sets": { "a\u{7}": "x" } }),
            json!({ "sets": { "a".repeat(257): "x" } }),
            json!({ "sets": many(101) }),
            json!({ "sets": {}, "moreAvailable": "yes" }),
        ] {
            assert_eq!(events(wrong.clone()), None, "{wrong}");
        }
        assert_eq!(fetched(b"{\"sets\":{\"a\":\"x\",\"a\":\"y\"}}"), None, "two of one name");
        assert_eq!(fetched(b"\xff"), None);
    }
}
