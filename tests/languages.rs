//! Every language that is shipped says everything that English says, of the same facts, and nothing else says anything.

use fedgate::language::{CATALOGUES, shipped};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[test]
fn every_shipped_language_says_what_english_says_of_the_same_facts() {
    let catalogues = shipped().expect("the catalogues are well formed");
    let (english, others) = catalogues.split_first().expect("English");
    {
        assert_eq!(english.language().as_str(), "en");
        for other in others {
            let language = other.language();
            let missing: Vec<_> = english.messages().keys().filter(|id| !other.messages().contains_key(*id)).collect();
            assert!(missing.is_empty(), "{language} lacks {missing:?}");
            assert_eq!(other.oddities(english), [], "{language}");
            for (id, variables) in english.messages() {
                let said = &other.messages()[id];
                assert_eq!(said, variables, "{id} speaks of other things in {language}");
            }
        }
    }
}

/// Messages are named in templates and code by their ids, and a wrong one shows only when its page does.
#[test]
fn every_message_of_the_pages_is_said_somewhere_and_there_is_every_message_that_is_said() {
    let english = shipped().expect("well formed").remove(0);
    let known: BTreeSet<&str> = english.messages().keys().map(String::as_str).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut said = BTreeSet::new();
    let mut texts = String::new();
    for file in files(&root.join("src/pages/templates"), "html") {
        let text = std::fs::read_to_string(&file).expect("a template");
        for call in text.split("t(\"").skip(1).chain(text.split("t.strong(\"").skip(1)) {
            said.insert(call.split('"').next().unwrap_or_default().to_owned());
        }
    }
    for file in files(&root.join("src/mail/templates"), "txt") {
        let text = std::fs::read_to_string(&file).expect("a template");
        for line in text.lines().filter(|line| !line.is_empty()) {
            let inner = line.strip_prefix('[').and_then(|line| line.strip_suffix(']'));
            let Some(inner) = inner else { panic!("{}: text outside of the catalogue: {line}", file.display()) };
            match inner.split_once(": ") {
                Some(("say" | "link", id)) => {
                    said.insert(id.split(' ').next().unwrap_or_default().to_owned());
                }
                Some(("lines", _)) => {}
                _ => assert_eq!(inner, "code", "{}", file.display()),
            }
        }
    }
    for folder in ["src/mail", "src/pages", "src/site", "src/language", "examples/pages"] {
        for file in files(&root.join(folder), "rs").into_iter().filter(|file| !file.ends_with("tests.rs")) {
            let text = std::fs::read_to_string(&file).expect("a source");
            for call in text.split("Text::of(\"").skip(1) {
                said.insert(call.split('"').next().unwrap_or_default().to_owned());
            }
            texts.push_str(&text);
        }
    }
    let unknown: Vec<_> = said.iter().filter(|id| !known.contains(id.as_str())).collect();
    assert!(unknown.is_empty(), "said, and there is no such message: {unknown:?}");
    let quoted = |id: &str| texts.contains(&format!("\"{id}\"")) || id.starts_with("month-");
    let idle: Vec<_> = known.iter().filter(|id| !said.contains(**id) && !quoted(id)).collect();
    assert!(idle.is_empty(), "nothing says {idle:?}");
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|end| end == ending) {
            found.push(path);
        }
    }
    found
}

/// What people of a product must never have to know (behaviour.md, "Everybody").
#[test]
fn pages_speak_in_plain_words() {
    for (tag, source) in CATALOGUES {
        for line in source.lines().filter(|line| !line.starts_with('#') && !line.starts_with("mail-")) {
            let Some((_, text)) = line.split_once(" = ") else { continue };
            let text = text.to_lowercase();
            for word in [
                "issuer",
                "claim",
                "directory",
                "quarantine",
                "identity provider",
                "relying party",
                "assertion",
                "verzeichnis",
            ] {
                assert!(!text.contains(word), "{tag}: {word} in {line}");
            }
        }
    }
}
