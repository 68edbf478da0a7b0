//! A record moves to the one account: the state table (behaviour §3.0), as values that no other file can make up.
//!
//! A [`Transition`] comes from [`transition`] alone, and a store changes a record's state by nothing else: what the table does not
//! list cannot be written. There is no way from linked or merged to local (row T10).

mod pick;

pub use pick::{Choice, NoPick, Reduction, choose, reduce};

use super::model::ProductAccountState;
use super::values::ProductAccountId;
use std::time::Duration;

/// How long both proofs wait for the person's word before the record is local again (§3.0).
pub const INTENT_LIFE: Duration = Duration::from_secs(30 * 60);
/// How fresh the provider's proof must be (§3.3).
pub const PROOF_LIFE: Duration = Duration::from_secs(10 * 60);

/// What happens to a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MigrationEvent {
    /// Both sides are proved and that is durable.
    Intend,
    /// The person took it back, a proof failed, or 30 minutes passed.
    Cancel,
    /// The point of no return.
    Commit,
    /// The record is given up in favour of another one, which is linked.
    MergeInto(ProductAccountId),
    /// The person was deleted for good.
    Close,
}

/// One line of the state table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Transition {
    from: ProductAccountState,
    to: ProductAccountState,
}

impl Transition {
    /// The state that the record must be in.
    pub fn from(self) -> ProductAccountState {
        self.from
    }

    /// The state that it is in then.
    pub fn to(self) -> ProductAccountState {
        self.to
    }
}

/// What an event does to a record in a state; `None`: it is refused.
pub fn transition(from: ProductAccountState, event: MigrationEvent) -> Option<Transition> {
    use MigrationEvent as E;
    use ProductAccountState as S;
    let to = match (from, event) {
        (S::Local, E::Intend) => S::Migrating,
        // Nothing was committed.
        (S::Migrating, E::Cancel) => S::Local,
        (S::Migrating, E::Commit) => S::Linked,
        (S::Local | S::Migrating | S::Linked, E::MergeInto(survivor)) => S::Merged(survivor),
        (S::Linked | S::Merged(_), E::Close) => S::Closed,
        (S::Local, E::Cancel | E::Commit | E::Close)
        | (S::Migrating, E::Intend | E::Close)
        | (S::Linked, E::Intend | E::Cancel | E::Commit)
        | (S::Merged(_), E::Intend | E::Cancel | E::Commit | E::MergeInto(_))
        | (S::Closed, E::Intend | E::Cancel | E::Commit | E::MergeInto(_) | E::Close) => return None,
    };
    Some(Transition { from, to })
}

/// The lines that take a record from where it stands to linked, in order; `None`: there is no way.
pub fn to_linked(from: ProductAccountState) -> Option<Vec<Transition>> {
    let begun = match from {
        ProductAccountState::Migrating => None,
        other => Some(transition(other, MigrationEvent::Intend)?),
    };
    let committed = transition(ProductAccountState::Migrating, MigrationEvent::Commit)?;
    Some(begun.into_iter().chain([committed]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn survivor() -> ProductAccountId {
        ProductAccountId::from_bytes([7; 16])
    }

    fn events() -> impl Strategy<Value = MigrationEvent> {
        prop_oneof![
            Just(MigrationEvent::Intend),
            Just(MigrationEvent::Cancel),
            Just(MigrationEvent::Commit),
            Just(MigrationEvent::MergeInto(survivor())),
            Just(MigrationEvent::Close),
        ]
    }

    #[test]
    fn the_state_table_is_as_written() {
        use MigrationEvent as E;
        use ProductAccountState as S;
        let check = |from, event, to| assert_eq!(transition(from, event).map(Transition::to), to, "{from:?} {event:?}");
        check(S::Local, E::Intend, Some(S::Migrating));
        check(S::Migrating, E::Cancel, Some(S::Local));
        check(S::Migrating, E::Commit, Some(S::Linked));
        check(S::Local, E::Commit, None);
        check(S::Linked, E::Cancel, None);
        check(S::Linked, E::Intend, None);
        check(S::Linked, E::MergeInto(survivor()), Some(S::Merged(survivor())));
        check(S::Merged(survivor()), E::Cancel, None);
        check(S::Linked, E::Close, Some(S::Closed));
        check(S::Closed, E::Intend, None);
        let all = to_linked(S::Local).unwrap();
        assert_eq!(all.iter().map(|line| line.to()).collect::<Vec<_>>(), [S::Migrating, S::Linked]);
        assert_eq!(to_linked(S::Migrating).unwrap().len(), 1);
        assert!(to_linked(S::Linked).is_none() && to_linked(S::Closed).is_none());
    }

    proptest! {
        /// Row T10: whatever happens after a commit, the record is never local again, nor on its way.
        #[test]
        fn t10_no_path_leads_back_from_linked(events in prop::collection::vec(events(), 1..12)) {
            let mut state = ProductAccountState::Local;
            let mut committed = false;
            for event in events {
                let Some(line) = transition(state, event) else { continue };
                prop_assert_eq!(line.from(), state);
                state = line.to();
                committed |= matches!(state, ProductAccountState::Linked | ProductAccountState::Merged(_));
                let local = matches!(state, ProductAccountState::Local | ProductAccountState::Migrating);
                prop_assert!(!(committed && local), "{:?}", state);
            }
        }
    }
}
