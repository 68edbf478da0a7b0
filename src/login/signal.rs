//! "This person's sessions are over": what a provider says by a security event, a logout token or Okta's Universal Logout, carried out
//! in one commit with its receipt (rule H5).
//!
//! A name is looked up in the directory that said it, and an address only where its organization holds the domain and the person is
//! linked to that very directory. Sessions that this directory made end; everything of a person ends where the directory's
//! organization manages them. Whatever else is said is written down and has no effect: nothing here lets in, links or changes an address.

use super::Login;
use super::TRIES;
use super::ticket::sha256;
use super::world::Visitor;
use crate::audit::Sampled;
use crate::entropy::random;
use crate::idp::Unheard;
use crate::kernel::event::{Action, Actor, AuditEvent, Outcome};
use crate::kernel::journal::{Batch, MarkKind, ReplayMark};
use crate::kernel::model::{Account, Directory, IdentityKey, LoginSession};
use crate::kernel::oidc::{Named, Signal, SignalDoor, SignalFault, SignalKind, Subject, What, asked};
use crate::kernel::values::{EmailAddress, EventId, Reference};
use crate::store::{Conflict, NotCommitted, Unavailable};
use serde_json::{Value, json};

/// Where subjects of signals are found again; a directory whose people have another is told so in each receipt.
const SOURCE: &str = "sub";

/// What came to a door.
#[derive(Clone, Copy, Debug)]
pub struct Arrived<'a> {
    /// Which door.
    pub door: SignalDoor<'a>,
    /// The compact JWS.
    pub token: &'a str,
    /// What came beside it: whom Okta's Universal Logout is about.
    pub body: &'a [u8],
}

/// What became of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Acted {
    /// Done, and durable; whether it was about somebody whom we know is not said.
    Done,
    /// Refused.
    Refused(SignalFault),
    /// It could not be judged or written down: to be sent again.
    Later,
}

/// Whose sessions are meant, and how far the directory's word reaches.
struct Meant {
    account: Account,
    /// The organization of the directory manages this person: everything ends.
    managed: bool,
}

/// What one commit would end.
#[derive(Default)]
struct Reach {
    scope: &'static str,
    sessions: Vec<LoginSession>,
    account: Option<Account>,
    everything: bool,
}

impl Login {
    /// A token at a door of this directory.
    pub async fn on_signal(&self, visitor: &Visitor, directory: &Directory, arrived: Arrived<'_>) -> Acted {
        let heard = self.world.providers.hear(directory, arrived.door, arrived.token, visitor.now).await;
        let signal = match heard.and_then(|signal| Ok(named(signal, directory, arrived)?)) {
            Ok(signal) => signal,
            Err(Unheard::Fault(fault)) => return self.refuse_signal(visitor, directory, fault).await,
            Err(Unheard::Unavailable(fault)) => {
                tracing::warn!(%fault, directory = %directory.name, "a signal could not be judged");
                return Acted::Later;
            }
        };
        match self.carry_out(visitor, directory, &signal, arrived.door.kind).await {
            Ok(()) => Acted::Done,
            Err(NotCommitted::Conflict(Conflict::Taken(MarkKind::Signal))) => {
                self.refuse_signal(visitor, directory, SignalFault::Replayed).await
            }
            Err(fault) => {
                tracing::error!(%fault, directory = %directory.name, "a signal could not be carried out");
                Acted::Later
            }
        }
    }

    /// Ends what is meant, with its receipt; the signal is burnt in the same commit.
    async fn carry_out(
        &self,
        visitor: &Visitor,
        directory: &Directory,
        signal: &Signal,
        kind: SignalKind,
    ) -> Result<(), NotCommitted> {
        let reference = Reference::new(random());
        let mut met = Conflict::Row;
        for _ in 0..TRIES {
            let reach = self.reach(directory, signal).await?;
            let mut batch = Batch { marks: vec![mark(directory, signal, kind)], ..Batch::default() };
            batch.events.push(self.receipt(visitor, directory, signal, &reach, reference));
            for session in &reach.sessions {
                if !reach.everything {
                    batch.end_login_session(session.id);
                }
                batch.events.push(ended(visitor, directory, session, reference));
            }
            if let Some(account) = reach.account.as_ref().filter(|_| reach.everything) {
                batch.end_everything_of(account.id);
            }
            match self.world.store.commit(batch).await {
                Ok(_) => return Ok(()),
                // One of them ended meanwhile: what is left is read again.
                Err(NotCommitted::Conflict(conflict)) if conflict != Conflict::Taken(MarkKind::Signal) => {
                    met = conflict;
                }
                Err(other) => return Err(other),
            }
        }
        Err(NotCommitted::Conflict(met))
    }

    async fn reach(&self, directory: &Directory, signal: &Signal) -> Result<Reach, Unavailable> {
        let nothing = |scope, account| Reach { scope, account, ..Reach::default() };
        if matches!(signal.what, What::Verification | What::Unknown) {
            return Ok(nothing("not-followed", None));
        }
        let Some(subject) = &signal.subject else { return Ok(nothing("subject-not-followed", None)) };
        let Some(meant) = self.meant(directory, subject).await? else { return Ok(nothing("nobody", None)) };
        if signal.what == What::IdentifierChanged {
            // For the admins to look at: no address moves by it (rule H5).
            return Ok(nothing("identifier-changed", Some(meant.account)));
        }
        let mut sessions = self.world.store.login_sessions_of(meant.account.id).await?;
        let everything = meant.managed && subject.session.is_none();
        if !everything {
            let is_meant = |sid: &String, session: &LoginSession| session.provider_session.as_ref() == Some(sid);
            sessions.retain(|session| session.directory == directory.id);
            sessions.retain(|session| subject.session.as_ref().is_none_or(|sid| is_meant(sid, session)));
        }
        let scope = match (everything, &subject.session) {
            (true, _) => "everything",
            (false, Some(_)) => "session",
            (false, None) => "directory",
        };
        Ok(Reach { scope, sessions, account: Some(meant.account), everything })
    }

    async fn meant(&self, directory: &Directory, subject: &Subject) -> Result<Option<Meant>, Unavailable> {
        let store = &self.world.store;
        match &subject.who {
            Named::Subject(_) if directory.subject_source.0 != SOURCE => Ok(None),
            Named::Subject(name) => {
                let source = directory.subject_source.clone();
                let key = IdentityKey { directory: directory.id, source, subject: name.clone() };
                let Some(link) = store.identity(&key).await? else { return Ok(None) };
                let Some(account) = store.account(link.account).await? else { return Ok(None) };
                let managed = !link.suspended && self.manages(directory, &account);
                Ok(Some(Meant { account, managed }))
            }
            Named::Email(email) => self.by_address(directory, email).await,
        }
    }

    /// The one person who has this address now, is managed by the directory's organization, and linked to this very directory.
    async fn by_address(&self, directory: &Directory, email: &EmailAddress) -> Result<Option<Meant>, Unavailable> {
        let store = &self.world.store;
        for account in store.accounts_by_email(email).await? {
            if account.email.as_ref() != Some(email) || !self.manages(directory, &account) {
                continue;
            }
            let links = store.identities_of(account.id).await?;
            if links.iter().any(|link| link.key.directory == directory.id && !link.suspended) {
                return Ok(Some(Meant { account, managed: true }));
            }
        }
        Ok(None)
    }

    /// Whether the organization of this directory manages the person: by a proved address, in a domain that the organization holds
    /// and the directory speaks for. The issuer and third parties manage nobody.
    fn manages(&self, directory: &Directory, account: &Account) -> bool {
        let Some(email) = account.email.as_ref().filter(|_| account.email_verified) else { return false };
        let catalog = self.world.catalog.load();
        let claim = catalog.domains.get(email.domain());
        directory.domains.contains(email.domain())
            && directory.org().is_some_and(|org| claim.is_some_and(|claim| claim.org == *org && !claim.suspended))
    }

    /// When it came, what it ended, and how long that took until it was handed to the store.
    fn receipt(
        &self,
        visitor: &Visitor,
        directory: &Directory,
        signal: &Signal,
        reach: &Reach,
        reference: Reference,
    ) -> AuditEvent {
        let mut event = about(visitor, directory, Outcome::Success).with_reference(reference);
        event.subject.account = reach.account.as_ref().map(|account| account.id.to_string());
        event.reason = Some(reach.scope.to_owned());
        let latency = self.world.clock.now().since(visitor.now).as_millis();
        event.after = Some(json!({
            "event": signal.event, "issued": signal.issued.to_string(), "received": visitor.now.to_string(),
            "latency_ms": u64::try_from(latency).unwrap_or(u64::MAX), "ended": reach.sessions.len(),
        }));
        // A nonce of whoever asked for the verification, shown to whoever waits for it.
        if let (Some(state), Some(Value::Object(after))) = (&signal.state, &mut event.after) {
            after.insert("state".to_owned(), state.as_str().into());
        }
        event
    }

    /// Anybody can send such a thing: sampled (rule M15).
    async fn refuse_signal(&self, visitor: &Visitor, directory: &Directory, fault: SignalFault) -> Acted {
        let sampled = self.world.sampler.take(fault.code(), visitor.client, visitor.now);
        tracing::info!(code = fault.code(), directory = %directory.name, request = visitor.request_id, "signal refused");
        if matches!(sampled, Sampled::Whole) {
            let mut event = about(visitor, directory, Outcome::Refused);
            event.reason = Some(fault.code().to_owned());
            if let Err(fault) = self.world.store.commit(Batch { events: vec![event], ..Batch::default() }).await {
                tracing::warn!(%fault, "a refused signal could not be recorded");
            }
        }
        Acted::Refused(fault)
    }
}

/// The signal with whom it is about, where that comes beside the token.
fn named(mut signal: Signal, directory: &Directory, arrived: Arrived<'_>) -> Result<Signal, SignalFault> {
    if arrived.door.kind == SignalKind::Revocation {
        let settings = directory.protocol.settings().ok_or(SignalFault::Issuer)?;
        let who = asked(arrived.body, &settings.issuer)?;
        signal.subject = Some(Subject { who, session: None });
    }
    Ok(signal)
}

/// One use in this directory; another directory's token of the same id is another.
fn mark(directory: &Directory, signal: &Signal, kind: SignalKind) -> ReplayMark {
    let digest = sha256(format!("{}\n{kind:?}\n{}", directory.id, signal.id).as_bytes());
    ReplayMark { kind: MarkKind::Signal, digest, until: signal.until }
}

fn about(visitor: &Visitor, directory: &Directory, outcome: Outcome) -> AuditEvent {
    let mut event = visitor.event(Action::SignalReceived, outcome);
    event.actor = Some(Actor { kind: "directory".to_owned(), id: Some(directory.id.to_string()), address: None });
    event.directory = Some(directory.name.to_string());
    event.org = directory.org().map(ToString::to_string);
    event
}

fn ended(visitor: &Visitor, directory: &Directory, session: &LoginSession, reference: Reference) -> AuditEvent {
    let id = EventId::mint(visitor.now, random());
    let mut event = AuditEvent::new(id, visitor.now, Action::SessionEnded, Outcome::Success).with_reference(reference);
    event.correlation = Some(visitor.request_id.clone());
    event.subject.account = Some(session.account.to_string());
    event.directory = Some(directory.name.to_string());
    event.org = directory.org().map(ToString::to_string);
    event.txn = Some(session.id.to_string());
    event.reason = Some("provider-signal".to_owned());
    event
}
