//! Enveloped signatures of ours (SAML Core §5.4), for messages that travel in a form and for metadata: one Reference to the whole
//! document, exclusive C14N, RSA with SHA-256.
//!
//! The key is the caller's: [`ToSign::octets`] are what it signs, [`ToSign::signed`] is the document then.

use super::c14n::canonicalize;
use super::gate::{self, Limits};
use super::keys::SignatureAlgorithm;
use super::signature::ENVELOPED;
use super::xml::{DS, EXC_C14N, Tree, attribute};
use super::{SamlFault, write};
use aws_lc_rs::digest;

/// SHA-256 (XML Encryption §5.7.2).
const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
/// The end of Issuer, as this folder writes it. The text before it is escaped: it cannot be in there.
const ISSUER_END: &str = "</saml:Issuer>";

/// A document of ours and what is signed of it.
#[derive(Clone, Debug)]
pub struct ToSign {
    document: String,
    /// Where the signature's place is: after Issuer in messages, first in metadata.
    at: usize,
    info: String,
}

impl ToSign {
    /// Prepares a document that this folder wrote, whose root has an `ID`.
    ///
    /// # Errors
    /// [`SamlFault`] for a text that is no such document.
    pub fn of(document: String) -> Result<Self, SamlFault> {
        let (id, hash) = {
            let tree = Tree::parse(document.as_bytes(), Limits::METADATA)?;
            let id = attribute(tree.root(), "ID").ok_or(SamlFault::Id)?.to_owned();
            let mut context = digest::Context::new(&digest::SHA256);
            canonicalize(tree.root(), None, &[], &mut context);
            (id, gate::encode(context.finish().as_ref()))
        };
        let root_end = document.find('>').ok_or(SamlFault::NotXml)? + 1;
        let after = document.get(root_end..).unwrap_or_default();
        let issuer = if after.starts_with("<saml:Issuer") { after.find(ISSUER_END) } else { None };
        let at = issuer.map_or(root_end, |end| root_end + end + ISSUER_END.len());
        let mut reference = String::new();
        write::escape(&id, &mut reference);
        let by = SignatureAlgorithm::RsaSha256.uri();
        // Already canonical: every namespace where it is first used, no empty tags, attributes in their order.
        let info = format!(
            "<ds:SignedInfo xmlns:ds=\"{DS}\">\
             <ds:CanonicalizationMethod Algorithm=\"{EXC_C14N}\"></ds:CanonicalizationMethod>\
             <ds:SignatureMethod Algorithm=\"{by}\"></ds:SignatureMethod>\
             <ds:Reference URI=\"#{reference}\"><ds:Transforms>\
             <ds:Transform Algorithm=\"{ENVELOPED}\"></ds:Transform><ds:Transform Algorithm=\"{EXC_C14N}\"></ds:Transform>\
             </ds:Transforms><ds:DigestMethod Algorithm=\"{SHA256}\"></ds:DigestMethod>\
             <ds:DigestValue>{hash}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
        );
        Ok(Self { document, at, info })
    }

    /// What the key signs.
    pub fn octets(&self) -> &[u8] {
        self.info.as_bytes()
    }

    /// The signed document. `certificate` is DER, for peers that choose the key by it.
    pub fn signed(mut self, signature: &[u8], certificate: &[u8]) -> String {
        let element = format!(
            "<ds:Signature xmlns:ds=\"{DS}\">{}<ds:SignatureValue>{}</ds:SignatureValue><ds:KeyInfo><ds:X509Data>\
             <ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>",
            self.info,
            gate::encode(signature),
            gate::encode(certificate)
        );
        self.document.insert_str(self.at, &element);
        self.document
    }
}
