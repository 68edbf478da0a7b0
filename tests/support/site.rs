//! What a browser means by origin and site (HTML §7.1.1; Chromium's sites are schemeful).

use url::{Host, Url};

/// `Sec-Fetch-Site` (Fetch Metadata §2.3): how the initiator stands to everything the request has passed through.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Relation {
    SameOrigin,
    SameSite,
    CrossSite,
}

impl Relation {
    pub fn between(a: &Url, b: &Url) -> Self {
        if a.origin() == b.origin() {
            Self::SameOrigin
        } else if same_site(a, b) {
            Self::SameSite
        } else {
            Self::CrossSite
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::SameOrigin => "same-origin",
            Self::SameSite => "same-site",
            Self::CrossSite => "cross-site",
        }
    }
}

/// Same scheme and same registrable domain; ports do not count.
pub fn same_site(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme() && site_host(a) == site_host(b)
}

fn site_host(url: &Url) -> Option<String> {
    match url.host()? {
        Host::Domain(name) => Some(registrable(name).unwrap_or(name).to_owned()),
        address => Some(address.to_string()),
    }
}

/// The registrable domain by the public suffix list, none where the name is itself a suffix.
pub fn registrable(name: &str) -> Option<&str> {
    psl::domain_str(name)
}

/// May this URL be sent fetch metadata and Secure cookies? (Secure Contexts §3.1: TLS, or loopback.)
pub fn trustworthy(url: &Url) -> bool {
    url.scheme() == "https"
        || match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
}
