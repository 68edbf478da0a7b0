//! Logins that their providers are asked about again: where a directory says `revalidate` and its provider gave a refresh token, the login
//! stands or falls with the answer.
//!
//! It happens beside the requests, on the thread that does such work: however many tabs a person has open, the provider is asked once, and
//! no request waits for it. Every node asks; which of them asks about a login is settled by a lease in the store, since a token that turns
//! is used once. An answer counts only from the process that has the lease, for the turn that it read.
//!
//! - Yes: the token of the answer is kept, sealed for this session and turn, in one commit that ends the lease.
//! - No, or an answer about somebody else: the login ends, with its streams and its sessions at products.
//! - Nothing: the login stays, and the provider is asked again; for [`SILENCE`] at most, which is as long as its keys are believed.
//!
//! A process that dies between a provider's answer and the commit loses the token that it was given. The next one shows the old one, which
//! a provider that turns tokens refuses: the person logs in again. Nobody stays in by that.

use super::Login;
use super::world::{Visitor, World};
use crate::entropy::random;
use crate::idp::Unrefreshed;
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::journal::{Batch, Change, GrantChange};
use crate::kernel::model::{Directory, GrantLease, LoginSession, ProviderGrant};
use crate::kernel::proof::{Proof, Refreshable};
use crate::kernel::values::{EventId, LoginSessionId, Secret, Timestamp};
use crate::keys::{KeyFault, Purpose};
use crate::store::{NotCommitted, Unavailable};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How often it is looked what is due.
const LOOK: Duration = Duration::from_secs(1);
/// Providers' answers that are waited for at once: a provider that is slow does not keep all others waiting, and none is flooded.
const AT_ONCE: usize = 16;
/// Grants that are read at once.
const READ: usize = 4 * AT_ONCE;
/// How long one process asks alone: longer than any request lives (10 s), and than one may wait for its turn at the store.
const LEASE: Duration = Duration::from_secs(60);
/// A process that did not come to ask this long after it took the lease, as one that was stopped meanwhile, does not ask any more.
const LATE: Duration = Duration::from_secs(20);
/// How long a provider may say nothing before a login that depends on its word is over: as long as its keys are believed (behaviour, Keys).
const SILENCE: Duration = Duration::from_secs(24 * 3600);
/// Between two questions that came to nothing, at most.
const PAUSE: Duration = Duration::from_secs(300);

/// What a grant's row holds, sealed.
#[derive(Deserialize, Serialize)]
struct Kept {
    token: String,
    sub: String,
}

/// Why a login is over.
enum End {
    /// The provider said so, or said something that does not hold.
    Said(String),
    /// It said nothing for too long.
    Silent,
    /// What is kept cannot be read: another hand wrote it, or its key was given up.
    Lost,
}

impl End {
    fn code(&self) -> &'static str {
        match self {
            Self::Said(_) => "provider-refresh",
            Self::Silent => "provider-silent",
            Self::Lost => "provider-grant-lost",
        }
    }
}

impl World {
    /// The grant that a login session begins with; none where the directory does not ask or the provider gave nothing.
    pub(super) fn grant_of(
        &self,
        session: &LoginSession,
        proof: &Proof,
        now: Timestamp,
    ) -> Result<Option<Change>, KeyFault> {
        let Some(refreshable) = &proof.claims().refreshable else { return Ok(None) };
        let Some(every) = self.directory(session.directory).and_then(|directory| revalidate(&directory)) else {
            return Ok(None);
        };
        let grant = ProviderGrant {
            session: session.id,
            directory: session.directory,
            sealed: self.seal_grant(session.id, 0, refreshable)?,
            turn: 0,
            due: now.plus(spread(every)),
            good_at: now,
            lease: None,
        };
        Ok(Some(Change::Grant(GrantChange::Keep(grant))))
    }

    /// The grant of a session that goes on under another id, for that one; to be read before the old one ends.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub(super) async fn carried_grant(
        &self,
        from: LoginSessionId,
        to: LoginSessionId,
    ) -> Result<Option<Change>, Unavailable> {
        let Some(grant) = self.store.provider_grant(from).await? else { return Ok(None) };
        // What cannot be read ends the session that it is moved to, at its next turn.
        let sealed = match self.open_grant(&grant) {
            Some(refreshable) => {
                self.seal_grant(to, 0, &refreshable).map_err(|fault| Unavailable(fault.to_string()))?
            }
            None => Vec::new(),
        };
        let carried = ProviderGrant { session: to, sealed, turn: 0, lease: None, ..grant };
        Ok(Some(Change::Grant(GrantChange::Keep(carried))))
    }

    fn seal_grant(&self, session: LoginSessionId, turn: u32, refreshable: &Refreshable) -> Result<Vec<u8>, KeyFault> {
        let kept = Kept { token: refreshable.token.expose().to_owned(), sub: refreshable.sub.clone() };
        let bytes = zeroize::Zeroizing::new(serde_json::to_vec(&kept).unwrap_or_default());
        self.keys.seal(Purpose::Refresh, &place(session, turn), &bytes)
    }

    fn open_grant(&self, grant: &ProviderGrant) -> Option<Refreshable> {
        let bytes = self.keys.unseal(Purpose::Refresh, &place(grant.session, grant.turn), &grant.sealed)?;
        let kept: Kept = serde_json::from_slice(&bytes).ok()?;
        Some(Refreshable { token: Secret::new(kept.token), sub: kept.sub })
    }
}

/// A row's place: table, session and turn (rule H12).
fn place(session: LoginSessionId, turn: u32) -> Vec<u8> {
    [b"provider_grant".as_slice(), &session.to_bytes(), &turn.to_be_bytes()].concat()
}

fn revalidate(directory: &Directory) -> Option<Duration> {
    directory.protocol.settings().and_then(|settings| settings.revalidate)
}

/// Up to a tenth earlier: logins of one minute do not stay together for ever.
fn spread(every: Duration) -> Duration {
    let [part] = random::<1>();
    every.saturating_sub(every.mul_f64(f64::from(part) / 2_560.0))
}

impl Login {
    /// Asks about logins that are due, until stopped.
    pub async fn keep_revalidating(self, stop: CancellationToken) {
        let by: [u8; 16] = random();
        let mut asked = JoinSet::new();
        let mut failed = false;
        while !stop.is_cancelled() {
            while asked.try_join_next().is_some() {}
            let now = self.world.clock.now();
            let due = match self.world.store.due_grants(now, READ).await {
                Ok(due) => {
                    failed = false;
                    due
                }
                Err(fault) => {
                    // Told once for each time that it fails; the login waits with everything else of the store.
                    if !failed {
                        tracing::warn!(%fault, "logins cannot be asked about");
                    }
                    failed = true;
                    Vec::new()
                }
            };
            let all = due.len() < READ;
            for grant in due {
                while asked.len() >= AT_ONCE && asked.join_next().await.is_some() {}
                if stop.is_cancelled() {
                    break;
                }
                let login = self.clone();
                asked.spawn(async move { login.revalidate(grant, by).await });
            }
            if !all && !asked.is_empty() {
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = stop.cancelled() => {}
            }
        }
        // What was asked is heard and written down: a token that turned would be lost.
        while asked.join_next().await.is_some() {}
    }

    async fn revalidate(&self, grant: ProviderGrant, by: [u8; 16]) {
        let session = grant.session;
        if let Err(fault) = self.ask_about(grant, by).await {
            match fault {
                // Another process was first, or the login ended meanwhile.
                NotCommitted::Conflict(_) => tracing::debug!(%session, "a login's turn was another's"),
                NotCommitted::Unavailable(fault) => {
                    tracing::warn!(%fault, %session, "a login could not be asked about")
                }
            }
        }
    }

    async fn ask_about(&self, grant: ProviderGrant, by: [u8; 16]) -> Result<(), NotCommitted> {
        let world = &self.world;
        let (now, began) = (world.clock.now(), world.clock.since_boot());
        let lease = GrantLease { by, until: now.plus(LEASE) };
        let change = |change| Batch { changes: vec![Change::Grant(change)], ..Batch::default() };
        world.store.commit(change(GrantChange::Lease { session: grant.session, turn: grant.turn, lease, now })).await?;
        let directory = world.directory(grant.directory);
        let Some((directory, every)) = directory.and_then(|it| revalidate(&it).map(|every| (it, every))) else {
            // Nobody wants to know any more.
            world.store.commit(change(GrantChange::Drop { session: grant.session, by })).await?;
            return Ok(());
        };
        let Some(refreshable) = world.open_grant(&grant) else {
            return self.end_login(&grant, by, &directory, &End::Lost).await;
        };
        if world.clock.since_boot().saturating_sub(began) > LATE {
            // This process stood still: another may have the lease already.
            return Ok(());
        }
        match world.providers.refresh(&directory, &refreshable, now).await {
            Ok(turned) => {
                let next = Refreshable { token: turned.unwrap_or(refreshable.token), sub: refreshable.sub };
                let turn = grant.turn.saturating_add(1);
                let sealed = world.seal_grant(grant.session, turn, &next);
                let sealed = sealed.map_err(|fault| NotCommitted::Unavailable(Unavailable(fault.to_string())))?;
                let now = world.clock.now();
                let grant =
                    ProviderGrant { sealed, turn, due: now.plus(spread(every)), good_at: now, lease: None, ..grant };
                world.store.commit(change(GrantChange::Settle { grant, by })).await?;
                world.tally.revalidated("stands");
                Ok(())
            }
            Err(Unrefreshed::Over(code)) => self.end_login(&grant, by, &directory, &End::Said(code)).await,
            Err(Unrefreshed::Unavailable(fault)) => {
                let now = world.clock.now();
                world.tally.revalidated("unknown");
                tracing::warn!(%fault, directory = %directory.name, session = %grant.session, "the provider does not say whether a login stands");
                if now.since(grant.good_at) > SILENCE.max(every) {
                    return self.end_login(&grant, by, &directory, &End::Silent).await;
                }
                let due = now.plus(spread(every.min(PAUSE)));
                world.store.commit(change(GrantChange::Later { session: grant.session, by, due })).await?;
                Ok(())
            }
        }
    }

    /// Ends the login with its event, if this process still has its turn.
    async fn end_login(
        &self,
        grant: &ProviderGrant,
        by: [u8; 16],
        directory: &Arc<Directory>,
        why: &End,
    ) -> Result<(), NotCommitted> {
        let session = self.world.store.login_session_by_id(grant.session).await?;
        let mut batch = Batch::default();
        batch.changes.push(Change::Grant(GrantChange::Drop { session: grant.session, by }));
        batch.end_login_session(grant.session);
        batch.events.push(self.ended_by_provider(grant, session.as_ref(), directory, why));
        self.world.store.commit(batch).await?;
        self.world.tally.revalidated("over");
        Ok(())
    }

    fn ended_by_provider(
        &self,
        grant: &ProviderGrant,
        session: Option<&LoginSession>,
        directory: &Directory,
        why: &End,
    ) -> AuditEvent {
        let visitor = Visitor::program(self.world.clock.now());
        let id = EventId::mint(visitor.now, random());
        let mut event = AuditEvent::new(id, visitor.now, Action::SessionEnded, Outcome::Success);
        event.correlation = Some(visitor.request_id);
        event.subject.account = session.map(|session| session.account.to_string());
        event.directory = Some(directory.name.to_string());
        event.org = directory.org().map(ToString::to_string);
        event.txn = Some(grant.session.to_string());
        event.reason = Some(why.code().to_owned());
        let said = if let End::Said(code) = why { Some(code) } else { None };
        event.after = Some(json!({ "answer": said, "last_good": grant.good_at.to_string() }));
        event
    }
}
