//! Who may enter the console: a person with a role that stands, logged in here, proved a short while ago, with a second step of ours.
//!
//! The console has no password and no session of its own: a login session that was found open opens no console, and a provider that
//! asserts an administrator is not enough either (rules H1, M19). The emergency door's passkey asks for its owner's finger or PIN: it is
//! both at once (rule H3). Deliberately absent: what somebody may see or do there, which is the admin layer's.

use super::account::Own;
use super::answer::{Answer, Form, Person, Step};
use super::begin::Leaving;
use super::current::person;
use super::ticket::{Errand, FRESH_PROOF};
use super::world::{Browser, Visitor};
use super::{Login, Stop};
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::journal::Role;
use crate::kernel::live::step_up::is_fresh;
use crate::kernel::model::{Account, Method};
use crate::kernel::values::{AccountId, Timestamp};
use crate::orgs::roles::{Held, held};
use crate::store::Unavailable;
use std::time::Duration;

/// Where the console begins.
pub const CONSOLE: &str = "/admin/";
/// Reading goes on for an hour after the proof: longer than a look into somebody's trouble takes, shorter than a lunch at an open screen
/// and the meeting after it. Changes ask for a proof of [`FRESH_PROOF`].
const READS_FOR: Duration = Duration::from_secs(3_600);

/// Somebody who may enter.
#[derive(Debug)]
pub struct Steward {
    /// Who.
    pub account: Account,
    /// Their roles, those that stand.
    pub roles: Vec<Held>,
    /// Whether they were proved just now: only then anything is changed.
    pub may_change: bool,
    /// The form of the page's buttons.
    pub form: Form,
    /// Cookies of the page.
    pub cookies: Vec<String>,
    visitor: Visitor,
}

impl Steward {
    /// An event of what they do now.
    pub fn event(&self, action: Action) -> AuditEvent {
        let mut event = self.visitor.event(action, Outcome::Success);
        event.actor = Some(crate::kernel::event::Actor {
            kind: "person".to_owned(),
            id: Some(self.account.id.to_string()),
            address: self.account.email.as_ref().map(ToString::to_string),
        });
        event
    }

    /// Who to show.
    pub fn person(&self) -> Person {
        person(&self.account)
    }

    /// When they asked.
    pub fn now(&self) -> Timestamp {
        self.visitor.now
    }
}

/// A page of the console's door.
#[derive(Debug)]
pub enum ConsoleStep {
    /// A proof of just now is asked for.
    Prove {
        /// The form of its button.
        form: Form,
    },
    /// There is no second step yet.
    Enrol,
    /// The proof of the emergency door is too old.
    Emergency,
    /// The person has no role, or what was asked for is not theirs to see: nobody can tell which.
    NotHere,
}

/// What stands at the door.
#[derive(Debug)]
pub enum Door {
    /// The person may enter.
    Open(Box<Steward>),
    /// They may not, or not yet.
    Shut(Box<Answer>),
}

impl Login {
    /// Who stands at the console's door. `changes`: they are about to change something, by this form's token.
    pub async fn at_console(&self, visitor: &Visitor, changes: Option<&str>) -> Door {
        match self.try_console(visitor, changes).await {
            Ok(door) => door,
            Err(stop) => shut(self.settle(visitor, None, Err(stop)).await),
        }
    }

    async fn try_console(&self, visitor: &Visitor, changes: Option<&str>) -> Result<Door, Stop> {
        let Some(own) = self.own_session(visitor, None).await? else {
            return Ok(shut(self.home(visitor).await));
        };
        let roles = self.roles_of(own.account.id).await?;
        if roles.is_empty() {
            return Ok(shut(not_here()));
        }
        if let Some(csrf) = changes
            && !(self.world.csrf_holds(visitor, csrf) && self.may_act(visitor, &own))
        {
            // A form that is not this browser's, or too old: the page again, with nothing changed.
            return Ok(shut(Answer::of(Step::Go(CONSOLE.to_owned()))));
        }
        let wanted = if changes.is_some() { FRESH_PROOF } else { READS_FOR };
        if !is_proved(&own, wanted, visitor.now) {
            return self.turned(visitor, &own).await.map(shut);
        }
        let browser = Browser::of(visitor);
        let mut cookies: Vec<String> = browser.cookie().into_iter().collect();
        cookies.push(self.acts_cookie(&own));
        let may_change = is_proved(&own, FRESH_PROOF, visitor.now);
        let form = self.form(visitor, None, &browser);
        let visitor = visitor.clone();
        Ok(Door::Open(Box::new(Steward { account: own.account, roles, may_change, form, cookies, visitor })))
    }

    /// The roles that the console knows: an enterprise of a product has the API alone (row T37).
    pub(super) async fn roles_of(&self, account: AccountId) -> Result<Vec<Held>, Stop> {
        let mut pins = self.world.store.role_pins_of(account).await?;
        pins.retain(|pin| self.world.keys.holds_pin(pin));
        let mut roles = held(&self.world.orgs.effective(), &pins, account);
        roles.retain(|held| held.role != Role::Enterprise);
        Ok(roles)
    }

    async fn turned(&self, visitor: &Visitor, own: &Own) -> Result<Answer, Stop> {
        if own.session.method == Method::Emergency {
            return Ok(said(ConsoleStep::Emergency));
        }
        if self.world.factors(visitor, own.account.id).await?.is_empty() {
            return Ok(said(ConsoleStep::Enrol));
        }
        let browser = Browser::of(visitor);
        let mut answer = said(ConsoleStep::Prove { form: self.form(visitor, None, &browser) });
        answer.cookies.extend(browser.cookie());
        answer.cookies.push(self.acts_cookie(own));
        Ok(answer)
    }

    /// A page could not be shown: the store does not answer, or something of ours is wrong, by its words.
    pub async fn console_stopped(&self, visitor: &Visitor, why: Result<Unavailable, String>) -> Answer {
        let stop = match why {
            Ok(fault) => Stop::from(fault),
            Err(why) => Stop::Fault(why),
        };
        self.settle(visitor, None, Err(stop)).await
    }

    /// `POST /admin/prove`: to the provider and back, with the second step that is enrolled, whatever the policy says.
    pub async fn prove_for_console(&self, visitor: &Visitor, csrf: &str) -> Answer {
        let answer = self.try_prove_console(visitor, csrf).await;
        self.settle(visitor, None, answer).await
    }

    async fn try_prove_console(&self, visitor: &Visitor, csrf: &str) -> Result<Answer, Stop> {
        let Some(own) = self.own_session(visitor, None).await? else { return Ok(self.home(visitor).await) };
        if self.roles_of(own.account.id).await?.is_empty() {
            return Ok(not_here());
        }
        let is_own = self.world.csrf_holds(visitor, csrf) && self.may_act(visitor, &own);
        if !is_own || !own.session.method.is_by_provider() {
            return self.turned(visitor, &own).await;
        }
        let hint = own.account.email.clone();
        let leaving = Leaving { hint, max_age: Some(FRESH_PROOF), by_form: true, errand: Errand::Console };
        self.leave(visitor, own.session.directory, None, leaving).await
    }
}

/// Both sides of the proof: the provider's, and a second step of ours. A provider's word that there was one is not enough, because whoever
/// holds the provider would hold the gateway.
fn is_proved(own: &Own, within: Duration, now: Timestamp) -> bool {
    let session = &own.session;
    match session.method {
        Method::Emergency => is_fresh(Some(session.auth_time), within, now),
        Method::OrgSso | Method::Issuer | Method::ThirdParty => {
            is_fresh(Some(session.auth_time), within, now) && is_fresh(session.stepped_at, within, now)
        }
        Method::Password | Method::Adapter | Method::Reset | Method::Passkey | Method::Recovery => false,
    }
}

fn shut(answer: Answer) -> Door {
    Door::Shut(Box::new(answer))
}

fn said(step: ConsoleStep) -> Answer {
    Answer::of(Step::Console(step))
}

/// The one answer to whoever asks for what is not theirs.
pub fn not_here() -> Answer {
    said(ConsoleStep::NotHere)
}
