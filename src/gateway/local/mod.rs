//! Runs the streams of an HTTP/2 connection inside the connection's own task. A task for each would be a block of memory for which
//! the allocator must search (tokio aligns tasks to cache lines), and one more turn of the loop between an answer and its frames.
//!
//! A stream is polled when it was woken, and the connection when it was; what they do to each other is seen in the same turn.
//! Deliberately absent: any order among streams but the one in which they were woken, and what a stream's turn means (`stream.rs`).

mod bell;

use self::bell::{Bell, Chime, Inbox};
use super::stream::{Task, Turns};
use hyper::rt::Executor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// How often streams and connection have their turn before the rest of the core has its own.
const ROUNDS: usize = 8;

/// How many places a connection keeps for its next streams.
const KEPT: usize = 8;

/// Where hyper leaves new streams.
#[derive(Clone)]
pub(super) struct Streams(Arc<Bell>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let task = Task::new(Box::pin(stream), &self.0.turns);
        self.0.inbox().new.push(task);
        self.0.ring();
    }
}

/// A stream's place. Its waker is used again for the next stream, whom a late ring of the last one's does no harm.
struct Place {
    task: Option<Task>,
    chime: Arc<Chime>,
    waker: Waker,
}

/// The streams of a connection.
pub(super) struct Local {
    bell: Arc<Bell>,
    waker: Waker,
    places: Vec<Place>,
    free: Vec<usize>,
    /// Emptied, and used again.
    inbox: Inbox,
}

impl Local {
    pub(super) fn new(turns: Arc<Turns>) -> Self {
        let bell = Arc::new(Bell::new(turns));
        let waker = Waker::from(Arc::clone(&bell));
        Self { bell, waker, places: Vec::new(), free: Vec::new(), inbox: Inbox::default() }
    }

    /// What hyper runs streams with.
    pub(super) fn streams(&self) -> Streams {
        Streams(Arc::clone(&self.bell))
    }

    /// What wakes the connection; for whatever else it waits for, too.
    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// The connection has something to do that nobody wakes it for.
    pub(super) fn ask_connection(&self) {
        self.bell.ask_connection();
    }

    /// Polls whoever was woken, until nobody is. Ready when the connection is.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut connection: impl FnMut(&mut Context<'_>) -> Poll<()>,
    ) -> Poll<()> {
        self.bell.listen(cx.waker());
        for _ in 0..ROUNDS {
            self.bell.begin_turn();
            self.poll_streams();
            if self.bell.take_connection() && connection(&mut Context::from_waker(&self.waker)).is_ready() {
                return Poll::Ready(());
            }
            if self.bell.may_sleep() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_streams(&mut self) {
        let mut inbox = std::mem::take(&mut self.inbox);
        std::mem::swap(&mut inbox, &mut *self.bell.inbox());
        for place in inbox.woken.drain(..) {
            self.poll_stream(place);
        }
        for task in inbox.new.drain(..) {
            let place = self.seat(task);
            self.poll_stream(place);
        }
        self.inbox = inbox;
        if self.free.len() > KEPT && self.free.len() == self.places.len() {
            self.places = Vec::new();
            self.free = Vec::new();
            self.inbox = Inbox::default();
        }
    }

    fn seat(&mut self, task: Task) -> usize {
        if let Some(place) = self.free.pop()
            && let Some(empty) = self.places.get_mut(place)
        {
            empty.task = Some(task);
            return place;
        }
        let place = self.places.len();
        let chime = Arc::new(Chime::new(Arc::clone(&self.bell), place));
        self.places.push(Place { task: Some(task), waker: Waker::from(Arc::clone(&chime)), chime });
        place
    }

    fn poll_stream(&mut self, place: usize) {
        let Some(Place { task: running, chime, waker }) = self.places.get_mut(place) else { return };
        chime.silence();
        let Some(task) = running else { return };
        let turns = &self.bell.turns;
        // A stream that panics ends alone, as it would in a task of its own.
        let polled = catch_unwind(AssertUnwindSafe(|| task.poll(turns, &mut Context::from_waker(waker))));
        if polled.is_ok_and(|polled| polled.is_pending()) {
            return;
        }
        *running = None;
        self.free.push(place);
    }
}

impl Drop for Local {
    /// A stream that nobody began with would keep the bell, which keeps it.
    fn drop(&mut self) {
        let left = std::mem::take(&mut *self.bell.inbox());
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::Duration;
    use tokio::sync::Notify;
    use tokio::time::timeout;

    /// A connection that counts its polls, keeps its waker, and ends when it is told to.
    #[derive(Clone, Default)]
    struct Connection(Arc<(AtomicUsize, AtomicBool, Mutex<Option<Waker>>)>);

    impl Connection {
        fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
            self.0.0.fetch_add(1, Ordering::SeqCst);
            *self.0.2.lock().unwrap() = Some(cx.waker().clone());
            if self.0.1.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
        }

        fn wake(&self) {
            self.0.2.lock().unwrap().as_ref().unwrap().wake_by_ref();
        }

        fn polls(&self) -> usize {
            self.0.0.load(Ordering::SeqCst)
        }
    }

    fn run(mut local: Local, connection: Connection) -> tokio::task::JoinHandle<Local> {
        tokio::spawn(async move {
            poll_fn(|cx| local.poll(cx, |cx| connection.poll(cx))).await;
            local
        })
    }

    fn local() -> Local {
        Local::new(Arc::new(Turns::new()))
    }

    async fn settle() {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn only_who_was_woken_is_polled() {
        let (local, connection, streams) =
            (local(), Connection::default(), Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]));
        let executor = local.streams();
        let notes = [Arc::new(Notify::new()), Arc::new(Notify::new())];
        for (place, note) in notes.iter().cloned().enumerate() {
            let streams = Arc::clone(&streams);
            executor.execute(async move {
                loop {
                    let mut waiting = pin!(note.notified());
                    poll_fn(|cx| {
                        streams[place].fetch_add(1, Ordering::SeqCst);
                        waiting.as_mut().poll(cx)
                    })
                    .await;
                }
            });
        }
        run(local, connection.clone());
        settle().await;
        let count = |place: usize| streams[place].load(Ordering::SeqCst);
        assert_eq!((count(0), count(1), connection.polls()), (1, 1, 1));
        notes[1].notify_one();
        settle().await;
        assert_eq!((count(0), connection.polls()), (1, 1));
        assert!(count(1) > 1);
        connection.wake();
        settle().await;
        assert_eq!((count(0), connection.polls()), (1, 2));
    }

    #[tokio::test]
    async fn what_a_stream_says_reaches_the_connection_and_its_end_ends_all() {
        struct Flag(Arc<AtomicBool>);
        impl Drop for Flag {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let (local, connection, dropped) = (local(), Connection::default(), Arc::new(AtomicBool::new(false)));
        let (executor, bell) = (local.streams(), Arc::downgrade(&local.bell));
        let (flag, ends) = (Flag(Arc::clone(&dropped)), connection.clone());
        executor.execute(async move {
            let _flag = flag;
            std::future::pending::<()>().await;
        });
        executor.execute(async move {
            ends.0.1.store(true, Ordering::SeqCst);
            ends.wake();
        });
        let first = connection.clone();
        assert!(first.poll(&mut Context::from_waker(&local.waker)).is_pending());
        let local = timeout(Duration::from_secs(5), run(local, connection)).await.unwrap().unwrap();
        assert!(!dropped.load(Ordering::SeqCst));
        executor.execute(std::future::pending());
        drop((local, executor));
        assert!(dropped.load(Ordering::SeqCst));
        *first.0.2.lock().unwrap() = None;
        assert!(bell.upgrade().is_none(), "nothing is left");
    }

    #[tokio::test]
    async fn a_stream_that_panics_ends_alone() {
        let (local, connection) = (local(), Connection::default());
        let executor = local.streams();
        let (done, ended) = tokio::sync::oneshot::channel();
        executor.execute(async { panic!("of a test") });
        executor.execute(async move { done.send(()).unwrap() });
        run(local, connection);
        timeout(Duration::from_secs(5), ended).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_stream_that_is_always_awake_lets_others_have_their_turn_and_places_are_given_back() {
        let (local, connection) = (local(), Connection::default());
        let executor = local.streams();
        for _ in 0..10 * KEPT {
            let mut left = 50;
            executor.execute(poll_fn(move |cx| {
                left -= 1;
                cx.waker().wake_by_ref();
                if left == 0 { Poll::Ready(()) } else { Poll::Pending }
            }));
        }
        let running = run(local, connection.clone());
        tokio::task::yield_now().await;
        assert!(!running.is_finished());
        settle().await;
        connection.0.1.store(true, Ordering::SeqCst);
        connection.wake();
        let local = timeout(Duration::from_secs(5), running).await.unwrap().unwrap();
        assert_eq!((local.places.len(), local.free.len()), (0, 0));
    }

    /// Rings from other threads, at any moment: none may be lost.
    #[tokio::test]
    async fn a_ring_on_another_thread_is_never_missed() {
        let (local, connection) = (local(), Connection::default());
        let executor = local.streams();
        let (asks, asked) = std::sync::mpsc::channel::<tokio::sync::oneshot::Sender<()>>();
        let other = std::thread::spawn(move || asked.into_iter().for_each(|answer| answer.send(()).unwrap()));
        let (done, ended) = tokio::sync::oneshot::channel();
        executor.execute(async move {
            for _ in 0..20_000 {
                let (answer, answered) = tokio::sync::oneshot::channel();
                asks.send(answer).unwrap();
                answered.await.unwrap();
            }
            done.send(()).unwrap();
        });
        run(local, connection);
        timeout(Duration::from_secs(30), ended).await.unwrap().unwrap();
        other.join().unwrap();
    }
}
