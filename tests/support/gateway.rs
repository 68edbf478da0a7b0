//! The gateway as its operator runs it: a process with a configuration file.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::agent::UserAgent;
use super::clock::Deadline;
use super::configuration::{Configuration, Ports};
use super::ports;

/// How long a debug build on a busy machine may take to serve.
const START: Duration = Duration::from_secs(30);
const STOP: Duration = Duration::from_secs(20);

/// A running gateway with a folder of its own (configuration, state, secrets). Dropping it kills the process and removes the folder.
pub struct Gateway {
    directory: tempfile::TempDir,
    ports: Ports,
    child: Option<Child>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Gateway {
    /// Starts and waits until `/readyz` says 200.
    ///
    /// # Panics
    /// Where it does not get ready, with its log.
    pub fn start(configuration: &Configuration) -> Self {
        let mut gateway = Self::prepare(configuration);
        gateway.launch();
        gateway.wait_ready();
        gateway
    }

    /// Writes the file and starts nothing: for commands, and for starts that are expected to fail.
    pub fn prepare(configuration: &Configuration) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let ports = Ports { https: ports::free(), http: ports::free(), ops: ports::free() };
        let gateway = Self { directory, ports, child: None, log: Arc::default() };
        gateway.configure(configuration);
        gateway
    }

    pub fn ports(&self) -> Ports {
        self.ports
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn config_file(&self) -> PathBuf {
        self.directory.path().join("fedgate.toml")
    }

    /// The internal authority's certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.directory.path().join("state/ca.pem")
    }

    /// `https://HOST.example.test:PORT/path`.
    pub fn url(&self, host: &str, path: &str) -> String {
        format!("https://{host}.example.test:{}{path}", self.ports.https)
    }

    /// A person's fresh browser that trusts this gateway and these further authorities.
    pub fn agent(&self, authorities: &[&Path]) -> UserAgent {
        let ca = self.ca_file();
        let mut files = vec![ca.as_path()];
        files.extend(authorities);
        UserAgent::new(&files)
    }

    /// Writes another configuration; `reload` or a restart applies it.
    pub fn configure(&self, configuration: &Configuration) {
        let text = configuration.render(self.ports, self.directory.path());
        std::fs::write(self.config_file(), text).expect("a writable directory");
    }

    /// Runs another command of the program on this configuration, e.g. `["check", "--syntax"]`; status, stdout and stderr.
    pub fn command(&self, arguments: &[&str]) -> (ExitStatus, String, String) {
        let output =
            program().args(arguments).arg("--config").arg(self.config_file()).output().expect("the program starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status, text(&output.stdout), text(&output.stderr))
    }

    /// Puts another file in force, confirming what it gives away.
    pub fn reload(&self, file: &Configuration) {
        self.configure(file);
        let (status, out, err) = self.command(&["reload"]);
        if status.success() {
            return;
        }
        let said = format!("{out}{err}");
        let code = said.split("--loosen ").nth(1).and_then(|rest| rest.split_whitespace().next());
        let code = code.unwrap_or_else(|| panic!("{said}"));
        let (status, out, err) = self.command(&["reload", "--loosen", code]);
        assert!(status.success(), "{out}{err}");
    }

    /// The database, as another node or a thief of the file would open it.
    pub fn database(&self) -> rusqlite::Connection {
        let db = rusqlite::Connection::open(self.directory().join("state/fedgate.db")).expect("the database");
        db.busy_timeout(Duration::from_secs(5)).expect("a timeout");
        db
    }

    /// All audit events, oldest first, read from the database file.
    pub fn events(&self) -> Vec<Value> {
        let db = self.database();
        let mut rows = db.prepare("SELECT bytes FROM event ORDER BY position").expect("a table of events");
        let bytes = rows.query_map([], |row| row.get::<_, Vec<u8>>(0)).expect("readable");
        bytes.map(|bytes| serde_json::from_slice(&bytes.expect("readable")).expect("JSON")).collect()
    }

    /// Events with this action, oldest first.
    pub fn events_of(&self, action: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["action"] == action).collect()
    }

    /// SIGHUP: apply the file.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// SIGTERM, and waits for the end of the drain.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        let mut child = self.child.take().expect("running");
        let deadline = Deadline::after(STOP);
        while !deadline.passed() {
            if let Some(status) = child.try_wait().expect("our own child") {
                return status;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        child.kill().expect("our own child");
        child.wait().expect("our own child");
        panic!("it did not stop within {STOP:?}:\n{}", self.log());
    }

    /// SIGKILL: what a power cut looks like to the program.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("running");
        child.kill().expect("our own child");
        child.wait().expect("our own child");
    }

    /// Starts the same configuration on the same state again.
    pub fn restart(&mut self) {
        if self.child.is_some() {
            self.stop();
        }
        self.launch();
        self.wait_ready();
    }

    /// Everything it has written so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("not poisoned").join("\n")
    }

    /// Status and body of a GET at the ops listener.
    pub fn ops(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.ports.ops)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n", self.ports.ops)
            .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    pub fn launch(&mut self) {
        self.launch_with(&[]);
    }

    /// The same with environment variables, e.g. `FEDGATE_LOG`.
    pub fn launch_with(&mut self, variables: &[(&str, &str)]) {
        let mut command = program();
        command.envs(variables.iter().copied());
        command.arg("run").arg("--config").arg(self.config_file());
        self.launch_as(command);
    }

    /// The same by another program that has the gateway inside and reads the same file.
    pub fn launch_as(&mut self, mut command: Command) {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.stdin(Stdio::null()).spawn().expect("the program starts");
        keep(child.stdout.take().expect("piped"), &self.log);
        keep(child.stderr.take().expect("piped"), &self.log);
        self.child = Some(child);
    }

    pub fn wait_ready(&mut self) {
        let deadline = Deadline::after(START);
        loop {
            if self.ops("/readyz").is_some_and(|(status, _)| status == 200) {
                return;
            }
            let ended = self.child.as_mut().expect("launched").try_wait().expect("our own child");
            assert!(ended.is_none(), "it ended with {ended:?}:\n{}", self.log());
            assert!(!deadline.passed(), "not ready within {START:?}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The process id, for measurements.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("running").id()
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("our own child");
    }
}

/// The program under test, with nothing of the caller's environment but what it needs to run.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fedgate"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

fn keep(from: impl Read + Send + 'static, into: &Arc<Mutex<Vec<String>>>) {
    let into = Arc::clone(into);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            into.lock().expect("not poisoned").push(line);
        }
    });
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; then there is nothing left to end.
            let _ended = child.kill();
            let _reaped = child.wait();
        }
    }
}
