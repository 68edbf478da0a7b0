//! Where events go besides the store. A sink gets every event at least once, in order, with its position, and every checkpoint.

use super::people::People;
use crate::kernel::journal::{Batch, Change, CheckpointRow};
use crate::store::{LoggedEvent, NotCommitted, Store, Unavailable};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between looks at the log. A sink is no part of a login, so a second is soon enough.
const EVERY: Duration = Duration::from_secs(1);

/// Events handed over at once, and synced once.
const BATCH: usize = 500;

/// `[[audit.sink]]` as it was configured.
#[derive(Clone, Debug)]
pub struct SinkOptions {
    /// Where to: `jsonl:/path`.
    pub url: String,
    /// How people appear; `None` for the kind's own default (`jsonl`: pseudonym).
    pub people: Option<People>,
    /// A file is rotated when it holds this many bytes.
    pub rotate_bytes: u64,
    /// Rotated files that are kept, at least 1.
    pub keep: u32,
}

impl SinkOptions {
    /// The defaults: 100 MiB a file, ten of them.
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned(), people: None, rotate_bytes: 100 << 20, keep: 10 }
    }
}

/// What is handed to a sink.
#[derive(Clone, Debug)]
pub enum Line {
    /// An event with its place in the log.
    Event(LoggedEvent),
    /// A signed checkpoint, once all events that it covers were handed over.
    Checkpoint(CheckpointRow),
}

/// Somewhere to send the log.
#[async_trait]
pub trait Sink: Send {
    /// Its name for its cursor, the same after a restart.
    fn name(&self) -> &str;

    /// Takes lines, in order. When this returns they are as safe as the sink can make them. The same position may come again
    /// after a crash; a sink that can tell drops it.
    ///
    /// # Errors
    /// What went wrong; the same lines come again.
    async fn write(&mut self, lines: &[Line]) -> std::io::Result<()>;
}

/// Why nothing was handed over.
#[derive(Debug, thiserror::Error)]
enum Stuck {
    #[error(transparent)]
    Store(#[from] Unavailable),
    #[error(transparent)]
    Cursor(#[from] NotCommitted),
    #[error("{0}")]
    Sink(#[from] std::io::Error),
}

/// Hands the log to a sink of this node until cancelled and once more then. Its cursor lies in the store, so that a restart goes on
/// where this ended, under the node's name: another node's file of the same path is another file.
pub async fn deliver(store: Arc<dyn Store>, node: String, mut sink: Box<dyn Sink>, stop: CancellationToken) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last_checkpoint = None;
    loop {
        let last = tokio::select! {
            () = stop.cancelled() => true,
            _ = every.tick() => false,
        };
        if let Err(fault) = hand_over((&store, &node), sink.as_mut(), &mut last_checkpoint).await {
            tracing::error!(sink = sink.name(), %fault, "the audit log waits for its sink");
        }
        if last {
            return;
        }
    }
}

async fn hand_over(
    (store, node): (&Arc<dyn Store>, &str),
    sink: &mut dyn Sink,
    last_checkpoint: &mut Option<CheckpointRow>,
) -> Result<(), Stuck> {
    let name = format!("audit.sink.{node}.{}", sink.name());
    let stored = store.setting(&name).await?.unwrap_or_default();
    let mut cursor = match String::from_utf8_lossy(&stored).parse::<u64>() {
        Ok(cursor) => cursor,
        Err(_) if stored.is_empty() => 0,
        // Twice is better than not at all, and events say by their ids that they came before.
        Err(why) => {
            tracing::error!(sink = sink.name(), %why, "how far a sink came does not read: it gets the whole log again");
            0
        }
    };
    loop {
        let events = store.log(cursor, BATCH).await?;
        let Some(next) = events.last().map(|event| event.position + 1) else { break };
        sink.write(&events.into_iter().map(Line::Event).collect::<Vec<_>>()).await?;
        cursor = next;
        let put = Change::PutSetting { name: name.clone(), value: cursor.to_string().into_bytes() };
        store.commit(Batch { changes: vec![put], ..Batch::default() }).await?;
    }
    let newest = store.newest_checkpoint().await?;
    if let Some(newest) = newest.filter(|row| row.size <= cursor && last_checkpoint.as_ref() != Some(row)) {
        sink.write(&[Line::Checkpoint(newest.clone())]).await?;
        *last_checkpoint = Some(newest);
    }
    Ok(())
}
