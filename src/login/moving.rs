//! A record moves to the one account (behaviour §3.3): what goes into the one batch in which a person's proof is admitted.
//!
//! State, link, addresses, the dead password, the raised epoch, events and letters are durable together or not at all: there is no
//! moment at which both logins open the account, or none (§4 #13). What the product must hear of it follows from the journal's row.

use super::record::Circumstances;
use super::world::{Visitor, World};
use super::{Login, Stop};
use crate::entropy::random;
use crate::kernel::admit::{Admitted, Person, Record};
use crate::kernel::event::{Action, Outcome, Subject};
use crate::kernel::journal::{Batch, Change, CredentialChange, MigrationChange};
use crate::kernel::local::ProvedAddress;
use crate::kernel::migration::{Choice, INTENT_LIFE, NoPick, Reduction, Transition, choose, reduce, to_linked};
use crate::kernel::model::{
    Account, Address, IdentityKey, LinkedBy, Method, Migration, MigrationStep, Passwords, ProductAccount,
    ProductAccountState, RemovedAlias, Trigger,
};
use crate::kernel::proof::{Claims, Proof, Vouched};
use crate::kernel::refusal::Refusal;
use crate::kernel::standing::management;
use crate::kernel::values::{EmailAddress, MigrationId, ProductAccountId, ProductName, Timestamp};
use crate::mail::{self, Letter};
use crate::store::{NotCommitted, Unavailable};

/// A move that is decided, and what it does to the record.
#[derive(Clone, Debug)]
pub(super) struct Moving {
    record: ProductAccount,
    lines: Vec<Transition>,
    reduction: Reduction,
    target: IdentityKey,
    trigger: Trigger,
    /// Its owner proved the record (B22): logins that somebody linked to it before are not theirs by that (rule H14).
    ends_links: bool,
    /// What was written down when both sides were proved.
    intent: Option<Migration>,
}

impl Moving {
    /// The address that the account has from now on.
    pub(super) fn kept(&self) -> &EmailAddress {
        &self.reduction.kept.email
    }

    /// When that one was proved, where it is known.
    pub(super) fn kept_since(&self) -> Option<Timestamp> {
        self.reduction.kept.verified_at
    }

    /// Addresses that log in no longer.
    pub(super) fn removed(&self) -> impl Iterator<Item = &EmailAddress> {
        self.reduction.removed.iter().map(|address| &address.email)
    }

    fn journal(&self, now: Timestamp, step: MigrationStep) -> Migration {
        begun((self.record.product.clone(), self.record.id), self.trigger, self.target.clone(), (step, now))
    }

    /// The record as it is then.
    pub(super) fn moved(&self) -> ProductAccount {
        ProductAccount { state: ProductAccountState::Linked, ..self.record.clone() }
    }
}

/// The address that the person wants to keep, instead of the one that would be picked (rows T12, T16, T19).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Chosen {
    /// One that is proved: the record's own, or the issuer's.
    Own(EmailAddress),
    /// Its mailbox proved it.
    Mailbox(ProvedAddress),
}

impl Chosen {
    pub(super) fn email(&self) -> &EmailAddress {
        match self {
            Self::Own(email) => email,
            Self::Mailbox(proved) => proved.email(),
        }
    }

    /// The choice as it is good for this record now; none once its account has changed since (§4 #17).
    fn choice(&self, (record, epoch): (ProductAccountId, u32), issuers: bool, now: Timestamp) -> Option<Choice> {
        let proved_at = match self {
            Self::Own(_) => issuers.then_some(now),
            Self::Mailbox(proved) => Some(proved.good_for(record, epoch)?),
        };
        Some(Choice { email: self.email().clone(), proved_at })
    }
}

/// A journal's row: an intent that may be taken back after half an hour, or a move that is committed with it.
pub(super) fn begun(
    (product, product_account): (ProductName, ProductAccountId),
    trigger: Trigger,
    target: IdentityKey,
    (step, now): (MigrationStep, Timestamp),
) -> Migration {
    let is_intent = step == MigrationStep::Intent;
    Migration {
        id: MigrationId::mint(now, random()),
        product,
        product_account,
        trigger,
        target,
        step,
        begun_at: now,
        committed_at: (!is_intent).then_some(now),
        due_at: if is_intent { now.plus(INTENT_LIFE) } else { now },
        attempts: 0,
        fault: None,
    }
}

impl World {
    /// What an admission that moves a record does to it; none where it moves nothing. `chosen` is what the person chose in its review.
    pub(super) async fn moving(
        &self,
        admitted: &Admitted,
        proof: &Proof,
        (about, chosen): (&Circumstances, Option<&Chosen>),
    ) -> Result<Option<Moving>, Stop> {
        let terms = admitted.terms();
        let Some(trigger) = terms.moves else { return Ok(None) };
        let (Some(entry), Person::Known(account)) = (&terms.entry, &terms.person) else {
            return Err(Stop::Fault("a move of nobody's record".into()));
        };
        let Record::Known(record) = &entry.record else { return Err(Stop::Fault("a move of no record".into())) };
        let lines = to_linked(record.state).ok_or_else(|| Stop::Fault("a move from where no way leads".into()))?;
        let claims = proof.claims();
        let refused = |refusal| Err(Stop::refused(refusal, about.clone()));
        let intent = self.store.migration_of(record.id).await?;
        // It is on its way to another identity: one of the two must end first (§3.3).
        if intent.as_ref().is_some_and(|intent| intent.target != claims.identity) {
            return refused(Refusal::Conflict);
        }
        let by_company = terms.managed_by.is_some() && terms.proves_address;
        let catalog = self.catalog.load();
        let proven = claims.email.as_ref().filter(|_| by_company || self.is_its_word(claims));
        let addresses = self.addresses_to_reduce(record, account).await?;
        let manager = |email: &EmailAddress| management(&catalog, email).map(|held| held.org.name.clone());
        let reduced = match chosen {
            None => reduce(&addresses, proven, manager),
            Some(_) if terms.managed_by.is_some() => Err(NoPick::Managed),
            Some(chosen) => {
                let issuers = self.issuers_address(proof).as_ref() == Some(chosen.email());
                let Some(choice) = chosen.choice((record.id, account.epoch), issuers, self.clock.now()) else {
                    return refused(Refusal::NotUnderWay);
                };
                if !self.may_keep(record, &choice.email, &claims.identity).await? {
                    return refused(Refusal::Conflict);
                }
                choose((record.id, &addresses), &choice, proven, manager)
            }
        };
        match reduced {
            // Once it is committed there is no way back from an address that is somebody else's (§3.5, rule H19).
            Ok(reduction) if self.is_anothers(record, &reduction.kept.email).await? => refused(Refusal::Conflict),
            Ok(reduction) => Ok(Some(Moving {
                record: record.clone(),
                lines,
                reduction,
                target: claims.identity.clone(),
                ends_links: terms.link.as_ref().is_some_and(|(_, by)| *by == LinkedBy::Owner),
                // What began by the person's own choice ends as that.
                trigger: intent.as_ref().map_or(trigger, |intent| intent.trigger),
                intent,
            })),
            Err(NoPick::NoneVerified) => refused(Refusal::EmailProof),
            Err(NoPick::TwoOrganizations) => refused(Refusal::TwoOrganizations),
            Err(NoPick::Managed) => refused(Refusal::Conflict),
        }
    }

    /// Whether a provider's word makes an address the account's: the issuer's, and a third party's for addresses that nobody manages
    /// (a company's for its people is for the caller to see). A linked person's foreign address is nobody's word about the account
    /// (rules C2, C3, M7).
    fn is_its_word(&self, claims: &Claims) -> bool {
        let vouched = claims.email_verified == Vouched::Yes;
        match claims.method {
            Method::Issuer => vouched,
            Method::ThirdParty => {
                let catalog = self.catalog.load();
                let managed = claims.email.as_ref().is_some_and(|email| management(&catalog, email).is_some());
                vouched && !managed
            }
            _ => false,
        }
    }

    /// The address that the account issuer itself proved: it may be chosen although the record never had it (T22). Nobody else's word
    /// brings a record a new address without its mailbox.
    pub(super) fn issuers_address(&self, proof: &Proof) -> Option<EmailAddress> {
        let claims = proof.claims();
        let vouched = claims.method == Method::Issuer && claims.email_verified == Vouched::Yes;
        claims.email.clone().filter(|_| vouched)
    }

    /// The addresses of a record that has not moved.
    pub(super) async fn addresses_to_reduce(
        &self,
        record: &ProductAccount,
        account: &Account,
    ) -> Result<Vec<Address>, Unavailable> {
        let mut addresses = self.store.addresses_of(record.id).await?;
        // Imported without a row of its own: the account's live address is the record's.
        if let (true, Some(email)) = (addresses.is_empty(), &account.email) {
            addresses.push(Address {
                product_account: record.id,
                email: email.clone(),
                verified: account.email_verified,
                verified_at: account.email_proved_at,
                primary: true,
                added_at: account.created_at,
                last_login_at: account.last_login_at,
            });
        }
        Ok(addresses)
    }

    /// Whether a person whom nobody manages may choose this address for the record: no company's, nobody else's at the product in any
    /// state, and of nobody who was deleted (§3.5, rules H2, H19).
    pub(super) async fn may_keep(
        &self,
        record: &ProductAccount,
        email: &EmailAddress,
        identity: &IdentityKey,
    ) -> Result<bool, Unavailable> {
        if management(&self.catalog.load(), email).is_some() {
            return Ok(false);
        }
        let holder = self.store.product_account_by_address(&record.product, email).await?;
        if holder.is_some_and(|holder| holder.id != record.id) {
            return Ok(false);
        }
        for other in self.store.accounts_by_email(email).await? {
            if other.id != record.account && self.store.product_account(&record.product, other.id).await?.is_some() {
                return Ok(false);
            }
        }
        Ok(!self.is_anothers(record, email).await? && !self.is_buried(identity, Some(email)).await?)
    }
}

impl World {
    /// Whether the product was told an address for another user id, or another person has it live.
    pub(super) async fn is_anothers(&self, record: &ProductAccount, kept: &EmailAddress) -> Result<bool, Unavailable> {
        if self.store.asserted_sub(&record.product, kept).await?.is_some_and(|sub| sub != record.sub) {
            return Ok(true);
        }
        let named = self.store.accounts_by_email(kept).await?;
        let is_live = |other: &&Account| other.email.as_ref() == Some(kept) && other.email_verified;
        let others: Vec<&Account> = named.iter().filter(is_live).filter(|other| other.id != record.account).collect();
        for other in others {
            // The same address at another product is the same mailbox's account there, not this product's.
            if self.store.product_account(&record.product, other.id).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Login {
    /// Adds the move to the batch that admits the person. The account's epoch has been raised there already.
    pub(super) fn write_move(
        &self,
        visitor: &Visitor,
        (moving, account): (&Moving, &Account),
        about: &Circumstances,
        batch: &mut Batch,
    ) -> Result<(), NotCommitted> {
        let (world, record) = (&self.world, &moving.record);
        let mut change = |change| batch.changes.push(change);
        for line in &moving.lines {
            change(Change::Migration(MigrationChange::Move(record.id, *line)));
        }
        let product = self.world.catalog.load().products.get(&record.product).cloned();
        let tells = product.as_ref().is_some_and(|product| product.passwords == Passwords::Product);
        let step = if tells { MigrationStep::SetAuthMode } else { MigrationStep::Done };
        let id = match &moving.intent {
            Some(intent) => {
                let (read, due_at) = ((intent.step, intent.attempts), visitor.now);
                let advance = MigrationChange::Advance { id: intent.id, read, step, attempts: 0, due_at, fault: None };
                change(Change::Migration(advance));
                intent.id
            }
            None => {
                let begun = moving.journal(visitor.now, step);
                let id = begun.id;
                change(Change::Migration(MigrationChange::Begin(begun)));
                id
            }
        };
        if moving.ends_links {
            change(Change::Migration(MigrationChange::Unlink(account.id, moving.target.clone())));
        }
        change(Change::Credential(CredentialChange::DropPassword(record.id)));
        // A reset that was asked for before is worth nothing any more (§4 #17).
        change(Change::Credential(CredentialChange::EndMailboxProofsOf(record.id)));
        for address in &moving.reduction.removed {
            let mut alias = RemovedAlias {
                product: record.product.clone(),
                email: address.email.clone(),
                product_account: record.id,
                verified_when_removed: address.verified,
                removed_at: visitor.now,
                mac: [0; 32],
            };
            alias.mac = world.keys.mac_alias(&alias);
            change(Change::Credential(CredentialChange::DropAddress(record.id, address.email.clone())));
            change(Change::Migration(MigrationChange::Retire(alias)));
        }
        let kept = Address { last_login_at: Some(visitor.now), ..moving.reduction.kept.clone() };
        change(Change::Credential(CredentialChange::PutAddress(kept)));
        let letter = Letter::Moved {
            product: record.product.clone(),
            provider: about.provider.clone().unwrap_or_default(),
            kept: moving.kept().clone(),
            by_login: matches!(moving.trigger, Trigger::ThirdParty | Trigger::OrgSso),
        };
        let letters = [(moving.kept().clone(), letter)];
        let queued = mail::queue(&world.keys, visitor.now, &letters, Some(account.id));
        change(queued.map_err(|fault| NotCommitted::Unavailable(Unavailable(fault.to_string())))?);
        let mut event = visitor.event(Action::MigrationCommitted, Outcome::Success);
        event.subject = Subject {
            account: Some(account.id.to_string()),
            product_account: Some(record.id.to_string()),
            email: Some(moving.kept().to_string()),
        };
        event.product = Some(record.product.to_string());
        event.reason = Some(moving.trigger.code().to_owned());
        event.directory = about.directory.clone();
        event.method = about.method.clone();
        event.txn = Some(id.to_string());
        let removed: Vec<String> = moving.removed().map(ToString::to_string).collect();
        event.before = Some(serde_json::json!({ "state": "local", "addresses_removed": removed }));
        event.after = Some(serde_json::json!({ "state": "linked", "address": moving.kept().to_string() }));
        batch.events.push(event);
        Ok(())
    }
}
