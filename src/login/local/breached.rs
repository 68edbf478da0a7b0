//! The operator's list of breached passwords: a sorted text file with a SHA-1 digest a line, whole or cut to 16 digits or more, as
//! the public lists come (`…:count` is passed over). It is searched where it lies and never read whole: it may have 40 GB.

use crate::kernel::local::BreachedRange;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// No line is longer.
const LINE: usize = 128;
/// Digits that a line has at least: fewer would refuse good passwords.
const DIGITS: usize = 16;

/// An open list.
#[derive(Debug)]
pub struct Breached {
    file: File,
    size: u64,
}

/// Why a list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadList {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    File(#[from] io::Error),
    /// Its beginning is something else.
    #[error("it must hold a SHA-1 digest a line, in hexadecimal, sorted (sort -o FILE FILE)")]
    Shape,
}

impl Breached {
    /// Opens a list and looks at its beginning and its order there.
    ///
    /// # Errors
    /// [`BadList`].
    pub fn open(path: &Path) -> Result<Self, BadList> {
        let file = File::open(path)?;
        let list = Self { size: file.metadata()?.len(), file };
        let (first, next) = list.line_after(0)?.ok_or(BadList::Shape)?;
        let second = list.line_after(next)?.map(|(line, _)| line);
        let in_order = second.is_none_or(|second| second >= first);
        if in_order { Ok(list) } else { Err(BadList::Shape) }
    }

    /// The digits of the line that begins here, and where the next one begins.
    fn line_after(&self, at: u64) -> Result<Option<(String, u64)>, BadList> {
        let mut bytes = [0; LINE];
        let read = self.file.read_at(&mut bytes, at)?;
        let read = bytes.get(..read).unwrap_or_default();
        if read.is_empty() {
            return Ok(None);
        }
        let length = read.iter().position(|byte| *byte == b'\n');
        let is_last = at.saturating_add(u64::try_from(read.len()).unwrap_or(0)) >= self.size;
        let line = match length {
            Some(length) => read.get(..length).unwrap_or_default(),
            None if is_last => read,
            None => return Err(BadList::Shape),
        };
        let next = at.saturating_add(u64::try_from(line.len()).unwrap_or(0)).saturating_add(1);
        let digits = line.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii_end();
        let sound = (DIGITS..=40).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
        let text = String::from_utf8_lossy(digits).to_ascii_uppercase();
        if sound { Ok(Some((text, next))) } else { Err(BadList::Shape) }
    }

    /// Where the first line at or after a byte begins.
    fn line_start(&self, at: u64) -> Result<u64, BadList> {
        if at == 0 {
            return Ok(0);
        }
        let mut bytes = [0; LINE];
        let read = self.file.read_at(&mut bytes, at - 1)?;
        let read = bytes.get(..read).unwrap_or_default();
        match read.iter().position(|byte| *byte == b'\n') {
            Some(length) => Ok((at - 1).saturating_add(u64::try_from(length).unwrap_or(0)).saturating_add(1)),
            None => Ok(self.size),
        }
    }

    fn find(&self, digest: &str) -> Result<bool, BadList> {
        // Lines that begin in `low..high` may hold it.
        let (mut low, mut high) = (0, self.size);
        while low < high {
            let middle = self.line_start(low + (high - low) / 2)?;
            // Past the last line: what is left begins before.
            let (line, next) = match self.line_after(middle)? {
                Some(found) if middle < high => found,
                Some(_) | None => {
                    high = low + (high - low) / 2;
                    continue;
                }
            };
            let own = digest.get(..line.len()).unwrap_or(digest);
            match line.as_str().cmp(own) {
                std::cmp::Ordering::Equal => return Ok(true),
                std::cmp::Ordering::Less => low = next,
                std::cmp::Ordering::Greater => high = middle.min(low + (high - low) / 2),
            }
        }
        Ok(false)
    }
}

impl BreachedRange for Breached {
    fn contains(&self, digest: &[u8; 20]) -> bool {
        let text: String = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        self.find(&text).unwrap_or_else(|fault| {
            // A list that went away in the middle refuses nobody a new password: the other rules still hold.
            tracing::error!(%fault, "the list of breached passwords does not answer");
            false
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::digest;

    fn sha1(text: &str) -> [u8; 20] {
        digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref().try_into().unwrap()
    }

    fn hex(text: &str) -> String {
        sha1(text).iter().map(|byte| format!("{byte:02X}")).collect()
    }

    fn list(lines: &[String]) -> Result<(tempfile::TempDir, Breached), BadList> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        std::fs::write(&path, lines.concat()).unwrap();
        Breached::open(&path).map(|list| (folder, list))
    }

    #[test]
    fn every_password_of_the_list_is_found_and_no_other() {
        for count in [1, 2, 3, 7, 100, 1000] {
            let mut digests: Vec<String> = (0..count).map(|number| hex(&format!("password{number}"))).collect();
            digests.sort();
            let line = |(number, digest): (usize, &String)| match number % 4 {
                0 => format!("{digest}:{number}\r\n"),
                1 => format!("{}\n", digest.to_lowercase()),
                2 => format!("{}\n", &digest[..16]),
                _ => format!("{digest}:1\n"),
            };
            let lines: Vec<String> = digests.iter().enumerate().map(line).collect();
            let (_folder, list) = list(&lines).unwrap();
            for number in 0..count {
                assert!(list.contains(&sha1(&format!("password{number}"))), "{number} of {count}");
            }
            for number in 0..200 {
                assert!(!list.contains(&sha1(&format!("other{number}"))), "{number} of {count}");
            }
        }
    }

    #[test]
    fn another_kind_of_file_is_refused() {
        let (one, other) = (format!("{}\n", hex("b")), format!("{}\n", hex("a")));
        let (low, high) = if one < other { (one, other) } else { (other, one) };
        assert!(matches!(list(&[high, low]), Err(BadList::Shape)), "not sorted");
        for text in ["", "password\n", "0123456789ABCDE\n", "\n"] {
            assert!(matches!(list(&[text.to_owned()]), Err(BadList::Shape)), "{text:?}");
        }
        assert!(matches!(Breached::open(Path::new("/nonexistent")), Err(BadList::File(_))));
    }
}
