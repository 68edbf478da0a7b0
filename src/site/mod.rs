//! Our own routes: HTTP on the login host, under `/.fedgate/` of product hosts, and at products' doors.
//!
//! This room turns requests into steps of a login and answers into responses: paths, forms, cookies, status codes, headers, texts.
//! Deliberately absent: any decision. A path is one arm in `login_host` or `product_host`; a refusal's text is one arm in `texts`.

mod account;
mod another;
mod app_login;
mod console;
mod console_companies;
mod console_pages;
mod emergency;
mod forms;
mod languages;
mod local;
mod login_host;
mod merging;
mod native;
mod passkey;
mod product_host;
mod product_local;
mod refuse;
mod render;
mod replay;
mod saml;
mod signal;
mod stepping;
mod texts;

pub use texts::refusal_title;

use crate::admin::Admin;
use crate::kernel::model::Product;
use crate::kernel::refusal::Refusal;
use crate::kernel::request::intent::{Declared, is_safe};
use crate::login::{Live, Login};
use crate::pages::Pages;
use crate::scim::Scim;
use crate::web::{AppLogin, Offer, PageRequest, Place, Routes, Turned};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use std::sync::Arc;

/// Our own routes.
pub struct Site {
    login: Login,
    live: Arc<Live>,
    pages: Pages,
    admin: Arc<Admin>,
    scim: Scim,
}

impl Site {
    /// A product as it holds now: routes know it by the file, and its phase may have moved on since (row T08).
    fn as_it_holds(&self, product: &Arc<Product>) -> Arc<Product> {
        let catalog = self.login.world().catalog.load();
        catalog.products.get(&product.name).map_or_else(|| Arc::clone(product), Arc::clone)
    }

    /// Routes over logins, live sessions, page templates, the admin API and provisioning.
    pub fn new(login: Login, live: Arc<Live>, pages: Pages, admin: Arc<Admin>) -> Self {
        let scim = Scim::new(&login);
        Self { login, live, pages, admin, scim }
    }

    /// Unsafe requests on our own paths must be this host's own (rule H6). A provider's form_post reply is the one exception:
    /// it is bound by its cookie and `state` instead (rule H10).
    fn is_foreign(request: &PageRequest, own: &str) -> bool {
        let is_callback = matches!(request.place, Place::Login) && is_reply(request.head.uri.path());
        let unsafe_method = !is_safe(request.head.method.as_str());
        unsafe_method && !is_callback && !declared(&request.head.headers).is_same_origin(own, &[])
    }
}

#[async_trait]
impl Routes for Site {
    async fn answer(&self, request: PageRequest) -> Response<Bytes> {
        let own = match &request.place {
            Place::Login => self.login.world().catalog.load().login.url(),
            Place::Product { host, .. } => host.url(),
        };
        if matches!(request.place, Place::Login) && request.head.uri.path().starts_with("/api/v1/") {
            // Bearer tokens alone: no cookie says anything there, so no other site can make a browser act (rule M19).
            return self.admin.answer(&request).await;
        }
        if matches!(request.place, Place::Login) && request.head.uri.path().starts_with("/scim/") {
            // The same: a directory's own token, and nothing that a browser brings by itself.
            return self.scim.answer(&request).await;
        }
        let visitor = self.visitor(&request);
        if matches!(request.place, Place::Login) && request.head.uri.path().starts_with(native::ENDPOINTS) {
            // An app, without a browser: a code and its verifier, or a token, say who asks; no cookie does.
            return self.on_app_endpoint(&request, &visitor).await;
        }
        if Self::is_foreign(&request, &own) {
            return self.refuse_request(&request, &visitor, Refusal::CrossSite).await;
        }
        if request.head.uri.path().starts_with("/.fedgate/auth") {
            // Asked by nobody who may ask, or about a product that is not asked about; and to a proxy every 2xx is a yes.
            return render::empty(http::StatusCode::NOT_FOUND);
        }
        let is_page = request.head.method == Method::GET || request.head.method == Method::HEAD;
        if is_page && is_prefetch(&request.head.headers) {
            // Speculation must not act, nor spend anything one-use (rule M11).
            return render::empty(http::StatusCode::NO_CONTENT);
        }
        if request.head.method == Method::POST && request.door.is_none() {
            let pick = if matches!(request.place, Place::Login) { languages::PICK } else { languages::PICK_HERE };
            if request.head.uri.path() == pick {
                return self.pick(&request);
            }
        }
        match &request.place {
            Place::Login => self.on_login_host(&request, &visitor).await,
            Place::Product { product, host, doors, cookie_domain } => {
                let (product, cookie_domain) = (self.as_it_holds(product), cookie_domain.clone());
                let at = crate::login::ProductHost { product, host: host.clone(), cookie_domain };
                self.on_product_host(&request, &visitor, (&at, doors)).await
            }
        }
    }

    async fn judge_app_login(&self, request: PageRequest) -> AppLogin {
        self.app_login(&request).await
    }

    fn refuse(&self, turned: Turned) -> Response<Bytes> {
        self.turn_away(turned)
    }

    fn offer(&self, offer: Offer) -> Response<Bytes> {
        self.replay_page(&offer)
    }
}

/// What the browser says about the request.
fn declared(fields: &HeaderMap) -> Declared<'_> {
    let text = |name: &str| fields.get(name).and_then(|value| value.to_str().ok());
    Declared {
        mode: text("sec-fetch-mode"),
        site: text("sec-fetch-site"),
        origin: text("origin"),
        accept: text("accept"),
        accept_language: text("accept-language"),
        picked: None,
    }
}

/// Where providers send people's browsers, by forms too, and their own signals: what arrives there is judged by what is in it (rule H10).
fn is_reply(path: &str) -> bool {
    let is_saml = path.starts_with("/saml/") && (path.ends_with("/acs") || path.ends_with("/slo"));
    path.starts_with("/login/callback") || is_saml || signal::door(path).is_some()
}

fn is_prefetch(fields: &HeaderMap) -> bool {
    let says = |name: &str| fields.get(name).is_some_and(|value| value.as_bytes().windows(8).any(|w| w == b"prefetch"));
    says("sec-purpose") || says("purpose") || says("x-moz")
}
