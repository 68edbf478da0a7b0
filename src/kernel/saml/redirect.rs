//! The Redirect binding (SAML Bindings §3.4.4.1): a message in a query, and a signature over the query as it was written.
//!
//! What was signed is the percent-encoded text, which providers write differently: the bytes that arrived are what is verified,
//! each parameter once, in the binding's order whatever the query's.

use super::SamlFault;
use super::gate::{self, Limits};
use super::keys::{SignatureAlgorithm, SigningKeys};
use super::verify::{self, Signed};
use std::borrow::Cow;
use url::form_urlencoded;

/// Bytes of a query; 64 KiB are more than any server takes.
const QUERY_LIMIT: usize = 64 * 1024;

/// A message of a query. Behind [`Signed`] its bytes are the provider's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RedirectMessage {
    /// Whether it came as `SAMLRequest` or as `SAMLResponse`.
    pub is_request: bool,
    /// The inflated document; it has not been through the gate.
    pub document: Vec<u8>,
    /// `RelayState`, opaque.
    pub relay_state: Option<String>,
}

/// A query's parameters, as they were written.
#[derive(Default)]
struct Raw<'a> {
    request: Option<&'a str>,
    response: Option<&'a str>,
    relay_state: Option<&'a str>,
    algorithm: Option<&'a str>,
    signature: Option<&'a str>,
}

impl<'a> Raw<'a> {
    fn read(query: &'a str) -> Result<Self, SamlFault> {
        let mut raw = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let slot = match decoded(name).as_ref() {
                "SAMLRequest" => &mut raw.request,
                "SAMLResponse" => &mut raw.response,
                "RelayState" => &mut raw.relay_state,
                "SigAlg" => &mut raw.algorithm,
                "Signature" => &mut raw.signature,
                // Another encoding would be another message to whoever reads it; the default is the only one.
                "SAMLEncoding" => return Err(SamlFault::RedirectParameters),
                _ => continue,
            };
            // A name in another spelling, `SAML%52equest`, is no name that anybody signs.
            if slot.is_some() || name.contains(['%', '+']) {
                return Err(SamlFault::RedirectParameters);
            }
            *slot = Some(value);
        }
        Ok(raw)
    }

    /// What was signed: message, RelayState where there is one, SigAlg.
    fn octets(&self, name: &str, message: &str, algorithm: &str) -> String {
        let relay_state = self.relay_state.map_or_else(String::new, |relay_state| format!("&RelayState={relay_state}"));
        format!("{name}={message}{relay_state}&SigAlg={algorithm}")
    }
}

fn decoded(text: &str) -> Cow<'_, str> {
    // As a form's value: the pair has this name only, so that the first is the whole.
    form_urlencoded::parse(text.as_bytes()).next().map_or(Cow::Borrowed(""), |(name, _)| name)
}

fn value(text: &str) -> Result<String, SamlFault> {
    // `=` does not end a value, `&` does not occur in one.
    let pair = format!("v={text}");
    form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .ok_or(SamlFault::RedirectParameters)
}

/// Verifies a signed query, without its `?`, as the request line had it.
///
/// # Errors
/// [`SamlFault::RedirectParameters`] for parameters that are missing, repeated or too long, [`SamlFault::Unsigned`] without a
/// signature, and those of keys, algorithm and encoding.
pub fn open_redirect(query: &str, keys: &SigningKeys) -> Result<Signed<RedirectMessage>, SamlFault> {
    if query.len() > QUERY_LIMIT {
        return Err(SamlFault::TooLarge);
    }
    let raw = Raw::read(query)?;
    let (name, message) = match (raw.request, raw.response) {
        (Some(message), None) => ("SAMLRequest", message),
        (None, Some(message)) => ("SAMLResponse", message),
        _ => return Err(SamlFault::RedirectParameters),
    };
    let (Some(algorithm), Some(signature)) = (raw.algorithm, raw.signature) else { return Err(SamlFault::Unsigned) };
    let known = SignatureAlgorithm::named(&value(algorithm)?).ok_or(SamlFault::SignatureAlgorithm)?;
    let signature = gate::base64(value(signature)?.as_bytes(), 1024)?;
    let octets = raw.octets(name, message, algorithm);
    let signed = verify::detached(keys, known, octets.as_bytes(), &signature, ())?;
    // Only now is anything of it read.
    let document = gate::decode_redirect(value(message)?.as_bytes(), Limits::MESSAGE)?;
    let relay_state = raw.relay_state.map(value).transpose()?;
    Ok(signed.map(|()| RedirectMessage { is_request: name == "SAMLRequest", document, relay_state }))
}

/// A query of ours without its signature: what [`signed_query`] completes is signed over exactly these bytes.
pub fn query_to_sign(document: &str, is_request: bool, relay_state: Option<&str>, by: SignatureAlgorithm) -> String {
    let packed = gate::encode(&miniz_oxide::deflate::compress_to_vec(document.as_bytes(), 9));
    let name = if is_request { "SAMLRequest" } else { "SAMLResponse" };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair(name, &packed);
    if let Some(relay_state) = relay_state {
        query.append_pair("RelayState", relay_state);
    }
    query.append_pair("SigAlg", by.uri());
    query.finish()
}

/// The whole query, once `to_sign` was signed.
pub fn signed_query(to_sign: String, signature: &[u8]) -> String {
    form_urlencoded::Serializer::new(to_sign).append_pair("Signature", &gate::encode(signature)).finish()
}
