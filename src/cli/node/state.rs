//! The state folder: made 0700, locked by one process at a time; the key-encryption key.

use super::NotStarted;
use crate::config::KeySource;
use crate::entropy::random;
use crate::keys::{Kek, KekFault};
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Held while this process uses the folder; the operating system releases it with the process.
pub struct Lock(#[expect(dead_code, reason = "the open file is the lock")] File);

/// Makes and locks the state folder.
///
/// # Errors
/// A sentence when it cannot be made, or another process uses it.
pub fn open(folder: &Path) -> Result<Lock, NotStarted> {
    let at = folder.display();
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|why| {
        NotStarted::new(&format!("the state folder {at} cannot be made (state = \"…\" names another)"), &why)
    })?;
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(folder.join("lock"));
    let file = file.map_err(|why| NotStarted::new(&format!("the state folder {at} cannot be written"), &why))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        NotStarted(format!("another fedgate uses the state folder {at}; stop it, or give this one its own"))
    })?;
    Ok(Lock(file))
}

/// Reads the key that seals keys; makes the default one at the first start.
///
/// # Errors
/// A sentence when it cannot be read or made.
pub fn kek(source: &KeySource) -> Result<Kek, NotStarted> {
    match source {
        KeySource::File(path) => {
            let loaded = if path.exists() { Kek::load(path) } else { Kek::create(path, random()) };
            loaded.map_err(|why| NotStarted::new(&format!("the key {} cannot be used", path.display()), &why))
        }
        KeySource::Variable(name) => {
            let text = std::env::var(name).map_err(|why| NotStarted::new(&format!("the variable {name}"), &why))?;
            Kek::from_text(&text)
                .ok_or(KekFault::Shape)
                .map_err(|why| NotStarted::new(&format!("the key in the variable {name}"), &why))
        }
    }
}
