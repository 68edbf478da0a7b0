//! Turns: how many costly steps (handshakes, pages, reads of the store) are made between two looks of a core's loop at its
//! sockets. A thousand clients that want a handshake are then a queue beside the requests of live sessions, not in front of them.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use tokio::sync::{Notify, Semaphore};
use tokio::task::yield_now;

/// Costly steps per turn: a handshake takes up to a millisecond, so that live requests wait for a few at most.
const STEPS: usize = 2;

/// The turns of one core. Its [`Turns::keep`] must run.
pub(in crate::gateway) struct Turns {
    steps: Semaphore,
    used_up: Notify,
}

impl Default for Turns {
    fn default() -> Self {
        Self { steps: Semaphore::new(STEPS), used_up: Notify::new() }
    }
}

impl Turns {
    /// Begins a new turn whenever the steps of the last one are used up, after the loop has looked at its sockets.
    pub(in crate::gateway) async fn keep(&self) {
        loop {
            self.used_up.notified().await;
            yield_now().await;
            self.steps.add_permits(STEPS.saturating_sub(self.steps.available_permits()));
            // Those who waited took them already.
            if self.steps.available_permits() == 0 {
                self.used_up.notify_one();
            }
        }
    }

    /// Waits for its turn to do one step.
    pub(in crate::gateway) async fn wait(&self) {
        if !self.try_now() {
            // Closed never.
            if let Ok(step) = self.steps.acquire().await {
                step.forget();
            }
        }
    }

    /// Runs to the end, each poll a step.
    pub(in crate::gateway) async fn run<F: Future + Unpin>(&self, mut work: F) -> F::Output {
        let mut waiting: Option<Pin<Box<dyn Future<Output = ()> + Send + '_>>> = None;
        poll_fn(|cx| {
            match &mut waiting {
                None if self.try_now() => {}
                _ => {
                    let turn = waiting.get_or_insert_with(|| Box::pin(self.wait()));
                    if turn.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    waiting = None;
                }
            }
            pin!(&mut work).poll(cx)
        })
        .await
    }

    fn try_now(&self) -> bool {
        let taken = self.steps.try_acquire().map(tokio::sync::SemaphorePermit::forget).is_ok();
        if self.steps.available_permits() == 0 {
            self.used_up.notify_one();
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Steps between two polls of a task that is always ready, with a hundred clients that each want three.
    #[tokio::test]
    async fn a_turn_has_few_steps_and_everybody_gets_theirs() {
        let turns = Arc::new(Turns::default());
        let keeper = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.keep().await }
        });
        let steps = Arc::new(AtomicUsize::new(0));
        let clients: Vec<_> = (0..100)
            .map(|_| {
                let (turns, steps) = (Arc::clone(&turns), Arc::clone(&steps));
                tokio::spawn(async move {
                    let mut left = 3;
                    let work = poll_fn(move |cx| {
                        steps.fetch_add(1, Ordering::Relaxed);
                        left -= 1;
                        cx.waker().wake_by_ref();
                        if left == 0 { Poll::Ready(()) } else { Poll::Pending }
                    });
                    turns.run(work).await;
                })
            })
            .collect();
        let mut most = 0;
        while steps.load(Ordering::Relaxed) < 300 {
            let before = steps.load(Ordering::Relaxed);
            yield_now().await;
            most = most.max(steps.load(Ordering::Relaxed) - before);
        }
        for client in clients {
            client.await.unwrap();
        }
        assert!(most <= 2 * STEPS, "{most} steps in one turn");
        keeper.abort();
    }

    #[tokio::test]
    async fn whoever_gives_up_waiting_takes_no_turn_from_others() {
        let turns = Arc::new(Turns::default());
        let impatient: Vec<_> = (0..50).map(|_| Box::pin(turns.wait())).collect();
        for mut one in impatient {
            // Polled once, then dropped.
            assert!(
                poll_fn(|cx| Poll::Ready(one.as_mut().poll(cx).is_ready())).await
                    || turns.steps.available_permits() == 0
            );
        }
        let keeper = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.keep().await }
        });
        for _ in 0..20 {
            turns.wait().await;
        }
        keeper.abort();
    }
}
