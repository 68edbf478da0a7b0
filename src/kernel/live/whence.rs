//! Where the people of a live session may come from (rule M29). Asked of every request, whereas [`live`](super::live()) is asked
//! when its answer may change: what it depends on is kept beside that answer.

use super::{LiveFacts, of_login};
use crate::kernel::standing::Management;
use crate::kernel::values::Network;
use std::net::IpAddr;

/// The networks of each policy that names some: all must hold the client's address.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Whence(Vec<Vec<Network>>);

impl Whence {
    /// What the policies of the session's person name.
    pub fn of(facts: &LiveFacts<'_>) -> Self {
        Self::of_policies(&of_login(facts).governing())
    }

    /// The same of the policies at hand.
    pub(super) fn of_policies(governing: &[Management<'_>]) -> Self {
        let named = governing.iter().map(|held| &held.policy().networks).filter(|networks| !networks.is_empty());
        Self(named.cloned().collect())
    }

    /// Whether nobody names any.
    pub fn is_anywhere(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a request from this address is within all of them.
    pub fn admits(&self, client: IpAddr) -> bool {
        self.0.iter().all(|networks| networks.iter().any(|network| network.holds(client)))
    }
}
