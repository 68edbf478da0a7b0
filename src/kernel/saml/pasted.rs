//! A response as people have it who ask what is wrong with it: XML, base64, or a form's field as the browser's tools copy it.

use super::SamlFault;
use super::gate::{Limits, decode_post};
use std::borrow::Cow;
use url::form_urlencoded;

/// The field of the POST binding (SAML Bindings §3.5.4).
const FIELD: &str = "SAMLResponse";

/// The document in a text that somebody pasted. Whatever is put right here was not wrong in the login: white space around it, a
/// byte order mark, quotes, and the encoding of forms.
///
/// # Errors
/// [`SamlFault::TooLarge`] or [`SamlFault::Encoding`], as where responses arrive.
pub fn decode_pasted(text: &[u8], limits: Limits) -> Result<Vec<u8>, SamlFault> {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text).trim_ascii();
    let quoted = text.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    let text = quoted.unwrap_or(text);
    if text.starts_with(b"<") {
        return if text.len() > limits.bytes { Err(SamlFault::TooLarge) } else { Ok(text.to_vec()) };
    }
    decode_post(field(text)?.as_bytes(), limits)
}

/// The field's value: of a form, of one field without its name, or as it is.
fn field(text: &[u8]) -> Result<Cow<'_, str>, SamlFault> {
    let text = std::str::from_utf8(text).map_err(|_| SamlFault::Encoding)?;
    if !text.contains(['%', '&']) && !text.starts_with(FIELD) {
        return Ok(Cow::Borrowed(text));
    }
    if !text.contains(&format!("{FIELD}=")) {
        let mut only = form_urlencoded::parse(text.as_bytes());
        return match (only.next(), only.next()) {
            (Some((value, rest)), None) if rest.is_empty() => Ok(Cow::Owned(value.into_owned())),
            _ => Err(SamlFault::Encoding),
        };
    }
    let mut found = form_urlencoded::parse(text.as_bytes()).filter(|(name, _)| name == FIELD);
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Ok(value),
        _ => Err(SamlFault::Encoding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::saml::gate::encode;

    #[test]
    fn a_response_is_taken_as_people_paste_it() {
        // Its base64 has both characters that forms escape.
        let document = "<a>\u{3ff}\u{3ff}?~~~~</a>";
        let base64 = encode(document.as_bytes());
        assert!(base64.contains('/') && base64.contains('+') && base64.contains('='), "{base64}");
        let form: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("RelayState", "a&b"), (FIELD, base64.as_str())])
            .finish();
        let encoded: String = form_urlencoded::byte_serialize(base64.as_bytes()).collect();
        let lines = format!("{}\r\n{}\n", &base64[..8], &base64[8..]);
        for text in [
            document.to_owned(),
            format!("\u{feff}  {document}\n"),
            base64.clone(),
            format!("\"{base64}\""),
            lines,
            encoded,
            format!("{form}\n"),
        ] {
            assert_eq!(decode_pasted(text.as_bytes(), Limits::MESSAGE).as_deref(), Ok(document.as_bytes()), "{text}");
        }
        for (text, fault) in [
            ("", SamlFault::Encoding),
            ("not base64!", SamlFault::Encoding),
            ("RelayState=x&y=z", SamlFault::Encoding),
            ("SAMLResponse=PGE%2B&SAMLResponse=PGE%2B", SamlFault::Encoding),
        ] {
            assert_eq!(decode_pasted(text.as_bytes(), Limits::MESSAGE), Err(fault), "{text}");
        }
        let large = format!("<a>{}</a>", " ".repeat(Limits::MESSAGE.bytes));
        assert_eq!(decode_pasted(large.as_bytes(), Limits::MESSAGE), Err(SamlFault::TooLarge));
    }
}
