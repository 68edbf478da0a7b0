//! How the parts of a connection wake its task, and how the task learns which of them did.

use crate::gateway::stream::{Task, Turns};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// The connection's task sleeps; is being polled, or will be; and has something more to do then.
const ASLEEP: u8 = 0;
const AWAKE: u8 = 1;
const RUNG: u8 = 2;

/// What the connection, its streams and those who wake them share. Sessions end on any core, so wakers may ring on any thread.
pub(super) struct Bell {
    state: AtomicU8,
    task: Mutex<Option<Waker>>,
    /// Whether the connection itself was woken.
    connection: AtomicBool,
    inbox: Mutex<Inbox>,
    pub(super) turns: Arc<Turns>,
}

#[derive(Default)]
pub(super) struct Inbox {
    pub(super) new: Vec<Task>,
    /// Places of the streams that were woken.
    pub(super) woken: Vec<usize>,
}

impl Bell {
    /// Of a connection that was woken once, so that it is asked at the first poll.
    pub(super) fn new(turns: Arc<Turns>) -> Self {
        let (state, connection) = (AtomicU8::new(ASLEEP), AtomicBool::new(true));
        Self { state, connection, turns, task: Mutex::default(), inbox: Mutex::default() }
    }

    /// What rings from here on is heard in this turn.
    pub(super) fn begin_turn(&self) {
        self.state.swap(AWAKE, Ordering::AcqRel);
    }

    /// Whether the task may sleep: nobody rang since the turn began.
    pub(super) fn may_sleep(&self) -> bool {
        self.state.compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Whether the connection itself was woken since it was last asked.
    pub(super) fn take_connection(&self) -> bool {
        self.connection.swap(false, Ordering::AcqRel)
    }

    /// The connection is asked in the next turn.
    pub(super) fn ask_connection(&self) {
        self.connection.store(true, Ordering::Release);
    }

    pub(super) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is something to do.
    pub(super) fn ring(&self) {
        if self.state.swap(RUNG, Ordering::AcqRel) == ASLEEP
            && let Some(task) = &*self.task.lock().unwrap_or_else(PoisonError::into_inner)
        {
            task.wake_by_ref();
        }
    }

    pub(super) fn listen(&self, waker: &Waker) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if !task.as_ref().is_some_and(|task| task.will_wake(waker)) {
            *task = Some(waker.clone());
        }
    }
}

/// Wakes the connection.
impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ask_connection();
        self.ring();
    }
}

/// Wakes the stream at a place.
pub(super) struct Chime {
    bell: Arc<Bell>,
    place: usize,
    rung: AtomicBool,
}

impl Chime {
    pub(super) fn new(bell: Arc<Bell>, place: usize) -> Self {
        Self { bell, place, rung: AtomicBool::new(false) }
    }

    /// Before the stream is polled, so that a ring during that is heard.
    pub(super) fn silence(&self) {
        self.rung.swap(false, Ordering::AcqRel);
    }
}

impl Wake for Chime {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.bell.inbox().woken.push(self.place);
            self.bell.ring();
        }
    }
}
