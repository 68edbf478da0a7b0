//! One client connection: handshake, HTTP/1.1 or HTTP/2 by ALPN, and its end.

use super::body::Broken;
use super::bound::Bound;
use super::core::Core;
use super::drained::Drained;
use super::front;
use super::gather::gather;
use super::guard::arrival::{self, Arrival};
use super::guard::caps::Seat;
use super::guard::{Reason, calm::Calm};
use super::handle::handle;
use super::head::Introduction;
use super::pace::{Busy, Delivery, Heads, Pace};
use super::patient::Patient;
use super::rarely::Rarely;
use super::recall::Recall;
use super::stream::{Streams, Turns};
use super::tls::ACME_TLS;
use super::upload::RequestBody;
use super::websocket;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::HashSet;
use std::future::{Future as _, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How much of an HTTP/1.1 answer a TLS connection takes at once, in bytes: a little more than `front` or hyper hands over at once, a
/// head with what was gathered and a piece of 128 KiB behind it. With less, the last bytes go as a record and a call of their own.
const TLS_BUFFER: usize = 144 * 1024;

/// How much hyper gathers of requests and answers before it waits, in bytes.
const BUFFER: usize = 128 * 1024;

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
    /// Who is at the other end, or behind the proxy there that said so in a PROXY protocol header.
    pub(super) peer: IpAddr,
    /// Whether one did.
    pub(super) proxied: bool,
    /// Its place among the connections.
    pub(super) seat: Seat,
    pub(super) listener: Listener,
    /// The host names that this connection's certificate covers (rule M8); `None` without TLS of ours.
    pub(super) names: Option<Arc<HashSet<String>>>,
    /// Cuts the connection.
    pub(super) close: CancellationToken,
    /// Lets what is under way end, and closes then.
    pub(super) retire: CancellationToken,
    /// What it is doing.
    pub(super) pace: Pace,
    /// What its last request said.
    pub(super) recall: Recall,
    /// The last client's introduction to products; see `head.rs`.
    pub(super) introduced: Mutex<Option<Introduction>>,
    /// Upstream connections of its last session's own; see `bound.rs`.
    pub(super) bound: Mutex<Option<Box<Bound>>>,
    /// What bodies of HTTP/2 streams do; `None` over HTTP/1.1.
    pub(super) turns: Option<Arc<Turns>>,
}

/// Serves a connection to its end.
pub(super) async fn serve(core: Arc<Core>, mut stream: TcpStream, (from, seat): (IpAddr, Seat), listener: Listener) {
    // Without it answers wait for the client's acknowledgement; a socket that refuses is gone anyway.
    drop(stream.set_nodelay(true));
    let Some(Arrival { peer, proxied, seat }) = arrival::receive(&core, &mut stream, from, seat).await else { return };
    let stream = Patient::new(stream);
    let close = core.kill.child_token();
    let retire = core.drain.child_token();
    let (introduced, bound) = (Mutex::default(), Mutex::default());
    let (pace, recall, names, turns) = (Pace::new(), Recall::default(), None, None);
    let line =
        Line { core, peer, proxied, seat, listener, names, close, retire, pace, recall, introduced, bound, turns };
    if listener != Listener::Tls {
        let line = Arc::new(line);
        line.core.watch(&line);
        return serve_http1(stream, line).await;
    }
    let Some(tls) = line.core.shared.tls.load_full() else { return };
    let Some(greeting) = line.core.shared.guard.caps.greet() else {
        line.core.shared.guard.turn_away(Reason::Handshakes, line.core.shared.clock.since_boot());
        return;
    };
    let patience = line.core.table.load().patience.handshake;
    let handshake = line.core.handshakes.run(Box::pin(tls.accept(stream)));
    let accepted = timeout(patience, handshake).await;
    drop(greeting);
    let Ok(Ok(mut stream)) = accepted else {
        line.core.shared.seeing.failed_handshakes.inc();
        return;
    };
    let (_, session) = stream.get_ref();
    if session.alpn_protocol() == Some(ACME_TLS) {
        return part(stream, patience).await;
    }
    let is_h2 = session.alpn_protocol() == Some(b"h2");
    let turns = is_h2.then(|| Arc::new(Turns::new()));
    let line = Arc::new(Line { names: Some(tls.covered(session.server_name())), turns, ..line });
    drop(tls);
    line.core.watch(&line);
    // Separate tasks, so that a connection holds the state of one protocol only.
    let open = line.core.shared.open.clone();
    if is_h2 {
        open.spawn(serve_http2(stream, line));
    } else {
        stream.get_mut().1.set_buffer_limit(Some(TLS_BUFFER));
        open.spawn(serve_http1(Drained::new(stream), line));
    }
}

/// An authority has seen who we are, and that was all (RFC 8737 §3). How it leaves is its own affair.
async fn part<S: AsyncWrite + Unpin>(mut stream: S, patience: Duration) {
    drop(timeout(patience, stream.shutdown()).await);
}

async fn serve_http1<S>(stream: S, line: Arc<Line>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let _open = Open::new(&line);
    let mut stream = Heads::new(stream, Arc::clone(&line));
    let (draining, mut timer) = (AtomicBool::new(false), None);
    let over = {
        let fronting = pin!(front::serve(&mut stream, &line, &draining));
        until_over(&line, &mut timer, fronting, |_| draining.store(true, Ordering::Relaxed)).await
    };
    if let Some(Some(received)) = over {
        stream.put_back(received);
        // Boxed, because most connections never hold any of it.
        Box::pin(serve_by_hyper(stream, line, timer)).await;
    }
}

/// HTTP/1.1 with bodies, upgrades, and whatever else `front` leaves.
async fn serve_by_hyper<S>(stream: S, line: Arc<Line>, mut timer: Option<Pin<Box<Sleep>>>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let of_requests = Arc::clone(&line);
    let service = service_fn(move |request: Request<Incoming>| {
        Box::pin(handle(Busy::new(Arc::clone(&of_requests)), Box::new(request.map(RequestBody::Hyper))))
    });
    // Without hyper's timer for heads, which is made anew for each request and counts idle time as part of the next head.
    let connection =
        http1::Builder::new().max_buf_size(BUFFER).serve_connection(TokioIo::new(stream), service).with_upgrades();
    until_over(&line, &mut timer, pin!(connection), |connection| connection.graceful_shutdown()).await;
}

/// Polls a connection until it is over, is to be closed (`None`), or the head that it is waiting for takes too long. `retire` tells it
/// to end with what is under way.
async fn until_over<F: Future>(
    line: &Line,
    timer: &mut Option<Pin<Box<Sleep>>>,
    mut connection: Pin<&mut F>,
    mut retire: impl FnMut(Pin<&mut F>),
) -> Option<F::Output> {
    let (closed, retired) = (pin!(line.close.cancelled()), pin!(line.retire.cancelled()));
    let (mut closed, mut retired) = (Rarely::new(closed), Rarely::new(retired));
    let mut draining = false;
    poll_fn(|cx| {
        loop {
            // How a client leaves is its own affair.
            if let Poll::Ready(over) = connection.as_mut().poll(cx) {
                return Poll::Ready(Some(over));
            }
            if closed.poll(cx).is_ready()
                || line.pace.poll_late(timer, cx, || line.core.table.load().patience.header).is_ready()
            {
                return Poll::Ready(None);
            }
            if draining || retired.poll(cx).is_pending() {
                return Poll::Pending;
            }
            draining = true;
            retire(connection.as_mut());
        }
    })
    .await
}

/// A request, or over HTTP/2 a tunnel to open (boxed: it is rare, and would make every request's future larger).
async fn answer(busy: Busy, request: Box<Request<RequestBody>>) -> Result<Response<Delivery>, Broken> {
    if *request.method() == Method::CONNECT {
        return Box::pin(websocket::tunnel(busy, request)).await;
    }
    handle(busy, request).await
}

async fn serve_http2<S>(stream: S, line: Arc<Line>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let _open = Open::new(&line);
    let (close, retire) = (line.close.clone(), line.retire.clone());
    let streams = Streams(line.turns.clone().unwrap_or_else(|| Arc::new(Turns::new())));
    let (stream, outbox) = gather(Calm::new(stream, line.core.shared.guard.turned.counter(Reason::Flood)));
    let service = service_fn(move |request: Request<Incoming>| {
        Box::pin(answer(Busy::new(Arc::clone(&line)), Box::new(request.map(RequestBody::Hyper))))
    });
    let connection = http2::Builder::new(streams)
        .timer(TokioTimer::new())
        .max_concurrent_streams(250)
        .max_header_list_size(64 * 1024)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(100)
        .initial_stream_window_size(256 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .keep_alive_interval(Duration::from_secs(60))
        .keep_alive_timeout(Duration::from_secs(20))
        .enable_connect_protocol()
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let (close, retire) = (pin!(close.cancelled()), pin!(retire.cancelled()));
    let (mut close, mut retire) = (Rarely::new(close), Rarely::new(retire));
    let mut draining = false;
    poll_fn(|cx| {
        loop {
            let over = connection.as_mut().poll(cx).is_ready()
                || close.poll(cx).is_ready()
                || matches!(outbox.poll_send(cx), Poll::Ready(Err(_)));
            if over {
                return Poll::Ready(());
            }
            if draining || retire.poll(cx).is_pending() {
                return Poll::Pending;
            }
            draining = true;
            connection.as_mut().graceful_shutdown();
        }
    })
    .await;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::answer::Answer;
    use crate::gateway::forward::{Admitted, forward};
    use crate::gateway::head::Passage;

    /// What glibc's allocator keeps at hand when it is given back; for more it must search.
    const AT_HAND: usize = 1032;

    fn of_two<A, B, F>(_: fn(A, B) -> F) -> usize {
        size_of::<F>()
    }

    type Forward<'a, F> = fn(&'a Arc<Line>, Box<Request<RequestBody>>, &'a Passage<'a>, &'a Admitted) -> F;

    fn of_forward<'a, F: Future<Output = Result<Answer, Broken>>>(_: Forward<'a, F>) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_futures_of_a_request_are_blocks_that_the_allocator_has_at_hand() {
        for size in [of_two(handle), of_forward(forward)] {
            assert!(size <= AT_HAND, "{size} bytes");
        }
    }
}
