//! What the data path is told. Made by the configuration, replaced as a whole by a reload; the listening addresses stay.

mod reach;

pub use reach::{Health, Reach, Sizes, Timeouts};

pub use super::upstream::{TlsParts, UpstreamTls, UpstreamTlsFault};

use super::bounds::{Crowd, InFlight, Patience};
use crate::kernel::model::Product;
pub use crate::kernel::values::Network;
use crate::kernel::values::{OrgName, Origin, ProductName};
use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// Everything.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen.
    pub listen: Listen,
    /// The login host.
    pub login: Origin,
    /// Products and where they are.
    pub sites: HashMap<ProductName, Arc<Site>>,
    /// What the sites refer to: the catalog's version that these options belong to.
    pub version: u64,
}

impl Options {
    /// Every public host name, once, in a fixed order.
    pub fn host_names(&self) -> Vec<String> {
        let sites =
            self.sites.values().flat_map(|site| std::iter::once(&site.host).chain(&site.also).chain(&site.redirects));
        let mut names: Vec<String> =
            std::iter::once(&self.login).chain(sites).map(|origin| origin.host().to_owned()).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// Listening addresses and TLS. A changed address, state folder or kind of certificates needs a restart, which `reload` says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listen {
    /// TLS; `None` is `off`.
    pub https: Option<SocketAddr>,
    /// Redirects to https; `None` is `off`.
    pub http: Option<SocketAddr>,
    /// Plain HTTP behind someone else's TLS; needs `trusted_proxies`.
    pub plain: Option<SocketAddr>,
    /// Metrics and health.
    pub ops: Option<SocketAddr>,
    /// Certificates.
    pub tls: Tls,
    /// From these alone `X-Forwarded-*` and `Forwarded` are believed.
    pub trusted_proxies: Vec<Network>,
    /// Whether each connection begins with a PROXY protocol header of a trusted proxy.
    pub proxy_protocol: bool,
    /// How many connections there may be.
    pub crowd: Crowd,
    /// How long clients are waited for.
    pub patience: Patience,
    /// Where the internal CA lives.
    pub state: PathBuf,
    /// An access line per request.
    pub access_log: bool,
}

/// Certificates.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Tls {
    /// No TLS listener.
    Off,
    /// Our own CA in the state folder, with name constraints (rule M17).
    Internal,
    /// Ordered from an authority while the gateway runs, one for each host name (ACME).
    Acme,
    /// Pairs of PEM files, chosen by name, watched.
    Files(Vec<CertFiles>),
}

/// A certificate chain and its key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertFiles {
    /// PEM chain, leaf first.
    pub cert: PathBuf,
    /// PEM key.
    pub key: PathBuf,
}

/// A product's place in the data path.
#[derive(Clone, Debug)]
pub struct Site {
    /// The product as decisions see it.
    pub product: Arc<Product>,
    /// The canonical origin.
    pub host: Origin,
    /// Equal origins with cookies of their own.
    pub also: Vec<Origin>,
    /// Origins that answer 308 to the canonical one.
    pub redirects: Vec<Origin>,
    /// Where it is; one of them is taken per request.
    pub upstreams: Vec<Upstream>,
    /// How they are reached.
    pub reach: Reach,
    /// Host sent to the upstream; the public one when absent.
    pub upstream_host: Option<String>,
    /// Open to strangers, never any identity (rule M10).
    pub public: Vec<PathRule>,
    /// Open to strangers, identity added when there is a session.
    pub optional: Vec<PathRule>,
    /// The product's own doors, answered by us.
    pub doors: Doors,
    /// CORS: origins whose preflights go to the product and whose 401 carries the fields.
    pub origins: Vec<String>,
    /// Origins besides its own whose unsafe requests are accepted (rule H6).
    pub accept_from: Vec<String>,
    /// Where API tokens of the product's own pass, once its adapter named the owner and phase C admitted them (rule C7).
    pub api: Vec<PathRule>,
    /// Whether `Authorization` is kept beside a session (rule C7).
    pub keep_authorization: bool,
    /// Whether each session has upstream connections of its own, so that NTLM and Negotiate may log them in (rule H8).
    pub connection_auth: bool,
    /// Whether a trusted proxy that forwards by itself may ask at `/.fedgate/auth`.
    pub forward_auth: bool,
    /// The domain that the product may set cookies for, if it owns one (rule H6).
    pub cookie_domain: Option<String>,
    /// How many of its requests may be under way.
    pub in_flight: InFlight,
    /// What is kept of requests that come with an expired session (rule H9).
    pub spool: BodySpool,
    /// Organizations allowed, for quick refusal texts.
    pub orgs: Vec<OrgName>,
}

/// What is kept of unsafe requests that come with an expired session, until their person has logged in (rule H9).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BodySpool {
    /// The most that a body may have, in bytes; 0 keeps nothing.
    pub limit: u64,
    /// The product's release: what one release's page sent is not sent to another.
    pub version: Option<String>,
}

impl BodySpool {
    /// 1 MiB: a long text fits, and an upload does not fill a disk.
    pub const DEFAULT: u64 = 1024 * 1024;
    /// 25 MiB: more than a person would wait for twice.
    pub const MOST: u64 = 25 * 1024 * 1024;
}

impl Default for BodySpool {
    fn default() -> Self {
        Self { limit: Self::DEFAULT, version: None }
    }
}

/// An address of a product.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Upstream {
    /// `http://host:port`.
    Http {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// `unix:/path`.
    Unix(PathBuf),
    /// `https://host:port`: HTTP/1.1 or HTTP/2 by ALPN, as the product's TLS says.
    Https {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// `h2c://host:port`: HTTP/2 without TLS, by prior knowledge (RFC 9113 §3.3).
    H2c {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// `unix+h2c:/path`.
    UnixH2c(PathBuf),
}

impl fmt::Display for Upstream {
    /// As the configuration writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = match self {
            Self::Unix(path) => return write!(f, "unix:{}", path.display()),
            Self::UnixH2c(path) => return write!(f, "unix+h2c:{}", path.display()),
            Self::Http { host, port } => ("http", host, port),
            Self::Https { host, port } => ("https", host, port),
            Self::H2c { host, port } => ("h2c", host, port),
        };
        if host.contains(':') { write!(f, "{scheme}://[{host}]:{port}") } else { write!(f, "{scheme}://{host}:{port}") }
    }
}

/// Exact path, or everything below a prefix: `/assets/*`. Matched on whole segments of the normal form.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PathRule {
    /// This path.
    Exact(String),
    /// This path's segments and anything after them; stored without the `*`, with its last slash.
    Below(String),
}

/// The product's own doors.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Doors {
    /// Login pages.
    pub login: Vec<String>,
    /// Logout.
    pub logout: Vec<String>,
    /// Password reset.
    pub reset: Vec<String>,
    /// Sign-up.
    pub signup: Vec<String>,
}

impl Doors {
    /// The paths of all of them.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.login.iter().chain(&self.logout).chain(&self.reset).chain(&self.signup)
    }
}
