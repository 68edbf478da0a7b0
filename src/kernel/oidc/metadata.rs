//! What we use of a provider's discovery document (OpenID Connect Discovery 1.0 §3), and nothing else of it.
//!
//! Its algorithms and ways of client authentication are there for operators to read. Nothing obeys them: what a directory accepts
//! is fixed at set-up, and a document that anyone could swap must not widen it.

use super::json::strict;
use serde_json::Value;
use url::{Host, Url};

/// Bytes of a discovery document: real ones have under 10 KiB.
const DOCUMENT_LIMIT: usize = 256 * 1024;
/// Items of a list; real ones have under 20.
const LIST_LIMIT: usize = 100;

/// A provider's addresses and what it promises.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Metadata {
    /// Byte for byte the issuer that was configured.
    pub issuer: String,
    /// Where browsers go.
    pub authorization: Url,
    /// Where codes are exchanged.
    pub token: Url,
    /// Where its keys are.
    pub jwks: Url,
    /// Claims for an access token.
    pub userinfo: Option<Url>,
    /// RP-initiated logout.
    pub end_session: Option<Url>,
    /// It promises an `iss` parameter with every reply (RFC 9207 §3): a reply without one is refused.
    pub sends_issuer: bool,
    /// `id_token_signing_alg_values_supported`.
    pub algorithms: Vec<String>,
    /// `token_endpoint_auth_methods_supported`; `client_secret_basic` where it is silent (Discovery §3).
    pub client_auth: Vec<String>,
    /// It is the sample issuer of `fedgate demo`; never a provider of a real installation (rule M17).
    pub demo: bool,
}

/// Which addresses may be `http`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PlainHttp {
    /// None.
    Refused,
    /// Those on this machine: `localhost`, names under it, and loopback addresses.
    Loopback,
}

/// Why a discovery document is not used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MetadataFault {
    /// Not JSON, too large, repeated members, or a member of the wrong kind.
    #[error("the discovery document is not a JSON object without repeated members")]
    Shape,
    /// Its `issuer` is not the configured one, byte for byte.
    #[error("the discovery document names another issuer than the configuration")]
    Issuer,
    /// An endpoint is missing, not an URL, or not https.
    #[error("{0} of the discovery document is missing or not an https address")]
    Endpoint(&'static str),
}

impl Metadata {
    /// Reads a discovery document of the provider that was configured as `issuer`.
    ///
    /// # Errors
    /// [`MetadataFault`] names the first thing that is wrong.
    pub fn parse(bytes: &[u8], issuer: &str, plain: PlainHttp) -> Result<Self, MetadataFault> {
        let document = strict(bytes, DOCUMENT_LIMIT).map_err(|_| MetadataFault::Shape)?;
        let document = document.as_object().ok_or(MetadataFault::Shape)?;
        let claimed = document.get("issuer").and_then(Value::as_str).ok_or(MetadataFault::Shape)?;
        if claimed != issuer {
            return Err(MetadataFault::Issuer);
        }
        let optional = |name: &'static str| match document.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => endpoint(text, plain).map(Some).ok_or(MetadataFault::Endpoint(name)),
            Some(_) => Err(MetadataFault::Shape),
        };
        let required = |name: &'static str| optional(name)?.ok_or(MetadataFault::Endpoint(name));
        let flag = |name: &str| match document.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(MetadataFault::Shape),
        };
        let list = |name: &str, default: &[&str]| match document.get(name).and_then(Value::as_array) {
            None => default.iter().map(|item| (*item).to_owned()).collect(),
            Some(items) => items.iter().filter_map(Value::as_str).take(LIST_LIMIT).map(str::to_owned).collect(),
        };
        Ok(Self {
            issuer: issuer.to_owned(),
            authorization: required("authorization_endpoint")?,
            token: required("token_endpoint")?,
            jwks: required("jwks_uri")?,
            userinfo: optional("userinfo_endpoint")?,
            end_session: optional("end_session_endpoint")?,
            sends_issuer: flag("authorization_response_iss_parameter_supported")?,
            algorithms: list("id_token_signing_alg_values_supported", &[]),
            client_auth: list("token_endpoint_auth_methods_supported", &["client_secret_basic"]),
            demo: flag("fedgate_demo")?,
        })
    }
}

/// Reads an endpoint: https (or http on this machine where allowed), no credentials, no fragment, at most 2048 bytes.
pub fn endpoint(text: &str, plain: PlainHttp) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|_| text.len() <= 2048)?;
    let clean = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let scheme = match url.scheme() {
        "https" => true,
        "http" => plain == PlainHttp::Loopback && is_loopback(&url),
        _ => false,
    };
    (clean && scheme && url.has_host()).then_some(url)
}

/// Whether an address lies on this machine by its spelling: `localhost` and names under it (RFC 6761 §6.3), `127.0.0.0/8`, `::1`.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ISSUER: &str = "https://op.example";

    fn document() -> Value {
        json!({
            "issuer": ISSUER,
            "authorization_endpoint": "https://op.example/auth",
            "token_endpoint": "https://op.example/token",
            "jwks_uri": "https://keys.example/jwks",
        })
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Value), expected: Result<(), MetadataFault>) {
        let mut changed = document();
        change(&mut changed);
        let read = Metadata::parse(changed.to_string().as_bytes(), ISSUER, PlainHttp::Refused);
        assert_eq!(read.map(|_| ()), expected, "{changed}");
    }

    #[test]
    fn each_member_alone() {
        check(|_| (), Ok(()));
        check(|d| d["issuer"] = json!("https://op.example/"), Err(MetadataFault::Issuer));
        check(|d| d["issuer"] = json!(7), Err(MetadataFault::Shape));
        check(|d| d["token_endpoint"] = Value::Null, Err(MetadataFault::Endpoint("token_endpoint")));
        for bad in
            ["http://op.example/t", "file:///etc/passwd", "https://a:b@op.example/t", "https://op.example/t#f", "/t"]
        {
            check(|d| d["token_endpoint"] = json!(bad), Err(MetadataFault::Endpoint("token_endpoint")));
        }
        check(|d| d["fedgate_demo"] = json!("true"), Err(MetadataFault::Shape));
        check(
            |d| d["end_session_endpoint"] = json!("javascript:1"),
            Err(MetadataFault::Endpoint("end_session_endpoint")),
        );
    }

    #[test]
    fn a_repeated_member_is_refused() {
        let text = document().to_string().replacen('{', "{\"issuer\":\"https://evil.example\",", 1);
        assert_eq!(Metadata::parse(text.as_bytes(), ISSUER, PlainHttp::Refused), Err(MetadataFault::Shape));
    }

    #[test]
    fn http_is_for_this_machine_and_only_where_allowed() {
        for (text, allowed) in [
            ("http://127.0.0.1:4000/a", true),
            ("http://[::1]/a", true),
            ("http://op.localhost/a", true),
            ("http://localhost.example/a", false),
            ("http://10.0.0.1/a", false),
        ] {
            assert_eq!(endpoint(text, PlainHttp::Loopback).is_some(), allowed, "{text}");
            assert_eq!(endpoint(text, PlainHttp::Refused), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = Metadata::parse(&bytes, ISSUER, PlainHttp::Loopback); // only that it returns matters here
        }
    }
}
