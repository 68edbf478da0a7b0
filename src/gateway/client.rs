//! Who the client is: the connection's peer, or what trusted proxies say, read from right to left (rule M29).
//!
//! `X-Forwarded-For` and `Forwarded` (RFC 7239) are both read. Where both stand and name different clients, a proxy passed one of
//! them on as it came: neither is believed, and the peer is the client.

use super::options::Network;
use crate::kernel::request::forwarded::{self, Hop};
use http::{HeaderMap, HeaderName, header};
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
    let peer = peer.to_canonical();
    if trusted.is_empty() || !is_trusted(peer, trusted) {
        return peer;
    }
    let by_list = headers.contains_key(FORWARDED_FOR).then(|| by_list(peer, headers, trusted));
    let by_field = headers.contains_key(header::FORWARDED).then(|| by_field(peer, headers, trusted));
    match (by_list, by_field) {
        (Some(one), Some(other)) if one != other => peer,
        (Some(client), _) | (None, Some(client)) => client,
        (None, None) => peer,
    }
}

/// By `X-Forwarded-For`.
fn by_list(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let fields: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().map(|value| value.to_str().unwrap_or("")).collect();
    let hops = fields.iter().rev().flat_map(|field| field.rsplit(',')).map(forwarded::node);
    nearest(peer, hops, trusted)
}

/// By `Forwarded`.
fn by_field(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    hops(headers).map_or(peer, |hops| nearest(peer, hops.iter().rev().map(|hop| hop.client), trusted))
}

/// All hops of `Forwarded`, first to last; `None` when any of it cannot be read.
fn hops(headers: &HeaderMap) -> Option<Vec<Hop>> {
    let mut all = Vec::new();
    for value in headers.get_all(header::FORWARDED) {
        all.extend(forwarded::forwarded(value.to_str().ok()?)?);
    }
    Some(all)
}

/// The first of these, right to left, that is no trusted proxy's; the last that can be read before one that cannot.
fn nearest(peer: IpAddr, hops: impl Iterator<Item = Option<IpAddr>>, trusted: &[Network]) -> IpAddr {
    let mut client = peer;
    for hop in hops {
        let Some(address) = hop else { break };
        client = address;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    client
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

/// Whether the trusted proxy says that the browser spoke TLS to it: `X-Forwarded-Proto`, once, and the last hop of `Forwarded`.
/// One of them is enough; where both are told, both must say so.
pub(super) fn came_by_tls(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(FORWARDED_PROTO).iter();
    let by_name = match (values.next(), values.next()) {
        (None, _) => None,
        (Some(value), None) => Some(value.as_bytes().eq_ignore_ascii_case(b"https")),
        (Some(_), Some(_)) => Some(false),
    };
    if !headers.contains_key(header::FORWARDED) {
        return by_name == Some(true);
    }
    match (by_name, hops(headers).map(|hops| hops.last().and_then(|hop| hop.tls))) {
        // It cannot be read.
        (_, None) => false,
        (Some(one), Some(other)) => one && other != Some(false),
        (None, Some(other)) => other == Some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    #[track_caller]
    fn check(peer: &str, fields: &[(&'static str, &'static str)], client: &str) {
        let trusted = [Network { address: "10.0.0.0".parse().unwrap(), prefix: 8 }];
        let found = address(peer.parse().unwrap(), &map(fields), &trusted);
        assert_eq!(found.to_string(), client, "{peer} {fields:?}");
    }

    const XFF: &str = "x-forwarded-for";
    const FWD: &str = "forwarded";

    #[test]
    fn m29_only_trusted_proxies_name_the_client_right_to_left() {
        check("192.0.2.1", &[(XFF, "198.51.100.7")], "192.0.2.1");
        check("192.0.2.1", &[(FWD, "for=198.51.100.7")], "192.0.2.1");
        check("10.1.1.1", &[(XFF, "198.51.100.7")], "198.51.100.7");
        check("10.1.1.1", &[(XFF, "203.0.113.9, 198.51.100.7, 10.2.2.2")], "198.51.100.7");
        check("10.1.1.1", &[(XFF, "203.0.113.9"), (XFF, "198.51.100.7")], "198.51.100.7");
        check("10.1.1.1", &[(XFF, "198.51.100.7, nonsense")], "10.1.1.1");
        check("10.1.1.1", &[(XFF, "198.51.100.7:4711")], "198.51.100.7");
        check("10.1.1.1", &[], "10.1.1.1");
        check("::ffff:10.1.1.1", &[(XFF, "::ffff:198.51.100.7")], "198.51.100.7");
        check("10.1.1.1", &[(FWD, "for=203.0.113.9, for=198.51.100.7;proto=https, for=10.2.2.2")], "198.51.100.7");
        check("10.1.1.1", &[(FWD, "for=203.0.113.9"), (FWD, "for=\"[2001:db8::7]:1\"")], "2001:db8::7");
        check("10.1.1.1", &[(FWD, "for=203.0.113.9, for=unknown")], "10.1.1.1");
        check("10.1.1.1", &[(FWD, "for=203.0.113.9, for=_hidden, for=10.2.2.2")], "10.2.2.2");
        check("10.1.1.1", &[(FWD, "for=\"198.51.100.7")], "10.1.1.1");
    }

    #[test]
    fn m29_two_fields_that_disagree_are_both_not_believed() {
        check("10.1.1.1", &[(XFF, "198.51.100.7"), (FWD, "for=198.51.100.7")], "198.51.100.7");
        check("10.1.1.1", &[(XFF, "198.51.100.7"), (FWD, "for=203.0.113.9")], "10.1.1.1");
        check("10.1.1.1", &[(XFF, "198.51.100.7"), (FWD, "nonsense")], "10.1.1.1");
        check("10.1.1.1", &[(XFF, "198.51.100.7"), (FWD, "proto=https")], "10.1.1.1");
        check("10.1.1.1", &[(XFF, "nonsense"), (FWD, "for=198.51.100.7")], "10.1.1.1");
    }

    #[test]
    fn m29_a_proxy_says_once_and_without_contradiction_that_the_browser_spoke_tls() {
        const PROTO: &str = "x-forwarded-proto";
        let rows: &[(&[(&'static str, &'static str)], bool)] = &[
            (&[(PROTO, "https")], true),
            (&[(PROTO, "HTTPS")], true),
            (&[], false),
            (&[(PROTO, "http")], false),
            (&[(PROTO, "https"), (PROTO, "https")], false),
            (&[(PROTO, "https,http")], false),
            (&[(FWD, "for=192.0.2.1;proto=https")], true),
            (&[(FWD, "for=192.0.2.1;proto=https, for=10.2.2.2;proto=http")], false),
            (&[(FWD, "for=192.0.2.1")], false),
            (&[(PROTO, "https"), (FWD, "for=192.0.2.1")], true),
            (&[(PROTO, "https"), (FWD, "proto=http")], false),
            (&[(PROTO, "http"), (FWD, "proto=https")], false),
            (&[(PROTO, "https"), (FWD, "proto=\"https")], false),
        ];
        for (fields, tls) in rows {
            assert_eq!(came_by_tls(&map(fields)), *tls, "{fields:?}");
        }
    }
}
