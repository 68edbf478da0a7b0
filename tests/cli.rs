//! The command line from outside: exit status, and what goes where.

use std::path::PathBuf;
use std::process::{Command, Output};

const GOOD: &str = "login = \"id.example.net\"\n[listen]\ntls = \"internal\"\n[product.trello]\nhost = \"trello.example.com\"\n\
                    upstream = \"http://127.0.0.1:3000\"\n[org.acme]\ndomains = [\"acme.com\"]\n[org.acme.sso]\n\
                    oidc = \"https://acme.okta.example\"\nclient_id = \"c\"\nclient_auth = \"none\"\n";

/// A folder with a `fedgate.toml`, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn with(name: &str, text: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the target folder is writable");
        std::fs::write(path.join("fedgate.toml"), text).expect("the target folder is writable");
        Self(path)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fedgate"));
        command.args(arguments).current_dir(&self.0).output().expect("the program starts")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays behind in target/ hurts nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn check_says_good_and_each_redirect_uri_with_status_0() {
    let output = Folder::with("good", GOOD).run(&["check"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("acme                     https://id.example.net/login/callback/acme\n"));
}

#[test]
fn a_mistake_is_status_2_with_its_place() {
    let folder = Folder::with("bad", &GOOD.replace("trello.example.com", "id.example.net:8443"));
    let output = folder.run(&["check"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stdout).contains("error[E-SAME-NAME]") && text(&output.stdout).contains("fedgate.toml:5:8"));
    let found: serde_json::Value = serde_json::from_slice(&folder.run(&["check", "--json"]).stdout).expect("JSON");
    assert_eq!((found["good"].as_bool(), found["findings"][0]["line"].as_u64()), (Some(false), Some(5)));
}

#[test]
fn the_syntax_alone_needs_no_secrets() {
    let folder = Folder::with("syntax", &GOOD.replace("client_auth = \"none\"", "client_secret_file = \"/nowhere\""));
    assert_eq!(folder.run(&["check", "--syntax"]).status.code(), Some(0));
    assert_eq!(folder.run(&["check"]).status.code(), Some(2));
}

#[test]
fn wrong_usage_and_a_missing_file_are_status_2() {
    let folder = Folder::with("usage", GOOD);
    assert_eq!(folder.run(&["chekc"]).status.code(), Some(2));
    let output = folder.run(&["check", "--config", "nowhere.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("E-FILE") && text(&output.stderr).contains("--config FILE"));
}

#[test]
fn schema_is_a_json_schema() {
    let output = Folder::with("schema", GOOD).run(&["schema"]);
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(schema["additionalProperties"], false);
    assert!(schema["properties"]["product"]["description"].is_string());
}

/// Commands of a text: `$ fedgate …` in blocks, and `fedgate …` in the prose (true), which may stand there without its arguments.
fn printed(text: &str) -> Vec<(String, bool)> {
    let (mut found, mut fenced) = (Vec::new(), false);
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            found.extend(
                line.trim_start()
                    .strip_prefix("$ ")
                    .filter(|line| line.starts_with("fedgate "))
                    .map(|line| (line.to_owned(), false)),
            );
        } else {
            let spans = line.split('`').skip(1).step_by(2).filter(|span| span.starts_with("fedgate "));
            found.extend(spans.filter(|span| !span.contains(['|', '[', '…'])).map(|span| (span.to_owned(), true)));
        }
    }
    found
}

/// The words of a command, without what the shell takes for itself.
fn words(line: &str) -> Vec<String> {
    let line = line.split(" #").next().unwrap_or_default();
    let line = line.split(" && ").next().unwrap_or_default();
    line.split_whitespace()
        .skip(1)
        .take_while(|word| !word.starts_with(['|', '>', '&']))
        .map(|word| word.trim_matches(['"', '\'', ';']).to_owned())
        .collect()
}

#[test]
fn every_command_that_the_book_prints_is_one() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> = ["README.md", "SECURITY.md"].iter().map(|name| root.join(name)).collect();
    for folder in ["docs", "docs/causes"] {
        let entries =
            std::fs::read_dir(root.join(folder)).expect("the book").map(|entry| entry.expect("readable").path());
        files.extend(entries.filter(|path| path.extension().is_some_and(|end| end == "md")));
    }
    let nowhere = Folder::with("book", GOOD);
    let (mut asked, mut wrong) = (0, Vec::new());
    for file in &files {
        for (line, prose) in printed(&std::fs::read_to_string(file).expect("a text")) {
            let mut words = words(&line);
            // These two serve; no other does anything without a configuration.
            if matches!(words.first().map(String::as_str), Some("run" | "demo")) {
                continue;
            }
            words.extend(["--config".to_owned(), "nowhere.toml".to_owned()]);
            let output = nowhere.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
            let said = text(&output.stderr);
            let short = said.contains("required arguments were not provided")
                || said.contains("requires a subcommand")
                || said.contains("Commands:");
            asked += 1;
            if said.contains("Usage:") && !(prose && short) {
                wrong.push(format!("{}: {line}\n{said}", file.display()));
            }
        }
    }
    assert!(asked > 60, "the commands were not found: {asked}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
