//! SAML 2.0 as a pure matter: what a company's identity provider sends, and what it proves.
//!
//! Bytes → [`gate`](pass) → one tree → signatures over canonical bytes → decryption, where it is encrypted, and the same again →
//! [`Signed`] → [`judge`] → `Proof`. Keys, times and what was expected are arguments. The profile is the one of web browser SSO
//! and nothing more: whatever XML, XML Signature and XML Encryption allow beyond it has no code here.
//!
//! Deliberately absent: SHA-1, HMAC and DSA signatures, inclusive canonicalization, other transforms, references to anywhere else,
//! keys from messages, RSA 1.5 and 3DES, DTDs, comments, processing instructions, artifacts, ECP, encrypted ids and attributes,
//! unsolicited responses as proof.

mod assertion;
mod c14n;
mod connection;
mod decrypt;
mod envelope;
mod fault;
mod gate;
mod judge;
mod keys;
mod logout;
mod metadata;
mod opinion;
mod pasted;
mod redirect;
mod remedy;
mod report;
mod request;
mod shell;
mod signature;
mod subject;
#[cfg(test)]
mod tests;
mod verify;
mod write;
mod xml;

pub use assertion::NameId;
pub use connection::{Connection, Expected, Mapping, Preset};
pub use decrypt::{DecryptionKeys, NotDecryptionKeys};
pub use envelope::ToSign;
pub use fault::SamlFault;
pub use gate::{Limits, decode_post, decode_redirect, pass};
pub use judge::{Check, Judged, Judgement, daily, judge, remembered};
pub use keys::{EcdsaForm, Fingerprint, NotSigningKeys, SignatureAlgorithm, SigningKeys};
pub use logout::{LogoutMessage, LogoutRequest};
pub use metadata::{Binding, Endpoint, PartyMetadata, ProviderMetadata, ProviderMetadataFault, party_metadata};
pub use opinion::{AssertionRead, Exhibit, MessageRead, Opinion};
pub use pasted::decode_pasted;
pub use redirect::{RedirectMessage, open_redirect, query_to_sign, signed_query};
pub use report::{Report, examine};
pub use request::{Head, authn_request, logout_request, logout_response};
pub use shell::Shell;
pub use subject::{EMAIL, PERSISTENT, SubjectChoice, TRANSIENT, UNSPECIFIED, Warning};
pub use verify::{Received, Signed, Trust, brought_certificates};
