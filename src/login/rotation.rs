//! Our own keys, replaced by the operator while the gateway runs (rule M23). What somebody else may have is refused by every process
//! within a second: the word of it is a revocation, and nobody is let in by keys that are known to be of before it.

use super::World;
use crate::entropy::random;
use crate::kernel::event::{Action, Actor, AuditEvent, Outcome};
use crate::kernel::journal::{Batch, Change, Revocation};
use crate::kernel::values::{EventId, Timestamp};
use crate::keys::{Keys, Kind, Rotation};
use crate::store::NotCommitted;
use std::time::Duration;

/// How often it is looked whether a row is left under the old key, and how long a process may take to hear of the new one.
const TURNS: usize = 5;
const HEARD: Duration = Duration::from_secs(2);

/// What was sealed under the key-encryption key's successor.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SealedAnew {
    /// How many rows.
    pub rows: usize,
    /// Rows that neither key opens, which nobody could use before either.
    pub unreadable: Vec<String>,
}

impl World {
    /// Replaces the keys of a kind. `compromised`: those before are refused at once, and what they made is dead.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub async fn rotate(
        &self,
        (kind, compromised): (Kind, bool),
        by: Actor,
        now: Timestamp,
    ) -> Result<Rotation, String> {
        if !kind.is_replaceable(compromised) {
            return Err(match kind {
                Kind::Token => "sessions are found by it: write --compromised, and everybody logs in again".to_owned(),
                _ => format!("{kind} cannot be replaced: what rests on it stays for good"),
            });
        }
        let unavailable = |fault: &dyn std::fmt::Display| format!("nothing was replaced: {fault}");
        let rows = self.store.keys().await.map_err(|fault| unavailable(&fault))?;
        let rotation = Keys::rotation(&self.kek, kind, (&rows, compromised), now, &mut || random());
        let rotation = rotation.map_err(|fault| unavailable(&fault))?;
        let (made, dropped) = rotation.names();
        let mut event = AuditEvent::new(EventId::mint(now, random()), now, Action::KeysRotated, Outcome::Success);
        event.actor = Some(by);
        event.reason = compromised.then(|| "compromised".to_owned());
        event.before = Some(serde_json::json!({ "refused": dropped }));
        event.after = Some(serde_json::json!({ "made": made }));
        let mut batch = Batch { changes: rotation.changes().collect(), events: vec![event], ..Batch::default() };
        batch.revocations.push(Revocation::Keys);
        if kind == Kind::Token {
            // No cookie finds its session any more; what is open ends with it.
            batch.revocations.extend(self.catalog.load().products.keys().cloned().map(Revocation::Product));
        }
        self.store.commit(batch).await.map_err(|fault| unavailable(&fault))?;
        Ok(rotation)
    }

    /// Seals everything that the key-encryption key has sealed under its successor (rule M23). Until the last process has heard of it, one
    /// may still seal a row under the old one: it is looked again until nothing is left.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub async fn seal_anew(&self, by: &Actor, now: Timestamp) -> Result<SealedAnew, String> {
        if !self.kek.is_followed() {
            let write = "write next_key_file = \"…\" in the configuration of every gateway and restart each";
            return Err(format!("no key is to follow: {write}"));
        }
        let mut all = SealedAnew::default();
        for turn in 0..TURNS {
            if turn > 0 {
                tokio::time::sleep(HEARD).await;
            }
            let (changes, turn) = self.to_seal_anew().await?;
            all.unreadable = turn.unreadable;
            if changes.is_empty() {
                return Ok(all);
            }
            all.rows += turn.rows;
            let mut event = AuditEvent::new(EventId::mint(now, random()), now, Action::KeysRotated, Outcome::Success);
            event.actor = Some(by.clone());
            event.after = Some(serde_json::json!({ "sealed_anew": turn.rows, "unreadable": all.unreadable }));
            let batch = Batch { changes, events: vec![event], revocations: vec![Revocation::Keys], ..Batch::default() };
            match self.store.commit(batch).await {
                Ok(_) => {}
                // A row went or changed meanwhile: it is looked again.
                Err(NotCommitted::Conflict(_)) => all.rows -= turn.rows,
                Err(fault) => return Err(format!("not everything was sealed anew, say it again: {fault}")),
            }
        }
        Err("rows are still sealed under the old key: a gateway has no next_key_file, or does not run; say it again"
            .into())
    }

    async fn to_seal_anew(&self) -> Result<(Vec<Change>, SealedAnew), String> {
        let unavailable = |fault: &dyn std::fmt::Display| format!("nothing was sealed anew: {fault}");
        let (mut changes, mut turn) = (Vec::new(), SealedAnew::default());
        for row in self.store.keys().await.map_err(|fault| unavailable(&fault))? {
            match self.kek.sealed_anew(&row) {
                Ok(None) => {}
                Ok(Some(anew)) => {
                    changes.push(Change::DropKey { kind: row.kind, generation: row.generation });
                    changes.push(Change::PutKey(anew));
                    turn.rows += 1;
                }
                Err(_) => turn.unreadable.push(format!("{}#{}", row.kind, row.generation)),
            }
        }
        let kept = self.saml.sealed_anew().await.map_err(|fault| unavailable(&fault))?;
        turn.rows += kept.changes.len();
        changes.extend(kept.changes);
        turn.unreadable.extend(kept.unreadable);
        Ok((changes, turn))
    }
}
