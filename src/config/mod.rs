//! The configuration: one TOML file → [`Config`], or everything that is wrong with it.
//!
//! `file` is what may be written, `shape` compares a file with it, `resolve` says what it means, `finding` and `report` are the
//! mistakes, `runtime` reads an organization's document by the same rules. What comes out is `orgs::draft`, the configured
//! world without the store's part. No key is known that does not stand in `file`. Deliberately absent: layers, includes, environment overrides and secrets in the
//! file; ids and times, which the store gives.

pub mod file;
pub mod finding;
pub mod report;
mod resolve;
mod runtime;
mod shape;

pub use finding::{Code, Finding, Findings, Severity};
pub use report::{Place, Report};
pub use resolve::duration;
pub use runtime::Documents;
pub use shape::schema;

pub use crate::orgs::draft::{
    self, DraftCatalog, DraftDirectory, DraftOrg, DraftPolicy, fingerprint, policy_fingerprint,
};
pub use crate::orgs::loosen::{Loosening, confirmation};

use crate::acme::AcmeOptions;
use crate::gateway::options::{Network, Options};
use crate::idp::saml::opinion::SecondOpinion;
use crate::kernel::values::{Origin, Secret};
use crate::language::LanguageOptions;
use crate::mail::MailOptions;
use crate::outbound::{Identity, LastWord};
use serde::Deserialize as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// A configuration is at most this long; a longer file is something else.
pub const LONGEST: usize = 4 * 1024 * 1024;

/// What the file says, all names resolved, all secrets read.
#[derive(Clone, Debug)]
pub struct Config {
    /// The login host.
    pub login: Origin,
    /// The state folder.
    pub state: PathBuf,
    /// What seals keys in the store.
    pub key: KeySources,
    /// The store's address: `sqlite:` and an absolute path, or `postgres://` and maybe a password.
    pub store: Secret,
    /// How logs are written. Access lines are in `gateway.listen`.
    pub log: LogFormat,
    /// Products, organizations and directories, without the store's part.
    pub catalog: DraftCatalog,
    /// What the data path is told; its `version` is 0 until it is set to the catalog's.
    pub gateway: Options,
    /// Whom certificates are ordered from; exactly where `gateway.listen.tls` is [`Tls::Acme`](crate::gateway::options::Tls).
    pub acme: Option<AcmeOptions>,
    /// What people read.
    pub languages: LanguageOptions,
    /// How mail goes out.
    pub mail: MailOptions,
    /// Who is asked about domains.
    pub dns: Dns,
    /// Which logins by SAML a second verifier must read the same.
    pub second_opinion: SecondOpinion,
    /// A list of breached passwords that nobody may choose.
    pub breached: Option<PathBuf>,
    /// Another configuration file, whose decisions are recorded and not followed.
    pub shadow: Option<PathBuf>,
    /// Requests that the gateway makes.
    pub outbound: Outbound,
    /// Where audit events go besides the store.
    pub sinks: Vec<AuditSink>,
}

/// Where the key comes from that seals keys in the store, and the one that is to follow it (rule M23).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeySources {
    /// The key.
    pub now: KeySource,
    /// Its successor, while everything is sealed anew.
    pub next: Option<KeySource>,
}

/// Where a key-encryption key comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KeySource {
    /// A file; made at the first start when it is the default one.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
}

/// How logs are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    ByTerminal,
    /// Text.
    Text,
    /// JSON.
    Json,
}

/// Requests that the gateway makes to providers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outbound {
    /// PEM file with more roots.
    pub ca_file: Option<PathBuf>,
    /// Private ranges that may be reached (rule M16).
    pub allow: Vec<Network>,
}

/// Who is asked about organizations' domains.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dns {
    /// Resolvers; none: the system's.
    pub servers: Vec<SocketAddr>,
    /// The name of the TXT record and of the file.
    pub record: String,
}

/// Where audit events go besides the store.
#[derive(Clone, Debug)]
pub struct AuditSink {
    /// Where.
    pub place: SinkPlace,
    /// How people stand in it.
    pub people: PeopleIn,
    /// In the words of OCSF, not our own.
    pub is_ocsf: bool,
}

/// What takes audit events.
#[derive(Clone, Debug)]
pub enum SinkPlace {
    /// One JSON line per event is appended here.
    File(PathBuf),
    /// A program is sent them.
    Receiver {
        /// Its address.
        url: String,
        /// What it knows the gateway by; only `otlp:` and `syslog+tls:` go without.
        token: Option<Secret>,
        /// PEM file with roots for it.
        ca_file: Option<PathBuf>,
        /// The certificate that it is shown.
        identity: Option<Identity>,
        /// What says at `syslog+tls:` that it has everything.
        end: LastWord,
    },
}

/// How people stand in a sink.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PeopleIn {
    /// By address.
    Clear,
    /// By pseudonym.
    Pseudonym,
}

/// What a configuration may read besides itself: files and environment variables that it names.
pub trait Surroundings {
    /// The file's bytes, or why not.
    ///
    /// # Errors
    /// The operating system's words.
    fn file(&self, path: &Path) -> Result<Vec<u8>, String>;

    /// The names of what lies in a folder, or why not.
    ///
    /// # Errors
    /// The operating system's words.
    fn folder(&self, path: &Path) -> Result<Vec<String>, String>;

    /// The variable's value; `None` when it is not set or not text.
    fn variable(&self, name: &str) -> Option<String>;
}

/// This machine.
#[derive(Clone, Copy, Debug)]
pub struct Machine;

impl Surroundings for Machine {
    fn file(&self, path: &Path) -> Result<Vec<u8>, String> {
        use std::io::Read as _;
        let limit = u64::try_from(LONGEST).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
        match read {
            Ok(length) if length <= LONGEST => Ok(bytes),
            Ok(_) => Err("it is too long".into()),
            Err(why) => Err(why.to_string()),
        }
    }

    fn folder(&self, path: &Path) -> Result<Vec<String>, String> {
        let names = std::fs::read_dir(path).and_then(|found| {
            found
                .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                .collect::<std::io::Result<Vec<_>>>()
        });
        names.map_err(|why| why.to_string())
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// Reads a configuration. `name` is the file's path as the operator wrote it: it stands in the report, and paths in the file are
/// relative to its folder. The configuration is there exactly when the report has no errors.
pub fn read(text: &str, name: &Path, surroundings: &dyn Surroundings) -> (Option<Config>, Report) {
    examine(text, name, Some(surroundings))
}

/// Everything that is wrong with a file as a text: reads no secrets and no certificates.
pub fn check_syntax(text: &str, name: &Path) -> Report {
    examine(text, name, None).1
}

fn examine(text: &str, name: &Path, surroundings: Option<&dyn Surroundings>) -> (Option<Config>, Report) {
    let mut say = Findings::default();
    let folder = name.parent().unwrap_or(Path::new(""));
    let config = match parse(text, &mut say) {
        Some(file) => {
            let (config, found) = resolve::resolve(&file, folder, surroundings, say);
            say = found;
            config
        }
        None => None,
    };
    (config, Report::new(name.display().to_string(), text, say))
}

/// The file as written, without what does not fit its shape. `None` when it is not TOML at all.
fn parse(text: &str, say: &mut Findings) -> Option<file::File> {
    let (mut table, wrongs) = DeTable::parse_recoverable(text);
    for wrong in &wrongs {
        let span = wrong.span().unwrap_or(0..0);
        say.error(Code::Syntax, span, format!("this is not TOML: {}", wrong.message()), syntax_remedy(wrong.message()));
    }
    if !wrongs.is_empty() {
        mask_secrets(text, say);
        return None;
    }
    shape::check(table.get_mut(), say);
    match file::File::deserialize(toml::Deserializer::from(table)) {
        Ok(file) => Some(file),
        Err(wrong) => {
            let span = wrong.span().unwrap_or(0..0);
            mask_secrets(text, say);
            say.error(Code::Type, span, wrong.message().to_owned(), "compare with `fedgate schema`");
            None
        }
    }
}

fn syntax_remedy(message: &str) -> &'static str {
    if message.contains("duplicate") {
        "write each key and each [table] once"
    } else if ["string", "quote", "`inf`", "`nan`"].iter().any(|word| message.contains(word)) {
        "write texts in quotes: key = \"text\""
    } else {
        "write key = value, one on a line, with texts in quotes"
    }
}

/// In a file that cannot be read any line may hold a secret: where its name says so, what stands after the `=` is not shown.
fn mask_secrets(text: &str, say: &mut Findings) {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.trim_end().len();
        let named = ["secret", "passw", "token", "kek"].iter().any(|word| line.contains(word));
        let in_url = line.contains("://") && line.contains('@');
        if let (true, Some(equals)) = (named || in_url, line.find('=')) {
            say.mask(start + equals + 1..end);
        }
        start += line.len();
    }
}

/// Everything that a new file gives away, sorted.
pub fn loosened(old: &Config, new: &Config) -> Vec<Loosening> {
    crate::orgs::loosen::loosened(&old.catalog, &new.catalog)
}

/// Where the file is: the one that was named, else `./fedgate.toml`, else `/etc/fedgate/fedgate.toml`.
pub fn find(named: Option<&Path>, exists: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    match named {
        Some(named) => Some(named.to_owned()),
        None => ["fedgate.toml", "/etc/fedgate/fedgate.toml"].map(PathBuf::from).into_iter().find(|path| exists(path)),
    }
}
