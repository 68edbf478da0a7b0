//! Up to where the revocation log is complete.
//!
//! Positions are given before their rows can be seen, and not in that order, nor is each one ever seen: a reader that goes on
//! behind the newest row would skip the ones that come late. So every row that is visible is given out at once, and the cursor
//! stays before the first gap until whoever was writing when the gap was seen has ended. A row's transaction has its number before
//! the row has its position (see `schema.sql`), so all who could still fill a gap have a number below one that is drawn after the
//! gap was seen. The snapshot's own upper end is no such number: it is that of the newest transaction that has *ended*.

use std::collections::VecDeque;

/// The end of the complete part, and what was seen behind it.
#[derive(Debug)]
pub(super) struct Settled {
    /// Nothing will ever appear at this position or before it that is not visible.
    end: u64,
    /// Positions, and the transaction before which all must have ended for their past to be complete.
    seen: VecDeque<(u64, u64)>,
}

impl Settled {
    /// From a position that is known to be complete.
    pub(super) fn new(end: u64) -> Self {
        Self { end, seen: VecDeque::new() }
    }

    /// The last position of the complete part.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Takes the positions that a reading saw, in order, from [`Self::end`] or before it on, and the oldest transaction that ran
    /// then. Answers with a position behind a gap for which [`Self::note`] is to be told.
    pub(super) fn saw(&mut self, positions: &[u64], oldest_running: u64) -> Option<u64> {
        while let Some((position, _)) = self.seen.front().filter(|(_, bound)| *bound <= oldest_running) {
            self.end = self.end.max(*position);
            self.seen.pop_front();
        }
        for position in positions {
            if *position == self.end + 1 {
                self.end = *position;
            }
        }
        let newest = positions.last().copied().filter(|newest| *newest > self.end)?;
        self.seen.back().is_none_or(|(position, _)| *position < newest).then_some(newest)
    }

    /// A transaction number that was drawn after this position was seen.
    pub(super) fn note(&mut self, position: u64, bound: u64) {
        if self.seen.back().is_none_or(|(last, _)| *last < position) {
            self.seen.push_back((position, bound));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_gap_a_long_transaction_elsewhere_holds_nothing_up() {
        let mut settled = Settled::new(0);
        for (seen, end) in [(&[1, 2][..], 2), (&[3], 3), (&[], 3), (&[2, 3, 4], 4)] {
            assert_eq!((settled.saw(seen, 10), settled.end()), (None, end));
        }
    }

    #[test]
    fn the_cursor_waits_before_a_gap_until_its_writer_has_ended() {
        let mut settled = Settled::new(4);
        // 5 is being written by a transaction below 20.
        assert_eq!((settled.saw(&[6], 15), settled.end()), (Some(6), 4));
        settled.note(6, 20);
        assert_eq!((settled.saw(&[6], 19), settled.end()), (None, 4), "still running");
        assert_eq!((settled.saw(&[6, 7], 19), settled.end()), (Some(7), 4));
        settled.note(7, 30);
        // It is committed: 5 is visible, and the rest follows.
        assert_eq!((settled.saw(&[5, 6, 7], 19), settled.end()), (None, 7));
    }

    #[test]
    fn a_gap_that_nobody_fills_is_passed_when_all_who_could_have_ended() {
        let mut settled = Settled::new(4);
        assert_eq!(settled.saw(&[6], 15), Some(6));
        settled.note(6, 20);
        assert_eq!((settled.saw(&[6, 9], 20), settled.end()), (Some(9), 6), "what came since may have gaps");
        settled.note(9, 40);
        assert_eq!((settled.saw(&[9], 39), settled.end()), (None, 6));
        assert_eq!((settled.saw(&[9], 40), settled.end()), (None, 9));
    }
}
