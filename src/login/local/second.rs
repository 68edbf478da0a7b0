//! The second step of a login: a code of an authenticator app, or a recovery code.

use super::super::answer::Answer;
use super::super::handover::ProductHost;
use super::super::ticket::Target;
use super::super::world::{Browser, Visitor};
use super::super::{Login, Stop};
use super::answer::{LocalPage, Said};
use super::attempts::Attempt;
use super::door::{said, start_again};
use crate::kernel::journal::{Batch, Change, CredentialChange};
use crate::kernel::local::{Claimant, RecoveryCode, Steps};
use crate::kernel::model::{FactorKind, Method};
use crate::kernel::values::EmailAddress;
use crate::keys::Lookup;
use crate::store::NotCommitted;

impl Login {
    /// A page whose form carries what was proved so far.
    pub(super) fn page_with_steps(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        target: &Target,
        steps: &Steps,
        page: impl FnOnce(super::super::answer::Form) -> LocalPage,
    ) -> Answer {
        let browser = Browser::of(visitor);
        let state = steps.to_text(&self.world.steps_key(), &bound_to(at, &browser));
        // A browser without the cookie gets it with the page; the form is bound to that one.
        let mut answer = self.local_page(visitor, at, Some(target), &state, page);
        if let Some(cookie) = browser.cookie() {
            answer.cookies = vec![cookie];
        }
        answer
    }

    /// Asks for one more step of a session that lives: the second step, or where none is enrolled a mail that leads to enrolling one.
    pub(in crate::login) async fn ask_step(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        target: &Target,
        steps: &Steps,
    ) -> Result<Answer, Stop> {
        match self.world.factors(visitor, steps.claimant().account).await?.is_empty() {
            false => self.second_step_page(visitor, at, target, (steps, false)).await,
            true => self.begin_enrolment(visitor, at, target, steps).await,
        }
    }

    /// Who logs in at this door with this address.
    pub(in crate::login) async fn claimant_at(
        &self,
        at: &ProductHost,
        email: &EmailAddress,
    ) -> Result<Option<Claimant>, Stop> {
        Ok(self.world.known(at, email).await?.map(|known| known.claimant))
    }

    /// What was proved, out of a posted form.
    pub(super) fn posted_steps(&self, visitor: &Visitor, at: &ProductHost, to: &str) -> Option<Steps> {
        let (_, state) = to.split_once('~')?;
        let bound = bound_to(at, &Browser::of(visitor));
        let steps = Steps::open(state, &self.world.steps_key(), &bound, visitor.now)?;
        (Some(steps.claimant().directory) == self.world.local_directory(at)).then_some(steps)
    }

    /// `POST /.fedgate/step`.
    pub async fn second_step(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        (csrf, to): (&str, &str),
        code: &str,
    ) -> Answer {
        let (Some(target), Some(steps)) =
            (self.posted_target(visitor, at, csrf, to), self.posted_steps(visitor, at, to))
        else {
            return start_again();
        };
        let answer = self.try_second_step(visitor, at, &target, (steps, code)).await;
        self.settle(visitor, Some(&target), answer).await
    }

    async fn try_second_step(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        target: &Target,
        (steps, code): (Steps, &str),
    ) -> Result<Answer, Stop> {
        let device = self.world.device(visitor, steps.claimant().record);
        let place = (&at.product.name, steps.claimant().email.as_str());
        if !self.world.may_try(Attempt::Second, visitor, place, device.as_ref()).await? {
            return Ok(said(at, Said::TooMany));
        }
        let Some((steps, used)) = self.add_second(visitor, &steps, code).await? else {
            return self.second_step_page(visitor, at, target, (&steps, true)).await;
        };
        match steps.method() {
            Method::Reset => self.on_to_new_password(visitor, at, target, (&steps, used)).await,
            _ => self.proceed(visitor, at, target, steps, vec![used]).await,
        }
    }

    /// The steps with a second one, if the code is right, and what is used up with it.
    pub(super) async fn add_second(
        &self,
        visitor: &Visitor,
        steps: &Steps,
        code: &str,
    ) -> Result<Option<(Steps, CredentialChange)>, Stop> {
        let account = steps.claimant().account;
        for factor in self.world.factors(visitor, account).await? {
            if factor.kind != FactorKind::Totp {
                continue;
            }
            let Some(seed) = self.world.keys.open_seed(account, factor.id, &factor.secret) else {
                return Err(Stop::Fault(format!("the seed of {} does not open", factor.id)));
            };
            if let Some((steps, counter)) = steps.with_code(&seed, code, factor.counter, visitor.now) {
                let used = CredentialChange::UseFactor { id: factor.id, counter, at: visitor.now };
                return Ok(Some((steps, used)));
            }
        }
        let Some(code) = RecoveryCode::parse(code) else { return Ok(None) };
        let shown = self.world.keys.lookups(Lookup::Recovery, &[&account.to_bytes(), code.bytes()]);
        for hash in &shown {
            if self.world.store.has_recovery_code(account, hash).await? {
                let steps = steps.with_recovery(&shown, hash, visitor.now);
                return Ok(steps.map(|steps| (steps, CredentialChange::UseRecoveryCode(account, *hash))));
            }
        }
        Ok(None)
    }

    /// A reset whose steps are all right: what they used up is used up before the new password is asked for.
    async fn on_to_new_password(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        target: &Target,
        (steps, used): (&Steps, CredentialChange),
    ) -> Result<Answer, Stop> {
        match self.world.store.commit(Batch { changes: vec![Change::Credential(used)], ..Batch::default() }).await {
            Ok(_) => Ok(self.new_password_page(visitor, at, target, steps, None)),
            Err(NotCommitted::Conflict(_)) => Ok(said(at, Said::Over)),
            Err(NotCommitted::Unavailable(fault)) => Err(fault.into()),
        }
    }
}

/// Steps are good in this browser on this host.
pub(super) fn bound_to(at: &ProductHost, browser: &Browser) -> Vec<u8> {
    format!("{} {}", at.host, browser.value).into_bytes()
}
