//! What an organization says of itself at run time: the words of `[org.NAME]`, as JSON.
//!
//! Two things differ from the file. A secret never stands in a document: it is sealed in a row of its own, and the document says
//! which generation. And `domains` is not written: the domains that the organization has proved are put there when it is read.

use super::draft::{DraftCatalog, DraftDirectory, DraftOrg};
use crate::kernel::values::{OrgName, Secret};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A document is at most this long, as text.
pub const LONGEST: usize = 512 * 1024;

/// What an organization says of itself.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Document(Map<String, Value>);

/// A document and whose it is.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    /// Whose.
    pub org: &'a OrgName,
    /// What it says.
    pub document: &'a Document,
}

/// What a document means, the file's part of its organization not yet joined.
#[derive(Clone, Debug)]
pub struct Read {
    /// The organization.
    pub org: DraftOrg,
    /// Its own directories.
    pub directories: Vec<DraftDirectory>,
}

/// One thing that is wrong with a document, in the file's words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mistake {
    /// The stable code, as of the file.
    pub code: &'static str,
    /// What is wrong.
    pub what: String,
    /// What to write.
    pub write: String,
}

/// Opens the secret that a document names.
pub type Secrets<'a> = &'a (dyn Fn(&str) -> Option<Secret> + Sync);

/// Reads documents by the rules of the file.
pub trait Reads: Send + Sync + 'static {
    /// Reads them in order, each beside the file and those before it: a domain has one holder, a client one directory.
    fn read(
        &self,
        floor: &DraftCatalog,
        documents: &[Written<'_>],
        secrets: Secrets<'_>,
    ) -> Vec<Result<Read, Vec<Mistake>>>;
}

impl Document {
    /// Reads its text. `None`: too long, or no JSON object.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > LONGEST { None } else { serde_json::from_str(text).ok() }
    }

    /// Its text.
    pub fn text(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    /// Whether a key is written; `null` is as absent.
    pub fn has(&self, path: &[&str]) -> bool {
        self.get(path).is_some()
    }

    /// What is written there.
    pub fn get(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        let found = rest.iter().try_fold(self.0.get(*first)?, |value, key| value.get(key))?;
        (!found.is_null()).then_some(found)
    }

    /// Writes a value, and the tables on the way to it. What stands in the way is replaced.
    pub fn put(&mut self, path: &[&str], value: Value) {
        let Some((last, way)) = path.split_last() else { return };
        let mut table = &mut self.0;
        for key in way {
            let next = table.entry(*key).or_insert_with(|| Value::Object(Map::new()));
            if !next.is_object() {
                *next = Value::Object(Map::new());
            }
            let Value::Object(inner) = next else { return };
            table = inner;
        }
        table.insert((*last).to_owned(), value);
    }

    /// Takes a value away; says whether it was there.
    pub fn remove(&mut self, path: &[&str]) -> bool {
        let Some((last, way)) = path.split_last() else { return false };
        let mut table = &mut self.0;
        for key in way {
            let Some(Value::Object(inner)) = table.get_mut(*key) else { return false };
            table = inner;
        }
        table.remove(*last).is_some()
    }

    /// The texts of a list.
    pub fn texts(&self, path: &[&str]) -> Vec<String> {
        let list = self.get(path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
    }

    /// The names in a table.
    pub fn names(&self, path: &[&str]) -> Vec<String> {
        self.get(path).and_then(Value::as_object).map(|table| table.keys().cloned().collect()).unwrap_or_default()
    }

    /// All of it.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }
}

/// The kind of the key row that holds the secret of one directory.
pub fn secret_kind(org: &OrgName, directory: &str) -> String {
    format!("directory.{org}/{directory}")
}

/// How a document names a secret when it is read: the row's kind and generation.
pub fn secret_name(org: &OrgName, directory: &str, generation: u64) -> String {
    format!("{}#{generation}", secret_kind(org, directory))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_written_read_and_taken_away_by_their_path() {
        let mut document = Document::default();
        document.put(&["policy", "session", "idle"], json!("8h"));
        document.put(&["domains"], json!(["acme.com"]));
        assert_eq!(document.text(), r#"{"domains":["acme.com"],"policy":{"session":{"idle":"8h"}}}"#);
        assert_eq!(Document::parse(&document.text()), Some(document.clone()));
        assert_eq!(document.texts(&["domains"]), ["acme.com"]);
        assert_eq!(document.names(&["policy"]), ["session"]);
        assert!(document.has(&["policy", "session"]) && !document.has(&["policy", "sso"]));
        assert!(document.remove(&["policy", "session", "idle"]) && !document.remove(&["policy", "x", "y"]));
        document.put(&["policy", "sso"], Value::Null);
        assert!(!document.has(&["policy", "sso"]), "null is as absent");
    }

    #[test]
    fn a_document_is_an_object_of_bounded_length() {
        for text in ["", "[]", "1", "null", "{", &format!("{{\"label\":\"{}\"}}", "a".repeat(LONGEST))] {
            assert_eq!(Document::parse(text), None, "{}", text.len());
        }
    }
}
