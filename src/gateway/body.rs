//! Bodies on their way: up with a stall limit, down until the session ends, and the upstream connection back into its pool.

use super::options::Site;
use super::spool::Reader;
use super::table::Target;
use super::upstream::{Connection, Lane, Ride, Ticket};
use crate::kernel::request::fields;
use crate::web::LiveSession;
use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::{DropGuard, WaitForCancellationFutureOwned};

/// What hyper is told when a message cannot be finished.
pub(super) type Broken = Box<dyn std::error::Error + Send + Sync>;

/// From when on a body must keep up [`FLOOR`], and the bytes per second that it must keep: a body at one byte per 29 s holds an
/// upstream connection for days.
const FLOOR_AFTER: Duration = Duration::from_secs(60);
const FLOOR: u64 = 64;

/// The stream is reset with CANCEL (HTTP/2) or its connection cut (HTTP/1): the session ended.
pub(super) fn cancelled() -> Broken {
    Box::new(h2::Error::from(Reason::CANCEL))
}

#[derive(Debug, thiserror::Error)]
#[error("the body came too slowly")]
struct Stalled;

#[derive(Debug, thiserror::Error)]
#[error("the body is larger than the product allows")]
struct TooLarge;

/// How far a request's body came.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// It was sent to its end.
    sent: AtomicBool,
    /// The client stopped, stalled, or sent what is no body.
    broken: AtomicBool,
    /// It passed the product's limit.
    too_large: AtomicBool,
}

impl Progress {
    pub(super) fn is_sent(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    pub(super) fn is_too_large(&self) -> bool {
        self.too_large.load(Ordering::Relaxed)
    }
}

/// A request's body on its way to an upstream. Trailers end here unless the upstream speaks HTTP/2 (rule H7). Most requests have
/// no body: what one needs is in a box.
pub(super) struct Upload(Option<Box<Carried>>);

struct Carried {
    inner: Source,
    progress: Arc<Progress>,
    stall: Option<Pin<Box<Sleep>>>,
    /// How long the client may send nothing.
    patience: Duration,
    began: Instant,
    bytes: u64,
    most: u64,
    /// Whose names trailers must not carry; without it none pass.
    trailing: Option<Arc<Target>>,
    /// The end of the session: an upstream by HTTP/2 would be sent more though its answer was cut.
    ended: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

/// Where it comes from.
enum Source {
    /// The client.
    Client(Incoming),
    /// It was kept (rule H9).
    Kept(Reader),
}

impl Upload {
    /// No body.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// Wraps a body, and says how to learn how far it came; `None` when there is no body.
    pub(super) fn new(inner: Incoming, site: &Site, live: Option<&LiveSession>) -> (Self, Option<Arc<Progress>>) {
        if inner.is_end_stream() {
            return (Self(None), None);
        }
        let (upload, progress) = Self::carry(Source::Client(inner), site, live);
        (upload, Some(progress))
    }

    /// The body of a kept request, also where it is empty.
    pub(super) fn kept(reader: Reader, site: &Site, live: Option<&LiveSession>) -> (Self, Arc<Progress>) {
        Self::carry(Source::Kept(reader), site, live)
    }

    #[expect(clippy::disallowed_methods, reason = "a body's pace is measured by the runtime's clock, like its timers")]
    fn carry(inner: Source, site: &Site, live: Option<&LiveSession>) -> (Self, Arc<Progress>) {
        let progress = Arc::new(Progress::default());
        let carried = Carried {
            inner,
            progress: Arc::clone(&progress),
            stall: None,
            patience: site.reach.timeouts.upload,
            began: Instant::now(),
            bytes: 0,
            most: site.reach.sizes.body.unwrap_or(u64::MAX),
            trailing: None,
            ended: live.map(|live| Box::pin(live.ended.clone().cancelled_owned())),
        };
        (Self(Some(Box::new(carried))), progress)
    }

    /// The upstream can take trailers.
    pub(super) fn let_trailers_pass(&mut self, target: &Arc<Target>) {
        if let Some(carried) = &mut self.0 {
            carried.trailing = Some(Arc::clone(target));
        }
    }

    /// It cannot.
    pub(super) fn stop_trailers(&mut self) {
        if let Some(carried) = &mut self.0 {
            carried.trailing = None;
        }
    }

    fn finish(&mut self) {
        if let Some(carried) = self.0.take() {
            carried.progress.sent.store(true, Ordering::Relaxed);
        }
    }
}

/// A part of a body, its end, or why there is none.
type Part = Option<Result<Frame<Bytes>, Broken>>;

impl Carried {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Part> {
        if self.ended.as_mut().is_some_and(|ended| ended.as_mut().poll(cx).is_ready()) {
            return self.fail(cancelled());
        }
        loop {
            match Pin::new(&mut self.inner).poll_frame(cx) {
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => return self.fail(error),
                Poll::Ready(Some(Ok(frame))) => {
                    self.stall = None;
                    match frame.into_data() {
                        Ok(data) => return self.pass(data),
                        Err(frame) => match self.trailers(frame) {
                            Some(trailers) => return Poll::Ready(Some(Ok(trailers))),
                            None => continue,
                        },
                    }
                }
                Poll::Pending => {
                    let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(self.patience)));
                    ready!(stall.as_mut().poll(cx));
                    return self.fail(Stalled.into());
                }
            }
        }
    }

    fn pass(&mut self, data: Bytes) -> Poll<Part> {
        self.bytes = self.bytes.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        if self.bytes > self.most {
            self.progress.too_large.store(true, Ordering::Relaxed);
            return self.fail(TooLarge.into());
        }
        if self.is_too_slow() {
            return self.fail(Stalled.into());
        }
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    /// Rule H7 holds for trailers: a server may merge them into the head.
    fn trailers(&self, frame: Frame<Bytes>) -> Option<Frame<Bytes>> {
        let target = self.trailing.as_ref()?;
        let mut trailers = frame.into_trailers().ok()?;
        let may = |name: &str| fields::may_trail(name) && !target.mapped.removes(name);
        let doomed: Vec<_> = trailers.keys().filter(|name| !may(name.as_str())).cloned().collect();
        for name in doomed {
            trailers.remove(name);
        }
        (!trailers.is_empty()).then(|| Frame::trailers(trailers))
    }

    fn fail(&mut self, error: Broken) -> Poll<Part> {
        self.progress.broken.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(error)))
    }

    fn is_too_slow(&self) -> bool {
        let spent = self.began.elapsed();
        spent > FLOOR_AFTER && self.bytes / spent.as_secs().max(1) < FLOOR
    }
}

impl Body for Source {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Part> {
        match self.get_mut() {
            Self::Client(inner) => Pin::new(inner).poll_frame(cx).map_err(Into::into),
            Self::Kept(reader) => reader.poll(cx).map_ok(Frame::data),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Client(inner) => inner.is_end_stream(),
            Self::Kept(reader) => reader.left() == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Client(inner) => inner.size_hint(),
            Self::Kept(reader) => SizeHint::with_exact(reader.left()),
        }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Part> {
        let Some(carried) = &mut self.0 else { return Poll::Ready(None) };
        let part = ready!(carried.poll(cx));
        let over = match &part {
            None => true,
            Some(Ok(_)) => carried.inner.is_end_stream(),
            Some(Err(_)) => false,
        };
        if over {
            self.finish();
        }
        Poll::Ready(part)
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|carried| carried.inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), |carried| carried.inner.size_hint())
    }
}

/// A response's body: ours, or an upstream's.
pub(super) enum Outgoing {
    Ours(Option<Bytes>),
    Theirs(Box<Download>),
}

/// An upstream's response on its way to the client.
pub(super) struct Download {
    pub(super) inner: Incoming,
    /// What is held at the upstream until the response has ended.
    pub(super) held: Option<Held>,
    /// Bytes that may still come.
    pub(super) left: u64,
    /// How long nothing may come of a response whose length is known.
    pub(super) patience: Duration,
    /// When it must be over, if the product says so.
    pub(super) deadline: Option<Pin<Box<Sleep>>>,
    /// Whether the request's body was sent to its end; a connection with an early reply is not used again.
    pub(super) upload: Option<Arc<Progress>>,
    pub(super) session: Option<Arc<LiveSession>>,
    pub(super) ended: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// Counted and watched while it lives; see `forward.rs`.
    pub(super) watched: Option<Watched>,
    pub(super) stall: Option<Pin<Box<Sleep>>>,
    /// Over HTTP/2 and a gRPC call: its end is said in trailers.
    pub(super) grpc: bool,
}

/// A response's place at its upstream.
pub(super) struct Held {
    pub(super) carrier: Carrier,
    /// Counts it among the requests in flight; `None` with a single upstream.
    pub(super) _ticket: Option<Ticket>,
}

/// What carries a response.
pub(super) enum Carrier {
    /// An HTTP/1.1 connection, which goes back to its pool.
    Pooled(Connection, Arc<Lane>),
    /// One that nobody else uses: an upgrade.
    Own { _connection: Connection },
    /// A place on a shared HTTP/2 connection.
    Shared { _ride: Ride },
}

/// Held by a response that may last: dropping it ends the watch, and counts the stream as closed.
pub(super) struct Watched {
    pub(super) _over: DropGuard,
    pub(super) _open: OpenStream,
}

/// Counts one open stream while it lives.
pub(super) struct OpenStream(prometheus_client::metrics::gauge::Gauge);

impl OpenStream {
    pub(super) fn new(gauge: &prometheus_client::metrics::gauge::Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Outgoing {
    pub(super) fn empty() -> Self {
        Self::Ours(None)
    }

    /// The session that it belongs to.
    pub(super) fn session(&self) -> Option<&Arc<LiveSession>> {
        match self {
            Self::Ours(_) => None,
            Self::Theirs(download) => download.session.as_ref(),
        }
    }
}

impl From<Bytes> for Outgoing {
    fn from(bytes: Bytes) -> Self {
        Self::Ours((!bytes.is_empty()).then_some(bytes))
    }
}

impl Download {
    /// The response is complete: its connection can serve the next request.
    pub(super) fn finish(&mut self) {
        self.watched = None;
        let sent = self.upload.as_ref().is_none_or(|upload| upload.is_sent());
        if let Some(Held { carrier: Carrier::Pooled(connection, lane), .. }) = self.held.take()
            && sent
        {
            lane.give_back(connection);
        }
    }

    fn poll_inner(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut inner = Pin::new(&mut self.inner);
        match &self.held {
            Some(Held { carrier: Carrier::Pooled(connection, _), .. }) => connection.hush.unless_over(|| {
                let part = inner.as_mut().poll_frame(cx);
                (part, inner.is_end_stream())
            }),
            _ => inner.poll_frame(cx),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Part> {
        if self.session.as_ref().is_some_and(|session| session.ended.is_cancelled()) {
            return self.cut();
        }
        if self.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(Some(Err(Stalled.into())));
        }
        match self.poll_inner(cx) {
            Poll::Ready(None) => {
                self.finish();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Ok(mut frame))) => {
                self.stall = None;
                if let Some(data) = frame.data_ref() {
                    let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                    let Some(left) = self.left.checked_sub(length) else {
                        return Poll::Ready(Some(Err(TooLarge.into())));
                    };
                    self.left = left;
                } else if let Some(trailers) = frame.trailers_mut() {
                    clean_trailers(trailers);
                }
                if self.inner.is_end_stream() {
                    self.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Pending => self.wait(cx),
        }
    }

    /// The session has ended. A gRPC call is told so in trailers, which are its end.
    fn cut(&mut self) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.watched = None;
        if !std::mem::take(&mut self.grpc) {
            return Poll::Ready(Some(Err(cancelled())));
        }
        let status = [("grpc-status", "16"), ("grpc-message", "the session has ended")];
        let trailers = status.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Poll::Ready(Some(Ok(Frame::trailers(HeaderMap::from_iter(trailers)))))
    }

    /// Nothing has come: wake up when the session ends, or when it takes too long.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Part> {
        if let Some(session) = &self.session {
            let ended = self.ended.get_or_insert_with(|| Box::pin(session.ended.clone().cancelled_owned()));
            if ended.as_mut().poll(cx).is_ready() {
                return self.cut();
            }
        }
        if self.inner.size_hint().exact().is_some() {
            let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(self.patience)));
            if stall.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Some(Err(Stalled.into())));
            }
        }
        Poll::Pending
    }
}

/// Whether the response is one of gRPC: `application/grpc`, and what is built on it.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.and_then(|kind| kind.strip_prefix(b"application/grpc"))
        .is_some_and(|rest| rest.first().is_none_or(|next| matches!(next, b'+' | b';' | b' ')))
}

/// Whether a trailer may pass: rule H7 holds for trailers too. `name` in lower case.
fn is_trailer(name: &str) -> bool {
    !fields::is_kept_from_browsers(name)
        && !fields::is_hop_by_hop(name)
        && !matches!(name, "set-cookie" | "clear-site-data" | "content-length")
}

fn clean_trailers(trailers: &mut HeaderMap) {
    let doomed: Vec<_> = trailers.keys().filter(|name| !is_trailer(name.as_str())).cloned().collect();
    for name in doomed {
        trailers.remove(name);
    }
}

/// The trailers that a response announces and that may pass. Over HTTP/1.1 only announced ones are sent, and only to a client that
/// said `TE: trailers`.
pub(super) fn announced_trailers(headers: &HeaderMap) -> Option<HeaderValue> {
    let values = headers.get_all(header::TRAILER).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase());
    let kept: Vec<String> = names.filter(|name| !name.is_empty() && is_trailer(name)).collect();
    if kept.is_empty() { None } else { HeaderValue::try_from(kept.join(", ")).ok() }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Part> {
        match &mut *self {
            Self::Ours(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Theirs(download) => download.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Ours(bytes) => bytes.is_none(),
            Self::Theirs(download) => download.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Ours(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX)))
            }
            Self::Theirs(download) => download.inner.size_hint(),
        }
    }
}
