//! Chromium, driven through `tests/browser/driver.mjs`. Each person has a browser context of their own.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::peer::{Peer, root};

pub struct Browser {
    peer: Peer,
}

/// What a person sees.
#[derive(Clone, Debug)]
pub struct View {
    pub url: String,
    pub title: String,
    pub text: String,
    /// Of the document, where this act loaded one.
    pub status: Option<u64>,
}

/// One person's window.
#[derive(Clone, Copy)]
pub struct Person<'a> {
    browser: &'a Browser,
    name: &'a str,
    tab: &'a str,
}

impl Browser {
    /// Starts Chromium; it trusts the authorities in these PEM files and finds every `*.example.test` on 127.0.0.1.
    pub fn start(authorities: &[&Path]) -> Self {
        let shots: Option<PathBuf> = std::env::var_os("SHOTS").map(|_| root().join("target/shots"));
        let chromium = std::env::var("CHROMIUM").ok();
        let options = json!({ "authorities": authorities, "shots": shots, "chromium": chromium });
        Self { peer: Peer::start("browser/driver.mjs", &options) }
    }

    pub fn person<'a>(&'a self, name: &'a str) -> Person<'a> {
        Person { browser: self, name, tab: "main" }
    }
}

impl<'a> Person<'a> {
    /// Another tab of the same person.
    #[must_use]
    pub fn tab(self, tab: &'a str) -> Self {
        Self { tab, ..self }
    }

    pub async fn open(&self, url: &str) -> View {
        view(&self.act("/open", json!({ "url": url })).await)
    }

    pub async fn look(&self) -> View {
        view(&self.act("/look", json!({})).await)
    }

    /// Types into the fields that the selectors name.
    pub async fn fill(&self, fields: &[(&str, &str)]) {
        let fields: Value = fields
            .iter()
            .map(|(selector, text)| ((*selector).to_owned(), json!(text)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        self.act("/fill", json!({ "fields": fields })).await;
    }

    /// Clicks, and waits until what follows has loaded.
    pub async fn press(&self, selector: &str) -> View {
        view(&self.act("/press", json!({ "selector": selector })).await)
    }

    /// Waits until the page has such an element.
    pub async fn until(&self, selector: &str) -> View {
        view(&self.act("/until", json!({ "selector": selector })).await)
    }

    /// Waits until the address begins so.
    pub async fn until_at(&self, url: &str) -> View {
        view(&self.act("/until", json!({ "url": url })).await)
    }

    /// The result of a function in the page, e.g. `() => document.title`.
    pub async fn run(&self, script: &str, argument: Value) -> Value {
        self.act("/run", json!({ "script": script, "argument": argument })).await["result"].clone()
    }

    pub async fn back(&self) -> View {
        view(&self.act("/back", json!({})).await)
    }

    /// An authenticator in this tab's device, which verifies its person and answers while they are `present`. Its credentials.
    pub async fn authenticator(&self, present: bool) -> Vec<Value> {
        let answer = self.act("/authenticator", json!({ "present": present })).await;
        answer["credentials"].as_array().expect("a list").clone()
    }

    /// Names of the cookies that this person's browser keeps for the host.
    pub async fn cookies(&self, host: &str) -> Vec<String> {
        let cookies = self.act("/cookies", json!({})).await["cookies"].as_array().cloned().unwrap_or_default();
        let ours = cookies.iter().filter(|cookie| cookie["domain"] == host);
        ours.filter_map(|cookie| cookie["name"].as_str().map(str::to_owned)).collect()
    }

    /// Accessibility and width, light and dark, phone and desk.
    pub async fn findings(&self, name: &str) -> Vec<String> {
        let answer = self.act("/audit", json!({ "name": name })).await;
        answer["findings"].as_array().expect("a list").iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// # Panics
    /// Where the page that is shown has a finding.
    pub async fn assert_sound(&self, name: &str) {
        let findings = self.findings(name).await;
        assert!(findings.is_empty(), "{}", findings.join("\n"));
    }

    /// Everything that the page shown can fire at each target (`tests/browser/attack.mjs`): kind, target, outcome.
    pub async fn attack(&self, targets: &[&str]) -> Vec<(String, String, String)> {
        let answer = self.act("/attack", json!({ "targets": targets })).await;
        let attempts = answer["attempts"].as_array().expect("a list").clone();
        let text = |attempt: &Value, key: &str| attempt[key].as_str().unwrap_or_default().to_owned();
        attempts
            .iter()
            .map(|attempt| (text(attempt, "kind"), text(attempt, "target"), text(attempt, "outcome")))
            .collect()
    }

    /// Closes the window; cookies are gone with it.
    pub async fn leave(&self) {
        self.act("/leave", json!({})).await;
    }

    async fn act(&self, path: &str, mut body: Value) -> Value {
        body["who"] = json!(self.name);
        body["tab"] = json!(self.tab);
        self.browser.peer.act(path, body).await
    }
}

fn view(answer: &Value) -> View {
    let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    View { url: text("url"), title: text("title"), text: text("text"), status: answer["status"].as_u64() }
}
