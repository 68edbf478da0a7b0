//! Responses on their way: until the session ends, with a stall limit, and the upstream connection back into its pool. Requests'
//! bodies are in `upload.rs`.

use super::guard::caps::Descriptor;
use super::upload::{Progress, TooLarge};
use super::upstream::{Connection, Lane, Reply, Ride, Ticket};
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
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::DropGuard;

/// What hyper is told when a message cannot be finished.
pub(super) type Broken = Box<dyn std::error::Error + Send + Sync>;

/// The stream is reset with CANCEL (HTTP/2) or its connection cut (HTTP/1): the session ended.
pub(super) fn cancelled() -> Broken {
    Box::new(h2::Error::from(Reason::CANCEL))
}

#[derive(Debug, thiserror::Error)]
#[error("the body came too slowly")]
pub(super) struct Stalled;

/// A part of a body, its end, or why there is none.
pub(super) type Part = Option<Result<Frame<Bytes>, Broken>>;

/// A response's body: ours, or an upstream's.
pub(super) enum Outgoing {
    Ours(Option<Bytes>),
    Theirs(Box<Download>),
}

/// A body as it comes from an upstream.
pub(super) enum Inner {
    Hyper(Incoming),
    Direct(Reply),
}

impl Inner {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Part> {
        match self {
            Self::Hyper(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Self::Direct(reply) => reply.poll_frame(cx),
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        match self {
            Self::Hyper(body) => body.is_end_stream(),
            Self::Direct(reply) => reply.is_end_stream(),
        }
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Hyper(body) => body.size_hint(),
            Self::Direct(reply) => reply.size_hint(),
        }
    }
}

/// An upstream's response on its way to the client.
pub(super) struct Download {
    pub(super) inner: Inner,
    /// What is held at the upstream until the response has ended; `None` where the body itself does.
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
    pub(super) ended: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
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

impl Held {
    /// The descriptor of a connection that nobody else uses.
    pub(super) fn descriptor(self) -> Option<Descriptor> {
        match self.carrier {
            Carrier::Own { connection } => connection.descriptor,
            Carrier::Pooled(..) | Carrier::Shared { .. } => None,
        }
    }
}

/// What carries a response.
pub(super) enum Carrier {
    /// An HTTP/1.1 connection, which goes back to its pool.
    Pooled(Connection, Arc<Lane>),
    /// One that nobody else uses: an upgrade.
    Own { connection: Connection },
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
        self.end_upload();
        if let Inner::Direct(reply) = &mut self.inner {
            reply.release();
        }
        if let Some(Held { carrier: Carrier::Pooled(connection, lane), .. }) = self.held.take()
            && sent
        {
            lane.give_back(connection);
        }
    }

    fn poll_inner(&mut self, cx: &mut Context<'_>) -> Poll<Part> {
        let inner = &mut self.inner;
        match &self.held {
            Some(Held { carrier: Carrier::Pooled(connection, _), .. }) => connection.hush.unless_over(|| {
                let part = inner.poll_frame(cx);
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
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error))),
            Poll::Pending => self.wait(cx),
        }
    }

    fn end_upload(&self) {
        if let Some(upload) = &self.upload {
            upload.end();
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
            let ended = self.ended.get_or_insert_with(|| Box::pin(Arc::clone(session).until_ended()));
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

impl Drop for Download {
    fn drop(&mut self) {
        self.end_upload();
    }
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
