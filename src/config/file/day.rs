//! A day, written as TOML writes one: `2026-12-31`, without quotes.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use std::borrow::Cow;
use toml::value::Datetime;

/// What stands where a day is meant; whether it is one, `resolve` says.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub struct Day(pub Datetime);

impl JsonSchema for Day {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Day".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date" })
    }
}
