//! Messages of ours: what asks a provider for a login or a logout, and what answers its own request for one.
//!
//! Texts, unsigned: the Redirect binding signs its query (`redirect.rs`), the POST binding the document (`envelope.rs`). Ids are
//! arguments, as are times.

use super::assertion::NameId;
use super::shell::{PARTIAL_LOGOUT, RESPONDER, SUCCESS};
use super::subject::UNSPECIFIED;
use super::write::Element;
use super::xml::{SAML, SAMLP};
use crate::kernel::values::Timestamp;

/// `HTTP-POST`, the only binding for responses.
pub(super) const POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
/// `HTTP-Redirect`.
pub(super) const REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";

/// What every message of ours says.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// `ID`: an NCName that nobody can guess.
    pub id: &'a str,
    /// When it leaves.
    pub issued: Timestamp,
    /// The provider's address that it goes to.
    pub destination: &'a str,
    /// Our entity id.
    pub issuer: &'a str,
}

impl Head<'_> {
    fn element(&self, name: &'static str) -> Element {
        Element::new(name)
            .with("xmlns:samlp", SAMLP)
            .with("xmlns:saml", SAML)
            .with("ID", self.id)
            .with("Version", "2.0")
            .with("IssueInstant", &self.issued.to_string())
            .with("Destination", self.destination)
    }

    fn issuer(&self) -> Element {
        Element::new("saml:Issuer").text(self.issuer)
    }
}

/// An AuthnRequest (SAML Core §3.4.1): the answer comes by POST. `force` asks the provider to ask the person again (rule M6);
/// `format` is the NameID's, where the directory depends on one.
pub fn authn_request(head: &Head<'_>, acs: &str, force: bool, format: Option<&str>) -> String {
    head.element("samlp:AuthnRequest")
        .with("ProtocolBinding", POST)
        .with("AssertionConsumerServiceURL", acs)
        .with_some("ForceAuthn", force.then_some("true"))
        .child(head.issuer())
        .child(Element::new("samlp:NameIDPolicy").with_some("Format", format).with("AllowCreate", "true"))
        .finish()
}

/// A LogoutRequest (§3.7.1) for the person and the session that the provider named at login.
pub fn logout_request(head: &Head<'_>, until: Timestamp, name_id: &NameId, session_index: Option<&str>) -> String {
    let format = (name_id.format != UNSPECIFIED).then_some(name_id.format.as_str());
    let subject = Element::new("saml:NameID")
        .with_some("Format", format)
        .with_some("NameQualifier", name_id.name_qualifier.as_deref())
        .with_some("SPNameQualifier", name_id.sp_name_qualifier.as_deref())
        .text(&name_id.value);
    head.element("samlp:LogoutRequest")
        .with("NotOnOrAfter", &until.to_string())
        .child(head.issuer())
        .child(subject)
        .children(session_index.map(|index| Element::new("samlp:SessionIndex").text(index)))
        .finish()
}

/// A LogoutResponse (§3.7.2): the sessions that the provider's request named are over here, or (`ended` is false) may not be.
pub fn logout_response(head: &Head<'_>, in_response_to: &str, ended: bool) -> String {
    let code = if ended {
        Element::new("samlp:StatusCode").with("Value", SUCCESS)
    } else {
        let partial = Element::new("samlp:StatusCode").with("Value", PARTIAL_LOGOUT);
        Element::new("samlp:StatusCode").with("Value", RESPONDER).child(partial)
    };
    head.element("samlp:LogoutResponse")
        .with("InResponseTo", in_response_to)
        .child(head.issuer())
        .child(Element::new("samlp:Status").child(code))
        .finish()
}
