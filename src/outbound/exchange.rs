//! One connection, one request, one answer.

use super::{Answer, Ask, OutboundFault};
use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CONNECTION, HOST, HeaderValue, USER_AGENT};
use http::{Request, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::{Host, Position};

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

pub(super) async fn exchange(
    tls: &Arc<ClientConfig>,
    addresses: &Addresses,
    (ask, limit): (&Ask<'_>, usize),
) -> Result<Answer, OutboundFault> {
    let tcp = connect(addresses).await?;
    if ask.url.scheme() == "http" {
        return converse(tcp, ask, limit).await;
    }
    let name = match ask.url.host() {
        Some(Host::Domain(name)) => ServerName::try_from(name.to_owned()).map_err(|_| OutboundFault::Address)?,
        Some(Host::Ipv4(address)) => ServerName::IpAddress(std::net::IpAddr::from(address).into()),
        Some(Host::Ipv6(address)) => ServerName::IpAddress(std::net::IpAddr::from(address).into()),
        None => return Err(OutboundFault::Address),
    };
    let stream = TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await;
    let stream = stream.map_err(|fault| OutboundFault::Tls(fault.to_string()))?;
    let chain = stream.get_ref().1.peer_certificates();
    let certificate = chain.and_then(<[_]>::first).map(|leaf| leaf.as_ref().to_vec());
    Ok(Answer { certificate, ..converse(stream, ask, limit).await? })
}

async fn connect(addresses: &Addresses) -> Result<TcpStream, OutboundFault> {
    let mut last = OutboundFault::Name;
    for address in &addresses.list {
        let connected = timeout(ATTEMPT, TcpStream::connect(address)).await;
        match connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())) {
            // Our own public address is public: what gives our own listeners away is that both ends are the same address.
            Ok(tcp) if !addresses.may_be_ourselves && is_ourselves(&tcp) => return Err(OutboundFault::NotPublic),
            Ok(tcp) => return Ok(tcp),
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

async fn converse<S>(stream: S, ask: &Ask<'_>, limit: usize) -> Result<Answer, OutboundFault>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let broken = |fault: hyper::Error| OutboundFault::Protocol(fault.to_string());
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_LIMIT).max_headers(100);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let request = request(ask)?;
    let answer = async {
        let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        let body = collect(body, limit).await?;
        Ok(Answer { status: head.status, headers: head.headers, body, certificate: None })
    };
    let driver = async {
        // A broken connection shows as the answer's own fault.
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        answer = answer => answer,
        () = driver => Err(OutboundFault::Protocol("the connection ended".into())),
    }
}

fn request(ask: &Ask<'_>) -> Result<Request<Full<Bytes>>, OutboundFault> {
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
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(request)
}

async fn collect(mut body: Incoming, limit: usize) -> Result<Bytes, OutboundFault> {
    let mut collected = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|fault| OutboundFault::Protocol(fault.to_string()))?;
        if let Some(bytes) = frame.data_ref() {
            if collected.len() + bytes.len() > limit {
                return Err(OutboundFault::TooLarge);
            }
            collected.extend_from_slice(bytes);
        }
    }
    Ok(collected.freeze())
}
