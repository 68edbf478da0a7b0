//! samael's reduction of a document to what its signatures cover, and what stands in that, read by a parser that is not ours either.
//!
//! Of samael one function is called. What it returns are the very bytes that xmlsec1 digested; they are read by quick-xml, so that
//! neither verifier shares a parser, a canonicalization or a cryptographic library with the first one.

use crate::kernel::saml::{AssertionRead, MessageRead, Opinion};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;
use samael::crypto::{AllowedSignatureAlgorithm, CertificateDer, Crypto, CryptoProvider as _, ReduceMode};

const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const SAMLP: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
const DS: &str = "http://www.w3.org/2000/09/xmldsig#";

/// What the first verifier takes.
const ALGORITHMS: [AllowedSignatureAlgorithm; 5] = [
    AllowedSignatureAlgorithm::RsaSha256,
    AllowedSignatureAlgorithm::RsaSha384,
    AllowedSignatureAlgorithm::RsaSha512,
    AllowedSignatureAlgorithm::EcdsaSha256,
    AllowedSignatureAlgorithm::EcdsaSha384,
];

/// Two assertions that were signed for this test, by RSA and ECDSA, with their certificates.
const KNOWN: [(&str, &str); 2] = [
    (include_str!("known/rsa.xml"), include_str!("known/rsa.der.base64")),
    (include_str!("known/ecdsa.xml"), include_str!("known/ecdsa.der.base64")),
];

/// Whether the engine knows good from bad.
///
/// # Errors
/// What it got wrong.
pub(super) fn know() -> Result<(), String> {
    for (document, certificate) in KNOWN {
        let certificate = STANDARD.decode(certificate.trim()).map_err(|why| why.to_string())?;
        let good = read(document, vec![certificate.clone()])?;
        if good.assertion.and_then(|read| read.name_id).as_deref() != Some("known & true") {
            return Err("it misreads a known assertion".to_owned());
        }
        if read(&document.replace("true", "false"), vec![certificate]).is_ok() {
            return Err("it takes an assertion that was changed".to_owned());
        }
    }
    Ok(())
}

/// Verifies a document by these certificates alone and reads what was signed.
///
/// # Errors
/// Why not, without anything of the document.
pub(super) fn read(document: &str, certificates: Vec<Vec<u8>>) -> Result<Opinion, String> {
    let certificates: Vec<CertificateDer> = certificates.into_iter().map(CertificateDer::from).collect();
    let mode = ReduceMode::PreDigest;
    let reduced =
        Crypto::reduce_xml_to_signed_with_allowed_algorithms(document, &certificates, mode, Some(&ALGORITHMS));
    let root = Element::parse(&reduced.map_err(|why| format!("samael: {why}"))?)?;
    let mut opinion = Opinion::default();
    let assertion = if root.is(SAMLP, "Response") {
        let text = |name: &str| root.attribute(name);
        let issuer = root.child(SAML, "Issuer").map(Element::whole_text);
        opinion.message =
            Some(MessageRead { in_response_to: text("InResponseTo"), destination: text("Destination"), issuer });
        opinion.ciphertext = root.child(SAML, "EncryptedAssertion").and_then(ciphertext);
        root.child(SAML, "Assertion")
    } else if root.is(SAML, "Assertion") {
        Some(&root)
    } else {
        return Err("what is signed is neither a Response nor an Assertion".to_owned());
    };
    opinion.assertion = assertion.map(assertion_read);
    Ok(opinion)
}

fn ciphertext(encrypted: &Element) -> Option<String> {
    let value = encrypted.child(XENC, "EncryptedData")?.child(XENC, "CipherData")?.child(XENC, "CipherValue")?;
    Some(value.whole_text().split_ascii_whitespace().collect())
}

fn assertion_read(assertion: &Element) -> AssertionRead {
    let subject = assertion.child(SAML, "Subject");
    let name_id = subject.and_then(|subject| subject.child(SAML, "NameID"));
    let confirmation = |one: &Element| {
        let data = one.child(SAML, "SubjectConfirmationData");
        let of_data = |name| data.and_then(|data| data.attribute(name));
        [one.attribute("Method"), of_data("Recipient"), of_data("InResponseTo"), of_data("NotOnOrAfter")]
    };
    let conditions = assertion.child(SAML, "Conditions");
    let restrictions = conditions.into_iter().flat_map(|all| all.all(SAML, "AudienceRestriction"));
    let statements = assertion.all(SAML, "AttributeStatement");
    AssertionRead {
        id: assertion.attribute("ID").unwrap_or_default(),
        issuer: assertion.child(SAML, "Issuer").map(Element::whole_text).unwrap_or_default(),
        name_id: name_id.map(Element::whole_text),
        name_space: ["Format", "NameQualifier", "SPNameQualifier"]
            .map(|name| name_id.and_then(|one| one.attribute(name))),
        confirmations: subject
            .into_iter()
            .flat_map(|all| all.all(SAML, "SubjectConfirmation"))
            .map(confirmation)
            .collect(),
        valid: ["NotBefore", "NotOnOrAfter"].map(|name| conditions.and_then(|one| one.attribute(name))),
        audiences: restrictions.map(|one| one.all(SAML, "Audience").map(Element::whole_text).collect()).collect(),
        authenticated: assertion.all(SAML, "AuthnStatement").map(authentication).collect(),
        attributes: statements.flat_map(|one| one.all(SAML, "Attribute")).map(attribute_read).collect(),
    }
}

fn authentication(statement: &Element) -> [Option<String>; 4] {
    let context = statement.child(SAML, "AuthnContext");
    let class = context.and_then(|context| context.child(SAML, "AuthnContextClassRef")).map(Element::whole_text);
    let [at, until, index] =
        ["AuthnInstant", "SessionNotOnOrAfter", "SessionIndex"].map(|name| statement.attribute(name));
    [at, until, index, class]
}

/// Values with structure of their own are left out, but for a single NameID, as the first verifier does.
fn attribute_read(attribute: &Element) -> (String, Vec<String>) {
    let value = |value: &Element| match value.children.as_slice() {
        [] => Some(value.whole_text()),
        [only] if only.is(SAML, "NameID") && value.text.trim().is_empty() => Some(only.whole_text()),
        _ => None,
    };
    let name = attribute.attribute("Name").unwrap_or_default();
    (name, attribute.all(SAML, "AttributeValue").filter_map(value).collect())
}

/// An element with its namespace, and what is in it.
#[derive(Default)]
struct Element {
    namespace: String,
    name: String,
    /// Those without namespace.
    attributes: Vec<(String, String)>,
    children: Vec<Element>,
    /// Its own text, around and between its children.
    text: String,
}

impl Element {
    /// The canonical XML that was digested. Signatures have done their part and are left out.
    fn parse(text: &str) -> Result<Self, String> {
        let mut reader = NsReader::from_str(text);
        // The outermost stands for the document.
        let mut open = vec![Self::default()];
        loop {
            let (namespace, event) = reader.read_resolved_event().map_err(|why| why.to_string())?;
            let namespace = match namespace {
                ResolveResult::Bound(namespace) => String::from_utf8_lossy(namespace.as_ref()).into_owned(),
                _ => String::new(),
            };
            match event {
                Event::Start(start) => open.push(Self::begin(&start, namespace)?),
                Event::Empty(start) => {
                    let element = Self::begin(&start, namespace)?;
                    open.last_mut().ok_or("unbalanced")?.children.push(element);
                }
                Event::End(_) => {
                    let element = open.pop().ok_or("unbalanced")?;
                    let parent = open.last_mut().ok_or("unbalanced")?;
                    if !element.is(DS, "Signature") {
                        parent.children.push(element);
                    }
                }
                Event::Text(text) => {
                    let text = text.decode().map_err(|why| why.to_string())?;
                    open.last_mut().ok_or("unbalanced")?.text.push_str(&text);
                }
                Event::GeneralRef(reference) => {
                    let character = reference.resolve_char_ref().map_err(|why| why.to_string())?;
                    let name = reference.decode().map_err(|why| why.to_string())?;
                    let text = &mut open.last_mut().ok_or("unbalanced")?.text;
                    match (character, resolve_predefined_entity(&name)) {
                        (Some(character), _) => text.push(character),
                        (None, Some(entity)) => text.push_str(entity),
                        (None, None) => return Err("an entity that nobody declared".to_owned()),
                    }
                }
                Event::Eof => break,
                _ => return Err("what canonical XML of a message does not have".to_owned()),
            }
        }
        match (open.pop(), open.is_empty()) {
            (Some(document), true) if document.children.len() == 1 => {
                document.children.into_iter().next().ok_or_else(|| "no element".to_owned())
            }
            _ => Err("not one element".to_owned()),
        }
    }

    fn begin(start: &BytesStart<'_>, namespace: String) -> Result<Self, String> {
        let name = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|why| why.to_string())?;
            if attribute.key.prefix().is_none() && attribute.key.as_namespace_binding().is_none() {
                let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|why| why.to_string())?;
                attributes.push((name(attribute.key.as_ref()), value.into_owned()));
            }
        }
        Ok(Self { namespace, name: name(start.local_name().as_ref()), attributes, ..Self::default() })
    }

    fn is(&self, namespace: &str, name: &str) -> bool {
        self.namespace == namespace && self.name == name
    }

    fn all<'a>(&'a self, namespace: &'a str, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.is(namespace, name))
    }

    fn child(&self, namespace: &str, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.is(namespace, name))
    }

    fn attribute(&self, name: &str) -> Option<String> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// All its text, in elements too: what a reader would see who does not know better.
    fn whole_text(&self) -> String {
        let inside: String = self.children.iter().map(Self::whole_text).collect();
        format!("{}{inside}", self.text)
    }
}
