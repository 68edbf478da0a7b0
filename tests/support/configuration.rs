//! The configuration file that a test gives to the gateway.

use std::path::Path;

/// Ports of one gateway.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    pub https: u16,
    pub http: u16,
    pub ops: u16,
}

/// A file in the making. In every text `{port}` stands for the HTTPS port, `{http}` for the HTTP port, `{dir}` for the gateway's folder.
///
/// The defaults: login host `id.example.test:{port}`, TLS by the internal authority, `[outbound] allow` for the loopback.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    top: Vec<String>,
    listen: Vec<String>,
    outbound: Vec<String>,
    tables: Vec<String>,
    public: Option<u16>,
}

impl Configuration {
    pub fn new() -> Self {
        Self::default()
    }

    /// People reach the gateway at this port, where something else stands before it: what `{port}` stands for then.
    #[must_use]
    pub fn published_at(mut self, port: u16) -> Self {
        self.public = Some(port);
        self
    }

    /// A key above all tables.
    #[must_use]
    pub fn top(mut self, line: &str) -> Self {
        self.top.push(line.to_owned());
        self
    }

    /// A key of `[listen]`, besides `https`, `http`, `ops` and `tls`.
    #[must_use]
    pub fn listen(mut self, line: &str) -> Self {
        self.listen.push(line.to_owned());
        self
    }

    /// Roots for providers: `[outbound] ca_file`.
    #[must_use]
    pub fn trust(mut self, ca_file: &Path) -> Self {
        self.outbound.push(format!("ca_file = {:?}", ca_file.display().to_string()));
        self
    }

    /// No private range is open to providers but what the file itself names.
    #[must_use]
    pub fn with_nothing_private(mut self) -> Self {
        self.outbound.push("allow = []".to_owned());
        self
    }

    /// `[product.NAME]` at `NAME.example.test:{port}`; further keys as lines.
    #[must_use]
    pub fn product(self, name: &str, upstream: &str, keys: &str) -> Self {
        self.table(&format!(
            "[product.{name}]\nhost = \"{name}.example.test:{{port}}\"\nupstream = \"{upstream}\"\n{keys}"
        ))
    }

    /// `[org.NAME]` whose people log in at an OpenID Provider.
    #[must_use]
    pub fn organization(self, name: &str, domain: &str, issuer: &str, secret: &str) -> Self {
        let file = format!("{{dir}}/{name}.secret");
        let text = format!(
            "[org.{name}]\ndomains = [\"{domain}\"]\n\
             sso = {{ oidc = \"{issuer}\", client_id = \"fedgate\", client_secret_file = \"{file}\" }}"
        );
        self.secret(&file, secret).table(&text)
    }

    /// Any table, verbatim.
    #[must_use]
    pub fn table(mut self, text: &str) -> Self {
        self.tables.push(text.to_owned());
        self
    }

    /// A file to write beside the configuration, with mode 0600.
    #[must_use]
    pub fn secret(self, path: &str, content: &str) -> Self {
        self.table(&format!("{SECRET}{path}\n{content}"))
    }

    /// The file's text; secrets are written as they are met.
    pub fn render(&self, ports: Ports, directory: &Path) -> String {
        let public = self.public.unwrap_or(ports.https);
        let fill = |text: &str| {
            text.replace("{port}", &public.to_string())
                .replace("{http}", &ports.http.to_string())
                .replace("{dir}", &directory.display().to_string())
        };
        let mut lines = Vec::new();
        if !self.top.iter().any(|line| line.starts_with("login ")) {
            lines.push(format!("login = \"id.example.test:{public}\""));
        }
        lines.push(fill("state = \"{dir}/state\""));
        lines.extend(self.top.iter().map(|line| fill(line)));
        let said = |key: &str| self.listen.iter().any(|line| line.starts_with(key));
        lines.push("\n[listen]".to_owned());
        let usual = [
            ("https", format!("https = \"127.0.0.1:{}\"", ports.https)),
            ("http", "http = \"off\"".to_owned()),
            ("ops", format!("ops = \"127.0.0.1:{}\"", ports.ops)),
            ("tls", "tls = \"internal\"".to_owned()),
        ];
        lines.extend(usual.into_iter().filter(|(key, _)| !said(&format!("{key} "))).map(|(_, line)| line));
        lines.extend(self.listen.iter().map(|line| fill(line)));
        lines.push("\n[outbound]".to_owned());
        if !self.outbound.iter().any(|line| line.starts_with("allow ")) {
            lines.push("allow = [\"127.0.0.0/8\"]".to_owned());
        }
        lines.extend(self.outbound.iter().map(|line| fill(line)));
        for table in &self.tables {
            match table.strip_prefix(SECRET) {
                Some(secret) => write_secret(&fill(secret)),
                None => lines.push(format!("\n{}", fill(table))),
            }
        }
        lines.join("\n") + "\n"
    }
}

/// Marks a table that is not one but a file to write.
const SECRET: &str = "\u{0}secret ";

fn write_secret(text: &str) {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let (path, content) = text.split_once('\n').expect("a path and a content");
    let mut options = std::fs::OpenOptions::new();
    let mut file =
        options.create(true).truncate(true).write(true).mode(0o600).open(path).expect("a writable directory");
    file.write_all(content.as_bytes()).expect("a writable directory");
}
