//! From a sealed file back to a request's body. A record is opened before any of it is sent on.

use super::kept::Head;
use super::seal::{RECORD, Records, TAG};
use super::ticket::Ticket;
use super::{NoHand, Spool};
use crate::gateway::body::Broken;
use bytes::Bytes;
use std::fs::File;
use std::io::{self, Read as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// The file is not there, or is not what was written. What was kept is lost.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error(transparent)]
    Disk(#[from] io::Error),
    #[error("the file is not what was written")]
    Changed,
    #[error(transparent)]
    Hand(#[from] NoHand),
}

/// The body of a kept request, on its way to a product.
pub(in crate::gateway) struct Reader {
    pieces: mpsc::Receiver<Result<Bytes, Broken>>,
    left: u64,
    touched: Arc<AtomicBool>,
}

/// A file that was opened and whose head is known.
pub(super) struct Opened {
    pub(super) head: Head,
    file: File,
    records: Records,
    left: u64,
}

impl Opened {
    /// Opens a kept request's file and reads its head.
    pub(super) async fn open(spool: &Arc<Spool>, ticket: &Ticket) -> Result<Self, Unreadable> {
        let (shared, ticket) = (Arc::clone(spool), ticket.clone());
        spool.by_hand(move || Self::read(&shared, &ticket)).await?
    }

    fn read(spool: &Spool, ticket: &Ticket) -> Result<Self, Unreadable> {
        let mut file = File::open(spool.path(&ticket.name()))?;
        let length = usize::try_from(ticket.head).unwrap_or(usize::MAX);
        if length > RECORD + TAG || file.metadata()?.len() != whole(ticket) {
            return Err(Unreadable::Changed);
        }
        let mut head = vec![0; length];
        file.read_exact(&mut head)?;
        let mut records = Records::new(&ticket.key, ticket.id).map_err(|_| Unreadable::Changed)?;
        records.open(&mut head, false).map_err(|_| Unreadable::Changed)?;
        let head = serde_json::from_slice(&head).map_err(|_| Unreadable::Changed)?;
        Ok(Self { head, file, records, left: ticket.size })
    }

    /// The body, and whether anything of it was looked at: until then nothing can have been sent.
    pub(super) fn body(self, spool: &Arc<Spool>) -> (Reader, Arc<AtomicBool>) {
        let (to, pieces) = mpsc::channel(1);
        let touched = Arc::new(AtomicBool::new(false));
        let reader = Reader { pieces, left: self.left, touched: Arc::clone(&touched) };
        tokio::spawn(self.send(Arc::clone(spool), to));
        (reader, touched)
    }

    /// Reads a record when there is room for it; ends when the body is no longer wanted.
    async fn send(mut self, spool: Arc<Spool>, to: mpsc::Sender<Result<Bytes, Broken>>) {
        loop {
            let Ok(place) = to.reserve().await else { return };
            let read = move || self.record().map(|record| (record, self));
            match spool.by_hand(read).await.map_err(Unreadable::from).flatten() {
                Ok((record, rest)) => {
                    place.send(Ok(Bytes::from(record)));
                    if rest.left == 0 {
                        return;
                    }
                    self = rest;
                }
                Err(fault) => {
                    tracing::error!(%fault, "a kept request cannot be read to its end");
                    place.send(Err(Box::new(fault)));
                    return;
                }
            }
        }
    }

    fn record(&mut self) -> Result<Vec<u8>, Unreadable> {
        let plain = usize::try_from(self.left).unwrap_or(usize::MAX).min(RECORD);
        let mut record = vec![0; plain + TAG];
        self.file.read_exact(&mut record)?;
        self.left -= u64::try_from(plain).unwrap_or(self.left);
        self.records.open(&mut record, self.left == 0).map_err(|_| Unreadable::Changed)?;
        Ok(record)
    }
}

/// How long the file must be: head, records, and a tag for each record; a body has at least one.
fn whole(ticket: &Ticket) -> u64 {
    let (record, tag) = (RECORD as u64, TAG as u64);
    let records = ticket.size.div_ceil(record).max(1);
    u64::from(ticket.head).saturating_add(ticket.size).saturating_add(records.saturating_mul(tag))
}

impl Reader {
    /// The next piece; `None` at the end.
    pub(in crate::gateway) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        self.touched.store(true, Ordering::Relaxed);
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let piece = std::task::ready!(self.pieces.poll_recv(cx));
        Poll::Ready(match piece {
            Some(Ok(bytes)) => {
                self.left = self.left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                Some(Ok(bytes))
            }
            Some(Err(fault)) => Some(Err(fault)),
            None => Some(Err(Box::new(Unreadable::Changed))),
        })
    }

    /// Bytes that are still to come. Whoever asks is about to send.
    pub(in crate::gateway) fn left(&self) -> u64 {
        self.touched.store(true, Ordering::Relaxed);
        self.left
    }
}
