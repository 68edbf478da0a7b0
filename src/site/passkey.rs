//! Ceremonies with authenticators on the login host, and the script of their pages.

use super::Site;
use super::forms::Fields;
use super::local::paths;
use super::login_host::is_page_navigation;
use super::render::At;
use crate::kernel::refusal::Refusal;
use crate::login::Visitor;
use crate::pages::{SCRIPT, SCRIPT_PATH};
use crate::web::PageRequest;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, Method, Response};

impl Site {
    /// `/login/passkey…`.
    pub(super) async fn on_passkey(
        &self,
        request: &PageRequest,
        visitor: &Visitor,
        (method, path): (&Method, &str),
    ) -> Response<Bytes> {
        if matches!(*method, Method::GET | Method::HEAD) && path == SCRIPT_PATH {
            return script();
        }
        let login = &self.login;
        let answer = match (method.as_str(), path) {
            ("GET", _) if !is_page_navigation(request) => {
                return self.refuse_request(request, visitor, Refusal::CrossSite).await;
            }
            ("GET", paths::PASSKEY_ANSWER) => login.ask_passkey(visitor, Fields::of_query(request).text("start")).await,
            ("GET", paths::PASSKEY_NEW) => {
                login.ask_new_passkey(visitor, Fields::of_query(request).text("start")).await
            }
            ("GET", paths::PASSKEY_DONE) => login.return_passkey(visitor).await,
            // Reached by the back button: begin where it began.
            ("GET", paths::PASSKEY_EMAIL) => login.home(visitor).await,
            ("POST", path) => {
                let form = Fields::of_form(request);
                let sealed = (form.text("csrf"), form.text("to"));
                match path {
                    paths::PASSKEY_ANSWER => login.take_passkey(visitor, sealed, form.text("credential")).await,
                    paths::PASSKEY_EMAIL => login.email_instead(visitor, sealed, form.text("email")).await,
                    paths::PASSKEY_NEW => {
                        let made = (form.text("credential"), form.text("label"));
                        login.take_new_passkey(visitor, sealed, made).await
                    }
                    _ => return self.not_found(request),
                }
            }
            _ => return self.not_found(request),
        };
        self.respond(answer, At::Login, visitor)
    }
}

/// The one script of ours. The pages name its digest, so an old copy out of a cache would run nowhere: none is kept.
fn script() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(SCRIPT.as_bytes()));
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = HeaderName::from_static("cross-origin-resource-policy");
    fields.insert(policy, HeaderValue::from_static("same-origin"));
    response
}
