//! Queues in front of work that may wait: so many at once, so many waiting, so long. Whoever finds no place is told to come again.

use super::Reason;
use super::caps::{Caps, Guest, Page};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// A queue.
pub(in crate::gateway) struct Queue {
    working: Semaphore,
    waiting: AtomicUsize,
    places: usize,
    patience: Duration,
}

/// Somebody who waits.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Queue {
    /// For `at_once` workers and `places` that wait for `patience` at most.
    pub(in crate::gateway) fn new(at_once: usize, places: usize, patience: Duration) -> Self {
        Self { working: Semaphore::new(at_once), waiting: AtomicUsize::new(0), places, patience }
    }

    /// Waits until there is room; `None` when too many wait already, or it took too long.
    pub(in crate::gateway) async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        if let Ok(now) = self.working.try_acquire() {
            return Some(now);
        }
        if !super::caps::raise(&self.waiting, self.places) {
            return None;
        }
        let _waiting = Waiting(&self.waiting);
        timeout(self.patience, self.working.acquire()).await.ok()?.ok()
    }
}

/// Room for one of our pages.
pub(in crate::gateway) struct Room<'a> {
    _permit: SemaphorePermit<'a>,
    _page: Page,
}

/// Room for one large response of a provider.
pub(in crate::gateway) struct Held<'a> {
    _share: SemaphorePermit<'a>,
    _permit: SemaphorePermit<'a>,
}

/// Room among the large responses that are in memory, of which one client has a share: who is over it waits in its own queue, and
/// takes no place from others.
pub(in crate::gateway) async fn reply<'a>(queue: &'a Queue, guest: &'a Guest) -> Result<Held<'a>, Reason> {
    let share = guest.client().replies.enter().await.ok_or(Reason::Replies)?;
    let permit = queue.enter().await.ok_or(Reason::Replies)?;
    Ok(Held { _share: share, _permit: permit })
}

/// Room in the queue of pages, of which one client may have a few only.
pub(in crate::gateway) async fn page<'a>(
    queue: &'a Queue,
    caps: &Arc<Caps>,
    client: IpAddr,
) -> Result<Room<'a>, Reason> {
    let page = caps.page(client).ok_or(Reason::ClientRequests)?;
    let permit = queue.enter().await.ok_or(Reason::Pages)?;
    Ok(Room { _permit: permit, _page: page })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::bounds::Crowd;

    #[tokio::test]
    async fn a_full_queue_refuses_at_once_and_a_waiting_one_after_its_patience() {
        let queue = Queue::new(1, 1, Duration::from_millis(30));
        let working = queue.enter().await;
        assert!(working.is_some());
        let (waited, refused) = tokio::join!(queue.enter(), queue.enter());
        assert!(waited.is_none() && refused.is_none());
        let next = async {
            tokio::task::yield_now().await;
            drop(working);
        };
        let (entered, ()) = tokio::join!(queue.enter(), next);
        assert!(entered.is_some());
        assert_eq!(queue.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn one_client_cannot_fill_the_queue_of_pages() {
        let queue = Queue::new(1000, 0, Duration::from_millis(1));
        let caps = Arc::new(Caps::new(Crowd::default()));
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let mut rooms = Vec::new();
        let refused = loop {
            match page(&queue, &caps, one).await {
                Ok(room) => rooms.push(room),
                Err(reason) => break reason,
            }
        };
        assert_eq!((rooms.len(), refused), (64, Reason::ClientRequests));
        assert!(page(&queue, &caps, other).await.is_ok());
        rooms.pop();
        assert!(page(&queue, &caps, one).await.is_ok());
    }
}
