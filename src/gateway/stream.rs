//! The task of each stream of an HTTP/2 connection, and how a stream ends whose client takes nothing.
//!
//! hyper asks a body for its next piece only when the client has granted a window for the last one. A stream without a window
//! therefore never hears that its session has ended, and would hold its upstream for as long as the client likes. Such a stream is
//! seen here, by what its body did last, and ended by dropping its task: that resets it with CANCEL, needs no window, and leaves
//! the other streams of the connection alone. A stream that flows costs two marks in a slot of its connection, no timer and no task.
//!
//! Deliberately absent: the socket that takes nothing at all (`patient.rs`), and what a body says when its session ends (`body.rs`).

use crate::web::LiveSession;
use hyper::rt::Executor;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::CancellationToken;

/// How long a client may take nothing of a stream; as long as a socket may take nothing (`patient.rs`).
const STALL: Duration = Duration::from_secs(60);

/// What a body did while its stream's task was polled.
#[derive(Default)]
enum Turn {
    /// It was not asked.
    #[default]
    Quiet,
    /// It has nothing yet.
    Waits,
    /// It gave a piece, in this session.
    Gave(Option<Arc<LiveSession>>),
    /// The stream becomes a tunnel, whose task ends with this.
    Tunnels(CancellationToken),
}

/// The last turn. One for all streams of a connection: they are polled one after the other, on one thread.
pub(super) struct Turns {
    /// Whether there is one: most polls have none, and need no lock.
    any: AtomicBool,
    last: Mutex<Turn>,
    stall: Duration,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self::giving_up_after(STALL)
    }

    fn giving_up_after(stall: Duration) -> Self {
        Self { any: AtomicBool::new(false), last: Mutex::default(), stall }
    }

    fn set(&self, turn: Turn) {
        self.any.store(true, Ordering::Relaxed);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = turn;
    }

    fn take(&self) -> Turn {
        if !self.any.load(Ordering::Relaxed) {
            return Turn::Quiet;
        }
        self.any.store(false, Ordering::Relaxed);
        std::mem::take(&mut self.last.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The body waits for its upstream.
    pub(super) fn waits(&self) {
        self.set(Turn::Waits);
    }

    /// The body gave a piece; it is held until the client grants a window.
    pub(super) fn gave(&self, session: Option<&Arc<LiveSession>>) {
        self.set(Turn::Gave(session.cloned()));
    }

    /// The answer under way opens a tunnel: cancelling the token resets whatever is left of its stream.
    pub(super) fn tunnels(&self, over: &CancellationToken) {
        self.set(Turn::Tunnels(over.clone()));
    }
}

/// Runs the streams of a connection.
#[derive(Clone)]
pub(super) struct Streams(pub(super) Arc<Turns>);

impl<F: Future<Output = ()> + Unpin + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let turns = Arc::clone(&self.0);
        // hyper hands over a tunnel's task while the answer that opened it is being sent: the token is that one's.
        let held = match turns.take() {
            Turn::Tunnels(over) => Some(Box::new(Held { ended: Some(Box::pin(over.cancelled_owned())), limit: None })),
            Turn::Quiet | Turn::Waits | Turn::Gave(_) => None,
        };
        drop(tokio::spawn(Task { turns, stream, held }));
    }
}

/// What ends a stream from outside.
struct Held {
    ended: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    limit: Option<Pin<Box<Sleep>>>,
}

impl Held {
    fn for_a_window(session: Option<Arc<LiveSession>>, stall: Duration) -> Self {
        let ended = session.map(|session| Box::pin(session.until_ended()) as _);
        Self { ended, limit: Some(Box::pin(sleep(stall))) }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let ended = self.ended.as_mut().is_some_and(|ended| ended.as_mut().poll(cx).is_ready());
        let late = self.limit.as_mut().is_some_and(|limit| limit.as_mut().poll(cx).is_ready());
        if ended || late { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// One stream: its request, then its answer's body.
struct Task<F> {
    turns: Arc<Turns>,
    stream: F,
    held: Option<Box<Held>>,
}

impl<F: Future<Output = ()> + Unpin> Future for Task<F> {
    type Output = ();

    /// Ready when the stream is done, or is to be dropped.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let me = &mut *self;
        // First: a tunnel that is over must not be closed as if it were whole.
        if me.held.as_mut().is_some_and(|held| held.poll(cx).is_ready()) {
            return Poll::Ready(());
        }
        let polled = Pin::new(&mut me.stream).poll(cx);
        let turn = me.turns.take();
        if polled.is_ready() {
            return Poll::Ready(());
        }
        match turn {
            Turn::Gave(session) => me.held = Some(Box::new(Held::for_a_window(session, me.turns.stall))),
            Turn::Waits => me.held = None,
            Turn::Quiet | Turn::Tunnels(_) => {}
        }
        match &mut me.held {
            Some(held) => held.poll(cx),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::time::timeout;

    /// A stream whose body does `turn` once, and which then waits for ever.
    async fn ends(turn: fn(&Turns)) -> bool {
        let turns = Arc::new(Turns::giving_up_after(Duration::from_millis(50)));
        let (its, mut first) = (Arc::clone(&turns), true);
        let stream = poll_fn(move |_| {
            if std::mem::take(&mut first) {
                turn(&its);
            }
            Poll::<()>::Pending
        });
        timeout(Duration::from_millis(500), Task { turns, stream, held: None }).await.is_ok()
    }

    #[tokio::test]
    async fn a_stream_that_holds_a_piece_for_too_long_is_dropped_and_one_that_waits_is_not() {
        assert!(ends(|turns| turns.gave(None)).await);
        assert!(!ends(Turns::waits).await);
        assert!(!ends(|_| ()).await);
    }
}
