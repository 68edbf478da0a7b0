//! What this process has seen of the audit log, kept in its state folder and not in the store: a store that holds less, or other events,
//! went back in time (rule H17).

use super::NotStarted;
use crate::clock::Clock;
use crate::kernel::event::Action;
use crate::kernel::values::Timestamp;
use crate::keys::{Kek, Keys};
use crate::login::restoring::{Happened, shut};
use crate::orgs::restored::{Restored, SETTING};
use crate::store::{Store, Unavailable};
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it is written down.
const EVERY: Duration = Duration::from_secs(60);

/// The log's size, its last leaf, and when that was seen.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    size: u64,
    leaf: String,
    at: i64,
}

fn file(state: &Path) -> PathBuf {
    state.join("seen.json")
}

async fn look(store: &dyn Store, now: Timestamp) -> Result<Option<Seen>, Unavailable> {
    let size = store.log_size().await?;
    let Some(last) = size.checked_sub(1) else { return Ok(None) };
    let leaf = leaf(store, last).await?;
    Ok(leaf.map(|leaf| Seen { size, leaf, at: now.millis() }))
}

async fn leaf(store: &dyn Store, at: u64) -> Result<Option<String>, Unavailable> {
    let leaves = store.leaf_hashes(at, at.saturating_add(1)).await?;
    Ok(leaves.first().map(|leaf| leaf.iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// Writes down how far the log is.
///
/// # Errors
/// The store does not answer, or the folder cannot be written.
pub async fn keep(store: &dyn Store, state: &Path, now: Timestamp) -> Result<(), NotStarted> {
    let seen = look(store, now).await.map_err(|why| NotStarted(why.to_string()))?;
    let Some(seen) = seen else { return Ok(()) };
    let write = || {
        let (to, part) = (file(state), state.join("seen.json.part"));
        let mut out = std::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&part)?;
        out.write_all(&serde_json::to_vec(&seen)?)?;
        out.sync_all()?;
        std::fs::rename(&part, &to)
    };
    write().map_err(|why| NotStarted::new(&format!("{} cannot be written", file(state).display()), &why))
}

/// Looks whether the store is the one of before. One that went back in time is emptied of what stood, and shut.
///
/// # Errors
/// A sentence: what was seen cannot be read, or the store cannot be shut. Nothing is served then.
pub async fn check(store: &dyn Store, kek: &Kek, state: &Path, now: Timestamp) -> Result<(), NotStarted> {
    let path = file(state);
    let seen: Seen = match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|why| {
            NotStarted::new(
                &format!("{} cannot be read: remove it if the store is the one of before", path.display()),
                &why,
            )
        })?,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(why) => return Err(NotStarted::new(&format!("{} cannot be read", path.display()), &why)),
    };
    let stopped =
        |why: &dyn std::fmt::Display| NotStarted::new("whether the store went back in time cannot be told", why);
    let size = store.log_size().await.map_err(|why| stopped(&why))?;
    let keys = store.keys().await.map_err(|why| stopped(&why))?;
    // A store without keys never served: nobody is in it.
    if keys.is_empty() {
        return Ok(());
    }
    let is_same = size >= seen.size
        && leaf(store, seen.size.saturating_sub(1)).await.map_err(|why| stopped(&why))?.as_ref() == Some(&seen.leaf);
    if is_same {
        return Ok(());
    }
    // Somebody said so already, since this process looked last: another node, or a restore.
    let opened = Keys::open(kek, &keys).map_err(|why| stopped(&why))?;
    let word = store.setting(SETTING).await.map_err(|why| stopped(&why))?;
    let known = Restored::read(word.as_deref(), &opened).map_err(|why| stopped(&why))?;
    if known.is_some_and(|known| known.at > seen.at) {
        return Ok(());
    }
    let mut happened = Happened::default();
    happened.amiss(format!(
        "the store holds {size} events and held {} before: what lies between is in sinks alone",
        seen.size
    ));
    let done = shut(store, kek, (None, now), (&happened, Action::StoreRolledBack)).await;
    let restored = done.map_err(|why| stopped(&why))?;
    tracing::error!(
        found = size,
        seen = seen.size,
        "the store went back in time: nobody logs in before `fedgate restore --open {}` (docs/backup.md)",
        restored.code
    );
    Ok(())
}

/// Writes it down every minute until it is told to stop, and once more then.
pub async fn keep_writing(store: Arc<dyn Store>, state: PathBuf, clock: Clock, stop: CancellationToken) {
    loop {
        let last = tokio::select! {
            () = stop.cancelled() => true,
            () = tokio::time::sleep(EVERY) => false,
        };
        if let Err(NotStarted(why)) = keep(store.as_ref(), &state, clock.now()).await {
            tracing::warn!(why, "how far the audit log is could not be written down");
        }
        if last {
            return;
        }
    }
}
