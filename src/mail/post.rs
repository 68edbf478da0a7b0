//! The course of things: what is due is leased, rendered, sent and forgotten.

use super::message::{Message, message};
use super::queue;
use super::tally::Tally;
use super::words::Words;
use super::{Transport, Undelivered, backoff};
use crate::clock::Clock;
use crate::entropy::random;
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::journal::mail::{MailChange, OutboxRow};
use crate::kernel::journal::{Batch, Change};
use crate::kernel::values::{EmailAddress, EventId, Origin, Timestamp};
use crate::keys::Keys;
use crate::language::Languages;
use crate::seeing::Seeing;
use crate::store::{NotCommitted, Store, Unavailable};
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The outbox is looked at this often: people wait for codes.
const POLL: Duration = Duration::from_secs(1);
/// Nobody else tries a letter for this long. A delivery takes at most 30 s.
const LEASE: Duration = Duration::from_secs(120);
/// Letters taken up in one turn.
const TURN: usize = 32;
/// Deliveries at once.
const ABREAST: usize = 4;
/// Metrics are counted every so many turns.
const COUNT_EVERY: u32 = 10;

/// What sending asks and tells.
pub struct Ports {
    /// Where letters wait.
    pub store: Arc<dyn Store>,
    /// What opens them.
    pub keys: Keys,
    /// The process's clock.
    pub clock: Clock,
    /// The process's metrics.
    pub seeing: Arc<Seeing>,
    /// What letters are written in.
    pub languages: Arc<Languages>,
}

/// What a reload replaces.
pub struct Setup {
    /// The way.
    pub transport: Box<dyn Transport>,
    /// The sender.
    pub from: EmailAddress,
    /// Where links lead.
    pub login: Origin,
}

/// Sends what waits.
pub struct Post {
    store: Arc<dyn Store>,
    keys: Keys,
    clock: Clock,
    words: Words,
    languages: Arc<Languages>,
    tally: Tally,
    setup: ArcSwap<Setup>,
}

impl Post {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// [`BadTemplate`](super::BadTemplate): a defect of this program.
    pub fn new(ports: Ports, setup: Setup) -> Result<Self, super::BadTemplate> {
        Ok(Self {
            store: ports.store,
            keys: ports.keys,
            clock: ports.clock,
            words: Words::new(Arc::clone(&ports.languages))?,
            languages: ports.languages,
            tally: Tally::new(&ports.seeing),
            setup: ArcSwap::from_pointee(setup),
        })
    }

    /// From now on this way, also for what waits.
    pub fn replace(&self, setup: Setup) {
        self.setup.store(Arc::new(setup));
    }

    /// Runs until stopped. What is being delivered then is finished first, for as long as a delivery may take.
    pub async fn keep_sending(self: Arc<Self>, stop: CancellationToken) {
        let mut turns = 0_u32;
        while !stop.is_cancelled() {
            match self.turn().await {
                Ok(taken) => tracing::trace!(taken, "mail was taken up"),
                Err(fault) => tracing::warn!(%fault, "the outbox cannot be read"),
            }
            if turns.is_multiple_of(COUNT_EVERY) {
                self.count().await;
            }
            turns = turns.wrapping_add(1);
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Tries what is due, and says how many letters were.
    ///
    /// # Errors
    /// [`Unavailable`]: the outbox cannot be read.
    pub async fn turn(self: &Arc<Self>) -> Result<usize, Unavailable> {
        let due = self.store.mail_due(self.clock.now(), TURN).await?;
        let taken = due.len();
        let mut under_way = JoinSet::new();
        for row in due {
            if under_way.len() >= ABREAST {
                finished(under_way.join_next().await);
            }
            let post = Arc::clone(self);
            under_way.spawn(async move { post.attempt(row).await });
        }
        while let Some(one) = under_way.join_next().await {
            finished(Some(one));
        }
        Ok(taken)
    }

    async fn count(&self) {
        match self.store.mail_count().await {
            Ok(count) => self.tally.count(count, self.clock.now()),
            Err(fault) => tracing::debug!(%fault, "mail could not be counted"),
        }
    }

    async fn attempt(&self, row: OutboxRow) {
        let now = self.clock.now();
        if row.until <= now {
            return self.bury(&row, now, "too late").await;
        }
        let lease = MailChange::Lease { id: row.id, attempts: row.attempts, until: now.plus(LEASE) };
        match self.commit(lease, Vec::new()).await {
            Ok(()) => {}
            Err(NotCommitted::Conflict(_)) => return,
            Err(fault) => {
                tracing::warn!(%fault, "mail could not be taken up");
                return;
            }
        }
        let setup = self.setup.load_full();
        let Some(message) = self.compose(&row, &setup, now).await else { return };
        match setup.transport.send(&message).await {
            Ok(()) => {
                self.tally.sent.inc();
                self.settle(&row, MailChange::Sent { id: row.id }).await;
            }
            Err(fault) => self.failed(&row, fault).await,
        }
    }

    /// The mail, or none, and then the letter is dead.
    async fn compose(&self, row: &OutboxRow, setup: &Setup, now: Timestamp) -> Option<Message> {
        let Some((facts, proof)) = queue::open(&self.keys, row) else {
            tracing::error!(id = %row.id, "a letter in the store is not what was queued: somebody wrote to the database");
            let mut event =
                AuditEvent::new(EventId::mint(now, random()), now, Action::IntegrityViolated, Outcome::Failure);
            event.reason = Some(format!("outbox {}", row.id));
            self.bury_with(row, now, "not what was queued", vec![event]).await;
            return None;
        };
        let origin = setup.login.url();
        let known = match self.store.mail_language(&row.to).await {
            Ok(known) => known.filter(|language| self.languages.speaks(language)),
            Err(fault) => {
                // When the lease ends it is tried again.
                tracing::warn!(id = %row.id, %fault, "a letter's language could not be read");
                return None;
            }
        };
        let language = known.as_ref().unwrap_or(self.languages.default());
        let rendered = self.words.render((&row.kind, &facts), proof.as_ref(), (&origin, language));
        let made = match rendered {
            Ok(rendered) => {
                message(row, &rendered, (&setup.from, setup.login.host()), now).map_err(|why| why.to_string())
            }
            // Its words could quote what was filled in.
            Err(why) => Err(format!("its template does not take it: {}", why.kind())),
        };
        match made {
            Ok(message) => Some(message),
            Err(why) => {
                tracing::error!(id = %row.id, kind = row.kind, why, "a letter cannot be made");
                self.bury(row, now, &why).await;
                None
            }
        }
    }

    async fn failed(&self, row: &OutboxRow, fault: Undelivered) {
        self.tally.failed.inc();
        let now = self.clock.now();
        let attempts = row.attempts.saturating_add(1);
        let again = match fault {
            Undelivered::Later(_) => backoff::next(attempts, now, row.until, u8::from_be_bytes(random())),
            Undelivered::Never(_) => None,
        };
        tracing::warn!(id = %row.id, kind = row.kind, attempts, %fault, again = again.is_some(), "mail was not sent");
        match again {
            Some(due_at) => {
                let retry = MailChange::Retry { id: row.id, attempts, due_at, fault: fault.to_string() };
                self.settle(row, retry).await;
            }
            None => self.bury(row, now, &fault.to_string()).await,
        }
    }

    async fn bury(&self, row: &OutboxRow, at: Timestamp, fault: &str) {
        self.bury_with(row, at, fault, Vec::new()).await;
    }

    async fn bury_with(&self, row: &OutboxRow, at: Timestamp, fault: &str, events: Vec<AuditEvent>) {
        let bury = MailChange::Bury { id: row.id, at, fault: fault.to_owned() };
        if let Err(fault) = self.commit(bury, events).await {
            tracing::warn!(id = %row.id, %fault, "a dead letter could not be recorded");
        }
    }

    /// What became of it. When that cannot be written, the lease ends and it is sent again, under the same Message-ID.
    async fn settle(&self, row: &OutboxRow, change: MailChange) {
        if let Err(fault) = self.commit(change, Vec::new()).await {
            tracing::warn!(id = %row.id, %fault, "what became of a letter could not be recorded");
        }
    }

    async fn commit(&self, change: MailChange, events: Vec<AuditEvent>) -> Result<(), NotCommitted> {
        let batch = Batch { changes: vec![Change::Mail(change)], events, ..Batch::default() };
        self.store.commit(batch).await.map(|_| ())
    }
}

fn finished(ended: Option<Result<(), tokio::task::JoinError>>) {
    if let Some(Err(fault)) = ended {
        tracing::error!(%fault, "a delivery ended by itself");
    }
}
