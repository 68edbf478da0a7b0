//! Exclusive XML Canonicalization 1.0 without comments (W3C Recommendation of 18 July 2002), streamed into a digest.
//!
//! Of one element with all that is below it, less one subtree for the enveloped-signature transform. The gate has refused
//! processing instructions, and comments but for metadata, which are left out. Prefixes are read from the source, which the
//! tree was parsed from; what they are bound to is the tree's word.

use super::xml::Node;
use aws_lc_rs::digest;
use roxmltree::{Attribute, NodeId};
use std::mem;

/// What canonical bytes are written to.
pub(super) trait Sink {
    /// Takes the next bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for digest::Context {
    fn put(&mut self, bytes: &[u8]) {
        self.update(bytes);
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Bytes that are gathered before the sink is asked.
const GATHER: usize = 4096;

/// Writes the canonical form of `apex`, without the subtree `without`. `prefixes` is the PrefixList: those are treated as
/// inclusive canonicalization would, the empty one stands for `#default`. Answers how many steps it took, which tests hold to the
/// size of what was written.
pub(super) fn canonicalize(apex: Node<'_>, without: Option<NodeId>, prefixes: &[&str], sink: &mut impl Sink) -> usize {
    let source = apex.document().input_text();
    let gathered = Vec::with_capacity(GATHER + 512);
    let (rendered, wanted, sorted) = (Vec::new(), Vec::new(), Vec::new());
    let mut writer = Writer { source, without, prefixes, sink, gathered, rendered, wanted, sorted, steps: 0 };
    writer.element(apex);
    writer.flush();
    writer.steps
}

struct Writer<'a, 'p, S> {
    source: &'a str,
    without: Option<NodeId>,
    prefixes: &'p [&'p str],
    sink: &'p mut S,
    gathered: Vec<u8>,
    /// Namespaces written on the path to here, the innermost last.
    rendered: Vec<(&'a str, &'a str)>,
    /// Of one element: prefixes that it uses, and what they are bound to.
    wanted: Vec<(&'a str, &'a str)>,
    /// Of one element: its attributes.
    sorted: Vec<Attribute<'a, 'a>>,
    /// Elements, attributes, bytes, and namespaces that were looked at.
    steps: usize,
}

impl<'a, 'p: 'a, S: Sink> Writer<'a, 'p, S> {
    /// Recursion is as deep as the gate lets elements nest.
    fn element(&mut self, node: Node<'a>) {
        let name = self.element_name(node);
        let outer = self.rendered.len();
        self.put("<");
        self.put(name);
        self.namespaces(node, name);
        self.attributes(node);
        self.put(">");
        for child in node.children() {
            if child.is_element() {
                if Some(child.id()) != self.without {
                    self.element(child);
                }
            } else if child.is_text()
                && let Some(text) = child.text()
            {
                self.escaped(text, text_escape);
            }
        }
        self.put("</");
        self.put(name);
        self.put(">");
        self.rendered.truncate(outer);
    }

    /// The qualified name as it stands in the source: the tree does not keep prefixes.
    fn element_name(&self, node: Node<'_>) -> &'a str {
        let tag = self.source.get(node.range()).unwrap_or_default();
        let tag = tag.strip_prefix('<').unwrap_or_default();
        let ends = |byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'/' | b'>');
        let end = tag.bytes().position(ends).unwrap_or(tag.len());
        tag.get(..end).unwrap_or_default()
    }

    /// Namespaces that the element or its attributes visibly use, and those of the PrefixList in scope, where the nearest
    /// written ancestor did not write the same (§3).
    fn namespaces(&mut self, node: Node<'a>, name: &'a str) {
        let mut wanted = mem::take(&mut self.wanted);
        // The parser has looked it up to name the element.
        wanted.push((prefix_of(name), node.tag_name().namespace().unwrap_or_default()));
        for attribute in node.attributes() {
            let prefix = prefix_of(self.source.get(attribute.range_qname()).unwrap_or_default());
            if !prefix.is_empty() {
                wanted.push((prefix, attribute.namespace().unwrap_or_default()));
            }
        }
        for prefix in self.prefixes {
            wanted.push((prefix, bound(node, prefix)));
        }
        wanted.sort_unstable();
        wanted.dedup();
        let looked_at = if self.prefixes.is_empty() { 0 } else { node.namespaces().len() * self.prefixes.len() };
        self.steps += 1 + looked_at + wanted.len() * self.rendered.len();
        for (prefix, uri) in wanted.drain(..) {
            let before = self.rendered.iter().rev().find(|(written, _)| *written == prefix).map_or("", |(_, uri)| *uri);
            // Nothing bound, and nothing to undo: only the default namespace can be undone in XML 1.0.
            if prefix == "xml" || uri == before || (uri.is_empty() && !prefix.is_empty()) {
                continue;
            }
            self.put(if prefix.is_empty() { " xmlns" } else { " xmlns:" });
            self.put(prefix);
            self.put("=\"");
            self.escaped(uri, attribute_escape);
            self.put("\"");
            self.rendered.push((prefix, uri));
        }
        self.wanted = wanted;
    }

    /// Attributes by namespace name and local name, those without namespace first.
    fn attributes(&mut self, node: Node<'a>) {
        let mut attributes = mem::take(&mut self.sorted);
        attributes.extend(node.attributes());
        attributes.sort_unstable_by_key(|attribute| (attribute.namespace().unwrap_or_default(), attribute.name()));
        self.steps += attributes.len();
        for attribute in attributes.drain(..) {
            self.put(" ");
            self.put(self.source.get(attribute.range_qname()).unwrap_or_default());
            self.put("=\"");
            self.escaped(attribute.value(), attribute_escape);
            self.put("\"");
        }
        self.sorted = attributes;
    }

    fn escaped(&mut self, text: &str, escape: impl Fn(u8) -> Option<&'static str> + Copy) {
        self.steps += text.len();
        let mut rest = text;
        loop {
            let plain = plain_bytes(rest.as_bytes(), escape);
            self.put(rest.get(..plain).unwrap_or_default());
            let Some(replacement) = rest.as_bytes().get(plain).copied().and_then(escape) else { return };
            self.put(replacement);
            rest = rest.get(plain + 1..).unwrap_or_default();
        }
    }

    fn put(&mut self, text: &str) {
        if text.len() > GATHER {
            self.flush();
            self.sink.put(text.as_bytes());
            return;
        }
        self.gathered.extend_from_slice(text.as_bytes());
        if self.gathered.len() >= GATHER {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.sink.put(&self.gathered);
        self.gathered.clear();
    }
}

fn prefix_of(name: &str) -> &str {
    name.bytes().position(|byte| byte == b':').and_then(|at| name.get(..at)).unwrap_or_default()
}

/// How many bytes stand before the first one that is escaped. Within a block no byte decides what is done with the next one, so
/// that compilers compare many at once.
fn plain_bytes(bytes: &[u8], escape: impl Fn(u8) -> Option<&'static str> + Copy) -> usize {
    let is_escaped = |byte: &u8| escape(*byte).is_some();
    let is_plain = |block: &&[u8]| !block.iter().fold(false, |found, byte| found | is_escaped(byte));
    let before = bytes.chunks_exact(32).take_while(is_plain).count() * 32;
    let behind = bytes.get(before..).unwrap_or_default();
    before + behind.iter().position(is_escaped).unwrap_or(behind.len())
}

/// What a prefix is bound to at an element, empty for nothing; the empty prefix is the default namespace.
fn bound<'a>(node: Node<'a>, prefix: &str) -> &'a str {
    node.lookup_namespace_uri((!prefix.is_empty()).then_some(prefix)).unwrap_or_default()
}

/// Canonical XML 1.0 §2.3, text nodes.
const fn text_escape(byte: u8) -> Option<&'static str> {
    match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'\r' => Some("&#xD;"),
        _ => None,
    }
}

/// Canonical XML 1.0 §2.3, attribute nodes and namespace nodes.
const fn attribute_escape(byte: u8) -> Option<&'static str> {
    match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'"' => Some("&quot;"),
        b'\t' => Some("&#x9;"),
        b'\n' => Some("&#xA;"),
        b'\r' => Some("&#xD;"),
        _ => None,
    }
}

#[cfg(test)]
#[path = "tests/c14n.rs"]
mod tests;
