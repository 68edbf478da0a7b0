//! PgBouncer before the tests' server, handing out connections by transaction: Debian's package `pgbouncer`.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use super::server::{Server, name_of};

/// Runs it as somebody else than root, whom it refuses, until nobody holds the other end of its input any more.
const KEEPER: &str = r#"
set -e
folder=$(mktemp -d)
trap 'kill "$pid" 2>/dev/null || true; rm -rf "$folder"' EXIT
printf '%s\n' "[databases]" "* = host=127.0.0.1 port=$1 user=fedgate" "[pgbouncer]" "listen_addr = 127.0.0.1" "listen_port = $2" \
    "unix_socket_dir =" "auth_type = any" "pool_mode = transaction" "default_pool_size = 4" "max_client_conn = 2000" >"$folder/ini"
/usr/sbin/pgbouncer -q "$folder/ini" >"$folder/log" 2>&1 &
pid=$!
echo started
read -r _ || true
"#;

/// The pooler, and where it listens.
pub struct Pooler {
    _keeper: Child,
    port: u16,
}

impl Pooler {
    /// The one before the server that all tests of a binary share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Pooler> = OnceLock::new();
        SHARED.get_or_init(|| Self::before(Server::shared()))
    }

    fn before(server: &Server) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
        let mut command = if is_root { Command::new("runuser") } else { Command::new("bash") };
        if is_root {
            command.args(["-u", "postgres", "--", "bash"]);
        }
        command.args(["-c", KEEPER, "keeper"]).arg(server.port().to_string()).arg(port.to_string());
        command.current_dir("/").env_remove("TMPDIR").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = command.spawn().expect("runuser or bash");
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let answers = (0..200).any(|_| {
            std::thread::sleep(Duration::from_millis(25));
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        assert!(answers, "PgBouncer did not start: is the package pgbouncer installed?");
        Self { _keeper: keeper, port }
    }

    /// The same database, through it.
    pub fn address(&self, url: &str) -> String {
        format!("postgres://fedgate@127.0.0.1:{}/{}?sslmode=disable", self.port, name_of(url))
    }
}
