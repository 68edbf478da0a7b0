//! The one door between a message and what is believed of it: bytes and keys in, [`Signed`] out.
//!
//! A document is parsed once. Its signatures are found by their place, verified over canonical bytes of nodes of that one tree,
//! and what they cover is read from the same nodes, so that nothing can be verified here and read there. A signature that does
//! not hold refuses the message, whatever another one says. Encrypted never means authenticated: what decryption yields passes
//! the gate, the parser and the same checks, and counts only if it is signed or came inside a signed Response.

use super::assertion::{Assertion, NameId};
use super::decrypt::{self, DecryptionKeys};
use super::gate::Limits;
use super::keys::{EcdsaForm, Fingerprint, SignatureAlgorithm, SigningKeys};
use super::opinion::{self, Exhibit};
use super::shell::{SUCCESS, Shell};
use super::signature::{self, Enveloped};
use super::xml::{self, Node, SAML, SAMLP, Tree, is};
use super::{SamlFault, judge};
use crate::kernel::journal::ReplayMark;
use crate::kernel::values::{DirectoryId, Timestamp};

/// What a directory's messages are verified with.
#[derive(Clone, Copy, Debug)]
pub struct Trust<'a> {
    /// The provider's keys.
    pub keys: &'a SigningKeys,
    /// Ours, of this directory alone (rule H20). None where the directory has no decryption key.
    pub decryption: Option<&'a DecryptionKeys>,
    /// Whether AES-CBC is taken, and then inside a signed Response only (ADFS).
    pub cbc: bool,
}

/// Something that a key of the directory signed. Only this file makes one.
#[derive(Clone, Debug)]
pub struct Signed<T> {
    value: T,
    by: Fingerprint,
}

impl<T> Signed<T> {
    /// What was signed.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// Which key signed it.
    pub fn by(&self) -> Fingerprint {
        self.by
    }

    /// What follows from it alone.
    pub(super) fn map<U>(self, read: impl FnOnce(T) -> U) -> Signed<U> {
        Signed { value: read(self.value), by: self.by }
    }

    /// What follows from it alone, or why nothing does.
    pub(super) fn try_map<U>(self, read: impl FnOnce(T) -> Result<U, SamlFault>) -> Result<Signed<U>, SamlFault> {
        Ok(Signed { value: read(self.value)?, by: self.by })
    }
}

/// A Response whose assertion is signed. Whom it was for, and when, is the judge's matter.
#[derive(Clone, Debug)]
pub struct Received {
    /// The message around the assertion; evidence only where [`Received::signed_message`] says so, and checked always.
    pub(super) shell: Shell,
    pub(super) assertion: Signed<Assertion>,
    pub(super) message_by: Option<Fingerprint>,
    pub(super) encrypted: bool,
    /// Certificates of the message's signatures: shown, and trusted for nothing.
    pub(super) brought: Vec<Fingerprint>,
    pub(super) exhibit: Exhibit,
}

impl Received {
    /// Verifies a Response that came by POST: `document` is what base64 held.
    ///
    /// # Errors
    /// The first [`SamlFault`]. Nothing that the message says is known then.
    pub fn open(document: &[u8], trust: &Trust<'_>) -> Result<Self, SamlFault> {
        let tree = Tree::parse(document, Limits::MESSAGE)?;
        let root = tree.root();
        if !is(root, SAMLP, "Response") {
            return Err(SamlFault::Root);
        }
        let body = only_assertion(&tree).map_err(|fault| refusal_or(fault, root))?;
        let shell = Shell::read(root, "Response")?;
        let encrypted = is(body, SAML, "EncryptedAssertion");
        let places = if encrypted { vec![root] } else { vec![root, body] };
        let signatures = signatures(&tree, &places)?;
        if !encrypted && signatures.iter().all(Option::is_none) {
            return Err(SamlFault::Unsigned);
        }
        let mut by = Vec::with_capacity(2);
        for signature in &signatures {
            by.push(signature.as_ref().map(|signature| signature.verify(trust.keys)).transpose()?);
        }
        let message_by = by.first().copied().flatten();
        let assertion_by = by.get(1).copied().flatten();
        let signers = by.into_iter().flatten().collect();
        let (assertion, exhibit) = if encrypted {
            let plain = decrypt::open(body, trust, message_by.is_some())?;
            let (assertion, own) = from_plaintext(&plain, body, trust, message_by)?;
            let by_message = || Exhibit { document: whole(root), signers, ciphertext: opinion::ciphertext(body) };
            (assertion, own.unwrap_or_else(by_message))
        } else {
            let by = assertion_by.or(message_by).ok_or(SamlFault::Unsigned)?;
            let document = if message_by.is_some() { whole(root) } else { decrypt::around(source(body), root) };
            (Signed { value: Assertion::read(body)?, by }, Exhibit { document, signers, ciphertext: None })
        };
        Ok(Self { shell, assertion, message_by, encrypted, brought: certificates(&tree), exhibit })
    }

    /// The key that signed the message around the assertion, if it was signed.
    pub fn signed_message(&self) -> Option<Fingerprint> {
        self.message_by
    }

    /// The key that vouches for the assertion: its own signature's, or else the message's.
    pub fn signed_assertion(&self) -> Fingerprint {
        self.assertion.by()
    }

    /// The assertion's id: for the audit of a login, and never for a page or a log.
    pub fn assertion_id(&self) -> &str {
        &self.assertion.value().id
    }

    /// The NameID as it was signed. Whether it is a subject is the judge's answer.
    pub fn name_id(&self) -> Option<&NameId> {
        self.assertion.value().name_id.as_ref()
    }

    /// Whether the assertion was encrypted for us.
    pub fn was_encrypted(&self) -> bool {
        self.encrypted
    }

    /// Fingerprints of the certificates that came in its signatures: for explanations, and trusted for nothing.
    pub fn brought(&self) -> &[Fingerprint] {
        &self.brought
    }

    /// What the caller burns in the store at once, whatever the judge will say (rule M20).
    pub fn one_use(&self, directory: DirectoryId, now: Timestamp) -> ReplayMark {
        judge::one_use(directory, self.assertion.value(), now)
    }
}

/// A provider that refuses sends no assertion, and often no signature: its status says why, and can only refuse.
fn refusal_or(fault: SamlFault, root: Node<'_>) -> SamlFault {
    let status = Shell::read(root, "Response").map(|shell| shell.status);
    let refused = status.is_ok_and(|status| status.first().is_some_and(|outer| outer != SUCCESS));
    if refused { SamlFault::Status } else { fault }
}

/// The one Assertion or EncryptedAssertion of the document, a child of the root. Another one anywhere, in Extensions, Advice,
/// Object or StatusDetail, in whatever namespace, refuses the message; so does a second message.
fn only_assertion<'a>(tree: &'a Tree<'a>) -> Result<Node<'a>, SamlFault> {
    let root = tree.root();
    let mut found = tree.assertions();
    let only = found.next().ok_or(SamlFault::Assertions)?;
    let known = is(only, SAML, "Assertion") || is(only, SAML, "EncryptedAssertion");
    let nested = tree.inner_responses() > 0;
    if found.next().is_some() || !known || only.parent() != Some(root) || nested {
        return Err(SamlFault::Assertions);
    }
    Ok(only)
}

/// The signatures of these elements, and a fault when the document has one anywhere else.
fn signatures<'a>(tree: &'a Tree<'a>, places: &[Node<'a>]) -> Result<Vec<Option<Enveloped<'a>>>, SamlFault> {
    let count = tree.signatures().count();
    let found: Vec<_> = places.iter().map(|place| Enveloped::of(*place)).collect::<Result<_, _>>()?;
    if found.iter().flatten().count() == count { Ok(found) } else { Err(SamlFault::SignaturePlace) }
}

/// An element as it stands in its document.
fn source(node: Node<'_>) -> &str {
    node.document().input_text().get(node.range()).unwrap_or_default()
}

fn whole(root: Node<'_>) -> String {
    source(root).to_owned()
}

/// What decryption yielded, in the namespaces of the place where it was encrypted (XML Encryption §4.3); with what a second verifier
/// is shown of it, where it is signed itself.
fn from_plaintext(
    plain: &[u8],
    place: Node<'_>,
    trust: &Trust<'_>,
    message_by: Option<Fingerprint>,
) -> Result<(Signed<Assertion>, Option<Exhibit>), SamlFault> {
    let text = decrypt::in_place(plain, place)?;
    let tree = Tree::of_passed(&text, Limits::MESSAGE)?;
    let body = only_assertion(&tree)?;
    if !is(body, SAML, "Assertion") {
        return Err(SamlFault::Assertions);
    }
    let signatures = signatures(&tree, &[body])?;
    let own = match signatures.first() {
        Some(Some(signature)) => Some(signature.verify(trust.keys)?),
        _ => None,
    };
    let by = own.or(message_by).ok_or(SamlFault::Unsigned)?;
    let assertion = Signed { value: Assertion::read(body)?, by };
    let exhibit = |by| Exhibit { document: text.clone(), signers: vec![by], ciphertext: None };
    Ok((assertion, own.map(exhibit)))
}

/// Verifies another document by the enveloped signature of its root, and reads it: logout by POST, metadata.
pub(super) fn signed<T>(
    document: &[u8],
    limits: Limits,
    keys: &SigningKeys,
    is_root: impl FnOnce(Node<'_>) -> bool,
    read: impl FnOnce(Node<'_>) -> Result<T, SamlFault>,
) -> Result<Signed<T>, SamlFault> {
    let tree = Tree::parse(document, limits)?;
    let root = tree.root();
    if !is_root(root) {
        return Err(SamlFault::Root);
    }
    let signatures = signatures(&tree, &[root])?;
    let Some(Some(signature)) = signatures.first() else { return Err(SamlFault::Unsigned) };
    let by = signature.verify(keys)?;
    Ok(Signed { value: read(root)?, by })
}

/// Verifies a signature that stands beside its message (SAML Bindings §3.4.4.1). ECDSA is taken in both its forms: the binding
/// names none, and providers differ.
pub(super) fn detached<T>(
    keys: &SigningKeys,
    algorithm: SignatureAlgorithm,
    octets: &[u8],
    signature: &[u8],
    value: T,
) -> Result<Signed<T>, SamlFault> {
    let ecdsa = matches!(algorithm, SignatureAlgorithm::EcdsaSha256 | SignatureAlgorithm::EcdsaSha384);
    let by = match keys.verify(algorithm, EcdsaForm::Fixed, octets, signature) {
        Err(SamlFault::Signature) if ecdsa => keys.verify(algorithm, EcdsaForm::Der, octets, signature)?,
        answer => answer?,
    };
    Ok(Signed { value, by })
}

/// Fingerprints of the certificates in a message's signatures: what came, beside what is known, for whoever looks into a
/// refused login. Nothing is verified.
///
/// # Errors
/// [`SamlFault`] of the gate and the parser.
pub fn brought_certificates(document: &[u8]) -> Result<Vec<Fingerprint>, SamlFault> {
    Ok(certificates(&Tree::parse(document, Limits::MESSAGE)?))
}

fn certificates(tree: &Tree<'_>) -> Vec<Fingerprint> {
    let signatures = tree.signatures().filter(|node| is(*node, xml::DS, "Signature"));
    let mut found: Vec<_> = signatures.flat_map(signature::certificates).collect();
    // Both signatures of a response bring the same one.
    found.dedup();
    found
}
