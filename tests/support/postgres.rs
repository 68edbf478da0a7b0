//! A PostgreSQL server of the tests' own: made in a temporary folder, reached over a socket in it and over a loopback port, gone
//! with the process that started it, however that ends.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Makes the server as somebody else than root, whom it refuses, starts it, says where, and ends it when nobody holds the other end
/// of its input any more. A line of input is a word for `pg_ctl`: `stop`, `start`, `kill`; it is answered by a line.
const KEEPER: &str = r#"
set -e
bin=$1 port=$2
folder=$(mktemp -d)
# A test that failed may have left it frozen.
thaw() {
    local postmaster
    postmaster=$(head -n 1 "$folder/data/postmaster.pid" 2>/dev/null) || return 0
    kill -CONT "$postmaster" $(ps -o pid= --ppid "$postmaster") 2>/dev/null || true
}
trap 'thaw; "$bin/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null 2>&1 || true; rm -rf "$folder"' EXIT
"$bin/initdb" -D "$folder/data" -U fedgate -A trust -N --locale=C.UTF-8 -E UTF8 >"$folder/initdb.log"
printf '%s\n' "listen_addresses = '127.0.0.1'" "port = $port" "unix_socket_directories = '$folder'" "max_connections = 400" \
    "shared_buffers = 64MB" "logging_collector = off" >>"$folder/data/postgresql.conf"
if [ -n "$CERTIFICATE" ]; then
    printf %s "$CERTIFICATE" >"$folder/data/server.crt"
    (umask 077; printf %s "$KEY" >"$folder/data/server.key")
    echo "ssl = on" >>"$folder/data/postgresql.conf"
fi
start() { "$bin/pg_ctl" -D "$folder/data" -l "$folder/log" -w -t 60 start >/dev/null; }
start
echo "$folder"
while read -r word; do
    case $word in
        stop) "$bin/pg_ctl" -D "$folder/data" -m fast -w stop >/dev/null ;;
        kill) "$bin/pg_ctl" -D "$folder/data" -m immediate -w stop >/dev/null ;;
        start) start ;;
    esac
    head -n 1 "$folder/data/postmaster.pid" 2>/dev/null || echo 0
done
"#;

/// A server.
pub struct Server {
    keeper: Child,
    lines: BufReader<std::process::ChildStdout>,
    folder: PathBuf,
    port: u16,
}

impl Server {
    /// Makes one and starts it.
    pub fn start() -> Self {
        Self::encrypted("", "")
    }

    /// With a certificate and its key, in PEM.
    pub fn encrypted(certificate: &str, key: &str) -> Self {
        let bin = binaries();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
        let mut command = if is_root { Command::new("runuser") } else { Command::new("bash") };
        if is_root {
            command.args(["-u", "postgres", "--", "bash"]);
        }
        command.args(["-c", KEEPER, "keeper"]).arg(bin).arg(port.to_string()).current_dir("/").env_remove("TMPDIR");
        command.env("CERTIFICATE", certificate).env("KEY", key);
        let mut keeper = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("runuser or bash");
        let mut lines = BufReader::new(keeper.stdout.take().unwrap());
        let mut folder = String::new();
        lines.read_line(&mut folder).unwrap();
        assert!(!folder.is_empty(), "PostgreSQL did not start");
        Self { keeper, lines, folder: PathBuf::from(folder.trim_end()), port }
    }

    /// The one that all tests of a binary share, which none of them may stop.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// The loopback port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A new, empty database, reached over the socket.
    pub fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("d{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("CREATE DATABASE {name}"));
        format!("postgres:///{name}?host={}&port={}&user=fedgate", self.folder.display(), self.port)
    }

    /// Runs statements, in the words of `psql`, and returns what they print.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let done = self.client(database).args(["-c", sql]).output().unwrap();
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim_end().to_owned()
    }

    /// `psql` with a connection of its own, for whoever holds a transaction open.
    pub fn client(&self, database: &str) -> Command {
        let mut command = Command::new(binaries().join("psql"));
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "fedgate", "-d", database]);
        command.args(["-p", &self.port.to_string(), "-h"]).arg(&self.folder);
        command
    }

    /// `stop`, `start` or `kill`; its process, or 0.
    pub fn tell(&mut self, word: &str) -> u32 {
        use std::io::Write as _;
        writeln!(self.keeper.stdin.as_mut().unwrap(), "{word}").unwrap();
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().parse().expect("the keeper of the server died")
    }

    /// Stops all of the server's processes in their tracks, or lets them go on.
    pub fn freeze(&mut self, is_frozen: bool) {
        let postmaster = self.tell("where");
        let signal = if is_frozen { "-STOP" } else { "-CONT" };
        let children = Command::new("ps").args(["-o", "pid=", "--ppid", &postmaster.to_string()]).output().unwrap();
        let children = String::from_utf8(children.stdout).unwrap();
        let all = children.split_whitespace().map(str::to_owned).chain([postmaster.to_string()]);
        let done = Command::new("kill").arg(signal).args(all).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        if let Err(fault) = self.keeper.wait() {
            eprintln!("the server's keeper is not waited for: {fault}");
        }
    }
}

/// Name of the database in an address of [`Server::database`].
pub fn name_of(url: &str) -> &str {
    url.trim_start_matches("postgres:///").split('?').next().unwrap()
}

/// The newest of Debian's, which are in no search path.
fn binaries() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib/postgresql").expect("the package postgresql is not installed");
    let version = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().parse::<u32>().unwrap_or(0);
    let newest = folders.map(|entry| entry.unwrap().path()).max_by_key(version);
    newest.expect("the package postgresql is not installed").join("bin")
}
