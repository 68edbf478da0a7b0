//! Mail as files, where no server is configured: for somebody to look at, or for a program that carries them on.
//!
//! A file holds what the mail says, codes and links too: the folder and the files are their owner's alone, and what is in them is
//! dead when their codes are. Files of more than 30 days are removed.

use super::{Message, Transport, Undelivered};
use async_trait::async_trait;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

const KEPT: Duration = Duration::from_secs(30 * 86_400);
const DAY: i64 = 86_400;

/// A folder of `.eml` files.
pub struct Files {
    folder: PathBuf,
    /// The day on which old files were last removed.
    swept: AtomicI64,
}

impl Files {
    /// Mail goes into this folder, which is made when the first one does.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, swept: AtomicI64::new(0) }
    }

    /// Under another name first: who watches the folder never reads half a mail.
    fn write(&self, message: &Message) -> io::Result<()> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let (part, whole) = (self.path(message, "part"), self.path(message, "eml"));
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(&message.mail.formatted())?;
        file.sync_all()?;
        std::fs::rename(&part, &whole)?;
        std::fs::File::open(&self.folder)?.sync_all()
    }

    fn path(&self, message: &Message, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", message.id))
    }

    /// Once a day.
    fn sweep(&self, message: &Message) {
        let day = message.date.seconds().div_euclid(DAY);
        if self.swept.swap(day, Ordering::Relaxed) == day {
            return;
        }
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(message.date.seconds()).unwrap_or(0));
        if let Err(fault) = remove_old(&self.folder, now) {
            tracing::warn!(%fault, folder = %self.folder.display(), "old mail could not be removed");
        }
    }
}

fn remove_old(folder: &Path, now: SystemTime) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let ours = path.extension().is_some_and(|extension| extension == "eml" || extension == "part");
        let modified = path.metadata()?.modified()?;
        if ours && now.duration_since(modified).is_ok_and(|age| age > KEPT) {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

#[async_trait]
impl Transport for Files {
    async fn send(&self, message: &Message) -> Result<(), Undelivered> {
        self.write(message)
            .map_err(|why| Undelivered::Later(format!("{} cannot be written: {why}", self.folder.display())))?;
        self.sweep(message);
        Ok(())
    }
}
