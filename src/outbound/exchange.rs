//! A connection, and one request at a time on it.

use super::{Answer, Ask, BODY_LIMIT, OutboundFault};
use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, HOST, HeaderValue, USER_AGENT};
use http::{HeaderMap, Request, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::task::AbortOnDropHandle;
use url::{Host, Position, Url};

/// Bytes of an answer's head.
const HEAD_LIMIT: usize = 16 * 1024;

/// How long one of several addresses is waited for: a name with a dead IPv6 address must leave time for the next one.
const ATTEMPT: Duration = Duration::from_millis(1500);

/// Judged addresses.
pub(super) struct Addresses {
    /// In the resolver's order.
    pub(super) list: Vec<SocketAddr>,
    /// Whether the other end may be this machine itself.
    pub(super) may_be_ourselves: bool,
}

/// An open connection. Dropping it closes it, whatever it is doing.
pub(super) struct Line {
    sender: SendRequest<Full<Bytes>>,
    /// The server's own certificate, DER.
    certificate: Option<Bytes>,
    /// When the name was resolved, since boot.
    pub(super) resolved_at: Duration,
    /// How long the server says that it waits for another request.
    pub(super) patience: Duration,
    _driver: AbortOnDropHandle<()>,
}

/// Why there is no answer.
pub(super) enum Unanswered {
    /// Nothing of the request was sent: the connection had ended.
    Unsent,
    /// The connection ended before an answer began.
    Cut(OutboundFault),
    /// The answer is not usable.
    Fault(OutboundFault),
}

impl From<Unanswered> for OutboundFault {
    fn from(why: Unanswered) -> Self {
        match why {
            Unanswered::Unsent => Self::Protocol("the connection ended".into()),
            Unanswered::Cut(fault) | Unanswered::Fault(fault) => fault,
        }
    }
}

impl Line {
    /// Connects to one of these addresses, as the name that the URL says.
    pub(super) async fn open(
        tls: &Arc<ClientConfig>,
        addresses: &Addresses,
        url: &Url,
        resolved_at: Duration,
    ) -> Result<Self, OutboundFault> {
        if url.scheme() == "http" {
            return Self::over(connect(addresses).await?, None, resolved_at).await;
        }
        let stream = secure(tls, addresses, url).await?;
        let chain = stream.get_ref().1.peer_certificates();
        let certificate = chain.and_then(<[_]>::first).map(|leaf| Bytes::copy_from_slice(leaf));
        Self::over(stream, certificate, resolved_at).await
    }

    /// Connects to a socket of this machine.
    pub(super) async fn to_socket(socket: &Path, now: Duration) -> Result<Self, OutboundFault> {
        let stream = UnixStream::connect(socket).await.map_err(|fault| OutboundFault::Connect(fault.to_string()))?;
        Self::over(stream, None, now).await
    }

    async fn over<S>(stream: S, certificate: Option<Bytes>, resolved_at: Duration) -> Result<Self, OutboundFault>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(HEAD_LIMIT).max_headers(100);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|fault| broken(&fault))?;
        let driver = tokio::spawn(async move {
            // A broken connection shows as the answer's own fault.
            let _ = connection.await;
        });
        let driver = AbortOnDropHandle::new(driver);
        Ok(Self { sender, certificate, resolved_at, patience: Duration::MAX, _driver: driver })
    }

    /// Whether the server has closed it, or may.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Whether it takes a request now.
    pub(super) fn is_ready(&self) -> bool {
        self.sender.is_ready()
    }

    /// Sends one request, once.
    pub(super) async fn converse(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, Unanswered> {
        let answer = self.sender.try_send_request(request).await.map_err(|mut fault| match fault.take_message() {
            Some(_) => Unanswered::Unsent,
            None => match fault.into_error() {
                // It answered, and would answer the same again.
                fault if fault.is_parse() => Unanswered::Fault(broken(&fault)),
                fault => Unanswered::Cut(broken(&fault)),
            },
        });
        let (head, body) = answer?.into_parts();
        let body = collect(body).await.map_err(Unanswered::Fault)?;
        self.patience = patience(&head.headers);
        Ok(Answer { status: head.status, headers: head.headers, body, certificate: self.certificate.clone() })
    }
}

fn broken(fault: &hyper::Error) -> OutboundFault {
    OutboundFault::Protocol(fault.to_string())
}

/// How long the server waits for another request, by its `Keep-Alive: timeout=SECONDS`, less a second for the way there: a request
/// that meets the end of its connection may have been read, and would not be sent again.
fn patience(headers: &HeaderMap) -> Duration {
    let said = headers.get("keep-alive").and_then(|field| field.to_str().ok());
    let mut parameters = said.into_iter().flat_map(|text| text.split(','));
    let seconds = parameters.find_map(|one| one.trim().strip_prefix("timeout=")?.parse::<u64>().ok());
    seconds.map_or(Duration::MAX, |seconds| Duration::from_secs(seconds.saturating_sub(1)))
}

/// Connects to one of these addresses over TLS, to whoever proves the name that the URL says.
pub(super) async fn secure(
    tls: &Arc<ClientConfig>,
    addresses: &Addresses,
    url: &Url,
) -> Result<TlsStream<TcpStream>, OutboundFault> {
    let name = match url.host() {
        Some(Host::Domain(name)) => ServerName::try_from(name.to_owned()).map_err(|_| OutboundFault::Address)?,
        Some(Host::Ipv4(address)) => ServerName::IpAddress(std::net::IpAddr::from(address).into()),
        Some(Host::Ipv6(address)) => ServerName::IpAddress(std::net::IpAddr::from(address).into()),
        None => return Err(OutboundFault::Address),
    };
    let stream = TlsConnector::from(Arc::clone(tls)).connect(name, connect(addresses).await?).await;
    stream.map_err(|fault| OutboundFault::Tls(fault.to_string()))
}

async fn connect(addresses: &Addresses) -> Result<TcpStream, OutboundFault> {
    let mut last = OutboundFault::Name;
    for address in &addresses.list {
        let connected = timeout(ATTEMPT, TcpStream::connect(address)).await;
        match connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())) {
            // Our own public address is public: what gives our own listeners away is that both ends are the same address.
            Ok(tcp) if !addresses.may_be_ourselves && is_ourselves(&tcp) => return Err(OutboundFault::NotPublic),
            Ok(tcp) => {
                // A request is one small write, its answer is waited for: nothing is gained by holding it back.
                tcp.set_nodelay(true).map_err(|fault| OutboundFault::Connect(fault.to_string()))?;
                return Ok(tcp);
            }
            Err(fault) => last = OutboundFault::Connect(fault.to_string()),
        }
    }
    Err(last)
}

fn is_ourselves(tcp: &TcpStream) -> bool {
    match (tcp.local_addr(), tcp.peer_addr()) {
        (Ok(local), Ok(peer)) => local.ip() == peer.ip(),
        // A socket that cannot say where it leads leads nowhere good.
        _ => true,
    }
}

/// The request on the wire.
pub(super) fn request(ask: &Ask<'_>) -> Result<Request<Full<Bytes>>, OutboundFault> {
    let unusable = |_| OutboundFault::Address;
    let target = &ask.url[Position::BeforePath..Position::AfterQuery];
    let host = &ask.url[Position::BeforeHost..Position::AfterPort];
    let mut request = Request::new(Full::new(ask.body.clone()));
    *request.method_mut() = ask.method.clone();
    *request.version_mut() = Version::HTTP_11;
    *request.uri_mut() = target.parse().map_err(|_| OutboundFault::Address)?;
    let headers = request.headers_mut();
    headers.extend(ask.headers.clone());
    headers.insert(HOST, HeaderValue::from_str(host).map_err(unusable)?);
    headers.insert(ACCEPT, HeaderValue::from_static(ask.accept));
    headers.insert(USER_AGENT, HeaderValue::from_static("fedgate"));
    Ok(request)
}

async fn collect(mut body: Incoming) -> Result<Bytes, OutboundFault> {
    let mut collected = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|fault| OutboundFault::Protocol(fault.to_string()))?;
        if let Some(bytes) = frame.data_ref() {
            if collected.len() + bytes.len() > BODY_LIMIT {
                return Err(OutboundFault::TooLarge);
            }
            collected.extend_from_slice(bytes);
        }
    }
    Ok(collected.freeze())
}
