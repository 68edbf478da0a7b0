//! Whether docs/asvs.md claims nothing without a scene: each row has a state, what is met names tests that exist.

use std::path::Path;

use super::rows::is_test;

/// Requirements of documentation, which is met by being written.
const WRITTEN: [&str; 1] = ["7.1.3"];

/// What is wrong with the rows of a page; `exists` says whether a scene does.
fn faults(page: &str, exists: impl Fn(&str) -> bool) -> (usize, Vec<String>) {
    let rows =
        page.lines().filter(|line| line.starts_with("| ") && line.as_bytes().get(2).is_some_and(u8::is_ascii_digit));
    let (mut count, mut faults) = (0, Vec::new());
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, id, _, state, comment, scenes, _] = cells[..] else {
            faults.push(format!("{row}: not five cells"));
            continue;
        };
        count += 1;
        let scenes: Vec<&str> =
            scenes.split("<br>").map(|scene| scene.trim_matches('`')).filter(|scene| !scene.is_empty()).collect();
        let fits = match state {
            "met" => !scenes.is_empty() || WRITTEN.contains(&id),
            "partly" | "not met" | "outside" => !comment.is_empty(),
            _ => false,
        };
        if !fits {
            faults.push(format!("{id}: {state:?} without what it takes"));
        }
        faults.extend(scenes.iter().filter(|scene| !exists(scene)).map(|scene| format!("{id}: no test {scene}")));
    }
    (count, faults)
}

#[test]
fn what_the_asvs_table_says_is_met_has_scenes_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/asvs.md")).expect("docs/asvs.md");
    let exists = |scene: &str| {
        let (file, name) = scene.split_once("::").unwrap_or((scene, ""));
        std::fs::read_to_string(root.join(file)).is_ok_and(|text| is_test(&text, name))
    };
    let (count, faults) = faults(&page, exists);
    assert!(count > 40, "the rows were not found: {count}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_claim_without_a_scene_is_found() {
    let page = "| 1.1 | a | met |  | `x::y` |\n| 1.2 | a | met |  |  |\n| 1.3 | a | partly |  |  |\n| 1.4 | a | maybe | c |  |\n| 1.5 | a | not met | c | `x::z` |\n| 7.1.3 | a | met |  |  |\n";
    let (count, faults) = faults(page, |scene| scene == "x::y");
    let expected = [
        "1.2: \"met\" without what it takes",
        "1.3: \"partly\" without what it takes",
        "1.4: \"maybe\" without what it takes",
        "1.5: no test x::z",
    ];
    assert_eq!((count, faults), (6, expected.map(str::to_owned).to_vec()));
}
