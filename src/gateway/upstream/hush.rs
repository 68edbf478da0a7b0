//! Keeps a connection to an upstream asleep when the last of a response is taken from it. hyper then wakes the connection to ask
//! for more although there is no more, which costs a twentieth of a whole request.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Wakes a connection's task, except while it is hushed. Only one core's thread uses it: nobody else's ring can be missed.
#[derive(Default)]
struct Bell {
    task: Mutex<Option<Waker>>,
    hushed: AtomicBool,
    rung: AtomicBool,
}

impl Bell {
    fn ring(&self) {
        if let Some(task) = &*self.task.lock().unwrap_or_else(PoisonError::into_inner) {
            task.wake_by_ref();
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.hushed.load(Ordering::Relaxed) {
            self.rung.store(true, Ordering::Relaxed);
        } else {
            self.ring();
        }
    }
}

/// What hushes a connection.
pub(in crate::gateway) struct Hush(Arc<Bell>);

impl Hush {
    /// Does something that may wake the connection; it wakes afterwards, unless `act` says that this was the end.
    pub(in crate::gateway) fn unless_over<T>(&self, act: impl FnOnce() -> (T, bool)) -> T {
        self.0.hushed.store(true, Ordering::Relaxed);
        let (done, over) = act();
        self.0.hushed.store(false, Ordering::Relaxed);
        if self.0.rung.swap(false, Ordering::Relaxed) && !over {
            self.0.ring();
        }
        done
    }
}

/// A connection that can be hushed.
pub(super) struct Hushed<F> {
    connection: F,
    bell: Arc<Bell>,
    waker: Waker,
}

/// A connection, and what hushes it.
pub(super) fn hushed<F>(connection: F) -> (Hushed<F>, Hush) {
    let bell = Arc::new(Bell::default());
    (Hushed { connection, waker: Waker::from(Arc::clone(&bell)), bell: Arc::clone(&bell) }, Hush(bell))
}

impl<F: Future + Unpin> Future for Hushed<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { connection, bell, waker } = &mut *self;
        let mut task = bell.task.lock().unwrap_or_else(PoisonError::into_inner);
        if !task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            *task = Some(cx.waker().clone());
        }
        drop(task);
        Pin::new(connection).poll(&mut Context::from_waker(waker))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;

    /// How often a connection was polled, after the first time, when it was woken within `unless_over`, or outside.
    async fn polls(within: bool, over: bool) -> usize {
        let (count, inside) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None::<Waker>)));
        let (counted, kept) = (Arc::clone(&count), Arc::clone(&inside));
        let (connection, hush) = hushed(poll_fn(move |cx| {
            counted.fetch_add(1, Ordering::Relaxed);
            *kept.lock().unwrap() = Some(cx.waker().clone());
            Poll::<()>::Pending
        }));
        let task = tokio::spawn(connection);
        tokio::task::yield_now().await;
        let wake = || inside.lock().unwrap().as_ref().unwrap().wake_by_ref();
        if within {
            hush.unless_over(|| (wake(), over))
        } else {
            wake()
        };
        tokio::task::yield_now().await;
        task.abort();
        count.load(Ordering::Relaxed) - 1
    }

    #[tokio::test]
    async fn only_the_ring_at_the_end_goes_unheard() {
        assert_eq!(polls(false, false).await, 1);
        assert_eq!(polls(true, false).await, 1, "there is more to come");
        assert_eq!(polls(true, true).await, 0);
    }
}
