//! SAML single logout (Profiles §4.4), both ways: one more door to "this session ended" (rule H5).
//!
//! A provider's request ends the sessions that its directory made for the name it gives, and no others; it needs no cookie, because
//! it is signed. Our own logout ends everything here first, whatever the provider then answers. RelayState goes back to the
//! provider's own address or comes back to us sealed, and never says where to go.

use super::answer::{Answer, Step, There, Towards};
use super::record::Circumstances;
use super::world::Visitor;
use super::{Login, Stop, TRIES};
use crate::entropy::random;
use crate::idp::saml::{Arrived, Heard, LogoutHint, SamlUnproved};
use crate::kernel::event::{Action, AuditEvent, Outcome, Subject};
use crate::kernel::journal::{Batch, MarkKind};
use crate::kernel::model::{Directory, LoginSession};
use crate::kernel::refusal::Refusal;
use crate::kernel::saml::{LogoutMessage, LogoutRequest, SamlFault};
use crate::kernel::values::{EventId, Reference, Timestamp};
use crate::keys::Purpose;
use crate::store::{Conflict, NotCommitted};
use std::sync::Arc;
use std::time::Duration;

/// How long the answer to a request of ours is waited for.
const ANSWER_LIFE: Duration = Duration::from_secs(10 * 60);
/// Sessions that one commit ends; a person has a handful.
const AT_ONCE: usize = 64;

impl Login {
    /// `/saml/{directory}/slo`: a provider's request to end sessions, or its answer to ours.
    pub async fn on_provider_logout(
        &self,
        visitor: &Visitor,
        directory: &Arc<Directory>,
        is_request: bool,
        arrived: Arrived,
    ) -> Answer {
        let login = self.world.catalog.load().login.clone();
        let asked = |relay_state: &str| self.asked(visitor, directory, relay_state);
        let heard = self.world.saml.hear_logout(directory, &login, arrived, asked, visitor.now).await;
        if is_request {
            let answer = self.end_for_provider(visitor, directory, heard).await;
            return self.settle(visitor, None, answer).await;
        }
        let there = self.note_answer(visitor, directory, heard).await;
        Answer::of(Step::signed_out(Some((directory.label.clone(), there))))
    }

    /// A provider's request. What was not understood as its own is refused and answered to nobody.
    async fn end_for_provider(
        &self,
        visitor: &Visitor,
        directory: &Arc<Directory>,
        heard: Result<Heard, SamlUnproved>,
    ) -> Result<Answer, Stop> {
        let about = || Circumstances { action: Some(Action::ProviderLogout), ..Circumstances::of_directory(directory) };
        let heard = heard.map_err(|why| match why {
            SamlUnproved::Fault(fault, trace) => {
                Stop::refused(Refusal::Logout(fault), Circumstances { trace, ..about() })
            }
            SamlUnproved::Unavailable(why) => {
                let trace = vec![why.to_string()];
                Stop::refused(Refusal::ProviderUnavailable, Circumstances { trace, ..about() })
            }
        })?;
        let LogoutMessage::Request(request) = &heard.message else {
            return Err(Stop::refused(Refusal::Logout(SamlFault::Root), about()));
        };
        let ended = match self.end_named(visitor, directory, (&heard.message, request)).await {
            Ok(()) => true,
            Err(Stop::Refused(refusal, _)) => {
                // A provider vouched for it: written whole, and once more than a stranger's.
                return Err(Stop::refused(refusal, Circumstances { known: true, ..about() }));
            }
            Err(Stop::Unavailable(fault)) => {
                tracing::error!(%fault, directory = %directory.name, "a provider's logout could not be carried out");
                false
            }
            Err(Stop::Fault(fault)) => {
                tracing::error!(%fault, directory = %directory.name, "a provider's logout could not be carried out");
                false
            }
        };
        let login = self.world.catalog.load().login.clone();
        let said = (heard.relay_state.as_deref(), ended);
        let answered = self.world.saml.answer_logout(directory, &login, request, said, visitor.now).await;
        let label = directory.label.clone();
        match answered {
            Ok(Some(way)) => Ok(Answer::of(Step::taking(way, Towards::Logout, (label, None), false))),
            // Nobody to answer to: the person reads it.
            Ok(None) if ended => Ok(Answer::of(Step::signed_out(None))),
            Ok(None) => Err(Stop::Fault("a provider's logout was not carried out".to_owned())),
            Err(fault) => {
                tracing::warn!(%fault, directory = %directory.name, "a provider's logout could not be answered");
                Ok(Answer::of(Step::signed_out(None)))
            }
        }
    }

    /// Ends what the request names, with its events; the message is burnt in the same commit.
    async fn end_named(
        &self,
        visitor: &Visitor,
        directory: &Directory,
        (message, request): (&LogoutMessage, &LogoutRequest),
    ) -> Result<(), Stop> {
        let reference = Reference::new(random());
        let mut mark = Some(message.one_use(directory.id));
        for _ in 0..TRIES {
            let named = self.named(directory, request).await?;
            let mut chunks = named.chunks(AT_ONCE);
            loop {
                let sessions = chunks.next().unwrap_or_default();
                if sessions.is_empty() && mark.is_none() {
                    return Ok(());
                }
                let mut batch = Batch { marks: mark.iter().cloned().collect(), ..Batch::default() };
                if mark.is_some() {
                    let mut event = self.about_logout(visitor, directory, reference, Outcome::Success);
                    event.after = Some(serde_json::json!({
                        "named_sessions": request.sessions.len(), "ended": named.len()
                    }));
                    batch.events.push(event);
                }
                for session in sessions {
                    batch.end_login_session(session.id);
                    batch.events.push(ended_by_provider(visitor, directory, session, reference));
                }
                match self.world.store.commit(batch).await {
                    Ok(_) => mark = None,
                    Err(NotCommitted::Conflict(Conflict::Taken(MarkKind::Assertion))) => {
                        return Err(Stop::refuse(Refusal::Logout(SamlFault::Replayed)));
                    }
                    // One of them ended meanwhile: what is left is read again.
                    Err(NotCommitted::Conflict(_)) => break,
                    Err(NotCommitted::Unavailable(fault)) => return Err(fault.into()),
                }
            }
        }
        Err(Stop::Fault("other commits were first too often".into()))
    }

    /// Sessions of this directory alone, by the name that its provider gave (rule H5).
    async fn named(&self, directory: &Directory, request: &LogoutRequest) -> Result<Vec<LoginSession>, Stop> {
        let mut found = Vec::new();
        for key in self.world.keys.name_keys(directory.id, &request.name_id.value) {
            found.extend(self.world.store.login_sessions_named(directory.id, &key).await?);
        }
        found.retain(|session| request.names(session.provider_session.as_deref()));
        Ok(found)
    }

    /// The provider's answer to our own request. Everything has ended here already; what is left is to say what became of it there.
    async fn note_answer(&self, visitor: &Visitor, directory: &Directory, heard: Result<Heard, SamlUnproved>) -> There {
        let (there, outcome, reason) = match heard {
            Ok(heard) if heard.message.is_partial() => (There::Partly, Outcome::Failure, Some("partial-logout")),
            Ok(_) => (There::Over, Outcome::Success, None),
            Err(SamlUnproved::Unavailable(_)) => (There::Unknown, Outcome::Failure, Some("provider-unavailable")),
            Err(SamlUnproved::Fault(fault, trace)) => {
                // Anybody can send such a thing: sampled (rule M15).
                let action = Some(Action::ProviderLogout);
                let about = Circumstances { action, trace, ..Circumstances::of_directory(directory) };
                self.world.record_refusal(visitor, Refusal::Logout(fault), about).await;
                return There::Unknown;
            }
        };
        let mut event = self.about_logout(visitor, directory, Reference::new(random()), outcome);
        event.reason = reason.map(str::to_owned);
        let batch = Batch { events: vec![event], ..Batch::default() };
        if let Err(fault) = self.world.store.commit(batch).await {
            tracing::warn!(%fault, "a provider's answer to a logout could not be recorded");
        }
        there
    }

    fn about_logout(
        &self,
        visitor: &Visitor,
        directory: &Directory,
        reference: Reference,
        outcome: Outcome,
    ) -> AuditEvent {
        let mut event = visitor.event(Action::ProviderLogout, outcome).with_reference(reference);
        event.directory = Some(directory.name.to_string());
        event.org = directory.org().map(ToString::to_string);
        event
    }

    /// Our own logout: the session that had this hint is over, and its provider is told.
    pub(super) async fn single_logout(
        &self,
        visitor: &Visitor,
        directory: &Directory,
        hint: Option<&[u8]>,
        by_form: bool,
    ) -> Answer {
        let label = directory.label.clone();
        let untold = Answer::of(Step::signed_out(Some((label.clone(), There::Unknown))));
        let Some(hint) = hint.and_then(|hint| serde_json::from_slice::<LogoutHint>(hint).ok()) else { return untold };
        let request: [u8; 16] = random();
        let (id, relay_state) = (request_id(&request), self.remember(visitor, directory, &request));
        let login = self.world.catalog.load().login.clone();
        let sent = (id.as_str(), relay_state.as_str());
        match self.world.saml.request_logout(directory, &login, &hint, sent, visitor.now).await {
            Ok(Some(way)) => Answer::of(Step::taking(way, Towards::Logout, (label, None), by_form)),
            Ok(None) => untold,
            Err(fault) => {
                tracing::warn!(%fault, directory = %directory.name, "a provider could not be told of a logout");
                untold
            }
        }
    }

    /// What comes back with the answer, 71 characters: our request's id and when it left, for this directory alone.
    fn remember(&self, visitor: &Visitor, directory: &Directory, request: &[u8; 16]) -> String {
        let bytes = [visitor.now.millis().to_be_bytes().as_slice(), request].concat();
        self.world.seal(Purpose::Goodbye, &binding(directory), &bytes)
    }

    /// The id of our request that a RelayState belongs to.
    fn asked(&self, visitor: &Visitor, directory: &Directory, relay_state: &str) -> Option<String> {
        let bytes = self.world.unseal(Purpose::Goodbye, &binding(directory), relay_state)?;
        let (when, request) = bytes.split_first_chunk::<8>()?;
        let when = Timestamp::from_millis(i64::from_be_bytes(*when));
        let request = <[u8; 16]>::try_from(request).ok()?;
        (visitor.now.since(when) <= ANSWER_LIFE).then(|| request_id(&request))
    }
}

fn binding(directory: &Directory) -> Vec<u8> {
    format!("saml logout {}", directory.id).into_bytes()
}

fn request_id(request: &[u8; 16]) -> String {
    request.iter().fold("_".to_owned(), |id, byte| format!("{id}{byte:02x}"))
}

fn ended_by_provider(
    visitor: &Visitor,
    directory: &Directory,
    session: &LoginSession,
    reference: Reference,
) -> AuditEvent {
    let id = EventId::mint(visitor.now, random());
    let mut event = AuditEvent::new(id, visitor.now, Action::SessionEnded, Outcome::Success).with_reference(reference);
    // The browser that carried the message need not be the one whose session it was.
    event.correlation = Some(visitor.request_id.clone());
    event.subject = Subject { account: Some(session.account.to_string()), ..Subject::default() };
    event.directory = Some(directory.name.to_string());
    event.org = directory.org().map(ToString::to_string);
    event.txn = Some(session.id.to_string());
    event.reason = Some("provider-logout".to_owned());
    event
}
