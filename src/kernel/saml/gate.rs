//! What a message must be before any parser sees it: linear passes over the bytes, with nothing allocated but the result.
//!
//! The gate knows tags, quotes and CDATA and nothing of namespaces or names' meaning. Its counts bound what the parser and
//! canonicalization can cost; what they mean is checked on the tree again. A further limit is a field of [`Limits`], a line in
//! [`Scan`] and a row in the tests.

use super::SamlFault;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use memchr::{memchr, memchr_iter, memchr2, memmem};
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit};

/// What one kind of document may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the decoded document.
    pub bytes: usize,
    /// Elements.
    pub elements: usize,
    /// Attributes and namespace declarations in all.
    pub attributes: usize,
    /// Signature elements, by local name.
    pub signatures: usize,
    /// Whether comments are let through. In messages they never are.
    pub comments: bool,
}

impl Limits {
    /// Protocol messages: real ones have under 20 KiB, with thousands of groups 200 KiB. With these counts the parser's tree takes
    /// under 1.4 MB, so that a message costs under 2 MB with its base64, whatever stands in it.
    pub const MESSAGE: Self =
        Self { bytes: 256 * 1024, elements: 5_000, attributes: 6_000, signatures: 2, comments: false };
    /// Metadata of one entity, of which real ones have under 100 KiB and, some of them, comments.
    pub const METADATA: Self =
        Self { bytes: 1024 * 1024, elements: 20_000, attributes: 40_000, signatures: 2, comments: true };
}

/// Nesting of elements; real messages have 12.
const DEPTH: usize = 64;
/// Attributes of one tag; real tags have under 12.
const TAG_ATTRIBUTES: usize = 64;
/// Namespace declarations on the path to one element; real paths have under 16.
const SCOPE: usize = 64;
/// Signs `<` in CDATA and `=` in texts that are let through beside those of tags: base64 ends in two, addresses have some.
const SPARE: usize = 1_000;
/// Bytes of a tag's or an attribute's name.
const NAME: usize = 256;

/// Decodes a form field of the POST binding (SAML Bindings §3.5.4): standard base64 with its padding; line breaks between
/// characters are dropped, as RFC 2045 encoders write them.
///
/// # Errors
/// [`SamlFault::TooLarge`] or [`SamlFault::Encoding`].
pub fn decode_post(field: &[u8], limits: Limits) -> Result<Vec<u8>, SamlFault> {
    let bytes = base64(field, limits.bytes)?;
    if bytes.is_empty() { Err(SamlFault::Encoding) } else { Ok(bytes) }
}

/// Decodes a parameter of the Redirect binding (SAML Bindings §3.4.4.1): base64 over raw DEFLATE, inflated to at most `limits`.
///
/// # Errors
/// [`SamlFault::TooLarge`] or [`SamlFault::Encoding`].
pub fn decode_redirect(parameter: &[u8], limits: Limits) -> Result<Vec<u8>, SamlFault> {
    let packed = base64(parameter, limits.bytes)?;
    let bytes = decompress_to_vec_with_limit(&packed, limits.bytes).map_err(|error| match error.status {
        TINFLStatus::HasMoreOutput => SamlFault::TooLarge,
        _ => SamlFault::Encoding,
    })?;
    if bytes.is_empty() { Err(SamlFault::Encoding) } else { Ok(bytes) }
}

/// Strict base64 of at most `limit` bytes. Spare bits must be zero: one value has one spelling but for line breaks.
pub(super) fn base64(text: &[u8], limit: usize) -> Result<Vec<u8>, SamlFault> {
    // A line break of two bytes after every 60 characters, and some more.
    if text.len() > (limit / 3 + 1) * 4 / 15 * 16 + 64 {
        return Err(SamlFault::TooLarge);
    }
    let is_space = |byte: &u8| matches!(byte, b'\r' | b'\n' | b' ' | b'\t');
    let decoded = if text.iter().any(is_space) {
        let dense: Vec<u8> = text.iter().copied().filter(|byte| !is_space(byte)).collect();
        STANDARD.decode(dense)
    } else {
        STANDARD.decode(text)
    };
    let bytes = decoded.map_err(|_| SamlFault::Encoding)?;
    if bytes.len() > limit { Err(SamlFault::TooLarge) } else { Ok(bytes) }
}

/// Base64 with padding, for writers.
pub(super) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Lets a document through to the parser, or says why not.
///
/// # Errors
/// The first limit that it breaks: [`SamlFault::Encoding`] for what is not UTF-8 or has control characters anywhere, then the
/// count's own fault, or [`SamlFault::NotXml`] for tags that do not close.
pub fn pass(document: &[u8], limits: Limits) -> Result<&str, SamlFault> {
    if document.len() > limits.bytes {
        return Err(SamlFault::TooLarge);
    }
    let text = std::str::from_utf8(document).map_err(|_| SamlFault::Encoding)?;
    let body = declaration(text)?;
    if has_controls(body.as_bytes()) {
        return Err(SamlFault::Encoding);
    }
    // The parser reserves a node for every `<` and an attribute for every `=`, wherever they stand.
    let marks = |mark: u8| memchr_iter(mark, body.as_bytes()).count();
    if marks(b'<') > 2 * limits.elements + SPARE {
        return Err(SamlFault::Elements);
    }
    if marks(b'=') > limits.attributes + SPARE {
        return Err(SamlFault::Attributes);
    }
    Scan::new(body.as_bytes(), limits).run()?;
    Ok(body)
}

/// Cuts an XML declaration off (XML 1.0 §2.8): it may name version 1.0 and UTF-8 alone.
fn declaration(text: &str) -> Result<&str, SamlFault> {
    let Some(rest) = text.strip_prefix("<?xml").filter(|rest| rest.starts_with([' ', '\t', '\r', '\n'])) else {
        return Ok(text);
    };
    let (inside, rest) = rest.split_once("?>").ok_or(SamlFault::Instruction)?;
    let mut parts = inside.split_ascii_whitespace();
    let unquoted = |part: &str, name: &str| {
        let value = part.strip_prefix(name)?.strip_prefix('=')?;
        let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        Some(value.strip_prefix(quote)?.strip_suffix(quote)?.to_ascii_lowercase())
    };
    let version = parts.next().and_then(|part| unquoted(part, "version"));
    let known = |part: &str| {
        unquoted(part, "encoding").is_some_and(|name| name == "utf-8")
            || unquoted(part, "standalone").is_some_and(|value| value == "yes" || value == "no")
    };
    if version.as_deref() == Some("1.0") && parts.all(known) { Ok(rest) } else { Err(SamlFault::Instruction) }
}

/// The bytes before which a name ends, as bits: all are below 64. A look instead of ten comparisons, for every byte of every name.
const ENDS_NAME: u64 = {
    let [space, tab, cr, lf] = [b' ', b'\t', b'\r', b'\n'];
    let [slash, more, is, less, double, single] = [b'/', b'>', b'=', b'<', b'"', b'\''];
    (1 << space | 1 << tab | 1 << cr | 1 << lf)
        | (1 << slash | 1 << more | 1 << is | 1 << less | 1 << double | 1 << single)
};

/// One pass. `declared` holds, for each open element, how many namespaces it declares.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    limits: Limits,
    declared: Vec<usize>,
    /// Of one tag: the names that declare a namespace.
    declaring: Vec<&'a [u8]>,
    scope: usize,
    elements: usize,
    attributes: usize,
    signatures: usize,
    references: usize,
    transforms: usize,
    rooted: bool,
}

impl<'a> Scan<'a> {
    fn new(bytes: &'a [u8], limits: Limits) -> Self {
        let declared = Vec::with_capacity(DEPTH);
        Self {
            bytes,
            at: 0,
            limits,
            declared,
            declaring: Vec::new(),
            scope: 0,
            elements: 0,
            attributes: 0,
            signatures: 0,
            references: 0,
            transforms: 0,
            rooted: false,
        }
    }

    fn run(mut self) -> Result<(), SamlFault> {
        while self.at < self.bytes.len() {
            self.text()?;
            if self.at < self.bytes.len() {
                self.markup()?;
            }
        }
        if self.rooted && self.declared.is_empty() { Ok(()) } else { Err(SamlFault::NotXml) }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Up to the next `<`: only spaces outside the root.
    fn text(&mut self) -> Result<(), SamlFault> {
        let rest = self.rest();
        let text = rest.get(..memchr(b'<', rest).unwrap_or(rest.len())).unwrap_or_default();
        if self.declared.is_empty() && !text.iter().all(|byte| is_space(*byte)) {
            return Err(SamlFault::NotXml);
        }
        self.at += text.len();
        Ok(())
    }

    fn markup(&mut self) -> Result<(), SamlFault> {
        let rest = self.rest();
        if rest.starts_with(b"<![CDATA[") && !self.declared.is_empty() {
            return self.through(b"<![CDATA[", b"]]>");
        }
        match rest.get(1) {
            Some(b'!') if rest.starts_with(b"<!--") && self.limits.comments => self.through(b"<!--", b"-->"),
            Some(b'!') if rest.starts_with(b"<!--") => Err(SamlFault::Comment),
            Some(b'!') => Err(SamlFault::Doctype),
            Some(b'?') => Err(SamlFault::Instruction),
            Some(b'/') => self.end(),
            Some(_) => self.start(),
            None => Err(SamlFault::NotXml),
        }
    }

    /// Something that is not looked into.
    fn through(&mut self, start: &[u8], end: &[u8]) -> Result<(), SamlFault> {
        self.at += start.len();
        self.at += memmem::find(self.rest(), end).ok_or(SamlFault::NotXml)? + end.len();
        Ok(())
    }

    fn end(&mut self) -> Result<(), SamlFault> {
        let rest = self.rest();
        let beyond = if rest.len() > NAME { SamlFault::Names } else { SamlFault::NotXml };
        // Room for `</` and some spaces.
        let near = rest.get(..NAME + 16).unwrap_or(rest);
        self.at += memchr(b'>', near).ok_or(beyond)? + 1;
        self.scope -= self.declared.pop().ok_or(SamlFault::NotXml)?;
        Ok(())
    }

    fn start(&mut self) -> Result<(), SamlFault> {
        if self.rooted && self.declared.is_empty() {
            return Err(SamlFault::NotXml);
        }
        self.rooted = true;
        self.at += 1;
        let name = self.name()?;
        self.count(name)?;
        let declared = self.tag()?;
        let empty = self.bytes.get(self.at.wrapping_sub(1)) == Some(&b'/');
        self.at += 1;
        if self.scope + declared > SCOPE {
            return Err(SamlFault::Namespaces);
        }
        if self.declared.len() >= DEPTH {
            return Err(SamlFault::Depth);
        }
        if !empty {
            self.scope += declared;
            self.declared.push(declared);
        }
        Ok(())
    }

    /// A name as far as it goes: everything up to a space, `/`, `>` or `=`.
    fn name(&mut self) -> Result<&'a [u8], SamlFault> {
        let stop = |byte: &u8| *byte < 64 && ENDS_NAME >> byte & 1 == 1;
        let rest = self.rest();
        let beyond = if rest.len() > NAME { SamlFault::Names } else { SamlFault::NotXml };
        let length = rest.iter().take(NAME + 1).position(stop).ok_or(beyond)?;
        self.at += length;
        let name = rest.get(..length).unwrap_or_default();
        if name.is_empty() { Err(SamlFault::NotXml) } else { Ok(name) }
    }

    fn count(&mut self, name: &[u8]) -> Result<(), SamlFault> {
        self.elements += 1;
        let local =
            name.iter().position(|byte| *byte == b':').map_or(name, |at| name.get(at + 1..).unwrap_or_default());
        let (slot, limit, fault) = match local {
            b"Signature" => (&mut self.signatures, self.limits.signatures, SamlFault::Signatures),
            b"Reference" => (&mut self.references, self.limits.signatures, SamlFault::References),
            b"Transform" => (&mut self.transforms, 2 * self.limits.signatures, SamlFault::Transforms),
            _ => return if self.elements > self.limits.elements { Err(SamlFault::Elements) } else { Ok(()) },
        };
        *slot += 1;
        if *slot > limit { Err(fault) } else { Ok(()) }
    }

    /// The rest of a start tag up to its `>`; answers how many namespaces it declares.
    fn tag(&mut self) -> Result<usize, SamlFault> {
        self.declaring.clear();
        let mut count = 0;
        loop {
            match self.peek().ok_or(SamlFault::NotXml)? {
                b'>' => break,
                b'/' if self.bytes.get(self.at + 1) == Some(&b'>') => {
                    self.at += 1;
                    break;
                }
                byte if is_space(byte) => self.at += 1,
                _ => {
                    let name = self.name()?;
                    // Reserved (Namespaces in XML 1.0 §3); the parser lets it pass.
                    if name == b"xmlns:xmlns" {
                        return Err(SamlFault::NotXml);
                    }
                    let declares = name == b"xmlns" || name.starts_with(b"xmlns:");
                    if declares {
                        // The parser takes the same one twice where one of them is empty.
                        if self.declaring.contains(&name) {
                            return Err(SamlFault::NotXml);
                        }
                        self.declaring.push(name);
                    }
                    count += 1;
                    self.attributes += 1;
                    if count > TAG_ATTRIBUTES || self.attributes > self.limits.attributes {
                        return Err(SamlFault::Attributes);
                    }
                    let value = self.value()?;
                    if declares && !value.is_empty() && !is_absolute(value) {
                        return Err(SamlFault::Namespaces);
                    }
                }
            }
        }
        Ok(self.declaring.len())
    }

    /// `= "…"` with spaces around the sign; answers what stands between the quotes.
    fn value(&mut self) -> Result<&'a [u8], SamlFault> {
        self.spaces();
        if self.peek() != Some(b'=') {
            return Err(SamlFault::NotXml);
        }
        self.at += 1;
        self.spaces();
        let quote = self.peek().filter(|byte| matches!(byte, b'"' | b'\'')).ok_or(SamlFault::NotXml)?;
        self.at += 1;
        let rest = self.rest();
        let end = memchr2(quote, b'<', rest).filter(|end| rest.get(*end) == Some(&quote)).ok_or(SamlFault::NotXml)?;
        self.at += end + 1;
        Ok(rest.get(..end).unwrap_or_default())
    }

    fn spaces(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Whether a namespace's name is an absolute URI (RFC 3986 §4.3), as it stands there. With any other, canonicalization is to fail
/// (Canonical XML 1.0 §1.3), and verifiers differ in what they take for one.
fn is_absolute(name: &[u8]) -> bool {
    let Some((scheme, rest)) = memchr(b':', name).and_then(|at| name.split_at_checked(at)) else { return false };
    // A port is a number.
    let authority = rest.strip_prefix(b"://").map(|rest| rest.split(|byte| matches!(byte, b'/' | b'?' | b'#')));
    let authority = authority.and_then(|mut parts| parts.next()).unwrap_or_default();
    let port = memchr(b':', authority).and_then(|at| authority.get(at + 1..)).unwrap_or_default();
    let in_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let in_uri = |(at, byte): (usize, &u8)| match byte {
        b'%' => rest.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)),
        // Other references stand for what no URI has, or for what is written without.
        b'&' => rest.get(at..).is_some_and(|from| from.starts_with(b"&amp;")),
        b'"' | b'<' | b'>' | b'[' | b']' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => false,
        _ => byte.is_ascii_graphic(),
    };
    scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(in_scheme)
        && rest.iter().enumerate().all(in_uri)
        && memchr_iter(b'#', rest).count() <= 1
        && port.iter().all(u8::is_ascii_digit)
}

/// Whether there is a control character other than tab and line ends, which XML 1.0 does not have (§2.2). Within a block no byte
/// decides what is done with the next one, so that compilers compare many at once.
fn has_controls(bytes: &[u8]) -> bool {
    let is_control = |byte: u8| (byte < 0x20) & (byte != b'\t') & (byte != b'\n') & (byte != b'\r');
    bytes.chunks(512).any(|block| block.iter().fold(false, |found, byte| found | is_control(*byte)))
}

#[cfg(test)]
#[path = "tests/gate.rs"]
mod tests;
