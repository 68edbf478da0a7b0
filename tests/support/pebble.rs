//! Debian's `pebble`: an ACME authority on loopback, with a name server of its own that puts every name on this machine. It checks
//! challenges for real, and refuses one nonce in twenty.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long both programs may take to serve.
const START: Duration = Duration::from_secs(20);

/// What an authority is started with.
pub struct Setup<'a> {
    /// The PEM files of its own TLS, for `localhost`: chain and key.
    pub tls: (&'a Path, &'a Path),
    /// Free ports: its API, its management, its name server.
    pub ports: [u16; 3],
    /// Where it looks for answers: HTTP-01 and TLS-ALPN-01.
    pub http: u16,
    pub https: u16,
    /// Key ids and keys of the customers that it knows; empty: it serves everybody.
    pub customers: &'a [(&'a str, &'a str)],
}

/// A running authority. Dropping it ends both processes.
pub struct Pebble {
    folder: tempfile::TempDir,
    ports: [u16; 3],
    processes: Vec<Child>,
    log: Arc<Mutex<String>>,
}

impl Pebble {
    /// Starts both programs and waits until they serve.
    ///
    /// # Panics
    /// Where they are not installed or do not start.
    pub fn start(setup: &Setup<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let file = folder.path().join("pebble.json");
        std::fs::write(&file, configuration(setup).to_string()).expect("a writable directory");
        let [_, _, names] = setup.ports;
        let mut pebble = Self { folder, ports: setup.ports, processes: Vec::new(), log: Arc::default() };
        let mut server = Command::new("pebble-challtestsrv");
        server.args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", ""]);
        // Without an address of its own the management would listen on port 80 of every interface.
        let management = format!("127.0.0.1:{}", super::ports::free());
        server.args(["-management", &management, "-dns01", &format!("127.0.0.1:{names}")]);
        pebble.launch(server);
        let mut authority = Command::new("pebble");
        authority.arg("-strict").arg("-config").arg(&file).args(["-dnsserver", &format!("127.0.0.1:{names}")]);
        authority.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_VA_ALWAYS_VALID", "0").env("PEBBLE_WFE_NONCEREJECT", "5");
        pebble.launch(authority);
        let [api, management, _] = setup.ports;
        pebble.wait_for(api);
        pebble.wait_for(management);
        pebble
    }

    fn launch(&mut self, mut command: Command) {
        let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = started.expect("pebble is installed: run ./tests/run (or ./tests/run --install)");
        collect(child.stdout.take().expect("piped"), &self.log);
        collect(child.stderr.take().expect("piped"), &self.log);
        self.processes.push(child);
    }

    fn wait_for(&self, port: u16) {
        let tries = START.as_millis() / 20;
        for _ in 0..tries {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("nobody listens on {port}:\n{}", self.log());
    }

    /// Its directory.
    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.ports[0])
    }

    /// How many orders it was given.
    pub fn orders(&self) -> usize {
        // What was added, not what was posted: a rejected nonce has the same order posted again.
        self.log().matches("Added order ").count()
    }

    /// Everything that both programs have said.
    pub fn log(&self) -> String {
        self.log.lock().expect("not poisoned").clone()
    }

    /// The root that its certificates end in, PEM, in a file. `ca_file` is the authority of its own TLS.
    pub fn root(&self, ca_file: &Path) -> PathBuf {
        let file = self.folder.path().join("root.pem");
        let url = format!("https://localhost:{}/roots/0", self.ports[1]);
        let got = Command::new("curl").args(["-sSf", "--cacert"]).arg(ca_file).arg("-o").arg(&file).arg(url).output();
        let got = got.expect("curl is installed");
        assert!(got.status.success(), "{}", String::from_utf8_lossy(&got.stderr));
        file
    }
}

fn configuration(setup: &Setup<'_>) -> serde_json::Value {
    let [api, management, _] = setup.ports;
    let customers: serde_json::Map<String, serde_json::Value> =
        setup.customers.iter().map(|(kid, key)| ((*kid).to_owned(), (*key).into())).collect();
    serde_json::json!({ "pebble": {
        "listenAddress": format!("127.0.0.1:{api}"),
        "managementListenAddress": format!("127.0.0.1:{management}"),
        "certificate": setup.tls.0,
        "privateKey": setup.tls.1,
        "httpPort": setup.http,
        "tlsPort": setup.https,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": !customers.is_empty(),
        "externalAccountMACKeys": customers,
    } })
}

fn collect(from: impl Read + Send + 'static, into: &Arc<Mutex<String>>) {
    let into = Arc::clone(into);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let mut text = into.lock().expect("not poisoned");
            text.push_str(&line);
            text.push('\n');
        }
    });
}

impl Drop for Pebble {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // It may have ended by itself; then there is nothing left to end.
            let _ended = process.kill();
            let _reaped = process.wait();
        }
        // What it said is shown with the output of a test that failed.
        if std::thread::panicking() {
            let _written = std::io::stderr().write_all(self.log().as_bytes());
        }
    }
}
