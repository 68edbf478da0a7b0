//! How many logout messages or signals of one directory are looked at, and carried out (rule H5): they need no login under way and no cookie, so
//! that anybody can send any number of them, and a provider as many good ones.
//!
//! What is bounded here is bounded for each directory by itself. Its logins have turns of their own.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Messages that are verified at once.
const AT_ONCE: usize = 2;
/// Messages that are verified or wait for it: with 350 KB each, 12 MB.
const WAITING: usize = 32;
/// Requests that are carried out in a minute by one node: a company of 50,000 that goes home within two hours asks for 420.
const A_MINUTE: usize = 600;

/// One directory's turns.
pub(in crate::idp) struct LogoutTurns {
    room: Arc<Semaphore>,
    verifying: Arc<Semaphore>,
    minute: Mutex<Minute>,
}

#[derive(Default)]
struct Minute {
    /// Since boot.
    number: u64,
    requests: HashSet<String>,
}

/// While it lives one message is verified.
pub(in crate::idp) struct Turn {
    _room: OwnedSemaphorePermit,
    _verifying: OwnedSemaphorePermit,
}

impl Default for LogoutTurns {
    fn default() -> Self {
        let turns = |count| Arc::new(Semaphore::new(count));
        Self { room: turns(WAITING), verifying: turns(AT_ONCE), minute: Mutex::default() }
    }
}

impl LogoutTurns {
    /// Waits until a message may be verified. `None` where too many wait already: nobody waits behind a flood.
    pub(in crate::idp) async fn turn(&self) -> Option<Turn> {
        let room = Arc::clone(&self.room).try_acquire_owned().ok()?;
        let verifying = Arc::clone(&self.verifying).acquire_owned().await.ok()?;
        Some(Turn { _room: room, _verifying: verifying })
    }

    /// Whether a request of this id, which the provider signed, may still be carried out; `at` since boot. One that comes again counts
    /// once, so that nobody who has seen one uses the provider's share up: whether it was used before is the store's word.
    pub(in crate::idp) fn may_end(&self, id: &str, at: Duration) -> bool {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        let number = at.as_secs() / 60;
        if minute.number != number {
            *minute = Minute { number, requests: HashSet::new() };
        }
        if minute.requests.contains(id) {
            return true;
        }
        minute.requests.len() < A_MINUTE && minute.requests.insert(id.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h5_a_minute_has_so_many_logouts_and_one_that_comes_again_counts_once() {
        let turns = LogoutTurns::default();
        let at = Duration::from_secs(90);
        for number in 0..A_MINUTE {
            assert!(turns.may_end(&format!("_{number}"), at), "{number}");
            assert!(turns.may_end("_0", at));
        }
        assert!(!turns.may_end("_more", at));
        assert!(turns.may_end("_0", at), "it has had its place");
        assert!(!turns.may_end("_more", Duration::from_secs(119)));
        assert!(turns.may_end("_more", Duration::from_secs(120)), "the next minute");
    }

    #[tokio::test]
    async fn h5_nobody_waits_behind_a_flood() {
        let turns = Arc::new(LogoutTurns::default());
        let held: Vec<_> = [turns.turn().await, turns.turn().await].into_iter().flatten().collect();
        assert_eq!(held.len(), AT_ONCE);
        let waiting: Vec<_> = (AT_ONCE..WAITING)
            .map(|_| {
                let turns = Arc::clone(&turns);
                tokio::spawn(async move { turns.turn().await.is_some() })
            })
            .collect();
        while turns.room.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(turns.turn().await.is_none(), "refused at once");
        drop(held);
        for one in waiting {
            assert!(one.await.expect("it goes on"), "each in its turn");
        }
        assert!(turns.turn().await.is_some());
    }
}
