//! Passwords that a product keeps itself: its adapter is asked, and what it says, when it says it, or that it says nothing tells
//! nobody who exists (rule H18).
//!
//! The adapter is asked for strangers too. A refusal comes after the adapter's whole time, however fast it was, and in the one text;
//! only that nothing listens at its address shows, which is so before it has heard of anybody. A right password is let on at once.

use super::super::answer::Answer;
use super::super::handover::ProductHost;
use super::super::world::{Visitor, World};
use super::answer::LocalPage;
use super::door::{Judged, nobody, said_page};
use super::known::Known;
use crate::accounts::NoAnswer;
use crate::kernel::local::Typed;
use crate::kernel::model::{Adapter, Passwords};
use crate::kernel::values::EmailAddress;

/// Whether the gateway keeps the product's passwords: nothing here sets one of a product that keeps its own.
pub(super) fn keeps_here(at: &ProductHost) -> bool {
    at.product.passwords == Passwords::Here
}

/// Where a password that the product keeps is changed: one page for everybody, whoever is asked about (rules H18 b, T06).
pub(super) fn kept_by_product(at: &ProductHost) -> Answer {
    let url = at.product.adapter.as_ref().and_then(|adapter| adapter.reset_url.clone());
    said_page(at, LocalPage::KeptByProduct { url })
}

impl World {
    /// Judges one password by the product's word. The tries were counted before.
    pub(super) async fn judge_by_product(
        &self,
        visitor: &Visitor,
        (at, adapter): (&ProductHost, &Adapter),
        (email, known): (&EmailAddress, Option<&Known>),
        (password, device): (String, bool),
    ) -> Judged {
        let begun = self.clock.since_boot();
        let judged = match Typed::new(password) {
            Ok(typed) => self.ask_product(visitor, (at, adapter), (email, known), (&typed, device)).await,
            // What cannot be a password takes as long as one, and no product is asked about it.
            Err(_) => Judged::Wrong,
        };
        if matches!(judged, Judged::Wrong) {
            let spent = self.clock.since_boot().saturating_sub(begun);
            tokio::time::sleep(adapter.timeout.saturating_sub(spent)).await;
        }
        judged
    }

    async fn ask_product(
        &self,
        visitor: &Visitor,
        (at, adapter): (&ProductHost, &Adapter),
        (email, known): (&EmailAddress, Option<&Known>),
        (typed, device): (&Typed, bool),
    ) -> Judged {
        let stranger = nobody(email, visitor.now).0;
        // A stranger's user id is none that a product could name.
        let (claimant, sub) = known.map_or((&stranger, ""), |known| (&known.claimant, known.record.sub.as_str()));
        let product = &at.product.name;
        let asked =
            self.adapters.verify_password((product, adapter), (claimant, sub), (typed, device), visitor.now).await;
        match asked {
            Ok(Some(steps)) => Judged::Right(Box::new(steps), None),
            Ok(None) => Judged::Wrong,
            Err(NoAnswer::Busy) => Judged::Busy,
            Err(why @ NoAnswer::Unreachable(_)) => {
                self.tell(visitor, at, &why);
                Judged::Away
            }
            Err(why @ (NoAnswer::Odd(_) | NoAnswer::AnotherUser)) => {
                self.tell(visitor, at, &why);
                Judged::Wrong
            }
        }
    }

    /// For the operator: the product, never the person.
    fn tell(&self, visitor: &Visitor, at: &ProductHost, why: &NoAnswer) {
        let product = &at.product.name;
        tracing::warn!(%product, request = visitor.request_id, "nobody is let in by the product's adapter: {why}");
        self.tally.adapter_failed(product.as_str());
    }
}
