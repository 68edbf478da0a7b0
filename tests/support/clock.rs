//! The one place where tests read the clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since 1970 by the machine's clock.
#[expect(clippy::disallowed_methods, reason = "the tests' own clock: cookies expire and waits end by it")]
pub fn unix_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the machine's clock is past 1970");
    i64::try_from(since.as_secs()).expect("seconds fit for the next billion years")
}

/// A moment after which waiting is in vain.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    until: std::time::Instant,
}

impl Deadline {
    #[expect(clippy::disallowed_methods, reason = "the tests' own clock: cookies expire and waits end by it")]
    pub fn after(wait: Duration) -> Self {
        Self { until: std::time::Instant::now() + wait }
    }

    #[expect(clippy::disallowed_methods, reason = "the tests' own clock: cookies expire and waits end by it")]
    pub fn passed(self) -> bool {
        std::time::Instant::now() >= self.until
    }
}

/// How long `act` took, beside its result.
#[expect(clippy::disallowed_methods, reason = "the tests' own clock: cookies expire and waits end by it")]
pub async fn timed<T>(act: impl Future<Output = T>) -> (T, Duration) {
    let start = std::time::Instant::now();
    let result = act.await;
    (result, start.elapsed())
}

/// Asks `ready` every 20 ms until it says yes; panics with `what` after `wait`.
pub async fn eventually(what: &str, wait: Duration, mut ready: impl FnMut() -> bool) {
    let deadline = Deadline::after(wait);
    while !ready() {
        assert!(!deadline.passed(), "{what}: not within {wait:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
