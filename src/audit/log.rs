//! The log's own statements: every minute, also without events, its size and root are signed and kept (rule H13).

use super::note::{Checkpoint, Signer};
use super::sampler::Sampler;
use super::tree::CompactRange;
use crate::clock::Clock;
use crate::entropy;
use crate::kernel::event::{Action, Actor, AuditEvent, Outcome};
use crate::kernel::journal::{Batch, Change, CheckpointRow};
use crate::kernel::values::EventId;
use crate::store::{Committed, NotCommitted, Store, Unavailable};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// Between checkpoints. What was written since the last one can be cut off without trace, so it is short.
const EVERY: Duration = Duration::from_secs(60);

/// Leaf hashes read at once: 2 MiB.
const CHUNK: u64 = 65_536;

/// The member of `keys.rotated` that holds the predecessor's last checkpoint; see [`Log::succeed`].
pub(super) const FINAL: &str = "audit_checkpoint";

/// Why no checkpoint was made.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] NotCommitted),
    /// The store holds less than this process has seen: it was rolled back. Nothing is signed from then on.
    #[error("the store holds {found} events and held {seen} before: it was rolled back")]
    RolledBack {
        /// What it holds.
        found: u64,
        /// What was seen.
        seen: u64,
    },
}

impl From<Unavailable> for CheckpointError {
    fn from(fault: Unavailable) -> Self {
        Self::Store(fault.into())
    }
}

/// The log of one node, as its signer sees it.
pub struct Log {
    store: Arc<dyn Store>,
    clock: Clock,
    node: String,
    /// One lock over both: a successor never signs beside its predecessor.
    state: Mutex<State>,
}

struct State {
    tree: CompactRange,
    signer: Signer,
}

impl Log {
    /// The log in `store`, signed for by `signer`; `node` names this process in the roster.
    pub fn new(store: Arc<dyn Store>, clock: Clock, node: &str, signer: Signer) -> Self {
        let state = Mutex::new(State { tree: CompactRange::default(), signer });
        Self { store, clock, node: node.to_owned(), state }
    }

    /// States the log's size and root now, and keeps the signed note. The first call reads all leaf hashes.
    ///
    /// # Errors
    /// [`CheckpointError`]; the next call tries again.
    pub async fn checkpoint(&self) -> Result<CheckpointRow, CheckpointError> {
        let mut state = self.state.lock().await;
        self.catch_up(&mut state.tree).await?;
        let row = self.row(&self.statement(&state.tree), &state.signer);
        self.store.commit(Batch { changes: vec![Change::PutCheckpoint(row.clone())], ..Batch::default() }).await?;
        Ok(row)
    }

    /// Hands over to the next key. Its predecessor's last statement names it, and stands in a `keys.rotated` event that is
    /// committed together with `batch`, which holds the keys themselves. So whoever steals a key later cannot rewrite what came
    /// before it: nothing makes that key good but a statement of its predecessor over all that (rule H13).
    ///
    /// # Errors
    /// [`CheckpointError`]; then the old key stays.
    pub async fn succeed(&self, next: Signer, mut batch: Batch) -> Result<Committed, CheckpointError> {
        let mut state = self.state.lock().await;
        self.catch_up(&mut state.tree).await?;
        let last = Checkpoint { successor: Some(next.key().clone()), ..self.statement(&state.tree) };
        let row = self.row(&last, &state.signer);
        let id = EventId::mint(last.at, entropy::random());
        let mut event = AuditEvent::new(id, last.at, Action::KeysRotated, Outcome::Success);
        event.actor = Some(Actor { kind: "gateway".to_owned(), id: Some(self.node.clone()), address: None });
        event.after = Some(serde_json::json!({ FINAL: row.note }));
        batch.events.push(event);
        batch.changes.push(Change::PutCheckpoint(row));
        let committed = self.store.commit(batch).await?;
        state.signer = next;
        Ok(committed)
    }

    async fn catch_up(&self, tree: &mut CompactRange) -> Result<(), CheckpointError> {
        let size = self.store.log_size().await?;
        if size < tree.size() {
            return Err(CheckpointError::RolledBack { found: size, seen: tree.size() });
        }
        while tree.size() < size {
            let to = size.min(tree.size().saturating_add(CHUNK));
            let leaves = self.store.leaf_hashes(tree.size(), to).await?;
            if u64::try_from(leaves.len()).ok() != Some(to - tree.size()) {
                return Err(Unavailable(format!("events are missing between {} and {to}", tree.size())).into());
            }
            leaves.into_iter().for_each(|leaf| tree.push(leaf));
        }
        Ok(())
    }

    fn statement(&self, tree: &CompactRange) -> Checkpoint {
        let (size, root) = (tree.size(), tree.root());
        // One store has one chain for all of its processes; chains of other stores will be further lines.
        let nodes = vec![(self.node.clone(), size, root)];
        Checkpoint { size, root, at: self.clock.now(), nodes, successor: None }
    }

    fn row(&self, checkpoint: &Checkpoint, signer: &Signer) -> CheckpointRow {
        CheckpointRow { size: checkpoint.size, at: checkpoint.at, note: signer.note(checkpoint) }
    }

    /// Writes how many refusals of strangers were not written whole (rule M15).
    async fn count(&self, sampler: &Sampler) -> Result<(), NotCommitted> {
        let now = self.clock.now();
        let Some(counted) = sampler.flush(now) else { return Ok(()) };
        let event = counted.event(EventId::mint(now, entropy::random()), now);
        let written = self.store.commit(Batch { events: vec![event], ..Batch::default() }).await;
        if written.is_err() {
            sampler.put_back(counted);
        }
        written.map(|_| ())
    }
}

/// Makes checkpoints and counts refusals, each minute until cancelled and once more then. Failures are told and tried again.
pub async fn run(log: Arc<Log>, sampler: Arc<Sampler>, stop: CancellationToken) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let last = tokio::select! {
            () = stop.cancelled() => true,
            _ = every.tick() => false,
        };
        if let Err(fault) = log.count(&sampler).await {
            tracing::error!(%fault, "refusals could not be counted");
        }
        if let Err(fault) = log.checkpoint().await {
            tracing::error!(%fault, "no checkpoint of the audit log");
        }
        if last {
            return;
        }
    }
}
