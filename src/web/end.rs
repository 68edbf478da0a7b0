//! The end of a session, for all who wait for it.

use super::LiveSession;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// Whether a session has ended. What a `CancellationToken` is, without its allocation: there are a million of these.
#[derive(Debug, Default)]
pub struct End {
    over: AtomicBool,
    bell: Notify,
}

impl End {
    /// Ends it, and wakes everybody who waits.
    pub fn cancel(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.bell.notify_waiters();
    }

    /// Whether it has ended.
    pub fn is_cancelled(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Waits for the end.
    pub async fn cancelled(&self) {
        // Made before the look, it hears the bell even if that rings between the two.
        let rung = self.bell.notified();
        if !self.is_cancelled() {
            rung.await;
        }
    }
}

impl LiveSession {
    /// Waits for the session's end, and holds on to the session meanwhile.
    pub async fn until_ended(self: Arc<Self>) {
        self.ended.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn the_end_is_told_to_those_who_wait_and_to_those_who_come_later() {
        let end = End::default();
        let mut context = Context::from_waker(Waker::noop());
        let (mut asked, mut unasked) = (pin!(end.cancelled()), pin!(end.cancelled()));
        assert_eq!(asked.as_mut().poll(&mut context), Poll::Pending);
        assert!(!end.is_cancelled());
        end.cancel();
        assert!(end.is_cancelled());
        for waiting in [&mut asked, &mut unasked, &mut pin!(end.cancelled())] {
            assert_eq!(waiting.as_mut().poll(&mut context), Poll::Ready(()));
        }
    }

    #[test]
    fn an_end_that_comes_while_somebody_begins_to_wait_is_not_missed() {
        for _ in 0..2_000 {
            let end = Arc::new(End::default());
            let ending = Arc::clone(&end);
            let thread = std::thread::spawn(move || ending.cancel());
            tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(end.cancelled());
            thread.join().unwrap();
        }
    }
}
