//! From a local proof to a product session: decided like every proof (phase B), carried by a login session that no cookie opens.
//!
//! A password that was typed at a product's door logs in to that product and nowhere else: the login session is confined to it and
//! its key is that of a token which is thrown away.

use super::super::answer::Answer;
use super::super::current::Current;
use super::super::handover::ProductHost;
use super::super::record::Circumstances;
use super::super::ticket::{Code, Target};
use super::super::world::Visitor;
use super::super::{Login, Stop, TRIES};
use super::answer::Said;
use super::door::{said, start_again};
use crate::entropy::random;
use crate::kernel::admit::{Admitted, Need, Outcome, decide};
use crate::kernel::journal::{Batch, Change, CredentialChange};
use crate::kernel::local::Steps;
use crate::kernel::model::Method;
use crate::kernel::proof::Proof;
use crate::kernel::refusal::Refusal;
use crate::kernel::values::{LoginSessionId, Token};
use crate::store::{Conflict, NotCommitted, Unavailable};

/// What a decision about local steps leads to.
pub(super) enum Decided {
    /// Let in, if the steps are enough for what the person has enrolled.
    Admitted(Box<Admitted>, Circumstances),
    /// A new password comes next, and what was proved is enough to set one.
    NewPassword,
    /// Something else comes first: its page.
    Page(Answer),
}

impl Login {
    /// Decides about what was proved so far and carries it out: the next page, or the product. `used` goes into the same commit.
    pub(super) async fn proceed(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        target: &Target,
        steps: Steps,
        used: Vec<CredentialChange>,
    ) -> Result<Answer, Stop> {
        for _ in 0..TRIES {
            // A step more in a session is worth nothing without that session, in its own browser (rule H14).
            if let Some(session) = steps.continues() {
                let here = self.session_here(visitor, at).await?;
                if here.is_none_or(|(live, _)| live.login != session) {
                    return Ok(start_again());
                }
            }
            let (admitted, about) = match self.decide_local(visitor, at, target, &steps).await? {
                Decided::Page(page) => {
                    return self.with_used(page, used).await.map(|page| page.unwrap_or(said(at, Said::Over)));
                }
                Decided::NewPassword => {
                    let page = self.new_password_page(visitor, at, target, &steps, None);
                    return self.with_used(page, used).await.map(|page| page.unwrap_or(said(at, Said::Over)));
                }
                Decided::Admitted(admitted, about) => (admitted, about),
            };
            let (place, proof) = ((at, target), steps.proof());
            match self.commit_local(visitor, place, (&admitted, &proof), about, (used.clone(), steps.continues())).await
            {
                Ok(answer) => return Ok(answer),
                Err(NotCommitted::Conflict(Conflict::Credential)) => {
                    // The code or recovery code was used by another request meanwhile.
                    return Ok(said(at, Said::Over));
                }
                Err(NotCommitted::Conflict(Conflict::Address)) => return Err(Stop::refuse(Refusal::Conflict)),
                Err(NotCommitted::Conflict(_)) => {}
                Err(NotCommitted::Unavailable(fault)) => return Err(fault.into()),
            }
        }
        Err(Stop::Fault("other commits were first too often".into()))
    }

    /// A page that comes before the login: the codes that led to it are used up with it, as those of a login are (rule H1). `None`:
    /// another request used them meanwhile.
    async fn with_used(&self, page: Answer, used: Vec<CredentialChange>) -> Result<Option<Answer>, Stop> {
        if used.is_empty() {
            return Ok(Some(page));
        }
        let changes = used.into_iter().map(Change::Credential).collect();
        match self.world.store.commit(Batch { changes, ..Batch::default() }).await {
            Ok(_) => Ok(Some(page)),
            Err(NotCommitted::Conflict(_)) => Ok(None),
            Err(NotCommitted::Unavailable(fault)) => Err(fault.into()),
        }
    }

    /// What the rules say of local steps, whether the person has enrolled a second step, and what goes into the event.
    pub(super) async fn ask_rules(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        steps: &Steps,
    ) -> Result<(Outcome, bool, Circumstances), Stop> {
        let proof = steps.proof();
        let catalog = self.world.catalog.load_full();
        let further = self.world.further(steps).await?;
        let facts = self.world.facts_of_local(visitor, (&catalog, at), (steps, &proof), &further).await?;
        let enrolled = facts.local.enrolled;
        let decision = decide(&facts);
        let mut about = Circumstances {
            product: Some(at.product.name.to_string()),
            method: Some(steps.method().code().to_owned()),
            trace: decision.trace,
            known: true,
            ..Circumstances::default()
        };
        about.subject.email = Some(steps.claimant().email.to_string());
        about.subject.account = Some(steps.claimant().account.to_string());
        about.directory = self.world.directory(steps.claimant().directory).map(|directory| directory.name.to_string());
        self.world.foreshadow(visitor, &facts, (&decision.outcome, &about));
        Ok((decision.outcome, enrolled, about))
    }

    /// Phase B for local steps. A second step that is enrolled is asked for, required or not.
    pub(super) async fn decide_local(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        target: &Target,
        steps: &Steps,
    ) -> Result<Decided, Stop> {
        let (outcome, enrolled, about) = self.ask_rules(visitor, at, steps).await?;
        match outcome {
            Outcome::Session(admitted) => Ok(Decided::Admitted(Box::new(admitted), about)),
            Outcome::Need(Need::SecondStep) if enrolled => {
                Ok(Decided::Page(self.second_step_page(visitor, at, target, (steps, false)).await?))
            }
            // A mailbox alone enrols nothing: the login after the reset asks for the password and the mailbox (rule H1).
            Outcome::Need(Need::SecondStep) if steps.method() == Method::Reset => Ok(Decided::NewPassword),
            Outcome::Need(Need::SecondStep) => {
                Ok(Decided::Page(self.begin_enrolment(visitor, at, target, steps).await?))
            }
            Outcome::Need(Need::NewPassword) => Ok(Decided::NewPassword),
            // A new password opens nothing by itself, and is what the move may have to be proved with (B22).
            Outcome::Need(Need::Move) if steps.method() == Method::Reset => Ok(Decided::NewPassword),
            // The link asks for an enrolled second step, whatever the policy says of logins (rule H1): it is asked for here, at once.
            Outcome::Need(Need::Move) if enrolled && steps.owner().is_some_and(|owner| !owner.stepped()) => {
                Ok(Decided::Page(self.second_step_page(visitor, at, target, (steps, false)).await?))
            }
            Outcome::Need(Need::Move) => Ok(Decided::Page(self.move_page(visitor, at, target, steps))),
            Outcome::Need(Need::LocalProof | Need::LocalProofOrNew | Need::GivenUp) => {
                Err(Stop::Fault("a local proof that is none".into()))
            }
            Outcome::Reroute(to) => {
                self.record_reroute(visitor, Some(target), about).await?;
                let email = &steps.claimant().email;
                Ok(Decided::Page(self.hop(visitor, target, email, to)))
            }
            Outcome::Link(_) | Outcome::Create(_) => Err(Stop::Fault("a local proof links and creates nobody".into())),
            Outcome::Refuse(Refusal::Inactive) => {
                self.refuse_inactive(visitor, at, (target, steps, enrolled), about).await
            }
            Outcome::Refuse(refusal) => Err(Stop::refused(refusal, about)),
        }
    }

    /// Whoever asked for their account's end is offered the way back, after everything that a login asks of them: a password alone opens it no
    /// more than the account (rule H1).
    async fn refuse_inactive(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        (target, steps, enrolled): (&Target, &Steps, bool),
        about: Circumstances,
    ) -> Result<Decided, Stop> {
        let is_login = matches!(steps.method(), Method::Password | Method::Adapter | Method::Passkey);
        let offer = match is_login {
            true => self.offer_restore_here(visitor, at, steps.claimant().account).await?,
            false => None,
        };
        let Some(offer) = offer else { return Err(Stop::refused(Refusal::Inactive, about)) };
        if enrolled && steps.owner().is_none_or(|owner| !owner.stepped()) && steps.method() != Method::Passkey {
            return Ok(Decided::Page(self.second_step_page(visitor, at, target, (steps, false)).await?));
        }
        self.world.record_refusal(visitor, Refusal::Inactive, about).await;
        Ok(Decided::Page(offer))
    }

    /// Login session and product session in one commit with what was used up. The login session's token goes nowhere: nothing that
    /// a browser holds opens it, and its product session is good at this product alone.
    async fn commit_local(
        &self,
        visitor: &Visitor,
        (at, target): (&ProductHost, &Target),
        (admitted, proof): (&Admitted, &Proof),
        about: Circumstances,
        (used, continued): (Vec<CredentialChange>, Option<LoginSessionId>),
    ) -> Result<Answer, NotCommitted> {
        let broken = |what: &str| NotCommitted::Unavailable(Unavailable(what.to_owned()));
        let terms = admitted.terms();
        let Some(entry) = terms.entry.as_ref().filter(|_| terms.confined_to.as_ref() == Some(&at.product.name)) else {
            return Err(broken("a local proof for another place"));
        };
        let mut batch = Batch::default();
        let account = self.write_account(visitor, admitted, None, &mut batch);
        let record = self.write_record(visitor, admitted, &account, &mut batch);
        let record = record.ok_or_else(|| broken("an admission to a product without its record"))?;
        let (session, _) = self.new_session(visitor, admitted, &account, proof);
        let code = Code {
            jti: random(),
            target: target.clone(),
            session: session.id,
            account: account.id,
            product_account: record.id,
            epoch: account.epoch,
            made_at: visitor.now,
            idle_seconds: u32::try_from(entry.bounds.idle.as_secs()).unwrap_or(u32::MAX),
            abs_at: session.abs_at.min(session.auth_time.plus(entry.bounds.absolute)),
        };
        let token = Token::new(random());
        let current =
            Current { session: session.clone(), account: account.clone(), identities: Vec::new(), further: Vec::new() };
        let product_session = self.new_product_session(visitor, at, &code, &current, &token);
        if let Some(before) = continued {
            batch.end_login_session(before);
        }
        batch.changes.push(Change::CreateLoginSession(session.clone()));
        batch.events.push(self.success(visitor, &session, &account, about));
        self.add_product_session(visitor, (product_session, &current, &record), &mut batch);
        batch.changes.extend(used.into_iter().map(Change::Credential));
        self.world.store.commit(batch).await?;
        self.world.tally.login_succeeded(session.method.code());
        let mut answer = self.enter_without_code(visitor, at, &code, &token);
        answer.cookies.push(self.world.remember_device(record.id, visitor.now));
        Ok(answer)
    }
}
