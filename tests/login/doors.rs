//! What the scenes about local passwords share: a gateway inside this process, two products that keep passwords, a company, and
//! people who are made as the operator makes them.

use std::path::Path;
use std::time::Duration;

use fedgate::cli::node::{Extras, Node};
use fedgate::config::{Machine, read};
use fedgate::kernel::values::{EmailAddress, ProductName};
use fedgate::login::local::NewLocal;

use crate::support::adapter::{ADAPTER_KEY, Adapter};
use crate::support::agent::UserAgent;
use crate::support::configuration::{Configuration, Ports};
use crate::support::page::Page;
use crate::support::ports;
use crate::support::upstream::Upstream;

/// The password of everybody who has one.
pub const PASSWORD: &str = "wharf-cobalt-82-lantern";
/// Its bcrypt hash, as a product would bring it.
const HASH: &str = "$2b$05$abcdefghijklmnopqrstuuusFrNF7KJFsgMs/u3icgjXQPsxLjnlW";

pub struct Doors {
    pub node: Node,
    pub ports: Ports,
    folder: tempfile::TempDir,
    pub trello: Upstream,
    _loom: Upstream,
}

impl Doors {
    /// `trello` and `loom` keep passwords; people of `acme.example.test` log in through their company, whose provider is away.
    pub async fn open(keys: &str, tables: &str) -> Self {
        Self::open_with(keys, tables, Extras::default()).await
    }

    pub async fn open_with(keys: &str, tables: &str, extras: Extras) -> Self {
        Self::start((&format!("passwords = \"here\"\n{keys}"), tables), extras, None).await
    }

    /// The same with providers whose certificates are of this authority, and this secret in `{dir}/op.secret`; `keys` say who keeps passwords.
    pub async fn open_with_secret(authority: &Path, keys: &str, tables: &str, secret: &str) -> Self {
        Self::start((keys, tables), Extras::default(), Some((authority, secret))).await
    }

    /// A person with a password and an address that nobody ever proved.
    pub async fn unverified(&self, email: &str) -> fedgate::kernel::model::ProductAccount {
        self.make_as(email, Some(HASH), None, false).await
    }

    /// A person of `trello` whose password it keeps, with an address that nobody ever proved.
    pub async fn imported_unverified(&self, email: &str, sub: &str) -> fedgate::kernel::model::ProductAccount {
        self.make_as(email, None, Some(sub), false).await
    }

    /// The same, but `trello` keeps its passwords itself and this adapter knows them; `more` are further keys of `adapter`.
    pub async fn open_at_product(adapter: &Adapter, more: &str, tables: &str) -> Self {
        Self::open_at_product_with(adapter, more, "", tables).await
    }

    /// The same with further keys of `trello`.
    pub async fn open_at_product_with(adapter: &Adapter, more: &str, further: &str, tables: &str) -> Self {
        let key_file = "key_file = \"{dir}/adapter.key\"";
        let keys = format!(
            "passwords = \"product\"\nadapter = {{ url = \"{}\", {key_file}{more} }}\n{further}",
            adapter.url()
        );
        Self::start((&keys, tables), Extras::default(), None).await
    }

    /// The same with other parts.
    pub async fn open_at_product_in(adapter: &Adapter, more: &str, extras: Extras) -> Self {
        let url = adapter.url();
        let keys = format!(
            "passwords = \"product\"\nadapter = {{ url = \"{url}\", key_file = \"{{dir}}/adapter.key\"{more} }}"
        );
        Self::start((&keys, ""), extras, None).await
    }

    async fn start((keys, tables): (&str, &str), extras: Extras, trust: Option<(&Path, &str)>) -> Self {
        let (trello, loom) = (Upstream::start(), Upstream::start());
        let ports = Ports { https: ports::free(), http: ports::free(), ops: ports::free() };
        let folder = tempfile::tempdir().expect("a temporary directory");
        let doors = "doors = { login = [\"/in\"], reset = [\"/forgot\"], signup = [\"/join\"] }";
        // Only what measures says that it comes from elsewhere.
        let text = match trust {
            Some((authority, secret)) => Configuration::new().trust(authority).secret("{dir}/op.secret", secret),
            None => Configuration::new(),
        };
        let text = text
            .listen("trusted_proxies = [\"127.0.0.1\"]")
            .product("trello", &trello.url(), &format!("{doors}\n{keys}"))
            .product("loom", &loom.url(), &format!("{doors}\npasswords = \"here\""))
            .secret("{dir}/adapter.key", ADAPTER_KEY)
            .organization("acme", "acme.example.test", "https://127.0.0.1:9", "a secret")
            .table("[org.acme.policy]\nsso = \"enforced\"")
            .table(tables)
            .render(ports, folder.path());
        let (config, report) = read(&text, &folder.path().join("fedgate.toml"), &Machine);
        let config = config.unwrap_or_else(|| panic!("{}", report.plain()));
        let node = Node::start(config, extras).await.expect("it starts");
        Self { node, ports, folder, trello, _loom: loom }
    }

    pub async fn close(self) {
        self.node.drain(Duration::from_secs(1)).await;
    }

    /// A person with a password at `trello`.
    pub async fn person(&self, email: &str) -> fedgate::kernel::model::ProductAccount {
        self.make(email, Some(HASH)).await
    }

    pub async fn make(&self, email: &str, hash: Option<&str>) -> fedgate::kernel::model::ProductAccount {
        self.make_as(email, hash, None, true).await
    }

    /// A person of `trello` whose password it keeps, with its own user id.
    pub async fn imported(&self, email: &str, sub: &str) -> fedgate::kernel::model::ProductAccount {
        self.make_as(email, None, Some(sub), true).await
    }

    /// A person with a password at `loom`, in an account of its own.
    pub async fn elsewhere(&self, email: &str) -> fedgate::kernel::model::ProductAccount {
        self.make_at("loom", (email, Some(HASH), None, true)).await
    }

    async fn make_as(
        &self,
        email: &str,
        hash: Option<&str>,
        sub: Option<&str>,
        verified: bool,
    ) -> fedgate::kernel::model::ProductAccount {
        self.make_at("trello", (email, hash, sub, verified)).await
    }

    async fn make_at(
        &self,
        product: &str,
        (email, hash, sub, verified): (&str, Option<&str>, Option<&str>, bool),
    ) -> fedgate::kernel::model::ProductAccount {
        let new = NewLocal {
            product: ProductName::parse(product).unwrap(),
            email: EmailAddress::parse(email).unwrap(),
            verified,
            name: None,
            hash: hash.map(ToOwned::to_owned),
            sub: sub.map(ToOwned::to_owned),
            actor: None,
        };
        self.node.login.create_local(new).await.expect("an account")
    }

    pub fn url(&self, host: &str, path: &str) -> String {
        format!("https://{host}.example.test:{}{path}", self.ports.https)
    }

    /// The authority that a browser must trust.
    pub fn ca_file(&self) -> std::path::PathBuf {
        self.folder.path().join("state/ca.pem")
    }

    pub fn agent(&self) -> UserAgent {
        UserAgent::new(&[&self.ca_file()])
    }

    /// Opens a page of `trello` as a stranger and types the address at its door.
    pub async fn identify(&self, agent: &UserAgent, email: &str) -> Page {
        let page = agent.visit(&self.url("trello", "/page")).await;
        assert!(page.url.as_str().starts_with(&self.url("trello", "/.fedgate/sign-in")), "{}", page.describe());
        agent.submit(&page, "email", &[("email", email)]).await
    }

    /// The same, and the password.
    pub async fn log_in(&self, agent: &UserAgent, email: &str, password: &str) -> Page {
        let page = self.identify(agent, email).await;
        agent.submit(&page, "password", &[("password", password)]).await
    }

    /// Whether the browser is logged in at a product, without anything typed.
    pub async fn is_inside(&self, agent: &UserAgent, host: &str) -> bool {
        agent.visit(&self.url(host, "/page")).await.url.as_str() == self.url(host, "/page")
    }

    /// The database, as another node would open it.
    pub fn database(&self) -> rusqlite::Connection {
        let db = rusqlite::Connection::open(self.folder.path().join("state/fedgate.db")).expect("the database");
        db.busy_timeout(Duration::from_secs(5)).expect("a timeout");
        db
    }

    /// Nothing under the state folder holds this text: no database, no log, no letter.
    pub fn holds_nowhere(&self, text: &str) {
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("readable").flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                } else if let Ok(bytes) = std::fs::read(entry.path()) {
                    let held = bytes.windows(text.len()).any(|window| window == text.as_bytes());
                    assert!(!held, "{}", entry.path().display());
                }
            }
        }
    }

    /// The newest letter to an address, once it is written.
    pub async fn letter(&self, to: &str, count: usize) -> String {
        let folder = self.folder.path().join("state/outbox");
        for _ in 0..200 {
            let mut found: Vec<(std::time::SystemTime, String)> = std::fs::read_dir(&folder)
                .into_iter()
                .flatten()
                .filter_map(|entry| {
                    let entry = entry.ok()?;
                    let text = std::fs::read_to_string(entry.path()).ok()?;
                    let whole = entry.path().extension().is_some_and(|end| end == "eml");
                    (whole && text.contains(to)).then_some((entry.metadata().ok()?.modified().ok()?, text))
                })
                .collect();
            found.sort();
            if found.len() >= count {
                return found.pop().expect("one").1.replace("=\r\n", "").replace("=\n", "").replace("=3D", "=");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no letter number {count} to {to}");
    }

    /// How many letters to an address have been written.
    pub fn letters(&self, to: &str) -> usize {
        let files = std::fs::read_dir(self.folder.path().join("state/outbox"));
        let texts = files.into_iter().flatten().filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok());
        texts.filter(|text| text.contains(to)).count()
    }
}

/// The eight digits of a letter.
pub fn digits(letter: &str) -> String {
    let body = letter.split_once("\r\n\r\n").or(letter.split_once("\n\n")).expect("a body").1;
    let mut words = body.split(|c: char| !c.is_ascii_digit()).filter(|word| word.len() == 8);
    words.next_back().unwrap_or_else(|| panic!("no digits in {letter}")).to_owned()
}

/// The token of a letter's link.
pub fn token(letter: &str) -> String {
    let rest = letter.split("/login/reset?token=").nth(1).unwrap_or_else(|| panic!("no link in {letter}"));
    rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect()
}
