//! What each SAML directory has on the login host: its metadata, where its provider's responses arrive, and its logouts.

use super::forms::Fields;
use super::render::{self, At};
use super::{Site, login_host};
use crate::idp::saml::Arrived;
use crate::kernel::model::Directory;
use crate::kernel::refusal::Refusal;
use crate::login::Visitor;
use crate::web::PageRequest;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use std::sync::Arc;

impl Site {
    /// `/saml/{directory}/metadata`, `/acs` and `/slo`. A directory that is none of SAML is not there.
    pub(super) async fn saml(&self, request: &PageRequest, visitor: &Visitor, rest: &str) -> Response<Bytes> {
        let Some((name, what)) = rest.rsplit_once('/') else { return self.not_found(request) };
        let Some(directory) = self.saml_directory(name) else { return self.not_found(request) };
        match (&request.head.method, what) {
            (&Method::GET | &Method::HEAD, "metadata") => self.saml_metadata(request, &directory).await,
            // A form that a person's browser posts; a script of a sibling product begins nothing (rule H6).
            (&Method::POST, "acs") if !login_host::is_page_navigation(request) => {
                self.refuse_request(request, visitor, Refusal::CrossSite).await
            }
            (&Method::POST, "acs") => {
                let form = Fields::of_form(request);
                let (relay_state, response) = (form.text("RelayState"), form.text("SAMLResponse"));
                let answer = self.login.consume(visitor, &directory.name, relay_state, response).await;
                self.respond(answer, At::Login, visitor)
            }
            // The back button leads here.
            (&Method::GET | &Method::HEAD, "acs") => {
                let answer = self.login.home(visitor).await;
                self.respond(answer, At::Login, visitor)
            }
            (&Method::GET | &Method::POST, "slo") => self.saml_logout(request, visitor, &directory).await,
            (_, "metadata" | "acs" | "slo") => render::empty(StatusCode::METHOD_NOT_ALLOWED),
            _ => self.not_found(request),
        }
    }

    /// Single logout: a query or a form with a message that is signed, whoever's browser carries it. Anything else is the button.
    async fn saml_logout(
        &self,
        request: &PageRequest,
        visitor: &Visitor,
        directory: &Arc<Directory>,
    ) -> Response<Bytes> {
        let is_query = request.head.method == Method::GET;
        let fields = if is_query { Fields::of_query(request) } else { Fields::of_form(request) };
        let is_request = match (fields.text("SAMLRequest"), fields.text("SAMLResponse")) {
            ("", "") => return self.respond(self.login.confirm_logout(visitor).await, At::Login, visitor),
            (request, _) => !request.is_empty(),
        };
        let arrived = if is_query {
            Arrived::Redirect(request.head.uri.query().unwrap_or_default().to_owned())
        } else {
            let message = fields.text(if is_request { "SAMLRequest" } else { "SAMLResponse" }).to_owned();
            Arrived::Post { is_request, message, relay_state: fields.text("RelayState").to_owned() }
        };
        let answer = self.login.on_provider_logout(visitor, directory, is_request, arrived).await;
        self.respond(answer, At::Login, visitor)
    }

    fn saml_directory(&self, name: &str) -> Option<Arc<Directory>> {
        let catalog = self.login.world().catalog.load();
        let names = login_host::directory_of(&format!("/{name}"))?;
        let id = names.iter().find_map(|name| catalog.directory_names.get(name))?;
        catalog.directories.get(id).filter(|directory| directory.protocol.saml().is_some()).cloned()
    }

    /// Our metadata; signed with `?signed=true`. Its address without a query is our entity id.
    async fn saml_metadata(&self, request: &PageRequest, directory: &Directory) -> Response<Bytes> {
        let world = self.login.world();
        let login = world.catalog.load().login.clone();
        let signed = Fields::of_query(request).text("signed") == "true";
        match world.saml.metadata(directory, &login, signed).await {
            Ok(metadata) => {
                let mut response = render::json(metadata);
                let fields = response.headers_mut();
                fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/samlmetadata+xml"));
                fields.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
                response
            }
            Err(fault) => {
                tracing::error!(directory = %directory.name, %fault, "our metadata could not be written");
                render::empty(StatusCode::SERVICE_UNAVAILABLE)
            }
        }
    }
}
