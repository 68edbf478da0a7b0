//! A passkey that is enrolled.

use super::SteppingPage;
use super::ask::Whose;
use super::asked::{Asked, Stage};
use super::settled::Stepped;
use crate::entropy::random;
use crate::kernel::journal::{Change, CredentialChange};
use crate::kernel::local::{PasskeyFault, second_by_passkey};
use crate::kernel::refusal::Refusal;
use crate::kernel::values::AccountId;
use crate::login::answer::Answer;
use crate::login::local::CeremonyFor;
use crate::login::record::Circumstances;
use crate::login::standing::Standing;
use crate::login::ticket::Target;
use crate::login::world::Visitor;
use crate::login::{Login, Stop};

impl Login {
    /// `POST /login/step/passkey`: the passkey instead of a code.
    pub async fn ask_second_passkey(&self, visitor: &Visitor, sealed: (&str, &str)) -> Answer {
        let ask = async |asked: Asked, standing: &Standing, whose: &Whose| match asked.stage {
            Stage::Code => self.passkey_page(visitor, standing.target.as_ref(), (asked, whose), false).await,
            _ => Ok(self.stepping_over(standing.target.as_ref())),
        };
        self.at_step(visitor, sealed, ask).await
    }

    async fn passkey_page(
        &self,
        visitor: &Visitor,
        target: Option<&Target>,
        (asked, whose): (Asked, &Whose),
        failed: bool,
    ) -> Result<Answer, Stop> {
        let Some(account) = &whose.account else { return Ok(self.stepping_over(target)) };
        let challenge: [u8; 32] = random();
        let options = self.request(&challenge, &self.handles(visitor, account.id).await?).to_string();
        let asked = Asked { made_at: visitor.now, stage: Stage::Passkey(challenge), ..asked };
        let other = self.anew_at(target);
        Ok(self.stepping(visitor, target, &asked, |form| SteppingPage::Passkey {
            form,
            ceremony: CeremonyFor::Second,
            options,
            other,
            failed,
        }))
    }

    /// `POST /login/step/passkey/answer`: what the authenticator says.
    pub async fn take_second_passkey(&self, visitor: &Visitor, sealed: (&str, &str), credential: &str) -> Answer {
        let take = async |asked: Asked, standing: &Standing, whose: &Whose| {
            self.try_second_passkey(visitor, (asked, standing, whose), credential).await
        };
        self.at_step(visitor, sealed, take).await
    }

    async fn try_second_passkey(
        &self,
        visitor: &Visitor,
        (asked, standing, whose): (Asked, &Standing, &Whose),
        credential: &str,
    ) -> Result<Answer, Stop> {
        let target = standing.target.as_ref();
        let (Stage::Passkey(challenge), Some(account)) = (&asked.stage, &whose.account) else {
            return Ok(self.stepping_over(target));
        };
        let (presence, factor) = match self.judge_passkey(visitor, (credential, challenge), false).await? {
            Ok(judged) => judged,
            Err((fault, whose_is)) => {
                self.refuse_second_passkey(visitor, target, (fault, whose_is)).await;
                return self.passkey_page(visitor, target, (asked, whose), true).await;
            }
        };
        let Some(proof) = second_by_passkey(account.id, &presence, visitor.now) else {
            let strange = (PasskeyFault::Credential, Some(presence.account()));
            self.refuse_second_passkey(visitor, target, strange).await;
            return self.passkey_page(visitor, target, (asked, whose), true).await;
        };
        // The counter rises in the login's commit; the challenge is of this page, whose proof makes one login.
        let used = CredentialChange::UseFactor { id: factor.id, counter: presence.counter(), at: visitor.now };
        let stepped = Stepped { proof, changes: vec![Change::Credential(used)], first: None };
        self.go_on(visitor, (standing, &asked), stepped).await
    }

    pub(super) async fn refuse_second_passkey(
        &self,
        visitor: &Visitor,
        target: Option<&Target>,
        (fault, whose): (PasskeyFault, Option<AccountId>),
    ) {
        let mut about = Circumstances {
            product: target.map(|target| target.product.to_string()),
            method: Some("passkey".to_owned()),
            trace: vec![fault.code().to_owned()],
            known: true,
            ..Circumstances::default()
        };
        about.subject.account = whose.map(|account| account.to_string());
        self.world.record_refusal(visitor, Refusal::WrongPasskey, about).await;
    }
}
