//! Who the client is: the connection's peer, or what trusted proxies say, read from right to left (rule M29).

use super::options::Network;
use http::{HeaderMap, HeaderName};
use std::net::IpAddr;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Whether a proxy of ours is at that address.
pub(super) fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.holds(address))
}

/// The client's address: from the right, the first that is not a trusted proxy's. What cannot be read ends the search.
pub(super) fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    if trusted.is_empty() || !is_trusted(peer, trusted) {
        return peer.to_canonical();
    }
    let fields: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
    let mut client = peer;
    for hop in fields.iter().rev().flat_map(|field| field.rsplit(',')) {
        let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
        client = address;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    client.to_canonical()
}

/// The authority that a trusted proxy says the browser asked for.
pub(super) fn forwarded_host(headers: &HeaderMap) -> Result<Option<&str>, NotOnce> {
    once(headers, &FORWARDED_HOST)
}

/// A field that must come once came more often, or is not ASCII.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct NotOnce;

/// The value of a field that comes at most once.
pub(super) fn once<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, NotOnce> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| NotOnce),
        (Some(_), Some(_)) => Err(NotOnce),
    }
}

/// Whether the trusted proxy says, once, that the browser spoke TLS to it.
pub(super) fn came_by_tls(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(FORWARDED_PROTO).iter();
    values.next().is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"https")) && values.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn check(peer: &str, fields: &[&'static str], client: &str) {
        let trusted = [Network { address: "10.0.0.0".parse().unwrap(), prefix: 8 }];
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(field));
        }
        assert_eq!(address(peer.parse().unwrap(), &headers, &trusted).to_string(), client, "{peer} {fields:?}");
    }

    #[test]
    fn m29_only_trusted_proxies_name_the_client_right_to_left() {
        check("192.0.2.1", &["198.51.100.7"], "192.0.2.1");
        check("10.1.1.1", &["198.51.100.7"], "198.51.100.7");
        check("10.1.1.1", &["203.0.113.9, 198.51.100.7, 10.2.2.2"], "198.51.100.7");
        check("10.1.1.1", &["203.0.113.9", "198.51.100.7"], "198.51.100.7");
        check("10.1.1.1", &["198.51.100.7, nonsense"], "10.1.1.1");
        check("10.1.1.1", &[], "10.1.1.1");
        check("::ffff:10.1.1.1", &["::ffff:198.51.100.7"], "198.51.100.7");
    }
}
