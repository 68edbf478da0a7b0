//! The one HTTP client: every address that somebody else can name is asked for here, and nowhere else (rule M16).
//! Beside it goes what takes bytes and answers nothing: syslog (`last_word`).
//!
//! resolve → judge **all** addresses → connect to a judged address → verify the TLS name → one request, one answer; for a minute
//! the connection serves further requests to the same origin (`pool`). Deliberately absent: redirects, cookies, proxies from the
//! environment, compression. A new reason to go out is a variant of [`Kind`].

mod addresses;
mod exchange;
mod last_word;
mod pool;
mod resolve;
#[cfg(test)]
mod tests;
mod tls;

pub use addresses::{Range, is_public};
pub use last_word::LastWord;
pub use resolve::{Resolve, SystemResolver};
pub use tls::{Identity, Roots};

use crate::clock::Clock;
use crate::kernel::oidc::is_loopback;
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use exchange::{Line, Unanswered};
use http::{HeaderMap, Method, StatusCode};
use pool::{Place, Pool};
use rustls::ClientConfig;
use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use url::{Host, Origin, Url};

/// The whole of one request, from the name to the last byte: longer than any healthy provider takes, shorter than a person
/// waits (rule: security.md, "outbound deadlines").
pub const DEADLINE: Duration = Duration::from_secs(5);
/// Bytes of an answer's body.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// How the client is set up, once.
#[derive(Default)]
pub struct OutboundOptions {
    /// More certificate authorities, PEM, beside the system's (or Mozilla's where the system has none).
    pub extra_roots_pem: Option<Vec<u8>>,
    /// What we show to servers that ask for a certificate.
    pub identity: Option<Identity>,
    /// Ranges that documents may name although they are not public.
    pub allow: Vec<Range>,
    /// Names that are elsewhere than the resolver says. Only for compositions that own those names, such as `demo`.
    pub overrides: HashMap<String, SocketAddr>,
    /// Who knows addresses; the system's resolver when absent.
    pub resolver: Option<Arc<dyn Resolve>>,
    /// Another deadline than [`DEADLINE`].
    pub deadline: Option<Duration>,
    /// What open connections age by; this machine's clock when absent.
    pub clock: Option<Clock>,
}

/// The client. Cheap to clone.
#[derive(Clone)]
pub struct Outbound(Arc<Inner>);

struct Inner {
    tls: Arc<ClientConfig>,
    allow: Vec<Range>,
    overrides: HashMap<String, SocketAddr>,
    resolver: Arc<dyn Resolve>,
    deadline: Duration,
    pool: Arc<Pool>,
    /// What the operator's file names; none: whoever says so is believed.
    named: ArcSwapOption<Vec<Origin>>,
}

/// Whose word the address is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// The operator's file named this address: exactly its origin may be private, and plain http on this machine. For an
    /// address with another origin this is the same as [`Kind::Document`].
    Operator {
        /// The address as the file names it.
        named: Url,
    },
    /// A document or an organization named it: https, and public unless the operator allowed the range.
    Document,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// Whose word the address is.
    pub kind: Kind,
    /// Where to.
    pub url: &'a Url,
    /// GET, or POST with a body.
    pub method: Method,
    /// Fields beside `Host`, `User-Agent`, `Accept` and the length.
    pub headers: HeaderMap,
    /// The body; empty for GET.
    pub body: Bytes,
    /// The `Accept` field.
    pub accept: &'static str,
}

/// One answer. Of [`Outbound::fetch`] its status is any but a redirect.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Fields, at most 16 KiB.
    pub headers: HeaderMap,
    /// At most [`BODY_LIMIT`].
    pub body: Bytes,
    /// The server's own certificate, DER, where it was asked over TLS.
    pub certificate: Option<Bytes>,
}

/// Why there is no answer. For logs and for operators: organizations are shown one text for all of them, so that nobody scans
/// ports by reading them.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OutboundFault {
    /// Not https (or http where that is allowed), or with credentials in it.
    #[error("that address may not be asked")]
    Address,
    /// The name has no address.
    #[error("the name could not be resolved")]
    Name,
    /// One of the name's addresses is not public.
    #[error("the name leads to an address that is not public; [outbound] allow names ranges that may be asked")]
    NotPublic,
    /// No connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// The certificate does not verify, or TLS failed.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// Nothing, or not everything, came in time.
    #[error("no complete answer in time")]
    Deadline,
    /// Too many bytes.
    #[error("the answer is too large")]
    TooLarge,
    /// A redirect; none is followed.
    #[error("the answer is a redirect, and none is followed")]
    Redirect,
    /// The connection was closed without TLS's own end, so what was sent may have been kept from the receiver.
    #[error("it closed the connection without close_notify, so it may not have everything")]
    Unsigned,
    /// Not HTTP/1.1.
    #[error("the answer is not HTTP: {0}")]
    Protocol(String),
}

/// The client could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum OutboundSetupFault {
    /// `ca_file` is not PEM with certificates that can be trusted.
    #[error("the extra certificate authorities are not a PEM file of CA certificates")]
    Roots,
    /// The certificate that we are to show, or its key.
    #[error("the certificate to show and its key: {0}")]
    Identity(String),
    /// The crypto provider does not offer what TLS 1.2 and 1.3 need.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

impl Outbound {
    /// Sets the client up.
    ///
    /// # Errors
    /// [`OutboundSetupFault`].
    pub fn new(options: OutboundOptions) -> Result<Self, OutboundSetupFault> {
        Ok(Self(Arc::new(Inner {
            tls: tls::client(options.extra_roots_pem.as_deref(), options.identity.as_ref())?,
            allow: options.allow,
            overrides: options.overrides,
            resolver: options.resolver.unwrap_or_else(|| Arc::new(SystemResolver)),
            deadline: options.deadline.unwrap_or(DEADLINE),
            pool: Pool::new(options.clock.unwrap_or_else(Clock::system)),
            named: ArcSwapOption::empty(),
        })))
    }

    /// From now on the operator's file names these addresses and no others: one that only an organization named is a stranger's
    /// word, whatever its asker says (rule M16).
    pub fn operator_names<'a>(&self, addresses: impl IntoIterator<Item = &'a str>) {
        let origins = addresses.into_iter().filter_map(|address| Url::parse(address).ok()).map(|url| url.origin());
        self.0.named.store(Some(Arc::new(origins.collect())));
    }

    fn trust(&self, kind: &Kind, url: &Url) -> Result<Trust, OutboundFault> {
        let known = self.0.named.load();
        match (kind, known.as_deref()) {
            (Kind::Operator { named }, Some(known)) if !known.contains(&named.origin()) => {
                Trust::of(&Kind::Document, url)
            }
            (kind, _) => Trust::of(kind, url),
        }
    }

    /// Asks once. What is not a GET is never sent a second time.
    ///
    /// # Errors
    /// [`OutboundFault`].
    pub async fn fetch(&self, ask: Ask<'_>) -> Result<Answer, OutboundFault> {
        self.fetch_within(self.0.deadline, ask).await
    }

    /// The same with a deadline of its own: for questions that are answered when there is something to say.
    ///
    /// # Errors
    /// [`OutboundFault`].
    pub async fn fetch_within(&self, deadline: Duration, ask: Ask<'_>) -> Result<Answer, OutboundFault> {
        let trust = self.trust(&ask.kind, ask.url)?;
        let place = Place::of(ask.url, trust)?;
        let exchange = async {
            let (answer, line) = match self.ask_again(&place, &ask).await? {
                Some(answered) => answered,
                None => self.ask_anew(trust, &ask).await?,
            };
            self.0.pool.keep(place, line);
            Ok::<_, OutboundFault>(answer)
        };
        let answer = timeout(deadline, exchange).await.map_err(|_| OutboundFault::Deadline)??;
        if answer.status.is_redirection() { Err(OutboundFault::Redirect) } else { Ok(answer) }
    }

    /// Asks a program on this machine over its socket, on a connection of its own: there is no name to resolve and no address to judge, so
    /// only what the operator's file names may be asked this way. The URL gives the target and the `Host`.
    ///
    /// # Errors
    /// [`OutboundFault`].
    pub async fn ask_socket(&self, socket: &Path, ask: Ask<'_>) -> Result<Answer, OutboundFault> {
        let exchange = async {
            let mut line = Line::to_socket(socket, self.0.pool.now()).await?;
            Ok::<_, OutboundFault>(line.converse(exchange::request(&ask)?).await?)
        };
        let answer = timeout(self.0.deadline, exchange).await.map_err(|_| OutboundFault::Deadline)??;
        if answer.status.is_redirection() { Err(OutboundFault::Redirect) } else { Ok(answer) }
    }

    /// Looks at a page that an organization put somewhere: public, over https, at most `limit` bytes of it, on a connection of its
    /// own. A redirect is an answer, for the caller to judge; it is not followed.
    ///
    /// # Errors
    /// [`OutboundFault`].
    pub async fn look(&self, url: &Url, limit: usize) -> Result<Answer, OutboundFault> {
        let (kind, method, headers, body) = (Kind::Document, Method::GET, HeaderMap::new(), Bytes::new());
        let trust = Trust::of(&kind, url)?;
        let ask = Ask { kind, url, method, headers, body, accept: "text/html, text/plain" };
        let asked = timeout(self.0.deadline, self.ask_anew(trust, &ask)).await;
        let (answer, _line) = asked.map_err(|_| OutboundFault::Deadline)??;
        if answer.body.len() > limit { Err(OutboundFault::TooLarge) } else { Ok(answer) }
    }

    /// Asks over a connection that is open. `None` when there is none, or it ended and the request may still be sent: nothing of
    /// it was, or it is a GET and no answer began.
    async fn ask_again(&self, place: &Place, ask: &Ask<'_>) -> Result<Option<(Answer, Line)>, OutboundFault> {
        let Some(mut line) = self.0.pool.take(place) else { return Ok(None) };
        match line.converse(exchange::request(ask)?).await {
            Ok(answer) => Ok(Some((answer, line))),
            Err(Unanswered::Unsent) => Ok(None),
            Err(Unanswered::Cut(_)) if ask.method == Method::GET => Ok(None),
            Err(why) => Err(why.into()),
        }
    }

    async fn ask_anew(&self, trust: Trust, ask: &Ask<'_>) -> Result<(Answer, Line), OutboundFault> {
        let resolved_at = self.0.pool.now();
        let addresses = self.addresses(ask.url, trust).await?;
        let mut line = Line::open(&self.0.tls, &addresses, ask.url, resolved_at).await?;
        let answer = line.converse(exchange::request(ask)?).await?;
        Ok((answer, line))
    }

    /// The addresses that may be connected to. All of a name's addresses are judged before any is used, and the connection goes
    /// to one of the judged ones, so that a second answer of the resolver changes nothing.
    async fn addresses(&self, url: &Url, trust: Trust) -> Result<exchange::Addresses, OutboundFault> {
        let port = url.port_or_known_default().ok_or(OutboundFault::Address)?;
        let host = url.host().ok_or(OutboundFault::Address)?;
        let found = match host {
            Host::Domain(name) => {
                if let Some(elsewhere) = self.0.overrides.get(name) {
                    return Ok(exchange::Addresses { list: vec![*elsewhere], may_be_ourselves: true });
                }
                if is_loopback(url) {
                    // RFC 6761 §6.3: never asked of a resolver, which could say anything.
                    vec![std::net::Ipv4Addr::LOCALHOST.into()]
                } else {
                    self.0.resolver.resolve(name).await.map_err(|_| OutboundFault::Name)?
                }
            }
            Host::Ipv4(address) => vec![address.into()],
            Host::Ipv6(address) => vec![address.into()],
        };
        if found.is_empty() {
            return Err(OutboundFault::Name);
        }
        let allowed = |address| self.0.allow.iter().any(|range| range.holds(address));
        let may_be_private = trust == Trust::Operator || found.iter().all(|address| allowed(*address));
        if !found.iter().all(|address| may_be_private || is_public(*address) || allowed(*address)) {
            return Err(OutboundFault::NotPublic);
        }
        let list = found.into_iter().take(4).map(|address| SocketAddr::new(address, port)).collect();
        Ok(exchange::Addresses { list, may_be_ourselves: may_be_private })
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outbound")
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Trust {
    /// The operator named this very origin.
    Operator,
    /// Somebody else did.
    Stranger,
}

impl Trust {
    fn of(kind: &Kind, url: &Url) -> Result<Self, OutboundFault> {
        let trust = match kind {
            Kind::Operator { named } if named.origin() == url.origin() => Self::Operator,
            Kind::Operator { .. } | Kind::Document => Self::Stranger,
        };
        let scheme = url.scheme() == "https" || (url.scheme() == "http" && trust == Self::Operator && is_loopback(url));
        let clean = url.username().is_empty() && url.password().is_none();
        if scheme && clean { Ok(trust) } else { Err(OutboundFault::Address) }
    }
}
