//! Messages of ours on their way: by redirect where the provider takes it, else in a form that the person's browser posts. Signed
//! always: over the query (SAML Bindings §3.4.4.1), or inside the document (§3.5.4).

use super::own::Own;
use super::{Fault, Names, SamlProviders, format};
use crate::idp::ProviderUnavailable;
use crate::kernel::model::Directory;
use crate::kernel::saml::{self, Binding, Endpoint, Head, SignatureAlgorithm, ToSign};
use crate::kernel::values::{Origin, Timestamp};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use url::Url;

/// One login that is about to leave.
#[derive(Clone, Copy, Debug)]
pub struct SamlLeaving<'a> {
    /// Our login host.
    pub login: &'a Origin,
    /// The request's `ID`.
    pub request_id: &'a str,
    /// Comes back with the response: opaque, at most 80 bytes (§3.4.3).
    pub relay_state: &'a str,
    /// The provider must ask the person anew (rule M6).
    pub force: bool,
    /// Now.
    pub now: Timestamp,
}

/// How the person's browser takes a message to the provider.
#[derive(Clone, Debug)]
pub enum Way {
    /// By going to this address.
    Redirect(Url),
    /// By posting a form.
    Post(Posting),
}

/// A form of the POST binding (§3.5.4).
#[derive(Clone, Debug)]
pub struct Posting {
    /// The provider's address.
    pub action: Url,
    /// `SAMLRequest` or `SAMLResponse`.
    pub field: &'static str,
    /// The message in base64.
    pub message: String,
    /// `RelayState`, where there is one.
    pub relay_state: Option<String>,
}

/// A message that leaves.
pub(super) struct Outgoing<'a> {
    pub(super) is_request: bool,
    pub(super) relay_state: Option<&'a str>,
}

/// The endpoint to send to: by redirect if there is one.
pub(super) fn preferred(endpoints: &[Endpoint]) -> Option<&Endpoint> {
    let of = |binding| endpoints.iter().find(|one| one.binding == binding);
    of(Binding::Redirect).or_else(|| of(Binding::Post))
}

impl Outgoing<'_> {
    /// Signs `document` for `address`, which stands in it as its Destination.
    pub(super) fn sign(self, binding: Binding, address: &Url, document: String, own: &Own) -> Result<Way, Fault> {
        match binding {
            Binding::Redirect => {
                let by = SignatureAlgorithm::RsaSha256;
                let to_sign = saml::query_to_sign(&document, self.is_request, self.relay_state, by);
                let signature = own.sign(to_sign.as_bytes())?;
                let query = saml::signed_query(to_sign, &signature);
                // What the provider's address has in its query stays before it (§3.4.4.1).
                let query = match address.query().filter(|query| !query.is_empty()) {
                    Some(before) => format!("{before}&{query}"),
                    None => query,
                };
                let mut url = address.clone();
                url.set_query(Some(&query));
                Ok(Way::Redirect(url))
            }
            Binding::Post => {
                let document = enveloped(document, own)?;
                Ok(Way::Post(Posting {
                    action: address.clone(),
                    field: if self.is_request { "SAMLRequest" } else { "SAMLResponse" },
                    message: STANDARD.encode(document),
                    relay_state: self.relay_state.map(str::to_owned),
                }))
            }
        }
    }
}

/// Signs a document inside itself.
pub(super) fn enveloped(document: String, own: &Own) -> Result<String, Fault> {
    let to_sign = ToSign::of(document).map_err(|fault| Fault(format!("a message of ours: {}", fault.code())))?;
    let signature = own.sign(to_sign.octets())?;
    Ok(to_sign.signed(&signature, &own.signing_certificate))
}

impl SamlProviders {
    /// How a login leaves, a signed request; and what makes the connection now, for the reply to be held against (rule M4).
    ///
    /// # Errors
    /// [`ProviderUnavailable`].
    pub async fn depart(
        &self,
        directory: &Directory,
        leaving: SamlLeaving<'_>,
    ) -> Result<(Way, [u8; 16]), ProviderUnavailable> {
        let settings = directory.protocol.saml().ok_or_else(crate::idp::no_provider)?;
        let provider = self.0.provider(directory, settings).await?;
        let own = self.0.own(directory, leaving.login).await?;
        let names = Names::of(leaving.login, directory);
        // A provider's metadata is used with an address for logins alone.
        let endpoint = preferred(&provider.metadata.single_sign_on).ok_or_else(crate::idp::no_provider)?;
        let (id, issued) = (leaving.request_id, leaving.now);
        let head = Head { id, issued, destination: endpoint.location.as_str(), issuer: &names.entity_id };
        let request = saml::authn_request(&head, &names.acs, leaving.force, format(settings));
        let outgoing = Outgoing { is_request: true, relay_state: Some(leaving.relay_state) };
        let way = outgoing.sign(endpoint.binding, &endpoint.location, request, &own)?;
        Ok((way, names.connection(settings, &provider).binding()))
    }
}
