//! One client connection: handshake, HTTP/1.1 or HTTP/2 by ALPN, and its end.

use super::core::Core;
use super::handle::handle;
use super::patient::Patient;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval_at, timeout};
use tokio_util::sync::CancellationToken;

/// How long a request's head may take, and how long an HTTP/1.1 connection may be idle.
const HEAD: Duration = Duration::from_secs(10);

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// An HTTP/2 connection without any request for this long is closed; twice as long at most.
const IDLE: Duration = Duration::from_secs(120);

/// Which listener a connection came in by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Listener {
    /// Our own TLS.
    Tls,
    /// Plain HTTP behind a trusted proxy's TLS.
    Plain,
    /// Plain HTTP, redirected.
    Redirect,
}

/// What all requests of a connection share.
pub(super) struct Line {
    pub(super) core: Arc<Core>,
    pub(super) peer: IpAddr,
    pub(super) listener: Listener,
    /// The host names that this connection's certificate covers (rule M8); `None` without TLS of ours.
    pub(super) names: Option<Arc<HashSet<String>>>,
    /// Cuts the connection.
    pub(super) close: CancellationToken,
    /// How many requests there were.
    pub(super) requests: AtomicU64,
}

/// Serves a connection to its end.
pub(super) async fn serve(core: Arc<Core>, stream: TcpStream, peer: IpAddr, listener: Listener) {
    // Without it answers wait for the client's acknowledgement; a socket that refuses is gone anyway.
    drop(stream.set_nodelay(true));
    let stream = Patient::new(stream);
    let close = core.kill.child_token();
    let line = Line { core, peer, listener, names: None, close, requests: AtomicU64::new(0) };
    if listener != Listener::Tls {
        return serve_http1(stream, Arc::new(line)).await;
    }
    let Some(tls) = line.core.shared.tls.load_full() else { return };
    let accepted = timeout(HANDSHAKE, Box::pin(tls.acceptor.accept(stream))).await;
    let Ok(Ok(stream)) = accepted else {
        line.core.shared.seeing.failed_handshakes.inc();
        return;
    };
    let (_, session) = stream.get_ref();
    let is_h2 = session.alpn_protocol() == Some(b"h2");
    let line = Arc::new(Line { names: Some(tls.covered(session.server_name())), ..line });
    drop(tls);
    // Separate tasks, so that a connection holds the state of one protocol only.
    let open = line.core.shared.open.clone();
    if is_h2 {
        open.spawn(serve_http2(stream, line));
    } else {
        open.spawn(serve_http1(stream, line));
    }
}

async fn serve_http1<S>(stream: S, line: Arc<Line>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let _open = Open::new(&line);
    let (close, drain) = (line.close.clone(), line.core.drain.clone());
    let service = service_fn(move |request| Box::pin(handle(Arc::clone(&line), request)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(128 * 1024)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let mut draining = false;
    loop {
        tokio::select! {
            biased;
            // How a client leaves is its own affair.
            _ = connection.as_mut() => break,
            () = close.cancelled() => break,
            () = drain.cancelled(), if !draining => {
                draining = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

async fn serve_http2<S>(stream: S, line: Arc<Line>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let _open = Open::new(&line);
    let (close, drain) = (line.close.clone(), line.core.drain.clone());
    let idle = Arc::clone(&line);
    let service = service_fn(move |request| Box::pin(handle(Arc::clone(&line), request)));
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(250)
        .max_header_list_size(64 * 1024)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(100)
        .initial_stream_window_size(256 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .keep_alive_interval(Duration::from_secs(60))
        .keep_alive_timeout(Duration::from_secs(20))
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let mut draining = false;
    let mut look = interval_at(Instant::now() + IDLE, IDLE);
    let mut seen = idle.requests.load(Ordering::Relaxed);
    loop {
        tokio::select! {
            biased;
            _ = connection.as_mut() => break,
            () = close.cancelled() => break,
            _ = look.tick(), if !draining => {
                // The service and this task hold the line; whoever else does is a request or a stream under way.
                let asked = idle.requests.load(Ordering::Relaxed);
                if asked == seen && Arc::strong_count(&idle) <= 2 {
                    draining = true;
                    connection.as_mut().graceful_shutdown();
                }
                seen = asked;
            }
            () = drain.cancelled(), if !draining => {
                draining = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Counts a connection while it is open.
struct Open(prometheus_client::metrics::gauge::Gauge);

impl Open {
    fn new(line: &Line) -> Self {
        let gauge = &line.core.shared.seeing.connections;
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}
