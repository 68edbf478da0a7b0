//! The log as a folder that can be verified and searched without the store: `events.jsonl`, `checkpoints.jsonl`, `checkpoint`
//! (the newest) and the hashes as C2SP `tlog-tiles` under `tile/`.

use super::jsonl::{line, read_line};
use super::tree::CompactRange;
use super::verify::Verifier;
use crate::store::{Store, Unavailable};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Hashes in a full tile (C2SP tlog-tiles).
const TILE: usize = 256;

/// Why an export stopped.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] Unavailable),
    /// The folder cannot be written.
    #[error("the export cannot be written: {0}")]
    File(#[from] io::Error),
}

/// Writes the whole log to a folder, as it stands in the store: people in clear, files with mode 0600.
///
/// # Errors
/// [`ExportError`]; files that exist are not written over.
pub async fn export(store: &dyn Store, folder: &Path) -> Result<u64, ExportError> {
    let checkpoints = store.checkpoints().await?;
    let size = store.log_size().await?;
    std::fs::create_dir_all(folder)?;
    let mut file = create(&folder.join("checkpoints.jsonl"))?;
    for row in &checkpoints {
        writeln!(file, "{}", serde_json::json!({ "checkpoint": row.note }))?;
    }
    file.flush()?;
    if let Some(newest) = checkpoints.last() {
        let mut file = create(&folder.join("checkpoint"))?;
        file.write_all(newest.note.as_bytes())?;
        file.flush()?;
    }
    let mut events = create(&folder.join("events.jsonl"))?;
    let mut tiles = Tiles { folder: folder.join("tile"), levels: Vec::new() };
    let mut from = 0;
    while from < size {
        let chunk = store.log(from, TILE).await?;
        let Some(next) = chunk.last().map(|event| event.position.saturating_add(1)) else { break };
        for event in &chunk {
            events.write_all(&line(event.position, &event.bytes))?;
        }
        for leaf in store.leaf_hashes(from, next).await? {
            tiles.push(0, leaf)?;
        }
        from = next;
    }
    events.flush()?;
    tiles.finish()?;
    Ok(size)
}

fn create(path: &Path) -> io::Result<BufWriter<File>> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    Ok(BufWriter::new(OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?))
}

/// Tiles under way: for each level how many are written, and the hashes of the next.
struct Tiles {
    folder: PathBuf,
    levels: Vec<(u64, Vec<[u8; 32]>)>,
}

impl Tiles {
    fn push(&mut self, level: usize, hash: [u8; 32]) -> io::Result<()> {
        if self.levels.len() <= level {
            self.levels.resize(level + 1, (0, Vec::new()));
        }
        let Some((number, hashes)) = self.levels.get_mut(level) else { return Ok(()) };
        hashes.push(hash);
        if hashes.len() < TILE {
            return Ok(());
        }
        let mut tile = CompactRange::default();
        hashes.iter().for_each(|hash| tile.push(*hash));
        write_tile(&tile_path(&self.folder, level, *number), hashes)?;
        hashes.clear();
        *number += 1;
        self.push(level + 1, tile.root())
    }

    fn finish(self) -> io::Result<()> {
        for (level, (number, hashes)) in self.levels.into_iter().enumerate().filter(|(_, (_, rest))| !rest.is_empty()) {
            let mut path = tile_path(&self.folder, level, number).into_os_string();
            path.push(format!(".p/{}", hashes.len()));
            write_tile(Path::new(&path), &hashes)?;
        }
        Ok(())
    }
}

fn write_tile(path: &Path, hashes: &[[u8; 32]]) -> io::Result<()> {
    let mut file = create(path)?;
    file.write_all(hashes.as_flattened())?;
    file.flush()
}

/// `LEVEL/x001/x234/067` for tile 1234067 (C2SP tlog-tiles).
fn tile_path(folder: &Path, level: usize, number: u64) -> PathBuf {
    let mut path = format!("{:03}", number % 1000);
    let mut rest = number / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    folder.join(level.to_string()).join(path)
}

/// Feeds an exported folder to a verifier, which is made from the folder's checkpoints.
pub(super) fn read_folder(folder: &Path, begin: impl FnOnce(Vec<String>) -> Verifier) -> io::Result<Verifier> {
    let mut notes = Vec::new();
    for text in BufReader::new(File::open(folder.join("checkpoints.jsonl"))?).lines() {
        let line: serde_json::Value = serde_json::from_str(&text?)?;
        // What is no note is handed on as one, and found wanting there.
        notes.push(line.get("checkpoint").and_then(|note| note.as_str()).unwrap_or_default().to_owned());
    }
    let mut verifier = begin(notes);
    let mut events = BufReader::new(File::open(folder.join("events.jsonl"))?);
    let mut tile = Vec::new();
    let mut bytes = Vec::new();
    let mut number = 0;
    while events.read_until(b'\n', &mut bytes)? > 0 {
        if number % TILE == 0 {
            tile = read_tile(&folder.join("tile"), number / TILE);
        }
        let stored = tile.get(number % TILE).copied();
        let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        match read_line(text) {
            Some((position, event)) => verifier.event(position, event, stored),
            // A line that is none is an edited one: its hash fits nothing.
            None => verifier.event(u64::try_from(number).unwrap_or(u64::MAX), text, stored),
        }
        bytes.clear();
        number += 1;
    }
    Ok(verifier)
}

/// A level-0 tile, full or partial; empty when it is not there, which the roots then answer for.
fn read_tile(folder: &Path, number: usize) -> Vec<[u8; 32]> {
    let path = tile_path(folder, 0, u64::try_from(number).unwrap_or(u64::MAX));
    let mut partial = path.clone().into_os_string();
    partial.push(".p");
    let newest = std::fs::read_dir(&partial).ok().and_then(|entries| entries.flatten().map(|entry| entry.path()).max());
    let bytes = std::fs::read(&path).ok().or_else(|| std::fs::read(newest?).ok()).unwrap_or_default();
    bytes.as_chunks::<32>().0.to_vec()
}
