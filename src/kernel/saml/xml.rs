//! One tree of one document, and the few ways in which everything here reads it.
//!
//! Names are compared with their namespace; prefixes mean nothing. A text is the whole text of an element or an error. Ids are
//! unique in the whole document before anything looks for one.

use super::SamlFault;
use super::gate::{self, Limits};
use roxmltree::NodeId;
use std::collections::HashSet;

/// An element (or, in children, a text) of a tree.
pub(super) type Node<'a> = roxmltree::Node<'a, 'a>;

/// `saml:`, assertions (SAML Core §1.2).
pub(super) const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
/// `samlp:`, protocol messages.
pub(super) const SAMLP: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
/// `md:`, metadata.
pub(super) const MD: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
/// `ds:`, XML signatures.
pub(super) const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
/// `xenc:`, XML encryption.
pub(super) const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
/// `xenc11:`, XML encryption 1.1.
pub(super) const XENC11: &str = "http://www.w3.org/2009/xmlenc11#";
/// `ec:`, exclusive canonicalization, and the algorithm's own name.
pub(super) const EXC_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";

/// Bytes of an id; real ones have under 70.
const ID_LIMIT: usize = 256;

/// A parsed document that passed the gate and has unique ids.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    document: roxmltree::Document<'a>,
    census: Census,
}

/// What one look at every element found, by local names in whatever namespace.
#[derive(Debug, Default)]
struct Census {
    assertions: Vec<NodeId>,
    signatures: Vec<NodeId>,
    responses: usize,
}

impl<'a> Tree<'a> {
    /// Gate, parser, ids.
    pub(super) fn parse(document: &'a [u8], limits: Limits) -> Result<Self, SamlFault> {
        Self::of_passed(gate::pass(document, limits)?, limits)
    }

    /// Parser and ids, for a text that passed the gate before it was put into its place.
    pub(super) fn of_passed(text: &'a str, limits: Limits) -> Result<Self, SamlFault> {
        let nodes_limit = u32::try_from(limits.elements * 2 + 64).unwrap_or(u32::MAX);
        // `allow_dtd` stays off: there are no entities but the five of XML and character references.
        let options = roxmltree::ParsingOptions { nodes_limit, ..Default::default() };
        let document = roxmltree::Document::parse_with_options(text, options).map_err(|error| match error {
            roxmltree::Error::NodesLimitReached => SamlFault::Elements,
            roxmltree::Error::DtdDetected => SamlFault::Doctype,
            _ => SamlFault::NotXml,
        })?;
        let mut tree = Self { document, census: Census::default() };
        tree.census = tree.take_census()?;
        Ok(tree)
    }

    /// The document element.
    pub(super) fn root<'t>(&'t self) -> Node<'t> {
        let document: &'t roxmltree::Document<'t> = &self.document;
        document.root_element()
    }

    /// All elements, the root first.
    #[cfg(test)]
    pub(super) fn elements<'t>(&'t self) -> impl Iterator<Item = Node<'t>> {
        self.root().descendants().filter(roxmltree::Node::is_element)
    }

    /// Whatever any processor would take for an id (`ID` of SAML, `Id` of signatures and encryption, `id`, `xml:id`) is an
    /// NCName and stands once, over all spellings.
    fn take_census(&self) -> Result<Census, SamlFault> {
        let (mut seen, mut census) = (HashSet::new(), Census::default());
        let root = self.root();
        for element in root.descendants().filter(roxmltree::Node::is_element) {
            let name = element.tag_name().name();
            match name {
                "Signature" => census.signatures.push(element.id()),
                "Response" if element != root => census.responses += 1,
                _ if is_assertion(name) => census.assertions.push(element.id()),
                _ => {}
            }
            for attribute in element.attributes().filter(|attribute| attribute.name().eq_ignore_ascii_case("id")) {
                if !is_id(attribute.value()) {
                    return Err(SamlFault::Id);
                }
                if !seen.insert(attribute.value()) {
                    return Err(SamlFault::RepeatedId);
                }
            }
        }
        Ok(census)
    }

    fn nodes<'t>(&'t self, ids: &'t [NodeId]) -> impl Iterator<Item = Node<'t>> {
        let document: &'t roxmltree::Document<'t> = &self.document;
        ids.iter().filter_map(|id| document.get_node(*id))
    }

    /// Every element anywhere that is called an assertion, encrypted or not, in whatever namespace and letters.
    pub(super) fn assertions<'t>(&'t self) -> impl Iterator<Item = Node<'t>> {
        self.nodes(&self.census.assertions)
    }

    /// Every element anywhere that is called a signature, in whatever namespace.
    pub(super) fn signatures<'t>(&'t self) -> impl Iterator<Item = Node<'t>> {
        self.nodes(&self.census.signatures)
    }

    /// How many elements below the root are called a Response.
    pub(super) fn inner_responses(&self) -> usize {
        self.census.responses
    }
}

fn is_assertion(name: &str) -> bool {
    name.eq_ignore_ascii_case("Assertion") || name.eq_ignore_ascii_case("EncryptedAssertion")
}

/// An NCName of ASCII, as every provider writes them.
fn is_id(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    text.len() <= ID_LIMIT
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && text.bytes().all(inner)
}

/// Whether an element has this name.
pub(super) fn is(node: Node<'_>, namespace: &str, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name && node.tag_name().namespace() == Some(namespace)
}

/// The child elements; an error where text other than spaces stands between them.
pub(super) fn elements(node: Node<'_>) -> Result<Vec<Node<'_>>, SamlFault> {
    let mut found = Vec::new();
    for child in node.children() {
        if child.is_element() {
            found.push(child);
        } else if child.is_comment() {
            // Only metadata has any.
        } else if child.text().is_none_or(|text| text.bytes().any(|byte| !byte.is_ascii_whitespace())) {
            return Err(SamlFault::Shape);
        }
    }
    Ok(found)
}

/// The only child of that name, if there is one; two are an error.
pub(super) fn child<'a>(node: Node<'a>, namespace: &str, name: &str) -> Result<Option<Node<'a>>, SamlFault> {
    let mut found = node.children().filter(|child| is(*child, namespace, name));
    let first = found.next();
    if found.next().is_some() { Err(SamlFault::Shape) } else { Ok(first) }
}

/// All children of that name.
pub(super) fn children<'a>(
    node: Node<'a>,
    namespace: &'static str,
    name: &'static str,
) -> impl Iterator<Item = Node<'a>> {
    node.children().filter(move |child| is(*child, namespace, name))
}

/// An attribute without namespace.
pub(super) fn attribute<'a>(node: Node<'a>, name: &str) -> Option<&'a str> {
    node.attributes().find(|attribute| attribute.namespace().is_none() && attribute.name() == name).map(|a| a.value())
}

/// The whole text of an element that holds nothing else; CDATA is text like other text. Spaces count.
pub(super) fn text(node: Node<'_>) -> Result<&str, SamlFault> {
    let mut children = node.children();
    match (children.next(), children.next()) {
        (None, _) => Ok(""),
        // The parser joins neighbouring texts, so that a second child is an element or, in metadata, a comment.
        (Some(only), None) if only.is_text() => only.text().ok_or(SamlFault::Text),
        _ => Err(SamlFault::Text),
    }
}

/// The text of an element that must not be empty and has no spaces around it.
pub(super) fn word(node: Node<'_>) -> Result<&str, SamlFault> {
    let text = text(node)?;
    let clean = !text.is_empty() && text.trim() == text && !text.chars().any(char::is_control);
    if clean { Ok(text) } else { Err(SamlFault::Text) }
}

/// The base64 text of an element, of at most `limit` bytes.
pub(super) fn base64(node: Node<'_>, limit: usize) -> Result<Vec<u8>, SamlFault> {
    gate::base64(text(node)?.as_bytes(), limit)
}
