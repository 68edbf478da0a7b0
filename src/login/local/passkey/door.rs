//! The door's side of a ceremony: how people get to the login host, and what they bring back.

use super::super::super::answer::{Answer, Form};
use super::super::super::handover::ProductHost;
use super::super::super::ticket::Target;
use super::super::super::world::{Browser, Visitor};
use super::super::super::{Login, Stop};
use super::super::answer::{LocalPage, Said};
use super::super::door::{said, start_again};
use super::leave;
use super::ticket::{Aim, Back, Start, Way};
use crate::kernel::local::Steps;
use crate::kernel::model::Method;
use crate::store::Taken;

impl Login {
    /// Where the login host asks for a passkey instead of a password; the same for everybody who looks at the page.
    pub(in crate::login) fn passkey_link(&self, visitor: &Visitor, target: &Target, browser: &Browser) -> String {
        let start = Start {
            aim: Aim::First,
            target: target.clone(),
            browser: browser.digest(),
            made_at: visitor.now,
            steps: String::new(),
        };
        self.start_url(&start)
    }

    fn start_url(&self, start: &Start) -> String {
        let login = self.world.catalog.load().login.url();
        let path = if start.aim == Aim::Enrol { "/login/passkey/new" } else { "/login/passkey" };
        format!("{login}{path}?start={}", self.world.seal_start(start))
    }

    /// On to the login host with what was proved here.
    pub(in crate::login::local) fn to_ceremony(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        target: &Target,
        (steps, enrols): (&Steps, bool),
    ) -> Answer {
        let browser = Browser::of(visitor).digest();
        let start = Start {
            aim: if enrols { Aim::Enrol } else { Aim::Second },
            target: target.clone(),
            browser,
            made_at: visitor.now,
            steps: self.world.steps_text(steps, &browser, Way::There),
        };
        leave(at, self.start_url(&start))
    }

    /// `POST /.fedgate/step/passkey`: the passkey instead of a code.
    pub async fn step_by_passkey(&self, visitor: &Visitor, at: &ProductHost, (csrf, to): (&str, &str)) -> Answer {
        match (self.posted_target(visitor, at, csrf, to), self.posted_steps(visitor, at, to)) {
            (Some(target), Some(steps)) => self.to_ceremony(visitor, at, &target, (&steps, false)),
            _ => start_again(),
        }
    }

    /// `GET /.fedgate/passkey`: back from the login host. Worth something in the browser that began here, once (HANDOVER 4).
    pub async fn back_from_ceremony(&self, visitor: &Visitor, at: &ProductHost, sealed: &str) -> Answer {
        let back = self.world.open_back(sealed, visitor.now).filter(|back| {
            let here = back.target.product == at.product.name && back.target.host == at.host;
            here && self.began(visitor, at, back)
        });
        let Some(back) = back else { return start_again() };
        let answer = self.take_back(visitor, at, &back).await;
        self.settle(visitor, Some(&back.target), answer).await
    }

    /// Whether this browser is the one that was sent to the login host: by its flow cookie, or by the cookie of our pages.
    fn began(&self, visitor: &Visitor, at: &ProductHost, back: &Back) -> bool {
        let browser = Browser::of(visitor);
        self.has_flow(visitor, at, &back.target) || (!browser.fresh && browser.digest() == back.browser)
    }

    async fn take_back(&self, visitor: &Visitor, at: &ProductHost, back: &Back) -> Result<Answer, Stop> {
        let steps = self.world.steps_of(&back.steps, &back.browser, Way::Back, visitor.now);
        let steps = steps.filter(|steps| Some(steps.claimant().directory) == self.world.local_directory(at));
        let Some(steps) = steps else { return Ok(start_again()) };
        match self.world.store.take_once(back.mark()).await? {
            Taken::First => {}
            _ => return Ok(said(at, Said::Over)),
        }
        match steps.method() {
            // Decided once more when the password is there.
            Method::Reset => Ok(self.new_password_page(visitor, at, &back.target, &steps, None)),
            _ => self.proceed(visitor, at, &back.target, steps, Vec::new()).await,
        }
    }

    /// The second step's page: which ways there are depends on what was enrolled, and the first step is proved by now.
    pub(in crate::login::local) async fn second_step_page(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        target: &Target,
        (steps, failed): (&Steps, bool),
    ) -> Result<Answer, Stop> {
        use crate::kernel::model::FactorKind;
        let factors = self.world.factors(visitor, steps.claimant().account).await?;
        let has = |kind| factors.iter().any(|factor| factor.kind == kind);
        let (app, passkey) = (has(FactorKind::Totp), has(FactorKind::Passkey));
        Ok(self.page_with_steps(visitor, at, target, steps, |form: Form| LocalPage::AppCode {
            form,
            app,
            passkey,
            failed,
        }))
    }
}
