//! A future beside a busy one in the same task, which is polled only when it was itself woken: a token that is cancelled once in
//! the life of a connection would otherwise take its locks at every request.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Wakes the task, and remembers who did.
struct Bell {
    rung: AtomicBool,
    task: Waker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

/// Polls `inner` the first time, when it has woken its task, and when the task's waker is another. Not after it was ready.
pub(super) struct Rarely<'a, F> {
    inner: Pin<&'a mut F>,
    bell: Option<Arc<Bell>>,
}

impl<'a, F: Future> Rarely<'a, F> {
    pub(super) fn new(inner: Pin<&'a mut F>) -> Self {
        Self { inner, bell: None }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<F::Output> {
        let bell = match &self.bell {
            Some(bell) if bell.task.will_wake(cx.waker()) => {
                // Read alone first: it is nearly always silent.
                if !bell.rung.load(Ordering::Acquire) {
                    return Poll::Pending;
                }
                // Silenced before the poll, so that a ring during it is heard the next time.
                bell.rung.store(false, Ordering::Release);
                Arc::clone(bell)
            }
            _ => {
                Arc::clone(self.bell.insert(Arc::new(Bell { rung: AtomicBool::new(false), task: cx.waker().clone() })))
            }
        };
        self.inner.as_mut().poll(&mut Context::from_waker(&Waker::from(bell)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::pin::pin;
    use tokio_util::sync::CancellationToken;

    #[tokio::test]
    async fn it_is_polled_once_and_again_when_it_rings() {
        let token = CancellationToken::new();
        let mut polls = 0;
        let mut cancelled = pin!(token.cancelled());
        let counted = pin!(poll_fn(|cx| {
            polls += 1;
            cancelled.as_mut().poll(cx)
        }));
        let mut rarely = Rarely::new(counted);
        for _ in 0..3 {
            assert!(poll_fn(|cx| Poll::Ready(rarely.poll(cx))).await.is_pending());
        }
        token.cancel();
        poll_fn(|cx| rarely.poll(cx)).await;
        assert_eq!(polls, 2);
    }

    #[tokio::test]
    async fn a_cancellation_wakes_the_task() {
        let token = CancellationToken::new();
        let held = token.clone();
        let waiting = tokio::spawn(async move {
            let cancelled = pin!(held.cancelled());
            let mut rarely = Rarely::new(cancelled);
            poll_fn(|cx| rarely.poll(cx)).await;
        });
        tokio::task::yield_now().await;
        token.cancel();
        waiting.await.unwrap();
    }
}
