//! How an organization comes to hold a mail domain, and how it loses it again: pure.
//!
//! `state` is the machine of one organization's proof of one domain ([`judge`]), `sighting` what several name servers say together
//! ([`agree`]) and what a record or a file must hold, `public` the domains that nobody can hold. Deliberately absent: who is asked
//! and when the answers come (room `domains`), and what a held domain means for a login (`standing`).
//!
//! Authority over a domain begins when it is proved and never reaches back; a loss takes weeks, and nothing passes from one
//! organization to another by itself (rule C6).

mod public;
mod sighting;
mod state;

#[cfg(test)]
mod stories;

pub use public::{NotClaimable, claimable};
pub use sighting::{Found, Instructions, ProofMethod, Sighting, agree, file_holds, instructions, record_holds};
pub use state::{
    APART, Check, ClaimMode, DomainProof, Happened, PENDING, State, UNTIL_LOST, UNTIL_SUSPENDED, challenged, judge,
    settle,
};
