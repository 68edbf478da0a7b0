//! The table of docs/threat-model.md, written from tests/rows.toml: each attack, the scenes that hold it, and what is not there yet.
//! `UPDATE=1` writes it anew; without it a table that differs is a fault.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

const MARK: &str = "<!-- table -->\n";
/// Scenes that are named; the file has the rest.
const NAMED: usize = 3;

/// An attack's place among its kind: `C`, `H` and `M`, each by number. Behaviour rows and mistakes are not attacks.
fn place(id: &str) -> Option<(usize, u32)> {
    let kind = ["C", "H", "M"].iter().position(|kind| id.starts_with(kind))?;
    Some((kind, id.get(1..)?.parse().ok()?))
}

fn table(rows: &Value) -> String {
    let rows = rows.as_object().expect("rows");
    let mut attacks: Vec<_> = rows.iter().filter_map(|(id, row)| Some((place(id)?, id, row))).collect();
    attacks.sort_by_key(|(place, ..)| *place);
    let mut out = "\n| | what is held | scenes | not there yet |\n|---|---|---|---|\n".to_owned();
    for (_, id, row) in attacks {
        let scenes: Vec<&str> = row["scenes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let named: Vec<String> = scenes.iter().take(NAMED).map(|scene| format!("`{scene}`")).collect();
        let later = row["later"].as_str().unwrap_or_default();
        let _ = writeln!(
            out,
            "| {id} | {} | {} | {later} |",
            row["says"].as_str().expect("what it says"),
            named.join("<br>")
        );
    }
    out
}

#[test]
fn the_threat_model_names_the_scenes_that_hold_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_else(|why| panic!("{path}: {why}"));
    let rows: Value = toml::from_str(&read("tests/rows.toml")).expect("TOML");
    let written = table(&rows);
    assert!(written.lines().count() > 60, "the attacks were not found");
    let page = read("docs/threat-model.md");
    let (before, there) = page.split_once(MARK).expect("the table's mark");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(root.join("docs/threat-model.md"), format!("{before}{MARK}{written}")).expect("written");
        return;
    }
    let faults = faults(&rows, there);
    assert!(faults.is_empty(), "UPDATE=1 cargo test --test layers threat_model\n{}", faults.join("\n"));
}

/// What a table says otherwise than the rows. A scene more in a row is no fault: the table names a few.
fn faults(rows: &Value, there: &str) -> Vec<String> {
    let (written, mut faults) = (table(rows), Vec::new());
    let lines = |text: &str| text.lines().skip(3).map(str::to_owned).collect::<Vec<_>>();
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let (new, old) = (lines(&written), lines(there));
    if new.len() != old.len() {
        faults.push(format!("{} rows, not {}", old.len(), new.len()));
    }
    for (new, old) in new.iter().zip(&old).map(|(new, old)| (cells(new), cells(old))) {
        let known = rows[&new[1]]["scenes"].as_array().cloned().unwrap_or_default();
        let named: Vec<&str> = old
            .get(3)
            .map(|scenes| scenes.split("<br>").filter(|scene| !scene.is_empty()).collect())
            .unwrap_or_default();
        let is_known = |scene: &&str| known.iter().any(|one| one.as_str() == Some(scene.trim_matches('`')));
        let same = [1, 2, 4].iter().all(|at| new.get(*at) == old.get(*at));
        if !same || named.is_empty() != known.is_empty() || !named.iter().all(is_known) {
            faults.push(new[1].clone());
        }
    }
    faults
}

#[test]
fn a_row_without_scenes_shows_what_is_missing() {
    let rows = serde_json::json!({
        "T01": { "says": "no attack", "scenes": ["z"] },
        "M2": { "says": "later", "scenes": [], "later": "x" },
        "C10": { "says": "ten", "scenes": ["a", "b", "c", "d"] },
        "C2": { "says": "two", "scenes": ["a"] },
    });
    let table = table(&rows);
    let lines: Vec<&str> = table.lines().skip(3).collect();
    assert_eq!(lines, ["| C2 | two | `a` |  |", "| C10 | ten | `a`<br>`b`<br>`c` |  |", "| M2 | later |  | x |"]);
}
