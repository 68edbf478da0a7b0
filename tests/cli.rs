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
