//! Whether the book holds together: every relative link of the documentation leads to a file, and to a heading where it names
//! one, and every file of `docs/` is reached from its contents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// Texts outside of `docs/` whose links are judged too.
const BESIDE: [&str; 4] = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];

/// Lines outside of fenced code, with what stands in `backticks` left out: a link there is a sample.
fn prose(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut kept = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            kept.push(line.split('`').step_by(2).collect());
        }
    }
    kept
}

/// The targets of `[words](target)` and `![words](target)`, those with a scheme left out.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(text) {
        for rest in line.split("](").skip(1) {
            let target = rest.split(')').next().unwrap_or_default();
            if !target.contains("://") && !target.starts_with("mailto:") {
                found.push(target.to_owned());
            }
        }
    }
    found
}

/// The anchors that GitHub gives to headings: small letters, no punctuation, spaces as hyphens, a number where one came before.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    let mut fenced = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        let title = line.trim_start_matches('#');
        if fenced || title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let letters = title.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let slug: String = letters.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect();
        let before = times.entry(slug.clone()).or_default();
        found.insert(if *before == 0 { slug } else { format!("{slug}-{before}") });
        *before += 1;
    }
    found
}

/// A path without `.` and `..`; none where it leaves the repository.
fn within(path: &Path) -> Option<PathBuf> {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir if !out.pop() => return None,
            Component::ParentDir | Component::CurDir => {}
            part => out.push(part),
        }
    }
    Some(out)
}

/// A set of texts by their paths, and the other files that there are.
struct Book {
    texts: BTreeMap<PathBuf, String>,
    others: BTreeSet<PathBuf>,
}

impl Book {
    /// The file that a link of `from` leads to, or what is wrong with it.
    fn follow(&self, from: &Path, link: &str) -> Result<PathBuf, String> {
        let wrong = |why: &str| Err(format!("{}: {link}: {why}", from.display()));
        let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
        let named = if file.is_empty() {
            Some(from.to_owned())
        } else {
            within(&from.parent().unwrap_or(Path::new("")).join(file))
        };
        let Some(named) = named else { return wrong("leads out of the repository") };
        match (self.texts.get(&named), heading) {
            (Some(text), Some(heading)) if !anchors(text).contains(heading) => wrong("no such heading"),
            (Some(_), _) => Ok(named),
            (None, None) if self.others.contains(&named) => Ok(named),
            _ => wrong("no such file"),
        }
    }

    fn faults(&self) -> Vec<String> {
        let all = self.texts.iter().flat_map(|(from, text)| links(text).into_iter().map(move |link| (from, link)));
        all.filter_map(|(from, link)| self.follow(from, &link).err()).collect()
    }

    /// What is reached from one text, itself included.
    fn reached(&self, first: &Path) -> BTreeSet<PathBuf> {
        let (mut reached, mut next) = (BTreeSet::new(), vec![first.to_owned()]);
        while let Some(path) = next.pop() {
            if reached.insert(path.clone()) {
                let links = self.texts.get(&path).map(|text| links(text)).unwrap_or_default();
                next.extend(links.iter().filter_map(|link| self.follow(&path, link).ok()));
            }
        }
        reached
    }
}

/// Every file and folder below `folder`, from the repository's root.
fn below(root: &Path, folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(root.join(folder)).expect("a folder of the repository") {
        let entry = entry.expect("readable");
        let path = folder.join(entry.file_name());
        if entry.path().is_dir() {
            below(root, &path, found);
        }
        found.insert(path);
    }
}

fn book() -> Book {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all: BTreeSet<PathBuf> = BTreeSet::new();
    for folder in ["docs", "deploy", "config", "src", "tests", "benches", "examples", ".github"] {
        if root.join(folder).is_dir() {
            below(root, Path::new(folder), &mut all);
        }
    }
    for entry in std::fs::read_dir(root).expect("the repository") {
        all.insert(PathBuf::from(entry.expect("readable").file_name()));
    }
    let is_text = |path: &Path| {
        path.extension().is_some_and(|end| end == "md")
            && (path.starts_with("docs")
                || path.starts_with("deploy")
                || BESIDE.iter().any(|name| path == Path::new(name)))
    };
    let (texts, others) = all.into_iter().partition::<BTreeSet<_>, _>(|path| is_text(path));
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(root.join(&path)).expect("a text");
        (path, text)
    };
    Book { texts: texts.into_iter().map(read).collect(), others }
}

#[test]
fn every_link_of_the_documentation_leads_somewhere() {
    let book = book();
    let links: usize = book.texts.values().map(|text| links(text).len()).sum();
    assert!(links > 80, "the links were not found: {links}");
    let faults = book.faults();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_file_of_docs_is_reached_from_its_contents() {
    let book = book();
    let reached = book.reached(Path::new("docs/README.md"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = book.texts.keys().chain(&book.others);
    let lost: Vec<_> = files
        .filter(|path| path.starts_with("docs") && root.join(path).is_file() && !reached.contains(*path))
        .map(|path| path.display().to_string())
        .collect();
    assert!(lost.is_empty(), "docs/README.md leads to none of {}", lost.join(", "));
}

#[test]
fn a_broken_link_and_a_lost_file_are_found() {
    let text = |text: &str| text.to_owned();
    let book = Book {
        texts: BTreeMap::from([
            (
                PathBuf::from("docs/README.md"),
                text("[a](a.md#the-one-s) [a](a.md#two) [b](#here)\n# Here\n[x](https://x/y)"),
            ),
            (
                PathBuf::from("docs/a.md"),
                text("# The `one`'s\n```\n# two\n[no](no.md)\n```\n`[no](no.md)` ![p](p.png) [up](../../x) [c](c.md)"),
            ),
            (PathBuf::from("docs/b.md"), text("[back](README.md)")),
        ]),
        others: BTreeSet::from([PathBuf::from("docs/p.png")]),
    };
    assert_eq!(
        book.faults(),
        [
            "docs/README.md: a.md#the-one-s: no such heading",
            "docs/README.md: a.md#two: no such heading",
            "docs/a.md: ../../x: leads out of the repository",
            "docs/a.md: c.md: no such file",
        ]
    );
    let reached = book.reached(Path::new("docs/README.md"));
    assert!(!reached.contains(Path::new("docs/b.md")) && !reached.contains(Path::new("docs/p.png")));
    assert_eq!(
        anchors("# The `one`'s\n## A: b_c-d\n### A: b_c-d\n#no"),
        ["a-b_c-d", "a-b_c-d-1", "the-ones"].map(text).into()
    );
}
