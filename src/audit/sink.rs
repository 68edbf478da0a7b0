//! Where events go besides the store. A sink gets every event at least once, in order, with its position, and every checkpoint.

use super::format::Format;
use super::people::People;
use super::waiting::{Waiting, Watch};
use crate::kernel::journal::{Batch, Change, CheckpointRow};
use crate::kernel::values::Secret;
use crate::outbound::LastWord;
use crate::store::{LoggedEvent, NotCommitted, Store, Unavailable};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Events handed over at once, and synced once.
const BATCH: usize = 500;

/// Bytes of events in one request to a remote sink, unless a single one is larger: its own form may be several times as long, and
/// collectors commonly take a megabyte.
const REQUEST: usize = 256 << 10;

/// How long the end of the process waits for a sink. What is not handed over by then is at the next start.
const LAST: Duration = Duration::from_secs(5);

/// `[[audit.sink]]` as it was configured.
#[derive(Clone, Debug)]
pub struct SinkOptions {
    /// Where to: `jsonl:/path`, `https://…`, `otlp://…`, `syslog+tls://…`.
    pub url: String,
    /// How people appear; `None` for the kind's own default (`jsonl`: pseudonym, all others: clear).
    pub people: Option<People>,
    /// How events are written.
    pub format: Format,
    /// What the receiver knows the gateway by: Splunk's token, or the key of a webhook's signatures.
    pub token: Option<Secret>,
    /// What says at `syslog+tls:` that everything was read.
    pub end: LastWord,
    /// A file is rotated when it holds this many bytes.
    pub rotate_bytes: u64,
    /// Rotated files that are kept, at least 1.
    pub keep: u32,
}

impl SinkOptions {
    /// The defaults: 100 MiB a file, ten of them.
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            people: None,
            format: Format::Own,
            token: None,
            end: LastWord::Signed,
            rotate_bytes: 100 << 20,
            keep: 10,
        }
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
pub trait Sink: Send + Sync {
    /// Its name for its cursor, the same after a restart.
    fn name(&self) -> &str;

    /// Whether it keeps what it gets where it cannot be asked what it has. Then the bounds of a batch are in the store before it is
    /// sent, so that one that was sent before a crash comes again as the same batch.
    fn is_remote(&self) -> bool {
        false
    }

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
pub async fn deliver(
    store: Arc<dyn Store>,
    node: String,
    sink: Box<dyn Sink>,
    waiting: Waiting,
    stop: CancellationToken,
) {
    let watch = waiting.of(sink.name());
    let setting = format!("audit.sink.{node}.{}", sink.name());
    let mut delivery = Delivery { store, setting, sink, watch, last_checkpoint: None };
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(delivery.watch.pause()) => {}
        }
        tokio::select! {
            () = stop.cancelled() => break,
            handed = delivery.hand_over() => delivery.watch.note(handed),
        }
    }
    match tokio::time::timeout(LAST, delivery.hand_over()).await {
        Ok(handed) => delivery.watch.note(handed),
        Err(_) => {
            tracing::warn!(sink = delivery.sink.name(), "the rest of the audit log is handed over at the next start")
        }
    }
}

/// How far a sink came, as its setting says: `17`, or `17 25` while the events before 25 are under way.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Cursor {
    /// The first event that is not known to be there.
    from: u64,
    /// The end of the batch that may be there.
    until: Option<u64>,
}

impl Cursor {
    fn read(text: &str) -> Result<Self, std::num::ParseIntError> {
        let (from, until) = match text.split_once(' ') {
            Some((from, until)) => (from, Some(until.parse()?)),
            None => (text, None),
        };
        let from = from.parse()?;
        Ok(Self { from, until: until.filter(|until| *until > from) })
    }

    fn text(self) -> String {
        match self.until {
            Some(until) => format!("{} {until}", self.from),
            None => self.from.to_string(),
        }
    }

    fn limit(self) -> usize {
        let announced = self.until.and_then(|until| usize::try_from(until - self.from).ok());
        announced.map_or(BATCH, |count| count.min(BATCH))
    }
}

struct Delivery {
    store: Arc<dyn Store>,
    setting: String,
    sink: Box<dyn Sink>,
    watch: Watch,
    last_checkpoint: Option<CheckpointRow>,
}

impl Delivery {
    async fn hand_over(&mut self) -> Result<(), Stuck> {
        let mut cursor = self.cursor().await?;
        loop {
            self.watch.waits(self.store.log_size().await?.saturating_sub(cursor.from));
            let mut events = self.store.log(cursor.from, cursor.limit()).await?;
            if self.sink.is_remote() && cursor.until.is_none() {
                fit(&mut events);
            }
            let Some(next) = events.last().map(|event| event.position + 1) else { break };
            if self.sink.is_remote() && cursor.until != Some(next) {
                cursor.until = Some(next);
                self.put(cursor).await?;
            }
            self.sink.write(&events.into_iter().map(Line::Event).collect::<Vec<_>>()).await?;
            cursor = Cursor { from: next, until: None };
            self.put(cursor).await?;
        }
        let newest = self.store.newest_checkpoint().await?;
        if let Some(newest) = newest.filter(|row| row.size <= cursor.from && self.last_checkpoint.as_ref() != Some(row))
        {
            self.sink.write(&[Line::Checkpoint(newest.clone())]).await?;
            self.last_checkpoint = Some(newest);
        }
        Ok(())
    }

    async fn cursor(&self) -> Result<Cursor, Unavailable> {
        let Some(stored) = self.store.setting(&self.setting).await? else { return Ok(Cursor::default()) };
        // Twice is better than not at all, and events say by their ids that they came before.
        Ok(Cursor::read(&String::from_utf8_lossy(&stored)).unwrap_or_else(|why| {
            tracing::error!(sink = self.sink.name(), %why, "how far a sink came does not read: it gets the whole log again");
            Cursor::default()
        }))
    }

    async fn put(&self, cursor: Cursor) -> Result<(), NotCommitted> {
        let put = Change::PutSetting { name: self.setting.clone(), value: cursor.text().into_bytes() };
        self.store.commit(Batch { changes: vec![put], ..Batch::default() }).await.map(|_| ())
    }
}

/// Leaves as many as fit into one request, at least one.
fn fit(events: &mut Vec<LoggedEvent>) {
    let mut bytes = 0;
    let fits = events.iter().take_while(|event| {
        let before = bytes;
        bytes += event.bytes.len();
        before == 0 || bytes <= REQUEST
    });
    let count = fits.count();
    events.truncate(count);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_as_it_was_written_and_nonsense_does_not() {
        for cursor in [Cursor::default(), Cursor { from: 17, until: None }, Cursor { from: 17, until: Some(25) }] {
            assert_eq!(Cursor::read(&cursor.text()), Ok(cursor));
        }
        assert_eq!(Cursor::read("17 17"), Ok(Cursor { from: 17, until: None }), "an empty batch is none");
        for nonsense in ["", " ", "17 ", "x", "-1", "17 x", "17  25"] {
            assert!(Cursor::read(nonsense).is_err(), "{nonsense:?}");
        }
    }

    #[test]
    fn a_request_is_bounded_by_bytes_and_never_empty() {
        let event = |bytes| LoggedEvent { position: 0, bytes: vec![b'x'; bytes] };
        for (sizes, left) in
            [(vec![REQUEST + 1, 1], 1), (vec![REQUEST, 1], 1), (vec![REQUEST - 1, 1, 1], 2), (vec![1], 1)]
        {
            let mut events: Vec<_> = sizes.iter().map(|size| event(*size)).collect();
            fit(&mut events);
            assert_eq!(events.len(), left, "{sizes:?}");
        }
    }
}
