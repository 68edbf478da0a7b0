//! A person's second steps one by one: named, and taken away while one stays where a policy requires one. What was asked before is
//! `security`'s.

use super::super::handover::ProductHost;
use super::super::session::clean_name;
use super::super::world::Visitor;
use super::super::{Answer, Login, Stop};
use super::known::Known;
use crate::kernel::event::Action;
use crate::kernel::journal::{Batch, Change, CredentialChange};
use crate::kernel::model::{Factor, FactorKind, SecondStep};
use crate::kernel::standing::{self, Groups};
use crate::kernel::values::AccountId;
use crate::mail::{self, Letter};

impl Login {
    /// Whether a person's only second step has to stay: a policy requires one, and without it the password and a mailbox would be enough
    /// to enrol another (rule H1).
    pub(in crate::login) async fn must_keep(&self, account: AccountId, factors: &[Factor]) -> Result<bool, Stop> {
        if factors.len() != 1 {
            return Ok(false);
        }
        let Some(account) = self.world.store.account(account).await? else { return Ok(false) };
        let further = self.world.store.proved_addresses_of(account.id).await?;
        let catalog = self.world.catalog.load();
        let proved = standing::proved_addresses(&account, &further);
        let held = standing::managements(&catalog, &proved, Groups::Unknown);
        Ok(standing::second_step(&catalog, &held) == SecondStep::Required)
    }

    /// Takes a second step away; with the last one its recovery codes go.
    pub(super) async fn remove(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        known: &Known,
        (factors, id, mut changes): (&[Factor], &str, Vec<Change>),
    ) -> Result<Answer, Stop> {
        let account = known.claimant.account;
        let Some(factor) = factors.iter().find(|factor| factor.id.to_string() == id) else {
            return self.security_page(visitor, at, known, false).await;
        };
        if self.must_keep(account, factors).await? {
            // The code that was given for this is used up all the same.
            self.commit_used(changes).await?;
            return self.security_page(visitor, at, known, false).await;
        }
        changes.push(Change::Credential(CredentialChange::DropFactor(account, factor.id)));
        if factors.len() == 1 {
            changes.push(Change::Credential(CredentialChange::PutRecoveryCodes(account, Vec::new())));
        }
        let event = self.factor_event(visitor, at, known, (Action::FactorRemoved, factor.kind.code()));
        let kind = match factor.kind {
            FactorKind::Totp => mail::Factor::Authenticator,
            FactorKind::Passkey | FactorKind::Emergency => mail::Factor::Passkey,
        };
        let letter = Letter::FactorRemoved { factor: kind, at: visitor.now };
        changes.push(self.world.letter(visitor, &known.claimant, letter)?);
        self.world.store.commit(Batch { changes, events: vec![event], ..Batch::default() }).await?;
        self.security_page(visitor, at, known, false).await
    }

    /// Gives a second step another name, as its owner types it: legible, at most 64 characters (rule M26).
    pub(super) async fn rename(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        known: &Known,
        (factors, id, label, mut changes): (&[Factor], &str, &str, Vec<Change>),
    ) -> Result<Answer, Stop> {
        let factor = factors.iter().find(|factor| factor.id.to_string() == id);
        let (Some(factor), Some(label)) = (factor, clean_name(label)) else {
            return self.security_page(visitor, at, known, false).await;
        };
        changes.push(Change::Credential(CredentialChange::NameFactor(known.claimant.account, factor.id, label)));
        let event = self.factor_event(visitor, at, known, (Action::FactorRenamed, factor.kind.code()));
        self.world.store.commit(Batch { changes, events: vec![event], ..Batch::default() }).await?;
        self.security_page(visitor, at, known, false).await
    }
}
