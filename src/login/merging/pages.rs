//! What a person meets before two accounts become one.

use super::super::answer::{Answer, Form, Step};
use super::super::local::{LocalPage, LocalStep};
use super::super::world::{Browser, Visitor};
use super::{Login, Taken};
use crate::kernel::merging::Blocked;
use crate::kernel::values::Origin;
use crate::keys::Lookup;
use std::sync::Arc;

/// A page about two accounts.
#[derive(Debug)]
pub struct MergeStep {
    /// The form; `to` carries the offer, or what was shown and proved.
    pub form: Form,
    /// What is asked.
    pub asks: MergeAsks,
    /// The address that both have.
    pub email: String,
    /// The address of the account that stays; the same one, or the one that it had so far.
    pub stays: String,
    /// What people call the provider that opens it.
    pub provider: String,
    /// Addresses that log in no longer.
    pub removed: Vec<String>,
    /// Back to the product, with nothing changed.
    pub stay: String,
}

/// What is asked of a person who has two accounts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MergeAsks {
    /// Merge, keep apart, or decide later, where that may be.
    Offered {
        /// Whether it may be left for later.
        later: bool,
    },
    /// They cannot be made one (MSG-MERGE-BLOCKED).
    Blocked(Blocked),
    /// Both are proved; the button merges them.
    Review {
        /// The facts are others than those that were shown.
        changed: bool,
    },
}

impl Login {
    pub(super) fn merge_step(&self, visitor: &Visitor, taken: &Taken, (asks, to): (MergeAsks, String)) -> Answer {
        let browser = Browser::of(visitor);
        let product = Arc::clone(&taken.pair.product);
        let directory = self.world.directory(taken.current.session.directory);
        let email = &taken.offer.email;
        let page = LocalPage::Merge(MergeStep {
            form: Form { csrf: self.world.csrf(&browser), to },
            asks,
            email: email.to_string(),
            stays: taken.current.account.email.as_ref().unwrap_or(email).to_string(),
            provider: directory.map(|directory| directory.label.clone()).unwrap_or_default(),
            removed: removed(taken),
            stay: product.hosts.first().map(Origin::url).unwrap_or_default() + "/",
        });
        let mut answer = Answer::of(Step::Local(Box::new(LocalStep { product, page })));
        answer.cookies.extend(browser.cookie());
        answer
    }

    /// A keyed digest of what a review says: a page whose facts have changed is shown again (row T12).
    pub(super) fn merge_print(&self, taken: &Taken, ticket: &str) -> String {
        let (survivor, loser) = (&taken.pair.survivor, &taken.pair.loser);
        let says = format!(
            "{} {} {} {} {} {} {:?}",
            survivor.0.id,
            survivor.0.epoch,
            survivor.1.id,
            loser.0.id,
            loser.0.epoch,
            loser.1.id,
            removed(taken)
        );
        let hash = self.world.keys.lookup(Lookup::Steps, &[b"merge", says.as_bytes(), ticket.as_bytes()]);
        hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Addresses of the loser that nobody logs in by any more; the common one goes on with the survivor.
fn removed(taken: &Taken) -> Vec<String> {
    let mut removed: Vec<String> =
        taken.pair.loser.2.iter().filter(|email| **email != taken.offer.email).map(ToString::to_string).collect();
    removed.sort();
    removed.dedup();
    removed
}
