//! Metadata (SAML Metadata 2.0): what is read of a provider's, and what ours says.
//!
//! A provider's document names keys and addresses, and the entity id is pinned: a document about somebody else is refused. Where
//! the directory has a signer, nothing is read that the signer did not sign. Aggregates of many entities are not read.

use super::SamlFault;
use super::assertion::time;
use super::gate::{self, Limits};
use super::keys::{Fingerprint, NotSigningKeys, SigningKeys};
use super::request::{POST, REDIRECT};
use super::verify;
use super::write::Element;
use super::xml::{self, DS, MD, Node, SAMLP, Tree, attribute, child, children, is};
use crate::kernel::oidc::{PlainHttp, endpoint};
use crate::kernel::values::Timestamp;
use url::Url;

/// Key descriptors that are read; real documents have under 4.
const KEYS: usize = 8;
/// Endpoints of one kind that are read.
const ENDPOINTS: usize = 16;

/// How a message travels.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Binding {
    /// In a query.
    Redirect,
    /// In a form.
    Post,
}

impl Binding {
    const fn uri(self) -> &'static str {
        match self {
            Self::Redirect => REDIRECT,
            Self::Post => POST,
        }
    }
}

/// An address of a provider.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    /// How it is spoken to; others than these two are not kept.
    pub binding: Binding,
    /// Where requests go.
    pub location: Url,
    /// Where answers go, if it is another place.
    pub response_location: Option<Url>,
}

/// What is used of a provider's metadata.
#[derive(Clone, Debug)]
pub struct ProviderMetadata {
    /// The entity id, byte for byte.
    pub entity_id: String,
    /// Keys for signatures, whatever their certificates' dates say.
    pub keys: SigningKeys,
    /// Single sign-on, at least one.
    pub single_sign_on: Vec<Endpoint>,
    /// Single logout.
    pub single_logout: Vec<Endpoint>,
    /// Nothing of the document holds from then on.
    pub valid_until: Option<Timestamp>,
    /// `WantAuthnRequestsSigned`. Ours are signed always.
    pub wants_signed_requests: bool,
    /// Which key signed the document, where the directory has a signer (rule M5).
    pub signed_by: Option<Fingerprint>,
}

/// Why a provider's metadata is not used. Each is said at set-up.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProviderMetadataFault {
    /// It does not read, or its signature does not hold.
    #[error("the metadata cannot be used: {}", .0.code())]
    Document(SamlFault),
    /// It lists many entities.
    #[error("the metadata lists many entities; give an address with the provider's own")]
    Aggregate,
    /// It is about another entity than the pinned one.
    #[error(
        "the metadata is about another entity than the one that this directory first had; another provider is another directory: \
         write it as [org.ORG.directory.NAME] with a new name"
    )]
    Entity,
    /// It has no SAML 2.0 identity provider.
    #[error("the metadata describes no SAML 2.0 identity provider")]
    NotAProvider,
    /// Without a key nothing of that provider could be verified.
    #[error("the metadata has no usable signing key: {0}")]
    Keys(#[from] NotSigningKeys),
    /// Its `validUntil` has passed.
    #[error("the metadata is no longer valid")]
    Expired,
    /// No address that a browser could be sent to.
    #[error("the metadata has no https address for single sign-on by redirect or POST")]
    SingleSignOn,
}

impl From<SamlFault> for ProviderMetadataFault {
    fn from(fault: SamlFault) -> Self {
        Self::Document(fault)
    }
}

impl ProviderMetadata {
    /// Reads a provider's document. `entity` is the pinned entity id, none before the first time; `signer` are the keys that must
    /// have signed it.
    ///
    /// # Errors
    /// [`ProviderMetadataFault`] names the first thing that is wrong.
    pub fn read(
        document: &[u8],
        entity: Option<&str>,
        signer: Option<&SigningKeys>,
        plain: PlainHttp,
        now: Timestamp,
    ) -> Result<Self, ProviderMetadataFault> {
        // Entra and ADFS write a byte order mark before it (XML 1.0 §F.1). Messages have none.
        let document = document.strip_prefix("\u{feff}".as_bytes()).unwrap_or(document);
        let of_root = |root: Node<'_>| Self::of_root(root, entity, plain, now);
        match signer {
            Some(keys) => {
                let signed = verify::signed(document, Limits::METADATA, keys, descriptor, |root| Ok(of_root(root)))?;
                let by = signed.by();
                let read = signed.value().clone()?;
                Ok(Self { signed_by: Some(by), ..read })
            }
            None => of_root(Tree::parse(document, Limits::METADATA)?.root()),
        }
    }

    fn of_root(
        root: Node<'_>,
        entity: Option<&str>,
        plain: PlainHttp,
        now: Timestamp,
    ) -> Result<Self, ProviderMetadataFault> {
        if is(root, MD, "EntitiesDescriptor") {
            return Err(ProviderMetadataFault::Aggregate);
        }
        if !descriptor(root) {
            return Err(SamlFault::Root.into());
        }
        let entity_id = attribute(root, "entityID").filter(|id| !id.is_empty() && id.len() <= 1024);
        let entity_id = entity_id.ok_or(ProviderMetadataFault::Entity)?;
        if entity.is_some_and(|pinned| pinned != entity_id) {
            return Err(ProviderMetadataFault::Entity);
        }
        let provider = child(root, MD, "IDPSSODescriptor")?.ok_or(ProviderMetadataFault::NotAProvider)?;
        let protocols = attribute(provider, "protocolSupportEnumeration").unwrap_or_default();
        if !protocols.split_ascii_whitespace().any(|protocol| protocol == SAMLP) {
            return Err(ProviderMetadataFault::NotAProvider);
        }
        let valid_until = [time(root, "validUntil")?, time(provider, "validUntil")?].into_iter().flatten().min();
        if valid_until.is_some_and(|end| end <= now) {
            return Err(ProviderMetadataFault::Expired);
        }
        let certificates = certificates(provider)?;
        let keys = SigningKeys::from_certificates(certificates.iter().map(Vec::as_slice))?;
        let single_sign_on = endpoints(provider, "SingleSignOnService", plain);
        if single_sign_on.is_empty() {
            return Err(ProviderMetadataFault::SingleSignOn);
        }
        Ok(Self {
            entity_id: entity_id.to_owned(),
            keys,
            single_sign_on,
            single_logout: endpoints(provider, "SingleLogoutService", plain),
            valid_until,
            wants_signed_requests: matches!(attribute(provider, "WantAuthnRequestsSigned"), Some("true" | "1")),
            signed_by: None,
        })
    }
}

fn descriptor(root: Node<'_>) -> bool {
    is(root, MD, "EntityDescriptor")
}

/// The certificates of keys for signatures (§2.4.1.1): of each X509Data the first, because others would be its issuers, whose
/// keys sign no messages.
fn certificates(provider: Node<'_>) -> Result<Vec<Vec<u8>>, SamlFault> {
    let signs = |key: &Node<'_>| attribute(*key, "use").is_none_or(|usage| usage == "signing");
    let data = children(provider, MD, "KeyDescriptor")
        .filter(signs)
        .flat_map(|key| children(key, DS, "KeyInfo"))
        .flat_map(|info| children(info, DS, "X509Data"));
    let first = data.filter_map(|data| children(data, DS, "X509Certificate").next());
    let mut found: Vec<Vec<u8>> = Vec::new();
    for certificate in first.take(KEYS) {
        let der = xml::base64(certificate, 16 * 1024)?;
        // The same key under both uses, as many providers list it.
        if !found.contains(&der) {
            found.push(der);
        }
    }
    Ok(found)
}

/// Endpoints in a binding that we speak and at an address that may be used; others are skipped.
fn endpoints(provider: Node<'_>, name: &'static str, plain: PlainHttp) -> Vec<Endpoint> {
    let read = |node| {
        let binding = attribute(node, "Binding")?;
        let binding = [Binding::Redirect, Binding::Post].into_iter().find(|known| known.uri() == binding)?;
        let location = endpoint(attribute(node, "Location")?, plain)?;
        let response_location = match attribute(node, "ResponseLocation") {
            Some(text) => Some(endpoint(text, plain)?),
            None => None,
        };
        Some(Endpoint { binding, location, response_location })
    };
    children(provider, MD, name).take(ENDPOINTS).filter_map(read).collect()
}

/// What we are to one provider.
#[derive(Clone, Copy, Debug)]
pub struct PartyMetadata<'a> {
    /// The document's `ID`, where it will be signed.
    pub id: Option<&'a str>,
    /// Our entity id at this directory.
    pub entity_id: &'a str,
    /// Where responses arrive.
    pub acs: &'a str,
    /// Where logouts arrive.
    pub slo: Option<&'a str>,
    /// DER certificates of our signing keys, the current one first; two during a roll-over.
    pub signing: &'a [&'a [u8]],
    /// DER certificates of our encryption keys, the newest first.
    pub encryption: &'a [&'a [u8]],
    /// The NameID format that the directory depends on.
    pub format: Option<&'a str>,
}

/// Our metadata for one provider (§2.4.4): entity id, keys and addresses are this directory's alone (rule H20).
pub fn party_metadata(party: &PartyMetadata<'_>) -> String {
    let service =
        |name, binding: Binding, location| Element::new(name).with("Binding", binding.uri()).with("Location", location);
    let signing = party.signing.iter().map(|der| key_descriptor("signing", der));
    let encryption = party.encryption.iter().map(|der| {
        let methods = [
            "http://www.w3.org/2009/xmlenc11#aes256-gcm",
            "http://www.w3.org/2009/xmlenc11#aes128-gcm",
            "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
        ];
        let methods = methods.map(|uri| Element::new("md:EncryptionMethod").with("Algorithm", uri));
        key_descriptor("encryption", der).children(methods)
    });
    let acs =
        service("md:AssertionConsumerService", Binding::Post, party.acs).with("index", "0").with("isDefault", "true");
    let role = Element::new("md:SPSSODescriptor")
        .with("AuthnRequestsSigned", "true")
        .with("WantAssertionsSigned", "true")
        .with("protocolSupportEnumeration", SAMLP)
        .children(signing)
        .children(encryption)
        .children(party.slo.into_iter().flat_map(|slo| {
            [Binding::Redirect, Binding::Post].map(|binding| service("md:SingleLogoutService", binding, slo))
        }))
        .children(party.format.map(|format| Element::new("md:NameIDFormat").text(format)))
        .child(acs);
    Element::new("md:EntityDescriptor")
        .with("xmlns:md", MD)
        .with("xmlns:ds", DS)
        .with_some("ID", party.id)
        .with("entityID", party.entity_id)
        .child(role)
        .finish()
}

fn key_descriptor(usage: &str, der: &[u8]) -> Element {
    let certificate = Element::new("ds:X509Certificate").text(&gate::encode(der));
    let info = Element::new("ds:KeyInfo").child(Element::new("ds:X509Data").child(certificate));
    Element::new("md:KeyDescriptor").with("use", usage).child(info)
}
