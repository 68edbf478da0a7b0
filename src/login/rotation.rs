//! Our own keys, replaced by the operator while the gateway runs (rule M23). What somebody else may have is refused by every process
//! within a second: the word of it is a revocation, and nobody is let in by keys that are known to be of before it.

use super::World;
use crate::entropy::random;
use crate::kernel::event::{Action, Actor, AuditEvent, Outcome};
use crate::kernel::journal::{Batch, Revocation};
use crate::kernel::values::{EventId, Timestamp};
use crate::keys::{Keys, Kind, Rotation};

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
}
