//! The state folder: made 0700, locked by one process at a time; the node's name; the key-encryption key.

use super::NotStarted;
use crate::config::{KeySource, KeySources};
use crate::entropy::random;
use crate::keys::{Kek, KekFault};
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
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

/// The name of the node that has this folder, made at its first start: machines may be called alike, and a container's name changes.
///
/// # Errors
/// A sentence when it cannot be read or made.
pub fn name(folder: &Path) -> Result<String, NotStarted> {
    let path = folder.join("node");
    let fault = |why: std::io::Error| NotStarted::new(&format!("{} cannot be used", path.display()), &why);
    match std::fs::read_to_string(&path) {
        Ok(name) if is_name(&name) => return Ok(name),
        Ok(_) => return Err(NotStarted(format!("{} holds no name of a node; remove it", path.display()))),
        Err(why) if why.kind() == ErrorKind::NotFound => {}
        Err(why) => return Err(fault(why)),
    }
    let name: String = random::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
    // Written aside: a crash leaves a whole name or none.
    let new = folder.join("node.new");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new).map_err(fault)?;
    file.write_all(name.as_bytes()).and_then(|()| file.sync_all()).map_err(fault)?;
    std::fs::rename(&new, &path).map_err(fault)?;
    Ok(name)
}

fn is_name(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Reads the key that seals keys, and its successor where there is one; makes the default one at the first start.
///
/// # Errors
/// A sentence when one cannot be read or made, or both are the same.
pub fn kek(sources: &KeySources) -> Result<Kek, NotStarted> {
    let kek = match &sources.now {
        KeySource::File(path) if !path.exists() => Kek::create(path, random()).map_err(|why| unusable(path, &why))?,
        source => read_kek(source)?,
    };
    let Some(next) = &sources.next else { return Ok(kek) };
    kek.followed_by(read_kek(next)?)
        .ok_or_else(|| NotStarted("the key that is to follow is the one that is there".into()))
}

fn read_kek(source: &KeySource) -> Result<Kek, NotStarted> {
    match source {
        KeySource::File(path) => Kek::load(path).map_err(|why| unusable(path, &why)),
        KeySource::Variable(name) => {
            let text = std::env::var(name).map_err(|why| NotStarted::new(&format!("the variable {name}"), &why))?;
            Kek::from_text(&text)
                .ok_or(KekFault::Shape)
                .map_err(|why| NotStarted::new(&format!("the key in the variable {name}"), &why))
        }
    }
}

fn unusable(path: &Path, why: &KekFault) -> NotStarted {
    NotStarted::new(&format!("the key {} cannot be used", path.display()), why)
}
