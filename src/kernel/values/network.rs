//! Ranges of network addresses.

use std::net::IpAddr;

/// An address range.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Network {
    /// Its first address.
    pub address: IpAddr,
    /// How many leading bits count.
    pub prefix: u8,
}

impl Network {
    /// Reads `10.0.0.0/8`, `fd00::/8`, or one address.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
            Some(_) => return None,
            None => longest,
        };
        (prefix <= longest).then_some(Self { address, prefix })
    }

    /// Whether it holds every address of the other.
    pub fn covers(&self, other: &Self) -> bool {
        let same_kind = self.address.is_ipv4() == other.address.is_ipv4();
        same_kind && self.prefix <= other.prefix && self.holds(other.address)
    }

    /// Whether it holds the address; an IPv4-mapped IPv6 address counts as the IPv4 address.
    pub fn holds(&self, address: IpAddr) -> bool {
        fn cover(a: &[u8], b: &[u8], prefix: u8) -> bool {
            a.iter().zip(b).enumerate().all(|(place, (x, y))| {
                let bits = usize::from(prefix).saturating_sub(place * 8).min(8);
                let mask = u8::try_from(0xff00_u16 >> bits & 0xff).unwrap_or(0xff);
                x & mask == y & mask
            })
        }
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(one)) => cover(&net.octets(), &one.octets(), self.prefix),
            (IpAddr::V6(net), IpAddr::V6(one)) => cover(&net.octets(), &one.octets(), self.prefix),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_covers_what_lies_in_it() {
        let check = |wide: &str, narrow: &str, covers: bool| {
            let [wide, narrow] = [wide, narrow].map(|text| Network::parse(text).unwrap());
            assert_eq!(wide.covers(&narrow), covers, "{wide:?} {narrow:?}");
        };
        check("10.0.0.0/8", "10.1.0.0/16", true);
        check("10.0.0.0/8", "10.0.0.0/8", true);
        check("10.1.0.0/16", "10.0.0.0/8", false);
        check("10.0.0.0/8", "11.0.0.0/16", false);
        check("0.0.0.0/0", "192.0.2.1", true);
        check("::/0", "192.0.2.1", false);
        check("0.0.0.0/0", "::1", false);
        check("fd00::/8", "fd12::/16", true);
    }
}
