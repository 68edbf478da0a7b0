//! Two accounts of one person at one product (rows L10, L11): whether they may be made one, and the evidence that they are.
//!
//! The survivor is the account that the person's provider opens; the loser still has a password of the product's. A [`Merge`] comes out of
//! [`merge`] alone, which asks for a proof of both sides: who knows a mailbox, or an address, merges nothing (rule H1, §4 #2, #14).
//! Deliberately absent: what becomes of content. That is the product's, which is told.

use super::migration::{MigrationEvent, PROOF_LIFE, Transition, transition};
use super::model::{Account, AccountStatus, Catalog, Product, ProductAccount, ProductAccountState};
use super::proof::OwnerProof;
use super::refusal::Refusal;
use super::standing::{Demand, Groups, Management, managements};
use super::values::{DirectoryId, EmailAddress, Timestamp};

/// One of the two accounts.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The person's account.
    pub account: &'a Account,
    /// Its record at the product.
    pub record: &'a ProductAccount,
    /// Its proved addresses.
    pub proved: &'a [EmailAddress],
    /// Whether it enrolled a second step of ours.
    pub enrolled: bool,
}

/// The two accounts, and what opened the survivor.
#[derive(Clone, Copy, Debug)]
pub struct Sides<'a> {
    /// The configuration of now.
    pub catalog: &'a Catalog,
    /// The product that has both.
    pub product: &'a Product,
    /// The address that the survivor's provider, with authority, says is the person's.
    pub email: &'a EmailAddress,
    /// The directory that opened the survivor.
    pub directory: DirectoryId,
    /// Stays.
    pub survivor: Side<'a>,
    /// Is given up.
    pub loser: Side<'a>,
    /// Whether the loser's account opens something at other products.
    pub has_more: bool,
}

/// When the survivor was opened.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// The store's clock.
    pub now: Timestamp,
    /// When the provider says the person authenticated.
    pub auth_time: Timestamp,
    /// When our own second step was taken.
    pub stepped_at: Option<Timestamp>,
}

/// Whether two records are one person's two accounts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Overlap {
    /// They are not.
    None,
    /// A merge may be offered.
    Offered,
    /// They are, and cannot be made one (MSG-MERGE-BLOCKED).
    Blocked(Blocked),
}

/// Why two accounts cannot be made one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Blocked {
    /// The product has no adapter to be told by: what the loser has there would be lost.
    Product,
    /// An organization manages the loser, and the survivor's login is none of its own.
    Managed,
    /// The loser belongs to an enterprise of the product that lets none of its accounts go.
    Enterprise,
    /// The loser is somebody's account at other products as well.
    Elsewhere,
}

/// Two sides that were proved, and what becomes of the loser's record.
#[derive(Clone, Debug)]
pub struct Merge {
    survivor: ProductAccount,
    loser: ProductAccount,
    line: Transition,
}

impl Merge {
    /// The record that stays.
    pub fn survivor(&self) -> &ProductAccount {
        &self.survivor
    }

    /// The record that is given up, as it was read.
    pub fn loser(&self) -> &ProductAccount {
        &self.loser
    }

    /// The line of the state table that gives it up.
    pub fn line(&self) -> Transition {
        self.line
    }
}

/// Whether a merge may be offered. Nothing that only the loser's owner may know decides it, such as whether it is active (row L12).
pub fn overlap(sides: &Sides<'_>) -> Overlap {
    let Sides { product, survivor, loser, email, .. } = sides;
    let at_product = |record: &ProductAccount| record.product == product.name;
    let theirs = |side: &Side<'_>| side.record.account == side.account.id && at_product(side.record);
    let is_local = matches!(loser.record.state, ProductAccountState::Local | ProductAccountState::Migrating);
    let are_two = survivor.account.id != loser.account.id
        && theirs(survivor)
        && theirs(loser)
        && survivor.record.state == ProductAccountState::Linked;
    if !are_two || !is_local || !loser.proved.contains(email) {
        return Overlap::None;
    }
    if product.adapter.is_none() {
        return Overlap::Blocked(Blocked::Product);
    }
    if !is_managed_alike(sides) {
        return Overlap::Blocked(Blocked::Managed);
    }
    let enterprise = loser.record.enterprise.as_ref().and_then(|name| product.enterprise(name));
    if enterprise.is_some_and(|one| !one.merging) {
        return Overlap::Blocked(Blocked::Enterprise);
    }
    if sides.has_more {
        return Overlap::Blocked(Blocked::Elsewhere);
    }
    Overlap::Offered
}

/// Every organization that manages the loser manages the survivor too, and where it enforces a directory, that one opened the survivor: a
/// merge must not be a way around single sign-on, nor out of a company's hands (rules C2, C3).
fn is_managed_alike(sides: &Sides<'_>) -> bool {
    fn held<'a>(sides: &Sides<'a>, proved: &'a [EmailAddress]) -> Vec<Management<'a>> {
        managements(sides.catalog, &proved.iter().collect::<Vec<_>>(), Groups::Unknown)
    }
    let directory = sides.catalog.directories.get(&sides.directory);
    let by = directory.and_then(|directory| directory.org());
    let of_survivor = held(sides, sides.survivor.proved);
    held(sides, sides.loser.proved).iter().all(|management| {
        let org = &management.org.name;
        let opened = match management.demand(sides.catalog) {
            Demand::Enforced(named) => named == sides.directory,
            Demand::Unusable => false,
            Demand::Off | Demand::Offered(_) => true,
        };
        opened && (by == Some(org) || of_survivor.iter().any(|other| other.org.name == *org))
    })
}

/// Both sides are proved, of just now, with the second steps that are enrolled; or why not.
///
/// # Errors
/// The [`Refusal`] that is shown.
pub fn merge(sides: &Sides<'_>, opened: Opened, owner: Option<OwnerProof>) -> Result<Merge, Refusal> {
    if overlap(sides) != Overlap::Offered {
        return Err(Refusal::Conflict);
    }
    let Sides { survivor, loser, .. } = sides;
    let is_active = |side: &Side<'_>| side.account.status == AccountStatus::Active && !side.record.off;
    let fresh = |time: Timestamp| opened.now.since(time) <= PROOF_LIFE;
    if !fresh(opened.auth_time) {
        return Err(Refusal::StaleProof);
    }
    if survivor.enrolled && !opened.stepped_at.is_some_and(fresh) {
        return Err(Refusal::SecondStep);
    }
    let owner = owner.filter(|owner| owner.is_of(loser.account.id, loser.account.epoch, loser.record.id));
    if !owner.is_some_and(|owner| owner.stepped() || !loser.enrolled) {
        return Err(Refusal::LocalProof);
    }
    if !is_active(survivor) || !is_active(loser) {
        return Err(Refusal::Inactive);
    }
    let line =
        transition(loser.record.state, MigrationEvent::MergeInto(survivor.record.id)).ok_or(Refusal::Conflict)?;
    Ok(Merge { survivor: survivor.record.clone(), loser: loser.record.clone(), line })
}

#[cfg(test)]
mod tests;
