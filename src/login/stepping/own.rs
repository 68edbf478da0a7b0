//! A person's own second steps on the login host: shown, added, taken away. What changes anything asks for a login of just now at the
//! provider, and for the second step that is enrolled (rules H1, M6); whoever finds a session open changes nothing.

use super::first::{FirstApp, New, UNNAMED};
use super::{OWN_STEPS, OwnSteps, SteppingPage};
use crate::entropy::random;
use crate::kernel::event::{Action, Outcome};
use crate::kernel::journal::{Batch, Change, CredentialChange};
use crate::kernel::live::step_up::is_fresh;
use crate::kernel::local::{Ceremony, SEED_BYTES, Seed, register};
use crate::kernel::migration::PROOF_LIFE;
use crate::kernel::model::{Factor, FactorKind};
use crate::kernel::values::Timestamp;
use crate::keys::Purpose;
use crate::login::account::Own;
use crate::login::answer::{Answer, Form};
use crate::login::begin::Leaving;
use crate::login::codec::{Reader, Writer};
use crate::login::local::{CeremonyFor, FACTORS};
use crate::login::session::{clean_name, subject};
use crate::login::ticket::{Errand, FRESH_PROOF};
use crate::login::world::{Browser, Visitor};
use crate::login::{Login, Stop};
use crate::mail::{self, Letter};
use crate::store::NotCommitted;

/// What is being added, sealed into its form: good in its session for ten minutes.
enum Adding {
    App(Seed),
    Passkey([u8; 32]),
}

impl Login {
    /// `GET /account/steps`.
    pub async fn own_steps(&self, visitor: &Visitor) -> Answer {
        let answer = match self.stepper_here(visitor).await {
            Ok(Some((own, factors))) => self.own_page(visitor, &own, &factors).await,
            Ok(None) => Ok(self.nobody_here(visitor, None).await),
            Err(stop) => Err(stop),
        };
        self.settle(visitor, None, answer).await
    }

    /// Whose session this is, and what they enrolled. Who came by the emergency door changes nothing.
    async fn stepper_here(&self, visitor: &Visitor) -> Result<Option<(Own, Vec<Factor>)>, Stop> {
        let own = self.own_session(visitor, None).await?;
        let Some(own) = own.filter(|own| own.session.method.is_by_provider()) else { return Ok(None) };
        let factors = self.world.factors(visitor, own.account.id).await?;
        Ok(Some((own, factors)))
    }

    /// Whether the person was proved just now, and took the second step that is enrolled.
    fn is_proved_now(own: &Own, factors: &[Factor], now: Timestamp) -> bool {
        let by_provider = is_fresh(Some(own.session.auth_time), FRESH_PROOF, now);
        by_provider && (factors.is_empty() || is_fresh(own.session.stepped_at, FRESH_PROOF, now))
    }

    async fn own_page(&self, visitor: &Visitor, own: &Own, factors: &[Factor]) -> Result<Answer, Stop> {
        let browser = Browser::of(visitor);
        let steps = OwnSteps {
            form: self.form(visitor, None, &browser),
            recovery_left: self.world.store.recovery_codes_left(own.account.id).await?,
            last_stays: self.must_keep(own.account.id, factors).await?,
            fresh: Self::is_proved_now(own, factors, visitor.now),
            may_add: factors.len() < FACTORS && own.account.email_verified,
            factors: factors.iter().map(|factor| (factor.label.clone(), factor.id.to_string())).collect(),
        };
        let mut answer = self.stepping_said(None, SteppingPage::Own(steps));
        answer.cookies.extend(browser.cookie());
        answer.cookies.push(self.acts_cookie(own));
        Ok(answer)
    }

    /// `POST /account/steps`: `act` is `confirm`, `add`, `passkey`, `codes` or `remove ID`.
    pub async fn change_own_steps(&self, visitor: &Visitor, csrf: &str, act: &str) -> Answer {
        let answer = match self.acting(visitor, csrf).await {
            Ok(Some((own, factors))) => self.try_own(visitor, (&own, &factors), act).await,
            Ok(None) => return self.own_steps(visitor).await,
            Err(stop) => Err(stop),
        };
        self.settle(visitor, None, answer).await
    }

    /// Whoever posts a form of a page of theirs (rule H6).
    async fn acting(&self, visitor: &Visitor, csrf: &str) -> Result<Option<(Own, Vec<Factor>)>, Stop> {
        let here = self.stepper_here(visitor).await?;
        Ok(here.filter(|(own, _)| self.world.csrf_holds(visitor, csrf) && self.may_act(visitor, own)))
    }

    async fn try_own(&self, visitor: &Visitor, (own, factors): (&Own, &[Factor]), act: &str) -> Result<Answer, Stop> {
        if act.is_empty() {
            return self.own_page(visitor, own, factors).await;
        }
        if !Self::is_proved_now(own, factors, visitor.now) {
            let hint = own.account.email.clone();
            let leaving = Leaving { hint, max_age: Some(FRESH_PROOF), by_form: true, errand: Errand::Steps };
            return self.leave(visitor, own.session.directory, None, leaving).await;
        }
        // The mails of a second step go to a mailbox that is the person's.
        let may_add = factors.len() < FACTORS && own.account.email_verified;
        match act.split_once(' ') {
            None if act == "add" && may_add => Ok(self.adding_app(visitor, own, Seed::new(random()), false)),
            None if act == "passkey" && may_add => self.adding_passkey(visitor, own, false).await,
            None if act == "codes" && !factors.is_empty() => self.renew_codes(visitor, own).await,
            Some(("remove", id)) => self.remove_own(visitor, (own, factors), id).await,
            _ => self.own_page(visitor, own, factors).await,
        }
    }

    fn binding(own: &Own) -> Vec<u8> {
        [b"own steps".as_slice(), &own.session.id.to_bytes()].concat()
    }

    fn adding_form(&self, visitor: &Visitor, own: &Own, adding: &Adding) -> (Form, Option<String>) {
        let browser = Browser::of(visitor);
        let writer = Writer::default().time(visitor.now).number(own.account.epoch);
        let bytes = match adding {
            Adding::App(seed) => writer.byte(0).raw(seed.bytes()),
            Adding::Passkey(challenge) => writer.byte(1).raw(challenge),
        };
        let to = self.world.seal(Purpose::Local, &Self::binding(own), &bytes.done());
        (Form { csrf: self.world.csrf(&browser), to }, browser.cookie())
    }

    fn opened_adding(&self, visitor: &Visitor, own: &Own, to: &str) -> Option<Adding> {
        let bytes = self.world.unseal(Purpose::Local, &Self::binding(own), to)?;
        let mut reader = Reader::new(&bytes);
        let (made_at, epoch) = (reader.time()?, reader.number()?);
        let adding = match reader.byte()? {
            0 => Adding::App(Seed::new(reader.raw::<SEED_BYTES>()?)),
            1 => Adding::Passkey(reader.raw()?),
            _ => return None,
        };
        reader.ended()?;
        (epoch == own.account.epoch && visitor.now.since(made_at) <= PROOF_LIFE).then_some(adding)
    }

    fn adding_app(&self, visitor: &Visitor, own: &Own, seed: Seed, failed: bool) -> Answer {
        let host = self.world.catalog.load().login.host().to_owned();
        let (key, uri) = (seed.to_base32().to_string(), seed.to_uri(&host, &host).to_string());
        let (form, cookie) = self.adding_form(visitor, own, &Adding::App(seed));
        let mut answer = self.stepping_said(None, SteppingPage::OwnApp { form, uri, key, failed });
        answer.cookies.extend(cookie);
        answer
    }

    async fn adding_passkey(&self, visitor: &Visitor, own: &Own, failed: bool) -> Result<Answer, Stop> {
        let Some(email) = own.account.email.clone() else { return Ok(self.stepping_over(None)) };
        let challenge: [u8; 32] = random();
        let label = self.world.catalog.load().login.host().to_owned();
        let whose = (own.account.id, email.as_str());
        let options = self.creation(visitor, &label, &challenge, whose).await?.to_string();
        let (form, cookie) = self.adding_form(visitor, own, &Adding::Passkey(challenge));
        let ceremony = CeremonyFor::Enrol { email };
        let other = OWN_STEPS.to_owned();
        let page = SteppingPage::OwnPasskey { form, ceremony, options, other, failed };
        let mut answer = self.stepping_said(None, page);
        answer.cookies.extend(cookie);
        Ok(answer)
    }

    /// `POST /account/steps/app` and `/account/steps/passkey`: what is added.
    pub async fn add_own_step(
        &self,
        visitor: &Visitor,
        (csrf, to): (&str, &str),
        (code, credential, label): (&str, &str, &str),
    ) -> Answer {
        let answer = match self.acting(visitor, csrf).await {
            Ok(Some((own, factors))) => {
                self.try_add_own(visitor, (&own, &factors), (to, code, credential, label)).await
            }
            Ok(None) => return self.own_steps(visitor).await,
            Err(stop) => Err(stop),
        };
        self.settle(visitor, None, answer).await
    }

    async fn try_add_own(
        &self,
        visitor: &Visitor,
        (own, factors): (&Own, &[Factor]),
        (to, code, credential, label): (&str, &str, &str, &str),
    ) -> Result<Answer, Stop> {
        let proved = Self::is_proved_now(own, factors, visitor.now);
        let adding = self.opened_adding(visitor, own, to);
        let Some(adding) = adding.filter(|_| proved && factors.len() < FACTORS) else {
            return self.own_page(visitor, own, factors).await;
        };
        let new = match adding {
            Adding::App(seed) => match seed.accepts(code, visitor.now, None) {
                Some(counter) => New::App(seed, counter),
                None => return Ok(self.adding_app(visitor, own, seed, true)),
            },
            Adding::Passkey(challenge) => {
                let login = self.world.catalog.load().login.clone();
                match register(credential, Ceremony { challenge: &challenge, login: &login }) {
                    Ok(made) => New::Passkey(made, clean_name(label).unwrap_or_else(|| UNNAMED.to_owned())),
                    Err(fault) => {
                        self.refuse_second_passkey(visitor, None, (fault, Some(own.account.id))).await;
                        return self.adding_passkey(visitor, own, true).await;
                    }
                }
            }
        };
        // A lost authenticator must not be a lost account: the first one comes with codes to write down.
        let left = self.world.store.recovery_codes_left(own.account.id).await?;
        let first = if factors.is_empty() || left == 0 { FirstApp::of(new) } else { FirstApp::further(new) };
        let mut batch = Batch::default();
        self.write_first(visitor, (&own.account, &first), &mut batch)?;
        // Nobody who was in before goes on as if nothing were asked of them: what this session proved counts for it alone.
        match self.world.store.commit(batch).await {
            Ok(_) => {}
            Err(NotCommitted::Conflict(_)) => return self.own_page(visitor, own, factors).await,
            Err(NotCommitted::Unavailable(fault)) => return Err(fault.into()),
        }
        let codes = first.codes();
        if codes.is_empty() {
            let factors = self.world.factors(visitor, own.account.id).await?;
            return self.own_page(visitor, own, &factors).await;
        }
        Ok(self.stepping_said(None, SteppingPage::Recovery { codes, next: OWN_STEPS.to_owned() }))
    }

    async fn renew_codes(&self, visitor: &Visitor, own: &Own) -> Result<Answer, Stop> {
        let (codes, put) = self.recovery_codes(own.account.id);
        let mut batch = Batch { changes: vec![Change::Credential(put)], ..Batch::default() };
        let told = (Action::FactorEnrolled, "recovery_codes");
        let letter = Letter::FactorEnrolled { factor: mail::Factor::RecoveryCodes, at: visitor.now };
        self.tell_own(visitor, own, (told, letter), &mut batch)?;
        self.world.store.commit(batch).await?;
        Ok(self.stepping_said(None, SteppingPage::Recovery { codes, next: OWN_STEPS.to_owned() }))
    }

    /// Takes a second step away, while one stays where a policy requires one; with the last one its recovery codes go.
    async fn remove_own(&self, visitor: &Visitor, (own, factors): (&Own, &[Factor]), id: &str) -> Result<Answer, Stop> {
        let account = own.account.id;
        let factor = factors.iter().find(|factor| factor.id.to_string() == id);
        let Some(factor) = factor.filter(|_| factors.len() > 1).or(match self.must_keep(account, factors).await? {
            true => None,
            false => factor,
        }) else {
            return self.own_page(visitor, own, factors).await;
        };
        let mut batch = Batch::default();
        batch.changes.push(Change::Credential(CredentialChange::DropFactor(account, factor.id)));
        if factors.len() == 1 {
            batch.changes.push(Change::Credential(CredentialChange::PutRecoveryCodes(account, Vec::new())));
        }
        let kind = match factor.kind {
            FactorKind::Totp => mail::Factor::Authenticator,
            FactorKind::Passkey | FactorKind::Emergency => mail::Factor::Passkey,
        };
        let letter = Letter::FactorRemoved { factor: kind, at: visitor.now };
        self.tell_own(visitor, own, ((Action::FactorRemoved, factor.kind.code()), letter), &mut batch)?;
        self.world.store.commit(batch).await?;
        let left = self.world.factors(visitor, account).await?;
        self.own_page(visitor, own, &left).await
    }

    fn tell_own(
        &self,
        visitor: &Visitor,
        own: &Own,
        ((action, kind), letter): ((Action, &str), Letter),
        batch: &mut Batch,
    ) -> Result<(), Stop> {
        let mut event = visitor.event(action, Outcome::Success);
        event.subject = subject(&own.account);
        event.method = Some(kind.to_owned());
        batch.events.push(event);
        if let Some(email) = &own.account.email {
            let queued = mail::queue(&self.world.keys, visitor.now, &[(email.clone(), letter)], Some(own.account.id));
            batch.changes.push(queued.map_err(|fault| Stop::Fault(fault.to_string()))?);
        }
        Ok(())
    }
}
