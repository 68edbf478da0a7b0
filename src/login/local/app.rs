//! An app's login at a product's own JSON path (`password_api`): judged like a password at the door, and passed on only then.
//!
//! No session is made: the product answers the app itself. What it gives the app is a token of the product's own, which the gateway
//! judges again wherever it comes in (rule C7). The tries, the slots and the decision are those of the door (rules H3, H18, M14).

use super::super::handover::ProductHost;
use super::super::record::Circumstances;
use super::super::session::subject;
use super::super::world::Visitor;
use super::super::{Login, Stop, TRIES};
use super::door::Judged;
use crate::kernel::admit::{Admitted, Need, Outcome};
use crate::kernel::event::{Action, Outcome as Happened};
use crate::kernel::identify::Show;
use crate::kernel::journal::Batch;
use crate::kernel::local::{Steps, read_app_login};
use crate::kernel::model::PasswordApi;
use crate::kernel::refusal::Refusal;
use crate::kernel::values::EmailAddress;
use crate::store::{NotCommitted, Unavailable};

/// What becomes of an app's login.
#[derive(Debug)]
pub enum AppEntry {
    /// It goes on to the product, unchanged.
    Passed,
    /// It ends here.
    Refused(AppRefused),
}

/// Why it ends here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AppRefused {
    /// Not the JSON that is agreed on.
    Malformed,
    /// Wrong password, unknown or removed: one answer for all.
    Wrong,
    /// The address belongs to a company that logs its people in itself, by this name.
    Company(String),
    /// Not by a password; or something is asked first that only a browser can show.
    InBrowser,
    /// A second step is asked first.
    SecondStep,
    /// Too many tries.
    TooMany,
    /// Turned away by a rule.
    Rule(Refusal),
    /// It cannot be said now.
    Unavailable,
}

impl Login {
    /// Judges what an app posted.
    pub async fn judge_app(&self, visitor: &Visitor, at: &ProductHost, api: &PasswordApi, body: &[u8]) -> AppEntry {
        let Some(posted) = read_app_login(api, body) else { return AppEntry::Refused(AppRefused::Malformed) };
        let begun = self.world.clock.since_boot();
        let judged = match EmailAddress::parse(&posted.email) {
            Ok(email) => self.try_app(visitor, at, (&email, posted.password.to_string())).await,
            Err(_) => Ok(AppEntry::Refused(AppRefused::Wrong)),
        };
        let entry = match judged {
            Ok(entry) => entry,
            Err(Stop::Refused(refusal, about)) => {
                self.world.record_refusal(visitor, refusal, *about).await;
                AppEntry::Refused(AppRefused::Rule(refusal))
            }
            Err(Stop::Unavailable(fault)) => {
                self.world.fault(visitor, &fault);
                AppEntry::Refused(AppRefused::Unavailable)
            }
            Err(Stop::Fault(fault)) => {
                self.world.fault(visitor, &fault);
                AppEntry::Refused(AppRefused::Unavailable)
            }
        };
        self.world.slots.hold(&self.world.clock, begun).await;
        entry
    }

    async fn try_app(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        (email, password): (&EmailAddress, String),
    ) -> Result<AppEntry, Stop> {
        let refused = |why| Ok(AppEntry::Refused(why));
        match self.world.identified(visitor, at, email.as_str()).await? {
            Show::Password(_) => {}
            Show::OrgSso(directory) => {
                let label = self.world.directory(directory).map(|directory| directory.label.clone());
                return refused(AppRefused::Company(label.unwrap_or_default()));
            }
            Show::SsoUnavailable => return Err(Stop::refuse(Refusal::ProviderUnavailable)),
            Show::Ways(_) | Show::UseWorkAddress => return refused(AppRefused::InBrowser),
            Show::Invalid => return refused(AppRefused::Wrong),
        }
        let known = self.world.known(at, email).await?;
        match self.judge_password(visitor, at, (email, known.as_ref()), password).await? {
            Judged::Right(steps, renewed) => {
                let entry = self.decide_app(visitor, at, &steps).await?;
                self.store_anew(renewed);
                Ok(entry)
            }
            Judged::TooMany => refused(AppRefused::TooMany),
            Judged::Busy | Judged::Away => refused(AppRefused::Unavailable),
            Judged::Wrong => {
                let about = Circumstances {
                    product: Some(at.product.name.to_string()),
                    method: Some("password".to_owned()),
                    ..Circumstances::default()
                };
                self.world.record_refusal(visitor, Refusal::WrongPassword, about).await;
                refused(AppRefused::Wrong)
            }
        }
    }

    /// Phase B of an app's password. What a page would ask for ends here: an app has no page.
    async fn decide_app(&self, visitor: &Visitor, at: &ProductHost, steps: &Steps) -> Result<AppEntry, Stop> {
        for _ in 0..TRIES {
            let (outcome, _, about) = self.ask_rules(visitor, at, steps).await?;
            let refused = match outcome {
                Outcome::Session(admitted) => match self.record_app(visitor, at, &admitted, about).await {
                    Ok(()) => return Ok(AppEntry::Passed),
                    // Another commit was first: decided again.
                    Err(NotCommitted::Conflict(_)) => continue,
                    Err(NotCommitted::Unavailable(fault)) => return Err(fault.into()),
                },
                Outcome::Need(Need::SecondStep) => (AppRefused::SecondStep, Refusal::SecondStep),
                Outcome::Need(need) => (AppRefused::InBrowser, need.refusal()),
                Outcome::Reroute(to) => {
                    self.record_reroute(visitor, None, about).await?;
                    let label = self.world.directory(to).map(|directory| directory.label.clone());
                    return Ok(AppEntry::Refused(AppRefused::Company(label.unwrap_or_default())));
                }
                Outcome::Link(_) | Outcome::Create(_) => {
                    return Err(Stop::Fault("a local proof links and creates nobody".into()));
                }
                Outcome::Refuse(refusal) => return Err(Stop::refused(refusal, about)),
            };
            self.world.record_refusal(visitor, refused.1, about).await;
            return Ok(AppEntry::Refused(refused.0));
        }
        Err(Stop::Fault("other commits were first too often".into()))
    }

    /// An app's login that was not recorded is not passed on.
    async fn record_app(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        admitted: &Admitted,
        about: Circumstances,
    ) -> Result<(), NotCommitted> {
        let terms = admitted.terms();
        if terms.entry.is_none() || terms.confined_to.as_ref() != Some(&at.product.name) {
            return Err(NotCommitted::Unavailable(Unavailable("a local proof for another place".to_owned())));
        }
        let mut batch = Batch::default();
        let account = self.write_account(visitor, admitted, None, &mut batch);
        let mut event = visitor.event(Action::LoginSucceeded, Happened::Success);
        event.subject = subject(&account);
        event.product = about.product;
        event.directory = about.directory;
        event.method = about.method;
        event.org = terms.managed_by.as_ref().map(ToString::to_string);
        event.policy = terms.policy.clone();
        event.trace = about.trace;
        event.reason = Some("password_api".to_owned());
        batch.events.push(event);
        self.world.store.commit(batch).await?;
        self.world.tally.login_succeeded("password_api");
        Ok(())
    }
}
