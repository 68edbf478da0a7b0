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

/// How often a statement is made anew that another process was in the way of, and how long after the last one: a key that was
/// replaced is told of within a quarter of a second.
const TRIES: u32 = 4;
const AGAIN: Duration = Duration::from_millis(500);

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
    /// There is no key to sign with.
    #[error("the audit log's key: {0}")]
    Key(String),
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

/// Whose turn it is to sign: the newest key that this process knows. Its row is looked for in the commit of what it signed, since
/// another process may have replaced it a moment ago.
pub struct Pen {
    /// The row's kind.
    pub kind: String,
    /// The row's generation.
    pub generation: u32,
    /// What signs.
    pub signer: Signer,
}

/// Gives the newest key at each statement, or says why there is none.
pub type Pens = Box<dyn Fn() -> Result<Pen, String> + Send + Sync>;

/// The log of one store, as one of the processes that sign for it sees it.
pub struct Log {
    store: Arc<dyn Store>,
    clock: Clock,
    node: String,
    pens: Pens,
    /// Locked from reading the log to the commit: a successor never signs beside its predecessor.
    tree: Mutex<CompactRange>,
}

impl Log {
    /// The log in `store`, signed for by the newest of `pens`; `node` names this process in the roster.
    pub fn new(store: Arc<dyn Store>, clock: Clock, node: &str, pens: Pens) -> Self {
        Self { store, clock, node: node.to_owned(), pens, tree: Mutex::default() }
    }

    /// Before the log is read: a key that is known was announced in an event, which is then among what is read.
    fn pen(&self) -> Result<Pen, CheckpointError> {
        (self.pens)().map_err(CheckpointError::Key)
    }

    /// States the log's size and root now, and keeps the signed note. The first call reads all leaf hashes. Where another process
    /// stated more meanwhile, or replaced the key, it is stated anew.
    ///
    /// # Errors
    /// [`CheckpointError`]; the next call tries again.
    pub async fn checkpoint(&self) -> Result<CheckpointRow, CheckpointError> {
        let mut tries = 0;
        loop {
            match self.state_once().await {
                Err(CheckpointError::Store(NotCommitted::Conflict(_))) if tries < TRIES => tries += 1,
                done => return done,
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn state_once(&self) -> Result<CheckpointRow, CheckpointError> {
        let mut tree = self.tree.lock().await;
        let pen = self.pen()?;
        self.catch_up(&mut tree).await?;
        let row = self.row(&self.statement(&tree), &pen.signer);
        let changes = vec![may_sign(&pen, row.size), Change::PutCheckpoint(row.clone())];
        self.store.commit(Batch { changes, ..Batch::default() }).await?;
        Ok(row)
    }

    /// Hands over to the next key. Its predecessor's last statement names it, and stands in a `keys.rotated` event that is
    /// committed together with `batch`, which holds the keys themselves. So whoever steals a key later cannot rewrite what came
    /// before it: nothing makes that key good but a statement of its predecessor over all that (rule H13).
    ///
    /// # Errors
    /// [`CheckpointError`]; then the old key stays. A conflict: another process was faster.
    pub async fn succeed(&self, next: &Signer, mut batch: Batch) -> Result<Committed, CheckpointError> {
        let mut tree = self.tree.lock().await;
        let pen = self.pen()?;
        self.catch_up(&mut tree).await?;
        let last = Checkpoint { successor: Some(next.key().clone()), ..self.statement(&tree) };
        let row = self.row(&last, &pen.signer);
        // First: what follows takes the key away.
        batch.changes.insert(0, may_sign(&pen, row.size));
        let id = EventId::mint(last.at, entropy::random());
        let mut event = AuditEvent::new(id, last.at, Action::KeysRotated, Outcome::Success);
        event.actor = Some(Actor { kind: "gateway".to_owned(), id: Some(self.node.clone()), address: None });
        event.after = Some(serde_json::json!({ FINAL: row.note }));
        batch.events.push(event);
        batch.changes.push(Change::PutCheckpoint(row));
        Ok(self.store.commit(batch).await?)
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

fn may_sign(pen: &Pen, size: u64) -> Change {
    Change::MaySign { kind: pen.kind.clone(), generation: pen.generation, size }
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
