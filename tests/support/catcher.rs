//! A real SMTP server that keeps what it is given.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::clock::eventually;
use super::peer::{python, root};

/// How long a mail may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server. Dropping it ends the process.
pub struct Catcher {
    child: Child,
    port: u16,
    lines: Arc<Mutex<Vec<Value>>>,
}

impl Catcher {
    /// Starts it; `tests/peers/mail/catcher.py` says what `options` may hold.
    pub fn start(options: &Value) -> Self {
        let mut child = Command::new(python())
            .arg(root().join("tests/peers/mail/catcher.py"))
            .arg(options.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut first = String::new();
        stdout.read_line(&mut first).expect("a readable pipe");
        let first: Value =
            serde_json::from_str(&first).unwrap_or_else(|_| panic!("the catcher did not start: {first}"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).expect("a line of JSON");
                kept.lock().expect("not poisoned").push(line);
            }
        });
        let port = first["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port");
        Self { child, port, lines }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// All it has said so far: mails, and refusals.
    pub fn lines(&self) -> Vec<Value> {
        self.lines.lock().expect("not poisoned").clone()
    }

    /// Waits for so many lines.
    pub async fn wait_for(&self, count: usize) -> Vec<Value> {
        eventually("mail arrives", PATIENCE, || self.lines().len() >= count).await;
        self.lines()
    }
}

impl Drop for Catcher {
    fn drop(&mut self) {
        // Its standard input ends, and so does it.
        drop(self.child.stdin.take());
        let _reaped = self.child.wait();
    }
}
