//! Secrets, which never stand in the file: `X_file` or `X_env`.

use super::Reader;
use crate::config::file::{At, Span, Text};
use crate::config::finding::Code;
use crate::kernel::values::Secret;
use std::path::{Path, PathBuf};

/// A secret file is at most this long; a longer one is something else.
const LONGEST: usize = 64 * 1024;

impl Reader<'_> {
    /// The secret, if `KEY_file` or `KEY_env` is written. In a check of the syntax nothing is read and the secret is empty.
    pub(super) fn secret(&mut self, key: &str, file: &Text, variable: &Text) -> Option<(Secret, Span)> {
        let (text, span) = match (file, variable) {
            (None, None) => return None,
            (Some(_), Some(variable)) => {
                let what = format!("`{key}_file` and `{key}_env` are both written");
                self.say.error(Code::Either, variable.span(), what, "leave one of them");
                return None;
            }
            (Some(file), None) => (self.secret_file(file), file.span()),
            (None, Some(variable)) => (self.secret_variable(variable), variable.span()),
        };
        match text {
            Ok(text) => Some((Secret::new(text), span)),
            Err(why) => {
                let write = format!("put the secret there, or change {key}_file or {key}_env");
                self.say.error(Code::SecretUnreadable, span.clone(), why, write);
                // What else is wrong with this connection is still worth saying; a file with an error is never used.
                Some((Secret::new(String::new()), span))
            }
        }
    }

    fn secret_file(&self, file: &At<String>) -> Result<String, String> {
        let Some(world) = self.world else { return Ok(String::new()) };
        let path = self.path_of(file);
        let bytes = world.file(&path).map_err(|why| format!("{} cannot be read: {why}", path.display()))?;
        if bytes.len() > LONGEST {
            return Err(format!("{} is too long for a secret", path.display()));
        }
        let text = String::from_utf8(bytes).map_err(|_| format!("{} is not text", path.display()))?;
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() { Err(format!("{} is empty", path.display())) } else { Ok(text.to_owned()) }
    }

    fn secret_variable(&self, variable: &At<String>) -> Result<String, String> {
        let Some(world) = self.world else { return Ok(String::new()) };
        let value = world.variable(variable).filter(|value| !value.is_empty());
        value.ok_or_else(|| format!("the environment variable {:?} is not set", variable.as_str()))
    }

    /// A path in the file is relative to the file's folder.
    pub(super) fn path_of(&self, written: &str) -> PathBuf {
        if Path::new(written).is_absolute() { PathBuf::from(written) } else { self.folder.join(written) }
    }
}
