//! From a request's body to a sealed file, a record at a time: never more than two records of it are in memory.

use super::kept::Head;
use super::seal::{Foreign, RECORD, Records};
use super::shelf::Name;
use super::{NoHand, Spool};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;

/// Why a request could not be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unwritten {
    #[error("there is no room")]
    Full,
    #[error(transparent)]
    Disk(#[from] io::Error),
    #[error(transparent)]
    Sealing(#[from] Foreign),
    #[error(transparent)]
    Hand(#[from] NoHand),
}

/// A request that is being written. Dropped before its end, it leaves nothing.
pub(super) struct Writing {
    spool: Arc<Spool>,
    name: Name,
    pen: Option<Pen>,
    /// What does not fill a record yet.
    rest: Vec<u8>,
    size: u64,
    /// Bytes of the sealed head.
    head: u32,
    finished: bool,
}

struct Pen {
    file: File,
    records: Records,
}

impl Pen {
    fn write(&mut self, mut record: Vec<u8>, is_last: bool) -> Result<usize, Unwritten> {
        self.records.seal(&mut record, is_last)?;
        self.file.write_all(&record)?;
        Ok(record.len())
    }
}

/// A request that was written to its end.
pub(super) struct Written {
    pub(super) node: [u8; 8],
    /// Bytes of the body.
    pub(super) size: u64,
    /// Bytes of the sealed head.
    pub(super) head: u32,
}

impl Writing {
    /// Takes room for a body of at most so many bytes, and writes the head.
    pub(super) async fn begin(
        spool: &Arc<Spool>,
        name: Name,
        key: [u8; 32],
        head: &Head,
        most: u64,
    ) -> Result<Self, Unwritten> {
        let head = serde_json::to_vec(head).map_err(io::Error::from)?;
        if head.len() > RECORD {
            return Err(Unwritten::Full);
        }
        let shared = Arc::clone(spool);
        let opened = spool.by_hand(move || {
            shared.node()?;
            let share = shared.share()?;
            let before = shared.shelf().take(name, most, share).map_err(|_| Unwritten::Full)?;
            if let Some(before) = before {
                shared.push_out(before);
            }
            // From here on dropping it gives the room back.
            let mut writing =
                Self { spool: shared, name, pen: None, rest: Vec::new(), size: 0, head: 0, finished: false };
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(writing.spool.path(&name))?;
            let mut pen = Pen { file, records: Records::new(&key, name.id)? };
            writing.head = u32::try_from(pen.write(head, false)?).unwrap_or(u32::MAX);
            writing.pen = Some(pen);
            Ok(writing)
        });
        opened.await?
    }

    /// More of the body.
    pub(super) async fn push(&mut self, bytes: &[u8]) -> Result<(), Unwritten> {
        // A newer request of the same session may have pushed it out; it has no room any more.
        if !self.spool.shelf().holds(&self.name.id) {
            return Err(Unwritten::Full);
        }
        self.size = self.size.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let mut bytes = bytes;
        // The last record is written at the end, so a full one waits for the byte after it.
        while self.rest.len() + bytes.len() > RECORD {
            let (now, later) = bytes.split_at_checked(RECORD - self.rest.len()).unwrap_or((bytes, &[]));
            self.rest.extend_from_slice(now);
            bytes = later;
            let full = std::mem::take(&mut self.rest);
            self.write(full, false).await?;
        }
        self.rest.extend_from_slice(bytes);
        Ok(())
    }

    /// How much came so far.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The end of the body.
    pub(super) async fn finish(mut self) -> Result<Written, Unwritten> {
        let rest = std::mem::take(&mut self.rest);
        self.write(rest, true).await?;
        self.spool.shelf().settle(&self.name.id, self.size).map_err(|_| Unwritten::Full)?;
        self.finished = true;
        Ok(Written { node: self.spool.node()?, size: self.size, head: self.head })
    }

    async fn write(&mut self, record: Vec<u8>, is_last: bool) -> Result<(), Unwritten> {
        let mut pen = self.pen.take().ok_or(Unwritten::Full)?;
        let written = self.spool.by_hand(move || pen.write(record, is_last).map(|_| pen));
        self.pen = Some(written.await??);
        Ok(())
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if !self.finished {
            self.spool.remove(&self.name.id);
        }
    }
}
