//! A process of Node or Python that serves a test: it says on one line of JSON where it listens, and ends with its starter.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::clock::Deadline;
use super::wire::Wire;

/// How long a peer may take to tidy up.
const FAREWELL: Duration = Duration::from_secs(5);

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Node that `tests/run` installs. Tests that need it fail without it: a skipped test is one that nobody misses.
///
/// # Panics
/// Where Node or the npm packages are absent, with what to do.
pub fn needs_peers() -> PathBuf {
    let node = root().join("target/peers/node");
    let packages = root().join("tests/peers/node_modules/oidc-provider/package.json");
    assert!(
        node.exists() && packages.exists(),
        "the providers for this test are not installed: run ./tests/run (or ./tests/run --install)"
    );
    node
}

/// The Python of the tests' own environment, with the packages that `tests/run` installs.
///
/// # Panics
/// Where it is absent, with what to do.
pub fn python() -> PathBuf {
    let python = root().join("target/peers/venv/bin/python");
    assert!(python.exists(), "the tests' Python is not installed: run ./tests/run (or ./tests/run --install)");
    python
}

/// What runs a script, by the end of its name.
fn program(script: &str) -> Command {
    if Path::new(script).extension().is_some_and(|end| end == "py") {
        return Command::new(python());
    }
    let mut node = Command::new(needs_peers());
    node.arg("--no-warnings");
    node
}

/// A running peer. Dropping it ends the process.
pub struct Peer {
    child: Child,
    facts: Value,
    complaints: Arc<Mutex<String>>,
}

impl Peer {
    /// Starts `script` (relative to `tests/`) with its options and waits for the line that says it serves.
    pub fn start(script: &str, options: &Value) -> Self {
        let mut child = program(script)
            .arg(root().join("tests").join(script))
            .arg(options.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the peer's program starts");
        let complaints = Arc::new(Mutex::new(String::new()));
        let (stderr, kept) = (child.stderr.take().expect("piped"), Arc::clone(&complaints));
        std::thread::spawn(move || collect(stderr, &kept));
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a readable pipe");
        let facts = serde_json::from_str(&line).unwrap_or_else(|error| {
            child.kill().expect("our own child");
            std::thread::sleep(Duration::from_millis(100));
            panic!("{script} did not start ({error}): {line}\n{}", complaints.lock().expect("not poisoned"))
        });
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        Self { child, facts, complaints }
    }

    /// A fact of the ready line that is text.
    pub fn text(&self, name: &str) -> &str {
        self.facts[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.facts))
    }

    pub fn facts(&self) -> &Value {
        &self.facts
    }

    /// Tells the peer what to do through its admin port, and gives its answer.
    ///
    /// # Panics
    /// Where the act is unknown or fails.
    pub async fn act(&self, path: &str, body: Value) -> Value {
        let admin = self.facts["admin"].as_u64().expect("the peer has an admin port");
        let (status, answer) = Wire::plain().post_json(&format!("http://127.0.0.1:{admin}{path}"), &body).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// What the process has written to its standard error.
    pub fn complaints(&self) -> String {
        self.complaints.lock().expect("not poisoned").clone()
    }
}

fn collect(from: impl Read, into: &Mutex<String>) {
    for line in BufReader::new(from).lines().map_while(Result::ok) {
        let mut text = into.lock().expect("not poisoned");
        text.push_str(&line);
        text.push('\n');
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Its standard input ends, and so does it; a browser takes its temporary files along.
        drop(self.child.stdin.take());
        let deadline = Deadline::after(FAREWELL);
        while !deadline.passed() {
            if self.child.try_wait().is_ok_and(|status| status.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // It may end by itself just now; then there is nothing left to end.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
