//! The message around an assertion: what stands on the root element of every protocol message (SAML Core §3.2).

use super::SamlFault;
use super::assertion::{needed, time};
use super::xml::{self, Node, SAML, SAMLP, attribute, child, is, word};
use crate::kernel::values::Timestamp;

/// `…:status:Success`.
pub(super) const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";
/// `…:status:Responder`: it could not be done, and the request is not to blame.
pub(super) const RESPONDER: &str = "urn:oasis:names:tc:SAML:2.0:status:Responder";
/// `…:status:PartialLogout`: somebody else may still have the person logged in.
pub(super) const PARTIAL_LOGOUT: &str = "urn:oasis:names:tc:SAML:2.0:status:PartialLogout";

/// A message's own fields. Where the message is not signed they can refuse a login and never make one.
#[derive(Clone, Debug)]
pub struct Shell {
    /// `ID`.
    pub id: String,
    /// `Version`.
    pub version: String,
    /// `IssueInstant`.
    pub issued: Timestamp,
    /// `Destination`.
    pub destination: Option<String>,
    /// `InResponseTo`; requests have none.
    pub in_response_to: Option<String>,
    /// Issuer's text.
    pub issuer: Option<String>,
    /// The codes of Status, the outer one first; none in requests.
    pub status: Vec<String>,
}

impl Shell {
    /// Reads the root of a message; what may stand below it depends on the message.
    pub(super) fn read(root: Node<'_>, message: &str) -> Result<Self, SamlFault> {
        let known = |part: Node<'_>| {
            is(part, SAML, "Issuer")
                || is(part, xml::DS, "Signature")
                || is(part, SAMLP, "Extensions")
                || match message {
                    "Response" => {
                        is(part, SAMLP, "Status") || is(part, SAML, "Assertion") || is(part, SAML, "EncryptedAssertion")
                    }
                    "LogoutResponse" => is(part, SAMLP, "Status"),
                    _ => is(part, SAML, "NameID") || is(part, SAMLP, "SessionIndex"),
                }
        };
        if !xml::elements(root)?.into_iter().all(known) {
            return Err(SamlFault::Shape);
        }
        let issuer = child(root, SAML, "Issuer")?;
        Ok(Self {
            id: attribute(root, "ID").ok_or(SamlFault::Id)?.to_owned(),
            version: needed(root, "Version")?,
            issued: time(root, "IssueInstant")?.ok_or(SamlFault::Time)?,
            destination: attribute(root, "Destination").map(str::to_owned),
            in_response_to: attribute(root, "InResponseTo").map(str::to_owned),
            issuer: issuer.map(|issuer| word(issuer).map(str::to_owned)).transpose()?,
            status: child(root, SAMLP, "Status")?.map(status).transpose()?.unwrap_or_default(),
        })
    }
}

/// The outer code and, inside it, the provider's closer one (§3.2.2.2). Its message is not kept.
fn status(node: Node<'_>) -> Result<Vec<String>, SamlFault> {
    let outer = child(node, SAMLP, "StatusCode")?.ok_or(SamlFault::Shape)?;
    let inner = child(outer, SAMLP, "StatusCode")?;
    [Some(outer), inner].into_iter().flatten().map(|code| needed(code, "Value")).collect()
}
