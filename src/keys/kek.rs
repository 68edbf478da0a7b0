//! The key-encryption key: the one secret that is not in the store.

use super::canonical::Canonical;
use super::sealing::{Aead, derive};
use super::{KEY_BYTES, Raw};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use zeroize::Zeroizing;

/// Seals and opens key rows; every kind under a subkey of its own.
#[derive(Clone)]
pub struct Kek(Raw);

/// Why there is no key-encryption key.
#[derive(Debug, thiserror::Error)]
pub enum KekFault {
    /// The file cannot be read or written.
    #[error("the key file cannot be used: {0}")]
    File(#[from] io::Error),
    /// It holds something else.
    #[error(
        "the key file must hold 32 random bytes, as they are, in hexadecimal or in base64 (openssl rand -base64 32)"
    )]
    Shape,
}

/// More than any accepted spelling of 32 bytes.
const MAX_FILE: u64 = 128;

impl std::fmt::Debug for Kek {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kek(…)")
    }
}

impl Kek {
    /// Wraps 32 uniformly random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads `key_file`: 32 raw bytes, 64 hexadecimal digits or padded base64, white space around text allowed.
    ///
    /// # Errors
    /// [`KekFault`] when it cannot be read or is none of these.
    pub fn load(path: &Path) -> Result<Self, KekFault> {
        let mut bytes = Zeroizing::new(Vec::new());
        File::open(path)?.take(MAX_FILE).read_to_end(&mut bytes)?;
        Self::parse(&bytes).ok_or(KekFault::Shape)
    }

    /// Writes a new key as 32 raw bytes, readable by its owner alone, and durable when this returns.
    ///
    /// # Errors
    /// [`KekFault::File`], also when the file exists: a key is never written over.
    pub fn create(path: &Path, random: [u8; 32]) -> Result<Self, KekFault> {
        let key = Self::new(random);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(key.0.as_ref())?;
        file.sync_all()?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        Ok(key)
    }

    /// Reads a key given as text: 64 hexadecimal digits or padded base64.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::parse(text.as_bytes())
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        if let Ok(raw) = <[u8; KEY_BYTES]>::try_from(bytes) {
            return Some(Self::new(raw));
        }
        let text = bytes.trim_ascii();
        let decoded = Zeroizing::new(match text.len() {
            64 => from_hex(text)?,
            _ => STANDARD.decode(text).ok()?,
        });
        <[u8; KEY_BYTES]>::try_from(decoded.as_slice()).ok().map(Self::new)
    }

    pub(super) fn seal_row(&self, kind: &str, generation: u32, raw: &[u8]) -> Option<Vec<u8>> {
        self.row_key(kind)?.seal(&row_aad(kind, generation), raw)
    }

    pub(super) fn open_row(&self, kind: &str, generation: u32, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.row_key(kind)?.open(&row_aad(kind, generation), sealed)
    }

    fn row_key(&self, kind: &str) -> Option<Aead> {
        Aead::new(&derive(self.0.as_ref(), &format!("row {kind}"))?)
    }
}

fn row_aad(kind: &str, generation: u32) -> Vec<u8> {
    Canonical::new("fedgate key row 1").text(kind).number(generation.into()).finish()
}

fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.chunks_exact(2);
    pairs
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
            _ => None,
        })
        .collect()
}
