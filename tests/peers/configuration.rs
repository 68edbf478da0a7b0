//! The configuration that tests write is one that an operator could have written.

use std::path::Path;

use crate::support::configuration::{Configuration, Ports};

const PORTS: Ports = Ports { https: 20_001, http: 20_002, ops: 20_003 };

fn rendered(configuration: &Configuration, directory: &Path) -> toml::Table {
    let text = configuration.render(PORTS, directory);
    text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn the_short_file_becomes_loopback_ports_and_the_internal_authority() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let configuration = Configuration::new()
        .trust(Path::new("/ca.pem"))
        .product("trello", "http://127.0.0.1:1", "public = [\"/healthz\"]")
        .organization("acme", "acme.example.test", "https://127.0.0.1:2", "a \"secret\"");
    let file = rendered(&configuration, directory.path());
    assert_eq!(file["login"].as_str(), Some("id.example.test:20001"));
    assert_eq!(file["listen"]["https"].as_str(), Some("127.0.0.1:20001"));
    assert_eq!((file["listen"]["http"].as_str(), file["listen"]["tls"].as_str()), (Some("off"), Some("internal")));
    assert_eq!(file["outbound"]["ca_file"].as_str(), Some("/ca.pem"));
    assert_eq!(file["product"]["trello"]["host"].as_str(), Some("trello.example.test:20001"));
    assert_eq!(file["product"]["trello"]["public"][0].as_str(), Some("/healthz"));
    let secret = file["org"]["acme"]["sso"]["client_secret_file"].as_str().expect("a path");
    assert_eq!(std::fs::read_to_string(secret).expect("written"), "a \"secret\"");
}

#[test]
fn what_a_test_says_replaces_the_usual() {
    let configuration = Configuration::new()
        .top("login = \"login.other.test:{port}\"")
        .listen("http = \"127.0.0.1:{http}\"")
        .table("[log]\nformat = \"json\"");
    let file = rendered(&configuration, Path::new("/nowhere"));
    assert_eq!(file["login"].as_str(), Some("login.other.test:20001"));
    assert_eq!(file["listen"]["http"].as_str(), Some("127.0.0.1:20002"));
    assert_eq!(file["log"]["format"].as_str(), Some("json"));
}
