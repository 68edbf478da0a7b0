//! How long a client's connection is waited for: the head of a request must come whole in time, and a connection that asks for
//! nothing is let go. A request that comes in one piece touches no timer and no clock.
//!
//! Deliberately absent: bodies and writes, which have limits of their own (`body.rs`, `patient.rs`).

use super::body::{Broken, Outgoing};
use super::connection::Line;
use super::guard::load::Place;
use super::upload::Progress;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How often a client that has closed its side is looked at, and at which look without progress it is gone: 30 s. A body that is not
/// whole at the first look will not become so.
const HALF_CLOSED: Duration = Duration::from_secs(5);
const HALF_CLOSED_TIMES: u8 = 6;

/// How often a core looks for idle connections.
pub(super) const LOOK: Duration = Duration::from_secs(5);

/// What a connection is doing. Only its own core writes it.
pub(super) struct Pace {
    /// Requests so far.
    asked: AtomicU64,
    /// Requests whose answer is not delivered yet.
    open: AtomicU64,
    /// Of them, those whose next step is the client's: it has to take what is there.
    owed: AtomicU64,
    /// Pieces of answers that it took.
    taken: AtomicU64,
    /// A head has begun and is not whole.
    in_head: AtomicBool,
    seen: AtomicU64,
    quiet_looks: AtomicU64,
    /// How far the last body came that was sent over HTTP/1.1.
    upload: Mutex<Option<Arc<Progress>>>,
    /// It became a WebSocket, whose end is at once the end of both directions.
    upgraded: AtomicBool,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            asked: AtomicU64::new(0),
            open: AtomicU64::new(0),
            owed: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            in_head: AtomicBool::new(true),
            seen: AtomicU64::new(0),
            quiet_looks: AtomicU64::new(0),
            upload: Mutex::default(),
            upgraded: AtomicBool::new(false),
        }
    }

    /// The request under way has a body.
    pub(super) fn uploads(&self, progress: &Arc<Progress>) {
        *self.upload.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(progress));
    }

    /// From now on the connection carries no HTTP.
    pub(super) fn upgrade(&self) {
        self.upgraded.store(true, Ordering::Relaxed);
    }

    /// Whether that body is not whole.
    fn lacks_body(&self) -> bool {
        let upload = self.upload.lock().unwrap_or_else(PoisonError::into_inner);
        upload.as_ref().is_some_and(|upload| !upload.is_sent())
    }

    /// Whether nothing was asked for and nothing is being answered, or nothing of all the answers that are there was taken (an
    /// HTTP/2 client may grant no window for ever), for this long, and less than [`LOOK`] more. Called once each
    /// [`LOOK`].
    pub(super) fn is_idle(&self, patience: Duration) -> bool {
        let (open, owed) = (self.open.load(Ordering::Relaxed), self.owed.load(Ordering::Relaxed));
        let asked = if owed == 0 { self.asked.load(Ordering::Relaxed) } else { 0 };
        let moved = asked.wrapping_add(self.taken.load(Ordering::Relaxed));
        let quiet = self.seen.swap(moved, Ordering::Relaxed) == moved && open == owed;
        let looks = if quiet { self.quiet_looks.load(Ordering::Relaxed) + 1 } else { 0 };
        self.quiet_looks.store(looks, Ordering::Relaxed);
        looks > patience.as_secs().div_ceil(LOOK.as_secs())
    }

    /// A head has begun, and is waited for.
    pub(super) fn begin_head(&self) {
        self.in_head.store(true, Ordering::Relaxed);
    }

    /// Only this core writes: a load and a store are enough.
    fn add(count: &AtomicU64, more: u64) {
        count.store(count.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
    }

    /// Ready when a head takes longer than `limit`. The timer exists only while a head is incomplete.
    pub(super) fn poll_late(
        &self,
        timer: &mut Option<Pin<Box<Sleep>>>,
        cx: &mut Context<'_>,
        limit: impl FnOnce() -> Duration,
    ) -> Poll<()> {
        if !self.in_head.load(Ordering::Relaxed) {
            *timer = None;
            return Poll::Pending;
        }
        timer.get_or_insert_with(|| Box::pin(sleep(limit()))).as_mut().poll(cx)
    }
}

/// A request under way: from its head to the end of its answer.
pub(super) struct Busy(Arc<Line>);

impl Busy {
    pub(super) fn new(line: Arc<Line>) -> Self {
        line.pace.asked.fetch_add(1, Ordering::Relaxed);
        line.pace.open.fetch_add(1, Ordering::Relaxed);
        line.pace.in_head.store(false, Ordering::Relaxed);
        Self(line)
    }

    pub(super) fn line(&self) -> &Arc<Line> {
        &self.0
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.pace.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream that outlives its answer, such as a WebSocket: its connection is not idle, and keeps its seat.
pub(super) struct Held(Arc<Line>);

impl Held {
    pub(super) fn new(line: Arc<Line>) -> Self {
        line.pace.open.fetch_add(1, Ordering::Relaxed);
        Self(line)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.pace.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer's body that keeps its request under way.
pub(super) struct Delivery {
    body: Outgoing,
    busy: Busy,
    /// Whether more must come from elsewhere first.
    waits: bool,
    /// Its place among the product's requests.
    _place: Option<Place>,
}

impl Delivery {
    pub(super) fn new(body: Outgoing, busy: Busy, place: Option<Place>) -> Self {
        Pace::add(&busy.0.pace.owed, 1);
        Self { body, busy, waits: false, _place: place }
    }

    pub(super) fn line(&self) -> &Arc<Line> {
        self.busy.line()
    }

    fn waits(&mut self, now: bool) {
        if self.waits != now {
            Pace::add(&self.busy.0.pace.owed, if now { u64::MAX } else { 1 });
            self.waits = now;
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.waits(true);
    }
}

impl Body for Delivery {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.waits(polled.is_pending());
        if polled.is_ready() {
            Pace::add(&self.busy.0.pace.taken, 1);
        }
        if let Some(turns) = &self.busy.line().turns {
            match &polled {
                Poll::Ready(_) => turns.gave(self.body.session()),
                Poll::Pending => turns.waits(),
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection, above TLS, that notices where a head begins: at the first byte while no request is under way. What a client
/// sends ahead counts from the first byte after the answer before it.
pub(super) struct Heads<S> {
    stream: S,
    line: Arc<Line>,
    /// What is read before anything else.
    received: Bytes,
    /// While a client that has closed its side is served on: the timer, and how often it has rung since the client took something.
    closed: Option<(Pin<Box<Sleep>>, u8)>,
}

impl<S> Heads<S> {
    pub(super) fn new(stream: S, line: Arc<Line>) -> Self {
        Self { stream, line, received: Bytes::new(), closed: None }
    }

    /// Gives back what was read, for who reads next. Nothing may be there that was given back before.
    pub(super) fn put_back(&mut self, received: Bytes) {
        self.received = received;
    }

    /// Reads what was given back.
    fn read_again(&mut self, buffer: &mut ReadBuf<'_>) {
        let length = self.received.len().min(buffer.remaining());
        buffer.put_slice(&self.received.split_to(length));
        if self.received.is_empty() {
            // Without the block that it was in.
            self.received = Bytes::new();
        }
    }

    /// The client sends no more. That may be all it has to ask, or its end: nobody can tell them apart. A request that is whole is
    /// served on for a while, and for as long as the client takes more of its answer.
    #[expect(clippy::disallowed_methods, reason = "a timer of the runtime ends by the runtime's clock")]
    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let pace = &self.line.pace;
        loop {
            if pace.open.load(Ordering::Relaxed) == 0 || pace.upgraded.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
            let (timer, rung) = self.closed.get_or_insert_with(|| (Box::pin(sleep(HALF_CLOSED)), 0));
            ready!(timer.as_mut().poll(cx));
            *rung += 1;
            if *rung >= HALF_CLOSED_TIMES || pace.lacks_body() {
                return Poll::Ready(Ok(()));
            }
            timer.as_mut().reset(Instant::now() + HALF_CLOSED);
        }
    }

    /// The client still takes something.
    fn took(&mut self) {
        if let Some((_, rung)) = &mut self.closed {
            *rung = 0;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heads<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = if !self.received.is_empty() {
            self.read_again(buffer);
            Poll::Ready(Ok(()))
        } else if self.closed.is_some() {
            return self.poll_closed(cx);
        } else {
            Pin::new(&mut self.stream).poll_read(cx, buffer)
        };
        if matches!(read, Poll::Ready(Ok(()))) && buffer.filled().len() == before && buffer.remaining() > 0 {
            return self.poll_closed(cx);
        }
        if buffer.filled().len() > before && self.line.pace.open.load(Ordering::Relaxed) == 0 {
            self.line.pace.begin_head();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heads<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if written.is_ready() {
            self.took();
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        if written.is_ready() {
            self.took();
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_idle_after_75_seconds_without_a_request() {
        let pace = Pace::new();
        let idle = Duration::from_secs(75);
        let looks = |pace: &Pace| (1..100).find(|_| pace.is_idle(idle));
        assert_eq!(looks(&pace), Some(16), "fifteen whole spans of five seconds");
        pace.asked.store(1, Ordering::Relaxed);
        assert!(!pace.is_idle(idle), "a request came");
        pace.open.store(1, Ordering::Relaxed);
        assert_eq!(looks(&pace), None, "a request under way is never idle");
        pace.owed.store(1, Ordering::Relaxed);
        assert!(looks(&pace).is_some(), "unless it is the client that must take its answer");
        pace.taken.store(1, Ordering::Relaxed);
        assert!(!pace.is_idle(idle), "it took a piece");
        pace.open.store(2, Ordering::Relaxed);
        assert_eq!(looks(&pace), None, "another one waits for its product");
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "how long a timer of the runtime's clock has left")]
    async fn a_head_has_ten_seconds_and_a_connection_without_one_has_no_timer() {
        let pace = Pace::new();
        let mut timer = None;
        let mut poll = |pace: &Pace| {
            let mut cx = Context::from_waker(std::task::Waker::noop());
            assert!(pace.poll_late(&mut timer, &mut cx, || Duration::from_secs(10)).is_pending());
            timer.as_ref().map(|timer| timer.deadline().duration_since(tokio::time::Instant::now()).as_secs())
        };
        assert_eq!(poll(&pace), Some(9), "a little less than ten");
        pace.in_head.store(false, Ordering::Relaxed);
        assert_eq!(poll(&pace), None);
    }
}
