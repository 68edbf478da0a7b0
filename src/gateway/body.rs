//! Bodies on their way: up with a stall limit, down until the session ends, and the upstream connection back into its pool.

use super::pool::{Connection, Lane};
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

/// How long a client may send nothing of a body that it announced.
const UPLOAD_STALL: Duration = Duration::from_secs(30);

/// From when on a body must keep up [`FLOOR`], and the bytes per second that it must keep: a body at one byte per 29 s holds an
/// upstream connection for days.
const FLOOR_AFTER: Duration = Duration::from_secs(60);
const FLOOR: u64 = 64;

/// How long an upstream may send nothing of a body that has an announced end.
const DOWNLOAD_STALL: Duration = Duration::from_secs(300);

/// The stream is reset with CANCEL (HTTP/2) or its connection cut (HTTP/1): the session ended.
pub(super) fn cancelled() -> Broken {
    Box::new(h2::Error::from(Reason::CANCEL))
}

#[derive(Debug, thiserror::Error)]
#[error("the body came too slowly")]
struct Stalled;

/// How far a request's body came.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// It was sent to its end.
    sent: AtomicBool,
    /// The client stopped, stalled, or sent what is no body.
    broken: AtomicBool,
}

impl Progress {
    pub(super) fn is_sent(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }
}

/// A request's body on its way to an upstream. Trailers end here (rule H7).
pub(super) struct Upload {
    inner: Option<Incoming>,
    progress: Option<Arc<Progress>>,
    stall: Option<Pin<Box<Sleep>>>,
    began: Option<Instant>,
    bytes: u64,
}

impl Upload {
    /// Wraps a body, and says how to learn how far it came; `None` when there is no body.
    #[expect(clippy::disallowed_methods, reason = "a body's pace is measured by the runtime's clock, like its timers")]
    pub(super) fn new(inner: Incoming) -> (Self, Option<Arc<Progress>>) {
        let bare = Self { inner: None, progress: None, stall: None, began: None, bytes: 0 };
        if inner.is_end_stream() {
            return (bare, None);
        }
        let progress = Arc::new(Progress::default());
        (
            Self { inner: Some(inner), progress: Some(Arc::clone(&progress)), began: Some(Instant::now()), ..bare },
            Some(progress),
        )
    }

    fn finish(&mut self) {
        self.inner = None;
        self.stall = None;
        if let Some(progress) = self.progress.take() {
            progress.sent.store(true, Ordering::Relaxed);
        }
    }

    fn fail(&mut self, error: Broken) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(progress) = self.progress.take() {
            progress.broken.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Some(Err(error)))
    }

    fn is_too_slow(&self) -> bool {
        self.began.is_some_and(|began| {
            let spent = began.elapsed();
            spent > FLOOR_AFTER && self.bytes / spent.as_secs().max(1) < FLOOR
        })
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        loop {
            let Some(inner) = self.inner.as_mut() else { return Poll::Ready(None) };
            match Pin::new(inner).poll_frame(cx) {
                Poll::Ready(None) => {
                    self.finish();
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Err(error))) => return self.fail(error.into()),
                Poll::Ready(Some(Ok(frame))) => {
                    self.stall = None;
                    let Ok(data) = frame.into_data() else { continue };
                    self.bytes = self.bytes.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
                    if self.is_too_slow() {
                        return self.fail(Stalled.into());
                    }
                    if self.inner.as_ref().is_some_and(Body::is_end_stream) {
                        self.finish();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Poll::Pending => {
                    let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(UPLOAD_STALL)));
                    ready!(stall.as_mut().poll(cx));
                    return self.fail(Stalled.into());
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
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
    /// Goes back to the pool when the response has ended.
    pub(super) back: Option<(Connection, Arc<Lane>)>,
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
        if let Some((connection, lane)) = self.back.take()
            && sent
        {
            lane.give_back(connection);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.session.as_ref().is_some_and(|session| session.ended.is_cancelled()) {
            return self.cut();
        }
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(None) => {
                self.finish();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Ok(mut frame))) => {
                self.stall = None;
                if let Some(trailers) = frame.trailers_mut() {
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
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(session) = &self.session {
            let ended = self.ended.get_or_insert_with(|| Box::pin(session.ended.clone().cancelled_owned()));
            if ended.as_mut().poll(cx).is_ready() {
                return self.cut();
            }
        }
        if self.inner.size_hint().exact().is_some() {
            let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(DOWNLOAD_STALL)));
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

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
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
