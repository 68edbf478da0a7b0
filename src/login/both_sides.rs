//! Linking with a proof on both sides (B22, rule H1): a provider's proof stands for ten minutes, sealed in this browser; the owner of the
//! record shows at the product's own door that it is theirs; a page names both, and its button links them.
//!
//! ```text
//! login host: callback → proof, no proof of the record ─┐ a cookie with the proof and a secret m
//! product:    /.fedgate/prove?t  (SHA-256(m), whose record, by whom)  → password, second step
//! login host: /login/link?t      (SHA-256(m), the owner's steps)      → review → POST → COMMIT → handover
//! ```
//! What one host gives the other is sealed for ten minutes and worth nothing without the cookie of the browser that began: an attacker
//! who sends his link to somebody gets that person's password check and no link (§4 #14). Nothing acts by `GET`.

use super::answer::{Answer, Step, Towards};
use super::codec::{Reader, Writer};
use super::handover::ProductHost;
use super::moving::begun;
use super::record::Circumstances;
use super::standing::Standing;
use super::ticket::Target;
use super::world::Visitor;
use super::{Login, Stop};
use crate::kernel::event::{Action, Outcome as EventOutcome};
use crate::kernel::journal::{Batch, Change, CredentialChange, MigrationChange};
use crate::kernel::local::Steps;
use crate::kernel::migration::{MigrationEvent, PROOF_LIFE, transition};
use crate::kernel::model::{Directory, IdentityKey, MigrationStep, SubjectSource, Trigger};
use crate::kernel::proof::{OwnerProof, Proof};
use crate::kernel::refusal::Refusal;
use crate::kernel::values::{DirectoryId, EmailAddress, Origin, ProductAccountId, Timestamp};
use crate::keys::Purpose;
use crate::store::NotCommitted;
use std::sync::Arc;

/// What the ticket of the owner's steps is bound to.
const OWNED: &[u8] = b"owned";
/// And of the word that a record is not the person's.
const DISOWNED: &[u8] = b"disowned";

/// What the person said about the old record: that it is theirs, proved; or that it is not, and which.
pub(super) type Word = (Option<OwnerProof>, Option<ProductAccountId>);

/// What a product's door is asked to find out.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// SHA-256 of the standing proof's secret.
    pub challenge: [u8; 32],
    pub target: Target,
    pub record: ProductAccountId,
    /// Whom the provider proved.
    pub identity_key: IdentityKey,
    /// The record's address.
    pub email: EmailAddress,
    /// What people call the provider, and the address that it said.
    pub provider: String,
    pub identity: String,
    /// The person may say that the record is not theirs, and begin anew (B21).
    pub may_begin_anew: bool,
    /// The record is to be given up in favour of the person's other one (row L10); else it is linked.
    pub merges: bool,
    pub made_at: Timestamp,
}

impl Wanted {
    fn encode(&self) -> Vec<u8> {
        let writer = Writer::default().time(self.made_at).raw(&self.challenge).raw(&self.record.to_bytes());
        let writer = writer.byte(self.may_begin_anew.into());
        let writer = writer.text(self.email.as_str()).text(&self.provider).text(&self.identity);
        let key = &self.identity_key;
        let writer = writer.raw(&key.directory.to_bytes()).text(&key.source.0).text(&key.subject);
        self.target.write(writer.byte(u8::from(self.merges))).done()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let (made_at, challenge) = (reader.time()?, reader.raw()?);
        let record = ProductAccountId::from_bytes(reader.raw()?);
        let may_begin_anew = reader.byte()? == 1;
        let email = EmailAddress::parse(reader.text()?).ok()?;
        let (provider, identity) = (reader.text()?.to_owned(), reader.text()?.to_owned());
        let identity_key = IdentityKey {
            directory: DirectoryId::from_bytes(reader.raw()?),
            source: SubjectSource(reader.text()?.to_owned()),
            subject: reader.text()?.to_owned(),
        };
        let merges = reader.byte()? == 1;
        let target = Target::read(&mut reader)?;
        reader.ended()?;
        Some(Self {
            challenge,
            target,
            record,
            identity_key,
            email,
            provider,
            identity,
            may_begin_anew,
            merges,
            made_at,
        })
    }
}

impl Login {
    /// The provider's proof is good and the record at the product needs its owner's: on to the product's door, the proof in a cookie.
    pub(super) async fn ask_owner(
        &self,
        visitor: &Visitor,
        directory: &Arc<Directory>,
        target: Option<&Target>,
        (proof, record, about): (&Proof, Option<(ProductAccountId, bool)>, Circumstances),
    ) -> Result<Answer, Stop> {
        let refused = |about| Stop::refused(Refusal::LocalProof, about);
        let (Some(target), Some((record, may_begin_anew))) = (target, record) else { return Err(refused(about)) };
        let claims = proof.claims();
        let addresses = self.world.store.addresses_of(record).await?;
        let own = addresses.iter().find(|address| Some(&address.email) == claims.email.as_ref());
        let Some(email) = own.or(addresses.first()).map(|address| address.email.clone()) else {
            return Err(refused(about));
        };
        let Some((challenge, cookie)) = self.let_stand(visitor, Some(target), proof) else {
            return Err(refused(about));
        };
        let wanted = Wanted {
            challenge,
            target: target.clone(),
            record,
            may_begin_anew,
            identity_key: claims.identity.clone(),
            email,
            provider: directory.label.clone(),
            identity: claims.email.as_ref().map(ToString::to_string).unwrap_or_default(),
            merges: false,
            made_at: visitor.now,
        };
        let url = begun_at_door(self, &wanted);
        Ok(Answer::of(Step::Go(url)).with_cookie(cookie))
    }

    /// B23: the address was given up by an account, and nobody has it: the person says whether they have that account or begin anew.
    pub(super) async fn ask_whether_anew(
        &self,
        visitor: &Visitor,
        target: Option<&Target>,
        (proof, old, about): (&Proof, Option<ProductAccountId>, Circumstances),
    ) -> Result<Answer, Stop> {
        let stands = target.and_then(|target| self.let_stand(visitor, Some(target), proof));
        let (Some((challenge, cookie)), Some(old)) = (stands, old) else {
            return Err(Stop::refused(Refusal::GivenUp, about));
        };
        let ticket = self.disowned_ticket(visitor, &challenge, old);
        Ok(Answer::of(Step::Go(format!("/login/link?t={ticket}"))).with_cookie(cookie))
    }

    fn disowned_ticket(&self, visitor: &Visitor, challenge: &[u8; 32], record: ProductAccountId) -> String {
        let bytes = Writer::default().time(visitor.now).raw(challenge).raw(&record.to_bytes()).done();
        self.world.seal(Purpose::Local, DISOWNED, &bytes)
    }

    /// B21: the person was asked for a proof and says that the record is not theirs: back to the login host, where a page says what
    /// that does. Nothing is written here.
    pub(super) fn disown(&self, visitor: &Visitor, wanted: &Wanted) -> Answer {
        let ticket = self.disowned_ticket(visitor, &wanted.challenge, wanted.record);
        self.to_review(wanted, &ticket)
    }

    fn to_review(&self, wanted: &Wanted, ticket: &str) -> Answer {
        let path = if wanted.merges { "/login/merge/review" } else { "/login/link" };
        let url = format!("{}{path}?t={ticket}", self.world.catalog.load().login.url());
        let product = self.world.product_of(Some(&wanted.target));
        Answer::of(Step::Leave { towards: Towards::Review, provider: String::new(), url, product, by_form: true })
    }

    /// What the login host asks of this product's door, in a browser that began here.
    pub(super) fn wanted(&self, visitor: &Visitor, at: &ProductHost, ticket: &str) -> Option<Wanted> {
        let wanted = Wanted::decode(&self.world.unseal(Purpose::Local, &prove_binding(&at.host), ticket)?)?;
        let here = wanted.target.product == at.product.name && wanted.target.host == at.host;
        let young = visitor.now.since(wanted.made_at) <= PROOF_LIFE;
        (here && young && self.has_flow(visitor, at, &wanted.target)).then_some(wanted)
    }

    /// Both sides are proved: that is written down, for half an hour, and the person goes back to the login host with what they proved
    /// here. A record that is on its way to somebody else stays there until that is over.
    pub(super) async fn give_owned(
        &self,
        visitor: &Visitor,
        wanted: &Wanted,
        steps: &Steps,
        used: Vec<CredentialChange>,
    ) -> Result<Answer, Stop> {
        let store = &self.world.store;
        if wanted.merges {
            // Nothing of a merge is written down before its button: what was used up here stays used.
            let changes: Vec<Change> = used.into_iter().map(Change::Credential).collect();
            if !changes.is_empty() {
                store.commit(Batch { changes, ..Batch::default() }).await?;
            }
            return Ok(self.back_with(visitor, wanted, steps));
        }
        let before = store.migration_of(wanted.record).await?;
        let mut batch = Batch { changes: used.into_iter().map(Change::Credential).collect(), ..Batch::default() };
        match before {
            Some(intent) if intent.target == wanted.identity_key => {}
            Some(_) => return Err(Stop::refuse(Refusal::Conflict)),
            None => {
                let record = store.product_account_by_id(wanted.record).await?;
                let line = record.and_then(|record| transition(record.state, MigrationEvent::Intend));
                let Some(line) = line else { return Err(Stop::refuse(Refusal::Conflict)) };
                let place = (wanted.target.product.clone(), wanted.record);
                let step = (MigrationStep::Intent, visitor.now);
                let intent = begun(place, Trigger::Prompt, wanted.identity_key.clone(), step);
                let mut event = visitor.event(Action::MigrationStarted, EventOutcome::Success);
                event.product = Some(wanted.target.product.to_string());
                event.subject.account = Some(steps.claimant().account.to_string());
                event.subject.product_account = Some(wanted.record.to_string());
                event.txn = Some(intent.id.to_string());
                batch.changes.push(Change::Migration(MigrationChange::Move(wanted.record, line)));
                batch.changes.push(Change::Migration(MigrationChange::Begin(intent)));
                batch.events.push(event);
            }
        }
        match store.commit(batch).await {
            Ok(_) => Ok(self.back_with(visitor, wanted, steps)),
            // Another tab was first, or a code was used twice: from the start, which knows.
            Err(NotCommitted::Conflict(_)) => Err(Stop::refuse(Refusal::NotUnderWay)),
            Err(NotCommitted::Unavailable(fault)) => Err(fault.into()),
        }
    }

    fn back_with(&self, visitor: &Visitor, wanted: &Wanted, steps: &Steps) -> Answer {
        let steps = steps.to_text(&self.world.steps_key(), &wanted.challenge);
        let bytes = Writer::default().time(visitor.now).raw(&wanted.challenge).text(&steps).done();
        let ticket = self.world.seal(Purpose::Local, OWNED, &bytes);
        self.to_review(wanted, &ticket)
    }

    /// What the person said about the record, to the proof that stands in this browser: their steps, or that it is not theirs.
    pub(super) fn word(&self, visitor: &Visitor, standing: &Standing, ticket: &str) -> Option<Word> {
        let owned = self.owned(visitor, standing, ticket).map(|owner| (Some(owner), None));
        owned.or_else(|| Some((None, Some(self.disowned(visitor, standing, ticket)?))))
    }

    fn disowned(&self, visitor: &Visitor, standing: &Standing, ticket: &str) -> Option<ProductAccountId> {
        let bytes = self.world.unseal(Purpose::Local, DISOWNED, ticket)?;
        let mut reader = Reader::new(&bytes);
        let (made_at, challenge): (_, [u8; 32]) = (reader.time()?, reader.raw()?);
        let record = ProductAccountId::from_bytes(reader.raw()?);
        reader.ended()?;
        let same = challenge == standing.challenge() && visitor.now.since(made_at) <= PROOF_LIFE;
        same.then_some(record)
    }

    /// The owner's steps, if they were made for the proof that stands in this browser.
    fn owned(&self, visitor: &Visitor, standing: &Standing, ticket: &str) -> Option<OwnerProof> {
        self.owned_for(visitor, &standing.challenge(), ticket)
    }

    /// The owner's steps, if they were made for this challenge.
    pub(super) fn owned_for(&self, visitor: &Visitor, asked: &[u8; 32], ticket: &str) -> Option<OwnerProof> {
        let bytes = self.world.unseal(Purpose::Local, OWNED, ticket)?;
        let mut reader = Reader::new(&bytes);
        let (made_at, challenge): (_, [u8; 32]) = (reader.time()?, reader.raw()?);
        let text = reader.text()?;
        let same = challenge == *asked && visitor.now.since(made_at) <= PROOF_LIFE;
        let steps = Steps::open(text, &self.world.steps_key(), &challenge, visitor.now)?;
        steps.owner().filter(|_| same)
    }
}

/// Where the product's door asks for what is wanted.
pub(super) fn begun_at_door(login: &Login, wanted: &Wanted) -> String {
    let host = &wanted.target.host;
    let ticket = login.world.seal(Purpose::Local, &prove_binding(host), &wanted.encode());
    format!("{}/.fedgate/prove?t={ticket}", host.url())
}

fn prove_binding(host: &Origin) -> Vec<u8> {
    format!("prove {host}").into_bytes()
}
