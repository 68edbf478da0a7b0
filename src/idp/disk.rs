//! Providers' documents on disk, so that a start while a provider is down still serves.

use super::fetch::{Documents, Provider};
use crate::kernel::values::Timestamp;
use aws_lc_rs::digest;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Bytes of a file: two documents of at most 1 MiB, escaped.
const FILE_LIMIT: u64 = 8 * 1024 * 1024;

/// A folder with one file an issuer.
pub(super) struct Disk {
    folder: PathBuf,
}

#[derive(Deserialize, Serialize)]
struct Kept {
    issuer: String,
    fetched_at: i64,
    metadata: String,
    keys: String,
}

impl Disk {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// What was kept, if it still reads; anything else is as if nothing was kept.
    pub(super) async fn read(&self, issuer: &str, allow_demo: bool) -> Option<Provider> {
        let path = self.path(issuer);
        let length = tokio::fs::metadata(&path).await.ok()?.len();
        let bytes = if length <= FILE_LIMIT { tokio::fs::read(&path).await.ok()? } else { return None };
        let kept: Kept = serde_json::from_slice(&bytes).ok().filter(|kept: &Kept| kept.issuer == issuer)?;
        let documents = Documents { metadata: Bytes::from(kept.metadata), keys: Bytes::from(kept.keys) };
        Provider::read(issuer, documents, Timestamp::from_millis(kept.fetched_at), allow_demo).ok()
    }

    /// Keeps a provider's documents: 0600, whole or not at all.
    pub(super) async fn write(&self, issuer: &str, provider: &Provider) -> io::Result<()> {
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        let kept = Kept {
            issuer: issuer.to_owned(),
            fetched_at: provider.fetched_at.millis(),
            metadata: text(&provider.documents.metadata),
            keys: text(&provider.documents.keys),
        };
        let bytes = serde_json::to_vec(&kept)?;
        let path = self.path(issuer);
        let folder = self.folder.clone();
        let written = tokio::task::spawn_blocking(move || replace(&folder, &path, &bytes)).await;
        written.map_err(io::Error::other)?
    }

    /// Removes what was kept, if anything was.
    pub(super) async fn forget(&self, issuer: &str) {
        match tokio::fs::remove_file(self.path(issuer)).await {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(issuer, %fault, "a provider's documents could not be removed from disk");
            }
            _ => {}
        }
    }

    fn path(&self, issuer: &str) -> PathBuf {
        let hash = digest::digest(&digest::SHA256, issuer.as_bytes());
        let name = hash.as_ref().iter().take(16).fold(String::new(), |mut name, byte| {
            // Writing to a String cannot fail.
            let _ = write!(name, "{byte:02x}");
            name
        });
        self.folder.join(format!("{name}.json"))
    }
}

fn replace(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let half = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&half)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&half, path)
}
