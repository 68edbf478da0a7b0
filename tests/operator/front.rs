//! A proxy of the operator's own in front of a product: with the recipe from `deploy/forward-auth`: where only names, addresses and
//! files are changed, or with lines of the test's own.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::support::authority::Leaf;
use super::support::clock::Deadline;
use super::support::peer::root;

/// Which proxy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Nginx,
    Caddy,
}

/// What stands around it.
pub struct Place<'a> {
    /// Host name and port of the product, as browsers write them.
    pub host: &'a str,
    pub port: u16,
    /// The gateway's plain listener.
    pub gateway: u16,
    pub product: SocketAddr,
    pub leaf: &'a Leaf,
}

/// A running proxy; dropping it ends the process.
pub struct Front {
    child: Child,
    _directory: tempfile::TempDir,
}

impl Front {
    /// Starts it and waits until it listens.
    ///
    /// # Panics
    /// Where it does not, with what it wrote.
    pub fn start(kind: Kind, place: &Place<'_>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let command = match kind {
            Kind::Nginx => nginx(directory.path(), &nginx_recipe(place)),
            Kind::Caddy => caddy(directory.path(), place),
        };
        Self::run(command, directory, place.port)
    }

    /// An nginx with these lines inside `http { }`, at this port; files that it writes go to a folder of its own.
    pub fn nginx(lines: &str, port: u16) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self::run(nginx(directory.path(), lines), directory, port)
    }

    fn run(mut command: Command, directory: tempfile::TempDir, port: u16) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child =
            command.spawn().unwrap_or_else(|why| panic!("{command:?}: {why}; ./tests/run --install installs it"));
        let mut front = Self { child, _directory: directory };
        let deadline = Deadline::after(Duration::from_secs(30));
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = front.child.try_wait().expect("our own child").is_some();
            if ended || deadline.passed() {
                panic!("{command:?} does not listen: {}", front.complaints());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        front
    }

    fn complaints(&mut self) -> String {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let mut text = String::new();
        let stderr = self.child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut text));
        stderr.transpose().expect("readable").map_or_else(String::new, |_| text)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A recipe of `deploy/` with these texts in place of its own.
pub fn recipe(file: &str, changes: &[(&str, String)]) -> String {
    let path = root().join("deploy").join(file);
    let mut text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    for (from, to) in changes {
        assert!(text.contains(from), "{file} has no {from}");
        text = text.replace(from, to);
    }
    text
}

fn nginx_recipe(place: &Place<'_>) -> String {
    let (host, port) = (place.host, place.port);
    recipe(
        "forward-auth/nginx.conf",
        &[
            ("listen 443 ssl", format!("listen 127.0.0.1:{port} ssl")),
            ("\"trello.example.com\"", format!("\"{host}:{port}\"")),
            ("server_name trello.example.com", format!("server_name {host}")),
            ("server 127.0.0.1:8080", format!("server 127.0.0.1:{}", place.gateway)),
            ("server 127.0.0.1:3000", format!("server {}", place.product)),
            ("/etc/ssl/trello.pem", place.leaf.cert.display().to_string()),
            ("/etc/ssl/trello.key", place.leaf.key.display().to_string()),
        ],
    )
}

fn nginx(folder: &Path, recipe: &str) -> Command {
    let temporary: String =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("{kind}_temp_path t;\n")).concat();
    let file = folder.join("nginx.conf");
    let text = format!(
        "daemon off; master_process off; pid pid; error_log stderr warn;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{recipe}}}\n"
    );
    std::fs::write(&file, text).expect("a writable directory");
    // Debian has it where only root looks.
    let program = if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" };
    let mut command = Command::new(program);
    command.arg("-e").arg("stderr").arg("-p").arg(folder).arg("-c").arg(file);
    command
}

fn caddy(folder: &Path, place: &Place<'_>) -> Command {
    let (host, port, leaf) = (place.host, place.port, place.leaf);
    let recipe = recipe(
        "forward-auth/Caddyfile",
        &[
            (
                "\ntrello.example.com {",
                format!(
                    "\nhttps://{host}:{port} {{\n\tbind 127.0.0.1\n\ttls {} {}",
                    leaf.cert.display(),
                    leaf.key.display()
                ),
            ),
            ("127.0.0.1:8080", format!("127.0.0.1:{}", place.gateway)),
            ("127.0.0.1:3000", place.product.to_string()),
        ],
    );
    let file = folder.join("Caddyfile");
    std::fs::write(&file, format!("{{\n\tadmin off\n\tauto_https off\n}}\n{recipe}")).expect("a writable directory");
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
    command.env("HOME", folder).env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
    command
}
