//! The loop that keeps live sessions true: reads the revocation log, applies it, renews the lease, writes activity, sweeps.
//!
//! It runs on a thread of its own, never on a loop with requests, or the lease would lapse under load.

use super::live::Live;
use crate::entropy::random;
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::journal::{Batch, Revocation};
use crate::kernel::values::{EventId, Timestamp};
use crate::store::{Feed, Unavailable};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The revocation log is read at least this often.
const POLL: Duration = Duration::from_millis(250);
/// A reading that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(2);
/// Activity is written this often.
const TOUCH: Duration = Duration::from_secs(5);
/// Streams are judged this often.
const WATCH: Duration = Duration::from_secs(1);
/// Expired rows are swept this often.
const SWEEP: Duration = Duration::from_secs(600);
/// Keys that cannot be opened are tried again after this long at most.
const KEYS_WAIT: Duration = Duration::from_secs(10);
/// After a gap this long everything in memory is read again (storage: a gap longer than the overlap).
const GAP: Duration = Duration::from_secs(60);

/// What the loop remembers between two turns.
struct Turns {
    cursor: u64,
    /// Rows behind the cursor that were applied already: it waits where a row may still come late, and they are read again.
    ahead: BTreeSet<u64>,
    last_good: Duration,
    touched: Duration,
    watched: Duration,
    swept: Duration,
    out_since: Option<Timestamp>,
    /// When keys that could not be opened are tried again, and how long that waits after the next failure.
    keys_again: Duration,
    keys_wait: Duration,
}

impl Live {
    /// Takes the store's clock and the first lease; nothing is served before. Where the revocation log stands was read before anything that
    /// its rows could be about.
    ///
    /// # Errors
    /// [`Unavailable`]: the store does not answer.
    pub async fn begin(&self) -> Result<(), Unavailable> {
        let began = self.world.clock.since_boot();
        let feed = self.world.store.feed(u64::MAX).await?;
        self.world.clock.adopt(feed.now);
        self.lease.renew(began);
        Ok(())
    }

    /// Runs until stopped.
    pub async fn keep_true(self: Arc<Self>, cursor: u64, stop: CancellationToken) {
        let now = self.world.clock.since_boot();
        let mut turns = Turns {
            cursor,
            ahead: BTreeSet::new(),
            last_good: now,
            touched: now,
            watched: now,
            swept: now,
            out_since: None,
            keys_again: now,
            keys_wait: Duration::ZERO,
        };
        let nudge = self.world.store.nudge();
        while !stop.is_cancelled() {
            let nudged = nudge.notified();
            self.turn(&mut turns).await;
            tokio::select! {
                () = nudged => {}
                () = tokio::time::sleep(POLL) => {}
                () = stop.cancelled() => {}
            }
        }
        self.write_touches().await;
    }

    async fn turn(&self, turns: &mut Turns) {
        let began = self.world.clock.since_boot();
        let read = tokio::time::timeout(PATIENCE, self.world.store.feed(turns.cursor)).await;
        match read {
            Ok(Ok(feed)) => self.take_feed(feed, began, turns).await,
            Ok(Err(fault)) => self.out(&fault.to_string(), turns),
            Err(_) => self.out("no answer", turns),
        }
        if began.saturating_sub(turns.watched) >= WATCH {
            turns.watched = began;
            let ended = self.end_fallen(self.world.clock.now()).await;
            if ended > 0 {
                tracing::debug!(ended, "sessions ended by their limits or the policy");
            }
        }
        if began.saturating_sub(turns.touched) >= TOUCH {
            turns.touched = began;
            self.write_touches().await;
            let ended = self.registry.expire(self.world.clock.now());
            tracing::trace!(ended, "expired sessions were forgotten");
            super::health::tell(self, &self.world);
        }
        if began.saturating_sub(turns.swept) >= SWEEP {
            turns.swept = began;
            match self.world.store.sweep(self.world.clock.now()).await {
                Ok(rows) => tracing::debug!(rows, "swept"),
                Err(fault) => tracing::warn!(%fault, "expired rows could not be swept"),
            }
        }
    }

    async fn take_feed(&self, feed: Feed, began: Duration, turns: &mut Turns) {
        if began.saturating_sub(turns.last_good) > GAP {
            self.distrust();
        }
        for row in &feed.rows {
            if !turns.ahead.insert(row.seq) {
                continue;
            }
            // First counted, then applied: a session that is being read meanwhile is either found or read again.
            self.applied.fetch_add(1, Ordering::Release);
            self.apply(&row.revocation).await;
            self.world.tally.revocation_applied(feed.now.since(row.at));
        }
        turns.cursor = feed.cursor;
        turns.ahead = turns.ahead.split_off(&feed.cursor.saturating_add(1));
        if !self.reopen_if_behind(began, turns).await {
            return self.out("the keys could not be read again", turns);
        }
        if !self.rebuild_if_stale().await {
            return self.out("what holds of organizations could not be read", turns);
        }
        turns.last_good = began;
        let offset = self.world.clock.adopt(feed.now);
        if offset.unsigned_abs() > 5_000 {
            tracing::warn!(offset, "this machine's clock and the store's differ by more than five seconds");
        }
        self.lease.renew(began);
        self.world.tally.open_sessions(self.registry.len());
        if let Some(since) = turns.out_since.take() {
            self.record_outage(since, feed.now).await;
        }
    }

    async fn apply(&self, revocation: &Revocation) {
        let ended = match revocation {
            Revocation::LoginSession(id) => self.registry.end_login(*id),
            Revocation::ProductSession(id) => usize::from(self.registry.end(*id)),
            Revocation::Account(id) => self.registry.end_account(*id),
            Revocation::Product(name) => self.registry.end_where(|entry| entry.live.product == *name),
            // Which sessions these mean is judged, or was resolved to login sessions by whoever wrote the row: nothing that is
            // in memory is believed any more.
            Revocation::Organization(_) | Revocation::Phases => {
                self.world.orgs.mark_stale();
                0
            }
            Revocation::ProviderSession { .. } => {
                self.distrust();
                0
            }
            Revocation::Keys => {
                self.world.keys.mark_behind();
                self.world.saml.forget_keys();
                0
            }
        };
        tracing::debug!(?revocation, ended, "revoked");
    }

    /// Keys that changed are opened before the lease is renewed, and that is tried until it is done, less and less often: until then
    /// nobody is let in by keys that may be compromised. `false`: they are not open yet.
    async fn reopen_if_behind(&self, now: Duration, turns: &mut Turns) -> bool {
        if !self.world.keys.is_behind() {
            return true;
        }
        if now < turns.keys_again {
            return false;
        }
        let read = tokio::time::timeout(PATIENCE, self.world.store.keys()).await;
        let fault = match read {
            Ok(Ok(rows)) => match self.world.keys.reopen(&self.world.kek, &rows) {
                Ok(()) => {
                    turns.keys_wait = Duration::ZERO;
                    self.distrust();
                    return true;
                }
                Err(fault) => fault.to_string(),
            },
            Ok(Err(fault)) => fault.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        turns.keys_wait = (2 * turns.keys_wait).clamp(POLL, KEYS_WAIT);
        turns.keys_again = now + turns.keys_wait;
        tracing::error!(%fault, again_in = ?turns.keys_wait, "the keys could not be read again: nobody is let in until they are");
        false
    }

    /// What somebody changed of an organization counts before the lease is renewed: from then on no answer is of before. `false`:
    /// it could not be read, and nobody is judged by what held before.
    async fn rebuild_if_stale(&self) -> bool {
        if !self.world.orgs.take_stale() {
            return true;
        }
        let fault = match tokio::time::timeout(5 * PATIENCE, self.world.rebuild()).await {
            Ok(Ok(())) => {
                self.world.orgs.set_behind(false);
                self.distrust();
                return true;
            }
            Ok(Err(fault)) => fault.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        tracing::error!(%fault, "the organizations could not be read again; tried with the next reading");
        self.world.orgs.set_behind(true);
        self.world.orgs.mark_stale();
        false
    }

    fn out(&self, fault: &str, turns: &mut Turns) {
        let now = self.world.clock.now();
        if turns.out_since.is_none() {
            turns.out_since = Some(now);
            tracing::error!(
                fault,
                "the store cannot be reached: no new logins, cached sessions only within their grace"
            );
        }
        self.world.tally.store_out();
        if let Some(lapsed) = self.lapsed_for() {
            let ended = self.end_outlived(lapsed);
            if ended > 0 {
                tracing::warn!(ended, "sessions ended because the grace of the outage is over");
            }
        }
    }

    async fn record_outage(&self, since: Timestamp, now: Timestamp) {
        let mut event = AuditEvent::new(EventId::mint(now, random()), now, Action::StoreOutage, Outcome::Failure);
        event.reason = Some(format!("from {since} to {now}"));
        tracing::warn!(%since, "the store is back");
        if let Err(fault) = self.world.store.commit(Batch { events: vec![event], ..Batch::default() }).await {
            tracing::error!(%fault, "the outage could not be recorded");
        }
    }

    async fn write_touches(&self) {
        let touches = std::mem::take(&mut *self.touches.lock().unwrap_or_else(PoisonError::into_inner));
        if touches.is_empty() {
            return;
        }
        if let Err(fault) = self.world.store.touch(touches).await {
            // Lossy by design: sessions end a little early by idleness, never late.
            tracing::warn!(%fault, "activity could not be written");
        }
    }
}
