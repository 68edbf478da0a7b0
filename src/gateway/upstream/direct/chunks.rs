//! The chunked coding of a response (RFC 9112 §7.1), read strictly: where an answer ends decides which bytes are the next
//! person's. Whatever another reader could take for another length is an error, and its connection is not used again.

use super::reply::{FIELDS, Malformed};
use bytes::{Buf as _, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue};

/// The most that all extensions of a body may have, in bytes, and the most that its trailers may.
const EXTENSIONS: usize = 16 * 1024;
const TRAILERS: usize = 16 * 1024;

/// Hexadecimal digits of a chunk's size: what 64 bits hold.
const DIGITS: u8 = 16;

/// Where the reader is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum At {
    Size {
        digits: u8,
    },
    /// Space after a size.
    Space,
    Extension,
    SizeEnd,
    Data,
    DataEnd,
    DataEndLine,
    Trailers,
}

/// A chunked body that is being read.
#[derive(Debug)]
pub(super) struct Chunks {
    at: At,
    /// Bytes of the chunk that are still to come.
    left: u64,
    extensions: usize,
    trailers: Vec<u8>,
}

/// What there is of a body.
#[derive(Debug)]
pub(super) enum Piece {
    Data(Bytes),
    /// The last of it; `None` without trailers.
    End(Option<HeaderMap>),
}

impl Chunks {
    pub(super) fn new() -> Self {
        Self { at: At::Size { digits: 0 }, left: 0, extensions: 0, trailers: Vec::new() }
    }

    /// The next piece of what was received; `None` when more must come. What is behind the end stays in `bytes`.
    pub(super) fn next(&mut self, bytes: &mut Bytes) -> Result<Option<Piece>, Malformed> {
        while let Some(&byte) = bytes.first() {
            if self.at == At::Data {
                let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                let data = bytes.split_to(length);
                self.left -= u64::try_from(length).map_err(|_| Malformed::Chunks)?;
                if self.left == 0 {
                    self.at = At::DataEnd;
                }
                return Ok(Some(Piece::Data(data)));
            }
            bytes.advance(1);
            self.at = match (self.at, byte) {
                (At::Size { digits: 1.. }, b'\r') | (At::Space | At::Extension, b'\r') => At::SizeEnd,
                (At::Size { digits: 1.. } | At::Space, b';') => At::Extension,
                (At::Size { digits: 1.. } | At::Space, b' ' | b'\t') => self.extended(At::Space)?,
                (At::Size { digits }, _) if digits < DIGITS => {
                    let digit = char::from(byte).to_digit(16).ok_or(Malformed::Chunks)?;
                    self.left = (self.left << 4) | u64::from(digit);
                    At::Size { digits: digits + 1 }
                }
                (At::Extension, b'\n') => return Err(Malformed::Chunks),
                (At::Extension, _) => self.extended(At::Extension)?,
                (At::SizeEnd, b'\n') => {
                    if self.left == 0 {
                        At::Trailers
                    } else {
                        At::Data
                    }
                }
                (At::DataEnd, b'\r') => At::DataEndLine,
                (At::DataEndLine, b'\n') => At::Size { digits: 0 },
                (At::Trailers, _) => {
                    self.trailers.push(byte);
                    if self.trailers == b"\r\n" {
                        return Ok(Some(Piece::End(None)));
                    }
                    if self.trailers.ends_with(b"\r\n\r\n") {
                        return trailers(&self.trailers).map(|fields| Some(Piece::End(Some(fields))));
                    }
                    if self.trailers.len() > TRAILERS {
                        return Err(Malformed::Chunks);
                    }
                    At::Trailers
                }
                _ => return Err(Malformed::Chunks),
            };
        }
        Ok(None)
    }

    fn extended(&mut self, at: At) -> Result<At, Malformed> {
        self.extensions += 1;
        if self.extensions > EXTENSIONS { Err(Malformed::Chunks) } else { Ok(at) }
    }
}

fn trailers(block: &[u8]) -> Result<HeaderMap, Malformed> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    // All of it: what httparse leaves is behind an end that another reader has seen earlier than we did.
    let found = match httparse::parse_headers(block, &mut fields) {
        Ok(httparse::Status::Complete((length, found))) if length == block.len() => found,
        _ => return Err(Malformed::Chunks),
    };
    let field = |field: &httparse::Header<'_>| {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Malformed::Chunks)?;
        Ok((name, HeaderValue::from_bytes(field.value).map_err(|_| Malformed::Chunks)?))
    };
    let mut map = HeaderMap::new();
    for (name, value) in found.iter().map(field).collect::<Result<Vec<_>, Malformed>>()? {
        map.append(name, value);
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body, its trailers and what is behind it; or an error, or that more must come.
    fn read(text: &str, pieces: usize) -> Result<Option<(String, String, String)>, Malformed> {
        let (mut chunks, mut body) = (Chunks::new(), String::new());
        let parts: Vec<Bytes> = text.as_bytes().chunks(pieces).map(Bytes::copy_from_slice).collect();
        for (place, part) in parts.iter().enumerate() {
            let mut part = part.clone();
            while let Some(piece) = chunks.next(&mut part)? {
                match piece {
                    Piece::Data(data) => body.push_str(std::str::from_utf8(&data).unwrap()),
                    Piece::End(trailers) => {
                        let behind =
                            parts[place + 1..].iter().fold(part.to_vec(), |all, next| [&all[..], next].concat());
                        let said = trailers.unwrap_or_default();
                        let said: Vec<_> = said.iter().map(|(n, v)| format!("{n}={}", v.to_str().unwrap())).collect();
                        return Ok(Some((body, said.join(","), String::from_utf8(behind).unwrap())));
                    }
                }
            }
        }
        Ok(None)
    }

    #[track_caller]
    fn check(text: &str, expected: Result<Option<(&str, &str, &str)>, Malformed>) {
        for pieces in [1, 2, 3, 7, text.len()] {
            let found = read(text, pieces);
            let found =
                found.as_ref().map(|found| found.as_ref().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())));
            assert_eq!(found, expected.as_ref().map(|expected| *expected), "{text:?} in pieces of {pieces}");
        }
    }

    #[test]
    fn a_body_ends_where_its_last_chunk_says() {
        check("5\r\nhello\r\n0\r\n\r\n", Ok(Some(("hello", "", ""))));
        check("A\r\n0123456789\r\n1\r\nx\r\n0\r\n\r\nHTTP/1.1", Ok(Some(("0123456789x", "", "HTTP/1.1"))));
        check("5;a=b\r\nhello\r\n0\r\n\r\n", Ok(Some(("hello", "", ""))));
        check("5 ; a\r\nhello\r\n000\r\nA: b\r\nc: d\r\n\r\n", Ok(Some(("hello", "a=b,c=d", ""))));
        check("5\r\nhel", Ok(None));
        check("5\r\nhello\r\n0\r\n", Ok(None));
    }

    #[test]
    fn whatever_could_be_another_length_is_an_error() {
        let wrong = Err(Malformed::Chunks);
        for text in [
            "\r\n",
            "g\r\n",
            "+5\r\nhello\r\n",
            "-1\r\n",
            "0x5\r\nhello",
            "5\nhello\r\n",
            " 5\r\nhello",
            "5 5\r\nhello",
            "5\rhello",
            "5;a\nhello",
            "5\r\nhelloX",
            "5\r\nhello\rX",
            "5\r\nhello\n",
            "11111111111111111\r\n",
            ";a\r\n",
            "0\r\nno field\r\n\r\n",
            "0\r\n a: b\r\n\r\n",
            "0\r\na : b\r\n\r\n",
            "0\r\na: b\n\nx: y\r\n\r\n",
        ] {
            check(text, wrong);
        }
    }

    #[test]
    fn what_is_read_for_nothing_is_bounded() {
        check(&format!("5;{}", "a".repeat(EXTENSIONS + 1)), Err(Malformed::Chunks));
        check(&format!("0\r\na: {}", "b".repeat(TRAILERS)), Err(Malformed::Chunks));
    }
}
