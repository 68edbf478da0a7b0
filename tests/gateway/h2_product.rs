//! A product that speaks HTTP/2 by the low-level crate, with and without TLS: it remembers what it saw and answers by path.

use bytes::Bytes;
use fedgate::gateway::options::Upstream;
use h2::server::{self, SendResponse};
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Request, Response};
use rustls::ServerConfig;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Call {
    pub uri: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub trailers: HeaderMap,
}

#[derive(Default)]
pub struct Seen {
    pub calls: Mutex<Vec<Call>>,
    pub connections: AtomicUsize,
    /// Streams now open, and the most that one connection ever had.
    pub open: AtomicUsize,
    pub most: AtomicUsize,
    once: Mutex<HashSet<String>>,
}

impl Seen {
    pub fn last(&self) -> Call {
        self.calls.lock().unwrap().last().cloned().unwrap_or_default()
    }

    pub fn count(&self) -> usize {
        self.calls.lock().unwrap().len()
    }
}

/// Running until it is dropped.
pub struct Product {
    pub seen: Arc<Seen>,
    pub address: SocketAddr,
    stop: CancellationToken,
}

impl Drop for Product {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Product {
    /// With so many streams at once allowed on a connection.
    pub fn start(streams: u32, tls: Option<ServerConfig>) -> Self {
        let (seen, stop) = (Arc::new(Seen::default()), CancellationToken::new());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (shared, token) = (Arc::clone(&seen), stop.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(token.run_until_cancelled(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                let acceptor = tls.map(|tls| TlsAcceptor::from(Arc::new(tls)));
                while let Ok((stream, _)) = listener.accept().await {
                    shared.connections.fetch_add(1, Ordering::SeqCst);
                    let (seen, acceptor) = (Arc::clone(&shared), acceptor.clone());
                    tokio::spawn(async move {
                        match acceptor {
                            Some(acceptor) => {
                                if let Ok(stream) = acceptor.accept(stream).await {
                                    serve(stream, streams, seen).await;
                                }
                            }
                            None => serve(stream, streams, seen).await,
                        }
                    });
                }
            }));
        });
        Self { seen, address, stop }
    }

    /// Without TLS, on a socket file.
    pub fn start_at(path: &Path) -> Self {
        let (seen, stop) = (Arc::new(Seen::default()), CancellationToken::new());
        let listener = std::os::unix::net::UnixListener::bind(path).unwrap();
        listener.set_nonblocking(true).unwrap();
        let (shared, token) = (Arc::clone(&seen), stop.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(token.run_until_cancelled(async move {
                let listener = UnixListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, 100, Arc::clone(&shared)));
                }
            }));
        });
        Self { seen, address: SocketAddr::from(([127, 0, 0, 1], 0)), stop }
    }

    pub fn h2c(&self) -> Upstream {
        Upstream::H2c { host: self.address.ip().to_string(), port: self.address.port() }
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, streams: u32, seen: Arc<Seen>) {
    let built = server::Builder::new().max_concurrent_streams(streams).handshake::<_, Bytes>(stream).await;
    let Ok(mut connection) = built else { return };
    let here = Arc::new(AtomicUsize::new(0));
    while let Some(Ok((request, reply))) = connection.accept().await {
        let path = request.uri().path().to_owned();
        // The first request to it is the last stream of its connection, and is answered; what comes later opens another.
        if path == "/goaway" && seen.once.lock().unwrap().insert(path) {
            connection.graceful_shutdown();
        }
        let (seen, here) = (Arc::clone(&seen), Arc::clone(&here));
        tokio::spawn(async move {
            let now = here.fetch_add(1, Ordering::SeqCst) + 1;
            seen.open.fetch_add(1, Ordering::SeqCst);
            seen.most.fetch_max(now, Ordering::SeqCst);
            // A stream that breaks is the client's affair.
            let _ = answer(request, reply, &seen).await;
            seen.open.fetch_sub(1, Ordering::SeqCst);
            here.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

async fn answer(request: Request<RecvStream>, mut reply: SendResponse<Bytes>, seen: &Seen) -> Result<(), h2::Error> {
    let (head, mut body) = request.into_parts();
    let path = head.uri.path().to_owned();
    if let Some(kind) = path.strip_prefix("/refuse/")
        && (kind == "always" || seen.once.lock().unwrap().insert(path.clone()))
    {
        let call = Call { uri: head.uri.to_string(), headers: head.headers, ..Call::default() };
        seen.calls.lock().unwrap().push(call);
        reply.send_reset(if kind == "begun" { Reason::INTERNAL_ERROR } else { Reason::REFUSED_STREAM });
        return Ok(());
    }
    if path == "/bidi" {
        return bidi(body, reply).await;
    }
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        bytes.extend_from_slice(&data);
    }
    let trailers = body.trailers().await?.unwrap_or_default();
    let call = Call { uri: head.uri.to_string(), headers: head.headers, body: bytes.clone(), trailers };
    seen.calls.lock().unwrap().push(call);
    if path == "/hold" {
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    if path == "/silent" {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    let response = Response::builder().header("content-type", "application/grpc");
    if path == "/only" {
        let response = response.header("grpc-status", "5").header("grpc-message", "none").body(()).unwrap();
        reply.send_response(response, true)?;
        return Ok(());
    }
    let mut stream = reply.send_response(response.body(()).unwrap(), false)?;
    stream.send_data(Bytes::from(bytes), false)?;
    stream.send_trailers(ended())
}

fn ended() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    trailers.insert("x-fedgate-user", HeaderValue::from_static("forged"));
    trailers
}

/// Sends back each part as it comes.
async fn bidi(mut body: RecvStream, mut reply: SendResponse<Bytes>) -> Result<(), h2::Error> {
    let response = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    let mut stream = reply.send_response(response, false)?;
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        stream.send_data(data, false)?;
    }
    stream.send_trailers(ended())
}
