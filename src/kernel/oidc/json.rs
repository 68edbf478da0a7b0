//! JSON in which no object says anything twice.
//!
//! A repeated member is read as the first by some parsers and as the last by others, so a signed text with one has two meanings
//! (RFC 8259 §4). Everything that a provider sends is read by this function and by nothing laxer.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Not JSON, too long, too deep (128 levels), or with a repeated member.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not JSON of that size without repeated members")]
pub struct NotStrict;

/// Reads at most `limit` bytes of JSON without repeated members.
///
/// # Errors
/// [`NotStrict`] for anything else.
pub fn strict(bytes: &[u8], limit: usize) -> Result<Value, NotStrict> {
    if bytes.len() > limit {
        return Err(NotStrict);
    }
    serde_json::from_slice::<Unique>(bytes).map(|unique| unique.0).map_err(|_| NotStrict)
}

struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Once).map(Self)
    }
}

/// Builds a value and refuses the second member of one name.
struct Once;

impl<'de> Visitor<'de> for Once {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without repeated members")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Unique(value))) = members.next_entry::<String, Unique>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a repeated member"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_member_is_refused_at_any_depth_and_in_any_spelling() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"x":[{"a":1,"b":2,"a":3}]}"#, r#"{"sub":"a","s\u0075b":"b"}"#] {
            assert_eq!(strict(text.as_bytes(), 100), Err(NotStrict), "{text}");
        }
        assert!(strict(br#"{"a":{"a":1},"b":[{"a":2}]}"#, 100).is_ok());
    }

    #[test]
    fn length_depth_and_tails_are_bounded() {
        assert_eq!(strict(b"[1,2,3]", 6), Err(NotStrict));
        assert_eq!(strict("[".repeat(100_000).as_bytes(), 1_000_000), Err(NotStrict));
        assert_eq!(strict(b"{} {}", 100), Err(NotStrict));
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_serde_json_where_nothing_repeats(text in r#"[\[\]{}a-c":,0-9.e\\ -]{0,24}"#) {
            if let Ok(value) = strict(text.as_bytes(), 100) {
                proptest::prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
            }
        }
    }
}
