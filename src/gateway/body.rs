//! Bodies on their way: up with a stall limit, down until the session ends, and the upstream connection back into its pool.

use super::pool::{Connection, Lane};
use super::spool::Reader;
use crate::kernel::request::fields;
use crate::web::LiveSession;
use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, header};
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
    /// Instead of it: a body that was kept (rule H9).
    kept: Option<Box<Reader>>,
    progress: Option<Arc<Progress>>,
    stall: Option<Pin<Box<Sleep>>>,
    began: Option<Instant>,
    bytes: u64,
}

impl Upload {
    /// Wraps a body, and says how to learn how far it came; `None` when there is no body.
    #[expect(clippy::disallowed_methods, reason = "a body's pace is measured by the runtime's clock, like its timers")]
    pub(super) fn new(inner: Incoming) -> (Self, Option<Arc<Progress>>) {
        let bare = Self { inner: None, kept: None, progress: None, stall: None, began: None, bytes: 0 };
        if inner.is_end_stream() {
            return (bare, None);
        }
        let progress = Arc::new(Progress::default());
        (
            Self { inner: Some(inner), progress: Some(Arc::clone(&progress)), began: Some(Instant::now()), ..bare },
            Some(progress),
        )
    }

    /// The body of a kept request.
    pub(super) fn kept(reader: Reader) -> (Self, Arc<Progress>) {
        let progress = Arc::new(Progress::default());
        let (kept, told) = (Some(Box::new(reader)), Some(Arc::clone(&progress)));
        (Self { inner: None, kept, progress: told, stall: None, began: None, bytes: 0 }, progress)
    }

    fn poll_kept(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let Some(kept) = self.kept.as_mut() else { return Poll::Ready(None) };
        match ready!(kept.poll(cx)) {
            Some(Ok(bytes)) => {
                if kept.left() == 0 {
                    self.finish();
                }
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Some(Err(error)) => self.fail(error),
            None => {
                self.finish();
                Poll::Ready(None)
            }
        }
    }

    fn finish(&mut self) {
        self.inner = None;
        self.kept = None;
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
            let Some(inner) = self.inner.as_mut() else { return self.poll_kept(cx) };
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
        match &self.inner {
            Some(inner) => inner.is_end_stream(),
            None => self.kept.as_ref().is_none_or(|kept| kept.left() == 0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Some(inner) => inner.size_hint(),
            None => SizeHint::with_exact(self.kept.as_ref().map_or(0, |kept| kept.left())),
        }
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
            return Poll::Ready(Some(Err(cancelled())));
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

    /// Nothing has come: wake up when the session ends, or when it takes too long.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(session) = &self.session {
            let ended = self.ended.get_or_insert_with(|| Box::pin(session.ended.clone().cancelled_owned()));
            if ended.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Some(Err(cancelled())));
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

/// Rule H7 holds for trailers too.
fn clean_trailers(trailers: &mut HeaderMap) {
    let kept = |name: &str| {
        !fields::is_kept_from_browsers(name)
            && !fields::is_hop_by_hop(name)
            && name != "set-cookie"
            && name != "clear-site-data"
    };
    let doomed: Vec<_> = trailers.keys().filter(|name| !kept(name.as_str())).cloned().collect();
    for name in doomed {
        trailers.remove(name);
    }
    trailers.remove(header::CONTENT_LENGTH);
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
