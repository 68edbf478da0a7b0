//! How far long work is: a bar that is drawn over on a terminal, a JSON line a second elsewhere.

use super::Screen;
use crate::clock::Clock;
use serde_json::json;
use std::io;
use std::time::Duration;

/// How often something is said where nobody looks.
const LINE: Duration = Duration::from_secs(1);
/// How often the bar is drawn.
const DRAWN: Duration = Duration::from_millis(100);
/// Cells of the bar.
const CELLS: u64 = 24;

/// The progress of one piece of work.
pub(super) struct Progress {
    what: &'static str,
    total: u64,
    /// What was there when it began: an earlier run's.
    before: u64,
    clock: Clock,
    begun: Duration,
    said: Option<Duration>,
    drawn: bool,
}

impl Progress {
    /// Work on `total` things, `before` of which an earlier run did. `what` is their plural.
    pub fn new(what: &'static str, total: u64, before: u64) -> Self {
        let clock = Clock::system();
        Self { what, total, before, begun: clock.since_boot(), clock, said: None, drawn: false }
    }

    /// So many are done.
    ///
    /// # Errors
    /// The screen cannot be written to.
    pub fn tell(&mut self, done: u64, screen: &mut Screen<'_>) -> io::Result<()> {
        let every = if screen.terminal { DRAWN } else { LINE };
        let now = self.clock.since_boot();
        if self.said.is_some_and(|said| now.saturating_sub(said) < every) {
            return Ok(());
        }
        self.said = Some(now);
        let rate = self.rate(done, now);
        let left = self.total.saturating_sub(done);
        let wait = left.checked_div(rate.max(1)).unwrap_or(0);
        if !screen.terminal {
            let line =
                json!({ "done": done, "of": self.total, "what": self.what, "per_second": rate, "seconds_left": wait });
            return writeln!(screen.err, "{line}");
        }
        let full = (done * CELLS).checked_div(self.total).unwrap_or(CELLS).min(CELLS);
        let bar: String = (0..CELLS).map(|cell| if cell < full { '=' } else { ' ' }).collect();
        let (of, what) = (self.total, self.what);
        self.drawn = true;
        write!(screen.err, "\r[{bar}] {done} of {of} {what}, {rate} a second, {} left\x1b[K", span(wait))?;
        screen.err.flush()
    }

    /// Takes the bar away.
    ///
    /// # Errors
    /// The screen cannot be written to.
    pub fn end(self, screen: &mut Screen<'_>) -> io::Result<()> {
        if self.drawn { write!(screen.err, "\r\x1b[K") } else { Ok(()) }
    }

    fn rate(&self, done: u64, now: Duration) -> u64 {
        let millis = u64::try_from(now.saturating_sub(self.begun).as_millis()).unwrap_or(u64::MAX).max(1);
        done.saturating_sub(self.before).saturating_mul(1000) / millis
    }
}

fn span(seconds: u64) -> String {
    match (seconds / 3600, seconds % 3600 / 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(terminal: bool, done: &[u64]) -> String {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut screen = Screen { out: &mut out, err: &mut err, terminal };
        let mut progress = Progress::new("rows", 10, 0);
        for done in done {
            progress.tell(*done, &mut screen).unwrap();
        }
        progress.end(&mut screen).unwrap();
        String::from_utf8(err).unwrap()
    }

    #[test]
    fn a_terminal_sees_a_bar_and_a_program_a_line() {
        let bar = told(true, &[5]);
        assert!(bar.starts_with("\r[============            ] 5 of 10 rows, "), "{bar:?}");
        assert!(bar.ends_with("\r\u{1b}[K"), "it is taken away: {bar:?}");
        let lines = told(false, &[5, 6, 7]);
        assert_eq!(lines.lines().count(), 1, "one a second: {lines}");
        let line: serde_json::Value = serde_json::from_str(lines.trim()).unwrap();
        assert_eq!((&line["done"], &line["of"]), (&json!(5), &json!(10)));
        assert_eq!(told(true, &[]), "", "nothing was drawn");
    }

    #[test]
    fn a_span_is_read_at_a_glance() {
        assert_eq!([span(9), span(61), span(7320)], ["9 s", "1 min 1 s", "2 h 2 min"]);
    }
}
