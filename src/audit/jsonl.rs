//! A file of JSON lines: `{"position":5,"event":{…}}`, or the event in OCSF, and `{"checkpoint":"…"}`. Mode 0600, synced after each batch, rotated by
//! size to `.1`, `.2`… It finds its own last line when it opens, so that a crash neither loses nor doubles a position.

use super::format::Format;
use super::people::{People, PseudonymKey};
use super::sink::{Line, Sink, SinkOptions};
use crate::kernel::event::AuditEvent;
use crate::store::LoggedEvent;
use async_trait::async_trait;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// An event's position and its whole line.
type EventLine = (u64, Vec<u8>);

/// A file of JSON lines.
pub struct Jsonl {
    path: PathBuf,
    name: String,
    file: File,
    size: u64,
    people: People,
    format: Format,
    key: PseudonymKey,
    rotate_bytes: u64,
    keep: u32,
    /// The last event line in the files.
    last: Option<EventLine>,
}

impl Jsonl {
    /// Opens or creates the file. A line that a crash cut in half is removed: its event comes again.
    ///
    /// # Errors
    /// What the disk says.
    pub fn open(path: &Path, options: &SinkOptions, key: PseudonymKey) -> io::Result<Self> {
        let file = append(path)?;
        let (whole, mut last) = scan(path)?;
        if last.is_none() && numbered(path, 1).exists() {
            // Just rotated.
            last = scan(&numbered(path, 1))?.1;
        }
        file.set_len(whole)?;
        Ok(Self {
            path: path.to_owned(),
            name: options.url.clone(),
            file,
            size: whole,
            people: options.people.unwrap_or(People::Pseudonym),
            format: options.format,
            key,
            rotate_bytes: options.rotate_bytes,
            keep: options.keep.max(1),
            last,
        })
    }

    fn event_line(&self, event: &LoggedEvent) -> io::Result<Vec<u8>> {
        if self.people == People::Clear {
            return self.format.line(event).map_err(io::Error::other);
        }
        let read: AuditEvent = serde_json::from_slice(&event.bytes)?;
        let hidden = LoggedEvent { position: event.position, bytes: self.key.hide(read).bytes()? };
        self.format.line(&hidden).map_err(io::Error::other)
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..self.keep).rev() {
            let from = numbered(&self.path, number);
            if from.exists() {
                std::fs::rename(from, numbered(&self.path, number + 1))?;
            }
        }
        std::fs::rename(&self.path, numbered(&self.path, 1))?;
        self.file = append(&self.path)?;
        self.size = 0;
        // The names are durable too before anything is written under them.
        File::open(self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))?
            .sync_all()
    }

    /// What must be appended for these lines, and the last event line then.
    fn text(&self, lines: &[Line]) -> io::Result<(Vec<u8>, Option<EventLine>)> {
        let mut text = Vec::new();
        let mut last = self.last.clone();
        for line in lines {
            let event = match line {
                Line::Event(event) => event,
                Line::Checkpoint(row) => {
                    text.extend_from_slice(serde_json::json!({ "checkpoint": row.note }).to_string().as_bytes());
                    text.push(b'\n');
                    continue;
                }
            };
            let written = self.event_line(event)?;
            match &last {
                Some((position, before)) if event.position == *position && *before != written => {
                    return Err(io::Error::other(format!(
                        "event {position} is another one in the file: the store was rolled back, or the file is another \
                         store's, or `people` or `format` was changed; move the file away"
                    )));
                }
                Some((position, _)) if event.position <= *position => {}
                _ => {
                    text.extend_from_slice(&written);
                    last = Some((event.position, written));
                }
            }
        }
        Ok((text, last))
    }

    fn append_all(&mut self, lines: &[Line]) -> io::Result<()> {
        let (text, last) = self.text(lines)?;
        if text.is_empty() {
            return Ok(());
        }
        if self.size > 0 && self.size >= self.rotate_bytes {
            self.rotate()?;
        }
        if let Err(fault) = self.file.write_all(&text).and_then(|()| self.file.sync_data()) {
            // Half a batch may stand there: take it back, or the next try doubles it.
            self.file.set_len(self.size)?;
            return Err(fault);
        }
        self.size += u64::try_from(text.len()).unwrap_or(0);
        self.last = last;
        Ok(())
    }
}

#[async_trait]
impl Sink for Jsonl {
    fn name(&self) -> &str {
        &self.name
    }

    /// Blocks for a sync to disk: sinks run beside requests, never on their threads.
    async fn write(&mut self, lines: &[Line]) -> io::Result<()> {
        self.append_all(lines)
    }
}

/// An event's line; `bytes` are its JSON.
pub(super) fn line(position: u64, bytes: &[u8]) -> Vec<u8> {
    [format!("{{\"position\":{position},\"event\":").as_bytes(), bytes, b"}\n"].concat()
}

/// The position and the event's bytes, exactly as [`line`] was given them.
pub(super) fn read_line(line: &[u8]) -> Option<(u64, &[u8])> {
    let rest = line.strip_prefix(b"{\"position\":")?;
    let comma = rest.iter().position(|byte| *byte == b',')?;
    let (number, rest) = rest.split_at_checked(comma)?;
    let event = rest.strip_prefix(b",\"event\":")?.strip_suffix(b"}")?;
    let position: u64 = std::str::from_utf8(number).ok()?.parse().ok()?;
    (position.to_string().as_bytes() == number).then_some((position, event))
}

/// The position of the event that this line holds, in whichever form; `None` for a checkpoint.
fn position_of(line: &[u8]) -> Option<u64> {
    if let Some((position, _)) = read_line(line) {
        return Some(position);
    }
    let object: serde_json::Value = serde_json::from_slice(line).ok()?;
    object.pointer("/metadata/sequence")?.as_u64()
}

/// How many bytes of whole lines a file holds, and its last event line.
fn scan(path: &Path) -> io::Result<(u64, Option<EventLine>)> {
    let mut reader = BufReader::new(File::open(path)?);
    let (mut whole, mut last) = (0, None);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let read = reader.read_until(b'\n', &mut bytes)?;
        let Some(text) = bytes.strip_suffix(b"\n") else { return Ok((whole, last)) };
        if let Some(position) = position_of(text) {
            last = Some((position, bytes.clone()));
        }
        whole += u64::try_from(read).unwrap_or(0);
    }
}

/// The file as long as nobody else writes it: what two processes append to one file is in no order, and each would take the other's
/// lines for its own.
fn append(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| io::Error::other("another process writes to it; give each gateway a file of its own"))?;
    Ok(file)
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_line_reads_back_to_the_byte(position: u64, bytes: Vec<u8>) {
            let line = line(position, &bytes);
            proptest::prop_assert_eq!(read_line(line.strip_suffix(b"\n").unwrap()), Some((position, bytes.as_slice())));
        }

        #[test]
        fn no_line_panics(text: Vec<u8>) {
            let text = [b"{\"position\":".as_slice(), &text].concat();
            if let Some((position, event)) = read_line(&text) {
                // Leading zeros or a sign would be a second spelling of one line.
                proptest::prop_assert_eq!(line(position, event), [text.as_slice(), b"\n"].concat());
            }
        }
    }
}
