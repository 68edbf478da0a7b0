//! Through the emergency door: a passkey that was enrolled for it, decided like every proof, with an alarm in the same commit.

use super::super::answer::{Answer, Step};
use super::super::cookies::{self, CrossSite};
use super::super::record::Circumstances;
use super::super::world::Visitor;
use super::super::{Login, Stop, TRIES};
use super::EmergencyPage;
use super::ticket::{CHALLENGE_LIFE, Shown};
use crate::entropy::random;
use crate::kernel::admit::{Admitted, ComesFrom, Evidence, Facts, LocalFacts, Outcome, decide};
use crate::kernel::event::{Action, Outcome as Happened};
use crate::kernel::journal::{Batch, Change, CredentialChange};
use crate::kernel::local::{Assertion, Ceremony, Claimant, EmergencyPresence, PasskeyFault, Steps, by_emergency};
use crate::kernel::model::{Account, Catalog, Factor, Method};
use crate::kernel::proof::Proof;
use crate::kernel::refusal::Refusal;
use crate::kernel::values::{AccountId, DirectoryName, EmailAddress, OrgName, ProductAccountId};
use crate::mail::{self, Letter};
use crate::store::NotCommitted;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

impl Login {
    /// `GET /login/emergency`: the same for everybody.
    pub fn ask_emergency(&self, visitor: &Visitor) -> Answer {
        self.emergency_door(visitor, false)
    }

    fn emergency_door(&self, visitor: &Visitor, failed: bool) -> Answer {
        let shown = Shown { challenge: random(), shown_at: visitor.now, link: String::new() };
        let options = json!({
            "challenge": URL_SAFE_NO_PAD.encode(shown.challenge),
            "rpId": self.world.catalog.load().login.host(),
            "allowCredentials": [],
            "userVerification": "required",
            "timeout": u64::try_from(CHALLENGE_LIFE.as_millis()).unwrap_or(u64::MAX),
        });
        self.emergency_page(visitor, &shown, (options.to_string(), failed), EmergencyPage::Enter)
    }

    /// `POST /login/emergency`: the answer of an authenticator. Every answer leaves in its slot (rule H18).
    pub async fn take_emergency(&self, visitor: &Visitor, (csrf, to): (&str, &str), credential: &str) -> Answer {
        let begun = self.world.clock.since_boot();
        let answer = match self.shown_emergency(visitor, csrf, to).filter(|shown| shown.link.is_empty()) {
            Some(shown) => {
                let answer = self.try_emergency(visitor, &shown, credential).await;
                self.settle(visitor, None, answer).await
            }
            None => self.emergency_door(visitor, true),
        };
        self.world.slots.hold(&self.world.clock, begun).await;
        answer
    }

    async fn try_emergency(&self, visitor: &Visitor, shown: &Shown, credential: &str) -> Result<Answer, Stop> {
        if !self.world.may_try_emergency(visitor).await? {
            return Ok(self.emergency_said(visitor, EmergencyPage::TooMany));
        }
        let (presence, factor) = match self.judge_emergency(visitor, shown, credential).await? {
            Ok(judged) => judged,
            Err((fault, whose)) => {
                self.world.count_emergency(visitor).await?;
                self.refuse_emergency(visitor, fault, whose).await;
                return Ok(self.emergency_door(visitor, true));
            }
        };
        for _ in 0..TRIES {
            let account = self.world.store.account(factor.account).await?;
            let Some(steps) = self.steps_of_emergency(visitor, account.as_ref(), &presence) else {
                return Err(Stop::refuse(Refusal::NoAccount));
            };
            let proof = steps.proof();
            let catalog = self.world.catalog.load_full();
            let (admitted, about) = self.decide_emergency(visitor, &catalog, (&steps, &proof), account).await?;
            let used = CredentialChange::UseFactor { id: factor.id, counter: presence.counter(), at: visitor.now };
            match self.commit_emergency(visitor, shown, (&admitted, &proof), (about, used)).await {
                Ok(answer) => return Ok(answer),
                // The challenge was used or the passkey taken away; or the account changed, and it is decided again.
                Err(NotCommitted::Conflict(crate::store::Conflict::Taken(_) | crate::store::Conflict::Credential)) => {
                    self.world.count_emergency(visitor).await?;
                    return Ok(self.emergency_door(visitor, true));
                }
                Err(NotCommitted::Conflict(_)) => {}
                Err(NotCommitted::Unavailable(fault)) => return Err(fault.into()),
            }
        }
        Err(Stop::Fault("other commits were first too often".into()))
    }

    /// Finds the credential and judges the answer by it. A passkey of another door is none here.
    async fn judge_emergency(
        &self,
        visitor: &Visitor,
        shown: &Shown,
        credential: &str,
    ) -> Result<Result<(EmergencyPresence, Factor), (PasskeyFault, Option<AccountId>)>, Stop> {
        let assertion = match Assertion::parse(credential) {
            Ok(assertion) if assertion.names_its_person() => assertion,
            Ok(_) => return Ok(Err((PasskeyFault::UserHandle, None))),
            Err(fault) => return Ok(Err((fault, None))),
        };
        let Some(factor) = self.world.store.factor_by_handle(assertion.handle()).await? else {
            return Ok(Err((PasskeyFault::Credential, None)));
        };
        if !self.world.keys.holds_factor(&factor) {
            self.world.violated(visitor, "factor").await?;
            return Err(Stop::Fault(format!("the emergency passkey {} does not hold", factor.id)));
        }
        let login = self.world.catalog.load().login.clone();
        Ok(match assertion.judge_emergency(&factor, Ceremony { challenge: &shown.challenge, login: &login }) {
            Ok(presence) => Ok((presence, factor)),
            Err(fault) => Err((fault, Some(factor.account))),
        })
    }

    fn steps_of_emergency(
        &self,
        visitor: &Visitor,
        account: Option<&Account>,
        presence: &EmergencyPresence,
    ) -> Option<Steps> {
        let account = account?;
        let claimant = Claimant {
            directory: *self.world.catalog.load().directory_names.get(&DirectoryName::Here)?,
            account: account.id,
            // No product's: nothing of a record is asked.
            record: ProductAccountId::from_bytes([0; 16]),
            email: account.email.clone()?,
            email_verified: account.email_verified,
            epoch: account.epoch,
        };
        by_emergency(&claimant, presence, visitor.now)
    }

    async fn decide_emergency(
        &self,
        visitor: &Visitor,
        catalog: &Catalog,
        (steps, proof): (&Steps, &Proof),
        account: Option<Account>,
    ) -> Result<(Admitted, Circumstances), Stop> {
        self.world.must_be_current()?;
        let further = self.world.further(steps).await?;
        let facts = Facts {
            now: visitor.now,
            catalog,
            product: None,
            client: ComesFrom::Address(visitor.client),
            evidence: Evidence::Proof(proof),
            local: LocalFacts { account, enrolled: false, step: steps.second(), ..LocalFacts::default() },
            linked: None,
            candidates: Vec::new(),
            given_up: None,
            product_account: None,
            address_taken: None,
            further,
            windows: Vec::new(),
            buried: false,
        };
        let decision = decide(&facts);
        let mut about = Circumstances {
            method: Some(Method::Emergency.code().to_owned()),
            directory: Some(DirectoryName::Here.to_string()),
            trace: decision.trace,
            known: true,
            ..Circumstances::default()
        };
        about.subject.email = Some(steps.claimant().email.to_string());
        about.subject.account = Some(steps.claimant().account.to_string());
        match decision.outcome {
            Outcome::Session(admitted) => Ok((admitted, about)),
            // No longer named for it: this door sends nobody to another one.
            Outcome::Reroute(_) => Err(Stop::refused(Refusal::NoAccount, about)),
            Outcome::Need(need) => Err(Stop::refused(need.refusal(), about)),
            Outcome::Refuse(refusal) => Err(Stop::refused(refusal, about)),
            Outcome::Link(_) | Outcome::Create(_) => {
                Err(Stop::Fault("an emergency login links and creates nobody".into()))
            }
        }
    }

    /// The session, what was used up, and the alarm, in one commit: nobody comes in by this door unheard.
    async fn commit_emergency(
        &self,
        visitor: &Visitor,
        shown: &Shown,
        (admitted, proof): (&Admitted, &Proof),
        (mut about, used): (Circumstances, CredentialChange),
    ) -> Result<Answer, NotCommitted> {
        let org = admitted.terms().managed_by.clone();
        about.org = org.as_ref().map(ToString::to_string);
        let mut batch = Batch { marks: vec![shown.mark()], ..Batch::default() };
        let account = self.write_account(visitor, admitted, None, &mut batch);
        let (session, token) = self.new_session(visitor, admitted, &account, proof);
        batch.changes.push(Change::CreateLoginSession(session.clone()));
        batch.changes.push(Change::Credential(used));
        let mut alarm = visitor.event(Action::BreakGlassUsed, Happened::Success);
        alarm.subject = super::prepare::subject(&account);
        alarm.org.clone_from(&about.org);
        alarm.method.clone_from(&about.method);
        alarm.policy = admitted.terms().policy.clone();
        alarm.txn = Some(session.id.to_string());
        batch.events.push(alarm);
        batch.events.push(self.success(visitor, &session, &account, about));
        if let Some(letters) = self.alarms(visitor, &account, org)? {
            batch.changes.push(letters);
        }
        self.world.store.commit(batch).await?;
        tracing::warn!(account = %account.id, request = visitor.request_id, "an emergency login");
        self.world.tally.login_succeeded(Method::Emergency.code());
        let mut answer = Answer::of(Step::Go("/".to_owned()));
        answer.cookies.push(cookies::set(cookies::SESSION, &token.expose(), None, CrossSite::Lax));
        Ok(answer)
    }

    /// N11, to everybody who administers the organization or the installation.
    fn alarms(
        &self,
        visitor: &Visitor,
        account: &Account,
        org: Option<OrgName>,
    ) -> Result<Option<Change>, NotCommitted> {
        let (Some(org), Some(person)) = (org, account.email.clone()) else { return Ok(None) };
        let effective = self.world.orgs.effective();
        let admins = effective.orgs.iter().filter(|known| known.name == org).flat_map(|known| &known.admins);
        let mut to: Vec<EmailAddress> = admins.chain(&effective.staff.operators).cloned().collect();
        to.sort();
        to.dedup();
        let letter = Letter::BreakGlass { org, person, at: visitor.now, address: visitor.client.to_string() };
        let letters: Vec<_> = to.into_iter().map(|admin| (admin, letter.clone())).collect();
        if letters.is_empty() {
            return Ok(None);
        }
        let queued = mail::queue(&self.world.keys, visitor.now, &letters, None);
        queued.map(Some).map_err(|fault| NotCommitted::Unavailable(crate::store::Unavailable(fault.to_string())))
    }

    /// One that did not hold, recorded: of a known credential always, of strangers sampled (rule M15).
    pub(super) async fn refuse_emergency(&self, visitor: &Visitor, fault: PasskeyFault, whose: Option<AccountId>) {
        let mut about = Circumstances {
            method: Some(Method::Emergency.code().to_owned()),
            trace: vec![fault.code().to_owned()],
            known: whose.is_some(),
            ..Circumstances::default()
        };
        about.subject.account = whose.map(|account| account.to_string());
        self.world.record_refusal(visitor, Refusal::WrongPasskey, about).await;
    }
}
