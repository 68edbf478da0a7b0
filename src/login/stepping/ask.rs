//! Who is asked for what: a second step that is enrolled, or the way to a first one.

use super::asked::{Asked, Stage};
use super::{SteppingPage, SteppingStep};
use crate::entropy::random;
use crate::kernel::admit::{Need, Outcome, decide};
use crate::kernel::local::Seed;
use crate::kernel::migration::PROOF_LIFE;
use crate::kernel::model::{Account, Factor, FactorKind};
use crate::kernel::proof::{Proof, Stepper};
use crate::kernel::refusal::Refusal;
use crate::login::answer::{Answer, Form, Step};
use crate::login::record::Circumstances;
use crate::login::standing::Standing;
use crate::login::ticket::{Errand, Target};
use crate::login::world::{Browser, Visitor};
use crate::login::{Login, Stop};

/// Whose second step is asked for, as the store has them now.
pub(super) struct Whose {
    pub stepper: Stepper,
    /// None for who is new.
    pub account: Option<Account>,
    pub factors: Vec<Factor>,
}

impl Whose {
    /// What a page remembers of them: it is worth nothing once their epoch rose (rule H14).
    pub(super) fn name(&self) -> String {
        self.account
            .as_ref()
            .map_or_else(|| "newcomer".to_owned(), |account| format!("{} {}", account.id, account.epoch))
    }

    pub(super) fn has(&self, kind: FactorKind) -> bool {
        self.factors.iter().any(|factor| factor.kind == kind)
    }
}

impl Login {
    /// A provider proved somebody, and the second step is missing. The proof stands in a cookie, and a page asks.
    pub(in crate::login) async fn ask_second(
        &self,
        visitor: &Visitor,
        (target, errand): (Option<&Target>, Errand),
        (proof, stepper, about): (&Proof, Option<Stepper>, Circumstances),
    ) -> Result<Answer, Stop> {
        let stands = self.let_stand(visitor, target, proof);
        let (Some(stepper), Some((challenge, cookie))) = (stepper, stands) else {
            return Err(Stop::refused(Refusal::SecondStep, about));
        };
        let asked = (challenge, String::new(), errand);
        Ok(self.ask_what_is_missing(visitor, target, (proof, stepper, about), asked).await?.with_cookie(cookie))
    }

    /// The same of a proof that stands already, on the way to a link (B22). `ticket` is the review's.
    pub(in crate::login) async fn ask_second_for_link(
        &self,
        visitor: &Visitor,
        ticket: &str,
        about: Circumstances,
    ) -> Result<Answer, Stop> {
        let standing = self.standing(visitor).ok_or_else(|| Stop::refuse(Refusal::NotUnderWay))?;
        let Some(stepper) = self.stepper_of(visitor, &standing, (ticket, Errand::None)).await? else {
            return Err(Stop::refused(Refusal::SecondStep, about));
        };
        let asked = (standing.challenge(), ticket.to_owned(), Errand::None);
        self.ask_what_is_missing(visitor, standing.target.as_ref(), (&standing.proof, stepper, about), asked).await
    }

    async fn ask_what_is_missing(
        &self,
        visitor: &Visitor,
        target: Option<&Target>,
        (proof, stepper, about): (&Proof, Stepper, Circumstances),
        (challenge, ticket, errand): ([u8; 32], String, Errand),
    ) -> Result<Answer, Stop> {
        let whose = self.whose(visitor, stepper).await?;
        let name = whose.name();
        let asked = |stage| Asked { made_at: visitor.now, challenge, whose: name, ticket, errand, stage };
        if !whose.factors.is_empty() {
            return Ok(self.step_code_page(visitor, target, (&asked(Stage::Code), &whose), false));
        }
        // Nobody enrols by an old session at a provider (rule M6).
        if visitor.now.since(proof.claims().auth_time) > PROOF_LIFE {
            return Err(Stop::refused(Refusal::StaleProof, about));
        }
        match &whose.account {
            None => Ok(self.app_page(visitor, target, (&asked(Stage::App(Seed::new(random()))), false), false)),
            Some(account) => self.ask_mailbox(visitor, target, (account, asked, about)).await,
        }
    }

    async fn whose(&self, visitor: &Visitor, stepper: Stepper) -> Result<Whose, Stop> {
        let (account, factors) = match &stepper {
            Stepper::Newcomer(_) => (None, Vec::new()),
            Stepper::Account(id) => (self.world.store.account(*id).await?, self.world.factors(visitor, *id).await?),
        };
        if account.is_none() && matches!(stepper, Stepper::Account(_)) {
            return Err(Stop::refuse(Refusal::BrokenLink));
        }
        Ok(Whose { stepper, account, factors })
    }

    /// What a posted form of this browser asks, the proof that it was asked for, and whose step it is as things are now. `None`: it is
    /// over, or a second step is not what is missing any more.
    async fn take_asked(
        &self,
        visitor: &Visitor,
        (csrf, to): (&str, &str),
    ) -> Result<Option<(Asked, Standing, Whose)>, Stop> {
        let asked = self.world.open_asked(visitor, to).filter(|_| self.world.csrf_holds(visitor, csrf));
        // Of several tabs the last one's proof stands; the page of each is good with it while it is of the same person.
        let (Some(asked), Some(standing)) = (asked, self.standing(visitor)) else { return Ok(None) };
        let Some(stepper) = self.stepper_of(visitor, &standing, (&asked.ticket, asked.errand)).await? else {
            return Ok(None);
        };
        let whose = self.whose(visitor, stepper).await?;
        Ok((whose.name() == asked.whose).then_some((asked, standing, whose)))
    }

    /// One posted form of a second step: what is asked, and then what `then` makes of it.
    pub(super) async fn at_step(
        &self,
        visitor: &Visitor,
        sealed: (&str, &str),
        then: impl AsyncFnOnce(Asked, &Standing, &Whose) -> Result<Answer, Stop>,
    ) -> Answer {
        match self.take_asked(visitor, sealed).await {
            Ok(Some((asked, standing, whose))) => {
                let answer = then(asked, &standing, &whose).await;
                self.settle(visitor, standing.target.as_ref(), answer).await
            }
            Ok(None) => self.stepping_over(None),
            Err(stop) => self.settle(visitor, None, Err(stop)).await,
        }
    }

    async fn stepper_of(
        &self,
        visitor: &Visitor,
        standing: &Standing,
        (ticket, errand): (&str, Errand),
    ) -> Result<Option<Stepper>, Stop> {
        let place = standing.target.as_ref().map(|target| self.world.place(target));
        let Some(product) = place.map_or(Some(None), |place| place.map(|(product, _)| Some(product))) else {
            return Ok(None);
        };
        let word = match ticket.split('.').next().unwrap_or_default() {
            "" => Some((None, None)),
            // Behind a dot stands the address that its person chose.
            owned => self.word(visitor, standing, owned),
        };
        let Some(word) = word else { return Ok(None) };
        let catalog = self.world.catalog.load_full();
        let mut facts = self.world.facts_of_proof(visitor, &catalog, product.as_deref(), &standing.proof, word).await?;
        facts.local.demands_step = errand.demands_step();
        let is_missing = matches!(decide(&facts).outcome, Outcome::Need(Need::SecondStep));
        Ok(facts.stepper().filter(|_| is_missing))
    }

    pub(super) fn step_code_page(
        &self,
        visitor: &Visitor,
        target: Option<&Target>,
        (asked, whose): (&Asked, &Whose),
        failed: bool,
    ) -> Answer {
        let (app, passkey) = (whose.has(FactorKind::Totp), whose.has(FactorKind::Passkey));
        self.stepping(visitor, target, asked, |form| SteppingPage::Code { form, app, passkey, failed })
    }

    /// A page whose form carries what it asks.
    pub(super) fn stepping(
        &self,
        visitor: &Visitor,
        target: Option<&Target>,
        asked: &Asked,
        page: impl FnOnce(Form) -> SteppingPage,
    ) -> Answer {
        let browser = Browser::of(visitor);
        let form = Form { csrf: self.world.csrf(&browser), to: self.world.seal_asked(asked, &browser) };
        let mut answer = self.stepping_said(target, page(form));
        answer.cookies.extend(browser.cookie());
        answer
    }

    pub(super) fn stepping_said(&self, target: Option<&Target>, page: SteppingPage) -> Answer {
        let product = self.world.product_of(target);
        Answer::of(Step::Stepping(Box::new(SteppingStep { product, page })))
    }

    /// Where a login begins anew: at the product, which remembers where its person wanted to go.
    pub(super) fn anew_at(&self, target: Option<&Target>) -> String {
        target.map_or_else(|| "/".to_owned(), |target| format!("{}/", target.host.url()))
    }

    pub(in crate::login) fn stepping_over(&self, target: Option<&Target>) -> Answer {
        self.stepping_said(target, SteppingPage::Over { again: self.anew_at(target) })
    }
}
