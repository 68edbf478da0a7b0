//! Logs on standard error, text or JSON, with everything escaped that could forge or hide a line (rule M26).
//!
//! Deliberately absent: queries, cookies, tokens and addresses of people. Access lines name a session by `sid` only.

use std::fmt::Write as _;
use std::io::{self, Write};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// How lines look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// For people.
    Text,
    /// A JSON object a line.
    Json,
}

/// Another subscriber is already set in this process.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("logging was already set up")]
pub struct AlreadySet;

/// Sets up the process's log. `directives` as in `tracing_subscriber::EnvFilter`: `info`, `fedgate=debug`; what does not parse
/// is left out.
///
/// # Errors
/// [`AlreadySet`] on a second call.
pub fn init(format: Format, directives: &str) -> Result<(), AlreadySet> {
    let filter = EnvFilter::builder().parse_lossy(directives);
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(Escaping);
    match format {
        Format::Text => log.try_init(),
        Format::Json => log.json().flatten_event(true).try_init(),
    }
    .map_err(|_| AlreadySet)
}

/// A request to be logged.
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    /// The product, or `login`.
    pub place: &'a str,
    /// The method.
    pub method: &'a str,
    /// The path in normal form, without its query; of login pages without what follows the second segment.
    pub path: &'a str,
    /// The answer's status.
    pub status: u16,
    /// Which session.
    pub sid: Option<&'a str>,
    /// The request's id.
    pub request_id: &'a str,
    /// Microseconds to the head of the answer.
    pub micros: u64,
}

/// Writes an access line.
pub fn access(line: &Access<'_>) {
    tracing::info!(
        target: "fedgate::access",
        place = line.place,
        method = line.method,
        path = line.path,
        status = line.status,
        sid = line.sid.unwrap_or("-"),
        request = line.request_id,
        micros = line.micros,
    );
}

/// What may stand in a log of a login page's path: links carry secrets in their path (rules C4, HANDOVER 7).
pub fn login_path(path: &str) -> &str {
    let end = path.match_indices('/').nth(2).map_or(path.len(), |(place, _)| place);
    match path.get(..end) {
        Some(start) if path.starts_with("/setup/") || path.starts_with("/reset/") => start.get(..6).unwrap_or(start),
        Some(start) => start,
        None => path,
    }
}

struct Escaping;

/// One line under way.
struct Line(io::Stderr);

impl<'a> MakeWriter<'a> for Escaping {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(io::stderr())
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(escaped(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Control and bidirectional characters as `\u....`, which is also JSON's spelling; the newline that ends the line stays.
pub fn escaped(line: &str) -> String {
    let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
    let mut text = String::with_capacity(line.len() + 1);
    for character in line.chars() {
        if character.is_control() || is_bidirectional(character) {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\u{:04x}", u32::from(character));
        } else {
            text.push(character);
        }
    }
    text + end
}

const fn is_bidirectional(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m26_no_character_forges_a_line() {
        for (said, written) in [
            ("a\nb\n", "a\\u000ab\n"),
            ("a\r\u{1b}[31m", "a\\u000d\\u001b[31m"),
            ("gpj.\u{202e}exe", "gpj.\\u202eexe"),
            ("é ☃ ok\n", "é ☃ ok\n"),
        ] {
            assert_eq!(escaped(said), written);
        }
    }

    #[test]
    fn handover7_links_are_not_logged() {
        for (path, logged) in [
            ("/login/identify", "/login/identify"),
            ("/login/callback/abc", "/login/callback"),
            ("/setup/SECRET", "/setup"),
            ("/", "/"),
            ("/account", "/account"),
        ] {
            assert_eq!(login_path(path), logged);
        }
    }
}
