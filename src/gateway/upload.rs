//! Requests' bodies on their way to an upstream: the client's or one that was kept, with limits of size and pace, filtered trailers,
//! and an end when nobody waits for the answer any more.

use super::body::{Broken, Part, Stalled, cancelled};
use super::options::Site;
use super::spool::Reader;
use super::table::Target;
use crate::kernel::request::fields;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// From when on a body must keep up [`FLOOR`], and the bytes per second that it must keep: a body at one byte per 29 s holds an
/// upstream connection for days.
const FLOOR_AFTER: Duration = Duration::from_secs(60);
const FLOOR: u64 = 64;

#[derive(Debug, thiserror::Error)]
#[error("the body is larger than the product allows")]
pub(super) struct TooLarge;

/// How far a request's body came.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// It was sent to its end.
    sent: AtomicBool,
    /// The client stopped, stalled, or sent what is no body.
    broken: AtomicBool,
    /// It passed the product's limit.
    too_large: AtomicBool,
    /// Its answer has ended: nobody waits for the rest.
    over: AtomicBool,
    /// Who is to be told so.
    waiting: Mutex<Option<Waker>>,
}

impl Progress {
    pub(super) fn is_sent(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// The answer has ended, will not come, or was cut with its session: what is left of the body goes nowhere. On HTTP/1.1 the connection ends; on
    /// HTTP/2 the upload would go on beside it.
    pub(super) fn end(&self) {
        if !self.is_sent() {
            self.over.store(true, Ordering::Relaxed);
            let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    /// Whether it has; the task is woken when it does.
    fn poll_over(&self, cx: &mut Context<'_>) -> bool {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        self.over.load(Ordering::Relaxed)
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
}

/// Where it comes from.
enum Source {
    /// The client.
    Client(RequestBody),
    /// It was kept (rule H9).
    Kept(Reader),
    /// It was read whole, and judged.
    Read(Option<Bytes>),
}

impl Upload {
    /// No body.
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// Wraps a body, and says how to learn how far it came; `None` when there is no body.
    pub(super) fn new(inner: RequestBody, site: &Site) -> (Self, Option<Arc<Progress>>) {
        if inner.is_end_stream() {
            return (Self(None), None);
        }
        let (upload, progress) = Self::carry(Source::Client(inner), site);
        (upload, Some(progress))
    }

    /// A body that was read whole.
    pub(super) fn read(body: Bytes, site: &Site) -> (Self, Arc<Progress>) {
        Self::carry(Source::Read(Some(body)), site)
    }

    /// The body of a kept request, also where it is empty.
    pub(super) fn kept(reader: Reader, site: &Site) -> (Self, Arc<Progress>) {
        Self::carry(Source::Kept(reader), site)
    }

    #[expect(clippy::disallowed_methods, reason = "a body's pace is measured by the runtime's clock, like its timers")]
    fn carry(inner: Source, site: &Site) -> (Self, Arc<Progress>) {
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

impl Carried {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Part> {
        // An upstream that takes trailers shares its connection.
        if self.trailing.is_some() && self.progress.poll_over(cx) {
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

/// A request's body as it comes from a client.
pub(super) enum RequestBody {
    /// There is none: it was read by `front`.
    Nothing,
    Hyper(Incoming),
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Part> {
        match self.get_mut() {
            Self::Nothing => Poll::Ready(None),
            Self::Hyper(inner) => Pin::new(inner).poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Hyper(inner) => inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Nothing => SizeHint::with_exact(0),
            Self::Hyper(inner) => inner.size_hint(),
        }
    }
}

impl Body for Source {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Part> {
        match self.get_mut() {
            Self::Client(inner) => Pin::new(inner).poll_frame(cx),
            Self::Kept(reader) => reader.poll(cx).map_ok(Frame::data),
            Self::Read(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Client(inner) => inner.is_end_stream(),
            Self::Kept(reader) => reader.left() == 0,
            Self::Read(body) => body.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Client(inner) => inner.size_hint(),
            Self::Kept(reader) => SizeHint::with_exact(reader.left()),
            Self::Read(body) => {
                let left = body.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(left).unwrap_or(u64::MAX))
            }
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
