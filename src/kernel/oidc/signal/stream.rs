//! The management of a stream at its transmitter (OpenID Shared Signals Framework 1.0 §7 and §8): what is asked, and what its answers
//! must say before anything is done with them.
//!
//! A transmitter's configuration is published under its issuer; a stream's is what it grants of what was asked. Only what would lead events
//! to the directory's door, by the standard's two deliveries, is a stream of ours.

use super::super::json::strict;
use super::FOLLOWED;
use serde_json::{Map, Value, json};
use url::Url;

/// Bytes of a configuration; of a list of streams as well.
const LIMIT: usize = 256 * 1024;
/// Characters of an identifier or a URL.
const TEXT_LIMIT: usize = 2_048;
/// Streams that one answer may list.
const STREAMS: usize = 100;
/// RFC 8935.
const PUSH: &str = "urn:ietf:rfc:8935";
/// RFC 8936.
const POLL: &str = "urn:ietf:rfc:8936";
/// What transmitters of drafts write for the same.
const DRAFT: &str = "https://schemas.openid.net/secevent/risc/delivery-method/";

/// Why an answer about a stream is not used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StreamFault {
    /// No JSON object, or a member of another kind than the standard's.
    #[error("that is no answer of the Shared Signals Framework")]
    Shape,
    /// Of another issuer than the one that was asked.
    #[error("it is about another issuer")]
    Issuer,
    /// An endpoint that may not be asked: no https, or credentials in it.
    #[error("an endpoint is no https address")]
    Endpoint,
    /// It has no endpoint where streams are set up.
    #[error("it does not let streams be set up by a receiver")]
    NoManagement,
}

/// How a stream's events come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Delivery {
    /// The transmitter sends them to the directory's door (RFC 8935).
    Push,
    /// They are fetched from the transmitter (RFC 8936).
    Poll,
}

impl Delivery {
    /// Its name in the standards.
    pub const fn urn(self) -> &'static str {
        match self {
            Self::Push => PUSH,
            Self::Poll => POLL,
        }
    }

    fn named(method: &str) -> Option<Self> {
        match method.strip_prefix(DRAFT).unwrap_or(method) {
            PUSH | "push" => Some(Self::Push),
            POLL | "poll" => Some(Self::Poll),
            _ => None,
        }
    }
}

/// A transmitter's configuration (§7.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TransmitterMetadata {
    /// Where streams are set up.
    pub configuration: Url,
    /// Where a stream's state is read.
    pub status: Option<Url>,
    /// Where an event is asked for that proves the way.
    pub verification: Option<Url>,
    /// Deliveries that it says it has; empty where it says nothing.
    pub deliveries: Vec<Delivery>,
}

/// Where the configuration of an issuer stands (§7.2.1): the well-known part comes between the host and the issuer's own path. `None` for
/// what is no address.
pub fn well_known(issuer: &str) -> Option<Url> {
    let mut url = Url::parse(issuer).ok().filter(|url| !url.cannot_be_a_base())?;
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("/.well-known/ssf-configuration{path}"));
    Some(url)
}

/// Reads a transmitter's configuration, which must be the one of `issuer`.
///
/// # Errors
/// [`StreamFault`].
pub fn transmitter(body: &[u8], issuer: &str) -> Result<TransmitterMetadata, StreamFault> {
    let members = object(body)?;
    // Byte for byte (RFC 8414 §3.3).
    if members.get("issuer").and_then(Value::as_str) != Some(issuer) {
        return Err(StreamFault::Issuer);
    }
    let endpoint = |name: &str| members.get(name).map(address).transpose();
    let methods = match members.get("delivery_methods_supported") {
        None => Vec::new(),
        Some(several) => texts(several)?,
    };
    Ok(TransmitterMetadata {
        configuration: endpoint("configuration_endpoint")?.ok_or(StreamFault::NoManagement)?,
        status: endpoint("status_endpoint")?,
        verification: endpoint("verification_endpoint")?,
        deliveries: methods.iter().filter_map(|method| Delivery::named(method)).collect(),
    })
}

/// The request for a stream that delivers what this program follows; by push to `door`.
pub fn request(delivery: Delivery, door: &str, description: &str) -> Vec<u8> {
    let mut how = json!({ "method": delivery.urn() });
    if delivery == Delivery::Push
        && let Some(members) = how.as_object_mut()
    {
        members.insert("endpoint_url".to_owned(), door.into());
    }
    json!({ "delivery": how, "events_requested": FOLLOWED, "description": description }).to_string().into_bytes()
}

/// A stream as its transmitter has it (§8.1.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stream {
    /// Its name at the transmitter.
    pub id: String,
    /// Whom its events are for: one of them, or nobody takes them here.
    pub audience: Vec<String>,
    /// How they come; none for a delivery that the standard does not have.
    pub delivery: Option<Delivery>,
    /// Where to: the door, or where they are fetched.
    pub endpoint: Option<String>,
    /// Events that it will send; none where the transmitter does not say.
    pub delivered: Option<Vec<String>>,
}

impl Stream {
    /// Whether it delivers to this door, or by poll where `door` is none.
    pub fn leads_to(&self, delivery: Delivery, door: &str) -> bool {
        self.delivery == Some(delivery) && (delivery == Delivery::Poll || self.endpoint.as_deref() == Some(door))
    }

    /// Events that are followed here and that it does not send.
    pub fn withheld(&self) -> Vec<&'static str> {
        let Some(delivered) = &self.delivered else { return Vec::new() };
        FOLLOWED.into_iter().filter(|event| !delivered.iter().any(|one| one == event)).collect()
    }
}

/// Reads one stream. `issuer` is whose events the directory takes: the stream must be of no other.
///
/// # Errors
/// [`StreamFault`].
pub fn stream(body: &[u8], issuer: &str) -> Result<Stream, StreamFault> {
    one(&object(body)?, issuer)
}

/// Reads the streams that this receiver has: a list of them, or the only one (§8.1.1.2).
///
/// # Errors
/// [`StreamFault`], also where one of them is none.
pub fn streams(body: &[u8], issuer: &str) -> Result<Vec<Stream>, StreamFault> {
    match strict(body, LIMIT) {
        Ok(Value::Array(several)) if several.len() <= STREAMS => {
            several.iter().map(|each| one(each.as_object().ok_or(StreamFault::Shape)?, issuer)).collect()
        }
        Ok(Value::Object(only)) => Ok(vec![one(&only, issuer)?]),
        _ => Err(StreamFault::Shape),
    }
}

/// Reads a stream's state (§8.1.2): `enabled`, `paused` or `disabled`, and why.
///
/// # Errors
/// [`StreamFault::Shape`].
pub fn status(body: &[u8]) -> Result<(String, Option<String>), StreamFault> {
    let members = object(body)?;
    let state = text(members.get("status").ok_or(StreamFault::Shape)?)?;
    let reason = members.get("reason").filter(|reason| !reason.is_null()).map(text).transpose()?;
    Ok((state, reason))
}

/// Asks for an event that carries `state` back (§8.1.4.2).
pub fn verification(stream: &str, state: &str) -> Vec<u8> {
    json!({ "stream_id": stream, "state": state }).to_string().into_bytes()
}

fn one(members: &Map<String, Value>, issuer: &str) -> Result<Stream, StreamFault> {
    if members.get("iss").is_some_and(|iss| iss.as_str() != Some(issuer)) {
        return Err(StreamFault::Issuer);
    }
    let delivery = members.get("delivery").and_then(Value::as_object).ok_or(StreamFault::Shape)?;
    let method = text(delivery.get("method").ok_or(StreamFault::Shape)?)?;
    let audience = match members.get("aud") {
        None => Vec::new(),
        Some(Value::Array(several)) => several.iter().map(text).collect::<Result<_, _>>()?,
        Some(only) => vec![text(only)?],
    };
    Ok(Stream {
        id: text(members.get("stream_id").ok_or(StreamFault::Shape)?)?,
        audience,
        delivery: Delivery::named(&method),
        endpoint: delivery.get("endpoint_url").map(text).transpose()?,
        delivered: members.get("events_delivered").map(texts).transpose()?,
    })
}

fn object(body: &[u8]) -> Result<Map<String, Value>, StreamFault> {
    match strict(body, LIMIT) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(StreamFault::Shape),
    }
}

fn texts(several: &Value) -> Result<Vec<String>, StreamFault> {
    several.as_array().filter(|several| several.len() <= STREAMS).ok_or(StreamFault::Shape)?.iter().map(text).collect()
}

fn text(value: &Value) -> Result<String, StreamFault> {
    let fits = |text: &&str| (1..=TEXT_LIMIT).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    value.as_str().filter(fits).map(ToOwned::to_owned).ok_or(StreamFault::Shape)
}

/// The bearer token goes there: https, with nothing of somebody's else in it.
fn address(value: &Value) -> Result<Url, StreamFault> {
    let url = Url::parse(&text(value)?).map_err(|_| StreamFault::Endpoint)?;
    let clean = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if url.scheme() == "https" && clean { Ok(url) } else { Err(StreamFault::Endpoint) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://idp.example/tenant";
    const DOOR: &str = "https://id.example/signals/acme";

    fn metadata() -> Value {
        json!({
            "issuer": ISSUER, "jwks_uri": "https://idp.example/keys",
            "configuration_endpoint": "https://idp.example/ssf/streams",
            "status_endpoint": "https://idp.example/ssf/status",
            "verification_endpoint": "https://idp.example/ssf/verify",
            "delivery_methods_supported": [PUSH, POLL, "urn:example:pigeon"],
        })
    }

    fn granted() -> Value {
        json!({
            "stream_id": "s1", "iss": ISSUER, "aud": [DOOR], "events_delivered": FOLLOWED,
            "delivery": { "method": PUSH, "endpoint_url": DOOR },
        })
    }

    fn without(mut value: Value, name: &str, other: Option<Value>) -> Vec<u8> {
        let members = value.as_object_mut().unwrap();
        members.remove(name);
        members.extend(other.map(|other| (name.to_owned(), other)));
        value.to_string().into_bytes()
    }

    #[test]
    fn a_configuration_stands_between_the_host_and_the_path() {
        for (issuer, url) in [
            ("https://idp.example", "https://idp.example/.well-known/ssf-configuration"),
            ("https://idp.example/", "https://idp.example/.well-known/ssf-configuration"),
            (ISSUER, "https://idp.example/.well-known/ssf-configuration/tenant"),
        ] {
            assert_eq!(well_known(issuer).unwrap().as_str(), url);
        }
        assert_eq!((well_known("idp.example"), well_known("mailto:a@b")), (None, None));
    }

    #[test]
    fn a_transmitter_is_the_one_that_was_asked_and_is_asked_over_https() {
        let read = transmitter(metadata().to_string().as_bytes(), ISSUER).unwrap();
        assert_eq!(read.configuration.as_str(), "https://idp.example/ssf/streams");
        assert_eq!(read.deliveries, [Delivery::Push, Delivery::Poll]);
        let bare = transmitter(&without(metadata(), "delivery_methods_supported", None), ISSUER).unwrap();
        assert!(bare.deliveries.is_empty());
        for (name, other, fault) in [
            ("issuer", None, StreamFault::Issuer),
            ("issuer", Some(json!("https://idp.example/tenant/")), StreamFault::Issuer),
            ("configuration_endpoint", None, StreamFault::NoManagement),
            ("configuration_endpoint", Some(json!("http://idp.example/ssf")), StreamFault::Endpoint),
            ("configuration_endpoint", Some(json!("https://u:p@idp.example/ssf")), StreamFault::Endpoint),
            ("status_endpoint", Some(json!("file:///etc/passwd")), StreamFault::Endpoint),
            ("verification_endpoint", Some(json!(1)), StreamFault::Shape),
            ("delivery_methods_supported", Some(json!("push")), StreamFault::Shape),
        ] {
            assert_eq!(transmitter(&without(metadata(), name, other), ISSUER), Err(fault), "{name}");
        }
        assert_eq!(transmitter(b"[]", ISSUER), Err(StreamFault::Shape));
    }

    #[test]
    fn a_request_names_the_door_of_a_push_and_everything_that_is_followed() {
        let said: Value = serde_json::from_slice(&request(Delivery::Push, DOOR, "fedgate, acme")).unwrap();
        assert_eq!(said["delivery"], json!({ "method": PUSH, "endpoint_url": DOOR }));
        assert_eq!(said["events_requested"], json!(FOLLOWED));
        let said: Value = serde_json::from_slice(&request(Delivery::Poll, DOOR, "fedgate")).unwrap();
        assert_eq!(said["delivery"], json!({ "method": POLL }));
    }

    #[test]
    fn a_stream_is_of_our_issuer_and_says_where_it_leads() {
        let read = stream(granted().to_string().as_bytes(), ISSUER).unwrap();
        assert!(
            read.leads_to(Delivery::Push, DOOR) && !read.leads_to(Delivery::Push, "https://id.example/signals/globex")
        );
        assert!(!read.leads_to(Delivery::Poll, DOOR) && read.withheld().is_empty());
        let less = stream(&without(granted(), "events_delivered", Some(json!([FOLLOWED[0]]))), ISSUER).unwrap();
        assert_eq!(less.withheld(), FOLLOWED[1..]);
        let poll = json!({ "method": "https://schemas.openid.net/secevent/risc/delivery-method/poll", "endpoint_url": "https://idp.example/poll" });
        assert!(stream(&without(granted(), "delivery", Some(poll)), ISSUER).unwrap().leads_to(Delivery::Poll, DOOR));
        assert_eq!(stream(&without(granted(), "aud", Some(json!(DOOR))), ISSUER).unwrap().audience, [DOOR]);
        for (name, other, fault) in [
            ("iss", Some(json!("https://idp.example/other")), StreamFault::Issuer),
            ("stream_id", None, StreamFault::Shape),
            ("stream_id", Some(json!("a\nb")), StreamFault::Shape),
            ("stream_id", Some(json!("x".repeat(2_049))), StreamFault::Shape),
            ("delivery", None, StreamFault::Shape),
            ("aud", Some(json!({})), StreamFault::Shape),
            ("aud", Some(json!([1])), StreamFault::Shape),
            ("events_delivered", Some(json!("all")), StreamFault::Shape),
        ] {
            assert_eq!(stream(&without(granted(), name, other), ISSUER), Err(fault), "{name}");
        }
    }

    #[test]
    fn streams_are_a_list_or_the_only_one_and_all_of_our_issuer() {
        let list = |several: Value| streams(several.to_string().as_bytes(), ISSUER).map(|found| found.len());
        assert_eq!(list(json!([])), Ok(0));
        assert_eq!(list(granted()), Ok(1));
        assert_eq!(list(json!([granted(), granted()])), Ok(2));
        assert_eq!(list(json!(vec![granted(); 101])), Err(StreamFault::Shape));
        assert_eq!(list(json!([granted(), 1])), Err(StreamFault::Shape));
        assert_eq!(list(json!("none")), Err(StreamFault::Shape));
    }

    #[test]
    fn a_state_is_a_word_and_perhaps_why() {
        assert_eq!(
            status(br#"{"status":"paused","reason":"too slow"}"#),
            Ok(("paused".into(), Some("too slow".into())))
        );
        assert_eq!(status(br#"{"status":"enabled","reason":null}"#), Ok(("enabled".into(), None)));
        for wrong in
            [&br"{}"[..], br#"{"status":1}"#, br#"{"status":"a\u0007"}"#, br#"{"status":"enabled","reason":{}}"#]
        {
            assert_eq!(status(wrong), Err(StreamFault::Shape));
        }
    }
}
