//! Whether the dashboard, the alerts and the documentation name metrics that there are, and all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What a metric is, which says under which names it is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Every Rust file below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").path()) {
        if entry.is_dir() {
            sources(&entry, found);
        } else if entry.extension().is_some_and(|end| end == "rs") {
            found.push(entry);
        }
    }
}

/// The first texts in quotes of each call that registers a metric: its name, and what it is.
fn registered(text: &str) -> Vec<(String, String)> {
    let quoted = |text: &str| {
        let (_, rest) = text.split_once('"')?;
        let (inside, rest) = rest.split_once('"')?;
        Some((inside.to_owned(), rest.to_owned()))
    };
    let calls = text.split("seeing.register(").skip(1);
    calls.filter_map(|call| quoted(call).and_then(|(name, rest)| Some((name, quoted(&rest)?.0)))).collect()
}

/// Names in an expression, without what tells the series of one metric apart.
fn named(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("fedgate_") {
        let rest = &text[at + "fedgate_".len()..];
        let name: String =
            rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_' || c.is_ascii_digit()).collect();
        found.insert(name);
    }
    found
}

/// The names under which a metric is shown (OpenMetrics).
fn shown(name: &str, kind: Kind) -> Vec<String> {
    match kind {
        Kind::Counter => vec![format!("{name}_total")],
        Kind::Gauge => vec![name.to_owned()],
        Kind::Histogram => ["bucket", "sum", "count"].map(|end| format!("{name}_{end}")).to_vec(),
    }
}

/// What the documentation says of each metric: the rows of its table.
fn documented(text: &str) -> BTreeMap<String, Kind> {
    let mut found = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("| `fedgate_")) {
        let (name, rest) = line.split_once('`').expect("a name in backticks");
        let kind = rest.split('|').nth(1).map(str::trim);
        let kind = match kind {
            Some("counter") => Kind::Counter,
            Some("gauge") => Kind::Gauge,
            Some("histogram") => Kind::Histogram,
            other => panic!("{name}: {other:?} is no kind of metric"),
        };
        let name = name.split('{').next().unwrap_or(name);
        let name = if kind == Kind::Counter { name.strip_suffix("_total").expect("a counter's name") } else { name };
        assert!(found.insert(name.to_owned(), kind).is_none(), "{name} stands there twice");
    }
    found
}

#[test]
fn dashboard_alerts_and_documentation_name_the_metrics_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_else(|why| panic!("{path}: {why}"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    let registered: BTreeSet<String> = files
        .iter()
        .flat_map(|file| registered(&std::fs::read_to_string(file).expect("readable")))
        .map(|(name, _)| name)
        .collect();
    assert!(registered.len() > 20, "the calls were not found: {registered:?}");
    let documented = documented(&read("docs/monitoring.md"));
    let names: BTreeSet<String> = documented.keys().cloned().collect();
    assert_eq!(names, registered, "docs/monitoring.md and what is registered");
    let all: BTreeSet<String> = documented.iter().flat_map(|(name, kind)| shown(name, *kind)).collect();
    let (alerts, dashboard) =
        (named(&read("deploy/monitoring/alerts.yml")), named(&read("deploy/monitoring/dashboard.json")));
    for (file, used) in [("alerts.yml", &alerts), ("dashboard.json", &dashboard)] {
        let unknown: Vec<_> = used.difference(&all).collect();
        assert!(unknown.is_empty(), "{file} names {unknown:?}");
    }
    // A metric that nobody sees anywhere is one that nobody looks at.
    let drawn = |name: &String, kind: Kind| shown(name, kind).iter().any(|shown| dashboard.contains(shown));
    let missing: Vec<_> = documented.iter().filter(|(name, kind)| !drawn(name, **kind)).collect();
    assert!(missing.is_empty(), "the dashboard does not show {missing:?}");
    let dashboard: serde_json::Value = serde_json::from_str(&read("deploy/monitoring/dashboard.json")).expect("JSON");
    assert_eq!(dashboard["title"], "fedgate");
}

#[test]
fn a_metric_that_there_is_not_is_found() {
    let text = "seeing.register(\"logins\", \"Logins\", x); seeing.register(\n \"a_b\",\n \"Help\", y)";
    assert_eq!(registered(text), [("logins".to_owned(), "Logins".to_owned()), ("a_b".to_owned(), "Help".to_owned())]);
    let found = named("rate(fedgate_logins_total{outcome=\"x\"}[5m]) / fedgate_open_streams");
    assert_eq!(found, BTreeSet::from(["logins_total".to_owned(), "open_streams".to_owned()]));
    assert_eq!(shown("logins", Kind::Counter), ["logins_total"]);
    let rows =
        documented("| `fedgate_logins_total{outcome}` | counter | x |\n| `fedgate_lag_seconds` | histogram | y |\n");
    assert_eq!(
        rows,
        BTreeMap::from([("logins".to_owned(), Kind::Counter), ("lag_seconds".to_owned(), Kind::Histogram)])
    );
}
