//! Real name servers on loopback: `nsd` with the zone `example.test`, and `dnsmasq`, a resolver that asks it.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::ports;

/// How long a server may take to serve.
const START: Duration = Duration::from_secs(20);

/// Both servers. Dropping it ends them.
pub struct Names {
    folder: tempfile::TempDir,
    own: u16,
    resolver: u16,
    serial: u32,
    processes: Vec<Child>,
}

impl Names {
    /// A zone with these records, each a line of a zone file, beside its own `SOA` and `NS`.
    ///
    /// # Panics
    /// Where the programs are not installed or do not start.
    pub fn start(records: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let mut names = Self { folder, own: ports::free(), resolver: ports::free(), serial: 0, processes: Vec::new() };
        names.write_zone(records);
        let configuration = names.configuration();
        std::fs::write(names.file("nsd.conf"), configuration).expect("a writable directory");
        let mut nsd = Command::new(program("nsd"));
        nsd.arg("-d").arg("-c").arg(names.file("nsd.conf"));
        names.launch(nsd);
        let mut dnsmasq = Command::new(program("dnsmasq"));
        dnsmasq.args([
            "-k",
            "--no-resolv",
            "--no-hosts",
            "--conf-file=/dev/null",
            "--bind-interfaces",
            "--cache-size=0",
        ]);
        dnsmasq.args(["--listen-address=127.0.0.1", "--pid-file=", "--no-daemon", "--user="]);
        dnsmasq.arg(format!("--port={}", names.resolver)).arg(format!("--server=127.0.0.1#{}", names.own));
        names.launch(dnsmasq);
        names.wait_for(names.own);
        names.wait_for(names.resolver);
        names
    }

    /// The zone's own server.
    pub fn own(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.own))
    }

    /// The resolver.
    pub fn resolver(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.resolver))
    }

    /// Puts other records in the place of those before.
    pub fn set(&mut self, records: &[&str]) {
        self.write_zone(records);
        let done = Command::new(program("nsd-control")).arg("-c").arg(self.file("nsd.conf")).arg("reload").output();
        let done = done.expect("nsd-control runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        // The old process answers until the new one has read the zone.
        for _ in 0..500 {
            if self.serves(self.serial) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("nsd did not take the new zone");
    }

    /// Asks the zone's own server for the record that says which zone it is (RFC 1035 §4.1).
    fn serves(&self, serial: u32) -> bool {
        let mut question = vec![0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in ["serial", "example", "test"] {
            question.push(u8::try_from(label.len()).expect("short"));
            question.extend(label.bytes());
        }
        question.extend([0, 0, 16, 0, 1]);
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port of the loopback");
        socket.set_read_timeout(Some(Duration::from_millis(500))).expect("a socket");
        let mut answer = [0; 512];
        let asked = socket.send_to(&question, self.own()).and_then(|_| socket.recv(&mut answer));
        let expected = format!("zone-{serial}.");
        asked.is_ok_and(|read| answer[..read].windows(expected.len()).any(|bytes| bytes == expected.as_bytes()))
    }

    /// Ends the zone's own server: the resolver has nobody to ask.
    pub fn stop_own(&mut self) {
        end(&mut self.processes.remove(0));
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write_zone(&mut self, records: &[&str]) {
        self.serial += 1;
        let mut text = format!(
            "$ORIGIN example.test.\n@ 0 IN SOA ns hostmaster {0} 60 60 600 0\n@ 0 IN NS ns\nns 0 IN A 127.0.0.1\n\
             serial 0 IN TXT \"zone-{0}.\"\n",
            self.serial
        );
        for record in records {
            text.push_str(record);
            text.push('\n');
        }
        let mut file = std::fs::File::create(self.file("example.test.zone")).expect("a writable directory");
        file.write_all(text.as_bytes()).expect("a writable directory");
    }

    fn configuration(&self) -> String {
        let folder = self.folder.path().display();
        format!(
            "server:\n ip-address: 127.0.0.1@{}\n username: \"\"\n chroot: \"\"\n zonesdir: \"{folder}\"\n database: \"\"\n \
             pidfile: \"\"\n xfrdfile: \"{folder}/xfrd.state\"\n zonelistfile: \"{folder}/zone.list\"\n server-count: 1\n \
             logfile: \"{folder}/nsd.log\"\n\
             remote-control:\n control-enable: yes\n control-interface: {folder}/control\n\
             zone:\n name: example.test\n zonefile: example.test.zone\n",
            self.own
        )
    }

    fn launch(&mut self, mut command: Command) {
        let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.processes
            .push(started.expect("nsd and dnsmasq are installed: run ./tests/run (or ./tests/run --install)"));
    }

    fn wait_for(&self, port: u16) {
        for _ in 0..START.as_millis() / 20 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("nobody listens on {port}: {}", std::fs::read_to_string(self.file("nsd.log")).unwrap_or_default());
    }
}

/// Debian has them where only root looks.
fn program(name: &str) -> PathBuf {
    let hidden = Path::new("/usr/sbin").join(name);
    if hidden.exists() { hidden } else { PathBuf::from(name) }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.processes.iter_mut().for_each(end);
    }
}

/// SIGTERM, so that nsd ends its own children.
fn end(process: &mut Child) {
    let pid = rustix::process::Pid::from_child(process);
    let _ended = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    let _reaped = process.wait();
}
