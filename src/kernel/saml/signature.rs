//! One `ds:Signature`, in the only profile that SAML has (SAML Core §5.4): enveloped, over its own parent, by exclusive C14N.
//!
//! What XML Signature allows beyond that has no code here: other transforms, other references, keys from the message, objects,
//! manifests. KeyInfo is not even read for verification.

use super::SamlFault;
use super::c14n::canonicalize;
use super::keys::{EcdsaForm, Fingerprint, SignatureAlgorithm, SigningKeys};
use super::xml::{self, DS, EXC_C14N, Node, is};
use aws_lc_rs::digest;

/// The enveloped-signature transform (XML Signature §6.6.4).
pub(super) const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
/// Prefixes in a PrefixList; real ones have one or two.
const PREFIXES: usize = 16;
/// Bytes of a digest and of a signature: SHA-512, and RSA of 8192 bits.
const DIGEST: usize = 64;
const SIGNATURE: usize = 1024;

/// A signature that has the right shape and has not been verified.
pub(super) struct Enveloped<'a> {
    node: Node<'a>,
    parent: Node<'a>,
    info: Node<'a>,
    algorithm: SignatureAlgorithm,
    value: Vec<u8>,
    info_prefixes: Vec<&'a str>,
    prefixes: Vec<&'a str>,
    hash: &'static digest::Algorithm,
    digest: Vec<u8>,
}

impl<'a> Enveloped<'a> {
    /// The signature of `parent`, if it has one: a direct child, after Issuer where there is one, and otherwise first.
    pub(super) fn of(parent: Node<'a>) -> Result<Option<Self>, SamlFault> {
        let children = xml::elements(parent)?;
        let mut found = children.iter().enumerate().filter(|(_, child)| is(**child, DS, "Signature"));
        let Some((place, node)) = found.next() else { return Ok(None) };
        let issuer = children.iter().position(|child| is(*child, xml::SAML, "Issuer"));
        let after_issuer = usize::from(issuer.is_some());
        if found.next().is_some() || place != after_issuer || issuer.is_some_and(|issuer| issuer > 0) {
            return Err(SamlFault::SignaturePlace);
        }
        Self::read(*node, parent).map(Some)
    }

    fn read(node: Node<'a>, parent: Node<'a>) -> Result<Self, SamlFault> {
        let children = xml::elements(node)?;
        let (info, value) = match children.as_slice() {
            [info, value] => (*info, *value),
            [info, value, key] if is(*key, DS, "KeyInfo") => (*info, *value),
            _ => return Err(SamlFault::SignatureShape),
        };
        if !is(info, DS, "SignedInfo") || !is(value, DS, "SignatureValue") {
            return Err(SamlFault::SignatureShape);
        }
        let parts = xml::elements(info)?;
        let [canonicalization, method, reference] = parts.as_slice() else { return Err(SamlFault::SignatureShape) };
        let shape = is(*canonicalization, DS, "CanonicalizationMethod")
            && is(*method, DS, "SignatureMethod")
            && is(*reference, DS, "Reference");
        if !shape || !plain(info, &["Id"]) || !plain(*method, &["Algorithm"]) || method.has_children() {
            return Err(SamlFault::SignatureShape);
        }
        let info_prefixes = exclusive(*canonicalization, SamlFault::Canonicalization)?;
        let algorithm = xml::attribute(*method, "Algorithm").and_then(SignatureAlgorithm::named);
        let algorithm = algorithm.ok_or(SamlFault::SignatureAlgorithm)?;
        let (prefixes, hash, digest) = reference_to(parent, *reference)?;
        let value = xml::base64(value, SIGNATURE)?;
        Ok(Self { node, parent, info, algorithm, value, info_prefixes, prefixes, hash, digest })
    }

    /// SignedInfo's signature first, then the digest of the parent without this signature.
    pub(super) fn verify(&self, keys: &SigningKeys) -> Result<Fingerprint, SamlFault> {
        let mut message = Vec::with_capacity(1024);
        canonicalize(self.info, None, &self.info_prefixes, &mut message);
        let key = keys.verify(self.algorithm, EcdsaForm::Fixed, &message, &self.value).map_err(|fault| {
            // A key that nobody named is another matter than a broken signature of a known one.
            if fault == SamlFault::Signature && self.is_by_stranger(keys) { SamlFault::UnknownKey } else { fault }
        })?;
        let mut context = digest::Context::new(self.hash);
        canonicalize(self.parent, Some(self.node.id()), &self.prefixes, &mut context);
        if context.finish().as_ref() == self.digest.as_slice() { Ok(key) } else { Err(SamlFault::Digest) }
    }

    /// Whether the message brought certificates, and none of them is the directory's. For the fault's name alone.
    fn is_by_stranger(&self, keys: &SigningKeys) -> bool {
        let mut brought = certificates(self.node).peekable();
        brought.peek().is_some() && !brought.any(|came| keys.known().any(|(known, _)| known == came))
    }
}

/// Fingerprints of the certificates that stand in a signature's KeyInfo: for explanations, never for verification.
pub(super) fn certificates(signature: Node<'_>) -> impl Iterator<Item = Fingerprint> {
    let values = xml::children(signature, DS, "KeyInfo")
        .flat_map(|info| xml::children(info, DS, "X509Data"))
        .flat_map(|data| xml::children(data, DS, "X509Certificate"));
    // Four are more than anybody sends; each costs a hash.
    values.take(4).filter_map(|value| xml::base64(value, 16 * 1024).ok()).map(|der| Fingerprint::of(&der))
}

/// A Reference to `parent`: its transform's prefixes, its hash and the digest.
fn reference_to<'a>(
    parent: Node<'a>,
    reference: Node<'a>,
) -> Result<(Vec<&'a str>, &'static digest::Algorithm, Vec<u8>), SamlFault> {
    let id = xml::attribute(parent, "ID").ok_or(SamlFault::Id)?;
    let target = xml::attribute(reference, "URI").and_then(|uri| uri.strip_prefix('#'));
    if target != Some(id) || !plain(reference, &["URI", "Id"]) {
        return Err(SamlFault::ReferenceTarget);
    }
    let parts = xml::elements(reference)?;
    let [transforms, method, value] = parts.as_slice() else { return Err(SamlFault::SignatureShape) };
    let shape = is(*transforms, DS, "Transforms") && is(*method, DS, "DigestMethod") && is(*value, DS, "DigestValue");
    if !shape || !plain(*transforms, &[]) || !plain(*method, &["Algorithm"]) || method.has_children() {
        return Err(SamlFault::SignatureShape);
    }
    let steps = xml::elements(*transforms)?;
    let [enveloped, exclusively] = steps.as_slice() else { return Err(SamlFault::TransformAlgorithm) };
    let is_enveloped = is(*enveloped, DS, "Transform")
        && xml::attribute(*enveloped, "Algorithm") == Some(ENVELOPED)
        && plain(*enveloped, &["Algorithm"])
        && !enveloped.has_children();
    if !is_enveloped || !is(*exclusively, DS, "Transform") {
        return Err(SamlFault::TransformAlgorithm);
    }
    let prefixes = exclusive(*exclusively, SamlFault::TransformAlgorithm)?;
    let hash = match xml::attribute(*method, "Algorithm") {
        Some("http://www.w3.org/2001/04/xmlenc#sha256") => &digest::SHA256,
        Some("http://www.w3.org/2001/04/xmldsig-more#sha384") => &digest::SHA384,
        Some("http://www.w3.org/2001/04/xmlenc#sha512") => &digest::SHA512,
        _ => return Err(SamlFault::DigestAlgorithm),
    };
    Ok((prefixes, hash, xml::base64(*value, DIGEST)?))
}

/// The PrefixList of an element that names exclusive C14N without comments (Exclusive XML Canonicalization §4).
fn exclusive(method: Node<'_>, fault: SamlFault) -> Result<Vec<&str>, SamlFault> {
    if xml::attribute(method, "Algorithm") != Some(EXC_C14N) || !plain(method, &["Algorithm"]) {
        return Err(fault);
    }
    let list = match xml::elements(method)?.as_slice() {
        [] => return Ok(Vec::new()),
        [list] if is(*list, EXC_C14N, "InclusiveNamespaces") => *list,
        _ => return Err(fault),
    };
    let prefixes = xml::attribute(list, "PrefixList").filter(|_| plain(list, &["PrefixList"])).ok_or(fault)?;
    let prefixes: Vec<&str> = prefixes.split_ascii_whitespace().take(PREFIXES + 1).collect();
    if prefixes.len() > PREFIXES || list.has_children() {
        return Err(fault);
    }
    Ok(prefixes.into_iter().map(|prefix| if prefix == "#default" { "" } else { prefix }).collect())
}

/// Whether an element has no attributes but these.
fn plain(node: Node<'_>, names: &[&str]) -> bool {
    node.attributes().all(|attribute| attribute.namespace().is_none() && names.contains(&attribute.name()))
}
