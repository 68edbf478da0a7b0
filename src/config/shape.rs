//! Compares a parsed file with the schema of [`File`](super::file::File): which keys exist, which kind of value they take,
//! which words. What does not fit is reported and taken out, so that the rest can still be read and judged.
//!
//! The schema is the one list of keys; nothing is listed here a second time.

use super::file::Span;
use super::finding::{Code, Findings};
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Top-level keys that hold a value: written below a table they belong to that table, which is never meant.
const TOP_LEVEL: [&str; 6] = ["login", "state", "key_file", "key_env", "next_key_file", "next_key_env"];

/// The schema of the file, without `null`, which TOML does not have.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(super::file::File).to_value();
    drop_null(&mut schema);
    schema
}

fn drop_null(schema: &mut Value) {
    if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema["type"] = only;
        }
    }
    if let Some(choices) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            if let Value::Object(this) = schema {
                this.remove("anyOf");
                for (key, value) in only {
                    this.entry(key).or_insert(value);
                }
            }
        }
    }
    if let Value::Object(this) = schema {
        // `default: null` says nothing to an editor.
        this.retain(|key, value| key != "default" || !value.is_null());
        this.values_mut().for_each(drop_null);
    } else if let Value::Array(list) = schema {
        list.iter_mut().for_each(drop_null);
    }
}

/// Reports and removes what does not fit.
pub fn check(table: &mut DeTable<'_>, say: &mut Findings) {
    let root = schema();
    let shape = Shape { root: &root };
    shape.table(table, &root, "", say);
}

struct Shape<'s> {
    root: &'s Value,
}

impl<'s> Shape<'s> {
    fn resolve(&self, schema: &'s Value) -> &'s Value {
        let target =
            schema.get("$ref").and_then(Value::as_str).and_then(|path| self.root.pointer(path.strip_prefix('#')?));
        target.unwrap_or(schema)
    }

    fn table(&self, table: &mut DeTable<'_>, schema: &'s Value, place: &str, say: &mut Findings) {
        let schema = self.resolve(schema);
        let known = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties").filter(|others| !others.is_boolean());
        let mut unfit = Vec::new();
        for (key, value) in table.iter_mut() {
            let name = key.get_ref().to_string();
            let inner = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
            let expected = known.and_then(|known| known.get(&name)).or(others);
            let fits = match expected {
                Some(expected) => self.value(value, expected, &inner, say),
                None => {
                    let keys: Vec<&str> =
                        known.into_iter().flat_map(|known| known.keys().map(String::as_str)).collect();
                    unknown((&name, key.span()), value, (place, &keys), say);
                    false
                }
            };
            if !fits {
                unfit.push(name);
            }
        }
        for name in &unfit {
            table.remove(name.as_str());
        }
    }

    /// Whether the value may stay.
    fn value(&self, value: &mut Spanned<DeValue<'_>>, schema: &'s Value, place: &str, say: &mut Findings) -> bool {
        let span = value.span();
        let choices = self.choices(schema);
        let found = kind(value.get_ref());
        let Some(chosen) = choices.iter().find(|choice| takes(choice, found)) else {
            let kinds: Vec<String> = choices.iter().filter_map(|choice| wanted(choice)).collect();
            let wanted = kinds.join(" or ");
            mask_secret(place, &span, say);
            say.error(Code::Type, span, format!("`{place}` is {}", spoken(found)), format!("write {wanted}"));
            return false;
        };
        let words = chosen.get("enum").or(schema.get("enum")).and_then(Value::as_array);
        match value.get_mut() {
            DeValue::Table(table) if chosen.get("type").is_some() => self.table(table, chosen, place, say),
            DeValue::Array(list) => {
                let Some(items) = chosen.get("items") else { return true };
                let mut all_fit = true;
                for item in list.iter_mut() {
                    all_fit &= self.value(item, items, place, say);
                }
                return all_fit;
            }
            DeValue::String(text) => return words.is_none_or(|words| word(text, words, (place, span), say)),
            _ => {}
        }
        true
    }

    fn choices(&self, schema: &'s Value) -> Vec<&'s Value> {
        let schema = self.resolve(schema);
        match schema.get("anyOf").and_then(Value::as_array) {
            Some(choices) => choices.iter().flat_map(|choice| self.choices(choice)).collect(),
            None => vec![schema],
        }
    }
}

/// One of the words that the schema lists.
fn word(text: &str, words: &[Value], (place, span): (&str, Span), say: &mut Findings) -> bool {
    let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
    if words.contains(&text) {
        return true;
    }
    let near = nearest(text, &words).map(|word| format!("did you mean \"{word}\"? ")).unwrap_or_default();
    let list: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    let write = format!("{near}write one of {}", list.join(", "));
    say.error(Code::Value, span, format!("`{place}` does not know {text:?}"), write);
    false
}

fn unknown(
    (name, span): (&str, Span),
    value: &Spanned<DeValue<'_>>,
    (place, keys): (&str, &[&str]),
    say: &mut Findings,
) {
    mask_secret(name, &value.span(), say);
    let here = if place.is_empty() { "the top of the file".to_owned() } else { format!("[{place}]") };
    let what = if place.is_empty() {
        format!("`{name}` is no key and no section of this file")
    } else {
        format!("`{name}` is not a key of {here}")
    };
    let (file_key, env_key) = (format!("{name}_file"), format!("{name}_env"));
    if keys.contains(&file_key.as_str()) && keys.contains(&env_key.as_str()) {
        let what = format!("`{name}` puts a secret into the file");
        say.error(Code::InlineSecret, span, what, format!("write {file_key} = \"…\" or {env_key} = \"…\""));
    } else if place.is_empty() && name == "policy" {
        say.error(Code::PolicySection, span, what, "did you mean [people] or [org.NAME.policy]?");
    } else if !place.is_empty() && TOP_LEVEL.contains(&name) {
        let write = format!("move `{name} = …` above the first [table]: below it, it belongs to {here}");
        say.error(Code::TopLevelAfterTable, span, what, write);
    } else {
        let write = match nearest(name, keys) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("remove it: {here} knows {}", keys.join(", ")),
        };
        say.error(Code::UnknownKey, span, what, write);
    }
}

/// A mistyped key may hold a secret: its line is shown without the value.
fn mask_secret(name: &str, span: &Span, say: &mut Findings) {
    let last = name.rsplit('.').next().unwrap_or(name);
    let secret = ["secret", "passw", "token", "key", "kek"].iter().any(|word| last.contains(word));
    if secret && !last.ends_with("_file") && !last.ends_with("_env") {
        say.mask(span.clone());
    }
}

/// The known word that was probably meant.
pub fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    // Bounded, so that a megabyte written as a key costs nothing.
    let name: String = name.chars().take(60).collect();
    let close = |key: &&str| (strsim::jaro_winkler(&name, key) * 1000.0).round();
    let best = known.iter().copied().max_by(|a, b| close(a).total_cmp(&close(b)))?;
    (close(&best) >= 800.0).then_some(best)
}

/// Whether a value of this kind fits. JSON has no days: a schema calls one a text in the form of a date, and a file writes it bare.
fn takes(choice: &Value, found: &str) -> bool {
    match kind_of(choice) {
        None => choice.get("type").is_none(),
        Some(kind) => kind == found,
    }
}

fn kind_of(choice: &Value) -> Option<&str> {
    match choice.get("format").and_then(Value::as_str) {
        Some("date") => Some("datetime"),
        Some(_) | None => choice.get("type")?.as_str(),
    }
}

/// What a value may be, in words; a table with its keys.
fn wanted(choice: &Value) -> Option<String> {
    let words = spoken(kind_of(choice)?);
    let keys = choice.get("properties").and_then(Value::as_object).filter(|keys| !keys.is_empty() && keys.len() < 8);
    Some(match keys {
        Some(keys) => {
            format!("{words}: {{ {} = … }}", keys.keys().map(String::as_str).collect::<Vec<_>>().join(" = …, "))
        }
        None => words.to_owned(),
    })
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "string",
        DeValue::Datetime(_) => "datetime",
        DeValue::Integer(_) => "integer",
        DeValue::Float(_) => "number",
        DeValue::Boolean(_) => "boolean",
        DeValue::Array(_) => "array",
        DeValue::Table(_) => "object",
    }
}

fn spoken(kind: &str) -> &'static str {
    match kind {
        "string" => "a text in quotes",
        "integer" | "number" => "a number",
        "boolean" => "true or false",
        "datetime" => "a date without quotes",
        "array" => "a list […]",
        _ => "a table",
    }
}
