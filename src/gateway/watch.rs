//! Certificates stay fresh by themselves: files are watched, the internal CA's leaves are made again before they expire, and what
//! an authority issues is taken over.

use super::core::Shared;
use super::options::Options;
use super::tls::{self, Tickets, TlsState};
use notify::{RecursiveMode, Watcher as _};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::{interval, sleep};
use tokio_util::sync::CancellationToken;

/// How long to wait after a change: a certificate and its key are two files, written one after the other.
const SETTLE: Duration = Duration::from_millis(500);

/// How often the internal CA's leaves are made again; they live for 30 days.
const RENEW: Duration = Duration::from_secs(7 * 86_400);

/// What is needed to load certificates again.
pub(super) struct Certificates {
    pub(super) shared: Arc<Shared>,
    pub(super) options: Arc<Mutex<Options>>,
    pub(super) tickets: Tickets,
}

impl Certificates {
    /// Loads certificates again whenever a file changes or one is issued, and once a week. A failed load keeps the old ones.
    pub(super) async fn keep_fresh(self, kill: CancellationToken) {
        let (mut watcher, mut changes) = match watcher() {
            Ok((watcher, changes)) => (Some(watcher), changes),
            Err(error) => {
                tracing::error!(%error, "certificate files cannot be watched; reload after changing them");
                (None, channel(1).1)
            }
        };
        let mut watched = HashSet::new();
        let mut renew = interval(RENEW);
        renew.tick().await;
        let mut look = interval(Duration::from_secs(5));
        loop {
            tokio::select! {
                () = kill.cancelled() => return,
                // A reload may name other files.
                _ = look.tick() => {
                    let Some(watcher) = &mut watcher else { continue };
                    for folder in self.folders().difference(&watched.clone()) {
                        match watcher.watch(folder, RecursiveMode::NonRecursive) {
                            Ok(()) => drop(watched.insert(folder.clone())),
                            Err(error) => tracing::warn!(%error, folder = %folder.display(), "cannot be watched"),
                        }
                    }
                }
                _ = renew.tick() => self.load(),
                () = self.shared.issued.changed() => self.load(),
                Some(()) = changes.recv() => {
                    sleep(SETTLE).await;
                    while changes.try_recv().is_ok() {}
                    self.load();
                }
            }
        }
    }

    /// Folders, not files: a renewed certificate is usually a new file moved over the old one.
    fn folders(&self) -> HashSet<PathBuf> {
        let options = self.options.lock().unwrap_or_else(PoisonError::into_inner);
        tls::files(&options).iter().filter_map(|file| file.parent().map(Path::to_owned)).collect()
    }

    fn load(&self) {
        let options = self.options.lock().unwrap_or_else(PoisonError::into_inner);
        match TlsState::load(&options, &self.shared.issued, &self.tickets, self.shared.clock.now()) {
            Ok(state) => {
                self.shared.tls.store(state.map(Arc::new));
                tracing::info!("certificates were loaded again");
            }
            Err(error) => {
                self.shared.seeing.failed_certificate_loads.inc();
                tracing::error!(%error, "certificates cannot be loaded again; the old ones stay");
            }
        }
    }
}

fn watcher() -> notify::Result<(notify::RecommendedWatcher, Receiver<()>)> {
    let (sender, receiver) = channel(1);
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // A change is already waiting to be seen when the channel is full.
            let _ = sender.try_send(());
        }
    })?;
    Ok((watcher, receiver))
}
