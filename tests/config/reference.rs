//! docs/configuration.md: every key, written from the schema and from config/fedgate.example.toml. `UPDATE=1` writes the page anew;
//! without it a page that differs is a fault, so that no key comes, goes or changes its meaning unsaid.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

const PAGE: &str = "docs/configuration.md";
const SAMPLE: &str = "config/fedgate.example.toml";
/// Longer samples are left to the file itself, in characters.
const LONGEST_SAMPLE: usize = 60;
/// The word for the file's own level, which has no name in the schema.
const TOP: &str = "File";

const HEAD: &str = "# Configuration reference

<!-- Written by `UPDATE=1 cargo test --test config reference` from the doc comments in src/config/file and from config/fedgate.example.toml. -->

Every key of `fedgate.toml`. [The example file](../config/fedgate.example.toml) shows them in their places; `fedgate check` finds mistakes and says
what to write; `fedgate schema` prints the same as a JSON schema, for editors.

Durations are `15m`, `8h`, `7d`; sizes `25MiB`; a day is `2026-11-30`, to its end in UTC. Paths are relative to the file's folder (of `[store] url`: to the state folder). A secret never
stands in the file: `X_file` is a path, `X_env` an environment variable. A key that is not here is a mistake, and the file is refused whole.
";

/// The schema, and what the example file says of each key.
struct Reference {
    schema: Value,
    /// By table and key.
    samples: BTreeMap<(String, String), String>,
    /// The tables in the order of their first place, each with all its places.
    tables: Vec<(String, Vec<String>)>,
}

impl Reference {
    fn read(sample: &str) -> Self {
        let schema = fedgate::config::schema();
        let mut this = Self { schema, samples: BTreeMap::new(), tables: Vec::new() };
        this.tables = this.places();
        let sample: Value = toml::from_str(sample).expect("the example file");
        let mut samples = BTreeMap::new();
        this.collect(TOP, &sample, &mut samples);
        this.samples = samples;
        this
    }

    fn table(&self, name: &str) -> &Value {
        if name == TOP { &self.schema } else { &self.schema["$defs"][name] }
    }

    fn keys(&self, name: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.table(name)["properties"].as_object().expect("keys").iter()
    }

    /// Breadth first, so that a section stands before what is inside it.
    fn places(&self) -> Vec<(String, Vec<String>)> {
        let mut found: Vec<(String, Vec<String>)> = Vec::new();
        let mut next = VecDeque::from([(TOP.to_owned(), String::new())]);
        while let Some((name, place)) = next.pop_front() {
            match found.iter_mut().find(|(known, _)| *known == name) {
                Some((_, places)) => places.push(place.clone()),
                None => found.push((name.clone(), vec![place.clone()])),
            }
            for (key, value) in self.keys(&name) {
                for (table, suffix) in inner(value) {
                    let dot = if place.is_empty() { "" } else { "." };
                    next.push_back((table, format!("{place}{dot}{key}{suffix}")));
                }
            }
        }
        found
    }

    /// The first value of each key in the example file.
    fn collect(&self, table: &str, value: &Value, into: &mut BTreeMap<(String, String), String>) {
        for (key, shape) in self.keys(table) {
            let Some(given) = value.get(key) else { continue };
            let text = toml_of(given);
            if text.chars().count() <= LONGEST_SAMPLE && shape.get("$ref").is_none_or(|_| text.len() <= 40) {
                into.entry((table.to_owned(), key.clone())).or_insert(format!("{key} = {text}"));
            }
            for (inside, suffix) in inner(shape) {
                let all: Vec<&Value> = match given {
                    Value::Array(list) => list.iter().collect(),
                    Value::Object(named) if suffix == ".NAME" => named.values().collect(),
                    one => vec![one],
                };
                all.into_iter().filter(|one| one.is_object()).for_each(|one| self.collect(&inside, one, into));
            }
        }
    }

    fn write(&self) -> String {
        let mut page = HEAD.to_owned();
        for (name, places) in &self.tables {
            let about = one_line(&self.table(name)["description"]);
            let _ = write!(page, "\n## {}\n\n", title(name));
            let places: BTreeSet<String> =
                places.iter().filter(|place| !place.is_empty()).map(|place| format!("`{place}`")).collect();
            if !places.is_empty() {
                let _ = writeln!(page, "At {}.\n", places.into_iter().collect::<Vec<_>>().join(", "));
            }
            let _ = writeln!(page, "{about}\n\n| key | type | default | meaning | example |\n|---|---|---|---|---|");
            for (key, value) in self.keys(name) {
                let text = one_line(&value["description"]);
                let sample = self.samples.get(&(name.clone(), key.clone()));
                let sample = sample.map(|sample| cell(&format!("`{sample}`"))).unwrap_or_default();
                let _ = writeln!(
                    page,
                    "| `{key}` | {} | {} | {} | {sample} |",
                    cell(&self.kind(value)),
                    cell(&default_of(&text)),
                    cell(&text),
                );
            }
        }
        page
    }

    fn kind(&self, value: &Value) -> String {
        if let Some(name) = refers(value) {
            let known = self.table(&name).get("properties").is_some();
            return if known { format!("[{}](#{})", title(&name).to_lowercase(), slug(&title(&name))) } else { name };
        }
        if let Some(words) = value["enum"].as_array() {
            let words: Vec<String> = words.iter().map(|word| format!("`{}`", word.as_str().expect("a word"))).collect();
            return words.join(", ");
        }
        if let Some(choices) = value["anyOf"].as_array() {
            let choices: Vec<String> = choices.iter().map(|choice| self.kind(choice)).collect();
            return choices.join(", or ");
        }
        match value["type"].as_str() {
            Some("array") => format!("list of {}", self.kind(&value["items"])),
            Some("object") => format!("table by name, of {}", self.kind(&value["additionalProperties"])),
            Some("string") if value["format"] == "date" => "day".to_owned(),
            Some("string") => "text".to_owned(),
            Some("integer") => "number".to_owned(),
            Some(other) => other.to_owned(),
            None => panic!("no kind: {value}"),
        }
    }
}

/// The tables inside a value, with what stands between its key and theirs.
fn inner(value: &Value) -> Vec<(String, &'static str)> {
    if let Some(name) = refers(value) {
        return vec![(name, "")];
    }
    let mut found = Vec::new();
    if let Some(items) = value.get("items") {
        found.extend(refers(items).map(|name| (name, "[]")));
    }
    if let Some(others) = value.get("additionalProperties") {
        found.extend(refers(others).map(|name| (name, ".NAME")));
    }
    for choice in value["anyOf"].as_array().into_iter().flatten() {
        found.extend(inner(choice));
    }
    found
}

fn refers(value: &Value) -> Option<String> {
    Some(value.get("$ref")?.as_str()?.rsplit('/').next()?.to_owned())
}

fn one_line(text: &Value) -> String {
    text.as_str()
        .unwrap_or_else(|| panic!("a table or key without a doc comment"))
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// A table's name as words: `ClientTimeouts` is "Client timeouts".
fn title(name: &str) -> String {
    if name == TOP {
        return "The file".to_owned();
    }
    let mut words = String::new();
    for (at, letter) in name.chars().enumerate() {
        match letter {
            letter if at > 0 && letter.is_uppercase() => words.extend([' ', letter.to_ascii_lowercase()]),
            letter => words.push(letter),
        }
    }
    words
}

fn slug(title: &str) -> String {
    title.to_lowercase().replace(' ', "-")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// What a doc comment says of the default: `Default X.`, `X (default)`, or that there must be a value.
fn default_of(text: &str) -> String {
    if text.contains("Required.") {
        return "required".to_owned();
    }
    if let Some((before, _)) = text.split_once(" (default)") {
        return before
            .rsplit_once('`')
            .and_then(|(open, _)| Some(format!("`{}`", open.rsplit_once('`')?.1)))
            .unwrap_or_default();
    }
    let Some((_, said)) = text.split_once("Default ").or_else(|| text.split_once("Default: ")) else {
        return String::new();
    };
    let mut quoted = false;
    let end = said.char_indices().find(|(at, letter)| {
        quoted ^= *letter == '`';
        !quoted && (*letter == ';' || (*letter == '.' && said[at + 1..].chars().next().is_none_or(char::is_whitespace)))
    });
    end.map_or(said, |(at, _)| &said[..at]).to_owned()
}

/// A value as one writes it in a file, on one line.
fn toml_of(value: &Value) -> String {
    match value {
        Value::Array(list) => format!("[{}]", list.iter().map(toml_of).collect::<Vec<_>>().join(", ")),
        Value::Object(table) if table.len() == 1 && table.contains_key("$__toml_private_datetime") => {
            table["$__toml_private_datetime"].as_str().expect("a day").to_owned()
        }
        Value::Object(table) => {
            let plain = |key: &str| key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            let named = |key: &String| if plain(key) { key.clone() } else { format!("{key:?}") };
            let pairs: Vec<String> =
                table.iter().map(|(key, value)| format!("{} = {}", named(key), toml_of(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        Value::String(text) if text.contains('"') => format!("'{text}'"),
        other => other.to_string(),
    }
}

#[test]
fn the_reference_says_every_key_of_the_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path));
    let reference = Reference::read(&read(SAMPLE).expect("the example file"));
    let keys: usize = reference.tables.iter().map(|(name, _)| reference.keys(name).count()).sum();
    assert!(keys > 200, "the keys were not found: {keys}");
    assert!(reference.samples.len() > 100, "the samples were not found: {}", reference.samples.len());
    let written = reference.write();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(root.join(PAGE), &written).expect("written");
    }
    let there = read(PAGE).unwrap_or_default();
    let differs = written.lines().zip(there.lines()).find(|(new, old)| new != old);
    assert!(
        written == there,
        "{PAGE} is not what the schema says: UPDATE=1 cargo test --test config reference\n{differs:?}"
    );
}

#[test]
fn a_default_is_found_in_the_words_of_a_comment() {
    for (text, default) in [
        ("For a TLS handshake. Default `10s`.", "`10s`"),
        ("An address. Default `http://a.example/x.html`. More.", "`http://a.example/x.html`"),
        ("`none` (default), or people", "`none`"),
        ("What people call it. Default: the id with a capital letter.", "the id with a capital letter"),
        ("How long, `1s` to `4s`; and so. Default `2s`.", "`2s`"),
        ("Name, or name and port. Required.", "required"),
        ("Its default policy.", ""),
    ] {
        assert_eq!(default_of(text), default, "{text}");
    }
}
