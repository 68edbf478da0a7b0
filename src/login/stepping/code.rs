//! A code of an app that is enrolled, or a recovery code.

use super::SteppingPage;
use super::ask::Whose;
use super::asked::{Asked, Stage};
use super::settled::Stepped;
use crate::kernel::journal::{Change, CredentialChange};
use crate::kernel::local::{RecoveryCode, second_by_code, second_by_recovery};
use crate::kernel::model::FactorKind;
use crate::kernel::proof::SecondStepProof;
use crate::keys::Lookup;
use crate::login::answer::Answer;
use crate::login::standing::Standing;
use crate::login::world::Visitor;
use crate::login::{Login, Stop};

impl Login {
    /// `POST /login/step`: the code.
    pub async fn take_second(&self, visitor: &Visitor, sealed: (&str, &str), code: &str) -> Answer {
        let take = async |asked: Asked, standing: &Standing, whose: &Whose| {
            self.try_second(visitor, (asked, standing, whose), code).await
        };
        self.at_step(visitor, sealed, take).await
    }

    async fn try_second(
        &self,
        visitor: &Visitor,
        (asked, standing, whose): (Asked, &Standing, &Whose),
        code: &str,
    ) -> Result<Answer, Stop> {
        let target = standing.target.as_ref();
        if !matches!(asked.stage, Stage::Code) {
            return Ok(self.stepping_over(target));
        }
        if !self.world.may_step(visitor, &whose.name()).await? {
            return Ok(self.stepping_said(target, SteppingPage::TooMany { again: self.anew_at(target) }));
        }
        match self.judge_second(visitor, whose, code).await? {
            Some((proof, used)) => {
                let stepped = Stepped { proof, changes: vec![Change::Credential(used)], first: None };
                self.go_on(visitor, (standing, &asked), stepped).await
            }
            None => Ok(self.step_code_page(visitor, target, (&asked, whose), true)),
        }
    }

    /// The step that a code takes, and what is used up with it.
    async fn judge_second(
        &self,
        visitor: &Visitor,
        whose: &Whose,
        code: &str,
    ) -> Result<Option<(SecondStepProof, CredentialChange)>, Stop> {
        let Some(account) = whose.account.as_ref().map(|account| account.id) else { return Ok(None) };
        for factor in whose.factors.iter().filter(|factor| factor.kind == FactorKind::Totp) {
            let Some(seed) = self.world.keys.open_seed(account, factor.id, &factor.secret) else {
                return Err(Stop::Fault(format!("the seed of {} does not open", factor.id)));
            };
            if let Some((proof, counter)) = second_by_code(account, &seed, (code, factor.counter), visitor.now) {
                let used = CredentialChange::UseFactor { id: factor.id, counter, at: visitor.now };
                return Ok(Some((proof, used)));
            }
        }
        let Some(code) = RecoveryCode::parse(code) else { return Ok(None) };
        let shown = self.world.keys.lookups(Lookup::Recovery, &[&account.to_bytes(), code.bytes()]);
        for hash in &shown {
            if self.world.store.has_recovery_code(account, hash).await? {
                let proof = second_by_recovery(account, &shown, hash, visitor.now);
                return Ok(proof.map(|proof| (proof, CredentialChange::UseRecoveryCode(account, *hash))));
            }
        }
        Ok(None)
    }
}
