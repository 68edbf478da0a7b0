//! Lines of syslog (RFC 5424), framed by their length (RFC 5425 §4.3).
//!
//! What an event holds stands in the message alone, as JSON in ASCII: no control character, no line separator of Unicode and no
//! byte that is not ASCII gets out unescaped, so nothing in an event ends a line, even for a receiver that does not count. The
//! structured data has ids that IANA registered, since ours would need the number of an enterprise.

use std::io::Write as _;

/// `log audit` of RFC 5424, table 1.
const FACILITY: u8 = 13;

/// What `MSGID` may hold at most.
const LONGEST_ID: usize = 32;

/// What `HOSTNAME` may hold at most.
const LONGEST_HOST: usize = 255;

/// The largest `sequenceId`, after which it begins at 1 again.
const LAST_SEQUENCE: u64 = 2_147_483_647;

/// RFC 5424, table 2.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Severity {
    Critical = 2,
    Error = 3,
    Warning = 4,
    Notice = 5,
    Informational = 6,
}

impl Severity {
    /// Of what OCSF calls `severity_id`: one of five grades there and here.
    pub(super) fn of(grade: u8) -> Self {
        match grade {
            0 | 1 => Self::Informational,
            2 => Self::Notice,
            3 => Self::Warning,
            4 => Self::Error,
            _ => Self::Critical,
        }
    }
}

/// One message before it is framed.
pub(super) struct Message<'a> {
    pub severity: Severity,
    /// RFC 3339 in UTC.
    pub time: &'a str,
    pub host: &'a str,
    /// The kind of message: an action, or `checkpoint`.
    pub id: &'a str,
    /// Its position in the log, where it is an event.
    pub position: Option<u64>,
    /// JSON.
    pub text: &'a str,
}

impl Message<'_> {
    /// Appends the frame: the message's length in bytes, a space, the message.
    pub(super) fn frame(&self, frames: &mut Vec<u8>) -> std::io::Result<()> {
        let message = self.line();
        write!(frames, "{} ", message.len())?;
        frames.extend_from_slice(message.as_bytes());
        Ok(())
    }

    fn line(&self) -> String {
        let priority = FACILITY * 8 + self.severity as u8;
        let (host, id) = (printable(self.host, LONGEST_HOST), printable(self.id, LONGEST_ID));
        let (time, version) = (printable(self.time, 32), env!("CARGO_PKG_VERSION"));
        let sequence = self.position.map(|position| format!("[meta sequenceId=\"{}\"]", position % LAST_SEQUENCE + 1));
        let data = format!("[origin software=\"fedgate\" swVersion=\"{version}\"]{}", sequence.unwrap_or_default());
        format!("<{priority}>1 {time} {host} fedgate - {id} {data} {}", ascii(self.text))
    }
}

/// What a field of the header may hold of this; `-` where nothing is left.
fn printable(text: &str, longest: usize) -> String {
    let field: String = text.chars().filter(char::is_ascii_graphic).take(longest).collect();
    if field.is_empty() { "-".to_owned() } else { field }
}

/// The same JSON in printable ASCII. Outside of texts JSON has nothing but that and white space; inside of them any character may
/// stand as its code.
fn ascii(json: &str) -> String {
    let mut plain = String::with_capacity(json.len());
    for char in json.chars() {
        if char == ' ' || char.is_ascii_graphic() {
            plain.push(char);
        } else {
            plain.extend(char.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<'a>(text: &'a str, host: &'a str, position: Option<u64>) -> Message<'a> {
        Message {
            severity: Severity::Notice,
            time: "2026-11-24T02:00:00.123Z",
            host,
            id: "login.denied",
            position,
            text,
        }
    }

    #[test]
    fn a_message_is_what_the_rfc_says() {
        let version = env!("CARGO_PKG_VERSION");
        let line = message("{\"a\":1}", "gate-1", Some(5)).line();
        let expected = format!(
            "<109>1 2026-11-24T02:00:00.123Z gate-1 fedgate - login.denied \
             [origin software=\"fedgate\" swVersion=\"{version}\"][meta sequenceId=\"6\"] {{\"a\":1}}"
        );
        assert_eq!(line, expected);
        assert!(message("{}", "a b\n", None).line().contains(" ab fedgate - login.denied [origin "));
        assert!(message("{}", "\u{e9}\n", None).line().contains("Z - fedgate "));
        for (position, sequence) in [(0, 1), (LAST_SEQUENCE - 1, LAST_SEQUENCE), (LAST_SEQUENCE, 1)] {
            let line = message("{}", "h", Some(position)).line();
            assert!(line.contains(&format!("[meta sequenceId=\"{sequence}\"]")), "{line}");
        }
    }

    #[test]
    fn every_grade_is_a_severity_of_its_own() {
        let all: Vec<u8> = (1..=5).map(|grade| Severity::of(grade) as u8).collect();
        assert_eq!(all, [6, 5, 4, 3, 2]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_ends_a_frame_and_each_reads_back(texts: Vec<String>, host: String) {
            let mut frames = Vec::new();
            for text in &texts {
                message(&serde_json::json!([text]).to_string(), &host, Some(7)).frame(&mut frames).unwrap();
            }
            let mut rest = frames.as_slice();
            for text in &texts {
                let space = rest.iter().position(|byte| *byte == b' ').unwrap();
                let length: usize = std::str::from_utf8(&rest[..space]).unwrap().parse().unwrap();
                let (one, after) = rest[space + 1..].split_at(length);
                rest = after;
                proptest::prop_assert!(one.iter().all(|byte| (b' '..=b'~').contains(byte)), "{:?}", one);
                let json = one[one.windows(3).position(|three| three == b"\"] ").unwrap() + 3..].to_vec();
                let read: Vec<String> = serde_json::from_slice(&json).unwrap();
                proptest::prop_assert_eq!(&read[0], text);
            }
            proptest::prop_assert!(rest.is_empty());
        }
    }
}
