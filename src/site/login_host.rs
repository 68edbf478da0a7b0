//! The login host's routes.

use super::forms::Fields;
use super::languages::keeping;
use super::render::{self, At};
use super::{Site, account, another, declared, emergency, local, native, signal, stepping};
use crate::kernel::refusal::Refusal;
use crate::kernel::values::{DirectoryName, OrgName, Origin, ProductName, ThirdPartyName};
use crate::keys::KeyFault;
use crate::login::{Answer, Target, Visitor};
use crate::web::PageRequest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Method, Response, StatusCode};
use std::time::Duration;

impl Site {
    pub(super) async fn on_login_host(&self, request: &PageRequest, visitor: &Visitor) -> Response<Bytes> {
        let path = request.head.uri.path().to_owned();
        let method = request.head.method.clone();
        let query = || Fields::of_query(request);
        let form = || Fields::of_form(request);
        if let Some(directory) = path.strip_prefix("/login/callback") {
            return self.callback(request, visitor, directory).await;
        }
        if let Some(rest) = path.strip_prefix("/saml/") {
            return self.saml(request, visitor, rest).await;
        }
        if let Some(door) = signal::door(&path) {
            return self.on_signal(request, visitor, door).await;
        }
        if let Some(directory) = path.strip_prefix("/oidc").and_then(|rest| rest.strip_suffix("/jwks.json")) {
            return self.client_jwks(request, directory);
        }
        if let Some(rest) = path.strip_prefix(native::METADATA) {
            return self.app_metadata(request, rest);
        }
        if [emergency::ENTER, emergency::NEW, emergency::OWN].contains(&path.as_str()) {
            return self.on_emergency(request, visitor, (&method, &path)).await;
        }
        if path == stepping::OWN || path.starts_with("/account/steps/") {
            return self.on_own_steps(request, visitor, (&method, &path)).await;
        }
        if path == "/admin" || path.starts_with(crate::login::CONSOLE) {
            return self.on_console(request, visitor).await;
        }
        if path == account::ACCOUNT || path.starts_with("/account/") {
            return self.on_account(request, visitor).await;
        }
        if path == stepping::STEP || path.starts_with("/login/step/") {
            return self.on_stepping(request, visitor, (&method, &path)).await;
        }
        if path.starts_with("/login/passkey") {
            return self.on_passkey(request, visitor, (&method, &path)).await;
        }
        if path.starts_with(another::ADDRESS) {
            return match self.on_address(request, visitor, (method.as_str(), &path)).await {
                Some(answer) => self.respond(answer, At::Login, visitor),
                None => self.not_found(request),
            };
        }
        let answer = match (method.as_str(), path.as_str()) {
            ("GET" | "HEAD", "/.well-known/jwks.json") => return public_keys(self.login.world().keys.jwks()),
            // Where password managers look (well-known change-password): at the issuer.
            ("GET" | "HEAD", "/.well-known/change-password") => {
                let catalog = self.login.world().catalog.load();
                return match catalog.reset_url.as_deref().or(catalog.profile_url.as_deref()) {
                    Some(url) => render::redirect(url, &[], false),
                    None => render::empty(StatusCode::NOT_FOUND),
                };
            }
            ("GET" | "HEAD", "/" | "/login") => match query().text("to") {
                "" => self.login.home(visitor).await,
                to => self.login.ask_again(visitor, to).await,
            },
            ("GET" | "HEAD", "/login/reset") => self.login.follow_link(visitor, query().text("token")).await,
            ("GET" | "HEAD", local::paths::LINK) => self.login.review(visitor, query().text("t")).await,
            ("POST", local::paths::LINK) => {
                let form = form();
                self.login.confirm_link(visitor, form.text("csrf"), form.text("to")).await
            }
            ("POST", account::RESTORE) => {
                let form = form();
                self.login.restore(visitor, None, (form.text("csrf"), form.text("to"))).await
            }
            ("GET" | "HEAD", local::paths::MERGE) => self.login.ask_merge(visitor, query().text("to")).await,
            ("POST", local::paths::MERGE) => self.post_merge(request, visitor, false).await,
            ("GET" | "HEAD", local::paths::MERGE_REVIEW) => self.login.review_merge(visitor, query().text("t")).await,
            ("POST", local::paths::MERGE_REVIEW) => self.post_merge(request, visitor, true).await,
            ("GET", "/login/to") => return self.enter(request, visitor).await,
            ("POST", "/login/identify") => {
                let form = form();
                self.login.identify(visitor, form.text("csrf"), form.text("to"), form.text("email")).await
            }
            ("POST", "/login/depart") => {
                let form = form();
                let sealed = (form.text("csrf"), form.text("to"));
                self.login.take_way(visitor, sealed, form.text("email"), form.text("way")).await
            }
            ("POST", "/login/continue") => {
                let form = form();
                self.login.reenter(visitor, form.text("csrf"), form.text("to")).await
            }
            ("GET" | "HEAD", "/logout") => self.login.confirm_logout(visitor).await,
            ("POST", "/logout") => self.login.logout(visitor, form().text("csrf")).await,
            ("GET", "/logout/complete") => self.login.complete_logout(visitor, query().text("t")).await,
            ("GET" | "HEAD", "/logout/done") => self.login.logout_done(),
            // A form of ours that was reloaded or reached by the back button: begin where it began.
            ("GET" | "HEAD", "/login/identify" | "/login/depart" | "/login/continue") => self.login.home(visitor).await,
            ("GET" | "HEAD", "/favicon.ico" | "/robots.txt") => return render::empty(StatusCode::NOT_FOUND),
            _ => return self.not_found(request),
        };
        self.respond(answer, At::Login, visitor)
    }

    /// The public keys of our client at one directory's provider, where it proves itself by them (rule H20).
    fn client_jwks(&self, request: &PageRequest, directory: &str) -> Response<Bytes> {
        if !matches!(request.head.method, Method::GET | Method::HEAD) {
            return render::empty(StatusCode::METHOD_NOT_ALLOWED);
        }
        let world = self.login.world();
        let catalog = world.catalog.load();
        let id = directory_of(directory).and_then(|names| {
            names.iter().find_map(|name| catalog.directory_names.get(name)).filter(|id| {
                let settings = catalog.directories.get(id).and_then(|directory| directory.protocol.settings());
                settings.is_some_and(|settings| settings.client_auth.is_by_key())
            })
        });
        match id {
            Some(id) => public_keys(world.keys.client_jwks(*id)),
            None => self.not_found(request),
        }
    }

    /// Steps of a handover answer navigations alone (rule H6): a script of a sibling product cannot run them.
    async fn enter(&self, request: &PageRequest, visitor: &Visitor) -> Response<Bytes> {
        if !is_page_navigation(request) {
            return self.refuse_request(request, visitor, Refusal::CrossSite).await;
        }
        let fields = Fields::of_query(request);
        let challenge = URL_SAFE_NO_PAD.decode(fields.text("c")).ok().and_then(|bytes| bytes.try_into().ok());
        let parsed = (ProductName::parse(fields.text("product")), Origin::parse(fields.text("host")), challenge);
        let (Ok(product), Ok(host), Some(challenge)) = parsed else {
            return self.refuse_request(request, visitor, Refusal::Malformed).await;
        };
        let target = Target { product, host, challenge, again: fields.text("again").parse().unwrap_or(0) };
        // A path asked for a proof of just now: at most a day, as the configuration has it.
        let fresh = fields.text("fresh").parse().ok().filter(|seconds| (1..=86_400).contains(seconds));
        let fresh = fresh.map(Duration::from_secs);
        let answer = self.login.enter(visitor, target, fields.text("hint"), fresh).await;
        self.respond(keeping(answer, request, visitor), At::Login, visitor)
    }

    async fn callback(&self, request: &PageRequest, visitor: &Visitor, directory: &str) -> Response<Bytes> {
        let Some(directory) = directory_of(directory) else { return self.not_found(request) };
        let parameters = match request.head.method {
            Method::GET => Bytes::copy_from_slice(request.head.uri.query().unwrap_or_default().as_bytes()),
            Method::POST => request.body.clone(),
            _ => return render::empty(StatusCode::METHOD_NOT_ALLOWED),
        };
        let answer = self.reply(visitor, &directory, &parameters).await;
        self.respond(answer, At::Login, visitor)
    }

    /// The path alone cannot tell a third party from an organization's main directory of the same name; the configuration refuses
    /// such twins, so at most one of the two exists.
    async fn reply(&self, visitor: &Visitor, names: &[DirectoryName], parameters: &[u8]) -> Answer {
        let catalog = self.login.world().catalog.load_full();
        let known = names.iter().find(|name| catalog.directory_names.contains_key(name)).or(names.first());
        match known {
            Some(name) => self.login.finish(visitor, name, parameters).await,
            None => self.login.home(visitor).await,
        }
    }
}

/// Public keys as JSON. Readers may keep them for five minutes.
fn public_keys(jwks: Result<String, KeyFault>) -> Response<Bytes> {
    match jwks {
        Ok(jwks) => {
            let mut response = render::json(jwks);
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
            response
        }
        Err(fault) => {
            tracing::error!(%fault, "the public keys could not be written");
            render::empty(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

/// The directories that a callback's path may mean.
pub(super) fn directory_of(rest: &str) -> Option<Vec<DirectoryName>> {
    if rest.is_empty() {
        return Some(vec![DirectoryName::Issuer]);
    }
    let rest = rest.strip_prefix('/')?;
    match rest.split_once('/') {
        Some((org, name)) => Some(vec![DirectoryName::of_org(OrgName::parse(org).ok()?, name).ok()?]),
        None => {
            let org = DirectoryName::of_org(OrgName::parse(rest).ok()?, "main").ok()?;
            Some(vec![org, DirectoryName::ThirdParty(ThirdPartyName::parse(rest).ok()?)])
        }
    }
}

/// A navigation of a whole page, as far as the browser says so.
pub(super) fn is_page_navigation(request: &PageRequest) -> bool {
    let fields = &request.head.headers;
    let is_document = fields.get("sec-fetch-dest").is_none_or(|dest| dest.as_bytes() == b"document");
    is_document && declared(fields).is_navigation()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c5_a_callbacks_path_names_its_directory() {
        let shown =
            |rest: &str| directory_of(rest).map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(shown(""), Some(vec!["issuer".to_owned()]));
        assert_eq!(shown("/acme/okta"), Some(vec!["acme/okta".to_owned()]));
        assert_eq!(shown("/acme"), Some(vec!["acme".to_owned(), "acme".to_owned()]));
        for bad in ["x", "/", "/Acme", "/acme/", "/acme/okta/x", "/acme/../x"] {
            assert_eq!(shown(bad), None, "{bad}");
        }
    }
}
