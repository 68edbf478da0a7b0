//! What a browser answers to a ceremony of a login: judged, the challenge and the counter used up in one commit, and back to the
//! door with what was proved.

use super::super::super::answer::{Answer, Step};
use super::super::super::cookies::{self, CrossSite};
use super::super::super::handover::ProductHost;
use super::super::super::record::Circumstances;
use super::super::super::ticket::CODE_LIFE;
use super::super::super::world::Visitor;
use super::super::super::{Login, Stop};
use super::leave;
use super::ticket::{Aim, Back, CHALLENGE_LIFE, Shown, Way};
use crate::entropy::random;
use crate::kernel::journal::{Batch, Change, CredentialChange};
use crate::kernel::local::{Assertion, Ceremony, Claimant, PasskeyFault, Presence, Steps, by_passkey};
use crate::kernel::model::Factor;
use crate::kernel::refusal::Refusal;
use crate::kernel::values::AccountId;
use crate::store::NotCommitted;

/// Carries what was proved to the redirect that brings it to the door: a page would keep it in the history.
const COOKIE: &str = "__Host-fedgate-passkey";

impl Login {
    /// `POST /login/passkey`: the answer of an authenticator.
    pub async fn take_passkey(&self, visitor: &Visitor, (csrf, to): (&str, &str), credential: &str) -> Answer {
        let Some(shown) = self.shown(visitor, csrf, to).filter(|shown| shown.start.aim != Aim::Enrol) else {
            return self.home(visitor).await;
        };
        let answer = self.try_passkey(visitor, &shown, credential).await;
        self.settle(visitor, Some(&shown.start.target), answer).await
    }

    async fn try_passkey(&self, visitor: &Visitor, shown: &Shown, credential: &str) -> Result<Answer, Stop> {
        let start = &shown.start;
        let at = self.world.door_of(&start.target)?;
        if visitor.now.since(shown.shown_at) > CHALLENGE_LIFE {
            return self.ceremony_page(visitor, start, true).await;
        }
        let (presence, factor) =
            match self.judge_passkey(visitor, (credential, &shown.challenge), start.aim == Aim::First).await? {
                Ok(judged) => judged,
                Err((fault, whose)) => {
                    self.refuse_passkey(visitor, &at, fault, whose).await;
                    return self.ceremony_page(visitor, start, true).await;
                }
            };
        let used = CredentialChange::UseFactor { id: factor.id, counter: presence.counter(), at: visitor.now };
        let batch = Batch { marks: vec![shown.mark()], changes: vec![Change::Credential(used)], ..Batch::default() };
        match self.world.store.commit(batch).await {
            Ok(_) => {}
            // The challenge was used, the counter rose, or the passkey was taken away meanwhile.
            Err(NotCommitted::Conflict(_)) => return self.ceremony_page(visitor, start, true).await,
            Err(NotCommitted::Unavailable(fault)) => return Err(fault.into()),
        }
        match self.steps_by(visitor, &at, shown, &presence).await? {
            Some(steps) => Ok(self.hand_back(visitor, &at, shown, &steps)),
            None => {
                self.refuse_passkey(visitor, &at, PasskeyFault::Credential, Some(presence.account())).await;
                self.ceremony_page(visitor, start, true).await
            }
        }
    }

    /// Finds the credential and judges the answer by it. `names`: it must say whose it is.
    pub(in crate::login) async fn judge_passkey(
        &self,
        visitor: &Visitor,
        (credential, challenge): (&str, &[u8; 32]),
        names: bool,
    ) -> Result<Result<(Presence, Factor), (PasskeyFault, Option<AccountId>)>, Stop> {
        let assertion = match Assertion::parse(credential) {
            Ok(assertion) => assertion,
            Err(fault) => return Ok(Err((fault, None))),
        };
        // A discovered credential names its person (WebAuthn §7.2 step 6).
        if names && !assertion.names_its_person() {
            return Ok(Err((PasskeyFault::UserHandle, None)));
        }
        let Some(factor) = self.world.store.factor_by_handle(assertion.handle()).await? else {
            return Ok(Err((PasskeyFault::Credential, None)));
        };
        if !self.world.keys.holds_factor(&factor) {
            self.world.violated(visitor, "factor").await?;
            return Err(Stop::Fault(format!("the passkey {} does not hold", factor.id)));
        }
        let login = self.world.catalog.load().login.clone();
        let ceremony = Ceremony { challenge, login: &login };
        Ok(match assertion.judge(&factor, ceremony) {
            Ok(presence) => Ok((presence, factor)),
            Err(fault) => Err((fault, Some(factor.account))),
        })
    }

    /// The steps that a passkey makes: the only one, or the second one of the very person who took the first.
    async fn steps_by(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        shown: &Shown,
        presence: &Presence,
    ) -> Result<Option<Steps>, Stop> {
        let start = &shown.start;
        if start.aim == Aim::Second {
            let before = self.world.steps_of(&start.steps, &start.browser, Way::There, visitor.now);
            return Ok(before.and_then(|before| before.with_passkey(presence, visitor.now)));
        }
        let claimant = self.claimant_of(at, presence.account()).await?;
        let claimant = claimant.ok_or_else(|| Stop::refuse(Refusal::NoAccount))?;
        Ok(by_passkey(&claimant, presence, visitor.now))
    }

    /// Who would log in at this door: the person's record there.
    async fn claimant_of(&self, at: &ProductHost, account: AccountId) -> Result<Option<Claimant>, Stop> {
        let store = &self.world.store;
        let Some(record) = store.product_account(&at.product.name, account).await? else { return Ok(None) };
        let addresses = store.addresses_of(record.id).await?;
        let Some(address) = addresses.first() else { return Ok(None) };
        Ok(self.world.known(at, &address.email).await?.map(|known| known.claimant))
    }

    /// One that did not hold, recorded: of a known credential always, of strangers sampled (rule M15).
    pub(super) async fn refuse_passkey(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        fault: PasskeyFault,
        whose: Option<AccountId>,
    ) {
        let mut about = Circumstances {
            product: Some(at.product.name.to_string()),
            method: Some("passkey".to_owned()),
            trace: vec![fault.code().to_owned()],
            // A copy of an authenticator is news; everything else a stranger can send.
            known: fault == PasskeyFault::Counter,
            ..Circumstances::default()
        };
        about.subject.account = whose.map(|account| account.to_string());
        self.world.record_refusal(visitor, Refusal::WrongPasskey, about).await;
    }

    fn hand_back(&self, visitor: &Visitor, at: &ProductHost, shown: &Shown, steps: &Steps) -> Answer {
        let start = &shown.start;
        let back = Back {
            jti: random(),
            target: start.target.clone(),
            browser: start.browser,
            made_at: visitor.now,
            steps: self.world.steps_text(steps, &start.browser, Way::Back),
        };
        let url = format!("{}/login/passkey/done", self.world.catalog.load().login.url());
        let value = self.world.seal_back(&back);
        leave(at, url).with_cookie(cookies::set(COOKIE, &value, Some(CODE_LIFE), CrossSite::Lax))
    }

    /// `GET /login/passkey/done`: on to the door, by a redirect.
    pub async fn return_passkey(&self, visitor: &Visitor) -> Answer {
        let sealed = visitor.cookies.one(COOKIE).unwrap_or_default();
        match self.world.open_back(sealed, visitor.now) {
            Some(back) => {
                let url = format!("{}/.fedgate/passkey?proof={sealed}", back.target.host.url());
                Answer::of(Step::Go(url)).with_cookie(cookies::expire(COOKIE))
            }
            None => self.home(visitor).await,
        }
    }
}
