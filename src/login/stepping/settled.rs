//! The step was taken: on with the login, or with the link that waits for it.

use super::ask::Whose;
use super::asked::Asked;
use super::first::FirstApp;
use super::{SteppingPage, SteppingStep};
use crate::kernel::journal::{Batch, Change};
use crate::kernel::migration::PROOF_LIFE;
use crate::kernel::proof::SecondStepProof;
use crate::kernel::refusal::Refusal;
use crate::keys::Lookup;
use crate::login::answer::{Answer, Step, Towards};
use crate::login::cookies::{self, CrossSite};
use crate::login::standing::Standing;
use crate::login::ticket::{Errand, Target};
use crate::login::world::Visitor;
use crate::login::{Login, Stop};
use crate::store::NotCommitted;

/// A second step beside a provider's proof, with what goes into the commit of the login.
pub(in crate::login) struct Stepped {
    pub proof: SecondStepProof,
    /// What it used up.
    pub changes: Vec<Change>,
    /// What is enrolled by it, for an account that the login makes.
    pub first: Option<FirstApp>,
}

impl Login {
    fn stepped_key(&self) -> [u8; 32] {
        self.world.keys.lookup(Lookup::Steps, &[b"stepped"])
    }

    /// What is used up is used up with the login. A link waits for its own button: there it is used up at once.
    pub(super) async fn go_on(
        &self,
        visitor: &Visitor,
        (standing, asked): (&Standing, &Asked),
        mut stepped: Stepped,
    ) -> Result<Answer, Stop> {
        if asked.ticket.is_empty() {
            return self.log_in_stepped(visitor, (standing, asked.errand), &stepped).await;
        }
        let changes = std::mem::take(&mut stepped.changes);
        match self.world.store.commit(Batch { changes, ..Batch::default() }).await {
            Ok(_) => {}
            // Another request used it meanwhile.
            Err(NotCommitted::Conflict(_)) => return Ok(self.stepping_over(standing.target.as_ref())),
            Err(NotCommitted::Unavailable(fault)) => return Err(fault.into()),
        }
        let next = format!("/login/link?t={}", asked.ticket);
        let answer = self.leave_to_review(standing.target.as_ref(), next);
        self.with_step(answer, standing, &stepped.proof)
    }

    /// What was enrolled is written down, the recovery codes are shown, and the login goes on from there. Who is new gets it with the
    /// account.
    pub(super) async fn enrol_and_go_on(
        &self,
        visitor: &Visitor,
        (standing, asked, whose): (&Standing, &Asked, &Whose),
        stepped: Stepped,
    ) -> Result<Answer, Stop> {
        let target = standing.target.as_ref();
        let codes = stepped.first.as_ref().map(FirstApp::codes).unwrap_or_default();
        let (Some(account), Some(first)) = (&whose.account, &stepped.first) else {
            let answer = self.log_in_stepped(visitor, (standing, asked.errand), &stepped).await?;
            return Ok(self.with_codes(answer, target, codes));
        };
        let mut batch = Batch::default();
        self.write_first(visitor, (account, first), &mut batch)?;
        match self.world.store.commit(batch).await {
            Ok(_) => {}
            // Somebody has this very credential.
            Err(NotCommitted::Conflict(_)) => return Ok(self.stepping_over(target)),
            Err(NotCommitted::Unavailable(fault)) => return Err(fault.into()),
        }
        let next = match asked.ticket.as_str() {
            "" => "/login/step/on".to_owned(),
            ticket => format!("/login/link?t={ticket}"),
        };
        let answer = self.stepping_said(target, SteppingPage::Recovery { codes, next });
        self.with_step(answer, standing, &stepped.proof)
    }

    /// The step waits in a cookie, for the proof that stands beside it and nothing else.
    fn with_step(&self, answer: Answer, standing: &Standing, proof: &SecondStepProof) -> Result<Answer, Stop> {
        let text = proof.to_text(&self.stepped_key(), &standing.challenge());
        let text = text.ok_or_else(|| Stop::Fault("a newcomer's step belongs to the login".into()))?;
        Ok(answer.with_cookie(cookies::set(cookies::STEPPED, &text, Some(PROOF_LIFE), CrossSite::Lax)))
    }

    /// The step that waits for this proof.
    pub(in crate::login) fn waiting_step(&self, visitor: &Visitor, standing: &Standing) -> Option<SecondStepProof> {
        let text = visitor.cookies.one(cookies::STEPPED)?;
        SecondStepProof::open(text, &self.stepped_key(), &standing.challenge(), visitor.now)
    }

    /// `GET /login/step/on`: after the recovery codes were shown. Worth something where the proof and the step stand.
    pub async fn resume_stepped(&self, visitor: &Visitor) -> Answer {
        let standing = self.standing(visitor);
        let step = standing.as_ref().and_then(|standing| self.waiting_step(visitor, standing));
        let (Some(standing), Some(proof)) = (standing, step) else { return self.home(visitor).await };
        let stepped = Stepped { proof, changes: Vec::new(), first: None };
        let answer = self.log_in_stepped(visitor, (&standing, Errand::None), &stepped).await;
        self.settle(visitor, standing.target.as_ref(), answer).await.with_cookie(cookies::expire(cookies::STEPPED))
    }

    async fn log_in_stepped(
        &self,
        visitor: &Visitor,
        (standing, errand): (&Standing, Errand),
        stepped: &Stepped,
    ) -> Result<Answer, Stop> {
        let over = || Stop::refuse(Refusal::NotUnderWay);
        let directory = self.world.directory(standing.proof.claims().identity.directory).ok_or_else(over)?;
        let answer = self.admit_stepped(visitor, &directory, (standing, errand), stepped).await?;
        // Unless something else is asked of the same proof now, which then stands anew.
        let stands_anew = answer.cookies.iter().any(|cookie| cookie.starts_with(cookies::STANDING));
        Ok(if stands_anew { answer } else { answer.with_cookie(cookies::expire(cookies::STANDING)) })
    }

    fn leave_to_review(&self, target: Option<&Target>, url: String) -> Answer {
        let product = self.world.product_of(target);
        Answer::of(Step::Leave { towards: Towards::Review, provider: String::new(), url, product, by_form: true })
    }

    /// The codes first; where the login leads is their page's way on.
    fn with_codes(&self, mut answer: Answer, target: Option<&Target>, codes: Vec<String>) -> Answer {
        let next = match &answer.step {
            Step::Leave { url, .. } | Step::Go(url) => url.clone(),
            _ => "/".to_owned(),
        };
        let product = self.world.product_of(target);
        let page = SteppingPage::Recovery { codes, next };
        answer.step = Step::Stepping(Box::new(SteppingStep { product, page }));
        answer
    }
}
