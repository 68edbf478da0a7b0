//! Whether `tests/rows.toml` is true: every row has scenes or says what it waits for, and every scene that is named is a test.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    says: String,
    #[serde(default)]
    scenes: Vec<String>,
    later: Option<String>,
}

/// Whether the text has a test of that name: an attribute that is or ends in `test` in the lines right above the function.
pub(super) fn is_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let at = lines.iter().position(|line| {
        let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        rest.and_then(|rest| rest.strip_prefix(name)).is_some_and(|rest| rest.starts_with('('))
    });
    let above =
        |at: usize| lines.iter().take(at).rev().take_while(|line| line.starts_with("#[") || line.starts_with("///"));
    at.is_some_and(|at| {
        above(at).any(|line| line.starts_with("#[") && (line.ends_with("test]") || line.contains("test(")))
    })
}

#[test]
fn every_row_and_every_attack_names_scenes_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("tests/rows.toml")).expect("tests/rows.toml");
    let rows: BTreeMap<String, Row> = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}"));
    let mut wrong = Vec::new();
    for (id, row) in &rows {
        if row.says.is_empty() || (row.scenes.is_empty() && row.later.is_none()) {
            wrong.push(format!("{id}: neither a scene nor what it waits for"));
        }
        for scene in &row.scenes {
            let (file, name) = scene.split_once("::").unwrap_or((scene, ""));
            let there = std::fs::read_to_string(root.join(file)).is_ok_and(|text| is_test(&text, name));
            if !there {
                wrong.push(format!("{id}: no test {scene}"));
            }
        }
    }
    let expected = (1..=37).map(|n| format!("T{n:02}")).chain((1..=12).map(|n| format!("L{n:02}")));
    let expected = expected.chain((1..=33).map(|n| format!("mistake-{n:02}")));
    let attacks = [('C', 8), ('H', 21), ('M', 30)];
    let expected =
        expected.chain(attacks.into_iter().flat_map(|(kind, most)| (1..=most).map(move |n| format!("{kind}{n}"))));
    wrong.extend(expected.filter(|id| !rows.contains_key(id)).map(|id| format!("{id}: no row")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_function_without_the_attribute_is_no_scene() {
    assert!(is_test("#[tokio::test]\nasync fn a_b() {", "a_b"));
    assert!(is_test("#[test]\n#[ignore = \"slow\"]\nfn a_b() {", "a_b"));
    assert!(!is_test("#[test]\nfn other() {}\n\nfn a_b() {", "a_b"));
    assert!(!is_test("#[test]\nfn a_bc() {", "a_b"));
}
