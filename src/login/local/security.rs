//! A person's own second steps at a product: shown, enrolled, taken away. Every change asks for the password, and for the second
//! step that is enrolled (rule H1).

use super::super::answer::Answer;
use super::super::handover::ProductHost;
use super::super::ticket::{FRESH_PROOF, Target};
use super::super::world::{Browser, Visitor};
use super::super::{Login, Stop};
use super::answer::{Asks, LocalPage, Said, Wrong};
use super::change::Changed;
use super::door::{Judged, said, said_page, start_again};
use super::known::Known;
use super::product::{keeps_here, kept_by_product};
use super::reset::For;
use crate::entropy::random;
use crate::kernel::event::{Action, Outcome, Subject};
use crate::kernel::journal::{Batch, Change, CredentialChange};
use crate::kernel::live::step_up::{is_fresh, proved_at};
use crate::kernel::local::{RECOVERY_CODES, RecoveryCode, SEED_BYTES, Seed, Steps};
use crate::kernel::model::{Factor, FactorKind};
use crate::kernel::values::{AccountId, FactorId};
use crate::keys::Lookup;
use crate::mail::{self, Letter};
use crate::web::{Admission, Ask, Sessions as _};
use std::time::Duration;

/// Second steps that one person may have.
pub(in crate::login) const FACTORS: usize = 5;
/// Where a person's second steps are shown.
const SECURITY: &str = "/.fedgate/security";
/// How long a seed may be looked at before its first code.
const ENROL: Duration = Duration::from_secs(15 * 60);

impl Login {
    /// Whose session the request has at this product, if they log in here with a password.
    async fn own(&self, visitor: &Visitor, at: &ProductHost) -> Result<Option<Known>, Stop> {
        let Some(token) = super::super::handover::session_token(visitor) else { return Ok(None) };
        let ask = Ask {
            token: &token,
            key: None,
            product: &at.product.name,
            host: &at.host,
            now: visitor.now,
            client: visitor.client,
            active: true,
        };
        let Admission::Admitted(session) = self.live.admit(&ask).await else { return Ok(None) };
        let addresses = self.world.store.addresses_of(session.product_account).await?;
        match addresses.first() {
            Some(address) => {
                let known = self.world.known(at, &address.email).await?;
                Ok(known.filter(|known| known.record.id == session.product_account))
            }
            None => Ok(None),
        }
    }

    /// `GET /.fedgate/security`.
    pub async fn security(&self, visitor: &Visitor, at: &ProductHost) -> Answer {
        let answer = match self.own(visitor, at).await {
            Ok(Some(known)) => self.security_page(visitor, at, &known, false).await,
            Ok(None) => Ok(start_again()),
            Err(stop) => Err(stop),
        };
        self.settle(visitor, None, answer).await
    }

    pub(super) async fn security_page(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        known: &Known,
        failed: bool,
    ) -> Result<Answer, Stop> {
        let account = known.claimant.account;
        let factors = self.world.factors(visitor, account).await?;
        let recovery_left = self.world.store.recovery_codes_left(account).await?;
        let session = self.session_here(visitor, at).await?;
        let fresh = session.is_some_and(|(_, session)| {
            session.method.is_local() && is_fresh(proved_at(&session), FRESH_PROOF, visitor.now)
        });
        let has_passkey = factors.iter().any(|factor| factor.kind == FactorKind::Passkey);
        let proof = if fresh {
            Asks::Nothing
        } else if has_passkey {
            Asks::CodeOrPasskey
        } else {
            Asks::Code
        };
        let managed = self.world.manager_of(account).await?.is_some();
        let last_stays = self.must_keep(account, &factors).await?;
        let factors = factors.into_iter().map(|factor| (factor.label, factor.id.to_string())).collect();
        let (target, email) = (self.door_target(at), known.claimant.email.to_string());
        Ok(self.local_page(visitor, at, Some(&target), "", |form| LocalPage::Security {
            form,
            email,
            factors,
            recovery_left,
            proof,
            managed,
            last_stays,
            failed,
        }))
    }

    /// `POST /.fedgate/security`: `act` is `add`, `passkey`, `codes`, `remove ID` or `name ID`; `current` the password; `code` the
    /// second step; `label` the new name.
    pub async fn change_security(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        (csrf, to): (&str, &str),
        (act, current, code, label): (&str, String, &str, &str),
    ) -> Answer {
        if self.posted_target(visitor, at, csrf, to).is_none() {
            return start_again();
        }
        let answer = self.try_change_security(visitor, at, (act, current, code, label)).await;
        self.settle(visitor, None, answer).await
    }

    async fn try_change_security(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        (act, current, code, label): (&str, String, &str, &str),
    ) -> Result<Answer, Stop> {
        let Some(known) = self.own(visitor, at).await? else { return Ok(start_again()) };
        // Enter in one of its fields presses the form's first button, which asks for nothing.
        if act.is_empty() {
            return self.security_page(visitor, at, &known, false).await;
        }
        let factors = self.world.factors(visitor, known.claimant.account).await?;
        let email = known.claimant.email.clone();
        let steps = match self.judge_password(visitor, at, (&email, Some(&known)), current).await? {
            Judged::Right(steps, _) => steps,
            Judged::Wrong => return self.security_page(visitor, at, &known, true).await,
            Judged::TooMany => return Ok(said(at, Said::TooMany)),
            Judged::Busy => return Ok(said(at, Said::Busy)),
            Judged::Away => return Ok(said(at, Said::Away)),
        };
        let (mut steps, mut changes) = (*steps, Vec::new());
        let stepped = self.stepped_here(visitor, at, &steps).await?;
        if let Some(both) = stepped.filter(|_| !factors.is_empty() && code.is_empty()) {
            steps = both;
        } else if !factors.is_empty() {
            match self.add_second(visitor, &steps, code).await? {
                Some((both, used)) => {
                    steps = both;
                    changes.push(Change::Credential(used));
                }
                None => return self.security_page(visitor, at, &known, true).await,
            }
        }
        match act.split_once(' ') {
            Some(("remove", id)) => self.remove(visitor, at, &known, (&factors, id, changes)).await,
            Some(("name", id)) => self.rename(visitor, at, &known, (&factors, id, label, changes)).await,
            None if act == "codes" && !factors.is_empty() => self.new_codes(visitor, at, &known, changes).await,
            None if act == "passkey" && factors.len() < FACTORS => {
                self.commit_used(changes).await?;
                Ok(self.to_ceremony(visitor, at, &self.door_target(at), (&steps, true)))
            }
            None if act == "add" && factors.len() < FACTORS => {
                self.commit_used(changes).await?;
                Ok(self.enrol_page(visitor, at, None, known.claimant.account, false))
            }
            _ => self.security_page(visitor, at, &known, false).await,
        }
    }

    /// The steps with the one that the live session carries, if that is of just now (rule M6).
    async fn stepped_here(&self, visitor: &Visitor, at: &ProductHost, steps: &Steps) -> Result<Option<Steps>, Stop> {
        let session = self.session_here(visitor, at).await?;
        Ok(session.and_then(|(_, session)| steps.with_step_of(&session, FRESH_PROOF, visitor.now)))
    }

    pub(super) async fn commit_used(&self, changes: Vec<Change>) -> Result<(), Stop> {
        if !changes.is_empty() {
            self.world.store.commit(Batch { changes, ..Batch::default() }).await?;
        }
        Ok(())
    }

    async fn new_codes(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        known: &Known,
        mut changes: Vec<Change>,
    ) -> Result<Answer, Stop> {
        let (codes, put) = self.recovery_codes(known.claimant.account);
        changes.push(Change::Credential(put));
        let event = self.factor_event(visitor, at, known, (Action::FactorEnrolled, "recovery_codes"));
        let letter = Letter::FactorEnrolled { factor: mail::Factor::RecoveryCodes, at: visitor.now };
        changes.push(self.world.letter(visitor, &known.claimant, letter)?);
        self.world.store.commit(Batch { changes, events: vec![event], ..Batch::default() }).await?;
        Ok(said_page(at, LocalPage::Recovery { codes, next: SECURITY.to_owned() }))
    }

    pub(in crate::login) fn recovery_codes(&self, account: AccountId) -> (Vec<String>, CredentialChange) {
        let codes: Vec<RecoveryCode> = (0..RECOVERY_CODES).map(|_| RecoveryCode::new(random())).collect();
        let hash = |code: &RecoveryCode| self.world.keys.lookup(Lookup::Recovery, &[&account.to_bytes(), code.bytes()]);
        let put = CredentialChange::PutRecoveryCodes(account, codes.iter().map(hash).collect());
        (codes.iter().map(|code| code.expose().to_string()).collect(), put)
    }

    pub(super) fn factor_event(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        known: &Known,
        (action, kind): (Action, &str),
    ) -> crate::kernel::event::AuditEvent {
        let mut event = visitor.event(action, Outcome::Success);
        event.subject = Subject {
            account: Some(known.claimant.account.to_string()),
            product_account: Some(known.record.id.to_string()),
            email: Some(known.claimant.email.to_string()),
        };
        event.product = Some(at.product.name.to_string());
        event.method = Some(kind.to_owned());
        event
    }

    /// A policy requires a second step and none is enrolled: the password alone does not enrol one, the mailbox must be theirs too
    /// (rule H1).
    pub(super) async fn begin_enrolment(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        target: &Target,
        steps: &Steps,
    ) -> Result<Answer, Stop> {
        let email = steps.claimant().email.clone();
        let known = self.world.known(at, &email).await?;
        self.begin_proof(visitor, at, target, (For::Enrol, email, known.as_ref())).await
    }

    /// A fresh seed. With steps, the login goes on after its first code.
    pub(super) fn enrol_page(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        login: Option<(&Target, &Steps)>,
        account: AccountId,
        failed: bool,
    ) -> Answer {
        self.enrol_with(visitor, at, login, (account, Seed::new(random())), failed)
    }

    fn enrol_with(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        login: Option<(&Target, &Steps)>,
        (account, seed): (AccountId, Seed),
        failed: bool,
    ) -> Answer {
        let browser = Browser::of(visitor);
        let writer = super::super::codec::Writer::default().raw(&account.to_bytes()).time(visitor.now);
        let bytes = writer.raw(seed.bytes()).text(&browser.value).done();
        let sealed = self.world.seal_local(at, "enrol", &bytes);
        let key = seed.to_base32().to_string();
        let uri = seed.to_uri(&at.product.label, &account.to_string()).to_string();
        let page = |mut form: super::super::answer::Form| {
            form.to = format!("{}~{sealed}", form.to);
            LocalPage::Enrol { form, uri, key, passkey: login.is_some(), failed }
        };
        match login {
            Some((target, steps)) => self.page_with_steps(visitor, at, target, steps, page),
            None => self.page_without_steps(visitor, at, page),
        }
    }

    fn page_without_steps(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        page: impl FnOnce(super::super::answer::Form) -> LocalPage,
    ) -> Answer {
        let target = self.door_target(at);
        self.local_page(visitor, at, Some(&target), "-", page)
    }

    /// `POST /.fedgate/security/app`: the first code of a new app.
    pub async fn enrol(&self, visitor: &Visitor, at: &ProductHost, (csrf, to): (&str, &str), code: &str) -> Answer {
        let parts: Vec<&str> = to.split('~').collect();
        let (Some(target), [aim, state, sealed]) = (self.posted_target(visitor, at, csrf, to), parts.as_slice()) else {
            return start_again();
        };
        let seed = self.world.open_local(at, "enrol", sealed).and_then(|bytes| opened(visitor, &bytes));
        let steps = self.posted_steps(visitor, at, &format!("{aim}~{state}"));
        let Some((account, seed)) = seed else { return said(at, Said::Over) };
        let answer = self.try_enrol(visitor, at, (&target, steps), (account, seed, code)).await;
        self.settle(visitor, Some(&target), answer).await
    }

    /// `POST /.fedgate/security/app` with `act=passkey`: a passkey instead of an app, where a login asks for the first second step. The page
    /// that asks was shown after password and mailbox (rule H1); its seed says so, and whose it is.
    pub async fn enrol_passkey(&self, visitor: &Visitor, at: &ProductHost, (csrf, to): (&str, &str)) -> Answer {
        let parts: Vec<&str> = to.split('~').collect();
        let (Some(target), [aim, state, sealed]) = (self.posted_target(visitor, at, csrf, to), parts.as_slice()) else {
            return start_again();
        };
        let seed = self.world.open_local(at, "enrol", sealed).and_then(|bytes| opened(visitor, &bytes));
        let steps = self.posted_steps(visitor, at, &format!("{aim}~{state}"));
        let (Some((account, _)), Some(steps)) = (seed, steps) else { return said(at, Said::Over) };
        let answer = match self.world.factors(visitor, account).await {
            Ok(none) if none.is_empty() && steps.claimant().account == account => {
                Ok(self.to_ceremony(visitor, at, &target, (&steps, true)))
            }
            Ok(_) => Ok(said(at, Said::Over)),
            Err(stop) => Err(stop),
        };
        self.settle(visitor, Some(&target), answer).await
    }

    async fn try_enrol(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        (target, steps): (&Target, Option<Steps>),
        (account, seed, code): (AccountId, Seed, &str),
    ) -> Result<Answer, Stop> {
        // Whoever is logged in, or whoever just proved the mailbox: the seed was made for them and nobody else.
        let known = match &steps {
            Some(steps) => self.world.known(at, &steps.claimant().email).await?,
            None => self.own(visitor, at).await?,
        };
        let Some(known) = known.filter(|known| known.claimant.account == account) else { return Ok(start_again()) };
        // The page was made for what was there then: at a login nothing, and nothing may have died since (rule H14).
        let enrolled = self.world.factors(visitor, account).await?.len();
        let is_as_then = match &steps {
            Some(steps) => enrolled == 0 && steps.claimant().epoch == known.claimant.epoch,
            None => enrolled < FACTORS,
        };
        if !is_as_then {
            return Ok(said(at, Said::Over));
        }
        let Some(step) = seed.accepts(code, visitor.now, None) else {
            let login = steps.as_ref().map(|steps| (target, steps));
            return Ok(self.enrol_with(visitor, at, login, (account, seed), true));
        };
        let id = FactorId::mint(visitor.now, random());
        let sealed = self.world.keys.seal_seed(account, id, &seed).map_err(|fault| Stop::Fault(fault.to_string()))?;
        let mut factor = Factor {
            id,
            account,
            kind: FactorKind::Totp,
            label: "Authenticator app".to_owned(),
            secret: sealed,
            handle: None,
            counter: step,
            created_at: visitor.now,
            last_used_at: Some(visitor.now),
            mac: [0; 32],
        };
        factor.mac = self.world.keys.mac_factor(&factor);
        let (codes, put) = self.recovery_codes(account);
        let mut changes = vec![Change::Credential(CredentialChange::AddFactor(factor)), Change::Credential(put)];
        let letter = Letter::FactorEnrolled { factor: mail::Factor::Authenticator, at: visitor.now };
        changes.push(self.world.letter(visitor, &known.claimant, letter)?);
        let event = self.factor_event(visitor, at, &known, (Action::FactorEnrolled, FactorKind::Totp.code()));
        self.world.store.commit(Batch { changes, events: vec![event], ..Batch::default() }).await?;
        Ok(said_page(at, LocalPage::Recovery { codes, next: SECURITY.to_owned() }))
    }

    /// `GET /.fedgate/security/password`: asks for the old one and a new one.
    pub async fn ask_change(&self, visitor: &Visitor, at: &ProductHost) -> Answer {
        if !keeps_here(at) {
            return kept_by_product(at);
        }
        let answer = match self.own(visitor, at).await {
            Ok(Some(known)) => self.ask_change_of(visitor, at, &known).await,
            Ok(None) => Ok(start_again()),
            Err(stop) => Err(stop),
        };
        self.settle(visitor, None, answer).await
    }

    /// Who is managed asks an admin (row L06).
    async fn ask_change_of(&self, visitor: &Visitor, at: &ProductHost, known: &Known) -> Result<Answer, Stop> {
        Ok(match self.world.manager_of(known.claimant.account).await? {
            Some(manager) => said_page(at, LocalPage::AskAdmin(manager)),
            None => self.change_page(visitor, at, known, None),
        })
    }

    fn change_page(&self, visitor: &Visitor, at: &ProductHost, known: &Known, wrong: Option<Wrong>) -> Answer {
        let (target, email) = (self.door_target(at), known.claimant.email.clone());
        self.local_page(visitor, at, Some(&target), "", |form| LocalPage::NewPassword {
            form,
            email,
            asks_current: true,
            wrong,
        })
    }

    /// `POST /.fedgate/security/password`.
    pub async fn change(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        (csrf, to): (&str, &str),
        (current, password): (String, String),
    ) -> Answer {
        if !keeps_here(at) {
            return kept_by_product(at);
        }
        if self.posted_target(visitor, at, csrf, to).is_none() {
            return start_again();
        }
        let answer = self.try_change(visitor, at, (current, password)).await;
        self.settle(visitor, None, answer).await
    }

    async fn try_change(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        (current, password): (String, String),
    ) -> Result<Answer, Stop> {
        let Some(known) = self.own(visitor, at).await? else { return Ok(start_again()) };
        if let Some(manager) = self.world.manager_of(known.claimant.account).await? {
            let mut event = self.factor_event(visitor, at, &known, (Action::PasswordResetRefused, "password"));
            (event.outcome, event.reason) = (Outcome::Refused, Some("managed".to_owned()));
            self.world.store.commit(Batch { events: vec![event], ..Batch::default() }).await?;
            return Ok(said_page(at, LocalPage::AskAdmin(manager)));
        }
        let email = known.claimant.email.clone();
        match self.judge_password(visitor, at, (&email, Some(&known)), current).await? {
            Judged::Right(..) => {}
            Judged::Wrong => return Ok(self.change_page(visitor, at, &known, Some(Wrong::Current))),
            Judged::TooMany => return Ok(said(at, Said::TooMany)),
            Judged::Busy => return Ok(said(at, Said::Busy)),
            Judged::Away => return Ok(said(at, Said::Away)),
        }
        match self.change_password(visitor, at, &known.claimant, password, "changed").await? {
            Changed::Done => Ok(said(at, Said::Changed)),
            Changed::Wrong(wrong) => Ok(self.change_page(visitor, at, &known, Some(wrong))),
            Changed::Over => Ok(said(at, Said::Over)),
            Changed::Busy => Ok(said(at, Said::Busy)),
        }
    }
}

fn opened(visitor: &Visitor, bytes: &[u8]) -> Option<(AccountId, Seed)> {
    let mut reader = super::super::codec::Reader::new(bytes);
    let (account, made_at) = (AccountId::from_bytes(reader.raw()?), reader.time()?);
    let seed = Seed::new(reader.raw::<SEED_BYTES>()?);
    let same_browser = reader.text()? == Browser::of(visitor).value;
    reader.ended()?;
    (same_browser && visitor.now.since(made_at) <= ENROL).then_some((account, seed))
}
