//! Where a connection came from, as a proxy of ours says it before anything else: the PROXY protocol, version 2.
//!
//! The header's length stands in its first sixteen bytes, so that exactly the header is read and no byte of what follows. A file
//! of our own and no crate: it is sixty lines over a fixed layout, and the crates for it read version 1 as well, which has no
//! length and which we do not accept. Deliberately absent: version 1 and what the additional fields (TLVs) say.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of the fixed part.
pub const PREFIX: usize = 16;

/// The most that may follow it: the largest address block (216 bytes) and as much again for additional fields as fits a header of
/// 536 bytes, which every path carries in one segment (PROXY protocol §2).
pub const MOST: usize = 536 - PREFIX;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Whose connection it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// The proxy's own, such as a health check (`LOCAL`).
    Proxy,
    /// A client's, at this address.
    Client(IpAddr),
}

/// Why the first bytes are no header that can be used. The connection is closed without a word.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotProxied {
    /// Something else: perhaps TLS, HTTP, or somebody who is no proxy.
    #[error("the connection does not begin with a PROXY protocol header")]
    Absent,
    /// The text form.
    #[error("the PROXY protocol header is of version 1: let the proxy send version 2")]
    Version1,
    /// Longer than [`MOST`], cut short, or fields that do not fit their lengths.
    #[error("the PROXY protocol header is malformed")]
    Malformed,
    /// A client whose address is not told: it would be taken for the proxy itself, which is trusted.
    #[error("the PROXY protocol header names no address")]
    Nameless,
}

/// The fixed part of a header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Announced {
    command: u8,
    family: u8,
    length: usize,
}

impl Announced {
    /// Reads the fixed part.
    ///
    /// # Errors
    /// [`NotProxied`] when it is none, or announces more than [`MOST`].
    pub fn parse(prefix: &[u8; PREFIX]) -> Result<Self, NotProxied> {
        let [signature @ .., version, family, high, low] = prefix;
        if *signature != SIGNATURE {
            let old = prefix.starts_with(b"PROXY ");
            return Err(if old { NotProxied::Version1 } else { NotProxied::Absent });
        }
        let (version, command) = (version >> 4, version & 15);
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if version != 2 || command > 1 || length > MOST {
            return Err(NotProxied::Malformed);
        }
        Ok(Self { command, family: *family, length })
    }

    /// How many bytes follow that belong to the header.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Whose connection it is, from those bytes.
    ///
    /// # Errors
    /// [`NotProxied`] when they do not hold what was announced, or no address of a TCP client.
    pub fn origin(&self, rest: &[u8]) -> Result<Origin, NotProxied> {
        if rest.len() != self.length {
            return Err(NotProxied::Malformed);
        }
        // What a proxy adds to a connection of its own is to be passed over (§2.2).
        if self.command == 0 {
            return Ok(Origin::Proxy);
        }
        let (address, fields) = match self.family {
            0x11 => {
                let ([a, b, c, d, ..], fields) = block::<12>(rest)?;
                (IpAddr::V4(Ipv4Addr::new(*a, *b, *c, *d)), fields)
            }
            0x21 => {
                let (block, fields) = block::<36>(rest)?;
                let source = block.first_chunk::<16>().ok_or(NotProxied::Malformed)?;
                (IpAddr::V6(Ipv6Addr::from(*source)), fields)
            }
            _ => return Err(NotProxied::Nameless),
        };
        if !are_whole(fields) {
            return Err(NotProxied::Malformed);
        }
        Ok(Origin::Client(address.to_canonical()))
    }
}

/// Addresses and ports, and what follows them.
fn block<const N: usize>(rest: &[u8]) -> Result<(&[u8; N], &[u8]), NotProxied> {
    rest.split_first_chunk::<N>().ok_or(NotProxied::Malformed)
}

/// Whether additional fields (type, two bytes of length, value) fill the rest exactly.
fn are_whole(mut fields: &[u8]) -> bool {
    while let Some(([_, high, low], rest)) = fields.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(next) = rest.get(length..) else { return false };
        fields = next;
    }
    fields.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(version: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[version, family], &length, rest].concat()
    }

    fn parse(bytes: &[u8]) -> Result<Origin, NotProxied> {
        let (prefix, rest) = bytes.split_first_chunk::<PREFIX>().ok_or(NotProxied::Absent)?;
        Announced::parse(prefix)?.origin(rest)
    }

    #[track_caller]
    fn check(bytes: &[u8], origin: Result<&str, NotProxied>) {
        let read = parse(bytes).map(|origin| match origin {
            Origin::Proxy => "proxy".to_owned(),
            Origin::Client(address) => address.to_string(),
        });
        assert_eq!(read, origin.map(str::to_owned), "{bytes:?}");
    }

    const V4: [u8; 12] = [198, 51, 100, 7, 10, 0, 0, 1, 0xc0, 0, 1, 0xbb];

    #[test]
    fn m29_a_header_names_the_client() {
        let v6: Vec<u8> = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1], &[0; 20]].concat();
        let mapped: Vec<u8> = [&[0; 10][..], &[0xff, 0xff, 198, 51, 100, 7], &[0; 20]].concat();
        check(&header(0x21, 0x11, &V4), Ok("198.51.100.7"));
        check(&header(0x21, 0x21, &v6), Ok("2001:db8::1"));
        check(&header(0x21, 0x21, &mapped), Ok("198.51.100.7"));
        check(&header(0x21, 0x11, &[&V4[..], &[4, 0, 2, 1, 1]].concat()), Ok("198.51.100.7"));
        check(&header(0x20, 0x00, &[]), Ok("proxy"));
        check(&header(0x20, 0x11, &V4), Ok("proxy"));
        check(&header(0x20, 0xff, &[1, 2, 3]), Ok("proxy"));
    }

    #[test]
    fn m29_what_is_no_header_of_version_2_names_nobody() {
        use NotProxied::{Absent, Malformed, Nameless, Version1};
        check(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", Err(Absent));
        check(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaaa", Err(Absent));
        check(b"PROXY TCP4 198.51.100.7 10.0.0.1 1 443\r\n", Err(Version1));
        check(&header(0x11, 0x11, &V4), Err(Malformed));
        check(&header(0x22, 0x11, &V4), Err(Malformed));
        check(&header(0x21, 0x11, &V4[..11]), Err(Malformed));
        check(&header(0x21, 0x21, &V4), Err(Malformed));
        check(&header(0x21, 0x11, &[&V4[..], &[4, 0]].concat()), Err(Malformed));
        check(&header(0x21, 0x11, &[&V4[..], &[4, 0, 2, 1]].concat()), Err(Malformed));
        check(&header(0x21, 0x11, &[&V4[..], &[0; MOST]].concat()), Err(Malformed));
        check(&[&header(0x21, 0x11, &V4)[..], b"x"].concat(), Err(Malformed));
        // No address (UNSPEC), a datagram, a UNIX socket: whoever that is, it is not the proxy.
        for family in [0x00, 0x12, 0x22, 0x31, 0x32, 0x13] {
            check(&header(0x21, family, &[0; 216]), Err(Nameless));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_only_the_signature_is_believed(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..600),
            signed in any::<bool>(),
        ) {
            if signed && bytes.len() >= SIGNATURE.len() {
                bytes[..SIGNATURE.len()].copy_from_slice(&SIGNATURE);
            }
            let read = parse(&bytes);
            if read.is_ok() {
                prop_assert!(bytes.starts_with(&SIGNATURE));
            }
        }

        #[test]
        fn every_address_comes_back(address in any::<[u8; 4]>(), ports in any::<[u8; 8]>()) {
            let block = [&address[..], &ports].concat();
            prop_assert_eq!(parse(&header(0x21, 0x11, &block)), Ok(Origin::Client(IpAddr::from(address))));
        }
    }
}
