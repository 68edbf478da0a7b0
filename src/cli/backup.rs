//! `fedgate backup`: the store in one file, while a gateway serves.
//!
//! ```text
//! fedgate-backup 1 ⟨what it holds, sealed under the key-encryption key⟩\n
//! ⟨the store's file⟩
//! ```
//! What is sealed names length and SHA-256 of the rest: a file that another hand made or changed is no backup (rule H17). It is not
//! encrypted: whoever reads it reads people's addresses, as in the store; keys, seeds and secrets in it are sealed.

use super::node::state;
use super::stored::{self, Wrong};
use super::{Common, Screen};
use crate::clock::Clock;
use crate::config::Config;
use crate::kernel::journal::KeyRow;
use crate::kernel::values::Timestamp;
use crate::keys::Kek;
use crate::store::{keys_of, snapshot};
use aws_lc_rs::digest::{Context, SHA256};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What the first line begins with.
const MAGIC: &str = "fedgate-backup 1 ";
/// The kind under which what a backup holds is sealed.
const KIND: &str = "backup";
/// The longest first line.
const LONGEST_HEAD: u64 = 4096;

/// `fedgate backup`.
#[derive(clap::Args, Clone, Debug)]
#[command(
    after_help = "Example:\n  fedgate backup /var/backups/fedgate-2026-11-30\n\nThe gateway may run meanwhile. A store on a PostgreSQL \
                  server is backed up with the server's own tools (docs/backup.md)."
)]
pub struct Arguments {
    /// A file that is not there yet; it is written with mode 0600.
    pub file: PathBuf,
}

/// What a backup holds.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// Milliseconds since 1970.
    pub made_at: i64,
    /// Events of the audit log.
    pub events: u64,
    /// The version of the store's tables.
    pub version: u32,
    length: u64,
    sha256: String,
}

impl Manifest {
    /// When it was made.
    pub fn at(&self) -> Timestamp {
        Timestamp::from_millis(self.made_at)
    }
}

/// Makes one.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn run(arguments: &Arguments, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let done = backup(arguments, common, screen);
    stored::finish(done, common, screen)
}

/// The file of an embedded store.
pub(super) fn store_file(config: &Config) -> Result<PathBuf, Wrong> {
    let file = config.store.expose().strip_prefix("sqlite:").map(|file| config.state.join(file));
    file.ok_or_else(|| {
        Wrong(
            "this store is on a PostgreSQL server: use its own backups (pg_basebackup, point-in-time recovery). A gateway that sees \
             that its store went back in time shuts it by itself; see docs/backup.md"
                .to_owned(),
        )
    })
}

fn backup(arguments: &Arguments, common: &Common, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
    let config = stored::configuration(common)?;
    let store = store_file(&config)?;
    if !store.exists() {
        return Err(Wrong(format!("there is no store at {} yet: `fedgate run` makes it", store.display())));
    }
    let kek = state::kek(&config.key)?;
    let into = &arguments.file;
    // The name is taken first, so that nothing is written over and nobody else reads what is written.
    let named = |why: io::Error| Wrong(format!("{} cannot be made: {why}", into.display()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(into).map_err(named)?;
    let part = beside(into, "part");
    let written = write(&store, &part, (&mut file, &kek));
    let gone = std::fs::remove_file(&part);
    let manifest = match (written, gone) {
        (Ok(manifest), Ok(())) => manifest,
        (Ok(_), Err(why)) => return Err(Wrong(format!("{} cannot be removed: {why}", part.display()))),
        (Err(why), _) => {
            std::fs::remove_file(into).map_err(named)?;
            return Err(why);
        }
    };
    let (at, events, bytes) = (manifest.at().to_string(), manifest.events, manifest.length);
    if common.json {
        let said = json!({ "file": into.display().to_string(), "made_at": at, "events": events, "bytes": bytes });
        writeln!(screen.out, "{said}")?;
    } else {
        writeln!(screen.out, "{}: the store of {at}, {events} events, {bytes} bytes", into.display())?;
        writeln!(screen.out, "It opens only with the key-encryption key of this gateway: keep that elsewhere.")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn write(store: &Path, part: &Path, (file, kek): (&mut File, &Kek)) -> Result<Manifest, Wrong> {
    let now = Clock::system().now();
    let made = snapshot(store, part)?;
    // It opens by the key by which what is in it does.
    kek.settle(&keys_of(part)?);
    let (length, sha256) = measure(&mut File::open(part)?)?;
    let manifest = Manifest { made_at: now.millis(), events: made.events, version: made.version, length, sha256 };
    let sealed = kek.seal_item(KIND, 1, &serde_json::to_vec(&manifest)?, now)?;
    writeln!(file, "{MAGIC}{}", URL_SAFE_NO_PAD.encode(&sealed.sealed))?;
    io::copy(&mut File::open(part)?, file)?;
    file.sync_all()?;
    Ok(manifest)
}

/// Length and SHA-256 of what is left of a file.
fn measure(file: &mut impl Read) -> io::Result<(u64, String)> {
    let (mut hash, mut length, mut buffer) = (Context::new(&SHA256), 0, vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(buffer.get(..read).unwrap_or_default());
        length += u64::try_from(read).unwrap_or(0);
    }
    Ok((length, hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// Takes the store out of a backup, into a new file of mode 0600; nothing of it was used before it is whole.
pub(super) fn unpack(backup: &Path, into: &Path, kek: &Kek) -> Result<Manifest, Wrong> {
    let unreadable = |why: &dyn std::fmt::Display| Wrong(format!("{} cannot be read: {why}", backup.display()));
    let mut file = BufReader::new(File::open(backup).map_err(|why| unreadable(&why))?);
    let mut head = String::new();
    let read = (&mut file).take(LONGEST_HEAD).read_line(&mut head);
    read.map_err(|why| unreadable(&why))?;
    let manifest = manifest(&head, kek).map_err(|why| unreadable(&why))?;
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(into)?;
    let copied = io::copy(&mut (&mut file).take(manifest.length.saturating_add(1)), &mut out)?;
    out.sync_all()?;
    let (length, sha256) = measure(&mut File::open(into)?)?;
    if copied != manifest.length || length != manifest.length || sha256 != manifest.sha256 {
        std::fs::remove_file(into)?;
        return Err(unreadable(&"it was changed or cut since it was made"));
    }
    Ok(manifest)
}

fn manifest(head: &str, kek: &Kek) -> Result<Manifest, &'static str> {
    let sealed = head.strip_prefix(MAGIC).and_then(|head| head.strip_suffix('\n'));
    let sealed = sealed.and_then(|sealed| URL_SAFE_NO_PAD.decode(sealed).ok());
    let sealed = sealed.ok_or("it is no backup of this version")?;
    let row = KeyRow { kind: KIND.to_owned(), generation: 1, sealed, created_at: Timestamp::from_millis(0) };
    let bytes = kek.open_item(&row).map_err(|_| "another key-encryption key made it, or it was changed")?;
    serde_json::from_slice(&bytes).map_err(|_| "it is no backup of this version")
}

/// A name in the same folder.
pub(super) fn beside(file: &Path, what: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{what}"));
    file.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m23_a_backup_of_a_store_under_the_key_that_follows_opens_by_that_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (old, new) = (Kek::new([1; 32]), Kek::new([2; 32]));
        drop(crate::store::Sqlite::open(&at("db"), Clock::system()).unwrap());
        let put = |kek: &Kek, generation: u32| {
            let row = kek.seal_item("test.item", generation, b"secret", Timestamp::from_millis(0)).unwrap();
            let db = rusqlite::Connection::open(at("db")).unwrap();
            let row = (&row.kind, row.generation, &row.sealed, 0);
            db.execute("INSERT INTO key (kind, generation, sealed, created_at) VALUES (?, ?, ?, ?)", row).unwrap();
        };
        let opens = |name: &str, by: &Kek| {
            let both = old.clone().followed_by(new.clone()).unwrap();
            let mut file = File::create(at(name)).unwrap();
            write(&at("db"), &at(&format!("{name}.part")), (&mut file, &both)).unwrap();
            unpack(&at(name), &at(&format!("{name}.whole")), by).is_ok()
        };
        put(&old, 1);
        assert!(opens("before", &old));
        put(&new, 2);
        assert!(opens("after", &new));
    }

    #[test]
    fn h17_a_backup_that_another_hand_made_or_changed_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (kek, other) = (Kek::new([1; 32]), Kek::new([2; 32]));
        drop(crate::store::Sqlite::open(&at("db"), Clock::system()).unwrap());
        let mut file = File::create(at("backup")).unwrap();
        let made = write(&at("db"), &at("part"), (&mut file, &kek)).unwrap();
        assert_eq!(unpack(&at("backup"), &at("whole"), &kek).unwrap(), made);
        assert_eq!(std::fs::read(at("whole")).unwrap(), std::fs::read(at("part")).unwrap());
        let beside: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert!(beside.iter().all(|name| !name.to_string_lossy().contains("part-")), "{beside:?}");
        assert!(unpack(&at("backup"), &at("theirs"), &other).unwrap_err().0.contains("another key-encryption key"));
        let bytes = std::fs::read(at("backup")).unwrap();
        let check = |name: &str, bytes: &[u8], why: &str| {
            std::fs::write(at(name), bytes).unwrap();
            let said = unpack(&at(name), &at(&format!("{name}.out")), &kek).unwrap_err().0;
            assert!(said.contains(why), "{name}: {said}");
            assert!(!at(&format!("{name}.out")).exists(), "{name}: nothing is left of it");
        };
        let mut flipped = bytes.clone();
        *flipped.last_mut().unwrap() ^= 1;
        check("flipped", &flipped, "changed or cut");
        check("cut", &bytes[..bytes.len() - 1], "changed or cut");
        check("longer", &[&bytes[..], b"x"].concat(), "changed or cut");
        check("headless", &bytes[1..], "no backup");
        let mut head = bytes;
        head[MAGIC.len() + 20] ^= 1;
        check("head", &head, "");
    }
}
