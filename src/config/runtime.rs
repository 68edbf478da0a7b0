//! Documents of organizations, read by the rules of the file: each is written out as `[org.NAME]` and resolved like one.

use super::file::File;
use super::finding::{Code, Findings, Severity};
use super::resolve::Beside;
use super::{Surroundings, parse, resolve};
use crate::kernel::values::OrgName;
use crate::orgs::document::{Secrets, secret_name};
use crate::orgs::{Document, DraftCatalog, Mistake, Read, Reads, Written};
use serde_json::{Map, Value, json};
use std::path::Path;

/// The rules of the file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Documents;

impl Reads for Documents {
    fn read(
        &self,
        floor: &DraftCatalog,
        documents: &[Written<'_>],
        secrets: Secrets<'_>,
    ) -> Vec<Result<Read, Vec<Mistake>>> {
        let mut beside = Beside::of(floor);
        documents.iter().map(|written| read(floor, written, secrets, &mut beside)).collect()
    }
}

fn read(
    floor: &DraftCatalog,
    written: &Written<'_>,
    secrets: Secrets<'_>,
    beside: &mut Beside,
) -> Result<Read, Vec<Mistake>> {
    let misplaced = misplaced(written.document);
    if !misplaced.is_empty() {
        return Err(misplaced);
    }
    let text = as_file(floor, written).map_err(|why| vec![why])?;
    let mut say = Findings::default();
    let read = parse(&text, &mut say).and_then(|file: File| {
        let (read, found) = resolve::document(&file, floor, &Sealed(secrets), (beside, std::mem::take(&mut say)));
        say = found;
        read
    });
    match read {
        Some(read) if !say.has_errors() => Ok(read),
        Some(_) | None => Err(mistakes(&say)),
    }
}

/// Secrets of a document stand in rows of their own: never in the document, in a file or in a variable of this machine (rule M16).
fn misplaced(document: &Document) -> Vec<Mistake> {
    let wrong = |key: &str| Mistake {
        code: Code::UnknownKey.text(),
        what: format!("`{key}` is for the operator's file: it names something on the gateway's machine"),
        write: "send the secret once, as client_secret, when the directory is made".to_owned(),
    };
    let mut found = Vec::new();
    for name in document.names(&["directory"]) {
        for key in ["client_secret_file", "client_secret_env"] {
            if document.has(&["directory", &name, key]) {
                found.push(wrong(key));
            }
        }
    }
    if document.has(&["sso"]) {
        found.push(Mistake {
            code: Code::UnknownKey.text(),
            what: "`sso` at the top is the file's short form".to_owned(),
            write: "write directory.main".to_owned(),
        });
    }
    found
}

/// The document as a file with one `[org.NAME]`. What the file says of the organization stands in it too, so that names resolve.
fn as_file(floor: &DraftCatalog, written: &Written<'_>) -> Result<String, Mistake> {
    let mut org = written.document.as_map().clone();
    if let Some(below) = floor.orgs.iter().find(|below| below.name == *written.org) {
        let own = below.domains.iter().map(|(domain, _)| domain.to_string());
        let asked = written
            .document
            .texts(&["domains"])
            .into_iter()
            .filter(|asked| !below.domains.iter().any(|(held, _)| held.as_str() == asked));
        org.insert("domains".to_owned(), own.chain(asked).collect::<Vec<_>>().into());
    }
    if let Some(Value::Object(directories)) = org.get_mut("directory") {
        for (name, directory) in directories.iter_mut() {
            name_secret(written.org, name, directory);
        }
    }
    let file = json!({ "org": { written.org.as_str(): without_nulls(Value::Object(org)) } });
    toml::to_string(&file).map_err(|why| Mistake {
        code: Code::Type.text(),
        what: format!("the document cannot be written as the file is: {why}"),
        write: "use texts, whole numbers, booleans, lists and tables".to_owned(),
    })
}

/// `client_secret = { generation = 1 }` is read as the variable that [`Sealed`] knows.
fn name_secret(org: &OrgName, name: &str, directory: &mut Value) {
    let Some(table) = directory.as_object_mut() else { return };
    if let Some(secret) = table.remove("client_secret") {
        let generation = secret.get("generation").and_then(Value::as_u64).unwrap_or(0);
        table.insert("client_secret_env".to_owned(), secret_name(org, name, generation).into());
    }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(table) => {
            let kept = table.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key, without_nulls(value))).collect::<Map<_, _>>())
        }
        Value::Array(list) => {
            Value::Array(list.into_iter().filter(|value| !value.is_null()).map(without_nulls).collect())
        }
        other => other,
    }
}

fn mistakes(say: &Findings) -> Vec<Mistake> {
    let errors = say.list.iter().filter(|finding| finding.severity == Severity::Error);
    errors
        .map(|finding| Mistake { code: finding.code.text(), what: finding.what.clone(), write: finding.write.clone() })
        .collect()
}

/// No file and no variable of this machine: the sealed secrets alone.
struct Sealed<'a>(Secrets<'a>);

impl Surroundings for Sealed<'_> {
    fn file(&self, _: &Path) -> Result<Vec<u8>, String> {
        Err("documents name no files".to_owned())
    }

    fn folder(&self, _: &Path) -> Result<Vec<String>, String> {
        Err("documents name no folders".to_owned())
    }

    fn variable(&self, name: &str) -> Option<String> {
        (self.0)(name).map(|secret| secret.expose().to_owned())
    }
}
