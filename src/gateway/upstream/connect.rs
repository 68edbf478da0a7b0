//! Opening a connection: TCP or a socket file, TLS where the address says so, then HTTP/1.1 or HTTP/2.

use super::hush::hushed;
use super::links::Found;
use super::pool::{Connection, Lane};
use crate::gateway::options::Upstream;
use hyper::client::conn::http1::Builder;
use hyper_util::rt::TokioIo;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

fn late(_: tokio::time::error::Elapsed) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "connecting to the upstream took too long")
}

/// For one request at a time: HTTP/1.1. `upgrades` for a request that may become a WebSocket.
pub(super) async fn alone(lane: &Lane, limit: Duration, upgrades: bool) -> io::Result<Connection> {
    match &lane.upstream {
        Upstream::Http { host, port } => {
            let stream = timeout(limit, tcp(host, *port)).await.map_err(late)??;
            speak(stream, upgrades).await
        }
        Upstream::Unix(path) => speak(timeout(limit, UnixStream::connect(path)).await.map_err(late)??, upgrades).await,
        Upstream::Https { host, port } => {
            // HTTP/1.1 must not be met by a server that was offered HTTP/2.
            let only_http1 = upgrades || !lane.multiplexes();
            let stream = timeout(limit, tls(lane, host, *port, only_http1)).await.map_err(late)??;
            if speaks_http2(&stream) {
                return Err(io::Error::other("the upstream chose HTTP/2 where HTTP/1.1 was offered"));
            }
            speak(stream, upgrades).await
        }
        Upstream::H2c { .. } | Upstream::UnixH2c(_) => Err(io::Error::other("this upstream speaks HTTP/2 alone")),
    }
}

/// For many requests at once: HTTP/2, unless ALPN chooses HTTP/1.1.
pub(super) async fn shared(lane: &Lane, limit: Duration) -> io::Result<Found> {
    match &lane.upstream {
        Upstream::H2c { host, port } | Upstream::Http { host, port } => {
            let stream = timeout(limit, tcp(host, *port)).await.map_err(late)??;
            lane.links.speak(stream).await.map(Found::Shared)
        }
        Upstream::UnixH2c(path) | Upstream::Unix(path) => {
            let stream = timeout(limit, UnixStream::connect(path)).await.map_err(late)??;
            lane.links.speak(stream).await.map(Found::Shared)
        }
        Upstream::Https { host, port } => {
            let stream = timeout(limit, tls(lane, host, *port, false)).await.map_err(late)??;
            let http2 = speaks_http2(&stream);
            lane.learn(http2);
            match http2 {
                true => lane.links.speak(stream).await.map(Found::Shared),
                false => speak(stream, false).await.map(Found::Alone),
            }
        }
    }
}

async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn tls(lane: &Lane, host: &str, port: u16, only_http1: bool) -> io::Result<TlsStream<TcpStream>> {
    let (Some(tls), false) = (&lane.tls, host.is_empty()) else { return Err(io::Error::other("TLS is not set up")) };
    let name = tls.name(host).ok_or_else(|| io::Error::other("the upstream's host is no name for TLS"))?;
    let connector = TlsConnector::from(std::sync::Arc::clone(tls.config(only_http1)));
    connector.connect(name, tcp(host, port).await?).await
}

fn speaks_http2(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(b"h2")
}

async fn speak<S>(stream: S, upgrades: bool) -> io::Result<Connection>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = Builder::new().handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // The outcome reaches whoever waits for the answer on this connection; there is nobody else to tell.
    let hush = if upgrades {
        let (connection, hush) = hushed(connection.with_upgrades());
        tokio::spawn(async move { drop(connection.await) });
        hush
    } else {
        let (connection, hush) = hushed(connection);
        tokio::spawn(async move { drop(connection.await) });
        hush
    };
    Ok(Connection::new(sender, hush))
}
