//! Phase A: what the login page does with a typed address. Total, and blind to who exists.
//!
//! It reads the configuration and nothing else: no account, link or record is ever asked, so the answer for a stranger's address
//! is the answer for a colleague's (A-rules, H18). Break-glass addresses get what every address of their domain gets (rule H3).
//! What this never does: name a password or another way beside an enforced directory.

use super::model::Catalog;
use super::standing::{Demand, management};
use super::values::{DirectoryId, EmailAddress};

/// What the page shows next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Identified {
    /// A1: not an address; the same form again.
    Invalid,
    /// A2: this directory and no other way.
    OrgSso(DirectoryId),
    /// A3: single sign-on is enforced and no directory can serve it. Never another way.
    SsoUnavailable,
    /// A5, A8, A9, A10: the ways that this deployment has, the same for known and unknown addresses.
    Ways {
        /// The organization's own directory, offered before the others.
        first: Option<DirectoryId>,
        /// The issuer, then third parties in the file's order.
        others: Vec<DirectoryId>,
    },
    /// A10: there is neither an issuer nor a third party, and no organization claims the domain.
    UseWorkAddress,
}

/// Decides what the page shows for a typed address. First match wins.
pub fn identify(catalog: &Catalog, typed: &str) -> Identified {
    let Ok(address) = EmailAddress::parse(typed) else { return Identified::Invalid };
    let first = match management(catalog, &address).map(|held| held.demand(catalog)) {
        Some(Demand::Enforced(directory)) => return Identified::OrgSso(directory),
        Some(Demand::Unusable) => return Identified::SsoUnavailable,
        Some(Demand::Offered(directory)) => Some(directory),
        Some(Demand::Off) | None => None,
    };
    let others: Vec<DirectoryId> = catalog.issuer.iter().chain(&catalog.third_parties).copied().collect();
    if first.is_none() && others.is_empty() { Identified::UseWorkAddress } else { Identified::Ways { first, others } }
}
