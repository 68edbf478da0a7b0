//! Enrolling for the emergency door: the operator's link, good once and for a quarter of an hour, and the passkey that it leads to. What
//! stands in the link's place where people enrol themselves is `own`'s.

use super::super::answer::{Answer, Step};
use super::super::world::{Browser, Visitor};
use super::super::{Login, Stop};
use super::ticket::{CHALLENGE_LIFE, Link, Shown};
use super::{EmergencyPage, EmergencyStep};
use crate::entropy::random;
use crate::kernel::event::{Action, Actor, AuditEvent, Outcome, Subject};
use crate::kernel::journal::{Batch, Change, CredentialChange};
use crate::kernel::local::{ALGORITHMS, Ceremony, NewPasskey, register, user_handle};
use crate::kernel::model::{Account, AccountStatus, Factor, FactorKind};
use crate::kernel::standing::{self, Groups};
use crate::kernel::values::{EmailAddress, EventId, FactorId, OrgName, Timestamp};
use crate::mail::{self, Letter};
use crate::store::NotCommitted;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

/// Why there is no link for an address.
#[derive(Debug, thiserror::Error)]
pub enum NotPrepared {
    /// No policy names it.
    #[error("no policy names {0} in `break_glass`: write it there first")]
    NotNamed(EmailAddress),
    /// Nobody has it, or nobody who proved it and may act, or several.
    #[error("{0} is not the proved address of exactly one active account: let its owner log in once by single sign-on")]
    NoAccount(EmailAddress),
    /// The store.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
}

impl Login {
    /// `fedgate breakglass enrol`: a link by which the person with this address enrols. It is recorded before anybody has it.
    ///
    /// # Errors
    /// [`NotPrepared`] says what to do first.
    pub async fn prepare_emergency(
        &self,
        email: &EmailAddress,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<String, NotPrepared> {
        let unavailable = |why: &dyn std::fmt::Display| NotPrepared::Unavailable(why.to_string());
        let found = self.named_for_emergency(email).await.map_err(|why| unavailable(&format!("{why:?}")))?;
        let (account, org) = found?;
        let link = Link { nonce: random(), account: account.id, email: email.clone(), made_at: now, session: None };
        let id = EventId::mint(now, random());
        let mut event = AuditEvent::new(id, now, Action::BreakGlassPrepared, Outcome::Success);
        event.actor = Some(actor.clone());
        event.subject = subject(&account);
        event.org = Some(org.to_string());
        let batch = Batch { events: vec![event], ..Batch::default() };
        self.world.store.commit(batch).await.map_err(|why| unavailable(&why))?;
        let login = self.world.catalog.load().login.url();
        Ok(format!("{login}/login/emergency/new?start={}", self.world.seal_emergency_link(&link)))
    }

    /// The one active account with this proved address, and the organization whose policy names it.
    async fn named_for_emergency(&self, email: &EmailAddress) -> Result<Result<(Account, OrgName), NotPrepared>, Stop> {
        let mut accounts = self.world.store.accounts_by_email(email).await?;
        accounts.retain(|account| account.email_verified && account.status == AccountStatus::Active);
        let account = match accounts.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        };
        let catalog = self.world.catalog.load_full();
        let further = match &account {
            Some(account) => self.world.store.proved_addresses_of(account.id).await?,
            None => Vec::new(),
        };
        let proved = match &account {
            Some(account) => standing::proved_addresses(account, &further),
            None => vec![email],
        };
        let held = standing::managements(&catalog, &proved, Groups::Unknown);
        let Some(org) = held.iter().find(|held| held.breaks_glass(&[email])).map(|held| held.org.name.clone()) else {
            return Ok(Err(NotPrepared::NotNamed(email.clone())));
        };
        Ok(account.map(|account| (account, org)).ok_or_else(|| NotPrepared::NoAccount(email.clone())))
    }

    /// `GET /login/emergency/new`: shows what the link is for; nothing is used up by looking.
    pub async fn ask_new_emergency(&self, visitor: &Visitor, start: &str) -> Answer {
        let answer = match self.world.open_emergency_link(start, visitor.now) {
            Some(link) if link.session.is_none() => self.enrolment_page(visitor, &link, start, false),
            _ => self.emergency_said(visitor, EmergencyPage::Over),
        };
        self.settle(visitor, None, Ok(answer)).await
    }

    pub(super) fn enrolment_page(&self, visitor: &Visitor, link: &Link, sealed: &str, failed: bool) -> Answer {
        let shown = Shown { challenge: random(), shown_at: visitor.now, link: sealed.to_owned() };
        let algorithms = ALGORITHMS.map(|number| json!({ "type": "public-key", "alg": number }));
        let host = self.world.catalog.load().login.host().to_owned();
        let options = json!({
            "challenge": URL_SAFE_NO_PAD.encode(shown.challenge),
            "rp": { "id": host, "name": host },
            "user": {
                "id": URL_SAFE_NO_PAD.encode(user_handle(FactorKind::Emergency, link.account)),
                "name": link.email.as_str(),
                "displayName": link.email.as_str(),
            },
            "pubKeyCredParams": algorithms,
            // None: an authenticator that has an earlier one may take the new one in its place.
            "excludeCredentials": [],
            // The door names nobody, so the credential must be one that its browser finds by itself.
            "authenticatorSelection": { "residentKey": "required", "requireResidentKey": true, "userVerification": "required" },
            "attestation": "none",
            "timeout": u64::try_from(CHALLENGE_LIFE.as_millis()).unwrap_or(u64::MAX),
        });
        let page = EmergencyPage::Enrol(link.email.to_string());
        self.emergency_page(visitor, &shown, (options.to_string(), failed), page)
    }

    /// `POST /login/emergency/new`: the new credential.
    pub async fn take_new_emergency(
        &self,
        visitor: &Visitor,
        (csrf, to): (&str, &str),
        (credential, label): (&str, &str),
    ) -> Answer {
        let shown = self.shown_emergency(visitor, csrf, to);
        let link = shown.as_ref().and_then(|shown| self.world.open_emergency_link(&shown.link, visitor.now));
        let answer = match (shown, link) {
            (Some(shown), Some(link)) => self.try_new_emergency(visitor, &shown, &link, (credential, label)).await,
            _ => Ok(self.emergency_said(visitor, EmergencyPage::Over)),
        };
        self.settle(visitor, None, answer).await
    }

    async fn try_new_emergency(
        &self,
        visitor: &Visitor,
        shown: &Shown,
        link: &Link,
        (credential, label): (&str, &str),
    ) -> Result<Answer, Stop> {
        // Asked again: the policy may have dropped the address, or the address its account, since the operator made the link.
        let (account, org) = match self.named_for_emergency(&link.email).await? {
            Ok((account, org)) if account.id == link.account => (account, org),
            Ok(_) | Err(_) => return Ok(self.emergency_said(visitor, EmergencyPage::Over)),
        };
        if let Some(own) = link.session {
            let current = self.current(visitor).await?.filter(|current| current.session.id == own);
            match current {
                Some(current) if self.enrols_itself(visitor, &current).await? => {}
                _ => return Ok(self.emergency_said(visitor, EmergencyPage::Over)),
            }
        }
        let login = self.world.catalog.load().login.clone();
        let made = match register(credential, Ceremony { challenge: &shown.challenge, login: &login }) {
            Ok(made) => made,
            Err(fault) => {
                self.refuse_emergency(visitor, fault, Some(account.id)).await;
                return Ok(self.enrolment_page(visitor, link, &shown.link, true));
            }
        };
        let mut batch = self.enrolment(visitor, (&account, &org), (made, label))?;
        // One that another hand wrote is dropped like the others: it must not keep its person from a passkey that holds.
        let mut earlier = self.world.store.factors_of(account.id).await?;
        earlier.retain(|factor| factor.kind == FactorKind::Emergency);
        if earlier.iter().any(|factor| !self.world.keys.holds_factor(factor)) {
            self.world.violated(visitor, "factor").await?;
        }
        self.drop_emergency(&account, &earlier, &mut batch, || visitor.event(Action::FactorRemoved, Outcome::Success))
            .await?;
        batch.marks = vec![shown.mark(), link.mark()];
        match self.world.store.commit(batch).await {
            Ok(_) => Ok(self.emergency_said(visitor, EmergencyPage::Enrolled)),
            // The link was used, by this or another browser, or somebody has this very credential.
            Err(NotCommitted::Conflict(_)) => Ok(self.emergency_said(visitor, EmergencyPage::Over)),
            Err(NotCommitted::Unavailable(fault)) => Err(fault.into()),
        }
    }

    fn enrolment(
        &self,
        visitor: &Visitor,
        (account, org): (&Account, &OrgName),
        (made, label): (NewPasskey, &str),
    ) -> Result<Batch, Stop> {
        let mut factor = Factor {
            id: FactorId::mint(visitor.now, random()),
            account: account.id,
            kind: FactorKind::Emergency,
            label: super::super::session::clean_name(label).unwrap_or_else(|| "Emergency passkey".to_owned()),
            secret: made.key,
            handle: Some(made.handle),
            counter: made.counter,
            created_at: visitor.now,
            last_used_at: None,
            mac: [0; 32],
        };
        factor.mac = self.world.keys.mac_factor(&factor);
        let mut event = visitor.event(Action::FactorEnrolled, Outcome::Success);
        event.subject = subject(account);
        event.org = Some(org.to_string());
        event.method = Some(FactorKind::Emergency.code().to_owned());
        let mut changes = vec![Change::Credential(CredentialChange::AddFactor(factor))];
        if let Some(email) = &account.email {
            let letter = Letter::FactorEnrolled { factor: mail::Factor::Passkey, at: visitor.now };
            let queued = mail::queue(&self.world.keys, visitor.now, &[(email.clone(), letter)], Some(account.id));
            changes.push(queued.map_err(|fault| Stop::Fault(fault.to_string()))?);
        }
        Ok(Batch { changes, events: vec![event], ..Batch::default() })
    }

    /// A sentence of the door.
    pub(super) fn emergency_said(&self, visitor: &Visitor, page: EmergencyPage) -> Answer {
        let shown = Shown { challenge: random(), shown_at: visitor.now, link: String::new() };
        self.emergency_page(visitor, &shown, (String::new(), false), page)
    }

    pub(super) fn emergency_page(
        &self,
        visitor: &Visitor,
        shown: &Shown,
        (options, failed): (String, bool),
        page: EmergencyPage,
    ) -> Answer {
        let browser = Browser::of(visitor);
        let mut form = self.form(visitor, None, &browser);
        form.to = self.world.seal_emergency(shown, &browser.value);
        let mut answer = Answer::of(Step::Emergency(Box::new(EmergencyStep { form, options, failed, page })));
        answer.cookies.extend(browser.cookie());
        answer
    }

    /// What a posted form of this browser carries.
    pub(super) fn shown_emergency(&self, visitor: &Visitor, csrf: &str, to: &str) -> Option<Shown> {
        let browser = Browser::of(visitor);
        let shown = self.world.open_emergency(to, &browser.value, visitor.now)?;
        self.world.csrf_holds(visitor, csrf).then_some(shown)
    }
}

pub(super) fn subject(account: &Account) -> Subject {
    super::super::session::subject(account)
}
