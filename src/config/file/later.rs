//! Keys of later versions: known by name, whatever their value; `resolve` refuses them in a sentence.

use super::Span;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, IgnoredAny};
use std::borrow::Cow;

/// A value that this version does not read.
#[derive(Clone, Debug)]
pub struct Anything(Span);

impl Anything {
    /// Where it stands.
    pub fn span(&self) -> Span {
        self.0.clone()
    }
}

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        toml::Spanned::<IgnoredAny>::deserialize(deserializer).map(|ignored| Self(ignored.span()))
    }
}

impl JsonSchema for Anything {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Anything".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({})
    }
}
