//! The file that a product wrote: JSON lines or CSV, read a row at a time in bounded memory, as often as the import needs.

use super::super::stored::Wrong;
use crate::kernel::import::{Columns, ImportRow, LONGEST_ROW, RowFault, read_json};
use aws_lc_rs::digest::{Context, SHA256};
use csv::StringRecord;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most that a reader takes in between two CSV records: a quote that is never closed must not take the memory.
const LONGEST_RECORD: usize = 2 * LONGEST_ROW;

/// The longest row with its end of line.
const WITH_END: u64 = LONGEST_ROW as u64 + 2;

/// Rows in their order, counted from 1.
pub enum Rows {
    /// One object a line; empty lines are left out.
    Json {
        /// Where lines come from.
        reader: BufReader<File>,
        /// Bytes read so far.
        at: u64,
    },
    /// A header and records.
    Csv {
        /// Where records come from.
        reader: csv::Reader<Bounded<File>>,
        /// What was read since the last record.
        taken: Arc<AtomicUsize>,
        /// What the header says.
        columns: Columns,
    },
}

/// SHA-256 of the file: what an import that goes on must be the import of.
pub fn digest(path: &Path) -> Result<String, Wrong> {
    let mut file = open(path)?;
    let mut hash = Context::new(&SHA256);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(|why| unreadable(path, &why))? {
            0 => break,
            read => hash.update(buffer.get(..read).unwrap_or_default()),
        }
    }
    Ok(hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn open(path: &Path) -> Result<File, Wrong> {
    File::open(path).map_err(|why| unreadable(path, &why))
}

fn unreadable(path: &Path, why: &io::Error) -> Wrong {
    Wrong(format!("{} cannot be read: {why}", path.display()))
}

impl Rows {
    /// Opens a file; `.csv` is CSV, everything else JSON lines.
    pub fn open(path: &Path) -> Result<Self, Wrong> {
        let file = open(path)?;
        if !path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
            return Ok(Self::Json { reader: BufReader::with_capacity(1 << 16, file), at: 0 });
        }
        let taken = Arc::new(AtomicUsize::new(0));
        let bounded = Bounded { inner: file, taken: Arc::clone(&taken) };
        // Another number of fields is the row's mistake, not the file's.
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bounded);
        let header = reader.headers().map_err(|why| Wrong(format!("the header of {}: {why}", path.display())))?;
        let columns = Columns::of_header(header.iter()).map_err(|why| Wrong(format!("{}: {why}", path.display())))?;
        Ok(Self::Csv { reader, taken, columns })
    }

    /// How far into the file the rows so far reach, in bytes.
    pub fn position(&self) -> u64 {
        match self {
            Self::Json { at, .. } => *at,
            Self::Csv { reader, .. } => reader.position().byte(),
        }
    }

    /// The next row, or what is wrong with it; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read on.
    pub fn next(&mut self) -> Result<Option<Result<ImportRow, RowFault>>, Wrong> {
        match self {
            Self::Json { reader, at } => loop {
                match line(reader, at).map_err(|why| Wrong(format!("the file cannot be read on: {why}")))? {
                    Line::End => return Ok(None),
                    Line::Long => return Ok(Some(Err(RowFault::TooLong))),
                    Line::Bytes(bytes) if bytes.trim_ascii().is_empty() => {}
                    Line::Bytes(bytes) => {
                        let text = std::str::from_utf8(&bytes).map_err(|_| RowFault::Shape("not UTF-8".to_owned()));
                        return Ok(Some(text.and_then(|text| read_json(text.trim()))));
                    }
                }
            },
            Self::Csv { reader, taken, columns } => {
                taken.store(0, Ordering::Relaxed);
                let mut record = StringRecord::new();
                match reader.read_record(&mut record) {
                    Ok(false) => Ok(None),
                    Ok(true) => Ok(Some(columns.read(record.iter()))),
                    Err(why) => match why.kind() {
                        csv::ErrorKind::Utf8 { .. } => Ok(Some(Err(RowFault::Shape("not UTF-8".to_owned())))),
                        _ => Err(Wrong(format!("the file cannot be read on: {why}"))),
                    },
                }
            }
        }
    }
}

enum Line {
    End,
    Long,
    Bytes(Vec<u8>),
}

/// One line; of one that is too long nothing is kept.
fn line(reader: &mut BufReader<File>, at: &mut u64) -> io::Result<Line> {
    let mut bytes = Vec::new();
    let read = reader.by_ref().take(WITH_END).read_until(b'\n', &mut bytes)?;
    let is_whole = bytes.ends_with(b"\n") || bytes.len() <= LONGEST_ROW;
    let rest = if is_whole { 0 } else { reader.skip_until(b'\n')? };
    *at = at.saturating_add((read + rest) as u64);
    Ok(match read {
        0 => Line::End,
        _ if is_whole => Line::Bytes(bytes),
        _ => Line::Long,
    })
}

/// A reader that gives up where one record takes too much.
pub struct Bounded<R> {
    inner: R,
    taken: Arc<AtomicUsize>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        if self.taken.fetch_add(read, Ordering::Relaxed) > LONGEST_RECORD {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a record of more than 128 KiB: a quote may be open",
            ));
        }
        Ok(read)
    }
}
