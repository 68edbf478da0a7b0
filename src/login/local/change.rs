//! Setting a password: after a reset, where the old one has expired, or because its owner wants to.

use super::super::answer::Answer;
use super::super::handover::ProductHost;
use super::super::ticket::Target;
use super::super::world::{Visitor, World};
use super::super::{Login, Stop};
use super::answer::{LocalPage, Said, Wrong};
use super::bench::{Busy, Lane};
use super::door::{said, start_again};
use super::enter::Decided;
use super::product::{keeps_here, kept_by_product};
use crate::entropy::random;
use crate::kernel::event::{Action, Outcome, Subject};
use crate::kernel::journal::{Batch, Change, CredentialChange};
use crate::kernel::local::{BreachedRange, Claimant, Steps, StoredPassword, Typed, weakness};
use crate::kernel::model::PasswordRule;
use crate::kernel::model::{Account, PasswordCredential};
use crate::kernel::standing;
use crate::kernel::values::EmailAddress;
use crate::mail::{self, Letter};
use crate::store::{Conflict, NotCommitted};
use std::sync::Arc;

impl Login {
    /// Asks for a new password of a person whose steps are enough.
    pub(super) fn new_password_page(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        target: &Target,
        steps: &Steps,
        wrong: Option<Wrong>,
    ) -> Answer {
        let email = steps.claimant().email.clone();
        self.page_with_steps(visitor, at, target, steps, |form| LocalPage::NewPassword {
            form,
            email,
            asks_current: false,
            wrong,
        })
    }

    /// `POST /.fedgate/reset/password`.
    pub async fn set_new_password(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        (csrf, to): (&str, &str),
        password: String,
    ) -> Answer {
        if !keeps_here(at) {
            return kept_by_product(at);
        }
        let (Some(target), Some(steps)) =
            (self.posted_target(visitor, at, csrf, to), self.posted_steps(visitor, at, to))
        else {
            return start_again();
        };
        let answer = self.try_set_new_password(visitor, at, &target, (&steps, password)).await;
        self.settle(visitor, Some(&target), answer).await
    }

    async fn try_set_new_password(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        target: &Target,
        (steps, password): (&Steps, String),
    ) -> Result<Answer, Stop> {
        // Decided again: the policy may have changed while the page was looked at, and an enrolled second step is not passed by.
        match self.decide_local(visitor, at, target, steps).await? {
            Decided::Admitted(..) | Decided::NewPassword => {}
            Decided::Page(answer) => return Ok(answer),
        }
        match self.change_password(visitor, at, steps.claimant(), password, "reset").await? {
            Changed::Done => Ok(said(at, Said::Changed)),
            Changed::Wrong(wrong) => Ok(self.new_password_page(visitor, at, target, steps, Some(wrong))),
            Changed::Over => Ok(said(at, Said::Over)),
            Changed::Busy => Ok(said(at, Said::Busy)),
        }
    }

    /// Judges a new password, hashes it and puts it in place of the old one. Everything older of its person dies in the same commit:
    /// sessions, resets under way (rule H14, §4 #17).
    pub(super) async fn change_password(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        claimant: &Claimant,
        password: String,
        why: &str,
    ) -> Result<Changed, Stop> {
        let Ok(typed) = Typed::new(password) else { return Ok(Changed::Wrong(Wrong::Length)) };
        let world = &self.world;
        let store = &world.store;
        let account = store.account(claimant.account).await?.filter(|account| account.epoch == claimant.epoch);
        let Some(account) = account else { return Ok(Changed::Over) };
        let further = store.proved_addresses_of(account.id).await?;
        let rule = world.password_rule(&account, &further, claimant);
        let (breached, email, label) = (world.breached.clone(), claimant.email.clone(), at.product.label.clone());
        let salt = random();
        let judged = world
            .bench
            .run(Lane::Known, move || {
                let list = breached.as_deref().map(|list| list as &dyn BreachedRange);
                match weakness(&typed, rule.min_score, &email, &[&label], list) {
                    Some(weak) => Err(weak),
                    None => Ok(StoredPassword::of(&typed, salt)),
                }
            })
            .await;
        let stored = match judged {
            Err(Busy) => return Ok(Changed::Busy),
            Ok(Err(weak)) => return Ok(Changed::Wrong(Wrong::Weak(weak))),
            Ok(Ok(None)) => return Err(Stop::Fault("a password could not be hashed".into())),
            Ok(Ok(Some(stored))) => stored,
        };
        let generation = store.password(claimant.record).await?.map_or(1, |old| old.generation.saturating_add(1));
        let mut new = PasswordCredential {
            product_account: claimant.record,
            stored,
            generation,
            set_at: visitor.now,
            mac: [0; 32],
        };
        new.mac = world.keys.mac_password(&new);
        let mut batch = Batch::default();
        batch.changes.push(Change::Credential(CredentialChange::SetPassword(new)));
        batch.changes.push(Change::Credential(CredentialChange::EndMailboxProofsOf(claimant.record)));
        batch.end_everything_of(account.id);
        let mut event = visitor.event(Action::PasswordChanged, Outcome::Success);
        event.subject = Subject {
            account: Some(account.id.to_string()),
            product_account: Some(claimant.record.to_string()),
            email: Some(claimant.email.to_string()),
        };
        event.product = Some(at.product.name.to_string());
        event.reason = Some(why.to_owned());
        batch.events.push(event);
        let letter = Letter::PasswordChanged { product: at.product.name.clone(), at: visitor.now };
        batch.changes.push(world.letter(visitor, claimant, letter)?);
        match store.commit(batch).await {
            Ok(_) => Ok(Changed::Done),
            Err(NotCommitted::Conflict(Conflict::Credential)) => Ok(Changed::Over),
            Err(other) => Err(other.into()),
        }
    }

    /// After a right password over an imported hash: the same password is stored anew without it, beside the answer.
    pub(super) fn store_anew(&self, renewed: Option<Box<PasswordCredential>>) {
        let Some(mut renewed) = renewed else { return };
        renewed.mac = self.world.keys.mac_password(&renewed);
        let store = Arc::clone(&self.world.store);
        tokio::spawn(async move {
            let changes = vec![Change::Credential(CredentialChange::SetPassword(*renewed))];
            if let Err(fault) = store.commit(Batch { changes, ..Batch::default() }).await {
                tracing::debug!(%fault, "an imported password stays wrapped until its next login");
            }
        });
    }
}

impl World {
    /// What a new password of this person must be: the strictest of whoever manages an address of theirs (rule C3), else the rule
    /// for people.
    fn password_rule(&self, account: &Account, further: &[EmailAddress], claimant: &Claimant) -> PasswordRule {
        let catalog = self.catalog.load();
        let mut addresses = standing::proved_addresses(account, further);
        addresses.push(&claimant.email);
        let governing = standing::managements(&catalog, &addresses, standing::Groups::Unknown);
        standing::password_rule(&catalog, &governing)
    }

    /// A letter to the address that a person logs in with, for the batch of what it tells of.
    pub(super) fn letter(&self, visitor: &Visitor, to: &Claimant, letter: Letter) -> Result<Change, Stop> {
        mail::queue(&self.keys, visitor.now, &[(to.email.clone(), letter)], Some(to.account))
            .map_err(|fault| Stop::Fault(fault.to_string()))
    }
}

/// What came of a new password.
pub(super) enum Changed {
    Done,
    Wrong(Wrong),
    /// Something of the account changed meanwhile.
    Over,
    Busy,
}
