//! The house's one-way rule: a file may use its own room and lower layers only; rooms of one layer do not know each other.
//!
//! Every file under `src/` is parsed and each path into the crate judged, wherever it stands: a sideways call written out
//! compiles without any `use`. An item that `lib.rs` re-exports counts as its home. Test modules are judged like the rest.
//! A new room: one entry in [`LAYERS`] and a line in the map at the top of `src/lib.rs`.

#[path = "layers/asvs.rs"]
mod asvs;
#[path = "layers/book.rs"]
mod book;
#[path = "layers/causes.rs"]
mod causes;
#[path = "layers/monitoring.rs"]
mod monitoring;
#[path = "layers/reach.rs"]
mod reach;
#[path = "layers/rows.rs"]
mod rows;
#[path = "layers/threats.rs"]
mod threats;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use reach::{FILE, Reached, reached};

/// Rooms and their layers, as the map in `src/lib.rs` numbers them. `main.rs` and `lib.rs` are the roots and may use everything.
const LAYERS: &[(u8, &[&str])] = &[
    (1, &["kernel"]),
    (2, &["clock", "entropy", "language"]),
    (3, &["store", "outbound", "dns", "keys", "web", "seeing"]),
    (4, &["accounts", "idp", "mail", "audit", "orgs"]),
    (5, &["login", "domains", "provision", "oauth"]),
    (6, &["pages", "admin", "scim"]),
    (7, &["gateway", "acme", "site"]),
    (8, &["demo"]),
    (9, &["config"]),
    (10, &["cli"]),
];

/// What the kernel may not touch: it has no I/O, no clock, no randomness and no executor.
const IMPURE: &[&str] = &[
    "tokio",
    "hyper",
    "hyper_util",
    "rusqlite",
    "tokio_postgres",
    "moka",
    "notify",
    "socket2",
    "rustix",
    "tracing",
    "async_trait",
    "std::fs",
    "std::io::stdin",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::process",
    "std::env",
    "std::thread",
    "std::time::SystemTime",
    "std::time::Instant",
    "aws_lc_rs::rand",
];

fn layer(room: &str) -> Option<u8> {
    LAYERS.iter().find(|(_, rooms)| rooms.contains(&room)).map(|(layer, _)| *layer)
}

/// What is wrong with one file: `text` at `path` under `src/`, given the homes of the root's re-exports.
fn faults(path: &Path, text: &str, homes: &HashMap<String, String>) -> Vec<String> {
    let module = module_of(path);
    let module: Vec<&str> = module.iter().map(String::as_str).collect();
    let Some(room) = module.first() else { return Vec::new() };
    let Some(own) = layer(room) else { return vec![format!("{}: {room} is in no layer", path.display())] };
    let (ours, foreign) = match reached(text, &module) {
        Ok(found) => found,
        Err(error) => return vec![format!("{}: {error}", path.display())],
    };
    let say =
        |found: &Reached, why: &str| format!("{}:{}: {} {why}", path.display(), found.line, found.path.join("::"));
    let upward = ours.iter().filter_map(|found| {
        let elsewhere = (found.path.first().map(String::as_str) == Some(FILE)).then(|| room_of_file(path, &found.path));
        let first = match &elsewhere {
            Some(None) => return None, // outside src, as the examples are
            Some(Some(room)) => room,
            None => found.path.first().map_or("*", String::as_str),
        };
        let target = homes.get(first).map_or(first, String::as_str);
        match layer(target) {
            None => Some(say(found, "is in no room; name the item's home")),
            Some(_) if target == *room => None,
            Some(other) if other < own => None,
            Some(other) => Some(say(found, &format!("is in layer {other}, {room} is in layer {own}"))),
        }
    });
    let impure = foreign.iter().filter(|_| *room == "kernel").filter_map(|found| {
        let path = found.path.join("::");
        let named = IMPURE.iter().any(|banned| path == *banned || path.starts_with(&format!("{banned}::")));
        named.then(|| say(found, "is not for the kernel"))
    });
    upward.chain(impure).collect()
}

/// The room of the file that `#[path]` names; none outside `src/`.
fn room_of_file(named_in: &Path, reached: &[String]) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    let folder = named_in.parent().into_iter().flat_map(Path::iter);
    for part in folder.chain(reached.get(1).map(Path::new).into_iter().flat_map(Path::iter)) {
        match part.to_string_lossy().as_ref() {
            ".." if parts.pop().is_none() => return None,
            ".." | "." => {}
            name => parts.push(name.to_owned()),
        }
    }
    parts.first().map(|room| room.trim_end_matches(".rs").to_owned())
}

/// `store/sqlite.rs` is `["store", "sqlite"]`; `lib.rs` and `main.rs` are the root.
fn module_of(path: &Path) -> Vec<String> {
    let parts: Vec<String> = path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    match parts.as_slice() {
        [root] if root == "lib" || root == "main" => Vec::new(),
        [rooms @ .., last] if last == "mod" => rooms.to_vec(),
        all => all.to_vec(),
    }
}

/// Where the root's re-exports and exported macros live: name → room.
fn homes(root: &str, files: &[(PathBuf, String)]) -> HashMap<String, String> {
    let mut homes = HashMap::new();
    for item in syn::parse_file(root).map(|file| file.items).unwrap_or_default() {
        if let syn::Item::Use(item) = item {
            collect(&[], &item.tree, &mut homes);
        }
    }
    for (path, text) in files {
        let room = module_of(path).into_iter().next();
        for name in text.split("#[macro_export]").skip(1).filter_map(|rest| rest.split("macro_rules!").nth(1)) {
            let name = name.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            homes.extend(room.clone().map(|room| (name.to_owned(), room)));
        }
    }
    homes
}

fn collect(before: &[String], tree: &syn::UseTree, homes: &mut HashMap<String, String>) {
    let room = before.iter().find(|part| !matches!(part.as_str(), "crate" | "self")).cloned();
    match tree {
        syn::UseTree::Path(path) => collect(&[before, &[path.ident.to_string()]].concat(), &path.tree, homes),
        syn::UseTree::Group(group) => group.items.iter().for_each(|item| collect(before, item, homes)),
        syn::UseTree::Name(name) => homes.extend(room.map(|room| (name.ident.to_string(), room))),
        syn::UseTree::Rename(rename) => homes.extend(room.map(|room| (rename.rename.to_string(), room))),
        syn::UseTree::Glob(_) => {} // its names stay in no room, and whoever uses one is told so
    }
}

fn sources(folder: &Path, base: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            sources(&path, base, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file is text");
            found.push((path.strip_prefix(base).expect("under src").to_owned(), text));
        }
    }
}

#[test]
fn every_file_uses_its_own_room_and_lower_layers_only() {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&base, &base, &mut files);
    let root = std::fs::read_to_string(base.join("lib.rs")).expect("src/lib.rs");
    let homes = homes(&root, &files);
    let faults: Vec<String> = files.iter().flat_map(|(path, text)| faults(path, text, &homes)).collect();
    assert!(faults.is_empty(), "{} paths break the layers:\n{}", faults.len(), faults.join("\n"));
}

/// The faults of a sample file, without their places.
fn check(path: &str, text: &str, expected: &[&str]) {
    let homes = homes("pub use gateway::Listener; pub use kernel::values as v; pub use crate::store::*;", &[]);
    let found: Vec<String> = faults(Path::new(path), text, &homes)
        .iter()
        .map(|fault| fault.splitn(3, ": ").last().unwrap_or_default().to_owned())
        .collect();
    let paths: Vec<&str> = found.iter().map(|fault| fault.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(paths, expected, "{path}: {text}");
}

#[test]
fn downward_and_inward_paths_pass() {
    check(
        "login/begin.rs",
        "use crate::kernel::proof::Proof; use super::finish; use self::x::Y; use crate::login::z;",
        &[],
    );
    check(
        "login/mod.rs",
        "pub(crate) fn f(&self) { self.g(); } pub(super) fn g() {} pub(in crate::login) struct S;",
        &[],
    );
    check("gateway/mod.rs", "fn f() -> crate::pages::Html { fedgate::login::begin() }", &[]);
    check("cli/run.rs", "use crate::config::Config;", &[]);
    check("store/mod.rs", "use crate::{clock::Clock, entropy};", &[]);
    check("kernel/a.rs", "mod tests { use super::*; use super::super::values; }", &[]);
    check("lib.rs", "pub mod gateway; use crate::gateway::X;", &[]);
    check("kernel/a.rs", "fn f() { crate::v::Email; }", &[]);
}

#[test]
fn an_upward_path_is_found_wherever_it_stands() {
    check("kernel/a.rs", "use crate::store::Store;", &["store::Store"]);
    check("kernel/a.rs", "use crate::{kernel::X, login::{self, begin}};", &["login", "login::begin"]);
    check("kernel/a.rs", "use super::super::super::store::Store;", &["?::store::Store"]);
    check("kernel/a.rs", "use super::super::store::Store;", &["store::Store"]);
    check("kernel/mod.rs", "fn f() { super::store::open() }", &["store::open"]);
    check("kernel/a.rs", "fn f() { let x = crate::store::open(1); }", &["store::open"]);
    check(
        "kernel/a.rs",
        "fn f(x: &dyn crate::store::Store) -> Vec<fedgate::idp::Keys> { todo() }",
        &["store::Store", "idp::Keys"],
    );
    check("kernel/a.rs", "impl crate::store::Store for X {}", &["store::Store"]);
    check("kernel/a.rs", "fn f() { matches!(x, crate::store::Taken::First) }", &["store::Taken::First"]);
    check("kernel/a.rs", "fn f() { format!(\"{}\", a(&[crate::idp::b(), self::c::d()])) }", &["idp::b"]);
    check("kernel/a.rs", "macro_rules! m { () => { $crate::store::x() } }", &["store::x"]);
    check("kernel/a.rs", "m! { use crate::{store, kernel::x}; }", &["store"]);
    check("kernel/a.rs", "m! { a: crate::store::X }", &["store::X"]);
    check("kernel/a.rs", "#[serde(with = \"crate::store::x\")] struct S;", &["store::x"]);
    check("kernel/a.rs", "#[derive(crate::store::D)] struct S;", &["store::D"]);
    check("kernel/a.rs", "#[cfg(test)] mod tests { use crate::store::X; }", &["store::X"]);
    check("kernel/a.rs", "pub(in crate::store) struct S;", &["store"]);
}

#[test]
fn a_sideways_path_is_found() {
    check("store/sqlite.rs", "use crate::outbound::Client;", &["outbound::Client"]);
    check("clock.rs", "use crate::store::Store;", &["store::Store"]);
    check("kernel/a.rs", "use crate::clock::Clock;", &["clock::Clock"]);
    check("pages/mod.rs", "fn f() { crate::admin::routes() }", &["admin::routes"]);
    check("config/mod.rs", "use crate::cli::Args;", &["cli::Args"]);
}

#[test]
fn a_root_that_hides_the_room_is_found() {
    check("kernel/a.rs", "use crate::Listener;", &["Listener"]); // re-exported, at home in the gateway
    check("kernel/a.rs", "use crate::*;", &["*"]);
    check("kernel/a.rs", "use crate as c;", &["?"]);
    check("kernel/a.rs", "use crate::{self as c};", &["?"]);
    check("kernel/a.rs", "extern crate self as other;", &["?"]);
    check("kernel/a.rs", "#[path = \"../store/mod.rs\"] mod store;", &["#[path]::../store/mod.rs"]);
    check("kernel/a.rs", "#[path = \"values/b.rs\"] mod b; #[path = \"../../examples/c.rs\"] mod c;", &[]);
    check("outbound.rs", "use super::*;", &["*"]);
    check("kernel/a.rs", "use crate::Unknown;", &["Unknown"]);
}

#[test]
fn the_kernel_stays_pure() {
    check(
        "kernel/a.rs",
        "use std::time::SystemTime; fn f() { tokio::spawn(x); std::fs::read(y); std::net::IpAddr::from(z); }",
        &["std::time::SystemTime", "tokio::spawn", "std::fs::read"],
    );
    check("store/a.rs", "use std::time::SystemTime; fn f() { tokio::spawn(x); }", &[]);
    check("kernel/tests.rs", "use aws_lc_rs::rand::SystemRandom;", &[]);
    check("kernel/a.rs", "mod tests { use aws_lc_rs::rand::SystemRandom; use crate::store::X; }", &["store::X"]);
}

#[test]
fn a_folder_outside_the_plan_is_found() {
    check("utils/a.rs", "", &["utils"]);
}
