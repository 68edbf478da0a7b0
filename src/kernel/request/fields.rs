//! Which header fields may pass, by name (rules H7 and H8).
//!
//! Request names are compared after folding every byte outside `[A-Za-z0-9]` to `-`, because a product may fold `X.Fedgate_User`
//! into the same variable as `X-Fedgate-User`. A further name is one line in a table here.

/// Requests: whoever sends one of these, or anything that begins so, is not believed.
const FROM_US: [&str; 12] = [
    "fedgate",
    "x-fedgate",
    "x-forwarded",
    "forwarded",
    "x-real-ip",
    "x-original",
    "x-rewrite",
    "x-http-method",
    "x-method-override",
    "x-request-id",
    "x-envoy",
    "proxy",
];

/// Responses: what a product may not say to a browser; ours, or about the whole site.
const NOT_FROM_PRODUCTS: [&str; 12] = [
    "nel",
    "report-to",
    "reporting-endpoints",
    "alt-svc",
    "strict-transport-security",
    "service-worker-allowed",
    "secure-session-",
    "sec-session-",
    "fedgate-",
    "x-fedgate-",
    "public-key-",
    "x-request-id",
];

/// RFC 9110 §7.6.1 and its obsolete relatives: they end at each hop.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// RFC 9110 §6.5.1: what a trailer must not say, because it frames, routes, authenticates or describes what came before it.
const NEVER_TRAIL: [&str; 16] = [
    "authorization",
    "cookie",
    "set-cookie",
    "host",
    "content-length",
    "content-encoding",
    "content-type",
    "content-range",
    "content-location",
    "cache-control",
    "expect",
    "max-forwards",
    "pragma",
    "range",
    "http2-settings",
    "origin",
];

const fn folded(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' }
}

fn folds_to_prefix(name: &[u8], prefix: &[u8]) -> bool {
    name.len() >= prefix.len() && name.iter().zip(prefix).all(|(byte, wanted)| folded(*byte) == *wanted)
}

/// Whether a request's name is another spelling of a field that says where the body ends: a server that folds names would frame
/// it anew.
pub fn frames_anew(name: &str) -> bool {
    ["content-length", "transfer-encoding"].iter().any(|framing| {
        name.len() == framing.len() && name != *framing && folds_to_prefix(name.as_bytes(), framing.as_bytes())
    })
}

/// Names of a product's own identity mapping, folded once.
#[derive(Clone, Debug, Default)]
pub struct MappedNames(Vec<Vec<u8>>);

impl MappedNames {
    /// From the names as the configuration writes them.
    pub fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        Self(names.map(|name| name.bytes().map(folded).collect()).collect())
    }

    /// Whether a request's field of this name must be removed before anything is forwarded (rule H7).
    pub fn removes(&self, name: &str) -> bool {
        is_ours(name) || self.0.iter().any(|mapped| folds_to_prefix(name.as_bytes(), mapped))
    }

    /// Whether a field of this name says who somebody is, in any spelling that a product could fold into one of ours.
    pub fn identifies(&self, name: &str) -> bool {
        let mapped = self.0.iter().map(Vec::as_slice);
        IDENTITY.iter().map(|ours| ours.as_bytes()).chain(mapped).any(|ours| folds_to_prefix(name.as_bytes(), ours))
    }
}

/// What tells a product who somebody is: with these names, or anything that begins so, only we may speak.
const IDENTITY: [&str; 2] = ["fedgate", "x-fedgate"];

/// Whether the name is one that only we may send to a product, in any spelling.
pub fn is_ours(name: &str) -> bool {
    // Most names end here: one comparison each.
    let first = name.bytes().next().map(folded);
    matches!(first, Some(b'f' | b'x' | b'p'))
        && FROM_US.iter().any(|ours| folds_to_prefix(name.as_bytes(), ours.as_bytes()))
}

/// The names that a `Connection` field's value adds to those (RFC 9110 §7.6.1); what it says about the connection itself names
/// no field that is not gone anyway.
pub fn named_by_connection(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_option = |name: &[u8]| name.eq_ignore_ascii_case(b"keep-alive") || name.eq_ignore_ascii_case(b"close");
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(move |name| !is_option(name))
}

/// Whether the field ends at this hop. `name` in lower case.
pub fn is_hop_by_hop(name: &str) -> bool {
    matches!(name.as_bytes().first(), Some(b'c' | b'k' | b'p' | b't' | b'u')) && HOP_BY_HOP.contains(&name)
}

/// Whether a request's trailer of this name may pass to a product that takes trailers; names that only we may send are judged by
/// [`MappedNames::removes`]. `name` in lower case.
pub fn may_trail(name: &str) -> bool {
    let is = |never: &&str| name.len() == never.len() && folds_to_prefix(name.as_bytes(), never.as_bytes());
    !is_hop_by_hop(name) && !NEVER_TRAIL.iter().any(is) && !name.starts_with("if-") && !name.starts_with("sec-")
}

/// Whether a product may not send this response field or trailer at all. `name` in lower case.
pub fn is_kept_from_browsers(name: &str) -> bool {
    let first = name.bytes().next();
    matches!(first, Some(b'n' | b'r' | b'a' | b's' | b'f' | b'x' | b'p'))
        && NOT_FROM_PRODUCTS.iter().any(|kept| match kept.strip_suffix('-') {
            Some(_) => name.starts_with(kept),
            None => name == *kept,
        })
}

/// Fields by which a product could open a response that has a session to shared caches (rule H8). `name` in lower case.
pub fn opens_shared_caches(name: &str) -> bool {
    matches!(name, "surrogate-control" | "cdn-cache-control" | "surrogate-key" | "x-accel-expires")
        || name.strip_suffix("-cdn-cache-control").is_some()
}

/// `Clear-Site-Data` without the types that reach beyond this host: `cookies` clears the whole registrable domain. `None` when
/// nothing remains.
pub fn clear_site_data(value: &str) -> Option<String> {
    let kept: Vec<&str> = value
        .split(',')
        .map(str::trim)
        .filter(|kind| matches!(*kind, "\"cache\"" | "\"storage\"" | "\"executionContexts\""))
        .collect();
    (!kept.is_empty()).then(|| kept.join(", "))
}

/// `Cache-Control` of a response to a request with a session (rule H8); `None` when it is good as it stands.
pub fn private_cache_control(value: &str) -> Option<String> {
    let directives = || value.split(',').map(str::trim).filter(|directive| !directive.is_empty());
    let name = |directive: &str| directive.split('=').next().unwrap_or("").trim().to_ascii_lowercase();
    // `private="field"` and `no-cache="field"` name single fields, so only the bare word counts.
    let is_private = directives().any(|d| d.eq_ignore_ascii_case("private") || d.eq_ignore_ascii_case("no-store"));
    let opens = |directive: &str| matches!(name(directive).as_str(), "public" | "s-maxage");
    if is_private && !directives().any(opens) {
        return None;
    }
    let mut kept: Vec<&str> = directives().filter(|directive| !opens(directive)).collect();
    if !is_private {
        kept.push("private");
    }
    Some(kept.join(", "))
}

/// Whether a `WWW-Authenticate` challenge would authenticate the connection instead of the request (rule H8): our upstream
/// connections are shared by everybody.
pub fn authenticates_connections(challenge: &str) -> bool {
    let scheme = challenge.trim_start().split([' ', ',']).next().unwrap_or("");
    scheme.eq_ignore_ascii_case("ntlm")
        || scheme.eq_ignore_ascii_case("negotiate")
        || challenge.split(',').any(|part| {
            let scheme = part.trim_start().split(' ').next().unwrap_or("");
            scheme.eq_ignore_ascii_case("ntlm") || scheme.eq_ignore_ascii_case("negotiate")
        })
}

/// Whether `Authorization` logs the connection in, and nothing else.
pub fn logs_connection_in(credentials: &str) -> bool {
    let scheme = credentials.trim_start().split(' ').next().unwrap_or("");
    scheme.eq_ignore_ascii_case("ntlm") || scheme.eq_ignore_ascii_case("negotiate")
}

/// The longest `Authorization` that is asked about; a token is some hundred characters.
const CREDENTIALS: usize = 4 * 1024;

/// `Authorization` as an API token's, `scheme credentials` (RFC 9110 §11.6.2): not one by which people or connections log in, and
/// nothing that another reader could take for two.
pub fn api_credentials(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.len() <= CREDENTIALS)?;
    let (scheme, rest) = text.split_once(' ')?;
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let logs_in =
        ["basic", "digest", "ntlm", "negotiate", "kerberos"].iter().any(|name| scheme.eq_ignore_ascii_case(name));
    let plain = rest.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && !rest.trim().is_empty();
    (!scheme.is_empty() && scheme.chars().all(is_token) && !logs_in && plain).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h7_identity_names_go_in_every_spelling() {
        let mapped = MappedNames::new(["X-Auth.User", "Remote-User"].into_iter());
        for name in [
            "x-fedgate-user",
            "x_fedgate_user",
            "x.fedgate.user",
            "x!fedgate!user",
            "X-Fedgate-User",
            "fedgate-assertion",
            "fedgate_assertion",
            "x-forwarded-for",
            "x_forwarded_host",
            "forwarded",
            "x-real-ip",
            "x-original-url",
            "x_rewrite_url",
            "x-http-method-override",
            "x-http-method",
            "x-auth-user",
            "x_auth_user",
            "remote_user",
            "remote-user-id",
            "x-request-id",
            "proxy",
            "x-fedgate-user-x",
        ] {
            assert!(mapped.removes(name), "{name}");
        }
        for (name, identifies) in [
            ("X.Fedgate_User", true),
            ("fedgate-assertion", true),
            ("remote_user", true),
            ("x-forwarded-uri", false),
            ("x-request-id", false),
            ("x-http-method", false),
        ] {
            assert_eq!(mapped.identifies(name), identifies, "{name}");
        }
        for name in
            ["accept", "cookie", "x-requested-with", "x-csrf-token", "fetch-x", "priority", "user-agent", "remote-x"]
        {
            assert!(!mapped.removes(name), "{name}");
        }
    }

    #[test]
    fn framing_has_one_spelling() {
        for (name, anew) in [
            ("content_length", true),
            ("content.length", true),
            ("transfer_encoding", true),
            ("transfer~encoding", true),
            ("content-length", false),
            ("transfer-encoding", false),
            ("content_lengths", false),
            ("content_type", false),
        ] {
            assert_eq!(frames_anew(name), anew, "{name}");
        }
    }

    #[test]
    fn h7_trailers_that_frame_route_or_authenticate_never_pass() {
        for (name, passes) in [
            ("grpc-status", true),
            ("x-checksum", true),
            ("digest", true),
            ("authorization", false),
            ("content_length", false),
            ("cookie", false),
            ("host", false),
            ("transfer-encoding", false),
            ("te", false),
            ("if-match", false),
            ("sec-fetch-site", false),
        ] {
            assert_eq!(may_trail(name), passes, "{name}");
        }
    }

    #[test]
    fn h7_what_a_product_may_not_say() {
        for name in [
            "nel",
            "report-to",
            "reporting-endpoints",
            "alt-svc",
            "strict-transport-security",
            "service-worker-allowed",
            "secure-session-registration",
            "sec-session-id",
            "fedgate-assertion",
            "x-fedgate-user",
            "public-key-pins",
        ] {
            assert!(is_kept_from_browsers(name), "{name}");
        }
        for name in
            ["set-cookie", "server", "content-security-policy", "x-frame-options", "retry-after", "age", "pragma"]
        {
            assert!(!is_kept_from_browsers(name), "{name}");
        }
    }

    #[test]
    fn h7_clear_site_data_keeps_to_its_host() {
        for (said, kept) in [
            ("\"cookies\"", None),
            ("\"*\"", None),
            ("\"cache\", \"cookies\"", Some("\"cache\"")),
            ("\"cache\",\"storage\"", Some("\"cache\", \"storage\"")),
            ("\"Cookies\"", None),
        ] {
            assert_eq!(clear_site_data(said).as_deref(), kept, "{said}");
        }
    }

    #[test]
    fn h8_responses_with_a_session_are_private() {
        for (said, sent) in [
            ("", Some("private")),
            ("max-age=60", Some("max-age=60, private")),
            ("public, max-age=60", Some("max-age=60, private")),
            ("private, s-maxage=9", Some("private")),
            ("private", None),
            ("No-Store", None),
            ("private=\"x\", max-age=1", Some("private=\"x\", max-age=1, private")),
            ("S-MaxAge=1", Some("private")),
        ] {
            assert_eq!(private_cache_control(said).as_deref(), sent, "{said}");
        }
    }

    #[test]
    fn h8_connection_bound_logins_go() {
        for (challenge, bound) in
            [("NTLM", true), ("negotiate abc", true), ("Basic realm=\"x\"", false), ("Basic realm=x, NTLM", true)]
        {
            assert_eq!(authenticates_connections(challenge), bound, "{challenge}");
        }
        for (credentials, bound) in
            [("NTLM TlR", true), ("negotiate x", true), ("Basic eDp5, NTLM", false), ("Basic NTLM", false), ("", false)]
        {
            assert_eq!(logs_connection_in(credentials), bound, "{credentials}");
        }
    }

    #[test]
    fn c7_what_logs_in_is_no_api_token() {
        for (value, is_token) in [
            (&b"Bearer abc"[..], true),
            (b"OAuth oauth_consumer_key=\"k\", oauth_token=\"t\"", true),
            (b"token abc", true),
            (b"Basic YTpi", false),
            (b"bASIC YTpi", false),
            (b"Digest username=\"a\"", false),
            (b"Negotiate abc", false),
            (b"NTLM abc", false),
            (b"Bearer", false),
            (b"Bearer ", false),
            (b" Bearer abc", false),
            (b"Bea\trer abc", false),
            (b"Bearer a\tb", false),
            (b"Bearer \xc3\xa9", false),
            (b"Bearer \xff", false),
            (b"", false),
        ] {
            assert_eq!(api_credentials(value).is_some(), is_token, "{value:?}");
        }
        assert_eq!(api_credentials(format!("Bearer {}", "a".repeat(5_000)).as_bytes()), None);
    }

    proptest::proptest! {
        #[test]
        fn h7_no_spelling_of_ours_passes(seps in proptest::collection::vec("[-_.!#$%&'*+^`|~]", 2)) {
            let name = format!("X{}fedgate{}user", seps[0], seps[1]);
            proptest::prop_assert!(is_ours(&name));
        }
    }
}
