//! The first second step of somebody who logs in by a provider: the mailbox, then an app or a passkey (rule H1).

use super::SteppingPage;
use super::ask::Whose;
use super::asked::{Asked, Stage};
use super::settled::Stepped;
use crate::entropy::random;
use crate::kernel::event::{Action, Outcome};
use crate::kernel::journal::{Batch, Change, CredentialChange};
use crate::kernel::local::{
    Ceremony, NewPasskey, RECOVERY_CODES, RecoveryCode, Seed, Step as TimeStep, register, second_by_first_code,
    second_by_new_passkey,
};
use crate::kernel::model::{Account, Factor, FactorKind};
use crate::kernel::refusal::Refusal;
use crate::kernel::values::{EmailAddress, FactorId, Secret};
use crate::keys::Lookup;
use crate::login::answer::Answer;
use crate::login::local::CeremonyFor;
use crate::login::record::Circumstances;
use crate::login::session::{clean_name, subject};
use crate::login::standing::Standing;
use crate::login::ticket::Target;
use crate::login::world::Visitor;
use crate::login::{Login, Stop};
use crate::mail::{self, Letter, Proof as MailProof};
use crate::store::{NotCommitted, Unavailable};

/// What a passkey is called whose owner calls it nothing.
pub(super) const UNNAMED: &str = "Passkey";

/// What is enrolled, beside the recovery codes that come with it.
pub(super) enum New {
    App(Seed, TimeStep),
    Passkey(NewPasskey, String),
}

/// A second step that is enrolled in the commit that makes its account.
pub(in crate::login) struct FirstApp {
    new: New,
    codes: Vec<RecoveryCode>,
}

impl FirstApp {
    pub(super) fn of(new: New) -> Self {
        Self { new, codes: (0..RECOVERY_CODES).map(|_| RecoveryCode::new(random())).collect() }
    }

    /// One more: its person has recovery codes already.
    pub(super) fn further(new: New) -> Self {
        Self { new, codes: Vec::new() }
    }

    /// To be written down, shown once.
    pub(super) fn codes(&self) -> Vec<String> {
        self.codes.iter().map(|code| code.expose().to_string()).collect()
    }
}

impl Login {
    /// Who is known here shows first that the mailbox is theirs.
    pub(super) async fn ask_mailbox(
        &self,
        visitor: &Visitor,
        target: Option<&Target>,
        (account, asked, about): (&Account, impl FnOnce(Stage) -> Asked, Circumstances),
    ) -> Result<Answer, Stop> {
        let Some(email) = account.email.as_ref().filter(|_| account.email_verified) else {
            return Err(Stop::refused(Refusal::SecondStep, about));
        };
        if !self.world.may_mail_step(visitor, account.id).await? {
            return Ok(self.stepping_said(target, SteppingPage::TooMany { again: self.anew_at(target) }));
        }
        let digits = format!("{:08}", u64::from_be_bytes(random()) % 100_000_000);
        let mut asked = asked(Stage::Code);
        asked.stage = Stage::Mailed(self.mailed_hash(&asked, &digits));
        let until = visitor.now.plus(crate::kernel::migration::PROOF_LIFE);
        let proof = MailProof { code: Secret::new(digits), link: None };
        let letter = Letter::StepProof { proof, until };
        let letters = [(email.clone(), letter)];
        let queued = mail::queue(&self.world.keys, visitor.now, &letters, Some(account.id));
        let mut event = visitor.event(Action::PasswordResetRequested, Outcome::Success);
        event.subject = subject(account);
        event.product = target.map(|target| target.product.to_string());
        event.method = Some("second_step".to_owned());
        let changes = vec![queued.map_err(|fault| Stop::Fault(fault.to_string()))?];
        self.world.store.commit(Batch { changes, events: vec![event], ..Batch::default() }).await?;
        Ok(self.mailed_page(visitor, target, (&asked, email), false))
    }

    fn mailed_hash(&self, asked: &Asked, digits: &str) -> [u8; 32] {
        let parts: [&[u8]; 4] = [b"step", &asked.challenge, asked.whose.as_bytes(), digits.as_bytes()];
        self.world.keys.lookup(Lookup::MailCode, &parts)
    }

    fn mailed_page(
        &self,
        visitor: &Visitor,
        target: Option<&Target>,
        (asked, email): (&Asked, &EmailAddress),
        failed: bool,
    ) -> Answer {
        let email = email.to_string();
        self.stepping(visitor, target, asked, |form| SteppingPage::Mailed { form, email, failed })
    }

    /// `POST /login/step/mail`: the digits.
    pub async fn take_step_mail(&self, visitor: &Visitor, sealed: (&str, &str), code: &str) -> Answer {
        let take = async |asked: Asked, standing: &Standing, whose: &Whose| {
            self.try_step_mail(visitor, (asked, standing, whose), code).await
        };
        self.at_step(visitor, sealed, take).await
    }

    async fn try_step_mail(
        &self,
        visitor: &Visitor,
        (asked, standing, whose): (Asked, &Standing, &Whose),
        code: &str,
    ) -> Result<Answer, Stop> {
        let target = standing.target.as_ref();
        let (Stage::Mailed(hash), Some(account)) = (&asked.stage, &whose.account) else {
            return Ok(self.stepping_over(target));
        };
        let Some(email) = account.email.clone().filter(|_| whose.factors.is_empty()) else {
            return Ok(self.stepping_over(target));
        };
        // A try is counted before it is judged.
        if !self.world.may_try_mailed(visitor, hash).await? {
            return Ok(self.stepping_over(target));
        }
        let digits: String = code.chars().filter(|digit| !digit.is_whitespace()).take(9).collect();
        let parts: [&[u8]; 4] = [b"step", &asked.challenge, asked.whose.as_bytes(), digits.as_bytes()];
        if !self.world.keys.lookup_holds(Lookup::MailCode, &parts, hash) {
            return Ok(self.mailed_page(visitor, target, (&asked, &email), true));
        }
        let asked = Asked { made_at: visitor.now, stage: Stage::App(Seed::new(random())), ..asked };
        Ok(self.app_page(visitor, target, (&asked, true), false))
    }

    /// The page of a new app. `known`: its person has an account, to which a passkey can be bound as well.
    pub(super) fn app_page(
        &self,
        visitor: &Visitor,
        target: Option<&Target>,
        (asked, known): (&Asked, bool),
        failed: bool,
    ) -> Answer {
        let Stage::App(seed) = &asked.stage else { return self.stepping_over(target) };
        let host = self.world.catalog.load().login.host().to_owned();
        let key = seed.to_base32().to_string();
        let uri = seed.to_uri(&host, &host).to_string();
        self.stepping(visitor, target, asked, |form| SteppingPage::App { form, uri, key, passkey: known, failed })
    }

    /// `POST /login/step/app`: the app's first code, or with `act=passkey` the page of a passkey instead.
    pub async fn take_first(&self, visitor: &Visitor, sealed: (&str, &str), (act, code): (&str, &str)) -> Answer {
        let take = async |asked: Asked, standing: &Standing, whose: &Whose| match act {
            "passkey" => self.new_passkey_page(visitor, standing.target.as_ref(), (asked, whose), false).await,
            _ => self.try_first(visitor, (asked, standing, whose), code).await,
        };
        self.at_step(visitor, sealed, take).await
    }

    async fn try_first(
        &self,
        visitor: &Visitor,
        (asked, standing, whose): (Asked, &Standing, &Whose),
        code: &str,
    ) -> Result<Answer, Stop> {
        let target = standing.target.as_ref();
        let Stage::App(seed) = &asked.stage else { return Ok(self.stepping_over(target)) };
        // Somebody enrolled one since: it is asked for (rule H1).
        if !whose.factors.is_empty() {
            return Ok(self.stepping_over(target));
        }
        let known = whose.account.is_some();
        let Some((proof, counter)) = second_by_first_code(whose.stepper.clone(), seed, code, visitor.now) else {
            return Ok(self.app_page(visitor, target, (&asked, known), true));
        };
        let first = FirstApp::of(New::App(seed.clone(), counter));
        let stepped = Stepped { proof, changes: Vec::new(), first: Some(first) };
        self.enrol_and_go_on(visitor, (standing, &asked, whose), stepped).await
    }

    async fn new_passkey_page(
        &self,
        visitor: &Visitor,
        target: Option<&Target>,
        (asked, whose): (Asked, &Whose),
        failed: bool,
    ) -> Result<Answer, Stop> {
        let reached = matches!(asked.stage, Stage::App(_) | Stage::NewPasskey(_));
        let account = whose.account.as_ref().filter(|_| reached && whose.factors.is_empty());
        let Some((account, email)) = account.and_then(|account| Some((account.id, account.email.clone()?))) else {
            return Ok(self.stepping_over(target));
        };
        let challenge: [u8; 32] = random();
        let label = match self.world.product_of(target) {
            Some(product) => product.label.clone(),
            None => self.world.catalog.load().login.host().to_owned(),
        };
        let options = self.creation(visitor, &label, &challenge, (account, email.as_str())).await?.to_string();
        let asked = Asked { made_at: visitor.now, stage: Stage::NewPasskey(challenge), ..asked };
        let other = self.anew_at(target);
        Ok(self.stepping(visitor, target, &asked, |form| SteppingPage::Passkey {
            form,
            ceremony: CeremonyFor::Enrol { email },
            options,
            other,
            failed,
        }))
    }

    /// `POST /login/step/passkey/new`: the new credential, and what its owner calls it.
    pub async fn take_first_passkey(
        &self,
        visitor: &Visitor,
        sealed: (&str, &str),
        (credential, label): (&str, &str),
    ) -> Answer {
        let take = async |asked: Asked, standing: &Standing, whose: &Whose| {
            self.try_first_passkey(visitor, (asked, standing, whose), (credential, label)).await
        };
        self.at_step(visitor, sealed, take).await
    }

    async fn try_first_passkey(
        &self,
        visitor: &Visitor,
        (asked, standing, whose): (Asked, &Standing, &Whose),
        (credential, label): (&str, &str),
    ) -> Result<Answer, Stop> {
        let target = standing.target.as_ref();
        let (Stage::NewPasskey(challenge), Some(account)) = (&asked.stage, &whose.account) else {
            return Ok(self.stepping_over(target));
        };
        if !whose.factors.is_empty() {
            return Ok(self.stepping_over(target));
        }
        let login = self.world.catalog.load().login.clone();
        let made = match register(credential, Ceremony { challenge, login: &login }) {
            Ok(made) => made,
            Err(fault) => {
                self.refuse_second_passkey(visitor, target, (fault, Some(account.id))).await;
                return self.new_passkey_page(visitor, target, (asked, whose), true).await;
            }
        };
        let proof = second_by_new_passkey(account.id, &made, visitor.now);
        let label = clean_name(label).unwrap_or_else(|| UNNAMED.to_owned());
        let first = FirstApp::of(New::Passkey(made, label));
        let stepped = Stepped { proof, changes: Vec::new(), first: Some(first) };
        self.enrol_and_go_on(visitor, (standing, &asked, whose), stepped).await
    }

    /// The new second step of this account, its recovery codes, the event and the letter (N5's kin: whoever did not do this hears of it).
    pub(in crate::login) fn write_first(
        &self,
        visitor: &Visitor,
        (account, first): (&Account, &FirstApp),
        batch: &mut Batch,
    ) -> Result<(), NotCommitted> {
        let broken = |what: String| NotCommitted::Unavailable(Unavailable(what));
        let keys = &self.world.keys;
        let id = FactorId::mint(visitor.now, random());
        let (kind, label, secret, handle, counter, told) = match &first.new {
            New::App(seed, counter) => {
                let sealed = keys.seal_seed(account.id, id, seed).map_err(|fault| broken(fault.to_string()))?;
                let label = "Authenticator app".to_owned();
                (FactorKind::Totp, label, sealed, None, *counter, mail::Factor::Authenticator)
            }
            New::Passkey(made, label) => {
                let handle = Some(made.handle.clone());
                (FactorKind::Passkey, label.clone(), made.key.clone(), handle, made.counter, mail::Factor::Passkey)
            }
        };
        let mut factor = Factor {
            id,
            account: account.id,
            kind,
            label,
            secret,
            handle,
            counter,
            created_at: visitor.now,
            last_used_at: Some(visitor.now),
            mac: [0; 32],
        };
        factor.mac = keys.mac_factor(&factor);
        let hash = |code: &RecoveryCode| keys.lookup(Lookup::Recovery, &[&account.id.to_bytes(), code.bytes()]);
        let codes: Vec<_> = first.codes.iter().map(hash).collect();
        batch.changes.push(Change::Credential(CredentialChange::AddFactor(factor)));
        if !codes.is_empty() {
            batch.changes.push(Change::Credential(CredentialChange::PutRecoveryCodes(account.id, codes)));
        }
        if let Some(email) = &account.email {
            let letter = Letter::FactorEnrolled { factor: told, at: visitor.now };
            let queued = mail::queue(keys, visitor.now, &[(email.clone(), letter)], Some(account.id));
            batch.changes.push(queued.map_err(|fault| broken(fault.to_string()))?);
        }
        let mut event = visitor.event(Action::FactorEnrolled, Outcome::Success);
        event.subject = subject(account);
        event.method = Some(kind.code().to_owned());
        batch.events.push(event);
        Ok(())
    }
}
