//! A login never loses work (rule H9): an unsafe request of a session that has just expired is kept on this node, sealed, until
//! its person has logged in and clicked once.
//!
//! - `take`: which requests are kept, and the answer that leads to the login.
//! - `give`: the page after the login, its one button, and the replay.
//! - `kept`: a request's head on disk, and what of it is sent again.
//! - `ticket`: the handle in the browser's cookie, which alone has the file's key.
//! - `shelf`: quotas and ages. `seal`, `write`, `read`: the file.
//!
//! Files live in `spool/` of the state folder. Blocking work is done by few hands for all cores. Deliberately absent: fetching
//! from another node (its handle names it, and the page says so), and any answer kept for later: the person's click gets it.

mod give;
mod kept;
mod read;
mod seal;
mod shelf;
mod take;
mod ticket;
mod write;

pub(super) use give::is_replay;
pub(super) use read::Reader;

use self::seal::Id;
use self::shelf::{Held, Name, Shelf, hex, unhex};
use crate::clock::Clock;
use crate::entropy;
use crate::kernel::values::Timestamp;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};
use tokio_util::sync::CancellationToken;

/// Blocking threads that read or write at a time, of all cores together.
const HANDS: usize = 4;

/// The most that all kept requests may have on this node, and the share of the free disk that they may have: the smaller counts.
const SHARE: u64 = 1024 * 1024 * 1024;
const SHARE_OF_FREE: u64 = 20;

/// How often overdue requests are removed.
const SWEEP: Duration = Duration::from_secs(60);

/// Kept requests of this node.
pub(super) struct Spool {
    folder: PathBuf,
    shelf: Mutex<Shelf>,
    /// Tells this node's handles from others'; made with the folder.
    node: Mutex<Option<[u8; 8]>>,
    hands: Arc<Semaphore>,
}

impl Spool {
    /// Finds what an earlier process kept, and removes what is overdue. The folder is made when something is kept first.
    pub(super) fn open(state: &Path, now: Timestamp) -> Arc<Self> {
        let spool = Self {
            folder: state.join("spool"),
            shelf: Mutex::default(),
            node: Mutex::default(),
            hands: Arc::new(Semaphore::new(HANDS)),
        };
        match spool.find() {
            Ok(()) => spool.sweep(now),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
            Err(fault) => tracing::error!(%fault, folder = %spool.folder.display(), "kept requests cannot be listed"),
        }
        Arc::new(spool)
    }

    fn find(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            match name.to_str().and_then(Name::parse) {
                Some(name) => self.shelf().found(name, entry.metadata()?.len()),
                None if name == "node" => {
                    if let Err(fault) = self.node() {
                        tracing::error!(%fault, "the spool's own mark cannot be read: nothing more is kept");
                    }
                }
                None => tracing::warn!(file = %entry.path().display(), "a file in the spool is not ours"),
            }
        }
        Ok(())
    }

    /// Removes what is overdue once a minute.
    pub(super) async fn keep_swept(self: Arc<Self>, clock: Clock, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(SWEEP) => {}
            }
            let (spool, now) = (Arc::clone(&self), clock.now());
            if let Err(fault) = self.by_hand(move || spool.sweep(now)).await {
                tracing::error!(%fault, "the sweep of kept requests failed");
            }
        }
    }

    fn sweep(&self, now: Timestamp) {
        let overdue = self.shelf().overdue(now);
        for name in overdue {
            self.shelf().remove(&name.id);
            self.unlink(&name);
        }
    }

    /// Removes a kept request: its room at once, its file beside the requests. A file that is left by the end of the process is
    /// swept by the next one.
    fn remove(self: &Arc<Self>, id: &Id) {
        let removed = self.shelf().remove(id);
        if let Some(held) = removed {
            let spool = Arc::clone(self);
            drop(spawn_blocking(move || spool.unlink(&held.name)));
        }
    }

    /// Makes room for a newer one. What is still being written would have its blocks until its writer notices.
    fn push_out(&self, held: Held) {
        if !held.whole
            && let Err(fault) = OpenOptions::new().write(true).truncate(true).open(self.path(&held.name))
        {
            tracing::debug!(%fault, "a request that was pushed out had no file yet");
        }
        self.unlink(&held.name);
    }

    fn unlink(&self, name: &Name) {
        match fs::remove_file(self.path(name)) {
            Ok(()) => {}
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
            Err(fault) => tracing::error!(%fault, "a kept request cannot be removed from the disk"),
        }
    }

    fn path(&self, name: &Name) -> PathBuf {
        self.folder.join(name.file())
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much all kept requests may have now.
    fn share(&self) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(&self.folder)?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        Ok(SHARE.min((free / SHARE_OF_FREE).saturating_add(self.shelf().bytes())))
    }

    /// Whether this node kept it.
    fn is_ours(&self, node: [u8; 8]) -> bool {
        *self.node.lock().unwrap_or_else(PoisonError::into_inner) == Some(node)
    }

    /// This node's mark. Blocking; makes the folder where there is none.
    fn node(&self) -> io::Result<[u8; 8]> {
        let mut known = self.node.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(node) = *known {
            return Ok(node);
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let file = self.folder.join("node");
        let node = match fs::read_to_string(&file) {
            Ok(text) => unhex(text.trim()).ok_or(io::ErrorKind::InvalidData)?,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
                let node = entropy::random();
                let mut made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file)?;
                made.write_all(hex(&node).as_bytes())?;
                node
            }
            Err(fault) => return Err(fault),
        };
        *known = Some(node);
        Ok(node)
    }

    /// Does blocking work when a hand is free.
    async fn by_hand<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, NoHand> {
        let _hand = self.hands.acquire().await.map_err(|_| NoHand)?;
        spawn_blocking(work).await.map_err(|fault: JoinError| {
            tracing::error!(%fault, "work on a kept request failed");
            NoHand
        })
    }
}

/// The blocking work could not be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no thread did the work")]
struct NoHand;

#[cfg(test)]
mod tests;
