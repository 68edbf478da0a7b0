//! Encrypted assertions (SAML Core §2.3.4, XML Encryption 1.1): AES-GCM under a key that RSA-OAEP carries.
//!
//! Every key of ours is tried, and the content is decrypted under some key even where none fits, so that failures look and cost
//! alike. RSA 1.5, 3DES, references to elsewhere and agreed keys are absent. AES-CBC has no integrity of its own: it is taken
//! inside a Response whose signature was verified first, and only where the directory allows it.

use super::SamlFault;
use super::gate::{self, Limits};
use super::verify::Trust;
use super::xml::{self, DS, Node, XENC, XENC11, attribute, child, children, is};
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use std::fmt;
use zeroize::Zeroizing;

/// Keys of one directory that open messages: two during a roll-over.
const KEYS_LIMIT: usize = 2;
/// Bytes of a wrapped key: RSA of 8192 bits.
const WRAPPED: usize = 1024;

/// Our private keys of one directory.
pub struct DecryptionKeys(Vec<OaepPrivateDecryptingKey>);

/// No RSA key of at least 2048 bits in PKCS#8, or more than two.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not one or two RSA keys of at least 2048 bits in PKCS#8")]
pub struct NotDecryptionKeys;

impl DecryptionKeys {
    /// How many keys open what a provider encrypted.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Parses DER PKCS#8 documents, the current key first.
    ///
    /// # Errors
    /// [`NotDecryptionKeys`].
    pub fn from_pkcs8<'a>(documents: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, NotDecryptionKeys> {
        let parse = |der| OaepPrivateDecryptingKey::new(PrivateDecryptingKey::from_pkcs8(der).ok()?).ok();
        let keys = documents.into_iter().map(parse).collect::<Option<Vec<_>>>().ok_or(NotDecryptionKeys)?;
        if (1..=KEYS_LIMIT).contains(&keys.len()) { Ok(Self(keys)) } else { Err(NotDecryptionKeys) }
    }
}

impl fmt::Debug for DecryptionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecryptionKeys({})", self.0.len())
    }
}

/// How the content is encrypted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Content {
    Gcm128,
    Gcm256,
    Cbc128,
    Cbc256,
}

impl Content {
    fn named(uri: &str) -> Option<Self> {
        match uri {
            "http://www.w3.org/2009/xmlenc11#aes128-gcm" => Some(Self::Gcm128),
            "http://www.w3.org/2009/xmlenc11#aes256-gcm" => Some(Self::Gcm256),
            "http://www.w3.org/2001/04/xmlenc#aes128-cbc" => Some(Self::Cbc128),
            "http://www.w3.org/2001/04/xmlenc#aes256-cbc" => Some(Self::Cbc256),
            _ => None,
        }
    }

    const fn key_bytes(self) -> usize {
        match self {
            Self::Gcm128 | Self::Cbc128 => 16,
            Self::Gcm256 | Self::Cbc256 => 32,
        }
    }

    const fn is_cbc(self) -> bool {
        matches!(self, Self::Cbc128 | Self::Cbc256)
    }
}

/// A wrapped key.
struct Wrapped {
    algorithm: &'static OaepAlgorithm,
    label: Vec<u8>,
    bytes: Vec<u8>,
}

/// Decrypts an EncryptedAssertion. `inside_signed`: the Response around it was signed, and that was verified.
///
/// # Errors
/// [`SamlFault::EncryptionShape`], [`SamlFault::EncryptionAlgorithm`] and [`SamlFault::Cbc`] for what the message says of
/// itself; [`SamlFault::Decryption`] for everything that depends on a key.
pub(super) fn open(node: Node<'_>, trust: &Trust<'_>, inside_signed: bool) -> Result<Zeroizing<Vec<u8>>, SamlFault> {
    let shape = SamlFault::EncryptionShape;
    let data = child(node, XENC, "EncryptedData").ok().flatten().ok_or(shape)?;
    let method = child(data, XENC, "EncryptionMethod").ok().flatten().ok_or(shape)?;
    let content = attribute(method, "Algorithm").and_then(Content::named).ok_or(SamlFault::EncryptionAlgorithm)?;
    if content.is_cbc() && !(trust.cbc && inside_signed) {
        return Err(SamlFault::Cbc);
    }
    let wrapped = wrapped_key(node, data)?;
    let bytes = cipher_value(data, Limits::MESSAGE.bytes)?;
    let keys = trust.decryption.ok_or(SamlFault::Decryption)?;
    let key = unwrap(&wrapped, keys, content.key_bytes());
    let plain = decrypt(content, &key.bytes, bytes);
    // Both have been tried by now.
    plain.filter(|_| key.fits).map(Zeroizing::new).ok_or(SamlFault::Decryption)
}

/// The one EncryptedKey, in KeyInfo or beside EncryptedData; a RetrievalMethod may only name that one.
fn wrapped_key(node: Node<'_>, data: Node<'_>) -> Result<Wrapped, SamlFault> {
    let shape = SamlFault::EncryptionShape;
    let info = child(data, DS, "KeyInfo").map_err(|_| shape)?;
    let inside = info.into_iter().flat_map(|info| children(info, XENC, "EncryptedKey"));
    let mut found = inside.chain(children(node, XENC, "EncryptedKey"));
    let (Some(key), None) = (found.next(), found.next()) else { return Err(shape) };
    let names_key = |method: Node<'_>| {
        let id = attribute(key, "Id");
        id.is_some() && attribute(method, "URI").and_then(|uri| uri.strip_prefix('#')) == id && !method.has_children()
    };
    if !info.into_iter().flat_map(|info| children(info, DS, "RetrievalMethod")).all(names_key) {
        return Err(shape);
    }
    let method = child(key, XENC, "EncryptionMethod").ok().flatten().ok_or(shape)?;
    let algorithm = oaep(method)?;
    let label = match child(method, XENC, "OAEPparams").map_err(|_| shape)? {
        Some(label) => xml::base64(label, WRAPPED).map_err(|_| shape)?,
        None => Vec::new(),
    };
    Ok(Wrapped { algorithm, label, bytes: cipher_value(key, WRAPPED)? })
}

/// OAEP with SHA-1 for both hashes or with SHA-256 for both (XML Encryption 1.1 §5.5.2). Mixed pairs are not offered in our
/// metadata.
fn oaep(method: Node<'_>) -> Result<&'static OaepAlgorithm, SamlFault> {
    let wrong = SamlFault::EncryptionAlgorithm;
    let named = |namespace, name| match child(method, namespace, name) {
        Ok(found) => Ok(found.map(|node| attribute(node, "Algorithm").unwrap_or_default())),
        Err(_) => Err(SamlFault::EncryptionShape),
    };
    let digest = named(DS, "DigestMethod")?.unwrap_or("http://www.w3.org/2000/09/xmldsig#sha1");
    let mask = named(XENC11, "MGF")?.unwrap_or("http://www.w3.org/2009/xmlenc11#mgf1sha1");
    match attribute(method, "Algorithm") {
        // Its mask generation is with SHA-1 whatever else stands there (§5.5.2).
        Some("http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p") if !mask.ends_with("#mgf1sha1") => Err(wrong),
        Some("http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p" | "http://www.w3.org/2009/xmlenc11#rsa-oaep") => {
            match (digest, mask) {
                ("http://www.w3.org/2000/09/xmldsig#sha1", "http://www.w3.org/2009/xmlenc11#mgf1sha1") => {
                    Ok(&OAEP_SHA1_MGF1SHA1)
                }
                ("http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2009/xmlenc11#mgf1sha256") => {
                    Ok(&OAEP_SHA256_MGF1SHA256)
                }
                _ => Err(wrong),
            }
        }
        _ => Err(wrong),
    }
}

/// CipherData with a CipherValue; a CipherReference would be fetched from elsewhere.
fn cipher_value(node: Node<'_>, limit: usize) -> Result<Vec<u8>, SamlFault> {
    let shape = SamlFault::EncryptionShape;
    let data = child(node, XENC, "CipherData").ok().flatten().ok_or(shape)?;
    match xml::elements(data).map_err(|_| shape)?.as_slice() {
        [value] if is(*value, XENC, "CipherValue") => xml::base64(*value, limit).map_err(|_| shape),
        _ => Err(shape),
    }
}

struct ContentKey {
    bytes: Zeroizing<Vec<u8>>,
    fits: bool,
}

/// The content's key. Where no key of ours opens it, some other key of the same length, so that decryption goes on and fails.
fn unwrap(wrapped: &Wrapped, keys: &DecryptionKeys, length: usize) -> ContentKey {
    let mut found = ContentKey { bytes: Zeroizing::new(vec![0; length]), fits: false };
    for key in &keys.0 {
        let mut space = Zeroizing::new(vec![0; key.min_output_size()]);
        let label = (!wrapped.label.is_empty()).then_some(wrapped.label.as_slice());
        let opened = key.decrypt(wrapped.algorithm, &wrapped.bytes, &mut space, label);
        if let Ok(bytes) = opened
            && bytes.len() == length
        {
            found = ContentKey { bytes: Zeroizing::new(bytes.to_vec()), fits: true };
        }
    }
    found
}

fn decrypt(content: Content, key: &[u8], mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    match content {
        Content::Gcm128 | Content::Gcm256 => {
            let algorithm = if content == Content::Gcm128 { &AES_128_GCM } else { &AES_256_GCM };
            let key = LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?);
            // 96 bits of nonce, the ciphertext, 128 bits of tag (XML Encryption 1.1 §5.2.4).
            let nonce = Nonce::try_assume_unique_for_key(bytes.get(..NONCE_LEN)?).ok()?;
            let plain = key.open_within(nonce, Aad::empty(), &mut bytes, NONCE_LEN..).ok()?.len();
            bytes.truncate(plain);
            Some(bytes)
        }
        Content::Cbc128 | Content::Cbc256 => {
            let algorithm = if content == Content::Cbc128 { &AES_128 } else { &AES_256 };
            let key = PaddedBlockDecryptingKey::cbc_iso10126(UnboundCipherKey::new(algorithm, key).ok()?).ok()?;
            let (vector, rest) = bytes.split_at_mut_checked(16)?;
            let vector: [u8; 16] = (&*vector).try_into().ok()?;
            let context = DecryptionContext::Iv128(FixedLength::from(vector));
            Some(key.decrypt(rest, context).ok()?.to_vec())
        }
    }
}

/// The plaintext as a document of its own, inside an element that declares the namespaces in scope where it was encrypted:
/// encrypters may leave out what an ancestor declared (XML Encryption §4.3).
///
/// The gate has seen one whole element before it is put there, so that it cannot close what is around it.
pub(super) fn in_place(plain: &[u8], place: Node<'_>) -> Result<String, SamlFault> {
    Ok(around(gate::pass(plain, Limits::MESSAGE)?, place))
}

/// An element of its own document, inside one that declares the namespaces in scope at a place.
pub(super) fn around(element: &str, place: Node<'_>) -> String {
    let mut text = String::with_capacity(element.len() + 512);
    text.push_str("<in-place");
    for namespace in place.namespaces().filter(|namespace| namespace.name() != Some("xml")) {
        text.push_str(" xmlns");
        if let Some(prefix) = namespace.name() {
            text.push(':');
            text.push_str(prefix);
        }
        text.push_str("=\"");
        super::write::escape(namespace.uri(), &mut text);
        text.push('"');
    }
    text.push('>');
    text.push_str(element);
    text.push_str("</in-place>");
    text
}
