//! Password hashes on threads of their own: never on a loop with requests, never more at once than there are threads, never more
//! waiting than a queue holds (rule M14). Browsers that were let in before have a queue of their own, so that a flood of strangers
//! does not keep the owner out.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use tokio::sync::oneshot;

/// Whose work it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lane {
    /// A browser with a device cookie of this account.
    Known,
    /// Anybody.
    Stranger,
}

/// The queue is full: 503, try again.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("too many passwords wait to be checked")]
pub struct Busy;

/// Work that may wait in each lane. At about 25 ms each and two threads, the last of them waits under half a second.
const WAITING: usize = 32;

type Work = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queues {
    known: VecDeque<Work>,
    strangers: VecDeque<Work>,
    /// Known work taken since a stranger's: every fourth turn is a stranger's, so that neither lane starves.
    turns: u32,
    closed: bool,
}

impl Queues {
    fn next(&mut self) -> Option<Work> {
        let strangers_turn = self.turns >= 3 && !self.strangers.is_empty();
        if !strangers_turn && let Some(work) = self.known.pop_front() {
            self.turns += 1;
            return Some(work);
        }
        self.turns = 0;
        self.strangers.pop_front()
    }
}

struct Shared {
    queues: Mutex<Queues>,
    wake: Condvar,
}

/// The threads and their queues. Dropped, it finishes what runs and forgets what waits.
pub struct Bench {
    shared: Arc<Shared>,
}

impl Bench {
    /// Starts one or two threads.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(threads: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { queues: Mutex::new(Queues::default()), wake: Condvar::new() });
        for number in 0..threads.clamp(1, 2) {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name(format!("passwords-{number}")).spawn(move || shared.run())?;
        }
        Ok(Self { shared })
    }

    /// Does work on a thread of the bench and waits for it.
    ///
    /// # Errors
    /// [`Busy`]: the lane is full, or the work did not come to its end.
    pub async fn run<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move || {
            // Nobody waits any more for a request that was dropped: its work is not done either.
            if !reply.is_closed() && reply.send(work()).is_err() {
                tracing::debug!("nobody waits for this password any more");
            }
        });
        {
            let mut queues = self.shared.queues.lock().unwrap_or_else(PoisonError::into_inner);
            let queue = match lane {
                Lane::Known => &mut queues.known,
                Lane::Stranger => &mut queues.strangers,
            };
            if queue.len() >= WAITING {
                return Err(Busy);
            }
            queue.push_back(work);
        }
        self.shared.wake.notify_one();
        answer.await.map_err(|_| Busy)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.shared.queues.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.shared.wake.notify_all();
    }
}

impl Shared {
    fn run(&self) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        while !queues.closed {
            match queues.next() {
                Some(work) => {
                    drop(queues);
                    work();
                    queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
                }
                None => queues = self.wake.wait(queues).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    /// A bench whose one thread is held until the sender goes.
    fn held() -> (Arc<Bench>, mpsc::Sender<()>, std::thread::JoinHandle<Result<(), Busy>>) {
        let bench = Arc::new(Bench::start(1).unwrap());
        let (hold, held) = mpsc::channel::<()>();
        let (began, begun) = mpsc::channel();
        let own = Arc::clone(&bench);
        let thread = std::thread::spawn(move || {
            block_on(own.run(Lane::Stranger, move || {
                began.send(()).unwrap();
                assert!(held.recv().is_err());
            }))
        });
        begun.recv().unwrap();
        (bench, hold, thread)
    }

    #[test]
    fn work_is_done_and_answered() {
        let bench = Bench::start(2).unwrap();
        assert_eq!(block_on(bench.run(Lane::Stranger, || 7)), Ok(7));
        assert_eq!(block_on(bench.run(Lane::Known, || 8)), Ok(8));
    }

    #[test]
    fn m14_a_full_lane_is_busy_and_the_other_lane_is_not() {
        let (bench, hold, thread) = held();
        let (done, order) = mpsc::channel();
        let wait = |lane, number| {
            let (bench, done) = (Arc::clone(&bench), done.clone());
            std::thread::spawn(move || block_on(bench.run(lane, move || done.send(number).unwrap())))
        };
        let waiting = |lane: fn(&Queues) -> usize, count| {
            while lane(&bench.shared.queues.lock().unwrap()) < count {
                std::thread::yield_now();
            }
        };
        let mut threads = Vec::new();
        for number in 0..WAITING {
            threads.push(wait(Lane::Stranger, number));
            waiting(|queues| queues.strangers.len(), number + 1);
        }
        assert_eq!(block_on(bench.run(Lane::Stranger, || ())), Err(Busy));
        threads.push(wait(Lane::Known, 1000));
        waiting(|queues| queues.known.len(), 1);
        drop(hold);
        thread.join().unwrap().unwrap();
        for thread in threads {
            thread.join().unwrap().unwrap();
        }
        assert_eq!(order.recv().unwrap(), 1000, "the owner before all strangers");
    }

    #[test]
    fn m14_neither_lane_starves() {
        let mut queues = Queues::default();
        let (done, order) = mpsc::channel();
        for number in 0..8 {
            let (one, other) = (done.clone(), done.clone());
            queues.known.push_back(Box::new(move || one.send(('k', number)).unwrap()));
            queues.strangers.push_back(Box::new(move || other.send(('s', number)).unwrap()));
        }
        while let Some(work) = queues.next() {
            work();
        }
        let first: String = order.try_iter().take(8).map(|(lane, _)| lane).collect();
        assert_eq!(first, "kkkskkks");
    }
}
